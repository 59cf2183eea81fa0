"""Reference data in the store: attributes, corporate actions, fundamentals, news.

What is stored is never overwritten: nulls change nothing, and a changed value is a revision that counts from the
moment it arrived, so that published history can still be reproduced.
"""

from __future__ import annotations

import sqlite3
from datetime import date, datetime, timedelta

import polars as pl

from aitrader.domain.frames import FUNDAMENTALS, NEWS, UTC
from aitrader.domain.security_type import SecurityType
from aitrader.store.frames import Types, insert, read_frame
from aitrader.store.instants import ALWAYS, sortable

FUNDAMENTAL_KEY = ("security", "period_end", "fiscal_period", "form")
FUNDAMENTAL_VALUES = tuple(name for name, kind in FUNDAMENTALS.items() if kind == pl.Float64)
ATTRIBUTES = ("name", "exchange", "security_type", "sector", "industry", "shares_outstanding", "cik", "figi")
RENEWED = timedelta(days=90)  # a count of shares is unknown after 400 days: before that it is asked for again
UNKNOWN = str(SecurityType.UNKNOWN)
_ACTION_VALUES = ("ratio", "cash", "new_symbol")

_ATTRIBUTE_TYPES: Types = {
    "security": pl.UInt32,
    "known_on": pl.Date,
    **{name: pl.Float64 if name == "shares_outstanding" else pl.String for name in ATTRIBUTES},
}
_ACTION_TYPES: Types = {
    "security": pl.UInt32,
    "symbol": pl.String,
    "ex_date": pl.Date,
    "kind": pl.String,
    "ratio": pl.Float64,
    "cash": pl.Float64,
    "new_symbol": pl.String,
    "known_at": UTC,
}
_FUNDAMENTAL_TYPES: Types = {"security": pl.UInt32, **FUNDAMENTALS}
_NEWS_TYPES: Types = {"security": pl.UInt32, **NEWS}


def assign(frame: pl.DataFrame, segments: pl.DataFrame, day: pl.Expr) -> pl.DataFrame:
    """Add ``security``: whoever held the row's symbol on ``day``, or held it last before, or first after.

    Null where nobody ever held the symbol. The order of rows is not kept.
    """
    held = segments.select("symbol", "from_date", "security").sort("from_date")
    many = held.group_by("symbol").agg(pl.len(), pl.col("security").first())
    frame = frame.join(many, on="symbol", how="left")
    if many["len"].max() in (None, 1):
        return frame.drop("len")
    simple = frame.filter((pl.col("len") == 1) | pl.col("len").is_null()).drop("len")
    rest = frame.filter(pl.col("len") > 1).drop("len").rename({"security": "earliest"})
    if rest.is_empty():
        return simple
    found = (
        rest.with_columns(day.alias("day"))
        .sort("day")
        .join_asof(held, left_on="day", right_on="from_date", by="symbol", check_sortedness=False)
    )
    found = found.with_columns(pl.coalesce("security", "earliest").alias("security"))
    return pl.concat([simple, found.select(simple.columns)])


def attributes(connection: sqlite3.Connection) -> pl.DataFrame:
    """Every security's attributes with the date from which each row counts, sorted by (security, known_on)."""
    columns = ", ".join(_ATTRIBUTE_TYPES)
    sql = f"SELECT {columns} FROM company_attributes ORDER BY security, known_on, population"
    return read_frame(connection, sql, _ATTRIBUTE_TYPES).unique(
        ["security", "known_on"], keep="last", maintain_order=True
    )


