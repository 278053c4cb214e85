"""The duties over HTTP: lists, counts, a calendar, and who sees whose."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import pytest
from support import controls
from support.service import Callers, service


def body(command: Any, *without: str) -> dict[str, Any]:
    plain = command.model_dump(mode="json", exclude_none=True)
    return {name: value for name, value in plain.items() if name not in without}


@pytest.fixture(scope="module")
def callers(shared_database: Any) -> Iterator[Callers]:
    """One loan of 2023-03-10, checked once in time and once late, reminded once by telephone."""
    checks = ("2023-06-08", "2023-09-20")
    with service(shared_database) as callers:
        for answer in (
            callers.BUREAU.post("/households", body(controls.household())),
            callers.T01.post("/households/H1/demands", body(controls.demand(), "household_no")),
            callers.NRCB.post("/households/H1/credits", body(controls.credit(), "household_no")),
            callers.NRCB.post("/loans", body(controls.loan())),
            *(
                callers.T01.post(
                    "/loans/L1/usage-checks",
                    body(controls.check(ref=day, effective_on=day), "loan_no"),
                )
                for day in checks
            ),
            callers.NRCB.post("/loans/L1/reminders", body(controls.remind(), "loan_no")),
        ):
            assert answer.status_code == 201, answer.text
        callers.position = answer.json()["position"]
        yield callers


def states(callers: Callers, **query: Any) -> list[tuple[str, str, str]]:
    answer = callers.AUDIT.get("/duties", position=callers.position, **query)
    assert answer.status_code == 200, answer.text
    return [(line["duty"], line["due_on"], line["state"]) for line in answer.json()["lines"]]


def test_the_list_says_what_was_done_late_and_not_done(callers: Callers) -> None:
    assert states(callers, as_of="2024-03-15", due_until="2024-03-15") == [
        ("decision", "2023-02-01", "done"),
        ("usage_check", "2023-06-10", "done"),
        ("usage_check", "2023-09-10", "late"),
        ("usage_check", "2023-12-10", "not_done"),
        ("first_reminder", "2024-01-10", "done"),
        ("written_reminder", "2024-02-09", "not_done"),
        ("repayment_plan", "2024-03-10", "not_done"),
        ("usage_check", "2024-03-10", "not_done"),
    ]


def test_on_an_earlier_day_nothing_later_is_known(callers: Callers) -> None:
    assert ("usage_check", "2023-06-10", "pending") in states(callers, as_of="2023-06-07")
    assert ("usage_check", "2023-09-10", "not_done") in states(callers, as_of="2023-09-11")


def test_pages_joined_are_the_whole_list(callers: Callers) -> None:
    whole = states(callers, as_of="2024-03-15")
    seen: list[tuple[str, str, str]] = []
    query: dict[str, Any] = {"as_of": "2024-03-15", "limit": 2}
    while True:
        answer = callers.AUDIT.get("/duties", **query).json()
        seen += [(line["duty"], line["due_on"], line["state"]) for line in answer["lines"]]
        if answer["next"] is None:
            break
        query["cursor"] = answer["next"]
    assert seen == whole and len(whole) > 6


def test_the_counts_are_those_of_the_list(callers: Callers) -> None:
    lines = callers.AUDIT.get("/duties/summary", as_of="2024-03-15").json()["lines"]
    counted = {line["duty"]: (line["done"], line["late"], line["not_done"]) for line in lines}
    assert counted["usage_check"] == (1, 1, 2)
    assert counted["written_reminder"] == (0, 0, 1)


def test_the_list_leaves_as_a_file_and_the_open_duties_as_a_calendar(callers: Callers) -> None:
    answer = callers.NRCB.get("/duties", accept="text/csv", as_of="2024-03-15")
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert any("贷后检查" in row for row in rows)
    text = callers.T01.get("/duties/calendar.ics", as_of="2024-03-15", due_until="2024-03-15").text
    assert text.count("BEGIN:VEVENT") == text.count("END:VEVENT") == 4
    assert "DTSTART;VALUE=DATE:20240209\r\n" in text
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))


def test_a_bank_sees_the_duties_of_its_own_loans_a_township_those_of_its_own_households(
    callers: Callers,
) -> None:
    for caller, lines in ((callers.NRCB, 8), (callers.T01, 8), (callers.PSBC, 0), (callers.T02, 0)):
        query = {"as_of": "2024-03-15", "due_until": "2024-03-15"}
        assert len(caller.get("/duties", **query).json()["lines"]) == lines
    assert callers.PSBC.get("/duties", bank="NRCB").status_code == 403


def test_a_duty_or_state_that_there_is_not_is_refused(callers: Callers) -> None:
    assert callers.AUDIT.get("/duties", state="done ").status_code == 422
    assert callers.AUDIT.get("/duties", duty="x").status_code == 422
