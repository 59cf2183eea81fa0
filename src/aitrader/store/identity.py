"""Who is who: from symbols in listings and bars to security ids that are never reused.

A listing's line of evidence is cut where the same symbol comes with another FIGI (or CIK, where a FIGI is not
known), after a delisting, or after a gap of more than 60 sessions with a changed name; a symbol change and an equal
FIGI join lines under two symbols into one security. Stored intervals are evidence like any other, so that a
delivery in parts and a delivery at once end in the same securities.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from aitrader.domain.sessions import Calendar
from aitrader.store.segments import ALWAYS, FOREVER, Segment, close_delisted, infer, join_segments

GAP_SESSIONS = 60
STORED_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "security": pl.UInt32,
    "symbol": pl.String,
    "from_date": pl.Date,
    "to_date": pl.Date,
    "name": pl.String,
    "figi": pl.String,
    "cik": pl.String,
    "listed_on": pl.Date,
    "delisted_on": pl.Date,
    "closed_by": pl.String,
    "last_bar": pl.Date,
    "first_bar": pl.Date,
}


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """``segments``: symbol, from_date, to_date (exclusive, null: open), security, closed_by, declared.

    ``rows``: one row a delivered securities row (row, security, from_date of its segment, first: the security's
    first segment). ``new``: security, symbol, from_date of the ids given now.
    """

    segments: pl.DataFrame
    rows: pl.DataFrame
    new: pl.DataFrame


def bar_spans(bars: pl.DataFrame, calendar: Calendar) -> pl.DataFrame:
    """Each symbol's runs of bars (symbol, first, last), cut where more than 60 sessions lie between two bars."""
    ordinals = _ordinals(bars["date"].unique(), calendar)
    spans = bars.group_by("symbol").agg(first=pl.col("date").min(), last=pl.col("date").max(), rows=pl.len())
    spans = _with_ordinal(_with_ordinal(spans, ordinals, "first"), ordinals, "last")
    holes = (pl.col("last_ordinal") - pl.col("first_ordinal") + 1 - pl.col("rows")) > GAP_SESSIONS
    suspects = spans.filter(holes).select("symbol")
    whole = spans.filter(~holes).select("symbol", "first", "last")
    if suspects.is_empty():
        return whole.sort("symbol", "first")
    some = _with_ordinal(bars.join(suspects, on="symbol", how="semi").select("symbol", "date"), ordinals, "date")
    cut = (pl.col("date_ordinal").diff().over("symbol") > GAP_SESSIONS + 1).fill_null(value=False)
    some = some.sort("symbol", "date").with_columns(run=cut.cum_sum().over("symbol"))
    parts = some.group_by("symbol", "run").agg(first=pl.col("date").min(), last=pl.col("date").max())
    return pl.concat([whole, parts.select("symbol", "first", "last")]).sort("symbol", "first")


def resolve(
    *,
    stored: pl.DataFrame,
    securities: pl.DataFrame,
    bars: pl.DataFrame,
    actions: pl.DataFrame,
    calendar: Calendar,
    last_session: date,
    next_id: int,
) -> Resolution:
    """Give every symbol and date one security.

    ``stored`` has ``STORED_SCHEMA``; ``securities`` and ``actions`` the neutral schemas, ``securities`` with a column
    ``row``; ``bars`` at least symbol and date; new ids count from ``next_id`` in order of (first seen, symbol).
    """
    spans = bar_spans(bars, calendar)
    evidence = _cut(_evidence(stored, securities, spans, last_session), _gaps(stored, spans, calendar, last_session))
    segments = _segments(evidence, spans)
    close_delisted(segments, actions.filter(pl.col("kind") == "delisting"))
    join_segments(segments, actions.filter(pl.col("kind") == "symbol_change"), spans, last_session)
    infer(segments, spans, bars, calendar, GAP_SESSIONS)
    return _numbered(segments, evidence, spans, next_id)


