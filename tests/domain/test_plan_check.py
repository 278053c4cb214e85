"""The plan of 2023 contradicts itself twice, and the ledger says so."""

from __future__ import annotations

from datetime import date

from domain.plan_check import plan_check, target
from domain.policy import POLICY


def plan(value: int) -> str:
    return (
        'unit = "x"\nmeaning = "y"\n[[ruling]]\nfrom = 2023-01-01\nknown_from = 2023-08-04\n'
        f'value = {value}\nsource = "[D] a test"\n'
    )


def test_the_average_of_52_649_yuan_is_over_the_cap_and_4_58_percent_over_the_rate() -> None:
    found = plan_check(2023)
    assert found is not None
    assert [(one.code, one.value, one.limit) for one in found] == [
        ("average_over_cap", 5_264_897, 5_000_000),
        ("budget_over_cap", 458, 430),
    ]
    assert all(len(one.rulings) == 3 for one in found)


def test_before_the_plan_was_published_and_for_another_year_there_is_nothing_to_check() -> None:
    assert plan_check(2023, date(2023, 8, 3)) is None
    assert plan_check(2024) is None
    assert target("budget_fen", 2024) is None


def test_a_plan_exactly_at_its_caps_contradicts_nothing() -> None:
    at_cap = {"target_disbursed_fen": plan(10 * 5_000_000), "target_households": plan(10)}
    budget = 10 * 5_000_000 * 430 // 10_000
    assert plan_check(2023, book=POLICY.amended(at_cap | {"budget_fen": plan(budget)})) == []
    over = plan_check(2023, book=POLICY.amended(at_cap | {"budget_fen": plan(budget + 1)}))
    assert over is not None and [one.code for one in over] == ["budget_over_cap"]
