"""The arithmetic of a subsidy (算式): its factors, each with the place that it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

_MOVES = {"loan.disbursed.v1": 1, "loan.repaid.v1": -1}


class Factor(NamedTuple):
    """One segment. `rests_on`: the position of the posting from which its principal is owed."""

    first: date
    last: date
    days: int
    owed_fen: int
    principal_fen: int
    contract_rate_bp: int
    rate_cap_bp: int
    quote_on: str
    rate_bp: int
    share_bp: int
    rests_on: int | None

    @property
    def product_fen(self) -> int:
        return self.principal_fen * self.days

    @property
    def smaller(self) -> str:
        """Which of both rates applies: `contract`, `cap`, or `both`."""
        if self.contract_rate_bp == self.rate_cap_bp:
            return "both"
        return "contract" if self.contract_rate_bp < self.rate_cap_bp else "cap"


def factors(
    segments: Sequence[Mapping[str, Any]], loan_events: Sequence[Mapping[str, Any]]
) -> list[Factor]:
    """Segments as a calculation stores or explains them, with the postings behind them."""
    return [_factor(segment, loan_events) for segment in segments]


def _factor(segment: Mapping[str, Any], loan_events: Sequence[Mapping[str, Any]]) -> Factor:
    first, until = _day(segment["first"]), _day(segment["until"])
    moved = [
        (event["effective_on"], event["position"])
        for event in loan_events
        if event["event"] in _MOVES
        and event["content"]["principal_fen"]
        and event["corrected_by"] is None
        and event["effective_on"] <= str(first)
    ]
    return Factor(
        first=first,
        last=until - timedelta(days=1),
        days=segment["days"],
        owed_fen=segment["owed_fen"],
        principal_fen=segment["principal_fen"],
        contract_rate_bp=segment["contract_rate_bp"],
        rate_cap_bp=segment["rate_cap_bp"],
        quote_on=str(segment["quote_on"]),
        rate_bp=segment["rate_bp"],
        share_bp=segment["share_bp"],
        rests_on=max(moved)[1] if moved else None,
    )


def _day(day: Any) -> date:
    return day if isinstance(day, date) else date.fromisoformat(day)
