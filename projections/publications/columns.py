"""The columns of what was published (已公布报表)."""

from __future__ import annotations

from typing import Final

from projections import columns as c

PUBLICATIONS: Final = (
    c.identifier("publication_no", "公布编号", "publication number"),
    c.text("report", "报表", "report"),
    c.text("report_as_of", "截至日", "as of"),
    c.KNOWN_AT,
    c.SEEN_POSITION,
    c.RULES,
    c.count("row_count", "行数", "rows", "rows"),
    c.text("sha256", "摘要", "SHA-256 of the bytes"),
    c.EFFECTIVE_ON,
    c.RECORDED_AT,
    c.POSITION,
)
