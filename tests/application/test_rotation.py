"""The wrapping secret changes: no name is lost on the way, and old backups open no more."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from random import Random
from stat import S_IMODE
from typing import Any, NamedTuple

import psycopg
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from support import controls
from support.backup import pg_tool
from support.chance import SEED, wait_until
from support.controls import BANK, BUREAU, ID_NO
from support.county import conversation, told

from application.event_store.migrations import migrate
from application.ledger import Ledger
from application.personal_data import key_rotation
from application.personal_data.encryption import (
    Keys,
    KeysMissing,
    Vault,
    Wrapper,
    refresh_everywhere,
    wrapping_id,
)
from application.personal_data.key_rotation import rotate_wrapping
from domain.household import Household
from interface.http.masked_names import laid_open

H1, H2 = Household.id_for("H1"), Household.id_for("H2")
ROOT = Path(__file__).parents[2]


class Place(NamedTuple):
    """A database with two households, and its key file."""

    dsn: str
    owner_dsn: str
    keys: Keys
    key_file: Path


@pytest.fixture
def place(database: Any, tmp_path: Path) -> Place:
    key_file = tmp_path / "keys" / "keys.json"
    database.keys.save(key_file)
    with conversation(database) as ledger:
        told(
            ledger,
            (controls.household(), BUREAU),
            (controls.loan(), BANK),
            (controls.repay(principal_fen=5_000_000), BANK),
            (controls.household(ref="HH-2", household_no="H2"), BUREAU),
        )
    return Place(database.dsn, database.owner_dsn, database.keys, key_file)


def wrapped(dsn: str) -> dict[Any, bytes]:
    with psycopg.connect(dsn) as connection:
        rows = connection.execute("SELECT household_id, wrapped FROM ledger.household_key")
        return {household: bytes(key) for household, key in rows}


def opened(dsn: str, keys: Keys) -> list[bool]:
    """For each household key whether these secrets open it."""
    wrapper = Wrapper(keys)
    return [wrapper.unwrap(home, key) is not None for home, key in wrapped(dsn).items()]


def shown(place: Any, key_file: Path, household_no: str) -> Any:
    """What a fresh reader with this key file sees of a household's people."""
    with psycopg.connect(place.dsn, options="-c role=mingzhang_reader") as connection:
        return laid_open(connection, Vault(Keys.load(key_file), key_file), household_no)["members"]


def test_every_key_is_wrapped_anew_and_the_old_secret_is_gone(place: Place) -> None:
    before, old = wrapped(place.dsn), Keys.load(place.key_file)

    assert rotate_wrapping(place.owner_dsn, place.key_file) == (2, 0)

    after, new = wrapped(place.dsn), Keys.load(place.key_file)
    assert before.keys() == after.keys()
    assert not set(before.values()) & set(after.values())
    assert old.wrapping not in (new.wrapping, new.wrapping_next)
    assert new.wrapping_next is None
    assert (old.pseudonym, old.content, old.authenticity) == (
        new.pseudonym,
        new.content,
        new.authenticity,
    )
    assert all(opened(place.dsn, new)) and not any(opened(place.dsn, old))
    assert {key[:8] for key in after.values()} == {wrapping_id(new.wrapping)}
    assert S_IMODE(place.key_file.stat().st_mode) == 0o600
    assert [path.name for path in place.key_file.parent.iterdir()] == ["keys.json"]
    assert shown(place, place.key_file, "H1")[0]["id_no"] == ID_NO


def test_a_running_service_drops_the_old_secret(place: Place) -> None:
    before, running = wrapped(place.dsn), Vault(place.keys, place.key_file)
    rotate_wrapping(place.owner_dsn, place.key_file)

    refresh_everywhere()

    assert running.unlock(_Shelf(before), {H1}) == set()
    assert not running.has_key(H1), "the old wrapped key opens no more"
    running.unlock(_Shelf(wrapped(place.dsn)), {H1})
    assert running.has_key(H1)


class _Shelf:
    def __init__(self, keys: dict[Any, bytes]) -> None:
        self._keys = keys

    def wrapped_keys(self, households: list[Any]) -> dict[Any, bytes]:
        return {household: self._keys[household] for household in households}


@pytest.mark.parametrize("steps", [1, 2])
def test_after_each_step_names_are_read_and_written_and_the_next_rotation_finishes(
    place: Place, steps: int
) -> None:
    keys = key_rotation.begin(place.key_file)
    if steps == 2:
        key_rotation.rewrap(place.owner_dsn, keys)

    assert shown(place, place.key_file, "H1")[0]["id_no"] == ID_NO
    started = Keys.load(place.key_file)
    with conversation(place._replace(keys=started), key_file=place.key_file) as ledger:
        told(ledger, (controls.household(ref="HH-3", household_no="H3"), BUREAU))
    done = rotate_wrapping(place.owner_dsn, place.key_file)

    assert done.unreadable == 0
    assert Keys.load(place.key_file).wrapping == keys.wrapping_next, "no third secret is made"
    assert all(opened(place.dsn, Keys.load(place.key_file)))
    assert len(wrapped(place.dsn)) == 3
    for household_no in ("H1", "H2", "H3"):
        assert shown(place, place.key_file, household_no)[0]["id_no"] == ID_NO


