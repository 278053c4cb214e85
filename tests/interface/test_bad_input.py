"""Bad input over HTTP: refused by rule, in both languages, at the field; nothing is half taken.

A real server on a real database: what goes over the wire here is what a bank's program sends.
"""

from __future__ import annotations

import io
import json
import re
import socket
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from threading import Barrier, Thread
from typing import Any, NamedTuple
from urllib.parse import quote, quote_from_bytes

import httpx2
import pytest
import xlsxwriter
from faults import support
from faults.support import ID_NO, Place
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.chance import fastest_seconds, wait_until
from support.server import serving

from application.access import issue_key, revoke_keys
from domain.calendar import civil_day

ROLES = ("BUREAU", "FINANCE", "CENTRE", "AUDIT", "ADMIN", "NRCB", "PSBC", "T01", "T02", "DB")
ACCOUNT = {"account": "62220001", "name": "张三"}
NOWHERE = "00000000-0000-5000-8000-000000000000.1"
Body = dict[str, Any]
_refs = count(1)


class Api(NamedTuple):
    """A running service, and everybody's key."""

    port: int
    client: httpx2.Client
    keys: dict[str, str]
    place: Place

    def send(
        self, who: str, method: str, path: str, *, headers: dict[str, str] | None = None, **how: Any
    ) -> httpx2.Response:
        key = {"Authorization": f"Bearer {self.keys[who]}"} if who else {}
        return self.client.request(method, path, headers={**key, **(headers or {})}, **how)

    def submit(self, who: str, path: str, body: Any) -> httpx2.Response:
        return self.send(who, "POST", path, json=body)

    def submit_raw(self, who: str, path: str, text: str | bytes) -> httpx2.Response:
        return self.send(
            who, "POST", path, content=text, headers={"Content-Type": "application/json"}
        )

    def ask(self, who: str, path: str, **query: str) -> httpx2.Response:
        return self.send(who, "GET", path, params=query)

    def upload(
        self, who: str, content: bytes, kind: str = "repayment", **form: str
    ) -> httpx2.Response:
        files = {"file": ("told.csv", content)}
        return self.send(who, "POST", "/v1/files", files=files, data={"kind": kind, **form})

    def log_position(self) -> int:
        position: int = self.client.get("/healthz").json()["log_position"]
        return position


@pytest.fixture(scope="module")
def api(shared_database: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    place = shared_database
    keys = support.open_accounts(place.owner_dsn, "NRCB", "PSBC", townships=("T01", "T02"))
    data = tmp_path_factory.mktemp("data")
    with (
        serving(place, data) as port,
        httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, verify=False) as client,
    ):
        running = Api(port, client, keys, place)
        for who, path, body in (
            ("BUREAU", "/v1/households", household("H1", "T01")),
            ("BUREAU", "/v1/households", household("H2", "T02")),
            ("NRCB", "/v1/loans", loan("L1")),
            ("PSBC", "/v1/loans", loan("P1")),
        ):
            assert running.submit(who, path, body).status_code == 201
        wait_until(
            lambda: running.ask("AUDIT", "/v1/ledgers/loans").status_code != 503, "facts are there"
        )
        yield running


# ---- what is right, to be made wrong --------------------------------------------------


def ref() -> str:
    return f"ref-{next(_refs)}"


def household(no: str = "", township: str = "T01", **other: Any) -> Body:
    member = {"name": "张三", "id_no": ID_NO, "relation": "户主", "head": True}
    return {
        "ref": ref(), "effective_on": "2020-01-01", "household_no": no or ref(),
        "township_code": township, "village": "张庄", "category": "out_of_poverty",
        "members": [member], **other,
    }  # fmt: skip


def loan(no: str = "", **other: Any) -> Body:
    return {
        "ref": ref(), "effective_on": "2023-03-10", "loan_no": no or ref(), "contract_no": "C-1",
        "contract_on": "2023-03-10", "household_no": "H1", "borrower_id_no": ID_NO,
        "principal_fen": 5_000_000, "credited_fen": 5_000_000, "annual_rate_bp": 365,
        "due_on": "2024-03-10", "purpose": "养牛", "payee": dict(ACCOUNT), **other,
    }  # fmt: skip


def repayment(**other: Any) -> Body:
    return {
        "ref": ref(), "effective_on": "2023-08-01", "principal_fen": 0, "interest_fen": 1,
        "penalty_fen": 0, "payer": dict(ACCOUNT), **other,
    }  # fmt: skip


def told(**content: Any) -> Body:
    return {"ref": ref(), "effective_on": "2023-08-01", **content}


