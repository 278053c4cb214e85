"""From a cell to a value of the programme: exact or refused, never repaired.

Each reader raises BadCell; an empty cell is refused too, unless the reader is made `optional`.
"""

import re
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from functools import lru_cache
from typing import Final, TypeVar

from domain.money import MOST_FEN, BasisPoints, Fen, fen
from domain.text import FAULTS, fault_of_name, fault_of_number, fault_of_text
from interface.spreadsheet.refusals import BadCell, Cell

Value = TypeVar("Value")

_EXACT_DIGITS: Final = 15
"""A spreadsheet keeps no more digits of a number than these."""

_PLAIN_YUAN: Final = re.compile(r"(-?(?:0|[1-9][0-9]{0,14}))(?:\.([0-9]{1,2})0*)?")
_RATE: Final = re.compile(r"(-?)([0-9]{1,3})(?:\.([0-9]{1,2})0*)?( ?%)?")
_INTEGER: Final = re.compile(r"-?[0-9]{1,18}")
_DATE: Final = re.compile(
    r"(?:([0-9]{4})([-/])([0-9]{1,2})\2([0-9]{1,2})"
    r"|([0-9]{4})([0-9]{2})([0-9]{2})"
    r"|([0-9]{4})年([0-9]{1,2})月([0-9]{1,2})日)"
    r"(?:[ T]([0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?))?"
)
_MIDNIGHT: Final = re.compile(r"[0:.]+")
_SCIENTIFIC: Final = re.compile(r"-?[0-9](?:\.[0-9]+[eE]\+?|[eE]\+)[0-9]{1,3}")
_FULL_WIDTH: Final = re.compile("[０-９Ａ-Ｚａ-ｚ．，－％＋：／]")
_CURRENCY: Final = re.compile("[¥￥元$€圆]|RMB|CNY", re.IGNORECASE)


def optional(read: Callable[[Cell], Value]) -> Callable[[Cell], Value | None]:
    """The same reader, but an empty cell is None."""

    def read_or_none(cell: Cell) -> Value | None:
        blank = cell is None or (isinstance(cell, str) and not cell.strip())
        return None if blank else read(cell)

    return read_or_none


def as_text(cell: Cell, *, name: bool = False) -> str:
    """Words, by the rule of `domain.text`."""
    text = cell.strip() if isinstance(cell, str) else _digits(cell)
    if not text:
        raise _empty()
    _assure((fault_of_name if name else fault_of_text)(text))
    return text


def as_identifier(cell: Cell) -> str:
    """A number that is a name (证件号、账号、借据号): every character counts (`domain.text`)."""
    text = cell.strip().removeprefix("'") if isinstance(cell, str) else _digits(cell)
    if not text:
        raise _empty()
    if text.isascii() and text.isalnum():
        return text
    if _SCIENTIFIC.fullmatch(text):
        raise _digits_lost()
    _assure(fault_of_number(text))
    return text


def as_known(cell: Cell) -> str:
    """The number of a thing recorded before: looked up, not judged."""
    text = cell.strip().removeprefix("'") if isinstance(cell, str) else _digits(cell)
    if not text:
        raise _empty()
    if _SCIENTIFIC.fullmatch(text):
        raise _digits_lost()
    return text


def as_fen(cell: Cell, *, negative: bool = False) -> Fen:
    """Yuan in the file, fen here. Below zero only where the column allows it."""
    if isinstance(cell, str):
        amount = _fen_of_text(cell)
    elif isinstance(cell, Decimal | int) and not isinstance(cell, bool):
        amount = _fen_of_number(Decimal(cell))
    else:
        raise _not_an_amount() if cell is not None else _empty()
    if amount < 0 and not negative:
        raise BadCell("negative_amount", "金额不得为负数", "the amount may not be negative")
    return amount


def as_basis_points(cell: Cell) -> BasisPoints:
    """Per cent in the file, basis points here: 3.65 or 3.65% is 365."""
    if cell is None or cell == "":
        raise _empty()
    if isinstance(cell, bool | date):
        raise _not_a_rate()
    text = cell.strip() if isinstance(cell, str) else format(cell, "f")
    if _FULL_WIDTH.search(text):
        raise _full_width()
    found = _RATE.fullmatch(text)
    if not found:
        number = re.fullmatch(r"-?[0-9]+\.[0-9]{3,}( ?%)?", text)
        raise _too_many_decimals() if number else _not_a_rate()
    sign, whole, parts, mark = found.groups()
    rate_bp = int(whole + (parts or "").ljust(2, "0"))
    if sign:
        raise BadCell("negative_rate", "利率不得为负数", "the rate may not be negative")
    if 0 < rate_bp < 100 and not mark:
        raise BadCell(
            "rate_unclear",
            "小于 1 的利率须写明百分号，如 0.35%；百分比格式的单元格请改为文本",
            "a rate below 1 must carry its sign, as 0.35%; make a percent-formatted cell text",
        )
    return BasisPoints(rate_bp)


