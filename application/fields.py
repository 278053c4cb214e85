"""The commands: what an organisation may tell the ledger, exactly as the contract names it.

Amounts are strict whole fen and rates strict basis points: `"50000.00"` is refused, not read
as 50 000 fen. Unknown fields are refused. Days are civil days (Asia/Shanghai).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    StringConstraints,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError

from domain.batch import Level
from domain.benefit import BenefitKind
from domain.household import Category, Leaving
from domain.identity_number import problems
from domain.loan import Channel, Finding, PayeeKind, ReminderKind
from domain.numbers import normal_number
from domain.subsidy_limit import ObjectionFinding
from domain.text import fault_of_name, fault_of_number, fault_of_text

NUMBER = r"^[^\x00-\x20\x7f-\x9f/]([^\x00-\x1f\x7f-\x9f/]{0,62}[^\x00-\x20\x7f-\x9f/])?$"
"""A number that can stand in a path: no slash, no control characters, no space at its ends."""
EVENT_ID = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.[0-9]{1,9}$"
MOST_FEN = 10**15
NO_CONTROL_CHARACTERS = r"^[^\x00-\x1f\x7f-\x9f]*$"
_MOST_LEVELS = 8
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FIRST_DAY = date(1990, 1, 1)


def _plain_day(value: Any) -> Any:
    """Only `YYYY-MM-DD`: pydantic alone would also read numbers as seconds since 1970."""
    if isinstance(value, str):
        try:
            day = date.fromisoformat(value) if _DAY.fullmatch(value) else None
        except ValueError:
            raise PydanticCustomError("no_such_day", "there is no such day") from None
        if day is None:
            raise PydanticCustomError("date_form", "a day is written YYYY-MM-DD")
        return day
    if type(value) is not date:
        raise PydanticCustomError("date_form", "a day is written YYYY-MM-DD")
    return value


def _plausible_day(day: date) -> date:
    if day < _FIRST_DAY:
        raise PydanticCustomError("date_too_early", "a day before 1990-01-01")
    return day


def _in_reach(moment: datetime) -> datetime:
    """An instant that every part of the service can hold."""
    if not 1900 <= moment.year <= 9000:
        raise PydanticCustomError("out_of_reach", "an instant out of reach")
    return moment


def _identity_number(value: str) -> str:
    number = normal_number(value) if value.isascii() else value
    found = problems(number)
    if found:
        raise PydanticCustomError(found[0], "not a valid identity number")
    return number


def _judged_by(fault_of: Callable[[str], str | None]) -> Callable[[str], str]:
    def judged(value: str) -> str:
        fault = fault_of(value)
        if fault is not None:
            raise PydanticCustomError(fault, "characters that are not allowed")
        return value

    return judged


def _new_number(value: str, info: ValidationInfo) -> str:
    """A number as it may be called from now on; one that stands already stays as it is.

    `info.context`: the numbers that stand already, in a correction.
    """
    return value if value in (info.context or ()) else _judged_number(value)


_judged_number = _judged_by(fault_of_number)

Day = Annotated[date, BeforeValidator(_plain_day), AfterValidator(_plausible_day)]
Instant = Annotated[AwareDatetime, AfterValidator(_in_reach)]
Fen = Annotated[int, Field(strict=True, ge=0, le=MOST_FEN)]
PositiveFen = Annotated[int, Field(strict=True, gt=0, le=MOST_FEN)]
RateBp = Annotated[int, Field(strict=True, ge=0, le=100_000)]
Count = Annotated[int, Field(strict=True, ge=0, le=10**9)]
Flag = Annotated[bool, Field(strict=True)]
Name = Annotated[
    str,
    StringConstraints(strict=True, strip_whitespace=True, min_length=1, max_length=64),
    AfterValidator(_judged_by(fault_of_name)),
]
Known = Annotated[
    str,
    StringConstraints(
        strict=True,
        strip_whitespace=True,
        min_length=1,
        max_length=64,
        pattern=NO_CONTROL_CHARACTERS,
    ),
]
"""What something recorded before is called: it is looked up, not judged."""
Reference = Annotated[
    str,
    StringConstraints(strict=True, strip_whitespace=True, min_length=1, max_length=64),
    AfterValidator(_new_number),
]
"""What a statement or a document is called by whoever made it."""
Number = Annotated[
    str, StringConstraints(strict=True, strip_whitespace=True, max_length=64, pattern=NUMBER)
]
"""The number of a thing recorded before; it can stand in a path."""
NewNumber = Annotated[Number, AfterValidator(_new_number)]
"""The number of a thing where it is first recorded."""
Text = Annotated[
    str,
    StringConstraints(strict=True, strip_whitespace=True, min_length=1, max_length=500),
    AfterValidator(_judged_by(fault_of_text)),
]
Why = Annotated[
    str,
    StringConstraints(strict=True, strip_whitespace=True, min_length=4, max_length=500),
    AfterValidator(_judged_by(fault_of_text)),
]
"""A reason long enough to say something."""
AccountNo = Annotated[
    str,
    StringConstraints(
        strict=True,
        strip_whitespace=True,
        max_length=60,
        pattern=r"^[ -]*([0-9A-Za-z][ -]*){4,40}$",
    ),
]
"""An account number as the reporter writes it: 4 to 40 digits and letters, and blanks and hyphens.