def bodies() -> dict[str, tuple[str, Body]]:
    """For each way to write: who may, and a body that is right in form."""
    return {
        "/v1/households": ("BUREAU", household()),
        "/v1/households/H1/status": (
            "BUREAU", told(category="none", reason="脱贫")),
        "/v1/households/H1/members": ("BUREAU", told(added=[], left=[])),
        "/v1/households/H1/demands": ("T01", told(amount_fen=5_000_000, purpose="养牛")),
        "/v1/households/H1/credits": (
            "NRCB", told(amount_fen=5_000_000, purpose="养牛", decision="granted")),
        "/v1/households/H1/erasure": (
            "BUREAU", told(reason="本人申请", ground={"document": "申请书"})),
        "/v1/households/H1/looks": (
            "AUDIT", told(reason="核对账户") | {"effective_on": str(civil_day(datetime.now(UTC)))}),
        "/v1/loans": ("NRCB", loan()),
        "/v1/loans/L1/repayments": ("NRCB", repayment()),
        "/v1/loans/L1/outflows": (
            "NRCB", told(amount_fen=100, to={**ACCOUNT, "kind": "merchant"})),
        "/v1/loans/L1/extensions": (
            "NRCB", told(agreed_on="2023-08-01", new_due_on="2024-09-10")),
        "/v1/loans/L1/reminders": ("NRCB", told(kind="first", channel="phone", evidence="录音")),
        "/v1/loans/L1/usage-checks": (
            "T01",
            told(finding="as_agreed", actual_use="养牛", borrower_met=True, with_bank=True,
                 inspector="王五"),
        ),
        "/v1/loans/L1/repayment-plans": (
            "T01", told(instalments=[{"due_on": "2024-05-01", "amount_fen": 100}])),
        "/v1/loans/L1/subsidy-payments": (
            "FINANCE", told(period="2023Q2", amount_fen=1, payee=dict(ACCOUNT), voucher="V-1")),
        "/v1/loans/L1/subsidy-recoveries": (
            "FINANCE", told(payment_no="none", amount_fen=1, reason="多付", voucher="V-2")),
        f"/v1/events/{NOWHERE}/corrections": ("NRCB", told(reason="错报")),
        "/v1/programme/rulings": (
            "CENTRE",
            told(ground={"document": "文件"}, rulings=[{"rule": "notice_days", "value": 10}]),
        ),
        "/v1/programme/plans": (
            "CENTRE",
            told(ground={"document": "文件"},
                 rulings=[{"rule": "notice_levels", "words": ["county"]}],
                 plan_no="FA-1", title="方案", until_on="2024-12-31"),
        ),
        "/v1/batches": (
            "CENTRE", told(batch_no="PC-1", period="2023Q2", bank="X", township="Y")),
        "/v1/households/H1/ratings": ("NRCB", told(grade="AA", score=880)),
        "/v1/risks": (
            "AUDIT",
            told(risk_no="FX-1", household_no="H1", bank="NRCB", loan_no="L1", reason="牛场停产")),
        "/v1/risks/PC-9/notes": ("CENTRE", told(measure="现场核查")),
        "/v1/loans/L1/guarantees": ("DB", told(bank="NRCB", amount_fen=1, fee_fen=0)),
        "/v1/loans/L1/compensations": (
            "FINANCE", told(bank="NRCB", loss_fen=1, voucher="V-6")),
        "/v1/loans/L1/compensation-recoveries": (
            "FINANCE", told(bank="NRCB", amount_fen=1, voucher="V-7")),
        "/v1/funds/risk": ("FINANCE", told(payer="国库", amount_fen=1, voucher="V-8")),
        "/v1/benefits": (
            "T01",
            told(agreement_no="LJ-1", enterprise="某公司", households=["H1"],
                 instalments=[{"due_on": "2023-12-31", "kind": "dividend", "amount_fen": 1}]),
        ),
        "/v1/benefits/PC-9/payments": (
            "T01", told(household_no="H1", kind="dividend", amount_fen=1, voucher="V-9")),
        "/v1/publications": (
            "CENTRE",
            told(publication_no="YB-1", report="funds", as_of="2023-07-31",
                 known_at="2023-08-01T00:00:00Z"),
        ),
        "/v1/batches/PC-9/verification": ("BUREAU", told()),
        "/v1/batches/PC-9/notices": (
            "CENTRE", told(level="county", place="网站", until_on="2023-08-10")),
        "/v1/batches/PC-9/objections": ("AUDIT", told(line=1, reason="未实际用款")),
        "/v1/batches/PC-9/resolutions": (
            "CENTRE", told(objection_no="YY", upheld=True, reason="核查属实")),
        "/v1/batches/PC-9/approval": ("FINANCE", told()),
        "/v1/batches/PC-9/return": ("BUREAU", told(reason="附件不全")),
        "/v1/batches/PC-9/orders": ("FINANCE", told(bank="NRCB")),
        "/v1/batches/PC-9/results": (
            "NRCB", told(results=[{"line": 1, "paid": True, "voucher": "V-3", "reason": "无"}])),
        "/v1/batches/PC-9/result-corrections": (
            "NRCB",
            told(ground={"document": "退票通知"},
                 corrections=[{"line": 1, "paid": False, "voucher": "V-3", "reason": "退票"}]),
        ),
        "/v1/batches/PC-9/liftings": (
            "BUREAU",
            told(objection_no="YY", reason="复核后符合条件", ground={"document": "复核意见"})),
        "/v1/funds/allocations": (
            "FINANCE", told(year=2023, amount_fen=1, voucher="V-4")),
        "/v1/funds/transfers": (
            "FINANCE",
            told(year=2023, payer="国库", payee="专户", amount_fen=1, purpose="贴息",
                 voucher="V-5"),
        ),
        "/v1/cases": (
            "AUDIT",
            told(case_no="XS-1", title="归集", findings=[{"rule": "RF08", "subject": "账户"}],
                 objections=[{"batch_no": "PC-9", "objection_no": "YY"}], as_of="2023-07-31",
                 known_at="2023-08-01T00:00:00Z"),
        ),
        "/v1/cases/PC-9/findings": (
            "AUDIT", told(findings=[{"rule": "RF08", "subject": "账户"}], as_of="2023-07-31")),
        "/v1/cases/PC-9/assignment": ("AUDIT", told(investigator="cai")),
        "/v1/cases/PC-9/explanation-requests": (
            "AUDIT", told(organisation="NRCB", what="资金为何归集", until_on="2023-08-20")),
        "/v1/cases/PC-9/explanations": (
            "NRCB", told(request_no="YQ-1", explanation="自行转账")),
        "/v1/cases/PC-9/notes": ("AUDIT", told(words="已走访三户")),
        "/v1/cases/PC-9/proposal": ("AUDIT", told(upheld=True, reason="归集属实")),
        "/v1/cases/PC-9/upholding": ("AUDIT", told(reason="归集属实", amount_fen=1)),
        "/v1/cases/PC-9/dismissal": ("AUDIT", told(reason="正常经营")),
        "/v1/cases/PC-9/rectifications": (
            "AUDIT", told(what="停止贴息", ground={"document": "整改通知"})),
        "/v1/cases/PC-9/recoveries": ("AUDIT", told(event_id=NOWHERE)),
        "/v1/cases/PC-9/closing": ("AUDIT", told(reason="已经整改")),
        "/v1/cases/PC-9/reopening": ("AUDIT", told(reason="发现新情况")),
        "/v1/bank-reports": (
            "NRCB",
            told(period="2023-07", loans=1, households=1, balance_fen=1, disbursed_fen=1),
        ),
    }  # fmt: skip


WRITES = sorted(bodies())


def changed(body: Body, place: str, value: Any) -> Body:
    """The body with another value at a place like `members/0/name`."""
    copy: Body = json.loads(json.dumps(body))
    inner: Any = copy
    *way, last = place.split("/")
    for step in way:
        inner = inner[int(step)] if isinstance(inner, list) else inner[step]
    inner[int(last) if isinstance(inner, list) else last] = value
    return copy


def texts_of(body: Any, place: str = "") -> Iterator[str]:
    """The places of all texts in a body."""
    for name, value in body.items() if isinstance(body, dict) else enumerate(body):
        here = f"{place}/{name}" if place else str(name)
        if isinstance(value, str):
            yield here
        elif isinstance(value, dict | list):
            yield from texts_of(value, here)


def assure_problem(
    answer: httpx2.Response, status: int | tuple[int, ...], code: str = "", at: str | None = None
) -> Body:
    """The answer is a refusal in the one form, in both languages, at the field if there is one."""
    wanted = status if isinstance(status, tuple) else (status,)
    assert answer.status_code in wanted, (answer.status_code, answer.text[:500])
    assert answer.headers["content-type"] == "application/problem+json"
    said: Body = answer.json()
    assert said["status"] == answer.status_code
    assert said["type"] == f"urn:mingzhang:problem:{said['code']}"
    assert any("\u4e00" <= letter <= "\u9fff" for letter in said["title_zh"]), said
    assert said["title_en"].isascii() or said["details"], said
    assert said["title"] == f"{said['title_zh']} / {said['title_en']}"
    for error in said["errors"]:
        assert error["pointer"].startswith("/"), said
        assert error["code"], said
        assert error["zh"], said
        assert error["en"], said
    codes = {said["code"], *(error["code"] for error in said["errors"])}
    assert not code or code in codes, (code, said)
    if at is not None:
        assert f"/{at}" in {error["pointer"] for error in said["errors"]}, (at, said)
    return said


@pytest.fixture
def nothing_stored(api: Api) -> Iterator[None]:
    before = api.log_position()
    yield
    assert api.log_position() == before


# ---- money, days, identity numbers ----------------------------------------------------


@pytest.mark.parametrize(
    ("literal", "code"),
    [
        ('"50000.00"', "not_whole_number"),
        ('"5000000"', "not_whole_number"),
        ("50000.0", "not_whole_number"),
        ("50000.5", "not_whole_number"),
        ("1e3", "not_whole_number"),
        ("true", "not_whole_number"),
        ("null", "not_whole_number"),
        ("[5000000]", "not_whole_number"),
        ("NaN", ""),
        ("Infinity", ""),
        ("-1", "too_small"),
        ("0", "too_small"),
        (str(10**15 + 1), "too_large"),
        (str(2**64), "too_large"),
        ("1" + "0" * 4000, "too_large"),
        ("1" + "0" * 5000, ""),
    ],
)
@pytest.mark.usefixtures("nothing_stored")
def test_yuan_and_other_things_are_not_taken_for_fen(api: Api, literal: str, code: str) -> None:
    text = json.dumps(loan(principal_fen="HERE")).replace('"HERE"', literal)
    answer = api.submit_raw("NRCB", "/v1/loans", text)
    place = "principal_fen" if code else None
    assure_problem(answer, (400, 422) if not code else 422, code, place)


