"""A small county: organisations enrolled, and conversations with its ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from application.access import Organisation, enrol
from application.command import Command
from application.ledger import Ledger, Recorded
from domain.kernel import Author, Refused
from interface.deployment import COUNTY_OFFICES
from projections.facts.draw import Projector
from projections.facts.reading import Facts

ORGANISATIONS = [
    *COUNTY_OFFICES,
    Organisation("NRCB", "bank", "农商银行"),
    Organisation("PSBC", "bank", "邮储银行"),
    Organisation("T01", "township", "青石镇"),
    Organisation("T02", "township", "柳河镇"),
    Organisation("DB", "guarantor", "融资担保公司"),
]


class SteppingClock:
    """A clock that a test sets; it moves one second at each look."""

    def __init__(self, start: datetime | None = None) -> None:
        self.now = start or datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@contextmanager
def conversation(database: Any, **settings: Any) -> Iterator[Ledger]:
    """A ledger over a database in which the county's organisations are known."""
    enrol(database.owner_dsn, ORGANISATIONS)
    ledger = Ledger(database.dsn, database.keys, **settings)
    try:
        yield ledger
    finally:
        ledger.close()


@contextmanager
def drawn(database: Any) -> Iterator[Facts]:
    """The facts of a database, drawn up to the end of its log."""
    projector = Projector(database.dsn)
    projector.catch_up()
    projector.close()
    facts = Facts(database.dsn, most=2)
    try:
        yield facts
    finally:
        facts.close()


def refusal(ledger: Ledger, command: Command, by: Author) -> Refused:
    """The refusal that a command meets; fails when it was recorded."""
    try:
        recorded = ledger.submit(command, by)
    except Refused as refused:
        return refused
    raise AssertionError(f"recorded: {recorded}")


def told(ledger: Ledger, *submissions: tuple[Command, Author]) -> list[Recorded]:
    """All of these recorded, one after the other."""
    return [ledger.submit(command, by) for command, by in submissions]
