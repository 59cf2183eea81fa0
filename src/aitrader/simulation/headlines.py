"""Headlines from a small grammar: good, bad or neither, in step with moves and reports, mostly on large companies."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from aitrader.domain.frames import NEWS
from aitrader.simulation.accounts import utc_micros
from aitrader.simulation.events import Jumps
from aitrader.simulation.filings import Course
from aitrader.simulation.fitted import section, table
from aitrader.simulation.listings import Listings
from aitrader.simulation.streams import Floats, Ints, Purpose, stream

SCORED: Final = 0.6  # share of headlines that carry the provider's own score
SOURCE: Final = "simulated wire"
NEUTRAL, GOOD, BAD = 0, 1, 2
# {n} the company, {p} a percentage, {m} millions of dollars, {q} a quarter, {b} a broker, {t} a price target.
TEMPLATES: Final[dict[tuple[str, int], tuple[str, ...]]] = {
    ("report", GOOD): (
        "{n} {q} profit beats estimates, shares rise",
        "{n} tops {q} revenue forecasts and raises full-year outlook",
        "{n} posts record {q} sales, up {p}% on strong demand",
        "{n} reports {q} earnings above expectations",
        "{n} swings to {q} profit as margins improve",
        "{n} lifts guidance after upbeat {q}",
        "{n} {q} EPS beats consensus; net income climbs {p}%",
    ),
    ("report", BAD): (
        "{n} misses {q} estimates, shares fall",
        "{n} cuts full-year outlook after weak {q}",
        "{n} {q} loss widens as costs climb",
        "{n} {q} revenue drops {p}%, below expectations",
        "{n} warns of slowing demand after disappointing {q}",
        "{n} withdraws guidance, posts surprise {q} loss",
        "{n} {q} EPS misses consensus; net income slumps {p}%",
    ),
    ("report", NEUTRAL): (
        "{n} reports {q} results in line with expectations",
        "{n} {q} earnings: what the numbers show",
        "{n} files {q} report",
        "{n} reaffirms full-year guidance with {q} results",
        "Earnings call transcript: {n} {q}",
    ),
    ("move", GOOD): (
        "{n} shares jump {p}% on heavy volume",
        "Why {n} stock is soaring today",
        "{n} surges after upbeat trading update",
        "{n} rallies {p}% as buyers return",
        "{n} among today's biggest gainers",
    ),
    ("move", BAD): (
        "{n} shares tumble {p}% on heavy volume",
        "Why {n} stock is plunging today",
        "{n} sinks after bearish report",
        "{n} slides {p}% as sellers take over",
        "{n} among today's biggest losers",
    ),
    ("general", GOOD): (
        "{b} upgrades {n} to Buy",
        "{b} raises {n} price target to ${t}",
        "{n} wins ${m} million contract",
        "{n} announces ${m} million share buyback",
        "{n} receives regulatory approval for new product",
        "{n} raises quarterly dividend by {p}%",
        "{n} signs strategic partnership to accelerate growth",
        "{b} starts {n} at Outperform, sees strong upside",
        "{n} expands margins as efficiency gains pay off",
        "{n} settles dispute on favorable terms",
    ),
    ("general", BAD): (
        "{b} downgrades {n} to Sell",
        "{b} cuts {n} price target to ${t}",
        "{n} faces lawsuit over disclosure failures",
        "{n} recalls product after safety concerns",
        "{n} to cut {p}% of workforce amid weak demand",
        "Regulators open investigation into {n}",
        "{n} suspends dividend to preserve cash",
        "{n} chief financial officer resigns unexpectedly",
        "{n} loses ${m} million contract",
        "Short seller targets {n}, alleges fraud",
    ),
    ("general", NEUTRAL): (
        "{n} to present at investor conference",
        "{n} schedules {q} earnings call",
        "{n} names new member to board of directors",
        "{n} declares quarterly dividend",
        "{b} maintains {n} at Hold",
        "{n} announces date of annual meeting",
        "{n} completes refinancing of credit facility",
        "Stocks to watch today: {n} and others",
        "{n} opens new office",
        "A look at {n} ahead of its {q} report",
        "{b} reiterates Neutral on {n}, price target ${t}",
        "{n} files prospectus supplement",
        "Options activity in {n}: what to know",
        "{n} publishes annual sustainability report",
    ),
}
BROKERS: Final = (
    "Harrow & Pike",
    "Northfield Securities",
    "Delmar Capital",
    "Castle Street",
    "Orwell Research",
    "Lindqvist",
)
KINDS: Final = ("general", "move", "report")
STRIKING: Final = 4.0  # own move, in mean own moves, that is news by itself
NOTICED, REPORTED = 0.35, 0.9  # share of such moves, and of reports, that are written about


def short_names(names: npt.NDArray[np.object_]) -> pl.Series:
    """Company names without their legal form and what the line is."""
    text = pl.Series(names.tolist(), dtype=pl.String)
    text = text.str.replace(
        r" (Common Stock|Class [A-C].*|American Depositary.*|Ordinary Shares|Capital Stock|Common Shares.*)$", ""
    )
    return text.str.replace(r",? (Inc\.|Corporation|Ltd\.|Company|plc|Holdings Inc\.|Group, Inc\.|N\.V\.)$", "")


def rates(seed: int, listings: Listings) -> Floats:
    """Headlines a session for each listing; 0 for what no one writes about."""
    news = section("news")
    normal = stream(seed, Purpose.HEADLINES).standard_normal(listings.count)
    written = np.isin(listings.group, ("common", "adr", "reit")) & (listings.follow == 0)
    score = 0.75 * listings.score[:, 0] + 0.66 * normal
    rate = table(section("marginals")["levels"], news["rate"], logarithmic=True).at(score)
    return np.where(written, rate, 0.0)


@dataclass(frozen=True, kw_only=True)
class Written:
    """Every headline before it is put into words."""

    row: Ints
    session: Ints
    kind: Ints  # place in KINDS
    polarity: Ints
    draw: Floats  # (rows, 3): hour, within the hour, whether scored


def written(seed: int, listings: Listings, moves: list[npt.NDArray[np.float32]], reports: Jumps) -> Written:
    """Who is written about in each session, and how: reports and striking moves first, the rest by habit."""
    rate, base = rates(seed, listings), section("news")
    parts: list[Written] = []
    for t, moved in enumerate(moves):
        n = len(moved)
        uniform = stream(seed, Purpose.HEADLINES, t + 1).random((n, 5))
        move, report = np.nan_to_num(moved.astype(np.float64)), np.zeros(n)
        reported, size = reports.at(t)
        report[reported[reported < n]] = size[reported < n]
        striking = (np.abs(move) > STRIKING) & (report == 0)
        chance = np.where(report != 0, REPORTED, np.where(striking, NOTICED, 1 - np.exp(-rate[:n])))
        row = np.flatnonzero(np.isfinite(moved) & (rate[:n] > 0) & (uniform[:, 0] < chance))
        kind = np.where(report[row] != 0, 2, np.where(striking[row], 1, 0))
        lean = np.clip(np.where(kind == 2, 0.35 * report[row] + 0.15 * move[row], 0.22 * move[row]), -2.5, 2.5)
        good, bad = base["positive"] * np.exp(lean), base["negative"] * np.exp(-lean)
        spot = uniform[row, 1] * (good + bad + 1 - base["positive"] - base["negative"])
        polarity = np.where(spot < good, GOOD, np.where(spot < good + bad, BAD, NEUTRAL))
        polarity = np.where(kind == 1, np.where(move[row] > 0, GOOD, BAD), polarity)
        session = np.full(len(row), t, dtype=np.int64)
        parts.append(Written(row=row, session=session, kind=kind, polarity=polarity, draw=uniform[row, 2:5]))
    return Written(**{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Written)})


def frame(written: Written, listings: Listings, sessions: list[date], course: Course) -> pl.DataFrame:
    """The headlines as delivered, ordered by instant and symbol."""
    news, levels = section("news"), section("marginals")["levels"]
    session, polarity, draw = written.session, written.polarity, written.draw
    hours, edges = np.array([int(h) for h in news["hours"]]), np.cumsum(list(news["hours"].values()))
    hour = hours[np.minimum(np.searchsorted(edges / edges[-1], draw[:, 0], side="right"), len(hours) - 1)]
    days = np.array([(s - date(1970, 1, 1)).days for s in sessions], dtype=np.int64)
    published = utc_micros(days[session], hour * 3_600 + (draw[:, 1] * 3_600).astype(np.int64))
    digits = np.stack([draw[:, 1] * 7_919, draw[:, 0] * 6_151, draw[:, 2] * 4_421]) % 1  # further digits of the draws
    quarter = np.array([(s.month - 1) // 3 for s in sessions])[session]
    third = digits[2]
    good, bad = np.interp(third, levels, news["score_positive"]), np.interp(third, levels, news["score_negative"])
    score = np.where(polarity == GOOD, good, np.where(polarity == BAD, bad, 0.1 * (third - 0.5)))
    out = pl.DataFrame(
        {
            "symbol": course.text(written.row, session),
            "published_at": pl.Series(published).cast(pl.Datetime("us", "UTC")),
            "headline": _worded(written, short_names(listings.name).gather(written.row), quarter, digits),
            "summary": pl.repeat(None, len(session), dtype=pl.String, eager=True),
            "sentiment": pl.Series(np.round(score, 3)).set(pl.Series(draw[:, 2] >= SCORED), None),
            "source": pl.repeat(SOURCE, len(session), dtype=pl.String, eager=True),
        },
        schema=NEWS,
    )
    return out.filter(pl.col("published_at").cast(pl.Int64) <= course.last_known).sort(
        "published_at", "symbol", "headline"
    )


def _worded(written: Written, name: pl.Series, quarter: Ints, digits: Floats) -> pl.Series:
    """The text of each headline: one template filled in at a time, for all its rows."""
    variant = np.zeros(len(name), dtype=np.int64)
    texts: list[str] = []
    for (kind, polarity), options in TEMPLATES.items():
        mine = (written.kind == KINDS.index(kind)) & (written.polarity == polarity)
        variant[mine] = len(texts) + (digits[0, mine] * len(options)).astype(np.int64)
        texts += list(options)
    words = pl.DataFrame(
        {
            "index": np.arange(len(name)),
            "variant": variant,
            "n": name,
            "q": pl.Series(["Q4", "Q1", "Q2", "Q3"]).gather(quarter),
            "p": pl.Series(np.round(2 + 18 * digits[1] ** 2, 1)).cast(pl.String),
            "m": pl.Series(np.round(np.exp(3 + 4 * digits[1])).astype(np.int64)).cast(pl.String),
            "t": pl.Series(np.round(5 + 200 * digits[2] ** 2).astype(np.int64)).cast(pl.String),
            "b": pl.Series(list(BROKERS)).gather((digits[2] * len(BROKERS)).astype(np.int64)),
        }
    )
    parts = [_filled(part, texts[part["variant"][0]]) for part in words.partition_by("variant")]
    return pl.concat(parts).sort("index")["headline"] if parts else pl.Series("headline", [], dtype=pl.String)


def _filled(part: pl.DataFrame, template: str) -> pl.DataFrame:
    """The template filled in for all rows of one variant."""
    names = re.findall(r"\{(\w)\}", template)
    return part.select("index", headline=pl.format(re.sub(r"\{\w\}", "{}", template), *names))
