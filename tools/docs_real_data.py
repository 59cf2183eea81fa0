"""Write docs/real-data.md from the figures of the proofs real_data, stability and simulated_counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "real-data.md"
TEXT = ROOT / "tools" / "real_data_text.md"

WHY = {
    "us_2015_2016": "Raw bars of 5,232 listings, delisted ones included (four fifths of the market's symbols). It has no "
    "exchanges, market caps, shares, debt, sectors, quotes, headlines or analyst ratings; trailing earnings need four quarters "
    "of reports, which exist for most filers only from February 2016. So Layer 0 and Layer 1 are smaller than a whole "
    "market's, and Layer 3 before 2016 is chosen mostly by its technical half.",
    "us_2021_2023": "Split-adjusted bars of 4,822 survivors without ETFs and class shares; no market caps, no fundamentals, no "
    "headlines. Level criteria on adjusted prices are not point in time (`min_price` most of all). Layer 3 is chosen by its "
    "technical half alone.",
    "us_2024_2025": "Nightly close, volume and market cap of the whole screener, no ETFs; no open, high or low, so ATR and ADX "
    "are unavailable; no fundamentals or headlines.",
}


def main() -> None:
    """Put the figures into the page."""
    records = {name: _record(name) for name in ("real_data", "stability", "simulated_counts")}
    text = TEXT.read_text(encoding="utf-8")
    text = text.replace("{{stability}}", _stability(records["stability"]))
    text = text.replace("{{sets}}", _sets(records["real_data"]))
    text = text.replace("{{simulated}}", _simulated(records["simulated_counts"]))
    TARGET.write_text(text, encoding="utf-8")


def _record(name: str) -> dict[str, Any]:
    path = ROOT / "docs" / "proofs" / f"{name}.json"
    figures: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["figures"]
    return figures


def _stability(figures: dict[str, Any]) -> str:
    rows = (
        ("change, median", "change_median"),
        ("change, 95th percentile", "change_p95"),
        ("change without bands, median", "change_without_bands_median"),
        ("share of members in the list without bands, mean", "share_in_fresh_list"),
        ("the same, min / p10 / median / p90 / max", "share_in_fresh_list_quantiles"),
        ("mean score given up against the fresh list", "score_given_up_mean"),
        ("members, min / p10 / median / p90 / max", "size_quantiles"),
        ("without bands", "size_without_bands_quantiles"),
        ("sessions in the layer, min / p10 / median / p90 / max", "age_in_layer_quantiles"),
        ("sessions since the last Layer 2 pass, oldest", "oldest_pass"),
    )
    names = list(figures)
    out = ["| last 60 sessions | " + " | ".join(names) + " |\n", "| --- " * (len(names) + 1) + "|\n"]
    for label, key in rows:
        out.append(f"| {label} | " + " | ".join(_shown(figures[name][key]) for name in names) + " |\n")
    return "".join(out)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return " / ".join(f"{one:g}" for one in value)
    return f"{value:g}"


def _sets(figures: dict[str, Any]) -> str:
    out = []
    for name, found in figures.items():
        out.append(f"\n## {name}\n\n{WHY[name]}\n\n")
        dates = found["dates"]
        out.append("| session | Layer 0 | Layer 1 | Layer 2 | Layer 3 |\n| --- | --- | --- | --- | --- |\n")
        for session, told in dates.items():
            cells = []
            for layer in told["layers"]:
                rate = "" if layer["rate"] is None else f" ({layer['rate']:.1%})"
                unknown = f", {layer['unknown']:,} unknown" if layer["unknown"] else ""
                cells.append(f"{layer['symbols']:,}{rate}{unknown}")
            out.append(f"| {session} | " + " | ".join(cells) + " |\n")
        counts = found["counts"]
        out.append(
            f"\nOver {found['sessions']} sessions, min / p10 / median / p90 / max: "
            + "; ".join(f"Layer {layer} {' / '.join(f'{one:,}' for one in values)}" for layer, values in counts.items())
            + ". The cap binds in "
            + ", ".join(f"{share:.1%} of them for Layer {layer}" for layer, share in found["cap_bound_share"].items())
            + ".\n"
        )
        last = list(dates.values())[-1]
        unavailable = "; ".join(f"Layer {layer}: {', '.join(what)}" for layer, what in last["unavailable"].items())
        out.append(f"\nUnavailable: {unavailable}.\n\n")
        out.append("| share unknown among those judged | " + " | ".join(dates) + " |\n| --- " + "| --- " * len(dates) + "|\n")
        for layer in ("1", "2", "3"):
            for criterion in last["unknown"].get(layer, {}):
                shares = [told["unknown"].get(layer, {}).get(criterion, 0.0) for told in dates.values()]
                out.append(f"| Layer {layer} `{criterion}` | " + " | ".join(f"{share:.1%}" for share in shares) + " |\n")
        for session, told in dates.items():
            listed = ", ".join(f"{symbol} ({sector})" if sector != "unknown" else symbol for symbol, sector, _ in told["members"])
            out.append(f"\n**Layer 3 on {session}**, best first: {listed}.\n")
    return "".join(out)


def _simulated(figures: dict[str, Any]) -> str:
    head = "| seed | Layer 0 | Layer 1 | rate | Layer 2 | Layer 3 | change of Layer 3, median | within |\n"
    out = [f"{figures['within']} of {figures['markets']} markets lie in every range.\n\n", head, "| --- " * 8 + "|\n"]
    for kind in ("usual", "stressed"):
        for one in figures[kind]:
            change = "" if one["change3_median"] is None else f"{one['change3_median']:.1%}"
            label = f"{one['seed']}{' stressed' if kind == 'stressed' else ''}"
            out.append(
                f"| {label} | {one['layer0']:,} | {one['layer1']:,} | {one['rate1']:.1%} | {one['layer2']} | {one['layer3']} | {change} | {'yes' if one['within'] else 'no'} |\n"
            )
    return "".join(out)


if __name__ == "__main__":
    main()
