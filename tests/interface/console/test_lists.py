"""The list engine: what an address asks of a table is what the page and its files show."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from support import controls as c
from support.browser import Browser, lend_and_pay, without_script
from support.service import Callers, service

from interface.console.list_query import Asked, Bounds, Sort
from interface.console.list_rows import InMemory
from interface.console.list_view import in_numbers
from interface.console.lists import ListPage
from projections.columns import count
from projections.facts.reading import Table
from projections.links.columns import BENEFITS, RATINGS
from projections.red_flags import rules

GRADES = ("A", "B", "<b>C</b>")


@pytest.fixture(scope="module")
def callers(shared_database: Any) -> Iterator[Callers]:
    """Twelve ratings by a bank and a township: four each of three grades."""
    with service(shared_database, watching=False) as callers:
        position = lend_and_pay(callers)
        for number in range(12):
            rated = c.rating(
                ref=f"PJ-{number}",
                effective_on=str(date(2023, 1, 1) + timedelta(number // 2)),
                grade=GRADES[number % 3],
                score=800 + number,
                household_no=f"R{number:02}",
            )
            head = {"name": "张三", "id_no": c.id_no(number), "relation": "户主", "head": True}
            home = c.household(ref=f"HR-{number}", household_no=f"R{number:02}", members=[head])
            callers.BUREAU.post("/households", c.body(home) | {"ref": home.ref})
            answer = callers.NRCB.post(
                f"/households/R{number:02}/ratings",
                c.body(rated, "household_no") | {"ref": rated.ref},
            )
            assert answer.status_code == 201, answer.text
            position = answer.json()["position"]
        callers.AUDIT.get("/ratings", position=position)
        yield callers


def cells(text: str) -> list[list[str]]:
    """The lines of a page's table, as text."""
    body = re.search(r"<tbody>(.*?)</tbody>", text, re.DOTALL)
    rows = re.findall(r"<tr>(.*?)</tr>", body[1], re.DOTALL) if body else []
    return [
        [re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row)]
        for row in rows
    ]


def addresses(text: str) -> list[str]:
    return [each.replace("&amp;", "&") for each in re.findall(r'href="([^"]*)"', text)]


def test_a_page_its_files_and_its_route_say_the_same(
    callers: Callers, browsers: dict[str, Browser]
) -> None:
    told = callers.AUDIT.get("/ratings", as_of="2023-06-30").json()["lines"]
    query = {"as_of": "2023-06-30", "sort": "score", "cols": "score,household_no,grade"}
    wanted = [
        {"score": line["score"], "household_no": line["household_no"], "grade": line["grade"]}
        for line in sorted(told, key=lambda line: line["score"])
    ]
    assert len(wanted) == 12
    browser = browsers["AUDIT"]
    assert browser.get("/ratings.json", **query).json()["lines"] == wanted
    shown = cells(browser.get("/ratings", **query).text)
    assert [[int(row[0]), row[1]] for row in shown] == [
        [line["score"], line["household_no"]] for line in wanted
    ]
    file = browser.get("/ratings.csv", **query).content.decode("utf-8-sig").splitlines()
    assert [line.split(",")[:2] for line in file[-12:]] == [
        [str(line["score"]), line["household_no"]] for line in wanted
    ]
    assert browser.get("/ratings.xlsx", **query).content[:2] == b"PK"


def test_a_role_sees_of_a_list_what_it_sees_of_its_route(
    callers: Callers, browsers: dict[str, Browser]
) -> None:
    for code, browser in browsers.items():
        route = getattr(callers, code).get("/ratings")
        page = browser.get("/ratings")
        assert page.status_code == route.status_code, code
        if route.status_code == 200:
            assert len(cells(page.text)) == len(route.json()["lines"]), code
        assert browser.get("/ratings.json").status_code == route.status_code, code


def test_a_facet_counts_the_lines_that_the_other_filters_leave(
    browsers: dict[str, Browser],
) -> None:
    text = browsers["AUDIT"].get("/ratings", grade="A", rated_until="2023-01-03").text
    assert len(cells(text)) == 2
    facet = re.search(r"<li><span>等级</span>(.*?)</li>", text, re.DOTALL)
    assert facet is not None
    assert re.findall(r"<b>(\d+)</b>", facet[1]) == ["2", "2", "2"]
    assert "/ratings?rated_until=2023-01-03" in addresses(facet[1]), "the chosen one is taken back"
    none = browsers["AUDIT"].get("/ratings", rated_until="2023-01-01").text
    assert '<span class="zero">&lt;b&gt;C&lt;/b&gt; 0</span>' in none


