"""The two big ledgers: a filter is the same by page, route and file, and each says what it is."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from typing import Any, cast

import pytest
from python_calamine import CalamineWorkbook
from support.browser import Browser, figures
from support.service import Callers

from interface.exports.file_head import with_code_names
from projections import columns as c
from projections.facts.reading import Rows, Table, View

DAY = {"as_of": "2024-06-30"}


def table_of(text: str) -> str:
    found = re.search(r"<tbody>.*?</tbody>", text, re.DOTALL)
    return found[0] if found else ""


@pytest.mark.parametrize(
    ("query", "lines"),
    [
        ({"state": "overdue"}, 1),
        ({"state": "settled"}, 0),
        ({"village": "青石村"}, 1),
        ({"village": "-"}, 0),
        ({"purpose": "<script>"}, 1),
        ({"disbursed_from": "2023-03-10", "disbursed_until": "2023-03-10"}, 1),
        ({"disbursed_from": "2023-03-11"}, 0),
        ({"due_until": "2024-03-09"}, 0),
        ({"principal_from_fen": "5000000", "outstanding_until_fen": "3000000"}, 1),
        ({"principal_from_fen": "5000001"}, 0),
    ],
)
def test_a_filter_is_the_same_by_route_and_by_page(
    callers: Callers, browsers: dict[str, Browser], query: dict[str, str], lines: int
) -> None:
    told = callers.AUDIT.get("/ledgers/loans", totals="true", **query, **DAY).json()
    assert len(told["lines"]) == told["totals"]["lines"] == lines
    text = browsers["AUDIT"].get("/ledgers/loans", cols="outstanding_fen", **query, **DAY).text
    wanted = [line["outstanding_fen"] for line in told["lines"]]
    assert figures(table_of(text)) == wanted
    sums = told["totals"]["sums"]["outstanding_fen"]
    assert sums == sum(wanted)
    assert figures(text)[len(wanted) :] == ([sums] if lines else [])


def test_without_totals_a_route_answers_as_before(callers: Callers) -> None:
    assert "totals" not in callers.AUDIT.get("/ledgers/loans").json()
    assert "totals" not in callers.AUDIT.get("/ledgers/subsidies").json()


@pytest.mark.parametrize(
    "query",
    [
        {"sort": "nothing"},
        {"sort": "loan_id"},
        {"state": "gone"},
        {"principal_from_fen": "-1"},
        {"village": "a\0b"},
        {"disbursed_from": "yesterday"},
        {"sort": "-due_on", "cursor": "WyJhIiwiYiJd"},
    ],
)
def test_what_no_ledger_has_is_refused(
    callers: Callers, browsers: dict[str, Browser], query: dict[str, str]
) -> None:
    assert callers.AUDIT.get("/ledgers/loans", **query).status_code == 422
    page = browsers["AUDIT"].get("/ledgers/loans", **query).status_code
    assert page in (200 if "state" in query else 400, 422)


def test_amounts_are_typed_in_yuan(browsers: dict[str, Browser]) -> None:
    answer = browsers["AUDIT"].get("/ledgers/loans", principal_from="50,000.00")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/ledgers/loans?principal_from_fen=5000000"
    assert 'value="50000.00"' in browsers["AUDIT"].get(answer.headers["location"]).text
    assert browsers["AUDIT"].get("/ledgers/loans", principal_from="5万").status_code == 400


def test_a_ledger_leads_on_and_tags_what_is_not_ordinary(browsers: dict[str, Browser]) -> None:
    text = browsers["AUDIT"].get("/ledgers/loans", **DAY).text
    assert '<span class="tag late"><i></i>逾期</span>' in text
    assert 'href="/loans/NRCB/L1?as_of=2024-06-30"' in text
    before = browsers["AUDIT"].get("/ledgers/loans", as_of="2023-12-31").text
    assert "tag late" not in table_of(before)


def test_a_foreign_row_is_nowhere_and_a_foreign_filter_refused(
    browsers: dict[str, Browser],
) -> None:
    text = browsers["PSBC"].get("/ledgers/loans", **DAY).text
    assert "L1" not in table_of(text) and "农商" not in text.split("</header>")[1][:0]
    assert browsers["PSBC"].get("/ledgers/loans", bank="NRCB").status_code == 403
    assert browsers["T02"].get("/ledgers/loans", township="T01").status_code == 403
    assert browsers["AUDIT"].get("/ledgers/loans", bank="NOWHERE").status_code == 422


# ---- files ------------------------------------------------------------------------------


def rows_of(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))


def test_a_file_says_what_it_is_in_itself_and_in_its_name(
    callers: Callers, browsers: dict[str, Browser]
) -> None:
    query = {"state": "overdue", **DAY}
    plain = browsers["AUDIT"].get("/ledgers/loans.csv", **query)
    noted = browsers["AUDIT"].get("/ledgers/loans.csv", notes="1", **query)
    book = browsers["AUDIT"].get("/ledgers/loans.xlsx", **query)
    digest = hashlib.sha256(plain.content).hexdigest()
    notes = {
        key: value
        for line in noted.content.decode("utf-8-sig").splitlines()
        if line.startswith("# ")
        for key, _, value in [line[2:].partition(": ")]
    }
    assert notes["摘要 digest SHA-256"] == digest
    assert notes["截至 as of"] == "2024-06-30"
    assert notes["日志位置 position"] == plain.headers["x-position"]
    assert notes["所知时点 known at"] == noted.headers["x-known-at"]
    assert "逾期" in notes["筛选 filter"]
    assert rows_of(noted.content)[len(notes) :] == rows_of(plain.content)
    for answer in (plain, noted, book):
        name = answer.headers["content-disposition"]
        for part in ("loans-2024-06-30-known-", plain.headers["x-position"], digest[:8]):
            assert part in name
    workbook = CalamineWorkbook.from_filelike(io.BytesIO(book.content))
    assert workbook.sheet_names == ["说明", "数据"]
    said: dict[Any, Any] = dict(row[:2] for row in workbook.get_sheet_by_index(0).to_python())
    assert said["摘要 digest SHA-256"] == digest
    head, line, total = workbook.get_sheet_by_index(1).to_python()
    place = head.index("贷款金额(元) principal_yuan")
    assert (line[place], total[0], total[place]) == (50_000, "合计", 50_000)


def test_codes_have_their_names_beside_them(callers: Callers) -> None:
    content = callers.AUDIT.get("/ledgers/loans", accept="text/csv", **DAY).content
    head, line = rows_of(content)
    told = dict(zip(head, line, strict=True))
    for code, name in (
        ("银行 bank", "银行名称 bank_name"),
        ("乡镇 township", "乡镇名称 township_name"),
        ("户类别 category", "户类别名称 category_name"),
    ):
        assert head.index(name) == head.index(code) + 1
        assert told[name] and told[name] != told[code]
    noted = callers.AUDIT.get("/ledgers/loans", accept="text/csv;notes=1", bank="NRCB", **DAY)
    assert "# 筛选 filter: bank=NRCB" in noted.text


def test_several_codes_in_a_cell_have_their_names_side_by_side() -> None:
    class Nobody:
        def query(self, query_text: str) -> Rows:
            return Rows(("code", "name"), [("NRCB", "农商行"), ("PSBC", "邮储行")])

    banks = c.several("bank", "银行", "bank")
    table = Table((banks,), [(["PSBC", "X"],), ([],)])
    found = with_code_names(cast("View", Nobody()), table)
    assert [row[1] for row in found.rows] == [["邮储行", "X"], []]
