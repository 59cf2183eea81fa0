"""Write docs/real-data.md from the figures of the proofs real_data, stability and simulated_counts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "real-data.md"
TEXT = ROOT / "tools" / "real_data_text.md"
PROOFS = ("real_data", "stability", "simulated_counts")

WHY = {
    "us_2015_2016": "Raw bars of 5,232 listings, delisted ones included (four fifths of all symbols). It has no "
    "exchanges, market caps, shares, debt, sectors, quotes, headlines or analyst ratings; trailing earnings need four "
    "quarters of reports, which exist for most filers only from February 2016. So Layers 0 and 1 are smaller than a "
    "whole market's, and Layer 3 before 2016 is chosen mostly by its technical half.",
    "us_2021_2023": "Split-adjusted bars of 4,822 survivors without ETFs and class shares; no market caps, no "
    "fundamentals, no headlines. Level criteria on adjusted prices are not point in time (`min_price` most of all). "
    "Layer 3 is chosen by its technical half alone.",
    "us_2024_2025": "Nightly close, volume and market cap of the whole screener, no ETFs; no open, high or low, so ATR "
    "and ADX are unknown; no fundamentals or headlines.",
}
STABILITY = (
    ("change, median", "change_median"),
    ("change, 95th percentile", "change_p95"),
    ("change without bands, median", "change_without_bands_median"),
    ("share of members in the list without bands, mean", "share_in_fresh_list"),
    ("the same, min / p10 / median / p90 / max", "share_in_fresh_list_quantiles"),
    ("mean score given up against the fresh list", "score_given_up_mean"),
    ("members, min / p10 / median / p90 / max", "size_quantiles"),
    ("members without bands, the same", "size_without_bands_quantiles"),
    ("sessions in the layer, the same", "age_in_layer_quantiles"),
    ("sessions since the last Layer 2 pass, oldest", "oldest_pass"),
)


def table(head: Iterable[object], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    top = list(head)
    lines: list[Sequence[object]] = [top, ["---"] * len(top), *rows]
    return "".join("| " + " | ".join(str(cell) for cell in line) + " |\n" for line in lines)


def page() -> str:
    """The page's text."""
    text = TEXT.read_text(encoding="utf-8")
    real, stability, simulated = (_figures(name) for name in PROOFS)
    text = text.replace("{{stability}}", _stability(stability))
    text = text.replace("{{sets}}", "".join(_set(name, found) for name, found in real.items()))
    return text.replace("{{simulated}}", _simulated(simulated))


def _figures(name: str) -> dict[str, Any]:
    record = json.loads((ROOT / "docs" / "proofs" / f"{name}.json").read_text(encoding="utf-8"))
    figures: dict[str, Any] = record["figures"]
    return figures


def _stability(figures: dict[str, Any]) -> str:
    rows = [(label, *(_shown(found[key]) for found in figures.values())) for label, key in STABILITY]
    return table(("last 60 sessions", *figures), rows)


def _shown(value: Any) -> str:
    return " / ".join(f"{one:g}" for one in value) if isinstance(value, list) else f"{value:g}"


def _set(name: str, found: dict[str, Any]) -> str:
    dates = found["dates"]
    last = list(dates.values())[-1]
    counts = "; ".join(
        f"Layer {layer} {' / '.join(f'{one:,}' for one in values)}" for layer, values in found["counts"].items()
    )
    binds = ", ".join(f"{share:.1%} for Layer {layer}" for layer, share in found["cap_bound_share"].items())
    absent = "; ".join(f"Layer {layer}: {', '.join(what)}" for layer, what in last["unavailable"].items())
    shares = [
        (
            f"Layer {layer} `{criterion}`",
            *(f"{told['unknown'][layer].get(criterion, 0):.1%}" for told in dates.values()),
        )
        for layer in ("1", "2", "3")
        for criterion in last["unknown"].get(layer, {})
    ]
    return "".join(
        (
            f"\n## {name}\n\n{WHY[name]}\n\n",
            table(("session", *(f"Layer {n}" for n in range(4))), (_counted(day, told) for day, told in dates.items())),
            f"\nOver {found['sessions']} sessions, min / p10 / median / p90 / max: {counts}. ",
            f"The cap keeps somebody out in {binds} of them.\n\nUnavailable: {absent}.\n\n",
            table(("share unknown among those judged", *dates), shares),
            *(f"\n**Layer 3 on {day}**, best first: {_names(told['members'])}.\n" for day, told in dates.items()),
        )
    )


def _counted(day: str, told: dict[str, Any]) -> list[str]:
    cells = [day]
    for layer in told["layers"]:
        rate = "" if layer["rate"] is None else f" ({layer['rate']:.1%})"
        unknown = f", {layer['unknown']:,} unknown" if layer["unknown"] else ""
        cells.append(f"{layer['symbols']:,}{rate}{unknown}")
    return cells


def _names(members: list[list[Any]]) -> str:
    return ", ".join(symbol if sector == "unknown" else f"{symbol} ({sector})" for symbol, sector, _ in members)


def _simulated(figures: dict[str, Any]) -> str:
    rows = []
    for kind in ("usual", "stressed"):
        for one in figures[kind]:
            change = "" if one["change3_median"] is None else f"{one['change3_median']:.1%}"
            label = f"{one['seed']} stressed" if kind == "stressed" else one["seed"]
            counts = [f"{one[f'layer{n}']:,}" for n in range(4)]
            within = "yes" if one["within"] else "no"
            rows.append((label, counts[0], counts[1], f"{one['rate1']:.1%}", counts[2], counts[3], change, within))
    head = ("seed", "Layer 0", "Layer 1", "rate", "Layer 2", "Layer 3", "change of Layer 3, median", "within")
    return f"{figures['within']} of {figures['markets']} usual markets lie in every range.\n\n" + table(head, rows)


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
