"""What the real sets do not show, assumed from public knowledge and named in docs/simulation.md.

The sets hold no exchange-traded fund's price or volume, no total debt, no acceptance times and no blank-check
company's share count. Nothing here is tuned to an outcome of the funnel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LEVELS: Final = [0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.998, 1.0]
# Most funds are thinly traded while a few hundred trade as the largest companies do; about 30 % of all dollars traded.
FUND_VOLUME: Final = [10.0, 90.0, 600.0, 1_600.0, 8_000.0, 38_000.0, 220_000.0, 1.2e6, 3.0e6, 1.4e7, 4.5e7, 1.0e8]
FUND_PRICE: Final = [2.0, 7.5, 14.0, 19.0, 25.0, 31.0, 50.0, 78.0, 110.0, 210.0, 330.0, 450.0]
SHARES_PER_VOLUME: Final = (4.3, 1.1)  # log of fund shares outstanding over daily volume: mean, spread
BLANK_CHECK_SHARES: Final = (16.8, 0.5)  # log of shares outstanding: mean, spread (about 20 million)
FUND_LAUNCHES: Final = 0.18  # a year, per listed fund
FUND_CLOSURES: Final = 0.05
BLANK_CHECK_INTEREST: Final = 0.025  # a year, on the money in trust
DEBT_OF_REST: Final = 0.75  # share of non-current liabilities that is debt
CAPITAL_SHARE: Final = 0.45  # capital expenditure over operating cash flow
KEPT: Final = 0.35  # share of income that stays in equity; the rest is paid out, or a loss is financed anew
DILUTED: Final = 1.02  # diluted shares over shares outstanding
SEASON: Final = 0.07  # spread of the seasonal swing of log revenue
ACCEPTANCE: Final = ((6.0, 9.45, 0.38), (9.51, 15.99, 0.14), (16.01, 17.49, 0.42), (17.5, 21.0, 0.06))
# of filings: from and to (New York hours), share
RATES: Final = 0.0035  # daily spread of the factor that bond funds and preferreds share


@dataclass(frozen=True, kw_only=True)
class FundKind:
    """How a kind of exchange-traded fund moves."""

    beta: tuple[float, float]  # mean, spread
    sector: float  # loading on its sector's factor
    rates: tuple[float, float]  # mean, spread of the loading on the rates factor
    noise: tuple[float, float]  # mean absolute own daily move: median, spread of its log


FUND_KINDS: Final = {
    "broad": FundKind(beta=(0.95, 0.15), sector=0.0, rates=(0.0, 0.0), noise=(0.0016, 0.5)),
    "international": FundKind(beta=(0.7, 0.2), sector=0.0, rates=(0.0, 0.0), noise=(0.0045, 0.4)),
    "bond": FundKind(beta=(0.03, 0.05), sector=0.0, rates=(0.7, 0.5), noise=(0.0006, 0.5)),
    "buffer": FundKind(beta=(0.45, 0.15), sector=0.0, rates=(0.0, 0.0), noise=(0.0009, 0.5)),
    "leveraged": FundKind(beta=(1.0, 0.3), sector=1.0, rates=(0.0, 0.0), noise=(0.008, 0.8)),
    "sector": FundKind(beta=(1.0, 0.25), sector=1.0, rates=(0.0, 0.0), noise=(0.0035, 0.4)),
    "commodity": FundKind(beta=(0.1, 0.2), sector=0.0, rates=(0.1, 0.2), noise=(0.0085, 0.4)),
    "crypto": FundKind(beta=(1.4, 0.4), sector=0.0, rates=(0.0, 0.0), noise=(0.02, 0.3)),
}
MULTIPLES: Final = (-3.0, -2.0, -1.0, 2.0, 3.0)  # of leveraged funds
MULTIPLE_SHARES: Final = (0.12, 0.13, 0.1, 0.45, 0.2)


@dataclass(frozen=True, kw_only=True)
class Named:
    """A listing that is there by name, of plausible size."""

    symbol: str
    name: str
    exchange: str
    group: str
    sector: str
    industry: str
    price: float
    volume: float
    shares: float
    noise: float
    beta: float
    issuer: str | None = None  # the symbol whose issuer it shares


_SOFTWARE, _MEDIA = "Computer Software: Prepackaged Software", "Computer Software: Programming Data Processing"
NAMED: Final = (
    Named(symbol="AAPL", name="Apple Inc. Common Stock", exchange="NASDAQ", group="common", sector="Technology",
          industry="Computer Manufacturing", price=225.0, volume=5.2e7, shares=1.49e10, noise=0.0095, beta=1.2),
    Named(symbol="MSFT", name="Microsoft Corporation Common Stock", exchange="NASDAQ", group="common",
          sector="Technology", industry=_SOFTWARE, price=500.0, volume=2.1e7, shares=7.43e9, noise=0.0075, beta=1.05),
    Named(symbol="GOOGL", name="Alphabet Inc. Class A Common Stock", exchange="NASDAQ", group="common",
          sector="Technology", industry=_MEDIA, price=200.0, volume=3.6e7, shares=5.8e9, noise=0.0105, beta=1.15),
    Named(symbol="GOOG", name="Alphabet Inc. Class C Capital Stock", exchange="NASDAQ", group="common",
          sector="Technology", industry=_MEDIA, price=201.0, volume=2.3e7, shares=5.4e9, noise=0.0105, beta=1.15,
          issuer="GOOGL"),
    Named(symbol="BRK.B", name="Berkshire Hathaway Inc. Class B", exchange="NYSE", group="common", sector="Finance",
          industry="Property-Casualty Insurers", price=490.0, volume=4.6e6, shares=1.33e9, noise=0.006, beta=0.7),
    Named(symbol="BRK.A", name="Berkshire Hathaway Inc. Class A", exchange="NYSE", group="common", sector="Finance",
          industry="Property-Casualty Insurers", price=735_000.0, volume=600.0, shares=5.5e5, noise=0.006, beta=0.7,
          issuer="BRK.B"),
    Named(symbol="SPY", name="SPDR S&P 500 ETF Trust", exchange="ARCA", group="etf", sector="", industry="broad",
          price=640.0, volume=6.8e7, shares=1.02e9, noise=0.0003, beta=1.0),
    Named(symbol="QQQ", name="Invesco QQQ Trust, Series 1", exchange="NASDAQ", group="etf", sector="Technology",
          industry="sector", price=570.0, volume=4.6e7, shares=6.5e8, noise=0.0015, beta=1.15),
    Named(symbol="NA", name="Nadova Labs Ltd. Ordinary Shares", exchange="NASDAQ", group="common",
          sector="Technology", industry="Semiconductors", price=5.2, volume=2.2e5, shares=2.4e7, noise=0.03, beta=1.3),
    Named(symbol="NAN", name="Nanmere Quality Municipal Income Fund", exchange="NYSE", group="fund",
          sector="Finance", industry="Finance/Investors Services", price=11.3, volume=7e4, shares=3.1e7, noise=0.003,
          beta=0.2),
    Named(symbol="ON", name="Onova Semiconductor Corporation Common Stock", exchange="NASDAQ", group="common",
          sector="Technology", industry="Semiconductors", price=52.0, volume=8.5e6, shares=4.2e8, noise=0.018,
          beta=1.8),
    Named(symbol="TRUE", name="Truewell Digital Inc. Common Stock", exchange="NASDAQ", group="common",
          sector="Consumer Discretionary", industry="Retail-Auto Dealers and Gas Stations", price=2.1, volume=6e5,
          shares=8.8e7, noise=0.024, beta=1.2),
    Named(symbol="NO", name="Norvale Offshore Company Common Stock", exchange="NYSE", group="common", sector="Energy",
          industry="Oil & Gas Production", price=27.0, volume=1.4e6, shares=1.6e8, noise=0.015, beta=0.8),
    Named(symbol="Y", name="Yarwood Corporation Common Stock", exchange="NYSE", group="common", sector="Finance",
          industry="Property-Casualty Insurers", price=84.0, volume=9e5, shares=1.1e8, noise=0.009, beta=0.7),
)  # fmt: skip
