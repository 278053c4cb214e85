"""Budget money (资金台账) and the journal (日记账) of everything that moved, double entry."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Final, Literal

from domain.money import yuan
from domain.plan_check import target
from projections.facts.reading import Table, View, query_text
from projections.funds.columns import FUNDS, JOURNAL, TRANSFERS

WARNINGS_BP: Final = (8_000, 9_000, 10_000)
"""Shares of the allocated money at which a warning is due: 80, 90 and 100 %."""
_WITHOUT_BANK: Final = ("cash:", "riskfund:", "benefit:", "enterprise:")
_UNREADABLE: Final = re.compile(
    r"[%;:\"\x00-\x1f\x7f-\xa0\u200b-\u206f\ufeff]|(?<= ) |^ | $|(?! )\s"
)
"""What an account of hledger's may not hold, or nobody can see."""
Tool = Literal["hledger", "beancount"]
_ROOTS: Final = {
    "principal": "Assets:Principal",
    "interest": "Income:Interest",
    "penalty": "Income:Penalty",
    "subsidy": "Expenses:Subsidy",
    "bank": "Equity:Bank",
    "borrower": "Equity:Borrower",
    "treasury": "Equity:Treasury",
    "budget": "Assets:Budget",
    "cash": "Assets:Cash",
    "riskfund": "Assets:RiskFund",
    "benefit": "Expenses:Benefit",
    "enterprise": "Equity:Enterprise",
}


def fund_ledger(view: View) -> Table:
    """One line a budget year: what its plan grants, what was allocated, and where it stands.

    `warning_bp`: the highest of 80, 90 and 100 % that is used; None below the first.
    `overdrawn_fen`: what a bank says went out beyond what was allocated; `free_fen` is below zero.
    """
    rows = []
    for year, allocated, reserved, paid, free in view.query(query_text(__name__, "funds.sql")).rows:
        budget = target("budget_fen", year, view.known_on, view.book)
        used_bp = (reserved + paid) * 10_000 // allocated if allocated else 0
        warning = max((step for step in WARNINGS_BP if used_bp >= step), default=None)
        budget_fen = budget.number if budget else None
        rows.append(
            (year, budget_fen, allocated, reserved, paid, free, used_bp, warning, max(-free, 0))
        )
    return Table(FUNDS, rows)


def transfers(view: View, *, year: int | None = None) -> Table:
    """Each transfer of programme money between accounts of offices and banks, with its event."""
    return view.table(TRANSFERS, query_text(__name__, "transfers.sql"), year=year)


def journal(view: View, *, account: str | None = None) -> Table:
    """Every amount that moved up to a day: account, counter-account, fen (signed).

    `account`: what moved to or from this one alone, `budget:paid:2024`; none of a loan.
    """
    return view.table(JOURNAL, query_text(__name__, "journal.sql"), account=account)


def journal_text(view: View, tool: Tool) -> Iterator[str]:
    """The journal as a plain-text accounting tool reads it, amounts in yuan, in blocks of text."""
    table = journal(view)
    if tool == "beancount":
        accounts = {_named(row[place]) for row in table.rows for place in (3, 4)}
        yield 'option "operating_currency" "CNY"\n'
        yield "".join(f"1990-01-01 open {account} CNY\n" for account in sorted(accounts))
    for first in range(0, len(table.rows), 5_000):
        rows = table.rows[first : first + 5_000]
        yield "".join(_entry(tool, *row) for row in rows)


def _entry(
    tool: Tool,
    day: date,
    position: int,
    of_position: int,
    account: str,
    counter_account: str,
    amount_fen: int,
) -> str:
    to, other = _plain(account), _plain(counter_account)
    head = f"{day} * {position}"
    if tool == "beancount":
        to, other = _named(account), _named(counter_account)
        head = f'{day} * "{position}"'
    if of_position != position:
        head += f"  ; 冲正 takes back {of_position}"
    amount = yuan(amount_fen)
    return f"{head}\n  {to}  {amount} CNY\n  {other}  {yuan(-amount_fen)} CNY\n\n"


def _plain(account: str) -> str:
    """An account as hledger reads it: what would end or split it, and `%` itself, as %HEX.

    The point is part of it. Two numbers that differ stay two accounts, whatever their characters.
    """
    parts = [_UNREADABLE.sub(lambda c: f"%{ord(c[0]):X}.", part) for part in _parts(account)]
    return ":".join(parts)


def _named(account: str) -> str:
    """An account as beancount allows it: letters, digits, and other characters as -HEX-."""
    root, *rest = _parts(account)
    parts = [
        "X" + "".join(c if c.isascii() and c.isalnum() else f"-{ord(c):X}-" for c in part)
        for part in rest
        if part
    ]
    return ":".join([_ROOTS[root], *parts])


def _parts(account: str) -> list[str]:
    """Of an account of the journal: its root, a bank or what else comes first, and the rest.

    A colon in the rest belongs to a number.
    """
    return account.split(":", 1 if account.startswith(_WITHOUT_BANK) else 2)
