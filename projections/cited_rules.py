"""Whether the policy tables still say what paid subsidies rested on."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
import psycopg

from domain.policy import POLICY, table_names
from domain.programme import Programme, rulings_told
from projections.facts.reading import Connection

_CITED = """
SELECT r.key, r.value, min(e.position)
  FROM ledger.event e,
       jsonb_each(convert_from(e.state, 'UTF8')::jsonb #> '{calculation,rulings}') r
 WHERE e.topic = 'loan.subsidy-paid.v1'
 GROUP BY r.key, r.value ORDER BY 3, 1
"""
_PAID = """
SELECT position, state FROM ledger.event WHERE topic = 'loan.subsidy-paid.v1' ORDER BY position
"""
_TOLD = "SELECT state FROM ledger.event WHERE originator_id = %s AND topic LIKE 'programme.%%'"


class WrongRule(NamedTuple):
    """A ruling that a payment cites and that the policy tables now lack, or tell otherwise."""

    position: int
    version: str
    cited: Any
    now: Any

    def __str__(self) -> str:
        now = "不在 / gone" if self.now is None else self.now
        return (
            f"第 {self.position} 条所引政策与政策表不符 / event {self.position} cites a rule that"
            f" the policy tables tell otherwise: {self.version} = {self.cited} → {now}"
        )


def wrong_rules(connection: Connection) -> list[WrongRule]:
    """Each ruling that was cited and altered since, with the first event that cites it."""
    present = {
        ruling.version: ruling.to_dict()["value"]
        for name in table_names()
        for ruling in POLICY.table(name).rulings
    }
    for (state,) in connection.execute(_TOLD, (Programme.the_id(),)):
        try:
            rulings = rulings_told(msgspec.json.decode(state))
        except (msgspec.DecodeError, LookupError, TypeError, ValueError, AttributeError):
            continue  # what cites it is named below, and that it was altered by the tree
        present |= {ruling.version: ruling.to_dict()["value"] for ruling in rulings}
    return [
        WrongRule(position, version, value, present.get(version))
        for version, value, position in _cited(connection)
        if present.get(version) != value
    ]


def _cited(connection: Connection) -> list[tuple[str, Any, int]]:
    """(version, value, first position) of all that is cited; an event that cannot be read cites
    nothing: that it was altered is for the tree to say."""
    try:
        with connection.transaction():
            return connection.execute(_CITED).fetchall()
    except psycopg.DataError:
        found: dict[str, tuple[str, Any, int]] = {}
        for position, state in connection.cursor().stream(_PAID):
            for version, value in _rulings_in(state).items():
                found.setdefault(f"{version} {value}", (version, value, position))
        return list(found.values())


def _rulings_in(state: bytes) -> dict[str, Any]:
    try:
        return dict(msgspec.json.decode(state)["calculation"]["rulings"])
    except (msgspec.DecodeError, LookupError, TypeError, ValueError):
        return {}