def as_date(cell: Cell) -> date:
    """A day: a date cell, or text as 2023-03-21, 2023/3/21, 20230321 or 2023年3月21日."""
    if isinstance(cell, str):
        return _day_of_text(cell)
    if isinstance(cell, datetime):
        if cell.time() != time.min:
            raise _time_of_day()
        return cell.date()
    if isinstance(cell, date):
        return cell
    if cell is None:
        raise _empty()
    if isinstance(cell, bool) or cell != int(cell):
        raise _not_a_date()
    digits = str(int(cell))
    if len(digits) == 8:
        return _day_of_text(digits)
    raise BadCell(
        "date_serial_number",
        "日期单元格是序列数：请设为日期格式，或写成 2023-03-21",
        "the date is a serial number: format the cell as a date, or write 2023-03-21",
    )


def as_integer(cell: Cell, *, negative: bool = False) -> int:
    """A whole number. Below zero only where the column allows it."""
    if cell is None or cell == "":
        raise _empty()
    if isinstance(cell, str) and _INTEGER.fullmatch(cell.strip()):
        number = int(cell)
    elif isinstance(cell, str) and _FULL_WIDTH.search(cell):
        raise _full_width()
    elif isinstance(cell, str | bool | date) or cell != int(cell):
        raise BadCell("not_an_integer", "应为整数", "a whole number is expected")
    elif abs(Decimal(cell)) >= 10**_EXACT_DIGITS:
        raise _digits_lost()
    else:
        number = int(cell)
    if number < 0 and not negative:
        raise BadCell("negative_integer", "不得为负数", "the number may not be negative")
    return number


def _digits(cell: int | Decimal | date | bool | None) -> str:
    """What a numeric cell shows, if it is sure to be what was typed."""
    if cell is None:
        return ""
    if isinstance(cell, bool | date):
        raise BadCell(
            "not_a_text",
            "应为文本，不是日期或逻辑值",
            "text is expected, not a date or a truth value",
        )
    if abs(Decimal(cell)) >= 10**_EXACT_DIGITS:
        raise _digits_lost()
    return str(int(cell)) if cell == int(cell) else format(cell, "f")


@lru_cache(maxsize=8192)
def _fen_of_text(text: str) -> Fen:
    plain = _PLAIN_YUAN.fullmatch(text)
    if not plain:
        return _fen_of_other_text(text.strip())
    whole, parts = plain.groups()
    return Fen(int(whole + (parts.ljust(2, "0") if parts else "00")))


def _fen_of_other_text(text: str) -> Fen:
    """The seldom cases: thousands separators, and the reason of a refusal."""
    try:
        return fen(text)
    except ValueError:
        pass
    if not text:
        raise _empty()
    if _CURRENCY.search(text):
        raise BadCell(
            "currency_sign",
            "金额只写数字，不写货币符号",
            "write the amount without a currency sign",
        )
    if _FULL_WIDTH.search(text):
        raise _full_width()
    if re.fullmatch(r"-?[0-9,]+\.[0-9]{3,}", text):
        raise _too_many_decimals()
    if re.fullmatch(r"-?[0-9,]{16,}(\.[0-9]*)?", text):
        raise _too_large()
    raise _not_an_amount()


def _fen_of_number(number: Decimal) -> Fen:
    if abs(number) >= 10**_EXACT_DIGITS or abs(number) * 100 > MOST_FEN:
        raise _too_large()
    if number != number.quantize(Decimal("0.01")):
        raise _too_many_decimals()
    return Fen(int(number.scaleb(2)))


@lru_cache(maxsize=8192)
def _day_of_text(text: str) -> date:
    found = _DATE.fullmatch(text.strip())
    if not found:
        if not text.strip():
            raise _empty()
        raise _full_width() if _FULL_WIDTH.search(text) else _not_a_date()
    *parts, clock = found.groups()
    year, month, day = (int(part) for part in parts if part and part.isdigit())
    if clock and not _MIDNIGHT.fullmatch(clock):
        raise _time_of_day()
    try:
        return date(year, month, day)
    except ValueError:
        raise BadCell("no_such_day", "没有这一天", "there is no such day") from None


def _empty() -> BadCell:
    return BadCell("empty_cell", "不能为空", "the cell may not be empty")


def _assure(fault: str | None) -> None:
    if fault is not None:
        raise BadCell(fault, *FAULTS[fault])


def _full_width() -> BadCell:
    return BadCell("full_width", *FAULTS["full_width"])


def _digits_lost() -> BadCell:
    return BadCell(
        "digits_lost",
        "超过 15 位的号码已被 Excel 改变：请把该列设为文本后重新填写",
        "a spreadsheet has lost digits beyond 15: make the column text and enter it again",
    )


def _not_an_amount() -> BadCell:
    return BadCell(
        "not_an_amount", "应为金额（元），如 1234.56", "an amount in yuan is expected, as 1234.56"
    )


def _too_large() -> BadCell:
    return BadCell("amount_too_large", "金额超出范围", "the amount is out of range")


def _too_many_decimals() -> BadCell:
    return BadCell(
        "more_than_two_decimals",
        "最多两位小数；公式结果请先用 ROUND(…,2) 取整",
        "two decimals at most; put ROUND(…,2) around a formula",
    )


def _not_a_rate() -> BadCell:
    return BadCell(
        "not_a_rate", "应为百分数，如 3.65 或 3.65%", "per cent are expected, as 3.65 or 3.65%"
    )


def _not_a_date() -> BadCell:
    return BadCell("not_a_date", "应为日期，如 2023-03-21", "a date is expected, as 2023-03-21")


def _time_of_day() -> BadCell:
    return BadCell("time_of_day", "应为日期，不带时刻", "a day is expected, without a time of day")
