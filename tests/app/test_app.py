"""The composition root: what each command does to the store, what it leaves alone, what it refuses."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from aitrader import app
from aitrader.domain.errors import ConfigError, RefusedError, ScannerError, StoreError, UsageError
from aitrader.store.home import Home, current_market
from aitrader.store.reader import Reader
from aitrader.store.store import Store
from tests.support.markets import Tables, day, market
from tests.support.projects import Project, Told, write_dataset

LAST = 60


@pytest.fixture(scope="module")
def tables() -> Tables:
    return market()


def populated(project: Project, told: Told, env: dict[str, str] | None = None, **given: Any) -> app.PopulateResult:
    """What a population does; what is not given is as the command line leaves it."""
    unsaid = {
        "source": None,
        "path": None,
        "file": None,
        "force_refresh": False,
        "accept_shrink": False,
        "market": None,
    }
    return app.populate(settings=project.settings(env), report=told, **{**unsaid, **given})


class Desk:
    """A project with a dataset of the market up to some session, and the commands on it."""

    def __init__(self, root: Path, tables: Tables) -> None:
        self.project, self.tables, self.told = Project(root=root), tables, Told()
        self.folder = root / "made"

    def deliver(self, until: int = LAST, tables: Tables | None = None, **more: Any) -> app.PopulateResult:
        write_dataset(self.folder, (tables or self.tables).delivered(until=until))
        return populated(self.project, self.told, **{"source": "dataset", "path": self.folder, **more})

    def scan(self, as_of: date | None = None, *, force: bool = True) -> app.ScanResult:
        return app.scan(settings=self.project.settings(), market=None, as_of=as_of, force=force, report=self.told)

    def requalify(self, layer: int | None, *, force: bool = True, parallel: bool = False) -> app.ScanResult:
        return app.requalify(
            settings=self.project.settings(), market=None, layer=layer, parallel=parallel, force=force, report=self.told
        )

    def test(self, layer: int) -> app.ConfigTest:
        return app.test_config(settings=self.project.settings(), market=None, layer=layer, report=self.told)

    @property
    def home(self) -> Home:
        return Home(self.project.root / "state", "development", "dataset-made")

    def read(self, question: Callable[[Reader], Any]) -> Any:
        with Reader.open(self.home) as reader:
            return question(reader)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with sqlite3.connect(self.home.database) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture
def desk(tmp_path: Path, tables: Tables) -> Desk:
    return Desk(tmp_path, tables)


# --- populate ---


def test_populate_stores_a_dataset_and_leaves_the_session_to_be_chosen(desk: Desk) -> None:
    got = desk.deliver()
    assert (got.source, got.symbols, got.new, got.sessions) == ("dataset-made", 30, 30, LAST + 1)
    assert (got.first_session, got.last_session) == (day(0), day(LAST))
    assert (got.changed, got.scan, got.corrected) == (True, None, 0)
    assert current_market(desk.home.root, "development") == "dataset-made"


def test_populate_twice_is_populate_once(desk: Desk) -> None:
    desk.deliver()
    again = desk.deliver()
    assert (again.changed, again.new, again.sessions, again.closed, again.corrected) == (False, 0, 0, 0, 0)


def test_a_shrunk_discovery_is_refused_unless_it_is_accepted(desk: Desk) -> None:
    desk.deliver()
    few = [row for row in desk.tables.securities if row["symbol"] < "K"]
    known = {row["symbol"] for row in few}
    fewer = Tables(securities=few, bars=[row for row in desk.tables.bars if row["symbol"] in known])
    with pytest.raises(RefusedError, match="discovery returned") as caught:
        desk.deliver(tables=fewer)
    assert "--accept-shrink" in caught.value.do
    assert desk.rows("SELECT count(*) FROM companies WHERE active") == [(30,)]
    assert desk.deliver(tables=fewer, accept_shrink=True).changed


@pytest.mark.parametrize(
    ("given", "error", "what"),
    [
        ({"source": "dataset", "path": None}, UsageError, "no dataset folder"),
        ({"source": "nasdaq", "path": None}, UsageError, "no source is called 'nasdaq'"),
        ({"source": "simulated", "path": Path("x")}, UsageError, "--path goes with --source dataset"),
        ({"source": "dataset", "path": Path("/nowhere/at/all")}, ScannerError, "nowhere"),
    ],
)
def test_sources_that_mean_nothing_are_refused(
    desk: Desk, given: dict[str, Any], error: type[Exception], what: str
) -> None:
    with pytest.raises(error, match=what):
        populated(desk.project, Told(), **given)
    assert not (desk.project.root / "state").exists()


def test_a_market_takes_one_source(desk: Desk) -> None:
    desk.deliver()
    other = write_dataset(desk.project.root / "other", desk.tables.delivered(until=5), name="other")
    with pytest.raises(RefusedError, match="cannot take dataset-other") as caught:
        desk.deliver(path=other, market="dataset-made")
    assert caught.value.do == "give --market NAME"


def test_a_bad_file_is_heard_of_before_anything_is_stored(desk: Desk) -> None:
    desk.project.write(1, min_volumes=5)
    with pytest.raises(ConfigError, match="did you mean min_volume"):
        desk.deliver()
    assert not desk.home.path.exists()


# --- scan ---


def test_the_first_scan_publishes_its_sessions_and_the_second_nothing(desk: Desk) -> None:
    desk.deliver()
    first = desk.scan()
    assert (first.session, first.published) == (day(LAST), 4)
    again = desk.scan()
    assert (again.run_id, again.published) == (first.run_id, 0)
    assert any("already published" in text for text in desk.told.notices)
    assert desk.rows("SELECT count(*) FROM scan_runs") == [(4,)]
    assert desk.read(lambda reader: reader.active_run().run_id) == first.run_id


def test_a_published_session_is_answered_by_its_date(desk: Desk) -> None:
    desk.deliver()
    desk.scan()
    earlier = desk.scan(day(LAST - 2))
    assert (earlier.session, earlier.published) == (day(LAST - 2), 0)
    with pytest.raises(RefusedError, match="before the last published one"):
        desk.scan(day(LAST - 5))


def test_missed_sessions_are_stepped_through(desk: Desk) -> None:
    desk.deliver()
    desk.scan()
    desk.deliver(LAST + 3)
    assert desk.scan().published == 3
    assert [len(found) for found in desk.rows("SELECT session FROM session_runs")] == [1] * 7


@pytest.mark.parametrize(
    ("as_of", "what"), [(date(2010, 1, 4), "before the first stored session"), (day(LAST + 9), "not stored yet")]
)
def test_dates_without_data_are_refused(desk: Desk, as_of: date, what: str) -> None:
    desk.deliver()
    with pytest.raises(UsageError, match=what):
        desk.scan(as_of)
    assert desk.rows("SELECT count(*) FROM scan_runs") == [(0,)]


@pytest.mark.parametrize("command", ["scan", "requalify", "test"])
def test_an_empty_home_says_how_to_fill_it(desk: Desk, command: str) -> None:
    calls: dict[str, Callable[[], Any]] = {
        "scan": desk.scan,
        "requalify": lambda: desk.requalify(1),
        "test": lambda: desk.test(1),
    }
    with pytest.raises(StoreError) as caught:
        calls[command]()
    assert "populate" in caught.value.do


@pytest.mark.parametrize("command", ["requalify", "test"])
def test_what_needs_a_scan_says_so(desk: Desk, command: str) -> None:
    desk.deliver()
    with pytest.raises(StoreError, match="nothing is published yet") as caught:
        desk.requalify(1) if command == "requalify" else desk.test(1)
    assert caught.value.do == "run: python ai_trader.py scan"


# --- the active version, and the files ---


def members(desk: Desk, layer: int) -> set[str]:
    def named(reader: Reader) -> set[str]:
        run = reader.active_run()
        assert run is not None
        return {one.symbol for one in reader.members(run.run_id, layer)}

    found: set[str] = desk.read(named)
    return found


def test_a_scan_keeps_the_active_version_and_warns_of_the_drift(desk: Desk) -> None:
    desk.deliver()
    desk.scan()
    version = desk.rows("SELECT version FROM config_versions WHERE state = 'active'")
    desk.project.write(1, min_volume=2_500_000)
    desk.deliver(LAST + 1)
    assert desk.told.warnings == []
    desk.scan()
    assert any("differ from the active version" in text for text in desk.told.warnings)
    assert desk.rows("SELECT version FROM config_versions WHERE state = 'active'") == version
    assert desk.rows("SELECT DISTINCT config_version FROM scan_runs") == version


def test_a_requalification_adopts_its_own_layers_file_and_no_other(desk: Desk) -> None:
    desk.deliver()
    first = desk.scan()
    before = {layer: members(desk, layer) for layer in (1, 2)}
    desk.project.write(1, min_price=30)
    desk.project.write(2, min_adx=90)
    got = desk.requalify(1)
    assert (got.session, got.run_id != first.run_id) == (day(LAST), True)
    assert members(desk, 1) < before[1]
    assert members(desk, 2), "layer 2 still judges by its active file"
    assert desk.rows("SELECT state, count(*) FROM config_versions GROUP BY state ORDER BY state") == [
        ("active", 1),
        ("retired", 1),
    ]
    assert desk.rows("SELECT count(*) FROM audit_log WHERE action = 'config.active'") == [(2,)]
    desk.project.write(1)
    desk.requalify(1)
    assert members(desk, 1) == before[1]
    assert members(desk, 2) == before[2]


def test_requalifying_without_an_edit_reproduces_the_result(desk: Desk) -> None:
    desk.deliver()
    desk.scan()
    for layer in (1, 3, None):
        desk.requalify(layer)
    found = desk.rows(f"SELECT result_digest, config_version, kind FROM scan_runs WHERE session = '{day(LAST)}'")
    assert len(found) == 4
    assert len({one[:2] for one in found}) == 1
    assert [one[2] for one in found] == ["final", *["requalification"] * 3]
    with Store.open(desk.home, write=False) as store:
        assert store.verify_audit().broken_at is None


def test_a_test_of_the_config_says_what_requalifying_does_and_writes_nothing(desk: Desk) -> None:
    desk.deliver()
    desk.scan()
    before = members(desk, 1)
    desk.project.write(1, min_price=30)
    tables = ("scan_runs", "config_versions", "audit_log", "layer_qualifications", "events")
    counts = [desk.rows(f"SELECT count(*) FROM {table}") for table in tables]
    tested = desk.test(1)
    assert [desk.rows(f"SELECT count(*) FROM {table}") for table in tables] == counts
    desk.requalify(1)
    after = members(desk, 1)
    assert (set(tested.left), set(tested.entered), tested.kept) == (before - after, after - before, len(before & after))
    assert tested.by_criterion == {"min_price": {"entered": 0, "left": len(before - after)}}
    assert tested.session == str(day(LAST))
    assert tested.active_version != tested.edited_version


def test_a_bad_edit_is_refused_and_nothing_changes(desk: Desk) -> None:
    desk.deliver()
    desk.scan()
    version = desk.rows("SELECT version, state FROM config_versions")
    desk.project.write(2, max_rsi={"value": 70, "role": "scored", "weight": 10}, min_rsi=80)
    for call in (lambda: desk.requalify(2), lambda: desk.test(2)):
        with pytest.raises(ConfigError, match="admits nothing"):
            call()
    assert desk.rows("SELECT version, state FROM config_versions") == version
    assert desk.rows("SELECT count(*) FROM scan_runs") == [(4,)]


def test_a_collapsed_layer_never_replaces_the_last_good_one_unforced(desk: Desk) -> None:
    desk.deliver()
    first = desk.scan()
    desk.project.write(1, min_volume=900_000_000)
    with pytest.raises(RefusedError):
        desk.requalify(1, force=False)
    assert desk.read(lambda reader: reader.active_run().run_id) == first.run_id
    assert members(desk, 1)
    desk.requalify(1, force=True)
    assert members(desk, 1) == set()


# --- the manual list ---


def listed(project: Project, lines: str, **more: Any) -> app.PopulateResult:
    """What a manual list of these lines changes."""
    file = project.root / "list.txt"
    file.write_text(lines)
    return populated(project, Told(), source="manual", file=file, **more)


def test_a_manual_list_fills_the_live_market_and_judges_nothing(tmp_path: Path) -> None:
    found = listed(Project(root=tmp_path), "AAPL\nBRK.B\nNA\nTRUE\n")
    assert (found.home.market, found.source, found.symbols, found.new, found.scan) == ("live", "manual", 4, 4, None)
    with Store.open(found.home, write=False) as store:
        assert sorted(store.securities()["symbol"]) == ["AAPL", "BRK.B", "NA", "TRUE"]
        assert store.reader.active_run() is None


def test_a_shorter_manual_list_closes_nothing_and_raises_no_alarm(tmp_path: Path) -> None:
    project = Project(root=tmp_path)
    listed(project, "AAPL\nMSFT\nSPY\nQQQ\n")
    found = listed(project, "AAPL\nNVDA\n")
    assert (found.new, found.closed) == (1, 0)
    with Store.open(found.home, write=False) as store:
        assert store.securities().filter("active")["symbol"].sort().to_list() == ["AAPL", "MSFT", "NVDA", "QQQ", "SPY"]


def test_without_a_file_the_list_of_the_config_folder_is_read(tmp_path: Path) -> None:
    found = populated(Project(root=tmp_path), Told(), source="manual")
    assert found.symbols >= 500


def test_a_live_market_is_not_changed_while_no_environment_is_named(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="AI_TRADER_ENV is not set"):
        listed(Project(root=tmp_path), "AAPL\n", env={"AI_TRADER_ENV": ""})
    assert not (tmp_path / "state").exists()


# --- environments ---


def test_production_refuses_the_simulated_market_unless_it_is_named(tmp_path: Path) -> None:
    project = Project(root=tmp_path, environment="production")
    with pytest.raises(RefusedError, match="refused in production") as caught:
        populated(project, Told())
    assert "--source simulated" in caught.value.do
    assert not (tmp_path / "state" / "production" / "simulated").exists()


def test_environments_keep_their_own_stores(desk: Desk) -> None:
    desk.deliver()
    desk.project.environment = "production"
    with pytest.raises(StoreError, match="no market"):
        desk.scan()
    desk.deliver()
    assert (desk.project.root / "state" / "production" / "dataset-made" / "aitrader.db").exists()
