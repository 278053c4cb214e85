"""Histories: of a loan, of a household, and of one subsidy payment to its first event.

They are read from the log itself, so they are complete the moment an event is acknowledged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from typing import Any, Literal, NamedTuple
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from domain.calendar import civil_day
from domain.catalogue import EVENTS
from domain.policy import POLICY, NoRuling, table_names
from domain.programme import Programme, rulings_told
from projections.facts.reading import Connection, Table, query_text
from projections.facts.statements import PINNED
from projections.history.columns import HISTORY

_OPTIONS = f"{PINNED} -c role=mingzhang_reader -c timezone=UTC -c jit=off -c statement_timeout=60s"


class Happening(NamedTuple):
    """One event as a reader sees it: what, when, known since when, told by whom, on what ground."""

    position: int
    recorded_at: datetime
    originator_id: UUID
    version: int
    topic: str
    organisation: str
    ref: str
    content: dict[str, Any]
    event_id: str
    corrected_by: str | None

    def plain(self) -> dict[str, Any]:
        """For the contract: nothing personal in it but pseudonyms."""
        content = dict(self.content)
        content.pop("sealed", None)
        return {
            "event_id": self.event_id,
            "position": self.position,
            "event": self.topic,
            "event_zh": EVENTS[self.topic].ZH,
            "effective_on": content.pop("effective_on"),
            "recorded_at": self.recorded_at,
            "told_by": {
                "organisation": self.organisation,
                "role": content.pop("role"),
                "person": content.pop("person"),
            },
            "ref": self.ref,
            "ground": {
                "document": content.pop("document", None),
                "note": content.pop("remark", None),
            },
            "corrected_by": self.corrected_by,
            "content": content,
        }


@cache
def _query_text(name: str) -> bytes:
    return query_text(__name__, name).encode()


def history(
    connection: Connection,
    aggregates: Sequence[UUID],
    known_at: datetime | None = None,
    as_of: date | None = None,
) -> list[Happening]:
    """All events of these aggregates up to a day, known at an instant; oldest knowledge first."""
    cursor = connection.cursor(binary=True)
    cursor.execute(_query_text("query.sql"), {"aggregates": list(aggregates), "known_at": known_at})
    events = _happenings(cursor.fetchall())
    if as_of is None:
        return events
    return [event for event in events if event.content["effective_on"] <= as_of.isoformat()]


def happenings(
    connection: Connection, positions: Iterable[int], known_at: datetime | None = None
) -> list[Happening]:
    """The events at these positions of the log, and whether each was known to be corrected."""
    wanted = set(positions)
    cursor = connection.cursor(binary=True)
    cursor.execute(_query_text("events.sql"), {"positions": list(wanted), "known_at": known_at})
    return [event for event in _happenings(cursor.fetchall()) if event.position in wanted]


def personal_events(
    connection: Connection,
    what: Literal["erased", "looked-at"],
    before: int | None,
    most: int,
    known_at: datetime | None = None,
) -> list[dict[str, Any]]:
    """Erasures of, or looks at, households' people, each with its reason; the newest first."""
    cursor = connection.cursor(row_factory=dict_row)
    cursor.execute(
        _query_text("personal_data.sql"),
        {"topic": f"household.{what}.v1", "before": before, "most": most, "known_at": known_at},
        prepare=False,
    )
    return cursor.fetchall()


def as_table(events: Sequence[Happening]) -> Table:
    """A history as a table, for a file: the content in one column, as it is stored."""
    rows = []
    for event in events:
        plain = event.plain()
        rows.append(
            (
                event.position,
                event.recorded_at,
                date.fromisoformat(plain["effective_on"]),
                event.topic,
                plain["event_zh"],
                event.organisation,
                plain["told_by"]["person"],
                event.ref,
                plain["ground"]["document"],
                event.corrected_by,
                msgspec.json.encode(plain["content"]).decode(),
                event.event_id,
            )
        )
    return Table(HISTORY, rows)


class Trace(NamedTuple):
    """All that stands behind one payment.

    `events`: what is shown of it. `rests_on`: all of it, where a reader is shown less: for the
    household's category alone.
    """

    payment: Happening
    events: list[Happening]
    wrapped_key: bytes | None
    rests_on: list[Happening] | None = None

    @property
    def household_id(self) -> UUID:
        disbursed = next(e for e in self.events if e.topic == "loan.disbursed.v1")
        return UUID(disbursed.content["household_id"])

    def plain(self, as_of: date) -> dict[str, Any]:
        """The trace in the order in which a supervisor asks: how much, why, on what, by whom."""
        paid = self.payment.content
        calculation = dict(paid["calculation"])
        rulings = calculation.pop("rulings")
        loan = [e for e in self.events if e.topic.startswith("loan.")]
        household = [e for e in self.events if e.topic.startswith("household.")]
        behind = self.events if self.rests_on is None else self.rests_on
        register = [e for e in behind if e.topic.startswith("household.")]
        at_payment = [e for e in loan if e.position < self.payment.position]
        later = [
            e
            for e in self.events
            if e.position > self.payment.position
            and e.content["effective_on"] <= str(as_of)
            and (e.topic.startswith("loan.") or _corrects_line(e, paid.get("line")))
        ]
        disbursed = next(e for e in reversed(at_payment) if e.topic == "loan.disbursed.v1")
        return {
            "payment": self.payment.plain() | {"content": _without(paid, "calculation", "grounds")},
            "ground": {
                "document": paid.get("document"),
                "voucher": paid["voucher"],
                "batch": paid.get("batch_no"),
            },
            "calculation": calculation,
            "rules_in_force": _cited(rulings, self.events),
            "household_on_disbursement_day": {
                "household_no": disbursed.content["household_no"],
                "disbursed_on": disbursed.content["effective_on"],
                "category_when_paid": paid["grounds"]["household_category"],
                "category_as_known": _category(register, disbursed.content["effective_on"]),
            },
            "loan_events": [e.plain() for e in at_payment],
            "household_events": [e.plain() for e in household],
            "batch_events": [
                e.plain()
                for e in self.events
                if e.topic.startswith("batch.") and e.position < self.payment.position
            ],
            "late_notices": list(map(_late_notice, filter(_is_late_notice, self.events))),
            "told_after_the_payment": [e.plain() for e in later],
            "recovered_fen": _came_back(later, "loan.subsidy-recovered.v1", paid["payment_no"]),
            "returned_fen": _came_back(later, "loan.subsidy-returned.v1", paid["payment_no"]),
        }


