"""The inbox of findings (疑点), the checks that stored them (疑点检查) and what changed (疑点变动).

No rule is asked here: what the checks stored is read. A rule in error, or never checked, is named
above the list, so that it is not taken for a clean one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter

from domain.kernel import Author
from domain.roles import SUPERVISION
from interface.console.dates import in_china
from interface.console.frame import Visit
from interface.console.list_view import Listed
from interface.console.lists import Line, ListPage, list_page
from interface.console.page_route import PageRoute
from interface.console.words import Words
from interface.http.routes.red_flags import hidden_from, inbox_for, rules_for
from projections.columns import Columns
from projections.facts.reading import Table, View
from projections.red_flags import Rule
from projections.red_flags.columns import CHANGES, INBOX_WITH_CASES, RUNS
from projections.red_flags.runs import Status, changes, runs, statuses

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_STATUS_TAGS: Final = {"error": "wrong", "not_checked": "none"}


def finding_address(found: Visit, rule: str, subject: str, nth: int = 1) -> str:
    """The page of one finding; `nth`: where a rule has several of one subject."""
    return found.to("red-flags", rule, subject, nth=nth if nth > 1 else None)


def case_address(found: Visit, case_no: str) -> str:
    return found.to("cases", case_no)


def title_of(words: Words, rule: Rule) -> str:
    return rule.title_zh if words.language == "zh" else rule.title_en


def rule_codes(found: Visit) -> dict[str, Mapping[Any, str]]:
    """What rules are called, beside their ids."""
    named = {
        each.id: f"{each.id} {title_of(found.words, each)}" for each in rules_for(found.author)
    }
    return {"rule": named}


# ---- the inbox ------------------------------------------------------------------------


def _to_finding(found: Visit, line: Line) -> str:
    return finding_address(found, line["rule"], line["subject"], line.get("nth") or 1)


def _to_case(found: Visit, line: Line) -> str | None:
    return case_address(found, line["case_no"]) if line["case_no"] else None


def _tag(line: Line, key: str) -> str | None:
    """What is gone or taken up is not ordinary; half of all could be known before a payment."""
    return {"gone": "none", "in_case": "pending"}.get(line["state"]) if key == "state" else None


_SHOWN: Final = (
    "rule", "subject", "amount_fen", "severity", "known_from", "first_shown_at",
    "before_payment", "state", "bank", "township",
)  # fmt: skip
INBOX: Final = ListPage(
    name="red_flags",
    query="/red-flags/inbox",
    columns=INBOX_WITH_CASES,
    key=("rule", "subject", "nth"),
    shown=_SHOWN,
    facets=("severity", "state", "before_payment", "rule", "bank", "township"),
    filters=("subject",),
    ranges=("known_from", "amount_fen"),
    leads={
        "rule": lambda found, line: found.address("/red-flags", rule=line["rule"]),
        "subject": _to_finding,
        "amount_fen": _to_finding,
        "state": _to_case,
        "case_no": _to_case,
    },
    tags=_tag,
    codes=rule_codes,
    template="red_flags.html",
)


def _checks(found: Visit, view: View, listed: Listed) -> Mapping[str, Any]:
    """Through when each rule is checked, and which are not."""
    del listed
    there = statuses(view.connection)
    lines = [_check(found, rule, there.get(rule.id)) for rule in rules_for(found.author)]
    checked = [line for line in lines if line["known_at"]]
    gone = found.address("/red-flags", state="gone")
    return {
        "checks": lines,
        "troubled": [line for line in lines if line["tag"]],
        "checked": len(checked),
        "through": min((line["position"] for line in checked), default=0),
        "known_at": min((line["known_at"] for line in checked), default=""),
        "gone": None if found.request.query_params.get("state") == "gone" else gone,
        "standing": found.address("/red-flags", state=None),
        "runs": found.address("/red-flags/runs"),
    }


def _check(found: Visit, rule: Rule, status: Status | None) -> dict[str, Any]:
    """How one rule stands; `known_at` is empty where it was never checked without an error."""
    said = status.status if status else "not_checked"
    return {
        "rule": rule.id,
        "title": title_of(found.words, rule),
        "severity": rule.severity,
        "status": said,
        "tag": _STATUS_TAGS.get(said),
        "error": status.error if status else None,
        "position": status.position if status else 0,
        "known_at": in_china(status.known_at) if status and status.known_at else "",
        "findings": status.findings if status else 0,
        "amount_fen": status.amount_fen if status else 0,
        "list": found.address("/red-flags", rule=rule.id),
        "runs": found.address("/red-flags/runs", rule=rule.id),
    }


@list_page(router, "/red-flags", INBOX, _checks)
def inbox_lines(found: Visit, view: View) -> Table:
    """What stands; what went is shown where it is asked for alone."""
    table = inbox_for(view, found.author, rules_for(found.author), found.known_at)
    wants_gone = found.request.query_params.get("state") == "gone"
    state = table.keys.index("state")
    rows = [row for row in table.rows if (row[state] == "gone") == wants_gone]
    return _with_columns(Table(table.columns, rows), INBOX_WITH_CASES)


def _with_columns(table: Table, columns: Columns) -> Table:
    """The table with these columns; one that the reader is not told is empty."""
    if table.columns == columns:
        return table
    places = {key: place for place, key in enumerate(table.keys)}
    wanted = [places.get(column.key) for column in columns]
    return Table(
        columns,
        [tuple(None if at is None else row[at] for at in wanted) for row in table.rows],
    )


# ---- the checks, and what they changed ------------------------------------------------


def _until(table: Table, key: str, known_at: datetime | None) -> Table:
    """What was stored up to an instant."""
    if known_at is None:
        return table
    place = table.keys.index(key)
    return Table(table.columns, [row for row in table.rows if row[place] <= known_at])


RUNS_LIST: Final = ListPage(
    name="red_flag_runs",
    query="/red-flags/runs",
    columns=RUNS,
    key=("run",),
    shown=(
        "run",
        "rule",
        "status",
        "as_of",
        "known_at",
        "position",
        "findings",
        "amount_fen",
        "appeared",
        "changed",
        "gone",
        "asked_at",
        "took_ms",
        "error",
    ),
    facets=("status", "rule"),
    ranges=("asked_at",),
    summed=(),
    leads={
        "rule": lambda found, line: found.address("/red-flags", rule=line["rule"]),
        "findings": lambda found, line: found.address("/red-flags", rule=line["rule"]),
        "appeared": lambda found, line: found.address("/red-flags/changes", rule=line["rule"]),
        "position": lambda found, line: found.to("events", line["position"]),
    },
    tags=lambda line, key: "wrong" if key == "status" and line[key] == "error" else None,
    codes=rule_codes,
)


@list_page(router, "/red-flags/runs", RUNS_LIST)
def run_lines(found: Visit, view: View) -> Table:
    stored = runs(view.connection, None, None, None, hidden_from(found.author))
    return _until(stored, "asked_at", found.known_at)


CHANGES_LIST: Final = ListPage(
    name="red_flag_changes",
    query="/red-flags/changes",
    columns=CHANGES,
    key=("change",),
    shown=("change", "asked_at", "kind", "rule", "subject", "amount_fen", "known_from"),
    facets=("kind", "rule"),
    filters=("subject",),
    ranges=("asked_at", "known_from"),
    summed=(),
    leads={
        "rule": lambda found, line: found.address("/red-flags", rule=line["rule"]),
        "subject": _to_finding,
        "amount_fen": _to_finding,
    },
    tags=lambda line, key: "none" if key == "kind" and line[key] == "gone" else None,
    codes=rule_codes,
)


@list_page(router, "/red-flags/changes", CHANGES_LIST)
def change_lines(found: Visit, view: View) -> Table:
    stored = changes(view.connection, None, None, None, None, hidden_from(found.author))
    return _until(stored, "asked_at", found.known_at)


def sees_cases(reader: Author) -> bool:
    """Whether a reader sees every case, not only what it is asked."""
    return reader.role == SUPERVISION
