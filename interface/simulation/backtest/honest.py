"""Honest behaviour that looks like misuse: what a rule flags here costs a supervisor an errand."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from interface.simulation.backtest.labels import Entity, Noise, entities
from interface.simulation.backtest.newcomers import FULL_FEN, Newcomers
from interface.simulation.demo import statements as say
from interface.simulation.demo.life_events import MEMBERS, QUARTERS, STATUS
from interface.simulation.demo.plans import HouseholdPlan, LoanPlan, Orders
from interface.simulation.demo.random_source import day, months_later, number, working_day


class Honest:
    """Adds each kind of honest noise, in households of its own."""

    def __init__(self, new: Newcomers, scaled: Callable[[int], int]) -> None:
        self.new, self.rng, self._scaled = new, new.rng, scaled
        self._cases: list[tuple[str, list[LoanPlan], tuple[Entity, ...]]] = []

    def noises(self) -> list[Noise]:
        return [Noise(kind, entities(loans=loans, more=more)) for kind, loans, more in self._cases]

    def plan(self) -> None:
        for _ in range(2 + self._scaled(10)):
            for add in (
                self.seed_merchant, self.greenhouse_builder, self.machines_sold_below_the_share,
                self.family_in_one_household, self.family_in_two_households, self.renewed_once,
                self.renewed_smaller, self.repaid_after_months, self.purchase_fell_through,
                self.late_but_grounded, self.moved_between_households, self.village_on_one_day,
                self.before_the_holidays, self.calf_from_a_neighbour, self.repaid_by_a_son,
                self.merchant_pays_a_supplier, self.died_after_settling, self.struck_off_later,
                self.as_old_as_allowed, self.as_young_as_allowed, self.loan_of_three_years,
            ):  # fmt: skip
                add()

    def _case(self, kind: str, loans: Iterable[LoanPlan], *more: Entity) -> None:
        self._cases.append((kind, list(loans), more))

    def _village(self, size: int) -> list[HouseholdPlan]:
        first = self.new.household()
        return [first, *(self.new.household(like=first) for _ in range(size - 1))]

    # ---- many households, one account ---------------------------------------------------

    def _shop(self, kind: str, size: int, shares: tuple[int, int], *, firm: bool) -> None:
        new, rng, shop, begins = self.new, self.rng, self.new.account(), self.new.day()
        loans = []
        for household in self._village(size):
            loan = new.lend(household, begins + rng.between(0, 40))
            fen = loan.principal_fen * rng.between(*shares) // 100
            on = loan.disbursed + rng.between(0, 25)
            new.sent(loan, on, fen, shop, kind="firm" if firm else "merchant")
            loans.append(loan)
        self._case(kind, loans, ("account", shop))

    def seed_merchant(self) -> None:
        """Many households buy their seed and feed at one shop, for a part of their loans."""
        self._shop("seed_merchant", self.rng.between(8, 25), (20, 70), firm=False)

    def greenhouse_builder(self) -> None:
        """A few households put nearly all of their loans into greenhouses of one maker."""
        self._shop("greenhouse_builder", self.rng.between(3, 5), (80, 95), firm=False)

    def machines_sold_below_the_share(self) -> None:
        """A firm that really sells machines; each household keeps something for fuel."""
        self._shop("machine_firm", self.rng.between(3, 6), (50, 76), firm=True)

    def family_in_one_household(self) -> None:
        """Husband and wife each borrow a part, and use one account: one household."""
        new, rng = self.new, self.rng
        household, on = new.household(), new.day()
        one = new.lend(household, on, FULL_FEN // 2)
        two = new.lend(household, on + rng.between(30, 90), FULL_FEN // 2, payee=one.payee_account)
        self._case("family_in_one_household", [one, two])

    def family_in_two_households(self) -> None:
        """Father and married son, two registered households, use the father's card.

        Both were met at their checks and used their money themselves: honest, though the plan
        wants each borrower's own card.
        """
        new, rng = self.new, self.rng
        father, son = self._village(2)
        one = new.lend(father, new.day())
        two = new.lend(son, one.disbursed + rng.between(0, 200), payee=one.payee_account,
                       bank=one.bank)  # fmt: skip
        self._case("family_in_two_households", [one, two], ("account", one.payee_account))

    # ---- repaid early, renewed, repaid by others ----------------------------------------

    def _renew(self, kind: str, second_fen: int) -> None:
        new, household = self.new, self.new.household()
        on = new.day(2021, 2022)
        one = new.lend(household, on, closed=working_day(months_later(on, 11)))
        two = new.lend(household, one.closed, second_fen)
        two.renews, one.renewed = one, True
        self._case(kind, [one, two])

    def renewed_once(self) -> None:
        self._renew("renewed_once", FULL_FEN)

    def renewed_smaller(self) -> None:
        self._renew("renewed_smaller", FULL_FEN * 3 // 5)

    def repaid_after_months(self) -> None:
        """The pigs were sold early."""
        on = self.new.day()
        loan = self.new.lend(self.new.household(), on, closed=on + self.rng.between(40, 110))
        self._case("repaid_after_months", [loan])

    def purchase_fell_through(self) -> None:
        """The cow was sold to another; the money went back within days or weeks."""
        new, shop = self.new, self.new.account()
        on = working_day(day(new.day()).replace(day=3).toordinal())
        loan = new.lend(new.household(), on, closed=on + self.rng.between(5, 20))
        fen = loan.principal_fen * 9 // 10
        new.sent(loan, on + 1, fen, shop, kind="merchant")
        new.sent(loan, loan.closed - 1, fen, loan.payee_account, kind="household", payer=shop)
        self._case("purchase_fell_through", [loan])

    def repaid_by_a_son(self) -> None:
        """A son who works in town repays from his own account."""
        loan = self.new.lend(self.new.household(), self.new.day())
        loan.orders = Orders(payer_account=self.new.account())
        self._case("repaid_by_a_son", [loan])

    def calf_from_a_neighbour(self) -> None:
        """A neighbour who borrows from the same bank sells a calf."""
        new, rng = self.new, self.rng
        buyer, seller = self._village(2)
        sold = new.lend(seller, new.day())
        bought = new.lend(buyer, sold.disbursed + rng.between(10, 90), bank=sold.bank)
        fen = rng.between(8, 15) * 100_000
        on = bought.disbursed + rng.between(2, 20)
        new.sent(bought, on, fen, sold.payee_account, kind="household")
        self._case("calf_from_a_neighbour", [bought, sold])

    def merchant_pays_a_supplier(self) -> None:
        """What a shop does with its takings ends with its supplier."""
        new, rng, shop = self.new, self.rng, self.new.account()
        loan = new.lend(new.household(), new.day())
        fen, on = loan.principal_fen * rng.between(30, 70) // 100, loan.disbursed + 3
        new.sent(loan, on, fen, shop, kind="merchant")
        new.sent(loan, on + 5, fen * 8 // 10, new.account(), payer=shop)
        self._case("merchant_pays_a_supplier", [loan])

    # ---- days and people ----------------------------------------------------------------

    def late_but_grounded(self) -> None:
        """A flood closed the office: repayments told weeks later, with the document."""
        loan = self.new.lend(self.new.household(), self.new.day())
        told = loan.closed + self.rng.between(33, 60)
        loan.orders = Orders(closing_told=told, document="防汛指挥部〔2022〕7号")
        self._case("late_but_grounded", [loan])

    def moved_between_households(self) -> None:
        """A daughter leaves one household, joins another, and borrows there."""
        new, rng = self.new, self.rng
        left, joined = self._village(2)
        loan = new.lend(joined, new.day(2022, 2023))
        daughter = new.planner.people.person(left.people[0].name[0], False, 1992, "女")
        left.people.append(daughter)
        joined.borrower = daughter
        on = loan.disbursed - rng.between(60, 200)
        change = say.member_change
        new.calendar.add(on, on, MEMBERS, change, left, on, [], [(daughter, "婚嫁迁出")], False)
        wife = daughter._replace(relation="儿媳")
        new.calendar.add(on, on + 1, MEMBERS, change, joined, on, [wife], [], False)
        self._case("moved_between_households", [loan])

    def died_after_settling(self) -> None:
        """The borrower had repaid, and died before the quarter's subsidy was paid."""
        new, rng = self.new, self.rng
        household = new.household()
        loan = new.lend(household, new.day(2021, 2022))
        period = next(each for each in QUARTERS if each.first > loan.disbursed + 60)
        loan.closed = period.first + rng.between(20, 40)
        died = loan.closed + rng.between(5, 25)
        told = died + rng.between(1, 10)
        gone = [(household.borrower, "死亡")]
        new.calendar.add(died, told, MEMBERS, say.member_change, household, died, [], gone, False)
        self._case("died_after_settling", [loan])

    def struck_off_later(self) -> None:
        """Eligible on the day of the loan, and no longer some months after it."""
        new, household = self.new, self.new.household()
        loan = new.lend(household, new.day(2021, 2022))
        on = loan.disbursed + self.rng.between(30, 200)
        new.calendar.add(on, on, STATUS, say.status_change, household, on, "none", "风险消除")
        self._case("struck_off_later", [loan])

    def as_old_as_allowed(self) -> None:
        self._aged("as_old_as_allowed", 65)

    def as_young_as_allowed(self) -> None:
        """Came of age last year at the latest."""
        self._aged("as_young_as_allowed", 19)

    def _aged(self, kind: str, years: int) -> None:
        """A borrower who becomes so many years old in the year of the loan."""
        new, household, on = self.new, self.new.household(), self.new.day()
        born, male = day(on).year - years, self.rng.chance(500)
        person = new.planner.people.person(household.people[0].name[0], male, born, "亲属")
        household.people.append(person)
        household.borrower = person
        self._case(kind, [new.lend(household, on)])

    def loan_of_three_years(self) -> None:
        """The longest term there is."""
        new = self.new
        self._case("loan_of_three_years", [new.lend(new.household(), new.day(), months=36)])

    def village_on_one_day(self) -> None:
        """A large village signs on one day, and settles on one day."""
        on = self.new.day()
        closed = months_later(on, 11)
        loans = [self.new.lend(household, on, closed=closed) for household in self._village(12)]
        self._case("village_on_one_day", loans)

    def before_the_holidays(self) -> None:
        """Lent on the last working day before the October holidays."""
        year = self.rng.between(2021, 2023)
        on = number(year, 9, 29)
        loan = self.new.lend(self.new.household(), on, closed=on + self.rng.between(45, 90))
        self._case("before_the_holidays", [loan])
