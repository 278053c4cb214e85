"""Batches over HTTP: a county of two loans, and the steps from a proposal to the answers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from support import controls as c
from support.service import Caller, Callers, service

refs = count(1)
BUDGET_FEN = 200_000
WINDOW = {"effective_on": "2025-04-21", "until_on": "2025-04-30"}
PHOTO = {"document": "公示照片及张贴记录〔2025〕7号"}


def submit(caller: Caller, path: str, status: int = 201, **body: Any) -> Any:
    """The answer to one statement; fails when it is another than `status`."""
    told = {"ref": f"R{next(refs)}", "effective_on": "2025-04-20", **body}
    answer = caller.post(path, told)
    assert answer.status_code == status, answer.text
    return answer.json()


@pytest.fixture
def callers(database: Any) -> Iterator[Callers]:
    """Two households of two townships, each with a loan of 50 000 at 3.10 % since 2025-01-10."""
    with service(database) as callers:
        submit(callers.BUREAU, "/households", **c.body(c.household(effective_on="2024-01-01")))
        submit(
            callers.BUREAU,
            "/households",
            **c.body(
                c.household(
                    household_no="H2",
                    township_code="T02",
                    effective_on="2024-01-01",
                    members=[
                        {"name": "李四", "id_no": c.OTHER_ID_NO, "relation": "户主", "head": True}
                    ],
                )
            ),
        )
        for bank, loan_no, home, id_no in (
            (callers.NRCB, "L1", "H1", c.ID_NO),
            (callers.PSBC, "L2", "H2", c.OTHER_ID_NO),
        ):
            submit(
                bank,
                "/loans",
                **c.body(
                    c.loan(
                        loan_no=loan_no,
                        household_no=home,
                        borrower_id_no=id_no,
                        effective_on="2025-01-10",
                        contract_on="2025-01-10",
                        due_on="2026-01-10",
                        annual_rate_bp=310,
                    )
                ),
            )
        submit(
            callers.FINANCE,
            "/programme/rulings",
            effective_on="2025-01-01",
            ground={"document": "邓财预〔2025〕3号"},
            rulings=[{"rule": "budget_fen", "value": BUDGET_FEN}],
        )
        submit(
            callers.FINANCE,
            "/funds/allocations",
            effective_on="2025-01-15",
            year=2025,
            amount_fen=BUDGET_FEN,
            voucher="XD-1",
        )
        yield callers


def proposed(callers: Callers, batch_no: str = "PC-1", **other: Any) -> Any:
    return submit(callers.CENTRE, "/batches", batch_no=batch_no, **{"period": "2025Q1", **other})


def noticed(callers: Callers, batch_no: str = "PC-1") -> None:
    """Verified, and posted at every level for ten days: reported years later, on a document."""
    submit(callers.BUREAU, f"/batches/{batch_no}/verification")
    window = {**WINDOW, "ground": PHOTO}
    for township in (callers.T01, callers.T02):
        for level in ("village", "township"):
            submit(township, f"/batches/{batch_no}/notices", level=level, place="公示栏", **window)
    submit(callers.CENTRE, f"/batches/{batch_no}/notices", level="county", place="网站", **window)


def approved(callers: Callers, batch_no: str = "PC-1") -> None:
    noticed(callers, batch_no)
    submit(callers.FINANCE, f"/batches/{batch_no}/approval", effective_on="2025-05-01")


def funds(callers: Callers, **query: Any) -> dict[str, int]:
    position = callers.client.get("/healthz").json()["log_position"]
    [line] = callers.AUDIT.get("/ledgers/funds", position=position, **query).json()["lines"]
    assert line["allocated_fen"] == line["reserved_fen"] + line["paid_fen"] + line["free_fen"]
    return line


def batch(callers: Callers, batch_no: str = "PC-1") -> dict[str, Any]:
    position = callers.client.get("/healthz").json()["log_position"]
    found = callers.AUDIT.get(f"/batches/{batch_no}", position=position).json()
    return found["batch"]


# 2025-01-10 … 03-20: 70 days of 50 000 at 3.10 %: 301.39; LPR in force 3.10 %
DUE_FEN = 30_139


def paid_in_full(callers: Callers) -> None:
    proposed(callers)
    approved(callers)
    for line, (bank, caller) in enumerate(
        (("NRCB", callers.NRCB), ("PSBC", callers.PSBC)), start=1
    ):
        submit(callers.FINANCE2, "/batches/PC-1/orders", effective_on="2025-05-02", bank=bank)
        submit(
            caller,
            "/batches/PC-1/results",
            effective_on="2025-05-03",
            results=[{"line": line, "paid": True, "voucher": f"V{line}"}],
        )
