"""The programme: a number changes by a document, from a day on, and by nothing else."""

from __future__ import annotations

from datetime import date
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st
from support import controls
from support.in_memory import InMemoryLedger, given, recorded, refused, reverse

from domain.kernel import NotCorrectable
from domain.policy import POLICY, NoRuling
from domain.programme import (
    GroundMissing,
    Programme,
    RuleFixed,
    RuleMalformed,
    RuleTwice,
    RuleUnknown,
    supposed,
)
from domain.steps import StepBefore

TODAY = date(2026, 1, 5)


def ruled(rule: str, value: Any, **other: Any) -> Any:
    """A statement that one document decides one number, numbers or words."""
    name = "value" if isinstance(value, int) else "words"
    if isinstance(value, list) and value and isinstance(value[0], int):
        name = "numbers"
    return controls.ruling(**{"rulings": [{"rule": rule, name: value}], **other})


def number(ledger: InMemoryLedger, rule: str, on: date, known_on: date = TODAY) -> int:
    return ledger.book.ruling(rule, on, known_on).number


def test_a_ruling_holds_from_its_day_on_and_is_known_from_the_day_it_was_recorded() -> None:
    ledger = given(ruled("notice_days", 15, effective_on="2025-01-01"), today=TODAY)

    assert number(ledger, "notice_days", date(2024, 12, 31)) == 10
    assert number(ledger, "notice_days", date(2025, 1, 1)) == 15
    assert number(ledger, "notice_days", date(2025, 1, 1), known_on=date(2026, 1, 4)) == 10


def test_of_two_rulings_for_one_day_the_later_one_holds() -> None:
    ledger = given(ruled("notice_days", 15), ruled("notice_days", 12, ref="RL-2"))

    assert number(ledger, "notice_days", date(2025, 1, 1)) == 12


def test_what_no_document_says_is_not_made_up() -> None:
    with pytest.raises(NoRuling):
        given().book.ruling("credit_cap_fen", date(2014, 11, 30), TODAY)


def test_no_number_changes_without_a_document() -> None:
    assert isinstance(refused(given(), controls.ruling(ground={})), GroundMissing)
    assert isinstance(refused(given(), controls.programme_plan(ground={})), GroundMissing)


def test_a_rule_that_there_is_not_is_refused_and_those_that_there_are_named() -> None:
    refusal = refused(given(), ruled("credit_cap", 5_000_000))

    assert isinstance(refusal, RuleUnknown)
    assert refusal.field == "rulings/0/rule"
    assert "credit_cap_fen" in refusal.en


def test_one_statement_decides_a_number_once() -> None:
    twice = [{"rule": "budget_fen", "value": 1}, {"rule": "budget_fen", "value": 1}]

    refusal = refused(given(), controls.ruling(rulings=twice))

    assert isinstance(refusal, RuleTwice)
    assert refusal.field == "rulings/1/rule"


@pytest.mark.parametrize(
    ("rule", "least", "most"),
    [("subsidy_share", 0, 10_000), ("risk_fund_share", 0, 10_000), ("flat_rate_bp", 0, 10_000),
     ("payments_by_batch", 0, 1), ("day_count", 1, 10**15), ("notice_days", 0, 10**15)],
)  # fmt: skip
def test_a_number_stays_within_what_its_rule_can_be(rule: str, least: int, most: int) -> None:
    for value in (least, most):
        recorded(given(), ruled(rule, value))
    with pytest.raises(RuleMalformed):
        supposed(POLICY, rule, least - 1, date(2025, 1, 1), TODAY)
    with pytest.raises(RuleMalformed):
        supposed(POLICY, rule, most + 1, date(2025, 1, 1), TODAY)


@pytest.mark.parametrize(
    ("rule", "value"),
    [("payment_mode", ["household", "bank"]), ("payment_mode", ["cash"]), ("payment_mode", 1),
     ("notice_levels", ["village", "street"]), ("notice_days", ["ten"]),
     ("notice_levels", [1, 2])],
)  # fmt: skip
def test_a_rule_of_words_holds_its_own_codes(rule: str, value: Any) -> None:
    assert isinstance(refused(given(), ruled(rule, value)), RuleMalformed)


def test_an_item_holds_one_value() -> None:
    for item in ({"rule": "notice_days"}, {"rule": "notice_days", "value": 1, "numbers": [1]}):
        assert isinstance(refused(given(), controls.ruling(rulings=[item])), RuleMalformed)


@pytest.mark.parametrize(
    ("on", "possible"),
    [("2026-01-01", False), ("2026-12-31", False), ("2027-01-01", True), ("2027-01-02", False)],
)
def test_the_quarters_change_on_the_first_day_of_a_year_to_come(on: str, possible: bool) -> None:
    ledger, said = given(today=TODAY), ruled("settlement_day", 25, effective_on=on)

    if possible:
        recorded(ledger, said)
    else:
        assert isinstance(refused(ledger, said), RuleFixed)


@pytest.mark.parametrize("day", [0, 29])
def test_a_settlement_day_is_in_every_month(day: int) -> None:
    said = ruled("settlement_day", day, effective_on="2027-01-01")
    assert isinstance(refused(given(), said), RuleMalformed)


@pytest.mark.parametrize("months", [[3, 6, 9], [3, 6, 12, 9], [3, 6, 6, 12], [0, 3, 6, 9],
                                    [3, 6, 9, 13]])  # fmt: skip
def test_a_year_has_four_quarters_in_order(months: list[int]) -> None:
    said = ruled("settlement_months", months, effective_on="2027-01-01")
    assert isinstance(refused(given(), said), RuleMalformed)


def test_a_plan_told_again_is_adjusted_and_ends_on_its_first_day_or_later() -> None:
    ledger = given()

    ends_early = controls.programme_plan(until_on="2023-12-31")
    assert isinstance(refused(ledger, ends_early), StepBefore)
    [adopted] = recorded(ledger, controls.programme_plan(until_on="2024-01-01"))
    [adjusted] = recorded(ledger, controls.programme_plan(ref="PN-2"))

    assert type(adopted) is Programme.PlanAdopted
    assert type(adjusted) is Programme.PlanAdjusted


_RULINGS = st.lists(
    st.tuples(st.dates(date(2020, 1, 1), date(2027, 1, 1)), st.integers(0, 30)), max_size=8
)


@hypothesis.settings(max_examples=40)
@hypothesis.given(_RULINGS, st.dates(date(2020, 1, 1), date(2027, 1, 1)))
def test_the_latest_ruling_up_to_a_day_holds_and_all_reversed_none_does(
    rulings: list[tuple[date, int]], day: date
) -> None:
    ledger = given(today=TODAY)
    expected = (date.min, 0, 10)
    for order, (on, value) in enumerate(rulings):
        recorded(ledger, ruled("notice_days", value, ref=f"R-{order}", effective_on=on))
        if on <= day:
            expected = max(expected, (on, order, value))

    assert number(ledger, "notice_days", day) == expected[2]
    for event in ledger.all_of(Programme.Ruled):
        recorded(ledger, reverse(ledger, event))
        assert isinstance(refused(ledger, reverse(ledger, event)), NotCorrectable)
    assert number(ledger, "notice_days", day) == 10
    assert ledger.programme().told == {}
