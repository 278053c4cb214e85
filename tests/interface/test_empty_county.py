"""Every question without a name in its path is answered: before the first event, and always."""

from __future__ import annotations

from collections.abc import Iterator
from time import sleep
from typing import Any

from support import controls as c
from support.service import Callers, service

NEEDED = {
    "period": "2023Q2",
    "known_from": "2023-01-01T00:00:00Z",
    "q": "L1",
    "from": "bank:NRCB",
    "to": "household:H1",
}
"""A value for each parameter that a question cannot do without."""
READERS = ("BUREAU", "CENTRE", "FINANCE", "AUDIT", "NRCB", "T01", "DB")
OF_THE_TREE = ("/v1/log/checkpoint", "/v1/log/proofs")
"""What asks about the tree waits until something is signed, and is not answered before that."""


def questions(callers: Callers, also: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each GET of the contract without a name in its path, and what it is asked with.

    `also`: what is asked of those that take it.
    """
    paths = callers.client.get("/v1/openapi.json").json()["paths"]
    for path, methods in sorted(paths.items()):
        if (
            "get" in methods
            and "{" not in path
            and path.startswith("/v1")
            and not path.startswith(OF_THE_TREE)
        ):
            told = methods["get"].get("parameters", [])
            needed = {p["name"]: NEEDED[p["name"]] for p in told if p.get("required")}
            taken = {p["name"]: also[p["name"]] for p in told if p["name"] in also}
            yield path, needed | taken


def drawn(callers: Callers) -> None:
    """Wait until the service has drawn its facts for the first time."""
    for _ in range(600):
        if callers.AUDIT.get("/batches").status_code == 200:
            return
        sleep(0.05)
    raise AssertionError("no facts")


def walk(
    callers: Callers, readers: tuple[str, ...] = READERS, **also: Any
) -> dict[tuple[str, str], Any]:
    """How each question was answered to each reader who may put it."""
    drawn(callers)
    found = {}
    for path, query in questions(callers, also):
        for reader in readers:
            answer = getattr(callers, reader).get(path.removeprefix("/v1"), **query)
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

    assert refused(answers) == {}
    for path in ("/v1/settlement", "/v1/duties"):
        assert answers[path, "AUDIT"].json()["lines"] == []
    assert not any(line["value"] for line in answers["/v1/indicators", "AUDIT"].json()["lines"])
    flags = answers["/v1/red-flags", "AUDIT"].json()["rules"]
    assert {flag["status"] for flag in flags} == {"clean"}


def _submit(caller: Any, path: str, command: Any) -> None:
    answer = caller.post(path, {"ref": command.ref, **c.body(command)})
    assert answer.status_code == 201, answer.text


def test_loans_that_no_ruling_judges_stop_no_question_at_any_two_dates(database: Any) -> None:
    slip = c.loan(ref="LN-X", loan_no="X1", contract_on="1993-03-10")
    old = {"effective_on": "1995-05-01", "contract_on": "1995-05-01", "due_on": "1996-05-01"}
    with service(database) as callers:
        _submit(callers.BUREAU, "/households", c.household())
        for loan in (c.loan(), slip, c.loan(ref="LN-O", loan_no="O1", **old)):
            _submit(callers.NRCB, "/loans", loan)
        drawn(callers)
        position = callers.client.get("/healthz").json()["log_position"]
        callers.AUDIT.get("/batches", position=position)
        for also in ({}, {"as_of": "1995-06-01"}, {"known_at": "2000-01-01T00:00:00Z"}):
            answers = walk(callers, readers=("AUDIT",), **also)
            assert refused(answers) == {}, also
            if not also:
                lines = answers["/v1/settlement", "AUDIT"].json()["lines"]
                assert {line["loan_no"] for line in lines if line["due_fen"]} == {"L1"}
                assert answers["/v1/settlement", "AUDIT"].json()["not_judged"] == 3
                flags = answers["/v1/red-flags", "AUDIT"].json()["rules"]
                assert "error" not in {flag["status"] for flag in flags}
