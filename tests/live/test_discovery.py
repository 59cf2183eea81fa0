"""Who is asked what is listed, who has to answer, and whose silence about a symbol counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl
import pytest

from aitrader.cli import exit_codes
from aitrader.domain.errors import RefusedError, SourceError, UsageError
from aitrader.domain.frames import QUARANTINE, SECURITIES
from aitrader.exchange.answer import Answer
from aitrader.providers.bodies import Page, shaped
from aitrader.providers.discovery import confirm_absent, discover
from tests.live.world import BEFORE, END, Desk, at, content, failing, listed, saying
from tests.support.projects import Told


@dataclass
class Lister:
    """Lists these symbols, or fails."""

    name: str
    symbols: Sequence[str] = ()
    fails: bool = False
    hidden: Sequence[str] = ()  # listed after all
    asked: list[str] = field(default_factory=list)

    def listings(self) -> Page:
        if self.fails:
            raise SourceError(f"{self.name} is down")
        rows = pl.DataFrame({"symbol": list(self.symbols)}, schema={"symbol": pl.String})
        return Page(frame=shaped(rows, SECURITIES), quarantine=pl.DataFrame(schema=QUARANTINE))

    def still_listed(self, symbols: Sequence[str]) -> frozenset[str]:
        self.asked += symbols
        return frozenset(symbols) & frozenset(self.hidden)


def test_all_that_answer_are_merged_in_their_order() -> None:
    told = Told()
    found = discover([Lister("alpaca", ["A", "B"]), Lister("polygon", ["B", "C"])], required=False, report=told)
    assert found is not None
    assert found.merged.securities["symbol"].to_list() == ["A", "B", "C"]
    assert (found.answered, found.authority, dict(found.received)) == (
        ("alpaca", "polygon"), "alpaca", {"alpaca": 2, "polygon": 2},
    )  # fmt: skip
    assert told.warnings == []


@pytest.mark.parametrize(
    ("failing_ones", "answered", "authority"),
    [
        ("polygon", ("alpaca", "sec"), None),  # what polygon lists alone is not absent
        ("alpaca", ("polygon", "sec"), None),  # the second one's silence about a symbol says nothing
        ("alpaca polygon", ("sec",), None),
    ],
)
def test_one_that_does_not_answer_is_left_out_with_a_warning(
    failing_ones: str, answered: tuple[str, ...], authority: str | None
) -> None:
    told = Told()
    names = ("alpaca", "polygon", "sec")
    listers = [Lister(name, ["A"], fails=name in failing_ones.split()) for name in names]
    found = discover(listers, required=False, report=told)
    assert found is not None
    assert (found.answered, found.authority) == (answered, authority)
    assert len(told.warnings) == len(failing_ones.split())
    assert all("gave no listings and is left out" in words for words in told.warnings)


def test_the_first_one_has_to_answer_where_it_was_named() -> None:
    listers = [Lister("alpaca", fails=True), Lister("polygon", ["A"])]
    with pytest.raises(SourceError, match="alpaca is down"):
        discover(listers, required=True, report=Told())


def test_nobody_answers() -> None:
    assert discover([Lister("alpaca", fails=True)], required=False, report=Told()) is None


def test_the_sec_is_no_authority_on_what_is_listed_no_more() -> None:
    found = discover([Lister("sec", ["A"])], required=True, report=Told())
    assert found is not None
    assert (found.merged.securities["symbol"].to_list(), found.authority) == (["A"], None)


@pytest.mark.parametrize("count", [0, 1, 4, 5, 6, 23, 1_000])
def test_a_sudden_absence_is_asked_about_by_sample(count: int) -> None:
    lister = Lister("polygon")
    confirm_absent(lister, [f"S{i:04d}" for i in range(count)])
    assert len(lister.asked) == min(count, 5)
    assert len(set(lister.asked)) == len(lister.asked)


def test_a_symbol_that_is_listed_after_all_refuses_the_list() -> None:
    lost = [f"S{i}" for i in range(100)]  # a page
    with pytest.raises(SourceError, match=r"lacks 100 symbols, and S0, S\d+.* is listed when asked for alone"):
        confirm_absent(Lister("polygon", hidden=lost), lost)


# -- the whole population ---------------------------------------------------------------------------------------------


def test_a_named_source_has_to_answer(desk: Desk) -> None:
    desk.exchange.lie("/v2/assets", failing)
    with pytest.raises(SourceError) as told:
        desk.populate("alpaca", "alpaca", "polygon")
    assert exit_codes.for_error(told.value) == 5
    assert not desk.home.database.exists()


def test_without_a_name_the_next_one_answers_and_nothing_is_closed(desk: Desk) -> None:
    desk.populate(None, "alpaca", "polygon")
    before = desk.active()
    gone = set(before) - set(listed(END))
    assert gone
    desk.moved(at(END, 18)).exchange.lie("/v2/assets", failing)
    result = desk.populate(None, "alpaca", "polygon")
    assert result.closed == 0 or set(before) - set(desk.active()) <= gone  # an action may end one, silence may not
    assert any("alpaca gave no listings and is left out" in words for words in desk.told.warnings)
    assert desk.rows("SELECT partial FROM populations ORDER BY id DESC LIMIT 1") == [(1,)]
    assert desk.rows("SELECT count(*) FROM companies WHERE closed_by = 'absence'") == [(0,)]


def test_without_keys_it_is_refused_by_the_name_of_the_variable(desk: Desk) -> None:
    with pytest.raises(RefusedError, match="ALPACA_API_KEY or APCA_API_KEY_ID and ALPACA_SECRET_KEY"):
        desk.populate("alpaca", "sec")
    with pytest.raises(RefusedError, match="POLYGON_API_KEY or MASSIVE_API_KEY"):
        desk.populate("polygon", "alpaca")
    assert desk.exchange.seen == []


def test_the_last_resort_is_the_manual_list_with_a_warning(desk: Desk) -> None:
    desk.exchange.lie("/", failing)
    result = desk.populate(None, "alpaca", LIVE__LAST_RESORT="manual")
    assert any("no source of listings answered: the manual list" in words for words in desk.told.warnings)
    assert result.source == "manual"
    assert result.symbols > 100
    assert desk.rows("SELECT partial FROM populations") == [(1,)]


def test_the_last_resort_closes_nothing_that_is_there(desk: Desk) -> None:
    desk.populate(None, "alpaca")
    before = desk.active()
    desk.moved(at(END, 18)).exchange.lie("/", failing)
    result = desk.populate(None, "alpaca", LIVE__LAST_RESORT="manual")
    assert result.closed == 0
    assert set(before) <= set(desk.active())


def test_without_a_last_resort_it_is_an_error(desk: Desk) -> None:
    desk.exchange.lie("/", failing)
    with pytest.raises(SourceError, match="no source of listings answered"):
        desk.populate(None, "alpaca")
    assert not desk.home.database.exists()


def test_a_page_of_the_list_that_is_lost_is_refused(desk: Desk) -> None:
    """Of what a list lacks, what traded in the last session stays; the rest is asked for one by one."""
    desk.populate("polygon")
    before = desk.active()
    traded = set(desk.bars(BEFORE)["symbol"])
    quiet = sorted(set(listed(BEFORE)) - traded)
    desk.moved(at(BEFORE, 20))

    def lost(_path: str, query: dict[str, str], answer: Answer) -> Answer:
        told = content(answer)
        if "results" in told and isinstance(told["results"], list):
            told["results"] = [row for row in told["results"] if row["ticker"] not in dropped]
            told["count"] = len(told["results"])
        return saying(answer, told)

    dropped = set(sorted(before)[:10])

    # None of them trades in the newest session either: the bars are no witness, the details are.
    def untraded(_path: str, _query: dict[str, str], answer: Answer) -> Answer:
        told = content(answer)
        told["results"] = [row for row in told["results"] if row["T"] not in dropped]
        told["resultsCount"] = told["queryCount"] = told["count"] = len(told["results"])
        return saying(answer, told)

    desk.exchange.lie("/v3/reference/tickers", lost)
    desk.exchange.lie("/v2/aggs/grouped/", untraded)
    with pytest.raises(SourceError, match="the list of listings is not complete"):
        desk.populate("polygon")
    assert desk.active() == before
    assert set(quiet) <= set(before)


def test_no_such_source(desk: Desk) -> None:
    with pytest.raises(UsageError, match="no source is called 'bloomberg'"):
        desk.populate("bloomberg")
