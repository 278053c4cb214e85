"""Commands about the risk fund (风险补偿金): paid in, compensated from, recovered to."""

from __future__ import annotations

from application.command import Command, Reads
from application.commands.loan import OfBankLoan, county_loan
from application.fields import Name, PositiveFen, Reference
from application.ledger import Ledger
from domain.kernel import Author, CommandContext
from domain.money import divide_half_up
from domain.risk_fund import RiskFund
from domain.roles import Role


def _risk_fund(ledger: Ledger) -> RiskFund:
    return ledger.aggregate(RiskFund, RiskFund.the_id())


class PayIntoRiskFund(Command):
    TYPE, SUMMARY = "risk-fund-payment", "风险补偿金注入 pay into the risk fund"
    ROLES, PATH = (Role.FINANCE,), "/funds/risk"

    payer: Name
    amount_fen: PositiveFen
    voucher: Reference

    def reads(self, by: Author) -> Reads:
        return ((RiskFund.the_id(), RiskFund),)

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        _risk_fund(ledger).pay_in(
            context, payer=self.payer, amount_fen=self.amount_fen, voucher=self.voucher
        )


class OfLoanAndRiskFund(OfBankLoan):
    def reads(self, by: Author) -> Reads:
        return (*super().reads(by), (RiskFund.the_id(), RiskFund))


class Compensate(OfLoanAndRiskFund):
    """`loss_fen`: what the bank lost on the loan; the fund bears its share of it."""

    TYPE, SUMMARY = "compensation", "代偿 compensate a lost loan"
    ROLES, PATH = (Role.FINANCE,), "/loans/{loan_no}/compensations"

    loss_fen: PositiveFen
    voucher: Reference

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        """The fund bears its share of what is owed on an overdue loan; the bank bears the rest."""
        loan = county_loan(ledger, self.bank, self.loan_no)
        book = ledger.book
        share_bp = book.ruling("risk_fund_share", self.effective_on, ledger.today()).number
        amount_fen = divide_half_up(self.loss_fen * share_bp, 10_000)
        loan.compensate(
            context,
            loss_fen=self.loss_fen,
            share_bp=share_bp,
            amount_fen=amount_fen,
            voucher=self.voucher,
        )
        _risk_fund(ledger).compensate(
            context,
            bank=loan.bank,
            loan_no=loan.loan_no,
            amount_fen=amount_fen,
            voucher=self.voucher,
        )


class RecoverCompensation(OfLoanAndRiskFund):
    TYPE, SUMMARY = "compensation-recovery", "追偿 record what came back of it"
    ROLES, PATH = (Role.FINANCE,), "/loans/{loan_no}/compensation-recoveries"

    amount_fen: PositiveFen
    voucher: Reference

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        loan = county_loan(ledger, self.bank, self.loan_no)
        loan.recover_compensation(context, amount_fen=self.amount_fen, voucher=self.voucher)
        _risk_fund(ledger).recover(
            context,
            bank=loan.bank,
            loan_no=loan.loan_no,
            amount_fen=self.amount_fen,
            voucher=self.voucher,
        )