def test_pages_follow_each_other_through_the_whole_list(browsers: dict[str, Browser]) -> None:
    browser, found = browsers["AUDIT"], []
    address: str | None = "/ratings?sort=-rated_on&limit=5&cols=household_no,rated_on"
    pages = 0
    while address:
        text = browser.get(address).text
        found += cells(text)
        pages += 1
        following = re.search(r'href="([^"]*)" rel="next"', text)
        address = following[1].replace("&amp;", "&") if following else None
    assert pages == 3
    assert found == sorted(found, key=lambda row: (row[1], -int(row[0][1:])), reverse=True)
    assert len({row[0] for row in found}) == 12


def test_a_cursor_of_another_query_is_refused_with_the_way_to_the_first_page(
    browsers: dict[str, Browser],
) -> None:
    browser = browsers["AUDIT"]
    [following] = re.findall(
        r'href="([^"]*)" rel="next"', browser.get("/ratings", limit=5, sort="grade").text
    )
    cursor = re.findall(r"cursor=([\w-]+)", following)[0]
    for query in ({"sort": "-grade"}, {"grade": "A"}, {"as_of": "2024-01-01"}):
        answer = browser.get("/ratings", cursor=cursor, limit=5, **query)
        assert answer.status_code == 422
        assert "cursor_malformed" in answer.text
        name, value = next(iter(query.items()))
        assert f"/ratings?limit=5&{name}={value}" in addresses(answer.text)
    assert browser.get("/ratings", cursor="x" * 20).status_code == 422


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"sort": "nothing"}, "nothing"),
        ({"sort": "-"}, "-"),
        ({"cols": "grade,<b>"}, "&lt;b&gt;"),
        ({"rated_from": "2023-02-30"}, "2023-02-30"),
        ({"grades": "A"}, "grades"),
        ({"limit": "0"}, "limit"),
    ],
)
def test_what_is_wrong_in_an_address_is_named(
    browsers: dict[str, Browser], query: dict[str, str], named: str
) -> None:
    answer = browsers["AUDIT"].get("/ratings", **query)
    assert answer.status_code == 400
    assert named in answer.text


@pytest.mark.parametrize(
    ("typed", "exact"),
    [
        ("rated_from=2023Q1&grade=A", "rated_from=2023-03-20&grade=A"),
        ("sort=-age_days&grade=A", "grade=A"),
        ("limit=50&grade=A", "grade=A"),
        ("cols=grade&cols=score", "cols=grade%2Cscore"),
        ("cols=grade%2Cscore&move=-score", "cols=score%2Cgrade&columns=choose"),
    ],
)  # fmt: skip
def test_what_is_typed_becomes_the_exact_address(
    browsers: dict[str, Browser], typed: str, exact: str
) -> None:
    answer = browsers["AUDIT"].get(f"/ratings?{typed}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/ratings?{exact}")
    assert browsers["AUDIT"].get(f"/ratings?{exact}").status_code == 200


def test_the_columns_are_chosen_on_a_page_without_script(browsers: dict[str, Browser]) -> None:
    text = browsers["AUDIT"].get("/ratings", columns="choose", cols="grade,score").text
    ticked = re.findall(r'value="(\w+)" checked', text)
    assert ticked == ["grade", "score"]
    assert set(re.findall(r'name="cols" value="(\w+)"', text)) == {each.key for each in RATINGS}
    assert not cells(text)


def test_an_empty_list_says_so_and_leads_to_the_wider_one(browsers: dict[str, Browser]) -> None:
    text = browsers["AUDIT"].get("/ratings", household_no="nobody").text
    assert "没有符合这些条件的行" in text
    assert "/ratings" in addresses(text)
    assert "<table" not in text
    assert "nobody" in text


def test_what_somebody_wrote_stays_text(browsers: dict[str, Browser]) -> None:
    for query in ({}, {"grade": "<b>C</b>"}, {"household_no": '"><script>'}):
        for language in ("zh", "en"):
            text = browsers["AUDIT"].get("/ratings", lang=language, **query).text
            assert "<b>C" not in text and "<script" not in without_script(text)


# ---- in memory --------------------------------------------------------------------------


