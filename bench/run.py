"""One run of all measurements: the same bars for every contestant, medians, one JSON, one page.

``python -m bench`` measures everything, writes ``build/bench/results.json`` and ``docs/benchmarks.md``;
``python -m bench pandas ours`` measures only these groups and prints them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from bench import (
    agreement,
    commands,
    data,
    limit,
    live,
    ours,
    report,
    with_pandas,
    with_polars,
    with_talib,
    zipline_env,
)
from bench.timing import ROOT, Figure, UnmeasuredError, figure, machine, module, process, warm

FOLDER = ROOT / "build" / "bench"
RESULTS = FOLDER / "results.json"
PAGE = ROOT / "docs" / "benchmarks.md"
SYMBOLS, SESSIONS = 10_000, 300
ZIPLINE_SESSIONS, ZIPLINE_REPEATS, ZIPLINE_CHUNKS = 63, 3, (10, 21, 63)

Figures = Mapping[str, Figure | UnmeasuredError]


@dataclass(frozen=True, kw_only=True)
class Context:
    """The bars in memory and where they are written, and how often each thing is measured."""

    bars: data.Market
    folder: Path
    repeats: int


def pandas_figures(context: Context) -> Figures:
    """Wide frames, in memory and as a process."""
    frames = with_pandas.wide(context.bars)
    return _both(
        "pandas",
        context,
        {
            "every": lambda: with_pandas.every_session(frames),
            "last": lambda: with_pandas.last_session(frames),
        },
    )


def polars_figures(context: Context) -> Figures:
    """Expressions over the long frame, in memory and as a process."""
    frame = agreement.long(context.bars).lazy()
    return _both(
        "polars",
        context,
        {
            "every": lambda: with_polars.every_session(frame),
            "last": lambda: with_polars.last_session(frame),
        },
    )


def talib_figures(context: Context) -> Figures:
    """The loop over symbols, which always computes every session."""
    return _both("talib", context, {"every": lambda: with_talib.every_session(context.bars)})


def zipline_figures(context: Context) -> Figures:
    """Pipeline, per session, over arrays in the memory of its own interpreter."""
    folder = context.folder / "arrays"
    data.save_arrays(data.market(SYMBOLS, 260 + ZIPLINE_SESSIONS), folder)
    try:
        found = zipline_env.measure(
            folder, sessions=ZIPLINE_SESSIONS, repeats=min(context.repeats, ZIPLINE_REPEATS), chunks=ZIPLINE_CHUNKS
        )
    finally:
        shutil.rmtree(folder)
    note = f"{found['versions']}, chunks of {found['chunk']} sessions"
    out: dict[str, Figure | UnmeasuredError] = {}
    for name in ("built_in", "simple", "wilder", "tuned"):
        rounds = found[name]
        out[f"zipline.{name}"] = figure(rounds["total"], cpu=rounds["cpu"], note=note)
        computing = [total - loading for total, loading in zip(rounds["total"], rounds["loading"], strict=True)]
        out[f"zipline.{name}.computing"] = figure(computing, note=note)
    return out


def limit_figures(context: Context) -> Figures:
    """What touching the bytes once costs."""
    return limit.figures(context.bars, context.folder, context.repeats)


def our_figures(context: Context) -> Figures:
    """The scanner's own fold and funnel."""
    return ours.figures(context.bars, context.folder, context.repeats)


def command_figures(context: Context) -> Figures:
    """The scanner's commands as whole processes."""
    return commands.figures(context.repeats)


GROUPS: dict[str, Callable[[Context], Figures]] = {
    "limit": limit_figures,
    "pandas": pandas_figures,
    "polars": polars_figures,
    "talib": talib_figures,
    "zipline": zipline_figures,
    "ours": our_figures,
    "commands": command_figures,
    "live": lambda context: live.figures(context.repeats)[0],
}


def _both(name: str, context: Context, calls: dict[str, Callable[[], Any]]) -> Figures:
    """Warm in this process and as a whole process, for each variant."""
    out: dict[str, Figure | UnmeasuredError] = {}
    for variant, call in calls.items():
        out[f"{name}.{variant}.warm"] = warm(call, repeats=context.repeats)
        command = module(f"bench.with_{name}", str(context.folder), variant)
        out[f"{name}.{variant}.process"] = process(command, repeats=context.repeats)
    return out


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and write the page when every group was measured. Returns 1 when an aim was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure the scanner against others.")
    parser.add_argument("groups", nargs="*", help=f"any of {', '.join(GROUPS)}; none: all")
    parser.add_argument("--repeats", type=int, default=5, help="runs that each median is taken over")
    options = parser.parse_args(arguments)
    unknown = set(options.groups) - set(GROUPS)
    if unknown:
        parser.error(f"unknown group {', '.join(sorted(unknown))}: choose from {', '.join(GROUPS)}")
    chosen = [name for name in GROUPS if name in options.groups] or list(GROUPS)

    facts, begin = machine(), time.perf_counter()
    bars = data.market(SYMBOLS, SESSIONS)
    data.write(bars, FOLDER)
    context = Context(bars=bars, folder=FOLDER, repeats=options.repeats)
    figures: dict[str, Figure] = {}
    skipped: dict[str, str] = {}
    for name in chosen:
        print(f"{time.perf_counter() - begin:6.1f} s  {name}", file=sys.stderr)
        try:
            measured = GROUPS[name](context)
        except UnmeasuredError as reason:
            measured = {name: reason}
        for key, value in measured.items():
            if isinstance(value, Figure):
                figures[key] = value
            else:
                skipped[key] = str(value)
    facts |= {"load after": f"{os.getloadavg()[0]:.1f}", "whole run": f"{time.perf_counter() - begin:.0f} s"}
    results = report.Results(
        machine=facts,
        symbols=SYMBOLS,
        sessions=SESSIONS,
        factors=list(data.FACTORS),
        figures=figures,
        skipped=skipped,
        differences=agreement.worst(),
    )
    print(report.text(results))
    if not options.groups:
        RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1))
        PAGE.write_text(report.page(results), encoding="utf-8")
    return int(any(aim.met is False for aim in report.aims(results)))
