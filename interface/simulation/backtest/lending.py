"""Loans that should not be, and what is told of loans late or wrongly."""

from __future__ import annotations

from interface.simulation.backtest.newcomers import Newcomers
from interface.simulation.backtest.planting import BANK_CODES, Planter
from interface.simulation.demo import statements as say
from interface.simulation.demo.dice import LAST_DAY, day, months_later, working_day
from interface.simulation.demo.lives import MEMBERS, QUARTERS, STATUS
from interface.simulation.demo.plans import THOUSAND_YUAN_FEN, Orders


class Lending(Planter):
    """Plants what is wrong with a loan, its borrower, or the word of it."""

    def __init__(self, new: Newcomers) -> None:
        super().__init__(new)
        self.unpaid: set[tuple[int, str]] = set()
        """The loans and quarters that finance forgets."""

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
            bank = BANK_CODES[(BANK_CODES.index(home.bank) + place * two_banks) % len(BANK_CODES)]
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
        """A second bank lends what settles the first."""
        self._repaid_by_a_loan("loan_repays_loan_elsewhere", (0, 0))

    def loan_repays_loan_sly(self) -> None:
        """Somebody bridges the days between."""
        self._repaid_by_a_loan("loan_repays_loan_sly", (3, 9))

    def _repaid_by_a_loan(self, kind: str, days: tuple[int, int]) -> None:
        new, dice = self.new, self.dice
        home, on = new.home(), new.day(2021, 2022)
        loan = new.lend(home, on)
        loan.closed = working_day(loan.closed)
        other = dice.pick([bank for bank in BANK_CODES if bank != home.bank])
        lent = loan.closed + dice.between(*days)
        again = new.lend(home, lent, loan.principal_fen, bank=other)
        self._case(kind, "RF13", loans=[loan, again])

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
        other = dice.pick([bank for bank in BANK_CODES if bank != home.bank])
        older = new.lend(home, on, bank=other)
        younger = new.lend(home, on + dice.between(3, 20))
        period = next(q for q in QUARTERS if q.until > younger.disbursed + 30)
        older.told = working_day(period.until + dice.between(45, 60))
        self._case("older_loan_told_late", "RF04", "RF06", loans=[older, younger])
        told = ("day", day(older.disbursed).isoformat())
        self._case("older_loan_told_late", "RF23", loans=[older], more=(told,))

    def unreported_loan(self) -> None:
        """The bank leaves a loan out of its report for the month in which it lent."""
        new, home = self.new, self.new.home()
        on = new.day()
        while (home.bank, f"{day(on):%Y-%m}") in new.misuse.inflated:
            on = new.day()  # a report that is wrong in another way already
        loan = new.lend(home, on)
        month = loan.bank, f"{day(on):%Y-%m}"
        new.misuse.inflated[month] = (-1, -1, -loan.principal_fen)
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
