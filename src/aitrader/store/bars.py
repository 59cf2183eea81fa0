"""Bars: one immutable, content-addressed Parquet file a session; a correction is a new file with a later known_at.

The digest is of the values, not of the file's bytes, so that another compression or library version makes no
correction. Columns: security (u32, sorted), open, high, low, close, volume, market_cap (f64, null = missing).
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from aitrader.domain.errors import StoreError
from aitrader.store.files import sync_folder, write_file

BAR_VALUES = ("open", "high", "low", "close", "volume", "market_cap")
BAR_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "security": pl.UInt32,
    **dict.fromkeys(BAR_VALUES, pl.Float64),
}
WRITERS = 4
MOST = 0.9  # of a session's stored rows: a delivery of fewer does not speak for the session as a whole
Progress = Callable[[str, int, int], None]  # what is being done, how much is done, how much there is


@dataclass(frozen=True, kw_only=True)
class BarFile:
    """A session's bars as stored: ``digest`` is SHA-256 over the values.

    ``feed`` says whose trades the volumes count (null: all), ``provisional`` that the values may still change.
    """

    session: date
    digest: str
    file: str
    rows: int
    feed: str | None = None
    provisional: bool = False


@dataclass(frozen=True, kw_only=True)
class BarChanges:
    """The files that a delivery adds, and those that only changed their flags.

    ``corrected`` has a row (session, security) for each changed stored row.
    """

    files: tuple[BarFile, ...]
    flagged: tuple[BarFile, ...]
    corrected: pl.DataFrame


def session_key() -> pl.Expr:
    """One integer a (date, security), in that order."""
    return pl.col("date").to_physical().cast(pl.Int64) * (1 << 32) + pl.col("security").cast(pl.Int64)


def by_session(bars: pl.DataFrame) -> list[tuple[date, pl.DataFrame, str]]:
    """Split bars (security, date and the values) into sessions: the date, the sorted frame and its digest."""
    order = bars.select(session_key()).to_series()
    if not order.is_sorted():
        bars = bars[order.arg_sort()]
    groups = bars.group_by("date", maintain_order=True).len()
    ends = groups["len"].cum_sum().to_list()
    starts = [0, *ends][:-1]
    spoiled = [name for name in BAR_VALUES if bars[name].is_nan().any()]
    bars = bars.select("security", *(pl.col(n).fill_nan(None) if n in spoiled else pl.col(n) for n in BAR_VALUES))
    values = bars.rechunk()

    def digest(part: tuple[int, int]) -> str:
        return digest_bars(values.slice(part[0], part[1] - part[0]))

    with ThreadPoolExecutor(WRITERS) as pool:
        digests = list(pool.map(digest, zip(starts, ends, strict=True)))
    return [
        (day, values.slice(start, end - start), found)
        for day, start, end, found in zip(groups["date"], starts, ends, digests, strict=True)
    ]


def digest_bars(frame: pl.DataFrame) -> str:
    """SHA-256 over one session's values, missing ones as one bit pattern."""
    values = (frame[name].fill_nan(None).fill_null(np.nan).to_numpy() for name in BAR_VALUES)
    return _digest([frame["security"].to_numpy(), *values])


def _digest(columns: list[np.ndarray]) -> str:
    total = hashlib.sha256()
    for column in columns:
        total.update(np.ascontiguousarray(column).view(np.uint8).data)
    return total.hexdigest()


