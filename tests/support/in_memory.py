"""given · when · then without a database: the real ledger over a log that is kept in memory.

Commands, roles, decisions, the check of what a decision read, references and encryption are the
product's own. The log alone is another one: rows in a list, in order, each written once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from threading import Lock
from typing import Any, ClassVar, Final, NoReturn, TypeVar
from uuid import UUID

import pytest
from eventsourcing.persistence import StoredEvent
from msgspec.structs import replace
from support import controls

from application.command import Command
from application.commands.batch import OrderPayment
from application.commands.case import (
    AskExplanation,
    LinkRecovery,
    NoteOnCase,
    ProposeDecision,
    RectifyCase,
)
from application.commands.correction import CorrectEvent
from application.event_store.event_log import (
    AlreadyRecorded,
    EventLog,
    ReferenceKnown,
    Stored,
    TakenMeanwhile,
)
from application.ledger import Ledger, Submission
from application.personal_data.encryption import Keys
from domain.balance import Balance
from domain.household import Household
from domain.kernel import Aggregate, Author, Event, Refused

E = TypeVar("E", bound=Event)
KEYS: Final = Keys(b"w" * 32, b"p" * 32, b"c" * 32, b"a" * 32, wrapping_number=0)
TODAY: Final = date(2026, 1, 5)
AUTHORS: Final = {
    author.role: author
    for author in (
        controls.BANK, controls.TOWNSHIP, controls.CENTRE, controls.BUREAU, controls.FINANCE,
        controls.GUARANTOR, controls.AUDITOR, controls.ADMIN,
    )
}  # fmt: skip
"""Who reports: the first of these whose role may."""
SECOND_PERSON: Final[dict[type[Command], Author]] = {
    OrderPayment: controls.SECOND_FINANCE,
    AskExplanation: controls.INVESTIGATOR,
    NoteOnCase: controls.INVESTIGATOR,
    ProposeDecision: controls.INVESTIGATOR,
    RectifyCase: controls.INVESTIGATOR,
    LinkRecovery: controls.INVESTIGATOR,
}
"""Steps that another person takes than the one before."""


class Store:
    """The rows and the household keys that several ledgers share; one of them appends at a time."""

    def __init__(self) -> None:
        self.rows: list[Stored] = []
        self.keys: dict[UUID, bytes] = {}
        self.lock = Lock()
        self._events: dict[int, Event] = {}

    def event(self, row: Stored) -> Event:
        """The event of a row: the same object, whenever it is asked for."""
        if row.position not in self._events:
            self._events[row.position] = row.event()
        return self._events[row.position]

    def row_of(self, event: Event) -> Stored:
        """The row whose event a test holds."""
        return next(row for row in self.rows if self._events.get(row.position) is event)


class InMemoryLog(EventLog):
    """The event log over a `Store`. It has no connection: what is not written here fails."""

    def __init__(self, store: Store, ledger: Ledger) -> None:
        super().__init__("", ledger.vault.authenticate)
        self._store, self._ledger = store, ledger
        self._rows: list[Stored] = []
        self._holds_lock = False

    @property
    def connection(self) -> NoReturn:
        raise AssertionError("a domain test asks for no database")

    # ---- appending --------------------------------------------------------------------

    def append_behind(self, tails: Sequence[bytes], position: int) -> tuple[int, datetime] | None:
        if len(self._store.rows) != position:
            return None
        after = self.begin_append()
        try:
            stored = self.write(tails, after)
        except TakenMeanwhile:
            raise ReferenceKnown from None
        finally:
            if not self._rows:
                self.rollback()
        self.commit()
        return stored

    def begin_append(self) -> tuple[int, int]:
        assert self._store.lock.acquire(timeout=1)
        self._holds_lock = True
        return len(self._store.rows), 0

    def write(self, tails: Sequence[bytes], after: tuple[int, int]) -> tuple[int, datetime]:
        rows = self._store.rows
        recorded_at = self._ledger._clock()
        if rows:
            recorded_at = max(recorded_at, rows[-1].recorded_at + timedelta(microseconds=1))
        taken = {(row.organisation, row.ref, row.part) for row in rows}
        events = {(row.originator_id, row.originator_version) for row in rows}
        for position, tail in enumerate(tails, after[0] + 1):
            row = row_of(position, recorded_at, tail)
            reference = (row.organisation, row.ref, row.part)
            event = (row.originator_id, row.originator_version)
            if reference in taken or event in events:
                self._rows.clear()
                raise TakenMeanwhile
            taken.add(reference)
            events.add(event)
            self._rows.append(row)
        return after[0] + len(tails), recorded_at

    def keep_keys(self, wrapped: dict[UUID, bytes]) -> None:
        self._kept |= wrapped

    def destroy_keys(self, households: Sequence[UUID]) -> None:
        self._destroyed += households

    def commit(self) -> None:
        self._store.rows += self._rows
        self._store.keys |= self._kept
        for household in self._destroyed:
            self._store.keys.pop(household, None)
        self.rollback()

    def rollback(self) -> None:
        self._rows, self._kept, self._destroyed = [], {}, []
        if self._holds_lock:
            self._holds_lock = False
            self._store.lock.release()

    # ---- reading ----------------------------------------------------------------------

    def last_position(self) -> int:
        return len(self._store.rows)

    def changed(self, after: int, until: int) -> set[UUID]:
        return {row.originator_id for row in self._store.rows[after:until]}

    def find_by_reference(
        self, references: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], AlreadyRecorded]:
        wanted = set(references)
        return {
            (row.organisation, row.ref): AlreadyRecorded(row.position, row.recorded_at, row.told)
            for row in self._store.rows
            if row.part == 0 and (row.organisation, row.ref) in wanted
        }

    def events_of(self, aggregates: Sequence[UUID]) -> Iterator[tuple[int, int, str, bytes]]:
        for place, id in enumerate(aggregates):
            for row in self._store.rows:
                if row.originator_id == id:
                    yield place, row.originator_version, row.topic, row.state

    def select_events(self, originator_id: UUID | str, **_: Any) -> Sequence[StoredEvent]:
        return [
            StoredEvent(row.originator_id, row.originator_version, row.topic, row.state)
            for row in self._store.rows
            if row.originator_id == originator_id
        ]

    def stored(self, originator_id: UUID, version: int) -> Stored | None:
        named = (originator_id, version)
        found = (r for r in self._store.rows if (r.originator_id, r.originator_version) == named)
        return next(found, None)

    def wrapped_keys(self, households: list[UUID]) -> dict[UUID, bytes]:
        keys = self._store.keys
        return {household: keys[household] for household in households if household in keys}

    def present_wrapping(self) -> bytes | None:
        return None

    def looks_since(self, organisation: str, person: str, since: datetime) -> int:
        return sum(
            row.topic == Household.LookedAt.TOPIC
            and (row.organisation, row.event().person) == (organisation, person)
            and row.recorded_at > since
            for row in self._store.rows
        )

    def organisations(self, role: str) -> list[str]:
        return {"bank": ["NRCB", "PSBC"], "township": ["T01", "T02"]}.get(role, [])


def row_of(position: int, recorded_at: datetime, tail: bytes) -> Stored:
    """The row that a tail (`event_log.row_tail`) becomes at its place in the log."""
    columns, at = [], 0
    while at < len(tail):
        end = at + 4 + int.from_bytes(tail[at : at + 4], "big")
        columns.append(tail[at + 4 : end])
        at = end
    id, version, topic, organisation, ref, part, told, state = columns
    number = int.from_bytes
    return Stored(
        position, recorded_at, UUID(bytes=id), number(version, "big"), topic.decode(),
        organisation.decode(), ref.decode(), number(part, "big"), told, state, b"",
    )  # fmt: skip


class InMemoryLedger(Ledger):
    """The ledger of a county on a civil day, which a test may move."""

    LOG: ClassVar[type[InMemoryLog]] = InMemoryLog

    def __init__(self, today: date = TODAY, store: Store | None = None, keys: Keys = KEYS) -> None:
        self.day = today
        self.store = store or Store()
        super().__init__("", keys, clock=self._noon)

    def construct_recorder(self) -> InMemoryLog:
        self._log = self.LOG(self.store, self)
        return self._log

    def all_of(self, kind: type[E]) -> list[E]:
        """The events of a kind that were recorded, in order."""
        found = (self.store.event(row) for row in self.store.rows if row.topic == kind.TOPIC)
        return [event for event in found if isinstance(event, kind)]

    def replayed(self) -> InMemoryLedger:
        """Another ledger over the same log: it remembers nothing and replays everything."""
        return InMemoryLedger(self.day, self.store)

    def _noon(self) -> datetime:
        return datetime(self.day.year, self.day.month, self.day.day, 4, tzinfo=UTC)


# ---- given · when · then --------------------------------------------------------------

Said = Command | Submission
"""A command, by the one who ordinarily reports it, or by somebody named."""


def given(*said: Said, today: date = TODAY) -> InMemoryLedger:
    """A ledger in which all of this was recorded, in this order."""
    ledger = InMemoryLedger(today)
    for each in said:
        recorded(ledger, each)
    return ledger


def recorded(ledger: InMemoryLedger, said: Said) -> list[Event]:
    """The events that a command adds, in order. Raises Refused."""
    submission = _submission(said)
    ledger.submit(*submission)
    reference = (submission.by.organisation, submission.command.ref)
    rows = ledger.store.rows
    return [ledger.store.event(r) for r in rows if (r.organisation, r.ref) == reference]


def refused(ledger: InMemoryLedger, said: Said) -> Refused:
    """Why a command is refused; it leaves the log as it was, and speaks both languages."""
    before = len(ledger.store.rows)
    with pytest.raises(Refused) as found:
        recorded(ledger, said)
    assert len(ledger.store.rows) == before
    assert "?" not in found.value.zh + found.value.en, "every word of the text has its value"
    return found.value


def reverse(ledger: InMemoryLedger, event: Event | Stored, **other: Any) -> Submission:
    """The reversal (冲正) of an event, today, by the organisation that reported it."""
    row = event if isinstance(event, Stored) else ledger.store.row_of(event)
    said = {
        "ref": f"CZ-{len(ledger.store.rows)}", "effective_on": ledger.day,
        "event_id": row.event_id, "reason": "录入有误",
    }  # fmt: skip
    command = CorrectEvent.model_validate({**said, **other})
    told = row.event()
    return Submission(command, Author(told.role, row.organisation, told.person))


def state_of(aggregate: Aggregate) -> dict[str, Any]:
    """All that an aggregate remembers, but for its place in the log; balances day by day.

    Events are compared without their encrypted values, which are there only once it is stored.
    """
    gone = ("id", "version", "last_on", "pending", "_warned")
    return {name: _compared(value) for name, value in vars(aggregate).items() if name not in gone}


def _compared(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _compared(each) for key, each in value.items()}
    if isinstance(value, Event):
        return replace(value, sealed=None)
    return vars(value) if isinstance(value, Balance) else value


def _submission(said: Said) -> Submission:
    if isinstance(said, Submission):
        return said
    kind = type(said)
    first = next(author for role, author in AUTHORS.items() if role in kind.ROLES)
    return Submission(said, SECOND_PERSON.get(kind, first))
