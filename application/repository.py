"""The library's repository of aggregates, with a cache of our own and loading of many at once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, cast
from uuid import UUID

from eventsourcing.application import Cache, Repository
from eventsourcing.persistence import EventStore

from application.event_store.event_log import EventLog
from application.event_store.mapper import decode
from domain.kernel import Aggregate, AnyEnvelope

A = TypeVar("A", bound=Aggregate)


class AggregateRepository(Repository[UUID]):
    """Aggregates as they are in the log. One without an event is new and empty, not an error.

    What is cached is right until another writer appends: whoever learns of it calls `evict`. So
    nothing is fast-forwarded, and nothing is copied: what goes wrong is evicted, too.
    """

    def __init__(self, events: EventStore[UUID], log: EventLog, most_cached: int) -> None:
        super().__init__(events, fastforward=False, deepcopy_from_cache=False)
        self.cache = self._cached = _AggregateCache()
        self._log = log
        self._most_cached = most_cached

    def load(self, kind: type[A], id: UUID) -> A:
        """The aggregate, from memory or replayed from the log."""
        held = self._cached.find(id)
        if held is not None:  # `get` would find it too, in three times the time
            return cast(A, held)

        def replayed(_: A | None, envelopes: Iterable[AnyEnvelope]) -> A:
            aggregate = kind(id)
            for envelope in envelopes:
                envelope.mutate(aggregate)
            return aggregate

        return self.get(id, projector_func=replayed)

    def load_all(self, wanted: Mapping[UUID, type[Aggregate]]) -> list[Aggregate]:
        """Replay these aggregates from the log, all in one query, whatever is in memory."""
        fresh = [kind(id) for id, kind in wanted.items()]
        for index, version, topic, state in self._log.events_of(list(wanted)):
            fresh[index].evolve(decode(topic, state), version)
        for aggregate in fresh:
            self._cached.put(aggregate.id, aggregate)
        return fresh

    def holds(self, id: UUID) -> bool:
        """Whether it is in memory."""
        return id.int in self._cached.held

    def evict(self, numbers: Iterable[int]) -> None:
        """Forget aggregates, by the numbers of their ids."""
        for number in numbers:
            self._cached.held.pop(number, None)

    def trim(self) -> None:
        """Forget those that were not used for longest. Not while a unit of work is going on."""
        while len(self._cached.held) > self._most_cached:
            self._cached.held.popitem(last=False)


class _AggregateCache(Cache[UUID, Any]):
    """By the number of the id: a UUID itself is hashed and compared in Python.

    It grows until it is trimmed, since a unit of work relies on what it changed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.held: OrderedDict[int, Aggregate] = OrderedDict()

    def find(self, key: UUID) -> Aggregate | None:
        number = key.int
        found = self.held.get(number)
        if found is not None:
            self.held.move_to_end(number)
        return found

    def get(self, key: UUID, *, evict: bool = False) -> Aggregate:
        """Raises KeyError."""
        found = self.find(key)
        if found is None:
            raise KeyError(key)
        if evict:
            del self.held[key.int]
        return found

    def put(self, key: UUID, value: Aggregate | None) -> None:
        if value is not None:
            self.held[key.int] = value
