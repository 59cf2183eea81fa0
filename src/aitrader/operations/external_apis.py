"""The sources of the live market as this state folder knows them; nobody is asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from aitrader.domain.errors import SourceError
from aitrader.domain.sessions import Calendar, xnys
from aitrader.operations.checks import Check
from aitrader.settings.keys import VARIABLES, keys_of, missing
from aitrader.settings.models import Limit, Sources
from aitrader.store.instants import rfc3339
from aitrader.transport.counters import Counters, read_counters
from aitrader.transport.folder import counters_file, limit_file, transport_folder
from aitrader.transport.limiter import Budget, SlidingWindow

RUNBOOK: Final = "docs/runbook.md#sources"
PATIENCE: Final = timedelta(days=1)  # after a session's close: until then some population has asked


@dataclass(frozen=True, kw_only=True)
class ExternalApi:
    """One source: its keys, its limit, its counters, and what they mean."""

    name: str
    status: str
    message: str
    lacking: tuple[str, ...]  # variables that are not set
    limit: Limit
    budget: Budget | None  # None: the limit's file cannot be read
    counters: Counters
    circuit: str  # closed, open; half_open: open, and the next question is let through
    age_seconds: float | None  # of the last success

    @property
    def questions(self) -> int:
        """How many questions were put to it."""
        return max(self.counters.requests - self.counters.retries, self.counters.failures)

    @property
    def error_rate(self) -> float | None:
        """The share of the questions that ended without an answer."""
        return self.counters.failures / self.questions if self.questions else None

    def as_dict(self) -> dict[str, Any]:
        """The public form."""
        told = self.counters
        return {
            "name": self.name,
            "status": self.status,
            "message": self.message,
            "keys": not self.lacking,
            "missing": list(self.lacking),
            "limit": {"requests": self.limit.requests, "seconds": self.limit.seconds},
            "budget_left": None if self.budget is None else self.budget.left,
            "next_seconds": None if self.budget is None else round(max(0.0, self.budget.next_seconds), 3),
            "requests": told.requests,
            "retries": told.retries,
            "failures": told.failures,
            "questions": self.questions,
            "error_rate": self.error_rate,
            "cache_hits": told.cache_hits,
            "last_success": _instant(told.last_success),
            "age_seconds": None if self.age_seconds is None else round(self.age_seconds),
            "last_error": told.last_error,
            "breaker": self.circuit,
            "breaker_since": _instant(told.open_since),
        }

    def check(self) -> Check:
        """The same as one check; its value is the age of the last success."""
        return Check(
            name=self.name,
            title=f"Source {self.name}",
            status=self.status,
            value=self.age_seconds,
            target="an answer since the last session",
            message=self.message,
            unit="seconds",
            runbook=RUNBOOK,
        )

    def line(self) -> str:
        """Its numbers as one line of ``name=value`` words; the last error, which has spaces, is left out."""
        told = self.as_dict()
        words = {
            **{name: told[name] for name in ("status", "budget_left", "next_seconds", "requests", "retries")},
            **{name: told[name] for name in ("failures", "error_rate", "cache_hits", "last_success", "age_seconds")},
            "breaker": told["breaker"],
            "keys": "yes" if told["keys"] else "no",
        }
        shown = (f"{name}={_word(value)}" for name, value in words.items())
        return f"external-api {self.name} {' '.join(shown)}"


def in_use(sources: Sources) -> tuple[str, ...]:
    """The sources that some order of ``sources.live`` names."""
    live = sources.live
    named = {*live.listings, *live.bars, *live.actions, *live.fundamentals, *live.news}
    return tuple(name for name in VARIABLES if name in named)


def external_apis(
    sources: Sources,
    environ: Mapping[str, str],
    home: Path,
    *,
    now: datetime,
    names: Iterable[str] | None = None,
    calendar: Calendar | None = None,
) -> list[ExternalApi]:
    """Each source of the orders (or of ``names``), judged by what the counters of the state folder ``home`` say.

    critical: its circuit is open; warning: no answer since a session that closed more than a day ago; unknown: it never
    answered, or its keys are not set.
    """
    folder = transport_folder(home)
    counted = read_counters(counters_file(folder))
    calendar = calendar or xnys()
    due = calendar.last_on_or_before((now - PATIENCE).date())
    while calendar.close(due) + PATIENCE > now:
        due = calendar.previous(due)
    keys = keys_of(environ)
    found = []
    for name in in_use(sources) if names is None else names:
        told = _closed_since(counted.get(name, Counters()))
        limit: Limit = getattr(sources, name).limit
        lacking = () if keys.has(name) else missing(name, environ)
        waited = None if told.open_since is None else (now - told.open_since).total_seconds()
        circuit = "closed" if waited is None else "open" if waited < sources.live.breaker_seconds else "half_open"
        age = None if told.last_success is None else max(0.0, (now - told.last_success).total_seconds())
        status, message = _judged(told, lacking, closed_at=calendar.close(due))
        found.append(
            ExternalApi(
                name=name,
                status=status,
                message=message,
                lacking=lacking,
                limit=limit,
                budget=_budget(folder, name, limit),
                counters=told,
                circuit=circuit,
                age_seconds=age,
            )
        )
    return found


def _closed_since(told: Counters) -> Counters:
    """The counters without a circuit that one process left open before another one had its answer."""
    answered = told.last_success is not None and told.open_since is not None and told.last_success > told.open_since
    return replace(told, open_since=None) if answered else told


def _judged(told: Counters, lacking: tuple[str, ...], *, closed_at: datetime) -> tuple[str, str]:
    """Status and the words for it."""
    if lacking:
        return "unknown", f"not asked: {' and '.join(lacking)} not set"
    if told.open_since is not None:
        failed = f": {told.last_error}" if told.last_error else ""
        return "critical", f"left alone since {_instant(told.open_since)}{failed}"
    if told.last_success is None:
        failed = f": {told.last_error}" if told.last_error else ""
        return "unknown", ("never answered" if told.failures else "never asked") + failed
    if told.last_failure is not None and told.last_failure > told.last_success:
        failed = f": {told.last_error}" if told.last_error else ""
        return "warning", f"failed since its last answer, at {_instant(told.last_failure)}{failed}"
    if told.last_success < closed_at:
        return "warning", f"no answer since {_instant(told.last_success)}"
    return "ok", "answers"


def _budget(folder: Path, name: str, limit: Limit) -> Budget | None:
    """What is left of a limit; nothing is written where no request was ever counted."""
    path = limit_file(folder, name)
    if not path.exists():
        return Budget(left=limit.requests, next_seconds=0.0)
    try:
        return SlidingWindow(path, limit.requests, limit.seconds).budget()
    except SourceError:
        return None


def _instant(at: datetime | None) -> str | None:
    return None if at is None else rfc3339(at.astimezone(UTC).replace(microsecond=0))


def _word(value: object) -> str:
    if value is None:
        return "unknown"
    return f"{value:.4f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
