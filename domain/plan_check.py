"""Does a plan contradict itself? Its targets and budget against its own caps (方案自检).

Rules: [P] the plan's figures, policy/target_*.toml and budget_fen.toml; [N] the caps.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Final, NamedTuple

from domain.money import divide_half_up
from domain.policy import POLICY, Book, NoRuling, Ruling

TARGETS: Final = ("target_disbursed_fen", "target_households", "target_townships", "budget_fen")


class Contradiction(NamedTuple):
    """One figure of the plan that another rules out: `value` > `limit`, both in `unit`.

    `excess_fen`: the money by which the one exceeds what the other allows.
    """

    code: str
    zh: str
    en: str
    value: int
    limit: int
    unit: str
    excess_fen: int
    rulings: tuple[dict[str, Any], ...]


def target(
    name: str, year: int, known_on: date | None = None, book: Book = POLICY
) -> Ruling | None:
    """What the plan of that year says; None if none was known. A plan binds only its own year."""
    try:
        found = book.ruling(name, date(year, 12, 31), known_on)
    except NoRuling:
        return None
    return found if found.effective_from.year == year else None


def plan_check(
    year: int, known_on: date | None = None, book: Book = POLICY
) -> list[Contradiction] | None:
    """What contradicts itself in the plan of a year, as known on a day; None: no plan known.

    The highest rate that any loan of the year can be subsidised at is the highest quote, or flat
    rate, in force on one of its days. What lacks a ruling is not compared.
    """
    lent, homes, _, budget = (target(name, year, known_on, book) for name in TARGETS)
    if lent is None or homes is None or budget is None:
        return None
    first, until = date(year, 1, 1), date(year + 1, 1, 1)
    caps = _within(book, "credit_cap_fen", first, until, known_on)
    rates = [
        rate
        for name in _rate_tables(book, first, until, known_on)
        for rate in _within(book, name, first, until, known_on)
    ]
    found = []
    average_fen = divide_half_up(lent.number, homes.number)
    cap = caps[0] if caps else None
    if cap is not None and lent.number > cap.number * homes.number:
        found.append(
            Contradiction(
                "average_over_cap",
                "户均目标超过每户限额",
                "the target's average a household is over the cap a household",
                average_fen,
                cap.number,
                "fen",
                lent.number - cap.number * homes.number,
                tuple(ruling.to_dict() for ruling in (lent, homes, cap)),
            )
        )
    highest = max(rates, key=lambda rate: rate.number, default=None)
    if highest is not None and budget.number * 10_000 > highest.number * lent.number:
        found.append(
            Contradiction(
                "budget_over_cap",
                "预算占贷款目标的比例超过最高贴息利率",
                "the budget is more of the loans than the highest subsidised rate",
                divide_half_up(budget.number * 10_000, lent.number),
                highest.number,
                "bp",
                budget.number - highest.number * lent.number // 10_000,
                tuple(ruling.to_dict() for ruling in (budget, lent, highest)),
            )
        )
    return found


def _rate_tables(book: Book, first: date, until: date, known_on: date | None) -> list[str]:
    """The tables that cap a rate on some day of [first, until)."""
    tables: set[str] = set()
    for basis in _within(book, "rate_basis", first, until, known_on):
        flat = basis.words == ("flat",)
        tables |= {"flat_rate_bp"} if flat else {"lpr_one_year", "lpr_five_year"}
    return sorted(tables, reverse=True)


def _within(
    book: Book, name: str, first: date, until: date, known_on: date | None
) -> tuple[Ruling, ...]:
    """The rulings in force on [first, until); none where the first day has none."""
    try:
        return book.within(name, first, until, known_on)
    except NoRuling:
        return ()
