"""The journal of loans whose stored numbers no journal would take as they stand."""

from __future__ import annotations

import shutil
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

from support import controls
from support.controls import BANK
from support.county import conversation, drawn

from domain.money import yuan
from projections.funds import journal_text

ODD = ["A B", "A  B", "A   B", "A;B", "A  ;B", "A\u3000B", 'A"B', "A'B", "A:B", "A::B", "A|B",
       "A%20.B", "(A)", "[A]", "=A", "A@B", "A\u200bB"]  # fmt: skip


def test_odd_loan_numbers_come_back_from_hledger_with_their_sums(
    database: Any, tmp_path: Path
) -> None:
    with conversation(database) as ledger:
        for fen, number in enumerate(ODD, start=1_000_001):
            loan = controls.loan(ref=f"LN-{fen}", principal_fen=fen, credited_fen=fen)
            ledger.submit(loan.model_copy(update={"loan_no": number}), BANK)  # as stored before
    with drawn(database) as facts, facts.at(date(2023, 12, 31)) as view:
        text = "".join(journal_text(view, "hledger"))
    assert all(yuan(fen) in text for fen in range(1_000_001, 1_000_001 + len(ODD)))
    if not shutil.which("hledger"):
        return
    file = tmp_path / "odd.journal"
    file.write_text(text, "utf-8")
    found = subprocess.run(
        ["hledger", "--file", file, "balance", "--flat", "--no-total", "principal"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    sums = sorted(line.split(" CNY ")[0].strip() for line in found.splitlines() if "CNY" in line)
    assert sums == [yuan(fen) for fen in range(1_000_001, 1_000_001 + len(ODD))]
