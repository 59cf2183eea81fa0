"""One spelling for every symbol, and every vendor's spelling in and out of it.

The canonical forms, ``ROOT`` being one to eight letters or digits that start with a letter:

========================  ==============  =========================================
what                      canonical       met as
========================  ==============  =========================================
one class                 ``AAPL``        ``aapl``, ``'AAPL   '``
a class of several        ``BRK.B``       ``BRK/B``, ``BRK-B``, ``BRK B``
preferred, series D       ``ABR-P-D``     ``ABR^D``, ``ABR$D``, ``ABRpD``, ``ABR-PD``, ``ABR.PRD``
preferred without series  ``ETI-P``       ``ETI^``, ``ETI$``, ``ETIp``, ``ETI.PR``
warrant                   ``PL.WS``       ``PL.W``, ``PL+``, ``PL-WT``, ``PL/WS``
warrant of a series       ``NE.WS.A``     ``NE+A``, ``NE-WTA``
unit                      ``HYAC.U``      ``HYAC=``, ``HYAC-UN``
right                     ``CELG.RT``     ``CELG.R``, ``CELGr``, ``CELG-RI``
when issued               ``JQC.WI``      ``JQCw``, ``JQC#``
right when issued         ``JQC.RT.WI``   ``JQCrw``, ``JQC^#``
========================  ==============  =========================================

The Python functions and the Polars expressions read the same table of rules. A symbol is always text: ``NA``,
``NAN``, ``TRUE``, ``ON``, ``NO``, ``Y`` and ``NULL`` are symbols. The class letters P, R, U and W are taken for
preferred, right, unit and warrant, as every US exchange uses them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Final

import polars as pl

ROOT: Final = "([A-Z][A-Z0-9]{0,7})"
SEP: Final = "[./ -]"

BLANKS: Final = " \t\n\r\f\v\u00a0"

Rule = tuple[str, str]  # a pattern over the whole text, and the form it takes: ``${1}`` a group, ``$$`` a dollar

_MARKED: Final[tuple[Rule, ...]] = (  # lower-case marks after an upper-case root: consolidated tape, Polygon
    (f"^{ROOT}p([A-Z])$", "${1}-P-${2}"),
    (f"^{ROOT}p$", "${1}-P"),
    (f"^{ROOT}rw$", "${1}.RT.WI"),
    (f"^{ROOT}r$", "${1}.RT"),
    (f"^{ROOT}w$", "${1}.WI"),
)
_SHARED: Final[tuple[Rule, ...]] = (  # over the upper-cased text; the first that matches decides
    (f"^{ROOT}$", "${1}"),
    (f"^{ROOT}[\\^$]([A-Z])$", "${1}-P-${2}"),
    (f"^{ROOT}[\\^$]$", "${1}-P"),
    (f"^{ROOT}-P-?([A-Z])$", "${1}-P-${2}"),
    (f"^{ROOT}{SEP}PR{SEP}?([A-Z])$", "${1}-P-${2}"),
    (f"^{ROOT}{SEP}(?:P|PR)$", "${1}-P"),
    (f"^{ROOT}{SEP}P([A-Z])$", "${1}-P-${2}"),
    (f"^{ROOT}(?:{SEP}(?:W|WS|WT)|\\+)$", "${1}.WS"),
    (f"^{ROOT}(?:{SEP}(?:WS|WT){SEP}?|\\+)([A-Z])$", "${1}.WS.${2}"),
    (f"^{ROOT}(?:{SEP}(?:U|UN)|=)$", "${1}.U"),
    (f"^{ROOT}{SEP}(?:R|RT|RI)$", "${1}.RT"),
    (f"^{ROOT}(?:{SEP}WI|#)$", "${1}.WI"),
    (f"^{ROOT}(?:{SEP}RT{SEP}?WI|\\^#)$", "${1}.RT.WI"),
    (f"^{ROOT}{SEP}([A-Z])$", "${1}.${2}"),
    (f"^{ROOT}\\.([A-Z]{{2}})$", "${1}.${2}"),
)
_INTEGRATED: Final[tuple[Rule, ...]] = (  # the integrated platform's marks that mean something else elsewhere
    (f"^{ROOT}-([A-Z])$", "${1}-P-${2}"),
    (f"^{ROOT}-$", "${1}-P"),
    (f"^{ROOT}\\^$", "${1}.RT"),
)

# How each provider writes a form; the keys are the patterns of the canonical spelling.
_PREFERRED, _PREFERRED_PLAIN = f"^{ROOT}-P-([A-Z])$", f"^{ROOT}-P$"
_WARRANT, _WARRANT_SERIES = f"^{ROOT}\\.WS$", f"^{ROOT}\\.WS\\.([A-Z])$"
_UNIT, _RIGHT, _RIGHT_ISSUE = f"^{ROOT}\\.U$", f"^{ROOT}\\.RT$", f"^{ROOT}\\.RT\\.WI$"
_WHEN_ISSUED, _CLASS = f"^{ROOT}\\.WI$", f"^{ROOT}\\.([A-Z]{{1,2}})$"


def _spelling(
    *,
    preferred: str,
    plain: str,
    warrant: str,
    series: str,
    unit: str,
    right: str,
    right_issue: str,
    issue: str,
    share_class: str,
) -> tuple[Rule, ...]:
    return (
        (_PREFERRED, "${1}" + preferred + "${2}"),
        (_PREFERRED_PLAIN, "${1}" + plain),
        (_WARRANT, "${1}" + warrant),
        (_WARRANT_SERIES, "${1}" + series + "${2}"),
        (_UNIT, "${1}" + unit),
        (_RIGHT, "${1}" + right),
        (_RIGHT_ISSUE, "${1}" + right_issue),
        (_WHEN_ISSUED, "${1}" + issue),
        (_CLASS, "${1}" + share_class + "${2}"),
    )


def _separated(mark: str, *, preferred: str, plain: str, warrant: str, unit: str, right: str) -> tuple[Rule, ...]:
    """A provider that puts one mark before every suffix."""
    return _spelling(
        preferred=mark + preferred,
        plain=mark + plain,
        warrant=mark + warrant,
        series=mark + warrant + (mark if mark != "-" else ""),
        unit=mark + unit,
        right=mark + right,
        right_issue=f"{mark}RT{mark}WI",
        issue=mark + "WI",
        share_class=mark,
    )


_TAPE: Final = _spelling(
    preferred="p",
    plain="p",
    warrant=".WS",
    series=".WS.",
    unit=".U",
    right="r",
    right_issue="rw",
    issue="w",
    share_class=".",
)
_HYPHENS: Final = _separated("-", preferred="P", plain="P", warrant="WT", unit="UN", right="RI")
SPELLINGS: Final[Mapping[str, tuple[Rule, ...]]] = {
    "alpaca": _separated(".", preferred="PR", plain="PR", warrant="WS", unit="U", right="RT"),
    "polygon": _TAPE,
    "tape": _TAPE,
    "sec": _HYPHENS,
    "yahoo": _HYPHENS,
    "space": _separated(" ", preferred="PR", plain="PR", warrant="WS", unit="U", right="RT"),
    "screener": _spelling(
        preferred="^",
        plain="^",
        warrant="/WS",
        series="/WS/",
        unit="/U",
        right="/RT",
        right_issue="^#",
        issue="/WI",
        share_class="/",
    ),
    "directory": _spelling(
        preferred="$$",
        plain="$$",
        warrant=".W",
        series=".WS.",
        unit=".U",
        right=".R",
        right_issue=".RT.WI",
        issue=".WI",
        share_class=".",
    ),
    "integrated": _spelling(
        preferred="-",
        plain="-",
        warrant="+",
        series="+",
        unit="=",
        right="^",
        right_issue="^#",
        issue="#",
        share_class=".",
    ),
}
PROVIDERS: Final[tuple[str, ...]] = tuple(sorted(SPELLINGS))


def canonical(text: object, *, provider: str | None = None) -> str | None:
    """The canonical spelling of any vendor's symbol; None for what cannot be a symbol.

    ``provider`` is needed only for ``integrated``, whose ``ABR-D`` and ``CELG^`` mean something else elsewhere.
    """
    if not isinstance(text, str):
        return None
    raw = text.strip(BLANKS)
    if not raw.isascii():
        return None
    for pattern, form in _compiled(_MARKED):
        if match := pattern.match(raw):
            return match.expand(form)
    upper = raw.upper()
    for pattern, form in _compiled(_reading(provider)):
        if match := pattern.match(upper):
            return match.expand(form)
    return None


def spell(symbol: str, provider: str) -> str:
    """A canonical symbol in the spelling of ``provider`` (one of :data:`PROVIDERS`)."""
    for pattern, form in _compiled(_writing(provider)):
        if match := pattern.match(symbol):
            return match.expand(form)
    return symbol


def canonical_expr(text: pl.Expr, *, provider: str | None = None) -> pl.Expr:
    """The same as :func:`canonical` over a whole column of text; null for what cannot be a symbol."""
    raw = text.str.strip_chars(BLANKS)
    upper = pl.when(raw.str.contains("^[ -~]*$")).then(raw.str.to_uppercase())
    marked = [_when(raw, rule) for rule in _MARKED]
    return pl.coalesce(*marked, *(_when(upper, rule) for rule in _reading(provider)))


def spell_expr(symbol: pl.Expr, provider: str) -> pl.Expr:
    """The same as :func:`spell` over a whole column of canonical symbols."""
    return pl.coalesce(*(_when(symbol, rule) for rule in _writing(provider)), symbol)


def root_expr(symbol: pl.Expr) -> pl.Expr:
    """The root of canonical symbols: BRK for BRK.B, ABR for ABR-P-D."""
    return symbol.str.extract(f"^{ROOT}", 1)


def _when(text: pl.Expr, rule: Rule) -> pl.Expr:
    pattern, form = rule
    return pl.when(text.str.contains(pattern)).then(text.str.replace(pattern, form))


def _reading(provider: str | None) -> tuple[Rule, ...]:
    if provider is not None and provider not in SPELLINGS:
        raise ValueError(f"no spelling known for provider {provider!r}; known: {', '.join(PROVIDERS)}")
    return _INTEGRATED + _SHARED if provider == "integrated" else _SHARED


def _writing(provider: str) -> tuple[Rule, ...]:
    if provider not in SPELLINGS:
        raise ValueError(f"no spelling known for provider {provider!r}; known: {', '.join(PROVIDERS)}")
    return SPELLINGS[provider]


@cache
def _compiled(rules: tuple[Rule, ...]) -> tuple[tuple[re.Pattern[str], str], ...]:
    """The rules for Python's ``re``, which writes a group as ``\\g<1>`` where Polars writes ``${1}``."""
    return tuple(
        (re.compile(p[:-1] + r"\Z"), re.sub(r"\$\{(\d)\}", r"\\g<\1>", f).replace("$$", "$")) for p, f in rules
    )
