"""The evidence bundle: a payment's trace, or a finding, with every event proven, as one file."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from importlib import resources
from typing import Any

import msgspec

from application.transparency_log.proofs import Proofs
from application.transparency_log.signer import Signer
from projections.facts.reading import View
from projections.history import Trace, happenings
from projections.red_flags import Rule, Wanted, check, text_of
from projections.red_flags.evidence import cited, plan_rulings

FORMAT = "mingzhang-evidence/2"

_canonical = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode


def bundle(
    proofs: Proofs,
    signer: Signer,
    payment_no: str,
    found: Trace,
    as_of: date,
    known_at: datetime | None,
) -> dict[str, Any]:
    """What docs/tamper-evidence.md §5 says. Raises NotSealed."""
    trace = found.plain(as_of)
    content = {
        "format": FORMAT,
        "payment_no": payment_no,
        "as_of": as_of,
        "known_at": known_at,
        "trace": trace,
        **_proven(proofs, _positions(trace)),
        "rules": _rules(),
    }
    return _signed(proofs, signer, content)


def finding_bundle(proofs: Proofs, signer: Signer, finding: dict[str, Any]) -> dict[str, Any]:
    """The same about a finding of a red flag (`finding_of`). Raises NotSealed."""
    cited = {ruling["position"] for ruling in finding["rulings"] + finding["rests_on"]}
    positions = {*finding["positions"], *finding["context"], *cited} - {None}
    told = happenings(proofs.connection, positions, finding["known_at"])
    rule = finding["rule"]
    content = {
        "format": FORMAT,
        "finding": finding,
        "finding_events": [event.plain() for event in told],
        **_proven(proofs, positions),
        "rules": [*_rules(), {"name": f"{rule.lower()}.toml", "text": text_of(rule)}],
    }
    return _signed(proofs, signer, content)


def _signed(proofs: Proofs, signer: Signer, content: dict[str, Any]) -> dict[str, Any]:
    """The bundle as plain JSON values, under a signature by the log over all of it."""
    plain: dict[str, Any] = msgspec.to_builtins(content)
    digest = proofs.hash.digest(_canonical(plain).encode())
    return plain | {"signature": signer.attest(FORMAT, proofs.origin, [_text(digest)])}


def finding_of(view: View, rule: Rule, subject: str, nth: int = 1) -> dict[str, Any] | None:
    """What a rule says of a subject at two dates, and by what; None when it does not flag it.

    `nth`: which of its findings, where it has several.
    """
    checked = check(view, rule, Wanted(subject=subject, offset=nth - 1, most=1))
    if not checked.findings:
        return None
    [finding] = checked.findings
    return {
        "rule": rule.id,
        "rule_version": rule.version,
        "title_zh": rule.title_zh,
        "title_en": rule.title_en,
        **finding._asdict(),
        "as_of": view.as_of,
        "known_at": view.known_at,
        "rulings": cited(view, [ruling.to_dict() for ruling in checked.rulings]),
        "rests_on": cited(view, plan_rulings(view, rule, finding.subject)),
    }


def _proven(proofs: Proofs, positions: Iterable[int]) -> dict[str, Any]:
    """Events with their proofs to one checkpoint over all of them."""
    wanted = set(positions)
    checkpoint = proofs.checkpoint(covering=max(wanted, default=0))
    return {
        "events": [
            {"leaf": _text(event.leaf_data), "proof": [_text(node) for node in event.proof]}
            for event in proofs.events(wanted, checkpoint)
        ],
        "checkpoint": checkpoint.text(),
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
