"""What else is wrong in a back-test county: by chance, by negligence, as another scheme's trace.

Reckoned from the county's own truth, or from the write side's arithmetic, never from the facts
that the rules ask. Only what can be wanted of a rule is wanted here: an overpayment is one,
whoever caused it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from typing import Final, NamedTuple

from application.command import Command
from application.commands.bank_report import ReportScale
from application.commands.subsidy import subsidy_due
from application.ledger import Ledger, Submission
from domain.batch import Batch
from domain.calendar import Period
from domain.policy import ruling
from interface.simulation.backtest.county import BacktestCounty
from interface.simulation.backtest.labels import Label, entities
from interface.simulation.demo.life_events import QUARTERS
from interface.simulation.demo.plans import CAP_FEN, HouseholdPlan, LoanPlan, quoted_bp
from interface.simulation.demo.random_source import LAST_DAY, day
from interface.simulation.demo.statements import Correction
from projections.facts.reading import View
from projections.red_flags.evidence import subsidised

_FIRST_REMINDER_DAYS: Final = ruling("first_reminder_days", day(LAST_DAY)).number

_STILL_OPEN: Final = {each.name for each in QUARTERS[-1:]}
"""A subsidy of the last quarter may still be on its way."""


class _Heard(NamedTuple):
    on: date
    command: Command
    organisation: str


def by_chance(county: BacktestCounty, ledger: Ledger, view: View) -> list[Label]:
    """Every case that nobody planted."""
    found: list[Label] = []
    told = [
        _Heard(today.recorded_on, statement.command, statement.by.organisation)
        for today in county.days()
        for statement in today.statements
        if isinstance(statement, Submission)
    ]
    for household in {id(loan.household): loan.household for loan in county.loans}.values():
        found.extend(_over_the_cap(household))
        found.extend(_loans_by_loans(household))
        if not household.told:
            of = entities(loans=household.loans)
            found.append(Label("unregistered_and_unchecked", "RF15", of, False))
    for household, died, _ in county.misuse.deaths:
        loans = [loan for loan in household.loans if loan.closed > died]
        found.append(Label("dead_borrowers_loan", "RF22", entities(loans=loans), False))
    found.extend(_not_reminded(county))
    found.extend(_reports(county))
    for loan in county.loans:
        of = entities(loans=[loan])
        if loan.rate_bp > quoted_bp(loan.contract, loan.months):
            found.append(Label("rate_over_the_quote_by_chance", "RF07", of, False))
        flows = county.misuse.outflows.get(id(loan), ())
        if any(on == loan.disbursed and kind != "merchant" for on, *_, kind in flows):
            found.append(Label("sent_on_the_day", "RF19", of, False))
    found.extend(_told_late(county, told))
    for _, reports in county.mistold():
        found.append(Label("mistold_and_not_corrected", "RF12", reports, False))
    found.extend(_settled_up(county, ledger))
    found.extend(_subsidised_wrongly(county, view))
    return found


def _over_the_cap(household: HouseholdPlan) -> Iterator[Label]:
    """What a household owed at once, on any day."""
    moved: dict[int, int] = defaultdict(int)
    for loan in household.loans:
        moved[loan.disbursed] += loan.principal_fen
        for on, fen, *_ in loan.repaid:
            moved[on] -= fen
    owed_fen = 0
    for on in sorted(moved):
        owed_fen += moved[on]
        if owed_fen > CAP_FEN:
            yield Label("owed_over_the_cap", "RF06", entities(households=[household]), False)
            return


def _loans_by_loans(household: HouseholdPlan) -> Iterator[Label]:
    """A settlement within a day of a new loan; renewals of the same principal, twice."""
    for old in household.loans:
        for new in household.loans:
            near = old is not new and new.disbursed > old.disbursed
            if near and abs(new.disbursed - old.closed) <= 1 and new.renews is not old:
                yield Label("settled_when_lent", "RF13", entities(loans=[old, new]), False)
        before = old.renews
        if before and before.renews and before.principal_fen == old.principal_fen:
            of = entities(loans=[before.renews, before, old])
            yield Label("renewed_in_full_twice", "RF13", of, False)


def _not_reminded(county: BacktestCounty) -> Iterator[Label]:
    """The demo notes reminders of the first due day, up to the last day: what there is besides."""
    for loan in county.loans:
        due = loan.extended_due or loan.due
        begins = due - _FIRST_REMINDER_DAYS
        if begins < min(loan.closed, LAST_DAY) and (loan.extended_due or due > LAST_DAY):
            yield Label("not_reminded_of_the_last_due_day", "RF16", entities(loans=[loan]), False)


def _reports(county: BacktestCounty) -> Iterator[Label]:
    """Reports that cannot be true, by themselves or after the one of the month before."""
    reports: dict[tuple[str, str], dict[str, int]] = {}
    for today in county.days():
        for statement in today.statements:
            bank = statement.by.organisation
            if isinstance(statement, Correction):
                body = statement.replacement or {}
                if "households" in body:
                    reports[bank, body["period"]] = body
            elif isinstance(statement.command, ReportScale):
                command = statement.command
                reports[bank, command.period] = command.model_dump()
    before_fen: dict[str, int] = {}
    for (bank, period), said in sorted(reports.items()):
        rose_fen = said["balance_fen"] - before_fen.get(bank, said["balance_fen"])
        before_fen[bank] = said["balance_fen"]
        if (
            said["households"] > said["loans"]
            or said["balance_fen"] > CAP_FEN * said["households"]
            or rose_fen > said["disbursed_fen"]
        ):
            of = frozenset({("bank", bank), ("period", period)})
            yield Label("report_cannot_be_true", "RF26", of, False)


def _told_late(county: BacktestCounty, told: list[_Heard]) -> Iterator[Label]:
    """What was told of loans weeks after it happened, and without a document."""
    loans = {(loan.bank, loan.no): loan for loan in county.loans}
    days = ruling("late_report_days", day(LAST_DAY)).number
    for on, command, organisation in told:
        number = getattr(command, "loan_no", None)
        if number and (on - command.effective_on).days > days and command.ground is None:
            loan = loans[getattr(command, "bank", None) or organisation, number]
            more = [("day", command.effective_on.isoformat())]
            yield Label("told_weeks_late", "RF23", entities(loans=[loan], more=more), False)


def _settled_up(county: BacktestCounty, ledger: Ledger) -> Iterator[Label]:
    """Closed quarters paid too much, or never paid, by the write side's own arithmetic."""
    held = _held(county, ledger)
    quarters = [
        Period(day(each.first), day(each.until)) for each in QUARTERS if each.until <= LAST_DAY
    ]
    names = [each.name for each in QUARTERS]
    for plan in county.loans:
        loan = ledger.loan(plan.bank, plan.no)
        if not loan.exists:
            continue
        for name, period in zip(names, quarters, strict=False):
            if period.until <= loan.disbursed_on:
                continue
            due_fen = subsidy_due(ledger, loan, period)[0].amount_fen
            paid_fen = loan.paid_fen(period.first, period.until)
            if due_fen == paid_fen:
                continue
            of = entities(loans=[plan], more=[("period", name)])
            if paid_fen > due_fen:
                yield Label("overpaid", "RF01", of)
            elif (plan.bank, plan.no, name) not in held:
                forgotten = paid_fen == 0 and name not in _STILL_OPEN
                yield Label("underpaid", "RF27", of, forgotten)


