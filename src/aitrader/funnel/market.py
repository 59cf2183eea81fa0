"""From the store to the fold: each session's bars, actions, filings, share counts and headlines, as known by then."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Protocol

import numpy as np
import polars as pl

from aitrader.domain.sessions import Calendar
from aitrader.features.facts import facts, shares_for_one
from aitrader.features.layout import FACTS
from aitrader.features.sentiment import scored
from aitrader.features.state import SessionData
from aitrader.funnel.listings import Listings

EPOCH = date(1970, 1, 1)
ONE_DAY = timedelta(days=1)
RATIO_KINDS = ("split", "stock_dividend")
# These explain a jump of the price; an ordinary dividend or a new symbol does not.
EXPLAINING_KINDS = ("split", "stock_dividend", "special_dividend", "spinoff", "merger")
CASH_KINDS = ("special_dividend", "spinoff", "stock_dividend")
BAR_COLUMNS = ("open", "high", "low", "close", "volume", "market_cap")


class Reads(Protocol):
    """What the engine reads of a store; frames carry ``security`` (u32)."""

    def sessions(self) -> list[date]:
        """Sessions with bars, in order."""

    def bars(self, session: date) -> pl.DataFrame:
        """The session's bars as they now stand."""

    def securities(self) -> pl.DataFrame:
        """Every listing that was ever seen, in order of id."""

    def attributes(self) -> pl.DataFrame:
        """What became known of each listing, and from when."""

    def symbol_intervals(self) -> pl.DataFrame:
        """Which symbol each security had from when to when."""

    def actions(
        self,
        *,
        after: date | None = None,
        always: tuple[str, ...] = (),
        securities: Sequence[int] | None = None,
    ) -> pl.DataFrame:
        """Corporate actions with an ex-date or known later than ``after``, those of the kinds ``always`` whenever."""

    def fundamentals(
        self,
        *,
        known_after: datetime | None = None,
        known_until: datetime | None = None,
        securities: Sequence[int] | None = None,
    ) -> pl.DataFrame:
        """Filings known in the window (after, until]."""

    def news(
        self,
        *,
        after: datetime | None = None,
        until: datetime | None = None,
        securities: Sequence[int] | None = None,
    ) -> pl.DataFrame:
        """Headlines published in the window (after, until]."""


@dataclass
class _Day:
    """What becomes known on one session besides its bars: security ids and values."""

    ratio: dict[int, float] = field(default_factory=dict)  # new shares / old shares
    cash: dict[int, float] = field(default_factory=dict)  # dollars a share
    special: dict[int, float] = field(default_factory=dict)
    acted: list[int] = field(default_factory=list)
    late: list[int] = field(default_factory=list)
    facts: pl.DataFrame | None = None
    shares: pl.DataFrame | None = None
    news: pl.DataFrame | None = None


def days(session: date) -> int:
    """Days since 1970-01-01."""
    return (session - EPOCH).days


