"""The slip of a payment: in Chinese, in capitals, and enough to work it out by hand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from html.parser import HTMLParser
from typing import Any

import pytest
from support import controls as c
from support.service import Callers, service

from interface.documents.notice_page import late_clauses
from interface.documents.paper import CHINESE
from interface.html import environment


class Cells(HTMLParser):
    """The rows of all tables of a page, as their texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._open = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag == "tr":
            self.rows.append([])
        self._open = tag in ("td", "th")
        if self._open:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._open = False

    def handle_data(self, data: str) -> None:
        if self._open:
            self.rows[-1][-1] += data


@pytest.fixture(scope="module")
def callers(shared_database: Any) -> Iterator[Callers]:
    """The third quarter of domain.md §5: 20 000 yuan repaid on 1 August."""
    with service(shared_database) as callers:
        for caller, path, body in (
            (callers.BUREAU, "/households", c.body(c.household()) | {"ref": "HH-1"}),
            (callers.NRCB, "/loans", c.body(c.loan()) | {"ref": "LN-1"}),
            (callers.NRCB, "/loans/L1/repayments", c.body(c.repay(), "loan_no") | {"ref": "RP-1"}),
        ):
            assert caller.post(path, body).status_code == 201
        pay = c.pay(period="2023Q3", amount_fen=36_297, effective_on="2023-09-25")
        answer = callers.FINANCE.post(
            "/loans/L1/subsidy-payments", c.body(pay, "loan_no") | {"ref": "PAY-1"}
        )
        assert answer.status_code == 201, answer.text
        yield callers


def test_a_clerk_with_a_calculator_comes_to_the_same_fen(callers: Callers) -> None:
    page = callers.AUDIT.get("/subsidy-payments/PAY-1/slip")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    segments = [
        row for row in Cells(page.text).rows if len(row) == 10 and re.match("[0-9]{4}-", row[0])
    ]
    assert [row[:4] for row in segments] == [
        ["2023-06-21", "2023-07-31", "41", "50,000.00"],
        ["2023-08-01", "2023-09-20", "51", "30,000.00"],
    ]
    total = Decimal(0)
    for _, _, days, principal, _, _, _, rate, share, product in segments:
        amount = Decimal(product.replace(",", ""))
        assert amount == Decimal(principal.replace(",", "")) * int(days)
        total += amount * Decimal(rate[:-1]) / 100 * Decimal(share[:-1]) / 100
    due = (total / 360).quantize(Decimal("0.01"), ROUND_HALF_UP)
    assert f"<strong>{due} 元</strong>" in page.text
    assert "人民币叁佰陆拾贰元玖角柒分" in page.text
    assert "362.972222…" in page.text


def test_it_names_every_rule_with_its_source_and_shows_no_name(callers: Callers) -> None:
    trace = callers.AUDIT.get("/subsidy-payments/PAY-1/trace").json()
    page = callers.AUDIT.get("/subsidy-payments/PAY-1/slip").text
    for rule in trace["rules_in_force"]:
        assert rule["version"] in page
        assert rule["source"] in page
    assert "张*" in page
    assert "张三" not in page


def test_a_ruling_stands_on_the_slip_in_words_and_units(callers: Callers) -> None:
    page = callers.AUDIT.get("/subsidy-payments/PAY-1/slip").text
    for named, version, shown in (
        ("每户贴息本金上限", "credit_cap_fen@", "50,000.00 元"),
        ("一年期 LPR", "lpr_one_year@", "3.65%"),
        ("贴息比例", "subsidy_share@", "100.00%"),
        ("结息日", "settlement_day@", "20 日"),
    ):
        assert re.search(f"<td>{named}<br><small>{version}[^<]*</small></td><td>{shown}</td>", page)


