"""Planting misuse: the cases that are kept, and what each of the planters needs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from interface.simulation.backtest.labels import Entity, Label, entities
from interface.simulation.backtest.newcomers import Newcomers
from interface.simulation.demo.people import BANKS
from interface.simulation.demo.plans import LoanPlan

BANK_CODES: Final = tuple(code for _, code, _ in BANKS)


class Case(NamedTuple):
    """Planted misuse while its loans have no number yet."""

    kind: str
    flags: tuple[str, ...]
    loans: list[LoanPlan]
    more: tuple[Entity, ...]
    wanted: bool

    def labels(self) -> Iterable[Label]:
        of = entities(loans=self.loans, more=self.more)
        return (Label(self.kind, flag, of, self.wanted) for flag in self.flags)


class Planter:
    """Plants kinds of misuse in households of their own."""

    def __init__(self, new: Newcomers) -> None:
        self.new, self.rng = new, new.rng
        self.cases: list[Case] = []

    def _case(
        self,
        kind: str,
        *flags: str,
        loans: Iterable[LoanPlan] = (),
        more: tuple[Entity, ...] = (),
        wanted: bool = True,
    ) -> None:
        self.cases.append(Case(kind, flags, list(loans), more, wanted))
