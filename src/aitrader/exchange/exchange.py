"""One exchange for all vendors: whose path it is, may this caller, is there room, the answer, and what befalls it."""

from __future__ import annotations

import threading
import time as clock
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from urllib.parse import urlencode

import msgspec
import polars as pl

from aitrader.domain.frames import Delivery
from aitrader.domain.sessions import NEW_YORK, xnys
from aitrader.exchange import alpaca, nasdaq_trader, polygon, sec
from aitrader.exchange.answer import Answer, Query, RefusalError, as_json, parse_instant
from aitrader.exchange.bars import BarTable, day_number
from aitrader.exchange.faults import Conditions, Faults, marred
from aitrader.exchange.limits import Limits
from aitrader.exchange.view import View

CLOCK = "/simulate/clock"
PREFIXES = (
    ("sec", ("/files/", "/include/", "/Archives/", "/submissions/", "/api/xbrl/")),
    ("alpaca", ("/v2/assets", "/v2/stocks/", "/v2/clock", "/v2/calendar", "/v1beta1/", "/v1/")),
    ("polygon", ("/v3/", "/v2/aggs/", "/v2/reference/", "/vX/")),
    ("nasdaq_trader", ("/SymDir/",)),
)
REFUSALS: dict[str, Callable[[int, str], Answer]] = {
    "alpaca": alpaca.refusal,
    "polygon": polygon.refusal,
    "sec": sec.refusal,
    "nasdaq_trader": nasdaq_trader.refusal,
}


class Exchange:
    """Answers requests about a market as it stands at a clock that can be moved; safe to share between threads."""

    def __init__(self, market: Delivery, clock: datetime, *, conditions: Conditions | None = None) -> None:
        conditions = conditions or Conditions()
        splits = market.actions.filter((pl.col("kind") == "split") & (pl.col("ratio") > 0))
        told = [(s, day_number(d), r) for s, d, r in splits.select("symbol", "ex_date", "ratio").iter_rows()]
        self._market, self._table = market, BarTable(market.bars, told)
        self._limits, self._faults = Limits(conditions.limit()), Faults(conditions.faults)
        self.gzip = conditions.gzip
        self._lock = threading.Lock()
        self._view = View(market, self._table, clock)

    @property
    def now(self) -> datetime:
        """The exchange's clock."""
        return self._view.now

    def move(self, now: datetime) -> None:
        """Set the clock; only sessions that have closed by then are served."""
        local = now.astimezone(NEW_YORK).date()
        sessions = xnys().sessions
        if not sessions[5] <= local <= sessions[-5]:
            raise RefusalError(400, f"the clock can be set from {sessions[5]} to {sessions[-5]}")
        with self._lock:
            self._view = View(self._market, self._table, now)

    def answer(
        self,
        method: str,
        path: str,
        query: Sequence[tuple[str, str]],
        headers: Mapping[str, str],
        body: bytes = b"",
    ) -> Answer:
        """The answer to one request; ``headers`` with lower-case names."""
        path, query = _sound(path), [(_sound(k), _sound(v)) for k, v in query]
        if path == CLOCK:
            return self._set_clock(method, body)
        vendor = next((name for name, own in PREFIXES if path.startswith(own)), None)
        if vendor is None:
            return as_json({"message": "not found"}, 404)
        found = self._vendor(vendor, method, path, Query(query), headers)
        for rule in self._faults.due(path):
            base, public = f"http://{headers.get('host', 'localhost')}", [(k, v) for k, v in query if k != "apiKey"]
            url = f"{base}{path}?{urlencode(public)}"
            found = marred(found, rule, url=url, token=Query(query).text("page_token"))
        return found

    def _vendor(self, vendor: str, method: str, path: str, query: Query, headers: Mapping[str, str]) -> Answer:
        refusal, view = REFUSALS[vendor], self._view
        key = _key(vendor, query, headers)
        if key is None:
            return refusal(403, "Undeclared Automated Tool") if vendor == "sec" else refusal(401, "unauthorized")
        room = self._limits.take(vendor, key)
        shown = {
            "x-ratelimit-limit": str(room.limit),
            "x-ratelimit-remaining": str(room.remaining),
            "x-ratelimit-reset": str(int(clock.time() + room.reset_in)),
        }
        if room.wait is not None:
            return refusal(429, "too many requests").having({**shown, "retry-after": str(room.wait)})
        if method != "GET":
            return refusal(405, "method not allowed").having({**shown, "allow": "GET"})
        try:
            if vendor == "alpaca":
                found = alpaca.answer(view, path, query)
            elif vendor == "polygon":
                found = polygon.answer(view, path, query, base=f"http://{headers.get('host', 'localhost')}")
            elif vendor == "sec":
                found = sec.answer(view, path)
            else:
                found = nasdaq_trader.answer(view, path)
        except RefusalError as error:
            found = refusal(error.status, error.message)
        return found.having(shown)

    def _set_clock(self, method: str, body: bytes) -> Answer:
        if method == "POST":
            try:
                told = msgspec.json.decode(body, type=dict[str, str]).get("now", "")
                self.move(parse_instant(told, "now"))
            except (msgspec.MsgspecError, UnicodeDecodeError):
                return as_json({"message": 'expected {"now": "YYYY-MM-DDTHH:MM:SSZ"}'}, 400)
            except RefusalError as error:
                return as_json({"message": error.message}, error.status)
        elif method != "GET":
            return as_json({"message": "method not allowed"}, 405)
        return as_json({"now": self._view.now, "last_session": str(self._view.session)})


def _sound(text: str) -> str:
    """Text that can be written again: halves of characters become question marks."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def evening(day: date) -> datetime:
    """An hour after the usual close of a day: its bars are out."""
    return datetime.combine(day, time(17), NEW_YORK)


def _key(vendor: str, query: Query, headers: Mapping[str, str]) -> str | None:
    """Whose request it is; None where the vendor would not let it in."""
    if vendor == "alpaca":
        key, secret = headers.get("apca-api-key-id", ""), headers.get("apca-api-secret-key", "")
        return key if key and secret else None
    if vendor == "polygon":
        scheme, _, token = headers.get("authorization", "").partition(" ")
        return (token if scheme.lower() == "bearer" else "") or query.text("apiKey") or None
    if vendor == "nasdaq_trader":  # anybody
        return "public"
    agent = headers.get("user-agent", "")
    return agent if "@" in agent else None
