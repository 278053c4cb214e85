"""The tamper matrix on the command itself: whatever is altered is named, and the check goes on.

`verify` must end with 1, name each position and print its last line, whatever was done; it never
ends in a traceback, and it never stops at the first fault.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from faults.support import in_database
from faults.test_tamper import alter, forged, restore
from psycopg.conninfo import conninfo_to_dict
from support.county import conversation, drawn
from support.everything import submit_everything
from typer.testing import CliRunner

from application.event_store.guards import APPEND_ONLY
from application.personal_data.encryption import Keys, Vault
from application.transparency_log.sequencer import LogAltered, Sequencer
from application.transparency_log.signer import FileSigner, SigningKeyOther, SigningRefused
from interface.cli.app import app
from interface.deployment import deployed
from interface.deployment.settings import Settings

ORIGIN = "mingzhang.local/ledger/sha-256"


class Place(NamedTuple):
    """A sealed log of a deployment, its files beside it."""

    owner_dsn: str
    dsn: str
    folder: Path
    last: int

    @property
    def environment(self) -> dict[str, str]:
        return {"MINGZHANG_DSN": self.dsn, "MINGZHANG_DATA": str(self.folder), "COLUMNS": "60"}

    def verify(self, *words: str) -> tuple[int, str]:
        """The exit code of `mingzhang verify`, and what it prints."""
        outcome = CliRunner().invoke(app, ["verify", *words], env=self.environment)
        assert outcome.exception is None or isinstance(outcome.exception, SystemExit), outcome
        return outcome.exit_code, outcome.output


@pytest.fixture(scope="module")
def place(shared_database: Any, tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("deployment")
    with conversation(shared_database) as ledger:
        submit_everything(ledger, 2)
        last = ledger.log.last_position()
    shared_database.keys.save(folder / "keys.json")
    with deployed(Settings(dsn=shared_database.dsn, data=folder)) as deployment:
        sequencer = deployment.sequencer()
        sequencer.sequence(most=last // 2)
        sequencer.catch_up()
        sequencer.close()
    with drawn(shared_database):
        pass
    with psycopg.connect(shared_database.owner_dsn) as connection:
        connection.execute("CREATE SCHEMA original")
        for table in APPEND_ONLY:
            connection.execute(f"CREATE TABLE original.{table} AS TABLE ledger.{table}")
    return Place(shared_database.owner_dsn, shared_database.dsn, folder, last)


@pytest.fixture
def owner(place: Place) -> Iterator[psycopg.Connection[Any]]:
    """The owner's connection; afterwards the tables are as they were."""
    with psycopg.connect(place.owner_dsn, autocommit=True) as connection:
        yield connection
        restore(connection)


def found(place: Place, *words: str) -> list[str]:
    """The faults that the command lists, a line each; it must end in order."""
    code, output = place.verify(*words)
    lines = output.splitlines()
    assert code == 1, output
    assert "Traceback" not in output
    [end] = [line for line in lines if line.startswith("事件 events")]
    faults = [line for line in lines if line.startswith("✗ ")]
    assert end.endswith(f"faults {len(faults)}"), output
    return faults


def test_a_log_that_was_left_alone_is_found_right(place: Place) -> None:
    code, output = place.verify()
    assert (code, f"events {place.last} " in output, "faults 0" in output) == (0, True, True)


NO_JSON = "convert_to('{\"effective_on\": ', 'UTF8')"
ALTERED = {
    "an amount": ("state = convert_to(replace(convert_from(state, 'UTF8'), '\"person\":\"',"
                  " '\"person\":\"x'), 'UTF8')", "not what the service wrote"),
    "no longer JSON": (f"state = {NO_JSON}", "not JSON"),
    "no longer UTF-8": ("state = '\\xfffe00c3'::bytea", "not UTF-8"),
    "empty": ("state = ''::bytea", "not JSON"),
    "JSON of another shape": ("state = '[]'::bytea", "not of its kind"),
    "an unknown topic": ("topic = 'loan.forgiven.v1'", "no such kind of event"),
    "another topic": ("topic = 'loan.repaid.v1', state = '{}'::bytea", "not of its kind"),
    "a garbled seal": ("mac = '\\x00'::bytea", "not what the service wrote"),
    "an instant without end": ("recorded_at = 'infinity'", "not what the service wrote"),
    "an instant before all": ("recorded_at = '-infinity'", "not what the service wrote"),
}  # fmt: skip


