"""The columns of one household (户) and its members."""

from __future__ import annotations

from typing import Final

from projections import columns as c

HOUSEHOLD: Final = (
    c.identifier("household_id", "户标识", "household's own id"),
    c.HOUSEHOLD_NO,
    c.TOWNSHIP,
    c.VILLAGE,
    c.day("registered_on", "登记日", "registered on"),
    c.CATEGORY,
)
MEMBERS: Final = (
    c.text("person", "成员代码", "person's pseudonym"),
    c.text("relation", "与户主关系", "relation to the head"),
    c.flag("head", "户主", "head of the household"),
    c.flag("joined", "在户", "member or left"),
    c.day("since", "起始日", "since"),
)
