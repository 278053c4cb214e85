"""Who signs in to the console: persons of organisations, their sessions, every attempt.

A person is who an API key's holder is, so the log names one author whichever way he came. His
password is kept as argon2id, the secret of his one-time codes encrypted under a key that is not in
the database, and of a session's token its SHA-256 alone.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from time import monotonic_ns
from typing import Any, Final, NamedTuple

import psycopg
import pyotp
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg_pool import ConnectionPool
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from application.access import Organisation
from application.event_store.clock import TOLERANCE
from application.event_store.event_log import Clock
from application.event_store.migrations import PINNED
from application.personal_data.encryption import Keys
from domain.kernel import Author
from domain.roles import Role

SHORTEST_PASSWORD: Final = 12
IDLE: Final = timedelta(minutes=30)
LONGEST: Final = timedelta(hours=10)
_NOTED: Final = timedelta(minutes=1)
"""How old a session's last sight may grow before it is written again."""
_STEP_SECONDS: Final = 30
_FREE_ATTEMPTS: Final = 5
"""Attempts in a row after which each further one waits."""
_FREE_AT_ADDRESS: Final = 30
_FIRST_WAIT: Final = timedelta(seconds=15)
_LONGEST_WAIT: Final = timedelta(minutes=15)
_NONCE_BYTES: Final = 12
_HASH_OF_NOBODY: Final = "nobody signs in with this"

_ATTEMPTS = """
SELECT count(*), max(s.at) FROM console.sign_in s
 WHERE s.{which} AND s.at > %(since)s AND s.outcome = 'tried'
   AND s.number > coalesce((SELECT max(d.number) FROM console.sign_in d
                             WHERE d.{admitted} AND d.outcome = 'admitted'), 0)
"""
_PERSON = """
SELECT p.organisation, o.name, o.role, p.person, p.name, p.demo
  FROM console.person p JOIN ledger.organisation o ON o.code = p.organisation
"""
_NAMES_KEPT_NS: Final = 30_000_000_000
"""How old the names of the organisations may be."""


class Person(NamedTuple):
    """Somebody who may sign in, and the organisation for which he acts."""

    organisation: str
    organisation_name: str
    role: Role
    person: str
    name: str
    demo: bool

    @property
    def author(self) -> Author:
        return Author(self.role, self.organisation, self.person)


def _person(row: Sequence[Any]) -> Person:
    return Person(row[0], row[1], Role(row[2]), *row[3:])


class Session(NamedTuple):
    """A signed-in browser."""

    token_hash: bytes
    whose: Person
    begun_at: datetime


class NotAdmitted(Exception):
    """Name, password or code is wrong; which one is not said."""


class TooManyAttempts(Exception):
    """Wrong too often: wait."""

    def __init__(self, wait: timedelta) -> None:
        self.seconds = max(1, round(wait / timedelta(seconds=1)))
        super().__init__(f"wait {self.seconds} s")


class PasswordTooShort(ValueError):
    """A password has at least SHORTEST_PASSWORD characters."""


class PersonUnknown(LookupError):
    """No such person is enrolled."""


_HASHER: Final = Argon2Hasher(time_cost=3, memory_cost=65_536, parallelism=4)
"""argon2id with 64 MiB: the second choice of RFC 9106, section 4."""


def _passwords() -> PasswordHash:
    return PasswordHash((_HASHER,))


@cache
def _hash_of_nobody() -> str:
    """What the password of an unknown name is compared with: it takes as long."""
    return _passwords().hash(_HASH_OF_NOBODY)


def _cipher(keys: Keys) -> AESGCM:
    return AESGCM(hmac.digest(keys.content, b"secrets of one-time codes", "sha256"))


def _bound_to(organisation: str, person: str) -> bytes:
    return f"{organisation}\0{person}".encode()


# ---- the owner's: who may sign in -------------------------------------------------------


