"""Amounts of an overview in the unit of the reader's language."""

from __future__ import annotations

import pytest

from interface.console.amounts import overview_amount
from interface.console.words import Language, Words


@pytest.mark.parametrize(
    ("language", "amount", "unit"),
    [("zh", "6,682.61", "万元"), ("en", "66,826,100.00", "yuan")],
)
def test_an_overview_has_no_unit_of_ten_thousand_in_english(
    language: Language, amount: str, unit: str
) -> None:
    words = Words(language)
    assert (overview_amount(words)(6_682_610_000), words("frame.wan")) == (amount, unit)
