"""One household (户) on any day, and who belonged to it."""

from __future__ import annotations

from uuid import UUID

from domain.household import Household
from projections.facts.reading import COUNTY, Scope, Table, View, parameters_of, query_text
from projections.households.columns import HOUSEHOLD, MEMBERS


def household(view: View, household_no: str, *, scope: Scope = COUNTY) -> Table:
    """Its line; none for a reader to whom it is not known."""
    return view.lookup_table(
        HOUSEHOLD,
        query_text(__name__, "query.sql"),
        household_id=Household.id_for(household_no),
        **parameters_of(scope),
    )


def members(view: View, household_id: UUID) -> Table:
    """A line a person: what was recorded last."""
    return view.lookup_table(
        MEMBERS, query_text(__name__, "members.sql"), household_id=household_id
    )
