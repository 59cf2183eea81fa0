"""Faults that the exchange is told to make, limits it is told to keep, and how it packs bodies, from one file."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec

from aitrader.domain.errors import ConfigError
from aitrader.exchange.answer import JSON, Answer
from aitrader.exchange.limits import DEFAULTS, Limit

KINDS = (
    *("status", "html_200", "empty", "bad_json", "cut_body", "repeated_token", "latency_ms", "reset", "slow_drip"),
    *("list_cut_fraction", "redirect"),
)
LISTS = ("results", "bars", "news", "data")


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault: for requests number ``nth`` to ``nth + count - 1`` of a path prefix; ``count`` 0 is for ever."""

    kind: str
    path: str = "/"
    nth: int = 1
    count: int = 1
    status: int = 500
    retry_after: int | None = None
    latency_ms: int = 0
    fraction: float = 0.5
    location: str = "https://elsewhere.invalid/"


class _LimitSetting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    requests: int
    seconds: float


class Conditions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the file holds: ``faults``, ``limits``, and whether long bodies come in gzip to those who take it."""

    faults: list[Rule] = []
    limits: dict[str, _LimitSetting] = {}
    gzip: bool = False  # costs more than it saves on the same machine

    def limit(self) -> dict[str, Limit]:
        """The limits by vendor."""
        return {vendor: Limit(told.requests, told.seconds) for vendor, told in self.limits.items()}


def conditions(content: object) -> Conditions:
    """The file's content checked; None is none of them. Raises ConfigError for what cannot be used."""
    try:
        found = msgspec.convert(content or {}, Conditions)
    except msgspec.ValidationError as error:
        raise ConfigError("the faults file cannot be used", why=str(error), do="see docs/simulation.md") from None
    for rule in found.faults:
        if rule.kind not in KINDS:
            raise ConfigError(f"unknown kind of fault {rule.kind!r}", why=f"known: {', '.join(KINDS)}")
        sound = rule.nth >= 1 and rule.count >= 0 and 100 < rule.status < 600 and rule.latency_ms >= 0
        if not sound or not 0 <= rule.fraction <= 1:
            raise ConfigError(f"the fault {rule.kind!r} at {rule.path} has a value out of its range")
    for vendor, limit in found.limits.items():
        if vendor not in DEFAULTS or limit.requests < 1 or not limit.seconds > 0:
            raise ConfigError(f"the limit of {vendor!r} cannot be used", why=f"vendors: {', '.join(DEFAULTS)}")
    return found


class Faults:
    """Counts the requests that each rule matches; safe to share between the server's threads."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules, self._seen, self._lock = tuple(rules), [0] * len(rules), threading.Lock()

    def due(self, path: str) -> list[Rule]:
        """The faults that befall this request."""
        found = []
        with self._lock:
            for i, rule in enumerate(self._rules):
                if path.startswith(rule.path):
                    self._seen[i] += 1
                    past = self._seen[i] - rule.nth
                    if past >= 0 and (rule.count == 0 or past < rule.count):
                        found.append(rule)
        return found


def marred(answer: Answer, rule: Rule, *, url: str, token: str) -> Answer:
    """The answer after one fault; ``url`` and ``token`` are the request's own, for a page that points at itself."""
    match rule.kind:
        case "status":
            more = {} if rule.retry_after is None else {"retry-after": str(rule.retry_after)}
            body = b'{"message":"injected","error":"injected","status":"ERROR"}'
            return Answer(status=rule.status, body=body, headers={**answer.headers, **JSON, **more})
        case "html_200":
            html = b"<!DOCTYPE html><html><body><h1>Maintenance</h1></body></html>"
            return Answer(body=html, headers={**answer.headers, "content-type": "text/html"})
        case "redirect":
            return Answer(status=302, headers={**answer.headers, "location": rule.location})
        case "latency_ms":
            return replace(answer, socket=replace(answer.socket, latency_ms=rule.latency_ms))
        case "reset":
            return replace(answer, socket=replace(answer.socket, reset=True))
        case "slow_drip":
            return replace(answer, socket=replace(answer.socket, slow_drip=True))
    return replace(answer, body=_body(answer.body, rule, url=url, token=token))


def _body(body: bytes, rule: Rule, *, url: str, token: str) -> bytes:
    """The body after a fault of the body."""
    if rule.kind == "empty":
        return b""
    if rule.kind == "bad_json":
        return body[: len(body) // 2] + b"}{,NaN]" + body[len(body) // 2 :]
    if rule.kind == "cut_body":
        return body[: int(len(body) * rule.fraction)]
    try:
        content: Any = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return body
    if rule.kind == "repeated_token" and isinstance(content, dict):
        if "next_page_token" in content:
            content["next_page_token"] = token or content["next_page_token"]
        elif "results" in content:
            content["next_url"] = url
    elif rule.kind == "list_cut_fraction":
        content = _shortened(content, rule.fraction)
    return msgspec.json.encode(content)


def _shortened(content: Any, fraction: float) -> Any:
    """The longest list of an answer cut to a fraction, as if the vendor had lost the rest."""
    if isinstance(content, list):
        return content[: int(len(content) * fraction)]
    for name in LISTS if isinstance(content, dict) else ():
        found = content.get(name)
        if isinstance(found, list):
            content[name] = found[: int(len(found) * fraction)]
        elif isinstance(found, dict):
            content[name] = dict(list(found.items())[: int(len(found) * fraction)])
    return content
