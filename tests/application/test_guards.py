"""The description of the schema is what the migrations make, and everything else is named."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from typing import Any

import psycopg
import pytest
from support import controls as c
from support.county import conversation

from application.event_store import guards
from application.event_store.guards import expected, missing_guards
from interface.deployment.describe_schema import schema_made, text_of
from projections.facts import draw
from projections.facts.draw import Projector

SHAPES = [
    ("CREATE OR REPLACE FUNCTION ledger.append(expected bigint, learnt timestamptz, ids uuid[],"
     " versions bigint[], topics text[], organisations text[], refs text[], parts smallint[],"
     " tolds bytea[], states bytea[], macs bytea[]) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
     "ledger.append"),
    ("CREATE OR REPLACE FUNCTION ledger.erased(household uuid) RETURNS boolean LANGUAGE sql STABLE"
     " AS 'SELECT true'", "ledger.erased"),
    ("ALTER FUNCTION ledger.append SECURITY DEFINER", "ledger.append"),
    ("ALTER FUNCTION ledger.append SET search_path = public", "ledger.append"),
    ("GRANT EXECUTE ON FUNCTION ledger.append TO PUBLIC", "ledger.append"),
    ("ALTER FUNCTION ledger.append OWNER TO mingzhang_reader", "ledger.append"),
    ("CREATE FUNCTION ledger.more() RETURNS int LANGUAGE sql AS 'SELECT 1'", "ledger.more"),
    ("CREATE FUNCTION public.nothing() RETURNS trigger LANGUAGE plpgsql AS"
     " 'BEGIN RETURN NULL; END'; CREATE TRIGGER swallow BEFORE INSERT ON ledger.event"
     " FOR EACH ROW EXECUTE FUNCTION public.nothing()", "ledger.event.swallow"),
    ("DROP TRIGGER append_only ON ledger.event; CREATE TRIGGER append_only"
     " BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.event FOR EACH STATEMENT WHEN (false)"
     " EXECUTE FUNCTION ledger.refuse_change();"
     "ALTER TABLE ledger.event ENABLE ALWAYS TRIGGER append_only", "ledger.event.append_only"),
    ("DROP TRIGGER append_only ON ledger.event; CREATE TRIGGER append_only"
     " BEFORE UPDATE OF part OR DELETE OR TRUNCATE ON ledger.event FOR EACH STATEMENT"
     " EXECUTE FUNCTION ledger.refuse_change();"
     "ALTER TABLE ledger.event ENABLE ALWAYS TRIGGER append_only", "ledger.event.append_only"),
    ("GRANT UPDATE (state) ON ledger.event TO mingzhang_writer", "ledger.event.state"),
    ("GRANT SELECT ON ledger.household_key TO PUBLIC", "ledger.household_key"),
    ("GRANT SELECT ON ledger.event TO mingzhang_reader WITH GRANT OPTION", "ledger.event"),
    ("REVOKE INSERT ON ledger.event FROM mingzhang_writer", "ledger.event"),
    ("ALTER TABLE ledger.event OWNER TO mingzhang_writer", "ledger.event"),
    ("GRANT CREATE ON SCHEMA ledger TO mingzhang_reader", "ledger"),
    ("ALTER TABLE ledger.event DROP CONSTRAINT event_pkey", "ledger.event.event_pkey"),
    ("ALTER TABLE ledger.event DROP CONSTRAINT event_originator_id_originator_version_key",
     "event_originator_id_originator_version_key"),
    ("DROP INDEX ledger.event_reference", "ledger.event.event_reference"),
    ("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ledger.event_reference'::regclass",
     "ledger.event.event_reference"),
    ("UPDATE pg_index SET indisunique = false WHERE indexrelid = 'ledger.event_pkey'::regclass",
     "ledger.event.event_pkey"),
    ("ALTER TABLE ledger.event DROP CONSTRAINT event_check", "ledger.event.event_check"),
    ("ALTER TABLE ledger.event ALTER COLUMN mac DROP NOT NULL", "ledger.event.mac"),
    ("ALTER TABLE ledger.event ADD COLUMN more text", "ledger.event.more"),
    ("ALTER TABLE ledger.event ALTER COLUMN part SET DEFAULT 7", "ledger.event.part"),
    ("CREATE TABLE public.child () INHERITS (ledger.event)", "ledger.event"),
    ("ALTER TABLE ledger.witness DISABLE TRIGGER ALL", "ledger.witness"),
    ("CREATE RULE lost AS ON INSERT TO ledger.event DO INSTEAD NOTHING", "ledger.event.lost"),
    ("CREATE POLICY none ON ledger.event USING (false)", "ledger.event.none"),
    ("ALTER TABLE ledger.event ENABLE ROW LEVEL SECURITY", "ledger.event"),
    ("ALTER TABLE ledger.household_key FORCE ROW LEVEL SECURITY", "ledger.household_key"),
    ("CREATE DOMAIN ledger.amount AS bigint", "ledger.amount"),
    ("CREATE OPERATOR ledger.= (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq)", "ledger.="),
    ("ALTER TABLE ledger.api_key RENAME TO old_key; CREATE VIEW ledger.api_key AS"
     " SELECT * FROM ledger.old_key; GRANT SELECT ON ledger.api_key TO mingzhang_writer,"
     " mingzhang_reader", "ledger.api_key"),
    ("ALTER TABLE projection.generation DROP CONSTRAINT generation_pkey",
     "projection.generation.generation_pkey"),
    ("DROP INDEX projection.one_live_generation", "projection.generation.one_live_generation"),
    ("ALTER DEFAULT PRIVILEGES FOR ROLE mingzhang_projector GRANT INSERT ON TABLES TO PUBLIC",
     "mingzhang_projector"),
    ("ALTER DATABASE {database} SET search_path = hidden", "search_path"),
    ("ALTER ROLE mingzhang_writer SET session_replication_role = replica",
     "session_replication_role"),
    ("ALTER ROLE mingzhang_reader IN DATABASE {database} SET row_security = off", "row_security"),
    ("SET LOCAL session_replication_role = replica", "session_replication_role"),
    ("ALTER ROLE mingzhang_writer SUPERUSER", "mingzhang_writer"),
    ("ALTER ROLE mingzhang_reader BYPASSRLS LOGIN", "mingzhang_reader"),
    ("GRANT mingzhang_projector TO mingzhang_reader", "mingzhang_reader"),
    ("DO $$ BEGIN EXECUTE format('GRANT %I TO mingzhang_writer', current_user); END $$",
     "mingzhang_writer"),
    ("CREATE ROLE mz_login LOGIN SUPERUSER; GRANT mingzhang_writer TO mz_login", "mz_login"),
    ("CREATE ROLE mz_login LOGIN; GRANT mingzhang_writer TO mz_login;"
     "DO $$ BEGIN EXECUTE format('GRANT %I TO mz_login', current_user); END $$", "mz_login"),
    ("CREATE ROLE mz_group NOLOGIN; GRANT pg_write_all_data TO mz_group;"
     "CREATE ROLE mz_login LOGIN; GRANT mingzhang_writer, mz_group TO mz_login", "mz_login"),
    ("GRANT CREATE ON DATABASE {database} TO mingzhang_writer", "mingzhang_writer"),
    ("CREATE FUNCTION public.hide() RETURNS event_trigger LANGUAGE plpgsql AS"
     " 'BEGIN SET search_path = public; END';"
     "CREATE EVENT TRIGGER hide ON login EXECUTE FUNCTION public.hide()", "hide"),
    ("CREATE FUNCTION public.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz'",
     "public.now"),
    ("CREATE FUNCTION public.less(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';"
     "CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = text, FUNCTION = public.less)", "=("),
    ("CREATE FUNCTION public.to_int(text) RETURNS int LANGUAGE sql AS 'SELECT 1';"
     "CREATE CAST (text AS int) WITH FUNCTION public.to_int(text)", "text AS integer"),
    ("CREATE TABLE public.pg_class (a int)", "public.pg_class"),
    ("UPDATE public.mingzhang_migration SET checksum = 'x' WHERE name LIKE '0002%'", "0002"),
    ("DELETE FROM public.mingzhang_migration WHERE name LIKE '0004%'", "0004"),
    ("INSERT INTO public.mingzhang_migration (name, checksum) VALUES ('0099_own.sql', 'x')",
     "0099_own.sql"),
    ("DROP TABLE public.mingzhang_migration", "mingzhang_migration"),
    ("DROP SCHEMA projection CASCADE", "projection.generation: 表不在"),
    ("REVOKE SELECT ON projection.generation FROM mingzhang_reader", "projection.generation: 表被"),
    ("DROP SCHEMA ledger CASCADE", "ledger.event: 表不在"),
    ("UPDATE projection.generation SET number = 77 WHERE live", "facts_77"),
    ("CREATE SCHEMA facts_88", "facts_88"),
    ("UPDATE projection.generation SET live = false", "没有在用的一代"),
    ("DELETE FROM projection.generation", "没有登记 / not registered"),
    ("DROP INDEX projection.one_live_generation; CREATE SCHEMA facts_99;"
     "INSERT INTO projection.generation (number, live) VALUES (99, true)", "2 代同时在用"),
    ("UPDATE ledger.watermark SET through = clock_timestamp() + interval '1 day'",
     "ledger.watermark: 所记时刻在将来"),
    ("UPDATE ledger.watermark SET through = 'infinity'", "ledger.watermark: 所记时刻在将来"),
    ("UPDATE ledger.watermark SET position = 99", "ledger.watermark: 所记位置不在日志内"),
    ("UPDATE ledger.watermark SET position = 1, through = clock_timestamp()",
     "ledger.watermark: 其后的事件"),
    ("DELETE FROM ledger.watermark", "ledger.watermark: 有 0 行"),
    ("ALTER TABLE {facts}.loan ENABLE ROW LEVEL SECURITY", "facts.loan"),
    ("ALTER TABLE {facts}.posting RENAME TO hidden; CREATE VIEW {facts}.posting AS"
     " SELECT * FROM {facts}.hidden WHERE amount_fen > 0", "facts.posting"),
    ("CREATE OR REPLACE FUNCTION {facts}.standing_loan(as_of date, known_at timestamptz)"
     " RETURNS SETOF {facts}.loan LANGUAGE sql STABLE AS 'SELECT * FROM {facts}.loan LIMIT 1'",
     "facts.standing_loan"),
    ("GRANT INSERT ON {facts}.loan TO mingzhang_reader", "facts.loan"),
    ("ALTER TABLE {facts}.loan OWNER TO CURRENT_USER", "facts.loan"),
    ("CREATE TRIGGER t BEFORE INSERT ON {facts}.loan EXECUTE FUNCTION ledger.refuse_change()",
     "facts.loan.t"),
]  # fmt: skip


@pytest.fixture(scope="module")
def owner(shared_database: Any) -> Iterator[psycopg.Connection[Any]]:
    with conversation(shared_database) as ledger:
        ledger.submit(c.household(), c.BUREAU)
        ledger.submit(c.loan(), c.BANK)
    projector = Projector(shared_database.dsn)
    projector.rebuild()
    projector.close()
    with psycopg.connect(shared_database.owner_dsn, autocommit=True) as connection:
        yield connection


def named_after(owner: psycopg.Connection[Any], change: str) -> list[str]:
    """What the reader is told after the owner's change, which is then taken back."""
    row = owner.execute(
        "SELECT current_database(), (SELECT number FROM projection.generation WHERE live)"
    ).fetchone()
    assert row is not None
    change = change.replace("{database}", row[0]).replace("{facts}", f"facts_{row[1]}")
    with owner.transaction(force_rollback=True):
        owner.execute(change.encode())
        owner.execute("SET LOCAL ROLE mingzhang_reader")
        return missing_guards(owner)


