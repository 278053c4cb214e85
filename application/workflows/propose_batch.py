"""Propose a batch: run the settlement, submit what it lists, and again if it was outdated."""

from __future__ import annotations

from typing import Protocol

from application.commands.batch import ProposeBatch
from application.group_commit import submit_alone
from application.ledger import Ledger, Recorded
from domain.batch import Run, RunOutdated
from domain.kernel import Author

_ATTEMPTS = 3


class SettlementRuns(Protocol):
    """The port: what is due for the quarter that a proposal names."""

    def run(self, command: ProposeBatch, position: int) -> Run:
        """The run on all that is recorded up to `position`, which it waits for."""


def propose_batch(
    ledger: Ledger, command: ProposeBatch, by: Author, settlement: SettlementRuns
) -> Recorded:
    """Record the proposal, with a new run if another batch came in between. Raises Refused.

    A proposal that is recorded already is answered as the first time, without a run.
    """
    command.assure_permitted(by)
    if ledger.log.find_by_reference([(by.organisation, command.ref)]):
        return submit_alone(ledger, command, by)
    for attempt in range(_ATTEMPTS):
        run = settlement.run(command, ledger.log.last_position())
        try:
            return submit_alone(ledger, command.listing(run), by)
        except RunOutdated:
            if attempt == _ATTEMPTS - 1:
                raise
    raise RunOutdated
