"""A risk that somebody reports (信息反馈), and who took note of it."""

from __future__ import annotations

from datetime import date
from typing import ClassVar
from uuid import UUID

from domain.kernel import Aggregate, CommandContext, Event, Refused, identity, recorded_fields
from domain.steps import assure_follows


class RiskUnknown(Refused):
    CODE, FIELD = "risk_unknown", "risk_no"
    ZH, EN = "没有这条风险信息：{risk_no}", "no such risk was reported: {risk_no}"


class RiskNumberTaken(Refused):
    CODE, FIELD = "risk_number_taken", "risk_no"
    ZH, EN = "编号 {risk_no} 已使用", "the number {risk_no} is taken"


class OwnRisk(Refused):
    CODE, FIELD = "own_risk", ""
    ZH, EN = "{person} 不能接收自己上报的信息", "{person} cannot take note of his own report"


class RiskReport(Aggregate):
    """One risk, from its report to whoever took note of it."""

    KIND: ClassVar[str] = "risk"

    def __init__(self, id: UUID) -> None:
        super().__init__(id)
        self.reported_by = ""
        self.reported_on = date.min

    @staticmethod
    def id_for(risk_no: str) -> UUID:
        return identity("risk", risk_no)

    class Reported(Event["RiskReport"], frozen=True, kw_only=True, omit_defaults=True):
        """Somebody says what may go wrong, with a loan, a household, or at large."""

        TOPIC, ZH = "risk.reported.v1", "风险上报"
        CORRECTABLE = False
        risk_no: str
        household_no: str | None = None
        bank: str | None = None
        loan_no: str | None = None
        reason: str

        def apply(self, risk: RiskReport) -> None:
            risk.reported_by = self.person
            risk.reported_on = self.effective_on

    class Noted(Event["RiskReport"], frozen=True, kw_only=True, omit_defaults=True):
        """Somebody took note, and says what is done about it."""

        TOPIC, ZH = "risk.noted.v1", "风险接收"
        CORRECTABLE = False
        risk_no: str
        measure: str

    def report(
        self,
        context: CommandContext,
        *,
        risk_no: str,
        household_no: str | None,
        bank: str | None,
        loan_no: str | None,
        reason: str,
    ) -> None:
        """Record a risk. Raises RiskNumberTaken."""
        if self.reported_by:
            raise RiskNumberTaken(risk_no=risk_no)
        self.record(
            RiskReport.Reported(
                **recorded_fields(context),
                risk_no=risk_no,
                household_no=household_no,
                bank=bank,
                loan_no=loan_no,
                reason=reason,
            )
        )

    def take_note(self, context: CommandContext, *, risk_no: str, measure: str) -> None:
        """Record who took note. Raises RiskUnknown, OwnRisk, StepBefore."""
        if not self.reported_by:
            raise RiskUnknown(risk_no=risk_no)
        if self.reported_by == context.by.person:
            raise OwnRisk(person=context.by.person)
        assure_follows(context.effective_on, "the report of the risk", self.reported_on)
        self.record(RiskReport.Noted(**recorded_fields(context), risk_no=risk_no, measure=measure))
