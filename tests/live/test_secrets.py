"""The keys of a population with failures: in no text, no log, no cache, no store."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import pytest

from aitrader.domain.errors import SourceError
from aitrader.exchange.answer import Answer
from aitrader.providers.connection import connect
from aitrader.settings.keys import keys_of
from tests.live.world import CANARIES, NEXT, Desk, at

SECRETS = [key for name, key in CANARIES.items() if name != "SEC_USER_AGENT"]


def told_nowhere(text: str | bytes) -> bool:
    return not any((key.encode() if isinstance(text, bytes) else key) in text for key in CANARIES.values())


def echo(_path: str, _query: dict[str, str], answer: Answer) -> Answer:
    """A vendor that says the key it was sent, as some do."""
    body = ('{"message": "bad key ' + " ".join(CANARIES.values()) + '"}').encode()
    return Answer(status=403, headers={**answer.headers, "x-echo": SECRETS[0]}, body=body)


def broken(_path: str, _query: dict[str, str], answer: Answer) -> Answer:
    return Answer(status=500, headers=answer.headers, body=f"<html>{SECRETS[1]}</html>".encode())


def test_the_texts_of_keys_and_connection_show_none(tmp_path: Path, desk: Desk) -> None:
    environ = desk.environ("alpaca", "polygon", "sec")
    keys = keys_of(environ)
    assert repr(keys) == str(keys) == f"{keys}" == "Keys(alpaca, polygon, sec, nasdaq_trader)"
    settings = desk.project.settings(environ)
    connection = connect(settings.sources, environ, tmp_path / "home")
    try:
        for part in (connection, connection.transport, connection.sender, connection.keys, vars(connection.transport)):
            assert told_nowhere(repr(part)), type(part)
    finally:
        connection.close()


def test_a_population_with_failures_leaves_no_key_anywhere(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    everything, levels = io.StringIO(), {name: logging.getLogger(name).level for name in ("httpx", "httpcore")}
    handler = logging.StreamHandler(everything)
    logging.getLogger().addHandler(handler)
    vendors = ("alpaca", "polygon", "sec")
    errors: list[str] = []

    original = desk.environ
    monkeypatch.setattr(desk, "environ", lambda *v, **s: {**original(*v, **s), "AI_TRADER_LOG_LEVEL": "DEBUG"})
    try:
        desk.populate(None, *vendors)
        assert list(desk.cache.glob("*.answer"))
        assert all(told_nowhere(path.read_bytes()) for path in desk.cache.iterdir())
        for path, edit in (("/v2/assets", echo), ("/v2/stocks/bars", broken), ("/v3/reference", echo), ("/", broken)):
            desk.moved(at(NEXT, 18)).exchange.lie(path, edit)
            for source in (None, "alpaca", "polygon"):
                try:
                    desk.populate(source, *vendors)
                except SourceError as fault:
                    errors += [str(fault), repr(fault), str(vars(fault))]
            errors += [*desk.told.steps, *desk.told.notices, *desk.told.warnings]
    finally:
        logging.getLogger().removeHandler(handler)
    assert len(errors) > 20
    assert told_nowhere("\n".join(errors))
    assert told_nowhere(everything.getvalue())
    log = (desk.home.logs / "scanner.log").read_text()
    assert "DEBUG httpcore" in log
    assert "ERROR aitrader populate: " in log
    assert told_nowhere(log)
    for path in desk.root.rglob("*"):
        assert path.is_dir() or told_nowhere(path.read_bytes()), path
    assert levels == {name: logging.getLogger(name).level for name in levels}  # the level is put back
