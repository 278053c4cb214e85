"""Crooked behaviour that is planted in the back-test county: who did it, and which rule should see.

A kind whose name ends in `_sly` keeps just outside of what a rule looks at today: it is misuse all
the same, and what tightening a threshold would gain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from interface.backtest.labels import Entity, Label, entities
from interface.backtest.newcomers import Newcomers
from interface.demo import statements as say
from interface.demo.dice import LAST_DAY, day, months_later, working_day
from interface.demo.lives import MEMBERS, QUARTERS, STATUS
from interface.demo.people import BANKS
from interface.demo.plans import THOUSAND_YUAN_FEN, LoanPlan, Orders

_LARGEST_RING: Final = 50
_BANKS: Final = tuple(code for _, code, _ in BANKS)


class _Case(NamedTuple):
    kind: str
    flags: tuple[str, ...]
    loans: list[LoanPlan]
    more: tuple[Entity, ...]
    wanted: bool

    def labels(self) -> Iterable[Label]:
        of = entities(loans=self.loans, more=self.more)
        return (Label(self.kind, flag, of, self.wanted) for flag in self.flags)


class Crooked:
    """Plants each kind of misuse in households of its own."""

    def __init__(self, new: Newcomers, scaled: Callable[[int], int]) -> None:
        self.new, self.dice, self._scaled = new, new.dice, scaled
        self._cases: list[_Case] = []
        self.unpaid: set[tuple[int, str]] = set()

    def labels(self) -> list[Label]:
        return [label for case in self._cases for label in case.labels()]

    def plan(self) -> None:
        for ring in range(3 + self._scaled(9)):
            self.pooled(ring)
        for _ in range(3 + self._scaled(20)):
            for plant in (
                self.pooled_sly, self.split_inside_a_bank, self.split_over_banks, self.round_trip,
                self.round_trip_sly, self.month_end_round_trip, self.borrowed_names,
                self.loan_repays_loan_elsewhere, self.renewed_twice, self.late_told_settlement,
                self.due_day_corrected, self.older_loan_told_late, self.forged_date,
                self.forged_date_sly, self.lent_to_the_dead, self.too_young,
                self.struck_off, self.unreported_loan, self.forgotten_subsidy,
                self.borrowed_name_alone, self.deducted_after_credit, self.rate_over_the_quote,
            ):  # fmt: skip
                plant()
        for hops in range(1, 6):
            for back in (True, False):
                for _ in range(1 + self._scaled(6)):
                    self.circle(hops, back=back)

    def _case(
        self,
        kind: str,
        *flags: str,
        loans: Iterable[LoanPlan] = (),
        more: tuple[Entity, ...] = (),
        wanted: bool = True,
    ) -> None:
        self._cases.append(_Case(kind, flags, list(loans), more, wanted))

    def _sent(self, loan: LoanPlan, on: int, fen: int, to: str, payer: str = "") -> None:
        """Money goes to a firm; on the day of the loan, that is a deduction as well."""
        self.new.sent(loan, on, fen, to, payer=payer)
        if on == loan.disbursed and not payer:
            self._case("sent_on_the_day", "RF19", loans=[loan], wanted=False)

    # ---- money that goes where it should not --------------------------------------------

    def pooled(self, ring: int) -> None:
        """3 to 50 households borrow for one firm, within weeks of each other."""
        size = 3 if ring == 0 else _LARGEST_RING if ring == 1 else self.dice.between(3, 20)
        self._pool("pooled_by_a_firm", size, share=(82, 100), days=(0, 25))

    def pooled_sly(self) -> None:
        """Two households only; or a smaller share; or money that waits for weeks."""
        dice = self.dice
        size, share, days = dice.pick(
            ((2, (85, 100), (0, 20)), (5, (66, 79), (0, 20)), (4, (85, 100), (33, 50)))
        )
        self._pool("pooled_by_a_firm_sly", size, share=share, days=days)

    def _pool(self, kind: str, size: int, *, share: tuple[int, int], days: tuple[int, int]) -> None:
        new, dice, account = self.new, self.dice, self.new.account()
        begins, first = new.day(), new.home()
        loans = []
        for place in range(size):
            home = first if place == 0 else new.home(like=first)
            loan = new.lend(home, begins + dice.between(0, 30))
            fen = loan.principal_fen * dice.between(*share) // 100
            half = fen // 2 if dice.chance(250) else 0
            on = loan.disbursed + dice.between(*days)
            for part in filter(None, (half, fen - half)):
                self._sent(loan, on, part, account)
            loans.append(loan)
        self._case(kind, "RF08", loans=loans, more=(("account", account),))

    def circle(self, hops: int, *, back: bool) -> None:
        """Money returns to its bank, or reaches a borrower there, through so many accounts."""
        new, dice = self.new, self.dice
        on, home = new.day(), new.home()
        loan = new.lend(home, on, closed=on + dice.between(12, 27) if back else 0)
        fen, at = loan.principal_fen * 95 // 100, ""
        moved = loan.disbursed + dice.between(0, 2)
        for _ in range(hops):
            to = new.account()
            self._sent(loan, moved, fen, to, payer=at)
            at, moved = to, moved + dice.between(0, 1)
        if back:
            loan.orders = Orders(payer_account=at)
            others = []
        else:
            other = new.lend(new.home(like=home), on + dice.between(-20, 0), bank=loan.bank)
            new.sent(loan, moved, fen, other.payee_account, kind="household", payer=at)
            others = [other]
        kind = "circle_back_to_the_bank" if back else "circle_to_a_borrower"
        kind += "" if hops <= 4 else "_sly"
        self._case(kind, "RF24", loans=[loan, *others])

    def borrowed_names(self) -> None:
        """One account is paid for several households, whose people nobody ever met."""
        new, dice, account = self.new, self.dice, self.new.account()
        begins, loans = new.day(), []
        for _ in range(dice.between(2, 6)):
            loan = new.lend(new.home(), begins + dice.between(0, 60), payee=account)
            loan.orders = Orders(checked=False)
            loans.append(loan)
        self._case("borrowed_names", "RF09", loans=loans, more=(("account", account),))

    def borrowed_name_alone(self) -> None:
        """A stranger's account is paid for one household, whose people nobody ever met."""
        new = self.new
        loan = new.lend(new.home(), new.day(), payee=new.account())
        loan.orders = Orders(checked=False)
        self._case("borrowed_name_alone", "RF09", loans=[loan])

    def deducted_after_credit(self) -> None:
        """The whole sum arrives, and a part of it leaves for the village on the same day."""
        new, dice = self.new, self.dice
        loan = new.lend(new.home(), new.day())
        fen = loan.principal_fen * dice.between(3, 10) // 100
        new.sent(loan, loan.disbursed, fen, new.account(), kind=dice.pick(("village", "bank")))
        self._case("deducted_after_credit", "RF19", loans=[loan])

    # ---- too much, too fast -------------------------------------------------------------

    def split_inside_a_bank(self) -> None:
        self._split("split_inside_a_bank", two_banks=False)

    def split_over_banks(self) -> None:
        self._split("split_over_banks", two_banks=True)

    def _split(self, kind: str, *, two_banks: bool) -> None:
        new, dice = self.new, self.dice
        home, on = new.home(), new.day()
        loans = []
        for place in range(dice.between(2, 3)):
            bank = _BANKS[(_BANKS.index(home.bank) + place * two_banks) % len(_BANKS)]
            fen = dice.between(26, 50) * THOUSAND_YUAN_FEN
            loans.append(new.lend(home, on + dice.between(0, 20), fen, bank=bank))
        self._case(kind, "RF06", loans=loans)

    def rate_over_the_quote(self) -> None:
        loan = self.new.lend(self.new.home(), self.new.day())
        loan.rate_bp += self.dice.between(10, 120)
        self._case("rate_over_the_quote", "RF07", loans=[loan])

    def round_trip(self) -> None:
        on = self.new.day()
        loan = self.new.lend(self.new.home(), on, closed=on + self.dice.between(1, 7))
        self._case("round_trip", "RF11", loans=[loan])

    def round_trip_sly(self) -> None:
        on = working_day(day(self.new.day()).replace(day=3).toordinal())
        loan = self.new.lend(self.new.home(), on, closed=on + self.dice.between(8, 14))
        self._case("round_trip_sly", "RF11", loans=[loan])

    def month_end_round_trip(self) -> None:
        first = day(self.new.day()).replace(day=1).toordinal()
        until = months_later(first, 1)
        on = max(each for each in range(until - 5, until) if working_day(each) == each)
        loan = self.new.lend(self.new.home(), on, closed=until + self.dice.between(0, 4))
        self._case("month_end_round_trip", "RF11", loans=[loan])

    def loan_repays_loan_elsewhere(self) -> None:
        """A second bank lends what settles the first, the day before, on that day or after it."""
        new, dice = self.new, self.dice
        home, on = new.home(), new.day(2021, 2022)
        loan = new.lend(home, on)
        loan.closed = working_day(loan.closed)
        other = dice.pick([bank for bank in _BANKS if bank != home.bank])
        again = new.lend(home, loan.closed, loan.principal_fen, bank=other)
        self._case("loan_repays_loan_elsewhere", "RF13", loans=[loan, again])

    def renewed_twice(self) -> None:
        """Declared renewals, but nothing was ever repaid: the same principal three times."""
        new = self.new
        home, loan = new.home(), None
        begins, loans = new.day(2021, 2021), []
        for _ in range(3):
            on = working_day(loan.closed) if loan else begins
            following = new.lend(home, on, closed=working_day(months_later(on, 9)))
            if loan:
                following.renews, loan.renewed = loan, True
            loan = following
            loans.append(loan)
        self._case("renewed_twice", "RF13", loans=loans)

    # ---- what is told late or wrongly ---------------------------------------------------

    def late_told_settlement(self) -> None:
        """Settled inside a quarter; the bank says so after the quarter was paid in full."""
        new, dice = self.new, self.dice
        loan = new.lend(new.home(), new.day(2021, 2022))
        period = next(q for q in QUARTERS if q.first > loan.disbursed + 30)
        loan.closed = period.first + dice.between(10, 50)
        loan.orders = Orders(closing_told=period.until + dice.between(45, 90))
        told = ("day", day(loan.closed).isoformat())
        self._case("late_told_settlement", "RF02", loans=[loan])
        self._case("late_told_settlement", "RF23", loans=[loan], more=(told,))

    def due_day_corrected(self) -> None:
        """A later due day was told, and days after the true one were subsidised."""
        new, dice = self.new, self.dice
        loan = new.lend(new.home(), new.day(2021, 2022))
        period = next(q for q in QUARTERS if q.first > loan.due - 60)
        loan.due = period.first + dice.between(10, 40)
        loan.closed = loan.due + dice.between(205, 260)
        loan.orders = Orders(due_told=loan.due + 150, due_corrected=period.until + 60)
        self._case("due_day_corrected", "RF03", loans=[loan])

    def older_loan_told_late(self) -> None:
        """Two banks lend to the cap; the older loan is told when the younger had its subsidy."""
        new, dice = self.new, self.dice
        home, on = new.home(), new.day(2021, 2022)
        other = dice.pick([bank for bank in _BANKS if bank != home.bank])
        older = new.lend(home, on, bank=other)
        younger = new.lend(home, on + dice.between(3, 20))
        period = next(q for q in QUARTERS if q.until > younger.disbursed + 30)
        older.told = working_day(period.until + dice.between(45, 60))
        self._case("older_loan_told_late", "RF04", "RF06", loans=[older, younger])
        told = ("day", day(older.disbursed).isoformat())
        self._case("older_loan_told_late", "RF23", loans=[older], more=(told,))

    def unreported_loan(self) -> None:
        """The bank leaves a loan out of its report for the month in which it lent."""
        new = self.new
        loan = new.lend(new.home(), new.day())
        month = loan.bank, f"{day(loan.disbursed):%Y-%m}"
        before = new.misuse.inflated.get(month, (0, 0, 0))
        new.misuse.inflated[month] = (
            before[0] - 1,
            before[1] - 1,
            before[2] - loan.principal_fen,
        )
        report = ("bank", month[0]), ("period", month[1])
        self._case("unreported_loan", "RF10", loans=[loan], more=report)
        self._case("unreported_loan", "RF12", more=report)

    def forgotten_subsidy(self) -> None:
        """A quarter of a loan that no list ever held."""
        loan = self.new.lend(self.new.home(), self.new.day(2021, 2022))
        period = next(q for q in QUARTERS if q.first > loan.disbursed)
        self.unpaid.add((id(loan), period.name))

    def forged_date(self) -> None:
        self._forge("forged_date", 36, 120)

    def forged_date_sly(self) -> None:
        self._forge("forged_date_sly", 15, 27)

    def _forge(self, kind: str, least: int, most: int) -> None:
        loan = self.new.lend(self.new.home(), self.new.day())
        loan.told = working_day(loan.disbursed + self.dice.between(least, most))
        told = ("day", day(loan.disbursed).isoformat())
        self._case(kind, "RF23", loans=[loan], more=(told,))

    # ---- people -------------------------------------------------------------------------

    def lent_to_the_dead(self) -> None:
        """A loan in the name of somebody who died before, as the register told in time."""
        new, dice = self.new, self.dice
        home = new.home()
        loan = new.lend(home, new.day())
        died = loan.disbursed - dice.between(5, 90)
        told = died + dice.between(1, 20)
        new.calendar.add(
            died, told, MEMBERS, say.member_change, home, died, [], [(home.borrower, "死亡")], False
        )
        self._case("lent_to_the_dead", "RF22", loans=[loan])

    def too_young(self) -> None:
        """A pupil's name on a loan."""
        new, dice = self.new, self.dice
        home, on = new.home(), new.day()
        born = day(on).year - dice.between(12, 16)
        pupil = new.planner.people.person(home.people[0].name[0], dice.chance(500), born, "孙辈")
        home.people.append(pupil)
        home.borrower = pupil
        self._case("too_young", "RF21", loans=[new.lend(home, on)])

    def struck_off(self) -> None:
        """No longer eligible, as the bureau said before the loan."""
        home = self.new.home()
        loan = self.new.lend(home, self.new.day())
        on = min(loan.disbursed - self.dice.between(3, 60), LAST_DAY)
        self.new.calendar.add(on, on, STATUS, say.status_change, home, on, "none", "核查后清退")
        self._case("struck_off", "RF05", loans=[loan])
