"""Bad files, rows, YAML and flags through the real command line: one line, its exit code, nothing stored."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from aitrader.cli.main import main
from tests.operations import sample

ROOT = Path(__file__).resolve().parents[2]
BARS = "symbol,date,close,volume\n" + "".join(f"AAPL,2024-01-{day:02},10.5,100\n" for day in (2, 3, 4, 5, 8))
YML = "name: little\nadjustment: raw\n"
POPULATE = "universe --populate --source dataset --path {folder}"
Breaks = Callable[[Path, Path], object]  # the dataset's folder, the config folder


def data(name: str, content: str | bytes) -> Breaks:
    def breaks(folder: Path, _config: Path) -> None:
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    return breaks


def config(name: str, old: str, new: str) -> Breaks:
    def breaks(_folder: Path, folder: Path) -> None:
        path = folder / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return breaks


def nothing(_folder: Path, _config: Path) -> None:
    """Files as they should be."""


LAYER1, LAYER2, LAYER3 = (f"scanners/layer{name}.yml" for name in ("1_liquidity", "2_technical", "3_fundamental"))
CASES: list[tuple[str, Breaks, str, int, str]] = [
    # name, what is broken, the command, exit code, part of the line
    ("no such folder", lambda f, _: shutil.rmtree(f), POPULATE, 3, "little"),
    ("no dataset.yml and no bars", lambda f, _: [one.unlink() for one in f.iterdir()], POPULATE, 3, "dataset.yml"),
    ("dataset.yml: syntax", data("dataset.yml", "name: [little\n"), POPULATE, 3, "dataset.yml:"),
    ("dataset.yml: unknown key", data("dataset.yml", YML + "adjustments: raw\n"), POPULATE, 3, "did you mean"),
    ("dataset.yml: unknown adjustment", data("dataset.yml", "name: little\nadjustment: half\n"), POPULATE, 3, "half"),
    ("bars: empty file", data("bars.csv", ""), POPULATE, 5, "bars.csv"),
    ("bars: missing column", data("bars.csv", BARS.replace("volume", "shares")), POPULATE, 5, "volume"),
    ("bars: no header", data("bars.csv", BARS.split("\n", 1)[1]), POPULATE, 5, "bars.csv"),
    ("bars: not UTF-8", data("bars.csv", b"\xff\xfe\x00symbol"), POPULATE, 5, "bars.csv"),
    ("bars: no believable row", data("bars.csv", BARS.replace("10.5", "-1")), POPULATE, 5, "bars"),
    ("bars: only a weekend", data("bars.csv", BARS[:25] + "AAPL,2024-01-06,10,100\n"), POPULATE, 5, "bars"),
    ("bars: no Parquet", lambda f, _: (f / "bars.csv").rename(f / "bars.parquet"), POPULATE, 5, "bars.parquet"),
    ("layer: syntax", config(LAYER1, "min_price: 1.00", "min_price: [1.00"), "scan", 3, "layer1_liquidity.yml:"),
    ("layer: tab", config(LAYER1, "min_price:", "\tmin_price:"), "scan", 3, "layer1_liquidity.yml:"),
    ("layer: duplicate key", config(LAYER1, "min_price: 1.00", "min_volume: 1"), "scan", 3, "min_volume"),
    ("layer: unknown criterion", config(LAYER1, "min_volume", "min_volum"), "scan", 3, "did you mean min_volume"),
    ("layer: word for a number", config(LAYER1, "1000000", "many"), "scan", 3, "min_volume"),
    ("layer: bounds crossed", config(LAYER2, "value: 30", "value: 80"), "scan", 3, "min_rsi 80 is above max_rsi 70"),
    ("layer: negative weight", config(LAYER2, "weight: 20", "weight: -20"), "scan", 3, "weight"),
    ("layer: unknown role", config(LAYER2, "role: scored", "role: score"), "scan", 3, "role"),
    ("layer: unknown ranking factor", config(LAYER3, "sma50_gap_pct", "sma51_gap_pct"), "scan", 3, "did you mean"),
    ("layer: bands contradict", config(LAYER3, "exit_rank: 50", "exit_rank: 5"), "scan", 3, "exit_rank"),
    ("layer: missing file", lambda _, c: (c / LAYER1).unlink(), "scan", 3, "layer1_liquidity.yml"),
    ("layer: empty file", lambda _, c: (c / LAYER1).write_text(""), "scan", 3, "layer1_liquidity.yml"),
    ("sources: unknown key", config("sources.yml", "seed:", "sead:"), "scan", 3, "did you mean seed"),
    ("flag: unknown", nothing, "universe --layr 3", 3, "--layer"),
    ("flag: not a date", nothing, "scan --as-of yesterday", 3, "yesterday"),
    ("flag: a layer that is none", nothing, "universe --layer 7", 3, "7"),
    ("flags: contradict", nothing, "universe --stats --explain AAPL", 3, "--stats"),
    ("flag: path without dataset", nothing, "universe --populate --path {folder}", 3, "--source dataset"),
    ("flag: unknown source", nothing, "universe --populate --source yahoo", 3, "yahoo"),
    ("flag: market of no name", nothing, "scan --market ../x", 3, "market"),
    ("nothing populated", nothing, "universe --layer 3", 5, "populate"),
]


@pytest.mark.parametrize(("breaks", "line", "code", "part"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_bad_input_is_one_line_and_leaves_nothing(
    tmp_path: Path, breaks: Breaks, line: str, code: int, part: str
) -> None:
    folder, settings, home = tmp_path / "little", tmp_path / "config", tmp_path / "home"
    folder.mkdir()
    (folder / "dataset.yml").write_text(YML)
    (folder / "bars.csv").write_text(BARS)
    shutil.copytree(ROOT / "config", settings)
    breaks(folder, settings)
    out, err = io.StringIO(), io.StringIO()
    environ = {"AI_TRADER_HOME": str(home), "AI_TRADER_CONFIG_DIR": str(settings)}
    got = main(line.format(folder=folder).split(), environ=environ, out=out, err=err, clock=lambda: sample.NOW)
    errors = [one for one in err.getvalue().splitlines() if one.startswith("error: ")]
    assert (got, len(errors)) == (code, 1), err.getvalue()
    assert part in errors[0]
    assert "Traceback" not in err.getvalue()
    assert not out.getvalue() or line.startswith("universe --stats")
    assert not list(home.rglob("*.db")), "something was stored"


def test_there_are_at_least_25_kinds() -> None:
    assert len({name for name, *_ in CASES}) >= 25
