"""Dates that follow one another: the same day is right, the day before is refused by name."""

from __future__ import annotations

from datetime import date

import pytest

from domain.steps import StepBefore, assure_follows

DAY = date(2024, 3, 1)
THE_DAY_BEFORE = date(2024, 2, 29)


def test_a_step_stands_on_the_day_of_the_one_it_follows() -> None:
    assure_follows(DAY, "the approval", DAY)
    assure_follows(DAY, "the approval", THE_DAY_BEFORE)


def test_a_step_on_the_day_before_is_refused_with_both_days_and_what_it_follows() -> None:
    with pytest.raises(StepBefore) as refusal:
        assure_follows(THE_DAY_BEFORE, "the approval", DAY, field="told_on")

    assert refusal.value.field == "told_on"
    assert refusal.value.details == {
        "effective_on": THE_DAY_BEFORE, "last_on": DAY, "step": "批准", "step_en": "the approval",
    }  # fmt: skip
    assert refusal.value.zh == "日期 2024-02-29 早于其前一步（批准 2024-03-01）"


def test_a_date_that_has_no_field_of_its_own_is_the_commands() -> None:
    with pytest.raises(StepBefore) as refusal:
        assure_follows(THE_DAY_BEFORE, "the approval", DAY)

    assert refusal.value.field == "effective_on"
