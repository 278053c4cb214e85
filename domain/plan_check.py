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

    The highest rate that any loan of the year can be subsidised at is the highest quote in force
    on one of its days.
    """
    lent, homes, _, budget = (target(name, year, known_on, book) for name in TARGETS)
    if lent is None or homes is None or budget is None:
        return None
    first, until = date(year, 1, 1), date(year + 1, 1, 1)
    cap = book.ruling("credit_cap_fen", first, known_on)
    quotes = [
        quote
        for name in ("lpr_one_year", "lpr_five_year")
        for quote in book.within(name, first, until, known_on)
    ]
    highest = max(quotes, key=lambda quote: quote.number)
    found = []
    average_fen = divide_half_up(lent.number, homes.number)
    if lent.number > cap.number * homes.number:
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
    if budget.number * 10_000 > highest.number * lent.number:
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
