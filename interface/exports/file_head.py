"""What an exported file says of itself: dates, place in the log, filter, lines, totals, digest."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final, NamedTuple

from domain.household import CATEGORIES_ZH
from interface.exports.table_files import file_columns, file_rows
from interface.spreadsheet import csv_blocks
from projections import columns as c
from projections.columns import Column, Columns
from projections.facts.reading import Table, View
from projections.organisations import names_of

CODE_NAMES: Final[Mapping[str, Column]] = {
    "bank": c.text("bank_name", "银行名称", "bank's name"),
    "township": c.text("township_name", "乡镇名称", "township's name"),
    "category": c.text("category_name", "户类别名称", "name of the household category"),
}
"""The columns of codes beside which a file has the code's name."""
_UNSAFE: Final = re.compile(r"[^\w.=-]+")
_LONGEST_NAME: Final = 120


class FileHead(NamedTuple):
    """Both dates, the position in the log, the filter in words, how many lines, and their digest.

    `digest`: SHA-256 over the table as CSV, with its header, without notes and totals; the same for
    CSV and XLSX.
    """

    title: str
    as_of: date
    known_at: datetime
    position: int
    said: str
    lines: int
    digest: str

    @property
    def notes(self) -> list[tuple[str, str]]:
        return [
            ("清单 list", self.title),
            ("截至 as of", self.as_of.isoformat()),
            ("所知时点 known at", _instant(self.known_at)),
            ("日志位置 position", str(self.position)),
            ("筛选 filter", self.said),
            ("行数 lines", str(self.lines)),
            ("摘要 digest SHA-256", self.digest),
        ]

    def name(self, name: str) -> str:
        """The file's name without its ending: both dates, position, filter, digest."""
        known = re.sub(r"[-:]|\.\d+", "", _instant(self.known_at))
        said = f"-{_UNSAFE.sub('_', self.said).strip('_')}" if self.said != ALL else ""
        whole = f"{name}-{self.as_of}-known-{known}-{self.position}{said}"
        return f"{whole[:_LONGEST_NAME]}-{self.digest[:8]}"


ALL: Final = "全部 all"


def head_of_file(view: View, table: Table, title: str, said: str) -> FileHead:
    digest = hashlib.sha256()
    for block in csv_blocks(file_columns(table.columns), file_rows(table)):
        digest.update(block)
    return FileHead(
        title,
        view.as_of,
        view.known_at,
        view.position,
        said or ALL,
        len(table.rows),
        digest.hexdigest(),
    )


def with_code_names(view: View, table: Table) -> Table:
    """The table with the names of banks, townships and categories beside their codes."""
    keys = enumerate(table.keys)
    places = [(place, key) for place, key in keys if key in CODE_NAMES]
    if not places or any(named in table.columns for named in CODE_NAMES.values()):
        return table
    names = names_of(view)
    codes: dict[str, Mapping[Any, str]] = {
        "bank": names,
        "township": names,
        "category": CATEGORIES_ZH,
    }
    beside = {place: (CODE_NAMES[key], codes[key]) for place, key in places}
    return Table(
        tuple(_columns(table.columns, beside)), [tuple(_cells(row, beside)) for row in table.rows]
    )


_Beside = Mapping[int, tuple[Column, Mapping[Any, str]]]


def _columns(columns: Columns, beside: _Beside) -> Iterator[Column]:
    for place, column in enumerate(columns):
        yield column
        if place in beside:
            yield beside[place][0]


def _cells(row: tuple[Any, ...], beside: _Beside) -> Iterator[Any]:
    for place, value in enumerate(row):
        yield value
        if place in beside:
            yield _name(beside[place][1], value)


def _name(names: Mapping[Any, str], code: Any) -> Any:
    """The name of a code, or the names of several; a code without a name stands for itself."""
    if isinstance(code, list):
        return [names.get(each, each) for each in code]
    return names.get(code)


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
