"""The simulated source: what its vendors' interfaces tell of a market against the market as it was made."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from aitrader.domain.errors import SourceError, UsageError
from aitrader.domain.frames import Delivery
from aitrader.domain.report import Silent
from aitrader.funnel.engine import fresh
from aitrader.funnel.replay import Position, fold, replay
from aitrader.providers import polygon_requests, sec
from aitrader.providers.exchange_sender import in_process
from aitrader.providers.simulated import SimulatedSource
from aitrader.settings.models import Simulated
from aitrader.transport.wire import Request
from tests.support import funnels

FIRST, LAST = date(2025, 4, 21), date(2025, 7, 31)  # 71 sessions: receipts are counted anew on the 64th
# 10: a change of symbol, mergers, delistings, splits, a special dividend, prospectuses; 4: a spin-off too.
SEEDS = (10, 4)
CAPITAL = ("common", "adr", "reit")
NOW = datetime(2025, 7, 31, 22, tzinfo=UTC)
JUDGED = 12


@pytest.fixture(scope="module", params=SEEDS, ids=lambda seed: f"seed{seed}")
def source(request: pytest.FixtureRequest) -> SimulatedSource:
    return SimulatedSource(Simulated(seed=request.param, listings=300, start=FIRST, until=LAST))


@pytest.fixture(scope="module")
def made(source: SimulatedSource) -> Delivery:
    return source.generated()


@pytest.fixture(scope="module")
def told(source: SimulatedSource) -> Delivery:
    return source.deliver()


def test_a_delivery_says_what_it_is(made: Delivery, told: Delivery) -> None:
    for name in ("source", "adjustment", "offers", "partial", "cumulative", "feed", "provisional"):
        assert getattr(told, name) == getattr(made, name), name
    assert told.quarantine.is_empty()
    assert told.market_caps.is_empty()  # they follow from shares and prices


def test_bars_are_those_of_the_market(made: Delivery, told: Delivery) -> None:
    assert_frame_equal(told.bars, made.bars)


def test_listings_are_those_of_the_market_with_the_industries_of_the_sec(made: Delivery, told: Delivery) -> None:
    ours, theirs = told.securities, made.securities
    assert theirs["delisted_on"].count() > 0
    assert theirs["known_on"].count() > 0  # receipts that were counted anew
    assert_frame_equal(ours.drop("industry", "security_type"), theirs.drop("industry", "security_type"))
    assert ours["industry"].is_null().equals(theirs["industry"].is_null())
    other = ours["security_type"] != theirs["security_type"]
    # Neither vendor has a type for them: the code of their industry tells, or their name.
    assert set(theirs.filter(other)["security_type"]) <= {"common"}
    assert set(ours.filter(other)["security_type"]) <= {"reit"}
    assert set(ours.filter(other)["sector"]) <= {"Real Estate"}


@pytest.mark.parametrize("industry", ["Banks", "Life Insurance", "Property-Casualty Insurers", "Savings Institutions"])
def test_what_is_financial_stays_so(made: Delivery, told: Delivery, industry: str) -> None:
    figis = made.securities.filter(pl.col("industry") == industry)["figi"].implode()
    words = told.securities.filter(pl.col("figi").is_in(figis))["industry"]
    assert words.str.contains("(?i)bank|insurance|savings institution").all()


def test_actions_are_those_of_the_market_but_for_what_a_spin_off_is_worth(made: Delivery, told: Delivery) -> None:
    spun = pl.when(pl.col("kind") != "spinoff").then(pl.col("cash"))  # no vendor tells it
    theirs = made.actions.with_columns(cash=spun)
    assert_frame_equal(told.actions, theirs, rel_tol=1e-5)  # a split is 1 for 6, not 0.166667 for 1
    assert {"split", "merger", "delisting", "dividend"} <= set(theirs["kind"])


def test_reports_are_those_of_the_market(made: Delivery, told: Delivery) -> None:
    ours, theirs = told.fundamentals, made.fundamentals
    shares, a_share = "shares_outstanding", "eps_diluted"
    assert_frame_equal(ours.drop(shares, a_share), theirs.drop(shares, a_share))
    assert {"10-K", "10-Q", "20-F", "6-K"} <= set(ours["form"])
    assert ours["form"].str.ends_with("/A").any()
    # A prospectus has one count on its cover, not one for each period that it tells of.
    counted = ours[shares].is_not_null()
    assert set(ours.filter(~counted)["form"]) <= {"424B4"}
    newest = theirs.group_by("symbol", "known_at").agg(pl.col("period_end").max())
    assert ours.filter(counted).join(newest, on=newest.columns, how="semi").height == newest.height
    # A company tells the figures a share of one class; those of the others are in proportion.
    classes = made.securities.filter(pl.col("security_type").is_in(CAPITAL) & pl.col("known_on").is_null())
    several = classes.filter(pl.len().over("cik") > 1)["symbol"]
    of_several = ours["symbol"].is_in(several.implode())
    assert of_several.any()
    alone, both = counted & ~of_several, counted & of_several
    assert_frame_equal(ours.filter(alone).select(shares, a_share), theirs.filter(alone).select(shares, a_share))
    assert (ours.filter(both)[shares] - theirs.filter(both)[shares]).abs().max() <= 1.0  # type: ignore[operator]
    assert_frame_equal(ours.filter(both).select(a_share), theirs.filter(both).select(a_share), rel_tol=2e-2)


def test_headlines_are_those_of_the_market_with_a_word_for_a_score(made: Delivery, told: Delivery) -> None:
    score = pl.col("sentiment")
    word = pl.when(score.abs() < 0.05).then(0.0).when(score > 0).then(1.0).otherwise(-1.0)
    theirs = made.news.with_columns(sentiment=pl.when(score.is_not_null()).then(word))
    assert_frame_equal(told.news, theirs)


def members(root: Path, delivery: Delivery) -> list[list[list[int]]]:
    """The members of each layer on each of the last sessions, by security."""
    with funnels.stored(root, delivery) as store:
        span, walk = store.sessions(), funnels.walk(store)
        events = walk.market(after=None, until=span[-1])
        position = Position(fresh(events.listings.ids))
        fold(walk, events, position, span[:-JUDGED], None)
        judged = replay(walk, events, position, span[-JUDGED:], funnels.rules(store))
        return [[layer.member.nonzero()[0].tolist() for layer in result.places] for result in judged]


def test_the_funnel_finds_the_same(made: Delivery, told: Delivery, tmp_path: Path) -> None:
    """Given what no vendor tells: who is a REIT, what a spin-off is worth, and a headline's score finer than a word."""
    cash = pl.when(pl.col("kind") != "spinoff").then(pl.col("cash"))
    theirs = replace(
        made,
        securities=made.securities.with_columns(told.securities["security_type"]),
        actions=made.actions.with_columns(cash=cash),
        news=told.news,
    )
    ours = members(tmp_path / "told", told)
    assert ours == members(tmp_path / "made", theirs)
    assert all(len(layer) > 0 for layer in ours[-1])


