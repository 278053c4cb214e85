"""A log read by two processes: the same tree, the same faults, and one when the other is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from conftest import Database, copy_database, drop_database
from support.chance import wait_until
from support.county import conversation
from support.everything import submit_everything
from support.sequenced import ORIGIN, Log

from application.personal_data.encryption import Vault
from application.transparency_log import parallel_reading
from application.transparency_log.merkle import HASHES
from application.transparency_log.notes import Head
from application.transparency_log.sequencer import LogAltered
from application.transparency_log.verification import Verification, Verified

SMALL = 256


@pytest.fixture(scope="module")
def written(shared_database: Database) -> Database:
    """A few ranges of events."""
    with conversation(shared_database) as ledger:
        submit_everything(ledger, 80)
    return shared_database


@pytest.fixture
def log(
    server: str, written: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Log]:
    """A few ranges of events, all of them worth a second process."""
    parallel_reading.end()
    database = copy_database(server, written)
    log = Log(database, tmp_path, copies=0)
    assert log.last > 7 * SMALL
    monkeypatch.setattr(parallel_reading, "WORTH", 1)
    monkeypatch.setattr(parallel_reading, "RANGE_EVENTS", SMALL)
    yield log
    parallel_reading.end()
    drop_database(server, database)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Where the ranges begin that the second process read."""
    begun: list[int] = []
    taken = parallel_reading._result

    def result(future: Any) -> Any:
        log_range = taken(future)
        begun.append(log_range.after)
        return log_range

    monkeypatch.setattr(parallel_reading, "_result", result)
    return begun


def second_process() -> Any:
    """The process that reads beside this one."""
    assert parallel_reading._pool is not None
    [process] = parallel_reading._pool._processes.values()
    return process


def verified(log: Log, *, alone: bool = False, told: Any = lambda *_: None) -> Verified:
    with psycopg.connect(log.database.dsn, autocommit=True) as connection:
        return Verification(
            connection,
            ORIGIN,
            log.signer.key(ORIGIN),
            Vault(log.database.keys).authenticate,
            signed_last=log.signer.last(ORIGIN),
            dsn=None if alone else log.database.dsn,
        ).run(told)


def test_two_processes_seal_and_verify_the_tree_that_one_would(
    log: Log, answers: list[int]
) -> None:
    done = log.sequence()

    assert done.checkpoint is not None
    assert done.checkpoint.head == Head(
        ORIGIN, log.last, log.naive(HASHES["sha-256"]).mth(0, log.last)
    )
    assert answers, "the second process read its share"
    answers.clear()
    seen: list[tuple[int, int]] = []
    assert verified(log, told=lambda *x: seen.append(x)) == verified(log, alone=True)
    assert answers and seen[-1] == (log.last, log.last) and seen == sorted(seen)
    assert second_process().is_alive(), "kept for the next time"


CHANGES = {
    "altered": "UPDATE ledger.event SET ref = ref || '!' WHERE position = {p}",
    "gone": "DELETE FROM ledger.event WHERE position = {p}",
    "several gone": "DELETE FROM ledger.event WHERE position BETWEEN {p} - 3 AND {p} + 2",
    "version": "UPDATE ledger.event SET originator_version = 99999 WHERE position = {p}",
    "time": "UPDATE ledger.event SET recorded_at = recorded_at - interval '9 years'"
    " WHERE position = {p}",
}


@contextmanager
def changed(log: Log, sql: str) -> Iterator[None]:
    """What the owner does to the log, with the guards lifted and put back; undone afterwards."""
    with psycopg.connect(log.database.owner_dsn, autocommit=True) as owner:
        owner.execute("CREATE TABLE original AS TABLE ledger.event")
        for statements in (
            [sql],
            ["TRUNCATE ledger.event", "INSERT INTO ledger.event TABLE original"],
        ):
            owner.execute("ALTER TABLE ledger.event DISABLE TRIGGER append_only")
            for statement in statements:
                owner.execute(statement.encode())
            owner.execute("ALTER TABLE ledger.event ENABLE ALWAYS TRIGGER append_only")
            if statements == [sql]:
                yield
        owner.execute("DROP TABLE original")


