"""One evaluation of checks for health, alerts and guards: bounds in, a status out.

A KPI's target says what is aimed at, its warning and critical bounds what is bad: a value outside the target and
inside the warning bound is ok with ``on_target`` false. Bounds are exclusive (``below: 15`` is met by 14.9); where
the target ends exactly where the warning begins, the bound itself is a warning, for targets read "more than 8,000".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

STATUSES: Final = ("ok", "unknown", "warning", "critical")  # from good to bad


class Band(Protocol):
    """Where a KPI is aimed at; null is open."""

    @property
    def min(self) -> float | None:
        """The least that is on target."""

    @property
    def max(self) -> float | None:
        """The most that is on target."""


class Limits(Protocol):
    """Where a KPI turns bad; null is never."""

    @property
    def below(self) -> float | None:
        """Bad under this."""

    @property
    def above(self) -> float | None:
        """Bad over this."""


class Kpi(Protocol):
    """A row of the KPI table."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def unit(self) -> str:
        """symbols, fraction or seconds."""

    @property
    def on_target(self) -> Band:
        """Where it is aimed at."""

    @property
    def warning(self) -> Limits:
        """Where it is a warning."""

    @property
    def critical(self) -> Limits:
        """Where it is critical."""

    @property
    def runbook(self) -> str:
        """The page that says what to do."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What was measured for a KPI: the number in the KPI's unit, or null with the reason in ``message``."""

    value: float | None
    message: str = ""
    details: Mapping[str, float | None] = field(default_factory=dict)  # the numbers behind it


@dataclass(frozen=True, kw_only=True)
class Check:
    """One question with its answer: ok, warning, critical or unknown, and why."""

    name: str  # a stable word
    title: str  # for people
    status: str
    value: float | None
    target: str
    message: str
    unit: str = ""
    on_target: bool | None = None
    bounds: str = ""
    runbook: str = ""
    details: Mapping[str, float | None] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The public form."""
        return {
            "name": self.name,
            "title": self.title,
            "status": self.status,
            "value": self.value,
            "target": self.target,
            "message": self.message,
            "unit": self.unit,
            "on_target": self.on_target,
            "bounds": self.bounds,
            "runbook": self.runbook,
        }


def judge(word: str, kpi: Kpi, measured: Measured) -> Check:
    """The check of one KPI; a value that is not known is unknown, never ok."""
    value = measured.value
    status, on_target = "unknown", None
    if value is not None:
        on_target = _within(value, kpi)
        status = _status(value, kpi)
    return Check(
        name=word,
        title=kpi.name,
        status=status,
        value=value,
        target=target_text(kpi),
        message=measured.message or _message(status, on_target),
        unit=kpi.unit,
        on_target=on_target,
        bounds=f"warning {limits_text(kpi.warning, kpi.unit)}, critical {limits_text(kpi.critical, kpi.unit)}",
        runbook=kpi.runbook,
        details=measured.details,
    )


def overall(checks: Iterable[Check]) -> str:
    """The worst status; no check at all is unknown."""
    statuses = {check.status for check in checks}
    return max(statuses, key=STATUSES.index) if statuses else "unknown"


def shown(value: float | None, unit: str) -> str:
    """A value in its unit, for people: a fraction as a percentage, a duration in its largest unit."""
    if value is None:
        return "unknown"
    if unit == "fraction":
        return f"{_plain(value * 100)} %"
    if unit == "seconds":
        size, name = (3600, "h") if value >= 3600 else (60, "min") if value >= 60 else (1, "s")
        return f"{_plain(value / size)} {name}"
    return _plain(value)


def target_text(kpi: Kpi) -> str:
    """The target as the table writes it: ``> 8,000``, ``20 % to 30 %``."""
    low, high = kpi.on_target.min, kpi.on_target.max
    if low is not None and high is not None:
        return f"{shown(low, kpi.unit)} to {shown(high, kpi.unit)}"
    return f"> {shown(low, kpi.unit)}" if low is not None else f"< {shown(high, kpi.unit)}"


def limits_text(limits: Limits, unit: str) -> str:
    """The limits as the table writes them: ``< 15 % or > 40 %``."""
    pairs = (("<", limits.below), (">", limits.above))
    parts = [f"{sign} {shown(limit, unit)}" for sign, limit in pairs if limit is not None]
    return " or ".join(parts) or "never"


def _plain(value: float) -> str:
    """Thousands apart, at most one decimal, none where it is zero."""
    return f"{value:,.1f}".removesuffix(".0")


def _edges(kpi: Kpi) -> set[float]:
    """The bounds that target and warning share."""
    pairs = ((kpi.on_target.min, kpi.warning.below), (kpi.on_target.max, kpi.warning.above))
    return {low for low, high in pairs if low is not None and low == high}


def _within(value: float, kpi: Kpi) -> bool:
    """Whether the value is where it is aimed at."""
    low, high = kpi.on_target.min, kpi.on_target.max
    return (low is None or value >= low) and (high is None or value <= high) and value not in _edges(kpi)


def _bad(value: float, limits: Limits) -> bool:
    """Whether the value is beyond a limit."""
    return (limits.below is not None and value < limits.below) or (limits.above is not None and value > limits.above)


def _status(value: float, kpi: Kpi) -> str:
    """critical, warning or ok: the worst bound that the value is beyond."""
    if _bad(value, kpi.critical):
        return "critical"
    return "warning" if _bad(value, kpi.warning) or value in _edges(kpi) else "ok"


def _message(status: str, on_target: bool | None) -> str:
    """The plain words for a status that needs no further reason."""
    if status == "ok":
        return "on target" if on_target else "off target, within bounds"
    return {"warning": "beyond the warning bound", "critical": "beyond the critical bound"}.get(status, "not known")
