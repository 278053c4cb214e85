"""A loan and a household at two moments: their amounts of the ledger, subtracted."""

from __future__ import annotations

import re
from typing import Any

import pytest
from support.browser import Browser, figures
from support.service import Callers

BEFORE, AFTER = "2023-05-31", "2024-06-30"
AMOUNTS = (
    *("principal_fen", "repaid_fen", "outstanding_fen"),
    *("interest_fen", "penalty_fen", "subsidy_fen"),
)
PAGES = ("/loans/NRCB/L1", "/households/H1")


def amounts(callers: Callers, as_of: str) -> list[int]:
    """Of L1, the only loan of H1."""
    lines = callers.AUDIT.get("/ledgers/loans", as_of=as_of).json()["lines"]
    return [sum(line[key] or 0 for line in lines) for key in AMOUNTS]


def compared(browser: Browser, page: str, **query: Any) -> str:
    text = browser.get(page, **query).text
    found = re.search(r'<section class="compared-record">.*?</section>', text, re.DOTALL)
    assert found is not None, text
    return found[0]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(("then", "now"), [(BEFORE, AFTER), (AFTER, BEFORE), (AFTER, AFTER)])
def test_the_amounts_are_those_of_the_ledger_at_both_moments_and_their_difference(
    callers: Callers, browsers: dict[str, Browser], page: str, then: str, now: str
) -> None:
    rows = [
        [old, new, new - old]
        for old, new in zip(amounts(callers, then), amounts(callers, now), strict=True)
    ]
    query = {"as_of": now, "vs_as_of": then}
    whole = compared(browsers["AUDIT"], page, vs_equal="shown", **query)
    assert figures(whole) == [fen for row in rows for fen in row]
    differing = [row for row in rows if row[2]]
    text = compared(browsers["AUDIT"], page, **query)
    assert figures(text) == [fen for row in differing for fen in row]
    assert f"另有 {len(rows) - len(differing)} 项" in text


@pytest.mark.parametrize("page", PAGES)
def test_a_record_that_was_not_there_then_counts_as_nothing(
    callers: Callers, browsers: dict[str, Browser], page: str
) -> None:
    text = compared(browsers["AUDIT"], page, as_of=AFTER, vs_as_of="2019-01-01")
    assert "彼时还没有这份记录" in text
    assert figures(text) == [fen for now in amounts(callers, AFTER) if now for fen in (0, now, now)]


def test_a_bank_compares_its_own_loan_and_no_other(browsers: dict[str, Browser]) -> None:
    query = {"as_of": AFTER, "vs_as_of": BEFORE}
    assert figures(compared(browsers["NRCB"], PAGES[0], **query))
    assert browsers["PSBC"].get(PAGES[0], **query).status_code == 404


@pytest.mark.parametrize("page", PAGES)
def test_a_paper_of_a_compared_record_covers_both_moments(
    browsers: dict[str, Browser], page: str
) -> None:
    browser = browsers["AUDIT"]
    text = browser.get(page, as_of=AFTER, vs_as_of=BEFORE).text
    [address] = re.findall(rf'class="hash">https://console.test({page}[^<]*)<', text)
    address = address.replace("&amp;", "&")
    for said, tag in ((address, "done"), (address.replace(BEFORE, "2022-05-31"), "wrong")):
        verdict = re.search(r'class="verdict".*?</div>', browser.get(said).text, re.DOTALL)
        assert verdict is not None and f'class="tag {tag}"' in verdict[0], said
    open_end = browser.get(page, as_of=AFTER, vs_known_at="2030-01-01T00:00:00Z").text
    assert "digest=" not in open_end, "what may still be told cannot be proved"
