"""A reader that follows the log by position misses nothing, whoever writes beside it."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Event, Thread

import psycopg
from faults import support
from faults.support import Place
from support.chance import SEED

from application.event_store.event_log import EventLog, utc_now
from application.ledger import Ledger

WRITERS = 4
EVENTS = 12_000
Clock = Callable[[], datetime]


class Tail(Thread):
    """Reads on from the last position it saw, as every projection does."""

    def __init__(self, dsn: str) -> None:
        super().__init__(name="tail")
        self.log = EventLog(dsn, role="mingzhang_reader")
        self.seen: list[int] = []
        self.stopping = Event()

    def run(self) -> None:
        while True:
            last = self.stopping.is_set()
            if not self.read() and last:
                break
        self.log.close()

    def read(self) -> int:
        start = self.seen[-1] if self.seen else None
        found = self.log.select_notifications(start, 500, inclusive_of_start=False)
        self.seen.extend(notification.id for notification in found)
        return len(found)


def write(place: Place, name: str, clock: Clock, events: int, faults: list[str]) -> None:
    """Tell repayments in groups of one to forty, on a loan of this writer's own."""
    rng = random.Random(f"{SEED}{name}")
    ledger = Ledger(place.dsn, place.keys, clock=clock)
    told = 0
    try:
        while told < events:
            size = min(rng.randint(1, 40), events - told)
            commands = [
                support.repayment(told + n + 1, f"L{name}", ref=f"{name}-{told + n}")
                for n in range(size)
            ]
            support.submit_all(ledger, commands, support.bank(f"B{name}"))
            told += size
    except BaseException as error:
        faults.append(f"{name}: {error!r}")
        raise
    finally:
        ledger.close()


def test_a_tailing_reader_misses_nothing_beside_four_writers_one_with_a_clock_set_back(
    database: Place,
) -> None:
    slow = timedelta(days=1)
    clocks: list[Clock] = [utc_now, lambda: datetime.now(UTC) - slow, utc_now, utc_now]
    for number in range(WRITERS):
        support.lend(database, support.bank(f"B{number}"), [f"L{number}"])
    faults: list[str] = []
    share = EVENTS // WRITERS
    writers = [
        Thread(target=write, args=(database, str(number), clock, share, faults))
        for number, clock in enumerate(clocks)
    ]
    tail = Tail(database.dsn)
    for thread in (tail, *writers):
        thread.start()
    for writer in writers:
        writer.join()
    tail.stopping.set()
    tail.join()

    assert faults == [], f"seed {SEED}"
    rows = support.asked(
        database.dsn, "SELECT position, recorded_at FROM ledger.event ORDER BY position"
    )
    assert len(rows) >= EVENTS
    assert tail.seen == [position for position, _ in rows], f"seed {SEED}"
    assert tail.seen == list(range(1, len(rows) + 1)), f"seed {SEED}"
    instants = [recorded_at for _, recorded_at in rows]
    back = [n for n, (a, b) in enumerate(zip(instants, instants[1:], strict=False)) if b < a]
    assert back == [], f"recorded_at went back behind positions {back[:5]}; seed {SEED}"


def test_two_transactions_never_share_an_instant(database: Place) -> None:
    """A ledger rebuilt at an instant holds a transaction whole or not at all."""
    stopped = datetime(2026, 1, 1, tzinfo=UTC)
    ledger = Ledger(database.dsn, database.keys, clock=lambda: stopped)
    try:
        support.submit_all(ledger, [support.loan("L")], support.bank())
        instants = [
            support.submit_all(ledger, [support.repayment(number, "L")], support.bank())[0]
            for number in (1, 2, 3)
        ]
    finally:
        ledger.close()
    times = [recorded.recorded_at for recorded in instants]
    assert times == sorted(set(times))
    assert times[0] > stopped


def test_the_same_tail_misses_an_event_of_a_writer_without_the_lock(database: Place) -> None:
    """The negative control: positions given out before the lock are committed out of order."""
    tail = Tail(database.dsn)
    row = (
        "INSERT INTO ledger.event VALUES (%s, now(), gen_random_uuid(), 1, 'x', 'o', %s, 0,"
        " '', '{}', '')"
    )
    try:
        with psycopg.connect(database.owner_dsn) as early:
            early.execute(row, (1, "first"))
            with psycopg.connect(database.owner_dsn) as late:
                late.execute(row, (2, "second"))
            tail.read()
        tail.read()
    finally:
        tail.log.close()
    assert tail.seen == [2], "the harness is blind to a missed event"
