"""SIC codes, the industries of the SEC's filers, in the sectors that the directories of listings speak of.

A step table over all codes: a group reaches from its first code to the code before the next. The groups follow the
divisions and major groups of the classification; where a major group holds several sectors (28: chemicals, drugs,
soap) its industry groups are told apart, as the usual sector schemes place the companies that file under them.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

import polars as pl

SECTORS: Final = (
    "Basic Materials", "Consumer Discretionary", "Consumer Staples", "Energy", "Finance", "Health Care", "Industrials",
    "Miscellaneous", "Real Estate", "Technology", "Telecommunications", "Utilities",
)  # fmt: skip
(
    _MATERIALS, _DISCRETIONARY, _STAPLES, _ENERGY, _FINANCE, _HEALTH, _INDUSTRIALS,
    _MISCELLANEOUS, _REAL_ESTATE, _TECHNOLOGY, _TELECOMMUNICATIONS, _UTILITIES,
) = SECTORS  # fmt: skip
FIRST, LAST = 100, 9999

SECTOR_OF_SIC: Final[dict[int, str]] = {  # first code of a group -> its sector
    # A: agriculture, forestry and fishing
    100: _STAPLES, 800: _MATERIALS, 900: _STAPLES,
    # B: mining
    1000: _MATERIALS, 1200: _ENERGY, 1400: _MATERIALS,
    # C: construction; homes are for consumers
    1500: _INDUSTRIALS, 1520: _DISCRETIONARY, 1540: _INDUSTRIALS,
    # D: manufacturing
    2000: _STAPLES,  # food, drink, tobacco
    2200: _DISCRETIONARY,  # textiles, apparel
    2400: _MATERIALS, 2450: _DISCRETIONARY, 2490: _MATERIALS,  # wood; mobile homes
    2500: _DISCRETIONARY, 2520: _INDUSTRIALS, 2590: _DISCRETIONARY,  # furniture; of offices
    2600: _MATERIALS,  # paper
    2700: _DISCRETIONARY, 2750: _INDUSTRIALS, 2770: _DISCRETIONARY, 2780: _INDUSTRIALS,  # publishing; printing
    2800: _MATERIALS, 2830: _HEALTH, 2840: _STAPLES, 2850: _MATERIALS,  # chemicals; drugs; soap and cosmetics
    2900: _ENERGY, 2950: _INDUSTRIALS, 2990: _ENERGY,  # refining; paving and roofing
    3000: _INDUSTRIALS, 3010: _DISCRETIONARY, 3050: _INDUSTRIALS,  # rubber and plastics; tires and rubber shoes
    3100: _DISCRETIONARY,  # leather and shoes
    3200: _INDUSTRIALS,  # stone, clay, glass, concrete
    3300: _MATERIALS,  # steel and other primary metals
    3400: _INDUSTRIALS, 3410: _MATERIALS, 3420: _INDUSTRIALS,  # metal products; cans
    3500: _INDUSTRIALS, 3533: _ENERGY, 3534: _INDUSTRIALS,  # machinery; of oil and gas fields
    3559: _TECHNOLOGY, 3560: _INDUSTRIALS,  # special machinery: mostly that of chip makers
    3570: _TECHNOLOGY, 3580: _INDUSTRIALS,  # computers and office machines
    3600: _INDUSTRIALS, 3630: _DISCRETIONARY, 3640: _INDUSTRIALS,  # electrical equipment; household appliances
    3650: _DISCRETIONARY, 3660: _TECHNOLOGY, 3690: _INDUSTRIALS,  # audio and video; communications and components
    3700: _DISCRETIONARY, 3713: _INDUSTRIALS, 3714: _DISCRETIONARY, 3715: _INDUSTRIALS, 3716: _DISCRETIONARY,  # cars
    3720: _INDUSTRIALS, 3750: _DISCRETIONARY, 3760: _INDUSTRIALS, 3790: _DISCRETIONARY,  # aircraft, ships, motorcycles
    3800: _INDUSTRIALS, 3820: _TECHNOLOGY, 3822: _INDUSTRIALS, 3824: _TECHNOLOGY,  # instruments
    3826: _HEALTH, 3827: _TECHNOLOGY, 3840: _HEALTH, 3860: _TECHNOLOGY, 3870: _DISCRETIONARY,
    3900: _DISCRETIONARY,  # jewelry, toys, sports, the rest of manufacturing
    # E: transport, communications, utilities
    4000: _INDUSTRIALS, 4400: _DISCRETIONARY, 4410: _INDUSTRIALS,  # 4400: mostly cruises
    4600: _ENERGY, 4700: _DISCRETIONARY, 4730: _INDUSTRIALS,  # oil pipelines; travel; freight
    4800: _TELECOMMUNICATIONS, 4830: _DISCRETIONARY, 4840: _TELECOMMUNICATIONS,  # radio and television
    4900: _UTILITIES, 4922: _ENERGY, 4923: _UTILITIES, 4950: _INDUSTRIALS, 4960: _UTILITIES,  # gas pipelines; waste
    # F: wholesale
    5000: _INDUSTRIALS, 5010: _DISCRETIONARY, 5030: _INDUSTRIALS, 5045: _TECHNOLOGY, 5046: _INDUSTRIALS,
    5047: _HEALTH, 5048: _INDUSTRIALS, 5050: _MATERIALS, 5060: _INDUSTRIALS, 5064: _DISCRETIONARY,
    5065: _TECHNOLOGY, 5070: _INDUSTRIALS, 5090: _DISCRETIONARY,
    5100: _INDUSTRIALS, 5120: _HEALTH, 5130: _DISCRETIONARY, 5140: _STAPLES, 5160: _MATERIALS, 5170: _ENERGY,
    5180: _STAPLES, 5190: _DISCRETIONARY,
    # G: retail; variety stores sell mostly food
    5200: _DISCRETIONARY, 5330: _STAPLES, 5390: _DISCRETIONARY, 5400: _STAPLES, 5500: _DISCRETIONARY,
    5734: _TECHNOLOGY, 5735: _DISCRETIONARY, 5910: _STAPLES, 5920: _DISCRETIONARY,
    # H: finance, insurance, real estate
    6000: _FINANCE, 6324: _HEALTH, 6325: _FINANCE,  # 6324: health plans
    6500: _REAL_ESTATE, 6700: _FINANCE, 6792: _ENERGY, 6793: _FINANCE, 6794: _TECHNOLOGY, 6795: _MATERIALS,
    6796: _FINANCE, 6798: _REAL_ESTATE, 6799: _FINANCE,  # royalties, patents, trusts that own real estate
    # I: services
    7000: _DISCRETIONARY, 7300: _INDUSTRIALS, 7310: _DISCRETIONARY, 7320: _FINANCE, 7330: _INDUSTRIALS,
    7370: _TECHNOLOGY, 7380: _INDUSTRIALS,  # 7320: rating and credit reporting
    7500: _DISCRETIONARY, 7510: _INDUSTRIALS, 7520: _DISCRETIONARY,  # repairs; rented cars and trucks
    8000: _HEALTH, 8100: _INDUSTRIALS, 8200: _DISCRETIONARY, 8600: _MISCELLANEOUS,
    8700: _INDUSTRIALS, 8731: _HEALTH, 8732: _INDUSTRIALS,  # 8731: research, mostly for drugs
    # What is none of these, J: governments, and companies that do nothing
    8800: _MISCELLANEOUS,
}  # fmt: skip
_FIRSTS: Final = tuple(SECTOR_OF_SIC)


def sector_of_sic(code: int) -> str | None:
    """The sector of one SIC code; None for what is no code from 0100 to 9999."""
    if not FIRST <= code <= LAST:
        return None
    return SECTOR_OF_SIC[_FIRSTS[bisect_right(_FIRSTS, code) - 1]]


def sector_of_sic_expr(code: pl.Expr) -> pl.Expr:
    """The sector of SIC codes (text or numbers); null for what is no code from 0100 to 9999."""
    number = code.cast(pl.String).str.strip_chars().cast(pl.Int64, strict=False)
    codes = range(FIRST, LAST + 1)
    return number.replace_strict(codes, [sector_of_sic(c) for c in codes], default=None, return_dtype=pl.String)
