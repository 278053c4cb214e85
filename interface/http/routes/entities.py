"""Routes of accounts and persons across households and banks, by pseudonym."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path, Query, Response
from starlette.exceptions import HTTPException

from application.refusals import CursorMalformed
from interface.http import schemas as s
from interface.http.checked_route import CheckedRoute
from interface.http.query_params import (
    Cursor,
    Page,
    Read,
    opened,
)
from projections.entities import EntityKind, appearances, entities
from projections.entities.columns import APPEARANCES, ENTITIES
from projections.facts.reading import Table, View

router = APIRouter(prefix="/v1", tags=["资金流向 fund flow"], route_class=CheckedRoute)
_PSEUDONYM: Final = r"^(account|person)-[0-9a-f]{24}$"
Pseudonym = Annotated[str, Path(pattern=_PSEUDONYM)]
Role = Literal["borrower", "member", "payee", "payer", "receiver", "subsidy_payee"]


@router.get("/entities", summary="人、账户归并 one account or person across households and banks")
@s.answers(s.page("Entities", ENTITIES))
async def entity_list(
    read: Read,
    kind: EntityKind = "account",
    shared: Annotated[
        bool, Query(description="仅出现在多户的 only those of several households")
    ] = False,
    role: Role | None = None,
    cursor: Cursor = None,
    limit: Page = 100,
) -> Response:
    await read.reader()
    after = _before(cursor)

    def query(view: View, most: int | None) -> Table:
        return entities(view, kind, shared=shared, role=role, after=after, most=most)

    name = f"{kind}-entities"
    return await read.page(name, query, limit, ("pseudonym",))


def _before(cursor: str | None) -> str | None:
    """The pseudonym of the line before a page. Raises CursorMalformed."""
    values = opened(cursor, 1)
    if values is None:
        return None
    if not re.match(_PSEUDONYM, values[0]):
        raise CursorMalformed
    return str(values[0])


@router.get("/entities/{pseudonym}", summary="出现记录 every event in which one appears")
@s.answers(s.table("Appearances", APPEARANCES))
async def entity(
    read: Read,
    pseudonym: Pseudonym,
) -> Response:
    await read.reader()

    def query(view: View) -> Table:
        found = appearances(view, pseudonym)
        if not found.rows:
            raise HTTPException(404)
        return found

    return await read.table(pseudonym, query)