@pytest.mark.parametrize("where", ["first", "middle", "last"])
@pytest.mark.parametrize("how", ALTERED)
def test_an_altered_event_is_named_and_the_check_goes_on(
    place: Place, owner: psycopg.Connection[Any], how: str, where: str
) -> None:
    position = {"first": 1, "middle": place.last // 2, "last": place.last}[where]
    change, said = ALTERED[how]
    other = position % place.last + 2
    alter(
        owner,
        "event",
        f"UPDATE ledger.event SET {change} WHERE position = {position}",
        f"UPDATE ledger.event SET ref = ref || 'x' WHERE position = {other}",
    )
    faults = found(place, "--no-facts")
    mine = [line for line in faults if line.startswith(f"✗ 第 {position} 条 / event {position}:")]
    assert any(said in line for line in mine), faults
    assert any(f"event {other}:" in line for line in faults), "it goes on behind the first one"


@pytest.mark.parametrize("how", ["no longer JSON", "no longer UTF-8", "an unknown topic"])
def test_the_facts_too_are_checked_as_far_as_they_can_be(
    place: Place, owner: psycopg.Connection[Any], how: str
) -> None:
    row = owner.execute(
        "SELECT min(position) FROM ledger.event WHERE topic = 'loan.subsidy-paid.v1'"
    ).fetchone()
    assert row is not None
    change = ALTERED[how][0]
    alter(owner, "event", f"UPDATE ledger.event SET {change} WHERE position = {row[0]}")
    assert any(f"event {row[0]}:" in line for line in found(place))


def test_a_forged_last_event_is_named(place: Place, owner: psycopg.Connection[Any]) -> None:
    owner.execute(forged(place.last + 1))
    assert any(f"event {place.last + 1}: " in line for line in found(place, "--no-facts"))


@pytest.mark.parametrize("position", [-3, 0, 1 << 60])
def test_a_stray_position_is_named_at_once(
    place: Place, owner: psycopg.Connection[Any], position: int
) -> None:
    checks = owner.execute(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conrelid = 'ledger.event'::regclass AND contype = 'c'"
    ).fetchall()
    for name, _ in checks:
        owner.execute(f'ALTER TABLE ledger.event DROP CONSTRAINT "{name}"')
    try:
        owner.execute(forged(position))
        faults = found(place, "--no-facts")
        assert any(f"第 {position} 条" in line or str(position) in line for line in faults), faults
    finally:
        restore(owner)
        for name, definition in checks:
            owner.execute(f'ALTER TABLE ledger.event ADD CONSTRAINT "{name}" {definition}')


@pytest.mark.parametrize(
    "column", ["recorded_at", "originator_id", "topic", "ref", "part", "told", "state", "mac"]
)
def test_an_empty_column_is_named(
    place: Place, owner: psycopg.Connection[Any], column: str
) -> None:
    owner.execute(f"ALTER TABLE ledger.event ALTER COLUMN {column} DROP NOT NULL")
    try:
        alter(owner, "event", f"UPDATE ledger.event SET {column} = NULL WHERE position = 9")
        faults = found(place, "--no-facts")
        assert any("event 9:" in line and "NULL" in line for line in faults), faults
    finally:
        restore(owner)
        owner.execute(f"ALTER TABLE ledger.event ALTER COLUMN {column} SET NOT NULL")


@pytest.mark.parametrize(
    ("table", "statement"),
    [
        ("checkpoint", "UPDATE ledger.checkpoint SET note = ''"),
        ("checkpoint", "UPDATE ledger.checkpoint SET note = E'x\\n٣\\n\\n\\n— a b\\n'"),
        ("checkpoint", "UPDATE ledger.checkpoint SET signed_at = 'infinity', size = size + 7"),
        ("tree_node", "UPDATE ledger.tree_node SET hashes = sha256(hashes)"),
        ("tree_node", "UPDATE ledger.tree_node SET first = first + 5 WHERE first > 0"),
        ("tree_node", "DELETE FROM ledger.tree_node"),
    ],
)
def test_rubbish_in_the_tree_and_its_checkpoints_is_listed(
    place: Place, owner: psycopg.Connection[Any], table: str, statement: str
) -> None:
    alter(owner, table, statement)
    assert found(place, "--no-facts")


def test_a_table_that_is_gone_is_said_and_the_rest_is_checked(
    place: Place, owner: psycopg.Connection[Any]
) -> None:
    alter(owner, "event", "UPDATE ledger.event SET ref = ref || 'x' WHERE position = 4")
    owner.execute("ALTER TABLE ledger.tree_node RENAME TO gone")
    try:
        faults = found(place, "--no-facts")
        assert any("未能查完" in line for line in faults)
    finally:
        owner.execute("ALTER TABLE ledger.gone RENAME TO tree_node")


@pytest.fixture
def copy(place: Place) -> Iterator[Place]:
    """The same log in a database of its own, to be altered for good."""
    name = f"{conninfo_to_dict(place.owner_dsn)['dbname']}_copy"
    with psycopg.connect(
        in_database(place.owner_dsn, dbname="postgres"), autocommit=True
    ) as server:
        original = conninfo_to_dict(place.owner_dsn)["dbname"]
        server.execute(f"CREATE DATABASE {name} TEMPLATE {original}".encode())
        server.execute(f"GRANT CREATE ON DATABASE {name} TO mingzhang_projector".encode())
        dsn = in_database(place.owner_dsn, dbname=name)
        yield place._replace(owner_dsn=dsn, dsn=dsn)
        server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


STRUCTURE = {
    "no record of migrations": (
        "DROP TABLE public.mingzhang_migration", "public.mingzhang_migration"),
    "records without checksums": (
        "ALTER TABLE public.mingzhang_migration DROP COLUMN checksum",
        "public.mingzhang_migration.checksum"),
    "another text of a migration": (
        "UPDATE public.mingzhang_migration SET checksum = 'x' WHERE name LIKE '0002%'", "0002_"),
    "the last migration forgotten": (
        "DELETE FROM public.mingzhang_migration WHERE name ="
        " (SELECT max(name) FROM public.mingzhang_migration)", "run migrate first"),
    "no seals": ("ALTER TABLE ledger.event DROP COLUMN mac CASCADE", "ledger.event.mac"),
    "another column's name": (
        "ALTER TABLE ledger.event RENAME COLUMN state TO content", "ledger.event.content"),
    "no log": ("ALTER TABLE ledger.event RENAME TO elsewhere", "ledger.elsewhere"),
    "a log that is not shown": ("REVOKE SELECT ON ledger.event FROM mingzhang_reader",
                                "ledger.event"),
    "a schema that is not entered": ("REVOKE USAGE ON SCHEMA ledger FROM mingzhang_reader",
                                     "ledger: "),
    "no ledger": ("DROP SCHEMA ledger CASCADE", "ledger.event: "),
    "no projection": ("DROP SCHEMA projection CASCADE", "projection.generation: "),
    "commits that do not wait": (
        "ALTER DATABASE {database} SET synchronous_commit = off", "synchronous_commit = off"),
    "no writing": (
        "ALTER DATABASE {database} SET default_transaction_read_only = on", "read_only"),
    "no checkpoints": ("DROP TABLE ledger.checkpoint CASCADE", "ledger.checkpoint: "),
}  # fmt: skip


@pytest.mark.parametrize("how", STRUCTURE)
def test_whatever_the_database_no_longer_has_is_listed_and_nothing_is_mended(
    copy: Place, how: str
) -> None:
    change, named = STRUCTURE[how]
    with psycopg.connect(copy.owner_dsn, autocommit=True) as owner:
        owner.execute(change.replace("{database}", owner.info.dbname).encode())
    first = found(copy)
    assert any(named in line for line in first), first
    assert found(copy) == first, "the check itself changes nothing"


def test_a_database_that_was_never_migrated_is_said_in_a_sentence(
    place: Place, tmp_path: Path, server: str
) -> None:
    empty = place._replace(dsn=in_database(server, dbname="template1"), folder=tmp_path)
    code, output = empty.verify()
    assert (code, "run migrate" in output.replace("\n", " ")) == (2, True), output
    assert not [*tmp_path.iterdir()], "no key is made for it"


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\xff\xfe", b"a\n1\nAAAA\n\n"])
def test_an_anchor_that_is_none_is_said(place: Place, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "anchor").write_bytes(content)
    [fault] = found(place, "--no-facts", "--anchor", str(tmp_path / "anchor"))
    assert "anchor 1" in fault


def test_as_a_program_it_ends_with_one_and_a_line_for_each_fault(
    place: Place, owner: psycopg.Connection[Any]
) -> None:
    alter(
        owner,
        "event",
        f"UPDATE ledger.event SET {ALTERED['no longer UTF-8'][0]}"
        f" WHERE position IN (3, {place.last})",
    )
    done = subprocess.run(
        [sys.executable, "-m", "interface.cli", "verify"],
        cwd=Path(__file__).parents[2], env=place.environment | {"PYTHONUTF8": "1"},
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    for position in (3, place.last):
        assert f"✗ 第 {position} 条 / event {position}: " in done.stdout


# ---- the service does not start over it, and says where -----------------------------------


@pytest.mark.parametrize("how", ["an amount", "no longer UTF-8", "an instant without end"])
def test_the_service_does_not_start_over_an_altered_last_event_and_names_it(
    place: Place, owner: psycopg.Connection[Any], how: str
) -> None:
    alter(
        owner, "event", f"UPDATE ledger.event SET {ALTERED[how][0]} WHERE position = {place.last}"
    )
    outcome = CliRunner().invoke(app, ["serve"], env=place.environment)
    assert outcome.exit_code == 2
    assert f"event {place.last}" in outcome.output.replace("\n", " ")
    assert "run verify" in outcome.output.replace("\n", " ")


def test_nor_over_a_forged_one(place: Place, owner: psycopg.Connection[Any]) -> None:
    owner.execute(forged(place.last + 1))
    with pytest.raises(LogAltered) as altered:
        with deployed(Settings(dsn=place.dsn, data=place.folder)):
            pass
    assert altered.value.position == place.last + 1


# ---- the log's key is pinned with its name -------------------------------------------------


@pytest.fixture
def elsewhere(place: Place, tmp_path: Path) -> Path:
    """The deployment's files once more, to be changed."""
    return Path(shutil.copytree(place.folder, tmp_path / "var"))


def started(place: Place, folder: Path, **more: Any) -> None:
    with deployed(Settings(dsn=place.dsn, data=folder, **more)):
        pass


@pytest.mark.parametrize("forgotten", [(), ("pinned",), ("last",), ("pinned", "last")])
def test_another_valid_key_is_refused_whatever_else_was_taken_away(
    place: Place, elsewhere: Path, forgotten: tuple[str, ...]
) -> None:
    started(place, elsewhere)
    right = FileSigner(elsewhere / "signing-key.json").key(ORIGIN)
    (elsewhere / "signing-key.json").unlink()
    for name in forgotten:
        (elsewhere / f"signing-key.{name}").unlink()
    other = FileSigner.create(elsewhere / "signing-key.json")
    with pytest.raises(SigningKeyOther) as refused:
        started(place, elsewhere)
    assert other.key(ORIGIN).text() in str(refused.value)
    named = right.text() if "pinned" not in forgotten else right.id.hex()
    assert named in str(refused.value)
    keys = Vault(Keys.load(elsewhere / "keys.json"))
    sequencer = Sequencer(place.dsn, ORIGIN, other, keys.authenticate)
    with pytest.raises(SigningRefused):
        sequencer.sequence()
    sequencer.close()
    moved = place._replace(folder=elsewhere)
    assert any(other.key(ORIGIN).text() in line for line in found(moved, "--no-facts"))


def test_the_key_may_be_pinned_in_the_settings(place: Place, elsewhere: Path) -> None:
    own = FileSigner(elsewhere / "signing-key.json").key(ORIGIN).text()
    started(place, elsewhere, log_key=own)
    stranger = FileSigner.create(elsewhere / "other.json").key(ORIGIN).text()
    with pytest.raises(SigningKeyOther, match="换密钥"):
        started(place, elsewhere, log_key=stranger)


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', '{"' + ORIGIN + '": "x"}', "\udcff"])
@pytest.mark.parametrize("which", ["pinned", "last"])
def test_a_signers_memory_that_is_none_is_said_and_nothing_is_signed(
    place: Place, elsewhere: Path, which: str, content: str
) -> None:
    memory = elsewhere / f"signing-key.{which}"
    json.loads(memory.read_text())
    memory.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises((SigningKeyOther, SigningRefused)):
        started(place, elsewhere)
    assert found(place._replace(folder=elsewhere), "--no-facts")
