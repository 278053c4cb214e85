"""A moment: the two dates that a page, or the other side of a comparison, is shown at."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Final, NamedTuple

COMPARING: Final = (
    "/ledgers/loans",
    "/ledgers/subsidies",
    "/ledgers/transfers",
    "/guarantees",
    "/benefits",
    "/benefits/instalments",
    "/loans/{bank}/{no}",
    "/households/{no}",
)
"""The pages that can be compared, as their routes are written."""
OF_OTHER: Final = ("vs_as_of", "vs_known_at")
"""The parameters that say the other moment; what is left out is as the page has it."""
OF_COMPARISON: Final = ("_then", "_difference")
"""How the key of a column ends, before its unit, that a list has only when it is compared."""
_COMPARING: Final = re.compile(
    "|".join(re.sub(r"\\{\w+\\}|\{\w+\}", "[^/]+", re.escape(path)) for path in COMPARING)
)


class Moment(NamedTuple):
    """`known_at` None: all that is known."""

    as_of: date
    known_at: datetime | None


def compares(path: str) -> bool:
    """Whether the page at a path takes another moment."""
    return _COMPARING.fullmatch(path) is not None
