"""The unit of work: what the commands of one transaction read and recorded, until it is stored."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TypeVar, cast
from uuid import UUID

from application.repository import AggregateRepository
from domain.kernel import Aggregate, AnyEnvelope

A = TypeVar("A", bound=Aggregate)


Uncommitted = tuple[str, AnyEnvelope]
"""Who reported it, and an event of a command before in the same transaction, not in the log yet."""


class UnitOfWork:
    """One transaction's view of the aggregates, which it changes in memory first.

    Aggregates are counted by the numbers of their ids: a UUID is hashed and compared in Python.
    """

    def __init__(self, repository: AggregateRepository) -> None:
        self._repository = repository
        self.identity_map: dict[int, Aggregate] = {}
        """The aggregates that the command at hand read, each one object."""
        self.read_set: set[int] = set()
        """All that the decisions of this transaction rest on."""
        self._uncommitted: dict[int, list[Uncommitted]] = {}

    def begin(self) -> None:
        """A new transaction: nothing was read and nothing recorded."""
        self.identity_map.clear()
        self.read_set.clear()
        self._uncommitted.clear()

    def aggregate(self, kind: type[A], id: UUID) -> A:
        """The aggregate as it is now, with what this transaction recorded."""
        number = id.int
        found = self.identity_map.get(number)
        if found is None:
            found = self.identity_map[number] = self._repository.load(kind, id)
        return cast(A, found)

    def holds(self, id: UUID) -> bool:
        """Whether it is in memory."""
        return id.int in self.identity_map or self._repository.holds(id)

    def end_command(self) -> None:
        """What the command read is what the transaction read."""
        self.read_set.update(self.identity_map)

    @property
    def dirty(self) -> dict[UUID, type[Aggregate]]:
        """The aggregates that the command at hand changed."""
        return {found.id: type(found) for found in self.identity_map.values() if found.pending}

    def undo_command(self) -> None:
        """Undo what a command recorded before it was refused: what it changed is replayed."""
        if dirty := self.dirty:
            for fresh in self._repository.load_all(dirty):
                for _, envelope in self._uncommitted.get(fresh.id.int, ()):
                    envelope.mutate(fresh)

    def add(self, organisation: str, envelope: AnyEnvelope) -> None:
        """Keep an event that will be stored, for the commands behind."""
        kept = self._uncommitted.setdefault(envelope.originator_id.int, [])
        kept.append((organisation, envelope))

    def recorded(self, id: UUID) -> Collection[Uncommitted]:
        """The events that this transaction adds to an aggregate."""
        return self._uncommitted.get(id.int, ())

    def __iter__(self) -> Iterator[Uncommitted]:
        """All events that this transaction adds."""
        return (each for some in self._uncommitted.values() for each in some)

    def __len__(self) -> int:
        return sum(map(len, self._uncommitted.values()))

    def overtaken_by(self, changed: Collection[int]) -> bool:
        """Whether something that was read is among what another writer changed.

        What was not read, and is out of date now, is evicted.
        """
        self._repository.evict(number for number in changed if number not in self.read_set)
        return not self.read_set.isdisjoint(changed)

    def forget(self) -> None:
        """Forget all that was read: it may hold what was never stored."""
        self._repository.evict(self.read_set)
        self._repository.evict(self.identity_map)
        self.begin()
