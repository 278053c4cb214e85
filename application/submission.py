"""What is submitted to the ledger, and what it answers."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from application.command import Command
from domain.kernel import Author, Refused, Warned

Reference = tuple[str, str]
"""An organisation, and its own name for a command: used once and for ever."""


class Submission(NamedTuple):
    """One command and who gives it."""

    command: Command
    by: Author

    @property
    def reference(self) -> Reference:
        return self.by.organisation, self.command.ref


class Recorded(NamedTuple):
    """A command's place in the log. `again`: it had been told before, nothing was added."""

    position: int
    recorded_at: datetime
    events: tuple[tuple[UUID, int], ...]
    again: bool
    promise: str | None = None
    """The signed promise that they will stand in the tree: `transparency_log.promises`."""
    warnings: tuple[Warned, ...] = ()
    """What looks wrong about it; known when it is recorded, not when it is told again later."""

    @property
    def event_ids(self) -> list[str]:
        """The ids of the events, in order: aggregate and version."""
        return [f"{aggregate}.{version}" for aggregate, version in self.events]


Outcome = Recorded | Refused