Which account it is: `domain.numbers.normal_number`."""
IdentityNo = Annotated[
    str,
    StringConstraints(strict=True, strip_whitespace=True, max_length=36),
    AfterValidator(_identity_number),
]
Month = Annotated[str, StringConstraints(strict=True, pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$")]
Quarter = Annotated[str, StringConstraints(strict=True, pattern=r"^20[0-9]{2}Q[1-4]$")]
Year = Annotated[int, Field(strict=True, ge=2014, le=2100)]
LineNo = Annotated[int, Field(strict=True, ge=1, le=100_000)]
Report = Literal["townships", "indicators", "banks", "annual", "funds"]
EventId = Annotated[str, StringConstraints(strict=True, pattern=EVENT_ID)]


def _plain_json(value: dict[str, Any]) -> dict[str, Any]:
    """Only what JSON can say: no NaN, no infinity, no half characters, no bottomless nesting."""
    if _deeper_than(_MOST_LEVELS, value):
        raise PydanticCustomError("nested_too_deep", "nested too deep", {"most": _MOST_LEVELS})
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except ValueError:
        raise PydanticCustomError("not_plain_json", "not plain JSON") from None
    return value


def _deeper_than(levels: int, value: Any) -> bool:
    """Whether lists and objects stand inside each other more than so many levels."""
    layer = [value]
    for _ in range(levels):
        layer = [
            inner
            for outer in layer
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return any(isinstance(each, dict | list) for each in layer)


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Ground(Model):
    """On what a statement rests: a document's number, a remark."""

    document: Text | None = None
    note: Text | None = None


class Account(Model):
    account: AccountNo
    name: Name


class OutflowAccount(Account):
    kind: PayeeKind


class MemberBody(Model):
    name: Name
    id_no: IdentityNo
    relation: Name
    head: Flag = False


class LeftBody(Model):
    """Who left: `code` is what rules go by, `reason` what the register says in words."""

    id_no: IdentityNo
    reason: Name
    code: Leaving | None = None


class InstalmentBody(Model):
    due_on: Day
    amount_fen: PositiveFen


class Told(Model):
    """What every statement carries: the reporter's own reference, and the day it concerns."""

    ref: Reference
    effective_on: Day
    ground: Ground | None = None


class Command(Told):
    """One thing an organisation tells the ledger. TYPE is its name in a batch of lines."""

    TYPE: ClassVar[str]
    MAY_LIE_AHEAD: ClassVar[bool] = False
    """Whether its day may be after today: a document rules from a later day."""

    def content(self) -> bytes:
        """The command's content in one canonical form: equal for equal content, for ever."""
        plain = self.model_dump(exclude_none=True, exclude_defaults=True)
        plain["type"] = self.TYPE
        return _canonical(plain)


_canonical = msgspec.json.Encoder(order="sorted").encode


class HouseholdBody(Told):
    household_no: NewNumber
    township_code: Name
    village: Name
    category: Category
    members: Annotated[list[MemberBody], Field(min_length=1, max_length=30)]


class RegisterHousehold(HouseholdBody, Command):
    TYPE: ClassVar[str] = "household"


class StatusBody(Told):
    category: Category
    reason: Text


class ChangeStatus(StatusBody, Command):
    TYPE: ClassVar[str] = "status"
    household_no: Number


class MembersBody(Told):
    added: Annotated[list[MemberBody], Field(max_length=30)] = []
    left: Annotated[list[LeftBody], Field(max_length=30)] = []


class ChangeMembers(MembersBody, Command):
    TYPE: ClassVar[str] = "members"
    household_no: Number


class DemandBody(Told):
    amount_fen: PositiveFen
    purpose: Text


class RecommendDemand(DemandBody, Command):
    TYPE: ClassVar[str] = "demand"
    household_no: Number


class CreditBody(Told):
    amount_fen: PositiveFen | None = None
    purpose: Text
    decision: Literal["granted", "refused"]
    reason: Text | None = None
    told_on: Day | None = None


