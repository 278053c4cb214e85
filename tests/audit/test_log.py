"""The whole log: every row, every checkpoint, and the facts of a real database."""

from __future__ import annotations

import json
import shutil
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import psycopg
import pytest
from audit import support
from audit.support import Log, county_log, export_of, policy
from conftest import Database
from support import controls
from support.controls import ADMIN, AUDITOR, BANK, BUREAU, FINANCE, OTHER_BANK, TOWNSHIP
from support.county import conversation, drawn, told
from support.everything import a_case, programme_and_money

from interface.auditor import facts as facts_of_log
from interface.auditor import verify
from projections.facts.comparison import export_facts
from projections.facts.statements import tables
from projections.history import trace

SIZE = 37


class Case(NamedTuple):
    """The files of one check, and how to put it."""

    folder: Path
    log: Log

    def write(self, name: str, data: bytes) -> str:
        path = self.folder / name
        path.write_bytes(data)
        return str(path)

    def check(self, export: bytes, size: int | None = None, *more: str) -> int:
        return verify.main(
            [
                "log", self.write("log.bin", export),
                "--checkpoint", self.write("checkpoint", self.log.checkpoint(size)),
                "--policy", self.write("policy", policy(self.log.key)), *more,
            ]
        )  # fmt: skip


@pytest.fixture(params=["sha-256", "sm3"])
def case(tmp_path: Path, request: Any) -> Case:
    return Case(tmp_path, county_log(SIZE, request.param))


def altered(row: bytes, old: bytes, new: bytes) -> bytes:
    assert row.count(old) >= 1
    return row.replace(old, new, 1)


def test_the_whole_log_is_accepted_with_all_its_earlier_checkpoints(
    case: Case, capsys: Any
) -> None:
    earlier = [case.write(f"{n}", case.log.checkpoint(n, ())) for n in range(SIZE + 1)]

    code = case.check(export_of(case.log.rows), None, "--earlier", *earlier)

    assert code == 0
    assert f"{SIZE} of {SIZE}" in capsys.readouterr().out


def test_rows_behind_the_checkpoint_are_counted_as_not_yet_proven(case: Case, capsys: Any) -> None:
    assert case.check(export_of(case.log.rows), 30) == 0
    assert f"30 of {SIZE}" in capsys.readouterr().out


def test_a_log_that_is_too_short_is_refused(case: Case, capsys: Any) -> None:
    assert case.check(export_of(case.log.rows[:-1])) == 1
    assert f"ends at {SIZE - 1}" in capsys.readouterr().out


@pytest.mark.parametrize("position", [1, 2, 16, 17, SIZE])
def test_an_altered_row_is_found_between_two_checkpoints(
    case: Case, position: int, capsys: Any
) -> None:
    rows = list(case.log.rows)
    rows[position - 1] = altered(rows[position - 1], b'"person"', b'"persom"')
    earlier = [case.write(f"{n}", case.log.checkpoint(n)) for n in range(1, SIZE)]

    assert case.check(export_of(rows), None, "--earlier", *earlier) == 1
    assert f"positions {position}–{position} " in capsys.readouterr().out


def moved(row: int, **other: int) -> bytes:
    """Row `row` of the county's log, said to stand at another place."""
    return support.row_bytes(
        other.get("position", row),
        support.START + timedelta(seconds=other.get("at", row)),
        other.get("version", row - 1),
        support.county(SIZE)[row - 1],
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"position": 21}, "found 21"),
        ({"position": 19}, "found 19"),
        ({"position": -20}, "found -20"),
        ({"version": 20}, "version 20"),
        ({"version": 18}, "version 18"),
        ({"at": 18}, "recorded_at"),
        ({"us": -(9 * 10**18)}, "position 20"),
        ({"us": 9 * 10**18}, "position 20"),
    ],
)
def test_the_first_row_out_of_order_is_named(
    case: Case, change: dict[str, int], says: str, capsys: Any
) -> None:
    rows = list(case.log.rows)
    assert rows[19] == moved(20)
    rows[19] = moved(20, **change)
    if "us" in change:  # an instant that no calendar has
        rows[19] = rows[19][:18] + change["us"].to_bytes(8, "big", signed=True) + rows[19][26:]
    forged = Case(case.folder, Log(rows, case.log.hash_name))  # even when the log signs it

    assert forged.check(export_of(rows)) == 1
    out = capsys.readouterr().out
    assert "位置 position 20" in out and says in out
    assert out.count("\n") == 1


