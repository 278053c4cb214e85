"""Final answers are named, kept, and not sent twice; what an erasure takes away is not kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support import controls as c
from support.browser import lend_and_pay
from support.service import Callers, service

DAY = {"as_of": "2024-01-31"}


@pytest.fixture(scope="module")
def callers(shared_database: Any) -> Iterator[Callers]:
    with service(shared_database) as callers:
        lend_and_pay(callers)
        yield callers


def now(callers: Callers) -> dict[str, str]:
    """Both dates, the later one being past."""
    known = callers.AUDIT.get("/ledgers/loans").json()["known_through"]
    return {**DAY, "known_at": known}


def again(callers: Callers, who: str, tag: str, path: str, **query: str) -> Any:
    headers = {
        "Authorization": f"Bearer {callers.keys[who]}",
        "Accept": "application/json",
        "If-None-Match": tag,
    }
    return callers.client.get(f"/v1{path}", params=query, headers=headers)


@pytest.mark.parametrize("path", ["/ledgers/loans", "/ledgers/subsidies", "/loans/L1", "/duties"])
def test_a_final_answer_is_named_and_not_sent_again(callers: Callers, path: str) -> None:
    dates = now(callers)
    first = callers.AUDIT.get(path, **dates)
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "private, no-cache"
    same = again(callers, "AUDIT", f'"x", {tag}', path, **dates)
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    kept = callers.AUDIT.get(path, **dates)
    assert kept.content == first.content
    assert kept.headers["content-type"] == first.headers["content-type"]
    other = {**dates, "as_of": "2024-01-30"}
    assert callers.AUDIT.get(path, **other).headers["etag"] != tag
    assert again(callers, "AUDIT", 'W/"x"', path, **dates).status_code == 200


def test_what_is_not_final_is_asked_each_time(callers: Callers) -> None:
    for query in ({}, DAY, {"known_at": now(callers)["known_at"]},
                  {**DAY, "known_at": "2035-01-01T00:00:00Z"}):  # fmt: skip
        answer = callers.AUDIT.get("/ledgers/loans", **query)
        assert "etag" not in answer.headers, query
        assert answer.headers["cache-control"] == "no-store"


def test_who_sees_a_part_is_asked_each_time(callers: Callers) -> None:
    dates = now(callers)
    tag = callers.AUDIT.get("/ledgers/loans", **dates).headers["etag"]
    for who in ("NRCB", "PSBC", "T01"):
        answer = again(callers, who, tag, "/ledgers/loans", **dates)
        assert answer.status_code == 200
        assert "etag" not in answer.headers
    assert again(callers, "ADMIN", tag, "/ledgers/loans", **dates).status_code == 403
    nobody = callers.client.get("/v1/ledgers/loans", params=dates, headers={"If-None-Match": tag})
    assert nobody.status_code == 401


def test_a_refusal_is_no_final_answer(callers: Callers) -> None:
    answer = callers.AUDIT.get("/loans/L9", **now(callers))
    assert answer.status_code == 404
    assert "etag" not in answer.headers


def test_later_events_leave_it_and_an_erasure_ends_it(callers: Callers) -> None:
    dates = now(callers)
    first = callers.AUDIT.get("/ledgers/loans", **dates)
    tag = first.headers["etag"]
    assert first.json()["lines"][0]["borrower_name"] == "张*"
    rest = c.repay(principal_fen=3_000_000, effective_on="2024-02-01")
    told = callers.NRCB.post("/loans/L1/repayments", c.body(rest, "loan_no") | {"ref": "RP-9"})
    assert told.status_code == 201, told.text
    callers.AUDIT.get("/ledgers/loans", position=told.json()["position"])
    assert again(callers, "AUDIT", tag, "/ledgers/loans", **dates).status_code == 304
    gone = callers.BUREAU.post(
        "/households/H1/erasure", c.body(c.erasure(), "household_no") | {"ref": "ER-1"}
    )
    assert gone.status_code == 201, gone.text
    after = again(callers, "AUDIT", tag, "/ledgers/loans", **dates)
    assert after.status_code == 200
    assert after.json()["lines"][0]["borrower_name"] is None
