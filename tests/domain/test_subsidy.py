"""Subsidies: the figures worked by hand, a day-by-day bookkeeper, and every boundary."""

import doctest
import json
import re
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain import subsidy
from domain.calendar import Period, quarter
from domain.money import fen
from domain.policy import POLICY, NoRuling, ruling
from domain.programme import ruling_of
from domain.subsidy import LoanTerms, Movement, calculate, fen_days, interest_fen, subsidies

PAGE = Path(__file__).parents[2] / "docs" / "worked-examples.md"
SPRING = quarter(2023, 2)
ONE_DAY = timedelta(days=1)

SEVENTY_PER_CENT_LATER = """
unit = "basis points of the interest"
meaning = "Another county: less for interest arising after 2023"

[[ruling]]
from = 2014-12-01
known_from = 2014-12-01
value = 10_000
source = "[N] another county"

[[ruling]]
from = 2024-01-01
known_from = 2023-12-01
value = 7_000
source = "[N] another county"
"""
ANOTHER_COUNTY = POLICY.amended({"subsidy_share": SEVENTY_PER_CENT_LATER})

CAP_RAISED = """
unit = "fen per household"
meaning = "A cap that rises in the middle of a quarter"

[[ruling]]
from = 2014-12-01
known_from = 2014-12-01
value = 5_000_000
source = "[D] invented"

[[ruling]]
from = 2023-05-01
known_from = 2023-05-01
value = 10_000_000
source = "[D] invented"
"""
BOTH_CHANGE = POLICY.amended(
    {
        "credit_cap_fen": CAP_RAISED,
        "subsidy_share": SEVENTY_PER_CENT_LATER.replace("2024-01-01", "2023-04-11"),
    }
)


