"""A large save holds nobody up while it decides, and an insert by the library's way does not stop.

How long another writer waits beside 100 000 rows is measured in benchmarks/ (P2).
"""

from __future__ import annotations

import ast
import time
from pathlib import Path
from threading import Event, Thread
from uuid import uuid4

import pytest
from eventsourcing.persistence import ProgrammingError, StoredEvent
from faults import support
from faults.support import ROOT, Place

from application.event_store.event_log import EventLog
from application.event_store.row_format import Report
from application.ledger import Ledger, Recorded, Submission
from application.personal_data.encryption import Mac

EVENTS = 30_000
LOANS = 500


class SingleWriter(Thread):
    """A bank that tells one repayment after the other, and how long each answer took."""

    def __init__(self, place: Place) -> None:
        super().__init__(name="single")
        self._place = place
        self.stopping = Event()
        self.waits: list[float] = []
        self.faults: list[str] = []

    def run(self) -> None:
        ledger = Ledger(self._place.dsn, self._place.keys)
        number = 0
        while not self.stopping.is_set():
            number += 1
            began = time.monotonic()
            try:
                ledger.submit(support.repayment(number, "ONE"), support.bank("SINGLE"))
            except Exception as error:
                self.faults.append(repr(error))
            self.waits.append(time.monotonic() - began)
            time.sleep(0.01)
        ledger.close()


def test_beside_a_large_save_no_other_writer_waits_for_more_than_its_writing(
    database: Place, record_property: pytest.RecordProperty
) -> None:
    support.lend(database, support.bank("SINGLE"), ["ONE"])
    support.lend(database, support.bank("LARGE"), [f"L{n}" for n in range(LOANS)])
    many = [
        Submission(support.repayment(n + 1, f"L{n % LOANS}"), support.bank("LARGE"))
        for n in range(EVENTS)
    ]
    single = SingleWriter(database)
    single.start()
    ledger = Ledger(database.dsn, database.keys)
    try:
        time.sleep(0.5)
        began = time.monotonic()
        outcomes = ledger.submit_all(many, atomic=True)
        took = time.monotonic() - began
        time.sleep(0.2)
    finally:
        single.stopping.set()
        single.join()
        ledger.close()

    longest, usual = max(single.waits), sorted(single.waits)[len(single.waits) // 2]
    record_property("large_save_seconds", round(took, 2))
    record_property("longest_wait_seconds", round(longest, 3))
    assert single.faults == []
    assert all(isinstance(outcome, Recorded) for outcome in outcomes)
    ((stored, instants),) = support.asked(
        database.dsn,
        "SELECT count(*), count(DISTINCT recorded_at) FROM ledger.event"
        " WHERE organisation = 'LARGE' AND topic = 'loan.repaid.v1'",
    )
    assert (stored, instants) == (EVENTS, 1), "one save, one transaction"
    said = f"longest {longest:.2f} s, usual {usual * 1000:.0f} ms; the save took {took:.1f} s"
    # Most of a save is deciding; a lock held meanwhile would let others wait for all of it.
    assert longest < took / 2, said
    assert len(single.waits) > 3, f"nobody wrote beside it: {said}"
    print(said)


def test_an_insert_that_names_no_reporter_is_refused() -> None:
    log = EventLog("host=/nowhere")
    event = StoredEvent(uuid4(), 1, "loan.repaid.v1", b"{}")
    with pytest.raises(ProgrammingError):
        log.insert_events([event])


def test_what_stops_the_librarys_own_insert_for_ever_is_stored(database: Place) -> None:
    """5 000 events of 1 kB in one call: its pipeline waits on both sides with the lock held."""
    log = EventLog(database.dsn, Mac(b"a" * 32))
    id, state = uuid4(), b'{"remark":"' + b"x" * 1_000 + b'"}'
    events = [StoredEvent(id, n, "loan.repaid.v1", state) for n in range(1, 5_001)]

    positions = log.insert_events(events, report=Report("NRCB", "LARGE", bytes(16)))

    assert positions == list(range(1, 5_001))
    assert log.max_notification_id() == 5_000
    log.close()


def test_nothing_calls_psycopgs_pipeline() -> None:
    called = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute | ast.Name)
        and (node.attr if isinstance(node, ast.Attribute) else node.id).lower()
        in ("pipeline", "pipeline_mode", "enter_pipeline_mode")
    ]
    assert called == []


def sources() -> list[Path]:
    packages = ("domain", "application", "projections", "interface")
    return sorted(path for name in packages for path in (ROOT / name).rglob("*.py"))
