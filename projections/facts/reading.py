"""Asking the facts: one consistent view at two dates, and the place in the log that it saw.

A view's answers are final up to `known_through`: everything the ledger had learnt by then is
in them, and nothing recorded later can carry an earlier `recorded_at`. When the facts are level
with the log, that is now: the log is asked to record nothing at or before this instant any more
(the watermark, docs/decisions/0028), so that a day goes by though nothing is recorded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from datetime import UTC, date, datetime, timedelta
from functools import cache, cached_property, lru_cache
from importlib import resources
from typing import Any, NamedTuple

import msgspec
import psycopg
from psycopg_pool import ConnectionPool

from domain.calendar import civil_day
from domain.policy import POLICY, Book, Ruling, Value
from domain.programme import ruling_of
from projections.columns import Columns, keys
from projections.facts.answer_cache import Memory
from projections.facts.cancellation import cancelled_with_caller
from projections.facts.statements import PINNED, schema_of

Connection = psycopg.Connection[tuple[Any, ...]]
_OPTIONS = (
    f"{PINNED} -c role=mingzhang_reader -c timezone=UTC -c jit=off -c statement_timeout=60s"
    " -c work_mem=64MB"
)


# A ruling may rule from a day after as_of: it is asked for by what was known alone.
_RULINGS = """
SELECT r.rule, r.value, r.effective_on, r.told_on, r.document, r.number
  FROM facts.ruling r
 WHERE r.sign = 1 AND r.recorded_at <= %(known_at)s
   AND NOT EXISTS (SELECT FROM facts.ruling b WHERE b.sign = -1
                    AND b.of_position = r.of_position AND b.recorded_at <= %(known_at)s)
 ORDER BY r.number, r.rule
"""
_ATTEMPTS = 5
_REMEMBERED = 100_000
"""Lines of answers kept to be given again."""
_BEFORE_ALL = datetime(1970, 1, 1, tzinfo=UTC)
_FRESH = timedelta(seconds=1)
"""A view of all that is known says so of an instant at most so long ago: one write a second."""
LIVE = """
SELECT g.number, g.position, CASE WHEN g.position > 0 THEN g.recorded_at END AS drawn_through,
       CASE WHEN g.position > 0 THEN greatest(g.recorded_at,
            CASE WHEN g.position >= w.position THEN w.through END) END AS known_through
  FROM projection.generation g, ledger.watermark w WHERE g.live
"""
"""The live facts: how far they are drawn, and through when all that was recorded is in them.

