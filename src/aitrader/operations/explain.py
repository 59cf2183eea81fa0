"""Why a symbol is where it is: value, threshold, margin, verdict and input date of each criterion in every layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from operator import ge, gt, le, lt
from typing import Any, Final

from aitrader.domain.verdict import Verdict

HELD = "held by band"
NEAR: Final = 0.05  # a miss by at most this share of the threshold is a near miss

_RELATIONS: Final[dict[str, Callable[[float, float], bool]]] = {">=": ge, ">": gt, "<=": le, "<": lt}
_OPPOSITE: Final = {">=": "<", ">": "<=", "<=": ">", "<": ">="}


def margin(value: Any, op: str | None, threshold: Any) -> float | None:
    """Signed distance from the threshold in the direction of passing; null where either side is no number."""
    if op not in _RELATIONS or not _is_number(value) or not _is_number(threshold):
        return None
    distance = float(value) - float(threshold)
    return distance if op in (">=", ">") else 0.0 - distance


def relation(value: Any, op: str | None, threshold: Any) -> str:
    """The relation that holds between value and threshold: the criterion's own, or its opposite where it is broken."""
    if op not in _RELATIONS:
        return "="
    if not _is_number(value) or not _is_number(threshold):
        return op
    return op if _RELATIONS[op](float(value), float(threshold)) else _OPPOSITE[op]


def explain(
    *,
    security: Mapping[str, Any],
    qualifications: Sequence[Mapping[str, Any]],
    detail: Mapping[str, Any],
    content: Mapping[str, Any],
) -> dict[str, Any]:
    """One symbol in one run.

    ``qualifications`` are its rows of the run (one for each layer reached), ``detail`` its row of the run's
    detail file, ``content`` the configuration that the run used. ``layer`` is the highest layer held, null for none.
    """
    by_layer = {int(row["layer"]): row for row in qualifications}
    layers = [_layer(layer, by_layer.get(int(layer["number"])), detail) for layer in content["layers"]]
    return {
        "symbol": security["symbol"],
        "name": security.get("name"),
        "exchange": security.get("exchange"),
        "security_type": security.get("security_type"),
        "sector": security.get("sector"),
        "provenance": security.get("provenance"),
        "layer": max((layer for layer, row in by_layer.items() if row["member"]), default=None),
        "layers": layers,
        "near_misses": [miss for layer in layers for miss in near_misses(layer)],
    }


def near_misses(layer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The required criteria that one explained layer failed by little, nearest first."""
    found = []
    for criterion in layer["criteria"]:
        short, threshold = criterion["margin"], criterion["threshold"]
        if criterion["role"] != "required" or criterion["verdict"] != "failed":
            continue
        if not short or short > 0 or not threshold:
            continue
        share = abs(short / threshold)
        if share <= NEAR:
            found.append(
                {
                    "layer": layer["layer"],
                    "name": criterion["name"],
                    "value": criterion["value"],
                    "relation": relation(criterion["value"], criterion["op"], threshold),
                    "threshold": threshold,
                    "share": share,
                    "decimals": criterion["decimals"],
                }
            )
    return sorted(found, key=lambda miss: miss["share"])


def _layer(layer: Mapping[str, Any], row: Mapping[str, Any] | None, detail: Mapping[str, Any]) -> dict[str, Any]:
    """One layer's verdict with its criteria; a layer that the symbol did not reach still shows the values."""
    number = int(layer["number"])
    reached = row is not None
    return {
        "layer": number,
        "name": layer["name"],
        "verdict": verdict_word(row["verdict"]) if row else Verdict.NOT_REACHED.word,
        "member": bool(row["member"]) if row else False,
        "score": row["score"] if row else None,
        "min_score": layer.get("min_score"),
        "rank": row["rank"] if row else None,
        "cause": row["cause"] if row else None,
        "held_by_band": bool(row and row["member"] and HELD in (row["cause"] or "")),
        "criteria": [_criterion(number, one, detail, reached=reached) for one in layer["criteria"]],
        "ranking": _ranking(layer, detail) if reached else [],
    }


def _ranking(layer: Mapping[str, Any], detail: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The ranking factors of a layer: the value, its percentile (0..1) in Layer 1 and its weight in the score."""
    found = []
    for component, part in layer.get("ranking", {}).items():
        whole = sum(part["factors"].values()) or 1.0
        found += [
            {
                "component": component,
                "factor": factor,
                "value": plain(detail.get(factor)),
                "percentile": plain(detail.get(f"percentile.{factor}")),
                "unit": "%" if factor.endswith("_pct") else "",
                "weight": part["weight"] * weight / whole,
            }
            for factor, weight in part["factors"].items()
        ]
    return found


def _criterion(
    number: int, criterion: Mapping[str, Any], detail: Mapping[str, Any], *, reached: bool
) -> dict[str, Any]:
    """One criterion judged: the first of its factors stands for its value."""
    factors = criterion["factors"]
    op, threshold = criterion["op"], criterion["value"]
    value = plain(detail.get(factors[0]))
    word = verdict_word(detail.get(f"L{number}.{criterion['name']}"))
    short = margin(value, op, threshold)
    # A no although the comparison holds, or without a number: the number has no meaning and the answer is known.
    soured = word == "failed" and (short is None or short >= 0) and len(factors) == 1
    dated = None if word == Verdict.UNAVAILABLE.word else _input_date(detail, criterion["input"])
    return {
        "name": criterion["name"],
        "factor": factors[0],
        "role": criterion["role"],
        "weight": criterion["weight"],
        "value": value,
        "op": op,
        "threshold": threshold,
        "exit": criterion.get("exit"),
        "unit": criterion["unit"],
        "decimals": criterion.get("decimals", 2),
        "verdict": word if reached or word == Verdict.UNAVAILABLE.word else Verdict.NOT_REACHED.word,
        "margin": short,
        "input": criterion["input"],
        "input_date": None if dated is None else str(dated),
        "note": criterion.get("sour_text", "") if soured else "",
        "inputs": {name: plain(detail.get(name)) for name in factors} if len(factors) > 1 else {},
    }


def _input_date(detail: Mapping[str, Any], source: str) -> date | None:
    """The date of what a criterion reads: of the last bar, filing or headline; a listing is as of the session."""
    if source == "listing":
        return _day(detail.get("session"))
    dated = _day(detail.get(f"{source}_date"))
    if dated is not None or source != "bar":
        return dated
    session, age = _day(detail.get("session")), detail.get("bar_age")
    if session is None or age is None or not math.isfinite(age):
        return None
    if age == 0:
        return session
    from aitrader.domain.sessions import xnys

    return xnys().session_at(xnys().ordinal(session) - int(age))


def _day(value: Any) -> date | None:
    """A date out of a date or an instant."""
    return value.date() if isinstance(value, datetime) else value


def verdict_word(code: Any) -> str:
    """The printed form of a verdict code; a code that is missing means the question was not reached."""
    return Verdict.NOT_REACHED.word if code is None else Verdict(int(code)).word


def plain(value: Any) -> Any:
    """A factor's value as JSON knows it: NaN and infinities are null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
