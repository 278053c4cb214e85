"""Amounts as pages write them; of an overview in 万元, in English in yuan, which has no 10,000."""

from __future__ import annotations

from collections.abc import Callable

from domain.money import in_wan, with_commas
from interface.console.words import Words


def overview_amount(words: Words) -> Callable[[int], str]:
    """Fen as text in the unit that `frame.wan` names."""
    return in_wan if words.language == "zh" else with_commas


def signed(value: int, text: str | None = None) -> str:
    """A difference with its sign, a true minus; fen as yuan unless its text is given."""
    bare = (with_commas(value) if text is None else text).removeprefix("-")
    return f"+{bare}" if value > 0 else f"\u2212{bare}" if value < 0 else bare
