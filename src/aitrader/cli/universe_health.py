"""``universe --health``: the KPI table, judged."""

from __future__ import annotations

from typing import Annotated

from aitrader.cli import exit_codes
from aitrader.cli.call import Call
from aitrader.cli.output import Column, write_json, write_table
from aitrader.cli.registry import Help, action

_CHECKS = (
    Column(key="status", heading="status"),
    Column(key="title", heading="check"),
    Column(key="shown", heading="value", right=True),
    Column(key="target", heading="target"),
    Column(key="message", heading=""),
)


@action("--health")
def health(
    call: Call,
    *,
    verbose: Annotated[
        bool, Help("also the numbers behind each check, its bounds and runbook, the sources, what was populated")
    ] = False,
) -> int:
    """Judge the universe by the KPI table; the exit code is 0 healthy, 1 warning or unknown, 2 critical."""
    from aitrader.operations.checks import shown
    from aitrader.operations.health import health as judged
    from aitrader.store.store import Store

    context, settings = call.context(), call.settings()
    with Store.open(context.home, write=False) as store:
        found, checks = judged(store, settings.kpis, environment=context.environment)
        active, population = store.active_config(), store.reader.population()
        quarantined = store.reader.quarantine_counts()
    if found["source"] is not None:
        call.tell_source(found["source"])
    if found["stale"] and population is not None:
        last = population.last_session
        call.report.warn(f"stale: bars are stored up to {last}, the run is of {found['session']}; run scan")
    if active is not None and not settings.digest.startswith(active.version):
        call.report.warn(f"the config files differ from the active version {active.version}, which scans use")
    apis = []
    if verbose:  # what the counters say; nobody is asked
        from aitrader.operations.external_apis import external_apis

        apis = external_apis(settings.sources, call.environ, context.home.root, now=call.clock())
    if call.json:
        if verbose:
            found["checks"] = [{**check.as_dict(), "details": dict(check.details)} for check in checks]
            found["sources"] = [api.as_dict() for api in apis]
        write_json(call.out, found)
        return exit_codes.for_status(found["status"])
    rows = [{**check.as_dict(), "shown": shown(check.value, check.unit)} for check in checks]
    write_table(call.out, _CHECKS, rows)
    about = f"session {found['session'] or 'none'}, {found['source']}, {found['environment']}"
    call.out.write(f"\n{found['status']}: {about}\n")
    if verbose:
        for check in checks:
            call.out.write(f"\n{check.title}: {check.bounds}; see {check.runbook}")
            if check.details:
                numbers = (f"{name} {_number(value)}" for name, value in check.details.items())
                call.out.write(f"\n  {', '.join(numbers)}")
        call.out.write("\n\n")
        call.out.writelines(f"{api.line()}\n" for api in apis)
        if population is not None:
            what = "added to from" if population.partial else "populated from"
            call.out.write(
                f"\n{what} {population.source}: {population.symbols:,} symbols, "
                f"{population.sessions:,} sessions from {population.first_session} to {population.last_session}\n"
            )
            for reason, count in quarantined.items():
                call.out.write(f"quarantined {count:,} rows: {reason}\n")
    return exit_codes.for_status(found["status"])


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.0f}"
