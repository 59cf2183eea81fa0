"""The picture of a scan: the funnel with bars, the picks, a near miss, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from textwrap import fill
from typing import Any, Final, TextIO

from aitrader.cli.output import Column, bar, percent, printable, speaks_unicode, write_table
from aitrader.operations.published import unavailable

_WIDTH: Final = 100
_BAR_CELLS: Final = 30
_REASON_CELLS: Final = 49
_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LAUNCH: Final = "python ai_trader.py"


def write_funnel(out: TextIO, found: Mapping[str, Any]) -> None:
    """Everything a reader wants to see after a scan, in at most 100 columns."""
    day = date.fromisoformat(found["session"])
    about = f"run {found['run_id']}, config {found['config_version']}, {found['environment']}"
    out.write(f"\nThe funnel on {_WEEKDAYS[day.weekday()]} {day.isoformat()} ({about})\n\n")
    out.writelines(_funnel(found, unicode=speaks_unicode(out)))
    picks = found["picks"]
    last = found["layers"][-1]
    out.write(f"\nLayer {last['layer']}: {_counted(len(picks), 'pick')}\n\n")
    if picks:
        write_table(out, _PICKS, picks, indent="  ")
    if found["near_miss"] is not None:
        miss = found["near_miss"]
        out.write(f"\nNear miss (Layer {miss['layer']}): {printable(miss['sentence'])}\n")
    out.writelines(f"{fill(note, _WIDTH)}\n" for note in _notes(found))
    out.write(f"\n{_source_line(found)}\n\nNext:\n")
    out.writelines(f"  {line}\n" for line in _next(found))


def _funnel(found: Mapping[str, Any], *, unicode: bool) -> Iterator[str]:
    """A line a layer: name, count, bar, rate, and what changed since the session before."""
    widest = max((layer["symbols"] for layer in found["layers"]), default=0)
    for layer in found["layers"]:
        drawn = bar(layer["symbols"] / widest if widest else 0.0, _BAR_CELLS, unicode=unicode)
        line = f"  {layer['layer']} {layer['name']:<12}{layer['symbols']:>8,}  {drawn:<{_BAR_CELLS}}"
        if layer["qualification_rate"] is not None:
            line += f"{percent(layer['qualification_rate']):>8} of {layer['layer'] - 1}"
        if layer["layer"] and layer["change_rate"] is not None:
            line += f"   +{layer['added']:,} -{layer['removed']:,}"
        yield line.rstrip() + "\n"


def _notes(found: Mapping[str, Any]) -> Iterator[str]:
    """What bounds the meaning of the run: inputs never offered, missing ones passed over, a cap that gave way."""
    if found["provisional"]:
        yield "Provisional: the session's bars may still change; a scan after they are final judges it again"
    lacking = unavailable(found)
    if lacking:
        yield f"Unavailable on this source, so not judged: {'; '.join(lacking)}"
    passed_over = sorted(found["missing"])
    if passed_over:
        yield f"Not held against a symbol where its data is missing: {', '.join(passed_over)}"
    for layer, names in sorted(found["sector_cap_relaxed_by"].items()):
        yield f"Sector cap of Layer {layer} relaxed by {_counted(names, 'name')}, too few passed otherwise"


def _short(text: Any) -> str:
    """A reason cut to the width of its column."""
    shown = str(text)
    return shown if len(shown) <= _REASON_CELLS else shown[: _REASON_CELLS - 3].rstrip() + "..."


_PICKS: Final = (
    Column(key="rank", heading="#", right=True),
    Column(key="symbol", heading="symbol"),
    Column(key="sector", heading="sector", show=lambda value: str(value or "unknown")[:24]),
    Column(key="score", heading="score", right=True, show=lambda value: "-" if value is None else f"{value:.3f}"),
    Column(key="reason", heading="why", show=_short),
)


def _source_line(found: Mapping[str, Any]) -> str:
    """Where the data comes from, most of all when it is not real."""
    if found["source"] == "simulated":
        return "This market is SIMULATED: no price, filing or headline in it is real."
    return f"Source: {found['source']}."


def _next(found: Mapping[str, Any]) -> list[str]:
    """Three commands to copy: why one symbol, what if one threshold, and one's own data."""
    miss = found["near_miss"]
    symbol = found["picks"][0]["symbol"] if found["picks"] else (miss or {}).get("symbol", "AAPL")
    edit = "sed -i.bak '/^min_volume:/s/1000000/500000/' config/scanners/layer1_liquidity.yml"
    return [
        f"{LAUNCH} universe --explain {symbol}",
        f"{edit} \\",
        f"  && {LAUNCH} universe --test-config --dry-run --layer 1",
        f"{LAUNCH} universe --populate --source dataset --path FOLDER",
    ]


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"
