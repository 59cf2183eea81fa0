"""Sessions played one after another over all listings at once: returns, volumes, bars and what happens to a listing."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from aitrader.simulation import assumed
from aitrader.simulation.events import Jumps, Payers, exit_hazard, split_ratios
from aitrader.simulation.fitted import section
from aitrader.simulation.listings import BEFORE, SECTORS, Listings
from aitrader.simulation.names import RENAME_CODES, four_letter_codes
from aitrader.simulation.regimes import Factors
from aitrader.simulation.streams import Bools, Floats, Ints, Purpose, stream

NEVER: Final = 2**40  # an index beyond every session
TICK_BELOW_ONE, CENTS = 4, 2  # decimals of prices
DEAL_PREMIUM: Final = (0.22, 0.12)  # log: mean, spread
DEAL_SESSIONS: Final = (40, 150)
DEAL_PRICE: Final = 3.0  # dearer companies are taken over, cheaper ones fail
DEAL_CALM: Final = 0.08  # what is left of a target's own moves and of its beta
SHEER_FREEDOM: Final = 3.0  # of Student's t in log volume; its spread is the square root of 3
PROMINENT: Final = 2e7  # shares a session: such a listing is neither halted for days nor ended
REUSED: Final = 0.02  # share of new companies that take a symbol of one gone for REST sessions
REST: Final = 90
GREATEST: Final = 1.6  # a session's log return beyond this is cut


@dataclass(kw_only=True)
class Tape:
    """What the sessions left behind; the lists hold an array a session, rows ordered by symbol."""

    row: list[Ints] = field(default_factory=list)
    code: list[Ints] = field(default_factory=list)  # index into ``symbols``
    open: list[Floats] = field(default_factory=list)
    high: list[Floats] = field(default_factory=list)
    low: list[Floats] = field(default_factory=list)
    close: list[Floats] = field(default_factory=list)
    volume: list[Floats] = field(default_factory=list)
    symbols: list[str] = field(default_factory=list)
    actions: list[tuple[int, int, str, float | None, float | None, str | None]] = field(default_factory=list)
    # (session, code, kind, ratio, cash, new symbol)
    splits: list[tuple[int, int, float]] = field(default_factory=list)  # (session, row, ratio)
    renames: list[tuple[int, int, int]] = field(default_factory=list)  # (session, row, new code)
    first_code: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))  # of each row
    ended: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))  # first session without the listing
    moves: list[npt.NDArray[np.float32]] = field(default_factory=list)  # own moves in mean own moves, NaN without a bar


def rounded(price: Floats) -> Floats:
    """Prices at their tick: cents from a dollar up, hundredths of a cent below; rounding keeps their order."""
    return np.where(price >= 1.0, np.round(price, CENTS), np.maximum(np.round(price, TICK_BELOW_ONE), 1e-4))


def mean_size_of_student(freedom: float) -> float:
    """E|t| of Student's t."""
    half = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2))
    return 2 * math.sqrt(freedom) * half / (math.sqrt(math.pi) * (freedom - 1))


def own_scale(rows: Listings) -> Floats:
    """Mean absolute own move of each row without what style and sector move it."""
    overall = section("market")["overall"] * 0.8
    spread = {s: v[2] * overall for s, v in section("factors").items()}
    sector = np.array([spread.get(s, 0.0) for s in rows.sector]) * rows.sector_load
    listed = np.where(rows.group == "etf", 0.0, 1.0)  # a fund's noise is its own already
    shared = ((rows.tilt * overall) ** 2 + sector**2) * listed
    return np.asarray(np.sqrt(np.maximum(rows.noise**2 - shared, (0.5 * rows.noise) ** 2)))


