"""The command line: the same commands and questions on the same store."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from support import controls
from support.controls import BANK, BUREAU, FINANCE
from support.county import conversation, told
from typer.testing import CliRunner

from interface.cli.app import app
from interface.cli.terminal import OUT


class CommandLine:
    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment

    def __call__(self, *words: str, ends: int = 0) -> str:
        outcome = CliRunner().invoke(app, list(words), env=self._environment)
        assert outcome.exit_code == ends, outcome.output + str(outcome.exception)
        return outcome.output


@pytest.fixture
def mingzhang(database: Any, tmp_path: Path, monkeypatch: Any) -> CommandLine:
    """A county with one subsidised loan, and the command line over it."""
    database.keys.save(tmp_path / "keys.json")
    with conversation(database) as ledger:
        told(
            ledger,
            (controls.household(), BUREAU),
            (controls.loan(), BANK),
            (controls.pay(ground={"document": "批复7号"}), FINANCE),
        )
    monkeypatch.setattr(OUT, "width", 200)
    return CommandLine({"MINGZHANG_DSN": database.dsn, "MINGZHANG_DATA": str(tmp_path)})


def test_a_payment_is_traced_on_the_terminal(mingzhang: CommandLine) -> None:
    shown = mingzhang("trace", "PAY-1")
    plain = json.loads(mingzhang("trace", "PAY-1", "--json"))

    assert "466.39" in shown
    assert "批复7号" in shown
    assert plain["calculation"]["amount_fen"] == 46_639
    assert "no such payment" in mingzhang("trace", "PAY-9", ends=1)


def test_a_file_of_lines_is_imported_once_however_often_it_is_told(
    mingzhang: CommandLine, tmp_path: Path
) -> None:
    told = {"type": "repayment", **controls.repay().model_dump(mode="json", exclude_none=True)}
    path = tmp_path / "told.ndjson"
    path.write_text(json.dumps(told) + "\n", "utf-8")

    first = mingzhang("import", str(path), "--as", "NRCB:bank")
    second = mingzhang("import", str(path), "--as", "NRCB:bank")
    nobody = mingzhang("import", str(path), "--as", "NOBODY:bank", ends=2)

    assert "recorded 1" in first
    assert "told before 1" in second
    assert "no such organisation" in nobody


def test_a_table_is_imported_and_its_result_file_written(
    mingzhang: CommandLine, tmp_path: Path
) -> None:
    path = tmp_path / "told.csv"
    path.write_text(
        "流水号,借据号,还款日期,本金(元),利息(元),罚息(元),付款账号,付款户名\n"
        "F1,L1,2023-09-01,100.00,1,0,6222000000000001,张三\n"
        "F2,L9,2023-09-01,100.00,1,0,6222000000000001,张三\n",
        "utf-8",
    )

    shown = mingzhang("import", str(path), "--as", "NRCB:bank", ends=1)

    assert "recorded 1" in shown
    assert "refused 1" in shown
    with (tmp_path / "told.result.csv").open(encoding="utf-8-sig") as result:
        assert [row[4] for row in csv.reader(result)][1:] == ["", "loan_unknown"]


def test_the_ledger_of_a_day_is_shown_exported_and_rebuilt(
    mingzhang: CommandLine, tmp_path: Path
) -> None:
    shown = mingzhang("ledger", "loans", "--as-of", "2023-12-31")
    before = mingzhang("ledger", "loans", "--as-of", "2023-03-09")
    mingzhang("export", str(tmp_path / "loans.csv"), "--as-of", "2023-12-31")
    rebuilt = mingzhang("rebuild")

    assert "50000.00" in shown
    assert "50000.00" not in before
    assert "50000.00" in (tmp_path / "loans.csv").read_text("utf-8-sig")
    assert "equal to the facts before" in rebuilt


def test_histories_and_changes_are_shown(mingzhang: CommandLine) -> None:
    loan = mingzhang("history", "NRCB", "L1")
    household = mingzhang("history", "household", "H1")
    changed = mingzhang("changes", "2020-01-01T00:00:00Z", "--as-of", "2023-12-31")

    assert "放款" in loan
    assert "贴息拨付" in loan
    assert "登记" in household
    assert "all explained: True" in changed
    assert "466.39" in changed


def test_keys_are_issued_once_shown_and_revoked(mingzhang: CommandLine) -> None:
    mingzhang("keys", "enrol", "ABC", "bank", "农行")
    key = mingzhang("keys", "issue", "ABC", "clerk").strip()

    assert key.startswith("mz_")
    assert "1 revoked" in mingzhang("keys", "revoke", "ABC", "clerk")
    assert "0 revoked" in mingzhang("keys", "revoke", "ABC", "clerk")


def test_a_log_without_its_key_file_is_not_opened(mingzhang: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "keys.json").unlink()

    assert "cannot start" in mingzhang("ledger", ends=2)


def test_a_look_on_the_terminal_is_recorded_and_listed_and_shows_nothing_twice(
    mingzhang: CommandLine,
) -> None:
    words = ("look", "H1", "--as", "AUDIT:auditor", "--person", "bao", "--ref", "LK-1")
    shown = json.loads(mingzhang(*words, "--reason", "核对付款账户"))
    again = mingzhang(*words, "--reason", "核对付款账户", ends=1)
    short = mingzhang(*words[:-1], "LK-2", "--reason", "查", ends=1)

    assert shown["members"][0]["id_no"] == controls.ID_NO
    assert shown["loan_events"][0]["personal"]["payee_name"] == "张三"
    assert controls.ID_NO not in again
    assert "too_short" in short
    listed = mingzhang("looks", "H1")
    assert "bao" in listed
    assert "核对付款账户" in listed
    assert "nothing is known" in mingzhang("looks", "H9", ends=1)


def test_an_erasure_and_a_rotation_on_the_terminal(mingzhang: CommandLine, tmp_path: Path) -> None:
    words = ("erase", "H1", "--as", "BUREAU:bureau", "--person", "li", "--ref", "ER-1")
    because = ("--reason", "本人申请删除", "--document", "申请书")
    open_loans = mingzhang(*words, *because, ends=1)
    path = tmp_path / "told.ndjson"
    told = {"type": "repayment", **controls.repay(principal_fen=5_000_000).model_dump(mode="json")}
    path.write_text(json.dumps(told) + "\n", "utf-8")
    mingzhang("import", str(path), "--as", "NRCB:bank")
    secret = (tmp_path / "keys.json").read_text()

    assert "household_has_open_loans" in open_loans
    assert "NRCB/L1" in open_loans
    assert "erased H1" in mingzhang(*words, *because)
    assert "told before" in mingzhang(*words, *because)
    assert "re-wrapped 0" in mingzhang("keys", "rotate-wrapping")
    assert (tmp_path / "keys.json").read_text() != secret
    assert "household_erased" in mingzhang(
        "look", "H1", "--as", "AUDIT:auditor", "--person", "bao", "--ref", "LK-1",
        "--reason", "核对付款账户", ends=1,
    )  # fmt: skip
    assert "个人信息销毁" in mingzhang("history", "household", "H1")
    assert "466.39" in mingzhang("trace", "PAY-1")
    assert "equal to the facts before" in mingzhang("rebuild")


def test_duties_are_a_ledger_of_the_command_line_and_an_unknown_ledger_is_refused(
    mingzhang: CommandLine, tmp_path: Path
) -> None:
    assert "usage_check" in mingzhang("ledger", "duties", "--as-of", "2023-12-31")
    path = tmp_path / "duties.csv"
    mingzhang("export", str(path), "--which", "duties", "--as-of", "2023-12-31")
    assert "贷后检查" in path.read_text("utf-8-sig")
    assert "no such ledger" in mingzhang("ledger", "duty", ends=2)


def test_red_flags_are_listed_exported_and_proven_on_the_terminal(
    database: Any, mingzhang: CommandLine, tmp_path: Path
) -> None:
    from projections.red_flags import rule, rules

    with conversation(database) as ledger:
        ledger.submit(controls.repay(principal_fen=4_600_000, effective_on="2023-03-16"), BANK)
    lines = mingzhang("red-flags").splitlines()
    shown = mingzhang("red-flags", "--rule", "RF11", "--as-of", "2023-03-17")
    before = mingzhang("red-flags", "--rule", "RF11", "--as-of", "2023-03-15")
    file = tmp_path / "flags.csv"
    mingzhang("red-flags", "--csv", str(file), "--as-of", "2023-03-17")

    listed = [line for line in lines if line.startswith("RF")]
    assert [line.split("\t")[0] for line in listed] == [each.id for each in rules()]
    assert rule("RF11").title_zh in shown
    assert "NRCB/L1\t50000.00" in shown
    assert "NRCB/L1" not in before
    with file.open(encoding="utf-8-sig", newline="") as told:
        [line] = [row for row in csv.DictReader(told) if row["规则 rule"] == "RF11"]
    assert (line["对象 subject"], line["金额(元) amount_yuan"]) == ("NRCB/L1", "50000.00")
    assert "no such red flag" in mingzhang("red-flags", "--rule", "RF00", ends=2)

    mingzhang("log", "seal")
    bundle = tmp_path / "finding.json"
    words = ("--as-of", "2023-03-17", "--out", str(bundle))
    mingzhang("evidence", "RF11", "--subject", "NRCB/L1", *words)
    assert json.loads(bundle.read_text("utf-8"))["finding"]["subject"] == "NRCB/L1"
    assert "not flagged" in mingzhang("evidence", "RF11", "--subject", "NRCB/L2", *words, ends=1)


def test_a_loan_says_on_the_terminal_why_it_has_its_subsidy_or_none(mingzhang: CommandLine) -> None:
    paid = mingzhang("why", "NRCB", "L1", "2023Q2")
    later = mingzhang("why", "NRCB", "L1", "2024Q2", "--as-of", "2024-07-01")
    plain = json.loads(mingzhang("why", "NRCB", "L1", "2024Q2", "--json"))

    assert "466.39" in paid and "PAY-1" in paid and "两法一致" in paid
    assert "合同 2024-03-10 到期" in later
    assert [reason["reason"] for reason in plain["reasons"]] == ["overdue"]
    assert "no such loan" in mingzhang("why", "NRCB", "L9", "2023Q2", ends=1)
    assert "not a quarter" in mingzhang("why", "NRCB", "L1", "2023", ends=1)
    assert "no ruling" in mingzhang("why", "NRCB", "L1", "2001Q1", ends=1)
