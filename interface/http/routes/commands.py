"""Routes that tell the ledger one thing each: the path names the aggregate, the body the rest.

They wait for the group commit, so an answer means that the event is on disk.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Request, Response

from application import case_commands as k
from application import commands as c
from application.ledger import Recorded, Telling
from interface.http.responses import instant
from interface.http.service import service_of
from interface.http.strict_json import StrictRoute, takes

router = APIRouter(prefix="/v1", route_class=StrictRoute)

_MOST_WARNINGS = 100
_encode = msgspec.json.Encoder().encode

# route, what stands in its path, body, command, summary; tried in this order
ROUTES: tuple[tuple[str, str | None, type[c.Told], type[c.Command], str], ...] = (
    ("/loans/{no}/repayments", "loan_no", c.RepaymentBody, c.RepayLoan, "还款 record a repayment"),
    ("/households", None, c.HouseholdBody, c.RegisterHousehold, "登记户 register a household"),
    (
        "/households/{no}/status",
        "household_no",
        c.StatusBody,
        c.ChangeStatus,
        "状态变更 change a household's status",
    ),
    (
        "/households/{no}/members",
        "household_no",
        c.MembersBody,
        c.ChangeMembers,
        "成员变更 change a household's members",
    ),
    (
        "/households/{no}/demands",
        "household_no",
        c.DemandBody,
        c.RecommendDemand,
        "信贷需求推荐 recommend a demand",
    ),
    (
        "/households/{no}/credits",
        "household_no",
        c.CreditBody,
        c.DecideCredit,
        "授信 grant or refuse credit",
    ),
    (
        "/households/{no}/erasure",
        "household_no",
        c.ErasureBody,
        c.EraseHousehold,
        "个人信息销毁 erase a household's personal data",
    ),
    ("/loans", None, c.LoanBody, c.DisburseLoan, "放款 disburse a loan"),
    (
        "/loans/{no}/outflows",
        "loan_no",
        c.OutflowBody,
        c.ObserveOutflow,
        "资金去向 record an outflow",
    ),
    ("/loans/{no}/extensions", "loan_no", c.ExtensionBody, c.ExtendLoan, "展期 extend a loan"),
    (
        "/loans/{no}/reminders",
        "loan_no",
        c.ReminderBody,
        c.RemindBorrower,
        "到期提醒 record a reminder",
    ),
    (
        "/loans/{no}/usage-checks",
        "loan_no",
        c.UsageCheckBody,
        c.CheckUsage,
        "使用情况调查 record a usage check",
    ),
    (
        "/loans/{no}/repayment-plans",
        "loan_no",
        c.RepaymentPlanBody,
        c.AgreeRepaymentPlan,
        "还款计划 record a repayment plan",
    ),
    (
        "/loans/{no}/subsidy-payments",
        "loan_no",
        c.SubsidyPaymentBody,
        c.PaySubsidy,
        "贴息拨付 pay subsidy",
    ),
    (
        "/loans/{no}/subsidy-recoveries",
        "loan_no",
        c.SubsidyRecoveryBody,
        c.RecoverSubsidy,
        "贴息追回 recover subsidy",
    ),
    (
        "/batches/{no}/verification",
        "batch_no",
        c.StepBody,
        c.VerifyBatch,
        "批次核实 verify a batch",
    ),
    ("/batches/{no}/notices", "batch_no", c.NoticeBody, c.PostNotice, "公示 post a notice"),
    (
        "/batches/{no}/objections",
        "batch_no",
        c.ObjectionBody,
        c.RaiseObjection,
        "异议 object to a batch or a line",
    ),
    (
        "/batches/{no}/resolutions",
        "batch_no",
        c.ResolutionBody,
        c.ResolveObjection,
        "异议处理 resolve an objection",
    ),
    (
        "/batches/{no}/liftings",
        "batch_no",
        c.LiftingBody,
        c.LiftLimit,
        "解除贴息限定 lift what an upheld objection left",
    ),
    ("/batches/{no}/approval", "batch_no", c.StepBody, c.ApproveBatch, "批准 approve a batch"),
    ("/batches/{no}/return", "batch_no", c.ReturnBody, c.ReturnBatch, "退回 return a batch"),
    (
        "/households/{no}/ratings",
        "household_no",
        c.RatingBody,
        c.RateCredit,
        "信用评级 rate a household",
    ),
    ("/risks", None, c.RiskBody, c.ReportRisk, "风险上报 report a risk"),
    ("/risks/{no}/notes", "risk_no", c.RiskNoteBody, c.TakeNoteOfRisk, "风险接收 take note"),
    ("/loans/{no}/guarantees", "loan_no", c.GuaranteeBody, c.GuaranteeLoan, "担保 guarantee"),
    (
        "/loans/{no}/compensations",
        "loan_no",
        c.CompensationBody,
        c.Compensate,
        "代偿 compensate a lost loan",
    ),
    (
        "/loans/{no}/compensation-recoveries",
        "loan_no",
        c.CompensationRecoveryBody,
        c.RecoverCompensation,
        "追偿 record what came back of it",
    ),
    (
        "/funds/risk",
        None,
        c.RiskFundPaymentBody,
        c.PayIntoRiskFund,
        "风险补偿金注入 pay into the risk fund",
    ),
    ("/benefits", None, c.AgreementBody, c.SignAgreement, "利益联结协议 sign an agreement"),
    (
        "/benefits/{no}/payments",
        "agreement_no",
        c.BenefitPaymentBody,
        c.PayBenefit,
        "分红或增收款 record a dividend or supplement",
    ),
    (
        "/cases/{no}/assignment",
        "case_no",
        k.AssignmentBody,
        k.AssignCase,
        "线索交办 assign a case",
    ),
    (
        "/cases/{no}/explanation-requests",
        "case_no",
        k.ExplanationRequestBody,
        k.AskExplanation,
        "要求说明 ask an organisation to explain",
    ),
    ("/cases/{no}/explanations", "case_no", k.ExplanationBody, k.GiveExplanation, "说明 explain"),
    ("/cases/{no}/notes", "case_no", k.CaseNoteBody, k.NoteOnCase, "核查记录 note on a case"),
    (
        "/cases/{no}/proposal",
        "case_no",
        k.ProposalBody,
        k.ProposeDecision,
        "处理建议 propose a decision",
    ),
    (
        "/cases/{no}/upholding",
        "case_no",
        k.UpholdingBody,
        k.UpholdCase,
        "认定属实 uphold a case",
    ),
    (
        "/cases/{no}/dismissal",
        "case_no",
        k.CaseReasonBody,
        k.DismissCase,
        "认定不属实 dismiss a case",
    ),
    (
        "/cases/{no}/rectifications",
        "case_no",
        k.RectificationBody,
        k.RectifyCase,
        "整改 record what was put right",
    ),
    (
        "/cases/{no}/recoveries",
        "case_no",
        k.CaseRecoveryBody,
        k.LinkRecovery,
        "追回入案 count a recovery in a case",
    ),
    ("/cases/{no}/closing", "case_no", k.CaseReasonBody, k.CloseCase, "办结 close a case"),
    (
        "/cases/{no}/reopening",
        "case_no",
        k.CaseReasonBody,
        k.ReopenCase,
        "重新核查 reopen a case",
    ),
    ("/funds/allocations", None, c.AllocationBody, c.AllocateFund, "下达 allocate budget"),
    ("/funds/transfers", None, c.TransferBody, c.TransferFund, "资金拨付 record a transfer"),
    ("/programme/rulings", None, c.RulingBody, c.SetRulings, "政策取值 tell what a document rules"),
    ("/programme/plans", None, c.PlanBody, c.TellPlan, "方案 adopt or adjust a plan"),
    (
        "/events/{no}/corrections",
        "event_id",
        c.CorrectionBody,
        c.CorrectEvent,
        "冲正 correct an event",
    ),
    ("/bank-reports", None, c.BankReportBody, c.ReportScale, "规模报送 report a bank's scale"),
)


def recorded_answer(recorded: Recorded) -> Response:
    """201 for what is new, 200 with the first answer for what was told before."""
    return Response(
        _encode(recorded_content(recorded)),
        200 if recorded.again else 201,
        media_type="application/json",
    )


def recorded_content(recorded: Recorded) -> dict[str, Any]:
    return {
        "event_ids": recorded.event_ids,
        "position": recorded.position,
        "recorded_at": instant(recorded.recorded_at),
        "again": recorded.again,
        **({} if recorded.promise is None else {"promise": recorded.promise}),
    } | warnings_of(recorded)


def warnings_of(recorded: Recorded) -> dict[str, Any]:
    """`warnings`, where something that was recorded looks wrong: code, zh, en, field."""
    if not recorded.warnings:
        return {}
    return {"warnings": [warned._asdict() for warned in recorded.warnings[:_MOST_WARNINGS]]}


def _endpoint(
    named: str | None, body_type: type[c.Told], command_type: type[c.Command]
) -> Callable[..., Awaitable[Response]]:
    async def tell(request: Request, body: body_type) -> Response:  # type: ignore[valid-type]
        service = service_of(request)
        by = await service.author(request)
        command = command_type.model_construct(**vars(body))
        return recorded_answer(await service.writer.tell(Telling(command, by)))

    async def tell_named(
        request: Request,
        body: body_type,  # type: ignore[valid-type]
        no: Annotated[str, Path(pattern=c.EVENT_ID if named == "event_id" else c.NUMBER)],
    ) -> Response:
        assert named is not None
        service = service_of(request)
        by = await service.author(request)
        told: dict[str, Any] = {**vars(body), named: no}
        command = command_type.model_construct(**told)
        return recorded_answer(await service.writer.tell(Telling(command, by)))

    return takes(command_type)(tell if named is None else tell_named)


for _route, _named, _body, _command, _summary in ROUTES:
    router.add_api_route(
        _route,
        _endpoint(_named, _body, _command),
        methods=["POST"],
        summary=_summary,
        status_code=201,
        name=_command.TYPE,
        tags=["写入 writes"],
    )
