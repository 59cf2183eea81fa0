"""Secrets taken out of every text by their value, whatever spelling they come in."""

from __future__ import annotations

import base64
import json
import logging
import re
import traceback
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote, quote_plus

MASK: Final = "***"
_SHORTEST_PIECE: Final = 6  # a shorter piece of Base64 stands in innocent texts too
_RECORD: Final = {"name", "levelname", "pathname", "filename", "module", "funcName", "threadName", "processName"}


class Redactor:
    """Replaces each secret by ``***``: as it is, percent-encoded, in Base64, escaped in JSON or in a Python literal."""

    __slots__ = ("_pattern",)

    def __init__(self, secrets: Iterable[str]) -> None:
        spelled = {form for secret in secrets for form in _spellings(secret)}
        # The longest first: else a secret that begins another one would leave the rest of it standing.
        forms = sorted(spelled, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(_any_case, forms))) if forms else None

    def __repr__(self) -> str:
        """Nothing of what it knows, not even how much."""
        return f"Redactor({MASK})"

    def text(self, text: str) -> str:
        """The text without any secret."""
        return text if self._pattern is None else self._pattern.sub(MASK, text)


class RedactingFilter(logging.Filter):
    """Redacts whole log records: message, arguments, traceback, stack and extra texts.

    On a handler it covers everything that the handler writes, on a logger what is logged by exactly that logger.
    """

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        """Never drops a record."""
        text = self._redactor.text
        try:
            message = record.getMessage()
        except Exception:  # a message that does not fit its arguments; the handler must not print them instead
            message = f"{record.msg} {record.args}"
        record.msg, record.args = text(message), None
        if record.exc_info:
            # Handlers that read the exception itself would print it whole: its text is all that they get.
            if not record.exc_text:
                record.exc_text = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
            record.exc_info = None
        for name, value in record.__dict__.items():
            if isinstance(value, str) and name not in _RECORD:
                record.__dict__[name] = text(value)
        return True


def _any_case(form: str) -> str:
    """The pattern of a spelling: the hexadecimal digits of its escapes may be small or large."""
    return re.sub(r"%[0-9A-F]{2}|\\\\(u[0-9a-f]{4}|x[0-9a-f]{2})", lambda found: f"(?i:{found[0]})", re.escape(form))


def _spellings(secret: str) -> Iterator[str]:
    """Every way in which a secret may stand in a text; none for a blank one."""
    for value in {secret, secret.strip()}:
        if not value.strip():
            continue
        raw = value.encode("utf-8", "surrogateescape")  # a variable of the environment need not be UTF-8
        yield value
        yield from (quote(raw), quote(raw, safe=""), quote_plus(raw), quote(quote(raw, safe=""), safe=""))
        for escaped in (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]):
            yield escaped
            yield escaped.replace("/", "\\/")
        yield repr(value)[1:-1]
        yield repr(raw)[2:-1]
        yield from _base64(raw)


def _base64(secret: bytes) -> Iterator[str]:
    """The secret in Base64 by itself, and its part in the Base64 of a text that has it somewhere (``user:secret``)."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        whole = encode(secret).decode()
        yield whole
        yield quote(whole, safe="")
        if len(whole.rstrip("=")) >= _SHORTEST_PIECE:
            yield whole.rstrip("=")
        for before in range(3):  # a character of Base64 has 6 bits: those shared with a neighbour differ
            first, last = -(-before * 8 // 6), (before + len(secret)) * 8 // 6
            piece = encode(b"\0" * before + secret).decode()[first:last]
            if len(piece) >= _SHORTEST_PIECE:
                yield piece
