"""The columns of duties (履职): the list, and how many stand how."""

from __future__ import annotations

from typing import Final

from projections import columns as c

_DUTY: Final = c.text("duty", "职责代码", "code of the duty")
_DUTY_ZH: Final = c.text("duty_zh", "职责", "duty in Chinese")

DUTIES: Final = (
    _DUTY,
    _DUTY_ZH,
    c.text("responsible", "责任方", "who has to do it"),
    c.TOWNSHIP,
    c.HOUSEHOLD_NO,
    c.BANK,
    c.LOAN_NO,
    c.count("opened_by", "起因位置", "position of the event that opened it", "position"),
    c.DUE_ON,
    c.STATE,
    c.day("done_on", "完成日", "done on"),
    c.POSITION,
    c.day("searched_from_on", "查找起", "searched from"),
    c.day("searched_until_on", "查找止", "searched until"),
    c.text("remark", "说明", "remark"),
    c.VILLAGE,
)
SUMMARY: Final = (
    c.TOWNSHIP,
    c.BANK,
    _DUTY,
    _DUTY_ZH,
    c.count("pending", "未到期", "not due yet", "duties"),
    c.count("done", "按时完成", "done in time", "duties"),
    c.count("late", "逾期完成", "done late", "duties"),
    c.count("not_done", "未完成", "not done", "duties"),
    c.count("not_applicable", "不适用", "not applicable", "duties"),
)
