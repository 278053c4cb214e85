"""The console's pages put together."""

from __future__ import annotations

from fastapi import APIRouter

from interface.console import (
    changes,
    duties,
    ledgers,
    overview,
    paper,
    payment,
    ratings,
    sheets,
    sign_in,
    static_files,
)

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
    sheets,
    static_files,
):
    router.routes.extend(_page.router.routes)