def _ordinals(dates: pl.Series, calendar: Calendar) -> pl.DataFrame:
    known = dates.drop_nulls().sort()
    return pl.DataFrame(
        {"date": known, "ordinal": [calendar.ordinal(calendar.last_on_or_before(day)) for day in known]},
        schema={"date": pl.Date, "ordinal": pl.Int64},
    )


def _with_ordinal(frame: pl.DataFrame, ordinals: pl.DataFrame, column: str) -> pl.DataFrame:
    names = {"date": column, "ordinal": f"{column}_ordinal"}
    return frame.join(ordinals.rename(names), on=column, how="left", maintain_order="left")


def _gaps(stored: pl.DataFrame, spans: pl.DataFrame, calendar: Calendar, last_session: date) -> pl.DataFrame:
    """Absences of more than 60 sessions: symbol, after (the last bar before), until (the first bar after)."""
    known = (
        stored.filter(pl.col("first_bar").is_not_null())
        .group_by("symbol")
        .agg(first=pl.col("first_bar").min(), last=pl.col("last_bar").max())
    )
    known = known.filter(pl.col("symbol").is_in(spans["symbol"].implode()) | (pl.col("last") < last_session))
    runs = pl.concat([spans, known]).sort("symbol", "first")
    runs = runs.with_columns(after=pl.col("last").cum_max().over("symbol"))
    until = pl.col("first").shift(-1).over("symbol").fill_null(FOREVER)
    gaps = runs.select("symbol", "after", until=until).filter(pl.col("until") > pl.col("after"))
    ordinals = _ordinals(pl.concat([gaps["after"], gaps["until"].replace(FOREVER, last_session)]).unique(), calendar)
    gaps = _with_ordinal(gaps, ordinals, "after").with_columns(
        end=pl.when(pl.col("until") == FOREVER).then(pl.lit(last_session)).otherwise(pl.col("until"))
    )
    gaps = _with_ordinal(gaps, ordinals, "end")
    # An open gap has no bar at its end: the last session itself is one of the missing ones.
    missing = pl.col("end_ordinal") - pl.col("after_ordinal") - (pl.col("until") != FOREVER).cast(pl.Int64)
    return gaps.filter(missing > GAP_SESSIONS).select("symbol", "after", "until").sort("after")


def _evidence(stored: pl.DataFrame, securities: pl.DataFrame, spans: pl.DataFrame, last_session: date) -> pl.DataFrame:
    """Stored intervals and delivered rows in one frame, in order of the date from which each counts."""
    old = stored.select(
        "symbol",
        pl.col("from_date").alias("at"),
        pl.lit(0).alias("delivered"),
        pl.lit(None, dtype=pl.UInt32).alias("row"),
        "security",
        "name",
        "figi",
        "cik",
        pl.coalesce("listed_on", "from_date").alias("listed_on"),
        "delisted_on",
        "closed_by",
        "to_date",
        pl.lit(value=False).alias("traded"),
    )
    last = stored.group_by("symbol").agg(stored_last=pl.col("last_bar").max(), known=pl.len())
    returned = (
        spans.join(last, on="symbol")
        .filter(pl.col("first") > pl.col("stored_last"))
        .group_by("symbol")
        .agg(new_bar=pl.col("first").min())
    )
    new = securities.join(last, on="symbol", how="left").join(returned, on="symbol", how="left")
    alone = (pl.len().over("symbol") == 1) & pl.col("known").is_not_null()
    late = (
        pl.when(pl.col("listed_on") > pl.col("stored_last"))
        .then(pl.col("listed_on"))
        .otherwise(pl.coalesce("new_bar", pl.lit(last_session)))
    )
    new = new.select(
        "symbol",
        pl.when(pl.col("known_on").is_not_null())
        .then(pl.max_horizontal("known_on", "listed_on"))
        .when(alone)
        .then(late)
        .otherwise(pl.coalesce("listed_on", pl.lit(ALWAYS)))
        .alias("at"),
        pl.lit(1).alias("delivered"),
        "row",
        pl.lit(None, dtype=pl.UInt32).alias("security"),
        "name",
        "figi",
        "cik",
        "listed_on",
        "delisted_on",
        pl.when(pl.col("delisted_on").is_not_null()).then(pl.lit("delisting")).alias("closed_by"),
        pl.lit(None, dtype=pl.Date).alias("to_date"),
        (alone & pl.col("new_bar").is_not_null()).alias("traded"),
    )
    return pl.concat([old, new]).sort("symbol", "at", "delivered", "row", maintain_order=True)


