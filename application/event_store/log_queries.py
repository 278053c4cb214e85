"""What is asked of the log and of the keys beside it, on any connection that may read them.

Positions are those of the log, from 1; 0 stands for an empty log.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, NamedTuple
from uuid import UUID

from application.event_store.clock import TOLERANCE
from application.event_store.guards import Connection

DATABASE_US = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint - 946684800000000"
"""The database's clock in SQL, in microseconds since 2000."""
_CLOCKS = f"""
SELECT {DATABASE_US}, coalesce(e.position, 0),
       coalesce(e.recorded_at > clock_timestamp() + interval '{TOLERANCE.seconds} s', false)
  FROM (SELECT) one LEFT JOIN LATERAL
       (SELECT position, recorded_at FROM ledger.event ORDER BY position DESC LIMIT 1) e ON true
"""
_LISTED = """
SELECT e.originator_id, (l ->> 'line')::int
  FROM ledger.event e, jsonb_array_elements(convert_from(e.state, 'UTF8')::jsonb -> 'lines') l
 WHERE e.originator_id = ANY (%s) AND e.topic = 'batch.listed.v1' AND l ->> %s = %s
"""


class Clocks(NamedTuple):
    """The database's clock in µs since 2000, the last position, and whether it is in the future."""

    database_us: int
    last_position: int
    ahead: bool


def last_position(connection: Connection) -> int:
    return _number(connection, "SELECT coalesce(max(position), 0) FROM ledger.event")


def position_of(connection: Connection, originator_id: str, version: str) -> int | None:
    """Where an event stands; None when there is none of this id. Both are numbers as text."""
    row = connection.execute(
        "SELECT position FROM ledger.event WHERE originator_id = %s AND originator_version = %s",
        (originator_id, version),
    ).fetchone()
    return None if row is None else int(row[0])


def position_by_reference(connection: Connection, organisation: str, ref: str) -> int | None:
    """Where the first event of an organisation's own reference stands; None when there is none."""
    row = connection.execute(
        "SELECT position FROM ledger.event WHERE organisation = %s AND ref = %s AND part = 0",
        (organisation, ref),
    ).fetchone()
    return None if row is None else int(row[0])


def clocks(connection: Connection) -> Clocks:
    row = connection.execute(_CLOCKS.encode()).fetchone()
    assert row is not None
    return Clocks(*row)


def last_erasure(connection: Connection) -> int:
    """The position of the last household that was erased; 0 when none was."""
    return _number(
        connection,
        "SELECT coalesce(max(position), 0) FROM ledger.event WHERE topic = 'household.erased.v1'",
    )


def erased_after(connection: Connection, position: int) -> list[tuple[int, UUID]]:
    """(position, household) of each erasure behind a position, in order."""
    return connection.execute(
        "SELECT position, originator_id FROM ledger.event"
        " WHERE topic = 'household.erased.v1' AND position > %s ORDER BY position",
        (position,),
    ).fetchall()


def listed_lines(
    connection: Connection, batches: Collection[UUID], key: str, value: str
) -> list[tuple[UUID, int]]:
    """(batch, line) of the lines of these batches whose `key` is `value`."""
    return connection.execute(_LISTED, (list(batches), key, value)).fetchall()


def member_events(
    connection: Connection, households: Collection[UUID]
) -> Iterable[tuple[UUID, int, str, bytes]]:
    """(household, version, topic, state) of the events that name members, in order."""
    return connection.execute(
        "SELECT originator_id, originator_version, topic, state FROM ledger.event"
        " WHERE originator_id = ANY(%s) AND topic IN"
        " ('household.registered.v1', 'household.members-changed.v1')"
        " ORDER BY originator_id, originator_version",
        (list(households),),
        binary=True,
    )


def disbursements(
    connection: Connection, loans: Collection[UUID]
) -> Iterable[tuple[UUID, int, str, bytes]]:
    """(loan, version, topic, state) of the disbursements of these loans, in order."""
    return connection.execute(
        "SELECT originator_id, originator_version, topic, state FROM ledger.event"
        " WHERE originator_id = ANY(%s) AND topic = 'loan.disbursed.v1'"
        " ORDER BY originator_id, originator_version",
        (list(loans),),
        binary=True,
    )


def organisation_codes(connection: Connection, *, role: str | None = None) -> list[str]:
    """The codes of all organisations, or of those of a role, in order."""
    rows = connection.execute(
        "SELECT code FROM ledger.organisation"
        " WHERE %(role)s::text IS NULL OR role = %(role)s ORDER BY code",
        {"role": role},
    )
    return [code for (code,) in rows]


def wrapped_keys(connection: Connection, households: Collection[UUID]) -> dict[UUID, bytes]:
    """The wrapped key of each household that has one, under the present secret where there is."""
    rows = connection.execute(
        "SELECT household_id, wrapped FROM ledger.household_key WHERE household_id = ANY(%s)"
        " ORDER BY wrapping_id = (SELECT ledger.present_wrapping())",  # the last one holds
        (list(households),),
        binary=True,
    )
    return dict(rows.fetchall())


def newest_checkpoint(connection: Connection, origin: str) -> list[Any]:
    """The note of the newest checkpoint of a tree; empty when there is none."""
    rows = connection.execute(
        "SELECT note FROM ledger.checkpoint WHERE origin = %s ORDER BY size DESC LIMIT 1", (origin,)
    )
    return [note for (note,) in rows]


def sequenced(connection: Connection, origin: str | None = None) -> int:
    """How many events stand under a checkpoint of a tree, or of any tree."""
    return _number(
        connection,
        "SELECT coalesce(max(size), 0) FROM ledger.checkpoint"
        " WHERE %(origin)s::text IS NULL OR origin = %(origin)s",
        {"origin": origin},
    )


def _number(connection: Connection, query: str, parameters: dict[str, Any] | None = None) -> int:
    row = connection.execute(query.encode(), parameters).fetchone()
    assert row is not None
    return int(row[0])
