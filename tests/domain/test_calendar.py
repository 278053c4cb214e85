"""Days: half-open periods, clamped months, settlement quarters, the civil day in China."""

import doctest
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import calendar
from domain.calendar import (
    SHANGHAI,
    Period,
    add_months,
    civil_day,
    last_of_month,
    named_quarter,
    quarter,
    quarter_name,
    quarter_of,
    settlement_day,
    term_months,
)
from domain.policy import POLICY
from domain.programme import supposed

DAYS = st.dates(date(2016, 1, 1), date(2035, 12, 31))
ONE_DAY = timedelta(days=1)


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(calendar).failed == 0


def test_a_period_holds_its_first_day_and_not_the_day_it_runs_until():
    period = Period(date(2023, 3, 21), date(2023, 6, 21))

    assert date(2023, 3, 20) not in period
    assert date(2023, 3, 21) in period
    assert date(2023, 6, 20) in period
    assert date(2023, 6, 21) not in period
    assert period.last == date(2023, 6, 20)
    assert len(period) == len(list(period)) == 92
    assert (next(iter(period)), list(period)[-1]) == (period.first, period.last)


@pytest.mark.parametrize("until", [date(2023, 3, 21), date(2023, 3, 20)])
def test_a_period_without_a_day_is_refused(until):
    with pytest.raises(ValueError, match="at least one day"):
        Period(date(2023, 3, 21), until)


def test_an_instant_does_not_bound_a_period():
    with pytest.raises(TypeError, match="not by instants"):
        Period(datetime(2023, 3, 21, tzinfo=UTC), date(2023, 6, 21))


def test_adjacent_periods_share_no_day_and_adjoin():
    spring, summer = quarter(2023, 2), quarter(2023, 3)

    assert spring.intersect(summer) is None
    assert spring.adjoins(summer)
    assert summer.adjoins(spring)
    assert not spring.adjoins(spring)


def test_periods_that_overlap_by_one_day_share_that_day():
    spring = quarter(2023, 2)

    shared = spring.intersect(Period(spring.last, date(2024, 1, 1)))

    assert shared == Period(spring.last, spring.until)
    assert len(shared) == 1


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        (date(2023, 1, 31), 1, date(2023, 2, 28)),
        (date(2024, 1, 31), 1, date(2024, 2, 29)),
        (date(2023, 11, 30), 3, date(2024, 2, 29)),
        (date(2023, 12, 31), 12, date(2024, 12, 31)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2023, 10, 31), 2, date(2023, 12, 31)),
        (date(2023, 8, 31), -6, date(2023, 2, 28)),
        (date(2023, 8, 31), 0, date(2023, 8, 31)),
    ],
)
def test_months_are_added_and_clamped_to_the_end_of_the_month(day, months, later):
    assert add_months(day, months) == later


@pytest.mark.parametrize(
    ("first", "due_on", "months"),
    [
        (date(2023, 3, 10), date(2023, 3, 10), 0),
        (date(2023, 3, 10), date(2023, 3, 11), 1),
        (date(2023, 3, 10), date(2024, 3, 9), 12),
        (date(2023, 3, 10), date(2024, 3, 10), 12),
        (date(2023, 3, 10), date(2024, 3, 11), 13),
        (date(2023, 3, 10), date(2026, 3, 10), 36),
        (date(2023, 3, 10), date(2026, 3, 11), 37),
        (date(2024, 2, 29), date(2025, 2, 28), 12),
        (date(2024, 2, 29), date(2025, 3, 1), 13),
        (date(2023, 1, 31), date(2023, 2, 28), 1),
    ],
)
def test_a_term_is_the_least_number_of_months_that_reaches_the_due_day(first, due_on, months):
    assert term_months(first, due_on) == months


@given(DAYS, st.integers(0, 2000))
def test_a_term_agrees_with_counting_month_by_month(first, days):
    due_on = first + timedelta(days=days)
    counted = 0
    while add_months(first, counted) < due_on:
        counted += 1

    assert term_months(first, due_on) == counted


def test_the_first_quarter_begins_in_the_year_before():
    assert quarter(2023, 1) == Period(date(2022, 12, 21), date(2023, 3, 21))
    assert quarter_of(date(2022, 12, 21)) == quarter(2023, 1)
    assert quarter_of(date(2022, 12, 20)) == quarter(2022, 4)


def test_the_settlement_day_counts_into_the_quarter_it_settles():
    assert settlement_day(date(2023, 6, 20)) == date(2023, 6, 20)
    assert settlement_day(date(2023, 6, 21)) == date(2023, 9, 20)
    assert settlement_day(date(2023, 12, 31)) == date(2024, 3, 20)


@given(DAYS)
def test_every_day_lies_in_exactly_one_quarter_that_has_a_name(day):
    held = quarter_of(day)
    year, number = quarter_name(held).split("Q")

    assert day in held
    assert quarter(int(year), int(number)) == held
    assert quarter_of(held.until).first == held.until


@pytest.mark.parametrize(
    "period",
    [
        Period(date(2023, 3, 21), date(2023, 6, 20)),
        Period(date(2023, 3, 22), date(2023, 6, 21)),
        Period(date(2023, 3, 21), date(2023, 9, 21)),
    ],
)
def test_another_period_has_no_quarters_name(period):
    with pytest.raises(ValueError, match="not a settlement quarter"):
        quarter_name(period)


@pytest.mark.parametrize("number", [0, 5, -1])
def test_a_year_has_four_quarters(number):
    with pytest.raises(ValueError, match="has no quarter"):
        quarter(2023, number)


def test_an_instant_falls_on_the_day_it_has_in_china():
    assert civil_day(datetime(2023, 3, 20, 15, 59, 59, tzinfo=UTC)) == date(2023, 3, 20)
    assert civil_day(datetime(2023, 3, 20, 16, 0, tzinfo=UTC)) == date(2023, 3, 21)
    assert civil_day(datetime(2023, 3, 20, 0, 0, tzinfo=SHANGHAI)) == date(2023, 3, 20)


def test_an_instant_without_a_time_zone_is_refused():
    with pytest.raises(ValueError, match="without a time zone"):
        civil_day(datetime(2023, 3, 20, 16, 0))  # noqa: DTZ001


@given(DAYS)
def test_a_quarter_is_left_by_one_day_more(day):
    held = quarter_of(day)

    assert held.last + ONE_DAY == held.until


def test_another_settlement_day_moves_the_quarters_of_the_years_it_rules():
    later = supposed(POLICY, "settlement_day", 25, date(2024, 1, 1), date(2023, 6, 1))
    second = Period(date(2024, 3, 26), date(2024, 6, 26))

    assert quarter(2024, 1, later) == Period(date(2023, 12, 21), date(2024, 3, 26))
    assert quarter(2024, 2, later) == named_quarter("2024Q2", later) == second
    assert quarter_name(second, later) == "2024Q2"
    assert settlement_day(date(2024, 3, 21), later) == date(2024, 3, 25)
    assert quarter(2023, 4, later) == quarter(2023, 4)
    with pytest.raises(ValueError, match="not a settlement quarter"):
        quarter_name(quarter(2024, 2), later)


@pytest.mark.parametrize(
    ("month", "last"),
    [("2023-01", date(2023, 1, 31)), ("2023-11", date(2023, 11, 30)),
     ("2023-12", date(2023, 12, 31)), ("2024-02", date(2024, 2, 29))],
)  # fmt: skip
def test_a_month_ends_on_the_day_before_the_next_one_also_in_december(month, last):
    assert last_of_month(month) == last
