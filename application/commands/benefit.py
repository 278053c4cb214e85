"""Commands about a benefit agreement (利益联结协议) between an enterprise and households."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from application.command import Command, Reads
from application.fields import Day, Model, Name, NewNumber, Number, PositiveFen, Reference
from application.ledger import Ledger
from domain.benefit import Agreement, BenefitDue, BenefitKind
from domain.household import HouseholdUnknown
from domain.kernel import Author, CommandContext
from domain.roles import Role


class OfAgreement(Command):
    """A command about one agreement."""

    agreement_no: Number

    def reads(self, by: Author) -> Reads:
        return ((Agreement.id_for(self.agreement_no), Agreement),)

    def agreement(self, ledger: Ledger) -> Agreement:
        return ledger.aggregate(Agreement, Agreement.id_for(self.agreement_no))


class BenefitInstalment(Model):
    due_on: Day
    kind: BenefitKind
    amount_fen: PositiveFen


class SignAgreement(OfAgreement):
    """Each instalment is owed to each of the households."""

    TYPE, SUMMARY = "benefit", "利益联结协议 sign an agreement"
    ROLES, PATH = (Role.TOWNSHIP,), "/benefits"

    agreement_no: NewNumber
    enterprise: Name
    households: Annotated[list[Number], Field(min_length=1, max_length=500)]
    instalments: Annotated[list[BenefitInstalment], Field(min_length=1, max_length=40)]

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        """All households are of the township that reports it. Raises HouseholdUnknown."""
        for number in self.households:
            household = ledger.household(number)
            if not household.exists or household.township != context.by.organisation:
                raise HouseholdUnknown("households", household_no=number)
        self.agreement(ledger).sign(
            context,
            agreement_no=self.agreement_no,
            enterprise=self.enterprise,
            township=context.by.organisation,
            instalments=[
                BenefitDue(number, each.due_on, each.kind, each.amount_fen)
                for number in dict.fromkeys(self.households)
                for each in self.instalments
            ],
        )


class PayBenefit(OfAgreement):
    TYPE, SUMMARY = "benefit-payment", "分红或增收款 record a dividend or supplement"
    ROLES, PATH = (Role.TOWNSHIP,), "/benefits/{agreement_no}/payments"

    household_no: Number
    kind: BenefitKind
    amount_fen: PositiveFen
    voucher: Reference

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        self.agreement(ledger).pay(
            context,
            agreement_no=self.agreement_no,
            household_no=self.household_no,
            kind=self.kind,
            amount_fen=self.amount_fen,
            voucher=self.voucher,
        )
