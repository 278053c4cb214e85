"""Duties with a deadline: what is due, done, late, not done, and when a duty is none at all."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from domain.duties import Deed, decisions, reminders, repayment_plan, usage_checks

LENT, DUE = date(2023, 11, 30), date(2024, 11, 30)


def checks(as_of: date, *days: date, settled_on: date | None = None) -> list[tuple[date, str]]:
    deeds = [Deed(day, place) for place, day in enumerate(days, 1) if day <= as_of]
    found = usage_checks(LENT, settled_on, deeds, as_of=as_of, until=as_of)
    return [(duty.due_on, duty.state) for duty in found]


def reminded(as_of: date, *deeds: Deed, due_days: object = None, settled_on: object = None) -> str:
    days = due_days or [(LENT, DUE)]
    found = reminders("first_reminder", 60, settled_on, days, deeds, as_of=as_of)  # type: ignore[arg-type]
    return " ".join(duty.state for duty in found)


def test_a_check_is_due_every_three_months_clamped_to_the_end_of_the_month() -> None:
    assert checks(date(2024, 6, 1)) == [
        (date(2024, 2, 29), "not_done"),
        (date(2024, 5, 30), "not_done"),
        (date(2024, 8, 30), "pending"),
    ]


def test_a_check_is_in_time_on_its_day_and_late_the_day_after() -> None:
    on_time, late = date(2024, 2, 29), date(2024, 3, 1)
    assert checks(date(2024, 3, 1), on_time)[0][1] == "done"
    assert checks(date(2024, 3, 1), late)[0][1] == "late"
    assert checks(date(2024, 2, 29))[0][1] == "pending"


def test_a_late_check_answers_one_duty_and_none_that_fell_due_before() -> None:
    states = [state for _, state in checks(date(2024, 9, 1), date(2024, 7, 1))]
    assert states == ["not_done", "late", "not_done", "pending"]


def test_what_was_not_done_names_the_days_searched() -> None:
    [first, *_] = usage_checks(LENT, None, [], as_of=date(2024, 9, 1), until=date(2024, 9, 1))
    assert (first.searched_from_on, first.searched_until_on) == (LENT, date(2024, 5, 30))


def test_no_check_is_due_on_or_after_the_day_of_settlement() -> None:
    assert checks(date(2024, 9, 1), settled_on=date(2024, 5, 30)) == [
        (date(2024, 2, 29), "not_done")
    ]


@given(st.lists(st.integers(0, 700), max_size=12).map(sorted), st.integers(0, 800))
def test_no_check_is_counted_twice_and_the_past_is_judged_without_the_future(
    days: list[int], asked: int
) -> None:
    as_of = LENT + timedelta(days=asked)
    deeds = [Deed(LENT + timedelta(days=day), place) for place, day in enumerate(days)]
    known = [deed for deed in deeds if deed.on <= as_of]
    found = list(usage_checks(LENT, None, deeds, as_of=as_of, until=as_of))
    assert found == list(usage_checks(LENT, None, known, as_of=as_of, until=as_of))
    used = [duty.position for duty in found if duty.position is not None]
    assert len(used) == len(set(used))
    assert all(one.due_on < next_.due_on for one, next_ in pairwise(found))
    assert found[-1].due_on >= as_of


def test_a_reminder_is_in_time_sixty_days_before_and_late_fifty_nine_before() -> None:
    sixty = DUE - timedelta(days=60)
    assert reminded(DUE, Deed(sixty, 1)) == "done"
    assert reminded(DUE, Deed(sixty + timedelta(days=1), 1)) == "late"
    assert reminded(DUE, Deed(DUE, 1)) == "not_done"
    assert reminded(sixty) == "pending"


def test_a_reminder_that_is_not_in_writing_leaves_the_duty_undone_and_says_why() -> None:
    sixty = DUE - timedelta(days=60)
    [duty] = reminders(
        "written_reminder", 30, None, [(LENT, DUE)], [Deed(sixty, 1, False)], as_of=DUE
    )
    assert duty.state == "not_done" and "非书面" in str(duty.remark)


def test_a_loan_shorter_than_the_window_owes_no_reminder_and_says_why() -> None:
    assert reminded(DUE, due_days=[(LENT, LENT + timedelta(days=59))]) == "not_applicable"
    assert reminded(DUE, due_days=[(LENT, LENT + timedelta(days=60))]) == "not_done"


def test_an_extension_before_the_window_moves_the_duty_and_one_inside_it_adds_none() -> None:
    before = [(LENT, DUE), (DUE - timedelta(days=60), DUE + timedelta(days=90))]
    assert reminded(DUE + timedelta(days=90), due_days=before) == "not_done"
    inside = [(LENT, DUE), (DUE - timedelta(days=10), DUE + timedelta(days=20))]
    assert reminded(DUE, due_days=inside) == "not_done not_applicable"


def test_a_loan_settled_before_the_window_owes_no_reminder() -> None:
    assert reminded(DUE, settled_on=DUE - timedelta(days=60)) == ""
    assert reminded(DUE, settled_on=DUE - timedelta(days=59)) == "not_done"


def test_an_overdue_loan_has_a_plan_or_lacks_one() -> None:
    def states(as_of: date, *plans: Deed, settled_on: date | None = None) -> list[str]:
        return [duty.state for duty in repayment_plan(DUE, settled_on, plans, as_of=as_of)]

    assert states(DUE - timedelta(days=1)) == []
    assert states(DUE) == ["not_done"]
    assert states(DUE + timedelta(days=9), Deed(DUE + timedelta(days=5), 1)) == ["done"]
    assert states(DUE, settled_on=DUE) == []


def test_a_demand_ends_granted_or_refused_and_told() -> None:
    asked = [Deed(LENT, 1), Deed(DUE, 2)]
    answered = [Deed(LENT + timedelta(days=9), 3, False)]
    found = [duty.state for _, duty in decisions(asked, answered, as_of=DUE)]
    assert found == ["not_done", "pending"]
