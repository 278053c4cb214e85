"""Households that come to the demo county for the back-test, and what is told of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from application.command import Command
from application.commands.loan import ObserveOutflow, OutflowAccount
from application.fields import Account
from application.ledger import Submission
from domain.kernel import Author
from domain.loan import PayeeKind
from interface.simulation.demo import statements as say
from interface.simulation.demo.life_events import OTHER, Calendar
from interface.simulation.demo.misuse import Misuse
from interface.simulation.demo.plans import CAP_FEN, HouseholdPlan, LoanPlan, Planner, quoted_bp
from interface.simulation.demo.random_source import (
    RandomSource,
    day,
    months_later,
    number,
    working_day,
)

BATCH_TOWNSHIPS: Final = ("T25", "T26")
"""Whose subsidies of one quarter go by batch. A batch asks back whatever was overpaid there, so
what is planted is planted elsewhere."""
FULL_FEN: Final = CAP_FEN
NEWCOMER: Final = "newcomer"
"""The scheme of their loans: the demo's machinery makes no mistakes of its own with them."""


class Newcomers:
    """Makes households and loans to order. The demo's machinery then reports their life events."""

    def __init__(
        self, planner: Planner, rng: RandomSource, misuse: Misuse, calendar: Calendar
    ) -> None:
        self.planner, self.rng, self.misuse, self.calendar = planner, rng, misuse, calendar
        self.households: list[HouseholdPlan] = []
        self._accounts = 0
        self._outflows = 0
        self._taken = len(planner.households) + len(planner.ineligible) + 1_000

    def household(self, *, like: HouseholdPlan | None = None) -> HouseholdPlan:
        """A registered household; `like`: in the same village, at the same bank."""
        self._taken += 1
        household = self.planner.household(self._taken, "out_of_poverty")
        household.in_scheme = True
        if like is not None:
            household.village, household.bank = like.village, like.bank
            self._move(household, like.township)
        elif household.township in BATCH_TOWNSHIPS:
            self._move(household, "T01")
        self.households.append(household)
        return household

    def home_in(self, township: str) -> HouseholdPlan:
        household = self.household()
        self._move(household, township)
        return household

    def _move(self, household: HouseholdPlan, township: str) -> None:
        household.township, household.no = township, f"{township}{household.place:06d}"

    def day(self, first_year: int = 2021, last_year: int = 2023) -> int:
        """Some working day on which loans are disbursed."""
        first, last = number(first_year, 3, 1), number(last_year, 9, 30)
        return working_day(self.rng.between(first, last))

    def lend(
        self,
        household: HouseholdPlan,
        on: int,
        fen: int = FULL_FEN,
        *,
        bank: str = "",
        closed: int = 0,
        months: int = 12,
        payee: str = "",
    ) -> LoanPlan:
        """A loan that breaks no rule of its own, settled on `closed`, or about its due day."""
        bank = bank or household.bank
        on = working_day(on)
        due = months_later(on, months)
        loan = LoanPlan(
            household=household,
            bank=bank,
            principal_fen=fen,
            credited_fen=fen,
            rate_bp=quoted_bp(on, months),
            months=months,
            contract=on,
            disbursed=on,
            due=due,
            closed=closed or due - self.rng.between(0, 40),
            purpose="养殖肉牛",
            scheme=NEWCOMER,
            payee_account=payee or household.account(bank),
            payee_name=household.borrower.name,
            told=working_day(on + self.rng.between(0, 2)),
        )
        household.loans.append(loan)
        return loan

    def account(self) -> str:
        """An account that belongs to no household of the county."""
        self._accounts += 1
        return f"4107{self._accounts:06d}7770001"

    def sent(
        self,
        loan: LoanPlan,
        on: int,
        fen: int,
        to: str,
        *,
        kind: PayeeKind = "firm",
        payer: str = "",
    ) -> None:
        """Money of a loan is seen leaving its borrower's account, or another one: `payer`."""
        self._outflows += 1
        told = max(on + self.rng.between(0, 4), loan.told)
        self.calendar.add(on, told, OTHER, _outflow, loan, self._outflows, on, fen, to, kind, payer)

    def submit(
        self, command: type[Command], by: Author, on: int, told: int = 0, **body: Any
    ) -> None:
        """Submit a plain command on a day."""
        self.calendar.add(on, told or on, OTHER, _submission, command, by, on, body)


def _outflow(loan: LoanPlan, count: int, on: int, fen: int, to: str, kind: PayeeKind, payer: str
             ) -> Submission:  # fmt: skip
    command = ObserveOutflow(
        ref=f"LX-{loan.no}-B{count}",
        effective_on=day(on),
        loan_no=loan.no,
        amount_fen=fen,
        to=OutflowAccount(account=to, name="收款人", kind=kind),
        payer=Account(account=payer, name="付款人") if payer else None,
    )
    return Submission(command, say.clerk(loan))


def _submission(command: type[Command], by: Author, on: int, body: dict[str, Any]) -> Submission:
    told = {key: value() if isinstance(value, Callable) else value for key, value in body.items()}  # type: ignore[arg-type]
    return Submission(command.model_validate({"effective_on": day(on), **told}), by)
