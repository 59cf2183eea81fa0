"""Every kind of bad file, folder and dataset.yml is one line that says what, where and what to do."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from aitrader.domain.errors import ConfigError, ScannerError, SourceError, UsageError

from .conftest import bars, deliver

Breaking = Callable[[Path], None]
CSV = "symbol,date,close,volume\nAAPL,2024-01-02,10.5,100\n"


def text(name: str, content: str | bytes, *, instead_of: str = "bars.parquet") -> Breaking:
    def breaks(folder: Path) -> None:
        (folder / instead_of).unlink()
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    return breaks


def parquet(**columns: list[object]) -> Breaking:
    return lambda folder: bars(**columns).write_parquet(folder / "bars.parquet")


def without(*columns: str) -> Breaking:
    return lambda folder: bars().drop(columns).write_parquet(folder / "bars.parquet")


def yml(content: str) -> Breaking:
    return lambda folder: (folder / "dataset.yml").write_text(content) and None  # type: ignore[func-returns-value]


def cut(share: float) -> Breaking:
    def breaks(folder: Path) -> None:
        path = folder / "bars.parquet"
        pl.concat([bars()] * 1000).write_parquet(path)
        whole = path.read_bytes()
        path.write_bytes(whole[: int(len(whole) * share)])

    return breaks


def damage(folder: Path) -> None:
    path = folder / "bars.parquet"
    pl.concat([bars()] * 1000).write_parquet(path)
    whole = bytearray(path.read_bytes())
    whole[20:80] = b"\xff" * 60
    path.write_bytes(bytes(whole))


def folder_in_place(folder: Path) -> None:
    (folder / "bars.parquet").unlink()
    (folder / "bars.parquet").mkdir()
    (folder / "dataset.yml").write_text("files: {bars: bars.parquet}\n")


def both(folder: Path) -> None:
    (folder / "bars.csv").write_text(CSV)


FILES: dict[str, tuple[Breaking, str]] = {  # each a SourceError
    "not there": (yml("files: {bars: gone.parquet}\n"), "gone.parquet is not there: looked in"),
    "no match": (yml("files: {bars: 'parts/*.parquet'}\n"), "parts/*.parquet matches no file: looked in"),
    "a folder": (folder_in_place, "bars.parquet is a folder, not a file; name a file"),
    "unknown suffix": (
        yml("files: {bars: bars.xlsx}\n"),
        "bars.xlsx is of no kind that can be read; use one of .parquet, .csv",
    ),
    "empty Parquet": (text("bars.parquet", b""), "bars.parquet is empty; fetch the file again"),
    "empty CSV": (text("bars.csv", ""), "bars.csv is empty; fetch the file again"),
    "no Parquet": (text("bars.parquet", CSV), "bars.parquet is not a Parquet file; check what it is"),
    "truncated Parquet": (cut(0.5), "bars.parquet is cut off: its footer is missing; fetch the file again"),
    "damaged Parquet": (damage, "bars.parquet is damaged: parquet"),
    "Parquet named CSV": (
        text("bars.csv", b"PAR1....PAR1"),
        "bars.csv is a Parquet file with a text file's name; rename it",
    ),
    "binary CSV": (text("bars.csv", CSV.encode() + b"\0\1\2"), "bars.csv is not a text file: it holds binary data"),
    "CSV cut in a row": (
        text("bars.csv", CSV + "MSFT,2024-01-02,1"),
        "bars.csv is cut off in its last row: it has 3 of 4 fields",
    ),
    "CSV with a long row": (
        text("bars.csv", CSV + "MSFT,2024-01-02,1,2,3\n"),
        "bars.csv has a row with more fields than its header",
    ),
    "CSV with an open quote": (
        text("bars.csv", CSV + '"MSFT,2024-01-02,1,2\n'),
        "bars.csv has a quote that is never closed",
    ),
    "CSV not UTF-8": (
        text("bars.csv", CSV.encode() + "Société,2024-01-02,1,2\n".encode("latin-1")),
        "bars.csv is not UTF-8",
    ),
    "CSV header only": (text("bars.csv", "symbol,date,close,volume\n"), "bars.csv has no rows: only a header is there"),
    "a column twice": (
        text("bars.csv", "symbol,date,close,close,volume\nA,2024-01-02,1,2,3\n"),
        "bars.csv has the column close twice",
    ),
    "two of one name": (
        text("bars.csv", "symbol,date,close,Close,volume\nA,2024-01-02,1,2,3\n"),
        "bars.csv has both close and Close: either could be close; map one",
    ),
    "missing column": (without("volume"), "bars.parquet has no column volume: bars need it; it has symbol, date"),
    "mapped column missing": (
        yml("files: {bars: {path: bars.parquet, columns: {close: clsoe}}}\n"),
        "bars.parquet has no column clsoe: dataset.yml reads close from it; did you mean close?",
    ),
    "text where flags are": (
        parquet(close=[True, False, True]),
        "bars.parquet: the column close holds booleans: close must be numbers",
    ),
    "dates as prices": (
        yml("files: {bars: {path: bars.parquet, columns: {close: date, date: close}}}\n"),
        "bars.parquet: the column date holds dates: close must be numbers",
    ),
    "lists": (parquet(volume=[[1], [2], [3]]), "bars.parquet: the column volume holds list(int64) values"),
    "symbols as numbers": (
        parquet(symbol=[1, 2, 3]),
        "bars.parquet: the column symbol holds whole numbers: symbol must be text",
    ),
    "date is no date": (
        parquet(date=[1, 2, 3]),
        "bars.parquet: the column date holds whole numbers: date must be dates or",
    ),
    "date is words": (
        parquet(date=["soon"] * 3),
        "no row of bars is left: bad_date: 3; check the file and its mapping",
    ),
    "nothing left": (parquet(close=[0.0, -1.0, 0.0]), "no row of bars is left: nonpositive_close: 3; check the file"),
    "only holidays": (parquet(date=["2024-01-01"] * 3), "no row of bars is left: not_a_session: 3; check the file"),
}

DESCRIPTIONS: dict[str, tuple[Breaking, str]] = {  # each a ConfigError
    "malformed": (yml("name: [a\n"), "set/dataset.yml:2:1 is not YAML"),
    "a list": (yml("- a\n"), "set/dataset.yml holds a list, not settings"),
    "empty": (yml(""), "set/dataset.yml is empty"),
    "a tab": (yml("files:\n\tbars: x\n"), "is not YAML: a tab stands where YAML wants spaces"),
    "a key twice": (yml("name: a\nname: b\n"), "set/dataset.yml:2 repeats name, first on line 1"),
    "unknown key": (
        yml("adjustement: raw\n"),
        "set/dataset.yml:1: adjustement is no setting; did you mean adjustment?",
    ),
    "unknown adjustment": (
        yml("adjustment: splits\n"),
        "set/dataset.yml:1: splits is no adjustment; did you mean split?",
    ),
    "unknown calendar": (yml("calendar: XLON\n"), "set/dataset.yml:1: XLON is no known calendar; write XNYS"),
    "unknown policy": (
        yml("missing: {min_market_cap: skp}\n"),
        "set/dataset.yml:1: skp is no policy; did you mean skip?",
    ),
    "bad name": (yml("name: ../up\n"), "'../up' is no name for a dataset; use letters, digits"),
    "unknown kind": (
        yml("files: {bar: bars.parquet}\n"),
        "set/dataset.yml:1: bar is no kind of file; did you mean bars?",
    ),
    "no file": (yml("files: {bars: []}\n"), "bars lists no file; name one, or leave the kind out"),
    "file is a number": (yml("files: {bars: 7}\n"), "set/dataset.yml:1: files.bars cannot be 7"),
    "no path": (yml("files: {bars: {columns: {close: c}}}\n"), "files.bars lacks path; add path"),
    "unknown option": (
        yml("files: {bars: {path: b.csv, seperator: x}}\n"),
        "seperator is no setting; did you mean separator?",
    ),
    "unknown column": (
        yml("files: {bars: {path: b.csv, columns: {clos: c}}}\n"),
        "clos is no column of bars; did you mean close?",
    ),
    "duplicate mapping": (
        yml("files: {bars: {path: b.csv, columns: {open: price, close: price}}}\n"),
        "open and close both read the column price; map each column once",
    ),
    "column and constant": (
        yml("files: {bars: {path: b.csv, columns: {volume: v}, constants: {volume: 1}}}\n"),
        "volume is both a column and a constant; keep one of the two",
    ),
    "meaningless option": (
        yml("files: {bars: {path: b.csv, known_on: 2024-01-02}}\n"),
        "known_on means nothing for bars; it belongs to securities and fundamentals",
    ),
    "bad date": (
        yml("files: {securities: {path: s.csv, known_on: yesterday}}\n"),
        "yesterday is not a date; write it as 2024-06-28",
    ),
    "bad zone": (
        yml("files: {news: {path: n.csv, timezone: EDT5}}\n"),
        "EDT5 is no time zone; write one as America/New_York",
    ),
    "bad separator": (
        yml("files: {bars: {path: b.csv, separator: '||'}}\n"),
        "separator is not one character; write one, such as '|'",
    ),
    "bad spelling": (yml("files: {bars: {path: b.csv, spelling: secc}}\n"), "secc is no spelling; did you mean sec?"),
    "bad reader": (
        yml("files: {corporate_actions: {path: a.csv, reader: adjustment_factor}}\n"),
        "adjustment_factor is no reader; did you mean adjustment_factors?",
    ),
    "other name": (
        lambda folder: (folder / "dataset.yaml").write_text("name: a\n") and None,
        "set/dataset.yaml is not read; rename it",
    ),  # type: ignore[func-returns-value]
    "two files of a kind": (both, "has both bars.parquet and bars.csv; name one of them in dataset.yml"),
    "no bars": (lambda folder: (folder / "bars.parquet").unlink(), "has no bars; add bars.parquet or bars.csv"),
}


def said(error: ScannerError) -> str:
    line = str(error)
    assert "\n" not in line
    assert error.do, "an error says what to do"
    assert len(line) < 500
    return line


@pytest.mark.parametrize("case", FILES)
def test_bad_files(folder: Path, case: str) -> None:
    breaks, line = FILES[case]
    breaks(folder)
    with pytest.raises(SourceError) as caught:
        deliver(folder)
    assert line in said(caught.value)


@pytest.mark.parametrize("case", DESCRIPTIONS)
def test_bad_descriptions(folder: Path, case: str) -> None:
    breaks, line = DESCRIPTIONS[case]
    breaks(folder)
    with pytest.raises(ConfigError) as caught:
        deliver(folder)
    assert line in said(caught.value)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere is not there; give --path the folder of a dataset"):
        deliver(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="file is not a folder; give --path the folder that holds"):
        deliver(tmp_path / "file")


def test_a_file_without_permission(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Path.open

    def refuses(path: Path, *arguments: object, **named: object) -> object:
        if path.name == "bars.parquet":
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "open", refuses)
    with pytest.raises(SourceError) as caught:
        deliver(folder)
    assert said(caught.value) == "bars.parquet cannot be opened: permission denied; let this user read the file"


def test_a_row_that_is_cut_elsewhere_only_loses_its_missing_values(folder: Path) -> None:
    text("bars.csv", CSV + "MSFT,2024-01-02,20\nNA,2024-01-02,30,300\n")(folder)
    delivery = deliver(folder)
    assert delivery.bars.select("symbol", "close", "volume").rows() == [
        ("AAPL", 10.5, 100.0),
        ("MSFT", 20.0, None),
        ("NA", 30.0, 300.0),
    ]
    assert "bars: 1 have a price and no volume: it is unknown, not 0" in delivery.notices


def broken(whole: bytes, chance: random.Random) -> bytes:
    """A copy with bytes changed, left out, put in, or cut off."""
    copy = bytearray(whole)
    for _ in range(chance.choice([1, 1, 2, 5, 30])):
        at = chance.randrange(len(copy))
        what = chance.random()
        if what < 0.5:
            copy[at] = chance.randrange(256)
        elif what < 0.7:
            del copy[at : at + chance.randrange(1, 20)]
        elif what < 0.9:
            copy[at:at] = chance.randbytes(chance.randrange(1, 9))
        else:
            del copy[at + 1 :]
        if not copy:
            return b"x"
    return bytes(copy)


@pytest.mark.parametrize("name", ["bars.parquet", "bars.csv", "dataset.yml"])
def test_any_damage_is_one_line_or_harmless(folder: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    frame = pl.concat([bars(symbol=[symbol] * 3) for symbol in ("AAPL", "MSFT", "BRK.B")] * 10)
    path = folder / name
    if name == "dataset.yml":
        path.write_text("name: set\nadjustment: raw\nfiles:\n  bars: {path: bars.parquet, columns: {close: close}}\n")
    elif name == "bars.csv":
        (folder / "bars.parquet").unlink()
        frame.write_csv(path)
    else:
        frame.write_parquet(path)
    whole = path.read_bytes()
    chance = random.Random(7)
    for _ in range(150):
        path.write_bytes(broken(whole, chance))
        with contextlib.suppress(ConfigError, SourceError):
            try:
                deliver(folder)
            except ScannerError as error:
                said(error)
                raise
    assert capfd.readouterr().err == ""  # not even where Polars panics
