"""Commands about a subsidy (贴息) that is paid loan by loan, and what is due for a loan."""

from __future__ import annotations

from datetime import date
from typing import Any

from application.commands.loan import OfNamedLoan, county_loan
from application.fields import Account, Known, PositiveFen, Quarter, Reference, Text
from application.ledger import Ledger
from domain.calendar import Period, named_quarter
from domain.household import Household
from domain.kernel import CommandContext
from domain.loan import Loan, PaidByBatchOnly
from domain.roles import Role
from domain.subsidy import REASONS, Calculation, calculate, eligible


class PaySubsidy(OfNamedLoan):
    """`ref` is the payment's number: the one under which it can be traced for ever."""

    TYPE, SUMMARY = "subsidy-payment", "贴息拨付 pay subsidy"
    ROLES, PATH = (Role.FINANCE,), "/loans/{loan_no}/subsidy-payments"

    period: Quarter
    amount_fen: PositiveFen
    payee: Account
    voucher: Reference

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        """Pay what the arithmetic allows on what is known now, and store why (domain.md §5)."""
        loan = county_loan(ledger, self.bank, self.loan_no)
        period = named_quarter(self.period, ledger.book)
        if ledger.book.ruling("payments_by_batch", period.last, ledger.today()).number:
            raise PaidByBatchOnly(period=self.period)
        calculation, grounds = subsidy_due(ledger, loan, period)
        loan.pay_subsidy(
            context,
            payment_no=self.ref,
            period=self.period,
            first=period.first,
            until=period.until,
            amount_fen=self.amount_fen,
            due_fen=calculation.amount_fen,
            payee=ledger.pseudonym("account", self.payee.account),
            voucher=self.voucher,
            calculation=calculation.to_slip(),
            grounds=grounds,
            why="；".join(REASONS[reason] for reason in calculation.reasons) or "—",
            personal={"payee_account": self.payee.account, "payee_name": self.payee.name},
        )


class RecoverSubsidy(OfNamedLoan):
    TYPE, SUMMARY = "subsidy-recovery", "贴息追回 recover subsidy"
    ROLES, PATH = (Role.FINANCE,), "/loans/{loan_no}/subsidy-recoveries"

    payment_no: Known
    amount_fen: PositiveFen
    reason: Text
    voucher: Reference

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        county_loan(ledger, self.bank, self.loan_no).recover_subsidy(
            context,
            payment_no=self.payment_no,
            amount_fen=self.amount_fen,
            reason=self.reason,
            voucher=self.voucher,
        )


def subsidy_due(ledger: Ledger, loan: Loan, period: Period) -> tuple[Calculation, dict[str, Any]]:
    """What the loan is due for `period` on all that is known now, and what that rests on.

    Raises NoRuling, naming the loan; another loan of the household that cannot be judged stops
    nothing. The household's other loans are not named: the lending bank reads this event, leaf and
    all. As the log stood at `seen_position`, they are those that the calculation used.
    """
    assert loan.household_id is not None
    household = ledger.aggregate(Household, loan.household_id)
    known_on = ledger.today()
    book = ledger.book
    siblings = [ledger.aggregate(Loan, id) for id in sorted(set(household.borrowed.values()))]
    terms = {
        sibling.id: sibling.terms(
            eligible=eligible(
                household.category_on(sibling.disbursed_on), sibling.disbursed_on, known_on, book
            )
        )
        for sibling in siblings
        if sibling.exists
    }
    grounds = {
        "loan_version": loan.version,
        "household_version": household.version,
        "household_category": household.category_on(loan.disbursed_on),
        "seen_position": ledger.seen_position,
    }
    calculation = calculate(
        terms[loan.id], list(terms.values()), period, known_on=known_on, book=book
    )
    judged = book.ruling("eligible_categories", loan.disbursed_on, known_on)
    quarter_rulings = [
        book.ruling(name, date(period.last.year, 12, 31))
        for name in ("settlement_months", "settlement_day")
    ]
    rulings = (*calculation.rulings, judged, *quarter_rulings)
    return calculation._replace(rulings=rulings), grounds