def test_the_description_is_what_the_migrations_and_the_projector_make(database: Any) -> None:
    """When this fails: `python -m interface.deployment.describe_schema`, and look at the change."""
    text = resources.files("application.event_store").joinpath("schema.json").read_text("utf-8")
    assert text_of(schema_made(database.dsn)) == text


def test_what_was_left_alone_is_not_named(owner: psycopg.Connection[Any]) -> None:
    assert missing_guards(owner) == []
    owner.execute("SET ROLE mingzhang_reader")
    assert missing_guards(owner) == []
    owner.execute("RESET ROLE")
    assert len(expected()) > 500


@pytest.mark.parametrize(("change", "name"), SHAPES)
def test_what_the_owner_changes_is_named(
    owner: psycopg.Connection[Any], change: str, name: str
) -> None:
    found = named_after(owner, change)
    assert any(name in sentence for sentence in found), found
    assert missing_guards(owner) == []


@pytest.mark.parametrize(
    "upkeep",
    [
        "CREATE STATISTICS ledger.more ON topic, organisation FROM ledger.event",
        "ALTER TABLE ledger.event SET (autovacuum_vacuum_scale_factor = 0.01)",
        "ALTER TABLE ledger.event ALTER COLUMN topic SET STATISTICS 500",
        "ALTER DATABASE {database} SET work_mem = '64MB'",
        "CREATE ROLE mz_audit LOGIN; GRANT mingzhang_reader TO mz_audit",
        "CREATE ROLE mz_service LOGIN; GRANT mingzhang_writer, mingzhang_projector,"
        " mingzhang_reader, mingzhang_sealer, mingzhang_watcher TO mz_service",
        "CREATE TABLE public.own (a int); CREATE FUNCTION public.own() RETURNS int LANGUAGE sql"
        " AS 'SELECT 1'",
        "CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.event AS TABLE ledger.event",
    ],
)
def test_upkeep_is_not_named(owner: psycopg.Connection[Any], upkeep: str) -> None:
    assert named_after(owner, upkeep) == []


