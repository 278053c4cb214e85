"""A batch from the settlement run to the banks' results, and every way in which it is refused."""

from __future__ import annotations

import csv
import io
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from support import controls as c
from support.batches import (
    BUDGET_FEN,
    DUE_FEN,
    PHOTO,
    WINDOW,
    approved,
    batch,
    callers,
    funds,
    noticed,
    paid_in_full,
    proposed,
    refs,
    submit,
)
from support.service import Caller, Callers

from domain.calendar import civil_day
from domain.fund import Fund
from domain.money import divide_half_up, in_capitals, yuan
from projections import settlement

__all__ = ["callers"]


def test_a_batch_from_the_run_to_the_trace_of_what_it_paid(callers: Callers) -> None:
    found = callers.CENTRE.get(
        "/settlement", period="2025Q1", position=proposed(callers, estimate=True)["position"]
    ).json()
    assert [line["due_fen"] for line in found["lines"]] == [DUE_FEN, DUE_FEN]
    assert (found["estimate"], found["to_pay_fen"]) == (False, 2 * DUE_FEN)

    proposed(callers, "PC-2")
    approved(callers, "PC-2")
    assert funds(callers)["reserved_fen"] == 2 * DUE_FEN
    for bank in ("NRCB", "PSBC"):
        submit(callers.FINANCE2, "/batches/PC-2/orders", effective_on="2025-05-02", bank=bank)
    submit(
        callers.NRCB,
        "/batches/PC-2/results",
        effective_on="2025-05-03",
        results=[{"line": 1, "paid": True, "voucher": "N-77"}],
    )
    submit(
        callers.PSBC,
        "/batches/PC-2/results",
        effective_on="2025-05-03",
        results=[{"line": 2, "paid": False, "reason": "账户已销户"}],
    )
    money = funds(callers)
    assert (money["paid_fen"], money["reserved_fen"]) == (DUE_FEN, 0)
    assert money["free_fen"] == BUDGET_FEN - DUE_FEN
    assert (batch(callers, "PC-2")["paid_fen"], batch(callers, "PC-2")["failed_fen"]) == (
        DUE_FEN,
        DUE_FEN,
    )

    trace = callers.AUDIT.get("/subsidy-payments/PC-2-1/trace").json()
    assert trace["payment"]["content"]["batch_no"] == "PC-2"
    assert [event["event"] for event in trace["batch_events"]] == [
        "batch.proposed.v1",
        "batch.verified.v1",
        *["batch.notice-posted.v1"] * 5,
        "batch.approved.v1",
        "batch.ordered.v1",
        "batch.ordered.v1",
        "batch.result-told.v1",
    ]
    slip = callers.AUDIT.get("/subsidy-payments/PC-2-1/slip")
    assert "叁佰零壹元叁角玖分" in slip.text

    again = callers.CENTRE.get("/settlement", period="2025Q1").json()
    assert again["to_pay_fen"] == DUE_FEN, "what failed is open again"
    proposed(callers, "PC-3")
    assert batch(callers, "PC-3")["amount_fen"] == DUE_FEN


def test_a_quarter_is_not_listed_before_its_settlement_day(callers: Callers) -> None:
    refusal = submit(
        callers.CENTRE, "/batches", 409, batch_no="PC-1", period="2025Q1", effective_on="2025-03-20"
    )
    assert refusal["code"] == "period_not_over"
    proposed(callers, effective_on="2025-03-20", estimate=True)
    assert submit(callers.BUREAU, "/batches/PC-1/verification", 409)["code"] == "wrong_stage"


def test_no_two_steps_are_taken_by_the_same_person_in_whatever_role(callers: Callers) -> None:
    proposed(callers)
    noticed(callers)
    on = {"effective_on": "2025-05-01"}
    refusal = submit(callers.QIN, "/batches/PC-1/approval", 409, **on)
    assert refusal["code"] == "same_person"
    assert "centre-1" in refusal["title_zh"]
    submit(callers.FINANCE, "/batches/PC-1/approval", **on)
    refusal = submit(callers.FINANCE, "/batches/PC-1/orders", 409, bank="NRCB", **on)
    assert refusal["code"] == "same_person"


def test_nothing_is_approved_before_every_notice_is_over(callers: Callers) -> None:
    proposed(callers)
    early = {"effective_on": "2025-05-01"}
    assert submit(callers.FINANCE, "/batches/PC-1/approval", 409, **early)["code"] == "wrong_stage"
    submit(callers.BUREAU, "/batches/PC-1/verification")
    nine = {"level": "village", "place": "村委会", "effective_on": "2025-04-21", "ground": PHOTO}
    refusal = submit(callers.T01, "/batches/PC-1/notices", 409, until_on="2025-04-29", **nine)
    assert refusal["code"] == "notice_too_short"
    submit(callers.T01, "/batches/PC-1/notices", until_on="2025-04-30", **nine)
    refusal = submit(callers.FINANCE, "/batches/PC-1/approval", 409, **early)
    assert refusal["code"] == "notice_missing"
    assert "village T02" in refusal["title_en"]
    assert "village T01" not in refusal["title_en"]
    refusal = submit(
        callers.T01, "/batches/PC-1/notices", 409, **{**nine, "level": "county"},
        until_on="2025-04-30",
    )  # fmt: skip
    assert refusal["code"] == "notice_elsewhere"


