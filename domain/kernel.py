"""What every aggregate and every event of the ledger has in common.

An event changes state and never refuses; a command refuses and never changes state.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Any, ClassVar, Generic, NamedTuple, Self, TypeVar
from uuid import UUID, uuid5

import msgspec
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


class CommandContext(msgspec.Struct, frozen=True, kw_only=True):
    """What every command carries besides its own content."""

    by: Author
    effective_on: date
    document: str | None = None
    remark: str | None = None


class TopicTaken(TypeError):
    """Two classes of events would be stored under one name."""


class TopicUnknown(TypeError):
    """An event of a class that is not the domain's: stored, it could never be read again."""


A_contra = TypeVar("A_contra", bound="Aggregate", contravariant=True)
Personal = dict[str, Any]
"""Names, identity and account numbers in the clear: JSON values by name."""


class Event(msgspec.Struct, Generic[A_contra], frozen=True, kw_only=True, omit_defaults=True):
    """Something that happened to one aggregate, on one civil day, as somebody told it.

    This is the stored content. Where it stands, who reported it and when it was recorded are
    columns of the log beside it; personal values stand in it only encrypted (`sealed`).
    """

    TOPIC: ClassVar[str]
    """The name under which it is stored. A class of the domain registers it by being defined."""
    ZH: ClassVar[str]
    CORRECTABLE: ClassVar[bool] = True
    OWN_VOUCHER: ClassVar[bool] = True

    effective_on: date
    role: str
    person: str
    document: str | None = None
    remark: str | None = None
    replaces: int | None = None
    sealed: str | None = None

    def __init_subclass__(cls, **settings: Any) -> None:
        """Register the topic. Raises TopicTaken when another class of the domain has it."""
        super().__init_subclass__(**settings)
        if "TOPIC" in vars(cls) and cls.__module__.startswith("domain."):
            other = TOPICS.setdefault(cls.TOPIC, cls)
            if other.__qualname__ != cls.__qualname__:
                raise TopicTaken(f"{cls.TOPIC}: {other.__qualname__}, {cls.__qualname__}")
            TOPICS[cls.TOPIC] = cls

    def apply(self, aggregate: A_contra, /) -> None:
        """Change the state of `aggregate`, whose version is this event's own already.

        Nothing here may fail on a stored event.
        """


AnyEvent = Event[Any]
TOPICS: dict[str, type[AnyEvent]] = {}
"""Every class of events that is defined in the domain, by its topic."""


class Envelope(msgspec.Struct, Generic[A_contra], frozen=True):
    """An event and its place: which aggregate it happened to, as its how-manieth event.

    The `eventsourcing` library calls this a domain event. `personal` are the values that belong
    to the event and are stored only under the key of `household`.
    """

    originator_id: UUID
    originator_version: int
    event: Event[A_contra]
    personal: Personal | None = None
    household: UUID | None = None

    def mutate(self, aggregate: Any) -> Any:
        """Let the event happen to `aggregate`: the library's way of replaying."""
        aggregate.evolve(self.event, self.originator_version)
        return aggregate


AnyEnvelope = Envelope[Any]


def recorded_fields(context: CommandContext) -> dict[str, Any]:
    """The fields that every event takes over from the command that it answers."""
    return {
        "effective_on": context.effective_on,
        "role": context.by.role,
        "person": context.by.person,
        "document": context.document,
        "remark": context.remark,
    }


class Aggregate:
    """One thing with a history. Its state is what its events say, nothing else.

    `last_on` is the latest day that any of its events concerns.
    """

    def __init__(self, id: UUID) -> None:
        self.id = id
        self.version = 0
        self.last_on = date.min
        self.pending: list[AnyEnvelope] = []
        self.vouchers: dict[int, str] = {}
        self._warned: list[Warned] = []

    @property
    def sealed_for(self) -> UUID | None:
        """The household under whose key this aggregate's personal values are sealed."""
        return None

    def evolve(self, event: Event[Self], version: int) -> None:
        """Change the state as `event` says, which is this aggregate's `version`th."""
        self.version = version
        event.apply(self)
        self.last_on = max(self.last_on, event.effective_on)
        voucher, corrects = getattr(event, "voucher", None), getattr(event, "corrects", None)
        if voucher is not None:
            self.vouchers[version] = voucher
        if corrects is not None:
            self.vouchers.pop(corrects, None)

    def record(self, event: Event[Self], personal: Personal | None = None) -> None:
        """Let `event` happen and keep it for the log, `personal` beside it to be encrypted."""
        voucher = getattr(event, "voucher", None)
        if voucher is not None and event.OWN_VOUCHER and voucher in self.vouchers.values():
            self.warn(voucher_used(voucher))
        self.evolve(event, self.version + 1)
        household = None if personal is None else self.sealed_for
        self.pending.append(Envelope(self.id, self.version, event, personal, household))

    def warn(self, warned: Warned) -> None:
        """Say of what was just recorded that it looks wrong."""
        self._warned.append(warned)

    def collect_warnings(self) -> list[Warned]:
        """What the last command was warned of; it is handed out once."""
        warned, self._warned = self._warned, []
        return warned

    def collect_events(self) -> list[AnyEnvelope]:
        """The events not yet handed to the log, in order; they are handed out once."""
        pending, self.pending = self.pending, []
        return pending


def details_of(event: AnyEvent) -> Mapping[str, Any]:
    """The content of an event as plain values, for reading."""
    content: dict[str, Any] = msgspec.to_builtins(event)
    return content