@pytest.mark.parametrize(
    ("literal", "code"),
    [
        ('"2023-02-29"', "no_such_day"),
        ('"2023-02-30"', "no_such_day"),
        ('"1900-02-29"', "no_such_day"),
        ('"2023-13-01"', "no_such_day"),
        ('"0000-00-00"', "no_such_day"),
        ('"2023-3-10"', "wrong_date_form"),
        ('"20230310"', "wrong_date_form"),
        ('"2023/03/10"', ""),
        ('"2023-W10-5"', ""),
        ('"２０２３-03-10"', ""),
        ('"2023-03-10T00:00:00"', "wrong_date_form"),
        ("20230310", "wrong_date_form"),
        ("0", "wrong_date_form"),
        ("1678406400.5", "wrong_date_form"),
        ("null", "wrong_date_form"),
        ('""', "wrong_date_form"),
        ('"1989-12-31"', "date_too_early"),
    ],
)
@pytest.mark.usefixtures("nothing_stored")
def test_a_day_that_is_none_is_refused(api: Api, literal: str, code: str) -> None:
    for field in ("effective_on", "contract_on", "due_on"):
        text = json.dumps(loan(**{field: "HERE"})).replace('"HERE"', literal)
        assure_problem(api.submit_raw("NRCB", "/v1/loans", text), 422, code, field)


def test_29_february_is_a_day_in_a_leap_year_only(api: Api) -> None:
    leap = loan(effective_on="2024-02-29", contract_on="2024-02-29", due_on="2025-02-28")
    assert api.submit("NRCB", "/v1/loans", leap).status_code == 201
    late = api.submit("NRCB", "/v1/loans", loan(due_on="2025-02-29"))
    assure_problem(late, 422, "no_such_day", "due_on")


@pytest.mark.parametrize(
    ("wrong", "code", "at"),
    [
        ({"due_on": "2023-03-10"}, "due_before_disbursement", "due_on"),
        ({"due_on": "2022-03-10"}, "due_before_disbursement", "due_on"),
        ({"contract_on": "2023-03-11"}, "contract_after_disbursement", "contract_on"),
        ({"loan_no": "L1"}, "loan_already_disbursed", "loan_no"),
        ({"renews_loan_no": "nothing"}, "loan_unknown", "renews_loan_no"),
        ({"renews_loan_no": "P1"}, "loan_unknown", "renews_loan_no"),
        ({"loan_no": "self", "renews_loan_no": "self"}, "renews_itself", "renews_loan_no"),
    ],
)
@pytest.mark.usefixtures("nothing_stored")
def test_a_loan_that_contradicts_itself_is_refused(
    api: Api, wrong: Body, code: str, at: str
) -> None:
    assure_problem(api.submit("NRCB", "/v1/loans", loan(**wrong)), (404, 409), code, at)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("110105194912310021", "wrong_check_digit"),
        ("11010519491331002X", "no_such_birth_day"),
        ("110105491231002", "malformed"),
        ("１１０１０５19491231002X", "malformed"),
        ("110105 19491231002 1", "wrong_check_digit"),
        ("1" * 37, "too_long"),
        ("11010519491231002*", "malformed"),
        ("", "malformed"),
    ],
)
@pytest.mark.usefixtures("nothing_stored")
def test_an_identity_number_that_checks_wrong_is_refused(api: Api, number: str, code: str) -> None:
    answer = api.submit("NRCB", "/v1/loans", loan(borrower_id_no=number))
    assure_problem(answer, 422, code, "borrower_id_no")
    member = changed(household(), "members/0/id_no", number)
    assure_problem(api.submit("BUREAU", "/v1/households", member), 422, code, "members/0/id_no")


def test_a_small_x_is_the_same_person_as_a_large_one(api: Api) -> None:
    small = loan(borrower_id_no=ID_NO.lower())
    assert api.submit("NRCB", "/v1/loans", small).status_code == 201
    again = api.submit("NRCB", "/v1/loans", {**small, "borrower_id_no": ID_NO})
    assert again.status_code == 200
    events = api.ask("NRCB", f"/v1/loans/{small['loan_no']}/history").json()["events"]
    known = api.ask("NRCB", "/v1/loans/L1/history").json()["events"]
    assert events[0]["content"]["borrower"] == known[0]["content"]["borrower"]


# ---- repayments that cannot be --------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "code", "at"),
    [
        ({"effective_on": "2023-03-09"}, "before_disbursement", "effective_on"),
        ({"principal_fen": 5_000_001}, "repaid_too_much", "principal_fen"),
        ({"interest_fen": 0}, "nothing_repaid", "principal_fen"),
        (
            {"effective_on": (date.today() + timedelta(days=2)).isoformat()},  # noqa: DTZ011
            "dated_in_future",
            "effective_on",
        ),
        ({"effective_on": "9999-12-31"}, "dated_in_future", "effective_on"),
    ],
)
@pytest.mark.usefixtures("nothing_stored")
def test_a_repayment_that_cannot_be_is_refused(api: Api, wrong: Body, code: str, at: str) -> None:
    answer = api.submit("NRCB", "/v1/loans/L1/repayments", repayment(**wrong))
    assure_problem(answer, 409, code, at)


def same_but_for(answer: httpx2.Response, number: str) -> tuple[int, str, dict[str, str]]:
    headers = {k: v for k, v in answer.headers.items() if k not in ("date", "content-length")}
    return answer.status_code, answer.text.replace(number, "NUMBER"), headers


LOAN_WRITES = [path for path in WRITES if path.startswith("/v1/loans/L1/")]


@pytest.mark.parametrize("path", LOAN_WRITES)
@pytest.mark.usefixtures("nothing_stored")
def test_anothers_loan_is_told_from_none_by_nothing_but_the_number(api: Api, path: str) -> None:
    owner, body = bodies()[path]
    stranger = {"NRCB": "PSBC", "T01": "T02"}.get(owner)
    if stranger is None:
        assure_problem(api.submit(owner, path.replace("L1", "L0"), body), 404, "loan_unknown")
        return
    anothers = api.submit(stranger, path, body)
    none = api.submit(stranger, path.replace("L1", "L0"), body)
    assure_problem(anothers, 404, "loan_unknown", "loan_no")
    assert same_but_for(anothers, "L1") == same_but_for(none, "L0")


@pytest.mark.parametrize("path", ["/v1/loans/{}", "/v1/loans/{}/history"])
@pytest.mark.parametrize("stranger", ["PSBC", "T02"])
def test_anothers_loan_cannot_be_read_nor_told_from_none(
    api: Api, path: str, stranger: str
) -> None:
    anothers, none = (api.ask(stranger, path.format(number)) for number in ("L1", "L0"))
    assure_problem(anothers, 404, "loan_unknown", "loan_no")
    assert same_but_for(anothers, "L1") == same_but_for(none, "L0")


