"""Routes that ask: ledgers, histories, the trace of a payment, what changed in what we know.

Each takes `as_of` (the civil day it is about) and `known_at` (the instant whose knowledge it
uses), and says in its head how far into the log it saw.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from application.event_store.log_queries import organisation_codes
from application.refusals import LoanAmbiguous
from domain.calendar import civil_day
from domain.household import Household, HouseholdUnknown
from domain.kernel import Author
from domain.loan import Loan, LoanUnknown, PaymentUnknown
from domain.roles import Role
from domain.visibility import sees_all
from interface.documents import slip_page
from interface.http import schemas as s
from interface.http.checked_route import CheckedRoute
from interface.http.ledger_filters import (
    LOAN_FACETS,
    SUBSIDY_FACETS,
    LoanFilters,
    SubsidyFilters,
)
from interface.http.masked_names import Shelf, masked, masked_names, with_names
from interface.http.query_params import (
    After,
    AsOf,
    Code,
    Instant,
    KnownAt,
    No,
    Page,
    Read,
    described,
    narrowed,
    view_of,
    view_of_log,
)
from interface.http.responses import form_of, head_of, headers_of, json_answer, table_file
from interface.http.service import Service, service_of
from interface.http.visibility import opens, visible, visible_positions, visible_trace
from projections import changes as diff
from projections import households
from projections.changes import Change
from projections.columns import BORROWER_NAME, text
from projections.facts.reading import Connection, Scope, Table, View
from projections.history import Happening, Trace, as_table, history
from projections.households.columns import HOUSEHOLD, MEMBERS
from projections.ledger_choice import Totals
from projections.loan_ledger import loan_ledger, loan_totals
from projections.loan_ledger.columns import COLUMNS as LOANS
from projections.subsidy_ledger import subsidy_ledger, subsidy_totals
from projections.subsidy_ledger.columns import COLUMNS as SUBSIDIES

router = APIRouter(prefix="/v1", tags=["查询 reads"], route_class=CheckedRoute)

_TRACE = s.record(
    "Trace",
    payment=s.EVENT,
    ground=s.record(
        "TraceGround",
        document=s.optional(s.TEXT),
        voucher=s.optional(s.TEXT),
        batch=s.optional(s.TEXT),
    ),
    calculation=s.OPEN,
    rules_in_force=s.several(s.RULING),
    household_on_disbursement_day=s.record(
        "TraceHousehold",
        household_no=s.TEXT,
        disbursed_on=s.DAY,
        category_when_paid=s.optional(s.TEXT),
        category_as_known=s.optional(s.TEXT),
    ),
    loan_events=s.several(s.EVENT),
    household_events=s.several(s.EVENT),
    batch_events=s.several(s.EVENT),
    late_notices=s.several(s.LATE_NOTICE),
    told_after_the_payment=s.several(s.EVENT),
    recovered_fen=s.WHOLE,
    returned_fen=s.WHOLE,
    paid_to=s.OPEN,
    known_at=s.optional(s.INSTANT),
    as_of=s.optional(s.DAY),
    position=s.WHOLE,
)
_CHANGES = s.with_files(
    "Changes",
    **s.HEAD,
    known_from=s.INSTANT,
    ledger=s.TEXT,
    difference=s.OPEN,
    explained=s.FLAG,
    changes=s.several(
        s.record(
            "Change",
            key=s.OPEN,
            before=s.optional(s.OPEN),
            after=s.optional(s.OPEN),
            difference=s.OPEN,
            causes=s.several(s.OPEN),
            explained=s.FLAG,
        )
    ),
)
_LOAN_LINE = s.line("LoanLedgerLine", (*LOANS, BORROWER_NAME))
_LOAN = s.found("Loan", loan=_LOAN_LINE, subsidies=s.several(s.line("LoanSubsidy", SUBSIDIES)))
_MEMBER_NAME = text("name", "姓名", "name, masked")
_HOUSEHOLD = s.found(
    "Household",
    household=s.line("HouseholdLine", HOUSEHOLD),
    members=s.several(s.line("HouseholdMember", (*MEMBERS, _MEMBER_NAME))),
    loans=s.several(s.line("HouseholdLoan", LOANS)),
)


def _history(name: str, of: str) -> s.Responses:
    dates = {"as_of": s.optional(s.DAY), "known_at": s.optional(s.INSTANT)}
    return s.with_files(name, **{of: s.TEXT}, **dates, events=s.several(s.EVENT))


@router.get("/subsidy-payments/{no}/trace", summary="贴息溯源 one payment to its first event")
@s.answers(s.answer(_TRACE), s.refused(PaymentUnknown))
async def payment_trace(
    request: Request, no: No, as_of: AsOf = None, known_at: KnownAt = None
) -> Response:
    return json_answer(await _traced(request, no, as_of, known_at))


@router.get("/subsidy-payments/{no}/slip", summary="贴息计算书 one payment on paper")
@s.answers(s.file("text/html"), s.refused(PaymentUnknown))
async def payment_slip(
    request: Request, no: No, as_of: AsOf = None, known_at: KnownAt = None
) -> Response:
    page = slip_page.page(await _traced(request, no, as_of, known_at))
    return Response(page, media_type="text/html; charset=utf-8")


async def _traced(
    request: Request, no: str, as_of: Any, known_at: datetime | None
) -> dict[str, Any]:
    service = service_of(request)
    author, _ = await service.reader(request)
    return await traced(service, author, no, as_of, known_at)


async def traced(
    service: Service, author: Author, no: str, as_of: Any, known_at: datetime | None
) -> dict[str, Any]:
    """The trace of a payment that the reader may see. Raises PaymentUnknown."""
    found = await service.tracing.trace(no, known_at)
    if found and not sees_all(author.role, {event.topic for event in found.events}):
        found = await run_in_threadpool(_visible_trace, service, author, found)
    if found is None:
        raise PaymentUnknown(payment_no=no)
    household = found.household_id
    service.vault.unlock(_OneKey(household, found.wrapped_key), {household})
    content = found.plain(as_of or civil_day(service.clock()))
    content["paid_to"] = _paid_to(service, found)
    content["known_at"] = known_at
    content["as_of"] = as_of
    content["position"] = found.events[-1].position
    return content


def _paid_to(service: Service, found: Trace) -> dict[str, Any]:
    """Account and name that were paid, masked; empty when they were erased.

    A payment made singly names them. A batch's line was paid to the bank, or to the account that
    the loan was paid to.
    """
    payee = found.payment.content["payee"]
    told = (found.payment, *(e for e in found.events if e.topic == Loan.Disbursed.TOPIC))
    for event in told:
        sealed = event.content.get("sealed")
        if sealed and event.content["payee"] == payee:
            place = (event.originator_id, event.version, event.topic)
            shown = masked(service.vault.unseal(found.household_id, place, sealed))
            return {name: shown[name] for name in shown if name.startswith("payee_")}
    return {} if payee.startswith("account-") else {"payee_name": payee}


def _visible_trace(service: Service, author: Author, found: Trace) -> Trace | None:
    with service.facts.connection() as connection:
        return visible_trace(connection, author, found)


class _OneKey:
    """The key that came with a trace; none when it was destroyed."""

    def __init__(self, household: UUID, wrapped: bytes | None) -> None:
        self._keys = {} if wrapped is None else {household: wrapped}

    def wrapped_keys(self, households: list[UUID]) -> dict[UUID, bytes]:
        return {home: self._keys[home] for home in households if home in self._keys}


@router.get("/ledgers/loans", summary="贷款台账 the loan ledger of any day")
@s.answers(s.page_with_totals("LoanLedger", (*LOANS, BORROWER_NAME)))
async def loans(
    read: Read,
    chosen: Annotated[LoanFilters, Depends()],
    township: Code = None,
    bank: Code = None,
    limit: Page = 200,
) -> Response:
    _, scope = await read.reader()

    def query(view: View, most: int | None) -> Table:
        own = narrowed(view, scope, bank, township)
        table = loan_ledger(view, scope=own, choice=chosen.choice(most))
        return with_names(read.service.vault, view, table)

    def total(view: View) -> Totals:
        own = narrowed(view, scope, bank, township)
        return loan_totals(view, chosen.choice(None), LOAN_FACETS, scope=own)

    return await read.chosen_page("loans", query, limit, chosen.next_of, chosen.totals and total)


@router.get("/ledgers/subsidies", summary="贴息台账 the subsidy ledger of any day")
@s.answers(s.page_with_totals("SubsidyLedger", (*SUBSIDIES, BORROWER_NAME)))
async def subsidies(
    read: Read,
    chosen: Annotated[SubsidyFilters, Depends()],
    township: Code = None,
    bank: Code = None,
    limit: Page = 200,
) -> Response:
    _, scope = await read.reader()

    def query(view: View, most: int | None) -> Table:
        own = narrowed(view, scope, bank, township)
        table = subsidy_ledger(view, scope=own, choice=chosen.choice(most))
        return with_names(read.service.vault, view, table)

    def total(view: View) -> Totals:
        own = narrowed(view, scope, bank, township)
        return subsidy_totals(view, chosen.choice(None), SUBSIDY_FACETS, scope=own)

    return await read.chosen_page(
        "subsidies", query, limit, chosen.next_of, chosen.totals and total
    )


@router.get("/changes", summary="认知差异 what changed in a ledger between two states of knowledge")
@s.answers(_CHANGES)
async def changes(
    request: Request,
    known_from: Annotated[Instant, Query(description="起始认知时点 RFC 3339 instant")],
    known_to: KnownAt = None,
    ledger: Literal["loans", "subsidies"] = "loans",
    as_of: AsOf = None,
    position: After = None,
) -> Response:
    service = service_of(request)
    author, scope = await service.reader(request)
    form = form_of(request)

    def answer() -> Response:
        with view_of(service, as_of, known_to, position) as view:
            found = diff.changes(view, ledger, known_from, scope=scope)
            found = with_visible_causes(view, author, found)
            if form != "json":
                told = described(request, view, "changes")
                table = diff.as_table(ledger, found)
                return table_file(table, form, "changes", headers_of(view), told)
            total: dict[str, int] = {}
            for change in found:
                for column, fen in change.difference.items():
                    total[column] = total.get(column, 0) + fen
            return json_answer(
                head_of(view)
                | {
                    "known_from": known_from,
                    "ledger": ledger,
                    "difference": total,
                    "explained": all(change.explained for change in found),
                    "changes": [change._asdict() for change in found],
                },
                headers=headers_of(view),
            )

    return await run_in_threadpool(answer)


def with_visible_causes(view: View, reader: Author, found: list[Change]) -> list[Change]:
    """The changes, each with those causes alone that the reader may see."""
    causes = [cause for change in found for cause in change.causes]
    seen = visible_positions(
        view.connection,
        reader,
        {cause["topic"] for cause in causes},
        {cause["position"] for cause in causes},
    )
    return [
        change._replace(causes=[cause for cause in change.causes if cause["position"] in seen])
        for change in found
    ]


@router.get("/loans/{no}", summary="贷款 one loan on any day")
@s.answers(_LOAN, s.refused(LoanUnknown, LoanAmbiguous))
async def loan(
    read: Read,
    no: No,
    bank: Code = None,
) -> Response:
    _, scope = await read.reader()
    return await read.json(lambda view: loan_found(read.service, view, scope, no, bank))


def loan_found(
    service: Service, view: View, scope: Scope, no: str, bank: str | None = None
) -> dict[str, Any]:
    """A loan that the reader may see, and what was paid for it. Raises LoanUnknown, -Ambiguous."""
    table = loan_ledger(view, scope=_of_bank(scope, bank), loan_no=no)
    line = _the_one(table, no)
    subsidies = subsidy_ledger(view, scope=_of_bank(scope, line["bank"]), loan_no=no)
    table = with_names(service.vault, view, Table(table.columns, table.rows[:1]))
    return {"loan": next(table.dicts()), "subsidies": list(subsidies.dicts())}


@router.get("/loans/{no}/history", summary="贷款事件史 every event of a loan")
@s.answers(_history("LoanHistory", "loan_no"), s.refused(LoanUnknown, LoanAmbiguous))
async def loan_history(
    request: Request,
    no: No,
    bank: Code = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
) -> Response:
    service = service_of(request)
    author, _ = await service.reader(request)
    form = form_of(request)

    def answer() -> Response:
        if form != "json":
            with view_of_log(service, as_of, known_at) as view:
                events = loan_events(view.connection, author, bank, no, view.known_at, view.as_of)
                told = described(request, view, f"history of {no}")
                return table_file(as_table(events), form, "history", headers_of(view), told)
        with service.facts.connection() as connection:
            events = loan_events(connection, author, bank, no, known_at, as_of)
            return json_answer(
                {
                    "loan_no": no,
                    "as_of": as_of,
                    "known_at": known_at,
                    "events": shown_events(service, connection, events),
                }
            )

    return await run_in_threadpool(answer)


@router.get("/households/{no}", summary="户 one household on any day: status and loans")
@s.answers(_HOUSEHOLD, s.refused(HouseholdUnknown))
async def household(read: Read, no: No) -> Response:
    author, scope = await read.reader()

    return await read.json(lambda view: household_found(read.service, view, author, scope, no))


def household_found(
    service: Service, view: View, author: Author, scope: Scope, no: str
) -> dict[str, Any]:
    """A household whose people the reader may see, masked, and its loans. Raises HouseholdUnknown.

    A bank sees its own loans alone.
    """
    found = households.household(view, no, scope=scope)
    if not found.rows or not opens(view.connection, author, Household.id_for(no)):
        raise HouseholdUnknown(household_no=no)
    home = next(found.dicts())
    members = households.members(view, home["household_id"])
    names = masked_names(view.connection, service.vault, [home["household_id"]])
    people = [{**member, "name": names.get(member["person"])} for member in members.dicts()]
    loans = loan_ledger(view, scope=Scope(bank=scope.bank), household_no=no)
    return {"household": home, "members": people, "loans": list(loans.dicts())}


@router.get("/households/{no}/history", summary="户事件史 every event of a household")
@s.answers(_history("HouseholdHistory", "household_no"), s.refused(HouseholdUnknown))
async def household_history(
    request: Request, no: No, as_of: AsOf = None, known_at: KnownAt = None
) -> Response:
    service = service_of(request)
    author, _ = await service.reader(request)
    form = form_of(request)

    def answer() -> Response:
        if form != "json":
            with view_of_log(service, as_of, known_at) as view:
                events = household_events(view.connection, author, no, view.known_at, view.as_of)
                told = described(request, view, f"history of {no}")
                return table_file(as_table(events), form, "history", headers_of(view), told)
        with service.facts.connection() as connection:
            events = household_events(connection, author, no, known_at, as_of)
            return json_answer(
                {
                    "household_no": no,
                    "as_of": as_of,
                    "known_at": known_at,
                    "events": shown_events(service, connection, events),
                }
            )

    return await run_in_threadpool(answer)


def household_events(
    connection: Connection,
    reader: Author,
    no: str,
    known_at: datetime | None,
    as_of: date | None,
) -> list[Happening]:
    """The events of a household that the reader may see. Raises HouseholdUnknown."""
    told = history(connection, [Household.id_for(no)], known_at, as_of)
    events = visible(connection, reader, told)
    if not events:
        raise HouseholdUnknown(household_no=no)
    return events


def _of_bank(scope: Scope, bank: str | None) -> Scope:
    """The reader's own rows, of one bank: the loan is unknown where it has none of that number."""
    if scope.bank is not None and bank not in (None, scope.bank):
        raise HTTPException(403)
    return scope._replace(bank=scope.bank or bank)


