"""The console's pages put together."""

from __future__ import annotations

from fastapi import APIRouter, Response

from interface.console import (
    event,
    household,
    ledgers,
    loan,
    overview,
    payment,
    ratings,
    search,
    sign_in,
)
from interface.console.frame import STYLE, style_sheet

router = APIRouter(include_in_schema=False)
_PAGES = (
    sign_in,
    overview,
    ledgers,
    payment,
    ratings,
    loan,
    household,
    event,
    search,
)
for _page in _PAGES:
    router.routes.extend(_page.router.routes)


@router.get(STYLE)
async def style() -> Response:
    return style_sheet()
