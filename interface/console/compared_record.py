"""The amounts of a record at two moments: then, now, and now less then (对比)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from domain.kernel import Refused
from interface.console.amounts import signed
from interface.console.comparing import Comparison, moments_said, views_of
from interface.console.frame import Visit
from projections.facts.reading import View
from projections.loan_ledger.columns import COLUMNS

_AMOUNTS: Final = tuple(column for column in COLUMNS if column.kind == "fen")
Lines = Iterable[Mapping[str, Any]]


class Amount(NamedTuple):
    """An amount at both moments, in fen."""

    title: str
    then_fen: int
    now_fen: int

    @property
    def difference_fen(self) -> int:
        return self.now_fen - self.then_fen

    @property
    def difference(self) -> str:
        """The difference in yuan, with its sign."""
        return signed(self.difference_fen)


class ComparedRecord(NamedTuple):
    """`known_then`: whether the record was there; `equal`: how many amounts are the same.

    `amounts`: those that differ, or all where the address asks for them; `then`: by column, what
    it was, in fen. `is_final`: whether nothing told later can change what was known then.
    """

    moments: str
    known_then: bool
    amounts: list[Amount]
    equal: int
    equal_shown: bool
    equal_address: str
    then: Mapping[str, int]
    is_final: bool


def compared_record(
    found: Visit, other: Comparison, lines_of: Callable[[View], Lines]
) -> ComparedRecord:
    """`lines_of`: the record's lines of the loan ledger at a view, which are added up.

    It may refuse at the other moment: the record was not there, and each amount was nothing.
    """
    with views_of(found, other.moment) as views:
        now = _sums(lines_of(views.now))
        try:
            then, known_then = _sums(lines_of(views.then)), True
        except Refused:
            then, known_then = _sums(()), False
        moments, is_final = moments_said(found.words, views), views.is_final(other.moment)
    is_zh = found.words.language == "zh"
    every = [
        Amount(each.title_zh if is_zh else f"{each.title_en} (yuan)", then[each.key], now[each.key])
        for each in _AMOUNTS
    ]
    differing = [each for each in every if each.difference_fen]
    return ComparedRecord(
        moments=moments,
        known_then=known_then,
        amounts=every if other.equal_shown else differing,
        equal=len(every) - len(differing),
        equal_shown=other.equal_shown,
        equal_address=found.address(vs_equal=None if other.equal_shown else "shown"),
        then=then,
        is_final=is_final,
    )


def _sums(lines: Lines) -> dict[str, int]:
    found = list(lines)
    return {each.key: sum(line[each.key] or 0 for line in found) for each in _AMOUNTS}
