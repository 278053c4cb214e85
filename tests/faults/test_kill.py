"""kill -9 of the service and of PostgreSQL under writers that retry: what was said, stands.

MINGZHANG_TEST_KILLS sets the number of kills (default 3), MINGZHANG_TEST_SEED their moments.
"""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple

import httpx2
import pytest
from faults import support
from faults.support import KEPT, Acknowledged, ServiceProcess, verdict
from support.chance import SEED, wait_until

from application.event_store.migrations import migrate
from application.ledger import Ledger
from application.personal_data.encryption import Keys
from interface.deployment.embedded_db import EmbeddedPostgres

WRITERS = 8
KILLS = int(os.environ.get("MINGZHANG_TEST_KILLS", "3"))
VICTIMS = ("database", "service", "both")


class World(NamedTuple):
    """A database server of its own, that may be killed."""

    postgres: EmbeddedPostgres
    owner_dsn: str
    dsn: str
    keys: Keys
    folder: Path


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with tempfile.TemporaryDirectory(prefix="mz-kill-") as name:
        postgres = EmbeddedPostgres(Path(name) / "pg")
        try:
            dsn = postgres.start()
            migrate(dsn)
            yield World(postgres, dsn, dsn, Keys.generate(), Path(name) / "service")
        finally:
            postgres.stop()


class Writer(Thread):
    """A bank's program: tells repayments one by one and retries until each is answered.

    Now and then it hangs up before the answer, as a program that was restarted would.
    """

    def __init__(
        self, base: str, key: str, loan_no: str, numbers: range, seed: int, *, new_ref: bool
    ) -> None:
        super().__init__(name=f"bank-{loan_no}")
        self.stopping = Event()
        self.acknowledged: list[Acknowledged] = []
        self.retries = 0
        self.faults: list[str] = []
        self._base, self._loan_no, self._numbers = base, loan_no, numbers
        self._headers = {"Authorization": f"Bearer {key}"}
        self._new_ref = new_ref
        self._rng = random.Random(seed)

    def run(self) -> None:
        with httpx2.Client(
            base_url=self._base, headers=self._headers, timeout=30, verify=False
        ) as client:
            for number in self._numbers:
                if self.stopping.is_set():
                    return
                self._submit(client, number)

    def _hangs_up(self, number: int, attempt: int) -> bool:
        """Each tenth statement, and some more by chance: so some answers are always lost."""
        return attempt == 0 and (number % 10 == 5 or self._rng.random() < 0.05)

    def _submit(self, client: httpx2.Client, number: int) -> None:
        for attempt in count():
            ref = f"R{number}-{attempt}" if self._new_ref else f"R{number}"
            body = support.repayment(number, self._loan_no, ref=ref)
            told = body.model_dump(mode="json", exclude={"loan_no"}, exclude_none=True)
            try:
                answer = client.post(
                    f"/v1/loans/{self._loan_no}/repayments",
                    json=told,
                    timeout=0.002 if self._hangs_up(number, attempt) else 30,
                )
            except httpx2.TransportError:
                answer = None
            if answer is not None and answer.status_code in (200, 201):
                said = answer.json()
                self.acknowledged.append(
                    Acknowledged(number, self._loan_no, said["position"], said["event_ids"][0])
                )
                return
            if answer is not None and answer.status_code != 503:
                self.faults.append(f"{ref}: {answer.status_code} {answer.text[:200]}")
                return
            self.retries += 1
            time.sleep(0.02)


def written_under(world: World, victims: list[str], seed: int, *, new_ref: bool) -> list[Writer]:
    """Have banks write while the victims are killed and started again."""
    rng = random.Random(seed)
    numbers = iter(range(seed * 1_000_000, (seed + 1) * 1_000_000, 10_000))
    loan_nos = [f"K{seed}-{place}" for place in range(WRITERS)]
    key = support.open_accounts(world.owner_dsn, "NRCB")["NRCB"]
    support.lend(world, support.bank(), loan_nos)
    service = ServiceProcess(world.dsn, world.folder, world.keys)
    service.start()
    writers = [
        Writer(service.base, key, no, range(first, first + 10_000), seed + first, new_ref=new_ref)
        for no, first in zip(loan_nos, numbers, strict=False)
    ]
    try:
        for writer in writers:
            writer.start()
        for victim in victims:
            time.sleep(rng.uniform(0.3, 0.9))
            if victim in ("service", "both"):
                service.kill()
            if victim in ("database", "both"):
                world.postgres.kill()
                world.postgres.start()
            if victim in ("service", "both"):
                service.start()
            wanted = sum(len(writer.acknowledged) for writer in writers) + 50
            wait_until(
                lambda wanted=wanted: (  # type: ignore[misc]
                    sum(len(writer.acknowledged) for writer in writers) >= wanted
                ),
                "work goes on",
            )
    finally:
        for writer in writers:
            writer.stopping.set()
        for writer in writers:
            writer.join(timeout=60)
        service.stop()
    return writers


def test_after_kill_9_of_service_and_database_nothing_acknowledged_is_lost_doubled_or_wrong(
    world: World,
) -> None:
    victims = [VICTIMS[kill % len(VICTIMS)] for kill in range(KILLS)]
    writers = written_under(world, victims, SEED, new_ref=False)
    acknowledged = [told for writer in writers for told in writer.acknowledged]
    said = f"seed {SEED}, {len(acknowledged)} acknowledged"
    assert [fault for writer in writers for fault in writer.faults] == [], said
    assert sum(writer.retries for writer in writers) > 0, f"no answer was ever lost: {said}"
    assert len(acknowledged) > 100, said
    assert verdict(world.dsn, acknowledged) == KEPT, said


def test_the_same_checker_catches_a_bank_that_retries_under_a_new_reference(
    world: World,
) -> None:
    seed = SEED + 1
    writers = written_under(world, ["service"], seed, new_ref=True)
    acknowledged = [told for writer in writers for told in writer.acknowledged]
    found = verdict(world.dsn, acknowledged)
    assert found.doubled, f"the harness is blind: seed {seed}, {found}"
    assert (found.lost, found.wrong, found.gaps) == ([], [], False), f"seed {seed}"


@pytest.mark.parametrize("commit", ["on", "off"])
def test_a_commit_that_does_not_wait_for_the_disk_is_caught_losing_events(
    world: World, monkeypatch: pytest.MonkeyPatch, commit: str
) -> None:
    """The negative control of the test above, and beside it the same crash with the wait."""
    # Nobody may come to the rescue: the log's own writer sleeps as long as it can.
    support.done(
        world.owner_dsn, "ALTER SYSTEM SET wal_writer_delay = '10s'", "SELECT pg_reload_conf()"
    )
    support.lend(world, support.bank(), [f"S-{commit}"])
    ledger = Ledger(world.dsn, world.keys)
    ledger.log._options += f" -c synchronous_commit={commit}"
    first = 7_000_000 if commit == "on" else 8_000_000
    acknowledged = []
    try:
        for number in range(first, first + 150):
            told = ledger.submit(
                support.repayment(number, f"S-{commit}", ref=f"S{number}"), support.bank()
            )
            acknowledged.append(
                Acknowledged(number, f"S-{commit}", told.position, told.event_ids[0])
            )
        world.postgres.kill()
    finally:
        ledger.close()
    world.postgres.start()
    found = verdict(world.dsn, acknowledged)
    if commit == "on":
        assert (found.lost, found.wrong, found.gaps) == ([], [], False)
    else:
        assert found.lost, "the harness is blind: nothing was lost without the wait"
