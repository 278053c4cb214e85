"""The misuse that is hidden in the county, planted on purpose and labelled for back-tests.

Each kind names the red flag that should find it. All of it breaks the programme's rules and none
of it the ledger's: it is reported as it happened, and accepted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from interface.simulation.demo.people import BANKS, FIRMS
from interface.simulation.demo.plans import (
    CAP_FEN,
    THOUSAND_YUAN_FEN,
    HouseholdPlan,
    LoanPlan,
    Planner,
)
from interface.simulation.demo.random_source import (
    RandomSource,
    day,
    months_later,
    number,
    working_day,
)

FLAGS: Final = {
    "overpaid_after_late_report": "RF01",
    "ineligible_told_late": "RF05",
    "ineligible_household": "RF05",
    "unregistered_household": "RF05",
    "over_the_cap": "RF06",
    "split_between_banks": "RF06",
    "term_too_long": "RF07",
    "pooled_by_a_firm": "RF08",
    "shared_payee_account": "RF09",
    "round_trip": "RF11",
    "month_end_round_trip": "RF11",
    "inflated_report": "RF12",
    "loan_repays_loan": "RF13",
    "diverted": "RF14",
    "usage_check_missed": "RF15",
    "usage_check_late": "RF15",
    "reminder_missed": "RF16",
    "deducted_at_source": "RF19",
    "borrower_over_65": "RF21",
    "person_in_two_households": "RF21",
    "dead_borrower": "RF22",
    "backdated": "RF23",
    "subsidy_missed": "RF27",
}

LATER_FLAGS: Final = {
    "benefit_not_delivered": "RF20",
    "transfer_elsewhere": "RF18",
}
"""What is planted only after the four years, beside some of the kinds above."""


class Scheme(NamedTuple):
    """One planted irregularity: what it is, the flag it belongs to, whom it concerns."""

    kind: str
    flag: str
    loans: tuple[tuple[str, str], ...] = ()
    households: tuple[str, ...] = ()
    detail: str = ""


@dataclass(slots=True)
class Planted:
    """A scheme while its loans have no number yet."""

    kind: str
    loans: list[LoanPlan]
    households: list[HouseholdPlan]
    detail: str = ""

    def labelled(self) -> Scheme:
        return Scheme(
            self.kind,
            (FLAGS | LATER_FLAGS)[self.kind],
            tuple((loan.bank, loan.no) for loan in self.loans),
            tuple(household.no for household in self.households),
            self.detail,
        )


@dataclass(slots=True)
class Misuse:
    """Everything irregular, and what the reports about it need to know."""

    planted: list[Planted] = field(default_factory=list)
    outflows: dict[int, list[tuple[int, int, str, str, str]]] = field(default_factory=dict)
    status_told_late: list[tuple[HouseholdPlan, int, int]] = field(default_factory=list)
    deaths: list[tuple[HouseholdPlan, int, int]] = field(default_factory=list)
    strangers: list[HouseholdPlan] = field(default_factory=list)
    inflated: dict[tuple[str, str], tuple[int, int, int]] = field(default_factory=dict)

    def label(
        self, kind: str, *loans: LoanPlan, households: list[HouseholdPlan] | None = None
    ) -> None:
        for loan in loans:
            loan.scheme = loan.scheme or kind
        households = (
            households
            if households is not None
            else list(dict.fromkeys(x.household for x in loans))
        )
        for household in households:
            household.in_scheme = True
        self.planted.append(Planted(kind, list(loans), households))

    def note(self, kind: str, loan: LoanPlan, detail: str) -> None:
        """Label something that simply went wrong: nobody planted it, the loan stays ordinary."""
        self.planted.append(Planted(kind, [loan], [], detail))

    def note_of_office(self, kind: str, detail: str) -> None:
        """Label what an office or a firm did: `detail` names the voucher or the agreement."""
        self.planted.append(Planted(kind, [], [], detail))


class _Schemer:
    """Chooses ordinary households and bends one of their loans."""

    def __init__(self, planner: Planner, rng: RandomSource, misuse: Misuse) -> None:
        self.planner, self.rng, self.misuse = planner, rng, misuse
        self._left = rng.shuffled(
            [household for household in planner.households if household.loans]
        )

    def loan(self, fits: Callable[[LoanPlan], bool] | None = None) -> LoanPlan | None:
        """A loan that ends its household's list and is not part of a scheme yet."""
        for place in range(len(self._left) - 1, -1, -1):
            last = self._left[place].loans[-1]
            if not last.renews and (fits is None or fits(last)):
                self._left.pop(place)
                return last
        return None

    # ---- one kind each ------------------------------------------------------------------

    def over_the_cap(self) -> None:
        if loan := self.loan(_of_full_size):
            loan.principal_fen += self.rng.between(10, 100) * THOUSAND_YUAN_FEN
            loan.credited_fen = loan.principal_fen
            self.misuse.label("over_the_cap", loan)

    def split_between_banks(self) -> None:
        if loan := self.loan(lambda x: _of_full_size(x) and x.closed - x.disbursed > 200):
            others = [code for _, code, _ in BANKS if code != loan.bank]
            begins = min(loan.disbursed + self.rng.between(5, 120), number(2023, 12, 20))
            second = self.planner.plan(loan.household, self.rng.pick(others), begins, CAP_FEN)
            self.misuse.label("split_between_banks", loan, second)

    def term_too_long(self) -> None:
        if loan := self.loan():
            loan.months = self.rng.pick((48, 60))
            loan.due = months_later(loan.disbursed, loan.months)
            loan.closed = loan.due - self.rng.between(0, 200)
            self.misuse.label("term_too_long", loan)

    def pooled_by_a_firm(self, number_of_ring: int) -> None:
        rng = self.rng
        first = self.loan(_of_full_size)
        if first is None:
            return
        ring = [first]
        for _ in range(rng.between(2, 8)):
            near = self.loan(
                lambda x: _of_full_size(x) and abs(x.disbursed - first.disbursed) <= 45
            )
            if near:
                ring.append(near)
        while len(ring) < 3:
            other = self.loan()
            if other is None:
                return
            ring.append(other)
        firm = FIRMS[number_of_ring % len(FIRMS)]
        account = f"4105{number_of_ring:04d}88800001"
        for loan in ring:
            fen = loan.principal_fen * rng.between(84, 100) // 100
            flow = (loan.disbursed + rng.between(0, 20), fen, account, firm, "firm")
            self.misuse.outflows.setdefault(id(loan), []).append(flow)
        self.misuse.label("pooled_by_a_firm", *ring)
        self.misuse.planted[-1].detail = account

    def shared_payee_account(self) -> None:
        first, second = self.loan(), self.loan()
        if first and second:
            second.payee_account, second.payee_name = first.payee_account, first.payee_name
            self.misuse.label("shared_payee_account", first, second)

    def round_trip(self) -> None:
        if loan := self.loan(_alone):
            loan.closed = loan.disbursed + self.rng.between(2, 7)
            self.misuse.label("round_trip", loan)

    def month_end_round_trip(self) -> None:
        if loan := self.loan(_at_month_end):
            first = day(loan.disbursed).replace(day=1).toordinal()
            loan.closed = months_later(first, 1) + self.rng.between(1, 4)
            self.misuse.label("month_end_round_trip", loan)

    def loan_repays_loan(self) -> None:
        latest = number(2023, 12, 20)
        if loan := self.loan(lambda x: x.closed < latest and x.closed == working_day(x.closed)):
            again = self.planner.plan(loan.household, loan.bank, loan.closed, loan.principal_fen)
            self.misuse.label("loan_repays_loan", loan, again)

    def diverted(self) -> None:
        if loan := self.loan(lambda x: x.closed - x.disbursed > 240):
            self.misuse.label("diverted", loan)

    def deducted_at_source(self) -> None:
        if loan := self.loan():
            kept_fen = loan.principal_fen * self.rng.between(3, 10) // 100
            loan.credited_fen = loan.principal_fen - kept_fen
            if self.rng.chance(500):
                flow = (loan.disbursed, kept_fen, "41130099000017", "村委会代管户", "village")
                self.misuse.outflows.setdefault(id(loan), []).append(flow)
            self.misuse.label("deducted_at_source", loan)

    def borrower_over_65(self) -> None:
        if loan := self.loan(lambda x: x.household.people[0].born_year < 1955 and _alone(x)):
            loan.household.borrower = loan.household.people[0]
            loan.payee_name = loan.household.borrower.name
            self.misuse.label("borrower_over_65", loan)

    def person_in_two_households(self) -> None:
        first, second = self.loan(), self.loan()
        if first and second:
            guest = first.household.borrower._replace(relation="亲属")
            second.household.people.append(guest)
            self.misuse.label("person_in_two_households", first, second)

    def dead_borrower(self) -> None:
        if loan := self.loan(lambda x: x.closed - x.disbursed > 240):
            died = loan.disbursed + self.rng.between(60, 150)
            self.misuse.deaths.append((loan.household, died, died + self.rng.between(20, 200)))
            self.misuse.label("dead_borrower", loan)

    def backdated(self) -> None:
        if loan := self.loan(lambda x: x.closed - x.disbursed > 150):
            loan.told = loan.disbursed + self.rng.between(38, 75)
            self.misuse.label("backdated", loan)

    def ineligible_told_late(self) -> None:
        if loan := self.loan(lambda x: x.closed - x.disbursed > 300 and _alone(x)):
            ended = max(loan.disbursed - self.rng.between(3, 60), loan.household.told + 1)
            told = loan.disbursed + self.rng.between(100, 270)
            self.misuse.status_told_late.append((loan.household, ended, told))
            self.misuse.label("ineligible_told_late", loan)

    def ineligible_household(self) -> None:
        household = next(
            (household for household in self.planner.ineligible if not household.loans), None
        )
        if household:
            self._lend_once(household, "ineligible_household")

    def unregistered_household(self) -> None:
        place = len(self.planner.households) + len(self.planner.ineligible)
        household = self.planner.stranger(place + len(self.misuse.strangers) + 1)
        self.misuse.strangers.append(household)
        self._lend_once(household, "unregistered_household")

    def inflated_report(self) -> None:
        rng = self.rng
        month = f"{rng.between(2021, 2023)}-{rng.pick(('06', '09', '12'))}"
        bank = rng.pick(BANKS)[1]
        loans = rng.between(3, 40)
        more = (loans, loans - rng.between(0, 2), loans * rng.between(20, 50) * THOUSAND_YUAN_FEN)
        self.misuse.inflated[bank, month] = more
        self.misuse.planted.append(Planted("inflated_report", [], [], f"{bank} {month}"))

    def _lend_once(self, household: HouseholdPlan, kind: str) -> None:
        rng = self.rng
        begins = number(2021, 3, 1) + rng.between(0, 1000)
        fen = rng.between(20, 50) * THOUSAND_YUAN_FEN
        self.misuse.label(kind, self.planner.plan(household, household.bank, begins, fen))


