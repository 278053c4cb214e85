"""The event log in PostgreSQL: append, read, follow. One writer at a time, in order.

Positions have no gaps: each append takes the lock, numbers its events from the last position
and commits before the next one may begin, so nobody who reads in order can miss an event.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from threading import Event, RLock
from typing import Any, NamedTuple, NoReturn
from uuid import UUID

import psycopg
from eventsourcing.persistence import (
    ApplicationRecorder,
    IntegrityError,
    Notification,
    ProgrammingError,
    StoredEvent,
    Subscription,
)
from psycopg.pq import TransactionStatus

from application.event_store import log_queries
from application.event_store.clock import WATCH, ClockWatch, instant_of
from application.event_store.log_queries import DATABASE_US
from application.event_store.mapper import decode
from application.event_store.migrations import PINNED
from application.event_store.row_format import (
    ARRAY_DUMPERS,
    COLUMN_ARRAYS,
    COLUMN_COUNT,
    COPY_HEADER,
    COPY_TRAILER,
    EPOCH,
    MAC_LENGTH,
    MICROSECOND,
    Report,
    columns_of,
    microseconds,
    pack_array,
    pack_stamp,
    rows_of,
)
from application.refusals import ClockJumped
from domain.kernel import AnyEvent

_READ_BACK = (
    "SELECT sha256(string_agg(stored.mac, ''::bytea ORDER BY stored.position))"
    " FROM (SELECT position, mac FROM ledger.event WHERE position > %s"
    " ORDER BY position LIMIT %s) stored"  # LIMIT: by the index, always
)
_KEYS_READ_BACK = (
    "SELECT count(*) FROM unnest(%s::uuid[], %s::bytea[]) AS kept (household_id, wrapped)"
    " WHERE EXISTS (SELECT FROM ledger.household_key k WHERE k.household_id = kept.household_id"
    " AND (k.wrapped = kept.wrapped OR k.wrapping_id <> substring(kept.wrapped FROM 1 FOR 8)))"
    " OR ledger.erased(kept.household_id)"  # rewrapped or erased by another process meanwhile
)
_APPEND_LOCK = 7291001
_SETTINGS = (
    f"{PINNED} -c role={{role}} -c lock_timeout=10s -c transaction_timeout={{seconds}}s"
    " -c timezone=UTC"
)
_COPY_BLOCK = 1 << 18
_NOTIFICATIONS_AT_ONCE = 500
_POLL_SECONDS = 0.2


TakenMeanwhile = psycopg.errors.UniqueViolation
DatabaseError = psycopg.Error
ConnectionTroubled = (psycopg.OperationalError, psycopg.InterfaceError)
DatabaseFault = psycopg.Error
NotMigrated = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.UndefinedFunction,
    psycopg.errors.UndefinedObject,
    psycopg.errors.InvalidSchemaName,
    psycopg.errors.InsufficientPrivilege,
)
"""What a login meets in a database that the owner has not brought to the present schema."""
_NO_ROOM = "53100"
_FOR_NOW = ("53", "57P0", "25006", "55P03", "58030")
"""What runs out; ended or starting; readable only; locked; a file not read or written."""


def has_no_room(fault: BaseException) -> bool:
    """Whether the database's disk is full."""
    return isinstance(fault, psycopg.Error) and fault.sqlstate == _NO_ROOM


def is_for_now(fault: BaseException) -> bool:
    """Whether the database refused what it will do at another time."""
    return isinstance(fault, psycopg.Error) and (fault.sqlstate or "").startswith(_FOR_NOW)


Authenticate = Callable[[bytes], bytes]
"""The MAC of a row: 32 bytes over its sealed columns."""
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


class ReferenceKnown(Exception):
    """A reference that was taken for new is in the log: nothing was stored."""


class NotStored(Exception):
    """What the database said it stored cannot be read back: it must not be acknowledged."""


class UnsafeDatabase(Exception):
    """The server's settings would let acknowledged events be lost or missed."""


class Stored(NamedTuple):
    """One row of the log."""

    position: int
    recorded_at: datetime
    originator_id: UUID
    originator_version: int
    topic: str
    organisation: str
    ref: str
    part: int
    told: bytes
    state: bytes
    mac: bytes

    @property
    def event_id(self) -> str:
        return f"{self.originator_id}.{self.originator_version}"

    def event(self) -> AnyEvent:
        return decode(self.topic, self.state)


class AlreadyRecorded(NamedTuple):
    """The first event of a command that is in the log."""

    position: int
    recorded_at: datetime
    fingerprint: bytes


