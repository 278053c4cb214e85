"""Routes of the red flags: what each finds on any day, how far each is checked, what changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from operator import itemgetter
from typing import Annotated, Any, Literal, NamedTuple

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from application.refusals import CursorMalformed, NotSealedYet
from domain.kernel import Author
from domain.roles import SUPERVISION
from domain.visibility import LOOKS, sees_all
from interface.exports.evidence import finding_bundle, finding_of
from interface.http import schemas as s
from interface.http.checked_route import CheckedRoute
from interface.http.query_params import (
    AsOf,
    Code,
    Cursor,
    Instant,
    KnownAt,
    Page,
    Read,
    assure_known,
    closed,
    described,
    opened,
    position_of,
    view_of,
    view_of_log,
)
from interface.http.responses import form_of, head_of, headers_of, json_answer, table_file
from interface.http.routes.transparency_log import proven
from interface.http.service import Service, service_of
from projections.cases import cases_by_finding
from projections.facts.reading import Connection, Table, View
from projections.red_flags import (
    Checked,
    Reckoned,
    Rule,
    Severity,
    Wanted,
    as_table,
    check,
    check_all,
    rules,
)
from projections.red_flags.columns import CHANGES, INBOX, INBOX_WITH_CASES, RUNS
from projections.red_flags.inbox import inbox
from projections.red_flags.measured import backtest
from projections.red_flags.runs import Status, changes, runs, statuses

router = APIRouter(prefix="/v1", tags=["疑点 red flags"], route_class=CheckedRoute)

_CHECKED = s.record(
    "CheckedRule",
    rule=s.TEXT,
    rule_version=s.TEXT,
    title_zh=s.TEXT,
    title_en=s.TEXT,
    severity=s.TEXT,
    source=s.TEXT,
    why=s.TEXT,
    runbook_zh=s.TEXT,
    runbook_en=s.TEXT,
    subjects=s.several(s.TEXT),
    rulings=s.several(s.RULING),
    status=s.TEXT,
    error=s.optional(s.TEXT),
    count=s.WHOLE,
    amount_fen=s.WHOLE,
    findings=s.several(s.FINDING),
)
_FOUND = s.with_files("RedFlags", **s.HEAD, rules=s.several(_CHECKED), next=s.optional(s.TEXT))
_MEASURED = s.record(
    "MeasuredRule",
    rule=s.TEXT,
    rule_version=s.TEXT,
    wanted=s.WHOLE,
    found=s.WHOLE,
    findings=s.WHOLE,
    true=s.WHOLE,
    missed=s.OPEN,
    false=s.OPEN,
    curves=s.several(s.OPEN),
    recall_bp=s.optional(s.WHOLE),
    precision_bp=s.optional(s.WHOLE),
)
_BACKTEST = s.answer(s.record(
    "Backtest", source=s.TEXT, measured_on=s.DAY, seeds=s.several(s.WHOLE), factor=s.TEXT,
    loans=s.WHOLE, events=s.WHOLE, rules=s.several(_MEASURED),
))  # fmt: skip
_INBOX = s.either(s.page("RedFlagInbox", INBOX), s.page("RedFlagInboxWithCases", INBOX_WITH_CASES))
_STANDING = s.at_least(s.record(
    "RuleStatus", rule=s.TEXT, rule_version=s.TEXT, status=s.TEXT, title_zh=s.TEXT,
    title_en=s.TEXT,
))  # fmt: skip

_ID = "^RF[0-9]{2}$"
State = Literal["shown", "in_case", "gone"]
RuleId = Annotated[str | None, Query(pattern=_ID, description="规则，缺省为全部 default: all")]
_SUBJECT = Query(pattern=r"^[^\x00-\x1f]+$", max_length=400)
Subject = Annotated[str, _SUBJECT]


class _Start(NamedTuple):
    """Where a page begins: the dates of the first page, a rule, how many of its findings were."""

    as_of: date
    known_at: datetime
    rule: str
    offset: int


@router.get("/red-flags", summary="疑点 each rule: clean, found with the proving events, or failed")
@s.answers(_FOUND, s.NOT_FOUND)
async def red_flags(
    read: Read,
    rule: RuleId = None,
    subject: Annotated[str | None, _SUBJECT] = None,
    bank: Code = None,
    township: Code = None,
    limit: Annotated[
        int | None, Query(ge=1, le=1000, description="每页疑点数 findings a page")
    ] = None,
    cursor: Cursor = None,
) -> Response:
    """CSV and XLSX: a line a finding. `known_from`: since when it could have been known.

    `runbook_zh`, `runbook_en`: what the supervisor does next with a finding of the rule.
    `limit`: in pages; each tells of the rules it came to, `next` where the next one begins.
    """
    author, _ = await read.reader()
    form, asked = read.form, _rules_called(rule, author)
    wanted = Wanted(subject=subject, bank=bank, township=township)
    start = _start_of(cursor)
    if start:
        read.as_of, read.known_at = start.as_of, start.known_at

    def answer(view: View) -> Response:
        assure_known(view, bank, township)
        if form != "json":
            table = as_table(check_all(view, asked, wanted))
            told = read.described(view, "red-flags")
            return table_file(table, form, "red-flags", headers_of(view), told)
        if limit is None and start is None:
            found, following = check_all(view, asked, wanted), None
        else:
            found, following = _page(view, asked, wanted, start, limit or 100)
        return json_answer(
            head_of(view) | {"rules": [_plain(each) for each in found], "next": following},
            headers=headers_of(view),
        )

    return await read.respond(answer)


def _page(
    view: View, asked: Sequence[Rule], wanted: Wanted, start: _Start | None, limit: int
) -> tuple[list[Checked], str | None]:
    """A page of findings, asking no more rules than fill it; and the cursor of the next page."""
    left, offset = limit, start.offset if start else 0
    coming = [rule for rule in asked if start is None or rule.id >= start.rule]
    found: list[Checked] = []
    reckoned: Reckoned = {}
    for rule in coming:
        if not left:
            return found, _cursor(view, rule, 0)
        checked = check(view, rule, wanted._replace(offset=offset, most=left), reckoned)
        found.append(checked)
        shown = offset + len(checked.findings)
        if shown < checked.how_many:
            return found, _cursor(view, rule, shown)
        left, offset = left - len(checked.findings), 0
    return found, None


def _cursor(view: View, rule: Rule, offset: int) -> str:
    return closed([view.as_of.isoformat(), view.known_at.isoformat(), rule.id, str(offset)])


def _start_of(cursor: str | None) -> _Start | None:
    """Raises CursorMalformed."""
    values = opened(cursor, 4)
    if values is None:
        return None
    try:
        as_of, known_at, rule, offset = values
        start = _Start(
            date.fromisoformat(as_of), datetime.fromisoformat(known_at), rule, int(offset)
        )
    except ValueError:
        raise CursorMalformed from None
    in_reach = all(1900 <= day.year <= 9000 for day in (start.as_of, start.known_at))
    if start.known_at.tzinfo is None or not in_reach or not 0 <= start.offset < 1 << 31:
        raise CursorMalformed
    return start


def _plain(each: Checked) -> dict[str, Any]:
    return _described(each.rule) | {
        "rulings": [ruling.to_dict() for ruling in each.rulings],
        "status": each.status,
        "error": each.error,
        "count": each.how_many,
        "amount_fen": each.amount_fen,
        "findings": [finding._asdict() for finding in each.findings],
    }


def _described(rule: Rule) -> dict[str, Any]:
    return {
        "rule": rule.id,
        "rule_version": rule.version,
        "title_zh": rule.title_zh,
        "title_en": rule.title_en,
        "severity": rule.severity,
        "source": rule.source,
        "why": rule.why,
        "runbook_zh": rule.runbook_zh,
        "runbook_en": rule.runbook_en,
        "subjects": list(rule.subjects),
    }


@router.get("/red-flags/runs", summary="疑点检查 through where each rule is checked, and its runs")
@s.answers(s.stored_page("RedFlagRuns", RUNS, rules=s.several(_STANDING)), s.NOT_FOUND)
async def red_flag_runs(
    request: Request, rule: RuleId = None, limit: Page = 100, cursor: Cursor = None
) -> Response:
    """The stored runs, newest first: only those that said anything new, and one a civil day."""
    _, author = await _reader(request)
    asked, before = _rules_called(rule, author), position_of(cursor)

    def lines(connection: Connection, most: int | None) -> Table:
        return runs(connection, rule, before, most, hidden_from(author))

    def head(connection: Connection) -> dict[str, Any]:
        there = statuses(connection)
        return {"rules": [_standing(each, there.get(each.id)) for each in asked]}

    return await _stored(request, "red-flag-runs", lines, limit, head)


def _standing(rule: Rule, status: Status | None) -> dict[str, Any]:
    """`position`, `known_at`, `as_of`: through where it is checked, null when it never was."""
    plain: dict[str, Any] = {"title_zh": rule.title_zh, "title_en": rule.title_en}
    if status is None:
        return plain | {"rule": rule.id, "rule_version": rule.version, "status": "not_checked"}
    plain |= status._asdict()
    del plain["digest"]
    return plain


@router.get("/red-flags/changes", summary="疑点变动 findings that appeared, changed or went")
@s.answers(s.stored_page("RedFlagChanges", CHANGES), s.NOT_FOUND)
async def red_flag_changes(
    request: Request,
    since: Annotated[
        Instant | None, Query(description="晚于此时刻发现 found after this instant")
    ] = None,
    rule: RuleId = None,
    limit: Page = 100,
    cursor: Cursor = None,
) -> Response:
    """Newest first. `asked_at`: when it was found; `known_from`: since when it could have been."""
    _, author = await _reader(request)
    _rules_called(rule, author)
    before = position_of(cursor)

    def lines(connection: Connection, most: int | None) -> Table:
        return changes(connection, since, rule, before, most, hidden_from(author))

    return await _stored(request, "red-flag-changes", lines, limit, lambda _: {})


@router.get("/red-flags/inbox", summary="疑点收件箱 every finding, as the checks so far left it")
@s.answers(_INBOX, s.NOT_FOUND)
async def red_flag_inbox(
    read: Read,
    rule: RuleId = None,
    subject: Annotated[str | None, _SUBJECT] = None,
    severity: Annotated[Severity | None, Query()] = None,
    state: Annotated[State | None, Query()] = None,
    bank: Code = None,
    township: Code = None,
    limit: Page = 200,
    cursor: Cursor = None,
) -> Response:
    """No rule is asked: what the checks stored is read, up to the instant `known_at`.

    `as_of` says of which day the cases are. `case_no`: for the auditor alone. `before_payment`:
    whether a subsidy of its loans was paid after the finding could have been known.
    """
    author, _ = await read.reader()
    asked, after = _rules_called(rule, author), _place_in_inbox(cursor)
    wanted = {"subject": subject, "severity": severity, "state": state}

    def lines(view: View, most: int | None) -> Table:
        assure_known(view, bank, township)
        table = inbox_for(view, author, asked, read.known_at)
        at = {key: place for place, key in enumerate(table.keys)}
        chosen = [
            row
            for row in table.rows
            if all(value in (None, row[at[key]]) for key, value in wanted.items())
            and bank in (None, *row[at["bank"]])
            and township in (None, *row[at["township"]])
            and (row[at["rule"]], row[at["subject"]], row[at["nth"]]) > after
        ]
        chosen.sort(key=itemgetter(at["rule"], at["subject"], at["nth"]))
        return Table(table.columns, chosen[:most])

    return await read.page("red-flag-inbox", lines, limit, ("rule", "subject", "nth"))


def inbox_for(
    view: View, reader: Author, asked: Sequence[Rule], through: datetime | None = None
) -> Table:
    """The inbox of a reader: which case holds a finding is told to the supervision alone."""
    cases = cases_by_finding(view) if reader.role == SUPERVISION else None
    return inbox(view, asked, cases, through)


def _place_in_inbox(cursor: str | None) -> tuple[str, str, int]:
    """Raises CursorMalformed."""
    values = opened(cursor, 3)
    if values is None:
        return "", "", 0
    rule, subject, nth = values
    if not (nth.isascii() and nth.isdigit() and len(nth) < 19):
        raise CursorMalformed
    return rule, subject, int(nth)


@router.get("/red-flags/backtest", summary="疑点回测 what each rule found where the truth is known")
@s.answers(_BACKTEST, s.NOT_FOUND)
async def red_flag_backtest(request: Request, rule: RuleId = None) -> Response:
    """Counts and shares of planted cases and of findings, and the curve of each threshold."""
    _, author = await _reader(request)
    return json_answer(backtest().plain({each.id for each in _rules_called(rule, author)}))


@router.get("/red-flags/{rule}/evidence", summary="证据包 a finding, with every event proven")
@s.answers(s.answer(s.OPEN), s.refused(NotSealedYet))
async def finding_evidence(
    request: Request,
    rule: Annotated[str, Path(pattern=_ID)],
    subject: Subject,
    nth: Annotated[
        int, Query(ge=1, le=1_000_000, description="同一对象的第几条 where it has several")
    ] = 1,
    as_of: AsOf = None,
    known_at: KnownAt = None,
) -> Response:
    service, author = await _reader(request)
    [asked] = _rules_called(rule, author)

    def find() -> dict[str, Any] | None:
        with view_of(service, as_of, known_at, None) as view:
            return finding_of(view, asked, subject, nth)

    found = await run_in_threadpool(find)
    if found is None:
        raise HTTPException(404)
    file = {"Content-Disposition": f'attachment; filename="evidence-{rule}.json"'}
    signer = service.deployment.signer()
    return await proven(
        request, lambda proofs: json_answer(finding_bundle(proofs, signer, found), headers=file)
    )


async def _stored(
    request: Request,
    name: str,
    lines: Callable[[Connection, int | None], Table],
    limit: int,
    head: Callable[[Connection], dict[str, Any]],
) -> Response:
    """What is stored, newest first by the number in its first column: a page, or a whole file."""
    service, _ = await _reader(request)
    form = form_of(request)

    def answer() -> Response:
        if form != "json":
            with view_of_log(service, None, None) as view:
                told = described(request, view, name)
                return table_file(_flat(lines(view.connection, None)), form, name, {}, told)
        with service.facts.connection() as connection:
            table = lines(connection, limit + 1)
            page = list(Table(table.columns, table.rows[:limit]).dicts())
            more = len(table.rows) > limit
            following = closed([str(table.rows[limit - 1][0])]) if more else None
            return json_answer(head(connection) | {"lines": page, "next": following})

    return await run_in_threadpool(answer)


def _flat(table: Table) -> Table:
    """For a file: a list as its parts, what has names as `name=value`."""
    return Table(table.columns, [tuple(map(_cell, row)) for row in table.rows])


def _cell(value: Any) -> Any:
    if isinstance(value, dict):
        value = [f"{name}={part}" for name, part in value.items()]
    return " ".join(map(str, value)) if isinstance(value, list) else value


async def _reader(request: Request) -> tuple[Service, Author]:
    """Raises HTTPException 401, 403."""
    service = service_of(request)
    author, _ = await service.reader(request)
    return service, author


def rules_for(reader: Author) -> list[Rule]:
    """The rules whose findings the reader may see."""
    return [each for each in rules() if not each.about_looks or sees_all(reader.role, [LOOKS])]


def hidden_from(reader: Author) -> list[str]:
    """The ids of the other rules."""
    return sorted({each.id for each in rules()} - {each.id for each in rules_for(reader)})


def _rules_called(id: str | None, reader: Author) -> list[Rule]:
    """The rule of an id, or all that the reader may see. Raises HTTPException 404."""
    asked = [each for each in rules_for(reader) if id in (None, each.id)]
    if not asked:
        raise HTTPException(404)
    return asked
