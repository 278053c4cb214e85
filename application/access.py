"""Who is asking: organisations, and the keys by which their people are known.

A key is 256 random bits; the database keeps its SHA-256 alone (no slow hash is needed for what
cannot be guessed). A revoked key is refused within a second by every process.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from enum import Enum
from time import monotonic_ns

import msgspec
import psycopg

from application.event_store.migrations import PINNED
from domain.kernel import Author
from domain.roles import Role

_TRUSTED_NS = 500_000_000
_MOST_REMEMBERED = 10_000


class Unknown(Enum):
    """Nobody has asked of late."""

    UNKNOWN = 0


UNKNOWN = Unknown.UNKNOWN


class Organisation(msgspec.Struct, frozen=True):
    code: str
    role: Role
    name: str


class AccessList:
    """The organisations and keys of a deployment, for one process. Not shared between threads."""

    def __init__(self, dsn: str, role: str = "mingzhang_reader") -> None:
        self._dsn = dsn
        self._options = f"{PINNED} -c role={role}"
        self._connection: psycopg.Connection[tuple[str, str, str]] | None = None
        self._known: dict[bytes, tuple[int, Author | None]] = {}

    def author(self, key: str) -> Author | None:
        """The person who holds `key`; None when it is not, or no longer, valid."""
        known = self.remembered(key)
        return self.look_up(key) if known is UNKNOWN else known

    def remembered(self, key: str) -> Author | Unknown | None:
        """The answer of the last half second, or UNKNOWN: then `look_up` must be asked."""
        found = self._known.get(hashlib.sha256(key.encode()).digest())
        if found is None or monotonic_ns() - found[0] > _TRUSTED_NS:
            return UNKNOWN
        return found[1]

    def look_up(self, key: str) -> Author | None:
        key_hash = hashlib.sha256(key.encode()).digest()
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self._dsn, options=self._options, autocommit=True)
        row = self._connection.execute(
            "SELECT o.role, k.organisation, k.person FROM ledger.api_key k"
            " JOIN ledger.organisation o ON o.code = k.organisation"
            " WHERE k.key_hash = %s AND k.revoked_at IS NULL",
            (key_hash,),
        ).fetchone()
        author = None if row is None else Author(Role(row[0]), row[1], row[2])
        if len(self._known) >= _MOST_REMEMBERED:
            self._known.clear()
        self._known[key_hash] = (monotonic_ns(), author)
        return author

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


def enrol(owner_dsn: str, organisations: list[Organisation]) -> None:
    """Enter organisations; those known already stay as they are."""
    with psycopg.connect(owner_dsn, options=PINNED) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO ledger.organisation VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            [(o.code, o.role, o.name) for o in organisations],
        )


def issue_key(owner_dsn: str, organisation: str, person: str) -> str:
    """Make a key for a person of an organisation; it is shown once and cannot be read again."""
    [key] = issue_keys(owner_dsn, [(organisation, person)])
    return key


def issue_keys(owner_dsn: str, people: Sequence[tuple[str, str]]) -> list[str]:
    """Make a key for each (organisation, person); they are shown once."""
    keys = [f"mz_{secrets.token_urlsafe(32)}" for _ in people]
    with psycopg.connect(owner_dsn, options=PINNED) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO ledger.api_key (key_hash, organisation, person) VALUES (%s, %s, %s)",
            [
                (hashlib.sha256(key.encode()).digest(), *person)
                for key, person in zip(keys, people, strict=True)
            ],
        )
    return keys


def revoke_keys(owner_dsn: str, organisation: str, person: str) -> int:
    """Revoke all keys of a person; returns how many."""
    with psycopg.connect(owner_dsn, options=PINNED) as connection:
        return connection.execute(
            "UPDATE ledger.api_key SET revoked_at = now()"
            " WHERE organisation = %s AND person = %s AND revoked_at IS NULL",
            (organisation, person),
        ).rowcount


def organisation_of(dsn: str, code: str, role: str) -> Organisation | None:
    with psycopg.connect(dsn, options=PINNED) as connection:
        row = connection.execute(
            "SELECT code, role, name FROM ledger.organisation WHERE code = %s AND role = %s",
            (code, role),
        ).fetchone()
    return None if row is None else Organisation(row[0], Role(row[1]), row[2])
