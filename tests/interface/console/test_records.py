"""The pages of a loan, a household and an event, and finding: what each role sees of them."""

from __future__ import annotations

import re
from typing import Any

import psycopg
import pytest
from support import controls as c
from support.browser import Browser
from support.chance import wait_until
from support.county import ORGANISATIONS
from support.service import Callers

from domain.loan import Loan
from domain.roles import Role

LOAN, WHY, HOME = "/loans/NRCB/L1", "/loans/NRCB/L1/subsidies/2023Q3", "/households/H1"
ROUTES = {
    LOAN: ("/loans/L1", {"bank": "NRCB"}),
    WHY: ("/loans/L1/subsidies/2023Q3", {"bank": "NRCB"}),
    HOME: ("/households/H1", {}),
    f"/events/{Loan.id_for('NRCB', 'L1')}.1": (f"/events/{Loan.id_for('NRCB', 'L1')}.1", {}),
    "/search": ("/search", {"q": "nothing-of-this-number"}),
}


def fens(text: str) -> list[int]:
    return [int(fen) for fen in re.findall(r'data-fen="(-?\d+)"', text)]


def opened(browser: Browser, path: str, **query: Any) -> Any:
    """The page, behind one redirect at most."""
    answer = browser.get(path, **query)
    if answer.status_code == 303 and not answer.headers["location"].startswith("/sign-in"):
        answer = browser.get(answer.headers["location"])
    return answer


# ---- rights -----------------------------------------------------------------------------


@pytest.mark.parametrize("path", ROUTES)
def test_each_role_sees_of_a_record_what_it_sees_of_its_route(
    callers: Callers, browsers: dict[str, Browser], path: str
) -> None:
    """What is another's is not found; of another bank the route says 403."""
    route, query = ROUTES[path]
    for organisation in ORGANISATIONS:
        status = getattr(callers, organisation.code).get(route, **query).status_code
        asks_another = organisation.role == Role.BANK and status == 403
        wanted = 404 if asks_another else status
        assert opened(browsers[organisation.code], path).status_code == wanted, organisation.code


def test_what_is_anothers_is_not_found_as_what_does_not_exist(
    browsers: dict[str, Browser],
) -> None:
    """The same sentence but for the number, whether it exists or not."""
    pairs = (
        (browsers["PSBC"], LOAN, "/loans/NRCB/nobody", "L1", "nobody"),
        (browsers["T02"], HOME, "/households/nobody", "H1", "nobody"),
        (browsers["PSBC"], "/events/2", "/events/999999", "2", "999999"),
    )
    for browser, there, nowhere, no, other in pairs:
        foreign, missing = browser.get(there), browser.get(nowhere)
        assert (foreign.status_code, missing.status_code) == (404, 404), there
        assert foreign.text.replace(no, "N") == missing.text.replace(other, "N").replace(no, "N")


def test_a_search_finds_what_is_in_scope_alone(browsers: dict[str, Browser]) -> None:
    for q, address in (
        ("L1", "/loans/NRCB/L1"), ("H1", "/households/H1"), ("PAY-1", "/subsidy-payments/PAY-1"),
        ("#2", "/events/2"), (f"{Loan.id_for('NRCB', 'L1')}.1", "/events/"),
    ):  # fmt: skip
        found = browsers["AUDIT"].get("/search", q=q)
        assert found.status_code == 303, q
        assert found.headers["location"].startswith(address)
        foreign = browsers["PSBC"].get("/search", q=q)
        assert foreign.status_code == 200
        assert "没有找到" in foreign.text


def test_an_own_reference_is_found_by_its_organisation_alone(
    callers: Callers, browsers: dict[str, Browser]
) -> None:
    [hit] = callers.NRCB.get("/search", q="RP-1").json()["found"]
    assert hit["kind"] == "ref"
    assert browsers["NRCB"].get("/search", q="RP-1").headers["location"] == hit["address"]
    assert callers.T01.get("/search", q="RP-1").json()["found"] == []


# ---- the same truth ---------------------------------------------------------------------


def test_the_figures_of_a_loan_are_those_of_its_routes(
    callers: Callers, browsers: dict[str, Browser]
) -> None:
    told = callers.AUDIT.get("/loans/L1", bank="NRCB").json()
    shown = fens(browsers["AUDIT"].get(LOAN).text)
    assert shown[0] == told["loan"]["outstanding_fen"] == 3_000_000
    settled = callers.AUDIT.get("/settlement", period="2023Q3", loan_no="L1").json()["lines"]
    for line in settled:
        assert line["due_fen"] in shown
    assert {line["paid_fen"] for line in told["subsidies"]} <= set(shown)


def test_the_figures_of_a_quarter_are_those_of_its_explanation(
    callers: Callers, browsers: dict[str, Browser]
) -> None:
    told = callers.AUDIT.get("/loans/L1/subsidies/2023Q3", bank="NRCB").json()
    text = browsers["AUDIT"].get(WHY).text
    assert fens(text)[0] == told["due_fen"] > 0
    assert {s["principal_fen"] for s in told["calculations"]["sql"]["segments"]} <= {*fens(text)}
    for reason in told["reasons"]:
        assert reason["zh"] in text
    nothing = browsers["AUDIT"].get("/loans/NRCB/L1/subsidies/2025Q4").text
    assert fens(nothing)[0] == 0
    assert "为什么没有" in nothing


def test_a_household_shows_masked_names_and_what_it_owes(browsers: dict[str, Browser]) -> None:
    text = browsers["AUDIT"].get(HOME).text
    assert fens(text)[0] == 3_000_000
    assert "张*" in text
    assert "张三" not in text


