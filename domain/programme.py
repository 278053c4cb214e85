"""The programme (项目): its plans, and every number they and other documents decide.

What stands in `domain/policy` is where a county begins; from then on a number changes by an event,
which says from which day it rules and which document says so. A document may rule a past day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, ClassVar, Final, get_args
from uuid import UUID

import msgspec

from domain.household import Category
from domain.kernel import (
    Aggregate,
    CommandContext,
    Event,
    NotCorrectable,
    Refused,
    identity,
    recorded_fields,
)
from domain.loan import PayeeKind
from domain.policy import POLICY, Book, Ruling, Value, table_names, value_of
from domain.steps import assure_follows

CALENDAR: Final = frozenset({"settlement_months", "settlement_day"})
"""Tables that name the quarters themselves: one that has begun is not renamed."""


MODES: Final[dict[str, frozenset[int | str]]] = {
    "payment_mode": frozenset({"household", "bank"}),
    "rate_basis": frozenset({"lpr_cap", "flat"}),
    "notice_levels": frozenset({"village", "township", "county"}),
    "eligible_categories": frozenset(get_args(Category)),
    "misuse_receivers": frozenset(get_args(PayeeKind)),
}
"""The codes that a rule of words may hold."""
ONE_CODE: Final = frozenset({"payment_mode", "rate_basis"})
"""Rules of words that hold exactly one."""


class RuleUnknown(Refused):
    CODE, FIELD = "rule_unknown", "rulings"
    ZH = "没有名为 {rule} 的政策项，可用：{known}"
    EN = "no rule is called {rule}; there are {known}"


class RuleFixed(Refused):
    CODE, FIELD = "rule_fixed", "rulings"
    ZH = "{rule} 决定结息期的划分，只能自今后某年的1月1日起更改"
    EN = "{rule} divides time into quarters: it changes from the first day of a year to come"


class RuleMalformed(Refused):
    CODE, FIELD = "rule_malformed", "rulings"
    ZH = "{rule} 的取值 {value} 不合规：{wanted}"
    EN = "{value} is no value of {rule}: {wanted}"


class RuleTwice(Refused):
    CODE, FIELD = "rule_twice", "rulings"
    ZH, EN = "同一报送中 {rule} 出现两次", "{rule} stands twice in one statement"


class GroundMissing(Refused):
    CODE, FIELD = "ground_missing", "ground"
    ZH, EN = "须注明依据文件（ground.document）", "the document must be named (ground.document)"


class Decided(msgspec.Struct, frozen=True):
    """One number that a document decides: the rule's name, and its value from a day on."""

    rule: str
    value: int | tuple[int | str, ...]


class Programme(Aggregate):
    """The county's programme: one. Its state is the rulings that events added."""

    KIND: ClassVar[str] = "programme"

    def __init__(self, id: UUID) -> None:
        super().__init__(id)
        self.plans: dict[str, int] = {}
        self.told: dict[int, tuple[Ruling, ...]] = {}
        self.number = 0
        self._book: Book | None = POLICY

    @staticmethod
    def the_id() -> UUID:
        return identity("programme")

    @property
    def book(self) -> Book:
        """All rulings: those the county began with, and those that events added."""
        if self._book is None:
            self._book = POLICY.extended([r for told in self.told.values() for r in told])
        return self._book

    # ---- events -----------------------------------------------------------------------

    class Ruled(Event["Programme"], frozen=True, kw_only=True, omit_defaults=True):
        """A document decided numbers: a quote of the LPR, a budget, a setting of the scheme."""

        TOPIC, ZH = "programme.ruled.v1", "政策取值"
        number: int
        told_on: date
        rulings: tuple[Decided, ...]

        def apply(self, programme: Programme) -> None:
            programme.number = self.number
            programme.told[programme.version] = tuple(
                ruling_of(
                    decided.rule,
                    decided.value,
                    self.effective_on,
                    self.told_on,
                    self.document or "",
                    self.number,
                )
                for decided in self.rulings
            )
            programme._book = None

    class PlanAdopted(Ruled, frozen=True, kw_only=True, omit_defaults=True):
        """A plan (实施方案) was adopted, with what it decides."""

        TOPIC, ZH = "programme.plan-adopted.v1", "方案印发"
        plan_no: str
        title: str
        until_on: date | None = None

        def apply(self, programme: Programme) -> None:
            Programme.Ruled.apply(self, programme)
            programme.plans[self.plan_no] = programme.version

    class PlanAdjusted(PlanAdopted, frozen=True, kw_only=True, omit_defaults=True):
        """A plan was adjusted; what it decides now rules from a past day perhaps."""

        TOPIC, ZH = "programme.plan-adjusted.v1", "方案调整"

    class Corrected(Event["Programme"], frozen=True, kw_only=True, omit_defaults=True):
        """What was told of a document was a mistake: it rules no more (冲正)."""

        TOPIC, ZH = "programme.corrected.v1", "冲正"
        CORRECTABLE = False
        corrects: int
        corrects_topic: str
        reason: str

        def apply(self, programme: Programme) -> None:
            programme.told.pop(self.corrects, None)
            programme.plans = {no: v for no, v in programme.plans.items() if v != self.corrects}
            programme._book = None

    # ---- commands ---------------------------------------------------------------------

    def rule(
        self,
        context: CommandContext,
        *,
        rulings: Sequence[tuple[str, Value]],
        told_on: date,
        replaces: int | None = None,
    ) -> None:
        """Record what a document decided.

        Raises GroundMissing, RuleUnknown, RuleFixed, RuleMalformed, RuleTwice.
        """
        self.record(
            Programme.Ruled(
                **recorded_fields(context),
                number=self.number + 1,
                told_on=told_on,
                rulings=_decided(context, rulings, told_on),
                replaces=replaces,
            )
        )

    def plan(
        self,
        context: CommandContext,
        *,
        plan_no: str,
        title: str,
        until_on: date | None,
        rulings: Sequence[tuple[str, Value]],
        told_on: date,
        replaces: int | None = None,
    ) -> None:
        """Record a plan, or the adjustment of one that was told before.

        Raises as `rule`, and StepBefore for a plan that ends before it begins.
        """
        if until_on is not None:
            assure_follows(until_on, "the plan's first day", context.effective_on, field="until_on")
        kind = Programme.PlanAdjusted if plan_no in self.plans else Programme.PlanAdopted
        self.record(
            kind(
                **recorded_fields(context),
                number=self.number + 1,
                told_on=told_on,
                rulings=_decided(context, rulings, told_on),
                plan_no=plan_no,
                title=title,
                until_on=until_on,
                replaces=replaces,
            )
        )

    def correct(self, context: CommandContext, *, version: int, topic: str, reason: str) -> None:
        """Take back what was told of a document. Raises NotCorrectable."""
        if version not in self.told:
            raise NotCorrectable
        self.record(
            Programme.Corrected(
                **recorded_fields(context), corrects=version, corrects_topic=topic, reason=reason
            )
        )


