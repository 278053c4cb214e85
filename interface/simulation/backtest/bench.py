"""The ground of a back-test: a county told to a real ledger, and its facts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from operator import itemgetter
from typing import Final, NamedTuple

from application.access import enrol
from application.ledger import Ledger
from application.personal_data.encryption import Keys
from interface.simulation.backtest.county import BacktestCounty
from interface.simulation.demo.loading import Evening, Loading
from interface.simulation.demo.quarters import Offices, Step
from interface.simulation.demo.random_source import LAST_DAY, day
from projections.facts.draw import Projector
from projections.facts.reading import Facts

LAST: Final[date] = day(LAST_DAY)
"""The day as of which the rules are asked: the last of which the county tells."""

Progress = Callable[[int, int], None]


class Told(NamedTuple):
    """A county that was told: its truth, the ledger that heard it, the facts drawn from that."""

    county: BacktestCounty
    ledger: Ledger
    facts: Facts
    dsn: str
    events: int


@contextmanager
def told(
    owner_dsn: str, dsn: str, keys: Keys, county: BacktestCounty, progress: Progress | None = None
) -> Iterator[Told]:
    """Tell a county to an empty ledger, day by day. Raises Refused when the ledger refuses any."""
    enrol(owner_dsn, list(county.organisations))
    clock = Evening()
    ledger = Ledger(dsn, keys, clock=clock, most_cached=round(60_000 * max(1, county.factor)))
    projector, facts = Projector(dsn), Facts(dsn, most=2)
    try:
        loading = Loading(ledger, clock, county.corrected)
        steps = sorted(
            county.offices.steps(lambda scope: Offices(ledger, facts, projector, scope)),
            key=itemgetter(0),
        )
        for done, today in enumerate(county.days(), start=1):
            while steps and steps[0][0] < today.recorded_on:
                _take(steps.pop(0), clock)
            loading.day(today)
            if progress is not None:
                progress(done, len(county))
        projector.catch_up()
        yield Told(county, ledger, facts, dsn, loading.events)
    finally:
        facts.close()
        projector.close()
        ledger.close()


def _take(step: Step, clock: Evening) -> None:
    on, take = step
    clock.begin(on)
    take()