def table(heading):
    """The rows of one table of the page, by column."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    titles, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(titles, row, strict=True)) for row in rows]


def by_hand(arithmetic):
    """What a column of arithmetic comes to, exactly."""
    assert re.fullmatch(r"[0-9 +×/()]+", arithmetic)
    exact = re.sub(r"\d+", r"Fraction(\g<0>)", arithmetic.replace("×", "*"))
    return eval(exact, {"Fraction": Fraction})


def half_up(exact):
    return (exact + Fraction(1, 2)).__floor__()


def day_or_none(cell):
    return date.fromisoformat(cell) if cell else None


def recompute(slip):
    """The fen from the slip alone: a second program, which imports nothing of the first."""
    exact = Fraction(0)
    for line in slip["segments"]:
        first, until = (date.fromisoformat(line[bound]) for bound in ("first", "until"))
        assert (until - first).days == line["days"] > 0
        assert line["rate_bp"] == min(line["contract_rate_bp"], line["rate_cap_bp"])
        assert 0 < line["principal_fen"] <= min(line["owed_fen"], line["credit_cap_fen"])
        interest = line["principal_fen"] * Fraction(line["days"], slip["day_count"])
        exact += interest * Fraction(line["rate_bp"], 10_000) * Fraction(line["share_bp"], 10_000)
    return half_up(exact)


def loan(**differs):
    """An ordinary loan: 50 000 for a year at 3.65 %; a test names only the difference."""
    disbursed_on = differs.get("disbursed_on", date(2023, 3, 10))
    amount_fen = differs.pop("amount_fen", 5_000_000)
    repaid = differs.pop("repaid", ())
    ordinary = {
        "loan_id": "A-1",
        "disbursed_on": disbursed_on,
        "contract_on": disbursed_on,
        "due_on": date(2024, 3, 10),
        "annual_rate_bp": 365,
        "movements": (
            Movement(disbursed_on, amount_fen),
            *(Movement(on, -repaid_fen) for on, repaid_fen in repaid),
        ),
        "eligible": True,
    }
    return LoanTerms(**(ordinary | differs))


def told_in(row, **differs):
    """The loan a row of the page describes."""
    repaid = []
    if row["repaid"]:
        on, amount = row["repaid"].split()
        repaid.append((date.fromisoformat(on), fen(amount)))
    return loan(
        amount_fen=fen(row["principal"]),
        disbursed_on=date.fromisoformat(row["disbursed"]),
        due_on=date.fromisoformat(row["due"]),
        repaid=repaid,
        **differs,
    )


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(subsidy).failed == 0


# --- figures worked by hand ---


@pytest.mark.parametrize("row", table("One loan"), ids=lambda row: row["case"])
def test_a_loan_earns_what_the_page_works_out_by_hand(row):
    worked = told_in(
        row,
        annual_rate_bp=int(row["contract rate"]),
        settled_on=day_or_none(row["settled"]),
        misuse_on=day_or_none(row["misused from"]),
    )
    period = Period(date.fromisoformat(row["first"]), date.fromisoformat(row["until"]))

    told = calculate(worked, [worked], period)

    assert half_up(by_hand(row["by hand, fen"])) == fen(row["subsidy, yuan"])
    assert told.amount_fen == fen(row["subsidy, yuan"])
    assert (" + ".join(str(line.days) for line in told.segments) or "0") == row["days"]
    assert {str(line.rate_bp) for line in told.segments} == ({row["rate"]} - {""})


@pytest.mark.parametrize(
    ("case", "rows"),
    [
        (case, list(rows))
        for case, rows in groupby(table("One household, several loans"), lambda row: row["case"])
    ],
)
def test_a_household_earns_what_the_page_works_out_by_hand(case, rows):
    household = [told_in(row, loan_id=row["loan"]) for row in rows]

    for row, one in zip(rows, household, strict=True):
        assert half_up(by_hand(row["by hand, fen"])) == fen(row["subsidy, yuan"])
        assert calculate(one, household, SPRING).amount_fen == fen(row["subsidy, yuan"]), row


@pytest.mark.parametrize("row", table("Another county: a share that changes"))
def test_a_share_that_changes_counts_by_the_day_interest_arises(row):
    one = loan(disbursed_on=date(2023, 9, 20), due_on=date(2024, 9, 20), annual_rate_bp=345)
    period = Period(date.fromisoformat(row["first"]), date.fromisoformat(row["until"]))

    told = calculate(one, [one], period, book=ANOTHER_COUNTY)

    assert half_up(by_hand(row["by hand, fen"])) == told.amount_fen == fen(row["subsidy, yuan"])
    assert recompute(told.to_dict()) == told.amount_fen


@pytest.mark.parametrize("row", table("Another county: a flat rate"), ids=lambda row: row["basis"])
def test_the_basis_of_the_rate_is_what_the_county_ruled(row):
    lent_on = date(2022, 3, 10)
    one = loan(disbursed_on=lent_on, due_on=date(2023, 3, 10), annual_rate_bp=370)
    ruled_on = date(2022, 1, 1)
    rulings = [
        ruling_of("rate_basis", (row["basis"],), ruled_on, ruled_on, "某文", 1),
        ruling_of("flat_rate_bp", 300, ruled_on, ruled_on, "某文", 1),
    ]
    period = Period(date.fromisoformat(row["first"]), date.fromisoformat(row["until"]))

    told = calculate(one, [one], period, book=POLICY.extended(rulings))

    assert half_up(by_hand(row["by hand, fen"])) == told.amount_fen == fen(row["subsidy, yuan"])
    assert recompute(told.to_dict()) == told.amount_fen
    assert rulings[0].version in {ruling.version for ruling in told.rulings}


@pytest.mark.parametrize("row", table("Interest only"))
def test_plain_interest_is_what_the_page_works_out_by_hand(row):
    period = Period(date.fromisoformat(row["first"]), date.fromisoformat(row["until"]))
    owed = fen_days([Movement(period.first, fen(row["principal"]))], period)

    told = interest_fen(owed, int(row["rate"]), day_count=360)

    assert len(period) == int(row["days"])
    assert half_up(by_hand(row["by hand, fen"])) == told == fen(row["interest, yuan"])


# --- boundaries ---


def test_exactly_the_cap_is_not_over_it_and_one_fen_more_is():
    at_the_cap = calculate(loan(), [], SPRING)
    over_it = calculate(loan(amount_fen=5_000_001), [], SPRING)

    assert at_the_cap.reasons == ()
    assert over_it.reasons == ("over_cap",)
    assert over_it.segments[0].owed_fen == 5_000_001
    assert over_it.segments[0].principal_fen == 5_000_000
    assert at_the_cap.amount_fen == over_it.amount_fen


@pytest.mark.parametrize("bound", ["due_on", "settled_on", "misuse_on"])
def test_the_last_day_earns_and_the_day_after_does_not(bound):
    last_day = loan(**{bound: SPRING.first + ONE_DAY})
    day_after = loan(**{bound: SPRING.first})

    assert [line.days for line in calculate(last_day, [], SPRING).segments] == [1]
    assert calculate(day_after, [], SPRING).segments == ()


@pytest.mark.parametrize(
    ("bound", "reason"),
    [("due_on", "overdue"), ("settled_on", "settled"), ("misuse_on", "misuse")],
)
def test_a_bound_is_a_reason_only_when_it_cuts_a_day_away(bound, reason):
    inside = loan(**{bound: SPRING.last})
    beyond = loan(**{bound: SPRING.until})

    assert calculate(inside, [], SPRING).reasons == (reason,)
    assert calculate(beyond, [], SPRING).reasons == ()


def test_a_loan_repaid_by_its_due_day_is_not_overdue():
    one = loan(due_on=date(2023, 5, 1), repaid=[(date(2023, 5, 1), 5_000_000)])

    assert calculate(one, [], SPRING).reasons == ()
    assert calculate(one, [], quarter(2023, 3)).reasons == ("nothing_owed",)


def test_the_settlement_day_earns_in_its_own_quarter_and_only_there():
    one = loan(disbursed_on=date(2023, 6, 20), repaid=[(date(2023, 6, 21), 5_000_000)])

    assert calculate(one, [], SPRING).amount_fen > 0
    assert calculate(one, [], quarter(2023, 3)).amount_fen == 0


def test_a_loan_not_yet_disbursed_owes_nothing():
    told = calculate(loan(disbursed_on=date(2023, 6, 21)), [], SPRING)

    assert (told.amount_fen, told.reasons) == (0, ("nothing_owed",))


# --- eligibility, term, rate ---


def test_a_household_that_was_not_eligible_earns_nothing_and_the_slip_says_why():
    told = calculate(loan(eligible=False), [], SPRING)

    assert (told.amount_fen, told.segments) == (0, ())
    assert told.reasons == ("household_not_eligible",)
    assert recompute(told.to_dict()) == 0


def test_a_term_too_long_earns_nothing_and_names_the_ruling():
    told = calculate(loan(due_on=date(2026, 3, 11)), [], SPRING)

    assert (told.amount_fen, told.reasons) == (0, ("term_too_long",))
    assert "longest_term_months" in [row.name for row in told.rulings]


def test_the_quote_is_that_of_the_contract_day_even_when_the_money_came_later():
    """The one-year quote fell from 365 to 355 on 2023-06-20."""
    one = loan(
        contract_on=date(2023, 6, 19), disbursed_on=date(2023, 6, 25), due_on=date(2024, 6, 25)
    )

    [line] = calculate(one, [], quarter(2023, 3)).segments

    assert (line.rate_cap_bp, line.quote_on) == (365, date(2023, 5, 22))


def test_the_term_runs_from_the_day_the_money_came():
    one = loan(contract_on=date(2023, 3, 1), disbursed_on=date(2023, 3, 10), annual_rate_bp=435)

    [line] = calculate(one, [], SPRING).segments

    assert line.rate_bp == 365


def test_a_contract_before_the_first_quote_has_no_cap_and_is_refused():
    early = loan(disbursed_on=date(2019, 8, 19), due_on=date(2020, 8, 19))

    with pytest.raises(NoRuling):
        calculate(early, [], quarter(2019, 4))


# --- the household's cap ---


def test_a_loan_of_the_household_that_is_not_eligible_takes_no_room():
    older = loan(loan_id="B-1", disbursed_on=date(2023, 3, 1), eligible=False)

    assert calculate(loan(), [older], SPRING) == calculate(loan(), [], SPRING)


def test_a_younger_loan_takes_no_room():
    younger = loan(loan_id="B-1", disbursed_on=date(2023, 3, 11))

    assert calculate(loan(), [younger], SPRING) == calculate(loan(), [], SPRING)


@pytest.mark.parametrize("bound", ["due_on", "misuse_on"])
def test_an_older_loan_that_earns_no_more_still_takes_room_while_it_is_owed(bound):
    """Money overdue or misused is still lent: a second loan does not earn in its place."""
    older = loan(loan_id="B-1", disbursed_on=date(2023, 3, 1), **{bound: date(2023, 3, 15)})

    told = calculate(loan(), [older], SPRING)

    assert (told.amount_fen, told.reasons) == (0, ("over_cap",))


def test_an_older_loan_makes_room_from_the_day_it_is_settled():
    older = loan(loan_id="B-1", disbursed_on=date(2023, 3, 1), settled_on=date(2023, 6, 20))

    [line] = calculate(loan(), [older], SPRING).segments

    assert (line.first, line.days) == (date(2023, 6, 20), 1)


def test_a_cap_that_changes_counts_from_its_day():
    one = loan(amount_fen=8_000_000)

    told = calculate(one, [], SPRING, book=POLICY.amended({"credit_cap_fen": CAP_RAISED}))

    assert [(line.days, line.principal_fen) for line in told.segments] == [
        (41, 5_000_000),
        (51, 8_000_000),
    ]


# --- the slip ---


def test_a_slip_is_plain_and_a_second_program_finds_the_same_fen():
    one = loan(repaid=[(date(2023, 5, 1), 2_000_000)])
    told = calculate(one, [one], SPRING, known_on=date(2023, 6, 21))

    slip = json.loads(json.dumps(told.to_dict()))

    assert slip == told.to_dict()
    assert recompute(slip) == told.amount_fen
    assert slip["known_on"] == "2023-06-21"
    assert slip["segments"][0] == {
        "first": "2023-03-21",
        "until": "2023-05-01",
        "days": 41,
        "owed_fen": 5_000_000,
        "credit_cap_fen": 5_000_000,
        "principal_fen": 5_000_000,
        "contract_rate_bp": 365,
        "rate_cap_bp": 365,
        "quote_on": "2023-02-20",
        "rate_bp": 365,
        "share_bp": 10_000,
    }


def test_a_slip_cites_every_table_it_rests_on():
    told = calculate(loan(), [], SPRING)

    assert [row.name for row in told.rulings] == [
        "day_count",
        "longest_term_months",
        "rate_basis",
        "one_year_term_months",
        "lpr_one_year",
        "subsidy_share",
        "credit_cap_fen",
    ]


def test_what_was_known_earlier_cites_what_was_published_by_then():
    before = calculate(loan(), [], SPRING, known_on=date(2023, 8, 3))
    after = calculate(loan(), [], SPRING, known_on=date(2023, 8, 4))

    assert all(row.known_from <= date(2023, 8, 3) for row in before.rulings)
    assert before.amount_fen == after.amount_fen
    assert before.rulings != after.rulings


def test_a_ruling_that_changes_no_value_makes_no_segment():
    """The share and the cap are ruled anew, with the same values, from 2023-01-01."""
    one = loan(disbursed_on=date(2022, 12, 25), due_on=date(2023, 12, 25))

    [line] = calculate(one, [], quarter(2023, 1)).segments

    assert line.days == 86


def test_reasons_are_told_in_a_fixed_order_and_each_has_a_chinese_sentence():
    one = loan(
        amount_fen=6_000_000,
        misuse_on=date(2023, 5, 1),
        due_on=date(2023, 5, 2),
        settled_on=date(2023, 5, 3),
    )

    told = calculate(one, [], SPRING)

    assert told.reasons == ("settled", "misuse", "overdue", "over_cap")
    assert [code for code in subsidy.REASONS if code in told.reasons] == list(told.reasons)
    assert all(subsidy.REASONS.values())


# --- a bookkeeper who counts day by day ---


def owed_on(one, day):
    if one.settled_on and day >= one.settled_on:
        return 0
    return sum(movement.amount_fen for movement in one.movements if movement.on <= day)


def counted_day_by_day(one, household, period, book, known_on=None):
    """The slow road: every day by itself, the cap shared out over every loan."""
    if not one.eligible or counted_months(one) > 36:
        return 0
    quotes = "lpr_one_year" if counted_months(one) <= 12 else "lpr_five_year"
    rate_bp = min(one.annual_rate_bp, ruling(quotes, one.contract_on).number)
    exact = Fraction(0)
    day = period.first
    while day < period.until:
        barred = [one.due_on, one.settled_on, one.misuse_on]
        if not any(bound and day >= bound for bound in barred):
            room = book.ruling("credit_cap_fen", day, known_on).number
            share = Fraction(book.ruling("subsidy_share", day, known_on).number, 10_000)
            for other in sorted(household, key=lambda each: (each.disbursed_on, each.loan_id)):
                may = other.eligible and counted_months(other) <= 36
                taken = min(owed_on(other, day), room) if may else 0
                room -= taken
                if other.loan_id == one.loan_id:
                    exact += Fraction(taken * rate_bp, 360 * 10_000) * share
        day += ONE_DAY
    return half_up(exact)


def counted_months(one):
    """The months of a loan's term, a begun one among them."""
    months = 0
    while subsidy_month(one.disbursed_on, months) < one.due_on:
        months += 1
    return months


