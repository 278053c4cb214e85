"""The inbox of findings (疑点收件箱): what the checks so far found, read from what they stored.

No rule is asked here: a list of the whole county costs the reading of it. An answer is kept until
a check stores another change, or an event is projected.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeVar

from projections.facts.reading import Table, View, query_text
from projections.red_flags import Rule, rules
from projections.red_flags.columns import INBOX, INBOX_WITH_CASES

T = TypeVar("T")
STATES: Final = ("shown", "in_case", "gone")
"""Found and in no case; in a case; no longer found."""
_SEVERITIES: Final = {rule.id: rule.severity for rule in rules()}
_ORDER: Final = ("high", "medium", "low")
_LAST: Final = """
SELECT max(change) FROM projection.red_flag_change
 WHERE %(through)s::timestamptz IS NULL OR asked_at <= %(through)s
"""


class Stored(NamedTuple):
    """One finding as the checks left it.

    `banks`, `townships`: that reported a proving event, or whose loan or household it is about.
    `before_payment`: whether a subsidy of its loans was paid after it could have been known; None
    when none was paid.
    """

    rule: str
    subject: str
    nth: int
    is_gone: bool
    amount_fen: int
    known_from: datetime | None
    first_shown_at: datetime
    changed_at: datetime
    positions: list[int]
    context: list[int]
    banks: list[str]
    townships: list[str]
    before_payment: bool | None

    @property
    def name(self) -> str:
        """What a case calls it."""
        return f"{self.rule} {self.subject}"

    @property
    def severity(self) -> str:
        return _SEVERITIES.get(self.rule, "low")


def stored_findings(view: View, through: datetime | None = None) -> list[Stored]:
    """Every finding of the checks up to an instant (None: of all), most severe and largest first.

    What went comes last.
    """
    return _kept(view, ("stored_findings", *_place(view, through)), lambda: _read(view, through))


def _place(view: View, through: datetime | None) -> tuple[Hashable, ...]:
    """What decides an answer: the facts, how far they go, and the last change that counts."""
    last = view.query(_LAST, through=through).rows[0][0]
    return view.place[0], view.position, last


def _kept(view: View, key: Hashable, read: Callable[[], list[T]]) -> list[T]:
    kept: list[T] | None = view.memory.recall(key) if view.memory else None
    if kept is None:
        kept = read()
        if view.memory:
            view.memory.keep(key, kept, 1 + len(kept))
    return kept


def inbox(
    view: View,
    asked: Iterable[Rule],
    cases: Mapping[str, str] | None,
    through: datetime | None = None,
) -> Table:
    """The findings of some rules as lines.

    `cases`: by the name of a finding the case that holds it; None for a reader of no cases.
    """
    wanted = frozenset(rule.id for rule in asked)
    of_cases = None if cases is None else frozenset(cases.items())

    def lines() -> list[tuple[Any, ...]]:
        found = stored_findings(view, through)
        return [_line(each, cases) for each in found if each.rule in wanted]

    key = ("inbox", *_place(view, through), wanted, of_cases)
    return Table(INBOX if cases is None else INBOX_WITH_CASES, list(_kept(view, key, lines)))


def _line(each: Stored, cases: Mapping[str, str] | None) -> tuple[Any, ...]:
    case_no = cases.get(each.name) if cases else None
    state = "gone" if each.is_gone else "in_case" if case_no else "shown"
    return (
        each.rule,
        each.severity,
        each.subject,
        each.nth,
        each.amount_fen,
        each.known_from,
        each.first_shown_at,
        each.changed_at,
        state,
        each.banks,
        each.townships,
        each.before_payment,
        *(() if cases is None else (case_no,)),
        each.positions,
        each.context,
    )


class _Concerned(NamedTuple):
    """Whom one event concerns."""

    banks: frozenset[str]
    townships: frozenset[str]
    paid_last_at: datetime | None


def _read(view: View, through: datetime | None) -> list[Stored]:
    rows = view.query(query_text(__package__, "inbox.sql"), through=through).rows
    concerned = _concerned(view, {position for row in rows for position in row[8]})
    found = [_stored(row, concerned) for row in rows]
    found.sort(key=_rank)
    return found


def _rank(each: Stored) -> tuple[Any, ...]:
    return each.is_gone, _ORDER.index(each.severity), -each.amount_fen, each.name, each.nth


def _stored(row: tuple[Any, ...], concerned: Mapping[int, _Concerned]) -> Stored:
    rule, subject, nth, kind, amount_fen, known_from, first_shown_at, changed_at = row[:8]
    proof = [concerned[position] for position in row[8] if position in concerned]
    paid = max((each.paid_last_at for each in proof if each.paid_last_at), default=None)
    return Stored(
        rule,
        subject,
        nth,
        kind == "gone",
        amount_fen,
        known_from,
        first_shown_at,
        changed_at,
        row[8],
        row[9],
        sorted({bank for each in proof for bank in each.banks}),
        sorted({township for each in proof for township in each.townships}),
        None if paid is None or known_from is None else paid > known_from,
    )


def _concerned(view: View, positions: set[int]) -> dict[int, _Concerned]:
    rows = view.query(query_text(__package__, "concerned.sql"), positions=sorted(positions)).rows
    return {
        position: _Concerned(
            frozenset(_said(bank, organisation if role == "bank" else None)),
            frozenset(_said(township, organisation if role == "township" else None)),
            paid_last_at,
        )
        for position, bank, township, role, organisation, paid_last_at in rows
    }


def _said(*codes: str | None) -> Iterable[str]:
    return (code for code in codes if code)
