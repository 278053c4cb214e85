"""P9: the most memory that a file and a rebuild take, whatever their size."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.ground import Database, Ground, Result, at_most, plain_loans
from benchmarks.p2_repayment_file import LOANS, write_file

MOST_MB = 500


def run(ground: Ground) -> list[Result]:
    results = []
    sizes = (30_000, 100_000, 1_000_000) if ground.full else (10_000, 100_000)
    for rows in sizes:
        database = ground.new_database()
        loans = plain_loans(database, LOANS)
        told = ground.folder / "told.csv"
        write_file(told, rows, loans, "M")
        for work in ("file", "atomic", "rebuild", "seal", "verify"):
            if work == "atomic" and rows > 100_000:
                continue
            if work == "atomic":
                write_file(told, rows, loans, "N")
            used = _in_a_process(database, told, work)
            results.append(at_most(
                1.0, id="P9", what=f"{work}, {rows:,} repayments", ours=f"{used} MB",
                limit=f"{MOST_MB} MB", ratio=round(used / MOST_MB, 2),
            ))  # fmt: skip
        ground.drop(database)
        (ground.folder / "signing-key.last").unlink()
    return results


def _in_a_process(database: Database, told: Path, work: str) -> int:
    keys = told.with_suffix(".keys")
    keys.unlink(missing_ok=True)
    database.keys.save(keys)
    answer = subprocess.run(
        [sys.executable, "-m", "benchmarks.p9_memory", database.dsn, str(keys), str(told), work],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return int(json.loads(answer.stdout)["mb"])


def main() -> None:
    import psycopg

    from application.ledger import Ledger
    from application.personal_data.encryption import Keys, Vault
    from application.transparency_log.sequencer import Sequencer
    from application.transparency_log.signer import FileSigner
    from application.transparency_log.verification import Verification
    from benchmarks.ground import BANK
    from interface.imports.statement_files import take_in
    from projections.facts.draw import Projector

    dsn, keys, told, work = sys.argv[1:5]
    if work == "rebuild":
        Projector(dsn).rebuild()
    elif work in ("seal", "verify"):
        origin = "bench.local/ledger/sha-256"
        signer = FileSigner.create(Path(told).with_name("signing-key.json"))
        authenticate = Vault(Keys.load(Path(keys))).authenticate
        if work == "seal":
            Sequencer(dsn, origin, signer, authenticate).catch_up()
        else:
            with psycopg.connect(dsn, autocommit=True) as connection:
                found = Verification(connection, origin, signer.key(origin), authenticate).run()
            assert not found.faults
    else:
        ledger = Ledger(dsn, Keys.load(Path(keys)))
        path = Path(told)
        take_in(ledger, path, "repayment", BANK, path.with_suffix(".out"), atomic=work == "atomic")
    status = Path("/proc/self/status").read_text()
    most_kb = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    print(json.dumps({"mb": int(most_kb) // 1024}))


if __name__ == "__main__":
    main()
