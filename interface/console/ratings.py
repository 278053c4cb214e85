"""Credit ratings (信用评级): the latest of each household, with its age."""

from __future__ import annotations

from fastapi import APIRouter

from interface.console.frame import Visit
from interface.console.lists import ListPage, list_page
from interface.console.loan import household_address
from interface.console.page_route import PageRoute
from interface.http.permissions import scope_of
from projections.facts.reading import Table, View
from projections.links import ratings
from projections.links.columns import RATINGS

router = APIRouter(route_class=PageRoute, include_in_schema=False)
LIST = ListPage(
    name="ratings",
    query="/ratings",
    columns=RATINGS,
    key=("household_no", "rater"),
    facets=("township", "rater", "grade"),
    filters=("household_no",),
    ranges=("rated_on",),
    sort="-age_days",
    leads={
        "household_no": lambda found, line: household_address(found, line["household_no"]),
    },
)


@list_page(router, "/ratings", LIST)
def lines(found: Visit, view: View) -> Table:
    return ratings(view, scope=scope_of(found.author, "/ratings"))