def table(size: int) -> Table:
    chance = random.Random(7)
    days = [None, *(date(2023, 1, day) for day in range(1, 9))]
    rows = [
        (f"T{chance.randrange(4)}", f"XY-{number}", chance.choice(["企业", None]), f"H{number % 9}",
         chance.randrange(5) * 100, 0, chance.choice([0, 50]), chance.choice(days))
        for number in range(size)
    ]  # fmt: skip
    return Table(BENEFITS, rows)


def asked(sort: str | None, **more: Any) -> Asked:
    parsed = Sort(sort.removeprefix("-"), sort.startswith("-")) if sort else None
    return Asked(more.get("equal", {}), more.get("ranges", {}), parsed, (), None, 50, False)


@pytest.mark.parametrize("sort", ["due_fen", "-due_fen", "next_due_on", "-next_due_on", None])
def test_pages_of_any_order_are_the_whole_in_that_order(sort: str | None) -> None:
    found = InMemory(table(200), asked(sort), ("agreement_no",), (), ("due_fen",))
    rows, cursor = found.page(None, 7)
    while cursor is not None:
        assert len(cursor) == found.cursor_values
        more, cursor = found.page(cursor, 7)
        rows += more
    assert rows == list(found.rows())
    assert sorted(rows) == sorted(table(200).rows, key=str) or len(rows) == 200
    assert found.sums == {"due_fen": sum(row[4] for row in rows)}
    if sort:
        place = [column.key for column in BENEFITS].index(sort.removeprefix("-"))
        values = [row[place] for row in rows]
        present = [value for value in values if value is not None]
        assert present == sorted(present, reverse=sort.startswith("-"))
        assert values == present + [None] * (len(values) - len(present)), "what has none is last"


def test_filters_and_facets_count_as_one_would_by_hand() -> None:
    whole = table(300)
    ranges = {"next_due_on": Bounds(date(2023, 1, 2), date(2023, 1, 5))}
    found = InMemory(
        whole,
        asked("due_fen", equal={"township": "T1"}, ranges=ranges),
        ("agreement_no",),
        ("township", "enterprise"),
        (),
    )
    within = [
        row for row in whole.rows if row[7] and date(2023, 1, 2) <= row[7] <= date(2023, 1, 5)
    ]
    assert found.lines == sum(row[0] == "T1" for row in within) > 0
    for township in ("T0", "T1", "T2", "T3"):
        assert found.facet("township")[township] == sum(row[0] == township for row in within)
    assert found.facet("enterprise")["-"] == sum(
        row[0] == "T1" and row[2] is None for row in within
    )


def test_a_declaration_that_names_no_column_fails_at_once() -> None:
    with pytest.raises(ValueError, match="nothing"):
        ListPage(
            name="x", query="/ratings", columns=RATINGS, key=("household_no",), facets=("nothing",)
        )


def test_an_empty_list_says_whether_a_filter_is_why_and_leads_on(
    browsers: dict[str, Browser],
) -> None:
    def empty(path: str, **query: str) -> tuple[str, str]:
        page = browsers["AUDIT"].get(path, lang="zh", **query).text
        [(sentence, href)] = re.findall(r'<p class="lead empty">([^<]*)<a href="([^"]*)"', page)
        return sentence, href

    sentence, href = empty("/batches")
    assert "还没有批次" in sentence
    assert href == "/settlement"
    sentence, href = empty("/ledgers/loans", bank="PSBC", as_of="2024-06-30")
    assert "没有符合这些条件的行" in sentence
    assert href == "/ledgers/loans?as_of=2024-06-30"
    sentence, href = empty("/red-flags/changes")
    assert "还没有疑点出现" in sentence
    assert href == "/red-flags/runs"


def test_finding_groups_before_a_first_check_say_so_and_name_the_rules(
    browsers: dict[str, Browser],
) -> None:
    page = browsers["AUDIT"].awaited("/red-flags/schemes", lang="zh").text
    assert "条规则都还没有查过" in page
    assert "没有这样的疑点组" not in page
    for rule in rules():
        assert f"{rule.id} {rule.title_zh}" in page


def test_counts_have_commas_and_what_names_something_has_none() -> None:
    columns = [count(unit, unit, unit, unit) for unit in ("loans", "position", "year", "number")]
    shown = [in_numbers(column, 12345) for column in columns]
    assert shown == ["12,345", "12,345", "12345", "12345"]
