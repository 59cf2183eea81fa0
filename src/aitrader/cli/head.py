"""The envelope of an answer that speaks of no one run: of the run that stands, where there is any."""

from __future__ import annotations

from typing import Any

from aitrader.cli.call import Call
from aitrader.cli.context import chosen_market


def head_of(call: Call) -> dict[str, Any]:
    """The fields that every JSON answer carries; what is not known before the first population is null."""
    from aitrader.operations.published import bare_envelope, envelope
    from aitrader.settings.place import locate

    place = locate(call.environ)
    if chosen_market(place, call.market) is None:
        return bare_envelope(environment=place.environment, source=None)
    with call.reader() as opened, opened.snapshot() as reader:
        run = reader.active_run()
        if run is not None:
            return envelope(reader, run)
        population = reader.population()
        return bare_envelope(environment=place.environment, source=population.source if population else None)