def read_bars(path: Path) -> pl.DataFrame:
    """One session's bars; a missing or damaged file is an error that says how to get it back."""
    try:
        return pl.read_parquet(path, memory_map=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise StoreError(
            f"cannot read the bars in {path.name}",
            why="the file is missing" if isinstance(error, FileNotFoundError) else "the file is damaged",
            do="run `universe --populate --force-refresh` to write it again",
        ) from None


def write_changes(
    folder: Path,
    sessions: list[tuple[date, pl.DataFrame, str]],
    stored: dict[date, BarFile],
    *,
    replaces: bool,
    settles: bool,
    verify: bool,
    progress: Progress | None,
    feed: str | None = None,
    provisional: frozenset[date] = frozenset(),
) -> BarChanges:
    """Write the files of the sessions that are new or changed, all durable on return.

    A delivered row replaces the stored one value by value, nulls never do; a stored row that is not delivered
    stays, unless ``replaces``. Of a session with far fewer rows than are stored the marks stay too, unless the delivery
    ``settles`` it. ``verify`` reads unchanged files back and writes damaged ones again. Of ``provisional``
    sessions the delivered values may still change; where the stored ones are final, they only add to them.
    """
    done = 0

    def write(item: tuple[date, pl.DataFrame, str]) -> tuple[BarFile | None, BarFile | None, pl.DataFrame | None]:
        nonlocal done
        session, frame, digest = item
        before = stored.get(session)
        most = before is None or settles or frame.height >= MOST * before.rows
        corrected: pl.DataFrame | None = None
        result: BarFile | None = None
        flagged: BarFile | None = None
        if before is not None and before.digest != digest:
            try:
                old = read_bars(folder / before.file)
            except StoreError:
                if not verify:
                    raise
                old = frame.clear()
            if session in provisional and not before.provisional:
                frame = _overlaid(frame, old, replaces=False)  # they were read before the final ones were
            else:
                frame = _overlaid(old, frame, replaces=replaces)
            digest = digest_bars(frame)
            if digest != before.digest:
                corrected = _changed(old, frame).select(pl.lit(session).alias("session"), "security")
        open_still, counted = _flags(before, digest, provisional=session in provisional, feed=feed, most=most)
        if before is None or digest != before.digest or not _whole(folder / before.file, digest, verify=verify):
            file = before.file if before is not None and digest == before.digest else f"{session}.{digest[:16]}.parquet"
            buffer = io.BytesIO()
            frame.write_parquet(buffer, compression="lz4", statistics=False)
            write_file(folder / file, [buffer.getbuffer()])
            result = BarFile(
                session=session, digest=digest, file=file, rows=frame.height, feed=counted, provisional=open_still
            )
        elif (before.provisional, before.feed) != (open_still, counted):
            flagged = replace(before, provisional=open_still, feed=counted)
        done += 1
        if progress is not None:
            progress("bars", done, len(sessions))
        return result, flagged, corrected

    with ThreadPoolExecutor(WRITERS) as pool:
        results = list(pool.map(write, sessions))
    files = tuple(file for file, _, _ in results if file is not None)
    flagged = tuple(file for _, file, _ in results if file is not None)
    if files:
        sync_folder(folder)
    changed = [frame for _, _, frame in results if frame is not None and not frame.is_empty()]
    empty = pl.DataFrame(schema={"session": pl.Date, "security": pl.UInt32})
    return BarChanges(files=files, flagged=flagged, corrected=pl.concat([empty, *changed]))


def _flags(
    before: BarFile | None, digest: str, *, provisional: bool, feed: str | None, most: bool
) -> tuple[bool, str | None]:
    """Whether a session's bars may still change, and whose trades they count, after a delivery of them.

    Final values told again as provisional stay final; a few symbols' final values leave the others' provisional.
    """
    if before is None:
        return provisional, feed
    open_still = before.provisional or digest != before.digest if provisional else before.provisional and not most
    return open_still, feed if most else before.feed


def _whole(path: Path, digest: str, *, verify: bool) -> bool:
    if not verify:
        return path.exists()
    try:
        return digest_bars(read_bars(path)) == digest
    except StoreError:
        return False


def _overlaid(old: pl.DataFrame, new: pl.DataFrame, *, replaces: bool) -> pl.DataFrame:
    joined = new.join(old, on="security", how="left" if replaces else "full", coalesce=True, suffix="_old")
    values = [pl.coalesce(pl.col(name), pl.col(f"{name}_old")).alias(name) for name in BAR_VALUES]
    return joined.select("security", *values).sort("security")


def _changed(old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    joined = new.with_columns(here=True).join(
        old.with_columns(there=True), on="security", how="full", coalesce=True, suffix="_old"
    )
    same = pl.all_horizontal(
        pl.col("here").is_not_null(),
        pl.col("there").is_not_null(),
        *(pl.col(name).eq_missing(pl.col(f"{name}_old")) for name in BAR_VALUES),
    )
    return joined.filter(~same).select("security").sort("security")
