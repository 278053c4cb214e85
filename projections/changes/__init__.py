"""The knowledge diff (认知差异): how a ledger changed between two states of knowledge, and why.

Every changed line comes with the events that changed it, and the sum of their amounts is the
difference: what is not explained would show.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from projections.changes.columns import COLUMNS, KEYS, SUMS, Which
from projections.columns import keys
from projections.facts.reading import COUNTY, Scope, Table, View, query_text
from projections.loan_ledger import loan_ledger
from projections.subsidy_ledger import subsidy_ledger

AMOUNTS: dict[Which, dict[str, str]] = {
    "loans": {
        "outstanding_fen": "principal",
        "interest_fen": "interest",
        "penalty_fen": "penalty",
        "subsidy_fen": "subsidy",
    },
    "subsidies": {"net_fen": "subsidy"},
}
"""For each ledger: which column is the sum of which kind of amount."""


class Change(NamedTuple):
    """One line that differs. `before` or `after` is None where the line did not exist."""

    key: dict[str, str]
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    difference: dict[str, int]
    causes: list[dict[str, Any]]
    explained: bool


def changes(
    view: View, which: Which, known_from: datetime, *, scope: Scope = COUNTY
) -> list[Change]:
    """The lines that differ between `known_from` and the view's own `known_at`."""
    known_to = view.known_at
    after = _lines(view, which, scope)
    view.known_at = min(known_from, known_to)
    before = _lines(view, which, scope)
    view.known_at = known_to

    keys = [key for key in dict.fromkeys((*before, *after)) if before.get(key) != after.get(key)]
    lines = [after.get(key) or before[key] for key in keys]
    causes = _causes(view, which, known_from, lines)
    return [_change(which, key, before.get(key), after.get(key), causes) for key in sorted(keys)]


def as_table(which: Which, found: Iterable[Change]) -> Table:
    """The diff as a table, for a file: a row a cause, and a row for each changed amount."""
    columns = keys(SUMS[which])
    rows: list[tuple[Any, ...]] = []
    for change in found:
        key = tuple(change.key[name] for name in keys(KEYS[which]))
        sums = tuple(change.difference[column] for column in columns)
        rows.append((*key, *sums, None, None, None, None, None, None, None))
        rows.extend(
            (
                *key,
                *(None for _ in columns),
                cause["topic"],
                cause["amount_of"],
                cause["amount_fen"],
                cause["effective_on"],
                cause["recorded_at"],
                cause["organisation"],
                cause["event_id"],
            )
            for cause in change.causes
        )
    return Table(COLUMNS[which], rows)


def _lines(view: View, which: Which, scope: Scope) -> dict[tuple[str, ...], dict[str, Any]]:
    table: Table
    table = (loan_ledger if which == "loans" else subsidy_ledger)(view, scope=scope)
    return {tuple(line[name] for name in keys(KEYS[which])): line for line in table.dicts()}


def _causes(
    view: View, which: Which, known_from: datetime, lines: Iterable[Mapping[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    """The causes by loan; those that concern a household stand with each of its loans."""
    loans = [line["loan_id"] for line in lines]
    owners = view.query(
        "SELECT DISTINCT loan_id::text, household_id FROM facts.loan"
        " WHERE loan_id = ANY(%(loans)s::uuid[])",
        loans=loans,
    )
    of_household: dict[UUID, list[str]] = defaultdict(list)
    for loan_id, household_id in owners.rows:
        of_household[household_id].append(loan_id)
    told = view.query(
        query_text(__name__),
        known_from=known_from,
        known_to=view.known_at,
        loans=loans,
        households=list(of_household) if which == "loans" else [],
    )
    causes: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for cause in told.dicts():
        loan_id, household_id = cause.pop("loan_id"), cause.pop("household_id")
        for concerned in [loan_id] if loan_id is not None else of_household[household_id]:
            causes[concerned].append(cause)
    return causes


def _change(
    which: Which,
    key: tuple[str, ...],
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
    causes: Mapping[str, list[dict[str, Any]]],
) -> Change:
    line = after or before or {}
    mine = [
        cause
        for cause in causes.get(line["loan_id"], [])
        if which == "loans" or cause["payment_no"] in (None, line["payment_no"])
    ]
    difference, explained = {}, True
    for column, kind in AMOUNTS[which].items():
        difference[column] = (after or {}).get(column, 0) - (before or {}).get(column, 0)
        told = sum(cause["amount_fen"] for cause in mine if cause["amount_of"] == kind)
        explained = explained and told == difference[column]
    return Change(
        dict(zip(keys(KEYS[which]), key, strict=True)), before, after, difference, mine, explained
    )
