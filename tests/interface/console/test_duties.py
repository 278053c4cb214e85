"""The pages of duties: the list of a span of days, the counts, the month; and who sees whose."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from support import controls as c
from support.browser import Browser
from support.service import Callers, service

from interface.console.duties import in_language

DAY = {"as_of": "2024-03-15"}
SPAN = {"due_from": "2023-01-01", "due_until": "2024-06-30"}
PAGES = ("/duties", "/duties/summary", "/duties/month", "/duties.json", "/duties/calendar.ics")


@pytest.fixture(scope="module")
def callers(shared_database: Any) -> Iterator[Callers]:
    """One loan of 2023-03-10, checked once in time and once late, its village named as markup."""
    home = c.household(village="<b>村</b>")
    with service(shared_database) as callers:
        steps = [
            (callers.BUREAU, "/households", c.body(home) | {"ref": "HH-1"}),
            (callers.NRCB, "/loans", c.body(c.loan()) | {"ref": "LN-1"}),
        ]
        for day in ("2023-06-08", "2023-09-20"):
            check = c.body(c.check(ref=day, effective_on=day), "loan_no") | {"ref": day}
            steps.append((callers.T01, "/loans/L1/usage-checks", check))
        for caller, path, body in steps:
            answer = caller.post(path, body)
            assert answer.status_code == 201, answer.text
        callers.AUDIT.get("/duties", position=answer.json()["position"])
        yield callers


def test_a_list_without_days_gets_the_month_of_the_day_shown(browsers: dict[str, Browser]) -> None:
    for path in ("/duties", "/duties/summary"):
        answer = browsers["AUDIT"].get(path, as_of="2024-02-10", township="T01")
        assert answer.status_code == 303
        address = answer.headers["location"]
        assert "due_from=2024-02-01&due_until=2024-02-29" in address and "township=T01" in address


def test_the_list_is_the_routes_and_says_what_was_searched(
    callers: Callers, browsers: dict[str, Browser]
) -> None:
    told = callers.AUDIT.get("/duties", **DAY, **SPAN).json()
    page = browsers["AUDIT"].get("/duties", **DAY, **SPAN).text
    same = browsers["AUDIT"].get("/duties.json", **DAY, **SPAN, cols="duty,due_on,state").json()
    assert same["lines"] == [
        {key: line[key] for key in ("duty", "due_on", "state")} for line in told["lines"]
    ]
    [missed] = [
        line
        for line in told["lines"]
        if line["duty"] == "usage_check" and line["due_on"] == "2023-12-10"
    ]
    assert missed["state"] == "not_done"
    first, last = missed["searched_from_on"], missed["searched_until_on"]
    assert f"{first} 至 {last} 之间无检查事件；查过日志到 #{told['position']:,}" in page
    assert "2023-09-20 完成，晚 10 天" in page
    assert '<span class="tag wrong">' in page and '<span class="tag late">' in page
    assert "&lt;b&gt;村&lt;/b&gt;" in page and "<b>村" not in page


def test_each_count_of_the_matrix_opens_as_many_duties(
    callers: Callers, browsers: dict[str, Browser]
) -> None:
    told = callers.AUDIT.get("/duties/summary", **DAY, **SPAN).json()["lines"]
    assert {line["township"] for line in told} == {"T01"}
    text = browsers["AUDIT"].awaited("/duties/summary", **DAY, **SPAN, state="not_done").text
    links = re.findall(r'<td class="n"><a(?: class="zero")? href="([^"]+)">(?:<b>)?(\d+)<', text)
    assert sum(int(count) for _, count in links) >= 2 * sum(line["not_done"] for line in told) > 0
    for address, count in links:
        found = browsers["AUDIT"].get(
            address.replace("&amp;", "&").replace("/duties?", "/duties.json?")
        )
        assert len(found.json()["lines"]) == int(count), address


def test_the_month_is_a_calendar_whose_counts_are_lists(
    callers: Callers, browsers: dict[str, Browser]
) -> None:
    text = browsers["T01"].awaited("/duties/month", **DAY, month="2023-12").text
    due = callers.T01.get("/duties", **DAY, due_from="2023-12-01", due_until="2023-12-31")
    assert f"本月应完成 {len(due.json()['lines'])} 件" in text
    assert text.count('class="day"') == 31
    assert "due_from=2023-12-10&amp;due_until=2023-12-10&amp;duty=usage_check" in text


def test_each_role_sees_its_own_duties(callers: Callers, browsers: dict[str, Browser]) -> None:
    for path in PAGES:
        for code, browser in browsers.items():
            route = "/duties/summary" if "summary" in path else "/duties"
            status = getattr(callers, code).get(route, **DAY, **SPAN).status_code
            dates = {"month": "2023-12"} if "month" in path else SPAN
            answer = browser.awaited(path, **DAY, **dates)
            assert answer.status_code == status, (path, code)
    for code, seen in (("NRCB", True), ("T01", True), ("PSBC", False), ("T02", False)):
        text = browsers[code].get("/duties", **DAY, **SPAN).text
        assert (">L1<" in text) == seen, code
    assert browsers["T02"].get("/duties/month", **DAY, township="T01").status_code == 403


def test_what_cannot_be_shown_is_said(browsers: dict[str, Browser]) -> None:
    browser = browsers["AUDIT"]
    for path in PAGES[:3]:
        answer = browser.get(path, **SPAN, **{"from": "2023-01-01"})
        assert answer.status_code == 400 and "from" in answer.text
    assert browser.get("/duties/month", month="2023-13").status_code == 400
    assert browser.get("/duties/month", month="0001-01").status_code == 400
    empty = browser.get(
        "/duties", as_of="2023-01-01", due_from="2023-01-01", due_until="2023-01-31"
    )
    assert "没有符合这些条件的行" in empty.text


def test_the_calendar_is_that_of_the_route(callers: Callers, browsers: dict[str, Browser]) -> None:
    query = {"as_of": "2024-03-15", "known_at": "2030-01-01T00:00:00Z"}
    for code in ("T01", "NRCB"):
        text = browsers[code].get("/duties/calendar.ics", **query).text
        assert text.count("BEGIN:VEVENT") > 2
        stamp = re.compile(r"DTSTAMP:.*")
        told = getattr(callers, code).get("/duties/calendar.ics", **query).text
        assert stamp.sub("", told) == stamp.sub("", text)


def test_days_asked_for_change_no_duty(callers: Callers) -> None:
    """The list of some days is that part of the whole list."""

    def lines(**query: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = callers.AUDIT.get("/duties", **DAY, **query).json()["lines"]
        return found

    whole = lines(due_until="2024-12-31")
    for first, last in (("2023-06-10", "2023-06-10"), ("2023-09-11", "2024-03-09")):
        days = date.fromisoformat(first), date.fromisoformat(last)
        part = [line for line in whole if days[0] <= date.fromisoformat(line["due_on"]) <= days[1]]
        assert lines(due_from=first, due_until=last) == part
    assert lines(due_until="2024-12-31", loan_no="L1") == [x for x in whole if x["loan_no"]]
    assert lines(due_until="2024-12-31", duty="usage_check", household_no="H1") == [
        line for line in whole if line["duty"] == "usage_check"
    ]
    assert lines(due_until="2024-12-31", village="x") == []


def test_a_remark_is_said_in_one_language() -> None:
    remark = "贷款期限不足 60 天 the loan is shorter than 60 days"
    assert in_language("zh", remark) == "贷款期限不足 60 天"
    assert in_language("en", remark) == "the loan is shorter than 60 days"
    assert in_language("en", None) == ""
