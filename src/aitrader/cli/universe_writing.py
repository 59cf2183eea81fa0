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
    from aitrader.operations.refresh import RefreshResult


SHOWN = 20  # symbols of a long list in text


@action("--populate")
def populate(
    call: Call,
    *,
    source: Annotated[
        Literal["live", "alpaca", "polygon", "sec", "manual", "dataset", "simulated"] | None,
        Help("where listings and bars come from; by default as config/sources.yml says"),
    ] = None,
    path: Annotated[
        Path | None, Help("the dataset's folder, or one of Polygon's day aggregates", metavar="FOLDER")
    ] = None,
    file: Annotated[Path | None, Help("the manual source's list, a symbol a line", metavar="FILE")] = None,
    force_refresh: Annotated[bool, Help("read everything again, also what is stored already")] = False,
    accept_shrink: Annotated[bool, Help("close listings even where under 90 % of the last ones were found")] = False,
) -> int:
    """Discover listings, refresh reference data and missing bars, and qualify the new sessions.

    Idempotent. A discovery that finds under 90 % of the last one's symbols changes nothing and is refused.
    """
    if path is not None and source not in ("dataset", "polygon"):
        raise UsageError("--path goes with --source dataset or polygon", do="write --source dataset --path FOLDER")
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
        environ=call.environ,
    )
    call.tell_source(result.source)
    _tell_population(call, result)
    # The list that stands in where no source answered is not what was asked for.
    return exit_codes.WARNING if result.source == "manual" and source != "manual" else exit_codes.OK


@action("--requalify")
def requalify(
    call: Call,
    *,
    layer: LayerNumber,
    use_fallback_data: Annotated[
        bool, Help("with --layer 3: first ask the second source of reports about the members of Layer 2")
    ] = False,
    force: Force = False,
) -> int:
    """Adopt a layer's file as it is now and judge the last session again from stored data.

    The adopted file becomes a new config version, audited.
    """
    if use_fallback_data and layer != 3:
        raise UsageError("--use-fallback-data goes with --layer 3", do="write --requalify --layer 3")
    settings, facade, refreshed = call.settings(), call.facade(), None
    if use_fallback_data:
        refreshed = facade.refresh_fundamentals(
            settings=settings, market=call.market, layer=2, fallback=True, report=call.report, environ=call.environ
        )
    result = facade.requalify(
        settings=settings, market=call.market, layer=layer, parallel=False, force=force, report=call.report
    )
    return _tell_requalified(call, result, refreshed)


@action("--refresh-fundamentals")
def refresh_fundamentals(
    call: Call,
    *,
    layer: LayerNumber = 2,
    use_fallback_data: Annotated[bool, Help("ask the second source of sources.live.fundamentals first")] = False,
) -> int:
    """Ask the live sources for reports, headlines and industries of a layer's members (default: Layer 2), store them.

    The members are those of the last published run. All that a source says is stored, or nothing of it and the next one
    is asked; what is stored is never overwritten. Nothing is judged again: --requalify --layer 3 does that. The
    simulated market has all its reports, so there nothing is asked; a dataset is refused.
    """
    result = call.facade().refresh_fundamentals(
        settings=call.settings(),
        market=call.market,
        layer=layer,
        fallback=use_fallback_data,
        report=call.report,
        environ=call.environ,
    )
    _tell_refreshed(call, result)
    return exit_codes.OK


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


def _tell_refreshed(call: Call, result: RefreshResult) -> None:
    """What a refresh changed, and who gave it."""
    from aitrader.operations.published import chosen_run, envelope
    from aitrader.store.reader import Reader

    with Reader.open(result.home) as reader:
        run = chosen_run(reader, None)
        head = envelope(reader, run)
    call.tell_source(run.source)
    if call.json:
        write_json(call.out, {**head, **result.as_dict()})
        return
    call.out.write(f"Layer {result.layer}, {result.members:,} members\n")
    if result.reports_by is None:
        call.out.write("nothing was asked\n")
        return
    out = call.out
    out.write(f"reports from {result.reports_by}: {result.new_reports:,} new, {result.revised_reports:,} revised\n")
    call.out.write(f"headlines from {result.news_by or 'nobody'}: {result.headlines:,} new\n")
    call.out.write(f"sectors and industries from {result.industries_by or 'nobody'}: {result.sectors:,} changed\n")
    for reason, count in sorted(result.quarantined.items()):
        call.out.write(f"quarantined {count:,} rows: {reason}\n")
    call.out.write("next: python ai_trader.py universe --requalify --layer 3\n")


def _tell_requalified(call: Call, result: ScanResult, refreshed: RefreshResult | None = None) -> int:
    """The counts of the run that now stands, beside those of the one before."""
    from aitrader.operations.stats import compared
    from aitrader.store.reader import Reader

    with Reader.open(result.home) as reader, reader.snapshot():
        run = reader.run(result.run_id)
        found = compared(reader, run)
    call.tell_source(run.source)
    if call.json:
        write_json(call.out, found if refreshed is None else {**found, "refreshed": refreshed.as_dict()})
        return exit_codes.OK
    if refreshed is not None and refreshed.reports_by is not None:
        call.out.write(
            f"reports of {refreshed.members:,} members of Layer 2 from {refreshed.reports_by}: "
            f"{refreshed.new_reports:,} new, {refreshed.revised_reports:,} revised\n"
        )
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