class Market:
    """Events of the sessions in (``after``, ``until``], read once; bars are read session by session.

    ``adjustment`` is the source's: on adjusted sets the splits are in the prices already and are not applied again.
    An action that became known after its ex-date is *late*: it takes effect on the session it became known, by
    folding its securities again with ``settled`` (every action known by ``until`` counts from its ex-date).
    ``securities`` restricts what is loaded.
    """

    def __init__(
        self,
        store: Reads,
        *,
        calendar: Calendar,
        after: date | None,
        until: date,
        adjustment: str,
        settled: bool = False,
        securities: np.ndarray | None = None,
    ) -> None:
        self._store, self._calendar, self._adjustment = store, calendar, adjustment
        self._settled, self._only = settled, securities
        self.after, self.until = after, until
        stored = store.sessions()
        self._start = stored[0] if stored else None
        self._attributes = store.attributes()
        self._days: dict[date, _Day] = defaultdict(_Day)
        self._load_actions()
        self._load_facts()
        self._load_news()

    @cached_property
    def listings(self) -> Listings:
        """The listings, as known session by session."""
        base = self.after or self._start
        return Listings(self._store.securities(), self._attributes, self._store.symbol_intervals(), base=base)

    def data(self, session: date, ids: np.ndarray, *, traded: bool = True) -> SessionData:
        """The session aligned to ``ids`` (sorted security ids, the state's columns).

        ``traded`` false says that none of them has a bar yet, so that none needs to be read.
        """
        arrays = {name: np.full(ids.size, np.nan) for name in BAR_COLUMNS}
        if traded:
            bars = self._store.bars(session)
            columns, held = _place(ids, bars["security"].to_numpy())
            known = bars.select(pl.col(BAR_COLUMNS).cast(pl.Float64).fill_null(float("nan")))
            for name, values in arrays.items():
                values[columns] = known[name].to_numpy()[held]
        day = self._days.get(session, _Day())
        extra: dict[str, np.ndarray] = {}
        if day.ratio:
            extra["scale_columns"], extra["scale_shares"] = _placed(ids, day.ratio)
            extra["scale_price"] = 1.0 / extra["scale_shares"]
        if day.cash:
            extra["cash_columns"], extra["cash"] = _placed(ids, day.cash)
        if day.special:
            extra["special_columns"], extra["special"] = _placed(ids, day.special)
        if day.acted:
            extra["action_columns"] = _place(ids, np.array(sorted(set(day.acted)), dtype=np.uint32))[0]
        if day.facts is not None:
            at, kept = _place(ids, day.facts["security"].to_numpy())
            extra["fact_columns"] = at
            extra["fact_values"] = _floats(day.facts, FACTS)[:, kept]
        if day.shares is not None:
            at, kept = _place(ids, day.shares["security"].to_numpy())
            extra["share_columns"] = at
            extra["share_values"], extra["share_days"] = _floats(day.shares, ("shares", "day"))[:, kept]
        if day.news is not None:
            at, kept = _place(ids, day.news["security"].to_numpy())
            extra["news_columns"] = at
            extra["news_weight"], extra["news_score"], extra["news_days"] = _floats(
                day.news, ("weight", "score", "day")
            )[:, kept]
        return SessionData(ordinal=self._calendar.ordinal(session), day=days(session), **arrays, **extra)

    @property
    def first_event(self) -> date:
        """The first session on which anything besides bars becomes known; date.max where nothing does."""
        return min(self._days, default=date.max)

    def late(self, session: date) -> np.ndarray:
        """Securities with an action that became known on ``session``, after its ex-date; to be folded again."""
        day = self._days.get(session)
        return np.array(sorted(set(day.late)), dtype=np.uint32) if day else np.empty(0, dtype=np.uint32)

    def _load_actions(self) -> None:
        """Actions known by ``until``'s as_of, each on its ex-date, or late on the session it became known."""
        horizon = self._calendar.scheduled_as_of(self.until)
        only = None if self._only is None else self._only.tolist()
        actions = self._store.actions(after=self.after, always=RATIO_KINDS, securities=only)
        known = actions.filter(pl.col("known_at").is_null() | (pl.col("known_at") <= horizon))
        if self._only is not None:
            known = known.filter(pl.col("security").is_in(pl.Series(self._only).implode()))
        effective = self._calendar.effective_sessions(known["known_at"].fill_null(horizon))
        seen = pl.when(pl.col("known_at").is_null()).then(pl.col("ex_date")).otherwise(effective)
        actions = known.with_columns(seen.alias("seen"))
        due = actions.filter(pl.max_horizontal("ex_date", "seen") > (self.after or date.min))
        for row in due.select("security", "ex_date", "kind", "ratio", "cash", "seen").iter_rows():
            self._one_action(*row)
        self._splits = actions.filter(
            pl.col("kind").is_in(RATIO_KINDS) & (pl.col("ratio") > 0) & pl.lit(self._adjustment == "raw")
        ).select("security", "ex_date", "ratio", pl.col("ex_date" if self._settled else "seen").alias("seen"))

    def _one_action(
        self, security: int, ex_date: date, kind: str, ratio: float | None, cash: float | None, seen: date
    ) -> None:
        session = self._session_of(ex_date)
        if session is None:
            return
        if seen > session:
            if kind not in (*RATIO_KINDS, *CASH_KINDS):
                return  # it moves no price, and explains no jump after the fact
            if not self._settled:
                self._days[seen].late.append(security)
                return
        day = self._days[session]
        if kind in EXPLAINING_KINDS:
            day.acted.append(security)
        if kind in RATIO_KINDS and ratio is not None and ratio > 0:
            if self._adjustment == "raw":
                day.ratio[security] = day.ratio.get(security, 1.0) * ratio
        elif kind in CASH_KINDS and cash is not None and cash > 0 and self._adjustment != "all":
            paid = day.special if kind == "special_dividend" else day.cash
            paid[security] = paid.get(security, 0.0) + cash

    def _session_of(self, day: date) -> date | None:
        """The first session on or after a date, None beyond the calendar."""
        try:
            return self._calendar.next(day - ONE_DAY)
        except ValueError:
            return None

    def _load_facts(self) -> None:
        until = self._calendar.scheduled_as_of(self.until)
        only = None if self._only is None else self._only.tolist()
        if self.after is None:
            filings = self._store.fundamentals(known_until=until, securities=only)
        else:
            after = self._calendar.scheduled_as_of(self.after)
            filings = self._store.fundamentals(known_after=after, known_until=until, securities=only)
            if not filings.is_empty():
                touched = filings["security"].unique().sort().to_list()
                filings = self._store.fundamentals(known_until=until, securities=touched)
        if self._start is None:
            return
        filings = filings.with_columns(session=self._counts_from(filings["known_at"]))
        self._load_shares(filings)
        if filings.is_empty():
            return
        events = facts(filings, self._splits, since=self._calendar.scheduled_as_of(self._start))
        for session, rows in self._by_session(events, "known_at"):
            self._days[session].facts = rows.unique("security", keep="last", maintain_order=True)

    def _load_shares(self, filings: pl.DataFrame) -> None:
        """Share counts from filings (ordinary shares say nothing of an ADR) and from the reference records.

        A count is on the basis of the day it was told; an undated one on that of the session from which it counts.
        """
        attributes = self._attributes.with_columns(pl.col("known_on").fill_null(date.min)).sort("known_on")
        types = attributes.drop_nulls("security_type").select("security", "known_on", "security_type")
        filed = (
            filings.filter(pl.col("shares_outstanding") > 0)
            .sort("session", maintain_order=True)
            .join_asof(types, left_on="session", right_on="known_on", by="security", check_sortedness=False)
            .filter(pl.col("security_type").ne_missing("adr"))
            .with_columns(basis=pl.col("known_at").dt.convert_time_zone("America/New_York").dt.date())
        )
        # A reference record repeats the count of the one before it where it tells something else; one that repeats all
        # of it was told again.
        again = pl.all_horizontal(
            pl.col(name).eq_missing(pl.col(name).shift(1).over("security"))
            for name in attributes.columns
            if name not in ("security", "known_on")
        )
        other = pl.col("shares_outstanding").ne_missing(pl.col("shares_outstanding").shift(1).over("security"))
        told = attributes.filter((pl.col("shares_outstanding") > 0) & (other | again)).with_columns(
            basis=pl.when(pl.col("known_on") > EPOCH).then(pl.col("known_on")),
            known_at=pl.col("known_on").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
        )
        columns = ("security", "known_at", "basis", "shares_outstanding")
        counts = pl.concat([told.select(columns), filed.select(columns)])
        counts = counts.with_columns(session=self._counts_from(counts["known_at"]))
        counts = counts.with_columns(pl.coalesce("basis", "session"))
        became = shares_for_one(counts, self._splits, basis="basis", until="session")
        counts = counts.with_columns(shares=pl.col("shares_outstanding") * became).drop("session")
        for session, rows in self._by_session(counts, "known_at"):
            counted = rows.with_columns(pl.lit(float(days(session))).alias("day"))
            self._days[session].shares = counted.unique("security", keep="last", maintain_order=True)

    def _load_news(self) -> None:
        until = self._calendar.scheduled_as_of(self.until)
        after = self._calendar.scheduled_as_of(self.after) if self.after else None
        only = None if self._only is None else self._only.tolist()
        heard = self._store.news(after=after, until=until, securities=only)
        heard = scored(heard).drop_nulls("score")
        if heard.is_empty():
            return
        summed = (
            heard.with_columns(session=self._calendar.effective_sessions(heard["published_at"]))
            .group_by("session", "security")
            .agg(
                pl.len().cast(pl.Float64).alias("weight"),
                pl.col("score").sort_by("published_at", "headline").sum(),
                pl.col("published_at").max(),
                pl.col("published_at").dt.date().max().cast(pl.Int32).cast(pl.Float64).alias("day"),
            )
        )
        for session, rows in self._by_session(summed, "published_at"):
            self._days[session].news = rows.sort("security")

    def _counts_from(self, known_at: pl.Series) -> pl.Series:
        """The session from which what became known at an instant counts, the first stored one at the earliest."""
        session = self._calendar.effective_sessions(known_at)
        return pl.select(pl.max_horizontal(session, pl.lit(self._start))).to_series()

    def _by_session(self, rows: pl.DataFrame, instant: str) -> list[tuple[date, pl.DataFrame]]:
        """Rows grouped by the first session whose as_of is not before their instant; in order of instant inside.

        What was known before the first stored session counts from that session on.
        """
        if rows.is_empty() or self._start is None:
            return []
        known = instant == "known_at"
        session = self._counts_from(rows[instant]) if known else self._calendar.effective_sessions(rows[instant])
        placed = rows.with_columns(session.alias("session")).sort("session", instant, "security", maintain_order=True)
        low = self.after or date.min
        placed = placed.filter((pl.col("session") > low) & (pl.col("session") <= self.until))
        return [(key[0], part) for key, part in placed.partition_by("session", as_dict=True).items()]