def _cut(evidence: pl.DataFrame, gaps: pl.DataFrame) -> pl.DataFrame:
    """Add ``part``: rows of one part are one line of evidence under one symbol."""

    def before(column: str) -> pl.Expr:
        return pl.col(column).forward_fill().shift(1).over("symbol")

    rows = (
        evidence.with_row_index("position")
        .sort("at")
        .join_asof(gaps, left_on="at", right_on="after", by="symbol", allow_exact_matches=False, check_sortedness=False)
        .sort("position")
        .with_columns(plain=pl.col("name").str.to_lowercase().str.replace_all(r"[^a-z0-9]", ""))
        .with_columns(start=pl.coalesce("listed_on", "at"), ended_on=pl.coalesce("delisted_on", "to_date"))
        .with_columns(
            old_figi=before("figi"),
            old_cik=before("cik"),
            old_plain=before("plain"),
            old_end=before("ended_on"),
            old_start=before("start"),
            old_closed_by=before("closed_by"),
        )
    )
    figi = pl.col("figi") != pl.col("old_figi")
    cik = pl.any_horizontal(pl.col("figi").is_null(), pl.col("old_figi").is_null()) & (
        pl.col("cik") != pl.col("old_cik")
    )
    traded_on = pl.when(pl.col("traded") & (pl.col("old_closed_by") != "absence")).then(pl.col("at"))
    relisted = (pl.coalesce("listed_on", traded_on) >= pl.col("old_end")) & (pl.col("old_start") < pl.col("old_end"))
    renamed = (pl.col("plain") != pl.col("old_plain")) & (pl.col("at") <= pl.col("until"))
    fresh = pl.col("delivered") == 1
    cut = figi.fill_null(value=False) | cik.fill_null(value=False)
    cut = cut | (fresh & relisted.fill_null(value=False)) | (fresh & renamed.fill_null(value=False))
    rows = rows.with_columns(line=(cut | (pl.col("symbol") != pl.col("symbol").shift(1))).fill_null(value=True))
    rows = rows.with_columns(line=pl.col("line").cum_sum())
    # A stored interval begins a part of its own, unless only delivered rows stand before it in its line.
    stored_so_far = (1 - pl.col("delivered")).cum_sum().over("line")
    rows = rows.with_columns(within=(stored_so_far - 1).clip(lower_bound=0))
    return rows.with_columns(part=pl.struct("line", "within").rle_id())


