"""Text to values: foreign spellings of symbols, numbers, dates and instants, over whole columns."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import polars as pl

from aitrader.domain.frames import UTC
from aitrader.domain.symbols import canonical_expr
from aitrader.providers.dataset_description import FileSpec
from aitrader.providers.dataset_files import Table
from aitrader.providers.dataset_format import Kind

RAW: Final = "raw:"  # prefix of the columns that keep a text which is no value, for the quarantine's detail
_NOTHING: Final = ("", "-", "--", "n/a", "na", "nan", "null", "none")
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896  # 0001-01-01 and 9999-12-31, as days from 1970
_ISO_DAY: Final = r"^\d{4}-\d{2}-\d{2}"


def typed(table: Table, kind: Kind, spec: FileSpec) -> pl.DataFrame:
    """The table with ``row`` and each of our columns in its own type; symbols in the canonical spelling.

    A text that is no value becomes null and stands in the column ``raw:NAME``, which exists only where one was met.
    A NaN in a column that is not required is a missing value.
    """
    frame = table.frame
    if spec.one_row_a_symbol:
        frame = frame.unique("symbol", keep="first", maintain_order=True)
    for name, role in kind.columns.items():
        if name not in frame.columns:
            continue
        if role == "symbol":
            frame = _symbols(frame, spec)
        elif role == "text":
            cleaned = pl.col(name).cast(pl.String).str.strip_chars()
            frame = frame.with_columns(pl.when(cleaned != "").then(cleaned).alias(name))
        elif role == "number":
            frame = _numbers(frame, name, required=name in kind.required)
        else:
            frame = _days(frame, name, spec) if role == "date" else _instants(frame, name, spec)
    if spec.known_on is not None:
        day = pl.lit(spec.known_on).str.to_date()
        frame = frame.with_columns(known_on=day if kind.columns["known_on"] == "date" else end_of_day(day))
    return frame


def end_of_day(day: pl.Expr) -> pl.Expr:
    """The instant that a fact known only by its date counts as: 23:59:59 New York, after that session's scan."""
    local = day.cast(pl.Datetime("us")) + timedelta(hours=23, minutes=59, seconds=59)
    return local.dt.replace_time_zone("America/New_York").dt.convert_time_zone("UTC")


def _symbols(frame: pl.DataFrame, spec: FileSpec) -> pl.DataFrame:
    """Spell each different symbol once."""
    text = frame["symbol"].cast(pl.String)
    seen = pl.DataFrame({"symbol": text.unique()}).with_columns(
        canonical=canonical_expr(pl.col("symbol"), provider=spec.spelling)
    )
    if seen["symbol"].equals(seen["canonical"], null_equal=True):
        return frame.with_columns(text)
    known = seen.drop_nulls("canonical")
    spelled = text.replace_strict(known["symbol"], known["canonical"], default=None, return_dtype=pl.String)
    return _with_raw(frame.with_columns(text), "symbol", spelled)


def _numbers(frame: pl.DataFrame, name: str, *, required: bool) -> pl.DataFrame:
    values = frame[name]
    if values.dtype in (pl.String, pl.Categorical, pl.Enum):
        text = values.cast(pl.String)
        plain = text.cast(pl.Float64, strict=False)
        if plain.null_count() > text.null_count():
            frame = _with_raw(frame, name, _spelled_numbers(text, plain))
        else:
            frame = frame.with_columns(plain)
    elif values.dtype != pl.Float64:
        frame = frame.with_columns(values.cast(pl.Float64))
    return frame if required else frame.with_columns(pl.col(name).fill_nan(None))


def _spelled_numbers(text: pl.Series, plain: pl.Series) -> pl.Series:
    """Numbers as people print them: $1.23, 1,234, (5.00), -3.96%."""
    bare = pl.col("text").str.replace_all(r"[\s$,]", "")
    negative = bare.str.contains(r"^\(.*\)$")
    percent = bare.str.ends_with("%")
    number = bare.str.strip_chars("()%").cast(pl.Float64, strict=False)
    signed = pl.when(negative).then(-number).otherwise(number)
    scaled = pl.when(percent).then(signed / 100).otherwise(signed)
    frame = pl.DataFrame({"text": text, "plain": plain})
    return frame.select(pl.coalesce("plain", scaled)).to_series()


