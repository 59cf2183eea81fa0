"""Reports, headlines and industries from a source in the same process: who is asked, and what is taken of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, timedelta
from pathlib import Path
from typing import Any, cast

import polars as pl
import pytest

from aitrader.domain.errors import RefusedError, SourceError
from aitrader.domain.frames import Delivery
from aitrader.exchange.exchange import Exchange, evening
from aitrader.exchange.faults import conditions
from aitrader.providers.connection import Connection
from aitrader.providers.reference import Reference, ReferenceSource
from aitrader.settings.keys import keys_of
from aitrader.settings.models import Live, Sources
from aitrader.simulation.market import MarketSpec, generate
from aitrader.transport.breaker import Breaker
from aitrader.transport.transport import Retries, Transport
from aitrader.transport.wire import Request, Response
from tests.support.projects import Told

UNTIL = date(2026, 6, 15)
NOW = evening(UNTIL).astimezone(UTC)
ENV = {
    "ALPACA_API_KEY": "key",
    "ALPACA_SECRET_KEY": "secret",
    "POLYGON_API_KEY": "key",
    "SEC_USER_AGENT": "someone@example.org",
}
HEADERS = {
    "alpaca": {"apca-api-key-id": "key", "apca-api-secret-key": "secret"},
    "polygon": {"authorization": "Bearer key"},
    "sec": {"user-agent": "someone@example.org"},
}


@pytest.fixture(scope="module")
def market() -> Delivery:
    return generate(MarketSpec(listings=400, start=date(2026, 5, 1), until=UNTIL))


@dataclass
class Here:
    """An exchange in this process; ``down`` are paths that fail from their ``after``-th request on."""

    exchange: Exchange
    down: tuple[str, ...] = ()
    after: int = 0
    asked: list[tuple[str, str]] = field(default_factory=list)

    def send(self, request: Request) -> Response:
        path = "/" + request.url.split("/", 3)[3]
        self.asked.append((request.source, path))
        hit = next((part for part in self.down if path.startswith(part)), None)
        if hit is not None and sum(one.startswith(hit) for _, one in self.asked) > self.after:
            return Response(status=503, body=b"down")
        found = self.exchange.answer("GET", path, request.params, HEADERS[request.source])
        return Response(status=found.status, body=found.body, headers=found.headers)


@dataclass
class Read:
    """What a reading gave, whom it asked, what it told."""

    reference: Reference
    asked: set[tuple[str, str]]
    told: Told


Asking = Callable[..., Read]


@pytest.fixture
def read(market: Delivery, tmp_path: Path) -> Asking:
    def reading(*, down: tuple[str, ...] = (), after: int = 0, without: tuple[str, ...] = (), **given: Any) -> Read:
        limits = {vendor: {"requests": 100_000, "seconds": 1.0} for vendor in HEADERS}
        here = Here(Exchange(market, evening(UNTIL), conditions=conditions({"limits": limits})), down, after)
        transport = Transport(sender=here, retries=Retries(attempts=1), breaker=Breaker(failures=1_000))
        env = {name: value for name, value in ENV.items() if name not in without}
        connection = Connection(
            transport=transport,
            keys=keys_of(env),
            windows={},
            breaker=transport.breaker,
            folder=tmp_path,
            sender=cast(Any, here),
        )
        told = Told()
        source = ReferenceSource(
            settings=given.pop("settings", Sources()),
            connection=connection,
            listings=given.pop("listings", listings(market)),
            now=NOW,
            fallback=given.pop("fallback", False),
            report=told,
        )
        found = source.read()
        return Read(found, {(name, path.split("/")[1]) for name, path in here.asked}, told)

    return reading


def listings(market: Delivery, count: int = 12) -> list[tuple[str, str | None]]:
    """Companies that filed, and one fund that has no company."""
    filers = market.fundamentals.filter(pl.col("known_at") <= NOW)["symbol"].unique().to_list()
    rows = market.securities.filter(
        pl.col("symbol").is_in(filers) & pl.col("cik").is_not_null() & pl.col("delisted_on").is_null()
    ).unique("symbol")
    return [*rows.sort("symbol").head(count).select("symbol", "cik").iter_rows(), ("SPY", None)]


def test_the_first_sources_are_asked_for_each_kind(read: Asking, market: Delivery) -> None:
    found = read()
    reference = found.reference
    assert (reference.reports_by, reference.news_by, reference.industries_by) == ("sec", "alpaca", "sec")
    assert found.asked == {("sec", "api"), ("sec", "submissions"), ("alpaca", "v1beta1")}
    wanted = [symbol for symbol, cik in listings(market) if cik is not None]
    assert sorted(reference.fundamentals["symbol"].unique()) == wanted
    assert reference.fundamentals["known_at"].max() <= NOW  # type: ignore[operator]
    assert found.told.notices == ["1 listings have no company at the SEC (funds, some foreign ones)"]
    assert found.told.warnings == list(reference.warnings) == []


def test_headlines_are_those_of_the_last_30_days(read: Asking, market: Delivery) -> None:
    symbols = [symbol for symbol, _ in listings(market)]
    published = pl.col("published_at")
    due = market.news.filter(
        pl.col("symbol").is_in(symbols) & (published <= NOW) & (published >= NOW - timedelta(days=30))
    )
    news = read().reference.news
    key = ["symbol", "published_at", "headline"]
    assert set(news.select(key).iter_rows()) == set(due.select(key).iter_rows())


def test_a_sector_is_told_with_its_industry_and_nothing_else(read: Asking) -> None:
    rows = read().reference.securities
    assert rows.height > 5
    told = [name for name in rows.columns if rows[name].null_count() < rows.height]
    assert told == ["symbol", "sector", "industry"]


@pytest.mark.parametrize(
    ("given", "by", "warned"),
    [
        ({"fallback": True}, "polygon", []),
        ({"down": ("/api/xbrl/companyfacts",), "after": 5}, "polygon", ["sec gave no reports, polygon is asked"]),
        ({"down": ("/vX/",), "after": 5, "fallback": True}, "sec", ["polygon gave no reports, sec is asked"]),
        ({"without": ("POLYGON_API_KEY",), "fallback": True}, "sec", ["polygon is not asked: set POLYGON_API_KEY"]),
        (
            {"without": ("SEC_USER_AGENT",)},
            "polygon",
            ["sec is not asked: set SEC_USER_AGENT"],
        ),
    ],
    ids=["fallback", "first-down", "fallback-down", "fallback-keyless", "first-keyless"],
)
def test_reports_are_of_one_source_whole(
    read: Asking, market: Delivery, given: dict[str, Any], by: str, warned: list[str]
) -> None:
    found = read(**given)
    reference = found.reference
    assert reference.reports_by == by
    with_company = sorted(symbol for symbol, cik in listings(market) if cik is not None)
    assert sorted(reference.fundamentals["symbol"].unique()) == with_company
    told = [text for text in found.told.warnings if "reports" in text or "not asked" in text]
    assert [text[: len(start)] for text, start in zip(told, warned, strict=False)] == warned
    assert bool(found.told.warnings) == bool(warned)


def test_the_error_of_the_last_source_is_raised(read: Asking) -> None:
    with pytest.raises(SourceError, match=r"^polygon /vX/reference/financials: HTTP 503"):
        read(down=("/api/xbrl/companyfacts", "/vX/"))


def test_without_any_key_for_reports_it_is_refused(read: Asking) -> None:
    with pytest.raises(RefusedError, match=r"^sec cannot be asked: its keys are not in the environment; set SEC_USER"):
        read(without=("SEC_USER_AGENT", "POLYGON_API_KEY"))


@pytest.mark.parametrize(
    ("down", "news_by", "warnings"),
    [
        (("/v1beta1/",), "polygon", ["alpaca gave no headlines: "]),
        (
            ("/v1beta1/", "/v2/reference/news"),
            None,
            ["alpaca gave no headlines: ", "polygon gave no headlines: ", "no source gave headlines: "],
        ),
    ],
    ids=["first", "all"],
)
def test_headlines_that_nobody_gives_are_a_warning(
    read: Asking, down: tuple[str, ...], news_by: str | None, warnings: list[str]
) -> None:
    reference = read(down=down).reference
    assert reference.news_by == news_by
    assert [text[: len(start)] for text, start in zip(reference.warnings, warnings, strict=True)] == warnings
    assert reference.fundamentals.height > 0


def test_industries_that_fail_half_way_are_none_at_all(read: Asking) -> None:
    reference = read(down=("/submissions/",), after=3).reference
    assert (reference.industries_by, reference.securities.height) == (None, 0)
    assert [text.partition(":")[0] for text in reference.warnings] == [
        "sec gave no industries, those that are stored stay"
    ]


def test_an_order_of_one_source_is_that_source(read: Asking) -> None:
    settings = Sources(live=Live(fundamentals=("polygon",), news=("polygon",)))
    found = read(settings=settings, fallback=True, without=("SEC_USER_AGENT",))
    reference = found.reference
    assert (reference.reports_by, reference.news_by, reference.industries_by) == ("polygon", "polygon", None)
    assert list(reference.warnings) == [
        "sources.live.fundamentals names no second source of reports: the first one is asked",
        "sec is not asked for industries: set SEC_USER_AGENT",
    ]
