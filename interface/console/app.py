"""The console's pages put together."""

from __future__ import annotations

from fastapi import APIRouter, Response

from interface.console import (
    audit,
    changes,
    duties,
    help_pages,
    ledgers,
    overview,
    paper,
    payment,
    ratings,
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
    paper,
    duties,
    changes,
    audit,
    help_pages,
):
    router.routes.extend(_page.router.routes)


@router.get(STYLE)
async def style() -> Response:
    return style_sheet()
