"""Fund flow (资金流向): the picture of where the money went, and the same amounts as a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from functools import partial
from typing import Annotated, Any, Final, Literal, NamedTuple

from fastapi import APIRouter, Depends, Query, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from interface.console.drawing.sankey import Bar, Flow, Picture, sankey, stage_name
from interface.console.flow_names import Names, names_of
from interface.console.frame import Visit, assure_allowed, page, visit
from interface.console.page_route import PageRoute
from interface.exports.graphml import graphml
from interface.html import render
from interface.http.query_params import Code, view_of
from interface.http.responses import Described, head_of, headers_of, json_answer, table_file
from interface.http.routes.fund_flow import Account, Hops, start_of
from projections.facts.reading import Table, View
from projections.fund_flow import (
    Edge,
    Graph,
    Movement,
    Start,
    graph_of,
    moved,
    whole,
)
from projections.fund_flow.columns import SHOWN
from projections.fund_flow.flagged import Flag, flags
from projections.fund_flow.ranges import programme_money

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Visiting = Annotated[Visit, Depends(visit)]
FileForm = Literal["csv", "xlsx", "json", "graphml", "svg"]
_LINES: Final = 100
_STAGE: Final = r"^[a-z]{3,9}\d{0,2}$"


class Asked(NamedTuple):
    """What a look at the fund flow asks, besides its dates."""

    household_no: str | None
    bank: str | None
    loan_no: str | None
    account: str | None
    batch_no: str | None
    hops: int
    year: int | None
    opened: str | None
    ranged: bool

    @property
    def start(self) -> Start | None:
        """Raises HTTPException 422."""
        return start_of(self.household_no, self.bank, self.loan_no, self.account, self.batch_no)

    @property
    def focus(self) -> str | None:
        """The node that is asked about; None for a loan and for the county."""
        start = self.start
        return start.node if start else None


def asked_of(
    household_no: Code = None,
    bank: Code = None,
    loan_no: Code = None,
    account: Account = None,
    batch_no: Code = None,
    hops: Hops = 2,
    year: Annotated[int | None, Query(ge=1990, le=9000)] = None,
    opened: Annotated[str | None, Query(alias="open", pattern=_STAGE)] = None,
    range: Literal["1"] | None = None,  # noqa: A002 - as the address says it
) -> Asked:
    """What the address says. Raises HTTPException 422 for more than one beginning."""
    asked = Asked(
        household_no, bank, loan_no, account, batch_no, hops, year, opened, range is not None
    )
    assert asked.start is None or asked.start
    return asked


Asking = Annotated[Asked, Depends(asked_of)]


class Line(NamedTuple):
    """All money of one kind from one node to another, over the years that are asked for."""

    source: str
    target: str
    kind: str
    amount_fen: int
    movements: int
    first_on: date
    last_on: date
    flagged_fen: int = 0
    least_fen: int | None = None
    most_fen: int | None = None
    """Programme money among it, over the three methods; None where it is not asked or is all."""
    flags: tuple[Flag, ...] = ()
    of_loan: tuple[str, str] | None = None


class Seen(NamedTuple):
    """What was found: lines by amount, and how it is headed. `years` of the whole county."""

    lines: list[Line]
    years: list[int]
    graph: Graph
    households: int = 0
    """How many households' money reached the account that is asked about."""


# ---- what is asked ----------------------------------------------------------------------


def look(view: View, asked: Asked) -> Seen:
    """The graph that is asked for. Raises HTTPException 404 where nothing moved."""
    start = asked.start
    if start is None:
        return _county(whole(view), asked.year)
    found = moved(view, start, asked.hops)
    if not found:
        raise HTTPException(404)
    years = sorted({m.effective_on.year for m in found})
    if asked.year is not None:
        found = [m for m in found if m.effective_on.year == asked.year]
    return Seen(_lines_around(view, asked, found), years, graph_of(found), _pooled(asked, found))


