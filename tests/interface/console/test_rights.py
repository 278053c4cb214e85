"""Every page × every role: a page opens to whom the permission table opens its query."""

from __future__ import annotations

import re

import pytest
from support.browser import Browser
from support.county import ORGANISATIONS

from domain.roles import Role
from interface.console.app import router
from interface.http.permissions import QUERIES

OPEN_TO_ALL = {"/", "/sign-in", "/sessions", "/qr.svg", "/help", "/help/{word}", "/favicon.ico"}
"""Pages of nobody's rows."""
OF_THE_AUDITOR = {"/audit/{name}"}
"""What the auditor alone takes away: tests/interface/console/test_audit.py."""
NAMED_OTHERWISE = {
    "/overview": "/ledgers/loans",
    "/search": "/subsidy-payments/{no}/trace",
    "/subsidy-payments/{no}": "/subsidy-payments/{no}/trace",
    "/subsidy-payments/{no}/proof.json": "/subsidy-payments/{no}/trace",
    "/duties/month": "/duties",
    "/audit": "/log",
    "/fund-flow/misuse/accounts": "/fund-flow/misuse",
    "/fund-flow/unlinked/{category}": "/fund-flow/unlinked",
    "/red-flags/schemes/{id:path}": "/red-flags/schemes",
    "/red-flags/{rule}/{subject:path}": "/red-flags",
    "/audit/checkpoints": "/log/checkpoint",
    "/audit/checkpoints/{size}": "/log/checkpoint",
    "/audit/paper": "/log/checkpoint",
    "/audit/personal": "/households/{no}/looks",
    "/audit/jobs/{number}": "/red-flags",
}
"""By page: the query that it shows, where it is not called as the page is."""


WELL_FORMED = {
    "form": "csv",
    "rule": "RF01",
    "period": "2023Q3",
    "event_id": "999999999",
    "pseudonym": "person-000000000000000000000000",
}
"""By parameter of a path: what may be asked for, though there is none; else a 0 is."""
ASKED_WITH = {"/batches/{no}/slip": "?household_no=0", "/red-flags/{rule}/evidence": "?subject=0"}


def pages() -> list[str]:
    """Every address of the console that answers a GET, but what a browser loads beside pages."""
    found = {
        route.path  # type: ignore[attr-defined]
        for route in router.routes
        if "GET" in getattr(route, "methods", ())
    }
    return sorted(each for each in found if not each.startswith("/static/"))


def query_of(page: str) -> str | None:
    """The row of the permission table that opens a page; None: no row, and nobody may see it."""
    bare = re.sub(r"\.(\{form\}|csv|xlsx|json|ics|svg|graphml)$", "", page)
    bare = bare.replace("{bank}/", "")
    for name in (NAMED_OTHERWISE.get(page), NAMED_OTHERWISE.get(bare), page, bare):
        if name in QUERIES:
            return name
    return None


@pytest.mark.parametrize(
    "page", [each for each in pages() if each not in OPEN_TO_ALL | OF_THE_AUDITOR]
)
def test_a_page_opens_to_whom_the_table_opens_its_query(
    browsers: dict[str, Browser], page: str
) -> None:
    query = query_of(page)
    assert query, f"no row of the permission table opens {page}"
    address = re.sub(r"\{(\w+)(:path)?\}", lambda found: WELL_FORMED.get(found[1], "0"), page)
    address += ASKED_WITH.get(page, "")
    for organisation in ORGANISATIONS:
        open_to_him = QUERIES[query].get(Role(organisation.role), "-") != "-"
        status = browsers[organisation.code].get(address).status_code
        assert (status != 403) == open_to_him, (organisation.code, address, status)
        assert status < 500, (organisation.code, address, status)
