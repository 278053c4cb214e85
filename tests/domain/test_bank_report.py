"""A bank's monthly report: once a month, after its end; a mistake is reversed and reported anew."""

from __future__ import annotations

from support import controls
from support.in_memory import given, recorded, refused, reverse

from domain.bank_report import BankReport, ReportedBefore
from domain.kernel import NotCorrectable
from domain.steps import StepBefore


def test_a_month_is_reported_on_its_last_day_or_later_and_once() -> None:
    ledger = given()

    assert isinstance(refused(ledger, controls.report(effective_on="2023-03-30")), StepBefore)
    recorded(ledger, controls.report(effective_on="2023-03-31"))
    refusal = refused(ledger, controls.report(ref="BR-2"))

    assert isinstance(refusal, ReportedBefore)
    assert refusal.details == {"period": "2023-03"}


def test_a_report_that_is_reversed_makes_room_for_another_one() -> None:
    ledger = given(controls.report())
    [event] = ledger.all_of(BankReport.ScaleReported)

    recorded(ledger, reverse(ledger, event))
    assert isinstance(refused(ledger, reverse(ledger, event)), NotCorrectable)
    recorded(ledger, controls.report(ref="BR-2", loans=2))

    assert len(ledger.bank_report("NRCB", "2023-03").live) == 1
