"""One plain reason for each pick."""

from __future__ import annotations

from pathlib import Path

from aitrader.operations.published import chosen_run
from aitrader.operations.scan_summary import scan_summary
from aitrader.store.store import Store
from tests.operations import sample

RANKED = {
    "layers": [
        *sample.CONTENT["layers"][:3],
        {
            **sample.CONTENT["layers"][3],
            "ranking": {
                "technical": {"weight": 1.0, "factors": {"rsi": 1.0, "no_such_column": 1.0}},
                "value": {"weight": 1.0, "factors": {"pe": 1.0, "price": 0.0}},
                "unused": {"weight": 0.0, "factors": {"volume": 1.0}},
            },
        },
    ]
}


def test_a_pick_is_explained_by_what_it_ranks_highest_in(tmp_path: Path) -> None:
    with Store.open(sample.publish(tmp_path), write=True) as store:
        store.save_config_version("ranked", RANKED, author="test", at=sample.NOW, cause="test")
        ranked = sample.run(sample.identities(store), sample.SESSIONS[2], sample.PLACES, number=2, version="ranked")
        store.publish([ranked], at=sample.NOW)
        found = scan_summary(store, chosen_run(store.reader, None))
    # Of the seven that pass Layer 1, AAPL's RSI is the second highest and its P/E the second highest of six known.
    assert [(pick["symbol"], pick["reason"]) for pick in found["picks"]] == [
        ("AAPL", "RSI 55, top 29 %"),
        ("MSFT", "held by band"),
    ]


def test_without_a_ranking_a_pick_is_explained_by_what_it_passes_most_clearly(tmp_path: Path) -> None:
    with Store.open(sample.publish(tmp_path), write=False) as store:
        found = scan_summary(store, chosen_run(store.reader, None))
    assert found["picks"][0]["reason"] == "revenue growth 9 % (>= 5 %)"
    assert found["near_miss"]["sentence"] == "NA missed by min_rsi: 29.999 < 30"
