"""Commands about a loan (贷款): what its bank reports, what its township and its guarantor do."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field

from application.command import Command, Correctable, Reads
from application.fields import (
    Account,
    Day,
    Fen,
    Flag,
    IdentityNo,
    Model,
    Name,
    NewNumber,
    Number,
    PositiveFen,
    RateBp,
    Reference,
    Text,
)
from application.ledger import Ledger
from application.refusals import LoanAmbiguous
from domain.household import Household
from domain.identity_number import birth_day
from domain.kernel import Author, CommandContext
from domain.loan import (
    Channel,
    Finding,
    Instalment,
    Loan,
    LoanUnknown,
    PayeeKind,
    ReminderKind,
)
from domain.roles import Role

# ---- reported by the bank, which names loans by its own numbers ------------------------


class DisburseLoan(Correctable):
    TYPE, SUMMARY = "loan", "放款 disburse a loan"
    ROLES, PATH = (Role.BANK,), "/loans"
    RECORDS = (Loan.Disbursed,)

    loan_no: NewNumber
    contract_no: Reference
    contract_on: Day
    household_no: Number
    borrower_id_no: IdentityNo
    principal_fen: PositiveFen
    credited_fen: Fen
    annual_rate_bp: RateBp
    due_on: Day
    purpose: Text
    payee: Account
    renews_loan_no: Number | None = None

    def reads(self, by: Author) -> Reads:
        return (
            (Loan.id_for(by.organisation, self.loan_no), Loan),
            (Household.id_for(self.household_no), Household),
        )

    def handle(self, ledger: Ledger, context: CommandContext, replaces: int | None = None) -> None:
        bank = context.by.organisation
        loan = ledger.loan(bank, self.loan_no)
        household = ledger.household(self.household_no)
        renewed = self._renewed(ledger, bank)
        loan.disburse(
            context,
            bank=bank,
            loan_no=self.loan_no,
            contract_no=self.contract_no,
            contract_on=self.contract_on,
            household_id=household.id,
            household_no=self.household_no,
            borrower=ledger.pseudonym("person", self.borrower_id_no),
            borrower_age_years=_age_years(self.borrower_id_no, self.effective_on),
            principal_fen=self.principal_fen,
            credited_fen=self.credited_fen,
            annual_rate_bp=self.annual_rate_bp,
            due_on=self.due_on,
            purpose=self.purpose,
            payee=ledger.pseudonym("account", self.payee.account),
            renews_loan_no=self.renews_loan_no,
            personal={
                "borrower_id_no": self.borrower_id_no,
                "payee_account": self.payee.account,
                "payee_name": self.payee.name,
            },
            replaces=replaces,
        )
        household.borrow(
            context,
            loan_id=loan.id,
            bank=bank,
            loan_no=self.loan_no,
            principal_fen=self.principal_fen,
        )
        if renewed is not None:
            renewed.renew(context, by_loan_no=self.loan_no)

    def _renewed(self, ledger: Ledger, bank: str) -> Loan | None:
        """The loan that this one renews; itself is refused later. Raises LoanUnknown."""
        if self.renews_loan_no is None or self.renews_loan_no == self.loan_no:
            return None
        renewed = ledger.loan(bank, self.renews_loan_no)
        if not renewed.exists:
            raise LoanUnknown("renews_loan_no", loan_no=self.renews_loan_no)
        return renewed


def _age_years(id_no: str, day: date) -> int:
    born = birth_day(id_no)
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


class OfOwnLoan(Correctable):
    """A command about a loan of the bank that submits it: it cannot reach another bank's."""

    loan_no: Number

    def reads(self, by: Author) -> Reads:
        return ((Loan.id_for(by.organisation, self.loan_no), Loan),)


class RepayLoan(OfOwnLoan):
    """A repayment reported by the lending bank."""

    TYPE, SUMMARY = "repayment", "还款 record a repayment"
    ROLES, PATH = (Role.BANK,), "/loans/{loan_no}/repayments"
    RECORDS = (Loan.Repaid,)

    principal_fen: Fen
    interest_fen: Fen
    penalty_fen: Fen
    payer: Account

    def handle(self, ledger: Ledger, context: CommandContext, replaces: int | None = None) -> None:
        ledger.loan(context.by.organisation, self.loan_no).repay(
            context,
            principal_fen=self.principal_fen,
            interest_fen=self.interest_fen,
            penalty_fen=self.penalty_fen,
            payer=ledger.pseudonym("account", self.payer.account),
            personal={"payer_account": self.payer.account, "payer_name": self.payer.name},
            replaces=replaces,
        )


class OutflowAccount(Account):
    kind: PayeeKind


class ObserveOutflow(OfOwnLoan):
    """`payer`: whose account the money left, where it is no longer the borrower's own."""

    TYPE, SUMMARY = "outflow", "资金去向 record an outflow"
    ROLES, PATH = (Role.BANK,), "/loans/{loan_no}/outflows"
    RECORDS = (Loan.OutflowObserved,)

    amount_fen: PositiveFen
    to: OutflowAccount
    payer: Account | None = None

    def handle(self, ledger: Ledger, context: CommandContext, replaces: int | None = None) -> None:
        to, payer = self.to, self.payer
        personal = {"to_account": to.account, "to_name": to.name}
        if payer is not None:
            personal |= {"payer_account": payer.account, "payer_name": payer.name}
        ledger.loan(context.by.organisation, self.loan_no).observe_outflow(
            context,
            amount_fen=self.amount_fen,
            to=ledger.pseudonym("account", to.account),
            kind=to.kind,
            payer=None if payer is None else ledger.pseudonym("account", payer.account),
            personal=personal,
            replaces=replaces,
        )


