"""Names for those who may see them: masked, unless a look is asked for and recorded."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

import msgspec

from application.vault import Vault, masked_name, masked_number
from projections.facts.reading import Connection

_SAID = (
    "SELECT originator_id, originator_version, topic, state FROM ledger.event"
    " WHERE originator_id = ANY(%s) AND topic IN"
    " ('household.registered.v1', 'household.members-changed.v1')"
    " ORDER BY originator_id, originator_version"
)


class Shelf:
    """The wrapped household keys, read through a reader's connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def wrapped_keys(self, households: list[UUID]) -> dict[UUID, bytes]:
        rows = self._connection.execute(
            "SELECT household_id, wrapped FROM ledger.household_key WHERE household_id = ANY(%s)",
            (households,),
            binary=True,
        )
        return {row[0]: row[1] for row in rows}


def people_of(
    connection: Connection, vault: Vault, households: Collection[UUID]
) -> dict[str, dict[str, str]]:
    """By pseudonym: name and identity number of all who were ever told of, unmasked."""
    wanted = set(households)
    vault.unlock(Shelf(connection), wanted)
    people: dict[str, dict[str, str]] = {}
    for household, version, topic, state in connection.execute(_SAID, (list(wanted),), binary=True):
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


def masked(personal: dict[str, Any] | None) -> dict[str, Any]:
    """Personal values as everybody may see them; empty when they were erased."""
    shown: dict[str, Any] = {}
    for name, value in (personal or {}).items():
        if isinstance(value, str):
            shown[name] = masked_name(value) if name.endswith("name") else masked_number(value)
        elif isinstance(value, list):
            shown[name] = [masked(item) | {"person": item["person"]} for item in value]
    return shown