All events behind the watermark's position are recorded after its instant. Facts that have come to
this position therefore hold everything recorded up to this instant, whatever the log holds by now.
"""


class Generation(NamedTuple):
    """Facts that are read: their number, and the position through which they are projected."""

    number: int
    position: int


def live_generation(connection: Connection) -> Generation | None:
    """The facts that are read now; None before any were projected."""
    row = connection.execute(
        "SELECT number, position FROM projection.generation WHERE live"
    ).fetchone()
    return None if row is None else Generation(*row)


def last_drawn(connection: Connection) -> datetime | None:
    """When the last event of the live facts was recorded; None when there is none."""
    row = connection.execute(LIVE.encode()).fetchone()
    return None if row is None else row[2]


RAISE_WATERMARK = "SELECT ledger.raise_watermark(%s)"
Clock = Callable[[], datetime]
_READ = re.compile(r"\bfacts\.(?:standing_)?(\w+)|\bledger\.event\b")
_IS_NULL = re.compile(r"%\((\w+)\)s::\w+(?:\[\])? IS NULL")
EVERY_EVENT = "event"
"""What `tables_read` calls the log itself."""


@cache
def tables_read(query_text: str) -> frozenset[str]:
    """The tables of the facts that an SQL question reads; EVERY_EVENT if it reads the log."""
    return frozenset(match[1] or EVERY_EVENT for match in _READ.finditer(query_text))


@lru_cache(maxsize=64)
def _book(rows: tuple[tuple[Any, ...], ...]) -> Book:
    return POLICY.extended(
        [
            ruling_of(rule, _value(value), effective_on, told_on, document, number)
            for rule, value, effective_on, told_on, document, number in rows
        ]
    )


def book_of(rows: Iterable[tuple[Any, ...]]) -> Book:
    """The book of rows (rule, value as JSON, from, told on, document, number), in order."""
    return _book(tuple(map(tuple, rows)))


def _value(text: str) -> Value:
    return msgspec.json.decode(text, type=int | tuple[int | str, ...])


@lru_cache(maxsize=256)
def _settled(query_text: str, unasked: frozenset[str]) -> str:
    """The question where `%(bank)s::text IS NULL` is answered for each parameter already."""
    return _IS_NULL.sub(lambda found: "TRUE" if found[1] in unasked else "FALSE", query_text)


@lru_cache(maxsize=256)
def _of_schema(query_text: str, schema: str) -> bytes:
    """The question to one generation of the facts."""
    return query_text.replace("facts.", schema + ".").encode()


class NotDrawnYet(Exception):
    """No facts have been drawn yet: the projector has never run."""


class Rows(NamedTuple):
    """What SQL gives: the names of its columns, and its rows. It is worked with, not shown."""

    names: tuple[str, ...]
    rows: list[tuple[Any, ...]]

    def dicts(self) -> Iterator[dict[str, Any]]:
        return (dict(zip(self.names, row, strict=True)) for row in self.rows)


class Table(NamedTuple):
    """An answer: its columns, each declared with titles, kind and unit, and its rows."""

    columns: Columns
    rows: list[tuple[Any, ...]]

    @property
    def keys(self) -> tuple[str, ...]:
        return keys(self.columns)

    def dicts(self) -> Iterator[dict[str, Any]]:
        names = self.keys
        return (dict(zip(names, row, strict=True)) for row in self.rows)


class ColumnsDiffer(Exception):
    """A query gives other columns than are declared beside it."""


class _Planning:
    """Whether a transaction plans a prepared question once, or for each of its values."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._once = False

    def turn(self, *, once: bool) -> None:
        """Plan as asked from now on, until the transaction ends."""
        if once != self._once:
            mode = "force_generic_plan" if once else "auto"
            self._connection.execute(f"SET LOCAL plan_cache_mode = {mode}".encode())
            self._once = once


