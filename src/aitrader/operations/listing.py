"""The members of a layer."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from aitrader.operations.published import content_of, envelope, layer_names

if TYPE_CHECKING:
    from aitrader.store.reader import Member, Reader, Run


def listing(
    reader: Reader, run: Run, layer: int, members: list[Member], *, as_of: date | None = None
) -> dict[str, Any]:
    """A layer's members in order of rank, with the counts of the layer in that run."""
    counts = {one.layer: one for one in reader.layers(run.run_id)}.get(layer)
    return {
        **envelope(reader, run, as_of=as_of),
        "layer": layer,
        "name": layer_names(content_of(reader, run))[layer],
        "count": counts.symbols if counts else len(members),
        "symbols": [
            {
                "symbol": member.symbol,
                "score": member.score,
                "rank": member.rank,
                "name": member.name,
                "security_type": member.security_type,
                "sector": member.sector,
                "cause": member.cause,
            }
            for member in members
        ],
    }
