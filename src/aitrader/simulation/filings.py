"""What companies report, quarter by quarter, in step with their market value, their sector and their noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import numpy as np
import polars as pl

from aitrader.domain.frames import FUNDAMENTALS
from aitrader.domain.sessions import NEW_YORK, Calendar
from aitrader.simulation.events import Jumps
from aitrader.simulation.fitted import section, table
from aitrader.simulation.listings import FILERS, Listings
from aitrader.simulation.streams import Bools, Floats, Ints, Purpose, stream

PAST: Final = 20  # quarters before the first session that are known
DEBT_OF_REST: Final = 0.75  # share of non-current liabilities that is debt: the sets do not say
CAPITAL_SHARE: Final = 0.45  # capital expenditure over operating cash flow: likewise
RATIOS: Final = ("earnings", "sales", "assets", "debts", "growth")
TIMES: Final = ((6, 0, 9, 25, 0.38), (9, 31, 15, 59, 0.14), (16, 1, 17, 29, 0.42), (17, 30, 21, 0, 0.06))
# New York hours of acceptance and their shares: before the open, in the session, after the close, late
MULTI_CLASS: Final = 1.0  # ``follow`` of a further class of shares


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


def _month_end(months: Ints) -> Ints:
    """Days since 1970 of the last day of months counted from year 0."""
    following = months + 1
    first = (following // 12 - 1970).astype("datetime64[Y]").astype("datetime64[M]") + following % 12
    return np.asarray(first.astype("datetime64[D]").astype(np.int64) - 1)


def _utc_micros(day: Ints, seconds: Ints) -> Ints:
    """Microseconds since 1970 (UTC) of New York wall-clock times."""
    unique = np.unique(day)
    offsets = np.array(
        [
            datetime.combine(date(1970, 1, 1) + timedelta(days=int(d)), time(12), NEW_YORK).utcoffset().total_seconds()  # type: ignore[union-attr]
            for d in unique
        ]
    )
    offset = offsets[np.searchsorted(unique, day)].astype(np.int64)
    return (day * 86_400 + seconds - offset) * 1_000_000


def filing_seconds(uniform: Floats, within: Floats) -> Ints:
    """Seconds of the day at which filings are accepted."""
    share = np.cumsum([t[4] for t in TIMES])
    kind = np.minimum(np.searchsorted(share, uniform, side="right"), len(TIMES) - 1)
    begin = np.array([t[0] * 3600 + t[1] * 60 for t in TIMES])[kind]
    end = np.array([t[2] * 3600 + t[3] * 60 for t in TIMES])[kind]
    return (begin + (end - begin) * within).astype(np.int64)


def books(seed: int, listings: Listings, sessions: list[date]) -> Books:
    """The reports of every company and of its further classes, before and during the market."""
    filer = np.isin(listings.group, FILERS) & np.isfinite(listings.shares)
    own = listings.issuer == np.arange(listings.count)
    filer &= own | (listings.follow == MULTI_CLASS)
    rows = np.flatnonzero(filer)
    n = len(rows)
    place = np.full(listings.count, -1, dtype=np.int64)
    place[rows] = np.arange(n)
    company = place[listings.issuer[rows]]
    cap = np.zeros(n)
    np.add.at(cap, company, listings.shares[rows] * listings.price[rows])
    cap = cap[company]
    drawn = _Drawn(seed, listings, rows, company)
    first, last = sessions[0], sessions[-1]
    after = (last.year - first.year) * 12 + last.month - first.month
    quarters = PAST + after // 3 + 2
    months = drawn.months_from(first, quarters)
    ends = _month_end(months)
    known = drawn.known(ends, quarters)
    return _accounts(drawn, cap, listings, rows, company, ends, known, (months, quarters))


class _Drawn:
    """Random numbers of the companies: a company's further classes share its draws."""

    def __init__(self, seed: int, listings: Listings, rows: Ints, company: Ints) -> None:
        self.seed, self.company, self.issuer = seed, company, listings.issuer[rows]
        self.uniform = stream(seed, Purpose.FUNDAMENTALS).random((listings.count, 6))[self.issuer]
        self.normal = stream(seed, Purpose.FUNDAMENTALS, 1).standard_normal((listings.count, 8))[self.issuer]
        self.total = listings.count
        self.size = listings.score[self.issuer, 0]
        self.noise = listings.score[self.issuer, 3]
        plan = section("filings")
        words = np.array([int(k) for k in plan["fiscal_year_end"]])
        edges = np.cumsum(list(plan["fiscal_year_end"].values()))
        self.year_end = words[np.minimum(np.searchsorted(edges, self.uniform[:, 0]), len(words) - 1)]

    def quarterly(self, variable: int, q: int, columns: int = 1) -> Floats:
        """Normals of one variable in one quarter, the same whatever comes later."""
        drawn = stream(self.seed, Purpose.QUARTERS, variable << 16 | q).standard_normal((self.total, columns))
        return drawn[self.issuer]

    def months_from(self, first: date, quarters: int) -> Ints:
        """Months (from year 0) in which each period ends; column PAST is the first that ends from the start on."""
        now = first.year * 12 + first.month - 1
        ahead = (self.year_end - 1 - now) % 3
        return (now + ahead)[:, None] + 3 * (np.arange(quarters) - PAST)[None, :]

    def known(self, ends: Ints, quarters: int) -> Ints:
        """Instants of acceptance: a fitted lag after the period's end, shorter for large companies, on a weekday."""
        plan = section("filings")
        levels = section("ratios")["levels"]
        habit = 0.75 * (-0.6 * self.size + 0.8 * self.normal[:, 7])
        result = np.empty(ends.shape, dtype=np.int64)
        days = ends % 7  # 1970-01-01 was a Thursday
        months = (ends.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)) % 12 + 1
        for q in range(quarters):
            drawn = self.quarterly(0, q, 1)[:, 0]
            score = habit + 0.66 * drawn
            annual = months[:, q] == self.year_end
            lag = np.where(
                annual,
                table(levels, plan["lag_10-K"], logarithmic=True).at(score),
                table(levels, plan["lag_10-Q"], logarithmic=True).at(score),
            )
            day = ends[:, q] + np.minimum(np.round(lag), 200).astype(np.int64)
            weekday = (day + 3) % 7  # 0 is Monday
            day = day + np.where(weekday >= 5, 7 - weekday, 0)
            when = stream(self.seed, Purpose.FILINGS, q).random((self.total, 2))[self.issuer]
            result[:, q] = _utc_micros(day, filing_seconds(when[:, 0], when[:, 1]))
        del days
        return result


