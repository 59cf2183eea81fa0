"""What stands around the results of every Polygon answer: a status, how many rows there are, where to read on."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlsplit

from msgspec import Struct

from aitrader.domain.errors import SourceError
from aitrader.providers.bodies import Row, decode, objects, printable, unreadable

GOOD: Final = ("OK", "DELAYED")


class Around(Struct, kw_only=True, rename={"results_count": "resultsCount", "query_count": "queryCount"}):
    """What every answer of Polygon has around its results."""

    status: str
    count: int | None = None
    results_count: int | None = None
    query_count: int | None = None
    next_url: str | None = None
    ticker: Any = None


class Answer(Around, kw_only=True):
    """An answer with results of whatever kind."""

    results: Any = None


def answer_of(body: bytes, endpoint: str) -> Answer:
    """An answer whose status is a good one; a SourceError otherwise."""
    found = decode(body, Answer, endpoint=endpoint)
    if found.status not in GOOD:
        raise unreadable(endpoint, f"its status is {printable(found.status)}")
    return found


def results_of(body: bytes, endpoint: str, *, queried: bool = False) -> tuple[list[Row], str | None, Any]:
    """The rows of an answer, as many as it says that there are, the way to the next page, and the answer's ticker."""
    found = answer_of(body, endpoint)
    results = found.results
    if results is None and 0 in (found.count, found.results_count):
        results = []  # a closed day has no list at all
    if not isinstance(results, list):
        raise unreadable(endpoint, "it holds no list of results")
    whole(found, len(results), endpoint, queried=queried)
    return objects(results, endpoint=endpoint), next_page(found.next_url, endpoint), found.ticker


def whole(found: Around, received: int, endpoint: str, *, queried: bool = False) -> None:
    """Nothing where an answer has as many rows as it says that there are; a SourceError where some are missing."""
    told = [("count", found.count), ("resultsCount", found.results_count)]
    told += [("queryCount", found.query_count)] if queried else []
    for name, number in told:
        if number is not None and number > received:
            raise SourceError(
                f"{endpoint}: rows are missing",
                why=f"{name} is {printable(number)}, received {received}",
                do="ask again; nothing of this answer was taken",
            )


def next_page(url: str | None, endpoint: str) -> str | None:
    """The path and query of the next page; the host is ours to choose, and a key has no place in an address."""
    if not url:
        return None
    try:
        parts = urlsplit(url)
        query = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        raise unreadable(endpoint, "next_url is no address") from None
    if not parts.path.startswith("/") or not parts.query:
        raise unreadable(endpoint, f"next_url has no path and query: {printable(parts.path)}")
    kept = "&".join(
        f"{quote(name, safe='')}={quote(value, safe='', errors='replace')}"
        for name, value in query
        if name.lower() != "apikey"
    )
    return f"{parts.path}?{kept}"
