"""Each fault of the catalogue: asked again, another source, or refused; never silent, never a wrong universe."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import get_args

import pytest

from tests.faults import ours
from tests.faults.catalogue import ROWS, Outcome, Row, usual
from tests.faults.conftest import Fresh
from tests.faults.official import CLIENT_OF, clients
from tests.faults.stage import staged

ROOT = Path(__file__).resolve().parents[2]
RECORD = ROOT / "docs" / "proofs" / "faults.json"
CASES = [pytest.param(*case, id=f"{case[0].id}-{case[1]}-{'beside' if case[2] else 'alone'}") for case in usual()]
ASKED = ("{}_(list)", "lost_page_(list)", "redirect_to_another_host_(list)", "list_cut_to_60_%_(bars)", "401_(list)")


@pytest.mark.parametrize(("row", "vendor", "beside"), CASES)
def test_a_fault(row: Row, vendor: str, beside: bool, certified: Path, fresh: Fresh) -> None:
    place = fresh(vendor, beside=beside)
    with staged(row, vendor, certified) as stage:
        seen = ours.met(row, vendor, beside, stage, place)
    assert seen.outcome == row.outcome(beside), seen.words
    assert row.says in seen.words
    assert stage.astray == 0, "another host was asked"
    assert not place.leaks()


def test_there_are_enough_faults_and_each_has_a_name_of_its_own() -> None:
    assert len({row.id for row in ROWS}) == len(ROWS) >= 30
    assert {row.outcome(beside) for row in ROWS for beside in (False, True)} == set(get_args(Outcome))


def test_the_page_is_the_records() -> None:
    made = runpy.run_path(str(ROOT / "tools" / "docs_faults.py"))
    assert made["page"](json.loads(RECORD.read_text())) == made["TARGET"].read_text()


def test_every_fault_is_on_record() -> None:
    told = [row["fault"] for row in json.loads(RECORD.read_text())["figures"]["rows"]]
    assert told == [f"{row.name} ({row.what})" for row in ROWS]


def test_the_vendors_own_clients_do_what_the_page_says(certified: Path) -> None:
    """Some rows of the record, asked again."""
    told = {row["fault"]: row for row in json.loads(RECORD.read_text())["figures"]["rows"]}
    with clients() as theirs:
        for row in (row for row in ROWS if row.id in ASKED):
            for vendor in row.vendors:
                with staged(row, vendor, certified) as stage:
                    said = theirs.call(CLIENT_OF[vendor], row.what, stage.marred, authority=stage.authority)
                assert said.words == told[f"{row.name} ({row.what})"][CLIENT_OF[vendor]], row.id
