"""The console's pages put together."""

from __future__ import annotations

from fastapi import APIRouter, Response

from interface.console import (
    cases,
    changes,
    duties,
    event,
    finding,
    finding_groups,
    findings,
    household,
    ledgers,
    loan,
    overview,
    paper,
    payment,
    ratings,
    search,
    sign_in,
)
from interface.console.frame import STYLE, style_sheet

router = APIRouter(include_in_schema=False)
for _page in (
    sign_in,
    overview,
    ledgers,
    payment,
    ratings,
    findings,
    finding_groups,
    finding,  # its address takes the rest of /red-flags
    cases,
    paper,
    duties,
    changes,
    loan,
    household,
    event,
    search,
):
    router.routes.extend(_page.router.routes)


@router.get(STYLE)
async def style() -> Response:
    return style_sheet()