class Session:
    """The state of all listings and one step of it; ``n`` rows have arrived at a session."""

    def __init__(self, seed: int, rows: Listings, shared: Factors, payers: Payers, jumps: Jumps) -> None:
        self.seed, self.rows, self.shared, self.payers, self.jumps = seed, rows, shared, payers, jumps
        size = rows.count
        self.latent = np.log(rows.price)  # what a listing is worth, traded or not
        self.anchor = np.log(rows.price)  # the same on today's share basis
        self.last = rounded(rows.price)
        self.scale = own_scale(rows) / section("noise")["level"]  # reports and echoes bring the mean back up
        self.base = np.log(rows.volume)
        self.nature = Nature(rows, self.base, self.latent)
        self.sector = np.array([SECTORS.index(s) if s else 0 for s in rows.sector])
        self.sector_load = np.where(rows.sector == "", 0.0, rows.sector_load)
        self.clusters = np.zeros((2, size))  # log volatility: fast, slow
        self.flows = np.zeros((2, size))  # log volume: fast, slow
        self.tail = np.where(rows.arrival > BEFORE, 1.2, 0.0)
        self.halted = np.zeros(size, dtype=np.int64)  # sessions left
        self.deal_end = np.full(size, NEVER, dtype=np.int64)
        self.ended = np.full(size, NEVER, dtype=np.int64)
        self.reused = np.zeros(size, dtype=np.bool_)  # symbols that another listing has now
        self.tape = Tape()
        self._name_codes()
        self._warm_up()

    def _name_codes(self) -> None:
        """Every symbol that may occur, ranked once, so that a rename needs no new sort of text."""
        likely = int(self.rows.count * 0.04 * (len(self.shared.market) / 252 + 1)) + 64
        spare = four_letter_codes(self.seed, RENAME_CODES, likely)
        self.tape.symbols = [*self.rows.symbol.tolist(), *spare]
        self.rank = np.empty(len(self.tape.symbols), dtype=np.int64)
        self.rank[np.argsort(np.array(self.tape.symbols), kind="stable")] = np.arange(len(self.tape.symbols))
        self.code = np.arange(self.rows.count)
        self.tape.first_code = self.code.copy()
        self.next_code = self.rows.count
        self.order = np.argsort(self.rank[self.code])

    def _warm_up(self) -> None:
        """Draws the slow states from their long-run spread, so that the first session is like any other."""
        noise, link = section("noise"), section("volume")["link"]
        normal = stream(self.seed, Purpose.NOISE, 0).standard_normal((self.rows.count, 4))
        for part, name in enumerate(("fast", "slow")):
            own = math.sqrt(1 - link**2) * normal[:, 2 + part] + link * normal[:, part]
            self.clusters[part] = normal[:, part] * math.sqrt(noise[f"{name}_variance"])
            self.flows[part] = own * self.nature.flow[part]
        self._agree()

    def _agree(self) -> None:
        """Take-overs that had been announced before the first session."""
        uniform = stream(self.seed, Purpose.EVENTS).random((self.rows.count, 2))
        hazard = np.where(self.nature.by_price, exit_hazard(self.last), self.nature.exit)
        open_deals = (uniform[:, 0] < hazard * sum(DEAL_SESSIONS) / 2 / 252) & (self.last > DEAL_PRICE)
        open_deals &= self.nature.company & (self.rows.arrival == BEFORE)
        self.deal_end[open_deals] = 1 + (uniform[open_deals, 1] * DEAL_SESSIONS[1]).astype(np.int64)

    def own_moves(self, t: int, n: int) -> tuple[Floats, Floats, Floats]:
        """Own log moves of the first n rows, the spread they were drawn with, and the normals that stirred it."""
        noise = section("noise")
        normal = stream(self.seed, Purpose.NOISE, t + 1).standard_normal((n, 2))
        student = stream(self.seed, Purpose.TAILS, t + 1).standard_t(noise["freedom"], n)
        for part, name in enumerate(("fast", "slow")):
            hold, variance = noise[f"{name}_persistence"], noise[f"{name}_variance"]
            fresh = math.sqrt(variance * (1 - hold**2))
            self.clusters[part, :n] = hold * self.clusters[part, :n] + fresh * normal[:, part]
        mean_log = (noise["fast_variance"] + noise["slow_variance"]) / 2
        spread = self.scale[:n] * np.exp(self.clusters[0, :n] + self.clusters[1, :n] - mean_log)
        gain = np.clip(self.latent[:n] - self.anchor[:n], -3.0, 3.0)
        spread *= self.shared.noise_level[t] * np.exp(section("size")["noise"] * gain)  # the larger, the quieter
        spread = np.where(self.deal_end[:n] < NEVER, spread * DEAL_CALM, spread)
        own = spread * student / self.nature.student_size
        own -= 0.5 * self.nature.student_square * spread**2  # an own move changes the price by nothing on average
        struck, size = self.jumps.at(t)
        here = struck < n
        own[struck[here]] += size[here] * self.scale[struck[here]]
        issuer, follow = self.rows.issuer[:n], self.rows.follow[:n]
        own = np.where(follow > 0, follow * own[issuer] + self.nature.apart[:n] * own, own)
        self.clusters[0, :n] += noise["echo"] * np.clip(np.abs(own) / self.scale[:n] - 1, 0.0, 11.0)
        return own, spread, normal

    def returns(self, t: int, own: Floats) -> Floats:
        """Log returns before corporate actions."""
        n, shared, rows = len(own), self.shared, self.rows
        calm = np.where(self.deal_end[:n] < NEVER, DEAL_CALM, 1.0)
        beta = rows.beta[:n]
        if shared.panic[t] > 0:
            beta = np.where(self.nature.firm[:n], beta + shared.panic[t] * np.maximum(1 - beta, 0.0), beta)
        common = beta * shared.market[t] + rows.tilt[:n] * shared.style[t]
        common += self.sector_load[:n] * shared.sector[t][self.sector[:n]] + rows.rates_load[:n] * shared.rates[t]
        return np.asarray(np.clip(rows.multiple[:n] * (common * calm + own), -GREATEST, GREATEST))

    def volumes(self, t: int, own: Floats, stirred: Floats, traded: Bools, untraded_share: Floats) -> Floats:
        """Shares traded: a base, the market's volume, two speeds of the listing's own, bursts with its own moves."""
        volume, nature, n = section("volume"), self.nature, len(own)
        generator = stream(self.seed, Purpose.VOLUME, t + 1)
        normal, sheer = generator.standard_normal((n, 3)), generator.standard_t(SHEER_FREEDOM, n)
        link = volume["link"]
        for part, name in enumerate(("fast", "slow")):
            hold = volume[f"{name}_persistence"]
            fresh = math.sqrt(1 - hold**2) * nature.flow[part, :n]
            led = link * stirred[:, part] + math.sqrt(1 - link**2) * normal[:, part]
            self.flows[part, :n] = hold * self.flows[part, :n] + fresh * led
        move, capped = np.abs(own) / self.scale[:n], volume["capped"]
        size = np.minimum(move, capped) + volume["beyond"] * np.clip(move - capped, 0.0, 20.0)
        burst = nature.burst[:n] * size * np.maximum(1 + volume["unequal"] * normal[:, 2], 0.0)
        log = self.base[:n] - nature.bias[:n] + self.shared.volume[t] + self.flows[0, :n] + self.flows[1, :n]
        log += nature.sheer[:n] * np.clip(sheer / math.sqrt(SHEER_FREEDOM), -5.0, 5.0) + burst + self.tail[:n]
        self.tail[:n] = volume["after_persistence"] * self.tail[:n] + volume["after"] * burst
        shares = np.exp(log - np.log1p(-np.minimum(untraded_share, 0.98)))
        return np.where(traded, np.maximum(np.round(shares), 1.0), 0.0)

    def bar(self, t: int, before: Floats, after: Floats, spread: Floats) -> tuple[Floats, Floats, Floats]:
        """Open, high and low between two log prices: a Brownian bridge whose first part is the night."""
        shape, n, rows = section("shape"), len(before), self.rows
        generator = stream(self.seed, Purpose.SHAPE, t + 1)
        normal, draws = generator.standard_normal(n), generator.standard_exponential((n, 2))
        night = shape["overnight"]
        move = after - before
        usual = (1.25 * spread) ** 2 + (rows.beta[:n] * self.shared.spread[t]) ** 2
        variance = 0.5 * rows.multiple[:n] ** 2 * usual + 0.5 * move**2
        opened = before + night * move + np.sqrt(night * (1 - night) * variance) * normal
        day, reach = after - opened, shape["reach"] ** 2 * (1 - night) * variance
        up = (day + np.sqrt(day**2 + 2 * reach * draws[:, 0])) / 2
        down = (day - np.sqrt(day**2 + 2 * reach * draws[:, 1])) / 2
        return opened, opened + up, opened + down

    def play(self, t: int) -> None:
        """One session: corporate actions before the open, then trading, then what is renamed."""
        n = int(np.searchsorted(self.rows.arrival, t, side="right"))
        uniform = stream(self.seed, Purpose.EVENTS, t + 1).random((n, 5))
        self._arrive(t, n)
        self._end(t, n, self.ended[:n] > t, uniform[:, 0])
        alive = self.ended[:n] > t
        self._split(t, n, alive, uniform[:, 1:3])
        paid = self._pay(t, n, alive)
        own, spread, stirred = self.own_moves(t, n)
        self.latent[:n] += self.returns(t, own) + paid
        halted = self._halt(n, uniform[:, 3])
        silence = section("silence")
        logit = silence["level"] + silence["slope"] * self.base[:n] + silence["price"] * self.latent[:n]
        untraded_share = 1 / (1 + np.exp(-logit))
        traded = stream(self.seed, Purpose.SILENCE, t + 1).random(n) >= untraded_share
        before = np.log(self.last[:n])
        after = np.where(traded, self.latent[:n], before)
        volume = self.volumes(t, own, stirred, traded, untraded_share)
        opened, high, low = self.bar(t, before, after, spread)
        close = rounded(np.exp(after))
        opened = np.where(traded, rounded(np.exp(opened)), close)
        high = np.where(traded, np.maximum(rounded(np.exp(high)), np.maximum(opened, close)), close)
        low = np.where(traded, np.minimum(rounded(np.exp(low)), np.minimum(opened, close)), close)
        shown = alive & ~halted
        self.last[:n] = np.where(shown, close, self.last[:n])
        self._write(n, shown, (opened, high, low, close, volume))
        self.tape.moves.append(np.where(shown, own / self.scale[:n], np.nan).astype(np.float32))
        self._rename(t, n, alive, uniform[:, 4])

    def _write(self, n: int, shown: Bools, columns: tuple[Floats, ...]) -> None:
        order = self.order[self.order < n]
        picked = order[shown[order]]
        self.tape.row.append(picked)
        self.tape.code.append(self.code[picked])
        for name, column in zip(("open", "high", "low", "close", "volume"), columns, strict=True):
            getattr(self.tape, name).append(column[picked])

    def _arrive(self, t: int, n: int) -> None:
        """Keeps out lines whose company has gone; gives a company now and then the symbol of one long gone."""
        first = int(np.searchsorted(self.rows.arrival, t))
        if first == n:
            return
        orphan = self.ended[self.rows.issuer[first:n]] <= t
        self.ended[first:n][orphan] = t
        taken = stream(self.seed, Purpose.EVENTS, (t + 1) | 2 << 32).random(n - first) < REUSED
        taken &= self.nature.renames[first:n]
        gone = np.flatnonzero((self.ended[:first] <= t - REST) & self.nature.renames[:first] & ~self.reused[:first])
        for row, old in zip(first + np.flatnonzero(taken), gone, strict=False):
            self.reused[old] = True
            self.code[row] = self.tape.first_code[row] = self.code[old]
            self.order = np.argsort(self.rank[self.code], kind="stable")

    def _end(self, t: int, n: int, alive: Bools, uniform: Floats) -> None:
        """Announces take-overs, closes those that are due and ends listings, with their lines."""
        nature = self.nature
        due = alive & (self.deal_end[:n] <= t)
        hazard = np.where(nature.by_price[:n], exit_hazard(self.last[:n]), nature.exit[:n])
        struck = alive & (uniform < hazard / 252) & (self.deal_end[:n] == NEVER) & (t > self.rows.arrival[:n] + 20)
        target = struck & (self.last[:n] > DEAL_PRICE) & nature.company[:n]
        generator = stream(self.seed, Purpose.EVENTS, (t + 1) | 1 << 32)
        for row in np.flatnonzero(target):
            mean, spread = DEAL_PREMIUM
            self.latent[row] += max(mean + spread * generator.standard_normal(), 0.02)
            self.deal_end[row] = t + int(generator.integers(*DEAL_SESSIONS))
            self.tail[row] += 2.0
        over = due | (struck & ~target)
        for row in np.flatnonzero(alive & (over | over[self.rows.issuer[:n]])) if over.any() else ():
            self.ended[row] = t
            if self.rows.arrival[row] == t:
                continue  # it was to come on the day its company went
            if due[row]:
                self.tape.actions.append((t, int(self.code[row]), "merger", None, float(self.last[row]), None))
            self.tape.actions.append((t, int(self.code[row]), "delisting", None, None, None))

    def _split(self, t: int, n: int, alive: Bools, uniform: Floats) -> None:
        """Splits on their ex-date: prices down by the ratio, volumes up."""
        eligible = alive & self.nature.splits[:n] & (self.halted[:n] == 0) & (self.deal_end[:n] == NEVER)
        chosen, ratio = split_ratios(eligible, self.last[:n], uniform)
        for row, r in zip(chosen, ratio, strict=True):
            self.latent[row] -= math.log(r)
            self.anchor[row] -= math.log(r)
            self.last[row] /= r
            self.base[row] += math.log(r)
            self.payers.scale(int(row), float(r))
            self.tape.splits.append((t, int(row), float(r)))
            self.tape.actions.append((t, int(self.code[row]), "split", float(r), None, None))

    def _pay(self, t: int, n: int, alive: Bools) -> Floats:
        """Log drop of each price by what is paid on its ex-date."""
        drop = np.zeros(n)
        for kind, chosen, cash in self.payers.due(t, self.last):
            kept = (chosen < n) & (cash > 0) & (cash < 0.6 * self.last[chosen])
            chosen, cash = chosen[kept], cash[kept]
            chosen, cash = chosen[alive[chosen]], cash[alive[chosen]]
            drop[chosen] += np.log1p(-cash / self.last[chosen])
            codes = self.code[chosen].tolist()
            self.tape.actions.extend((t, c, kind, None, d, None) for c, d in zip(codes, cash.tolist(), strict=True))
        return drop

    def _halt(self, n: int, uniform: Floats) -> Bools:
        """Starts and ends halts; a halted listing has no bar."""
        silence = section("silence")
        self.halted[:n] = np.maximum(self.halted[:n] - 1, 0)
        begins = (uniform < silence["halts"]) & (self.halted[:n] == 0) & ~self.nature.prominent[:n]
        depth = uniform[begins] / silence["halts"]  # uniform again, given that it begins
        length = 1 + np.floor(-np.log(np.maximum(depth, 1e-9)) * (silence["length"] - 1)).astype(np.int64)
        self.halted[:n][begins] = length
        return np.asarray(self.halted[:n] > 0)

    def _rename(self, t: int, n: int, alive: Bools, uniform: Floats) -> None:
        """Changes symbols from the next session on."""
        if t + 1 >= len(self.shared.market):
            return
        able = alive & self.nature.renames[:n] & (self.deal_end[:n] == NEVER) & (self.rows.arrival[:n] < t - 20)
        chosen = np.flatnonzero(able & (uniform < section("turnover")["renames"]["common"] / 252))
        for row in chosen:
            new, self.next_code = self.next_code, self.next_code + 1
            self.tape.actions.append((t + 1, int(self.code[row]), "symbol_change", None, None, self.tape.symbols[new]))
            self.tape.renames.append((t + 1, int(row), new))
            self.code[row] = new
        if len(chosen):
            self.order = np.argsort(self.rank[self.code])


