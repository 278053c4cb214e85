"""What is stored of the red flags: how far each rule is checked, its runs, and what changed.

A run that says nothing new moves the one status row of its rule and adds nothing, so that asking
every few seconds for years fills no disk; each civil day adds one run a rule.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any, Final, NamedTuple

import msgspec

from domain.calendar import civil_day
from projections.columns import keys
from projections.facts.reading import Connection, Table, View, query_text
from projections.red_flags import Checked, rules
from projections.red_flags.columns import CHANGES, RUNS, STANDING

_LOCK: Final = 7291004
_STATUS: Final = (
    "rule", "rule_version", "rulings", "status", "error", "findings", "amount_fen", "as_of",
    "known_at", "position", "asked_position", "asked_at", "took_ms", "run", "digest",
)  # fmt: skip


class Status(NamedTuple):
    """Through where one rule is checked, and what it says there."""

    rule: str
    rule_version: str
    rulings: dict[str, Any]
    status: str
    error: str | None
    findings: int
    amount_fen: int
    as_of: date | None
    known_at: datetime | None
    position: int
    asked_position: int
    asked_at: datetime
    took_ms: int
    run: int
    digest: bytes


def statuses(connection: Connection) -> dict[str, Status]:
    """By the rule's id; a rule that is missing was not checked yet."""
    rows = connection.execute(f"SELECT {', '.join(_STATUS)} FROM projection.red_flag_status")
    return {row[0]: Status(*row) for row in rows}


class Progress(NamedTuple):
    """How far all rules are checked, and which of them are not."""

    position: int
    findings: int
    in_error: list[str]
    not_checked: list[str]


def progress(connection: Connection) -> Progress:
    """Of the rules there are today."""
    there = statuses(connection)
    known = [there[rule.id] for rule in rules() if rule.id in there]
    missing = [rule.id for rule in rules() if rule.id not in there]
    return Progress(
        0 if missing else min((each.position for each in known), default=0),
        sum(each.findings for each in known),
        [each.rule for each in known if each.status == "error"],
        missing,
    )


def advance(connection: Connection, unmoved: list[str], position: int, known_at: datetime) -> None:
    """Nothing came that these rules ask about: what they say is true of this place too."""
    connection.execute(
        "UPDATE projection.red_flag_status SET position = %s, known_at = %s"
        " WHERE rule = ANY (%s) AND status <> 'error' AND position < %s",
        (position, known_at, unmoved, position),
    )


def store(
    connection: Connection, view: View, checked: Checked, asked_at: datetime, took_ms: int
) -> int | None:
    """Keep how a rule fared; returns the number of the run, None when it says nothing new."""
    rulings = {ruling.version: ruling.value for ruling in checked.rulings}
    found = None if checked.error is not None else _plain(checked)
    told = (checked.rule.version, rulings, checked.status, checked.error, found)
    digest = hashlib.sha256(_json(told).encode()).digest()
    with connection.transaction():
        # A rule on its way from one lane to the other may be asked by two watchers at a time.
        connection.execute(
            "SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (_LOCK, checked.rule.id)
        )
        before = statuses(connection).get(checked.rule.id)
        if before and before.asked_position > view.position:
            return None
        asked: dict[str, Any] = {
            "rule": checked.rule.id,
            "rule_version": checked.rule.version,
            "rulings": _json(rulings),
            "status": checked.status,
            "error": checked.error,
            "as_of": view.as_of,
            "known_at": view.known_at,
            "position": view.position,
            "findings": checked.how_many,
            "amount_fen": checked.amount_fen,
            "asked_at": asked_at,
            "took_ms": took_ms,
            "found": None if found is None else _json(found),
            "anyway": before is None or _other(before, checked, rulings, view.as_of),
        }
        run, digest = _stored(connection, asked, before, digest)
        last = run if run is not None else before.run if before else 0
        connection.execute(_sql("status.sql"), asked | {"run": last, "digest": digest})
    return run


def _stored(
    connection: Connection, asked: dict[str, Any], before: Status | None, digest: bytes
) -> tuple[int | None, bytes]:
    """The number of the run if it says anything new, and the digest of what has been said."""
    if before and before.digest == digest and not asked["anyway"]:
        return None, digest
    row = connection.execute(_sql("store.sql"), asked).fetchone()
    assert row is not None
    run, more_to_say = row
    return run, b"" if more_to_say else digest


