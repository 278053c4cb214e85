"""Sheets of reports, what was published, the programme and batches, as their readers see them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from support.browser import Browser, figures, lend_and_pay
from support.service import Callers, service

from interface.console.drawing.bands import WIDTH, bands

DAY = {"as_of": "2023-12-31"}
NO = "GB-2023-12"


@pytest.fixture(scope="module")
def callers(shared_database: Any) -> Iterator[Callers]:
    """A loan, a payment, and a published report of the townships."""
    with service(shared_database) as callers:
        lend_and_pay(callers)
        answer = callers.CENTRE.post(
            "/publications",
            {
                "ref": NO,
                "publication_no": NO,
                "report": "townships",
                "as_of": "2023-12-31",
                "effective_on": str(date.today()),  # noqa: DTZ011
            },
        )
        assert answer.status_code == 201, answer.text
        callers.AUDIT.get("/publications", position=answer.json()["position"])
        yield callers


@pytest.mark.parametrize("report", ["townships", "banks", "annual"])
def test_a_sheet_has_the_figures_of_its_route(
    callers: Callers, browsers: dict[str, Browser], report: str
) -> None:
    told = callers.AUDIT.get(f"/reports/{report}", **DAY).json()["lines"]
    amounts = [
        value
        for line in told
        for key, value in line.items()
        if key.endswith("_fen") and value is not None
    ]
    for unit in ("yuan", "wan"):
        page = browsers["AUDIT"].awaited(f"/reports/{report}", **DAY, unit=unit).text
        assert figures(page) == amounts
        assert "填报人" in page and "审核人" in page
        assert ("单位：万元" if unit == "wan" else "单位：元") in page
    file = browsers["AUDIT"].awaited(f"/reports/{report}.csv", **DAY)
    assert file.headers["content-type"].startswith("text/csv")


def test_what_was_published_is_listed_read_and_made_again(
    callers: Callers, browsers: dict[str, Browser]
) -> None:
    assert NO in browsers["T01"].get("/publications").text
    file = browsers["T01"].get(f"/publications/{NO}")
    assert file.content == callers.T01.get(f"/publications/{NO}").content
    page = browsers["AUDIT"].awaited(f"/publications/{NO}/check").text
    told = callers.AUDIT.get(f"/publications/{NO}/check").json()
    assert told["reproduced"] and told["sha256"] in page
    assert re.search(r'<a href="/publications" aria-current="page">', page)
    digest, listed = told["sha256"], browsers["AUDIT"].get("/publications").text
    assert f'title="{digest}">{digest[:16]}…<' in listed
    assert "逐字节相同" in page and "一字不变" in page
    assert browsers["AUDIT"].get("/publications/none").status_code == 404
    assert browsers["AUDIT"].awaited("/publications/none/check").status_code == 404


def test_rulings_are_those_of_the_route(callers: Callers, browsers: dict[str, Browser]) -> None:
    told = callers.AUDIT.get("/programme/rulings", **DAY).json()["lines"]
    page = browsers["AUDIT"].get("/programme/rulings", **DAY).text
    for line in told:
        assert f'id="{line["name"]}"' in page, line["name"]
    assert "50,000.00 元" in page and "2023-08-04" in page
    early = browsers["AUDIT"].get("/programme/rulings", known_at="1995-01-01T00:00:00Z")
    assert early.status_code == 200


def test_a_replay_is_the_routes_and_says_that_nothing_is_recorded(
    callers: Callers, browsers: dict[str, Browser]
) -> None:
    form = browsers["AUDIT"].get("/programme/replay")
    assert "不入账" in form.text and 'name="period"' in form.text
    assert "政策试算" not in form.text
    query = {"period": "2023Q3", "rule": "credit_cap_fen", "value": "1000000", **DAY}
    told = callers.AUDIT.get("/programme/replay", **query).json()
    page = browsers["AUDIT"].awaited("/programme/replay", **query).text
    assert figures(page)[0] == told["difference_fen"] < 0
    wrong = browsers["AUDIT"].awaited("/programme/replay", **(query | {"rule": "nothing"}))
    assert (
        wrong.status_code
        == callers.AUDIT.get("/programme/replay", **(query | {"rule": "nothing"})).status_code
    )


@pytest.mark.parametrize(
    ("rule", "typed", "value"),
    [
        ("credit_cap_fen", "50,000.00", "5000000"),
        ("usage_check_months", "30", "30"),
    ],
)
def test_a_replays_value_is_typed_in_yuan_and_addressed_in_the_routes_unit(
    browsers: dict[str, Browser], rule: str, typed: str, value: str
) -> None:
    answer = browsers["AUDIT"].get("/programme/replay", rule=rule, typed=typed)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/programme/replay?rule={rule}&value={value}"
    shown = browsers["AUDIT"].get(answer.headers["location"]).text
    [field] = re.findall(r'name="typed" value="([^"]*)"', shown)
    assert field.replace(",", "") == typed.replace(",", "")
    wrong = browsers["AUDIT"].get("/programme/replay", rule="usage_check_months", typed="1.5")
    assert wrong.status_code == 400
    assert "1.5" in wrong.text


def test_the_plan_is_checked_against_itself(browsers: dict[str, Browser]) -> None:
    page = browsers["AUDIT"].get("/reports/plan-check", year=2023).text
    assert "自相矛盾" in page
    assert "还没有 2020 年的方案" in browsers["AUDIT"].get("/reports/plan-check", year=2020).text


PAGES = (
    "/reports/townships", "/reports/banks", "/reports/annual", "/reports/plan-check",
    "/publications", f"/publications/{NO}", f"/publications/{NO}/check", "/programme/rulings",
    "/batches", "/batches/NONE", "/batches/NONE/lines",
)  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_each_role_sees_of_a_page_what_it_sees_of_its_route(
    callers: Callers, browsers: dict[str, Browser], path: str
) -> None:
    for code, browser in browsers.items():
        status = getattr(callers, code).get(path).status_code
        assert browser.awaited(path).status_code == status, code
        assert browser.awaited(path, nonsense="1").status_code in (400, 403), code


def test_a_county_without_batches_says_so(browsers: dict[str, Browser]) -> None:
    assert "还没有批次" in browsers["AUDIT"].get("/batches").text


def test_a_value_that_was_back_dated_is_seen_as_such() -> None:
    drawn = bands(
        [
            (date(2022, 1, 1), date(2022, 1, 1), date(2023, 1, 1)),
            (date(2023, 1, 1), date(2023, 8, 4), None),
        ],
        date(2024, 1, 1),
    )
    first, second = drawn.bands
    assert first.known_x is None and first.x == 0 and first.width == WIDTH // 2
    assert second.x == WIDTH // 2 and second.known_x is not None and second.known_x > second.x
    assert [year for _, year in drawn.years] == [2023, 2024]