def test_killed_at_any_moment_a_rotation_loses_no_name(place: Place) -> None:
    rng = Random(SEED)
    endless = (
        "import sys; from pathlib import Path\n"
        "from application.personal_data.key_rotation import rotate_wrapping\n"
        "print('ready', flush=True)\n"
        "while True: rotate_wrapping(sys.argv[1], Path(sys.argv[2]))"
    )
    secrets = set()
    for round_ in range(10):
        words = [sys.executable, "-c", endless, place.owner_dsn, str(place.key_file)]
        with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            if round_ % 2:
                before = Keys.load(place.key_file).wrapping
                wait_until(
                    lambda before=before: Keys.load(place.key_file).wrapping != before,  # type: ignore[misc]
                    "a rotation is done",
                )
            time.sleep(rng.uniform(0, 0.05 * (round_ + 1)))
            process.send_signal(signal.SIGKILL)
        keys = Keys.load(place.key_file)
        secrets.add(keys.wrapping)
        assert all(opened(place.dsn, keys)), f"round {round_}, seed {SEED}"
        assert len(wrapped(place.dsn)) == 2
    assert len(secrets) > 4, "it was killed in the middle of its work, not before it"
    rotate_wrapping(place.owner_dsn, place.key_file)
    assert all(opened(place.dsn, Keys.load(place.key_file)))
    assert [path.name for path in place.key_file.parent.iterdir()] == ["keys.json"]


def test_a_running_writer_and_reader_notice_the_new_key_file(place: Place) -> None:
    with conversation(place, key_file=place.key_file) as ledger:
        told(ledger, (controls.repay(ref="RP-2", principal_fen=0), BANK))
        reader = Vault(place.keys, place.key_file)

        rotate_wrapping(place.owner_dsn, place.key_file)

        with psycopg.connect(place.dsn) as connection:
            assert laid_open(connection, reader, "H2")["members"][0]["id_no"] == ID_NO
        told(
            ledger,
            (controls.household(ref="HH-3", household_no="H3"), BUREAU),
            (controls.members(household_no="H2", ref="MB-2"), BUREAU),
            (controls.repay(ref="RP-3", principal_fen=0), BANK),
        )
    assert all(opened(place.dsn, Keys.load(place.key_file)))
    assert len(shown(place, place.key_file, "H3")) == 1
    assert len(shown(place, place.key_file, "H2")) == 2


def test_no_key_is_made_under_a_secret_that_is_gone(place: Place) -> None:
    """A writer that cannot read the key file again stores nothing rather than lose a name."""
    with conversation(place) as ledger:
        rotate_wrapping(place.owner_dsn, place.key_file)
        last = ledger.log.last_position()

        for command in (
            controls.household(ref="HH-3", household_no="H3"),
            controls.members(household_no="H2", ref="MB-2"),
        ):
            with pytest.raises(KeysMissing):
                ledger.submit(command, BUREAU)
        with pytest.raises(psycopg.errors.SerializationFailure):
            ledger.log.connection.execute(
                "INSERT INTO ledger.household_key VALUES (gen_random_uuid(), %s)", (bytes(68),)
            )
        assert ledger.log.last_position() == last


def test_households_registered_while_secrets_change_are_all_kept(place: Place) -> None:
    def register(part: int) -> None:
        with conversation(place, key_file=place.key_file) as ledger:
            for number in range(25):
                no = f"P{part}-{number}"
                told(ledger, (controls.household(ref=no, household_no=no), BUREAU))

    with ThreadPoolExecutor(3) as threads:
        parts = [threads.submit(register, part) for part in range(3)]
        rotations = 0
        while not all(part.done() for part in parts):
            rotate_wrapping(place.owner_dsn, place.key_file)
            rotations += 1
        for part in parts:
            part.result()
    assert rotations > 1
    assert len(wrapped(place.dsn)) == 2 + 75
    rotate_wrapping(place.owner_dsn, place.key_file)
    assert all(opened(place.dsn, Keys.load(place.key_file)))
    assert shown(place, place.key_file, "P2-24")[0]["id_no"] == ID_NO


