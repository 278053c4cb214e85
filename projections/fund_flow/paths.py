"""All ways that money can have gone between two nodes, each a chain of movements in time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Final, NamedTuple

from projections.facts.reading import Table, View
from projections.fund_flow import HOLDERS, Movement, Start, kind_of, moved
from projections.fund_flow.columns import PATHS

MOST: Final = 100
_TRIED: Final = 100_000
_BEGINS: Final = (*HOLDERS, "batch")


class Step(NamedTuple):
    """Everything that moved from one node straight to another."""

    source: str
    target: str
    kinds: tuple[str, ...]
    amount_fen: int
    movements: int
    first_on: date
    last_on: date


class NoBegin(Exception):
    """Neither end is a household, an account or a batch: there is nothing to follow from."""


def paths(view: View, source: str, target: str, hops: int) -> Table:
    """Ways from one node to the other by at most so many movements, a line a step.

    No way meets a node twice, and none goes back in time: something moved on a step on the day on
    which money can have come there, or later. At most MOST ways, the shortest first.
    Raises NoBegin.
    """
    begin = next((node for node in (source, target) if kind_of(node) in _BEGINS), None)
    if begin is None:
        raise NoBegin
    steps = _steps(moved(view, Start(begin), hops))
    ways = sorted(_ways(steps, source, target, 2 * hops), key=lambda way: (len(way), _order(way)))
    return Table(
        PATHS,
        [
            (number, place, step.source, step.target, list(step.kinds), *step[3:])
            for number, way in enumerate(ways[:MOST], 1)
            for place, step in enumerate(way, 1)
        ],
    )


def _order(way: tuple[Step, ...]) -> list[tuple[int, str]]:
    return [(-step.amount_fen, step.target) for step in way]


def _steps(moves: Iterable[Movement]) -> dict[str, list[Step]]:
    """By node, the steps that lead on from it."""
    told: dict[tuple[str, str], list[tuple[str, Movement]]] = {}
    for movement in moves:
        for source, target, kind in movement.legs():
            if source != target:
                told.setdefault((source, target), []).append((kind, movement))
    found: dict[str, list[Step]] = {}
    for (source, target), legs in told.items():
        days = [m.effective_on for _, m in legs]
        kinds = tuple(dict.fromkeys(kind for kind, _ in legs))
        amount = sum(m.amount_fen for _, m in legs)
        step = Step(source, target, kinds, amount, len(legs), min(days), max(days))
        found.setdefault(source, []).append(step)
    return found


def _ways(
    steps: dict[str, list[Step]], source: str, target: str, most: int
) -> Iterator[tuple[Step, ...]]:
    """Chains of steps that meet no node twice; gives up after a great many tries."""
    waiting: list[tuple[tuple[Step, ...], date]] = [((), date.min)]
    tried = 0
    while waiting and tried < _TRIED:
        way, there_on = waiting.pop()
        node = way[-1].target if way else source
        met = {source, *(step.target for step in way)}
        for step in steps.get(node, ()):
            tried += 1
            if step.target in met or step.last_on < there_on:
                continue
            longer = (*way, step)
            if step.target == target:
                yield longer
            elif len(longer) < most:
                waiting.append((longer, max(there_on, step.first_on)))
