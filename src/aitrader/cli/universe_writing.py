"""``universe``: what changes the market or its published state, and the trial that changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from aitrader.cli import exit_codes
from aitrader.cli.call import Call
from aitrader.cli.flags import Force, LayerNumber
from aitrader.cli.output import write_json
from aitrader.cli.registry import Help, action
from aitrader.domain.errors import UsageError

if TYPE_CHECKING:
    from aitrader.app import ConfigTest, PopulateResult, ScanResult


SHOWN = 20  # symbols of a long list in text


@action("--populate")
def populate(
    call: Call,
    *,
    source: Annotated[
        Literal["simulated", "dataset", "manual"] | None,
        Help("where listings and bars come from; by default as config/sources.yml says"),
    ] = None,
    path: Annotated[Path | None, Help("the dataset's folder of Parquet or CSV files", metavar="FOLDER")] = None,
    file: Annotated[Path | None, Help("the manual source's list, a symbol a line", metavar="FILE")] = None,
    force_refresh: Annotated[bool, Help("read everything again, also what is stored already")] = False,
    accept_shrink: Annotated[bool, Help("close listings even where under 90 % of the last ones were found")] = False,
) -> int:
    """Discover listings, refresh reference data and missing bars, and qualify the new sessions.

    Idempotent. A discovery that finds under 90 % of the last one's symbols changes nothing and is refused.
    """
    if path is not None and source != "dataset":
        raise UsageError("--path goes with --source dataset", do="write --source dataset --path FOLDER")
    if file is not None and source != "manual":
        raise UsageError("--file goes with --source manual", do="write --source manual --file FILE")
    result = call.facade().populate(
        settings=call.settings(),
        source=source,
        path=path,
        file=file,
        force_refresh=force_refresh,
        accept_shrink=accept_shrink,
        market=call.market,
        report=call.report,
    )
    call.tell_source(result.source)
    _tell_population(call, result)
    return exit_codes.OK


@action("--requalify")
def requalify(call: Call, *, layer: LayerNumber, force: Force = False) -> int:
    """Adopt a layer's file as it is now and judge the last session again from stored data.

    The adopted file becomes a new config version, audited.
    """
    result = call.facade().requalify(
        settings=call.settings(), market=call.market, layer=layer, parallel=False, force=force, report=call.report
    )
    return _tell_requalified(call, result)


@action("--requalify-all")
def requalify_all(
    call: Call,
    *,
    parallel: Annotated[bool, Help("fold the features in parallel partitions; the result is the same")] = False,
    force: Force = False,
) -> int:
    """Adopt all files as they are now, compute every feature again from the bars and judge the last session again."""
    result = call.facade().requalify(
        settings=call.settings(), market=call.market, layer=None, parallel=parallel, force=force, report=call.report
    )
    return _tell_requalified(call, result)


@action("--test-config")
def test_config(
    call: Call,
    *,
    dry_run: Annotated[Literal[True], Help("nothing is written: needed, so that the line says so")],  # noqa: ARG001
    layer: LayerNumber,
) -> int:
    """What a layer's edited file would change in the last session: who enters, who leaves, by which criterion.

    Writes nothing.
    """
    from aitrader.operations.published import envelope

    with call.reader() as reader:
        run = reader.active_run()
        head = None if run is None else envelope(reader, run)
    if run is not None:
        call.tell_source(run.source)
    result = call.facade().test_config(settings=call.settings(), market=call.market, layer=layer, report=call.report)
    if call.json:
        changed = {
            "layer": result.layer,
            "active_version": result.active_version,
            "edited_version": result.edited_version,
            "entered": result.entered,
            "left": result.left,
            "kept": result.kept,
            "by_criterion": result.by_criterion,
            "causes": result.causes,
            "layers": result.layers,
        }
        write_json(call.out, {**(head or {}), **changed})
    else:
        _write_test(call, result)
    return exit_codes.OK


def _tell_population(call: Call, result: PopulateResult) -> None:
    """What a population found and changed."""
    if call.json:
        from aitrader.operations.published import bare_envelope, envelope
        from aitrader.store.reader import Reader

        with Reader.open(result.home) as reader:
            run = reader.active_run()
            bare = bare_envelope(environment=result.home.environment, source=result.source)
            head = bare if run is None else envelope(reader, run)
        told = {
            "market": result.home.market,
            "symbols": result.symbols,
            "new": result.new,
            "closed": result.closed,
            "renamed": result.renamed,
            "sessions_written": result.sessions,
            "corrected": result.corrected,
            "first_session": None if result.first_session is None else result.first_session.isoformat(),
            "last_session": None if result.last_session is None else result.last_session.isoformat(),
            "quarantined": result.quarantined,
            "changed": result.changed,
            "notices": list(result.notices),
        }
        write_json(call.out, {**head, **told})
        return
    out = call.out
    out.write(f"market {result.home.market}: {result.symbols:,} symbols")
    out.write(f", sessions {result.first_session} to {result.last_session}\n" if result.last_session else "\n")
    if result.changed:
        out.write(
            f"new {result.new:,}, closed {result.closed:,}, renamed {result.renamed:,}; sessions written "
            f"{result.sessions:,}, bars corrected {result.corrected:,}\n"
        )
    else:
        out.write("nothing new\n")
    for reason, count in sorted(result.quarantined.items()):
        out.write(f"quarantined {count:,} rows: {reason}\n")
    if result.last_session is None:
        out.write("no bars are stored, so nothing can be judged: populate the market from a source that has bars\n")
    elif result.scan is None:
        out.write("next: python ai_trader.py scan [--as-of DATE]\n")


def _tell_requalified(call: Call, result: ScanResult) -> int:
    """The counts of the run that now stands, beside those of the one before."""
    from aitrader.operations.stats import compared
    from aitrader.store.reader import Reader

    with Reader.open(result.home) as reader, reader.snapshot():
        run = reader.run(result.run_id)
        found = compared(reader, run)
    call.tell_source(run.source)
    if call.json:
        write_json(call.out, found)
        return exit_codes.OK
    call.out.write(f"run {result.run_id}, config {run.config_version}\n")
    for row in found["layers"]:
        before = row.get("previous_symbols")
        beside = "" if before is None else f"   was {before:,} ({row['difference']:+,})"
        call.out.write(f"Layer {row['layer']} {row['name']:<12}{row['symbols']:>8,}{beside}\n")
    return exit_codes.OK


def _write_test(call: Call, result: ConfigTest) -> None:
    """What an edited file would change, as text."""
    out = call.out
    if result.active_version == result.edited_version:
        out.write(f"the file of Layer {result.layer} is the active version's: nothing would change\n")
        return
    out.write(
        f"Layer {result.layer} on session {result.session}: {len(result.entered):,} enter, {len(result.left):,} leave, "
        f"{result.kept:,} stay\n"
    )
    for row in result.layers:
        change = row["after"] - row["before"]
        out.write(f"  Layer {row['layer']}{row['before']:>9,} -> {row['after']:,} ({change:+,})\n")
    for cause, counts in result.by_criterion.items():
        parts = [f"{counts[word]:,} {verb}" for word, verb in (("entered", "enter"), ("left", "leave")) if counts[word]]
        out.write(f"  by {cause}: {', '.join(parts)}\n")
    for word, symbols in (("enter", result.entered), ("leave", result.left)):
        if symbols:
            out.write(f"\n{word}:\n")
            shown = symbols[:SHOWN]
            out.writelines(f"  {symbol:<10}{result.causes.get(symbol, '')}".rstrip() + "\n" for symbol in shown)
            if len(symbols) > len(shown):
                out.write(f"  ... and {len(symbols) - len(shown):,} more; --format json names them all\n")
    adopt = f"python ai_trader.py universe --requalify --layer {result.layer}"
    out.write(f"\nnothing was written; adopt it with: {adopt}\n")
