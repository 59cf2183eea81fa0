"""Flags that several actions share, each with its type and its one help line."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from aitrader.cli.registry import Help

LayerNumber = Annotated[
    int,
    Help("0 universe, 1 liquidity, 2 technical, 3 fundamental", metavar="N", at_least=0, at_most=3),
]
AsOf = Annotated[date | None, Help("answer as published for the last session on or before this date", metavar="DATE")]
Days = Annotated[int, Help("how many calendar days up to the last published session", metavar="N", at_least=1)]
Symbol = Annotated[str, Help("a symbol in any spelling: BRK.B, BRK/B, brk-b", metavar="SYMBOL")]
SomeSymbol = Annotated[str | None, Help("only this symbol, in any spelling", metavar="SYMBOL")]
Force = Annotated[bool, Help("publish even where a layer came out empty or under half of the last one")]
