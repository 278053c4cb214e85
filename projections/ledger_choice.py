"""Which lines of a ledger are wanted, in which order, from which line on: chosen in SQL.

A ledger's question has a place in which it chooses lines before anything dear is added to them.
What lines themselves hold is chosen, ordered and cut there, so that a page costs a page; what is
found out line by line (an amount outstanding, a state) is chosen from all the lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

from projections import columns as c
from projections.columns import Column, Columns
from projections.facts.reading import Table, View

NO_VALUE: Final = "-"
"""What is chosen where a column must have no value."""
_TYPES: Final = {
    "text": "text",
    "identifier": "text",
    "fen": "bigint",
    "bp": "bigint",
    "integer": "bigint",
    "date": "date",
    "instant": "timestamptz",
}


class Choice(NamedTuple):
    """`equal`: by column, its value; `ranges`: by column, from and until, both included, or None.

    `sort`: the column to order by, `-` before it for the largest first; None: the ledger's own
    order. `after`: the line before the page, by the column ordered by (unless it is None) and the
    ledger's key. `most`: how many lines; None: all. Lines without a value come last.
    """

    equal: Mapping[str, str] = {}
    ranges: Mapping[str, tuple[Any, Any]] = {}
    sort: str | None = None
    after: Sequence[Any] | None = None
    most: int | None = None

    def of(self, **equal: str | None) -> Choice:
        """The same, and these values where they are given."""
        given = {key: value for key, value in equal.items() if value is not None}
        return self._replace(equal={**self.equal, **given})


EVERY: Final = Choice()


class Shape(NamedTuple):
    """A ledger's question as choices see it.

    `columns`: what it gives; `own`: by column, how `{chosen}` names what a line holds itself;
    `key`: the columns of the ledger's own order; `state`: SQL of a column `state` (None: none).
    """

    columns: Columns
    own: Mapping[str, str]
    key: tuple[str, ...]
    state: str | None

    @property
    def all_columns(self) -> Columns:
        return (*self.columns, c.STATE) if self.state else self.columns


class Statement(NamedTuple):
    """Parts of a ledger's question: in its `{chosen}` and `{page}`, and around it."""

    chosen: str
    page: str
    outer: str
    """What comes behind `SELECT … FROM (question) t`; empty where nothing is to be chosen."""
    parameters: dict[str, Any]

    @property
    def is_narrow(self) -> bool:
        """Whether few lines are chosen before anything is added to them."""
        return bool(self.page)


def statement(shape: Shape, choice: Choice) -> Statement:
    """Raises KeyError for an unknown column; ValueError for an `after` of another order."""
    columns = {column.key: column for column in shape.all_columns}
    own: list[tuple[str, str]] = []
    outer: list[tuple[str, str]] = []
    parameters: dict[str, Any] = {}
    for key, value in choice.equal.items():
        said = _equal(columns[key], value, parameters)
        (own if key in shape.own else outer).append((key, said))
    for key, ends in choice.ranges.items():
        said = _range(columns[key], ends, parameters)
        (own if key in shape.own else outer).append((key, said))
    keys, way = _order(shape, choice)
    if choice.after is not None:
        after = _after([columns[key] for key in keys], way, choice.after, parameters)
    else:
        after = ""
    early = not outer and choice.most is not None and all(key in shape.own for key in keys)
    chosen = "".join(f" AND {text.replace('{}', shape.own[key])}" for key, text in own)
    if early and after:
        chosen += f" AND {_named(after, keys, shape.own)}"
    conditions = [text.replace("{}", f"t.{key}") for key, text in outer]
    if after and not early:
        conditions.append(_named(after, keys, {key: f"t.{key}" for key in keys}))
    limit = "" if choice.most is None else f" LIMIT {int(choice.most)}"
    return Statement(
        chosen=chosen,
        page=f"ORDER BY {_ordered(keys, way, shape.own)}{limit}" if early else "",
        outer=(f" WHERE {' AND '.join(conditions)}" if conditions else "")
        + f" ORDER BY {_ordered(keys, way, {key: f't.{key}' for key in keys})}{limit}",
        parameters=parameters,
    )


def _order(shape: Shape, choice: Choice) -> tuple[tuple[str, ...], str]:
    """The columns to order by, and which way the first goes."""
    if choice.sort is None:
        return shape.key, ""
    return (choice.sort.removeprefix("-"), *shape.key), "-" if choice.sort[0] == "-" else "+"


def _ordered(keys: Sequence[str], way: str, names: Mapping[str, str]) -> str:
    first = {"-": " DESC NULLS LAST", "+": " ASC NULLS LAST", "": ""}[way]
    return ", ".join(names[key] + (first if n == 0 else "") for n, key in enumerate(keys))


def _equal(column: Column, value: str, parameters: dict[str, Any]) -> str:
    """A condition over `{}`."""
    if value == NO_VALUE:
        return "coalesce({}::text, '') = ''"
    parameters[f"is_{column.key}"] = value
    return f"{{}} = %(is_{column.key})s::{_TYPES[column.kind]}"


def _range(column: Column, ends: tuple[Any, Any], parameters: dict[str, Any]) -> str:
    said = []
    for name, sign, end in (("from", ">=", ends[0]), ("until", "<=", ends[1])):
        if end is not None:
            parameters[f"{name}_{column.key}"] = end
            said.append(f"{{}} {sign} %({name}_{column.key})s::{_TYPES[column.kind]}")
    return " AND ".join(said) or "true"


