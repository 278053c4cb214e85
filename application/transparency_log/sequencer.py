"""Sequences the log: leaves, nodes and a signed checkpoint over whatever was appended since.

Outside every append, in order, resumable: a pass that is killed leaves nothing, the next one
begins where the last checkpoint ends. Only one sequencer works at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC
from typing import NamedTuple

import psycopg

from application.event_store.event_log import Clock, utc_now
from application.event_store.migrations import PINNED
from application.transparency_log.log_range import Authenticate, LogRange, read_range
from application.transparency_log.merkle import HASHES, SIZE
from application.transparency_log.nodes import (
    Checkpoint,
    Connection,
    TreeNodes,
    keep_nodes,
    last_checkpoint,
)
from application.transparency_log.notes import Head, parse_checkpoint
from application.transparency_log.parallel_reading import read_ranges, source_of
from application.transparency_log.signer import Signer, SigningRefused

_SEALER_LOCK = 7291002
_SETTINGS = f"{PINNED} -c role=mingzhang_sealer -c timezone=UTC -c lock_timeout=10s"
_PASS = 1 << 16


class LogAltered(Exception):
    """What stands in the log is not what was written or sealed. `position` names where."""

    def __init__(self, position: int, zh: str, en: str) -> None:
        super().__init__(f"第 {position} 条事件 / event {position}: {zh} / {en}")
        self.position = position


class Sequenced(NamedTuple):
    """What a pass did: `added` leaves, and the checkpoint that stands now."""

    added: int
    checkpoint: Checkpoint | None


class Sequencer:
    """One connection of the sequencer with the database. Not shared between threads."""

    def __init__(
        self,
        dsn: str,
        origin: str,
        signer: Signer,
        authenticate: Authenticate,
        *,
        clock: Clock = utc_now,
    ) -> None:
        self._dsn = dsn
        self._hash = HASHES[origin.rpartition("/")[2]]
        self.origin = origin
        self._signer = signer
        self._authenticate = authenticate
        self._clock = clock
        self._connection: Connection | None = None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def sequence(self, *, most: int = _PASS) -> Sequenced:
        """Sequence up to `most` events that are not in the tree yet, and sign.

        Adds nothing while another sequencer is at work. Raises LogAltered, SigningRefused.
        """
        with self._alone() as connection:
            if connection is None:
                return Sequenced(0, None)
            last = last_checkpoint(connection, self.origin)
            nodes = TreeNodes(connection, self.origin, self._hash)
            size = last.head.size if last else 0
            signed = self._signer.last(self.origin)
            if signed is not None and signed.size > size:
                most = max(most, signed.size - size)  # signed, but the storing of it was cut off
            self._assure_kept(nodes, last)
            leaves, tiles = self._leaves(connection, nodes, size, most)
            added = len(leaves) // SIZE
            if signed is not None and signed.size > size + added:
                raise LogAltered(
                    size + added + 1,
                    f"缺失：已签署至 {signed.size}",
                    f"missing: signed up to {signed.size} before",
                )
            today = self._clock().astimezone(UTC).date()
            if not added and (last is None or last.signed_at.astimezone(UTC).date() >= today):
                return Sequenced(0, last)
            keep_nodes(connection, nodes, size, leaves, tiles)
            head = Head(self.origin, size + added, nodes.root(size + added))
            checkpoint = self._signed(nodes, head, signed)
            connection.execute(
                "INSERT INTO ledger.checkpoint (origin, size, signed_at, note)"
                " VALUES (%s, %s, %s, %s)",
                (self.origin, head.size, checkpoint.signed_at, checkpoint.note),
            )
            return Sequenced(added, checkpoint)

    def catch_up(self, told: Callable[[int], None] = lambda _: None) -> int:
        """Sequence until nothing is left; `told` is given the number added. Raises LogAltered."""
        total = 0
        while added := self.sequence().added:
            total += added
            told(added)
        return total

    def _signed(self, nodes: TreeNodes, head: Head, signed: Head | None) -> Checkpoint:
        proof: list[bytes] = []
        if signed is not None:
            proof = nodes.consistency_proof(signed.size, head.size)
        note = self._signer.sign(head, self._hash, proof)
        return Checkpoint(head, self._clock(), note)

    def _assure_kept(self, nodes: TreeNodes, last: Checkpoint | None) -> None:
        """The nodes must still be those that were signed, and no more."""
        size = last.head.size if last else 0
        kept = nodes.size()
        if kept != size:
            raise LogAltered(min(kept, size) + 1, "树节点与检查点不符", "nodes do not fit")
        if last is not None:
            key = self._signer.key(self.origin)
            if not any(key.signed(last.head, line) for line in parse_checkpoint(last.note)[1]):
                raise SigningRefused(
                    f"最后的检查点不是本密钥签署 / the last checkpoint is not by {key.text()}"
                )
        if last is not None and nodes.root(size) != last.head.root:
            raise LogAltered(size, "树节点被改动", "nodes were altered")

    def _leaves(
        self, connection: Connection, nodes: TreeNodes, after: int, most: int
    ) -> tuple[bytes, bytes]:
        """The leaves behind `after`, and nodes over their tiles: of the service's own rows, no gap.

        Where many wait, a second process reads its share.
        """

        def read(begin: int, end: int) -> LogRange:
            return read_range(connection, nodes, self._authenticate, begin, end)

        row = connection.execute("SELECT max(position) FROM ledger.event").fetchone()
        until = min(after + most, (row and row[0]) or 0)
        source = source_of(self._dsn, _SETTINGS, self.origin, self._authenticate)
        leaves, tiles = list[bytes](), list[bytes]()
        with closing(read_ranges(source, after, until, read)) as all_of_them:
            for log_range in all_of_them:
                if log_range.faults:
                    raise LogAltered(*log_range.faults[0])
                leaves.append(log_range.leaves)
                tiles.append(log_range.above)
        return b"".join(leaves), b"".join(tiles)

    @contextmanager
    def _alone(self) -> Iterator[Connection | None]:
        """A transaction in which nobody else sequences; None while another does."""
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self._dsn, options=_SETTINGS, autocommit=True)
        with self._connection.transaction():
            row = self._connection.execute(
                "SELECT pg_try_advisory_xact_lock(%s)", (_SEALER_LOCK,)
            ).fetchone()
            yield self._connection if row and row[0] else None
