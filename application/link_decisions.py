"""How ratings, risks, guarantees, the risk fund and benefit links are told (see `decisions`)."""

from __future__ import annotations

from typing import Any

from application.commands import (
    Compensate,
    GuaranteeLoan,
    PayBenefit,
    PayIntoRiskFund,
    RateCredit,
    RecoverCompensation,
    ReportRisk,
    SignAgreement,
    TakeNoteOfRisk,
)
from application.decisions import REPLACED_BY, county_loan
from application.ledger import Ledger, Looks, carries_out
from domain.benefit import Agreement, BenefitDue
from domain.household import Household, HouseholdUnknown
from domain.kernel import Author, Note
from domain.loan import Loan
from domain.money import divide_half_up
from domain.risk import RiskReport
from domain.risk_fund import RiskFund


def _its_household(command: Any, by: Author) -> Looks:
    return ((Household.id_for(command.household_no), Household),)


def _its_risk(command: Any, by: Author) -> Looks:
    return ((RiskReport.id_for(command.risk_no), RiskReport),)


def _its_loan(command: Any, by: Author) -> Looks:
    return ((Loan.id_for(command.bank, command.loan_no), Loan),)


def _loan_and_fund(command: Any, by: Author) -> Looks:
    return (*_its_loan(command, by), (RiskFund.the_id(), RiskFund))


def _the_risk_fund(command: Any, by: Author) -> Looks:
    return ((RiskFund.the_id(), RiskFund),)


def _its_agreement(command: Any, by: Author) -> Looks:
    return ((Agreement.id_for(command.agreement_no), Agreement),)


@carries_out(RateCredit, "bank", "township", looks_at=_its_household)
def rate_credit(
    ledger: Ledger, command: RateCredit, note: Note, replaces: int | None = None
) -> None:
    household = ledger.household(command.household_no)
    if note.by.role == "township" and household.township != note.by.organisation:
        raise HouseholdUnknown(household_no=command.household_no)
    household.rate_credit(
        note,
        rater=note.by.organisation,
        grade=command.grade,
        score=command.score,
        replaces=replaces,
    )


REPLACED_BY[Household.CreditRated.TOPIC] = (RateCredit, rate_credit)
_ALL = ("bank", "township", "centre", "bureau", "finance", "guarantor", "auditor")


@carries_out(ReportRisk, *_ALL, looks_at=_its_risk)
def report_risk(ledger: Ledger, command: ReportRisk, note: Note) -> None:
    ledger.aggregate(RiskReport, RiskReport.id_for(command.risk_no)).report(
        note,
        risk_no=command.risk_no,
        household_no=command.household_no,
        bank=command.bank,
        loan_no=command.loan_no,
        reason=command.reason,
    )


@carries_out(TakeNoteOfRisk, "bank", "township", "centre", "bureau", "finance", looks_at=_its_risk)
def take_note_of_risk(ledger: Ledger, command: TakeNoteOfRisk, note: Note) -> None:
    risk = ledger.aggregate(RiskReport, RiskReport.id_for(command.risk_no))
    risk.take_note(note, risk_no=command.risk_no, measure=command.measure)


@carries_out(GuaranteeLoan, "guarantor", looks_at=_its_loan)
def guarantee_loan(
    ledger: Ledger, command: GuaranteeLoan, note: Note, replaces: int | None = None
) -> None:
    """A guarantee is a fact, also one with a fee: that it should have none is judged elsewhere."""
    county_loan(ledger, command.bank, command.loan_no).guarantee(
        note,
        guarantor=note.by.organisation,
        amount_fen=command.amount_fen,
        fee_fen=command.fee_fen,
        replaces=replaces,
    )


REPLACED_BY[Loan.Guaranteed.TOPIC] = (GuaranteeLoan, guarantee_loan)


@carries_out(PayIntoRiskFund, "finance", looks_at=_the_risk_fund)
def pay_into_risk_fund(ledger: Ledger, command: PayIntoRiskFund, note: Note) -> None:
    ledger.aggregate(RiskFund, RiskFund.the_id()).pay_in(
        note, payer=command.payer, amount_fen=command.amount_fen, voucher=command.voucher
    )


@carries_out(Compensate, "finance", looks_at=_loan_and_fund)
def compensate(ledger: Ledger, command: Compensate, note: Note) -> None:
    """The fund bears its share of what is owed on an overdue loan; the bank bears the rest."""
    loan = county_loan(ledger, command.bank, command.loan_no)
    share_bp = ledger.book.ruling("risk_fund_share", command.effective_on, ledger.today()).number
    amount_fen = divide_half_up(command.loss_fen * share_bp, 10_000)
    loan.compensate(
        note, loss_fen=command.loss_fen, share_bp=share_bp, amount_fen=amount_fen,
        voucher=command.voucher,
    )  # fmt: skip
    ledger.aggregate(RiskFund, RiskFund.the_id()).compensate(
        note,
        bank=loan.bank,
        loan_no=loan.loan_no,
        amount_fen=amount_fen,
        voucher=command.voucher,
    )


@carries_out(RecoverCompensation, "finance", looks_at=_loan_and_fund)
def recover_compensation(ledger: Ledger, command: RecoverCompensation, note: Note) -> None:
    loan = county_loan(ledger, command.bank, command.loan_no)
    loan.recover_compensation(note, amount_fen=command.amount_fen, voucher=command.voucher)
    ledger.aggregate(RiskFund, RiskFund.the_id()).recover(
        note,
        bank=loan.bank,
        loan_no=loan.loan_no,
        amount_fen=command.amount_fen,
        voucher=command.voucher,
    )


@carries_out(SignAgreement, "township", looks_at=_its_agreement)
def sign_agreement(ledger: Ledger, command: SignAgreement, note: Note) -> None:
    """Each instalment is owed to each household; all are of the township that tells it."""
    for number in command.households:
        household = ledger.household(number)
        if not household.exists or household.township != note.by.organisation:
            raise HouseholdUnknown("households", household_no=number)
    ledger.aggregate(Agreement, Agreement.id_for(command.agreement_no)).sign(
        note,
        agreement_no=command.agreement_no,
        enterprise=command.enterprise,
        township=note.by.organisation,
        instalments=[
            BenefitDue(number, each.due_on, each.kind, each.amount_fen)
            for number in dict.fromkeys(command.households)
            for each in command.instalments
        ],
    )


@carries_out(PayBenefit, "township", looks_at=_its_agreement)
def pay_benefit(ledger: Ledger, command: PayBenefit, note: Note) -> None:
    ledger.aggregate(Agreement, Agreement.id_for(command.agreement_no)).pay(
        note,
        agreement_no=command.agreement_no,
        household_no=command.household_no,
        kind=command.kind,
        amount_fen=command.amount_fen,
        voucher=command.voucher,
    )
