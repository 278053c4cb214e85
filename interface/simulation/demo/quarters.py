"""A quarter's subsidies on their way through the offices: run, batch, notices, order, results."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any, Final

from application.command import Command
from application.commands.batch import (
    ApproveBatch,
    OrderPayment,
    PostNotice,
    ProposeBatch,
    TellResult,
    VerifyBatch,
)
from application.commands.fund import AllocateFund, TransferFund
from application.commands.programme import RulingItem, SetRulings
from application.commands.subsidy import RecoverSubsidy
from application.fields import Ground
from application.ledger import Ledger, Submission
from domain.batch import Batch, Line, Run
from domain.calendar import DAY, Period, quarter_name
from domain.kernel import Author, Refused
from domain.loan import Loan
from domain.plan_check import target
from domain.roles import Role
from projections.facts.draw import Projector
from projections.facts.reading import COUNTY, Facts, Scope, View
from projections.settlement import run_of

CENTRE: Final = Author(Role.CENTRE, "CENTRE", "centre-01")
VERIFIER: Final = Author(Role.BUREAU, "BUREAU", "bureau-02")
APPROVER: Final = Author(Role.FINANCE, "FINANCE", "fin-02")
CASHIER: Final = Author(Role.FINANCE, "FINANCE", "fin-03")
_NOTICE_DAYS: Final = 10

Step = tuple[date, Callable[[], None]]


def _none_fails(_: Line) -> bool:
    return False


class Offices:
    """The county's offices at work on its batches. Each step is taken when its day has come."""

    def __init__(
        self, ledger: Ledger, facts: Facts, projector: Projector, scope: Scope = COUNTY
    ) -> None:
        self._ledger, self._facts, self._projector = ledger, facts, projector
        self._scope = scope

    def grant(self, year: int, amount_fen: int, on: date) -> None:
        """The year's budget is set, allocated, and its cash goes to the subsidy account."""
        begins = date(year, 1, 1)
        if target("budget_fen", year, self._ledger.today(), self._ledger.book) is None:
            ground = Ground(document=f"邓财预〔{year}〕1号")
            rule = RulingItem(rule="budget_fen", value=amount_fen)
            ruling = SetRulings(
                ref=f"YS-{year}", effective_on=begins, ground=ground, rulings=[rule]
            )
            self._submit(ruling, CASHIER)
        voucher = f"XD-{year}"
        told: dict[str, Any] = {"effective_on": on, "year": year, "amount_fen": amount_fen}
        self._submit(AllocateFund(ref=voucher, voucher=voucher, **told), CASHIER)
        cash: dict[str, Any] = {"payer": "国库", "payee": "贴息专户", "purpose": "贴息资金"}
        self._submit(TransferFund(ref=f"HB-{year}", voucher=voucher, **cash, **told), CASHIER)

    def steps(
        self,
        period: Period,
        *,
        fails: Callable[[Line], bool] = _none_fails,
        batch_no: str | None = None,
        proposed: date | None = None,
    ) -> Iterator[Step]:
        """The days and steps by which a quarter is paid; `fails`: what a bank cannot pay."""
        batch_no = batch_no or f"PC-{quarter_name(period)}"
        proposed = proposed or period.until + 9 * DAY
        posted = proposed + 2 * DAY
        over = posted + (_NOTICE_DAYS - 1) * DAY
        yield proposed, lambda: self._propose(batch_no, period, proposed)
        yield proposed + DAY, lambda: self._step(VerifyBatch, batch_no, proposed + DAY, VERIFIER)
        yield posted, lambda: self._post(batch_no, posted, over)
        yield over + DAY, lambda: self._step(ApproveBatch, batch_no, over + DAY, APPROVER)
        yield over + 2 * DAY, lambda: self._order(batch_no, over + 2 * DAY)
        yield over + 4 * DAY, lambda: self._answer(batch_no, over + 4 * DAY, fails)
        yield over + 5 * DAY, lambda: self._recover(batch_no, over + 5 * DAY)

    # ---- the steps --------------------------------------------------------------------

    def _propose(self, batch_no: str, period: Period, on: date) -> None:
        self._projector.catch_up()
        with self._facts.at(on) as view:
            run = self._run(view, period)
        self._list(batch_no, period, on, run, self._scope)

    def _run(self, view: View, period: Period) -> Run:
        """What is due."""
        return run_of(view, period, scope=self._scope)

    def _list(self, batch_no: str, period: Period, on: date, run: Run, scope: Scope) -> None:
        if run.lines:
            self._submit(
                ProposeBatch(
                    ref=batch_no,
                    effective_on=on,
                    batch_no=batch_no,
                    period=quarter_name(period),
                    bank=scope.bank,
                    township=scope.township,
                    estimate=on < period.until,
                ).listing(run),
                CENTRE,
            )

    def _post(self, batch_no: str, on: date, until_on: date) -> None:
        told: dict[str, Any] = {"effective_on": on, "until_on": until_on, "batch_no": batch_no}
        notices: list[Submission] = []
        for township in sorted({line.township for line in self._batch(batch_no).payable}):
            cadre = Author(Role.TOWNSHIP, township, f"{township.lower()}-01")
            for level, place in (("village", "村务公开栏"), ("township", "政务公开栏")):
                ref = f"GS-{batch_no}-{level}"
                notice = PostNotice(ref=ref, level=level, place=place, **told)
                notices.append(Submission(notice, cadre))
        if notices:
            ref = f"GS-{batch_no}"
            notice = PostNotice(ref=ref, level="county", place="政府网站", **told)
            notices.append(Submission(notice, CENTRE))
        for outcome in self._ledger.submit_all(notices):
            if isinstance(outcome, Refused):
                raise outcome

    def _order(self, batch_no: str, on: date) -> None:
        for bank in sorted({line.bank for line in self._batch(batch_no).reserved}):
            order = OrderPayment(
                ref=f"ZL-{batch_no}-{bank}", effective_on=on, batch_no=batch_no, bank=bank
            )
            self._submit(order, CASHIER)

    def _answer(self, batch_no: str, on: date, fails: Callable[[Line], bool]) -> None:
        batch = self._batch(batch_no)
        for bank in sorted({line.bank for line in batch.reserved}):
            results = [
                {"line": line.line, "paid": False, "reason": "账户已销户"}
                if fails(line)
                else {"line": line.line, "paid": True, "voucher": f"{bank}-{on:%y%m%d}-{line.line}"}
                for line in batch.reserved
                if line.bank == bank and line.line in batch.ordered
            ]
            if results:
                told = {"ref": f"HP-{batch_no}", "effective_on": on, "batch_no": batch_no}
                clerk = Author(Role.BANK, bank, f"{bank.lower()}-01")
                self._submit(TellResult.model_validate({**told, "results": results}), clerk)

    def _recover(self, batch_no: str, on: date) -> None:
        """What was paid too much is asked back and comes back."""
        for line in self._batch(batch_no).lines.values():
            if line.kind != "recovery":
                continue
            loan = self._ledger.aggregate(Loan, line.loan_id)
            left_fen = min(line.amount_fen, loan.paid_fen(line.first, line.until))
            for payment_no, paid in reversed(list(loan.paid.items())):
                of_it = min(left_fen, loan.kept_fen(payment_no))
                if paid.period != line.period or of_it <= 0:
                    continue
                left_fen -= of_it
                self._submit(
                    RecoverSubsidy(
                        ref=f"ZH-{batch_no}-{line.line}-{paid.version}",
                        effective_on=on,
                        loan_no=line.loan_no,
                        bank=line.bank,
                        payment_no=payment_no,
                        amount_fen=of_it,
                        reason="重算后多付",
                        voucher=f"ZH-{batch_no}",
                    ),
                    CASHIER,
                )

    def _step(self, kind: type[Command], batch_no: str, on: date, by: Author) -> None:
        if self._batch(batch_no).payable:
            told = {"ref": f"{kind.TYPE}-{batch_no}", "effective_on": on, "batch_no": batch_no}
            self._submit(kind.model_validate(told), by)

    def _batch(self, batch_no: str) -> Batch:
        return self._ledger.aggregate(Batch, Batch.id_for(batch_no))

    def _submit(self, command: Command, by: Author) -> None:
        self._ledger.submit(command, by)
