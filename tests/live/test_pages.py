"""Answers of bars that are not whole, or about something else: noticed, repaired or refused, one source at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import polars as pl
import pytest

from aitrader.domain.errors import SourceError
from aitrader.domain.frames import BARS, Held
from aitrader.exchange.answer import Answer
from aitrader.providers.coverage import check_coverage
from tests.live.world import BEFORE, NEXT, Desk, at, content, listed, market_bars, once, saying, sessions

WINDOW = sessions(BEFORE)[-30:]
BARS_PATH, GROUPED = "/v2/stocks/bars", "/v2/aggs/grouped/locale/us/market/stocks/"
Edit = Callable[[str, dict[str, str], Answer], Answer]


def right() -> pl.DataFrame:
    return market_bars(WINDOW, list(listed(BEFORE)))


def small_pages(desk: Desk) -> Desk:
    """Pages of 700 bars: a request of 200 symbols takes nine, and most begin in the middle of a symbol."""
    desk.exchange.pages["/v2/stocks/bars"] = 700
    return desk


def bars(change: Callable[[dict[str, list[dict[str, Any]]]], Any]) -> Edit:
    """The answer with its bars changed."""

    def edit(_path: str, _query: dict[str, str], answer: Answer) -> Answer:
        told = content(answer)
        told["bars"] = change(told["bars"]) or {}
        return saying(answer, told)

    return edit


def nth(number: int, edit: Edit) -> Edit:
    """The edit for the answer of that number alone, from 1."""
    count = 0

    def edited(path: str, query: dict[str, str], answer: Answer) -> Answer:
        nonlocal count
        count += 1
        return edit(path, query, answer) if count == number else answer

    return edited


def without_rows(desk: Desk, lost: Callable[[list[tuple[str, int]]], Sequence[int]]) -> Edit:
    """A page that has lost the rows at these places of it."""

    def change(told: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
        rows = [(symbol, at) for symbol, own in told.items() for at in range(len(own))]
        gone = {rows[place] for place in lost(rows)}
        kept = {s: [bar for i, bar in enumerate(own) if (s, i) not in gone] for s, own in told.items()}
        return {symbol: own for symbol, own in kept.items() if own}

    return bars(change)


# -- lost pages -------------------------------------------------------------------------------------------------------


def test_pages_are_put_together(desk: Desk) -> None:
    small_pages(desk).populate("alpaca")
    assert len(desk.exchange.asked(BARS_PATH)) > 10
    assert desk.bars().equals(right())
    assert desk.told.warnings == []


@pytest.mark.parametrize("number", [1, 2, 5, 9])
def test_a_page_that_is_lost_is_had_by_asking_again(desk: Desk, number: int) -> None:
    """The rows of one page are gone, its token is there: nothing in the answer says so, only the jump."""
    small_pages(desk).exchange.lie(BARS_PATH, nth(number, bars(lambda _: {})))
    desk.populate("alpaca", ALPACA__LIMIT__CONCURRENCY="1")
    assert desk.bars().equals(right())
    (warned,) = desk.told.warnings
    assert "lost a page" in warned
    assert "bars were had by asking again" in warned


@pytest.mark.parametrize(
    ("where", "lost"),
    [
        ("at the end of a page", lambda rows: range(len(rows) - 60, len(rows))),
        ("at the beginning of a page", lambda rows: range(60)),
    ],
)
def test_a_piece_of_a_page_that_is_lost_is_had_again(desk: Desk, where: str, lost: Any) -> None:
    small_pages(desk).exchange.lie(BARS_PATH, nth(3, without_rows(desk, lost)))
    desk.populate("alpaca", ALPACA__LIMIT__CONCURRENCY="1")
    assert desk.bars().equals(right()), where
    assert len(desk.told.warnings) == 1


def test_a_symbol_that_did_not_trade_costs_one_more_question_and_no_warning(desk: Desk) -> None:
    """It looks like a lost page until it is asked for alone."""
    quiet = market_bars([BEFORE], list(listed(BEFORE)))["symbol"][42]
    small_pages(desk).exchange.lie(BARS_PATH, bars(lambda told: {s: own for s, own in told.items() if s != quiet}))
    result = desk.populate("alpaca")
    assert desk.told.warnings == []
    assert result.quarantined == {}
    assert desk.bars().equals(right().filter(pl.col("symbol") != quiet))


# -- answers about something else -------------------------------------------------------------------------------------


def test_a_token_that_comes_again_is_refused(desk: Desk) -> None:
    def again(_path: str, query: dict[str, str], answer: Answer) -> Answer:
        return saying(answer, {**content(answer), "next_page_token": query.get("page_token") or "Zmlyc3Q="})

    small_pages(desk).exchange.lie(BARS_PATH, again)
    with pytest.raises(SourceError):
        desk.populate("alpaca")
    assert not desk.home.database.exists()
    assert len(desk.exchange.asked(BARS_PATH)) < 20


def test_another_symbol_is_set_aside(desk: Desk) -> None:
    small_pages(desk).exchange.lie(BARS_PATH, once(bars(lambda told: {**told, "ZZZZ": next(iter(told.values()))})))
    result = desk.populate("alpaca")
    assert set(result.quarantined) == {"not_asked"}
    assert desk.bars().equals(right())


def test_another_day_is_set_aside(desk: Desk) -> None:
    day = sessions(WINDOW[0])[-2]  # a session before the first that was asked for

    def earlier(told: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
        symbol, own = next(iter(told.items()))
        return {**told, symbol: [{**own[0], "t": f"{day}T04:00:00Z"}, *own]}

    small_pages(desk).exchange.lie(BARS_PATH, once(bars(earlier)))
    result = desk.populate("alpaca")
    assert result.quarantined == {"not_asked": 1}
    assert desk.bars().equals(right())


def test_bars_of_another_session_are_refused(desk: Desk) -> None:
    """A day that repeats the day before it: Polygon's answer says which day it is about."""

    def stale(path: str, _query: dict[str, str], answer: Answer) -> Answer:
        told = content(answer)
        for row in told["results"]:
            row["t"] -= 3 * 86_400_000  # from a Monday to the Friday before
        return saying(answer, told)

    desk.exchange.lie(GROUPED + str(BEFORE), stale)
    with pytest.raises(SourceError, match=rf"asked for {BEFORE}: .*bars are of another day"):
        desk.populate("polygon")
    assert not desk.home.database.exists()


