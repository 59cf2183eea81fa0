"""From figures to tables: seconds, ratios against the scanner, and the aims with what was measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from bench.timing import Figure


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """One run: machine facts, sizes, figures by key, reasons for what is not measured, largest differences."""

    machine: dict[str, str]
    symbols: int
    sessions: int
    factors: list[str]
    figures: dict[str, Figure]
    skipped: dict[str, str]
    differences: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Aim:
    """A bound and what was measured; ``met`` is None where something needed for it was not measured."""

    text: str
    bound: str
    measured: str
    met: bool | None


@dataclass(frozen=True, kw_only=True)
class Table:
    """A titled table; the first column is text, the others are right-aligned."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text: str = ""


def aims(results: Results) -> list[Aim]:
    """The performance that the scanner promises, each against the run's own figures.

    A full recompute means the newest session's factors from all bars. pandas' ``rolling`` and ``ewm`` compute every
    row on the way; what a hand-cut version for the last row alone takes stands in the tables.
    """
    found = results.figures
    return [
        _at_most(found, "One new session of 10,000 symbols, step and all layers, in process", "ours.session", 0.030),
        _at_most(found, "`scan` of a new session, whole process", "ours.scan.process", 1.2),
        _times(found, "Full recompute against pandas, as a process", "pandas.every.process", "ours.last.process", 5),
        _times(found, "Full recompute against pandas, warm", "pandas.every.warm", "ours.last.warm", 10),
        _times(found, "Replay, factors per session, against zipline", "zipline.wilder", "ours.replay.factors", 20),
        _times(found, "Daily bars over HTTP against alpaca-py", "live.alpaca_py", "live.ours", 5),
        _memory(found, "Peak memory of the replay, verdicts included", "ours.replay.funnel", 2048.0),
        _at_most(found, "`universe --layer 3`, whole process", "ours.universe.process", 0.2),
        _growth(found, "t(10,000) against t(1,000)", "ours.size.1000", "ours.size.10000", 10),
        _growth(found, "t(100,000) against t(10,000)", "ours.size.10000", "ours.size.100000", 12),
    ]


def _at_most(figures: dict[str, Figure], text: str, key: str, seconds: float) -> Aim:
    bound, found = f"at most {span(seconds)}", figures.get(key)
    if found is None:
        return Aim(text=text, bound=bound, measured="not measured", met=None)
    return Aim(text=text, bound=bound, measured=span(found.seconds), met=found.seconds <= seconds)


def _times(figures: dict[str, Figure], text: str, slow: str, fast: str, bound: float) -> Aim:
    ratio = quotient(figures, slow, fast)
    met = None if ratio is None else ratio >= bound
    return Aim(text=text, bound=f"at least {bound:g} x faster", measured=times(figures, slow, fast), met=met)


def _growth(figures: dict[str, Figure], text: str, small: str, large: str, bound: float) -> Aim:
    ratio = quotient(figures, large, small)
    met = None if ratio is None else ratio <= bound
    return Aim(text=text, bound=f"at most {bound:g} x", measured=times(figures, large, small), met=met)


def _memory(figures: dict[str, Figure], text: str, key: str, megabytes: float) -> Aim:
    bound, found = f"under {megabytes:,.0f} MB", figures.get(key)
    if found is None or found.peak_mb is None:
        return Aim(text=text, bound=bound, measured="not measured", met=None)
    return Aim(text=text, bound=bound, measured=memory(found), met=found.peak_mb < megabytes)


def quotient(figures: dict[str, Figure], slow: str, fast: str) -> float | None:
    """Median over median by the clock, None where either is missing."""
    if slow not in figures or fast not in figures:
        return None
    return figures[slow].seconds / figures[fast].seconds


def times(figures: dict[str, Figure], slow: str, fast: str) -> str:
    """How many times as long one takes as the other, by the clock and, where known, by CPU seconds."""
    ratio = quotient(figures, slow, fast)
    if ratio is None:
        return "not measured"
    spent, own = figures[slow].cpu, figures[fast].cpu
    return f"{ratio:.1f} x" + (f" (CPU {spent / own:.1f} x)" if spent and own else "")


