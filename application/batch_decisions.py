"""How the commands about batches and budget money are carried out (see `application.decisions`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast
from uuid import UUID

from application.commands import (
    AllocateFund,
    ApproveBatch,
    CorrectResult,
    LiftLimit,
    OrderPayment,
    PostNotice,
    ProposeBatch,
    RaiseObjection,
    ResolveObjection,
    ReturnBatch,
    TellResult,
    TransferFund,
    VerifyBatch,
)
from application.decisions import REPLACED_BY, subsidy_due
from application.ledger import Ledger, Looks, carries_out
from application.refusals import ResultIncomplete, ResultTwice
from application.result_check import assure_as_ordered
from domain.batch import Batch, BatchRegister, Line, NothingToPay, Run
from domain.calendar import Period, named_quarter
from domain.fund import Fund
from domain.household import Household
from domain.kernel import Author, Note, voucher_used
from domain.loan import Loan
from domain.plan_check import target
from domain.policy import NoRuling
from domain.programme import GroundMissing


def _its_batch(command: Any, by: Author) -> Looks:
    return ((Batch.id_for(command.batch_no), Batch),)


def _batch_and_register(command: Any, by: Author) -> Looks:
    return (*_its_batch(command, by), (BatchRegister.the_id(), BatchRegister))


def _its_fund(command: Any, by: Author) -> Looks:
    return ((Fund.id_for(command.year), Fund),)


def _batch(ledger: Ledger, batch_no: str) -> Batch:
    batch = ledger.aggregate(Batch, Batch.id_for(batch_no))
    batch.batch_no = batch_no
    return batch


def _fund(ledger: Ledger, year: int) -> Fund:
    return ledger.aggregate(Fund, Fund.id_for(year))


# ---- the batch ------------------------------------------------------------------------


@carries_out(ProposeBatch, "centre", looks_at=_batch_and_register)
def propose_batch(ledger: Ledger, command: ProposeBatch, note: Note) -> None:
    """List what the settlement run found, if no other batch was proposed since it looked."""
    run = command.run
    if not isinstance(run, Run):
        raise NothingToPay
    period = named_quarter(command.period, ledger.book)
    mode = ledger.book.ruling("payment_mode", command.effective_on, ledger.today()).words
    _batch(ledger, command.batch_no).propose(
        note,
        batch_no=command.batch_no,
        period=command.period,
        first=period.first,
        until=period.until,
        year=period.last.year,
        mode="bank" if mode == ("bank",) else "household",
        bank=command.bank,
        township=command.township,
        seen_position=run.position,
        lines=run.lines,
        estimate=command.estimate,
    )
    if not command.estimate:
        register = ledger.aggregate(BatchRegister, BatchRegister.the_id())
        register.enter(note, batch_no=command.batch_no, seen=run.batches)


@carries_out(VerifyBatch, "bureau", looks_at=_its_batch)
def verify_batch(ledger: Ledger, command: VerifyBatch, note: Note) -> None:
    _batch(ledger, command.batch_no).verify(note)


@carries_out(PostNotice, "township", "centre", looks_at=_its_batch)
def post_notice(ledger: Ledger, command: PostNotice, note: Note) -> None:
    least = ledger.book.ruling("notice_days", command.effective_on, ledger.today()).number
    _batch(ledger, command.batch_no).post_notice(
        note,
        level=command.level,
        place=command.place,
        until_on=command.until_on,
        least_days=least,
    )


@carries_out(
    RaiseObjection,
    "township",
    "bank",
    "centre",
    "bureau",
    "finance",
    "auditor",
    looks_at=_its_batch,
)
def raise_objection(ledger: Ledger, command: RaiseObjection, note: Note) -> None:
    _batch(ledger, command.batch_no).object(
        note, objection_no=command.ref, line=command.line, reason=command.reason
    )


@carries_out(ResolveObjection, "centre", "bureau", looks_at=_its_batch)
def resolve_objection(ledger: Ledger, command: ResolveObjection, note: Note) -> None:
    """Answer it; what was upheld of a loan's line is recorded on the loan, where it lasts."""
    line = _batch(ledger, command.batch_no).resolve(
        note,
        objection_no=command.objection_no,
        upheld=command.upheld,
        reason=command.reason,
        finding=command.finding,
        amount_fen=command.amount_fen,
    )
    if line is not None and command.finding is not None:
        ledger.aggregate(Loan, line.loan_id).limit_subsidy(
            note,
            line=line,
            batch_no=command.batch_no,
            objection_no=command.objection_no,
            finding=command.finding,
            amount_fen=command.amount_fen,
            reason=command.reason,
        )