def test_an_objection_must_be_answered_and_takes_its_line_with_it(callers: Callers) -> None:
    proposed(callers)
    noticed(callers)
    objection = submit(
        callers.T02, "/batches/PC-1/objections", ref="YY-1", line=2, reason="该户未实际用款"
    )
    assert objection["position"]
    late = {"effective_on": "2025-05-01"}
    assert (
        submit(callers.FINANCE, "/batches/PC-1/approval", 409, **late)["code"] == "objection_open"
    )
    answer = {"objection_no": "YY-1", "upheld": True, "reason": "核查属实"}
    submit(callers.CENTRE, "/batches/PC-1/resolutions", **answer)
    refusal = submit(callers.CENTRE, "/batches/PC-1/resolutions", 409, **answer)
    assert refusal["code"] == "objection_unknown"
    submit(callers.FINANCE, "/batches/PC-1/approval", **late)
    assert funds(callers)["reserved_fen"] == DUE_FEN
    assert batch(callers)["withdrawn_fen"] == DUE_FEN


def test_a_batch_is_not_approved_over_what_is_free_by_one_fen(callers: Callers) -> None:
    submit(
        callers.FINANCE,
        "/funds/allocations",
        409,
        effective_on="2025-02-01",
        year=2025,
        amount_fen=1,
        voucher="XD-2",
    )
    proposed(callers)
    noticed(callers)
    allocation = _allocation(callers)
    correction = {"reason": "金额录错", "replacement": _replaced(2 * DUE_FEN - 1)}
    submit(callers.FINANCE, f"/events/{allocation}/corrections", **correction)
    late = {"effective_on": "2025-05-01"}
    refusal = submit(callers.FINANCE, "/batches/PC-1/approval", 409, **late)
    assert refusal["code"] == "fund_exhausted"
    assert funds(callers)["free_fen"] == 2 * DUE_FEN - 1


def _allocation(callers: Callers) -> str:
    """The id of the one allocation that was told."""
    lines = callers.AUDIT.get("/ledgers/journal", accept="text/csv").text
    assert "budget:free:2025" in lines
    return f"{Fund.id_for(2025)}.1"


def _replaced(amount_fen: int) -> dict[str, Any]:
    return {
        "effective_on": "2025-01-15", "year": 2025, "amount_fen": amount_fen, "voucher": "XD-1",
    }  # fmt: skip


def test_two_batches_for_the_last_of_the_money_and_one_wins(callers: Callers) -> None:
    proposed(callers, "PC-1", bank="NRCB")
    proposed(callers, "PC-2", bank="PSBC")
    submit(
        callers.FINANCE,
        f"/events/{_allocation(callers)}/corrections",
        reason="金额录错",
        replacement=_replaced(DUE_FEN + 1),
    )
    window = {**WINDOW, "ground": PHOTO, "place": "公示栏"}
    for batch_no, township in (("PC-1", callers.T01), ("PC-2", callers.T02)):
        submit(callers.BUREAU, f"/batches/{batch_no}/verification")
        for level in ("village", "township"):
            submit(township, f"/batches/{batch_no}/notices", level=level, **window)
        submit(callers.CENTRE, f"/batches/{batch_no}/notices", level="county", **window)

    def approve(batch_no: str) -> int:
        told = {"ref": f"AP-{batch_no}", "effective_on": "2025-05-01"}
        return int(callers.FINANCE.post(f"/batches/{batch_no}/approval", told).status_code)

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(approve, ("PC-1", "PC-2"))) == [201, 409]
    assert funds(callers)["free_fen"] == 1


def test_a_second_run_lists_nothing_that_an_open_batch_holds(callers: Callers) -> None:
    proposed(callers)
    refusal = submit(callers.CENTRE, "/batches", 409, batch_no="PC-2", period="2025Q1")
    assert refusal["code"] == "nothing_to_pay"
    submit(callers.CENTRE, "/batches/PC-1/return", reason="附件不全")
    proposed(callers, "PC-2")


def test_the_same_proposal_again_is_answered_as_the_first_time(callers: Callers) -> None:
    first = proposed(callers, ref="TC-1")
    again = submit(callers.CENTRE, "/batches", 200, batch_no="PC-1", period="2025Q1", ref="TC-1")
    assert again == {**first, "again": True}
    refusal = submit(callers.CENTRE, "/batches", 409, batch_no="PC-9", period="2025Q1", ref="TC-1")
    assert refusal["code"] == "reference_reused"


def test_a_correction_between_proposal_and_order_holds_the_line_and_frees_its_money(
    callers: Callers,
) -> None:
    proposed(callers)
    approved(callers)
    submit(
        callers.NRCB,
        "/loans/L1/repayments",
        **c.body(c.repay(effective_on="2025-02-01", principal_fen=5_000_000), "loan_no"),
    )
    submit(callers.FINANCE2, "/batches/PC-1/orders", effective_on="2025-05-02", bank="NRCB")
    found = batch(callers)
    assert (found["held_fen"], found["ordered_fen"]) == (DUE_FEN, 0)
    assert funds(callers)["reserved_fen"] == DUE_FEN
    left = callers.CENTRE.get("/settlement", period="2025Q1", bank="NRCB").json()
    # 22 days, 10 January to 31 January
    assert left["to_pay_fen"] == 9_472
    refusal = submit(
        callers.NRCB,
        "/batches/PC-1/results",
        409,
        results=[{"line": 1, "paid": True, "voucher": "X"}],
    )
    assert refusal["code"] == "line_unknown"


def test_a_line_that_cannot_be_judged_any_more_is_held_and_stops_no_order(
    callers: Callers,
) -> None:
    proposed(callers)
    approved(callers)
    slip = c.loan(
        effective_on="2025-01-10", contract_on="1993-01-10", due_on="2026-01-10", annual_rate_bp=310
    )
    corrected = submit(
        callers.NRCB,
        f"/events/{c.Loan.id_for('NRCB', 'L1')}.1/corrections",
        reason="合同日录错",
        replacement=c.body(slip, "loan_no"),
    )
    on = {"effective_on": "2025-05-02"}
    for bank in ("NRCB", "PSBC"):
        submit(callers.FINANCE2, "/batches/PC-1/orders", bank=bank, **on)
    found = batch(callers)
    assert (found["held_fen"], found["ordered_fen"]) == (DUE_FEN, DUE_FEN)
    told = callers.CENTRE.get("/settlement", period="2025Q1", position=corrected["position"]).json()
    [line] = [line for line in told["lines"] if line["loan_no"] == "L1"]
    assert (line["state"], line["left_fen"], told["not_judged"]) == ("not_judged", 0, 1)
    assert "NRCB/L1" in line["reason"]
    proposed(callers, "PC-2", period="2025Q2", effective_on="2025-07-01")


