"""The library's mapper over our own content: canonical JSON, written once, never again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn
from uuid import UUID

import msgspec
from eventsourcing.persistence import Mapper, StoredEvent

from domain.catalogue import EVENTS
from domain.kernel import AnyEnvelope, AnyEvent, Envelope, TopicUnknown

_encode = msgspec.json.Encoder(order="sorted").encode
_decoders = {topic: msgspec.json.Decoder(event).decode for topic, event in EVENTS.items()}

Encrypt = Callable[[AnyEnvelope], AnyEvent]
"""The event with its personal values encrypted. Called only where there are some."""


def encode(event: AnyEvent) -> bytes:
    """The stored content of an event: canonical JSON (RFC 8785; tested against it).

    Raises TopicUnknown.
    """
    if EVENTS.get(event.TOPIC) is not type(event):
        raise TopicUnknown(f"{type(event).__module__}.{type(event).__qualname__}")
    return _encode(event)


def decode(topic: str, state: bytes) -> AnyEvent:
    event: AnyEvent = _decoders[topic](state)
    return event


def _no_key(envelope: AnyEnvelope) -> NoReturn:
    raise TypeError(f"personal values and no key: {envelope.event.TOPIC}")


class EventMapper(Mapper[UUID]):
    """Between an `Envelope` and the library's stored event."""

    def __init__(self, encrypt: Encrypt = _no_key) -> None:
        """No transcoder, no compressor: see `encode`. `encrypt` stands for the library's cipher."""
        self._encrypt = encrypt

    def to_stored_event(self, domain_event: Any) -> StoredEvent:
        """Raises TopicUnknown, and what `encrypt` raises."""
        envelope: AnyEnvelope = domain_event
        event = envelope.event if envelope.personal is None else self._encrypt(envelope)
        return StoredEvent(
            envelope.originator_id, envelope.originator_version, event.TOPIC, encode(event)
        )

    def to_domain_event(self, stored_event: StoredEvent) -> AnyEnvelope:
        id = stored_event.originator_id
        return Envelope(
            id if isinstance(id, UUID) else UUID(id),
            stored_event.originator_version,
            decode(stored_event.topic, stored_event.state),
        )