@carries_out(LiftLimit, "centre", "bureau", looks_at=_its_batch)
def lift_limit(ledger: Ledger, command: LiftLimit, note: Note) -> None:
    if note.document is None:
        raise GroundMissing
    line = _batch(ledger, command.batch_no).lift(note, objection_no=command.objection_no)
    ledger.aggregate(Loan, line.loan_id).lift_limit(
        note,
        batch_no=command.batch_no,
        objection_no=command.objection_no,
        reason=command.reason,
    )


@carries_out(ApproveBatch, "finance", looks_at=_its_batch)
def approve_batch(ledger: Ledger, command: ApproveBatch, note: Note) -> None:
    """Approve, and reserve the money in the same breath: of two approvals only one gets it."""
    batch = _batch(ledger, command.batch_no)
    today, book = ledger.today(), ledger.book
    amount_fen = batch.approve(
        note,
        levels=book.ruling("notice_levels", command.effective_on, today).words,
        least_days=book.ruling("notice_days", command.effective_on, today).number,
        recorded_on=lambda version: ledger.recorded_on(batch.id, version),
    )
    _fund(ledger, batch.year).reserve(
        note, year=batch.year, batch_no=batch.batch_no, amount_fen=amount_fen
    )


@carries_out(ReturnBatch, "centre", "bureau", "finance", looks_at=_its_batch)
def return_batch(ledger: Ledger, command: ReturnBatch, note: Note) -> None:
    batch = _batch(ledger, command.batch_no)
    _release(ledger, batch, note, batch.give_back(note, reason=command.reason))


@carries_out(OrderPayment, "finance", looks_at=_its_batch)
def order_payment(ledger: Ledger, command: OrderPayment, note: Note) -> None:
    """Tell a bank to pay, after each line was judged once more on all that is known now."""
    batch = _batch(ledger, command.batch_no)
    its_loans = [line.loan_id for line in batch.reserved if line.bank == command.bank]
    _fetch_with_siblings(ledger, its_loans)

    def left_fen(line: Line) -> int:
        loan = ledger.aggregate(Loan, line.loan_id)
        if not loan.exists:
            return 0
        try:
            due, _ = subsidy_due(ledger, loan, Period(line.first, line.until))
        except NoRuling:  # it cannot be judged any more: it is held, the others are paid
            return 0
        most_fen = loan.most_fen(line.first, but_of=batch.batch_no)
        due_fen = due.amount_fen if most_fen is None else min(due.amount_fen, most_fen)
        return due_fen - loan.paid_at_most_fen(line.first, line.until, note.effective_on)

    held_fen = batch.order(note, bank=command.bank, left_fen=left_fen)
    _release(ledger, batch, note, held_fen)


@carries_out(TellResult, "bank", looks_at=_its_batch)
def tell_result(ledger: Ledger, command: TellResult, note: Note) -> None:
    """Record what a bank paid, loan by loan, and what it could not pay."""
    bank = note.by.organisation
    batch = _batch(ledger, command.batch_no)
    vouchers: dict[int, str] = {}
    failed: dict[int, str] = {}
    for place, item in enumerate(command.results):
        if item.line in vouchers or item.line in failed:
            raise ResultTwice(f"results/{place}/line", line=item.line)
        if item.paid and item.voucher is not None:
            vouchers[item.line] = item.voucher
        elif not item.paid and item.reason is not None:
            failed[item.line] = item.reason
        else:
            missing = "voucher" if item.paid else "reason"
            raise ResultIncomplete(f"results/{place}/{missing}", line=item.line, missing=missing)
    places = {item.line: f"results/{place}" for place, item in enumerate(command.results)}
    batch.assure_waiting(bank, places)
    ledger.fetch_ahead(Loan, [batch.lines[line].loan_id for line in vouchers])
    told = [(places[item.line], item, batch.lines[item.line]) for item in command.results]
    payees = assure_as_ordered(ledger, batch, told)
    paid, failed_fen = batch.tell_result(note, bank=bank, paid=list(vouchers), failed=failed)
    _warn_of_shared(batch, command)
    for line in paid:
        _receive(ledger, batch, line, note, payee=payees[line.line], voucher=vouchers[line.line])
    if paid:
        paid_fen = sum(line.amount_fen for line in paid)
        _fund(ledger, batch.year).spend(
            note, year=batch.year, batch_no=batch.batch_no, amount_fen=paid_fen
        )
    _release(ledger, batch, note, failed_fen)


