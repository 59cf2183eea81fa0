"""What the reading actions print, and where: data on stdout, everything else on stderr."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.cli.conftest import Ai
from tests.operations import sample

SIMULATED = "notice: simulated data\nnotice: unavailable on this source: Layer 1 max_spread_pct\n"


@pytest.mark.parametrize(
    ("line", "out"),
    [
        ("universe --layer 3", "AAPL\nMSFT\n"),
        ("universe --layer 2", "AAPL\nGOOGL\nNEGE\n"),
        ("universe --layer 2 --limit 1", "AAPL\n"),
        ("universe --layer 3 --as-of 2025-08-20", "MSFT\nGOOGL\n"),
        ("universe --layer 1", "AAPL\nBRK.B\nGOOGL\nMSFT\nNA\nNEGE\nTRUE\n"),
    ],
)
def test_a_layer_is_bare_symbols_and_nothing_else_on_stdout(ai: Ai, line: str, out: str) -> None:
    assert ai(line) == type(ai(line))(0, out, SIMULATED, out.encode())


def test_a_date_without_a_run_is_answered_by_the_session_before_it(ai: Ai) -> None:
    said = ai("universe --layer 3 --as-of 2025-08-21")
    assert "has no published run" not in said.err
    later = ai("universe --layer 3 --as-of 2025-08-23")
    assert (later.code, later.out) == (3, "")
    assert later.err.startswith("error: nothing is known of 2025-08-23: the last session is 2025-08-21; ")
    before = ai("universe --layer 3 --as-of 2025-08-01")
    assert before.code == 3
    assert "no published run on or before 2025-08-01: the first is of 2025-08-19" in before.err


def test_verbose_leads_with_the_time_of_completion(ai: Ai) -> None:
    head, blank, headings, first, *_ = ai("universe --layer 3 --verbose").out.splitlines()
    assert head == (
        "Layer 3 fundamental: 2 symbols, session 2025-08-21, "
        "completed 2025-08-22T01:30:00Z (1 h 30 min ago), run 2025-08-21.1"
    )
    assert (blank, headings.split()[:3]) == ("", ["rank", "symbol", "score"])
    assert first.split()[:3] == ["1", "AAPL", "0.900"]


def test_a_layer_as_csv(ai: Ai) -> None:
    rows = list(csv.DictReader(io.StringIO(ai("universe --layer 3 --format csv").out)))
    assert [(row["symbol"], row["score"], row["rank"], row["sector"]) for row in rows] == [
        ("AAPL", "0.9", "1", "Technology"),
        ("MSFT", "0.7", "2", ""),
    ]


def test_a_layer_as_parquet_is_a_file_on_stdout(ai: Ai) -> None:
    table = pq.read_table(io.BytesIO(ai("universe --layer 3 --format parquet").raw))
    assert table.column("symbol").to_pylist() == ["AAPL", "MSFT"]
    assert table.column("score").to_pylist() == [0.9, 0.7]


DETAILS = """\
AAPL	passed	min_volume=50000000>=1000000;min_price=230>=1;max_spread_pct=unavailable<=2
ABR-P-D	failed	min_volume=50000<1000000;min_price=18>=1;max_spread_pct=unavailable<=2
BRK.B	passed	min_volume=4000000>=1000000;min_price=480>=1;max_spread_pct=unavailable<=2
GOOGL	passed	min_volume=30000000>=1000000;min_price=190>=1;max_spread_pct=unavailable<=2
MSFT	passed	min_volume=20000000>=1000000;min_price=410>=1;max_spread_pct=unavailable<=2
NA	passed	min_volume=1000000>=1000000;min_price=1>=1;max_spread_pct=unavailable<=2
NEAR	failed	min_volume=981204<1000000;min_price=20>=1;max_spread_pct=unavailable<=2
NEGE	passed	min_volume=2000000>=1000000;min_price=12>=1;max_spread_pct=unavailable<=2
NODATA	unknown	min_volume=unknown>=1000000;min_price=unknown>=1;max_spread_pct=unavailable<=2
TINY	failed	min_volume=1000<1000000;min_price=0.5<1;max_spread_pct=unavailable<=2
TRUE	passed	min_volume=1500000>=1000000;min_price=3>=1;max_spread_pct=unavailable<=2
"""


def test_qualification_details_judge_a_layer_for_the_next(ai: Ai) -> None:
    said = ai("universe --layer 0 --qualification-details")
    assert (said.code, said.out) == (0, DETAILS)
    assert [line.split("\t")[0] for line in said.out.splitlines() if "failed" in line] == ["ABR-P-D", "NEAR", "TINY"]


def test_qualification_details_of_the_last_layer_judge_it_for_itself(ai: Ai) -> None:
    assert ai("universe --layer 3 --qualification-details").out == (
        "AAPL\tpassed\tmax_pe=24<=25;min_revenue_growth_pct=9>=5;min_news_sentiment=0.4>=0.3\n"
        "MSFT\tpassed\tmax_pe=23<=25;min_revenue_growth_pct=15>=5;min_news_sentiment=skipped>=0.3\n"
    )
    second = ai("universe --layer 1 --qualification-details").out.splitlines()
    assert second[4] == "NA\tfailed\tmin_rsi=29.999<30;uptrend=failed;macd_cross=failed<5"


STATS = """\
layer                symbols  of layer below   change  added  removed  unknown
Layer 0 universe          11               -    0.0 %      0        0        0
Layer 1 liquidity          7          63.6 %    0.0 %      0        0        1
Layer 2 technical          3          42.9 %    0.0 %      0        0        0
Layer 3 fundamental        2          66.7 %   25.0 %      1        1        0
"""


def test_stats_are_the_same_lines_each_time_without_clock_times(ai: Ai) -> None:
    said = ai("universe --stats")
    assert [line.split() for line in said.out.splitlines()] == [line.split() for line in STATS.splitlines()]
    assert said.out == ai("universe --stats").out
    assert "2025" not in said.out
    assert sum("Layer 1" in line for line in said.out.splitlines()) == 1


def test_stats_beside_the_run_before_name_who_came_and_who_left(ai: Ai) -> None:
    out = ai("universe --stats --compare-previous").out
    assert "session 2025-08-21 against 2025-08-20\n" in out
    assert "1 entered Layer 3\n  AAPL      passed\n" in out
    assert "1 left Layer 3\n  GOOGL     max_pe (Layer 3)\n" in out


def test_explain_shows_value_threshold_margin_verdict_and_input_date(ai: Ai) -> None:
    lines = ai("universe --explain near").out.splitlines()
    assert lines[:3] == [
        "NEAR  NEAR Incorporated",
        "common, NYSE, Technology",
        "in Layer 0 of 3, session 2025-08-21, config 0123456789ab, simulated",
    ]
    row = next(line.split() for line in lines if line.lstrip().startswith("min_volume"))
    assert row == ["min_volume", "981,204", ">=", "1,000,000", "-18,796", "failed", "2025-08-21"]
    assert "Layer 1 liquidity: failed by min_volume" in lines
    assert "Layer 2 technical: not reached" in lines
    assert lines[-1] == "near miss: NEAR missed by min_volume: 981,204 < 1,000,000"


@pytest.mark.parametrize(
    ("symbol", "told"), [("MSFT", "name:alpaca security_type:polygon"), ("AAPL", None), ("NODATA", None)]
)
def test_explain_says_which_source_told_what(ai: Ai, symbol: str, told: str | None) -> None:
    assert ai(f"universe --explain {symbol} --format json").json["provenance"] == told
    lines = [line for line in ai(f"universe --explain {symbol}").out.splitlines() if line.startswith("told by ")]
    assert lines == ([] if told is None else [f"told by {told}"])


@pytest.mark.parametrize("spelling", ["BRK.B", "brk.b", "BRK/B", "BRK-B", "brk-b"])
def test_a_symbol_is_understood_in_every_spelling(ai: Ai, spelling: str) -> None:
    assert ai(f"universe --explain {spelling}").out.startswith("BRK.B  BRK.B Incorporated\n")


@pytest.mark.parametrize("spelling", ["ABR^D", "ABR-PD", "abr$d", "ABRpD"])
def test_a_preferred_is_understood_in_every_spelling(ai: Ai, spelling: str) -> None:
    assert ai(f"universe --explain {spelling}").out.startswith("ABR-P-D  ")


@pytest.mark.parametrize("symbol", ["NA", "TRUE"])
def test_a_symbol_is_text_whatever_it_spells(ai: Ai, symbol: str) -> None:
    assert ai(f"universe --explain {symbol}").out.startswith(f"{symbol}  ")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("universe --explain AAPX", "error: symbol 'AAPX' is not known: near it are AAPL; see "),
        ("universe --explain ***", "error: '***' is no symbol; see universe --layer 0\n"),
        ("universe --layer-details --symbol ZZZZ", "error: symbol 'ZZZZ' is not known"),
        ("universe --qualification-history --days 3 --symbol ZZZZ", "error: symbol 'ZZZZ' is not known"),
    ],
)
def test_a_symbol_that_is_not_known_is_a_usage_error(ai: Ai, line: str, message: str) -> None:
    said = ai(line)
    assert (said.code, said.out) == (3, "")
    assert said.err.splitlines(keepends=True)[-1].startswith(message)


def test_layer_details_say_since_when_a_place_is_held(ai: Ai) -> None:
    rows = {line.split()[1]: line.split() for line in ai("universe --symbol AAPL --layer-details").out.splitlines()[4:]}
    assert rows["2"][2:6] == ["technical", "yes", "2025-08-19", "3"]
    assert rows["3"][2:6] == ["fundamental", "yes", "2025-08-21", "1"]


def test_history_has_a_line_a_session(ai: Ai) -> None:
    lines = ai("universe --qualification-history --days 2").out.splitlines()
    assert [line.split()[0] for line in lines] == ["session", "2025-08-20", "2025-08-21"]
    one = ai("universe --qualification-history --days 30 --symbol AAPL").out.splitlines()
    assert [line.split()[:4] for line in one[1:]] == [
        ["2025-08-19", "2", "3", "failed"],
        ["2025-08-20", "2", "3", "failed"],
        ["2025-08-21", "3", "3", "passed"],
    ]


def test_the_export_holds_every_verdict(ai: Ai) -> None:
    found = ai("universe --export-qualification-history --days 90").json
    assert [session["session"] for session in found["sessions"]] == [str(day) for day in sample.SESSIONS]
    reached = sum(len(rows) for rows in sample.PLACES.values())
    assert len(found["sessions"][-1]["qualifications"]) == reached


def test_health_is_the_kpi_table_and_its_exit_code(ai: Ai) -> None:
    said = ai("universe --health")
    assert said.code == 2
    first = said.out.splitlines()[1].split()
    assert first[:6] == ["critical", "Layer", "0", "Symbols", "11", ">"]
    assert said.out.splitlines()[-1] == "critical: session 2025-08-21, simulated, development"
    assert "warning: the config files differ from the active version 0123456789ab, which scans use\n" in said.err


def test_health_verbose_gives_bounds_and_what_was_populated(ai: Ai) -> None:
    out = ai("universe --health --verbose").out
    assert "Layer 3 Symbols: warning < 15 or > 70, critical < 10 or > 100; see " in out
    assert "populated from simulated: 12 symbols, 3 sessions from 2025-08-19 to 2025-08-21\n" in out


def test_before_the_first_publication_health_is_unknown(ai: Ai, tmp_path: Path) -> None:
    sample.publish(tmp_path, runs=0)
    said = ai("universe --health", env={"AI_TRADER_HOME": str(tmp_path)})
    assert said.code == 1
    assert {line.split()[0] for line in said.out.splitlines()[1:7]} == {"unknown"}
    listed = ai("universe --layer 3", env={"AI_TRADER_HOME": str(tmp_path)})
    assert listed.code == 5
    assert listed.err.startswith("error: nothing is published yet")


def test_a_run_that_has_not_seen_the_last_bars_is_stale(ai: Ai, tmp_path: Path) -> None:
    sample.publish(tmp_path, runs=2)
    said = ai("universe --layer 3 --format json", env={"AI_TRADER_HOME": str(tmp_path)})
    assert said.json["stale"] is True
    assert "warning: stale: bars are stored up to 2025-08-21, this run is of 2025-08-20; run scan\n" in said.err
    past = ai("universe --layer 3 --as-of 2025-08-20 --format json", env={"AI_TRADER_HOME": str(tmp_path)})
    assert past.json["stale"] is False
    today = ai("universe --layer 3 --as-of 2025-08-21 --format json", env={"AI_TRADER_HOME": str(tmp_path)})
    assert today.json["stale"] is True
    assert "notice: 2025-08-21 has no published run; this is 2025-08-20\n" in today.err


def test_environments_and_markets_are_never_mixed(ai: Ai, tmp_path: Path) -> None:
    sample.publish(tmp_path, source="dataset-real")
    env = {"AI_TRADER_HOME": str(tmp_path)}
    real = ai("universe --layer 3", env=env)
    assert (real.code, "simulated data" in real.err) == (0, False)
    assert ai("universe --layer 3", env={**env, "AI_TRADER_ENV": "production"}).code == 5
    wrong = ai("universe --layer 3 --market dataset-reel", env=env)
    assert wrong.code == 3
    assert "no market 'dataset-reel'" in wrong.err
    assert "did you mean dataset-real?" in wrong.err
    assert ai("universe --layer 3", env={**env, "AI_TRADER_MARKET": "dataset-real"}).code == 0
    assert ai("universe --layer 3", env={**env, "AI_TRADER_ENV": "test"}).code == 3


def test_config_shows_each_setting_with_its_origin(ai: Ai) -> None:
    override = {"AI_TRADER__SCANNERS__LAYER1_LIQUIDITY__MIN_VOLUME": "500000"}
    found = ai("config --format json", env=override).json
    settings = {one["name"]: one for one in found["settings"]}
    changed = settings["scanners.layer1_liquidity.min_volume"]
    assert changed["value"] == 500_000
    assert changed["origin"] == "AI_TRADER__SCANNERS__LAYER1_LIQUIDITY__MIN_VOLUME"
    assert settings["scanners.layer1_liquidity.min_price"]["origin"].startswith("config/scanners/layer1_liquidity.yml:")
    text = ai("config", env=override)
    assert text.code == 0
    line = next(one for one in text.out.splitlines() if one.startswith("scanners.layer1_liquidity.min_volume "))
    assert line.split()[1:] == ["500000", "AI_TRADER__SCANNERS__LAYER1_LIQUIDITY__MIN_VOLUME"]
