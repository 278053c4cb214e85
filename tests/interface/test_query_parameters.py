"""A query parameter that a route does not know is refused, on every route; so is a wrong filter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute
from support import controls as c
from support.county import conversation
from support.service import Callers, service

from interface.http.checked_route import CheckedRoute

PLACES = {
    "{event_id}": f"{'0' * 8}-0000-0000-0000-{'0' * 12}.1",
    "{pseudonym}": f"account-{'0' * 24}",
    "{rule}": "RF01",
    "{no}": "H1",
}
NEAREST = {
    "asof": "as_of", "as-of": "as_of", "AS_OF": "as_of", "known-at": "known_at",
    "knownat": "known_at", "townships": "township", "Bank": "bank", "limits": "limit",
}  # fmt: skip
FILTERED = (
    "/ledgers/loans", "/ledgers/subsidies", "/duties", "/duties/summary", "/duties/calendar.ics",
    "/reports/townships", "/reports/annual", "/red-flags", "/cases",
)  # fmt: skip


@pytest.fixture(scope="module")
def callers(shared_database: Any) -> Iterator[Callers]:
    with conversation(shared_database) as ledger:
        ledger.submit(c.household(township_code="T09"), c.BUREAU)
        last = ledger.submit(c.loan(), c.BANK).position
    with service(shared_database) as callers:
        assert callers.AUDIT.get("/ledgers/loans", position=last).status_code == 200
        yield callers


def test_every_route_of_the_contract_refuses_a_parameter_that_it_does_not_know(
    callers: Callers,
) -> None:
    routes = [
        route
        for route in callers.client.app.routes
        if isinstance(route, APIRoute) and route.include_in_schema
    ]
    assert len(routes) > 110
    headers = {"Authorization": f"Bearer {callers.keys['AUDIT']}"}
    for route in routes:
        assert isinstance(route, CheckedRoute), route.path
        path = route.path
        for place, value in PLACES.items():
            path = path.replace(place, value)
        [method] = route.methods
        asked = f"{path}?as__off=2023-01-01"
        if path.startswith("/v1/"):
            assert callers.client.request(method, asked).status_code == 401
        answer = callers.client.request(method, asked, headers=headers)
        if answer.status_code == 403:  # a role that may not send the command at all
            assert method == "POST"
            continue
        assert answer.status_code == 422, f"{method} {path}: {answer.text}"
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert problem["code"] == "unknown_parameter"
        assert problem["title_zh"].startswith("没有查询参数 as__off")
        assert problem["details"]["parameter"] == "as__off"


@pytest.mark.parametrize(("given", "meant"), NEAREST.items())
def test_the_nearest_name_is_told(callers: Callers, given: str, meant: str) -> None:
    refused = callers.AUDIT.get("/ledgers/loans", **{given: "x"})
    assert refused.status_code == 422
    problem = refused.json()
    assert problem["details"] == {"parameter": given, "nearest": meant}
    assert problem["title_zh"] == f"没有查询参数 {given}，是否指 {meant}？"
    assert problem["errors"][0]["pointer"] == f"/{given}"


def test_a_command_takes_no_parameter_and_nothing_is_recorded(callers: Callers) -> None:
    before = callers.AUDIT.get("/log").json()["position"]
    body = c.repay().model_dump(mode="json", exclude={"loan_no"}, exclude_none=True)
    refused = callers.NRCB.post("/loans/L1/repayments?dry_run=true", body)
    assert (refused.status_code, refused.json()["code"]) == (422, "unknown_parameter")
    assert refused.json()["title_zh"] == "没有查询参数 dry_run，此接口不带查询参数"
    refused = callers.NRCB.send("/submissions?Atomic=true", content=b"")
    assert refused.json()["details"]["nearest"] == "atomic"
    assert callers.AUDIT.get("/log").json()["position"] == before


def test_a_parameter_given_twice_is_refused(callers: Callers) -> None:
    refused = callers.AUDIT.get("/ledgers/loans", as_of=["2023-01-01", "2024-01-01"])
    assert (refused.status_code, refused.json()["code"]) == (422, "repeated_parameter")


@pytest.mark.parametrize("path", FILTERED)
def test_a_bank_or_township_that_does_not_exist_is_refused(callers: Callers, path: str) -> None:
    for name, zh in (("bank", "银行"), ("township", "乡镇")):
        refused = callers.AUDIT.get(path, **{name: "NRBC"})
        assert (refused.status_code, refused.json()["code"]) == (422, "unknown_filter"), path
        assert refused.json()["title_zh"] == f"没有这个{zh}：NRBC"
        assert refused.json()["errors"][0]["pointer"] == f"/{name}"
    for name, code in (("bank", "PSBC"), ("township", "T02"), ("township", "T09")):
        assert callers.AUDIT.get(path, **{name: code}).status_code == 200, (path, code)


def test_a_bank_learns_nothing_of_others_by_a_filter(callers: Callers) -> None:
    for other in ("PSBC", "NRBC"):
        assert callers.NRCB.get("/ledgers/loans", bank=other).status_code == 403


def test_a_quarter_that_cannot_be_is_refused(callers: Callers) -> None:
    for path in ("/ledgers/subsidies", "/settlement", "/programme/replay"):
        for period in ("2023Q9", "2023", "2023q4"):
            assert callers.AUDIT.get(path, period=period).status_code == 422, (path, period)
    assert callers.AUDIT.get("/ledgers/subsidies", period="2023Q2").status_code == 200


def test_a_strange_name_is_shown_short_and_whole(callers: Callers) -> None:
    refused = callers.AUDIT.get("/ledgers/loans", **{"好" * 500: 1})
    assert refused.status_code == 422
    assert refused.json()["details"]["parameter"] == "好" * 100
