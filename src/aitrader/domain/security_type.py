"""What kind of instrument a listing is: told from its name, its symbol's suffix and what a vendor says of it.

One expression over a whole frame. A vendor that calls a warrant "common stock" is overruled by the name and the
suffix; nothing is guessed where there is neither a name nor a telling suffix: that is ``unknown``, and stays visible.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import polars as pl

from aitrader.domain.symbols import ROOT


class SecurityType(StrEnum):
    """The kinds of listing; ``etf`` includes exchange-traded notes, ``common`` includes partnership units."""

    COMMON = "common"
    ADR = "adr"
    REIT = "reit"
    ETF = "etf"
    PREFERRED = "preferred"
    WARRANT = "warrant"
    UNIT = "unit"
    RIGHT = "right"
    FUND = "fund"
    NOTE = "note"
    UNKNOWN = "unknown"


VENDOR_TYPES: Final[dict[str, SecurityType]] = {  # the words of vendors, lower case
    **{str(kind): kind for kind in SecurityType if kind is not SecurityType.UNKNOWN},
    "cs": SecurityType.COMMON,
    "os": SecurityType.COMMON,
    "nyrs": SecurityType.COMMON,
    "common stock": SecurityType.COMMON,
    "adrc": SecurityType.ADR,
    "adrp": SecurityType.PREFERRED,
    "adrr": SecurityType.RIGHT,
    "adrw": SecurityType.WARRANT,
    "gdr": SecurityType.ADR,
    "depositary receipt": SecurityType.ADR,
    "etn": SecurityType.ETF,
    "etv": SecurityType.ETF,
    "ets": SecurityType.ETF,
    "exchange traded fund": SecurityType.ETF,
    "pfd": SecurityType.PREFERRED,
    "sp": SecurityType.NOTE,
    "bond": SecurityType.NOTE,
    "closed-end fund": SecurityType.FUND,
    "real estate investment trust": SecurityType.REIT,
}

_PLAIN = (
    r"(?i)\b(common|capital|ordinary|subordinate|voting|registry|registered)( class [a-z])?"
    r" (stock|shares?|units?|limited|interest)\b|\bclass [a-z]\b.*\b(stock|shares?)\b|\bordinary\b"
)
_PARTNERSHIP = (
    r"(?i)\b(common|partnership|partner|depositary|depository|trust|beneficial)\b.{0,25}\bunits?\b"
    r"|\bunits?\b.{0,14}\b(of beneficial|(represent\w+ )?(limited )?partner)"
    r"|\bL\.? ?P\.?(,? (common )?units?| units?)|\bholding l\.p\.? +units"
)
_NAMES: Final[dict[str, str]] = {
    "etf": (
        r"(?i)\b(ishares|spdr|proshares|powershares|direxion"
        r"|velocityshares|advisorshares|flexshares|quantshares|etracs|ipath|market vectors|microsectors)\b"
        r"|\b(wisdomtree|vaneck|first trust|vanguard|global x|elkhorn|guggenheim|claymore|victory cemp)\b"
        r".*\b(index|portfolio|alphadex|etf)\b|^wisdomtree .*\b(fund?|duratio\w*)$"
    ),
    "unit": r"(?i)\bunits?\b",
    "warrant": r"(?i)\bwarrants?\b|\badw\b|\bwt$",
    "right": (
        r"(?i)\brights?[ .,]*(\(expiring.*)?$|\brights?,? (when issued|to )"
        r"|\b(subscription|contingent value) rights?"
    ),
    "preferred": (
        r"(?i)\b(preferred|preference|pref\.?|pfd)\.? (stock|shares?|shs|securit\w+|units?|series)\b"
        r"|\bpreferred$|\bpfd\b|\b(series|class) [a-z0-9]+ (preferred|preference)"
        r"|\bdepositary (shares?|interests?)\b.*\b(1/|interest in|fraction)|\btrust preferred|\bmandatory convertible"
        r"|\bcap(ital)?\.? tr(ust)?\.? ([ivx]+|\d+)\b"
    ),
    "note": (
        r"(?i)\b(notes?|debentures?|bonds?)\b.*(\bdue\b|\b20\d\d\b|%)|%.*\b(notes?|debentures?|bonds?)\b"
        r"|\b(senior|subordinated|mortgage|unsecured|baby) (notes?|bonds?|debentures?)\b"
        r"|\b(notes|debentures)$|\b(synthetic fixed.income|pplus|preferredplus|saturns|cabco|corts|strats)\b"
        r"|\btr(ust)? (certificates?|certs?|ctf)\b|\bdepositor$"
    ),
    "adr": r"(?i)american deposit[ao]ry|\bads\b|\badss\b|\badrs?\b|\bdepositary receipts?\b|global depositary",
    "fund": (
        r"(?i)\bclosed.end\b|\bmuni(cipal|ciple|yield|vest|assets|holdings|enhanced)?\b"
        r".*\b(trust|\w*fund|income)\b"
        r"|\bmunicipals$|\bincome (securities|shares)$|\b(income|alternative income|income term|opportunities) trust\b"
        r"|\b(blackrock|nuveen|nuven|eaton vance|pimco|gabelli|gamco|aberdeen|abrdn|western asset|invesco|calamos"
        r"|cohen & steers|pioneer|putnam|mfs|dws|scudder|alliancebernstein|franklin|templeton|voya|virtus|royce"
        r"|adams|dreyfus|allianzgi|john hancock|morgan stanley|wells fargo|tekla|duff & phelps|barings|babson"
        r"|guggenheim|miller/howard"
        r"|legg mason|delaware|neuberger|kayne anderson|tortoise|liberty all.star)\b.*\b(trust|income|municipal|bond"
        r"|portfolio|opportunit\w+|participation|strategies|global gold|equity|investors)\b"
    ),
    "royalty": r"(?i)\broyal(i?ty|ties)\b|\boil trust\b|\bof beneficial interests?$",
    "pool": r"(?i)\bfunds?\b",
    "reit": (
        r"(?i)reit\b|real estate investment trust|\b(realty|properties|property|hospitality|hotels?|lodging|residential"
        r"|apartment|mortgage|office|storage|housing|healthcare|industrial|farmland) ((investment|income) )?trust\b"
    ),
}
_EXCHANGE_TRADED = (
    r"(?i)\betfs?\b|\betns?\b|\betv\b|exchange.traded (fund|note)|\bindex (tracking )?(fund|stock)\b"
    r"|\b(ultrapro|ultrashort|currencyshares|teucrium|accushares)\b|\binvesco (db|qqq)\b"
    r"|\bphysical (gold|silver|platinum|palladium)\b|\b(bitcoin|ethereum) (mini )?(trust|fund)\b"
    r"|^united states .*\b(oil|gas|gasoline|copper|commodity)\b"
)
_DESCRIPTION = r"(?i)\b(each|representing|consisting|comprised|exercisable|entitling)\b.*$"
_OF_THE_HEAD = frozenset({"unit", "warrant", "right", "adr"})  # told before the name describes what one stands for
# A common stock with an attached poison pill; a fund that holds preferreds; a screener's name for BNS.
_GUARDED = (
    r"(?i)preferred (stock|shares?) purchase rights|preferred (securities )?(and|&) \w* ?income|\bpfd income\b"
    r"|\bpfd \d+ ordinary shares"
)
_COMPANY_UNIT = r"(?i)^(the )?unit corp"
_TEST_NAME = (
    r"(?i)\btest (issue|stock|company|symbol|sym|pilot)\b|\b(tick|test) pilot\b|\blisting market\b"
    r"|^(nasdaq|nyse|bats|iex|cboe|amex)\b.*\btest\b"
)
_TEST_SYMBOL = r"^(Z[A-Z]ZZT|[ACNPZ]TEST(\..*)?)$"

# The fifth letter of a five-letter symbol, by the listing exchange's convention. GOOGL is a class share.
_FIFTH: Final[tuple[tuple[str, SecurityType], ...]] = (
    ("^[A-Z]{4}W$", SecurityType.WARRANT),
    ("^[A-Z]{4}R$", SecurityType.RIGHT),
    ("^[A-Z]{4}U$", SecurityType.UNIT),
    ("^[A-Z]{4}[PONM]$", SecurityType.PREFERRED),
    ("^[A-Z]{4}Y$", SecurityType.ADR),
    ("^([A-FH-Z][A-Z]{3}|G[A-NP-Z][A-Z]{2})L$", SecurityType.NOTE),
)
_SUFFIX: Final[tuple[tuple[str, SecurityType], ...]] = (
    (f"^{ROOT}\\.WS(\\.[A-Z])?$", SecurityType.WARRANT),
    (f"^{ROOT}\\.U$", SecurityType.UNIT),
    (f"^{ROOT}\\.RT(\\.WI)?$", SecurityType.RIGHT),
)
REIT_INDUSTRY = r"(?i)real estate investment trust"
_TRUST_INDUSTRY = r"(?i)^trusts except educational"


def security_type_expr(
    *,
    symbol: pl.Expr,
    name: pl.Expr,
    vendor_type: pl.Expr | None = None,
    etf: pl.Expr | None = None,
    industry: pl.Expr | None = None,
) -> pl.Expr:
    """The :class:`SecurityType` value of each row.

    ``symbol`` is canonical; ``name`` as listed; ``vendor_type`` a vendor's word (see :data:`VENDOR_TYPES`); ``etf`` a
    directory's flag, Y or N; ``industry`` a screener's. Any of them may be null.
    """
    missing = pl.lit(None, dtype=pl.String)
    given = {"symbol": symbol, "name": name, "told": vendor_type, "flag": etf, "branch": industry}
    columns = [(missing if each is None else each).alias(key) for key, each in given.items()]
    return pl.struct(columns).map_batches(_types, return_dtype=pl.String, is_elementwise=True)


def _types(rows: pl.Series) -> pl.Series:
    """In steps: an expression would clean a name anew wherever it is looked at."""
    frame = rows.struct.unnest()
    frame = frame.with_columns(cleaned=pl.col("name").str.replace_all(_GUARDED, ""))
    frame = frame.with_columns(head=pl.col("cleaned").str.replace(_DESCRIPTION, ""))
    told, cleaned, symbol, name, branch = (pl.col(x) for x in ("told", "cleaned", "symbol", "name", "branch"))
    words = {word: str(kind) for word, kind in VENDOR_TYPES.items()}
    frame = frame.with_columns(
        **{
            f"says:{kind}": pl.col("head" if kind in _OF_THE_HEAD else "cleaned").str.contains(p).fill_null(False)
            for kind, p in _NAMES.items()
        },
        vendor=told.str.to_lowercase().str.strip_chars().replace_strict(words, default=None, return_dtype=pl.String),
        flagged=pl.col("flag").str.to_uppercase().is_in(["Y", "YES", "TRUE", "1"]),
        plain=cleaned.str.contains(_PLAIN).fill_null(False),
        partnership=cleaned.str.contains(_PARTNERSHIP).fill_null(False),
        preferred_form=symbol.str.contains(f"^{ROOT}-P(-[A-Z])?$"),
        deposit=cleaned.str.contains(r"(?i)\bdeposit[ao]ry shares?\b").fill_null(False),
    )
    says = {kind: pl.col(f"says:{kind}") for kind in _NAMES}
    vendor, flagged, plain, partnership = (pl.col(x) for x in ("vendor", "flagged", "plain", "partnership"))
    preferred_form, named = pl.col("preferred_form"), name.str.strip_chars().str.len_chars() > 0
    unit = says["unit"] & ~partnership & ~says["preferred"] & ~cleaned.str.contains(_COMPANY_UNIT).fill_null(False)
    depositary = pl.col("deposit") & ~says["adr"]

    chain: list[tuple[pl.Expr, SecurityType]] = [
        *((symbol.str.contains(pattern), kind) for pattern, kind in _SUFFIX),
        (preferred_form & says["note"] & ~says["preferred"], SecurityType.NOTE),
        (preferred_form, SecurityType.PREFERRED),
        (flagged | cleaned.str.contains(_EXCHANGE_TRADED), SecurityType.ETF),
        (says["adr"] & ~says["warrant"] & ~says["right"], SecurityType.ADR),
        (unit, SecurityType.UNIT),
        (says["warrant"], SecurityType.WARRANT),
        (says["right"] & ~plain, SecurityType.RIGHT),
        (says["preferred"], SecurityType.PREFERRED),
        (says["etf"] & ~plain, SecurityType.ETF),
        (says["note"], SecurityType.NOTE),
        (depositary, SecurityType.PREFERRED),
        (vendor.is_not_null() & (vendor != SecurityType.COMMON), SecurityType.UNKNOWN),  # replaced by the vendor's word
        *((~plain & ~partnership & symbol.str.contains(pattern), kind) for pattern, kind in _FIFTH),
        (says["pool"], SecurityType.FUND),
        (branch.str.contains(REIT_INDUSTRY) | says["reit"], SecurityType.REIT),
        (says["fund"] | (branch.str.contains(_TRUST_INDUSTRY) & ~says["royalty"]), SecurityType.FUND),
        (vendor.is_not_null() | named, SecurityType.COMMON),
    ]
    # Folded from the last to the first: an earlier test wins.
    verdict: pl.Expr = pl.lit(str(SecurityType.UNKNOWN))
    for test, kind in reversed(chain):
        value = vendor if kind is SecurityType.UNKNOWN else pl.lit(str(kind))
        verdict = pl.when(test.fill_null(False)).then(value).otherwise(verdict)
    return frame.select(verdict.alias(rows.name)).to_series()


def is_test_issue_expr(*, symbol: pl.Expr, name: pl.Expr, flag: pl.Expr | None = None) -> pl.Expr:
    """Whether a listing is an exchange's test issue, by the directory's flag, its name or its symbol."""
    flagged = pl.lit(False) if flag is None else flag.str.to_uppercase().is_in(["Y", "YES", "TRUE", "1"])
    tests = (flagged, name.str.contains(_TEST_NAME), symbol.str.contains(_TEST_SYMBOL))
    return pl.any_horizontal(*(test.fill_null(False) for test in tests))
