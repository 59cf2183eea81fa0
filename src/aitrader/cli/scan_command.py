"""``scan``: the whole funnel on what is stored, and the picture of it."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from aitrader.cli import exit_codes
from aitrader.cli.call import Call
from aitrader.cli.context import chosen_market
from aitrader.cli.flags import Force
from aitrader.cli.output import write_json
from aitrader.cli.registry import Help, action


@action()
def scan(
    call: Call,
    *,
    as_of: Annotated[
        date | None, Help("the session to scan: this date's, or the last one before it", metavar="DATE")
    ] = None,
    force: Force = False,
) -> int:
    """Run every session up to the last stored one, or up to a date, and publish the layers.

    Where nothing was populated yet, the default source is populated first: the simulated market, unless configured
    otherwise. A session already published is answered as it stands.
    """
    from aitrader.cli.funnel_view import write_funnel
    from aitrader.operations.scan_summary import scan_summary
    from aitrader.settings.place import locate
    from aitrader.store.store import Store

    settings, facade, place = call.settings(), call.facade(), locate(call.environ)
    result = None
    if chosen_market(place, call.market) is None:
        populated = facade.populate(
            settings=settings,
            source=None,
            path=None,
            file=None,
            force_refresh=False,
            accept_shrink=False,
            market=None,
            report=call.report,
            environ=call.environ,
        )
        result = populated.scan if as_of is None else None
    if result is None:
        result = facade.scan(settings=settings, market=call.market, as_of=as_of, force=force, report=call.report)
    with Store.open(result.home, write=False) as store, store.reader.snapshot():
        found = scan_summary(store, store.reader.run(result.run_id))
    call.tell_source(found["source"])
    if call.json:
        write_json(call.out, found)
    else:
        write_funnel(call.out, found)
    return exit_codes.OK
