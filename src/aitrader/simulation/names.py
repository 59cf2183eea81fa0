"""Invented issuers and funds, and the codes they trade under."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from aitrader.simulation.streams import Ints, Purpose, stream

Texts = npt.NDArray[np.object_]

LETTERS = 26
BASE_CODES, ARRIVAL_CODES, RENAME_CODES = 0, 200_000, 330_000  # ranges of the shuffled four-letter codes

_HEADS: Final = (
    "Al Am An Ar As Bal Bar Bel Ber Bran Bren Bri Cal Cam Car Cas Ced Cor Cres Dal Dar Del Der Dun Ed El Em "
    "Fal Fen Fer Gal Gar Gil Glen Gran Hal Har Hart Hav Hol Jas Kal Kel Ken Kin Lan Lar Lin Lor Mal Mar Mel "
    "Mer Mid Mon Nel Nor Oak Ol Or Os Pel Per Pol Quin Ral Ran Red Rok Ros Sal Sel Ser Sol Stan Star Ster Tal "
    "Tam Tar Tor Tri Val Van Ver Vin Vol Wal War Wes Whit Win Wyn Yar Zan Zel"
)
_TAILS: Final = (
    "ado aire ana anta ara aris aton aven bec beck bourne bridge brook bury by cairn combe cor crest cross "
    "dale dane den der dine don dor dova dwell eon era ett eva ex field fin ford gate glen gold grove hall "
    "ham haven hill hurst ian ida igen ilon ine ion ira is ista ix kirk lake land ler ley lin lock lume lyn "
    "mark mere mill mont more mund nar nell ness nex nor nova ola on ora oria os pine point port quest ridge "
    "rin ron sco sen shore side son stead stone tara ten thor ton tor tova tron tus una vale vance vane ven "
    "vera via vick vin vista well wick win wood worth yard yne"
)
_NOUNS = {
    "Basic Materials": "Resources,Minerals,Gold,Metals,Chemicals,Paper,Lithium,Silver",
    "Consumer Discretionary": "Brands,Retail,Motors,Hospitality,Apparel,Homes,Entertainment,Restaurants,Leisure",
    "Consumer Staples": "Foods,Beverage,Farms,Household Products,Grocers,Nutrition",
    "Energy": "Energy,Petroleum,Oil & Gas,Midstream,Drilling,Exploration",
    "Finance": "Financial,Bancorp,Capital,Insurance Group,Bancshares,Holdings,Trust Financial,Asset Management",
    "Health Care": "Therapeutics,Pharmaceuticals,Biosciences,Medical,Health,Biologics,Diagnostics,Oncology,Genomics",
    "Industrials": "Industries,Manufacturing,Aerospace,Logistics,Engineering,Materials,Controls,Systems",
    "Miscellaneous": "Enterprises,Group,Holdings,Partners",
    "Real Estate": "Properties,Realty Trust,Residential,Land,Apartment Communities,Storage Trust",
    "Technology": "Software,Technologies,Semiconductor,Networks,Data,Systems,Micro,Digital,Cloud",
    "Telecommunications": "Communications,Wireless,Telecom,Broadband,Media Networks",
    "Utilities": "Power,Electric,Water,Gas & Electric,Renewables,Utilities",
    "": "Holdings,Group,Enterprises",
}
_FORMS = ("Inc.", "Corporation", "Ltd.", "Company", "plc", "Holdings Inc.", "Group, Inc.", "N.V.")
_FORM_SHARES = (0.5, 0.2, 0.09, 0.06, 0.04, 0.05, 0.04, 0.02)
_FUND_STYLES = {
    "broad": "U.S. Large Cap,U.S. Small Cap Value,U.S. Dividend Growth,Momentum Factor,Low Volatility,Quality,"
    "Mid Cap Growth,Total Market,Equal Weight 500,Free Cash Flow,ESG Leaders",
    "international": "Emerging Markets,Developed Markets ex-U.S.,Japan Hedged,Europe Dividend,India Equity,"
    "Global ex-U.S. Small Cap,Latin America,China Internet",
    "bond": "Core Aggregate Bond,Short Treasury,20+ Year Treasury,High Yield Corporate Bond,Municipal Bond,"
    "Floating Rate,Ultra-Short Income,Investment Grade Credit,AAA CLO",
    "buffer": "Equity Buffer June,Equity Buffer December,Covered Call Income,Defined Outcome March,Premium Income",
    "leveraged": "Daily 2X Long Technology,Daily 3X Bull Semiconductor,Daily 2X Bear Energy,Daily Inverse Index,"
    "Daily 3X Bear Small Cap,Daily 2X Long Single Stock",
    "sector": "Technology,Health Care,Financials,Energy,Clean Power,Biotechnology,Semiconductor,Real Estate,Utilities",
    "commodity": "Physical Gold,Physical Silver,Broad Commodity Strategy,Crude Oil,Uranium Miners",
    "crypto": "Bitcoin,Ether,Digital Asset Strategy",
}
_SPAC_NOUNS = ("Acquisition Corp.", "Acquisition Corp. II", "Capital Acquisition Corp.", "Growth Acquisition Corp. III")
_ENDINGS = {
    "common": "Common Stock",
    "spac": "Class A Ordinary Shares",
    "adr": "American Depositary Shares",
    "reit": "Common Stock",
    "fund": "Common Shares of Beneficial Interest",
    "warrant": "Warrants",
    "unit": "Units",
    "right": "Rights",
}


def four_letter_codes(seed: int, offset: int, count: int) -> list[str]:
    """``count`` different codes from the shuffled space, starting at ``offset``; ranges never overlap."""
    # An affine walk over 26^4 codes is a permutation without storing one: the step is odd and not a multiple of 13.
    space = LETTERS**4
    generator = stream(seed, Purpose.CODES, 4)
    step, shift = int(generator.integers(1, space // 26)) * 26 + 5, int(generator.integers(space))
    positions = (np.arange(offset, offset + count, dtype=np.int64) * step + shift) % space
    return codes(positions, 4)


def short_codes(seed: int, length: int, count: int) -> list[str]:
    """``count`` different codes of one to three letters."""
    positions = stream(seed, Purpose.CODES, length).choice(LETTERS**length, count, replace=False)
    return codes(positions, length)


def codes(positions: Ints, length: int) -> list[str]:
    """Numbers in base 26 as upper-case letters."""
    digits = np.stack([positions // LETTERS**place % LETTERS for place in range(length - 1, -1, -1)], axis=1)
    text = (digits + ord("A")).astype(np.uint8).tobytes().decode("ascii")
    return [text[i : i + length] for i in range(0, len(text), length)]


def identifiers(count: int) -> list[str]:
    """``count`` different made-up identifiers of the form of a FIGI: BBG00 and seven digits or consonants."""
    marks = np.frombuffer(b"0123456789BCDFGHJKLMNPQRSTVWXYZ", dtype=np.uint8)
    number = 36**4 + 11 * np.arange(count, dtype=np.int64)
    text = np.stack([marks[number // len(marks) ** place % len(marks)] for place in range(6, -1, -1)], axis=1)
    joined = text.tobytes().decode("ascii")
    return [f"BBG00{joined[i : i + 7]}" for i in range(0, len(joined), 7)]


def _chosen(words: str | tuple[str, ...] | list[str], uniform: npt.NDArray[np.float64]) -> Texts:
    options = np.array(words.split(",") if isinstance(words, str) else list(words), dtype=object)
    return np.asarray(options[np.minimum((uniform * len(options)).astype(np.int64), len(options) - 1)])


def invented(seed: int, offset: int, count: int) -> Texts:
    """``count`` different invented proper names such as Halford; ranges by ``offset`` never overlap below 10,000."""
    heads, tails = np.array(_HEADS.split(), dtype=object), np.array(_TAILS.split(), dtype=object)
    space = len(heads) * len(tails)
    order = stream(seed, Purpose.NAMES).permutation(space)
    spot = order[np.arange(offset, offset + count) % space]
    name = heads[spot // len(tails)] + tails[spot % len(tails)]
    again = np.arange(offset, offset + count) // space  # a second round of the space gets a second word
    return np.asarray(np.where(again > 0, name + " Point", name), dtype=object)


def issuer_names(proper: Texts, sector: Texts, group: Texts, uniform: npt.NDArray[np.float64]) -> Texts:
    """Names of issuers without the description of the security; ``uniform`` has two columns."""
    noun = np.empty(len(proper), dtype=object)
    for name, words in _NOUNS.items():
        mine = sector == name
        noun[mine] = _chosen(words, uniform[mine, 0])
    form = np.array(_FORMS, dtype=object)[
        np.minimum(np.searchsorted(np.cumsum(_FORM_SHARES), uniform[:, 1]), len(_FORMS) - 1)
    ]
    full = proper + " " + noun + " " + form
    blank = group == "spac"
    full[blank] = proper[blank] + " " + _chosen(_SPAC_NOUNS, uniform[blank, 0])
    closed = group == "fund"
    full[closed] = (
        proper[closed]
        + " "
        + _chosen(
            "Municipal Income Fund,High Income Fund,Dividend Trust,Credit Strategies Fund,Equity Premium Fund",
            uniform[closed, 0],
        )
    )
    return np.asarray(full, dtype=object)


def fund_names(proper: Texts, kind: Texts, uniform: npt.NDArray[np.float64]) -> Texts:
    """Names of exchange-traded funds; sponsors are a tenth as many as funds."""
    style = np.empty(len(proper), dtype=object)
    for name, words in _FUND_STYLES.items():
        mine = kind == name
        style[mine] = _chosen(words, uniform[mine])
    return np.asarray(proper + " " + style + " ETF", dtype=object)


def described(issuer: Texts, group: Texts, series: Texts, uniform: npt.NDArray[np.float64]) -> pl.Series:
    """Full security names: the issuer followed by what the line is."""
    ending = np.full(len(issuer), "", dtype=object)
    for name, text in _ENDINGS.items():
        ending[group == name] = text
    coupon = np.round(4 + uniform * 4.5, 3)
    for i in np.flatnonzero((group == "preferred") | (group == "note")):
        if group[i] == "preferred":
            ending[i] = f"{coupon[i]:.3f}% Series {series[i]} Cumulative Redeemable Preferred Stock"
        else:
            ending[i] = f"{coupon[i]:.2f}% Senior Notes due {2028 + int(uniform[i] * 50)}"
    second = series == "class"
    ending[second] = "Class B Common Stock"
    return (
        pl.Series(issuer.tolist(), dtype=pl.String) + " " + pl.Series(ending.tolist(), dtype=pl.String)
    ).str.strip_chars()
