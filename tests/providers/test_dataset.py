"""A dataset as its folder declares it: mapping, values, quarantine, history of attributes, actions, reports, news."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from aitrader.domain.errors import SourceError
from aitrader.domain.frames import ACTIONS, BARS, FUNDAMENTALS, MARKET_CAPS, NEWS, QUARANTINE, SECURITIES
from aitrader.providers import Source
from aitrader.providers.dataset import DatasetSource
from aitrader.providers.dataset_format import DROPPED, NULLED
from aitrader.providers.quarantine import GROUPED_ABOVE, counts

from .conftest import DAYS, bars, deliver, reasons


def test_a_bare_folder_is_a_dataset(folder: Path) -> None:
    source: Source = DatasetSource(folder)
    delivery = source.deliver()
    assert source.name == delivery.source == "dataset-set"
    assert delivery.adjustment == "raw"
    assert "the dataset does not declare its adjustment: its prices are taken as raw" in delivery.notices
    assert delivery.bars.height == 3
    assert delivery.offers == {f"bars.{name}" for name in ("symbol", "date", "open", "high", "low", "close", "volume")}
    for frame, schema in (
        (delivery.bars, BARS),
        (delivery.securities, SECURITIES),
        (delivery.market_caps, MARKET_CAPS),
        (delivery.actions, ACTIONS),
        (delivery.fundamentals, FUNDAMENTALS),
        (delivery.news, NEWS),
        (delivery.quarantine, QUARANTINE),
    ):
        assert dict(frame.schema) == schema
    assert delivery.securities.select("symbol", "security_type", "known_on").rows() == [("AAPL", "unknown", None)]


def test_foreign_files_are_read_where_they_lie(folder: Path, tmp_path: Path) -> None:
    (folder / "bars.parquet").unlink()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "prices.txt").write_text(
        "Ticker|Day|Last Sale|Shares|Memo\n"
        "BRK/B   |03.01.2024|$1,234.50|1,000|x\n"
        "ABR^D|02.01.2024|$(2.00)|7|\n"
        "NULL|02.01.2024|3|8|\n"
    )
    (folder / "dataset.yml").write_text(
        """
name: foreign
adjustment: split
missing: {min_market_cap: skip}
files:
  bars:
    path: ../elsewhere/prices.txt
    separator: '|'
    date_format: '%d.%m.%Y'
    columns: {symbol: Ticker, date: Day, close: Last Sale, volume: Shares}
    constants: {trades: 5}