class View:
    """The facts as of a day, as known at an instant, from one snapshot of the database."""

    def __init__(
        self,
        connection: Connection,
        schema: str,
        position: int,
        drawn_through: datetime,
        known_through: datetime,
        sealed: int,
        as_of: date,
        known_at: datetime | None,
        memory: Memory | None = None,
        planning: _Planning | None = None,
    ) -> None:
        self.connection = connection
        self._schema = schema
        self.position = position
        self.sealed = sealed
        """How many events stood under a signed checkpoint."""
        self.drawn_through = drawn_through
        """When the last event that is drawn was recorded."""
        self.known_through = known_through
        self.as_of = as_of
        self.tables: set[str] = set()
        """What the questions put so far have read."""
        self.known_at = min(known_at or known_through, known_through)
        self.memory = memory
        self._planning = planning or _Planning(connection)

    @cached_property
    def known_on(self) -> date:
        """The civil day up to which documents were published, for what is known here."""
        return civil_day(self.known_at)

    @property
    def place(self) -> tuple[str, date, datetime, date, int]:
        """What decides every answer: the facts, both dates, and how far they go if that matters.

        Nothing recorded later is known at an instant before `known_through`. Behind the last event
        that is drawn, one instant of a civil day answers as another.
        """
        last = self.position if self.known_at >= self.drawn_through else 0
        told_by = min(self.known_at, self.drawn_through)
        return self._schema, self.as_of, told_by, self.known_on, last

    @property
    def today(self) -> date:
        """The last day of which the view can say that something was not done."""
        return min(self.as_of, self.known_on)

    @cached_property
    def is_empty(self) -> bool:
        """Whether no event at all was recorded by then: the county before its first event."""
        first = "SELECT FROM ledger.event WHERE position = 1 AND recorded_at <= %s"
        return self.connection.execute(first, (self.known_at,)).fetchone() is None

    @cached_property
    def book(self) -> Book:
        """Every ruling that was known: those the county began with, and those told by then."""
        return book_of(self.query(_RULINGS).rows)

    def at(self, as_of: date, known_at: datetime) -> View:
        """The same snapshot at two other dates; nothing is known later than by this view."""
        return View(
            self.connection,
            self._schema,
            self.position,
            self.drawn_through,
            self.known_through,
            self.sealed,
            as_of,
            min(known_at, self.known_at),
            self.memory,
            self._planning,
        )

    def supposing(self, ruling: Ruling) -> View:
        """The same view, had this ruling been known as well: what would another threshold show?"""
        other = copy(self)
        other.memory = None  # its answers are nobody else's
        other.book = self.book.extended([ruling])
        return other

    def book_known_at(self, instant: datetime) -> Book:
        """Every ruling that was known at another instant, none after the view's own."""
        return book_of(self.query(_RULINGS, known_at=min(instant, self.known_at)).rows)

    def query(self, query_text: str, **parameters: object) -> Rows:
        """Put an SQL question (`facts.` names the facts; as_of and known_at are given)."""
        # Never prepared: a plan that suits any two dates and any reader takes seconds for what a
        # plan made for these takes milliseconds.
        return self._put(query_text, parameters, prepare=False)

    def lookup(self, query_text: str, **parameters: object) -> Rows:
        """Put a question about loans or households that are named, by an index.

        It is planned once: to plan such a question takes several times as long as to answer it.
        What is not asked about (`%(bank)s::text IS NULL OR`) is settled first, so that the plan of
        a few loans is not that of a county.
        """
        unasked = frozenset(name for name, value in parameters.items() if value is None)
        return self._put(_settled(query_text, unasked), parameters, prepare=True)

    def _put(self, query_text: str, parameters: dict[str, object], *, prepare: bool) -> Rows:
        self.tables |= tables_read(query_text)
        self._planning.turn(once=prepare)
        cursor = self.connection.cursor(binary=True)
        cursor.execute(
            _of_schema(query_text, self._schema),
            {"as_of": self.as_of, "known_at": self.known_at, **parameters},
            prepare=prepare,
        )
        names = tuple(column.name for column in cursor.description or ())
        return Rows(names, cursor.fetchall())

    def table(self, columns: Columns, query_text: str, **parameters: object) -> Table:
        """`query` as an answer, whose columns are declared. Raises ColumnsDiffer."""
        return self._as_table(columns, self.query(query_text, **parameters))

    def lookup_table(self, columns: Columns, query_text: str, **parameters: object) -> Table:
        """`lookup` as an answer, whose columns are declared. Raises ColumnsDiffer."""
        return self._as_table(columns, self.lookup(query_text, **parameters))

    @staticmethod
    def _as_table(columns: Columns, found: Rows) -> Table:
        if found.names != keys(columns):
            raise ColumnsDiffer(f"{found.names} are declared as {keys(columns)}")
        return Table(columns, found.rows)


