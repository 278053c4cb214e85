"""The facts: exactly once though their drawing is killed, and never seen by half."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from datetime import date
from itertools import count
from threading import Event, Thread
from typing import Any

import psycopg
import pytest
from faults import support
from faults.support import ROOT, Place
from support.chance import SEED

from application.commands.correction import CorrectEvent
from application.ledger import Ledger
from projections.facts.draw import Projector, digests
from projections.facts.reading import Facts
from projections.loan_ledger import loan_ledger

KILLS = 12
LOANS = 300
DAY = date(2023, 12, 31)

# Draws in small stretches, and now and then all anew, until it is killed.
PROJECTOR = """
import random, sys
from projections.facts.draw import Projector
rng = random.Random(int(sys.argv[2]))
projector = Projector(sys.argv[1])
projector.connection
print("ready", flush=True)
while True:
    if rng.random() < 0.1:
        projector.rebuild()
    else:
        projector.advance(most=rng.randint(1, 200))
    print("drawn", flush=True)
"""


def live(owner_dsn: str) -> tuple[int, int]:
    """The generation that is read, and how far it has come."""
    rows = support.asked(owner_dsn, "SELECT number, position FROM projection.generation WHERE live")
    assert len(rows) == 1
    number, position = rows[0]
    return number, position


def facts_of(owner_dsn: str) -> dict[str, tuple[int, str]]:
    number, _ = live(owner_dsn)
    with psycopg.connect(owner_dsn) as connection:
        return digests(connection, number)


def write_on(place: Place, stopping: Event, faults: list[str]) -> None:
    """Repayments, and corrections of some of them, until told to stop."""
    rng = random.Random(SEED)
    ledger = Ledger(place.dsn, place.keys)
    try:
        for round_ in count():
            if stopping.wait(0.02):
                break
            first = 1 + round_ * 20
            commands = [
                support.repayment(n, f"L{rng.randrange(LOANS)}") for n in range(first, first + 20)
            ]
            told = support.submit_all(ledger, commands, support.bank())
            correction = CorrectEvent(
                ref=f"C{round_}",
                effective_on=date(2023, 9, 1),
                reason="错报",
                event_id=rng.choice(told).event_ids[0],
            )
            support.submit_all(ledger, [correction], support.bank())
    except BaseException as error:
        faults.append(repr(error))
        raise
    finally:
        ledger.close()


def test_after_many_kills_of_the_projector_the_facts_equal_a_rebuild(database: Place) -> None:
    support.lend(database, support.bank(), [f"L{n}" for n in range(LOANS)])
    rng = random.Random(SEED)
    faults: list[str] = []
    stopping = Event()
    writer = Thread(target=write_on, args=(database, stopping, faults))
    writer.start()
    try:
        for kill in range(KILLS):
            words = [sys.executable, "-c", PROJECTOR, database.dsn, str(SEED + kill)]
            with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE) as process:
                assert process.stdout is not None
                assert process.stdout.readline() == b"ready\n", f"seed {SEED}, kill {kill}"
                for _ in range(rng.randint(0, 6)):
                    assert process.stdout.readline() == b"drawn\n", f"seed {SEED}, kill {kill}"
                time.sleep(rng.uniform(0.0, 0.05))
                assert process.poll() is None, f"it ended by itself: seed {SEED}, kill {kill}"
                process.kill()
    finally:
        stopping.set()
        writer.join()
    assert faults == [], f"seed {SEED}"

    projector = Projector(database.dsn)
    try:
        projector.catch_up()
        number, position = live(database.owner_dsn)
        ((last,),) = support.asked(database.dsn, "SELECT max(position) FROM ledger.event")
        assert position == last
        drawn = facts_of(database.owner_dsn)
        assert projector.rebuild() != number
        rebuilt = facts_of(database.owner_dsn)
    finally:
        projector.close()
    assert drawn == rebuilt, f"seed {SEED}"
    assert drawn["loan"][0] == LOANS
    ((told,),) = support.asked(
        database.dsn, "SELECT count(*) FROM ledger.event WHERE topic LIKE 'loan.repaid%'"
    )
    assert told >= 20, "nothing was written beside the kills"
    schemas = support.asked(
        database.owner_dsn, "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'facts_%'"
    )
    assert len(schemas) == 1, f"a killed drawing left something behind: {schemas}"


def test_the_same_digests_catch_a_stretch_that_was_drawn_twice(database: Place) -> None:
    """The negative control: a projector that marks how far it came in a transaction of its own."""
    support.lend(database, support.bank(), ["L1", "L2"])
    projector = Projector(database.dsn)
    try:
        projector.rebuild()
        before = facts_of(database.owner_dsn)
        support.done(database.owner_dsn, "UPDATE projection.generation SET position = position - 2")
        projector.catch_up()
        assert facts_of(database.owner_dsn) != before, "the harness is blind to doubled facts"
        projector.rebuild()
        assert facts_of(database.owner_dsn) == before
    finally:
        projector.close()


@pytest.mark.parametrize("when", ["while it draws", "before it takes over"])
def test_a_rebuild_that_another_overtook_gives_way_and_spoils_nothing(
    database: Place, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes that both find no facts begin alike: the later one's facts are whole."""
    support.lend(database, support.bank(), [f"L{n}" for n in range(LOANS)])
    monkeypatch.setattr("projections.facts.draw._BUILD_BATCH", 100)
    slow, quick = Projector(database.dsn), Projector(database.dsn)
    overtaken: list[int] = []

    def overtake(position: int, last: int) -> None:
        if not overtaken and (when == "while it draws" or position == last):
            overtaken.append(quick.rebuild())

    try:
        quick.rebuild()
        before = facts_of(database.owner_dsn)
        with pytest.raises(RuntimeError, match="another rebuild"):
            slow.rebuild(overtake)
        assert [live(database.owner_dsn)[0]] == overtaken
        assert facts_of(database.owner_dsn) == before
    finally:
        slow.close()
        quick.close()


