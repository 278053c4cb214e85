"""Subsidy batches (贴息批次): how far each has come, and what becomes of each line."""

from __future__ import annotations

from domain.batch import Batch
from projections.facts.reading import COUNTY, Scope, Table, View, parameters_of, question

_STEPS = """
SELECT step, effective_on, recorded_at, person, level, township, place, until_on, bank,
       objection_no, line, upheld, reason, amount_fen, position
  FROM facts.batch_step
 WHERE batch_id = %(batch_id)s AND effective_on <= %(as_of)s AND recorded_at <= %(known_at)s
 ORDER BY position
"""


def batches(view: View, *, scope: Scope = COUNTY, batch_no: str | None = None) -> Table:
    """One line a batch with lines of the scope, oldest first; its sums are of these lines."""
    return view.ask(question(__name__, "batches.sql"), **parameters_of(scope), batch_no=batch_no)


def batch_lines(
    view: View,
    batch_no: str,
    *,
    scope: Scope = COUNTY,
    village: str | None = None,
    household_no: str | None = None,
) -> Table:
    """The lines of one batch, in order."""
    return view.ask(
        question(__name__, "lines.sql"),
        **parameters_of(scope),
        batch_id=Batch.id_for(batch_no),
        village=village,
        household_no=household_no,
    )


def batch_steps(view: View, batch_no: str) -> Table:
    """What was done with one batch, in the order in which it became known."""
    return view.ask(_STEPS, batch_id=Batch.id_for(batch_no))
