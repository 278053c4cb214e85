"""The ledger: hears commands, lets the domain decide, appends what happened.

All events of one command, over several aggregates, are stored in one transaction, or none.
A decision stands only if nothing it looked at changed before it was stored; else it is taken
again. What was told before is answered as the first time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import compress
from pathlib import Path
from time import sleep
from typing import NamedTuple, TypeVar, cast
from uuid import UUID

from msgspec import UNSET
from msgspec.structs import force_setattr

from application.command import Command
from application.event_store.clock import WATCH, ClockWatch
from application.event_store.event_log import (
    Clock,
    ConnectionTroubled,
    EventLog,
    Heard,
    NotStored,
    TakenMeanwhile,
    ToldBefore,
    decode,
    encode,
    row_tail,
    utc_now,
    whole_row,
)
from application.event_store.guards import SchemaState
from application.personal_data.encryption import (
    KeyGone,
    Keys,
    KeysMissing,
    Vault,
    forget_everywhere,
)
from application.refusals import (
    DatedInFuture,
    LedgerBusy,
    LoanAmbiguous,
    ReferenceReused,
)
from application.transparency_log.promises import Promises, ranges_of
from domain.bank_report import BankReport
from domain.calendar import civil_day
from domain.household import Household
from domain.kernel import Aggregate, Author, Event, Note, Refused, Warned
from domain.loan import Loan
from domain.policy import Book
from domain.programme import Programme

A = TypeVar("A", bound=Aggregate)

_ATTEMPTS = 8
_NEVER = datetime(1, 1, 1, tzinfo=UTC)
_PATIENCE_SECONDS = 0.05
_MOST_CACHED = 30_000
_FEW = 300
_SAMPLE = 32


class Telling(NamedTuple):
    """One command and who gives it."""

    command: Command
    by: Author


class Recorded(NamedTuple):
    """A command's place in the log. `again`: it had been told before, nothing was added."""

    position: int
    recorded_at: datetime
    events: tuple[tuple[UUID, int], ...]
    again: bool
    promise: str | None = None
    """The signed promise that they will stand in the tree: `transparency_log.promises`."""
    warnings: tuple[Warned, ...] = ()
    """What looks wrong about it; known when it is recorded, not when it is told again later."""

    @property
    def event_ids(self) -> list[str]:
        """The ids of the events, in order: aggregate and version."""
        return [f"{aggregate}.{version}" for aggregate, version in self.events]


Outcome = Recorded | Refused


class _Draft(NamedTuple):
    """What one command would append."""

    tails: list[bytes]
    events: tuple[tuple[UUID, int], ...]
    fingerprint: bytes
    warnings: tuple[Warned, ...]


class _Undecided(NamedTuple):
    """An event that commands before in the same batch recorded, not yet in the log."""

    organisation: str
    event: Event


class _Reused(NamedTuple):
    """A reference that a command before in the same batch already uses for something else."""

    first: _Draft
    ref: str


_Answer = Recorded | Refused | _Draft | _Reused