def test_what_was_told_late_comes_back_as_a_recovery_and_never_as_a_silent_net(
    callers: Callers,
) -> None:
    paid_in_full(callers)
    submit(
        callers.NRCB,
        "/loans/L1/repayments",
        **c.body(c.repay(effective_on="2025-02-01", principal_fen=5_000_000), "loan_no"),
    )
    late = {"effective_on": "2025-07-01", "period": "2025Q2"}
    proposed(callers, "PC-2", **late)
    position = callers.client.get("/healthz").json()["log_position"]
    lines = callers.CENTRE.get("/batches/PC-2/lines", position=position).json()["lines"]
    assert [(x["loan_no"], x["period"], x["kind"], x["amount_fen"]) for x in lines] == [
        ("L1", "2025Q1", "recovery", DUE_FEN - 9_472),
        ("L2", "2025Q2", "subsidy", 39_611),
    ]
    assert batch(callers, "PC-2")["amount_fen"] == 39_611
    assert batch(callers, "PC-2")["recovery_fen"] == DUE_FEN - 9_472


def test_nothing_is_paid_twice(callers: Callers) -> None:
    paid_in_full(callers)
    again = {"results": [{"line": 1, "paid": True, "voucher": "V9"}]}
    assert submit(callers.NRCB, "/batches/PC-1/results", 409, **again)["code"] == "line_unknown"
    order = submit(callers.FINANCE2, "/batches/PC-1/orders", 409, bank="NRCB")
    assert order["code"] == "nothing_to_pay"
    single = c.body(c.pay(period="2025Q1", effective_on="2025-05-04", amount_fen=1), "loan_no")
    refusal = submit(callers.FINANCE, "/loans/L1/subsidy-payments", 409, **single)
    assert refusal["code"] == "paid_by_batch_only"


def test_a_bank_answers_for_its_own_lines_alone(callers: Callers) -> None:
    proposed(callers)
    approved(callers)
    submit(callers.FINANCE2, "/batches/PC-1/orders", effective_on="2025-05-02", bank="NRCB")
    foreign = {"results": [{"line": 1, "paid": True, "voucher": "V"}]}
    assert submit(callers.PSBC, "/batches/PC-1/results", 409, **foreign)["code"] == "line_unknown"
    twice = {"results": [{"line": 1, "paid": True, "voucher": "V"}] * 2}
    assert submit(callers.NRCB, "/batches/PC-1/results", 409, **twice)["code"] == "result_twice"
    bare = {"results": [{"line": 1, "paid": True}]}
    assert submit(callers.NRCB, "/batches/PC-1/results", 409, **bare)["code"] == "result_incomplete"


def test_the_payment_order_goes_to_the_bank_and_comes_back_as_the_result_file(
    callers: Callers,
) -> None:
    proposed(callers)
    approved(callers)
    told = submit(callers.FINANCE2, "/batches/PC-1/orders", effective_on="2025-05-02", bank="NRCB")
    asked = {"position": told["position"], "accept": "text/csv"}
    theirs = callers.NRCB.get("/batches/PC-1/payment-order", **asked)
    assert "6222000000000001" in theirs.text
    seen = callers.FINANCE.get("/batches/PC-1/payment-order", **asked).text
    assert "6222000000000001" not in seen
    assert "张*" in seen
    assert "张三" not in seen

    for caller in (callers.FINANCE, callers.AUDIT, callers.CENTRE):
        named = caller.get("/batches/PC-1/payment-order", bank="NRCB", **asked).text
        assert "6222000000000001" not in named, "also when they ask for that bank alone"
        assert "张三" not in named

    rows = list(csv.reader(io.StringIO(theirs.content.decode("utf-8-sig"))))
    titles = rows[0]
    rows[1][titles.index("结果 result")] = "成功"
    rows[1][titles.index("凭证号 voucher")] = "N-2025-1"
    filled = io.StringIO()
    csv.writer(filled).writerows(rows)
    form = {"ref": "HP-1", "effective_on": "2025-05-03"}
    upload = {"files": {"file": ("回盘.csv", filled.getvalue().encode("gb18030"))}, "data": form}
    answer = callers.NRCB.send("/batches/PC-1/result-file", **upload)
    assert answer.status_code == 201, answer.text
    assert callers.NRCB.send("/batches/PC-1/result-file", **upload).status_code == 200
    assert batch(callers)["paid_fen"] == DUE_FEN

    rows[1][titles.index("结果 result")] = "也许"
    broken = io.StringIO()
    csv.writer(broken).writerows(rows)
    upload["files"] = {"file": ("回盘.csv", broken.getvalue().encode())}
    refusal = callers.NRCB.send("/batches/PC-1/result-file", **upload)
    assert refusal.status_code == 422
    assert "第 2 行" in refusal.json()["title_zh"]


def test_a_notice_shows_a_masked_name_purpose_amount_term_and_rate_and_nothing_else(
    callers: Callers,
) -> None:
    position = proposed(callers)["position"]
    found = callers.T01.get("/batches/PC-1/notice", position=position).json()
    assert found["lines"] == [
        {
            "line": 1,
            "borrower_name": "张*",
            "purpose": "养牛",
            "principal_fen": 5_000_000,
            "disbursed_on": "2025-01-10",
            "due_on": "2026-01-10",
            "annual_rate_bp": 310,
        }
    ]
    page = callers.T01.get("/batches/PC-1/notice", accept="text/html").text
    assert "<td" in page
    assert all(word in page for word in ("张*", "养牛", "50,000.00", "12", "3.10%"))
    assert not any(word in page for word in ("张三", "H1", "L1", "6222", "301.39"))


