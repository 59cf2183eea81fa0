"""Who is listed: the companies, funds and their further lines at the start, and those that arrive later."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import polars as pl

from aitrader.simulation import assumed
from aitrader.simulation.fitted import marginal, section, table
from aitrader.simulation.names import (
    ARRIVAL_CODES,
    BASE_CODES,
    Texts,
    described,
    four_letter_codes,
    fund_names,
    invented,
    issuer_names,
    short_codes,
)
from aitrader.simulation.streams import Floats, Ints, Purpose, pick, stream

ISSUERS = ("common", "spac", "adr", "reit", "fund", "etf")  # groups that issue; the others are lines of these
LINES = ("preferred", "warrant", "unit", "right", "note")
GROUPS = ISSUERS + LINES
FILERS = ("common", "spac", "adr", "reit")
SECTORS = (
    "Basic Materials", "Consumer Discretionary", "Consumer Staples", "Energy", "Finance", "Health Care", "Industrials",
    "Miscellaneous", "Real Estate", "Technology", "Telecommunications", "Utilities",
)  # fmt: skip
MEASURES = ("market_cap", "dollars", "price", "noise", "beta")
SPONSORS = 240  # houses that launch exchange-traded funds
BEFORE = -1  # arrival of the listings that are there at the start


@dataclass(frozen=True, kw_only=True)
class Listings:
    """Struct of arrays, one row a listing in the order of arrival; rows of a shorter market are a prefix."""

    symbol: Texts
    name: Texts
    exchange: Texts
    group: Texts
    sector: Texts  # "" where unknown
    industry: Texts
    arrival: Ints  # index of the first session, BEFORE for the listings at the start
    issuer: Ints  # row of the issuer's first line; itself for that line
    price: Floats  # dollars, before the first session
    volume: Floats  # mean shares a session
    shares: Floats  # outstanding; NaN where nobody publishes them
    noise: Floats  # mean absolute own daily move
    beta: Floats
    tilt: Floats  # loading on the style factor
    sector_load: Floats
    rates_load: Floats
    follow: Floats  # how much of its issuer's own move a line makes
    multiple: Floats  # 1, or what a leveraged fund multiplies its return by
    score: Floats  # normal scores of the measures (rows, 5), for what is drawn in step with them

    @property
    def count(self) -> int:
        """Number of rows."""
        return len(self.symbol)

    def joined(self, other: Listings) -> Listings:
        """These rows and then the other's."""
        return Listings(
            **{f.name: np.concatenate([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self)}
        )

    @property
    def security_type(self) -> Texts:
        """The SecurityType word of each row: blank-check companies are common shares."""
        return np.where(self.group == "spac", "common", self.group).astype(object)


def counts_of(total: int) -> dict[str, int]:
    """Listings per group by largest remainder of the directories' shares."""
    share = np.array([section("groups")[g] for g in GROUPS])
    exact = share / share.sum() * total
    whole = np.floor(exact).astype(np.int64)
    for index in np.argsort(whole - exact, kind="stable")[: total - int(whole.sum())]:
        whole[index] += 1
    return dict(zip(GROUPS, map(int, whole), strict=True))


def _choice(shares: dict[str, float], uniform: Floats) -> Texts:
    """A word per uniform number, by the given shares."""
    words = np.array(list(shares), dtype=object)
    return np.asarray(words[pick(np.array(list(shares.values())), uniform)])


def _measures(group: Texts, sector: Texts, normal: Floats) -> tuple[dict[str, Floats], Floats]:
    """The five measures of each row and their correlated normal scores; NaN where a group has no such measure."""
    score = np.zeros((len(group), len(MEASURES)))
    values = {m: np.full(len(group), np.nan) for m in MEASURES}
    for name in GROUPS:
        mine = group == name
        if name == "etf" or not mine.any():
            continue
        root = np.linalg.cholesky(np.array(section("copulas")[name]))
        score[mine] = normal[mine] @ root.T
        cells = {f"common:{s}": mine & (sector == s) for s in SECTORS} if name == "common" else {name: mine}
        for cell, rows in cells.items():
            for column, measure in enumerate(MEASURES):
                found = marginal(cell, measure)
                if found is not None:
                    values[measure][rows] = found.at(score[rows, column])
    return values, score


def _build(seed: int, group: Texts, arrival: Ints, purpose: Purpose, proper_offset: int, codes: list[str]) -> Listings:
    """Rows of the given groups; every number of a row depends on the seed and the row's place alone."""
    n = len(group)
    uniform = stream(seed, purpose).random((n, 10))
    normal = stream(seed, purpose, 1).standard_normal((n, 10))
    sector = np.full(n, "", dtype=object)
    industry = np.full(n, "", dtype=object)
    exchange = np.full(n, "", dtype=object)
    for name in GROUPS:
        mine = group == name
        exchange[mine] = _choice(section("exchanges")[name], uniform[mine, 0])
        if name != "etf":
            sector[mine] = _choice(section("sectors")[name], uniform[mine, 1])
    for name, shares in section("industries").items():
        mine = sector == name
        industry[mine] = _choice(shares, uniform[mine, 2])
    industry[group == "reit"] = "Real Estate Investment Trusts"
    industry[group == "spac"] = "Blank Checks"
    values, score = _measures(group, sector, normal[:, :5])
    factors = section("factors")
    tilt_mean = np.array([factors[s][0] if s in factors else 0.0 for s in sector])
    tilt_spread = np.array([factors[s][1] if s in factors else 0.0 for s in sector])
    quiet = ~np.isin(group, ("common", "adr", "reit"))
    tilt = np.where(quiet, 0.0, tilt_mean + tilt_spread * normal[:, 5])
    sector_load = np.where(np.isin(group, ("common", "adr", "reit")), 1.0, 0.0)
    rates = np.where(np.isin(group, ("preferred", "note", "fund")), 0.5, np.where(group == "reit", 0.3, 0.0))
    shares = values["market_cap"] / values["price"]
    blank = group == "spac"
    shares[blank] = np.exp(assumed.BLANK_CHECK_SHARES[0] + assumed.BLANK_CHECK_SHARES[1] * normal[blank, 6])
    shares[np.isin(group, LINES)] = np.nan
    result = Listings(
        symbol=np.array(codes, dtype=object), name=np.full(n, "", dtype=object), exchange=exchange, group=group,
        sector=sector, industry=industry, arrival=arrival, issuer=np.arange(n), price=values["price"],
        volume=values["dollars"] / values["price"], shares=shares, noise=values["noise"], beta=values["beta"],
        tilt=tilt, sector_load=sector_load, rates_load=rates, follow=np.zeros(n), multiple=np.ones(n), score=score,
    )  # fmt: skip
    _funds(result, uniform, normal)
    proper = invented(seed, proper_offset, n)
    result.name[:] = issuer_names(proper, sector, group, uniform[:, 3:5])
    funds = group == "etf"
    sponsor = invented(seed, 9_000, SPONSORS)
    house = sponsor[(uniform[funds, 5] ** 2 * SPONSORS).astype(np.int64)]
    result.name[funds] = fund_names(house, industry[funds], uniform[funds, 3])
    return result


def _funds(rows: Listings, uniform: Floats, normal: Floats) -> None:
    """Fills in price, volume, shares and loadings of exchange-traded funds; ``industry`` holds the kind meanwhile."""
    funds = np.flatnonzero(rows.group == "etf")
    kinds = section("etf")["kinds"]
    kind = _choice(kinds, uniform[funds, 6])
    rows.industry[funds] = kind
    link = 0.2  # dearer funds trade a little more
    volume_score = normal[funds, 0]
    price_score = link * normal[funds, 0] + np.sqrt(1 - link**2) * normal[funds, 1]
    rows.volume[funds] = table(assumed.LEVELS, assumed.FUND_VOLUME, logarithmic=True).at(volume_score)
    rows.price[funds] = table(assumed.LEVELS, assumed.FUND_PRICE, logarithmic=True).at(price_score)
    mean, spread = assumed.SHARES_PER_VOLUME
    ratio = mean - 0.35 * (np.log(rows.volume[funds]) - 10.5) / 2 + spread * normal[funds, 2]
    rows.shares[funds] = np.maximum(np.round(rows.volume[funds] * np.exp(np.maximum(ratio, 1.0)), -4), 50_000.0)
    for name, how in assumed.FUND_KINDS.items():
        mine = funds[kind == name]
        rows.beta[mine] = how.beta[0] + how.beta[1] * normal[mine, 3]
        rows.noise[mine] = how.noise[0] * np.exp(how.noise[1] * normal[mine, 4])
        rows.rates_load[mine] = how.rates[0] + how.rates[1] * normal[mine, 7]
        rows.sector_load[mine] = how.sector
        if how.sector:
            rows.sector[mine] = np.array(SECTORS, dtype=object)[(uniform[mine, 7] * len(SECTORS)).astype(np.int64)]
        if name == "leveraged":
            rows.multiple[mine] = np.array(assumed.MULTIPLES)[pick(np.array(assumed.MULTIPLE_SHARES), uniform[mine, 8])]
    rows.score[funds, 3] = normal[funds, 4]


def _place_named(rows: Listings) -> None:
    """Overwrites the first rows of the right group by the listings that are there by name."""
    taken: dict[str, int] = {}
    row_of: dict[str, int] = {}
    for named in assumed.NAMED:
        places = np.flatnonzero(rows.group == named.group)
        row = int(places[taken.get(named.group, 0)])
        taken[named.group] = taken.get(named.group, 0) + 1
        row_of[named.symbol] = row
        rows.symbol[row], rows.name[row], rows.exchange[row] = named.symbol, named.name, named.exchange
        rows.sector[row], rows.industry[row] = named.sector, named.industry
        rows.price[row], rows.volume[row], rows.shares[row] = named.price, named.volume, named.shares
        rows.noise[row], rows.beta[row], rows.multiple[row] = named.noise, named.beta, 1.0
        rows.tilt[row] = 0.4 if named.symbol == "QQQ" else 0.0
        rows.sector_load[row] = 0.0 if named.symbol == "SPY" else (0.6 if named.symbol == "QQQ" else 1.0)
        rows.rates_load[row] = 0.0
        if named.issuer is not None:
            first = row_of[named.issuer]
            rows.issuer[row], rows.follow[row] = first, 1.0
            rows.tilt[row] = rows.tilt[first]


def _second_classes(seed: int, rows: Listings) -> None:
    """Makes a share of the common listings a second class of another common issuer."""
    common = np.flatnonzero(rows.group == "common")[len(assumed.NAMED) :]
    count = round(len(common) * section("lines")["second_class"])
    chosen = stream(seed, Purpose.LINES, 9).permutation(common)[: 2 * count]
    second, first = chosen[:count], chosen[count:]
    gap = stream(seed, Purpose.LINES, 10).standard_normal((count, 2))
    for column in (rows.exchange, rows.sector, rows.industry, rows.beta, rows.tilt, rows.noise):
        column[second] = column[first]
    rows.issuer[second], rows.follow[second] = first, 1.0
    rows.price[second] = rows.price[first] * np.exp(0.05 * gap[:, 0])
    rows.volume[second] = rows.volume[first] * np.exp(-2.0 + gap[:, 1])
    rows.shares[second] = rows.shares[first] * 0.3
    for one, other in zip(second, first, strict=True):
        rows.symbol[one] = rows.symbol[other] + (
            "B" if rows.exchange[one] == "NASDAQ" and len(rows.symbol[other]) == 4 else ".B"
        )
        rows.name[one] = rows.name[other]


def _belonging(seed: int, base: Listings, rows: Listings, used: dict[str, int], offset: int) -> None:
    """Gives each preferred, warrant, unit, right and note an issuer among the base rows, a symbol and a series."""
    company = (base.issuer == np.arange(base.count)) & np.isin(base.group, ("common", "spac", "reit", "adr"))
    company &= ~np.isin(base.symbol, [n.symbol for n in assumed.NAMED])
    for code, group in enumerate(LINES):
        mine = np.flatnonzero(rows.group == group)
        order = stream(seed, Purpose.LINES, code).permutation(np.flatnonzero(company))
        financial = np.isin(base.sector[order], ("Finance", "Real Estate", "Utilities"))
        blank = base.group[order] == "spac"
        large = base.score[order, 0] > 0.3
        if group in ("preferred", "note"):
            order = order[np.argsort(~(financial & large & ~blank), kind="stable")]
            order = order[: max(len(order) // 8, 1)]  # a few issuers have most of the lines
        else:
            small = base.score[order, 0] < 0.0
            order = order[np.argsort(2 - 2 * blank - small, kind="stable")]
        place = used.get(group, 0) + np.arange(len(mine))
        used[group] = used.get(group, 0) + len(mine)
        first = order[place % len(order)]
        nth = place // len(order)
        rows.issuer[mine] = first - offset
        for row, parent, series in zip(mine, first, nth, strict=True):
            root, listed_at = base.symbol[parent].split(".")[0], base.exchange[parent]
            rows.exchange[row] = listed_at
            rows.sector[row] = base.sector[parent]
            rows.industry[row] = base.industry[parent]
            rows.name[row] = base.name[parent]
            rows.symbol[row] = _line_symbol(root, group, int(series), nasdaq=listed_at == "NASDAQ" and len(root) == 4)


def _line_symbol(root: str, group: str, series: int, *, nasdaq: bool) -> str:
    """The canonical symbol of a line of an issuer."""
    letter = "ABCDEFGHJKMNOQSTVXYZ"[series % 20]
    if group == "preferred":
        return f"{root}-P-{letter}" if series < 20 else f"{root}-P-{letter}{letter}"
    if nasdaq:
        mark = {"warrant": "W", "unit": "U", "right": "R", "note": "LGIZ"[series % 4]}[group]
        return f"{root[:4]}{mark}" + ("" if series < 4 and (group == "note" or series == 0) else letter)
    mark = {"warrant": ".WS", "unit": ".U", "right": ".RT", "note": ".N" + letter}[group]
    return root + mark + ("" if group == "note" or series == 0 else f".{letter}")


def base_listings(seed: int, total: int) -> tuple[Listings, dict[str, int]]:
    """The listings at the start, and how many lines of each group have been given away."""
    counts = counts_of(total)
    group = np.array([g for g in GROUPS for _ in range(counts[g])], dtype=object)
    n = len(group)
    codes = _base_codes(seed, group)
    rows = _build(seed, group, np.full(n, BEFORE, dtype=np.int64), Purpose.BASE, 0, codes)
    _place_named(rows)
    _second_classes(seed, rows)
    used: dict[str, int] = {}
    _belonging(seed, rows, rows, used, 0)
    _follow_issuers(rows)
    _describe(rows, stream(seed, Purpose.NAMES, 2).random(n))
    return rows, used


def _base_codes(seed: int, group: Texts) -> list[str]:
    """One- to four-letter codes: a few of one letter, most of four; the codes of the named listings stay free."""
    n = len(group)
    reserved = {named.symbol.split(".")[0] for named in assumed.NAMED}
    three = [c for c in short_codes(seed, 3, n // 4) if c not in reserved]
    two = [c for c in short_codes(seed, 2, min(n // 30, 200)) if c not in reserved]
    one = [c for c in short_codes(seed, 1, 18) if c not in reserved][: n // 400]
    four = [c for c in four_letter_codes(seed, BASE_CODES, n + 20) if c not in reserved]
    mixed = [*one, *two, *three, *four][:n]
    order = stream(seed, Purpose.CODES, 9).permutation(n)
    return [mixed[i] for i in order]


def _follow_issuers(rows: Listings) -> None:
    """How lines move with their issuer: warrants and rights amplify it, preferreds and notes hardly feel it."""
    for group, share in (("warrant", 1.2), ("right", 0.5), ("unit", 0.9), ("preferred", 0.1), ("note", 0.05)):
        rows.follow[rows.group == group] = share


def _describe(rows: Listings, uniform: Floats) -> None:
    """Appends to each name what the line is; named listings keep theirs."""
    line = np.isin(rows.group, LINES)
    series = np.where(line, pl.Series(rows.symbol.tolist(), dtype=pl.String).str.slice(-1).to_numpy(), "").astype(
        object
    )
    series[(rows.follow == 1.0) & (rows.group == "common")] = "class"
    full = described(rows.name, rows.group, series, uniform).to_numpy()
    keep = np.isin(rows.symbol, [named.symbol for named in assumed.NAMED])
    rows.name[:] = np.where(keep, rows.name, full)


def arrivals(seed: int, base: Listings, used: dict[str, int], sessions: int) -> Listings:
    """Listings that arrive in the sessions 0 .. sessions - 1, in that order."""
    rate = section("turnover")["arrivals"]
    yearly = np.array([assumed.FUND_LAUNCHES if g == "etf" else rate.get(g, 0.0) for g in GROUPS])
    size = np.array([(base.group == g).sum() for g in GROUPS])
    number = np.array([stream(seed, Purpose.ARRIVAL_COUNTS, t).poisson(yearly * size / 252) for t in range(sessions)])
    number = number.reshape(sessions, len(GROUPS)).astype(np.int64)
    index = np.repeat(np.tile(np.arange(len(GROUPS)), sessions), number.ravel())
    arrival = np.repeat(np.arange(sessions), number.sum(axis=1))
    group = np.array(GROUPS, dtype=object)[index]
    codes = four_letter_codes(seed, ARRIVAL_CODES, len(group))
    rows = _build(seed, group, arrival, Purpose.ARRIVALS, base.count, codes)
    _belonging(seed, base, rows, used, base.count)
    rows.issuer[:] += base.count
    _follow_issuers(rows)
    _describe(rows, stream(seed, Purpose.NAMES, 3).random(len(group)))
    return rows


def listed(seed: int, total: int, sessions: int) -> Listings:
    """Every listing of the market up to a number of sessions."""
    base, used = base_listings(seed, total)
    return base.joined(arrivals(seed, base, used, sessions))


def symbols_array(rows: Listings) -> npt.NDArray[np.str_]:
    """Symbols as a NumPy text array."""
    return rows.symbol.astype(str)
