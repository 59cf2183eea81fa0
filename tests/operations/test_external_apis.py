"""The sources as the counters know them: a row is what was counted, and what that means at a moment."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aitrader.operations.external_apis import ExternalApi, external_apis
from aitrader.settings.models import Live, Sec, Sources
from aitrader.transport.limiter import SlidingWindow

# A Tuesday, 23:00 in New York; Monday's session closed at 20:00 UTC, Tuesday's at 20:00 UTC of this evening there.
NOW = datetime(2026, 6, 24, 3, tzinfo=UTC)
MONDAY_CLOSE = datetime(2026, 6, 22, 20, tzinfo=UTC)
KEYS = {"SEC_USER_AGENT": "someone@example.org"}


def told(home: Path, counters: dict[str, Any] | None = None, env: dict[str, str] | None = None) -> ExternalApi:
    folder = home / "transport"
    folder.mkdir(mode=0o700, exist_ok=True)
    if counters is not None:
        (folder / "counters.json").write_text(json.dumps({"sec": counters}))
    (found,) = external_apis(Sources(), KEYS if env is None else env, home, now=NOW, names=["sec"])
    return found


def at(moment: datetime) -> str:
    return moment.isoformat()


@pytest.mark.parametrize(
    ("counters", "status", "message"),
    [
        (None, "unknown", "never asked"),
        ({"requests": 0}, "unknown", "never asked"),
        ({"requests": 2, "failures": 1, "last_error": "sec /x: gone"}, "unknown", "never answered: sec /x: gone"),
        ({"requests": 9, "last_success": at(NOW)}, "ok", "answers"),
        ({"requests": 9, "failures": 3, "last_error": "e", "last_success": at(NOW)}, "ok", "answers"),
        ({"last_success": at(MONDAY_CLOSE)}, "ok", "answers"),
        (
            {"last_success": at(MONDAY_CLOSE - timedelta(seconds=1))},
            "warning",
            "no answer since 2026-06-22T19:59:59Z",
        ),
        (
            {"last_success": "2026-06-24T02:59:49Z", "open_since": "2026-06-24T02:59:50Z", "last_error": "sec: 503"},
            "critical",
            "left alone since 2026-06-24T02:59:50Z: sec: 503",
        ),
        ({"open_since": "2026-06-23T01:00:00Z"}, "critical", "left alone since 2026-06-23T01:00:00Z"),
        ({"last_success": at(NOW), "open_since": "2026-06-24T02:59:50Z"}, "ok", "answers"),  # to another process
    ],
    ids=[
        *("no-file", "nothing", "only-failures", "now", "some-failed", "at-close", "before-close", "open", "long-open"),
        "answered-since",
    ],
)
def test_what_was_counted_is_judged(tmp_path: Path, counters: Any, status: str, message: str) -> None:
    found = told(tmp_path, counters)
    assert (found.status, found.message) == (status, message)
    assert found.check().status == status


def test_a_failure_after_the_last_answer_is_a_warning(tmp_path: Path) -> None:
    counted = {
        "last_success": at(NOW - timedelta(hours=2)),
        "last_failure": at(NOW - timedelta(hours=1)),
        "failures": 1,
        "requests": 9,
        "last_error": "sec: HTTP 403",
    }
    found = told(tmp_path, counted)
    assert found.status == "warning"
    assert "HTTP 403" in found.message
    assert told(tmp_path, {**counted, "last_success": at(NOW)}).status == "ok"


@pytest.mark.parametrize(
    ("now", "status"),
    [
        # Friday's session closed on the 19th at 20:00 UTC; the weekend asks for nothing.
        (datetime(2026, 6, 20, 19, 59, tzinfo=UTC), "ok"),
        (datetime(2026, 6, 20, 20, tzinfo=UTC), "ok"),
        (datetime(2026, 6, 23, 19, 59, tzinfo=UTC), "ok"),
        (datetime(2026, 6, 23, 20, tzinfo=UTC), "warning"),  # a day after Monday's close
    ],
    ids=["a-day-on", "the-moment", "monday-not-due", "monday-due"],
)
def test_the_weekend_is_no_silence(tmp_path: Path, now: datetime, status: str) -> None:
    (tmp_path / "transport").mkdir()
    counted = {"sec": {"last_success": "2026-06-22T12:00:00Z"}}  # on Monday, before the open
    (tmp_path / "transport" / "counters.json").write_text(json.dumps(counted))
    (found,) = external_apis(Sources(), KEYS, tmp_path, now=now, names=["sec"])
    assert found.status == status


@pytest.mark.parametrize(
    ("since", "circuit"),
    [(None, "closed"), (NOW - timedelta(seconds=29), "open"), (NOW - timedelta(seconds=30), "half_open")],
    ids=["closed", "open", "half-open"],
)
def test_a_circuit_is_half_open_after_its_time(tmp_path: Path, since: datetime | None, circuit: str) -> None:
    assert told(tmp_path, {"open_since": None if since is None else at(since)}).circuit == circuit


@pytest.mark.parametrize(
    ("counters", "questions", "rate"),
    [
        ({}, 0, None),
        ({"requests": 10, "retries": 6, "failures": 1}, 4, 0.25),
        ({"requests": 4, "retries": 0, "failures": 4}, 4, 1.0),
        ({"requests": 2, "retries": 1, "failures": 5}, 5, 1.0),  # the breaker let none of them through
    ],
    ids=["none", "retried", "all-failed", "never-sent"],
)
def test_the_error_rate_is_of_questions(tmp_path: Path, counters: Any, questions: int, rate: float | None) -> None:
    found = told(tmp_path, counters)
    assert (found.questions, found.error_rate) == (questions, rate)


def test_a_source_without_its_keys_is_unknown_and_says_what_to_set(tmp_path: Path) -> None:
    found = told(tmp_path, {"last_success": at(NOW)}, env={"SEC_USER_AGENT": " "})
    assert (found.status, found.message) == ("unknown", "not asked: SEC_USER_AGENT not set")
    assert found.as_dict()["keys"] is False


def test_the_budget_is_what_the_limiter_says_and_looking_makes_no_file(tmp_path: Path) -> None:
    assert told(tmp_path).budget.left == 9  # type: ignore[union-attr]
    path = tmp_path / "transport" / "limit-sec"
    assert not path.exists()
    window = SlidingWindow(path, 9, 1.0)
    with window.request(), window.request():
        assert told(tmp_path).as_dict()["budget_left"] == 7


def test_a_limit_that_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "transport").mkdir(mode=0o700)
    (tmp_path / "transport" / "limit-sec").mkdir()
    found = told(tmp_path)
    assert (found.budget, found.as_dict()["budget_left"]) == (None, None)
    assert " budget_left=unknown " in found.line()


def test_a_line_is_words_that_a_script_can_read(tmp_path: Path) -> None:
    counters = {"requests": 8, "retries": 2, "failures": 2, "cache_hits": 3, "last_success": at(NOW)}
    assert told(tmp_path, counters).line() == (
        "external-api sec status=ok budget_left=9 next_seconds=0 requests=8 retries=2 failures=2 error_rate=0.3333 "
        "cache_hits=3 last_success=2026-06-24T03:00:00Z age_seconds=0 breaker=closed keys=yes"
    )


def test_only_sources_of_some_order_are_there(tmp_path: Path) -> None:
    live = Live(listings=("alpaca", "nasdaq_trader"), bars=("alpaca",), actions=("alpaca",), fundamentals=("sec",))
    found = external_apis(Sources(live=live, sec=Sec()), {}, tmp_path, now=NOW)
    assert [one.name for one in found] == ["alpaca", "polygon", "sec", "nasdaq_trader"]  # polygon: news
    fewer = Live(listings=("alpaca",), bars=("alpaca",), actions=("alpaca",), fundamentals=("sec",), news=("alpaca",))
    assert [one.name for one in external_apis(Sources(live=fewer), {}, tmp_path, now=NOW)] == ["alpaca", "sec"]
