"""The auditor's own reading of the events keeps up with the ledger's."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from domain.catalogue import EVENTS
from interface.auditor import verify
from projections.facts.statements import read, tables

KNOWN = tomllib.loads(Path(verify.__file__).with_name("facts.toml").read_text("utf-8"))
ALL = ["of_position", "position", "recorded_at", "effective_on", "sign"]


def test_every_kind_of_event_is_read() -> None:
    assert KNOWN["events"].keys() == EVENTS.keys()


def test_every_column_of_every_table_of_the_facts_is_compared_in_its_order() -> None:
    assert list(KNOWN["tables"]) == tables()
    for table, body in re.findall(
        r"^CREATE TABLE (\w+) \((.*?)^\);", read("schema.sql"), re.MULTILINE | re.DOTALL
    ):
        columns = re.findall(
            r"(\w+) (?:bigint|int|smallint|timestamptz|date|uuid|text|boolean)\b", body
        )
        assert columns == ALL + KNOWN["tables"][table].split(), table


def test_the_auditor_s_statement_uses_the_words_that_his_program_reads() -> None:
    words = {"table", "each", "unless_zero", "is", "of", "plus", "minus", "text"}
    for topic, rules in KNOWN["events"].items():
        for rule in rules:
            assert rule.keys() <= words, topic
            columns = KNOWN["tables"][rule["table"]].split()
            for word in ("is", "of", "plus", "minus", "text"):
                assert rule.get(word, {}).keys() <= {*columns}, topic