def plant(planner: Planner, rng: RandomSource, scaled: Callable[[int], int]) -> Misuse:
    """Bend some loans of the county; `scaled` says how many for a number at full size."""
    misuse = Misuse()
    schemer = _Schemer(planner, rng, misuse)
    for ring in range(scaled(9)):
        schemer.pooled_by_a_firm(ring)
    # The choosiest first, while there is much to choose from.
    for wanted, plant_one in (
        (8, schemer.month_end_round_trip),
        (12, schemer.borrower_over_65),
        (20, schemer.round_trip),
        (20, schemer.loan_repays_loan),
        (10, schemer.ineligible_told_late),
        (60, schemer.split_between_banks),
        (30, schemer.over_the_cap),
        (30, schemer.diverted),
        (8, schemer.dead_borrower),
        (10, schemer.backdated),
        (24, schemer.term_too_long),
        (12, schemer.shared_payee_account),
        (25, schemer.deducted_at_source),
        (6, schemer.person_in_two_households),
        (16, schemer.ineligible_household),
        (8, schemer.unregistered_household),
        (6, schemer.inflated_report),
    ):
        for _ in range(scaled(wanted)):
            plant_one()
    return misuse


def _of_full_size(loan: LoanPlan) -> bool:
    return loan.principal_fen == CAP_FEN


def _alone(loan: LoanPlan) -> bool:
    return len(loan.household.loans) == 1


def _at_month_end(loan: LoanPlan) -> bool:
    """In the last five days of its month."""
    next_month = months_later(day(loan.disbursed).replace(day=1).toordinal(), 1)
    return next_month - loan.disbursed <= 5
