"""The rows of the log as PostgreSQL itself writes them: the bytes that the leaves are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from select import select
from typing import Any, BinaryIO

import psycopg

Connection = psycopg.Connection[tuple[Any, ...]]

_COLUMNS = (
    "position, recorded_at, originator_id, originator_version, topic, organisation, ref, part,"
    " told, state, mac"
)
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
_TOLD_EVERY = 20_000
POSITION = slice(6, 14)
AUTHENTICATED = slice(2, -36)
"""What the service's own seal (`mac`) covers: the first ten columns."""
MAC = slice(-32, None)
"""Where these stand in a row."""


def rows_between(connection: Connection, after: int, until: int) -> Iterator[bytes]:
    """The rows at the positions (after, until], in order, each as COPY's binary form has it.

    Must be read to the end.
    """
    blocks = _copied(connection, f"WHERE position > {after} AND position <= {until}")
    first = next(blocks)[len(HEADER) :]
    if first != TRAILER:
        yield first
    for block in blocks:
        if block != TRAILER:
            yield block


def columns_of(row: bytes) -> list[bytes | None]:
    """The columns of a row, None for NULL; fewer than it says where it is cut off."""
    columns: list[bytes | None] = []
    at = 2
    while at < len(row):
        length = int.from_bytes(row[at : at + 4], "big", signed=True)
        at += 4
        columns.append(row[at : at + length] if length >= 0 else None)
        at += max(length, 0)
    return columns


def export_log(
    connection: Connection, file: BinaryIO, told: Callable[[int], None] = lambda _: None
) -> int:
    """Write the whole log as COPY's binary form; returns how many events it was."""
    blocks = 0
    for block in _copied(connection, ""):
        file.write(block)
        blocks += 1
        if blocks % _TOLD_EVERY == 0:
            told(blocks)
    return blocks - 1  # the last one is the trailer


def _copied(connection: Connection, where: str) -> Iterator[bytes]:
    """What COPY sends, block by block: a row each, the header before the first, then the trailer.

    Taken from libpq as it comes: psycopg's own reading of a COPY costs a microsecond a row, more
    than the hashing.
    """
    libpq = connection.pgconn
    libpq.send_query(
        f"COPY (SELECT {_COLUMNS} FROM ledger.event {where} ORDER BY position)"
        " TO STDOUT (FORMAT binary)".encode()
    )
    while libpq.is_busy():
        _wait(libpq)
    _assure_fine(libpq, libpq.get_result())
    take = libpq.get_copy_data
    while True:
        size, data = take(1)
        if size > 0:
            yield bytes(data)
        elif size == 0:
            _wait(libpq)
        else:
            break
    while (result := libpq.get_result()) is not None:
        _assure_fine(libpq, result)


def _wait(libpq: Any) -> None:
    select([libpq.socket], [], [])
    libpq.consume_input()


def _assure_fine(libpq: Any, result: Any) -> None:
    """Raises psycopg.DatabaseError; the connection takes the next query all the same."""
    if result is not None and result.status in (
        psycopg.pq.ExecStatus.FATAL_ERROR,
        psycopg.pq.ExecStatus.BAD_RESPONSE,
    ):
        while libpq.get_result() is not None:
            pass
        raise psycopg.errors.error_from_result(result)