def test_in_the_mode_of_the_bank_the_bank_itself_is_paid(callers: Callers) -> None:
    submit(
        callers.CENTRE,
        "/programme/rulings",
        effective_on="2025-04-01",
        ground={"document": "拨付方式通知"},
        rulings=[{"rule": "payment_mode", "words": ["bank"]}],
    )
    proposed(callers)
    approved(callers)
    told = submit(callers.FINANCE2, "/batches/PC-1/orders", effective_on="2025-05-02", bank="NRCB")
    order = callers.NRCB.get("/batches/PC-1/payment-order", position=told["position"]).json()
    assert order["lines"][0]["payee_account"] == "NRCB"
    assert order["amount_fen"] == DUE_FEN


def test_a_ruling_told_late_changes_what_is_due_and_shows_as_a_difference(
    callers: Callers,
) -> None:
    paid_in_full(callers)
    told = submit(
        callers.CENTRE,
        "/programme/rulings",
        effective_on="2025-01-20",
        ground={"document": "补充通知"},
        rulings=[{"rule": "subsidy_share", "value": 7_000}],
    )
    found = callers.CENTRE.get("/settlement", period="2025Q1", position=told["position"]).json()
    # 10 days in full, 60 days at 70 %
    assert {line["due_fen"] for line in found["lines"]} == {22_389}
    assert found["to_recover_fen"] == 2 * (DUE_FEN - 22_389)
    before = callers.CENTRE.get(
        "/settlement", period="2025Q1", known_at=_just_before(callers)
    ).json()
    assert before["to_recover_fen"] == 0


def _just_before(callers: Callers) -> str:
    """The instant at which everything but the last event was known."""
    with psycopg.connect(callers.client.app.state.service.deployment.dsn) as log:  # type: ignore[attr-defined]
        row = log.execute("SELECT max(recorded_at) FROM ledger.event").fetchone()
    assert row is not None
    return (row[0].astimezone(UTC) - timedelta(microseconds=1)).isoformat()


def test_other_rules_are_tried_on_real_history_and_change_nothing(callers: Callers) -> None:
    position = proposed(callers)["position"]
    asked: dict[str, Any] = {"period": "2025Q1", "position": position}
    supposed = {"rule": "subsidy_share", "value": 7_000, "rules_from": "2025-01-20"}
    found = callers.CENTRE.get("/programme/replay", **asked, **supposed).json()
    assert [(x["bank"], x["township"], x["difference_fen"]) for x in found["lines"]] == [
        ("NRCB", "T01", 22_389 - DUE_FEN),
        ("PSBC", "T02", 22_389 - DUE_FEN),
    ]
    assert callers.CENTRE.get("/programme/replay", **asked).json()["difference_fen"] == 0
    ruled = {x["name"]: x for x in callers.T01.get("/programme/rulings").json()["lines"]}
    assert ruled["subsidy_share"]["value"] == 10_000
    assert ruled["budget_fen"]["source"] == "邓财预〔2025〕3号"
    for wrong, code in (
        ({"rule": "nonsense", "value": 1}, "rule_unknown"),
        ({"rule": "settlement_day", "value": 1}, "rule_fixed"),
        ({"rule": "subsidy_share", "value": 10_001}, "rule_malformed"),
        ({"rule": "notice_levels", "value": 3}, "rule_malformed"),
    ):
        answer = callers.CENTRE.get("/programme/replay", **asked, **wrong)
        assert answer.json()["code"] == code, answer.text


def test_a_plan_adjusted_twice_for_the_same_day_holds_as_it_was_told_last(
    callers: Callers,
) -> None:
    plan = {
        "plan_no": "FA-2025",
        "title": "2025年方案",
        "ground": {"document": "邓金扶〔2025〕1号"},
        "effective_on": "2025-01-01",
    }
    for value in (9_000, 8_000, 7_000):
        rulings = [{"rule": "subsidy_share", "value": value}]
        told = submit(callers.CENTRE, "/programme/plans", **plan, rulings=rulings)
    found = callers.CENTRE.get("/settlement", period="2025Q1", position=told["position"]).json()
    assert {line["due_fen"] for line in found["lines"]} == {21_097}
    last = told["event_ids"][0]
    submit(callers.CENTRE, f"/events/{last}/corrections", reason="误报该次调整")
    position = callers.client.get("/healthz").json()["log_position"]
    found = callers.CENTRE.get("/settlement", period="2025Q1", position=position).json()
    assert {line["due_fen"] for line in found["lines"]} == {24_111}
    ended = {**plan, "until_on": "2024-12-31", "rulings": [{"rule": "subsidy_share", "value": 1}]}
    refusal = submit(callers.CENTRE, "/programme/plans", 409, **ended)
    assert (refusal["code"], refusal["errors"][0]["pointer"]) == ("step_before", "/until_on")
    bare = {key: value for key, value in plan.items() if key != "ground"}
    refusal = submit(
        callers.CENTRE, "/programme/plans", 409, **bare, ground={"note": "口头"},
        rulings=[{"rule": "subsidy_share", "value": 1}],
    )  # fmt: skip
    assert refusal["code"] == "ground_missing"


