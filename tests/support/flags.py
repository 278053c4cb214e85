"""What is stored of the red flags, beside what all rules say when they are asked at once."""

from __future__ import annotations

from datetime import date
from typing import Any

from projections.facts.reading import Connection, Facts
from projections.red_flags import check_all, rules
from projections.red_flags.runs import changes, statuses


def standing(connection: Connection) -> dict[str, Any]:
    """By rule: its status, sums, and the subjects of the findings that appeared and did not go."""
    last: dict[tuple[str, str, int], str] = {}
    for line in changes(connection).dicts():
        last.setdefault((line["rule"], line["subject"], line["nth"]), line["kind"])
    there = [(rule, subject) for (rule, subject, _), kind in last.items() if kind != "gone"]
    return {
        id: (s.status, s.findings, s.amount_fen, sorted(sub for r, sub in there if r == id))
        for id, s in statuses(connection).items()
    }


def said_at_once(facts: Facts, as_of: date) -> dict[str, Any]:
    """The same, asked of the facts."""
    with facts.at(as_of) as view:
        return {
            each.rule.id: (
                each.status,
                each.how_many,
                each.amount_fen,
                sorted(finding.subject for finding in each.findings),
            )
            for each in check_all(view, rules())
        }
