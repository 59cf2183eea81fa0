"""``status``: what the scanner knows of itself and of those it depends on, without asking anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from aitrader.cli import exit_codes
from aitrader.cli.call import Call
from aitrader.cli.head import head_of
from aitrader.cli.output import Column, percent, printable, write_json, write_table
from aitrader.cli.registry import Help, action

if TYPE_CHECKING:
    from aitrader.operations.external_apis import ExternalApi


def _yes(value: Any) -> str:
    return "yes" if value else "no"


_SOURCES: Final = (
    Column(key="status", heading="status"),
    Column(key="name", heading="source"),
    Column(key="keys", heading="keys", show=_yes),
    Column(key="left", heading="left now", right=True),
    Column(key="requests", heading="requests", right=True),
    Column(key="retries", heading="retries", right=True),
    Column(key="failures", heading="failures", right=True),
    Column(key="error_rate", heading="error rate", right=True, show=percent),
    Column(key="cache_hits", heading="from cache", right=True),
    Column(key="breaker", heading="breaker"),
    Column(key="message", heading=""),
)


@action()
def status(
    call: Call,
    *,
    component: Annotated[
        Literal["external-apis"] | None, Help("only this one; by default all components there are")
    ] = None,
) -> int:
    """Say how the sources are: what is left of each limit, what became of the requests, when they last answered.

    Nobody is asked: it is what the scanner's own processes counted. The exit code is that of the worst: 0 ok, 1 warning
    or unknown (it never answered, not since the last session, or has no keys), 2 critical (left alone after failures).
    """
    from aitrader.cli.context import chosen_market
    from aitrader.operations.checks import overall
    from aitrader.operations.external_apis import external_apis
    from aitrader.settings.place import locate

    place, settings = locate(call.environ), call.settings()
    market = chosen_market(place, call.market)
    apis = external_apis(settings.sources, call.environ, place.home, now=call.clock())
    found = overall(api.check() for api in apis)
    if call.json:
        name = component or "external-apis"
        checks = [{**api.check().as_dict(), "component": name} for api in apis]
        parts = {"external-apis": [api.as_dict() for api in apis]}
        told = {"status": found, "market": market, "checks": checks, "components": parts}
        write_json(call.out, {**head_of(call), **told})
        return exit_codes.for_status(found)
    if component is None:
        call.out.write(f"environment {place.environment}, market {market or 'none yet'}, home {place.home}\n\n")
    write_apis(call, apis)
    call.out.write(f"\n{found}: external-apis\n")
    return exit_codes.for_status(found)


def write_apis(call: Call, apis: list[ExternalApi]) -> None:
    """A table for people, then a line of words a source for scripts, and the last errors."""
    rows = [api.as_dict() for api in apis]
    for row in rows:
        left, limit = row["budget_left"], row["limit"]
        row["left"] = f"{'?' if left is None else f'{left:,}'} of {limit['requests']:,} in {limit['seconds']:g} s"
        if row["next_seconds"]:
            row["left"] += f", next in {row['next_seconds']:.1f} s"
    write_table(call.out, _SOURCES, rows)
    call.out.write("\n")
    for api in apis:
        call.out.write(f"{api.line()}\n")
    for api in apis:
        if api.counters.last_error:
            call.out.write(f"external-api {api.name} last_error: {printable(api.counters.last_error)}\n")
