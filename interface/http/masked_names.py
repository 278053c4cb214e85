"""Names for those who may see them: masked, unless a look is asked for and recorded."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from application.event_store import log_queries
from application.personal_data.encryption import Vault, masked_name, masked_number
from domain.household import Household
from interface.http.visibility import replay
from projections.columns import BORROWER, BORROWER_NAME, LOAN_ID
from projections.facts.reading import Connection, Table, View
from projections.history import Happening, history
from projections.history.columns import LOOKS
from projections.loan_ledger import households_of


class Shelf:
    """The wrapped household keys, read through a reader's connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def wrapped_keys(self, households: list[UUID]) -> dict[UUID, bytes]:
        return log_queries.wrapped_keys(self._connection, households)


def people_of(
    connection: Connection, vault: Vault, households: Collection[UUID]
) -> dict[str, dict[str, str]]:
    """By pseudonym: name and identity number of all who were ever told of, unmasked."""
    wanted = set(households)
    vault.unlock(Shelf(connection), wanted)
    people: dict[str, dict[str, str]] = {}
    for household, version, topic, state in log_queries.member_events(connection, wanted):
        sealed = msgspec.json.decode(state).get("sealed")
        values = sealed and vault.unseal(household, (household, version, topic), sealed)
        for member in (values or {}).get("members", ()):
            people[member["person"]] = member
    return people


def masked_names(
    connection: Connection, vault: Vault, households: Collection[UUID]
) -> dict[str, str]:
    """By pseudonym: the masked name of all who were ever told of in these households."""
    people = people_of(connection, vault, households)
    return {person: masked_name(values["name"]) for person, values in people.items()}


def with_names(vault: Vault, view: View, table: Table) -> Table:
    """The table with the borrowers' masked names beside their pseudonyms."""
    place, loan_place = table.columns.index(BORROWER), table.columns.index(LOAN_ID)
    households = households_of(view, {row[loan_place] for row in table.rows})
    names = masked_names(view.connection, vault, households)
    return Table(
        (*table.columns, BORROWER_NAME),
        [(*row, names.get(row[place])) for row in table.rows],
    )


def laid_open(
    connection: Connection, vault: Vault, household_no: str, *, bank: str | None = None
) -> dict[str, Any]:
    """A household's personal data unmasked: for somebody whose look is in the log already.

    `members`: those of today, with name and identity number. `loan_events`: every event of its
    loans that holds personal values, with these; of one bank's loans alone when `bank` is given.
    What cannot be read any more is absent.
    """
    id = Household.id_for(household_no)
    household = Household(id)
    for event in history(connection, [id]):
        replay(household, event)
    people = people_of(connection, vault, [id])
    loans = set(household.borrowed.values()) if bank is None else household.loans_of(bank)
    told = history(connection, list(loans))
    notes = {
        event.originator_id: {name: event.content[name] for name in ("bank", "loan_no")}
        for event in told
        if event.topic == "loan.disbursed.v1"
    }
    opened = []
    for event in told:
        values = unsealed(vault, id, event)
        if values is not None:
            opened.append(
                {
                    "event_id": event.event_id,
                    "event": event.topic,
                    "effective_on": event.content["effective_on"],
                    **notes[event.originator_id],
                    "corrected_by": event.corrected_by,
                    "personal": values,
                }
            )
    members = [
        {"relation": member.relation, "head": member.head, **people[member.person]}
        for member in household.members.values()
        if member.person in people
    ]
    return {"members": members, "loan_events": opened}


def looks_at(
    connection: Connection, household: UUID, known_at: datetime | None, as_of: date | None
) -> Table | None:
    """Who looked at a household's people, when and why; None when nothing is known of it."""
    events = history(connection, [household], known_at, as_of)
    rows = [
        (
            event.position,
            event.recorded_at,
            date.fromisoformat(event.content["effective_on"]),
            event.organisation,
            event.content["role"],
            event.content["person"],
            event.content["reason"],
            event.ref,
            event.content.get("document"),
            event.event_id,
        )
        for event in events
        if event.topic == Household.LookedAt.TOPIC
    ]
    return Table(LOOKS, rows) if events else None


def unsealed(vault: Vault, household: UUID, event: Happening) -> dict[str, Any] | None:
    """The personal values that an event holds; None when it holds none, or none that opens."""
    sealed = event.content.get("sealed")
    if not sealed:
        return None
    place = (event.originator_id, event.version, event.topic)
    return vault.unseal(household, place, sealed)


def masked(personal: dict[str, Any] | None) -> dict[str, Any]:
    """Personal values as everybody may see them; empty when they were erased."""
    shown: dict[str, Any] = {}
    for name, value in (personal or {}).items():
        if isinstance(value, str):
            shown[name] = masked_name(value) if name.endswith("name") else masked_number(value)
        elif isinstance(value, list):
            shown[name] = [masked(item) | {"person": item["person"]} for item in value]
    return shown
