"""The columns of finding groups (同一套路), in JSON and in a file."""

from __future__ import annotations

from typing import Final

from projections import columns as c

_SCHEME: Final = c.text("scheme", "套路", "finding group")
_ACCOUNTS: Final = c.several("accounts", "关联账户", "accounts that connect")
_RULES: Final = c.several("rules", c.RULES.title_zh, c.RULES.title_en)
_IN_CASES: Final = (
    c.several("cases", "线索", "cases that hold findings of it"),
    c.count("new_findings", "未立案疑点", "findings in no case", "findings"),
)

WITHOUT_CASES: Final = (
    _SCHEME,
    _RULES,
    c.several("findings", "疑点", "findings"),
    c.several("households", "户编号", "household numbers"),
    c.several("loans", "借据", "loans"),
    _ACCOUNTS,
    c.AMOUNT,
    c.KNOWN_FROM,
)
COLUMNS: Final = (*WITHOUT_CASES, *_IN_CASES)
FILE_WITHOUT_CASES: Final = (
    _SCHEME,
    _RULES,
    c.text("named_findings", "疑点", "findings by name"),
    c.text("household_nos", "户编号", "household numbers"),
    c.text("loan_nos", "借据", "loan note numbers"),
    _ACCOUNTS,
    c.AMOUNT,
    c.KNOWN_FROM,
)
FILE: Final = (*FILE_WITHOUT_CASES, *_IN_CASES)
"""In a file what is several stands side by side in a cell, by number or name."""
