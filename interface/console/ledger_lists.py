"""The list engine: a table of a query becomes a page of lines, or a file of all of them.

A page declares what its columns lead to; titles, kinds and units are those that stand beside the
query.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from fastapi import Response

from domain.money import percent, with_commas
from interface.console.dates import in_china
from interface.console.frame import Visit, Wrong
from interface.console.pinned import Answer, answer_of
from interface.console.words import Words
from interface.http.query_params import closed, view_of
from interface.http.responses import Form, head_of, headers_of, json_answer, table_file
from projections.columns import LOAN_ID, Column, Columns
from projections.facts.reading import Table, View

PAGE: Final = 50
_NUMBERS: Final = ("fen", "bp", "integer")
Leads = Callable[[Mapping[str, Any]], str | None]
"""Where a cell of a line leads; None: nowhere."""


class Cell(NamedTuple):
    """What stands in a cell; `fen` where it is an amount, `late` where it is not ordinary."""

    text: str
    href: str | None = None
    number: bool = False
    fen: int | None = None
    late: bool = False


class Ledger(NamedTuple):
    """A ledger as a page shows it.

    `shown`: keys of the columns that stand on the page unless others are asked for; `key`: the
    columns that lines go by; `leads`: by column, where it leads; `names`: by column, the names of
    codes. `ask` is told how many lines are wanted (None: all).
    """

    name: str
    columns: Columns
    shown: tuple[str, ...]
    key: tuple[str, ...]
    leads: Mapping[str, Leads]
    names: Mapping[str, Mapping[Any, str]]
    late: Callable[[Mapping[str, Any], str], bool]
    ask: Callable[[View, int | None], Table]


def chosen(ledger: Ledger, cols: str | None) -> tuple[str, ...]:
    """The columns asked for, in their order. Raises Wrong 400, which names the unknown one."""
    if cols is None:
        return ledger.shown
    known = {column.key for column in ledger.columns if column != LOAN_ID}
    wanted = tuple(dict.fromkeys(cols.split(",")))
    for key in wanted:
        if key not in known:
            raise Wrong(400, "error.column", value=key[:60])
    return wanted


def title(words: Words, column: Column) -> str:
    """The column's title, with the unit that the page gives it in."""
    if words.language == "zh":
        return column.title_zh
    unit = {"fen": " (yuan)", "bp": " (%)"}.get(column.kind, "")
    return column.title_en[:1].upper() + column.title_en[1:] + unit


class Listed(NamedTuple):
    """One page of a ledger."""

    heads: list[tuple[str, bool]]
    rows: list[list[Cell]]
    sums: list[Cell]
    next: str | None
    every_column: list[tuple[str, str, bool]]
    answer: Answer


def listed(found: Visit, ledger: Ledger, cols: tuple[str, ...], view: View) -> Listed:
    """The lines of a page, and the cursor of the next."""
    table = ledger.ask(view, PAGE + 1)
    shown = Table(table.columns, table.rows[:PAGE])
    lines = list(shown.dicts())
    by_key = {column.key: column for column in table.columns}
    wanted = [by_key[key] for key in cols]
    more = len(table.rows) > PAGE
    titles = [title(found.words, column) for column in wanted]
    return Listed(
        heads=[
            (name, column.kind in _NUMBERS) for name, column in zip(titles, wanted, strict=True)
        ],
        rows=[[_cell(found.words, ledger, column, line) for column in wanted] for line in lines],
        sums=[_sum(column, lines) for column in wanted],
        next=closed([str(lines[-1][name]) for name in ledger.key]) if more else None,
        every_column=[
            (column.key, title(found.words, column), column.key in cols)
            for column in table.columns
            if column != LOAN_ID
        ],
        answer=answer_of(view, shown, cols, titles),
    )


def _cell(words: Words, ledger: Ledger, column: Column, line: Mapping[str, Any]) -> Cell:
    value = line[column.key]
    leads = ledger.leads.get(column.key)
    return Cell(
        text=ledger.names.get(column.key, {}).get(value) or _text(words, column, value),
        href=leads(line) if leads and value is not None else None,
        number=column.kind in _NUMBERS,
        fen=value if column.kind == "fen" else None,
        late=ledger.late(line, column.key),
    )


def _text(words: Words, column: Column, value: Any) -> str:
    if value is None or value == "":
        return "—"
    if isinstance(value, bool):
        return words("list.yes" if value else "list.no")
    if column.kind == "fen":
        return with_commas(value)
    if column.kind == "bp":
        return percent(value).removesuffix("%")
    if isinstance(value, datetime):
        return in_china(value)
    return str(value)


def _sum(column: Column, lines: Sequence[Mapping[str, Any]]) -> Cell:
    if column.kind != "fen":
        return Cell("")
    total = sum(line[column.key] or 0 for line in lines)
    return Cell(with_commas(total), number=True, fen=total)


def as_file(found: Visit, ledger: Ledger, cols: tuple[str, ...], form: Form) -> Response:
    """All lines in the columns and the order of the page, as JSON, CSV or XLSX."""
    with view_of(found.service, found.as_of, found.known_at, None) as view:
        table = ledger.ask(view, None)
        places = [table.keys.index(key) for key in cols]
        cut = Table(
            tuple(table.columns[place] for place in places),
            [tuple(row[place] for place in places) for row in table.rows],
        )
        if form == "json":
            return json_answer(head_of(view) | {"lines": list(cut.dicts())}, 200, headers_of(view))
        return table_file(cut, form, f"{ledger.name}-{view.as_of}", headers_of(view))
