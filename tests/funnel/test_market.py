"""From the store to the fold: which event reaches which session, on which share basis, row by row."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aitrader.features.state import FeatureState, SessionData
from aitrader.funnel.market import Market
from aitrader.funnel.replay import folded
from aitrader.store.store import Store
from tests.support.funnels import scanned, stored, walk
from tests.support.markets import CALENDAR, STORED_AT, Tables, day, evening

NAN = float("nan")
Made = Callable[..., Store]


def bars(symbol: str, sessions: range | list[int], close: float = 20.0) -> list[dict[str, Any]]:
    return [{"symbol": symbol, "date": day(t), "close": close, "volume": 1e6 + t} for t in sessions]


def listing(symbol: str, **values: Any) -> dict[str, Any]:
    return {"symbol": symbol, "name": f"{symbol} Inc", "exchange": "NYSE", "security_type": "common", **values}


@pytest.fixture
def made(tmp_path: Path) -> Any:
    """A store of one symbol, AAA, over ten sessions, with whatever else is told."""
    opened: list[Store] = []

    def build(adjustment: str = "raw", **tables: list[dict[str, Any]]) -> Store:
        values: dict[str, Any] = {"securities": [listing("AAA")], "bars": bars("AAA", range(10))}
        delivery = Tables(**(values | tables)).delivered(adjustment=adjustment)
        opened.append(stored(tmp_path / str(len(opened)), delivery))
        return opened[-1]

    yield build
    for store in opened:
        store.close()


def market(store: Store, until: int = 9, **more: Any) -> Market:
    way = walk(store)
    return Market(store, calendar=CALENDAR, after=None, until=day(until), adjustment=way.adjustment, **more)


def data(store: Store, at: int, until: int = 9, **more: Any) -> SessionData:
    ids = store.securities()["id"].to_numpy()
    return market(store, until, **more).data(day(at), ids)


def action(kind: str, at: int | date, **values: Any) -> dict[str, Any]:
    return {"symbol": "AAA", "kind": kind, "ex_date": at if isinstance(at, date) else day(at), **values}


# --- actions ---


@pytest.mark.parametrize(
    ("acted", "ratio", "cash", "special"),
    [
        ([action("split", 5, ratio=2.0)], 2.0, None, None),
        ([action("split", 5, ratio=0.1)], 0.1, None, None),
        ([action("stock_dividend", 5, ratio=1.05)], 1.05, None, None),
        ([action("split", 5, ratio=2.0), action("stock_dividend", 5, ratio=1.5)], 3.0, None, None),
        ([action("spinoff", 5, cash=3.0)], None, 3.0, None),
        ([action("special_dividend", 5, cash=3.0)], None, None, 3.0),
        ([action("special_dividend", 5, cash=3.0), action("spinoff", 5, cash=1.0)], None, 1.0, 3.0),
        ([action("split", 5, ratio=2.0), action("special_dividend", 5, cash=1.0)], 2.0, None, 1.0),
        ([action("dividend", 5, cash=3.0)], None, None, None),
        ([action("merger", 5)], None, None, None),
    ],
)
def test_what_an_action_brings_on_its_ex_date(
    made: Made, acted: list[dict[str, Any]], ratio: float | None, cash: float | None, special: float | None
) -> None:
    got = data(made(actions=acted), 5)
    assert list(got.scale_shares) == ([] if ratio is None else [pytest.approx(ratio)])
    assert list(got.scale_price) == ([] if ratio is None else [pytest.approx(1 / ratio)])
    assert list(got.cash) == ([] if cash is None else [cash])
    assert list(got.special) == ([] if special is None else [special])
    explained = any(one["kind"] != "dividend" for one in acted)
    assert list(got.action_columns) == ([0] if explained else []), "an ordinary dividend explains no jump"
    for other in (4, 6):
        assert not data(made(actions=acted), other).action_columns.size


@pytest.mark.parametrize(
    ("adjustment", "split", "cash"), [("raw", True, True), ("split", False, True), ("all", False, False)]
)
def test_adjusted_sets_have_their_splits_in_the_prices(made: Made, adjustment: str, split: bool, cash: bool) -> None:
    acted = [action("split", 5, ratio=2.0), action("spinoff", 6, cash=1.0)]
    store = made(adjustment, actions=acted)
    assert bool(data(store, 5).scale_columns.size) == split
    assert bool(data(store, 6).cash_columns.size) == cash
    assert data(store, 5).action_columns.size == 1


def test_an_ex_date_on_a_closed_day_counts_on_the_next_session(made: Made) -> None:
    saturday = date(2015, 3, 7)
    got = data(made(actions=[action("spinoff", saturday, cash=1.0)]), 5)
    assert day(5) == date(2015, 3, 9)
    assert list(got.action_columns) == [0]


KNOWN = CALENDAR.scheduled_as_of(day(7))


@pytest.mark.parametrize(
    ("known", "until", "settled", "at_ex_date", "late_on"),
    [
        (None, 9, False, True, None),
        (KNOWN, 9, False, False, 7),  # on the very as_of
        (KNOWN + timedelta(seconds=1), 9, False, False, 8),
        (KNOWN, 6, False, False, None),  # not known yet
        (KNOWN, 9, True, True, None),  # looking back, it counts from its ex-date
        (KNOWN, 6, True, False, None),
        (CALENDAR.scheduled_as_of(day(5)), 9, False, True, None),  # known in time
        (datetime(2015, 1, 1, tzinfo=UTC), 9, False, True, None),
    ],
)
def test_an_action_known_after_its_ex_date_is_late(
    made: Made, known: datetime | None, until: int, settled: bool, at_ex_date: bool, late_on: int | None
) -> None:
    store = made(actions=[action("split", 5, ratio=2.0, known_at=known)])
    got = market(store, until, settled=settled)
    ids = store.securities()["id"].to_numpy()
    assert bool(got.data(day(5), ids).scale_columns.size) == at_ex_date
    assert [t for t in range(10) if got.late(day(t)).size] == ([] if late_on is None else [late_on])


@pytest.mark.parametrize("settled", [False, True])
def test_a_dividend_known_late_changes_nothing_in_any_view(made: Made, settled: bool) -> None:
    store = made(actions=[action("dividend", 5, cash=1.0, known_at=KNOWN)])
    got = market(store, settled=settled)
    assert not any(got.late(day(t)).size for t in range(10))
    assert not got.data(day(5), store.securities()["id"].to_numpy()).action_columns.size


# --- share counts ---


def filing(known: datetime, shares: float | None, **values: Any) -> dict[str, Any]:
    return {
        "symbol": "AAA",
        "period_end": date(2014, 12, 31),
        "fiscal_period": "FY",
        "form": "10-K",
        "known_at": known,
        "shares_outstanding": shares,
        "eps_diluted": 8.0,
        **values,
    }


def after(store: Store, name: str, until: int = 9) -> float:
    """A row of the state after a session."""
    ids = store.securities()["id"].to_numpy()
    state: FeatureState = folded(walk(store), ids, CALENDAR.between(day(0), day(until)), until=day(until))
    return float(state[name][0])


SPLIT = action("split", 5, ratio=2.0)


@pytest.mark.parametrize(
    ("known", "until", "shares", "eps"),
    [
        (evening(day(2)), 2, NAN, NAN),  # from the session after
        (evening(day(2)), 3, 100.0, 8.0),
        (evening(day(2)), 4, 100.0, 8.0),
        (evening(day(2)), 5, 200.0, 4.0),  # scaled by the fold on the ex-date
        (evening(day(4)), 5, 200.0, 4.0),  # told on the old basis, counts from the ex-date on
        (evening(day(5)), 6, 100.0, 8.0),  # told on the new basis
        (CALENDAR.scheduled_as_of(day(4)), 4, 100.0, 8.0),
        (CALENDAR.scheduled_as_of(day(4)), 9, 200.0, 4.0),
        (CALENDAR.scheduled_as_of(day(4)) + timedelta(seconds=1), 5, 200.0, 4.0),
        (datetime(2014, 3, 1, tzinfo=UTC), 0, 100.0, 8.0),  # long before the first bar
    ],
)
def test_figures_a_share_follow_a_split_exactly_once(
    made: Made, known: datetime, until: int, shares: float, eps: float
) -> None:
    store = made(actions=[SPLIT], fundamentals=[filing(known, 100.0)])
    got = after(store, "shares", until), after(store, "eps_ttm", until)
    np.testing.assert_array_equal(got, (shares, eps))


@pytest.mark.parametrize(("known", "shares", "eps"), [(2, NAN, NAN), (4, 100.0, 8.0), (6, 100.0, 8.0)])
def test_after_a_possible_split_figures_a_share_wait_for_the_next_filing(
    made: Made, known: int, shares: float, eps: float
) -> None:
    halved = [*bars("AAA", range(5)), *bars("AAA", range(5, 10), 10.0)]
    store = made(bars=halved, fundamentals=[filing(evening(day(known)), 100.0)])
    np.testing.assert_array_equal((after(store, "shares"), after(store, "eps_ttm")), (shares, eps))


def test_a_filing_before_a_split_before_the_first_bar_is_brought_up_to_it(made: Made) -> None:
    early = action("split", date(2015, 2, 10), ratio=4.0)
    store = made(actions=[early], fundamentals=[filing(evening(date(2015, 2, 1)), 100.0)])
    assert (after(store, "shares", 0), after(store, "eps_ttm", 0)) == (400.0, 2.0)


@pytest.mark.parametrize(("until", "shares"), [(3, 50.0), (4, 100.0), (6, 100.0), (7, 80.0)])
def test_the_latest_count_told_by_anyone_counts(made: Made, until: int, shares: float) -> None:
    told = [listing("AAA", shares_outstanding=50.0), listing("AAA", shares_outstanding=80.0, known_on=day(7))]
    store = made(securities=told, fundamentals=[filing(evening(day(3)), 100.0)])
    assert after(store, "shares", until) == shares


def test_a_record_that_tells_something_else_does_not_tell_its_old_count_again(made: Made) -> None:
    told = [listing("AAA", shares_outstanding=50.0), listing("AAA", sector="Energy", known_on=day(7))]
    store = made(securities=told, actions=[SPLIT], fundamentals=[filing(evening(day(2)), 100.0)])
    assert after(store, "shares") == 200.0


@pytest.mark.parametrize(
    ("told", "since"),
    [
        ({"shares_outstanding": 50.0}, 7),  # told again, all as before: it holds from then on
        ({"sector": "Energy"}, 0),  # another word, which says nothing of the count
        ({"shares_outstanding": 60.0}, 7),
    ],
)
def test_a_count_is_as_old_as_its_last_telling(made: Made, told: dict[str, Any], since: int) -> None:
    long_ago = day(0) - timedelta(days=100)
    store = made(
        securities=[
            listing("AAA", shares_outstanding=50.0, known_on=long_ago),
            listing("AAA", known_on=day(7), **told),
        ]
    )
    found = data(store, 7)
    assert found.share_columns.tolist() == ([0] if since else [])
    assert found.share_days.tolist() == ([(day(7) - date(1970, 1, 1)).days] if since else [])


@pytest.mark.parametrize(("kind", "shares"), [("adr", 50.0), ("common", 100.0)])
def test_ordinary_shares_of_a_filing_say_nothing_of_an_adr(made: Made, kind: str, shares: float) -> None:
    store = made(
        securities=[listing("AAA", security_type=kind, shares_outstanding=50.0)],
        fundamentals=[filing(evening(day(3)), 100.0)],
    )
    assert after(store, "shares") == shares


def test_what_a_listing_is_later_called_says_nothing_of_earlier_filings(made: Made) -> None:
    told = [listing("AAA", shares_outstanding=50.0), listing("AAA", security_type="adr", known_on=day(8))]
    store = made(securities=told, fundamentals=[filing(evening(day(3)), 100.0)])
    assert after(store, "shares", 6) == 100.0


# --- market cap ---


def cap(store: Store, symbol: str = "AAA", at: int = 9) -> float | None:
    detail = scanned(store, at, first=1).runs[0].detail
    return detail.filter(symbol=symbol)["market_cap"].item()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("shares", "vendor", "expected"),
    [
        (100.0, None, 2000.0),
        (100.0, 7777.0, 2000.0),  # shares x raw close beats the vendor's figure
        (None, 7777.0, 7777.0),
        (None, 0.0, None),
        (None, None, None),
    ],
)
def test_market_cap_rows(made: Made, shares: float | None, vendor: float | None, expected: float | None) -> None:
    caps = [{"symbol": "AAA", "date": day(9), "market_cap": vendor}]
    assert cap(made(securities=[listing("AAA", shares_outstanding=shares)], market_caps=caps)) == expected


def test_the_lines_of_an_issuer_are_judged_together(made: Made) -> None:
    store = made(
        securities=[
            listing("AAA", cik="7", shares_outstanding=100.0),
            listing("AAA.B", cik="7", shares_outstanding=10.0),
            listing("AAA.C", cik="7"),
            listing("BBB", cik="8", shares_outstanding=1.0),
        ],
        bars=[
            *bars("AAA", range(10)),
            *bars("AAA.B", range(10), 30.0),
            *bars("AAA.C", range(10)),
            *bars("BBB", range(10)),
        ],
    )
    total = 100 * 20.0 + 10 * 30.0
    assert [cap(store, symbol) for symbol in ("AAA", "AAA.B", "BBB")] == [total, total, 20.0]
    assert cap(store, "AAA.C") is None, "without shares and without a vendor's figure"


# --- listings ---


@pytest.mark.parametrize(
    ("at", "symbol", "sector", "kind"),
    [(2, "AAA", "unknown", "common"), (3, "AAA", "Energy", "common"), (6, "ABC", "Energy", "adr")],
)
def test_a_session_sees_listings_as_known_by_then(made: Made, at: int, symbol: str, sector: str, kind: str) -> None:
    told = [
        listing("AAA"),
        listing("AAA", sector="Energy", known_on=day(3)),
        listing("ABC", security_type="adr", sector="Energy", known_on=day(6)),
    ]
    traded = [*bars("AAA", range(6)), *bars("ABC", range(6, 10))]
    store = made(securities=told, bars=traded, actions=[action("symbol_change", 6, new_symbol="ABC")])
    assert store.securities().height == 1
    (row,) = scanned(store, at, first=1).runs[0].detail.rows(named=True)
    assert (row["symbol"], row["sector"], row["security_type"]) == (symbol, sector, kind)
    going_on = scanned(store, 9, first=10).runs[at].detail.rows(named=True)[0]
    assert (going_on["symbol"], going_on["sector"], going_on["security_type"]) == (symbol, sector, kind)


@pytest.mark.parametrize(("at", "active"), [(4, True), (5, False), (9, False)])
def test_a_delisting_ends_the_listing_on_its_day(made: Made, at: int, active: bool) -> None:
    told = [listing("AAA", delisted_on=day(5)), listing("BBB")]
    store = made(securities=told, bars=[*bars("AAA", range(5)), *bars("BBB", range(10))])
    run = scanned(store, at, first=1).runs[0]
    assert run.detail.filter(symbol="AAA")["active"].item() == active
    assert (run.qualifications.filter(layer=0, symbol="AAA").height == 1) == active


@pytest.mark.parametrize(("last", "active"), [(9, True), (10, False)])
def test_a_listing_read_off_its_bars_ends_after_20_sessions_without_one(made: Made, last: int, active: bool) -> None:
    store = made(bars=[*bars("AAA", range(10)), *bars("BBB", range(40))], securities=[listing("AAA"), listing("BBB")])
    run = scanned(store, 20 + last, first=1).runs[0]
    assert run.detail.filter(symbol="AAA")["active"].item() == active


def test_a_listing_that_was_told_stays_without_bars(made: Made) -> None:
    told = [listing("AAA", listed_on=date(2010, 1, 4)), listing("BBB")]
    store = made(bars=[*bars("AAA", range(25)), *bars("BBB", range(60))], securities=told)
    run = scanned(store, 59, first=1).runs[0]
    assert run.detail.filter(symbol="AAA")["active"].item()
    assert run.qualifications.filter(layer=1, symbol="AAA")["verdict"].item() == 2


# --- headlines ---


@pytest.mark.parametrize(
    ("published", "first"),
    [
        (CALENDAR.scheduled_as_of(day(3)), 3),
        (CALENDAR.scheduled_as_of(day(3)) + timedelta(seconds=1), 4),
        (datetime(2015, 3, 7, 12, 0, tzinfo=UTC), 5),  # a Saturday
        (datetime(2015, 2, 1, 12, 0, tzinfo=UTC), None),  # before the first bar
    ],
)
def test_a_headline_counts_from_the_first_as_of_after_it(made: Made, published: datetime, first: int | None) -> None:
    store = made(news=[{"symbol": "AAA", "published_at": published, "headline": "AAA wins award"}])
    heard = [t for t in range(10) if data(store, t).news_columns.size]
    assert heard == ([] if first is None else [first])


def test_the_headlines_of_a_session_are_counted_and_summed(made: Made) -> None:
    at = CALENDAR.scheduled_as_of(day(3)) - timedelta(hours=5)
    told = [("a", 0.5), ("b", -0.1), ("c", 0.2)]
    news = [
        {"symbol": "AAA", "published_at": at + timedelta(minutes=n), "headline": text, "sentiment": value}
        for n, (text, value) in enumerate(told)
    ]
    got = data(made(news=news), 3)
    assert (list(got.news_weight), list(got.news_score)) == ([3.0], [pytest.approx(0.6)])
    assert at < STORED_AT
