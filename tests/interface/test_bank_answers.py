"""A bank's answer is compared with its order and can be put right; what was upheld lasts."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from support.batches import (
    BUDGET_FEN,
    DUE_FEN,
    PHOTO,
    approved,
    batch,
    callers,
    funds,
    proposed,
    submit,
)
from support.service import Callers

from domain.fund import Fund

__all__ = ["callers"]
OTHER_DUE_FEN = 39_611
GROUND = {"document": "回盘更正函2025-1"}


@pytest.fixture
def ordered(callers: Callers) -> Callers:
    """Batch PC-1: line 1 is NRCB's loan L1, line 2 PSBC's loan L2; both banks have their order."""
    proposed(callers)
    approved(callers)
    for bank in ("NRCB", "PSBC"):
        submit(callers.FINANCE2, "/batches/PC-1/orders", effective_on="2025-05-02", bank=bank)
    return callers


def position_of(callers: Callers) -> int:
    return int(callers.client.get("/healthz").json()["log_position"])


def order_of(callers: Callers, bank: str = "PSBC") -> list[list[str]]:
    """The payment order as the bank downloads it: titles, then rows."""
    asked = {"position": position_of(callers), "accept": "text/csv"}
    found = getattr(callers, bank).get("/batches/PC-1/payment-order", **asked)
    return list(csv.reader(io.StringIO(found.content.decode("utf-8-sig"))))


def filled(rows: list[list[str]], **values: str) -> list[list[str]]:
    """The order with these columns of its first row set, and the line told as paid."""
    told = [list(row) for row in rows]
    keys = [title.split()[-1] for title in told[0]]
    for key, value in {"result": "成功", "voucher": "P-1", **values}.items():
        told[1][keys.index(key)] = value
    return told


def send(
    callers: Callers, rows: list[list[str]], bank: str = "PSBC", path: str = "result-file",
    **form: str,
) -> Any:  # fmt: skip
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    data = {"ref": "HP-1", "effective_on": "2025-05-03", **form}
    files = {"file": ("回盘.csv", text.getvalue().encode())}
    return getattr(callers, bank).send(f"/batches/PC-1/{path}", files=files, data=data)


NOT_AS_ORDERED: list[tuple[str, str, list[str]]] = [
    ("amount_yuan", "1.00", ["金额(元)", "301.39", "1.00"]),
    ("amount_yuan", "301.4", ["301.40"]),
    ("amount_yuan", "", ["金额(元)"]),
    ("amount_yuan", "３０１.39", ["金额(元)"]),
    ("payee_account", "6222000000000099", ["收款账号", "****0099", "****0001"]),
    ("payee_account", "", ["收款账号"]),
    ("loan_no", "L1", ["借据号", "L2"]),
    ("household_no", "H1", ["户编号", "H2"]),
    ("period", "2024Q4", ["结息期", "2025Q1"]),
    ("payee_name", "王五", ["收款户名", "王*", "张*"]),
    ("payee_name", "", ["收款户名"]),
    ("payee_name", "张" * 200, ["收款户名"]),
    ("voucher", "V" * 65, ["凭证号"]),
    ("line", "00000", ["行号"]),
    ("line", "1", ["行号"]),
    ("batch_no", "PC-9", ["PC-1"]),
]


def test_a_result_file_whose_row_is_not_the_orders_is_refused_whole_by_row_and_column(
    ordered: Callers,
) -> None:
    order = order_of(ordered)
    for column, value, words in NOT_AS_ORDERED:
        answer = send(ordered, filled(order, **{column: value}))
        assert answer.status_code in (409, 422), (column, value, answer.text)
        told = answer.json()["title_zh"]
        assert all(word in told for word in ["第 2 行", *words]), told
        assert "6222000000000001" not in answer.text
        assert "王五" not in answer.text
    for column in ("line", "loan_no", "payee_account", "amount_yuan", "result"):
        rows = filled(order)
        place = [title.split()[-1] for title in rows[0]].index(column)
        answer = send(ordered, [row[:place] + row[place + 1 :] for row in rows])
        assert (answer.status_code, answer.json()["code"]) == (422, "header_mismatch")
        assert rows[0][place] in answer.json()["title_zh"]
    twice = send(ordered, [*filled(order), filled(order)[1]])
    assert (twice.status_code, twice.json()["code"]) == (409, "result_twice")
    assert "第 3 行" in twice.json()["title_zh"]
    theirs = send(ordered, filled(order_of(ordered, "NRCB")))
    assert (theirs.status_code, theirs.json()["code"]) == (409, "line_unknown")
    assert batch(ordered)["paid_fen"] == 0
    assert send(ordered, filled(order, amount_yuan="301.390", loan_no="L2 ")).status_code == 201


def test_a_result_file_may_have_its_columns_in_another_order_and_leave_out_what_names_no_money(
    ordered: Callers,
) -> None:
    rows = filled(order_of(ordered))
    keys = [title.split()[-1] for title in rows[0]]
    kept = [keys.index(k) for k in keys[::-1] if k not in ("household_no", "period", "payee_name")]
    assert send(ordered, [[row[n] for n in kept] for row in rows]).status_code == 201
    assert batch(ordered)["paid_fen"] == DUE_FEN


def test_an_order_that_was_downloaded_under_an_earlier_heading_is_still_read(
    ordered: Callers,
) -> None:
    titles, *rows = filled(order_of(ordered))
    earlier = [title.replace("amount_yuan", "amount_fen") for title in titles]
    assert earlier != titles
    assert send(ordered, [earlier, *rows]).status_code == 201
    assert batch(ordered)["paid_fen"] == DUE_FEN


def test_a_result_as_json_is_compared_where_it_names_what_was_ordered(ordered: Callers) -> None:
    item: dict[str, Any] = {"line": 2, "paid": True, "voucher": "P-1"}
    path, on = "/batches/PC-1/results", {"effective_on": "2025-05-03"}
    for name, value in {
        "amount_fen": 100, "loan_no": "L1", "household_no": "H1", "period": "2025Q2",
        "payee_account": "6222000000000099", "payee_name": "王五",
    }.items():  # fmt: skip
        for told in (
            {**item, name: value},
            {"line": 2, "paid": False, "reason": "销户", name: value},
        ):
            refusal = submit(ordered.PSBC, path, 409, results=[told], **on)
            assert refusal["code"] == "result_differs"
            assert refusal["errors"][0]["pointer"] == f"/results/0/{name}"
    for wrong in ({"amount_fen": DUE_FEN - 1}, {"payee_account": ""}):
        assert submit(ordered.PSBC, path, 409, results=[{**item, **wrong}], **on)
    assert submit(ordered.PSBC, path, 422, results=[{**item, "amount_fen": "301.39"}], **on)
    named = {
        "amount_fen": DUE_FEN, "loan_no": "L2", "household_no": "H2", "period": "2025Q1",
        "payee_account": "6222000000000001", "payee_name": "张三",
    }  # fmt: skip
    submit(ordered.PSBC, path, results=[{**item, **named}], **on)
    assert batch(ordered)["paid_fen"] == DUE_FEN


# ---- put right ------------------------------------------------------------------------


def answered(callers: Callers, paid: bool, on: str = "2025-05-03") -> Any:
    told = {"voucher": "P-1"} if paid else {"reason": "系统超时"}
    return submit(
        callers.PSBC, "/batches/PC-1/results", effective_on=on,
        results=[{"line": 2, "paid": paid, **told}],
    )  # fmt: skip


def corrected(callers: Callers, paid: bool, on: str, status: int = 201, **other: Any) -> Any:
    item = {
        "line": 2,
        "paid": paid,
        "reason": "核对流水后更正",
        **({"voucher": "P-9"} if paid else {}),
    }
    body = {"corrections": [item], "ground": GROUND, **other}
    return submit(callers.PSBC, "/batches/PC-1/result-corrections", status, effective_on=on, **body)


def state_at(callers: Callers, **asked: Any) -> dict[str, int]:
    """What each ledger says of loan L2's subsidy and the year's money."""
    asked = {"position": position_of(callers), **asked}
    ledger = callers.AUDIT.get("/ledgers/subsidies", loan_no="L2", **asked).json()["lines"]
    [loan] = callers.AUDIT.get("/ledgers/loans", bank="PSBC", **asked).json()["lines"]
    [fund] = callers.AUDIT.get("/ledgers/funds", **asked).json()["lines"]
    assert fund["allocated_fen"] == fund["reserved_fen"] + fund["paid_fen"] + fund["free_fen"]
    moved = callers.AUDIT.get("/ledgers/journal", accept="text/csv", **asked)
    rows = list(csv.DictReader(io.StringIO(moved.content.decode("utf-8-sig"))))
    journal = {}
    for row in rows:
        to, other, yuan = (
            row["科目 account"],
            row["对方科目 counter_account"],
            row["金额(元) amount_yuan"],
        )
        fen = int(yuan.replace(".", ""))
        journal[to] = journal.get(to, 0) + fen
        journal[other] = journal.get(other, 0) - fen
    net = sum(line["net_fen"] for line in ledger)
    assert net == loan["subsidy_fen"] == journal.get("subsidy:PSBC:L2", 0)
    assert fund["paid_fen"] == journal.get("budget:paid:2025", 0)
    found = callers.AUDIT.get("/batches/PC-1", **asked).json()["batch"]
    return {
        "net": net,
        "fund": fund["paid_fen"],
        "free": fund["free_fen"],
        "batch": found["paid_fen"],
    }


NOTHING = {"net": 0, "fund": 0, "free": BUDGET_FEN - DUE_FEN, "batch": 0}
PAID = {"net": DUE_FEN, "fund": DUE_FEN, "free": BUDGET_FEN - 2 * DUE_FEN, "batch": DUE_FEN}


def test_what_was_told_as_failed_and_had_gone_is_paid_and_is_not_paid_again(
    ordered: Callers,
) -> None:
    first = answered(ordered, paid=False)
    again = {"results": [{"line": 2, "paid": True, "voucher": "P-1"}]}
    refusal = submit(ordered.PSBC, "/batches/PC-1/results", 409, effective_on="2025-05-04", **again)
    assert refusal["code"] == "line_unknown"
    assert "result-corrections" in refusal["title_zh"]
    before = callers_now(ordered)
    told = corrected(ordered, True, "2025-05-06")
    assert state_at(ordered) == PAID
    assert state_at(ordered, as_of="2025-05-05") == NOTHING
    assert state_at(ordered, known_at=before) == NOTHING
    assert state_at(ordered, as_of="2025-05-06", known_at=told["recorded_at"]) == PAID

    steps = ordered.AUDIT.get("/batches/PC-1").json()["steps"]
    [step] = [step for step in steps if step["step"] == "result_corrected"]
    assert (step["line"], step["bank"], step["amount_fen"]) == (2, "PSBC", DUE_FEN)
    lines = ordered.AUDIT.get("/batches/PC-1/lines").json()["lines"]
    assert [line["state"] for line in lines] == ["ordered", "paid"]
    trace = ordered.AUDIT.get("/subsidy-payments/PC-1-2/trace").json()
    by = {event["event"]: event["content"] for event in trace["batch_events"]}
    version = first["event_ids"][0].rpartition(".")[2]
    assert by["batch.result-corrected.v1"]["result_version"] == int(version)
    assert by["batch.result-corrected.v1"]["was"] == "failed"
    assert trace["payment"]["effective_on"] == "2025-05-06"
    assert trace["paid_to"] == {"payee_account": "****0001", "payee_name": "张*"}
    slip = ordered.AUDIT.get("/subsidy-payments/PC-1-2/slip").text
    assert "叁佰零壹元叁角玖分" in slip
    assert "<td>****0001 张*</td>" in slip
    refusal = submit(ordered.CENTRE, "/batches", 409, batch_no="PC-2", period="2025Q1")
    assert refusal["code"] == "nothing_to_pay"


def callers_now(callers: Callers) -> str:
    """The instant up to which everything is known now."""
    found = callers.AUDIT.get("/ledgers/funds", position=position_of(callers)).json()
    return str(found["known_through"])


def test_what_was_paid_and_came_back_is_due_again_and_its_money_is_free(ordered: Callers) -> None:
    answered(ordered, paid=True)
    before = callers_now(ordered)
    told = corrected(ordered, False, "2025-05-08")
    assert "warnings" not in told, "the voucher of what came back is the payment's own"
    assert state_at(ordered) == NOTHING
    assert state_at(ordered, as_of="2025-05-07") == PAID
    assert state_at(ordered, known_at=before) == PAID
    [line] = ordered.AUDIT.get("/ledgers/subsidies", loan_no="L2").json()["lines"]
    assert (line["paid_fen"], line["returned_fen"]) == (DUE_FEN, DUE_FEN)
    assert (line["recovered_fen"], line["net_fen"]) == (0, 0), "nobody was asked for it"
    found = batch(ordered)
    assert (found["returned_fen"], found["paid_fen"], found["failed_fen"]) == (DUE_FEN, 0, 0)
    trace = ordered.AUDIT.get("/subsidy-payments/PC-1-2/trace").json()
    assert trace["returned_fen"] == DUE_FEN
    later = [event["event"] for event in trace["told_after_the_payment"]]
    assert later == ["batch.result-corrected.v1", "loan.subsidy-returned.v1"]
    assert "退票 301.39 元" in ordered.AUDIT.get("/subsidy-payments/PC-1-2/slip").text
    proposed(ordered, "PC-2")
    assert batch(ordered, "PC-2")["amount_fen"] == DUE_FEN
    back = {"payment_no": "PC-1-2", "amount_fen": 1, "reason": "多贴", "voucher": "V"}
    later = {"effective_on": "2025-05-20", **back}
    refusal = submit(ordered.FINANCE, "/loans/L2/subsidy-recoveries", 409, **later)
    assert refusal["code"] == "recovered_too_much"
    flow = ordered.AUDIT.get("/fund-flow", batch_no="PC-1").json()
    sums = {edge["kind"]: edge["amount_fen"] for edge in flow["edges"]}
    assert sums["returned"] == sums["unspent"] == sums["spent"] == DUE_FEN


def test_a_correction_can_be_wrong_and_is_corrected_in_turn_each_naming_the_one_before(
    ordered: Callers,
) -> None:
    answered(ordered, paid=False)
    versions = []
    for paid, on in ((True, "2025-05-05"), (False, "2025-05-06"), (True, "2025-05-07")):
        told = corrected(ordered, paid, on)
        versions.append(int(told["event_ids"][0].rpartition(".")[2]))
        assert state_at(ordered) == (PAID if paid else NOTHING)
    history = ordered.AUDIT.get("/subsidy-payments/PC-1-2.2/trace").json()["batch_events"]
    chain = [e["content"] for e in history if e["event"] == "batch.result-corrected.v1"]
    assert [(e["was"], e["now"]) for e in chain] == [
        ("failed", "paid"), ("paid", "returned"), ("returned", "paid"),
    ]  # fmt: skip
    assert [e["result_version"] for e in chain[1:]] == versions[:-1]
    for as_of, state in (("2025-05-04", NOTHING), ("2025-05-05", PAID), ("2025-05-06", NOTHING)):
        assert state_at(ordered, as_of=as_of) == state


def test_a_correction_is_the_banks_own_by_a_document_of_a_result_that_there_is(
    ordered: Callers,
) -> None:
    refusal = corrected(ordered, True, "2025-05-04", 409)
    assert refusal["code"] == "line_not_answered"
    answered(ordered, paid=False)
    assert corrected(ordered, True, "2025-05-02", 409)["code"] == "result_before"
    assert corrected(ordered, False, "2025-05-04", 409)["code"] == "result_unchanged"
    assert corrected(ordered, True, "2025-05-04", 409, ground=None)["code"] == "ground_missing"
    item = {"line": 2, "paid": True, "reason": "核对流水后更正", "voucher": "P-9"}
    body = {"effective_on": "2025-05-04", "ground": GROUND}
    path = "/batches/PC-1/result-corrections"
    theirs = submit(ordered.NRCB, path, 409, corrections=[item], **body)
    assert theirs["code"] == "line_unknown"
    for caller in (ordered.FINANCE, ordered.CENTRE, ordered.AUDIT, ordered.T02):
        assert submit(caller, path, 403, corrections=[item], **body)["code"] == "not_permitted"
    for wrong, code in (
        ([item, item], "result_twice"),
        ([{**item, "voucher": None}], "result_incomplete"),
        ([{**item, "amount_fen": 1}], "result_differs"),
    ):
        assert submit(ordered.PSBC, path, 409, corrections=wrong, **body)["code"] == code
    told = {"ref": "GZ-1", "corrections": [item], **body}
    first = submit(ordered.PSBC, path, **told)
    assert submit(ordered.PSBC, path, 200, **told) == {**first, "again": True}
    assert submit(ordered.PSBC, path, 409, **{**told, "ref": "GZ-2"})["code"] == "result_unchanged"


def test_a_correction_comes_as_a_file_as_well(ordered: Callers) -> None:
    rows = order_of(ordered)
    answered(ordered, paid=True)
    told = {"path": "result-correction-file", "ref": "GZ-1", "effective_on": "2025-05-08"}
    back = filled(rows, result="退票", voucher="", reason="账户已销户")
    assert send(ordered, back, **told).status_code == 422, "without its document"
    document = {"document": "退票通知2025-1"}
    wrong = send(ordered, filled(back, result="退票", amount_yuan="1.00"), **told, **document)
    assert (wrong.status_code, wrong.json()["code"]) == (409, "result_differs")
    assert "第 2 行「金额(元) amount_yuan」" in wrong.json()["title_zh"]
    for result, voucher in (("退票", ""), ("成功", "P-2")):
        bare = filled(rows, result=result, voucher=voucher, reason="")
        assert send(ordered, bare, **told, **document).status_code == 422
    assert send(ordered, back, **told, **document).status_code == 201
    assert send(ordered, back, **told, **document).status_code == 200
    assert state_at(ordered) == NOTHING


def test_money_that_had_gone_is_a_fact_also_when_the_budget_was_used_up_meanwhile(
    ordered: Callers,
) -> None:
    answered(ordered, paid=False)
    correction = {
        "reason": "金额录错",
        "replacement": {
            "effective_on": "2025-01-15", "year": 2025, "voucher": "XD-1",
            "amount_fen": 2 * DUE_FEN,
        },
    }  # fmt: skip
    path = f"/events/{Fund.id_for(2025)}.1/corrections"
    submit(ordered.FINANCE, path, **correction)
    paid_again_in(ordered, "PC-2", "approved")
    assert funds(ordered)["free_fen"] == 0
    corrected(ordered, True, "2025-05-06")
    fund = funds(ordered)
    assert (fund["free_fen"], fund["overdrawn_fen"], fund["warning_bp"]) == (
        -DUE_FEN, DUE_FEN, 10_000,
    )  # fmt: skip
    assert fund["paid_fen"] == DUE_FEN
    more = {"year": 2025, "amount_fen": 1, "voucher": "XD-2", "effective_on": "2025-05-07"}
    submit(ordered.FINANCE, "/funds/allocations", **more)
    assert funds(ordered)["overdrawn_fen"] == DUE_FEN - 1


def paid_again_in(callers: Callers, batch_no: str, until: str) -> None:
    """A batch that lists the same quarter again, and how far it comes."""
    proposed(callers, batch_no)
    window = {"effective_on": "2025-05-05", "until_on": "2025-05-14", "ground": PHOTO}
    submit(callers.BUREAU, f"/batches/{batch_no}/verification", effective_on="2025-05-05")
    for level in ("village", "township"):
        submit(callers.T02, f"/batches/{batch_no}/notices", level=level, place="公示栏", **window)
    submit(callers.CENTRE, f"/batches/{batch_no}/notices", level="county", place="网站", **window)
    submit(callers.FINANCE, f"/batches/{batch_no}/approval", effective_on="2025-05-15")
    if until == "paid":
        order(callers, batch_no)
        submit(
            callers.PSBC, f"/batches/{batch_no}/results", effective_on="2025-05-17",
            results=[{"line": 1, "paid": True, "voucher": "P-2"}],
        )  # fmt: skip


def order(callers: Callers, batch_no: str) -> Any:
    told = {"effective_on": "2025-05-16", "bank": "PSBC"}
    return submit(callers.FINANCE2, f"/batches/{batch_no}/orders", **told)


def test_a_later_batch_that_listed_the_same_quarter_holds_it_when_it_is_ordered(
    ordered: Callers,
) -> None:
    answered(ordered, paid=False)
    paid_again_in(ordered, "PC-2", "approved")
    corrected(ordered, True, "2025-05-06")
    order(ordered, "PC-2")
    found = batch(ordered, "PC-2")
    assert (found["held_fen"], found["ordered_fen"]) == (DUE_FEN, 0)
    assert funds(ordered)["paid_fen"] == DUE_FEN
    assert settled(ordered)["to_recover_fen"] == 0


def settled(callers: Callers) -> Any:
    asked = {"period": "2025Q1", "bank": "PSBC", "position": position_of(callers)}
    return callers.CENTRE.get("/settlement", **asked).json()


def test_a_quarter_that_a_later_batch_paid_too_is_asked_back_and_flagged(ordered: Callers) -> None:
    answered(ordered, paid=False)
    paid_again_in(ordered, "PC-2", "paid")
    assert flags(ordered, "RF04") == []
    corrected(ordered, True, "2025-05-18")
    assert settled(ordered)["to_recover_fen"] == DUE_FEN
    assert [(f["subject"], f["amount_fen"]) for f in flags(ordered, "RF04")] == [
        ("PSBC/L2 2025Q1", DUE_FEN)
    ]
    assert [f["amount_fen"] for f in flags(ordered, "RF01")] == [DUE_FEN]
    corrected(ordered, False, "2025-05-19")
    assert flags(ordered, "RF04") == flags(ordered, "RF01") == []
    assert settled(ordered)["to_recover_fen"] == 0


def flags(callers: Callers, rule: str) -> list[dict[str, Any]]:
    found = callers.AUDIT.get("/red-flags", rule=rule, position=position_of(callers)).json()
    [each] = found["rules"]
    assert each["status"] != "failed", each
    return list(each["findings"])