def totals(view: Any) -> tuple[int, int]:
    lines = list(loan_ledger(view).dicts())
    return len(lines), sum(line["outstanding_fen"] for line in lines)


def test_a_reader_beside_rebuilds_never_sees_half_a_ledger_and_never_fails(
    database: Place,
) -> None:
    support.lend(database, support.bank(), [f"L{n}" for n in range(LOANS)])
    whole = (LOANS, LOANS * 5_000_000)
    projector = Projector(database.dsn)
    projector.rebuild()
    facts = Facts(database.dsn)
    stopping = Event()
    seen: set[tuple[int, int]] = set()
    faults: list[str] = []
    answers = [0, 0]

    def read(reader: int) -> None:
        while not stopping.is_set():
            try:
                with facts.at(DAY) as view:
                    seen.add(totals(view))
                answers[reader] += 1
            except Exception as error:
                faults.append(repr(error))

    readers = [Thread(target=read, args=(reader,)) for reader in range(len(answers))]
    for thread in readers:
        thread.start()
    try:
        for _ in range(8):
            projector.rebuild()
    finally:
        stopping.set()
        for thread in readers:
            thread.join()
        facts.close()
        projector.close()
    assert faults == []
    assert seen == {whole}
    assert min(answers) > 8, f"the readers hardly read: {answers}"


def test_a_view_that_was_opened_before_a_rebuild_still_answers_after_it(
    database: Place,
) -> None:
    """The longest possible moment between finding the live generation and asking it."""
    support.lend(database, support.bank(), ["L1"])
    projector = Projector(database.dsn)
    facts = Facts(database.dsn)
    try:
        projector.rebuild()
        rebuild = Thread(target=projector.rebuild)
        with facts.at(DAY) as view:
            rebuild.start()
            rebuild.join(timeout=3)
            assert totals(view) == (1, 5_000_000)
        rebuild.join()
    finally:
        facts.close()
        projector.close()
