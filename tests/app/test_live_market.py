"""The commands around live sources: what they ask of an exchange, what they store, what they refuse."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from aitrader import app
from aitrader.domain.errors import RefusedError, SourceError
from aitrader.domain.frames import Delivery
from aitrader.exchange.exchange import Exchange, evening
from aitrader.exchange.faults import conditions
from aitrader.simulation.market import MarketSpec, generate
from tests.exchange.conftest import PLENTY, serving
from tests.support.markets import market as made_up
from tests.support.projects import Project, Told, write_dataset

START, UNTIL = date(2026, 3, 2), date(2026, 6, 15)
LIMITS = {vendor: {"requests": 100_000, "seconds": 1.0} for vendor in PLENTY["limits"]}
KEYS = {
    "ALPACA_API_KEY": "PK0123456789",
    "ALPACA_SECRET_KEY": "alpaca-secret",
    "POLYGON_API_KEY": "polygon-secret",
    "SEC_USER_AGENT": "A Tester tester@example.org",
}
EASY = {  # layers that let a handful of symbols through
    1: {"min_history": 20, "min_market_cap": None},
    2: {"layer": {"number": 2, "name": "technical", "max_symbols": 14}},
    3: {"layer": {"number": 3, "name": "fundamental", "min_score": 0.0, "max_symbols": 6, "min_symbols": 1}},
}


@pytest.fixture(scope="module")
def delivered() -> Delivery:
    return generate(MarketSpec(listings=400, start=START, until=UNTIL))


@dataclass
class Live:
    """A project whose live sources are an exchange on this machine."""

    project: Project
    url: str
    told: Told = field(default_factory=Told)
    more: dict[str, str] = field(default_factory=dict)

    @property
    def env(self) -> dict[str, str]:
        addresses = ("ALPACA__TRADING_URL", "ALPACA__DATA_URL", "POLYGON__URL", "SEC__DATA_URL", "SEC__WWW_URL")
        return {
            **KEYS,
            **{f"AI_TRADER__SOURCES__{name}": self.url for name in addresses},
            "AI_TRADER__SOURCES__NASDAQ_TRADER__URL": self.url,
            "AI_TRADER__SOURCES__LIVE__NOW": evening(UNTIL).isoformat(),
            "AI_TRADER__SOURCES__LIVE__SESSIONS": "70",
            "AI_TRADER__SOURCES__LIVE__CACHE": str(self.project.root / "cache" / "universe"),
            "AI_TRADER__SOURCES__LIVE__ATTEMPTS": "1",
            **{f"AI_TRADER__SOURCES__{name}__LIMIT__REQUESTS": "10000" for name in ("ALPACA", "POLYGON", "SEC")},
            **self.more,
        }

    def populate(self) -> app.PopulateResult:
        return app.populate(
            settings=self.project.settings(self.env),
            source="live",
            path=None,
            file=None,
            force_refresh=False,
            accept_shrink=False,
            market=None,
            report=self.told,
            environ=self.env,
        )

    def refresh(self, *, layer: int = 2, fallback: bool = False) -> Any:
        return app.refresh_fundamentals(
            settings=self.project.settings(self.env),
            market=None,
            layer=layer,
            fallback=fallback,
            report=self.told,
            environ=self.env,
        )

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with sqlite3.connect(self.project.root / "state" / "development" / "live" / "aitrader.db") as store:
            return store.execute(sql).fetchall()

    def members(self, layer: int) -> set[str]:
        sql = f"SELECT symbol FROM layer_qualifications WHERE layer = {layer} AND member AND run_id = "
        return {symbol for (symbol,) in self.rows(sql + "(SELECT run_id FROM active_run)")}


Begin = Callable[..., Live]


@pytest.fixture(scope="module")
def populated(tmp_path_factory: pytest.TempPathFactory, delivered: Delivery) -> Path:
    """The root of a live project that was populated from an exchange without faults."""
    root = tmp_path_factory.mktemp("live") / "project"
    with serving(Exchange(delivered, evening(UNTIL), conditions=conditions({"limits": LIMITS}))) as url:
        Live(easy(root), url).populate()
    return root


def easy(root: Path) -> Project:
    project = Project(root=root)
    for number, changes in EASY.items():
        project.write(number, **changes)
    return project


@pytest.fixture
def begin(tmp_path: Path, delivered: Delivery, populated: Path) -> Iterator[Begin]:
    """A live project, populated unless told otherwise, on an exchange that has the faults from then on."""
    opened = []

    def start(*faults: dict[str, Any], populate: bool = True, **more: str) -> Live:
        root = tmp_path / "project"
        project = easy(root)
        if populate:
            shutil.copytree(populated / "state" / "development", root / "state" / "development")
        told = conditions({"limits": LIMITS, "faults": list(faults)})
        server = serving(Exchange(delivered, evening(UNTIL), conditions=told))
        opened.append(server)
        return Live(project, server.__enter__(), more=dict(more))

    yield start
    for server in opened:
        server.__exit__(None, None, None)


def test_a_refresh_stores_the_reports_headlines_and_sectors_of_the_members_and_nothing_else_changes(
    begin: Begin, delivered: Delivery
) -> None:
    live = begin()
    listings = "SELECT id, symbol, name, exchange, security_type, cik, figi, active, first_bar, last_bar FROM companies"
    before, members = live.rows(listings), live.members(2)
    assert len(members) > 5
    assert live.rows("SELECT count(*) FROM fundamentals") == [(0,)]
    result = live.refresh()
    assert live.rows(listings) == before
    assert (result.layer, result.members) == (2, len(members))
    assert (result.reports_by, result.news_by, result.industries_by) == ("sec", "alpaca", "sec")
    now = evening(UNTIL).astimezone(UTC)
    companies = {s for s, cik in live.rows("SELECT symbol, cik FROM companies WHERE active") if cik is not None}
    filed = delivered.fundamentals.filter(
        pl.col("symbol").is_in(sorted(members & companies)) & (pl.col("known_at") <= now)
    )
    stored = live.rows(
        "SELECT DISTINCT companies.symbol FROM fundamentals JOIN companies ON companies.id = fundamentals.security"
    )
    assert {symbol for (symbol,) in stored} == set(filed["symbol"])
    told = delivered.news.filter(
        pl.col("symbol").is_in(sorted(members))
        & (pl.col("published_at") <= now)
        & (pl.col("published_at") >= now - timedelta(days=30))
    ).unique(["symbol", "published_at", "headline"])
    assert result.headlines == told.height == live.rows("SELECT count(*) FROM news")[0][0]
    sectors = live.rows("SELECT symbol, sector, industry, provenance FROM companies WHERE sector IS NOT NULL")
    assert {symbol for symbol, *_ in sectors} <= members
    assert result.sectors == len(sectors) > 0
    assert all("name:alpaca" in origin and "sector:sec industry:sec" in origin for *_, origin in sectors)
    population = live.rows("SELECT source, partial FROM populations ORDER BY id DESC LIMIT 1")
    assert population == [("live", 1)]


def test_a_second_refresh_changes_nothing(begin: Begin) -> None:
    live = begin()
    first = live.refresh()
    again = live.refresh()
    assert first.new_reports > 0
    assert (again.new_reports, again.revised_reports, again.headlines, again.sectors) == (0, 0, 0, 0)
    assert again.members == first.members


def test_a_requalification_after_a_refresh_knows_the_reports(begin: Begin) -> None:
    live = begin()
    unknown = "SELECT json_extract(header, '$.unavailable.\"3\"') FROM scan_runs WHERE run_id = "
    active = unknown + "(SELECT run_id FROM active_run)"
    assert "max_debt_equity" in str(live.rows(active))
    live.refresh()
    settings = live.project.settings(live.env)
    app.requalify(settings=settings, market=None, layer=3, parallel=False, force=True, report=live.told)
    assert "max_debt_equity" not in str(live.rows(active))


@pytest.mark.parametrize(
    ("fallback", "faults", "by", "warned"),
    [
        (False, [], "sec", ""),
        (True, [], "polygon", ""),
        (False, ["/api/xbrl/companyfacts"], "polygon", "sec gave no reports, polygon is asked instead: sec "),
        (True, ["/vX/reference/financials"], "sec", "polygon gave no reports, sec is asked instead: polygon "),
    ],
    ids=["first", "fallback", "first-fails", "fallback-fails"],
)
def test_reports_come_whole_from_the_first_source_that_gives_them(
    begin: Begin, fallback: bool, faults: list[str], by: str, warned: str
) -> None:
    live = begin(*({"kind": "status", "path": path, "nth": 4, "count": 0} for path in faults))
    result = live.refresh(fallback=fallback)
    assert result.reports_by == by
    assert [text for text in result.warnings if warned and text.startswith(warned)] == list(result.warnings)
    assert list(result.warnings) == live.told.warnings
    assert (len(result.warnings) == 1) == bool(warned)


def test_where_no_source_gives_reports_nothing_is_stored(begin: Begin) -> None:
    paths = ("/api/xbrl/companyfacts", "/vX/reference/financials")
    live = begin(*({"kind": "status", "path": path, "nth": 4, "count": 0} for path in paths))
    with pytest.raises(SourceError, match=r"^polygon /vX/reference/financials: "):
        live.refresh()
    assert live.rows("SELECT count(*) FROM fundamentals") == [(0,)]
    assert live.rows("SELECT count(*) FROM populations") == [(1,)]


@pytest.mark.parametrize(
    ("path", "lost", "warned"),
    [
        ("/v1beta1/news", ("news_by", "polygon"), "alpaca gave no headlines: "),
        ("/submissions/", ("industries_by", None), "sec gave no industries, those that are stored stay: "),
    ],
)
def test_headlines_and_industries_that_fail_are_a_warning(
    begin: Begin, path: str, lost: tuple[str, str | None], warned: str
) -> None:
    live = begin({"kind": "status", "path": path, "count": 0})
    result = live.refresh()
    assert getattr(result, lost[0]) == lost[1]
    assert result.new_reports > 0
    (told,) = result.warnings
    assert told.startswith(warned)


def test_a_dataset_is_not_refreshed(tmp_path: Path) -> None:
    project, told = Project(root=tmp_path), Told()
    folder = write_dataset(tmp_path / "made", made_up().delivered(until=60))
    app.populate(
        settings=project.settings(),
        source="dataset",
        path=folder,
        file=None,
        force_refresh=False,
        accept_shrink=False,
        market=None,
        report=told,
    )
    app.scan(settings=project.settings(), market=None, as_of=None, force=True, report=told)
    with pytest.raises(RefusedError, match="market dataset-made cannot be refreshed: a dataset is what its files hold"):
        app.refresh_fundamentals(settings=project.settings(), market=None, layer=2, fallback=False, report=told)


def test_volumes_of_one_exchange_are_stored_and_not_judged(begin: Begin) -> None:
    live = begin(populate=False, AI_TRADER__SOURCES__ALPACA__FEED="iex")
    with pytest.raises(RefusedError) as refused:
        live.populate()
    assert str(refused.value) == (
        "min_volume cannot be judged on feed iex: volumes of feed iex are 2-4 % of the market's; what was populated "
        "stays stored; set sources.alpaca.feed: sip and populate again with --force-refresh, or, to judge them all the "
        "same, sources.live.accept_iex_volume: true"
    )
    assert live.rows("SELECT count(DISTINCT session) FROM bar_files")[0][0] == 70
    assert live.rows("SELECT count(*) FROM scan_runs") == [(0,)]
    assert any(step.startswith("stored: ") for step in live.told.steps)


@pytest.mark.parametrize("way", ["accepted", "no-volume", "sip"])
def test_volumes_are_judged_where_that_is_wanted_or_none_counts(begin: Begin, way: str) -> None:
    more = {} if way == "sip" else {"AI_TRADER__SOURCES__ALPACA__FEED": "iex"}
    if way == "accepted":
        more["AI_TRADER__SOURCES__LIVE__ACCEPT_IEX_VOLUME"] = "true"
    live = begin(populate=False, **more)
    if way == "no-volume":
        live.project.write(1, **EASY[1], min_volume=None)
    assert live.populate().scan is not None


def checked(live: Live, *, purpose: Any = "data-sources", ask: bool = True, without: tuple[str, ...] = ()) -> Any:
    env = {name: value for name, value in live.env.items() if name not in without}
    settings = live.project.settings(env)
    found = app.check_sources(settings=settings, market=None, purpose=purpose, ask=ask, environ=env)
    return {check.name: (check.status, check.message.partition(": ")[0].partition(",")[0]) for check in found}


NASDAQ = ("ok", "needs no keys")
SET = ("ok", "keys set")


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (None, {"alpaca": SET, "polygon": SET, "sec": SET, "nasdaq_trader": NASDAQ}),
        ("/v2/clock", {"alpaca": ("critical", "no answer"), "polygon": SET, "sec": SET, "nasdaq_trader": NASDAQ}),
        ("/v3/reference", {"alpaca": SET, "polygon": ("critical", "no answer"), "sec": SET, "nasdaq_trader": NASDAQ}),
        ("/SymDir/", {"alpaca": SET, "polygon": SET, "sec": SET, "nasdaq_trader": ("warning", "no answer")}),
    ],
    ids=["all", "alpaca-down", "polygon-down", "nasdaq-trader-down"],
)
def test_a_source_asked_first_that_does_not_answer_is_critical(
    begin: Begin, fault: str | None, expected: dict[str, tuple[str, str]]
) -> None:
    faults = [] if fault is None else [{"kind": "status", "path": fault, "status": 503, "count": 0}]
    assert checked(begin(*faults, populate=False)) == expected


def test_a_source_that_others_come_before_is_a_warning(begin: Begin) -> None:
    fault = {"kind": "status", "path": "/v3/reference", "status": 503, "count": 0}
    live = begin(fault, populate=False)
    live.more["AI_TRADER__SOURCES__LIVE__ACTIONS"] = "[alpaca, polygon]"
    assert checked(live)["polygon"] == ("warning", "no answer")


@pytest.mark.parametrize(
    ("without", "name", "status", "message"),
    [
        (("POLYGON_API_KEY",), "polygon", "unknown", "POLYGON_API_KEY not set; the other sources stand in"),
        (("ALPACA_SECRET_KEY",), "alpaca", "warning", "ALPACA_SECRET_KEY not set; the other sources stand in"),
        (
            ("POLYGON_API_KEY", "ALPACA_API_KEY", "ALPACA_SECRET_KEY"),
            "nasdaq_trader",
            "unknown",
            "no vendor of listings and bars has its keys",
        ),
    ],
    ids=["one-vendor", "half-a-key", "no-vendor"],
)
def test_keys_that_are_not_set_are_named(
    begin: Begin, without: tuple[str, ...], name: str, status: str, message: str
) -> None:
    live = begin(populate=False)
    env = {key: value for key, value in live.env.items() if key not in without}
    found = app.check_sources(
        settings=live.project.settings(env), market=None, purpose="data-sources", ask=True, environ=env
    )
    (check,) = (one for one in found if one.name == name)
    assert (check.status, check.message, check.value) == (status, f"not asked: {message}", None)


@pytest.mark.parametrize(
    ("path", "name"),
    [("/v1beta1/news", "alpaca"), ("/vX/reference/financials", "polygon"), ("/submissions/", "sec")],
)
def test_financial_apis_are_asked_for_reports_and_news(begin: Begin, path: str, name: str) -> None:
    live = begin({"kind": "status", "path": path, "status": 503, "count": 0}, populate=False)
    found = checked(live, purpose="financial-apis")
    assert set(found) == {"alpaca", "polygon", "sec"}
    assert [each for each, (status, _) in found.items() if status != "ok"] == [name]


def test_without_a_connection_nobody_is_asked(begin: Begin) -> None:
    live = begin(populate=False)
    found = checked(live, purpose="financial-apis", ask=False)
    assert found == dict.fromkeys(("alpaca", "polygon", "sec"), ("unknown", "never asked"))
    assert not (live.project.root / "state" / "transport").exists()


def test_a_check_never_shows_a_key(begin: Begin) -> None:
    live = begin({"kind": "status", "path": "/v2/clock", "status": 401, "count": 0}, populate=False)
    settings = live.project.settings(live.env)
    found = app.check_sources(settings=settings, market=None, purpose="data-sources", ask=True, environ=live.env)
    (alpaca,) = (check for check in found if check.name == "alpaca")
    assert "check ALPACA_API_KEY and ALPACA_SECRET_KEY" in alpaca.message
    assert not [check for check in found for key in KEYS.values() if key in str(replace(check)) + repr(check)]
