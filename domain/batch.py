"""A subsidy batch (贴息批次): proposed, verified, posted, approved, then paid or returned.

No two of its steps may be taken by the same person, in whatever role. What the centre lists is
judged again, line by line, when the money is ordered: a line that is due less by then is held.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, ClassVar, Final, Literal, NamedTuple
from uuid import UUID

import msgspec

from domain.kernel import (
    Aggregate,
    CommandContext,
    Event,
    Refused,
    Warned,
    identity,
    recorded_fields,
)
from domain.roles import Role
from domain.steps import assure_follows
from domain.subsidy_limit import ObjectionFinding

Mode = Literal["household", "bank"]
Kind = Literal["subsidy", "top_up", "recovery"]
Level = Literal["village", "township", "county"]
Said = Literal["paid", "failed", "returned"]
"""What became of an ordered line: the money went, did not go, or went and came back (退票)."""
LINES_A_LIST: Final = 500


class BatchUnknown(Refused):
    CODE, FIELD = "batch_unknown", "batch_no"
    ZH, EN = "没有这个贴息批次：{batch_no}", "no such batch: {batch_no}"


class BatchNumberTaken(Refused):
    CODE, FIELD = "batch_number_taken", "batch_no"
    ZH, EN = "批次号 {batch_no} 已使用", "the batch number {batch_no} is taken"


class PeriodNotOver(Refused):
    CODE, FIELD = "period_not_over", "period"
    ZH = "结息期 {period} 至 {until} 才结束：此前只能测算（estimate）"
    EN = "the settlement period {period} is not over before {until}: only an estimate can be made"


class NothingToPay(Refused):
    CODE, FIELD = "nothing_to_pay", "period"
    ZH, EN = "没有应列入的贴息", "there is nothing to list"


class RunOutdated(Refused):
    CODE, FIELD = "run_outdated", ""
    ZH = "计算后又有批次提出，请以同一编号重报"
    EN = "another batch was proposed since the calculation: send it again under the same reference"


class WrongStage(Refused):
    CODE, FIELD = "wrong_stage", ""
    ZH = "批次 {batch_no} {stage_zh}，不能{step}"
    EN = "the batch {batch_no} is {stage}: it cannot be {step_en}"


class SamePerson(Refused):
    CODE, FIELD = "same_person", ""
    ZH = "{person} 已办理该批次的{before}，不得再{step}"
    EN = "{person} has {before_en} this batch and cannot have it {step_en} as well"


class NoticeTooShort(Refused):
    CODE, FIELD = "notice_too_short", "until_on"
    ZH = "公示自 {posted_on} 至 {until_on} 计 {days} 天，少于 {wanted} 天"
    EN = "a notice from {posted_on} to {until_on} stands {days} days; {wanted} are needed"


class NoticeElsewhere(Refused):
    CODE, FIELD = "notice_elsewhere", "level"
    ZH = "{level} 级公示不由 {organisation} 张贴"
    EN = "a notice at the level {level} is not for {organisation} to post"


class NoticeMissing(Refused):
    CODE, FIELD = "notice_missing", ""
    ZH = "公示未齐或未满：{missing_zh}"
    EN = "a notice is missing or not over: {missing}"


class ObjectionOpen(Refused):
    CODE, FIELD = "objection_open", ""
    ZH, EN = "尚有异议未处理：{open}", "objections are not resolved: {open}"


class ObjectionUnknown(Refused):
    CODE, FIELD = "objection_unknown", "objection_no"
    ZH = "没有未处理的异议 {objection_no}"
    EN = "no open objection is called {objection_no}"


class WholeBatchUpheld(Refused):
    CODE, FIELD = "whole_batch_upheld", "upheld"
    ZH = "针对整批的异议 {objection_no} 成立时须退回批次"
    EN = "an objection to the whole batch, {objection_no}, is upheld by returning the batch"


class FindingMalformed(Refused):
    CODE, FIELD = "finding_malformed", "finding"
    ZH = "认定内容不合规：{problem_zh}"
    EN = "what was found is malformed: {problem}"


class LimitUnknown(Refused):
    CODE, FIELD = "limit_unknown", "objection_no"
    ZH = "异议 {objection_no} 没有尚未解除的贴息限定"
    EN = "the objection {objection_no} limits no subsidy, or no more"


class LineUnknown(Refused):
    CODE, FIELD = "line_unknown", "line"
    ZH = "批次 {batch_no} 没有可办理的第 {line} 行{why}"
    EN = "the batch {batch_no} has no line {line} that this can be told of{why}"


class LineNotAnswered(Refused):
    CODE, FIELD = "line_not_answered", "line"
    ZH = "第 {line} 行尚无回盘，没有可更正的结果"
    EN = "line {line} has no result yet: there is nothing to correct"


class ResultUnchanged(Refused):
    CODE, FIELD = "result_unchanged", "paid"
    ZH = "第 {line} 行的结果已是 {said_zh}"
    EN = "the result of line {line} is {said} already"


class ResultBefore(Refused):
    CODE, FIELD = "result_before", "effective_on"
    ZH = "{effective_on} 早于所更正结果的日期 {on}（第 {line} 行）"
    EN = "{effective_on} is before {on}, the day of the result of line {line} that it corrects"


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One loan's subsidy for one quarter: what is due, what was paid, and what follows.

    `amount_fen` is to be paid, or asked back when `kind` is `recovery`. `calculation` explains
    `due_fen` so that it can be worked out by hand. `note`: which objections it comes back after,
    and what they left of it.
    """

    line: int
    loan_id: UUID
    bank: str
    loan_no: str
    household_no: str
    township: str
    village: str
    category: str | None
    period: str
    first: date
    until: date
    kind: Kind
    due_fen: int
    paid_before_fen: int
    amount_fen: int
    calculation: dict[str, Any]
    note: str | None = None


