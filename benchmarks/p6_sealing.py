"""P6: sealing the log and verifying it, beside a COPY of the same rows out with hashlib over them."""

from __future__ import annotations

import hashlib
from time import perf_counter

import psycopg

from application.personal_data.encryption import Vault
from application.transparency_log.sequencer import Sequencer
from application.transparency_log.signer import FileSigner
from application.transparency_log.verification import Verification
from benchmarks.demo import demo_county
from benchmarks.ground import Database, Ground, Result, at_least, median

OF_HASHING = 0.5


def copied_and_hashed(database: Database) -> tuple[float, int]:
    """Every row of the log, read as COPY sends it and hashed: the least that anybody must do."""
    began = perf_counter()
    rows = 0
    sql = b"COPY (SELECT * FROM ledger.event ORDER BY position) TO STDOUT (FORMAT binary)"
    with psycopg.connect(database.dsn) as connection, connection.cursor().copy(sql) as copy:
        for row in copy:
            hashlib.sha256(row).digest()
            rows += 1
    return perf_counter() - began, rows - 1


def run(ground: Ground) -> list[Result]:
    database = demo_county(ground, drawn=False)
    vault = Vault(database.keys)
    signer = FileSigner.create(ground.folder / "signing-key.json")
    sealing, verifying, hashing = [], [], []
    rows = 0
    for round_ in range(5 if ground.full else 3):
        seconds, rows = copied_and_hashed(database)
        hashing.append(rows / seconds)
        origin = f"bench-{round_}.local/ledger/sha-256"
        began = perf_counter()
        sequencer = Sequencer(database.dsn, origin, signer, vault.authenticate)
        assert sequencer.catch_up() == rows
        sequencer.close()
        sealing.append(rows / (perf_counter() - began))
        began = perf_counter()
        with psycopg.connect(database.dsn, autocommit=True) as connection:
            found = Verification(
                connection, origin, signer.key(origin), vault.authenticate,
                signed_last=signer.last(origin), dsn=database.dsn,
            ).run()  # fmt: skip
        assert not found.faults
        assert found.sealed == rows
        verifying.append(rows / (perf_counter() - began))
    results = [
        at_least(
            OF_HASHING, id="P6", what=what, ours=f"{median(ours):,.0f} events/s",
            limit=f"{median(hashing):,.0f} events/s: COPY out and SHA-256 over each row",
            ratio=round(median([a / b for a, b in zip(ours, hashing, strict=True)]), 3),
        )
        for what, ours in (
            (f"{rows:,} events sealed from nothing, each one's own seal checked", sealing),
            (f"{rows:,} events verified against their tree", verifying),
        )
    ]  # fmt: skip
    ground.drop(database)
    return results
