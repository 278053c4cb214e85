"""The service on a login that owns nothing: a member of the roles, as in production."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from faults import support
from faults.support import Place
from support import controls as c
from support.service import Callers, service

from application.event_store.migrations import admit, may_migrate


@pytest.fixture(scope="module")
def member(shared_database: Place) -> Iterator[Place]:
    """The same database, entered by a login without any right of its own."""
    support.done(
        shared_database.owner_dsn,
        "DROP ROLE IF EXISTS mz_test_member",
        "CREATE ROLE mz_test_member LOGIN PASSWORD 'member'",
    )
    dsn = support.in_database(shared_database.dsn, user="mz_test_member", password="member")
    assert admit(shared_database.owner_dsn, dsn) == "mz_test_member"
    yield shared_database._replace(dsn=dsn)  # type: ignore[attr-defined]
    support.done(
        shared_database.owner_dsn,
        "DROP OWNED BY mz_test_member",
        "REVOKE mingzhang_writer, mingzhang_projector, mingzhang_reader, mingzhang_sealer,"
        " mingzhang_watcher FROM mz_test_member",
        "DROP ROLE mz_test_member",
    )


@pytest.fixture(scope="module")
def callers(member: Place) -> Iterator[Callers]:
    with service(member) as callers:
        yield callers


def test_it_tells_reads_draws_and_seals(callers: Callers) -> None:
    bureau = c.body(c.household()) | {"ref": "HH-1"}
    assert callers.BUREAU.post("/households", bureau).status_code == 201
    told = callers.NRCB.post("/loans", c.body(c.loan()) | {"ref": "LN-1"})
    assert told.status_code == 201
    position = told.json()["position"]
    ledger = callers.AUDIT.get("/ledgers/loans", position=position).json()
    assert [line["loan_no"] for line in ledger["lines"]] == ["L1"]
    assert callers.AUDIT.get("/log/checkpoint", position=position).status_code == 200


def test_it_may_not_migrate_nor_touch_what_is_stored(member: Place) -> None:
    assert not may_migrate(member.dsn)
    for order in (
        "CREATE TABLE public.x (a int)",
        "UPDATE ledger.event SET part = 0",
        "DELETE FROM ledger.checkpoint",
        "INSERT INTO ledger.witness VALUES ('x', 'NRCB')",
        "ALTER TABLE ledger.event DISABLE TRIGGER append_only",
        "INSERT INTO ledger.api_key (key_hash, organisation, person) VALUES ('x', 'NRCB', 'x')",
        "SET session_replication_role = replica",
    ):
        with (
            psycopg.connect(member.dsn, autocommit=True) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(order.encode())