def new_attributes(stored: pl.DataFrame, delivered: pl.DataFrame, last_session: date) -> pl.DataFrame:
    """The rows to add: those that say something which the rows before them do not.

    ``delivered`` has security, known_on (null: not dated), from_date and first (see identity). Where nothing is dated,
    the row of the current symbol says what is so now: for a known security it counts from the last session. Other
    undated rows count always, those of a later symbol from its start. A null or an unknown type replaces nothing.
    A count of shares that is told again says something new after ``RENEWED``: that it still holds.
    """
    delivered = _telling(stored, delivered, last_session)
    known = stored.select("security").unique().with_columns(known=pl.lit(value=True))
    now = pl.col("known").is_not_null() & pl.col("known_on").is_null().all().over("security")
    now = now & (pl.col("from_date") == pl.col("from_date").max().over("security"))
    rows = delivered.join(known, on="security", how="left", maintain_order="left").with_columns(
        pl.coalesce(
            "known_on",
            pl.when(now)
            .then(pl.lit(last_session))
            .when(pl.col("first"))
            .then(pl.lit(date.fromisoformat(ALWAYS)))
            .otherwise(pl.col("from_date")),
        ).alias("known_on")
    )
    order = ["security", "known_on"]
    rows = rows.select(*order, *ATTRIBUTES, added=pl.lit(1)).unique(order, keep="last", maintain_order=True)
    both = pl.concat([stored.with_columns(added=pl.lit(0)), rows]).sort(*order, "added", maintain_order=True)
    known_on = pl.col("known_on")
    # A source that cannot tell the type says so; that is no better known than nothing.
    told = pl.when(pl.col("security_type") != UNKNOWN).then(pl.col("security_type"))
    filled = both.with_columns(
        pl.col(ATTRIBUTES).forward_fill().over("security"),
        told=told.forward_fill().over("security"),
        renewed=_renewed(pl.col("shares_outstanding"), known_on, known_on.shift(1).over("security")),
    ).with_columns(security_type=pl.coalesce("told", "security_type"))
    telling = pl.any_horizontal(
        pl.col(name).ne_missing(pl.col(name).shift(1).over("security")) for name in ATTRIBUTES
    ) | pl.col("security").ne_missing(pl.col("security").shift(1))
    return filled.filter((pl.col("added") == 1) & (telling | pl.col("renewed"))).drop("added", "told", "renewed")


def _renewed(shares: pl.Expr, known_on: pl.Expr, before: pl.Expr) -> pl.Expr:
    """Whether a count of shares is told that was last told long before; one that counts always is never old."""
    old = (before > pl.lit(date.fromisoformat(ALWAYS))) & (known_on - before >= pl.lit(RENEWED))
    return (shares.is_not_null() & old).fill_null(value=False)


def _telling(stored: pl.DataFrame, delivered: pl.DataFrame, last_session: date) -> pl.DataFrame:
    """Without the securities of which one undated row says what the last stored one says: nearly all, most days."""
    last = stored.unique("security", keep="last").select(
        "security", *(pl.col(name).alias(f"old_{name}") for name in ATTRIBUTES), stored="known_on"
    )
    rows = delivered.join(last, on="security", how="left", maintain_order="left")
    telling = (pl.col("security_type") != UNKNOWN) | pl.col("old_security_type").is_null()
    typed = pl.when(telling).then(pl.col("security_type"))
    said = {name: typed if name == "security_type" else pl.col(name) for name in ATTRIBUTES}
    news = pl.any_horizontal(
        value.is_not_null() & value.ne_missing(pl.col(f"old_{name}")) for name, value in said.items()
    )
    plain = pl.col("known_on").is_null().all().over("security") & (pl.len().over("security") == 1)
    renewed = _renewed(pl.col("shares_outstanding"), pl.lit(last_session), pl.col("stored"))
    return rows.filter(news | renewed | ~plain | pl.col("stored").is_null()).select(delivered.columns)


def insert_attributes(connection: sqlite3.Connection, rows: pl.DataFrame, population: int) -> int:
    """Store attribute rows; a row for a day that has one already is a revision and stands for it from now on."""
    frame = rows.with_columns(population=pl.lit(population))
    return insert(connection, "company_attributes", frame, conflict="ON CONFLICT DO NOTHING")


