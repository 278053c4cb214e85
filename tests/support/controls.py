"""One ordinary example of every command; a test names only what is different."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from application.command import Command
from application.commands.account import UnifyAccounts
from application.commands.bank_report import ReportScale
from application.commands.batch import (
    ApproveBatch,
    LiftLimit,
    PostNotice,
    ProposeBatch,
    RaiseObjection,
    ResolveObjection,
    ReturnBatch,
    VerifyBatch,
)
from application.commands.benefit import PayBenefit, SignAgreement
from application.commands.case import (
    AskExplanation,
    AssignCase,
    CloseCase,
    DismissCase,
    GiveExplanation,
    JoinCase,
    LinkRecovery,
    NoteOnCase,
    OpenCase,
    ProposeDecision,
    RectifyCase,
    ReopenCase,
    UpholdCase,
)
from application.commands.correction import CorrectEvent
from application.commands.fund import AllocateFund, TransferFund
from application.commands.household import (
    ChangeMembers,
    ChangeStatus,
    DecideCredit,
    EraseHousehold,
    LookAtHousehold,
    RateCredit,
    RecommendDemand,
    RegisterHousehold,
)
from application.commands.loan import (
    AgreeRepaymentPlan,
    CheckUsage,
    DisburseLoan,
    ExtendLoan,
    GuaranteeLoan,
    ObserveOutflow,
    RemindBorrower,
    RepayLoan,
)
from application.commands.programme import SetRulings, TellPlan
from application.commands.publication import PublishReport
from application.commands.risk import ReportRisk, TakeNoteOfRisk
from application.commands.risk_fund import Compensate, PayIntoRiskFund, RecoverCompensation
from application.commands.subsidy import PaySubsidy, RecoverSubsidy
from domain.batch import Line, Run
from domain.calendar import civil_day
from domain.case import Finding, Found, LoanOfCase
from domain.kernel import Author
from domain.loan import Loan
from domain.publication import Edition

BUREAU = Author("bureau", "BUREAU", "li")
BANK = Author("bank", "NRCB", "wang")
OTHER_BANK = Author("bank", "PSBC", "zhou")
TOWNSHIP = Author("township", "T01", "sun")
OTHER_TOWNSHIP = Author("township", "T02", "qian")
FINANCE = Author("finance", "FINANCE", "zhao")
SECOND_FINANCE = Author("finance", "FINANCE", "tian")
THIRD_FINANCE = Author("finance", "FINANCE", "jin")
CENTRE = Author("centre", "CENTRE", "qin")
GUARANTOR = Author("guarantor", "DB", "dong")
AUDITOR = Author("auditor", "AUDIT", "bao")
INVESTIGATOR = Author("auditor", "AUDIT", "cai")
ADMIN = Author("admin", "ADMIN", "root")

ID_NO = "11010519491231002X"
OTHER_ID_NO = "440524188001010014"
PAYER = {"account": "6222000000000001", "name": "张三"}


def id_no(n: int) -> str:
    """The nth of many identity numbers with a right check digit."""
    plain = f"4113811980{n % 12 + 1:02}{n // 12 % 28 + 1:02}{n:03}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return plain + "10X98765432"[sum(int(d) * w for d, w in zip(plain, weights, strict=True)) % 11]


def household(**other: Any) -> RegisterHousehold:
    return RegisterHousehold.model_validate(
        {
            "ref": "HH-1",
            "effective_on": "2020-01-01",
            "household_no": "H1",
            "township_code": "T01",
            "village": "青石村",
            "category": "out_of_poverty",
            "members": [{"name": "张三", "id_no": ID_NO, "relation": "户主", "head": True}],
            **other,
        }
    )


def status(**other: Any) -> ChangeStatus:
    return ChangeStatus.model_validate(
        {
            "ref": "ST-1",
            "effective_on": "2023-06-01",
            "household_no": "H1",
            "category": "none",
            "reason": "收入稳定",
            **other,
        }
    )


def members(**other: Any) -> ChangeMembers:
    return ChangeMembers.model_validate(
        {
            "ref": "MB-1",
            "effective_on": "2023-06-01",
            "household_no": "H1",
            "added": [{"name": "李四", "id_no": OTHER_ID_NO, "relation": "配偶"}],
            **other,
        }
    )


def demand(**other: Any) -> RecommendDemand:
    return RecommendDemand.model_validate(
        {
            "ref": "DM-1",
            "effective_on": "2023-02-01",
            "household_no": "H1",
            "amount_fen": 5_000_000,
            "purpose": "养牛",
            **other,
        }
    )


def credit(**other: Any) -> DecideCredit:
    return DecideCredit.model_validate(
        {
            "ref": "CR-1",
            "effective_on": "2023-03-01",
            "household_no": "H1",
            "amount_fen": 5_000_000,
            "purpose": "养牛",
            "decision": "granted",
            **other,
        }
    )


def erasure(**other: Any) -> EraseHousehold:
    return EraseHousehold.model_validate(
        {
            "ref": "ER-1",
            "effective_on": "2025-03-01",
            "household_no": "H1",
            "ground": {"document": "本人申请2025-3"},
            "reason": "本人申请删除",
            **other,
        }
    )


def unification(**other: Any) -> UnifyAccounts:
    same = {"written": f"account-{'0' * 24}", "normal": f"account-{'1' * 24}"}
    told = {"ref": "GY-1", "effective_on": "2024-06-01", "accounts": [same]}
    return UnifyAccounts.model_validate({**told, **other})


def look(**other: Any) -> LookAtHousehold:
    return LookAtHousehold.model_validate(
        {
            "ref": "LK-1",
            "effective_on": civil_day(datetime.now(UTC)),
            "household_no": "H1",
            "reason": "核对付款账户",
            **other,
        }
    )


def loan(**other: Any) -> DisburseLoan:
    return DisburseLoan.model_validate(
        {
            "ref": "LN-1",
            "effective_on": "2023-03-10",
            "loan_no": "L1",
            "contract_no": "C1",
            "contract_on": "2023-03-10",
            "household_no": "H1",
            "borrower_id_no": ID_NO,
            "principal_fen": 5_000_000,
            "credited_fen": 5_000_000,
            "annual_rate_bp": 365,
            "due_on": "2024-03-10",
            "purpose": "养牛",
            "payee": PAYER,
            **other,
        }
    )


def repay(**other: Any) -> RepayLoan:
    return RepayLoan.model_validate(
        {
            "ref": "RP-1",
            "effective_on": "2023-08-01",
            "loan_no": "L1",
            "principal_fen": 2_000_000,
            "interest_fen": 10_000,
            "penalty_fen": 0,
            "payer": PAYER,
            **other,
        }
    )


def outflow(**other: Any) -> ObserveOutflow:
    return ObserveOutflow.model_validate(
        {
            "ref": "OF-1",
            "effective_on": "2023-03-12",
            "loan_no": "L1",
            "amount_fen": 3_000_000,
            "to": {"account": "6222000000009999", "name": "某牛场", "kind": "firm"},
            **other,
        }
    )


def extend(**other: Any) -> ExtendLoan:
    return ExtendLoan.model_validate(
        {
            "ref": "EX-1",
            "effective_on": "2024-02-20",
            "loan_no": "L1",
            "agreed_on": "2024-02-20",
            "new_due_on": "2024-09-10",
            **other,
        }
    )


def remind(**other: Any) -> RemindBorrower:
    return RemindBorrower.model_validate(
        {
            "ref": "RM-1",
            "effective_on": "2024-01-05",
            "loan_no": "L1",
            "kind": "first",
            "channel": "phone",
            **other,
        }
    )


def check(**other: Any) -> CheckUsage:
    return CheckUsage.model_validate(
        {
            "ref": "UC-1",
            "effective_on": "2023-06-08",
            "loan_no": "L1",
            "finding": "as_agreed",
            "actual_use": "养牛",
            "borrower_met": True,
            "with_bank": True,
            "inspector": "孙某",
            **other,
        }
    )


def plan(**other: Any) -> AgreeRepaymentPlan:
    return AgreeRepaymentPlan.model_validate(
        {
            "ref": "PL-1",
            "effective_on": "2024-03-20",
            "loan_no": "L1",
            "instalments": [{"due_on": "2024-06-30", "amount_fen": 3_000_000}],
            **other,
        }
    )


def report(**other: Any) -> ReportScale:
    return ReportScale.model_validate(
        {
            "ref": "BR-1",
            "effective_on": "2023-04-01",
            "period": "2023-03",
            "loans": 1,
            "households": 1,
            "balance_fen": 5_000_000,
            "disbursed_fen": 5_000_000,
            **other,
        }
    )


def pay(**other: Any) -> PaySubsidy:
    return PaySubsidy.model_validate(
        {
            "ref": "PAY-1",
            "effective_on": "2023-06-25",
            "loan_no": "L1",
            "period": "2023Q2",
            "amount_fen": 46_639,
            "payee": PAYER,
            "voucher": "V-1",
            **other,
        }
    )


def recover(**other: Any) -> RecoverSubsidy:
    return RecoverSubsidy.model_validate(
        {
            "ref": "REC-1",
            "effective_on": "2023-09-25",
            "loan_no": "L1",
            "payment_no": "PAY-1",
            "amount_fen": 1_000,
            "reason": "多贴",
            "voucher": "V-2",
            **other,
        }
    )


def ruling(**other: Any) -> SetRulings:
    return SetRulings.model_validate(
        {
            "ref": "RL-1",
            "effective_on": "2025-01-01",
            "ground": {"document": "邓财预〔2025〕3号"},
            "rulings": [{"rule": "budget_fen", "value": 5_000_000}],
            **other,
        }
    )


def programme_plan(**other: Any) -> TellPlan:
    return TellPlan.model_validate(
        {
            "ref": "PN-1",
            "effective_on": "2024-01-01",
            "ground": {"document": "邓金扶〔2024〕1号"},
            "rulings": [
                {"rule": "budget_fen", "value": 4_000_000},
                {"rule": "notice_levels", "words": ["village", "county"]},
            ],
            "plan_no": "FA-2024",
            "title": "2024年小额信贷贴息项目实施方案",
            **other,
        }
    )


def allocate(**other: Any) -> AllocateFund:
    return AllocateFund.model_validate(
        {
            "ref": "XD-1",
            "effective_on": "2023-09-01",
            "year": 2023,
            "amount_fen": 100_000_000,
            "voucher": "XD-1",
            **other,
        }
    )


def transfer(**other: Any) -> TransferFund:
    return TransferFund.model_validate(
        {
            "ref": "BF-1",
            "effective_on": "2023-09-02",
            "year": 2023,
            "payer": "国库",
            "payee": "贴息专户",
            "amount_fen": 100_000_000,
            "purpose": "贴息资金",
            "voucher": "BF-1",
            **other,
        }
    )


def batch_of(run: Run, **other: Any) -> ProposeBatch:
    return ProposeBatch.model_validate(
        {
            "ref": "PC-1",
            "effective_on": "2023-12-22",
            "batch_no": "PC-1",
            "period": "2023Q4",
            **other,
        }
    ).listing(run)


def batch_line(line: int, amount_fen: int, **other: Any) -> Line:
    """A line of loan L1 for 2023Q4, worked out by nobody."""
    told: dict[str, Any] = {
        "line": line,
        "loan_id": Loan.id_for("NRCB", "L1"),
        "bank": "NRCB",
        "loan_no": "L1",
        "household_no": "H1",
        "township": "T01",
        "village": "青石村",
        "category": "out_of_poverty",
        "period": "2023Q4",
        "first": date(2023, 9, 21),
        "until": date(2023, 12, 21),
        "kind": "subsidy",
        "due_fen": amount_fen,
        "paid_before_fen": 0,
        "amount_fen": amount_fen,
        "calculation": {"amount_fen": amount_fen, "rulings": {}},
        **other,
    }
    return Line(**told)


def step(kind: type[Command], its_ref: str, on: str = "2024-01-02", **told: Any) -> Command:
    """One of the statements about batch PC-1."""
    return kind.model_validate({"ref": its_ref, "effective_on": on, "batch_no": "PC-1", **told})


def publication(edition: Edition, **other: Any) -> PublishReport:
    return PublishReport.model_validate(
        {
            "ref": "GB-1",
            "effective_on": "2024-01-10",
            "publication_no": "YB-2023-12",
            "report": "townships",
            "as_of": "2023-12-31",
            **other,
        }
    ).of(edition)


def rating(**other: Any) -> RateCredit:
    told = {"ref": "PJ-1", "effective_on": "2023-02-20", "household_no": "H1", "grade": "AA"}
    return RateCredit.model_validate({**told, "score": 880, **other})


def risk(**other: Any) -> ReportRisk:
    told = {"ref": "FX-1", "effective_on": "2023-07-01", "risk_no": "FX-1", "reason": "牛场停产"}
    named = {"household_no": "H1", "bank": "NRCB", "loan_no": "L1"}
    return ReportRisk.model_validate({**told, **named, **other})


def risk_note(**other: Any) -> TakeNoteOfRisk:
    told = {"ref": "FXJ-1", "effective_on": "2023-07-05", "risk_no": "FX-1"}
    return TakeNoteOfRisk.model_validate({**told, "measure": "现场核查", **other})


def guarantee(**other: Any) -> GuaranteeLoan:
    told = {"ref": "DB-1", "effective_on": "2023-03-10", "loan_no": "L1", "bank": "NRCB"}
    amounts = {"amount_fen": 5_000_000, "fee_fen": 0}
    return GuaranteeLoan.model_validate({**told, **amounts, **other})


def risk_fund_payment(**other: Any) -> PayIntoRiskFund:
    told = {"ref": "FB-1", "effective_on": "2023-01-10", "payer": "国库", "voucher": "FB-1"}
    return PayIntoRiskFund.model_validate({**told, "amount_fen": 100_000_000, **other})


def compensation(**other: Any) -> Compensate:
    told = {"ref": "DC-1", "effective_on": "2025-07-01", "loan_no": "R1", "bank": "NRCB"}
    return Compensate.model_validate({**told, "loss_fen": 999, "voucher": "DC-1", **other})


def compensation_recovery(**other: Any) -> RecoverCompensation:
    told = {"ref": "ZC-1", "effective_on": "2025-08-01", "loan_no": "R1", "bank": "NRCB"}
    return RecoverCompensation.model_validate(
        {**told, "amount_fen": 100, "voucher": "ZC-1", **other}
    )


def agreement(**other: Any) -> SignAgreement:
    return SignAgreement.model_validate(
        {
            "ref": "LJ-1",
            "effective_on": "2023-04-01",
            "agreement_no": "LJ-1",
            "enterprise": "某牛业公司",
            "households": ["H1"],
            "instalments": [
                {"due_on": "2023-12-31", "kind": "dividend", "amount_fen": 100_000},
                {"due_on": "2024-12-31", "kind": "supplement", "amount_fen": 50_000},
            ],
            **other,
        }
    )


def benefit_payment(**other: Any) -> PayBenefit:
    told = {"ref": "FH-1", "effective_on": "2024-01-05", "agreement_no": "LJ-1"}
    paid = {"household_no": "H1", "kind": "dividend", "amount_fen": 80_000, "voucher": "FH-1"}
    return PayBenefit.model_validate({**told, **paid, **other})


def verification(**other: Any) -> Command:
    return step(VerifyBatch, "HS-1", **other)


def notice(**other: Any) -> Command:
    told = {"level": "village", "place": "公示栏", "until_on": "2024-01-20", **other}
    return step(PostNotice, "GS-1", **told)


def objection(**other: Any) -> Command:
    return step(RaiseObjection, "YY-1", **{"reason": "该户未实际用款", **other})


def resolution(**other: Any) -> Command:
    told = {"objection_no": "YY-1", "upheld": True, "reason": "核查属实", **other}
    return step(ResolveObjection, "CL-1", **told)


def lifting(**other: Any) -> Command:
    told = {"objection_no": "YY-1", "reason": "复核意见", "ground": {"document": "D"}, **other}
    return step(LiftLimit, "JC-1", **told)


def approval(**other: Any) -> Command:
    return step(ApproveBatch, "PZ-1", **other)


def return_of_batch(**other: Any) -> Command:
    return step(ReturnBatch, "TH-1", **{"reason": "附件不全", **other})


def found_of(*loan_nos: str, rule: str = "RF08", subject: str = "account-1") -> Found:
    """What a rule might have found about loans of NRCB."""
    ids = tuple(Loan.id_for("NRCB", loan_no) for loan_no in loan_nos)
    finding = Finding(
        rule=rule,
        rule_version="0123456789ab",
        subject=subject,
        amount_fen=4_000_000 * len(ids),
        positions=(1, 2),
        loans=ids,
        as_of=date(2024, 5, 1),
        known_at="2024-05-01T00:00:00+00:00",
        seen_position=2,
        known_from="2024-04-01T00:00:00+00:00",
    )
    loans = tuple(
        LoanOfCase(loan_id=id, bank="NRCB", loan_no=no, household_no="H1", township="T01")
        for id, no in zip(ids, loan_nos, strict=True)
    )
    return Found((finding,), loans)


def case_of(found: Found, **other: Any) -> OpenCase:
    told = {"ref": "XS-1", "effective_on": "2024-05-06", "case_no": "XS-1", "title": "贷款归集"}
    return OpenCase.model_validate({**told, **other}).seeing(found)


def joining(found: Found, **other: Any) -> JoinCase:
    told = {"ref": "BR-1", "effective_on": "2024-05-07", "case_no": "XS-1"}
    return JoinCase.model_validate({**told, **other}).seeing(found)


def case_step(kind: type[Command], its_ref: str, **told: Any) -> Any:
    """One of the statements about case XS-1."""
    named = {"ref": its_ref, "effective_on": "2024-05-07", "case_no": "XS-1"}
    return kind.model_validate(named | told)


def assignment(**other: Any) -> AssignCase:
    return case_step(AssignCase, "JB-1", **{"investigator": "cai", **other})


def explanation_request(**other: Any) -> AskExplanation:
    told = {"organisation": "NRCB", "what": "资金为何归集", "until_on": "2024-05-20"}
    return case_step(AskExplanation, "YQ-1", **told | other)


def explanation(**other: Any) -> GiveExplanation:
    told = {"request_no": "YQ-1", "explanation": "借款人自行转账"}
    return case_step(GiveExplanation, "SM-1", **told | other)


def case_note(**other: Any) -> NoteOnCase:
    return case_step(NoteOnCase, "JL-1", **{"words": "已走访三户", **other})


def proposal(**other: Any) -> ProposeDecision:
    return case_step(ProposeDecision, "JY-1", **{"upheld": True, "reason": "归集属实", **other})


def upholding(**other: Any) -> UpholdCase:
    return case_step(UpholdCase, "RD-1", **{"reason": "归集属实", "amount_fen": 1_000, **other})


def dismissal(**other: Any) -> DismissCase:
    return case_step(DismissCase, "BS-1", **{"reason": "系商户收款", **other})


def rectification(**other: Any) -> RectifyCase:
    told = {"what": "停止贴息", "ground": {"document": "整改通知〔2024〕7号"}}
    return case_step(RectifyCase, "ZG-1", **told | other)


def case_recovery(event_id: str, **other: Any) -> LinkRecovery:
    return case_step(LinkRecovery, "ZH-1", **{"event_id": event_id, **other})


def closing(**other: Any) -> CloseCase:
    return case_step(CloseCase, "BJ-1", **{"reason": "已追回并整改", **other})


def reopening(**other: Any) -> ReopenCase:
    return case_step(ReopenCase, "CX-1", **{"reason": "发现新情况", **other})


def correct(event_id: str, **other: Any) -> CorrectEvent:
    return CorrectEvent.model_validate(
        {
            "ref": "FIX-1",
            "effective_on": "2023-10-01",
            "event_id": event_id,
            "reason": "录入错误",
            **other,
        }
    )


def body(command: Command, *without: str) -> dict[str, Any]:
    """A command's content as its body has it: for a replacement, or for a route."""
    plain = command.model_dump(mode="json", exclude_none=True)
    return {name: value for name, value in plain.items() if name not in {"ref", *without}}
