"""What is lent after the four years, and how the loans that were open then go on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from operator import itemgetter
from typing import Any, Final

from interface.simulation.demo import statements as say
from interface.simulation.demo.county import County, report_scale
from interface.simulation.demo.life_events import (
    CORRECT,
    EXTEND,
    OTHER,
    REPAY,
    Calendar,
    Storyteller,
    as_told,
    quarters_of,
)
from interface.simulation.demo.misuse import Misuse
from interface.simulation.demo.people import BANKS, FIRMS
from interface.simulation.demo.plans import (
    CAP_FEN,
    THOUSAND_YUAN_FEN,
    HouseholdPlan,
    LoanPlan,
    numbered,
    ordinary_loan,
)
from interface.simulation.demo.random_source import (
    LAST_DAY,
    RandomSource,
    day,
    months_later,
    number,
)
from interface.simulation.demo.statements import Correction

QUARTERS: Final = quarters_of(2025, 2026)
_LENT: Final = ((1_000, number(2025, 2, 17), 300), (1_300, number(2026, 1, 8), 312))
"""New loans of a year at full size, from which day on, and through how many days."""
_MONTHS: Final = (
    (2024, 12), *((2025, month) for month in range(1, 13)), *((2026, m) for m in range(1, 11)),
)  # fmt: skip
_FIRST_FREE_COUNT: Final = 50
"""Repayments of the four years have lower numbers."""
_INTEREST_DIVISOR: Final = 360 * 10_000


class Lending:
    """Old loans to their end, and new ones; `calendar` holds what is told of them, day by day."""

    def __init__(self, county: County, last_day: int) -> None:
        self.county, self.last_day = county, last_day
        self.calendar, self.misuse = Calendar(last_day), Misuse()
        self.open_loans = self._open_loans()
        self._free = self._free_households()
        planted = self._planted()  # while there are households to choose from
        self.loans = numbered([*self._ordinary(), *planted])
        for each in self.misuse.planted:  # the county itself stays as it is
            for household in each.households:
                household.in_scheme = False
        teller = _Teller(self.calendar, self._rng("lives"), self.misuse, QUARTERS)
        teller.told = frozenset(_told_once(county))
        for loan in self.loans:
            teller.submit(loan)
        self._rated_and_guaranteed()
        for loan in self.open_loans:
            teller.go_on(loan)
        for wrong in county.left_wrong:
            self._put_right(*wrong)
        self._told_last_week()
        known = {(loan.bank, loan.no): loan for loan in self.open_loans}
        old = [known.get((loan.bank, loan.no), loan) for loan in county.loans]
        report_scale(self.calendar, self._rng("reports"), [*old, *self.loans], _MONTHS, {})

    def _rng(self, purpose: str) -> RandomSource:
        return RandomSource(f"{self.county.seed}/{self.county.factor}/recent/{purpose}")

    def _scaled(self, count: int) -> int:
        return max(1, round(count * self.county.factor))

    # ---- what the four years left -------------------------------------------------------

    def _open_loans(self) -> list[LoanPlan]:
        """Loans that were open on their last day, as they go on; three of four of those that
        nobody would have repaid are collected. The county's own plans stay as they are."""
        rng, found = self._rng("collected"), []
        for loan in self.county.loans:
            if loan.closed <= LAST_DAY:
                continue
            goes_on = replace(loan)
            if loan.closed > loan.due + 1_000 and rng.chance(750):
                on = max(loan.due, number(2025, 2, 1)) + rng.between(20, 420)
                earlier = [each for each in loan.repaid if each[0] <= LAST_DAY]
                left_fen = loan.principal_fen - sum(each[1] for each in earlier)
                goes_on.closed, goes_on.repaid = on, [*earlier, (on, left_fen, 0, 0)]
            found.append(goes_on)
        return found

    def _put_right(
        self, loan: LoanPlan, count: int, on: int, fen: tuple[int, int, int], noticed: int
    ) -> None:
        """What a bank had told wrongly of a repayment, and sees after the four years."""
        ref = say.repayment_ref(loan, count)
        self._correct(loan, ref, noticed, as_told(say.repayment_body(loan, on, fen)))

    def _correct(self, loan: LoanPlan, ref: str, on: int, body: dict[str, Any]) -> None:
        self.calendar.corrected.add(ref)
        self.calendar.add(on, on, CORRECT, Correction, ref, say.clerk(loan), f"GZ-{ref}", on,
                          "还款信息录入有误", body)  # fmt: skip

    # ---- who borrows --------------------------------------------------------------------

    def _free_households(self) -> list[HouseholdPlan]:
        """Eligible households of which nothing is amiss and that owe nothing, in any order."""
        category = {household.no: household.category for household in self.county.households}
        for make, args in self.county.told():
            if make is say.status_change:
                category[args[0].no] = args[2]
        dead = {household.no for household, _, _ in self.county.misuse.deaths}
        found = [
            household
            for household in self.county.households
            if household.told
            and category[household.no] != "none"
            and household.no not in dead
            and not household.in_scheme
            and 1963 <= household.borrower.born_year <= 2000
            and all(max(x.closed, x.known_closed) < LAST_DAY for x in household.loans)
        ]
        return self._rng("borrowers").shuffled(found)

    def _ordinary(self) -> Iterator[LoanPlan]:
        """Each year's new loans; who has repaid one by the next year may borrow again."""
        rng, before = self._rng("loans"), list[LoanPlan]()
        for count, first, days in _LENT:
            again = [x for x in before if x.closed < first + days and rng.chance(600)]
            before = []
            for place in range(self._scaled(count)):
                begins = first + rng.between(0, days)
                if place < len(again):
                    household = again[place].household
                    begins = max(begins, again[place].closed + rng.between(3, 30))
                    if begins > first + days:
                        continue
                elif self._free:
                    household = self._free.pop()
                else:
                    return
                thousands = 50 if rng.chance(760) else rng.between(10, 49)
                fen = thousands * THOUSAND_YUAN_FEN
                before.append(ordinary_loan(rng, household, household.bank, begins, fen))
            yield from before

    def _planted(self) -> list[LoanPlan]:
        """New misuse; each kind is listed, with the flag it belongs to, in `misuse`."""
        rng = self._rng("schemes")
        return [
            *self._pooled(rng),
            *self._split(rng),
            *self._diverted(rng),
            *self._round_trip(rng),
            *self._backdated(rng),
        ]

    def _bent(self, rng: RandomSource, begins: int) -> LoanPlan:
        household = self._free.pop()
        loan = ordinary_loan(rng, household, household.bank, begins, CAP_FEN)
        loan.months, loan.due = 12, months_later(loan.disbursed, 12)
        loan.closed = loan.due - 5
        return loan

    def _pooled(self, rng: RandomSource) -> list[LoanPlan]:
        ring = [self._bent(rng, number(2026, 3, 9) + 2 * place) for place in range(4)]
        for loan in ring:
            fen = loan.principal_fen * rng.between(86, 98) // 100
            flow = (loan.disbursed + 1, fen, "4105900088800001", FIRMS[3], "firm")
            self.misuse.outflows[id(loan)] = [flow]
        self.misuse.label("pooled_by_a_firm", *ring)
        return ring

    def _split(self, rng: RandomSource) -> list[LoanPlan]:
        first = self._bent(rng, number(2026, 4, 13))
        other = next(code for _, code, _ in BANKS if code != first.bank)
        second = ordinary_loan(rng, first.household, other, first.disbursed + 21, CAP_FEN)
        second.closed = second.due - 3
        self.misuse.label("split_between_banks", first, second)
        return [first, second]

    def _diverted(self, rng: RandomSource) -> list[LoanPlan]:
        loans = [self._bent(rng, number(2025, 10, 14)), self._bent(rng, number(2026, 2, 11))]
        for loan in loans:
            self.misuse.label("diverted", loan)
        return loans

    def _round_trip(self, rng: RandomSource) -> list[LoanPlan]:
        loan = self._bent(rng, number(2026, 8, 18))
        loan.closed = loan.disbursed + 5
        self.misuse.label("round_trip", loan)
        return [loan]

    def _backdated(self, rng: RandomSource) -> list[LoanPlan]:
        loan = self._bent(rng, number(2026, 6, 23))
        loan.told = loan.disbursed + 44
        self.misuse.label("backdated", loan)
        return [loan]

    def _rated_and_guaranteed(self) -> None:
        """Who borrows is rated first; one loan in nine is guaranteed, free of charge."""
        rng, add = self._rng("ratings"), self.calendar.add
        for place, loan in enumerate(self.loans):
            rated = loan.contract - rng.between(9, 20)
            if place % 3 == 0:
                score = rng.between(600, 980)
                add(rated, rated + rng.between(0, 2), OTHER, say.rating, loan, rated, score)
            if place % 9 == 4 and not loan.scheme:
                add(loan.disbursed, loan.told + 1, OTHER, say.guarantee, loan, loan.disbursed)

    # ---- the last week ------------------------------------------------------------------

    def _told_last_week(self) -> None:
        """Repayments of six weeks ago that are reported only now, and mistakes put right."""
        last = self.last_day
        running = [
            loan
            for loan in self.loans
            if loan.closed > last
            and loan.due > last + 60
            and loan.disbursed < last - 120
            and loan.principal_fen == CAP_FEN
            and not loan.scheme
            and not loan.known_late
            and len(loan.repaid) == 1
        ]
        for place, loan in enumerate(running[:8]):
            on, fen = last - 45 + place, (1_000_000, 15_000, 0)
            count, told = _FIRST_FREE_COUNT + place, last - place % 4
            if place % 2 == 0:
                document = f"补报说明〔{day(told).year}〕{place + 71}号" if place % 4 else None
                self.calendar.add(on, told, REPAY, say.repayment, loan, count, on, fen, document)
            else:
                self._corrected(loan, count, on, told)
            loan.repaid = [(on, fen[0], 0, 0), *((x[0], x[1] - fen[0], 0, 0) for x in loan.repaid)]
            loan.known_late = True

    def _corrected(self, loan: LoanPlan, count: int, on: int, told: int) -> None:
        """A repayment told with a wrong amount at its time, and rightly last week."""
        wrong, right = (100_000, 15_000, 0), (1_000_000, 15_000, 0)
        self.calendar.add(on, on + 1, REPAY, say.repayment, loan, count, on, wrong, None)
        body = as_told(say.repayment_body(loan, on, right))
        self._correct(loan, say.repayment_ref(loan, count), told, body)


