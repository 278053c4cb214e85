"""How much loan and subsidy money reached a place it must not, as a range over the three methods.

Which kinds of receiver are forbidden says `misuse_receivers`, by the day of each movement. An
account that was once told as one is one, whatever else it is called, and for loans and subsidy
paid straight to it.
Money counts for its loan once, where it first arrives, and for every account where it arrives.
A check that found a loan diverted counts, from its day on, for all that was owed that day; what
the movements show of the same loan is the same money, so the larger of the two counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from typing import Any, Final, NamedTuple

from domain.policy import NoRuling, Ruling
from projections.facts.reading import Table, View, query_text
from projections.fund_flow import HOLDERS, Movement, kind_of, movements
from projections.fund_flow.attribution import METHODS, Move, Source, attribute
from projections.fund_flow.columns import MISUSE_BY_ACCOUNT, MISUSE_BY_LOAN

_TABLE: Final = "misuse_receivers"
_SOURCES: Final = {"lent": "loan", "subsidy": "subsidy"}
_ARRIVING: Final = {"outflow", *_SOURCES}


class _Sums:
    """What arrived, by method, and the movements that show it."""

    def __init__(self) -> None:
        self.fen: dict[str, int] = dict.fromkeys(METHODS, 0)
        self.positions: set[int] = set()
        self.loans: set[tuple[str, str]] = set()


class Found(NamedTuple):
    """One line a loan and kind of money, one an account; by these rulings."""

    loans: Table
    accounts: Table
    rulings: list[Ruling]


def misuse(view: View) -> Found:
    """Programme money in forbidden places, as of a day, as known at an instant."""
    outflows = between(movements(view, kind="outflow"))
    rulings = _rulings(view, outflows)
    places = {
        _account(m)
        for m in outflows
        if (ruling := rulings[m.effective_on]) is not None and m.receiver in ruling.words
    }
    leading = _leading(outflows, places)
    told = between(movements(view, nodes=leading | places)) if places else []
    forbidden = {m.position for m in told if m.kind in _ARRIVING and _account(m) in places}
    loans, accounts, received = _sums(told, forbidden, leading)
    return Found(
        Table(MISUSE_BY_LOAN, list(_loan_lines(view, loans, received))),
        Table(MISUSE_BY_ACCOUNT, list(_account_lines(accounts, told, forbidden))),
        list(dict.fromkeys(ruling for ruling in rulings.values() if ruling is not None)),
    )


def _account(m: Movement) -> str:
    """Where the money arrived: an account, if only one that it went through."""
    return m.via or m.target


def between(moved: list[Movement]) -> list[Movement]:
    """What moves from one holder to another: one's own accounts are one holder."""
    return [m for m in moved if m.source != m.target]


def _rulings(view: View, outflows: list[Movement]) -> dict[date, Ruling | None]:
    """By day; None where nothing that was known forbids anything."""
    found: dict[date, Ruling | None] = {m.effective_on: None for m in outflows}
    for day in found:
        with suppress(NoRuling):
            found[day] = view.book.ruling(_TABLE, day, view.known_on)
    return found


def _leading(outflows: list[Movement], places: set[str]) -> set[str]:
    """The holders from which money leads to a forbidden place, by however many movements."""
    by_target: dict[str, set[str]] = defaultdict(set)
    for m in outflows:
        by_target[m.target].add(m.source)
    found: set[str] = set()
    waiting = {m.source for m in outflows if _account(m) in places}
    while waiting:
        found |= waiting
        waiting = {source for node in waiting for source in by_target[node]} - found
    return found


def _sums(
    told: list[Movement], forbidden: set[int], leading: set[str]
) -> tuple[dict[Source, _Sums], dict[str, _Sums], dict[Source, int]]:
    """By source, by receiving account, and what was received from each source in all."""
    loans: dict[Source, _Sums] = defaultdict(_Sums)
    accounts: dict[str, _Sums] = defaultdict(_Sums)
    received: dict[Source, int] = defaultdict(int)
    moves = [move_of(m, m.position in forbidden) for m in told]
    for move in moves:
        if move.brought is not None:
            received[move.brought] += move.amount_fen
    for method in METHODS:
        for m, move, parts in zip(told, moves, attribute(moves, method), strict=True):
            if not move.misuse and (move.source is None or m.target not in leading):
                continue
            for source, fen in parts:
                if source.kind in _SOURCES.values():
                    first = source._replace(misused=False)
                    loans[first].positions.add(m.position)
                    if move.misuse:
                        loans[first].fen[method] += 0 if source.misused else fen
                        accounts[_account(m)].fen[method] += fen
                        accounts[_account(m)].loans.add((source.bank, source.loan_no))
    return loans, accounts, received


def move_of(m: Movement, misuse: bool) -> Move:
    """A movement between pools: households and accounts hold money, all else is outside."""
    source, target = (n if kind_of(n) in HOLDERS else None for n in (m.source, m.target))
    brought = None
    if source is None:
        kind = _SOURCES.get(m.kind, m.kind)
        brought = Source(kind, m.bank or "", m.loan_no or "")
    return Move(source, target, m.amount_fen, brought, misuse)


def _loan_lines(
    view: View, loans: dict[Source, _Sums], received: dict[Source, int]
) -> Iterator[tuple[Any, ...]]:
    found = view.query(query_text("projections.fund_flow", "diverted.sql")).dicts()
    diverted = {Source("loan", loan["bank"], loan["loan_no"]): loan for loan in found}
    households = _households(view)
    arrived = {source: sums for source, sums in loans.items() if any(sums.fen.values())}
    for source in sorted(
        arrived.keys() | diverted.keys(), key=lambda s: (s.bank, s.loan_no, s.kind)
    ):
        sums, check = arrived.get(source, _Sums()), diverted.get(source, {})
        owed_fen = check.get("diverted_fen", 0)
        reached = tuple(sums.fen.values())
        yield (
            source.bank,
            source.loan_no,
            households[source.bank, source.loan_no],
            source.kind,
            received.get(source, check.get("credited_fen", 0)),
            max(min(reached), owed_fen),
            max(*reached, owed_fen),
            *reached,
            check.get("diverted_on"),
            check.get("diverted_fen"),
            sorted({*sums.positions, *check.get("positions", ())}),
        )


def _households(view: View) -> dict[tuple[str, str], str]:
    rows = view.query(
        "SELECT bank, loan_no, household_no FROM facts.standing_loan(%(as_of)s, %(known_at)s)"
    ).rows
    return {(bank, loan_no): household for bank, loan_no, household in rows}


def _account_lines(
    accounts: dict[str, _Sums], told: list[Movement], forbidden: set[int]
) -> Iterator[tuple[Any, ...]]:
    """Most money first; `arrived_fen` is all that arrived there, of the programme or not."""
    into: dict[str, list[Movement]] = defaultdict(list)
    for m in told:
        if m.position in forbidden:
            into[_account(m)].append(m)
    order = sorted(into, key=lambda node: (-max(accounts[node].fen.values()), node))
    for node in order:
        sums, moved = accounts[node], into[node]
        reached = tuple(sums.fen.values())
        yield (
            node.partition(":")[2],
            sorted({m.receiver for m in moved if m.receiver}),
            len({m.household_no for m in moved}),
            len(sums.loans),
            sum(m.amount_fen for m in moved),
            min(reached),
            max(reached),
            *reached,
            moved[0].effective_on,
            moved[-1].effective_on,
            sorted(m.position for m in moved),
        )
