"""The contract over HTTP: the three jobs, who sees what, and the forms in which ledgers leave."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import pytest
from python_calamine import CalamineWorkbook
from support import controls
from support.service import Callers, service

from application.commands.batch import CorrectResult, OrderPayment, TellResult
from interface.http.permissions import route_of
from interface.http.routes.commands import PLAIN

PAID = {"line": 1, "paid": True, "voucher": "N-1"}


def body(command: Any, *without: str) -> dict[str, Any]:
    plain = command.model_dump(mode="json", exclude_none=True)
    return {name: value for name, value in plain.items() if name not in without}


@pytest.fixture(scope="module")
def callers(shared_database: Any) -> Iterator[Callers]:
    """A county in which one loan was lent, checked, partly repaid, subsidised."""
    with service(shared_database) as callers:
        for answer in (
            callers.BUREAU.post("/households", body(controls.household())),
            callers.NRCB.post("/loans", body(controls.loan())),
            callers.T01.post("/loans/L1/usage-checks", body(controls.check(), "loan_no")),
            callers.FINANCE.post("/loans/L1/subsidy-payments", body(controls.pay(), "loan_no")),
            callers.NRCB.post("/loans/L1/repayments", body(controls.repay(), "loan_no")),
        ):
            assert answer.status_code == 201, answer.text
        callers.position = answer.json()["position"]
        yield callers


def test_a_new_statement_is_201_and_the_same_again_200_with_the_first_answer(
    callers: Callers,
) -> None:
    repayment = body(controls.repay(ref="TWICE", principal_fen=1), "loan_no")

    first = callers.NRCB.post("/loans/L1/repayments", repayment)
    second = callers.NRCB.post("/loans/L1/repayments", repayment)
    other = callers.NRCB.post("/loans/L1/repayments", {**repayment, "interest_fen": 2})

    assert (first.status_code, second.status_code, other.status_code) == (201, 200, 409)
    assert {**first.json(), "again": True} == second.json()
    assert other.json()["code"] == "reference_reused"
    assert other.headers["content-type"] == "application/problem+json"


def test_a_supervisor_traces_a_payment_to_its_first_event(callers: Callers) -> None:
    traced = callers.AUDIT.get("/subsidy-payments/PAY-1/trace").json()

    assert traced["calculation"]["amount_fen"] == 46_639
    assert traced["household_events"][0]["event"] == "household.registered.v1"
    assert traced["paid_to"] == {"payee_account": "****0001", "payee_name": "张*"}
    assert callers.PSBC.get("/subsidy-payments/PAY-1/trace").status_code == 404
    assert callers.T02.get("/subsidy-payments/PAY-1/trace").status_code == 404
    assert callers.T01.get("/subsidy-payments/PAY-1/trace").status_code == 200


def test_the_ledger_of_any_day_leaves_as_json_csv_and_xlsx(callers: Callers) -> None:
    asked = {"as_of": "2023-09-30", "position": callers.position}

    plain = callers.AUDIT.get("/ledgers/loans", **asked)
    as_csv = callers.AUDIT.get("/ledgers/loans", accept="text/csv", **asked)
    as_xlsx = callers.AUDIT.get("/ledgers/loans", accept="application/xlsx", **asked)

    [line] = plain.json()["lines"]
    assert plain.json()["as_of"] == plain.headers["x-as-of"] == "2023-09-30"
    assert line["borrower_name"] == "张*"
    assert as_csv.content.startswith(b"\xef\xbb\xbf")
    titles, values = csv.reader(io.StringIO(as_csv.content.decode("utf-8-sig")))
    row = dict(zip(titles, values, strict=True))
    assert row["贷款金额(元) principal_yuan"] == "50000.00"
    workbook = CalamineWorkbook.from_filelike(io.BytesIO(as_xlsx.content))
    sheet = workbook.get_sheet_by_name("数据")
    assert dict(zip(*sheet.to_python()[:2], strict=True))["贷款金额(元) principal_yuan"] == 50000


def test_the_ledger_before_the_repayment_is_still_there(callers: Callers) -> None:
    before = callers.AUDIT.get("/loans/L1", as_of="2023-07-31").json()["loan"]
    after = callers.AUDIT.get("/loans/L1", as_of="2023-08-01").json()["loan"]

    assert before["outstanding_fen"] == 5_000_000
    assert after["outstanding_fen"] <= 3_000_000


def test_each_reader_sees_his_own_rows_and_no_others(callers: Callers) -> None:
    for caller, lines in (
        (callers.NRCB, 1),
        (callers.PSBC, 0),
        (callers.T01, 1),
        (callers.T02, 0),
        (callers.CENTRE, 1),
        (callers.FINANCE, 1),
    ):
        answer = caller.get("/ledgers/loans", position=callers.position)
        assert len(answer.json()["lines"]) == lines
    assert callers.ADMIN.get("/ledgers/loans").status_code == 403
    assert callers.PSBC.get("/ledgers/loans", bank="NRCB").status_code == 403
    for path in ("/loans/L1", "/loans/L1/history", "/households/H1", "/households/H1/history"):
        assert callers.AUDIT.get(path).status_code == 200, path
        assert callers.T02.get(path).status_code == 404, path
        assert callers.PSBC.get(path).status_code == 404, path
        assert callers.ADMIN.get(path).status_code == 403, path


def test_another_banks_loan_and_a_missing_one_cannot_be_told_apart(callers: Callers) -> None:
    repayment = body(controls.repay(ref="X"), "loan_no")

    foreign = callers.PSBC.post("/loans/L1/repayments", repayment)
    missing = callers.PSBC.post("/loans/L7/repayments", repayment)

    assert foreign.status_code == missing.status_code == 404
    assert foreign.text.replace("L1", "L7") == missing.text


def test_the_diff_between_two_states_of_knowledge_explains_itself(callers: Callers) -> None:
    history = callers.AUDIT.get("/loans/L1/history").json()["events"]
    paid = next(e for e in history if e["event"] == "loan.subsidy-paid.v1")

    diff = callers.AUDIT.get(
        "/changes", known_from=paid["recorded_at"], position=callers.position
    ).json()

    assert diff["explained"] is True
    assert diff["difference"]["outstanding_fen"] <= -2_000_000
    assert diff["changes"][0]["causes"][0]["organisation"] == "NRCB"


def test_nobody_without_a_valid_key_gets_in(callers: Callers) -> None:
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic eA=="}):
        answer = callers.client.get("/v1/ledgers/loans", headers=headers)
        assert answer.status_code == 401
        assert answer.json()["code"] == "not_authenticated"


def test_every_writing_route_refuses_every_role_that_has_no_business_there(
    callers: Callers,
) -> None:
    allowed = {
        "household": {"BUREAU"},
        "status": {"BUREAU"},
        "members": {"BUREAU"},
        "demand": {"T01"},
        "credit": {"NRCB"},
        "erasure": {"BUREAU"},
        "loan": {"NRCB"},
        "repayment": {"NRCB"},
        "outflow": {"NRCB"},
        "extension": {"NRCB"},
        "reminder": {"NRCB"},
        "usage-check": {"T01"},
        "repayment-plan": {"T01"},
        "subsidy-payment": {"FINANCE", "FINANCE2", "QIN"},
        "subsidy-recovery": {"FINANCE", "FINANCE2", "QIN"},
        "bank-report": {"NRCB"},
        "rating": {"NRCB", "T01"},
        "risk": {"NRCB", "T01", "CENTRE", "BUREAU", "FINANCE", "FINANCE2", "QIN", "AUDIT", "DB"},
        "risk-note": {"NRCB", "T01", "CENTRE", "BUREAU", "FINANCE", "FINANCE2", "QIN"},
        "guarantee": {"DB"},
        "risk-fund-payment": {"FINANCE", "FINANCE2", "QIN"},
        "compensation": {"FINANCE", "FINANCE2", "QIN"},
        "compensation-recovery": {"FINANCE", "FINANCE2", "QIN"},
        "benefit": {"T01"},
        "benefit-payment": {"T01"},
        "ruling": {"CENTRE", "FINANCE", "FINANCE2", "QIN"},
        "plan": {"CENTRE", "FINANCE", "FINANCE2", "QIN"},
        "batch-verification": {"BUREAU"},
        "notice": {"T01", "CENTRE"},
        "objection": {"T01", "NRCB", "CENTRE", "BUREAU", "FINANCE", "FINANCE2", "QIN", "AUDIT"},
        "objection-resolution": {"CENTRE", "BUREAU"},
        "limit-lifting": {"CENTRE", "BUREAU"},
        "batch-approval": {"FINANCE", "FINANCE2", "QIN"},
        "batch-return": {"CENTRE", "BUREAU", "FINANCE", "FINANCE2", "QIN"},
        "payment-order": {"FINANCE", "FINANCE2", "QIN"},
        "payment-result": {"NRCB"},
        "payment-result-correction": {"NRCB"},
        "fund-allocation": {"FINANCE", "FINANCE2", "QIN"},
        "fund-transfer": {"FINANCE", "FINANCE2", "QIN"},
        "case-assignment": {"AUDIT"},
        "explanation-request": {"AUDIT"},
        "case-note": {"AUDIT"},
        "case-proposal": {"AUDIT"},
        "case-upholding": {"AUDIT"},
        "case-dismissal": {"AUDIT"},
        "case-rectification": {"AUDIT"},
        "case-recovery": {"AUDIT"},
        "case-closing": {"AUDIT"},
        "case-reopening": {"AUDIT"},
        "explanation": {"NRCB", "T01", "CENTRE", "BUREAU", "FINANCE", "FINANCE2", "QIN", "DB"},
    }
    ordinary = {
        "household": controls.household(),
        "status": controls.status(),
        "members": controls.members(),
        "demand": controls.demand(),
        "credit": controls.credit(),
        "erasure": controls.erasure(),
        "loan": controls.loan(),
        "repayment": controls.repay(),
        "outflow": controls.outflow(),
        "extension": controls.extend(),
        "reminder": controls.remind(),
        "usage-check": controls.check(),
        "repayment-plan": controls.plan(),
        "subsidy-payment": controls.pay(),
        "subsidy-recovery": controls.recover(),
        "bank-report": controls.report(),
        "rating": controls.rating(),
        "risk": controls.risk(),
        "risk-note": controls.risk_note(),
        "guarantee": controls.guarantee(),
        "risk-fund-payment": controls.risk_fund_payment(),
        "compensation": controls.compensation(),
        "compensation-recovery": controls.compensation_recovery(),
        "benefit": controls.agreement(),
        "benefit-payment": controls.benefit_payment(),
        "ruling": controls.ruling(),
        "plan": controls.programme_plan(),
        "batch-verification": controls.verification(),
        "notice": controls.notice(),
        "objection": controls.objection(),
        "objection-resolution": controls.resolution(),
        "limit-lifting": controls.lifting(),
        "batch-approval": controls.approval(),
        "batch-return": controls.return_of_batch(),
        "payment-order": controls.step(OrderPayment, "ZL-1", bank="NRCB"),
        "payment-result": controls.step(TellResult, "HP-1", results=[PAID]),
        "payment-result-correction": controls.step(
            CorrectResult, "GZ-1", corrections=[PAID | {"reason": "退票"}]
        ),
        "fund-allocation": controls.allocate(),
        "fund-transfer": controls.transfer(),
        "case-assignment": controls.assignment(),
        "explanation-request": controls.explanation_request(),
        "explanation": controls.explanation(),
        "case-note": controls.case_note(),
        "case-proposal": controls.proposal(),
        "case-upholding": controls.upholding(),
        "case-dismissal": controls.dismissal(),
        "case-rectification": controls.rectification(),
        "case-recovery": controls.case_recovery("11111111-2222-3333-4444-555555555555.7"),
        "case-closing": controls.closing(),
        "case-reopening": controls.reopening(),
    }
    for command in PLAIN:
        if command.TYPE == "correction":
            continue
        told = body(ordinary[command.TYPE].model_copy(update={"ref": "ROLE"}))
        path, named = route_of(command), command.path_fields()
        route = path.replace("{no}", told.pop(named[0]) if named else "")
        for code in callers.keys.keys() - allowed[command.TYPE] - {"PSBC", "T02"}:
            answer = getattr(callers, code).post(route, told)
            assert answer.status_code == 403, (path, code, answer.text)


def test_the_docs_ask_nothing_of_other_hosts(callers: Callers) -> None:
    page = callers.client.get("/docs")

    assert page.status_code == 200
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert callers.client.get("/v1/openapi.json").status_code == 200
    assert callers.client.get("/healthz").json()["status"] == "ok"
    assert b"mingzhang_log_position" in callers.client.get("/metrics").content
