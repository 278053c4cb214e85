"""Routes of the fund flow: the graph, its edges, misuse, and payments that hang on nothing."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field
from starlette.exceptions import HTTPException

from interface.exports.graphml import graphml
from interface.http import schemas as s
from interface.http.checked_route import CheckedRoute
from interface.http.query_params import (
    Code,
    Cursor,
    Page,
    Read,
    position_of,
)
from interface.http.responses import (
    head_of,
    headers_of,
    json_answer,
    table_file,
)
from projections.facts.reading import Table, View
from projections.fund_flow import (
    EDGE_KINDS,
    MOST_HOPS,
    NODE_KINDS,
    Start,
    Wanted,
    edges,
    graph_of,
    moved,
    whole,
)
from projections.fund_flow.columns import (
    EDGES,
    GRAPH,
    MISUSE_BY_ACCOUNT,
    MISUSE_BY_LOAN,
    PATHS,
    UNLINKED,
    UNLINKED_COUNTS,
)
from projections.fund_flow.misuse import misuse
from projections.fund_flow.paths import NoBegin, paths
from projections.fund_flow.unlinked import CATEGORIES, counts, unlinked

router = APIRouter(prefix="/v1", tags=["资金流向 fund flow"], route_class=CheckedRoute)

_GRAPH = s.with_files(
    "FundFlow",
    **s.HEAD,
    nodes=s.several(s.record("FundFlowNode", id=s.TEXT, kind=s.TEXT, label=s.TEXT)),
    edges=s.several(s.line("FundFlowEdge", GRAPH)),
    node_kinds=s.OPEN,
    edge_kinds=s.OPEN,
)
_GRAPH[200]["content"]["application/graphml+xml"] = {"schema": s.TEXT}
_MISUSE = s.either(
    s.table("MisuseByLoan", MISUSE_BY_LOAN, rulings=s.several(s.RULING)),
    s.table("MisuseByAccount", MISUSE_BY_ACCOUNT, rulings=s.several(s.RULING)),
)
_UNLINKED = s.either(s.table("UnlinkedCounts", UNLINKED_COUNTS), s.page("Unlinked", UNLINKED))
_GRAPHML: Final = "application/graphml+xml"
_KINDS: Final = "|".join(NODE_KINDS)
_ACCOUNT: Final = r"^account-[0-9a-f]{24}$"
Node = Annotated[
    str | None,
    Query(pattern=rf"^({_KINDS})(:[^\x00-\x1f\x7f]+)?$", max_length=300,
          description="节点，或一类节点 a node's id, or a kind of nodes"),
]  # fmt: skip
NodeId = Annotated[
    str,
    Field(pattern=rf"^({_KINDS})(:[^\x00-\x1f\x7f]+)?$", max_length=300),
]
Hops = Annotated[
    int, Query(ge=1, le=MOST_HOPS, description="至多几步 at most so many movements away")
]
Account = Annotated[
    str | None, Query(pattern=_ACCOUNT, description="账户代码 an account's pseudonym")
]


@router.get("/fund-flow", summary="资金流向 from budget to where the money went, as a graph")
@s.answers(_GRAPH, s.NOT_FOUND)
async def fund_flow(
    read: Read,
    household_no: Code = None,
    bank: Code = None,
    loan_no: Code = None,
    account: Account = None,
    batch_no: Code = None,
    hops: Hops = 2,
) -> Response:
    """The whole county by kinds of nodes; or what is around one household, loan, account or batch.

    GraphML by `Accept: application/graphml+xml`; CSV and XLSX a line an edge.
    """
    await read.reader()
    start = start_of(household_no, bank, loan_no, account, batch_no)
    form = "graphml" if "graphml" in read.request.headers.get("accept", "") else read.form

    def answer(view: View) -> Response:
        graph = whole(view) if start is None else graph_of(moved(view, start, hops))
        if start is not None and not graph.edges:
            raise HTTPException(404)
        name, headers = f"fund-flow-{view.as_of}", headers_of(view)
        if form == "graphml":
            text = graphml(graph.nodes(), list(graph.table().dicts()))
            headers |= {"Content-Disposition": f'attachment; filename="{name}.graphml"'}
            headers |= {"Cache-Control": "no-store"}
            return Response(text, media_type=_GRAPHML, headers=headers)
        if form != "json":
            told = read.described(view, "fund-flow")
            return table_file(graph.table(), form, "fund-flow", headers, told)
        drawn = {"nodes": graph.nodes(), "edges": list(graph.table().dicts())}
        words = {"node_kinds": NODE_KINDS, "edge_kinds": EDGE_KINDS}
        return json_answer(head_of(view) | drawn | words, headers=headers)

    return await read.respond(answer)


def start_of(
    household_no: str | None,
    bank: str | None,
    loan_no: str | None,
    account: str | None,
    batch_no: str | None,
) -> Start | None:
    """Where following begins; None: the whole county. Raises HTTPException 422: more than one."""
    named = {"household": household_no, "account": account, "batch": batch_no}
    starts = [f"{kind}:{name}" for kind, name in named.items() if name is not None]
    if (bank is None) != (loan_no is None) or len(starts) + (loan_no is not None) > 1:
        raise HTTPException(422)
    if bank is not None and loan_no is not None:
        return Start(None, bank, loan_no)
    return Start(starts[0]) if starts else None


@router.get("/fund-flow/edges", summary="资金流向明细 the single movements, each with its event")
@s.answers(s.page("FundFlowEdges", EDGES), s.NOT_FOUND)
async def fund_flow_edges(
    read: Read,
    source: Annotated[Node, Query(alias="from")] = None,
    to: Node = None,
    node: Node = None,
    kind: Annotated[str | None, Query(pattern=f"^({'|'.join(EDGE_KINDS)})$")] = None,
    year: Annotated[int | None, Query(ge=1990, le=9000)] = None,
    household_no: Code = None,
    bank: Code = None,
    loan_no: Code = None,
    cursor: Cursor = None,
    limit: Page = 100,
) -> Response:
    """Of a pair of nodes, of one (`node`), or of kinds of nodes: what an edge of the graph sums."""
    await read.reader()
    after = position_of(cursor)
    wanted = Wanted(source, to, node, kind, year, household_no, bank, loan_no)

    def query(view: View, most: int | None) -> Table:
        table = edges(view, wanted, after=after, most=most)
        if not table.rows and after is None and any(wanted):
            raise HTTPException(404)
        return table

    return await read.page("fund-flow-edges", query, limit, ("edge_no",))


@router.get("/fund-flow/paths", summary="资金路径 all ways between two nodes, step by step")
@s.answers(s.table("FundFlowPaths", PATHS))
async def fund_flow_paths(
    read: Read,
    source: Annotated[NodeId, Query(alias="from")],
    to: Annotated[NodeId, Query()],
    hops: Hops = 4,
) -> Response:
    """A line a step; one of the two is a household, an account or a batch."""
    await read.reader()
    return await read.table("fund-flow-paths", lambda view: ways(view, source, to, hops))


def ways(view: View, source: str, target: str, hops: int) -> Table:
    """As paths. Raises HTTPException 422 where neither end can be followed."""
    try:
        return paths(view, source, target, hops)
    except NoBegin:
        raise HTTPException(422) from None


@router.get("/fund-flow/misuse", summary="流向违规 programme money that reached a forbidden place")
@s.answers(_MISUSE)
async def fund_flow_misuse(
    read: Read,
    by: Literal["loan", "account"] = "loan",
) -> Response:
    """A line a loan and kind of money, or an account: least and most over the three methods."""
    await read.reader()

    def query(view: View) -> tuple[Table, dict[str, Any]]:
        found = misuse(view)
        rulings = [ruling.to_dict() for ruling in found.rulings]
        return found.loans if by == "loan" else found.accounts, {"rulings": rulings}

    return await read.table_saying(f"misuse-{by}", query)


@router.get(
    "/fund-flow/unlinked", summary="未挂接 payments without a known payer, payee, batch, trace"
)
@s.answers(_UNLINKED)
async def fund_flow_unlinked(
    read: Read,
    category: Annotated[
        str | None,
        Query(
            pattern=f"^({'|'.join(CATEGORIES)})$",
            description="类别，缺省为各类汇总 default: counts",
        ),
    ] = None,
    cursor: Cursor = None,
    limit: Page = 100,
) -> Response:
    """How many of each category and how much money; of one category the payments themselves."""
    await read.reader()
    if category is None:
        return await read.table("unlinked", counts)
    after = position_of(cursor)

    def query(view: View, most: int | None) -> Table:
        return unlinked(view, category, after=after, most=most)

    return await read.page(category, query, limit, ("position",))
