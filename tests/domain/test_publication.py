"""A published report: published once, of a day that has come."""

from __future__ import annotations

from datetime import date

from support import controls
from support.in_memory import given, recorded, refused

from application.refusals import DatedInFuture
from domain.publication import Edition, PublicationNumberTaken
from domain.steps import StepBefore

EDITION = Edition("a,b\n1,2\n", 1, "2024-01-10T00:00:00+00:00", 1, "rules")


def test_a_report_is_published_once_under_a_number_on_its_day_or_later() -> None:
    ledger = given()

    early = controls.publication(EDITION, effective_on="2023-12-30")
    assert isinstance(refused(ledger, early), StepBefore)
    recorded(ledger, controls.publication(EDITION, effective_on="2023-12-31"))
    again = controls.publication(EDITION, ref="GB-2")
    assert isinstance(refused(ledger, again), PublicationNumberTaken)


def test_a_day_to_come_is_not_reported_on() -> None:
    ledger = given(today=date(2024, 1, 10))
    said = controls.publication(EDITION, as_of="2024-01-11")

    refusal = refused(ledger, said)

    assert isinstance(refusal, DatedInFuture)
    assert refusal.field == "as_of"
