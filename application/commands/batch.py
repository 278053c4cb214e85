"""Commands about a subsidy batch (贴息批次): proposal, notices, objections, approval, payment."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, cast
from uuid import UUID

from pydantic import FailFast, Field

from application.command import Command, Reads
from application.commands.fund import fund_of
from application.commands.result_check import OrderedValues, assure_as_ordered
from application.commands.subsidy import subsidy_due
from application.fields import (
    Day,
    Fen,
    Flag,
    Known,
    LineNo,
    Name,
    NewNumber,
    Number,
    Quarter,
    Reference,
    Text,
    Why,
)
from application.ledger import Ledger
from application.refusals import ResultIncomplete, ResultTwice
from domain.batch import Batch, BatchRegister, Level, Line, NothingToPay, Run
from domain.calendar import Period, named_quarter
from domain.household import Household
from domain.kernel import Author, CommandContext, voucher_used
from domain.loan import Loan
from domain.policy import NoRuling
from domain.programme import GroundMissing
from domain.roles import Role
from domain.subsidy_limit import ObjectionFinding


class OfBatch(Command):
    """A command about one batch."""

    batch_no: Number

    def reads(self, by: Author) -> Reads:
        return ((Batch.id_for(self.batch_no), Batch),)

    def batch(self, ledger: Ledger) -> Batch:
        batch = ledger.aggregate(Batch, Batch.id_for(self.batch_no))
        batch.batch_no = self.batch_no
        return batch


# ---- proposal and verification --------------------------------------------------------


class ProposeBatch(OfBatch):
    """The service works out the lines on all it knows now; the same `ref` again changes nothing.

    `estimate`: for a quarter that is not over.
    """

    TYPE, SUMMARY = "batch", "批次提出 propose a batch of what is due"
    ROLES, PATH = (Role.CENTRE,), "/batches"
    NEEDS_ANSWER = True  # application.workflows.propose_batch runs the settlement first

    batch_no: Annotated[NewNumber, Field(max_length=40)]
    period: Quarter
    bank: Number | None = None
    township: Number | None = None
    estimate: Flag = False
    _run: Run | None = None

    def listing(self, run: Run) -> ProposeBatch:
        """This proposal, with the settlement run that it lists; no part of its content."""
        listing = self.model_copy()
        listing._run = run
        return listing

    def reads(self, by: Author) -> Reads:
        return (*super().reads(by), (BatchRegister.the_id(), BatchRegister))

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        """List what the run found, if no other batch was proposed since it looked."""
        run = self._run
        if run is None:
            raise NothingToPay
        period = named_quarter(self.period, ledger.book)
        mode = ledger.book.ruling("payment_mode", self.effective_on, ledger.today()).words
        self.batch(ledger).propose(
            context,
            batch_no=self.batch_no,
            period=self.period,
            first=period.first,
            until=period.until,
            year=period.last.year,
            mode="bank" if mode == ("bank",) else "household",
            bank=self.bank,
            township=self.township,
            seen_position=run.position,
            lines=run.lines,
            estimate=self.estimate,
        )
        if not self.estimate:
            register = ledger.aggregate(BatchRegister, BatchRegister.the_id())
            register.enter(context, batch_no=self.batch_no, seen=run.batches)


class VerifyBatch(OfBatch):
    TYPE, SUMMARY = "batch-verification", "批次核实 verify a batch"
    ROLES, PATH = (Role.BUREAU,), "/batches/{batch_no}/verification"

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        self.batch(ledger).verify(context)


class PostNotice(OfBatch):
    """Posted on `effective_on`; `until_on` is the last day it stands."""

    TYPE, SUMMARY = "notice", "公示 post a notice"
    ROLES, PATH = (Role.TOWNSHIP, Role.CENTRE), "/batches/{batch_no}/notices"

    level: Level
    place: Text
    until_on: Day

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        least = ledger.book.ruling("notice_days", self.effective_on, ledger.today()).number
        self.batch(ledger).post_notice(
            context,
            level=self.level,
            place=self.place,
            until_on=self.until_on,
            least_days=least,
        )


# ---- objections -----------------------------------------------------------------------


class RaiseObjection(OfBatch):
    """`ref` is the objection's number; `line` is left out when the whole batch is meant."""

    TYPE, SUMMARY = "objection", "异议 object to a batch or a line"
    ROLES = (Role.TOWNSHIP, Role.BANK, Role.CENTRE, Role.BUREAU, Role.FINANCE, Role.AUDITOR)
    PATH = "/batches/{batch_no}/objections"

    line: LineNo | None = None
    reason: Why

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        self.batch(ledger).object(
            context, objection_no=self.ref, line=self.line, reason=self.reason
        )


