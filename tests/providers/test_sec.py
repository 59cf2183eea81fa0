"""SEC EDGAR: real answers against values read from them by hand, small ones as rows of the rules."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from aitrader.domain.errors import SourceError
from aitrader.domain.frames import FUNDAMENTALS
from aitrader.providers import sec
from aitrader.providers.sec_bulk import facts_page, read_company_facts
from aitrader.providers.sec_facts import ACCEPTED, FACTS, fundamentals_of, fundamentals_of_all

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
real = pytest.mark.skipif(not DATA.is_dir(), reason="the real sets are not beside the repository")


def body(value: object) -> bytes:
    return json.dumps(value).encode()


def figure(value: float, start: str | None, end: str, filed: str, **more: Any) -> dict[str, Any]:
    made = {"end": end, "val": value, "accn": filed, "fy": 2023, "fp": "Q1", "form": "10-Q", "filed": filed}
    return made | ({} if start is None else {"start": start}) | more


def answer(**tags: list[dict[str, Any]]) -> bytes:
    units = {"EarningsPerShareDiluted": "USD/shares"}
    gaap = {tag: {"units": {units.get(tag, "USD"): rows}} for tag, rows in tags.items()}
    return body({"cik": 1, "entityName": "A", "facts": {"us-gaap": gaap}})


def reports(**tags: list[dict[str, Any]]) -> pl.DataFrame:
    found = fundamentals_of(sec.parse_company_facts(answer(**tags)).frame, "A")
    assert found.schema == pl.Schema(FUNDAMENTALS)
    return found


QUARTER = ("2023-01-01", "2023-03-31", "2023-05-01")


def balance(value: float) -> list[dict[str, Any]]:
    return [figure(value, None, "2023-03-31", "2023-05-01")]


@real
@pytest.mark.parametrize(
    ("cik", "period", "filed", "figures"),
    [
        # revenue, net income, diluted earnings a share, assets, liabilities, equity, debt
        (
            "0001318605",
            ("2021-12-31", "FY"),
            "2022-02-07",
            (53.823e9, 5.519e9, 4.90, 62.131e9, 30.548e9, 30.189e9, 5.342e9),
        ),
        (
            "0001318605",
            ("2021-09-30", "Q3"),
            "2021-10-25",
            (13.757e9, 1.618e9, 1.44, 57.834e9, 29.34e9, 27.053e9, 6.646e9),
        ),
        ("0001318605", ("2021-09-30", "Q3"), "2022-10-24", (13.757e9, 1.618e9, 0.48, None, None, None, None)),
        (
            "0001318605",
            ("2021-06-30", "Q2"),
            "2021-07-27",
            (11.958e9, 1.142e9, 1.02, 55.146e9, 28.896e9, 24.804e9, 7.96e9),
        ),
        (
            "0001640147",
            ("2022-01-31", "FY"),
            "2022-03-30",
            (1_219_327_000, -679_948_000, -2.26, 6_649_698_000, 1_600_653_000, 5_049_045_000, None),
        ),
        (
            "0001640147",
            ("2022-04-30", "Q1"),
            "2022-06-03",
            (422_371_000, -165_794_000, -0.53, 7_022_699_000, 1_564_705_000, 5_457_994_000, None),
        ),
    ],
)
def test_real_reports(cik: str, period: tuple[str, str], filed: str, figures: tuple[float | None, ...]) -> None:
    file = DATA / "fundamentals" / f"companyfacts_CIK{cik}.json.gz"
    page = sec.parse_company_facts(gzip.decompress(file.read_bytes()))
    assert page.quarantine.height == 0
    known = pl.col("known_at").dt.convert_time_zone("America/New_York").dt.date()
    row = fundamentals_of(page.frame, "A").filter(
        pl.col("period_end") == date.fromisoformat(period[0]),
        pl.col("fiscal_period") == period[1],
        known == date.fromisoformat(filed),
    )
    names = ("revenue", "net_income", "eps_diluted", "assets", "liabilities", "equity", "total_debt")
    assert row.select(names).rows() == [figures]


@real
def test_the_real_company() -> None:
    found = sec.parse_submissions(
        gzip.decompress((DATA / "fundamentals" / "submissions_CIK0001318605.json.gz").read_bytes())
    )
    assert (found.cik, found.sic, found.industry) == ("0001318605", "3711", "Motor Vehicles & Passenger Car Bodies")
    assert (found.symbols, found.exchanges, found.fiscal_year_end) == (("TSLA",), ("Nasdaq",), "1231")
    accepted = datetime(2022, 11, 30, 16, 42, 36, tzinfo=UTC)
    first = ("0001790565-22-000015", "4", date(2022, 11, 30), accepted, date(2022, 11, 28))
    assert found.filings.frame.row(0) == first
    assert found.filings.frame.height == 1001


@real
def test_the_real_symbols() -> None:
    page = sec.parse_company_tickers((DATA / "universe" / "sec_company_tickers.json").read_bytes())
    assert (page.frame.height, page.frame["cik"].n_unique(), page.quarantine.height) == (9610, 7919, 0)
    ciks = dict(page.frame.select("symbol", "cik").iter_rows())
    some = {"BRK.B": "0001067983", "NA": "0001872302", "ON": "0001097864", "TRUE": "0001327318", "AAPL": "0000320193"}
    assert {symbol: ciks[symbol] for symbol in some} == some


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ([1, "A", "A-B", "Nasdaq"], None),
        ([1, "A", "A-B", None], None),
        ([1, "A", "A-B", "OTC"], "unknown_exchange"),
        ([1, "A", "?!", "NYSE"], "bad_symbol"),
        ([1, "A", None, "NYSE"], "bad_symbol"),
        ([-1, "A", "A-B", "NYSE"], "bad_cik"),
        ([10**30, "A", "A-B", "NYSE"], "bad_cik"),
        ([2, "B", "BRK.B", "NYSE"], "duplicate"),
        (["x"], "bad_symbol"),
        (None, "bad_symbol"),
    ],
)
def test_symbols_with_exchange(row: Any, reason: str | None) -> None:
    fields = ["cik", "name", "ticker", "exchange"]
    table = {"fields": fields, "data": [[1067983, "Berkshire", "BRK-B", "NYSE"], row]}
    page = sec.parse_company_tickers_exchange(body(table))
    assert page.frame.filter(symbol="BRK.B").row(0) == ("0001067983", "Berkshire", "BRK.B", "NYSE")
    assert page.quarantine["reason"].to_list() == ([] if reason is None else [reason])
    assert page.frame.height == (2 if reason is None else 1)


@pytest.mark.parametrize(
    ("start", "period"),
    [
        ("2023-01-01", "Q1"),
        ("2023-01-11", "Q1"),  # 80 days
        ("2023-01-12", None),  # 79
        ("2022-12-22", "Q1"),  # 100
        ("2022-12-21", None),  # 101
        ("2022-10-01", None),  # six months to date
        ("2022-04-01", "FY"),
        ("2022-03-17", "FY"),  # 380
        ("2022-03-16", None),  # 381
    ],
)
def test_a_period_is_told_by_its_length(start: str, period: str | None) -> None:
    found = reports(Revenues=[figure(5.0, start, "2023-03-31", "2023-05-01")])
    assert found["fiscal_period"].to_list() == ([] if period is None else [period])


@pytest.mark.parametrize(
    ("tags", "debt"),
    [
        ({}, None),
        ({"DebtCurrent": 1.0}, None),  # the long part is not known
        ({"LongTermDebtNoncurrent": 4.0}, 4.0),
        ({"LongTermDebtNoncurrent": 4.0, "LongTermDebtCurrent": 1.0, "CommercialPaper": 2.0}, 7.0),
        ({"LongTermDebtNoncurrent": 4.0, "LongTermDebtCurrent": 1.0, "DebtCurrent": 3.0}, 7.0),
        ({"LongTermDebtNoncurrent": 4.0, "LongTermDebtCurrent": 1.0, "LongTermDebt": 5.0}, 5.0),
        ({"LongTermDebt": 5.0, "LongTermDebtCurrent": 1.0, "ShortTermBorrowings": 2.0}, 7.0),
        ({"LongTermDebt": 5.0, "DebtCurrent": 1.0}, 6.0),  # as Tesla states it
        ({"LongTermDebtNoncurrent": 4.0, "OperatingLeaseLiabilityNoncurrent": 9.0}, 4.0),
    ],
)
def test_debt_is_short_and_long_without_leases(tags: dict[str, float], debt: float | None) -> None:
    found = reports(Revenues=[figure(5.0, *QUARTER)], **{tag: balance(value) for tag, value in tags.items()})
    assert found["total_debt"].to_list() == [debt]


@pytest.mark.parametrize("tag", ["RevenueFromContractWithCustomerExcludingAssessedTax", "SalesRevenueNet"])
def test_revenue_has_several_tags_and_the_first_counts(tag: str) -> None:
    assert reports(**{tag: [figure(5.0, *QUARTER)]})["revenue"].to_list() == [5.0]
    assert reports(**{tag: [figure(5.0, *QUARTER)], "Revenues": [figure(6.0, *QUARTER)]})["revenue"].to_list() == [6.0]


@pytest.mark.parametrize(("later", "known"), [(5.0, [5.0]), (6.0, [5.0, 6.0])])
def test_a_restatement_is_a_later_row_and_a_repeat_is_none(later: float, known: list[float]) -> None:
    found = reports(Revenues=[figure(5.0, *QUARTER), figure(later, *QUARTER[:2], "2024-05-01")])
    assert found["revenue"].to_list() == known
    assert found["known_at"][0] == datetime(2023, 5, 2, 3, 59, 59, tzinfo=UTC)  # the end of the day in New York


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"val": None}, "not_a_number"),
        ({"val": "5"}, "not_a_number"),
        ({"end": "soon"}, "bad_date"),
        ({"end": "0001-01-01"}, "bad_date"),
        ({"start": "2024-01-01"}, "bad_date"),
        ({"filed": None}, "bad_date"),
        ({"accn": None}, "no_accession"),
        ({"filed": "2023-01-02"}, "filed_before_end"),
    ],
)
def test_a_bad_figure_is_set_aside(change: dict[str, Any], reason: str) -> None:
    page = sec.parse_company_facts(answer(Revenues=[figure(5.0, *QUARTER), figure(6.0, *QUARTER) | change]))
    assert (page.frame["value"].to_list(), page.quarantine["reason"].to_list()) == ([5.0], [reason])


def test_a_filer_under_other_rules_has_no_figures() -> None:
    page = sec.parse_company_facts(body({"cik": 1, "facts": {"ifrs-full": {}}}))
    assert page.frame.schema == pl.Schema(FACTS)
    assert fundamentals_of(page.frame, "A").schema == pl.Schema(FUNDAMENTALS)


def of_company(cik: int, **more: Any) -> bytes:
    """Figures of three reports, the first one told again with another value."""
    rows = [
        figure(5.0 + cik, *QUARTER, **more),
        figure(7.0, "2023-04-01", "2023-06-30", "2023-08-01", fp="Q2"),
        figure(6.0, *QUARTER[:2], "2023-09-01", form="10-Q/A"),
        figure(20.0, "2022-04-01", "2023-03-31", "2023-05-01", form="10-K", fp="FY"),
    ]
    content = json.loads(answer(Revenues=rows, Assets=balance(5.0), SalesRevenueNet=rows[:1]))
    return body(content | {"cik": cik})


# The last two are read figure by figure: a number that is a text, and one that JSON does not have.
MANY = (of_company(1), of_company(2), of_company(3, val="5"), of_company(4).replace(b"7.0", b"NaN"))


def under(*symbols: tuple[str, str]) -> pl.DataFrame:
    return pl.DataFrame(symbols, schema=["cik", "symbol"], orient="row")


@pytest.mark.parametrize("bodies", [MANY[:2], MANY, MANY[2:], ()], ids=["plain", "mixed", "odd", "none"])
def test_many_companies_at_once_are_as_one_by_one(bodies: tuple[bytes, ...]) -> None:
    together = facts_page([read_company_facts(each) for each in bodies])
    alone = [sec.parse_company_facts(each) for each in bodies]
    schema = pl.DataFrame(schema=FACTS)
    assert together.frame.equals(pl.concat([schema, *(page.frame for page in alone)]))
    key = ["reason", "row", "detail"]
    set_aside = pl.concat([together.quarantine.clear(), *(page.quarantine for page in alone)])
    assert together.quarantine.sort(key).equals(set_aside.sort(key))
    ciks = [page.frame["cik"][0] for page in alone]
    owners = under(*((cik, f"S{cik}") for cik in ciks)) if ciks else under(("1", "A"))
    found = fundamentals_of_all(together.frame, owners)
    one_by_one = [fundamentals_of(page.frame, f"S{cik}") for page, cik in zip(alone, ciks, strict=True)]
    order = ["known_at", "symbol", "period_end", "fiscal_period"]
    assert found.equals(pl.concat([found.clear(), *one_by_one]).sort(order))


@real
def test_the_real_companies_at_once_are_as_one_by_one() -> None:
    bodies = [gzip.decompress(file.read_bytes()) for file in sorted(DATA.glob("fundamentals/companyfacts_*.gz"))]
    page = facts_page([read_company_facts(each) for each in bodies])
    owners = page.frame.select("cik", symbol="cik").unique()
    alone = [fundamentals_of(part, cik) for (cik,), part in page.frame.partition_by("cik", as_dict=True).items()]
    order = ["known_at", "symbol", "period_end", "fiscal_period"]
    assert len(alone) > 1
    assert fundamentals_of_all(page.frame, owners).equals(pl.concat(alone).sort(order))


def test_reports_stand_under_each_symbol_of_their_company() -> None:
    facts = facts_page([read_company_facts(each) for each in MANY[:2]]).frame
    found = fundamentals_of_all(facts, under(("0000000002", "B.A"), ("0000000002", "B.B"), ("0000000009", "Z")))
    assert set(found["symbol"]) == {"B.A", "B.B"}
    assert found.filter(symbol="B.A").drop("symbol").equals(found.filter(symbol="B.B").drop("symbol"))


def test_a_report_is_known_when_it_was_accepted_or_at_the_end_of_its_day() -> None:
    facts, at = sec.parse_company_facts(of_company(1)).frame, datetime(2023, 5, 1, 11, 30, tzinfo=UTC)
    told = pl.DataFrame([("0000000001", "2023-05-01", at), ("0000000002", "2023-08-01", at)], ACCEPTED, orient="row")
    known = dict(fundamentals_of_all(facts, under(("0000000001", "A")), told).select("period_end", "known_at").rows())
    assert known[date(2023, 6, 30)] == datetime(2023, 8, 2, 3, 59, 59, tzinfo=UTC)
    first = fundamentals_of_all(facts, under(("0000000001", "A")), told).filter(pl.col("known_at") == at)
    assert set(first["period_end"]) == {date(2023, 3, 31)}


@pytest.mark.parametrize(
    ("form", "counts"),
    [("6-K", True), ("6-K/A", True), ("424B4", True), ("20-F", True), ("8-K", False), ("S-8", False), ("6-KX", False)],
)
def test_the_forms_that_are_reports(form: str, *, counts: bool) -> None:
    found = reports(Revenues=[figure(5.0, *QUARTER, form=form)])
    assert found["form"].to_list() == ([form] if counts else [])


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"acceptanceDateTime": [None]},
        {"acceptanceDateTime": ["soon"]},
        {"accessionNumber": [7]},
        {"form": [None]},
        {"acceptanceDateTime": ["2023-05-01T12:00:00-04:00"]},
    ],
    ids=["plain", "no instant", "no such instant", "no number", "no form", "another zone"],
)
def test_a_filers_industry_and_instants_are_those_of_his_submissions(change: dict[str, Any]) -> None:
    wire = body(
        {"cik": "1", "sic": "3571", "sicDescription": " Electronic\x00 ", "filings": {"recent": RECENT | change}}
    )
    whole = sec.parse_submissions(wire)
    companies, accepted = sec.filers([sec.read_filer(wire)] * 2)
    assert companies.rows() == [(whole.cik, whole.sic, whole.industry)] * 2
    dated = whole.filings.frame.select("accession", "accepted").drop_nulls().rows()
    if change.get("form") != [None]:  # what is no report to us dates none
        assert accepted.select("accession", "accepted").rows() == dated * 2


FRAME = {"tag": "Assets", "data": [{"accn": "1", "cik": 1, "entityName": "A", "end": "2023-03-31", "val": 5}]}


def test_one_figure_of_all_filers() -> None:
    page = sec.parse_frames(body(FRAME))
    assert page.frame.rows() == [("0000000001", "A", None, date(2023, 3, 31), 5.0, "1")]


RECENT = {
    "accessionNumber": ["1"],
    "filingDate": ["2023-05-01"],
    "reportDate": [""],
    "acceptanceDateTime": ["2023-05-01T16:00:00.000Z"],
    "form": ["10-Q"],
}
BODIES: dict[Callable[[bytes], object], bytes] = {
    sec.parse_company_facts: answer(Revenues=[figure(5.0, *QUARTER)] * 3, Assets=balance(5.0)),
    sec.parse_frames: body(FRAME),
    sec.read_filer: body({"cik": "1", "tickers": ["A"], "filings": {"recent": RECENT}}),
    read_company_facts: answer(Revenues=[figure(5.0, *QUARTER)] * 3, Assets=balance(5.0)),
    sec.parse_submissions: body({"cik": "1", "tickers": ["A"], "filings": {"recent": RECENT}}),
    sec.parse_company_tickers: body({"0": {"cik_str": 1, "ticker": "A", "title": "A"}}),
    sec.parse_company_tickers_exchange: body(
        {"fields": ["cik", "name", "ticker", "exchange"], "data": [[1, "A", "A", "NYSE"]]}
    ),
}


@pytest.mark.parametrize("parse", BODIES)
@pytest.mark.parametrize("wrong", [b"", b"{}", b"[]", b"null", b"<html>", b"\xff", b"[" * 100_000, b'{"data": 1}'])
def test_what_is_no_answer_is_refused(parse: Callable[[bytes], object], wrong: bytes) -> None:
    with pytest.raises(SourceError, match="sec/"):
        parse(wrong)


@pytest.mark.parametrize("parse", BODIES)
def test_only_a_source_error_escapes(parse: Callable[[bytes], object]) -> None:
    rng = random.Random(11)
    values = [b"null", b"-1", b"1e400", b"NaN", b'"x"', b"[]", b"{}", b"9" * 60, b'"\\ud800"', b"true"]
    for _ in range(200):
        good = BODIES[parse]
        at = rng.randrange(len(good))
        flip = bytes([rng.randrange(256)])
        colon = rng.choice([i for i, byte in enumerate(good) if byte == ord(":")])
        end = min(i for i in (good.find(b",", colon), good.find(b"}", colon)) if i > 0)
        retyped = good[: colon + 1] + rng.choice(values) + good[end:]
        damaged = rng.choice((good[:at], good[:at] + flip + good[at + 1 :], retyped))
        try:
            found = parse(damaged)
        except SourceError:
            continue
        if parse is sec.parse_company_facts:
            assert fundamentals_of(found.frame, "A").schema == pl.Schema(FUNDAMENTALS)  # type: ignore[attr-defined]


def test_the_addresses() -> None:
    assert sec.company_tickers_request("https://w/").url == "https://w/files/company_tickers.json"
    assert sec.company_tickers_exchange_request("https://w").url == "https://w/files/company_tickers_exchange.json"
    assert sec.submissions_request("https://d", "1318605").url == "https://d/submissions/CIK0001318605.json"
    assert sec.company_facts_request("https://d", "1").url == "https://d/api/xbrl/companyfacts/CIK0000000001.json"
    frames = sec.frames_request("https://d", "Assets", "USD", "CY2023Q1I")
    assert frames.url == "https://d/api/xbrl/frames/us-gaap/Assets/USD/CY2023Q1I.json"
