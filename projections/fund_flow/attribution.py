"""Mixed money (混合资金): from which source an outflow of a pool came: first in first out, last in
first out, or in proportion.

A pool receives loan money, subsidy, dividends; where it pays out more than it is known to hold,
the rest is unexplained. What was attributed travels with the money to the next pool. Movements are
taken in their order, each once: money that runs in a ring ends where its movements end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Final, NamedTuple, Protocol


class Source(NamedTuple):
    """What kind of money it was at first, and whose. `misused`: it reached a forbidden place."""

    kind: str
    bank: str = ""
    loan_no: str = ""
    misused: bool = False


UNEXPLAINED: Final = Source("unexplained")
Parts = list[tuple[Source, int]]


class Move(NamedTuple):
    """Money into, out of, or between pools; None stands for whatever is no pool.

    `brought`: what money it is that comes from outside. `misuse`: where it arrives, it must not.
    """

    source: Hashable | None
    target: Hashable | None
    amount_fen: int
    brought: Source | None = None
    misuse: bool = False


class Pool(Protocol):
    """Money that is held. `take` gives what is there, at most so much."""

    def put(self, parts: Parts) -> None: ...
    def take(self, amount_fen: int) -> Parts: ...


class _Lots:
    """Money in the order in which it came in."""

    def __init__(self, *, newest_first: bool) -> None:
        self._newest_first = newest_first
        self._lots: deque[tuple[Source, int]] = deque()

    def put(self, parts: Parts) -> None:
        self._lots.extend(parts)

    def take(self, amount_fen: int) -> Parts:
        taken: dict[Source, int] = {}
        pop, put_back = self._lots.popleft, self._lots.appendleft
        if self._newest_first:
            pop, put_back = self._lots.pop, self._lots.append
        while amount_fen and self._lots:
            source, held_fen = pop()
            part_fen = min(held_fen, amount_fen)
            if part_fen < held_fen:
                put_back((source, held_fen - part_fen))
            taken[source] = taken.get(source, 0) + part_fen
            amount_fen -= part_fen
        return list(taken.items())


class _Mixture:
    """Money of which every outflow takes its share; what does not divide goes by largest remainder,
    of equal ones to the source that came first."""

    def __init__(self) -> None:
        self._held: dict[Source, int] = {}

    def put(self, parts: Parts) -> None:
        for source, fen in parts:
            self._held[source] = self._held.get(source, 0) + fen

    def take(self, amount_fen: int) -> Parts:
        total_fen = sum(self._held.values())
        amount_fen = min(amount_fen, total_fen)
        if not amount_fen:
            return []
        shares = [(s, *divmod(held * amount_fen, total_fen)) for s, held in self._held.items()]
        left_fen = amount_fen - sum(fen for _, fen, _ in shares)
        more = {s for s, _, _ in sorted(shares, key=lambda share: -share[2])[:left_fen]}
        taken = [(source, fen + (source in more)) for source, fen, _ in shares]
        for source, fen in taken:
            self._held[source] -= fen
        self._held = {source: fen for source, fen in self._held.items() if fen}
        return [(source, fen) for source, fen in taken if fen]


METHODS: Final[dict[str, Callable[[], Pool]]] = {
    "fifo": lambda: _Lots(newest_first=False),
    "lifo": lambda: _Lots(newest_first=True),
    "pro_rata": _Mixture,
}


def attribute(moves: Iterable[Move], method: str) -> Iterator[Parts]:
    """For each movement, in order: of what sources it is, to the fen."""
    new = METHODS[method]
    pools: dict[Hashable, Pool] = {}
    for move in moves:
        if move.source is None:
            parts: Parts = [(move.brought or UNEXPLAINED, move.amount_fen)]
        else:
            parts = pools.setdefault(move.source, new()).take(move.amount_fen)
            short_fen = move.amount_fen - sum(fen for _, fen in parts)
            if short_fen:
                parts = _with_unexplained(parts, short_fen)
        yield parts
        if move.target is not None:
            pools.setdefault(move.target, new()).put(_arrived(parts) if move.misuse else parts)


def _with_unexplained(parts: Parts, fen: int) -> Parts:
    found = dict(parts)
    found[UNEXPLAINED] = found.get(UNEXPLAINED, 0) + fen
    return list(found.items())


def _arrived(parts: Parts) -> Parts:
    """The same money, marked; parts that differed by the mark alone stay apart."""
    return [(source._replace(misused=True), fen) for source, fen in parts]
