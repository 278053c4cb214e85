"""The tamper matrix: the tables' owner changes what he can, and each change is seen and named.

He lifts the append-only triggers, changes, and puts them back, so that nothing of the guards
shows it. What he has besides is said in each test: nothing, the log's key, the service's too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.backup import pg_tool
from support.county import conversation, drawn
from support.everything import submit_everything

from application.event_store.guards import APPEND_ONLY, missing_guards
from application.personal_data.encryption import Keys, Vault
from application.transparency_log.notes import COSIGNED, Head, VerifierKey
from application.transparency_log.proofs import Proofs, WitnessRefused
from application.transparency_log.rows import AUTHENTICATED, MAC, rows_between
from application.transparency_log.sequencer import LogAltered, Sequencer
from application.transparency_log.signer import FileSigner, SigningRefused
from application.transparency_log.verification import Verification, Verified
from domain.policy import POLICY, Book
from projections.cited_rules import wrong_rules
from projections.facts.comparison import differences, wrong_facts
from projections.facts.draw import Projector
from projections.facts.statements import schema_of, tables

ORIGIN = "test.local/ledger/sha-256"
COPIES = 6
COLUMNS = {
    "position": "position + 100000",
    "recorded_at": "recorded_at + interval '1 microsecond'",
    "originator_id": "gen_random_uuid()",
    "originator_version": "originator_version + 1000",
    "topic": "topic || '2'",
    "organisation": "organisation || 'X'",
    "ref": "ref || 'X'",
    "part": "part + 1",
    "told": "set_byte(told, 3, get_byte(told, 3) # 1)",
    "state": "set_byte(state, length(state) / 2, get_byte(state, length(state) / 2) # 1)",
    "mac": "set_byte(mac, 31, get_byte(mac, 31) # 128)",
}


class Truth(NamedTuple):
    """A sealed log that was left alone, with everything that stands outside its database."""

    owner_dsn: str
    dsn: str
    keys: Keys
    signer: FileSigner
    signer_file: Path
    anchor: str
    """A checkpoint that a witness keeps, over the first half."""
    last: int

    @property
    def authenticate(self) -> Callable[[bytes], bytes]:
        return Vault(self.keys).authenticate

    def sequencer(self, signer: FileSigner | None = None) -> Sequencer:
        return Sequencer(self.dsn, ORIGIN, signer or self.signer, self.authenticate)


@pytest.fixture(scope="module")
def truth(shared_database: Any, tmp_path_factory: pytest.TempPathFactory) -> Truth:
    place = shared_database
    with conversation(place) as ledger:
        submit_everything(ledger, COPIES)
        last = ledger.log.last_position()
    file = tmp_path_factory.mktemp("signer") / "signing-key.json"
    signer = FileSigner.create(file)
    sequencer = Sequencer(place.dsn, ORIGIN, signer, Vault(place.keys).authenticate)
    half = sequencer.sequence(most=last // 2).checkpoint
    assert half is not None
    sequencer.catch_up()
    sequencer.close()
    with drawn(place):
        pass
    with psycopg.connect(place.owner_dsn) as connection:
        connection.execute("CREATE SCHEMA original")
        for table in APPEND_ONLY:
            connection.execute(f"CREATE TABLE original.{table} AS TABLE ledger.{table}")
    return Truth(place.owner_dsn, place.dsn, place.keys, signer, file, half.note, last)


@pytest.fixture
def owner(truth: Truth) -> Iterator[psycopg.Connection[Any]]:
    """The owner's connection; afterwards the tables are as they were."""
    with psycopg.connect(truth.owner_dsn, autocommit=True) as connection:
        yield connection
        restore(connection)


def restore(connection: psycopg.Connection[Any]) -> None:
    for table in reversed(APPEND_ONLY):
        alter(connection, table, f"TRUNCATE ledger.{table}")
    for table in APPEND_ONLY:
        alter(connection, table, f"INSERT INTO ledger.{table} TABLE original.{table}")


