"""The projector of the facts: each event exactly once, in the order of the log, resumable.

The rows of a range of the log and the mark of how far the facts have come are one transaction. A
new generation of facts is made beside the one that is read and takes its place in one step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import datetime
from functools import partial
from threading import Event
from time import sleep
from typing import Any

import psycopg

from domain.calendar import civil_day
from projections.facts.projection import CORRECTIONS, projecting
from projections.facts.reading import LIVE, RAISE_WATERMARK
from projections.facts.statements import (
    PINNED,
    active_rows,
    definition,
    fingerprint,
    indexes,
    schema_of,
    tables,
)

Connection = psycopg.Connection[tuple[Any, ...]]

_BATCH = 20_000
_BUILD_BATCH = 10_000  # small enough to share a log out evenly between two connections
_PATIENCE_SECONDS = 0.1
REBUILDING = 7291005
"""The advisory lock that rebuilds share: until they end, no generation need be live."""
Job = Callable[["Projector"], None]


class Projector:
    """Keeps the live generation level with the log. Any number may run; they take turns."""

    def __init__(self, dsn: str, none_live: Callable[[], object] = lambda: None) -> None:
        """`none_live` is called when no generation is live any more, after one was."""
        self._dsn = dsn
        self._none_live = none_live
        self._found_live = False
        self._connection: Connection | None = None

    @property
    def connection(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._dsn,
                autocommit=True,
                options=f"{PINNED} -c role=mingzhang_projector -c timezone=UTC -c jit=off",
            )
        return self._connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def advance(self, most: int = _BATCH) -> int:
        """Project the next events of the log, at most `most`; returns how many there were."""
        with self.connection.transaction():
            row = self.connection.execute(
                "SELECT number, position FROM projection.generation WHERE live FOR UPDATE"
            ).fetchone()
            if row is not None:
                self._found_live = True
                number, position = row
                self._in_schema(number)
                return self._go_on(number, position, most)
        if self._found_live:
            self._none_live()
        self.rebuild()
        return 0

    def begin_day(self, now: datetime) -> None:
        """Have a new civil day be known though nothing was recorded on it; no more than that.

        Reports and red flags then say of the days before what was not done on them.
        """
        row = self.connection.execute(
            f"SELECT known_through FROM ({LIVE}) live".encode()
        ).fetchone()
        if row and row[0] and civil_day(row[0]) < civil_day(now):
            self.connection.execute(RAISE_WATERMARK, (now,))

    def catch_up(self) -> int:
        """Project until there is nothing new; returns how many events there were."""
        projected = 0
        while step := self.advance():
            projected += step
        return projected

    def of_another_version(self) -> bool:
        """Whether the facts that are read were projected by another version of this program."""
        row = self.connection.execute(
            "SELECT obj_description(to_regnamespace('facts_' || number)::oid, 'pg_namespace')"
            " FROM projection.generation WHERE live"
        ).fetchone()
        return row is not None and row[0] != fingerprint()

    def rebuild(self, progress: Callable[[int, int], None] | None = None) -> int:
        """Project all facts again beside the live ones, then let them take their place.

        Readers see the old generation whole until the new one is whole. Returns its number; raises
        RuntimeError when another rebuild began meanwhile: its generation is then the one to come.
        """
        with self._rebuilding():
            return self._rebuilt(progress)

    @contextmanager
    def _rebuilding(self) -> Iterator[None]:
        """While it lasts, nobody takes it for somebody's doing that no generation is live."""
        self.connection.execute("SELECT pg_advisory_lock_shared(%s)", (REBUILDING,))
        try:
            yield
        finally:
            if not self.connection.closed:
                self.connection.execute("SELECT pg_advisory_unlock_shared(%s)", (REBUILDING,))

    def _rebuilt(self, progress: Callable[[int, int], None] | None) -> int:
        number = self._begin()
        last = self._last_position()
        self._project_all(number, last, progress)
        with self.connection.transaction():
            self._hold(number)
            if last:
                self._mark(number, last)
            largest_first = self.connection.execute(
                "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace"
                " AND relkind = 'r' ORDER BY pg_relation_size(oid) DESC",
                (schema_of(number),),
            ).fetchall()
        finishing = [partial(Projector._finish, table=table) for (table,) in largest_first]
        for _ in self._share(number, finishing):
            pass
        self._take_over(number)
        return number

    @contextmanager
    def projected_beside(
        self, progress: Callable[[int, int], None] | None = None
    ) -> Iterator[tuple[int, int, int]]:
        """All facts projected once more, for comparison; they are gone afterwards.

        Yields (the live generation, the fresh one, the position that both have come to).
        """
        self.catch_up()
        row = self.connection.execute(
            "SELECT number, position FROM projection.generation WHERE live"
        ).fetchone()
        live, last = row or (0, 0)
        number = self._begin()
        try:
            self._project_all(number, last, progress)
            yield live, number, last
        finally:
            self._drop(number)

    def project_on(self, number: int, after: int, until: int) -> None:
        """Project (after, until] into a generation, inside the caller's transaction."""
        self._in_schema(number)
        for begin in range(after, until, _BATCH):
            self._project(begin, min(begin + _BATCH, until))

    def _project_all(
        self, number: int, last: int, progress: Callable[[int, int], None] | None
    ) -> None:
        """Project the log from its beginning to `last` into a new generation."""
        ranges = [
            partial(Projector._project, after=after, until=min(after + _BUILD_BATCH, last))
            for after in range(0, last, _BUILD_BATCH)
        ]
        for projected in self._share(number, ranges):
            if progress:
                progress(min(projected * _BUILD_BATCH, last), last)

    def _begin(self) -> int:
        """Make a new, empty generation; one that an earlier rebuild left unfinished goes."""
        with self.connection.transaction():
            self.connection.execute("LOCK TABLE projection.generation IN SHARE ROW EXCLUSIVE MODE")
            # The unfinished ones count too: with a number given twice, a projector
            # that still writes into a dropped generation would write into the new one.
            row = self.connection.execute(
                "SELECT coalesce(max(number), 0) + 1 FROM projection.generation"
            ).fetchone()
            assert row is not None
            number: int = row[0]
            self._drop_unfinished()
            self.connection.execute(
                "INSERT INTO projection.generation (number) VALUES (%s)", (number,)
            )
            self._create(number)
        return number

    def _share(self, number: int, jobs: Sequence[Job]) -> Iterator[int]:
        """Do jobs for a generation, a transaction each, here and on a second connection.

        Yields now and then, outside of any transaction, how many have been taken up; at the end,
        when all are done, all.
        """
        waiting = iter(list(enumerate(jobs, 1)))
        failed = Event()

        def work(projector: Projector) -> Iterator[int]:
            try:
                while not failed.is_set() and (taken := next(waiting, None)):
                    nth, job = taken
                    with projector.connection.transaction():
                        projector._hold(number)
                        job(projector)
                    yield nth
            except BaseException:
                failed.set()
                raise

        with closing(Projector(self._dsn)) as second, ThreadPoolExecutor(1) as pool:
            beside = pool.submit(lambda: list(work(second)))
            yield from work(self)
            beside.result()
        yield len(jobs)

    def _hold(self, number: int) -> None:
        """Turn to a generation being built, and keep it from being dropped while we do."""
        held = self.connection.execute(
            "SELECT FROM projection.generation WHERE number = %s FOR KEY SHARE", (number,)
        )
        if held.rowcount == 0:
            raise RuntimeError("another rebuild took this one's place")
        self._in_schema(number)

    def _finish(self, table: str) -> None:
        """Make the indexes of a table that has its rows."""
        self.connection.execute(f"{indexes(table)} ANALYZE {table}".encode())

    def _take_over(self, number: int) -> None:
        with self.connection.transaction():
            old = self.connection.execute(
                "SELECT number FROM projection.generation WHERE live FOR UPDATE"
            ).fetchone()
            row = self.connection.execute(
                "SELECT position FROM projection.generation WHERE number = %s FOR UPDATE",
                (number,),
            ).fetchone()
            if row is None:
                raise RuntimeError("another rebuild took this one's place")
            self._in_schema(number)
            self._go_on(number, row[0], None)
            self.connection.execute("UPDATE projection.generation SET live = false WHERE live")
            self.connection.execute(
                "UPDATE projection.generation SET live = true WHERE number = %s", (number,)
            )
        if old is not None:
            self._drop(old[0])

    def _drop(self, number: int) -> None:
        """Drop a generation once nobody reads it any more; readers begin on the new one."""
        for _ in range(50):
            try:
                with self.connection.transaction():
                    self.connection.execute("SET LOCAL lock_timeout = '200ms'")
                    self.connection.execute(
                        f"DROP SCHEMA IF EXISTS {schema_of(number)} CASCADE".encode()
                    )
                    self.connection.execute(
                        "DELETE FROM projection.generation WHERE number = %s AND NOT live",
                        (number,),
                    )
                return
            except psycopg.errors.LockNotAvailable:
                sleep(_PATIENCE_SECONDS)

    def _drop_unfinished(self) -> None:
        rows = self.connection.execute(
            "DELETE FROM projection.generation WHERE NOT live RETURNING number"
        ).fetchall()
        for (number,) in rows:
            self.connection.execute(f"DROP SCHEMA IF EXISTS {schema_of(number)} CASCADE".encode())

    def _create(self, number: int) -> None:
        schema = schema_of(number)
        self.connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE".encode())
        self.connection.execute(
            f"CREATE SCHEMA {schema}; COMMENT ON SCHEMA {schema} IS '{fingerprint()}'".encode()
        )
        self._in_schema(number)
        self.connection.execute("\n".join(map(definition, tables())).encode())
        self.connection.execute(";\n".join(map(active_rows, tables())).encode())
        self.connection.execute(
            f"GRANT USAGE ON SCHEMA {schema} TO mingzhang_reader;"
            f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO mingzhang_reader;"
            f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {schema} TO mingzhang_reader".encode()
        )

    def _in_schema(self, number: int) -> None:
        self.connection.execute(f"SET LOCAL search_path = {schema_of(number)}, pg_temp".encode())

    def _last_position(self) -> int:
        row = self.connection.execute("SELECT max(position) FROM ledger.event").fetchone()
        return (row and row[0]) or 0

    def _go_on(self, number: int, position: int, most: int | None) -> int:
        """Project what the log has after `position`, and mark it; returns how many events."""
        last = self._last_position()
        until = last if most is None else min(position + most, last)
        if until <= position:
            return 0
        for after in range(position, until, _BATCH):
            self._project(after, min(after + _BATCH, until))
        self._mark(number, until)
        return until - position

    def _mark(self, number: int, position: int) -> None:
        """Say how far a generation has come, in the transaction of its rows."""
        self.connection.execute(
            "UPDATE projection.generation SET position = %(position)s, recorded_at ="
            " (SELECT recorded_at FROM ledger.event WHERE position = %(position)s)"
            " WHERE number = %(number)s",
            {"position": position, "number": number},
        )

    def _project(self, after: int, until: int) -> None:
        """Project (after, until] into the schema in use, inside the caller's transaction."""
        recorded: dict[str, list[int]] = dict(
            self.connection.execute(
                "SELECT topic, array_agg(position) FROM ledger.event"
                " WHERE position > %s AND position <= %s GROUP BY topic",
                (after, until),
            ).fetchall()
        )
        corrections = [position for topic in CORRECTIONS for position in recorded.get(topic, ())]
        corrected = {
            row[0]
            for row in self.connection.execute(
                "SELECT DISTINCT convert_from(state, 'UTF8')::json ->> 'corrects_topic'"
                " FROM ledger.event WHERE position = ANY (%s)",
                (corrections,),
            )
        }
        work = projecting(recorded, corrections, corrected)
        self.connection.execute(";\n".join(work).encode())


def digests(connection: Connection, generation: int) -> dict[str, tuple[int, str]]:
    """For each table of a generation: its rows, and a digest that no order of rows changes."""
    found = {}
    for table in tables():
        row = connection.execute(
            "SELECT count(*), coalesce(sum(('x' || left(h, 15))::bit(60)::bigint::numeric), 0),"
            " coalesce(bit_xor(('x' || right(h, 16))::bit(64)), 0::bit(64)) FROM"
            f" (SELECT md5(t::text) AS h FROM {schema_of(generation)}.{table} t) hashed".encode()
        ).fetchone()
        assert row is not None
        found[table] = (row[0], f"{row[1]}-{row[2]}")
    return found