def test_a_quote_published_late_moves_only_what_is_calculated_after_it(callers: Callers) -> None:
    first = proposed(callers)
    told = submit(
        callers.CENTRE,
        "/programme/rulings",
        effective_on="2025-01-05",
        ground={"document": "全国银行间同业拆借中心 补发"},
        rulings=[{"rule": "lpr_one_year", "value": 300}],
    )
    lines = callers.CENTRE.get("/batches/PC-1/lines", position=told["position"]).json()["lines"]
    assert {line["due_fen"] for line in lines} == {DUE_FEN}, "what was proposed stands as it was"
    asked = {"period": "2025Q1"}
    before = callers.CENTRE.get("/settlement", **asked, known_at=first["recorded_at"]).json()
    after = callers.CENTRE.get("/settlement", **asked).json()
    assert {line["due_fen"] for line in before["lines"]} == {DUE_FEN}
    assert {line["due_fen"] for line in after["lines"]} == {29_167}
    noticed(callers)
    submit(callers.FINANCE, "/batches/PC-1/approval", effective_on="2025-05-01")
    submit(callers.FINANCE2, "/batches/PC-1/orders", effective_on="2025-05-02", bank="NRCB")
    assert batch(callers)["held_fen"] == DUE_FEN, "it would be paid too much: it is held"


def test_a_household_gets_one_slip_a_batch_that_can_be_worked_out_by_hand(
    callers: Callers,
) -> None:
    paid_in_full(callers)
    submit(
        callers.NRCB,
        "/loans/L1/repayments",
        **c.body(c.repay(effective_on="2025-02-01", principal_fen=1_000_000), "loan_no"),
    )
    told = proposed(callers, "PC-2", effective_on="2025-07-01", period="2025Q2")
    asked = {"household_no": "H1", "position": told["position"]}
    page = callers.T01.get("/batches/PC-2/slip", **asked).text
    # 22 days of 50 000 and 48 of 40 000 in Q1; 92 days of 40 000 in Q2; each rounded once
    q1 = divide_half_up((5_000_000 * 22 + 4_000_000 * 48) * 310, 360 * 10_000)
    q2 = divide_half_up(4_000_000 * 92 * 310, 360 * 10_000)
    assert f"<strong>{yuan(q1)} 元</strong>" in page
    assert f"<strong>{yuan(q2)} 元</strong>" in page
    assert f"应追回 {yuan(DUE_FEN - q1)} 元，不相抵" in page
    assert f"人民币{in_capitals(q2)}" in page
    assert "张*" in page
    assert "张三" not in page
    assert "全国银行间同业拆借中心" in page
    assert callers.T02.get("/batches/PC-2/slip", **asked).status_code == 404


def test_a_run_whose_two_roads_disagree_by_one_fen_gives_no_answer_and_no_batch(
    callers: Callers, monkeypatch: pytest.MonkeyPatch
) -> None:
    position = proposed(callers, estimate=True)["position"]
    honest = settlement.query_text

    def a_fen_more(package: str, name: str = "query.sql") -> str:
        return honest(package, name).replace("::bigint AS due_fen", "::bigint + 1 AS due_fen")

    monkeypatch.setattr(settlement, "query_text", a_fen_more)
    answer = callers.CENTRE.get("/settlement", period="2025Q1", position=position)
    assert (answer.status_code, answer.json()["code"]) == (500, "roads_disagree")
    assert f"Python {DUE_FEN}, SQL {DUE_FEN + 1}" in answer.json()["details"]["first"]
    assert submit(callers.CENTRE, "/batches", 500, batch_no="PC-9", period="2025Q1")
    monkeypatch.undo()
    proposed(callers, "PC-9")


def test_a_household_registered_after_its_loan_earns_from_the_day_it_is_known(
    callers: Callers,
) -> None:
    late = c.loan(
        ref="LN-9", loan_no="L9", contract_no="C9", household_no="H9", effective_on="2025-01-10",
        contract_on="2025-01-10", due_on="2026-01-10", annual_rate_bp=310,
    )  # fmt: skip
    told = submit(callers.NRCB, "/loans", **c.body(late))
    asked = {"period": "2025Q1", "bank": "NRCB", "position": told["position"]}
    before = callers.CENTRE.get("/settlement", **asked).json()
    assert [line["loan_no"] for line in before["lines"]] == ["L1"]
    home = c.household(household_no="H9", effective_on="2024-06-01")
    told = submit(callers.BUREAU, "/households", **c.body(home))
    after = callers.CENTRE.get("/settlement", **{**asked, "position": told["position"]}).json()
    assert [line["loan_no"] for line in after["lines"]] == ["L1", "L9"]


def test_the_settlement_day_of_a_year_to_come_may_change_and_no_quarter_that_has_begun(
    callers: Callers,
) -> None:
    ruling = {
        "ground": {"document": "结息日调整通知"},
        "rulings": [
            {"rule": "settlement_day", "value": 25},
            {"rule": "settlement_months", "numbers": [2, 5, 8, 11]},
        ],
    }
    for on in ("2025-01-01", "2030-02-01"):
        refusal = submit(callers.CENTRE, "/programme/rulings", 409, **ruling, effective_on=on)
        assert refusal["code"] == "rule_fixed"
    for wrong in ({"value": 29}, {"value": 0}, {"numbers": [1]}):
        told = {**ruling, "rulings": [{"rule": "settlement_day", **wrong}]}
        refusal = submit(
            callers.CENTRE, "/programme/rulings", 409, **told, effective_on="2030-01-01"
        )
        assert refusal["code"] == "rule_malformed"
    told = submit(callers.CENTRE, "/programme/rulings", **ruling, effective_on="2030-01-01")
    assert told["position"]
    refusal = submit(callers.CENTRE, "/batches", 409, batch_no="PC-1", period="2030Q2")
    assert (refusal["code"], refusal["details"]["until"]) == ("period_not_over", "2030-05-26")
    refusal = submit(callers.CENTRE, "/batches", 409, batch_no="PC-1", period="2029Q4")
    assert refusal["details"]["until"] == "2029-12-21"