class Run(NamedTuple):
    """What a settlement run found: the lines, and how much it knew when it looked."""

    lines: tuple[Line, ...]
    position: int
    batches: int


class Notice(NamedTuple):
    """A notice that was posted: from when to when it stands, whether a document is its ground."""

    version: int
    posted_on: date
    until_on: date
    documented: bool


class Told(msgspec.Struct, frozen=True):
    """What became of one line, and why."""

    line: int
    reason: str


class Answer(NamedTuple):
    """What a bank last said of a line, and the event that says so."""

    said: Said
    version: int
    on: date


class Batch(Aggregate):
    """State of one batch, drawn from its events alone."""

    KIND: ClassVar[str] = "batch"

    def __init__(self, id: UUID) -> None:
        super().__init__(id)
        self.batch_no = ""
        self.period = ""
        self.year = 0
        self.mode: Mode = "household"
        self.stage = ""
        self.seen_position = 0
        self.people: dict[str, str] = {}
        self.lines: dict[int, Line] = {}
        self.verified_on = date.min
        self.approved_on = date.min
        self.notices: dict[tuple[str, str], list[Notice]] = {}
        self.objected_on: dict[str, date] = {}
        self.ordered_on: dict[int, date] = {}
        self.objections: dict[str, tuple[int | None, str]] = {}
        self.withdrawn: set[int] = set()
        self.upheld: dict[str, tuple[int, str, date]] = {}
        self.ordered: set[int] = set()
        self.held: set[int] = set()
        self.answers: dict[int, Answer] = {}
        self.times_paid: Counter[int] = Counter()

    @staticmethod
    def id_for(batch_no: str) -> UUID:
        return identity("batch", batch_no)

    @property
    def payable(self) -> list[Line]:
        """The lines that money may leave for, in order: neither recoveries nor withdrawn ones."""
        return [
            line
            for line in self.lines.values()
            if line.kind != "recovery" and line.line not in self.withdrawn
        ]

    @property
    def reserved(self) -> list[Line]:
        """The lines whose money an approved batch still holds."""
        if self.stage != "approved":
            return []
        done = self.held | self.answers.keys()
        return [line for line in self.payable if line.line not in done]

    def payment_no(self, line: int) -> str:
        """The number of the payment that a line's last `paid` answer is; one that was paid again
        after it came back has a further one, that no line of any batch can have."""
        times = self.times_paid[line]
        return f"{self.batch_no}-{line}" + (f".{times}" if times > 1 else "")

    # ---- events -----------------------------------------------------------------------

    class Estimated(Event["Batch"], frozen=True, kw_only=True, omit_defaults=True):
        """What a quarter will cost was worked out before its end; nothing can be paid on it."""

        TOPIC, ZH = "batch.estimated.v1", "测算"
        CORRECTABLE = False
        STAGE: ClassVar[str] = "estimated"
        batch_no: str
        period: str
        first: date
        until: date
        year: int
        mode: Mode
        bank: str | None = None
        township: str | None = None
        seen_position: int
        line_count: int
        amount_fen: int
        recovery_fen: int

        def apply(self, batch: Batch) -> None:
            batch.batch_no, batch.period, batch.year = self.batch_no, self.period, self.year
            batch.mode, batch.seen_position = self.mode, self.seen_position
            batch.stage = self.STAGE
            batch.people["proposed"] = self.person

    class Proposed(Estimated, frozen=True, kw_only=True, omit_defaults=True):
        """The centre lists what is due for a quarter, on all that was known at a position."""

        TOPIC, ZH = "batch.proposed.v1", "批次提出"
        STAGE: ClassVar[str] = "proposed"

    class Listed(Event["Batch"], frozen=True, kw_only=True, omit_defaults=True):
        """Some lines of the batch; a batch has as many lists as it needs."""

        TOPIC, ZH = "batch.listed.v1", "批次明细"
        CORRECTABLE = False
        lines: tuple[Line, ...]

        def apply(self, batch: Batch) -> None:
            batch.lines.update((line.line, line) for line in self.lines)

    class Verified(Event["Batch"], frozen=True, kw_only=True, omit_defaults=True):
        """The bureau compared the batch with its register and vouches for it."""

        TOPIC, ZH = "batch.verified.v1", "批次核实"
        CORRECTABLE = False

        def apply(self, batch: Batch) -> None:
            batch.stage = "verified"
            batch.verified_on = self.effective_on
            batch.people["verified"] = self.person

    class NoticePosted(Event["Batch"], frozen=True, kw_only=True, omit_defaults=True):
        """The batch was posted for objections; `until_on` is the last day it stands."""

        TOPIC, ZH = "batch.notice-posted.v1", "公示"
        CORRECTABLE = False
        level: Level
        township: str = ""
        place: str
        until_on: date

        def apply(self, batch: Batch) -> None:
            batch.notices.setdefault((self.level, self.township), []).append(
                Notice(batch.version, self.effective_on, self.until_on, self.document is not None)
            )

    class ObjectionRaised(Event["Batch"], frozen=True, kw_only=True, omit_defaults=True):
        """Somebody objects to a line, or to the batch."""

        TOPIC, ZH = "batch.objection-raised.v1", "异议"
        CORRECTABLE = False
        objection_no: str
        line: int | None = None
        reason: str

        def apply(self, batch: Batch) -> None:
            batch.objections[self.objection_no] = (self.line, self.person)
            batch.objected_on[self.objection_no] = self.effective_on

    class ObjectionResolved(Event["Batch"], frozen=True, kw_only=True, omit_defaults=True):
        """An objection was dismissed, or upheld: then its line is withdrawn."""

        TOPIC, ZH = "batch.objection-resolved.v1", "异议处理"
        CORRECTABLE = False
        objection_no: str
        upheld: bool
        line: int | None = None
        reason: str
        finding: ObjectionFinding | None = None
        amount_fen: int | None = None

        def apply(self, batch: Batch) -> None:
            batch.objections.pop(self.objection_no, None)
            if self.upheld and self.line is not None:
                batch.withdrawn.add(self.line)
                batch.upheld[self.objection_no] = (self.line, self.person, self.effective_on)

    class Approved(Event["Batch"], frozen=True, kw_only=True, omit_defaults=True):
        """The finance bureau approved what is left of the batch; its money is reserved."""

        TOPIC, ZH = "batch.approved.v1", "批次批准"
        CORRECTABLE = False
        amount_fen: int

        def apply(self, batch: Batch) -> None:
            batch.stage = "approved"
            batch.approved_on = self.effective_on
            batch.people["approved"] = self.person

    class Returned(Event["Batch"], frozen=True, kw_only=True, omit_defaults=True):
        """The batch goes back: nothing more is paid on it."""

        TOPIC, ZH = "batch.returned.v1", "批次退回"
        CORRECTABLE = False
        reason: str

        def apply(self, batch: Batch) -> None:
            batch.stage = "returned"

    class Ordered(Event["Batch"], frozen=True, kw_only=True, omit_defaults=True):
        """One bank was told to pay these lines; those that are due less by now are held."""

        TOPIC, ZH = "batch.ordered.v1", "拨付指令"
        CORRECTABLE = False
        bank: str
        lines: tuple[int, ...]
        held: tuple[Told, ...]
        amount_fen: int

        def apply(self, batch: Batch) -> None:
            batch.ordered.update(self.lines)
            batch.ordered_on.update(dict.fromkeys(self.lines, self.effective_on))
            batch.held.update(told.line for told in self.held)
            batch.people["ordered"] = self.person

    class ResultTold(Event["Batch"], frozen=True, kw_only=True, omit_defaults=True):
        """What the bank paid, and what it could not pay (回盘)."""

        TOPIC, ZH = "batch.result-told.v1", "拨付回盘"
        CORRECTABLE = False
        bank: str
        paid: tuple[int, ...]
        failed: tuple[Told, ...]
        paid_fen: int
        failed_fen: int

        def apply(self, batch: Batch) -> None:
            for line in self.paid:
                batch.answers[line] = Answer("paid", batch.version, self.effective_on)
                batch.times_paid[line] += 1
            for told in self.failed:
                batch.answers[told.line] = Answer("failed", batch.version, self.effective_on)

    class ResultCorrected(Event["Batch"], frozen=True, kw_only=True, omit_defaults=True):
        """The bank says that its result of a line was wrong, or that its payment came back (退票).

        `result_version`: the event of this batch that said `was`. The money follows `now` from
        `effective_on` on.
        """

        TOPIC, ZH = "batch.result-corrected.v1", "回盘更正"
        CORRECTABLE = False
        bank: str
        line: int
        result_version: int
        was: Said
        now: Said
        amount_fen: int
        reason: str
        voucher: str | None = None

        def apply(self, batch: Batch) -> None:
            batch.answers[self.line] = Answer(self.now, batch.version, self.effective_on)
            if self.now == "paid":
                batch.times_paid[self.line] += 1

    # ---- commands ---------------------------------------------------------------------

    def propose(
        self,
        context: CommandContext,
        *,
        batch_no: str,
        period: str,
        first: date,
        until: date,
        year: int,
        mode: Mode,
        bank: str | None,
        township: str | None,
        seen_position: int,
        lines: Sequence[Line],
        estimate: bool,
    ) -> None:
        """List what is due. Raises BatchNumberTaken, PeriodNotOver, NothingToPay."""
        if self.stage:
            raise BatchNumberTaken(batch_no=batch_no)
        if not estimate and context.effective_on < until:
            raise PeriodNotOver(period=period, until=until)
        if not lines:
            raise NothingToPay
        kind = Batch.Estimated if estimate else Batch.Proposed
        recovery_fen = sum(line.amount_fen for line in lines if line.kind == "recovery")
        self.record(
            kind(
                **recorded_fields(context),
                batch_no=batch_no,
                period=period,
                first=first,
                until=until,
                year=year,
                mode=mode,
                bank=bank,
                township=township,
                seen_position=seen_position,
                line_count=len(lines),
                amount_fen=sum(line.amount_fen for line in lines) - recovery_fen,
                recovery_fen=recovery_fen,
            )
        )
        for place in range(0, len(lines), LINES_A_LIST):
            some = tuple(lines[place : place + LINES_A_LIST])
            self.record(
                Batch.Listed(
                    effective_on=context.effective_on,
                    role=context.by.role,
                    person=context.by.person,
                    lines=some,
                )
            )

    def verify(self, context: CommandContext) -> None:
        """Vouch for the batch. Raises WrongStage, SamePerson, StepBefore."""
        self._at("proposed", "verified")
        self._another(context, "verified")
        assure_follows(context.effective_on, "the proposal", self.last_on)
        self.record(Batch.Verified(**recorded_fields(context)))

    def post_notice(
        self,
        context: CommandContext,
        *,
        level: Level,
        place: str,
        until_on: date,
        least_days: int,
    ) -> None:
        """Record a notice. Raises WrongStage, NoticeElsewhere, NoticeTooShort, StepBefore."""
        self._at("verified", "noticed")
        by_township = context.by.role == Role.TOWNSHIP
        if by_township != (level != "county"):
            raise NoticeElsewhere(level=level, organisation=context.by.organisation)
        township = context.by.organisation if by_township else ""
        if by_township and township not in {line.township for line in self.payable}:
            raise NoticeElsewhere(level=level, organisation=township)
        assure_follows(context.effective_on, "the verification", self.verified_on)
        days = (until_on - context.effective_on).days + 1
        if days < least_days:
            raise NoticeTooShort(
                posted_on=context.effective_on, until_on=until_on, days=days, wanted=least_days
            )
        before = self.notices.get((level, township), [])[-1:]
        self.record(
            Batch.NoticePosted(
                **recorded_fields(context),
                level=level,
                township=township,
                place=place,
                until_on=until_on,
            )
        )
        for first in before:
            self.warn(_posted_again(first))

    def object(
        self, context: CommandContext, *, objection_no: str, line: int | None, reason: str
    ) -> None:
        """Record an objection. Raises WrongStage, LineUnknown, StepBefore."""
        self._at("verified", "objected to")
        if line is not None and line not in {payable.line for payable in self.payable}:
            raise LineUnknown(batch_no=self.batch_no, line=line, why="")
        assure_follows(context.effective_on, "the verification", self.verified_on)
        self.record(
            Batch.ObjectionRaised(
                **recorded_fields(context), objection_no=objection_no, line=line, reason=reason
            )
        )

    def resolve(
        self,
        context: CommandContext,
        *,
        objection_no: str,
        upheld: bool,
        reason: str,
        finding: ObjectionFinding | None = None,
        amount_fen: int | None = None,
    ) -> Line | None:
        """Answer an objection; returns the line that it takes with it.

        `finding`: what was upheld. `amount_fen`: what is right for the line's quarter, all in all;
        an amount that was upheld needs it, a diversion may have it. Raises WrongStage,
        ObjectionUnknown, WholeBatchUpheld, SamePerson, FindingMalformed, StepBefore.
        """
        self._at("verified", "answered")
        if objection_no not in self.objections:
            raise ObjectionUnknown(objection_no=objection_no)
        line, raised_by = self.objections[objection_no]
        if upheld and line is None:
            raise WholeBatchUpheld(objection_no=objection_no)
        _assure_finding(upheld, finding, amount_fen)
        if raised_by == context.by.person:
            raise SamePerson(
                person=raised_by,
                before="异议提出",
                step="处理该异议",
                before_en="objected to",
                step_en="answered",
            )
        assure_follows(context.effective_on, "the objection", self.objected_on[objection_no])
        self.record(
            Batch.ObjectionResolved(
                **recorded_fields(context),
                objection_no=objection_no,
                upheld=upheld,
                line=line,
                reason=reason,
                finding=finding,
                amount_fen=amount_fen,
            )
        )
        return self.lines[line] if upheld and line is not None else None

    def lift(self, context: CommandContext, *, objection_no: str) -> Line:
        """Whether what an objection left may be lifted; returns its line.

        Raises BatchUnknown, LimitUnknown, SamePerson, StepBefore.
        """
        if not self.stage:
            raise BatchUnknown(batch_no=self.batch_no)
        if objection_no not in self.upheld:
            raise LimitUnknown(objection_no=objection_no)
        line, upheld_by, upheld_on = self.upheld[objection_no]
        if upheld_by == context.by.person:
            raise SamePerson(
                person=upheld_by,
                before="异议认定",
                step="解除限定",
                before_en="upheld an objection to",
                step_en="relieved of it",
            )
        assure_follows(context.effective_on, "the resolution", upheld_on)
        return self.lines[line]

    def approve(
        self,
        context: CommandContext,
        *,
        levels: Iterable[str],
        least_days: int,
        recorded_on: Callable[[int], date],
    ) -> int:
        """Approve what is left; returns its fen.

        `recorded_on` says when an event of the batch was recorded: a notice without a document
        counts from that day. Raises WrongStage, SamePerson, StepBefore, ObjectionOpen,
        NoticeMissing, NothingToPay.
        """
        self._at("verified", "approved")
        self._another(context, "approved")
        if self.objections:
            raise ObjectionOpen(open=", ".join(sorted(self.objections)))
        assure_follows(context.effective_on, "the last step", self.last_on)
        missing = list(
            self._notices_missing(context.effective_on, set(levels), least_days, recorded_on)
        )
        if missing:
            raise NoticeMissing(
                missing=", ".join(f"{who}{why}" for who, _, why in missing),
                missing_zh="、".join(f"{who}{why}" for who, why, _ in missing),
            )
        amount_fen = sum(line.amount_fen for line in self.payable)
        if not amount_fen:
            raise NothingToPay
        self.record(Batch.Approved(**recorded_fields(context), amount_fen=amount_fen))
        return amount_fen

    def give_back(self, context: CommandContext, *, reason: str) -> int:
        """Return the batch; returns the fen that were reserved for it and are free now.

        Raises WrongStage when nothing was proposed or money was ordered already; StepBefore.
        """
        if not self.stage:
            raise BatchUnknown(batch_no=self.batch_no)
        if self.stage not in ("proposed", "verified", "approved") or self.ordered:
            raise self._wrong("returned")
        assure_follows(context.effective_on, "the last step", self.last_on)
        reserved_fen = sum(line.amount_fen for line in self.reserved)
        self.record(Batch.Returned(**recorded_fields(context), reason=reason))
        return reserved_fen

    def order(self, context: CommandContext, *, bank: str, left_fen: Callable[[Line], int]) -> int:
        """Tell a bank to pay its lines; returns the fen of those that are held instead.

        `left_fen` judges a line once more: what is due for it now and not yet paid. Raises
        WrongStage, SamePerson, StepBefore, NothingToPay.
        """
        self._at("approved", "ordered")
        self._another(context, "ordered")
        asked = [
            line for line in self.reserved if line.bank == bank and line.line not in self.ordered
        ]
        if not asked:
            raise NothingToPay("bank")
        assure_follows(context.effective_on, "the approval", self.approved_on)
        left = {line.line: left_fen(line) for line in asked}
        held = [line for line in asked if left[line.line] < line.amount_fen]
        to_pay = [line for line in asked if left[line.line] >= line.amount_fen]
        self.record(
            Batch.Ordered(
                **recorded_fields(context),
                bank=bank,
                lines=tuple(line.line for line in to_pay),
                held=tuple(Told(line.line, f"left_fen={left[line.line]}") for line in held),
                amount_fen=sum(line.amount_fen for line in to_pay),
            )
        )
        return sum(line.amount_fen for line in held)

    def tell_result(
        self, context: CommandContext, *, bank: str, paid: Sequence[int], failed: Mapping[int, str]
    ) -> tuple[list[Line], int]:
        """Record what the bank did; returns the lines paid, and the fen of those that failed.

        Raises as `assure_waiting`; StepBefore for a day before its order.
        """
        self.assure_waiting(bank, dict.fromkeys((*paid, *failed)))
        for line in (*paid, *failed):
            assure_follows(context.effective_on, "the order", self.ordered_on[line])
        paid_lines = [self.lines[line] for line in paid]
        failed_fen = sum(self.lines[line].amount_fen for line in failed)
        self.record(
            Batch.ResultTold(
                **recorded_fields(context),
                bank=bank,
                paid=tuple(paid),
                failed=tuple(Told(line, reason) for line, reason in failed.items()),
                paid_fen=sum(line.amount_fen for line in paid_lines),
                failed_fen=failed_fen,
            )
        )
        return paid_lines, failed_fen

    def assure_waiting(self, bank: str, places: Mapping[int, str | None]) -> None:
        """Whether this bank may answer for these lines; `places`: where each was told.

        Raises LineUnknown for a line that this bank was not told to pay, or that is done.
        """
        self._ordered_from(bank, places)
        for line, place in places.items():
            answer = self.answers.get(line)
            if answer is not None:
                said = f"{answer.on} {_SAID[answer.said]} {answer.said}"
                why = f"：已有回盘 {said}，报错须更正回盘 to be corrected by result-corrections"
                raise self._unknown(place, line, why)

    def assure_answered(
        self, context: CommandContext, places: Mapping[int, tuple[str, bool]]
    ) -> None:
        """Whether these lines' results can be corrected as told: where, and whether it was paid.

        Raises LineUnknown, LineNotAnswered, ResultUnchanged, ResultBefore.
        """
        self._ordered_from(context.by.organisation, {n: place for n, (place, _) in places.items()})
        for line, (place, paid) in places.items():
            answer = self.answers.get(line)
            if answer is None:
                raise LineNotAnswered(f"{place}/line", line=line)
            if (answer.said == "paid") == paid:
                said_zh = _SAID[answer.said]
                raise ResultUnchanged(f"{place}/paid", line=line, said=answer.said, said_zh=said_zh)
            if context.effective_on < answer.on:
                raise ResultBefore(effective_on=context.effective_on, on=answer.on, line=line)

    def correct_result(
        self, context: CommandContext, *, line: Line, voucher: str | None, reason: str
    ) -> tuple[str, int]:
        """Say that a line was paid after all (with its voucher), or that its payment came back.

        Call `assure_answered` first. Returns the number of the payment that is made by it or came
        back, and the version of the correction.
        """
        was = self.answers[line.line]
        payment_no = self.payment_no(line.line)
        now: Said = "returned" if was.said == "paid" else "paid"
        self.record(
            Batch.ResultCorrected(
                **recorded_fields(context),
                bank=line.bank,
                line=line.line,
                result_version=was.version,
                was=was.said,
                now=now,
                amount_fen=line.amount_fen,
                reason=reason,
                voucher=voucher,
            )
        )
        return payment_no if now == "returned" else self.payment_no(line.line), self.version

    # ---- what several of them need ----------------------------------------------------

    def _ordered_from(self, bank: str, places: Mapping[int, str | None]) -> None:
        if not self.stage:
            raise BatchUnknown(batch_no=self.batch_no)
        for line, place in places.items():
            if line not in self.ordered or self.lines[line].bank != bank:
                raise self._unknown(place, line, "")

    def _unknown(self, place: str | None, line: int, why: str) -> LineUnknown:
        field = place and f"{place}/line"
        return LineUnknown(field, batch_no=self.batch_no, line=line, why=why)

    def _notices_missing(
        self, day: date, levels: set[str], least_days: int, recorded_on: Callable[[int], date]
    ) -> Iterator[tuple[str, str, str]]:
        """Each notice that a payable line needs and that is not posted, or not over on `day`.

        Of several of one level all must be over, and the days of one must count: a second one
        neither shortens nor replaces the first. Whose it is, and why it does not count, in Chinese
        and in English.
        """
        townships = sorted({line.township for line in self.payable})
        wanted = [(level, t) for level in ("village", "township") for t in townships]
        wanted.append(("county", ""))
        for level, township in wanted:
            if level not in levels:
                continue
            who = f"{level} {township}".strip()
            posted = self.notices.get((level, township), [])
            until_on = max((notice.until_on for notice in posted), default=None)
            if until_on is None:
                yield who, "", ""
            elif not until_on < day:
                yield who, f"（公示至 {until_on}）", f" (stands to {until_on})"
            else:
                why = [_counted_late(notice, least_days, recorded_on) for notice in posted]
                if why[-1] is not None and all(why):
                    yield who, *why[-1]

    def _at(self, stage: str, step: str) -> None:
        if not self.stage:
            raise BatchUnknown(batch_no=self.batch_no)
        if self.stage != stage:
            raise self._wrong(step)

    def _wrong(self, step: str) -> WrongStage:
        return WrongStage(
            batch_no=self.batch_no,
            stage=self.stage,
            stage_zh=_STAGES[self.stage],
            step=_STEPS[step],
            step_en=step,
        )

    def _another(self, context: CommandContext, step: str) -> None:
        """Each step is another person's. Raises SamePerson."""
        for before, person in self.people.items():
            if person == context.by.person and before != step:
                raise SamePerson(
                    person=person,
                    before=_STEPS[before],
                    step=_STEPS[step],
                    before_en=before,
                    step_en=step,
                )


