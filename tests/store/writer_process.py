"""A process that ingests and publishes in a loop until it is killed: ``writer_process.py ROOT MODE FIRST LAST``.

Delivery and run number n carry n in every value, so that a mixture of two would be seen.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

from aitrader.domain.frames import Delivery
from aitrader.domain.run import ScanRun
from tests.store.builders import NOON, bars, day, delivery, listing, new_store, scan_run

SYMBOLS = [f"S{n:03d}" for n in range(1, 21)]


def numbered_delivery(number: int) -> Delivery:
    """Every close is 10 + number; one session more each time."""
    prices = [bar for name in SYMBOLS for bar in bars(name, range(3 + number), close=10.0 + number)]
    known = NOON.replace(year=2024, month=1, day=1)
    filings = [
        {
            "symbol": name,
            "period_end": day(0),
            "known_at": known + timedelta(days=number),
            "fiscal_period": "Q1",
            "form": "10-Q",
            "revenue": float(number),
        }
        for name in SYMBOLS
    ]
    headlines = [
        {"symbol": name, "published_at": known + timedelta(hours=number), "headline": f"number {number}"}
        for name in SYMBOLS
    ]
    rows = [listing(name, listed_on=day(0), sector=f"sector {number}") for name in SYMBOLS]
    return delivery(rows, prices, fundamentals=filings, news=headlines)


def numbered_run(number: int) -> ScanRun:
    """Layer 1 has 10 + n % 5 members, Layer 2 six of them, Layer 3 the three that begin at n % 4."""
    first = list(range(1, 11 + number % 5))
    second = first[:6]
    third = second[number % 4 : number % 4 + 3]
    return scan_run(
        f"run{number:04d}",
        day(number),
        {1: first, 2: second, 3: third},
        previous=f"run{number - 1:04d}" if number else None,
        header={"number": number},
    )


def main(root: str, mode: str, first: str, last: str) -> None:
    """Say ``ready``, then the number of each step that is done."""
    store = new_store(Path(root))
    print("ready", flush=True)
    for number in range(int(first), int(last)):
        at = NOON + timedelta(minutes=number)
        if mode in ("ingest", "both"):
            store.ingest(numbered_delivery(number), at=at)
        if mode in ("publish", "both"):
            store.publish([numbered_run(number)], at=at)
        print(number, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
