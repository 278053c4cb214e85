"""The lists of the fund flow: single movements, ways, unlinked payments, misuse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from interface.console.flow_names import Names, NodeNames, names_of
from interface.console.frame import Elsewhere, Visit, Wrong, assure_allowed, page, visit
from interface.console.list_view import Listed
from interface.console.lists import ListPage, list_page
from interface.console.page_route import PageRoute
from interface.http.query_params import Code, view_of
from interface.http.routes.fund_flow import Hops, Node, NodeId, ways
from projections.facts.reading import Table, View
from projections.fund_flow import EDGE_KINDS, Wanted, edges
from projections.fund_flow.columns import (
    EDGES,
    MISUSE_BY_ACCOUNT,
    MISUSE_BY_LOAN,
    UNLINKED,
    UNLINKED_COUNTS,
)
from projections.fund_flow.misuse import misuse
from projections.fund_flow.unlinked import CATEGORIES, counts, unlinked

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Visiting = Annotated[Visit, Depends(visit)]
Line = Mapping[str, Any]
_CATEGORY: Final = f"^({'|'.join(CATEGORIES)})$"


# ---- where cells lead -------------------------------------------------------------------


def household(found: Visit, line: Line) -> str:
    return found.to("households", line["household_no"])


def loan(found: Visit, line: Line) -> str | None:
    if not line.get("bank"):
        return None
    return found.to("loans", line["bank"], line["loan_no"])


def event(found: Visit, line: Line) -> str:
    return found.to("events", line["event_id"])


def entity(found: Visit, line: Line) -> str:
    return found.to("entities", line["pseudonym"])


def batch(found: Visit, line: Line) -> str:
    return found.to("batches", line["batch_no"])


# ---- single movements -------------------------------------------------------------------


def _edge_codes(found: Visit) -> dict[str, Mapping[Any, str]]:
    nodes = NodeNames(names_of(found))
    kinds = {kind: found.words(f"edge.{kind}") for kind in EDGE_KINDS}
    return {"kind": kinds, "from": nodes, "to": nodes, "node": nodes}


EDGE_LIST: Final = ListPage(
    name="flow_edges",
    query="/fund-flow/edges",
    columns=EDGES,
    key=("edge_no",),
    shown=("position", "effective_on", "kind", "from", "to", "amount_fen", "bank", "loan_no",
           "household_no"),
    facets=("kind",),
    ranges=("effective_on", "amount_fen"),
    leads={
        "position": event,
        "amount_fen": event,
        "loan_no": loan,
        "household_no": household,
        "batch_no": batch,
        "from": lambda found, line: Names(found, {}).href(line["from"]),
        "to": lambda found, line: Names(found, {}).href(line["to"]),
    },
    codes=_edge_codes,
)  # fmt: skip


@list_page(router, "/fund-flow/edges", EDGE_LIST)
def edge_lines(
    found: Visit,
    view: View,
    source: Annotated[Node, Query(alias="from")] = None,
    to: Node = None,
    node: Node = None,
    year: Annotated[int | None, Query(ge=1990, le=9000)] = None,
    household_no: Code = None,
    bank: Code = None,
    loan_no: Code = None,
) -> Table:
    """What an edge of the picture adds up. Raises Elsewhere: of the whole county, its picture."""
    kind = found.request.query_params.get("kind")
    wanted = Wanted(source, to, node, kind if kind in EDGE_KINDS else None, year, household_no,
                    bank, loan_no)  # fmt: skip
    if not any(wanted):
        raise Elsewhere(found.address("/fund-flow"))
    table = edges(view, wanted)
    if not table.rows:
        raise HTTPException(404)
    return table


# ---- ways -------------------------------------------------------------------------------


@router.get("/fund-flow/paths")
async def path_page(
    found: Visiting,
    source: Annotated[NodeId | None, Query(alias="from")] = None,
    to: Annotated[NodeId | None, Query()] = None,
    hops: Hops = 4,
) -> Response:
    """All ways between two nodes, each a numbered sentence."""
    assure_allowed(found, "/fund-flow/paths")
    names = await run_in_threadpool(names_of, found)

    def ask() -> list[list[Line]]:
        if source is None or to is None:
            return []
        with view_of(found.service, found.as_of, found.known_at, None) as view:
            return _by_way(_ways(view, source, to, hops))

    return await page(
        found,
        "fund_flow_paths.html",
        ways=await run_in_threadpool(ask),
        source=source,
        target=to,
        hops=hops,
        names=names,
        look=found,
        files=[],
    )


def _ways(view: View, source: str, target: str, hops: int) -> Table:
    try:
        return ways(view, source, target, hops)
    except HTTPException:
        raise Wrong(422, "flow.no_begin") from None


def _by_way(table: Table) -> list[list[Line]]:
    found: dict[int, list[Line]] = {}
    for line in table.dicts():
        found.setdefault(line["way"], []).append(line)
    return list(found.values())


# ---- unlinked ---------------------------------------------------------------------------


def _to_category(found: Visit, line: Mapping[str, Any]) -> str | None:
    """The payments of a category; of none nowhere."""
    return found.to("fund-flow", "unlinked", line["category"]) if line["payments"] else None


COUNT_LIST: Final = ListPage(
    name="unlinked",
    query="/fund-flow/unlinked",
    columns=UNLINKED_COUNTS,
    key=("category",),
    shown=("category", "payments", "amount_fen"),
    sort="-amount_fen",
    leads=dict.fromkeys(("category", "payments", "amount_fen"), _to_category),
    summed=(),
    own=("category",),
    kept=True,
)


@list_page(router, "/fund-flow/unlinked", COUNT_LIST)
def count_lines(
    found: Visit,
    view: View,
    category: Annotated[str | None, Query(pattern=_CATEGORY)] = None,
) -> Table:
    """How many of each category; the payments of one stand on their own page."""
    if category is not None:
        raise Elsewhere(found.to("fund-flow", "unlinked", category))
    return counts(view)


UNLINKED_LIST: Final = ListPage(
    name="unlinked_payments",
    query="/fund-flow/unlinked",
    columns=UNLINKED,
    key=("position", "category"),
    shown=("position", "effective_on", "bank", "loan_no", "household_no", "pseudonym", "payee",
           "amount_fen", "observed_fen", "share_bp"),
    facets=("bank",),
    filters=("household_no", "loan_no"),
    ranges=("effective_on", "amount_fen"),
    leads={
        "position": event,
        "amount_fen": event,
        "loan_no": loan,
        "household_no": household,
        "pseudonym": entity,
        "batch_no": batch,
    },
    kept=True,
    template="fund_flow_list.html",
)  # fmt: skip


def _of_category(found: Visit, view: View, seen: Listed, category: str) -> dict[str, Any]:
    del view, seen
    heading = found.words(f"unlinked.category_{category}")
    return {"heading": heading}


@list_page(router, "/fund-flow/unlinked/{category}", UNLINKED_LIST, _of_category)
def unlinked_lines(found: Visit, view: View, category: str) -> Table:
    del found
    if category not in CATEGORIES:
        raise HTTPException(404)
    return unlinked(view, category)


# ---- misuse -----------------------------------------------------------------------------

LOAN_MISUSE: Final = ListPage(
    name="misuse",
    query="/fund-flow/misuse",
    columns=MISUSE_BY_LOAN,
    key=("bank", "loan_no", "money"),
    shown=("bank", "loan_no", "household_no", "money", "received_fen", "min_fen", "max_fen"),
    facets=("bank", "money"),
    filters=("household_no", "loan_no"),
    ranges=("max_fen",),
    sort="-max_fen",
    own=("by",),
    leads={
        "loan_no": loan,
        "household_no": household,
        **{
            key: lambda found, line: found.address(
                "/fund-flow", bank=line["bank"], loan_no=line["loan_no"], range=1
            )
            for key in ("received_fen", "min_fen", "max_fen")
        },
    },
    kept=True,
)  # fmt: skip


@list_page(router, "/fund-flow/misuse", LOAN_MISUSE)
def loan_misuse(found: Visit, view: View, by: Literal["loan", "account"] | None = None) -> Table:
    """By loan; by account on its own page."""
    if by is not None:
        way = "/fund-flow/misuse" if by == "loan" else "/fund-flow/misuse/accounts"
        raise Elsewhere(found.address(way))
    return misuse(view).loans


ACCOUNT_MISUSE: Final = ListPage(
    name="misuse_accounts",
    query="/fund-flow/misuse",
    columns=MISUSE_BY_ACCOUNT,
    key=("pseudonym",),
    shown=("pseudonym", "receivers", "households", "loans", "arrived_fen", "min_fen", "max_fen",
           "first_on", "last_on"),
    facets=("receivers",),
    ranges=("max_fen", "first_on"),
    sort="-max_fen",
    leads={
        "pseudonym": entity,
        **{
            key: lambda found, line: found.address("/fund-flow", account=line["pseudonym"], range=1)
            for key in ("arrived_fen", "min_fen", "max_fen")
        },
    },
    kept=True,
)  # fmt: skip


@list_page(router, "/fund-flow/misuse/accounts", ACCOUNT_MISUSE)
def account_misuse(found: Visit, view: View) -> Table:
    del found
    return misuse(view).accounts
