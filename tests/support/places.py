"""A layer's places over some sessions by hand: what each security's judgement is, who holds a place then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from aitrader.domain.verdict import Verdict
from aitrader.funnel import membership as seats
from aitrader.funnel.judge import NO_CAUSE, Judged
from aitrader.funnel.membership import Places, places
from tests.support.cross import layer, ranked

P = Verdict.PASSED


class Table:
    """A layer's places over some sessions; columns are securities."""

    def __init__(self, size: int, *, number: int = 3, bands: dict[str, Any] | None = None, **head: Any) -> None:
        cap = head.pop("sector_cap", None)
        ranking = ranked(cap, rsi=1.0)
        self.layer = layer(number, ranking=ranking, bands={} if bands is None else bands, **head)
        self.size, self.number, self.t = size, number, 100
        self.membership = seats.empty(size)

    def step(
        self,
        *,
        score: Sequence[float] | None = None,
        below: Sequence[int] | None = None,
        verdict: Sequence[int] | None = None,
        required: Sequence[int] | None = None,
        liquid: Sequence[int] | None = None,
        unsure: Sequence[int] | None = None,
        sector: Sequence[int] | None = None,
    ) -> Places:
        """One session: all is well where nothing is said."""
        size, one = self.size, np.ones(self.size)
        passes = np.array(one * P if verdict is None else verdict, dtype=np.uint8)
        judged = Judged(
            layer=self.layer,
            codes=np.empty((0, size), dtype=np.uint8),
            verdict=passes,
            cause=np.where(passes == P, 0, -4).astype(np.int16),
            score=np.array(np.linspace(0.9, 0.1, size) if score is None else score, dtype=float),
            exit_verdict=np.array(one * P if required is None else required, dtype=np.uint8),
        )
        self.t += 1
        return places(
            judged,
            below=np.array(one if below is None else below, dtype=bool),
            liquid=np.array(one if liquid is None else liquid, dtype=bool),
            unsure=np.array(0 * one if unsure is None else unsure, dtype=bool),
            membership=self.membership,
            ordinal=self.t,
            sector=np.array(0 * one if sector is None else sector, dtype=np.intp),
        )


def members(got: Places) -> list[int]:
    """Columns of the members, best first."""
    at = np.flatnonzero(got.member)
    return [int(one) for one in at[np.argsort(got.rank[at])]]


def why(got: Places, column: int) -> str:
    return NO_CAUSE[int(got.cause[column])]
