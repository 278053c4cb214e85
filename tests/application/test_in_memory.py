"""The log in memory, which the domain is tested on, does what the log in PostgreSQL does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import pytest
from support import controls
from support.in_memory import InMemoryLedger, InMemoryLog, given, recorded, refused

from application import ledger as ledger_module
from application.access import Organisation, enrol
from application.ledger import Ledger, Submission
from application.refusals import LedgerBusy, ReferenceReused
from domain.kernel import Refused
from domain.loan import RepaidTooMuch

SAID = (
    Submission(controls.household(), controls.BUREAU),
    Submission(controls.loan(), controls.BANK),
    Submission(controls.loan(ref="LN-2"), controls.BANK),
    Submission(controls.repay(), controls.BANK),
    Submission(controls.repay(interest_fen=1), controls.BANK),
    Submission(controls.repay(), controls.BANK),
    Submission(controls.pay(), controls.FINANCE),
    Submission(controls.repay(ref="RP-2", principal_fen=3_000_000), controls.BANK),
    Submission(controls.erasure(), controls.BUREAU),
    Submission(controls.members(), controls.BUREAU),
)


def answers(ledger: Ledger) -> list[object]:
    """What each command of SAID is answered: a refusal's code and numbers, or its place."""
    found: list[object] = []
    for said in SAID:
        try:
            recorded_at = ledger.submit(*said)
        except Refused as refusal:
            found.append((refusal.CODE, refusal.details))
        else:
            found.append((recorded_at.position, recorded_at.again, recorded_at.events))
    return found


def rows(ledger: Ledger) -> list[Any]:
    """Each event as it is stored; what is encrypted, and so is another text each time, left out."""
    found = []
    for id in {id for each in SAID for id in named(each)}:
        for _, version, topic, state in ledger.log.events_of([id]):
            content = msgspec.json.decode(state)
            stored = ledger.log.stored(id, version)
            assert stored is not None
            where = (stored.position, stored.organisation, stored.ref, stored.part, stored.told)
            found.append((*where, str(id), version, topic, content.pop("sealed", None) is None,
                          content))  # fmt: skip
    return sorted(found, key=lambda row: row[0])


def named(said: Submission) -> Sequence[Any]:
    return [id for id, _ in said.command.reads(said.by)]


def test_the_same_commands_are_answered_and_stored_alike_in_both(database: Any) -> None:
    banks = [Organisation("NRCB", "bank", "农商行"), Organisation("PSBC", "bank", "邮储")]
    enrol(database.owner_dsn, banks)
    in_memory = InMemoryLedger(keys=database.keys)
    in_postgres = Ledger(database.dsn, database.keys, clock=in_memory._noon)
    try:
        assert answers(in_memory) == answers(in_postgres)
        assert rows(in_memory) == rows(in_postgres)
        assert len(rows(in_memory)) > 5
    finally:
        in_postgres.close()


def test_of_two_ledgers_over_one_log_the_second_decides_on_what_the_first_recorded() -> None:
    one = given(controls.household(), controls.loan())
    two = one.replayed()
    assert two.loan("NRCB", "L1").outstanding_fen == 5_000_000

    recorded(one, controls.repay(principal_fen=4_000_000))
    refusal = refused(two, controls.repay(ref="RP-2", principal_fen=1_000_001))

    assert isinstance(refusal, RepaidTooMuch)
    assert refusal.details["owed_fen"] == 1_000_000
    reused = refused(two, controls.repay(principal_fen=1))
    assert isinstance(reused, ReferenceReused)
    assert two.submit(controls.repay(principal_fen=4_000_000), controls.BANK).again


class Overtaken(InMemoryLog):
    """Before each append another ledger records a repayment of one fen, so many times."""

    rival: InMemoryLedger
    times = 0

    def append_behind(self, tails: Sequence[bytes], position: int) -> tuple[int, datetime] | None:
        return None

    def begin_append(self) -> tuple[int, int]:
        if self.times:
            self.times -= 1
            recorded(self.rival, controls.repay(ref=f"RIVAL-{self.times}", principal_fen=1))
        return super().begin_append()


class OvertakenLedger(InMemoryLedger):
    LOG = Overtaken


@pytest.mark.parametrize(("times", "busy"), [(7, False), (8, True)])
def test_a_ledger_that_is_overtaken_eight_times_says_that_it_is_busy(
    times: int, busy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "_PATIENCE_SECONDS", 0)
    one = given(controls.household(), controls.loan())
    two = OvertakenLedger(one.day, one.store)
    two.log.rival, two.log.times = one, times

    if busy:
        with pytest.raises(LedgerBusy):
            two.submit(controls.repay(), controls.BANK)
    else:
        two.submit(controls.repay(), controls.BANK)

    assert one.replayed().loan("NRCB", "L1").repaid_fen == times + (0 if busy else 2_000_000)


def test_the_log_is_not_asked_for_a_reference_that_is_taken_for_new(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ledger = given(controls.household(), controls.loan())
    asked: list[object] = []
    monkeypatch.setattr(ledger.log, "find_by_reference", asked.append)

    ledger.submit(controls.repay(), controls.BANK)

    assert asked == []