def actions(
    connection: sqlite3.Connection,
    *,
    after: date | None = None,
    always: tuple[str, ...] = (),
    securities: list[int] | None = None,
) -> pl.DataFrame:
    """Corporate actions as now known, one a (security, ex_date, kind), sorted by (ex_date, security, kind).

    With ``after`` those whose ex-date or day of being known is later, and those of the kinds ``always`` whenever.
    """
    columns = ", ".join(_ACTION_TYPES)
    parts: list[str] = []
    parameters: list[str | int] = []
    if after is not None:
        kinds = ", ".join("?" * len(always))
        parts.append(f"(ex_date > ? OR known_at > ? OR kind IN ({kinds}))")
        parameters += [after.isoformat(), after.isoformat(), *always]
    if securities is not None and len(securities) <= FEW:
        parts.append(f"security IN ({', '.join('?' * len(securities))})")
        parameters += securities
    where = "WHERE " + " AND ".join(parts) if parts else ""
    sql = f"SELECT {columns} FROM corporate_actions {where} ORDER BY ex_date, security, kind, population"
    frame = _only(read_frame(connection, sql, _ACTION_TYPES, parameters), securities)
    return frame.unique(["security", "ex_date", "kind"], keep="last", maintain_order=True)


def new_actions(stored: pl.DataFrame, delivered: pl.DataFrame, at: datetime) -> pl.DataFrame:
    """The actions to add: unknown ones as delivered, changed ones as known from ``at`` on.

    Several cash payments of one kind on one day are their sum; several splits are one.
    """
    key = ["security", "ex_date", "kind"]
    rows = delivered.select(list(_ACTION_TYPES)).unique([*key, *_ACTION_VALUES], maintain_order=True)
    cash = pl.col("kind").is_in(["dividend", "special_dividend"])
    rows = (
        rows.with_columns(
            pl.when(cash).then(pl.col("cash").sum().over(key)).otherwise(pl.col("cash")).alias("cash"),
        )
        .with_columns(pl.when(cash & (pl.col("cash") == 0)).then(None).otherwise(pl.col("cash")).alias("cash"))
        .unique(key, keep="first", maintain_order=True)
    )
    old = stored.select(*key, *(pl.col(name).alias(f"old_{name}") for name in _ACTION_VALUES), found=True)
    rows = rows.join(old, on=key, how="left", maintain_order="left")
    changed = pl.any_horizontal(
        pl.col(name).is_not_null() & pl.col(name).ne_missing(pl.col(f"old_{name}")) for name in _ACTION_VALUES
    )
    rows = rows.filter(pl.col("found").is_null() | changed).with_columns(
        *(pl.coalesce(name, f"old_{name}").alias(name) for name in _ACTION_VALUES),
        known_at=pl.when(pl.col("found")).then(pl.lit(at, dtype=UTC)).otherwise(pl.col("known_at")),
    )
    return rows.select(list(_ACTION_TYPES)).sort(key)


def fundamentals(
    connection: sqlite3.Connection,
    *,
    known_after: datetime | None = None,
    known_until: datetime | None = None,
    securities: list[int] | None = None,
) -> pl.DataFrame:
    """Filings with ``known_after`` < known_at <= ``known_until``, sorted by (known_at, security, period_end)."""
    where, parameters = _window("known_at", known_after, known_until, securities)
    columns = ", ".join(_FUNDAMENTAL_TYPES)
    order = "known_at, security, period_end, fiscal_period, form"
    frame = read_frame(
        connection, f"SELECT {columns} FROM fundamentals {where} ORDER BY {order}", _FUNDAMENTAL_TYPES, parameters
    )
    return _only(frame, securities).with_columns(
        pl.when(pl.col(n) != "").then(pl.col(n)).alias(n) for n in ("fiscal_period", "form")
    )