def _days(frame: pl.DataFrame, name: str, spec: FileSpec) -> pl.DataFrame:
    frame = _of_our_era(frame, name)
    values = frame[name]
    if values.dtype == pl.Date:
        return frame
    if isinstance(values.dtype, pl.Datetime):
        zoned = pl.col(name).dt.convert_time_zone("America/New_York") if values.dtype.time_zone else pl.col(name)
        return frame.with_columns(zoned.dt.date())
    text = values.cast(pl.String)
    return _with_raw(frame.with_columns(text), name, _held(pl.select(_day_expr(pl.lit(text), spec)).to_series()))


def _day_expr(text: pl.Expr, spec: FileSpec) -> pl.Expr:
    text = text.str.strip_chars()
    if spec.date_format is not None:
        return text.str.to_date(spec.date_format, strict=False)
    start = pl.when(text.str.contains(_ISO_DAY + r"([T ].*)?$")).then(text.str.slice(0, 10))
    return pl.coalesce(start.str.to_date("%Y-%m-%d", strict=False), text.str.to_date("%Y%m%d", strict=False))


def _instants(frame: pl.DataFrame, name: str, spec: FileSpec) -> pl.DataFrame:
    frame = _of_our_era(frame, name)
    values = frame[name]
    if values.dtype == pl.Date:
        return frame.with_columns(end_of_day(pl.col(name)))
    if isinstance(values.dtype, pl.Datetime):
        at = (
            pl.col(name)
            if values.dtype.time_zone
            else pl.col(name).dt.replace_time_zone(spec.timezone, ambiguous="latest")
        )
        return frame.with_columns(at.dt.convert_time_zone("UTC").cast(UTC))
    text = values.cast(pl.String)
    stripped = pl.lit(text).str.strip_chars()
    day_only = stripped.str.contains(_ISO_DAY + "$") if spec.date_format is None else pl.lit(True)
    zoned = stripped.str.to_datetime("%+", strict=False, time_zone="UTC", time_unit="us")
    naive = pl.coalesce(
        stripped.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False, time_unit="us"),
        stripped.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", strict=False, time_unit="us"),
    )
    local = naive.dt.replace_time_zone(spec.timezone, ambiguous="latest", non_existent="null").dt.convert_time_zone(
        "UTC"
    )
    day = pl.when(day_only).then(end_of_day(_day_expr(pl.lit(text), spec)))
    parsed = pl.select(pl.coalesce(day, zoned, local)).to_series()
    return _with_raw(frame.with_columns(text), name, _held(parsed))


def _held(parsed: pl.Series) -> pl.Series:
    """The dates and instants that Python can hold, an instant in any zone; null for those before and after."""
    days = parsed.cast(pl.Date).to_physical().cast(pl.Int64)
    margin = 0 if parsed.dtype == pl.Date else 1
    held = days.is_between(_FIRST_DAY + margin, _LAST_DAY - margin)
    return parsed if held.all() else pl.select(pl.when(held).then(pl.lit(parsed))).to_series()


def _of_our_era(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """Dates and instants outside of the years 1 to 9999, which damaged files hold and Polars cannot print, are none."""
    values = frame[name]
    if values.dtype == pl.Date:
        ticks = 1
    elif isinstance(values.dtype, pl.Datetime):
        ticks = 86_400 * {"ms": 10**3, "us": 10**6, "ns": 10**9}[values.dtype.time_unit]
    else:
        return frame
    number = values.to_physical().cast(pl.Int64)
    first, last = max(_FIRST_DAY * ticks, -(2**63)), min(_LAST_DAY * ticks, 2**63 - 1)
    strange = ~number.is_between(first, last).fill_null(True)
    if not strange.any():
        return frame
    text = pl.when(strange).then(pl.lit("day ") + (number // ticks).cast(pl.String))
    kept = pl.when(~strange).then(pl.lit(values))
    return frame.with_columns(pl.select(kept.alias(name), text.alias(RAW + name)))


def _with_raw(frame: pl.DataFrame, name: str, parsed: pl.Series) -> pl.DataFrame:
    """The parsed column, and the texts that are no value beside it where there are any."""
    if parsed.null_count() == frame[name].null_count():
        return frame.with_columns(parsed.alias(name))
    text = frame[name].cast(pl.String).str.strip_chars()
    wrong = parsed.is_null() & text.is_not_null() & ~text.str.to_lowercase().is_in(_NOTHING)
    if name == "symbol":
        wrong = parsed.is_null() & text.is_not_null()
    frame = frame.with_columns(parsed.alias(name))
    if not wrong.any():
        return frame
    return frame.with_columns(pl.select(pl.when(wrong).then(text)).to_series().alias(RAW + name))
