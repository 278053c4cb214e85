"""Long pieces of work that a person asks the console for: at most one at a time, kept for ever.

A job that is worked on is held by a lock of its service's connection. A row that runs without one
was left by a service that ended.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
import psycopg

from application.event_store.event_log import Clock
from application.event_store.migrations import PINNED
from domain.kernel import Author

OPTIONS: Final = f"{PINNED} -c role=mingzhang_console -c timezone=UTC"
_LOCK: Final = 7291014
_COLUMNS: Final = (
    "number, kind, asked, organisation, person, begun_at, state, done, total, ended_at, found"
)
_ABANDON: Final = (
    "UPDATE console.job SET state = 'abandoned', ended_at = now() WHERE ended_at IS NULL"
)
_UNHELD: Final = f"""
   AND NOT EXISTS (
   SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = 0 AND objid = {_LOCK}
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
"""


class JobRuns(Exception):
    """Another job is worked on."""


class Stopped(BaseException):
    """Somebody asked the job to stop. No fault of the work, so no part of it may keep it."""


class Job(NamedTuple):
    """A job: who asked when for what, how far it has come, and what it found.

    `state`: running, done, failed, stopped, or abandoned by a service that ended.
    """

    number: int
    kind: str
    asked: dict[str, Any]
    organisation: str
    person: str
    begun_at: datetime
    state: str
    done: int
    total: int
    ended_at: datetime | None
    found: dict[str, Any] | None


def connected(dsn: str) -> psycopg.Connection[Any]:
    """A connection of the console's role, each statement for itself."""
    return psycopg.connect(dsn, options=OPTIONS, autocommit=True)


class Jobs:
    """The jobs on one connection of the console's role."""

    def __init__(self, connection: psycopg.Connection[Any], clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    def begin(self, kind: str, asked: dict[str, Any], author: Author) -> int:
        """Enter a job and hold it, until the connection ends. Raises JobRuns."""
        row = self._connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,)).fetchone()
        if not (row and row[0]):
            raise JobRuns
        self._connection.execute(_ABANDON.encode())
        row = self._connection.execute(
            "INSERT INTO console.job (kind, asked, organisation, person, begun_at)"
            " VALUES (%s, %s, %s, %s, %s) RETURNING number",
            (kind, _text(asked), author.organisation, author.person, self._clock()),
        ).fetchone()
        assert row is not None
        return int(row[0])

    def progress(self, number: int, done: int, total: int) -> None:
        """Say how far it has come. Raises Stopped when somebody asked for that."""
        row = self._connection.execute(
            "UPDATE console.job SET done = %s, total = %s WHERE number = %s RETURNING stop_asked",
            (done, total, number),
        ).fetchone()
        if row and row[0]:
            raise Stopped

    def end(self, number: int, state: str, found: dict[str, Any] | None = None) -> None:
        self._connection.execute(
            "UPDATE console.job SET state = %s, ended_at = %s, found = %s WHERE number = %s",
            (state, self._clock(), None if found is None else _text(found), number),
        )

    def ask_to_stop(self, number: int) -> None:
        self._connection.execute(
            "UPDATE console.job SET stop_asked = true WHERE number = %s AND ended_at IS NULL",
            (number,),
        )

    def newest(self, most: int) -> list[Job]:
        """The newest jobs first; what a service left is entered as abandoned before."""
        self._abandon()
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM console.job ORDER BY number DESC LIMIT %s".encode(), (most,)
        )
        return list(map(_job, rows))

    def job(self, number: int) -> Job | None:
        self._abandon()
        row = self._connection.execute(
            f"SELECT {_COLUMNS} FROM console.job WHERE number = %s".encode(), (number,)
        ).fetchone()
        return row and _job(row)

    def _abandon(self) -> None:
        self._connection.execute((_ABANDON + _UNHELD).encode())


def _job(row: tuple[Any, ...]) -> Job:
    found = None if row[10] is None else msgspec.json.decode(row[10])
    return Job._make((*row[:2], msgspec.json.decode(row[2]), *row[3:10], found))


def _text(value: dict[str, Any]) -> str:
    return msgspec.json.encode(value).decode()