def subsidy_month(day, months):
    """`months` calendar months after a day, found by walking back from the end of the month."""
    year, month = day.year + (day.month - 1 + months) // 12, (day.month - 1 + months) % 12 + 1
    number = day.day
    while True:
        try:
            return date(year, month, number)
        except ValueError:
            number -= 1


NEAR = st.dates(date(2023, 1, 10), date(2023, 7, 10))


@st.composite
def loans(draw, loan_id):
    disbursed_on = draw(st.dates(date(2022, 11, 1), date(2023, 6, 30)))
    left_fen = amount_fen = draw(st.integers(1, 7_000_000))
    repaid = []
    for _ in range(draw(st.integers(0, 3))):
        part_fen = draw(st.integers(0, left_fen))
        left_fen -= part_fen
        repaid.append((disbursed_on + ONE_DAY * draw(st.integers(0, 200)), part_fen))
    told = loan(
        loan_id=loan_id,
        disbursed_on=disbursed_on,
        contract_on=disbursed_on - ONE_DAY * draw(st.integers(0, 40)),
        amount_fen=amount_fen,
        due_on=disbursed_on + ONE_DAY * draw(st.integers(1, 400) | st.integers(1090, 1100)),
        annual_rate_bp=draw(st.integers(0, 600)),
        settled_on=draw(st.none() | NEAR),
        misuse_on=draw(st.none() | NEAR),
        repaid=repaid,
        eligible=draw(st.integers(0, 9)) > 0,
    )
    return replace(told, movements=tuple(draw(st.permutations(told.movements))))


