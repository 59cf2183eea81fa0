"""The SIC codes that the exchange tells mean the sectors of the market's listings."""

from __future__ import annotations

import json

import polars as pl
import pytest

from aitrader.domain.sic import SECTORS, sector_of_sic
from aitrader.exchange.industry import BY_SECTOR, CODES, DESCRIPTIONS, sic
from aitrader.funnel.listings import FINANCIAL
from aitrader.simulation.fitted import section
from tests.exchange.conftest import POLYGON, SEC, get

INDUSTRIES = [(sector, name) for sector, names in section("industries").items() for name in names]


@pytest.mark.parametrize(("sector", "industry"), [*INDUSTRIES, *((s, None) for s in SECTORS)])
def test_a_code_means_the_sector_it_was_chosen_for(sector, industry):
    code, description = sic(sector, industry)
    assert len(code) == 4
    assert sector_of_sic(int(code)) == sector
    assert description == DESCRIPTIONS[int(code)]


def test_most_industries_have_a_code_that_fits_them():
    told = {pair for pair in INDUSTRIES if int(sic(*pair)[0]) in CODES.get(pair[1].strip(), ())}
    assert set(INDUSTRIES) - told == {
        ("Industrials", "Agricultural Chemicals"),
        ("Industrials", "Broadcasting"),
        ("Consumer Staples", "Apparel"),
    }
    assert {c for codes in CODES.values() for c in codes} | set(BY_SECTOR.values()) == set(DESCRIPTIONS)


@pytest.mark.parametrize("industry", [name for sector, name in INDUSTRIES if sector in ("Finance", "Real Estate")])
def test_who_is_exempt_from_debt_over_equity_stays_so(industry):
    sector = "Finance" if ("Finance", industry) in INDUSTRIES else "Real Estate"
    assert bool(FINANCIAL.search(sic(sector, industry)[1])) is bool(FINANCIAL.search(industry))


def test_an_unknown_sector_has_no_code():
    assert sic(None, "Semiconductors") == sic("Space", None) == (None, None)


def test_both_vendors_tell_every_listing_its_sector(quiet, market):
    sectors = dict(market.securities.filter(pl.col("cik").is_not_null()).select("figi", "sector").rows())
    by_cik = dict(market.securities.select("cik", "sector").rows())
    listings = quiet._view.listings.filter(pl.col("active"))
    assert set(listings["sector"].drop_nulls()) == set(SECTORS)
    for ticker, figi, cik in listings.select("polygon", "figi", "cik").iter_rows():
        details = json.loads(get(quiet, f"/v3/reference/tickers/{ticker}", POLYGON).body)["results"]
        code = details.get("sic_code")
        assert (code and sector_of_sic(int(code))) == sectors.get(figi)
        if cik is not None:
            filer = json.loads(get(quiet, f"/submissions/CIK{cik}.json", SEC).body)
            assert sector_of_sic(int(filer["sic"])) == by_cik[cik]
            assert filer["sicDescription"].upper() == details["sic_description"]
