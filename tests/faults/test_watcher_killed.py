"""The stored red flags: whole, and each finding once, though their watcher is killed."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from datetime import UTC, datetime
from threading import Event, Thread
from typing import Any

import psycopg
from faults.support import ROOT
from support import controls as c
from support.chance import SEED, wait_until
from support.county import conversation
from support.flags import said_at_once, standing

from domain.calendar import civil_day
from projections.facts.draw import Projector
from projections.facts.reading import Facts
from projections.red_flags import rules
from projections.red_flags.runs import changes, runs, statuses
from projections.red_flags.watching import Watcher

KILLS = 4

WATCHER = """
import sys
from datetime import UTC, datetime
from projections.facts.draw import Projector
from projections.red_flags.watching import Watcher
projector = Projector(sys.argv[1])
watcher = Watcher(sys.argv[1], lambda: datetime.now(UTC))
projector.catch_up()
print("ready", flush=True)
while True:
    projector.catch_up()
    watcher._rests_until_ms.clear()
    if watcher.step():
        print("stored", flush=True)
"""


def write_on(database: Any, stopping: Event) -> None:
    """Loans that go round in six days, and corrections of some of their repayments.

    The more there are, the longer it waits: what the watcher is to ask stays small on any machine.
    """
    rng = random.Random(SEED)
    with conversation(database) as ledger:
        number = 0
        while not stopping.wait(0.02 + number / 1_000):
            number += 1
            no, home = f"L{number}", f"H{number}"
            member = {**c.household().members[0].model_dump(), "id_no": c.id_no(number)}
            ledger.submit(
                c.household(ref=f"HH-{no}", household_no=home, members=[member]), c.BUREAU
            )
            loan = c.loan(
                ref=f"LN-{no}", loan_no=no, household_no=home, borrower_id_no=member["id_no"]
            )
            ledger.submit(loan, c.BANK)
            back = c.repay(
                ref=f"R-{no}", loan_no=no, principal_fen=4_900_000, effective_on="2023-03-16"
            )
            told = ledger.submit(back, c.BANK)
            if rng.random() < 0.5:
                ledger.submit(c.correct(told.event_ids[0], ref=f"C-{no}"), c.BANK)


def test_after_many_kills_of_the_watcher_what_is_stored_is_what_the_rules_say(
    database: Any,
) -> None:
    rng = random.Random(SEED)
    stopping = Event()
    writer = Thread(target=write_on, args=(database, stopping))
    writer.start()
    try:
        for kill in range(KILLS):
            words = [sys.executable, "-c", WATCHER, database.dsn]
            with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE) as process:
                assert process.stdout is not None
                assert process.stdout.readline() == b"ready\n", f"seed {SEED}, kill {kill}"
                for _ in range(rng.randint(0, 2) + kill % 2):
                    assert process.stdout.readline() == b"stored\n", f"seed {SEED}, kill {kill}"
                time.sleep(rng.uniform(0.0, 0.5))
                assert process.poll() is None, f"it ended by itself: seed {SEED}, kill {kill}"
                process.kill()
    finally:
        stopping.set()
        writer.join()

    projector = Projector(database.dsn)
    projector.catch_up()
    projector.close()
    watcher = Watcher(database.dsn, lambda: datetime.now(UTC))
    wait_until(lambda: watcher.step() == len(rules()), "the killed one gives the turn up")
    watcher.close()
    facts = Facts(database.dsn, most=1)
    with psycopg.connect(database.owner_dsn, autocommit=True) as connection:
        assert standing(connection) == said_at_once(facts, civil_day(datetime.now(UTC)))
        told = list(changes(connection, rule="RF11").dicts())
        stored = {line["run"]: line for line in runs(connection, most=None).dicts()}
        assert statuses(connection)["RF11"].findings > 0, f"seed {SEED}"
    facts.close()
    assert len({line["run"] for line in told}) > 3, f"too little was stored: seed {SEED}"
    turns: dict[str, list[str]] = {}
    for line in reversed(told):
        turns.setdefault(line["subject"], []).append(line["kind"])
    assert all(kinds in (["appeared"], ["appeared", "gone"]) for kinds in turns.values()), turns
    for run, line in stored.items():
        of_run = [each for each in told if each["run"] == run]
        if line["rule"] == "RF11":
            assert len(of_run) == line["appeared"] + line["changed"] + line["gone"]
