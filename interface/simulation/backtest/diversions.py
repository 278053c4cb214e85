"""Money that goes where it should not: pooled, in circles, into strangers' accounts, kept back."""

from __future__ import annotations

from typing import Final

from domain.loan import PayeeKind
from interface.simulation.backtest.fraud_case import Planter
from interface.simulation.demo.plans import LoanPlan, Orders

_LARGEST_RING: Final = 50


class Diversions(Planter):
    """Plants what is done with the money of a loan."""

    def _sent(
        self, loan: LoanPlan, on: int, fen: int, to: str, payer: str = "", kind: PayeeKind = "firm"
    ) -> None:
        """Money goes to a firm; on the day of the loan, that is a deduction as well."""
        self.new.sent(loan, on, fen, to, kind=kind, payer=payer)
        if on == loan.disbursed and not payer and kind == "firm":
            self._case("sent_on_the_day", "RF19", loans=[loan], wanted=False)

    def pooled(self, ring: int) -> None:
        """3 to 50 households borrow for one firm, within weeks of each other."""
        size = 3 if ring == 0 else _LARGEST_RING if ring == 1 else self.rng.between(3, 20)
        self._pool("pooled_by_a_firm", size, share=(82, 100), days=(0, 25))

    def pooled_sly(self) -> None:
        """Two households only; or a smaller share; or money that waits for weeks."""
        rng = self.rng
        size, share, days = rng.pick(
            ((2, (85, 100), (0, 20)), (5, (66, 79), (0, 20)), (4, (85, 100), (33, 50)))
        )
        self._pool("pooled_by_a_firm_sly", size, share=share, days=days)

    def pooled_by_a_sham_shop(self) -> None:
        """The firm that pools calls itself a shop, and the bank tells it as one."""
        size = self.rng.between(6, 12)
        self._pool("pooled_by_a_sham_shop", size, share=(95, 100), days=(0, 10), to="merchant")

    def _pool(
        self,
        kind: str,
        size: int,
        *,
        share: tuple[int, int],
        days: tuple[int, int],
        to: PayeeKind = "firm",
    ) -> None:
        new, rng, account = self.new, self.rng, self.new.account()
        begins, first = new.day(), new.household()
        loans = []
        for place in range(size):
            household = first if place == 0 else new.household(like=first)
            loan = new.lend(household, begins + rng.between(0, 30))
            fen = loan.principal_fen * rng.between(*share) // 100
            half = fen // 2 if rng.chance(250) else 0
            on = loan.disbursed + rng.between(*days)
            for part in filter(None, (half, fen - half)):
                self._sent(loan, on, part, account, kind=to)
            loans.append(loan)
        self._case(kind, "RF08", loans=loans, more=(("account", account),))

    def circle(self, hops: int, *, back: bool) -> None:
        """Money returns to its bank, or reaches a borrower there, through so many accounts."""
        new, rng = self.new, self.rng
        on, household = new.day(), new.household()
        loan = new.lend(household, on, closed=on + rng.between(12, 27) if back else 0)
        fen, at = loan.principal_fen * 95 // 100, ""
        moved = loan.disbursed + rng.between(0, 2)
        for _ in range(hops):
            to = new.account()
            self._sent(loan, moved, fen, to, payer=at)
            at, moved = to, moved + rng.between(0, 1)
        if back:
            loan.orders = Orders(payer_account=at)
            others = []
        else:
            other = new.lend(
                new.household(like=household), on + rng.between(-20, 0), bank=loan.bank
            )
            new.sent(loan, moved, fen, other.payee_account, kind="household", payer=at)
            others = [other]
        kind = "circle_back_to_the_bank" if back else "circle_to_a_borrower"
        kind += "" if hops <= 4 else "_sly"
        self._case(kind, "RF24", loans=[loan, *others])

    def borrowed_names(self) -> None:
        """One account is paid for several households, whose people nobody ever met."""
        new, rng, account = self.new, self.rng, self.new.account()
        begins, loans = new.day(), []
        for _ in range(rng.between(2, 6)):
            loan = new.lend(new.household(), begins + rng.between(0, 60), payee=account)
            loan.orders = Orders(checked=False)
            loans.append(loan)
        self._case("borrowed_names", "RF09", loans=loans, more=(("account", account),))

    def borrowed_name_alone(self) -> None:
        """A stranger's account is paid for one household, whose people no check ever met."""
        self._name_alone("borrowed_name_alone", Orders(met=False))

    def borrowed_name_alone_sly(self) -> None:
        """The same, and nobody checked at all: to the ledger, one more missed check (RF15)."""
        self._name_alone("borrowed_name_alone_sly", Orders(checked=False))

    def _name_alone(self, kind: str, orders: Orders) -> None:
        new = self.new
        loan = new.lend(new.household(), new.day(), payee=new.account())
        loan.orders = orders
        self._case(kind, "RF09", loans=[loan])

    def deducted_after_credit(self) -> None:
        """The whole sum arrives, and a part of it leaves for the village on the same day."""
        new, rng = self.new, self.rng
        loan = new.lend(new.household(), new.day())
        fen = loan.principal_fen * rng.between(3, 10) // 100
        new.sent(loan, loan.disbursed, fen, new.account(), kind=rng.pick(("village", "bank")))
        self._case("deducted_after_credit", "RF19", loans=[loan])
