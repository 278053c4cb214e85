"""A table as a file has it: yuan and percent, titles in Chinese beside a key that says so.

JSON has `outstanding_fen`, a whole number of fen; a file has `余额(元) outstanding_yuan`, with two
decimals, and `年利率(%) annual_rate_percent` for `annual_rate_bp`.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from interface.spreadsheet import Column, write_csv, write_xlsx
from projections.columns import LOAN_ID, Columns
from projections.facts.reading import Table

if TYPE_CHECKING:
    from interface.exports.file_head import FileHead

_FILE_UNITS: Final = {"fen": "yuan", "bp": "percent"}
"""By kind, which is also how the contract's key ends: how the key of a file ends."""


def file_columns(columns: Columns) -> list[Column]:
    """The declared columns as a file has them; a loan's own id stays inside."""
    return [
        Column(
            column.key,
            column.title_zh,
            column.title_en,
            column.kind,
            file_key=_file_key(column.key, column.kind),
        )
        for column in columns
        if column != LOAN_ID
    ]


def _file_key(key: str, kind: str) -> str:
    """The key of a file; empty where it is the contract's own."""
    unit = _FILE_UNITS.get(kind)
    return f"{key.removesuffix(kind)}{unit}" if unit else ""


def headed_as(columns: Sequence[Column], content: str) -> Sequence[Column]:
    """The columns under the headings of a CSV that went out earlier (docs/decisions/0040)."""
    [header] = csv.reader([content.removeprefix("\ufeff").partition("\r\n")[0]])
    former = [replace(column, file_key="") for column in columns]
    return former if header == [column.heading for column in former] else columns


def write_table(
    path: Path,
    table: Table,
    head: FileHead | None = None,
    *,
    notes: bool = False,
    through: Callable[[Iterator[Any]], Iterator[Any]] = iter,
) -> None:
    """The table as the file that its name ends in, .csv or .xlsx; with what it says of itself.

    `notes`: whether a CSV has them too, as lines before its header; `through`: what the rows pass.
    """
    columns, rows = file_columns(table.columns), through(file_rows(table))
    if path.suffix.lower() == ".csv":
        write_csv(path, columns, rows, head.notes if head and notes else ())
    elif head is None:
        write_xlsx(path, columns, rows)
    else:
        kept = [column for column in table.columns if column != LOAN_ID]
        places = [table.columns.index(column) for column in kept]
        totals = [
            sum(row[place] or 0 for row in table.rows) if column.kind == "fen" else None
            for place, column in zip(places, kept, strict=True)
        ]
        write_xlsx(path, columns, rows, head.notes, totals if table.rows else ())


def file_rows(table: Table) -> Iterator[tuple[Any, ...]]:
    plan = [(place, column.kind) for place, column in enumerate(table.columns) if column != LOAN_ID]
    return (tuple(_cell(row[place], kind) for place, kind in plan) for row in table.rows)


def _cell(value: Any, kind: str) -> Any:
    if kind == "text" and isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, list):
        return " ".join(map(str, value))
    return value
