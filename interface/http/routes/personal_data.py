"""Routes to personal data unmasked: a look is in the log before anything is shown, and counted."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Path, Request, Response
from prometheus_client import Counter
from starlette.concurrency import run_in_threadpool

from application.commands.household import LookAtHousehold
from application.fields import NUMBER
from application.ledger import Recorded, Submission
from application.refusals import TooManyLooks
from domain.household import Household, HouseholdUnknown
from domain.kernel import Author
from domain.roles import Role
from interface.http import schemas as s
from interface.http.masked_names import laid_open, looks_at
from interface.http.query_params import AsOf, KnownAt, described, view_of_log
from interface.http.responses import form_of, headers_of, json_answer, table_file
from interface.http.routes.commands import command_route, recorded_content
from interface.http.service import Service, service_of
from interface.http.strict_json import StrictRoute
from projections.facts.reading import Connection, Table
from projections.history.columns import LOOKS

router = APIRouter(prefix="/v1", tags=["个人信息 personal data"], route_class=StrictRoute)

_LOOKED = s.with_files(
    "Looks",
    household_no=s.TEXT,
    as_of=s.optional(s.DAY),
    known_at=s.optional(s.INSTANT),
    looks=s.several(s.line("LooksLine", LOOKS)),
)
_LOOK = s.answer(
    s.RECORDED_HOUSEHOLD | {"title": "Look", "description": "个人信息 in clear, on record."},
    status=201,
) | s.answer(s.RECORDED_HOUSEHOLD | {"title": "LookRecorded"})

_LOOKS = Counter("mingzhang_looks", "Looks at personal data, by organisation", ["organisation"])
_TOO_MANY = Counter(
    "mingzhang_looks_refused", "Looks refused for being too many in a minute", ["organisation"]
)
_TOLD_BEFORE = {
    "code": "look_told_before",
    "title_zh": "此编号的查看已答复过：再次查看须用新编号另行登记",
    "title_en": "this look was answered before: another look needs a reference of its own",
}

No = Annotated[str, Path(pattern=NUMBER)]


@command_route(router, LookAtHousehold)
@s.answers(_LOOK, s.refused(TooManyLooks))
async def look(request: Request, command: LookAtHousehold) -> Response:
    """Answer with names, identity and account numbers in clear; the same `ref` shows nothing."""
    service = service_of(request)
    recorded, shown = await looked(service, await service.author(request), command)
    content = {"household_no": command.household_no, **recorded_content(recorded)}
    return (
        json_answer(content | _TOLD_BEFORE) if shown is None else json_answer(content | shown, 201)
    )


async def looked(
    service: Service, by: Author, command: LookAtHousehold
) -> tuple[Recorded, dict[str, Any] | None]:
    """Record a look, and what it shows; None where it was answered before. Raises TooManyLooks."""
    no = command.household_no
    try:
        recorded = await service.writer.submit(Submission(command, by))
    except TooManyLooks:
        _TOO_MANY.labels(by.organisation).inc()
        structlog.get_logger("looks").warning(
            "looks.too_many", organisation=by.organisation, person=by.person, household_no=no
        )
        raise
    if recorded.again:
        return recorded, None
    _LOOKS.labels(by.organisation).inc()
    return recorded, await run_in_threadpool(_shown, service, by, no)


def _shown(service: Service, by: Author, no: str) -> dict[str, Any]:
    bank = by.organisation if by.role == Role.BANK else None
    with service.facts.connection() as connection:
        return laid_open(connection, service.vault, no, bank=bank)


@router.get(
    "/households/{no}/looks", summary="查看记录 who looked at a household's people, when and why"
)
@s.answers(_LOOKED, s.refused(HouseholdUnknown))
async def looks(request: Request, no: No, as_of: AsOf = None, known_at: KnownAt = None) -> Response:
    service = service_of(request)
    await service.reader(request)
    form = form_of(request)

    def answer() -> Response:
        if form != "json":
            with view_of_log(service, as_of, known_at) as view:
                table = _looks(view.connection, no, view.known_at, view.as_of)
                told = described(request, view, f"looks at {no}")
                return table_file(table, form, "looks", headers_of(view), told)
        with service.facts.connection() as connection:
            table = _looks(connection, no, known_at, as_of)
        head = {"household_no": no, "as_of": as_of, "known_at": known_at}
        return json_answer(head | {"looks": list(table.dicts())})

    return await run_in_threadpool(answer)


def _looks(connection: Connection, no: str, known_at: datetime | None, as_of: date | None) -> Table:
    """The looks at a household. Raises HouseholdUnknown."""
    table = looks_at(connection, Household.id_for(no), known_at, as_of)
    if table is None:
        raise HouseholdUnknown(household_no=no)
    return table
