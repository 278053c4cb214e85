"""What is known goes on with the time when nothing is recorded, and never says too much."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import psycopg
import pytest
from support import controls as c
from support.county import SteppingClock, conversation
from support.red_flags import subjects

from application.event_store.event_log import EventLog
from application.ledger import Ledger
from projections.duties import duties
from projections.facts.draw import Projector
from projections.facts.reading import Facts
from projections.red_flags import check_all, rule
from projections.red_flags.runs import statuses
from projections.red_flags.watching import Watcher

LENT = datetime(2023, 3, 10, 4, tzinfo=UTC)
SILENT = datetime(2023, 9, 1, 4, tzinfo=UTC)
"""Nothing was recorded for months, and the first usage check was due on 2023-06-10."""


class County(NamedTuple):
    """A ledger whose writers' clock and whose readers' clock the test sets."""

    database: Any
    ledger: Ledger
    writes: SteppingClock
    reads: SteppingClock
    facts: Facts

    def draw(self) -> None:
        projector = Projector(self.database.dsn)
        projector.catch_up()
        projector.close()


@pytest.fixture
def county(database: Any) -> Iterator[County]:
    writes, reads = SteppingClock(LENT), SteppingClock(SILENT)
    with conversation(database, clock=writes) as ledger:
        ledger.submit(c.household(), c.BUREAU)
        ledger.submit(c.loan(), c.BANK)
        facts = Facts(database.dsn, most=2, clock=reads)
        made = County(database, ledger, writes, reads, facts)
        made.draw()
        yield made
        facts.close()


def test_a_view_level_with_the_log_is_known_through_now(county: County) -> None:
    with county.facts.at(date(2023, 9, 1)) as view:
        assert SILENT < view.known_through == view.known_at <= county.reads.now
        assert view.today == date(2023, 9, 1)
        assert view.drawn_through < LENT + timedelta(hours=1)


def test_what_was_not_done_is_said_though_nothing_was_recorded_since(county: County) -> None:
    checks = rule("RF15")
    assert subjects(county.facts, checks, date(2023, 9, 1)) == {"NRCB/L1 2023-06-10"}
    for known_at, missed in (
        (datetime(2023, 6, 10, 15, 59, 59, tzinfo=UTC), set()),
        (datetime(2023, 6, 10, 16, tzinfo=UTC), {"NRCB/L1 2023-06-10"}),
    ):
        assert subjects(county.facts, checks, date(2023, 9, 1), known_at) == missed
        with county.facts.at(date(2023, 9, 1), known_at) as view:
            assert view.known_at == known_at
    with county.facts.at(date(2023, 9, 1)) as view:
        [first, *_] = duties(view, duty="usage_check", due_until=date(2023, 6, 30)).dicts()
    assert (first["state"], first["searched_until_on"]) == ("not_done", date(2023, 9, 1))


def test_nothing_is_recorded_any_more_at_an_instant_that_was_known(county: County) -> None:
    with county.facts.at(date(2023, 9, 1)) as view:
        known = view.known_through
    recorded = county.ledger.submit(c.check(effective_on="2023-03-10"), c.TOWNSHIP)
    assert county.writes.now < known < recorded.recorded_at
    assert recorded.recorded_at == known + timedelta(microseconds=1)
    county.draw()
    for known_at, met in ((known, []), (recorded.recorded_at, [("L1",)])):
        with county.facts.at(date(2023, 9, 1), known_at) as view:
            assert view.query("SELECT 'L1' FROM facts.standing_usage_check("
                            "%(as_of)s, %(known_at)s)").rows == met  # fmt: skip


def test_an_append_that_took_its_instant_before_a_reader_asked_takes_a_later_one(
    county: County,
) -> None:
    """The short way takes its instant before the lock: a reader comes between the two."""
    county.ledger.submit(c.check(effective_on="2023-03-10"), c.TOWNSHIP)
    county.draw()
    known = datetime.min.replace(tzinfo=UTC)

    def late() -> datetime:
        nonlocal known
        taken = county.writes()
        with county.facts.at(date(2023, 9, 1)) as view:
            known = max(known, view.known_through)
        return taken

    county.ledger.log._clock = late
    recorded = county.ledger.submit(c.remind(effective_on="2023-03-10"), c.BANK)
    assert county.writes.now < known < recorded.recorded_at


def test_while_an_append_is_under_way_all_is_known_through_the_last_event(county: County) -> None:
    log = EventLog(county.database.dsn, county.ledger.vault.authenticate, clock=lambda: SILENT)
    log.begin_append()
    try:
        with county.facts.at(date(2023, 9, 1), SILENT) as view:
            assert view.known_at == view.known_through == view.drawn_through < SILENT
    finally:
        log.rollback()
        log.close()
    with county.facts.at(date(2023, 9, 1), SILENT) as view:
        assert view.known_at == SILENT, "it is asked for again"


def test_an_event_stored_and_not_yet_drawn_keeps_the_view_at_the_last_drawn(
    county: County,
) -> None:
    county.ledger.submit(c.check(effective_on="2023-03-10"), c.TOWNSHIP)
    with county.facts.at(date(2023, 9, 1)) as view:
        assert view.known_through == view.drawn_through < county.writes.now
    county.draw()
    with county.facts.at(date(2023, 9, 1)) as view:
        assert view.known_through > SILENT


def test_readers_and_writers_at_once_never_see_an_earlier_instant_grow(county: County) -> None:
    """Every view counts what it knows of; asked once more in the end, each says the same."""
    count = "SELECT count(*) FROM facts.standing_reminder(%(as_of)s, %(known_at)s)"
    seen: list[tuple[datetime, int]] = []
    stopping = threading.Event()
    now = lambda: datetime.now(UTC)  # noqa: E731
    facts = Facts(county.database.dsn, most=2, clock=now)

    def draw() -> None:
        projector = Projector(county.database.dsn)
        while not stopping.is_set():
            projector.advance()
        projector.close()

    def read() -> None:
        while not stopping.is_set():
            facts._known_through = LENT  # asks the log each time
            with facts.at(date(2024, 3, 1)) as view:
                seen.append((view.known_at, view.query(count).rows[0][0]))

    threads = [threading.Thread(target=each) for each in (draw, read)]
    for thread in threads:
        thread.start()
    county.ledger._clock = county.ledger.log._clock = now
    try:
        for number in range(200):
            told = c.remind(ref=f"RM-{number}", effective_on="2024-01-05")
            county.ledger.submit(told, c.BANK)
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
    county.draw()
    for known_at, counted in seen:
        with facts.at(date(2024, 3, 1), known_at) as view:
            assert (view.known_at, view.query(count).rows[0][0]) == (known_at, counted)
    facts.close()
    assert len({counted for _, counted in seen}) > 2


def test_the_watermark_is_not_raised_beyond_the_servers_clock_nor_over_an_empty_log(
    database: Any,
) -> None:
    with psycopg.connect(database.owner_dsn, autocommit=True) as connection:
        raised = "SELECT ledger.raise_watermark('9000-01-01')"
        assert connection.execute(raised).fetchone() == (None,)
        with conversation(database) as ledger:
            ledger.submit(c.household(), c.BUREAU)
        row = connection.execute(f"SELECT ({raised}) <= clock_timestamp()").fetchone()
    assert row == (True,)


def test_an_answer_is_given_again_while_the_day_and_the_log_stay_as_they_are(
    county: County,
) -> None:
    asked = [rule("RF15"), rule("RF11")]
    with county.facts.at(date(2023, 9, 1)) as view:
        before = check_all(view, asked)
    county.reads.now += timedelta(hours=2)
    with county.facts.at(date(2023, 9, 1)) as view:
        again = check_all(view, asked)
        assert [one is other for one, other in zip(before, again, strict=True)] == [True, True]
    county.reads.now += timedelta(days=1)
    with county.facts.at(date(2023, 9, 1)) as view:
        assert check_all(view, asked)[0] is not before[0], "another day is known"


def test_what_a_view_without_a_clock_knows_ends_with_the_last_event(county: County) -> None:
    facts = Facts(county.database.dsn, most=1)
    with facts.at(date(2023, 9, 1), SILENT) as view:
        assert view.known_at == view.known_through == view.drawn_through
    assert subjects(facts, rule("RF15"), date(2023, 9, 1)) == set()
    facts.close()


def test_the_projector_makes_a_new_day_known_and_the_stored_findings_follow(
    county: County,
) -> None:
    projector = Projector(county.database.dsn)
    watched = Watcher(county.database.dsn, county.reads, watched=[rule("RF15")])
    with psycopg.connect(county.database.owner_dsn, autocommit=True) as connection:
        watched.step()
        assert statuses(connection)["RF15"].findings == 0, "nothing is known of the days since"
        projector.begin_day(county.reads.now)
        assert watched.step() == 1
        assert statuses(connection)["RF15"].findings == 1
        projector.begin_day(county.reads.now + timedelta(hours=1))
        assert watched.step() == 0, "the same day: nothing is to be asked again"
    watched.close()
    projector.close()
