"""A small log in which every way of facts.toml to say a fact occurs, and its facts, by hand."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from audit.support import CALCULATION, HOUSEHOLD, LOAN, START, Event, county, rows_of

from projections.facts.statements import tables

_BY = {"person": "wang", "role": "bank", "effective_on": "2023-07-01"}
BATCH, PROGRAMME = HOUSEHOLD, LOAN
EVENTS = [
    *county(3),
    Event(LOAN, "loan.repaid.v1", "NRCB", "RP-1",
          {**_BY, "principal_fen": 100, "interest_fen": 0, "penalty_fen": 7}),
    Event(LOAN, "loan.corrected.v1", "NRCB", "FIX-1", {**_BY, "corrects": 3}),
    Event(PROGRAMME, "programme.ruled.v1", "BUREAU", "R-1",
          {**_BY, "number": 9, "document": "文〔2023〕9号", "told_on": "2023-07-01",
           "rulings": [{"rule": "cap", "value": [1, "甲"]}, {"rule": "days", "value": 360}]}),
    Event(BATCH, "batch.ordered.v1", "FINANCE", "B-1", {**_BY, "bank": "NRCB", "lines": [1, 2]}),
    Event(HOUSEHOLD, "household.members-changed.v1", "BUREAU", "M-1",
          {**_BY, "left": [{"person": "person-1", "reason": "分户", "code": "split_off"}]}),
    Event(LOAN, "loan.corrected.v1", "FINANCE", "FIX-2", {**_BY, "corrects": 2}),
]  # fmt: skip
assert CALCULATION["amount_fen"] == 46_639
ROWS = rows_of(EVENTS, START + timedelta(microseconds=120_300))


def _first(of: int, by: int, day: str, sign: int = 1) -> str:
    return (
        f'{{"of_position":{of},"position":{by},"recorded_at":"2026-01-01T00:00:{by:02}.1203+00:00",'
        f'"effective_on":"{day}","sign":{sign},'
    )


_H, _L = f'"household_id":"{HOUSEHOLD}"', f'"loan_id":"{LOAN}"'
_BATCH, _JULY = f'"batch_id":"{BATCH}"', "2023-07-01"


def _subsidy(by: int, sign: int) -> str:
    return (
        _first(3, by, "2023-06-25", sign)
        + f'{_L},"payment_no":"PAY-1","recovery_no":null,"period":"2023Q2","paid_fen":'
        f'{sign * 46639},"recovered_fen":0,"due_fen":46639,"voucher":"V-1","batch_no":null,'
        '"payee":"account-1"}'
    )


def _segment(by: int, sign: int) -> str:
    return (
        _first(3, by, "2023-06-25", sign)
        + f'{_L},"payment_no":"PAY-1","period":"2023Q2","first":"2023-03-21","until":"2023-06-21",'
        '"principal_fen":5000000,"rate_bp":365,"share_bp":10000}'
    )


def _posting(
    of: int, by: int, day: str, account: str, counter: str, fen: int, sign: int = 1
) -> str:
    return (
        _first(of, by, day, sign)
        + f'{_L},"account":"{account}","counter_account":"{counter}","amount_fen":{fen}}}'
    )


def _repayment(by: int, sign: int) -> str:
    return (
        _first(4, by, _JULY, sign)
        + f'{_L},"payer":null,"principal_fen":100,"interest_fen":0,"penalty_fen":7}}'
    )


def _ruling(rule: str, value: str) -> str:
    return (
        _first(6, 6, _JULY)
        + f'"number":9,"rule":"{rule}","value":"{value}","document":"文〔2023〕9号",'
        '"told_on":"2023-07-01","plan_no":null}'
    )


LINES: dict[str, list[str]] = {
    "household": [
        _first(1, 1, "2020-01-01")
        + f'{_H},"household_no":"H1","township":"T01","village":"青石村","head":"person-1"}}'
    ],
    "status": [_first(1, 1, "2020-01-01") + f'{_H},"category":"out_of_poverty","reason":null}}'],
    "member": [
        _first(1, 1, "2020-01-01")
        + f'{_H},"person":"person-1","joined":true,"relation":"户主","head":true,"reason":null,'
        '"code":null}',
        _first(8, 8, _JULY)
        + f'{_H},"person":"person-1","joined":false,"relation":null,"head":false,"reason":"分户",'
        '"code":"split_off"}',
    ],
    "loan": [
        _first(2, 2, "2023-03-10")
        + f'{_L},"bank":"NRCB","loan_no":"L1","contract_no":"C1","contract_on":"2023-03-10",{_H},'
        '"household_no":"H1","borrower":"person-1","borrower_age_years":40,'
        '"principal_fen":5000000,"credited_fen":5000000,"annual_rate_bp":365,'
        '"due_on":"2024-03-10","purpose":"养牛","payee":"account-1","renews_loan_no":null}'
    ],
    "posting": [
        _posting(2, 2, "2023-03-10", "principal", "bank", 5_000_000),
        _posting(3, 3, "2023-06-25", "subsidy", "treasury", 46_639),
        _posting(3, 9, "2023-06-25", "subsidy", "treasury", -46_639, -1),
        _posting(4, 4, _JULY, "penalty", "borrower", 7),
        _posting(4, 4, _JULY, "principal", "borrower", -100),
        _posting(4, 5, _JULY, "penalty", "borrower", -7, -1),
        _posting(4, 5, _JULY, "principal", "borrower", 100, -1),
    ],
    "repayment": [_repayment(4, 1), _repayment(5, -1)],
    "subsidy": [_subsidy(3, 1), _subsidy(9, -1)],
    "subsidised": [_segment(3, 1), _segment(9, -1)],
    "ruling": [_ruling("cap", '[1,\\"甲\\"]'), _ruling("days", "360")],
    "batch_step": [
        _first(7, 7, _JULY)
        + f'{_BATCH},"step":"ordered","person":"wang","level":null,"township":null,"place":null,'
        '"until_on":null,"bank":"NRCB","objection_no":null,"line":null,"upheld":null,"reason":null,'
        '"amount_fen":null}'
    ],
    "batch_line_step": [
        _first(7, 7, _JULY) + f'{_BATCH},"line":{line},"step":"ordered","reason":null}}'
        for line in (1, 2)
    ],
}


def write(folder: Path, without: tuple[str, int] | None = None) -> Path:
    """The facts, a file each table; `without`: all but one line of a table."""
    folder.mkdir()
    for table in tables():
        lines = [
            f"{line}\n"
            for number, line in enumerate(LINES.get(table, []))
            if (table, number) != without
        ]
        (folder / f"{table}.ndjson").write_text("".join(lines), "utf-8", newline="\n")
    return folder
