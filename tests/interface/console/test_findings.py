"""Findings, their groups and cases as pages: who sees what, and the figures of the routes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from support import controls as c
from support.browser import Browser, figures, signed_in
from support.chance import wait_until
from support.county import ORGANISATIONS
from support.service import Caller, Callers, service

from application.access import issue_keys
from domain.roles import Role
from interface.console.cases import stages
from interface.console.drawing.curve import drawn as curve_drawn
from interface.console.drawing.group_graph import MOST, drawn
from interface.console.finding import in_language
from interface.console.frame import path_of
from interface.console.stepper import is_ended
from interface.console.words import LANGUAGES, Words
from projections.red_flags import rules
from projections.red_flags.measured import backtest

FIRM = {"account": "6222000000009999", "name": "某合作社", "kind": "firm"}
ID_NOS = ("411381198001011018", "411381198001011026", "411381198001011034")
HOSTILE = "<script>alert(1)</script>"
DAY, PAID_FEN = "2024-05-06", 46_639
WATCHERS = ("CENTRE", "BUREAU", "FINANCE", "AUDIT")


class County:
    """Three loans pooled in one firm, one case on them; `subject`: of the finding that says so."""

    def __init__(self, callers: Callers) -> None:
        self.callers = callers
        self.position = 0
        self.number = 0
        self.subject = ""

    def submit(self, caller: Caller, path: str, **body: Any) -> Any:
        self.number += 1
        answer = caller.post(path, {"ref": f"R{self.number}", "effective_on": DAY, **body})
        assert answer.status_code == 201, answer.text
        self.position = answer.json()["position"]
        return answer.json()


@pytest.fixture(scope="module")
def county(shared_database: Any) -> Iterator[County]:
    with service(shared_database) as callers:
        keys = issue_keys(shared_database.owner_dsn, [("AUDIT", "he"), ("AUDIT", "cai")])
        callers.keys |= zip(("HE", "CAI"), keys, strict=True)
        county = County(callers)
        for n, id_no in enumerate(ID_NOS, 1):
            member = {"name": f"张{n}", "id_no": id_no, "relation": "户主", "head": True}
            account = {"account": f"622200000000000{n}", "name": f"张{n}"}
            home = c.household(household_no=f"H{n}", members=[member])
            lent = c.loan(
                loan_no=f"L{n}", household_no=f"H{n}", borrower_id_no=id_no, payee=account
            )
            county.submit(callers.BUREAU, "/households", **c.body(home))
            county.submit(callers.NRCB, "/loans", **c.body(lent))
            sent = {"to": FIRM, "amount_fen": 4_500_000, "effective_on": "2023-03-20"}
            county.submit(callers.NRCB, f"/loans/L{n}/outflows", **sent)
        paid = c.body(c.pay(), "loan_no") | {"ref": "PAY-1"}
        county.submit(callers.FINANCE, "/loans/L1/subsidy-payments", **paid)
        wait_until_checked(county)
        [finding] = inbox(county, rule="RF08")
        county.subject = finding["subject"]
        open_case(county)
        wait_until_checked(county)
        yield county


def open_case(county: County) -> None:
    """Opened, assigned, explained by one bank of two, proposed and upheld; something came back."""
    callers = county.callers
    named = {"rule": "RF08", "subject": county.subject}
    county.submit(callers.HE, "/cases", case_no="XS-1", title=HOSTILE, findings=[named])
    county.submit(callers.HE, "/cases/XS-1/assignment", investigator="cai")
    for bank in ("NRCB", "PSBC"):
        county.submit(
            callers.CAI, "/cases/XS-1/explanation-requests", ref=f"YQ-{bank}", organisation=bank,
            what=f"{bank} 说明", until_on="2024-05-20",
        )  # fmt: skip
    said = {"request_no": "YQ-NRCB", "explanation": "放款后未核实用途"}
    county.submit(callers.NRCB, "/cases/XS-1/explanations", effective_on="2024-05-10", **said)
    later = {"effective_on": "2024-05-21"}
    county.submit(callers.CAI, "/cases/XS-1/notes", words=f"走访 {HOSTILE}", **later)
    county.submit(callers.CAI, "/cases/XS-1/proposal", upheld=True, reason="资金归集属实", **later)
    county.submit(
        callers.HE, "/cases/XS-1/upholding", reason="资金归集属实", amount_fen=PAID_FEN, **later
    )
    back = county.submit(
        callers.FINANCE, "/loans/L1/subsidy-recoveries", effective_on="2024-06-01",
        payment_no="PAY-1", amount_fen=10_000, reason="户贷企用", voucher="V-9",
    )  # fmt: skip
    on = {"effective_on": "2024-06-02", "event_id": back["event_ids"][0]}
    county.submit(callers.CAI, "/cases/XS-1/recoveries", **on)


def wait_until_checked(county: County) -> None:
    def checked() -> bool:
        health = county.callers.client.get("/healthz").json()
        return bool(health["red_flags"]["position"] >= county.position)

    wait_until(checked, "the red flags are checked")


@pytest.fixture(scope="module")
def browsers(county: County, shared_database: Any) -> dict[str, Browser]:
    return signed_in(county.callers, shared_database)


def inbox(county: County, **query: Any) -> list[dict[str, Any]]:
    answer = county.callers.AUDIT.get("/red-flags/inbox", position=county.position, **query)
    assert answer.status_code == 200, answer.text
    lines: list[dict[str, Any]] = answer.json()["lines"]
    return lines


def pages(county: County) -> dict[str, tuple[str, dict[str, str]]]:
    """Each page, and the route whose answer it shows, with what that is asked."""
    subject = {"subject": county.subject}
    inbox_route, evidence = "/red-flags/inbox", "/red-flags/RF08/evidence"
    return {
        "/red-flags": (inbox_route, {}),
        "/red-flags.json": (inbox_route, {}),
        "/red-flags/runs": ("/red-flags/runs", {}),
        "/red-flags/changes": ("/red-flags/changes", {}),
        "/red-flags/schemes": ("/red-flags/schemes", {}),
        f"/red-flags/RF08/{county.subject}": ("/red-flags", {"rule": "RF08"} | subject),
        f"{evidence}?subject={county.subject}": (evidence, subject),
        "/cases": ("/cases", {}),
        "/cases/XS-1": ("/cases/XS-1", {}),
        "/cases/XS-9": ("/cases/XS-9", {}),
    }


# ---- rights -----------------------------------------------------------------------------


def test_each_role_sees_of_a_page_what_it_sees_of_its_route(
    county: County, browsers: dict[str, Browser]
) -> None:
    for page, (route, query) in pages(county).items():
        for organisation in ORGANISATIONS:
            code = organisation.code
            status = getattr(county.callers, code).get(route, **query).status_code
            assert browsers[code].get(page).status_code == status, (page, code)


def test_only_the_supervision_and_who_is_asked_learn_of_a_case(
    county: County, browsers: dict[str, Browser]
) -> None:
    finding = f"/red-flags/RF08/{county.subject}"
    for code in WATCHERS:
        for page in ("/red-flags", finding, "/red-flags/schemes"):
            assert ("XS-1" in browsers[code].get(page).text) == (code == "AUDIT"), (code, page)
    unknown = browsers["T01"].get("/cases/XS-9")
    foreign = browsers["T01"].get("/cases/XS-1")
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.text.replace("XS-1", "") == unknown.text.replace("XS-9", "")


def test_an_organisation_sees_of_a_case_what_it_was_asked_and_no_more(
    browsers: dict[str, Browser],
) -> None:
    own, other = (browsers[code].get("/cases/XS-1").text for code in ("NRCB", "PSBC"))
    assert "NRCB 说明" in own and "放款后未核实用途" in own and "已答" in own
    assert "PSBC 说明" in other and "逾期未答" in other
    for text in (own, other):
        assert "走访" not in text and "46,639" not in text and "RF08" not in text
    assert "PSBC 说明" not in own and "NRCB 说明" not in other
    assert "YQ-NRCB" in browsers["NRCB"].get("/cases").text
    assert "YQ-PSBC" not in browsers["NRCB"].get("/cases").text


def test_a_rule_about_looks_is_for_those_who_may_read_them(browsers: dict[str, Browser]) -> None:
    for code in WATCHERS:
        shown = "RF28" in browsers[code].get("/red-flags").text
        assert shown == (code in ("BUREAU", "AUDIT")), code
        assert browsers[code].get("/red-flags/RF28/x").status_code == 404


# ---- the same truth ---------------------------------------------------------------------


def test_the_inbox_shows_what_its_route_says(county: County, browsers: dict[str, Browser]) -> None:
    told = {(line["rule"], line["subject"], line["nth"]): line for line in inbox(county)}
    answer = browsers["AUDIT"].get("/red-flags.json", cols="rule,subject,nth,amount_fen,state")
    shown = {(x["rule"], x["subject"], x["nth"]): x for x in answer.json()["lines"]}
    assert shown.keys() == {key for key, line in told.items() if line["state"] != "gone"}
    for key, line in shown.items():
        assert all(told[key][name] == value for name, value in line.items()), key
    assert shown["RF08", county.subject, 1]["state"] == "in_case"
    page = browsers["AUDIT"].get("/red-flags", rule="RF08", cols="amount_fen")
    assert figures(page.text)[0] == 13_500_000


def test_the_inbox_agrees_with_the_rules_asked_themselves(county: County) -> None:
    asked = county.callers.AUDIT.get("/red-flags", position=county.position).json()["rules"]
    live = {(each["rule"], f["subject"]): f for each in asked for f in each["findings"]}
    stored = {(x["rule"], x["subject"]): x for x in inbox(county) if x["state"] != "gone"}
    assert stored.keys() == live.keys()
    for key, line in stored.items():
        assert line["known_from"] == live[key]["known_from"], key
        assert sorted(line["positions"]) == sorted(live[key]["positions"]), key


def test_the_inbox_is_narrowed_as_the_rules_are(county: County) -> None:
    for narrowed in ({"bank": "NRCB"}, {"bank": "PSBC"}, {"township": "T01"}, {"township": "T02"}):
        asked = county.callers.AUDIT.get("/red-flags", **narrowed).json()["rules"]
        live = {(each["rule"], f["subject"]) for each in asked for f in each["findings"]}
        stored = {(x["rule"], x["subject"]) for x in inbox(county, **narrowed)}
        assert {key for key in stored if key[0] != "RF26"} == live, narrowed


def test_the_inbox_is_paged_and_says_what_could_be_known_before_a_payment(county: County) -> None:
    whole, cursor, found = inbox(county), None, []
    while cursor or not found:
        query = {"cursor": cursor} if cursor else {}
        page = county.callers.AUDIT.get("/red-flags/inbox", limit=2, **query).json()
        found += page["lines"]
        cursor = page["next"]
    assert found == whole
    paid_at = next(
        event["recorded_at"]
        for event in county.callers.AUDIT.get("/loans/L1/history").json()["events"]
        if event["event"] == "loan.subsidy-paid.v1"
    )
    for line in whole:
        if "L1" in line["subject"] and line["known_from"]:
            before = datetime.fromisoformat(line["known_from"]) < datetime.fromisoformat(paid_at)
            assert line["before_payment"] == before, line
    assert {line["before_payment"] for line in whole} >= {True}


def test_a_finding_is_shown_with_its_proof_its_parameters_and_how_far_to_trust_it(
    county: County, browsers: dict[str, Browser]
) -> None:
    path = f"/red-flags/RF08/{county.subject}"
    [rule] = county.callers.AUDIT.get(
        "/red-flags", rule="RF08", subject=county.subject
    ).json()["rules"]  # fmt: skip
    [told] = rule["findings"]
    text = browsers["AUDIT"].get(path).text
    assert figures(text)[0] == told["amount_fen"] == rule["amount_fen"]
    for position in told["positions"]:
        assert f'/events/{position}"' in text
    for ruling in rule["rulings"]:
        assert ruling["source"] in text
    [measured] = county.callers.AUDIT.get("/red-flags/backtest", rule="RF08").json()["rules"]
    assert f"种下 {measured['wanted']} 案，查出 {measured['found']} 案" in text
    assert 'href="/cases/XS-1"' in text
    before = browsers["AUDIT"].get(path, as_of="2023-03-19")
    assert before.status_code == 200 and "没有标出" in before.text
    asked = browsers["AUDIT"].get(path, as_of="2023-03-20")
    assert figures(asked.text)[0] == told["amount_fen"]


def test_a_group_adds_no_fen_twice_and_says_what_is_new(
    county: County, browsers: dict[str, Browser]
) -> None:
    answer = county.callers.AUDIT.get("/red-flags/schemes", position=county.position).json()
    groups = {line["scheme"]: line for line in answer["lines"]}

    def shown(path: str) -> Any:
        found: list[Any] = []

        def is_there() -> bool:
            found[:] = [browsers["AUDIT"].get(path)]
            return "Refresh" not in found[0].headers

        wait_until(is_there, "the groups are worked out")
        return found[0]

    listed = figures(shown("/red-flags/schemes?findings=1").text)
    assert sorted(listed[:-1]) == sorted(line["amount_fen"] for line in groups.values())
    assert listed[-1] == sum(line["amount_fen"] for line in groups.values())
    own = next(line for line in groups.values() if "RF08" in line["rules"])
    sent = shown(f"/red-flags/schemes/RF08 {county.subject}")
    page = shown(sent.headers["location"]) if sent.status_code == 303 else sent
    assert figures(page.text)[0] == own["amount_fen"]
    assert all(f"/loans/NRCB/L{n}" in page.text for n in (1, 2, 3))
    assert ("立案后没有新增" in page.text) == (own["new_findings"] == 0)
    assert browsers["AUDIT"].get("/red-flags/schemes/RF08 nothing").status_code == 404


def test_a_case_is_shown_whole_to_the_supervision(
    county: County, browsers: dict[str, Browser]
) -> None:
    told = county.callers.AUDIT.get("/cases/XS-1", position=county.position).json()
    text = browsers["AUDIT"].get("/cases/XS-1").text
    line = told["case"]
    assert figures(text)[0] == line["amount_fen"]
    assert re.search(r'<p class="figure"><strong><a href="#findings"><data', text)
    assert line["upheld_fen"] in figures(text) and line["recovered_fen"] in figures(text)
    for finding in told["findings"]:
        assert finding["subject"] in text
    for loan in told["loans"]:
        assert f"/loans/{loan['bank']}/{loan['loan_no']}" in text
    for step in told["steps"]:
        assert f'/events/{step["position"]}"' in text
    assert "&lt;script&gt;" in text
    assert re.findall(r'<li class="(\w+)"[^>]*><b>', text) == ["done"] * 5 + ["here", "ahead"]
    assert "须由核查人 cai 报告整改" in text
    [listed] = browsers["AUDIT"].get("/cases.json", cols="case_no,amount_fen").json()["lines"]
    assert listed == {"case_no": "XS-1", "amount_fen": line["amount_fen"]}


def test_a_case_is_shown_as_it_stood_at_a_day(browsers: dict[str, Browser]) -> None:
    text = browsers["AUDIT"].get("/cases/XS-1", as_of="2024-05-12").text
    assert re.findall(r'<li class="(\w+)"[^>]*><b>', text)[:3] == ["done", "done", "here"]
    assert "待答" in text
    assert browsers["AUDIT"].get("/cases/XS-1", as_of="2024-05-05").status_code == 404


# ---- bad input --------------------------------------------------------------------------


def test_unknown_parameters_rules_and_subjects(
    county: County, browsers: dict[str, Browser]
) -> None:
    finding = f"/red-flags/RF08/{county.subject}"
    for path in ("/red-flags", "/red-flags/runs", "/red-flags/schemes", finding, "/cases/XS-1"):
        answer = browsers["AUDIT"].get(path, asof="2023-12-31")
        assert answer.status_code == 400 and "asof" in answer.text, path
    for path in ("/red-flags/RF08/nothing", "/red-flags/RF99/x", f"{finding}?nth=2"):
        assert browsers["AUDIT"].get(path).status_code == 404, path
    assert browsers["AUDIT"].get("/red-flags", bank="NOWHERE").status_code == 200  # a facet of none
    assert browsers["AUDIT"].get(finding, nth="x").status_code == 400


def test_nothing_that_somebody_wrote_becomes_markup(
    county: County, browsers: dict[str, Browser]
) -> None:
    for path in pages(county):
        for code in ("AUDIT", "NRCB"):
            for language in LANGUAGES:
                address = f"{path}{'&' if '?' in path else '?'}lang={language}"
                text = browsers[code].get(address).text
                assert "<script>alert" not in text or "evidence" in path or ".json" in path, path


def test_an_empty_county_speaks_and_says_that_nothing_was_checked(database: Any) -> None:
    with service(database, watching=False) as callers:
        browsers = signed_in(callers, database)
        callers.AUDIT.get("/ledgers/loans")
        assert "没有疑点不等于没有问题" in browsers["AUDIT"].get("/red-flags").text
        for path in ("/red-flags", "/cases", "/red-flags/runs", "/red-flags/changes"):
            page = browsers["AUDIT"].get(path)
            assert page.status_code == 200 and "日志里还没有事件" in page.text, path
        assert callers.AUDIT.get("/red-flags/inbox").json()["lines"] == []
        assert "要求本机构说明" in browsers["NRCB"].get("/cases").text


# ---- parts ------------------------------------------------------------------------------


def step(topic: str, day: str, person: str = "he") -> dict[str, Any]:
    return {
        "event": f"case.{topic}.v1", "effective_on": day, "told_by": {"person": person},
        "position": 1, "content": {}, "ground": {"document": None},
    }  # fmt: skip


class Asked:
    """What `stages` needs of a visit."""

    words = Words("zh")
    as_of = date(2024, 3, 1)

    @staticmethod
    def to(*parts: object) -> str:
        return path_of(*parts)


def test_the_days_at_each_stage_add_up_also_when_a_case_is_taken_up_again() -> None:
    events = [
        step("opened", "2024-01-01"), step("assigned", "2024-01-03"), step("noted", "2024-01-05"),
        step("proposed", "2024-01-10"), step("dismissed", "2024-01-11"),
        step("closed", "2024-01-15"), step("reopened", "2024-02-01"),
    ]  # fmt: skip
    line = {"stage": "assigned", "outcome": None, "rectified_on": None, "closed_on": None}
    found = stages(Asked(), line, events)  # type: ignore[arg-type]
    assert [each.state for each in found] == ["done", "done", "here", *["ahead"] * 4]
    assert [each.days for each in found] == [None, 2, 7 + 29, None, 1, None, 4]

    line = {
        "stage": "closed", "outcome": "dismissed", "rectified_on": None,
        "closed_on": date(2024, 1, 15),
    }  # fmt: skip
    found = stages(Asked(), line, events[:6])  # type: ignore[arg-type]
    assert [each.state for each in found] == ["done"] * 5 + ["none", "done"]
    assert is_ended(found)


def test_a_group_of_many_is_drawn_with_the_rest_as_one() -> None:
    names = [f"RF01 {n}" for n in range(50)]
    drawing = drawn(names, [(name, "NRCB/L1") for name in names] + [(names[0], "alone")])
    assert len(drawing.findings) == MOST
    assert drawing.findings[-1].folded == 50 - MOST + 1
    assert [node.name for node in drawing.shared] == ["NRCB/L1"]
    assert len(drawing.lines) == MOST


def test_the_measured_figures_are_of_todays_rules_and_their_curves_meet_them() -> None:
    """Fails when a rule changes: `python3 run.py backtest --data projections/red_flags/…`."""
    test = backtest()
    assert test.rules.keys() == {rule.id for rule in rules()}
    for rule in rules():
        measured = test.rules[rule.id]
        assert measured.rule_version == rule.version, rule.id
        for curve in measured.curves:
            [today] = [point for point in curve.points if point.value == curve.today]
            assert (today.found, today.wanted) == (measured.found, measured.wanted), rule.id
            assert (today.true, today.findings) == (measured.true, measured.findings), rule.id
            drawing = curve_drawn(curve, str)
            assert len(drawing.ticks) == len(curve.points)
            assert drawing.today is not None
    assert test.measured_on <= datetime.now(UTC).date() or test.measured_on.year >= 2026


def test_a_text_in_two_languages_is_shown_in_one() -> None:
    words = {language: Words(language) for language in LANGUAGES}
    text = "多付。 More was paid. See RF02."
    assert in_language(words["zh"], text) == "多付。"
    assert in_language(words["en"], text) == "More was paid. See RF02."
    assert in_language(words["zh"], "Only English.") == "Only English."
    for rule in rules():
        assert in_language(words["zh"], rule.why) and in_language(words["en"], rule.why)


def test_whoever_may_see_a_page_is_told_by_the_permission_table(
    browsers: dict[str, Browser],
) -> None:
    for organisation in ORGANISATIONS:
        shown = 'href="/red-flags"' in browsers[organisation.code].get("/sessions").text
        assert shown == (organisation.code in WATCHERS), organisation.code
        has_cases = 'href="/cases"' in browsers[organisation.code].get("/sessions").text
        assert has_cases == (Role(organisation.role) != Role.ADMIN), organisation.code
