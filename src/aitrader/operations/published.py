"""Which published run answers a question, and what every answer says about it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from aitrader.domain.errors import StoreError, UsageError
from aitrader.store.instants import rfc3339

if TYPE_CHECKING:
    from aitrader.store.reader import Reader, Run

SCHEMA_VERSION: Final = 1
_NAMES: Final = {0: "universe", 1: "liquidity", 2: "technical", 3: "fundamental"}


def chosen_run(reader: Reader, as_of: date | None) -> Run:
    """The run that readers see now, or the one that stands for the last session on or before ``as_of``.

    Raises StoreError before the first publication, UsageError for a date that no published run answers.
    """
    active = reader.active_run()
    if active is None:
        raise StoreError("nothing is published yet", why="no scan has run on this market", do="run scan")
    if as_of is None:
        return active
    last = max(active.session, reader.last_session() or active.session)
    if as_of > active.session and as_of > last:
        why = f"the last session is {last}"
        raise UsageError(f"nothing is known of {as_of}", why=why, do="give that date or an earlier one")
    found = reader.history(sessions=1, until=as_of)
    if not found:
        first = reader.history(until=active.session)[0][0].session
        why = f"the first is of {first}"
        raise UsageError(f"no published run on or before {as_of}", why=why, do="give that date or a later one")
    return found[0][0]


def is_stale(reader: Reader, run: Run, as_of: date | None = None) -> bool:
    """Whether bars of a later session (up to ``as_of``) are stored that this run has not seen."""
    last = reader.last_session()
    if last is None or last <= run.session:
        return False
    if as_of is None or as_of <= run.session:
        return as_of is None
    from aitrader.domain.sessions import xnys

    return xnys().last_on_or_before(as_of) > run.session


def envelope(reader: Reader, run: Run, *, as_of: date | None = None) -> dict[str, Any]:
    """The fields that every JSON answer carries about the run it speaks of."""
    return {
        "schema_version": SCHEMA_VERSION,
        "environment": run.environment,
        "source": run.source,
        "run_id": run.run_id,
        "config_version": run.config_version,
        "as_of": rfc3339(run.as_of),
        "session": run.session.isoformat(),
        "published_at": rfc3339(run.published_at),
        "provisional": run.kind == "provisional",
        "stale": is_stale(reader, run, as_of),
        "unavailable": dict(run.header.get("unavailable", {})),
    }


def bare_envelope(*, environment: str, source: str | None) -> dict[str, Any]:
    """The same fields for an answer that speaks of no run: what is not known is null."""
    nothing = dict.fromkeys(("run_id", "config_version", "as_of", "session", "published_at"))
    head = {"schema_version": SCHEMA_VERSION, "environment": environment, "source": source}
    return {**head, **nothing, "provisional": False, "stale": False, "unavailable": {}}


def unavailable(header: Mapping[str, Any]) -> list[str]:
    """The criteria and ranking factors that the source cannot feed, as ``Layer 3 min_pe, max_pe`` for each layer."""
    lacking = sorted(header.get("unavailable", {}).items())
    return [f"Layer {layer} {', '.join(names)}" for layer, names in lacking if names]


def layer_names(content: Mapping[str, Any] | None) -> dict[int, str]:
    """The layers' names as the run's configuration has them."""
    named = {int(layer["number"]): str(layer["name"]) for layer in (content or {}).get("layers", ())}
    return _NAMES | named


def content_of(reader: Reader, run: Run) -> dict[str, Any]:
    """The configuration that the run judged with."""
    return reader.config(run.config_version).content