def span(seconds: float) -> str:
    """Seconds in a readable unit."""
    if seconds >= 1.0:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e3:.1f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f} us"


NAMES = {
    "pandas": "pandas, wide frames, `rolling` and `ewm`",
    "polars": "Polars expressions, all cores",
    "talib": "TA-Lib, a loop over symbols",
    "ours": "the scanner's fold",
}


LIVE = (
    ("live.ours", "our transport, limiter and parser, to a checked frame, so many symbols a request as fill a page"),
    ("live.one", "the same, one request at a time"),
    ("live.wide", "the same, 200 symbols a request, whatever that leaves of the last page"),
    ("live.answers", "our transport, the answers unread: the exchange's own time"),
    ("live.parse", "our parser alone, all pages from memory"),
    ("live.alpaca_py", "alpaca-py, get_stock_bars, to its models"),
    ("live.alpaca_py.df", "alpaca-py, the same and its `.df`"),
    ("live.alpaca_py.raw", "alpaca-py, raw_data=True: dicts, unchecked"),
)


def tables(results: Results) -> list[Table]:
    """Everything that was measured, in reading order."""
    found = results.figures
    return [
        _recompute(results, "every", "Full recompute, the factors of every session"),
        _recompute(results, "last", "Full recompute, the factors of the last session only"),
        _sessions(results),
        _list(found, "The scanner's own steps and commands", OWN),
        _list(found, "Daily bars over HTTP, from the simulated exchange in a process of its own", LIVE),
        _list(found, "The physical limit", LIMIT),
    ]


def _recompute(results: Results, variant: str, title: str) -> Table:
    found, rows = results.figures, []
    for name, words in NAMES.items():
        cold, hot = f"{name}.{variant}.process", f"{name}.{variant}.warm"
        if cold in found or hot in found:
            process = (spread(found.get(cold)), times(found, cold, f"ours.{variant}.process"), memory(found.get(cold)))
            rows.append((words, *process, spread(found.get(hot)), times(found, hot, f"ours.{variant}.warm")))
    return Table(
        title=f"{title}: {results.symbols:,} symbols x {results.sessions} sessions, {len(results.factors)} factors",
        rows=tuple(rows),
        head=("", "process", "against the fold", "peak memory", "warm", "against the fold"),
    )


SESSION_ROWS = (
    ("zipline.built_in", "zipline Pipeline, built-in factors only (17 of 21)"),
    ("zipline.simple", "zipline Pipeline, ATR and ADX as simple means"),
    ("zipline.wilder", "zipline Pipeline, ATR and ADX by Wilder's averages"),
    ("zipline.tuned", "zipline Pipeline, the same, tuned by blocks of assets"),
    ("zipline.wilder.computing", "zipline Pipeline, Wilder's averages, without loading"),
    ("ours.replay.factors", "the scanner's replay, every factor of every session"),
    ("ours.replay.funnel", "the scanner's replay, every session's verdicts in all layers"),
)


def _sessions(results: Results) -> Table:
    found = dict(results.figures)
    keys = [row for row in SESSION_ROWS if row[0] in found]
    for name in ("pandas", "polars", "talib"):
        if f"{name}.every.warm" in found:
            found[name] = found[f"{name}.every.warm"].divided(results.sessions)
            keys.append((name, f"{NAMES[name]}, its full recompute divided by {results.sessions}"))
    return Table(
        title=f"Every session of a replay, {results.symbols:,} symbols",
        head=("per session", "median", "against the fold"),
        rows=tuple((words, spread(found[key]), times(found, key, "ours.replay.factors")) for key, words in keys),
    )