HOUSEHOLDS = st.integers(1, 4).flatmap(
    lambda size: st.tuples(*(loans(f"{'ABCD'[place]}-1") for place in range(size)))
)
PERIODS = st.builds(
    lambda first, days: Period(first, first + ONE_DAY * days), NEAR, st.integers(1, 120)
)
BOOKS = st.sampled_from([POLICY, BOTH_CHANGE])


LONGER_THAN_MAY_BE = (
    loan(
        disbursed_on=date(2022, 11, 1),
        contract_on=date(2022, 11, 1),
        due_on=date(2025, 11, 2),
        movements=(Movement(on=date(2022, 11, 1), amount_fen=3_200_001),),
    ),
    loan(
        loan_id="B-1",
        disbursed_on=date(2022, 11, 1),
        contract_on=date(2022, 11, 1),
        due_on=date(2025, 10, 26),
        movements=(Movement(on=date(2022, 11, 1), amount_fen=1_800_000),),
    ),
)
"""The older loan's term is over 36 months: it earns nothing, and takes no room from the other."""


@example(LONGER_THAN_MAY_BE, Period(date(2023, 1, 10), date(2023, 1, 11)), POLICY)
@given(HOUSEHOLDS, PERIODS, BOOKS)
def test_the_fast_road_meets_the_bookkeeper_who_counts_day_by_day(household, period, book):
    for one in household:
        told = calculate(one, household, period, book=book)

        assert told.amount_fen == counted_day_by_day(one, household, period, book)
        assert recompute(told.to_dict()) == told.amount_fen