class Nature:
    """What stays with a listing for the whole market: how its volume moves and what may happen to it."""

    def __init__(self, rows: Listings, log_volume: Floats, log_price: Floats) -> None:
        volume, turnover = section("volume"), section("turnover")
        dollars = (log_volume + log_price) / math.log(10)

        def sized(name: str) -> Floats:
            return np.asarray(np.interp(dollars, volume["dollars"], volume[name]))

        self.flow = np.sqrt(np.stack([sized("fast_variance"), sized("slow_variance")]))
        self.sheer, self.burst, self.bias = np.sqrt(sized("sheer_variance")), sized("burst"), sized("bias")
        freedom = section("noise")["freedom"]
        self.student_size = mean_size_of_student(freedom)
        self.student_square = freedom / (freedom - 2) / self.student_size**2
        self.apart = np.where(rows.follow == 1.0, 0.1, 1.0)  # classes of one company hardly part
        own = rows.issuer == np.arange(rows.count)
        group = rows.group
        self.company = np.isin(group, ("common", "reit", "adr")) & own
        self.firm = np.isin(group, ("common", "reit", "adr", "fund"))
        self.by_price = (group == "common") & own
        rates = turnover["exits"] | {"etf": assumed.FUND_CLOSURES, "common": 0.0}
        self.prominent = rows.volume >= PROMINENT
        self.exit = np.array([rates.get(g, 0.0) for g in group]) * ~self.prominent
        self.by_price &= ~self.prominent
        self.splits = np.isin(group, ("common", "adr", "reit", "etf")) & (rows.follow == 0)
        has_lines = np.zeros(rows.count, dtype=np.bool_)
        has_lines[rows.issuer[~own & (rows.arrival == BEFORE)]] = True  # those to come are not known yet
        named = np.isin(rows.symbol, [n.symbol for n in assumed.NAMED])
        self.by_price &= ~named
        self.exit *= ~named
        self.splits &= ~has_lines & ~named
        self.renames = self.by_price & ~has_lines & ~named


def played(seed: int, rows: Listings, shared: Factors, payers: Payers, jumps: Jumps) -> Tape:
    """All sessions of the market."""
    state = Session(seed, rows, shared, payers, jumps)
    for t in range(len(shared.market)):
        state.play(t)
    state.tape.ended = state.ended
    return state.tape
