"""How the commands about cases are carried out (see `application.decisions`)."""

from __future__ import annotations

from typing import Any

from application.case_commands import (
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
from application.decisions import event_named
from application.ledger import Ledger, Looks, carries_out
from application.refusals import DatedInFuture, OrganisationUnknown
from domain.case import Case, Found
from domain.case_register import CaseRegister, FindingUnknown, NothingToJoin, RecoveryElsewhere
from domain.kernel import AnyEvent, Author, Note
from domain.loan import Loan
from domain.steps import assure_follows

SUPERVISION = "auditor"
_EXPLAINING = ("bank", "township", "centre", "bureau", "finance", "guarantor")


def _its_case(command: Any, by: Author) -> Looks:
    return ((Case.id_for(command.case_no), Case),)


def _case_and_register(command: Any, by: Author) -> Looks:
    return (*_its_case(command, by), (CaseRegister.the_id(), CaseRegister))


def _case(ledger: Ledger, case_no: str) -> Case:
    case = ledger.aggregate(Case, Case.id_for(case_no))
    case.case_no = case_no
    return case


def _register(ledger: Ledger) -> CaseRegister:
    return ledger.aggregate(CaseRegister, CaseRegister.the_id())


# ---- what was found -------------------------------------------------------------------


@carries_out(OpenCase, SUPERVISION, looks_at=_case_and_register)
def open_case(ledger: Ledger, command: OpenCase, note: Note) -> None:
    """Open a case on whole schemes: none of their findings may be in another case."""
    found = _found(ledger, command)
    case, register = _case(ledger, command.case_no), _register(ledger)
    case.open(note, case_no=command.case_no, title=command.title, found=found)
    register.enter(note, case_no=command.case_no, findings=found.findings)


@carries_out(JoinCase, SUPERVISION, looks_at=_case_and_register)
def join_case(ledger: Ledger, command: JoinCase, note: Note) -> None:
    """Take in what is in no case yet. A scheme may have grown together out of two cases' own."""
    case, register = _case(ledger, command.case_no), _register(ledger)
    case.assure_own(note)
    found = _found(ledger, command)
    named = [f"{each.rule} {each.subject}" for each in command.findings]
    register.assure_free(named, command.case_no)
    free = register.free(found.findings)
    spoken_of = {loan for finding in free for loan in finding.loans}
    loans = tuple(loan for loan in found.loans if loan.loan_id in spoken_of)
    case.join(note, found=Found(free, loans))
    register.enter(note, case_no=command.case_no, findings=free)


def _found(ledger: Ledger, command: OpenCase | JoinCase) -> Found:
    """What the service saw. Raises DatedInFuture, StepBefore, FindingUnknown, NothingToJoin."""
    today = ledger.today()
    if command.as_of is not None:
        if command.as_of > today:
            raise DatedInFuture("as_of", effective_on=command.as_of, today=today)
        assure_follows(command.effective_on, "the day of the findings", command.as_of)
    found = command.found
    if not isinstance(found, Found):  # only the service makes one
        raise NothingToJoin
    if found.missing:
        raise FindingUnknown(missing="; ".join(found.missing))
    return found


# ---- the steps ------------------------------------------------------------------------


@carries_out(AssignCase, SUPERVISION, looks_at=_its_case)
def assign_case(ledger: Ledger, command: AssignCase, note: Note) -> None:
    _case(ledger, command.case_no).assign(note, investigator=command.investigator)


@carries_out(AskExplanation, SUPERVISION, looks_at=_its_case)
def ask_explanation(ledger: Ledger, command: AskExplanation, note: Note) -> None:
    asked = command.organisation
    if not any(asked in ledger.log.organisations(role) for role in _EXPLAINING):
        roles = ", ".join(_EXPLAINING)
        raise OrganisationUnknown("organisation", organisation=asked, role=roles)
    _case(ledger, command.case_no).ask(
        note, request_no=command.ref, asked=asked, what=command.what, until_on=command.until_on
    )


@carries_out(GiveExplanation, *_EXPLAINING, looks_at=_its_case)
def give_explanation(ledger: Ledger, command: GiveExplanation, note: Note) -> None:
    _case(ledger, command.case_no).explain(
        note, request_no=command.request_no, explanation=command.explanation
    )


@carries_out(NoteOnCase, SUPERVISION, looks_at=_its_case)
def note_on_case(ledger: Ledger, command: NoteOnCase, note: Note) -> None:
    _case(ledger, command.case_no).note_down(note, words=command.words)


@carries_out(ProposeDecision, SUPERVISION, looks_at=_its_case)
def propose_decision(ledger: Ledger, command: ProposeDecision, note: Note) -> None:
    case = _case(ledger, command.case_no)
    case.propose(note, upheld=command.upheld, reason=command.reason)


@carries_out(UpholdCase, SUPERVISION, looks_at=_its_case)
def uphold_case(ledger: Ledger, command: UpholdCase, note: Note) -> None:
    case = _case(ledger, command.case_no)
    case.uphold(note, reason=command.reason, amount_fen=command.amount_fen)


@carries_out(DismissCase, SUPERVISION, looks_at=_its_case)
def dismiss_case(ledger: Ledger, command: DismissCase, note: Note) -> None:
    _case(ledger, command.case_no).dismiss(note, reason=command.reason)


@carries_out(RectifyCase, SUPERVISION, looks_at=_its_case)
def rectify_case(ledger: Ledger, command: RectifyCase, note: Note) -> None:
    _case(ledger, command.case_no).rectify(note, what=command.what)


@carries_out(CloseCase, SUPERVISION, looks_at=_its_case)
def close_case(ledger: Ledger, command: CloseCase, note: Note) -> None:
    _case(ledger, command.case_no).close(note, reason=command.reason)


@carries_out(ReopenCase, SUPERVISION, looks_at=_its_case)
def reopen_case(ledger: Ledger, command: ReopenCase, note: Note) -> None:
    _case(ledger, command.case_no).reopen(note, reason=command.reason)


# ---- money that came back -------------------------------------------------------------


@carries_out(LinkRecovery, SUPERVISION, looks_at=_case_and_register)
def link_recovery(ledger: Ledger, command: LinkRecovery, note: Note) -> None:
    """Count a recovery in the case: the event is there, stands, and is of a loan of the case."""
    case = _case(ledger, command.case_no)
    loan_id, version, told = event_named(ledger, command.event_id)
    amount_fen = _came_back_fen(told)
    case.assure_own(note)
    if not amount_fen or loan_id not in case.loans:
        raise RecoveryElsewhere
    if told.CORRECTABLE and version not in ledger.aggregate(Loan, loan_id).live:
        raise RecoveryElsewhere
    case.link_recovery(
        note,
        recovery=command.event_id,
        recovered_by=told.TOPIC,
        recovered_on=told.effective_on,
        loan_id=loan_id,
        payment_no=told.payment_no if isinstance(told, Loan.SubsidyRecovered) else None,
        amount_fen=amount_fen,
    )
    _register(ledger).enter_recovery(note, case_no=case.case_no, recovery=command.event_id)


def _came_back_fen(told: AnyEvent) -> int:
    """Of a repayment the principal: interest is no part of what was misused."""
    if isinstance(told, Loan.SubsidyRecovered | Loan.CompensationRecovered):
        return told.amount_fen
    return told.principal_fen if isinstance(told, Loan.Repaid) else 0
