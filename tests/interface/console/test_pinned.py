"""A pinned page proves itself: by its address, years later, to the auditor as well."""

from __future__ import annotations

import html
import json
import re
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from support import controls as c
from support.browser import Browser, lend_and_pay, signed_in
from support.service import Callers, service

from interface.console.pinned import Answer, differing, digest_of, same_page

LOAN, LEDGER = "/loans/NRCB/L1", "/ledgers/loans"
PAGES = (
    *(LEDGER, "/ledgers/subsidies", "/subsidy-payments/PAY-1"),
    *(LOAN, f"{LOAN}/subsidies/2023Q3", "/households/H1", "/events/2"),
)


def paper(browser: Browser, page: str, **query: str) -> str:
    """The address that a page prints."""
    found = re.search(r'/qr\.svg\?of=([^"]+)"', browser.get(page, **query).text)
    assert found is not None, page
    return unquote(html.unescape(found[1]))


def verdicts(browser: Browser, address: str) -> list[str]:
    """What the page of a paper's address says of it."""
    text = browser.get(address).text
    found = re.search(r'class="verdict".*?</div>', text, re.DOTALL)
    return re.findall(r'class="tag (\w+)"', found[0]) if found else []


def digest(address: str) -> str:
    [said] = parse_qs(urlsplit(address).query)["digest"]
    return said


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_prints_is_equal_when_it_is_opened(
    browsers: dict[str, Browser], page: str
) -> None:
    address = paper(browsers["AUDIT"], page, as_of="2024-01-31")
    assert urlsplit(address).path == page
    assert verdicts(browsers["AUDIT"], address) == ["done", "done"]
    assert paper(browsers["AUDIT"], address) == address  # it proves the same again


@pytest.mark.parametrize("page", PAGES)
def test_a_digest_of_something_else_is_said_to_differ(
    browsers: dict[str, Browser], page: str
) -> None:
    address = paper(browsers["AUDIT"], page, as_of="2024-01-31")
    right = digest(address)
    wrong = ("a" if right[0] != "a" else "b") + right[1:]
    assert verdicts(browsers["AUDIT"], address.replace(right, wrong)) == ["wrong", "done"]


def test_a_checkpoint_of_another_log_is_said_to_differ(browsers: dict[str, Browser]) -> None:
    address = paper(browsers["AUDIT"], PAGES[0], as_of="2024-01-31")
    other = re.sub(r"checkpoint=\d+\.", "checkpoint=999999.", address)
    assert verdicts(browsers["AUDIT"], other) == ["done", "wrong"]


def test_a_bank_prints_its_own_rows_and_the_auditor_checks_them(
    browsers: dict[str, Browser],
) -> None:
    for code in ("NRCB", "T01", "PSBC"):
        address = paper(browsers[code], "/ledgers/loans", as_of="2024-01-31")
        assert f"by={code}" in address
        assert verdicts(browsers["AUDIT"], address) == ["done", "done"]
    assert browsers["NRCB"].get(address).status_code == 403  # PSBC's
    assert browsers["CENTRE"].get(address).status_code == 403
    without = re.sub(r"&(digest|checkpoint)=[^&]+", "", address)
    assert browsers["AUDIT"].get(without).status_code == 403


def test_links_of_a_checked_page_lead_back_to_ones_own_rows(browsers: dict[str, Browser]) -> None:
    address = paper(browsers["NRCB"], "/ledgers/loans", as_of="2024-01-31")
    links = re.findall(r'<a [^>]*href="(/[^"]*)"', browsers["AUDIT"].get(address).text)
    assert links
    assert not [link for link in links if "digest=" in link or "by=" in link]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"digest": "x" * 52 + "."}, "两个日期"),
        ({"digest": "x"}, "digest"),
        ({"as_of": "2024-01-31", "known_at": "2035-01-01T00:00:00Z", "digest": "x" * 52 + "."},
         "还没有过去"),
    ],
)  # fmt: skip
def test_a_digest_that_cannot_be_checked_is_refused(
    browsers: dict[str, Browser], query: dict[str, str], named: str
) -> None:
    answer = browsers["AUDIT"].get("/ledgers/loans", **query)
    assert answer.status_code == 400
    assert named in answer.text


