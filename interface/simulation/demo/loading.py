"""Loads the demo county into a ledger by the ordinary commands, day by day."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import islice
from time import perf_counter
from typing import Final, NamedTuple

from application.access import enrol
from application.command import Command
from application.commands.correction import CorrectEvent
from application.commands.subsidy import PaySubsidy, RecoverSubsidy, subsidy_due
from application.fields import Account
from application.ledger import Ledger, Submission
from application.personal_data.encryption import Keys
from domain.calendar import Period, quarter, quarter_name
from domain.kernel import Refused
from domain.loan import Loan
from interface.simulation.demo.county import County, Day, Payment, Review
from interface.simulation.demo.plans import LoanPlan
from interface.simulation.demo.statements import FINANCE, Correction

_MOST_AT_ONCE: Final = 4_000
_CACHED_AT_FULL_SIZE: Final = 40_000
_EVENING_UTC: Final = 9 * 60
_EVENING_MINUTES: Final = 300

Progress = Callable[[int, int], None]


class Loaded(NamedTuple):
    """What was told: commands and the events they became."""

    commands: int
    events: int
    seconds: float


class Evening:
    """The ledger's clock while a county is loaded: some minute of the evening in China."""

    def __init__(self) -> None:
        self.now = datetime(2020, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def begin(self, day: date) -> None:
        midnight = datetime.combine(day, datetime.min.time(), UTC)
        minute = day.toordinal() * 37 % (_EVENING_MINUTES // 2)
        self.now = midnight + timedelta(minutes=_EVENING_UTC + minute)

    def later(self) -> None:
        self.now += timedelta(seconds=19)


class Loading:
    """One county on its way into one ledger."""

    def __init__(self, ledger: Ledger, clock: Evening, corrected: frozenset[str]) -> None:
        self._ledger, self._clock, self._corrected = ledger, clock, corrected
        self._event_ids: dict[tuple[str, str], str] = {}
        self.commands = self.events = 0

    def day(self, day: Day) -> None:
        self.statements(day)
        if day.payments:
            self._submit(filter(None, map(self._payment, day.payments)))
        for review in day.reviews:
            self._submit(list(self._review(review, day)))

    def statements(self, day: Day) -> None:
        """Tell what is known on a day; nothing of what finance does."""
        self._clock.begin(day.recorded_on)
        self._submit(self._named(statement) for statement in day.statements)

    def _submit(self, submissions: Iterator[Submission] | Sequence[Submission]) -> None:
        """Tell in portions; anything refused is a mistake of the demo, so it is raised."""
        left = iter(submissions)
        while portion := list(islice(left, _MOST_AT_ONCE)):
            self._clock.later()
            outcomes = self._ledger.submit_all(portion)
            for (command, by), outcome in zip(portion, outcomes, strict=True):
                if isinstance(outcome, Refused):
                    outcome.add_note(f"{by.organisation} {command!r}")
                    raise outcome
                self.events += len(outcome.event_ids)
                if command.ref in self._corrected:
                    self._event_ids[by.organisation, command.ref] = outcome.event_ids[0]
            self.commands += len(portion)

    def _named(self, statement: Submission | Correction) -> Submission:
        """A correction names its event by the id that the ledger gave it."""
        if isinstance(statement, Submission):
            return statement
        command: Command = CorrectEvent(
            ref=statement.ref,
            effective_on=self._clock.now.date(),
            event_id=self._event_id(statement.by.organisation, statement.of),
            reason=statement.reason,
            replacement=statement.replacement,
        )
        return Submission(command, statement.by)

    def _event_id(self, organisation: str, ref: str) -> str:
        """The id that an event got in this loading, or in one before."""
        known = self._event_ids.pop((organisation, ref), None)
        if known is not None:
            return known
        [found] = self._ledger.log.find_by_reference([(organisation, ref)]).values()
        events = self._ledger.log.events_of_commands([found.position])
        id, version = events[found.position][0]
        return f"{id}.{version}"

    # ---- what finance does --------------------------------------------------------------

    def _payment(self, payment: Payment) -> Submission | None:
        plan = payment.loan
        return self._pay(
            plan,
            self._ledger.loan(plan.bank, plan.no),
            _quarter(payment.period),
            f"TX-{payment.period}-{plan.no}",
            payment.voucher,
        )

    def _pay(
        self, plan: LoanPlan, loan: Loan, period: Period, ref: str, voucher: str
    ) -> Submission | None:
        """What is due on all that is known this evening and not yet paid, if anything."""
        calculation, _ = subsidy_due(self._ledger, loan, period)
        left_fen = calculation.amount_fen - loan.paid_fen(period.first, period.until)
        if left_fen <= 0:
            return None
        command: Command = PaySubsidy(
            ref=ref,
            effective_on=self._clock.now.date(),
            loan_no=plan.no,
            bank=plan.bank,
            period=_name(period),
            amount_fen=left_fen,
            payee=Account(
                account=plan.household.account(plan.bank), name=plan.household.borrower.name
            ),
            voucher=voucher,
        )
        return Submission(command, FINANCE)

    def _review(self, review: Review, day: Day) -> Iterator[Submission]:
        """Each quarter that was paid, calculated again: topped up, or money is asked back."""
        plan = review.loan
        loan = self._ledger.loan(plan.bank, plan.no)
        paid = dict.fromkeys(Period(p.first, p.until) for p in loan.paid.values())
        for period in list(paid):
            ref = f"{_name(period)}-{plan.no}-{day.recorded_on:%Y%m}"
            voucher = f"FH-{day.recorded_on:%Y%m}"
            due_fen = subsidy_due(self._ledger, loan, period)[0].amount_fen
            over_fen = loan.paid_fen(period.first, period.until) - due_fen
            if over_fen < 0:
                topped_up = self._pay(plan, loan, period, f"BT-{ref}", voucher)
                if topped_up:
                    yield topped_up
            elif over_fen and review.recover:
                yield from self._recover(plan, loan, period, over_fen, f"ZH-{ref}", voucher)

    def _recover(
        self, plan: LoanPlan, loan: Loan, period: Period, over_fen: int, ref: str, voucher: str
    ) -> Iterator[Submission]:
        for payment_no, paid in reversed(list(loan.paid.items())):
            if (paid.first, paid.until) != (period.first, period.until):
                continue
            back_fen = min(over_fen, loan.kept_fen(payment_no))
            if back_fen > 0:
                over_fen -= back_fen
                command: Command = RecoverSubsidy(
                    ref=f"{ref}-{paid.version}",
                    effective_on=self._clock.now.date(),
                    loan_no=plan.no,
                    bank=plan.bank,
                    payment_no=payment_no,
                    amount_fen=back_fen,
                    reason="复核发现多付：还款报送迟到或信息更正",
                    voucher=voucher,
                )
                yield Submission(command, FINANCE)


_name = lru_cache(quarter_name)


@lru_cache
def _quarter(name: str) -> Period:
    year, number = name.split("Q")
    return quarter(int(year), int(number))


@contextmanager
def quiet() -> Iterator[None]:
    """Loading makes many objects and no cycles: the search for them took a quarter of its time."""
    searched = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searched:
            gc.enable()


def load(
    owner_dsn: str, dsn: str, keys: Keys, county: County, progress: Progress | None = None
) -> Loaded:
    """Enrol the organisations and submit all statements, in the order of becoming known.

    `progress` hears the days done and the days in all. Raises Refused if the ledger refuses
    anything: then the demo is wrong.
    """
    began = perf_counter()
    enrol(owner_dsn, list(county.organisations))
    clock = Evening()
    cached = round(_CACHED_AT_FULL_SIZE * max(1, county.factor))
    ledger = Ledger(dsn, keys, clock=clock, most_cached=cached)
    loading = Loading(ledger, clock, county.corrected)
    days = len(county)
    try:
        with quiet():
            for done, day in enumerate(county.days(), start=1):
                loading.day(day)
                if progress is not None:
                    progress(done, days)
    finally:
        ledger.close()
    return Loaded(loading.commands, loading.events, perf_counter() - began)
