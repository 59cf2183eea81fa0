"""Checkpoints are exact, found by session and version, pruned, and never believed when damaged."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from aitrader.domain.errors import UsageError
from aitrader.store.store import Store
from tests.store.builders import CALENDAR, START, day, new_store


def save(store: Store, position: int, value: float = 1.0, version: str = "f1") -> np.ndarray:
    matrix = np.full((4, 7), value) * np.arange(7) + position
    matrix[2, 3] = np.nan
    store.save_checkpoint(
        session=day(position), version=version, input_digest=f"in{position}", matrix=matrix, meta={"rows": ["a", "b"]}
    )
    return matrix


def test_a_checkpoint_comes_back_bit_for_bit(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    matrix = save(store, 5, value=0.1)
    found = store.load_checkpoint(version="f1", on_or_before=day(9))
    assert found is not None
    assert (found.session, found.input_digest, found.meta) == (day(5), "in5", {"rows": ["a", "b"]})
    assert found.matrix.tobytes() == matrix.tobytes()


@pytest.mark.parametrize(("asked", "found"), [(4, None), (5, 5), (6, 5), (7, 7), (99, 7)])
def test_the_newest_up_to_a_session_answers(tmp_path: Path, asked: int, found: int | None) -> None:
    store = new_store(tmp_path)
    save(store, 5)
    save(store, 7)
    checkpoint = store.load_checkpoint(version="f1", on_or_before=day(asked))
    assert (checkpoint and checkpoint.session) == (None if found is None else day(found))
    assert store.load_checkpoint(version="f2", on_or_before=day(99)) is None


@pytest.mark.parametrize("damage", ["flip", "cut", "header", "empty", "magic"])
def test_a_damaged_checkpoint_is_found_and_an_older_one_answers(tmp_path: Path, damage: str) -> None:
    store = new_store(tmp_path)
    save(store, 5)
    save(store, 7)
    path = store.home.checkpoints / "f1" / f"{day(7)}.ckpt"
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[-9] ^= 1
    elif damage == "cut":
        del content[-8:]
    elif damage == "header":
        content[20] = 0
    elif damage == "empty":
        content.clear()
    else:
        content[0] ^= 1
    path.write_bytes(content)
    found = store.load_checkpoint(version="f1", on_or_before=day(9))
    assert found is not None
    assert found.session == day(5)
    assert store.checkpoint_sessions("f1") == [day(5)]


def test_the_newest_three_and_one_of_each_sixty_sessions_stay(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    positions = range(0, 400, 5)
    for position in positions:
        save(store, position)
    kept = [CALENDAR.ordinal(session) - START for session in store.checkpoint_sessions("f1")]
    firsts = {}
    for position in positions:
        firsts.setdefault((START + position) // 60, position)
    assert kept == sorted({*firsts.values(), 385, 390, 395})


def test_headers_are_read_without_the_matrix(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    save(store, 5)
    (header,) = store.checkpoint_headers("f1")
    assert (header.session, header.input_digest, header.shape) == (day(5), "in5", (4, 7))


def test_an_empty_matrix_is_a_checkpoint_too(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.save_checkpoint(session=day(1), version="f1", input_digest="", matrix=np.empty((3, 0)), meta={})
    found = store.load_checkpoint(version="f1", on_or_before=day(1))
    assert found is not None
    assert found.matrix.shape == (3, 0)


@pytest.mark.parametrize(
    ("matrix", "version"),
    [(np.zeros(3), "f1"), (np.zeros((2, 2), dtype=np.float32), "f1"), (np.zeros((2, 2)), "../f1")],
)
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, matrix: np.ndarray, version: str) -> None:
    store = new_store(tmp_path)
    with pytest.raises(UsageError):
        store.save_checkpoint(session=date(2024, 1, 2), version=version, input_digest="", matrix=matrix, meta={})
