"""Rulings as people read them: in words and units, not as codes, fen and basis points."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from domain.household import CATEGORIES_ZH
from domain.money import percent, with_commas

_WORDS = CATEGORIES_ZH | {"lpr_cap": "合同利率与 LPR 孰低", "flat": "合同利率与固定利率孰低"}
"""Codes that a ruling on a slip may hold."""
_RULINGS = {
    "credit_cap_fen": ("每户贴息本金上限", "元"),
    "day_count": ("计息年天数", "天"),
    "eligible_categories": ("享受贴息的户类别", ""),
    "flat_rate_bp": ("固定利率", "%"),
    "longest_term_months": ("最长期限", "个月"),
    "lpr_five_year": ("五年期以上 LPR", "%"),
    "lpr_one_year": ("一年期 LPR", "%"),
    "one_year_term_months": ("适用一年期 LPR 的最长期限", "个月"),
    "rate_basis": ("贴息利率", ""),
    "settlement_day": ("结息日", "日"),
    "settlement_months": ("结息月", " 月"),
    "subsidy_share": ("贴息比例", "%"),
}
"""What a slip calls a ruling, and its unit: fen as 元, basis points as %."""


def rules_in_words(cited: Iterable[tuple[str, Any, str]]) -> list[dict[str, str]]:
    """Rulings in words and units: (version, value, source)."""
    shown = []
    for version, value, source in cited:
        name, unit = _RULINGS.get(version.partition("@")[0], ("", ""))
        shown.append(
            {"name": name, "version": version, "value": _shown(value, unit), "source": source}
        )
    return shown


def _shown(value: Any, unit: str) -> str:
    if isinstance(value, list):
        return "、".join(_WORDS.get(each, str(each)) for each in value) + unit
    if unit == "元":
        return f"{with_commas(value)} 元"
    return percent(value) if unit == "%" else f"{value} {unit}".strip()
