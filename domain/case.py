"""A case (线索): what red flags found, or somebody objected to, until it is put right or dismissed.

Two roles: whoever assigns is the supervisor, whoever is assigned the investigator, and nobody is
both in one case. What was found comes from the service, as it saw it, never from a caller's hand.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import ClassVar, Final, NamedTuple
from uuid import UUID

import msgspec

from domain.kernel import Aggregate, CommandContext, Event, Refused, identity, recorded_fields
from domain.steps import assure_follows


class CaseUnknown(Refused):
    CODE, FIELD = "case_unknown", "case_no"
    ZH, EN = "没有这个线索：{case_no}", "no such case: {case_no}"


class CaseNumberTaken(Refused):
    CODE, FIELD = "case_number_taken", "case_no"
    ZH, EN = "线索编号 {case_no} 已使用", "the case number {case_no} is taken"


class CaseElsewhere(Refused):
    CODE, FIELD = "case_elsewhere", ""
    ZH, EN = "线索 {case_no} 由 {office} 办理", "the case {case_no} is {office}'s"


class WrongCaseStage(Refused):
    CODE, FIELD = "wrong_case_stage", ""
    ZH = "线索 {case_no} {stage_zh}，不能{step}"
    EN = "the case {case_no} is {stage}: it cannot be {step_en}"


class BothRoles(Refused):
    CODE, FIELD = "both_roles", "investigator"
    ZH = "{person} 不得在同一线索中既主管又核查"
    EN = "{person} cannot be supervisor and investigator of one case"


class NotSupervisor(Refused):
    CODE, FIELD = "not_supervisor", ""
    ZH, EN = "{person} 不是该线索的主管", "{person} is not the supervisor of this case"


class NotInvestigator(Refused):
    CODE, FIELD = "not_investigator", ""
    ZH, EN = "{person} 不是该线索的核查人", "{person} is not the investigator of this case"


class AnswerDayPast(Refused):
    CODE, FIELD = "answer_day_past", "until_on"
    ZH = "答复期限 {until_on} 早于要求之日 {asked_on}"
    EN = "an answer until {until_on} cannot be asked for on {asked_on}"


class RequestUnknown(Refused):
    CODE, FIELD = "request_unknown", "request_no"
    ZH = "没有待答复的说明要求 {request_no}"
    EN = "no open request for an explanation is called {request_no}"


class ExplanationMissing(Refused):
    CODE, FIELD = "explanation_missing", ""
    ZH = "尚待说明且未到期：{waiting}"
    EN = "explanations are asked for and their day has not passed: {waiting}"


class NotRectified(Refused):
    CODE, FIELD = "not_rectified", ""
    ZH = "线索 {case_no} 属实，整改情况未报，不能办结"
    EN = "the case {case_no} was upheld: it is closed once something was put right"


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One finding as it was seen: by which version of a rule, at which two dates, how far.

    `rule` is `objection` for an objection to a batch. `context`: what belongs to it and came after
    its proof was whole. `loans`: those that both speak of.
    """

    rule: str
    rule_version: str | None = None
    subject: str
    amount_fen: int
    positions: tuple[int, ...]
    context: tuple[int, ...] = ()
    loans: tuple[UUID, ...]
    as_of: date
    known_at: str
    seen_position: int
    known_from: str | None = None

    @property
    def name(self) -> str:
        """What it is called, whoever looks and whenever: the same finding, the same name."""
        return f"{self.rule} {self.subject}"


class LoanOfCase(msgspec.Struct, frozen=True, kw_only=True):
    """A loan that the findings of a case speak of."""

    loan_id: UUID
    bank: str
    loan_no: str
    household_no: str
    township: str | None = None


class Found(NamedTuple):
    """What the service saw: the findings, their loans, and what was named and is not there."""

    findings: tuple[Finding, ...]
    loans: tuple[LoanOfCase, ...]
    missing: tuple[str, ...] = ()


def at_stake_fen(findings: Iterable[Finding]) -> int:
    """From the largest down, each finding that shares no loan with one counted before it.

    So no fen of one loan is counted twice, whatever number of rules flag it.
    """
    counted: set[UUID] = set()
    total_fen = 0
    for found in sorted(findings, key=lambda f: (-f.amount_fen, f.name)):
        if counted.isdisjoint(found.loans):
            counted.update(found.loans)
            total_fen += found.amount_fen
    return total_fen


class _Step(Event["Case"], frozen=True, kw_only=True, omit_defaults=True):
    """Something done in a case; each step on the day of the one before or later."""

    CORRECTABLE: ClassVar[bool] = False
    STAGE: ClassVar[str | None] = None

    def apply(self, case: Case) -> None:
        if self.STAGE is not None:
            case.stage = self.STAGE


