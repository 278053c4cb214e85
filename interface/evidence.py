"""The evidence bundle: one payment's trace with every event proven, as one file for others."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import date, datetime
from importlib import resources
from typing import Any

from application.tree.proofs import Proofs
from projections.history import Trace

FORMAT = "mingzhang-evidence/1"


def bundle(
    proofs: Proofs, payment_no: str, found: Trace, as_of: date, known_at: datetime | None
) -> dict[str, Any]:
    """What docs/tamper-evidence.md §5 says. Raises NotSealed."""
    trace = found.plain(as_of)
    positions = set(_positions(trace))
    checkpoint = proofs.checkpoint(covering=max(positions))
    return {
        "format": FORMAT,
        "payment_no": payment_no,
        "as_of": as_of,
        "known_at": known_at,
        "trace": trace,
        "events": [
            {"leaf": _text(event.leaf_data), "proof": [_text(node) for node in event.proof]}
            for event in proofs.events(positions, checkpoint)
        ],
        "checkpoint": checkpoint.text(),
        "rules": _rules(),
    }


def _positions(value: Any) -> Iterator[int]:
    """The positions of all events that a trace shows."""
    if isinstance(value, dict):
        if "event_id" in value:
            yield value["position"]
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _positions(item)


def _rules() -> list[dict[str, str]]:
    files = sorted(resources.files("domain.policy").iterdir(), key=lambda file: file.name)
    return [
        {"name": file.name, "text": file.read_text("utf-8")}
        for file in files
        if file.name.endswith(".toml")
    ]


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
