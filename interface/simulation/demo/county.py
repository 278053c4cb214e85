"""The demo county: households, loans and four years of statements about them, from one seed.

`days` gives the statements in the order in which they become known. Two things cannot be known
before the ledger has answered, and `loading` fills them in: the id of an event that is corrected,
and the amounts of subsidies paid and recovered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from operator import itemgetter
from typing import Any, Final, NamedTuple

from application.access import Organisation
from application.ledger import Submission
from domain.household import Category
from interface.simulation.demo import statements as say
from interface.simulation.demo.life_events import (
    CREDIT,
    DEMAND,
    MEMBERS,
    OTHER,
    QUARTERS,
    REGISTER,
    REPORTED_MONTHS,
    STATUS,
    Calendar,
    Storyteller,
    first_of,
)
from interface.simulation.demo.misuse import Misuse, Scheme, plant
from interface.simulation.demo.people import BANKS, PURPOSES, Person, organisations
from interface.simulation.demo.plans import (
    HOUSEHOLDS,
    INELIGIBLE_HOUSEHOLDS,
    LENT_IN_2023_FEN,
    THOUSAND_YUAN_FEN,
    HouseholdPlan,
    LoanPlan,
    Planner,
    balance_to_the_plan,
    number_loans,
)
from interface.simulation.demo.random_source import LAST_DAY, RandomSource, day, number, working_day
from interface.simulation.demo.statements import Correction

_REVIEWS: Final = tuple(
    working_day(number(year, month, 15)) for year in range(2021, 2025) for month in (5, 11)
)
_REFUSALS: Final = (
    "有未结清的逾期贷款", "无合适的生产经营项目", "已在他行获得足额贷款", "征信记录不符合要求",
)  # fmt: skip


class Payment(NamedTuple):
    """A subsidy that finance will pay, if anything is due then and not paid yet."""

    loan: LoanPlan
    period: str
    voucher: str


class Review(NamedTuple):
    """A loan whose closed quarters are calculated again; `recover`: and money is asked back."""

    loan: LoanPlan
    recover: bool


class Day(NamedTuple):
    """All that the ledger learns on one day: first the statements, then what finance does."""

    recorded_on: date
    statements: list[Submission | Correction]
    payments: list[Payment]
    reviews: list[Review]


class County:
    """One made-up county, always the same for the same seed and factor."""

    def __init__(self, seed: int, factor: float) -> None:
        self.seed, self.factor = seed, factor
        self.organisations: tuple[Organisation, ...] = organisations()
        planner = Planner(
            self._rng("homes"), self._scaled(HOUSEHOLDS), self._scaled(INELIGIBLE_HOUSEHOLDS)
        )
        self._people = planner.people
        planner.plan_loans()
        self._calendar = Calendar()
        misuse = self._plant(planner)
        balance_to_the_plan(
            self._rng("balance"),
            [*planner.households, *planner.ineligible, *misuse.strangers],
            self._scaled(LENT_IN_2023_FEN),
        )
        self.households: list[HouseholdPlan] = [*planner.households, *planner.ineligible]
        self.households.extend(self._further(planner, misuse))
        self.loans: list[LoanPlan] = number_loans([*self.households, *misuse.strangers])
        self._payments: dict[int, list[Payment]] = {}
        self._reviews: dict[int, list[Review]] = {}
        self._tell_of_homes(misuse)
        storyteller = Storyteller(self._calendar, self._rng("lives"), misuse)
        for loan in self.loans:
            storyteller.submit(loan)
        self.left_wrong = storyteller.left_wrong
        """Mistakes that are put right only after the last day."""
        self._report(misuse)
        self._pay(misuse)
        self._review()
        self.corrected: frozenset[str] = frozenset(self._calendar.corrected)
        self.misuse = misuse
        self.schemes: tuple[Scheme, ...] = tuple(p.labelled() for p in misuse.planted)

    def days(self) -> Iterator[Day]:
        """The days on which anything becomes known, in order; may be asked for again."""
        told = self._calendar.days
        for on in sorted({*told, *self._payments, *self._reviews}):
            entries = sorted(told.get(on, ()), key=itemgetter(0))
            yield Day(
                day(on),
                [make(*args) for _, make, args in entries],
                self._payments.get(on, []),
                self._reviews.get(on, []),
            )

    def __len__(self) -> int:
        """How many days `days` gives."""
        return len({*self._calendar.days, *self._payments, *self._reviews})

    def told(self) -> Iterator[tuple[Callable[..., Any], tuple[Any, ...]]]:
        """What makes each statement, and of what: the loan or household first."""
        for entries in self._calendar.days.values():
            for _, make, args in entries:
                yield make, args

    def lent_fen(self, year: int) -> int:
        """What was truly disbursed in a year."""
        return sum(x.principal_fen for x in self.loans if day(x.disbursed).year == year)

    def _plant(self, planner: Planner) -> Misuse:
        return plant(planner, self._rng("schemes"), self._scaled)

    def _further(self, planner: Planner, misuse: Misuse) -> list[HouseholdPlan]:  # noqa: ARG002
        """Households that a county has besides; the demo has none."""
        return []

    def _rng(self, purpose: str) -> RandomSource:
        return RandomSource(f"{self.seed}/{self.factor}/{purpose}")

    def _scaled(self, count: int) -> int:
        return max(1, round(count * self.factor))

    # ---- households ---------------------------------------------------------------------

    def _tell_of_homes(self, misuse: Misuse) -> None:
        add, rng = self._calendar.add, self._rng("register")
        for household in self.households:
            add(household.registered, household.told, REGISTER, say.registration, household)
        for household, ended, told in misuse.status_told_late:
            for loan in household.loans:
                loan.known_late = True
            add(ended, told, STATUS, say.status_change, household, ended, "none", "核查后清退")
        for household, died, told in misuse.deaths:
            self._died(household, died, told)
        others = rng.shuffled(
            [household for household in self.households if not household.in_scheme]
        )
        changed = self._scaled(260)
        for household in others[:changed]:
            self._status_change(rng, household)
        for household in others[changed : changed + self._scaled(900)]:
            self._member_change(rng, household)
        for count in range(self._scaled(620)):
            self._refused(rng, rng.pick(self.households), count)

    def _status_change(self, rng: RandomSource, household: HouseholdPlan) -> None:
        on = household.told + rng.between(60, 1000)
        lends_later = any(loan.disbursed >= on for loan in household.loans)
        category: Category
        if household.category == "none":
            category, reason = "monitored_hardship", "突发严重困难，纳入监测"
        elif household.category == "out_of_poverty":
            category, reason = "monitored_unstable", "纳入监测"
            if not lends_later and rng.chance(300):
                category, reason = "none", "整户迁出或核查清退"
        elif household.category == "monitored_marginal" and not lends_later:
            category, reason = "none", "风险消除，解除监测"
        else:
            category, reason = "out_of_poverty", "风险消除，解除监测"
        told = on + rng.between(0, 20)
        self._calendar.add(on, told, STATUS, say.status_change, household, on, category, reason)

    def _member_change(self, rng: RandomSource, household: HouseholdPlan) -> None:
        on = household.told + rng.between(30, 1300)
        others = [person for person in household.people[1:] if person is not household.borrower]
        added: list[Person] = []
        left: list[tuple[Person, str]] = []
        if others and rng.chance(550):
            leaver = others[-1]
            reason = "死亡" if leaver.born_year < 1950 else rng.pick(("婚嫁迁出", "外迁", "死亡"))
            left.append((leaver, reason))
        else:
            male, born_year = rng.chance(510), rng.between(2021, 2022)
            added.append(self._people.person(household.people[0].name[0], male, born_year, "孙辈"))
            on = max(on, number(born_year, 12, 31))
        told = on + rng.between(0, 15)
        self._calendar.add(on, told, MEMBERS, say.member_change, household, on, added, left, False)

    def _died(self, household: HouseholdPlan, died: int, told: int) -> None:
        people, dead = household.people, household.borrower
        left, added = [(dead, "死亡")], []
        if dead is people[0] and len(people) > 1:
            heir = people[1]
            left.append((heir, "变更户主"))
            added.append(heir._replace(relation="户主"))
        self._calendar.add(
            died, told, MEMBERS, say.member_change, household, died, added, left, bool(added)
        )

    def _refused(self, rng: RandomSource, household: HouseholdPlan, count: int) -> None:
        """An application that did not lead to a loan; some are never answered."""
        add, ref = self._calendar.add, f"N{count:05d}"
        on = household.told + rng.between(20, 1000)
        fen = rng.between(20, 50) * THOUSAND_YUAN_FEN
        purpose = rng.weighted(PURPOSES)
        add(on, on + rng.between(0, 2), DEMAND, say.demand, household, ref, on, fen, purpose)
        if not rng.chance(50):
            on += rng.between(3, 15)
            why = rng.pick(_REFUSALS)
            told = on + rng.between(0, 2)
            add(on, told, CREDIT, say.credit, household, household.bank, ref, on, fen, purpose, why)

    # ---- reports, subsidies, reviews ----------------------------------------------------

    def _report(self, misuse: Misuse) -> None:
        report_scale(
            self._calendar, self._rng("reports"), self.loans, REPORTED_MONTHS, misuse.inflated
        )

    def _pay(self, misuse: Misuse) -> None:
        """When finance will pay each loan's subsidy for each quarter; a few are forgotten."""
        rng = self._rng("subsidies")
        runs = {
            bank: [min(working_day(q.until + 9 + 4 * place), LAST_DAY) for q in QUARTERS]
            for place, (_, bank, _) in enumerate(BANKS)
        }
        for loan in self.loans:
            ends = min(loan.due, max(min(loan.closed, LAST_DAY), loan.known_closed))
            for place, period in enumerate(QUARTERS):
                if period.until <= loan.disbursed or period.first >= ends:
                    continue
                run = next((on for on in runs[loan.bank][place:] if on >= loan.told), 0)
                if not run:
                    continue
                if rng.chance(4) and not loan.scheme:
                    misuse.note("subsidy_missed", loan, period.name)
                    continue
                voucher = f"PZ-{period.name}-{loan.bank}"
                self._payments.setdefault(run, []).append(Payment(loan, period.name, voucher))

    def _review(self) -> None:
        """Which loans are looked at again after something was told late."""
        rng = self._rng("reviews")
        for loan in self.loans:
            if loan.known_late and rng.chance(650):
                heard = max(loan.known_closed, loan.told) + 30
                on = next((on for on in _REVIEWS if on >= heard), 0)
                if on:
                    review = Review(loan, rng.chance(850))
                    self._reviews.setdefault(on, []).append(review)