class Ledger:
    """One conversation with the log. Not shared between threads; any number side by side."""

    def __init__(
        self,
        dsn: str,
        keys: Keys,
        *,
        clock: Clock = utc_now,
        most_cached: int = _MOST_CACHED,
        transaction_seconds: int = 60,
        key_file: Path | None = None,
        watch: ClockWatch = WATCH,
        promises: Promises | None = None,
        schema: SchemaState | None = None,
    ) -> None:
        """`schema`: what its process knows of the database's alteration."""
        self.promises = promises
        self._schema = schema or SchemaState()
        self.vault = Vault(keys, key_file)
        self.log = EventLog(
            dsn,
            self.vault.authenticate,
            clock=clock,
            transaction_seconds=transaction_seconds,
            watch=watch,
        )
        self._clock = clock
        self._most_cached = most_cached
        # By the number of the aggregate's id: a UUID itself is hashed and compared in Python.
        self._cache: OrderedDict[int, Aggregate] = OrderedDict()
        self._seen = -1
        self._used: set[int] = set()
        self._now: dict[int, Aggregate] = {}
        self._undecided: dict[int, list[_Undecided]] = {}
        self._keyless: set[UUID] = set()
        self._new_keys: dict[UUID, bytes] = {}
        self._erased: list[UUID] = []
        self._banks: list[str] = []

    def close(self) -> None:
        self.log.close()

    # ---- asking -----------------------------------------------------------------------

    def tell(self, command: Command, by: Author) -> Recorded:
        """Carry out one command. Raises Refused."""
        [outcome] = self.tell_all([Telling(command, by)])
        if isinstance(outcome, Refused):
            raise outcome
        return outcome

    def tell_all(
        self, tellings: Sequence[Telling], *, atomic: bool = False, dry: bool = False
    ) -> list[Outcome]:
        """Carry out commands in order, in one transaction; an answer for each of them.

        Each command stands or is refused by itself. With `atomic`, one refusal leaves the log
        as it was; with `dry`, nothing is stored in any case. Commands that would have stood are
        then answered with position 0. Raises SchemaAltered.
        """
        if not tellings:
            return []
        if not dry:
            self._schema.assure_unaltered()
        for attempt in range(_ATTEMPTS):
            try:
                outcomes = self._attempt(tellings, atomic=atomic, dry=dry, again=attempt > 0)
            except (TakenMeanwhile, ToldBefore, KeyGone):
                # Another writer was first, or a reference was not new: decide again, knowing it.
                outcomes = None
            except ConnectionTroubled:
                # The answer was lost, perhaps after the commit: the log itself will tell.
                if attempt == _ATTEMPTS - 1:
                    self._forget_undecided()
                    self.log.rollback()  # a transaction that failed would fail the next command
                    raise
                outcomes = None
            except BaseException as error:
                self._forget_undecided()
                self.log.rollback()
                if isinstance(error, NotStored):
                    self._schema.report(str(error))
                    self._schema.assure_unaltered()
                raise
            if outcomes is not None:
                return outcomes
            self._forget_undecided()
            self.log.rollback()
            sleep(_PATIENCE_SECONDS * attempt)
        return [LedgerBusy() for _ in tellings]

    # ---- what decisions look at -------------------------------------------------------

    @property
    def seen_position(self) -> int:
        """Through which position of the log decisions see it, the batch at hand included."""
        return max(self._seen, 0) + sum(map(len, self._undecided.values()))

    def loan(self, bank: str, loan_no: str) -> Loan:
        loan = self.aggregate(Loan, Loan.id_for(bank, loan_no))
        loan.loan_no = loan_no
        return loan

    def household(self, household_no: str) -> Household:
        household = self.aggregate(Household, Household.id_for(household_no))
        household.household_no = household_no
        return household

    @property
    def book(self) -> Book:
        """Every ruling that is known now; a decision that asks it stands on it."""
        return self.programme().book

    def programme(self) -> Programme:
        return self.aggregate(Programme, Programme.the_id())

    def bank_report(self, bank: str, period: str) -> BankReport:
        return self.aggregate(BankReport, BankReport.id_for(bank, period))

    def aggregate(self, kind: type[A], id: UUID) -> A:
        """The aggregate as it is now, from memory or from the log."""
        number = id.int
        found = self._now.get(number)
        if found is None:
            found = self._cache.get(number)
            if found is None:
                [found] = self.fetch({id: kind})
            else:
                self._cache.move_to_end(number)
            self._now[number] = found
        return cast(A, found)

    def fetch(self, wanted: Mapping[UUID, type[Aggregate]]) -> list[Aggregate]:
        """Replay these aggregates from the log, in one question; new ones are empty."""
        fresh = [kind(id) for id, kind in wanted.items()]
        for place, version, topic, state in self.log.events_of(list(wanted)):
            aggregate = fresh[place]
            decode(topic, state).placed(aggregate.id, version).mutate(aggregate)
        self._cache.update((aggregate.id.int, aggregate) for aggregate in fresh)
        return fresh

    def fetch_ahead(self, kind: type[A], ids: Iterable[UUID]) -> list[A]:
        """These aggregates, those not in memory loaded in one question."""
        wanted = dict.fromkeys(ids)
        missing = {id: kind for id in wanted if not self._in_memory(id)}
        if missing:
            self.fetch(missing)
        return [self.aggregate(kind, id) for id in wanted]

    def _in_memory(self, id: UUID) -> bool:
        return id.int in self._now or id.int in self._cache

    def told_event(self, id: UUID, version: int) -> tuple[str, Event] | None:
        """An event and the organisation that told it, by this batch or before; None: no such."""
        for organisation, event in self._undecided.get(id.int, ()):
            if event.version == version:
                return organisation, event
        stored = self.log.stored(id, version)
        return None if stored is None else (stored.organisation, stored.event())

    def loan_of(self, bank: str | None, loan_no: str) -> Loan | None:
        """The loan that the county means by a number. Raises LoanAmbiguous."""
        found = self.loans_called(bank, loan_no)
        if len(found) > 1:
            raise LoanAmbiguous(banks=[loan.bank for loan in found])
        return found[0] if found else None

    def loans_called(self, bank: str | None, loan_no: str) -> list[Loan]:
        """The active loans of a number: of one bank, or of any."""
        if bank is not None:
            loan = self.loan(bank, loan_no)
            return [loan] if loan.exists else []
        self._banks = self._banks or self.log.organisations("bank")
        ids = {Loan.id_for(bank, loan_no): bank for bank in self._banks}
        missing = {id: Loan for id in ids if id.int not in self._cache}
        if missing:
            self.fetch(missing)
        return [loan for bank in ids.values() if (loan := self.loan(bank, loan_no)).exists]

    def today(self) -> date:
        return civil_day(self._clock())

    def recorded_on(self, id: UUID, version: int) -> date:
        """The civil day on which the log took an event; today for one of this batch."""
        stored = self.log.stored(id, version)
        return self.today() if stored is None else civil_day(stored.recorded_at)

    def looks_within(self, time: timedelta, by: Author) -> int:
        """How often a person looked at personal data of late, in this batch too."""
        waiting = sum(
            isinstance(event, Household.LookedAt)
            and (organisation, event.person) == (by.organisation, by.person)
            for undecided in self._undecided.values()
            for organisation, event in undecided
        )
        return waiting + self.log.looks_since(by.organisation, by.person, self._clock() - time)

    def pseudonym(self, kind: str, value: str) -> str:
        return self.vault.pseudonym(kind, value)

    # ---- one attempt ------------------------------------------------------------------

    def _attempt(
        self, tellings: Sequence[Telling], *, atomic: bool, dry: bool, again: bool
    ) -> list[Outcome] | None:
        """Decide and store once; None when what the decisions rest on is not so.

        The first attempt takes references for new: the log itself refuses one that is not.
        """
        self._trim()
        self._used.clear()
        self._undecided.clear()
        if self._seen < 0:
            self._seen = self.log.last_position()
        asked = again or dry or self._looks_repeated(tellings)
        heard = self.log.heard(_references(tellings)) if asked else {}
        self._fetch_ahead(tellings)
        outcomes, drafts = self._decide_all(tellings, heard)

        refused = [isinstance(outcome, Refused | _Reused) for outcome in outcomes]
        storing = bool(drafts) and not dry and not (atomic and any(refused))
        if not asked:  # what is not stored is not compared by the log: ask for it now
            unsure = list(compress(tellings, refused)) if storing else tellings
            if unsure and self.log.heard(_references(unsure)):
                return None
        return self._store(outcomes, drafts) if storing else self._answer_only(outcomes)

    def _looks_repeated(self, tellings: Sequence[Telling]) -> bool:
        """Whether some references of a large batch, asked for as a sample, were told before."""
        if len(tellings) <= _FEW:
            return False
        return bool(self.log.heard(_references(tellings[:: -(-len(tellings) // _SAMPLE)])))

    def _decide_all(
        self, tellings: Sequence[Telling], heard: Mapping[tuple[str, str], Heard]
    ) -> tuple[list[_Answer], list[_Draft]]:
        """Decide each command in order; what was heard before is answered, not decided."""
        today = civil_day(self._clock())
        outcomes: list[_Answer] = []
        drafts: dict[tuple[str, str], _Draft] = {}
        for command, by in tellings:
            reference = (by.organisation, command.ref)
            fingerprint = self.vault.fingerprint(command.content())
            if (first := heard.get(reference)) is not None:
                if first.told != fingerprint:
                    outcomes.append(ReferenceReused(ref=command.ref, position=first.position))
                else:
                    outcomes.append(Recorded(first.position, first.recorded_at, (), again=True))
            elif (before := drafts.get(reference)) is not None:
                same = before.fingerprint == fingerprint
                outcomes.append(before if same else _Reused(before, command.ref))
            else:
                try:
                    draft = self._decide(command, by, fingerprint, today)
                except Refused as refusal:
                    outcomes.append(refusal.with_traceback(None))
                else:
                    drafts[reference] = draft
                    outcomes.append(draft)
        return outcomes, list(drafts.values())

    def _decide(self, command: Command, by: Author, fingerprint: bytes, today: date) -> _Draft:
        command.assure_permitted(by)
        if command.effective_on > today and not command.MAY_LIE_AHEAD:
            raise DatedInFuture(effective_on=command.effective_on, today=today)
        ground = command.ground
        note = Note(
            by=by,
            effective_on=command.effective_on,
            document=ground.document if ground else None,
            remark=ground.note if ground else None,
        )
        self._now.clear()
        try:
            command.handle(self, note)
        except Refused:
            self._take_back()
            raise
        finally:
            self._used.update(self._now)
        return self._draft(command, by, fingerprint)

    def _draft(self, command: Command, by: Author, fingerprint: bytes) -> _Draft:
        """Seal and encode what the decision recorded."""
        tails: list[bytes] = []
        events: list[tuple[UUID, int]] = []
        warnings: list[Warned] = []
        organisation, ref = by.organisation.encode(), command.ref.encode()
        for aggregate in list(self._now.values()):
            warnings += aggregate.collect_warnings()
            for event in aggregate.collect_events():
                version = cast(int, event.originator_version)
                if event.personal is not UNSET:
                    household = aggregate.sealed_for
                    assert household is not None
                    if self._have_key(household):
                        place = (aggregate.id, version, event.TOPIC)
                        force_setattr(
                            event, "sealed", self.vault.seal(household, place, event.personal)
                        )
                    force_setattr(event, "personal", UNSET)
                if isinstance(event, Household.Erased):
                    self._erased.append(aggregate.id)
                force_setattr(event, "originator_id", UNSET)
                force_setattr(event, "originator_version", UNSET)
                state = encode(event)
                event.placed(aggregate.id, version)
                tails.append(
                    row_tail(
                        aggregate.id,
                        version,
                        event.TOPIC,
                        organisation,
                        ref,
                        len(tails),
                        fingerprint,
                        state,
                    )
                )
                events.append((aggregate.id, version))
                undecided = _Undecided(by.organisation, event)
                self._undecided.setdefault(aggregate.id.int, []).append(undecided)
        return _Draft(tails, tuple(events), fingerprint, tuple(dict.fromkeys(warnings)))

    def _store(self, outcomes: list[_Answer], drafts: Sequence[_Draft]) -> list[Outcome] | None:
        tails = [tail for draft in drafts for tail in draft.tails]
        stored = None
        if len(tails) <= _FEW and not (self._new_keys or self._erased):
            stored = self.log.append_behind(tails, self._seen)
        if stored is None:
            last = self.log.begin_append()
            if not self._still_true(last[0]):
                return None
            self._keep_new_keys()
            stored = self.log.write(tails, last)
            self.log.destroy_keys(self._erased)
            self.log.commit()
        self._seen, recorded_at = stored
        self._new_keys.clear()
        forget_everywhere(self._erased)
        self._erased.clear()

        places: dict[int, Recorded] = {}
        at = self._seen - len(tails) + 1
        for draft in drafts:
            promise = self._promise(at, recorded_at, draft.tails) if len(drafts) <= _FEW else None
            places[id(draft)] = Recorded(
                at,
                recorded_at,
                draft.events,
                again=False,
                promise=promise,
                warnings=draft.warnings,
            )
            at += len(draft.tails)
        answered: list[Outcome] = []
        for outcome in outcomes:
            if isinstance(outcome, _Draft):
                recorded = places[id(outcome)]
                answered.append(recorded)
                places[id(outcome)] = recorded._replace(again=True)
            elif isinstance(outcome, _Reused):
                position = places[id(outcome.first)].position
                answered.append(ReferenceReused(ref=outcome.ref, position=position))
            else:
                answered.append(outcome)
        return answered

    def _promise(self, position: int, recorded_at: datetime, tails: Sequence[bytes]) -> str | None:
        if self.promises is None:
            return None
        rows = [
            whole_row(number, recorded_at, tail, self.vault.authenticate)
            for number, tail in enumerate(tails, position)
        ]
        return self.promises.of_rows(position, recorded_at, rows)

    def promise_of(
        self, position: int, count: int, recorded_at: datetime, longest: int | None = None
    ) -> str | None:
        """The promise of events that are stored; None where this conversation gives none."""
        if self.promises is None or not position or not count:
            return None
        connection = self.log.connection
        return self.promises.of_stored(connection, position, count, recorded_at, longest)

    def with_events(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """The outcomes; those of commands recorded before with the events of the first answer."""
        asked = [o.position for o in outcomes if isinstance(o, Recorded) and not o.events]
        found = self.log.events_of_commands([p for p in asked if p]) if any(asked) else {}
        return [
            outcome._replace(events=tuple(found[outcome.position]))
            if isinstance(outcome, Recorded) and outcome.position in found
            else outcome
            for outcome in outcomes
        ]

    def promises_of(
        self, outcomes: Sequence[Outcome], longest: int | None = None
    ) -> dict[int, str]:
        """Promises over all that these outcomes recorded, now or before, by index of an outcome.

        Events that stand one behind the other share one, which the last of their outcomes bears.
        `outcomes`: as `with_events` gives them. `longest`: as in `Promises.of_rows`.
        """
        if self.promises is None:
            return {}
        placed = {o.position: n for n, o in enumerate(outcomes) if isinstance(o, Recorded)}
        spans = [(first, len(cast(Recorded, outcomes[n]).events)) for first, n in placed.items()]
        found = {}
        for first, count, last in ranges_of(spans):
            index = placed[last]
            recorded_at = cast(Recorded, outcomes[index]).recorded_at
            if promise := self.promise_of(first, count, recorded_at, longest):
                found[index] = promise
        return found

    def _answer_only(self, outcomes: Iterable[_Answer]) -> list[Outcome] | None:
        """Answer without appending: still only on what is true now."""
        if not self._still_true(self.log.last_position()):
            return None
        if self._undecided:
            self._forget_undecided()
        nothing = Recorded(0, _NEVER, (), again=False)
        answered: list[Outcome] = []
        for outcome in outcomes:
            if isinstance(outcome, _Draft):
                answered.append(nothing)
            elif isinstance(outcome, _Reused):
                answered.append(ReferenceReused(ref=outcome.ref, position=0))
            else:
                answered.append(outcome)
        return answered

    def _still_true(self, last: int) -> bool:
        """Whether nobody else changed what was looked at; learns what changed either way."""
        if last == self._seen:
            return True
        changed = self.log.changed(self._seen, last)
        self._seen = last
        for id in changed:
            self.vault.forget(id)  # perhaps erased: asked for again where it is needed
        numbers = {id.int for id in changed}
        for number in numbers - self._used:
            self._cache.pop(number, None)
        return not numbers & self._used

    def _have_key(self, household: UUID) -> bool:
        """Have a key to seal with, a new one if need be; False for a household that was erased.

        The decision stands only while nothing new is told of the household: an erasure, perhaps.
        Raises KeysMissing when there is a key, but nothing opens it.
        """
        self._used.add(household.int)
        if household in self._erased:
            return False
        if self.vault.has_key(household):
            return True
        if household in self._keyless or self.vault.unlock(self.log, {household}):
            if self.aggregate(Household, household).erased:
                return False
            self._new_keys[household] = self.vault.new_household_key(household)
            self._keyless.discard(household)
        elif not self.vault.has_key(household):
            raise KeysMissing("户密钥打不开 / a household's key cannot be unwrapped")
        return True

    def _keep_new_keys(self) -> None:
        """Keep them under the present wrapping secret, which the append lock holds as it is.

        Raises KeysMissing.
        """
        if self._new_keys:
            self.vault.wrap_under(self.log.present_wrapping())
            wrap = self.vault.wrap
            self.log.keep_keys({home: wrap(home, key) for home, key in self._new_keys.items()})

    def _fetch_ahead(self, tellings: Sequence[Telling]) -> None:
        """Load all that the commands will look at in one question, and the keys in another."""
        wanted: dict[UUID, type[Aggregate]] = {}
        for command, by in tellings:
            for id, kind in command.reads(by):
                if id.int not in self._cache:
                    wanted[id] = kind
        if wanted:
            households = {aggregate.sealed_for for aggregate in self.fetch(wanted)} - {None}
            missing = self.vault.missing_keys(cast(set[UUID], households))
            self._keyless = self.vault.unlock(self.log, missing)

    def _take_back(self) -> None:
        """Undo what a command recorded before it was refused: its aggregates are drawn again."""
        spoilt = {found.id: type(found) for found in self._now.values() if found.pending}
        if spoilt:
            for fresh in self.fetch(spoilt):
                for _, event in self._undecided.get(fresh.id.int, ()):
                    event.mutate(fresh)

    def _forget_undecided(self) -> None:
        """Forget all that was looked at: it may hold decisions that were never stored."""
        for number in (*self._used, *self._now):
            self._cache.pop(number, None)
        self._now.clear()
        for household in self._new_keys:
            self.vault.forget(household)
        self._new_keys.clear()
        forget_everywhere(self._erased)  # it may have been stored, and the answer lost
        self._erased.clear()
        self._keyless.clear()

    def _trim(self) -> None:
        while len(self._cache) > self._most_cached:
            self._cache.popitem(last=False)


def _references(tellings: Iterable[Telling]) -> list[tuple[str, str]]:
    return [(by.organisation, command.ref) for command, by in tellings]
