"""The columns of reports: townships, indicators, the annual form, the appraisal of banks."""

from __future__ import annotations

from typing import Final

from projections import columns as c

TOWNSHIPS: Final = (
    c.TOWNSHIP,
    c.count("stock_households", "存量户数", "households with a balance", "households"),
    c.count("stock_loans", "存量笔数", "loans with a balance", "loans"),
    c.OUTSTANDING,
    c.count("new_households", "本年新增户数", "households lent to this year", "households"),
    c.count("new_loans", "本年新增笔数", "loans of this year", "loans"),
    c.fen("new_fen", "本年新增(元)", "lent this year"),
    c.bp("target_share_bp", "占目标(%)", "share of the year's target"),
    c.count("overdue_households", "逾期户数", "households overdue", "households"),
    c.count("overdue_loans", "逾期笔数", "loans overdue", "loans"),
    c.OVERDUE_FEN,
    c.OVERDUE_RATE,
)
INDICATORS: Final = (
    c.text("indicator", "指标代码", "code of the indicator"),
    c.text("indicator_zh", "指标", "indicator in Chinese"),
    c.text("unit", "单位", "unit of value and target"),
    c.number("value", "实际", "value"),
    c.number("target", "目标", "target"),
    c.text("basis", "口径", "basis"),
)
"""`value` and `target` are whole numbers of the line's own `unit`: one title cannot name it."""
ANNUAL: Final = (
    c.text("item", "项目代码", "code of the item"),
    c.text("item_zh", "项目", "item in Chinese"),
    c.PURPOSE,
    c.LOANS,
    c.HOUSEHOLDS,
    c.fen("sum_fen", "金额(元)", "sum"),
)
BANKS: Final = (
    c.BANK,
    c.OUTSTANDING,
    c.OVERDUE_FEN,
    c.OVERDUE_RATE,
    c.count("reminders_done", "按时提醒", "reminders in time", "duties"),
    c.count("reminders_late", "迟提醒", "reminders late", "duties"),
    c.count("reminders_not_done", "未提醒", "reminders not made", "duties"),
    c.bp("reminders_in_time_bp", "按时提醒率(%)", "share of reminders in time"),
    c.count("answers", "授信答复", "answers to demands", "answers"),
    c.count("answers_not_told", "拒贷未告知", "refusals without a reason given", "answers"),
    c.count("answer_days", "答复用时合计(天)", "days from demand to answer, in all", "days"),
    c.count("told", "报送笔数", "events reported", "events"),
    c.count("told_late", "迟报笔数", "events reported late", "events"),
    c.count("taken_back", "冲正笔数", "events reversed", "events"),
    c.count("scale_reports", "规模报表", "monthly reports", "reports"),
    c.count("scale_reports_differing", "与账本不符", "reports that differ", "reports"),
)
