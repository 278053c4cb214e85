"""What a column of a table is called and holds, the same for files in and files out.

A header may say `流水号 ref`, `流水号` or `ref`; width of brackets, case and spaces do not matter.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from interface.spreadsheet.refusals import UnreadableFile

Kind: TypeAlias = Literal["text", "identifier", "fen", "bp", "date", "instant", "integer"]

_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Column:
    """One column: the key the contract uses, its titles, and what its cells hold.

    `file_key`: the key in a file, where a file holds another unit than the contract; a header
    with the contract's key is read as well.
    """

    key: str
    title_zh: str
    title_en: str
    kind: Kind
    required: bool = True
    file_key: str = ""

    @property
    def heading(self) -> str:
        """What stands in the header line."""
        return f"{self.title_zh} {self.file_key or self.key}"

    @property
    def names(self) -> tuple[str, ...]:
        """What a header may call it."""
        each = (self.key, self.file_key)
        return (self.title_zh, *each, *(f"{self.title_zh} {key}" for key in each if key))


def match_header(header: Sequence[str], columns: Sequence[Column]) -> Mapping[str, int]:
    """Find the place of each column by its key; a missing optional column has none.

    Raises UnreadableFile naming every missing, repeated and unknown column.
    """
    names = {_plain(name): column for column in columns for name in column.names if name}
    found = [names.get(_plain(title)) for title in header]
    times = Counter(column.key for column in found if column)
    missing = [column for column in columns if column.required and not times[column.key]]
    repeated = [column for column in columns if times[column.key] > 1]
    unknown = [
        title or f"#{place}"
        for place, (title, column) in enumerate(zip(header, found, strict=True), 1)
        if column is None
    ]
    if missing or repeated or unknown:
        raise _mismatch(missing, repeated, unknown)
    return {column.key: place for place, column in enumerate(found) if column}


def _plain(title: str) -> str:
    return _SPACES.sub(" ", unicodedata.normalize("NFKC", title)).strip().casefold()


def _mismatch(
    missing: Sequence[Column], repeated: Sequence[Column], unknown: Sequence[str]
) -> UnreadableFile:
    zh, en = [], []
    for columns, word_zh, word_en in (
        (missing, "缺少列", "missing columns"),
        (repeated, "重复列", "repeated columns"),
    ):
        if columns:
            zh.append(f"{word_zh}：" + "、".join(column.heading for column in columns))
            en.append(
                f"{word_en}: " + ", ".join(f"{each.key} ({each.title_en})" for each in columns)
            )
    if unknown:
        zh.append("不认识的列：" + "、".join(unknown))
        en.append("unknown columns: " + ", ".join(unknown))
    return UnreadableFile("header_mismatch", "；".join(zh), "; ".join(en))
