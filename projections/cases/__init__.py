"""Cases (线索): how far each has come, what is at stake, upheld and came back, at any two dates."""

from __future__ import annotations

from typing import NamedTuple

from domain.case import Case
from projections.cases.columns import CASES, FINDINGS, LOANS, OF_LOAN, RECOVERIES, REQUESTS
from projections.facts.reading import Table, View, query_text

_FINDINGS = """
SELECT rule, rule_version, subject, amount_fen, as_of, known_at, known_from, seen_position,
       position
  FROM facts.standing_case_finding(%(as_of)s, %(known_at)s) WHERE case_id = %(case_id)s
 ORDER BY position, rule, subject
"""
_LOANS = """
SELECT bank, loan_no, household_no, township
  FROM facts.standing_case_loan(%(as_of)s, %(known_at)s) WHERE case_id = %(case_id)s
 ORDER BY bank, loan_no
"""

_BY_FINDING = """
SELECT f.rule || ' ' || f.subject, c.case_no
  FROM facts.standing_case_finding(%(as_of)s, %(known_at)s) f
  JOIN facts.standing_case_file(%(as_of)s, %(known_at)s) c USING (case_id)
"""


_OF_LOAN = """
SELECT c.case_no, c.title, c.office, c.effective_on AS opened_on
  FROM facts.standing_case_loan(%(as_of)s, %(known_at)s) l
  JOIN facts.standing_case_file(%(as_of)s, %(known_at)s) c USING (case_id)
 WHERE l.loan_id = %(loan_id)s::uuid
 ORDER BY c.effective_on, c.case_no
"""


class Filter(NamedTuple):
    """Which cases are asked for; None: all."""

    case_no: str | None = None
    stage: str | None = None
    rule: str | None = None
    bank: str | None = None
    township: str | None = None


ALL = Filter()


def cases(view: View, wanted: Filter = ALL) -> Table:
    """One line a case, oldest first."""
    query = query_text(__name__, "cases.sql").replace(
        "{recoveries}\n", query_text(__name__, "recoveries.sql")
    )
    return view.table(CASES, query, **wanted._asdict(), case_id=None)


def case_findings(view: View, case_no: str) -> Table:
    """What a case rests on, as it was seen."""
    return view.table(FINDINGS, _FINDINGS, case_id=Case.id_for(case_no))


def case_loans(view: View, case_no: str) -> Table:
    """The loans that its findings speak of."""
    return view.table(LOANS, _LOANS, case_id=Case.id_for(case_no))


def case_recoveries(view: View, case_no: str | None = None) -> Table:
    """What came back, event by event, and whether that event still stands."""
    case_id = None if case_no is None else Case.id_for(case_no)
    return view.table(RECOVERIES, query_text(__name__, "recoveries.sql"), case_id=case_id)


def cases_of_loan(view: View, loan_id: str) -> Table:
    """The cases whose findings speak of a loan, oldest first."""
    return view.lookup_table(OF_LOAN, _OF_LOAN, loan_id=loan_id)


def cases_by_finding(view: View) -> dict[str, str]:
    """By the name of a finding, the case that holds it."""
    return dict(view.query(_BY_FINDING).rows)


def cases_asking(view: View, organisation: str, case_no: str | None = None) -> Table:
    """What an organisation is asked to explain: a line a request, and when it did."""
    query = query_text(__name__, "asked.sql")
    return view.table(REQUESTS, query, organisation=organisation, case_no=case_no)