def _came_back(events: Sequence[Happening], topic: str, payment_no: str) -> int:
    """What these events say of one payment's money, in fen."""
    told = (e.content for e in events if e.topic == topic)
    return sum(said["amount_fen"] for said in told if said["payment_no"] == payment_no)


def _corrects_line(event: Happening, line: int | None) -> bool:
    return event.topic == "batch.result-corrected.v1" and event.content["line"] == line


def _is_late_notice(event: Happening) -> bool:
    """Whether a notice was reported after it began, and counts by its document."""
    return (
        event.topic == "batch.notice-posted.v1"
        and "document" in event.content
        and civil_day(event.recorded_at).isoformat() > event.content["effective_on"]
    )


def _late_notice(event: Happening) -> dict[str, Any]:
    content = event.content
    return {
        "level": content["level"],
        "township": content.get("township", ""),
        "posted_on": content["effective_on"],
        "until_on": content["until_on"],
        "recorded_on": civil_day(event.recorded_at).isoformat(),
        "document": content["document"],
    }


def trace(
    connection: Connection, payment_no: str, known_at: datetime | None = None
) -> Trace | None:
    """The history of one payment; None when no payment of that number was known."""
    cursor = connection.cursor(binary=True)
    asked = _asked(payment_no, known_at)
    cursor.execute(_query_text("trace.sql"), asked, prepare=True)
    return _trace(cursor.fetchall(), payment_no)


class Tracing:
    """Traces for callers on an event loop, which goes on while the database answers."""

    def __init__(self, dsn: str, *, most: int = 8) -> None:
        self._pool: AsyncConnectionPool[AsyncConnection[tuple[Any, ...]]] = AsyncConnectionPool(
            dsn,
            min_size=1,
            max_size=most,
            kwargs={"options": _OPTIONS, "autocommit": True},
            open=False,
        )

    async def open(self) -> None:
        await self._pool.open()

    async def close(self) -> None:
        await self._pool.close()

    async def trace(self, payment_no: str, known_at: datetime | None = None) -> Trace | None:
        """As `trace`."""
        asked = _asked(payment_no, known_at)
        async with self._pool.connection() as connection:
            cursor = connection.cursor(binary=True)
            await cursor.execute(_query_text("trace.sql"), asked, prepare=True)
            rows = await cursor.fetchall()
        return _trace(rows, payment_no)


def _asked(payment_no: str, known_at: datetime | None) -> dict[str, Any]:
    return {"payment_no": payment_no, "known_at": known_at, "programme": Programme.the_id()}


def _trace(rows: Sequence[tuple[Any, ...]], payment_no: str) -> Trace | None:
    events = _happenings(rows)
    for event in events:
        if event.topic == "loan.subsidy-paid.v1" and event.content["payment_no"] == payment_no:
            return Trace(event, events, rows[0][9])
    return None


def _happenings(rows: Sequence[tuple[Any, ...]]) -> list[Happening]:
    decoded = [(*row[:7], msgspec.json.decode(row[7]), row[8]) for row in rows]
    corrected = {
        f"{row[2]}.{row[7]['corrects']}": row[8]
        for row in decoded
        if row[4].endswith(".corrected.v1")
    }
    return [Happening._make((*row, corrected.get(row[8]))) for row in decoded]


def _category(household: Sequence[Happening], day: str) -> str | None:
    """The household's category on a day by all standing events that say so."""
    said = [
        (e.content["effective_on"], e.version, e.content["category"])
        for e in household
        if "category" in e.content and e.corrected_by is None and e.content["effective_on"] <= day
    ]
    return max(said)[2] if said else None


@cache
def _sources() -> dict[str, dict[str, Any]]:
    rulings = (r for name in table_names() for r in POLICY.table(name).rulings)
    return {ruling.version: ruling.to_dict() for ruling in rulings}


def _cited(cited: Mapping[str, Any], events: Sequence[Happening]) -> list[dict[str, Any]]:
    """What each cited ruling says today, beside what it said then; and which event told it."""
    told = {
        ruling.version: ruling.to_dict() | {"event_id": event.event_id}
        for event in events
        if event.topic.startswith("programme.")
        for ruling in rulings_told(event.content)
    }
    sources = _sources()
    rules = []
    for version, value in cited.items():
        source = told.get(version) or sources.get(version)
        if source is None:
            raise NoRuling(version, date.min)
        rules.append({**source, "value_then": value})
    return rules


def _without(content: dict[str, Any], *names: str) -> dict[str, Any]:
    hidden = {*names, "sealed", "role", "person", "document", "remark", "effective_on"}
    return {name: value for name, value in content.items() if name not in hidden}
