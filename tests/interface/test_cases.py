"""A case over HTTP: three households' loans pooled in one firm, from the finding to the money back."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest
from support import controls as c
from support.service import Caller, Callers, service

from application.access import issue_key

_refs = count(1)
FIRM = {"account": "6222000000009999", "name": "某合作社", "kind": "firm"}
SHOP = {"account": "6222000000008888", "name": "某农资店", "kind": "merchant"}
ID_NOS = ("411381198001011018", "411381198001011026", "411381198001011034")
PAID_FEN = 46_639
DAY = "2024-05-06"


def tell(caller: Caller, path: str, status: int = 201, **body: Any) -> Any:
    """The answer to one statement; fails when it is another than `status`."""
    told = {"ref": f"R{next(_refs)}", "effective_on": DAY, **body}
    answer = caller.post(path, told)
    assert answer.status_code == status, answer.text
    return answer.json()


@pytest.fixture
def callers(database: Any) -> Iterator[Callers]:
    """H1, H2, H3 lend their names to a firm; all of them buy at one honest shop."""
    with service(database) as callers:
        callers.keys |= {
            person.upper(): issue_key(database.owner_dsn, "AUDIT", person)
            for person in ("he", "cai", "yu")
        }
        for n, id_no in enumerate(ID_NOS, 1):
            member = {"name": f"张{n}", "id_no": id_no, "relation": "户主", "head": True}
            account = {"account": f"622200000000000{n}", "name": f"张{n}"}
            home = {"household_no": f"H{n}", "members": [member]}
            lent = {"loan_no": f"L{n}", "household_no": f"H{n}", "borrower_id_no": id_no}
            tell(callers.BUREAU, "/households", **c.body(c.household(**home)))
            tell(callers.NRCB, "/loans", **c.body(c.loan(**lent, payee=account)))
            tell(
                callers.NRCB,
                f"/loans/L{n}/outflows",
                effective_on="2023-03-20",
                to=FIRM,
                amount_fen=4_500_000,
            )
            tell(
                callers.NRCB,
                f"/loans/L{n}/outflows",
                effective_on="2023-03-21",
                to=SHOP,
                amount_fen=500_000,
            )
        paid = c.body(c.pay(), "loan_no")
        tell(callers.FINANCE, "/loans/L1/subsidy-payments", **paid | {"ref": "PAY-1"})
        yield callers


def log_position(callers: Callers) -> int:
    position: int = callers.client.get("/healthz").json()["log_position"]
    return position


def schemes(callers: Callers, **query: Any) -> list[dict[str, Any]]:
    answer = callers.AUDIT.get("/red-flags/schemes", position=log_position(callers), **query)
    assert answer.status_code == 200, answer.text
    assert answer.json()["not_checked"] == []
    lines: list[dict[str, Any]] = answer.json()["lines"]
    return lines


def pooled(callers: Callers) -> dict[str, str]:
    [scheme] = [scheme for scheme in schemes(callers) if "RF08" in scheme["rules"]]
    [finding] = [found for found in scheme["findings"] if found["rule"] == "RF08"]
    return {"rule": "RF08", "subject": finding["subject"]}


def opened(callers: Callers, case_no: str = "XS-1", **other: Any) -> Any:
    body = {"case_no": case_no, "title": "三户贷款归集一户企业", "findings": [pooled(callers)]}
    return tell(callers.HE, "/cases", **body | other)


def case(callers: Callers, case_no: str = "XS-1", **query: Any) -> dict[str, Any]:
    answer = callers.AUDIT.get(f"/cases/{case_no}", position=log_position(callers), **query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def stage(callers: Callers, **query: Any) -> str:
    name: str = case(callers, **query)["case"]["stage"]
    return name


def test_a_case_from_the_finding_to_the_money_that_came_back(callers: Callers) -> None:
    opened(callers)
    tell(callers.HE, "/cases/XS-1/assignment", investigator="cai")
    tell(
        callers.CAI,
        "/cases/XS-1/explanation-requests",
        ref="YQ-1",
        organisation="NRCB",
        what="三笔贷款为何流入同一企业账户",
        until_on="2024-05-20",
    )
    answer = {"request_no": "YQ-1", "explanation": "借款人自行转账，我行未核实用途"}
    tell(callers.NRCB, "/cases/XS-1/explanations", effective_on="2024-05-10", **answer)
    later = {"effective_on": "2024-05-21"}
    tell(callers.CAI, "/cases/XS-1/notes", words="走访三户，均称贷款由合作社使用", **later)
    tell(callers.CAI, "/cases/XS-1/proposal", upheld=True, reason="资金归集属实", **later)
    upheld = {"reason": "户贷企用属实，追回贴息", "amount_fen": PAID_FEN}
    tell(callers.HE, "/cases/XS-1/upholding", **later, **upheld)
    back = tell(
        callers.FINANCE,
        "/loans/L1/subsidy-recoveries",
        effective_on="2024-06-01",
        payment_no="PAY-1",
        amount_fen=PAID_FEN,
        reason="户贷企用",
        voucher="V-9",
    )
    on = {"effective_on": "2024-06-02"}
    tell(callers.CAI, "/cases/XS-1/recoveries", event_id=back["event_ids"][0], **on)
    put_right = {"what": "三户停止贴息", "ground": {"document": "整改通知〔2024〕7号"}}
    tell(callers.CAI, "/cases/XS-1/rectifications", **put_right, **on)
    tell(callers.HE, "/cases/XS-1/closing", reason="已追回并整改", **on)

    found = case(callers)
    line = found["case"]
    assert (line["stage"], line["outcome"]) == ("closed", "upheld")
    assert (line["supervisor"], line["investigator"]) == ("he", "cai")
    assert (line["loans"], line["households"]) == (3, 3)
    assert (line["upheld_fen"], line["recovered_fen"]) == (PAID_FEN, PAID_FEN)
    assert (line["asked"], line["explained"]) == (1, 1)
    assert (line["opened_on"], line["closed_on"], line["waited_days"]) == (DAY, "2024-06-02", 27)
    assert [step["event_zh"] for step in found["steps"]] == [
        "线索立案", "线索交办", "要求说明", "说明", "核查记录", "处理建议", "线索属实",
        "追回入案", "整改", "线索办结",
    ]  # fmt: skip
    assert {step["told_by"]["person"] for step in found["steps"]} == {"he", "cai", "nrcb-1"}
    [recovery] = found["recoveries"]
    subsidies = callers.AUDIT.get("/ledgers/subsidies", loan_no="L1").json()["lines"]
    assert recovery["payment_no"] == "PAY-1"
    assert line["recovered_fen"] == sum(
        each["recovered_fen"] for each in subsidies if each["payment_no"] == "PAY-1"
    )
