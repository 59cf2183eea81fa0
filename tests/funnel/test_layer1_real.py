"""Layer 1 of a real session is exactly the set that plain pandas gets from the raw file, and so is every verdict."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from aitrader.domain.run import ScanRun
from aitrader.domain.security_type import security_type_expr
from aitrader.domain.verdict import Verdict
from aitrader.funnel import scan as scanning
from aitrader.funnel.rules import rules_for
from aitrader.providers.dataset import DatasetSource
from aitrader.settings.load import load_settings
from tests.funnel import layer1_oracle as oracle
from tests.support.funnels import OCCASION, stored, walk

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
SESSION = date(2025, 8, 21)
PREDICATES = {
    "min_volume": "volume_ok",
    "min_market_cap": "market_cap_ok",
    "min_price": "price_ok",
    "min_history": "history_ok",
    "explained_jumps": "jumps_ok",
}
TRUSTS = "Trusts Except Educational Religious and Charitable"
real_data = pytest.mark.skipif(not (DATA / "universe").is_dir(), reason="the real sets are not beside the repository")


NUMBERS = {"volume": "volume_mean", "price": "close", "market_cap": "market_cap", "history": "bars"}


@real_data
def test_layer_1_is_the_set_of_a_plain_computation(tmp_path: Path) -> None:
    """One test, so that the set is read once: the members, the numbers behind them, every verdict."""
    run, expected = _scanned(tmp_path), oracle.layer1(DATA, SESSION)
    ok = expected[[*PREDICATES.values(), "type_ok"]].all(axis=1)
    members = set(run.qualifications.filter(layer=1, member=True)["symbol"])
    assert members == set(expected.index[ok])
    three = expected[["volume_ok", "market_cap_ok", "price_ok"]].all(axis=1)
    assert (len(members), int(three.sum())) == (1700, 1731)
    here = run.detail.filter("active").sort("symbol")
    assert here["symbol"].to_list() == sorted(expected.index)
    theirs = expected.loc[here["symbol"].to_list()]
    for factor, column in NUMBERS.items():
        # After a session without a row the set's reader takes a repeat of the row before it for no trade as well.
        whole = theirs["whole"].to_numpy() if factor == "volume" else np.ones(here.height, dtype=bool)
        assert whole.mean() > 0.9
        mine, told = here[factor].to_numpy()[whole], theirs[column].to_numpy(dtype=float)[whole]
        np.testing.assert_allclose(mine, told, rtol=1e-12, err_msg=factor)
    for criterion, predicate in PREDICATES.items():
        codes, passes = here[f"L1.{criterion}"].to_numpy(), theirs[predicate].to_numpy(dtype=bool)
        # A fund's market cap is no question.
        exempt = here["fund"].to_numpy() & (codes == Verdict.SKIPPED) & (criterion == "min_market_cap")
        wrong = ~exempt & ((codes == Verdict.PASSED) != passes)
        assert here["symbol"].filter(pl.Series(wrong)).to_list() == [], criterion


def _scanned(root: Path) -> ScanRun:
    """A scan of the session with the project's own layers."""
    own = load_settings(ROOT / "config", {}).scanner
    delivery = DatasetSource(ROOT / "datasets" / "us_2024_2025").deliver(until=SESSION)
    with stored(root, delivery) as store:
        rules = rules_for(own, offers=delivery.offers, missing=delivery.missing)
        return scanning.scan(store, walk(store), rules, OCCASION, session=SESSION, first_scan_sessions=1).runs[0]


@pytest.mark.parametrize(
    ("symbol", "name", "industry", "kind"),
    [
        # Where the plain reading of the names and the product differed, and who is right.
        ("BNS", "Bank Nova Scotia Halifax Pfd 3 Ordinary Shares", "Major Banks", "common"),
        ("HPF", "John Hancock Pfd Income Fund II Pfd Income Fund II", "Finance Companies", "fund"),
        (
            "ECC",
            "Eagle Point Credit Company Inc. Common Stock",
            "Trusts Except Educational Religious and Charitable",
            "fund",
        ),
        ("OPI", "Office Properties Income Trust Common Shares of Beneficial Interest", "Real Estate", "reit"),
        ("UHT", "Universal Health Realty Income Trust Common Stock", None, "reit"),
        (
            "FINS",
            "Angel Oak Financial Strategies Income Term Trust Common Shares of Beneficial Interest",
            "Finance/Investors Services",
            "fund",
        ),
        ("TBLD", "Thornburg Income Builder Opportunities Trust Common Stock", "Investment Managers", "fund"),
        ("PBT", "Permian Basin Royalty Trust Common Stock", None, "common"),
        ("AB", "AllianceBernstein Holding L.P.  Units", None, "common"),
        ("PBR", "Petroleo Brasileiro S.A. Petrobras ADS", None, "adr"),
    ],
)
def test_types_of_names_that_mislead(symbol: str, name: str, industry: str | None, kind: str) -> None:
    row = pl.DataFrame(
        {"symbol": [symbol], "name": [name], "industry": [industry]}, schema_overrides={"industry": pl.String}
    )
    told = security_type_expr(symbol=pl.col("symbol"), name=pl.col("name"), industry=pl.col("industry"))
    assert row.select(told).item() == kind
