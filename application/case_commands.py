"""The commands about cases (see `application.commands`)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from application.commands import (
    COMMANDS,
    Command,
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
    Told,
    Why,
)


class FindingName(Model):
    """A finding by its rule and subject, as `/red-flags` gives them."""

    rule: Name
    subject: Text


class ObjectionName(Model):
    batch_no: Number
    objection_no: Known


class FindingsBody(Told):
    """Which findings, seen at which two dates; the service adds all others of their schemes."""

    findings: Annotated[list[FindingName], Field(max_length=100, default_factory=list)]
    objections: Annotated[list[ObjectionName], Field(max_length=100, default_factory=list)]
    as_of: Day | None = None
    known_at: Instant | None = None


class JoinCase(FindingsBody, Command):
    """Not for batches of lines: what is found comes from the service."""

    TYPE: ClassVar[str] = "case-findings"
    case_no: Number
    found: Any = Field(default=None, exclude=True)
    """A `domain.case.Found`; no part of what was told."""


class CaseBody(FindingsBody):
    case_no: NewNumber
    title: Text


class OpenCase(CaseBody, Command):
    """Not for batches of lines: what is found comes from the service."""

    TYPE: ClassVar[str] = "case"
    found: Any = Field(default=None, exclude=True)
    """A `domain.case.Found`; no part of what was told."""


class AssignmentBody(Told):
    """`investigator`: a person of the same office, by the name that his key has."""

    investigator: Name


class AssignCase(AssignmentBody, Command):
    TYPE: ClassVar[str] = "case-assignment"
    case_no: Number


class ExplanationRequestBody(Told):
    """`ref` is the request's number; `until_on` the last day to answer."""

    organisation: Number
    what: Why
    until_on: Day


class AskExplanation(ExplanationRequestBody, Command):
    TYPE: ClassVar[str] = "explanation-request"
    case_no: Number


class ExplanationBody(Told):
    request_no: Known
    explanation: Why


class GiveExplanation(ExplanationBody, Command):
    TYPE: ClassVar[str] = "explanation"
    case_no: Number


class CaseNoteBody(Told):
    words: Why


class NoteOnCase(CaseNoteBody, Command):
    TYPE: ClassVar[str] = "case-note"
    case_no: Number


class ProposalBody(Told):
    upheld: Flag
    reason: Why


class ProposeDecision(ProposalBody, Command):
    TYPE: ClassVar[str] = "case-proposal"
    case_no: Number


class UpholdingBody(Told):
    """`amount_fen`: what is to be made good."""

    reason: Why
    amount_fen: Fen


class UpholdCase(UpholdingBody, Command):
    TYPE: ClassVar[str] = "case-upholding"
    case_no: Number


class CaseReasonBody(Told):
    """A step of a case that needs nothing but its reason."""

    reason: Why


class DismissCase(CaseReasonBody, Command):
    TYPE: ClassVar[str] = "case-dismissal"
    case_no: Number


class CloseCase(CaseReasonBody, Command):
    TYPE: ClassVar[str] = "case-closing"
    case_no: Number


class ReopenCase(CaseReasonBody, Command):
    TYPE: ClassVar[str] = "case-reopening"
    case_no: Number


class DocumentGround(Ground):
    document: Text


class RectificationBody(Told):
    ground: DocumentGround
    what: Why


class RectifyCase(RectificationBody, Command):
    TYPE: ClassVar[str] = "case-rectification"
    case_no: Number


class CaseRecoveryBody(Told):
    """`event_id`: of the recovery or repayment, as its own answer gave it."""

    event_id: EventId


class LinkRecovery(CaseRecoveryBody, Command):
    TYPE: ClassVar[str] = "case-recovery"
    case_no: Number


COMMANDS.update(
    (command.TYPE, command)
    for command in (
        AssignCase,
        AskExplanation,
        GiveExplanation,
        NoteOnCase,
        ProposeDecision,
        UpholdCase,
        DismissCase,
        CloseCase,
        ReopenCase,
        RectifyCase,
        LinkRecovery,
    )
)
