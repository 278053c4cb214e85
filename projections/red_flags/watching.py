"""Red flags found as the facts go on: a rule is asked again when what its answer rests on changed.

That is: new rows in a table that its question, or a relation of it, read the last time; another
civil day; another text of the rule; facts drawn anew; and once when the program starts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from threading import Event
from time import monotonic_ns
from typing import NamedTuple

import psycopg

from domain.calendar import civil_day
from projections.facts.declaration import tables_of
from projections.facts.projection import CORRECTIONS
from projections.facts.reading import EVERY_EVENT, LIVE, Connection, Facts, View
from projections.facts.statements import PINNED
from projections.red_flags import Reckoned, Rule, check, rules
from projections.red_flags.runs import Status, advance, statuses, store

_LOCK = 7291003
_OPTIONS = (
    f"{PINNED} -c role=mingzhang_watcher -c timezone=UTC -c jit=off -c synchronous_commit=off"
    " -c statement_timeout=60s"
)
"""What a crash of the server takes of derived rows, the next start finds again."""
_RETRY_MS = 60_000
_DEAR_MS = 1_000
_PLACE = f"SELECT number, position, known_through FROM ({LIVE}) live WHERE position > 0"
_NEWS = """
SELECT CASE WHEN topic = ANY (%(corrections)s)
            THEN convert_from(state, 'UTF8')::json ->> 'corrects_topic' ELSE topic END,
       max(position)
  FROM ledger.event WHERE position > %(after)s AND position <= %(until)s GROUP BY 1
