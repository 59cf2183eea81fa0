"""The quick way through a page of bars gives what the reading bar by bar gives, and takes no page with a defect."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime

import polars as pl
import pytest

from aitrader.domain.errors import SourceError
from aitrader.domain.frames import BARS, QUARANTINE
from aitrader.domain.symbols import canonical
from aitrader.providers import alpaca, polygon
from aitrader.providers.bodies import Page, canonical_texts
from tests.providers.parse_fuzzer import VALUES, mutated

Bar = dict[str, object]
Changed = Callable[[list[Bar]], None]
DAYS = [date(2024, 6, 28), date(2024, 7, 1), date(2024, 7, 2), date(2024, 7, 3), date(2024, 12, 24), date(2025, 1, 2)]
SYMBOLS = ["AAPL", "ABR-P-D", "ABR.PRD", "BRK.B", "BRK/A", "NA", "PL.WS", "TRUE", "ZZZ"]
VENDORS = ("alpaca", "polygon", "aggregates")


def bar(rng: random.Random, vendor: str, day: date) -> Bar:
    """A believable bar; a whole number is sometimes written as one, an optional field sometimes missing."""
    low, high = sorted(round(rng.uniform(1, 500), rng.randint(0, 4)) for _ in range(2))
    start, close = (round(rng.uniform(low, high), 4) for _ in range(2))
    midnight = datetime(day.year, day.month, day.day, 4 if 3 < day.month < 11 else 5, tzinfo=UTC)
    stamp: object = midnight.strftime("%Y-%m-%dT%H:%M:%SZ")
    if vendor != "alpaca":
        stamp = int(midnight.timestamp() * 1000)
    row: Bar = {"t": stamp, "o": min(max(start, low), high), "h": high, "l": low, "c": min(max(close, low), high)}
    row |= {"v": rng.choice((0, 7, 10**9, 1234.5)), "n": rng.randint(0, 10**6), "vw": low}
    row |= {name: int(value) for name, value in row.items() if isinstance(value, float) and value.is_integer()}
    for name in rng.sample(["o", "h", "l", "v", "n", "vw"], rng.choice((0, 0, 0, 1, 2))):
        if rng.random() < 0.5:
            del row[name]
        else:
            row[name] = None
    return row


def body(vendor: str, bars: Sequence[tuple[object, Bar]]) -> bytes:
    """The answer with these bars of symbols, in this order."""
    if vendor == "alpaca":
        by_symbol: dict[object, list[Bar]] = {}
        for symbol, row in bars:
            by_symbol.setdefault(symbol, []).append(row)
        return json.dumps({"bars": by_symbol, "next_page_token": "more"}).encode()
    rows = [row if vendor == "aggregates" else {"T": symbol, **row} for symbol, row in bars]
    around = {"status": "OK", "queryCount": len(rows), "resultsCount": len(rows), "next_url": "https://h/v2/x?cursor=1"}
    return json.dumps({**around, "results": rows, "ticker": "BRK.B" if vendor == "aggregates" else None}).encode()


def page_of(rng: random.Random, vendor: str) -> list[tuple[object, Bar]]:
    """A page of believable bars, sometimes not in order."""
    symbols = ["BRK.B"] if vendor == "aggregates" else rng.sample([s for s in SYMBOLS if s != "ABR.PRD"], 4)
    bars: list[tuple[object, Bar]] = [(symbol, bar(rng, vendor, day)) for symbol in symbols for day in DAYS]
    if rng.random() < 0.5:
        rng.shuffle(bars)
    return bars


def quick(vendor: str, answer: bytes) -> Page | None:
    return alpaca._plain(answer) if vendor == "alpaca" else polygon._plain(answer, "polygon/bars")


def careful(vendor: str, answer: bytes) -> Page:
    return alpaca._bar_by_bar(answer) if vendor == "alpaca" else polygon._bar_by_bar(answer, "polygon/bars")


def whichever(vendor: str, answer: bytes) -> Page:
    return alpaca.parse_bars(answer) if vendor == "alpaca" else polygon._bars(answer, "polygon/bars")


def outcome(read: Callable[[str, bytes], Page], vendor: str, answer: bytes) -> object:
    """Everything that a reading gives, comparable to the bit."""
    try:
        page = read(vendor, answer)
    except SourceError as error:
        return str(error)
    assert page.frame.schema == pl.Schema(BARS)
    assert page.quarantine.schema == pl.Schema(QUARANTINE)
    return repr(page.frame.rows()), page.quarantine.rows(), page.next_token


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("seed", range(12))
def test_a_page_without_a_defect_is_read_the_quick_way(vendor: str, seed: int) -> None:
    bars = page_of(random.Random(seed), vendor)
    answer = body(vendor, bars)
    taken = quick(vendor, answer)
    assert taken is not None
    assert taken.frame.height == len(bars)
    assert taken.next_token is not None
    assert outcome(lambda *_: taken, vendor, answer) == outcome(careful, vendor, answer)


DEFECTS: dict[str, tuple[str, object]] = {
    "no close": ("c", None),
    "a close of nothing": ("c", 0),
    "a negative close": ("c", -1.5),
    "a price that is a text": ("o", "10"),
    "a price that is true": ("c", True),
    "an open of nothing": ("o", 0),
    "a low of nothing": ("l", 0),
    "an average of nothing": ("vw", 0),
    "an open below the low": ("o", 0.5),
    "a high below the low": ("h", 0.5),
    "a low above the high": ("l", 10_000),
    "an open out of range": ("o", 10_000),
    "a negative average": ("vw", -1),
    "a negative volume": ("v", -1),
    "a volume of minus nothing": ("v", -0.0),
    "a negative count": ("n", -1),
    "an integer past 64 bits": ("v", 2**63),
    "a number that is none": ("c", float("nan")),
    "an infinite volume": ("v", float("inf")),
    "a volume that is a list": ("v", [1]),
    "no day": ("t", None),
    "a day that is none": ("t", "soon"),
    "a day in the year 1": ("t", "0001-01-01T00:00:00Z"),
    "a millisecond before 1970": ("t", -1),
    "a millisecond that is a huge number": ("t", 2**62),
    "a holiday": ("t", "2024-07-04T04:00:00Z"),
    "a holiday in milliseconds": ("t", 1_720_065_600_000),
    "a Saturday": ("t", "2024-06-29T04:00:00Z"),
    "half of a surrogate pair": ("t", "\ud800"),
    "a field that nobody knows": ("new", {"a": [1]}),
}


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("defect", DEFECTS)
def test_a_page_with_a_defect_is_read_bar_by_bar(defect: str, vendor: str) -> None:
    bars = page_of(random.Random(1), vendor)
    name, value = DEFECTS[defect]
    bars[5] = (bars[5][0], {**bars[5][1], "h": 499, "l": 1, "c": 7, "o": 7, "v": 1, name: value})
    answer = body(vendor, bars)
    assert quick(vendor, answer) is None
    assert outcome(whichever, vendor, answer) == outcome(careful, vendor, answer)


@pytest.mark.parametrize("vendor", ["alpaca", "polygon"])
@pytest.mark.parametrize(
    "symbols",
    [["?"], [""], ["A B C"], ["\ud800"], ["ABR-P-D", "ABR.PRD"], ["BRK/B", "BRK.B"], ["x" * 40]],
    ids=["a mark", "nothing", "three words", "half of a pair", "preferred twice", "class twice", "long"],
)
def test_symbols_that_are_none_or_the_same(vendor: str, symbols: list[str]) -> None:
    rng = random.Random(2)
    bars = page_of(rng, vendor) + [(symbol, bar(rng, vendor, DAYS[0])) for symbol in symbols]
    bars = [pair for pair in bars if pair[0] not in ("ABR-P-D", "BRK.B") or pair[0] in symbols]
    answer = body(vendor, bars)
    assert quick(vendor, answer) is None
    assert outcome(whichever, vendor, answer) == outcome(careful, vendor, answer)


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_bar_that_stands_twice(vendor: str) -> None:
    bars = page_of(random.Random(3), vendor)
    for again in (bars[4], (bars[4][0], {**bars[4][1], "n": 77})):
        answer = body(vendor, [*bars, again])
        assert quick(vendor, answer) is None
        assert outcome(whichever, vendor, answer) == outcome(careful, vendor, answer)


def test_the_symbol_of_the_whole_answer() -> None:
    rows = [bar(random.Random(4), "polygon", day) for day in DAYS]
    for value in (*VALUES, *SYMBOLS):
        try:
            answer = json.dumps({"status": "OK", "results": rows, "ticker": value}).encode()
        except ValueError:  # an integer too long for Python to write
            continue
        assert (quick("polygon", answer) is None) == (canonical(value) is None), value
        assert outcome(whichever, "polygon", answer) == outcome(careful, "polygon", answer), value


@pytest.mark.parametrize("around", [{"status": "ERROR"}, {"resultsCount": 999}, {"next_url": "http://[::1"}])
def test_an_answer_that_is_wrong_as_a_whole(around: dict[str, object]) -> None:
    answer = json.dumps({**json.loads(body("polygon", page_of(random.Random(5), "polygon"))), **around}).encode()
    assert isinstance(outcome(careful, "polygon", answer), str)
    assert outcome(whichever, "polygon", answer) == outcome(careful, "polygon", answer)


@pytest.mark.parametrize("vendor", VENDORS)
def test_damaged_pages_are_read_alike(vendor: str) -> None:
    rng, taken = random.Random(f"alike/{vendor}"), 0
    bodies = [body(vendor, page_of(rng, vendor)[:6]) for _ in range(5)]
    for _ in range(400):
        answer = mutated(rng.choice(bodies), rng)
        assert outcome(whichever, vendor, answer) == outcome(careful, vendor, answer)
        try:
            taken += quick(vendor, answer) is not None
        except SourceError:
            continue
    assert 0 < taken < 400


def test_symbols_that_are_canonical_stay_and_the_others_are_spelled() -> None:
    roots = ["A", "AAPL", "ABCDEFGH", "A1", "P", "W"]
    ends = ["", "-P-A", "-P-P", "-P-W", "-P", ".WS", ".U", ".A", ".B", ".P", ".R", ".W", ".RT", ".WI", "p", "pD"]
    texts = [root + end for root in roots for end in ends] + ["", " AAPL ", "aapl", "ABCDEFGHI", "1A", "A\n", "x" * 50]
    assert canonical_texts(pl.Series([*texts, None])).to_list() == [*map(canonical, texts), None]
