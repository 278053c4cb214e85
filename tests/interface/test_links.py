"""Ratings, risks, guarantees, the risk fund and benefit links: told, judged, listed, in scope."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support import controls as c
from support.service import Caller, Callers, service


@pytest.fixture(scope="module")
def callers(shared_database: Any) -> Iterator[Callers]:
    """A household of T01 with a loan of 50 000, due 2024-03-10, of which 20 000 came back."""
    with service(shared_database) as callers:
        submit(callers.BUREAU, "/households", c.household())
        submit(callers.NRCB, "/loans", c.loan())
        submit(callers.NRCB, "/loans/L1/repayments", c.repay(), "loan_no")
        yield callers


def submit(caller: Caller, path: str, command: Any, *named: str, status: int = 201) -> Any:
    answer = caller.post(path, c.body(command, *named) | {"ref": command.ref})
    assert answer.status_code == status, answer.text
    return answer.json()


def lines(callers: Callers, caller: Caller, path: str, **query: Any) -> list[dict[str, Any]]:
    position = callers.client.get("/healthz").json()["log_position"]
    answer = caller.get(path, position=position, **query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["lines"]
    return found


def test_the_latest_rating_of_each_rater_and_its_age(callers: Callers) -> None:
    path = "/households/H1/ratings"
    submit(callers.NRCB, path, c.rating(), "household_no")
    submit(callers.T01, path, c.rating(grade="B", effective_on="2023-01-01"), "household_no")
    later = c.rating(ref="PJ-2", grade="A", score=None, effective_on="2023-06-20")
    told = submit(callers.NRCB, path, later, "household_no")
    submit(callers.T02, path, c.rating(ref="PJ-9"), "household_no", status=404)

    found = lines(callers, callers.AUDIT, "/ratings", as_of="2023-06-30")
    assert [(x["rater"], x["grade"], x["age_days"]) for x in found] == [
        ("NRCB", "A", 10),
        ("T01", "B", 180),
    ]
    assert [x["rater"] for x in lines(callers, callers.NRCB, "/ratings")] == ["NRCB"]
    event = told["event_ids"][0]
    submit(callers.NRCB, f"/events/{event}/corrections", c.correct(event), "event_id")
    found = lines(callers, callers.AUDIT, "/ratings", as_of="2023-06-30")
    assert found[0]["grade"] == "AA"


def test_a_risk_is_told_by_anybody_and_noted_by_somebody_else(callers: Callers) -> None:
    submit(callers.T01, "/risks", c.risk())
    submit(callers.T01, "/risks", c.risk(ref="FX-2"), status=409)
    refusal = submit(callers.T01, "/risks/FX-1/notes", c.risk_note(), "risk_no", status=409)
    assert refusal["code"] == "own_risk"
    [waiting] = lines(callers, callers.AUDIT, "/risks", as_of="2023-07-04")
    assert (waiting["noted_on"], waiting["waited_days"]) == (None, 3)
    early = c.risk_note(ref="FXJ-0", effective_on="2023-06-30")
    refusal = submit(callers.NRCB, "/risks/FX-1/notes", early, "risk_no", status=409)
    assert refusal["code"] == "step_before"
    submit(callers.NRCB, "/risks/FX-1/notes", c.risk_note(), "risk_no")
    [found] = lines(callers, callers.AUDIT, "/risks")
    assert (found["organisation"], found["noted_by"], found["waited_days"]) == ("T01", "NRCB", 4)
    assert lines(callers, callers.NRCB, "/risks") == [found], "it concerns the bank's loan"
    assert lines(callers, callers.PSBC, "/risks") == []
    assert lines(callers, callers.T02, "/risks") == []
    nowhere = c.risk_note(ref="FXJ-9")
    submit(callers.NRCB, "/risks/NONE/notes", nowhere, "risk_no", status=404)


def test_a_guarantee_with_a_fee_is_recorded_and_shows(callers: Callers) -> None:
    submit(callers.DB, "/loans/L1/guarantees", c.guarantee(fee_fen=50_000), "loan_no")
    [found] = lines(callers, callers.DB, "/guarantees")
    assert (found["loan_no"], found["fee_fen"]) == ("L1", 50_000)
    assert lines(callers, callers.NRCB, "/guarantees") == [found]
    assert lines(callers, callers.PSBC, "/guarantees") == []


def test_the_risk_fund_bears_its_share_of_an_overdue_loan_and_no_more(callers: Callers) -> None:
    def compensate(status: int = 201, **other: Any) -> Any:
        told = c.compensation(loan_no="L1", effective_on="2024-06-01", **other)
        return submit(callers.FINANCE, "/loans/L1/compensations", told, "loan_no", status=status)

    assert compensate(409, ref="D0", loss_fen=3_000_000)["code"] == "risk_fund_exhausted"
    late = c.risk_fund_payment(amount_fen=2_100_000, effective_on="2024-06-01")
    submit(callers.FINANCE, "/funds/risk", late)
    unfilled = c.compensation(ref="D9", loan_no="L1", effective_on="2024-05-31", loss_fen=3_000_000)
    refusal = submit(callers.FINANCE, "/loans/L1/compensations", unfilled, "loan_no", status=409)
    assert refusal["code"] == "risk_fund_exhausted"
    assert (refusal["details"]["balance_fen"], refusal["details"]["on"]) == (0, "2024-05-31")
    early = c.compensation(ref="D1", loan_no="L1", effective_on="2024-03-09")
    refusal = submit(callers.FINANCE, "/loans/L1/compensations", early, "loan_no", status=409)
    assert refusal["code"] == "not_overdue"
    assert compensate(409, ref="D2", loss_fen=3_000_001)["code"] == "compensated_too_much"
    compensate(ref="D3", loss_fen=3_000_000)
    assert compensate(409, ref="D4", loss_fen=1)["code"] == "compensated_too_much"
    back = c.compensation_recovery(loan_no="L1", effective_on="2024-07-01", amount_fen=2_100_001)
    path = "/loans/L1/compensation-recoveries"
    refusal = submit(callers.FINANCE, path, back, "loan_no", status=409)
    assert refusal["code"] == "compensation_recovered_too_much"
    early = c.compensation_recovery(ref="ZC-0", loan_no="L1", effective_on="2024-05-31")
    refusal = submit(callers.FINANCE, path, early, "loan_no", status=409)
    assert refusal["code"] == "step_before"
    submit(callers.FINANCE, path, back.model_copy(update={"amount_fen": 600_000}), "loan_no")

    [found] = lines(callers, callers.AUDIT, "/ledgers/risk-fund")
    assert found == {
        "paid_in_fen": 2_100_000,
        "compensated_fen": 2_100_000,
        "recovered_fen": 600_000,
        "balance_fen": 600_000,
        "outstanding_fen": 3_000_000,
        "ratio_bp": 50_000,
    }
    [before] = lines(callers, callers.AUDIT, "/ledgers/risk-fund", as_of="2024-05-31")
    assert before["balance_fen"] == 0


def test_what_an_agreement_owes_each_household_and_what_is_short(callers: Callers) -> None:
    submit(callers.T01, "/benefits", c.agreement())
    paid = c.benefit_payment()
    submit(callers.T01, "/benefits/LJ-1/payments", paid, "agreement_no")
    submit(callers.T02, "/benefits/LJ-1/payments", paid, "agreement_no", status=404)
    other = c.benefit_payment(ref="FH-2", household_no="H9")
    refusal = submit(callers.T01, "/benefits/LJ-1/payments", other, "agreement_no", status=409)
    assert refusal["code"] == "not_of_agreement"
    early = c.benefit_payment(ref="FH-0", effective_on="2023-03-31")
    refusal = submit(callers.T01, "/benefits/LJ-1/payments", early, "agreement_no", status=409)
    assert refusal["code"] == "step_before"
    stranger = c.agreement(ref="LJ-2", agreement_no="LJ-2", households=["H1", "H9"])
    assert submit(callers.T01, "/benefits", stranger, status=404)["code"] == "household_unknown"

    [found] = lines(callers, callers.AUDIT, "/benefits", as_of="2024-02-01")
    assert (found["due_fen"], found["paid_fen"], found["short_fen"]) == (100_000, 80_000, 20_000)
    assert found["next_due_on"] == "2024-12-31"
    owed = lines(callers, callers.T01, "/duties", duty="benefit", as_of="2024-02-01")
    assert [(x["state"], x["due_on"], x["remark"]) for x in owed] == [
        ("not_done", "2023-12-31", "欠 200.00 元 200.00 yuan short"),
    ]
    late = c.benefit_payment(ref="FH-3", effective_on="2024-02-10", amount_fen=20_000)
    submit(callers.T01, "/benefits/LJ-1/payments", late, "agreement_no")
    owed = lines(callers, callers.T01, "/duties", duty="benefit", as_of="2024-12-01")
    assert [(x["state"], x["due_on"], x["done_on"]) for x in owed] == [
        ("late", "2023-12-31", "2024-02-10"),
        ("pending", "2024-12-31", None),
    ]
    assert lines(callers, callers.T02, "/duties", duty="benefit", as_of="2024-12-01") == []
    assert lines(callers, callers.NRCB, "/duties", duty="benefit", as_of="2024-12-01") == []