class ResolveObjection(OfBatch):
    """`finding`: what was upheld, which lasts; `amount_fen`: what is right for that quarter."""

    TYPE, SUMMARY = "objection-resolution", "异议处理 resolve an objection"
    ROLES, PATH = (Role.CENTRE, Role.BUREAU), "/batches/{batch_no}/resolutions"

    objection_no: Known
    upheld: Flag
    reason: Why
    finding: ObjectionFinding | None = None
    amount_fen: Fen | None = None

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        """Answer it; what was upheld of a loan's line is recorded on the loan, where it lasts."""
        line = self.batch(ledger).resolve(
            context,
            objection_no=self.objection_no,
            upheld=self.upheld,
            reason=self.reason,
            finding=self.finding,
            amount_fen=self.amount_fen,
        )
        if line is not None and self.finding is not None:
            ledger.aggregate(Loan, line.loan_id).limit_subsidy(
                context,
                line=line,
                batch_no=self.batch_no,
                objection_no=self.objection_no,
                finding=self.finding,
                amount_fen=self.amount_fen,
                reason=self.reason,
            )


class LiftLimit(OfBatch):
    """What an upheld objection left binds no more; a document is the ground."""

    TYPE, SUMMARY = "limit-lifting", "解除贴息限定 lift what an upheld objection left"
    ROLES, PATH = (Role.CENTRE, Role.BUREAU), "/batches/{batch_no}/liftings"

    objection_no: Known
    reason: Why

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        if context.document is None:
            raise GroundMissing
        line = self.batch(ledger).lift(context, objection_no=self.objection_no)
        ledger.aggregate(Loan, line.loan_id).lift_limit(
            context,
            batch_no=self.batch_no,
            objection_no=self.objection_no,
            reason=self.reason,
        )


# ---- approval, return, order ----------------------------------------------------------


class ApproveBatch(OfBatch):
    TYPE, SUMMARY = "batch-approval", "批准 approve a batch"
    ROLES, PATH = (Role.FINANCE,), "/batches/{batch_no}/approval"

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        """Approve, and reserve the money with it: of two approvals only one gets it."""
        batch = self.batch(ledger)
        today, book = ledger.today(), ledger.book
        amount_fen = batch.approve(
            context,
            levels=book.ruling("notice_levels", self.effective_on, today).words,
            least_days=book.ruling("notice_days", self.effective_on, today).number,
            recorded_on=lambda version: ledger.recorded_on(batch.id, version),
        )
        fund_of(ledger, batch.year).reserve(
            context, year=batch.year, batch_no=batch.batch_no, amount_fen=amount_fen
        )


class ReturnBatch(OfBatch):
    TYPE, SUMMARY = "batch-return", "退回 return a batch"
    ROLES = (Role.CENTRE, Role.BUREAU, Role.FINANCE)
    PATH = "/batches/{batch_no}/return"

    reason: Why

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        batch = self.batch(ledger)
        _release(ledger, batch, context, batch.give_back(context, reason=self.reason))


