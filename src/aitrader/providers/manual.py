"""A list of symbols kept by hand: what to scan when no vendor can be reached."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Final

import polars as pl

from aitrader.domain.errors import SourceError
from aitrader.domain.frames import BARS, SECURITIES, Delivery, empty
from aitrader.domain.security_type import SecurityType
from aitrader.domain.symbols import canonical_expr
from aitrader.providers import LIVE
from aitrader.providers.bodies import Page, shaped
from aitrader.providers.quarantine import Quarantine, Rule, sentence

EXCHANGES: Final = ("NYSE", "NASDAQ", "ARCA", "AMEX", "BATS")
_COLUMNS: Final = ("symbol", "exchange", "security_type", "name")
_DO: Final = "write one symbol a line, or SYMBOL,EXCHANGE,TYPE,NAME; # begins a comment"


class ManualSource:
    """A source that reads one list; it is partial: what the list lacks is not said to be gone."""

    def __init__(self, path: Path) -> None:
        """The list at ``path``; it is read at each delivery."""
        self.path = path

    @property
    def name(self) -> str:
        """Always ``manual``."""
        return "manual"

    @property
    def market(self) -> str:
        """The market of real, present listings."""
        return LIVE

    def deliver(self, *, until: date | None = None) -> Delivery:  # noqa: ARG002 - a list has no past
        """The listings of the list, whatever ``until``; raises SourceError where it cannot be read or lists nothing."""
        try:
            body = self.path.read_bytes()
        except OSError as fault:
            raise SourceError(
                f"{self.path} cannot be read", why=fault.strerror or str(fault), do="name a list with --file FILE"
            ) from None
        page = parse_manual_list(body, str(self.path))
        has = [name for name in _COLUMNS if page.frame[name].null_count() < page.frame.height]
        return Delivery(
            source=self.name,
            adjustment="raw",
            offers=frozenset(f"securities.{name}" for name in has),
            securities=page.frame,
            bars=empty(BARS),
            quarantine=page.quarantine,
            partial=True,
            cumulative=True,
        )


def parse_manual_list(body: bytes, file: str = "manual") -> Page:
    """The listings of a list (schema SECURITIES), sorted by symbol; ``row`` of what is set aside is its line.

    An exchange or a type that is unknown is null, and set aside for its value only; a name may hold commas.
    """
    frame = _lines(body, file)
    known = [str(kind) for kind in SecurityType]
    part = pl.col("line").str.splitn(",", len(_COLUMNS)).struct

    def cell(number: int) -> pl.Expr:
        value = part.field(f"field_{number}").str.strip_chars()
        return pl.when(value != "").then(value)

    frame = frame.with_columns(
        symbol=canonical_expr(cell(0)),
        exchange=cell(1).str.to_uppercase(),
        security_type=cell(2).str.to_lowercase(),
        name=cell(3),
    )
    rules = [
        Rule(reason="bad_symbol", when=pl.col("symbol").is_null(), detail=pl.col("line").str.slice(0, 60)),
        Rule(reason="duplicate", when=~pl.col("symbol").is_first_distinct(), detail=sentence("{} again", "symbol")),
        Rule(
            reason="unknown_exchange",
            when=~pl.col("exchange").is_in(EXCHANGES),
            detail=pl.col("exchange").str.slice(0, 60),
            nulls=("exchange",),
        ),
        Rule(
            reason="unknown_type",
            when=~pl.col("security_type").is_in(known),
            detail=pl.col("security_type").str.slice(0, 60),
            nulls=("security_type",),
        ),
    ]
    quarantine = Quarantine()
    kept = quarantine.sift(frame, rules, file=file, date=None)
    if not kept.height:
        raise SourceError(f"{file} lists no symbol", why=f"none of its {frame.height} lines is one", do=_DO)
    return Page(frame=shaped(kept.sort("symbol"), SECURITIES), quarantine=quarantine.frame())


def _lines(body: bytes, file: str) -> pl.DataFrame:
    """The lines that say something, without comments, with their number as ``row``."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = body.count(b"\n", 0, fault.start) + 1
        raise SourceError(f"{file} is no UTF-8 text", why=f"see line {line}", do="save it as UTF-8") from None
    lines = pl.Series("line", text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), dtype=pl.String)
    said = pl.col("line").str.replace("#.*$", "").str.strip_chars()
    return lines.to_frame().with_row_index("row", offset=1).with_columns(line=said).filter(pl.col("line") != "")
