"""The settings outside the layers' files: sources, KPIs, performance, first scan, sentiment."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, Struct

Fraction = Annotated[float, Meta(ge=0, le=1)]
NotNegative = Annotated[float, Meta(ge=0)]
Count = Annotated[int, Meta(ge=0)]
Positive = Annotated[int, Meta(ge=1)]
Word = Annotated[str, Meta(min_length=1)]


class Model(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A section of the settings; an unknown key is an error."""


class Simulated(Model, frozen=True):
    """The simulated market: the same values give the same market, bit for bit."""

    seed: Count = 7
    listings: Annotated[int, Meta(ge=200, le=200_000)] = 10_500
    start: date = date(2025, 4, 21)  # the first session; it stays, so that a later ``until`` only appends
    until: date = date(2026, 6, 30)  # the last session: the market's today
    regime: Literal["normal", "stressed"] = "normal"


class DatasetFolder(Model, frozen=True):
    """The offline dataset read when no ``--path`` is given."""

    path: str | None = None  # a relative path starts at the project's folder


class ManualList(Model, frozen=True):
    """The list of symbols read when no ``--file`` is given."""

    file: Word = "symbols/fallback_universe.txt"  # a relative path starts at the config folder


Address = Annotated[str, Meta(pattern="^https?://[^\\s?#@]+$")]  # plain http is refused but to this machine


class Limit(Model, frozen=True):
    """At most so many requests in every span of so many seconds, over all processes of this state folder."""

    requests: Annotated[int, Meta(ge=1, le=1_000_000)]
    seconds: Annotated[float, Meta(gt=0, le=3_600)]
    concurrency: Annotated[int, Meta(ge=1, le=64)] = 8  # requests under way at once


class Alpaca(Model, frozen=True):
    """Alpaca: listings, bars, corporate actions, headlines."""

    trading_url: Address = "https://paper-api.alpaca.markets"
    data_url: Address = "https://data.alpaca.markets"
    feed: Literal["sip", "iex"] = "sip"  # sip: the trades of all exchanges; iex: those of one, 2-4 % of them
    limit: Limit = Limit(requests=200, seconds=60)


class Polygon(Model, frozen=True):
    """Polygon, now called Massive: listings with their types, bars of whole sessions, splits, dividends, reports."""

    url: Address = "https://api.polygon.io"
    limit: Limit = Limit(requests=5, seconds=60)


class Sec(Model, frozen=True):
    """The SEC: which company a symbol belongs to, its shares, its reports."""

    data_url: Address = "https://data.sec.gov"
    www_url: Address = "https://www.sec.gov"
    limit: Limit = Limit(requests=9, seconds=1, concurrency=4)  # it asks for at most 10


class NasdaqTrader(Model, frozen=True):
    """The exchanges' own directories: every listing, ETFs flagged."""

    url: Address = "https://www.nasdaqtrader.com"
    limit: Limit = Limit(requests=2, seconds=1, concurrency=2)


