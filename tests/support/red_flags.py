"""Asking a red flag whom it flags, and telling the examples of its file."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

from support.county import SteppingClock, conversation, drawn

from application.commands import COMMANDS, LookAtHousehold, ProposeBatch
from domain.calendar import named_quarter
from domain.kernel import Author
from projections.facts.reading import Facts
from projections.red_flags import Rule, check
from projections.settlement import run_of


def subjects(facts: Facts, rule: Rule, as_of: date, known_at: datetime | None = None) -> set[str]:
    """Whom a rule flags at two dates."""
    with facts.at(as_of, known_at) as view:
        found = check(view, rule)
    assert found.error is None
    return {finding.subject for finding in found.findings}


KINDS = COMMANDS | {each.TYPE: each for each in (ProposeBatch, LookAtHousehold)}


class Teller:
    """Tells the lines of an example, each on its day; the run of a batch is worked out then."""

    def __init__(self, database: Any) -> None:
        self._database, self._events = database, dict[str, str]()

    def tell(self, text: str) -> datetime:
        """Returns when the last line became known."""
        dated = '"on": ' in text
        clock = SteppingClock(datetime(2023, 1, 1, tzinfo=UTC) if dated else None)
        recorded = None
        with conversation(self._database, clock=clock) as ledger:
            for line in text.strip().splitlines():
                told = json.loads(line)
                organisation, role, person = (*told.pop("by").split(":"), "example")[:3]
                if on := told.pop("on", None):
                    clock.now = max(clock.now, datetime.fromisoformat(on + "T02:00:00Z"))
                command = KINDS[told.pop("type")].model_validate(self._completed(told))
                recorded = ledger.tell(command, Author(role, organisation, person))
                self._events[command.ref] = recorded.event_ids[0]
        assert recorded is not None
        return recorded.recorded_at

    def _completed(self, told: dict[str, Any]) -> dict[str, Any]:
        """An event is named by its reference, and a batch lists what is due."""
        if "event_id" in told:
            told["event_id"] = self._events[told["event_id"]]
        if "period" in told and "batch_no" in told:
            with drawn(self._database) as facts:
                with facts.at(date.fromisoformat(told["effective_on"])) as view:
                    told["run"] = run_of(view, named_quarter(told["period"]))
        return told
