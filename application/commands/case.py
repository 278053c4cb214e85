"""Commands about a case (线索): what was found, its steps, what came back."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field

from application.command import Command, Reads
from application.commands.correction import event_named
from application.fields import (
    Day,
    EventId,
    Fen,
    Flag,
    Ground,
    Instant,
    Known,
    Model,
    Name,
    NewNumber,
    Number,
    Text,
    Why,
)
from application.ledger import Ledger
from application.refusals import DatedInFuture, OrganisationUnknown
from domain.case import Case, Found
from domain.case_register import CaseRegister, FindingUnknown, NothingToJoin, RecoveryElsewhere
from domain.kernel import AnyEvent, Author, CommandContext
from domain.loan import Loan
from domain.roles import SUPERVISED, SUPERVISION
from domain.steps import assure_follows


class OfCase(Command):
    """A command about one case."""

    case_no: Number

    def reads(self, by: Author) -> Reads:
        return ((Case.id_for(self.case_no), Case),)

    def case(self, ledger: Ledger) -> Case:
        case = ledger.aggregate(Case, Case.id_for(self.case_no))
        case.case_no = self.case_no
        return case


def _register(ledger: Ledger) -> CaseRegister:
    return ledger.aggregate(CaseRegister, CaseRegister.the_id())


# ---- what was found -------------------------------------------------------------------


class FindingName(Model):
    """A finding by its rule and subject, as `/red-flags` gives them."""

    rule: Name
    subject: Text


class ObjectionName(Model):
    batch_no: Number
    objection_no: Known


class WithFindings(OfCase):
    """Which findings, seen at which two dates; the service adds all others of their schemes."""

    NEEDS_ANSWER = True  # application.workflows.case_findings looks for them first

    findings: Annotated[list[FindingName], Field(max_length=100, default_factory=list)]
    objections: Annotated[list[ObjectionName], Field(max_length=100, default_factory=list)]
    as_of: Day | None = None
    known_at: Instant | None = None
    _found: Found | None = None

    def seeing(self, found: Found) -> Self:
        """This command, with what the service saw; no part of its content."""
        seeing = self.model_copy()
        seeing._found = found
        return seeing

    def reads(self, by: Author) -> Reads:
        return (*super().reads(by), (CaseRegister.the_id(), CaseRegister))

    def found(self, ledger: Ledger) -> Found:
        """What the service saw. Raises DatedInFuture, StepBefore, FindingUnknown, NothingToJoin."""
        today = ledger.today()
        if self.as_of is not None:
            if self.as_of > today:
                raise DatedInFuture("as_of", effective_on=self.as_of, today=today)
            assure_follows(self.effective_on, "the day of the findings", self.as_of)
        if self._found is None:
            raise NothingToJoin
        if self._found.missing:
            raise FindingUnknown(missing="; ".join(self._found.missing))
        return self._found


class OpenCase(WithFindings):
    """The service looks at the two dates and takes all findings of the schemes named."""

    TYPE, SUMMARY = "case", "线索立案 open a case on findings or objections"
    ROLES, PATH = (SUPERVISION,), "/cases"

    case_no: NewNumber
    title: Text

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        """Open a case on whole schemes: none of their findings may be in another case."""
        found = self.found(ledger)
        case, register = self.case(ledger), _register(ledger)
        case.open(context, case_no=self.case_no, title=self.title, found=found)
        register.enter(context, case_no=self.case_no, findings=found.findings)


class JoinCase(WithFindings):
    """Named or not, all that is in no case yet of the schemes that the case holds a part of."""

    TYPE, SUMMARY = "case-findings", "线索并入 what is new of its schemes"
    ROLES, PATH = (SUPERVISION,), "/cases/{case_no}/findings"

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        """Take in what is in no case yet: a scheme may have grown out of two cases' own."""
        case, register = self.case(ledger), _register(ledger)
        case.assure_own(context)
        found = self.found(ledger)
        named = [f"{each.rule} {each.subject}" for each in self.findings]
        register.assure_free(named, self.case_no)
        free = register.free(found.findings)
        spoken_of = {loan for finding in free for loan in finding.loans}
        loans = tuple(loan for loan in found.loans if loan.loan_id in spoken_of)
        case.join(context, found=Found(free, loans))
        register.enter(context, case_no=self.case_no, findings=free)


# ---- the investigation ----------------------------------------------------------------


class AssignCase(OfCase):
    """`investigator`: a person of the same office, by the name that his key has."""

    TYPE, SUMMARY = "case-assignment", "线索交办 assign a case"
    ROLES, PATH = (SUPERVISION,), "/cases/{case_no}/assignment"

    investigator: Name

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        self.case(ledger).assign(context, investigator=self.investigator)


