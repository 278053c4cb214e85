"""A table as a file has it: yuan and percent, titles in Chinese beside the key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from interface.spreadsheet import Column
from projections.columns import LOAN_ID, Columns
from projections.facts.reading import Table


def file_columns(columns: Columns) -> list[Column]:
    """The declared columns as a file has them; a loan's own id stays inside."""
    return [
        Column(column.key, column.title_zh, column.title_en, column.kind)
        for column in columns
        if column != LOAN_ID
    ]


def file_rows(table: Table) -> Iterator[tuple[Any, ...]]:
    plan = [(place, column.kind) for place, column in enumerate(table.columns) if column != LOAN_ID]
    return (tuple(_cell(row[place], kind) for place, kind in plan) for row in table.rows)


def _cell(value: Any, kind: str) -> Any:
    if kind == "text" and isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, list):
        return " ".join(map(str, value))
    return value