def alter(connection: psycopg.Connection[Any], table: str, *statements: str) -> None:
    """What the owner does to one table, with the guards lifted and put back."""
    with connection.transaction():
        connection.execute(f"ALTER TABLE ledger.{table} DISABLE TRIGGER append_only")
        for statement in statements:
            connection.execute(statement)
        connection.execute(f"ALTER TABLE ledger.{table} ENABLE ALWAYS TRIGGER append_only")


def verified(truth: Truth, *anchors: str, signer: FileSigner | None = None) -> Verified:
    by = signer or truth.signer
    options = "-c role=mingzhang_reader"
    with psycopg.connect(truth.dsn, options=options, autocommit=True) as connection:
        return Verification(
            connection,
            ORIGIN,
            truth.signer.key(ORIGIN),
            truth.authenticate,
            signed_last=by.last(ORIGIN),
            anchors=anchors,
        ).run()


def named(result: Verified) -> set[int]:
    return {fault.position for fault in result.faults}


def test_what_was_left_alone_raises_no_alarm(truth: Truth) -> None:
    result = verified(truth, truth.anchor)
    assert result.faults == []
    assert (result.events, result.sealed, result.coverage_bp) == (truth.last, truth.last, 10_000)
    assert (result.checkpoints, result.anchors) == (2, 1)
    assert wrong_facts(truth.dsn) == []


@pytest.mark.parametrize("where", ["first", "middle", "last"])
@pytest.mark.parametrize("column", COLUMNS)
def test_each_column_of_an_event_is_covered(
    truth: Truth, owner: psycopg.Connection[Any], column: str, where: str
) -> None:
    position = {"first": 1, "middle": truth.last // 2, "last": truth.last}[where]
    change = f"UPDATE ledger.event SET {column} = {COLUMNS[column]} WHERE position = {position}"
    alter(owner, "event", change)
    assert position in named(verified(truth))


def test_no_column_was_forgotten(owner: psycopg.Connection[Any]) -> None:
    columns = owner.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'ledger.event'::regclass AND attnum > 0"
    )
    assert {row[0] for row in columns} == COLUMNS.keys()


