"""What the fault tests share: statements to tell, a service to kill, and the checker.

The checker knows what was acknowledged. Every repayment here carries its own number as its
interest in fen, so that it is known again under whatever reference it was stored.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import httpx2
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from support.chance import PATIENCE_SECONDS

from application.access import Organisation, enrol, issue_key
from application.command import Command
from application.commands.loan import DisburseLoan, RepayLoan
from application.fields import Account
from application.ledger import Ledger, Submission
from application.personal_data.encryption import Keys
from domain.kernel import Author, Refused
from interface.deployment import COUNTY_OFFICES

ROOT = Path(__file__).parents[2]
ID_NO = "11010519491231002X"
ACCOUNT = Account(account="62220001", name="张三")


class Place(Protocol):
    """A database of the fixtures `database` and `shared_database`."""

    owner_dsn: str
    dsn: str
    keys: Keys


def in_database(dsn: str, **changed: str) -> str:
    return make_conninfo(**{**conninfo_to_dict(dsn), **changed})  # type: ignore[arg-type]


def asked(dsn: str, question: str, *parameters: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        return connection.execute(question.encode(), parameters or None).fetchall()


def done(dsn: str, *orders: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        for order in orders:
            connection.execute(order.encode())


# ---- statements -----------------------------------------------------------------------


def bank(code: str = "NRCB") -> Author:
    return Author("bank", code, "clerk")


def loan(loan_no: str, *, principal_fen: int = 5_000_000) -> DisburseLoan:
    return DisburseLoan(
        ref=f"loan-{loan_no}",
        effective_on=date(2023, 3, 10),
        loan_no=loan_no,
        contract_no=f"C-{loan_no}",
        contract_on=date(2023, 3, 10),
        household_no=f"H-{loan_no}",
        borrower_id_no=ID_NO,
        principal_fen=principal_fen,
        credited_fen=principal_fen,
        annual_rate_bp=365,
        due_on=date(2024, 3, 10),
        purpose="养牛",
        payee=ACCOUNT,
    )


def repayment(number: int, loan_no: str, *, ref: str = "", principal_fen: int = 0) -> RepayLoan:
    return RepayLoan(
        ref=ref or f"R{number}",
        loan_no=loan_no,
        effective_on=date(2023, 8, 1),
        principal_fen=principal_fen,
        interest_fen=number,
        penalty_fen=0,
        payer=ACCOUNT,
    )


def submit_all(ledger: Ledger, commands: Iterable[Command], by: Author) -> list[Any]:
    """Tell, and fail when anything is refused."""
    outcomes = ledger.submit_all([Submission(command, by) for command in commands])
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    assert not refused, refused[:3]
    return outcomes


def lend(place: Place, by: Author, loan_nos: Sequence[str]) -> None:
    ledger = Ledger(place.dsn, place.keys)
    try:
        submit_all(ledger, map(loan, loan_nos), by)
    finally:
        ledger.close()


# ---- the checker ----------------------------------------------------------------------


class Acknowledged(NamedTuple):
    """A repayment that the ledger said it has."""

    number: int
    loan_no: str
    position: int
    event_id: str


class Verdict(NamedTuple):
    """What became of what was acknowledged; all empty when every promise was kept."""

    lost: list[int]
    doubled: list[int]
    wrong: list[str]
    gaps: bool


KEPT = Verdict([], [], [], False)


def verdict(dsn: str, acknowledged: Iterable[Acknowledged]) -> Verdict:
    """Compare what was acknowledged with what the log holds."""
    loan_nos: dict[str, str] = {}
    stored: dict[int, list[tuple[int, str, str]]] = defaultdict(list)
    positions: list[int] = []
    for position, originator_id, version, topic, content in asked(
        dsn,
        "SELECT position, originator_id::text, originator_version, topic,"
        " convert_from(state, 'UTF8')::jsonb FROM ledger.event ORDER BY position",
    ):
        positions.append(position)
        if topic == "loan.disbursed.v1":
            loan_nos[originator_id] = content["loan_no"]
        elif topic == "loan.repaid.v1":
            place = (position, f"{originator_id}.{version}", loan_nos[originator_id])
            stored[content["interest_fen"]].append(place)
    lost, wrong = [], []
    for told in acknowledged:
        found = stored.get(told.number)
        if found is None:
            lost.append(told.number)
        elif (told.position, told.event_id, told.loan_no) not in found:
            wrong.append(f"{told} stands as {found}")
    doubled = [number for number, places in stored.items() if len(places) > 1]
    return Verdict(lost, doubled, wrong, positions != list(range(1, len(positions) + 1)))


# ---- a service to kill ----------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


class ServiceProcess:
    """`python -m interface.cli serve` on a free loopback port, over a database elsewhere."""

    def __init__(self, dsn: str, folder: Path, keys: Keys) -> None:
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self._environment = {
            **os.environ,
            "MINGZHANG_DSN": dsn,
            "MINGZHANG_DATA": str(folder),
            "MINGZHANG_PORT": str(self.port),
        }
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "keys.json").exists():
            keys.save(folder / "keys.json")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self._folder / "service.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "interface.cli", "serve"],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.wait_until_healthy()

    def wait_until_healthy(self) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                if httpx2.get(f"{self.base}/healthz", timeout=5, verify=False).status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            assert self._process is not None
            assert self._process.poll() is None, f"the service ended:\n{self.last_words()}"
            assert time.monotonic() < until, f"the service is not well:\n{self.last_words()}"
            time.sleep(0.05)

    def last_words(self) -> str:
        return (self._folder / "service.log").read_text("utf-8", "replace")[-3_000:]

    def kill(self) -> None:
        """End it as kill -9 does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    stop = kill


def open_accounts(owner_dsn: str, *banks: str, townships: Sequence[str] = ()) -> dict[str, str]:
    """Enrol the county's offices, these banks and townships; returns a key of each."""
    places = [
        *COUNTY_OFFICES,
        *(Organisation(code, "bank", f"银行{code}") for code in banks),
        *(Organisation(code, "township", f"镇{code}") for code in townships),
        Organisation("DB", "guarantor", "融资担保公司"),
    ]
    enrol(owner_dsn, places)
    return {place.code: issue_key(owner_dsn, place.code, "clerk") for place in places}
