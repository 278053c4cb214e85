"""Look through an XLSX before anything parses it, and refuse what could do harm (上传防护).

Every part is really inflated and counted; no size that the file states about itself is believed.
"""

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from interface.spreadsheet.refusals import UnreadableFile

_MB: Final = 1 << 20
MOST_FILE_BYTES: Final = 20 * _MB
MOST_INFLATED_BYTES: Final = 100 * _MB
MOST_RATIO: Final = 100
RATIO_COUNTS_ABOVE_BYTES: Final = 10 * _MB
MOST_PARTS: Final = 200
MOST_CELLS: Final = 4_000_000
"""Of the rectangle from A1 to the last cell, for that is what a parser lays out in memory."""

_BLOCK: Final = 256 * 1024
_LONGEST_TAG: Final = 64 * 1024
_END: Final = struct.Struct("<4s4H2LH")
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_WIDEST_ENTRY_BYTES: Final = 1024

_CELL: Final = re.compile(
    rb"<(?:[^\s<>/:]*:)?c(?:\s+r=[\"']([A-Z]{1,3})([1-9][0-9]{0,6})[\"']|(?=[\s/>]))"
)
_ERROR: Final = re.compile(rb"<c\s+r=\"([A-Z]{1,3}[0-9]{1,7})\"[^<>]*\st=\"e\"")
_MACRO_NAMES: Final = ("vbaproject.bin", "vbadata.xml", "vbaprojectsignature.bin")
_MACRO_FOLDERS: Final = ("/macrosheets/", "/activex/", "/embeddings/")
_LINK_NAMES: Final = ("/externallinks/", "/connections.xml", "/querytables/")


class Guard:
    """One look at one file; `inflated_bytes` says how much was inflated to decide."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.inflated_bytes = 0

    def check(self) -> None:
        """Raises UnreadableFile when the file breaks a rule; says nothing otherwise."""
        file_bytes = self.path.stat().st_size
        if file_bytes > MOST_FILE_BYTES:
            raise UnreadableFile(
                "file_too_large", "表格文件不得超过 20 MB", "a workbook may have 20 MB at most"
            )
        with self.path.open("rb") as stream:
            _check_end(stream)
            for part in _parts(stream):
                blocks = self._counted(_inflated(stream, part), part.compress_size, file_bytes)
                _Part(part.orig_filename).look(blocks)

    def _counted(
        self, blocks: Iterator[bytes], packed_bytes: int, file_bytes: int
    ) -> Iterator[bytes]:
        """The same blocks, refused as soon as a bound is passed by this part or by all so far."""
        part_bytes = 0
        for block in blocks:
            part_bytes += len(block)
            self.inflated_bytes += len(block)
            if self.inflated_bytes > MOST_INFLATED_BYTES:
                raise UnreadableFile(
                    "unpacks_too_large",
                    "解压后不得超过 100 MB",
                    "unpacked, a workbook may have 100 MB at most",
                )
            if _too_tight(part_bytes, packed_bytes) or _too_tight(self.inflated_bytes, file_bytes):
                raise UnreadableFile(
                    "packed_too_tightly",
                    "压缩比超过 100 倍，疑似压缩炸弹",
                    "packed more than 100 times: taken for a zip bomb",
                )
            yield block


class _Part:
    """What is seen while one part streams by."""

    def __init__(self, name: str) -> None:
        self.is_xml = PurePosixPath(name.lower()).suffix in {".xml", ".rels", ".vml"}
        self.is_types = name == "[Content_Types].xml"
        self.columns: set[bytes] = set()
        self.last_row = 0

    def look(self, blocks: Iterator[bytes]) -> None:
        rest = b""
        for block in blocks:
            seen = rest + block
            opened = seen.rfind(b"<")
            unfinished = opened >= 0 and b">" not in seen[opened:]
            if unfinished and len(seen) - opened <= _LONGEST_TAG:
                seen, rest = seen[:opened], seen[opened:]
            else:
                rest = b""
            self._look_at(seen)
        self._look_at(rest)

    def _look_at(self, seen: bytes) -> None:
        if b"<!DOCTYPE" in seen or b"<!ENTITY" in seen:
            raise UnreadableFile(
                "declares_entities",
                "表格内含 DTD 或实体声明",
                "a part of the workbook declares a DTD or entities",
            )
        if self.is_xml and b"\0" in seen:
            raise _broken()
        if self.is_types and (b"macroEnabled" in seen or b"vbaProject" in seen):
            raise _macros()
        if b' t="e"' in seen and (error := _ERROR.search(seen)):
            address = error[1].decode()
            raise UnreadableFile(
                "formula_error",
                f"单元格 {address} 是错误值（如 #N/A、#REF!），请改正后再上传",
                f"cell {address} holds an error such as #N/A or #REF!: mend it first",
            )
        if cells := _CELL.findall(seen):
            self._count(cells)

    def _count(self, cells: list[tuple[bytes, bytes]]) -> None:
        columns, rows = map(set, zip(*cells, strict=True))
        if b"" in columns:
            raise UnreadableFile(
                "cells_without_address",
                "单元格缺少地址：请用 Excel 或 WPS 打开后另存为 .xlsx",
                "cells have no address: open the file in Excel or WPS and save it again",
            )
        self.columns |= columns
        self.last_row = max(self.last_row, *map(int, rows))
        if self.last_row * max(map(_place, self.columns)) > MOST_CELLS:
            raise UnreadableFile(
                "sheet_too_large",
                "工作表范围过大：请删除数据以外的行、列和格式",
                "the sheet reaches too far: delete rows, columns and formats beyond the data",
            )


def _too_tight(inflated_bytes: int, packed_bytes: int) -> bool:
    return inflated_bytes > max(RATIO_COUNTS_ABOVE_BYTES, MOST_RATIO * packed_bytes)


def _check_end(stream: BinaryIO) -> None:
    """The archive's directory is one, small, last, and where every reader will look for it."""
    size = stream.seek(0, 2)
    if size < _END.size:
        raise _broken()
    stream.seek(size - _END.size)
    magic, disk, first_disk, here, parts, length, start, comment = _END.unpack(stream.read())
    if magic != b"PK\x05\x06" or disk or first_disk or comment or here != parts:
        raise _broken()
    if parts > MOST_PARTS or length > MOST_PARTS * _WIDEST_ENTRY_BYTES:
        raise UnreadableFile(
            "too_many_parts",
            "表格内部文件不得超过 200 个",
            "a workbook may have 200 parts at most",
        )
    stream.seek(max(0, size - _END.size - 20))
    if start + length != size - _END.size or stream.read(4) == b"PK\x06\x07":
        raise _broken()


