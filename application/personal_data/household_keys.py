"""Whether every household's key is there, is its own, and is under a secret that the log knows.

The keys lie in the database and not under the tree. What protects them is that each is bound to
its household by the encryption itself: one that was swapped, changed or made by somebody opens not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import msgspec

from application.event_store.guards import Connection
from application.personal_data.encryption import Keys, Wrapper, wrapping_id
from domain.household import Household
from domain.loan import Loan

_SEALED_FOR = "SELECT originator_id, topic, state FROM ledger.event WHERE topic = ANY (%s)"
_ERASED = "SELECT originator_id FROM ledger.event WHERE topic = 'household.erased.v1'"
_KEYS = "SELECT household_id, wrapped FROM ledger.household_key"
_WRAPPINGS = "SELECT number, wrapping_id FROM ledger.wrapping ORDER BY number"
_TOPICS = [Household.Registered.TOPIC, Loan.Disbursed.TOPIC]


class _Content(msgspec.Struct):
    household_no: str = ""
    sealed: str = ""


def wrong_keys(connection: Connection, load: Callable[[], Keys]) -> list[str]:
    """Every household whose key is missing, doubled, does not open, or outlives its erasure.

    And what is wrong with the history of the wrapping secrets. `load` reads the key file, before
    and after the database: a rotation meanwhile is no fault. Raises KeysMissing.
    """
    before = load()
    with connection.transaction():
        names = _households(connection)
        erased = {row[0] for row in connection.execute(_ERASED)}
        boxes: dict[UUID, list[bytes]] = {}
        for household, wrapped in connection.execute(_KEYS, binary=True):
            boxes.setdefault(household, []).append(wrapped)
        wrappings = connection.execute(_WRAPPINGS, binary=True).fetchall()
    files = (before, load())
    wrappers = [Wrapper(keys) for keys in files]
    found = []
    for household in names.keys() | boxes.keys():
        there = boxes.get(household, [])
        opens = all(any(w.unwrap(household, box) for w in wrappers) for box in there)
        if fault := _fault(len(there), opens=opens, erased=household in erased):
            found.append(f"户 {names.get(household, household)}: {fault}")
    return sorted(found) + list(_wrong_wrappings(wrappings, files))


def _households(connection: Connection) -> dict[UUID, str]:
    """The households that values are encrypted for, each with its number."""
    names = {}
    for _, _, state in connection.execute(_SEALED_FOR, (_TOPICS,), binary=True):
        try:
            content = msgspec.json.decode(state, type=_Content)
        except msgspec.DecodeError:
            continue  # the tree names an event that was altered
        if content.sealed:
            names[Household.id_for(content.household_no)] = content.household_no
    return names


def _fault(count: int, *, opens: bool, erased: bool) -> str | None:
    if erased:
        return "已抹除而密钥仍在 / was erased, its key is still there" if count else None
    if not count:
        return "密钥缺失 / its key is missing"
    if count > 1:
        return f"有 {count} 个密钥 / it has {count} keys"
    return None if opens else "密钥打不开 / its key does not open"


def _wrong_wrappings(rows: list[tuple[Any, ...]], files: tuple[Keys, ...]) -> Iterator[str]:
    numbers = [row[0] for row in rows]
    if numbers != list(range(1, len(rows) + 1)):
        yield f"包裹密钥更换记录有缺 / changes of the wrapping secret are missing: {numbers}"
    known = {keys.wrapping_number for keys in files}
    known |= {
        keys.wrapping_number + 1
        for keys in files
        if keys.wrapping_next is not None and keys.wrapping_number is not None
    }
    if None not in known and len(rows) not in known:
        yield (
            f"包裹密钥更换记录有 {len(rows)} 条，与密钥文件不符"
            f" / {len(rows)} changes of the wrapping secret, not as many as the key file counts"
        )
    secrets = {
        wrapping_id(secret)
        for keys in files
        for secret in (keys.wrapping, keys.wrapping_next)
        if secret is not None
    }
    if rows and rows[-1][1] not in secrets:
        yield (
            "最后的包裹密钥不在密钥文件中"
            " / the last wrapping secret on record is not in the key file"
        )
