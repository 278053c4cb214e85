"""Read a table row by row, whatever its length, without guessing what it is.

CSV text is what its byte-order mark says, else strict UTF-8, else strict GB18030; never GBK.
"""

import codecs
import csv
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Literal, Self, TypeAlias

from interface.spreadsheet.escaping import unescaped
from interface.spreadsheet.guard import Guard
from interface.spreadsheet.refusals import BadRow, Cell, UnreadableFile
from interface.spreadsheet.workbook import Workbook

Row: TypeAlias = tuple[int, Sequence[Cell]]
"""The row's number as a spreadsheet shows it, and a cell for each column of the header."""

_BLOCK: Final = 1 << 20
_QUOTED: Final = re.compile(r'"[^"]*"')
_DELIMITERS: Final = ("|!", ",", "\t", "|", ";")
_UNIT_SEPARATOR: Final = "\x1f"
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NOT_TABLES: Final = (
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "old_excel_or_encrypted",
        "旧版 .xls 或加密的表格：请去掉密码，另存为 .xlsx",
        "an old .xls or an encrypted workbook: remove the password and save it as .xlsx",
    ),
    (b"%PDF", "pdf_file", "这是 PDF，不是表格", "this is a PDF, not a table"),
)


class RowReader:
    """An open table: its header, then its rows, once."""

    def __init__(
        self,
        rows: Iterator[Row],
        close: Callable[[], None],
        *,
        kind: Literal["csv", "xlsx"],
        encoding: str,
    ) -> None:
        self.format = kind
        self._blank = None if kind == "xlsx" else ""
        self.encoding = encoding
        self._rows = rows
        self._close = close
        self.header = self._read_header()

    def __iter__(self) -> Iterator[Row | BadRow]:
        """Each row that is not blank; a row that is too long is told apart, not raised.

        Raises UnreadableFile where the file breaks off.
        """
        width = len(self.header)
        for number, cells in self._rows:
            if len(cells) == width:
                yield number, cells
            elif len(cells) < width:
                if cells:
                    yield number, [*cells, *[self._blank] * (width - len(cells))]
            elif any(cell not in ("", None) for cell in cells[width:]):
                yield BadRow(
                    number,
                    "too_many_cells",
                    f"本行内容超出表头的 {width} 列",
                    f"the row goes beyond the {width} columns of the header",
                )
            elif any(cell not in ("", None) for cell in cells):
                yield number, cells[:width]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._close()

    def _read_header(self) -> list[str]:
        for _, cells in self._rows:
            header = ["" if cell is None else str(cell) for cell in cells]
            while header and not header[-1]:
                header.pop()
            if header:
                return header
        raise _empty()


def open_rows(path: Path, *, delimiter: str | None = None, sheet: int | str = 0) -> RowReader:
    """Open a CSV or XLSX table, told apart by content and not by name.

    `sheet` is a name, or a place among the visible sheets. Raises UnreadableFile.
    """
    with path.open("rb") as stream:
        head = stream.read(8)
        for magic, code, zh, en in _NOT_TABLES:
            if head.startswith(magic):
                raise UnreadableFile(code, zh, en)
        if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            return _open_workbook(path, sheet)
        encoding = _encoding(stream, head)
    return _open_text(path, encoding, delimiter)


def _open_workbook(path: Path, sheet: int | str) -> RowReader:
    Guard(path).check()
    workbook = Workbook(path, sheet)
    try:
        return RowReader(workbook.rows(), workbook.close, kind="xlsx", encoding="utf-8")
    except BaseException:
        workbook.close()
        raise


def _open_text(path: Path, encoding: str, delimiter: str | None) -> RowReader:
    stream = path.open(encoding=encoding, newline="")
    try:
        if delimiter is None:
            first = next((line for line in stream if line.strip()), "")
            delimiter = _delimiter(first)
            stream.seek(0)
        return RowReader(_records(stream, delimiter), stream.close, kind="csv", encoding=encoding)
    except BaseException:
        stream.close()
        raise


def _records(lines: Iterator[str], delimiter: str) -> Iterator[Row]:
    """Number every record, blank ones too, as a spreadsheet would; a blank one has no cells."""
    number = 0
    if len(delimiter) > 1:
        whole, delimiter = delimiter, _UNIT_SEPARATOR
        lines = (line.replace(whole, _UNIT_SEPARATOR) for line in lines)
    try:
        for number, fields in enumerate(csv.reader(lines, delimiter=delimiter, strict=True), 1):
            cells = list(map(str.strip, fields))
            if any(cells):
                if "'" in "".join(cells):
                    cells = list(map(unescaped, cells))
                yield number, cells
    except csv.Error as error:
        raise UnreadableFile(
            "broken_quotes",
            f"第 {number + 1} 行起引号不成对，无法分清各列",
            f"from row {number + 1} on the quotes do not pair and columns cannot be told apart",
        ) from error


def _delimiter(line: str) -> str:
    """The one that stands most often in the header; of equals, the first of the list."""
    bare = _QUOTED.sub("", line)
    if "|!" in bare:
        return "|!"
    return max(_DELIMITERS[1:], key=bare.count)


def _encoding(stream: BinaryIO, head: bytes) -> str:
    if not head:
        raise _empty()
    marked = [encoding for mark, encoding in _MARKS if head.startswith(mark)]
    for encoding in marked or ("utf-8", "gb18030"):
        stream.seek(0)
        if _decodes(stream, encoding):
            return encoding
    raise UnreadableFile(
        "not_text",
        "不是可读的文本：请用 UTF-8 或 GB18030 编码",
        "not readable text: use UTF-8 or GB18030",
    )


def _decodes(stream: BinaryIO, encoding: str) -> bool:
    """Whether all of the stream is text in this encoding, a block at a time."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    wide = encoding == "utf-16"
    try:
        while block := stream.read(_BLOCK):
            if len(block) == _BLOCK and b"\n" not in block and b"\r" not in block:
                raise UnreadableFile(
                    "line_too_long",
                    "一行超过 1 MB，不是表格",
                    "a line of more than 1 MB is no table",
                )
            text = decoder.decode(block)
            if "\0" in text if wide else b"\0" in block:
                return False
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _empty() -> UnreadableFile:
    return UnreadableFile("empty_file", "文件是空的", "the file is empty")