def _assure_finding(upheld: bool, finding: ObjectionFinding | None, amount_fen: int | None) -> None:
    """Raises FindingMalformed."""
    if finding is not None and not upheld:
        raise FindingMalformed(problem_zh="异议不成立，无认定", problem="nothing was upheld")
    if finding == "amount" and amount_fen is None:
        raise FindingMalformed(
            "amount_fen", problem_zh="须写明应贴金额 amount_fen", problem="amount_fen is needed"
        )
    if amount_fen is not None and finding not in ("amount", "diverted"):
        raise FindingMalformed(
            "amount_fen",
            problem_zh="只有 amount、diverted 可写 amount_fen",
            problem="amount_fen goes with amount or diverted alone",
        )


def _counted_late(
    notice: Notice, least_days: int, recorded_on: Callable[[int], date]
) -> tuple[str, str] | None:
    """Why a notice does not count, in Chinese and in English; None when its days count.

    Without a document they count from the day on which it was recorded.
    """
    counted_from = max(notice.posted_on, recorded_on(notice.version))
    days = max((notice.until_on - counted_from).days + 1, 0)
    if notice.documented or days >= least_days:
        return None
    return (
        f"（{counted_from} 报送，无依据文件，自该日起计 {days} 天，须 {least_days} 天）",
        f" (reported on {counted_from} without a document: {days} days count, not {least_days})",
    )


