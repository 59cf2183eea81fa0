"""The scanner log: where it is, what is in it, and that it never stands in the way of the work."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest

from aitrader.domain.errors import ConfigError
from aitrader.operations import log as scanner
from aitrader.settings.place import Place
from tests.live.world import Desk
from tests.support.projects import Told

LINE = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (DEBUG|INFO|WARNING|ERROR) [\w.]+ "


@pytest.fixture
def place(desk: Desk) -> Place:
    return desk.project.settings(desk.environ("alpaca")).place


def lines(folder: Path) -> list[str]:
    return (folder / "scanner.log").read_text().splitlines()


def log_of(desk: Desk) -> list[str]:
    return lines(desk.home.logs)


def test_a_population_is_in_the_log_step_by_step(desk: Desk) -> None:
    desk.populate("alpaca")
    told = log_of(desk)
    assert all(re.match(LINE, line) for line in told)
    for step in (*desk.told.steps, *desk.told.notices):
        assert any(line.endswith(step) for line in told), step
    assert not any(" DEBUG " in line for line in told)


def test_waiting_for_the_limit_is_in_the_log(desk: Desk) -> None:
    desk.exchange.pages["/v2/stocks/bars"] = 400
    desk.populate("alpaca", ALPACA__LIMIT__REQUESTS="10", ALPACA__LIMIT__SECONDS="0.5")
    waits = [line for line in log_of(desk) if "rate_limit: alpaca waits " in line]
    assert waits
    assert all(0 < float(line.split("waits ")[1].removesuffix(" s")) <= 0.6 for line in waits)


def test_within_the_limit_nothing_is_said_of_it(desk: Desk) -> None:
    desk.populate("alpaca")
    assert not any("rate_limit" in line for line in log_of(desk))


@pytest.mark.parametrize(
    ("level", "kept"), [("", {"INFO", "WARNING", "ERROR"}), ("ERROR", {"ERROR"}), ("DEBUG", {*scanner.LEVELS})]
)
def test_the_level_is_chosen_by_the_environment(place: Place, tmp_path: Path, level: str, kept: set[str]) -> None:
    with scanner.scanner_log(place, tmp_path / "logs", {"AI_TRADER_LOG_LEVEL": level}) as log:
        for each in scanner.LEVELS:
            log.log(getattr(logging, each), "a line")
    assert {line.split()[1] for line in lines(tmp_path / "logs")} == kept


def test_a_level_that_is_none_is_an_error_of_the_settings(place: Place, tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigError, match="AI_TRADER_LOG_LEVEL=loud is no level"),
        scanner.scanner_log(place, tmp_path, {"AI_TRADER_LOG_LEVEL": "loud"}),
    ):
        pass


def test_it_is_rotated(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanner, "_MOST_BYTES", 2_000)
    monkeypatch.setattr(scanner, "_KEPT", 3)
    with scanner.scanner_log(place, tmp_path, {}) as log:
        for number in range(400):
            log.info("line %d of some length, as a step of a population has it", number)
    files = sorted(path.name for path in tmp_path.glob("scanner.log*"))
    assert files == ["scanner.log", "scanner.log.1", "scanner.log.2", "scanner.log.3"]
    assert all(path.stat().st_size <= 2_000 for path in tmp_path.glob("scanner.log*"))
    assert lines(tmp_path)[-1].endswith("line 399 of some length, as a step of a population has it")


def test_a_log_that_cannot_be_written_is_no_reason_not_to_work(desk: Desk) -> None:
    (desk.home.logs / "scanner.log").mkdir(parents=True)
    assert desk.populate("alpaca").symbols > 0
    assert list((desk.home.logs / "scanner.log").iterdir()) == []


def test_nor_is_a_folder_that_cannot_be_made(place: Place, tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    with scanner.scanner_log(place, tmp_path / "logs", {}) as log:
        log.info("a line")
    assert (tmp_path / "logs").read_text() == "a file where the folder should be"


def test_a_disk_that_fails_is_no_reason_not_to_work(place: Place, tmp_path: Path) -> None:
    tmp_path.joinpath("scanner.log").symlink_to("/dev/full")
    with scanner.scanner_log(place, tmp_path, {}) as log:
        log.info("a line that has no room")


@pytest.mark.parametrize(("environment", "writable", "system"), [
    ("production", True, True), ("production", False, False), ("development", True, False),
])  # fmt: skip
def test_where_it_is(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: str, writable: bool, system: bool
) -> None:
    monkeypatch.setattr(scanner, "SYSTEM", tmp_path / "var" if not writable else tmp_path)
    found = scanner.log_file(place._replace(environment=environment), tmp_path / "market")
    assert found == (tmp_path if system else tmp_path / "market") / "scanner.log"


def test_the_logger_is_as_before_afterwards(place: Place, tmp_path: Path) -> None:
    logger = logging.getLogger("aitrader")

    def state() -> tuple[int, bool, list[logging.Handler]]:
        return logger.level, logger.propagate, list(logger.handlers)

    before = state()
    with pytest.raises(RuntimeError, match="on purpose"), scanner.scanner_log(place, tmp_path, {}):
        raise RuntimeError("on purpose")
    assert state() == before


def test_a_report_is_logged_and_told() -> None:
    told, log = Told(), logging.getLogger("aitrader.test")
    records: list[tuple[str, str]] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append((record.levelname, record.getMessage()))

    listener = Listener()
    log.addHandler(listener)
    log.setLevel("INFO")
    report = scanner.LoggedReport(told, log)
    report.step("a step with a % in it")
    report.progress("requests", 1, 2)
    report.notice("a notice")
    report.warn("a warning")
    log.removeHandler(listener)
    assert records == [("INFO", "a step with a % in it"), ("INFO", "a notice"), ("WARNING", "a warning")]
    assert (told.steps, told.notices, told.warnings) == (["a step with a % in it"], ["a notice"], ["a warning"])
