"""A ledger of loans or subsidies as a list asks for it: chosen, ordered and cut in the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from interface.console.list_query import Asked
from interface.console.list_rows import Cursor, Row
from projections.columns import Columns
from projections.facts.reading import Scope, Table, View
from projections.ledger_choice import Choice, Shape, Totals


class Ledger(NamedTuple):
    """How a ledger's lines and totals are found, within a scope."""

    name: str
    shape: Shape
    lines: Callable[[View, Scope, Choice], Table]
    totals: Callable[[View, Scope, Choice, Sequence[str]], Totals]
    facets: tuple[str, ...]


class LedgerSelection:
    """`Selection` of a ledger; its totals are kept while the facts are the same."""

    def __init__(self, ledger: Ledger, view: View, scope: Scope, asked: Asked) -> None:
        self._ledger, self._view, self._scope = ledger, view, scope
        self._choice = Choice(
            equal=dict(asked.equal),
            ranges={key: tuple(ends) for key, ends in asked.ranges.items()},
            sort=str(asked.sort) if asked.sort else None,
        )

    @property
    def columns(self) -> Columns:
        return self._ledger.shape.all_columns

    @property
    def lines(self) -> int:
        return self._totals.lines

    @property
    def sums(self) -> Mapping[str, int]:
        return self._totals.sums

    @property
    def cursor_values(self) -> int:
        return len(self._ledger.shape.key) + (self._choice.sort is not None)

    def facet(self, key: str) -> Mapping[str, int]:
        """With a value of the whole ledger that no line has here, at zero."""
        every = self._totals_of(Choice()).facets[key]
        return dict.fromkeys(every, 0) | self._totals.facets[key]

    def page(self, after: Cursor | None, limit: int) -> tuple[list[Row], Cursor | None]:
        choice = self._choice._replace(after=after, most=limit + 1)
        rows = self._ledger.lines(self._view, self._scope, choice).rows
        if len(rows) <= limit:
            return rows, None
        names = [column.key for column in self.columns]
        sort = [self._choice.sort.removeprefix("-")] if self._choice.sort else []
        last = rows[limit - 1]
        keys = (*sort, *self._ledger.shape.key)
        return rows[:limit], [_plain(last[names.index(key)]) for key in keys]

    def rows(self) -> Iterator[Row]:
        return iter(self._ledger.lines(self._view, self._scope, self._choice).rows)

    @cached_property
    def _totals(self) -> Totals:
        return self._totals_of(self._choice)

    def _totals_of(self, choice: Choice) -> Totals:
        key = (
            "totals", self._ledger.name, self._scope, self._view.place,
            tuple(sorted(choice.equal.items())), tuple(sorted(choice.ranges.items())),
        )  # fmt: skip
        memory = self._view.memory
        kept: Totals | None = memory.recall(key) if memory else None
        if kept is None:
            kept = self._ledger.totals(self._view, self._scope, choice, self._ledger.facets)
            if memory:
                memory.keep(key, kept, 1 + sum(map(len, kept.facets.values())))
        return kept


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, int) else str(value)
