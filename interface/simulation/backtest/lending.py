"""Loans that should not be, and what is told of loans late or wrongly."""

from __future__ import annotations

from interface.simulation.backtest.fraud_case import BANK_CODES, Planter
from interface.simulation.backtest.newcomers import Newcomers
from interface.simulation.demo import statements as say
from interface.simulation.demo.life_events import MEMBERS, QUARTERS, STATUS
from interface.simulation.demo.plans import THOUSAND_YUAN_FEN, Orders
from interface.simulation.demo.random_source import LAST_DAY, day, months_later, working_day


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
        new, rng = self.new, self.rng
        household, on = new.household(), new.day()
        loans = []
        for place in range(rng.between(2, 3)):
            bank = BANK_CODES[
                (BANK_CODES.index(household.bank) + place * two_banks) % len(BANK_CODES)
            ]
            fen = rng.between(26, 50) * THOUSAND_YUAN_FEN
            loans.append(new.lend(household, on + rng.between(0, 20), fen, bank=bank))
        self._case(kind, "RF06", loans=loans)

    def rate_over_the_quote(self) -> None:
        loan = self.new.lend(self.new.household(), self.new.day())
        loan.rate_bp += self.rng.between(10, 120)
        self._case("rate_over_the_quote", "RF07", loans=[loan])

    def round_trip(self) -> None:
        on = self.new.day()
        loan = self.new.lend(self.new.household(), on, closed=on + self.rng.between(1, 7))
        self._case("round_trip", "RF11", loans=[loan])

    def round_trip_sly(self) -> None:
        on = working_day(day(self.new.day()).replace(day=3).toordinal())
        loan = self.new.lend(self.new.household(), on, closed=on + self.rng.between(8, 14))
        self._case("round_trip_sly", "RF11", loans=[loan])

    def month_end_round_trip(self) -> None:
        first = day(self.new.day()).replace(day=1).toordinal()
        until = months_later(first, 1)
        on = max(each for each in range(until - 5, until) if working_day(each) == each)
        loan = self.new.lend(self.new.household(), on, closed=until + self.rng.between(0, 4))
        self._case("month_end_round_trip", "RF11", loans=[loan])

    def loan_repays_loan_elsewhere(self) -> None:
        """A second bank lends what settles the first."""
        self._repaid_by_a_loan("loan_repays_loan_elsewhere", (0, 0))

    def loan_repays_loan_sly(self) -> None:
        """Somebody bridges the days between."""
        self._repaid_by_a_loan("loan_repays_loan_sly", (3, 9))

    def _repaid_by_a_loan(self, kind: str, days: tuple[int, int]) -> None:
        new, rng = self.new, self.rng
        household, on = new.household(), new.day(2021, 2022)
        loan = new.lend(household, on)
        loan.closed = working_day(loan.closed)
        other = rng.pick([bank for bank in BANK_CODES if bank != household.bank])
        lent = loan.closed + rng.between(*days)
        again = new.lend(household, lent, loan.principal_fen, bank=other)
        self._case(kind, "RF13", loans=[loan, again])

    def renewed_twice(self) -> None:
        """Declared renewals, but nothing was ever repaid: the same principal three times."""
        new = self.new
        household, loan = new.household(), None
        begins, loans = new.day(2021, 2021), []
        for _ in range(3):
            on = working_day(loan.closed) if loan else begins
            following = new.lend(household, on, closed=working_day(months_later(on, 9)))
            if loan:
                following.renews, loan.renewed = loan, True
            loan = following
            loans.append(loan)
        self._case("renewed_twice", "RF13", loans=loans)

    # ---- what is told late or wrongly ---------------------------------------------------

    def late_told_settlement(self) -> None:
        """Settled inside a quarter; the bank says so after the quarter was paid in full."""
        new, rng = self.new, self.rng
        loan = new.lend(new.household(), new.day(2021, 2022))
        period = next(q for q in QUARTERS if q.first > loan.disbursed + 30)
        loan.closed = period.first + rng.between(10, 50)
        loan.orders = Orders(closing_told=period.until + rng.between(45, 90))
        told = ("day", day(loan.closed).isoformat())
        self._case("late_told_settlement", "RF02", loans=[loan])
        self._case("late_told_settlement", "RF23", loans=[loan], more=(told,))

    def due_day_corrected(self) -> None:
        """A later due day was told, and days after the true one were subsidised."""
        new, rng = self.new, self.rng
        loan = new.lend(new.household(), new.day(2021, 2022))
        period = next(q for q in QUARTERS if q.first > loan.due - 60)
        loan.due = period.first + rng.between(10, 40)
        loan.closed = loan.due + rng.between(205, 260)
        loan.orders = Orders(due_told=loan.due + 150, due_corrected=period.until + 60)
        self._case("due_day_corrected", "RF03", loans=[loan])

    def older_loan_told_late(self) -> None:
        """Two banks lend to the cap; the older loan is told when the younger had its subsidy."""
        new, rng = self.new, self.rng
        household, on = new.household(), new.day(2021, 2022)
        other = rng.pick([bank for bank in BANK_CODES if bank != household.bank])
        older = new.lend(household, on, bank=other)
        younger = new.lend(household, on + rng.between(3, 20))
        period = next(q for q in QUARTERS if q.until > younger.disbursed + 30)
        older.told = working_day(period.until + rng.between(45, 60))
        self._case("older_loan_told_late", "RF04", "RF06", loans=[older, younger])
        told = ("day", day(older.disbursed).isoformat())
        self._case("older_loan_told_late", "RF23", loans=[older], more=(told,))

    def unreported_loan(self) -> None:
        """The bank leaves a loan out of its report for the month in which it lent."""
        new, household = self.new, self.new.household()
        on = new.day()
        while (household.bank, f"{day(on):%Y-%m}") in new.misuse.inflated:
            on = new.day()  # a report that is wrong in another way already
        loan = new.lend(household, on)
        month = loan.bank, f"{day(on):%Y-%m}"
        new.misuse.inflated[month] = (-1, -1, -loan.principal_fen)
        report = ("bank", month[0]), ("period", month[1])
        self._case("unreported_loan", "RF10", loans=[loan], more=report)
        self._case("unreported_loan", "RF12", more=report)

    def forgotten_subsidy(self) -> None:
        """A quarter of a loan that no list ever held."""
        loan = self.new.lend(self.new.household(), self.new.day(2021, 2022))
        period = next(q for q in QUARTERS if q.first > loan.disbursed)
        self.unpaid.add((id(loan), period.name))

    def forged_date(self) -> None:
        self._forge("forged_date", 36, 120)

    def forged_date_sly(self) -> None:
        self._forge("forged_date_sly", 15, 27)

    def _forge(self, kind: str, least: int, most: int) -> None:
        loan = self.new.lend(self.new.household(), self.new.day())
        loan.told = working_day(loan.disbursed + self.rng.between(least, most))
        told = ("day", day(loan.disbursed).isoformat())
        self._case(kind, "RF23", loans=[loan], more=(told,))

    # ---- people -------------------------------------------------------------------------

    def lent_to_the_dead(self) -> None:
        """A loan in the name of somebody who died before, as the register told in time."""
        new, rng = self.new, self.rng
        household = new.household()
        loan = new.lend(household, new.day())
        died = loan.disbursed - rng.between(5, 90)
        told = died + rng.between(1, 20)
        new.calendar.add(
            died,
            told,
            MEMBERS,
            say.member_change,
            household,
            died,
            [],
            [(household.borrower, "死亡")],
            False,
        )
        self._case("lent_to_the_dead", "RF22", loans=[loan])

    def too_young(self) -> None:
        """A pupil's name on a loan."""
        new, rng = self.new, self.rng
        household, on = new.household(), new.day()
        born = day(on).year - rng.between(12, 16)
        pupil = new.planner.people.person(
            household.people[0].name[0], rng.chance(500), born, "孙辈"
        )
        household.people.append(pupil)
        household.borrower = pupil
        self._case("too_young", "RF21", loans=[new.lend(household, on)])

    def struck_off(self) -> None:
        """No longer eligible, as the bureau said before the loan."""
        household = self.new.household()
        loan = self.new.lend(household, self.new.day())
        on = min(loan.disbursed - self.rng.between(3, 60), LAST_DAY)
        self.new.calendar.add(
            on, on, STATUS, say.status_change, household, on, "none", "核查后清退"
        )
        self._case("struck_off", "RF05", loans=[loan])