def test_rows_of_one_transaction_share_their_instant(case: Case) -> None:
    rows = list(case.log.rows)
    rows[19] = moved(20, at=19)
    assert Case(case.folder, Log(rows, case.log.hash_name)).check(export_of(rows)) == 0


def test_rows_left_out_doubled_or_swapped_are_refused(case: Case) -> None:
    rows = case.log.rows
    for wrong in (
        rows[:9] + rows[10:],
        rows[:9] + rows[8:],
        [*rows[:9], rows[10], rows[9], *rows[11:]],
        rows[1:],
        [],
    ):
        assert case.check(export_of(wrong)) == 1


def test_a_cut_export_or_a_flipped_bit_in_it_is_refused(tmp_path: Path) -> None:
    log = county_log(4)
    export = export_of(log.rows)
    note = verify.open_checkpoint(log.checkpoint(), verify.policy_of(policy(log.key)))
    path = tmp_path / "log.bin"
    wrong = [export[:length] for length in range(0, len(export), 5)]
    wrong += [export[:-1], export[:-2], *(export + more for more in (b"\0", b"\xff\xff", b"\n"))]
    for bit in range(0, len(export) * 8, 11):
        flipped = bytearray(export)
        flipped[bit // 8] ^= 1 << bit % 8
        wrong.append(bytes(flipped))
    for data in wrong:
        path.write_bytes(data)
        with pytest.raises(verify.Wrong):
            verify.check_log(path, note, [])


def test_an_earlier_checkpoint_of_another_tree_is_refused(case: Case, capsys: Any) -> None:
    fork = [*case.log.rows[:9], moved(10, version=99), *case.log.rows[10:]]
    other = Log(fork, case.log.hash_name)

    earlier = case.write("earlier", other.checkpoint(12, ()))

    assert case.check(export_of(case.log.rows), None, "--earlier", earlier) == 1
    assert "positions 1–12 " in capsys.readouterr().out


# ---- a real log --------- ---------------------------------------------------------------------


class Real(NamedTuple):
    folder: Path
    database: Database
    log: Log

    def check(self, *more: str) -> int:
        words = ["log", str(self.folder / "log.bin"), "--policy", str(self.folder / "policy"),
                 "--checkpoint", str(self.folder / "checkpoint")]  # fmt: skip
        return verify.main([*words, *more])


@pytest.fixture(scope="module")
def real(shared_database: Database, tmp_path_factory: Any) -> Real:
    """A log in which every kind of event was told and some were corrected, exported by COPY."""
    folder = tmp_path_factory.mktemp("real")
    with conversation(shared_database) as ledger:
        submit_everything(ledger)
    with drawn(shared_database) as _:
        pass
    (folder / "facts").mkdir()
    with psycopg.connect(shared_database.dsn) as connection:
        copy(connection, "SELECT * FROM ledger.event ORDER BY position", "FORMAT binary",
             folder / "log.bin")  # fmt: skip
        connection.execute("SET TimeZone = 'Asia/Shanghai'")  # wherever the county's server stands
        counted = dict(export_facts(connection, folder / "facts"))
    for table in tables():
        lines = (folder / "facts" / f"{table}.ndjson").read_bytes().count(b"\n")
        assert lines == counted[table] >= 1, table
    rows = rows_in(folder / "log.bin")
    log = Log(rows)
    (folder / "policy").write_bytes(policy(log.key))
    (folder / "checkpoint").write_bytes(log.checkpoint())
    return Real(folder, shared_database, log)


def copy(connection: Any, query: str, options: str, path: Path) -> None:
    with (
        path.open("wb") as file,
        connection.cursor().copy(f"COPY ({query}) TO STDOUT ({options})".encode()) as rows,
    ):
        for block in rows:
            file.write(block)


def rows_in(path: Path) -> list[bytes]:
    """The rows of an export, cut by the lengths alone."""
    data, at, rows = path.read_bytes(), 19, []
    while data[at : at + 2] != b"\xff\xff":
        begin, at = at, at + 2
        for _ in range(11):
            at += 4 + int.from_bytes(data[at : at + 4], "big")
        rows.append(data[begin:at])
    assert len(data) == at + 2
    return rows


def submit_everything(ledger: Any) -> None:
    _, _, status, _, _, _, _, _, repaid, _, _, _, recovered, *_ = told(
        ledger,
        (controls.household(), BUREAU),
        (controls.members(), BUREAU),
        (controls.status(), BUREAU),
        (controls.demand(), TOWNSHIP),
        (controls.credit(), BANK),
        (controls.credit(ref="CR-2", decision="refused", reason='征信"不良", 见附件',
                         told_on="2023-03-02"), OTHER_BANK),
        (controls.report(), BANK),
        (controls.loan(ground={"document": "借据影像", "note": "x"}), BANK),
        (controls.repay(), BANK),
        (controls.outflow(), BANK),
        (controls.check(), TOWNSHIP),
        (controls.pay(), FINANCE),
        (controls.recover(), FINANCE),
        (controls.remind(), BANK),
        (controls.remind(ref="RM-2", evidence="电话录音, 3分钟"), BANK),
        (controls.extend(), BANK),
        (controls.plan(), TOWNSHIP),
        (controls.loan(ref="LN-2", loan_no="L2", renews_loan_no="L1"), BANK),
        (controls.repay(ref="RP-2", loan_no="L2", principal_fen=5_000_000, penalty_fen=7), BANK),
    )  # fmt: skip
    told(ledger, *programme_and_money(), *a_case(recovered.event_ids[0]))
    told(ledger, (controls.look(), AUDITOR), (controls.unification(), ADMIN))
    told(
        ledger,
        (controls.correct(status.event_ids[0], ref="FIX-1"), BUREAU),
        (
            controls.correct(
                repaid.event_ids[0],
                ref="FIX-2",
                replacement=controls.body(controls.repay(principal_fen=3)),
            ),
            BANK,
        ),
    )


def test_a_real_log_and_its_facts_are_accepted(real: Real, capsys: Any) -> None:
    code = real.check("--facts", str(real.folder / "facts"))

    out = capsys.readouterr().out
    assert code == 0, out
    assert f"{len(real.log.rows)} of {len(real.log.rows)}" in out
    topics = {verify.row_of(BytesIO(row).read).topic for row in real.log.rows}
    assert len(topics) >= 21


def test_the_trace_of_a_real_payment_makes_a_valid_bundle(real: Real) -> None:
    with drawn(real.database) as drawing, drawing.connection() as connection:
        found = trace(connection, "PAY-1")
    assert found is not None
    plain = json.loads(msgspec.json.encode(found.plain(date(2026, 1, 1))))
    bundle = real.log.bundle(plain, "PAY-1", [event.position for event in found.events])
    trust = verify.policy_of(policy(real.log.key))

    said = verify.check_bundle(json.dumps(bundle).encode(), trust)

    assert f"{len(found.events)} of {len(found.events)}" in said


def test_every_altered_fact_cell_is_named_with_its_table(real: Real, facts: Path) -> None:
    """Every cell of each first row, one of each further row, and each kind of other value."""
    export, tried, kinds = real.folder / "log.bin", 0, set[type]()
    for table in tables():
        path = facts / f"{table}.ndjson"
        whole = path.read_text("utf-8")
        lines = whole.splitlines(keepends=True)
        for number, line in enumerate(lines):
            row = json.loads(line)
            columns = list(row) if number == 0 else [list(row)[number % len(row)]]
            for column in columns:
                value = row[column]
                for other in others(value)[: 1 if type(value) in kinds else None]:
                    altered = line_of(row | {column: other})
                    path.write_text(
                        "".join([*lines[:number], altered, *lines[number + 1 :]]), "utf-8"
                    )
                    with pytest.raises(verify.Wrong, match=f"^{table} of_position "):
                        facts_of_log.check_facts(export, facts)
                    tried += 1
                kinds.add(type(value))
        path.write_text(whole, "utf-8")
    assert tried > 400
    facts_of_log.check_facts(export, facts)


def line_of(row: dict[str, Any]) -> str:
    """As PostgreSQL's row_to_json has it."""
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n"


def others(value: Any) -> list[Any]:
    """Another value of the same kind, and the nearest of another kind."""
    if isinstance(value, bool):
        return [not value, int(value), str(value).lower()]
    if isinstance(value, int):
        return [value + 1, float(value), str(value)]
    if value is None:
        return ["", False, 0, "null"]
    return [f"{value} ", f"{value[:-1]}{'1' if value[-1:] != '1' else '2'}", None, [value]]


@pytest.fixture
def facts(real: Real, tmp_path: Path) -> Path:
    """A copy of the exported facts, to be spoiled."""
    return Path(shutil.copytree(real.folder / "facts", tmp_path / "facts"))


def test_a_fact_too_many_too_few_or_of_no_event_is_refused(
    real: Real, facts: Path, capsys: Any
) -> None:
    path = facts / "posting.ndjson"
    first, *lines = path.read_text("utf-8").splitlines(keepends=True)
    row = json.loads(first)
    less = {column: value for column, value in row.items() if column != "account"}
    for wrong in (
        [first, first, *lines],
        [first, *lines, first],
        [first, *lines, lines[-1]],
        lines,
        [first, *lines[:-1]],
        [lines[0], first, *lines[1:]],
        [first, *lines, line_of(row | {"of_position": 9999, "position": 9999})],
        [line_of(row | {"of_position": 0, "position": 0}), first, *lines],
        [],
        [line_of(row | {"more": None}), *lines],
        [line_of(less), *lines],
        [line_of(dict(reversed(row.items()))), *lines],
        [first.replace('"account"', '"account":"bank","account"'), *lines],
        [first.replace(":", ": "), *lines],
        [first.replace("\n", "\r\n"), *lines],
        [first, *lines[:-1], lines[-1][:-1]],
        [first, *lines, "\n"],
        [first, *lines, "{"],
    ):
        path.write_bytes("".join(wrong).encode())
        assert real.check("--facts", str(facts)) == 1
        assert "posting" in capsys.readouterr().out
    path.write_bytes(b"\xff" + "".join([first, *lines]).encode())
    assert real.check("--facts", str(facts)) == 1
    path.unlink()
    assert real.check("--facts", str(facts)) == 1
    assert "posting" in capsys.readouterr().out
    path.write_bytes("".join([first, *lines]).encode())
    assert real.check("--facts", str(facts)) == 0
    (facts / "bonus.ndjson").write_bytes(b"")
    assert real.check("--facts", str(facts)) == 1
    assert "bonus" in capsys.readouterr().out


def test_an_event_of_which_facts_toml_says_nothing_is_refused(facts: Path, tmp_path: Path) -> None:
    export = tmp_path / "log.bin"
    strange = support.Event(
        support.LOAN, "loan.forgiven.v1", "NRCB", "F-1", {"effective_on": "2024-01-05"}
    )
    export.write_bytes(export_of(support.rows_of([strange])))
    with pytest.raises(verify.MALFORMED, match="forgiven"):
        facts_of_log.check_facts(export, facts)
