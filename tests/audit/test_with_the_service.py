"""The auditor's programs on what a running service gives out, as their users call them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support import controls as c
from support.service import Callers, service

from application.transparency_log.proofs import admit_witness
from domain.household import Household

ROOT = Path(__file__).parents[2]
AUDIT = ROOT / "interface" / "auditor"


@pytest.fixture(scope="module")
def callers(shared_database: Any) -> Iterator[Callers]:
    with service(shared_database) as callers:
        callers.BUREAU.post("/households", c.body(c.household()) | {"ref": "HH-1"})
        callers.NRCB.post("/loans", c.body(c.loan()) | {"ref": "LN-1"})
        paid = c.body(c.pay(), "loan_no") | {"ref": "PAY-1"}
        assert callers.FINANCE.post("/loans/L1/subsidy-payments", paid).status_code == 201
        yield callers


def run(program: str, *words: object) -> subprocess.CompletedProcess[str]:
    """A program of the auditor's as he calls it: a plain script, from a folder of his own."""
    return subprocess.run(
        [sys.executable, str(AUDIT / program), *map(str, words)],
        cwd="/", check=False, capture_output=True, text=True, env={"PYTHONUTF8": "1"},
    )  # fmt: skip


def fetched(folder: Path, name: str, answer: Any) -> Path:
    assert answer.status_code == 200, answer.text
    file = folder / name
    file.write_bytes(answer.content)
    return file


def repaid(callers: Callers, ref: str) -> Any:
    body = c.body(c.repay(principal_fen=100, interest_fen=0), "loan_no") | {"ref": ref}
    return callers.NRCB.post("/loans/L1/repayments", body).json()


def test_a_bank_checks_its_receipt_by_itself(callers: Callers, tmp_path: Path) -> None:
    event_id = repaid(callers, "V-1")["event_ids"][0]
    receipt = fetched(tmp_path, "r.tlog-proof", callers.NRCB.get(f"/log/receipts/{event_id}"))
    policy = fetched(tmp_path, "policy.txt", callers.NRCB.get("/log/witness"))
    done = run("verify.py", "receipt", receipt, "--policy", policy)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "V-1" in done.stdout
    altered = bytearray(receipt.read_bytes())
    altered[40] ^= 1
    receipt.write_bytes(altered)
    assert run("verify.py", "receipt", receipt, "--policy", policy).returncode == 1


def test_a_supervisor_checks_an_evidence_bundle(callers: Callers, tmp_path: Path) -> None:
    bundle = fetched(tmp_path, "e.json", callers.AUDIT.get("/subsidy-payments/PAY-1/evidence"))
    policy = fetched(tmp_path, "policy.txt", callers.AUDIT.get("/log/witness"))
    done = run("verify.py", "bundle", bundle, "--policy", policy)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "46639" in done.stdout
    bundle.write_text(bundle.read_text().replace('"amount_fen":46639', '"amount_fen":46640'))
    assert run("verify.py", "bundle", bundle, "--policy", policy).returncode == 1


def test_a_witness_takes_part_and_then_receipts_need_him(
    callers: Callers, shared_database: Any, tmp_path: Path
) -> None:
    state = tmp_path / "witness"
    made = run("witness.py", "new-key", "psbc.test/witness", "--state", state)
    assert made.returncode == 0, made.stderr
    vkey = next(w for w in made.stdout.split() if w.startswith("psbc.test/witness+"))
    admit_witness(shared_database.owner_dsn, "PSBC", vkey)
    log_key = callers.PSBC.get("/log/witness").text.split()[1]

    event = repaid(callers, "V-2")
    old = 0
    for _ in range(2):
        callers.PSBC.get("/log/checkpoint", position=event["position"])
        update = fetched(tmp_path, "update", callers.PSBC.get("/log/checkpoint", old=old))
        line = run("witness.py", "cosign", update, "--state", state, "--log", log_key)
        assert line.returncode == 0, line.stdout + line.stderr
        note = update.read_text().partition("\n\n")[2]
        cosignature = next(x for x in line.stdout.splitlines() if x.startswith("— psbc"))
        given = callers.PSBC.send("/log/witness", content=f"{note}{cosignature}\n".encode())
        assert given.status_code == 201, given.text
        last, old, event = event, int(note.split("\n")[1]), repaid(callers, f"V-{old + 3}")

    receipt = fetched(
        tmp_path, "r.tlog-proof", callers.NRCB.get(f"/log/receipts/{last['event_ids'][0]}")
    )
    policy = fetched(tmp_path, "policy.txt", callers.NRCB.get("/log/witness", quorum=1))
    done = run("verify.py", "receipt", receipt, "--policy", policy)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "psbc.test/witness" in done.stdout

    callers.NRCB.get("/log/checkpoint", position=event["position"])
    newest = fetched(tmp_path, "newest", callers.NRCB.get("/log/checkpoint"))
    alone = run("verify.py", "checkpoint", newest, "--policy", policy)
    assert alone.returncode == 1, "nobody has cosigned this one yet"


def test_after_an_erasure_every_proof_is_as_good_as_before(
    callers: Callers, shared_database: Any, tmp_path: Path
) -> None:
    registered = f"{Household.id_for('H1')}.1"
    before = fetched(tmp_path, "before", callers.BUREAU.get(f"/log/receipts/{registered}"))
    policy = fetched(tmp_path, "policy.txt", callers.AUDIT.get("/log/witness"))
    owed = callers.AUDIT.get("/loans/L1").json()["loan"]["outstanding_fen"]
    rest = c.body(c.repay(principal_fen=owed, interest_fen=0), "loan_no") | {"ref": "REST"}
    assert callers.NRCB.post("/loans/L1/repayments", rest).status_code == 201
    erased = callers.BUREAU.post(
        "/households/H1/erasure", c.body(c.erasure(), "household_no") | {"ref": "ER-1"}
    )
    assert erased.status_code == 201, erased.text

    event_id = erased.json()["event_ids"][0]
    after = fetched(tmp_path, "after", callers.BUREAU.get(f"/log/receipts/{event_id}"))
    again = fetched(tmp_path, "again", callers.BUREAU.get(f"/log/receipts/{registered}"))
    for receipt in (before, after, again):
        done = run("verify.py", "receipt", receipt, "--policy", policy)
        assert done.returncode == 0, done.stdout
    assert before.read_text().splitlines()[1] == again.read_text().splitlines()[1]
    bundle = fetched(tmp_path, "e.json", callers.AUDIT.get("/subsidy-payments/PAY-1/evidence"))
    assert run("verify.py", "bundle", bundle, "--policy", policy).returncode == 0
    with psycopg.connect(shared_database.owner_dsn) as owner:
        row = owner.execute("SELECT count(*) FROM ledger.household_key").fetchone()
    assert row == (0,)
    assert callers.AUDIT.get("/log").json()["trouble"] is None
