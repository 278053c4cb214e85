"""Mixed money: what an outflow is made of, by each of three methods, to the fen."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.fund_flow.attribution import (
    METHODS,
    UNEXPLAINED,
    Move,
    Source,
    attribute,
)

LOAN, SUBSIDY, DIVIDEND = Source("loan", "NRCB", "L1"), Source("subsidy"), Source("dividend")
POOLS = ("A", "B", "C", None)

amounts = st.integers(1, 10_000)
moves = st.lists(
    st.builds(
        Move,
        st.sampled_from(POOLS),
        st.sampled_from(POOLS),
        amounts,
        st.sampled_from((LOAN, SUBSIDY, DIVIDEND)),
        st.booleans(),
    ),
    max_size=40,
)


def paid_in(source: Source, fen: int, pool: str = "A") -> Move:
    return Move(None, pool, fen, source)


def by_kind(parts: list[tuple[Source, int]]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for source, fen in parts:
        found[source.kind] += fen
    return dict(found)


@pytest.mark.parametrize(
    ("method", "first", "second"),
    [
        # 60 loan, then 40 subsidy; 50 goes out, then 80, of which 50 are there.
        ("fifo", {"loan": 50}, {"loan": 10, "subsidy": 40, "unexplained": 30}),
        ("lifo", {"subsidy": 40, "loan": 10}, {"loan": 50, "unexplained": 30}),
        ("pro_rata", {"loan": 30, "subsidy": 20},
         {"loan": 30, "subsidy": 20, "unexplained": 30}),
    ],
)  # fmt: skip
def test_two_sources_and_two_outflows_worked_by_hand(
    method: str, first: dict[str, int], second: dict[str, int]
) -> None:
    told = [paid_in(LOAN, 60), paid_in(SUBSIDY, 40), Move("A", None, 50), Move("A", None, 80)]

    found = list(attribute(told, method))

    assert [by_kind(parts) for parts in found[2:]] == [first, second]


def test_what_does_not_divide_goes_to_the_largest_remainder() -> None:
    """7 of 3 + 3 + 4: 2.1, 2.1 and 2.8. And 2 of 1 + 1 + 1: to the two that came first."""
    told = [paid_in(LOAN, 3), paid_in(SUBSIDY, 3), paid_in(DIVIDEND, 4), Move("A", None, 7)]
    assert by_kind(list(attribute(told, "pro_rata"))[-1]) == {
        "loan": 2,
        "subsidy": 2,
        "dividend": 3,
    }
    told = [paid_in(LOAN, 1), paid_in(SUBSIDY, 1), paid_in(DIVIDEND, 1), Move("A", None, 2)]
    assert by_kind(list(attribute(told, "pro_rata"))[-1]) == {"loan": 1, "subsidy": 1}


@pytest.mark.parametrize("method", METHODS)
def test_what_was_attributed_travels_with_the_money(method: str) -> None:
    told = [paid_in(LOAN, 60), Move("A", "B", 60), paid_in(SUBSIDY, 5, "A"), Move("B", "C", 80)]

    found = list(attribute(told, method))

    assert by_kind(found[3]) == {"loan": 60, "unexplained": 20}


@pytest.mark.parametrize("method", METHODS)
def test_money_that_reached_a_forbidden_place_is_marked_from_there_on(method: str) -> None:
    told = [paid_in(LOAN, 60), Move("A", "B", 60, misuse=True), Move("B", "A", 60)]
    told += [Move("A", "B", 60, misuse=True)]

    found = list(attribute(told, method))

    assert found[1] == [(LOAN, 60)], "it arrives for the first time"
    assert found[3] == [(LOAN._replace(misused=True), 60)], "it was there before"


@given(moves, st.sampled_from(sorted(METHODS)))
def test_the_sources_of_a_movement_sum_to_it(told: list[Move], method: str) -> None:
    for move, parts in zip(told, attribute(told, method), strict=True):
        assert sum(fen for _, fen in parts) == move.amount_fen
        assert all(fen > 0 for _, fen in parts)
        assert len({source for source, _ in parts}) == len(parts)


@given(moves, st.sampled_from(sorted(METHODS)))
def test_no_pool_gives_more_of_a_source_than_flowed_into_it(told: list[Move], method: str) -> None:
    held: dict[str, Counter[str]] = {pool: Counter() for pool in POOLS if pool}
    for move, parts in zip(told, attribute(told, method), strict=True):
        for source, fen in parts:
            if move.source is not None and source != UNEXPLAINED:
                held[str(move.source)][source.kind] -= fen
                assert source.kind == "unexplained" or held[str(move.source)][source.kind] >= 0
            if move.target is not None:
                held[str(move.target)][source.kind] += fen


@given(st.lists(st.tuples(st.booleans(), amounts), max_size=30))
def test_in_a_pool_of_one_source_all_methods_agree(plan: list[tuple[bool, int]]) -> None:
    told = [paid_in(LOAN, fen) if into else Move("A", None, fen) for into, fen in plan]

    found = [[by_kind(parts) for parts in attribute(told, method)] for method in METHODS]

    assert found[0] == found[1] == found[2]


def test_rings_of_accounts_end() -> None:
    ring = ["P1", "P2", "P3", "P4", "P5"]
    told = [paid_in(LOAN, 100, "P1")]
    told += [Move(a, b, 100) for a, b in zip(ring, ring[1:] + ring[:1], strict=True)] * 3

    for method in METHODS:
        assert all(parts == [(LOAN, 100)] for parts in attribute(told, method))
