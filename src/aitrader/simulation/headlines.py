"""Headlines from a small grammar, good, bad or neither, in step with moves and filings, mostly about large companies."""

from __future__ import annotations

from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from aitrader.domain.frames import NEWS
from aitrader.simulation.events import Jumps
from aitrader.simulation.filings import _utc_micros
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
BROKERS: Final = ("Harrow & Pike", "Northfield Securities", "Delmar Capital", "Castle Street", "Orwell Research", "Lindqvist")
KINDS: Final = ("general", "move", "report")
STRIKING: Final = 4.0  # own move, in mean own moves, that is news by itself


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


def headlines(
    seed: int,
    listings: Listings,
    sessions: list[date],
    moves: list[npt.NDArray[np.float32]],
    surprises: Jumps,
    codes: list[Ints],
) -> dict[str, npt.NDArray[np.generic]]:
    """Columns (row, session, kind, polarity, instant, draws) of every headline."""
    rate = rates(seed, listings)
    found: dict[str, list[npt.NDArray[np.generic]]] = {k: [] for k in ("row", "session", "kind", "polarity", "draw", "code")}
    base = section("news")
    for t in range(len(sessions)):
        move = np.nan_to_num(moves[t].astype(np.float64))
        n = len(move)
        uniform = stream(seed, Purpose.HEADLINES, t + 1).random((n, 5))
        reported, size = surprises.at(t)
        inside = reported < n
        report = np.zeros(n)
        report[reported[inside]] = size[inside]
        has_report = np.zeros(n, dtype=np.bool_)
        has_report[reported[inside]] = True
        shown = np.isfinite(moves[t]) & (rate[:n] > 0)
        striking = (np.abs(move) > STRIKING) & ~has_report
        chance = np.where(has_report, 0.9, np.where(striking, 0.35, 1 - np.exp(-rate[:n])))
        row = np.flatnonzero(shown & (uniform[:, 0] < chance))
        kind = np.where(has_report[row], 2, np.where(striking[row], 1, 0))
        lean = np.where(kind == 2, 0.35 * report[row] + 0.15 * move[row], 0.22 * move[row])
        good = base["positive"] * np.exp(np.clip(lean, -2.5, 2.5))
        bad = base["negative"] * np.exp(-np.clip(lean, -2.5, 2.5))
        neither = 1 - base["positive"] - base["negative"]
        neither = np.where(kind == 1, 0.0, neither)
        total = good + bad + neither
        spot = uniform[row, 1] * total
        polarity = np.where(spot < good, GOOD, np.where(spot < good + bad, BAD, NEUTRAL))
        polarity = np.where(kind == 1, np.where(move[row] > 0, GOOD, BAD), polarity)
        found["row"].append(row)
        found["session"].append(np.full(len(row), t))
        found["kind"].append(kind)
        found["polarity"].append(polarity)
        found["draw"].append(uniform[row, 2:5])
        found["code"].append(codes[t][row])
    return {k: np.concatenate(v) for k, v in found.items()}


def frame(seed: int, listings: Listings, sessions: list[date], symbols: list[str], raw: dict[str, npt.NDArray[np.generic]]) -> pl.DataFrame:
    """The headlines as delivered, ordered by instant and symbol."""
    news = section("news")
    row, session, kind, polarity = (raw[k].astype(np.int64) for k in ("row", "session", "kind", "polarity"))
    draw = raw["draw"].astype(np.float64)
    n = len(row)
    name = short_names(listings.name).gather(row)
    day = np.array([(s - date(1970, 1, 1)).days for s in sessions], dtype=np.int64)[session]
    hours = np.array([int(h) for h in news["hours"]])
    edges = np.cumsum(list(news["hours"].values()))
    hour = hours[np.minimum(np.searchsorted(edges / edges[-1], draw[:, 0], side="right"), len(hours) - 1)]
    seconds = hour * 3600 + (draw[:, 1] * 3600).astype(np.int64)
    published = _utc_micros(day, seconds)
    first = (draw[:, 1] * 7919) % 1  # further digits of the same draws
    second, third = (draw[:, 0] * 6151) % 1, (draw[:, 2] * 4421) % 1
    variant = np.zeros(n, dtype=np.int64)
    offset, texts = {}, []
    for key, options in TEMPLATES.items():
        offset[key] = len(texts)
        texts += list(options)
        mine = (kind == KINDS.index(key[0])) & (polarity == key[1])
        variant[mine] = offset[key] + (first[mine] * len(options)).astype(np.int64)
    month = np.array([s.month for s in sessions])[session]
    quarter = pl.Series(["Q4", "Q1", "Q2", "Q3"]).gather((month - 1) // 3)
    size = np.exp(3 + 4 * second)
    parts = pl.DataFrame(
        {
            "index": np.arange(n),
            "variant": variant,
            "n": name,
            "q": quarter,
            "p": pl.Series(np.round(2 + 18 * second**2, 1)).cast(pl.String),
            "m": pl.Series(np.round(size).astype(np.int64)).cast(pl.String),
            "t": pl.Series(np.round(5 + 200 * third**2).astype(np.int64)).cast(pl.String),
            "b": pl.Series(list(BROKERS)).gather((third * len(BROKERS)).astype(np.int64)),
        }
    )
    written = [_written(part, texts[int(part["variant"][0])]) for part in parts.partition_by("variant")]
    text = pl.concat(written).sort("index")["headline"] if written else pl.Series("headline", [], dtype=pl.String)
    levels = section("marginals")["levels"]
    good = np.interp(third, levels, news["score_positive"])
    bad = np.interp(third, levels, news["score_negative"])
    score = np.where(polarity == GOOD, good, np.where(polarity == BAD, bad, 0.1 * (third - 0.5)))
    scored = draw[:, 2] < SCORED
    out = pl.DataFrame(
        {
            "symbol": pl.Series(symbols, dtype=pl.String).gather(raw["code"].astype(np.int64)),
            "published_at": pl.Series(published).cast(pl.Datetime("us", "UTC")),
            "headline": text,
            "summary": pl.repeat(None, n, dtype=pl.String, eager=True),
            "sentiment": pl.Series(np.round(score, 3)).to_frame("s").select(pl.when(pl.Series(scored)).then(pl.col("s")))["s"],
            "source": pl.repeat(SOURCE, n, dtype=pl.String, eager=True),
        },
        schema=NEWS,
    )
    return out.sort("published_at", "symbol", "headline")


def _written(part: pl.DataFrame, template: str) -> pl.DataFrame:
    """The template filled in for all rows of one variant."""
    names, shape = [], ""
    rest = template
    while "{" in rest:
        before, _, rest = rest.partition("{")
        word, _, rest = rest.partition("}")
        names.append(word)
        shape += before + "{}"
    shape += rest
    return part.select("index", headline=pl.format(shape, *names))