@pytest.mark.usefixtures("nothing_stored")
def test_a_township_cannot_write_to_anothers_household_nor_tell_it_from_none(api: Api) -> None:
    body = told(amount_fen=5_000_000, purpose="养牛")
    anothers, none = (
        api.submit("T02", f"/v1/households/{number}/demands", body) for number in ("H1", "H0")
    )
    assure_problem(anothers, 404, "household_unknown", "household_no")
    assert same_but_for(anothers, "H1") == same_but_for(none, "H0")
    look = bodies()["/v1/households/H1/looks"][1]
    anothers, none = (
        api.submit("T02", f"/v1/households/{number}/looks", look) for number in ("H1", "H0")
    )
    assure_problem(anothers, 404, "household_unknown", "household_no")
    assert same_but_for(anothers, "H1") == same_but_for(none, "H0")
    for path in ("/v1/households/{}", "/v1/households/{}/history"):
        anothers, none = (api.ask("T02", path.format(number)) for number in ("H1", "H0"))
        assure_problem(anothers, 404, "household_unknown", "household_no")
        assert same_but_for(anothers, "H1") == same_but_for(none, "H0")


def test_anothers_event_cannot_be_corrected_nor_told_from_none(api: Api) -> None:
    answer = api.submit("NRCB", "/v1/loans/L1/repayments", repayment())
    event_id = answer.json()["event_ids"][0]
    body = told(reason="错报")
    anothers = api.submit("PSBC", f"/v1/events/{event_id}/corrections", body)
    none = api.submit("PSBC", f"/v1/events/{NOWHERE}/corrections", body)
    assure_problem(anothers, 404, "event_unknown", "event_id")
    assert same_but_for(anothers, event_id) == same_but_for(none, NOWHERE)


# ---- who may what ---------------------------------------------------------------------


@pytest.mark.parametrize("path", WRITES)
def test_no_role_but_the_right_one_may_write(api: Api, path: str) -> None:
    right, body = bodies()[path]
    alike = {"NRCB": "PSBC", "T01": "T02"}.get(right)
    also = {
        "corrections": {"T01", "T02", "BUREAU", "CENTRE", "FINANCE", "DB"},
        "rulings": {"FINANCE"},
        "ratings": {"PSBC", "T01", "T02"},
        "risks": set(ROLES) - {"ADMIN"},
        "notes": set(ROLES) - {"ADMIN", "AUDIT", "DB"},
        "plans": {"FINANCE"},
        "notices": {"T01", "T02"},
        "objections": set(ROLES) - {"ADMIN"},
        "resolutions": {"BUREAU"},
        "liftings": {"CENTRE"},
        "return": {"CENTRE", "FINANCE"},
        "explanations": set(ROLES) - {"ADMIN", "AUDIT"},
    }.get(path.rpartition("/")[2], set())
    if path == "/v1/cases/PC-9/notes":  # not those of a risk
        also = set()
    if path.endswith("/looks"):
        also = set(ROLES) - {"ADMIN"}
    before = api.log_position()
    for who in set(ROLES) - {right, alike} - also:
        said = assure_problem(api.submit(who, path, {**body, "ref": ref()}), 403, "not_permitted")
        assert said["details"]["role"]
    assert api.log_position() == before


@pytest.mark.parametrize(
    "path",
    [
        "/v1/ledgers/loans", "/v1/ledgers/subsidies", "/v1/loans/L1", "/v1/loans/L1/history",
        "/v1/households/H1", "/v1/households/H1/history", "/v1/households/H1/looks",
        "/v1/subsidy-payments/x/trace",
        "/v1/changes?known_from=2020-01-01T00:00:00Z",
    ],
)  # fmt: skip
def test_the_administrator_reads_no_business_and_nobody_reads_without_a_key(
    api: Api, path: str
) -> None:
    assure_problem(api.send("ADMIN", "GET", path), 403, "not_permitted")
    assure_problem(api.send("", "GET", path), 401, "not_authenticated")


def test_the_administrators_batches_and_files_are_refused_line_by_line(api: Api) -> None:
    before = api.log_position()
    line = json.dumps({"type": "repayment", "loan_no": "L1", **repayment()})
    answer = api.send("ADMIN", "POST", "/v1/submissions", content=line)
    assert [json.loads(text).get("code") for text in answer.text.splitlines()] == ["not_permitted"]
    answer = api.upload("ADMIN", csv_of(row()))
    assert answer.headers["x-refused"] == "1"
    assert api.log_position() == before


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer wrong", "Basic d3Jvbmc6d3Jvbmc=", "Bearer \xff\xfe",
     "Bearer mz_" + "A" * 43, "Bearer ' OR 1=1 --", "Bearer " + "x" * 30_000],
)  # fmt: skip
@pytest.mark.usefixtures("nothing_stored")
def test_a_wrong_key_is_refused(api: Api, header: str) -> None:
    headers = {"Authorization": header.encode("latin-1")}
    for method, path, body in (
        ("POST", "/v1/loans", json.dumps(loan())),
        ("POST", "/v1/submissions", "{}"),
        ("GET", "/v1/ledgers/loans", None),
    ):
        answer = api.client.request(
            method, path, headers={**headers, "Content-Type": "application/json"}, content=body
        )
        assure_problem(answer, 401, "not_authenticated")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_a_revoked_key_is_refused_within_a_second(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = issue_key(api.place.owner_dsn, "AUDIT", "leaver")
    headers = {"Authorization": f"Bearer {key}"}

    def status() -> int:
        return api.client.get("/v1/ledgers/loans?limit=1", headers=headers).status_code

    assert status() == 200
    assert revoke_keys(api.place.owner_dsn, "AUDIT", "leaver") == 1
    a_second_later = time.monotonic_ns() + 10**9
    monkeypatch.setattr("application.access.monotonic_ns", lambda: a_second_later)
    assert [status() for _ in range(5)] == [401] * 5


# ---- one reference --------------------------------------------------------------------


def at_the_same_moment(api: Api, told_bodies: list[Body]) -> list[httpx2.Response]:
    """Send each body on a connection of its own, all let go together."""
    barrier = Barrier(len(told_bodies))
    answers: list[httpx2.Response | None] = [None] * len(told_bodies)

    def send(place: int) -> None:
        with httpx2.Client(base_url=api.client.base_url, timeout=60, verify=False) as client:
            client.get("/healthz")
            barrier.wait()
            answers[place] = client.post(
                "/v1/loans/L1/repayments",
                json=told_bodies[place],
                headers={"Authorization": f"Bearer {api.keys['NRCB']}"},
            )

    threads = [Thread(target=send, args=(place,)) for place in range(len(told_bodies))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(answer is not None for answer in answers)
    return [answer for answer in answers if answer is not None]


def test_50_at_the_same_moment_under_one_reference_are_one_event_and_one_answer(
    api: Api,
) -> None:
    for _ in range(2):
        before = api.log_position()
        answers = at_the_same_moment(api, [repayment()] * 50)
        assert Counter(answer.status_code for answer in answers) == {201: 1, 200: 49}
        contents = [answer.json() for answer in answers]
        assert [content.pop("again") for content in contents].count(False) == 1
        assert all(content == contents[0] for content in contents)
        assert contents[0]["position"] == before + 1 == api.log_position()


def test_of_25_and_25_with_other_content_one_content_stands_and_the_others_are_told_so(
    api: Api,
) -> None:
    for _ in range(2):
        before = api.log_position()
        one = repayment()
        other = {**one, "interest_fen": 2}
        answers = at_the_same_moment(api, [one, other] * 25)
        statuses = Counter(answer.status_code for answer in answers)
        assert statuses == {201: 1, 200: 24, 409: 25}
        for answer in answers:
            if answer.status_code == 409:
                said = assure_problem(answer, 409, "reference_reused", "ref")
                assert said["details"]["position"] == before + 1, "the place of what stands"
        assert api.log_position() == before + 1


# ---- JSON that is none ----------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        b"", b" ", b"{", b"}", b"{'ref': 1}", b"{}", b"[]", b"null", b"true", b"0", b'"text"',
        b"\xff\xfe", b"{\"ref\": \"\xff\"}", b"[" * 100_000, b'{"a":' * 50_000, b"{} {}",
        b"ref=1&loan_no=2", b"<loan/>", b"\x00", b"{\"ref\": NaN}", b'{"ref": "\\ud800"}',
    ],
    ids=lambda text: repr(text[:16]),
)  # fmt: skip
@pytest.mark.usefixtures("nothing_stored")
def test_malformed_json_is_refused(api: Api, text: bytes) -> None:
    assure_problem(api.submit_raw("NRCB", "/v1/loans", text), (400, 422))
    line = api.send("NRCB", "POST", "/v1/submissions", content=text)
    assert line.status_code == 200
    for told_back in line.text.splitlines():
        assert json.loads(told_back)["code"], told_back


