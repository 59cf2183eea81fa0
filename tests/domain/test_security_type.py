"""What kind of instrument a listing is, row by row and over the real lists."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from aitrader.domain.security_type import VENDOR_TYPES, SecurityType, is_test_issue_expr, security_type_expr
from aitrader.domain.symbols import canonical_expr

UNIVERSE = Path(__file__).resolve().parents[3] / "shared" / "data" / "universe"
real_data = pytest.mark.skipif(not UNIVERSE.is_dir(), reason="the real lists are not beside the repository")

ROWS = [  # symbol, name, type
    ("AAPL", "Apple Inc. Common Stock", "common"),
    ("BRK.B", "Berkshire Hathaway Inc.", "common"),
    ("GOOGL", "Alphabet Inc. Class A Common Stock", "common"),
    ("GOOGL", "Alphabet Inc.", "common"),
    ("ET", "Energy Transfer LP Common Units", "common"),
    ("AB", "AllianceBernstein Holding L.P.  Units", "common"),
    ("SBR", "Sabine Royalty Trust Common Stock", "common"),
    ("VOC", "VOC Energy Trust Units of Beneficial Interest", "common"),
    ("UNT", "Unit Corporation", "common"),
    ("PFBC", "Preferred Bank Common Stock", "common"),
    ("BLK", "BlackRock", "common"),
    ("NTRS", "Northern Trust Corporation Common Stock", "common"),
    ("AEHR", "Aehr Test Systems Common Stock", "common"),
    ("NOTE", "FiscalNote Holdings Inc. Class A common stock", "common"),
    ("AACB", "Artius II Acquisition Inc. Class A Ordinary Shares", "common"),
    ("XYZ", "Xyz Inc. Common Stock (and associated Preferred Stock Purchase Rights)", "common"),
    ("EH", "EHang Holdings Limited ADS", "adr"),
    ("KOF", "Coca Cola Femsa S.A.B. de C.V.  American Depositary Shares each representing 10 Units", "adr"),
    ("AMX", "America Movil American Depositary Shares (each representing the right to receive 20 Shares", "adr"),
    ("BBD", "Banco Bradesco Sa American Depositary Shares, each representing one Preferred Share", "adr"),
    ("RYAAY", "Ryanair Holdings plc", "adr"),
    ("AMT", "American Tower Corporation (REIT) Common Stock", "reit"),
    ("AKR", "Acadia Realty Trust Common Stock", "reit"),
    ("HIFR", "InfraREIT", "reit"),
    ("QQQ", "Invesco QQQ Trust, Series 1", "etf"),
    ("VXX", "iPath Series B S&P 500 VIX Short-Term Futures ETN", "etf"),
    ("AMJB", "JPMorgan Chase & Co. Alerian MLP Index ETNs due January 28, 2044", "etf"),
    ("UTEN", "US Treasury 10 Year Note ETF", "etf"),
    ("PGX", "Invesco Preferred ETF", "etf"),
    ("SOXX", "iShares PHLX SOX Semiconductor Sector Index Fund", "etf"),
    ("ABR-P-D", "Arbor Realty Trust 6.375% Series D Cumulative Redeemable Preferred Stock", "preferred"),
    ("ABR-P-D", None, "preferred"),
    ("DBRG-P-I", "DigitalBridge Group Inc. 7.15% Series I", "preferred"),
    ("JPM-P-L", "J P Morgan Chase & Co Depositary Shares each representing a 1/400th interest", "preferred"),
    ("OAK-P-A", "Brookfield Oaktree Holdings, LLC 6.625% Series A Preferred Units", "preferred"),
    ("ECCC", "Eagle Point Credit Company Inc. 6.50% Series C Term Preferred Stock due 2031", "preferred"),
    ("CDORP", "Condor Hospitality Trust", "preferred"),
    ("PL.WS", "Planet Labs PBC Redeemable warrants, each whole warrant exercisable for one share", "warrant"),
    ("HYMCL", "Hycroft Mining Holding Corporation Warrants", "warrant"),
    ("ADXSW", "Advaxis", "warrant"),
    ("PSNYW", "Polestar Automotive Holding UK PLC Class C-1 ADS (ADW)", "warrant"),
    ("HYAC.U", "Haymaker Acquisition Corp. 4 Units, each consisting one Class A Ordinary Share", "unit"),
    ("AACBU", "Artius II Acquisition Inc. Units", "unit"),
    ("BEAGU", "Bold Eagle Units, each consisting of one share and one-third of one redeemable warrant", "unit"),
    ("ROIQU", "ROI Acquisition Corp. II", "unit"),
    ("AACBR", "Artius II Acquisition Inc. Rights", "right"),
    ("CELG.RT", "Bristol-Myers Squibb Company Celegne Contingent Value Rights", "right"),
    ("JQC.RT.WI", "Nuveen Credit Strategies Income Fund Rights (expiring April 29, 2025)", "right"),
    ("NAN", "Nuveen New York Quality Municipal Income Fund Common Stock", "fund"),
    ("BFK", "BlackRock Municipal Income Trust", "fund"),
    ("MCI", "Barings Corporate Investors Common Stock", "fund"),
    ("PTA", "Cohen & Steers Tax-Advantaged Preferred Securities and Income Fund Common Shares", "fund"),
    ("RNP", "Cohen & Steers Reit and Preferred Income Fund Inc", "fund"),
    ("F-P-D", "Ford Motor Company 6.500% Notes due August 15 2062", "note"),
    ("CUBB", "Customers Bancorp Inc 5.375% Subordinated Notes Due 2034", "note"),
    ("BEPI", "Brookfield BRP Holdings (Canada) Inc. 4.875% Perpetual Subordinated Notes", "note"),
    ("ELC", "Entergy Louisiana Inc. Collateral Trust Mortgage Bonds 4.875 % Series due September 1 2066", "note"),
    ("GJT", "Synthetic Fixed-Income Securities", "note"),
    ("INTLL", "INTL FCStone Inc.", "note"),
    ("ZZZZ", None, "unknown"),
    ("ZZZZ", "  ", "unknown"),
]


def classified(symbol: str, name: str | None, **others: str | None) -> str:
    columns = {"symbol": symbol, "name": name, "vendor_type": None, "etf": None, "industry": None, **others}
    frame = pl.DataFrame({key: pl.Series([value], dtype=pl.String) for key, value in columns.items()})
    return str(frame.select(security_type_expr(**{key: pl.col(key) for key in columns})).item())


@pytest.mark.parametrize(("symbol", "name", "wanted"), ROWS)
def test_type_by_name_and_suffix(symbol: str, name: str | None, wanted: str) -> None:
    assert classified(symbol, name) == wanted


@pytest.mark.parametrize(
    ("others", "wanted"),
    [
        ({"etf": "Y"}, "etf"),
        ({"etf": "N"}, "common"),
        ({"vendor_type": "CS"}, "common"),
        ({"vendor_type": "ADRC"}, "adr"),
        ({"vendor_type": "ETF"}, "etf"),
        ({"vendor_type": "something new"}, "common"),
        ({"industry": "Real Estate Investment Trusts"}, "reit"),
        ({"industry": "Trusts Except Educational Religious and Charitable"}, "fund"),
    ],
)
def test_what_others_say_of_a_plain_name(others: dict[str, str], wanted: str) -> None:
    assert classified("XYZ", "Xyz Company", **others) == wanted


@pytest.mark.parametrize(
    ("symbol", "name", "wanted"),
    [
        ("AACBW", "Artius II Acquisition Inc. Warrant", "warrant"),
        ("AACBU", "Artius II Acquisition Inc. Units", "unit"),
        ("PL.WS", None, "warrant"),
        ("F-P-D", "Ford Motor Company 6.500% Notes due August 15 2062", "note"),
        ("FDO", None, "common"),
    ],
)
def test_a_vendor_that_calls_everything_common_stock_is_overruled(symbol: str, name: str | None, wanted: str) -> None:
    assert classified(symbol, name, vendor_type="CS") == wanted


def test_every_word_of_a_vendor_is_a_type() -> None:
    assert {str(kind) for kind in SecurityType} - {"unknown"} <= set(VENDOR_TYPES)
    assert all(word == word.lower() for word in VENDOR_TYPES)


def directories() -> pl.DataFrame:
    read = {"separator": "|", "infer_schema": False}
    nasdaq = pl.read_csv(UNIVERSE / "nasdaqlisted.txt", **read).select(  # type: ignore[arg-type]
        symbol=canonical_expr(pl.col("Symbol")), name="Security Name", etf="ETF", test="Test Issue"
    )
    other = pl.read_csv(UNIVERSE / "otherlisted.txt", **read).select(  # type: ignore[arg-type]
        symbol=canonical_expr(pl.col("CQS Symbol")), name="Security Name", etf="ETF", test="Test Issue"
    )
    return pl.concat([nasdaq, other]).drop_nulls("symbol")


@real_data
def test_test_issues_are_known_with_and_without_the_flag() -> None:
    listed = directories()
    symbol, name = pl.col("symbol"), pl.col("name")
    by_flag = listed.select(is_test_issue_expr(symbol=symbol, name=name, flag=pl.col("test"))).to_series()
    by_name = listed.select(is_test_issue_expr(symbol=symbol, name=name)).to_series()
    assert (by_flag == (listed["test"] == "Y")).all()
    assert by_flag.sum() == 32  # 24 of them in otherlisted
    assert (by_name == by_flag).all()


@real_data
def test_names_alone_find_the_etfs_that_the_directories_flag() -> None:
    listed = directories()
    told = listed.select("etf", kind=security_type_expr(symbol=pl.col("symbol"), name=pl.col("name")))
    flagged = told.filter(pl.col("etf") == "Y")
    assert flagged.height == 4110
    assert (flagged["kind"] == "etf").mean() > 0.99
    assert flagged.filter(pl.col("kind").is_in(["common", "adr", "reit"])).height <= 5
    wrongly = told.filter((pl.col("etf") == "N") & (pl.col("kind") == "etf"))
    assert wrongly.height <= 22  # exchange-traded notes that the directories do not flag


@real_data
def test_the_screener_of_2025_08_21_by_type() -> None:
    listed = pl.read_parquet(UNIVERSE / "snapshot_20250821.parquet").with_columns(
        symbol=canonical_expr(pl.col("symbol"))
    )
    kinds = listed.select(
        "symbol",
        "name",
        kind=security_type_expr(symbol=pl.col("symbol"), name=pl.col("name"), industry=pl.col("industry")),
    )
    count = dict(kinds["kind"].value_counts().iter_rows())
    assert count["warrant"] == 324  # 323 names say so, and one says ADW
    assert kinds.filter(pl.col("symbol").str.contains("-P"))["kind"].is_in(["preferred", "note"]).all()
    assert kinds.filter(pl.col("name").str.contains("(?i)Acquisition Corp.* Units?$"))["kind"].unique().to_list() == [
        "unit"
    ]
    plain = kinds.filter(
        pl.col("name").str.contains(r"(?i)common stock$") & ~pl.col("name").str.contains("(?i)fund|trust|income")
    )
    assert plain["kind"].is_in(["common", "reit"]).mean() > 0.995
    assert "etf" not in count  # the screener lists none
    assert 4_900 < count["common"] < 5_000
    assert 320 < count["adr"] < 345
    assert "unknown" not in count
