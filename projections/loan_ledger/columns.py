"""The columns of the loan ledger (贷款台账)."""

from __future__ import annotations

from typing import Final

from projections import columns as c

COLUMNS: Final = (
    c.TOWNSHIP,
    c.VILLAGE,
    c.HOUSEHOLD_NO,
    c.CATEGORY,
    c.BANK,
    c.LOAN_NO,
    c.identifier("contract_no", "合同号", "contract number"),
    c.PURPOSE,
    c.PRINCIPAL,
    c.ANNUAL_RATE,
    c.DISBURSED_ON,
    c.DUE_ON,
    c.fen("repaid_fen", "已还本金(元)", "principal repaid"),
    c.OUTSTANDING,
    c.INTEREST,
    c.PENALTY,
    c.SUBSIDY,
    c.day("settled_on", "结清日", "settled on"),
    c.flag("overdue", "逾期", "overdue"),
    c.count("checks", "检查次数", "usage checks", "checks"),
    c.day("last_check_on", "最近检查日", "last checked on"),
    c.DIVERTED_ON,
    c.BORROWER,
    c.LOAN_ID,
)
