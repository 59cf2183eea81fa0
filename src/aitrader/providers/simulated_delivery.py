"""The simulated market as its exchange tells it: what was read of the vendors' interfaces put together again."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from typing import Final

import polars as pl

from aitrader.domain.frames import FUNDAMENTALS, SECURITIES, Delivery
from aitrader.domain.report import Report
from aitrader.domain.security_type import security_type_expr
from aitrader.domain.sessions import NEW_YORK, xnys
from aitrader.domain.sic import sector_of_sic_expr
from aitrader.providers.bodies import shaped
from aitrader.providers.exchange_reading import MarketReading, symbols_on
from aitrader.providers.exchange_sender import in_process
from aitrader.simulation.market import OFFERS, RECOUNT

CAPITAL: Final = ("common", "adr", "reit")  # the kinds of listing that a company's reports are about


def told(made: Delivery, sessions: Sequence[date], report: Report) -> Delivery:
    """The market ``made`` as an exchange in this process tells it on the evening of the last of its sessions."""
    evening = datetime.combine(sessions[-1], time(23, 59, 59), NEW_YORK)
    recounts = sessions[RECOUNT::RECOUNT]  # when the market's receipts are counted anew
    reading = MarketReading(in_process(made, evening), sessions, recounts=recounts, report=report)
    with _nothing_collected():
        return _read(reading)


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """Millions of values without a cycle among them are made here: looking through them for cycles costs a tenth."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _read(reading: MarketReading) -> Delivery:
    actions = reading.actions()
    listed, names = reading.listings(actions)
    symbols = names["symbol"].unique().sort()
    bars = reading.bars(symbols)
    known, closes = reading.first_days(listed, names, bars)
    ciks = listed["cik"].drop_nulls().unique().sort()
    own = listed.filter(pl.col("security_type").is_in(CAPITAL)).select("cik", symbol=pl.col("listing").cast(pl.String))
    industries, reports = reading.companies(ciks.to_list(), own)
    base = _securities(listed, names, known, industries)
    counted = reading.recounted(base.filter(pl.col("security_type") == "adr"), names)
    securities = pl.concat([base, counted]).sort("symbol", "listed_on", "known_on")
    return Delivery(
        source="simulated",
        adjustment="raw",
        offers=OFFERS,
        securities=shaped(securities, SECURITIES),
        bars=bars,
        actions=actions,
        fundamentals=_fundamentals(reports, base, names, closes),
        news=reading.news(symbols),
        quarantine=reading.quarantine(),
    )


def _securities(
    listed: pl.DataFrame, names: pl.DataFrame, known: pl.DataFrame, industries: pl.DataFrame
) -> pl.DataFrame:
    """One row a listing (``listing`` and SECURITIES) under the symbol that it was first listed by."""
    first = names.filter(pl.col("since").is_null()).select("listing", first="symbol")
    told = known.select("listing", "listed_on", "shares_outstanding", known_figi="figi")
    rows = listed.drop("listed_on", "shares_outstanding", "industry", "sector")
    for part in (first, told):
        rows = rows.join(part, on="listing", how="left", maintain_order="left")
    rows = rows.join(industries, on="cik", how="left", maintain_order="left")
    same = pl.col("known_figi") == pl.col("figi")
    rows = rows.with_columns(
        symbol=pl.col("first"),
        sector=sector_of_sic_expr(pl.col("sic")),
        listed_on=pl.when(same).then(pl.col("listed_on")),
        shares_outstanding=pl.when(same).then(pl.col("shares_outstanding")),
        known_on=pl.lit(None, dtype=pl.Date),
        security_type=security_type_expr(
            symbol=pl.col("symbol"),
            name=pl.col("name"),
            vendor_type=pl.col("vendor_type"),
            industry=pl.col("industry"),
        ),
    )
    return rows.select("listing", *SECURITIES)


def _fundamentals(
    reports: pl.DataFrame, base: pl.DataFrame, names: pl.DataFrame, first_closes: pl.DataFrame
) -> pl.DataFrame:
    """The reports under the symbols of their day.

    A company tells its figures a share of one class alone, that of which there are most shares. Of its other classes
    there are as many in proportion as when they were first counted, and each earns in proportion to its price then.
    """
    lines = base.filter(pl.col("security_type").is_in(CAPITAL)).join(first_closes, on="listing", how="left")
    lines = lines.select("listing", "cik", count="shares_outstanding", price="close")
    several = lines.filter(pl.len().over("cik") > 1).sort("count", nulls_last=False)
    told = several.unique("cik", keep="last", maintain_order=True).select("cik", told="listing", of="count", at="price")
    others = several.join(told, on="cik").filter(pl.col("listing") != pl.col("told"))
    shares, earned = pl.col("count") / pl.col("of"), pl.col("price") / pl.col("at")
    rows = reports.with_columns(listing=pl.col("symbol").cast(pl.UInt32))
    rows = rows.with_columns(day=xnys().effective_sessions(rows["known_at"]))
    rows = rows.join(others.select("listing", shares=shares, earned=earned, other=True), on="listing", how="left")
    other = pl.col("other").fill_null(False)
    rows = rows.with_columns(
        shares_outstanding=pl.when(other)
        .then((pl.col("shares_outstanding") * pl.col("shares")).round())
        .otherwise(pl.col("shares_outstanding")),
        eps_diluted=pl.when(other)
        .then((pl.col("eps_diluted") * pl.col("earned")).round(4))
        .otherwise(pl.col("eps_diluted")),
    )
    return shaped(symbols_on(rows, names).sort("known_at", "symbol", "period_end", "form"), FUNDAMENTALS)
