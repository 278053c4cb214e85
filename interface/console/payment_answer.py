"""What the payment page rests on, as its digest covers it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from interface.console.pinned import Answer
from interface.console.record_answer import all_recorded, covered
from interface.console.then_and_now import Now, Then
from interface.console.words import Words

_EVENTS: Final = (
    "loan_events", "household_events", "batch_events", "told_after_the_payment",
)  # fmt: skip


def payment_answer(
    words: Words, trace: Mapping[str, Any], then: Then, now: Now | None, known_at: datetime
) -> Answer | None:
    """The trace and both calculations, as known at `known_at`; None where an event is younger."""
    events = [trace["payment"], *(event for name in _EVENTS for event in trace[name])]
    if not all_recorded(events, known_at):
        return None
    parts = {
        "payment": covered(trace["payment"]),
        "calculation": trace["calculation"],
        "then": then._asdict(),
        "now": now and now._asdict(),
        "household": trace["household_on_disbursement_day"],
        "rules": [[rule["version"], rule["value_then"]] for rule in trace["rules_in_force"]],
        **{name: covered(trace[name]) for name in _EVENTS},
    }
    return Answer(parts, known_at, {name: words(f"pin.payment_{name}") for name in parts})
