"""What needs no list is asked for while the lists are read; the list itself is read in parts where it is long."""

from __future__ import annotations

import threading
import time
from itertools import pairwise
from typing import Any

import pytest

from aitrader.domain.errors import SourceError
from aitrader.exchange.answer import Answer
from aitrader.providers.fetching import ahead
from aitrader.providers.polygon_source import PolygonSource
from aitrader.settings.models import Polygon
from aitrader.transport.transport import Stopped, Transport
from aitrader.transport.wire import Request, Response
from tests.live.world import BEFORE, NEXT, Desk, at, failing, listed, market_bars, saying

TICKERS, BARS, ACTIONS = "/v3/reference/tickers", "/v2/stocks/bars", "/v1/corporate-actions"


def test_bars_of_known_symbols_do_not_wait_for_the_lists(desk: Desk) -> None:
    desk.populate("alpaca", "alpaca", "polygon")
    desk.moved(at(NEXT))
    told = threading.Event()

    def late(_path: str, _query: dict[str, str], answer: Answer) -> Answer:
        assert told.wait(20), "the bars wait for the list"
        return answer

    def seen(_path: str, _query: dict[str, str], answer: Answer) -> Answer:
        told.set()
        return answer

    desk.exchange.lie("/v2/assets", late)
    desk.exchange.lie(BARS, seen)
    desk.populate("alpaca", "alpaca", "polygon")
    assert desk.bars(NEXT).equals(market_bars([NEXT], list(listed(NEXT))))
    asked = [symbol for each in desk.exchange.asked(BARS) for symbol in each.query["symbols"].split(",")]
    assert len(asked) == len(set(asked)), "no symbol was asked for twice"


def test_actions_are_asked_for_after_the_bars(desk: Desk) -> None:
    """Both are of one source: its answers to the one must not hide its faults with the other from the breaker."""
    desk.populate("alpaca")
    desk.moved(at(NEXT))
    desk.populate("alpaca")
    bars, actions = (desk.exchange.asked(path) for path in (BARS, ACTIONS))
    assert max(each.at for each in bars) <= min(each.at for each in actions)


def test_a_list_that_fails_ends_what_was_begun(desk: Desk) -> None:
    desk.populate("alpaca")
    before = desk.rows("SELECT session, digest FROM bar_files")
    desk.moved(at(NEXT))
    desk.exchange.lie("/v2/assets", failing)
    with pytest.raises(SourceError, match="/v2/assets"):
        desk.populate("alpaca", LIVE__LISTINGS="[alpaca]")
    assert desk.rows("SELECT session, digest FROM bar_files") == before
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("ahead", "gather"))]


def test_bars_that_fail_before_the_lists_are_read_are_had_from_the_next_source(desk: Desk) -> None:
    desk.populate(None, "alpaca", "polygon", "sec")
    desk.moved(at(NEXT))
    desk.exchange.lie(BARS, failing)
    desk.populate(None, "alpaca", "polygon", "sec")
    assert any("alpaca gave no bars, polygon is asked instead" in text for text in desk.told.warnings)
    assert desk.bars(NEXT).equals(market_bars([NEXT], list(listed(NEXT))))


def test_what_is_not_wanted_any_more_is_told_so() -> None:
    ended = threading.Event()

    def work(stopped: Stopped) -> None:
        until = time.monotonic() + 20
        while not stopped() and time.monotonic() < until:
            time.sleep(0.001)
        if stopped():
            ended.set()

    with ahead(1, "test") as begin:
        begin(work)
    assert ended.is_set()


# -- a list in parts ------------------------------------------------------------------------------------------------


class Vendor:
    """Lists these symbols, a page of ``rows`` each; looks at the cuts or not."""

    def __init__(self, symbols: list[str], *, rows: int, cuts: bool = True) -> None:
        self.symbols, self.rows, self.cuts = sorted(symbols), rows, cuts
        self.ranges = set[tuple[str | None, str | None]]()

    def send(self, request: Request) -> Response:
        query = dict(request.params)
        cursor = query.get("cursor", "0||").split("|")
        at = int(cursor[0])
        first, end = (query.get("ticker.gte"), query.get("ticker.lt")) if "cursor" not in query else cursor[1:]
        self.ranges.add((first or None, end or None))
        found = [s for s in self.symbols if not self.cuts or ((s >= (first or "")) and (not end or s < end))]
        part = found[at : at + self.rows]
        body: dict[str, Any] = {
            "status": "OK",
            "results": [
                {"ticker": s, "name": s, "market": "stocks", "locale": "us", "primary_exchange": "XNYS", "active": True}
                for s in part
            ],
        }
        if at + self.rows < len(found):
            after = f"{at + self.rows}|{first or ''}|{end or ''}"
            body["next_url"] = f"https://p.example{TICKERS}?cursor={after}"
        return saying_response(body)


def saying_response(body: dict[str, Any]) -> Response:
    answer = saying(Answer(status=200, headers={}, body=b""), body)
    return Response(status=200, body=answer.body)


SYMBOLS = [a + b for a in "ABCDEFGHIJ" for b in "ABCDEFGHIJ"] + ["BRK.B", "ZZZ"]


@pytest.mark.parametrize("cuts", [(), ("E",), ("BRK.B", "E", "EA"), ("A", "ZZZZ")])
@pytest.mark.parametrize("looks", [True, False])
def test_parts_are_the_whole_whatever_the_cuts(cuts: tuple[str, ...], looks: bool) -> None:
    vendor = Vendor(SYMBOLS, rows=10, cuts=looks)
    source = PolygonSource(Polygon(url="https://p.example"), Transport(sender=vendor), cuts=cuts)
    assert sorted(source.listings().frame["symbol"]) == sorted(SYMBOLS)
    assert vendor.ranges == set(pairwise((None, *cuts, None)))


def test_a_long_list_is_read_in_parts_once_it_is_known(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aitrader.providers.live.LEAST_PART", 100)
    desk.populate("polygon", "polygon", "alpaca")
    assert {each.query.get("ticker.gte") for each in desk.exchange.asked(TICKERS) if each.path == TICKERS} == {None}
    desk.moved(at(NEXT))
    desk.populate("polygon", "polygon", "alpaca")
    parts = [each.query for each in desk.exchange.asked(TICKERS) if each.path == TICKERS]
    assert len(parts) == len(listed(BEFORE)) // 100
    assert set(desk.active()) == set(listed(NEXT))
