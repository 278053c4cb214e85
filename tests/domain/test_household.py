"""A household: its register, its people, and what township and banks decided about it."""

from __future__ import annotations

from datetime import date
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st
from support import controls
from support.in_memory import InMemoryLedger, given, recorded, refused, reverse, state_of

from application.ledger import Submission
from application.refusals import DatedInFuture, LookNotToday, ReplacementMalformed, TooManyLooks
from domain.household import (
    CreditAmountMissing,
    Household,
    HouseholdAlreadyRegistered,
    HouseholdErased,
    HouseholdHasOpenLoans,
    HouseholdUnknown,
    MemberTwice,
    MemberUnknown,
    NotOneHead,
    RefusalReasonMissing,
    SameCategory,
)
from domain.kernel import NotCorrectable, Refused
from domain.policy import POLICY
from domain.steps import StepBefore
from domain.subsidy import eligible


def person(n: int, *, head: bool = False) -> dict[str, Any]:
    """One of many people."""
    return {"name": "张三", "id_no": controls.id_no(n), "relation": "家人", "head": head}


def h1(ledger: InMemoryLedger) -> Household:
    return ledger.household("H1")


# ---- the register ---------------------------------------------------------------------


def test_a_household_is_registered_once() -> None:
    refusal = refused(given(controls.household()), controls.household(ref="HH-2"))

    assert isinstance(refusal, HouseholdAlreadyRegistered)
    assert refusal.details == {"household_no": "H1"}


@pytest.mark.parametrize("heads", [0, 1, 2, 3])
def test_a_household_is_registered_with_one_head(heads: int) -> None:
    ledger = given()
    said = controls.household(members=[person(n, head=n < heads) for n in range(3)])

    if heads == 1:
        recorded(ledger, said)
    else:
        refusal = refused(ledger, said)
        assert isinstance(refusal, NotOneHead)
        assert refusal.details == {"heads": heads}


def test_one_person_stands_once_in_a_household() -> None:
    twice = controls.household(members=[person(1, head=True), person(1)])
    assert isinstance(refused(given(), twice), MemberTwice)

    refusal = refused(given(controls.household(members=[person(1, head=True)])),
                      controls.members(added=[person(1)]))  # fmt: skip
    assert isinstance(refusal, MemberTwice)
    assert refusal.field == "added"


def test_nobody_leaves_a_household_who_is_not_of_it() -> None:
    ledger = given(controls.household())

    stranger = controls.members(added=[], left=[{"id_no": controls.id_no(7), "reason": "死亡"}])
    assert isinstance(refused(ledger, stranger), MemberUnknown)
    head = controls.members(added=[], left=[{"id_no": controls.ID_NO, "reason": "死亡"}])
    recorded(ledger, head)

    assert h1(ledger).members == {}


def test_a_second_head_does_not_join_but_takes_the_place_of_the_first() -> None:
    ledger = given(controls.household())

    refusal = refused(ledger, controls.members(added=[person(1, head=True)]))
    assert isinstance(refusal, NotOneHead)
    assert refusal.details == {"heads": 2}
    left = [{"id_no": controls.ID_NO, "reason": "更换户主", "code": "head_changed"}]
    recorded(ledger, controls.members(ref="MB-2", added=[person(1, head=True)], left=left))

    assert [member.head for member in h1(ledger).members.values()] == [True]


def test_who_was_a_member_on_a_day_is_known_when_he_has_left() -> None:
    ledger = given(controls.household())
    [head] = h1(ledger).members
    left = [{"id_no": controls.ID_NO, "reason": "死亡", "code": "died"}]
    recorded(ledger, controls.members(added=[], left=left, effective_on="2023-06-01"))

    assert h1(ledger).had_member(head, date(2023, 5, 31))
    assert not h1(ledger).had_member(head, date(2023, 6, 1))
    assert not h1(ledger).had_member(head, date(2019, 12, 31)), "before the register knew it"


