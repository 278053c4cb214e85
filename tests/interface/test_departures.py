"""A caller that goes away: its query ends in the database, and only its own."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

import psycopg
import pytest
from starlette.concurrency import run_in_threadpool
from support.chance import wait_until

from application.event_store.migrations import PINNED
from interface.http.departures import Departures
from projections.facts.reading import Facts

LONG, SHORT = 600.0, 0.5
"""Seconds that a query lasts: far longer than any machine takes to end it, and soon over."""
RUNNING = """
SELECT count(*) FROM pg_stat_activity
 WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%' AND datname = current_database()
"""


def seconds_of(
    facts: Facts, lasts: float, goes_after: float | None, method: str = "GET"
) -> tuple[float, bool]:
    """How long an answer takes whose query `lasts` so many seconds, and whether it came."""
    answered = False

    async def app(scope: Any, receive: Any, send: Any) -> None:
        del scope, receive

        def query() -> None:
            with facts.connection() as connection:
                connection.execute("SELECT pg_sleep(%s)", (lasts,))

        await run_in_threadpool(query)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def call() -> None:
        messages = iter([{"type": "http.request", "body": b"", "more_body": False}])

        async def receive() -> Any:
            for message in messages:
                return message
            await asyncio.sleep(3_600 if goes_after is None else goes_after)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            nonlocal answered
            answered = message["type"] == "http.response.start" or answered

        await Departures(app)({"type": "http", "method": method, "path": "/"}, receive, send)

    begun = monotonic()
    asyncio.run(call())
    return monotonic() - begun, answered


@pytest.fixture(scope="module")
def facts(shared_database: Any) -> Any:
    made = Facts(shared_database.dsn, most=2)
    yield made
    made.close()


def test_a_query_ends_with_its_caller(facts: Facts, shared_database: Any) -> None:
    taken, answered = seconds_of(facts, LONG, 0.2)
    assert not answered
    assert taken < LONG
    with psycopg.connect(shared_database.owner_dsn, options=PINNED, autocommit=True) as connection:
        wait_until(lambda: connection.execute(RUNNING).fetchone() == (0,), "the query ends")


def test_a_caller_that_stays_gets_the_answer(facts: Facts) -> None:
    taken, answered = seconds_of(facts, SHORT, None)
    assert answered
    assert taken >= SHORT


def test_a_command_is_never_broken_off(facts: Facts) -> None:
    taken, answered = seconds_of(facts, SHORT, 0.2, "POST")
    assert answered
    assert taken >= SHORT


def test_the_connection_serves_the_next_caller(facts: Facts) -> None:
    for _ in range(4):
        seconds_of(facts, LONG, 0.05)
        with facts.connection() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
