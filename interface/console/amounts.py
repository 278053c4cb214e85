"""Amounts of an overview: 万元 in Chinese, whole yuan in English, which has no unit of 10,000."""

from __future__ import annotations

from collections.abc import Callable

from domain.money import in_wan, with_commas
from interface.console.words import Words


def overview_amount(words: Words) -> Callable[[int], str]:
    """Fen as text in the unit that `frame.wan` names."""
    return in_wan if words.language == "zh" else with_commas
