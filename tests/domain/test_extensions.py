"""Extensions in whatever order they are reported: their own days say which is in force."""

from __future__ import annotations

from datetime import date
from itertools import permutations
from typing import Any

import pytest

from domain.kernel import Author, CommandContext, Refused
from domain.loan import Instalment, Loan

BANK = Author("bank", "NRCB", "wang")


def context(on: str) -> CommandContext:
    return CommandContext(by=BANK, effective_on=date.fromisoformat(on))


def disbursed(loan: Loan, on: str = "2023-03-10", due_on: str = "2024-03-10") -> None:
    loan.disburse(
        context(on), bank="NRCB", loan_no="L1", contract_no="C1",
        contract_on=date.fromisoformat(on), household_id=loan.id, household_no="H1", borrower="b",
        borrower_age_years=40, principal_fen=5_000_000, credited_fen=5_000_000,
        annual_rate_bp=365, due_on=date.fromisoformat(due_on), purpose="养牛", payee="p",
        renews_loan_no=None, personal={},
    )  # fmt: skip


def a_loan() -> Loan:
    loan = Loan(Loan.id_for("NRCB", "L1"))
    disbursed(loan)
    return loan


def extend(loan: Loan, on: str, new_due_on: str, agreed_on: str | None = None) -> None:
    loan.extend(
        context(on),
        agreed_on=date.fromisoformat(agreed_on or on),
        new_due_on=date.fromisoformat(new_due_on),
    )


EXTENSIONS = [
    ("2024-02-20", "2024-09-10"),
    ("2024-09-01", "2025-03-10"),
    ("2025-03-01", "2025-09-10"),
]


@pytest.mark.parametrize("order", list(permutations(EXTENSIONS)))
def test_the_due_day_of_any_day_is_the_same_in_whatever_order_extensions_are_reported(
    order: Any,
) -> None:
    loan = a_loan()
    for on, new_due_on in order:
        extend(loan, on, new_due_on)
    for day, due_on in (
        ("2024-02-19", "2024-03-10"),
        ("2024-02-20", "2024-09-10"),
        ("2024-08-31", "2024-09-10"),
        ("2024-09-01", "2025-03-10"),
        ("2025-02-28", "2025-03-10"),
        ("2026-01-01", "2025-09-10"),
    ):
        assert loan.due_on_at(date.fromisoformat(day)) == date.fromisoformat(due_on), day


def test_the_first_of_two_extensions_can_be_corrected() -> None:
    loan = a_loan()
    extend(loan, "2024-02-20", "2024-09-10")
    extend(loan, "2024-09-01", "2025-03-10")
    loan.correct(context("2024-10-01"), version=2, topic=Loan.Extended.TOPIC, reason="录错")
    extend(loan, "2024-02-20", "2024-08-10")
    assert loan.due_on_at(date(2024, 3, 1)) == date(2024, 8, 10)
    assert loan.due_on_at(date(2024, 10, 1)) == date(2025, 3, 10)


@pytest.mark.parametrize(
    ("on", "agreed_on", "new_due_on", "code", "field"),
    [
        ("2024-02-20", "2023-03-09", "2024-09-10", "before_disbursement", "agreed_on"),
        ("2024-02-20", "2024-02-21", "2024-09-10", "step_before", "effective_on"),
        ("2024-02-20", "2024-02-20", "2024-03-10", "due_day_not_later", "new_due_on"),
    ],
)
def test_an_extension_that_contradicts_itself_is_refused(
    on: str, agreed_on: str, new_due_on: str, code: str, field: str
) -> None:
    with pytest.raises(Refused) as refusal:
        extend(a_loan(), on, new_due_on, agreed_on)
    assert (refusal.value.CODE, refusal.value.field) == (code, field)


def test_an_extension_on_the_edge_of_what_can_be_is_recorded() -> None:
    extend(a_loan(), "2023-03-10", "2024-03-11")


def test_a_correction_does_not_move_the_loan_behind_its_extension() -> None:
    for on, due_on, code in (
        ("2024-02-21", "2024-03-10", "before_disbursement"),
        ("2023-03-10", "2024-09-10", "due_day_not_later"),
    ):
        loan = a_loan()
        extend(loan, "2024-02-20", "2024-09-10")
        loan.correct(context("2024-10-01"), version=1, topic=Loan.Disbursed.TOPIC, reason="录错")
        with pytest.raises(Refused) as refusal:
            disbursed(loan, on, due_on)
        assert code == refusal.value.CODE


def test_an_instalment_is_not_due_before_the_loan_was_disbursed() -> None:
    loan = a_loan()
    with pytest.raises(Refused) as refusal:
        loan.agree_repayment_plan(
            context("2024-03-20"),
            instalments=(
                Instalment(date(2023, 3, 10), 1),
                Instalment(date(2023, 3, 9), 1),
            ),
        )
    assert (refusal.value.CODE, refusal.value.field) == (
        "before_disbursement",
        "instalments/1/due_on",
    )


def test_a_loan_does_not_continue_one_that_was_disbursed_after_it() -> None:
    with pytest.raises(Refused) as refusal:
        a_loan().renew(context("2023-03-09"), by_loan_no="L2")
    assert refusal.value.CODE == "before_disbursement"
