"""Personal data over HTTP: masked, shown after a recorded look, gone after an erasure."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from python_calamine import CalamineWorkbook
from structlog.testing import capture_logs
from support import controls
from support.chance import wait_until
from support.service import Caller, Callers, service

from application.access import issue_key
from application.personal_data.encryption import _all_vaults
from domain.calendar import civil_day
from domain.household import Household
from domain.identity_number import problems

ROOT = Path(__file__).parents[2]
HEAD = {"name": "欧阳丹青", "id_no": "11010519491231002X", "relation": "户主", "head": True}
WIFE = {"name": "司徒明月", "id_no": "440524188001010014", "relation": "配偶"}
CARD, FIRM_CARD, OTHER_CARD = "6222000000000018", "6217000000000008", "6228480000000000015"
PAYEE = {"account": CARD, "name": HEAD["name"]}
FIRM = {"account": FIRM_CARD, "name": "某某养牛合作社", "kind": "firm"}
OTHER = {"account": OTHER_CARD, "name": "南宫问天"}
PLANTED = [
    HEAD["name"], HEAD["id_no"], WIFE["name"], WIFE["id_no"], CARD, FIRM_CARD, OTHER_CARD,
    FIRM["name"], OTHER["name"],
]  # fmt: skip


def body(command: Any, *without: str) -> dict[str, Any]:
    plain = command.model_dump(mode="json", exclude_none=True)
    return {name: value for name, value in plain.items() if name not in without}


def look(ref: str = "LK-1", **other: Any) -> dict[str, Any]:
    return body(controls.look(ref=ref, **other), "household_no")


@pytest.fixture
def callers(database: Any) -> Iterator[Callers]:
    """A household of two, a loan of each of two banks, everything told of them."""
    with service(database) as callers:
        for answer in (
            callers.BUREAU.post("/households", body(controls.household(members=[HEAD]))),
            callers.BUREAU.post(
                "/households/H1/members", body(controls.members(added=[WIFE]), "household_no")
            ),
            callers.NRCB.post("/loans", body(controls.loan(payee=PAYEE))),
            callers.PSBC.post(
                "/loans",
                body(controls.loan(ref="P-1", loan_no="P1", payee=OTHER, principal_fen=100)),
            ),
            callers.NRCB.post("/loans/L1/outflows", body(controls.outflow(to=FIRM), "loan_no")),
            callers.T01.post("/loans/L1/usage-checks", body(controls.check(), "loan_no")),
            callers.FINANCE.post(
                "/loans/L1/subsidy-payments",
                body(controls.pay(payee=PAYEE, amount_fen=46_000), "loan_no"),
            ),
            callers.NRCB.post(
                "/loans/L1/repayments",
                body(controls.repay(payer=PAYEE, principal_fen=5_000_000), "loan_no"),
            ),
            callers.PSBC.post(
                "/loans/P1/repayments",
                body(controls.repay(loan_no="P1", payer=OTHER, principal_fen=100), "loan_no"),
            ),
        ):
            assert answer.status_code == 201, answer.text
        callers.position = answer.json()["position"]
        callers.database = database
        yield callers


def erase(callers: Callers) -> Any:
    return callers.BUREAU.post("/households/H1/erasure", body(controls.erasure(), "household_no"))


def asked(callers: Callers, question: str) -> Any:
    with psycopg.connect(callers.database.owner_dsn, autocommit=True) as connection:
        return connection.execute(question.encode()).fetchall()


# ---- a look ---------------------------------------------------------------------------


def test_a_look_is_recorded_and_answered_with_names_and_numbers(callers: Callers) -> None:
    answer = callers.AUDIT.post("/households/H1/looks", look())

    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    seen = answer.json()
    assert seen["again"] is False
    assert [(m["name"], m["id_no"], m["relation"]) for m in seen["members"]] == [
        (HEAD["name"], HEAD["id_no"], "户主"),
        (WIFE["name"], WIFE["id_no"], "配偶"),
    ]
    accounts = {(e["bank"], e["loan_no"], e["event"]): e["personal"] for e in seen["loan_events"]}
    assert accounts["NRCB", "L1", "loan.disbursed.v1"] == {
        "borrower_id_no": HEAD["id_no"],
        "payee_account": CARD,
        "payee_name": HEAD["name"],
    }
    assert accounts["NRCB", "L1", "loan.outflow-observed.v1"]["to_account"] == FIRM_CARD
    assert accounts["NRCB", "L1", "loan.subsidy-paid.v1"]["payee_account"] == CARD
    assert accounts["PSBC", "P1", "loan.repaid.v1"]["payer_account"] == OTHER_CARD
    [(organisation, state)] = asked(
        callers,
        "SELECT organisation, convert_from(state, 'UTF8')::jsonb FROM ledger.event"
        f" WHERE position = {seen['position']} AND topic = 'household.looked-at.v1'",
    )
    assert (organisation, state["role"], state["person"], state["reason"]) == (
        "AUDIT",
        "auditor",
        "audit-1",
        "核对付款账户",
    )


def test_the_same_look_again_shows_nothing_whoever_asks(callers: Callers) -> None:
    first = callers.AUDIT.post("/households/H1/looks", look())
    colleague = issue_key(callers.database.owner_dsn, "AUDIT", "colleague")

    for caller in (callers.AUDIT, Caller(callers.client, colleague)):
        again = caller.post("/households/H1/looks", look())
        assert again.status_code == 200
        assert again.json()["again"] is True
        assert again.json()["code"] == "look_told_before"
        assert again.json()["position"] == first.json()["position"]
        assert planted_in(again.text) == []
        assert "members" not in again.json()
    other = callers.AUDIT.post("/households/H1/looks", look(reason="换一个理由"))
    assert (other.status_code, other.json()["code"]) == (409, "reference_reused")


def test_a_bank_sees_the_accounts_of_its_own_loans_alone(callers: Callers) -> None:
    for caller, own, foreign in (
        (callers.NRCB, CARD, OTHER_CARD),
        (callers.PSBC, OTHER_CARD, FIRM_CARD),
    ):
        answer = caller.post("/households/H1/looks", look())
        assert answer.status_code == 201
        assert own in answer.text
        assert foreign not in answer.text
        assert len(answer.json()["members"]) == 2


def test_who_has_no_business_with_a_household_cannot_tell_it_from_none(callers: Callers) -> None:
    own_house = body(controls.household(ref="HH-2", household_no="H2", township_code="T02"))
    assert callers.BUREAU.post("/households", own_house).status_code == 201
    before = asked(callers, "SELECT max(position) FROM ledger.event")

    for caller, no in ((callers.T02, "H1"), (callers.NRCB, "H2"), (callers.T01, "H2")):
        foreign = caller.post(f"/households/{no}/looks", look())
        missing = caller.post("/households/H9/looks", look())
        assert foreign.status_code == missing.status_code == 404
        assert foreign.text.replace(no, "H9") == missing.text
    assert callers.ADMIN.post("/households/H1/looks", look()).status_code == 403
    assert callers.client.post("/v1/households/H1/looks", json=look()).status_code == 401
    assert asked(callers, "SELECT max(position) FROM ledger.event") == before
    for caller in (callers.T01, callers.CENTRE, callers.FINANCE, callers.BUREAU, callers.AUDIT):
        assert HEAD["id_no"] in caller.post("/households/H1/looks", look()).text


@pytest.mark.parametrize(
    ("wrong", "status", "code"),
    [
        ({"reason": "查"}, 422, "too_short"),
        ({"reason": "查 账"}, 422, "too_short"),
        ({"reason": "      "}, 422, "too_short"),
        ({"reason": None}, 422, "not_text"),
        ({"effective_on": "2024-01-01"}, 409, "look_not_today"),
        ({"effective_on": "2999-01-01"}, 409, "dated_in_future"),
        ({"more": 1}, 422, "unknown_field"),
    ],
)
def test_a_look_without_a_reason_or_on_another_day_shows_nothing(
    callers: Callers, wrong: dict[str, Any], status: int, code: str
) -> None:
    answer = callers.AUDIT.post("/households/H1/looks", {**look(), **wrong})

    assert answer.status_code == status
    codes = [answer.json()["code"], *(e["code"] for e in answer.json()["errors"])]
    assert code in codes
    assert planted_in(answer.text) == []
    assert asked(callers, "SELECT FROM ledger.event WHERE topic = 'household.looked-at.v1'") == []


def test_without_the_event_there_is_no_data(callers: Callers) -> None:
    """Fails closed: a log that takes no event shows nobody anything."""
    with psycopg.connect(callers.database.owner_dsn, autocommit=True) as owner:
        owner.execute("REVOKE INSERT ON ledger.event FROM mingzhang_writer")
        refused = callers.AUDIT.post("/households/H1/looks", look())
        owner.execute("GRANT INSERT ON ledger.event TO mingzhang_writer")

    assert refused.status_code >= 500
    assert planted_in(refused.text) == []
    assert callers.AUDIT.post("/households/H1/looks", look()).status_code == 201


def test_a_look_cannot_be_hidden_in_a_batch(callers: Callers) -> None:
    line = json.dumps({"type": "look", "household_no": "H1", **look()})
    answer = callers.AUDIT.send("/submissions", content=line)
    assert answer.json()["code"] == "unknown_type"


# ---- too many -------------------------------------------------------------------------


def test_of_fifty_looks_at_once_thirty_are_answered_and_the_others_are_seen(
    callers: Callers,
) -> None:
    def ask(number: int) -> Any:
        return callers.AUDIT.post("/households/H1/looks", look(f"MANY-{number}"))

    with capture_logs() as logs, ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(ask, range(50)))

    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(201), statuses.count(429)) == (30, 20)
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["code"] == "too_many_looks"
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["retry-after"] == "60"
    assert planted_in(refused.text) == []
    seen = [line for line in logs if line["event"] == "looks.too_many"]
    assert len(seen) == 20
    assert (seen[0]["organisation"], seen[0]["person"]) == ("AUDIT", "audit-1")
    metrics = callers.client.get("/metrics").text
    [counted] = re.findall(r'^mingzhang_looks_refused_total{organisation="AUDIT"} (\S+)', metrics,
                           re.MULTILINE)  # fmt: skip
    assert float(counted) >= 20
    [(recorded,)] = asked(
        callers, "SELECT count(*) FROM ledger.event WHERE topic = 'household.looked-at.v1'"
    )
    assert recorded == 30
    assert callers.AUDIT.post("/households/H1/looks", look("MANY-X")).status_code == 429
    colleague = Caller(callers.client, issue_key(callers.database.owner_dsn, "AUDIT", "other"))
    assert colleague.post("/households/H1/looks", look("HIS-1")).status_code == 201
    assert callers.BUREAU.post("/households/H1/looks", look()).status_code == 201


# ---- who looked -----------------------------------------------------------------------


def test_auditor_and_bureau_read_who_looked_when_and_why(callers: Callers) -> None:
    callers.NRCB.post("/households/H1/looks", look(reason="核实收款人账户"))
    callers.T01.post("/households/H1/looks", look(reason="入户走访前核对"))

    for caller in (callers.AUDIT, callers.BUREAU):
        listed = caller.get("/households/H1/looks").json()
        assert [(one["organisation"], one["role"], one["reason"]) for one in listed["looks"]] == [
            ("NRCB", "bank", "核实收款人账户"),
            ("T01", "township", "入户走访前核对"),
        ]
        assert listed["looks"][0]["recorded_at"].endswith("Z")
        assert planted_in(json.dumps(listed, ensure_ascii=False)) == []
    as_csv = callers.AUDIT.get("/households/H1/looks", accept="text/csv")
    rows = list(csv.reader(io.StringIO(as_csv.content.decode("utf-8-sig"))))
    assert len(rows) == 3
    assert "事由 reason" in rows[0]
    before = callers.AUDIT.get("/households/H1/looks", known_at="2020-01-01T00:00:00Z")
    assert before.status_code == callers.AUDIT.get("/households/H9/looks").status_code == 404
    for code in ("CENTRE", "FINANCE", "NRCB", "PSBC", "T01", "ADMIN"):
        assert getattr(callers, code).get("/households/H1/looks").status_code == 403


def test_a_history_shows_looks_to_those_who_watch_and_to_who_looked(callers: Callers) -> None:
    callers.NRCB.post("/households/H1/looks", look())

    def looks(caller: Caller) -> int:
        events = caller.get("/households/H1/history").json()["events"]
        return sum(event["event"] == "household.looked-at.v1" for event in events)

    assert looks(callers.AUDIT) == looks(callers.BUREAU) == looks(callers.NRCB) == 1
    assert looks(callers.PSBC) == looks(callers.T01) == looks(callers.FINANCE) == 0
    traced = callers.AUDIT.get("/subsidy-payments/PAY-1/trace").text
    assert "looked-at" not in traced


# ---- masked by default ----------------------------------------------------------------

_ID_NO = re.compile(r"(?<![0-9A-Za-z-])[0-9]{17}[0-9X](?![0-9A-Za-z])")
_CARD = re.compile(r"(?<![0-9A-Za-z.-])[0-9]{15,19}(?![0-9A-Za-z])")


def luhn(number: str) -> bool:
    digits = [int(digit) for digit in reversed(number)]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def planted_in(text: str) -> list[str]:
    """Everything personal in a text: what was planted, and whatever is a valid number."""
    return [
        *(value for value in PLANTED if str(value) in text),
        *(number for number in _ID_NO.findall(text) if not problems(number)),
        *(number for number in _CARD.findall(text) if luhn(number)),
    ]


def text_of(answer: Any) -> str:
    """An answer as a reader sees it, workbooks unpacked."""
    if answer.content[:2] == b"PK":
        sheet = CalamineWorkbook.from_filelike(io.BytesIO(answer.content)).get_sheet_by_index(0)
        return "\n".join(str(cell) for row in sheet.to_python() for cell in row)
    return str(answer.content.decode("utf-8-sig"))


READS = {
    "/ledgers/loans": "/ledgers/loans",
    "/ledgers/subsidies": "/ledgers/subsidies",
    "/changes": "/changes",
    "/indicators": "/indicators",
    "/settlement": "/settlement",
    "/red-flags": "/red-flags",
    "/red-flags/schemes": "/red-flags/schemes",
    "/red-flags/runs": "/red-flags/runs",
    "/red-flags/changes": "/red-flags/changes",
    "/red-flags/inbox": "/red-flags/inbox",
    "/red-flags/backtest": "/red-flags/backtest",
    "/red-flags/{rule}/evidence": "/red-flags/{rule}/evidence",
    "/cases": "/cases",
    "/cases/{no}": "/cases/XS-1",
    "/fund-flow": "/fund-flow",
    "/fund-flow/edges": "/fund-flow/edges",
    "/fund-flow/misuse": "/fund-flow/misuse",
    "/fund-flow/unlinked": "/fund-flow/unlinked",
    "/entities": "/entities",
    "/entities/{pseudonym}": "/entities/{pseudonym}",
    "/ratings": "/ratings",
    "/risks": "/risks",
    "/guarantees": "/guarantees",
    "/ledgers/risk-fund": "/ledgers/risk-fund",
    "/benefits": "/benefits",
    "/reports/annual": "/reports/annual",
    "/publications": "/publications",
    "/publications/{no}": "/publications/YB-1",
    "/publications/{no}/check": "/publications/YB-1/check",
    "/programme/rulings": "/programme/rulings",
    "/programme/replay": "/programme/replay",
    "/batches": "/batches",
    "/batches/{no}": "/batches/PC-1",
    "/batches/{no}/lines": "/batches/PC-1/lines",
    "/batches/{no}/slip": "/batches/PC-1/slip",
    "/batches/{no}/notice": "/batches/PC-1/notice",
    "/batches/{no}/payment-order": "/batches/PC-1/payment-order",
    "/ledgers/funds": "/ledgers/funds",
    "/ledgers/journal": "/ledgers/journal",
    "/reports/banks": "/reports/banks",
    "/reports/townships": "/reports/townships",
    "/reports/plan-check": "/reports/plan-check",
    "/duties": "/duties",
    "/duties/summary": "/duties/summary",
    "/duties/calendar.ics": "/duties/calendar.ics",
    "/loans/{no}": "/loans/L1",
    "/loans/{no}/history": "/loans/L1/history",
    "/loans/{no}/subsidies/{period}": "/loans/L1/subsidies/2023Q2",
    "/households/{no}": "/households/H1",
    "/households/{no}/history": "/households/H1/history",
    "/households/{no}/looks": "/households/H1/looks",
    "/events/{event_id}": f"/events/{Household.id_for('H1')}.1",
    "/search": "/search",
    "/subsidy-payments/{no}/trace": "/subsidy-payments/PAY-1/trace",
    "/subsidy-payments/{no}/slip": "/subsidy-payments/PAY-1/slip",
    "/subsidy-payments/{no}/evidence": "/subsidy-payments/PAY-1/evidence",
    "/log": "/log",
    "/log/checkpoint": "/log/checkpoint",
    "/log/checkpoint/page": "/log/checkpoint/page",
    "/log/proofs/inclusion": "/log/proofs/inclusion",
    "/log/proofs/consistency": "/log/proofs/consistency",
    "/log/receipts/{event_id}": f"/log/receipts/{Household.id_for('H1')}.1",
    "/log/receipts": "/log/receipts",
    "/log/witness": "/log/witness",
}

QUERIES = {
    "/fund-flow": {"household_no": "H1", "hops": 6},
    "/fund-flow/unlinked": {"category": "loan_flow_unobserved"},
    "/settlement": {"period": "2023Q2"},
    "/search": {"q": "L1"},
    "/batches/PC-1/slip": {"household_no": "H1"},
    "/programme/replay": {"period": "2023Q2"},
    "/changes": {"known_from": "2020-01-01T00:00:00Z"},
    "/log/proofs/inclusion": {"position": 1, "size": 1},
    "/log/proofs/consistency": {"old": 1, "size": 1},
}


def opened(callers: Callers) -> dict[str, str]:
    """A finding of the county, with a case opened on it."""
    flags = callers.AUDIT.get("/red-flags", position=callers.position).json()["rules"]
    rule, subject = next((f["rule"], f["findings"][0]["subject"]) for f in flags if f["findings"])
    told = {"ref": "XS-1", "effective_on": "2024-06-03", "case_no": "XS-1", "title": "核查"}
    found = {"findings": [{"rule": rule, "subject": subject}]}
    assert callers.AUDIT.post("/cases", told | found).status_code in (200, 201)
    return {"rule": rule, "subject": subject}


FILES = {"AUDIT", "NRCB"}
"""Who asks for files too: they are written from the lines of the other form, whoever asks."""
EVERY_ROLE = ("AUDIT", "BUREAU", "CENTRE", "FINANCE", "ADMIN", "NRCB", "PSBC", "T01", "T02", "DB")


def every_read(callers: Callers, codes: Iterable[str] = EVERY_ROLE) -> Iterator[tuple[str, Any]]:
    """Every route's answer in each form it has; who may see what is walked in test_visibility."""
    [first, *_] = callers.AUDIT.get("/entities", position=callers.position).json()["lines"]
    found = opened(callers)
    for code in codes:
        for path in READS.values():
            forms = ["application/json", *(["text/csv"] if code in FILES else [])]
            for accept in forms:
                caller, named = getattr(callers, code), path.format(**found, **first)
                query = QUERIES.get(path, {"subject": found["subject"]} if "rule" in path else {})
                answer = caller.get(named, accept=accept, **query)
                yield f"{code} {path} {accept}", answer
                if accept == "text/csv" and answer.headers["content-type"].startswith(accept):
                    forms.append("application/xlsx")
                if accept == forms[0] and path == "/fund-flow":
                    forms.append("application/graphml")