def new_fundamentals(connection: sqlite3.Connection, delivered: pl.DataFrame, at: datetime) -> pl.DataFrame:
    """The filings to add: unknown ones as delivered, changed ones as a revision known from ``at`` on."""
    key = [*FUNDAMENTAL_KEY, "known_at"]
    names = ("fiscal_period", "form")
    rows = delivered.select(list(_FUNDAMENTAL_TYPES)).with_columns(pl.col(names).fill_null(""))
    rows = rows.unique(key, keep="first", maintain_order=True).with_columns(revised=pl.lit(value=False))
    if rows.is_empty():
        return rows
    # A refresh brings the last days' filings: older ones are not read back, revisions all are.
    earliest = rows["known_at"].min()
    stored = read_frame(
        connection,
        f"SELECT {', '.join(_FUNDAMENTAL_TYPES)}, revised FROM fundamentals WHERE known_at >= ? OR revised = 1 "
        "ORDER BY known_at",
        {**_FUNDAMENTAL_TYPES, "revised": pl.Boolean},
        [sortable(earliest) if isinstance(earliest, datetime) else ""],
    )
    if stored.is_empty():
        return rows.sort("known_at", *FUNDAMENTAL_KEY)
    old = stored.select(*key, *(pl.col(name).alias(f"old_{name}") for name in FUNDAMENTAL_VALUES), found=True)
    rows = rows.join(old, on=key, how="left", maintain_order="left")
    changed = pl.any_horizontal(
        pl.col(name).is_not_null() & pl.col(name).ne_missing(pl.col(f"old_{name}")) for name in FUNDAMENTAL_VALUES
    )
    fresh = rows.filter(pl.col("found").is_null())
    revised = rows.filter(pl.col("found") & changed).with_columns(
        *(pl.coalesce(name, f"old_{name}").alias(name) for name in FUNDAMENTAL_VALUES),
        known_at=pl.lit(at, dtype=UTC),
        revised=pl.lit(value=True),
    )
    last = stored.filter("revised").unique(FUNDAMENTAL_KEY, keep="last").select(*FUNDAMENTAL_KEY, *FUNDAMENTAL_VALUES)
    same = [*FUNDAMENTAL_KEY, *FUNDAMENTAL_VALUES]
    revised = revised.join(last, on=same, how="anti", nulls_equal=True).unique(key, keep="last")
    columns = [*_FUNDAMENTAL_TYPES, "revised"]
    return pl.concat([fresh.select(columns), revised.select(columns)]).sort("known_at", *FUNDAMENTAL_KEY)


def news(
    connection: sqlite3.Connection,
    *,
    after: datetime | None = None,
    until: datetime | None = None,
    securities: list[int] | None = None,
) -> pl.DataFrame:
    """Headlines with ``after`` < published_at <= ``until``, sorted by (published_at, security, headline)."""
    where, parameters = _window("published_at", after, until, securities)
    sql = f"SELECT {', '.join(_NEWS_TYPES)} FROM news {where} ORDER BY published_at, security, headline"
    return _only(read_frame(connection, sql, _NEWS_TYPES, parameters), securities)


def insert_news(connection: sqlite3.Connection, delivered: pl.DataFrame, population: int) -> int:
    """Store headlines not yet known; a known one only gains the sentiment that it lacked."""
    frame = delivered.select(list(_NEWS_TYPES)).sort("published_at", "security", "headline")
    clause = (
        "ON CONFLICT DO UPDATE SET sentiment = excluded.sentiment "
        "WHERE sentiment IS NULL AND excluded.sentiment IS NOT NULL"
    )
    return insert(connection, "news", frame.with_columns(population=pl.lit(population)), conflict=clause)


FEW = 500  # securities that a statement may name; of more, everything is read and they are picked from it


def _only(frame: pl.DataFrame, securities: list[int] | None) -> pl.DataFrame:
    return frame if securities is None else frame.filter(pl.col("security").is_in(securities))


def _window(
    column: str, after: datetime | None, until: datetime | None, securities: list[int] | None
) -> tuple[str, list[str | int]]:
    parts: list[str] = []
    parameters: list[str | int] = []
    if securities is not None and len(securities) <= FEW:
        parts.append(f"security IN ({', '.join('?' * len(securities))})")
        parameters.extend(securities)
    for sign, bound in ((">", after), ("<=", until)):
        if bound is not None:
            parts.append(f"{column} {sign} ?")
            parameters.append(sortable(bound))
    return ("WHERE " + " AND ".join(parts) if parts else ""), parameters