def enrol(
    owner_dsn: str, keys: Keys, organisation: str, person: str, name: str, password: str
) -> str:
    """Enter a person, or give him a new password and secret; his sessions end.

    Returns the secret of his one-time codes, which is shown once. Raises PasswordTooShort;
    PersonUnknown where the organisation is not enrolled.
    """
    if len(password) < SHORTEST_PASSWORD:
        raise PasswordTooShort(f"{len(password)} < {SHORTEST_PASSWORD}")
    secret, nonce = pyotp.random_base32(), os.urandom(_NONCE_BYTES)
    encrypted = _cipher(keys).encrypt(nonce, secret.encode(), _bound_to(organisation, person))
    try:
        with psycopg.connect(owner_dsn, options=PINNED) as connection:
            connection.execute(
                "INSERT INTO console.person (organisation, person, name, password, code_secret)"
                " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (organisation, person) DO UPDATE"
                " SET name = excluded.name, password = excluded.password, demo = false,"
                " code_secret = excluded.code_secret, last_step = 0, disabled_at = NULL",
                (organisation, person, name, _passwords().hash(password), nonce + encrypted),
            )
            _end_all(connection, organisation, person)
    except psycopg.errors.ForeignKeyViolation:
        raise PersonUnknown(organisation) from None
    return secret


def address_of_secret(organisation: str, person: str, secret: str) -> str:
    """The otpauth address that an authenticator takes in."""
    return pyotp.TOTP(secret).provisioning_uri(
        name=f"{organisation}/{person}", issuer_name="mingzhang"
    )


def enrol_for_demo(owner_dsn: str, people: list[tuple[str, str, str]]) -> None:
    """Enter persons (organisation, person, name) of made-up data, who sign in with one click."""
    with psycopg.connect(owner_dsn, options=PINNED) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO console.person (organisation, person, name, demo)"
            " VALUES (%s, %s, %s, true) ON CONFLICT DO NOTHING",
            people,
        )


def disable(owner_dsn: str, organisation: str, person: str) -> int:
    """Let a person sign in no more; returns how many sessions ended. Raises PersonUnknown."""
    with psycopg.connect(owner_dsn, options=PINNED) as connection:
        found = connection.execute(
            "UPDATE console.person SET disabled_at = now() WHERE organisation = %s AND person = %s",
            (organisation, person),
        ).rowcount
        if not found:
            raise PersonUnknown(f"{organisation} {person}")
        return _end_all(connection, organisation, person)


def _end_all(connection: psycopg.Connection[Any], organisation: str, person: str) -> int:
    return connection.execute(
        "UPDATE console.session SET ended_at = now()"
        " WHERE organisation = %s AND person = %s AND ended_at IS NULL",
        (organisation, person),
    ).rowcount


# ---- the service's: signing in ----------------------------------------------------------