def test_an_event_shows_its_words_its_bytes_and_what_rests_on_it(
    callers: Callers, browsers: dict[str, Browser]
) -> None:
    id = f"{Loan.id_for('NRCB', 'L1')}.1"
    told = callers.AUDIT.get(f"/events/{id}").json()
    assert [each["payment_no"] for each in told["rests"]["payments"]] == ["PAY-1"]
    assert told["about"] == {"kind": "loan", "no": "L1", "bank": "NRCB"}
    assert '"loan_no":"L1"' in told["stored"]["content"]
    position = told["event"]["position"]
    for name in (f"#{position}", str(position)):
        same = callers.AUDIT.get(f"/events/{name.replace('#', '%23')}").json()
        assert same["event"] == told["event"]
    text = browsers["AUDIT"].get(f"/events/{position}").text
    assert "/subsidy-payments/PAY-1" in text
    assert told["stored"]["leaf_hash"] in text
    assert told["event"]["content"]["principal_fen"] in fens(text)


def test_hostile_names_are_escaped_on_every_record(browsers: dict[str, Browser]) -> None:
    for path in (LOAN, WHY, HOME, "/events/2"):
        text = browsers["AUDIT"].get(path).text
        assert not re.search(r"<script>alert|<style|\sstyle=|\son\w+=", text), path


# ---- dates and addresses ----------------------------------------------------------------


def test_a_record_is_what_was_known_at_both_dates(browsers: dict[str, Browser]) -> None:
    browser = browsers["AUDIT"]
    for path in (LOAN, HOME, "/events/2"):
        assert browser.get(path, known_at="2020-01-01T00:00:00Z").status_code == 404, path
    early = browser.get(LOAN, as_of="2023-03-10")
    assert fens(early.text)[0] == 5_000_000


def test_an_unknown_parameter_is_named(browsers: dict[str, Browser]) -> None:
    for path in (LOAN, WHY, HOME, "/events/2", "/search"):
        answer = browsers["AUDIT"].get(path, asof="2023-12-31")
        assert answer.status_code == 400
        assert "asof" in answer.text


def test_what_is_no_quarter_and_no_event_is_a_page_that_says_so(
    browsers: dict[str, Browser],
) -> None:
    for path in ("/loans/NRCB/L1/subsidies/2023Q9", "/events/0", "/events/x", "/events/-1"):
        answer = browsers["AUDIT"].get(path)
        assert answer.status_code in (400, 404), path
        assert answer.headers["content-type"].startswith("text/html")


# ---- in clear ---------------------------------------------------------------------------


def look_form(browser: Browser, path: str) -> dict[str, str]:
    text = browser.get(path).text
    return {
        name: re.findall(rf'name="{name}" value="([^"]+)"', text)[-1] for name in ("token", "ref")
    }


def looks(shared_database: Any) -> int:
    with psycopg.connect(shared_database.owner_dsn) as connection:
        row = connection.execute(
            "SELECT count(*) FROM ledger.event WHERE topic = 'household.looked-at.v1'"
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_names_are_shown_once_behind_a_reason_that_is_recorded(
    browsers: dict[str, Browser], shared_database: Any
) -> None:
    browser, before = browsers["AUDIT"], looks(shared_database)
    form = look_form(browser, HOME)
    assert browser.post(HOME, **form, reason="短").status_code == 422
    assert browser.post(HOME, **form | {"token": "0" * 64}, reason="核对身份").status_code == 403
    assert (
        browser.post(HOME, origin="https://evil.test", **form, reason="核对身份").status_code == 403
    )
    assert looks(shared_database) == before

    shown = browser.post(HOME, **form, reason="核对身份")
    assert shown.status_code == 200
    assert c.ID_NO in shown.text
    assert "no-store" in shown.headers["cache-control"]
    assert looks(shared_database) == before + 1
    again = browser.post(HOME, **form, reason="核对身份")
    assert c.ID_NO not in again.text
    assert looks(shared_database) == before + 1
    assert c.ID_NO not in browser.get(HOME).text
    wait_until(lambda: "核对身份" in browser.get(HOME).text, "the look is drawn")


def test_a_household_of_another_is_not_looked_at(
    browsers: dict[str, Browser], shared_database: Any
) -> None:
    before, form = looks(shared_database), look_form(browsers["T01"], HOME)
    assert browsers["T02"].post(HOME, **form, reason="核对身份").status_code == 403
    assert looks(shared_database) == before


def test_a_person_is_found_by_identity_number_with_a_reason_and_on_record(
    browsers: dict[str, Browser], shared_database: Any
) -> None:
    browser, before = browsers["AUDIT"], looks(shared_database)
    assert browser.get("/search", q="张三").status_code == 400
    assert browser.get("/search", q=c.ID_NO).status_code == 400
    form = look_form(browser, "/search")
    for number in (c.ID_NO, "110101199003070000"):
        for reason in ("", "短"):
            judged = browser.post("/search", **form, number=number, reason=reason)
            assert judged.status_code == 422
            assert "没有找到" not in judged.text, "without a reason it is not said who is known"
    named = browser.post("/search", **form, number="张三", reason="核对身份")
    assert named.status_code == 422
    assert "姓名不能查" in named.text
    assert looks(shared_database) == before

    found = browser.post("/search", **form, number=c.ID_NO, reason="核对身份")
    assert found.status_code == 303
    assert found.headers["location"].startswith("/households/H1")
    assert looks(shared_database) == before + 1
    foreign = look_form(browsers["T02"], "/search")
    nobody = browsers["T02"].post("/search", **foreign, number=c.ID_NO, reason="核对身份")
    assert nobody.status_code == 200
    assert "没有找到" in nobody.text
    assert looks(shared_database) == before + 1