def test_a_batch_that_waits_for_its_notices_is_a_duty_of_each_township_and_of_the_centre(
    callers: Callers,
) -> None:
    proposed(callers)
    told = submit(callers.BUREAU, "/batches/PC-1/verification")

    def owed(caller: Caller, position: int) -> list[tuple[str, str]]:
        asked = {"duty": "public_notice", "as_of": "2025-04-25", "position": position}
        lines = caller.get("/duties", **asked).json()["lines"]
        return [(line["township"], line["state"]) for line in lines]

    waiting = [("", "pending"), ("T01", "pending"), ("T02", "pending")]
    assert owed(callers.CENTRE, told["position"]) == waiting
    window = {**WINDOW, "ground": PHOTO, "place": "公示栏"}
    submit(callers.T01, "/batches/PC-1/notices", level="village", **window)
    told = submit(callers.T01, "/batches/PC-1/notices", level="township", **window)
    assert owed(callers.T01, told["position"]) == [("T01", "done")]
    assert owed(callers.T02, told["position"]) == [("T02", "pending")]
    assert owed(callers.NRCB, told["position"]) == []


def test_the_red_flags_of_the_county_leave_as_json_csv_and_xlsx(callers: Callers) -> None:
    pocket = c.loan(
        ref="LN-P", loan_no="LP", contract_no="CP", household_no="H1", effective_on="2025-01-11",
        contract_on="2025-01-11", due_on="2026-01-11", annual_rate_bp=310, credited_fen=4_900_000,
    )  # fmt: skip
    position = submit(callers.NRCB, "/loans", **c.body(pocket))["position"]
    answer = callers.AUDIT.get("/red-flags", position=position).json()
    found = {each["rule"]: each for each in answer["rules"]}
    assert {found[rule]["status"] for rule in ("RF06", "RF19")} == {"found"}
    [finding] = found["RF19"]["findings"]
    assert (finding["subject"], finding["amount_fen"]) == ("NRCB/LP", 100_000)
    assert abs(finding["positions"][0] - position) <= 1, "the disbursement itself"
    assert found["RF11"]["status"] == "clean"
    for accept in ("text/csv", "application/xlsx"):
        assert callers.AUDIT.get("/red-flags", accept=accept).status_code == 200
    assert callers.AUDIT.get("/red-flags", rule="RF99").status_code == 404
    assert callers.NRCB.get("/red-flags").status_code == 403


def test_an_objection_to_the_whole_batch_is_upheld_by_returning_it(callers: Callers) -> None:
    proposed(callers)
    noticed(callers)
    submit(callers.AUDIT, "/batches/PC-1/objections", ref="YY-9", reason="公示张贴不实")
    answer = {"objection_no": "YY-9", "upheld": True, "reason": "核查属实"}
    refusal = submit(callers.CENTRE, "/batches/PC-1/resolutions", 409, **answer)
    assert refusal["code"] == "whole_batch_upheld"
    late = {"effective_on": "2025-05-01"}
    submit(callers.CENTRE, "/batches/PC-1/return", reason="公示张贴不实，退回", **late)
    assert submit(callers.FINANCE, "/batches/PC-1/approval", 409, **late)["code"] == "wrong_stage"
    assert batch(callers)["stage"] == "returned"
    proposed(callers, "PC-2")


def test_the_check_of_a_plan_knows_what_was_told_of_it(callers: Callers) -> None:
    plan = {
        "plan_no": "FA-2025",
        "title": "2025年方案",
        "ground": {"document": "邓金扶〔2025〕1号"},
        "rulings": [
            {"rule": "target_disbursed_fen", "value": 6_000_000},
            {"rule": "target_households", "value": 1},
        ],
    }
    drawn = callers.client.get("/healthz").json()["log_position"]
    before = callers.AUDIT.get("/reports/plan-check", year=2025, position=drawn).json()
    assert before["plan_known"] is False
    told = submit(callers.CENTRE, "/programme/plans", effective_on="2025-01-01", **plan)
    found = callers.AUDIT.get("/reports/plan-check", year=2025, position=told["position"]).json()
    assert found["plan_known"] is True
    assert "average_over_cap" in {each["code"] for each in found["contradictions"]}
    asked = {"year": 2025, "known_at": _just_before(callers)}
    assert callers.AUDIT.get("/reports/plan-check", **asked).json()["plan_known"] is False


# ---- no date opens a gate ---------------------------------------------------------------


def today() -> date:
    return civil_day(datetime.now(UTC))


def post_notices(callers: Callers, **told: Any) -> list[Any]:
    """Every level's notice of PC-1, whatever the answer."""
    body = {"place": "公示栏", **WINDOW, **told}
    wanted = [(t, level) for t in (callers.T01, callers.T02) for level in ("village", "township")]
    return [
        caller.post(
            "/batches/PC-1/notices", {"ref": f"R{next(refs)}", **body, "level": level}
        ).json()
        for caller, level in (*wanted, (callers.CENTRE, "county"))
    ]


def test_a_notice_of_another_year_makes_no_batch_of_today_payable(callers: Callers) -> None:
    proposed(callers, effective_on=str(today()))
    submit(callers.BUREAU, "/batches/PC-1/verification", effective_on=str(today()))
    old = {"effective_on": "2020-01-04", "until_on": "2020-01-13"}
    for ground in ({}, {"ground": PHOTO}):
        refused = post_notices(callers, **old, **ground)
        assert {each["code"] for each in refused} == {"step_before"}
        assert refused[0]["details"]["last_on"] == str(today())
    refusal = submit(callers.FINANCE, "/batches/PC-1/approval", 409, effective_on=str(today()))
    assert refusal["code"] == "notice_missing"