def test_late_notices_of_the_same_days_are_one_clause() -> None:
    days = {"posted_on": date(2025, 1, 4), "until_on": date(2025, 1, 13)}
    late = [
        {**days, "level": level, "township": township, "recorded_on": on, "document": "照片〔1〕号"}
        for township, level, on in (
            ("T01", "village", date(2025, 2, 1)),
            ("T01", "township", date(2025, 2, 1)),
            ("T02", "village", date(2025, 2, 1)),
            ("T02", "township", date(2025, 2, 1)),
            ("", "county", date(2025, 2, 2)),
        )
    ]
    parts = environment.get_template("documents/parts.html").module
    said = re.sub("<[^>]*>", "", parts.late_notices(CHINESE, late_clauses(late))).strip()
    assert said == (
        "公示迟报：T01 T02 村级、乡镇级公示，2025-01-04 至 2025-01-13，2025-02-01 报送，"
        "依据《照片〔1〕号》；县级公示，2025-01-04 至 2025-01-13，2025-02-02 报送，"
        "依据《照片〔1〕号》。"
    )


def test_only_who_may_see_the_payment_sees_its_slip(callers: Callers) -> None:
    assert callers.NRCB.get("/subsidy-payments/PAY-1/slip").status_code == 200
    assert callers.PSBC.get("/subsidy-payments/PAY-1/slip").status_code == 404
    assert callers.ADMIN.get("/subsidy-payments/PAY-1/slip").status_code == 403
    assert callers.AUDIT.get("/subsidy-payments/NONE/slip").status_code == 404


WORKED = [
    # household, loan, quarter, days of each segment, yuan (domain rules §5)
    ("H1", "L1", "2023Q1", ["11"], "55.76"),
    ("H1", "L1", "2023Q2", ["92"], "466.39"),
    ("H1", "L1", "2023Q3", ["41", "51"], "362.97"),
    ("H2", "L2", "2023Q1", ["75"], "447.92"),
    ("H3", "L3", "2023Q2", ["92"], "466.39"),
]


@pytest.fixture
def batch(database: Any) -> Iterator[Callers]:
    """A batch of 2023Q3 over the loans of the worked figures, none of which was ever paid."""
    person = {"relation": "户主", "head": True}
    with service(database) as callers:
        for number, id_no in (("H1", c.ID_NO), ("H2", c.OTHER_ID_NO), ("H3", "11010519491231002X")):
            home = c.household(
                ref=f"HH-{number}", household_no=number,
                members=[{"name": "张三", "id_no": id_no, **person}],
            )  # fmt: skip
            assert callers.BUREAU.post("/households", _told(home)).status_code == 201
        for number, other in (
            ("1", {}),
            ("2", {"effective_on": "2023-01-05", "contract_on": "2023-01-05", "annual_rate_bp": 430,
                   "due_on": "2025-01-05"}),
            ("3", {"annual_rate_bp": 435}),
        ):  # fmt: skip
            loan = c.loan(
                ref=f"LN-{number}", loan_no=f"L{number}", contract_no=f"C{number}",
                household_no=f"H{number}", **other,
            )  # fmt: skip
            assert callers.NRCB.post("/loans", _told(loan)).status_code == 201
        repaid = callers.NRCB.post("/loans/L1/repayments", _told(c.repay(), "loan_no"))
        assert repaid.status_code == 201
        told = {"ref": "PC", "effective_on": "2023-10-08", "batch_no": "PC", "period": "2023Q3"}
        answer = callers.CENTRE.post("/batches", told)
        assert answer.status_code == 201, answer.text
        callers.AUDIT.get("/batches", position=answer.json()["position"])
        yield callers


def _told(command: Any, *without: str) -> dict[str, Any]:
    return c.body(command, *without) | {"ref": command.ref}


def test_every_worked_figure_stands_on_a_slip(batch: Callers) -> None:
    lines = batch.AUDIT.get("/batches/PC/lines").json()["lines"]
    amounts = {(line["loan_no"], line["period"]): line["amount_fen"] for line in lines}
    for household, loan, period, days, figure in WORKED:
        assert amounts[loan, period] == round(Decimal(figure) * 100)
        page = batch.AUDIT.get("/batches/PC/slip", household_no=household).text
        section = page.split(f" {period}（")[1].split("<h2>")[0]
        rows = [row for row in Cells(section).rows if len(row) == 10 and row[0][:2] == "20"]
        assert [row[2] for row in rows] == days
        assert f"<strong>{figure} 元</strong>" in section
        assert f"借据 NRCB/{loan}" in section
