"""A table held in memory, as a list asks for it: lines chosen, counted, added, ordered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, Protocol

from domain.calendar import civil_day
from interface.console.list_query import Asked, Bounds, Sort, in_address
from projections.columns import Columns, keys
from projections.facts.reading import Table

Row = tuple[Any, ...]
Cursor = list[Any]


class Selection(Protocol):
    """The lines that a list asks for, wherever they are chosen: in memory, or in the database."""

    @property
    def columns(self) -> Columns: ...

    @property
    def lines(self) -> int:
        """How many lines meet the filters."""

    @property
    def sums(self) -> Mapping[str, int]:
        """By column, what all of these lines come to."""

    @property
    def cursor_values(self) -> int:
        """How many values a cursor has."""

    def facet(self, key: str) -> Mapping[str, int]:
        """By value, as an address names it: the lines that meet all other filters."""

    def page(self, after: Cursor | None, limit: int) -> tuple[list[Row], Cursor | None]:
        """The lines behind a cursor, and the cursor of the next page. Raises TypeError."""

    def rows(self) -> Iterator[Row]:
        """All of the lines, in order."""


class InMemory:
    """`Selection` of a whole table. `key`: columns that tell lines apart; `summed`: are added."""

    def __init__(
        self,
        table: Table,
        asked: Asked,
        key: Sequence[str],
        facets: Sequence[str],
        summed: Sequence[str],
    ) -> None:
        self._table = table
        self._names = table.keys
        self._key = [self._names.index(each) for each in key]
        self._facets: dict[str, Mapping[str, int]] = {}
        self._sort = asked.sort
        self._chosen = self._ordered(self._choose(asked, facets))
        self.sums = {
            name: sum(row[place] or 0 for row in self._chosen)
            for name, place in ((name, self._names.index(name)) for name in summed)
        }

    @property
    def columns(self) -> Columns:
        return self._table.columns

    @property
    def lines(self) -> int:
        return len(self._chosen)

    @property
    def cursor_values(self) -> int:
        return 1 + len(self._key) if self._sort else 1

    def facet(self, key: str) -> Mapping[str, int]:
        return self._facets[key]

    def rows(self) -> Iterator[Row]:
        return iter(self._chosen)

    def page(self, after: Cursor | None, limit: int) -> tuple[list[Row], Cursor | None]:
        first = 0 if after is None else self._place_after(after)
        lines = self._chosen[first : first + limit]
        more = first + limit < len(self._chosen)
        if not more:
            return lines, None
        if self._sort is None:
            return lines, [first + limit]
        place = self._names.index(self._sort.key)
        return lines, [_plain(lines[-1][place]), *self._key_of(lines[-1])]

    def _choose(self, asked: Asked, facets: Sequence[str]) -> list[Row]:
        """The lines that meet every filter; counted for a facet also those that it alone leaves."""
        tests = [(key, self._names.index(key), _is(value)) for key, value in asked.equal.items()]
        tests += [(key, self._names.index(key), _in(ends)) for key, ends in asked.ranges.items()]
        chosen = list(self._table.rows) if not tests else []
        left: dict[str, list[Row]] = {key: [] for key in facets}
        for row in self._table.rows if tests else ():
            failed = [key for key, place, test in tests if not test(row[place])]
            if not failed:
                chosen.append(row)
            elif len(failed) == 1 and failed[0] in left:
                left[failed[0]].append(row)
        for key in facets:
            place = self._names.index(key)
            every = dict.fromkeys(_counted(self._table.rows, place), 0)
            self._facets[key] = every | _counted([*chosen, *left[key]], place)
        return chosen

    def _ordered(self, rows: list[Row]) -> list[Row]:
        """By the column asked for, then by the key; what has no value comes last."""
        if self._sort is None:
            return rows
        place = self._names.index(self._sort.key)
        try:
            rows.sort(key=itemgetter(*self._key))
        except TypeError:  # a value of the key is absent, or several
            rows.sort(key=lambda row: _ranked(self._key_of(row)))
        present = [row for row in rows if row[place] is not None]
        present.sort(key=lambda row: _plain(row[place]), reverse=self._sort.descending)
        return present + [row for row in rows if row[place] is None]

    def _key_of(self, row: Row) -> list[Any]:
        return [_plain(row[place]) for place in self._key]

    def _place_after(self, after: Cursor) -> int:
        if self._sort is None:
            return int(after[0])
        place = self._names.index(self._sort.key)
        comes_after = _after(self._sort, after)
        for number, row in enumerate(self._chosen):
            if comes_after(_plain(row[place]), self._key_of(row)):
                return number
        return len(self._chosen)


def _after(sort: Sort, after: Cursor) -> Callable[[Any, list[Any]], bool]:
    """Whether a line, by its value and its key, stands behind the one of a cursor."""
    last, last_key = after[0], _ranked(after[1:])

    def comes_after(value: Any, key: list[Any]) -> bool:
        if value == last:
            return _ranked(key) > last_key
        if value is None or last is None:
            return value is None
        return bool(value < last if sort.descending else value > last)

    return comes_after


def _ranked(values: Sequence[Any]) -> list[tuple[bool, Any]]:
    """Values to order by; what has no value comes last."""
    return [(value is None, 0 if value is None else value) for value in values]


def _plain(value: Any) -> Any:
    """A value as it is compared and as a cursor holds it: text, a whole number or nothing."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, list):
        return " ".join(map(str, value))
    return str(value)


def _counted(rows: Iterable[Row], place: int) -> dict[str, int]:
    """How many rows have each value of a column, by the value as an address names it."""
    counts: Counter[str] = Counter()
    try:
        for value, count in Counter(row[place] for row in rows).items():
            counts[in_address(value)] += count
    except TypeError:  # several values in a cell
        return _counted([(each,) for row in rows for each in row[place] or [None]], 0)
    return dict(counts)


def _values(value: Any) -> list[str]:
    """What a facet counts a cell as: a list of several values as each of them."""
    if isinstance(value, list):
        return [in_address(each) for each in value] or ["-"]
    return [in_address(value)]


def _is(wanted: str) -> Callable[[Any], bool]:
    return lambda value: wanted in _values(value)


def _in(ends: Bounds) -> Callable[[Any], bool]:
    def within(value: Any) -> bool:
        if value is None:
            return False
        if isinstance(value, datetime):
            value = civil_day(value)
        return (ends.first is None or ends.first <= value) and (
            ends.last is None or value <= ends.last
        )

    return within


def cut(columns: Columns, rows: Iterator[Row], wanted: Sequence[str]) -> Table:
    """A table's rows with these columns alone, in this order."""
    names = keys(columns)
    places = [names.index(key) for key in wanted]
    return Table(
        tuple(columns[place] for place in places),
        [tuple(row[place] for place in places) for row in rows],
    )
