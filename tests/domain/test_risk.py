"""A reported risk: reported once, and noted by another person on its day or later."""

from __future__ import annotations

from support import controls
from support.in_memory import given, recorded, refused

from application.ledger import Submission
from domain.risk import OwnRisk, RiskNumberTaken, RiskUnknown
from domain.steps import StepBefore


def test_a_risk_number_is_used_once() -> None:
    assert isinstance(refused(given(controls.risk()), controls.risk(ref="FX-2")), RiskNumberTaken)


def test_another_person_takes_note_of_a_risk_on_the_day_of_its_report_or_later() -> None:
    ledger = given(Submission(controls.risk(), controls.TOWNSHIP))

    assert isinstance(refused(ledger, controls.risk_note(risk_no="FX-9")), RiskUnknown)
    itself = Submission(controls.risk_note(), controls.TOWNSHIP)
    assert isinstance(refused(ledger, itself), OwnRisk)
    early = controls.risk_note(effective_on="2023-06-30")
    assert isinstance(refused(ledger, early), StepBefore)
    recorded(ledger, controls.risk_note(effective_on="2023-07-01"))