"""
    )
    delivery = deliver(folder)
    assert delivery.bars.select("symbol", "date", "close", "volume", "trades").rows() == [
        ("BRK.B", date(2024, 1, 3), 1234.5, 1000.0, 5.0),
        ("NULL", date(2024, 1, 2), 3.0, 8.0, 5.0),
    ]
    assert delivery.quarantine.rows() == [
        ("prices.txt (bars)", 2, "ABR-P-D", date(2024, 1, 2), "nonpositive_close", "close is -2.0")
    ]
    assert (delivery.source, delivery.adjustment, delivery.missing) == (
        "dataset-foreign",
        "split",
        {"min_market_cap": "skip"},
    )
    assert "prices.txt: nothing reads the columns Memo" in delivery.notices


def test_several_files_of_one_kind(folder: Path) -> None:
    (folder / "bars.parquet").unlink()
    (folder / "bars").mkdir()
    for number, symbol in enumerate(("MSFT", "AAPL")):
        bars(symbol=[symbol] * 3).write_parquet(folder / "bars" / f"part{number}.parquet")
    assert deliver(folder).bars["symbol"].to_list() == ["AAPL"] * 3 + ["MSFT"] * 3


@pytest.mark.parametrize("word", ["NA", "NAN", "TRUE", "ON", "NO", "Y", "NULL", "INF", "null", "nan"])
def test_symbols_that_look_like_values_stay_symbols(folder: Path, word: str) -> None:
    (folder / "bars.parquet").unlink()
    (folder / "bars.csv").write_text(f"symbol,date,close,volume\n{word},2024-01-02,1,2\n")
    assert deliver(folder).bars["symbol"].to_list() == [word.upper()]


BAD_BARS = [  # one column changed in the second of three bars, the reason, and what is left of the bar
    ({"symbol": None}, "bad_symbol", None),
    ({"symbol": "A B C"}, "bad_symbol", None),
    ({"date": None}, "bad_date", None),
    ({"date": date(2250, 1, 3)}, "bad_date", None),
    ({"date": date(2024, 1, 6)}, "not_a_session", None),
    ({"date": date(2024, 1, 1)}, "not_a_session", None),
    ({"open": None, "high": None, "low": None, "close": None, "volume": None}, "no_values", None),
    ({"close": None}, "bad_number", None),
    ({"close": 0.0}, "nonpositive_close", None),
    ({"close": -1.0}, "nonpositive_close", None),
    ({"close": float("nan")}, "not_finite", None),
    ({"close": float("inf")}, "not_finite", None),
    ({"volume": -1.0}, "negative_volume", None),
    ({"volume": float("nan")}, "not_finite", None),
    ({"volume": float("inf")}, "not_finite", None),
    ({"open": -1.0}, "nonpositive_price", (None, 12.0, 10.0, 11.5, 200.0)),
    ({"low": 0.0}, "nonpositive_price", (11.0, 12.0, None, 11.5, 200.0)),
    ({"high": float("inf")}, "not_finite", (11.0, None, 10.0, 11.5, 200.0)),
    ({"high": 11.4}, "high_below_close", (11.0, None, 10.0, 11.5, 200.0)),
    ({"high": 5.0}, "high_below_close", (11.0, None, 10.0, 11.5, 200.0)),
    ({"low": 11.6}, "low_above_close", (11.0, 12.0, None, 11.5, 200.0)),
    ({"open": 99.0}, "open_out_of_range", (None, 12.0, 10.0, 11.5, 200.0)),
    ({"open": 9.0}, "open_out_of_range", (None, 12.0, 10.0, 11.5, 200.0)),
]


@pytest.mark.parametrize(("change", "reason", "left"), BAD_BARS)
def test_bad_bars(folder: Path, change: dict[str, object], reason: str, left: tuple[float | None, ...] | None) -> None:
    good = bars()
    columns = {name: [value if row == 1 else good[name][row] for row in range(3)] for name, value in change.items()}
    bars(**columns).write_parquet(folder / "bars.parquet")
    delivery = deliver(folder)
    assert reasons(delivery) == [reason]
    assert delivery.quarantine["row"].to_list() == [2]
    assert delivery.quarantine["file"].to_list() == ["bars.parquet (bars)"]
    middle = delivery.bars.filter(pl.col("date") == DAYS[1]).select("open", "high", "low", "close", "volume").rows()
    assert middle == ([] if left is None else [left])
    assert delivery.bars.height == (2 if left is None else 3)


@pytest.mark.parametrize("volume", [0.0, 0.5, 1e12])
def test_volumes_that_are_no_defect(folder: Path, volume: float) -> None:
    bars(volume=[100.0, volume, 300.0]).write_parquet(folder / "bars.parquet")
    delivery = deliver(folder)
    assert delivery.bars["volume"].to_list() == [100.0, volume, 300.0]
    assert reasons(delivery) == []


def test_a_sub_cent_close_and_a_huge_one_are_prices(folder: Path) -> None:
    bars(open=[None] * 3, high=[None] * 3, low=[None] * 3, close=[0.0002, 540_000.0, 809_350.0]).write_parquet(
        folder / "bars.parquet"
    )
    delivery = deliver(folder)
    assert delivery.bars["close"].to_list() == [0.0002, 540_000.0, 809_350.0]
    assert reasons(delivery) == []


def test_a_nan_in_an_optional_column_is_a_missing_value(folder: Path) -> None:
    bars(open=[float("nan")] * 3).write_parquet(folder / "bars.parquet")
    delivery = deliver(folder)
    assert delivery.bars["open"].to_list() == [None] * 3
    assert (reasons(delivery), "bars.open" in delivery.offers) == ([], False)


def test_texts_that_are_no_values(folder: Path) -> None:
    (folder / "bars.parquet").unlink()
    (folder / "bars.csv").write_text(
        "symbol,date,open,close,volume\n"
        "AAPL,2024-01-02,x,10,N/A\n"
        "AAPL,2024-01-03,10,ten,5\n"
        "AAPL,soon,10,10,5\n"
        "AAPL,2024-01-04 16:00,10,10,5\n"
        "\n"
    )
    delivery = deliver(folder)
    assert delivery.bars.select("date", "open", "volume").rows() == [(DAYS[0], None, None), (DAYS[2], 10.0, 5.0)]
    assert delivery.quarantine.sort("row", "reason").select("row", "reason", "detail").rows() == [
        (1, "bad_number", "open is 'x'"),
        (2, "bad_number", "close is 'ten'"),
        (3, "bad_date", "date is 'soon'"),
    ]


def test_dates_of_instants_are_new_york_dates(folder: Path) -> None:
    minutes = [(3, 5, 0), (5, 4, 59), (5, 5, 0)]  # midnight in New York is 05:00 UTC in winter
    bars(date=[datetime(2024, 1, day, hour, minute, tzinfo=UTC) for day, hour, minute in minutes]).write_parquet(
        folder / "bars.parquet"
    )
    assert deliver(folder).bars["date"].to_list() == [date(2024, 1, 3), date(2024, 1, 4), date(2024, 1, 5)]


def test_identical_rows_are_one_and_conflicting_rows_are_none(folder: Path) -> None:
    twice = pl.concat([bars(), bars().head(1), bars(close=[10.5, 11.7, 12.5]).slice(1, 1)])
    twice.write_parquet(folder / "bars.parquet")
    delivery = deliver(folder)
    assert delivery.bars["date"].to_list() == [DAYS[0], DAYS[2]]
    assert delivery.quarantine.sort("row").select("row", "reason").rows() == [
        (2, "conflicting_duplicate"),
        (4, "duplicate"),
        (5, "conflicting_duplicate"),
    ]


def test_two_spellings_of_one_share_in_one_file_are_one_share(folder: Path) -> None:
    spelled = pl.DataFrame({"symbol": ["BRK/B", "BRK.B", "BRK-B"]}).with_columns(date=DAYS[0], close=10.5, volume=1.0)
    spelled.write_parquet(folder / "bars.parquet")
    delivery = deliver(folder)
    assert delivery.bars["symbol"].to_list() == ["BRK.B"]
    assert reasons(delivery) == ["duplicate", "duplicate"]


def test_a_repeated_close_and_volume_is_no_trade_where_declared(folder: Path) -> None:
    quiet = bars(open=[None] * 3, high=[None] * 3, low=[None] * 3, close=[10.0, 10.0, 10.0], volume=[5.0, 5.0, 6.0])
    quiet.write_parquet(folder / "bars.parquet")
    assert deliver(folder).bars["volume"].to_list() == [5.0, 5.0, 6.0]
    (folder / "dataset.yml").write_text("files: {bars: {path: bars.parquet, repeats_are_no_trade: true}}\n")
    delivery = deliver(folder)
    assert delivery.bars["volume"].to_list() == [5.0, 0.0, 6.0]
    assert "bars: 1 repeat the close and volume of the day before: no trade, their volume is 0" in delivery.notices


def test_market_caps(folder: Path) -> None:
    pl.DataFrame(
        {
            "symbol": ["AAPL"] * 5,
            "date": [*DAYS, date(2024, 1, 5), date(2024, 1, 6)],
            "market_cap": [1e9, 0.0, None, -1.0, 1e9],
        }
    ).write_parquet(folder / "market_caps.parquet")
    delivery = deliver(folder)
    assert delivery.market_caps.rows() == [("AAPL", DAYS[0], 1e9)]
    assert reasons(delivery) == ["negative_market_cap", "not_a_session", "zero_market_cap"]
    assert "market_caps: 1 rows have no value: the market cap is unknown on that date" in delivery.notices


def test_very_many_rows_of_one_reason_are_summed_by_date(folder: Path) -> None:
    many = GROUPED_ABOVE + 10
    rows = pl.DataFrame({"symbol": [f"S{number}" for number in range(many)]}).with_columns(date=DAYS[0], market_cap=0.0)
    rows.write_parquet(folder / "market_caps.parquet")
    (folder / "bars.parquet").unlink()
    bars().write_parquet(folder / "bars.parquet")
    pl.concat([rows, pl.DataFrame({"symbol": ["AAPL"], "date": [DAYS[0]], "market_cap": [1.0]})]).write_parquet(
        folder / "market_caps.parquet"
    )
    delivery = deliver(folder)
    assert delivery.quarantine.select("row", "symbol", "date", "reason", "detail").rows() == [
        (None, None, DAYS[0], "zero_market_cap", f"{many} rows, such as S0")
    ]
    assert counts(delivery.quarantine)["rows"].to_list() == [many]


SNAPSHOTS = """
files:
  bars: bars.parquet
  securities:
    - {path: first.csv, known_on: 2024-01-02, timeless: [security_type, exchange], only_with_bars: true}
    - {path: second.csv, known_on: 2024-01-03}
