"""``simulate``: the simulated market served in the vendors' wire formats."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

from aitrader.cli import exit_codes
from aitrader.cli.call import Call
from aitrader.cli.output import write_json
from aitrader.cli.registry import Help, action


@action()
def simulate(
    call: Call,
    *,
    port: Annotated[int, Help("the port to listen on; 0 takes a free one", at_least=0, at_most=65535)],
    clock: Annotated[
        date | None, Help("the evening of this date is the exchange's now; its market's last session", metavar="DATE")
    ] = None,
    faults: Annotated[Path | None, Help("a YAML file with faults to inject and rate limits to keep")] = None,
) -> int:
    """Serve the simulated market as Alpaca, Polygon and the SEC would, on this machine alone, until interrupted.

    Any key is accepted. The clock is moved with POST /simulate/clock. The file holds faults: a list of kind, path, nth,
    count and the kind's own value, and limits: requests and seconds by vendor.
    """
    from aitrader.domain.errors import UsageError
    from aitrader.exchange.answer import RefusalError
    from aitrader.exchange.exchange import Exchange, evening
    from aitrader.exchange.faults import conditions
    from aitrader.operations.published import bare_envelope
    from aitrader.providers.simulated import SimulatedSource
    from aitrader.settings.yaml_file import read_document
    from aitrader.web.exchange_server import ExchangeServer

    settings = call.settings()
    own = settings.sources.simulated
    told = conditions(None if faults is None else read_document(faults, shown=str(faults)).values)
    day = own.until if clock is None else clock
    exchange = Exchange(
        SimulatedSource(own).deliver(),
        evening(own.until),
        conditions=told,
    )
    try:
        exchange.move(evening(day))
    except RefusalError as error:
        raise UsageError(f"no clock at {day}", why=error.message) from None
    with ExchangeServer(exchange, port=port) as server:
        call.tell_source("simulated")
        if call.json:
            head = bare_envelope(environment=settings.environment, source="simulated")
            write_json(call.out, {**head, "url": server.url, "now": exchange.now.isoformat()})
        else:
            call.out.write(f"listening on {server.url}, now {exchange.now.isoformat()}\n")
        call.out.flush()
        server.serve_forever()
    return exit_codes.OK
