"""The read paths: what they answer, what they ask for, and what they must never import."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from aitrader.domain.errors import StoreError, UsageError
from aitrader.store.home import Home, current_market, set_current_market
from aitrader.store.reader import Reader
from aitrader.store.store import Store
from tests.store.builders import NOON, bars, day, delivery, listing, new_store, scan_run

MEMBERS = {1: [1, 2, 3], 2: [3, 1], 3: [1]}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    names = [f"S{n:03d}" for n in range(1, 21)]
    rows = [listing(n, listed_on=day(0), sector="Energy") for n in names]
    rows += [listing("X", listed_on=day(0), delisted_on=day(4)), listing("X", listed_on=day(6))]
    prices = [b for n in names for b in bars(n, range(9))] + bars("X", range(4)) + bars("X", range(6, 9))
    opened = new_store(tmp_path)
    opened.ingest(delivery(rows, prices), at=NOON)
    opened.publish([scan_run(f"r{n}", day(n), MEMBERS, previous=f"r{n - 1}" if n else None) for n in range(5)], at=NOON)
    return opened


@pytest.fixture
def reader(store: Store) -> Iterator[Reader]:
    with Reader.open(store.home) as opened:
        yield opened


def test_members_come_by_rank_with_what_a_table_shows(reader: Reader) -> None:
    found = reader.members("r4", 2)
    assert [(m.symbol, m.rank, m.score, m.sector, m.name) for m in found] == [
        ("S003", 1, 0.5, "Energy", "S003 Inc"),
        ("S001", 2, 0.5, "Energy", "S001 Inc"),
    ]
    assert len(reader.members("r4", 1, limit=2)) == 2


def test_layer_0_is_everything_listed_in_the_session(reader: Reader) -> None:
    names = [f"S{n:03d}" for n in range(1, 21)]
    assert [m.symbol for m in reader.members("r3", 0)] == [*names, "X"]
    assert [m.symbol for m in reader.members("r4", 0)] == names


def test_a_qualification_has_one_verdict_a_layer_reached(reader: Reader) -> None:
    assert [(q.layer, q.verdict, q.member) for q in reader.qualification("r4", "S003")] == [
        (1, 1, True),
        (2, 1, True),
        (3, 0, False),
    ]
    assert [(q.layer, q.member) for q in reader.qualification("r4", "S009")] == [(1, False)]
    assert len(reader.qualifications("r4", 1)) == 20


def test_history_is_oldest_first_and_bounded(reader: Reader) -> None:
    assert [run.run_id for run, _ in reader.history(sessions=2)] == ["r3", "r4"]
    assert [run.run_id for run, _ in reader.history(since=day(1), until=day(2))] == ["r1", "r2"]
    assert [layer.layer for layer in reader.history(sessions=1)[0][1]] == [0, 1, 2, 3]


def test_the_previous_run_is_that_of_the_session_before(reader: Reader) -> None:
    before = reader.previous_final(reader.run("r3"))
    assert before is not None
    assert before.run_id == "r2"
    assert reader.previous_final(reader.run("r0")) is None


def test_a_symbol_that_two_securities_held_asks_for_a_date(reader: Reader) -> None:
    with pytest.raises(UsageError, match=r"'X' is ambiguous: 2 securities.*give a date"):
        reader.resolve_symbol("X")
    assert reader.resolve_symbol("X", day(3)) != reader.resolve_symbol("X", day(6))
    with pytest.raises(UsageError, match=f"nobody held symbol 'X' on {day(4)}"):
        reader.resolve_symbol("X", day(4))
    assert reader.resolve_symbol("S001") == reader.resolve_symbol("S001", day(2))


@pytest.mark.parametrize(("symbol", "text"), [("S00Z", "near it are S0"), ("QQQ", "nothing like it"), ("", "nothing")])
def test_an_unknown_symbol_is_told_what_is_near(reader: Reader, symbol: str, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        reader.resolve_symbol(symbol)


def test_one_row_of_the_details(reader: Reader) -> None:
    run = reader.run("r4")
    row = reader.detail_row(run, 7)
    assert row is not None
    assert (row["symbol"], row["volume"], row["bar_date"], row["L1.min_volume"]) == ("S007", 7000.0, day(4), 1)
    assert reader.detail_row(run, 999) is None


def test_missing_or_damaged_details_say_how_to_get_them_back(reader: Reader) -> None:
    run = reader.run("r4")
    path = reader.home.runs / run.detail_file
    path.write_bytes(b"PAR1")
    with pytest.raises(StoreError, match=r"damaged.*scan --as-of"):
        reader.detail_row(run, 7)
    path.unlink()
    with pytest.raises(StoreError, match="missing"):
        reader.detail_row(run, 7)


def test_a_snapshot_sees_one_state_whatever_is_published_meanwhile(store: Store, reader: Reader) -> None:
    with reader.snapshot():
        before = reader.active_run()
        store.publish([scan_run("r5", day(5), MEMBERS)], at=NOON)
        assert reader.active_run() == before
    after = reader.active_run()
    assert after is not None
    assert after.run_id == "r5"


def test_a_missing_market_says_how_to_populate_it(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no store for market 'simulated'.*universe --populate"):
        Reader.open(Home(tmp_path, "development", "simulated"))
    with pytest.raises(StoreError, match="universe --populate"):
        Store.open(Home(tmp_path, "development", "simulated"), write=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"not a database at all" * 100])
def test_a_damaged_database_is_one_line(tmp_path: Path, content: bytes) -> None:
    home = Home(tmp_path, "development", "simulated")
    home.path.mkdir(parents=True)
    home.database.write_bytes(content)
    with pytest.raises(StoreError, match=r"populate|damaged") as caught:
        Reader.open(home)
    assert "\n" not in str(caught.value)


def test_pages_that_turn_bad_later_are_one_line(store: Store) -> None:
    home = store.home
    store.close()
    with home.database.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 200_000)

    def read_everything() -> None:
        with Reader.open(home) as reader:
            reader.history()
            reader.members("r4", 1)
            reader.qualifications("r4", 1)

    with pytest.raises(StoreError):
        read_everything()


def test_the_reader_needs_the_standard_library_only(store: Store) -> None:
    store.close()
    code = (
        "import sys; from pathlib import Path; from aitrader.store.reader import Reader; "
        "from aitrader.store.home import Home; "
        f"r = Reader.open(Home(Path({str(store.home.root)!r}), 'development', 'dataset-test')); "
        "run = r.active_run(); r.members(run.run_id, 3); r.history(); r.population(); r.active_config(); "
        "r.qualification(run.run_id, 'S001'); "
        "heavy = {'polars', 'numpy', 'pydantic', 'ruamel', 'msgspec', 'pyarrow', 'pandas'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_read_only_folder_is_read(store: Store) -> None:
    home = store.home
    store.close()
    folders = [home.path, *(path for path in home.path.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        with Reader.open(home) as reader:
            run = reader.active_run()
            assert run is not None
            assert len(reader.members(run.run_id, 3)) == 1
    finally:
        for folder in folders:
            folder.chmod(0o755)


def test_the_current_market_is_the_one_last_named(tmp_path: Path) -> None:
    assert current_market(tmp_path, "development") is None
    set_current_market(tmp_path, "development", "dataset-2015")
    assert current_market(tmp_path, "development") == "dataset-2015"
    set_current_market(tmp_path, "development", "simulated")
    assert current_market(tmp_path, "development") == "simulated"
    assert current_market(tmp_path, "production") is None


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", ".hidden", "a b", "x" * 101])
def test_names_that_are_no_folder_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="folder name"):
        Home(tmp_path, "development", name)
    with pytest.raises(UsageError):
        set_current_market(tmp_path, "development", name)


def test_dates_before_and_after_everything_are_answered(reader: Reader) -> None:
    assert reader.run_for_session(date(1999, 1, 4)) is None
    assert reader.history(since=date(2090, 1, 1)) == []
