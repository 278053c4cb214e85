"""The subsidy ledger (贴息台账): every payment, and what was recovered of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

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
    Choice,
    Shape,
    Totals,
    chosen_table,
    statement,
    totals,
    wrapped,
)
from projections.subsidy_ledger.columns import COLUMNS

SHAPE: Final = Shape(
    columns=COLUMNS,
    own={
        "township": "h.township",
        "village": "h.village",
        "household_no": "l.household_no",
        "bank": "l.bank",
        "loan_no": "l.loan_no",
        "period": "p.period",
        "payment_no": "p.payment_no",
        "paid_on": "p.effective_on",
        "due_fen": "p.due_fen",
        "paid_fen": "p.paid_fen",
        "voucher": "p.voucher",
        "principal_fen": "l.principal_fen",
        "annual_rate_bp": "l.annual_rate_bp",
        "borrower": "l.borrower",
        "position": "p.of_position",
    },
    key=("position",),
    state=None,
)
_OF_ALL, _OF_FEW = "loans_of_all.sql", "loans_of_few.sql"
_OF_PAGE = "AND payment_no = ANY (ARRAY(SELECT payment_no FROM line))"
_FEW = ("loan_no", "household_no")


def question(choice: Choice = EVERY, scope: Scope = COUNTY) -> tuple[str, dict[str, Any]]:
    """The SQL of the lines chosen, which costs those lines where they are few, and its values."""
    stated = statement(SHAPE, choice)
    narrow = stated.is_narrow or any(key in choice.equal for key in _FEW)
    loans = _OF_FEW if stated.is_narrow and _is_of_payments(choice, scope) else _OF_ALL
    query = query_text(__name__).replace("{loans}", query_text(__name__, loans))
    query = query.replace("{guaranteed}", guaranteed("l.loan_id"))
    query = query.replace("{chosen}", stated.chosen).replace("{page}", stated.page)
    query = query.replace("{of_page}", _OF_PAGE if narrow else "")
    one_loan = choice.equal.get("loan_no")
    return wrapped(SHAPE, query, stated), {**stated.parameters, "one_loan": one_loan}


def _is_of_payments(choice: Choice, scope: Scope) -> bool:
    """Whether payments alone say which lines come first: it is not asked whose loan each is of.

    Else all loans are joined: the few payments of a small bank may stand anywhere in the order.
    """
    if scope != COUNTY:
        return False
    asked = {*choice.equal, *choice.ranges, (choice.sort or "position").lstrip("-")}
    return all(SHAPE.own[key].startswith("p.") for key in asked)


def subsidy_ledger(
    view: View,
    *,
    scope: Scope = COUNTY,
    household_no: str | None = None,
    loan_no: str | None = None,
    period: str | None = None,
    after: int | None = None,
    most: int | None = None,
    choice: Choice = EVERY,
) -> Table:
    """One line a payment, in the order of the log unless the choice says otherwise.

    `after` is the line before a page, `most` how many lines it has.
    """
    choice = choice.of(household_no=household_no, loan_no=loan_no, period=period)
    if after is not None or most is not None:
        choice = choice._replace(after=None if after is None else (after,), most=most)
    query, bound = question(choice, scope)
    parameters = {**parameters_of_loans(scope), **bound}
    once = loan_no is not None
    return chosen_table(view, SHAPE, query, parameters, state=False, once=once)


def subsidy_totals(
    view: View, choice: Choice, facets: Sequence[str], *, scope: Scope = COUNTY
) -> Totals:
    """What all lines chosen come to, and how many of them have each value of a facet."""
    return totals(view, SHAPE, question, choice, facets, parameters_of_loans(scope))
