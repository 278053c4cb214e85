"""Files and lines of statements: partial, atomic, twice; each row's refusal names its place."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from support import controls
from support.service import Caller, service

from interface.spreadsheet import Column, write_xlsx

HEADER = "流水号 ref,借据号 loan_no,还款日期 effective_on,本金(元) principal,利息(元) interest,"
HEADER += "罚息(元) penalty,付款账号 payer_account,付款户名 payer_name\n"
GOOD = "F1,L1,2023-09-01,100.00,1,0,6222000000000001,张三\n"
FAULTY = (
    "F2,L1,2023-02-29,100.00,1,0,6222000000000001,张三\n"
    "F3,L9,2023-09-01,100.00,1,0,6222000000000001,张三\n"
    "F4,L1,2023/9/1,60000.00,1,0,6222000000000001,张三\n"
    "F5,L1,2023-09-01,1.005,1,0,6222000000000001,张三\n"
    "F6,L1,2023-09-01,1.00,1,0,6.222E+15,张三\n"
)


@pytest.fixture
def bank(database: Any) -> Any:
    with service(database) as callers:
        loan = controls.loan().model_dump(mode="json", exclude_none=True)
        assert callers.NRCB.post("/loans", loan).status_code == 201
        yield callers.NRCB


def upload(bank: Caller, content: bytes, **form: str) -> Any:
    return bank.send(
        "/files", files={"file": ("told", content)}, data={"kind": "repayment", **form}
    )


def lines_of(answer: Any) -> list[dict[str, str]]:
    rows = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")))
    return [{(k or "").split()[-1]: v for k, v in row.items()} for row in rows]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_file_in_a_banks_encoding_is_taken_in_and_the_same_again_changes_nothing(
    bank: Caller, encoding: str
) -> None:
    content = (HEADER + GOOD).encode(encoding)

    first = upload(bank, content)
    second = upload(bank, content)

    assert [first.headers[h] for h in ("x-rows", "x-recorded", "x-refused")] == ["1", "1", "0"]
    assert [second.headers[h] for h in ("x-recorded", "x-told-before")] == ["0", "1"]
    assert lines_of(first)[0]["position"] == lines_of(second)[0]["position"]


def test_each_refused_row_names_its_row_its_column_and_the_rule(bank: Caller) -> None:
    answer = upload(bank, (HEADER + GOOD + FAULTY).encode())

    good, *faulty = lines_of(answer)
    assert good["result"].endswith("recorded")
    assert [(line["row"], line["ref"]) for line in faulty] == [
        ("3", "F2"),
        ("4", "F3"),
        ("5", "F4"),
        ("6", "F5"),
        ("7", "F6"),
    ]
    assert [line["column"].split()[-1] for line in faulty] == [
        "effective_on",
        "loan_no",
        "principal",
        "principal",
        "payer_account",
    ]
    assert [line["code"] for line in faulty][:3] == [
        "no_such_day",
        "loan_unknown",
        "repaid_too_much",
    ]
    assert all(line["reason_zh"] and line["reason_en"] for line in faulty)


def test_an_atomic_file_with_one_faulty_row_records_nothing(bank: Caller) -> None:
    refused = upload(bank, (HEADER + GOOD + FAULTY).encode(), atomic="true")
    later = upload(bank, (HEADER + GOOD).encode(), atomic="true")

    assert refused.headers["x-recorded"] == "0"
    assert lines_of(refused)[0]["code"] == "batch_refused"
    assert later.headers["x-recorded"] == "1"


def test_a_workbook_answers_with_a_workbook(bank: Caller, tmp_path: Any) -> None:
    columns = [
        Column(title.split()[1], title.split()[0], "", kind)  # type: ignore[arg-type]
        for title, kind in zip(
            HEADER.strip().split(","),
            ["identifier", "identifier", "date", "fen", "fen", "fen", "identifier", "text"],
            strict=True,
        )
    ]
    from datetime import date

    row = ("F1", "L1", date(2023, 9, 1), 10_000, 100, 0, "6222000000000001", "张三")
    write_xlsx(tmp_path / "told.xlsx", columns, [row])

    answer = upload(bank, (tmp_path / "told.xlsx").read_bytes())

    assert answer.headers["x-recorded"] == "1"
    assert answer.content.startswith(b"PK")


def test_a_file_without_a_needed_column_is_refused_as_a_whole(bank: Caller) -> None:
    answer = upload(bank, b"ref,loan_no\nF1,L1\n")

    assert answer.status_code == 422
    assert answer.json()["code"] == "header_mismatch"


def test_lines_of_json_are_answered_line_by_line_or_all_together(bank: Caller) -> None:
    good = {"type": "repayment", **controls.repay().model_dump(mode="json", exclude_none=True)}
    lines = [good, {**good, "ref": "RP-2", "principal_fen": "1.00"}, {"type": "nothing"}]
    content = "\n".join([*(json.dumps(line) for line in lines), "{"]).encode()

    together = bank.send("/submissions?atomic=true", content=content)
    apart = bank.send("/submissions", content=content)

    assert together.status_code == 409
    assert json.loads(together.text.splitlines()[0])["code"] == "batch_refused"
    answers = [json.loads(line) for line in apart.text.splitlines()]
    assert [answer.get("code") for answer in answers] == [
        None,
        "malformed",
        "unknown_type",
        "malformed_json",
    ]
    assert answers[1]["errors"][0]["pointer"] == "/principal_fen"
    assert answers[0]["again"] is False