@pytest.mark.parametrize("field", ["principal_fen", "ref", "effective_on"])
@pytest.mark.usefixtures("nothing_stored")
def test_a_field_given_twice_is_refused(api: Api, field: str) -> None:
    """Which of the two is meant? Two parsers may answer differently: neither is taken."""
    body = loan()
    value = body[field]
    text = json.dumps(body)[:-1] + f", {json.dumps(field)}: {json.dumps(value)}}}"
    assure_problem(api.submit_raw("NRCB", "/v1/loans", text), (400, 422))
    inner = json.dumps(loan()).replace('"account":', '"account": "62229999", "account":')
    assure_problem(api.submit_raw("NRCB", "/v1/loans", inner), (400, 422))


@pytest.mark.usefixtures("nothing_stored")
def test_a_field_given_twice_in_a_line_is_refused(api: Api) -> None:
    line = json.dumps({"type": "repayment", "loan_no": "L1", **repayment()})
    line = line.replace('"interest_fen":', '"interest_fen": 7, "interest_fen":')
    answer = api.send("NRCB", "POST", "/v1/submissions", content=line)
    assert "code" in json.loads(answer.text)


@pytest.mark.usefixtures("nothing_stored")
def test_unknown_fields_are_refused_where_they_stand(api: Api) -> None:
    for name in ("principal", "recorded_at", "bank", "type", "__proto__", "version"):
        answer = api.submit("NRCB", "/v1/loans", loan(**{name: 1}))
        assure_problem(answer, 422, "unknown_field", name)
    answer = api.submit("NRCB", "/v1/loans", changed(loan(), "payee/iban", "x"))
    assure_problem(answer, 422, "unknown_field", "payee/iban")
    answer = api.submit("NRCB", "/v1/loans/L1/repayments", repayment(loan_no="L1"))
    assure_problem(answer, 422, "unknown_field", "loan_no")


@pytest.mark.usefixtures("nothing_stored")
def test_each_missing_field_is_named(api: Api) -> None:
    answer = api.submit("NRCB", "/v1/loans", {})
    said = assure_problem(answer, 422, "required")
    required = set(loan()) - {"renews_loan_no"}
    assert {error["pointer"].strip("/") for error in said["errors"]} == required


# ---- too much -------------------------------------------------------------------------


def head_of_post(api: Api, path: str, *lines: str, key: str = "NRCB") -> bytes:
    return "\r\n".join(
        (
            f"POST {path} HTTP/1.1",
            f"Host: 127.0.0.1:{api.port}",
            *((f"Authorization: Bearer {api.keys[key]}",) if key else ()),
            *lines,
            "",
            "",
        )
    ).encode()


def first_words(connection: socket.socket) -> tuple[int, bytes]:
    """Status and body of an answer; the connection may break off behind it."""
    answer = b""
    try:
        while block := connection.recv(65536):
            answer += block
            head, _, body = answer.partition(b"\r\n\r\n")
            length = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
            if body and length.isdigit() and len(body) >= int(length):
                break
    except ConnectionResetError:
        pass
    assert answer, "no answer"
    return int(answer.split(b" ", 2)[1]), answer.partition(b"\r\n\r\n")[2]


UPLOADS = ("/v1/files", "/v1/submissions", "/v1/loans")
MULTIPART = "Content-Type: multipart/form-data; boundary=cut"
PART = (
    b'--cut\r\nContent-Disposition: form-data; name="kind"\r\n\r\nrepayment\r\n--cut\r\n'
    b'Content-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
)


@pytest.mark.parametrize("path", UPLOADS)
@pytest.mark.usefixtures("nothing_stored")
def test_a_gigabyte_that_says_so_is_refused_before_it_is_sent(api: Api, path: str) -> None:
    with socket.create_connection(("127.0.0.1", api.port), timeout=5) as connection:
        connection.sendall(head_of_post(api, path, MULTIPART, f"Content-Length: {1 << 30}"))
        status, body = first_words(connection)
    assert status == 413
    assert json.loads(body)["code"] == "too_large"


@pytest.mark.parametrize("path", UPLOADS)
@pytest.mark.usefixtures("nothing_stored")
def test_a_gigabyte_in_chunks_is_refused_as_soon_as_it_is_too_much(api: Api, path: str) -> None:
    kind = "Content-Type: application/json" if path == "/v1/loans" else MULTIPART
    block = b"100000\r\n" + b" " * (1 << 20) + b"\r\n"
    sent = 0
    with socket.create_connection(("127.0.0.1", api.port), timeout=30) as connection:
        connection.sendall(head_of_post(api, path, kind, "Transfer-Encoding: chunked"))
        if path == "/v1/files":
            connection.sendall(b"%x\r\n" % len(PART) + PART + b"\r\n")
        connection.setblocking(False)
        while sent < 1 << 30:
            try:
                if connection.recv(1, socket.MSG_PEEK):
                    break
            except BlockingIOError:
                pass
            except ConnectionError:
                break
            connection.settimeout(30)
            try:
                connection.sendall(block)
            except OSError:
                break
            connection.setblocking(False)
            sent += 1 << 20
        connection.settimeout(30)
        status, body = first_words(connection)
    assert sent <= (300 << 20), f"{sent >> 20} MB were taken"
    assert status == 413, body[:300]
    assert json.loads(body)["code"] == "too_large"


@pytest.mark.parametrize("path", UPLOADS)
@pytest.mark.parametrize("length", ["-1", "1e9", "0x10", "99999999999999999999999", "1,1"])
@pytest.mark.usefixtures("nothing_stored")
def test_a_length_that_is_none_is_refused(api: Api, path: str, length: str) -> None:
    with socket.create_connection(("127.0.0.1", api.port), timeout=5) as connection:
        connection.sendall(head_of_post(api, path, f"Content-Length: {length}"))
        assert first_words(connection)[0] in (400, 413)


@pytest.mark.parametrize("path", UPLOADS)
def test_a_strangers_upload_is_refused_before_it_is_taken_in(api: Api, path: str) -> None:
    kind = "Content-Type: application/json" if path == "/v1/loans" else MULTIPART
    with socket.create_connection(("127.0.0.1", api.port), timeout=2) as connection:
        connection.sendall(head_of_post(api, path, kind, "Content-Length: 1000000", key=""))
        connection.sendall(b" " * 1000)
        assert first_words(connection)[0] == 401


# ---- texts ----------------------------------------------------------------------------

TEXTS = [(path, place) for path, (_, body) in sorted(bodies().items()) for place in texts_of(body)]
CONTROLS = "\x00\x01\t\n\r\x1b\x7f\x85\x9b"


