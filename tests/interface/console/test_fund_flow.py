"""Fund flow, accounts, funds and benefits as pages: their figures are the JSON routes'."""

from __future__ import annotations

import html
import random
import re
from collections.abc import Iterator
from datetime import date
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from support import controls as c
from support.browser import Browser
from support.service import Callers, service

from projections.fund_flow import Movement, movements

SCRIPT = "<script>alert(1)</script>"
FIRM = {"account": "6222000000009999", "name": "某公司", "kind": "firm"}
PAGES = (
    "/fund-flow", "/fund-flow?household_no=H1&hops=3&range=1", "/fund-flow/edges?node=household:H1",
    "/fund-flow/paths", "/fund-flow/paths?from=bank:NRCB&to=household:H1", "/fund-flow/unlinked",
    "/fund-flow/unlinked/loan_flow_unobserved", "/fund-flow/misuse", "/fund-flow/misuse/accounts",
    "/entities", "/entities?kind=person", "/ledgers/funds", "/ledgers/transfers",
    "/ledgers/journal", "/ledgers/journal?account=budget:free:2023", "/ledgers/risk-fund",
)  # fmt: skip
BENEFITS = ("/benefits", "/benefits/instalments")


@pytest.fixture(scope="module")
def callers(shared_database: Any) -> Iterator[Callers]:
    """Three households lend to one firm; a budget with a transfer; a risk fund; one agreement."""
    ids = ("11010519491231002X", "440524188001010014", "411381198001011018")
    with service(shared_database) as callers:

        def submit(caller: Any, path: str, body: dict[str, Any]) -> int:
            answer = caller.post(path, body)
            assert answer.status_code == 201, answer.text
            return int(answer.json()["position"])

        for n, id_no in enumerate(ids, 1):
            head = {"name": SCRIPT, "id_no": id_no, "relation": "户主", "head": True}
            home = c.household(ref=f"HH-{n}", household_no=f"H{n}", members=[head])
            submit(callers.BUREAU, "/households", c.body(home) | {"ref": home.ref})
            payee = {"account": f"62220000000000{n:02}", "name": "张三"}
            loan = c.loan(ref=f"LN-{n}", loan_no=f"L{n}", contract_no=f"C{n}", household_no=f"H{n}",
                          borrower_id_no=id_no, payee=payee)  # fmt: skip
            submit(callers.NRCB, "/loans", c.body(loan) | {"ref": loan.ref})
            flow = c.outflow(ref=f"OF-{n}", loan_no=f"L{n}", to=FIRM, amount_fen=4_500_000)
            submit(
                callers.NRCB, f"/loans/L{n}/outflows", c.body(flow, "loan_no") | {"ref": flow.ref}
            )
        submit(callers.NRCB, "/loans/L1/repayments", c.body(c.repay(), "loan_no") | {"ref": "RP-1"})
        told = {"ref": "X-1", "effective_on": "2023-02-01", "year": 2023, "voucher": "V-1"}
        submit(callers.FINANCE, "/funds/allocations", told | {"amount_fen": 100_000})
        moved = {"payer": "贴息专户", "payee": SCRIPT, "purpose": SCRIPT * 3, "amount_fen": 70_000}
        submit(callers.FINANCE, "/funds/transfers", told | moved | {"ref": "X-2"})
        paid_in = {"ref": "X-3", "effective_on": "2023-02-01", "voucher": "R-1", "payer": "国库"}
        submit(callers.FINANCE, "/funds/risk", paid_in | {"amount_fen": 2_000_000})
        guarantee = c.body(c.guarantee(fee_fen=5_000), "loan_no") | {"ref": "DB-1"}
        submit(callers.DB, "/loans/L1/guarantees", guarantee)
        agreed = {
            "ref": "LJ-1", "effective_on": "2023-01-10", "agreement_no": "LJ-1",
            "enterprise": SCRIPT, "households": ["H1", "H2"],
            "instalments": [{"due_on": "2023-06-30", "kind": "dividend", "amount_fen": 1_000}],
        }  # fmt: skip
        submit(callers.T01, "/benefits", agreed)
        paid = {"ref": "FH-1", "effective_on": "2023-07-10", "household_no": "H1",
                "kind": "dividend", "amount_fen": 1_000, "voucher": "F-1"}  # fmt: skip
        callers.position = submit(callers.T01, "/benefits/LJ-1/payments", paid)
        assert callers.AUDIT.get("/fund-flow", position=callers.position).status_code == 200
        yield callers


def fens(text: str) -> list[int]:
    return [int(fen) for fen in re.findall(r'data-fen="(-?\d+)"', text)]


