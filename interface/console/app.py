"""The console's pages put together."""

from __future__ import annotations

from fastapi import APIRouter

from interface.console import (
    audit,
    batches,
    cases,
    changes,
    duties,
    event,
    finding,
    finding_groups,
    findings,
    help_pages,
    household,
    ledgers,
    loan,
    overview,
    paper,
    payment,
    programme,
    ratings,
    reports,
    search,
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
    audit,
    help_pages,
    programme,
    batches,
    reports,
    sheets,
    static_files,
):
    router.routes.extend(_page.router.routes)
