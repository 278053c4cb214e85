"""P3: the facts drawn from nothing, beside a raw COPY of the same rows and the library's runner."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import psycopg
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg.sql import SQL

from benchmarks.demo import demo_county
from benchmarks.ground import Database, Ground, Result, at_least, log, median
from projections.facts.draw import Projector
from projections.facts.statements import definition, indexes, schema_of, tables

OF_COPY, OF_RUNNER = 0.4, 50
PEER_EVENTS = 1_500


def raw_copy(database: Database) -> tuple[float, int]:
    """All rows of the live facts, copied into the same tables, and the same indexes made."""
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        number = connection.execute(
            "SELECT number FROM projection.generation WHERE live"
        ).fetchone()
        assert number is not None
        cursor = connection.cursor()
        held: dict[str, bytes] = {}
        rows = 0
        for table in tables():
            with cursor.copy(
                f"COPY {schema_of(number[0])}.{table} TO STDOUT (FORMAT binary)".encode()
            ) as copy:
                held[table] = b"".join(bytes(block) for block in copy)
            rows += cursor.rowcount
        connection.execute("DROP SCHEMA IF EXISTS raw CASCADE; CREATE SCHEMA raw")
        connection.execute("SET search_path = raw")
        connection.execute("\n".join(map(definition, tables())).encode())
        began = perf_counter()
        for table in tables():
            with cursor.copy(f"COPY {table} FROM STDIN (FORMAT binary)".encode()) as copy:
                copy.write(held[table])
        for table in tables():
            connection.execute(f"{indexes(table)} ANALYZE {table}".encode())
        return perf_counter() - began, rows


class Account(Aggregate):
    """The plainest aggregate of the library, for its own runner."""

    @event("Repaid")
    def repay(self, amount_fen: int) -> None:
        self.amount_fen = amount_fen


class Sums(PostgresTrackingRecorder):
    def __init__(self, datastore: Any, **kwargs: Any) -> None:
        super().__init__(datastore, **kwargs)
        self.sql_create_statements.append(
            SQL("CREATE TABLE IF NOT EXISTS sums (account uuid, amount_fen bigint)")
        )

    def add(self, account: Any, amount_fen: int, tracking: Tracking) -> None:
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute("INSERT INTO sums VALUES (%s, %s)", (account, amount_fen))


class Adding(Projection[Sums]):
    name = "sums"

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        fen = getattr(domain_event, "amount_fen", 0)
        self.view.add(domain_event.originator_id, fen, tracking)


class Bank(Application[Any]):
    pass


def runner_rate(ground: Ground) -> float:
    """Events a second of the library's own projection runner, one transaction an event."""
    database = ground.new_database(schema=False)
    parts = psycopg.conninfo.conninfo_to_dict(database.dsn)
    environment = {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": database.name,
        "POSTGRES_HOST": str(parts["host"]), "POSTGRES_PORT": str(parts.get("port", 5432)),
        "POSTGRES_USER": str(parts["user"]), "POSTGRES_PASSWORD": str(parts.get("password", "")),
    }  # fmt: skip
    bank = Bank(environment)
    for _ in range(PEER_EVENTS // 50):
        account = Account()
        for _ in range(49):
            account.repay(1)
        bank.save(account)
    last = bank.recorder.max_notification_id()
    began = perf_counter()
    with ProjectionRunner(
        application_class=Bank, projection_class=Adding, view_class=Sums, env=environment
    ) as runner:
        runner.wait(last, timeout=120)
        took = perf_counter() - began
    bank.close()
    ground.drop(database)
    return PEER_EVENTS / took


def run(ground: Ground) -> list[Result]:
    database = demo_county(ground)
    projector = Projector(database.dsn)
    ours, limit = [], []
    rows = 0
    for _ in range(3):
        began = perf_counter()
        projector.rebuild()
        ours.append(perf_counter() - began)
        took, rows = raw_copy(database)
        limit.append(took)
        log(f"P3: {ours[-1]:.2f} s, raw COPY {limit[-1]:.2f} s, {rows:,} rows")
    events = projector._last_position()
    projector.close()
    peer = runner_rate(ground)
    ground.drop(database)
    rate = events / median(ours)
    return [
        at_least(
            OF_COPY, id="P3", what=f"facts of {events:,} events drawn from nothing, {rows:,} rows",
            ours=f"{rate:,.0f} events/s, {rows / median(ours):,.0f} rows/s",
            limit=f"{rows / median(limit):,.0f} rows/s: raw COPY of the rows; indexes in both",
            ratio=round(median(limit) / median(ours), 3),
            notes="a rebuild draws on two connections, the COPY is one.",
        ),
        at_least(
            OF_RUNNER, id="P3", what="the same, beside the library's projection runner",
            ours=f"{rate:,.0f} events/s", limit=f"{peer:,.0f} events/s: one transaction an event",
            ratio=round(rate / peer, 1),
        ),
    ]  # fmt: skip
