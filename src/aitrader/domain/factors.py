"""The factor registry: every number that a criterion, a ranking or a report may name.

A factor is a column of the session's cross-section. ``needs`` names what a source must offer for it to exist
(an inner tuple lists alternatives); a criterion on a factor whose needs no source meets is *unavailable*.
``sour_when`` marks rows where the number has no meaning but the answer is known to be no (a loss has no P/E);
``exempt_when`` marks rows that the question does not concern (a bank's debt/equity).
"""

from __future__ import annotations

from dataclasses import dataclass

Needs = tuple[str | tuple[str, ...], ...]

CLOSE: Needs = ("bars.close",)
RANGE: Needs = ("bars.high", "bars.low", "bars.close")
VOLUME: Needs = ("bars.volume",)
EARNINGS: Needs = ("fundamentals.eps_diluted",)


@dataclass(frozen=True, kw_only=True)
class Factor:
    """A named column: its unit, what it is made of, and one sentence that says what it means."""

    name: str
    unit: str
    text: str
    needs: Needs
    input: str = "bar"  # whose date explains it: bar, filing, news, listing
    sour_when: str | None = None  # a boolean column
    sour_text: str = ""
    exempt_when: str | None = None  # a boolean column
    decimals: int = 2


_ALL = (
    Factor(name="price", unit="dollars", text="Last raw close, at most 20 sessions old.", needs=CLOSE),
    Factor(
        name="volume",
        unit="shares",
        text="Mean daily volume over the last 20 sessions, at least 15 of them known.",
        needs=VOLUME,
        decimals=0,
    ),
    Factor(
        name="dollar_volume",
        unit="dollars",
        text="Mean daily volume times last close.",
        needs=("bars.close", "bars.volume"),
        decimals=0,
    ),
    Factor(
        name="market_cap",
        unit="dollars",
        text="Issuer's market capitalisation: shares known, split-scaled, times raw close, summed over its lines; "
        "the vendor's figure where shares are missing. Funds are exempt.",
        needs=(("fundamentals.shares_outstanding", "securities.shares_outstanding", "market_caps.market_cap"),),
        exempt_when="fund",
        decimals=0,
    ),
    Factor(
        name="spread_pct",
        unit="%",
        text="Median bid-ask spread of the last session's regular hours, in percent of the middle.",
        needs=("quotes.spread",),
    ),
    Factor(name="history", unit="sessions", text="Sessions with a bar since the first one.", needs=CLOSE, decimals=0),
    Factor(name="rsi", unit="", text="Relative strength index, 14 bars, Wilder's averages.", needs=CLOSE),
    Factor(
        name="volume_surge",
        unit="x",
        text="Mean volume of the last 3 sessions over that of the last 20.",
        needs=VOLUME,
    ),
    Factor(name="return_1d_pct", unit="%", text="Price return over 1 session, split-adjusted.", needs=CLOSE),
    Factor(name="return_5d_pct", unit="%", text="Price return over 5 sessions, split-adjusted.", needs=CLOSE),
    Factor(name="return_21d_pct", unit="%", text="Price return over 21 sessions, split-adjusted.", needs=CLOSE),
    Factor(name="return_63d_pct", unit="%", text="Price return over 63 sessions, split-adjusted.", needs=CLOSE),
    Factor(
        name="relative_strength_pct",
        unit="%",
        text="63-session return relative to the benchmark's: SPY, or the weighted universe where there is no SPY.",
        needs=CLOSE,
    ),
    Factor(name="sma20", unit="dollars", text="Simple mean of the last 20 closes.", needs=CLOSE),
    Factor(name="sma50", unit="dollars", text="Simple mean of the last 50 closes.", needs=CLOSE),
    Factor(name="sma200", unit="dollars", text="Simple mean of the last 200 closes.", needs=CLOSE),
    Factor(name="sma50_gap_pct", unit="%", text="Last close above the 50-bar mean.", needs=CLOSE),
    Factor(name="sma200_gap_pct", unit="%", text="Last close above the 200-bar mean.", needs=CLOSE),
    Factor(name="ema20", unit="dollars", text="Exponential mean of closes, 20 bars.", needs=CLOSE),
    Factor(name="macd", unit="dollars", text="MACD line: 12-bar less 26-bar exponential mean.", needs=CLOSE),
    Factor(name="macd_signal", unit="dollars", text="9-bar exponential mean of the MACD line.", needs=CLOSE),
    Factor(name="macd_histogram", unit="dollars", text="MACD line less its signal.", needs=CLOSE),
    Factor(
        name="macd_cross_age",
        unit="sessions",
        text="Sessions since the MACD line crossed above its signal, while it is still above.",
        needs=CLOSE,
        decimals=0,
    ),
    Factor(name="bollinger_upper", unit="dollars", text="20-bar mean plus 2 deviations (ddof 0).", needs=CLOSE),
    Factor(name="bollinger_lower", unit="dollars", text="20-bar mean less 2 deviations (ddof 0).", needs=CLOSE),
    Factor(name="bollinger_position", unit="", text="0 at the lower band, 1 at the upper.", needs=CLOSE),
    Factor(name="atr", unit="dollars", text="Average true range, 14 bars, Wilder.", needs=RANGE),
    Factor(name="atr_pct", unit="%", text="Average true range in percent of the close.", needs=RANGE),
    Factor(name="adx", unit="", text="Average directional index, 14 bars, Wilder.", needs=RANGE),
    Factor(name="high_52w", unit="dollars", text="Highest high of up to 252 sessions, at least 60 bars.", needs=CLOSE),
    Factor(name="distance_from_high_pct", unit="%", text="Close below the 52-week high (0 or less).", needs=CLOSE),
    Factor(
        name="volatility_pct",
        unit="%",
        text="Standard deviation of the last 20 log returns (ddof 1), a year of 252 sessions.",
        needs=CLOSE,
    ),
    Factor(
        name="pe",
        unit="x",
        text="Raw close over diluted earnings a share of the trailing four quarters (or last fiscal year).",
        needs=EARNINGS,
        input="filing",
        sour_when="negative_earnings",
        sour_text="negative earnings",
    ),
    Factor(
        name="earnings_yield_pct",
        unit="%",
        text="Trailing diluted earnings a share over the raw close.",
        needs=EARNINGS,
        input="filing",
    ),
    Factor(
        name="pb",
        unit="x",
        text="Line's market capitalisation over book equity.",
        needs=("fundamentals.equity", ("fundamentals.shares_outstanding", "securities.shares_outstanding")),
        input="filing",
        sour_when="negative_equity",
        sour_text="negative equity",
    ),
    Factor(
        name="debt_equity",
        unit="x",
        text="Short and long debt over book equity; banks, insurers and REITs are exempt.",
        needs=("fundamentals.total_debt", "fundamentals.equity"),
        input="filing",
        sour_when="negative_equity",
        sour_text="negative equity",
        exempt_when="financial",
    ),
    Factor(
        name="revenue_growth_pct",
        unit="%",
        text="Trailing four quarters' revenue over that of the year before, less one.",
        needs=("fundamentals.revenue",),
        input="filing",
    ),
    Factor(
        name="net_margin_pct",
        unit="%",
        text="Trailing net income over trailing revenue.",
        needs=("fundamentals.revenue", "fundamentals.net_income"),
        input="filing",
    ),
    Factor(
        name="return_on_equity_pct",
        unit="%",
        text="Trailing net income over the latest book equity.",
        needs=("fundamentals.net_income", "fundamentals.equity"),
        input="filing",
    ),
    Factor(
        name="earnings_trend",
        unit="quarters",
        text="How many of the last two quarters earned more a share than the same quarter a year before.",
        needs=EARNINGS,
        input="filing",
        decimals=0,
    ),
    Factor(
        name="filing_age",
        unit="days",
        text="Days since the latest filing became known.",
        needs=("fundamentals.period_end",),
        input="filing",
        decimals=0,
    ),
    Factor(
        name="news_sentiment",
        unit="",
        text="Headline sentiment from -1 to 1, decayed by age within the look-back; no headline is unknown.",
        needs=("news.headline",),
        input="news",
    ),
    Factor(
        name="news_count",
        unit="headlines",
        text="Headlines within the look-back.",
        needs=("news.headline",),
        input="news",
        decimals=0,
    ),
    Factor(
        name="analyst_rating",
        unit="",
        text="Mean analyst rating from 1 to 5.",
        needs=("analysts.rating",),
        input="news",
    ),
)
FACTORS: dict[str, Factor] = {factor.name: factor for factor in _ALL}


def offered(needs: Needs, offers: frozenset[str]) -> bool:
    """Whether a source that offers these columns can feed the needs."""
    return all(need in offers if isinstance(need, str) else any(one in offers for one in need) for need in needs)
