"""The offline dataset: a folder of Parquet and text files, read where they lie, in the format of docs/datasets.md."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import polars as pl

from aitrader.domain.errors import SourceError
from aitrader.domain.frames import ACTIONS, BARS, FUNDAMENTALS, MARKET_CAPS, NEWS, Delivery, Schema, empty
from aitrader.domain.sessions import Calendar, xnys
from aitrader.providers.dataset_bars import clean_bars, clean_market_caps
from aitrader.providers.dataset_description import Description, FileSpec, describe
from aitrader.providers.dataset_factors import actions_of_factors, drop_repeats
from aitrader.providers.dataset_files import read_tables
from aitrader.providers.dataset_format import KINDS
from aitrader.providers.dataset_reports import clean_news, clean_reports
from aitrader.providers.dataset_securities import history, listing
from aitrader.providers.quarantine import Quarantine
from aitrader.providers.row_rules import action_rules
from aitrader.providers.values import typed


class DatasetSource:
    """A source that reads a folder; nothing is copied, nothing is written."""

    def __init__(self, folder: Path) -> None:
        """Read ``folder/dataset.yml``; raises UsageError or ConfigError where the folder cannot be used."""
        self.description: Description = describe(folder)
        self.calendar: Calendar = xnys()

    @property
    def name(self) -> str:
        """dataset-NAME."""
        return f"dataset-{self.description.name}"

    @property
    def market(self) -> str:
        """A market of its own."""
        return self.name

    def deliver(self, *, until: date | None = None) -> Delivery:
        """Every row that can be believed; raises SourceError for a file that cannot be used."""
        return _Reading(self.description, self.calendar, until).delivery(self.name)


class _Reading:
    """One pass over the files of a dataset."""

    def __init__(self, description: Description, calendar: Calendar, until: date | None) -> None:
        self.description, self.calendar, self.until = description, calendar, until
        self.quarantine = Quarantine()
        self.notices: list[str] = list(description.notices)
        self.offers: set[str] = set()

    def delivery(self, name: str) -> Delivery:
        bars = self.bars()
        return Delivery(
            source=name,
            adjustment=self.description.adjustment,
            bars=bars,
            securities=self.securities(bars),
            market_caps=self.market_caps(),
            actions=self.actions(bars),
            fundamentals=self.reports(),
            news=self.news(),
            quarantine=self.set_aside(),
            offers=frozenset(self.offers),
            missing=dict(self.description.missing),
            notices=tuple(self.notices),
        )

    def tables(self, kind: str) -> Iterator[tuple[pl.DataFrame, FileSpec, str]]:
        """The typed rows of each file of a kind, its description, and its name in the quarantine."""
        for spec in self.description.files.get(kind, ()):
            wanted = self.description.kind_of(kind, spec)
            for table in read_tables(self.description.folder, wanted, spec):
                if table.unknown:
                    self.notices.append(f"{table.shown}: nothing reads the columns {', '.join(table.unknown)}")
                frame = typed(table, wanted, spec)
                self.offer(kind, frame)
                yield frame, spec, f"{table.shown} ({kind})"

    def offer(self, kind: str, frame: pl.DataFrame) -> None:
        """Note the columns that a file has; what is null throughout is not offered."""
        has = {name for name in frame.columns if frame[name].null_count() < frame.height}
        if kind == "securities" and has & {"name", "etf"}:
            has.add("security_type")
        if "factor" in has:
            has |= {"kind", "ratio", "cash"}
        if kind == "fundamentals" and "known_on" in has:
            has.add("known_at")
        self.offers |= {f"{kind}.{name}" for name in has if name in KINDS[kind].schema}

    def bars(self) -> pl.DataFrame:
        frames = []
        for frame, spec, file in self.tables("bars"):
            if spec.repeats_are_no_trade:
                frame = frame.with_columns(repeats=pl.lit(True))
            frames.append(self.early(frame, "date").with_columns(file=pl.lit(file)))
        bars, notices = clean_bars(frames, self.calendar, self.quarantine)
        self.notices += notices
        return self.finish("bars", bars, BARS, needed=True)

    def market_caps(self) -> pl.DataFrame:
        frames = [
            self.early(frame, "date").with_columns(file=pl.lit(file)) for frame, _, file in self.tables("market_caps")
        ]
        if not frames:
            return empty(MARKET_CAPS)
        caps, notices = clean_market_caps(frames, self.calendar, self.quarantine)
        self.notices += notices
        return self.finish("market_caps", caps, MARKET_CAPS)

    def securities(self, bars: pl.DataFrame) -> pl.DataFrame:
        listings = [
            listing(frame, spec, self.quarantine, file=file, calendar=self.calendar)
            for frame, spec, file in self.tables("securities")
        ]
        frame, notices = history(listings, bars["symbol"].unique().sort())
        self.notices += notices
        if self.until is not None:
            frame = frame.filter(pl.col("known_on").is_null() | (pl.col("known_on") <= self.until))
        return frame

    def actions(self, bars: pl.DataFrame) -> pl.DataFrame:
        frames = []
        for frame, spec, file in self.tables("corporate_actions"):
            frame = self.early(frame, "ex_date")
            if spec.reader == "adjustment_factors":
                frame = actions_of_factors(frame, bars, self.calendar, self.quarantine, file=file)
            else:
                frame = frame.with_columns(pl.col("kind").str.to_lowercase())
                frame = self.quarantine.sift(frame, action_rules(frame, self.calendar), file=file, date="ex_date")
                frame = drop_repeats(frame, bars, self.calendar, self.quarantine, file=file)
            frames.append(frame)
        if frames and self.description.adjustment != "raw":
            self.notices.append(
                f"prices are adjusted ({self.description.adjustment}): actions are for the record, not applied again"
            )
        return self.finish("corporate_actions", _joined(frames, ACTIONS).sort("symbol", "ex_date"), ACTIONS)

    def reports(self) -> pl.DataFrame:
        frames = [frame.with_columns(file=pl.lit(file)) for frame, _, file in self.tables("fundamentals")]
        if not frames:
            return empty(FUNDAMENTALS)
        reports = clean_reports(frames, self.calendar, self.quarantine, until=self.until)
        return self.finish("fundamentals", reports, FUNDAMENTALS)

    def news(self) -> pl.DataFrame:
        frames = [frame.with_columns(file=pl.lit(file)) for frame, _, file in self.tables("news")]
        if not frames:
            return empty(NEWS)
        return self.finish("news", clean_news(frames, self.calendar, self.quarantine, until=self.until), NEWS)

    def early(self, frame: pl.DataFrame, day: str) -> pl.DataFrame:
        """The rows up to ``until``; a row without a date stays, to be set aside."""
        return frame if self.until is None else frame.filter(pl.col(day).is_null() | (pl.col(day) <= self.until))

    def finish(self, kind: str, frame: pl.DataFrame, schema: Schema, *, needed: bool = False) -> pl.DataFrame:
        """The frame in its schema; a file of which no row is left is an error."""
        if self.description.files.get(kind) and not frame.height and (needed or self.until is None):
            counted = self.set_aside().filter(pl.col("file").str.ends_with(f"({kind})"))
            why = ", ".join(
                f"{reason}: {rows}" for reason, rows in counted["reason"].value_counts(sort=True).rows()[:3]
            )
            until = f" up to {self.until}" if self.until else ""
            raise SourceError(
                f"no row of {kind} is left{until}", why=why, do="check the file and its mapping in dataset.yml"
            )
        return _joined([frame], schema)

    def set_aside(self) -> pl.DataFrame:
        return self.quarantine.frame()


def _joined(frames: list[pl.DataFrame], schema: Schema) -> pl.DataFrame:
    """The frames one after the other in the schema; a column that a frame lacks is null."""
    whole = [
        frame.select(
            pl.col(name).cast(dtype) if name in frame.columns else pl.lit(None, dtype=dtype).alias(name)
            for name, dtype in schema.items()
        )
        for frame in frames
    ]
    return pl.concat(whole) if whole else empty(schema)