def test_a_category_changes_to_another_one() -> None:
    ledger = given(controls.household())

    refusal = refused(ledger, controls.status(category="out_of_poverty"))

    assert isinstance(refusal, SameCategory)
    assert refusal.details == {"category": "out_of_poverty"}


def test_a_category_holds_from_its_day_on_whatever_the_order_of_the_reports() -> None:
    ledger = given(
        controls.household(),
        controls.status(effective_on="2024-01-01", category="monitored_marginal"),
        controls.status(ref="ST-2", effective_on="2023-01-01"),
    )

    days = [date(2019, 12, 31), date(2022, 12, 31), date(2023, 1, 1), date(2024, 1, 1)]
    assert [h1(ledger).category_on(day) for day in days] == [
        None, "out_of_poverty", "none", "monitored_marginal",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("category", "right"),
    [("out_of_poverty", True), ("monitored_unstable", True), ("monitored_marginal", True),
     ("monitored_hardship", True), ("none", False), (None, None)],
)  # fmt: skip
def test_who_left_poverty_or_is_monitored_is_eligible(category: str, right: bool | None) -> None:
    found = eligible(category, date(2023, 3, 10), date(2024, 1, 1), POLICY)
    assert bool(found) == bool(right)


def test_nothing_is_said_of_a_household_that_is_not_registered() -> None:
    for said in (controls.status(), controls.members(), controls.credit(), controls.rating(),
                 controls.erasure(), controls.demand()):  # fmt: skip
        assert isinstance(refused(given(), said), HouseholdUnknown), said


def test_a_township_speaks_of_its_own_households() -> None:
    ledger = given(controls.household())

    other = Submission(controls.demand(), controls.OTHER_TOWNSHIP)
    assert isinstance(refused(ledger, other), HouseholdUnknown)
    recorded(ledger, controls.demand())


# ---- credit ---------------------------------------------------------------------------


def test_a_granted_credit_says_how_much() -> None:
    ledger = given(controls.household())

    assert isinstance(refused(ledger, controls.credit(amount_fen=None)), CreditAmountMissing)


@pytest.mark.parametrize(("told", "field"), [("reason", "told_on"), ("told_on", "reason")])
def test_a_refused_credit_says_why_and_when_the_borrower_heard_it(told: str, field: str) -> None:
    answers = {"reason": "征信不良", "told_on": "2023-03-01"}
    said = controls.credit(decision="refused", **{told: answers[told]})

    refusal = refused(given(controls.household()), said)

    assert isinstance(refusal, RefusalReasonMissing)
    assert refusal.field == field


@pytest.mark.parametrize(
    ("told_on", "refusal"),
    [("2023-02-28", StepBefore), ("2023-03-01", None), ("2026-01-05", None),
     ("2026-01-06", DatedInFuture)],
)  # fmt: skip
def test_the_borrower_hears_of_a_refusal_on_its_day_or_later_and_not_in_the_future(
    told_on: str, refusal: type[Refused] | None
) -> None:
    ledger = given(controls.household(), today=date(2026, 1, 5))
    said = controls.credit(decision="refused", reason="征信不良", told_on=told_on)

    if refusal is None:
        recorded(ledger, said)
    else:
        assert isinstance(refused(ledger, said), refusal)


# ---- personal data --------------------------------------------------------------------


def test_a_household_is_erased_when_it_owes_nothing() -> None:
    ledger = given(controls.household(), controls.loan(), controls.repay(principal_fen=4_999_999))

    refusal = refused(ledger, controls.erasure())
    assert isinstance(refusal, HouseholdHasOpenLoans)
    assert refusal.details["loans"] == ["NRCB/L1"]
    recorded(ledger, controls.repay(ref="RP-2", principal_fen=1))
    recorded(ledger, controls.erasure())

    assert ledger.store.keys == {}
    for said in (controls.erasure(ref="ER-2"), controls.members(), controls.loan(ref="LN-2",
                 loan_no="L2")):  # fmt: skip
        refusal = refused(ledger, said)
        assert isinstance(refusal, HouseholdErased)
        assert refusal.details["erased_on"] == date(2025, 3, 1)