class Live(Model, frozen=True):
    """The market of real, present listings, and who is asked for what, in this order."""

    listings: tuple[Literal["alpaca", "polygon", "nasdaq_trader", "sec"], ...] = (
        "alpaca",
        "polygon",
        "nasdaq_trader",
        "sec",
    )
    bars: tuple[Literal["alpaca", "polygon"], ...] = ("alpaca", "polygon")
    actions: tuple[Literal["alpaca", "polygon"], ...] = ("polygon", "alpaca")
    fundamentals: tuple[Literal["sec", "polygon"], ...] = ("sec", "polygon")
    news: tuple[Literal["alpaca", "polygon"], ...] = ("alpaca", "polygon")
    last_resort: Literal["manual", "none"] = "manual"  # where no source of listings answers
    sessions: Annotated[int, Meta(ge=1, le=5_000)] = 300  # how far back the first population reads
    final_at: Annotated[str, Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")] = "06:00"  # of the day after, New York
    least_coverage: Fraction = 0.9  # of the usual number of bars; a session with fewer is not taken
    now: str | None = None  # an instant that stands for now, with a simulated exchange; not in production
    accept_iex_volume: bool = False  # judge volumes of one exchange by thresholds meant for all of them
    cache: Word = "/tmp/ai_trader_cache/universe"  # the guide's path; owner and mode are checked
    timeout_seconds: Annotated[float, Meta(gt=0, le=600)] = 60.0  # of a whole request
    attempts: Annotated[int, Meta(ge=1, le=20)] = 5
    first_wait_seconds: Annotated[float, Meta(gt=0, le=60)] = 0.5  # at most, before the second attempt; then doubled
    breaker_failures: Positive = 5  # in a row, then a source is left alone
    breaker_seconds: NotNegative = 30.0


class Sources(Model, frozen=True):
    """``config/sources.yml``: where the market's data comes from."""

    default: Literal["auto", "simulated", "dataset", "live", "alpaca", "polygon", "sec", "manual"] = "auto"
    simulated: Simulated = Simulated()
    dataset: DatasetFolder = DatasetFolder()
    manual: ManualList = ManualList()
    live: Live = Live()
    alpaca: Alpaca = Alpaca()
    polygon: Polygon = Polygon()
    sec: Sec = Sec()
    nasdaq_trader: NasdaqTrader = NasdaqTrader()


class Performance(Model, frozen=True):
    """``config/scanners/performance.yml``: how much of the machine a scan may take; no result depends on it."""

    workers: Annotated[int, Meta(ge=0, le=1024)] = 0  # processes; 0: one a core


class Funnel(Model, frozen=True):
    """``config/scanners/funnel.yml``: how the funnel starts on an empty membership."""

    first_scan_sessions: Positive = 20  # sessions stepped through before the first published one, it included


class Sentiment(Model, frozen=True):
    """``config/sentiment/news_analysis.yml``: how headlines become one score a symbol."""

    look_back_sessions: Annotated[int, Meta(ge=1, le=30)] = 10
    half_life_sessions: Annotated[float, Meta(gt=0)] = 3.0
    minimum_articles: Positive = 1


class Target(Model, frozen=True):
    """Inclusive bounds of on target; null: no bound on that side."""

    min: float | None = None
    max: float | None = None


class Bounds(Model, frozen=True):
    """A status begins strictly below ``below`` or strictly above ``above``; null: never on that side."""

    below: float | None = None
    above: float | None = None


class Kpi(Model, frozen=True, rename={"for_": "for"}):
    """A row of ``config/monitoring/kpis.yml``; its key there is the KPI's stable word."""

    name: Word
    unit: Literal["symbols", "fraction", "seconds"]
    on_target: Target
    warning: Bounds
    critical: Bounds
    for_: Annotated[str, Meta(pattern="^[0-9]+[smhd]$")]  # how long it lasts before someone is told
    calendar: Literal["XNYS", "always"]  # XNYS: its clock pauses while the exchange is closed
    runbook: Word  # a page of docs/, with its heading

    @property
    def for_seconds(self) -> int:
        """``for`` in seconds."""
        return int(self.for_[:-1]) * {"s": 1, "m": 60, "h": 3_600, "d": 86_400}[self.for_[-1]]


def kpi_fault(kpi: Kpi) -> str | None:
    """Why the bounds of a KPI contradict each other, or None: critical outside warning, warning outside the target."""
    falling = [kpi.on_target.min, kpi.warning.below, kpi.critical.below]
    rising = [kpi.on_target.max, kpi.warning.above, kpi.critical.above]
    low = [bound for bound in falling if bound is not None]
    high = [bound for bound in rising if bound is not None]
    if low != sorted(low, reverse=True):
        return "critical.below <= warning.below <= on_target.min does not hold"
    if high != sorted(high):
        return "on_target.max <= warning.above <= critical.above does not hold"
    if low and high and low[0] > high[0]:
        return "its lower bound is above its upper bound"
    return None if low or high else "it has no bound at all"
