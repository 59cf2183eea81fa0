"""What happens to listings besides trading: exits, splits, payments, and the moves that filings cause."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from aitrader.simulation.fitted import section
from aitrader.simulation.listings import Listings
from aitrader.simulation.streams import Bools, Floats, Ints, Purpose, pick, stream


@dataclass(frozen=True, kw_only=True)
class Jumps:
    """Own moves that come with news, in mean own moves, grouped by session."""

    session: Ints  # ascending
    row: Ints
    size: Floats

    def at(self, t: int) -> tuple[Ints, Floats]:
        """Rows and sizes of one session; a row occurs at most once."""
        a, b = np.searchsorted(self.session, [t, t + 1])
        row, first = np.unique(self.row[a:b], return_index=True)
        return row, self.size[a:b][first]


def exit_hazard(price: Floats) -> Floats:
    """Exits a year of common shares by price."""
    table = section("turnover")["exit_by_price"]
    edges = np.array([float(k) for k in table])
    return np.array(list(table.values()))[np.searchsorted(edges, price, side="right") - 1]


def split_ratios(eligible: Bools, price: Floats, uniform: Floats) -> tuple[Ints, Floats]:
    """Rows that split today and their ratios (new shares / old), by the fitted yearly rates per price."""
    splits = section("splits")
    edges = np.array(splits["price"])
    cell = np.searchsorted(edges, price, side="right") - 1
    forward, reverse = np.array(splits["forward"])[cell] / 252, np.array(splits["reverse"])[cell] / 252
    chosen = np.flatnonzero(eligible & (uniform[:, 0] < forward + reverse))
    up = uniform[chosen, 0] < forward[chosen]
    ratio = np.empty(len(chosen))
    for direction, name in ((up, "forward_ratio"), (~up, "reverse_ratio")):
        words = np.array([float(k) for k in splits[name]])
        ratio[direction] = words[pick(np.array(list(splits[name].values())), uniform[chosen, 1])][direction]
    return chosen, ratio


class Payers:
    """Who pays what and when: ordinary dividends by calendar, special ones and spin-offs by chance."""

    def __init__(self, seed: int, rows: Listings, sessions: list[date]) -> None:
        self.seed = seed
        self.months = np.array([s.year * 12 + s.month - 1 for s in sessions])
        self.days = np.array([s.day for s in sessions])
        plan = section("dividends")
        uniform = stream(seed, Purpose.DIVIDENDS).random((rows.count, 5))
        groups = rows.group
        chance = np.zeros(rows.count)
        for name, table in plan["payers"].items():  # share of payers by quarter of the group's noise
            mine = groups == name
            quarter = np.clip(((rows.score[:, 3] + 2) / 4 * len(table)).astype(np.int64), 0, len(table) - 1)
            chance[mine] = np.array(table)[quarter[mine]]
        self.pays = uniform[:, 0] < chance
        self.pays &= rows.follow != 1.0
        times = np.array([float(k) for k in plan["times"]])[pick(np.array(list(plan["times"].values())), uniform[:, 1])]
        self.times = np.where(np.isin(groups, ("fund",)), 12, times).astype(np.int64)
        levels, values = np.array(plan["levels"]), np.array(plan["yield"])
        size = np.interp(uniform[:, 2], levels, values)
        size = np.where(np.isin(groups, ("preferred", "note")), 0.055 + 0.03 * uniform[:, 2], size)
        self.cash = np.round(size * rows.price / self.times, 3)
        self.phase = (uniform[:, 3] * 12).astype(np.int64)
        self.day = 1 + (uniform[:, 4] * 28).astype(np.int64)
        self.special_rate, self.special = plan["special_rate"] / 252, np.array(plan["special"])
        self.spin_rate = plan["spin_rate"] / 252
        self.common = np.isin(groups, ("common", "reit", "adr")) & (rows.follow == 0) & (rows.issuer >= 0)
        self.arrival = rows.arrival

    def scale(self, row: int, ratio: float) -> None:
        """A split divides what is paid a share."""
        self.cash[row] = round(self.cash[row] / ratio, 4)

    def due(self, t: int, price: Floats) -> list[tuple[str, Ints, Floats]]:
        """(kind, rows, dollars a share) of the payments whose ex-date is session t."""
        month, day = self.months[t], self.days[t]
        before_month, before_day = (self.months[t - 1], self.days[t - 1]) if t else (month, day - 1)
        same = month == before_month
        reached = (self.day <= day) & ((self.day > before_day) if same else True)
        late = ~np.bool_(same) & (self.day > before_day)  # the day fell after the month's last session
        mine = np.where(late & ~reached, before_month, month)
        turn = (mine - self.phase) % (12 // np.maximum(self.times, 1)) == 0
        ordinary = np.flatnonzero(self.pays & turn & (reached | late) & (self.arrival < t - 5))
        n = int(np.searchsorted(self.arrival, t, side="right"))
        uniform = stream(self.seed, Purpose.DIVIDENDS, t + 1).random((n, 2))
        special = np.flatnonzero(self.common[:n] & (self.arrival[:n] < t - 60) & (uniform[:, 0] < self.special_rate))
        spin = np.flatnonzero(
            self.common[:n] & (uniform[:, 0] > 1 - self.spin_rate) & (self.arrival[:n] < t - 60) & (price[:n] > 5)
        )
        size = np.interp(uniform[:, 1], np.linspace(0, 1, len(self.special)), self.special)
        paid = [("dividend", ordinary, self.cash[ordinary])]
        if len(special):
            paid.append(("special_dividend", special, np.round(size[special] * price[special], 2)))
        if len(spin):
            paid.append(("spinoff", spin, np.round((0.04 + 0.3 * uniform[spin, 1] ** 2) * price[spin], 2)))
        return paid
