"""The columns of accounts and persons (人、账户归并), and of where one appears."""

from __future__ import annotations

from typing import Final

from projections import columns as c

_IN: Final = c.fen("in_fen", "流入(元)", "money in")
_OUT: Final = c.fen("out_fen", "流出(元)", "money out")

ENTITIES: Final = (
    c.PSEUDONYM,
    c.several("roles", "身份", "roles"),
    c.HOUSEHOLDS,
    c.count("banks", "银行数", "banks", "banks"),
    c.LOANS,
    c.count("events", "事件数", "events", "events"),
    c.FIRST_ON,
    c.LAST_ON,
    _IN,
    _OUT,
)
APPEARANCES: Final = (
    c.POSITION,
    c.ROLE,
    c.HOUSEHOLD_NO,
    c.BANK,
    c.LOAN_NO,
    _IN,
    _OUT,
    c.EFFECTIVE_ON,
    c.RECORDED_AT,
    c.EVENT_ID,
)
