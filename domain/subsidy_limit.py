"""What an upheld objection leaves of a loan's subsidy (贴息限定), until it is lifted.

A limit stands beside the arithmetic of what is due: no more than `most_fen` may be paid for the
quarter that was objected to; `others` says which further quarters of the loan earn nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Final, Literal, NamedTuple

ObjectionFinding = Literal["not_eligible", "diverted", "amount", "other"]
Others = Literal["none", "later", "all"]
OTHERS: Final[dict[ObjectionFinding, Others]] = {
    "not_eligible": "all",  # eligibility is judged once, as of the disbursement day
    "diverted": "later",  # no day from the misuse on is subsidised
    "amount": "none",
    "other": "none",
}
FINDINGS_ZH: Final[dict[ObjectionFinding, str]] = {
    "not_eligible": "不符合贴息条件",
    "diverted": "挪用",
    "amount": "金额不符",
    "other": "其他",
}


class Limit(NamedTuple):
    """One upheld objection: the quarter [first, until) it was about, and what is left of it."""

    batch_no: str
    objection_no: str
    first: date
    until: date
    most_fen: int
    others: Others

    def of(self, first: date) -> int | None:
        """The most that may be paid for the quarter from `first` on; None: as much as is due."""
        if first == self.first:
            return self.most_fen
        further = self.others == "all" or (self.others == "later" and first >= self.until)
        return 0 if further else None


def most_fen(limits: Iterable[Limit], first: date) -> int | None:
    """The least of what these limits allow for the quarter from `first` on; None: no limit."""
    allowed = (limit.of(first) for limit in limits)
    return min((fen for fen in allowed if fen is not None), default=None)
