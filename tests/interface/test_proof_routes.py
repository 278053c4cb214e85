"""Proofs over HTTP: what a bank, a witness and an auditor fetch, and what they are refused."""

from __future__ import annotations

import base64
import json
import math
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support import controls as c
from support.chance import wait_until
from support.service import Callers, service

from application.transparency_log.merkle import SHA256, assure_consistent
from application.transparency_log.notes import (
    COSIGNED,
    Head,
    VerifierKey,
    cosigned_message,
    parse_checkpoint,
)
from application.transparency_log.proofs import admit_witness
from interface.http.routes import transparency_log


@pytest.fixture(scope="module")
def callers(shared_database: Any) -> Iterator[Callers]:
    with service(shared_database) as callers:
        callers.BUREAU.post("/households", c.body(c.household()) | {"ref": "HH-1"})
        callers.NRCB.post("/loans", c.body(c.loan()) | {"ref": "LN-1"})
        callers.FINANCE.post("/loans/L1/subsidy-payments", c.body(c.pay(), "loan_no")
                             | {"ref": "PAY-1"})  # fmt: skip
        yield callers


def repaid(callers: Callers, ref: str, fen: int = 100) -> Any:
    body = c.body(c.repay(principal_fen=fen, interest_fen=0), "loan_no") | {"ref": ref}
    answer = callers.NRCB.post("/loans/L1/repayments", body)
    assert answer.status_code == 201, answer.text
    return answer.json()


class Witness:
    """Somebody with a key of his own."""

    def __init__(self, name: str) -> None:
        self._private = Ed25519PrivateKey.generate()
        public = self._private.public_key().public_bytes_raw()
        self.key = VerifierKey(name, COSIGNED, public)

    def line(self, head: Head) -> str:
        now = int(time.time())
        signature = self._private.sign(cosigned_message(head, now))
        return self.key.line(now.to_bytes(8, "big") + signature)


def test_a_receipt_is_there_soon_after_the_event(callers: Callers) -> None:
    recorded = repaid(callers, "R-1")
    answer = callers.NRCB.get(f"/log/receipts/{recorded['event_ids'][0]}")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    first, extra, index, *_ = answer.text.splitlines()
    assert first == "c2sp.org/tlog-proof@v1"
    assert index == f"index {recorded['position'] - 1}"
    leaf = base64.b64decode(extra.removeprefix("extra "))
    assert b"loan.repaid.v1" in leaf
    assert b"R-1" in leaf
    assert "张三".encode() not in leaf, "nothing personal leaves in a receipt"


def test_a_receipt_is_for_who_told_it_and_for_the_county(callers: Callers) -> None:
    event_id = repaid(callers, "R-2")["event_ids"][0]
    assert callers.AUDIT.get(f"/log/receipts/{event_id}").status_code == 200
    for stranger in (callers.PSBC, callers.T01):
        answer = stranger.get(f"/log/receipts/{event_id}")
        missing = stranger.get(f"/log/receipts/{event_id[:-2]}.999")
        assert (answer.status_code, answer.json()["code"]) == (404, "event_unknown")
        assert missing.json()["code"] == "event_unknown"


def test_a_bank_fetches_the_receipts_of_all_it_told(callers: Callers) -> None:
    told = [repaid(callers, f"B-{n}") for n in range(3)]
    callers.NRCB.get("/log/checkpoint", position=told[-1]["position"])
    lines = callers.NRCB.get("/log/receipts").text.splitlines()
    found = {line["event_id"]: line["receipt"] for line in map(json.loads, lines)}
    for event in told:
        [event_id] = event["event_ids"]
        assert found[event_id] == callers.NRCB.get(f"/log/receipts/{event_id}").text
    page = callers.NRCB.get("/log/receipts", after=told[0]["position"], limit=1).text
    assert json.loads(page)["event_id"] == told[1]["event_ids"][0]
    assert callers.PSBC.get("/log/receipts").text == ""
    assert len(callers.AUDIT.get("/log/receipts", limit=1000).text.splitlines()) > len(lines)


@pytest.mark.parametrize("id", ["x", "0.1", "00000000-0000-0000-0000-000000000000.0"])
def test_no_such_event_has_no_receipt(callers: Callers, id: str) -> None:
    assert callers.AUDIT.get(f"/log/receipts/{id}").status_code in (404, 422)


def test_checkpoints_go_on_from_each_other(callers: Callers) -> None:
    first = repaid(callers, "R-3")["position"]
    before, _ = parse_checkpoint(callers.AUDIT.get("/log/checkpoint", position=first).text)
    second = repaid(callers, "R-4")["position"]
    after, _ = parse_checkpoint(callers.AUDIT.get("/log/checkpoint", position=second).text)
    proof = callers.AUDIT.get("/log/proofs/consistency", old=before.size, size=after.size).json()
    hashes = [bytes.fromhex(text) for text in proof["hashes"]]
    assure_consistent(SHA256, before[1:], after[1:], hashes)
    update = callers.AUDIT.get("/log/checkpoint", old=before.size).text
    assert update.startswith(f"old {before.size}\n")
    sent = [base64.b64decode(x) for x in update.split("\n\n")[0].splitlines()[1:]]
    head, _ = parse_checkpoint(update.partition("\n\n")[2])
    assure_consistent(SHA256, before[1:], head[1:], sent)


