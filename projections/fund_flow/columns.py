"""The columns of the fund flow (资金流向): edges, misuse, and payments that hang on nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from projections import columns as c

_FROM: Final = c.text("from", "自", "from")
_TO: Final = c.text("to", "至", "to")
_RECEIVER: Final = c.text("receiver", "收款人类别", "kind of receiver")
_PAYMENTS: Final = c.count("payments", "笔数", "payments", "payments")
_BY_METHOD: Final = (
    c.fen("fifo_fen", "先进先出(元)", "first in, first out"),
    c.fen("lifo_fen", "后进先出(元)", "last in, first out"),
    c.fen("pro_rata_fen", "按比例(元)", "pro rata"),
)

GRAPH: Final = (
    _FROM,
    _TO,
    c.KIND,
    c.YEAR,
    c.AMOUNT,
    c.count("movements", "笔数", "movements", "movements"),
    c.FIRST_ON,
    c.LAST_ON,
)
"""An edge of the graph: all movements of one kind in one year between two nodes."""
SHOWN: Final = (
    _FROM,
    _TO,
    c.KIND,
    c.AMOUNT,
    c.count("movements", "笔数", "movements", "movements"),
    c.FIRST_ON,
    c.LAST_ON,
    c.fen("flagged_fen", "有疑点(元)", "flagged"),
    c.MIN,
    c.MAX,
    c.several("flags", "疑点规则", "red-flag rules"),
)
"""An edge of the picture: of all years that are looked at, with what is flagged of it."""
EDGES: Final = (
    replace(c.identifier("edge_no", "边号", "number of the edge"), shape="number"),
    c.POSITION,
    c.KIND,
    _FROM,
    _TO,
    c.AMOUNT,
    c.EFFECTIVE_ON,
    c.RECORDED_AT,
    c.BANK,
    c.LOAN_NO,
    c.HOUSEHOLD_NO,
    c.BATCH_NO,
    _RECEIVER,
    c.EVENT_ID,
)
PATHS: Final = (
    c.count("way", "路径", "way", "number"),
    c.count("way_step", "步", "step of the way", "number"),
    _FROM,
    _TO,
    c.several("kinds", "类别", "kinds of movement"),
    c.AMOUNT,
    c.count("movements", "笔数", "movements", "movements"),
    c.FIRST_ON,
    c.LAST_ON,
)
"""A step of a way between two nodes."""
MISUSE_BY_LOAN: Final = (
    c.BANK,
    c.LOAN_NO,
    c.HOUSEHOLD_NO,
    c.text("money", "资金", "loan or subsidy"),
    c.fen("received_fen", "收到(元)", "received"),
    c.MIN,
    c.MAX,
    *_BY_METHOD,
    c.DIVERTED_ON,
    c.fen("diverted_fen", "发现时余额(元)", "outstanding when found diverted"),
    c.POSITIONS,
)
MISUSE_BY_ACCOUNT: Final = (
    c.PSEUDONYM,
    c.several("receivers", "收款人类别", "kinds of receiver"),
    c.HOUSEHOLDS,
    c.LOANS,
    c.fen("arrived_fen", "流入(元)", "all that arrived"),
    c.MIN,
    c.MAX,
    *_BY_METHOD,
    c.FIRST_ON,
    c.LAST_ON,
    c.POSITIONS,
)
UNLINKED_COUNTS: Final = (
    c.CATEGORY,
    c.text("category_zh", "类别", "category in Chinese"),
    _PAYMENTS,
    c.AMOUNT,
)
UNLINKED: Final = (
    c.CATEGORY,
    c.POSITION,
    c.EFFECTIVE_ON,
    c.BANK,
    c.LOAN_NO,
    c.HOUSEHOLD_NO,
    c.PSEUDONYM,
    c.BATCH_NO,
    c.text("payee", "收款方", "payee"),
    c.AMOUNT,
    c.fen("observed_fen", "已知去向(元)", "known where it went"),
    c.bp("share_bp", "已知比例(%)", "known share"),
    c.EVENT_ID,
)
