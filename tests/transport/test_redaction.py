"""No secret in any text, in any spelling."""

from __future__ import annotations

import base64
import io
import json
import logging
import sys
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitrader.transport.redaction import RedactingFilter, Redactor

SECRETS = ["PKCANARY0123456789", 'a/b+c="d e\\f', "grün-Schlüssel-🔑", "  padded-canary\n", "x" * 7, "PKCANARY01"]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "spell",
    [
        str,
        str.strip,
        quote,
        lambda s: quote(s, safe=""),
        lambda s: quote(s, safe="").replace("%2F", "%2f").replace("%C3", "%c3").replace("%BC", "%bc"),
        quote_plus,
        json.dumps,
        lambda s: json.dumps(s, ensure_ascii=False),
        lambda s: json.dumps(s).replace("/", "\\/").replace("\\u00fc", "\\u00FC"),
        repr,
        lambda s: repr(s.encode()),
        lambda s: base64.b64encode(s.encode()).decode(),
        lambda s: base64.urlsafe_b64encode(s.encode()).decode(),
        lambda s: base64.b64encode(s.encode()).decode().rstrip("="),
    ],
)
def test_a_secret_is_replaced_in_each_spelling(secret: str, spell: object) -> None:
    spelled = spell(secret)  # type: ignore[operator]
    shown = Redactor(SECRETS).text(f"before {spelled} after")
    assert "***" in shown
    core = spelled.strip("\"' \\n")
    for part in (core, core[2:-2]):
        assert part not in shown
    assert shown.startswith("before ")
    assert shown.endswith(" after")


@pytest.mark.parametrize("user", ["", "u", "us", "use", "user"])
def test_a_secret_inside_a_base64_text(user: str) -> None:
    encoded = base64.b64encode(f"{user}:PKCANARY0123456789:x".encode()).decode()
    assert len(Redactor(["PKCANARY0123456789"]).text(encoded)) < 18  # a character or two at its ends


@pytest.mark.parametrize(
    ("secrets", "text", "shown"),
    [
        ([], "all of it", "all of it"),
        (["", " ", "\n"], "a b\n", "a b\n"),
        (["ab"], "cabd", "c***d"),
        (["key", "key-long"], "key-long key", "*** ***"),
        (["a.c"], "abc a.c", "abc ***"),
    ],
)
def test_what_is_shown(secrets: list[str], text: str, shown: str) -> None:
    assert Redactor(secrets).text(text) == shown


@given(st.text(min_size=4, max_size=40).filter(lambda s: s.strip() == s and "*" not in s), st.text(), st.text())
def test_never_the_value(secret: str, before: str, after: str) -> None:
    assert secret not in Redactor([secret]).text(before + secret + after)


def test_it_shows_nothing_of_what_it_knows() -> None:
    assert repr(Redactor(["a"])) == repr(Redactor(["long" * 20, "two"])) == "Redactor(***)"


def logged(how: object) -> str:
    """What a handler with the filter writes."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s %(extra)s", defaults={"extra": ""}))
    handler.addFilter(RedactingFilter(Redactor(["CANARY-1", "CANARY-2"])))
    log = logging.Logger("a test")
    log.addHandler(handler)
    how(log)  # type: ignore[operator]
    return out.getvalue()


def failing(log: logging.Logger) -> None:
    try:
        raise ValueError("CANARY-1 is wrong")
    except ValueError:
        log.exception("it failed with %s", "CANARY-2")


@pytest.mark.parametrize(
    ("how", "shown"),
    [
        (lambda log: log.warning("key CANARY-1"), "a test key *** \n"),
        (lambda log: log.warning("key %s and %r", "CANARY-1", {"k": "CANARY-2"}), "a test key *** and {'k': '***'} \n"),
        (lambda log: log.warning("key %(k)s", {"k": "CANARY-1"}), "a test key *** \n"),
        (lambda log: log.warning("100%% %s", 5), "a test 100% 5 \n"),
        (lambda log: log.warning(ValueError("CANARY-1")), "a test *** \n"),
        (lambda log: log.warning("too many %s", "CANARY-1", "CANARY-2"), "a test too many %s ('***', '***') \n"),
        (lambda log: log.warning("more", extra={"extra": "CANARY-1"}), "a test more ***\n"),
    ],
)
def test_a_record_is_redacted(how: object, shown: str) -> None:
    assert logged(how) == shown


def test_a_traceback_is_redacted() -> None:
    shown = logged(failing)
    assert "it failed with ***" in shown
    assert "ValueError: *** is wrong" in shown
    assert "Traceback" in shown
    assert "CANARY-2" not in shown
    assert "ValueError: CANARY-1" not in shown


def test_no_handler_gets_the_exception_itself() -> None:
    try:
        raise ValueError("CANARY-1")
    except ValueError:
        record = logging.LogRecord("n", 10, "p", 1, "m", None, sys.exc_info())
    assert RedactingFilter(Redactor(["CANARY-1"])).filter(record)
    assert record.exc_info is None
    assert record.exc_text
    assert "ValueError: ***" in record.exc_text
