"""Reports as they go out: the bytes, reproduced from two dates, and what differs by now."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from domain.policy import Book, table_names
from domain.publication import Edition
from interface.exports.table_files import file_columns, file_rows, headed_as
from interface.http.responses import instant
from interface.spreadsheet import Column, csv_blocks
from projections.facts.reading import Table, View
from projections.funds import fund_ledger
from projections.reports import indicators, township_report
from projections.reports.annual import annual_form
from projections.reports.banks import bank_appraisal

REPORTS: Final[dict[str, Callable[[View], Table]]] = {
    "townships": township_report,
    "indicators": indicators,
    "banks": bank_appraisal,
    "annual": annual_form,
    "funds": fund_ledger,
}


def edition(view: View, report: str, *, like: str | None = None) -> Edition:
    """What a report says of the view's two dates: always the same bytes for the same dates.

    `like`: an edition that went out, whose headings it has; without one, those of today.
    """
    table = REPORTS[report](view)
    columns: Sequence[Column] = file_columns(table.columns)
    if like is not None:
        columns = headed_as(columns, like)
    content = b"".join(csv_blocks(columns, file_rows(table))).decode()
    return Edition(
        content, len(table.rows), instant(view.known_at), view.position, digest(view.book)
    )


def digest(book: Book) -> str:
    """One hash over every ruling of a book, so that two editions of the rules can be told apart."""
    rulings = [r.to_dict() for name in table_names() for r in book.table(name).rulings]
    return hashlib.sha256(msgspec.json.encode(rulings, order="sorted")).hexdigest()


def differences(before: str, now: str) -> list[dict[str, Any]]:
    """The cells of a report that are told otherwise by now, line by line in the report's order.

    A line is known by its first column, and by its third where the first repeats (the annual form).
    """
    old, new = _lines(before), _lines(now)
    found = []
    for place in [*old, *(key for key in new if key not in old)]:
        was, is_now = old.get(place, {}), new.get(place, {})
        found += [
            {"line": " ".join(filter(None, place)), "column": column,
             "published": was.get(column), "now": is_now.get(column)}
            for column in (is_now or was)
            if was.get(column) != is_now.get(column)
        ]  # fmt: skip
    return found


def _lines(content: str) -> dict[tuple[str, ...], dict[str, str]]:
    header, *rows = csv.reader(io.StringIO(content.removeprefix("\ufeff"), newline=""))
    return {_key(row): dict(zip(header, row, strict=True)) for row in rows}


def _key(row: Sequence[str]) -> tuple[str, ...]:
    third = row[2] if row[0] == "disbursed_by_use" else ""
    return row[0], third
