"""Any loan and quarter says why it has this subsidy or none, by both calculations."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

from domain.calendar import named_quarter
from projections.loan_ledger import loan_ledger
from projections.settlement import settlement
from projections.subsidy_explanation import explanation, loans_called


def test_every_loan_of_the_demo_county_without_a_line_says_why(
    demo: Any, record_property: Any
) -> None:
    _, facts = demo
    with facts.at(date(2023, 6, 30)) as view:
        open_then = {
            (loan["bank"], loan["loan_no"])
            for loan in loan_ledger(view).dicts()
            if loan["outstanding_fen"] > 0
        }
    with facts.at(date(2024, 12, 31)) as view:
        lines = settlement(view, named_quarter("2023Q3"))
        listed = {(d.loan["bank"], d.loan["loan_no"]) for d in lines if d.name == "2023Q3"}
        why: Counter[str] = Counter()
        for bank, loan_no in sorted(open_then - listed):
            [loan] = loans_called(view, loan_no, bank=bank).dicts()
            found = explanation(view, loan, "2023Q3")
            print(found.plain()["reasons"])
            assert found.agree
            assert found.due.due_fen == 0
            assert found.reasons
            why["+".join(sorted({each.code.value for each in found.reasons}))] += 1
    print(len(open_then), len(listed), why)
    assert why
