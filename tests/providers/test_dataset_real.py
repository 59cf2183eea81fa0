"""The defects that are known of the real sets, counted by the tests' own reading, are met by the datasets."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from aitrader.domain.frames import Delivery
from aitrader.domain.sessions import xnys
from aitrader.providers.dataset import DatasetSource
from aitrader.providers.quarantine import counts

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the real sets are not beside the repository")


def delivery_of(name: str) -> Delivery:
    return DatasetSource(ROOT / "datasets" / name).deliver()


@pytest.fixture(scope="module")
def raw_set() -> Delivery:
    return delivery_of("us_2015_2016")


@pytest.fixture(scope="module")
def split_set() -> Delivery:
    return delivery_of("us_2021_2023")


@pytest.fixture(scope="module")
def nightly_set() -> Delivery:
    return delivery_of("us_2024_2025")


def counted(delivery: Delivery) -> dict[tuple[str, str], int]:
    """Rows set aside by kind of file and reason."""
    kind = pl.col("file").str.extract(r"\((\w+)\)$", 1)
    by_kind = counts(delivery.quarantine).group_by(kind, "reason").agg(pl.col("rows").sum())
    return {(file, reason): rows for file, reason, rows in by_kind.iter_rows()}


def test_names_and_what_is_offered(raw_set: Delivery, split_set: Delivery, nightly_set: Delivery) -> None:
    assert (raw_set.source, raw_set.adjustment) == ("dataset-us_2015_2016", "raw")
    assert (split_set.source, split_set.adjustment) == ("dataset-us_2021_2023", "split")
    assert (nightly_set.source, nightly_set.adjustment) == ("dataset-us_2024_2025", "raw")
    for delivery in (raw_set, split_set):
        assert not any(offer.startswith("market_caps") for offer in delivery.offers)
    for lacking in ("total_debt", "shares_outstanding", "liabilities", "operating_cash_flow"):
        assert f"fundamentals.{lacking}" not in raw_set.offers
    assert "securities.sector" not in raw_set.offers
    assert {"securities.sector", "bars.high"} <= split_set.offers
    assert {"market_caps.market_cap", "securities.sector"} <= nightly_set.offers
    assert "bars.high" not in nightly_set.offers


def test_2015_2016_bars(raw_set: Delivery) -> None:
    bars = pl.read_parquet(DATA / "bars" / "daily_unadjusted_2015_2016.parquet")
    found = counted(raw_set)
    bogus = raw_set.quarantine.filter(pl.col("reason") == "not_a_session")
    holidays = [(2015, 4, 3), (2015, 5, 25), (2015, 7, 3), (2015, 9, 7), (2015, 11, 26), (2015, 12, 25)]
    holidays += [(2016, 1, 1), (2016, 1, 18), (2016, 2, 15), (2016, 3, 25)]
    assert sorted(bogus["date"].unique()) == [date(*day) for day in holidays]
    per_day = bogus.filter(pl.col("file").str.ends_with("(bars)"))["date"].value_counts()["count"]
    assert (per_day.min(), per_day.max()) == (3, 19)
    on_sessions = bars.filter(pl.col("date").is_in(xnys().sessions))
    assert (
        found["bars", "nonpositive_close"] == on_sessions.filter(pl.col("close") <= 0).height == 11
    )  # the 12th is on a holiday
    assert raw_set.bars.height == on_sessions.height - 11
    assert (
        raw_set.bars.filter(pl.col("volume") == 0).height
        == on_sessions.filter((pl.col("volume") == 0) & (pl.col("close") > 0)).height
    )
    assert raw_set.bars.filter(pl.col("close") < 0.01).height == 39


def test_2015_2016_actions(raw_set: Delivery) -> None:
    found = counted(raw_set)
    actions = raw_set.actions
    split = dict(actions.filter(pl.col("kind") == "split").select("symbol", "ratio").iter_rows())
    # The set gives 0.142857, six decimals of 1/7.
    assert split["NFLX"] == pytest.approx(7, rel=1e-5)
    assert split["AEZS"] == pytest.approx(0.01)
    assert actions.filter(pl.col("symbol") == "NFLX", pl.col("kind") == "split")["ex_date"].to_list() == [
        date(2015, 7, 15)
    ]
    assert found["corporate_actions", "repeated_split"] == 4
    acur = actions.filter((pl.col("symbol") == "ACUR") & (pl.col("kind") == "split"))
    assert acur["ex_date"].to_list() == [date(2015, 8, 28)]  # the close moved from 0.55 to 2.83 on that day
    large = pl.read_parquet(DATA / "bars" / "adjustments_2015_2016.parquet").filter(
        (pl.col("adj_ratio") < 0.8) | (pl.col("adj_ratio") > 1.25)
    )
    assert large.height == 164
    kinds = dict(actions["kind"].value_counts().iter_rows())
    assert kinds["split"] + kinds["spinoff"] + 4 + found["corporate_actions", "not_in_prices"] == 164
    spun = actions.filter(pl.col("kind") == "spinoff")["symbol"].to_list()
    assert {"EBAY", "HPQ", "BAX", "NI", "CSC"} <= set(spun)  # companies that spun off another in 2015


def test_2015_2016_reports(raw_set: Delivery) -> None:
    found = counted(raw_set)
    reports = pl.read_parquet(DATA / "fundamentals" / "reports_10k_10q_2015_2017.parquet")
    key = ["symbol", "end_date", "period_focus", "doc_type", "amend"]
    figures = pl.col("revenues", "net_income", "eps_diluted", "assets", "equity")
    believable = reports.filter((pl.col("end_date") <= pl.col("collected")) & ~pl.all_horizontal(figures.is_null()))
    assert found["fundamentals", "period_after_known"] == 3
    assert raw_set.fundamentals.height == believable.unique(key).height
    assert found["fundamentals", "repeated_report"] == believable.height - believable.unique(key).height
    assert found["fundamentals", "bad_fiscal_year"] == 6
    assert (
        raw_set.fundamentals.filter(pl.col("form").str.ends_with("/A")).height
        == believable.filter("amend").unique(key).height
    )
    assert (
        raw_set.fundamentals.filter(pl.col("equity") < 0).height
        == believable.unique(key).filter(pl.col("equity") < 0).height
    )
    first = (
        believable.filter(pl.col("symbol") == "AA").group_by("end_date").agg(pl.col("collected").min()).sort("end_date")
    )
    ours = raw_set.fundamentals.filter(pl.col("symbol") == "AA").sort("period_end")
    assert ours["known_at"].dt.convert_time_zone("America/New_York").dt.date().to_list() == first["collected"].to_list()


def test_2015_2016_names(raw_set: Delivery) -> None:
    assert counted(raw_set)["securities", "duplicate"] == 1  # MSG stands twice
    assert counted(raw_set)["securities", "test_issue"] == 3
    listed = raw_set.securities
    assert set(listed["symbol"]) == set(raw_set.bars["symbol"])
    assert listed.filter(pl.col("name").is_not_null())["known_on"].unique().to_list() == [date(2016, 1, 5)]
    kinds = dict(listed.unique("symbol", keep="last")["security_type"].value_counts().iter_rows())
    assert kinds["unknown"] < 0.04 * sum(kinds.values())
    fdo = listed.filter(pl.col("symbol") == "FDO")  # delisted in 2015, on no list of names, but it files reports
    assert fdo["security_type"].to_list() == ["common"]


def test_2021_2023(split_set: Delivery) -> None:
    bars = pl.read_parquet(DATA / "bars" / "daily_yahoo_2021_2023.parquet")
    assert counted(split_set) == {
        ("bars", "no_values"): 1389,
        ("bars", "open_out_of_range"): 7,
        ("bars", "nonpositive_price"): 1,  # a low of 0
    }
    assert split_set.bars.height == bars.height - 1389
    assert split_set.bars.filter(pl.col("volume") == 0).height == 44_216
    assert split_set.bars["open"].null_count() == 7
    assert split_set.bars["low"].null_count() == 1
    assert set(split_set.bars.filter(pl.col("close") > 100_000)["symbol"]) == {"EJH", "PBLA", "MULN"}
    sectors = split_set.securities.filter(pl.col("sector").is_not_null())
    assert sectors["known_on"].min() == date(2021, 7, 1)
    assert split_set.market_caps.height == 0


def test_2024_2025(nightly_set: Delivery) -> None:
    nightly = pl.read_parquet(DATA / "universe" / "nightly_2024_2025.parquet")
    found = counted(nightly_set)
    saturday = nightly.filter(pl.col("session") == date(2025, 7, 12)).height
    assert found["bars", "not_a_session"] == found["market_caps", "not_a_session"] == saturday == 6984
    assert nightly_set.bars.height == nightly.height - saturday
    on_sessions = nightly.filter(pl.col("session") != date(2025, 7, 12))
    assert found["market_caps", "zero_market_cap"] == on_sessions.filter(pl.col("market_cap") == 0).height
    assert nightly_set.market_caps.height == on_sessions.filter(pl.col("market_cap") > 0).height
    ordered = on_sessions.sort("symbol", "session")
    again = ordered.select(
        (pl.col("close") == pl.col("close").shift(1)).over("symbol")
        & (pl.col("volume") == pl.col("volume").shift(1)).over("symbol")
    ).to_series()
    assert nightly_set.bars.filter(pl.col("volume") == 0).height == again.sum() == 16_334
    assert nightly_set.quarantine.height < 50_000  # the zeros are summed by date
    assert {"BRK.B", "BF.B", "ABR-P-D", "NAN", "TRUE", "ON", "NA"} <= set(nightly_set.bars["symbol"])


def test_spellings_meet_between_files_of_a_set(nightly_set: Delivery) -> None:
    last = nightly_set.bars.filter(pl.col("date") == date(2025, 8, 21))["symbol"]
    assert last.len() == 7029
    listed = nightly_set.securities.filter(pl.col("symbol").is_in(last.implode()) & pl.col("name").is_not_null())
    assert listed["symbol"].n_unique() == 7029
    assert (
        nightly_set.securities.filter(pl.col("symbol").str.contains("-P"))["security_type"]
        .is_in(["preferred", "note"])
        .all()
    )


def test_no_attribute_counts_before_its_list(nightly_set: Delivery) -> None:
    securities = nightly_set.securities
    always = securities.filter(pl.col("known_on").is_null())
    assert always.select("name", "sector", "industry").null_count().row(0) == (always.height,) * 3
    snapshot = pl.read_parquet(DATA / "universe" / "snapshot_20250821.parquet")
    named = set(snapshot.filter(pl.col("sector") != "")["symbol"].str.strip_chars())
    newest = securities.filter(pl.col("known_on") == date(2025, 8, 22))
    assert set(newest.filter(pl.col("sector").is_not_null())["symbol"]) <= {
        symbol.replace("/", ".") for symbol in named
    } | set(securities.filter((pl.col("known_on") < date(2025, 8, 22)) & pl.col("sector").is_not_null())["symbol"])


DIRECTORY = """
name: directories
adjustment: raw
files:
  bars: bars.csv
  securities:
    path: {path}
    separator: '|'
    known_on: 2025-03-28
    timeless: [security_type]
    columns: {{symbol: CQS Symbol, name: Security Name, etf: ETF, test_issue: Test Issue, exchange: Exchange}}
    ignore: [ACT Symbol, NASDAQ Symbol, Round Lot Size]