def test_a_later_end_only_appends(source: SimulatedSource, told: Delivery) -> None:
    end = date(2025, 7, 3)
    part, known = source.deliver(until=end), pl.col("known_at").dt.convert_time_zone("America/New_York").dt.date()
    assert_frame_equal(part.bars, told.bars.filter(pl.col("date") <= end))
    assert_frame_equal(part.actions, told.actions.filter(pl.col("ex_date") <= end))
    assert_frame_equal(part.fundamentals, told.fundamentals.filter(known <= end))
    published = pl.col("published_at").dt.convert_time_zone("America/New_York").dt.date()
    assert_frame_equal(part.news, told.news.filter(published <= end))
    there = told.securities.filter((pl.col("listed_on") <= end) & (pl.col("known_on").fill_null(FIRST) <= end))
    gone = pl.when(pl.col("delisted_on") <= end).then(pl.col("delisted_on"))
    assert_frame_equal(part.securities, there.with_columns(delisted_on=gone))


def test_no_session_is_no_market(source: SimulatedSource) -> None:
    with pytest.raises(UsageError, match="no session"):
        source.deliver(until=date(2025, 4, 19))


class Listening(Silent):
    """A report that is read."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.labels: dict[str, tuple[int, int]] = {}

    def step(self, text: str) -> None:
        self.steps.append(text)

    def progress(self, label: str, done: int, total: int) -> None:
        self.labels[label] = (done, total)


def test_it_tells_how_far_it_is() -> None:
    report = Listening()
    SimulatedSource(Simulated(seed=10, listings=300, until=date(2025, 5, 2)), report).deliver()
    assert {"sessions of bars", "details of listings", "companies"} <= set(report.labels)
    assert all(done == total > 0 for done, total in report.labels.values())
    assert any("bars" in step for step in report.steps)


def test_neither_a_socket_nor_a_package_of_the_vendors_sources_is_needed() -> None:
    program = (
        "import sys, socket; sys.modules['httpx'] = None\n"
        "def closed(*_, **__): raise OSError('no network')\n"
        "socket.socket.connect = socket.socket.bind = closed\n"
        "from datetime import date\n"
        "from aitrader.providers.simulated import SimulatedSource\n"
        "from aitrader.settings.models import Simulated\n"
        "print(SimulatedSource(Simulated(seed=10, listings=300, until=date(2025, 4, 25))).deliver().bars.height)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert int(ended.stdout) > 1_000


def test_no_limit_binds_in_process(made: Delivery) -> None:
    transport = in_process(made, NOW)
    for _ in range(250):
        assert transport.fetch(polygon_requests.ticker_details_request("https://p", "SPY")).status == 200
        assert transport.fetch(sec.company_tickers_request("https://s")).status == 200


def test_a_source_that_is_not_simulated_is_refused(made: Delivery) -> None:
    with pytest.raises(SourceError, match="the exchange has"):
        in_process(made, NOW).fetch(Request(source="elsewhere", url="https://e/x"))
