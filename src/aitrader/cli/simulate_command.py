"""``simulate``: the simulated market served in the vendors' wire formats."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from types import FrameType
from typing import Annotated

from aitrader.cli import exit_codes
from aitrader.cli.call import Call
from aitrader.cli.output import write_json
from aitrader.cli.registry import Help, action


class _EndedError(BaseException):
    """Told to end; no handler of Exception is to take it."""


@contextmanager
def _until_told_to_end() -> Iterator[None]:
    """Leaves the block on SIGTERM, as a service is stopped; Ctrl-C goes its usual way."""

    def end(_signal: int, _frame: FrameType | None) -> None:
        raise _EndedError

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except _EndedError:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)


@action()
def simulate(
    call: Call,
    *,
    port: Annotated[int, Help("the port to listen on; 0 takes a free one", at_least=0, at_most=65535)],
    clock: Annotated[
        date | None,
        Help("the exchange's now is the evening of this date; by default of the market's last", metavar="DATE"),
    ] = None,
    faults: Annotated[Path | None, Help("a YAML file with faults to inject and rate limits to keep")] = None,
) -> int:
    """Serve the simulated market as Alpaca, Polygon and the SEC would, on this machine alone, until interrupted.

    Any key is accepted. The clock is moved with POST /simulate/clock. The file holds faults: a list of kind, path, nth,
    count and the kind's own value, and limits: requests and seconds by vendor.
    """
    from aitrader.domain.errors import UsageError
    from aitrader.exchange.exchange import Exchange, evening
    from aitrader.exchange.faults import conditions
    from aitrader.operations.published import bare_envelope
    from aitrader.providers.simulated import SimulatedSource
    from aitrader.settings.yaml_file import read_document
    from aitrader.web.exchange_server import ExchangeServer

    settings = call.settings()
    own = settings.sources.simulated
    day = own.until if clock is None else clock
    if not own.start <= day <= own.until:
        why = f"it runs from {own.start} to {own.until}"
        raise UsageError(f"--clock {day} is outside the simulated market", why=why, do="give a date inside it")
    if faults is not None and not faults.is_file():
        raise UsageError(f"--faults {faults} is no file", do="name a YAML file with faults and limits")
    told = conditions(None if faults is None else read_document(faults, shown=str(faults)).values)
    with _until_told_to_end():
        exchange = Exchange(SimulatedSource(own).generated(), evening(day), conditions=told)
        try:
            server = ExchangeServer(exchange, port=port)
        except OSError as error:
            what, why = f"cannot listen on port {port}", error.strerror or str(error)
            raise UsageError(what, why=why, do="choose another --port; 0 takes a free one") from None
        with server:
            call.tell_source("simulated")
            if call.json:
                head = bare_envelope(environment=settings.environment, source="simulated")
                write_json(call.out, {**head, "url": server.url, "now": exchange.now.isoformat()})
            else:
                call.out.write(f"listening on {server.url}, now {exchange.now.isoformat()}\n")
            call.out.flush()
            server.serve_forever()
    return exit_codes.OK
