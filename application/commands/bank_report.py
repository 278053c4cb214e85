"""The command with which a bank reports its month (规模报送)."""

from __future__ import annotations

from application.command import Correctable, Reads
from application.fields import Count, Fen, Month
from application.ledger import Ledger
from domain.bank_report import BankReport
from domain.kernel import Author, CommandContext
from domain.roles import Role


class ReportScale(Correctable):
    TYPE, SUMMARY = "bank-report", "规模报送 report a bank's scale"
    ROLES, PATH = (Role.BANK,), "/bank-reports"
    RECORDS = (BankReport.ScaleReported,)

    period: Month
    loans: Count
    households: Count
    balance_fen: Fen
    disbursed_fen: Fen

    def reads(self, by: Author) -> Reads:
        return ((BankReport.id_for(by.organisation, self.period), BankReport),)

    def handle(self, ledger: Ledger, context: CommandContext, replaces: int | None = None) -> None:
        bank = context.by.organisation
        ledger.bank_report(bank, self.period).report_scale(
            context,
            bank=bank,
            period=self.period,
            loans=self.loans,
            households=self.households,
            balance_fen=self.balance_fen,
            disbursed_fen=self.disbursed_fen,
            replaces=replaces,
        )
