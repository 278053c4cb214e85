"""The events that a reader may see: the rule of domain/visibility.py, asked of the log itself.

What a reader has to do with a loan, a household or a batch is judged on all that is known now,
whatever dates he asks about: a loan that was reversed opens nothing, nor does an ended guarantee.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from application.event_store.log_queries import listed_lines
from application.event_store.mapper import decode
from application.refusals import LeafWithheld
from domain.catalogue import kind_of
from domain.household import Household
from domain.kernel import Aggregate, Author
from domain.loan import Loan
from domain.roles import Role
from domain.visibility import Ties, may_see, sees_all, word_for
from projections.facts.reading import Connection
from projections.history import Happening, Trace, happenings, history

A = TypeVar("A", bound=Aggregate)


def visible(connection: Connection, reader: Author, events: Sequence[Happening]) -> list[Happening]:
    """Those of the events that the reader may see, in their order.

    The ids of other loans of the household, on which a payment rests, are left out where these are
    not his.
    """
    if sees_all(reader.role, {event.topic for event in events}):
        return list(events)
    ties = ties_of(connection, reader, events)
    corrected = _corrected(connection, reader, events)
    return [
        _without_foreign_loans(event, ties)
        for event in events
        if may_see(reader, event, ties, corrected.get(event.event_id))
    ]


def visible_positions(
    connection: Connection, reader: Author, topics: Iterable[str], positions: Iterable[int]
) -> frozenset[int]:
    """Those positions of the log at which the reader may see the event; it is one of `topics`."""
    wanted = frozenset(positions)
    if sees_all(reader.role, topics):
        return wanted
    seen = visible(connection, reader, happenings(connection, wanted))
    return frozenset(event.position for event in seen)


def visible_trace(connection: Connection, reader: Author, found: Trace | None) -> Trace | None:
    """A trace, showing no more than the reader may see; None when the payment is not his."""
    if found is None:
        return None
    seen = visible(connection, reader, found.events)
    payment = next((event for event in seen if event.position == found.payment.position), None)
    return None if payment is None else found._replace(events=seen, rests_on=found.events)


def with_open_leaves(found: Trace) -> Trace:
    """The trace without events of which the reader is not shown all, as a leaf is all of it.

    These are payments stored with the household's loans at all banks. Raises LeafWithheld when
    the traced payment is one of them.
    """
    stored = {event.position: event.content for event in found.rests_on or found.events}
    whole = [event for event in found.events if event.content == stored[event.position]]
    if all(event.position != found.payment.position for event in whole):
        raise LeafWithheld(event_id=found.payment.event_id)
    return found._replace(events=whole)


def opens(connection: Connection, reader: Author, household: UUID) -> bool:
    """Whether a bank, a township or an office may read of a household's people, masked."""
    if sees_all(reader.role, [Household.Registered.TOPIC]):
        return True
    return household in _open_households(connection, reader, {household})


def ties_of(connection: Connection, reader: Author, events: Sequence[Happening]) -> Ties:
    """What the reader has to do with the things that these events are about."""
    ids: dict[str, set[UUID]] = defaultdict(set)
    for event in events:
        ids[kind_of(event.topic)].add(event.originator_id)
        ids["loan"] |= _loans_of_the_grounds(event).keys()
    loans = _own_loans(connection, reader, ids["loan"])
    return Ties(
        loans=loans,
        households=_open_households(connection, reader, ids["household"]),
        lines=_own_lines(connection, reader, ids["batch"], events, loans),
        risks=_concerning(connection, reader, ids["risk"]),
    )


# ---- loans and households -------------------------------------------------------------


def _own_loans(connection: Connection, reader: Author, ids: set[UUID]) -> frozenset[UUID]:
    """Of these loans: those that the bank lent, the company guarantees, or a household has."""
    loans = _replayed(connection, Loan, ids)
    if reader.role == Role.BANK:
        own = [loan.id for loan in loans if loan.bank == reader.organisation]
    elif reader.role == Role.GUARANTOR:
        own = [loan.id for loan in loans if reader.organisation in loan.guarantors.values()]
    elif reader.role == Role.TOWNSHIP:
        homes = {loan.household_id for loan in loans if loan.household_id is not None}
        open_to = _open_households(connection, reader, homes)
        own = [loan.id for loan in loans if loan.household_id in open_to]
    else:
        own = []
    return frozenset(own)


