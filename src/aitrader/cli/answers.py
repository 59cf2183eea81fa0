"""What every reading action shares: the run it speaks of, and what has to be said about it on stderr."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from aitrader.cli.call import Call
from aitrader.domain.errors import UsageError
from aitrader.operations.published import chosen_run, is_stale, unavailable

if TYPE_CHECKING:
    from aitrader.store.reader import Reader, Run


class View(NamedTuple):
    """One consistent state of the store and the run that answers."""

    reader: Reader
    run: Run


@contextmanager
def view(call: Call, *, as_of: date | None = None) -> Iterator[View]:
    """Open the store at one state; says on stderr what the answer lacks: a later session, inputs never offered."""
    with call.reader() as opened, opened.snapshot() as reader:
        run = chosen_run(reader, as_of)
        call.tell_source(run.source)
        if as_of is not None and run.session != as_of:
            call.report.notice(f"{as_of} has no published run; this is {run.session}")
        if is_stale(reader, run, as_of):
            last = reader.last_session()
            call.report.warn(f"stale: bars are stored up to {last}, this run is of {run.session}; run scan")
        lacking = unavailable(run.header)
        if lacking:
            call.report.notice(f"unavailable on this source: {'; '.join(lacking)}")
        yield View(reader, run)


def security_of(reader: Reader, symbol: str, on: date | None) -> tuple[int, str]:
    """The security that a symbol in any spelling means on a date, and its canonical spelling.

    Upper case and a dot are tried first; the table of all vendors' spellings, slower to load, is asked last.
    """
    plain = symbol.strip().upper()
    dotted = plain.replace("/", ".").replace("-", ".").replace(" ", ".")
    failures: list[UsageError] = []
    for spelling in dict.fromkeys((plain, dotted)):
        try:
            return reader.resolve_symbol(spelling, on), spelling
        except UsageError as error:
            failures.append(error)
    from aitrader.domain.symbols import canonical

    spelled = canonical(symbol)
    if spelled is None:
        raise UsageError(f"{symbol!r} is no symbol", do="see universe --layer 0")
    if spelled in (plain, dotted):
        raise failures[0 if spelled == plain else -1]
    return reader.resolve_symbol(spelled, on), spelled