class ExtendLoan(OfOwnLoan):
    TYPE, SUMMARY = "extension", "展期 extend a loan"
    ROLES, PATH = (Role.BANK,), "/loans/{loan_no}/extensions"
    RECORDS = (Loan.Extended,)

    agreed_on: Day
    new_due_on: Day

    def handle(self, ledger: Ledger, context: CommandContext, replaces: int | None = None) -> None:
        ledger.loan(context.by.organisation, self.loan_no).extend(
            context, agreed_on=self.agreed_on, new_due_on=self.new_due_on, replaces=replaces
        )


class RemindBorrower(OfOwnLoan):
    TYPE, SUMMARY = "reminder", "到期提醒 record a reminder"
    ROLES, PATH = (Role.BANK,), "/loans/{loan_no}/reminders"
    RECORDS = (Loan.Reminded,)

    kind: ReminderKind
    channel: Channel
    evidence: Text | None = None

    def handle(self, ledger: Ledger, context: CommandContext, replaces: int | None = None) -> None:
        ledger.loan(context.by.organisation, self.loan_no).remind(
            context,
            kind=self.kind,
            channel=self.channel,
            evidence=self.evidence,
            replaces=replaces,
        )


# ---- reported by the township, which reaches the loans of its own households alone -----


class OfNamedLoan(Command):
    """A command about a loan of any bank; `bank` is named where two banks use one number."""

    loan_no: Number
    bank: Name | None = None

    def reads(self, by: Author) -> Reads:
        return ((Loan.id_for(self.bank, self.loan_no), Loan),) if self.bank else ()


class OfTownshipLoan(OfNamedLoan, Correctable):
    def loan(self, ledger: Ledger, context: CommandContext) -> Loan:
        """The loan, looked for among those of the township's own households alone.

        Raises LoanUnknown, LoanAmbiguous.
        """
        own = [
            loan
            for loan in ledger.loans_called(self.bank, self.loan_no)
            if loan.household_id is not None
            and ledger.aggregate(Household, loan.household_id).township == context.by.organisation
        ]
        if not own:
            raise LoanUnknown(loan_no=self.loan_no)
        if len(own) > 1:
            raise LoanAmbiguous(banks=[loan.bank for loan in own])
        return own[0]


class CheckUsage(OfTownshipLoan):
    TYPE, SUMMARY = "usage-check", "使用情况调查 record a usage check"
    ROLES, PATH = (Role.TOWNSHIP,), "/loans/{loan_no}/usage-checks"
    RECORDS = (Loan.UsageChecked,)

    finding: Finding
    actual_use: Text
    borrower_met: Flag
    with_bank: Flag
    inspector: Name
    began_on: Day | None = None

    def handle(self, ledger: Ledger, context: CommandContext, replaces: int | None = None) -> None:
        self.loan(ledger, context).check_usage(
            context,
            finding=self.finding,
            actual_use=self.actual_use,
            borrower_met=self.borrower_met,
            with_bank=self.with_bank,
            inspector=self.inspector,
            began_on=self.began_on,
            replaces=replaces,
        )


class AgreedInstalment(Model):
    due_on: Day
    amount_fen: PositiveFen


class AgreeRepaymentPlan(OfTownshipLoan):
    TYPE, SUMMARY = "repayment-plan", "还款计划 record a repayment plan"
    ROLES, PATH = (Role.TOWNSHIP,), "/loans/{loan_no}/repayment-plans"
    RECORDS = (Loan.RepaymentPlanAgreed,)

    instalments: Annotated[list[AgreedInstalment], Field(min_length=1, max_length=60)]

    def handle(self, ledger: Ledger, context: CommandContext, replaces: int | None = None) -> None:
        self.loan(ledger, context).agree_repayment_plan(
            context,
            instalments=tuple(Instalment(i.due_on, i.amount_fen) for i in self.instalments),
            replaces=replaces,
        )


# ---- reported by the guarantee company, or decided by the county -----------------------


def county_loan(ledger: Ledger, bank: str | None, loan_no: str) -> Loan:
    """The loan that an office of the county means. Raises LoanUnknown, LoanAmbiguous."""
    loan = ledger.loan_of(bank, loan_no)
    if loan is None:
        raise LoanUnknown(loan_no=loan_no)
    return loan


class OfBankLoan(Command):
    """A command about a loan of the bank that it names."""

    loan_no: Number
    bank: Number

    def reads(self, by: Author) -> Reads:
        return ((Loan.id_for(self.bank, self.loan_no), Loan),)


class GuaranteeLoan(OfBankLoan, Correctable):
    """A guarantee is a fact, also one with a fee: that it should have none is judged elsewhere."""

    TYPE, SUMMARY = "guarantee", "担保 guarantee"
    ROLES, PATH = (Role.GUARANTOR,), "/loans/{loan_no}/guarantees"
    RECORDS = (Loan.Guaranteed,)

    amount_fen: PositiveFen
    fee_fen: Fen

    def handle(self, ledger: Ledger, context: CommandContext, replaces: int | None = None) -> None:
        county_loan(ledger, self.bank, self.loan_no).guarantee(
            context,
            guarantor=context.by.organisation,
            amount_fen=self.amount_fen,
            fee_fen=self.fee_fen,
            replaces=replaces,
        )
