"""The columns of the settlement (结息), and of what other rules would have changed."""

from __future__ import annotations

from typing import Final

from projections import columns as c

LINES: Final = (
    c.TOWNSHIP,
    c.VILLAGE,
    c.HOUSEHOLD_NO,
    c.BANK,
    c.LOAN_NO,
    c.PERIOD,
    c.DUE,
    c.PAID,
    c.RESERVED,
    c.fen("limit_fen", "限定(元)", "limit after an objection"),
    c.NOTE,
    c.fen("left_fen", "差额(元)", "left to pay, below zero to ask back"),
    c.STATE,
    c.REASON,
)
REPLAY: Final = (
    c.BANK,
    c.TOWNSHIP,
    c.count("lines_moved", "变动行数", "lines that move", "lines"),
    c.DUE,
    c.fen("replayed_fen", "回放应贴(元)", "due by the other rules"),
    c.fen("difference_fen", "变动(元)", "difference"),
)
