"""What several lists of listings say together, row by row from the specification; the product is not used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

BEST = {
    "security_type": ["polygon", "nasdaq_trader", "alpaca", "sec"],
    "exchange": ["alpaca", "polygon", "nasdaq_trader", "sec"],
    "cik": ["sec", "polygon"],
}
WITNESSES = {
    "security_type": {"polygon", "nasdaq_trader"},
    "exchange": {"alpaca", "polygon", "nasdaq_trader"},
    "cik": {"sec", "polygon"},
}
Lists = Sequence[tuple[str, Mapping[str, Mapping[str, str | None]]]]  # in the order of asking: symbol -> attributes


def symbols(lists: Lists) -> set[str]:
    """A company's symbol at the SEC is no listing, unless nobody else lists anything."""
    adding = [rows for name, rows in lists if name != "sec"] or [rows for _, rows in lists]
    return {symbol for rows in adding for symbol in rows}


def said(lists: Lists, symbol: str, attribute: str) -> Iterator[tuple[str, str]]:
    """Who says what of a symbol, the best first; ``unknown`` is not said."""
    asked = [name for name, _ in lists]
    order = [name for name in BEST.get(attribute, []) if name in asked]
    for name in order + [name for name in asked if name not in order]:
        value = dict(lists)[name].get(symbol, {}).get(attribute)
        if value is not None and not (attribute == "security_type" and value == "unknown"):
            yield name, value


def value(lists: Lists, symbol: str, attribute: str) -> tuple[str | None, str | None]:
    """Who is believed, and what it says."""
    first = next(said(lists, symbol, attribute), None)
    if first is None:
        return None, "unknown" if attribute == "security_type" else None
    return first


def conflicts(lists: Lists) -> set[tuple[str, str]]:
    """Symbol and attribute of what those who know it disagree on."""
    return {
        (symbol, attribute)
        for symbol in symbols(lists)
        for attribute, known in WITNESSES.items()
        if len({told for name, told in said(lists, symbol, attribute) if name in known}) > 1
    }