def _placed(ids: np.ndarray, values: dict[int, float]) -> tuple[np.ndarray, np.ndarray]:
    """Columns within ``ids`` of the securities that have a value, and the values."""
    at, kept = _place(ids, np.fromiter(values, dtype=np.uint32))
    return at, np.fromiter(values.values(), dtype=float)[kept]


def _place(ids: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns of ``wanted`` ids within ``ids``, and which of ``wanted`` are there at all (boolean)."""
    if not ids.size:
        return np.empty(0, dtype=np.intp), np.zeros(wanted.size, dtype=bool)
    at = np.minimum(np.searchsorted(ids, wanted), ids.size - 1)
    held = ids[at] == wanted
    return at[held], held


def _floats(rows: pl.DataFrame, names: tuple[str, ...]) -> np.ndarray:
    return np.stack([rows[name].cast(pl.Float64).fill_null(float("nan")).to_numpy() for name in names])


def data_digest(before: str, data: SessionData, ids: np.ndarray, listings: str) -> str:
    """The chain of input digests: everything a step reads of one session, after the chain so far.

    Securities without a bar today add nothing, so a listing that comes later changes no earlier digest.
    """
    digest = hashlib.sha256(f"{before}{listings}{data.ordinal}".encode())
    traded = np.flatnonzero(data.close == data.close)
    digest.update(ids[traded].tobytes())
    for name in BAR_COLUMNS:
        digest.update(getattr(data, name)[traded].tobytes())
    for columns, values in _EVENTS:
        at = getattr(data, columns)
        digest.update(ids[at].tobytes())
        for value in values:
            digest.update(np.ascontiguousarray(getattr(data, value)).tobytes())
    return digest.hexdigest()


_EVENTS = (
    ("scale_columns", ("scale_price", "scale_shares")),
    ("cash_columns", ("cash",)),
    ("special_columns", ("special",)),
    ("action_columns", ()),
    ("fact_columns", ("fact_values",)),
    ("share_columns", ("share_values", "share_days")),
    ("news_columns", ("news_weight", "news_score", "news_days")),
)
