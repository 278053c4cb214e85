"""Who lives in the county and who borrows what: the truth, before anybody reports it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

from domain.household import Category
from domain.policy import ruling
from interface.simulation.demo.people import BANKS, PURPOSES, TOWNSHIPS, People, Person, villages
from interface.simulation.demo.random_source import (
    FIRST_DAY,
    RandomSource,
    day,
    months_later,
    number,
    working_day,
)

HOUSEHOLDS: Final = 6_142
INELIGIBLE_HOUSEHOLDS: Final = 44
LENT_IN_2023_FEN: Final = 32_337_000_000
CAP_FEN: Final = 5_000_000
THOUSAND_YUAN_FEN: Final = 100_000
_LAST_LENDING_DAY: Final = number(2023, 12, 29)
_YEAR_2023: Final = range(number(2023, 1, 1), number(2024, 1, 1))

_CATEGORIES: Final[tuple[tuple[int, Category], ...]] = (
    (85, "out_of_poverty"),
    (6, "monitored_unstable"),
    (6, "monitored_marginal"),
    (3, "monitored_hardship"),
)
_MONITORED: Final[tuple[tuple[int, Category], ...]] = _CATEGORIES[1:]
_BANK_WEIGHTS: Final = tuple((weight, code) for weight, code, _ in BANKS)
_TERMS_MONTHS: Final = ((84, 12), (5, 18), (6, 24), (5, 36))


@dataclass(slots=True, eq=False)
class HouseholdPlan:
    """One household. `told` is the day on which the register told of it; 0: never."""

    place: int
    no: str
    township: str
    village: str
    category: Category
    people: list[Person]
    borrower: Person
    registered: int
    told: int
    bank: str
    loans: list[LoanPlan] = field(default_factory=list)
    in_scheme: bool = False

    def account(self, bank: str) -> str:
        """The household's card at a bank."""
        return f"6217{_BANK_NUMBERS[bank]:02d}{self.place:011d}"


_BANK_NUMBERS: Final = {code: place for place, (_, code, _) in enumerate(BANKS, start=1)}


class Orders(NamedTuple):
    """What is told of a loan otherwise than chance would have it; days are numbers, 0: as usual."""

    payer_account: str = ""
    """From which account it is repaid, if not from the household's."""
    closing_told: int = 0
    document: str | None = None
    """On which document the late word of the last repayment rests."""
    due_told: int = 0
    due_corrected: int = 0
    checked: bool = True
    met: bool = True
    """Whether a check, if there is one, meets the borrower."""


_NONE: Final = Orders()


@dataclass(slots=True, eq=False)
class LoanPlan:
    """One loan as it truly was; days are numbers, `closed` is the day of the last repayment."""

    household: HouseholdPlan
    bank: str
    principal_fen: int
    credited_fen: int
    rate_bp: int
    months: int
    contract: int
    disbursed: int
    due: int
    closed: int
    purpose: str
    no: str = ""
    payee_account: str = ""
    payee_name: str = ""
    renews: LoanPlan | None = None
    renewed: bool = False
    extended_due: int = 0
    scheme: str = ""
    repaid: list[tuple[int, int, int, int]] = field(default_factory=list)
    known_late: bool = False
    told: int = 0
    known_closed: int = 0
    orders: Orders = _NONE


@lru_cache(maxsize=4096)
def quoted_bp(contract: int, months: int) -> int:
    """The LPR in force on the contract day, for the term."""
    table = "lpr_one_year" if months <= 12 else "lpr_five_year"
    return ruling(table, day(contract)).number


