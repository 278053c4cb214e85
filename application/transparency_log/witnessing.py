"""Checkpoints with who cosigned each, and how far each witness has come."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from application.transparency_log.nodes import Connection
from application.transparency_log.notes import Line, VerifierKey, parse_checkpoint
from application.transparency_log.proofs import Witness

_CHECKPOINTS = """
SELECT c.size, c.signed_at, c.note,
       ARRAY(SELECT s.line FROM ledger.cosignature s
              WHERE s.origin = c.origin AND s.size = c.size)
  FROM ledger.checkpoint c
 WHERE c.origin = %(origin)s AND (%(below)s::bigint IS NULL OR c.size < %(below)s)
 ORDER BY c.size DESC, c.signed_at DESC LIMIT %(most)s
"""
_COVERS = """
SELECT size, signed_at FROM ledger.checkpoint
 WHERE origin = %s AND size >= %s ORDER BY size, signed_at LIMIT 1
"""
_SEEN = "SELECT line, given_at FROM ledger.cosignature WHERE origin = %s ORDER BY given_at"


class Signed(NamedTuple):
    """A checkpoint, and whether each of the witnesses cosigned it, in their order."""

    size: int
    signed_at: datetime
    root: str
    """In hexadecimal."""
    cosigned: list[bool]


def checkpoints(
    connection: Connection, origin: str, witnesses: list[Witness], below: int | None, most: int
) -> list[Signed]:
    """The largest checkpoints, of less than `below` events, the largest first."""
    rows = connection.execute(_CHECKPOINTS, {"origin": origin, "below": below, "most": most})
    return [
        Signed(
            size,
            signed_at,
            parse_checkpoint(note)[0].root.hex(),
            [_has_signed(witness.key, lines) for witness in witnesses],
        )
        for size, signed_at, note, lines in rows
    ]


def first_covering(
    connection: Connection, origin: str, position: int
) -> tuple[int, datetime] | None:
    """Size and instant of the first checkpoint over an event; None: it is not sealed."""
    return connection.execute(_COVERS, (origin, position)).fetchone()


def last_seen(
    connection: Connection, origin: str, witnesses: list[Witness]
) -> list[datetime | None]:
    """When each witness gave a cosignature last; None: never."""
    given: dict[tuple[str, bytes], datetime] = {}
    for text, given_at in connection.execute(_SEEN, (origin,)):
        line = Line.parse(text.rstrip("\n"))
        given[line.name, line.key_id] = given_at
    return [given.get((witness.key.name, witness.key.id)) for witness in witnesses]


def _has_signed(key: VerifierKey, lines: list[str]) -> bool:
    """Whether a line of the key's name and id is there; it was verified when it was kept."""
    parsed = [Line.parse(text.rstrip("\n")) for text in lines]
    return any((line.name, line.key_id) == (key.name, key.id) for line in parsed)
