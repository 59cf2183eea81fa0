"""``universe``: the layers as published: members, how the next layer judges them, counts, and their history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from aitrader.cli import exit_codes
from aitrader.cli.answers import security_of, view
from aitrader.cli.call import Call
from aitrader.cli.flags import AsOf, Days, LayerNumber, SomeSymbol
from aitrader.cli.output import Column, json_text, percent, write_csv, write_json, write_parquet, write_table
from aitrader.cli.registry import Help, action
from aitrader.store.instants import instant

_MEMBER_KEYS = ("symbol", "score", "rank", "name", "security_type", "sector", "cause")


def _count(value: Any) -> str:
    return "-" if value is None else f"{value:,}"


def _signed(value: Any) -> str:
    return "-" if value is None else f"{value:+,}"


def _rate(value: Any) -> str:
    return "-" if value is None else percent(value)


def _score(value: Any) -> str:
    return "-" if value is None else f"{value:.3f}"


_MEMBERS = (
    Column(key="rank", heading="rank", right=True, show=_count),
    Column(key="symbol", heading="symbol"),
    Column(key="score", heading="score", right=True, show=_score),
    Column(key="sector", heading="sector"),
    Column(key="security_type", heading="type"),
    Column(key="cause", heading="why"),
    Column(key="name", heading="name"),
)


@action("--layer", takes="layer", scoping=True, formats=("table", "json", "csv", "parquet"))
def layer(
    call: Call,
    *,
    layer: LayerNumber,
    limit: Annotated[int | None, Help("only the first K by rank", metavar="K", at_least=1)] = None,
    verbose: Annotated[bool, Help("a table with score, sector and reason, led by the time of completion")] = False,
    as_of: AsOf = None,
) -> int:
    """List the members of a layer, one bare symbol a line, best rank first.

    Beside another action, --layer names the layer that the action works on.
    """
    from aitrader.operations.listing import listing

    with view(call, as_of=as_of) as (reader, run):
        members = reader.members(run.run_id, layer, limit=limit)
        bare = call.format is None and not verbose
        found = {} if bare else listing(reader, run, layer, members, as_of=as_of)
    if bare:
        call.out.write("".join(f"{member.symbol}\n" for member in members))
    elif call.json:
        write_json(call.out, found)
    elif call.format == "csv":
        write_csv(call.out, _MEMBER_KEYS, found["symbols"])
    elif call.format == "parquet":
        write_parquet(call.out, _MEMBER_KEYS, found["symbols"])
    else:
        if verbose:
            age = (call.clock() - instant(found["published_at"])).total_seconds()
            call.out.write(
                f"Layer {layer} {found['name']}: {found['count']:,} symbols, session {found['session']}, "
                f"completed {found['published_at'][:19]}Z ({_age(age)} ago), run {found['run_id']}\n\n"
            )
        write_table(call.out, _MEMBERS, found["symbols"])
    return exit_codes.OK


@action("--qualification-details", formats=("table", "json", "csv"))
def qualification_details(call: Call, *, layer: LayerNumber, as_of: AsOf = None) -> int:
    """How the members of a layer are judged for the next one (Layer 3's: for Layer 3), a line each.

    SYMBOL, then passed, failed or unknown, then each criterion as name=value<op>threshold, separated by tabs; the op
    is the relation that holds, so a broken criterion shows the opposite of what it asks.
    """
    from aitrader.operations.details import judged, judging_layer
    from aitrader.operations.published import content_of, envelope
    from aitrader.store.store import Store

    with view(call, as_of=as_of) as (reader, run):
        judging = judging_layer(content_of(reader, run), layer)
        members = reader.members(run.run_id, layer)
        head = envelope(reader, run, as_of=as_of)
        with Store.open(reader.home, write=False) as store:
            rows = judged(store.detail(run.run_id), [member.security for member in members], judging)
    if call.json:
        write_json(call.out, {**head, "layer": layer, "judged_for": judging["number"], "symbols": rows.to_dicts()})
    elif call.format == "csv":
        write_csv(call.out, rows.columns, rows.iter_rows(named=True))
    else:
        call.out.write("".join("\t".join(row) + "\n" for row in rows.iter_rows()))
    return exit_codes.OK


_STATS = (
    Column(key="title", heading="layer"),
    Column(key="symbols", heading="symbols", right=True, show=_count),
    Column(key="qualification_rate", heading="of layer below", right=True, show=_rate),
    Column(key="change_rate", heading="change", right=True, show=percent),
    Column(key="added", heading="added", right=True, show=_count),
    Column(key="removed", heading="removed", right=True, show=_count),
    Column(key="unknown", heading="unknown", right=True, show=_count),
)
_COMPARED = (
    *_STATS[:2],
    Column(key="previous_symbols", heading="before", right=True, show=_count),
    Column(key="difference", heading="difference", right=True, show=_signed),
    Column(key="qualification_rate", heading="of layer below", right=True, show=_rate),
    Column(key="previous_qualification_rate", heading="before", right=True, show=_rate),
    Column(key="came", heading="entered", right=True, show=_count),
    Column(key="went", heading="left", right=True, show=_count),
)


@action("--stats")
def stats(
    call: Call,
    *,
    compare_previous: Annotated[bool, Help("beside the run before: who entered, who left, and why")] = False,
) -> int:
    """Counts and rates of the layers: one line each, in the same order, without clock times."""
    from aitrader.operations.stats import compared
    from aitrader.operations.stats import stats as counted

    with view(call) as (reader, run):
        found = compared(reader, run) if compare_previous else counted(reader, run)
    if call.json:
        write_json(call.out, found)
        return exit_codes.OK
    rows = [{**row, "title": f"Layer {row['layer']} {row['name']}"} for row in found["layers"]]
    if found.get("previous") is None:
        write_table(call.out, _STATS, rows)
        if compare_previous:
            call.report.notice("there is no run before this one")
        return exit_codes.OK
    before = found["previous"]
    write_table(call.out, _COMPARED, [{**row, "came": len(row["entered"]), "went": len(row["left"])} for row in rows])
    call.out.write(f"\nsession {found['session']} against {before['session']}")
    if before["config_version"] != found["config_version"]:
        call.out.write(f", config {found['config_version']} against {before['config_version']}")
    call.out.write("\n")
    for row in reversed(rows):
        for word, ones in (("entered", row["entered"]), ("left", row["left"])):
            _write_changes(call, row["layer"], word, ones)
    return exit_codes.OK


@action("--qualification-history")
def qualification_history(call: Call, *, days: Days, symbol: SomeSymbol = None) -> int:
    """Counts of the layers, or the way of one symbol, session by session."""
    from aitrader.operations.history import history, symbol_history

    with view(call) as (reader, run):
        if symbol is None:
            found = history(reader, run, days=days)
        else:
            security, spelled = security_of(reader, symbol, run.session)
            found = symbol_history(reader, run, security, spelled, days=days)
    if call.json:
        write_json(call.out, found)
    elif symbol is None:
        write_table(call.out, _HISTORY, [_flat(session) for session in found["sessions"]])
    else:
        write_table(call.out, _SYMBOL_HISTORY, [_top(session) for session in found["sessions"]])
    return exit_codes.OK


_HISTORY = (
    Column(key="session", heading="session"),
    *(Column(key=f"symbols{n}", heading=f"layer {n}", right=True, show=_count) for n in range(4)),
    *(Column(key=f"rate{n}", heading=f"rate {n}", right=True, show=percent) for n in range(1, 4)),
    Column(key="change3", heading="change 3", right=True, show=percent),
)
_SYMBOL_HISTORY = (
    Column(key="session", heading="session"),
    Column(key="held", heading="layer held", right=True, show=_count),
    Column(key="layer", heading="judged for", right=True, show=_count),
    Column(key="verdict", heading="verdict"),
    Column(key="score", heading="score", right=True, show=_score),
    Column(key="rank", heading="rank", right=True, show=_count),
    Column(key="cause", heading="why"),
)


@action("--export-qualification-history", formats=("json",))
def export_qualification_history(call: Call, *, days: Days) -> int:
    """Every verdict of every published session as one JSON object on stdout."""
    from aitrader.operations.history import published_in, verdicts
    from aitrader.operations.published import envelope
    from aitrader.store.reader import Reader

    with view(call) as (reader, run):
        head = json_text({**envelope(reader, run), "days": days}, call.out)
        runs = [one for one, _ in published_in(reader, run, days)]
        home = reader.home
    call.out.write(head[:-1] + ', "sessions": [')
    with Reader.open(home) as reader:  # published runs never change, so the store is not held while a pipe is slow
        for at, one in enumerate(runs):
            call.out.write(("," if at else "") + "\n" + json_text(verdicts(reader, one), call.out))
    call.out.write("\n]}\n")
    return exit_codes.OK


def _flat(session: Mapping[str, Any]) -> dict[str, Any]:
    """A session's layers as one row."""
    row: dict[str, Any] = {"session": session["session"]}
    for one in session["layers"]:
        n = one["layer"]
        row |= {f"symbols{n}": one["symbols"], f"rate{n}": one["qualification_rate"], f"change{n}": one["change_rate"]}
    return row


def _top(session: Mapping[str, Any]) -> dict[str, Any]:
    """The highest layer that a symbol reached in a session, with the layer that it held."""
    reached = session["layers"][-1] if session["layers"] else {}
    return {**reached, "session": session["session"], "held": session["layer"]}


def _write_changes(call: Call, number: int, word: str, ones: Sequence[Mapping[str, Any]], most: int = 30) -> None:
    """Entrants or leavers of a layer: each with its reason where they are few, else how many for each reason."""
    from aitrader.operations.stats import causes

    if not ones:
        return
    call.out.write(f"\n{len(ones):,} {word} Layer {number}\n")
    if len(ones) <= most:
        for one in ones:
            call.out.write(f"  {one['symbol']:<10}{one['cause'] or ''}".rstrip() + "\n")
    else:
        for cause, count in causes(ones):
            call.out.write(f"  {count:>7,}  {cause}\n")


def _age(seconds: float) -> str:
    """A duration to the minute; none where the store's clock is ahead of this one."""
    if seconds < 0:
        return "0 min"
    minutes = int(seconds // 60)
    days, hours = divmod(minutes // 60, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"