class Planner:
    """Invents households and the loans they take, one after another."""

    def __init__(self, rng: RandomSource, size: int, ineligible: int) -> None:
        self.rng = rng
        self.people = People(rng)
        self._villages = {code: villages(rng) for code, _ in TOWNSHIPS}
        self.households = [self.household(place) for place in range(1, size + 1)]
        self.ineligible = [self.household(size + n, "none") for n in range(1, ineligible + 1)]

    def stranger(self, place: int) -> HouseholdPlan:
        """A household that the register never heard of."""
        household = self.household(place)
        household.told = 0
        return household

    def plan_loans(self) -> None:
        for household in self.households:
            self._borrow(household)

    def plan(
        self, household: HouseholdPlan, bank: str, disbursed: int, principal_fen: int
    ) -> LoanPlan:
        """One ordinary loan, from `disbursed` on, entered in the household's list."""
        loan = ordinary_loan(self.rng, household, bank, disbursed, principal_fen)
        household.loans.append(loan)
        return loan

    def household(self, place: int, category: Category | None = None) -> HouseholdPlan:
        rng = self.rng
        township = rng.pick(TOWNSHIPS)[0]
        people = self._family()
        first = rng.weighted(_CATEGORIES) if category is None else category
        registered = FIRST_DAY + rng.between(0, 20)
        if category is None and rng.chance(35):
            first = rng.weighted(_MONITORED)
            registered = number(2021, 2, 1) + rng.between(0, 700)
        registered = working_day(registered)
        return HouseholdPlan(
            place=place,
            no=f"{township}{place:06d}",
            township=township,
            village=rng.pick(self._villages[township]),
            category=first,
            people=people,
            borrower=next(p for p in people if 1959 <= p.born_year <= 2000),
            registered=registered,
            told=working_day(registered + rng.between(0, 2)),
            bank=rng.weighted(_BANK_WEIGHTS),
        )

    def _family(self) -> list[Person]:
        rng, people = self.rng, self.people
        surname = people.surname()
        old_head = rng.chance(180)
        born = rng.between(1944, 1957) if old_head else rng.between(1959, 1994)
        male = rng.chance(860)
        family = [people.person(surname, male, born, "户主")]
        if rng.chance(820):
            name = people.surname()
            family.append(people.person(name, not male, born + rng.between(-3, 4), "配偶"))
        children = rng.weighted(((25, 0), (35, 1), (30, 2), (10, 3)))
        for _ in range(max(children, 1) if old_head else children):
            son = rng.chance(520)
            years = rng.between(22, 30)
            child_born = min(born + years, 2000 if old_head else 2020)
            family.append(people.person(surname, son, child_born, "子" if son else "女"))
        if not old_head and rng.chance(180):
            mother = people.person(people.surname(), False, born - rng.between(20, 28), "母亲")
            family.append(mother)
        return family

    def _borrow(self, household: HouseholdPlan) -> None:
        rng = self.rng
        year = rng.weighted(((36, 2021), (40, 2022), (23, 2023), (1, 0)))
        if not year:
            return
        span = 150 if year == 2023 else 340
        begins = max(number(year, 1, 11) + rng.between(0, span), household.told + 20)
        before: LoanPlan | None = None
        while begins <= _LAST_LENDING_DAY:
            most = CAP_FEN // THOUSAND_YUAN_FEN
            thousands = most if rng.chance(800) else rng.between(10, most - 1)
            loan = self.plan(household, household.bank, begins, thousands * THOUSAND_YUAN_FEN)
            free = loan.closed
            if before is not None and begins == before.closed and loan.disbursed == begins:
                loan.renews, before.renewed = before, True
            if thousands <= 25 and rng.chance(600):
                beside = min(most - thousands, rng.between(10, 40)) * THOUSAND_YUAN_FEN
                later = loan.disbursed + rng.between(20, 90)
                if later < min(free, _LAST_LENDING_DAY):
                    bank = household.bank if rng.chance(700) else rng.weighted(_BANK_WEIGHTS)
                    free = max(free, self.plan(household, bank, later, beside).closed)
            before = loan if free == loan.closed else None
            if rng.chance(4):
                break
            renewed = before is not None and free == working_day(free) and rng.chance(350)
            begins = free if renewed else free + rng.between(2, 25)


def ordinary_loan(
    rng: RandomSource, household: HouseholdPlan, bank: str, disbursed: int, principal_fen: int
) -> LoanPlan:
    """A loan as most are, from the working day on or after `disbursed` on."""
    disbursed = working_day(disbursed)
    contract = disbursed - (rng.between(1, 9) if rng.chance(300) else 0)
    months = rng.weighted(_TERMS_MONTHS)
    rate_bp = quoted_bp(contract, months)
    if rng.chance(170):
        rate_bp += rng.pick((20, 35, 50, 70, 85))
    due = months_later(disbursed, months)
    return LoanPlan(
        household=household,
        bank=bank,
        principal_fen=principal_fen,
        credited_fen=principal_fen,
        rate_bp=rate_bp,
        months=months,
        contract=contract,
        disbursed=disbursed,
        due=due,
        closed=_closing(rng, disbursed, due),
        purpose=rng.weighted(PURPOSES),
        payee_account=household.account(bank),
        payee_name=household.borrower.name,
    )


def _closing(rng: RandomSource, disbursed: int, due: int) -> int:
    """On the due day or a little before it, early, or overdue."""
    term = due - disbursed
    kind = rng.weighted(((330, "due"), (632, "early"), (34, "late"), (4, "never")))
    if kind == "due":
        return due - rng.between(0, 9)
    if kind == "early":
        return disbursed + term * rng.between(30, 92) // 100
    if kind == "late":
        return due + rng.between(4, 150)
    return due + 5_000


def lent_in_2023_fen(households: list[HouseholdPlan]) -> int:
    return sum(
        loan.principal_fen
        for household in households
        for loan in household.loans
        if loan.disbursed in _YEAR_2023
    )


def balance_to_the_plan(
    rng: RandomSource, households: list[HouseholdPlan], wanted_fen: int
) -> None:
    """Take loans of 2023 away, or make small ones larger, until the year's sum is the plan's."""
    lent_fen = lent_in_2023_fen(households)
    for household in rng.shuffled(households):
        if lent_fen - wanted_fen < CAP_FEN:
            break
        last = household.loans[-1] if household.loans else None
        if last and last.disbursed in _YEAR_2023 and not household.in_scheme:
            household.loans.pop()
            lent_fen -= last.principal_fen
            if last.renews:
                last.renews.renewed = False
    for household in rng.shuffled(households):
        if lent_fen >= wanted_fen:
            break
        alone = (
            household.loans[0] if len(household.loans) == 1 and not household.in_scheme else None
        )
        if alone and alone.disbursed in _YEAR_2023 and alone.principal_fen < CAP_FEN:
            lent_fen += CAP_FEN - alone.principal_fen
            alone.principal_fen = alone.credited_fen = CAP_FEN


def number_loans(households: list[HouseholdPlan]) -> list[LoanPlan]:
    """All loans by the day of disbursement, each with its bank's own number."""
    return numbered([loan for household in households for loan in household.loans])


def numbered(loans: list[LoanPlan]) -> list[LoanPlan]:
    """These loans by the day of disbursement, each with its bank's own number of its year."""
    loans.sort(key=lambda loan: (loan.disbursed, loan.household.place))
    counted: dict[tuple[str, int], int] = {}
    for loan in loans:
        key = loan.bank, day(loan.disbursed).year
        counted[key] = counted.get(key, 0) + 1
        loan.no = f"{loan.bank}{key[1]}{counted[key]:06d}"
    return loans
