"""A clock that jumps ahead dates nothing: what it would record is refused, and it is said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from faults.test_tamper import alter
from support import controls as c
from support.county import conversation
from support.service import service

from application.event_store.clock import TOLERANCE, ClockWatch
from application.ledger import Submission
from application.personal_data.encryption import Vault
from application.refusals import ClockJumped
from application.transparency_log.signer import FileSigner
from application.transparency_log.verification import Verification

MINUTE = 60 * 1_000_000
DECADE = timedelta(days=3652)


class Hand:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.by = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.by


class Counted:
    """What a process has counted since the start of its machine, in microseconds."""

    def __init__(self) -> None:
        self.us = 7

    def __call__(self) -> int:
        return self.us


def test_a_clock_ten_years_ahead_records_nothing_and_goes_on_when_it_is_set_right(
    database: Any,
) -> None:
    hand = Hand()
    with conversation(database, clock=hand) as ledger:
        ledger.submit(c.household(), c.BUREAU)
        hand.by = DECADE
        for _ in range(2):
            with pytest.raises(ClockJumped):
                ledger.submit(c.loan(), c.BANK)
        assert ledger.log.last_position() == 1
        with pytest.raises(ClockJumped):
            ledger.submit_all([Submission(c.loan(), c.BANK)], atomic=True)
        assert ledger.log.last_position() == 1
        hand.by = timedelta()
        recorded = ledger.submit(c.loan(), c.BANK)
        assert abs(recorded.recorded_at - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.parametrize("by", [TOLERANCE + timedelta(seconds=30), DECADE])
def test_the_first_event_of_a_service_is_refused_too(database: Any, by: timedelta) -> None:
    hand = Hand()
    hand.by = by
    with conversation(database, clock=hand) as ledger, pytest.raises(ClockJumped):
        ledger.submit(c.household(), c.BUREAU)


def test_some_minutes_are_let_be(database: Any) -> None:
    hand = Hand()
    hand.by = TOLERANCE - timedelta(seconds=30)
    with conversation(database, clock=hand) as ledger:
        assert ledger.submit(c.household(), c.BUREAU).position == 1


def test_a_machine_whose_clock_jumps_for_the_database_too_is_seen_by_what_was_counted() -> None:
    counted = Counted()
    watch = ClockWatch(counted)
    assert watch.due
    watch.observe(1_000 * MINUTE)
    counted.us += 61 * MINUTE
    assert watch.due
    watch.observe(10**9 * MINUTE)
    assert not watch.due
    assert watch.ahead(10**9 * MINUTE)
    assert not watch.ahead(1_065 * MINUTE)
    assert watch.ahead(1_067 * MINUTE)


def test_a_databases_clock_that_is_slewed_or_set_back_is_followed() -> None:
    counted = Counted()
    watch = ClockWatch(counted)
    watch.observe(1_000 * MINUTE)
    for hour in range(1, 100):
        counted.us += 60 * MINUTE
        watch.observe((1_000 + hour * 61) * MINUTE)
    assert not watch.ahead((1_000 + 99 * 61 + 4) * MINUTE)
    watch.observe(500 * MINUTE)
    assert watch.ahead(506 * MINUTE)


def test_the_refusal_and_the_alarm_reach_who_asks(database: Any) -> None:
    hand = Hand()
    with service(database, clock=hand) as callers:
        registered = c.body(c.household()) | {"ref": "HH-1"}
        assert callers.client.get("/healthz").json()["status"] == "ok"
        hand.by = DECADE
        answer = callers.BUREAU.post("/households", registered)
        assert (answer.status_code, answer.json()["code"]) == (503, "clock_jumped")
        health = callers.client.get("/healthz").json()
        assert health["status"] == "clock_wrong"
        assert "未记录任何内容" in health["clock"]
        assert b"mingzhang_clock_wrong 1.0" in callers.client.get("/metrics").content
        hand.by = -timedelta(hours=1)
        assert "落后" in callers.client.get("/healthz").json()["clock"]
        hand.by = timedelta()
        assert callers.client.get("/healthz").json()["status"] == "ok"
        assert callers.BUREAU.post("/households", registered).status_code == 201


def test_an_event_that_is_dated_in_the_future_is_an_alarm_and_named(
    database: Any, tmp_path: Path
) -> None:
    with conversation(database) as ledger:
        ledger.submit(c.household(), c.BUREAU)
        ledger.submit(c.loan(), c.BANK)
        last = ledger.log.last_position()
    with psycopg.connect(database.owner_dsn, autocommit=True) as owner:
        alter(
            owner,
            "event",
            "UPDATE ledger.event SET recorded_at = recorded_at + interval '10 years'"
            f" WHERE position = {last}",
        )
    with service(database) as callers:
        assert f"第 {last} 条" in callers.client.get("/healthz").json()["clock"]
    origin = "test.local/ledger/sha-256"
    key = FileSigner.create(tmp_path / "key.json").key(origin)
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        found = Verification(connection, origin, key, Vault(database.keys).authenticate).run()
    assert any(f.position == last and "将来" in f.zh for f in found.faults)
