"""The rows of the log as PostgreSQL itself writes them: the bytes that the leaves are made of."""

from __future__ import annotations

from collections.abc import Iterator
from select import select
from typing import Any

import psycopg

Connection = psycopg.Connection[tuple[Any, ...]]

_COLUMNS = (
    "position, recorded_at, originator_id, originator_version, topic, organisation, ref, part,"
    " told, state, mac"
)
_HEADER = 19
_TRAILER = 2
_COUNT = 2
_MAC_BEHIND_LENGTH = 36
_POSITION = slice(6, 14)
MAC_BYTES = 32


def rows_between(connection: Connection, after: int, until: int) -> Iterator[bytes]:
    """The rows at the positions (after, until], in order, each as COPY's binary form has it.

    They are taken from libpq as they come: psycopg's own reading of a COPY costs a
    microsecond a row, more than the hashing. Must be read to the end.
    """
    libpq = connection.pgconn
    libpq.send_query(
        f"COPY (SELECT {_COLUMNS} FROM ledger.event WHERE position > {after}"
        f" AND position <= {until} ORDER BY position) TO STDOUT (FORMAT binary)".encode()
    )
    while libpq.is_busy():
        select([libpq.socket], [], [])
        libpq.consume_input()
    _result(libpq)
    take, cut = libpq.get_copy_data, _HEADER
    while True:
        size, data = take(1)
        if size > _TRAILER + cut:
            yield bytes(data[cut:])
            cut = 0
        elif size == 0:
            select([libpq.socket], [], [])
            libpq.consume_input()
        elif size < 0:
            break
    while (result := libpq.get_result()) is not None:
        _assure_fine(result)


def position_of(row: bytes) -> int:
    return int.from_bytes(row[_POSITION], "big")


def sealed_part(row: bytes) -> bytes:
    """What the service's own seal (`mac`) covers: the first ten columns."""
    return row[_COUNT:-_MAC_BEHIND_LENGTH]


def _result(libpq: Any) -> None:
    result = libpq.get_result()
    if result is not None:
        _assure_fine(result)


def _assure_fine(result: Any) -> None:
    """Raises psycopg.DatabaseError."""
    if result.status in (
        psycopg.pq.ExecStatus.FATAL_ERROR,
        psycopg.pq.ExecStatus.BAD_RESPONSE,
    ):
        raise psycopg.errors.error_from_result(result)