POSITIONS = [SMALL, SMALL + 1, 3 * SMALL, 3 * SMALL + 1, 5 * SMALL + 77]
CHANGED = [("altered", position) for position in POSITIONS] + [
    (what, POSITIONS[(at + n) % len(POSITIONS)])
    for at, what in enumerate(CHANGES)
    if what != "altered"
    for n in (0, 2)
]
"""One kind of change everywhere, the others at both sides of a stretch's end."""


def test_whoever_of_the_two_reads_what_was_altered_names_it(log: Log, answers: list[int]) -> None:
    log.sequence()
    for what, position in CHANGED:
        with changed(log, CHANGES[what].format(p=position)):
            result, alone = verified(log), verified(log, alone=True)
        assert result == alone
        first = position - 3 if what == "several gone" else position
        assert first in {fault.position for fault in result.faults}, (what, position)
    assert len(answers) > len(CHANGED)
    assert verified(log).faults == []


def test_nothing_altered_is_sealed_whoever_of_the_two_reads_it(log: Log) -> None:
    for what in ("altered", "gone", "several gone"):
        for position in [SMALL - 9, *POSITIONS]:
            with changed(log, CHANGES[what].format(p=position)):
                with pytest.raises(LogAltered) as found:
                    log.sequence()
            first = position - 3 if what == "several gone" else position
            assert found.value.position == first, (what, position)
    with psycopg.connect(log.database.dsn) as connection:
        row = connection.execute("SELECT count(*) FROM ledger.tree_node").fetchone()
    assert row == (0,)
    assert log.signer.last(ORIGIN) is None
    assert log.sequence().added == log.last


@pytest.mark.parametrize("kept_ready", [1, 2, 64])
def test_a_second_process_that_dies_is_not_missed(
    log: Log, monkeypatch: pytest.MonkeyPatch, kept_ready: int
) -> None:
    monkeypatch.setattr(parallel_reading, "_KEPT_READY", kept_ready)
    submitted = parallel_reading._submit
    killed: list[int] = []

    def submit(*work: Any) -> Any:
        future = submitted(*work)
        if len(killed) < 3:
            process = second_process()
            killed.append(process.pid)
            os.kill(process.pid, signal.SIGKILL)
            process.join()
        return future

    monkeypatch.setattr(parallel_reading, "_submit", submit)
    done = log.sequence()
    assert done.added == log.last and killed
    assert verified(log).faults == []
    assert len(set(killed)) > 1, "another was started for the next work"


def test_the_key_is_told_to_nobody_who_looks_at_the_process(log: Log) -> None:
    log.sequence()
    key = log.database.keys.authenticity
    for file in ("cmdline", "environ"):
        shown = Path(f"/proc/{second_process().pid}/{file}").read_bytes()
        assert key not in shown and key.hex().encode() not in shown
        assert log.database.dsn.encode() not in shown


def test_it_leaves_no_connection_open(log: Log) -> None:
    log.sequence()
    verified(log)
    with psycopg.connect(log.database.owner_dsn, autocommit=True) as owner:
        for _ in range(100):
            row = owner.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            ).fetchone()
            if row == (0,):
                break
            owner.execute("SELECT pg_sleep(0.05)")
        assert row == (0,)


FIRST = """
import os, time
from application.transparency_log import parallel_reading

if __name__ == "__main__":
    print(parallel_reading._submit(os.getpid).result(), flush=True)
    time.sleep(600)
"""


def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    program = tmp_path / "first.py"
    program.write_text(FIRST)
    root = str(Path(__file__).parents[2])
    first = subprocess.Popen(
        [sys.executable, str(program)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    )
    with first:
        assert first.stdout is not None
        second = Path("/proc") / first.stdout.readline().strip()
        assert second.name.isdecimal() and second.exists()
        first.kill()
    wait_until(lambda: not _lives(second), "the second process ends")


def _lives(process: Path) -> bool:
    try:
        return "\nState:\tZ" not in (process / "status").read_text()
    except FileNotFoundError:
        return False


def test_it_ends_when_it_is_idle(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel_reading, "_IDLE_SECONDS", 0.1)
    log.sequence()
    wait_until(lambda: parallel_reading._pool is None, "the pool ends")


def test_a_seal_that_is_no_key_of_ours_is_checked_by_one_process_alone(
    log: Log, answers: list[int]
) -> None:
    authenticate = Vault(log.database.keys).authenticate
    sequencer = log.sequencer()
    sequencer._authenticate = partial(authenticate)
    assert sequencer.sequence().added == log.last
    sequencer.close()
    assert answers == []
