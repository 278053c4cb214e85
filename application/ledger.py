"""The ledger: hears commands, lets the domain decide, appends what happened.

It is an application of the `eventsourcing` library: its mapper, recorder, event store, repository
and notification log are the library's or implement its interfaces. What is added is that several
commands are stored in one transaction, and a command's events, over several aggregates, all or
none; that a decision stands only if nothing it read changed before it was stored, else it is taken
again; and that what was recorded before is answered as the first time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from itertools import compress
from pathlib import Path
from time import sleep
from typing import Any, TypeVar, cast
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.persistence import Recording, StoredEvent
from eventsourcing.utils import Environment, EnvType
from msgspec.structs import replace

from application.command import Command
from application.event_store.clock import WATCH, ClockWatch
from application.event_store.event_log import (
    Clock,
    ConnectionTroubled,
    EventLog,
    NotStored,
    ReferenceKnown,
    TakenMeanwhile,
    utc_now,
)
from application.event_store.guards import SchemaState
from application.event_store.mapper import EventMapper
from application.event_store.row_format import Report, rows_of
from application.idempotency import (
    Answer,
    Draft,
    References,
    ReusedInBatch,
    any_recorded,
    outcomes_of,
    seems_recorded,
)
from application.personal_data.encryption import KeyGone, Keys, Vault
from application.personal_data.keyring import Keyring
from application.receipts import Receipts
from application.refusals import DatedInFuture, LedgerBusy, LoanAmbiguous
from application.repository import AggregateRepository
from application.submission import Outcome, Recorded, Submission
from application.transparency_log.promises import Promises
from application.unit_of_work import UnitOfWork
from domain.bank_report import BankReport
from domain.calendar import civil_day
from domain.household import Household
from domain.kernel import Aggregate, AnyEnvelope, AnyEvent, Author, CommandContext, Refused, Warned
from domain.loan import Loan
from domain.policy import Book
from domain.programme import Programme

__all__ = ["Ledger", "Outcome", "Recorded", "Submission"]

A = TypeVar("A", bound=Aggregate)

_ATTEMPTS = 8
_PATIENCE_SECONDS = 0.05
_MOST_CACHED = 30_000
_FEW = 300


class Ledger(Application[UUID]):
    """One conversation with the log. Not shared between threads; any number side by side."""

    name = "mingzhang"
    log_section_size = 1_000

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
        self._schema = schema or SchemaState()
        self.vault = Vault(keys, key_file)
        self._clock = clock
        self._most_cached = most_cached
        self._open_log = partial(
            EventLog, dsn, clock=clock, transaction_seconds=transaction_seconds, watch=watch
        )
        super().__init__()
        self._unit = UnitOfWork(self._aggregates)
        self._keyring = Keyring(self.vault, self._log, self._unit)
        self.receipts = Receipts(self._log, self.vault.authenticate, promises)
        self._seen = -1
        self._banks: list[str] = []

    # ---- the library's application ----------------------------------------------------

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """Of the process's environment nothing is read: what is needed is handed over."""
        return Environment(name, env)

    def construct_mapper(self) -> EventMapper:
        return EventMapper(self.vault.encrypt)

    def construct_recorder(self) -> EventLog:
        self._log = self._open_log(self.vault.authenticate)
        return self._log

    def construct_repository(self) -> AggregateRepository:
        self._aggregates = AggregateRepository(self.events, self._log, self._most_cached)
        return self._aggregates

    @property
    def log(self) -> EventLog:  # type: ignore[override]  # the library's is another name, going
        """The recorder."""
        return self._log

    def save(self, *objs: Any, **kwargs: Any) -> list[Recording[UUID]]:
        """The library's own way to store, without a command: no role and no read set is judged.

        The service itself stores by `submit_all`. `report`: as `EventLog.insert_events` needs it.
        Raises what that raises, and KeyGone for personal values of a household without a key.
        """
        try:
            return super().save(*objs, **kwargs)
        except BaseException:  # what was changed in memory is not so
            self._aggregates.evict(obj.id.int for obj in objs if isinstance(obj, Aggregate))
            raise

    def close(self) -> None:
        super().close()
        self._log.close()

    # ---- submitting -------------------------------------------------------------------

    def submit(self, command: Command, by: Author) -> Recorded:
        """Carry out one command. Raises Refused."""
        [outcome] = self.submit_all([Submission(command, by)])
        if isinstance(outcome, Refused):
            raise outcome
        return outcome

    def submit_all(
        self, submissions: Sequence[Submission], *, atomic: bool = False, dry: bool = False
    ) -> list[Outcome]:
        """Carry out commands in order, in one transaction; an answer for each of them.

        Each command stands or is refused by itself. With `atomic`, one refusal leaves the log
        as it was; with `dry`, nothing is stored in any case. Commands that would have stood are
        then answered with position 0. Raises SchemaAltered.
        """
        if not submissions:
            return []
        if not dry:
            self._schema.assure_unaltered()
        with self._log.lock:
            for attempt in range(_ATTEMPTS):
                outcomes = self._try_once(submissions, attempt, atomic=atomic, dry=dry)
                if outcomes is not None:
                    return outcomes
                self._forget()
                sleep(_PATIENCE_SECONDS * attempt)
        return [LedgerBusy() for _ in submissions]

    def _try_once(
        self, submissions: Sequence[Submission], attempt: int, *, atomic: bool, dry: bool
    ) -> list[Outcome] | None:
        """The answers, stored; None when the commands are to be decided again."""
        try:
            return self._attempt(submissions, atomic=atomic, dry=dry, again=attempt > 0)
        except (TakenMeanwhile, ReferenceKnown, KeyGone):
            # Another writer was first, or a reference was not new: decide again, knowing it.
            return None
        except ConnectionTroubled:
            # The answer was lost, perhaps after the commit: the log itself will tell.
            if attempt == _ATTEMPTS - 1:
                self._forget()  # a transaction that failed would fail the next command
                raise
            return None
        except BaseException as error:
            self._forget()
            if isinstance(error, NotStored):
                self._schema.report(str(error))
                self._schema.assure_unaltered()
            raise

    # ---- what decisions read ----------------------------------------------------------

    @property
    def seen_position(self) -> int:
        """Through which position of the log decisions see it, the batch at hand included."""
        return max(self._seen, 0) + len(self._unit)

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
        return self._unit.aggregate(kind, id)

    def fetch(self, wanted: Mapping[UUID, type[Aggregate]]) -> list[Aggregate]:
        """Replay these aggregates from the log, in one query; new ones are empty."""
        return self._aggregates.load_all(wanted)

    def fetch_ahead(self, kind: type[A], ids: Iterable[UUID]) -> list[A]:
        """These aggregates, those not in memory loaded in one query."""
        wanted = dict.fromkeys(ids)
        missing = {id: kind for id in wanted if not self._unit.holds(id)}
        if missing:
            self.fetch(missing)
        return [self.aggregate(kind, id) for id in wanted]

    def told_event(self, id: UUID, version: int) -> tuple[str, AnyEvent] | None:
        """An event and the organisation that told it, by this batch or before; None: no such."""
        for organisation, envelope in self._unit.recorded(id):
            if envelope.originator_version == version:
                return organisation, envelope.event
        stored = self._log.stored(id, version)
        return None if stored is None else (stored.organisation, stored.event())

    def loan_of(self, bank: str | None, loan_no: str) -> Loan | None:
        """The loan that the county means by a number. Raises LoanAmbiguous."""
        found = self.loans_called(bank, loan_no)
        if len(found) > 1:
            raise LoanAmbiguous(banks=[loan.bank for loan in found])
        return found[0] if found else None

    def loans_called(self, bank: str | None, loan_no: str) -> list[Loan]:
        """The active loans of a number: of one bank, or of any."""
        if bank is None:
            self._banks = self._banks or self._log.organisations("bank")
        banks = self._banks if bank is None else [bank]
        self.fetch_ahead(Loan, [Loan.id_for(bank, loan_no) for bank in banks])
        return [loan for bank in banks if (loan := self.loan(bank, loan_no)).exists]

    def today(self) -> date:
        return civil_day(self._clock())

    def recorded_on(self, id: UUID, version: int) -> date:
        """The civil day on which the log took an event; today for one of this batch."""
        stored = self._log.stored(id, version)
        return self.today() if stored is None else civil_day(stored.recorded_at)

    def looks_within(self, time: timedelta, by: Author) -> int:
        """How often a person looked at personal data of late, in this batch too."""
        waiting = sum(
            isinstance(envelope.event, Household.LookedAt)
            and (organisation, envelope.event.person) == (by.organisation, by.person)
            for organisation, envelope in self._unit
        )
        return waiting + self._log.looks_since(by.organisation, by.person, self._clock() - time)

    def pseudonym(self, kind: str, value: str) -> str:
        return self.vault.pseudonym(kind, value)

    # ---- one attempt ------------------------------------------------------------------

    def _attempt(
        self, submissions: Sequence[Submission], *, atomic: bool, dry: bool, again: bool
    ) -> list[Outcome] | None:
        """Decide and store once; None when what the decisions rest on is not so.

        The first attempt takes references for new: the log itself refuses one that is not.
        """
        self._aggregates.trim()
        self._unit.begin()
        if self._seen < 0:
            self._seen = self._log.last_position()
        asked = again or dry or seems_recorded(self._log, submissions)
        references = References(self._log, submissions if asked else ())
        self._prefetch(submissions)
        answers = self._decide_all(submissions, references)

        drafts = references.drafts
        refused = [isinstance(answer, Refused | ReusedInBatch) for answer in answers]
        storing = bool(drafts) and not dry and not (atomic and any(refused))
        if not asked:  # what is not stored is not compared by the log: ask for it now
            unsure = list(compress(submissions, refused)) if storing else submissions
            if any_recorded(self._log, unsure):
                return None
        return self._store(answers, drafts) if storing else self._answer_only(answers)

    def _prefetch(self, submissions: Sequence[Submission]) -> None:
        """Load all that the commands will read in one query, and the keys in another."""
        wanted = {
            id: kind
            for command, by in submissions
            for id, kind in command.reads(by)
            if not self._aggregates.holds(id)
        }
        if wanted:
            households = {aggregate.sealed_for for aggregate in self.fetch(wanted)} - {None}
            self._keyring.unlock(cast(set[UUID], households))

    def _decide_all(
        self, submissions: Sequence[Submission], references: References
    ) -> list[Answer]:
        """Decide each command in order; what is recorded already is answered, not decided."""
        today = self.today()
        answers: list[Answer] = []
        for submission in submissions:
            reference = submission.reference
            fingerprint = self.vault.fingerprint(submission.command.content())
            answer = references.find(reference, fingerprint)
            if answer is None:
                try:
                    answer = self._decide(submission, fingerprint, today)
                    references.take(reference, answer)
                except Refused as refusal:
                    answer = refusal.with_traceback(None)
            answers.append(answer)
        return answers

    def _decide(self, submission: Submission, fingerprint: bytes, today: date) -> Draft:
        command, by = submission
        command.assure_permitted(by)
        if command.effective_on > today and not command.MAY_LIE_AHEAD:
            raise DatedInFuture(effective_on=command.effective_on, today=today)
        ground = command.ground
        context = CommandContext(
            by=by,
            effective_on=command.effective_on,
            document=ground.document if ground else None,
            remark=ground.note if ground else None,
        )
        self._unit.identity_map.clear()
        try:
            command.handle(self, context)
        except Refused:
            self._unit.undo_command()
            raise
        finally:
            self._unit.end_command()
        return self._draft(Report(by.organisation, command.ref, fingerprint))

    def _draft(self, report: Report) -> Draft:
        """Encrypt and encode what the decision recorded."""
        stored: list[StoredEvent] = []
        events: list[tuple[UUID, int]] = []
        warnings: list[Warned] = []
        for aggregate in list(self._unit.identity_map.values()):
            warnings += aggregate.collect_warnings()
            for envelope in aggregate.collect_events():
                if isinstance(envelope.event, Household.Erased):
                    self._keyring.erase(aggregate.id)
                stored.append(self.mapper.to_stored_event(self._encryptable(envelope)))
                events.append((aggregate.id, envelope.originator_version))
                self._unit.add(report.organisation, envelope)
        once = tuple(dict.fromkeys(warnings))
        return Draft(rows_of(stored, report), tuple(events), report.fingerprint, once)

    def _encryptable(self, envelope: AnyEnvelope) -> AnyEnvelope:
        """The envelope, its key assured; without its personal values if the household is erased."""
        household = envelope.household
        if household is None or self._keyring.assure(household):
            return envelope
        return replace(envelope, personal=None)

    def _store(self, answers: Sequence[Answer], drafts: Sequence[Draft]) -> list[Outcome] | None:
        rows = [row for draft in drafts for row in draft.rows]
        appended = None
        if len(rows) <= _FEW and not self._keyring.changed:
            appended = self._log.append_behind(rows, self._seen)
        if appended is None:
            last = self._log.begin_append()
            if not self._still_true(last[0]):
                return None
            self._keyring.keep_made()
            appended = self._log.write(rows, last)
            self._keyring.destroy_erased()
            self._log.commit()
        self._seen, recorded_at = appended
        self._unit.begin()
        self._keyring.committed()
        return outcomes_of(answers, self._placed(drafts, self._seen - len(rows) + 1, recorded_at))

    def _placed(
        self, drafts: Sequence[Draft], position: int, recorded_at: datetime
    ) -> dict[int, Recorded]:
        """What is answered for each draft, by its `id`; `position`: of the first one."""
        placed = {}
        for draft in drafts:
            promise = None
            if len(drafts) <= _FEW:
                promise = self.receipts.promise_of_rows(position, recorded_at, draft.rows)
            placed[id(draft)] = Recorded(
                position,
                recorded_at,
                draft.events,
                again=False,
                promise=promise,
                warnings=draft.warnings,
            )
            position += len(draft.rows)
        return placed

    def _answer_only(self, answers: Sequence[Answer]) -> list[Outcome] | None:
        """Answer without appending: still only on what is true now."""
        if not self._still_true(self._log.last_position()):
            return None
        if len(self._unit):
            self._unit.forget()
            self._keyring.rolled_back()
        self._unit.begin()
        return outcomes_of(answers, {})

    def _still_true(self, last: int) -> bool:
        """Whether nobody else changed what was read; learns what changed either way."""
        if last == self._seen:
            return True
        changed = self._log.changed(self._seen, last)
        self._seen = last
        for id in changed:
            self.vault.forget(id)  # perhaps erased: asked for again where it is needed
        return not self._unit.overtaken_by({id.int for id in changed})

    def _forget(self) -> None:
        """Forget what was read and decided, and end a transaction that was begun."""
        self._unit.forget()
        self._keyring.rolled_back()
        self._log.rollback()
