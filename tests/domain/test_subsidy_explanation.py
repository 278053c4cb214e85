"""Every reason with the days it takes; and no day that earns less is without one."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.calendar import Period, quarter
from domain.policy import POLICY, Book, NoRuling, Ruling
from domain.programme import ruling_of
from domain.subsidy import REASONS, Calculation, LoanTerms, Movement, calculate, takes_room
from domain.subsidy_explanation import (
    CapTaker,
    Difference,
    EarningRange,
    PaymentState,
    Reason,
    ReasonCode,
    differences,
    joined,
    not_lent,
    reasons,
    sentences,
)

SUMMER = quarter(2023, 3)
ENDS = SUMMER.until
LENT_ON = date(2023, 3, 10)
FEN = 5_000_000


def loan(**differs: Any) -> LoanTerms:
    """50 000 yuan for a year at 3.65 %; a test names what differs, `repaid` as (day, fen)."""
    repaid = differs.pop("repaid", ())
    disbursed_on = differs.get("disbursed_on", LENT_ON)
    amount_fen = differs.pop("amount_fen", FEN)
    ordinary: dict[str, Any] = {
        "loan_id": "NRCB/L1",
        "disbursed_on": disbursed_on,
        "contract_on": disbursed_on,
        "due_on": disbursed_on.replace(year=disbursed_on.year + 1),
        "annual_rate_bp": 365,
        "movements": (
            Movement(disbursed_on, amount_fen),
            *(Movement(on, -fen) for on, fen in repaid),
        ),
        "eligible": True,
    }
    return LoanTerms(**{**ordinary, **differs})


def calculated(
    own: LoanTerms, others: tuple[LoanTerms, ...], period: Period, book: Book
) -> Calculation | NoRuling:
    try:
        return calculate(own, [own, *others], period, book=book)
    except NoRuling as missing:
        return missing


def why(
    own: LoanTerms,
    *others: LoanTerms,
    period: Period = SUMMER,
    category: str | None = "out_of_poverty",
    book: Book = POLICY,
) -> tuple[Reason, ...]:
    """The reasons for a loan's subsidy, with what its household's other loans take."""
    older = sorted(
        (each for each in others if each.seniority < own.seniority and takes_room(each, book=book)),
        key=lambda each: each.seniority,
    )
    principal_fen = own.movements[0].amount_fen if own.movements else FEN
    judged = calculated(own, others, period, book)
    return reasons(
        own, older, period, judged, principal_fen=principal_fen, category=category, book=book
    )


def told(found: tuple[Reason, ...]) -> list[tuple[str, date, date]]:
    return [(each.code.value, each.first, each.until) for each in found]


def ruled(rule: str, value: int, on: date = date(2014, 12, 1)) -> Book:
    ruling: Ruling = ruling_of(rule, value, on, date(2014, 12, 1), "文件", 1)
    return POLICY.extended([ruling])


# ---- one reason after the other -------------------------------------------------------


def test_a_loan_that_earns_all_its_interest_has_no_reason() -> None:
    assert why(loan()) == ()


@pytest.mark.parametrize(
    ("differs", "expected"),
    [
        (
            {"disbursed_on": date(2023, 7, 1), "annual_rate_bp": 355},
            [("before_disbursement", SUMMER.first, date(2023, 7, 1))],
        ),
        ({"disbursed_on": date(2023, 12, 1)}, [("before_disbursement", SUMMER.first, ENDS)]),
        ({"due_on": date(2023, 8, 1)}, [("overdue", date(2023, 8, 1), ENDS)]),
        ({"due_on": date(2023, 6, 21)}, [("overdue", SUMMER.first, ENDS)]),
        ({"due_on": ENDS}, []),
        ({"misuse_on": date(2023, 9, 20)}, [("misuse", date(2023, 9, 20), ENDS)]),
        ({"misuse_on": ENDS}, []),
        (
            {"due_on": date(2023, 8, 1), "misuse_on": date(2023, 7, 1)},
            [("misuse", date(2023, 7, 1), ENDS), ("overdue", date(2023, 8, 1), ENDS)],
        ),
        (
            {"repaid": ((date(2023, 8, 1), FEN),), "settled_on": date(2023, 8, 1)},
            [("settled", date(2023, 8, 1), ENDS)],
        ),
        (
            {"repaid": ((date(2023, 5, 1), FEN),), "settled_on": date(2023, 5, 1)},
            [("settled", SUMMER.first, ENDS)],
        ),
        (
            {"repaid": ((date(2023, 8, 1), 1), (date(2023, 9, 1), 1))},
            [
                ("partly_repaid", date(2023, 8, 1), date(2023, 9, 1)),
                ("partly_repaid", date(2023, 9, 1), ENDS),
            ],
        ),
        ({"repaid": ((date(2023, 8, 1), FEN),)}, [("nothing_owed", date(2023, 8, 1), ENDS)]),
        ({"movements": ()}, [("nothing_owed", SUMMER.first, ENDS)]),
        ({"annual_rate_bp": 366}, [("rate_capped", SUMMER.first, ENDS)]),
        ({"annual_rate_bp": 0}, [("no_interest", SUMMER.first, ENDS)]),
        ({"amount_fen": 1}, [("rounds_to_nothing", SUMMER.first, ENDS)]),
    ],
)  # fmt: skip
def test_what_happened_to_a_loan_takes_its_days(
    differs: dict[str, Any], expected: list[tuple[str, date, date]]
) -> None:
    assert told(why(loan(**differs))) == expected


def test_days_after_the_due_day_are_overdue_until_the_loan_is_settled() -> None:
    late = date(2023, 8, 10)

    found = why(loan(due_on=date(2023, 8, 1), repaid=((late, FEN),), settled_on=late))

    assert told(found) == [("settled", late, ENDS), ("overdue", date(2023, 8, 1), late)]


def test_a_loan_settled_on_its_due_day_is_not_overdue() -> None:
    on = date(2023, 8, 1)
    assert told(why(loan(due_on=on, repaid=((on, FEN),), settled_on=on))) == [("settled", on, ENDS)]


@pytest.mark.parametrize(
    ("category", "code"),
    [("none", "household_not_eligible"), (None, "household_not_registered")],
)
def test_an_ineligible_household_earns_nothing_from_the_disbursement_on(
    category: str | None, code: str
) -> None:
    lent = date(2023, 7, 1)
    found = why(loan(disbursed_on=lent, eligible=False), category=category)
    assert told(found) == [("before_disbursement", SUMMER.first, lent), (code, lent, ENDS)]


def test_every_reason_stands_there_and_not_the_first_alone() -> None:
    never = loan(eligible=False, due_on=date(2027, 3, 10), misuse_on=date(2023, 7, 1))

    found = why(never, category="none")

    codes = [each.code.value for each in found]
    assert codes == ["household_not_eligible", "term_too_long", "misuse"]


@pytest.mark.parametrize(("due_on", "months"), [(date(2026, 3, 10), None), (date(2026, 3, 11), 37)])
def test_a_term_of_36_months_is_no_reason_and_a_day_more_is_one(
    due_on: date, months: int | None
) -> None:
    found = why(loan(due_on=due_on))
    assert [each.details["months"] for each in found] == ([] if months is None else [months])
    assert all(each.code is ReasonCode.TERM_TOO_LONG for each in found)


def test_a_loan_that_no_ruling_judges_says_which_table_and_day() -> None:
    [reason] = why(loan(contract_on=date(1993, 3, 10)))

    assert told((reason,)) == [("no_ruling", SUMMER.first, ENDS)]
    assert reason.details == {"table": "longest_term_months", "day": date(1993, 3, 10)}


def test_what_cannot_be_judged_is_told_beside_what_is_known() -> None:
    found = why(loan(eligible=None, due_on=date(2023, 8, 1)))
    assert {each.code.value for each in found} == {"no_ruling", "overdue"}


# ---- the cap --------------------------------------------------------------------------


def older(loan_id: str, amount_fen: int, on: date = date(2023, 1, 10), **differs: Any) -> LoanTerms:
    return loan(loan_id=loan_id, amount_fen=amount_fen, disbursed_on=on, **differs)


def test_the_older_loans_fill_the_cap_one_after_the_other() -> None:
    """40 000 and 40 000 leave nothing of 50 000: the second takes what the first left."""
    [reason] = why(
        loan(amount_fen=3_000_000),
        older("PSBC/B", 4_000_000, date(2023, 2, 1)),
        older("PSBC/A", 4_000_000),
    )

    assert told((reason,)) == [("over_cap", SUMMER.first, ENDS)]
    assert reason.takers == (
        CapTaker("PSBC/A", 4_000_000, 4_000_000), CapTaker("PSBC/B", 4_000_000, 1_000_000),
    )  # fmt: skip
    assert reason.details == {
        "cap_fen": FEN, "taken_fen": FEN, "owed_fen": 3_000_000, "principal_fen": 0,
    }  # fmt: skip


@pytest.mark.parametrize(("amount_fen", "over"), [(1_000_000, False), (1_000_001, True)])
def test_a_loan_that_fits_under_the_cap_has_no_reason_and_one_fen_more_has(
    amount_fen: int, over: bool
) -> None:
    found = why(loan(amount_fen=amount_fen), older("PSBC/A", 4_000_000))
    assert [each.details["principal_fen"] for each in found] == [1_000_000] * over


def test_a_loan_above_the_cap_by_itself_has_nobody_who_takes_it() -> None:
    [reason] = why(loan(amount_fen=FEN + 1))
    assert (reason.code, reason.takers) == (ReasonCode.OVER_CAP, ())


def test_the_reason_ends_on_the_day_on_which_the_older_loan_is_repaid() -> None:
    paid_on = date(2023, 8, 1)
    first = older("PSBC/A", 4_000_000, repaid=((paid_on, 4_000_000),), settled_on=paid_on)
    assert told(why(loan(), first)) == [("over_cap", SUMMER.first, paid_on)]


@pytest.mark.parametrize(
    "differs",
    [{"eligible": False}, {"due_on": date(2027, 1, 10)}, {"disbursed_on": date(2023, 3, 11)}],
)
def test_an_older_loan_that_never_was_eligible_and_a_younger_one_take_no_room(
    differs: dict[str, Any],
) -> None:
    other = loan(**{"loan_id": "PSBC/A", "disbursed_on": date(2023, 1, 10), **differs})
    assert why(loan(), other) == ()


def test_a_cap_that_rises_within_the_quarter_divides_the_days() -> None:
    rises = date(2023, 8, 1)
    book = ruled("credit_cap_fen", 8_000_000, rises)

    found = why(loan(), older("PSBC/A", 4_000_000), book=book)

    assert told(found) == [("over_cap", SUMMER.first, rises), ("over_cap", rises, ENDS)]
    assert [each.details["principal_fen"] for each in found] == [1_000_000, 4_000_000]


# ---- rate and share -------------------------------------------------------------------


def test_a_share_below_the_whole_is_told_for_its_days() -> None:
    less = date(2023, 8, 1)
    assert told(why(loan(), book=ruled("subsidy_share", 7_000, less))) == [
        ("share_reduced", less, ENDS)
    ]
    assert told(why(loan(), book=ruled("subsidy_share", 0))) == [
        ("share_reduced", SUMMER.first, ENDS)
    ]


# ---- nothing is lent as of the day ----------------------------------------------------


@pytest.mark.parametrize(
    ("reversed_", "code"), [(False, "not_yet_disbursed"), (True, "disbursement_reversed")]
)
def test_a_loan_of_which_nothing_is_lent_says_whether_it_will_be(
    reversed_: bool, code: str
) -> None:
    found = not_lent(SUMMER, LENT_ON, as_of=date(2023, 3, 9), reversed_=reversed_)
    assert told(found) == [(code, SUMMER.first, ENDS)]
    assert "2023-03-10" in found[0].sentences[0]


# ---- words ----------------------------------------------------------------------------

DETAILS: dict[str, Any] = {
    "table": "day_count", "day": LENT_ON, "as_of": LENT_ON, "disbursed_on": LENT_ON,
    "category": "none", "category_zh": "不享受", "months": 37, "longest_months": 36,
    "settled_on": LENT_ON, "misuse_on": LENT_ON, "due_on": LENT_ON, "cap_fen": 1, "taken_fen": 1,
    "owed_fen": 1, "principal_fen": 1, "repaid_fen": 1, "contract_rate_bp": 365,
    "rate_cap_bp": 360, "quote_on": LENT_ON, "share_bp": 7_000,
    "due_fen": 1, "paid_fen": 1, "reserved_fen": 1, "limit_fen": 1, "left_fen": 1,
    "allowed_fen": 1, "over_fen": 1,
}  # fmt: skip


@pytest.mark.parametrize("code", [*ReasonCode, *PaymentState])
def test_every_code_has_a_sentence_in_both_languages(code: Any) -> None:
    zh, en = sentences(code, DETAILS)
    assert any("\u4e00" <= character <= "\u9fff" for character in zh)
    assert en.isascii() and "{" not in zh + en


def test_amounts_are_said_in_yuan_and_rates_in_percent() -> None:
    [reason] = why(loan(annual_rate_bp=435))
    assert "4.35%" in reason.sentences[0]
    [reason] = why(loan(amount_fen=FEN + 1))
    assert "50000.01 元" in reason.sentences[0]


def test_every_code_that_a_slip_may_hold_is_a_reason_too() -> None:
    assert {code.value for code in ReasonCode} >= REASONS.keys()


# ---- the property ---------------------------------------------------------------------

DAYS = st.integers(0, 500).map(lambda passed: date(2022, 9, 1) + timedelta(passed))
SHARES = st.sampled_from([POLICY, ruled("subsidy_share", 7_000, date(2023, 4, 1)),
                          ruled("subsidy_share", 0, date(2023, 8, 1)),
                          ruled("credit_cap_fen", 9_000_000, date(2023, 5, 1))])  # fmt: skip


@st.composite
def loans(draw: st.DrawFn, name: str) -> LoanTerms:
    lent_on = draw(DAYS)
    amount_fen = draw(st.sampled_from([1, 40, 1_000_000, 4_000_000, FEN, 6_000_000]))
    movements, left_fen, settled_on = [Movement(lent_on, amount_fen)], amount_fen, None
    for passed in sorted(draw(st.lists(st.integers(0, 400), max_size=3))):
        fen = draw(st.integers(0, left_fen))
        if fen:
            left_fen -= fen
            movements.append(Movement(lent_on + timedelta(passed), -fen))
            settled_on = None if left_fen else lent_on + timedelta(passed)
    misuse = draw(st.none() | DAYS)
    return LoanTerms(
        loan_id=f"NRCB/{name}",
        disbursed_on=lent_on,
        contract_on=draw(st.sampled_from([lent_on, date(1993, 1, 1)])),
        due_on=lent_on + timedelta(draw(st.sampled_from([30, 100, 365, 700, 1_200]))),
        annual_rate_bp=draw(st.sampled_from([0, 300, 365, 480])),
        movements=tuple(movements),
        eligible=draw(st.sampled_from([True, True, True, False, None])),
        settled_on=settled_on,
        misuse_on=misuse,
    )


@given(loans("A"), loans("B"), loans("C"), st.sampled_from([1, 2, 3, 4]), SHARES)
def test_no_day_earns_less_than_the_contract_without_a_reason(
    own: LoanTerms, second: LoanTerms, third: LoanTerms, number: int, book: Book
) -> None:
    period = quarter(2023, number)
    principal_fen = own.movements[0].amount_fen
    found = why(own, second, third, period=period, category="none", book=book)
    judged = calculated(own, (second, third), period, book)
    segments = judged.segments if isinstance(judged, Calculation) else ()

    assert all(period.first <= each.first < each.until <= period.until for each in found)
    assert found or (isinstance(judged, Calculation) and judged.amount_fen > 0)
    for day in period:
        line = next((each for each in segments if each.first <= day < each.until), None)
        whole = line and (line.principal_fen, line.rate_bp, line.share_bp) == (
            principal_fen, own.annual_rate_bp, 10_000,
        )  # fmt: skip
        covered = any(each.first <= day < each.until for each in found)
        assert whole or covered, (day, line, found)
        if not line or line.principal_fen < principal_fen:
            rates = {ReasonCode.RATE_CAPPED, ReasonCode.SHARE_REDUCED, ReasonCode.NO_INTEREST}
            takes = [each for each in found if each.code not in rates]
            assert any(each.first <= day < each.until for each in takes), (day, line, found)


@given(loans("A"), loans("B"), loans("C"))
def test_the_loans_that_fill_the_cap_take_exactly_what_is_taken(
    own: LoanTerms, second: LoanTerms, third: LoanTerms
) -> None:
    period = SUMMER
    judged = calculated(own, (second, third), period, POLICY)
    for each in why(own, second, third):
        if each.code is not ReasonCode.OVER_CAP:
            continue
        assert sum(taker.takes_fen for taker in each.takers) == each.details["taken_fen"]
        assert isinstance(judged, Calculation)
        lines = [x for x in judged.segments if x.first < each.until and x.until > each.first]
        earned = {line.principal_fen for line in lines} or {0}
        assert earned == {each.details["principal_fen"]}


def test_a_reason_of_all_days_stays_when_the_loan_owes_nothing_and_no_settlement_is_known() -> None:
    gone = replace(loan(), movements=(Movement(LENT_ON, FEN), Movement(LENT_ON, -FEN)))
    assert told(why(gone)) == [("nothing_owed", SUMMER.first, ENDS)]


# ---- then and now ---------------------------------------------------------------------


def ranged(first: date, until: date, fen: int = FEN) -> EarningRange:
    return EarningRange(first, until, fen, 365, 10_000)


def test_two_calculations_differ_on_the_days_that_earn_otherwise() -> None:
    repaid_on = date(2023, 8, 1)
    then = (ranged(SUMMER.first, ENDS),)
    now = (ranged(SUMMER.first, repaid_on), ranged(repaid_on, ENDS, 3_000_000))

    assert differences(then, now) == (Difference(repaid_on, ENDS, then[0], now[1]),)
    assert differences(then, ()) == (Difference(SUMMER.first, ENDS, then[0], None),)
    assert differences(then, then) == ()


def test_ranges_that_a_day_divides_for_nothing_are_joined() -> None:
    day = date(2023, 8, 1)
    assert joined((ranged(SUMMER.first, day), ranged(day, ENDS))) == (ranged(SUMMER.first, ENDS),)
