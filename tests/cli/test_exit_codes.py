"""What happened, and the exit code that says so."""

from __future__ import annotations

import errno
import json
from types import SimpleNamespace
from typing import Any

import pytest

from aitrader.cli import exit_codes
from aitrader.domain import errors
from tests.cli.conftest import Ai


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError, 3),
        (errors.ConfigError, 3),
        (errors.RefusedError, 4),
        (errors.SourceError, 5),
        (errors.StoreError, 5),
        (errors.ScannerError, 70),
    ],
)
def test_an_error_is_one_line_and_its_code(ai: Ai, error: type[errors.ScannerError], code: int) -> None:
    said = ai("scan", facade=raising(error("the thing broke", why="it was\nold", do="mend it")))
    assert (said.code, said.out) == (code, "")
    assert said.err == "error: the thing broke: it was old; mend it\n"


def test_every_error_of_the_domain_has_an_exit_code_of_its_own() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.ScannerError)]
    codes = {kind.code: exit_codes.for_error(kind("x")) for kind in kinds}
    assert codes == {"fault": 70, "usage": 3, "config": 3, "refused": 4, "source": 5, "store": 5}


@pytest.mark.parametrize(("status", "code"), [("ok", 0), ("warning", 1), ("unknown", 1), ("critical", 2)])
def test_a_status_has_a_code(status: str, code: int) -> None:
    assert exit_codes.for_status(status) == code


def test_every_code_that_can_be_returned_is_explained() -> None:
    named = {value for name, value in vars(exit_codes).items() if name.isupper() and isinstance(value, int)}
    assert named == set(exit_codes.MEANING) == {0, 1, 2, 3, 4, 5, 70, 130}


def test_an_unexpected_fault_is_one_line_without_a_traceback(ai: Ai) -> None:
    said = ai("scan", facade=raising(ZeroDivisionError("division by zero")))
    assert said.code == 70
    assert said.err == (
        "error: unexpected fault: ZeroDivisionError: division by zero; "
        "run it again with --debug and report the traceback\n"
    )


def test_debug_shows_the_traceback_of_a_fault(ai: Ai) -> None:
    said = ai("scan --debug", facade=raising(ZeroDivisionError("division by zero")))
    assert said.code == 70
    assert "Traceback (most recent call last)" in said.err
    assert said.err.endswith("report the traceback\n")


def test_a_full_disk_is_the_store_out_of_reach(ai: Ai) -> None:
    said = ai("scan", facade=raising(OSError(errno.ENOSPC, "No space left on device", "/home/bars")))
    assert (said.code, said.err) == (5, "error: cannot read or write /home/bars: no space left on device\n")


def test_an_interrupt_is_130(ai: Ai) -> None:
    said = ai("scan", facade=raising(KeyboardInterrupt()))
    assert (said.code, said.out, said.err) == (130, "", "error: interrupted\n")


@pytest.mark.parametrize("form", ["--format json", "--format=json"])
def test_with_json_an_error_is_an_object_on_stderr(ai: Ai, form: str) -> None:
    said = ai(f"universe --layer 9 {form}")
    assert (said.code, said.out) == (3, "")
    assert json.loads(said.err) == {
        "error": {"code": "usage", "what": "--layer 9 is out of range", "why": "", "do": "give 0 to 3"}
    }


def test_a_store_that_is_not_there_is_5_and_says_how_to_begin(ai: Ai, tmp_path: Any) -> None:
    said = ai("universe --stats", env={"AI_TRADER_HOME": str(tmp_path)})
    assert said.code == 5
    assert said.err == (
        f"error: no market in {tmp_path}/development: nothing was populated there; run scan, or universe --populate\n"
    )


def raising(error: BaseException) -> Any:
    """A composition root whose scan and populate end in ``error``."""

    def work(**_: Any) -> Any:
        raise error

    return SimpleNamespace(scan=work, populate=work)
