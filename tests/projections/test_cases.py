"""What SQL says of a case after each step is what its own events say."""

from __future__ import annotations

from datetime import date
from typing import Any

from support import controls as c
from support.county import SteppingClock, conversation, drawn, told

from application.commands.case import CloseCase, DismissCase
from domain.case import Case
from projections.cases import Filter, cases


def walk() -> list[tuple[Any, Any]]:
    """A case through every stage, back again, grown, and given to others."""
    he, cai = c.AUDITOR, c.INVESTIGATOR
    yu = he.__class__("auditor", "AUDIT", "yu")
    bank = c.BANK
    steps: list[tuple[Any, Any]] = [
        (c.case_of(c.found_of("L1")), he),
        (c.joining(c.found_of("L1", rule="RF14", subject="NRCB/L1")), he),
        (c.assignment(), he),
        (c.proposal(), cai),
        (c.explanation_request(), cai),
        (c.explanation(), bank),
        (c.proposal(), cai),
        (c.joining(c.found_of("L2", rule="RF14", subject="NRCB/L2")), he),
        (c.proposal(upheld=False), cai),
        (c.assignment(investigator="bian"), yu),
        (c.assignment(), yu),
        (c.case_note(), cai),
        (c.proposal(), cai),
        (c.upholding(), yu),
        (c.assignment(), yu),
        (c.rectification(), cai),
        (c.closing(), yu),
        (c.reopening(), yu),
        (c.explanation_request(ref="YQ-2"), cai),
        (c.explanation(request_no="YQ-2"), bank),
        (c.proposal(upheld=False), cai),
        (c.case_step(DismissCase, "x", reason="系商户收款"), yu),
        (c.case_step(CloseCase, "x", reason="查无问题"), yu),
    ]
    kept = {"YQ-1", "YQ-2"}
    return [
        (command if command.ref in kept else command.model_copy(update={"ref": f"S{n}"}), by)
        for n, (command, by) in enumerate(steps)
    ]


def test_after_each_step_the_stage_is_the_one_that_the_case_itself_is_in(database: Any) -> None:
    itself = []
    with conversation(database, clock=SteppingClock()) as ledger:
        told(ledger, (c.household(), c.BUREAU), (c.loan(), c.BANK))
        for command, by in walk():
            recorded = ledger.submit(command, by)
            case = ledger.aggregate(Case, Case.id_for("XS-1"))
            people = case.supervisor or None, case.investigator or None
            itself.append((recorded.recorded_at, case.stage, people, len(case.findings)))
    asked = []
    with drawn(database) as facts:
        for known_at, *_ in itself:
            with facts.at(date(2025, 12, 31), known_at) as view:
                [line] = cases(view).dicts()
                [same] = cases(view, Filter(case_no="XS-1", stage=line["stage"])).dicts()
            assert same == line
            people = line["supervisor"], line["investigator"]
            asked.append((known_at, line["stage"], people, line["findings"]))
    assert asked == itself
    assert {stage for _, stage, _, _ in itself} == {
        "opened", "assigned", "proposed", "upheld", "dismissed", "closed",
    }  # fmt: skip
