"""The money of a budget year: within the budget, and what is allocated is somewhere."""

from __future__ import annotations

from datetime import date
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st
from support import controls
from support.in_memory import InMemoryLedger, given, recorded, refused, reverse, state_of

from application.refusals import ReplacementElsewhere
from domain.balance import Lowest
from domain.fund import BudgetExceeded, BudgetMissing, Fund, FundExhausted
from domain.kernel import Author, CommandContext, NotCorrectable, Refused
from domain.steps import StepBefore

BUDGET_FEN = 1_481_220_000
"""The plan's budget for 2023 (domain.md §5.10)."""


def fund(ledger: InMemoryLedger, year: int = 2023) -> Fund:
    return ledger.aggregate(Fund, Fund.id_for(year))


def test_the_whole_budget_is_allocated_and_not_one_fen_more() -> None:
    ledger = given()

    refusal = refused(ledger, controls.allocate(amount_fen=BUDGET_FEN + 1))
    assert isinstance(refusal, BudgetExceeded)
    assert refusal.details["budget_fen"] == BUDGET_FEN
    recorded(ledger, controls.allocate(ref="XD-2", amount_fen=BUDGET_FEN - 1))
    again = refused(ledger, controls.allocate(ref="XD-3", amount_fen=2))
    assert isinstance(again, BudgetExceeded)
    assert again.details["allocated_fen"] == BUDGET_FEN + 1
    recorded(ledger, controls.allocate(ref="XD-4", amount_fen=1))

    assert fund(ledger).free_fen == BUDGET_FEN


def test_a_year_without_a_budget_is_given_nothing_until_a_document_sets_one() -> None:
    ledger = given()
    said = controls.allocate(effective_on="2025-03-01", year=2025, amount_fen=5_000_000)

    refusal = refused(ledger, said)
    assert isinstance(refusal, BudgetMissing)
    assert refusal.details == {"year": 2025}
    recorded(ledger, controls.ruling())
    recorded(ledger, said)

    assert fund(ledger, 2025).allocated_fen == 5_000_000


def test_cash_that_moves_leaves_the_budget_as_it_was() -> None:
    ledger = given(controls.allocate(), controls.transfer())

    assert fund(ledger).free_fen == 100_000_000


def test_an_allocation_is_reversed_once_on_its_day_or_later() -> None:
    ledger = given(controls.allocate())
    [allocated] = ledger.all_of(Fund.Allocated)

    early = reverse(ledger, allocated, effective_on="2023-08-31")
    assert isinstance(refused(ledger, early), StepBefore)
    recorded(ledger, reverse(ledger, allocated, effective_on="2023-09-01"))
    assert isinstance(refused(ledger, reverse(ledger, allocated)), NotCorrectable)

    assert fund(ledger).allocated_fen == fund(ledger).free.last_fen == 0


def test_an_allocation_is_replaced_within_its_year() -> None:
    ledger = given(controls.allocate())
    [allocated] = ledger.all_of(Fund.Allocated)
    said = controls.body(controls.allocate(amount_fen=1), "year")

    moved = reverse(ledger, allocated, replacement=said | {"year": 2024})
    refusal = refused(ledger, moved)
    assert isinstance(refusal, ReplacementElsewhere)
    assert refusal.field == "replacement/year"
    recorded(ledger, reverse(ledger, allocated, replacement=said))

    assert fund(ledger).allocated_fen == 1


# ---- the aggregate alone --------------------------------------------------------------

_BY = Author("finance", "FINANCE", "zhao")
_ON = st.dates(date(2023, 1, 1), date(2023, 1, 20))
_MOVES = st.lists(
    st.tuples(
        st.sampled_from(["allocate", "reserve", "release", "spend", "spend_unreserved",
                         "take_back", "transfer", "correct"]),
        _ON, st.integers(1, 100),
    ),
    max_size=25,
)  # fmt: skip


def context(on: date) -> CommandContext:
    return CommandContext(by=_BY, effective_on=on)


def do(one: Fund, move: str, on: date, fen: int) -> bool:
    """Try a move that a batch or an official may make; whether it stood."""
    told: dict[str, Any] = {"year": 2023, "amount_fen": fen}
    most_fen = {"release": one.reserved_fen, "spend": one.reserved_fen, "take_back": one.paid_fen}
    if fen > most_fen.get(move, fen):
        return False  # a batch ends no more than it holds
    try:
        if move == "allocate":
            one.allocate(context(on), **told, voucher="V", budget_fen=1_000)
        elif move == "transfer":
            one.transfer(
                context(on), **told, payer="国库", payee="专户", purpose="贴息", voucher="V"
            )
        elif move == "correct":
            if not one.allocated:
                return False
            topic = Fund.Allocated.TOPIC
            one.correct(context(on), version=min(one.allocated), topic=topic, reason="录错")
        else:
            getattr(one, move)(context(on), **told, batch_no="PC-1")
    except Refused:
        return False
    return True


@hypothesis.settings(max_examples=150)
@hypothesis.given(_MOVES)
def test_what_is_allocated_is_reserved_paid_or_free(moves: list[tuple[str, date, int]]) -> None:
    one = Fund(Fund.id_for(2023))
    model = {"allocated": 0, "reserved": 0, "paid": 0}
    for move, on, fen in moves:
        allocations = dict(one.allocated)
        if not do(one, move, on, fen):
            continue
        moved_fen = allocations[min(allocations)][1] if move == "correct" else fen
        for name, sign in {
            "allocate": {"allocated": 1}, "correct": {"allocated": -1}, "reserve": {"reserved": 1},
            "release": {"reserved": -1}, "spend": {"reserved": -1, "paid": 1},
            "spend_unreserved": {"paid": 1}, "take_back": {"paid": -1}, "transfer": {},
        }[move].items():  # fmt: skip
            model[name] += sign * moved_fen

    assert (one.allocated_fen, one.reserved_fen, one.paid_fen) == tuple(model.values())
    assert one.allocated_fen == one.reserved_fen + one.paid_fen + one.free_fen
    assert one.free.last_fen == one.free_fen
    assert one.allocated_fen <= 1_000

    again = Fund(one.id)
    for event in one.collect_events():
        event.mutate(again)
    assert state_of(again) == state_of(one)


@pytest.mark.parametrize(("on", "fen"), [(date(2023, 9, 1), 100), (date(2023, 9, 2), 101)])
def test_a_batch_is_reserved_what_is_free_on_its_day_and_not_a_fen_more(on: date, fen: int) -> None:
    one = Fund(Fund.id_for(2023))
    told: dict[str, Any] = {"year": 2023, "voucher": "V", "budget_fen": 1_000}
    one.allocate(context(date(2023, 9, 2)), **told, amount_fen=100)

    with pytest.raises(FundExhausted) as refusal:
        one.reserve(context(on), year=2023, batch_no="PC-1", amount_fen=fen)
    assert refusal.value.details["free_fen"] == (0 if fen == 100 else 100)
    one.reserve(context(date(2023, 9, 2)), year=2023, batch_no="PC-1", amount_fen=100)
    assert one.free_fen == 0


def test_a_fund_whose_allocations_are_all_reversed_is_empty() -> None:
    ledger = given(controls.allocate(), controls.transfer(), controls.allocate(ref="XD-2"))

    for kind in (Fund.Allocated, Fund.Transferred):
        for event in ledger.all_of(kind):
            recorded(ledger, reverse(ledger, event))

    assert fund(ledger).free.lowest() == Lowest(date.min, 0)
    assert (fund(ledger).allocated, fund(ledger).transferred, fund(ledger).free_fen) == ({}, {}, 0)
