"""The eventsourcing library carries the write side: its own tests of a recorder run against ours.

And its application, event store, repository and notification log stand over one ledger.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import date
from threading import enumerate as enumerate_threads
from typing import Any
from uuid import UUID, uuid4

import eventsourcing.cryptography
import psycopg
import pytest
from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    IntegrityError,
    ProgrammingError,
    StoredEvent,
)
from support.controls import BANK, household, loan, repay
from support.county import conversation

from application.event_store.event_log import EventLog
from application.event_store.mapper import EventMapper
from application.event_store.row_format import Report
from application.ledger import Ledger
from application.personal_data.encryption import KeyGone, Mac
from domain.kernel import Author, CommandContext, Envelope
from domain.loan import Loan

# The library's tests import its cipher over PyCryptodome; the same one over cryptography does.
sys.modules.setdefault("eventsourcing.cipher", eventsourcing.cryptography)
from eventsourcing.tests import persistence  # noqa: E402

BUREAU = Author("bureau", "BUREAU", "li")
NO_VERSION_ZERO = "event_check"
"""The table's check of positions and versions. The library's tests number some events from 0."""


class ReportedLog(EventLog):
    """The recorder as it is; every insert is reported under a new reference."""

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        report = Report("NRCB", uuid4().hex, bytes(16))
        return super().insert_events(stored_events, report=report, **kwargs)


class AggregateLog(ReportedLog):
    """As a recorder of aggregates alone: it returns no positions."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> None:
        super().insert_events(stored_events, **kwargs)


class OnADatabase:
    """A new database for each of the library's tests."""

    @pytest.fixture(autouse=True)
    def _on(self, database: Any) -> Iterator[None]:
        with psycopg.connect(database.owner_dsn) as owner:
            owner.execute(f"ALTER TABLE ledger.event DROP CONSTRAINT {NO_VERSION_ZERO}".encode())
        self.recorders = [
            kind(database.dsn, Mac(b"a" * 32)) for kind in (ReportedLog, AggregateLog)
        ]
        before = set(enumerate_threads())
        yield
        for thread in set(enumerate_threads()) - before:
            thread.join()  # the library's readers are told to stop, and not waited for
        for recorder in self.recorders:
            recorder.close()


class TestApplicationRecorder(OnADatabase, persistence.ApplicationRecorderTestCase):  # type: ignore[type-arg]
    def create_recorder(self) -> ApplicationRecorder:
        return self.recorders[0]

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestAggregateRecorder(OnADatabase, persistence.AggregateRecorderTestCase):
    def create_recorder(self) -> AggregateRecorder:
        return self.recorders[1]


# ---- the ledger as an application of the library ---------------------------------------


@pytest.fixture
def ledger(database: Any) -> Iterator[Ledger]:
    with conversation(database) as ledger:
        ledger.submit(household(), BUREAU)
        ledger.submit(loan(), BANK)
        yield ledger


def repaid(ledger: Ledger, principal_fen: int) -> Loan:
    """The loan L1, on which a repayment was recorded that is not in the log yet."""
    lent = ledger.repository.load(Loan, Loan.id_for("NRCB", "L1"))
    lent.repay(
        CommandContext(by=BANK, effective_on=date(2023, 8, 1)),
        principal_fen=principal_fen, interest_fen=0, penalty_fen=0, payer="account-1",
        personal={"payer_account": "6222", "payer_name": "张三"},
    )  # fmt: skip
    return lent


def test_what_is_recorded_is_read_by_repository_and_notification_log(ledger: Ledger) -> None:
    ledger.submit(repay(), BANK)
    id = Loan.id_for("NRCB", "L1")

    [disbursed, repayment] = ledger.events.get(id)
    section = ledger.notification_log["1,10"]

    assert isinstance(disbursed, Envelope) and isinstance(disbursed.event, Loan.Disbursed)
    assert isinstance(repayment, Envelope) and repayment.originator_version == 2
    assert ledger.repository.load(Loan, id) is ledger.loan("NRCB", "L1")
    assert [n.id for n in section.items] == [1, 2, 3, 4]
    assert ledger.recorder.max_notification_id() == 4


def test_save_stores_by_the_library_what_tell_reads(ledger: Ledger) -> None:
    report = Report("NRCB", "SAVED-1", ledger.vault.fingerprint(repay(ref="SAVED-1").content()))

    [recording] = ledger.save(repaid(ledger, 2_000_000), report=report)

    assert recording.notification.id == 4
    assert b"6222" not in recording.notification.state and b"sealed" in recording.notification.state
    again = ledger.submit(repay(ref="SAVED-1"), BANK)
    assert (again.position, again.again) == (4, True)
    assert ledger.loan("NRCB", "L1").repaid_fen == 2_000_000


def test_save_stores_nothing_without_a_reporter_twice_or_without_a_key(ledger: Ledger) -> None:
    with pytest.raises(ProgrammingError):
        ledger.save(repaid(ledger, 1))
    first = Report("NRCB", "SAVED-1", bytes(16))
    ledger.submit(repay(ref="SAVED-1"), BANK)
    with pytest.raises(IntegrityError):
        ledger.save(repaid(ledger, 1), report=first)
    stranger = Loan(uuid4())
    stranger.household_id = uuid4()
    stranger.record(
        Loan.Repaid(
            effective_on=date(2023, 8, 1), role="bank", person="li", principal_fen=1,
            interest_fen=0, penalty_fen=0, payer="account-1",
        ),
        {"payer_name": "张三"},
    )  # fmt: skip
    with pytest.raises(KeyGone):
        ledger.save(stranger, report=Report("NRCB", "SAVED-2", bytes(16)))
    assert ledger.recorder.max_notification_id() == 4


def test_personal_values_are_not_encoded_without_a_key() -> None:
    event = Loan.Settled(effective_on=date(2023, 8, 1), role="bank", person="li")
    envelope = Envelope(UUID(int=1), 1, event, {"name": "张三"}, UUID(int=2))
    with pytest.raises(TypeError):
        EventMapper().to_stored_event(envelope)
