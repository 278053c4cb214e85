"""Write tables that people open in a spreadsheet: what was written reads back equal, nothing runs.

Rows are written as they come and never held; amounts come in fen and leave as exact yuan.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeAlias

import xlsxwriter  # type: ignore[import-untyped]

from domain.money import yuan
from interface.spreadsheet.columns import Column, Kind
from interface.spreadsheet.escaping import RUNNABLE, escaped

Values: TypeAlias = Mapping[str, Any] | Sequence[Any]
"""One row: by column key, or in the order of the columns. None is an empty cell."""

Notes: TypeAlias = Sequence[tuple[str, str]]
"""What stands before a table: labels with their values."""

MOST_ROWS_A_SHEET: Final = 1_048_576
_LONGEST_CELL: Final = 32_767
_EXACT_BELOW: Final = 10**15
_BLOCK_CHARACTERS: Final = 64 * 1024
_BYTE_ORDER_MARK: Final = "\ufeff"
_WIDTHS: Final[Mapping[Kind, int]] = {
    "text": 20,
    "identifier": 24,
    "fen": 16,
    "bp": 10,
    "date": 12,
    "instant": 28,
    "integer": 12,
}


def csv_blocks(
    columns: Sequence[Column], rows: Iterable[Values], notes: Notes = ()
) -> Iterator[bytes]:
    """The table as UTF-8 with a byte-order mark, piece by piece; notes as `#` lines before it."""
    buffer = io.StringIO(_BYTE_ORDER_MARK, newline="")
    buffer.seek(0, io.SEEK_END)
    for label, value in notes:
        buffer.write(f"# {label}: {' '.join(value.split())}\r\n")
    writer = csv.writer(buffer)
    writer.writerow([escaped(column.heading) for column in columns])
    writers = [_CSV_TEXT[column.kind] for column in columns]
    for row in rows:
        writer.writerow(
            [
                "" if value is None else write(value)
                for write, value in zip(writers, _in_order(columns, row), strict=True)
            ]
        )
        if buffer.tell() >= _BLOCK_CHARACTERS:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


def write_csv(
    target: Path | BinaryIO, columns: Sequence[Column], rows: Iterable[Values], notes: Notes = ()
) -> None:
    if isinstance(target, Path):
        with target.open("wb") as stream:
            stream.writelines(csv_blocks(columns, rows, notes))
    else:
        target.writelines(csv_blocks(columns, rows, notes))


def write_xlsx(
    target: Path | BinaryIO,
    columns: Sequence[Column],
    rows: Iterable[Values],
    notes: Notes = (),
    totals: Sequence[int | None] = (),
) -> None:
    """The table on one sheet, or on as many as it fills, each under its header.

    With notes, they are the first sheet, and the table can be filtered and prints its header on
    each page; `totals` are its last line. Raises ValueError for a text longer than a cell can hold.
    """
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with xlsxwriter.Workbook(target, options) as workbook:
        if notes:
            _write_notes(workbook, notes)
        sheets = _Sheets(workbook, columns, for_reading=bool(notes))
        for row in rows:
            sheets.write(_in_order(columns, row))
        sheets.end(totals)


def _write_notes(workbook: Any, notes: Notes) -> None:
    sheet, bold = workbook.add_worksheet("说明"), workbook.add_format({"bold": True})
    quoted = workbook.add_format({"quote_prefix": True, "text_wrap": True})
    sheet.set_column(0, 0, 24)
    sheet.set_column(1, 1, 80)
    for row, (label, value) in enumerate(notes):
        sheet.write_string(row, 0, label, bold)
        sheet.write_string(row, 1, _text(value)[:_LONGEST_CELL], quoted)


class _Sheets:
    """The sheet being written, and the one after it when it is full."""

    def __init__(
        self, workbook: Any, columns: Sequence[Column], *, for_reading: bool = False
    ) -> None:
        self.workbook = workbook
        self.columns = columns
        self.for_reading = for_reading
        self.total = workbook.add_format({"bold": True, "num_format": "#,##0.00", "top": 1})
        self.heading = workbook.add_format({"bold": True})
        self.quoted = workbook.add_format({"quote_prefix": True})
        self.amount = workbook.add_format({"num_format": "#,##0.00" if for_reading else "0.00"})
        self.day = workbook.add_format({"num_format": "yyyy-mm-dd"})
        self._begin()

    def write(self, values: Iterable[Any]) -> None:
        if self.next_row == MOST_ROWS_A_SHEET - self.for_reading:  # a line for the totals
            self.end(())
            self._begin()
        for place, (column, value) in enumerate(zip(self.columns, values, strict=True)):
            if value is not None:
                self._write_cell(place, column.kind, value)
        self.next_row += 1

    def end(self, totals: Sequence[int | None]) -> None:
        """The totals, and what helps to read a sheet on screen and on paper."""
        if not self.for_reading:
            return
        last = len(self.columns) - 1
        self.sheet.autofilter(0, 0, max(self.next_row - 1, 0), last)
        self.sheet.repeat_rows(0)
        self.sheet.set_landscape()
        self.sheet.set_paper(9)
        self.sheet.fit_to_pages(1, 0)
        for place, total in enumerate(totals):
            if total is not None and abs(total) < _EXACT_BELOW:
                number = Decimal(total).scaleb(-2)
                self.sheet.write_number(self.next_row, place, number, self.total)
            elif place == 0:
                self.sheet.write_string(self.next_row, 0, "合计", self.total)

    def _begin(self) -> None:
        numbered = len(self.workbook.worksheets()) - 1
        name = f"数据{numbered + 1 if numbered else ''}" if self.for_reading else None
        self.sheet = self.workbook.add_worksheet(name)
        self.sheet.freeze_panes(1, 0)
        for place, column in enumerate(self.columns):
            self.sheet.set_column(place, place, _WIDTHS[column.kind])
            self.sheet.write_string(0, place, column.heading, self.heading)
        self.next_row = 1

    def _write_cell(self, place: int, kind: Kind, value: Any) -> None:
        if kind in ("fen", "bp") and abs(value) < _EXACT_BELOW:
            number = Decimal(_whole(value)).scaleb(-2)
            self.sheet.write_number(self.next_row, place, number, self.amount)
        elif kind == "integer" and abs(value) < _EXACT_BELOW:
            self.sheet.write_number(self.next_row, place, _whole(value))
        elif kind == "date":
            self.sheet.write_datetime(self.next_row, place, _day(value), self.day)
        else:
            self._write_text(place, _TEXT[kind](value))

    def _write_text(self, place: int, text: str) -> None:
        if len(text) > _LONGEST_CELL:
            raise ValueError(f"a cell holds {_LONGEST_CELL} characters, not {len(text)}")
        shape = self.quoted if RUNNABLE.match(text) else None
        self.sheet.write_string(self.next_row, place, text, shape)


def _in_order(columns: Sequence[Column], row: Values) -> Iterable[Any]:
    return [row.get(column.key) for column in columns] if isinstance(row, Mapping) else row


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise TypeError(f"a whole number is written, not {type(value).__name__}")
    return value


def _yuan(value: Any) -> str:
    return yuan(_whole(value))


def _integer(value: Any) -> str:
    return str(_whole(value))


def _day(value: Any) -> date:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise TypeError(f"a day is written, not {type(value).__name__}")
    return value


def _iso_day(value: Any) -> str:
    return _day(value).isoformat()


def _instant(value: Any) -> str:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise TypeError("an instant is written with its time zone")
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _text(value: Any) -> str:
    """Trimmed, as reading trims it; a NUL, at which some readers would stop, is made visible."""
    return str(value).strip().replace("\0", "\ufffd")


def _escaped_text(value: Any) -> str:
    return escaped(str(value).strip()).replace("\0", "\ufffd")


_TEXT: Final[Mapping[Kind, Callable[[Any], str]]] = {
    "text": _text,
    "identifier": _text,
    "fen": _yuan,
    "bp": _yuan,
    "date": _iso_day,
    "instant": _instant,
    "integer": _integer,
}
_CSV_TEXT: Final = {**_TEXT, "text": _escaped_text, "identifier": _escaped_text}
