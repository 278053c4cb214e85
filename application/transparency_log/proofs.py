"""What the tree proves to others: receipts, updates for witnesses, bundles of proven events."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import psycopg

from application.event_store.migrations import PINNED
from application.transparency_log.merkle import HASHES
from application.transparency_log.nodes import Checkpoint, Connection, TreeNodes, last_checkpoint
from application.transparency_log.notes import (
    COSIGNED,
    Head,
    Line,
    NoteMalformed,
    VerifierKey,
    parse_checkpoint,
)
from application.transparency_log.rows import rows_between

_PROOF = "c2sp.org/tlog-proof@v1"
READING = f"{PINNED} -c role=mingzhang_reader -c timezone=UTC"
"""What a reader's connection asks for."""


class NotSealed(Exception):
    """No checkpoint covers this position (yet)."""

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.position = position


class WitnessRefused(Exception):
    """A cosignature by nobody who was admitted, over nothing that was signed, or a wrong one."""


class Witness(NamedTuple):
    """Somebody who cosigns, and how far he has come."""

    organisation: str
    key: VerifierKey
    size: int


class Receipt(NamedTuple):
    """The receipt of one event, with what it is called."""

    event_id: str
    position: int
    receipt: str


class ProvenEvent(NamedTuple):
    """The data of a leaf and the way from it to a checkpoint's root."""

    position: int
    leaf_data: bytes
    proof: list[bytes]


class Proofs:
    """Reads one tree of the log on one connection, of a role that may read the log."""

    def __init__(self, connection: Connection, origin: str) -> None:
        self.connection = connection
        self.hash = HASHES[origin.rpartition("/")[2]]
        self._nodes = TreeNodes(connection, origin, self.hash)
        self.origin = origin

    def checkpoint(self, covering: int = 0) -> Checkpoint:
        """The newest checkpoint over position `covering`, rather one that witnesses cosigned.

        Raises NotSealed.
        """
        row = self.connection.execute(
            "SELECT size FROM ledger.cosignature WHERE origin = %s AND size >= %s"
            " GROUP BY size ORDER BY count(*) DESC, size DESC LIMIT 1",
            (self.origin, covering),
        ).fetchone()
        found = last_checkpoint(self.connection, self.origin, row[0] if row else None)
        if found is None or found.head.size < covering:
            raise NotSealed(covering)
        return found

    def newest(self) -> Checkpoint | None:
        """The newest checkpoint, whoever cosigned it."""
        return last_checkpoint(self.connection, self.origin)

    def receipt(self, position: int) -> str:
        """The receipt of one event, to be kept and checked by others. Raises NotSealed."""
        checkpoint = self.checkpoint(covering=position)
        [event] = self.events([position], checkpoint)
        return _receipt(event, checkpoint)

    def receipts(
        self, organisation: str, after: int, most: int, *, others: Collection[str] = ()
    ) -> list[Receipt]:
        """The receipts of an organisation's own sealed events behind a position.

        `others`: topics of which all events are shown, whoever told them.
        """
        newest = self.newest()
        if newest is None:
            return []
        ids = {
            row[0]: f"{row[1]}.{row[2]}"
            for row in self.connection.execute(
                "SELECT position, originator_id, originator_version FROM ledger.event"
                " WHERE position > %s AND position <= %s"
                " AND (organisation = %s OR topic = ANY (%s)) ORDER BY position LIMIT %s",
                (after, newest.head.size, organisation, list(others), most),
            )
        }
        if not ids:
            return []
        checkpoint = self.checkpoint(covering=max(ids))
        return [
            Receipt(ids[event.position], event.position, _receipt(event, checkpoint))
            for event in self.events(ids, checkpoint)
        ]

    def leaf(self, position: int) -> bytes:
        """The data of an event's leaf: what its hash is of, whether it is sealed yet or not."""
        return self.hash.prefix + b"".join(rows_between(self.connection, position - 1, position))

    def events(self, positions: Iterable[int], checkpoint: Checkpoint) -> list[ProvenEvent]:
        """Events with their proofs to one checkpoint, in order. Raises NotSealed."""
        proven = []
        for position in sorted(set(positions)):
            if not 0 < position <= checkpoint.head.size:
                raise NotSealed(position)
            row = b"".join(rows_between(self.connection, position - 1, position))
            proof = self._nodes.inclusion_proof(position - 1, checkpoint.head.size)
            proven.append(ProvenEvent(position, self.hash.prefix + row, proof))
        return proven

    def inclusion(self, position: int, size: int) -> list[bytes]:
        """The inclusion proof of an event in the tree of `size` leaves.

        Raises NotSealed; ValueError when the event is not among them.
        """
        return self._nodes.inclusion_proof(position - 1, self._signed(size))

    def consistency(self, old: int, size: int) -> list[bytes]:
        """The proof that the tree of `size` leaves begins with that of `old`.

        Raises NotSealed; ValueError when `old` is the larger one.
        """
        return self._nodes.consistency_proof(old, self._signed(size))

    def update(self, old: int) -> str:
        """The newest checkpoint for a witness who last saw `old` leaves. Raises NotSealed."""
        newest = self.newest()
        if newest is None or old > newest.head.size:
            raise NotSealed(old)
        proof = self._nodes.consistency_proof(old, newest.head.size)
        return "\n".join([f"old {old}", *map(_text, proof), "", newest.text()])

    def witnesses(self) -> list[Witness]:
        """Who was admitted, and the largest tree that each has cosigned."""
        lines = self.connection.execute(
            "SELECT size, line FROM ledger.cosignature WHERE origin = %s", (self.origin,)
        ).fetchall()
        sizes: dict[tuple[str, bytes], int] = {}
        for size, text in lines:
            line = Line.parse(text.rstrip("\n"))
            owner = (line.name, line.key_id)
            sizes[owner] = max(size, sizes.get(owner, 0))
        return [
            Witness(code, key, sizes.get((key.name, key.id), 0)) for code, key in self.admitted()
        ]

    def admitted(self) -> list[tuple[str, VerifierKey]]:
        """Who may cosign: organisation and key."""
        rows = self.connection.execute(
            "SELECT organisation, vkey FROM ledger.witness ORDER BY organisation, vkey"
        )
        return [(row[0], VerifierKey.parse(row[1])) for row in rows]

    def keep_cosignatures(self, note: str) -> int:
        """Keep what admitted witnesses signed below a checkpoint of ours; returns how many are new.

        Needs a connection that may add. Raises NoteMalformed, WitnessRefused.
        """
        head, lines = parse_checkpoint(note)
        if head not in self._heads(head.size):
            raise WitnessRefused("不是本日志签署的检查点 / not a checkpoint of this log")
        keys = [witness.key for witness in self.witnesses()]
        valid = [line for line in lines if any(key.signed(head, line) for key in keys)]
        if not valid:
            raise WitnessRefused("没有已登记见证人的有效签名 / no admitted witness signed it")
        added = 0
        for line in valid:
            key = next(key for key in keys if key.signed(head, line))
            added += self.connection.execute(
                "INSERT INTO ledger.cosignature (origin, size, line) VALUES (%s, %s, %s)"
                " ON CONFLICT DO NOTHING",
                (self.origin, head.size, key.line(line.signature)),
            ).rowcount
        return added

    def _heads(self, size: int) -> Sequence[Head]:
        rows = self.connection.execute(
            "SELECT note FROM ledger.checkpoint WHERE origin = %s AND size = %s",
            (self.origin, size),
        )
        return [parse_checkpoint(row[0])[0] for row in rows]

    def _signed(self, size: int) -> int:
        newest = self.newest()
        if newest is None or size > newest.head.size:
            raise NotSealed(size)
        return size


