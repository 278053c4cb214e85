"""Drawing the facts: exactly once, in the order of the log, resumable, and again from nothing.

The rows of a stretch of the log and the mark how far it came are one transaction. A new drawing
(generation) is made beside the one that is read and takes its place in one step.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from time import sleep
from typing import Any, NamedTuple

import psycopg

from domain.catalogue import EVENTS

Connection = psycopg.Connection[tuple[Any, ...]]

_BATCH = 20_000
_PATIENCE_SECONDS = 0.1
_BUILD_BATCH = 50_000
_CORRECTED = [topic for topic in EVENTS if topic.endswith(".corrected.v1")]
_TOLD = (
    "(SELECT position AS of_position, position, recorded_at, 1::smallint AS sign,"
    " originator_id, organisation, ref, convert_from(state, 'UTF8')::jsonb AS content"
    " FROM ledger.event WHERE topic = '{topic}' AND position > {after} AND position <= {until})"
)
_TOLD_AND_CORRECTED = (
    "(SELECT of_position, position, recorded_at, sign, originator_id, organisation, ref, content"
    " FROM {told} t UNION ALL SELECT e.position, c.position, c.recorded_at, (-1)::smallint,"
    " e.originator_id, e.organisation, e.ref, convert_from(e.state, 'UTF8')::jsonb"
    " FROM ledger.event c JOIN ledger.event e ON e.originator_id = c.originator_id"
    " AND e.originator_version = (convert_from(c.state, 'UTF8')::jsonb ->> 'corrects')::bigint"
    " WHERE c.topic = ANY ('{{{corrections}}}') AND c.position > {after} AND c.position <= {until}"
    " AND e.topic = '{topic}')"
)


class Statement(NamedTuple):
    topic: str
    sql: str


def _read(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def statements() -> list[Statement]:
    """The statements of draw.sql, in order."""
    parts = re.split(r"^-- topic: (\S+)\n", _read("draw.sql"), flags=re.MULTILINE)[1:]
    return [
        Statement(topic, sql.strip()) for topic, sql in zip(parts[::2], parts[1::2], strict=True)
    ]


def tables() -> list[str]:
    return re.findall(r"^CREATE TABLE (\w+)", _read("schema.sql"), flags=re.MULTILINE)


def schema_of(generation: int) -> str:
    return f"facts_{generation}"


_STATEMENTS = statements()
WITHOUT_FACTS = {
    "household.borrowed.v1",
    "household.erased.v1",
    "household.looked-at.v1",
    *_CORRECTED,
}
"""Events that say nothing of their own: a link kept for decisions, what became of personal data,
and corrections."""
_unknown = EVENTS.keys() - {s.topic for s in _STATEMENTS} - WITHOUT_FACTS
assert not _unknown, f"no fact says what these events mean: {_unknown}"


class Projector:
    """Keeps the live generation in step with the log. Any number may run; they take turns."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: Connection | None = None

    @property
    def connection(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._dsn,
                autocommit=True,
                options="-c role=mingzhang_projector -c timezone=UTC -c jit=off",
            )
        return self._connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def advance(self, most: int = _BATCH) -> int:
        """Draw the next stretch of the log, up to `most` events; returns how many it was."""
        with self.connection.transaction():
            row = self.connection.execute(
                "SELECT number, position FROM projection.generation WHERE live FOR UPDATE"
            ).fetchone()
            if row is not None:
                return self._draw(row[0], row[1], most)
        self.rebuild()
        return 0

    def catch_up(self) -> int:
        """Draw until nothing new is there; returns how many events it was."""
        drawn = 0
        while step := self.advance():
            drawn += step
        return drawn

    def rebuild(self, progress: Callable[[int, int], None] | None = None) -> int:
        """Draw all facts anew beside the live ones, then let them take their place.

        Readers see the old generation whole until the new one is whole. Returns its number.
        """
        number = self._begin_generation()
        last = self._last_position()
        position = 0
        while position < last:
            with self.connection.transaction():
                position += self._draw(number, position, _BUILD_BATCH)
            if progress:
                progress(position, last)
        with self.connection.transaction():
            self._in_schema(number)
            self.connection.execute(_read("indexes.sql").encode())
            for table in tables():
                self.connection.execute(
                    f"CREATE INDEX ON {table} (of_position) WHERE sign = -1".encode()
                )
            self.connection.execute("; ".join(f"ANALYZE {table}" for table in tables()).encode())
        self._take_over(number)
        return number

    @contextmanager
    def drawn_beside(
        self, progress: Callable[[int, int], None] | None = None
    ) -> Iterator[tuple[int, int, int]]:
        """All facts drawn once more, for comparison; they are gone afterwards.

        Yields (the live generation, the fresh one, the position that both have come to).
        """
        self.catch_up()
        row = self.connection.execute(
            "SELECT number, position FROM projection.generation WHERE live"
        ).fetchone()
        live, last = row or (0, 0)
        number = self._begin_generation()
        try:
            position = 0
            while position < last:
                with self.connection.transaction():
                    position += self._draw(number, position, min(_BUILD_BATCH, last - position))
                if progress:
                    progress(position, last)
            yield live, number, last
        finally:
            self._drop(number)

    def _begin_generation(self) -> int:
        """A new, empty generation beside the live one."""
        with self.connection.transaction():
            self.connection.execute("LOCK TABLE projection.generation IN SHARE ROW EXCLUSIVE MODE")
            self._drop_unfinished()
            row = self.connection.execute(
                "SELECT coalesce(max(number), 0) + 1 FROM projection.generation"
            ).fetchone()
            assert row is not None
            number: int = row[0]
            self.connection.execute(
                "INSERT INTO projection.generation (number) VALUES (%s)", (number,)
            )
            self._create(number)
        return number

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
            position = row[0]
            while step := self._draw(number, position, _BATCH):
                position += step
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
        self.connection.execute(f"CREATE SCHEMA {schema}".encode())
        self._in_schema(number)
        self.connection.execute(_read("schema.sql").encode())
        for table in tables():
            self.connection.execute(_standing(table).encode())
        self.connection.execute(
            f"GRANT USAGE ON SCHEMA {schema} TO mingzhang_reader;"
            f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO mingzhang_reader;"
            f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {schema} TO mingzhang_reader".encode()
        )

    def _in_schema(self, number: int) -> None:
        self.connection.execute(f"SET LOCAL search_path = {schema_of(number)}".encode())

    def _last_position(self) -> int:
        row = self.connection.execute("SELECT max(position) FROM ledger.event").fetchone()
        return (row and row[0]) or 0

    def _draw(self, number: int, after: int, most: int) -> int:
        """Draw (after, after + most] into a generation, inside the caller's transaction."""
        until = min(after + most, self._last_position())
        if until <= after:
            return 0
        stretch = {"after": after, "until": until}
        told = {
            row[0]
            for row in self.connection.execute(
                "SELECT DISTINCT topic FROM ledger.event WHERE position > %(after)s"
                " AND position <= %(until)s",
                stretch,
            )
        }
        corrected: set[str] = set()
        if not told.isdisjoint(_CORRECTED):
            corrected = {
                row[0]
                for row in self.connection.execute(
                    "SELECT DISTINCT convert_from(state, 'UTF8')::jsonb ->> 'corrects_topic'"
                    " FROM ledger.event WHERE topic = ANY(%(topics)s)"
                    " AND position > %(after)s AND position <= %(until)s",
                    {**stretch, "topics": _CORRECTED},
                )
            }
        work = list(_statements_for(told, corrected, after, until))
        work.append(
            f"UPDATE projection.generation SET position = {until}, recorded_at = (SELECT"
            f" recorded_at FROM ledger.event WHERE position = {until}) WHERE number = {number}"
        )
        self._in_schema(number)
        self.connection.execute(";\n".join(work).encode())
        return until - after