def test_the_status_says_what_is_not_sealed(callers: Callers) -> None:
    status = callers.AUDIT.get("/log").json()
    assert status["position"] == status["sealed"] + status["not_sealed_yet"]
    assert status["trouble"] is None
    assert callers.client.get("/healthz").json()["status"] == "ok"


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/log/proofs/inclusion", {"position": 5, "size": 4}),
        ("/log/proofs/inclusion", {"position": 0, "size": 4}),
        ("/log/proofs/consistency", {"old": 5, "size": 4}),
        ("/log/proofs/consistency", {"old": -1, "size": 4}),
        ("/log/checkpoint", {"old": 1 << 63}),
    ],
)
def test_what_cannot_be_proven_is_refused_at_once(
    callers: Callers, path: str, query: dict[str, int]
) -> None:
    answer = callers.AUDIT.get(path, **query)
    assert answer.status_code in (422, 503)


def test_nobody_unknown_sees_the_log(callers: Callers) -> None:
    for path in ("/log", "/log/checkpoint", "/log/witness", "/log/proofs/inclusion"):
        query = "?position=1&size=1"
        assert callers.client.get(f"/v1{path}{query}").status_code == 401


def test_a_witness_cosigns_and_receipts_carry_it(callers: Callers, shared_database: Any) -> None:
    witness, stranger = Witness("psbc.test/witness"), Witness("nobody.test/witness")
    admit_witness(shared_database.owner_dsn, "PSBC", witness.key.text())
    recorded = repaid(callers, "R-5")
    note = callers.PSBC.get("/log/checkpoint", position=recorded["position"]).text
    head, _ = parse_checkpoint(note)
    refused = callers.PSBC.send("/log/witness", content=note + stranger.line(head))
    assert (refused.status_code, refused.json()["code"]) == (422, "cosignature_refused")
    assert callers.PSBC.send("/log/witness", content="x").status_code == 422
    signed = note + witness.line(head) + stranger.line(head)
    answer = callers.PSBC.send("/log/witness", content=signed)
    assert (answer.status_code, answer.json()) == (201, {"added": 1})
    again = callers.PSBC.send("/log/witness", content=signed)
    assert again.json() == {"added": 0}
    receipt = callers.NRCB.get(f"/log/receipts/{recorded['event_ids'][0]}").text
    assert f"\n— {witness.key.name} " in receipt
    assert stranger.key.name not in receipt
    policy = callers.AUDIT.get("/log/witness", quorum=1).text.splitlines()
    assert policy[0].startswith("log mingzhang.local/ledger/sha-256+")
    assert policy[1:] == [
        f"witness {witness.key.name} {witness.key.text()}",
        f"group witnesses 1 {witness.key.name}",
        "quorum witnesses",
    ]
    assert callers.AUDIT.get("/log/witness", quorum=2).status_code == 422
    assert callers.AUDIT.get("/log").json()["witnesses"] == [
        {"organisation": "PSBC", "name": witness.key.name, "cosigned": head.size}
    ]


def test_a_checkpoint_on_paper_has_its_words_and_its_code(callers: Callers) -> None:
    page = callers.AUDIT.get("/log/checkpoint/page")
    assert page.headers["content-type"].startswith("text/html")
    assert "<svg" in page.text
    assert "viewBox" in page.text  # so that the style may give it its 70 mm
    assert "检查点" in page.text
    assert "mingzhang.local/ledger/sha-256" in page.text


def test_an_evidence_bundle_proves_every_event_that_its_trace_shows(callers: Callers) -> None:
    answer = callers.AUDIT.get("/subsidy-payments/PAY-1/evidence")
    assert answer.status_code == 200
    bundle = answer.json()
    assert bundle["format"] == "mingzhang-evidence/2"
    trace = bundle["trace"]
    shown = {event["position"] for event in trace["loan_events"] + trace["household_events"]}
    shown |= {event["position"] for event in trace["told_after_the_payment"]}
    shown.add(trace["payment"]["position"])
    leaves = [base64.b64decode(event["leaf"]) for event in bundle["events"]]
    assert {int.from_bytes(leaf[8:16], "big") for leaf in leaves} == shown
    head, _ = parse_checkpoint(bundle["checkpoint"])
    assert head.size >= max(shown)
    assert {rule["name"] for rule in bundle["rules"]} >= {"lpr_one_year.toml"}
    assert callers.AUDIT.get("/subsidy-payments/NONE/evidence").status_code == 404
    assert callers.PSBC.get("/subsidy-payments/PAY-1/evidence").status_code == 404


def test_an_event_of_the_owners_own_halts_the_sealing_and_shows(
    callers: Callers, shared_database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(shared_database.owner_dsn) as owner:
        owner.execute(
            "INSERT INTO ledger.event SELECT max(position) + 1, now(), gen_random_uuid(), 1,"
            " 'loan.repaid.v1', 'NRCB', 'FORGED', 0, ''::bytea, '{}'::bytea, ''::bytea"
            " FROM ledger.event"
        )
    wait_until(
        lambda: callers.client.get("/healthz").json()["status"] != "ok", "the sealing is halted"
    )
    health = callers.client.get("/healthz").json()
    assert health["status"] == "sealing_halted"
    assert str(health["log_position"]) in health["trouble"]
    assert b"mingzhang_sealing_halted 1.0" in callers.client.get("/metrics").content
    monkeypatch.setattr(
        transparency_log, "_PATIENCE_SECONDS", math.inf
    )  # who waits at all, waits for ever
    answer = callers.AUDIT.get("/log/checkpoint", position=health["log_position"])
    assert (answer.status_code, answer.json()["code"]) == (503, "not_sealed_yet")
