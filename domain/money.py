"""Money is whole fen (分); yuan (元) exist only where people read and write.

There is exactly one rounding in the project, `divide_half_up`, and no binary fractions at all.
"""

import re
from decimal import Decimal
from typing import Final, NewType

Fen = NewType("Fen", int)
"""A hundredth of a yuan."""

BasisPoints = NewType("BasisPoints", int)
"""A hundredth of a per cent: 365 is 3.65 %."""

MOST_FEN: Final = 2**63 - 1
"""What a bigint column holds; more than that is a typing error, not an amount."""

_YUAN: Final = re.compile(
    r"(?P<sign>-?)"
    r"(?P<whole>0|[1-9][0-9]*|[1-9][0-9]{0,2}(?:,[0-9]{3})+)"
    r"(?:\.(?P<parts>[0-9]{1,2}))?"
)
_LONGEST_TEXT: Final = 32
_DIGITS: Final = "零壹贰叁肆伍陆柒捌玖"


def divide_half_up(numerator: int, denominator: int) -> int:
    """Divide and round to the nearest whole number, a half up (四舍五入).

    Only for numerators from zero and denominators above zero: a subsidy is never negative, and a
    recovery is the difference of two rounded figures, never a rounded difference.

    Raises ValueError for anything else.

    >>> divide_half_up(5, 2), divide_half_up(4, 3), divide_half_up(0, 7)
    (3, 1, 0)
    """
    if numerator < 0 or denominator <= 0:
        raise ValueError(f"no half up for {numerator} / {denominator}: neither may be negative")
    return (2 * numerator + denominator) // (2 * denominator)


def yuan(fen: int) -> str:
    """Write fen as yuan with two decimals and no thousands separators.

    >>> yuan(46639), yuan(5), yuan(-100000)
    ('466.39', '0.05', '-1000.00')
    """
    sign = "-" if fen < 0 else ""
    whole, parts = divmod(abs(fen), 100)
    return f"{sign}{whole}.{parts:02d}"


def percent(bp: int) -> str:
    """Basis points as a percentage: 365 is 3.65%."""
    return f"{yuan(bp)}%"


def in_capitals(fen: int) -> str:
    """Write an amount in the capitals (大写) that vouchers need: 人民币, without the prefix.

    As 支付结算办法, annex 1, has it [K, not at hand]: 整 after 元 and 角 but not after 分, one 零
    for any run of zeros inside. Raises ValueError below zero.

    >>> in_capitals(140950), in_capitals(600714), in_capitals(32504), in_capitals(5000000)
    ('壹仟肆佰零玖元伍角整', '陆仟零柒元壹角肆分', '叁佰贰拾伍元零肆分', '伍万元整')
    """
    if fen < 0:
        raise ValueError(f"no capitals for a negative amount: {fen}")
    whole, parts = divmod(fen, 100)
    jiao, last = divmod(parts, 10)
    text = f"{_capitals(whole)}元" if whole else ""
    if not parts:
        return f"{text or '零元'}整"
    text += f"{_DIGITS[jiao]}角" if jiao else "零" * bool(whole)
    return f"{text}{_DIGITS[last]}分" if last else f"{text}整"


def _capitals(number: int) -> str:
    """A whole number from 1 in capitals: by 亿, then by 万, then digit by digit."""
    for size, name in ((10**8, "亿"), (10**4, "万")):
        if number >= size:
            high, low = divmod(number, size)
            text = f"{_capitals(high)}{name}"
            gap = "零" if low < size // 10 else ""
            return f"{text}{gap}{_capitals(low)}" if low else text
    text, missing = "", False
    for size, name in ((1000, "仟"), (100, "佰"), (10, "拾"), (1, "")):
        digit, number = divmod(number, size)
        if digit:
            text += "零" * missing + _DIGITS[digit] + name
        missing = bool(text) and not digit
    return text


def fen(yuan_text: str | Decimal) -> Fen:
    """Read yuan exactly: nothing is rounded, trimmed or guessed.

    Thousands separators are accepted when all of them stand where they belong.

    Raises TypeError unless given text or a Decimal; ValueError for more than two decimals,
    an exponent, spaces, leading zeros, digits that are not ASCII, or more than a bigint of fen.

    >>> fen("50000"), fen("50,000.00"), fen("466.39"), fen("-0.5")
    (5000000, 5000000, 46639, -50)
    """
    if isinstance(yuan_text, Decimal):
        if not yuan_text.is_finite() or yuan_text.adjusted() > _LONGEST_TEXT:
            raise ValueError(f"not an amount in yuan: {yuan_text}")
        yuan_text = format(yuan_text, "f")
    elif not isinstance(yuan_text, str):
        raise TypeError(f"yuan are read from text or Decimal, not from {type(yuan_text).__name__}")
    found = _YUAN.fullmatch(yuan_text) if len(yuan_text) <= _LONGEST_TEXT else None
    if found is None:
        raise ValueError(f"not an amount in yuan: {yuan_text[:_LONGEST_TEXT]!r}")
    amount = int(found["whole"].replace(",", "") + (found["parts"] or "").ljust(2, "0"))
    if amount > MOST_FEN:
        raise ValueError(f"more fen than a ledger holds: {yuan_text!r}")
    return Fen(-amount if found["sign"] else amount)
