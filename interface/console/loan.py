"""The record of a loan (贷款), and why each of its quarters has this subsidy, or none."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Annotated, Any, Final, NamedTuple

from fastapi import APIRouter, Depends, Response
from starlette.concurrency import run_in_threadpool

from domain.calendar import Period, named_quarter, quarter_name, quarter_of
from domain.household import CATEGORIES_ZH
from domain.kernel import Refused
from domain.loan import LoanUnknown
from domain.policy import Book, NoRuling
from domain.visibility import sees_all
from interface.console.compared_record import ComparedRecord, compared_record
from interface.console.comparing import Comparing, Comparison
from interface.console.drawing.balance import Balance, Marked, balance
from interface.console.findings import finding_address
from interface.console.frame import Visit, Wrong, assure_allowed, page, visit
from interface.console.page_route import PageRoute
from interface.console.pinned import Answer
from interface.console.record_answer import record_answer
from interface.console.rules import rule_name, value_of
from interface.console.silences import silences
from interface.console.timeline import Entry, entries, event_address
from interface.console.words import Words
from interface.http.permissions import scope_of
from interface.http.query_params import No, view_of
from interface.http.routes.ledgers import loan_events, loan_found, shown_events
from interface.http.routes.red_flags import hidden_from
from interface.http.routes.subsidy_explanation import explained
from projections.cases import cases_of_loan
from projections.duties import duties
from projections.facts.reading import Scope, View
from projections.loan_ledger import loan_ledger
from projections.red_flags import rule
from projections.red_flags.runs import standing_on
from projections.settlement import Due, Wanted, settlement

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Visiting = Annotated[Visit, Depends(visit)]
_HISTORY, _WHY = "/loans/{no}/history", "/loans/{no}/subsidies/{period}"
_QUARTER: Final = re.compile(r"[0-9]{4}Q[1-4]")
_AHEAD: Final = timedelta(days=92)
_REMINDERS: Final = ("first_reminder", "written_reminder", "repayment_plan")
_OUTFLOW: Final = "loan.outflow-observed.v1"
_MOVES: Final = {"loan.disbursed.v1": 1, "loan.repaid.v1": -1}


def loan_address(found: Visit, bank: str, no: str, period: str | None = None) -> str:
    """The page of a loan, or of why its quarter has this subsidy."""
    return found.to("loans", bank, no, *(("subsidies", period) if period else ()))


def household_address(found: Visit, no: str) -> str:
    return found.to("households", no)


class QuarterLine(NamedTuple):
    """One settlement quarter of the loan; an amount is None where the reader is not told."""

    name: str
    why: str
    due_fen: int | None
    payments: list[tuple[str, str, int]]
    held_fen: int | None
    recovered_fen: int
    left_fen: int | None
    state: str

    def figures(self) -> dict[str, Any]:
        """What the line says, without links."""
        return self._asdict() | {"why": "", "payments": [(no, fen) for no, _, fen in self.payments]}


class Record(NamedTuple):
    """All that stands on the page of a loan."""

    loan: dict[str, Any]
    quarters: list[QuarterLine]
    duties: list[dict[str, Any]]
    picture: Balance | None
    postings: list[tuple[str, int, int, str]]
    outflows: list[dict[str, Any]]
    lines: list[Entry]
    findings: list[dict[str, Any]] | None
    cases: list[dict[str, Any]] | None
    names: Mapping[str, str]
    answer: Answer | None
    compared: ComparedRecord | None


@router.get("/loans/{bank}/{no}")
async def loan(found: Visiting, bank: No, no: No, other: Comparing) -> Response:
    assure_allowed(found, "/loans/{no}")
    record = await run_in_threadpool(_record, found, bank, no, other)
    line = record.loan
    return await page(
        found,
        "loan.html",
        pinned=record.answer,
        comparing=True,
        compared_with=other and other.moment,
        no=no,
        bank=record.names.get(bank, bank),
        loan=line,
        category=category_name(found.words, line["category"]),
        record=record,
        flow=found.address("/fund-flow", bank=bank, loan_no=no)
        if found.allowed("/fund-flow")
        else None,
        list_address=found.address("/ledgers/loans"),
        bank_address=found.address("/ledgers/loans", bank=bank),
        household_address=household_address(found, line["household_no"]),
        opens_household=found.allowed("/households/{no}"),
        payments_address=found.address("/ledgers/subsidies", bank=bank, loan_no=no),
    )


def category_name(words: Words, code: str | None) -> str:
    if words.language == "zh":
        return CATEGORIES_ZH.get(code or "", "—")
    return (code or "—").replace("_", " ")


def _own(found: Visit, query: str, bank: str, no: str) -> Scope:
    """The reader's rows of a query. Raises LoanUnknown for another bank, as for no such loan."""
    scope = scope_of(found.author, query)
    if scope.bank not in (None, bank):
        raise LoanUnknown(loan_no=no)
    return scope