"""


def test_attributes_count_from_the_session_after_their_list(folder: Path) -> None:
    (folder / "dataset.yml").write_text(SNAPSHOTS)
    (folder / "first.csv").write_text(
        "symbol,name,exchange,sector\n"
        "AAPL,Apple Inc. Common Stock,nasdaq,Technology\n"
        "NOBARS,Nobars Inc.,nyse,\n"
        "ZVZZT,NASDAQ TEST STOCK,nasdaq,\n"
    )
    (folder / "second.csv").write_text(
        "symbol,name,exchange,sector\n"
        "AAPL,Apple Inc. Common Stock,NASDAQ,\n"
        "NEW,New Inc. Warrant,XNYS,Energy\n"
        "NEW,New Inc. Warrant,XNYS,Energy\n"
        "NEW,New Inc. Common Stock,XNYS,Energy\n"
    )
    delivery = deliver(folder)
    columns = ["symbol", "name", "exchange", "security_type", "sector", "known_on"]
    assert delivery.securities.select(columns).rows() == [
        ("AAPL", None, "NASDAQ", "common", None, None),
        (
            "AAPL",
            "Apple Inc. Common Stock",
            "NASDAQ",
            "common",
            "Technology",
            date(2024, 1, 3),
        ),  # the later null changes nothing
        ("NEW", "New Inc. Warrant", "NYSE", "warrant", "Energy", date(2024, 1, 4)),
    ]
    assert reasons(delivery) == ["duplicate", "repeated_listing", "test_issue"]
    assert "first.csv: 1 securities without bars in this set are left out" in delivery.notices
    assert any("look-ahead" in notice for notice in delivery.notices)
    assert {"securities.sector", "securities.security_type", "securities.exchange"} <= delivery.offers
    early = deliver(folder, until=DAYS[0]).securities
    assert early.select(columns).rows() == [("AAPL", None, "NASDAQ", "common", None, None)]


def test_impossible_listings(folder: Path) -> None:
    (folder / "securities.csv").write_text(
        "symbol,name,listed_on,delisted_on,shares_outstanding\n"
        "AAPL,Apple,2020-01-02,2019-01-02,-5\n"
        "MSFT,Microsoft,2019-01-02,2020-01-02,1e9\n"
    )
    delivery = deliver(folder)
    assert delivery.securities.select("symbol", "listed_on", "delisted_on", "shares_outstanding").rows() == [
        ("AAPL", None, None, None),
        ("MSFT", date(2019, 1, 2), date(2020, 1, 2), 1e9),
    ]
    assert reasons(delivery) == ["impossible_interval", "impossible_shares"]


ACTIONS_CSV = """symbol,ex_date,kind,ratio,cash,new_symbol
AAPL,2024-01-03,split,4,,
AAPL,2024-01-03,split,4,,
MSFT,2024-01-03,split,0,,
MSFT,2024-01-03,split,,,
MSFT,2024-01-03,split,1,,
MSFT,2024-01-03,dividend,,0,
MSFT,2024-01-06,dividend,,1,
MSFT,2024-01-03,surprise,,1,
MSFT,2024-01-06,symbol_change,,,MSFX
MSFT,2024-01-03,symbol_change,,,
MSFT,2024-01-04,Special_Dividend,,5,
"""


def test_corporate_actions(folder: Path) -> None:
    (folder / "corporate_actions.csv").write_text(ACTIONS_CSV)
    delivery = deliver(folder)
    assert delivery.actions.select("symbol", "ex_date", "kind", "ratio", "cash", "new_symbol").rows() == [
        ("AAPL", DAYS[1], "split", 4.0, None, None),
        ("MSFT", DAYS[2], "special_dividend", None, 5.0, None),
        ("MSFT", date(2024, 1, 6), "symbol_change", None, None, "MSFX"),
    ]
    assert reasons(delivery) == [
        "bad_cash",
        *["bad_ratio"] * 3,
        "duplicate",
        "no_new_symbol",
        "not_a_session",
        "unknown_kind",
    ]


def test_a_split_on_adjacent_sessions_is_one_and_prices_tell_which(folder: Path) -> None:
    bars(open=[None] * 3, high=[None] * 3, low=[None] * 3, close=[1.0, 1.02, 5.0]).write_parquet(
        folder / "bars.parquet"
    )
    (folder / "corporate_actions.csv").write_text(
        "symbol,ex_date,kind,ratio\n"
        "AAPL,2024-01-03,split,0.2\n"
        "AAPL,2024-01-04,split,0.2\n"
        "NOBAR,2024-01-03,split,0.5\n"
        "NOBAR,2024-01-04,split,0.5\n"
        "FAR,2024-01-03,split,2\nFAR,2024-01-05,split,2\n"
    )
    delivery = deliver(folder)
    assert delivery.actions.select("symbol", "ex_date").rows() == [
        ("AAPL", DAYS[2]),  # the price moved then
        ("FAR", DAYS[1]),
        ("FAR", date(2024, 1, 5)),
        ("NOBAR", DAYS[1]),  # no bars to tell: the first
    ]
    assert reasons(delivery) == ["repeated_split", "repeated_split"]


def test_adjustment_factors_become_actions(folder: Path) -> None:
    symbols = ["SEVEN", "REVERSE", "SPIN", "SPECIAL", "CASH", "CASH", "NONE", "LIE"]
    factors = [1 / 7, 10.0, 0.42, 0.9, 0.997, 0.997, 1.0, 0.6641]
    pl.DataFrame(
        {
            "symbol": symbols,
            "ex_date": [DAYS[1]] * 5 + [DAYS[2]] + [DAYS[1]] * 2,
            "prev_close": [700.0, 1.0, 66.0, 20.0, 100.0, 100.2, 5.0, 7.0],
            "adj_ratio": factors,
        }
    ).write_parquet(folder / "factors.parquet")
    moved = {"SEVEN": 1 / 7, "REVERSE": 10.0, "SPIN": 0.43, "SPECIAL": 0.9, "CASH": 1.0, "LIE": 0.99}
    two = pl.DataFrame(
        [
            (symbol, day, close, 100.0)
            for symbol, move in moved.items()
            for day, close in ((DAYS[0], 70.0), (DAYS[1], 70.0 * move))
        ],
        schema=["symbol", "date", "close", "volume"],
        orient="row",
    )
    two.write_parquet(folder / "bars.parquet")
    (folder / "dataset.yml").write_text(
        "files:\n  corporate_actions:\n"
        "    {path: factors.parquet, reader: adjustment_factors, columns: {factor: adj_ratio}}\n"
    )
    delivery = deliver(folder)
    rows = delivery.actions.select("symbol", "kind", pl.col("ratio", "cash").round(6)).rows()
    assert rows == [
        ("CASH", "dividend", None, 0.3),
        ("REVERSE", "split", 0.1, None),
        ("SEVEN", "split", 7.0, None),
        ("SPECIAL", "special_dividend", None, 2.0),
        ("SPIN", "spinoff", None, 38.28),
    ]
    assert reasons(delivery) == ["not_in_prices", "repeated_dividend"]
    assert {"corporate_actions.ratio", "corporate_actions.cash"} <= delivery.offers


REPORTS_CSV = """symbol,period_end,known_on,fiscal_period,form,amended,revenue,eps_diluted,assets,fiscal_year
AAPL,2023-09-30,2023-11-03,FY,10-K,false,100,5,300,2023
AAPL,2023-09-30,2023-11-06,FY,10-K,false,100,5,300,2023
AAPL,2023-09-30,2023-12-01,FY,10-K,true,90,,300,2023
AAPL,2023-12-31,2023-11-03,q1,10-q,false,30,1,300,2024
AAPL,2023-12-31,,Q1,10-Q,false,30,1,300,2024
AAPL,,2024-02-02,Q1,10-Q,false,30,1,300,2024
AAPL,2023-12-31,2024-02-02,Q1,10-Q,false,,,,2024
MSFT,2023-12-31,2024-01-30 16:05:00-05:00,H1,10-Q,false,1e16,2,-5,1215
"""


def test_reports(folder: Path) -> None:
    (folder / "fundamentals.csv").write_text(REPORTS_CSV)
    delivery = deliver(folder)
    columns = ["symbol", "known_at", "fiscal_period", "form", "revenue", "eps_diluted", "assets"]
    assert delivery.fundamentals.select(columns).rows() == [
        ("AAPL", datetime(2023, 11, 4, 3, 59, 59, tzinfo=UTC), "FY", "10-K", 100.0, 5.0, 300.0),  # 23:59:59 New York
        ("AAPL", datetime(2023, 12, 2, 4, 59, 59, tzinfo=UTC), "FY", "10-K/A", 90.0, 5.0, 300.0),  # what it lacks stays
        ("MSFT", datetime(2024, 1, 30, 21, 5, tzinfo=UTC), None, "10-Q", None, 2.0, None),
    ]
    assert reasons(delivery) == [
        *["bad_date"] * 2,
        "bad_fiscal_period",
        "bad_fiscal_year",
        *["impossible_value"] * 2,
        "no_values",
        "period_after_known",
        "repeated_report",
    ]
    assert "fundamentals.total_debt" not in delivery.offers
    assert {"fundamentals.revenue", "fundamentals.known_at"} <= delivery.offers


def test_news(folder: Path) -> None:
    (folder / "news.csv").write_text(
        "symbol,published_at,headline,sentiment\n"
        "AAPL,2024-01-03 09:30:00-05:00,Apple rises,0.5\n"
        "AAPL,2024-01-03 09:30:00-05:00,Apple rises,0.5\n"
        "AAPL,2024-01-03 09:30:00,No zone is UTC,7\n"
        "AAPL,2024-01-03,A day only counts from its end,\n"
        "AAPL,14 HOURS AGO,When,\n"
        "AAPL,2024-01-03 09:30:00-05:00,   ,\n"
    )
    delivery = deliver(folder)
    assert delivery.news.select("published_at", "headline", "sentiment").rows() == [
        (datetime(2024, 1, 3, 9, 30, tzinfo=UTC), "No zone is UTC", None),
        (datetime(2024, 1, 3, 14, 30, tzinfo=UTC), "Apple rises", 0.5),
        (datetime(2024, 1, 4, 4, 59, 59, tzinfo=UTC), "A day only counts from its end", None),
    ]
    assert reasons(delivery) == ["bad_date", "bad_sentiment", "duplicate", "no_headline"]


def test_nothing_later_than_until_is_delivered(folder: Path) -> None:
    (folder / "fundamentals.csv").write_text(REPORTS_CSV)
    (folder / "corporate_actions.csv").write_text("symbol,ex_date,kind,ratio\nAAPL,2024-01-04,split,4\n")
    (folder / "news.csv").write_text(
        "symbol,published_at,headline\nAAPL,2024-01-04 04:59:59Z,early\nAAPL,2024-01-04 05:00:00Z,late\n"
    )
    bars(close=[10.5, 11.5, -1.0]).write_parquet(folder / "bars.parquet")
    delivery = deliver(folder, until=DAYS[1])
    assert delivery.bars["date"].to_list() == DAYS[:2]
    assert delivery.actions.height == 0
    assert delivery.fundamentals["symbol"].to_list() == ["AAPL", "AAPL"]
    assert delivery.news["headline"].to_list() == ["early"]
    assert "nonpositive_close" not in reasons(delivery)
    assert "corporate_actions.ratio" in delivery.offers  # offered, if later


def test_every_reason_is_documented() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "datasets.md").read_text(encoding="utf-8")
    for reason in {**DROPPED, **NULLED}:
        assert f"`{reason}`" in page, reason


@pytest.mark.parametrize("dtype", [pl.Date, pl.Datetime("us"), pl.Datetime("ms", "UTC")])
def test_dates_beyond_any_calendar_are_none(folder: Path, dtype: pl.DataType) -> None:
    wide = pl.Int32 if dtype == pl.Date else pl.Int64
    days = pl.Series([2**31 - 1 if dtype == pl.Date else 2**63 - 1, 0, 1], dtype=wide).cast(dtype)
    bars().with_columns(date=days).write_parquet(folder / "bars.parquet")
    with pytest.raises(SourceError, match="no row of bars is left: bad_date: 3"):
        deliver(folder)