def test_the_finder_of_personal_data_finds_them() -> None:
    for value in PLANTED:
        assert planted_in(f'{{"x":"{value}"}}')
    assert planted_in('"6222021001116245702"') and planted_in('"44052418800101001X"') == []
    assert planted_in('"11010519491231002X"')


def test_no_read_route_shows_a_name_an_identity_number_or_an_account(callers: Callers) -> None:
    contract = callers.client.get("/v1/openapi.json").json()["paths"]
    gets = {path for path, methods in contract.items() if "get" in methods}
    assert gets - {"/healthz"} == {f"/v1{path}" for path in READS}, "a read route is not scanned"
    callers.AUDIT.get("/ledgers/loans", position=callers.position)
    callers.AUDIT.post("/households/H1/looks", look())

    answered = 0
    for what, answer in every_read(callers):
        assert answer.status_code in (200, 403, 404, 406), (what, answer.text)
        assert planted_in(text_of(answer)) == [], what
        answered += answer.status_code == 200
    assert answered > 100
    assert "欧***" in callers.AUDIT.get("/households/H1").text, "masked, not absent"


# ---- after an erasure -----------------------------------------------------------------


def test_after_an_erasure_every_read_route_answers_with_pseudonyms(callers: Callers) -> None:
    before = callers.AUDIT.get("/ledgers/loans", position=callers.position).json()
    assert before["lines"][0]["borrower_name"] == "欧***"
    assert callers.AUDIT.post("/households/H1/looks", look()).status_code == 201

    erased = erase(callers)
    assert erased.status_code == 201, erased.text

    position = erased.json()["position"]
    assert callers.AUDIT.get("/ledgers/loans", position=position).status_code == 200
    for what, answer in every_read(callers, ("AUDIT", "NRCB", "T01")):
        assert answer.status_code in (200, 403, 404, 406), (what, answer.text)
        assert planted_in(text_of(answer)) == [], what
        assert "欧*" not in text_of(answer) and "****0018" not in text_of(answer), what
    lines = callers.AUDIT.get("/ledgers/loans").json()["lines"]
    assert [line["borrower"] for line in lines] == [line["borrower"] for line in before["lines"]]
    assert [line["borrower_name"] for line in lines] == [None, None]
    people = callers.AUDIT.get("/households/H1").json()["members"]
    assert len(people) == 2
    assert all(member["person"].startswith("person-") for member in people)
    traced = callers.AUDIT.get("/subsidy-payments/PAY-1/trace").json()
    assert traced["payment"]["content"]["payee"].startswith("account-")
    assert traced["paid_to"] == {}
    for caller in (callers.AUDIT, callers.NRCB, callers.T01):
        gone = caller.post("/households/H1/looks", look("AFTER"))
        assert (gone.status_code, gone.json()["code"]) == (409, "household_erased")
    assert erase(callers).status_code == 200
    assert "household.erased.v1" in callers.NRCB.get("/households/H1/history").text
    late = body(controls.repay(ref="LATE", principal_fen=0, payer=PAYEE), "loan_no")
    assert callers.NRCB.post("/loans/L1/repayments", late).status_code == 201
    assert planted_in(callers.AUDIT.get("/loans/L1/history").text) == []