def test_another_owners_name_is_not_named(owner: psycopg.Connection[Any]) -> None:
    change = """
        CREATE ROLE mz_other;
        DO $$ DECLARE command text; BEGIN
          FOR command IN
            SELECT format('ALTER TABLE %s OWNER TO mz_other', oid::regclass) FROM pg_class
             WHERE relkind = 'r' AND (relnamespace::regnamespace::text
                                            IN ('ledger', 'projection', 'console')
                                      OR oid = 'public.mingzhang_migration'::regclass)
            UNION ALL SELECT format('ALTER FUNCTION %s OWNER TO mz_other', oid::regprocedure)
              FROM pg_proc WHERE pronamespace = 'ledger'::regnamespace
            UNION ALL SELECT format('ALTER SCHEMA %s OWNER TO mz_other', nspname)
              FROM pg_namespace WHERE nspname IN ('ledger', 'projection', 'console')
          LOOP EXECUTE command; END LOOP; END $$"""
    assert named_after(owner, change) == []


def test_while_the_facts_are_rebuilt_none_need_be_live(
    owner: psycopg.Connection[Any], shared_database: Any
) -> None:
    with psycopg.connect(shared_database.dsn, autocommit=True) as rebuilding:
        rebuilding.execute("SELECT pg_advisory_lock_shared(%s)", (draw.REBUILDING,))
        assert named_after(owner, "UPDATE projection.generation SET live = false") == []
    assert guards.REBUILDING == draw.REBUILDING
