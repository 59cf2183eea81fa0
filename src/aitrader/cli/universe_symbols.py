"""``universe``: one symbol, explained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aitrader.cli import exit_codes
from aitrader.cli.answers import security_of, view
from aitrader.cli.call import Call
from aitrader.cli.flags import AsOf, Symbol
from aitrader.cli.output import Column, printable, write_json, write_table
from aitrader.cli.registry import action
from aitrader.operations.wording import amount, exact, factor_words, grouped, miss_sentence


@action("--explain", takes="symbol")
def explain(call: Call, *, symbol: Symbol, as_of: AsOf = None) -> int:
    """Why a symbol is where it is: value, threshold, margin, verdict and input date of each criterion."""
    from aitrader.domain.errors import StoreError
    from aitrader.operations.explain import explain as explained
    from aitrader.operations.published import content_of, envelope

    with view(call, as_of=as_of) as (reader, run):
        security, spelled = security_of(reader, symbol, run.session)
        row = reader.detail_row(run, security)
        if row is None:
            what = f"the run of {run.session} has no row of {spelled}"
            raise StoreError(what, why="it was populated later", do="run scan")
        found = explained(
            security={**reader.company(security)._asdict(), **_known(row), "symbol": spelled},
            qualifications=[one._asdict() for one in reader.qualification_of(run.run_id, security)],
            detail=row,
            content=content_of(reader, run),
        )
        found = {**envelope(reader, run, as_of=as_of), **found}
    if call.json:
        write_json(call.out, found)
    else:
        _write(call, found)
    return exit_codes.OK


@action("--layer-details")
def layer_details(call: Call, *, symbol: Symbol) -> int:
    """A symbol layer by layer: verdict, score, rank, reason, and since when it holds its place."""
    from aitrader.operations.history import layer_details as detailed

    with view(call) as (reader, run):
        security, spelled = security_of(reader, symbol, run.session)
        found = detailed(reader, run, security, spelled)
    if call.json:
        write_json(call.out, found)
        return exit_codes.OK
    held = "in no layer" if found["layer"] is None else f"in Layer {found['layer']}"
    call.out.write(printable(f"{spelled}  {found['name'] or ''}".rstrip()) + "\n")
    call.out.write(f"{held}, session {found['session']}\n\n")
    rows = [{**one, "title": f"Layer {one['layer']} {one['name']}"} for one in found["layers"]]
    write_table(call.out, _LAYERS, rows)
    return exit_codes.OK


def _known(row: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes as the run saw them, where its details keep them."""
    return {name: row[name] for name in ("exchange", "security_type", "sector") if row.get(name) is not None}


def _place(value: Any) -> str:
    return "yes" if value else "no"


def _since(value: Any) -> str:
    return value or "-"


_LAYERS = (
    Column(key="title", heading="layer"),
    Column(key="member", heading="member", show=_place),
    Column(key="since", heading="since", show=_since),
    Column(key="sessions", heading="sessions", right=True),
    Column(key="verdict", heading="verdict"),
    Column(key="score", heading="score", right=True, show=lambda value: "-" if value is None else f"{value:.3f}"),
    Column(key="rank", heading="rank", right=True),
    Column(key="cause", heading="why"),
)
_CRITERIA = (
    Column(key="name", heading="criterion"),
    Column(key="value", heading="value", right=True),
    Column(key="threshold", heading="asked", right=True),
    Column(key="margin", heading="margin", right=True),
    Column(key="verdict", heading="verdict"),
    Column(key="input_date", heading="input of"),
    Column(key="note", heading=""),
)


def _write(call: Call, found: Mapping[str, Any]) -> None:
    """The explanation as text: where the symbol stands, then each layer with its criteria."""
    out = call.out
    about = ", ".join(str(found[key]) for key in ("security_type", "exchange", "sector") if found[key])
    out.write(printable(f"{found['symbol']}  {found['name'] or ''}".rstrip()) + "\n")
    out.write(printable(about) + "\n" if about else "")
    out.write(printable(f"told by {found['provenance']}") + "\n" if found["provenance"] else "")
    standing = "in no layer" if found["layer"] is None else f"in Layer {found['layer']} of 3"
    out.write(f"{standing}, session {found['session']}, config {found['config_version']}, {found['source']}\n")
    for layer in found["layers"]:
        out.write(f"\n{_heading(layer)}\n")
        if layer["criteria"] and layer["verdict"] != "not_reached":
            write_table(out, _CRITERIA, [_shown(one) for one in layer["criteria"]], indent="  ")
        for ranked in layer["ranking"]:
            share = "unknown" if ranked["percentile"] is None else f"percentile {100 * ranked['percentile']:.1f}"
            value = amount(ranked["value"], unit=ranked["unit"], decimals=2)
            out.write(f"  rank of {factor_words(ranked['factor'])} {value}: {share}, weight {ranked['weight']:g}\n")
    for miss in found["near_misses"]:
        out.write(f"\nnear miss: {miss_sentence({**miss, 'symbol': found['symbol']})}\n")


def _heading(layer: Mapping[str, Any]) -> str:
    """``Layer 3 fundamental: passed, rank 4, score 0.812``, with the reason where it is not plainly passed."""
    verdict, cause = layer["verdict"].replace("_", " "), layer["cause"]
    parts = [f"Layer {layer['layer']} {layer['name']}: {verdict}"]
    if any(criterion["name"] == cause for criterion in layer["criteria"]):
        parts[0] += f" by {cause}"
    elif cause and cause != verdict:
        parts.append(str(cause))
    if layer["score"] is not None:
        asked = f" (at least {layer['min_score']:g})" if layer["min_score"] else ""
        parts.append(f"score {layer['score']:.3f}{asked}")
    if layer["rank"] is not None:
        parts.append(f"rank {layer['rank']}")
    if layer["verdict"] == "passed" and not layer["member"]:
        parts.append("no member")
    return ", ".join(parts)


def _shown(criterion: Mapping[str, Any]) -> dict[str, str]:
    """A criterion's row as text."""
    unit, places = str(criterion["unit"] or ""), criterion["decimals"]
    margin = criterion["margin"]
    value, asked = criterion["value"], f"{criterion['op']} {exact(criterion['threshold'], unit=unit)}"
    if criterion["op"] == "is":
        asked = "must hold" if criterion["threshold"] else "must not hold"
    decided = criterion["verdict"] in ("passed", "failed")  # no cross is no unknown
    named = f"{factor_words(criterion['factor'])}: " if isinstance(value, bool) else ""
    return {
        "name": criterion["name"],
        "value": "none" if decided and value is None else named + amount(value, unit=unit, decimals=places),
        "threshold": asked,
        "margin": "" if margin is None else grouped(margin, places, sign=True),
        "verdict": criterion["verdict"].replace("_", " "),
        "input_date": criterion["input_date"] or "",
        "note": _note(criterion),
    }


def _note(criterion: Mapping[str, Any]) -> str:
    """What else decides: a weight, a reason of the data, the other inputs."""
    parts = [] if criterion["role"] == "required" else [f"weight {criterion['weight']:g}"]
    if criterion["note"]:
        parts.append(criterion["note"])
    parts += [f"{factor_words(name)} {amount(value)}" for name, value in list(criterion["inputs"].items())[1:]]
    return ", ".join(parts)
