"""The columns of cases (线索), of what each rests on, and of what an organisation is asked."""

from __future__ import annotations

from typing import Final

from projections import columns as c

CASES: Final = (
    c.CASE_NO,
    c.text("title", "标题", "title"),
    c.STAGE,
    c.text("outcome", "认定", "decision"),
    c.text("office", "办理机构", "office in charge"),
    c.text("supervisor", "主管", "supervisor"),
    c.text("investigator", "核查人", "investigator"),
    c.RULES,
    c.FINDINGS,
    c.LOANS,
    c.HOUSEHOLDS,
    c.count("asked", "要求说明", "explanations asked for", "requests"),
    c.count("explained", "已说明", "explanations given", "requests"),
    c.AMOUNT,
    c.fen("upheld_fen", "认定(元)", "amount upheld"),
    c.RECOVERED,
    c.day("opened_on", "立案日", "opened on"),
    c.day("decided_on", "认定日", "decided on"),
    c.day("rectified_on", "整改日", "rectified on"),
    c.day("closed_on", "办结日", "closed on"),
    c.WAITED_DAYS,
    c.POSITION,
)
FINDINGS: Final = (
    c.RULE,
    c.RULE_VERSION,
    c.SUBJECT,
    c.AMOUNT,
    c.AS_OF,
    c.KNOWN_AT,
    c.KNOWN_FROM,
    c.SEEN_POSITION,
    c.POSITION,
)
LOANS: Final = (c.BANK, c.LOAN_NO, c.HOUSEHOLD_NO, c.TOWNSHIP)
OF_LOAN: Final = (
    c.CASE_NO,
    c.text("title", "标题", "title"),
    c.text("office", "办理机构", "office in charge"),
    c.day("opened_on", "立案日", "opened on"),
)
"""A case that a loan is in, by name alone."""
RECOVERIES: Final = (
    c.CASE_NO,
    c.EVENT_ID,
    c.EVENT,
    c.BANK,
    c.LOAN_NO,
    c.PAYMENT_NO,
    c.AMOUNT,
    c.flag("standing", "有效", "not reversed since"),
    c.POSITION,
)
REQUESTS: Final = (
    c.CASE_NO,
    c.identifier("request_no", "说明要求编号", "number of the request to explain"),
    c.day("asked_on", "要求日", "asked on"),
    c.UNTIL_ON,
    c.day("explained_on", "说明日", "explained on"),
)