class EventLog(ApplicationRecorder):
    """One connection to the log: the recorder of the `eventsourcing` library (its last section).

    The library's own recorder appends through a pipeline that can stop for ever while it holds the
    lock (docs/decisions/0002), so appending is our own: `begin_append`, `write`, `commit`, or
    `append_behind` for a few rows. The recorder's methods may be called from any thread; whoever
    calls the others holds `lock`, or shares it with nobody.
    """

    def __init__(
        self,
        dsn: str,
        authenticate: Authenticate | None = None,
        *,
        role: str = "mingzhang_writer",
        clock: Clock = utc_now,
        transaction_seconds: int = 60,
        watch: ClockWatch = WATCH,
    ) -> None:
        self.lock = RLock()
        self._watch = watch
        self._dsn = dsn
        self._role = role
        self._authenticate = authenticate
        self._options = _SETTINGS.format(role=role, seconds=transaction_seconds)
        if role == "mingzhang_writer":  # waits for the disk, whatever the server was told
            self._options += " -c synchronous_commit=on"
        self._clock = clock
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self._head: tuple[int, int] | None = None
        self._written: tuple[int, int, bytes] | None = None  # after, how many, hash of their MACs
        self._kept: dict[UUID, bytes] = {}
        self._destroyed: list[UUID] = []

    @property
    def connection(self) -> psycopg.Connection[tuple[Any, ...]]:
        """The connection, opened again when it was lost."""
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self._dsn, options=self._options, autocommit=True)
            for kind, dumper in ARRAY_DUMPERS.items():
                self._connection.adapters.register_dumper(kind, dumper)
        return self._connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # ---- appending --------------------------------------------------------------------

    def append_behind(self, tails: Sequence[bytes], position: int) -> tuple[int, datetime] | None:
        """Store a few rows in one question, if `position` is still the last one.

        Returns (last position, recorded_at), durably; None when the log has gone on, when a reader
        was told meanwhile that all is known through a later instant, or when this connection has
        not yet stored anything and cannot tell. Raises ReferenceKnown, NotStored.
        """
        assert self._authenticate is not None
        if self._head is None or self._head[0] != position:
            return None
        recorded_us = max(self._now_us(), self._head[1] + 1)
        columns: list[list[bytes]] = [[] for _ in COLUMN_ARRAYS]
        macs = hashlib.sha256()
        for number, tail in enumerate(tails, position + 1):
            body = pack_stamp(8, number, 8, recorded_us) + tail
            values = columns_of(tail)
            mac = self._authenticate(body)
            macs.update(mac)
            values.append(MAC_LENGTH + mac)
            for column, value in zip(columns, values, strict=True):
                column.append(value)
        recorded_at = EPOCH + recorded_us * MICROSECOND
        arrays = (
            kind(pack_array(1, 0, kind.element_oid, len(tails), 1) + b"".join(column))
            for kind, column in zip(COLUMN_ARRAYS, columns, strict=True)
        )
        row = self.connection.execute(
            "SELECT ledger.append(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (position, recorded_at, *arrays),
            prepare=True,
        ).fetchone()
        if row is None or not row[0]:
            self._head = None
            if row is not None and row[0] is None:
                raise ReferenceKnown
            return None
        self._read_back(position, len(tails), macs.digest())
        self._head = (position + len(tails), recorded_us)
        return self._head[0], recorded_at

    def begin_append(self) -> tuple[int, int]:
        """Begin a transaction, take the lock; returns (last position, last instant in µs).

        The last instant: of the last event, or through when readers were told that all is known.
        """
        cursor = self.connection.execute(
            f"BEGIN; SELECT pg_advisory_xact_lock({_APPEND_LOCK});"
            "SELECT e.position, (extract(epoch FROM greatest(e.recorded_at, w.through)) * 1000000)"
            "::bigint - 946684800000000"
            " FROM ledger.event e, ledger.watermark w ORDER BY e.position DESC LIMIT 1"
        )
        while cursor.nextset():
            pass
        row = cursor.fetchone()
        return (0, -(1 << 62)) if row is None else (row[0], row[1])

    def write(self, tails: Sequence[bytes], after: tuple[int, int]) -> tuple[int, datetime]:
        """Store rows behind `after`; returns (last position, recorded_at of all of them).

        Must stand between `begin_append` and `commit`.
        """
        assert self._authenticate is not None
        position, last_us = after
        recorded_us = max(self._now_us(), last_us + 1)
        authenticate = self._authenticate
        rows = bytearray(COPY_HEADER)
        macs = hashlib.sha256()
        with self.connection.cursor().copy("COPY ledger.event FROM STDIN (FORMAT binary)") as copy:
            for tail in tails:
                position += 1
                body = pack_stamp(8, position, 8, recorded_us) + tail
                rows += COLUMN_COUNT
                rows += body
                rows += MAC_LENGTH
                mac = authenticate(body)
                macs.update(mac)
                rows += mac
                if len(rows) > _COPY_BLOCK:
                    copy.write(bytes(rows))
                    rows.clear()
            rows += COPY_TRAILER
            copy.write(bytes(rows))
        self._head = (position, recorded_us)
        self._written = (after[0], len(tails), macs.digest())
        return position, EPOCH + recorded_us * MICROSECOND

    def _now_us(self) -> int:
        """What the clock says, in microseconds since 2000. Raises ClockJumped."""
        if self._watch.due:
            self._watch.observe(self._database_us())
        now_us = microseconds(self._clock())
        if self._watch.ahead(now_us):
            self._watch.observe(self._database_us())  # perhaps it was that one that was wrong
            if self._watch.ahead(now_us):
                raise ClockJumped(
                    clock=instant_of(now_us).isoformat(timespec="seconds"),
                    latest=instant_of(self._watch.latest()).isoformat(timespec="seconds"),
                )
        return now_us

    def _database_us(self) -> int:
        row = self.connection.execute(f"SELECT {DATABASE_US}").fetchone()
        assert row is not None
        return int(row[0])

    def keep_keys(self, wrapped: dict[UUID, bytes]) -> None:
        """Keep new household keys, in the transaction of the events they seal."""
        if wrapped:
            with self.connection.cursor().copy(
                "COPY ledger.household_key (household_id, wrapped) FROM STDIN (FORMAT binary)"
            ) as copy:
                self._kept |= wrapped
                copy.set_types(["uuid", "bytea"])
                for row in wrapped.items():
                    copy.write_row(row)

    def destroy_keys(self, households: Sequence[UUID]) -> None:
        """Destroy household keys, in the transaction of the events that say so and after them."""
        if households:
            self._destroyed += households
            self.connection.execute(
                "DELETE FROM ledger.household_key WHERE household_id = ANY(%s)", (list(households),)
            )

    def commit(self) -> None:
        """Commit what was written, and read it back: it may be acknowledged now.

        Raises NotStored.
        """
        self.connection.execute("COMMIT")
        written, self._written = self._written, None
        kept, self._kept = self._kept, {}
        destroyed, self._destroyed = self._destroyed, []
        if written is not None:
            self._read_back(*written)
        if kept:
            row = self.connection.execute(
                _KEYS_READ_BACK, (list(kept), list(kept.values()))
            ).fetchone()
            if row != (len(kept),):
                self._not_stored("户密钥 / household keys")
        if destroyed and self.wrapped_keys(destroyed):
            self._not_stored("户密钥的销毁 / the destruction of household keys")

    def _read_back(self, after: int, count: int, macs: bytes) -> None:
        """Whether the rows behind `after` are those that were sent, by the hash of their MACs.

        Raises NotStored.
        """
        row = self.connection.execute(_READ_BACK, (after, count), prepare=True).fetchone()
        if row is None or row[0] != macs:
            self._not_stored(f"第 {after + 1} 至 {after + count} 条 / events {after + 1} and on")

    def _not_stored(self, what: str) -> NoReturn:
        self._head = None
        raise NotStored(f"已提交而读不回 / was committed and cannot be read back: {what}")

    def rollback(self) -> None:
        """End a transaction that may have failed, with or without a connection."""
        self._head = self._written = None
        self._kept, self._destroyed = {}, []
        connection = self._connection
        if connection is None or connection.closed:
            return
        if connection.info.transaction_status != TransactionStatus.IDLE:
            try:
                connection.execute("ROLLBACK")
            except psycopg.Error:
                connection.close()

    # ---- reading ----------------------------------------------------------------------

    def last_position(self) -> int:
        return log_queries.last_position(self.connection)

    def changed(self, after: int, until: int) -> set[UUID]:
        """The aggregates with an event in (after, until]."""
        rows = self.connection.execute(
            "SELECT DISTINCT originator_id FROM ledger.event"
            " WHERE position > %s AND position <= %s",
            (after, until),
            binary=True,
        )
        return {row[0] for row in rows}

    def find_by_reference(
        self, references: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], AlreadyRecorded]:
        """What the log already holds under these (organisation, ref)."""
        rows = self.connection.execute(
            "SELECT asked.organisation, asked.ref, e.position, e.recorded_at, e.told"
            " FROM unnest(%s::text[], %s::text[]) AS asked (organisation, ref)"
            " CROSS JOIN LATERAL (SELECT position, recorded_at, told FROM ledger.event"
            " WHERE organisation = asked.organisation AND ref = asked.ref AND part = 0"
            " LIMIT 1) e",  # LATERAL and LIMIT: by the index, also before there are statistics
            ([organisation for organisation, _ in references], [ref for _, ref in references]),
            binary=True,
        )
        return {(row[0], row[1]): AlreadyRecorded(*row[2:]) for row in rows}

    def events_of_commands(self, positions: Sequence[int]) -> dict[int, list[tuple[UUID, int]]]:
        """The ids of the events of each command, by the position at which its first one stands."""
        rows = self.connection.execute(
            "SELECT asked.first, e.originator_id, e.originator_version"
            " FROM unnest(%s::bigint[]) AS asked (first) CROSS JOIN LATERAL ("
            "SELECT originator_id, originator_version, position FROM ledger.event"
            " WHERE position >= asked.first AND position < coalesce((SELECT position"
            " FROM ledger.event WHERE position > asked.first AND part = 0 ORDER BY position"
            " LIMIT 1), 9223372036854775807) OFFSET 0) e"  # LATERAL: by the index, always
            " ORDER BY asked.first, e.position",
            (list(positions),),
        )
        found: dict[int, list[tuple[UUID, int]]] = {}
        for first, aggregate, version in rows:
            found.setdefault(first, []).append((aggregate, version))
        return found

    def events_of(self, aggregates: Sequence[UUID]) -> Iterator[tuple[int, int, str, bytes]]:
        """(place, version, topic, state) of all events of these aggregates, each in order.

        `place`: which of `aggregates` it happened to, from 0.
        """
        return iter(
            self.connection.execute(
                "SELECT asked.place - 1, e.originator_version, e.topic, e.state"
                " FROM unnest(%s::uuid[]) WITH ORDINALITY AS asked (id, place)"
                " CROSS JOIN LATERAL (SELECT originator_version, topic, state FROM ledger.event"
                " WHERE originator_id = asked.id ORDER BY originator_version OFFSET 0) e"
                " ORDER BY asked.place, e.originator_version",  # LATERAL: by the index, always
                (list(aggregates),),
                binary=True,
            ).fetchall()
        )

    def stored(self, originator_id: UUID, version: int) -> Stored | None:
        """One event by its id."""
        row = self.connection.execute(
            "SELECT * FROM ledger.event WHERE originator_id = %s AND originator_version = %s",
            (originator_id, version),
            binary=True,
        ).fetchone()
        return None if row is None else Stored(*row)

    def wrapped_keys(self, households: list[UUID]) -> dict[UUID, bytes]:
        return log_queries.wrapped_keys(self.connection, households)

    def present_wrapping(self) -> bytes | None:
        """The id of the secret that household keys are to be wrapped under; None: the first."""
        row = self.connection.execute("SELECT ledger.present_wrapping()", binary=True).fetchone()
        return row[0] if row else None

    def looks_since(self, organisation: str, person: str, since: datetime) -> int:
        """How often a person looked at personal data after an instant."""
        row = self.connection.execute(
            "SELECT count(*) FROM ledger.event WHERE topic = 'household.looked-at.v1'"
            " AND organisation = %s AND recorded_at > %s"
            " AND convert_from(state, 'UTF8')::jsonb ->> 'person' = %s",
            (organisation, since, person),
        ).fetchone()
        return row[0] if row else 0

    def organisations(self, role: str) -> list[str]:
        return log_queries.organisation_codes(self.connection, role=role)

    # ---- the library's recorder -------------------------------------------------------

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        """Append as the events of one command, all or none; returns their positions.

        `report`, a `Report`, must be given: no event is stored without its reporter and reference.
        Raises ProgrammingError without it; IntegrityError when an event of this id and version, or
        the reference, is in the log; NotStored, ClockJumped.
        """
        if not stored_events:
            return None
        report = kwargs.get("report")
        if not isinstance(report, Report):
            raise ProgrammingError("report=Report(organisation, ref, fingerprint) is missing")
        rows = rows_of(stored_events, report)
        with self.lock:
            try:
                after = self.begin_append()
                last, _ = self.write(rows, after)
                self.commit()
            except BaseException as error:
                self.rollback()
                if isinstance(error, psycopg.errors.UniqueViolation):
                    raise IntegrityError(str(error)) from error
                raise
        return list(range(after[0] + 1, last + 1))

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        query = (
            "SELECT originator_id, originator_version, topic, state FROM ledger.event"
            " WHERE originator_id = %s"
        )
        values: list[UUID | str | int] = [originator_id]
        if gt is not None:
            query += " AND originator_version > %s"
            values.append(gt)
        if lte is not None:
            query += " AND originator_version <= %s"
            values.append(lte)
        query += f" ORDER BY originator_version {'DESC' if desc else 'ASC'}"
        if limit is not None:
            query += " LIMIT %s"
            values.append(limit)
        with self.lock:
            rows = self.connection.execute(query.encode(), values, binary=True)
            return [StoredEvent(*row) for row in rows]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Events with their positions, in order."""
        query = (
            "SELECT originator_id, originator_version, topic, state, position FROM ledger.event"
            f" WHERE position {'>=' if inclusive_of_start else '>'} %s"
        )
        values: list[int | list[str]] = [start or 0]
        if stop is not None:
            query += " AND position <= %s"
            values.append(stop)
        if topics:
            query += " AND topic = ANY (%s)"
            values.append(list(topics))
        values.append(limit)
        with self.lock:
            rows = self.connection.execute(
                f"{query} ORDER BY position LIMIT %s".encode(), values, binary=True
            )
            return [Notification(*row) for row in rows]

    def max_notification_id(self) -> int | None:
        """The last position; None for an empty log."""
        with self.lock:
            return self.last_position() or None

    def subscribe(
        self, gt: int | None = None, topics: Sequence[str] = ()
    ) -> Subscription[ApplicationRecorder]:
        """Follow the log behind the position `gt`, on another connection."""
        return LogSubscription(EventLog(self._dsn, role=self._role), gt, topics)


class LogSubscription(Subscription[EventLog]):
    """Notifications as they are recorded. It polls: a NOTIFY would make commits wait in turn."""

    def __init__(self, recorder: EventLog, gt: int | None, topics: Sequence[str]) -> None:
        super().__init__(recorder, gt, topics)
        self._ready: deque[Notification] = deque()
        self._stopped = Event()

    def __exit__(self, *args: object, **kwargs: Any) -> None:
        super().__exit__(*args, **kwargs)
        self._recorder.close()

    def stop(self) -> None:
        """Let whoever waits for the next notification go. From any thread."""
        super().stop()
        self._stopped.set()

    def __next__(self) -> Notification:
        """The next one, as soon as it is recorded. Raises StopIteration when it was stopped."""
        while not self._stopped.is_set():
            if self._ready:
                notification = self._ready.popleft()
                self._last_notification_id = notification.id
                return notification
            self._ready.extend(
                self._recorder.select_notifications(
                    self._last_notification_id,
                    _NOTIFICATIONS_AT_ONCE,
                    topics=self._topics,
                    inclusive_of_start=False,
                )
            )
            if not self._ready:
                self._stopped.wait(_POLL_SECONDS)
        raise StopIteration


def assure_safe(connection: psycopg.Connection[tuple[Any, ...]], environment: Any) -> None:
    """Refuse a server that can lose or hide what it acknowledged. Raises UnsafeDatabase."""
    wanted = {"fsync": "on", "full_page_writes": "on"}
    for name, value in wanted.items():
        if (found := _setting(connection, name)) != value:
            raise UnsafeDatabase(f"{name} = {found}; 必须为 / must be {value}")
    if (found := _setting(connection, "synchronous_commit")) not in ("on", "remote_apply"):
        raise UnsafeDatabase(f"synchronous_commit = {found}; 必须为 / must be on")
    if str(environment.get("POSTGRES_ENABLE_DB_FUNCTIONS", "")).lower() in (
        "y",
        "yes",
        "t",
        "true",
        "on",
        "1",
    ):
        raise UnsafeDatabase(
            "POSTGRES_ENABLE_DB_FUNCTIONS: 该方式写入会被读者漏读 / readers miss such events"
        )
    if connection.info.server_version < 180000:
        raise UnsafeDatabase("需要 PostgreSQL 18 / PostgreSQL 18 is needed")


def _setting(connection: psycopg.Connection[tuple[Any, ...]], name: str) -> str:
    row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
    return str(row[0]) if row else ""
