"""Commands about the budget money of a year (资金)."""

from __future__ import annotations

from application.command import Correctable, Reads
from application.fields import Name, PositiveFen, Reference, Text, Year
from application.ledger import Ledger
from domain.fund import Fund
from domain.kernel import Author, CommandContext
from domain.plan_check import target
from domain.roles import Role


def fund_of(ledger: Ledger, year: int) -> Fund:
    return ledger.aggregate(Fund, Fund.id_for(year))


class OfFund(Correctable):
    """A command about one year's money."""

    year: Year

    def reads(self, by: Author) -> Reads:
        return ((Fund.id_for(self.year), Fund),)


class AllocateFund(OfFund):
    TYPE, SUMMARY = "fund-allocation", "下达 allocate budget"
    ROLES, PATH = (Role.FINANCE,), "/funds/allocations"
    RECORDS = (Fund.Allocated,)

    amount_fen: PositiveFen
    voucher: Reference

    def handle(self, ledger: Ledger, context: CommandContext, replaces: int | None = None) -> None:
        budget = target("budget_fen", self.year, ledger.today(), ledger.book)
        fund_of(ledger, self.year).allocate(
            context,
            year=self.year,
            amount_fen=self.amount_fen,
            voucher=self.voucher,
            budget_fen=None if budget is None else budget.number,
            replaces=replaces,
        )


class TransferFund(OfFund):
    """Cash from one account to another; both are offices' or banks' own, never a person's."""

    TYPE, SUMMARY = "fund-transfer", "资金拨付 record a transfer"
    ROLES, PATH = (Role.FINANCE,), "/funds/transfers"
    RECORDS = (Fund.Transferred,)

    payer: Name
    payee: Name
    amount_fen: PositiveFen
    purpose: Text
    voucher: Reference

    def handle(self, ledger: Ledger, context: CommandContext, replaces: int | None = None) -> None:
        fund_of(ledger, self.year).transfer(
            context,
            year=self.year,
            payer=self.payer,
            payee=self.payee,
            amount_fen=self.amount_fen,
            purpose=self.purpose,
            voucher=self.voucher,
            replaces=replaces,
        )