def _record(found: Visit, bank: str, no: str, other: Comparison | None) -> Record:
    """Raises LoanUnknown."""
    scope = _own(found, "/loans/{no}", bank, no)
    service = found.service

    def line_of(view: View) -> list[dict[str, Any]]:
        lines = list(loan_ledger(view, scope=scope._replace(bank=bank), loan_no=no).dicts())
        if not lines:
            raise LoanUnknown(loan_no=no)
        return lines

    compared = compared_record(found, other, line_of) if other else None
    with view_of(service, found.as_of, found.known_at, None) as view:
        told = loan_found(service, view, scope, no, bank)
        line = told["loan"]
        happened = loan_events(view.connection, found.author, bank, no, view.known_at, found.as_of)
        events = shown_events(service, view.connection, happened)
        names = {each.code: each.name for each in service.people.organisations()}
        owed = _duties(found, view, bank, no)
        quarters = _quarters(found, view, line, told["subsidies"])
        parts = {
            "loan": line,
            "quarters": [each.figures() for each in quarters],
            "duties": owed,
            "events": events,
        }
        return Record(
            loan=line,
            quarters=quarters,
            duties=owed,
            picture=_picture(found.words, events, owed, line, found.as_of),
            postings=_postings(found, events),
            outflows=_outflows(found, events),
            lines=_lines(found, events, owed, names),
            findings=_findings(found, view, {event.position for event in happened}),
            cases=_cases(found, view, line),
            names=names,
            answer=record_answer(found.words, "loan", view.known_at, parts, compared),
            compared=compared,
        )


# ---- quarters ---------------------------------------------------------------------------


def _quarters(
    found: Visit, view: View, line: Mapping[str, Any], subsidies: Sequence[Mapping[str, Any]]
) -> list[QuarterLine]:
    """Every quarter of the loan's life, and each that was paid; the latest first."""
    dues = _dues(found, view, line)
    paid: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for each in subsidies:
        paid[each["period"]].append(each)
    known = {} if dues is None else {due.name: due for due in dues}
    names = {*_life(line, view), *paid, *known} - {""}
    return [
        _quarter(found, line, name, known.get(name), paid[name], dues is not None)
        for name in sorted(names, reverse=True)
    ]


def _dues(found: Visit, view: View, line: Mapping[str, Any]) -> list[Due] | None:
    """What is due and held by the settlement; None for whom the table gives no settlement."""
    if not found.allowed("/settlement"):
        return None
    scope = scope_of(found.author, "/settlement")._replace(bank=line["bank"])
    try:
        last = quarter_of(view.as_of, view.book)
        return settlement(view, last, scope=scope, wanted=Wanted(loan_no=line["loan_no"]))
    except NoRuling:  # a day before the first quarter that rulings name
        return []


def _life(line: Mapping[str, Any], view: View) -> Iterable[str]:
    """The names of the quarters in which the loan was lent and not due yet."""
    until = min(line["due_on"], view.as_of + timedelta(days=1))
    until = min(until, line["settled_on"] or until)
    day: date = line["disbursed_on"]
    while day <= until:
        try:
            period: Period = quarter_of(day, view.book)
        except NoRuling:
            return
        yield quarter_name(period, view.book)
        day = period.until


def _quarter(
    found: Visit,
    line: Mapping[str, Any],
    name: str,
    due: Due | None,
    paid: Sequence[Mapping[str, Any]],
    is_settled: bool,
) -> QuarterLine:
    nothing = 0 if is_settled else None
    return QuarterLine(
        name=name,
        why=loan_address(found, line["bank"], line["loan_no"], name),
        due_fen=due.due_fen if due else nothing,
        payments=[
            (
                each["payment_no"],
                found.to("subsidy-payments", each["payment_no"]),
                each["paid_fen"] - each["returned_fen"],
            )
            for each in paid
        ],
        held_fen=due.reserved_fen if due else nothing,
        recovered_fen=sum(each["recovered_fen"] for each in paid),
        left_fen=due.left_fen if due else nothing,
        state=_state(due, is_settled),
    )