def _other(before: Status, checked: Checked, rulings: dict[str, Any], as_of: date) -> bool:
    """Whether a run is worth a row, whatever it found."""
    stood = (before.rule_version, before.status, before.error, _json(before.rulings))
    stands = (checked.rule.version, checked.status, checked.error, _json(rulings))
    last = before.as_of if before.error is None else civil_day(before.asked_at)
    return stood != stands or last != as_of


def _plain(checked: Checked) -> list[dict[str, Any]]:
    """The findings in an order of their own, however the question gave them."""
    plain, seen = [], Counter[str]()
    for each in sorted(checked.findings, key=lambda f: (f.subject, sorted(f.positions))):
        seen[each.subject] += 1
        positions = {"positions": sorted(each.positions), "context": sorted(each.context)}
        plain.append(each._asdict() | positions | {"nth": seen[each.subject]})
    return plain


def _json(value: Any) -> str:
    return msgspec.json.encode(value, order="deterministic").decode()


def _sql(name: str) -> bytes:
    return query_text("projections.red_flags", name).encode()


def standing_on(
    connection: Connection,
    positions: Collection[int],
    hidden: Sequence[str] = (),
    known_at: datetime | None = None,
) -> Table:
    """The findings that any of these events prove, as found last; none of the rules `hidden`.

    `known_at`: those alone that could have been known by then.
    """
    rows = connection.execute(
        f"SELECT {', '.join(keys(STANDING))} FROM projection.red_flag_change c"
        " WHERE c.positions && %(positions)s::bigint[] AND c.kind <> 'gone'"
        " AND c.rule <> ALL (%(hidden)s::text[])"
        " AND (%(known_at)s::timestamptz IS NULL OR c.known_from <= %(known_at)s)"
        " AND NOT EXISTS (SELECT FROM projection.red_flag_change n WHERE n.rule = c.rule"
        "  AND n.subject = c.subject AND n.nth = c.nth AND n.change > c.change)"
        " ORDER BY rule, subject, nth",
        {"positions": list(positions), "hidden": list(hidden), "known_at": known_at},
        binary=True,
    )
    return Table(STANDING, rows.fetchall())


def runs(
    connection: Connection,
    rule: str | None = None,
    before: int | None = None,
    most: int | None = 100,
    hidden: Sequence[str] = (),
) -> Table:
    """The stored runs, newest first, before a run's number; none of the rules `hidden`."""
    rows = connection.execute(
        f"SELECT {', '.join(keys(RUNS))} FROM projection.red_flag_run"
        " WHERE (%(rule)s::text IS NULL OR rule = %(rule)s)"
        " AND (%(before)s::bigint IS NULL OR run < %(before)s)"
        " AND rule <> ALL (%(hidden)s::text[]) ORDER BY run DESC LIMIT %(most)s",
        {"rule": rule, "before": before, "most": most, "hidden": list(hidden)},
    )
    return Table(RUNS, rows.fetchall())


def changes(
    connection: Connection,
    since: datetime | None = None,
    rule: str | None = None,
    before: int | None = None,
    most: int | None = None,
    hidden: Sequence[str] = (),
) -> Table:
    """What appeared, changed and went after an instant, newest first, before a change's number."""
    rows = connection.execute(
        f"SELECT {', '.join(keys(CHANGES))} FROM (SELECT c.*, r.rule_version, r.as_of, r.known_at,"
        " r.position FROM projection.red_flag_change c JOIN projection.red_flag_run r USING (run)"
        " WHERE (%(since)s::timestamptz IS NULL OR c.asked_at > %(since)s)"
        " AND (%(rule)s::text IS NULL OR c.rule = %(rule)s)"
        " AND (%(before)s::bigint IS NULL OR c.change < %(before)s)"
        " AND c.rule <> ALL (%(hidden)s::text[])) said"
        " ORDER BY change DESC LIMIT %(most)s",
        {"since": since, "rule": rule, "before": before, "most": most, "hidden": list(hidden)},
    )
    return Table(CHANGES, rows.fetchall())