@contextmanager
def reading(dsn: str, origin: str) -> Iterator[Proofs]:
    """The proofs of a tree, on a reader's connection of their own."""
    with psycopg.connect(dsn, options=READING, autocommit=True) as connection:
        yield Proofs(connection, origin)


@contextmanager
def adding(dsn: str, origin: str) -> Iterator[Proofs]:
    """The same on a connection that may add cosignatures, in one transaction."""
    with psycopg.connect(dsn, options=f"{PINNED} -c role=mingzhang_sealer") as connection:
        yield Proofs(connection, origin)


def admit_witness(owner_dsn: str, organisation: str, vkey: str) -> VerifierKey:
    """Let an organisation witness with a key of its own. Raises NoteMalformed, WitnessRefused."""
    key = VerifierKey.parse(vkey)
    if key.kind != COSIGNED:
        raise NoteMalformed("须为见证密钥 / not a witness's key")
    try:
        with psycopg.connect(owner_dsn, options=PINNED) as connection:
            connection.execute(
                "INSERT INTO ledger.witness (vkey, organisation) VALUES (%s, %s)"
                " ON CONFLICT DO NOTHING",
                (vkey, organisation),
            )
    except psycopg.errors.ForeignKeyViolation as error:
        raise WitnessRefused(f"没有登记的机构 / no such organisation: {organisation}") from error
    return key


def trust_policy(log_key: VerifierKey, witnesses: Sequence[Witness], quorum: int) -> str:
    """A trust policy (C2SP tlog-policy) that asks for `quorum` of the witnesses."""
    lines = [f"log {log_key.text()}"]
    lines += [f"witness {witness.key.name} {witness.key.text()}" for witness in witnesses]
    if not quorum:
        return "\n".join([*lines, "quorum none", ""])
    members = " ".join(witness.key.name for witness in witnesses)
    return "\n".join([*lines, f"group witnesses {quorum} {members}", "quorum witnesses", ""])


def _receipt(event: ProvenEvent, checkpoint: Checkpoint) -> str:
    lines = [
        _PROOF,
        f"extra {_text(event.leaf_data)}",
        f"index {event.position - 1}",
        *map(_text, event.proof),
        "",
        checkpoint.text(),
    ]
    return "\n".join(lines)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
