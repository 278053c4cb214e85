"""A corrected day that moves a fact behind what was reported of it: recorded, and said so."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from support import controls
from support.controls import BANK, BUREAU, FINANCE, GUARANTOR, TOWNSHIP
from support.county import conversation, drawn, refusal, told
from support.red_flags import subjects

from application.command import Command
from application.ledger import Ledger
from domain.calendar import named_quarter
from domain.kernel import Author
from domain.steps import StepBefore
from projections.red_flags import rule
from projections.settlement import run_of

BEHIND = date(2025, 12, 31)
RF23 = "NRCB/wang L1 loan.disbursed.v1 2023-06-20 effective_on"


@pytest.fixture
def ledger(database: Any) -> Iterator[Ledger]:
    with conversation(database) as ledger:
        yield ledger


def lent(ledger: Ledger) -> str:
    """The event id of the disbursement that is active."""
    loan = ledger.loan("NRCB", "L1")
    return f"{loan.id}.{loan.disbursed_version}"


def moved(ledger: Ledger, event_id: str, on: str = "2023-06-20", **other: Any) -> list[str]:
    """The codes of the warnings when a disbursement is corrected to `on`."""
    anew = controls.loan(effective_on=on, contract_on=on, **other)
    fix = controls.correct(event_id, ref=f"FIX-{on}", replacement=controls.body(anew, "bank"))
    warnings = ledger.submit(fix, BANK).warnings
    assert {each.field for each in warnings} <= {"replacement/effective_on"}
    return [each.code for each in warnings]


FOLLOWING: list[tuple[Command, Author]] = [
    (controls.check(), TOWNSHIP),
    (
        controls.check(
            finding="diverted", effective_on="2023-06-20", began_on="2023-06-19"
        ),
        TOWNSHIP,
    ),
    (controls.outflow(effective_on="2023-06-19"), BANK),
    (controls.remind(effective_on="2023-06-19"), BANK),
    (controls.guarantee(effective_on="2023-06-19"), GUARANTOR),
    (controls.plan(effective_on="2023-06-19"), TOWNSHIP),
    (
        controls.loan(
            ref="LN-2", loan_no="L2", renews_loan_no="L1", effective_on="2023-06-19",
            contract_on="2023-06-19",
        ),
        BANK,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("following", "by"), FOLLOWING, ids=lambda each: getattr(each, "TYPE", ""))
def test_a_disbursement_corrected_to_a_day_behind_what_was_reported_of_it_is_recorded_and_flagged(
    ledger: Ledger, database: Any, following: Command, by: Author
) -> None:
    told(ledger, (controls.household(), BUREAU), (controls.loan(), BANK), (following, by))
    assert moved(ledger, lent(ledger)) == ["before_disbursement"]
    assert ledger.loan("NRCB", "L1").disbursed_on == date(2023, 6, 20)
    with drawn(database) as facts:
        assert RF23 in subjects(facts, rule("RF23"), BEHIND)
        with facts.at(BEHIND) as view:
            run_of(view, named_quarter("2023Q2"))  # both calculations agree


@pytest.mark.parametrize(("following", "by"), FOLLOWING, ids=lambda each: getattr(each, "TYPE", ""))
def test_reported_after_the_disbursement_the_same_contradicts_it_and_is_refused(
    ledger: Ledger, following: Command, by: Author
) -> None:
    late = controls.loan(effective_on="2023-06-20", contract_on="2023-06-20")
    told(ledger, (controls.household(), BUREAU), (late, BANK))
    assert refusal(ledger, following, by).CODE in ("before_disbursement", "misuse_began_elsewhen")


def test_on_the_day_itself_and_of_what_was_reversed_nothing_is_said(ledger: Ledger) -> None:
    *_, checked = told(
        ledger,
        (controls.household(), BUREAU),
        (controls.loan(), BANK),
        (controls.check(), TOWNSHIP),
    )
    assert moved(ledger, lent(ledger), "2023-06-08") == []
    assert moved(ledger, lent(ledger), "2023-06-09") == ["before_disbursement"]
    told(ledger, (controls.correct(checked.event_ids[0], ref="FIX-CHECK"), TOWNSHIP))
    assert moved(ledger, lent(ledger), "2023-06-20") == []


def test_a_loan_disbursed_anew_after_its_reversal_is_judged_like_a_corrected_one(
    ledger: Ledger,
) -> None:
    told(
        ledger,
        (controls.household(), BUREAU),
        (controls.loan(), BANK),
        (controls.check(), TOWNSHIP),
    )
    [left] = ledger.submit(controls.correct(lent(ledger), ref="FIX-DROP"), BANK).warnings
    assert (left.code, left.field) == ("disbursement_reversed", "event_id")
    late = controls.loan(ref="LN-9", effective_on="2023-06-20", contract_on="2023-06-20")
    [warned] = ledger.submit(late, BANK).warnings
    assert (warned.code, warned.field) == ("before_disbursement", "effective_on")
    assert "使用情况调查 2023-06-08 早于放款日 2023-06-20" in warned.zh


@pytest.mark.parametrize(
    ("following", "by"),
    [
        (controls.demand(effective_on="2023-02-01"), TOWNSHIP),
        (controls.credit(effective_on="2023-02-01"), BANK),
        (controls.rating(effective_on="2023-02-01"), TOWNSHIP),
        (controls.status(effective_on="2023-02-01", category="none"), BUREAU),
        (controls.members(effective_on="2023-02-01"), BUREAU),
    ],
    ids=lambda each: getattr(each, "TYPE", ""),
)
@pytest.mark.parametrize("registered_first", [True, False])
def test_what_lies_before_the_registration_of_its_household_is_recorded_and_flagged(
    ledger: Ledger, database: Any, following: Command, by: Author, registered_first: bool
) -> None:
    late = controls.household(effective_on="2023-02-02")
    if registered_first:
        _, said = told(ledger, (late, BUREAU), (following, by))
    else:
        registered, _ = told(ledger, (controls.household(), BUREAU), (following, by))
        fix = controls.correct(registered.event_ids[0], replacement=controls.body(late))
        said = ledger.submit(fix, BUREAU)
    assert [each.code for each in said.warnings] == ["before_registration"]
    with drawn(database) as facts:
        found = subjects(facts, rule("RF23"), BEHIND)
    [subject] = [each for each in found if " H1 household." in each]
    assert subject.startswith(f"{by.organisation}/{by.person} H1 ")
    assert subject.endswith(" 2023-02-01 effective_on")


@pytest.mark.parametrize("settled_first", [True, False])
def test_an_extension_on_the_day_of_settlement_is_warned_of_and_flagged_in_either_order(
    ledger: Ledger, database: Any, settled_first: bool
) -> None:
    told(ledger, (controls.household(), BUREAU), (controls.loan(), BANK))
    longer = controls.extend(effective_on="2023-06-01", agreed_on="2023-06-01")
    steps = [longer, controls.repay(effective_on="2023-06-01", principal_fen=5_000_000)]
    last = [ledger.submit(each, BANK) for each in (steps[::-1] if settled_first else steps)][-1]
    assert [each.code for each in last.warnings] == ["loan_settled"]
    with drawn(database) as facts:
        found = subjects(facts, rule("RF23"), BEHIND)
    assert "NRCB/wang L1 loan.extended.v1 2023-06-01 settled_on" in found


def test_a_compensation_of_a_loan_that_turns_out_not_to_have_been_due_is_warned_of_and_flagged(
    ledger: Ledger, database: Any
) -> None:
    told(
        ledger,
        (controls.household(), BUREAU),
        (controls.loan(), BANK),
        (controls.risk_fund_payment(), FINANCE),
        (controls.compensation(loan_no="L1", effective_on="2024-03-20"), FINANCE),
    )
    on = {"effective_on": "2024-03-01", "agreed_on": "2024-03-01"}
    assert not ledger.submit(controls.extend(**on, new_due_on="2024-03-20"), BANK).warnings
    longer = controls.extend(**on, new_due_on="2024-03-21", ref="EX-2")
    assert [each.code for each in ledger.submit(longer, BANK).warnings] == ["not_overdue"]
    with drawn(database) as facts:
        found = subjects(facts, rule("RF23"), BEHIND)
    assert "FINANCE/zhao L1 loan.compensated.v1 2024-03-20 due_on" in found


def test_a_borrower_is_not_told_of_a_refusal_before_it_was_decided(ledger: Ledger) -> None:
    told(ledger, (controls.household(), BUREAU))
    said = {"decision": "refused", "amount_fen": None, "reason": "已有贷款"}
    on = {"effective_on": "2023-03-05"}
    early = refusal(ledger, controls.credit(**said, **on, told_on="2023-03-04"), BANK)
    assert isinstance(early, StepBefore)
    assert (early.field, early.details["last_on"]) == ("told_on", date(2023, 3, 5))
    [right] = told(ledger, (controls.credit(**said, **on, told_on="2023-03-05"), BANK))
    anew = controls.credit(**said, **on, told_on="2023-03-04")
    fix = controls.correct(right.event_ids[0], replacement=controls.body(anew))
    assert isinstance(refusal(ledger, fix, BANK), StepBefore)


def test_a_bank_does_not_report_a_month_before_it_is_over(ledger: Ledger) -> None:
    early = refusal(ledger, controls.report(effective_on="2023-03-30"), BANK)
    assert isinstance(early, StepBefore)
    assert (early.field, early.details["last_on"]) == ("effective_on", date(2023, 3, 31))
    told(ledger, (controls.report(effective_on="2023-03-31"), BANK))
    december = controls.report(ref="BR-2", period="2023-12", effective_on="2023-12-30")
    assert isinstance(refusal(ledger, december, BANK), StepBefore)
