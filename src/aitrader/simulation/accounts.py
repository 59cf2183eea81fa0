"""The accounts of every company, quarter by quarter, in step with its market value, its sector and its noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

import numpy as np

from aitrader.domain.sessions import NEW_YORK
from aitrader.simulation import assumed
from aitrader.simulation.fitted import section, table
from aitrader.simulation.listings import FILERS, Listings
from aitrader.simulation.names import Texts
from aitrader.simulation.streams import Bools, Floats, Ints, Purpose, stream

PAST: Final = 20  # quarters before the first session that are known
RATIOS: Final = ("earnings", "sales", "assets", "debts", "growth")
LOGARITHMIC: Final = ("sales", "assets")
SAME_COMPANY: Final = 1.0  # ``follow`` of a further class of shares
PACE_HOLDS: Final = 0.93  # persistence of growth from quarter to quarter; the fitted rest is passing noise
INCOME_HOLDS: Final = 0.5  # persistence of a quarter's deviation of income
SEASONS: Final = (1.0, -0.5, -1.0, 0.5)
MICROSECONDS: Final = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Books:
    """Quarters of all filing companies as (rows, quarters); quarter PAST is the first that ends after the start."""

    rows: Ints  # listing rows
    company: Ints  # place in ``rows`` of the company's first line
    ends: Ints  # days since 1970 of each period's end
    known: Ints  # microseconds since 1970 (UTC) at which each report is known
    fiscal: Ints  # 0..3: Q1, Q2, Q3 or the year's last quarter
    revenue: Floats
    income: Floats
    assets: Floats
    debts: Floats  # all liabilities
    loans: Floats  # debt among them
    cash_flow: Floats
    growth_of_shares: Floats  # over the listing's shares at its start
    surprise: Floats  # in spreads


def books(seed: int, listings: Listings, sessions: list[date]) -> Books:
    """The reports of every company and of its further classes, before and during the market."""
    own = listings.issuer == np.arange(listings.count)
    filer = np.isin(listings.group, FILERS) & np.isfinite(listings.shares)
    rows = np.flatnonzero(filer & (own | (listings.follow == SAME_COMPANY)))
    place = np.full(listings.count, -1, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    company = place[listings.issuer[rows]]
    cap = np.zeros(len(rows))
    np.add.at(cap, company, listings.shares[rows] * listings.price[rows])
    first, last = sessions[0], sessions[-1]
    quarters = PAST + ((last.year - first.year) * 12 + last.month - first.month) // 3 + 2
    drawn = Drawn(seed, listings, rows, quarters)
    months = drawn.months_from(first)
    ends = month_ends(months)
    flows = _flows(drawn, cap[company], listings.sector[rows], listings.group[rows] == "spac", months)
    known, fiscal = drawn.known(ends, months), drawn.fiscal(months)
    return Books(rows=rows, company=company, ends=ends, known=known, fiscal=fiscal, **flows)


class Drawn:
    """Random numbers of the companies: a company's further classes share its draws."""

    def __init__(self, seed: int, listings: Listings, rows: Ints, quarters: int) -> None:
        self.seed, self.issuer, self.total, self.quarters = seed, listings.issuer[rows], listings.count, quarters
        self.uniform = stream(seed, Purpose.FUNDAMENTALS).random((listings.count, 1))[self.issuer]
        self.normal = stream(seed, Purpose.FUNDAMENTALS, 1).standard_normal((listings.count, 9))[self.issuer]
        self.size, self.noise = listings.score[self.issuer, 0], listings.score[self.issuer, 3]
        plan = section("filings")["fiscal_year_end"]
        months, edges = np.array([int(k) for k in plan]), np.cumsum(list(plan.values()))
        self.year_end = months[np.minimum(np.searchsorted(edges, self.uniform[:, 0]), len(months) - 1)]

    def quarterly(self, variable: int, q: int) -> Floats:
        """Normals of one variable in one quarter, the same whatever comes later."""
        return stream(self.seed, Purpose.QUARTERS, variable << 16 | q).standard_normal(self.total)[self.issuer]

    def months_from(self, first: date) -> Ints:
        """Months (from year 0) in which each period ends; column PAST is the first that ends from the start on."""
        now = first.year * 12 + first.month - 1
        ahead = (self.year_end - 1 - now) % 3
        return np.asarray((now + ahead)[:, None] + 3 * (np.arange(self.quarters) - PAST)[None, :])

    def fiscal(self, months: Ints) -> Ints:
        """0..3: first, second, third, last quarter of the fiscal year."""
        return np.asarray(((months - (self.year_end - 1)[:, None]) // 3 - 1) % 4)

    def known(self, ends: Ints, months: Ints) -> Ints:
        """Instants of acceptance: a fitted lag after the period's end, shorter for large companies, on a weekday."""
        plan, levels = section("filings"), section("ratios")["levels"]
        quick, slow = (table(levels, plan[f"lag_{form}"], logarithmic=True) for form in ("10-Q", "10-K"))
        habit = 0.75 * (-0.6 * self.size + 0.8 * self.normal[:, 7])
        annual = self.fiscal(months) == 3
        result = np.empty(ends.shape, dtype=np.int64)
        for q in range(self.quarters):
            score = habit + 0.66 * self.quarterly(0, q)
            lag = np.where(annual[:, q], slow.at(score), quick.at(score))
            day = ends[:, q] + np.round(lag).astype(np.int64)
            weekday = (day + 3) % 7  # 1970-01-01 was a Thursday; 0 is Monday
            day = day + np.where(weekday >= 5, 7 - weekday, 0)
            when = stream(self.seed, Purpose.FILINGS, q).random((self.total, 2))[self.issuer]
            result[:, q] = utc_micros(day, filing_seconds(when[:, 0], when[:, 1]))
        return result


def month_ends(months: Ints) -> Ints:
    """Days since 1970 of the last day of months counted from year 0."""
    following = months + 1 - 1970 * 12
    return np.asarray(following.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) - 1)


def utc_micros(day: Ints, seconds: Ints) -> Ints:
    """Microseconds since 1970 (UTC) of New York wall-clock times given as days since 1970 and seconds of the day."""
    unique, place = np.unique(day, return_inverse=True)
    epoch = date(1970, 1, 1)
    noons = [datetime.combine(epoch + timedelta(days=int(d)), time(12), NEW_YORK) for d in unique]
    offset = np.array([int(noon.timestamp()) for noon in noons]) - unique * 86_400 - 43_200
    return np.asarray((day * 86_400 + seconds + offset[place]) * MICROSECONDS)


def filing_seconds(uniform: Floats, within: Floats) -> Ints:
    """Seconds of the day at which filings are accepted."""
    times = np.array(assumed.ACCEPTANCE)
    kind = np.minimum(np.searchsorted(np.cumsum(times[:, 2]), uniform, side="right"), len(times) - 1)
    begin, end = times[kind, 0] * 3_600, times[kind, 1] * 3_600
    return np.asarray((begin + (end - begin) * within).astype(np.int64))


def ratio_of(name: str, sector: Texts, score: Floats) -> Floats:
    """A ratio of each company by its sector's table, or by the table of all."""
    ratios = section("ratios")
    values = np.empty(len(sector))
    for word in sorted(set(sector)):
        mine = sector == word
        found = ratios.get(word, ratios[""])[name]
        values[mine] = table(ratios["levels"], found, logarithmic=name in LOGARITHMIC).at(score[mine])
    return values


def _scores(drawn: Drawn) -> Floats:
    """Normal scores of RATIOS given each company's scores of size and noise."""
    correlation = np.array(section("filings")["correlation"])
    given, asked, cross = correlation[:2, :2], correlation[2:, 2:], correlation[2:, :2]
    weight = cross @ np.linalg.inv(given)
    value, vector = np.linalg.eigh(asked - weight @ cross.T)
    root = vector * np.sqrt(np.maximum(value, 1e-6))
    return np.asarray(np.stack([drawn.size, drawn.noise], axis=1) @ weight.T + drawn.normal[:, :5] @ root.T)


def _log_revenue(drawn: Drawn, growth_score: Floats, months: Ints) -> tuple[Floats, Floats]:
    """Log revenue of each quarter up to a constant, and its part without season and passing noise.

    The pace of growth is a reversible chain through its score at the start, so the past is drawn backwards.
    """
    plan, ratios = section("filings"), section("ratios")
    growth = table(ratios["levels"], ratios[""]["growth"], logarithmic=False)
    fresh = math.sqrt(1 - PACE_HOLDS**2)
    pace = np.empty((len(growth_score), drawn.quarters))
    spot = growth_score
    for q in range(PAST - 1, -1, -1):
        pace[:, q] = spot
        spot = PACE_HOLDS * spot + fresh * drawn.quarterly(1, q)
    spot = growth_score
    for q in range(PAST, drawn.quarters):
        spot = PACE_HOLDS * spot + fresh * drawn.quarterly(1, q)
        pace[:, q] = spot
    walk = np.cumsum(growth.at(pace) / 4, axis=1)
    passing = plan["growth_spread"] * math.sqrt((1 - plan["growth_persistence"]) / 2)
    ripple = np.stack([drawn.quarterly(2, q) for q in range(drawn.quarters)], axis=1)
    season = assumed.SEASON * drawn.normal[:, 5][:, None] * np.array(SEASONS)[drawn.fiscal(months)]
    return walk + season + passing * ripple, walk


def _income_noise(drawn: Drawn) -> tuple[Floats, Floats]:
    """Deviations of income in margins of the company, an AR(1) chain, and their innovations in spreads.

    The median change on the year fixes the spread: |d_q - d_q-4| has median 0.6745 sqrt(2 (1 - h^4)) spreads.
    """
    hold = INCOME_HOLDS
    spread = section("filings")["change"] / (0.6745 * math.sqrt(2 * (1 - hold**4)))
    own = spread * np.exp(0.5 * np.clip(drawn.noise, -2, 2) - 0.1)
    chain, fresh = np.zeros((2, len(drawn.issuer), drawn.quarters))
    state = drawn.normal[:, 8]
    for q in range(drawn.quarters):
        fresh[:, q] = drawn.quarterly(3, q)
        state = hold * state + math.sqrt(1 - hold**2) * fresh[:, q]
        chain[:, q] = state * own
    return chain, fresh


def _flows(drawn: Drawn, cap: Floats, sector: Texts, blank: Bools, months: Ints) -> dict[str, Floats]:
    """Revenue, income and balance sheets that tie together and fit the company's value at its start.

    ``blank`` marks blank-check companies: no revenue, a little interest, nothing owed.
    """
    plan, ratios = section("filings"), section("ratios")
    levels = ratios["levels"]
    score = _scores(drawn)
    ratio = {name: ratio_of(name, sector, score[:, i]) for i, name in enumerate(RATIOS[:-1])}
    log_revenue, walk = _log_revenue(drawn, score[:, 4], months)
    year = np.exp(log_revenue[:, PAST - 4 : PAST]).sum(axis=1)
    revenue = np.exp(log_revenue) * (ratio["sales"] * cap / year)[:, None]
    deviation, surprise = _income_noise(drawn)
    deviation = deviation - deviation[:, PAST - 4 : PAST].mean(axis=1, keepdims=True)  # the last year is as fitted
    margin = (ratio["earnings"] / ratio["sales"])[:, None]
    income = revenue * (margin + np.abs(margin) * deviation)
    revenue[blank] = 0.0
    income[blank] = assumed.BLANK_CHECK_INTEREST / 4 * cap[blank, None] * (1 + 0.3 * deviation[blank])
    share = np.where(blank, 0.06, ratio["debts"])
    start = np.where(blank, 1.02, ratio["assets"]) * cap
    kept = np.cumsum(assumed.KEPT * income, axis=1)
    equity = (start * (1 - share))[:, None]
    equity = equity + np.maximum(kept - kept[:, [PAST - 1]], -0.8 * np.abs(equity))
    sized = start[:, None] * np.exp(0.5 * (walk - walk[:, [PAST - 1]]))
    assets = np.maximum(np.maximum(sized, 1.02 * equity), 0.05 * np.abs(equity) + 1_000.0)
    rest = np.clip(table(levels, ratios[""]["rest"], logarithmic=False).at(drawn.normal[:, 6]), 0.0, 1.0)
    loans = (assets - equity) * np.where(blank, 0.0, assumed.DEBT_OF_REST * rest)[:, None]
    extra = table(levels, plan["cash"], logarithmic=False).at(np.clip(drawn.normal[:, 5], -2.0, 2.0))
    mixed = np.clip(0.7 * drawn.noise + 0.7 * drawn.normal[:, 6], -2.0, 2.0)
    yearly = np.where(blank, 0.0, table(levels, plan["dilution"], logarithmic=False).at(mixed))
    return {
        "revenue": revenue,
        "income": income,
        "assets": assets,
        "debts": assets - equity,
        "loans": loans,
        "cash_flow": income + assets * np.where(blank, 0.0, extra / 4)[:, None],
        "growth_of_shares": np.exp(yearly[:, None] / 4 * (np.arange(drawn.quarters) - PAST + 1)[None, :]),
        "surprise": surprise,
    }
