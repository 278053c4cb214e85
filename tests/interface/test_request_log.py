"""What the request log says, and that nothing which anybody told the service reaches it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from support import controls
from support.service import Callers, service

from application.commands.batch import CorrectResult, OrderPayment, TellResult
from interface.http.permissions import route_of
from interface.http.request_log import write_logs_to
from interface.http.routes.commands import PLAIN

NAME, ID_NO, ACCOUNT, WORD = "金丝雀", "440524188001010014", "62229999CANARY", "CANARY"
BY_ROLE = {
    "bank": "NRCB",
    "bureau": "BUREAU",
    "township": "T01",
    "finance": "FINANCE",
    "guarantor": "DB",
    "auditor": "AUDIT",
}
PAID = {"line": 1, "paid": True, "voucher": WORD, "payee_name": NAME, "payee_account": ACCOUNT}
EVENT_ID = "11111111-2222-3333-4444-555555555555.7"
TOLD: dict[str, Callable[..., Any]] = {
    "household": controls.household,
    "status": controls.status,
    "members": controls.members,
    "erasure": controls.erasure,
    "look": controls.look,
    "demand": controls.demand,
    "credit": controls.credit,
    "loan": controls.loan,
    "repayment": controls.repay,
    "outflow": controls.outflow,
    "extension": controls.extend,
    "reminder": controls.remind,
    "usage-check": controls.check,
    "repayment-plan": controls.plan,
    "subsidy-payment": controls.pay,
    "subsidy-recovery": controls.recover,
    "correction": lambda: controls.correct(EVENT_ID, replacement={"name": NAME}),
    "bank-report": controls.report,
    "ruling": controls.ruling,
    "rating": controls.rating,
    "risk": controls.risk,
    "risk-note": controls.risk_note,
    "guarantee": controls.guarantee,
    "risk-fund-payment": controls.risk_fund_payment,
    "compensation": controls.compensation,
    "compensation-recovery": controls.compensation_recovery,
    "benefit": controls.agreement,
    "benefit-payment": controls.benefit_payment,
    "plan": controls.programme_plan,
    "batch-verification": controls.verification,
    "notice": controls.notice,
    "objection": controls.objection,
    "objection-resolution": controls.resolution,
    "batch-approval": controls.approval,
    "limit-lifting": controls.lifting,
    "batch-return": controls.return_of_batch,
    "payment-order": lambda: controls.step(OrderPayment, "ZL-1", bank="NRCB"),
    "payment-result": lambda: controls.step(TellResult, "HP-1", results=[PAID]),
    "payment-result-correction": lambda: controls.step(
        CorrectResult, "GZ-1", corrections=[PAID | {"reason": WORD}]
    ),
    "fund-allocation": controls.allocate,
    "fund-transfer": controls.transfer,
    "case-assignment": controls.assignment,
    "explanation-request": controls.explanation_request,
    "explanation": controls.explanation,
    "case-note": controls.case_note,
    "case-proposal": controls.proposal,
    "case-upholding": controls.upholding,
    "case-dismissal": controls.dismissal,
    "case-rectification": controls.rectification,
    "case-recovery": lambda: controls.case_recovery(EVENT_ID),
    "case-closing": controls.closing,
    "case-reopening": controls.reopening,
}
CANARIES = {
    "name": NAME, "id_no": ID_NO, "borrower_id_no": ID_NO, "account": ACCOUNT, "purpose": WORD,
    "reason": WORD, "village": WORD, "voucher": WORD, "inspector": NAME, "loan_no": WORD,
    "household_no": WORD, "ref": WORD, "what": NAME, "words": NAME, "explanation": NAME,
    "investigator": NAME,
}  # fmt: skip


def with_canaries(told: Any, ref: str) -> Any:
    """The same statement with something secret in every place that can hold it."""
    if isinstance(told, list):
        return [with_canaries(item, ref) for item in told]
    if not isinstance(told, dict):
        return told
    spoken = {
        name: CANARIES[name] if name in CANARIES else with_canaries(value, ref)
        for name, value in told.items()
    }
    return spoken | ({"ref": f"{WORD}-{ref}"} if "ref" in told else {})


@pytest.fixture
def log() -> Iterator[io.BytesIO]:
    stream = io.BytesIO()
    write_logs_to(stream)
    yield stream
    structlog.reset_defaults()


@pytest.fixture
def callers(log: io.BytesIO, database: Any) -> Iterator[Callers]:
    with service(database) as callers:
        yield callers


def lines_of(log: io.BytesIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_each_request_leaves_one_line_that_names_the_route_and_who_asked(
    callers: Callers, log: io.BytesIO
) -> None:
    callers.BUREAU.post("/households", controls.household().model_dump(mode="json"))
    callers.AUDIT.get("/households/H1/history")
    callers.client.get("/v1/households/H1/history")

    told, asked, stranger = lines_of(log)
    assert told.keys() == {
        "event", "level", "timestamp", "method", "route", "status", "milliseconds", "organisation",
    }  # fmt: skip
    assert (told["method"], told["route"], told["status"], told["organisation"]) == (
        "POST", "/v1/households", 201, "BUREAU",
    )  # fmt: skip
    assert (asked["route"], asked["organisation"]) == ("/v1/households/{no}/history", "AUDIT")
    assert 0 < asked["milliseconds"] < 60_000
    assert (stranger["status"], stranger["organisation"]) == (401, None)


def test_nothing_that_is_told_or_asked_reaches_the_log(callers: Callers, log: io.BytesIO) -> None:
    statuses = set()
    for command in PLAIN:
        route, named = route_of(command), command.path_fields()
        caller = getattr(callers, BY_ROLE[min({*command.ROLES} & BY_ROLE.keys())])
        told = TOLD[command.TYPE]().model_dump(mode="json", exclude_none=True)
        body = with_canaries(told, command.TYPE)
        no = body.pop(named[0]) if named else None
        statuses.add(caller.post(route.replace("{no}", str(no)), body).status_code)
        caller.post(route.replace("{no}", str(no)), {**body, NAME: ID_NO, "members": ACCOUNT})
    callers.NRCB.send("/submissions", content=json.dumps({"type": "loan", "ref": NAME}))
    header = "ref,loan_no,effective_on,principal,interest,penalty,payer_account,payer_name\n"
    row = f"{WORD},{WORD},2023-09-01,1,1,1,{ACCOUNT},{NAME}\n"
    upload = {"files": {"file": (NAME, (header + row).encode())}, "data": {"kind": "repayment"}}
    callers.NRCB.send("/files", **upload)
    callers.AUDIT.get("/ledgers/loans", household_no=WORD, bank=ACCOUNT)
    callers.AUDIT.get(f"/subsidy-payments/{WORD}/trace", known_at=NAME)
    callers.AUDIT.get(f"/{WORD}/{ID_NO}")
    callers.client.request(WORD, f"/v1/loans/{WORD}", headers={"Authorization": f"Bearer {WORD}"})

    text = log.getvalue().decode()
    assert 201 in statuses
    written = {line["route"] for line in lines_of(log)}
    assert {f"/v1{route_of(command)}" for command in PLAIN} | {
        "/v1/submissions",
        "/v1/files",
    } <= written
    secrets = (NAME, json.dumps(NAME)[1:-1], ID_NO, ACCOUNT, WORD, *callers.keys.values())
    assert [secret for secret in secrets if secret in text] == []
