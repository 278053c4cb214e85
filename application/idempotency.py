"""Idempotency: a submission that is sent twice is recorded once; with other content it is refused.

A reference is an organisation and its own name for a command. The log keeps the fingerprint of the
content that came with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

import msgspec

from application.event_store.event_log import AlreadyRecorded, EventLog
from application.refusals import ReferenceReused
from application.submission import Outcome, Recorded, Reference, Submission
from domain.kernel import Refused, Warned

_NEVER = datetime(1, 1, 1, tzinfo=UTC)
NOT_STORED = Recorded(0, _NEVER, (), again=False)
"""The answer to a command that would have been recorded, were it stored."""
_FEW = 300
_SAMPLE = 32


class Draft(msgspec.Struct, frozen=True):
    """What one command would append: its rows, the ids of its events, and what it warns of."""

    rows: list[bytes]
    events: tuple[tuple[UUID, int], ...]
    fingerprint: bytes
    warnings: tuple[Warned, ...]


class ReusedInBatch(NamedTuple):
    """A reference that a command before in the same batch already uses for other content."""

    first: Draft
    ref: str


Answer = Recorded | Refused | Draft | ReusedInBatch
"""What is known of a submission before its batch is stored."""


class References:
    """The references that are taken: in the log, as far as it was asked, and in this batch."""

    def __init__(self, log: EventLog, submissions: Sequence[Submission]) -> None:
        """Asks the log for the references of these submissions; of none, nothing is asked."""
        self._recorded = _recorded(log, submissions)
        self._drafts: dict[Reference, Draft] = {}

    def find(self, reference: Reference, fingerprint: bytes) -> Answer | None:
        """The answer to a submission whose reference is taken; None when it is to be decided."""
        first = self._recorded.get(reference)
        if first is not None:
            if first.fingerprint != fingerprint:
                return ReferenceReused(ref=reference[1], position=first.position)
            return Recorded(first.position, first.recorded_at, (), again=True)
        draft = self._drafts.get(reference)
        if draft is None or draft.fingerprint == fingerprint:
            return draft
        return ReusedInBatch(draft, reference[1])

    def take(self, reference: Reference, draft: Draft) -> None:
        """From now on the reference is taken."""
        self._drafts[reference] = draft

    @property
    def drafts(self) -> list[Draft]:
        """What this batch would append, in order."""
        return list(self._drafts.values())


def _recorded(
    log: EventLog, submissions: Sequence[Submission]
) -> Mapping[Reference, AlreadyRecorded]:
    if not submissions:
        return {}
    return log.find_by_reference([each.reference for each in submissions])


def any_recorded(log: EventLog, submissions: Sequence[Submission]) -> bool:
    """Whether a reference of these is in the log."""
    return bool(_recorded(log, submissions))


def seems_recorded(log: EventLog, submissions: Sequence[Submission]) -> bool:
    """Whether a sample of a large batch, such as a file that is sent again, is in the log."""
    many = len(submissions)
    return many > _FEW and any_recorded(log, submissions[:: -(-many // _SAMPLE)])


def outcomes_of(answers: Iterable[Answer], stored: dict[int, Recorded]) -> list[Outcome]:
    """The final answers. `stored`: by `id` of a draft; one that is not among them is not stored.

    A submission that stands twice in a batch is answered the second time as already recorded.
    """
    outcomes: list[Outcome] = []
    for answer in answers:
        if isinstance(answer, Draft):
            recorded = stored.get(id(answer), NOT_STORED)
            outcomes.append(recorded)
            if recorded.position:
                stored[id(answer)] = recorded._replace(again=True)
        elif isinstance(answer, ReusedInBatch):
            position = stored.get(id(answer.first), NOT_STORED).position
            outcomes.append(ReferenceReused(ref=answer.ref, position=position))
        else:
            outcomes.append(answer)
    return outcomes