@pytest.mark.parametrize("path", WRITES)
@pytest.mark.usefixtures("nothing_stored")
def test_control_characters_nul_and_half_characters_are_refused_in_every_text(
    api: Api, path: str
) -> None:
    who, body = bodies()[path]
    for place in texts_of(body):
        for bad in (*CONTROLS, "\ud800"):
            text = json.dumps(changed(body, place, f"a{bad}b"))
            answer = api.submit_raw(who, path, text)
            assert answer.status_code == 422, (place, bad, answer.status_code, answer.text[:300])
            assure_problem(answer, 422, at=place)


@pytest.mark.parametrize("path", WRITES)
@pytest.mark.usefixtures("nothing_stored")
def test_100_kilobytes_are_refused_in_every_text_and_at_a_cost_that_grows_no_faster(
    api: Api, path: str
) -> None:
    who, body = bodies()[path]

    def seconds(place: Any, letter: str, length: int, times: int = 3) -> float:
        def send() -> None:
            answer = api.submit(who, path, changed(body, place, letter * length))
            assure_problem(answer, 422, at=place)
            assert len(answer.content) < 10_000, f"{place} is sent back"

        return fastest_seconds(send, times)

    for place in texts_of(body):
        for letter in ("9", "贴", "-"):
            if seconds(place, letter, 100_000, times=1) > 0.05:  # worth a second look
                long, short = (seconds(place, letter, length) for length in (100_000, 10_000))
                assert long < 30 * short, (place, letter)


ATTACKS = (
    "'; DROP TABLE ledger.event; --",
    "' OR '1'='1",
    "%s %(as_of)s {told} $1 :name facts.loan",
    "\\'; SELECT pg_sleep(5); --",
    "=cmd|' /C calc'!A0",
    "<script>alert(1)</script>",
)


@pytest.mark.parametrize("attack", ATTACKS)
def test_sql_in_every_text_field_is_stored_as_it_came_and_does_nothing(
    api: Api, attack: str
) -> None:
    def tables() -> list[Any]:
        return support.asked(
            api.place.owner_dsn,
            "SELECT schemaname, tablename FROM pg_tables"
            " WHERE schemaname IN ('ledger', 'projection', 'public') ORDER BY 1, 2",
        )

    before, number = tables(), f"{attack} {ref()}".replace("/", "|")  # a number stands in paths
    home = household(
        number, village=attack, ground={"document": attack, "note": attack},
        members=[{"name": attack, "id_no": ID_NO, "relation": attack, "head": True}],
    )  # fmt: skip
    lent = loan(
        number, contract_no=attack, household_no=number, purpose=attack, ref=f"{attack} {ref()}",
        payee={"account": "62220001", "name": attack},
    )  # fmt: skip
    path = quote(number, safe="")
    assert api.submit("BUREAU", "/v1/households", home).status_code == 201
    answer = api.submit("NRCB", "/v1/loans", lent)
    assert answer.status_code == 201, answer.text
    checked = told(
        finding="as_agreed", actual_use=attack, borrower_met=True, with_bank=True,
        inspector=attack, bank="NRCB",
    )  # fmt: skip
    answer = api.submit("T01", f"/v1/loans/{path}/usage-checks", checked)
    assert answer.status_code == 201, answer.text
    position = str(answer.json()["position"])

    found = api.ask("NRCB", f"/v1/loans/{path}", position=position)
    assert found.status_code == 200, found.text
    line = found.json()["loan"]
    assert (line["loan_no"], line["contract_no"], line["purpose"]) == (number, attack, attack)
    assert (line["village"], line["household_no"]) == (attack, number)
    listed = api.ask("AUDIT", "/v1/ledgers/loans", household_no=number, position=position).json()
    assert [each["loan_no"] for each in listed["lines"]] == [number]
    events = api.ask("AUDIT", f"/v1/loans/{path}/history", bank="NRCB").json()["events"]
    checked_then = events[-1]["content"]
    assert checked_then["actual_use"] == checked_then["inspector"] == attack
    for name in ("bank", "township", "household_no"):
        nothing = api.ask("AUDIT", "/v1/ledgers/loans", **{name: attack})
        if "/" in attack:  # no number has a slash
            assure_problem(nothing, 422, "malformed", name)
        elif name == "household_no":
            assert nothing.json()["lines"] == []
        else:
            assure_problem(nothing, 422, "unknown_filter", name)
    assert tables() == before


# ---- paths and questions --------------------------------------------------------------

NUMBERS = (b"\0", b"a\0b", b" ", b"\n", b"\x1b[31m", b"\xff", b"%", b"..", b"x" * 65, b"x" * 5_000)


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: repr(number[:8]))
@pytest.mark.parametrize("path", sorted(p for p in WRITES if p.count("/") == 4))
@pytest.mark.usefixtures("nothing_stored")
def test_a_number_in_the_path_that_is_none_is_refused(api: Api, path: str, number: bytes) -> None:
    who, body = bodies()[path]
    _, v1, noun, _, verb = path.split("/")
    answer = api.submit(who, f"/{v1}/{noun}/{quote_from_bytes(number, safe='')}/{verb}", body)
    assure_problem(answer, (404, 405, 422))


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: repr(number[:8]))
def test_a_number_asked_for_that_is_none_is_refused(api: Api, number: bytes) -> None:
    quoted = quote_from_bytes(number, safe="")
    for path in (
        f"/v1/loans/{quoted}", f"/v1/loans/{quoted}/history", f"/v1/households/{quoted}",
        f"/v1/households/{quoted}/history", f"/v1/subsidy-payments/{quoted}/trace",
    ):  # fmt: skip
        answer = api.send("AUDIT", "GET", path)
        assert answer.status_code in (404, 422), (path[:60], answer.status_code, answer.text[:200])
        assure_problem(answer, (404, 422))
    for name in ("bank", "township", "household_no", "cursor"):
        answer = api.send("AUDIT", "GET", f"/v1/ledgers/loans?{name}={quoted}")
        assert answer.status_code in (200, 422), (name, answer.status_code, answer.text[:200])


@pytest.mark.parametrize(
    "query",
    [
        "as_of=2023-02-29", "as_of=20230301", "as_of=1678406400", "as_of=tomorrow", "as_of=",
        "known_at=2023-03-10", "known_at=2023-03-10T00:00:00", "known_at=now", "limit=0",
        "limit=1001", "limit=ten", "limit=1e2", "position=-1", "position=x", "cursor=!!",
        "cursor=AAAA", "cursor=W10", "cursor=WyJhIl0", "cursor=WyJcdTAwMDAiLCJ4Il0",
    ],
)  # fmt: skip
def test_a_question_that_is_none_is_refused_at_its_parameter(api: Api, query: str) -> None:
    said = assure_problem(api.send("AUDIT", "GET", f"/v1/ledgers/loans?{query}"), 422)
    name = query.partition("=")[0]
    assert [error["pointer"] for error in said["errors"]] == [f"/{name}"]
    assert (name == "cursor") == (said["errors"][0]["code"] == "cursor_malformed")


@pytest.mark.parametrize(
    "known_at",
    ["0001-01-01T00:00:00%2B23:59", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00Z",
     "9999-12-31T23:59:59Z"],
)  # fmt: skip
def test_the_ends_of_time_can_be_asked_for(api: Api, known_at: str) -> None:
    for path in ("/v1/ledgers/loans", "/v1/loans/L1", "/v1/loans/L1/history", "/v1/households/H1"):
        answer = api.send("AUDIT", "GET", f"{path}?known_at={known_at}")
        assert answer.status_code in (200, 404, 422), (path, answer.status_code, answer.text[:200])
    answer = api.send("AUDIT", "GET", f"/v1/changes?known_from={known_at}")
    assert answer.status_code in (200, 422), answer.text[:200]


