"""The faults, a row each: what happens, to which question, and what the product has to make of it.

A row is about a list (listings) or about bars, at the vendors named. ``alone`` is what becomes of it where that vendor
is the only source, ``beside`` where the other sources can be asked too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tests.faults import injectors as make
from tests.faults.injectors import Injector

Outcome = Literal["unmoved", "retried", "set aside", "read again", "fallback", "refused"]
What = Literal["list", "bars"]
Place = Literal["", "wrong_name", "expired", "unknown", "no_name", "no_server", "full_disk"]

PATHS: dict[tuple[str, What], str] = {
    ("alpaca", "list"): "/v2/assets",
    ("alpaca", "bars"): "/v2/stocks/bars",
    ("polygon", "list"): "/v3/reference/tickers",
    ("polygon", "bars"): "/v2/aggs/grouped/",
}
BOTH = ("alpaca", "polygon")
CLOSES = ("c", "close")
LATER = "86400"  # seconds: a demand that no run waits for
HTML = b"<!DOCTYPE html><html><body>Back soon</body></html>"
# One answer to another question, read at the same time, may come between: the attempts are enough for two rounds.
HASTY = (("BREAKER_FAILURES", "2"), ("BREAKER_SECONDS", "60"), ("ATTEMPTS", "5"))
PROBING = (("BREAKER_FAILURES", "2"), ("BREAKER_SECONDS", "0"))  # open after two failures, and a probe may pass at once
MEGABYTES = 300  # of a bomb: more than the product takes


@dataclass(frozen=True, kw_only=True)
class Row:
    """One fault. ``nth`` and ``count`` as the server has them: which requests are marred, 0: all from ``nth`` on."""

    name: str
    what: What
    alone: Outcome
    says: str = ""  # part of what the product says of it
    beside: Outcome | None = None  # none: as alone, but what is refused alone falls back
    how: Injector | None = None
    place: Place = ""  # a fault that is not in the answers
    vendors: tuple[str, ...] = BOTH
    nth: int = 1
    count: int = 0
    onward: bool = False  # only requests for a further page count
    waits: float = 0.0  # seconds that it has to take at least
    patience: float = 10.0  # seconds for a request; little only where the fault is to make it wait
    settings: tuple[tuple[str, str], ...] = ()  # of sources.live, upper case

    @property
    def id(self) -> str:
        return f"{self.name} ({self.what})".replace(" ", "_")

    def outcome(self, beside: bool) -> Outcome:
        if not beside:
            return self.alone
        return self.beside or ("fallback" if self.alone == "refused" else self.alone)


ROWS: tuple[Row, ...] = (
    # The way to the vendor.
    Row(name="time-out", what="list", alone="refused", says="timeout", how=make.wire("hang"), patience=0.4),
    Row(name="time-out once", what="list", alone="retried", how=make.wire("hang"), count=1, patience=1.0),
    Row(name="slow drip", what="list", alone="refused", says="timeout", how=make.wire("drip"), patience=0.4),
    Row(name="reset", what="bars", alone="refused", says="reset", how=make.wire("reset")),
    Row(name="reset once", what="list", alone="retried", how=make.wire("reset"), count=1),
    Row(name="hangs up without a word", what="list", alone="retried", how=make.wire("close"), count=2),
    Row(name="cut body", what="bars", alone="refused", says="cut_body", how=make.wire("cut")),
    Row(name="cut body once", what="list", alone="retried", how=make.wire("cut"), count=1),
    Row(name="cut chunk", what="list", alone="refused", says="cut_body", how=make.wire("cut_chunk")),
    Row(name="TLS: authority unknown", what="list", alone="refused", says="tls", place="unknown"),
    Row(name="TLS: another name", what="list", alone="refused", says="tls", place="wrong_name"),
    Row(name="TLS: expired", what="list", alone="refused", says="tls", place="expired"),
    Row(name="name failure", what="list", alone="refused", says="name", place="no_name"),
    Row(name="nobody listens", what="list", alone="refused", says="connect", place="no_server"),
    Row(name="redirect to another host", what="list", alone="refused", says="redirect refused", how=make.redirect),
    Row(name="redirect to another host", what="bars", alone="refused", says="redirect refused", how=make.redirect),
    # The body.
    Row(name="bad JSON", what="list", alone="refused", says="no whole JSON", how=make.bad_json),
    Row(name="JSON cut short", what="bars", alone="refused", says="no whole JSON", how=make.shortened(0.7)),
    Row(name="HTML with 200", what="list", alone="refused", says="HTML", how=make.body(HTML, "text/html")),
    Row(name="HTML with 200", what="bars", alone="refused", says="HTML", how=make.body(HTML, "text/html")),
    Row(name="empty body", what="list", alone="refused", says="the body is empty", how=make.body(b"")),
    Row(name="empty body", what="bars", alone="refused", says="the body is empty", how=make.body(b"")),
    Row(name="{}", what="list", alone="refused", says="an empty JSON object", how=make.body(b"{}")),
    Row(name="{}", what="bars", alone="refused", says="an empty JSON object", how=make.body(b"{}")),
    Row(name="null", what="list", alone="refused", says="null", how=make.body(b"null")),
    Row(
        name="limit told with 200",
        what="bars",
        alone="refused",
        says="HTTP 200, but",
        how=make.status(200, says="too many requests"),
    ),
    Row(name="compressed bomb", what="list", alone="refused", says="too_large", how=make.bomb(MEGABYTES)),
    Row(name="no gzip though it says so", what="list", alone="refused", says="encoding", how=make.no_gzip),
    Row(name="gzip cut short", what="list", alone="refused", says="cut_body", how=make.cut_gzip),
    Row(
        name="unknown compression",
        what="list",
        alone="refused",
        says="encoding",
        how=make.headers(content_encoding="br"),
    ),
    # The status.
    Row(name="401", what="list", alone="refused", says="HTTP 401", how=make.status(401)),
    Row(name="403", what="bars", alone="refused", says="HTTP 403", how=make.status(403)),
    Row(
        name="key rejected midway",
        what="bars",
        alone="refused",
        says="HTTP 401",
        how=make.status(401),
        onward=True,
        vendors=("alpaca",),
    ),
    Row(name="404", what="bars", alone="refused", says="HTTP 404", how=make.status(404)),
    Row(
        name="429 with Retry-After",
        what="list",
        alone="retried",
        how=make.status(429, retry_after="1"),
        count=1,
        waits=1.0,
    ),
    Row(name="429 without Retry-After", what="list", alone="retried", how=make.status(429), count=2),
    Row(name="429 for a day", what="list", alone="refused", says="429", how=make.status(429, retry_after=LATER)),
    Row(name="5xx burst", what="bars", alone="retried", how=make.status(503), count=2),
    Row(name="500 for good", what="bars", alone="refused", says="HTTP 500", how=make.status(500)),
    Row(
        name="breaker opens",
        what="bars",
        alone="refused",
        says="is left alone",
        how=make.status(500),
        settings=HASTY,
    ),
    Row(name="breaker half-open", what="list", alone="retried", how=make.status(500), count=2, settings=PROBING),
    Row(
        name="breaker half-open, still broken",
        what="list",
        alone="refused",
        says="HTTP 500",
        how=make.status(500),
        settings=PROBING,
    ),
    # Pages.
    Row(
        name="repeated token",
        what="bars",
        alone="refused",
        says="leads back",
        how=make.same_token,
        vendors=("alpaca",),
    ),
    Row(
        name="repeated token",
        what="list",
        alone="refused",
        says="leads back",
        how=make.same_token,
        vendors=("polygon",),
    ),
    Row(
        name="lost page", what="bars", alone="read again", how=make.lost_page, count=1, onward=True, vendors=("alpaca",)
    ),
    Row(name="lost page", what="list", alone="refused", how=make.lost_page, count=1, onward=True, vendors=("polygon",)),
    Row(name="duplicated page", what="bars", alone="unmoved", how=make.page_again, vendors=("alpaca",)),
    Row(name="duplicated page", what="list", alone="set aside", how=make.page_again, vendors=("polygon",)),
    Row(name="ends after a page", what="bars", alone="refused", how=make.ends_early, vendors=("alpaca",)),
    Row(name="ends after a page", what="list", alone="refused", how=make.ends_early, vendors=("polygon",)),
    Row(name="next page at another host", what="list", alone="unmoved", how=make.foreign_next, vendors=("polygon",)),
    # The rows.
    Row(name="list cut to 60 %", what="list", alone="refused", says="", how=make.cut_list(0.6)),
    Row(name="list cut to 60 %", what="bars", alone="refused", says="", how=make.cut_list(0.6)),
    Row(
        name="fewer rows than it counts",
        what="bars",
        alone="refused",
        says="received",
        how=make.content(make.uncounted_cut),
        vendors=("polygon",),
    ),
    Row(name="NaN", what="bars", alone="set aside", says="", how=make.literal(rb'"c":[0-9.]+', b'"c":NaN')),
    Row(name="negative price", what="bars", alone="set aside", says="nonpositive", how=make.put(3, CLOSES, -5.0)),
    Row(name="price as text", what="bars", alone="set aside", says="", how=make.put(3, CLOSES, "many")),
    Row(name="stale date", what="bars", alone="refused", says="", how=make.content(make.of_years_ago)),
    Row(name="date that lies ahead", what="bars", alone="refused", says="", how=make.content(make.of_next_year)),
    Row(
        name="unknown enum",
        what="list",
        alone="set aside",
        says="unknown",
        how=make.put(5, ("exchange", "primary_exchange"), "MARS"),
    ),
    Row(name="unknown field", what="list", alone="unmoved", how=make.content(make.unknown_fields)),
    Row(name="unknown field", what="bars", alone="unmoved", how=make.content(make.unknown_fields)),
    Row(name="wrong symbol", what="bars", alone="set aside", says="", how=make.content(make.renamed)),
    Row(name="rows twice", what="list", alone="set aside", says="duplicate", how=make.content(make.doubled)),
    Row(name="rows twice", what="bars", alone="set aside", says="duplicate", how=make.content(make.doubled)),
    Row(
        name="clock skew",
        what="list",
        alone="unmoved",
        how=make.headers(date="Mon, 01 Jan 2035 00:00:00 GMT", x_ratelimit_remaining="5", x_ratelimit_reset="9"),
    ),
    # This machine.
    Row(name="disk full while caching", what="list", alone="unmoved", says="not cached", place="full_disk"),
)


BESIDE_TOO = ("reset_(bars)", "{}_(list)", "list_cut_to_60_%_(list)", "429_for_a_day_(list)")


def usual() -> Iterator[tuple[Row, str, bool]]:
    """Row, vendor, beside the others: each row once alone, some beside."""
    for row in ROWS:
        yield row, row.vendors[0], False
        if row.id in BESIDE_TOO:
            yield row, row.vendors[0], True


def every() -> Iterator[tuple[Row, str, bool]]:
    """Each row for each of its vendors, alone and beside the others."""
    for row in ROWS:
        for vendor in row.vendors:
            yield row, vendor, False
            yield row, vendor, True