def report_scale(
    calendar: Calendar,
    rng: RandomSource,
    loans: Iterable[LoanPlan],
    months: Iterable[tuple[int, int]],
    inflated: Mapping[tuple[str, str], tuple[int, int, int]],
) -> None:
    """Each bank's monthly report: the truth at the month's end, but for those inflated."""
    for _, bank, _ in BANKS:
        moved = sorted(_movements([x for x in loans if x.bank == bank]), key=itemgetter(0))
        place, balance_fen, open_loans = 0, 0, 0
        of_home: dict[str, int] = {}
        for year, month in months:
            until, disbursed_fen = first_of(year, month + 1), 0
            while place < len(moved) and moved[place][0] < until:
                on, fen, opened, home_no = moved[place]
                place += 1
                balance_fen += fen
                open_loans += opened
                disbursed_fen += max(0, fen) if on >= first_of(year, month) else 0
                of_home[home_no] = of_home.get(home_no, 0) + opened
                if not of_home[home_no]:
                    del of_home[home_no]
            period = f"{year}-{month:02d}"
            more = inflated.get((bank, period), (0, 0, 0))
            on = working_day(until + rng.between(2, 6))
            calendar.add(
                on, on, OTHER, say.scale_report, bank, period, on,
                open_loans + more[0], len(of_home) + more[1], balance_fen + more[2],
                disbursed_fen + more[2],
            )  # fmt: skip


def _movements(loans: Iterable[LoanPlan]) -> Iterator[tuple[int, int, int, str]]:
    """(day, fen out, loans opened, household): what a bank's balance consists of."""
    for loan in loans:
        yield loan.disbursed, loan.principal_fen, 1, loan.household.no
        left_fen = loan.principal_fen
        for on, fen, _, _ in loan.repaid:
            left_fen -= fen
            yield on, -fen, 0 if left_fen else -1, loan.household.no


def county(seed: int = 1, factor: float = 1.0) -> County:
    """The county that belongs to `seed`, with `factor` times the households and loans."""
    return County(seed, factor)
