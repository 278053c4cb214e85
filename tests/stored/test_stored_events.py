"""One event of every topic ever shipped, byte for byte: history must stay readable for ever.

Lines are only ever added to events.ndjson, never changed.
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from application.event_store.mapper import decode, encode
from domain.catalogue import EVENTS

LINES = (Path(__file__).parent / "events.ndjson").read_text("utf-8").splitlines()


@pytest.mark.parametrize("line", LINES, ids=lambda line: json.loads(line)["topic"])
def test_a_stored_event_is_read_and_written_back_to_the_same_bytes(line: str) -> None:
    stored = json.loads(line)

    event = decode(stored["topic"], stored["state"].encode())

    assert stored["topic"] == type(event).TOPIC
    assert encode(event) == stored["state"].encode()
    told = msgspec.json.decode(stored["state"])
    assert set(told) <= set(type(event).__struct_fields__)


def test_every_event_of_the_catalogue_has_been_kept() -> None:
    assert {json.loads(line)["topic"] for line in LINES} == set(EVENTS)
