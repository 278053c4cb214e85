"""Publish a report: its bytes are made first, and stored with it."""

from __future__ import annotations

from typing import Protocol

from application.commands.publication import PublishReport
from domain.kernel import Author
from domain.publication import Edition


class Editions(Protocol):
    """The port: a report of two dates as it goes out."""

    def edition(self, command: PublishReport) -> Edition:
        """The report on all that is recorded by now."""


def with_edition(command: PublishReport, by: Author, editions: Editions) -> PublishReport:
    """The command with what it publishes. Raises NotPermitted."""
    command.assure_permitted(by)
    return command.of(editions.edition(command))
