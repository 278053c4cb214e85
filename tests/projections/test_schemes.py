"""Which findings belong together: what was planted as one scheme is found as one."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any

from support import controls as c
from support.county import conversation, drawn, told

from interface.simulation.demo import County
from projections.facts.reading import Facts
from projections.schemes import found, schemes

DAY = date(2024, 12, 31)


def test_no_planted_scheme_of_several_households_falls_apart(
    demo: tuple[County, Facts],
) -> None:
    made, facts = demo
    with facts.at(DAY) as view:
        every, failed, _ = schemes(view)
    assert failed == []
    of_loan = defaultdict(set)
    for scheme in every:
        for loan in scheme.loans:
            of_loan[loan.bank, loan.loan_no].add(scheme.id)
    several = [each for each in made.schemes if each.flag in ("RF08", "RF09")]
    assert several, "the demo plants some"
    for each in several:
        assert len(each.loans) > 1
        ids = {id for bank, number in each.loans for id in of_loan[bank, number]}
        assert len(ids) == 1, each


def test_every_finding_is_in_one_scheme_and_no_loan_in_two(demo: tuple[County, Facts]) -> None:
    _, facts = demo
    with facts.at(DAY) as view:
        every, again = schemes(view).schemes, schemes(view).schemes
    names = [finding.name for scheme in every for finding in scheme.findings]
    loans = [loan for scheme in every for loan in scheme.loans]
    assert len(names) == len(set(names)) > 10
    assert len(loans) == len(set(loans))
    assert [s.id for s in every] == sorted(s.id for s in every)
    assert every == again


def test_a_scheme_is_found_by_any_of_its_findings(demo: tuple[County, Facts]) -> None:
    _, facts = demo
    with facts.at(DAY) as view:
        largest = max(schemes(view).schemes, key=lambda scheme: len(scheme.findings))
        assert len(largest.findings) > 1
        for finding in largest.findings:
            seen = found(view, [finding.name], (), None)
            assert (seen.findings, seen.loans, seen.missing) == (
                largest.findings, largest.loans, (),
            )  # fmt: skip
        nothing = found(view, ["RF08 nobody"], [("PC-0", "YY-0")], None)
    assert nothing.findings == ()
    assert nothing.missing == ("RF08 nobody", "PC-0 YY-0")


def test_one_person_of_two_households_ties_their_loans_together(database: Any) -> None:
    """Each household's loan is diverted; their one member is what they have in common."""
    both = {"name": "李四", "id_no": c.OTHER_ID_NO, "relation": "子女"}
    heads = {"H1": "411381198001011018", "H2": "411381198001011026", "H3": "411381198001011034"}
    with conversation(database) as ledger:
        for n, (number, id_no) in enumerate(heads.items(), 1):
            members = [{"name": "张三", "id_no": id_no, "relation": "户主", "head": True}]
            members += [both] if n < 3 else []
            payee = {"account": f"622200000000000{n}", "name": "张三"}
            lent = {"loan_no": f"L{n}", "household_no": number, "borrower_id_no": c.OTHER_ID_NO}
            if n == 3:
                lent["borrower_id_no"] = id_no
            told(
                ledger,
                (c.household(ref=f"H{n}", household_no=number, members=members), c.BUREAU),
                (c.loan(ref=f"L{n}", **lent, payee=payee), c.BANK),
                (c.check(ref=f"C{n}", loan_no=f"L{n}", finding="diverted"), c.TOWNSHIP),
            )
    with drawn(database) as facts, facts.at(DAY) as view:
        every = schemes(view).schemes
    tied = [scheme for scheme in every if any(f.rule == "RF14" for f in scheme.findings)]
    assert sorted(scheme.households for scheme in tied) == [("H1", "H2"), ("H3",)]


def test_a_report_of_a_bank_ties_nothing(database: Any) -> None:
    with conversation(database) as ledger:
        told(
            ledger,
            (c.household(), c.BUREAU),
            (c.loan(), c.BANK),
            (c.check(finding="diverted"), c.TOWNSHIP),
            (c.report(balance_fen=9), c.BANK),
            (c.report(ref="BR-2", period="2023-04", effective_on="2023-05-01", loans=9), c.BANK),
        )
    with drawn(database) as facts, facts.at(DAY) as view:
        every = schemes(view).schemes
    alone = [scheme for scheme in every if scheme.findings[0].rule == "RF12"]
    assert [len(scheme.findings) for scheme in alone] == [1, 1]
    assert [scheme.loans for scheme in alone] == [(), ()]
