"""The state that a session starts from, and the data of one session that advances it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from aitrader.features.layout import FRESH, HEIGHT, PER_SHARE_ROWS, PRICE_ROWS, SHARE_ROWS, SLICES

Array = np.ndarray


def _nothing() -> Array:
    return np.empty(0)


def _no_columns() -> Array:
    return np.empty(0, dtype=np.intp)


@dataclass(frozen=True, kw_only=True)
class SessionData:
    """One session, aligned to the state's columns; NaN where nothing is known.

    ``ordinal`` is the session's position in the exchange calendar, ``day`` its date in days since 1970-01-01.
    Prices are dollars as printed on the day, ``volume`` shares, ``market_cap`` the vendor's dollars.
    ``scale_*`` are the price and share factors that take effect this morning (ex-date), ``action_columns`` the
    securities whose jump an action explains today.
    ``cash`` are dollars a share of spin-offs,
    ``special`` those of special dividends, which move prices only where they are large.
    ``fact_values`` has a row per name in ``layout.FACTS``; ``share_*`` are share counts that became known.
    """

    ordinal: int
    day: int
    open: Array
    high: Array
    low: Array
    close: Array
    volume: Array
    market_cap: Array
    scale_columns: Array = field(default_factory=_no_columns)
    scale_price: Array = field(default_factory=_nothing)
    scale_shares: Array = field(default_factory=_nothing)
    cash_columns: Array = field(default_factory=_no_columns)
    cash: Array = field(default_factory=_nothing)
    special_columns: Array = field(default_factory=_no_columns)
    special: Array = field(default_factory=_nothing)
    action_columns: Array = field(default_factory=_no_columns)
    fact_columns: Array = field(default_factory=_no_columns)
    fact_values: Array = field(default_factory=lambda: np.empty((0, 0)))
    share_columns: Array = field(default_factory=_no_columns)
    share_values: Array = field(default_factory=_nothing)
    share_days: Array = field(default_factory=_nothing)
    news_columns: Array = field(default_factory=_no_columns)
    news_weight: Array = field(default_factory=_nothing)
    news_score: Array = field(default_factory=_nothing)
    news_days: Array = field(default_factory=_nothing)


class FeatureState:
    """A (HEIGHT, securities) float64 matrix and the ordinal of the last session folded in.

    Columns are ordered by security id. ``advance`` works in place; take :meth:`copy` to keep an earlier state.
    """

    def __init__(self, securities: Array, matrix: Array | None = None, ordinal: int | None = None) -> None:
        self.securities = np.ascontiguousarray(securities, dtype=np.uint32)
        if matrix is None:
            matrix = np.empty((HEIGHT, self.securities.size))
            matrix[:] = FRESH[:, None]
        if matrix.shape != (HEIGHT, self.securities.size):
            raise ValueError(f"state of shape {matrix.shape}, expected {(HEIGHT, self.securities.size)}")
        self.matrix = matrix
        self.ordinal = ordinal

    @property
    def size(self) -> int:
        """Number of securities."""
        return int(self.securities.size)

    def __getitem__(self, name: str) -> Array:
        """The block ``name`` as a view: (securities,) for a single row, (size, securities) for a ring."""
        block = self.matrix[SLICES[name]]
        return block[0] if block.shape[0] == 1 else block

    def copy(self) -> FeatureState:
        """An independent copy."""
        return FeatureState(self.securities.copy(), self.matrix.copy(), self.ordinal)

    def grown(self, securities: Array) -> FeatureState:
        """This state over ``securities`` (sorted, a superset): new columns are fresh; itself where there are none."""
        if self.size == len(securities):
            return self
        kept = self.size if np.array_equal(securities[: self.size], self.securities) else 0
        matrix = np.empty((HEIGHT, len(securities)))
        matrix[:, kept:] = FRESH[:, None]
        at = slice(0, kept) if kept else np.searchsorted(securities, self.securities)
        matrix[:, at] = self.matrix
        return FeatureState(securities, matrix, self.ordinal)

    def columns(self, start: int, stop: int) -> FeatureState:
        """The partition of columns ``start:stop``, as a contiguous copy."""
        return FeatureState(self.securities[start:stop], self.matrix[:, start:stop].copy(), self.ordinal)

    def rescale(self, columns: Array, price: Array, shares: Array) -> None:
        """Multiply what ``columns`` say a share by ``price`` and their share counts by ``shares`` (definition 16)."""
        self.matrix[np.ix_(PER_SHARE_ROWS, columns)] *= price
        self.matrix[np.ix_(SHARE_ROWS, columns)] *= shares

    def reprice(self, columns: Array, price: Array) -> None:
        """Multiply the prices of ``columns`` by ``price`` (definition 17)."""
        self.matrix[np.ix_(PRICE_ROWS, columns)] *= price


def gathered(parts: list[FeatureState]) -> FeatureState:
    """Partitions of one session put together again, columns in order of security id."""
    securities = np.concatenate([part.securities for part in parts])
    order = np.argsort(securities, kind="stable")
    matrix = np.concatenate([part.matrix for part in parts], axis=1)
    return FeatureState(securities[order], np.ascontiguousarray(matrix[:, order]), parts[0].ordinal)
