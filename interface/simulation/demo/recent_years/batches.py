"""The quarters from 2025Q1 on: each paid by a batch; the newest stands in every stage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from itertools import count
from typing import Any, Final

from msgspec.structs import replace

from application.command import Command
from application.commands.batch import (
    ApproveBatch,
    CorrectResult,
    RaiseObjection,
    ResolveObjection,
    ReturnBatch,
    TellResult,
    VerifyBatch,
)
from application.fields import Ground
from domain.batch import Line, Run
from domain.calendar import DAY, Period, quarter, quarter_name
from domain.kernel import Author
from interface.simulation.demo.quarters import APPROVER, VERIFIER, Offices
from interface.simulation.demo.recent_years.desk import (
    BUREAU,
    CENTRE,
    SUPERVISOR,
    Act,
    Desk,
    bank,
    township,
)
from interface.simulation.demo.recent_years.money import Money
from projections.facts.reading import Scope, View
from projections.settlement import Due, listed, settlement

FIRST: Final = "2025Q1"
"""What was left undone of earlier quarters is left to whoever tries a batch of his own."""
_PAID: Final = (
    *(quarter(2025, n) for n in (1, 2, 3, 4)), quarter(2026, 1), quarter(2026, 2),
)  # fmt: skip
_LAST: Final = quarter(2026, 3)
_RETURNED: Final = quarter(2025, 2)
_PROPOSED_ON, _LATER_ON = date(2026, 10, 12), date(2026, 11, 4)
_TOWNSHIPS_LATER: Final = 4
_LINES_OF_TOWNSHIP: Final = 60
_NOTICE: Final = 9 * DAY


class Batches(Offices):
    """Proposals, notices, objections, approvals, orders and results of the recent quarters."""

    def __init__(self, desk: Desk, money: Money, loans: Sequence[str]) -> None:
        """`loans`: the ids of all loans of the households that may be due anything by now."""
        super().__init__(desk.ledger, desk.facts, desk.projector)
        self.desk, self._money, self._only = desk, money, loans
        self._numbers = count(1)
        for period in _PAID:
            self._enter(period)
        desk.on(_PROPOSED_ON, self._propose_by_bank)
        desk.on(_LATER_ON, self._propose_later)
        desk.on(date(2026, 11, 19), self._estimate)

    # ---- quarters that are paid ---------------------------------------------------------

    def _enter(self, period: Period) -> None:
        batch_no, proposed = f"PC-{quarter_name(period)}", period.until + 9 * DAY
        if period == _RETURNED:
            self._enter_returned(period, batch_no, proposed)
            batch_no, proposed = f"{batch_no}-2", proposed + 12 * DAY
        self._enter_paid(period, batch_no, proposed)
        self._enter_objections(batch_no, proposed)
        self.desk.on(proposed + 40 * DAY, partial(self._correct_result, batch_no))

    def _enter_paid(self, period: Period, batch_no: str, proposed: date) -> None:
        desk, posted = self.desk, proposed + 2 * DAY
        steps = (
            (proposed, lambda: self._propose(batch_no, period, desk.today)),
            (proposed + DAY, partial(self._verify, batch_no)),
            (posted, lambda: self._post(batch_no, desk.today, desk.today + _NOTICE)),
            (posted + 13 * DAY, partial(self._approve, batch_no)),
            (posted + 14 * DAY, partial(self._order_all, batch_no)),
            (posted + 16 * DAY, lambda: self._answer(batch_no, desk.today, _fails)),
            (posted + 17 * DAY, lambda: self._recover(batch_no, desk.today)),
        )
        for on, act in steps:
            desk.on(on, act)

    def _enter_returned(self, period: Period, batch_no: str, proposed: date) -> None:
        """Verified, objected to as a whole, and returned."""
        self.desk.on(proposed, lambda: self._propose(batch_no, period, self.desk.today))
        self.desk.on(proposed + DAY, partial(self._verify, batch_no))
        self.desk.on(
            proposed + 3 * DAY,
            partial(self._object, batch_no, None, SUPERVISOR, "两个乡镇的户类别清册尚未更新"),
        )
        self.desk.on(proposed + 7 * DAY, partial(self._return, batch_no))

    def _enter_objections(self, batch_no: str, proposed: date) -> None:
        """One objection is dismissed, one upheld, while the notice stands."""
        self.desk.on(proposed + 4 * DAY, partial(self._object_to_lines, batch_no))
        self.desk.on(proposed + 7 * DAY, partial(self._resolve, batch_no))

    # ---- the newest quarter -------------------------------------------------------------

    def _propose_by_bank(self) -> None:
        """The smaller banks a batch each, the largest one a batch for each township."""
        run = self._found(_LAST)
        largest, *others = _by_number(run.lines, lambda line: line.bank)
        for stage, code in zip(("paid", "ordered", "approved", "returned"), others, strict=False):
            self._begin(run, Scope(bank=code), stage)
        places = _by_number([x for x in run.lines if x.bank == largest], lambda x: x.township)
        early = [code for place, code in enumerate(places) if not 1 <= place <= _TOWNSHIPS_LATER]
        for place, code in enumerate(early):
            stage = "paid" if place else "partly paid"
            self._begin(run, Scope(bank=largest, township=code), stage)

    def _propose_later(self) -> None:
        """What is left of the largest bank: one township in each stage before the approval."""
        run = self._found(_LAST)
        if not run.lines:
            return
        largest = _by_number(run.lines, lambda line: line.bank)[0]
        places = _by_number([x for x in run.lines if x.bank == largest], lambda x: x.township)
        stages = ("approvable", "in notice", "verified", "proposed")
        for stage, code in zip(stages, places, strict=False):
            self._begin(run, Scope(bank=largest, township=code), stage)

    def _begin(self, run: Run, scope: Scope, stage: str) -> None:
        """Propose what a settlement found of a scope, and enter the steps up to its stage."""
        lines = [
            line
            for line in run.lines
            if line.bank == scope.bank and scope.township in (None, line.township)
        ]
        batch_no = "-".join(filter(None, ("PC-2026Q3", scope.bank, scope.township)))
        own = Run(
            tuple(_numbered(lines)), run.position, run.batches + next(self._numbers) - 1
        )  # the scopes of one settlement share no line
        self._list(batch_no, _LAST, self.desk.today, own, scope)
        for on, act in self._stages(batch_no, stage):
            self.desk.on(on, act)

    def _stages(self, batch_no: str, stage: str) -> list[tuple[date, Act]]:
        """What follows the proposal, up to the stage that the batch is to stand in."""
        verify: Act = partial(self._verify, batch_no)
        approve: Act = partial(self._approve, batch_no)
        order: Act = partial(self._order_all, batch_no)
        early = self._noticed(batch_no, date(2026, 10, 13), date(2026, 10, 14))
        paid = [*early, (date(2026, 10, 26), approve), (date(2026, 10, 27), order)]
        late = self._noticed(batch_no, date(2026, 10, 26), date(2026, 10, 28))
        late.append((date(2026, 11, 16), approve))
        in_notice = self._noticed(batch_no, date(2026, 11, 13), date(2026, 11, 16))
        courses: dict[str, list[tuple[date, Act]]] = {
            "paid": [*paid, (date(2026, 10, 29), partial(self._pay, batch_no, True))],
            "partly paid": [*paid, (date(2026, 10, 29), partial(self._pay, batch_no, False))],
            "returned": [
                (date(2026, 10, 13), verify),
                (date(2026, 10, 21), partial(self._return, batch_no)),
            ],
            "ordered": [*late, (date(2026, 11, 18), order)],
            "approved": late,
            "approvable": self._noticed(batch_no, date(2026, 11, 5), date(2026, 11, 6)),
            "in notice": [
                *in_notice,
                (date(2026, 11, 18), partial(self._object_to_lines, batch_no)),
            ],
            "verified": [(date(2026, 11, 18), verify)],
        }
        return courses.get(stage, [])

    def _noticed(self, batch_no: str, verified: date, posted: date) -> list[tuple[date, Act]]:
        return [
            (verified, partial(self._verify, batch_no)),
            (posted, lambda: self._post(batch_no, self.desk.today, self.desk.today + _NOTICE)),
        ]

    def _estimate(self) -> None:
        """What the running quarter will cost, ahead of its end."""
        period = quarter(2026, 4)
        run = self._found(period)
        self._list("CS-2026Q4", period, self.desk.today, run, Scope())

    # ---- the steps ----------------------------------------------------------------------

    def _run(self, view: View, period: Period) -> Run:
        return listed(view, self._due(view, period))

    def _found(self, period: Period) -> Run:
        self._numbers = count(1)
        with self.desk.view() as view:
            return self._run(view, period)

    def _due(self, view: View, period: Period) -> list[Due]:
        found = settlement(view, period, only=self._only)
        return [due for due in found if due.name >= FIRST]

    def _verify(self, batch_no: str) -> None:
        self._step(VerifyBatch, batch_no, self.desk.today, VERIFIER)

    def _approve(self, batch_no: str) -> None:
        """Approve it, once the money that it needs is there."""
        batch = self._batch(batch_no)
        self._money.cover(batch.year, sum(line.amount_fen for line in batch.payable))
        self._step(ApproveBatch, batch_no, self.desk.today, APPROVER)

    def _order_all(self, batch_no: str) -> None:
        """Order each bank to pay, and have the cash go to it."""
        self._order(batch_no, self.desk.today)
        batch = self._batch(batch_no)
        ordered = [line for line in batch.reserved if line.line in batch.ordered]
        for code in sorted({line.bank for line in ordered}):
            fen = sum(line.amount_fen for line in ordered if line.bank == code)
            self._money.send(batch.year, code, fen, batch_no)

    def _return(self, batch_no: str) -> None:
        batch = self._batch(batch_no)
        if batch.stage:
            reason = "户类别清册更新后重新提出" if batch.objections else "附件不全，补齐后重新提出"
            told = {"ref": f"TH-{batch_no}", "effective_on": self.desk.today, "batch_no": batch_no}
            self.desk.submit(ReturnBatch(reason=reason, **told), CENTRE)

    def _object(self, batch_no: str, line: int | None, by: Author, reason: str) -> None:
        ref = f"YY-{batch_no}-{line or 0}"
        told = {"ref": ref, "effective_on": self.desk.today, "batch_no": batch_no}
        if self._batch(batch_no).stage:
            self.desk.submit(RaiseObjection(line=line, reason=reason, **told), by)

    def _object_to_lines(self, batch_no: str) -> None:
        reasons = ("村民反映：贷款未用于申报的项目", "户主称贷款已提前还清")
        for line, reason in zip(self._objected(batch_no), reasons, strict=False):
            self._object(batch_no, line.line, township(line.township), reason)

    def _objected(self, batch_no: str) -> list[Line]:
        """Of one line or two, never of all that there are."""
        lines = [x for x in self._batch(batch_no).payable if x.kind == "subsidy"]
        return [lines[len(lines) // 3], lines[-1]][: len(lines) - 1] if lines else []

    def _resolve(self, batch_no: str) -> None:
        """The first is upheld in one quarter of two, the second never."""
        for place, number in enumerate(sorted(self._batch(batch_no).objections)):
            told: dict[str, Any] = {
                "ref": f"{number}-CL",
                "effective_on": self.desk.today,
                "batch_no": batch_no,
                "objection_no": number,
            }
            if place or batch_no[-1] in "13":
                reason = "经核查，用途与申报一致，还款尚未到账"
                answer = ResolveObjection(upheld=False, reason=reason, **told)
            else:
                reason = "入户核实：本季度应贴金额按实际占用减半"
                fen = self._batch(batch_no).lines[int(number.rsplit("-", 1)[1])].amount_fen // 2
                answer = ResolveObjection(
                    upheld=True, reason=reason, finding="amount", amount_fen=fen, **told
                )
            self.desk.submit(answer, BUREAU)

    def _pay(self, batch_no: str, whole: bool) -> None:
        """The bank's results; of a batch partly paid those of its first lines alone.

        Of a township's few lines none fails.
        """
        if whole:
            few = len(self._batch(batch_no).lines) <= _LINES_OF_TOWNSHIP
            self._answer(batch_no, self.desk.today, _none_fails if few else _fails)
            return
        lines = self._batch(batch_no).reserved
        for code in sorted({line.bank for line in lines}):
            own = [line for line in lines if line.bank == code]
            results = [
                {"line": line.line, "paid": True, "voucher": f"{code}-261029-{line.line}"}
                for line in own[: max(1, len(own) // 2)]
            ]
            told = {"ref": f"HP-{batch_no}", "effective_on": self.desk.today, "batch_no": batch_no}
            result = TellResult.model_validate({**told, "results": results})
            self.desk.submit(result, bank(code))

    def _correct_result(self, batch_no: str) -> None:
        """One payment came back (退票); one that failed was paid after all."""
        batch = self._batch(batch_no)
        wanted = {"paid": False, "failed": True}
        for said, paid in wanted.items():
            line = next((n for n, answer in batch.answers.items() if answer.said == said), None)
            if line is None:
                continue
            item: dict[str, Any] = {"line": line, "paid": paid, "reason": "账户已注销，款项退回"}
            if paid:
                item |= {"voucher": f"BF-{batch_no}-{line}", "reason": "换卡后补发成功"}
            code = batch.lines[line].bank
            told = {
                "ref": f"GZ-{batch_no}-{line}",
                "effective_on": self.desk.today,
                "batch_no": batch_no,
                "ground": Ground(document=f"退票清单〔{self.desk.today.year}〕{line}号"),
                "corrections": [item],
            }
            self.desk.submit(CorrectResult.model_validate(told), bank(code))

    def _submit(self, command: Command, by: Author) -> None:
        self.desk.submit(command, by)


def _none_fails(_: Line) -> bool:
    return False


def _fails(line: Line) -> bool:
    """One account in sixty is closed."""
    return line.line % 60 == 17 and line.kind == "subsidy"


def _by_number(lines: Sequence[Line], of: Callable[[Line], str]) -> list[str]:
    """What lines have in common, the most frequent first."""
    counted = Counter(map(of, lines))
    return sorted(counted, key=lambda each: (-counted[each], each))


def _numbered(lines: Sequence[Line]) -> list[Line]:
    return [replace(line, line=number) for number, line in enumerate(lines, 1)]
