"""The columns of the subsidy ledger (贴息台账)."""

from __future__ import annotations

from typing import Final

from projections import columns as c

COLUMNS: Final = (
    c.TOWNSHIP,
    c.VILLAGE,
    c.HOUSEHOLD_NO,
    c.BANK,
    c.LOAN_NO,
    c.PERIOD,
    c.PAYMENT_NO,
    c.day("paid_on", "拨付日", "paid on"),
    c.DUE,
    c.PAID,
    c.RECOVERED,
    c.RETURNED,
    c.NET,
    c.VOUCHER,
    c.PRINCIPAL,
    c.ANNUAL_RATE,
    c.BORROWER,
    c.LOAN_ID,
    c.POSITION,
)
