"""What the page of a record rests on, as its digest covers it: figures, ids and pseudonyms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from interface.console.compared_record import ComparedRecord
from interface.console.pinned import Answer
from interface.console.words import Words
from projections.columns import BORROWER_NAME

_NOT_COVERED: Final = frozenset(
    {"event_zh", "personal"}  # of events: what they are called, and values that an erasure takes
    | {BORROWER_NAME.key}
    | {"zh", "en", "state_zh", "state_en"}  # sentences
)


def record_answer(
    words: Words,
    kind: str,
    known_at: datetime,
    parts: Mapping[str, Any],
    compared: ComparedRecord | None = None,
) -> Answer | None:
    """The parts of a record's answer, without names and sentences; None while they may change.

    The words of a part stand as `pin.<kind>_<part>`. `compared`: with it the amounts of the other
    moment are covered, too.
    """
    titles = {name: words(f"pin.{kind}_{name}") for name in parts}
    said = {name: covered(part) for name, part in parts.items()}
    if compared is not None:
        if not compared.is_final:
            return None
        titles["then"] = words("pin.then")
        said["then"] = dict(compared.then)
    return Answer(said, known_at, titles)


def covered(value: Any) -> Any:
    """A value of an answer without names and sentences, at any depth."""
    if isinstance(value, Mapping):
        return {str(key): covered(each) for key, each in value.items() if key not in _NOT_COVERED}
    if isinstance(value, list | tuple):
        return [covered(each) for each in value]
    return value


def all_recorded(events: Iterable[Mapping[str, Any]], known_at: datetime) -> bool:
    """Whether no event is younger than what is known."""
    return all(event["recorded_at"] <= known_at for event in events)