class OrderPayment(OfBatch):
    """Every line is judged once more; what is due less by now is held and its money freed."""

    TYPE, SUMMARY = "payment-order", "拨付指令 order a bank to pay"
    ROLES, PATH = (Role.FINANCE,), "/batches/{batch_no}/orders"
    READS_MANY = True

    bank: Number

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        batch = self.batch(ledger)
        its_loans = [line.loan_id for line in batch.reserved if line.bank == self.bank]
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
            return due_fen - loan.paid_at_most_fen(line.first, line.until, context.effective_on)

        held_fen = batch.order(context, bank=self.bank, left_fen=left_fen)
        _release(ledger, batch, context, held_fen)


def _fetch_with_siblings(ledger: Ledger, loans: Iterable[UUID]) -> None:
    """What judging these loans will read, in three queries instead of thousands."""
    homes = {loan.household_id for loan in ledger.fetch_ahead(Loan, loans)} - {None}
    households = ledger.fetch_ahead(Household, cast(set[UUID], homes))
    ledger.fetch_ahead(Loan, (id for home in households for id in home.borrowed.values()))


def _release(ledger: Ledger, batch: Batch, context: CommandContext, amount_fen: int) -> None:
    if amount_fen:
        fund_of(ledger, batch.year).release(
            context, year=batch.year, batch_no=batch.batch_no, amount_fen=amount_fen
        )


# ---- what the bank reports ------------------------------------------------------------


class ResultItem(OrderedValues):
    """What became of one line: paid under the bank's own number, or not and why."""

    line: LineNo
    paid: Flag
    voucher: Reference | None = None
    reason: Text | None = None


class TellResult(OfBatch):
    """What a bank paid, loan by loan, and what it could not pay."""

    TYPE, SUMMARY = "payment-result", "拨付回盘 what a bank paid"
    ROLES, PATH = (Role.BANK,), "/batches/{batch_no}/results"
    READS_MANY = True

    results: Annotated[list[ResultItem], Field(min_length=1, max_length=30_000), FailFast()]

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        bank = context.by.organisation
        batch = self.batch(ledger)
        vouchers, failed = self._answers()
        places = {item.line: f"results/{place}" for place, item in enumerate(self.results)}
        batch.assure_waiting(bank, places)
        ledger.fetch_ahead(Loan, [batch.lines[line].loan_id for line in vouchers])
        told = [(places[item.line], item, batch.lines[item.line]) for item in self.results]
        payees = assure_as_ordered(ledger, batch, told)
        paid, failed_fen = batch.tell_result(context, bank=bank, paid=list(vouchers), failed=failed)
        self._warn_of_shared(batch)
        for line in paid:
            payee, voucher = payees[line.line], vouchers[line.line]
            _receive(ledger, batch, line, context, payee=payee, voucher=voucher)
        if paid:
            paid_fen = sum(line.amount_fen for line in paid)
            fund_of(ledger, batch.year).spend(
                context, year=batch.year, batch_no=batch.batch_no, amount_fen=paid_fen
            )
        _release(ledger, batch, context, failed_fen)

    def _answers(self) -> tuple[dict[int, str], dict[int, str]]:
        """By line: the voucher of what was paid, the reason of what was not.

        Raises ResultTwice, ResultIncomplete.
        """
        vouchers: dict[int, str] = {}
        failed: dict[int, str] = {}
        for place, item in enumerate(self.results):
            if item.line in vouchers or item.line in failed:
                raise ResultTwice(f"results/{place}/line", line=item.line)
            if item.paid and item.voucher is not None:
                vouchers[item.line] = item.voucher
            elif not item.paid and item.reason is not None:
                failed[item.line] = item.reason
            else:
                missing = "voucher" if item.paid else "reason"
                field = f"results/{place}/{missing}"
                raise ResultIncomplete(field, line=item.line, missing=missing)
        return vouchers, failed

    def _warn_of_shared(self, batch: Batch) -> None:
        """One voucher stands for two lines: recorded as the bank reports it, with a warning."""
        seen: set[str] = set()
        for place, item in enumerate(self.results):
            if item.voucher is None or not item.paid:
                continue
            if item.voucher in seen:
                batch.warn(voucher_used(item.voucher, f"results/{place}/voucher"))
            seen.add(item.voucher)


