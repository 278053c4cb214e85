"""Which movements a red flag calls wrong: by what the rules found when they were last checked.

A rule speaks of many events; a movement is flagged where it is itself what the rule says must not
be, not where it merely belongs to the story.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from projections.facts.reading import View
from projections.fund_flow import Movement

SAYS: Final = {
    "lent": ("RF05", "RF06", "RF09", "RF21", "RF22", "RF24"),
    "withheld": ("RF19",),
    "outflow": ("RF08", "RF19", "RF24"),
    "repaid": ("RF11", "RF24"),
    "subsidy": ("RF01", "RF02", "RF03", "RF04", "RF18", "RF22"),
    "transfer": ("RF18",),
    "allocated": ("RF17",),
}
"""By kind of movement, the rules that call such a movement itself wrong."""
_FOUND: Final = """
SELECT DISTINCT rule, subject, position FROM (
  SELECT DISTINCT ON (c.rule, c.subject, c.nth) c.*
    FROM projection.red_flag_change c WHERE c.rule = ANY (%(rules)s)
   ORDER BY c.rule, c.subject, c.nth, c.change DESC) last,
       LATERAL unnest(last.positions || last.context) position
 WHERE last.kind <> 'gone' AND last.known_from <= %(known_at)s AND position = ANY (%(positions)s)
 ORDER BY rule, subject, position
"""


class Flag(NamedTuple):
    """A finding that a movement is part of."""

    rule: str
    subject: str


def flags(view: View, moved: Iterable[Movement]) -> dict[tuple[int, str], list[Flag]]:
    """By position and kind of a movement, the findings that call it wrong."""
    kinds = {(m.position, m.kind) for m in moved if m.kind in SAYS}
    return flags_at(view, kinds)


def flags_at(view: View, kinds: set[tuple[int, str]]) -> dict[tuple[int, str], list[Flag]]:
    """The same, of movements by their position and kind, a key of SAYS."""
    rules = sorted({rule for _, kind in kinds for rule in SAYS[kind]})
    positions = sorted({position for position, _ in kinds})
    found: dict[tuple[int, str], list[Flag]] = {}
    if not positions:
        return found
    asked = {"rules": rules, "positions": positions, "known_at": view.known_at}
    for rule, subject, position in view.connection.execute(_FOUND, asked):
        for kind, said in SAYS.items():
            if rule in said and (position, kind) in kinds:
                found.setdefault((position, kind), []).append(Flag(rule, subject))
    return found
