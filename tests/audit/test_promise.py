"""A promise of inclusion: given with each answer, and held against the log afterwards."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from audit.support import NRCB, Key, Log, b64, county, export_of, policy, rows_of, tree_hash
from audit.test_with_the_service import fetched, run
from support import controls as c
from support.service import Callers, service

from application.transparency_log.rows import export_log
from interface.auditor import promise, verify
from interface.spreadsheet import Column, write_xlsx


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


FILE_HEADER = (
    "流水号 ref,借据号 loan_no,还款日期 effective_on,本金(元) principal,利息(元) interest,"
    "罚息(元) penalty,付款账号 payer_account,付款户名 payer_name\n"
)


def file_of(*refs: str) -> bytes:
    row = "{},L1,2023-09-01,1.00,0,0,6222000000000001,张三\n"
    return (FILE_HEADER + "".join(map(row.format, refs))).encode()


def upload(callers: Callers, content: bytes, **form: str) -> Any:
    form = {"kind": "repayment", **form}
    answer = callers.NRCB.send("/files", files={"file": ("told", content)}, data=form)
    assert answer.status_code == 200, answer.text
    return answer


def workbook(folder: Path, content: bytes) -> bytes:
    titles, *rows = csv.reader(io.StringIO(content.decode()))
    columns = [Column(title.split()[-1], title.split()[0], "", "text") for title in titles]
    write_xlsx(folder / "told.xlsx", columns, rows)
    return (folder / "told.xlsx").read_bytes()


@pytest.mark.parametrize("form", ["csv", "xlsx", "atomic"])
def test_a_result_file_carries_promises_that_the_log_keeps(
    callers: Callers, shared_database: Any, tmp_path: Path, form: str
) -> None:
    refs = [f"{form}-{n}" for n in range(20)]
    content = file_of(*refs, "bad row," if form == "csv" else refs[0])
    content = workbook(tmp_path, content) if form == "xlsx" else content
    answer = upload(callers, content, atomic=str(form == "atomic").lower())
    told = fetched(tmp_path, "result", answer)
    trust = fetched(tmp_path, "policy", callers.NRCB.get("/log/witness"))
    alone = run("verify.py", "promise", told, "--policy", trust)
    assert (alone.returncode, alone.stdout.count("承诺 promise")) == (0, 1), alone.stdout

    receipts = all_receipts(callers, tmp_path)
    kept = run("verify.py", "promise", told, "--policy", trust, "--receipt", receipts)
    assert (kept.returncode, kept.stdout.count("已守约 kept")) == (0, 1), kept.stdout
    note = tmp_path / "note"
    words = ["--policy", trust, "--checkpoint", note, "--promise", told]
    in_log = run("verify.py", "log", exported(shared_database, tmp_path), *words)
    assert (in_log.returncode, in_log.stdout.count("已守约 kept")) == (0, 1), in_log.stdout

    again = fetched(tmp_path, "again", upload(callers, file_of(*refs)))
    whole = run("verify.py", "promise", again, "--policy", trust, "--receipt", receipts)
    assert (whole.returncode, whole.stdout.count("已守约 kept")) == (0, 1), "the answer was lost"


def all_receipts(callers: Callers, folder: Path) -> Path:
    """The bank's receipts as it fetches them at night, when all is sealed; and the checkpoint."""
    last = callers.NRCB.get("/log").json()["position"]
    fetched(folder, "note", callers.NRCB.get("/log/checkpoint", position=last))
    return fetched(folder, "receipts", callers.NRCB.get("/log/receipts", limit=1000))


def exported(database: Any, folder: Path) -> Path:
    with psycopg.connect(database.dsn) as connection, (folder / "log.bin").open("wb") as file:
        export_log(connection, file)
    return folder / "log.bin"


def test_a_promise_is_over_ones_own_events_alone_also_when_a_file_is_sent_again(
    callers: Callers, tmp_path: Path
) -> None:
    for ref in ("S-1", "S-2"):
        callers.NRCB.post("/loans/L1/repayments", repayment(ref))
    seen = c.body(c.check(), "loan_no") | {"ref": "UC-1", "bank": "NRCB"}
    assert callers.T01.post("/loans/L1/usage-checks", seen).status_code == 201
    callers.NRCB.post("/loans/L1/repayments", repayment("S-4"))
    lines = [{"type": "repayment", "loan_no": "L1", **repayment(f"S-{n}")} for n in (4, 2, 1, 5, 5)]
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    told = fetched(tmp_path, "told", callers.NRCB.send("/submissions", content=body))
    answered = [json.loads(line) for line in told.read_bytes().splitlines()]
    assert [line["again"] for line in answered] == [True, True, True, False, True]
    assert ["promise" in line for line in answered] == [False, True, False, False, True]
    assert all(line["event_ids"] for line in answered)
    trust = fetched(tmp_path, "policy", callers.NRCB.get("/log/witness"))
    receipts = all_receipts(callers, tmp_path)
    whole = run("verify.py", "promise", told, "--policy", trust, "--receipt", receipts)
    assert (whole.returncode, whole.stdout.count("已守约 kept")) == (0, 2), whole.stdout


