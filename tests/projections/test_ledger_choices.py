"""A ledger filtered, ordered and cut in SQL is what one would choose from the whole by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from projections.facts.reading import View
from projections.ledger_choice import Choice
from projections.loan_ledger import STATES, loan_ledger, loan_totals
from projections.subsidy_ledger import subsidy_ledger, subsidy_totals

DAY = date(2024, 9, 30)
Line = dict[str, Any]


def loans(view: View, choice: Choice) -> list[Line]:
    return list(loan_ledger(view, choice=choice, state=True).dicts())


def subsidies(view: View, choice: Choice) -> list[Line]:
    return list(subsidy_ledger(view, choice=choice).dicts())


@pytest.mark.parametrize(
    ("choice", "kept"),
    [
        (Choice(equal={"township": "T01"}), lambda x: x["township"] == "T01"),
        (Choice(equal={"state": "settled"}), lambda x: x["outstanding_fen"] == 0),
        (Choice(equal={"state": "overdue"}), lambda x: x["overdue"]),
        (
            Choice(equal={"state": "outstanding", "bank": "NRCB"}),
            lambda x: x["outstanding_fen"] and not x["overdue"] and x["bank"] == "NRCB",
        ),
        (
            Choice(ranges={"disbursed_on": (date(2023, 1, 1), date(2023, 6, 30))}),
            lambda x: date(2023, 1, 1) <= x["disbursed_on"] <= date(2023, 6, 30),
        ),
        (
            Choice(ranges={"due_on": (date(2024, 1, 1), None), "principal_fen": (None, 4_000_000)}),
            lambda x: x["due_on"] >= date(2024, 1, 1) and x["principal_fen"] <= 4_000_000,
        ),
        (Choice(equal={"category": "-"}), lambda x: not x["category"]),
    ],
)  # fmt: skip
def test_filters_leave_what_meets_them(
    demo: Any, choice: Choice, kept: Callable[[Line], Any]
) -> None:
    _, facts = demo
    with facts.at(DAY) as view:
        whole = loans(view, Choice())
        assert loans(view, choice) == [line for line in whole if kept(line)]
        assert {line["state"] for line in whole} <= set(STATES)


@pytest.mark.parametrize(
    ("lines", "key", "sort"),
    [
        (loans, ("bank", "loan_no"), "-outstanding_fen"),
        (loans, ("bank", "loan_no"), "settled_on"),
        (loans, ("bank", "loan_no"), "-last_check_on"),
        (loans, ("bank", "loan_no"), "purpose"),
        (loans, ("bank", "loan_no"), "-disbursed_on"),
        (subsidies, ("position",), "-recovered_fen"),
        (subsidies, ("position",), "paid_on"),
    ],
)
def test_pages_of_an_order_are_the_whole_in_that_order(
    demo: Any, lines: Any, key: tuple[str, ...], sort: str
) -> None:
    _, facts = demo
    column, descending = sort.removeprefix("-"), sort.startswith("-")
    with facts.at(DAY) as view:
        whole = lines(view, Choice())
        present = [line for line in whole if line[column] is not None]
        present.sort(key=lambda line: line[column], reverse=descending)
        wanted = present + [line for line in whole if line[column] is None]
        size = len(whole) // 4 + 1
        found, after = [], None
        while page := lines(view, Choice(sort=sort, after=after, most=size)):
            found += page
            after = [page[-1][name] for name in (column, *key)]
    assert found == wanted


def test_totals_are_those_of_the_lines(demo: Any) -> None:
    _, facts = demo
    facets = ("state", "bank", "township", "category")
    choice = Choice(equal={"state": "settled", "bank": "NRCB"})
    with facts.at(DAY) as view:
        whole, found = loans(view, Choice()), loan_totals(view, choice, facets)
        both = [x for x in whole if x["state"] == "settled" and x["bank"] == "NRCB"]
        assert found.lines == len(both) > 0
        assert found.sums["subsidy_fen"] == sum(line["subsidy_fen"] for line in both)
        assert found.facets["township"] == Counter(x["township"] or "-" for x in both)
        assert found.facets["category"] == Counter(x["category"] or "-" for x in both)
        banks = Counter(x["bank"] for x in whole if x["state"] == "settled")
        assert found.facets["bank"] == banks
        assert found.facets["state"] == Counter(x["state"] for x in whole if x["bank"] == "NRCB")
        paid, totals = subsidies(view, Choice()), subsidy_totals(view, Choice(), ("period",))
        assert totals.facets["period"] == Counter(x["period"] for x in paid)
        assert totals.sums["net_fen"] == sum(x["net_fen"] for x in paid)


def test_a_cursor_of_another_order_is_no_place_in_this_one(demo: Any) -> None:
    _, facts = demo
    with facts.at(DAY) as view:
        for sort, after in (
            ("-outstanding_fen", ("x", "NRCB", "1")),
            ("-outstanding_fen", (1, "NRCB")),
            ("due_on", ("2024-02-30", "NRCB", "1")),
            (None, ("a\0", "b")),
        ):
            with pytest.raises(ValueError):  # noqa: PT011
                loan_ledger(view, choice=Choice(sort=sort, after=after, most=5))
