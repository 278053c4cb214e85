"""Unsafe ground is refused before the first event: settings, keys; and the log only grows."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from faults import support
from faults.support import Place

from application.event_store.event_log import EventLog, UnsafeDatabase, assure_safe
from application.personal_data.encryption import Keys, KeysMissing
from interface.deployment import deployed, embedded_db
from interface.deployment.embedded_db import EmbeddedPostgres
from interface.deployment.settings import Settings


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mz-unsafe-") as name:
        yield Path(name)


def start(dsn: str, data: Path) -> None:
    """Start as the service does; everything is closed again at once."""
    with deployed(Settings(dsn=dsn, data=data)):
        pass


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
def test_a_server_that_may_lose_what_it_stored_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.setitem(embedded_db.SETTINGS, setting, "off")
    postgres = EmbeddedPostgres(folder / "pg")
    try:
        dsn = postgres.start()
        with pytest.raises(UnsafeDatabase, match=setting):
            start(dsn, folder / setting)
    finally:
        postgres.stop()
    assert not (folder / setting / "keys.json").exists()


@pytest.mark.parametrize("value", ["off", "local", "remote_write"])
def test_a_database_that_answers_before_the_disk_is_refused(
    database: Place, tmp_path: Path, value: str
) -> None:
    name = psycopg.conninfo.conninfo_to_dict(database.dsn)["dbname"]
    support.done(database.owner_dsn, f"ALTER DATABASE {name} SET synchronous_commit = {value}")
    with pytest.raises(UnsafeDatabase, match="synchronous_commit"):
        start(database.dsn, tmp_path)


def test_a_writer_waits_for_the_disk_though_the_database_was_told_not_to_after_the_start(
    database: Place,
) -> None:
    """Each new connection of a running service must be as safe as the one that was looked at."""
    name = psycopg.conninfo.conninfo_to_dict(database.dsn)["dbname"]
    support.done(database.owner_dsn, f"ALTER DATABASE {name} SET synchronous_commit = off")
    log = EventLog(database.dsn)
    try:
        row = log.connection.execute("SHOW synchronous_commit").fetchone()
    finally:
        log.close()
    assert row == ("on",)


@pytest.mark.parametrize("word", ["y", "Y", "yes", "true", "1", "on", "t"])
def test_the_librarys_database_functions_are_refused(
    shared_database: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    monkeypatch.setenv("POSTGRES_ENABLE_DB_FUNCTIONS", word)
    with pytest.raises(UnsafeDatabase, match="POSTGRES_ENABLE_DB_FUNCTIONS"):
        start(shared_database.dsn, tmp_path)


def test_a_safe_server_is_taken_and_an_empty_log_gets_its_keys(
    database: Place, tmp_path: Path
) -> None:
    with psycopg.connect(database.dsn) as connection:
        assure_safe(connection, os.environ)
    start(database.dsn, tmp_path)
    kept = Keys.load(tmp_path / "keys.json")
    start(database.dsn, tmp_path)
    assert Keys.load(tmp_path / "keys.json") == kept
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600


def test_a_log_with_events_is_refused_without_its_keys(database: Place, tmp_path: Path) -> None:
    support.lend(database, support.bank(), ["L"])
    with pytest.raises(KeysMissing):
        start(database.dsn, tmp_path)
    assert not (tmp_path / "keys.json").exists(), "new keys would hide that the old ones are gone"


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"wrapping": 5}', '"text"', "\udcff"])
def test_a_key_file_that_is_none_is_refused(
    shared_database: Place, tmp_path: Path, text: str
) -> None:
    (tmp_path / "keys.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(KeysMissing):
        start(shared_database.dsn, tmp_path)


def test_the_keys_of_another_deployment_are_refused(database: Place, tmp_path: Path) -> None:
    support.lend(database, support.bank(), ["L"])
    Keys.generate().save(tmp_path / "keys.json")
    with pytest.raises(KeysMissing):
        start(database.dsn, tmp_path)


# ---- the log only grows ---------------------------------------------------------------

CHANGES = (
    "UPDATE ledger.event SET state = '{}' WHERE position = 1",
    "DELETE FROM ledger.event WHERE position = 1",
    "TRUNCATE ledger.event",
)
FOR_OWNERS = (
    "DROP TABLE ledger.event",
    "DROP SCHEMA ledger CASCADE",
    "ALTER TABLE ledger.event DISABLE TRIGGER append_only",
    "ALTER TABLE ledger.event DISABLE TRIGGER ALL",
    "ALTER TABLE ledger.event ADD COLUMN more text",
    "DROP TRIGGER append_only ON ledger.event",
    "DROP INDEX ledger.event_reference",
    "CREATE TABLE ledger.other (a int)",
    "CREATE OR REPLACE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql"
    " AS $$ BEGIN RETURN NULL; END $$",
    "SET session_replication_role = replica",
    "DELETE FROM ledger.household_key",
    "UPDATE ledger.household_key SET wrapped = ''",
    "INSERT INTO ledger.organisation VALUES ('X', 'bank', 'X')",
    "UPDATE ledger.api_key SET revoked_at = NULL",
)


def refused(dsn: str, order: str, *before: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        for words in before:
            connection.execute(words.encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(order.encode())


@pytest.fixture(scope="module")
def filled(shared_database: Place) -> Place:
    support.lend(shared_database, support.bank(), ["L"])
    return shared_database


@pytest.mark.parametrize("role", ["mingzhang_writer", "mingzhang_projector", "mingzhang_reader"])
@pytest.mark.parametrize("order", CHANGES + FOR_OWNERS)
def test_no_role_of_the_service_can_change_or_unmake_the_log(
    filled: Place, role: str, order: str
) -> None:
    refused(filled.dsn, order, f"SET ROLE {role}")


@pytest.mark.parametrize("mode", ["origin", "replica"])
@pytest.mark.parametrize("order", CHANGES)
def test_even_the_owner_is_refused_by_the_trigger(filled: Place, order: str, mode: str) -> None:
    refused(filled.owner_dsn, order, f"SET session_replication_role = {mode}")
    assert support.asked(filled.dsn, "SELECT min(position) FROM ledger.event") == [(1,)]


def test_only_the_writer_can_append(filled: Place) -> None:
    row = (
        "INSERT INTO ledger.event SELECT position + 1000, recorded_at, gen_random_uuid(), 1, topic,"
        " organisation, ref || 'x', part, told, state, mac FROM ledger.event WHERE position = 1"
    )
    for role in ("mingzhang_projector", "mingzhang_reader"):
        refused(filled.dsn, row, f"SET ROLE {role}")