"""


def test_the_exchange_directory_as_a_list_of_securities(tmp_path: Path) -> None:
    (tmp_path / "bars.csv").write_text("symbol,date,close,volume\nSPY,2025-03-28,555,1\n")
    (tmp_path / "dataset.yml").write_text(DIRECTORY.format(path=DATA / "universe" / "otherlisted.txt"))
    delivery = DatasetSource(tmp_path).deliver()
    assert counted(delivery) == {("securities", "test_issue"): 24}
    by_its_own_symbols = DIRECTORY.format(path=DATA / "universe" / "otherlisted.txt").replace(
        "CQS Symbol", "ACT Symbol", 1
    )
    (tmp_path / "dataset.yml").write_text(by_its_own_symbols)
    trailer = DatasetSource(tmp_path).deliver().quarantine.filter(pl.col("reason") == "bad_symbol")
    assert trailer["detail"].to_list() == ["symbol is 'File Creation Time: 0328202518:01'"]
    latest = delivery.securities.filter(pl.col("known_on") == date(2025, 3, 31))
    assert latest["symbol"].n_unique() == latest.height == 6464 - 24
    kinds = dict(latest.select("symbol", "security_type").iter_rows())
    assert (kinds["SPY"], kinds["BRK.B"], kinds["ABR-P-D"], kinds["PL.WS"]) == ("etf", "common", "preferred", "warrant")
    assert set(latest["exchange"]) == {"NYSE", "AMEX", "ARCA", "BATS"}


def test_vendor_files_with_missing_volumes(tmp_path: Path) -> None:
    (tmp_path / "dataset.yml").write_text(
        f"name: second\nadjustment: split\nfiles: {{bars: {DATA / 'bars' / 'daily_nasdaq_sample.parquet'}}}\n"
    )
    delivery = DatasetSource(tmp_path).deliver()
    assert delivery.bars["volume"].null_count() == 4104
    assert delivery.quarantine.height == 0
    assert "bars: 4104 have a price and no volume: it is unknown, not 0" in delivery.notices


def test_headlines(tmp_path: Path) -> None:
    (tmp_path / "bars.csv").write_text("symbol,date,close,volume\nAA,2020-05-11,10,1\n")
    (tmp_path / "dataset.yml").write_text(
        f"name: news\nfiles:\n  bars: bars.csv\n  news: {DATA / 'news' / 'headlines_by_symbol.parquet'}\n"
    )
    delivery = DatasetSource(tmp_path).deliver()
    rows = pl.read_parquet(DATA / "news" / "headlines_by_symbol.parquet")
    distinct = rows.unique(["symbol", "published_at", "headline"]).height
    assert delivery.news.height == distinct
    assert delivery.quarantine.filter(pl.col("reason") == "duplicate").height == rows.height - distinct
    one = delivery.news.filter(pl.col("headline").str.starts_with("Altisource Asset Mgmt Q1 EPS $2.350"))[
        "published_at"
    ].item()
    assert one.isoformat() == "2020-05-11T11:47:00+00:00"
