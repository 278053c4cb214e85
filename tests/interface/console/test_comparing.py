"""A list at two moments: its own query at each, subtracted; nothing else."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest
from support.browser import Browser, figures
from support.service import Callers

from interface.console.app import router
from interface.console.comparing import paired
from interface.console.moments import COMPARING, OF_OTHER, compares
from projections import columns as c

BEFORE, AFTER = "2023-05-31", "2024-06-30"
AMOUNTS = {
    "/ledgers/loans": ("principal_fen", "outstanding_fen", "subsidy_fen"),
    "/ledgers/subsidies": ("due_fen", "paid_fen", "recovered_fen", "returned_fen", "net_fen"),
}
KEYS = {"/ledgers/loans": ("bank", "loan_no"), "/ledgers/subsidies": ("payment_no",)}


def part(key: str, name: str) -> str:
    return key.removesuffix("_fen") + f"_{name}_fen"


def lines_of(callers: Callers, path: str, as_of: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    lines = callers.AUDIT.get(path, as_of=as_of).json()["lines"]
    return {tuple(line[key] for key in KEYS[path]): line for line in lines}


@pytest.mark.parametrize(("then", "now"), [(BEFORE, AFTER), (AFTER, BEFORE), ("2023-01-01", AFTER)])
@pytest.mark.parametrize("path", KEYS)
def test_a_compared_list_is_two_answers_of_its_route_subtracted(
    callers: Callers, browsers: dict[str, Browser], path: str, then: str, now: str
) -> None:
    before, after = lines_of(callers, path, then), lines_of(callers, path, now)
    assert before or after
    told = browsers["AUDIT"].get(f"{path}.json", as_of=now, vs_as_of=then).json()
    assert (told["as_of"], told["then"]["as_of"]) == (now, then)
    shown = {tuple(line[key] for key in KEYS[path]): line for line in told["lines"]}
    assert shown.keys() == before.keys() | after.keys()
    for name, line in shown.items():
        sides = (before.get(name), after.get(name))
        assert line.get("moment") == {(True, False): "now", (False, True): "then"}.get(
            (sides[0] is None, sides[1] is None)
        )
        for key in AMOUNTS[path]:
            old, new = (side[key] if side else 0 for side in sides)
            if part(key, "difference") in line:
                assert line[part(key, "difference")] == new - old
                assert [line[part(key, "then")] or 0, line[key] or 0] == [old, new]
            else:
                assert line[key] == old == new


@pytest.mark.parametrize("path", KEYS)
def test_the_sums_are_those_of_both_lists_and_their_difference(
    callers: Callers, browsers: dict[str, Browser], path: str
) -> None:
    sums = [
        callers.AUDIT.get(path, as_of=day, totals="true").json()["totals"]["sums"]
        for day in ("2023-01-01", AFTER)
    ]
    for key in AMOUNTS[path]:
        old, new = (each.get(key, 0) or 0 for each in sums)
        answer = browsers["AUDIT"].awaited(path, as_of=AFTER, vs_as_of="2023-01-01", cols=key)
        foot = answer.text.split("<tfoot>")[1].split("</tfoot>")[0]
        assert figures(foot) == ([old, new, new - old] if old != new else [new])


def test_equal_lines_are_left_out_counted_and_shown_when_they_are_wanted(
    browsers: dict[str, Browser],
) -> None:
    query = {"as_of": AFTER, "vs_as_of": AFTER}
    text = browsers["AUDIT"].awaited("/ledgers/loans", **query).text
    assert "另有 1 行两个时点相同，未列" in text and "<tbody>" not in text
    [address] = set(re.findall(r'href="([^"]*vs_equal=shown[^"]*)"', text))
    every = browsers["AUDIT"].awaited(address.replace("&amp;", "&")).text
    assert "其中 1 行两个时点相同" in every and ">L1</a>" in every
    assert "差额</a>" not in every, "a column that differs nowhere stands once"


def test_a_line_of_one_moment_says_so_and_leads_to_that_moment(
    browsers: dict[str, Browser],
) -> None:
    early = {"as_of": "2023-01-01", "vs_as_of": AFTER}
    text = browsers["AUDIT"].awaited("/ledgers/loans", **early).text
    assert '<span class="tag none"><i></i>只彼时有</span>' in text
    assert f'href="/loans/NRCB/L1?as_of={AFTER}"' in text
    late = {"as_of": AFTER, "vs_as_of": "2023-01-01"}
    text = browsers["AUDIT"].awaited("/ledgers/loans", **late).text
    assert '<span class="tag pending"><i></i>只此时有</span>' in text
    english = browsers["AUDIT"].awaited("/ledgers/loans", lang="en", **late).text
    browsers["AUDIT"].awaited("/ledgers/loans", lang="zh")
    assert english.count("</i>now only</span>") == 1


def test_a_comparison_is_filtered_sorted_and_left_again(browsers: dict[str, Browser]) -> None:
    query = {"as_of": AFTER, "vs_as_of": BEFORE, "sort": "-outstanding_difference_fen"}
    answer = browsers["AUDIT"].awaited("/ledgers/loans", state="overdue", **query)
    assert answer.status_code == 200
    assert 'aria-sort="descending"' in answer.text
    [stop] = re.findall(r'<a href="([^"]*)">不再对比</a>', answer.text)
    assert stop.replace("&amp;", "&") == f"/ledgers/loans?state=overdue&as_of={AFTER}"
    payments = f"/ledgers/subsidies?as_of={AFTER}&amp;vs_as_of={BEFORE}&amp;bank=NRCB"
    assert payments in answer.text, "a page that compares is led to with both moments"
    assert browsers["AUDIT"].awaited("/ledgers/loans", sort=query["sort"]).status_code == 400
    marks = re.findall(r'class="(?:as-of|known)(?: other)?"', answer.text)
    assert len(marks) == 4


def test_a_file_holds_the_lines_of_the_page_and_says_of_which_moment(
    browsers: dict[str, Browser],
) -> None:
    query = {"as_of": AFTER, "vs_as_of": BEFORE, "cols": "loan_no,outstanding_fen"}
    content = browsers["AUDIT"].get("/ledgers/loans.csv", notes="1", **query).content
    text = content.decode("utf-8-sig")
    assert "彼时：截至 2023-05-31" in text
    head, line = csv.reader(io.StringIO(text[text.index("借据号 loan_no") :]))
    assert head[1:] == [
        "余额·彼时(元) outstanding_then_yuan",
        "余额·此时(元) outstanding_yuan",
        "余额·差额(元) outstanding_difference_yuan",
    ]
    assert float(line[3]) == float(line[2]) - float(line[1])
    assert browsers["AUDIT"].get("/ledgers/loans.xlsx", **query).status_code == 200


def test_a_reader_compares_his_own_lines_alone(browsers: dict[str, Browser]) -> None:
    query = {"as_of": AFTER, "vs_as_of": "2023-01-01"}
    assert len(browsers["NRCB"].get("/ledgers/loans.json", **query).json()["lines"]) == 1
    assert browsers["PSBC"].get("/ledgers/loans.json", **query).json()["lines"] == []
    assert browsers["PSBC"].awaited("/ledgers/loans", bank="NRCB", **query).status_code == 403


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"vs_as_of": "sometime"}, "vs_as_of 不是日期"),
        ({"vs_as_of": "2023-02-30"}, "vs_as_of 不是日期"),
        ({"vs_known_at": "once"}, "vs_known_at 不是时点"),
    ],
)
def test_an_impossible_moment_is_refused_by_its_name(
    browsers: dict[str, Browser], query: dict[str, str], said: str
) -> None:
    answer = browsers["AUDIT"].awaited("/ledgers/loans", **query)
    assert answer.status_code == 400 and said in answer.text


def test_a_moment_is_said_exactly_and_an_empty_one_is_dropped(
    browsers: dict[str, Browser],
) -> None:
    get = browsers["AUDIT"].get
    answer = get("/ledgers/loans", vs_as_of="2023Q2", vs_known_at="2024-02-05")
    assert answer.status_code == 303
    assert answer.headers["location"] == (
        "/ledgers/loans?vs_as_of=2023-06-20&vs_known_at=2024-02-05T15%3A59%3A59.999999Z"
    )
    answer = get("/ledgers/loans", vs_as_of="", vs_known_at="今日")
    answer = get(answer.headers["location"])
    assert re.search(r"vs_known_at=\d{4}-\d\d-\d\dT[^&]*Z$", answer.headers["location"])
    assert get("/ledgers/loans", vs_equal="shown").headers["location"] == "/ledgers/loans"


def test_a_compared_paper_proves_both_moments(browsers: dict[str, Browser]) -> None:
    query = {"as_of": AFTER, "vs_as_of": BEFORE}
    text = browsers["AUDIT"].awaited("/ledgers/loans", **query).text
    [address] = re.findall(r'class="hash">https://console.test(/ledgers/loans[^<]*)<', text)
    address = address.replace("&amp;", "&")
    assert f"vs_as_of={BEFORE}" in address
    assert re.search(
        r'class="verdict".*?class="tag done"', browsers["AUDIT"].awaited(address).text, re.DOTALL
    )
    forged = browsers["AUDIT"].awaited(address.replace(BEFORE, "2023-06-30")).text
    assert '<span class="tag wrong">' in forged
    future = browsers["AUDIT"].awaited("/ledgers/loans", **query, vs_known_at="2030-01-01")
    open_end = browsers["AUDIT"].awaited(future.headers["location"]).text
    assert "digest=" not in open_end, "what may still be told cannot be proved"


def _taking(name: str) -> set[str]:
    def declared(dependant: Any) -> set[str]:
        inner = (declared(each) for each in dependant.dependencies)
        return {each.alias for each in dependant.query_params}.union(*inner)

    routes = (each for each in router.routes if hasattr(each, "dependant"))
    return {each.path for each in routes if name in declared(each.dependant)}


def test_the_pages_that_compare_are_those_that_links_lead_to_with_both_moments() -> None:
    for name in OF_OTHER:
        assert {path for path in _taking(name) if "{form}" not in path} == set(COMPARING)
    assert compares("/ledgers/loans") and not compares("/ledgers/loans/x")
    assert compares("/loans/NRCB/L1") and not compares("/loans/NRCB/L1/subsidies/2023Q1")


def test_a_page_that_does_not_compare_refuses_another_moment(browsers: dict[str, Browser]) -> None:
    answer = browsers["AUDIT"].get("/batches", vs_as_of="2023-12-31")
    assert answer.status_code == 400 and "vs_as_of" in answer.text


def test_lines_are_paired_in_the_order_of_both() -> None:
    columns = (c.LOAN_NO, c.OUTSTANDING)
    then = [("a", 1), ("b", 2), ("d", 4)]
    now = [("b", 3), ("c", 5), ("d", 4), ("e", 6)]
    assert paired(columns, ("loan_no",), then, now) == [
        (("a", 1), None),
        (("b", 2), ("b", 3)),
        (None, ("c", 5)),
        (("d", 4), ("d", 4)),
        (None, ("e", 6)),
    ]
    twice = [("a", 1), ("a", 2)]
    assert paired(columns, ("loan_no",), twice, twice[:1]) == [
        (("a", 1), ("a", 1)),
        (("a", 2), None),
    ]
