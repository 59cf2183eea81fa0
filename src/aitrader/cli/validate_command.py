"""``validate``: what the scanner depends on, tried out."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from aitrader.cli import exit_codes
from aitrader.cli.call import Call
from aitrader.cli.head import head_of
from aitrader.cli.output import Column, write_json, write_table
from aitrader.cli.registry import Help, action

_CHECKS: Final = (
    Column(key="status", heading="status"),
    Column(key="name", heading="check"),
    Column(key="took", heading="answered in", right=True),
    Column(key="message", heading=""),
)


@action()
def validate(
    call: Call,
    *,
    component: Annotated[
        Literal["data-sources", "financial-apis"],
        Help("data-sources: every source that config/sources.yml names; financial-apis: those of reports and news"),
    ],
    test_connection: Annotated[
        bool, Help("ask each source one question, past the cache; data-sources does so anyhow")
    ] = False,
) -> int:
    """Check the sources: are their keys set, and do they answer.

    financial-apis without --test-connection asks nobody and tells what the counters know. No key is ever shown. The
    exit code is that of the worst: 0 ok; 1 a source that others stand in for does not answer, or keys are not set; 2 a
    source that is asked first does not answer.
    """
    from aitrader.operations.checks import overall

    checks = call.facade().check_sources(
        settings=call.settings(),
        market=call.market,
        purpose=component,
        ask=test_connection or component == "data-sources",
        environ=call.environ,
    )
    found = overall(checks)
    if call.json:
        told = {"status": found, "component": component, "checks": [check.as_dict() for check in checks]}
        write_json(call.out, {**head_of(call), **told})
        return exit_codes.for_status(found)
    rows = [
        {**check.as_dict(), "took": None if check.value is None else f"{check.value * 1000:,.0f} ms"}
        for check in checks
    ]
    if component == "financial-apis" and not test_connection:  # the value is the age of the last answer then
        rows = [{**row, "took": None} for row in rows]
    write_table(call.out, _CHECKS, rows)
    call.out.write(f"\n{found}: {component}\n")
    return exit_codes.for_status(found)