def test_a_page_without_a_digest_says_so(browsers: dict[str, Browser]) -> None:
    pinned = {"as_of": "2024-01-31", "known_at": "2024-01-31T00:00:00Z"}
    answer = browsers["AUDIT"].get("/search", digest="x" * 52 + ".", **pinned)
    assert answer.status_code == 400


def test_the_code_on_paper_is_a_picture_for_who_is_signed_in(
    callers: Callers, browsers: dict[str, Browser]
) -> None:
    answer = browsers["AUDIT"].get("/qr.svg", of="/ledgers/loans")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert b"style" not in answer.content
    assert b"<path" in answer.content
    assert browsers["AUDIT"].get("/qr.svg", of="https://elsewhere.test/").status_code == 400
    assert Browser(callers).get("/qr.svg", of="/").status_code == 303


def test_a_digest_is_of_figures_address_and_both_dates() -> None:
    query, parts = {"as_of": "2024-01-31"}, {"a": [1, 2], "b": ["x"]}
    own = digest_of("/x", query, parts)
    titles = {"a": "amounts", "b": "names"}
    answer = Answer(parts, None, titles)  # type: ignore[arg-type]
    assert own == digest_of("/x", dict(query), dict(parts))
    for other in (
        digest_of("/y", query, parts),
        digest_of("/x", {"as_of": "2024-02-01"}, parts),
        digest_of("/x", query, {"a": [1, 3], "b": ["x"]}),
        digest_of("/x", query, {"a": [2, 1], "b": ["x"]}),
    ):
        assert not same_page(other, own)
    changed = digest_of("/x", query, {"a": [1, 3], "b": ["x"]})
    assert differing(changed, own, answer) == ["amounts"]
    assert differing(digest_of("/x", query, {"a": [1, 2]}), own, answer) == []


def test_neither_later_events_nor_an_erasure_change_a_digest(database: Any) -> None:
    """1 000 further events: late ones about the very loan, others, and the household's erasure."""
    with service(database) as callers:
        lend_and_pay(callers)
        browser = signed_in(callers, database)["AUDIT"]
        papers = [paper(browser, page, as_of="2024-01-31") for page in PAGES]
        assert "张*" in browser.get(PAGES[0]).text
        lines = [
            {"type": "household", "ref": f"X{n}", **c.body(c.household(household_no=f"X{n}"))}
            for n in range(1_000)
        ]
        many = callers.BUREAU.send("/submissions", content="\n".join(map(json.dumps, lines)))
        assert many.text.count('"position"') == 1_000, many.text[:500]
        late = c.repay(principal_fen=100_000, effective_on="2023-08-01")
        rest = c.repay(principal_fen=2_900_000, effective_on="2024-02-01")
        for ref, body in (("RP-2", late), ("RP-3", rest)):
            told = callers.NRCB.post("/loans/L1/repayments", c.body(body, "loan_no") | {"ref": ref})
            assert told.status_code == 201, told.text
        gone = callers.BUREAU.post(
            "/households/H1/erasure", c.body(c.erasure(), "household_no") | {"ref": "ER-1"}
        )
        assert gone.status_code == 201, gone.text
        callers.AUDIT.get("/ledgers/loans", position=gone.json()["position"])
        assert "张*" not in browser.get(PAGES[0]).text
        for address in papers:
            assert verdicts(browser, address)[0] == "done", address
        fresh = [paper(browser, page, as_of="2024-01-31") for page in PAGES]
        others = [digest(one) != digest(two) for one, two in zip(papers, fresh, strict=True)]
        assert others == [True] * len(PAGES)
        loans, late_loans = papers[0], fresh[0]
        text = browser.get(late_loans.replace(digest(late_loans), digest(loans))).text
        assert "余额(元)" in re.findall(r"不同之处：(.*?)。", text)[0]