def test_a_notice_reported_late_without_a_document_counts_from_the_day_it_was_recorded(
    callers: Callers,
) -> None:
    proposed(callers)
    submit(callers.BUREAU, "/batches/PC-1/verification")
    assert all("position" in each for each in post_notices(callers))
    for on in ("2025-05-01", str(today())):
        refusal = submit(callers.FINANCE, "/batches/PC-1/approval", 409, effective_on=on)
        assert refusal["code"] == "notice_missing"
        assert f"village T01 (reported on {today()} without a document" in refusal["title_en"]
        assert f"{today()} 报送，无依据文件" in refusal["title_zh"]
    asked = {"duty": "public_notice", "as_of": str(today())}
    position = callers.client.get("/healthz").json()["log_position"]
    duties = callers.T01.get("/duties", **asked, position=position).json()["lines"]
    assert [line["state"] for line in duties] == ["pending"]
    assert batch(callers)["late_notices"] == 0
    last = post_notices(callers, ground=PHOTO)[-1]
    duties = callers.T01.get("/duties", **asked, position=last["position"]).json()["lines"]
    assert [line["state"] for line in duties] == ["done"]
    submit(callers.FINANCE, "/batches/PC-1/approval", effective_on="2025-05-01")


def test_a_batch_says_on_every_page_which_notices_were_reported_late_on_a_document(
    callers: Callers,
) -> None:
    paid_in_full(callers)
    position = callers.client.get("/healthz").json()["log_position"]
    asked: dict[str, Any] = {"position": position}
    found = callers.AUDIT.get("/batches/PC-1", **asked).json()
    assert found["batch"]["late_notices"] == 5
    steps = [step for step in found["steps"] if step["step"] == "noticed"]
    assert {(step["reported_late"], step["document"]) for step in steps} == {
        (True, PHOTO["document"])
    }
    late = found["late_notices"]
    assert late[0] == {
        "level": "village",
        "township": "T01",
        "posted_on": "2025-04-21",
        "until_on": "2025-04-30",
        "recorded_on": str(today()),
        "document": PHOTO["document"],
    }
    for path in ("lines", "notice", "payment-order"):
        assert callers.AUDIT.get(f"/batches/PC-1/{path}", **asked).json()["late_notices"] == late
    assert callers.AUDIT.get("/subsidy-payments/PC-1-1/trace").json()["late_notices"] == late
    for path, more in (
        ("/batches/PC-1/notice", {}),
        ("/batches/PC-1/slip", {"household_no": "H1"}),
        ("/subsidy-payments/PC-1-1/slip", {}),
    ):
        page = callers.AUDIT.get(path, accept="text/html", **more).text
        assert "公示迟报" in page
        assert PHOTO["document"] in page
    [rule] = callers.AUDIT.get("/red-flags", rule="RF23", **asked).json()["rules"]
    amounts = {each["subject"]: each["amount_fen"] for each in rule["findings"]}
    assert amounts["T01/t01-1 PC-1 batch.notice-posted.v1 2025-04-21"] == DUE_FEN
    assert amounts["CENTRE/centre-1 PC-1 batch.notice-posted.v1 2025-04-21"] == 2 * DUE_FEN


def _waits(callers: Callers, on: str) -> str:
    refusal = submit(callers.FINANCE, "/batches/PC-1/approval", 409, effective_on=on)
    assert refusal["code"] == "notice_missing"
    return str(refusal["title_en"])


def _posted_again(callers: Callers, on: str, until_on: str, **told: Any) -> Any:
    """A second notice of the county, after one from 04-21 to 04-30 at every level."""
    window = {"effective_on": on, "until_on": until_on, "place": "网站"}
    return submit(callers.CENTRE, "/batches/PC-1/notices", level="county", **window, **told)


def test_a_second_notice_that_runs_longer_is_waited_for_and_both_are_shown(
    callers: Callers,
) -> None:
    proposed(callers)
    noticed(callers)
    said = _posted_again(callers, "2025-04-25", "2025-05-09", ground=PHOTO)
    [warned] = said["warnings"]
    assert (warned["code"], warned["field"]) == ("notice_posted_before", "level")
    assert "2025-04-21 至 2025-04-30" in warned["zh"]
    assert "county (stands to 2025-05-09)" in _waits(callers, "2025-05-09")
    asked = {"position": said["position"]}
    found = callers.AUDIT.get("/batches/PC-1", **asked).json()
    county = [each for each in found["steps"] if each["level"] == "county"]
    assert [(each["effective_on"], each["until_on"]) for each in county] == [
        ("2025-04-21", "2025-04-30"),
        ("2025-04-25", "2025-05-09"),
    ]
    assert [each["until_on"] for each in found["late_notices"] if each["level"] == "county"] == [
        "2025-04-30",
        "2025-05-09",
    ]
    page = callers.AUDIT.get("/batches/PC-1/notice", accept="text/html").text
    assert "2025-04-30" in page
    assert "2025-05-09" in page
    assert found["batch"]["noticed_until_on"] == "2025-05-09"
    submit(callers.FINANCE, "/batches/PC-1/approval", effective_on="2025-05-10")


def test_a_second_notice_does_not_shorten_the_first(callers: Callers) -> None:
    proposed(callers)
    submit(callers.BUREAU, "/batches/PC-1/verification")
    assert all(
        "position" in each for each in post_notices(callers, until_on="2025-05-20", ground=PHOTO)
    )
    _posted_again(callers, "2025-04-22", "2025-05-01", ground=PHOTO)
    assert "county (stands to 2025-05-20)" in _waits(callers, "2025-05-20")
    submit(callers.FINANCE, "/batches/PC-1/approval", effective_on="2025-05-21")


