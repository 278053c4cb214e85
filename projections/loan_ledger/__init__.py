"""The loan ledger (贷款台账): every loan on any day, as it was and as it was known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

from domain.household import Household
from projections.facts.reading import (
    COUNTY,
    Scope,
    Table,
    View,
    guaranteed,
    parameters_of_loans,
    query_text,
)
from projections.ledger_choice import (
    EVERY,
    NO_VALUE,
    Choice,
    Shape,
    Totals,
    chosen_table,
    statement,
    totals,
    wrapped,
)
from projections.loan_ledger.columns import COLUMNS

STATES: Final = ("outstanding", "overdue", "settled")
SHAPE: Final = Shape(
    columns=COLUMNS,
    own={
        "township": "h.township",
        "village": "h.village",
        "household_no": "l.household_no",
        "bank": "l.bank",
        "loan_no": "l.loan_no",
        "contract_no": "l.contract_no",
        "purpose": "l.purpose",
        "principal_fen": "l.principal_fen",
        "annual_rate_bp": "l.annual_rate_bp",
        "disbursed_on": "l.effective_on",
        "borrower": "l.borrower",
    },
    key=("bank", "loan_no"),
    state="CASE WHEN q.outstanding_fen = 0 THEN 'settled' WHEN q.overdue THEN 'overdue'"
    " ELSE 'outstanding' END",
)
"""`state`: one of STATES."""
_OF_PAGE = "loan_id = ANY (ARRAY(SELECT loan_id FROM line))"
_NARROWED = {
    "{of_page_households}": "WHERE household_id = ANY (ARRAY(SELECT household_id FROM line))",
    "{of_page}": f"WHERE {_OF_PAGE}",
    "{and_of_page}": f"AND {_OF_PAGE}",
}
"""What a few lines say in the places of the question that the whole ledger leaves empty.

The ids as an array: PostgreSQL then looks each up, and reads nothing of other loans.
"""
_ONE = ("loan_no", "household_no")


def households_of(view: View, loans: Iterable[str]) -> set[UUID]:
    """The households of loans, by the loans' ids."""
    query = "SELECT DISTINCT household_id FROM facts.loan WHERE loan_id = ANY(%(loans)s::uuid[])"
    return {household for (household,) in view.query(query, loans=list(loans)).rows}


def question(choice: Choice = EVERY) -> tuple[str, dict[str, Any]]:
    """The SQL of the lines chosen, which costs those lines where they are few, and its values."""
    stated = statement(SHAPE, choice)
    narrow = stated.is_narrow or any(key in choice.equal for key in _ONE)
    query = query_text(__name__).replace("{guaranteed}", guaranteed("l.loan_id"))
    query = query.replace("{chosen}", stated.chosen).replace("{page}", stated.page)
    for place, said in _NARROWED.items():
        query = query.replace(place, said if narrow else "")
    home = choice.equal.get("household_no")
    id = None if home in (None, NO_VALUE) else Household.id_for(str(home))
    return wrapped(SHAPE, query, stated), {**stated.parameters, "household_id": id}


def loan_ledger(
    view: View,
    *,
    scope: Scope = COUNTY,
    household_no: str | None = None,
    loan_no: str | None = None,
    after: tuple[str, str] | None = None,
    most: int | None = None,
    choice: Choice = EVERY,
    state: bool = False,
) -> Table:
    """One line a loan, ordered by bank and loan number unless the choice says otherwise.

    `after` names the line before a page, `most` is how many lines it has. With `state` the last
    column is the loan's state, one of STATES. Raises ValueError for an `after` of another order.
    """
    is_named = household_no is not None or loan_no is not None
    choice = choice.of(household_no=household_no, loan_no=loan_no)
    if after is not None or most is not None:
        choice = choice._replace(after=after, most=most)
    query, bound = question(choice)
    parameters = {**parameters_of_loans(scope), **bound}
    return chosen_table(view, SHAPE, query, parameters, state=state, once=is_named)


def loan_totals(
    view: View, choice: Choice, facets: Sequence[str], *, scope: Scope = COUNTY
) -> Totals:
    """What all lines chosen come to, and how many of them have each value of a facet."""
    return totals(view, SHAPE, question, choice, facets, parameters_of_loans(scope))