def _told_once(county: County) -> Iterator[str]:
    """By which references the four years told what is told once of a loan."""
    for make, args in county.told():
        if make is say.extension:
            yield f"ZQ-{args[0].no}"
        elif make is say.reminder:
            yield f"TX-{args[1]}-{args[0].no}"
        elif make is say.repayment_plan:
            yield f"JH-{args[0].no}"


class _Teller(Storyteller):
    """Tells new loans as ever, and of the old ones what the four years left untold."""

    told: frozenset[str] = frozenset()

    def go_on(self, loan: LoanPlan) -> None:
        """The rest of the life of a loan that was open on the last of the four years."""
        self._extend(loan)
        self._repay_rest(loan)
        self._remind(loan)
        if loan.household.told:
            self._check_on(loan)

    def _extend(self, loan: LoanPlan) -> None:
        if loan.extended_due and loan.due > LAST_DAY + 1 and f"ZQ-{loan.no}" not in self.told:
            agreed = max(LAST_DAY + 1, loan.due - self.rng.between(1, 15))
            self._add(agreed, agreed, EXTEND, say.extension, loan, agreed)

    def _repay_rest(self, loan: LoanPlan) -> None:
        due = loan.extended_due or loan.due
        for count, (on, *fen) in enumerate(self._rest(loan, due), start=_FIRST_FREE_COUNT):
            if on > self.last_day:
                break
            told, document = on + self._lag(), None
            if self.rng.chance(60):
                told = on + self.rng.between(18, 50)
                document = f"补报说明〔{day(told).year}〕{count}号"
                loan.known_late = True
            amounts = fen[0], fen[1], fen[2]
            told = self._add(on, told, REPAY, say.repayment, loan, count, on, amounts, document)
            if fen[0]:
                loan.known_closed = max(loan.known_closed, told)

    def _rest(self, loan: LoanPlan, due: int) -> Iterator[tuple[int, int, int, int]]:
        """(day, principal, interest, penalty) of what is repaid after the four years."""
        paid = {on: fen for on, fen, _, _ in loan.repaid}
        owed_fen = loan.principal_fen - sum(fen for on, fen in paid.items() if on <= LAST_DAY)
        moments = {q.until: 0 for q in QUARTERS if q.until < min(loan.closed - 5, due)}
        moments |= {on: fen for on, fen in paid.items() if on > LAST_DAY}
        since = max(loan.disbursed, number(2024, 12, 21))
        for on, principal_fen in sorted(moments.items(), key=itemgetter(0)):
            interest_fen = owed_fen * (on - since) * loan.rate_bp // _INTEREST_DIVISOR
            late = max(0, on - max(since, due))
            penalty_fen = owed_fen * late * loan.rate_bp // 2 // _INTEREST_DIVISOR
            yield on, principal_fen, interest_fen, penalty_fen
            owed_fen, since = owed_fen - principal_fen, on

    def _reminded(self, loan: LoanPlan, what: str, channel: str, on: int, kind: str) -> None:
        old = loan.disbursed <= LAST_DAY
        if old and (on <= LAST_DAY or f"TX-{what}-{loan.no}" in self.told):
            return
        super()._reminded(loan, what, channel, on, kind)

    def _agree_plan(self, loan: LoanPlan, on: int) -> None:
        old = loan.disbursed <= LAST_DAY
        if not (old and (on <= LAST_DAY or f"JH-{loan.no}" in self.told)):
            super()._agree_plan(loan, on)

    def _check_on(self, loan: LoanPlan) -> None:
        """Every third month; one in twenty is not made, one in sixteen is late."""
        ends = min(loan.closed, self.last_day)
        finding = "diverted" if loan.scheme == "diverted" else "as_agreed"
        use = "购买理财" if finding == "diverted" else loan.purpose
        for count in range(1, 200):
            duty = months_later(loan.disbursed, 3 * count)
            if duty >= ends:
                break
            if duty < LAST_DAY:
                continue
            by_chance = ((890, "in time"), (60, "late"), (50, "missed"))
            kind = self.rng.weighted(by_chance)
            if kind != "in time":
                self.misuse.note(f"usage_check_{kind}", loan, day(duty).isoformat())
            on = duty + self.rng.between(1, 25) if kind == "late" else duty - 3
            on = max(on, LAST_DAY + 1)
            if kind != "missed" and on < loan.closed:
                self._add(
                    on, on + self._lag(), OTHER, say.usage_check, loan, count, on, finding, use
                )
