"""The auditor's own reading of the events keeps up with the ledger's."""

from __future__ import annotations

from domain.catalogue import EVENTS
from interface.audit.facts import COMMON, DRAWN, TABLES
from projections.facts.statements import tables


def test_every_kind_of_event_is_read() -> None:
    assert DRAWN.keys() == EVENTS.keys()


def test_every_table_of_the_facts_is_compared() -> None:
    assert list(TABLES) == tables()
    assert COMMON.split() == ["of_position", "position", "recorded_at", "effective_on", "sign"]