def supposed(book: Book, rule: str, value: Value, effective_from: date, known_on: date) -> Book:
    """A book in which a ruling stands that nobody has made: to see what it would change.

    Raises RuleUnknown, RuleFixed, RuleMalformed.
    """
    value = _checked(rule, value, "", effective_from, known_on)
    return book.extended([ruling_of(rule, value, effective_from, known_on, "假设 supposed", 0)])


def ruling_of(
    rule: str, value: Value, effective_from: date, told_on: date, document: str, number: int
) -> Ruling:
    """The ruling that an event adds; `number` tells apart what one day said twice."""
    version = f"{rule}@{effective_from}/{told_on}#{number}"
    unit = POLICY.table(rule).unit
    return Ruling(rule, effective_from, value, unit, document, told_on, version)


def rulings_told(content: Mapping[str, Any]) -> list[Ruling]:
    """The rulings that an event of the programme adds, from its stored content."""
    return [
        ruling_of(
            decided["rule"],
            tuple(decided["value"]) if isinstance(decided["value"], list) else decided["value"],
            date.fromisoformat(content["effective_on"]),
            date.fromisoformat(content["told_on"]),
            content.get("document", ""),
            content["number"],
        )
        for decided in content.get("rulings", ())
    ]


def _decided(
    context: CommandContext, rulings: Sequence[tuple[str, Value]], told_on: date
) -> tuple[Decided, ...]:
    if not context.document:
        raise GroundMissing
    seen = set()
    decided = []
    for place, (rule, value) in enumerate(rulings):
        field = f"rulings/{place}"
        if rule in seen:
            raise RuleTwice(f"{field}/rule", rule=rule)
        seen.add(rule)
        decided.append(
            Decided(rule, _checked(rule, value, f"{field}/", context.effective_on, told_on))
        )
    return tuple(decided)


def _checked(rule: str, value: Value, field: str, effective_from: date, told_on: date) -> Value:
    if rule not in table_names():
        raise RuleUnknown(f"{field}rule", rule=rule, known=", ".join(table_names()))
    new_year = (effective_from.month, effective_from.day) == (1, 1)
    if rule in CALENDAR and not (new_year and effective_from > told_on):
        raise RuleFixed(f"{field}rule", rule=rule)
    return _like(rule, value, POLICY.table(rule).rulings[0].value, f"{field}value")


def _like(rule: str, value: Value, before: Value, field: str) -> Value:
    """The value, if it is of the kind that the rule has always had. Raises RuleMalformed."""
    try:
        found = value_of(rule, list(value) if isinstance(value, tuple) else value)
    except ValueError:
        raise RuleMalformed(field, rule=rule, value=value, wanted=_wanted(before)) from None
    items = (found,) if isinstance(found, int) else found
    alike = isinstance(found, int) == isinstance(before, int) and (
        isinstance(before, int) or type(items[0]) is type(before[0])
    )
    if not alike or not all(_fits(rule, item) for item in items) or not _whole(rule, items):
        raise RuleMalformed(field, rule=rule, value=value, wanted=_wanted(before))
    return found


_MOST: Final = {"subsidy_share": 10_000, "risk_fund_share": 10_000, "flat_rate_bp": 10_000,
                "payments_by_batch": 1, "settlement_day": 28, "settlement_months": 12}  # fmt: skip
_LEAST: Final = {"day_count": 1, "settlement_day": 1, "settlement_months": 1}


def _fits(rule: str, item: int | str) -> bool:
    """Whether one number or code is possible for a rule."""
    if isinstance(item, str):
        return item in MODES.get(rule, (item,))
    return _LEAST.get(rule, 0) <= item <= _MOST.get(rule, 10**15)


def _whole(rule: str, items: Sequence[int | str]) -> bool:
    """Whether the items of a list belong together: a year has four quarters, in order."""
    if rule in ONE_CODE:
        return len(items) == 1
    return rule != "settlement_months" or (len(items) == 4 and list(items) == sorted({*items}))


def _wanted(before: Value) -> str:
    if isinstance(before, int):
        return "整数，不小于零 a whole number, not below zero"
    kind = "整数 whole numbers" if isinstance(before[0], int) else "代码 codes"
    return f"非空列表 a list that is not empty: {kind}"
