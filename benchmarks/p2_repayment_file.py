"""P2: a file of repayments, decided row by row, beside a raw COPY of the same stored rows."""

from __future__ import annotations

from pathlib import Path
from threading import Event, Thread
from time import perf_counter

import psycopg

from application.commands.loan import RepayLoan
from application.ledger import Ledger
from benchmarks.ground import (
    BANK,
    PAYER,
    Database,
    Ground,
    Result,
    at_least,
    at_most,
    log,
    median,
    plain_loans,
    seconds_of,
)  # fmt: skip
from interface.imports.statement_files import take_in

TARGET = 0.2
LONGEST_WAIT_SECONDS = 2.0
LOANS = 6_000
TITLES = "流水号,借据号,还款日期,本金(元),利息(元),罚息(元),付款账号,付款户名\n"


def write_file(path: Path, rows: int, loans: list[str], prefix: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(TITLES)
        for row in range(rows):
            file.write(
                f"{prefix}{row:08d},{loans[row % len(loans)]},2023-0{4 + row % 5}-{1 + row % 28:02d},"
                f"{row % 9}.{10 + row % 90},12.50,0.00,{PAYER['account']},{PAYER['name']}\n"
            )


class OtherWriter(Thread):
    """Somebody else who tells single repayments all the while."""

    def __init__(self, database: Database) -> None:
        super().__init__(daemon=True)
        self._database = database
        self.stopping = Event()
        self.waits: list[float] = []

    def run(self) -> None:
        ledger = Ledger(self._database.dsn, self._database.keys)
        number = 0
        while not self.stopping.wait(0.02):
            number += 1
            command = RepayLoan.model_validate(
                {"ref": f"OTHER-{id(self)}-{number}", "loan_no": "S0",
                 "effective_on": "2023-08-01", "principal_fen": 0, "interest_fen": 1,
                 "penalty_fen": 0, "payer": PAYER}
            )  # fmt: skip
            self.waits.append(seconds_of(lambda told=command: ledger.submit(told, BANK)))
        ledger.close()


def raw_copy(database: Database, prefix: str) -> float:
    """Copy the very rows that a file left in the log into a table with the same indexes."""
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        cursor = connection.cursor()
        with cursor.copy(
            "COPY (SELECT * FROM ledger.event WHERE organisation = 'NRCB' AND ref LIKE"
            f" '{prefix}%' ORDER BY position) TO STDOUT (FORMAT binary)"
        ) as copy:
            rows = b"".join(bytes(block) for block in copy)
        connection.execute("DROP TABLE IF EXISTS ledger.raw")
        connection.execute("CREATE TABLE ledger.raw (LIKE ledger.event INCLUDING ALL)")
        began = perf_counter()
        with cursor.copy("COPY ledger.raw FROM STDIN (FORMAT binary)") as copy:
            copy.write(rows)
        return perf_counter() - began


def run(ground: Ground) -> list[Result]:
    rows = 100_000 if ground.full else 30_000
    rounds = 3
    database = ground.new_database()
    loans = plain_loans(database, LOANS)
    plain_loans(database, 1, prefix="S")
    results = []
    waits: list[float] = []
    resends = []
    for atomic in (False, True):
        ours, limit = [], []
        for number in range(rounds):
            prefix = f"{'A' if atomic else 'P'}{number}-"
            told, result = ground.folder / f"{prefix}.csv", ground.folder / f"{prefix}.result"
            write_file(told, rows, loans, prefix)
            ground.settle()
            other = OtherWriter(database)
            other.start()
            ledger = Ledger(database.dsn, database.keys)
            began = perf_counter()
            tally = take_in(ledger, told, "repayment", BANK, result, atomic=atomic)
            ours.append(perf_counter() - began)
            other.stopping.set()
            other.join()
            assert tally.recorded == rows, tally
            waits += other.waits
            limit.append(raw_copy(database, prefix))
            if not atomic:
                again = seconds_of(
                    lambda: take_in(ledger, told, "repayment", BANK, result, atomic=False)  # noqa: B023
                )
                resends.append(again)
            ledger.close()
            log(f"P2 {'atomic' if atomic else 'partial'}: {ours[-1]:.2f} s, raw {limit[-1]:.2f} s")
        results.append(at_least(
            TARGET, id="P2",
            what=f"{rows:,}-row repayment file, {'all or nothing' if atomic else 'row by row'}",
            ours=f"{rows / median(ours):,.0f} rows/s",
            limit=f"{rows / median(limit):,.0f} rows/s: raw COPY of the stored rows",
            ratio=round(median(limit) / median(ours), 3),
        ))  # fmt: skip
    results.append(at_most(
        1.0, id="P2", what="longest wait of another writer meanwhile, of 2 s",
        ours=f"{max(waits):.2f} s", limit=f"{LONGEST_WAIT_SECONDS:.0f} s",
        ratio=round(max(waits) / LONGEST_WAIT_SECONDS, 3),
    ))  # fmt: skip
    results.append(at_most(
        1.0, id="P2", what="the same file again, beside the first time",
        ours=f"{rows / median(resends):,.0f} rows/s", limit="the first time",
        ratio=round(median(resends) / median(ours), 3),
    ))  # fmt: skip
    ground.drop(database)
    return results