def _segments(evidence: pl.DataFrame, spans: pl.DataFrame) -> list[Segment]:
    """One segment a part, in order of symbol and start; one that was closed by absence opens when it is back."""
    lasts = dict(spans.group_by("symbol").agg(pl.col("last").max()).iter_rows())
    is_new = pl.col("delivered") == 1
    parts = evidence.group_by("part", maintain_order=True).agg(
        pl.col("symbol").first(),
        security=pl.col("security").max(),
        stored_from=pl.col("at").filter(~is_new).first(),
        stored_to=pl.col("to_date").filter(~is_new).first(),
        stored_closed_by=pl.col("closed_by").filter(~is_new).first(),
        listed_on=pl.col("listed_on").filter(is_new).min(),
        first_at=pl.col("at").min(),
        delisted_on=pl.col("delisted_on").filter(is_new).drop_nulls().last(),
        figi=pl.col("figi").drop_nulls().last(),
        declared=is_new.any(),
    )
    segments: list[Segment] = []
    previous: Segment | None = None
    for row in parts.iter_rows(named=True):
        if previous is not None and previous.symbol != row["symbol"]:
            previous = None
        start = row["listed_on"] or (ALWAYS if previous is None else row["first_at"])
        start = row["stored_from"] or (start if previous is None else max(start, previous.start))
        end, closed_by = row["stored_to"], row["stored_closed_by"]
        if closed_by == "absence" and (row["declared"] or lasts.get(row["symbol"], ALWAYS) >= end):
            end, closed_by = None, None
        if row["delisted_on"] is not None and (end is None or row["delisted_on"] <= end):
            end, closed_by = row["delisted_on"], "delisting"
        segment = Segment(
            symbol=row["symbol"],
            start=start,
            end=end or FOREVER,
            closed_by=closed_by,
            security=row["security"],
            figi=row["figi"],
            declared=row["declared"],
            part=row["part"],
        )
        if previous is not None and previous.end > start:
            previous.end, previous.closed_by = start, previous.closed_by or "reuse"
        segments.append(segment)
        previous = segment
    return segments


def _numbered(segments: list[Segment], evidence: pl.DataFrame, spans: pl.DataFrame, next_id: int) -> Resolution:
    """Number the securities that are new, in order of the date first seen and of the symbol."""
    firsts = dict(spans.group_by("symbol").agg(pl.col("first").min()).iter_rows())
    roots: dict[int, list[Segment]] = {}
    for segment in segments:
        roots.setdefault(id(segment.root()), []).append(segment)
    fresh: list[tuple[date, str, list[Segment]]] = []
    for group in roots.values():
        ids = [segment.security for segment in group if segment.security is not None]
        if ids:
            for segment in group:
                segment.security = min(ids) if segment.security is None else segment.security
        else:
            seen = min((s.start if s.start > ALWAYS else firsts.get(s.symbol, FOREVER), s.symbol) for s in group)
            fresh.append((*seen, group))
    fresh.sort(key=lambda item: item[:2])
    for number, (_, _, group) in enumerate(fresh, start=next_id):
        for segment in group:
            segment.security = number
    table = pl.DataFrame(
        {
            "symbol": [s.symbol for s in segments],
            "from_date": [s.start for s in segments],
            "to_date": [None if s.end == FOREVER else s.end for s in segments],
            "security": [s.security for s in segments],
            "closed_by": [s.closed_by for s in segments],
            "declared": [s.declared for s in segments],
            "part": [s.part for s in segments],
        },
        schema={
            "symbol": pl.String,
            "from_date": pl.Date,
            "to_date": pl.Date,
            "security": pl.UInt32,
            "closed_by": pl.String,
            "declared": pl.Boolean,
            "part": pl.Int64,
        },
    ).sort(
        "security", "to_date", "from_date", nulls_last=True
    )  # a history rewritten to the new symbol overlaps the old
    table = table.with_columns(first=pl.col("from_date") == pl.col("from_date").min().over("security"))
    rows = (
        evidence.filter(pl.col("row").is_not_null())
        .select("row", pl.col("part").cast(pl.Int64))
        .join(table.select("part", "security", "from_date", "first"), on="part")
        .sort("row")
    )
    new = pl.DataFrame(
        {
            "security": range(next_id, next_id + len(fresh)),
            "symbol": [x[1] for x in fresh],
            "from": [x[0] for x in fresh],
        },
        schema={"security": pl.UInt32, "symbol": pl.String, "from": pl.Date},
    ).select("security", "symbol", from_date=pl.when(pl.col("from") != FOREVER).then(pl.col("from")))
    return Resolution(segments=table.drop("part"), rows=rows, new=new)
