"""The physical limit: what it costs to touch the input once, whatever is then computed from it.

As a process: ``python -m bench.limit FOLDER`` reads the bars into arrays and sums them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from bench.data import COLUMNS, Market, read
from bench.timing import Figure, UnmeasuredError, module, process, warm


def figures(bars: Market, folder: Path, repeats: int) -> dict[str, Figure | UnmeasuredError]:
    """Summing and copying the arrays in memory, reading the Parquet file, and a process that reads and sums."""
    arrays = list(bars.arrays().values())
    size = sum(x.nbytes for x in arrays) / 2**20
    target = np.empty_like(arrays[0])

    def copy() -> None:
        for x in arrays:
            np.copyto(target, x)

    return {
        "limit.sum": warm(lambda: total(bars), repeats=repeats, note=f"{size:.0f} MB of float64"),
        "limit.copy": warm(copy, repeats=repeats),
        "limit.parquet": warm(lambda: read(folder), repeats=repeats),
        "limit.process": process(module("bench.limit", str(folder)), repeats=repeats),
        "limit.python": process([sys.executable, "-c", "import numpy, polars"], repeats=repeats),
    }


def total(bars: Market) -> float:
    """The sum of all bars' numbers: one pass over the bytes."""
    return float(sum(np.add.reduce(getattr(bars, name), axis=None) for name in COLUMNS))


if __name__ == "__main__":
    print(total(read(Path(sys.argv[1]))))
