"""The tree as it is kept in the database."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from cachetools import LRUCache

from application.transparency_log import merkle
from application.transparency_log.merkle import SIZE, TreeHash
from application.transparency_log.notes import Head, parse_checkpoint

Connection = psycopg.Connection[tuple[Any, ...]]

STEP = 8
TILE = 1 << STEP
"""Only every eighth level is kept; those between follow from at most 128 nodes."""
_TILES_REMEMBERED = 512


class Checkpoint(NamedTuple):
    """A signed head as it is kept, with what witnesses added."""

    head: Head
    signed_at: datetime
    note: str
    cosignatures: tuple[str, ...] = ()

    def text(self) -> str:
        """The note with all its signatures."""
        return self.note + "".join(self.cosignatures)


class TreeNodes:
    """Reads one tree: nodes, roots and proofs of any size that was sealed."""

    def __init__(self, connection: Connection, origin: str, tree_hash: TreeHash) -> None:
        self._connection = connection
        self._tiles: LRUCache[tuple[int, int], bytes] = LRUCache(_TILES_REMEMBERED)
        self.origin = origin
        self.hash = tree_hash

    def node(self, level: int, index: int) -> bytes:
        """The hash of a complete subtree. Raises LookupError when it was not sealed."""
        up = level % STEP
        hashes = self.range(level - up, index << up, 1 << up)
        return self.hash.above(hashes, up)

    def range(self, level: int, first: int, count: int) -> bytes:
        """`count` nodes of a kept level, all within one tile of 256. Raises LookupError."""
        tile, at = divmod(first, TILE)
        until = (at + count) * SIZE
        hashes = self._tiles.get((level, tile), b"")
        if len(hashes) < until:  # not seen yet, or grown meanwhile
            hashes = self._read(level, tile * TILE, (tile + 1) * TILE)
            if len(hashes) < until:
                raise LookupError(f"{self.origin}: level {level}, {first}..{first + count}")
            self._tiles[level, tile] = hashes
        return hashes[at * SIZE : until]

    def several(self, level: int, first: int, count: int) -> bytes:
        """`count` nodes of a kept level, or what of them is there; remembered by nobody."""
        return self._read(level, first, first + count)

    def root(self, size: int) -> bytes:
        return merkle.root(self.hash, size, self.node)

    def inclusion_proof(self, index: int, size: int) -> list[bytes]:
        """Raises ValueError, LookupError."""
        return merkle.inclusion_proof(self.hash, index, size, self.node)

    def consistency_proof(self, old: int, size: int) -> list[bytes]:
        """Raises ValueError, LookupError."""
        return merkle.consistency_proof(self.hash, old, size, self.node)

    def size(self) -> int:
        """How many leaves are kept."""
        row = self._connection.execute(
            "SELECT first + length(hashes) / 32 FROM ledger.tree_node"
            " WHERE origin = %s AND level = 0 ORDER BY first DESC LIMIT 1",
            (self.origin,),
        ).fetchone()
        return 0 if row is None else row[0]

    def _read(self, level: int, begin: int, end: int) -> bytes:
        rows = self._connection.execute(
            "SELECT n.first, substr(n.hashes, 1 + 32 * greatest(%(begin)s - n.first, 0)::int,"
            " 32 * greatest(least(n.first + length(n.hashes) / 32, %(end)s)"
            " - greatest(n.first, %(begin)s), 0)::int)"
            " FROM ledger.tree_node n WHERE n.origin = %(origin)s AND n.level = %(level)s"
            " AND n.first < %(end)s AND n.first >= coalesce((SELECT max(b.first)"
            " FROM ledger.tree_node b WHERE b.origin = %(origin)s AND b.level = %(level)s"
            " AND b.first <= %(begin)s), 0) ORDER BY n.first",
            {"origin": self.origin, "level": level, "begin": begin, "end": end},
            binary=True,
        )
        return b"".join(row[1] for row in rows)


def keep_nodes(
    connection: Connection, nodes: TreeNodes, first: int, leaves: bytes, known: bytes = b""
) -> None:
    """Keep the hashes of the leaves behind leaf `first`, and the nodes that they complete.

    `known`: of the nodes over full tiles the last ones, where they were made already.
    """
    level, at, hashes = 0, first, leaves
    while hashes:
        connection.execute(
            "INSERT INTO ledger.tree_node (origin, level, first, hashes) VALUES (%s, %s, %s, %b)",
            (nodes.origin, level, at, hashes),
        )
        begun, end = at // TILE * TILE, (at + len(hashes) // SIZE) // TILE * TILE
        if end <= begun:
            return
        if begun < at:
            hashes = nodes.range(level, begun, at - begun) + hashes
        hashes = nodes.hash.above(hashes[: (end - begun) * SIZE - len(known) * TILE], STEP) + known
        level, at, known = level + STEP, begun // TILE, b""


def last_checkpoint(
    connection: Connection, origin: str, most: int | None = None
) -> Checkpoint | None:
    """The largest checkpoint of a tree (of at most `most` leaves), with its cosignatures."""
    row = connection.execute(
        "SELECT c.signed_at, c.note, ARRAY(SELECT line FROM ledger.cosignature s"
        " WHERE s.origin = c.origin AND s.size = c.size ORDER BY given_at, line)"
        " FROM ledger.checkpoint c WHERE c.origin = %s AND c.size <= coalesce(%s, c.size)"
        " ORDER BY c.size DESC, c.signed_at DESC LIMIT 1",
        (origin, most),
    ).fetchone()
    if row is None:
        return None
    return Checkpoint(parse_checkpoint(row[1])[0], row[0], row[1], tuple(row[2]))
