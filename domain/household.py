"""A household (户): whom the programme is for, and what the township and banks did about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import ClassVar, Final, Literal, Self
from uuid import UUID

import msgspec

from domain.kernel import (
    Aggregate,
    AnyEvent,
    Author,
    CommandContext,
    Event,
    NotCorrectable,
    Personal,
    Refused,
    Warned,
    identity,
    recorded_fields,
)
from domain.roles import Role
from domain.steps import assure_follows

Category = Literal[
    "out_of_poverty", "monitored_unstable", "monitored_marginal", "monitored_hardship", "none"
]
CATEGORIES_ZH: Final[dict[str, str]] = {
    "out_of_poverty": "脱贫户",
    "monitored_unstable": "脱贫不稳定户",
    "monitored_marginal": "边缘易致贫户",
    "monitored_hardship": "突发严重困难户",
    "none": "不享受",
}


class HouseholdUnknown(Refused):
    CODE, FIELD = "household_unknown", "household_no"
    ZH, EN = "没有这一户：{household_no}", "no such household: {household_no}"


class HouseholdAlreadyRegistered(Refused):
    CODE, FIELD = "household_already_registered", "household_no"
    ZH, EN = "户编号 {household_no} 已登记", "household {household_no} is registered already"


class NotOneHead(Refused):
    CODE, FIELD = "not_one_head", "members"
    ZH, EN = "一户须有且只有一名户主，现有 {heads} 名", "a household has one head, not {heads}"


class MemberTwice(Refused):
    CODE, FIELD = "member_twice", "members"
    ZH, EN = "同一身份证号在本户出现两次", "one identity number stands twice in the household"


class MemberUnknown(Refused):
    CODE, FIELD = "member_unknown", "left"
    ZH, EN = "该人不在本户成员中", "this person is not a member of the household"


class SameCategory(Refused):
    CODE, FIELD = "same_category", "category"
    ZH, EN = "户类别未变：{category}", "the household's category is {category} already"


class CreditAmountMissing(Refused):
    CODE, FIELD = "credit_amount_missing", "amount_fen"
    ZH, EN = "授信须写明额度", "a granted credit needs its amount"


class RefusalReasonMissing(Refused):
    CODE, FIELD = "refusal_reason_missing", "reason"
    ZH, EN = "不予授信须写明告知的原因和日期", "a refused credit needs the reason told and the day"


class HouseholdErased(Refused):
    CODE, FIELD = "household_erased", "household_no"
    ZH = "户 {household_no} 的个人信息已于 {erased_on} 销毁"
    EN = "the personal data of household {household_no} were erased on {erased_on}"


class HouseholdHasOpenLoans(Refused):
    CODE, FIELD = "household_has_open_loans", "household_no"
    ZH = (
        "户 {household_no} 尚有未结清贷款 {loans}："
        "《会计档案管理办法》规定，未结清的债权债务会计凭证不得销毁；《个人信息保护法》第四十七条"
        "规定，法定保存期限未届满的，只作存储和必要保护"
    )
    EN = (
        "household {household_no} still owes on {loans}: vouchers of unsettled debts must be kept "
        "(Measures for Accounting Archives; Personal Information Protection Law, article 47)"
    )


def _before_registration(event: AnyEvent, registered_on: date, field: str) -> Warned:
    return Warned(
        "before_registration",
        f"{event.ZH} {event.effective_on} 早于该户登记日 {registered_on}，请核对",
        f"{event.effective_on} ({event.ZH}) is before the household's registration {registered_on}",
        field,
    )


class Member(msgspec.Struct, frozen=True):
    """A member as the log shows him: a keyed pseudonym, never a name or a number."""

    person: str
    relation: str
    head: bool = False


Leaving = Literal[
    "died", "married_out", "moved", "split_off", "emigrated", "enlisted", "studying",
    "imprisoned", "missing", "head_changed", "registered_wrongly", "other",
]  # fmt: skip
"""Why a member left, as household registers name it; permanent codes."""


class Left(msgspec.Struct, frozen=True, omit_defaults=True):
    """A member who left, in words; with a code since registers give one."""

    person: str
    reason: str
    code: Leaving | None = None


class Household(Aggregate):
    """State of one household, drawn from its events alone."""

    KIND: ClassVar[str] = "household"

    def __init__(self, id: UUID) -> None:
        super().__init__(id)
        self.household_no = ""
        self.registered_version = 0
        self.township = ""
        self.village = ""
        self.members: dict[str, Member] = {}
        self.categories: dict[int, tuple[date, str]] = {}
        self.borrowed: dict[int, UUID] = {}
        self.lenders: dict[int, str] = {}
        self.ever_borrowed: set[UUID] = set()
        self.erased_on: date | None = None
        self.live: dict[int, AnyEvent] = {}

    @staticmethod
    def id_for(household_no: str) -> UUID:
        return identity("household", household_no)

    @property
    def sealed_for(self) -> UUID | None:
        return self.id

    @property
    def exists(self) -> bool:
        return self.registered_version > 0

    @property
    def erased(self) -> bool:
        """Whether its key was destroyed: nobody's name or number can be read or sealed again."""
        return self.erased_on is not None

    def loans_of(self, bank: str) -> set[UUID]:
        """The active loans that this bank disbursed to the household."""
        return {id for version, id in self.borrowed.items() if self.lenders[version] == bank}

    def open_to(self, by: Author, borrowers: Iterable[tuple[str, date]] = ()) -> bool:
        """Whether a reader may see its people: its township, a bank of a member's loan, the county.

        `borrowers`: borrower and disbursement day of each active loan of the reader's bank.
        """
        if by.role == Role.TOWNSHIP:
            return self.exists and self.township == by.organisation
        if by.role == Role.BANK:
            return any(self.had_member(person, day) for person, day in borrowers)
        return self.version > 0

    def had_member(self, person: str, day: date) -> bool:
        """Whether a person is a member now, or was on `day`."""
        return person in self.members or person in self._members_until(day)

    def category_on(self, day: date) -> str | None:
        """The category in force on `day`; None before the register knew the household."""
        known = [(on, version) for version, (on, _) in self.categories.items() if on <= day]
        return self.categories[max(known)[1]][1] if known else None

    # ---- events -----------------------------------------------------------------------

    class Registered(Event["Household"], frozen=True, kw_only=True, omit_defaults=True):
        """The bureau entered the household in its register."""

        TOPIC, ZH = "household.registered.v1", "登记"
        household_no: str
        township: str
        village: str
        category: Category
        members: tuple[Member, ...]

        def apply(self, household: Household) -> None:
            household.registered_version = household.version
            household.household_no = self.household_no
            household.township, household.village = self.township, self.village
            household.categories[household.version] = (self.effective_on, self.category)
            household.live[household.version] = self
            household._recount_members()

    class StatusChanged(Event["Household"], frozen=True, kw_only=True, omit_defaults=True):
        """The household's category changed, from `effective_on` on."""

        TOPIC, ZH = "household.status-changed.v1", "状态变更"
        category: Category
        reason: str

        def apply(self, household: Household) -> None:
            household.categories[household.version] = (self.effective_on, self.category)
            household.live[household.version] = self

    class MembersChanged(Event["Household"], frozen=True, kw_only=True, omit_defaults=True):
        """People joined or left the household."""

        TOPIC, ZH = "household.members-changed.v1", "成员变更"
        added: tuple[Member, ...] = ()
        left: tuple[Left, ...] = ()

        def apply(self, household: Household) -> None:
            household.live[household.version] = self
            household._recount_members()

    class DemandRecommended(Event["Household"], frozen=True, kw_only=True, omit_defaults=True):
        """The township recommended the household's wish for credit."""

        TOPIC, ZH = "household.demand-recommended.v1", "信贷需求推荐"
        amount_fen: int
        purpose: str

        def apply(self, household: Household) -> None:
            household.live[household.version] = self

    class CreditGranted(Event["Household"], frozen=True, kw_only=True, omit_defaults=True):
        """A bank granted a line of credit."""

        TOPIC, ZH = "household.credit-granted.v1", "授信"
        bank: str
        amount_fen: int
        purpose: str

        def apply(self, household: Household) -> None:
            household.live[household.version] = self

    class CreditRefused(Event["Household"], frozen=True, kw_only=True, omit_defaults=True):
        """A bank refused credit and told the borrower why."""

        TOPIC, ZH = "household.credit-refused.v1", "不予授信"
        bank: str
        amount_fen: int | None = None
        purpose: str
        reason: str
        told_on: date

        def apply(self, household: Household) -> None:
            household.live[household.version] = self

    class CreditRated(Event["Household"], frozen=True, kw_only=True, omit_defaults=True):
        """Somebody rated how far the household can be lent to."""

        TOPIC, ZH = "household.credit-rated.v1", "信用评级"
        rater: str
        grade: str
        score: int | None = None

        def apply(self, household: Household) -> None:
            household.live[household.version] = self

    class Borrowed(Event["Household"], frozen=True, kw_only=True, omit_defaults=True):
        """A bank disbursed a loan to this household: the link that the cap is judged by."""

        TOPIC, ZH = "household.borrowed.v1", "用信"
        CORRECTABLE = False
        loan_id: UUID
        bank: str
        loan_no: str
        principal_fen: int

        def apply(self, household: Household) -> None:
            household.borrowed[household.version] = self.loan_id
            household.lenders[household.version] = self.bank
            household.ever_borrowed.add(self.loan_id)

    class Erased(Event["Household"], frozen=True, kw_only=True, omit_defaults=True):
        """The household's key was destroyed: its names and numbers are gone, everywhere."""

        TOPIC, ZH = "household.erased.v1", "个人信息销毁"
        CORRECTABLE = False
        reason: str

        def apply(self, household: Household) -> None:
            household.erased_on = self.effective_on

    class LookedAt(Event["Household"], frozen=True, kw_only=True, omit_defaults=True):
        """Somebody asked for the household's personal data unmasked, and said why."""

        TOPIC, ZH = "household.looked-at.v1", "查看个人信息"
        CORRECTABLE = False
        reason: str

    class Corrected(Event["Household"], frozen=True, kw_only=True, omit_defaults=True):
        """An earlier event was a mistake: it counts no more from `recorded_at` on (冲正)."""

        TOPIC, ZH = "household.corrected.v1", "冲正"
        CORRECTABLE = False
        corrects: int
        corrects_topic: str
        reason: str

        def apply(self, household: Household) -> None:
            household.live.pop(self.corrects, None)
            household.categories.pop(self.corrects, None)
            household.borrowed.pop(self.corrects, None)
            household.lenders.pop(self.corrects, None)
            if self.corrects == household.registered_version:
                household.registered_version = 0
            household._recount_members()

    # ---- commands ---------------------------------------------------------------------

    def record(self, event: Event[Self], personal: Personal | None = None) -> None:
        """Record it, and warn of what lies before the day on which the household was registered."""
        super().record(event, personal)
        registered = self.live.get(self.registered_version)
        if registered is None or self.version not in self.live:
            return
        told = sorted(self.live.items()) if event is registered else [(self.version, event)]
        field = "effective_on" if event.replaces is None else "replacement/effective_on"
        for _, each in told:
            if each.effective_on < registered.effective_on:
                self.warn(_before_registration(each, registered.effective_on, field))

    def register(
        self,
        context: CommandContext,
        *,
        household_no: str,
        township: str,
        village: str,
        category: Category,
        members: tuple[Member, ...],
        personal: Personal,
        replaces: int | None = None,
    ) -> None:
        """Enter the household.

        Raises HouseholdErased, HouseholdAlreadyRegistered, NotOneHead, MemberTwice.
        """
        self._takes_people(replaces)
        if self.exists:
            raise HouseholdAlreadyRegistered(household_no=household_no)
        heads = sum(member.head for member in members)
        if heads != 1:
            raise NotOneHead(heads=heads)
        if len({member.person for member in members}) != len(members):
            raise MemberTwice
        self.record(
            Household.Registered(
                **recorded_fields(context),
                household_no=household_no,
                township=township,
                village=village,
                category=category,
                members=members,
                replaces=replaces,
            ),
            personal,
        )

    def change_status(
        self,
        context: CommandContext,
        *,
        category: Category,
        reason: str,
        replaces: int | None = None,
    ) -> None:
        """Change the category from a day on. Raises HouseholdUnknown, SameCategory."""
        self.must_exist()
        if self.category_on(context.effective_on) == category:
            raise SameCategory(category=category)
        self.record(
            Household.StatusChanged(
                **recorded_fields(context), category=category, reason=reason, replaces=replaces
            )
        )

    def change_members(
        self,
        context: CommandContext,
        *,
        added: tuple[Member, ...],
        left: tuple[Left, ...],
        personal: Personal,
        replaces: int | None = None,
    ) -> None:
        """Let people join and leave.

        Raises HouseholdUnknown, HouseholdErased, MemberTwice, MemberUnknown, NotOneHead.
        """
        self.must_exist()
        self._takes_people(replaces)
        gone = {leaver.person for leaver in left}
        if not gone <= self.members.keys():
            raise MemberUnknown
        staying = [member for member in self.members.values() if member.person not in gone]
        joined = [*staying, *added]
        if len({member.person for member in joined}) != len(joined):
            raise MemberTwice("added")
        heads = sum(member.head for member in joined)
        if heads > 1:
            raise NotOneHead("added", heads=heads)
        self.record(
            Household.MembersChanged(
                **recorded_fields(context), added=added, left=left, replaces=replaces
            ),
            personal,
        )

    def recommend_demand(
        self, context: CommandContext, *, amount_fen: int, purpose: str, replaces: int | None = None
    ) -> None:
        """Recommend the household to the banks. Raises HouseholdUnknown."""
        self.must_exist()
        self.record(
            Household.DemandRecommended(
                **recorded_fields(context),
                amount_fen=amount_fen,
                purpose=purpose,
                replaces=replaces,
            )
        )

    def rate_credit(
        self,
        context: CommandContext,
        *,
        rater: str,
        grade: str,
        score: int | None,
        replaces: int | None = None,
    ) -> None:
        """Record a rating. Raises HouseholdUnknown."""
        self.must_exist()
        self.record(
            Household.CreditRated(
                **recorded_fields(context), rater=rater, grade=grade, score=score, replaces=replaces
            )
        )

    def decide_credit(
        self,
        context: CommandContext,
        *,
        bank: str,
        granted: bool,
        amount_fen: int | None,
        purpose: str,
        reason: str | None,
        told_on: date | None,
        replaces: int | None = None,
    ) -> None:
        """Record a bank's answer to a wish for credit.

        Raises HouseholdUnknown, CreditAmountMissing, RefusalReasonMissing, StepBefore.
        """
        self.must_exist()
        if granted:
            if amount_fen is None:
                raise CreditAmountMissing
            self.record(
                Household.CreditGranted(
                    **recorded_fields(context),
                    bank=bank,
                    amount_fen=amount_fen,
                    purpose=purpose,
                    replaces=replaces,
                )
            )
        else:
            if not reason or told_on is None:
                raise RefusalReasonMissing("reason" if not reason else "told_on")
            assure_follows(
                told_on, "the decision on the credit", context.effective_on, field="told_on"
            )
            self.record(
                Household.CreditRefused(
                    **recorded_fields(context),
                    bank=bank,
                    amount_fen=amount_fen,
                    purpose=purpose,
                    reason=reason,
                    told_on=told_on,
                    replaces=replaces,
                )
            )

    def borrow(
        self, context: CommandContext, *, loan_id: UUID, bank: str, loan_no: str, principal_fen: int
    ) -> None:
        """Take note of a loan, also when the register does not know the household (yet).

        Raises HouseholdErased, unless a loan that was its own before is told anew.
        """
        if self.erased and loan_id not in self.ever_borrowed:
            raise self._erased()
        self.record(
            Household.Borrowed(
                **recorded_fields(context),
                loan_id=loan_id,
                bank=bank,
                loan_no=loan_no,
                principal_fen=principal_fen,
            )
        )

    def correct(self, context: CommandContext, *, version: int, topic: str, reason: str) -> None:
        """Take an earlier event back. Raises NotCorrectable."""
        if version not in self.live and version not in self.borrowed:
            raise NotCorrectable
        self.record(
            Household.Corrected(
                **recorded_fields(context), corrects=version, corrects_topic=topic, reason=reason
            )
        )

    def no_longer_borrows(self, context: CommandContext, *, loan_id: UUID, reason: str) -> None:
        """Unlink a loan whose disbursement is being corrected."""
        for version, linked in list(self.borrowed.items()):
            if linked == loan_id:
                self.correct(
                    context, version=version, topic=Household.Borrowed.TOPIC, reason=reason
                )

    def erase(self, context: CommandContext, *, open_loans: Sequence[str], reason: str) -> None:
        """Give up its personal data for ever; `open_loans` are those of its loans still owed.

        A household that the register does not know, but a bank named, can be erased too.
        Raises HouseholdUnknown, HouseholdErased, HouseholdHasOpenLoans.
        """
        if not self.version:
            raise HouseholdUnknown(household_no=self.household_no)
        if self.erased:
            raise self._erased()
        if open_loans:
            raise HouseholdHasOpenLoans(household_no=self.household_no, loans=list(open_loans))
        self.record(Household.Erased(**recorded_fields(context), reason=reason))

    def look_at(
        self, context: CommandContext, *, reason: str, borrowers: Iterable[tuple[str, date]] = ()
    ) -> None:
        """Record that somebody is about to see its personal data. `borrowers`: see `open_to`.

        Raises HouseholdUnknown (also to whom it is not open), HouseholdErased.
        """
        if not self.open_to(context.by, borrowers):
            raise HouseholdUnknown(household_no=self.household_no)
        if self.erased:
            raise self._erased()
        self.record(Household.LookedAt(**recorded_fields(context), reason=reason))

    def _takes_people(self, replaces: int | None) -> None:
        """People join a household that was not erased; what was told of it can be corrected."""
        if self.erased and replaces is None:
            raise self._erased()

    def _erased(self) -> HouseholdErased:
        return HouseholdErased(household_no=self.household_no, erased_on=self.erased_on)

    def must_exist(self) -> None:
        if not self.exists:
            raise HouseholdUnknown(household_no=self.household_no)

    def _recount_members(self) -> None:
        self.members = self._members_until(date.max)

    def _members_until(self, day: date) -> dict[str, Member]:
        """Those who joined and did not leave up to `day`, in the order of being told."""
        members: dict[str, Member] = {}
        for _, event in sorted(self.live.items()):
            if event.effective_on > day:
                continue
            if isinstance(event, Household.Registered):
                members.update((m.person, m) for m in event.members)
            elif isinstance(event, Household.MembersChanged):
                for leaver in event.left:
                    members.pop(leaver.person, None)
                members.update((m.person, m) for m in event.added)
        return members