"""


class _Place(NamedTuple):
    """Which facts are live, and how far they and the day have come."""

    generation: int
    position: int
    known_at: datetime
    day: date

    def same_day(self, status: Status) -> bool:
        return (
            status.as_of == self.day
            and status.known_at is not None
            and civil_day(status.known_at) == civil_day(self.known_at)
        )


LANES = ("quick", "dear")
"""Rules that take long, or that rest on relations, are asked beside the others."""


def lane_of(rule: Rule, status: Status | None) -> str:
    return "dear" if rule.relations or (status and status.took_ms > _DEAR_MS) else "quick"


class Watcher:
    """Keeps stored findings in step with the facts. Any number may run; one a lane does at a time.

    `lane`: asks the rules of this lane alone, without it all of them.
    """

    def __init__(
        self,
        dsn: str,
        clock: Callable[[], datetime],
        *,
        lane: str | None = None,
        stopping: Event | None = None,
        watched: Sequence[Rule] | None = None,
    ) -> None:
        self._lane = lane
        self._lock = (_LOCK, LANES.index(lane) if lane else len(LANES))
        self._dsn = dsn
        self._clock = clock
        self._stopping = stopping or Event()
        self._rules = rules() if watched is None else tuple(watched)
        self._facts = Facts(dsn, most=1)
        self._connection: Connection | None = None
        self._holding = False
        self.position = 0
        """How far the facts had come at the last step."""
        self._generation = 0
        self._tables: dict[str, frozenset[str]] = {}
        """What the last answer of each rule rests on, by its id; asked in this turn alone."""
        self._rests_until_ms: dict[str, int] = {}

    def close(self) -> None:
        self.let_go()
        self._facts.close()

    def let_go(self) -> None:
        """Leave the turn to another process, until the next step."""
        if self._connection is not None:
            self._connection.close()

    def step(self) -> int:
        """Ask every rule that may say something else by now; returns how many that was."""
        connection = self._turn()
        place = self._place(connection) if connection else None
        if connection is None or place is None:
            return 0
        self.position = place.position
        if place.generation != self._generation:
            self._generation = place.generation
            self._tables.clear()
        there = statuses(connection)
        mine = [
            rule for rule in self._rules if self._lane in (None, lane_of(rule, there.get(rule.id)))
        ]
        moved = self._moved(connection, mine, there, place)
        unmoved = {rule.id for rule in mine} - {rule.id for rule in moved}
        if any(there[id].position < place.position for id in unmoved):
            advance(connection, list(unmoved), place.position, place.known_at)
        now = _clock_ms()
        due = [rule for rule in moved if self._rests_until_ms.get(rule.id, 0) <= now]
        return sum(self._ask(connection, together, place.day) for together in _shares(due, there))

    def _turn(self) -> Connection | None:
        """The connection that holds the turn; None while another process has it."""
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self._dsn, autocommit=True, options=_OPTIONS)
            self._holding = False
        if not self._holding:
            row = self._connection.execute(
                "SELECT pg_try_advisory_lock(%s, %s)", self._lock
            ).fetchone()
            self._holding = bool(row and row[0])
            self._tables.clear()  # others may have gone on meanwhile, with another program
        return self._connection if self._holding else None

    def _place(self, connection: Connection) -> _Place | None:
        """None while nothing was told, or nothing of it drawn."""
        row = connection.execute(_PLACE.encode()).fetchone()
        day = civil_day(self._clock())
        return _Place(row[0], row[1], row[2], day) if row else None

    def _moved(
        self,
        connection: Connection,
        mine: Sequence[Rule],
        there: dict[str, Status],
        place: _Place,
    ) -> list[Rule]:
        """The rules whose answer may be another one at this place."""
        asked = [
            (rule.id, there[rule.id].position)
            for rule in mine
            if rule.id in there
            and rule.id in self._tables
            and there[rule.id].rule_version == rule.version
            and there[rule.id].status != "error"
            and place.same_day(there[rule.id])
        ]
        news = self._news(connection, min((seen for _, seen in asked), default=0), place)
        unmoved = {
            id
            for id, seen in asked
            if all(news.get(table, 0) <= seen for table in self._tables[id])
        }
        return [rule for rule in mine if rule.id not in unmoved]

    def _news(self, connection: Connection, after: int, place: _Place) -> dict[str, int]:
        """By table: the last event behind a position that added rows to it."""
        news: dict[str, int] = {}
        if not self._tables or after >= place.position:
            return news
        asked = {"after": after, "until": place.position, "corrections": CORRECTIONS}
        for topic, position in connection.execute(_NEWS, asked):
            for table in (EVERY_EVENT, *tables_of(topic)):
                news[table] = max(position, news.get(table, 0))
        return news

    def _ask(self, connection: Connection, together: Sequence[Rule], day: date) -> int:
        """Ask some rules of one view, and keep how each fared before the next is asked."""
        asked = 0
        with self._facts.at(day) as view:
            view.connection.execute("SET LOCAL max_parallel_workers_per_gather = 0")  # one core
            reckoned: Reckoned = {}
            for rule in together:
                if self._stopping.is_set():
                    break
                self._tables[rule.id] = self._asked(connection, view, rule, reckoned)
                asked += 1
        return asked

    def _asked(
        self, connection: Connection, view: View, rule: Rule, reckoned: Reckoned
    ) -> frozenset[str]:
        begun = _clock_ms()
        checked = check(view, rule, reckoned=reckoned)
        took_ms = _clock_ms() - begun
        if checked.error is not None:
            self._rests_until_ms[rule.id] = _clock_ms() + _RETRY_MS
        store(connection, view, checked, self._clock(), took_ms)
        return checked.tables


def _clock_ms() -> int:
    return monotonic_ns() // 1_000_000


def _shares(due: Sequence[Rule], there: dict[str, Status]) -> list[list[Rule]]:
    """What is asked of one view each, the quickest first; those on relations together."""

    def took(rule: Rule) -> int:
        return there[rule.id].took_ms if rule.id in there else 0

    alone = sorted((rule for rule in due if not rule.relations), key=took)
    related = [rule for rule in due if rule.relations]
    return [[rule] for rule in alone] + ([related] if related else [])