def test_a_session_without_bars_is_refused_and_the_store_stays(desk: Desk) -> None:
    desk.moved(at(NEXT, 7)).populate("alpaca")
    desk.moved(at(NEXT, 18)).exchange.lie(BARS_PATH, bars(lambda _: {}))
    with pytest.raises(SourceError, match=rf"no bars of {NEXT}"):
        desk.populate("alpaca")
    assert desk.bars().equals(right())


def test_a_thin_session_is_refused_or_taken_as_the_settings_say(desk: Desk) -> None:
    def fifth_lost(told: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
        return {symbol: own for i, (symbol, own) in enumerate(told.items()) if i % 5}

    desk.moved(at(NEXT, 7)).populate("alpaca")
    desk.moved(at(NEXT, 18)).exchange.lie(BARS_PATH, bars(fifth_lost))
    with pytest.raises(SourceError, match=rf"too few bars of {NEXT}: 2\d\d, usually 30\d"):
        desk.populate("alpaca")
    assert desk.populate("alpaca", LIVE__LEAST_COVERAGE="0.5").last_session == NEXT


def test_without_a_name_the_next_source_of_bars_is_asked(desk: Desk) -> None:
    desk.exchange.lie(BARS_PATH, bars(lambda _: {}))
    desk.populate(None, "alpaca", "polygon")
    assert any("alpaca gave no bars, polygon is asked instead" in words for words in desk.told.warnings)
    assert desk.bars().filter(pl.col("symbol").is_in(list(listed(BEFORE)))).equals(right())


def test_the_source_of_bars_that_was_named_has_to_give_them(desk: Desk) -> None:
    desk.exchange.lie(BARS_PATH, bars(lambda _: {}))
    with pytest.raises(SourceError, match="no bars of"):
        desk.populate("alpaca", "alpaca", "polygon")


# -- how many bars a session has -------------------------------------------------------------------------------------


def counts(*numbers: int) -> tuple[pl.DataFrame, list[date]]:
    days = WINDOW[: len(numbers)]
    rows = [{"symbol": f"S{i}", "date": day} for day, n in zip(days, numbers, strict=True) for i in range(n)]
    return pl.DataFrame(rows, schema={"symbol": pl.String, "date": pl.Date}).select(
        *(pl.col(name) if name in ("symbol", "date") else pl.lit(None, kind).alias(name) for name, kind in BARS.items())
    ), days


@pytest.mark.parametrize(
    ("numbers", "held", "said"),
    [
        ((10,), Held(), None),  # nothing to compare it with
        ((10, 10, 10), Held(), None),
        ((10, 9, 10), Held(), None),
        ((10, 8, 10), Held(), "too few bars of .*: 8, usually 10"),
        ((10, 10, 8), Held(), "too few bars"),
        ((8, 10, 10), Held(), "too few bars"),
        ((10, 0, 10), Held(), "no bars of"),
        ((9,), Held(sessions=frozenset(sessions(WINDOW[0])[:-1]), rows=10), None),
        ((8,), Held(sessions=frozenset(sessions(WINDOW[0])[:-1]), rows=10), "usually 10"),
        # Older than what is held: the newest session is no neighbour of it.
        ((5,), Held(sessions=frozenset({BEFORE}), rows=10), None),
        (tuple(range(500, 350, -5)), Held(), None),  # fewer long ago, little by little
        ((50, 50, 50, 50, 50, 100, 100, 100, 100, 100), Held(), "too few bars"),
    ],
)
def test_coverage(numbers: tuple[int, ...], held: Held, said: str | None) -> None:
    frame, days = counts(*numbers)
    if said is None:
        check_coverage(frame, days, held, least=0.9, name="alpaca")
    else:
        with pytest.raises(SourceError, match=said):
            check_coverage(frame, days, held, least=0.9, name="alpaca")


def test_a_symbol_that_the_vendor_refuses_costs_that_symbol_alone(desk: Desk) -> None:
    odd = right()["symbol"][0]

    def edit(_path: str, query: dict[str, str], answer: Answer) -> Answer:
        if odd in query["symbols"].split(","):
            return Answer(status=400, body=f'{{"message":"invalid symbol: {odd}"}}'.encode())
        return answer

    desk.exchange.lie(BARS_PATH, edit)
    result = desk.populate("alpaca")
    assert result.quarantined["refused_symbol"] == 1
    assert desk.bars().equals(right().filter(pl.col("symbol") != odd))


def test_another_refusal_is_no_symbols_fault(desk: Desk) -> None:
    def edit(_path: str, _query: dict[str, str], _answer: Answer) -> Answer:
        return Answer(status=400, body=b'{"message":"invalid symbol: NOBODY"}')

    desk.exchange.lie(BARS_PATH, edit)
    with pytest.raises(SourceError, match="HTTP 400"):
        desk.populate("alpaca")