class ResultCorrectionItem(OrderedValues):
    """What became of one line in truth: paid after all, or not: what was paid came back (退票)."""

    line: LineNo
    paid: Flag
    voucher: Name | None = None
    reason: Text


class CorrectResult(OfBatch):
    """Not paid, but it was; or paid, but it came back (退票). Money follows from `effective_on`.

    The bank's document is the ground.
    """

    TYPE = "payment-result-correction"
    SUMMARY = "回盘更正 put a bank's own results right, by its document"
    ROLES, PATH = (Role.BANK,), "/batches/{batch_no}/result-corrections"
    READS_MANY = True

    corrections: Annotated[list[ResultCorrectionItem], Field(min_length=1, max_length=30_000)]

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        """Each correction names the result that it corrects.

        What was paid after all is recorded also when its money was freed and used meanwhile.
        """
        if context.document is None:
            raise GroundMissing
        batch = self.batch(ledger)
        places = self._places()
        batch.assure_answered(context, places)
        ledger.fetch_ahead(Loan, [batch.lines[line].loan_id for line in places])
        told = [(places[i.line][0], i, batch.lines[i.line]) for i in self.corrections]
        payees = assure_as_ordered(ledger, batch, told)
        for item in self.corrections:
            _correct_line(ledger, batch, context, item, payees[item.line])
        _follow(ledger, batch, context, [item.line for item in self.corrections])

    def _places(self) -> dict[int, tuple[str, bool]]:
        """By line: where its correction stands, whether it was paid.

        Raises ResultTwice, ResultIncomplete.
        """
        places: dict[int, tuple[str, bool]] = {}
        for number, item in enumerate(self.corrections):
            place = f"corrections/{number}"
            if item.line in places:
                raise ResultTwice(f"{place}/line", line=item.line)
            if item.paid and item.voucher is None:
                raise ResultIncomplete(f"{place}/voucher", line=item.line, missing="voucher")
            places[item.line] = (place, item.paid)
        return places


def _correct_line(
    ledger: Ledger, batch: Batch, context: CommandContext, item: ResultCorrectionItem, payee: str
) -> None:
    line = batch.lines[item.line]
    voucher = item.voucher if item.paid else None
    payment_no, version = batch.correct_result(
        context, line=line, voucher=voucher, reason=item.reason
    )
    if voucher is not None:
        _receive(ledger, batch, line, context, payee=payee, voucher=voucher)
    else:
        ledger.aggregate(Loan, line.loan_id).take_back_payment(
            context,
            payment_no=payment_no,
            line=line,
            batch_no=batch.batch_no,
            version=version,
            reason=item.reason,
        )


def _follow(ledger: Ledger, batch: Batch, context: CommandContext, lines: Iterable[int]) -> None:
    """Let the year's money follow what is now said of these lines."""
    paid_fen = back_fen = 0
    for line in lines:
        amount_fen = batch.lines[line].amount_fen
        if batch.answers[line].said == "paid":
            paid_fen += amount_fen
        else:
            back_fen += amount_fen
    fund = fund_of(ledger, batch.year)
    if back_fen:
        fund.take_back(context, year=batch.year, batch_no=batch.batch_no, amount_fen=back_fen)
    if paid_fen:
        fund.spend_unreserved(
            context, year=batch.year, batch_no=batch.batch_no, amount_fen=paid_fen
        )


def _receive(
    ledger: Ledger, batch: Batch, line: Line, context: CommandContext, *, payee: str, voucher: str
) -> None:
    """Record on the loan that a line was paid."""
    loan = ledger.aggregate(Loan, line.loan_id)
    loan.receive_subsidy(
        context,
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
