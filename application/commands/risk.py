"""Commands about a risk (风险信息): reported by anybody, taken note of by an office."""

from __future__ import annotations

from application.command import Command, Reads
from application.fields import NewNumber, Number, Why
from application.ledger import Ledger
from domain.kernel import Author, CommandContext
from domain.risk import RiskReport
from domain.roles import BUSINESS, Role


class OfRisk(Command):
    """A command about one risk."""

    risk_no: Number

    def reads(self, by: Author) -> Reads:
        return ((RiskReport.id_for(self.risk_no), RiskReport),)

    def risk(self, ledger: Ledger) -> RiskReport:
        return ledger.aggregate(RiskReport, RiskReport.id_for(self.risk_no))


class ReportRisk(OfRisk):
    """Of a household, of a loan (with its bank), or at large; `reason` names nobody."""

    TYPE, SUMMARY = "risk", "风险上报 report a risk"
    ROLES, PATH = BUSINESS, "/risks"

    risk_no: NewNumber
    household_no: Number | None = None
    bank: Number | None = None
    loan_no: Number | None = None
    reason: Why

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        self.risk(ledger).report(
            context,
            risk_no=self.risk_no,
            household_no=self.household_no,
            bank=self.bank,
            loan_no=self.loan_no,
            reason=self.reason,
        )


class TakeNoteOfRisk(OfRisk):
    TYPE, SUMMARY = "risk-note", "风险接收 take note"
    ROLES = (Role.BANK, Role.TOWNSHIP, Role.CENTRE, Role.BUREAU, Role.FINANCE)
    PATH = "/risks/{risk_no}/notes"

    measure: Why

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        self.risk(ledger).take_note(context, risk_no=self.risk_no, measure=self.measure)
