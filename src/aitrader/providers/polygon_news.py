"""Polygon's articles, read page by page and made columns together: a frame a page is slow where there are hundreds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import numpy as np
import polars as pl
from msgspec import Struct

from aitrader.domain.frames import NEWS, empty
from aitrader.providers.bodies import Page, column, news_page
from aitrader.providers.plain_bars import quickly
from aitrader.providers.polygon import parse_news
from aitrader.providers.polygon_answers import GOOD, Around, next_page, whole

FILE: Final = "polygon/news"
MOODS: Final = {"positive": 1.0, "neutral": 0.0, "negative": -1.0}


class _Insight(Struct, gc=False):
    ticker: str
    sentiment: str


class _Publisher(Struct, frozen=True, gc=False):
    name: str | None = None


class _Article(Struct):
    published_utc: str
    title: str
    tickers: list[str]
    insights: list[_Insight] = []
    publisher: _Publisher = _Publisher()
    description: str | None = None


class _Articles(Around, kw_only=True):
    results: list[_Article]


_PLAIN: Final = msgspec.json.Decoder(_Articles)


@dataclass(frozen=True, kw_only=True)
class Articles(Page):
    """One answer whose articles are no columns yet: ``frame`` is empty; ``articles`` is None where one is odd."""

    body: bytes
    articles: Sequence[_Article] | None
    frame: pl.DataFrame = field(default_factory=lambda: empty(NEWS))


def read_articles(body: bytes) -> Articles:
    """The articles of one answer, not yet judged; those of many answers together: :func:`articles_page`."""
    found = quickly(body, _PLAIN)
    if found is None or found.status not in GOOD:
        return Articles(body=body, articles=None, next_token=parse_news(body).next_token)
    whole(found, len(found.results), FILE)
    return Articles(body=body, articles=found.results, next_token=next_page(found.next_url, FILE))


def articles_page(found: Sequence[Articles]) -> Page:
    """The headlines (schema NEWS) of many answers as :func:`parse_news` tells them; of equal ones the first stays."""
    page = _plain_page(found)
    if page is not None:
        return page
    pages = [parse_news(one.body) for one in found]
    frame = pl.concat([page.frame for page in pages]).unique(
        ["symbol", "published_at", "headline"], keep="first", maintain_order=True
    )
    return Page(frame=frame, quarantine=pl.concat([page.quarantine for page in pages]))


def _plain_page(found: Sequence[Articles]) -> Page | None:
    """The headlines where nothing is doubtful: every value is of its type and no rule sets one aside."""
    articles: list[_Article] = []
    for one in found:
        if one.articles is None:
            return None
        articles += one.articles
    symbols: list[str] = []
    scores: list[float | None] = []
    times: list[int] = []
    for article in articles:
        said = {each.ticker: MOODS.get(each.sentiment) for each in article.insights}
        named = [*article.tickers, *(ticker for ticker in said if ticker not in article.tickers)]
        symbols += named
        scores += [said.get(ticker) for ticker in named]
        times.append(len(named))
    told: dict[str, list[Any]] = {
        "headline": [article.title for article in articles],
        "summary": [article.description for article in articles],
        "source": [article.publisher.name for article in articles],
    }
    place = np.repeat(np.arange(len(articles)), times)
    published = column([article.published_utc for article in articles], "instant")
    frame = pl.DataFrame(
        {
            "row": pl.Series(range(1, len(symbols) + 1), dtype=pl.Int64),
            "symbol": column(symbols, "symbol"),
            "published_at": published.gather(place),
            "sentiment": pl.Series(scores, dtype=pl.Float64),
        }
        | {name: column(values, "text").gather(place) for name, values in told.items()}
    )
    page = news_page(frame, file=FILE)
    return page if page.quarantine.is_empty() else None