OWN = (
    ("ours.step", "one session folded into the state"),
    ("ours.measure", "the factors read off the state"),
    ("ours.session", "one new session, step, factors and all layers"),
    ("ours.scan.process", "`scan` of a new session, whole process"),
    ("ours.universe.process", "`universe --layer 3`, whole process"),
    ("ours.stats.process", "`universe --stats`, whole process"),
    ("ours.explain.process", "`universe --explain`, whole process"),
    ("ours.help.process", "`--help`, whole process"),
    ("ours.size.1000", "one session of 1,000 symbols"),
    ("ours.size.10000", "one session of 10,000 symbols"),
    ("ours.size.100000", "one session of 100,000 symbols"),
)
LIMIT = (
    ("limit.sum", "summing the bars in memory once"),
    ("limit.copy", "copying them once"),
    ("limit.parquet", "reading them from one Parquet file into arrays"),
    ("limit.process", "a process that reads and sums them"),
    ("limit.python", "a process that only imports NumPy and Polars"),
)


def _list(found: dict[str, Figure], title: str, keys: Sequence[tuple[str, str]]) -> Table:
    rows = tuple((words, spread(found[key]), memory(found[key])) for key, words in keys if key in found)
    return Table(title=title, head=("", "median", "peak memory"), rows=rows)


def spread(value: Figure | None) -> str:
    """The median by the clock, the fastest and slowest run, and the median of the CPU seconds."""
    if value is None:
        return "-"
    cpu = f", CPU {span(value.cpu)}" if value.cpu else ""
    return f"{span(value.seconds)} ({span(value.fastest)} .. {span(value.slowest)}{cpu})"


def memory(value: Figure | None) -> str:
    """Peak memory of a process."""
    return f"{value.peak_mb:,.0f} MB" if value and value.peak_mb else "-"


def text(results: Results) -> str:
    """The tables for a terminal."""
    return "\n".join(_lines(results, _plain))


def page(results: Results) -> str:
    """``docs/benchmarks.md``."""
    notes = sorted({f.note for f in results.figures.values() if f.note})
    opening = (
        "# Benchmarks\n\n"
        "Written by `make bench`: every figure is from one run on one machine, medians with the fastest and slowest "
        "run and the CPU seconds of all threads in brackets; read the ratios, not the seconds. The bars are synthetic "
        "random walks without gaps or splits, so that each contestant may use its fastest form; each runs on its "
        "library's own threads.\n"
    )
    closing = "\n".join(f"- {note}" for note in notes)
    factors = ", ".join(f"`{name}`" for name in results.factors)
    return f"{opening}\n" + "\n".join(_lines(results, _markdown)) + f"\nFactors: {factors}.\n\n{closing}\n"


def _lines(results: Results, draw: Callable[[Table], str]) -> list[str]:
    promised = Table(
        title="What is promised",
        head=("", "aim", "measured", "met"),
        rows=tuple((a.text, a.bound, a.measured, {True: "yes", False: "NO", None: "-"}[a.met]) for a in aims(results)),
    )
    agree = Table(
        title="Do all compute the same?",
        text="Largest relative difference to TA-Lib at the last session, over all factors.",
        head=("", "difference"),
        rows=tuple((name, f"{value:.1e}") for name, value in results.differences.items()),
    )
    missing = Table(
        title="Not measured", head=("", "reason"), rows=tuple((k, v) for k, v in sorted(results.skipped.items()))
    )
    facts = Table(title="Machine", head=("", ""), rows=tuple(results.machine.items()))
    shown = [promised, *tables(results), agree, missing, facts]
    return [draw(table) for table in shown if table.rows]


def _plain(table: Table) -> str:
    rows = [table.head, *table.rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.head))]
    lines = [
        "  ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join([f"\n{table.title}", *([table.text] if table.text else []), *lines])


def _markdown(table: Table) -> str:
    lines = [f"## {table.title}", ""]
    if table.text:
        lines += [table.text, ""]
    lines.append("| " + " | ".join(table.head) + " |")
    lines.append("|---" * len(table.head) + "|")
    lines += ["| " + " | ".join(row) + " |" for row in table.rows]
    return "\n".join([*lines, ""])
