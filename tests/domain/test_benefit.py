"""A benefit agreement: signed once, paid to its households by the township that signed it."""

from __future__ import annotations

from support import controls
from support.in_memory import given, recorded, refused

from application.ledger import Submission
from domain.benefit import AgreementNumberTaken, AgreementUnknown, NotOfAgreement
from domain.household import HouseholdUnknown
from domain.steps import StepBefore


def test_an_agreement_is_signed_once_for_households_of_the_township() -> None:
    ledger = given(controls.household())

    assert isinstance(
        refused(ledger, Submission(controls.agreement(), controls.OTHER_TOWNSHIP)), HouseholdUnknown
    )
    recorded(ledger, controls.agreement())
    assert isinstance(refused(ledger, controls.agreement(ref="LJ-2")), AgreementNumberTaken)


def test_a_dividend_is_paid_under_an_agreement_to_its_own_household_on_its_day_or_later() -> None:
    ledger = given(controls.household(), controls.agreement())

    unknown = controls.benefit_payment(agreement_no="LJ-9")
    assert isinstance(refused(ledger, unknown), AgreementUnknown)
    other_township = Submission(controls.benefit_payment(), controls.OTHER_TOWNSHIP)
    assert isinstance(refused(ledger, other_township), AgreementUnknown)
    stranger = controls.benefit_payment(household_no="H2")
    assert isinstance(refused(ledger, stranger), NotOfAgreement)
    early = controls.benefit_payment(effective_on="2023-03-31")
    assert isinstance(refused(ledger, early), StepBefore)
    recorded(ledger, controls.benefit_payment(effective_on="2023-04-01"))
