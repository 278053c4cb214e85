"""Accounts and persons (账户、人): one pseudonym across households and banks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from fastapi import APIRouter
from starlette.exceptions import HTTPException

from interface.console.flow_names import Names
from interface.console.frame import Visit
from interface.console.fund_flow_lists import entity, event, household, loan
from interface.console.list_view import Listed
from interface.console.lists import ListPage, list_page
from interface.console.page_route import PageRoute
from interface.http.routes.entities import Pseudonym
from projections.entities import EntityKind, appearances, entities, ties
from projections.entities.columns import APPEARANCES, ENTITIES
from projections.facts.reading import Table, View
from projections.fund_flow.flagged import Flag, flags_at

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_MOVED: Final = {
    "payee": "lent",
    "payer": "repaid",
    "receiver": "outflow",
    "subsidy_payee": "subsidy",
    "borrower": "lent",
}
"""By the part that one has in an event, the kind of movement that the event is."""
_SEVERAL: Final = 2

LIST: Final = ListPage(
    name="entities",
    query="/entities",
    columns=ENTITIES,
    key=("pseudonym",),
    facets=("roles",),
    ranges=("first_on", "last_on", "in_fen", "out_fen"),
    sort="-households",
    own=("kind", "shared"),
    leads=dict.fromkeys(
        ("pseudonym", "households", "banks", "loans", "events", "in_fen", "out_fen"), entity
    ),
    kept=True,
    template="entities.html",
)


def _kinds(
    found: Visit,
    view: View,
    seen: Listed,
    kind: EntityKind | None = None,
    shared: Literal["true"] | None = None,
) -> dict[str, Any]:
    del view, seen
    return {
        "kinds": [
            (
                each,
                found.address("/entities", kind=each, shared=shared),
                each == (kind or "account"),
            )
            for each in ("account", "person")
        ],
        "shared": shared,
        "look": found,
    }


@list_page(router, "/entities", LIST, _kinds)
def lines(
    found: Visit,
    view: View,
    kind: EntityKind | None = None,
    shared: Literal["true"] | None = None,
) -> Table:
    del found
    return entities(view, kind or "account", shared=shared is not None)


RECORD: Final = ListPage(
    name="entity",
    query="/entities/{pseudonym}",
    columns=APPEARANCES,
    key=("position", "role"),
    shown=("position", "effective_on", "role", "household_no", "bank", "loan_no", "in_fen",
           "out_fen", "recorded_at"),
    facets=("role", "bank"),
    ranges=("effective_on",),
    leads={
        "position": event,
        "in_fen": event,
        "out_fen": event,
        "household_no": household,
        "loan_no": loan,
    },
    template="entity.html",
)  # fmt: skip


def _record(found: Visit, view: View, seen: Listed, pseudonym: str) -> dict[str, Any]:
    """Who is behind it as far as the ledger knows: loans, accounts, persons, households, flags."""
    del seen
    told = list(found.request.state.appearances.dicts())
    tied = ties(view, pseudonym)
    is_account = pseudonym.startswith("account-")
    others = {each.borrower if is_account else each.account for each in tied}
    homes = sorted({line["household_no"] for line in told if line["household_no"]})
    return {
        "pseudonym": pseudonym,
        "is_account": is_account,
        "names": Names(found, {}),
        "heading": Names(found, {}).node(f"{'account' if is_account else 'person'}:{pseudonym}"),
        "homes": homes,
        "shared": len(homes) >= _SEVERAL,
        "others": sorted(others),
        "tied": tied,
        "in_fen": sum(line["in_fen"] for line in told),
        "out_fen": sum(line["out_fen"] for line in told),
        "flags": _flags(view, told),
        "look": found,
    }


def _flags(view: View, told: Sequence[Mapping[str, Any]]) -> list[Flag]:
    kinds = {(line["position"], _MOVED[line["role"]]) for line in told if line["role"] in _MOVED}
    found = flags_at(view, kinds)
    return sorted({flag for flags in found.values() for flag in flags})


@list_page(router, "/entities/{pseudonym}", RECORD, _record)
def record(found: Visit, view: View, pseudonym: Pseudonym) -> Table:
    """Every event in which one appears. Raises HTTPException 404."""
    table = appearances(view, pseudonym)
    if not table.rows:
        raise HTTPException(404)
    found.request.state.appearances = table  # the page's head is about the same lines
    return table
