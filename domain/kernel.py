"""What every aggregate and every event of the ledger has in common.

An event changes state and never refuses; a command refuses and never changes state.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple, Self
from uuid import UUID, uuid5

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import force_setattr

from domain.roles import Role

_NAMES = UUID("6d696e67-7a68-616e-672e-6c6564676572")


@lru_cache(maxsize=1 << 17)
def identity(kind: str, *names: str) -> UUID:
    """The one id of a named thing: same kind and names, same id, always."""
    return uuid5(_NAMES, "\x1f".join((kind, *names)))


class Refused(Exception):
    """A command that may not happen: a permanent code, a text in two languages, the numbers.

    `field` names the part of the command that breaks the rule, in the words of the contract.
    """

    CODE: ClassVar[str] = "refused"
    ZH: ClassVar[str] = "不予受理"
    EN: ClassVar[str] = "refused"
    FIELD: ClassVar[str] = ""

    def __init__(self, field: str | None = None, **details: object) -> None:
        super().__init__(self.CODE, details)
        self.field = self.FIELD if field is None else field
        self.details: dict[str, object] = details

    @property
    def zh(self) -> str:
        return self.ZH.format_map(_Missing(self.details))

    @property
    def en(self) -> str:
        return self.EN.format_map(_Missing(self.details))


class _Missing(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "?"


class Warned(NamedTuple):
    """What is recorded and yet looks wrong: a permanent code, two languages, the field."""

    code: str
    zh: str
    en: str
    field: str


def voucher_used(voucher: str, field: str = "voucher") -> Warned:
    """One voucher stands for two payments."""
    return Warned(
        "voucher_used",
        f"凭证号 {voucher} 已用于另一笔，请核对",
        f"the voucher {voucher} stands for another payment too",
        field,
    )


class NotCorrectable(Refused):
    CODE, FIELD = "not_correctable", "event_id"
    ZH = "该事件已被冲正，或不属可冲正的事件"
    EN = "this event was corrected before, or is not of a kind that can be"


class Author(msgspec.Struct, frozen=True):
    """Who tells the ledger something, and in which of the programme's roles."""

    role: Role
    organisation: str
    person: str

    def __post_init__(self) -> None:
        """Raises ValueError for a role that the programme does not have."""
        force_setattr(self, "role", Role(self.role))


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What every command carries besides its own content."""

    by: Author
    effective_on: date
    document: str | None = None
    remark: str | None = None


class TopicTaken(TypeError):
    """Two classes of events would be stored under one name."""


class TopicUnknown(TypeError):
    """An event of a class that is not the domain's: stored, it could never be read again."""


TOPICS: dict[str, type[Event]] = {}
"""Every class of events that is defined in the domain, by its topic."""


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that happened to one aggregate, on one civil day, as somebody told it.

    The id and version of its aggregate are columns of the log and stand outside the stored
    content; so do the organisation, its reference and `recorded_at`. `personal` holds names,
    identity and account numbers only until they are sealed: it never reaches the log.
    """

    TOPIC: ClassVar[str]
    """The name under which it is stored. A class of the domain registers it by being defined."""
    ZH: ClassVar[str]
    CORRECTABLE: ClassVar[bool] = True
    OWN_VOUCHER: ClassVar[bool] = True

    originator_id: UUID | UnsetType = UNSET
    originator_version: int | UnsetType = UNSET
    effective_on: date
    role: str
    person: str
    document: str | None = None
    remark: str | None = None
    replaces: int | None = None
    sealed: str | None = None
    personal: dict[str, Any] | UnsetType = UNSET

    def __init_subclass__(cls, **settings: Any) -> None:
        """Register the topic. Raises TopicTaken when another class of the domain has it."""
        super().__init_subclass__(**settings)
        if "TOPIC" in vars(cls) and cls.__module__.startswith("domain."):
            other = TOPICS.setdefault(cls.TOPIC, cls)
            if other.__qualname__ != cls.__qualname__:
                raise TopicTaken(f"{cls.TOPIC}: {other.__qualname__}, {cls.__qualname__}")
            TOPICS[cls.TOPIC] = cls

    @property
    def version(self) -> int:
        """The place within its aggregate; only an event that was placed has one."""
        assert isinstance(self.originator_version, int)
        return self.originator_version

    def apply(self, aggregate: Any) -> None:
        """Change the state of `aggregate`; nothing here may fail on a stored event."""

    def mutate(self, aggregate: Any) -> Any:
        """Apply to `aggregate` and count its version: the library's way of replaying."""
        self.apply(aggregate)
        aggregate.version = self.originator_version
        aggregate.last_on = max(aggregate.last_on, self.effective_on)
        voucher, corrects = getattr(self, "voucher", None), getattr(self, "corrects", None)
        if voucher is not None:
            aggregate.vouchers[self.originator_version] = voucher
        if corrects is not None:
            aggregate.vouchers.pop(corrects, None)
        return aggregate

    def placed(self, originator_id: UUID, version: int) -> Self:
        """This event, told which aggregate and version it is."""
        force_setattr(self, "originator_id", originator_id)
        force_setattr(self, "originator_version", version)
        return self


def told_by(note: Note) -> dict[str, Any]:
    """The fields that every event takes over from the command that it answers."""
    return {
        "effective_on": note.effective_on,
        "role": note.by.role,
        "person": note.by.person,
        "document": note.document,
        "remark": note.remark,
    }


class Aggregate:
    """One thing with a history. Its state is what its events say, nothing else.

    `last_on` is the latest day that any of its events concerns.
    """

    def __init__(self, id: UUID) -> None:
        self.id = id
        self.version = 0
        self.last_on = date.min
        self.pending: list[Event] = []
        self.vouchers: dict[int, str] = {}
        self._warned: list[Warned] = []

    @property
    def sealed_for(self) -> UUID | None:
        """The household under whose key this aggregate's personal values are sealed."""
        return None

    def record(self, event: Event) -> None:
        """Let `event` happen: apply it and keep it for the log."""
        voucher = getattr(event, "voucher", None)
        if voucher is not None and event.OWN_VOUCHER and voucher in self.vouchers.values():
            self.warn(voucher_used(voucher))
        event.placed(self.id, self.version + 1)
        event.mutate(self)
        self.pending.append(event)

    def warn(self, warned: Warned) -> None:
        """Say of what was just recorded that it looks wrong."""
        self._warned.append(warned)

    def collect_warnings(self) -> list[Warned]:
        """What the last command was warned of; it is handed out once."""
        warned, self._warned = self._warned, []
        return warned

    def collect_events(self) -> list[Event]:
        """The events not yet handed to the log, in order; they are handed out once."""
        pending, self.pending = self.pending, []
        return pending


def details_of(event: Event) -> Mapping[str, Any]:
    """The content of an event as plain values, for reading."""
    content: dict[str, Any] = msgspec.to_builtins(event)
    return content
