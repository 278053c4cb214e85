"""The columns of red flags (疑点): findings, the stored runs, and what changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from projections import columns as c

_RUN: Final = c.count("run", "检查编号", "number of the run", "number")
_ASKED_AT: Final = c.instant("asked_at", "检查时间", "checked at")

FINDINGS: Final = (
    c.RULE,
    c.RULE_VERSION,
    c.text("title_zh", "疑点", "title of the rule in Chinese"),
    c.text("severity", "严重程度", "severity"),
    c.SUBJECT,
    c.AMOUNT,
    c.KNOWN_FROM,
    c.POSITIONS,
    c.CONTEXT,
)
STANDING: Final = (
    c.RULE,
    c.SUBJECT,
    c.count("nth", "同对象序号", "number among the subject's findings", "number"),
    c.AMOUNT,
    c.KNOWN_FROM,
    _ASKED_AT,
)
"""Of a finding that stands, as it was found last."""
RUNS: Final = (
    _RUN,
    c.RULE,
    c.RULE_VERSION,
    c.mapping("rulings", "所依政策取值", "rulings it rests on"),
    c.text("status", "结果", "result"),
    c.text("error", "出错原因", "error"),
    c.AS_OF,
    c.KNOWN_AT,
    c.POSITION,
    c.FINDINGS,
    c.AMOUNT,
    c.count("appeared", "新出现", "findings that appeared", "findings"),
    c.count("changed", "有变动", "findings that changed", "findings"),
    c.count("gone", "已消失", "findings that went", "findings"),
    _ASKED_AT,
    c.count("took_ms", "用时(毫秒)", "time taken", "milliseconds"),
)
CHANGES: Final = (
    c.count("change", "变动编号", "number of the change", "number"),
    c.KIND,
    c.RULE,
    c.SUBJECT,
    c.count("nth", "同对象序号", "number among the subject's findings", "number"),
    c.AMOUNT,
    c.KNOWN_FROM,
    c.POSITIONS,
    c.CONTEXT,
    _ASKED_AT,
    _RUN,
    c.RULE_VERSION,
    c.AS_OF,
    c.KNOWN_AT,
    c.POSITION,
)
_STANDING: Final = (
    c.RULE,
    c.text("severity", "严重程度", "severity"),
    c.SUBJECT,
    c.count("nth", "同对象序号", "number among the subject's findings", "number"),
    c.AMOUNT,
    c.KNOWN_FROM,
    c.instant("first_shown_at", "首次列出", "first shown"),
    c.instant("changed_at", "最近变动", "last changed"),
    c.STATE,
    replace(c.BANK, shape="several"),
    replace(c.TOWNSHIP, shape="several"),
    c.flag("before_payment", "付款前可知", "could have been known before a payment"),
)
INBOX: Final = (*_STANDING, c.POSITIONS, c.CONTEXT)
INBOX_WITH_CASES: Final = (*_STANDING, c.CASE_NO, c.POSITIONS, c.CONTEXT)
