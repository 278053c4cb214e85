"""The auditor's own reading of the events keeps up with the ledger's."""

from __future__ import annotations

import tomllib

from domain.catalogue import EVENTS
from interface.auditor.facts import FACTS_TOML
from projections.facts.declaration import columns
from projections.facts.statements import tables

KNOWN = tomllib.loads(FACTS_TOML.read_text("utf-8"))
ALL = ["of_position", "position", "recorded_at", "effective_on", "sign"]


def test_every_kind_of_event_is_read() -> None:
    assert KNOWN["events"].keys() == EVENTS.keys()


def test_every_column_of_every_table_of_the_facts_is_compared_in_its_order() -> None:
    assert list(KNOWN["tables"]) == tables()
    for table in tables():
        names = [column.name for column in columns(table)]
        assert names == ALL + list(KNOWN["tables"][table]), table


def test_the_auditor_s_statement_uses_the_words_that_his_program_reads() -> None:
    words = {"table", "each", "item", "unless_zero", "is", "of", "plus", "minus", "text"}
    for topic, rules in KNOWN["events"].items():
        for rule in rules:
            assert rule.keys() <= words, topic
            known = KNOWN["tables"][rule["table"]].keys()
            for word in ("is", "of", "plus", "minus", "text"):
                assert rule.get(word, {}).keys() <= known, topic