def test_a_look_is_of_today_and_thirty_are_a_minutes_most() -> None:
    ledger = given(controls.household(), today=date(2026, 1, 5))
    look = {"effective_on": "2026-01-05"}

    def by_the_bureau(number: int, **other: str) -> Submission:
        return Submission(controls.look(ref=f"LK-{number}", **look | other), controls.BUREAU)

    yesterday = by_the_bureau(0, effective_on="2026-01-04")
    assert isinstance(refused(ledger, yesterday), LookNotToday)
    for number in range(30):
        recorded(ledger, by_the_bureau(number))
    assert isinstance(refused(ledger, by_the_bureau(30)), TooManyLooks)


# ---- reversal -------------------------------------------------------------------------


def test_a_change_of_category_that_is_reversed_never_was() -> None:
    ledger = given(controls.household(), controls.status())
    [changed] = ledger.all_of(Household.StatusChanged)

    recorded(ledger, reverse(ledger, changed))

    assert h1(ledger).category_on(date(2023, 6, 1)) == "out_of_poverty"
    assert isinstance(refused(ledger, reverse(ledger, changed)), NotCorrectable)


def test_a_replacement_is_judged_as_if_it_were_said_anew() -> None:
    ledger = given(controls.household(), controls.status())
    [changed] = ledger.all_of(Household.StatusChanged)

    nonsense = reverse(ledger, changed, replacement={"effective_on": "2023-06-01"})
    refusal = refused(ledger, nonsense)

    assert isinstance(refusal, ReplacementMalformed)
    assert refusal.field == "replacement/category"


_NUMBERS = st.integers(0, 3)
_DAY = st.dates(date(2021, 1, 1), date(2025, 12, 31))
_CATEGORIES = st.sampled_from(["out_of_poverty", "monitored_hardship", "none"])
_CHANGES = st.lists(
    st.one_of(
        st.builds(
            lambda on, category: {"what": controls.status, "effective_on": on,
                                  "category": category},
            _DAY, _CATEGORIES,
        ),
        st.builds(
            lambda on, n: {"what": controls.members, "effective_on": on, "added": [person(n)]},
            _DAY, _NUMBERS,
        ),
        st.builds(
            lambda on, n: {"what": controls.members, "effective_on": on, "added": [],
                           "left": [{"id_no": controls.id_no(n), "reason": "迁出"}]},
            _DAY, _NUMBERS,
        ),
    ),
    max_size=10,
)  # fmt: skip


@hypothesis.settings(max_examples=40)
@hypothesis.given(_CHANGES, st.randoms(use_true_random=False))
def test_what_is_reversed_in_any_order_leaves_the_household_as_it_never_was(
    changes: list[dict[str, Any]], chance: Any
) -> None:
    ledger = given(controls.household(members=[person(0, head=True)]))
    for number, change in enumerate(changes):
        others = {name: value for name, value in change.items() if name != "what"}
        try:
            recorded(ledger, change["what"](ref=f"R-{number}", **others))
        except Refused:
            continue
    assert state_of(h1(ledger)) == state_of(h1(ledger.replayed()))
    assert sum(member.head for member in h1(ledger).members.values()) <= 1

    versions = sorted(h1(ledger).live)
    chance.shuffle(versions)
    for version in versions:
        row = ledger.log.stored(h1(ledger).id, version)
        assert row is not None
        recorded(ledger, reverse(ledger, row))

    household = h1(ledger)
    assert not household.exists
    assert (household.members, household.categories, household.live) == ({}, {}, {})
    assert household.category_on(date(2025, 12, 31)) is None
