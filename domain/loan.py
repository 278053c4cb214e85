"""A loan (贷款): one per loan note (借据), from disbursement to settlement.

What the bank and the township report is recorded even when it breaks the programme's rules;
it is refused only when it contradicts itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from operator import itemgetter
from typing import Any, ClassVar, Literal, NamedTuple
from uuid import UUID

import msgspec

from domain.balance import Balance
from domain.batch import LimitUnknown, Line
from domain.kernel import (
    Aggregate,
    CommandContext,
    Event,
    NotCorrectable,
    Personal,
    Refused,
    Warned,
    identity,
    recorded_fields,
)
from domain.steps import assure_follows
from domain.subsidy import LoanTerms, Movement
from domain.subsidy_limit import OTHERS, Limit, ObjectionFinding, Others, most_fen

Finding = Literal["as_agreed", "diverted", "not_found"]
PayeeKind = Literal["household", "firm", "village", "bank", "platform", "merchant", "unknown"]
ReminderKind = Literal["first", "written", "overdue"]
Channel = Literal["phone", "sms", "visit", "written"]


class LoanUnknown(Refused):
    CODE, FIELD = "loan_unknown", "loan_no"
    ZH, EN = "没有这笔贷款：{loan_no}", "no such loan: {loan_no}"


class LoanAlreadyDisbursed(Refused):
    CODE, FIELD = "loan_already_disbursed", "loan_no"
    ZH, EN = "借据号 {loan_no} 已有放款记录", "loan note {loan_no} was disbursed before"


class DueBeforeDisbursement(Refused):
    CODE, FIELD = "due_before_disbursement", "due_on"
    ZH = "到期日 {due_on} 不在放款日 {disbursed_on} 之后"
    EN = "the due day {due_on} is not after the disbursement day {disbursed_on}"


class ContractAfterDisbursement(Refused):
    CODE, FIELD = "contract_after_disbursement", "contract_on"
    ZH = "合同日 {contract_on} 晚于放款日 {disbursed_on}"
    EN = "the contract day {contract_on} is after the disbursement day {disbursed_on}"


class BeforeDisbursement(Refused):
    CODE, FIELD = "before_disbursement", "effective_on"
    ZH = "日期 {effective_on} 早于放款日 {disbursed_on}"
    EN = "the day {effective_on} is before the disbursement day {disbursed_on}"


class RepaidTooMuch(Refused):
    CODE, FIELD = "repaid_too_much", "principal_fen"
    ZH = "还本 {principal_fen} 分，超过尚欠本金 {owed_fen} 分"
    EN = "principal of {principal_fen} fen repaid, but only {owed_fen} fen are owed"


class NothingRepaid(Refused):
    CODE, FIELD = "nothing_repaid", "principal_fen"
    ZH, EN = "本金、利息、罚息全为零", "principal, interest and penalty are all zero"


class DueDayNotLater(Refused):
    CODE, FIELD = "due_day_not_later", "new_due_on"
    ZH = "展期后的到期日 {new_due_on} 不晚于合同到期日 {due_on}"
    EN = "the extended due day {new_due_on} is not after that of the contract, {due_on}"


class RenewsItself(Refused):
    CODE, FIELD = "renews_itself", "renews_loan_no"
    ZH, EN = "贷款不能续自己", "a loan cannot renew itself"


class LoanStillHasEvents(Refused):
    CODE, FIELD = "loan_has_later_events", "replacement"
    ZH = "该贷款已有还款、展期、贴息或代偿记录，放款只能更正，不能整笔冲销"
    EN = (
        "repayments, extensions, subsidies or compensations stand on this loan: its disbursement"
        " needs a replacement"
    )


class SubsidyExceedsDue(Refused):
    CODE, FIELD = "subsidy_exceeds_due", "amount_fen"
    ZH = "申请贴息 {amount_fen} 分，应贴 {due_fen} 分，已贴 {paid_fen} 分，余 {left_fen} 分：{why}"
    EN = "{amount_fen} fen asked; due {due_fen}, already paid {paid_fen}, left {left_fen}: {why}"


class QuarterNotClosed(Refused):
    CODE, FIELD = "quarter_not_closed", "effective_on"
    ZH = "结息期 {period} 至 {until} 才结束，此前不能贴息"
    EN = "the settlement period {period} is not over before {until}: nothing can be paid yet"


class NotOverdue(Refused):
    CODE, FIELD = "not_overdue", "effective_on"
    ZH = "贷款 {due_on} 到期，尚未逾期，不能代偿"
    EN = "the loan is due on {due_on}: it is not overdue and cannot be compensated"


class CompensatedTooMuch(Refused):
    CODE, FIELD = "compensated_too_much", "loss_fen"
    ZH = "代偿损失 {loss_fen} 分，超过尚可代偿的 {left_fen} 分"
    EN = "a loss of {loss_fen} fen, but only {left_fen} fen can still be compensated"


class CompensationRecoveredTooMuch(Refused):
    CODE, FIELD = "compensation_recovered_too_much", "amount_fen"
    ZH = "追偿 {amount_fen} 分，超过已代偿未收回的 {left_fen} 分"
    EN = "{amount_fen} fen recovered, but only {left_fen} fen of the compensation are left"


class PaidByBatchOnly(Refused):
    CODE, FIELD = "paid_by_batch_only", "period"
    ZH = "{period} 的贴息只能按批次拨付"
    EN = "subsidies of {period} leave by batch alone"


class RecoveredTooMuch(Refused):
    CODE, FIELD = "recovered_too_much", "amount_fen"
    ZH = "追回 {amount_fen} 分，超过该笔贴息净额 {left_fen} 分"
    EN = "{amount_fen} fen recovered, but only {left_fen} fen of that payment are left"


class ReturnedTooMuch(Refused):
    CODE, FIELD = "returned_too_much", "corrections"
    ZH = "贴息 {payment_no} 共 {amount_fen} 分，已追回 {recovered_fen} 分，不能再整笔退票"
    EN = "{recovered_fen} of the {amount_fen} fen of {payment_no} were recovered: not all came back"


class PaymentUnknown(Refused):
    CODE, FIELD = "payment_unknown", "payment_no"
    ZH, EN = "没有这笔贴息：{payment_no}", "no such subsidy payment: {payment_no}"


class MisuseNotFound(Refused):
    CODE, FIELD = "misuse_not_found", "began_on"
    ZH = "检查结论不是挪用（diverted），不能注明挪用起始日"
    EN = "only a check that found the money diverted says since when"


class MisuseBeganElsewhen(Refused):
    CODE, FIELD = "misuse_began_elsewhen", "began_on"
    ZH = "挪用起始日 {began_on} 须在放款日 {disbursed_on} 至检查日 {checked_on} 之间"
    EN = (
        "{began_on} is before the disbursement on {disbursed_on} or after the check of {checked_on}"
    )


class Instalment(msgspec.Struct, frozen=True):
    due_on: date
    amount_fen: int


class Extension(NamedTuple):
    """An extension as the loan remembers it, in the order in which extensions supersede."""

    effective_on: date
    agreed_on: date
    new_due_on: date


class Paid(msgspec.Struct):
    """One subsidy payment as the loan remembers it: its day, its period and its fen."""

    version: int
    on: date
    period: str
    first: date
    until: date
    amount_fen: int
    voucher: str


class Loan(Aggregate):
    """State of one loan, drawn from its events alone."""

    KIND: ClassVar[str] = "loan"

    def __init__(self, id: UUID) -> None:
        super().__init__(id)
        self.bank = ""
        self.loan_no = ""
        self.household_id: UUID | None = None
        self.borrower = ""
        self.guarantors: dict[int, str] = {}
        self.disbursed_version = 0
        self.disbursed_on = date.min
        self.contract_on = date.min
        self.contract_due_on = date.min
        self.principal_fen = 0
        self.annual_rate_bp = 0
        self.payee = ""
        self.repaid: dict[int, tuple[date, int]] = {}
        self.repaid_fen = 0
        self.extended: dict[int, Extension] = {}
        self.diverted: dict[int, date] = {}
        self.settled: tuple[int, date] | None = None
        self.paid: dict[str, Paid] = {}
        self.recovered: dict[int, tuple[str, date, int]] = {}
        self.returned: dict[str, tuple[date, int]] = {}
        self.limits: dict[int, Limit] = {}
        self.renewed: dict[int, str] = {}
        self.lost_fen = 0
        self.compensated = Balance()
        self.compensated_on: date | None = None
        self.followed: dict[int, tuple[str, date]] = {}
        self.live: set[int] = set()

    @staticmethod
    def id_for(bank: str, loan_no: str) -> UUID:
        """A loan note's number is unique within its bank."""
        return identity("loan", bank, loan_no)

    @property
    def sealed_for(self) -> UUID | None:
        return self.household_id

    @property
    def exists(self) -> bool:
        return self.disbursed_version > 0

    @property
    def outstanding_fen(self) -> int:
        return self.principal_fen - self.repaid_fen

    def due_on_at(self, day: date) -> date:
        """The day on which the loan is due, as `day` sees it.

        The extension that took effect last, by the days that the extensions carry, whatever order
        they were reported in; without one the due day of the contract.
        """
        in_force = [each for each in self.extended.values() if each.effective_on <= day]
        return max(in_force).new_due_on if in_force else self.contract_due_on

    def terms(self, *, eligible: bool | None) -> LoanTerms:
        """What the subsidy arithmetic needs to know of this loan (domain.md §5)."""
        movements = [Movement(self.disbursed_on, self.principal_fen)]
        movements.extend(Movement(on, -fen) for on, fen in self.repaid.values() if fen)
        return LoanTerms(
            loan_id=f"{self.bank}/{self.loan_no}",
            disbursed_on=self.disbursed_on,
            contract_on=self.contract_on,
            due_on=self.contract_due_on,
            annual_rate_bp=self.annual_rate_bp,
            settled_on=self.settled[1] if self.settled else None,
            misuse_on=min(self.diverted.values(), default=None),
            movements=tuple(movements),
            eligible=eligible,
        )

    def paid_fen(self, first: date, until: date) -> int:
        """Subsidy paid and neither recovered nor returned for exactly the period [first, until)."""
        return sum(
            self.kept_fen(no) for no, p in self.paid.items() if (p.first, p.until) == (first, until)
        )

    def kept_fen(self, payment_no: str) -> int:
        """What is left of one payment: neither recovered nor returned."""
        _, returned_fen = self.returned.get(payment_no, (date.min, 0))
        gone_fen = self.recovered_fen(payment_no) + returned_fen
        return self.paid[payment_no].amount_fen - gone_fen

    def most_fen(self, first: date, *, but_of: str | None = None) -> int | None:
        """The most that upheld objections leave for the quarter from `first` on; None: no limit.

        `but_of`: a batch whose own objections took their lines with them before it was approved.
        """
        return most_fen((each for each in self.limits.values() if each.batch_no != but_of), first)

    def paid_at_most_fen(self, first: date, until: date, since: date) -> int:
        """The most of `paid_fen` that there is on the day `since` or on any later one."""
        left = Balance()
        of_period = {no for no, p in self.paid.items() if (p.first, p.until) == (first, until)}
        for payment_no in of_period:
            left.move(self.paid[payment_no].on, -self.paid[payment_no].amount_fen)
        came_back = [*self.recovered.values(), *((no, *back) for no, back in self.returned.items())]
        for payment_no, on, fen in came_back:
            if payment_no in of_period:
                left.move(on, fen)
        return -left.lowest(since).fen

    def recovered_fen(self, payment_no: str) -> int:
        return sum(fen for no, _, fen in self.recovered.values() if no == payment_no)

    # ---- events -----------------------------------------------------------------------

    class Disbursed(Event["Loan"], frozen=True, kw_only=True, omit_defaults=True):
        """The bank paid the loan out."""

        TOPIC, ZH = "loan.disbursed.v1", "放款"
        bank: str
        loan_no: str
        contract_no: str
        contract_on: date
        household_id: UUID
        household_no: str
        borrower: str
        borrower_age_years: int | None = None
        principal_fen: int
        credited_fen: int
        annual_rate_bp: int
        due_on: date
        purpose: str
        payee: str
        renews_loan_no: str | None = None

        def apply(self, loan: Loan) -> None:
            loan.bank, loan.loan_no = self.bank, self.loan_no
            loan.household_id = self.household_id
            loan.borrower = self.borrower
            loan.disbursed_version = loan.version
            loan.disbursed_on, loan.contract_on = self.effective_on, self.contract_on
            loan.contract_due_on = self.due_on
            loan.principal_fen = self.principal_fen
            loan.annual_rate_bp = self.annual_rate_bp
            loan.payee = self.payee
            loan.live.add(loan.version)

    class Repaid(Event["Loan"], frozen=True, kw_only=True, omit_defaults=True):
        """Money came back to the bank: principal, interest and penalty apart."""

        TOPIC, ZH = "loan.repaid.v1", "还款"
        principal_fen: int
        interest_fen: int
        penalty_fen: int
        payer: str

        def apply(self, loan: Loan) -> None:
            loan.repaid[loan.version] = (self.effective_on, self.principal_fen)
            loan.repaid_fen += self.principal_fen
            loan.live.add(loan.version)

    class Settled(Event["Loan"], frozen=True, kw_only=True, omit_defaults=True):
        """Nothing is owed any more. Follows from the repayment that brought it about."""

        TOPIC, ZH = "loan.settled.v1", "结清"
        CORRECTABLE = False

        def apply(self, loan: Loan) -> None:
            loan.settled = (loan.version, self.effective_on)

    class Renewed(Event["Loan"], frozen=True, kw_only=True, omit_defaults=True):
        """A new loan was declared to continue this one."""

        TOPIC, ZH = "loan.renewed.v1", "续贷"
        CORRECTABLE = False
        by_loan_no: str

        def apply(self, loan: Loan) -> None:
            loan.followed[loan.version] = (self.ZH, self.effective_on)
            loan.renewed[loan.version] = self.by_loan_no

    class OutflowObserved(Event["Loan"], frozen=True, kw_only=True, omit_defaults=True):
        """The bank saw where the borrower's money went; or, from `payer`, where it went on to."""

        TOPIC, ZH = "loan.outflow-observed.v1", "资金去向"
        amount_fen: int
        to: str
        kind: PayeeKind
        payer: str | None = None

        def apply(self, loan: Loan) -> None:
            loan.followed[loan.version] = (self.ZH, self.effective_on)
            loan.live.add(loan.version)

    class Extended(Event["Loan"], frozen=True, kw_only=True, omit_defaults=True):
        """Bank and borrower agreed on a later due day."""

        TOPIC, ZH = "loan.extended.v1", "展期"
        agreed_on: date
        new_due_on: date

        def apply(self, loan: Loan) -> None:
            loan.extended[loan.version] = Extension(
                self.effective_on, self.agreed_on, self.new_due_on
            )
            loan.live.add(loan.version)

    class Reminded(Event["Loan"], frozen=True, kw_only=True, omit_defaults=True):
        """The bank reminded the borrower that the loan falls due or is overdue."""

        TOPIC, ZH = "loan.reminded.v1", "到期提醒"
        kind: ReminderKind
        channel: Channel
        evidence: str | None = None

        def apply(self, loan: Loan) -> None:
            loan.followed[loan.version] = (self.ZH, self.effective_on)
            loan.live.add(loan.version)

    class UsageChecked(Event["Loan"], frozen=True, kw_only=True, omit_defaults=True):
        """The township looked at what the money was used for.

        `began_on`: the day on which misuse began, when a check that found it knows the day.
        """

        TOPIC, ZH = "loan.usage-checked.v1", "使用情况调查"
        finding: Finding
        actual_use: str
        borrower_met: bool
        with_bank: bool
        inspector: str
        began_on: date | None = None

        def apply(self, loan: Loan) -> None:
            loan.followed[loan.version] = (self.ZH, self.began_on or self.effective_on)
            loan.live.add(loan.version)
            if self.finding == "diverted":
                loan.diverted[loan.version] = self.began_on or self.effective_on

    class RepaymentPlanAgreed(Event["Loan"], frozen=True, kw_only=True, omit_defaults=True):
        """How an overdue loan will be brought back."""

        TOPIC, ZH = "loan.repayment-plan-agreed.v1", "还款计划"
        instalments: tuple[Instalment, ...]

        def apply(self, loan: Loan) -> None:
            loan.followed[loan.version] = (self.ZH, self.effective_on)
            loan.live.add(loan.version)

    class SubsidyPaid(Event["Loan"], frozen=True, kw_only=True, omit_defaults=True):
        """Subsidy left the treasury for this loan. `calculation` explains the fen."""

        TOPIC, ZH = "loan.subsidy-paid.v1", "贴息拨付"
        CORRECTABLE = False
        payment_no: str
        period: str
        first: date
        until: date
        amount_fen: int
        due_fen: int
        paid_before_fen: int
        payee: str
        voucher: str
        calculation: dict[str, Any]
        grounds: dict[str, Any]
        batch_id: UUID | None = None
        batch_no: str | None = None
        line: int | None = None

        def apply(self, loan: Loan) -> None:
            loan.followed[loan.version] = (self.ZH, self.effective_on)
            loan.paid[self.payment_no] = Paid(
                loan.version,
                self.effective_on,
                self.period,
                self.first,
                self.until,
                self.amount_fen,
                self.voucher,
            )

    class SubsidyRecovered(Event["Loan"], frozen=True, kw_only=True, omit_defaults=True):
        """Subsidy came back to the treasury."""

        TOPIC, ZH = "loan.subsidy-recovered.v1", "贴息追回"
        CORRECTABLE = False
        payment_no: str
        period: str
        amount_fen: int
        reason: str
        voucher: str

        def apply(self, loan: Loan) -> None:
            loan.recovered[loan.version] = (
                self.payment_no,
                self.effective_on,
                self.amount_fen,
            )

    class SubsidyReturned(Event["Loan"], frozen=True, kw_only=True, omit_defaults=True):
        """A payment did not reach its payee: its money came back (退票), unasked for."""

        TOPIC, ZH = "loan.subsidy-returned.v1", "贴息退票"
        CORRECTABLE = False
        OWN_VOUCHER = False  # that of the payment
        payment_no: str
        period: str
        amount_fen: int
        reason: str
        voucher: str
        batch_no: str
        line: int
        result_version: int

        def apply(self, loan: Loan) -> None:
            loan.returned[self.payment_no] = (self.effective_on, self.amount_fen)

    class SubsidyLimited(Event["Loan"], frozen=True, kw_only=True, omit_defaults=True):
        """An objection was upheld: no more than `most_fen` may be paid for its quarter (贴息限定).

        `others`: which further quarters of the loan are paid nothing: none, the later, or all.
        """

        TOPIC, ZH = "loan.subsidy-limited.v1", "贴息限定"
        CORRECTABLE = False
        batch_no: str
        line: int
        objection_no: str
        finding: ObjectionFinding
        period: str
        first: date
        until: date
        most_fen: int
        others: Others
        reason: str

        def apply(self, loan: Loan) -> None:
            loan.limits[loan.version] = Limit(
                self.batch_no, self.objection_no, self.first, self.until, self.most_fen, self.others
            )

    class SubsidyLimitLifted(Event["Loan"], frozen=True, kw_only=True, omit_defaults=True):
        """What an upheld objection left of the subsidy binds no more, for the reason told."""

        TOPIC, ZH = "loan.subsidy-limit-lifted.v1", "解除贴息限定"
        CORRECTABLE = False
        limit_version: int
        batch_no: str
        objection_no: str
        reason: str

        def apply(self, loan: Loan) -> None:
            loan.limits.pop(self.limit_version, None)

    class Guaranteed(Event["Loan"], frozen=True, kw_only=True, omit_defaults=True):
        """A guarantee company stands in for the loan; by the plan without a fee."""

        TOPIC, ZH = "loan.guaranteed.v1", "担保"
        guarantor: str
        amount_fen: int
        fee_fen: int

        def apply(self, loan: Loan) -> None:
            loan.followed[loan.version] = (self.ZH, self.effective_on)
            loan.guarantors[loan.version] = self.guarantor
            loan.live.add(loan.version)

    class Compensated(Event["Loan"], frozen=True, kw_only=True, omit_defaults=True):
        """The risk fund paid its share of what the bank lost. The borrower still owes it."""

        TOPIC, ZH = "loan.compensated.v1", "代偿"
        CORRECTABLE = False
        loss_fen: int
        share_bp: int
        amount_fen: int
        voucher: str

        def apply(self, loan: Loan) -> None:
            loan.followed[loan.version] = (self.ZH, self.effective_on)
            loan.lost_fen += self.loss_fen
            loan.compensated.move(self.effective_on, self.amount_fen)
            loan.compensated_on = min(loan.compensated_on or self.effective_on, self.effective_on)

    class CompensationRecovered(Event["Loan"], frozen=True, kw_only=True, omit_defaults=True):
        """Something of what the risk fund paid came back to it."""

        TOPIC, ZH = "loan.compensation-recovered.v1", "追偿"
        CORRECTABLE = False
        amount_fen: int
        voucher: str

        def apply(self, loan: Loan) -> None:
            loan.compensated.move(self.effective_on, -self.amount_fen)

    class Corrected(Event["Loan"], frozen=True, kw_only=True, omit_defaults=True):
        """An earlier event was a mistake: it counts no more from `recorded_at` on (冲正)."""

        TOPIC, ZH = "loan.corrected.v1", "冲正"
        CORRECTABLE = False
        corrects: int
        corrects_topic: str
        reason: str

        def apply(self, loan: Loan) -> None:
            version = self.corrects
            loan.live.discard(version)
            loan.followed.pop(version, None)
            loan.guarantors.pop(version, None)
            loan.extended.pop(version, None)
            loan.diverted.pop(version, None)
            loan.renewed.pop(version, None)
            _, fen = loan.repaid.pop(version, (None, 0))
            loan.repaid_fen -= fen
            if version == loan.disbursed_version:
                loan.disbursed_version = 0
                loan.principal_fen = 0
            if loan.settled and loan.settled[0] == version:
                loan.settled = None

    # ---- commands ---------------------------------------------------------------------

    def disburse(
        self,
        context: CommandContext,
        *,
        bank: str,
        loan_no: str,
        contract_no: str,
        contract_on: date,
        household_id: UUID,
        household_no: str,
        borrower: str,
        borrower_age_years: int | None,
        principal_fen: int,
        credited_fen: int,
        annual_rate_bp: int,
        due_on: date,
        purpose: str,
        payee: str,
        renews_loan_no: str | None,
        personal: Personal,
        replaces: int | None = None,
    ) -> None:
        """Record a disbursement, whatever rule of the programme it breaks.

        What others reported of the loan may lie before its corrected day: that is warned of.
        Raises LoanAlreadyDisbursed, DueBeforeDisbursement, ContractAfterDisbursement,
        RenewsItself, RepaidTooMuch (when a correction lends less than was repaid),
        BeforeDisbursement (when a correction moves the loan behind a repayment or an extension),
        DueDayNotLater (when it moves the due day behind that of an extension).
        """
        if self.exists:
            raise LoanAlreadyDisbursed(loan_no=loan_no)
        if due_on <= context.effective_on:
            raise DueBeforeDisbursement(due_on=due_on, disbursed_on=context.effective_on)
        if contract_on > context.effective_on:
            raise ContractAfterDisbursement(
                contract_on=contract_on, disbursed_on=context.effective_on
            )
        if renews_loan_no == loan_no:
            raise RenewsItself
        if self.repaid_fen > principal_fen:
            raise RepaidTooMuch(principal_fen=self.repaid_fen, owed_fen=principal_fen)
        followed_on = [on for on, _ in self.repaid.values()]
        followed_on += [each.agreed_on for each in self.extended.values()]
        first_on = min(followed_on, default=context.effective_on)
        if first_on < context.effective_on:
            raise BeforeDisbursement(effective_on=first_on, disbursed_on=context.effective_on)
        extended_to = min((each.new_due_on for each in self.extended.values()), default=date.max)
        if extended_to <= due_on:
            raise DueDayNotLater("due_on", new_due_on=extended_to, due_on=due_on)
        self.record(
            Loan.Disbursed(
                **recorded_fields(context),
                bank=bank,
                loan_no=loan_no,
                contract_no=contract_no,
                contract_on=contract_on,
                household_id=household_id,
                household_no=household_no,
                borrower=borrower,
                borrower_age_years=borrower_age_years,
                principal_fen=principal_fen,
                credited_fen=credited_fen,
                annual_rate_bp=annual_rate_bp,
                due_on=due_on,
                purpose=purpose,
                payee=payee,
                renews_loan_no=renews_loan_no,
                replaces=replaces,
            ),
            personal,
        )
        self._settle_or_reopen(context)
        self._warn_of_what_lies_before(replaces)

    def repay(
        self,
        context: CommandContext,
        *,
        principal_fen: int,
        interest_fen: int,
        penalty_fen: int,
        payer: str,
        personal: Personal,
        replaces: int | None = None,
    ) -> None:
        """Record one repayment; the one that brings the debt to nothing settles the loan.

        Raises NothingRepaid, BeforeDisbursement, RepaidTooMuch.
        """
        if not (principal_fen or interest_fen or penalty_fen):
            raise NothingRepaid
        self._not_before_disbursement(context)
        if principal_fen > self.outstanding_fen:
            raise RepaidTooMuch(principal_fen=principal_fen, owed_fen=self.outstanding_fen)
        self.record(
            Loan.Repaid(
                effective_on=context.effective_on,
                role=context.by.role,
                person=context.by.person,
                document=context.document,
                remark=context.remark,
                principal_fen=principal_fen,
                interest_fen=interest_fen,
                penalty_fen=penalty_fen,
                payer=payer,
                replaces=replaces,
            ),
            personal,
        )
        if principal_fen:
            self._settle_or_reopen(context)
            self._warn_of_extension_when_settled(
                [each.effective_on for each in self.extended.values()]
            )

    def observe_outflow(
        self,
        context: CommandContext,
        *,
        amount_fen: int,
        to: str,
        kind: PayeeKind,
        payer: str | None,
        personal: Personal,
        replaces: int | None = None,
    ) -> None:
        """Record where borrowed money went. Raises BeforeDisbursement."""
        self._not_before_disbursement(context)
        self.record(
            Loan.OutflowObserved(
                **recorded_fields(context),
                amount_fen=amount_fen,
                to=to,
                kind=kind,
                payer=payer,
                replaces=replaces,
            ),
            personal,
        )

    def extend(
        self,
        context: CommandContext,
        *,
        agreed_on: date,
        new_due_on: date,
        replaces: int | None = None,
    ) -> None:
        """Record an extension; which of several is in force, their own days say.

        Raises BeforeDisbursement, StepBefore, DueDayNotLater.
        """
        self._not_before_disbursement(context)
        self._after_disbursement("agreed_on", agreed_on)
        assure_follows(context.effective_on, "the agreement on the extension", agreed_on)
        if new_due_on <= self.contract_due_on:
            raise DueDayNotLater(new_due_on=new_due_on, due_on=self.contract_due_on)
        self.record(
            Loan.Extended(
                **recorded_fields(context),
                agreed_on=agreed_on,
                new_due_on=new_due_on,
                replaces=replaces,
            )
        )
        self._warn_of_extension_when_settled([context.effective_on])
        self._warn_of_compensation_when_not_due("effective_on")

    def renew(self, context: CommandContext, *, by_loan_no: str) -> None:
        """Record that another loan continues this one. Raises BeforeDisbursement."""
        self._not_before_disbursement(context)
        self.record(Loan.Renewed(**recorded_fields(context), by_loan_no=by_loan_no))

    def no_longer_renewed(self, context: CommandContext, *, by_loan_no: str, reason: str) -> None:
        """Unlink a renewal whose disbursement is being corrected."""
        for version, number in list(self.renewed.items()):
            if number == by_loan_no:
                self._void(context, version, Loan.Renewed.TOPIC, reason)

    def remind(
        self,
        context: CommandContext,
        *,
        kind: ReminderKind,
        channel: Channel,
        evidence: str | None,
        replaces: int | None = None,
    ) -> None:
        """Record a reminder. Raises BeforeDisbursement."""
        self._not_before_disbursement(context)
        self.record(
            Loan.Reminded(
                **recorded_fields(context),
                kind=kind,
                channel=channel,
                evidence=evidence,
                replaces=replaces,
            )
        )

    def check_usage(
        self,
        context: CommandContext,
        *,
        finding: Finding,
        actual_use: str,
        borrower_met: bool,
        with_bank: bool,
        inspector: str,
        began_on: date | None = None,
        replaces: int | None = None,
    ) -> None:
        """Record what an inspection found, and since when money was misused, if it is known.

        Raises BeforeDisbursement, MisuseNotFound, MisuseBeganElsewhen.
        """
        self._not_before_disbursement(context)
        if began_on is not None and finding != "diverted":
            raise MisuseNotFound
        if began_on is not None and not self.disbursed_on <= began_on <= context.effective_on:
            raise MisuseBeganElsewhen(
                began_on=began_on, disbursed_on=self.disbursed_on, checked_on=context.effective_on
            )
        self.record(
            Loan.UsageChecked(
                **recorded_fields(context),
                finding=finding,
                actual_use=actual_use,
                borrower_met=borrower_met,
                with_bank=with_bank,
                inspector=inspector,
                began_on=began_on,
                replaces=replaces,
            )
        )

    def agree_repayment_plan(
        self,
        context: CommandContext,
        *,
        instalments: tuple[Instalment, ...],
        replaces: int | None = None,
    ) -> None:
        """Record a repayment plan. Raises BeforeDisbursement."""
        self._not_before_disbursement(context)
        for place, instalment in enumerate(instalments):
            self._after_disbursement(f"instalments/{place}/due_on", instalment.due_on)
        self.record(
            Loan.RepaymentPlanAgreed(
                **recorded_fields(context), instalments=instalments, replaces=replaces
            )
        )

    def pay_subsidy(
        self,
        context: CommandContext,
        *,
        payment_no: str,
        period: str,
        first: date,
        until: date,
        amount_fen: int,
        due_fen: int,
        payee: str,
        voucher: str,
        calculation: dict[str, Any],
        grounds: dict[str, Any],
        why: str,
        personal: Personal,
    ) -> None:
        """Pay subsidy for [first, until): never before it is over, never more than is due.

        Nor on any later day: what was recovered later is not there to be paid again before.
        Raises QuarterNotClosed, SubsidyExceedsDue.
        """
        if context.effective_on < until:
            raise QuarterNotClosed(period=period, until=until)
        paid_fen = self.paid_at_most_fen(first, until, context.effective_on)
        limit_fen = self.most_fen(first)
        left_fen = (due_fen if limit_fen is None else min(due_fen, limit_fen)) - paid_fen
        if amount_fen > left_fen:
            raise SubsidyExceedsDue(
                amount_fen=amount_fen,
                due_fen=due_fen,
                paid_fen=paid_fen,
                left_fen=left_fen,
                why=why,
            )
        self.record(
            Loan.SubsidyPaid(
                **recorded_fields(context),
                payment_no=payment_no,
                period=period,
                first=first,
                until=until,
                amount_fen=amount_fen,
                due_fen=due_fen,
                paid_before_fen=paid_fen,
                payee=payee,
                voucher=voucher,
                calculation=calculation,
                grounds=grounds,
            ),
            personal,
        )

    def receive_subsidy(
        self,
        context: CommandContext,
        *,
        line: Line,
        payment_no: str,
        batch_id: UUID,
        batch_no: str,
        payee: str,
        voucher: str,
        grounds: dict[str, Any],
    ) -> None:
        """Record that a batch's line was paid. The bank's word is a fact: it is not judged here."""
        self.record(
            Loan.SubsidyPaid(
                **recorded_fields(context),
                payment_no=payment_no,
                period=line.period,
                first=line.first,
                until=line.until,
                amount_fen=line.amount_fen,
                due_fen=line.due_fen,
                paid_before_fen=line.paid_before_fen,
                payee=payee,
                voucher=voucher,
                calculation=line.calculation,
                grounds=grounds,
                batch_id=batch_id,
                batch_no=batch_no,
                line=line.line,
            )
        )

    def recover_subsidy(
        self,
        context: CommandContext,
        *,
        payment_no: str,
        amount_fen: int,
        reason: str,
        voucher: str,
    ) -> None:
        """Take subsidy back. Raises PaymentUnknown, StepBefore, RecoveredTooMuch."""
        paid = self.paid.get(payment_no)
        if paid is None:
            raise PaymentUnknown(payment_no=payment_no)
        assure_follows(context.effective_on, "the payment", paid.on)
        left_fen = self.kept_fen(payment_no)
        if amount_fen > left_fen:
            raise RecoveredTooMuch(amount_fen=amount_fen, left_fen=left_fen)
        self.record(
            Loan.SubsidyRecovered(
                **recorded_fields(context),
                payment_no=payment_no,
                period=paid.period,
                amount_fen=amount_fen,
                reason=reason,
                voucher=voucher,
            )
        )

    def limit_subsidy(
        self,
        context: CommandContext,
        *,
        line: Line,
        batch_no: str,
        objection_no: str,
        finding: ObjectionFinding,
        amount_fen: int | None,
        reason: str,
    ) -> None:
        """Let an upheld objection to a batch's line last.

        `amount_fen`: what is right for its quarter; not given, what had been paid before stands,
        unless the loan was never eligible.
        """
        rest_fen = 0 if finding == "not_eligible" else line.paid_before_fen
        self.record(
            Loan.SubsidyLimited(
                **recorded_fields(context),
                batch_no=batch_no,
                line=line.line,
                objection_no=objection_no,
                finding=finding,
                period=line.period,
                first=line.first,
                until=line.until,
                most_fen=rest_fen if amount_fen is None else amount_fen,
                others=OTHERS[finding],
                reason=reason,
            )
        )

    def lift_limit(
        self, context: CommandContext, *, batch_no: str, objection_no: str, reason: str
    ) -> None:
        """Let it bind no more. Raises LimitUnknown."""
        named = (batch_no, objection_no)
        versions = [v for v, each in self.limits.items() if each[:2] == named]
        if not versions:
            raise LimitUnknown(objection_no=objection_no)
        self.record(
            Loan.SubsidyLimitLifted(
                **recorded_fields(context),
                limit_version=versions[0],
                batch_no=batch_no,
                objection_no=objection_no,
                reason=reason,
            )
        )

    def take_back_payment(
        self,
        context: CommandContext,
        *,
        payment_no: str,
        line: Line,
        batch_no: str,
        version: int,
        reason: str,
    ) -> None:
        """Record that a batch's payment came back whole; `version`: the batch's event that says so.

        Raises PaymentUnknown, ReturnedTooMuch when some of it was recovered.
        """
        paid = self.paid.get(payment_no)
        if paid is None:
            raise PaymentUnknown(payment_no=payment_no)
        recovered_fen = self.recovered_fen(payment_no)
        if recovered_fen:
            raise ReturnedTooMuch(
                payment_no=payment_no, amount_fen=paid.amount_fen, recovered_fen=recovered_fen
            )
        self.record(
            Loan.SubsidyReturned(
                **recorded_fields(context),
                payment_no=payment_no,
                period=paid.period,
                amount_fen=paid.amount_fen,
                reason=reason,
                voucher=paid.voucher,
                batch_no=batch_no,
                line=line.line,
                result_version=version,
            )
        )

    def guarantee(
        self,
        context: CommandContext,
        *,
        guarantor: str,
        amount_fen: int,
        fee_fen: int,
        replaces: int | None = None,
    ) -> None:
        """Record a guarantee, whatever its fee. Raises BeforeDisbursement."""
        self._not_before_disbursement(context)
        self.record(
            Loan.Guaranteed(
                **recorded_fields(context),
                guarantor=guarantor,
                amount_fen=amount_fen,
                fee_fen=fee_fen,
                replaces=replaces,
            )
        )

    def compensate(
        self,
        context: CommandContext,
        *,
        loss_fen: int,
        share_bp: int,
        amount_fen: int,
        voucher: str,
    ) -> None:
        """Compensate part of what is owed. Raises NotOverdue, CompensatedTooMuch."""
        due_on = self.due_on_at(context.effective_on)
        if context.effective_on < due_on or not self.outstanding_fen:
            raise NotOverdue(due_on=due_on)
        left_fen = max(self.outstanding_fen - self.lost_fen, 0)  # repaid since, of the lost too
        if loss_fen > left_fen:
            raise CompensatedTooMuch(loss_fen=loss_fen, left_fen=left_fen)
        self.record(
            Loan.Compensated(
                **recorded_fields(context),
                loss_fen=loss_fen,
                share_bp=share_bp,
                amount_fen=amount_fen,
                voucher=voucher,
            )
        )

    def recover_compensation(
        self, context: CommandContext, *, amount_fen: int, voucher: str
    ) -> None:
        """Record what came back to the fund. Raises StepBefore, CompensationRecoveredTooMuch."""
        if self.compensated_on is not None:
            assure_follows(context.effective_on, "the compensation", self.compensated_on)
        left_fen = self.compensated.lowest(context.effective_on).fen
        if amount_fen > left_fen:
            raise CompensationRecoveredTooMuch(amount_fen=amount_fen, left_fen=left_fen)
        self.record(
            Loan.CompensationRecovered(
                **recorded_fields(context), amount_fen=amount_fen, voucher=voucher
            )
        )

    def correct(self, context: CommandContext, *, version: int, topic: str, reason: str) -> None:
        """Take an earlier event back; a replacement, if any, is told right after it.

        Raises NotCorrectable.
        """
        if version not in self.live:
            raise NotCorrectable
        self._void(context, version, topic, reason)
        self._settle_or_reopen(context)

    def correct_without_replacement(
        self, context: CommandContext, *, version: int, topic: str, reason: str
    ) -> None:
        """As `correct`, for good; what others reported of the loan stays, and is warned of.

        Raises NotCorrectable, LoanStillHasEvents.
        """
        followed = self.repaid or self.paid or self.extended or self.lost_fen
        whole_loan = version == self.disbursed_version
        if whole_loan and followed:
            raise LoanStillHasEvents
        self.correct(context, version=version, topic=topic, reason=reason)
        if whole_loan:
            for what, on in sorted(self.followed.values(), key=itemgetter(1)):
                self.warn(
                    Warned(
                        "disbursement_reversed",
                        f"放款已冲销，而{what} {on} 仍在，请核对",
                        f"the disbursement is reversed, but {on} ({what}) still stands",
                        "event_id",
                    )
                )

    def _void(self, context: CommandContext, version: int, topic: str, reason: str) -> None:
        self.record(
            Loan.Corrected(
                **recorded_fields(context), corrects=version, corrects_topic=topic, reason=reason
            )
        )

    def _settle_or_reopen(self, context: CommandContext) -> None:
        """Keep the settlement in step with the debt: one live Settled, or none."""
        owed = self.exists and self.outstanding_fen > 0
        if not self.exists or owed:
            settled_on = None
        else:
            settled_on = max((on for on, fen in self.repaid.values() if fen), default=None)
        if self.settled and self.settled[1] != settled_on:
            self._void(context, self.settled[0], Loan.Settled.TOPIC, "balance changed 余额变动")
        if self.settled is None and settled_on is not None:
            self.record(
                Loan.Settled(
                    effective_on=settled_on, role=context.by.role, person=context.by.person
                )
            )

    def _warn_of_what_lies_before(self, replaces: int | None) -> None:
        """Warn of each fact that the loan's corrected day of disbursement left before it."""
        field = "effective_on" if replaces is None else "replacement/effective_on"
        for what, on in sorted(self.followed.values(), key=itemgetter(1)):
            if on < self.disbursed_on:
                self.warn(
                    Warned(
                        "before_disbursement",
                        f"{what} {on} 早于放款日 {self.disbursed_on}，请核对",
                        f"{on} ({what}) is before the disbursement on {self.disbursed_on}",
                        field,
                    )
                )
        self._warn_of_compensation_when_not_due(field)

    def _warn_of_extension_when_settled(self, days: Iterable[date]) -> None:
        if self.settled and any(day >= self.settled[1] for day in days):
            self.warn(
                Warned(
                    "loan_settled",
                    f"该贷款已于 {self.settled[1]} 结清，展期请核对",
                    f"the loan was settled on {self.settled[1]}: check the extension",
                    "effective_on",
                )
            )

    def _warn_of_compensation_when_not_due(self, field: str) -> None:
        if self.compensated_on is None:
            return
        due_on = self.due_on_at(self.compensated_on)
        if self.compensated_on < due_on:
            self.warn(
                Warned(
                    "not_overdue",
                    f"代偿 {self.compensated_on} 早于到期日 {due_on}，当日并未逾期，请核对",
                    f"compensated on {self.compensated_on}, before the due day {due_on}",
                    field,
                )
            )

    def _not_before_disbursement(self, context: CommandContext) -> None:
        if not self.exists:
            raise LoanUnknown(loan_no=self.loan_no)
        self._after_disbursement("effective_on", context.effective_on)

    def _after_disbursement(self, field: str, on: date) -> None:
        if on < self.disbursed_on:
            raise BeforeDisbursement(field, effective_on=on, disbursed_on=self.disbursed_on)