def _ratio_tables(name: str, sector: np.ndarray, score: Floats) -> Floats:
    """A ratio of each company by its sector's table, or by the table of all."""
    ratios = section("ratios")
    values = np.empty(len(sector))
    for word in np.unique(sector.astype(str)):
        mine = sector == word
        found = ratios.get(word, ratios[""])
        values[mine] = table(ratios["levels"], found[name], logarithmic=name in ("sales", "assets")).at(score[mine])
    return values


def _scores(drawn: _Drawn) -> Floats:
    """Normal scores of RATIOS given each company's scores of size and noise."""
    correlation = np.array(section("filings")["correlation"])
    given, asked = correlation[:2, :2], correlation[2:, 2:]
    cross = correlation[2:, :2]
    weight = cross @ np.linalg.inv(given)
    rest = asked - weight @ cross.T
    value, vector = np.linalg.eigh(rest)
    root = vector * np.sqrt(np.maximum(value, 1e-6))
    return np.stack([drawn.size, drawn.noise], axis=1) @ weight.T + drawn.normal[:, :5] @ root.T


def _accounts(
    drawn: _Drawn,
    cap: Floats,
    listings: Listings,
    rows: Ints,
    company: Ints,
    ends: Ints,
    known: Ints,
    frame: tuple[Ints, int],
) -> Books:
    """Revenue, income and balance sheets that tie together and fit the company's value at its start."""
    months, quarters = frame
    plan = section("filings")
    levels = section("ratios")["levels"]
    sector = listings.sector[rows]
    score = _scores(drawn)
    blank = listings.group[rows] == "spac"
    ratio = {name: _ratio_tables(name, sector, score[:, i]) for i, name in enumerate(RATIOS)}
    n = len(rows)
    persistence = 0.93  # of growth from quarter to quarter; what is not growth is passing noise
    passing = plan["growth_spread"] * math.sqrt(1 - plan["growth_persistence"]) / math.sqrt(2)
    pace = np.empty((n, quarters))
    walk = np.empty((n, quarters))
    spot = score[:, 4]
    level = np.zeros(n)
    for q in range(PAST - 1, -1, -1):  # backwards from the start, then forwards: the chain is reversible
        pace[:, q] = spot
        spot = persistence * spot + math.sqrt(1 - persistence**2) * drawn.quarterly(1, q)[:, 0]
    spot = score[:, 4]
    for q in range(PAST, quarters):
        spot = persistence * spot + math.sqrt(1 - persistence**2) * drawn.quarterly(1, q)[:, 0]
        pace[:, q] = spot
    for q in range(quarters):
        level = level + _ratio_tables("growth", sector, pace[:, q]) / 4
        walk[:, q] = level
    fiscal = ((months - (drawn.year_end - 1)[:, None]) // 3 - 1) % 4
    season = 0.07 * drawn.normal[:, 5][:, None] * np.array([1.0, -0.5, -1.0, 0.5])[fiscal]
    ripple = np.stack([drawn.quarterly(2, q)[:, 0] for q in range(quarters)], axis=1)
    log_revenue = walk + season + passing * ripple
    now = slice(PAST - 4, PAST)  # the four quarters before the start
    trailing = np.log(np.exp(log_revenue[:, now]).sum(axis=1))
    sales = np.where(blank, 1e-9, ratio["sales"])
    revenue = np.exp(log_revenue - trailing[:, None]) * (sales * cap)[:, None]
    margin = np.where(blank, 0.0, ratio["earnings"] / sales)
    drift, surprise = _income_noise(drawn, quarters, plan["change"])
    income = revenue * margin[:, None] * np.where(margin > 0, 1.0, -1.0)[:, None]
    income = np.sign(margin)[:, None] * income * 1.0 + np.abs(margin)[:, None] * revenue * drift
    income[blank] = (0.006 * cap[blank])[:, None] * (1 + 0.5 * drift[blank])
    debts_share = np.where(blank, 0.06, ratio["debts"])
    start_assets = np.where(blank, 1.02 * cap, ratio["assets"] * cap)
    kept = np.where(income > 0, 0.35 * income, 0.35 * income)  # the rest is paid out or raised anew
    built = np.cumsum(kept, axis=1)
    equity_start = start_assets * (1 - debts_share)
    floor = -0.8 * np.abs(equity_start)
    equity = equity_start[:, None] + np.maximum(built - built[:, [PAST - 1]], floor[:, None])
    sized = start_assets[:, None] * np.exp(0.5 * (walk - walk[:, [PAST - 1]]))
    assets = np.maximum(np.maximum(sized, equity * 1.02), np.abs(equity) * 0.05 + 1000.0)
    debts = assets - equity
    rest = np.clip(table(levels, section("ratios")[""]["rest"], logarithmic=False).at(drawn.normal[:, 6]), 0.0, 1.0)
    loans = debts * (DEBT_OF_REST * np.where(blank, 0.0, rest))[:, None]
    extra = table(levels, plan["cash"], logarithmic=False).at(np.clip(drawn.normal[:, 5], -2.0, 2.0))
    cash_flow = income + assets * (np.where(blank, 0.0, extra) / 4)[:, None]
    yearly = table(levels, plan["dilution"], logarithmic=False).at(np.clip(0.7 * drawn.noise + 0.7 * drawn.normal[:, 6], -2.0, 2.0))
    growth_of_shares = np.exp(np.where(blank, 0.0, yearly)[:, None] / 4 * (np.arange(quarters) - PAST + 1)[None, :])
    return Books(
        rows=rows, company=company, ends=ends, known=known, fiscal=fiscal, revenue=revenue, income=income,
        assets=assets, debts=debts, loans=loans, cash_flow=cash_flow, growth_of_shares=growth_of_shares,
        surprise=surprise,
    )  # fmt: skip


def _income_noise(drawn: _Drawn, quarters: int, change: float) -> tuple[Floats, Floats]:
    """Deviations of income in margins of the company, an AR(1) chain, and their innovations in spreads.

    The median change on the year fixes the spread: |d_q - d_q-4| has median 0.6745 x 1.37 spreads at persistence 0.5.
    """
    hold = 0.5
    spread = change / (0.6745 * math.sqrt(2 * (1 - hold**4)))
    spread_of = spread * np.exp(0.5 * np.clip(drawn.noise, -2, 2) - 0.1)
    chain = np.zeros((len(drawn.issuer), quarters))
    fresh = np.zeros_like(chain)
    state = drawn.normal[:, 4]
    for q in range(quarters):
        fresh[:, q] = drawn.quarterly(3, q)[:, 0]
        state = hold * state + math.sqrt(1 - hold**2) * fresh[:, q]
        chain[:, q] = state * spread_of
    return chain, fresh


def effective_sessions(known: Ints, calendar: Calendar, sessions: list[date]) -> Ints:
    """Index of the session whose trading first shows an instant: after the close it is the next one; -1 before all."""
    closes = np.array([int(calendar.close(s).timestamp() * 1e6) for s in sessions])
    spot = np.searchsorted(closes, known, side="right")
    opened = int(datetime.combine(sessions[0], time(0), NEW_YORK).astimezone(UTC).timestamp() * 1e6)
    return np.asarray(np.where(known < opened, -1, spot))


def jumps(book: Books, when: Ints, sessions: int) -> Jumps:
    """Moves of the listings on the sessions that first show their reports."""
    row = np.broadcast_to(book.rows[:, None], when.shape)
    first = book.company == np.arange(len(book.rows))
    inside = (when >= 0) & (when < sessions) & first[:, None]
    report = section("report")
    session, rows = when[inside], row[inside]
    size = report["scale"] * np.sinh(report["bend"] * book.surprise[inside])
    order = np.lexsort((rows, session))
    return Jumps(session=session[order], row=rows[order], size=size[order])


def frame(seed: int, book: Books, when: Ints, listings: Listings, context: FilingContext) -> pl.DataFrame:
    """The reports as delivered: three quarters and a year, on the share basis of the day they became known."""
    n, quarters = book.ends.shape
    annual = book.fiscal == 3
    q = np.arange(quarters)[None, :]

    def period(flow: Floats) -> Floats:
        padded = np.cumsum(np.concatenate([np.zeros((n, 1)), flow], axis=1), axis=1)
        year = padded[:, 1:] - padded[:, np.maximum(np.arange(1, quarters + 1) - 4, 0)]
        return np.where(annual, year, flow)

    last_known = context.last_known
    arrival = listings.arrival[book.rows]
    begun = np.where(arrival < 0, -1, arrival)[:, None]
    prospectus = (when < begun) & (begun >= 0)
    known = np.where(prospectus, context.listing_instant[np.maximum(begun, 0)], book.known)
    ended = context.ended[book.rows][:, None]
    shown = (known <= last_known) & (np.where(prospectus, begun, when) < ended)
    # A year needs its four quarters; the first fiscal year that begins within the table is where reports start.
    whole = q - book.fiscal >= 0
    recent = q >= PAST - np.where(begun >= 0, 4, PAST)
    shown &= whole & recent
    shown &= ~(prospectus & (q > PAST + np.maximum(begun, 0) // 63 + 1))
    session = np.where(prospectus, begun, when)
    basis = context.split_scale(book.rows, session)
    line_shares = listings.shares[book.rows][:, None] * book.growth_of_shares * basis
    price = listings.price[book.rows]
    cap = np.zeros(n)
    np.add.at(cap, book.company, listings.shares[book.rows] * price)
    equal_shares = (cap[book.company] / price)[:, None] * book.growth_of_shares * basis
    net = period(book.income)
    eps = np.round(net / (equal_shares * 1.02), 4)
    r, c = np.nonzero(shown)
    foreign = listings.group[book.rows] == "adr"
    form = np.where(annual, "10-K", "10-Q").astype(object)
    form[foreign] = np.where(annual[foreign], "20-F", "6-K")
    form[np.broadcast_to(prospectus, form.shape)] = "424B4"
    word = np.array(["Q1", "Q2", "Q3", "FY"], dtype=object)[book.fiscal]
    code = context.code_at(book.rows, session)
    out = pl.DataFrame(
        {
            "symbol": pl.Series(context.symbols).gather(code[r, c]),
            "period_end": pl.Series(book.ends[r, c].astype(np.int32)).cast(pl.Date),
            "known_at": pl.Series(known[r, c]).cast(pl.Datetime("us", "UTC")),
            "fiscal_period": pl.Series(word[r, c].tolist(), dtype=pl.String),
            "form": pl.Series(form[r, c].tolist(), dtype=pl.String),
            "revenue": np.round(period(book.revenue)[r, c]),
            "net_income": np.round(net[r, c]),
            "eps_diluted": eps[r, c],
            "assets": np.round(book.assets[r, c]),
            "liabilities": np.round(book.debts[r, c]),
            "total_debt": np.round(book.loans[r, c]),
            "equity": np.round(book.assets[r, c]) - np.round(book.debts[r, c]),
            "operating_cash_flow": np.round(period(book.cash_flow)[r, c]),
            "capital_expenditure": np.round(CAPITAL_SHARE * np.abs(period(book.cash_flow)[r, c])),
            "shares_outstanding": np.round(line_shares[r, c]),
        },
        schema=FUNDAMENTALS,
    )
    again = _restated(seed, out, (book.rows[r], c), last_known)
    return pl.concat([out, again]).sort("known_at", "symbol", "period_end", "form")


def _restated(seed: int, out: pl.DataFrame, key: tuple[Ints, Ints], last_known: int) -> pl.DataFrame:
    """Amendments of a few reports, 30 to 200 days later, with a lower or higher income."""
    row, quarter = key
    share = section("filings")["restated"]
    limit = int(row.max(initial=0)) + 1
    found: list[pl.DataFrame] = []
    for q in np.unique(quarter):
        drawn = stream(seed, Purpose.FILINGS, 1 << 20 | int(q)).random((limit, 3))
        mine = np.flatnonzero(quarter == q)
        hit = mine[drawn[row[mine], 0] < share]
        if not len(hit):
            continue
        delay, factor = drawn[row[hit], 1], 1 + 0.3 * (drawn[row[hit], 2] - 0.6)
        part = out[hit].filter(pl.lit(True)).with_columns(
            known_at=pl.col("known_at") + pl.Series((30 + 170 * delay).astype(np.int64) * 86_400_000_000).cast(pl.Duration("us")),
            form=pl.col("form") + "/A",
            net_income=(pl.col("net_income") * pl.Series(factor)).round(),
            eps_diluted=(pl.col("eps_diluted") * pl.Series(factor)).round(4),
        )
        found.append(part.filter(pl.col("form") != "424B4/A"))
    if not found:
        return out.clear()
    every = pl.concat(found)
    return every.filter(pl.col("known_at").cast(pl.Int64) <= last_known)


@dataclass(frozen=True, kw_only=True)
class FilingContext:
    """What the played sessions decide for filings: symbols, splits, ends and the instants of listing."""

    symbols: list[str]
    ended: Ints
    last_known: int  # microseconds: the end of the last session's day
    listing_instant: Ints  # per session: 08:00 New York
    splits: list[tuple[int, int, float]]
    renames: list[tuple[int, int, int]]

    def split_scale(self, rows: Ints, session: Ints) -> Floats:
        """Product of the ratios of each row's splits up to a session."""
        scale = np.ones(session.shape)
        place = {int(row): i for i, row in enumerate(rows)}
        for at, row, ratio in self.splits:
            if row in place:
                i = place[row]
                scale[i] = np.where(session[i] >= at, scale[i] * ratio, scale[i])
        return scale

    def code_at(self, rows: Ints, session: Ints) -> Ints:
        """The symbol in force for each row at a session."""
        code = np.repeat(rows[:, None], session.shape[1], axis=1)
        place = {int(row): i for i, row in enumerate(rows)}
        for at, row, new in self.renames:
            if row in place:
                i = place[row]
                code[i] = np.where(session[i] >= at, new, code[i])
        return code


def last_instant(day: date) -> int:
    """Microseconds since 1970 of the end of a New York day."""
    return int(datetime.combine(day, time(23, 59, 59), NEW_YORK).astimezone(UTC).timestamp() * 1e6)


def shown_rows(mask: Bools) -> int:
    """Number of reports in a mask."""
    return int(mask.sum())
