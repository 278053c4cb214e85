"""Duties with a deadline: what is due, done, late, not done, and when a duty is none at all."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from domain.duties import (
    Deed,
    Duty,
    decisions,
    may_fall_due,
    reminders,
    repayment_plan,
    usage_checks,
)

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


def of_three_months(*days: date, settled_on: date | None = None) -> list[str]:
    """The states of the checks due 2022-02-22, 05-22, 08-22 and 11-22, the day after the last."""
    deeds = [Deed(day, place) for place, day in enumerate(days, 1)]
    as_of = date(2022, 11, 23)
    found = usage_checks(
        date(2021, 11, 22), settled_on, deeds, as_of=as_of, until=date(2022, 11, 22)
    )
    return [duty.state for duty in found if duty.due_on < as_of]


def test_one_missed_check_makes_no_later_check_in_time_late() -> None:
    in_time = date(2022, 5, 11), date(2022, 8, 14), date(2022, 11, 22)
    assert of_three_months(*in_time) == ["not_done", "done", "done", "done"]
    assert of_three_months(date(2022, 2, 20), *in_time[1:]) == ["done", "not_done", "done", "done"]


def test_three_checks_three_days_late_are_three_late_checks() -> None:
    late = date(2022, 2, 25), date(2022, 5, 25), date(2022, 8, 25)
    assert of_three_months(*late) == ["late", "late", "late", "not_done"]


def test_a_check_made_up_for_is_late_when_the_next_duty_has_its_own() -> None:
    assert of_three_months(date(2022, 5, 1), date(2022, 5, 22)) == [
        "late", "done", "not_done", "not_done",
    ]  # fmt: skip


def test_a_check_half_way_between_two_due_days_is_late_for_the_first() -> None:
    half_way, a_day_later = (
        date(2022, 7, 7),
        date(2022, 7, 8),
    )  # 46 days after 05-22 and before 08-22
    assert of_three_months(half_way) == ["not_done", "late", "not_done", "not_done"]
    assert of_three_months(a_day_later) == ["not_done", "not_done", "done", "not_done"]


def test_a_check_is_kept_for_no_duty_that_settlement_has_ended() -> None:
    states = of_three_months(date(2022, 7, 8), settled_on=date(2022, 8, 22))
    assert states == ["not_done", "late"]


def test_two_checks_before_one_due_day_answer_one_duty() -> None:
    twice = date(2022, 2, 1), date(2022, 2, 2)
    assert of_three_months(*twice) == ["done", "not_done", "not_done", "not_done"]


def test_a_duty_not_done_says_which_check_is_counted_for_the_next() -> None:
    deeds = [Deed(date(2022, 5, 11), 1)]
    as_of = date(2022, 5, 30)
    first, *_ = usage_checks(date(2021, 11, 22), None, deeds, as_of=as_of, until=as_of)
    assert first.state == "not_done" and "2022-05-11" in str(first.remark)


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


some_days = st.lists(st.integers(0, 700), max_size=12).map(sorted)


def judged_by(days: list[int]) -> list[Duty]:
    deeds = [Deed(LENT + timedelta(days=day), place) for place, day in enumerate(days)]
    as_of = LENT + timedelta(days=720)
    return [
        duty
        for duty in usage_checks(LENT, None, deeds, as_of=as_of, until=as_of)
        if duty.due_on <= as_of
    ]


@given(some_days)
def test_a_check_in_time_is_never_called_late_nor_counted_for_what_fell_due_before(
    days: list[int],
) -> None:
    found = judged_by(days)
    for before, duty in zip(
        [LENT - timedelta(days=1), *(d.due_on for d in found)], found, strict=False
    ):
        assert (duty.state == "done") == (duty.done_on is not None and duty.done_on <= duty.due_on)
        assert duty.done_on is None or duty.done_on > before


@given(some_days, st.data())
def test_when_there_is_a_check_before_every_due_day_every_duty_is_done(
    more: list[int], data: st.DataObject
) -> None:
    due = [0, *((duty.due_on - LENT).days for duty in judged_by([]))]
    own = [data.draw(st.integers(first + 1, until)) for first, until in pairwise(due)]
    assert {duty.state for duty in judged_by(sorted([*own, *more]))} == {"done"}


@given(some_days, st.integers(0, 700))
def test_one_more_check_leaves_no_duty_undone_that_was_done(days: list[int], more: int) -> None:
    for before, after in zip(judged_by(days), judged_by(sorted([*days, more])), strict=True):
        assert before.state != "done" or after.state == "done"


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


DAYS = st.dates(date(2020, 1, 1), date(2023, 12, 31))


@given(
    DAYS,
    st.integers(1, 1_200),
    st.lists(st.tuples(st.integers(1, 900), st.integers(1, 400)), max_size=2),
    st.dates(date(2020, 1, 1), date(2026, 12, 31)),
    st.integers(0, 60),
)
def test_no_duty_falls_due_where_none_can(
    lent_on: date, term: int, extensions: list[tuple[int, int]], first: date, days: int
) -> None:
    due_days = [(lent_on, lent_on + timedelta(days=term))]
    for after, more in extensions:
        due_days.append((lent_on + timedelta(days=after), due_days[-1][1] + timedelta(days=more)))
    until = first + timedelta(days=days)
    found = [
        *usage_checks(lent_on, None, [], as_of=until, until=until),
        *reminders("first_reminder", 60, None, due_days, [], as_of=until),
        *reminders("written_reminder", 30, None, due_days, [], as_of=until),
        *repayment_plan(due_days[-1][1], None, [], as_of=until),
    ]
    if any(first <= duty.due_on <= until for duty in found):
        assert may_fall_due(lent_on, due_days, first, until)
    else:
        assert not may_fall_due(lent_on, due_days, first, until) or len(due_days) > 1
