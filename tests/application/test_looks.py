"""Looks at personal data: recorded first, on the day itself, thirty a minute for each person."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from support import controls
from support.controls import AUDITOR, BANK, BUREAU, OTHER_BANK, TOWNSHIP
from support.county import SteppingClock, conversation, refusal, told

from application.ledger import Ledger, Recorded, Submission
from application.refusals import TooManyLooks
from domain.household import HouseholdUnknown
from domain.kernel import Author, NotCorrectable

TODAY = "2026-01-01"


def looks(number: int, name: str = "LK", **other: Any) -> list[Any]:
    return [controls.look(ref=f"{name}-{n}", effective_on=TODAY, **other) for n in range(number)]


@pytest.fixture
def clock() -> SteppingClock:
    return SteppingClock()


@pytest.fixture
def ledger(database: Any, clock: SteppingClock) -> Iterator[Ledger]:
    with conversation(database, clock=clock) as ledger:
        told(ledger, (controls.household(), BUREAU), (controls.loan(), BANK))
        clock.now += timedelta(minutes=2)
        yield ledger


def test_the_thirty_first_look_of_a_minute_is_refused_and_a_minute_later_allowed(
    ledger: Ledger, clock: SteppingClock
) -> None:
    outcomes = ledger.submit_all([Submission(look, AUDITOR) for look in looks(20)])
    outcomes += ledger.submit_all([Submission(look, AUDITOR) for look in looks(15, "MORE")])

    assert [isinstance(outcome, Recorded) for outcome in outcomes] == [True] * 30 + [False] * 5
    assert all(isinstance(outcome, TooManyLooks) for outcome in outcomes[30:])
    clock.now += timedelta(seconds=61)
    told(ledger, *((look, AUDITOR) for look in looks(1, "LATER")))


def test_each_person_has_a_measure_of_his_own(ledger: Ledger) -> None:
    colleague = Author("auditor", "AUDIT", "colleague")
    namesake = Author("bank", "NRCB", AUDITOR.person)
    ledger.submit_all([Submission(look, AUDITOR) for look in looks(30)])

    assert isinstance(refusal(ledger, looks(1, "X")[0], AUDITOR), TooManyLooks)
    told(ledger, *((look, by) for by in (colleague, namesake) for look in looks(1, by.role)))
    told(ledger, (looks(1, "Y")[0], colleague))


def test_another_conversation_counts_what_was_looked_at_here(
    ledger: Ledger, database: Any, clock: SteppingClock
) -> None:
    ledger.submit_all([Submission(look, AUDITOR) for look in looks(30)])

    with conversation(database, clock=clock) as other:
        assert isinstance(refusal(other, looks(1, "X")[0], AUDITOR), TooManyLooks)


def test_a_look_told_again_is_not_counted(ledger: Ledger) -> None:
    first = looks(30)
    outcomes = ledger.submit_all([Submission(look, AUDITOR) for look in (*first[:29], *first[:29])])
    assert all(isinstance(outcome, Recorded) for outcome in outcomes)
    told(ledger, (first[29], AUDITOR))


def test_a_household_is_open_to_its_township_and_its_lenders(ledger: Ledger) -> None:
    [lent] = told(ledger, (controls.loan(ref="P-1"), OTHER_BANK))
    [one, two, three] = looks(3)
    told(ledger, (one, OTHER_BANK), (one, TOWNSHIP), (one, BANK))

    told(ledger, (controls.correct(lent.event_ids[0]), OTHER_BANK))

    assert isinstance(refusal(ledger, two, OTHER_BANK), HouseholdUnknown)
    assert isinstance(refusal(ledger, two, Author("township", "T02", "x")), HouseholdUnknown)
    told(ledger, (three, BANK))


def test_a_look_cannot_be_taken_back(ledger: Ledger) -> None:
    [seen] = told(ledger, (looks(1)[0], BUREAU))

    taken_back = controls.correct(seen.event_ids[0], effective_on=TODAY)
    assert isinstance(refusal(ledger, taken_back, BUREAU), NotCorrectable)


def test_a_credit_a_rating_or_a_loan_to_somebody_else_opens_no_household(ledger: Ledger) -> None:
    refused = {"decision": "refused", "amount_fen": None, "reason": "不合", "told_on": "2023-03-02"}
    told(
        ledger,
        (controls.credit(ref="CX", **refused), OTHER_BANK),
        (controls.credit(ref="CG"), OTHER_BANK),
        (controls.rating(ref="PJ"), OTHER_BANK),
        (controls.loan(ref="P-1", borrower_id_no=controls.OTHER_ID_NO), OTHER_BANK),
    )

    assert isinstance(refusal(ledger, looks(1)[0], OTHER_BANK), HouseholdUnknown)
    told(ledger, (controls.members(), BUREAU))
    told(ledger, (looks(1)[0], OTHER_BANK))


def test_a_settled_loan_and_one_to_somebody_who_left_keep_the_household_open(
    ledger: Ledger,
) -> None:
    other = controls.loan(ref="P-1", loan_no="P1", effective_on="2023-07-01",
                          borrower_id_no=controls.OTHER_ID_NO)  # fmt: skip
    left = {"added": [], "left": [{"id_no": controls.OTHER_ID_NO, "reason": "分户"}]}
    told(
        ledger,
        (controls.repay(principal_fen=5_000_000), BANK),
        (controls.members(effective_on="2023-06-01"), BUREAU),
        (other, OTHER_BANK),
        (controls.members(ref="MB-2", effective_on="2024-01-01", **left), BUREAU),
        (looks(1)[0], BANK),
        (looks(1)[0], OTHER_BANK),
    )


def test_a_loan_moved_to_another_household_opens_the_first_no_more(ledger: Ledger) -> None:
    second = controls.household(ref="HH-2", household_no="H2")
    [_, lent] = told(ledger, (second, BUREAU), (controls.loan(ref="P-1"), OTHER_BANK))
    moved = controls.body(controls.loan(household_no="H2"))
    told(ledger, (controls.correct(lent.event_ids[0], replacement=moved), OTHER_BANK))

    assert isinstance(refusal(ledger, looks(1)[0], OTHER_BANK), HouseholdUnknown)
    told(ledger, (looks(1, household_no="H2")[0], OTHER_BANK))


def test_a_township_looks_for_a_number_among_the_loans_of_its_own_households(
    ledger: Ledger,
) -> None:
    other = controls.household(ref="HH-2", household_no="H2", township_code="T02")
    lent = controls.loan(ref="P-1", household_no="H2")
    told(ledger, (other, BUREAU), (lent, OTHER_BANK), (controls.check(), TOWNSHIP))

    told(ledger, (controls.loan(ref="P-2", loan_no="L2"), OTHER_BANK), (controls.loan(
        ref="N-2", loan_no="L2", contract_no="C2"), BANK))  # fmt: skip
    found = refusal(ledger, controls.check(ref="UC-2", loan_no="L2"), TOWNSHIP)
    assert found.details == {"banks": ["NRCB", "PSBC"]}
