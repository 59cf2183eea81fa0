"""What is listed now: every source of listings asked in its order, and what they say merged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from aitrader.domain.errors import SourceError
from aitrader.domain.report import Report
from aitrader.providers.bodies import Page
from aitrader.providers.merge import ADDS_NONE, COMPARED, Merged, merge
from aitrader.providers.vendor import Lister

SHORT: Final = 0.9  # of what was listed the last time: a list with fewer is short
_GUESSED: Final = r"security_type:(alpaca|sec)\b"
MOST_ASKED: Final = 5  # of the symbols that a list lacks all of a sudden


@dataclass(frozen=True, kw_only=True)
class Discovery:
    """The listings, and how far they can be trusted about what they lack."""

    merged: Merged
    answered: tuple[str, ...]
    authority: str | None  # whose absence counts; None: nobody's, for the first source did not answer
    quarantine: pl.DataFrame
    received: Mapping[str, int]  # rows of each source's list: kept and set aside


def discover(
    listers: Sequence[Lister], *, required: bool, report: Report, listed: frozenset[str] = frozenset()
) -> Discovery | None:
    """Ask them all. ``required``: the first one has to answer. None where none answers.

    ``listed``: the symbols of the last time. A list that has far fewer is told, though others fill in what it lacks.
    """
    told: list[tuple[str, pl.DataFrame]] = []
    quarantine: list[pl.DataFrame] = []
    received: dict[str, int] = {}
    with ThreadPoolExecutor(max(1, len(listers)), thread_name_prefix="list") as pool:  # each has its own limit
        answers = list(pool.map(_asked, listers))
    for at, (lister, page) in enumerate(zip(listers, answers, strict=True)):
        if isinstance(page, SourceError):
            if required and at == 0:
                raise page
            report.warn(f"{lister.name} gave no listings and is left out: {page}")
            continue
        told.append((lister.name, page.frame))
        quarantine.append(page.quarantine)
        received[lister.name] = page.frame.height + _rows(page)
        report.step(f"{lister.name}: {page.frame.height:,} listings, {_rows(page):,} rows set aside")
    if not told:
        return None
    for name, frame in told:
        if len(told) > 1 and name not in ADDS_NONE and frame.height < SHORT * len(listed):
            lack = f"{name} lists {frame.height:,} symbols where {len(listed):,} were listed"
            report.warn(f"{lack}: the rest is from the others")
    merged = _without_guesses(merge(told), {lister.name for lister in listers}, listed)
    first = listers[0].name
    # What another source lists alone is not absent because that source is silent today.
    silent = any(
        isinstance(page, SourceError) and lister.name not in ADDS_NONE
        for lister, page in zip(listers, answers, strict=True)
    )
    return Discovery(
        merged=merged,
        answered=tuple(name for name, _ in told),
        # The SEC lists companies: what it lacks may be listed all the same.
        authority=first if not silent and told[0][0] == first and first != "sec" else None,
        quarantine=pl.concat([*quarantine, merged.conflicts]),
        received=received,
    )


def _without_guesses(merged: Merged, asked: set[str], listed: frozenset[str]) -> Merged:
    """Without the types that were read from names, where the market may know them from a source of types.

    That such a source is silent today, about a symbol or altogether, must not cost what it said before.
    """
    if not asked & COMPARED["security_type"]:
        return merged
    told = merged.provenance
    guessed = told.filter(pl.col("provenance").str.contains(_GUESSED) & pl.col("symbol").is_in(list(listed)))
    those = pl.col("symbol").is_in(guessed["symbol"].to_list())
    unknown = pl.when(those).then(pl.lit("unknown")).otherwise("security_type").alias("security_type")
    plain = pl.col("provenance").str.replace(_GUESSED, "").str.strip_chars()
    return replace(
        merged,
        securities=merged.securities.with_columns(unknown),
        provenance=told.with_columns(pl.when(those).then(plain).otherwise("provenance").alias("provenance")),
    )


def _asked(lister: Lister) -> Page | SourceError:
    try:
        return lister.listings()
    except SourceError as fault:
        return fault


def confirm_absent(lister: Lister, absent: Sequence[str]) -> None:
    """Ask again for some of the symbols that a list lacks and that did not trade: a page may have been lost.

    Raises SourceError where one of them is listed after all.
    """
    if not absent:
        return
    step = max(1, len(absent) // MOST_ASKED)
    sample = sorted(absent)[::step][:MOST_ASKED]
    there = sorted(lister.still_listed(sample))
    if there:
        raise SourceError(
            f"{lister.name}: the list of listings is not complete",
            why=f"it lacks {len(absent)} symbols, and {', '.join(there)} of them is listed when asked for alone",
            do="try again later; the stored universe was kept",
        )


def _rows(page: Page) -> int:
    """Rows set aside whole; a value alone that was taken for missing is none."""
    return page.quarantine.filter(~pl.col("reason").is_in(["unknown_exchange_value", "impossible_value"])).height
