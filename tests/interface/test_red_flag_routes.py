"""Red flags over HTTP: pages, files, how far each is checked, what changed, and the evidence."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from python_calamine import CalamineWorkbook
from support import controls as c
from support.chance import wait_until
from support.county import conversation
from support.examples import examples_of
from support.red_flags import record_lines
from support.service import Callers, service

from interface.auditor.verify import Row, bytes_of, open_checkpoint, plain, policy_of, proven
from interface.http.query_params import closed
from projections.red_flags import rule, rules

ROUND_TRIP = rule("RF11")
DAY = "2024-01-01"
MANY = 20_000


@pytest.fixture(scope="module")
def callers(shared_database: Any) -> Iterator[Callers]:
    """A loan of NRCB to a household of T01 that went round in seven days, and one beside it."""
    with conversation(shared_database) as ledger:
        record_lines(ledger, examples_of("RF11")[0].lines)
        ledger.submit(c.household(ref="H-2", household_no="H2", township_code="T02"), c.BUREAU)
        ledger.submit(c.loan(ref="LN-2", loan_no="L2", household_no="H2"), c.OTHER_BANK)
    with service(shared_database) as callers:
        callers.position = callers.client.get("/healthz").json()["log_position"]
        wait_until_checked(callers, callers.position)
        yield callers


def wait_until_checked(callers: Callers, position: int) -> None:
    def checked() -> bool:
        return callers.client.get("/healthz").json()["red_flags"]["position"] >= position

    wait_until(checked, "the red flags are checked")


def flags(callers: Callers, **query: Any) -> dict[str, dict[str, Any]]:
    answer = callers.AUDIT.get("/red-flags", as_of=DAY, position=callers.position, **query)
    assert answer.status_code == 200, answer.text
    return {each["rule"]: each for each in answer.json()["rules"]}


def test_a_finding_is_narrowed_to_a_subject_a_bank_and_a_township(callers: Callers) -> None:
    for narrowed, found in (
        ({}, 1),
        ({"subject": "NRCB/L1"}, 1),
        ({"subject": "NRCB/L9"}, 0),
        ({"bank": "NRCB"}, 1),
        ({"bank": "PSBC"}, 0),
        ({"township": "T01"}, 1),
        ({"township": "T02"}, 0),
        ({"township": "T01", "bank": "PSBC"}, 0),
    ):
        [each] = flags(callers, rule="RF11", **narrowed).values()
        assert (each["count"], len(each["findings"])) == (found, found), narrowed
        assert each["status"] == ("found" if found else "clean")
        assert each["amount_fen"] == 5_000_000 * found


def test_pages_give_every_finding_once_and_are_of_one_knowledge(
    callers: Callers, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = (
        "SELECT n AS subject, n AS amount_fen, ARRAY[n] AS positions FROM generate_series(1, {}) n"
    )
    made = [
        ROUND_TRIP._replace(id=id, sql=rows.format(n), parameters={})
        for id, n in (("RF96", 7), ("RF97", 0), ("RF98", 8))
    ]
    monkeypatch.setattr("interface.http.routes.red_flags.rules", lambda: made)
    whole = [f["subject"] for each in flags(callers).values() for f in each["findings"]]
    assert len(whole) == 15

    found: list[str] = []
    cursor, pages, seen = None, 0, set()
    while cursor or not pages:
        query = {"cursor": cursor} if cursor else {"as_of": DAY}
        page = callers.AUDIT.get("/red-flags", limit=5, **query).json()
        found += [f["subject"] for each in page["rules"] for f in each["findings"]]
        assert {each["count"] for each in page["rules"]} <= {7, 0, 8}
        seen.add((page["as_of"], page["known_at"]))
        cursor, pages = page["next"], pages + 1
        if pages == 1:
            later = callers.NRCB.post(
                "/loans/L1/repayments", c.body(c.repay(principal_fen=1), "loan_no") | {"ref": "P-1"}
            )
            callers.AUDIT.get("/red-flags", position=later.json()["position"])
    assert found == whole
    assert (pages, len(seen)) == (3, 1)


def test_twenty_thousand_findings_leave_by_page_in_the_room_of_a_page_and_whole_as_files(
    callers: Callers, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = (
        "SELECT l.bank || '/' || n AS subject, n AS amount_fen, ARRAY[l.of_position] AS positions"
        " FROM facts.standing_loan(%(as_of)s, %(known_at)s) l, generate_series(1, {}) n"
        " WHERE l.loan_no = 'L1'"
    )
    rooms = []
    for many in (1_000, 1_000, MANY):  # the first time is for what is made once
        made = ROUND_TRIP._replace(id="RF99", sql=rows.format(many), parameters={})
        monkeypatch.setattr("interface.http.routes.red_flags.rules", lambda made=made: [made])
        tracemalloc.start()
        page = callers.AUDIT.get("/red-flags", as_of=DAY, limit=1000).json()
        rooms.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(page["rules"][0]["findings"]) == 1_000
    assert rooms[-1] < 1.5 * rooms[-2]

    [each] = page["rules"]
    assert (each["count"], each["amount_fen"]) == (MANY, MANY * (MANY + 1) // 2)
    second = callers.AUDIT.get("/red-flags", limit=1000, cursor=page["next"]).json()["rules"][0]
    assert second["findings"][0]["subject"] == f"NRCB/{MANY - 1000}"
    answer = callers.AUDIT.get("/red-flags", as_of=DAY, accept="text/csv")
    lines = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert len({line["对象 subject"] for line in lines}) == MANY
    sheet = callers.AUDIT.get("/red-flags", as_of=DAY, accept="application/xlsx").content
    read = CalamineWorkbook.from_filelike(io.BytesIO(sheet)).get_sheet_by_name("数据")
    assert read.height == MANY + 2, "a head, and a line of totals"


def test_each_rule_says_through_where_it_is_checked(callers: Callers) -> None:
    answer = callers.AUDIT.get("/red-flags/runs").json()
    there = {each["rule"]: each for each in answer["rules"]}
    assert list(there) == [each.id for each in rules()]
    assert {each["status"] for each in there.values()} <= {"clean", "found"}
    assert min(each["position"] for each in there.values()) >= callers.position
    assert there["RF11"]["rule_version"] == ROUND_TRIP.version
    assert (there["RF11"]["findings"], there["RF11"]["error"]) == (1, None)

    [run] = callers.AUDIT.get("/red-flags/runs", rule="RF11").json()["lines"]
    assert (run["appeared"], run["gone"], run["run"]) == (1, 0, there["RF11"]["run"])
    first = callers.AUDIT.get("/red-flags/runs", limit=4).json()
    second = callers.AUDIT.get("/red-flags/runs", limit=1000, cursor=first["next"]).json()
    numbers = [line["run"] for page in (first, second) for line in page["lines"]]
    assert numbers == sorted(set(numbers), reverse=True)
    assert {line["rule"] for page in (first, second) for line in page["lines"]} == set(there)
    lines = callers.AUDIT.get("/red-flags/runs", accept="text/csv").text.splitlines()
    assert len(lines) == len(numbers) + 1

    metrics = callers.client.get("/metrics").text
    assert "mingzhang_red_flags_in_error 0.0" in metrics
    assert "mingzhang_red_flags_position" in metrics
    assert callers.client.get("/healthz").json()["red_flags"]["not_checked"] == []


def test_what_appeared_and_went_is_listed_newest_first_soon_after_its_event(
    callers: Callers,
) -> None:
    first = callers.AUDIT.get("/red-flags/changes", rule="RF11").json()["lines"]
    since = first[0]["asked_at"]
    assert [(line["kind"], line["subject"]) for line in first] == [("appeared", "NRCB/L1")]
    assert callers.AUDIT.get("/red-flags/changes", rule="RF11", since=since).json()["lines"] == []

    lent = c.body(c.loan(loan_no="L3", household_no="H2", principal_fen=100, credited_fen=100))
    assert callers.NRCB.post("/loans", lent | {"ref": "LN-3"}).status_code == 201
    back = c.repay(loan_no="L3", principal_fen=100, interest_fen=0, effective_on="2023-03-12")
    told = callers.NRCB.post("/loans/L3/repayments", c.body(back, "loan_no") | {"ref": "R-3"})
    wait_until_checked(callers, told.json()["position"])
    [appeared] = callers.AUDIT.get("/red-flags/changes", rule="RF11", since=since).json()["lines"]
    assert (appeared["kind"], appeared["subject"]) == ("appeared", "NRCB/L3")
    assert appeared["known_from"] == told.json()["recorded_at"].replace("+00:00", "Z")
    assert appeared["asked_at"] > appeared["known_from"]

    fixed = c.body(c.correct(told.json()["event_ids"][0]), "event_id") | {"ref": "FIX-3"}
    route = f"/events/{told.json()['event_ids'][0]}/corrections"
    gone = callers.NRCB.post(route, fixed)
    assert gone.status_code == 201, gone.text
    wait_until_checked(callers, gone.json()["position"])
    page = callers.AUDIT.get("/red-flags/changes", rule="RF11", limit=1).json()
    rest = callers.AUDIT.get("/red-flags/changes", rule="RF11", cursor=page["next"]).json()
    assert [line["kind"] for line in page["lines"] + rest["lines"]] == [
        "gone", "appeared", "appeared",
    ]  # fmt: skip
    kept = callers.AUDIT.get("/red-flags/changes", rule="RF11", accept="text/csv")
    titles, *lines = csv.reader(io.StringIO(kept.content.decode("utf-8-sig")))
    assert len(lines) == 3
    assert "最早可知 known_from" in titles


def test_the_evidence_of_a_finding_proves_each_event_that_it_names(callers: Callers) -> None:
    asked = {"subject": "NRCB/L1", "as_of": DAY}
    answer = callers.AUDIT.get("/red-flags/RF11/evidence", **asked)
    assert answer.status_code == 200, answer.text
    policy = policy_of(callers.AUDIT.get("/log/witness").content)
    bundle = answer.json()
    told = assured(answer.content, policy)

    finding = bundle["finding"]
    [listed] = flags(callers, rule="RF11", subject="NRCB/L1")["RF11"]["findings"]
    assert {name: finding[name] for name in listed} == listed
    assert {row.topic for row in told} == {"loan.disbursed.v1", "loan.repaid.v1"}
    assert [event["position"] for event in bundle["finding_events"]] == sorted(finding["positions"])
    [text] = [each["text"] for each in bundle["rules"] if each["name"] == "rf11.toml"]
    assert hashlib.sha256(text.encode()).hexdigest()[:12] == finding["rule_version"]
    shown = json.dumps([finding, bundle["finding_events"]], ensure_ascii=False)
    assert "NRCB/L1" in shown
    assert "张三" not in shown + "".join(row.state.decode() for row in told)

    again = callers.AUDIT.get(
        "/red-flags/RF11/evidence", **{**asked, "known_at": finding["known_at"]}
    ).json()
    assert again["finding"] == finding
    altered = bundle | {"finding": finding | {"positions": [*finding["positions"], 1]}}
    with pytest.raises(AssertionError, match="not proven"):
        assured(json.dumps(altered).encode(), policy)


def assured(data: bytes, policy: Any) -> list[Row]:
    """The proven events of a bundle; asserts that they are all it names, and say what it says."""
    bundle = json.loads(data)
    note = open_checkpoint(bundle["checkpoint"].encode(), policy)
    rows = [proven(bytes_of(e["leaf"]), e["proof"], note) for e in bundle["events"]]
    finding = bundle["finding"]
    named = {*finding["positions"], *finding["context"]}
    assert named <= {row.position for row in rows}, "not proven"
    by_id = {f"{UUID(bytes=row.aggregate)}.{row.version}": row for row in rows}
    for shown in bundle["finding_events"]:
        row = by_id[shown["event_id"]]
        state = json.loads(row.state)
        assert (shown["event"], shown["position"]) == (row.topic, row.position)
        assert shown["told_by"] == {
            "organisation": row.organisation, "role": state["role"], "person": state["person"],
        }  # fmt: skip
        assert shown["effective_on"] == state["effective_on"]
        assert plain(shown["content"]) == plain({name: state[name] for name in shown["content"]})
    return rows


def test_what_is_not_flagged_has_no_evidence_and_what_is_not_a_page_no_findings(
    callers: Callers,
) -> None:
    for path, query, status in (
        ("/red-flags/RF11/evidence", {"subject": "NRCB/L9", "as_of": DAY}, 404),
        ("/red-flags/RF11/evidence", {"subject": "NRCB/L1", "as_of": DAY, "nth": 2}, 404),
        ("/red-flags/RF11/evidence", {"subject": "NRCB/L1", "as_of": "2023-03-16"}, 404),
        ("/red-flags/RF00/evidence", {"subject": "NRCB/L1"}, 404),
        ("/red-flags/RF11/evidence", {}, 422),
        ("/red-flags/x/evidence", {"subject": "x"}, 422),
        ("/red-flags", {"rule": "RF00"}, 404),
        ("/red-flags", {"limit": 0}, 422),
        ("/red-flags", {"cursor": "x"}, 422),
        ("/red-flags", {"subject": "x\0"}, 422),
        ("/red-flags", {"cursor": "WyJhIiwiYiIsImMiLCJkIl0"}, 422),
        ("/red-flags", {"cursor": closed(["0001-01-01", "0001-01-01T00:00+14:00", "", "0"])}, 422),
        ("/red-flags", {"cursor": closed(["2023-01-01", "2023-01-01T00:00Z", "", "-1"])}, 422),
        ("/red-flags/runs", {"cursor": "x"}, 422),
        ("/red-flags/changes", {"since": "yesterday"}, 422),
        ("/red-flags/changes", {"rule": "RF00"}, 404),
    ):
        answer = callers.AUDIT.get(path, **query)
        assert answer.status_code == status, (path, query, answer.text)


def test_banks_townships_and_administrators_read_none_of_it(callers: Callers) -> None:
    of_a_subject: dict[str, Any] = {"subject": "NRCB/L1", "as_of": DAY}
    for path in ("", "/runs", "/changes", "/RF11/evidence"):
        asked = {} if path in ("/runs", "/changes") else of_a_subject
        for caller in (callers.NRCB, callers.T01, callers.DB, callers.ADMIN):
            assert caller.get(f"/red-flags{path}", **asked).status_code == 403, path
        assert callers.client.get(f"/v1/red-flags{path}", params=asked).status_code == 401
        for caller in (callers.AUDIT, callers.CENTRE, callers.BUREAU, callers.FINANCE):
            assert caller.get(f"/red-flags{path}", **asked).status_code == 200, path
