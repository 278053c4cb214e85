"""Open a case, or take more findings into it: the schemes are looked for first."""

from __future__ import annotations

from typing import Protocol, TypeVar

from application.commands.case import JoinCase, WithFindings
from domain.case import Found
from domain.kernel import Author

C = TypeVar("C", bound=WithFindings)


class Schemes(Protocol):
    """The port: the findings that belong together with those that a command names."""

    def found(self, command: WithFindings, case_no: str | None) -> Found:
        """At the command's two dates; `case_no`: with all of the schemes that this case holds."""


def with_findings(command: C, by: Author, schemes: Schemes) -> C:
    """The command with all findings of its schemes. Raises NotPermitted."""
    command.assure_permitted(by)
    case_no = command.case_no if isinstance(command, JoinCase) else None
    return command.seeing(schemes.found(command, case_no))