def test_paths_methods_and_forms_that_are_not_there_are_refused_in_the_one_form(api: Api) -> None:
    assure_problem(api.send("AUDIT", "GET", "/v1/nothing"), 404, "not_found")
    assure_problem(api.send("AUDIT", "GET", "/v1/../../etc/passwd"), 404, "not_found")
    for method in ("PUT", "DELETE", "PATCH"):
        assure_problem(api.send("NRCB", method, "/v1/loans"), 405, "method_not_allowed")
    headers = {"Accept": "image/png"}
    answer = api.send("AUDIT", "GET", "/v1/ledgers/loans", headers=headers)
    assure_problem(answer, 406, "not_acceptable")


@pytest.mark.parametrize(
    "replacement",
    [
        '{"x": "\\ud800"}', '{"interest_fen": 1e400}', '{"interest_fen": NaN}',
        f'{{"interest_fen": {2**70}}}', '{"payer": {"payer": {"payer": []}}}', "[]", '"x"', "{}",
        '{"ref": "other"}', '{"loan_no": "P1"}', '{"\\u0000": 1}',
    ],
)  # fmt: skip
def test_a_correction_with_a_bad_replacement_is_refused(api: Api, replacement: str) -> None:
    answer = api.submit("NRCB", "/v1/loans/L1/repayments", repayment())
    event_id = answer.json()["event_ids"][0]
    before = api.log_position()
    text = json.dumps(told(reason="错报", replacement="HERE")).replace('"HERE"', replacement)
    answer = api.submit_raw("NRCB", f"/v1/events/{event_id}/corrections", text)
    assert answer.status_code in (400, 422), (answer.status_code, answer.text[:300])
    assure_problem(answer, (400, 422))
    assert api.log_position() == before


# ---- files ----------------------------------------------------------------------------

TITLES = "流水号,借据号,还款日期,本金(元),利息(元),罚息(元),付款账号,付款户名"
KEYS = "ref,loan_no,effective_on,principal,interest,penalty,payer_account,payer_name"


def row(**other: str) -> str:
    cells = {
        "ref": ref(), "loan_no": "L1", "on": "2023-09-01", "principal": "0.00", "interest": "1.00",
        "penalty": "0", "account": "62220001", "name": "张三", **other,
    }  # fmt: skip
    return ",".join(cells.values())


def csv_of(*rows: str, titles: str = TITLES) -> bytes:
    return "\n".join((titles, *rows, "")).encode()


def test_a_file_as_windows_or_excel_write_it_is_read_by_its_mark(api: Api) -> None:
    for encoding in ("utf-8", "utf-8-sig", "gb18030", "utf-16"):
        answer = api.upload("NRCB", csv_of(row()).decode().encode(encoding))
        assert answer.headers.get("x-recorded") == "1", (encoding, answer.text)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (csv_of(row()).decode().encode("utf-16-le"), "not_text"),
        (csv_of(row()).decode().encode("utf-16-be"), "not_text"),
        (csv_of(row()).decode().encode("utf-32"), "not_text"),
        ("流水號,借據號,還款日期,本金(元),利息(元)".encode("big5") + b"\nA,L1,x,1,1\n", ""),
        (csv_of(row(name="Café"), titles=KEYS).decode().encode("latin-1"), "not_text"),
        (csv_of(row())[:-3] + b"\xff\xff\n", "not_text"),
        (b"", "empty_file"),
        (b"\n\n\n", "empty_file"),
        (b"%PDF-1.7", "pdf_file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "old_excel_or_encrypted"),
        (b"PK\x03\x04" + bytes(40), "broken_workbook"),
        (csv_of(row(), titles=TITLES.replace("本金", "本息")), "header_mismatch"),
        (csv_of(row(), titles=TITLES.replace("罚息", "利息")), "header_mismatch"),
        (csv_of('"' + row()), "broken_quotes"),
        (b"x" * (3 << 20), "line_too_long"),
    ],
    ids=lambda value: value if isinstance(value, str) else repr(value[:8]),
)
@pytest.mark.usefixtures("nothing_stored")
def test_a_file_that_cannot_be_read_is_refused_whole(api: Api, content: bytes, code: str) -> None:
    answer = api.upload("NRCB", content)
    if code == "broken_quotes" and answer.status_code == 200:
        pytest.fail("rows were taken from a file whose quotes do not pair")
    assure_problem(answer, 422, code)


@pytest.mark.parametrize(
    ("wrong", "code", "column"),
    [
        ({"account": "6.22202E+18"}, "digits_lost", "payer_account"),
        ({"account": "６２２２０００１"}, "full_width", "payer_account"),
        ({"principal": "5万"}, "not_an_amount", "principal"),
        ({"principal": "￥100"}, "currency_sign", "principal"),
        ({"principal": "1.005"}, "more_than_two_decimals", "principal"),
        ({"principal": "-1"}, "negative_amount", "principal"),
        ({"principal": "1e3"}, "not_an_amount", "principal"),
        ({"principal": "60000"}, "repaid_too_much", "principal"),
        ({"on": "2023-02-29"}, "no_such_day", "effective_on"),
        ({"on": "45000"}, "", "effective_on"),
        ({"on": "2023-03-09"}, "before_disbursement", "effective_on"),
        ({"loan_no": "P1"}, "loan_unknown", "loan_no"),
        ({"ref": ""}, "empty_cell", "ref"),
        ({"name": "张\u200b三"}, "invisible_character", "payer_name"),
        ({"name": "张三,,,"}, "too_many_cells", ""),
    ],
)
@pytest.mark.usefixtures("nothing_stored")
def test_a_row_at_fault_is_refused_at_its_column_in_the_result_file(
    api: Api, wrong: dict[str, str], code: str, column: str
) -> None:
    if code == "too_many_cells":
        wrong = {"name": "张三,x,y"}
    answer = api.upload("NRCB", csv_of(row(**wrong)))
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-refused"] == "1"
    result = answer.content.decode("utf-8-sig")
    assert code in result
    assert column in result.splitlines()[1], result


@pytest.mark.usefixtures("nothing_stored")
def test_digits_that_excel_lost_are_refused_in_a_workbook_too(api: Api) -> None:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as workbook:
        sheet = workbook.add_worksheet()
        sheet.write_row(0, 0, TITLES.split(","))
        sheet.write_row(
            1, 0, [ref(), "L1", "2023-09-01", "0.00", "1.00", "0", 6.2220001e18, "张三"]
        )
    answer = api.upload("NRCB", file.getvalue())
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-refused"] == "1"


@pytest.mark.parametrize("inflated_mb", [40, 300])
@pytest.mark.usefixtures("nothing_stored")
def test_a_zip_bomb_is_refused_quickly(api: Api, inflated_mb: int) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
        with archive.open("xl/worksheets/sheet1.xml", "w") as part:
            for _ in range(inflated_mb):
                part.write(b" " * (1 << 20))
    assert len(file.getvalue()) < 4 << 20
    codes = []

    def send() -> None:
        codes.append(assure_problem(api.upload("NRCB", file.getvalue()), 422)["code"])

    def inflate() -> None:
        with zipfile.ZipFile(file) as archive, archive.open("xl/worksheets/sheet1.xml") as part:
            while part.read(1 << 20):
                pass

    # It costs what it costs to inflate it, and no parsing of what was inflated.
    assert (
        fastest_seconds(send)
        < 3 * fastest_seconds(inflate)
        + fastest_seconds(lambda: api.upload("NRCB", csv_of(row(on="2023-02-29")))) * 10
    )
    assert set(codes) <= {"packed_too_tightly", "unpacks_too_large"}


