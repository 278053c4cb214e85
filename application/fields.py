"""The types that fields of commands have, as the contract checks them.

Amounts are strict whole fen and rates strict basis points: `"50000.00"` is refused, not read
as 50 000 fen. Unknown fields are refused. Days are civil days (Asia/Shanghai).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError

from domain.identity_number import problems
from domain.numbers import normal_number
from domain.text import fault_of_name, fault_of_number, fault_of_text

NUMBER = r"^[^\x00-\x20\x7f-\x9f/]([^\x00-\x1f\x7f-\x9f/]{0,62}[^\x00-\x20\x7f-\x9f/])?$"
"""A number that can stand in a path: no slash, no control characters, no space at its ends."""
EVENT_ID = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.[0-9]{1,9}$"
MOST_FEN = 10**15
NO_CONTROL_CHARACTERS = r"^[^\x00-\x1f\x7f-\x9f]*$"
_MOST_LEVELS = 8
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FIRST_DAY = date(1990, 1, 1)


def _plain_day(value: Any) -> Any:
    """Only `YYYY-MM-DD`: pydantic alone would also read numbers as seconds since 1970."""
    if isinstance(value, str):
        try:
            day = date.fromisoformat(value) if _DAY.fullmatch(value) else None
        except ValueError:
            raise PydanticCustomError("no_such_day", "there is no such day") from None
        if day is None:
            raise PydanticCustomError("date_form", "a day is written YYYY-MM-DD")
        return day
    if type(value) is not date:
        raise PydanticCustomError("date_form", "a day is written YYYY-MM-DD")
    return value


def _plausible_day(day: date) -> date:
    if day < _FIRST_DAY:
        raise PydanticCustomError("date_too_early", "a day before 1990-01-01")
    return day


def _in_reach(moment: datetime) -> datetime:
    """An instant that every part of the service can hold."""
    if not 1900 <= moment.year <= 9000:
        raise PydanticCustomError("out_of_reach", "an instant out of reach")
    return moment


def _identity_number(value: str) -> str:
    number = normal_number(value) if value.isascii() else value
    found = problems(number)
    if found:
        raise PydanticCustomError(found[0], "not a valid identity number")
    return number


def _judged_by(fault_of: Callable[[str], str | None]) -> Callable[[str], str]:
    def judged(value: str) -> str:
        fault = fault_of(value)
        if fault is not None:
            raise PydanticCustomError(fault, "characters that are not allowed")
        return value

    return judged


def _new_number(value: str, info: ValidationInfo) -> str:
    """A number as it may be called from now on; one that stands already stays as it is.

    `info.context`: the numbers that stand already, in a correction.
    """
    return value if value in (info.context or ()) else _judged_number(value)


_judged_number = _judged_by(fault_of_number)

Day = Annotated[date, BeforeValidator(_plain_day), AfterValidator(_plausible_day)]
Instant = Annotated[AwareDatetime, AfterValidator(_in_reach)]
Fen = Annotated[int, Field(strict=True, ge=0, le=MOST_FEN)]
PositiveFen = Annotated[int, Field(strict=True, gt=0, le=MOST_FEN)]
RateBp = Annotated[int, Field(strict=True, ge=0, le=100_000)]
Count = Annotated[int, Field(strict=True, ge=0, le=10**9)]
Flag = Annotated[bool, Field(strict=True)]
Name = Annotated[
    str,
    StringConstraints(strict=True, strip_whitespace=True, min_length=1, max_length=64),
    AfterValidator(_judged_by(fault_of_name)),
]
Known = Annotated[
    str,
    StringConstraints(
        strict=True,
        strip_whitespace=True,
        min_length=1,
        max_length=64,
        pattern=NO_CONTROL_CHARACTERS,
    ),
]
"""What something recorded before is called: it is looked up, not judged."""
Reference = Annotated[
    str,
    StringConstraints(strict=True, strip_whitespace=True, min_length=1, max_length=64),
    AfterValidator(_new_number),
]
"""What a statement or a document is called by whoever made it."""
Number = Annotated[
    str, StringConstraints(strict=True, strip_whitespace=True, max_length=64, pattern=NUMBER)
]
"""The number of a thing recorded before; it can stand in a path."""
NewNumber = Annotated[Number, AfterValidator(_new_number)]
"""The number of a thing where it is first recorded."""
Text = Annotated[
    str,
    StringConstraints(strict=True, strip_whitespace=True, min_length=1, max_length=500),
    AfterValidator(_judged_by(fault_of_text)),
]
Why = Annotated[
    str,
    StringConstraints(strict=True, strip_whitespace=True, min_length=4, max_length=500),
    AfterValidator(_judged_by(fault_of_text)),
]
"""A reason long enough to say something."""
AccountNo = Annotated[
    str,
    StringConstraints(
        strict=True,
        strip_whitespace=True,
        max_length=60,
        pattern=r"^[ -]*([0-9A-Za-z][ -]*){4,40}$",
    ),
]
"""An account number as the reporter writes it: 4 to 40 digits and letters, and blanks and hyphens.

Which account it is: `domain.numbers.normal_number`."""
IdentityNo = Annotated[
    str,
    StringConstraints(strict=True, strip_whitespace=True, max_length=36),
    AfterValidator(_identity_number),
]
Month = Annotated[str, StringConstraints(strict=True, pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$")]
Quarter = Annotated[str, StringConstraints(strict=True, pattern=r"^20[0-9]{2}Q[1-4]$")]
Year = Annotated[int, Field(strict=True, ge=2014, le=2100)]
LineNo = Annotated[int, Field(strict=True, ge=1, le=100_000)]
EventId = Annotated[str, StringConstraints(strict=True, pattern=EVENT_ID)]


def plain_json(value: dict[str, Any]) -> dict[str, Any]:
    """Only what JSON can say: no NaN, no infinity, no half characters, no bottomless nesting."""
    if _deeper_than(_MOST_LEVELS, value):
        raise PydanticCustomError("nested_too_deep", "nested too deep", {"most": _MOST_LEVELS})
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except ValueError:
        raise PydanticCustomError("not_plain_json", "not plain JSON") from None
    return value


def _deeper_than(levels: int, value: Any) -> bool:
    """Whether lists and objects stand inside each other more than so many levels."""
    layer = [value]
    for _ in range(levels):
        layer = [
            inner
            for outer in layer
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return any(isinstance(each, dict | list) for each in layer)


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Ground(Model):
    """On what a statement rests: a document's number, a remark."""

    document: Text | None = None
    note: Text | None = None


class Account(Model):
    account: AccountNo
    name: Name
