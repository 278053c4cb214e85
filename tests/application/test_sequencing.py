"""Sealing: every event, in order, once; whatever the size of a pass and whoever else seals."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import psycopg
import pytest
from support import controls as c
from support.county import conversation
from support.sequenced import ORIGIN, Log

from application.transparency_log.merkle import HASHES, SM3
from application.transparency_log.nodes import TreeNodes, last_checkpoint
from application.transparency_log.notes import Head, parse_checkpoint
from application.transparency_log.proofs import NotSealed, Proofs
from application.transparency_log.signer import FileSigner, SigningKeyMissing, SigningRefused


@pytest.fixture
def log(database: Any, tmp_path: Path) -> Log:
    return Log(database, tmp_path)


@pytest.mark.parametrize("hash_name", ["sha-256", "sm3"])
def test_the_root_is_that_of_the_stored_rows_however_they_were_sealed(
    log: Log, hash_name: str
) -> None:
    origin = f"test.local/ledger/{hash_name}"
    naive = log.naive(HASHES[hash_name])
    rng = random.Random(7)
    size = 0
    while (done := log.sequence(rng.choice([1, 2, 3, 16, 17]), origin)).added:
        assert done.checkpoint is not None
        size += done.added
        assert done.checkpoint.head == Head(origin, size, naive.mth(0, size))
    assert size == log.last
    assert log.faults(origin) == []


def test_nodes_above_the_first_kept_level_are_kept_whole(database: Any, tmp_path: Path) -> None:
    log = Log(database, tmp_path, copies=40)
    assert log.last > 3 * 256
    rng = random.Random(11)
    while log.sequence(rng.choice([1, 100, 255, 256, 257])).added:
        pass
    naive = log.naive(HASHES["sha-256"])
    with psycopg.connect(database.dsn) as connection:
        nodes = TreeNodes(connection, ORIGIN, HASHES["sha-256"])
        for index in range(log.last >> 8):
            assert nodes.node(8, index) == naive.mth(index << 8, (index + 1) << 8)
        for size in (1, 255, 256, 257, 700, log.last):
            assert nodes.root(size) == naive.mth(0, size)
            for index in {0, size // 2, size - 1}:
                assert nodes.inclusion_proof(index, size) == naive.path(index, 0, size)
    assert log.faults() == []


def test_nothing_new_signs_nothing_until_the_day_is_over(log: Log) -> None:
    moment = [datetime(2026, 3, 1, 8, tzinfo=UTC)]
    sequencer = log.sequencer(clock=lambda: moment[0])
    assert sequencer.sequence().added == log.last
    assert sequencer.sequence().added == 0
    assert count(log, "ledger.checkpoint") == 1
    moment[0] += timedelta(days=1)
    assert sequencer.sequence().added == 0
    sequencer.close()
    assert count(log, "ledger.checkpoint") == 2, "one a day, though nothing was told"
    assert log.faults() == []


def count(log: Log, table: str) -> int:
    with psycopg.connect(log.database.dsn) as connection:
        row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert row is not None
    return int(row[0])


def test_two_sequencers_at_once_sequence_everything_once(log: Log) -> None:
    def keep_sealing() -> None:
        sequencer = log.sequencer()
        for _ in range(60):
            sequencer.sequence(most=3)
        sequencer.close()

    sequencers = [Thread(target=keep_sealing) for _ in range(3)]
    for sequencer in sequencers:
        sequencer.start()
    with conversation(log.database) as ledger:
        for n in range(20):
            ledger.submit(c.household(ref=f"X{n}", household_no=f"X{n}"), c.BUREAU)
    for sequencer in sequencers:
        sequencer.join()
    while log.sequence().added:
        pass
    log.last += 20
    naive = log.naive(HASHES["sha-256"])
    with psycopg.connect(log.database.dsn) as connection:
        last = last_checkpoint(connection, ORIGIN)
    assert last is not None
    assert last.head == Head(ORIGIN, log.last, naive.mth(0, log.last))
    assert log.faults() == []


def test_a_pass_that_was_signed_but_not_stored_is_taken_up_again(log: Log) -> None:
    log.sequence(most=5)
    naive = log.naive(HASHES["sha-256"])
    lost = Head(ORIGIN, 20, naive.mth(0, 20))
    log.signer.sign(lost, HASHES["sha-256"], naive.subproof(5, 0, 20, True))
    done = log.sequence(most=1)
    assert done.checkpoint is not None
    assert done.checkpoint.head.size == 20
    assert log.sequence().added == log.last - 20
    assert log.faults() == []


def test_another_hash_begins_a_tree_of_its_own_and_old_receipts_stay(log: Log) -> None:
    log.sequence(most=10)
    with psycopg.connect(log.database.dsn, autocommit=True) as connection:
        before = Proofs(connection, ORIGIN).receipt(7)
        done = log.sequence(origin="test.local/ledger/sm3")
        assert done.added == log.last
        assert Proofs(connection, ORIGIN).receipt(7) == before
        after = Proofs(connection, "test.local/ledger/sm3").receipt(7)
    assert after != before
    assert log.faults("test.local/ledger/sm3") == []
    naive = log.naive(SM3)
    assert parse_checkpoint(after.partition("\n\n")[2])[0].root == naive.mth(0, log.last)


def test_what_is_not_sealed_has_no_receipt_yet(log: Log) -> None:
    log.sequence(most=10)
    with psycopg.connect(log.database.dsn, autocommit=True) as connection:
        proofs = Proofs(connection, ORIGIN)
        proofs.receipt(10)
        for ask in (
            lambda: proofs.receipt(11),
            lambda: proofs.inclusion(11, 11),
            lambda: proofs.update(11),
            lambda: proofs.consistency(3, 11),
        ):
            refused(ask)


def refused(ask: Callable[[], Any]) -> None:
    with pytest.raises(NotSealed):
        ask()


def test_a_signer_never_signs_two_truths(log: Log, tmp_path: Path) -> None:
    naive = log.naive(HASHES["sha-256"])
    sha = HASHES["sha-256"]
    log.signer.sign(Head(ORIGIN, 6, naive.mth(0, 6)), sha, [])
    again = FileSigner(log.key_file)
    with pytest.raises(SigningRefused):
        again.sign(Head(ORIGIN, 6, bytes(32)), sha, [])
    with pytest.raises(SigningRefused):
        again.sign(Head(ORIGIN, 5, naive.mth(0, 5)), sha, [])
    with pytest.raises(SigningRefused):
        again.sign(Head(ORIGIN, 9, naive.mth(0, 9)), sha, [])
    assert again.last(ORIGIN) == Head(ORIGIN, 6, naive.mth(0, 6))
    again.sign(Head(ORIGIN, 9, naive.mth(0, 9)), sha, naive.subproof(6, 0, 9, True))


def test_no_two_logs_have_one_public_key(log: Log) -> None:
    origins = [ORIGIN, "test.local/ledger/sm3", "other.local/ledger/sha-256"]
    assert len({log.signer.key(origin).public for origin in origins}) == len(origins)
    assert FileSigner(log.key_file).key(ORIGIN) == log.signer.key(ORIGIN)


@pytest.mark.parametrize("content", ["", "{}", '{"ed25519": "AAAA"}', '{"ed25519": 5}'])
def test_a_broken_signing_key_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "key.json").write_text(content)
    with pytest.raises(SigningKeyMissing):
        FileSigner(tmp_path / "key.json")


def test_the_signing_key_is_readable_by_its_owner_alone(log: Log) -> None:
    log.sequence()
    for file in (log.key_file, log.key_file.with_suffix(".last")):
        assert file.stat().st_mode & 0o077 == 0
    assert json.loads(log.key_file.with_suffix(".last").read_text())[ORIGIN].startswith(ORIGIN)


def test_sealing_holds_no_append_up(log: Log) -> None:
    """While a sequencer sits in the middle of its pass, others go on telling."""
    with psycopg.connect(log.database.dsn) as sitting:
        sitting.execute("SET ROLE mingzhang_sealer")
        sitting.execute("SELECT pg_advisory_xact_lock(7291002)")
        sitting.execute("SELECT count(*) FROM ledger.event")
        sitting.execute("INSERT INTO ledger.tree_node VALUES ('x', 0, 0, %s)", (bytes(32),))
        with conversation(log.database) as ledger:
            ledger.log.connection.execute("SET lock_timeout = '1s'")
            assert not ledger.submit(c.household(ref="X", household_no="X"), c.BUREAU).again
        assert log.sequence().added == 0, "and nobody else seals meanwhile"
        sitting.rollback()
    assert log.sequence().added == log.last + 1
