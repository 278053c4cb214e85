"""The columns of an explanation (贴息说明): the loan, its payments, its lines in batches."""

from __future__ import annotations

from typing import Final

from projections import columns as c

SHOWN: Final = (
    c.BANK,
    c.LOAN_NO,
    c.HOUSEHOLD_NO,
    c.TOWNSHIP,
    c.VILLAGE,
    c.DISBURSED_ON,
    c.day("contract_on", "合同日", "contract day"),
    c.DUE_ON,
    c.ANNUAL_RATE,
    c.PRINCIPAL,
    c.flag("lent", "已放款", "whether it is lent as of the day"),
    c.flag("reversed", "放款已冲正", "whether its disbursement was reversed"),
)
LOAN: Final = (c.LOAN_ID, c.identifier("household_id", "户标识", "household's own id"), *SHOWN)
"""With the ids by which the rest is asked for."""
PAYMENTS: Final = (
    c.PAYMENT_NO,
    c.day("paid_on", "拨付日", "paid on"),
    c.RECORDED_AT,
    c.DUE,
    c.PAID,
    c.RECOVERED,
    c.RETURNED,
    c.NET,
    c.VOUCHER,
)
LINES: Final = (
    c.BATCH_NO,
    c.LINE,
    c.KIND,
    c.AMOUNT,
    c.STATE,
    c.REASON,
)
