"""Reports and headlines of a dataset: each once, from the moment it became known."""

from __future__ import annotations

from datetime import date
from typing import Final

import polars as pl

from aitrader.domain.frames import FUNDAMENTALS
from aitrader.domain.sessions import Calendar
from aitrader.providers.quarantine import Quarantine, sentence
from aitrader.providers.row_rules import news_rules, report_rules

_FIGURES: Final = tuple(name for name, dtype in FUNDAMENTALS.items() if dtype == pl.Float64)
_REPORT: Final = ("symbol", "period_end", "fiscal_period", "form")


def clean_reports(
    frames: list[pl.DataFrame], calendar: Calendar, quarantine: Quarantine, *, until: date | None
) -> pl.DataFrame:
    """The believable reports of all files, columns of FUNDAMENTALS, sorted by symbol and the moment they were known.

    A report is a symbol's form for a period; of repeats the first collected counts. An amendment (``amended``) is a
    report of its own, its form ends in ``/A``; a figure that it lacks stays as the report before it said.
    """
    sifted = []
    for frame in frames:
        upper = [pl.col(name).str.to_uppercase() for name in ("fiscal_period", "form") if name in frame.columns]
        frame = _early(frame.with_columns(upper), "known_on", until)
        file = str(frame["file"][0]) if frame.height else ""
        sifted.append(quarantine.sift(frame, report_rules(frame, calendar), file=file, date="period_end"))
    reports = pl.concat(sifted, how="diagonal").rename({"known_on": "known_at"})
    missing = [pl.lit(None, dtype=pl.String).alias(name) for name in _REPORT if name not in reports.columns]
    reports = reports.with_columns(missing)
    if "amended" in reports.columns:
        amended = pl.col("amended").str.to_lowercase().is_in(["true", "y", "yes", "1"])
        plain = pl.col("form").fill_null("").str.strip_suffix("/A")
        reports = reports.with_columns(form=pl.when(amended).then(plain + "/A").otherwise(pl.col("form")))
    reports = reports.sort("symbol", "period_end", "known_at", "row")
    again = reports.select(pl.struct(_REPORT).is_first_distinct().not_()).to_series()
    for (file,), part in reports.filter(again).group_by("file", maintain_order=True):
        detail = sentence("{} {} was collected before", "form", "fiscal_period")
        quarantine.take(part, "repeated_report", detail, file=str(file), date="period_end")
    reports = reports.filter(~again)
    figures = [name for name in _FIGURES if name in reports.columns]
    amendment = pl.col("form").str.ends_with("/A").fill_null(False)
    base = ["symbol", "period_end", "fiscal_period", pl.col("form").str.strip_suffix("/A").alias("base")]
    carried = pl.col(*figures).forward_fill().over(base)
    if figures:
        reports = reports.with_columns(pl.when(amendment).then(carried).otherwise(pl.col(*figures)))
    return reports.sort("symbol", "known_at", "period_end").select(
        [name for name in FUNDAMENTALS if name in reports.columns]
    )


def clean_news(
    frames: list[pl.DataFrame], calendar: Calendar, quarantine: Quarantine, *, until: date | None
) -> pl.DataFrame:
    """The believable headlines of all files, sorted by symbol and publication, each symbol's headline once."""
    sifted = []
    for frame in frames:
        frame = _early(frame, "published_at", until)
        file = str(frame["file"][0]) if frame.height else ""
        kept = quarantine.sift(frame, news_rules(frame, calendar), file=file, date="published_at")
        again = kept.select(pl.struct("symbol", "published_at", "headline").is_first_distinct().not_()).to_series()
        quarantine.take(
            kept.filter(again), "duplicate", pl.col("headline").str.slice(0, 60), file=file, date="published_at"
        )
        sifted.append(kept.filter(~again))
    return pl.concat(sifted, how="diagonal").sort("symbol", "published_at")


def _early(frame: pl.DataFrame, instant: str, until: date | None) -> pl.DataFrame:
    if until is None:
        return frame
    day = pl.col(instant).dt.convert_time_zone("America/New_York").dt.date()
    return frame.filter(day.is_null() | (day <= until))
