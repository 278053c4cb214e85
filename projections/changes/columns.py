"""The columns of the knowledge diff (认知差异), by ledger: the line, its sums, their causes."""

from __future__ import annotations

from typing import Final, Literal

from projections import columns as c

Which = Literal["loans", "subsidies"]

KEYS: Final[dict[Which, c.Columns]] = {
    "loans": (c.BANK, c.LOAN_NO),
    "subsidies": (c.BANK, c.LOAN_NO, c.PAYMENT_NO),
}
SUMS: Final[dict[Which, c.Columns]] = {
    "loans": (c.OUTSTANDING, c.INTEREST, c.PENALTY, c.SUBSIDY),
    "subsidies": (c.NET,),
}
CAUSES: Final = (
    c.text("cause", "原因事件", "event that caused it"),
    c.text("amount_of", "款项", "kind of amount"),
    c.AMOUNT,
    c.EFFECTIVE_ON,
    c.RECORDED_AT,
    c.ORGANISATION,
    c.EVENT_ID,
)
COLUMNS: Final[dict[Which, c.Columns]] = {
    "loans": (*KEYS["loans"], *SUMS["loans"], *CAUSES),
    "subsidies": (*KEYS["subsidies"], *SUMS["subsidies"], *CAUSES),
}