@pytest.mark.usefixtures("nothing_stored")
def test_an_upload_without_a_file_or_of_an_unknown_kind_is_refused(api: Api) -> None:
    assure_problem(api.upload("NRCB", csv_of(row()), kind="nothing"), 422, at="kind")
    answer = api.send("NRCB", "POST", "/v1/files", data={"kind": "repayment"})
    assure_problem(answer, 422, "required", "file")
    answer = api.send("NRCB", "POST", "/v1/files", content=b"--x", headers={
        "Content-Type": "multipart/form-data; boundary=x"})  # fmt: skip
    assure_problem(answer, (400, 422))


@pytest.mark.usefixtures("nothing_stored")
def test_one_row_at_fault_refuses_an_atomic_file(api: Api) -> None:
    answer = api.upload("NRCB", csv_of(row(), row(on="2023-02-29"), row()), atomic="true")
    assert (answer.headers["x-recorded"], answer.headers["x-refused"]) == ("0", "3")
    lines = [
        json.dumps({"type": "repayment", "loan_no": "L1", **repayment(**wrong)})
        for wrong in ({}, {"interest_fen": "1"}, {})
    ]
    answer = api.send("NRCB", "POST", "/v1/submissions?atomic=true", content="\n".join(lines))
    assert answer.status_code == 409
    assert len(answer.text.splitlines()) == 3
    assert all("code" in json.loads(line) for line in answer.text.splitlines())


# ---- a small fuzz over the contract ---------------------------------------------------

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates().map(str)
    | st.sampled_from(["L1", "H1", "NRCB", "2023-03-10", ID_NO, "2023Q2", "", 10**15, -1]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
QUICK = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def taken_or_refused(answer: httpx2.Response, sent: object) -> None:
    """Never a fault of ours, whatever was sent (that facts are late is said with a 503)."""
    late = answer.status_code == 503 and answer.json()["code"] == "not_drawn_yet"
    assert answer.status_code < 500 or late, (answer.status_code, sent)
    if answer.status_code >= 400 and not late:
        assure_problem(answer, answer.status_code)


def test_the_contract_names_every_way_to_write(api: Api) -> None:
    paths = api.client.get("/v1/openapi.json").json()["paths"]
    contract = {path for path, methods in paths.items() if "post" in methods}
    here = {re.sub(f"/(H1|L1|PC-9|{NOWHERE})/", "/{no}/", path) for path in WRITES}
    assert contract == here | {
        "/v1/files", "/v1/submissions", "/v1/log/witness", "/v1/batches/{no}/result-file",
        "/v1/batches/{no}/result-correction-file",
    }  # fmt: skip


@pytest.mark.parametrize("path", WRITES)
def test_no_body_makes_the_service_fail(api: Api, path: str) -> None:
    who, right = bodies()[path]

    @QUICK
    @given(
        st.one_of(
            anything,
            st.builds(
                lambda wrong: {**right, **wrong},
                st.dictionaries(st.sampled_from(sorted(right)) | st.text(), anything, min_size=1,
                                max_size=3),
            ),
        )
    )  # fmt: skip
    def fuzz(body: Any) -> None:
        if isinstance(body, dict) and body.get("ref") == right["ref"]:
            body["ref"] = ref()
        text = json.dumps(body)
        taken_or_refused(api.submit_raw(who, path, text), text)
        if isinstance(body, dict):
            line = json.dumps({"type": path.rsplit("/", 1)[-1].rstrip("s"), **body})
            taken_or_refused(api.send(who, "POST", "/v1/submissions", content=line), line)

    fuzz()


@QUICK
@given(
    path=st.sampled_from(
        ["/v1/ledgers/loans", "/v1/ledgers/subsidies", "/v1/changes", "/v1/loans/{}",
         "/v1/loans/{}/history", "/v1/households/{}", "/v1/households/{}/history",
         "/v1/households/{}/looks", "/v1/subsidy-payments/{}/trace", "/v1/cases", "/v1/cases/{}",
         "/v1/red-flags/schemes", "/v1/red-flags/inbox", "/v1/fund-flow", "/v1/fund-flow/edges",
         "/v1/fund-flow/misuse", "/v1/fund-flow/unlinked", "/v1/entities", "/v1/entities/{}"]
    ),
    number=st.text(min_size=1, max_size=20) | st.sampled_from(["L1", "H1"]),
    query=st.dictionaries(
        st.sampled_from(["as_of", "known_at", "known_from", "known_to", "bank", "township",
                         "household_no", "period", "cursor", "limit", "ledger", "loan_no",
                         "batch_no", "account", "hops", "from", "to", "node", "kind", "year",
                         "category"]),
        st.text(max_size=20) | st.datetimes().map(lambda at: f"{at.isoformat()}Z")
        | st.dates().map(str) | st.integers().map(str),
        max_size=4,
    ),
)  # fmt: skip
def test_no_question_makes_the_service_fail(
    api: Api, path: str, number: str, query: dict[str, str]
) -> None:
    quoted = quote(number, safe="", errors="replace")
    asked = {name: value.encode("utf-8", "replace").decode() for name, value in query.items()}
    taken_or_refused(api.ask("AUDIT", path.format(quoted), **asked), (path, number, query))


FAR = ("1990-01-01", "2014-11-30", "9999-12-31", "2199-01-01")
PLACES = {"no": "L1", "payment_no": "P", "period": "2023Q4", "rule": "RF11",
          "pseudonym": "account-0123456789abcdef01234567",
          "event_id": f"{'0' * 8}-0000-0000-0000-{'0' * 12}.1"}  # fmt: skip


@pytest.mark.parametrize("day", FAR)
def test_no_question_about_a_far_day_makes_the_service_fail_or_think_for_ever(
    api: Api, day: str
) -> None:
    """Every reading route, with the far day in each parameter that takes a day, quarter or year."""
    paths = api.client.get("/v1/openapi.json").json()["paths"]
    year, asked = day[:4], 0
    far = {"as_of": day, "due_from": day, "due_until": day, "since": f"{day}T00:00:00Z",
           "period": f"{year}Q4", "year": year, "rules_from": day}  # fmt: skip
    needed = {"subject": "NRCB/L1", "rule": "subsidy_share", "value": "7000", "report": "funds",
              "position": "1", "size": "1", "old": "1", "known_from": "2020-01-01T00:00:00Z",
              "period": "2023Q4", "q": "L1"}  # fmt: skip
    for path, methods in paths.items():
        told = methods.get("get", {}).get("parameters", ())
        names = {each["name"] for each in told if each["in"] == "query"}
        for name in sorted(names & far.keys()):
            query = {other: needed[other] for other in names & needed.keys()} | {name: far[name]}
            answer = api.ask("AUDIT", path.format(**PLACES), **query)
            taken_or_refused(answer, (path, query))
            asked += 1
    assert asked > 40


def test_a_day_too_far_ahead_is_refused_at_its_parameter(api: Api) -> None:
    answer = api.ask("AUDIT", "/v1/red-flags", as_of="9999-12-31")
    assure_problem(answer, 422, "day_too_far", "as_of")


def test_before_every_document_there_is_no_duty_and_no_error(api: Api) -> None:
    answer = api.ask("AUDIT", "/v1/duties", as_of="1990-01-01")
    assert (answer.status_code, answer.json()["lines"]) == (200, [])


def test_after_all_this_the_service_serves_and_its_log_is_whole(api: Api) -> None:
    assert api.submit("NRCB", "/v1/loans/L1/repayments", repayment()).status_code == 201
    ((positions, last),) = support.asked(
        api.place.dsn, "SELECT count(*), max(position) FROM ledger.event"
    )
    assert positions == last == api.log_position()
    assert Path(__file__).exists()