@given(HOUSEHOLDS, PERIODS, BOOKS)
def test_all_loans_of_a_household_together_earn_what_each_earns_by_itself(household, period, book):
    together = {one.loan: one.of(period) for one in subsidies(household, book=book)}

    assert together == {one: calculate(one, household, period, book=book) for one in household}


class _CountedMovements(tuple[Movement, ...]):
    """Movements that count how often they are read."""

    __slots__ = ()

    read: ClassVar[int] = 0

    def __iter__(self):
        _CountedMovements.read += 1
        return super().__iter__()


def test_the_work_for_a_household_grows_with_its_loans_not_with_their_square():
    flood = [
        loan(loan_id=f"A-{number}", movements=_CountedMovements(loan().movements))
        for number in range(200)
    ]
    _CountedMovements.read = 0

    told = [one.of(SPRING).amount_fen for one in subsidies(flood)]

    assert [fen for fen in told if fen] == [calculate(flood[0], flood, SPRING).amount_fen]
    assert _CountedMovements.read <= 6 * len(flood)


@given(HOUSEHOLDS, PERIODS, BOOKS, st.randoms())
def test_the_order_in_which_anything_is_told_changes_nothing(household, period, book, chance):
    one = household[0]
    shuffled = [*household]
    chance.shuffle(shuffled)
    retold = replace(one, movements=tuple(chance.sample(one.movements, len(one.movements))))

    assert calculate(retold, shuffled, period, book=book) == calculate(
        one, household, period, book=book
    )