class DecideCredit(CreditBody, Command):
    TYPE: ClassVar[str] = "credit"
    household_no: Number


class ErasureBody(Told):
    ground: Ground
    reason: Text


class EraseHousehold(ErasureBody, Command):
    TYPE: ClassVar[str] = "erasure"
    household_no: Number


class LookBody(Told):
    reason: Why


class LookAtHousehold(LookBody, Command):
    """Not for batches: it is answered by what was looked at."""

    TYPE: ClassVar[str] = "look"
    household_no: Number


class SameAccountItem(Model):
    written: Name
    normal: Name


class UnifyAccounts(Command):
    """Not for batches and on no route: the service itself finds what it records."""

    TYPE: ClassVar[str] = "account_unification"
    accounts: list[SameAccountItem]


class LoanBody(Told):
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


class DisburseLoan(LoanBody, Command):
    TYPE: ClassVar[str] = "loan"


class RepaymentBody(Told):
    principal_fen: Fen
    interest_fen: Fen
    penalty_fen: Fen
    payer: Account


class RepayLoan(RepaymentBody, Command):
    TYPE: ClassVar[str] = "repayment"
    loan_no: Number


class OutflowBody(Told):
    """`payer`: whose account the money left, where it is no longer the borrower's own."""

    amount_fen: PositiveFen
    to: OutflowAccount
    payer: Account | None = None


class ObserveOutflow(OutflowBody, Command):
    TYPE: ClassVar[str] = "outflow"
    loan_no: Number


class ExtensionBody(Told):
    agreed_on: Day
    new_due_on: Day


class ExtendLoan(ExtensionBody, Command):
    TYPE: ClassVar[str] = "extension"
    loan_no: Number


class ReminderBody(Told):
    kind: ReminderKind
    channel: Channel
    evidence: Text | None = None


class RemindBorrower(ReminderBody, Command):
    TYPE: ClassVar[str] = "reminder"
    loan_no: Number


class UsageCheckBody(Told):
    finding: Finding
    actual_use: Text
    borrower_met: Flag
    with_bank: Flag
    inspector: Name
    began_on: Day | None = None
    bank: Name | None = None


class CheckUsage(UsageCheckBody, Command):
    TYPE: ClassVar[str] = "usage-check"
    loan_no: Number


class RepaymentPlanBody(Told):
    instalments: Annotated[list[InstalmentBody], Field(min_length=1, max_length=60)]
    bank: Name | None = None


class AgreeRepaymentPlan(RepaymentPlanBody, Command):
    TYPE: ClassVar[str] = "repayment-plan"
    loan_no: Number


class BankReportBody(Told):
    period: Month
    loans: Count
    households: Count
    balance_fen: Fen
    disbursed_fen: Fen


class ReportScale(BankReportBody, Command):
    TYPE: ClassVar[str] = "bank-report"


class SubsidyPaymentBody(Told):
    """`ref` is the payment's number: the one under which it can be traced for ever."""

    period: Quarter
    amount_fen: PositiveFen
    payee: Account
    voucher: Reference
    bank: Name | None = None


class PaySubsidy(SubsidyPaymentBody, Command):
    TYPE: ClassVar[str] = "subsidy-payment"
    loan_no: Number


class SubsidyRecoveryBody(Told):
    payment_no: Known
    amount_fen: PositiveFen
    reason: Text
    voucher: Reference
    bank: Name | None = None


class RecoverSubsidy(SubsidyRecoveryBody, Command):
    TYPE: ClassVar[str] = "subsidy-recovery"
    loan_no: Number


class RulingItem(Model):
    """A rule's name and what it is: `value`, a whole number; `numbers`; or `words`, codes."""

    rule: Name
    value: Fen | None = None
    numbers: Annotated[list[Count], Field(min_length=1, max_length=12)] | None = None
    words: Annotated[list[Name], Field(min_length=1, max_length=40)] | None = None


class RulingBody(Told):
    """`effective_on`: from which day it rules, a past or a later one perhaps."""

    ground: Ground
    rulings: Annotated[list[RulingItem], Field(min_length=1, max_length=40)]


class SetRulings(RulingBody, Command):
    TYPE: ClassVar[str] = "ruling"
    MAY_LIE_AHEAD: ClassVar[bool] = True


class PlanBody(RulingBody):
    """The first with its `plan_no` is the adoption, a later one the adjustment."""

    plan_no: NewNumber
    title: Text
    until_on: Day | None = None


class TellPlan(PlanBody, Command):
    TYPE: ClassVar[str] = "plan"
    MAY_LIE_AHEAD: ClassVar[bool] = True


