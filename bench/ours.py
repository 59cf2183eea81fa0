"""The scanner itself: its fold over the same bars, the whole funnel on a session, sizes, and a long replay.

As a process: ``python -m bench.ours factors|funnel SYMBOLS SESSIONS`` steps through that many sessions and prints
its seconds.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from aitrader.domain.factors import FACTORS
from aitrader.features.fold import advance
from aitrader.features.layout import FACTS
from aitrader.funnel.engine import Rules, fresh, step
from aitrader.funnel.listings import Listings
from aitrader.funnel.rules import rules_for
from aitrader.settings.load import load_settings
from bench.data import Market, market, weekdays
from bench.fold import FIRST, factors, recompute, session_data
from bench.timing import ROOT, Figure, UnmeasuredError, figure, module, peak_mb, process, warm

REPLAY = (10_000, 2_520)
SIZES = (1_000, 10_000, 100_000)
WARM_UP, MEASURED = 260, 40  # sessions: the longest window is full before the first measured one
SECTORS = ("Energy", "Finance", "Health Care", "Industrials", "Technology", "Utilities")
OFFERED = frozenset({"securities.security_type", "securities.sector"})


def figures(bars: Market, folder: Path, repeats: int) -> dict[str, Figure | UnmeasuredError]:
    """Recomputation from nothing, one session at several sizes, and the replay."""
    out: dict[str, Figure | UnmeasuredError] = {
        "ours.every.warm": warm(lambda: recompute(bars, every=True), repeats=repeats),
        "ours.last.warm": warm(lambda: recompute(bars, every=False), repeats=repeats),
        "ours.every.process": process(module("bench.fold", str(folder), "every"), repeats=repeats),
        "ours.last.process": process(module("bench.fold", str(folder), "last"), repeats=repeats),
    }
    for symbols in SIZES:
        parts = sessions(symbols)
        out[f"ours.size.{symbols}"] = parts["session"]
        if symbols == REPLAY[0]:
            out |= {f"ours.{name}": value for name, value in parts.items()}
    return out | replay("factors", *REPLAY) | replay("funnel", *REPLAY)


def rules() -> Rules:
    """The project's own layers, for a source that offers everything but quotes and analysts."""
    settings = load_settings(ROOT / "config", {})
    needs = [need for factor in FACTORS.values() for need in factor.needs]
    named = {one for need in needs for one in ((need,) if isinstance(need, str) else need)}
    offers = OFFERED.union(one for one in named if not one.startswith(("quotes.", "analysts.")))
    return rules_for(settings.scanner, offers=offers, missing={})


def listings(symbols: int) -> Listings:
    """Common stock in six sectors, all listed throughout; symbol 0 is SPY."""
    names = ["SPY", *(f"S{i:06d}" for i in range(1, symbols))]
    ids = pl.Series(range(symbols), dtype=pl.UInt32)
    never = pl.lit(None, dtype=pl.Date)
    securities = pl.DataFrame({"id": ids, "symbol": names, "interval_inferred": False}).with_columns(
        pl.format("{}", "id").alias("cik"), never.alias("listed_on"), never.alias("delisted_on")
    )
    attributes = pl.DataFrame({"security": ids, "exchange": "NASDAQ", "security_type": "common"}).with_columns(
        pl.Series("sector", [SECTORS[i % len(SECTORS)] for i in range(symbols)]),
        pl.lit("Machinery").alias("industry"),
        never.alias("known_on"),
    )
    intervals = pl.DataFrame({"security": ids, "symbol": names}).with_columns(never.alias("from_date"))
    return Listings(securities, attributes, intervals)


