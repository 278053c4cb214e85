"""Asking a red flag whom it flags, and recording the examples of its folder."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, get_args

from support.county import SteppingClock, conversation, drawn
from support.examples import Example, Line, account, command_of, correction_of, person

from application.command import Command
from application.commands.batch import ProposeBatch
from application.ledger import Ledger, Recorded
from application.personal_data.encryption import Vault
from domain.calendar import named_quarter
from domain.loan import PayeeKind
from projections.facts.reading import Facts
from projections.red_flags import Rule, check
from projections.settlement import run_of

_KINDS = tuple(f"{kind}-" for kind in get_args(PayeeKind))


def subjects(facts: Facts, rule: Rule, as_of: date, known_at: datetime | None = None) -> set[str]:
    """Whom a rule flags at two dates."""
    with facts.at(as_of, known_at) as view:
        found = check(view, rule)
    assert found.error is None
    return {finding.subject for finding in found.findings}


def flagged_by(database: Any, example: Example) -> set[str]:
    """The subjects that an example names, as findings write them: by pseudonym."""
    vault = Vault(database.keys)
    return {
        vault.pseudonym("account", account(word))
        if word.startswith(_KINDS)
        else f"person {vault.pseudonym('person', person(word[7:]))}"
        if word.startswith("person ")
        else word
        for word in example.flagged
    }


def record_example(database: Any, example: Example) -> datetime:
    """Record an example's lines, each on its day; returns when the last one became known."""
    clock = SteppingClock()
    if any(line.recorded_on for line in example.lines):
        clock.now = datetime(2023, 1, 1, tzinfo=UTC)
    with conversation(database, clock=clock) as ledger:
        return record_lines(ledger, example.lines, clock, database).recorded_at


def record_lines(
    ledger: Ledger,
    lines: Sequence[Line],
    clock: SteppingClock | None = None,
    database: Any = None,
) -> Recorded:
    """Record lines one after the other; returns how the last one fared.

    `clock`: moved to the day of each line; `database`: where what a batch lists is worked out.
    """
    known: dict[str, tuple[Line, str]] = {}
    recorded = None
    for line in lines:
        if clock and line.recorded_on:
            day = datetime.fromisoformat(f"{line.recorded_on}T02:00:00Z")
            clock.now = max(clock.now, day)
        if line.noun == "corrections":
            command = correction_of(line, *known[line.name])
        elif line.noun == "batches":
            command = _batch(database, line)
        else:
            command = command_of(line)
        recorded = ledger.submit(command, line.by)
        if line.noun in ("households", "loans"):
            known[line.name] = line, recorded.event_ids[0]
    assert recorded is not None
    return recorded


def _batch(database: Any, line: Line) -> Command:
    """A batch lists what is due on its day."""
    with drawn(database) as facts:
        with facts.at(date.fromisoformat(line.words["effective_on"])) as view:
            run = run_of(view, named_quarter(line.words["period"]))
    return ProposeBatch.model_validate(line.words).listing(run)
