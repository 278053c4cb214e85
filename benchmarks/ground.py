"""What every benchmark stands on: a server of its own, databases, people, results, medians."""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import psycopg

from application.access import Organisation, enrol
from application.commands.household import RegisterHousehold
from application.commands.loan import DisburseLoan
from application.event_store.migrations import migrate
from application.ledger import Ledger, Recorded, Submission
from application.personal_data.encryption import Keys
from domain.kernel import Author
from interface.deployment import COUNTY_OFFICES
from interface.deployment.embedded_db import EmbeddedPostgres

BANK = Author("bank", "NRCB", "bench")
BUREAU = Author("bureau", "BUREAU", "bench")
FINANCE = Author("finance", "FINANCE", "bench")
PAYER = {"account": "6222021234567890", "name": "张三"}
_numbers = count(1)


class Database(NamedTuple):
    name: str
    dsn: str
    keys: Keys


@dataclass
class Result:
    """One line of the table. `ratio` is what is judged; `ours` and `limit` are for the reader."""

    id: str
    what: str
    ours: str
    limit: str
    ratio: float
    target: str
    reached: bool
    notes: str = ""
    detail: dict[str, Any] = field(default_factory=dict)
    machine: str = ""

    def line(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)


def at_least(wanted: float, **values: Any) -> Result:
    return Result(target=f"≥ {wanted} ×", reached=values["ratio"] >= wanted, **values)


def at_most(wanted: float, **values: Any) -> Result:
    return Result(target=f"≤ {wanted} ×", reached=values["ratio"] <= wanted, **values)


@dataclass(frozen=True)
class Ground:
    """The running server and how much to measure."""

    dsn: str
    folder: Path
    full: bool

    def new_database(self, *, keys: Keys | None = None, schema: bool = True) -> Database:
        name = f"bench_{os.getpid()}_{next(_numbers)}"
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        dsn = f"{self.dsn} dbname={name}"
        if schema:
            migrate(dsn)
            enrol(dsn, [*COUNTY_OFFICES, Organisation("NRCB", "bank", "农商行"),
                        Organisation("T01", "township", "镇一")])  # fmt: skip
        return Database(name, dsn, keys or Keys.generate())

    def drop(self, database: Database) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {database.name} WITH (FORCE)".encode())

    def settle(self) -> None:
        """Get the writing that earlier work left behind out of the next measurement."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute("CHECKPOINT")


@contextmanager
def ground(*, full: bool) -> Iterator[Ground]:
    """The embedded server with the settings of the product, in a folder that goes away."""
    folder = Path(tempfile.mkdtemp(prefix="mzb-", dir=os.environ.get("MINGZHANG_BENCH_TMP")))
    postgres = EmbeddedPostgres(folder / "pg")
    try:
        yield Ground(postgres.start(), folder, full)
    finally:
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


def log(*words: object) -> None:
    print(*words, file=sys.stderr, flush=True)


def seconds_of(work: Callable[[], Any]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def median(values: list[float]) -> float:
    return statistics.median(values)


def percentile(values: list[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


# ---- a county of the plainest kind ------------------------------------------------------


def plain_loans(database: Database, how_many: int, *, prefix: str = "L") -> list[str]:
    """`how_many` loans of 50 000 yuan, one household each ten, told the ordinary way."""
    ledger = Ledger(database.dsn, database.keys)
    households = -(-how_many // 10)
    told: list[Submission] = []
    for number in range(households):
        member = {"name": "张三", "id_no": "11010519491231002X", "relation": "户主", "head": True}
        told.append(Submission(RegisterHousehold.model_validate({
            "ref": f"{prefix}H{number}", "effective_on": "2020-01-01",
            "household_no": f"{prefix}H{number}", "township_code": "T01", "village": "村",
            "category": "out_of_poverty", "members": [member],
        }), BUREAU))  # fmt: skip
    for number in range(how_many):
        told.append(Submission(DisburseLoan.model_validate({
            "ref": f"{prefix}{number}", "effective_on": "2023-03-10",
            "loan_no": f"{prefix}{number}", "contract_no": f"C{number}",
            "contract_on": "2023-03-10", "household_no": f"{prefix}H{number // 10}",
            "borrower_id_no": "11010519491231002X", "principal_fen": 5_000_000,
            "credited_fen": 5_000_000, "annual_rate_bp": 365, "due_on": "2026-03-10",
            "purpose": "养牛", "payee": PAYER,
        }), BANK))  # fmt: skip
    for start in range(0, len(told), 2_000):
        for outcome in ledger.submit_all(told[start : start + 2_000]):
            assert isinstance(outcome, Recorded), outcome
    ledger.close()
    return [f"{prefix}{number}" for number in range(how_many)]


# ---- where it ran -----------------------------------------------------------------------


def machine() -> dict[str, str]:
    model = platform.processor()
    if Path("/proc/cpuinfo").exists():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    return {
        "cpu": model,
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory} GiB",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def server_version(dsn: str) -> str:
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SHOW server_version").fetchone()
    assert row is not None
    return f"PostgreSQL {row[0]}"
