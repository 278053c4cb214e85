"""The offices' desk: what is to be done on which day, and the ledger and facts it is done with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Final

from application.command import Command
from application.ledger import Ledger, Recorded, Submission
from domain.kernel import Author, Refused
from domain.roles import Role
from interface.simulation.demo.county import County
from interface.simulation.demo.loading import Evening
from interface.simulation.demo.random_source import RandomSource, day, working_day
from projections.facts.draw import Projector
from projections.facts.reading import Facts, View

CENTRE: Final = Author(Role.CENTRE, "CENTRE", "centre-01")
BUREAU: Final = Author(Role.BUREAU, "BUREAU", "bureau-01")
FINANCE: Final = Author(Role.FINANCE, "FINANCE", "fin-01")
SUPERVISOR: Final = Author(Role.AUDITOR, "AUDIT", "audit-demo")
INVESTIGATOR: Final = Author(Role.AUDITOR, "AUDIT", "audit-demo-2")
"""Those who sign in with one click go on with the cases that are open."""

Act = Callable[[], object]


def township(code: str) -> Author:
    return Author(Role.TOWNSHIP, code, f"{code.lower()}-01")


def bank(code: str) -> Author:
    return Author(Role.BANK, code, f"{code.lower()}-01")


class Desk:
    """What all offices share. An act is carried out on its day, after the day's statements."""

    def __init__(self, ledger: Ledger, clock: Evening, projector: Projector, facts: Facts,
                 county: County, last_day: date) -> None:  # fmt: skip
        self.ledger, self.clock, self.county = ledger, clock, county
        self.projector, self.facts, self.last_day = projector, facts, last_day
        self._agenda: defaultdict[date, list[Act]] = defaultdict(list)
        self.commands = 0

    @property
    def today(self) -> date:
        return self.ledger.today()

    def rng(self, purpose: str) -> RandomSource:
        return RandomSource(f"{self.county.seed}/{self.county.factor}/recent/{purpose}")

    def scaled(self, count: int) -> int:
        return max(1, round(count * self.county.factor))

    # ---- what is to be done -------------------------------------------------------------

    def on(self, day_of_act: date, act: Act) -> None:
        """Enter an act for a day, or for the Monday after it; nothing after the last day."""
        wanted = day(working_day(day_of_act.toordinal()))
        if wanted <= self.last_day:
            self._agenda[wanted].append(act)

    def days(self) -> list[date]:
        """On which days there is something to do."""
        return sorted(self._agenda)

    def work(self, today: date) -> None:
        """All that is to be done today, and whatever of it asks for more today."""
        acts = self._agenda.pop(today, [])
        while acts:
            for act in acts:
                self.clock.later()
                act()
            acts = self._agenda.pop(today, [])

    # ---- the ledger and the facts -------------------------------------------------------

    def submit(self, command: Command, by: Author) -> Recorded:
        """Submit one command. Raises Refused: then the county is wrong."""
        self.clock.later()
        self.commands += 1
        return self.ledger.submit(command, by)

    def submit_all(self, submissions: Sequence[Submission]) -> None:
        """Submit several in one transaction. Raises Refused."""
        self.clock.later()
        self.commands += len(submissions)
        for outcome in self.ledger.submit_all(submissions):
            if isinstance(outcome, Refused):
                raise outcome

    @contextmanager
    def view(self, as_of: date | None = None) -> Iterator[View]:
        """The facts with all that is recorded by now, as of a day or today."""
        self.projector.catch_up()
        self.clock.later()
        with self.facts.at(as_of or self.today, self.clock.now) as view:
            yield view
