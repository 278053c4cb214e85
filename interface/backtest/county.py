"""The back-test county: the demo county's machinery, with further misuse and honest noise."""

from __future__ import annotations

from collections.abc import Iterator

from interface.backtest.crooked import Crooked
from interface.backtest.honest import Honest
from interface.backtest.labels import Label, Noise, entities, of_demo
from interface.backtest.newcomers import NEWCOMER, Newcomers
from interface.backtest.offices import Irregular, Regular
from interface.demo.county import County
from interface.demo.plans import Home, Planner
from interface.demo.schemes import Misuse
from interface.demo.statements import Correction


class BacktestCounty(County):
    """Always the same for the same seed, factor and people; `crooked=False`: honest people alone.

    What goes wrong in an honest county goes wrong by negligence (a late reminder), and is labelled.
    """

    def __init__(self, seed: int, factor: float, *, crooked: bool = True) -> None:
        self.crooked = crooked
        self.planted: list[Label] = []
        self.noise: list[Noise] = []
        super().__init__(seed, factor)

    def _plant(self, planner: Planner) -> Misuse:
        return super()._plant(planner) if self.crooked else Misuse()

    def _further(self, planner: Planner, misuse: Misuse) -> list[Home]:
        new = Newcomers(planner, self._dice("newcomers"), misuse, self._calendar)
        self._honest = Honest(new, self._scaled)
        self._honest.plan()
        self._crooked = Crooked(new, self._scaled)
        self.offices: Regular
        if self.crooked:
            self._crooked.plan()
            self.offices = Irregular(new, self._crooked.unpaid)
        else:
            self.offices = Regular(new)
        return new.homes

    def _review(self) -> None:
        """What was planted is not put right by chance."""
        for loan in self.loans:
            loan.known_late = loan.known_late and loan.scheme != NEWCOMER
        super()._review()

    def _pay(self, misuse: Misuse) -> None:
        super()._pay(misuse)
        for on, payments in self._payments.items():
            self._payments[on] = [each for each in payments if self.offices.pays(each)]

    def labels(self) -> list[Label]:
        """Every planted case, and what the demo's machinery noted by the way."""
        demo = [of_demo(planted) for planted in self.misuse.planted]
        return [*demo, *self._crooked.labels(), *self.offices.labels()]

    def noises(self) -> list[Noise]:
        """Every honest behaviour that may look like misuse."""
        return [*self._honest.noises(), *self._corrections()]

    def _corrections(self) -> Iterator[Noise]:
        loans = {(loan.bank, loan.no): loan for loan in self.loans}
        for today in self.days():
            for statement in today.statements:
                if isinstance(statement, Correction):
                    kind, of = statement.of[:2], statement.of[3:]
                    number = of if kind == "FK" else of[:-3]
                    loan = loans[statement.by.organisation, number]
                    yield Noise("corrected_by_the_bank", entities(loans=[loan]))
