"""How the truth becomes known: who tells what, on which day, how late, and with which mistakes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from domain.calendar import quarter
from domain.loan import PayeeKind
from interface.simulation.demo import statements as say
from interface.simulation.demo.misuse import Misuse
from interface.simulation.demo.people import MERCHANTS
from interface.simulation.demo.plans import LoanPlan
from interface.simulation.demo.random_source import (
    LAST_DAY,
    RandomSource,
    day,
    months_later,
    number,
    working_day,
)
from interface.simulation.demo.statements import Correction

REGISTER, STATUS, MEMBERS, DEMAND, CREDIT, LOAN, EXTEND, REPAY, OTHER, CORRECT = range(10)
"""In which order the statements of one day are told."""

_RANGE_DAYS: Final = 10_000
_INTEREST_DIVISOR: Final = 360 * 10_000
_FORBIDDEN_USES: Final = (
    "建房装修",
    "婚丧嫁娶",
    "购买理财",
    "转借他人",
    "企业经营",
    "购买家电家具",
)


class Quarter(NamedTuple):
    name: str
    first: int
    until: int


def quarters_of(first_year: int, last_year: int) -> tuple[Quarter, ...]:
    """The quarters of these years."""
    return tuple(
        Quarter(f"{year}Q{n}", period.first.toordinal(), period.until.toordinal())
        for year in range(first_year, last_year + 1)
        for n in range(1, 5)
        for period in [quarter(year, n)]
    )


QUARTERS: Final = quarters_of(2021, 2024)

Entry = tuple[int, Callable[..., Any], tuple[Any, ...]]


class Calendar:
    """What will be told on each day. Nothing is told after the last day."""

    def __init__(self, last_day: int = LAST_DAY) -> None:
        self.last_day = last_day
        self.days: dict[int, list[Entry]] = {}
        self.corrected: set[str] = set()

    def add(self, effective: int, told: int, rank: int, make: Callable[..., Any], *args: Any
            ) -> int:  # fmt: skip
        """Enter a statement; returns the day on which it is told, or 0 when it never is."""
        if effective > self.last_day:
            return 0
        told = working_day(max(effective, told))
        told = min(told, self.last_day)
        self.days.setdefault(told, []).append((rank, make, args))
        return told


Wrong = tuple[LoanPlan, int, int, tuple[int, int, int], int]
"""A repayment told wrongly: its count, true day and amounts; and on which day that is noticed."""


class Storyteller:
    """Tells the life of each loan. What nobody planted but is wrong anyway is labelled too."""

    def __init__(
        self,
        calendar: Calendar,
        rng: RandomSource,
        misuse: Misuse,
        quarters: tuple[Quarter, ...] = QUARTERS,
    ) -> None:
        self.calendar, self.rng, self.misuse = calendar, rng, misuse
        self.quarters, self.last_day = quarters, calendar.last_day
        self.left_wrong: list[Wrong] = []
        self._add = calendar.add

    def submit(self, loan: LoanPlan) -> None:
        if loan.household.told:
            self._apply(loan)
        mistaken = self._disburse(loan)
        if 4 < loan.closed - loan.due < 200 and self.rng.chance(300):
            loan.extended_due = months_later(loan.due, 6)
            agreed = loan.due - self.rng.between(1, 15)
            self._add(agreed, max(agreed, loan.told), EXTEND, say.extension, loan, agreed)
        self._repay(loan, mistaken)
        self._flow(loan)
        self._remind(loan)
        if loan.household.told:
            self._check(loan)

    def _lag(self) -> int:
        """Days until an ordinary statement is told."""
        return self.rng.weighted(((60, 0), (28, 1), (8, 2), (4, 4)))

    # ---- before and at disbursement -----------------------------------------------------

    def _apply(self, loan: LoanPlan) -> None:
        rng, household = self.rng, loan.household
        if loan.renews and rng.chance(800):
            return
        granted = max(loan.contract - rng.between(1, 8), household.told)
        if rng.chance(650):
            wished = max(granted - rng.between(4, 20), household.told)
            self._add(wished, wished + self._lag(), DEMAND, say.demand, household, loan.no, wished,
                      loan.principal_fen, loan.purpose)  # fmt: skip
        limit_fen = max(loan.principal_fen, 5_000_000)
        self._add(granted, granted + self._lag(), CREDIT, say.credit, household, loan.bank, loan.no,
                  granted, limit_fen, loan.purpose, None)  # fmt: skip

    def _disburse(self, loan: LoanPlan) -> bool:
        """Whether it was told wrongly at first."""
        rng = self.rng
        loan.told = working_day(loan.told or loan.disbursed + self._lag())
        mistake: dict[str, Any] = {}
        corrected = working_day(loan.told + rng.between(20, 120))
        plain = not (loan.scheme or loan.renews or loan.renewed)
        if plain and rng.chance(4) and corrected <= self.last_day:
            mistake = rng.pick(
                (
                    {"annual_rate_bp": loan.rate_bp + rng.pick((10, 90))},
                    {"principal_fen": loan.principal_fen + 1_000_000},
                    {"due_on": day(months_later(loan.due, rng.pick((-1, 1))))},
                )
            )
        if loan.orders.due_told:
            mistake = {"due_on": day(loan.orders.due_told)}
            corrected = loan.orders.due_corrected
        self._add(loan.disbursed, loan.told, LOAN, say.disbursement, loan, mistake)
        if mistake:
            loan.known_late = True
            body = as_told(say.loan_body(loan))
            self._correct(loan, say.loan_ref(loan), corrected, "放款信息录入有误", body)
        return bool(mistake)

    def _correct(self, loan: LoanPlan, ref: str, on: int, reason: str, body: dict[str, Any]
                 ) -> None:  # fmt: skip
        self.calendar.corrected.add(ref)
        self._add(on, on, CORRECT, Correction, ref, say.clerk(loan), f"GZ-{ref}", on, reason, body)

    # ---- repayments ---------------------------------------------------------------------

    def _repay(self, loan: LoanPlan, mistaken: bool) -> None:
        rng = self.rng
        for count, (on, *amounts) in enumerate(self._repayments(loan), start=1):
            if on > self.last_day:
                break
            fen = amounts[0], amounts[1], amounts[2]
            document = None
            if rng.chance(105 if fen[0] else 55) and not mistaken:
                told = on + rng.between(18 if fen[0] else 10, 60)
                document = f"补报说明〔{day(told).year}〕{rng.between(1, 60)}号"
                document = document if rng.chance(500) else None
                loan.known_late = loan.known_late or fen[0] > 0
                if fen[0] and told - on > 20:
                    self.misuse.note("overpaid_after_late_report", loan, day(on).isoformat())
            else:
                told = on + self._lag()
            if on == loan.closed and loan.orders.closing_told:
                told, document, mistaken = loan.orders.closing_told, loan.orders.document, True
            told = min(working_day(max(told, loan.told)), self.last_day)
            wrong = None
            if rng.chance(12 if fen[0] else 3) and not mistaken:
                wrong = self._mistake(loan, on, told, fen)
            told_on, told_fen = wrong or (on, fen)
            self._add(told_on, told, REPAY, say.repayment, loan, count, told_on, told_fen, document)
            if wrong:
                corrected = working_day(told + rng.between(14, 60))
                if corrected <= self.last_day:
                    body = as_told(say.repayment_body(loan, on, fen))
                    ref = say.repayment_ref(loan, count)
                    self._correct(loan, ref, corrected, "还款信息录入有误", body)
                    told = corrected
                else:
                    self.left_wrong.append((loan, count, on, fen, corrected))
            if fen[0]:
                loan.known_closed = max(loan.known_closed, told)

    def _mistake(self, loan: LoanPlan, on: int, told: int, fen: tuple[int, int, int]
                 ) -> tuple[int, tuple[int, int, int]] | None:  # fmt: skip
        """A wrong day or a wrong amount; never one that the ledger would have to refuse."""
        rng = self.rng
        loan.known_late = loan.known_late or fen[0] > 0
        if rng.chance(400) or not (fen[0] or fen[1] > 100):
            wrong = max(on - rng.between(3, 20), loan.disbursed)
            return (wrong if rng.chance(600) else min(on + 30, told)), fen
        return on, (fen[0] // 10, fen[1] if fen[0] else fen[1] * 9 // 10, fen[2])

    def _repayments(self, loan: LoanPlan) -> list[tuple[int, int, int, int]]:
        """(day, principal, interest, penalty) of each true repayment, in order."""
        moments = self._moments(loan)
        due = loan.extended_due or loan.due
        owed_fen, since, accrued, penalty = loan.principal_fen, loan.disbursed, 0, 0
        repaid: list[tuple[int, int, int, int]] = []
        for on, principal_fen in moments:
            accrued += owed_fen * (on - since) * loan.rate_bp
            if on > due:
                penalty += owed_fen * (on - max(since, due)) * loan.rate_bp // 2
            since = on
            interest_fen, accrued = divmod(accrued, _INTEREST_DIVISOR)
            penalty_fen, penalty = divmod(penalty, _INTEREST_DIVISOR)
            owed_fen -= principal_fen
            if principal_fen or interest_fen or penalty_fen:
                repaid.append((on, principal_fen, interest_fen, penalty_fen))
        loan.repaid = [(on, fen, 0, 0) for on, fen, _, _ in repaid if fen]
        return repaid

    def _moments(self, loan: LoanPlan) -> list[tuple[int, int]]:
        """When something is repaid, and how much principal each time."""
        rng = self.rng
        moments: dict[int, int] = {}
        for period in self.quarters:
            on = period.until + (0 if rng.chance(700) else rng.between(1, 6))
            if loan.disbursed + 5 < on < loan.closed - 5:
                moments[on] = 0
        left_fen = loan.principal_fen
        if loan.closed - loan.disbursed > 120 and rng.chance(230):
            for _ in range(rng.between(1, 2)):
                part_fen = rng.between(2, 8) * loan.principal_fen // 2_000_000 * 100_000
                on = loan.disbursed + rng.between(60, loan.closed - loan.disbursed - 20)
                if part_fen and on not in moments and on < loan.due:
                    moments[on] = part_fen
                    left_fen -= part_fen
        moments[loan.closed] = moments.get(loan.closed, 0) + left_fen
        return sorted(moments.items())

    # ---- what else is seen --------------------------------------------------------------

    def _flow(self, loan: LoanPlan) -> None:
        rng = self.rng
        flows = list(self.misuse.outflows.get(id(loan), ()))
        if not flows and rng.chance(170):
            shop = rng.between(0, len(MERCHANTS) - 1)
            fen = loan.credited_fen * rng.between(15, 74) // 10_000_000 * 100_000
            account = f"4139{loan.household.township[1:]}{shop:02d}00006"
            on = loan.disbursed + rng.between(0, 25)
            if fen:
                flows.append((on, fen, account, MERCHANTS[shop], "merchant"))
        for count, (on, fen, account, name, kind) in enumerate(flows, start=1):
            to: tuple[str, str, PayeeKind] = (account, name, kind)  # type: ignore[assignment]
            told = max(on + self._lag(), loan.told)
            self._add(on, told, OTHER, say.outflow, loan, count, on, fen, to)

    def _remind(self, loan: LoanPlan) -> None:
        rng = self.rng
        if loan.closed > loan.due - 60:
            kind = rng.weighted(((925, "in time"), (40, "missed"), (35, "late")))
            on = loan.due - rng.between(60, 74)
            if kind == "late":
                on = loan.due - rng.between(25, 55)
            self._reminded(loan, "first", rng.pick(("phone", "sms", "visit")), on, kind)
        if loan.closed > loan.due - 30:
            kind = rng.weighted(((905, "in time"), (50, "missed"), (25, "late"), (20, "by phone")))
            on = loan.due - rng.between(30, 44)
            if kind == "late":
                on = loan.due - rng.between(2, 25)
            channel = "phone" if kind == "by phone" else "written"
            self._reminded(loan, "written", channel, on, kind)
        if loan.closed > loan.due + 10:
            on = loan.due + rng.between(3, 10)
            self._reminded(loan, "overdue", "visit", on, "in time")
            on += rng.between(3, 20)
            if loan.household.told and not loan.extended_due and rng.chance(750):
                self._agree_plan(loan, on)

    def _agree_plan(self, loan: LoanPlan, on: int) -> None:
        left_fen = loan.principal_fen - sum(x[1] for x in loan.repaid if x[0] < on)
        if left_fen:
            told = max(on, loan.told)
            self._add(on, told, OTHER, say.repayment_plan, loan, on, left_fen)

    def _reminded(self, loan: LoanPlan, what: str, channel: str, on: int, kind: str) -> None:
        if kind != "in time" and loan.due <= self.last_day:
            self.misuse.note("reminder_missed", loan, f"{what}: {kind}")
        if kind == "missed" or on < loan.disbursed or on >= loan.closed:
            return
        told = max(on + self._lag(), loan.told)
        self._add(on, told, OTHER, say.reminder, loan, what, channel, on)

    def _check(self, loan: LoanPlan) -> None:
        rng = self.rng
        ends = min(loan.closed, self.last_day)
        diverted = rng.between(1, 2) if loan.scheme == "diverted" else 0
        forbidden = rng.pick(_FORBIDDEN_USES)
        for count in range(1, 200):
            duty = months_later(loan.disbursed, 3 * count)
            if duty >= ends:
                break
            on = duty - rng.between(0, 12)
            by_chance = rng.weighted(((890, "in time"), (60, "late"), (50, "missed")))
            kind = by_chance if loan.orders.checked else "missed"
            if (diverted and count >= diverted) or not loan.orders.met:
                kind = "in time"
            if kind == "late":
                on = duty + rng.between(1, 25)
            if kind != "in time":
                self.misuse.note(f"usage_check_{kind}", loan, day(duty).isoformat())
            if kind == "missed" or on >= loan.closed:
                continue
            finding, use = "as_agreed", loan.purpose
            told = max(on + self._lag(), loan.told)
            if diverted and count >= diverted:
                finding, use = "diverted", forbidden
                if count == diverted and rng.chance(400):
                    told += rng.between(30, 120)
                    loan.known_late = True
            elif rng.chance(8) or not loan.orders.met:
                finding = "not_found"
            self._add(on, told, OTHER, say.usage_check, loan, count, on, finding, use)


def as_told(body: dict[str, Any]) -> dict[str, Any]:
    """A body as it stands in a file: days in ISO form."""
    return {k: v.isoformat() if hasattr(v, "isoformat") else v for k, v in body.items()}


REPORTED_MONTHS: Final = tuple(
    (year, month)
    for year in range(2021, 2025)
    for month in range(1, 13)
    if (year, month) < (2024, 12)
)


def first_of(year: int, month: int) -> int:
    return number(year + month // 13, (month - 1) % 12 + 1, 1)