class BatchBody(Told):
    """What is listed, the service works out; `estimate`: for a quarter that is not over."""

    batch_no: Annotated[NewNumber, Field(max_length=40)]
    period: Quarter
    bank: Number | None = None
    township: Number | None = None
    estimate: Flag = False


class ProposeBatch(BatchBody, Command):
    """Not for batches of lines: the settlement run that it rests on comes from the service."""

    TYPE: ClassVar[str] = "batch"
    run: Any = Field(default=None, exclude=True)
    """A `domain.batch.Run`; no part of what was told."""


class StepBody(Told):
    """A step of a batch that needs nothing but a name under it."""


class VerifyBatch(StepBody, Command):
    TYPE: ClassVar[str] = "batch-verification"
    batch_no: Number


class ApproveBatch(StepBody, Command):
    TYPE: ClassVar[str] = "batch-approval"
    batch_no: Number


class NoticeBody(Told):
    """Posted on `effective_on`; `until_on` is the last day it stands."""

    level: Level
    place: Text
    until_on: Day


class PostNotice(NoticeBody, Command):
    TYPE: ClassVar[str] = "notice"
    batch_no: Number


class ObjectionBody(Told):
    """`ref` is the objection's number; `line` is left out when the whole batch is meant."""

    line: LineNo | None = None
    reason: Why


class RaiseObjection(ObjectionBody, Command):
    TYPE: ClassVar[str] = "objection"
    batch_no: Number


class ResolutionBody(Told):
    """`finding`: what was upheld, which lasts; `amount_fen`: what is right for that quarter."""

    objection_no: Known
    upheld: Flag
    reason: Why
    finding: ObjectionFinding | None = None
    amount_fen: Fen | None = None


class ResolveObjection(ResolutionBody, Command):
    TYPE: ClassVar[str] = "objection-resolution"
    batch_no: Number


class LiftingBody(Told):
    """What an upheld objection left binds no more; a document is the ground."""

    objection_no: Known
    reason: Why


class LiftLimit(LiftingBody, Command):
    TYPE: ClassVar[str] = "limit-lifting"
    batch_no: Number


class ReturnBody(Told):
    reason: Why


class ReturnBatch(ReturnBody, Command):
    TYPE: ClassVar[str] = "batch-return"
    batch_no: Number


class OrderBody(Told):
    bank: Number


class OrderPayment(OrderBody, Command):
    TYPE: ClassVar[str] = "payment-order"
    batch_no: Number


Returned = Annotated[
    str,
    StringConstraints(
        strict=True, strip_whitespace=True, max_length=128, pattern=NO_CONTROL_CHARACTERS
    ),
]
"""A value of the payment order as it came back; empty where the order itself is."""


class OrderedValues(Model):
    """What the payment order says of a line; each value given must equal the order's."""

    loan_no: Returned | None = None
    household_no: Returned | None = None
    period: Returned | None = None
    payee_name: Returned | None = None
    payee_account: Returned | None = None
    amount_fen: Fen | None = None


class ResultItem(OrderedValues):
    """What became of one line: paid under the bank's own number, or not and why."""

    line: LineNo
    paid: Flag
    voucher: Reference | None = None
    reason: Text | None = None


class ResultBody(Told):
    results: Annotated[list[ResultItem], Field(min_length=1, max_length=30_000), FailFast()]


class TellResult(ResultBody, Command):
    TYPE: ClassVar[str] = "payment-result"
    batch_no: Number


class ResultCorrectionItem(OrderedValues):
    """What became of one line in truth: paid after all, or not: what was paid came back (退票)."""

    line: LineNo
    paid: Flag
    voucher: Name | None = None
    reason: Text


class ResultCorrectionBody(Told):
    """`effective_on`: the day from which it is so; the bank's document is its ground."""

    corrections: Annotated[list[ResultCorrectionItem], Field(min_length=1, max_length=30_000)]


class CorrectResult(ResultCorrectionBody, Command):
    TYPE: ClassVar[str] = "payment-result-correction"
    batch_no: Number


class AllocationBody(Told):
    year: Year
    amount_fen: PositiveFen
    voucher: Reference


class AllocateFund(AllocationBody, Command):
    TYPE: ClassVar[str] = "fund-allocation"


class TransferBody(Told):
    """Cash from one account to another; both are offices' or banks' own, never a person's."""

    year: Year
    payer: Name
    payee: Name
    amount_fen: PositiveFen
    purpose: Text
    voucher: Reference


class TransferFund(TransferBody, Command):
    TYPE: ClassVar[str] = "fund-transfer"


