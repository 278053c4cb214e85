"""Which characters a text may hold: one rule, however the text comes in.

JSON, lines of JSON and cells of files are judged here (docs/decisions/0029). A text is never
repaired: it is refused with a permanent code, or stored as it came.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

FAULTS: Final = {
    "control_character": ("含控制字符", "control characters are not allowed"),
    "invisible_character": (
        "含有不可见字符，请删除后重新输入",
        "there are invisible characters: type it again",
    ),
    "private_use_character": (
        "姓名中有私用区字符，请按身份证改用标准汉字",
        "the name holds a private-use character: write it with a standard one",
    ),
    "blanks": (
        "编号中不得有连续空格或半角空格以外的空白",
        "no two blanks in a row, and no blank but the half-width one",
    ),
    "full_width": (
        "数字、字母和符号须用半角",
        "digits, letters and signs must be half-width",
    ),
    "not_composed": (
        "含未组合或兼容形式的字符（须为 Unicode NFC）",
        "characters are not in their composed form (Unicode NFC)",
    ),
}
"""What can be wrong with a text: its permanent code, and the rule in Chinese and English."""

_CONTROL = re.compile("[\0-\x1f\x7f-\x9f]")
_INVISIBLE = re.compile(
    "[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e00ff\U000e01f0-\U000e0fff]"
)
"""Zero-width and filler characters, marks of direction, line separators, tags."""
_VARIANT = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
"""What chooses the shape of the character before it: in a name, not in a number."""
_PRIVATE_USE = re.compile("[\ue000-\uf8ff\U000f0000-\U0010fffd]")
_BLANKS = re.compile("  |[\xa0\u1680\u2000-\u200a\u202f\u205f\u3000]|^ | $")
_FULL_WIDTH = re.compile("[０-９Ａ-Ｚａ-ｚ．，－％＋：／]")


def fault_of_text(text: str) -> str | None:
    """The code of what no text may hold, or None."""
    if text.isascii() and text.isprintable():
        return None
    if _CONTROL.search(text):
        return "control_character"
    return "invisible_character" if _INVISIBLE.search(text) else None


def fault_of_name(text: str) -> str | None:
    """The same for a name: what another machine would show as something else is no part of it."""
    fault = fault_of_text(text)
    return fault or ("private_use_character" if _PRIVATE_USE.search(text) else None)


def fault_of_number(text: str) -> str | None:
    """The same for a number that a thing is called by: what looks the same is the same.

    A reference, a voucher, the number of a loan or a household where it is first recorded.
    """
    if text.isascii() and text.isalnum():
        return None
    fault = fault_of_text(text)
    if fault is None and (_VARIANT.search(text) or _PRIVATE_USE.search(text)):
        fault = "invisible_character" if _VARIANT.search(text) else "private_use_character"
    if fault is None and _BLANKS.search(text):
        fault = "blanks"
    if fault is None and _FULL_WIDTH.search(text):
        fault = "full_width"
    if fault is None and not unicodedata.is_normalized("NFC", text):
        fault = "not_composed"
    return fault
