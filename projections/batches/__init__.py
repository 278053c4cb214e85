"""Subsidy batches (贴息批次): how far each has come, and what becomes of each line."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from domain.batch import Batch
from domain.calendar import civil_day
from projections.batches.columns import BATCHES, LINES, STEPS
from projections.facts.reading import COUNTY, Scope, Table, View, parameters_of, query_text

_STEPS = """
SELECT s.step, s.effective_on, s.recorded_at, s.person, s.level, s.township, s.place, s.until_on,
       s.bank, s.objection_no, s.line, s.upheld, s.reason, s.amount_fen, s.position,
       convert_from(e.state, 'UTF8')::jsonb ->> 'document' AS document,
       s.step = 'noticed' AND (s.recorded_at AT TIME ZONE 'Asia/Shanghai')::date > s.effective_on
         AS reported_late
  FROM facts.batch_step s
  JOIN ledger.event e ON e.position = s.of_position
 WHERE s.batch_id = %(batch_id)s AND s.effective_on <= %(as_of)s AND s.recorded_at <= %(known_at)s
 ORDER BY s.position
"""


def batches(view: View, *, scope: Scope = COUNTY, batch_no: str | None = None) -> Table:
    """One line a batch with lines of the scope, oldest first; its sums are of these lines."""
    query = query_text(__name__, "batches.sql")
    return view.table(BATCHES, query, **parameters_of(scope), batch_no=batch_no)


def head_of(view: View, household_id: UUID) -> str | None:
    """The head of a household, by pseudonym; None when it is not registered at the two dates."""
    rows = view.query(query_text(__name__, "head.sql"), household_id=household_id).rows
    return rows[0][0] if rows else None


def batch_lines(
    view: View,
    batch_no: str,
    *,
    scope: Scope = COUNTY,
    village: str | None = None,
    household_no: str | None = None,
) -> Table:
    """The lines of one batch, in order."""
    return view.table(
        LINES,
        query_text(__name__, "lines.sql"),
        **parameters_of(scope),
        batch_id=Batch.id_for(batch_no),
        village=village,
        household_no=household_no,
    )


def batch_steps(view: View, batch_no: str) -> Table:
    """What was done with one batch, in the order in which it became known.

    `reported_late`: a notice was reported after it began; without a `document` its days count from
    the day on which it was recorded.
    """
    return view.table(STEPS, _STEPS, batch_id=Batch.id_for(batch_no))


def late_notices(view: View, batch_no: str, scope: Scope = COUNTY) -> list[dict[str, Any]]:
    """The notices of one batch that were reported after they began, and count by a document.

    A township is shown its own and the county's.
    """
    return [
        {
            "level": step["level"],
            "township": step["township"] or "",
            "posted_on": step["effective_on"],
            "until_on": step["until_on"],
            "recorded_on": civil_day(step["recorded_at"]),
            "document": step["document"],
        }
        for step in batch_steps(view, batch_no).dicts()
        if step["reported_late"]
        and step["document"] is not None
        and (scope.township is None or step["township"] in (None, "", scope.township))
    ]
