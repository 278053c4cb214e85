"""Agreements between firms and households, looks at personal data, an erasure."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from functools import partial
from typing import Any, Final

from application.commands.benefit import BenefitInstalment, PayBenefit, SignAgreement
from application.commands.household import EraseHousehold, LookAtHousehold
from application.fields import Ground
from domain.calendar import DAY
from domain.kernel import Author
from interface.simulation.demo.people import FIRMS
from interface.simulation.demo.plans import HouseholdPlan
from interface.simulation.demo.random_source import LAST_DAY
from interface.simulation.demo.recent_years.desk import (
    BUREAU,
    CENTRE,
    INVESTIGATOR,
    Desk,
    bank,
    township,
)
from interface.simulation.demo.recent_years.lending import Lending

_SIGNED: Final = date(2025, 4, 16)
_DUE: Final = (
    date(2025, 6, 30), date(2025, 12, 31), date(2026, 6, 30), date(2026, 12, 31),
)  # fmt: skip
_FEN: Final = 60_000
_COURSES: Final = ("in time", "short", "late", "never")
_LOOKS: Final = (
    (date(2025, 5, 13), INVESTIGATOR, "核对借款人身份证号与死亡登记"),
    (date(2025, 9, 22), BUREAU, "户类别年度核查，需核对成员"),
    (date(2026, 6, 9), CENTRE, "贴息退票，需核对收款账户"),
    (date(2026, 11, 12), INVESTIGATOR, "线索核查：核对收款账户与户主姓名"),
    (date(2026, 11, 17), None, "入户检查前核对家庭成员"),
    (date(2026, 11, 18), None, "补报还款，核对付款账户户名"),
)


class Villages:
    """What happens in the townships beside lending."""

    def __init__(self, desk: Desk, lending: Lending) -> None:
        self.desk, self._lending = desk, lending
        for place, course in enumerate(_COURSES):
            desk.on(_SIGNED + 6 * place * DAY, partial(self._sign, place, course))
        for on, by, reason in _LOOKS:
            desk.on(on, partial(self._look, by, reason))
        desk.on(date(2026, 9, 10), self._erase)

    # ---- agreements ---------------------------------------------------------------------

    def _sign(self, place: int, course: str) -> None:
        """One agreement of a township; the four go in four ways."""
        code, households = self._homes()[place]
        number = f"XY-2025-{code}"
        self.desk.submit(
            SignAgreement(
                ref=number, effective_on=self.desk.today, agreement_no=number,
                enterprise=FIRMS[place * 2 + 1],
                households=[household.no for household in households],
                instalments=[
                    BenefitInstalment(due_on=due_on, kind=_kind(due_on), amount_fen=_FEN)
                    for due_on in _DUE
                ],
            ),
            township(code),
        )  # fmt: skip
        if course == "never":
            self._lending.misuse.note_of_office("benefit_not_delivered", number)
        for due_on in _DUE:
            paid_on = due_on - 4 * DAY
            last = due_on == date(2026, 6, 30)
            if course == "late" and last:
                paid_on = due_on + 52 * DAY
            fen = _FEN // 2 if course == "short" and last else _FEN
            if not (course == "never" and due_on > date(2025, 12, 1)):
                self.desk.on(paid_on, partial(self._pay, number, code, households, due_on, fen))

    def _homes(self) -> list[tuple[str, list[HouseholdPlan]]]:
        """The townships where most of the new borrowers live, up to twelve households of each."""
        homes: defaultdict[str, dict[str, HouseholdPlan]] = defaultdict(dict)
        for loan in self._lending.loans:
            if loan.disbursed < _DUE[0].toordinal() or len(self._lending.loans) < 100:
                homes[loan.household.township][loan.household.no] = loan.household
        ordered = sorted(homes, key=lambda code: (-len(homes[code]), code))
        return [(code, list(homes[code].values())[:12]) for code in ordered]

    def _pay(
        self, number: str, code: str, households: list[HouseholdPlan], due_on: date, fen: int
    ) -> None:
        for household in households:
            voucher = f"{_kind(due_on)[:2].upper()}-{due_on:%Y%m}-{household.no}"
            self.desk.submit(
                PayBenefit(
                    ref=voucher, effective_on=self.desk.today, agreement_no=number,
                    household_no=household.no, kind=_kind(due_on), amount_fen=fen, voucher=voucher,
                ),
                township(code),
            )  # fmt: skip

    # ---- personal data ------------------------------------------------------------------

    def _look(self, by: Author | None, reason: str) -> None:
        """At a borrower's household; by its township or its bank where no office is named."""
        loan = self._lending.loans[self.desk.today.day % len(self._lending.loans)]
        if by is None:
            own = "检查" in reason
            by = township(loan.household.township) if own else bank(loan.bank)
        told: dict[str, Any] = {"effective_on": self.desk.today, "reason": reason}
        look = LookAtHousehold(
            ref=f"CK-{self.desk.today:%Y%m%d}", household_no=loan.household.no, **told
        )
        self.desk.submit(look, by)

    def _erase(self) -> None:
        """A household that moved away, and owes nothing for years."""
        lent = {loan.household.no for loan in self._lending.loans}
        gone = next(
            household
            for household in reversed(self.desk.county.households)
            if household.told
            and household.loans
            and not household.in_scheme
            and household.no not in lent
            and all(max(x.closed, x.known_closed) < LAST_DAY - 200 for x in household.loans)
        )
        self.desk.submit(
            EraseHousehold(
                ref=f"XH-{gone.no}", effective_on=self.desk.today, household_no=gone.no,
                ground=Ground(document="个人信息销毁审批表〔2026〕3号"),
                reason="整户迁出，贷款早已结清，本人申请",
            ),
            BUREAU,
        )  # fmt: skip


def _kind(due_on: date) -> Any:
    """A dividend in summer, a supplement at the year's end."""
    return "dividend" if due_on.month == 6 else "supplement"