class Facts:
    """The door to the facts for any number of threads.

    `clock`: with it, what is known goes on with the time; without it, to the last event alone.
    """

    def __init__(self, dsn: str, *, most: int = 8, clock: Clock | None = None) -> None:
        self._memory = Memory(_REMEMBERED)
        self._clock = clock
        self._known_through = _BEFORE_ALL
        self._pool = ConnectionPool(
            dsn,
            min_size=1,
            max_size=most,
            kwargs={"options": _OPTIONS, "autocommit": True},
            open=True,
        )

    def close(self) -> None:
        self._pool.close()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A reader's connection, for questions to the log itself."""
        with self._pool.connection() as connection, cancelled_with_caller(connection):
            yield connection

    def recorded_through(self, known_at: datetime | None = None) -> datetime:
        """An instant (`known_at`, if that is past) after which alone the log records any more."""
        if self._clock is None or self._is_recorded(known_at):
            return min(known_at or self._known_through, self._known_through)
        with self._pool.connection() as connection:
            self._raise_watermark(connection, known_at)
        return min(known_at or self._known_through, self._known_through)

    @contextmanager
    def at(self, as_of: date, known_at: datetime | None = None) -> Iterator[View]:
        """A view of the facts at two dates; `known_at` None means all that is known.

        Raises NotDrawnYet.
        """
        with self._pool.connection() as connection:
            self._raise_watermark(connection, known_at)
            try:
                number, position, drawn_through, known_through, sealed = _hold(connection)
                view = View(
                    connection,
                    schema_of(number),
                    position,
                    drawn_through,
                    known_through,
                    sealed,
                    as_of,
                    known_at,
                    self._memory,
                )
                with cancelled_with_caller(connection):
                    yield view
            finally:
                # With ROLLBACK psycopg forgets every prepared question, and its plan with it.
                connection.execute("COMMIT")

    def _raise_watermark(self, connection: Connection, known_at: datetime | None) -> None:
        """Have all be known through now, or through `known_at`, where it is not so already.

        An append under way is not waited for: then all is known through the last event drawn.
        """
        if self._clock is None or self._is_recorded(known_at):
            return
        row = connection.execute(RAISE_WATERMARK, (self._clock(),)).fetchone()
        self._known_through = (row and row[0]) or self._known_through

    def _is_recorded(self, known_at: datetime | None) -> bool:
        """Whether all is known through `known_at`, or through a second ago at least."""
        now = self._clock() if self._clock else self._known_through
        if known_at is None:
            return now - self._known_through < _FRESH
        return min(known_at, now) <= self._known_through


def _hold(connection: Connection) -> tuple[int, int, datetime, datetime, int]:
    """Begin a snapshot and hold its generation: one that is read is not dropped.

    Raises NotDrawnYet.
    """
    for attempt in range(_ATTEMPTS):
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        row = connection.execute(
            "SELECT live.*, (SELECT size FROM ledger.checkpoint ORDER BY signed_at DESC LIMIT 1)"
            f" FROM ({LIVE}) live".encode()
        ).fetchone()
        if row is None:
            raise NotDrawnYet
        try:
            connection.execute(f"SELECT FROM {schema_of(row[0])}.loan LIMIT 0".encode())
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            connection.execute("ROLLBACK")  # dropped in this very moment: there is a newer one
            if attempt == _ATTEMPTS - 1:
                raise
            continue
        return row[0], row[1], row[2] or _BEFORE_ALL, row[3] or _BEFORE_ALL, row[4] or 0
    raise NotDrawnYet


@cache
def query_text(package: str, name: str = "query.sql") -> str:
    """The SQL text of a question, from the folder of its package."""
    return resources.files(package).joinpath(name).read_text("utf-8")


class Scope(NamedTuple):
    """Whose rows a reader may see: a bank's, a township's, a guarantee company's; or the county's.

    `guarantor`: those of the loans that this company guarantees; ledgers of loans alone know it.
    """

    bank: str | None = None
    township: str | None = None
    guarantor: str | None = None


COUNTY = Scope()


def parameters_of(scope: Scope) -> dict[str, Any]:
    """Raises ValueError for a guarantor's scope, which a question has to ask for by name."""
    if scope.guarantor is not None:
        raise ValueError("this question knows no guarantee company")
    return {"bank": scope.bank, "township": scope.township}


def parameters_of_loans(scope: Scope) -> dict[str, Any]:
    """The same for a question that has `{guaranteed}` in it."""
    return dict(scope._asdict())


def guaranteed(loan: str) -> str:
    """SQL: the loan of an id, `loan`, is one of the scope's guarantor, if it has one.

    The guarantee is active at both dates, and was not reversed since.
    """
    return (
        "(%(guarantor)s::text IS NULL OR EXISTS ("
        f"SELECT FROM facts.standing_guarantee(%(as_of)s, %(known_at)s) g WHERE g.loan_id = {loan}"
        " AND g.guarantor = %(guarantor)s AND NOT EXISTS (SELECT FROM facts.guarantee b"
        " WHERE b.sign = -1 AND b.of_position = g.of_position)))"
    )