def links(text: str) -> set[str]:
    return {html.unescape(each) for each in re.findall(r'href="([^"]+)"', text)}


def shown(browser: Browser, address: str) -> str:
    """A page, once what it waits for is worked out."""
    answer = browser.awaited(address)
    assert answer.status_code == 200, (address, answer.status_code, answer.text[-800:])
    return str(answer.text)


def test_offices_see_the_pages_and_nobody_else(browsers: dict[str, Browser]) -> None:
    for address in PAGES:
        for office in ("AUDIT", "FINANCE"):
            text = shown(browsers[office], address)
            assert "<script>alert" not in text
            assert not re.search(r"<style|style=|\son\w+=", text)
        for other in ("NRCB", "T01", "ADMIN"):
            assert browsers[other].get(address).status_code == 403, (other, address)
    for address in BENEFITS:
        assert "&lt;script&gt;" in shown(browsers["T01"], address)
        assert browsers["NRCB"].get(address).status_code == 403


def test_a_township_sees_the_benefits_of_its_households(browsers: dict[str, Browser]) -> None:
    assert "LJ-1" in shown(browsers["T01"], "/benefits/instalments")
    assert "LJ-1" not in shown(browsers["T02"], "/benefits/instalments")


def test_the_county_is_drawn_as_the_route_adds_it_up(
    callers: Callers, browsers: dict[str, Browser]
) -> None:
    edges = callers.AUDIT.get("/fund-flow").json()["edges"]
    sums: dict[tuple[str, str, str], int] = {}
    for edge in edges:
        key = edge["from"], edge["to"], edge["kind"]
        sums[key] = sums.get(key, 0) + edge["amount_fen"]
    text = shown(browsers["AUDIT"], "/fund-flow")
    assert sorted(fens(text)) == sorted(sums.values())


@pytest.mark.parametrize("query", [{"household_no": "H1"}, {"bank": "NRCB", "loan_no": "L2"}])
def test_every_line_is_the_sum_of_the_movements_that_it_leads_to(
    callers: Callers, browsers: dict[str, Browser], query: dict[str, str]
) -> None:
    text = browsers["AUDIT"].get("/fund-flow", **query, hops="3").text
    table = text[text.index("<tbody>") :]
    found = re.findall(r'<td class="n"><a href="([^"]+)"><data[^>]*data-fen="(\d+)"', table)
    assert len(found) == len(callers.AUDIT.get("/fund-flow", **query, hops=3).json()["edges"])
    for href, fen in found:
        page = shown(browsers["AUDIT"], html.unescape(href))
        body = page[page.index("<tbody>") : page.index("</tbody>")]
        assert sum(fens(body)) == int(fen), href


def test_the_files_are_those_of_the_page(browsers: dict[str, Browser]) -> None:
    audit = browsers["AUDIT"]
    svg = audit.get("/fund-flow.svg", household_no="H1")
    assert svg.headers["content-type"].startswith("image/svg+xml")
    root = ET.fromstring(svg.text)
    assert root.tag.endswith("svg") and not root.findall(".//{*}a")
    assert "household:H1" in audit.get("/fund-flow.graphml", household_no="H1").text
    page, file = audit.get("/fund-flow", household_no="H1").text, "/fund-flow.csv"
    rows = audit.get(file, household_no="H1").content.decode("utf-8-sig").splitlines()
    assert sum("household:H1" in row for row in rows) == page.count(">户 H1</a></td>")
    assert audit.get("/ledgers/funds.json").json()["lines"][0]["allocated_fen"] == 100_000


def test_ways_are_numbered_and_follow_the_time(
    callers: Callers, browsers: dict[str, Browser]
) -> None:
    lines = callers.AUDIT.get("/entities", shared="true", role="receiver").json()["lines"]
    firm = f"account:{lines[0]['pseudonym']}"
    ends = {"from": "bank:NRCB", "to": firm}
    told = callers.AUDIT.get("/fund-flow/paths", **ends).json()["lines"]
    assert {line["way"] for line in told} == {1, 2, 3}
    assert fens(browsers["AUDIT"].get("/fund-flow/paths", **ends).text) == [
        line["amount_fen"] for line in told
    ]
    back = {"from": firm, "to": "household:H1"}
    assert callers.AUDIT.get("/fund-flow/paths", **back).json()["lines"] == []
    assert "没有钱" in browsers["AUDIT"].get("/fund-flow/paths", **back).text
    wide = {"from": "bank:NRCB", "to": "treasury"}
    assert callers.AUDIT.get("/fund-flow/paths", **wide).status_code == 422
    assert browsers["AUDIT"].get("/fund-flow/paths", **wide).status_code == 422


