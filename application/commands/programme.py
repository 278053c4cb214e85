"""Commands about the programme (政策): its rulings and its plans."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from application.command import Correctable, Reads
from application.fields import Count, Day, Fen, Ground, Model, Name, NewNumber, Text
from application.ledger import Ledger
from domain.kernel import Author, CommandContext
from domain.policy import Value
from domain.programme import Programme, RuleMalformed
from domain.roles import Role


class RulingItem(Model):
    """A rule's name and what it is: `value`, a whole number; `numbers`; or `words`, codes."""

    rule: Name
    value: Fen | None = None
    numbers: Annotated[list[Count], Field(min_length=1, max_length=12)] | None = None
    words: Annotated[list[Name], Field(min_length=1, max_length=40)] | None = None


class Ruled(Correctable):
    """A command with rulings; `effective_on`: from which day they rule, perhaps a later one."""

    MAY_LIE_AHEAD = True

    ground: Ground
    rulings: Annotated[list[RulingItem], Field(min_length=1, max_length=40)]

    def reads(self, by: Author) -> Reads:
        return ((Programme.the_id(), Programme),)

    def values(self) -> list[tuple[str, Value]]:
        """Rule and value of each. Raises RuleMalformed for one with several values, or none."""
        values: list[tuple[str, Value]] = []
        for place, item in enumerate(self.rulings):
            given: list[Value] = [] if item.value is None else [item.value]
            given += [tuple(some) for some in (item.numbers, item.words) if some is not None]
            if len(given) != 1:
                wanted = "value、numbers、words 三选一 one of the three"
                raise RuleMalformed(f"rulings/{place}", rule=item.rule, value="", wanted=wanted)
            values.append((item.rule, given[0]))
        return values


class SetRulings(Ruled):
    """`effective_on`: from which day it rules, a past or a later one perhaps."""

    TYPE, SUMMARY = "ruling", "政策取值 record what a document rules"
    ROLES, PATH = (Role.CENTRE, Role.FINANCE), "/programme/rulings"
    RECORDS = (Programme.Ruled,)

    def handle(self, ledger: Ledger, context: CommandContext, replaces: int | None = None) -> None:
        ledger.programme().rule(
            context, rulings=self.values(), told_on=ledger.today(), replaces=replaces
        )


class TellPlan(Ruled):
    """The first with its `plan_no` is the adoption, a later one the adjustment."""

    TYPE, SUMMARY = "plan", "方案 adopt or adjust a plan"
    ROLES, PATH = (Role.CENTRE, Role.FINANCE), "/programme/plans"
    RECORDS = (Programme.PlanAdopted, Programme.PlanAdjusted)

    plan_no: NewNumber
    title: Text
    until_on: Day | None = None

    def handle(self, ledger: Ledger, context: CommandContext, replaces: int | None = None) -> None:
        ledger.programme().plan(
            context,
            plan_no=self.plan_no,
            title=self.title,
            until_on=self.until_on,
            rulings=self.values(),
            told_on=ledger.today(),
            replaces=replaces,
        )