@carries_out(CorrectResult, "bank", looks_at=_its_batch)
def correct_result(ledger: Ledger, command: CorrectResult, note: Note) -> None:
    """Put a bank's own results right: each correction names the result that it corrects.

    What was paid after all is recorded also when its money was freed and used meanwhile.
    """
    if note.document is None:
        raise GroundMissing
    batch = _batch(ledger, command.batch_no)
    places: dict[int, tuple[str, bool]] = {}
    for number, item in enumerate(command.corrections):
        place = f"corrections/{number}"
        if item.line in places:
            raise ResultTwice(f"{place}/line", line=item.line)
        if item.paid and item.voucher is None:
            raise ResultIncomplete(f"{place}/voucher", line=item.line, missing="voucher")
        places[item.line] = (place, item.paid)
    batch.assure_answered(note, places)
    ledger.fetch_ahead(Loan, [batch.lines[line].loan_id for line in places])
    told = [(places[i.line][0], i, batch.lines[i.line]) for i in command.corrections]
    payees = assure_as_ordered(ledger, batch, told)
    for item in command.corrections:
        line = batch.lines[item.line]
        voucher = item.voucher if item.paid else None
        payment_no, version = batch.correct_result(
            note, line=line, voucher=voucher, reason=item.reason
        )
        if voucher is not None:
            _receive(ledger, batch, line, note, payee=payees[item.line], voucher=voucher)
        else:
            ledger.aggregate(Loan, line.loan_id).take_back_payment(
                note,
                payment_no=payment_no,
                line=line,
                batch_no=batch.batch_no,
                version=version,
                reason=item.reason,
            )
    _follow(ledger, batch, note, [item.line for item in command.corrections])


def _follow(ledger: Ledger, batch: Batch, note: Note, lines: Iterable[int]) -> None:
    """Let the year's money follow what is now said of these lines."""
    paid_fen = back_fen = 0
    for line in lines:
        amount_fen = batch.lines[line].amount_fen
        if batch.answers[line].said == "paid":
            paid_fen += amount_fen
        else:
            back_fen += amount_fen
    fund = _fund(ledger, batch.year)
    if back_fen:
        fund.take_back(note, year=batch.year, batch_no=batch.batch_no, amount_fen=back_fen)
    if paid_fen:
        fund.spend_unreserved(note, year=batch.year, batch_no=batch.batch_no, amount_fen=paid_fen)


def _receive(
    ledger: Ledger, batch: Batch, line: Line, note: Note, *, payee: str, voucher: str
) -> None:
    """Record on the loan that a line was paid."""
    loan = ledger.aggregate(Loan, line.loan_id)
    loan.receive_subsidy(
        note,
        line=line,
        payment_no=batch.payment_no(line.line),
        batch_id=batch.id,
        batch_no=batch.batch_no,
        payee=payee,
        voucher=voucher,
        grounds={
            "household_category": line.category,
            "loan_version": loan.version,
            "seen_position": batch.seen_position,
        },
    )


def _warn_of_shared(batch: Batch, command: TellResult) -> None:
    """One voucher stands for two lines: recorded as the bank reports it, and said."""
    seen: set[str] = set()
    for place, item in enumerate(command.results):
        if item.voucher is None or not item.paid:
            continue
        if item.voucher in seen:
            batch.warn(voucher_used(item.voucher, f"results/{place}/voucher"))
        seen.add(item.voucher)


def _fetch_with_siblings(ledger: Ledger, loans: Iterable[UUID]) -> None:
    """What judging these loans will look at, in three questions instead of thousands."""
    homes = {loan.household_id for loan in ledger.fetch_ahead(Loan, loans)} - {None}
    households = ledger.fetch_ahead(Household, cast(set[UUID], homes))
    ledger.fetch_ahead(Loan, (id for home in households for id in home.borrowed.values()))


def _release(ledger: Ledger, batch: Batch, note: Note, amount_fen: int) -> None:
    if amount_fen:
        _fund(ledger, batch.year).release(
            note, year=batch.year, batch_no=batch.batch_no, amount_fen=amount_fen
        )


# ---- the money ------------------------------------------------------------------------


@carries_out(AllocateFund, "finance", looks_at=_its_fund)
def allocate_fund(
    ledger: Ledger, command: AllocateFund, note: Note, replaces: int | None = None
) -> None:
    budget = target("budget_fen", command.year, ledger.today(), ledger.book)
    _fund(ledger, command.year).allocate(
        note,
        year=command.year,
        amount_fen=command.amount_fen,
        voucher=command.voucher,
        budget_fen=None if budget is None else budget.number,
        replaces=replaces,
    )


@carries_out(TransferFund, "finance", looks_at=_its_fund)
def transfer_fund(
    ledger: Ledger, command: TransferFund, note: Note, replaces: int | None = None
) -> None:
    _fund(ledger, command.year).transfer(
        note,
        year=command.year,
        payer=command.payer,
        payee=command.payee,
        amount_fen=command.amount_fen,
        purpose=command.purpose,
        voucher=command.voucher,
        replaces=replaces,
    )


REPLACED_BY[Fund.Allocated.TOPIC] = (AllocateFund, allocate_fund)
REPLACED_BY[Fund.Transferred.TOPIC] = (TransferFund, transfer_fund)