def test_an_account_and_a_person_have_a_record(
    callers: Callers, browsers: dict[str, Browser]
) -> None:
    for kind in ("account", "person"):
        lines = callers.AUDIT.get("/entities", kind=kind).json()["lines"]
        for line in lines[:3]:
            text = shown(browsers["AUDIT"], f"/entities/{line['pseudonym']}")
            told = callers.AUDIT.get(f"/entities/{line['pseudonym']}").json()["lines"]
            assert {f"/events/{each['event_id']}" for each in told} <= links(text)
    assert browsers["AUDIT"].get("/entities/account-" + "0" * 24).status_code == 404


def test_the_fund_ledger_and_its_journal_agree(
    callers: Callers, browsers: dict[str, Browser]
) -> None:
    [line] = callers.AUDIT.get("/ledgers/funds").json()["lines"]
    text = shown(browsers["AUDIT"], "/ledgers/funds")
    assert {line["allocated_fen"], line["free_fen"], 70_000} <= set(fens(text))
    for part, sign in (("treasury", -1), ("free", 1)):
        page = shown(browsers["AUDIT"], f"/ledgers/journal?account=budget:{part}:2023")
        body = page[page.index("<tbody>") : page.index("</tbody>")]
        assert sum(fens(body)) == sign * 100_000


def test_the_risk_fund_is_measured_against_its_limit(
    callers: Callers, browsers: dict[str, Browser]
) -> None:
    [line] = callers.AUDIT.get("/ledgers/risk-fund").json()["lines"]
    text = shown(browsers["AUDIT"], "/ledgers/risk-fund")
    assert {line["balance_fen"], line["outstanding_fen"]} <= set(fens(text))
    assert 5_000 in fens(shown(browsers["DB"], "/guarantees"))
    assert ">L1<" not in shown(browsers["PSBC"], "/guarantees?cols=loan_no")
    assert "未超过 10 倍" in text
    early = shown(browsers["AUDIT"], "/ledgers/risk-fund?as_of=2023-01-20")
    assert "还没有注入" in early


def test_instalments_say_how_late_each_is(callers: Callers, browsers: dict[str, Browser]) -> None:
    asked = {"as_of": "2023-07-20"}
    lines = callers.T01.get("/benefits/instalments", **asked).json()["lines"]
    assert [(x["household_no"], x["state"], x["days_late"], x["short_fen"]) for x in lines] == [
        ("H1", "paid_late", 10, 0), ("H2", "short", 20, 1_000),
    ]  # fmt: skip
    text = browsers["T01"].get("/benefits/instalments", **asked).text
    assert 'class="tag late"' in text and 'class="tag wrong"' in text


def test_what_cannot_be_shown_says_so(browsers: dict[str, Browser]) -> None:
    audit = browsers["AUDIT"]
    for path, query, status in (
        ("/fund-flow", {"nothing": "1"}, 400),
        ("/fund-flow", {"household_no": "H1", "account": "account-" + "0" * 24}, 422),
        ("/fund-flow", {"household_no": "H99"}, 404),
        ("/fund-flow/edges", {"node": "household:H99"}, 404),
        ("/fund-flow/unlinked/anything", {}, 404),
        ("/entities/nobody", {}, 400),
    ):
        answer = audit.get(path, **query)
        assert answer.status_code in (status, 422), (path, query, answer.status_code)
        assert answer.headers["content-type"].startswith("text/html")
    assert audit.get("/fund-flow/edges").headers["location"].startswith("/fund-flow")
    early = shown(audit, "/fund-flow?as_of=2020-01-01")
    assert "没有资金流动" in early and "看全县" in early


# ---- a walk around a node sees what a walk over the county sees ---------------------------


def test_a_narrow_walk_finds_what_the_whole_county_holds(callers: Callers) -> None:
    facts = callers.client.app.state.service.facts
    dice = random.Random(1)
    with facts.at(date(2024, 1, 31)) as view:
        every = movements(view)
        nodes = sorted({end for m in every for end in (m.source, m.target, m.via) if end})
        for node in nodes:
            assert movements(view, nodes=[node]) == _touching(every, {node}), node
            ending = [m for m in movements(view, nodes=[node], ending=True) if m.target == node]
            assert ending == [m for m in every if m.target == node], node
        some = dice.sample(nodes, 3)
        assert movements(view, nodes=some) == _touching(every, set(some))


def _touching(every: list[Movement], nodes: set[str]) -> list[Movement]:
    return [m for m in every if {m.source, m.target, m.via} & nodes]