@given(HOUSEHOLDS, PERIODS, BOOKS)
def test_segments_are_in_order_apart_within_the_period_and_never_alike_in_a_row(
    household, period, book
):
    told = calculate(household[-1], household, period, book=book)

    for line in told.segments:
        assert period.first <= line.first < line.until <= period.until
    for line, after in zip(told.segments, told.segments[1:], strict=False):
        assert line.until < after.first or line[3:] != after[3:]
        assert line.until <= after.first


@given(HOUSEHOLDS, PERIODS)
def test_a_household_never_earns_on_more_than_its_cap_on_any_day(household, period):
    lines = [line for one in household for line in calculate(one, household, period).segments]

    for day in period:
        earning = sum(line.principal_fen for line in lines if line.first <= day < line.until)
        assert earning <= 5_000_000


@given(HOUSEHOLDS, PERIODS)
def test_what_earned_less_than_all_that_was_owed_says_why(household, period):
    told = calculate(household[-1], household, period)
    earned = sum(line.principal_fen * line.days for line in told.segments)

    if earned < max(fen_days(household[-1].movements, period), 1):
        assert told.reasons
    else:
        assert told.reasons == () or "settled" in told.reasons


MOVEMENTS = st.lists(st.builds(Movement, NEAR, st.integers(-(10**9), 10**9)), max_size=8)


@given(MOVEMENTS, PERIODS, st.data())
def test_the_fen_days_of_adjacent_periods_add_up(movements, period, data):
    if len(period) == 1:
        return
    split = period.first + ONE_DAY * data.draw(st.integers(1, len(period) - 1))

    parts = (Period(period.first, split), Period(split, period.until))

    assert fen_days(movements, period) == sum(fen_days(movements, part) for part in parts)


@given(MOVEMENTS, MOVEMENTS, PERIODS)
def test_the_fen_days_of_two_lists_add_up_in_any_order(some, others, period):
    together = fen_days([*reversed(others), *some], period)

    assert together == fen_days(some, period) + fen_days(others, period)


@given(MOVEMENTS, PERIODS)
def test_the_fen_days_agree_with_the_balance_of_every_day(movements, period):
    balances = (sum(fen for on, fen in movements if on <= day) for day in period)

    assert fen_days(movements, period) == sum(balances)
