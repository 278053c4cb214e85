"""A page costs a page: it reads what its own lines rest on, and not what the whole ledger does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest

from projections.columns import Columns
from projections.facts.reading import Facts, Table, View
from projections.loan_ledger import loan_ledger
from projections.subsidy_ledger import subsidy_ledger

PAGE = 10
DAY = date(2024, 9, 30)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


def rows_read(facts: Facts, query: Callable[[View], object], table: str) -> int:
    """How many rows of a table of the facts a question reads, with those that it leaves out."""
    plans: list[dict[str, Any]] = []

    def explained(self: View, columns: Columns, asked: str, **parameters: object) -> Table:
        self.connection.execute("SET LOCAL enable_seqscan = off")  # the tables here are small
        found = self.query(f"EXPLAIN (ANALYZE, FORMAT JSON) {asked}", **parameters)
        plans.append(found.rows[0][0][0]["Plan"])
        return Table(columns, [])

    with pytest.MonkeyPatch.context() as patch, facts.at(DAY) as view:
        patch.setattr(View, "table", explained)
        query(view)
    return sum(
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        for plan in plans
        for node in nodes(plan)
        if node.get("Relation Name") == table
    )


def test_a_page_of_the_loan_ledger_sums_its_own_postings(demo: Any) -> None:
    _, facts = demo
    with facts.at(DAY) as view:
        lines = list(loan_ledger(view, most=PAGE).dicts())
        own = [line["loan_id"] for line in lines]
        counted = "SELECT count(*) FROM facts.posting WHERE loan_id = ANY(%(loans)s::uuid[])"
        [(postings,)] = view.query(counted, loans=own).rows
        whole = list(loan_ledger(view).dicts())
    assert lines == whole[:PAGE]
    assert len(whole) > 10 * PAGE
    assert 0 < rows_read(facts, lambda view: loan_ledger(view, most=PAGE), "posting") <= postings
    assert rows_read(facts, loan_ledger, "posting") > 5 * postings


def test_a_page_of_the_subsidy_ledger_looks_for_what_came_back_of_its_own_payments(
    demo: Any,
) -> None:
    _, facts = demo
    with facts.at(DAY) as view:
        whole = list(subsidy_ledger(view).dicts())
        after, found = 0, []
        while page := list(subsidy_ledger(view, after=after, most=500).dicts()):
            found += page
            after = page[-1]["position"]
    assert found == whole
    assert any(line["recovered_fen"] for line in whole)


def test_a_page_of_the_subsidy_ledger_looks_up_the_loans_of_its_own_payments(demo: Any) -> None:
    """Each is read when it is looked for as standing, and as reported last where it is not."""
    _, facts = demo

    def read(query: Callable[[View], object]) -> int:
        return rows_read(facts, query, "loan")

    assert 0 < read(lambda view: subsidy_ledger(view, most=PAGE)) <= 4 * PAGE
    assert read(subsidy_ledger) > 40 * PAGE
