"""Commands about a household (户): the register, demands, credits, ratings, personal data."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from application.command import Command, Correctable, Reads
from application.fields import (
    Day,
    Flag,
    Ground,
    IdentityNo,
    Model,
    Name,
    NewNumber,
    Number,
    PositiveFen,
    Text,
    Why,
)
from application.ledger import Ledger
from application.refusals import DatedInFuture, LookNotToday, TooManyLooks
from domain.household import Category, Household, HouseholdUnknown, Leaving, Left, Member
from domain.kernel import Author, CommandContext
from domain.loan import Loan
from domain.roles import Role

_MOST_LOOKS = 30
_LOOKS_COUNTED_FOR = timedelta(minutes=1)


class OfHousehold(Command):
    """A command about one household."""

    household_no: Number

    def reads(self, by: Author) -> Reads:
        return ((Household.id_for(self.household_no), Household),)


class CorrectableOfHousehold(OfHousehold, Correctable):
    pass


# ---- the register ---------------------------------------------------------------------


class NewMember(Model):
    name: Name
    id_no: IdentityNo
    relation: Name
    head: Flag = False


class LeavingMember(Model):
    """Who left: `code` is what rules go by, `reason` what the register says in words."""

    id_no: IdentityNo
    reason: Name
    code: Leaving | None = None


class RegisterHousehold(CorrectableOfHousehold):
    TYPE, SUMMARY = "household", "登记户 register a household"
    ROLES, PATH = (Role.BUREAU,), "/households"
    RECORDS = (Household.Registered,)

    household_no: NewNumber
    township_code: Name
    village: Name
    category: Category
    members: Annotated[list[NewMember], Field(min_length=1, max_length=30)]

    def handle(self, ledger: Ledger, context: CommandContext, replaces: int | None = None) -> None:
        members, people = _members(ledger, self.members)
        ledger.household(self.household_no).register(
            context,
            household_no=self.household_no,
            township=self.township_code,
            village=self.village,
            category=self.category,
            members=members,
            personal={"members": people},
            replaces=replaces,
        )


class ChangeStatus(CorrectableOfHousehold):
    TYPE, SUMMARY = "status", "状态变更 change a household's status"
    ROLES, PATH = (Role.BUREAU,), "/households/{household_no}/status"
    RECORDS = (Household.StatusChanged,)

    category: Category
    reason: Text

    def handle(self, ledger: Ledger, context: CommandContext, replaces: int | None = None) -> None:
        ledger.household(self.household_no).change_status(
            context, category=self.category, reason=self.reason, replaces=replaces
        )


class ChangeMembers(CorrectableOfHousehold):
    TYPE, SUMMARY = "members", "成员变更 change a household's members"
    ROLES, PATH = (Role.BUREAU,), "/households/{household_no}/members"
    RECORDS = (Household.MembersChanged,)

    added: Annotated[list[NewMember], Field(max_length=30)] = []
    left: Annotated[list[LeavingMember], Field(max_length=30)] = []

    def handle(self, ledger: Ledger, context: CommandContext, replaces: int | None = None) -> None:
        added, people = _members(ledger, self.added)
        left = tuple(
            Left(ledger.pseudonym("person", leaver.id_no), leaver.reason, leaver.code)
            for leaver in self.left
        )
        ledger.household(self.household_no).change_members(
            context, added=added, left=left, personal={"members": people}, replaces=replaces
        )


def _members(
    ledger: Ledger, reported: list[NewMember]
) -> tuple[tuple[Member, ...], list[dict[str, str]]]:
    """Members as the log shows them, and apart from that the people they are."""
    members = tuple(
        Member(
            person=ledger.pseudonym("person", member.id_no),
            relation=member.relation,
            head=member.head,
        )
        for member in reported
    )
    people = [
        {"person": m.person, "name": r.name, "id_no": r.id_no}
        for m, r in zip(members, reported, strict=True)
    ]
    return members, people


# ---- demand, credit, rating -----------------------------------------------------------


class RecommendDemand(CorrectableOfHousehold):
    TYPE, SUMMARY = "demand", "信贷需求推荐 recommend a demand"
    ROLES, PATH = (Role.TOWNSHIP,), "/households/{household_no}/demands"
    RECORDS = (Household.DemandRecommended,)

    amount_fen: PositiveFen
    purpose: Text

    def handle(self, ledger: Ledger, context: CommandContext, replaces: int | None = None) -> None:
        household = ledger.household(self.household_no)
        if household.township != context.by.organisation:
            raise HouseholdUnknown(household_no=self.household_no)
        household.recommend_demand(
            context, amount_fen=self.amount_fen, purpose=self.purpose, replaces=replaces
        )


class DecideCredit(CorrectableOfHousehold):
    """`told_on`: the day on which the household was told of a refusal."""

    TYPE, SUMMARY = "credit", "授信 grant or refuse credit"
    ROLES, PATH = (Role.BANK,), "/households/{household_no}/credits"
    RECORDS = (Household.CreditGranted, Household.CreditRefused)

    amount_fen: PositiveFen | None = None
    purpose: Text
    decision: Literal["granted", "refused"]
    reason: Text | None = None
    told_on: Day | None = None

    def handle(self, ledger: Ledger, context: CommandContext, replaces: int | None = None) -> None:
        today = ledger.today()
        if self.told_on is not None and self.told_on > today:
            raise DatedInFuture("told_on", effective_on=self.told_on, today=today)
        ledger.household(self.household_no).decide_credit(
            context,
            bank=context.by.organisation,
            granted=self.decision == "granted",
            amount_fen=self.amount_fen,
            purpose=self.purpose,
            reason=self.reason,
            told_on=self.told_on,
            replaces=replaces,
        )


class RateCredit(CorrectableOfHousehold):
    TYPE, SUMMARY = "rating", "信用评级 rate a household"
    ROLES, PATH = (Role.BANK, Role.TOWNSHIP), "/households/{household_no}/ratings"
    RECORDS = (Household.CreditRated,)

    grade: Name
    score: Annotated[int, Field(strict=True, ge=0, le=1_000)] | None = None

    def handle(self, ledger: Ledger, context: CommandContext, replaces: int | None = None) -> None:
        household = ledger.household(self.household_no)
        if context.by.role == Role.TOWNSHIP and household.township != context.by.organisation:
            raise HouseholdUnknown(household_no=self.household_no)
        household.rate_credit(
            context,
            rater=context.by.organisation,
            grade=self.grade,
            score=self.score,
            replaces=replaces,
        )


# ---- personal data --------------------------------------------------------------------


class EraseHousehold(OfHousehold):
    """Destroys the household's key, when nothing is owed on any loan it has."""

    TYPE, SUMMARY = "erasure", "个人信息销毁 erase a household's personal data"
    ROLES, PATH = (Role.BUREAU,), "/households/{household_no}/erasure"

    ground: Ground
    reason: Text

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        household = ledger.household(self.household_no)
        loans = [ledger.aggregate(Loan, id) for id in sorted(set(household.borrowed.values()))]
        owed = [f"{loan.bank}/{loan.loan_no}" for loan in loans if loan.outstanding_fen > 0]
        household.erase(context, open_loans=sorted(owed), reason=self.reason)


class LookAtHousehold(OfHousehold):
    """Names, identity and account numbers in clear. The same `ref` again shows nothing."""

    TYPE, SUMMARY = "look", "查看个人信息 look at a household's personal data, on record"
    ROLES = (Role.BUREAU, Role.CENTRE, Role.FINANCE, Role.AUDITOR, Role.TOWNSHIP, Role.BANK)
    PATH, NEEDS_ANSWER = "/households/{household_no}/looks", True

    reason: Why

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        """Record who looks, before anything is shown."""
        today = ledger.today()
        if self.effective_on != today:
            raise LookNotToday(effective_on=self.effective_on, today=today)
        if ledger.looks_within(_LOOKS_COUNTED_FOR, context.by) >= _MOST_LOOKS:
            raise TooManyLooks(most=_MOST_LOOKS)
        household = ledger.household(self.household_no)
        loans = [ledger.aggregate(Loan, id) for id in household.loans_of(context.by.organisation)]
        borrowers = [(loan.borrower, loan.disbursed_on) for loan in loans if loan.exists]
        household.look_at(context, reason=self.reason, borrowers=borrowers)