def _after(
    columns: Sequence[Column], way: str, after: Sequence[Any], parameters: dict[str, Any]
) -> str:
    """Behind a line in the order: a condition over `{0}`, `{1}`, … Raises ValueError."""
    if len(after) != len(columns):
        raise ValueError("as many values as columns")
    values = [_value(column, value) for column, value in zip(columns, after, strict=True)]
    parameters |= {f"after_{n}": value for n, value in enumerate(values)}
    bound = [f"%(after_{n})s::{_type(column)}" for n, column in enumerate(columns)]
    if not way:
        return _beyond(0, bound)
    key = _beyond(1, bound)
    if values[0] is None:
        return f"({{0}} IS NULL AND {key})"
    sign = "<" if way == "-" else ">"
    return f"({{0}} {sign} {bound[0]} OR ({{0}} = {bound[0]} AND {key}) OR {{0}} IS NULL)"


def _beyond(first: int, bound: Sequence[str]) -> str:
    names = ", ".join(f"{{{n}}}" for n in range(first, len(bound)))
    return f"({names}) > ({', '.join(bound[first:])})"


def _named(condition: str, keys: Sequence[str], names: Mapping[str, str]) -> str:
    for n, key in enumerate(keys):
        condition = condition.replace(f"{{{n}}}", names[key])
    return condition


def _type(column: Column) -> str:
    return "boolean" if column.shape == "flag" else _TYPES[column.kind]


def _value(column: Column, value: Any) -> Any:
    """A value of a cursor as its column has it. Raises ValueError."""
    if value is None:
        return None
    kind = _type(column)
    if kind == "bigint":
        number = int(value)
        if abs(number) >= 2**63:
            raise ValueError("too large")
        return number
    if kind == "boolean":
        return str(value).lower() in ("1", "true")
    if kind == "date":
        return value if isinstance(value, date) else date.fromisoformat(str(value))
    if "\0" in str(value):
        raise ValueError("no text")
    return str(value)


def wrapped(shape: Shape, question: str, stated: Statement) -> str:
    """The question with its column `state`, if it has one, and what is chosen of all its lines."""
    state = f", {shape.state} AS state" if shape.state else ""
    return f"SELECT t.* FROM (SELECT q.*{state} FROM ({question}) q) t{stated.outer}"


class Totals(NamedTuple):
    """Of all lines chosen: how many, what each amount comes to, and how many have each value.

    A facet counts the lines that meet all other conditions; a value that no line has is absent.
    """

    lines: int
    sums: dict[str, int]
    facets: dict[str, dict[str, int]]


def totals(
    view: View,
    shape: Shape,
    question: Any,
    choice: Choice,
    facets: Sequence[str],
    parameters: Mapping[str, Any],
) -> Totals:
    """`question`: the SQL for a choice, and its parameters."""
    whole = choice._replace(sort=None, after=None, most=None)
    chosen = [key for key in facets if key in choice.equal]
    amounts = [column.key for column in shape.columns if column.kind == "fen"]
    added = ", ".join(f"coalesce(sum(t.{key}), 0)::bigint" for key in amounts)
    sets = ", ".join(f"(t.{key})" for key in facets if key not in chosen)
    group = f" GROUP BY GROUPING SETS ((), {sets})" if sets else ""
    grouping = ", ".join(f"GROUPING(t.{key}), t.{key}::text" for key in facets if key not in chosen)
    sql, bound = question(whole)
    row_query = (
        f"SELECT count(*), {added}{', ' + grouping if grouping else ''} FROM ({sql}) t{group}"
    )
    found: dict[str, dict[str, int]] = {key: {} for key in facets}
    lines, sums = 0, dict[str, int]()
    free = [key for key in facets if key not in chosen]
    for row in view.query(row_query, **parameters, **bound).rows:
        groups = row[1 + len(amounts) :]
        by = [key for n, key in enumerate(free) if groups[2 * n] == 0]
        if not by:
            lines, sums = row[0], dict(zip(amounts, row[1 : 1 + len(amounts)], strict=True))
        else:
            value = groups[2 * free.index(by[0]) + 1]
            found[by[0]][value or NO_VALUE] = found[by[0]].get(value or NO_VALUE, 0) + row[0]
    for key in chosen:
        rest = {name: value for name, value in whole.equal.items() if name != key}
        sql, bound = question(whole._replace(equal=rest))
        one = f"SELECT t.{key}::text, count(*) FROM ({sql}) t GROUP BY 1"
        for value, count in view.query(one, **parameters, **bound).rows:
            found[key][value or NO_VALUE] = found[key].get(value or NO_VALUE, 0) + count
    return Totals(lines, sums, found)


def chosen_table(
    view: View,
    shape: Shape,
    sql: str,
    parameters: Mapping[str, Any],
    *,
    state: bool,
    once: bool = False,
) -> Table:
    """The lines; with the column `state` only where it is wanted.

    `once`: the question names its loans, and is planned once (`View.lookup`).
    """
    ask = view.lookup_table if once else view.table
    table = ask(shape.all_columns, sql, **parameters)
    if state or not shape.state:
        return table
    return Table(shape.columns, [row[:-1] for row in table.rows])