def test_each_byte_of_a_payload_is_covered(truth: Truth, owner: psycopg.Connection[Any]) -> None:
    row = owner.execute(
        "SELECT position, state FROM ledger.event WHERE topic = 'loan.subsidy-paid.v1' LIMIT 1"
    ).fetchone()
    assert row is not None
    position, state = row
    for at in range(0, len(state), len(state) // 12):
        bit = 1 << at % 8
        alter(
            owner,
            "event",
            f"UPDATE ledger.event SET state = set_byte(state, {at}, get_byte(state, {at}) # {bit})"
            f" WHERE position = {position}",
        )
        assert position in named(verified(truth)), at
        alter(
            owner,
            "event",
            f"UPDATE ledger.event SET state = set_byte(state, {at}, get_byte(state, {at}) # {bit})"
            f" WHERE position = {position}",
        )
    assert verified(truth).faults == []


def test_the_seal_covers_every_byte_of_a_row(truth: Truth) -> None:
    with psycopg.connect(truth.owner_dsn) as connection:
        [row] = rows_between(connection, truth.last // 2 - 1, truth.last // 2)
    assert truth.authenticate(row[AUTHENTICATED]) == row[MAC]
    for at in range(AUTHENTICATED.start, len(row)):
        flipped = bytearray(row)
        flipped[at] ^= 1 << at % 8
        same_content = row[:-36] == flipped[:-36] and row[MAC] == flipped[MAC]
        agrees = truth.authenticate(bytes(flipped[AUTHENTICATED])) == flipped[MAC]
        assert agrees == same_content, at  # between them only the length of the seal


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_flipped_bit_of_any_row_is_seen_where_it_is(truth: Truth, data: st.DataObject) -> None:
    position = data.draw(st.integers(1, truth.last))
    column = data.draw(st.sampled_from(["state", "told", "mac"]))
    with psycopg.connect(truth.owner_dsn, autocommit=True) as owner:
        row = owner.execute(
            f"SELECT length({column}) FROM ledger.event WHERE position = {position}"
        ).fetchone()
        assert row is not None
        at = data.draw(st.integers(0, row[0] - 1))
        bit = 1 << data.draw(st.integers(0, 7))
        flip = (
            f"UPDATE ledger.event SET {column} = set_byte({column}, {at},"
            f" get_byte({column}, {at}) # {bit}) WHERE position = {position}"
        )
        alter(owner, "event", flip)
        try:
            assert named(verified(truth)) >= {position}
        finally:
            alter(owner, "event", flip)


def test_a_deletion_in_the_middle_is_seen(truth: Truth, owner: psycopg.Connection[Any]) -> None:
    alter(owner, "event", "DELETE FROM ledger.event WHERE position IN (20, 21)")
    assert 20 in named(verified(truth))


def test_a_deletion_with_the_gap_closed_is_seen(
    truth: Truth, owner: psycopg.Connection[Any]
) -> None:
    alter(
        owner,
        "event",
        "DELETE FROM ledger.event WHERE position = 20",
        "CREATE TEMP TABLE moved AS SELECT * FROM ledger.event WHERE position > 20",
        "DELETE FROM ledger.event WHERE position > 20",
        "UPDATE moved SET position = position - 1",
        "INSERT INTO ledger.event TABLE moved",
        "DROP TABLE moved",
    )
    assert 20 in named(verified(truth))


@pytest.mark.parametrize("lost", [1, 7])
def test_a_cut_off_tail_is_seen(truth: Truth, owner: psycopg.Connection[Any], lost: int) -> None:
    alter(owner, "event", f"DELETE FROM ledger.event WHERE position > {truth.last - lost}")
    assert truth.last - lost + 1 in named(verified(truth))


def test_a_tail_cut_off_with_its_leaves_and_checkpoint_is_seen_by_what_the_signer_keeps(
    truth: Truth, owner: psycopg.Connection[Any]
) -> None:
    back_to(owner, truth.last // 2)
    assert truth.last // 2 + 1 in named(verified(truth))


def back_to(owner: psycopg.Connection[Any], size: int) -> None:
    """The state of the database when only `size` events were there and sealed."""
    alter(owner, "event", f"DELETE FROM ledger.event WHERE position > {size}")
    alter(owner, "checkpoint", f"DELETE FROM ledger.checkpoint WHERE size > {size}")
    alter(owner, "tree_node", f"DELETE FROM ledger.tree_node WHERE first >= {size}")


def test_a_log_set_back_is_never_signed_again(truth: Truth, owner: psycopg.Connection[Any]) -> None:
    back_to(owner, truth.last // 2)
    sequencer = truth.sequencer()
    with pytest.raises(LogAltered) as found:
        sequencer.sequence()
    sequencer.close()
    assert found.value.position == truth.last // 2 + 1


def test_an_inserted_event_is_seen(truth: Truth, owner: psycopg.Connection[Any]) -> None:
    owner.execute(forged(truth.last + 1))
    result = verified(truth)
    assert truth.last + 1 in named(result)
    assert result.coverage_bp < 10_000


def test_an_inserted_event_is_never_sealed(truth: Truth, owner: psycopg.Connection[Any]) -> None:
    owner.execute(forged(truth.last + 1))
    sequencer = truth.sequencer()
    with pytest.raises(LogAltered) as found:
        sequencer.sequence()
    sequencer.close()
    assert found.value.position == truth.last + 1


def forged(position: int, of: str = "loan.repaid.v1") -> str:
    """The owner's own INSERT: a copy of a repayment under a new reference."""
    return (
        f"INSERT INTO ledger.event SELECT {position}, now(), gen_random_uuid(), 1, topic,"
        f" organisation, ref || '-again', part, told, state, mac FROM ledger.event"
        f" WHERE topic = '{of}' ORDER BY position LIMIT 1"
    )


def test_two_events_swapped_are_seen(truth: Truth, owner: psycopg.Connection[Any]) -> None:
    alter(
        owner,
        "event",
        "CREATE TEMP TABLE swapped AS SELECT * FROM ledger.event WHERE position IN (30, 31)",
        "DELETE FROM ledger.event WHERE position IN (30, 31)",
        "UPDATE swapped SET position = 61 - position",
        "INSERT INTO ledger.event TABLE swapped",
        "DROP TABLE swapped",
    )
    assert {30, 31} <= named(verified(truth))


def test_a_row_copied_over_another_is_seen(truth: Truth, owner: psycopg.Connection[Any]) -> None:
    alter(
        owner,
        "event",
        "UPDATE ledger.event t SET state = s.state, told = s.told, mac = s.mac"
        " FROM ledger.event s WHERE s.position = 12 AND t.position = 40",
    )
    assert 40 in named(verified(truth))


def test_versions_that_are_not_gapless_are_seen_also_where_the_service_key_is_lost(
    truth: Truth, owner: psycopg.Connection[Any]
) -> None:
    change = "originator_version = originator_version + 500"
    rewrite(truth, owner, f"UPDATE ledger.event SET {change} WHERE position = 33")
    assert 33 in named(verified(truth))


@pytest.mark.parametrize(
    ("statement", "position"),
    [
        ("UPDATE ledger.tree_node SET hashes = set_byte(hashes, 35, get_byte(hashes, 35) # 1)"
         " WHERE level = 0 AND first = 0", 2),
        ("DELETE FROM ledger.tree_node WHERE level = 0 AND first = 0", 1),
        ("UPDATE ledger.tree_node SET level = 8 WHERE first > 0", None),
        ("INSERT INTO ledger.tree_node SELECT origin, 3, first, hashes FROM ledger.tree_node"
         " WHERE first = 0", 0),
    ],
)  # fmt: skip
def test_an_altered_tree_is_seen(
    truth: Truth, owner: psycopg.Connection[Any], statement: str, position: int | None
) -> None:
    alter(owner, "tree_node", statement)
    found = named(verified(truth))
    assert found
    assert position is None or position in found


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM ledger.checkpoint WHERE size = (SELECT max(size) FROM ledger.checkpoint)",
        "DELETE FROM ledger.checkpoint",
        "UPDATE ledger.checkpoint SET note = replace(note, size::text, (size - 1)::text)",
        "UPDATE ledger.checkpoint SET note = overlay(note placing 'A' from length(note) - 20)",
        "UPDATE ledger.checkpoint SET note = 'none'",
        "UPDATE ledger.checkpoint SET size = size - 1",
        "UPDATE ledger.checkpoint SET origin = 'other.local/ledger/sha-256'",
    ],
)
def test_an_altered_checkpoint_is_seen(
    truth: Truth, owner: psycopg.Connection[Any], statement: str
) -> None:
    alter(owner, "checkpoint", statement)
    assert verified(truth, truth.anchor).faults


def test_an_old_checkpoint_deleted_is_seen_by_who_kept_it(
    truth: Truth, owner: psycopg.Connection[Any]
) -> None:
    alter(owner, "checkpoint", f"DELETE FROM ledger.checkpoint WHERE size = {truth.last // 2}")
    assert verified(truth, truth.anchor).faults


def test_a_tree_sealed_again_with_another_key_is_seen(
    truth: Truth, owner: psycopg.Connection[Any], tmp_path: Path
) -> None:
    thief = FileSigner.create(tmp_path / "own.json")
    rewrite(truth, owner, amount(50), thief)
    assert verified(truth).faults


def amount(position: int) -> str:
    """One digit of an event's content changed."""
    return (
        "UPDATE ledger.event SET state = convert_to(regexp_replace(convert_from(state, 'UTF8'),"
        f" '\"person\":\"', '\"person\":\"x'), 'UTF8') WHERE position = {position}"
    )


def rewrite(
    truth: Truth,
    owner: psycopg.Connection[Any],
    change: str,
    signer: FileSigner | None = None,
) -> None:
    """Change the log with the service's own key in hand, and seal all of it anew."""
    alter(owner, "event", change)
    vault = Vault(truth.keys)
    rows = owner.execute(
        "SELECT position, recorded_at, originator_id, originator_version, topic, organisation,"
        " ref, part, told, state FROM ledger.event ORDER BY position"
    ).fetchall()
    macs = [(row[0], vault.authenticate(sealed_columns(owner, row[0]))) for row in rows]
    with owner.transaction():
        owner.execute("ALTER TABLE ledger.event DISABLE TRIGGER append_only")
        owner.cursor().executemany(
            "UPDATE ledger.event SET mac = %s WHERE position = %s",
            [(mac, position) for position, mac in macs],
        )
        owner.execute("ALTER TABLE ledger.event ENABLE ALWAYS TRIGGER append_only")
    alter(owner, "tree_node", "TRUNCATE ledger.tree_node")
    alter(owner, "checkpoint", "TRUNCATE ledger.checkpoint")
    if signer is not None:
        sequencer = truth.sequencer(signer)
        sequencer.catch_up()
        sequencer.close()


def sealed_columns(owner: psycopg.Connection[Any], position: int) -> bytes:
    """The first ten columns of a row as COPY writes them: what the service's seal covers."""
    with owner.cursor().copy(
        f"COPY (SELECT * FROM ledger.event WHERE position = {position}) TO STDOUT (FORMAT binary)"
    ) as copy:
        blob = b"".join(bytes(block) for block in copy)
    return blob[19 + 2 : -2 - 36]


def thief_with_the_real_key(truth: Truth, folder: Path) -> FileSigner:
    """The log's own key in a place where nothing is remembered."""
    stolen = folder / "stolen.json"
    stolen.write_text(truth.signer_file.read_text())
    return FileSigner(stolen)


def test_everything_rewritten_and_sealed_with_the_real_keys_is_seen_by_one_honest_witness(
    truth: Truth, owner: psycopg.Connection[Any], tmp_path: Path
) -> None:
    thief = thief_with_the_real_key(truth, tmp_path)
    rewrite(truth, owner, amount(5), thief)
    assert verified(truth, signer=thief).faults == [], "inside the database nothing shows it"
    assert verified(truth, truth.anchor, signer=thief).faults
    assert verified(truth).faults, "the signer's own memory"


def test_the_witness_keeps_a_receipt_that_names_the_position(
    truth: Truth, owner: psycopg.Connection[Any], tmp_path: Path
) -> None:
    with psycopg.connect(truth.dsn, autocommit=True) as connection:
        before = Proofs(connection, ORIGIN).receipt(5).splitlines()[1]
    rewrite(truth, owner, amount(5), thief_with_the_real_key(truth, tmp_path))
    with psycopg.connect(truth.dsn, autocommit=True) as connection:
        assert Proofs(connection, ORIGIN).receipt(5).splitlines()[1] != before


def test_a_rewritten_log_is_not_signed_by_a_signer_who_remembers(
    truth: Truth, owner: psycopg.Connection[Any]
) -> None:
    rewrite(truth, owner, amount(5))
    sequencer = truth.sequencer()
    with pytest.raises(SigningRefused):
        sequencer.sequence()
    sequencer.close()


def test_every_altered_cell_of_the_facts_is_seen(truth: Truth) -> None:
    """Each column of each table, and a row too many, and one too few."""
    tried = 0
    projector = Projector(truth.dsn)
    with (
        projector.projected_beside() as (live, fresh, _),
        psycopg.connect(truth.owner_dsn, autocommit=True) as owner,
    ):
        schema = schema_of(live)
        for table in tables():
            columns = owner.execute(
                "SELECT attname, atttypid::regtype::text FROM pg_attribute"
                " WHERE attrelid = %s::regclass AND attnum > 0",
                (f"{schema}.{table}",),
            ).fetchall()
            sabotages = [
                f"UPDATE {schema}.{table} SET {name} = {other(name, kind)} WHERE ctid ="
                f" (SELECT max(ctid) FROM {schema}.{table})"
                for name, kind in columns
            ]
            sabotages += [
                f"DELETE FROM {schema}.{table} WHERE ctid = (SELECT max(ctid) FROM"
                f" {schema}.{table})",
                f"INSERT INTO {schema}.{table} SELECT * FROM {schema}.{table} LIMIT 1",
            ]
            for sabotage in sabotages:
                owner.execute("BEGIN")
                row = owner.execute(
                    f"SELECT of_position FROM {schema}.{table} WHERE ctid ="
                    f" (SELECT max(ctid) FROM {schema}.{table})"
                ).fetchone()
                assert row is not None, table
                assert owner.execute(sabotage).rowcount == 1
                found = differences(owner, table, live, fresh)
                assert found, sabotage
                if "INSERT" not in sabotage:
                    assert row[0] in {fact.of_position for fact in found}, sabotage
                owner.execute("ROLLBACK")
                tried += 1
            assert differences(owner, table, live, fresh) == []
    projector.close()
    assert tried > 150


def other(name: str, kind: str) -> str:
    """Another value of a column, whatever it holds."""
    if kind == "boolean":
        return f"NOT coalesce({name}, false)"
    if kind in ("bigint", "integer", "smallint"):
        return f"coalesce({name}, 0) + 1"
    if kind == "date":
        return f"coalesce({name}, '2020-01-01') + 1"
    if kind == "timestamp with time zone":
        return f"{name} + interval '1 second'"
    if kind == "uuid":
        return "gen_random_uuid()"
    return f"coalesce({name}, '') || 'x'"


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_the_owner_himself_is_refused_until_he_lifts_the_guard(
    owner: psycopg.Connection[Any], table: str
) -> None:
    for statement in (f"DELETE FROM ledger.{table}", f"TRUNCATE ledger.{table}"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            owner.execute(statement)
        owner.execute("SET session_replication_role = replica")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            owner.execute(statement)
        owner.execute("RESET session_replication_role")


@pytest.mark.parametrize(
    "lifting",
    [
        "ALTER TABLE ledger.{table} DISABLE TRIGGER append_only",
        "ALTER TABLE ledger.{table} ENABLE TRIGGER append_only",
        "DROP TRIGGER append_only ON ledger.{table}",
        "ALTER TABLE ledger.{table} ENABLE ROW LEVEL SECURITY",
        "CREATE RULE nothing AS ON INSERT TO ledger.{table} DO INSTEAD NOTHING",
        "GRANT UPDATE ON ledger.{table} TO mingzhang_writer",
        "GRANT INSERT ON ledger.{table} TO PUBLIC",
        "CREATE OR REPLACE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql"
        " AS 'BEGIN RETURN NEW; END'",
        "ALTER TABLE ledger.{table} SET UNLOGGED",
    ],
)
@pytest.mark.parametrize("table", APPEND_ONLY)
def test_a_lifted_guard_shows(owner: psycopg.Connection[Any], table: str, lifting: str) -> None:
    assert missing_guards(owner) == []
    owner.execute("BEGIN")
    owner.execute(lifting.format(table=table))
    found = missing_guards(owner)
    owner.execute("ROLLBACK")
    assert any(table in guard for guard in found)


@pytest.mark.parametrize(
    "lifting",
    [
        "ALTER TABLE ledger.household_key DISABLE TRIGGER guarded",
        "DROP TRIGGER never_changed ON ledger.household_key",
        "GRANT UPDATE ON ledger.household_key TO mingzhang_writer",
        "CREATE OR REPLACE FUNCTION ledger.guard_key() RETURNS trigger LANGUAGE plpgsql"
        " AS 'BEGIN RETURN NULL; END'",
    ],
)
def test_a_lifted_guard_of_the_keys_shows(owner: psycopg.Connection[Any], lifting: str) -> None:
    owner.execute("BEGIN")
    owner.execute(lifting)
    found = missing_guards(owner)
    owner.execute("ROLLBACK")
    assert any("household_key" in guard for guard in found)


@pytest.mark.parametrize(
    "upkeep",
    [
        "VACUUM FULL ledger.event",
        "VACUUM FREEZE",
        "REINDEX SCHEMA ledger",
        "ANALYZE",
        "CLUSTER ledger.event USING event_pkey",
        "CHECKPOINT",
    ],
)
def test_upkeep_raises_no_alarm(truth: Truth, owner: psycopg.Connection[Any], upkeep: str) -> None:
    owner.execute(upkeep)
    assert verified(truth, truth.anchor).faults == []


def test_a_restored_dump_raises_no_alarm(
    truth: Truth, owner: psycopg.Connection[Any], tmp_path: Path
) -> None:
    pg_tool("pg_dump", truth.owner_dsn, "--format=custom", f"--file={tmp_path / 'dump'}")
    owner.execute("CREATE DATABASE mz_tamper_restored")
    try:
        restored = in_database(truth.dsn, "mz_tamper_restored")
        pg_tool("pg_restore", restored, str(tmp_path / "dump"))
        elsewhere = truth._replace(owner_dsn=restored, dsn=restored)
        assert verified(elsewhere, truth.anchor).faults == []
        sequencer = elsewhere.sequencer()
        assert sequencer.sequence().added == 0
        sequencer.close()
    finally:
        owner.execute("DROP DATABASE mz_tamper_restored WITH (FORCE)")


def in_database(dsn: str, name: str) -> str:
    return f"{dsn.rpartition('dbname=')[0]}dbname={name}"


def test_an_altered_policy_table_is_seen_where_it_was_first_cited(
    truth: Truth, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(truth.dsn) as connection:
        cited = connection.execute(
            "SELECT convert_from(state, 'UTF8')::jsonb #> '{calculation,rulings}', position"
            " FROM ledger.event WHERE topic = 'loan.subsidy-paid.v1' ORDER BY position LIMIT 1"
        ).fetchone()
        assert cited is not None
        rulings, position = cited
        assert wrong_rules(connection) == []
        assert len(rulings) > 8
        for version, value in rulings.items():
            altered = amended(version, value)
            monkeypatch.setattr("projections.cited_rules.POLICY", altered)
            [wrong] = wrong_rules(connection)
            assert (wrong.position, wrong.version, wrong.cited) == (position, version, value)


def amended(version: str, value: Any) -> Book:
    """The policy tables with one value of one ruling changed."""
    name, _, days = version.partition("@")
    text = (resources.files("domain.policy") / f"{name}.toml").read_text("utf-8")
    head, *rulings = text.split("[[ruling]]")
    first, _, known = days.partition("/")
    for place, ruling in enumerate(rulings):
        if f"\nfrom = {first}\n" in ruling and f"known_from = {known}\n" in ruling:
            old = ruling.partition("value = ")[2].partition("\n")[0]
            other = value + 1 if isinstance(value, int) else value[:-1] or [*value, *value]
            new = repr(other).replace("'", '"')
            rulings[place] = ruling.replace(f"value = {old}\n", f"value = {new}\n")
            return POLICY.amended({name: "[[ruling]]".join([head, *rulings])})
    raise AssertionError(version)


def test_only_admitted_witnesses_of_this_logs_own_checkpoints_are_kept(
    truth: Truth, owner: psycopg.Connection[Any], tmp_path: Path
) -> None:
    stranger = FileSigner.create(tmp_path / "stranger.json")
    head = Head(ORIGIN, 3, bytes(32))
    note = f"{head.text()}\n" + stranger.key(ORIGIN).line(bytes(64))
    proofs = Proofs(owner, ORIGIN)
    with pytest.raises(WitnessRefused):
        proofs.keep_cosignatures(note)
    unsigned = VerifierKey("w", COSIGNED, bytes(32)).line(bytes(72))
    with pytest.raises(WitnessRefused):
        proofs.keep_cosignatures(truth.anchor + unsigned)
