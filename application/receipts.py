"""What a reporter gets back: the ids of the events, and the promise that they enter the tree."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import cast

from application.event_store.event_log import Authenticate, EventLog
from application.event_store.row_format import whole_row
from application.submission import Outcome, Recorded
from application.transparency_log.promises import Promises, ranges_of


class Receipts:
    """Of one conversation with the log. `promises`: None where it gives none."""

    def __init__(
        self, log: EventLog, authenticate: Authenticate, promises: Promises | None
    ) -> None:
        self._log = log
        self._authenticate = authenticate
        self._promises = promises

    def promise_of_rows(
        self, position: int, recorded_at: datetime, rows: Sequence[bytes]
    ) -> str | None:
        """The promise of rows (`row_format.row_tail`) that have just been stored."""
        if self._promises is None:
            return None
        whole = [
            whole_row(number, recorded_at, row, self._authenticate)
            for number, row in enumerate(rows, position)
        ]
        return self._promises.of_rows(position, recorded_at, whole)

    def promise_of(
        self, position: int, count: int, recorded_at: datetime, longest: int | None = None
    ) -> str | None:
        """The promise of events that are stored."""
        if self._promises is None or not position or not count:
            return None
        connection = self._log.connection
        return self._promises.of_stored(connection, position, count, recorded_at, longest)

    def with_events(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """The outcomes; those of commands recorded before with the events of the first answer."""
        before = [o.position for o in outcomes if isinstance(o, Recorded) and not o.events]
        positions = [position for position in before if position]
        found = self._log.events_of_commands(positions) if positions else {}
        return [
            outcome._replace(events=tuple(found[outcome.position]))
            if isinstance(outcome, Recorded) and outcome.position in found
            else outcome
            for outcome in outcomes
        ]

    def promises_of(
        self, outcomes: Sequence[Outcome], longest: int | None = None
    ) -> dict[int, str]:
        """Promises over all that these outcomes recorded, now or before, by index of an outcome.

        Events that stand one behind the other share one, which the last of their outcomes bears.
        `outcomes`: as `with_events` gives them. `longest`: as in `Promises.of_rows`.
        """
        if self._promises is None:
            return {}
        placed = {o.position: n for n, o in enumerate(outcomes) if isinstance(o, Recorded)}
        spans = [(first, len(cast(Recorded, outcomes[n]).events)) for first, n in placed.items()]
        found = {}
        for first, count, last in ranges_of(spans):
            index = placed[last]
            recorded_at = cast(Recorded, outcomes[index]).recorded_at
            if promise := self.promise_of(first, count, recorded_at, longest):
                found[index] = promise
        return found
