"""How a file, a row or a cell is refused: a permanent code and the rule, in two languages."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final, TypeAlias

Cell: TypeAlias = str | int | Decimal | date | bool | None
"""What a file holds in one place. CSV knows only text; an empty XLSX cell is None."""


class FileRefusal(Exception):
    """A file or a part of it that is not taken; `code` is permanent, the texts name the rule."""

    def __init__(self, code: str, zh: str, en: str) -> None:
        super().__init__(code, zh, en)
        self.code = code
        self.zh = zh
        self.en = en


class UnreadableFile(FileRefusal):
    """Nothing in the file can be trusted. `code` is one of UNREADABLE."""


UNREADABLE: Final = (
    "bad_result_row", "beyond_limits", "broken_quotes", "broken_workbook", "cells_without_address",
    "declares_entities", "empty_file", "encrypted_workbook", "external_links", "file_too_large",
    "formula_error", "header_mismatch", "holds_macros", "line_too_long", "no_such_sheet",
    "not_a_workbook", "not_text", "old_excel_or_encrypted", "packed_too_tightly", "pdf_file",
    "sheet_too_large",
    "too_many_cells", "too_many_lines", "too_many_parts", "unpacks_too_large",
    "unsafe_part_name",
)  # fmt: skip
"""Every code that a whole file is refused with."""


class BadCell(FileRefusal):
    """One cell is not what its column holds."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """One row does not fit under the header; the rows after it can still be read."""

    row: int
    code: str
    zh: str
    en: str
