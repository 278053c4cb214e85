"""Then and now (当时与今日): what was right when it was paid, and what is right by what is known.

Both are the calculation of one loan and quarter (贴息说明), at the payment's dates and at the
page's; "due today" is never what is left of what was paid.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

Explained = Mapping[str, Any]


class Then(NamedTuple):
    """What was paid, and whether what was known then supports it.

    `due_fen` is what the payment was calculated to; `again_fen` what both calculations give at its
    dates, None where that is not known. `agree`: whether those two agree with each other.
    """

    due_fen: int
    paid_before_fen: int
    paid_fen: int
    again_fen: int | None
    second_fen: int | None
    agree: bool

    @property
    def right(self) -> bool:
        """Whether the payment is what was due by what was known."""
        return (
            self.paid_fen + self.paid_before_fen == self.due_fen
            and self.again_fen in (None, self.due_fen)
            and self.agree
        )


class Now(NamedTuple):
    """What is due for the quarter at the page's dates, beside all that was paid for it.

    `paid_fen`: by the payment the page is about, nothing on a day before it; `others_fen`: by the
    quarter's other payments. `over_fen`: what was paid above what may be, less than zero when it
    is less; `open_fen`: what of it did not come back.
    """

    due_fen: int
    limit_fen: int | None
    paid_fen: int
    others_fen: int
    recovered_fen: int
    returned_fen: int
    reserved_fen: int
    over_fen: int
    open_fen: int
    judged: bool
    estimate: bool
    second_fen: int
    agree: bool

    @property
    def state(self) -> str:
        """`not_judged`, `agrees`, `made_good`, `overpaid`, `underpaid`, `overrecovered`."""
        if not self.judged:
            return "not_judged"
        if self.over_fen == 0 and self.open_fen == 0:
            return "agrees"
        if self.over_fen < 0:
            return "underpaid"
        if self.open_fen == 0:
            return "made_good"
        return "overpaid" if self.open_fen > 0 else "overrecovered"


def then_of(trace: Mapping[str, Any], explained: Explained | None) -> Then:
    paid, calculation = trace["payment"]["content"], trace["calculation"]
    again = None if explained is None else explained["calculations"]
    return Then(
        due_fen=calculation["amount_fen"],
        paid_before_fen=paid["paid_before_fen"],
        paid_fen=paid["amount_fen"],
        again_fen=None if again is None else again["domain"]["due_fen"],
        second_fen=None if again is None else again["sql"]["due_fen"],
        agree=again is None or again["agree"],
    )


def now_of(trace: Mapping[str, Any], explained: Explained) -> Now:
    payments = explained["payments"]
    no = trace["payment"]["content"]["payment_no"]
    paid_fen = sum(each["paid_fen"] for each in payments if each["payment_no"] == no)
    recovered_fen = sum(each["recovered_fen"] for each in payments)
    returned_fen = sum(each["returned_fen"] for each in payments)
    gross_fen = sum(each["paid_fen"] for each in payments)
    due_fen, limit_fen = explained["due_fen"], explained["limit_fen"]
    allowed_fen = due_fen if limit_fen is None else min(due_fen, limit_fen)
    over_fen = gross_fen - returned_fen - allowed_fen
    calculations = explained["calculations"]
    return Now(
        due_fen=due_fen,
        limit_fen=limit_fen if allowed_fen != due_fen else None,
        paid_fen=paid_fen,
        others_fen=gross_fen - paid_fen,
        recovered_fen=recovered_fen,
        returned_fen=returned_fen,
        reserved_fen=explained["reserved_fen"],
        over_fen=over_fen,
        open_fen=over_fen - recovered_fen,
        judged=calculations["domain"]["missing_ruling"] is None,
        estimate=explained["estimate"],
        second_fen=calculations["sql"]["due_fen"],
        agree=calculations["agree"],
    )