def test_fifty_erasures_at_once_over_http_get_one_answer(callers: Callers) -> None:
    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(lambda _: erase(callers), range(50)))

    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(201), statuses.count(200)) == (1, 49)
    assert len({answer.json()["position"] for answer in answers}) == 1


def test_an_erasure_needs_a_ground_and_a_reason(callers: Callers) -> None:
    told = body(controls.erasure(), "household_no")
    for name in ("ground", "reason", "ref", "effective_on"):
        without = {key: value for key, value in told.items() if key != name}
        answer = callers.BUREAU.post("/households/H1/erasure", without)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == f"/{name}"


def remembered() -> bool:
    return any(vault.has_key(Household.id_for("H1")) for vault in _all_vaults())


def test_every_memory_of_the_process_forgets_at_once(callers: Callers) -> None:
    callers.AUDIT.get("/households/H1", position=callers.position)
    assert remembered()
    assert erase(callers).status_code == 201
    assert not remembered()


def test_what_another_process_erased_is_forgotten_soon(callers: Callers) -> None:
    running = callers.client.app.state.service
    settings = running.deployment.settings
    callers.database.keys.save(settings.key_file)
    callers.AUDIT.get("/households/H1", position=callers.position)
    late = body(controls.repay(ref="BEFORE", principal_fen=0), "loan_no")
    assert callers.NRCB.post("/loans/L1/repayments", late).status_code == 201
    assert remembered()
    time.sleep(1.5)

    done = subprocess.run(
        [sys.executable, "-m", "interface.cli", "erase", "H1", "--as", "BUREAU:bureau",
         "--person", "li", "--ref", "ER-1", "--reason", "本人申请", "--document", "申请书"],
        cwd=ROOT, check=False, capture_output=True, text=True,
        env={**os.environ, "MINGZHANG_DSN": callers.database.dsn,
             "MINGZHANG_DATA": str(settings.data)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr

    assert callers.AUDIT.get("/households/H1").json()["members"][0]["name"] is None, "at once"
    wait_until(lambda: not remembered(), "the key is forgotten")
    late["ref"] = "AFTER"
    assert callers.NRCB.post("/loans/L1/repayments", late).status_code == 201
    [(state,)] = asked(callers, "SELECT state FROM ledger.event WHERE ref = 'AFTER'")
    assert b"sealed" not in bytes(state)
    assert (
        civil_day(datetime.now(UTC)).isoformat() in callers.AUDIT.get("/households/H1/history").text
    )
