"""Every event there is, by the name under which it is stored. Names are permanent."""

from __future__ import annotations

from domain.account_register import AccountRegister
from domain.bank_report import BankReport
from domain.batch import Batch, BatchRegister
from domain.benefit import Agreement
from domain.case import Case
from domain.case_register import CaseRegister
from domain.fund import Fund
from domain.household import Household
from domain.kernel import Aggregate, Event
from domain.loan import Loan
from domain.programme import Programme
from domain.publication import Publication
from domain.risk import RiskReport
from domain.risk_fund import RiskFund

AGGREGATES: tuple[type[Aggregate], ...] = (
    Household, Loan, BankReport, Programme, Batch, BatchRegister, Fund, Publication, RiskReport,
    RiskFund, Agreement, Case, CaseRegister, AccountRegister,
)  # fmt: skip

EVENTS: dict[str, type[Event]] = {
    event.TOPIC: event
    for event in (
        Household.Registered,
        Household.StatusChanged,
        Household.MembersChanged,
        Household.DemandRecommended,
        Household.CreditGranted,
        Household.CreditRefused,
        Household.CreditRated,
        Household.Borrowed,
        Household.Erased,
        Household.LookedAt,
        Household.Corrected,
        Loan.Disbursed,
        Loan.Repaid,
        Loan.Settled,
        Loan.Renewed,
        Loan.OutflowObserved,
        Loan.Extended,
        Loan.Reminded,
        Loan.UsageChecked,
        Loan.RepaymentPlanAgreed,
        Loan.SubsidyPaid,
        Loan.SubsidyRecovered,
        Loan.SubsidyReturned,
        Loan.SubsidyLimited,
        Loan.SubsidyLimitLifted,
        Loan.Guaranteed,
        Loan.Compensated,
        Loan.CompensationRecovered,
        Loan.Corrected,
        BankReport.ScaleReported,
        BankReport.Corrected,
        Programme.PlanAdopted,
        Programme.PlanAdjusted,
        Programme.Ruled,
        Programme.Corrected,
        Batch.Estimated,
        Batch.Proposed,
        Batch.Listed,
        Batch.Verified,
        Batch.NoticePosted,
        Batch.ObjectionRaised,
        Batch.ObjectionResolved,
        Batch.Approved,
        Batch.Returned,
        Batch.Ordered,
        Batch.ResultTold,
        Batch.ResultCorrected,
        BatchRegister.Entered,
        Fund.Allocated,
        Fund.Transferred,
        Fund.Reserved,
        Fund.Released,
        Fund.Spent,
        Fund.SpentUnreserved,
        Fund.Returned,
        Fund.Corrected,
        Publication.Published,
        RiskReport.Reported,
        RiskReport.Noted,
        RiskFund.PaidIn,
        RiskFund.Compensated,
        RiskFund.Recovered,
        Agreement.Signed,
        Agreement.Paid,
        Case.Opened,
        Case.Joined,
        Case.Assigned,
        Case.ExplanationAsked,
        Case.ExplanationGiven,
        Case.Noted,
        Case.Proposed,
        Case.Upheld,
        Case.Dismissed,
        Case.Rectified,
        Case.RecoveryLinked,
        Case.Closed,
        Case.Reopened,
        CaseRegister.Entered,
        AccountRegister.Unified,
    )
}


def kind_of(topic: str) -> str:
    """The aggregate that a topic belongs to: `loan.repaid.v1` happened to a `loan`."""
    return topic.partition(".")[0]