def _held(county: BacktestCounty, ledger: Ledger) -> set[tuple[str, str, str]]:
    """The loans and quarters for which an open batch holds money."""
    batches = (ledger.aggregate(Batch, Batch.id_for(no)) for no in county.offices.BATCHES)
    lines = (line for batch in batches for line in batch.reserved)
    return {(line.bank, line.loan_no, line.period) for line in lines}


def _subsidised_wrongly(county: BacktestCounty, view: View) -> Iterator[Label]:
    """Days and principal that a payment counted, against what was truly owed on them."""
    loans = {(loan.bank, loan.no): loan for loan in county.loans}
    latest: dict[tuple[str, str, str], list[tuple[str, date, date, int]]] = defaultdict(list)
    for bank, number, payment_no, period, first, until, fen in subsidised(view):
        latest[bank, number, period].append((payment_no, first, until, fen))
    of_home: dict[int, list[tuple[LoanPlan, int, int, int]]] = defaultdict(list)
    for (bank, number, period), stretches in latest.items():
        loan = loans[bank, number]
        of = entities(loans=[loan], more=[("period", period)])
        due = loan.extended_due or loan.due
        if any(until.toordinal() > due for _, _, until, _ in stretches):
            yield Label("subsidised_while_overdue", "RF03", of, False)
        if any(_more_than_owed(loan, *stretch[1:]) for stretch in stretches):
            yield Label("subsidised_beyond_what_was_owed", "RF02", of, False)
        last = stretches[-1][0]
        of_home[id(loan.household)].extend(
            (loan, first.toordinal(), until.toordinal(), fen)
            for payment_no, first, until, fen in stretches
            if payment_no == last
        )
    for paid in of_home.values():
        yield from _household_beyond_its_cap(paid)


def _more_than_owed(loan: LoanPlan, first: date, until: date, fen: int) -> bool:
    """Whether less was owed at the end of the stretch, or after any repayment inside it."""
    owed_fen = loan.principal_fen
    for on, back_fen, *_ in loan.repaid:
        if on < until.toordinal() and on <= LAST_DAY:
            owed_fen -= back_fen
    return fen > owed_fen or (first < until and until.toordinal() > loan.closed)


def _household_beyond_its_cap(paid: list[tuple[LoanPlan, int, int, int]]) -> Iterator[Label]:
    moved: dict[int, int] = defaultdict(int)
    for _, first, until, fen in paid:
        moved[first] += fen
        moved[until] -= fen
    total = 0
    for on, _ in pairwise([*sorted(moved), 0]):
        total += moved[on]
        if total > CAP_FEN:
            of = entities(loans=[loan for loan, *_ in paid])
            yield Label("subsidised_beyond_the_cap", "RF04", of, False)
            return