def _county(graph: Graph, year: int | None) -> Seen:
    years = sorted({edge.year for edge in graph.edges})
    edges = [edge for edge in graph.edges if year in (None, edge.year)]
    sums: dict[tuple[str, str, str], list[Edge]] = {}
    for edge in edges:
        sums.setdefault((edge.source, edge.target, edge.kind), []).append(edge)
    lines = [
        Line(
            *key,
            sum(edge.amount_fen for edge in together),
            sum(edge.movements for edge in together),
            min(edge.first_on for edge in together),
            max(edge.last_on for edge in together),
        )
        for key, together in sums.items()
    ]
    return Seen(_by_amount(lines), years, Graph(edges))


def _lines_around(view: View, asked: Asked, found: list[Movement]) -> list[Line]:
    flagged = flags(view, found)
    money = programme_money(view, found) if asked.ranged else {}
    legs: dict[tuple[str, str, str], list[Movement]] = {}
    for movement in found:
        for leg in movement.legs():
            legs.setdefault(leg, []).append(movement)
    return _by_amount(_line(leg, together, flagged, money) for leg, together in legs.items())


def _line(
    leg: tuple[str, str, str],
    together: list[Movement],
    flagged: Mapping[tuple[int, str], list[Flag]],
    money: Mapping[tuple[int, str], list[int]],
) -> Line:
    said = {(m.position, leg[2]): m for m in together}
    methods = [money[key] for key in said if key in money]
    sums = [sum(method) for method in zip(*methods, strict=True)]
    loans = {(m.bank, m.loan_no) for m in together}
    [loan] = loans if len(loans) == 1 else [(None, None)]
    return Line(
        *leg,
        sum(m.amount_fen for m in together),
        len(together),
        min(m.effective_on for m in together),
        max(m.effective_on for m in together),
        sum(m.amount_fen for key, m in said.items() if key in flagged),
        min(sums) if sums else None,
        max(sums) if sums else None,
        tuple(dict.fromkeys(flag for key in said for flag in flagged.get(key, ()))),
        (loan[0], loan[1]) if loan[0] and loan[1] else None,
    )


def _by_amount(lines: Iterable[Line]) -> list[Line]:
    return sorted(lines, key=lambda line: (-line.amount_fen, line.source, line.target, line.kind))


def _pooled(asked: Asked, found: list[Movement]) -> int:
    if asked.account is None:
        return 0
    return len(
        {
            m.household_no
            for m in found
            if m.kind == "outflow" and asked.focus in (m.via, m.target) and m.source != m.target
        }
    )


# ---- the picture ------------------------------------------------------------------------


def edges_address(found: Visit, asked: Asked, line: Line) -> str:
    """The single movements of a line."""
    named = {"from": line.source, "to": line.target, "kind": line.kind, "year": asked.year}
    if asked.loan_no is not None and line.of_loan == (asked.bank, asked.loan_no):
        named |= {"bank": asked.bank, "loan_no": asked.loan_no}
    return found.address("/fund-flow/edges", **named)


def drawn(seen: Seen, asked: Asked, href: Callable[[Line], str | None]) -> Picture:
    """The picture of the lines; a line that is flagged in part is two ribbons."""
    flows = []
    for line in seen.lines:
        for amount_fen, flagged in (
            (line.flagged_fen, True),
            (line.amount_fen - line.flagged_fen, False),
        ):
            if amount_fen:
                ends = (line.source, line.target, line.kind)
                flows.append(Flow(*ends, amount_fen, flagged, href(line)))
    opened = {asked.opened} if asked.opened else set()
    return sankey(flows, focus=asked.focus, opened=opened)


def _drawing(
    found: Visit, asked: Asked, seen: Seen, names: Names, *, links: bool
) -> dict[str, Any]:
    """What the template of the picture takes."""

    def href(line: Line) -> str | None:
        return edges_address(found, asked, line) if links else None

    def bar_href(bar: Bar) -> str | None:
        if not links:
            return None
        if not bar.place.node:
            return found.address(open=stage_name(bar.place.stage))
        return names.href(bar.place.node)

    picture = drawn(seen, asked, href)
    return {
        "picture": picture,
        "nodes": len({end for line in seen.lines for end in (line.source, line.target)}),
        "label": names.bar,
        "name": names.bar_name,
        "colon": found.words("flow.colon"),
        "bar_href": bar_href,
        "kind": names.kind,
        "head": lambda stage: found.words(f"flow.stage_{stage_name(stage).rstrip('0123456789')}"),
        "message": names.message(asked, seen),
    }


