"""A loan: what is reported of it is recorded; what contradicts itself is refused by name."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st
from support import controls
from support.in_memory import InMemoryLedger, given, recorded, refused, reverse, state_of

from application.command import Command
from application.ledger import Submission
from domain.kernel import NotCorrectable, Refused
from domain.loan import (
    BeforeDisbursement,
    CompensatedTooMuch,
    CompensationRecoveredTooMuch,
    ContractAfterDisbursement,
    DueBeforeDisbursement,
    DueDayNotLater,
    Loan,
    LoanAlreadyDisbursed,
    LoanStillHasEvents,
    LoanUnknown,
    MisuseBeganElsewhen,
    MisuseNotFound,
    NothingRepaid,
    NotOverdue,
    PaidByBatchOnly,
    PaymentUnknown,
    QuarterNotClosed,
    RecoveredTooMuch,
    RenewsItself,
    RepaidTooMuch,
    SubsidyExceedsDue,
)
from domain.steps import StepBefore

LENT_ON = date(2023, 3, 10)


def lent(*more: Command, **other: Any) -> InMemoryLedger:
    """A household of T01 with loan L1, and what was reported since."""
    return given(controls.household(), controls.loan(**other), *more)


def l1(ledger: InMemoryLedger) -> Loan:
    return ledger.loan("NRCB", "L1")


# ---- disbursement ---------------------------------------------------------------------


def test_a_loan_note_is_disbursed_once() -> None:
    refusal = refused(lent(), controls.loan(ref="LN-2"))

    assert isinstance(refusal, LoanAlreadyDisbursed)
    assert refusal.details == {"loan_no": "L1"}


def test_two_banks_may_use_one_number() -> None:
    recorded(lent(), Submission(controls.loan(), controls.OTHER_BANK))


def test_a_loan_is_due_at_least_one_day_after_its_disbursement() -> None:
    ledger = given()

    assert isinstance(refused(ledger, controls.loan(due_on=LENT_ON)), DueBeforeDisbursement)
    recorded(ledger, controls.loan(due_on=LENT_ON + timedelta(days=1)))


def test_a_contract_is_signed_on_the_day_of_disbursement_or_before() -> None:
    ledger = given()

    late = controls.loan(contract_on=LENT_ON + timedelta(days=1))
    assert isinstance(refused(ledger, late), ContractAfterDisbursement)
    recorded(ledger, controls.loan(contract_on=LENT_ON))


def test_a_loan_above_the_cap_is_a_fact_and_recorded() -> None:
    ledger = given(controls.loan(principal_fen=6_000_000))

    assert l1(ledger).outstanding_fen == 6_000_000


def test_a_loan_renews_another_loan_that_there_is() -> None:
    ledger = lent()
    renewal = {"ref": "LN-2", "loan_no": "L2"}

    itself = controls.loan(**renewal, renews_loan_no="L2")
    assert isinstance(refused(ledger, itself), RenewsItself)
    nothing = controls.loan(**renewal, renews_loan_no="L9")
    assert isinstance(refused(ledger, nothing), LoanUnknown)
    recorded(ledger, controls.loan(**renewal, renews_loan_no="L1"))

    assert list(l1(ledger).renewed.values()) == ["L2"]


def test_the_disbursement_of_a_renewal_that_is_reversed_renews_nothing() -> None:
    ledger = lent(controls.loan(ref="LN-2", loan_no="L2", renews_loan_no="L1"))

    recorded(ledger, reverse(ledger, ledger.all_of(Loan.Disbursed)[1]))

    assert l1(ledger).renewed == {}
    assert set(ledger.household("H1").borrowed.values()) == {l1(ledger).id}


# ---- repayment ------------------------------------------------------------------------


def test_a_repayment_above_the_outstanding_principal_is_refused() -> None:
    ledger = lent(controls.repay(principal_fen=4_000_000))

    refusal = refused(ledger, controls.repay(ref="RP-2", principal_fen=1_000_001))

    assert isinstance(refusal, RepaidTooMuch)
    assert refusal.details == {"principal_fen": 1_000_001, "owed_fen": 1_000_000}


def test_the_repayment_of_the_last_fen_settles_the_loan_on_its_day() -> None:
    ledger = lent(controls.repay(principal_fen=4_999_999))
    assert l1(ledger).settled is None

    last = controls.repay(ref="RP-2", effective_on="2023-08-02", principal_fen=1)
    kinds = [type(event) for event in recorded(ledger, last)]

    assert kinds == [Loan.Repaid, Loan.Settled]
    assert l1(ledger).terms(eligible=True).settled_on == date(2023, 8, 2)


def test_a_repayment_of_nothing_is_refused_and_of_one_fen_of_penalty_recorded() -> None:
    ledger = lent()

    nothing = controls.repay(principal_fen=0, interest_fen=0)
    assert isinstance(refused(ledger, nothing), NothingRepaid)
    recorded(ledger, controls.repay(principal_fen=0, interest_fen=0, penalty_fen=1))


@pytest.mark.parametrize(
    "said",
    [
        controls.repay(), controls.outflow(), controls.remind(), controls.check(),
        controls.guarantee(), controls.plan(),
        controls.extend(agreed_on="2023-03-10"),
    ],
    ids=lambda said: said.TYPE,
)  # fmt: skip
def test_nothing_is_reported_of_a_loan_for_a_day_before_it_was_disbursed(said: Command) -> None:
    ledger = lent()
    the_day_before = said.model_copy(update={"effective_on": LENT_ON - timedelta(days=1)})
    the_day = said.model_copy(update={"effective_on": LENT_ON})

    refusal = refused(ledger, the_day_before)

    assert isinstance(refusal, BeforeDisbursement)
    assert refusal.field == "effective_on"
    recorded(ledger, the_day)


def test_nothing_is_reported_of_a_loan_that_was_not_disbursed() -> None:
    for said in (controls.repay(), controls.extend(), controls.guarantee(), controls.check()):
        assert isinstance(refused(given(controls.household()), said), LoanUnknown)


def test_an_instalment_of_a_plan_falls_due_on_no_day_before_the_disbursement() -> None:
    days = [{"due_on": "2024-06-30", "amount_fen": 1}, {"due_on": "2023-03-09", "amount_fen": 1}]

    refusal = refused(lent(), controls.plan(instalments=days))

    assert isinstance(refusal, BeforeDisbursement)
    assert refusal.field == "instalments/1/due_on"


# ---- extension and use ----------------------------------------------------------------


def test_an_extension_ends_after_the_due_day_of_the_contract() -> None:
    ledger = lent()

    assert isinstance(refused(ledger, controls.extend(new_due_on="2024-03-10")), DueDayNotLater)
    recorded(ledger, controls.extend(new_due_on="2024-03-11"))

    assert l1(ledger).due_on_at(date(2024, 2, 19)) == date(2024, 3, 10)
    assert l1(ledger).due_on_at(date(2024, 2, 20)) == date(2024, 3, 11)


def test_an_extension_takes_effect_on_the_day_of_its_agreement_or_later() -> None:
    ledger = lent()

    early = controls.extend(agreed_on="2024-02-21")
    assert isinstance(refused(ledger, early), StepBefore)
    recorded(ledger, controls.extend(agreed_on="2024-02-20"))


def test_only_a_check_that_found_misuse_says_since_when() -> None:
    refusal = refused(lent(), controls.check(began_on="2023-05-01"))

    assert isinstance(refusal, MisuseNotFound)


@pytest.mark.parametrize(
    ("began_on", "possible"),
    [("2023-03-09", False), ("2023-03-10", True), ("2023-06-08", True), ("2023-06-09", False)],
)
def test_misuse_begins_between_disbursement_and_check(began_on: str, possible: bool) -> None:
    ledger, said = lent(), controls.check(finding="diverted", began_on=began_on)

    if possible:
        recorded(ledger, said)
        assert l1(ledger).terms(eligible=True).misuse_on == date.fromisoformat(began_on)
    else:
        assert isinstance(refused(ledger, said), MisuseBeganElsewhen)


# ---- subsidy --------------------------------------------------------------------------


def due_fen(ledger: InMemoryLedger, **other: Any) -> object:
    """What a loan is due for a quarter, as the refusal of far too much says."""
    refusal = refused(ledger, controls.pay(**{"ref": "MORE", "amount_fen": 10**9, **other}))
    assert isinstance(refusal, SubsidyExceedsDue)
    return refusal.details["due_fen"]


def test_no_fen_more_than_is_due_is_paid() -> None:
    ledger = lent()

    refusal = refused(ledger, controls.pay(amount_fen=46_640, ref="MORE"))
    assert isinstance(refusal, SubsidyExceedsDue)
    assert refusal.details["left_fen"] == 46_639
    recorded(ledger, controls.pay(amount_fen=46_639))
    again = refused(ledger, controls.pay(ref="PAY-2", amount_fen=1))

    assert isinstance(again, SubsidyExceedsDue)
    assert again.details["left_fen"] == 0


@pytest.mark.parametrize(
    ("principal_fen", "fen"),
    [(4_999_900, 46_638), (5_000_000, 46_639), (5_000_001, 46_639), (6_000_000, 46_639)],
)
def test_principal_above_the_cap_earns_nothing(principal_fen: int, fen: int) -> None:
    assert due_fen(lent(principal_fen=principal_fen)) == fen


@pytest.mark.parametrize(
    ("older_fen", "fen"),
    [(3_000_000, 18_656), (3_000_100, 18_655), (4_000_000, 9_328), (5_000_000, 0)],
)
def test_the_cap_is_of_the_household_over_all_banks_the_oldest_loan_first(
    older_fen: int, fen: int
) -> None:
    older = controls.loan(
        effective_on="2023-03-09", contract_on="2023-03-09", principal_fen=older_fen
    )
    ledger = lent(principal_fen=2_000_000)
    recorded(ledger, Submission(older, controls.OTHER_BANK))

    assert due_fen(ledger, bank="NRCB") == fen


def test_a_quarter_is_rounded_once_and_not_by_its_parts() -> None:
    ledger = lent(controls.repay())

    assert due_fen(ledger, period="2023Q3", effective_on="2023-09-25") == 36_297


def test_no_day_of_misuse_earns_subsidy() -> None:
    ledger = lent(controls.check(finding="diverted", began_on="2023-04-20"))

    assert due_fen(ledger) == 15_208


def test_a_loan_of_more_than_36_months_earns_nothing() -> None:
    assert due_fen(lent(due_on="2026-03-10")) == 46_639
    assert due_fen(lent(due_on="2026-03-11")) == 0


def test_a_household_that_was_not_eligible_on_the_day_of_disbursement_earns_nothing() -> None:
    left = controls.status(effective_on="2023-03-10")
    stays = controls.status(effective_on="2023-03-11")

    assert due_fen(given(controls.household(), left, controls.loan())) == 0
    assert due_fen(given(controls.household(), stays, controls.loan())) == 46_639


def test_a_quarter_is_paid_once_it_is_over() -> None:
    ledger = lent()

    early = controls.pay(ref="EARLY", effective_on="2023-06-20")
    assert isinstance(refused(ledger, early), QuarterNotClosed)
    recorded(ledger, controls.pay(effective_on="2023-06-21"))


def test_a_county_that_pays_by_batch_pays_no_single_loan() -> None:
    by_batch = controls.ruling(
        effective_on="2023-06-20", rulings=[{"rule": "payments_by_batch", "value": 1}]
    )

    assert isinstance(refused(lent(by_batch), controls.pay()), PaidByBatchOnly)


def test_what_is_recovered_was_paid_and_not_recovered_before() -> None:
    ledger = lent(controls.pay())

    unknown = controls.recover(payment_no="PAY-9")
    assert isinstance(refused(ledger, unknown), PaymentUnknown)
    recorded(ledger, controls.recover(amount_fen=46_638))
    too_much = refused(ledger, controls.recover(ref="REC-2", amount_fen=2))

    assert isinstance(too_much, RecoveredTooMuch)
    assert too_much.details == {"amount_fen": 2, "left_fen": 1}
    recorded(ledger, controls.recover(ref="REC-3", amount_fen=1))


def test_subsidy_is_recovered_on_the_day_of_its_payment_or_later() -> None:
    ledger = lent(controls.pay())

    assert isinstance(refused(ledger, controls.recover(effective_on="2023-06-24")), StepBefore)
    recorded(ledger, controls.recover(effective_on="2023-06-25"))


# ---- compensation ---------------------------------------------------------------------


def compensated(on: str, **other: Any) -> Command:
    return controls.compensation(loan_no="L1", effective_on=on, **other)


def test_a_loan_is_compensated_from_its_due_day_on() -> None:
    ledger = lent(controls.risk_fund_payment())

    refusal = refused(ledger, compensated("2024-03-09"))
    assert isinstance(refusal, NotOverdue)
    assert refusal.details == {"due_on": date(2024, 3, 10)}
    recorded(ledger, compensated("2024-03-10"))


def test_a_settled_loan_is_not_compensated() -> None:
    ledger = lent(controls.repay(principal_fen=5_000_000), controls.risk_fund_payment())

    assert isinstance(refused(ledger, compensated("2024-03-10")), NotOverdue)


def test_no_more_is_compensated_than_is_owed_and_no_more_comes_back_than_was_paid() -> None:
    ledger = lent(controls.risk_fund_payment())

    too_much = refused(ledger, compensated("2024-03-10", loss_fen=5_000_001))
    assert isinstance(too_much, CompensatedTooMuch)
    assert too_much.details == {"loss_fen": 5_000_001, "left_fen": 5_000_000}
    recorded(ledger, compensated("2024-03-10", loss_fen=5_000_000))
    [event] = ledger.all_of(Loan.Compensated)
    back = {"loan_no": "L1", "effective_on": "2024-03-11"}
    whole, more = event.amount_fen, event.amount_fen + 1

    refusal = refused(ledger, controls.compensation_recovery(**back, amount_fen=more))
    assert isinstance(refusal, CompensationRecoveredTooMuch)
    recorded(ledger, controls.compensation_recovery(**back, ref="ZC-2", amount_fen=whole))


# ---- reversal -------------------------------------------------------------------------


def test_a_repayment_that_is_reversed_is_owed_again_and_cannot_be_reversed_twice() -> None:
    ledger = lent(controls.repay(principal_fen=5_000_000))
    [repaid] = ledger.all_of(Loan.Repaid)

    kinds = [type(event) for event in recorded(ledger, reverse(ledger, repaid))]

    assert kinds == [Loan.Corrected, Loan.Corrected], "the repayment, and the settlement by it"
    assert l1(ledger).outstanding_fen == 5_000_000
    assert l1(ledger).settled is None
    assert isinstance(refused(ledger, reverse(ledger, repaid)), NotCorrectable)


def test_a_disbursement_that_others_rest_on_is_replaced_and_not_reversed() -> None:
    ledger = lent(controls.repay())
    [disbursed] = ledger.all_of(Loan.Disbursed)

    assert isinstance(refused(ledger, reverse(ledger, disbursed)), LoanStillHasEvents)

    lent_less = controls.body(controls.loan(principal_fen=1_999_999))
    too_little = refused(ledger, reverse(ledger, disbursed, replacement=lent_less))
    assert isinstance(too_little, RepaidTooMuch)
    lent_later = controls.body(controls.loan(effective_on="2023-08-02"))
    too_late = refused(ledger, reverse(ledger, disbursed, replacement=lent_later))
    assert isinstance(too_late, BeforeDisbursement)
    just_enough = controls.body(controls.loan(effective_on="2023-08-01", principal_fen=2_000_000))
    recorded(ledger, reverse(ledger, disbursed, replacement=just_enough))

    assert l1(ledger).outstanding_fen == 0
    assert l1(ledger).settled is not None


_DAYS = st.integers(0, 700).map(lambda days: LENT_ON + timedelta(days=days))
_FEN = st.integers(0, 2_000_000)
_REPORTS = st.lists(
    st.one_of(
        st.tuples(
            st.just(controls.repay), st.fixed_dictionaries(
                {"effective_on": _DAYS, "principal_fen": _FEN, "interest_fen": st.integers(0, 1)}
            ),
        ),
        st.tuples(
            st.just(controls.extend), st.fixed_dictionaries(
                {"effective_on": _DAYS, "agreed_on": _DAYS, "new_due_on": _DAYS}
            ),
        ),
        st.tuples(
            st.just(controls.check), st.fixed_dictionaries(
                {"effective_on": _DAYS, "finding": st.sampled_from(["as_agreed", "diverted"])}
            ),
        ),
        st.tuples(
            st.sampled_from([controls.remind, controls.outflow, controls.guarantee]),
            st.fixed_dictionaries({"effective_on": _DAYS}),
        ),
    ),
    max_size=12,
)  # fmt: skip


@hypothesis.settings(max_examples=40)
@hypothesis.given(_REPORTS)
def test_no_less_than_nothing_is_owed_and_what_is_reversed_leaves_nothing_behind(
    reports: list[tuple[Any, dict[str, Any]]],
) -> None:
    ledger = given(controls.loan())
    repaid_fen = 0
    for number, (control, other) in enumerate(reports):
        try:
            recorded(ledger, control(ref=f"R-{number}", **other))
        except Refused:
            continue
        repaid_fen += other.get("principal_fen", 0)

    assert l1(ledger).outstanding_fen == 5_000_000 - repaid_fen >= 0
    assert (l1(ledger).settled is not None) == (l1(ledger).outstanding_fen == 0)
    assert state_of(l1(ledger)) == state_of(l1(ledger.replayed()))

    for version in sorted(l1(ledger).live, reverse=True):
        stored = ledger.log.stored(l1(ledger).id, version)
        assert stored is not None
        recorded(ledger, reverse(ledger, stored))

    loan, nothing = l1(ledger), Loan(l1(ledger).id)
    assert not loan.exists
    for name in ("live", "repaid", "repaid_fen", "extended", "diverted", "settled", "followed",
                 "guarantors", "renewed", "outstanding_fen", "vouchers"):  # fmt: skip
        assert getattr(loan, name) == getattr(nothing, name), name
    assert ledger.household("H1").borrowed == {}
