"""A promise of inclusion: given with each answer, and held against the log afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from audit.support import NRCB, Key, Log, b64, county, policy, rows_of, tree_hash
from audit.test_with_the_service import fetched, run
from support import controls as c
from support.service import Callers, service

from interface.audit import promise, verify


@pytest.fixture(scope="module")
def callers(shared_database: Any) -> Iterator[Callers]:
    with service(shared_database) as callers:
        callers.BUREAU.post("/households", c.body(c.household()) | {"ref": "HH-1"})
        callers.NRCB.post("/loans", c.body(c.loan()) | {"ref": "LN-1"})
        yield callers


def repayment(ref: str) -> dict[str, Any]:
    return c.body(c.repay(principal_fen=100, interest_fen=0), "loan_no") | {"ref": ref}


def test_each_answer_carries_a_promise_that_the_later_receipt_keeps(
    callers: Callers, tmp_path: Path
) -> None:
    answer = callers.NRCB.post("/loans/L1/repayments", repayment("P-1")).json()
    again = callers.NRCB.post("/loans/L1/repayments", repayment("P-1")).json()
    assert again == answer | {"again": True}, "the first answer, its promise included"
    kept = tmp_path / "promise"
    kept.write_text(answer["promise"], "utf-8")
    trust = fetched(tmp_path, "policy", callers.NRCB.get("/log/witness"))
    alone = run("verify.py", "promise", kept, "--policy", trust)
    assert alone.returncode == 0, alone.stdout
    assert "NRCB P-1 loan.repaid.v1" in alone.stdout, "it says what was recorded"

    event_id = answer["event_ids"][0]
    receipt = fetched(tmp_path, "receipt", callers.NRCB.get(f"/log/receipts/{event_id}"))
    done = run("verify.py", "promise", kept, "--policy", trust, "--receipt", receipt)
    assert (done.returncode, "已守约 kept" in done.stdout) == (0, True), done.stdout
    note = fetched(tmp_path, "note", callers.NRCB.get("/log/checkpoint"))
    asked = run("verify.py", "promise", kept, "--policy", trust, "--checkpoint", note)
    assert (asked.returncode, "give the receipts" in asked.stdout) == (1, True)
    for at in range(0, kept.stat().st_size, 37):
        altered = bytearray(kept.read_bytes())
        altered[at] ^= 1
        with pytest.raises(verify.MALFORMED):
            promise.Promise(bytes(altered), verify.policy_of(trust.read_bytes()))


def test_lines_told_together_have_one_promise_over_all_their_events(
    callers: Callers, tmp_path: Path
) -> None:
    lines = [{"type": "repayment", "loan_no": "L1", **repayment(f"N-{n}")} for n in range(20)]
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    text = callers.NRCB.send("/submissions", content=body).text
    told = [json.loads(line) for line in text.splitlines()]
    assert [("promise" in line) for line in told] == 19 * [False] + [True], told[0]
    trust = fetched(tmp_path, "policy", callers.NRCB.get("/log/witness"))
    kept = tmp_path / "promise"
    kept.write_text(told[-1]["promise"], "utf-8")
    receipts = [
        fetched(tmp_path, f"r{n}", callers.NRCB.get(f"/log/receipts/{line['event_ids'][0]}"))
        for n, line in enumerate(told)
    ]
    some = run("verify.py", "promise", kept, "--policy", trust, "--receipt", *receipts[:-1])
    assert some.returncode == 1
    whole = run("verify.py", "promise", kept, "--policy", trust, "--receipt", *receipts)
    assert (whole.returncode, "已守约 kept" in whole.stdout) == (0, True), whole.stdout


# ---- a log that breaks its word --------------------------------------------------------------


def promised(log: Log, position: int, count: int, *, shown: bool, key: Key | None = None) -> bytes:
    leaves = [log.leaf(n) for n in range(position, position + count)]
    lines = ["mingzhang-promise/1", log.key.name, f"index {position - 1}", f"count {count}",
             "recorded 2026-01-01T00:00:05.000000Z", "until 2026-01-02T00:00:05.000000Z",
             f"hash {b64(tree_hash(log.h, leaves))}"]  # fmt: skip
    lines += [f"leaf {b64(leaf)}" for leaf in leaves] if shown else []
    text = "".join(f"{line}\n" for line in lines)
    return f"{text}\n{(key or log.key).line(text)}".encode()


def verdict(folder: Path, log: Log, data: bytes, *more: str) -> tuple[int, str]:
    (folder / "promise").write_bytes(data)
    (folder / "policy").write_bytes(policy(log.key, quorum="none"))
    words = ["promise", str(folder / "promise"), "--policy", str(folder / "policy"), *more]
    done = subprocess.run([*COMMAND, *words], check=False, capture_output=True, text=True)
    return done.returncode, done.stdout


COMMAND = [sys.executable, "-X", "utf8", str(Path(verify.__file__))]


@pytest.mark.parametrize("shown", [True, False])
@pytest.mark.parametrize("count", [1, 3])
def test_other_events_in_their_place_are_a_broken_promise(
    tmp_path: Path, shown: bool, count: int
) -> None:
    log = Log(rows_of(county(9)))
    changed = county(9)
    changed[5] = type(changed[5])(**{**vars(changed[5]), "ref": "OTHER"})
    other = Log(rows_of(changed))
    data = promised(log, 6, count, shown=shown)
    for name, shows, code, says in (
        ("right", log, 0, "已守约 kept"), ("wrong", other, 1, "违约 BROKEN"),
    ):  # fmt: skip
        files = [tmp_path / f"{name}{n}" for n in range(count)]
        for n, file in enumerate(files):
            file.write_bytes(shows.receipt(6 + n, witnesses=()))
        found = verdict(tmp_path, log, data, "--receipt", *map(str, files))
        assert (found[0], says in found[1]) == (code, True), found


@pytest.mark.parametrize(
    ("seconds", "code", "says"),
    [(1_767_312_005, 0, "not due yet"), (1_767_312_006, 1, "违约 BROKEN")],
)
def test_a_log_that_lacks_them_after_their_time_broke_its_promise(
    tmp_path: Path, seconds: int, code: int, says: str
) -> None:
    log = Log(rows_of(county(9)))
    data = promised(log, 8, 1, shown=True)
    text = log.text(7)
    note = f"{text}\n{log.key.line(text)}{NRCB.line(text, seconds)}"
    (tmp_path / "note").write_text(note, "utf-8")
    found = verdict(tmp_path, log, data, "--checkpoint", str(tmp_path / "note"))
    assert (found[0], says in found[1]) == (code, True), found


def test_a_promise_by_another_key_or_of_other_leaves_is_none(tmp_path: Path) -> None:
    log = Log(rows_of(county(9)))
    stranger = promised(log, 8, 1, shown=True, key=Key("other.test/ledger/sha-256"))
    assert verdict(tmp_path, log, stranger)[0] == 1
    checkpoint = log.checkpoint(witnesses=())
    assert verdict(tmp_path, log, checkpoint)[0] == 1