# ---- the page ---------------------------------------------------------------------------


@router.get("/fund-flow")
async def fund_flow(found: Visiting, asked: Asking) -> Response:
    assure_allowed(found, "/fund-flow")
    names = await run_in_threadpool(names_of, found)
    seen, awaited, failed = await run_in_threadpool(_seen, found, asked)
    drawing = _drawing(found, asked, seen, names, links=True) if seen and seen.lines else None
    made = await page(
        found,
        "fund_flow.html",
        asked=asked,
        seen=seen,
        awaited=awaited,
        failed=failed,
        names=names,
        drawing=drawing,
        lines=seen.lines[:_LINES] if seen else [],
        edges=partial(edges_address, found, asked),
        look=found,
        files=_files(found),
        title=names.title(asked, seen),
    )
    if awaited:
        made.headers["Refresh"] = "2"
    return made


def _seen(found: Visit, asked: Asked) -> tuple[Seen | None, bool, bool]:
    """What is seen, whether it is being worked out, whether it failed.

    The county takes every movement there is: it is kept, and worked out beside the page.
    """
    open_view = partial(view_of, found.service, found.as_of, found.known_at, None)
    if asked.start is not None:
        with open_view() as view:
            return look(view, asked), False, False
    key = ("fund flow", found.as_of, found.known_at)
    [block] = found.service.kept.blocks(open_view, key, {"fund flow": whole}).values()
    seen = _county(block.value, asked.year) if block.value is not None else None
    return seen, block.is_awaited, block.failed


def _files(found: Visit) -> list[tuple[str, str]]:
    path = found.request.url.path
    here = found.address(open=None)
    return [
        (name, here.replace(path, f"{path}.{form}", 1))
        for name, form in (
            ("CSV", "csv"), ("XLSX", "xlsx"), ("JSON", "json"), ("GraphML", "graphml"),
            ("SVG", "svg"),
        )
    ]  # fmt: skip


@router.get("/fund-flow.{form}")
async def fund_flow_file(found: Visiting, form: FileForm, asked: Asking) -> Response:
    """The edges of the picture by year; as GraphML with their nodes; or the picture itself."""
    assure_allowed(found, "/fund-flow")
    names = await run_in_threadpool(names_of, found)

    def filed() -> Response:
        with view_of(found.service, found.as_of, found.known_at, None) as view:
            seen = look(view, asked)
            name, headers = f"fund-flow-{view.as_of}", headers_of(view)
            if form == "svg":
                drawing = _drawing(found, asked, seen, names, links=False)
                return _saved(
                    render("console/drawing/sankey_file.svg", d=drawing),
                    "image/svg+xml",
                    f"{name}.svg",
                    headers,
                )
            if form == "graphml":
                text = graphml(seen.graph.nodes(), list(seen.graph.table().dicts()))
                return _saved(text, "application/graphml+xml", f"{name}.graphml", headers)
            if form == "json":
                nodes, lines = seen.graph.nodes(), list(seen.graph.table().dicts())
                return json_answer(head_of(view) | {"nodes": nodes, "edges": lines}, 200, headers)
            described = Described(view, names.title(asked, seen), _said(found, asked))
            return table_file(_table(seen), form, "fund-flow", headers, described)

    return await run_in_threadpool(filed)


def _said(found: Visit, asked: Asked) -> str:
    """What the picture is of, in words."""
    year = f"{found.words('flow.year')} {asked.year or found.words('list.all')}"
    if asked.start is None:
        return year
    return f"{found.words('flow.hops', count=asked.hops)} · {year}"


def _table(seen: Seen) -> Table:
    """The lines as the page shows them."""
    rules = (sorted({flag.rule for flag in line.flags}) for line in seen.lines)
    return Table(SHOWN, [(*line[:10], said) for line, said in zip(seen.lines, rules, strict=True)])


def _saved(content: bytes | str, media: str, name: str, headers: Mapping[str, str]) -> Response:
    kept = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(content, media_type=media, headers={**headers, **kept})