def _posted_again(first: Notice) -> Warned:
    """A level's notice is posted although one was: both stand, and approval waits for both."""
    return Warned(
        "notice_posted_before",
        f"该级已有公示 {first.posted_on} 至 {first.until_on}，不被替代：各次公示均满后方可批准",
        f"one of this level was posted from {first.posted_on} to {first.until_on}; it is not"
        " replaced: approval waits until both are over",
        "level",
    )


_STAGES: Final = {
    "estimated": "只是测算",
    "proposed": "已提出，尚未核实",
    "verified": "已核实，尚未批准",
    "approved": "已批准",
    "returned": "已退回",
}
_SAID: Final = {"paid": "已付", "failed": "失败", "returned": "退票"}
_STEPS: Final = {
    "proposed": "提出",
    "verified": "核实",
    "noticed": "公示",
    "objected to": "提出异议",
    "answered": "处理异议",
    "approved": "批准",
    "returned": "退回",
    "ordered": "下达拨付指令",
}


class BatchRegister(Aggregate):
    """In which order batches were proposed: whoever lists what is due knows all before his."""

    KIND: ClassVar[str] = "batch-register"

    def __init__(self, id: UUID) -> None:
        super().__init__(id)
        self.number = 0

    @staticmethod
    def the_id() -> UUID:
        return identity("batch-register")

    class Entered(Event["BatchRegister"], frozen=True, kw_only=True, omit_defaults=True):
        """A batch took the next number."""

        TOPIC, ZH = "batch-register.entered.v1", "批次登记"
        CORRECTABLE = False
        number: int
        batch_no: str

        def apply(self, register: BatchRegister) -> None:
            register.number = self.number

    def enter(self, context: CommandContext, *, batch_no: str, seen: int) -> None:
        """Enter a batch whose calculation knew `seen` batches. Raises RunOutdated."""
        if seen != self.number:
            raise RunOutdated
        self.record(
            BatchRegister.Entered(
                **recorded_fields(context), number=self.number + 1, batch_no=batch_no
            )
        )
