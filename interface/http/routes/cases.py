"""Routes of cases: what findings belong together, opening a case on them, and how far each is.

The steps of a case are commands alone: `routes.commands`. The office that supervises sees all;
an organisation that was asked to explain something sees what it was asked, and no more.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from application.commands.case import JoinCase, OpenCase, WithFindings
from application.event_store.log_queries import last_position
from application.workflows.case_findings import with_findings
from domain.case import Case, CaseUnknown, Found
from domain.kernel import Author
from domain.roles import SUPERVISION
from interface.http import schemas as s
from interface.http.query_params import (
    Code,
    Cursor,
    No,
    Page,
    Read,
    assure_known,
    opened,
    page_of,
    view_of,
)
from interface.http.responses import headers_of, table_file
from interface.http.routes.commands import command_route, submitted
from interface.http.routes.red_flags import rules_for
from interface.http.service import Service, service_of
from interface.http.strict_json import StrictRoute
from interface.http.visibility import visible
from projections.cases import (
    Filter,
    case_findings,
    case_loans,
    case_recoveries,
    cases,
    cases_asking,
)
from projections.cases.columns import CASES, FINDINGS, LOANS, RECOVERIES, REQUESTS
from projections.facts.reading import Table, View
from projections.history import history
from projections.schemes import as_table, file_table, found, schemes
from projections.schemes.columns import COLUMNS as SCHEMES
from projections.schemes.columns import WITHOUT_CASES

router = APIRouter(prefix="/v1", tags=["线索 cases"], route_class=StrictRoute)

_NOT_CHECKED = s.several(s.TEXT)
_SCHEMES = s.either(
    s.page("Schemes", WITHOUT_CASES, not_checked=_NOT_CHECKED),
    s.page("SchemesWithCases", SCHEMES, not_checked=_NOT_CHECKED),
)
_CASES = s.either(s.table("Cases", CASES), s.table("CaseRequests", REQUESTS))
_CASE = s.either(
    s.found(
        "Case",
        case=s.line("CasesLine", CASES),
        findings=s.several(s.line("CaseFinding", FINDINGS)),
        loans=s.several(s.line("CaseLoan", LOANS)),
        recoveries=s.several(s.line("CaseRecovery", RECOVERIES)),
        steps=s.several(s.EVENT),
    ),
    s.found(
        "CaseAsked",
        requests=s.several(s.line("CaseRequest", REQUESTS)),
        steps=s.several(s.EVENT),
    ),
)

Rule = Annotated[
    str | None,
    Query(pattern="^(RF[0-9]{2}|objection)$", description="规则，缺省为全部 default: all"),
]
Stage = Literal["opened", "assigned", "proposed", "upheld", "dismissed", "closed"]


# ---- what was found -------------------------------------------------------------------


@router.get("/red-flags/schemes", summary="同一套路 findings that belong together, by any rule")
@s.answers(_SCHEMES)
async def scheme_list(
    read: Read,
    rule: Rule = None,
    limit: Page = 200,
    cursor: Cursor = None,
) -> Response:
    """At stake: no fen of one loan twice. `cases` hold findings of it: for the auditor alone."""
    author, _ = await read.reader()
    form = read.form
    after = opened(cursor, 1)
    with_cases = author.role == SUPERVISION

    def answer(view: View) -> Response:
        groups = schemes(view, wanted=rules_for(author))
        asked = [s for s in groups.schemes if rule is None or rule in {f.rule for f in s.findings}]
        if form != "json":
            table = file_table(asked, with_cases=with_cases)
            told = read.described(view, "schemes")
            return table_file(table, form, "schemes", headers_of(view), told)
        rest = [s for s in asked if after is None or s.id > after[0]][: limit + 1]
        table = as_table(rest, with_cases=with_cases)
        return page_of(view, table, limit, ("scheme",), not_checked=groups.failed)

    return await read.respond(answer)


@command_route(router, OpenCase)
async def open_case(request: Request, command: OpenCase) -> Response:
    """Answer with the case on all findings of the schemes named."""
    return await _with_findings(request, command)


@command_route(router, JoinCase)
async def join_case(request: Request, command: JoinCase) -> Response:
    """Answer with what is in no case yet of the schemes that the case holds a part of."""
    return await _with_findings(request, command)


async def _with_findings(request: Request, command: WithFindings) -> Response:
    service = service_of(request)
    by = await service.author(request)
    whole = await run_in_threadpool(with_findings, command, by, _Schemes(service))
    return await submitted(request, whole)


class _Schemes(NamedTuple):
    """`Schemes` from the facts."""

    service: Service

    def found(self, command: WithFindings, case_no: str | None) -> Found:
        with self.service.facts.connection() as connection:
            last = last_position(connection)
        names = [f"{each.rule} {each.subject}" for each in command.findings]
        objections = [(each.batch_no, each.objection_no) for each in command.objections]
        with view_of(self.service, command.as_of, command.known_at, last) as view:
            return found(view, names, objections, case_no)


# ---- reading --------------------------------------------------------------------------


@router.get("/cases", summary="线索 the cases and how far each has come; or what one is asked")
@s.answers(_CASES)
async def case_list(
    read: Read,
    stage: Annotated[Stage | None, Query()] = None,
    rule: Rule = None,
    bank: Code = None,
    township: Code = None,
) -> Response:
    author, _ = await read.reader()

    wanted = Filter(None, stage, rule, bank, township)
    return await read.table("cases", lambda view: cases_for(view, author, wanted))


@router.get("/cases/{no}", summary="一件线索 what it rests on, every step, what came back")
@s.answers(_CASE, s.refused(CaseUnknown))
async def one_case(read: Read, no: No) -> Response:
    author, _ = await read.reader()
    return await read.json(lambda view: case_for(view, no, author))


def cases_for(view: View, reader: Author, wanted: Filter) -> Table:
    """All cases for the supervision; for others what they are asked. Raises FilterUnknown."""
    assure_known(view, wanted.bank, wanted.township)
    if reader.role != SUPERVISION:
        return cases_asking(view, reader.organisation)
    return cases(view, wanted)


def case_for(view: View, no: str, reader: Author) -> dict[str, Any]:
    """One case as a reader sees it. Raises CaseUnknown."""
    return _whole(view, no) if reader.role == SUPERVISION else _asked(view, no, reader)


def _whole(view: View, no: str) -> dict[str, Any]:
    """Raises CaseUnknown."""
    line = next(cases(view, Filter(case_no=no)).dicts(), None)
    if line is None:
        raise CaseUnknown(case_no=no)
    events = history(view.connection, [Case.id_for(no)], view.known_at, view.as_of)
    return {
        "case": line,
        "findings": list(case_findings(view, no).dicts()),
        "loans": list(case_loans(view, no).dicts()),
        "recoveries": list(case_recoveries(view, no).dicts()),
        "steps": [event.plain() for event in events],
    }


def _asked(view: View, no: str, reader: Author) -> dict[str, Any]:
    """What the reader was asked and what he said. Raises CaseUnknown as if there were none."""
    requests = list(cases_asking(view, reader.organisation, no).dicts())
    if not requests:
        raise CaseUnknown(case_no=no)
    events = history(view.connection, [Case.id_for(no)], view.known_at, view.as_of)
    seen = visible(view.connection, reader, events)
    return {"requests": requests, "steps": [event.plain() for event in seen]}
