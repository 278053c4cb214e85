"""Goes on where the four years end: loans by statements, all else by the offices' own steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date, datetime, timedelta
from operator import itemgetter
from time import perf_counter
from typing import Final

from application.access import enrol
from application.ledger import Ledger
from application.personal_data.encryption import Keys
from domain.loan import Loan
from interface.simulation.demo.county import County, Day
from interface.simulation.demo.loading import Evening, Loaded, Loading, Progress, quiet
from interface.simulation.demo.misuse import Scheme
from interface.simulation.demo.people import GUARANTORS
from interface.simulation.demo.random_source import day, number
from interface.simulation.demo.recent_years.batches import Batches
from interface.simulation.demo.recent_years.cases import Cases
from interface.simulation.demo.recent_years.desk import Desk
from interface.simulation.demo.recent_years.lending import Lending
from interface.simulation.demo.recent_years.money import Money, RiskFund
from interface.simulation.demo.recent_years.reports import Reports
from interface.simulation.demo.recent_years.villages import Villages
from projections.facts.draw import Projector
from projections.facts.reading import Facts

LAST_DAY: Final = date(2026, 11, 20)
"""The demo county's present: fixed, so that it is the same county on every day and machine."""
_CACHED: Final = 30_000


class RecentYears:
    """What will be told of a county from 2025-01-01 to a day, worked out from its seed."""

    def __init__(self, county: County, last_day: date = LAST_DAY) -> None:
        self.county, self.last_day = county, last_day
        self.lending = Lending(county, last_day.toordinal())

    @property
    def schemes(self) -> list[Scheme]:
        """What is planted or went wrong in these years."""
        return [each.labelled() for each in self.lending.misuse.planted]

    def days(self) -> Iterator[Day]:
        """The days on which banks, townships and the bureau tell something, in order."""
        for on, entries in sorted(self.lending.calendar.days.items()):
            told = sorted(entries, key=itemgetter(0))
            yield Day(day(on), [make(*args) for _, make, args in told], [], [])

    def may_be_due(self) -> list[str]:
        """The ids of all loans on which anything is owed, or was thought to be, since 2025Q1."""
        first, left_wrong = number(2024, 12, 21), {id(x[0]) for x in self.county.left_wrong}
        known = [
            loan
            for loan in self.county.loans
            if max(loan.closed, loan.known_closed) >= first or id(loan) in left_wrong
        ]
        return [str(Loan.id_for(x.bank, x.no)) for x in (*known, *self.lending.loans)]


def load_recent_years(
    owner_dsn: str, dsn: str, keys: Keys, recent: RecentYears, progress: Progress | None = None
) -> Loaded:
    """Submit these years to a ledger that holds the four before, whose facts are projected.

    `progress` hears the days done and the days in all. Raises Refused if the ledger refuses
    anything: then the demo is wrong.
    """
    began = perf_counter()
    enrol(owner_dsn, [*recent.county.organisations, *GUARANTORS])
    clock = Evening()
    with _desk(dsn, keys, clock, recent) as desk, quiet():
        corrected = frozenset(recent.lending.calendar.corrected)
        loading = Loading(desk.ledger, clock, corrected)
        before = desk.ledger.log.last_position()
        _enter_all(desk, recent)
        _work_through(desk, loading, recent, progress)
        desk.projector.catch_up()
        events = desk.ledger.log.last_position() - before
    return Loaded(loading.commands + desk.commands, events, perf_counter() - began)


@contextmanager
def _desk(dsn: str, keys: Keys, clock: Evening, recent: RecentYears) -> Iterator[Desk]:
    with (
        closing(Ledger(dsn, keys, clock=clock, most_cached=_CACHED)) as ledger,
        closing(Projector(dsn)) as projector,
        closing(Facts(dsn, most=2, clock=clock)) as facts,
    ):
        yield Desk(ledger, clock, projector, facts, recent.county, recent.last_day)


def _enter_all(desk: Desk, recent: RecentYears) -> None:
    """Each office enters what it will do."""
    money = Money(desk, recent.lending)
    RiskFund(desk, recent.lending.open_loans)
    Batches(desk, money, recent.may_be_due())
    Cases(desk)
    Villages(desk, recent.lending)
    Reports(desk)


def _work_through(
    desk: Desk, loading: Loading, recent: RecentYears, progress: Progress | None
) -> None:
    """Every day: first what is told, then what the offices do."""
    told = {each.recorded_on: each for each in recent.days()}
    first = date(2025, 1, 1)
    days = (recent.last_day - first).days + 1
    for done in range(days):
        today = first + timedelta(days=done)
        desk.clock.begin(today)
        if today in told:
            loading.statements(told[today])
        desk.work(today)
        if progress is not None:
            progress(done + 1, days)


def last_day_before(now: datetime) -> date:
    """The county's last day; where the clock stands before it, the day before today."""
    return min(LAST_DAY, now.date() - timedelta(days=1))