def test_a_second_notice_whose_days_do_not_count_does_not_undo_the_first(
    callers: Callers,
) -> None:
    proposed(callers)
    noticed(callers)
    said = _posted_again(callers, "2025-04-21", "2025-04-30")  # years late, without a document
    asked = {"duty": "public_notice", "as_of": "2025-05-01", "position": said["position"]}
    duties = callers.CENTRE.get("/duties", **asked).json()["lines"]
    assert {line["state"] for line in duties} == {"done"}
    position = submit(callers.FINANCE, "/batches/PC-1/approval", effective_on="2025-05-01")[
        "position"
    ]
    [rule] = callers.AUDIT.get("/red-flags", rule="RF23", position=position).json()["rules"]
    [county] = [each for each in rule["findings"] if each["subject"].startswith("CENTRE/")]
    assert len(county["positions"]) + len(county["context"]) == 1, "the first, by its document"


def test_a_second_notice_cannot_make_up_the_days_that_the_first_lacks(callers: Callers) -> None:
    proposed(callers)
    submit(callers.BUREAU, "/batches/PC-1/verification")
    post_notices(callers)
    post_notices(callers, effective_on="2025-05-01", until_on="2025-05-10")
    assert "county (reported on" in _waits(callers, str(today()))


def test_no_step_of_a_batch_is_dated_before_the_one_it_follows(callers: Callers) -> None:
    def too_early(caller: Caller, path: str, on: str, last_on: str, **told: Any) -> None:
        refusal = submit(caller, f"/batches/PC-1/{path}", 409, effective_on=on, **told)
        assert refusal["code"] == "step_before", refusal
        assert refusal["details"]["last_on"] == last_on
        assert refusal["errors"][0]["pointer"] == "/effective_on"

    proposed(callers)
    too_early(callers.BUREAU, "verification", "2025-04-19", "2025-04-20")
    submit(callers.BUREAU, "/batches/PC-1/verification", effective_on="2025-04-21")
    window = {"level": "county", "place": "网站", "until_on": "2025-04-30", "ground": PHOTO}
    too_early(callers.CENTRE, "notices", "2025-04-20", "2025-04-21", **window)
    too_early(callers.T01, "objections", "2025-04-20", "2025-04-21", reason="该户未实际用款")
    post_notices(callers, ground=PHOTO)
    submit(callers.T02, "/batches/PC-1/objections", ref="YY-1", effective_on="2025-04-25", line=2,
         reason="该户未实际用款")  # fmt: skip
    answer = {"objection_no": "YY-1", "upheld": False, "reason": "核查不属实"}
    too_early(callers.CENTRE, "resolutions", "2025-04-24", "2025-04-25", **answer)
    submit(callers.CENTRE, "/batches/PC-1/resolutions", effective_on="2025-05-03", **answer)
    too_early(callers.FINANCE, "approval", "2025-05-02", "2025-05-03")
    too_early(callers.CENTRE, "return", "2025-05-02", "2025-05-03", reason="附件不全")
    submit(callers.FINANCE, "/batches/PC-1/approval", effective_on="2025-05-03")
    too_early(callers.FINANCE2, "orders", "2025-05-02", "2025-05-03", bank="NRCB")
    submit(callers.FINANCE2, "/batches/PC-1/orders", effective_on="2025-05-04", bank="NRCB")
    result = {"results": [{"line": 1, "paid": True, "voucher": "N-1"}]}
    too_early(callers.NRCB, "results", "2025-05-03", "2025-05-04", **result)
    submit(callers.NRCB, "/batches/PC-1/results", effective_on="2025-05-04", **result)


def test_a_batch_is_not_approved_on_a_day_before_its_money_was_allocated(
    callers: Callers,
) -> None:
    proposed(callers)
    noticed(callers)
    late = {**_replaced(BUDGET_FEN), "effective_on": "2025-05-02"}
    correction = {"reason": "日期录错", "replacement": late, "effective_on": "2025-05-03"}
    told = submit(callers.FINANCE, f"/events/{_allocation(callers)}/corrections", **correction)
    refusal = submit(callers.FINANCE, "/batches/PC-1/approval", 409, effective_on="2025-05-01")
    assert refusal["code"] == "fund_exhausted"
    assert (refusal["details"]["free_fen"], refusal["details"]["on"]) == (0, "2025-05-01")
    submit(callers.FINANCE, "/batches/PC-1/approval", effective_on="2025-05-02")
    later = {"reason": "日期录错", "replacement": {**late, "effective_on": "2025-05-03"}}
    refusal = submit(
        callers.FINANCE, f"/events/{told['event_ids'][1]}/corrections", 409, **later,
        effective_on="2025-05-03",
    )  # fmt: skip
    assert refusal["code"] == "fund_exhausted"
    assert refusal["details"]["on"] == "2025-05-02"


def test_a_correction_is_not_dated_before_what_it_reverses_nor_leads_to_a_day_to_come(
    callers: Callers,
) -> None:
    path = f"/events/{Fund.id_for(2025)}.1/corrections"
    early = {"reason": "金额录错", "effective_on": "2025-01-14"}
    assert submit(callers.FINANCE, path, 409, **early)["code"] == "step_before"
    ahead = {**_replaced(BUDGET_FEN), "effective_on": "2999-01-01"}
    refusal = submit(callers.FINANCE, path, 409, reason="金额录错", replacement=ahead)
    assert refusal["code"] == "dated_in_future"
    assert refusal["errors"][0]["pointer"] == "/replacement/effective_on"
    ruling = {
        "effective_on": "2999-01-01",
        "ground": {"document": "某文"},
        "rulings": [{"rule": "notice_days", "value": 15}],
    }
    told = submit(callers.CENTRE, "/programme/rulings", **ruling)
    rules_later = f"/events/{told['event_ids'][0]}/corrections"
    submit(callers.CENTRE, rules_later, reason="误报", effective_on=str(today()))