def test_a_database_of_the_first_schema_keeps_its_keys(empty: Any, tmp_path: Path) -> None:
    migrations = resources.files("application.event_store.migrations")
    text = migrations.joinpath("0001_log.sql").read_text("utf-8")
    keys, nonce, key = Keys.generate(), b"n" * 12, AESGCM.generate_key(256)
    keys.save(tmp_path / "keys.json")
    old = nonce + AESGCM(keys.wrapping).encrypt(nonce, key, H1.bytes)
    with psycopg.connect(empty.owner_dsn) as owner:
        owner.execute(text.encode())
        owner.execute("INSERT INTO ledger.household_key VALUES (%s, %s)", (H1, old))
        owner.execute(
            "CREATE TABLE public.mingzhang_migration (name text PRIMARY KEY,"
            " checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        owner.execute(
            "INSERT INTO public.mingzhang_migration VALUES ('0001_log.sql', %s)",
            (hashlib.sha256(text.encode()).hexdigest(),),
        )

    applied = migrate(empty.owner_dsn)

    assert "0004_erasure.sql" in applied
    assert wrapped(empty.dsn) == {H1: old}
    assert opened(empty.dsn, keys) == [True]
    assert rotate_wrapping(empty.owner_dsn, tmp_path / "keys.json") == (1, 0)
    assert opened(empty.dsn, Keys.load(tmp_path / "keys.json")) == [True]


def test_a_key_file_that_is_not_there_or_not_whole_stops_a_rotation_before_it_begins(
    place: Place, tmp_path: Path
) -> None:
    with pytest.raises(KeysMissing):
        rotate_wrapping(place.owner_dsn, tmp_path / "none.json")
    broken = json.loads(place.key_file.read_text())
    broken["wrapping_next"] = "AA=="
    place.key_file.write_text(json.dumps(broken))
    with pytest.raises(KeysMissing):
        rotate_wrapping(place.owner_dsn, place.key_file)
    assert all(opened(place.dsn, place.keys))


# ---- backups --------------------------------------------------------------------------


@pytest.fixture
def empty(server: str, database: Any) -> Iterator[Any]:
    """An empty database to restore into."""
    name = database.dsn.rpartition("dbname=")[2] + "_restored"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        yield database._replace(dsn=f"{server} dbname={name}", owner_dsn=f"{server} dbname={name}")
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def test_a_backup_from_before_an_erasure_and_a_rotation_yields_no_name(
    place: Place, empty: Any, tmp_path: Path
) -> None:
    old_keys, old_dump, new_dump = (tmp_path / name for name in ("old.json", "old", "new"))
    shutil.copy(place.key_file, old_keys)
    pg_tool("pg_dump", place.owner_dsn, "--format=custom", f"--file={old_dump}")

    with conversation(place, key_file=place.key_file) as ledger:
        told(ledger, (controls.erasure(), BUREAU))
    rotate_wrapping(place.owner_dsn, place.key_file)
    pg_tool("pg_dump", place.owner_dsn, "--format=custom", f"--file={new_dump}")
    pg_tool("pg_restore", empty.owner_dsn, str(old_dump))

    assert set(wrapped(empty.dsn)) == {H1, H2}, "the backup holds the wrapped keys"
    assert shown(empty, old_keys, "H1")[0]["id_no"] == ID_NO, "and with the old secret the names"
    assert shown(empty, place.key_file, "H1") == []
    assert shown(empty, place.key_file, "H2") == []
    assert not any(opened(empty.dsn, Keys.load(place.key_file)))

    # Who was not erased comes back with the key tables of a backup taken after the rotation.
    tables = ("--data-only", "--schema=ledger", "--table=wrapping", "--table=household_key")
    pg_tool("pg_restore", empty.owner_dsn, *tables, str(new_dump))
    assert shown(empty, place.key_file, "H2")[0]["id_no"] == ID_NO
    assert shown(empty, place.key_file, "H1") == []
    assert rotate_wrapping(empty.owner_dsn, place.key_file) == (1, 1)
    assert shown(empty, place.key_file, "H2")[0]["id_no"] == ID_NO


def test_a_backup_taken_after_an_erasure_keeps_the_household_erased(
    place: Place, empty: Any, tmp_path: Path
) -> None:
    with conversation(place, key_file=place.key_file) as ledger:
        told(ledger, (controls.erasure(), BUREAU))
    rotate_wrapping(place.owner_dsn, place.key_file)
    pg_tool("pg_dump", place.owner_dsn, "--format=custom", f"--file={tmp_path / 'dump'}")

    pg_tool("pg_restore", empty.owner_dsn, str(tmp_path / "dump"))

    assert shown(empty, place.key_file, "H1") == []
    assert shown(empty, place.key_file, "H2")[0]["id_no"] == ID_NO
    restored = Ledger(empty.dsn, Keys.load(place.key_file), key_file=place.key_file)
    assert restored.household("H1").erased
    told(restored, (controls.repay(ref="RP-9", principal_fen=0), BANK))
    restored.close()
    with psycopg.connect(empty.owner_dsn, autocommit=True) as owner:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            owner.execute("UPDATE ledger.household_key SET wrapped = 'x'")
