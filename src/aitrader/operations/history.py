"""What was published session by session: counts of the layers, the way of one symbol, and the whole record."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

from aitrader.operations.explain import verdict_word
from aitrader.operations.published import content_of, envelope, layer_names
from aitrader.store.instants import rfc3339

if TYPE_CHECKING:
    from aitrader.store.reader import Layer, Qualification, Reader, Run


def published_in(reader: Reader, run: Run, days: int) -> list[tuple[Run, list[Layer]]]:
    """The runs that stand for the last ``days`` calendar days up to the run's session, oldest first."""
    reach = min(days, run.session.toordinal()) - 1
    return reader.history(since=run.session - timedelta(days=reach), until=run.session)


def history(reader: Reader, run: Run, *, days: int) -> dict[str, Any]:
    """Counts and rates of every layer in each published session."""
    sessions = [
        {
            **_head(one),
            "layers": [
                {
                    "layer": layer.layer,
                    "symbols": layer.symbols,
                    "qualification_rate": layer.qualification_rate,
                    "change_rate": layer.change_rate,
                    "added": layer.added,
                    "removed": layer.removed,
                }
                for layer in layers
            ],
        }
        for one, layers in published_in(reader, run, days)
    ]
    return {**envelope(reader, run), "days": days, "sessions": sessions}


def symbol_history(reader: Reader, run: Run, security: int, symbol: str, *, days: int) -> dict[str, Any]:
    """The verdicts on one security in each published session, from the lowest layer that it reached to the highest."""
    sessions = []
    for one, _ in published_in(reader, run, days):
        rows = reader.qualification_of(one.run_id, security)
        held = max((row.layer for row in rows if row.member), default=None)
        sessions.append({**_head(one), "layer": held, "layers": [_verdict(row) for row in rows]})
    return {**envelope(reader, run), "days": days, "symbol": symbol, "sessions": sessions}


def layer_details(reader: Reader, run: Run, security: int, symbol: str) -> dict[str, Any]:
    """A symbol layer by layer: verdict, place, score, rank, cause, and since which session it holds the place."""
    names = layer_names(content_of(reader, run))
    rows = {row.layer: row for row in reader.qualification_of(run.run_id, security)}
    past = reader.history(until=run.session)
    places = {
        one.session: {row.layer for row in reader.qualification_of(one.run_id, security) if row.member}
        for one, _ in past
    }
    company = reader.company(security)
    layers = []
    for number, name in names.items():
        row = rows.get(number)
        streak, complete = _streak(places, number, member=bool(row and row.member))
        layers.append(
            {
                **(_verdict(row) if row else {"layer": number, **_NOT_REACHED}),
                "name": name,
                "since": streak[0].isoformat() if streak else None,
                "sessions": len(streak),
                "since_first_published": complete,
            }
        )
    return {
        **envelope(reader, run),
        "symbol": symbol,
        "name": company.name,
        "sector": company.sector,
        "layer": max((number for number, row in rows.items() if row.member), default=None),
        "layers": layers,
    }


def verdicts(reader: Reader, run: Run) -> dict[str, Any]:
    """Every verdict of one published session."""
    rows = [row for layer in range(4) for row in reader.qualifications(run.run_id, layer)]
    return {**_head(run), "qualifications": [{"symbol": row.symbol, **_verdict(row)} for row in rows]}


def _streak(places: dict[date, set[int]], layer: int, *, member: bool) -> tuple[list[date], bool]:
    """The last sessions in a row in which the place was held (or not), and whether they reach back to the first."""
    runs = [(held, [day for day, _ in days]) for held, days in groupby(places.items(), key=lambda one: layer in one[1])]
    if not runs or runs[-1][0] != member:
        return [], False
    return runs[-1][1], len(runs) == 1


def _head(run: Run) -> dict[str, Any]:
    return {
        "session": run.session.isoformat(),
        "run_id": run.run_id,
        "config_version": run.config_version,
        "kind": run.kind,
        "as_of": rfc3339(run.as_of),
        "published_at": rfc3339(run.published_at),
    }


def _verdict(row: Qualification) -> dict[str, Any]:
    return {
        "layer": row.layer,
        "verdict": verdict_word(row.verdict),
        "member": row.member,
        "score": row.score,
        "rank": row.rank,
        "cause": row.cause,
    }


_NOT_REACHED: dict[str, Any] = {"verdict": "not_reached", "member": False, "score": None, "rank": None, "cause": None}