class People:
    """Signing in and sessions, for any number of threads; connects when it is first asked."""

    def __init__(self, dsn: str, keys: Keys, clock: Clock) -> None:
        self._cipher = _cipher(keys)
        self._session_key = hmac.digest(keys.content, b"sessions", "sha256")
        self._clock = clock
        self._organisations: tuple[int, list[Organisation]] = 0, []
        self._pool: ConnectionPool[psycopg.Connection[Any]] = ConnectionPool(
            dsn,
            min_size=0,
            max_size=4,
            kwargs={"options": f"{PINNED} -c role=mingzhang_console -c timezone=UTC"},
            open=False,
        )

    def open(self) -> None:
        self._pool.open()

    def close(self) -> None:
        self._pool.close()

    def sign_in(
        self, organisation: str, person: str, password: str, code: str, address: str, browser: bytes
    ) -> str:
        """The token of a new session. Raises NotAdmitted, TooManyAttempts."""
        self._enter_attempt(organisation, person, address)
        with self._pool.connection() as connection:
            found = connection.execute(
                "SELECT password, code_secret FROM console.person WHERE organisation = %s"
                " AND person = %s AND NOT demo AND disabled_at IS NULL",
                (organisation, person),
            ).fetchone()
        hashed, encrypted = found or (_hash_of_nobody(), None)
        if not _passwords().verify(password, hashed) or encrypted is None:
            raise NotAdmitted
        try:
            secret = self._cipher.decrypt(
                encrypted[:_NONCE_BYTES], encrypted[_NONCE_BYTES:], _bound_to(organisation, person)
            )
        except InvalidTag as error:  # no holder of the key file wrote it
            raise NotAdmitted from error
        step = self._step_of(code, secret.decode())
        return self._begin(organisation, person, address, browser, step)

    def sign_in_to_demo(self, organisation: str, person: str, address: str, browser: bytes) -> str:
        """The token of a new session of a person of made-up data. Raises NotAdmitted."""
        if not any((p.organisation, p.person) == (organisation, person) for p in self.of_demo()):
            raise NotAdmitted
        return self._begin(organisation, person, address, browser, None)

    def of_demo(self) -> list[Person]:
        """Who signs in with one click, by organisation."""
        return self._people(" WHERE p.demo AND p.disabled_at IS NULL ORDER BY 1, 4", ())

    def organisations(self) -> list[Organisation]:
        """All that are enrolled, by code; as they were at most half a minute ago."""
        kept_until, kept = self._organisations
        if monotonic_ns() < kept_until:
            return kept
        with self._pool.connection() as connection:
            rows = connection.execute(
                "SELECT code, role, name FROM ledger.organisation ORDER BY code"
            ).fetchall()
        found = [Organisation(code, Role(role), name) for code, role, name in rows]
        self._organisations = monotonic_ns() + _NAMES_KEPT_NS, found
        return found

    def session(self, token: str, browser: bytes) -> Session | None:
        """The session of a token; None when it ended, or is shown by another browser.

        Shown by another browser, too old, or of days to come, it ends; so does one whose row was
        not written by a service that holds the key file.
        """
        hashed, now = _hash(token), self._clock()
        with self._pool.connection() as connection:
            row = connection.execute(
                "SELECT s.browser_hash, s.begun_at, s.seen_at,"
                "       p.organisation, o.name, o.role, p.person, p.name, p.demo"
                "  FROM console.session s JOIN console.person p USING (organisation, person)"
                "  JOIN ledger.organisation o ON o.code = p.organisation"
                " WHERE s.token_hash = %s AND s.ended_at IS NULL AND p.disabled_at IS NULL",
                (hashed,),
            ).fetchone()
            if row is None:
                return None
            bound, begun_at, seen_at, *found = row
            whose = _person(found)
            binding = self._binding(token, whose.organisation, whose.person, browser)
            stolen = not hmac.compare_digest(bound, binding)
            if stolen or _is_over(now, seen_at, IDLE) or _is_over(now, begun_at, LONGEST):
                self._set(connection, "ended_at", now, hashed)
                return None
            if now - seen_at > _NOTED:
                self._set(connection, "seen_at", now, hashed)
        return Session(hashed, whose, begun_at)

    def _binding(self, token: str, organisation: str, person: str, browser: bytes) -> bytes:
        """What binds a token to a person and a browser; who owns the database alone makes none."""
        said = _hash(token) + browser + _bound_to(organisation, person)
        return hmac.digest(self._session_key, said, "sha256")

    def end(self, session: Session) -> None:
        """Sign out."""
        with self._pool.connection() as connection:
            self._set(connection, "ended_at", self._clock(), session.token_hash)

    def open_sessions(self, session: Session) -> list[tuple[datetime, datetime, bool]]:
        """Where the person is signed in: since when, last seen when, whether it is this session."""
        with self._pool.connection() as connection:
            rows = connection.execute(
                "SELECT begun_at, seen_at, token_hash = %s FROM console.session"
                " WHERE organisation = %s AND person = %s AND ended_at IS NULL AND begun_at > %s"
                " ORDER BY begun_at DESC",
                (
                    session.token_hash, session.whose.organisation, session.whose.person,
                    self._clock() - LONGEST,
                ),
            )  # fmt: skip
            return [(begun_at, seen_at, own) for begun_at, seen_at, own in rows]

    def end_all(self, whose: Person) -> int:
        """End every session of a person, wherever he is signed in; returns how many."""
        with self._pool.connection() as connection:
            return _end_all(connection, whose.organisation, whose.person)

    def _set(
        self, connection: psycopg.Connection[Any], column: str, at: datetime, token_hash: bytes
    ) -> None:
        connection.execute(
            f"UPDATE console.session SET {column} = %s WHERE token_hash = %s".encode(),
            (at, token_hash),
        )

    def _people(self, which: str, values: tuple[str, ...]) -> list[Person]:
        with self._pool.connection() as connection:
            rows = connection.execute((_PERSON + which).encode(), values).fetchall()
        return [_person(row) for row in rows]

    def _enter_attempt(self, organisation: str, person: str, address: str) -> None:
        """Raises TooManyAttempts; a refused attempt is not entered, so that no wait is for good."""
        now = self._clock()
        names = {"organisation": organisation, "person": person, "address": address}
        with self._pool.connection() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(7291010)")
            for which, free in (
                ("organisation = %(organisation)s AND {}.person = %(person)s", _FREE_ATTEMPTS),
                ("address = %(address)s", _FREE_AT_ADDRESS),
            ):
                asked = _ATTEMPTS.format(which=which.format("s"), admitted=which.format("d"))
                row = connection.execute(
                    asked.encode(), {**names, "since": now - timedelta(days=1)}
                ).fetchone()
                count, last = row or (0, None)
                if count >= free and last is not None:
                    wait = min(_FIRST_WAIT * 2 ** min(count - free, 16), _LONGEST_WAIT)
                    if now - last < wait:
                        raise TooManyAttempts(wait - (now - last))
            self._enter(connection, names, now, "tried")

    def _enter(
        self, connection: psycopg.Connection[Any], names: dict[str, str], at: datetime, outcome: str
    ) -> None:
        connection.execute(
            "INSERT INTO console.sign_in (at, organisation, person, address, outcome)"
            " VALUES (%(at)s, %(organisation)s, %(person)s, %(address)s, %(outcome)s)",
            {**names, "at": at, "outcome": outcome},
        )

    def _step_of(self, code: str, secret: str) -> int:
        """The time step of a code: this one, or one before or after. Raises NotAdmitted."""
        present = int(self._clock().timestamp()) // _STEP_SECONDS
        codes = pyotp.TOTP(secret)
        for step in (present, present - 1, present + 1):
            if hmac.compare_digest(codes.at(step * _STEP_SECONDS).encode(), code.encode()):
                return step
        raise NotAdmitted

    def _begin(
        self, organisation: str, person: str, address: str, browser: bytes, step: int | None
    ) -> str:
        token, now = secrets.token_urlsafe(32), self._clock()
        with self._pool.connection() as connection:
            if step is not None:
                fresh = connection.execute(
                    "UPDATE console.person SET last_step = %s"
                    " WHERE organisation = %s AND person = %s AND last_step < %s",
                    (step, organisation, person, step),
                ).rowcount
                if not fresh:  # the code was used already
                    raise NotAdmitted
            names = {"organisation": organisation, "person": person, "address": address}
            self._enter(connection, names, now, "admitted")
            connection.execute(
                "INSERT INTO console.session"
                " (token_hash, organisation, person, browser_hash, begun_at, seen_at)"
                " VALUES (%s, %s, %s, %s, %s, %s)",
                (
                    _hash(token), organisation, person,
                    self._binding(token, organisation, person, browser), now, now,
                ),
            )  # fmt: skip
        return token


def _is_over(now: datetime, since: datetime, longest: timedelta) -> bool:
    """Whether a time has passed; one that begins in days to come was never given."""
    return not -TOLERANCE <= now - since <= longest


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()