def test_an_event_altered_since_is_not_promised_again(
    callers: Callers, shared_database: Any
) -> None:
    upload(callers, file_of("ALT-1"))
    with psycopg.connect(shared_database.owner_dsn) as owner:
        owner.execute("ALTER TABLE ledger.event DISABLE TRIGGER append_only")
        owner.execute(
            "UPDATE ledger.event SET state = convert_to(replace(convert_from(state, 'UTF8'),"
            " '100', '900'), 'UTF8') WHERE ref = 'ALT-1'"
        )
        owner.commit()
        answer = upload(callers, file_of("ALT-1"))
        owner.execute(
            "UPDATE ledger.event SET state = convert_to(replace(convert_from(state, 'UTF8'),"
            " '900', '100'), 'UTF8') WHERE ref = 'ALT-1'"
        )
        owner.execute("ALTER TABLE ledger.event ENABLE ALWAYS TRIGGER append_only")
    assert b"mingzhang-promise" not in answer.content


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


# ---- a promise held to the exported log --------------------------------------------------------


def held(folder: Path, log: Log, note: str | bytes, *promises: bytes) -> tuple[int, str]:
    """`verify.py log` of a log, its checkpoint, and promises."""
    (folder / "log.bin").write_bytes(export_of(log.rows))
    (folder / "policy").write_bytes(policy(log.key, quorum="none"))
    (folder / "note").write_bytes(note if isinstance(note, bytes) else note.encode())
    files = [folder / f"promise{n}" for n in range(len(promises))]
    for file, data in zip(files, promises, strict=True):
        file.write_bytes(data)
    words = ["log", folder / "log.bin", "--policy", folder / "policy", "--checkpoint",
             folder / "note", "--promise", *files]  # fmt: skip
    done = subprocess.run([*COMMAND, *map(str, words)], check=False, capture_output=True, text=True)
    return done.returncode, done.stdout


@pytest.mark.parametrize("shown", [True, False])
def test_the_exported_log_shows_which_promises_were_kept(tmp_path: Path, shown: bool) -> None:
    log = Log(rows_of(county(9)))
    changed = county(9)
    changed[5] = type(changed[5])(**{**vars(changed[5]), "ref": "OTHER"})
    other = Log(rows_of(changed))
    kept, broken = promised(log, 2, 3, shown=shown), promised(log, 6, 1, shown=shown)
    assert held(tmp_path, log, log.checkpoint(witnesses=()), kept, broken)[0] == 0
    code, said = held(tmp_path, other, other.checkpoint(witnesses=()), kept, broken)
    assert (code, said.count("违约 BROKEN")) == (1, 1), said
    assert "position 6" in said if shown else "6–6" in said


@pytest.mark.parametrize(
    ("seconds", "code", "says"),
    [
        (1_767_312_005, 0, "not due yet"),
        (1_767_312_006, 1, "违约 BROKEN"),
        (None, 1, "NOT KEPT"),
    ],
)
def test_an_export_that_does_not_reach_so_far_is_judged_by_the_witness_else_by_the_clock(
    tmp_path: Path, seconds: int | None, code: int, says: str
) -> None:
    log = Log(rows_of(county(9)))
    text = log.text(7)
    cosigned = "" if seconds is None else NRCB.line(text, seconds)
    note = f"{text}\n{log.key.line(text)}{cosigned}"
    found = held(tmp_path, log, note, promised(log, 8, 1, shown=True))
    assert (found[0], says in found[1]) == (code, True), found


def test_a_promise_of_another_log_or_none_at_all_is_said(tmp_path: Path) -> None:
    log = Log(rows_of(county(9)))
    note = log.checkpoint(witnesses=())
    for wrong in (
        promised(Log(log.rows, name="other.test/ledger"), 2, 1, shown=True),
        promised(Log(log.rows, "sm3"), 2, 1, shown=True),
        b"PK no book", b"", b'{"promise": null}', note,
    ):  # fmt: skip
        code, said = held(tmp_path, log, note, wrong)
        assert (code, said.count("\n")) == (1, 1), said
    for words in (["receipt", "x"], ["checkpoint", "x"], ["promise", "x"]):
        words += ["--policy", "p", "--promise", "y"]
        done = subprocess.run([*COMMAND, *words], check=False, capture_output=True, text=True)
        assert done.returncode == 2, "only a log is held to promises by this option"
