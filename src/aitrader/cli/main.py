"""The command line: understand the words, do the action, turn what happened into one line and one exit code."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TextIO

from aitrader import __version__
from aitrader.cli import exit_codes
from aitrader.cli.call import Call, Facade, engine
from aitrader.cli.commands import COMMANDS
from aitrader.cli.context import clock as now
from aitrader.cli.parser import Parsed, parse, wants_json
from aitrader.cli.report import TerminalReport
from aitrader.domain.errors import ScannerError, StoreError


def main(
    argv: Sequence[str] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    out: TextIO | None = None,
    err: TextIO | None = None,
    clock: Callable[[], datetime] = now,
    facade: Callable[[], Facade] = engine,
) -> int:
    """Run one command line and return its exit code; only data goes to ``out``, everything else to ``err``."""
    argv = sys.argv[1:] if argv is None else argv
    environ = os.environ if environ is None else environ
    out, err = out or _lenient(sys.stdout), err or _lenient(sys.stderr)

    def fail(code: str, error: ScannerError, exit_code: int) -> int:
        return _fail(err, argv, code, error, exit_code, clean=_cleaner(environ))

    try:
        code = _run(argv, environ=environ, out=out, err=err, clock=clock, facade=facade)
        out.flush()
        return code
    except BrokenPipeError:
        _silence(out)
        return exit_codes.OK
    except KeyboardInterrupt:
        return fail("interrupted", ScannerError("interrupted"), exit_codes.INTERRUPTED)
    except ScannerError as error:
        return fail(error.code, error, exit_codes.for_error(error))
    except OSError as error:
        _silence(out)
        named = f" {error.filename}" if error.filename else ""
        why = _cleaner(environ)(error.strerror or type(error).__name__).lower()  # a key in small letters is one still
        told = StoreError(f"cannot read or write{named}", why=why)
        return fail(told.code, told, exit_codes.for_error(told))
    except Exception as error:  # the last resort: one line and a stable code instead of a traceback
        what = f"unexpected fault: {type(error).__name__}: {error}".rstrip(": ")
        told_fault = ScannerError(what, do="run it again with --debug and report the traceback")
        return fail(told_fault.code, told_fault, exit_codes.FAULT)


def _run(
    argv: Sequence[str],
    *,
    environ: Mapping[str, str],
    out: TextIO,
    err: TextIO,
    clock: Callable[[], datetime],
    facade: Callable[[], Facade],
) -> int:
    """Understand and act; raises whatever goes wrong."""
    parsed = parse(argv, COMMANDS)
    if parsed.version:
        out.write(f"aitrader {__version__}\n")
        return exit_codes.OK
    if parsed.help or parsed.action is None:
        return _help(parsed, out if parsed.help else err)
    call = Call(
        environ=environ,
        out=out,
        err=err,
        format=parsed.format,
        market=parsed.market,
        clock=clock,
        report=TerminalReport(err),
        facade=facade,
    )
    return parsed.action.function(call, **parsed.values)


def _help(parsed: Parsed, to: TextIO) -> int:
    """The help that was asked for; or, where no action was named, the help as the answer to that."""
    from aitrader.cli.help import action_help, command_help, program_help

    if parsed.command is None:
        text = program_help(COMMANDS)
    elif parsed.action is not None and parsed.action.flag is not None:
        text = action_help(parsed.command, parsed.action)
    else:
        text = command_help(parsed.command)
    to.write(text)
    return exit_codes.OK if parsed.help else exit_codes.USAGE


def _cleaner(environ: Mapping[str, str]) -> Callable[[str], str]:
    """What takes the keys of the environment out of a text; nothing is loaded for it where there are none."""
    from aitrader.settings.keys import secrets_of

    secrets = list(secrets_of(environ))
    if not secrets:
        return str
    from aitrader.transport.redaction import Redactor

    return Redactor(secrets).text


def _fail(
    err: TextIO,
    argv: Sequence[str],
    code: str,
    error: ScannerError,
    exit_code: int,
    *,
    clean: Callable[[str], str],
) -> int:
    """One line, or one JSON object, on ``err``; the traceback before it with --debug. No key is in any of them."""
    try:
        if "--debug" in argv:
            import traceback

            err.write(clean(traceback.format_exc()))
        if wants_json(argv):
            told = {"code": code, "what": clean(error.what), "why": clean(error.why), "do": clean(error.do)}
            err.write(json.dumps({"error": told}, ensure_ascii=False) + "\n")
        else:
            err.write(f"error: {' '.join(clean(str(error)).split())}\n")
        err.flush()
    except BrokenPipeError:
        _silence(err)
    return exit_code


def _lenient(stream: TextIO) -> TextIO:
    """A process stream that writes ``?`` for what its encoding lacks, instead of failing over a company's name."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")
    return stream


def _silence(stream: TextIO) -> None:
    """Point a stream whose reader has gone at nothing, so that the interpreter's own last flush stays quiet."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError, AttributeError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


if __name__ == "__main__":
    sys.exit(main())
