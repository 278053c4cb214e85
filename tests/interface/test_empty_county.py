"""Every question without a name in its path is answered: before the first event, and always."""

from __future__ import annotations

from collections.abc import Iterator
from time import sleep
from typing import Any

import pytest
from support import controls as c
from support.service import Callers, service

NEEDED = {
    "period": "2023Q2",
    "known_from": "2023-01-01T00:00:00Z",
    "position": 1,
    "size": 1,
    "old": 1,
}
"""A value for each parameter that a question cannot do without."""
READERS = ("BUREAU", "CENTRE", "FINANCE", "AUDIT", "NRCB", "T01", "DB")
NOTHING_SIGNED = {
    f"/v1/log/{path}": {"not_sealed_yet"}
    for path in ("checkpoint", "checkpoint/page", "proofs/consistency", "proofs/inclusion")
}
"""What asks about a tree of which nothing is signed yet."""


def questions(callers: Callers) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each GET of the contract without a name in its path, and what it has to be asked with."""
    paths = callers.client.get("/v1/openapi.json").json()["paths"]
    for path, methods in sorted(paths.items()):
        if "get" in methods and "{" not in path and path.startswith("/v1"):
            told = methods["get"].get("parameters", [])
            yield path, {p["name"]: NEEDED[p["name"]] for p in told if p.get("required")}


def drawn(callers: Callers) -> None:
    """Wait until the service has drawn its facts for the first time."""
    for _ in range(600):
        if callers.AUDIT.get("/batches").status_code == 200:
            return
        sleep(0.05)
    raise AssertionError("no facts")


def walk(callers: Callers, **also: Any) -> dict[tuple[str, str], Any]:
    """How each question was answered to each reader who may put it."""
    drawn(callers)
    found = {}
    for path, query in questions(callers):
        for reader in READERS:
            answer = getattr(callers, reader).get(path.removeprefix("/v1"), **query, **also)
            if answer.status_code != 403:
                found[path, reader] = answer
    return found


def refused(answers: dict[tuple[str, str], Any]) -> dict[str, set[Any]]:
    """The questions that were not answered, with the codes of the refusals."""
    found: dict[str, set[Any]] = {}
    for (path, _), answer in answers.items():
        if answer.status_code != 200:
            found.setdefault(path, set()).add(answer.json().get("code"))
    return found


def test_before_the_first_event_every_question_is_answered_and_nothing_is_there(
    database: Any,
) -> None:
    with service(database) as callers:
        answers = walk(callers)

    assert refused(answers) == NOTHING_SIGNED
    for path in ("/v1/settlement", "/v1/duties"):
        assert answers[path, "AUDIT"].json()["lines"] == []
    assert not any(line["value"] for line in answers["/v1/indicators", "AUDIT"].json()["lines"])
    flags = answers["/v1/red-flags", "AUDIT"].json()["rules"]
    assert {flag["status"] for flag in flags} == {"clean"}
