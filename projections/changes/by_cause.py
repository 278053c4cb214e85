"""The knowledge diff by cause: a line for each event that changed a line of the ledger, and why.

`late`: reported more than policy/late_report_days.toml after the day it concerns. `reported`: in
time, only after the first of the two instants. `reversed`: what had been reported was taken back,
or stands again. `recovered`: money was asked back. `hidden`: the reader may not see the event.
`unexplained`: no event accounts for the amount.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal

from domain.calendar import civil_day
from domain.loan import Loan
from domain.policy import NoRuling
from projections.changes import AMOUNTS, Change
from projections.changes.columns import BY_CAUSE, Which
from projections.facts.reading import Table, View

Cause = Literal["late", "reported", "reversed", "recovered", "hidden", "unexplained"]
CAUSES: Final[tuple[Cause, ...]] = (
    "late", "reversed", "recovered", "reported", "hidden", "unexplained",
)  # fmt: skip
_RECOVERIES: Final = (Loan.SubsidyRecovered.TOPIC,)


def by_cause(view: View, which: Which, whole: Sequence[Change], seen: Sequence[Change]) -> Table:
    """The lines of `seen`: the changes of `whole`, each with the causes that are seen."""
    rows = [
        row
        for every, change in zip(whole, seen, strict=True)
        for row in _lines(view, which, every, change)
    ]
    rows.sort(key=lambda row: (CAUSES.index(row[0]), row[1], row[13] or 0))
    return Table(BY_CAUSE, rows)


def _lines(view: View, which: Which, every: Change, change: Change) -> Iterator[tuple[Any, ...]]:
    columns = {kind: column for column, kind in AMOUNTS[which].items()}
    told = dict.fromkeys(columns, 0)
    for cause in change.causes:
        kind = cause["amount_of"]
        if kind is not None and kind not in columns:
            continue  # an amount that this ledger does not show
        if kind is not None:
            told[kind] += cause["amount_fen"]
        yield _line(change, columns.get(kind), kind, _of_event(view, cause))
    for kind, column in columns.items():
        rest_fen = change.difference[column] - told[kind]
        if rest_fen:
            why: Cause = "hidden" if every.explained else "unexplained"
            nothing = (why, rest_fen, None, None, None, None, None, None)
            yield _line(change, column, kind, nothing)


def _of_event(view: View, cause: dict[str, Any]) -> tuple[Any, ...]:
    """Cause, amount, event, organisation, effective on, recorded at, days between, position."""
    recorded_on = civil_day(cause["recorded_at"])
    days = (recorded_on - cause["effective_on"]).days
    why: Cause = "reported"
    if cause["sign"] < 0 or cause["event_id"] != cause["known_by_event_id"]:
        why = "reversed"
    elif cause["topic"] in _RECOVERIES:
        why = "recovered"
    elif _is_late(view, recorded_on, days):
        why = "late"
    return (
        why,
        cause["amount_fen"],
        cause["topic"],
        cause["organisation"],
        cause["effective_on"],
        cause["recorded_at"],
        days,
        cause["position"],
    )


def _is_late(view: View, recorded_on: Any, days: int) -> bool:
    try:
        return days > view.book.ruling("late_report_days", recorded_on, view.known_on).number
    except NoRuling:
        return False


def _line(
    change: Change,
    column: str | None,
    kind: str | None,
    of_event: tuple[Any, ...],
) -> tuple[Any, ...]:
    why, amount_fen, topic, organisation, effective_on, recorded_at, days, position = of_event
    payment_no = change.key.get("payment_no", "")
    before = after = difference = None
    if column is not None:
        before = (change.before or {}).get(column, 0)
        after = (change.after or {}).get(column, 0)
        difference = change.difference[column]
    return (
        why,
        payment_no or change.key["loan_no"],
        change.key["bank"],
        kind,
        before,
        after,
        difference,
        amount_fen,
        topic,
        organisation,
        effective_on,
        recorded_at,
        days,
        position,
        change.key["loan_no"],
        payment_no,
    )