def _state(due: Due | None, is_settled: bool) -> str:
    if due is None:
        return "nothing_due" if is_settled else ""
    return (
        "nothing_due" if due.state == "paid" and not due.due_fen and not due.paid_fen else due.state
    )


# ---- duties, the picture, what happened ---------------------------------------------------


def _duties(found: Visit, view: View, bank: str, no: str) -> list[dict[str, Any]]:
    """The duties of the loan by their days, those of the next quarter among them."""
    if not found.allowed("/duties"):
        return []
    scope = scope_of(found.author, "/duties")._replace(bank=bank)
    until = view.as_of + _AHEAD
    return list(duties(view, scope=scope, loan_no=no, due_until=until).dicts())


def _picture(
    words: Words,
    events: Sequence[Mapping[str, Any]],
    duties: Sequence[Mapping[str, Any]],
    line: Mapping[str, Any],
    as_of: date,
) -> Balance | None:
    moved = [(date.fromisoformat(day), fen) for day, fen, _ in _moves(events)]
    extended = [
        date.fromisoformat(each["content"]["new_due_on"])
        for each in events
        if each["event"] == "loan.extended.v1" and each["corrected_by"] is None
    ]
    due_days = [_contract_due(events) or line["due_on"], *extended]
    marks: dict[bool, list[Marked]] = {True: [], False: []}
    for duty in duties:
        if duty["state"] != "not_applicable":
            title = words(f"loan_duty.{duty['duty']}")
            state = words(f"loan_duty.state_{duty['state']}")
            day = duty["done_on"] or duty["due_on"]
            mark = Marked(day, duty["state"], f"{title} {state} {day}")
            marks[duty["duty"] in _REMINDERS].append(mark)
    return balance(sorted(moved), due_days, as_of, checks=marks[False], reminders=marks[True])


def _contract_due(events: Sequence[Mapping[str, Any]]) -> date | None:
    for event in reversed(events):
        if event["event"] == "loan.disbursed.v1" and event["corrected_by"] is None:
            return date.fromisoformat(event["content"]["due_on"])
    return None


def _moves(events: Sequence[Mapping[str, Any]]) -> list[tuple[str, int, int]]:
    """(day, fen, position) of what moves the principal and stands."""
    moved = [
        (
            event["effective_on"],
            _MOVES[event["event"]] * event["content"]["principal_fen"],
            event["position"],
        )
        for event in events
        if event["event"] in _MOVES and event["corrected_by"] is None
    ]
    return sorted((each for each in moved if each[1]), key=lambda each: (each[0], each[2]))


def _postings(found: Visit, events: Sequence[Mapping[str, Any]]) -> list[tuple[str, int, int, str]]:
    """(day, fen moved, fen owed then, the event): the picture as a table."""
    rows, owed = [], 0
    for day, fen, position in _moves(events):
        owed += fen
        rows.append((day, fen, owed, event_address(found, position)))
    return rows


