"""SIC codes in sectors: companies that everybody knows, every code, and what is no code."""

from __future__ import annotations

import polars as pl
import pytest

from aitrader.domain.sic import FIRST, LAST, SECTOR_OF_SIC, SECTORS, sector_of_sic, sector_of_sic_expr

COMPANIES = (  # ticker, the code that the company files under, its sector
    ("FCX", 1000, "Basic Materials"),
    ("NEM", 1040, "Basic Materials"),
    ("IP", 2621, "Basic Materials"),
    ("LIN", 2810, "Basic Materials"),
    ("NUE", 3312, "Basic Materials"),
    ("DHI", 1531, "Consumer Discretionary"),
    ("NKE", 3021, "Consumer Discretionary"),
    ("TSLA", 3711, "Consumer Discretionary"),
    ("HD", 5211, "Consumer Discretionary"),
    ("MCD", 5812, "Consumer Discretionary"),
    ("AMZN", 5961, "Consumer Discretionary"),
    ("MAR", 7011, "Consumer Discretionary"),
    ("NFLX", 7841, "Consumer Discretionary"),
    ("DIS", 7990, "Consumer Discretionary"),
    ("KO", 2080, "Consumer Staples"),
    ("MO", 2111, "Consumer Staples"),
    ("PG", 2840, "Consumer Staples"),
    ("WMT", 5331, "Consumer Staples"),
    ("KR", 5411, "Consumer Staples"),
    ("BTU", 1221, "Energy"),
    ("SLB", 1389, "Energy"),
    ("XOM", 2911, "Energy"),
    ("KMI", 4922, "Energy"),
    ("JPM", 6021, "Finance"),
    ("GS", 6211, "Finance"),
    ("MET", 6311, "Finance"),
    ("BRK.B", 6331, "Finance"),
    ("SPGI", 7320, "Finance"),
    ("PFE", 2834, "Health Care"),
    ("AMGN", 2836, "Health Care"),
    ("MDT", 3845, "Health Care"),
    ("UNH", 6324, "Health Care"),
    ("HCA", 8062, "Health Care"),
    ("CAT", 3531, "Industrials"),
    ("BA", 3721, "Industrials"),
    ("UNP", 4011, "Industrials"),
    ("UPS", 4210, "Industrials"),
    ("DAL", 4512, "Industrials"),
    ("WM", 4953, "Industrials"),
    ("CBRE", 6500, "Real Estate"),
    ("AMT", 6798, "Real Estate"),
    ("AAPL", 3571, "Technology"),
    ("CSCO", 3576, "Technology"),
    ("NVDA", 3674, "Technology"),
    ("GOOGL", 7370, "Technology"),
    ("MSFT", 7372, "Technology"),
    ("TMUS", 4812, "Telecommunications"),
    ("T", 4813, "Telecommunications"),
    ("CMCSA", 4841, "Telecommunications"),
    ("NEE", 4911, "Utilities"),
    ("AWK", 4941, "Utilities"),
)
MISTAKEN = (  # what the code cannot tell: the company does something else than its industry's most
    ("V", 7389, "Industrials"),  # business services; payments elsewhere
    ("TMO", 3829, "Technology"),  # measuring devices; health care elsewhere
)


@pytest.mark.parametrize(("ticker", "code", "sector"), COMPANIES + MISTAKEN)
def test_a_company(ticker, code, sector):
    assert sector_of_sic(code) == sector


def test_every_sector_is_judged():
    assert {sector for _, _, sector in COMPANIES} == set(SECTORS) - {"Miscellaneous"}
    assert (sector_of_sic(9995), sector_of_sic(8888)) == ("Miscellaneous", "Miscellaneous")


def test_the_table_goes_up_and_says_each_thing_once():
    firsts, sectors = list(SECTOR_OF_SIC), list(SECTOR_OF_SIC.values())
    assert firsts == sorted(firsts)
    assert firsts[0] == FIRST
    assert set(sectors) == set(SECTORS)


def test_the_expression_says_the_same_of_every_code():
    codes = [*range(FIRST, LAST + 1)]
    frame = pl.DataFrame({"number": codes, "text": [f"{code:04d}" for code in codes]})
    found = frame.select(a=sector_of_sic_expr(pl.col("number")), b=sector_of_sic_expr(pl.col("text")))
    assert found["a"].to_list() == found["b"].to_list() == [sector_of_sic(code) for code in codes]
    assert found["a"].null_count() == 0, "no code is without a sector"


def test_what_is_no_code_has_no_sector():
    told = [None, "", " ", "0", "0099", "10000", "-3571", "3571.5", "technology", "99999999999999999999"]
    frame = pl.DataFrame({"sic": told}, schema={"sic": pl.String})
    assert frame.select(sector_of_sic_expr(pl.col("sic")))["sic"].to_list() == [None] * len(told)
    assert [sector_of_sic(code) for code in (0, 99, 10_000, -1)] == [None] * 4
    assert pl.DataFrame({"sic": [" 3571 "]}).select(sector_of_sic_expr(pl.col("sic"))).item() == "Technology"
