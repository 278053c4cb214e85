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
BY_CAUSE: Final = (
    c.text("cause", "原因", "cause"),
    c.identifier("ledger_line", "台账行", "line of the ledger"),
    c.BANK,
    c.text("amount_of", "款项", "kind of amount"),
    c.fen("before_fen", "起点所知(元)", "known at the first instant"),
    c.fen("after_fen", "终点所知(元)", "known at the second instant"),
    c.fen("difference_fen", "该行差额(元)", "difference of the line"),
    c.fen("amount_fen", "此因金额(元)", "amount by this cause"),
    c.EVENT,
    c.ORGANISATION,
    c.EFFECTIVE_ON,
    c.RECORDED_AT,
    c.count("late_days", "得知晚于发生(天)", "days from the day it concerns", "days"),
    c.POSITION,
    c.LOAN_NO,
    c.PAYMENT_NO,
)
"""The same by cause: a line an event that changed a line of the ledger."""
