"""What a command is: its fields, who may submit it, what it reads, and how it is handled.

A command registers itself by being defined; importing `application.commands` defines all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import UUID

import msgspec

from application.fields import Day, Ground, Model, Reference
from application.refusals import NotPermitted
from domain.kernel import Aggregate, AnyEvent, Author, CommandContext
from domain.roles import Role

Reads = Sequence[tuple[UUID, type[Aggregate]]]
"""Aggregates by id and kind."""


class TypeTaken(TypeError):
    """Two commands have one name, or one event is replaced by two of them."""


class Command(Model):
    """One thing that an organisation reports to the ledger or decides in it.

    Its subclasses are complete: TYPE, ROLES, PATH, fields, `reads`, `handle`.
    """

    TYPE: ClassVar[str]
    """Its name in a line of a submission and in the permission table. Permanent."""
    SUMMARY: ClassVar[str]
    """What it does, in Chinese and English: the summary of its route."""
    ROLES: ClassVar[tuple[Role, ...]]
    """Who may submit it."""
    PATH: ClassVar[str | None]
    """Its route, with the fields that the path gives; None: the service alone submits it."""
    NEEDS_ANSWER: ClassVar[bool] = False
    """Whether its route does more than submit it: it is not taken as a line of a submission."""
    READS_MANY: ClassVar[bool] = False
    """Whether it reads so much that it does not wait in a group with others."""
    MAY_LIE_AHEAD: ClassVar[bool] = False
    """Whether its day may be after today: a document rules from a later day."""

    ref: Reference
    effective_on: Day
    ground: Ground | None = None

    @classmethod
    def __pydantic_init_subclass__(cls, **settings: Any) -> None:
        """Register a command that has a TYPE. Raises TypeTaken."""
        super().__pydantic_init_subclass__(**settings)
        if "TYPE" in vars(cls):
            _register(COMMANDS, cls.TYPE, cls)

    @classmethod
    def path_fields(cls) -> list[str]:
        """The fields that the path gives."""
        return re.findall(r"\{(\w+)\}", cls.PATH or "")

    @classmethod
    def assure_permitted(cls, by: Author) -> None:
        """Raises NotPermitted."""
        if by.role not in cls.ROLES:
            raise NotPermitted(role=by.role, command=cls.TYPE)

    def content(self) -> bytes:
        """The command's content in one canonical form: equal for equal content, for ever."""
        plain = self.model_dump(exclude_none=True, exclude_defaults=True)
        plain["type"] = self.TYPE
        return _canonical(plain)

    def reads(self, by: Author) -> Reads:
        """The aggregates that `handle` needs, so that many commands load theirs in one query."""
        raise NotImplementedError

    def handle(self, ledger: Any, context: CommandContext) -> None:
        """Let the aggregates decide. Raises Refused.

        `ledger`: an `application.ledger.Ledger`, which itself imports this module.
        """
        raise NotImplementedError


class Correctable(Command):
    """A command that may replace what it recorded before (冲正)."""

    RECORDS: ClassVar[tuple[type[AnyEvent], ...]]
    """The events that a correction replaces by this command."""

    @classmethod
    def __pydantic_init_subclass__(cls, **settings: Any) -> None:
        super().__pydantic_init_subclass__(**settings)
        for event in vars(cls).get("RECORDS", ()):
            _register(REPLACED_BY, event.TOPIC, cls)

    def handle(self, ledger: Any, context: CommandContext, replaces: int | None = None) -> None:
        """The same. `replaces`: the version of the event that the new one replaces."""
        raise NotImplementedError


COMMANDS: dict[str, type[Command]] = {}
"""Every command, by its TYPE."""
REPLACED_BY: dict[str, type[Correctable]] = {}
"""By topic of an event: the command that replaces it in a correction."""
_canonical = msgspec.json.Encoder(order="sorted").encode


def _register(table: dict[str, Any], name: str, kind: type[Command]) -> None:
    other = table.setdefault(name, kind)
    if other.__qualname__ != kind.__qualname__:
        raise TypeTaken(f"{name}: {other.__qualname__}, {kind.__qualname__}")
    table[name] = kind
