"""One event of the log (事件): where it stands, what it reverses, and what rests on it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from domain.catalogue import kind_of
from domain.household import Household
from domain.loan import Loan
from projections.facts.reading import Connection, Table, View, query_text
from projections.history import Happening, happenings, history
from projections.publications.columns import PUBLICATIONS

MOST: Final = 50
"""Payments that are listed; of more there is their number."""
_BY_ID = """
SELECT position FROM ledger.event WHERE originator_id = %s AND originator_version = %s
"""
_CASES = """
SELECT case_id, case_no, title FROM facts.standing_case_file(%(as_of)s, %(known_at)s)
 ORDER BY effective_on, case_no
"""


def position_called(connection: Connection, id: str) -> int | None:
    """Where the event of an id, or of a position with or without `#`, stands; None: there is none.

    `id`: `UUID.version`, `#154167` or `154167`.
    """
    aggregate, _, version = id.partition(".")
    if version:
        row = connection.execute(_BY_ID, (aggregate, version)).fetchone()
        return None if row is None else int(row[0])
    return int(id.removeprefix("#"))


def event_at(
    connection: Connection, position: int, known_at: datetime | None = None
) -> Happening | None:
    """The event at a position, if it was recorded by an instant; None when it was not."""
    found = happenings(connection, (position,), known_at)
    if not found or (known_at is not None and found[0].recorded_at > known_at):
        return None
    return found[0]


def corrections(
    connection: Connection, event: Happening, known_at: datetime | None = None
) -> tuple[Happening | None, Happening | None]:
    """(what it reversed, what reversed it), as known at an instant."""
    reversed_ = event.content.get("corrects")
    ids = [event.corrected_by, f"{event.originator_id}.{reversed_}" if reversed_ else None]
    if not any(ids):
        return None, None
    told = {e.event_id: e for e in history(connection, [event.originator_id], known_at)}
    return told.get(ids[1] or ""), told.get(ids[0] or "")


def about(connection: Connection, event: Happening) -> dict[str, str] | None:
    """The loan or the household that an event is of, by numbers; None for what is of neither."""
    kind = kind_of(event.topic)
    if kind not in ("loan", "household"):
        return None
    key = "loan_no" if kind == "loan" else "household_no"
    for told in history(connection, [event.originator_id]):
        if told.topic in (Loan.Disbursed.TOPIC, Household.Registered.TOPIC):
            return {"kind": kind, "no": told.content[key], "bank": told.content.get("bank", "")}
    return None


# ---- what rests on it ---------------------------------------------------------------------


def payments_resting_on(
    connection: Connection, event: Happening, known_at: datetime | None = None
) -> list[Happening] | None:
    """The payments recorded after it that were calculated on it, by the kind of what it is about.

    A loan's rest on its events, a household's loans' on the household's, a batch's on the batch's.
    None of a policy: every payment that cites it does.
    """
    kind = kind_of(event.topic)
    if kind == "programme":
        return None
    if kind not in ("loan", "household", "batch"):
        return []
    query = query_text(__name__, f"payments_of_{kind}.sql").encode()
    asked = {"id": event.originator_id, "position": event.position, "known_at": known_at}
    positions = [row[0] for row in connection.execute(query, asked)]
    return happenings(connection, positions, known_at) if positions else []


def publications_resting_on(
    view: View, event: Happening, reports: Collection[str] | None = None
) -> Table:
    """The published editions that were made with the event known, of a day on which it counted."""
    return view.table(
        PUBLICATIONS,
        query_text(__name__, "publications.sql"),
        position=event.position,
        day=event.content["effective_on"],
        reports=None if reports is None else list(reports),
    )


def cases_resting_on(view: View, event: Happening) -> list[dict[str, Any]]:
    """The cases whose findings are proven by the event: number and title, oldest first."""
    named = {row[0]: row[1:] for row in view.query(_CASES).rows}
    told = history(view.connection, list(named), view.known_at) if named else []
    found: dict[UUID, None] = {}
    for step in told:
        for finding in step.content.get("findings", ()):
            if event.position in (*finding["positions"], *finding.get("context", ())):
                found[step.originator_id] = None
    return [{"case_no": named[case][0], "title": named[case][1]} for case in named if case in found]


def payment_of(event: Happening) -> dict[str, Any]:
    """What is listed of a payment."""
    assert event.topic == Loan.SubsidyPaid.TOPIC
    told = event.content
    return {
        "payment_no": told["payment_no"],
        "period": told["period"],
        "paid_on": told["effective_on"],
        "amount_fen": told["amount_fen"],
        "position": event.position,
    }