def _open_households(connection: Connection, reader: Author, ids: set[UUID]) -> frozenset[UUID]:
    if reader.role not in (Role.BANK, Role.TOWNSHIP):
        return frozenset()
    households = _replayed(connection, Household, ids)
    borrowers: dict[UUID, list[Any]] = defaultdict(list)
    if reader.role == Role.BANK:
        lent = {id for home in households for id in home.loans_of(reader.organisation)}
        for loan in _replayed(connection, Loan, lent):
            if loan.exists and loan.household_id is not None:
                borrowers[loan.household_id].append((loan.borrower, loan.disbursed_on))
    return frozenset(home.id for home in households if home.open_to(reader, borrowers[home.id]))


def _replayed(connection: Connection, kind: type[A], ids: Iterable[UUID]) -> list[A]:
    """Aggregates as they are on all that is known; without an event there is none."""
    made: dict[UUID, A] = {}
    wanted = list(ids)
    for event in history(connection, wanted) if wanted else ():
        aggregate = made.setdefault(event.originator_id, kind(event.originator_id))
        replay(aggregate, event)
    return list(made.values())


def replay(aggregate: Aggregate, event: Happening) -> None:
    """Let a stored event happen to its aggregate."""
    told = decode(event.topic, msgspec.json.encode(event.content))
    aggregate.evolve(told, event.version)


def _loans_of_the_grounds(event: Happening) -> Mapping[UUID, int]:
    """By id: the loans of the household on which a payment was calculated, as once was stored."""
    if event.topic != Loan.SubsidyPaid.TOPIC:
        return {}
    told = event.content["grounds"].get("household_loans", {})
    return {UUID(id): version for id, version in told.items()}


def _without_foreign_loans(event: Happening, ties: Ties) -> Happening:
    rested_on = _loans_of_the_grounds(event)
    if rested_on.keys() <= set(ties.loans):
        return event
    own = {str(id): version for id, version in rested_on.items() if id in ties.loans}
    grounds = event.content["grounds"] | {"household_loans": own}
    return event._replace(content=event.content | {"grounds": grounds})


# ---- batches, risks, corrections ------------------------------------------------------


def _own_lines(
    connection: Connection,
    reader: Author,
    batches: set[UUID],
    events: Sequence[Happening],
    loans: frozenset[UUID],
) -> Mapping[UUID, frozenset[int]]:
    """The reader's lines of each batch: those paid by these events, else those listed."""
    lines: dict[UUID, set[int]] = defaultdict(set)
    for event in events:
        batch = event.content.get("batch_id")
        if event.topic == Loan.SubsidyPaid.TOPIC and batch and event.originator_id in loans:
            lines[UUID(batch)].add(event.content["line"])
    unsure = {
        event.originator_id
        for event in events
        if event.originator_id in batches
        and event.content.get("line") not in (None, *lines[event.originator_id])
    }
    asked = [batch for batch in batches if not lines[batch] or batch in unsure]
    if asked and reader.role in (Role.BANK, Role.TOWNSHIP):
        listed = listed_lines(connection, asked, reader.role, reader.organisation)
        for batch, line in listed:
            lines[batch].add(line)
    return {batch: frozenset(own) for batch, own in lines.items() if own}


def _concerning(connection: Connection, reader: Author, risks: set[UUID]) -> frozenset[UUID]:
    """Of these risks: those of a loan of the reader, or of a household of the township."""
    told = [event for event in history(connection, list(risks)) if "reason" in event.content]
    loans = {event.originator_id: _loan_named(event) for event in told}
    own = _own_loans(connection, reader, {id for id in loans.values() if id is not None})
    homes = {
        event.originator_id: Household.id_for(event.content["household_no"])
        for event in told
        if "household_no" in event.content and reader.role == Role.TOWNSHIP
    }
    open_to = _open_households(connection, reader, set(homes.values()))
    return frozenset(
        event.originator_id
        for event in told
        if loans[event.originator_id] in own
        or homes.get(event.originator_id) in open_to
        or (reader.role == Role.BANK and event.content.get("bank") == reader.organisation)
    )


def _loan_named(risk: Happening) -> UUID | None:
    bank, number = risk.content.get("bank"), risk.content.get("loan_no")
    return Loan.id_for(bank, number) if bank and number else None


def _corrected(
    connection: Connection, reader: Author, events: Sequence[Happening]
) -> dict[str, Happening]:
    """By the id of a correction whose word is `corrects`: the event that it corrects."""
    corrections = [e for e in events if word_for(reader.role, e.topic) == "corrects"]
    homes = {event.originator_id for event in corrections}
    there = {e.event_id: e for e in history(connection, list(homes))} if homes else {}
    return {
        event.event_id: there[f"{event.originator_id}.{event.content['corrects']}"]
        for event in corrections
    }
