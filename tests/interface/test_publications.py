"""A published report stays as it was, can be made again, and shows what came late."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from support import controls as c
from support.service import Callers, service

from interface.exports import table_files

REPORTS = ("townships", "indicators", "banks", "annual", "funds")


@pytest.fixture(scope="module")
def callers(shared_database: Any) -> Iterator[Callers]:
    """A loan of March 2023, of which 20 000 yuan came back in August."""
    with service(shared_database) as callers:
        for caller, path, body in (
            (callers.BUREAU, "/households", c.body(c.household()) | {"ref": "HH-1"}),
            (callers.NRCB, "/loans", c.body(c.loan()) | {"ref": "LN-1"}),
            (callers.NRCB, "/loans/L1/repayments", c.body(c.repay(), "loan_no") | {"ref": "RP-1"}),
            (callers.FINANCE, "/funds/allocations", c.body(c.allocate()) | {"ref": "XD-1"}),
        ):
            assert caller.post(path, body).status_code == 201
        yield callers


def publish(callers: Callers, report: str, ref: str, status: int = 201, **other: Any) -> Any:
    body = {
        "ref": ref,
        "effective_on": "2024-01-10",
        "publication_no": ref,
        "report": report,
        "as_of": "2023-12-31",
        **other,
    }
    answer = callers.CENTRE.post("/publications", body)
    assert answer.status_code == status, answer.text
    return answer.json()


@pytest.mark.parametrize("report", REPORTS)
def test_a_published_report_is_the_same_bytes_for_ever(callers: Callers, report: str) -> None:
    first = publish(callers, report, f"A-{report}")
    file = callers.AUDIT.get(f"/publications/A-{report}", accept="text/csv")
    assert file.headers["x-sha256"] == hashlib.sha256(file.content).hexdigest()
    assert publish(callers, report, f"A-{report}", 200) == {**first, "again": True}
    found = callers.AUDIT.get(f"/publications/A-{report}/check").json()
    assert (found["unaltered"], found["reproduced"], found["differences"]) == (True, True, [])
    assert found["rules_then"] == found["rules_now"]
    lines = callers.AUDIT.get("/publications", position=first["position"]).json()["lines"]
    assert found["sha256"] in {line["sha256"] for line in lines}


def test_a_report_published_under_earlier_headings_is_made_again_under_them(
    callers: Callers, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(table_files, "_FILE_UNITS", {})
        publish(callers, "funds", "D-1")
    assert "allocated_fen" in callers.AUDIT.get("/publications/D-1").text
    found = callers.AUDIT.get("/publications/D-1/check").json()
    assert (found["unaltered"], found["reproduced"], found["differences"]) == (True, True, [])
    publish(callers, "funds", "D-2")
    assert "allocated_yuan" in callers.AUDIT.get("/publications/D-2").text


def test_what_is_told_late_shows_as_differences_and_alters_nothing(callers: Callers) -> None:
    publish(callers, "annual", "B-1")
    before = callers.AUDIT.get("/publications/B-1").content
    late = c.body(c.repay(effective_on="2023-12-01", principal_fen=1_000_000), "loan_no")
    told = callers.NRCB.post("/loans/L1/repayments", {**late, "ref": "RP-LATE"}).json()
    callers.AUDIT.get("/ledgers/loans", position=told["position"])
    found = callers.AUDIT.get("/publications/B-1/check").json()
    assert (found["unaltered"], found["reproduced"]) == (True, True)
    assert callers.AUDIT.get("/publications/B-1").content == before
    sums = {(d["line"], d["column"]): (d["published"], d["now"]) for d in found["differences"]}
    assert sums["outstanding", "金额(元) sum_yuan"] == ("30000.00", "20000.00")
    assert sums["principal_repaid", "金额(元) sum_yuan"] == ("20000.00", "30000.00")
    publish(callers, "annual", "B-2", as_of="2024-01-09", effective_on="2024-01-12")
    callers.AUDIT.get("/publications", position=told["position"] + 1)
    second = callers.AUDIT.get("/publications/B-2/check").json()
    assert second["previous"] == "B-1"
    assert second["previous_differs"] == found["differences"]
    rules = {
        "ref": "RL-1",
        "effective_on": "2023-01-01",
        "ground": {"document": "补充通知"},
        "rulings": [{"rule": "budget_fen", "value": 7}],
    }
    told = callers.CENTRE.post("/programme/rulings", rules).json()
    callers.AUDIT.get("/ledgers/loans", position=told["position"])
    after = callers.AUDIT.get("/publications/B-1/check").json()
    assert after["rules_then"] != after["rules_now"]
    assert after["reproduced"], "made again by the rules that were known then"


def test_a_number_is_published_once_and_nothing_of_a_day_to_come(callers: Callers) -> None:
    publish(callers, "funds", "C-1")
    refusal = publish(callers, "funds", "C-2", 409, publication_no="C-1")
    assert refusal["code"] == "publication_number_taken"
    early = publish(callers, "funds", "C-6", 409, effective_on="2023-12-30")
    assert early["code"] == "step_before", "it reports on the day after"
    publish(callers, "funds", "C-7", effective_on="2023-12-31")
    assert publish(callers, "funds", "C-3", 409, as_of="2999-01-01")["code"] == "dated_in_future"
    none = callers.AUDIT.get("/publications/none")
    assert (none.status_code, none.json()["code"]) == (404, "publication_unknown")
    far = publish(callers, "funds", "C-5", 422, known_at="0001-01-01T00:00:00+14:00")
    assert far["errors"][0]["code"] == "out_of_reach"
    assert publish(callers, "loans", "C-4", 422)["errors"][0]["pointer"] == "/report"
