"""How much of what a holder paid on was programme money: least and most over the three methods."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from projections.facts.reading import View
from projections.fund_flow import HOLDERS, Movement, kind_of, movements
from projections.fund_flow.attribution import METHODS, attribute
from projections.fund_flow.misuse import between, move_of

_PROGRAMME: Final = ("loan", "subsidy")


def programme_money(view: View, moved: Iterable[Movement]) -> dict[tuple[int, str], list[int]]:
    """By position and kind of what a household or an account paid: fen, one number a method.

    Every movement of these holders counts, also those that `moved` leaves out; what reached them
    from a holder that is not among them is of unknown origin.
    """
    holders = {m.source for m in moved if kind_of(m.source) in HOLDERS}
    told = between(movements(view, nodes=holders)) if holders else []
    moves = [move_of(m, misuse=False) for m in told]
    found: dict[tuple[int, str], list[int]] = {}
    for method in METHODS:
        for m, parts in zip(told, attribute(moves, method), strict=True):
            if m.source in holders:
                fen = sum(fen for source, fen in parts if source.kind in _PROGRAMME)
                found.setdefault((m.position, m.kind), []).append(fen)
    return found
