"""A new wrapping secret: the keys of today are wrapped anew, those of old backups open no more.

Three steps, each whole or absent: the new secret joins the old one in the key file; one
transaction wraps every household key under it; the old secret leaves the file. Interrupted
anywhere, the service works with both secrets, and rotating again finishes what was begun.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_IMODE
from typing import NamedTuple

from msgspec.structs import replace

from application.event_store.event_log import EventLog
from application.personal_data.encryption import Keys, Wrapper, wrapping_id

_TRANSACTION_SECONDS = 600


class Rotated(NamedTuple):
    """How many household keys are under the new secret now, and how many nothing could open."""

    rewrapped: int
    unreadable: int


def rotate_wrapping(owner_dsn: str, key_file: Path) -> Rotated:
    """Change the wrapping secret, for good. Two at once take turns. Raises KeysMissing."""
    with _alone(key_file):
        keys = begin(key_file)
        rotated, number = rewrap(owner_dsn, keys)
        finish(key_file, number)
    return rotated


def begin(key_file: Path) -> Keys:
    """Put a new wrapping secret beside the old one, unless one waits there already."""
    keys = Keys.load(key_file)
    if keys.wrapping_next is None:
        keys = replace(keys, wrapping_next=secrets.token_bytes(32))
        _replace(key_file, keys)
    return keys


def rewrap(owner_dsn: str, keys: Keys) -> tuple[Rotated, int]:
    """Wrap every household key under the new secret, in one transaction that writers wait for.

    Returns with it how many times the secret was changed by now.
    """
    assert keys.wrapping_next is not None
    new, wrapper = wrapping_id(keys.wrapping_next), Wrapper(keys)
    wrapper.turn_to(new)
    log = EventLog(owner_dsn, role="none", transaction_seconds=_TRANSACTION_SECONDS)
    try:
        log.begin_append()
        connection = log.connection
        connection.execute(
            "INSERT INTO ledger.wrapping (number, wrapping_id)"
            " SELECT coalesce(max(number), 0) + 1, %s FROM ledger.wrapping"
            " ON CONFLICT (wrapping_id) DO NOTHING",  # it is there when this was interrupted
            (new,),
        )
        old = connection.execute(
            "SELECT household_id, wrapped FROM ledger.household_key WHERE wrapping_id <> %s",
            (new,),
            binary=True,
        ).fetchall()
        anew = {
            household: wrapper.wrap(household, key)
            for household, wrapped in old
            if (key := wrapper.unwrap(household, wrapped)) is not None
        }
        row = connection.execute("SELECT max(number) FROM ledger.wrapping").fetchone()
        number = (row and row[0]) or 0
        log.keep_keys(anew)
        connection.execute(
            "DELETE FROM ledger.household_key WHERE wrapping_id <> %s AND household_id = ANY(%s)",
            (new, list(anew)),
        )
        log.commit()
    finally:
        log.close()
    rotated = Rotated(len(anew), len({household for household, _ in old} - anew.keys()))
    return rotated, number


def finish(key_file: Path, number: int) -> None:
    """Let the new secret take the old one's place: what only the old one opens is lost."""
    keys = Keys.load(key_file)
    if keys.wrapping_next is not None:
        changed = replace(
            keys, wrapping=keys.wrapping_next, wrapping_next=None, wrapping_number=number
        )
        _replace(key_file, changed)


def _replace(key_file: Path, keys: Keys) -> None:
    """Put another key file in the place of this one: at every instant one of the two is whole."""
    place = key_file.resolve()
    fresh = place.with_name(f"{place.name}.new")
    fresh.unlink(missing_ok=True)
    keys.save(fresh)
    found = place.stat()
    if found.st_uid != fresh.stat().st_uid:
        os.chown(fresh, found.st_uid, found.st_gid)
    fresh.chmod(S_IMODE(found.st_mode))
    fresh.replace(place)
    with _folder_of(place) as folder:
        os.fsync(folder)


@contextmanager
def _alone(key_file: Path) -> Iterator[None]:
    with _folder_of(key_file.resolve()) as folder:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield


@contextmanager
def _folder_of(place: Path) -> Iterator[int]:
    folder = os.open(place.parent, os.O_RDONLY)
    try:
        yield folder
    finally:
        os.close(folder)