def _outflows(found: Visit, events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Where the money went, as the bank reported it."""
    return [
        {
            "day": event["effective_on"],
            "amount_fen": event["content"]["amount_fen"],
            "kind": _coded(found.words, event["content"].get("kind", "")),
            "to": event.get("personal", {}).get("to_name")
            or event["content"].get("to_account", ""),
            "event": event_address(found, event["position"]),
            "position": event["position"],
            "reversed": event["corrected_by"] is not None,
        }
        for event in events
        if event["event"] == _OUTFLOW
    ]


def _coded(words: Words, code: str) -> str:
    for key in (f"value.kind.{code}", f"value.{code}"):
        if words.has(key):
            return words(key)
    return code


def _lines(
    found: Visit,
    events: Sequence[Mapping[str, Any]],
    duties: Sequence[Mapping[str, Any]],
    names: Mapping[str, str],
) -> list[Entry]:
    """What happened, and what should have and did not, by its day."""
    told = [*entries(found, events, names), *silences(found.words, duties)]
    return sorted(told, key=lambda entry: (entry.day, entry.position or 0))


# ---- findings and cases -------------------------------------------------------------------


def _findings(found: Visit, view: View, positions: set[int]) -> list[dict[str, Any]] | None:
    """What the red flags say of the loan's events, as they were last asked; None: not for him."""
    if not found.allowed("/red-flags"):
        return None
    return finding_lines(found, view, positions)


def finding_lines(found: Visit, view: View, positions: set[int]) -> list[dict[str, Any]]:
    """The standing findings that rest on any of these events, with their titles and pages."""
    told = standing_on(view.connection, positions, hidden_from(found.author))
    shown = []
    for each in told.dicts():
        named = rule(each["rule"])
        shown.append(
            each
            | {
                "title": named.title_zh if found.words.language == "zh" else named.title_en,
                "severity": named.severity,
                "address": finding_address(found, each["rule"], each["subject"], each["nth"]),
            }
        )
    return shown


def _cases(found: Visit, view: View, line: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """The cases that hold the loan: for the supervision alone."""
    if not sees_all(found.author.role, ["case.opened.v1"]):
        return None
    told = cases_of_loan(view, line["loan_id"])
    return [each | {"address": found.to("cases", each["case_no"])} for each in told.dicts()]


# ---- why this much, or nothing -------------------------------------------------------------


@router.get("/loans/{bank}/{no}/subsidies/{period}")
async def why(found: Visiting, bank: No, no: No, period: No) -> Response:
    assure_allowed(found, _WHY)
    if not _QUARTER.fullmatch(period):
        raise Wrong(404, "loan.no_such_quarter", value=period)
    scope = _own(found, _WHY, bank, no)

    def answer() -> tuple[dict[str, Any], Book, Answer | None]:
        with view_of(found.service, found.as_of, found.known_at, None) as view:
            plain = explained(view, scope, no, period, bank)
            of_lists = ("loan", "reasons", "calculations", "payments", "batch_lines")
            parts = {name: plain[name] for name in of_lists}
            parts["amounts"] = {name: plain[name] for name in plain if name not in of_lists}
            return plain, view.book, record_answer(found.words, "why", view.known_at, parts)

    plain, book, pinned = await run_in_threadpool(answer)
    names = {
        each.code: each.name for each in await run_in_threadpool(found.service.people.organisations)
    }
    by_domain = plain["calculations"]["domain"]
    return await page(
        found,
        "why.html",
        pinned=pinned,
        no=no,
        bank=names.get(bank, bank),
        names=names,
        why=plain,
        last=plain["until"] - timedelta(days=1),
        state=plain[f"state_{found.words.language}"],
        reasons=[_reason(found, each) for each in plain["reasons"]],
        segments=[each | {"last": _before(each["until"])} for each in by_domain["segments"]],
        ranges=[
            each | {"last": _before(each["until"])}
            for each in plain["calculations"]["sql"]["segments"]
        ],
        rulings=[
            {
                "name": rule_name(found.words, each["name"]),
                "value": value_of(found.words, each["name"], each["value"]),
                "source": each["source"],
                "since": each["effective_from"],
            }
            for each in by_domain["rulings"]
        ],
        payments=[_payment(found, each) for each in plain["payments"]],
        category=category_name(found.words, plain["loan"]["category"]),
        loan_address=loan_address(found, bank, no),
        household_address=household_address(found, plain["loan"]["household_no"]),
        opens_household=found.allowed("/households/{no}"),
        batch_address=lambda no: found.to("batches", no),
        neighbours=_neighbours(found, bank, no, period, book),
    )


def _before(day: Any) -> date:
    return (day if isinstance(day, date) else date.fromisoformat(day)) - timedelta(days=1)


def _reason(found: Visit, reason: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "said": reason[found.words.language],
        "first": reason["first"],
        "last": _before(reason["until"]),
        "days": reason["days"],
        "loans": [
            each
            | {
                "address": each["loan_no"] and loan_address(found, each["bank"], each["loan_no"]),
            }
            for each in reason["loans"]
        ],
    }


def _payment(found: Visit, payment: Mapping[str, Any]) -> dict[str, Any]:
    return dict(payment) | {
        "address": found.to("subsidy-payments", payment["payment_no"]),
        "differences": [each | {"last": _before(each["until"])} for each in payment["differences"]],
    }


def _neighbours(found: Visit, bank: str, no: str, period: str, book: Book) -> list[tuple[str, str]]:
    """The quarter before and the one after, with their addresses."""
    here = named_quarter(period, book)
    told = []
    for day in (here.first - timedelta(days=1), here.until):
        try:
            name = quarter_name(quarter_of(day, book), book)
        except (NoRuling, Refused):
            name = ""
        told.append((name, loan_address(found, bank, no, name) if name else ""))
    return told
