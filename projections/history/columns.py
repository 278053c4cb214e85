"""The columns of histories (事件史), and of who looked at personal data (查看记录)."""

from __future__ import annotations

from typing import Final

from projections import columns as c

HISTORY: Final = (
    c.POSITION,
    c.RECORDED_AT,
    c.EFFECTIVE_ON,
    c.EVENT,
    c.text("event_zh", "事件", "event in Chinese"),
    c.ORGANISATION,
    c.PERSON,
    c.REF,
    c.DOCUMENT,
    c.text("corrected_by", "冲正事件", "event that reversed it"),
    c.text("content", "内容", "content"),
    c.EVENT_ID,
)
LOOKS: Final = (
    c.POSITION,
    c.RECORDED_AT,
    c.EFFECTIVE_ON,
    c.ORGANISATION,
    c.ROLE,
    c.PERSON,
    c.REASON,
    c.REF,
    c.DOCUMENT,
    c.EVENT_ID,
)
