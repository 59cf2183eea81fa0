"""One spelling in, every vendor's out; the Python functions and the Polars expressions agree."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aitrader.domain.symbols import PROVIDERS, canonical, canonical_expr, root_expr, spell, spell_expr

ROWS = [  # what a vendor writes, and what it is
    ("AAPL", "AAPL"),
    ("aapl", "AAPL"),
    ("ECC           ", "ECC"),
    (" AAPL\t", "AAPL"),
    ("BRK.B", "BRK.B"),
    ("BRK/B", "BRK.B"),
    ("BRK-B", "BRK.B"),
    ("BRK B", "BRK.B"),
    ("brk.b", "BRK.B"),
    ("BF/A", "BF.A"),
    ("ABR^D", "ABR-P-D"),
    ("ABR$D", "ABR-P-D"),
    ("ABRpD", "ABR-P-D"),
    ("ABR-PD", "ABR-P-D"),
    ("ABR.PRD", "ABR-P-D"),
    ("ABR.PR.D", "ABR-P-D"),
    ("ABR PRD", "ABR-P-D"),
    ("ABR-P-D", "ABR-P-D"),
    ("TFC-PR", "TFC-P-R"),  # series R, as the SEC writes it
    ("ETI^", "ETI-P"),
    ("ETI$", "ETI-P"),
    ("ETIp", "ETI-P"),
    ("ETI-P", "ETI-P"),
    ("ETI.PR", "ETI-P"),
    ("PL.W", "PL.WS"),
    ("PL+", "PL.WS"),
    ("PL-WT", "PL.WS"),
    ("PL.WS", "PL.WS"),
    ("VHAI-WTB", "VHAI.WS.B"),
    ("NE+A", "NE.WS.A"),
    ("NE.WS.A", "NE.WS.A"),
    ("AACT=", "AACT.U"),
    ("GRP-UN", "GRP.U"),
    ("HYAC.U", "HYAC.U"),
    ("CELG-RI", "CELG.RT"),
    ("IFN-RT", "IFN.RT"),
    ("CELG.R", "CELG.RT"),
    ("CELGr", "CELG.RT"),
    ("JQCrw", "JQC.RT.WI"),
    ("JQC^#", "JQC.RT.WI"),
    ("MKC.V", "MKC.V"),
    *((word, word) for word in ("NA", "NAN", "TRUE", "ON", "NO", "Y", "NULL", "INF")),
    ("", None),
    ("   ", None),
    ("BRK..B", None),
    ("A.B.C", None),
    ("12", None),
    ("File Creation Time: 0328202518:01", None),
    ("ÄÖ", None),
    ("ß", None),
    ("AAPL;DROP", None),
    ("AAPL MSFT", None),
    ("BTC/USD", None),
    ("ABC.CL", "ABC.CL"),
    ("AAPL\n\nMSFT", None),
    (None, None),
]


@pytest.mark.parametrize(("text", "wanted"), ROWS)
def test_every_spelling_in(text: str | None, wanted: str | None) -> None:
    assert canonical(text) == wanted


def test_whole_column_equals_one_by_one() -> None:
    frame = pl.DataFrame(ROWS, schema={"text": pl.String, "wanted": pl.String}, orient="row")
    assert frame.select(canonical_expr(pl.col("text"))).to_series().to_list() == frame["wanted"].to_list()


@pytest.mark.parametrize("value", [float("nan"), True, 7, b"AAPL", ["AAPL"]])
def test_what_is_no_text_is_no_symbol(value: object) -> None:
    assert canonical(value) is None


@pytest.mark.parametrize(
    ("text", "plain", "integrated"),
    [
        ("ABR-D", "ABR.D", "ABR-P-D"),
        ("CELG^", "CELG-P", "CELG.RT"),
        ("ETI-", None, "ETI-P"),
        ("BRK.A", "BRK.A", "BRK.A"),
    ],
)
def test_the_integrated_platform_has_marks_of_its_own(text: str, plain: str | None, integrated: str) -> None:
    assert canonical(text) == plain
    assert canonical(text, provider="integrated") == integrated


@pytest.mark.parametrize(
    ("symbol", "provider", "wanted"),
    [
        ("BRK.B", "alpaca", "BRK.B"),
        ("BRK.B", "polygon", "BRK.B"),
        ("BRK.B", "sec", "BRK-B"),
        ("BRK.B", "screener", "BRK/B"),
        ("BRK.B", "space", "BRK B"),
        ("BRK.B", "directory", "BRK.B"),
        ("ABR-P-D", "alpaca", "ABR.PRD"),
        ("ABR-P-D", "polygon", "ABRpD"),
        ("ABR-P-D", "sec", "ABR-PD"),
        ("ABR-P-D", "screener", "ABR^D"),
        ("ABR-P-D", "directory", "ABR$D"),
        ("ABR-P-D", "integrated", "ABR-D"),
        ("ETI-P", "screener", "ETI^"),
        ("ETI-P", "directory", "ETI$"),
        ("PL.WS", "directory", "PL.W"),
        ("PL.WS", "sec", "PL-WT"),
        ("NE.WS.A", "tape", "NE.WS.A"),
        ("HYAC.U", "integrated", "HYAC="),
        ("CELG.RT", "polygon", "CELGr"),
        ("AAPL", "yahoo", "AAPL"),
    ],
)
def test_every_spelling_out(symbol: str, provider: str, wanted: str) -> None:
    assert spell(symbol, provider) == wanted
    assert pl.select(spell_expr(pl.lit(symbol), provider)).item() == wanted


def test_an_unknown_provider_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no spelling known for provider 'nasdq'; known: alpaca"):
        spell("BRK.B", "nasdq")
    with pytest.raises(ValueError, match="nasdq"):
        canonical("BRK.B", provider="nasdq")


QUICK = settings(deadline=None, derandomize=True)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
roots = st.from_regex(r"[A-Z][A-Z0-9]{0,5}", fullmatch=True)
class_letters = st.sampled_from(sorted(set(LETTERS) - set("PRUW")))
symbols = st.one_of(
    roots,
    st.builds("{}.{}".format, roots, class_letters),
    st.builds("{}-P-{}".format, roots, st.sampled_from(LETTERS)),
    st.builds("{}-P".format, roots),
    st.builds("{}.WS".format, roots),
    st.builds("{}.WS.{}".format, roots, st.sampled_from(LETTERS)),
    st.builds("{}.U".format, roots),
    st.builds("{}.RT".format, roots),
    st.builds("{}.WI".format, roots),
    st.builds("{}.RT.WI".format, roots),
)


@QUICK
@given(symbols, st.sampled_from(PROVIDERS))
def test_out_and_in_again_is_the_same_symbol(symbol: str, provider: str) -> None:
    assert canonical(spell(symbol, provider), provider=provider) == symbol


@QUICK
@given(symbols)
def test_the_canonical_spelling_is_read_as_itself(symbol: str) -> None:
    assert canonical(symbol) == symbol
    assert canonical(symbol.lower()) == symbol or symbol.lower()[-1] in "prw"


@QUICK
@given(st.lists(st.one_of(symbols, st.text(max_size=8)), max_size=20), st.sampled_from(PROVIDERS))
def test_columns_agree_with_single_symbols_on_anything(texts: list[str], provider: str) -> None:
    column = pl.DataFrame({"text": texts}, schema={"text": pl.String})
    read = column.select(canonical_expr(pl.col("text"), provider=provider)).to_series().to_list()
    assert read == [canonical(text, provider=provider) for text in texts]
    written = pl.DataFrame({"text": read}, schema={"text": pl.String})
    spelled = written.select(spell_expr(pl.col("text"), provider)).to_series().to_list()
    assert spelled == [None if symbol is None else spell(symbol, provider) for symbol in read]


def test_root_of_a_symbol() -> None:
    frame = pl.DataFrame({"symbol": ["BRK.B", "ABR-P-D", "AAPL", "NE.WS.A"]})
    assert frame.select(root_expr(pl.col("symbol"))).to_series().to_list() == ["BRK", "ABR", "AAPL", "NE"]