class AskExplanation(OfCase):
    """`ref` is the request's number; `until_on` the last day to answer."""

    TYPE, SUMMARY = "explanation-request", "要求说明 ask an organisation to explain"
    ROLES, PATH = (SUPERVISION,), "/cases/{case_no}/explanation-requests"

    organisation: Number
    what: Why
    until_on: Day

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        asked = self.organisation
        if not any(asked in ledger.log.organisations(role) for role in SUPERVISED):
            roles = ", ".join(SUPERVISED)
            raise OrganisationUnknown("organisation", organisation=asked, role=roles)
        self.case(ledger).ask(
            context, request_no=self.ref, asked=asked, what=self.what, until_on=self.until_on
        )


class GiveExplanation(OfCase):
    TYPE, SUMMARY = "explanation", "说明 explain"
    ROLES, PATH = SUPERVISED, "/cases/{case_no}/explanations"

    request_no: Known
    explanation: Why

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        self.case(ledger).explain(context, request_no=self.request_no, explanation=self.explanation)


class NoteOnCase(OfCase):
    TYPE, SUMMARY = "case-note", "核查记录 note on a case"
    ROLES, PATH = (SUPERVISION,), "/cases/{case_no}/notes"

    words: Why

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        self.case(ledger).note_down(context, words=self.words)


# ---- the decision ---------------------------------------------------------------------


class ProposeDecision(OfCase):
    TYPE, SUMMARY = "case-proposal", "处理建议 propose a decision"
    ROLES, PATH = (SUPERVISION,), "/cases/{case_no}/proposal"

    upheld: Flag
    reason: Why

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        self.case(ledger).propose(context, upheld=self.upheld, reason=self.reason)


class UpholdCase(OfCase):
    """`amount_fen`: what is to be made good."""

    TYPE, SUMMARY = "case-upholding", "认定属实 uphold a case"
    ROLES, PATH = (SUPERVISION,), "/cases/{case_no}/upholding"

    reason: Why
    amount_fen: Fen

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        self.case(ledger).uphold(context, reason=self.reason, amount_fen=self.amount_fen)


class DismissCase(OfCase):
    TYPE, SUMMARY = "case-dismissal", "认定不属实 dismiss a case"
    ROLES, PATH = (SUPERVISION,), "/cases/{case_no}/dismissal"

    reason: Why

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        self.case(ledger).dismiss(context, reason=self.reason)


class DocumentGround(Ground):
    document: Text


class RectifyCase(OfCase):
    TYPE, SUMMARY = "case-rectification", "整改 record what was put right"
    ROLES, PATH = (SUPERVISION,), "/cases/{case_no}/rectifications"

    ground: DocumentGround
    what: Why

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        self.case(ledger).rectify(context, what=self.what)


class CloseCase(OfCase):
    TYPE, SUMMARY = "case-closing", "办结 close a case"
    ROLES, PATH = (SUPERVISION,), "/cases/{case_no}/closing"

    reason: Why

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        self.case(ledger).close(context, reason=self.reason)


class ReopenCase(OfCase):
    TYPE, SUMMARY = "case-reopening", "重新核查 reopen a case"
    ROLES, PATH = (SUPERVISION,), "/cases/{case_no}/reopening"

    reason: Why

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        self.case(ledger).reopen(context, reason=self.reason)


# ---- money that came back -------------------------------------------------------------


class LinkRecovery(OfCase):
    """`event_id`: of the recovery or repayment, as its own answer gave it."""

    TYPE, SUMMARY = "case-recovery", "追回入案 count a recovery in a case"
    ROLES, PATH = (SUPERVISION,), "/cases/{case_no}/recoveries"

    event_id: EventId

    def reads(self, by: Author) -> Reads:
        return (*super().reads(by), (CaseRegister.the_id(), CaseRegister))

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        """Count a recovery in the case: it is recorded, active, and of a loan of the case."""
        case = self.case(ledger)
        loan_id, version, told = event_named(ledger, self.event_id)
        amount_fen = _came_back_fen(told)
        case.assure_own(context)
        if not amount_fen or loan_id not in case.loans:
            raise RecoveryElsewhere
        if told.CORRECTABLE and version not in ledger.aggregate(Loan, loan_id).live:
            raise RecoveryElsewhere
        case.link_recovery(
            context,
            recovery=self.event_id,
            recovered_by=told.TOPIC,
            recovered_on=told.effective_on,
            loan_id=loan_id,
            payment_no=told.payment_no if isinstance(told, Loan.SubsidyRecovered) else None,
            amount_fen=amount_fen,
        )
        _register(ledger).enter_recovery(context, case_no=case.case_no, recovery=self.event_id)


def _came_back_fen(told: AnyEvent) -> int:
    """Of a repayment the principal: interest is no part of what was misused."""
    if isinstance(told, Loan.SubsidyRecovered | Loan.CompensationRecovered):
        return told.amount_fen
    return told.principal_fen if isinstance(told, Loan.Repaid) else 0
