"""Rows that cannot be believed are set aside with a stable reason, over whole columns; what is left is clean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from aitrader.domain.frames import QUARANTINE, empty

GROUPED_ABOVE: Final = 50_000  # rows of one file and reason; beyond, one line a date with the number of rows


def sentence(template: str, *values: pl.Expr | str) -> pl.Expr:
    """The template with each ``{}`` filled from an expression or a column, "missing" where there is none.

    Not ``pl.format``, which panics on a column that has an empty chunk (Polars 2.1).
    """
    parts = template.split("{}")
    text: pl.Expr = pl.lit(parts[0])
    for value, part in zip(values, parts[1:], strict=True):
        column = pl.col(value) if isinstance(value, str) else value
        text = text + column.cast(pl.String).fill_null("missing") + pl.lit(part)
    return text


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One defect: where it holds, what to say of it, and which values it makes missing (none: the row is dropped)."""

    reason: str
    when: pl.Expr
    detail: pl.Expr
    nulls: tuple[str, ...] = ()


@dataclass(kw_only=True)
class Quarantine:
    """Collects what was set aside, file by file."""

    frames: list[pl.DataFrame] = field(default_factory=list)

    def sift(self, frame: pl.DataFrame, rules: Sequence[Rule], *, file: str, date: str | None) -> pl.DataFrame:
        """The rows that no dropping rule meets, with the doubtful values of the rest taken for missing.

        ``frame`` has ``row`` and ``symbol``, and the date column named by ``date``. The first dropping rule that a row
        meets is its reason; all the rules that only make a value missing are recorded.
        """
        dropping = [rule for rule in rules if not rule.nulls]
        if dropping:
            verdict = pl.lit(None, dtype=pl.UInt8)
            for number, rule in reversed(list(enumerate(dropping))):
                verdict = pl.when(rule.when.fill_null(False)).then(pl.lit(number, dtype=pl.UInt8)).otherwise(verdict)
            verdicts = frame.select(verdict.alias("verdict")).to_series()
            if verdicts.null_count() < len(verdicts):
                for number, rule in enumerate(dropping):
                    if (hit := verdicts == number).fill_null(False).any():
                        self.take(frame.filter(hit.fill_null(False)), rule.reason, rule.detail, file=file, date=date)
                frame = frame.filter(verdicts.is_null())
        for rule in rules:
            if rule.nulls:
                hit = frame.select(rule.when.fill_null(False).alias("hit")).to_series()
                if hit.any():
                    self.take(frame.filter(hit), rule.reason, rule.detail, file=file, date=date)
                    frame = frame.with_columns(pl.when(~hit).then(pl.col(*rule.nulls)))
        return frame

    def take(self, rows: pl.DataFrame, reason: str, detail: pl.Expr, *, file: str, date: str | None) -> None:
        """Set rows aside for one reason."""
        if not rows.height:
            return
        day = pl.lit(None, dtype=pl.Date) if date is None else pl.col(date).cast(pl.Date)
        self.frames.append(
            rows.select(
                pl.lit(file).alias("file"),
                pl.col("row").cast(pl.Int64),
                pl.col("symbol"),
                day.alias("date"),
                pl.lit(reason).alias("reason"),
                detail.cast(pl.String).alias("detail"),
            )
        )

    def frame(self) -> pl.DataFrame:
        """All of it in the schema of a delivery; a reason met by very many rows of a file is summed by date."""
        if not self.frames:
            return empty(QUARANTINE)
        rows = pl.concat(self.frames)
        many = rows.group_by("file", "reason").len().filter(pl.col("len") > GROUPED_ABOVE).drop("len")
        if not many.height:
            return rows
        grouped = (
            rows.join(many, on=["file", "reason"])
            .group_by("file", "date", "reason", maintain_order=True)
            .agg(detail=pl.len().cast(pl.String) + pl.lit(" rows, such as ") + pl.col("symbol").drop_nulls().first())
            .with_columns(row=pl.lit(None, dtype=pl.Int64), symbol=pl.lit(None, dtype=pl.String))
            .select(rows.columns)
        )
        return pl.concat([rows.join(many, on=["file", "reason"], how="anti"), grouped])


def counts(quarantine: pl.DataFrame) -> pl.DataFrame:
    """Rows set aside per file and reason (file, reason, rows), grouped lines counted by the rows they stand for."""
    stands_for = pl.col("detail").str.extract(r"^(\d+) rows, such as ", 1).cast(pl.Int64)
    rows = pl.when(pl.col("row").is_null()).then(stands_for).otherwise(None).fill_null(1)
    return quarantine.group_by("file", "reason").agg(rows=rows.sum()).sort("file", "reason")