class RatingBody(Told):
    grade: Name
    score: Annotated[int, Field(strict=True, ge=0, le=1_000)] | None = None


class RateCredit(RatingBody, Command):
    TYPE: ClassVar[str] = "rating"
    household_no: Number


class RiskBody(Told):
    """Of a household, of a loan (with its bank), or at large; `reason` names nobody."""

    risk_no: NewNumber
    household_no: Number | None = None
    bank: Number | None = None
    loan_no: Number | None = None
    reason: Why


class ReportRisk(RiskBody, Command):
    TYPE: ClassVar[str] = "risk"


class RiskNoteBody(Told):
    measure: Why


class TakeNoteOfRisk(RiskNoteBody, Command):
    TYPE: ClassVar[str] = "risk-note"
    risk_no: Number


class GuaranteeBody(Told):
    bank: Number
    amount_fen: PositiveFen
    fee_fen: Fen


class GuaranteeLoan(GuaranteeBody, Command):
    TYPE: ClassVar[str] = "guarantee"
    loan_no: Number


class RiskFundPaymentBody(Told):
    payer: Name
    amount_fen: PositiveFen
    voucher: Reference


class PayIntoRiskFund(RiskFundPaymentBody, Command):
    TYPE: ClassVar[str] = "risk-fund-payment"


class CompensationBody(Told):
    """`loss_fen`: what the bank lost on the loan; the fund bears its share of it."""

    bank: Number
    loss_fen: PositiveFen
    voucher: Reference


class Compensate(CompensationBody, Command):
    TYPE: ClassVar[str] = "compensation"
    loan_no: Number


class CompensationRecoveryBody(Told):
    bank: Number
    amount_fen: PositiveFen
    voucher: Reference


class RecoverCompensation(CompensationRecoveryBody, Command):
    TYPE: ClassVar[str] = "compensation-recovery"
    loan_no: Number


class BenefitInstalment(Model):
    due_on: Day
    kind: BenefitKind
    amount_fen: PositiveFen


class AgreementBody(Told):
    """Each instalment is owed to each of the households."""

    agreement_no: NewNumber
    enterprise: Name
    households: Annotated[list[Number], Field(min_length=1, max_length=500)]
    instalments: Annotated[list[BenefitInstalment], Field(min_length=1, max_length=40)]


class SignAgreement(AgreementBody, Command):
    TYPE: ClassVar[str] = "benefit"


class BenefitPaymentBody(Told):
    household_no: Number
    kind: BenefitKind
    amount_fen: PositiveFen
    voucher: Reference


class PayBenefit(BenefitPaymentBody, Command):
    TYPE: ClassVar[str] = "benefit-payment"
    agreement_no: Number


class PublicationBody(Told):
    """Of which day a report is, and on what knowledge; the service makes its bytes."""

    publication_no: NewNumber
    report: Report
    as_of: Day
    known_at: Instant | None = None


class PublishReport(PublicationBody, Command):
    """Not for batches of lines: what is published comes from the service."""

    TYPE: ClassVar[str] = "publication"
    edition: Any = Field(default=None, exclude=True)
    """A `domain.publication.Edition`; no part of what was told."""


class CorrectionBody(Told):
    """`replacement` is a body as it was first told, or nothing: then the event falls away."""

    reason: Text
    replacement: Annotated[dict[str, Any], AfterValidator(_plain_json)] | None = None


class CorrectEvent(CorrectionBody, Command):
    TYPE: ClassVar[str] = "correction"
    event_id: EventId


COMMANDS: dict[str, type[Command]] = {
    command.TYPE: command
    for command in (
        RegisterHousehold,
        ChangeStatus,
        ChangeMembers,
        RecommendDemand,
        DecideCredit,
        EraseHousehold,
        DisburseLoan,
        RepayLoan,
        ObserveOutflow,
        ExtendLoan,
        RemindBorrower,
        CheckUsage,
        AgreeRepaymentPlan,
        ReportScale,
        PaySubsidy,
        RecoverSubsidy,
        SetRulings,
        TellPlan,
        VerifyBatch,
        ApproveBatch,
        PostNotice,
        RaiseObjection,
        ResolveObjection,
        LiftLimit,
        ReturnBatch,
        OrderPayment,
        TellResult,
        CorrectResult,
        AllocateFund,
        TransferFund,
        RateCredit,
        ReportRisk,
        TakeNoteOfRisk,
        GuaranteeLoan,
        PayIntoRiskFund,
        Compensate,
        RecoverCompensation,
        SignAgreement,
        PayBenefit,
        CorrectEvent,
    )
}
