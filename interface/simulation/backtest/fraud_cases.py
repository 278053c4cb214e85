"""The fraud cases that are planted in the back-test county: which kinds, and how many of each.

A kind whose name ends in `_sly` keeps just outside of what a rule looks at today: it is misuse all
the same, and what tightening a threshold would gain.
"""

from __future__ import annotations

from collections.abc import Callable

from interface.simulation.backtest.diversions import Diversions
from interface.simulation.backtest.labels import Label
from interface.simulation.backtest.lending import Lending
from interface.simulation.backtest.newcomers import Newcomers


class FraudCases:
    """Plants each kind of misuse, at least three times."""

    def __init__(self, new: Newcomers, scaled: Callable[[int], int]) -> None:
        self._money, self._lending = Diversions(new), Lending(new)
        self._scaled = scaled

    def labels(self) -> list[Label]:
        cases = [*self._money.cases, *self._lending.cases]
        return [label for case in cases for label in case.labels()]

    @property
    def unpaid(self) -> set[tuple[int, str]]:
        """The loans and quarters that finance forgets."""
        return self._lending.unpaid

    def plan(self) -> None:
        for ring in range(3 + self._scaled(9)):
            self._money.pooled(ring)
        for _ in range(3 + self._scaled(20)):
            self._round()
        for hops in range(1, 6):
            for back in (True, False):
                for _ in range(1 + self._scaled(6)):
                    self._money.circle(hops, back=back)
        for _ in range(3 + self._scaled(20)):
            self._money.borrowed_name_alone_sly()

    def _round(self) -> None:
        """One of each of the other kinds."""
        money, lending = self._money, self._lending
        for plant in (
            money.pooled_sly, money.pooled_by_a_sham_shop, money.borrowed_names,
            money.borrowed_name_alone, money.deducted_after_credit,
            lending.split_inside_a_bank, lending.split_over_banks, lending.rate_over_the_quote,
            lending.round_trip, lending.round_trip_sly, lending.month_end_round_trip,
            lending.loan_repays_loan_elsewhere, lending.loan_repays_loan_sly,
            lending.renewed_twice, lending.late_told_settlement, lending.due_day_corrected,
            lending.older_loan_told_late, lending.unreported_loan, lending.forgotten_subsidy,
            lending.forged_date, lending.forged_date_sly, lending.lent_to_the_dead,
            lending.too_young, lending.struck_off,
        ):  # fmt: skip
            plant()
