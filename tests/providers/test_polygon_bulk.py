"""Polygon's answers read many at a time: what they say together is what each says alone."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import date
from typing import Any

import polars as pl
import pytest

from aitrader.domain.errors import SourceError
from aitrader.domain.frames import NEWS
from aitrader.providers import polygon
from aitrader.providers.polygon_details import FIRST, first_days, read_ticker_details
from aitrader.providers.polygon_news import articles_page, read_articles


def body(results: object, **more: Any) -> bytes:
    return json.dumps({"status": "OK", "results": results} | more).encode()


def article(title: str = "A rises", at: str = "2026-06-01T12:00:00Z", **more: Any) -> dict[str, Any]:
    insight = {"ticker": "A", "sentiment": "positive", "sentiment_reasoning": "because"}
    return {
        "id": "1",
        "publisher": {"name": "Wire", "homepage_url": "https://w"},
        "title": title,
        "published_utc": at,
        "tickers": ["A", "BRK.B"],
        "insights": [insight],
        "description": "x",
    } | more


PLAIN = body([article(), article("B falls", "2026-06-01T13:00:00Z")], count=2, next_url="https://p/v2/x?cursor=c")
AGAIN = body([article(), article(insights=[{"ticker": "C", "sentiment": "negative"}], tickers=[])], count=2)
ODD = {
    "no publisher": article(publisher=None),
    "a publisher without a name": article(publisher={}),
    "no insights": article(insights=None),
    "another word": article(insights=[{"ticker": "A", "sentiment": "mixed"}]),
    "no tickers": article(tickers=None),
    "an empty list": article(tickers=[], insights=[]),
    "no symbol": article(tickers=["?!"]),
    "no text": article(title=" "),
    "no title": article(title=None),
    "no instant": article(at="soon"),
    "a day long ago": article(at="1901-01-01T00:00:00Z"),
    "another zone": article(at="2026-06-01T23:30:00-04:00"),
    "a fraction": article(at="2026-06-01T12:00:00.123456Z"),
    "no description": article(description=None),
    "no object": 7,
}


def alone(*bodies: bytes) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The answers page by page, equal headlines once."""
    read = [polygon.parse_news(each) for each in bodies]
    frame = pl.concat([page.frame for page in read]).unique(
        ["symbol", "published_at", "headline"], keep="first", maintain_order=True
    )
    return frame, pl.concat([page.quarantine for page in read])


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_headlines_together_are_those_of_each_answer(odd: object) -> None:
    bodies = (PLAIN, body([article("C"), odd], count=2), AGAIN)
    found = articles_page([read_articles(each) for each in bodies])
    frame, quarantine = alone(*bodies)
    assert found.frame.schema == pl.Schema(NEWS)
    assert found.frame.equals(frame)
    assert found.quarantine.equals(quarantine)


def test_an_insight_scores_its_symbol_alone() -> None:
    found = articles_page([read_articles(each) for each in (PLAIN, AGAIN)]).frame
    scores = found.filter(pl.col("headline") == "A rises").select("symbol", "sentiment").rows()
    assert scores == [("A", 1.0), ("BRK.B", None), ("C", -1.0)]


def test_nothing_is_no_headline() -> None:
    assert articles_page([]).frame.schema == pl.Schema(NEWS)
    assert articles_page([read_articles(body([], count=0))]).frame.is_empty()


def test_the_way_on_is_told() -> None:
    assert read_articles(PLAIN).next_token == polygon.parse_news(PLAIN).next_token == "/v2/x?cursor=c"
    assert read_articles(AGAIN).next_token is None


DETAIL = {
    "ticker": "BRK.B",
    "composite_figi": "BBG1",
    "list_date": "2010-01-21",
    "share_class_shares_outstanding": 1_300_000_000,
}


@pytest.mark.parametrize(
    ("change", "row"),
    [
        ({}, ("BRK.B", "BBG1", date(2010, 1, 21), 1.3e9)),
        ({"list_date": "soon"}, ("BRK.B", "BBG1", None, 1.3e9)),
        ({"list_date": None, "composite_figi": 7}, ("BRK.B", None, None, 1.3e9)),
        ({"share_class_shares_outstanding": 0}, ("BRK.B", "BBG1", date(2010, 1, 21), None)),
        ({"share_class_shares_outstanding": -5}, ("BRK.B", "BBG1", date(2010, 1, 21), None)),
        ({"share_class_shares_outstanding": "5"}, ("BRK.B", "BBG1", date(2010, 1, 21), None)),
        ({"ticker": "ABRpD"}, ("ABR-P-D", "BBG1", date(2010, 1, 21), 1.3e9)),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, dict) else "",
)
def test_details_of_many_listings(change: dict[str, Any], row: tuple[Any, ...]) -> None:
    rows = [read_ticker_details(body(each)) for each in (DETAIL, DETAIL | change)]
    found = first_days([rows[0], {}, rows[1]])
    assert found.schema == pl.Schema(FIRST)
    assert found.rows() == [("BRK.B", "BBG1", date(2010, 1, 21), 1.3e9), (None, None, None, None), row]


@pytest.mark.parametrize("wrong", [b"", b"{}", b"[]", b"null", b"<html>", b"\xff", body(7), body([], status="ERROR")])
@pytest.mark.parametrize("read", [read_articles, read_ticker_details])
def test_what_is_no_answer_is_refused(read: Callable[[bytes], object], wrong: bytes) -> None:
    with pytest.raises(SourceError, match="polygon/"):
        read(wrong)


def test_missing_articles_are_seen() -> None:
    with pytest.raises(SourceError, match="rows are missing"):
        read_articles(body([article()], count=2))


def test_only_a_source_error_escapes() -> None:
    rng = random.Random(12)
    values = [b"null", b"-1", b"1e400", b"NaN", b'"x"', b"[]", b"{}", b"9" * 60, b'"\\ud800"', b"true"]
    for good, read in [(PLAIN, read_articles), (body(DETAIL), read_ticker_details)] * 150:
        colon = rng.choice([at for at, byte in enumerate(good) if byte == ord(":")])
        end = min(at for at in (good.find(b",", colon), good.find(b"}", colon)) if at > 0)
        cut = rng.randrange(len(good))
        damaged = rng.choice((good[:cut], good[: colon + 1] + rng.choice(values) + good[end:]))
        try:
            found: Any = read(damaged)  # type: ignore[operator]
        except SourceError:
            continue
        if read is read_articles:
            assert articles_page([found]).frame.equals(polygon.parse_news(damaged).frame)
        else:
            assert first_days([found]).height == 1
