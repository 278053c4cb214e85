"""Citizen identity numbers (公民身份号码): 18 characters, of which the last checks the others.

A number is judged, never repaired. Rule: GB 11643.
"""

import re
from datetime import date
from typing import Final, Literal

MALFORMED: Final = "malformed"
NO_SUCH_BIRTH_DAY: Final = "no_such_birth_day"
WRONG_CHECK_DIGIT: Final = "wrong_check_digit"
PROBLEMS: Final = {
    MALFORMED: "身份号码应为17位数字加1位数字或大写X",
    NO_SUCH_BIRTH_DAY: "身份号码中的出生日期不存在",
    WRONG_CHECK_DIGIT: "身份号码校验码不符",
}

_FORM: Final = re.compile(r"[1-9][0-9]{16}[0-9X]")
_CHECK_DIGITS: Final = "10X98765432"


def check_digit(first_seventeen: str) -> str:
    """The last character that belongs to the seventeen digits before it.

    >>> check_digit("11010519491231002")
    'X'
    """
    weighted = sum(
        int(digit) * pow(2, 17 - place, 11) for place, digit in enumerate(first_seventeen)
    )
    return _CHECK_DIGITS[weighted % 11]


def problems(number: str) -> tuple[str, ...]:
    """The codes of all that is wrong with a number, from `PROBLEMS`; empty when nothing is.

    >>> problems("11010519491231002X"), problems("110105194912310021")
    ((), ('wrong_check_digit',))
    """
    if not _FORM.fullmatch(number):
        return (MALFORMED,)
    found = []
    if _birth_day(number) is None:
        found.append(NO_SUCH_BIRTH_DAY)
    if check_digit(number[:17]) != number[17]:
        found.append(WRONG_CHECK_DIGIT)
    return tuple(found)


def birth_day(number: str) -> date:
    """The day of birth a number states. Raises ValueError when it states none.

    >>> birth_day("11010519491231002X")
    datetime.date(1949, 12, 31)
    """
    born_on = _birth_day(number) if _FORM.fullmatch(number) else None
    if born_on is None:
        raise ValueError("the identity number states no day of birth")
    return born_on


def sex(number: str) -> Literal["male", "female"]:
    """The sex a number states. Raises ValueError when it is malformed.

    >>> sex("11010519491231002X")
    'female'
    """
    if not _FORM.fullmatch(number):
        raise ValueError("the identity number is malformed")
    return "male" if int(number[16]) % 2 else "female"


def _birth_day(number: str) -> date | None:
    try:
        return date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return None