def _the_one(table: Table, loan_no: str) -> dict[str, Any]:
    lines = list(table.dicts())
    if not lines:
        raise LoanUnknown(loan_no=loan_no)
    if len(lines) > 1:
        raise LoanAmbiguous(banks=[line["bank"] for line in lines])
    return lines[0]


def loan_events(
    connection: Connection,
    reader: Author,
    bank: str | None,
    no: str,
    known_at: datetime | None,
    as_of: date | None,
) -> list[Happening]:
    """The events of the loan that the reader means and may see, up to a day.

    Raises LoanUnknown, LoanAmbiguous.
    """
    own = reader.organisation if reader.role == Role.BANK else None
    if own is not None and bank not in (None, own):
        raise HTTPException(403)
    named = own or bank
    banks = [named] if named else organisation_codes(connection, role="bank")
    found = []
    for code in banks:
        events = visible(connection, reader, history(connection, [Loan.id_for(code, no)], known_at))
        if events:
            found.append((code, events))
    if not found:
        raise LoanUnknown(loan_no=no)
    if len(found) > 1:
        raise LoanAmbiguous(banks=[code for code, _ in found])
    events = found[0][1]
    return events if as_of is None else [e for e in events if happened(e) <= as_of]


def happened(event: Happening) -> date:
    """The day that an event concerns."""
    return date.fromisoformat(event.content["effective_on"])


def shown_events(
    service: Service, connection: Connection, events: list[Happening]
) -> list[dict[str, Any]]:
    """Events for a reader: with the personal values that they hold, masked."""
    homes = {
        UUID(event.content["household_id"]) for event in events if "household_id" in event.content
    } | {event.originator_id for event in events if event.topic.startswith("household.")}
    service.vault.unlock(Shelf(connection), homes)
    shown = []
    for event in events:
        plain = event.plain()
        sealed = event.content.get("sealed")
        if sealed and homes:
            place = (event.originator_id, event.version, event.topic)
            for home in homes:
                values = service.vault.unseal(home, place, sealed)
                if values is not None:
                    plain["personal"] = masked(values)
        shown.append(plain)
    return shown