def _statements_for(told: set[str], corrected: set[str], after: int, until: int) -> Iterator[str]:
    for statement in _STATEMENTS:
        if statement.topic not in told and statement.topic not in corrected:
            continue
        places = {"topic": statement.topic, "after": after, "until": until}
        source = _TOLD.format(**places)
        if statement.topic in corrected:
            source = _TOLD_AND_CORRECTED.format(
                told=source, corrections=",".join(_CORRECTED), **places
            )
        yield statement.sql.rstrip(";").replace("{told}", source)


def _standing(table: str) -> str:
    """A function of the rows of `table` that stand at two dates: said, and not taken back.

    It is one plain query, so PostgreSQL plans it as part of the question that asks it.
    """
    return (
        f"CREATE FUNCTION standing_{table}(as_of date, known_at timestamptz)"
        f" RETURNS SETOF {table} LANGUAGE sql STABLE PARALLEL SAFE"
        f" BEGIN ATOMIC SELECT s.* FROM {table} s WHERE s.sign = 1"
        " AND s.effective_on <= $1 AND s.recorded_at <= $2"
        f" AND NOT EXISTS (SELECT FROM {table} b WHERE b.sign = -1"
        " AND b.of_position = s.of_position AND b.recorded_at <= $2); END"
    )


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