def _parts(stream: BinaryIO) -> list[zipfile.ZipInfo]:
    try:
        with zipfile.ZipFile(stream) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
        raise _broken() from error
    names = [part.orig_filename.lower() for part in parts]
    _check_names(names)
    if sum(part.compress_size for part in parts) > stream.seek(0, 2):
        raise _broken()
    if any(part.flag_bits & 0x2041 for part in parts):
        raise UnreadableFile(
            "encrypted_workbook",
            "表格有密码：请去掉密码再上传",
            "the workbook is encrypted: remove the password",
        )
    return parts


def _check_names(names: list[str]) -> None:
    for name in names:
        if name.startswith("/") or "\\" in name or ":" in name or "\0" in name:
            raise _trick()
        if ".." in name.split("/"):
            raise _trick()
        if name.endswith(_MACRO_NAMES) or any(each in f"/{name}" for each in _MACRO_FOLDERS):
            raise _macros()
        if any(each in f"/{name}" for each in _LINK_NAMES):
            raise UnreadableFile(
                "external_links",
                "表格引用了其他文件或数据连接：请复制为数值后再上传",
                "the workbook links to other files or data: paste its values first",
            )
    if len(set(names)) != len(names):
        raise _trick()
    others = any(name.endswith("workbook.bin") or name == "content.xml" for name in names)
    if others or "[content_types].xml" not in names or "xl/workbook.xml" not in names:
        raise UnreadableFile(
            "not_a_workbook",
            "压缩包不是 .xlsx 表格：请上传 .xlsx 或 CSV",
            "the archive is no .xlsx workbook: send .xlsx or CSV",
        )


def _inflated(stream: BinaryIO, part: zipfile.ZipInfo) -> Iterator[bytes]:
    stream.seek(part.header_offset)
    head = stream.read(_LOCAL.size)
    if len(head) != _LOCAL.size or not head.startswith(b"PK\x03\x04"):
        raise _broken()
    name_length, extra_length = _LOCAL.unpack(head)[-2:]
    stream.seek(name_length + extra_length, 1)
    left = part.compress_size
    if part.compress_type == zipfile.ZIP_STORED:
        while left and (block := stream.read(min(left, _BLOCK))):
            left -= len(block)
            yield block
    elif part.compress_type == zipfile.ZIP_DEFLATED:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        while left and not inflater.eof and (packed := stream.read(min(left, _BLOCK))):
            left -= len(packed)
            yield from _drained(inflater, packed)
        yield inflater.flush()
    else:
        raise _broken()


def _drained(inflater: "zlib._Decompress", packed: bytes) -> Iterator[bytes]:
    while packed:
        try:
            block = inflater.decompress(packed, _BLOCK)
        except zlib.error as error:
            raise _broken() from error
        packed = inflater.unconsumed_tail
        if block:
            yield block


def _place(letters: bytes) -> int:
    place = 0
    for letter in letters:
        place = place * 26 + letter - 64
    return place


def _broken() -> UnreadableFile:
    return UnreadableFile("broken_workbook", "表格文件已损坏", "the workbook is broken")


def _macros() -> UnreadableFile:
    return UnreadableFile(
        "holds_macros",
        "表格含有宏或嵌入对象：请另存为不含宏的 .xlsx",
        "the workbook holds macros or embedded objects: save it as plain .xlsx",
    )


def _trick() -> UnreadableFile:
    return UnreadableFile(
        "unsafe_part_name",
        "表格内部文件名不合规",
        "a part of the workbook has a name that is not allowed",
    )