class Case(Aggregate):
    """One case, drawn from its events alone."""

    KIND: ClassVar[str] = "case"

    def __init__(self, id: UUID) -> None:
        super().__init__(id)
        self.case_no = ""
        self.office = ""
        self.stage = ""
        self.findings: list[Finding] = []
        self.loans: set[UUID] = set()
        self.supervisor = ""
        self.investigator = ""
        self.supervisors: set[str] = set()
        self.investigators: set[str] = set()
        self.asked: set[str] = set()
        self.waiting: dict[str, tuple[str, date]] = {}
        self.rectified = False

    @staticmethod
    def id_for(case_no: str) -> UUID:
        return identity("case", case_no)

    # ---- events -----------------------------------------------------------------------

    class Opened(_Step, frozen=True, kw_only=True, omit_defaults=True):
        """A supervising office opens a case on what was found."""

        TOPIC, ZH = "case.opened.v1", "线索立案"
        STAGE: ClassVar[str | None] = "opened"
        case_no: str
        title: str
        office: str
        findings: tuple[Finding, ...]
        loans: tuple[LoanOfCase, ...]
        at_stake_fen: int

        def apply(self, case: Case) -> None:
            super().apply(case)
            case.case_no, case.office = self.case_no, self.office
            case.findings += self.findings
            case.loans.update(loan.loan_id for loan in self.loans)

    class Joined(_Step, frozen=True, kw_only=True, omit_defaults=True):
        """Further findings of the same scheme join the case; `at_stake_fen` is of them all."""

        TOPIC, ZH = "case.joined.v1", "线索并入"
        findings: tuple[Finding, ...]
        loans: tuple[LoanOfCase, ...]
        at_stake_fen: int

        def apply(self, case: Case) -> None:
            super().apply(case)
            case.findings += self.findings
            case.loans.update(loan.loan_id for loan in self.loans)
            case.stage = _begun_again(case.stage)

    class Assigned(_Step, frozen=True, kw_only=True, omit_defaults=True):
        """A supervisor says who investigates; whoever says so supervises from now on."""

        TOPIC, ZH = "case.assigned.v1", "线索交办"
        investigator: str

        def apply(self, case: Case) -> None:
            super().apply(case)
            case.supervisor, case.investigator = self.person, self.investigator
            case.supervisors.add(self.person)
            case.investigators.add(self.investigator)
            case.stage = "assigned" if case.stage == "opened" else _begun_again(case.stage)

    class ExplanationAsked(_Step, frozen=True, kw_only=True, omit_defaults=True):
        """An organisation is asked to explain something, until a day."""

        TOPIC, ZH = "case.explanation-asked.v1", "要求说明"
        request_no: str
        asked: str
        what: str
        until_on: date

        def apply(self, case: Case) -> None:
            super().apply(case)
            case.asked.add(self.asked)
            case.waiting[self.request_no] = (self.asked, self.until_on)
            case.stage = _begun_again(case.stage)

    class ExplanationGiven(_Step, frozen=True, kw_only=True, omit_defaults=True):
        """The organisation explains itself."""

        TOPIC, ZH = "case.explanation-given.v1", "说明"
        request_no: str
        explanation: str

        def apply(self, case: Case) -> None:
            super().apply(case)
            case.waiting.pop(self.request_no, None)

    class Noted(_Step, frozen=True, kw_only=True, omit_defaults=True):
        """The investigator writes down what he found out."""

        TOPIC, ZH = "case.noted.v1", "核查记录"
        words: str

    class Proposed(_Step, frozen=True, kw_only=True, omit_defaults=True):
        """The investigator proposes how the case should be decided."""

        TOPIC, ZH = "case.proposed.v1", "处理建议"
        STAGE: ClassVar[str | None] = "proposed"
        upheld: bool
        reason: str

    class Upheld(_Step, frozen=True, kw_only=True, omit_defaults=True):
        """The supervisor finds that it is so; `amount_fen` is to be made good."""

        TOPIC, ZH = "case.upheld.v1", "线索属实"
        STAGE: ClassVar[str | None] = "upheld"
        reason: str
        amount_fen: int

        def apply(self, case: Case) -> None:
            super().apply(case)
            case.rectified = False

    class Dismissed(_Step, frozen=True, kw_only=True, omit_defaults=True):
        """The supervisor finds that it is not so."""

        TOPIC, ZH = "case.dismissed.v1", "线索不属实"
        STAGE: ClassVar[str | None] = "dismissed"
        reason: str

    class Rectified(_Step, frozen=True, kw_only=True, omit_defaults=True):
        """What was put right, by which document."""

        TOPIC, ZH = "case.rectified.v1", "整改"
        what: str

        def apply(self, case: Case) -> None:
            super().apply(case)
            case.rectified = True

    class RecoveryLinked(_Step, frozen=True, kw_only=True, omit_defaults=True):
        """Money came back on a loan of the case: the event that says so, and its fen."""

        TOPIC, ZH = "case.recovery-linked.v1", "追回入案"
        recovery: str
        recovered_by: str
        loan_id: UUID
        payment_no: str | None = None
        amount_fen: int

    class Closed(_Step, frozen=True, kw_only=True, omit_defaults=True):
        """The supervisor closes the case."""

        TOPIC, ZH = "case.closed.v1", "线索办结"
        STAGE: ClassVar[str | None] = "closed"
        reason: str

    class Reopened(_Step, frozen=True, kw_only=True, omit_defaults=True):
        """A decided case is taken up again."""

        TOPIC, ZH = "case.reopened.v1", "重新核查"
        STAGE: ClassVar[str | None] = "assigned"
        reason: str

    # ---- commands ---------------------------------------------------------------------

    def open(self, context: CommandContext, *, case_no: str, title: str, found: Found) -> None:
        """Open the case on what was found. Raises CaseNumberTaken."""
        if self.stage:
            raise CaseNumberTaken(case_no=case_no)
        self.record(
            Case.Opened(
                **recorded_fields(context),
                case_no=case_no,
                title=title,
                office=context.by.organisation,
                findings=found.findings,
                loans=found.loans,
                at_stake_fen=at_stake_fen(found.findings),
            )
        )

    def join(self, context: CommandContext, *, found: Found) -> None:
        """Take in further findings.

        Raises CaseUnknown, CaseElsewhere, WrongCaseStage, StepBefore.
        """
        self.assure_own(context)
        self._at(context, "joined", "opened", "assigned", "proposed")
        new = tuple(loan for loan in found.loans if loan.loan_id not in self.loans)
        fen = at_stake_fen((*self.findings, *found.findings))
        self.record(
            Case.Joined(
                **recorded_fields(context), findings=found.findings, loans=new, at_stake_fen=fen
            )
        )

    def assign(self, context: CommandContext, *, investigator: str) -> None:
        """Say who investigates, and supervise. Raises BothRoles, and as `join`."""
        self.assure_own(context)
        self._at(context, "assigned", "opened", "assigned", "proposed", "upheld", "dismissed")
        person = context.by.person
        for both in (
            person if person == investigator or person in self.investigators else None,
            investigator if investigator in self.supervisors else None,
        ):
            if both is not None:
                raise BothRoles(person=both)
        self.record(Case.Assigned(**recorded_fields(context), investigator=investigator))

    def ask(
        self, context: CommandContext, *, request_no: str, asked: str, what: str, until_on: date
    ) -> None:
        """Ask an organisation to explain. Raises AnswerDayPast, and as `note_down`."""
        self._by_investigator(context, "asked about", "assigned", "proposed")
        if until_on < context.effective_on:
            raise AnswerDayPast(until_on=until_on, asked_on=context.effective_on)
        self.record(
            Case.ExplanationAsked(
                **recorded_fields(context),
                request_no=request_no,
                asked=asked,
                what=what,
                until_on=until_on,
            )
        )

    def explain(self, context: CommandContext, *, request_no: str, explanation: str) -> None:
        """Explain, as the organisation that was asked. To all others there is no such case.

        Raises CaseUnknown, RequestUnknown, WrongCaseStage, StepBefore.
        """
        if context.by.organisation not in self.asked:
            raise CaseUnknown(case_no=self.case_no)
        asked, _ = self.waiting.get(request_no, ("", date.min))
        if asked != context.by.organisation:
            raise RequestUnknown(request_no=request_no)
        self._at(context, "explained", "assigned", "proposed", "upheld", "dismissed")
        self.record(
            Case.ExplanationGiven(
                **recorded_fields(context), request_no=request_no, explanation=explanation
            )
        )

    def note_down(self, context: CommandContext, *, words: str) -> None:
        """Write a note.

        Raises CaseUnknown, CaseElsewhere, NotInvestigator, WrongCaseStage, StepBefore.
        """
        self._by_investigator(context, "noted on", "assigned", "proposed", "upheld", "dismissed")
        self.record(Case.Noted(**recorded_fields(context), words=words))

    def propose(self, context: CommandContext, *, upheld: bool, reason: str) -> None:
        """Propose a decision; whatever comes in between asks for another. Raises as `note_down`."""
        self._by_investigator(context, "proposed on", "assigned", "proposed")
        self.record(Case.Proposed(**recorded_fields(context), upheld=upheld, reason=reason))

    def uphold(self, context: CommandContext, *, reason: str, amount_fen: int) -> None:
        """Decide that it is so. Raises ExplanationMissing, NotSupervisor, and as `join`."""
        self._decided(context, "upheld")
        self.record(Case.Upheld(**recorded_fields(context), reason=reason, amount_fen=amount_fen))

    def dismiss(self, context: CommandContext, *, reason: str) -> None:
        """Decide that it is not so. Raises as `uphold`."""
        self._decided(context, "dismissed")
        self.record(Case.Dismissed(**recorded_fields(context), reason=reason))

    def rectify(self, context: CommandContext, *, what: str) -> None:
        """Record what was put right. Raises as `note_down`."""
        self._by_investigator(context, "rectified", "upheld")
        self.record(Case.Rectified(**recorded_fields(context), what=what))

    def link_recovery(
        self,
        context: CommandContext,
        *,
        recovery: str,
        recovered_by: str,
        recovered_on: date,
        loan_id: UUID,
        payment_no: str | None,
        amount_fen: int,
    ) -> None:
        """Record money that came back; the caller has found it to be so. Raises as `note_down`."""
        self._by_investigator(context, "credited", "assigned", "proposed", "upheld")
        assure_follows(context.effective_on, "the recovery", recovered_on)
        self.record(
            Case.RecoveryLinked(
                **recorded_fields(context),
                recovery=recovery,
                recovered_by=recovered_by,
                loan_id=loan_id,
                payment_no=payment_no,
                amount_fen=amount_fen,
            )
        )

    def close(self, context: CommandContext, *, reason: str) -> None:
        """Close a decided case. Raises NotRectified, NotSupervisor, and as `join`."""
        self._by_supervisor(context, "closed", "upheld", "dismissed")
        if self.stage == "upheld" and not self.rectified:
            raise NotRectified(case_no=self.case_no)
        self.record(Case.Closed(**recorded_fields(context), reason=reason))

    def reopen(self, context: CommandContext, *, reason: str) -> None:
        """Take a decided case up again. Raises NotSupervisor, and as `join`."""
        self._by_supervisor(context, "reopened", "upheld", "dismissed", "closed")
        self.record(Case.Reopened(**recorded_fields(context), reason=reason))

    # ---- what several of them need ----------------------------------------------------

    def _decided(self, context: CommandContext, step: str) -> None:
        self._by_supervisor(context, step, "proposed")
        waiting = [no for no, (_, until) in self.waiting.items() if until >= context.effective_on]
        if waiting:
            raise ExplanationMissing(waiting=", ".join(sorted(waiting)))

    def _by_supervisor(self, context: CommandContext, step: str, *stages: str) -> None:
        self.assure_own(context)
        if context.by.person != self.supervisor:
            raise NotSupervisor(person=context.by.person)
        self._at(context, step, *stages)

    def _by_investigator(self, context: CommandContext, step: str, *stages: str) -> None:
        self.assure_own(context)
        if context.by.person != self.investigator:
            raise NotInvestigator(person=context.by.person)
        self._at(context, step, *stages)

    def assure_own(self, context: CommandContext) -> None:
        """Raises CaseUnknown, CaseElsewhere."""
        if not self.stage:
            raise CaseUnknown(case_no=self.case_no)
        if context.by.organisation != self.office:
            raise CaseElsewhere(case_no=self.case_no, office=self.office)

    def _at(self, context: CommandContext, step: str, *stages: str) -> None:
        if self.stage not in stages:
            raise WrongCaseStage(
                case_no=self.case_no,
                stage=self.stage,
                stage_zh=STAGES[self.stage],
                step=_STEPS[step],
                step_en=step,
            )
        assure_follows(context.effective_on, "the last step", self.last_on)


def _begun_again(stage: str) -> str:
    """A proposal does not cover what came after it."""
    return "assigned" if stage == "proposed" else stage


STAGES: Final = {
    "opened": "已立案，尚未交办",
    "assigned": "核查中",
    "proposed": "已提出处理建议",
    "upheld": "已认定属实",
    "dismissed": "已认定不属实",
    "closed": "已办结",
}
_STEPS: Final = {
    "joined": "并入",
    "assigned": "交办",
    "asked about": "要求说明",
    "explained": "说明",
    "noted on": "记录",
    "proposed on": "提出处理建议",
    "upheld": "认定属实",
    "dismissed": "认定不属实",
    "rectified": "报告整改",
    "credited": "记入追回",
    "closed": "办结",
    "reopened": "重新核查",
}
