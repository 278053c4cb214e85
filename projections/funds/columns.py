"""The columns of the fund ledger (资金台账) and of the journal (日记账)."""

from __future__ import annotations

from typing import Final

from projections import columns as c

FUNDS: Final = (
    c.YEAR,
    c.fen("budget_fen", "预算(元)", "budget"),
    c.fen("allocated_fen", "已下达(元)", "allocated"),
    c.RESERVED,
    c.PAID,
    c.fen("free_fen", "可用(元)", "free"),
    c.bp("used_bp", "已用(%)", "used share of the allocated"),
    c.bp("warning_bp", "预警(%)", "warning step reached"),
    c.fen("overdrawn_fen", "超支(元)", "paid beyond the allocated"),
)
TRANSFERS: Final = (
    c.YEAR,
    c.EFFECTIVE_ON,
    c.text("payer", "付款账户", "payer"),
    c.text("payee", "收款账户", "payee"),
    c.AMOUNT,
    c.text("purpose", "用途", "purpose of the transfer"),
    c.VOUCHER,
    c.POSITION,
    c.EVENT_ID,
)
JOURNAL: Final = (
    c.EFFECTIVE_ON,
    c.POSITION,
    c.count("of_position", "所述位置", "position of the event it reverses, or its own", "position"),
    c.text("account", "科目", "account"),
    c.text("counter_account", "对方科目", "counter-account"),
    c.AMOUNT,
)