def filings(bars: Market, t: int, ordinal: int, seed: int) -> dict[str, Any]:
    """One symbol in 60 files a report and has headlines, so that every layer has something to judge."""
    rng = np.random.default_rng((seed, ordinal))
    at = np.arange(ordinal % 60 if ordinal > FIRST else 0, bars.symbols, 60 if ordinal > FIRST else 1)
    day = 18_000.0 + ordinal
    values = {
        "eps_ttm": bars.close[t, at] / rng.uniform(5, 40, at.size),
        "period_end": np.full(at.size, day - 40.0),
        "filed": np.full(at.size, day),
        "earnings_trend": rng.integers(0, 3, at.size).astype(float),
    }
    rows = [values.get(name, rng.uniform(0.0, 0.5, at.size)) for name in FACTS]
    return {
        "fact_columns": at,
        "fact_values": np.stack(rows),
        "share_columns": at,
        "share_values": rng.lognormal(17.0, 1.0, at.size),
        "share_days": np.full(at.size, day),
        "news_columns": at,
        "news_weight": np.ones(at.size),
        "news_score": rng.uniform(-1.0, 1.0, at.size),
        "news_days": np.full(at.size, day),
    }


def swing(bars: Market, count: int) -> Iterator[int]:
    """``count`` positions that run to the market's end and back, so that no price jumps where it repeats."""
    turn = 2 * (bars.sessions - 1)
    for i in range(count):
        at = i % turn
        yield at if at < bars.sessions else turn - at


def sessions(symbols: int) -> dict[str, Figure]:
    """One session of this many symbols: ``step`` (the fold), ``measure``, both (``factors``), and ``session`` (all)."""
    bars, count = market(symbols, 60), WARM_UP + MEASURED
    state, known, decided = fresh(np.arange(symbols, dtype=np.uint32)), listings(symbols), rules()
    whole, folded, measured = [], [], []
    for i, (t, day) in enumerate(zip(swing(bars, count), weekdays(count), strict=True)):
        data = session_data(bars, t, FIRST + i, **filings(bars, t, FIRST + i, seed=11))
        begin = time.perf_counter()
        result = step(state, data, known.at(day), decided, day)
        whole.append(time.perf_counter() - begin)
        folded.append(result.seconds["fold"])
        begin = time.perf_counter()
        factors(state.features, data.day)
        measured.append(time.perf_counter() - begin)
    parts = {"session": whole, "step": folded, "measure": measured}
    parts["factors"] = [a + b for a, b in zip(folded, measured, strict=True)]
    return {name: figure(seconds[WARM_UP:]) for name, seconds in parts.items()}


def replay(what: str, symbols: int, count: int) -> dict[str, Figure | UnmeasuredError]:
    """Every session of a long history in a process of its own: seconds per session and peak memory.

    ``what`` is ``factors`` (the fold and every factor at every session) or ``funnel`` (and all layers' verdicts).
    """
    key = f"ours.replay.{what}"
    argv = module("bench.ours", what, str(symbols), str(count))
    done = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        return {key: UnmeasuredError((done.stderr.strip().splitlines() or ["no message"])[-1])}
    answer = json.loads(done.stdout)
    whole = figure([answer["seconds"]], cpu=[answer["cpu"]], peak_mb=answer["peak_mb"])
    note = f"the scanner's replay ({what}) of {symbols:,} symbols x {count:,} sessions took {whole.seconds:.1f} s"
    return {key: whole.divided(count, note=note)}


def replayed(what: str, symbols: int, count: int, chunk: int = 252) -> dict[str, float]:
    """Seconds of all steps, the making of bars and filings left out, and the process's peak memory in MB.

    The bars of ``chunk`` sessions are held in memory and walked to and fro.
    """
    state, known, decided = fresh(np.arange(symbols, dtype=np.uint32)), listings(symbols), rules()
    bars, days, seconds, cpu = market(symbols, chunk), weekdays(count), 0.0, 0.0
    for i, t in enumerate(swing(bars, count)):
        data = session_data(bars, t, FIRST + i, **filings(bars, t, FIRST + i, seed=11))
        begin, worked = time.perf_counter(), time.process_time()
        if what == "funnel":
            step(state, data, known.at(days[i]), decided, days[i])
        else:
            advance(state.features, data)
            factors(state.features, data.day)
        seconds += time.perf_counter() - begin
        cpu += time.process_time() - worked
    return {"seconds": seconds, "cpu": cpu, "peak_mb": peak_mb()}


if __name__ == "__main__":
    print(json.dumps(replayed(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
