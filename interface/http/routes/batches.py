"""Routes of subsidy batches: the settlement run, the batch that lists it, its papers and results.

The other steps are commands alone: `routes.commands`. Here is what needs a calculation over the
county, or a file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import msgspec
from fastapi import APIRouter, Form, Query, Request, Response, UploadFile
from starlette.concurrency import run_in_threadpool

from application.command import Command
from application.commands.batch import (
    CorrectResult,
    ProposeBatch,
    ResultCorrectionItem,
    TellResult,
)
from application.event_store.log_queries import disbursements
from application.fields import NUMBER, Day, Ground, Name, Text
from application.group_commit import submit_alone
from application.ledger import Recorded
from application.personal_data.encryption import masked_name, masked_number
from application.workflows.propose_batch import propose_batch
from domain.batch import Batch, BatchUnknown, Run
from domain.calendar import civil_day, named_quarter
from domain.catalogue import EVENTS, kind_of
from domain.household import Household, HouseholdUnknown
from domain.kernel import Author, Refused
from domain.policy import table_names
from interface.documents import notice_page, slip_page
from interface.http import schemas as s
from interface.http.errors import problem, status_of
from interface.http.masked_names import Shelf, masked_names, with_names
from interface.http.query_params import (
    Code,
    No,
    Quarter,
    Read,
    narrowed,
    view_of,
)
from interface.http.routes.commands import command_route, recorded_answer
from interface.http.service import Service, service_of
from interface.http.strict_json import StrictRoute, takes
from interface.http.visibility import visible_positions
from interface.imports.result_file import ResultRows, results_in
from interface.spreadsheet import UnreadableFile
from projections.batches import batch_lines, batch_steps, batches, head_of, late_notices
from projections.batches.columns import BATCHES, LINES, NOTICE, PAYMENT_ORDER, STEPS
from projections.facts.reading import Scope, Table, View
from projections.history import history
from projections.settlement import Wanted, as_table, run_of, settlement
from projections.settlement.columns import LINES as DUE_LINES

router = APIRouter(prefix="/v1", tags=["贴息批次 batches"], route_class=StrictRoute)

_OF_A_BATCH = {"batch_no": s.TEXT, "late_notices": s.several(s.LATE_NOTICE)}
_SETTLEMENT = s.table(
    "Settlement",
    DUE_LINES,
    period=s.TEXT,
    estimate=s.FLAG,
    due_fen=s.WHOLE,
    paid_fen=s.WHOLE,
    reserved_fen=s.WHOLE,
    to_pay_fen=s.WHOLE,
    to_recover_fen=s.WHOLE,
    not_judged=s.WHOLE,
)
_BATCH = s.found(
    "Batch",
    batch=s.line("BatchesLine", BATCHES),
    steps=s.several(s.line("BatchStep", STEPS)),
    late_notices=s.several(s.LATE_NOTICE),
)
_NOTICE = s.table("Notice", NOTICE, **_OF_A_BATCH) | s.refused(BatchUnknown)
_NOTICE[200]["content"]["text/html"] = {"schema": s.TEXT}


# ---- the run --------------------------------------------------------------------------


@router.get("/settlement", summary="结息 what every loan is due for every quarter, by two roads")
@s.answers(_SETTLEMENT)
async def settle(
    read: Read,
    period: Quarter,
    township: Code = None,
    bank: Code = None,
    household_no: Code = None,
    loan_no: Code = None,
    left: Annotated[
        bool, Query(description="仅待拨付或待追回的 only what is left to pay or ask back")
    ] = False,
) -> Response:
    """Before the quarter's end this is an estimate. Both roads agree, or there is no answer.

    A loan that cannot be judged for want of a ruling is a line `not_judged` with its reason.
    """
    _, scope = await read.reader()

    def query(view: View) -> tuple[Table, dict[str, Any]]:
        last = named_quarter(period, view.book)
        found = settlement(
            view,
            last,
            scope=narrowed(view, scope, bank, township),
            wanted=Wanted(household_no, loan_no),
        )
        if left:
            found = [due for due in found if due.left_fen]
        return as_table(found), {
            "period": period,
            "estimate": view.as_of < last.until,
            "due_fen": sum(due.due_fen for due in found),
            "paid_fen": sum(due.paid_fen for due in found),
            "reserved_fen": sum(due.reserved_fen for due in found),
            "to_pay_fen": sum(max(due.left_fen, 0) for due in found),
            "to_recover_fen": sum(max(-due.left_fen, 0) for due in found),
            "not_judged": sum(due.state == "not_judged" for due in found),
        }

    return await read.table_saying(f"settlement-{period}", query)


@command_route(router, ProposeBatch)
async def propose(request: Request, command: ProposeBatch) -> Response:
    """Answer with the proposal of what is due by all that is known now."""
    service = service_of(request)
    by = await service.author(request)

    def proposed() -> Recorded:
        with service.ledger_for_file() as ledger:
            return propose_batch(ledger, command, by, _Settlement(service))

    return recorded_answer(await run_in_threadpool(proposed))


class _Settlement(NamedTuple):
    """`SettlementRuns` from the facts."""

    service: Service

    def run(self, command: ProposeBatch, position: int) -> Run:
        today = civil_day(self.service.clock())
        with view_of(self.service, today, None, position) as view:
            period = named_quarter(command.period, view.book)
            return run_of(view, period, scope=Scope(command.bank, command.township))


# ---- results as a file ---------------------------------------------------------------


@router.post(
    "/batches/{no}/result-file", status_code=201, summary="拨付回盘文件 the same as a file"
)
@s.answers(s.FILE_REFUSED)
@takes(TellResult)
async def result_file(
    request: Request,
    no: No,
    file: UploadFile,
    ref: Annotated[Name, Form()],
    effective_on: Annotated[Day, Form()],
) -> Response:
    """The payment order with 结果 (成功/失败), 流水号 and 原因 filled in. All of it, or nothing.

    Every column of the order that comes back must be the order's.
    """

    def command(told: ResultRows) -> Command:
        return TellResult(ref=ref, effective_on=effective_on, batch_no=no, results=told.results)

    return await _filed(request, no, await file.read(), command)


@router.post(
    "/batches/{no}/result-correction-file",
    status_code=201,
    summary="回盘更正文件 the same as a file",
)
@s.answers(s.FILE_REFUSED)
@takes(CorrectResult)
async def result_correction_file(
    request: Request,
    no: No,
    file: UploadFile,
    ref: Annotated[Name, Form()],
    effective_on: Annotated[Day, Form()],
    document: Annotated[Text, Form()],
) -> Response:
    """Rows of the payment order with the true 结果 (成功/失败/退票), each with its 原因."""

    def command(told: ResultRows) -> Command:
        corrections = [ResultCorrectionItem(**vars(item)) for item in told.results]
        return CorrectResult(
            ref=ref,
            effective_on=effective_on,
            ground=Ground(document=document),
            batch_no=no,
            corrections=corrections,
        )

    return await _filed(request, no, await file.read(), command, correction=True)


async def _filed(
    request: Request,
    no: str,
    content: bytes,
    command: Callable[[ResultRows], Command],
    *,
    correction: bool = False,
) -> Response:
    """Tell what a file says, whole; a refusal of one line names its row and column."""
    service = service_of(request)
    by = await service.author(request)

    def submit() -> Response:
        with tempfile.TemporaryDirectory(prefix="mz-file-") as folder:
            path = Path(folder) / "told"
            path.write_bytes(content)
            rows = results_in(path, no, correction=correction)
        try:
            with service.ledger_for_file() as ledger:
                return recorded_answer(submit_alone(ledger, command(rows), by))
        except Refused as refusal:
            fault = rows.located(refusal)
            if fault is None:
                raise
            return problem(
                status_of(refusal), fault.code, fault.zh, fault.en, details=refusal.details
            )

    try:
        return await run_in_threadpool(submit)
    except UnreadableFile as refusal:
        return problem(422, refusal.code, refusal.zh, refusal.en)


# ---- reading --------------------------------------------------------------------------


@router.get("/batches", summary="贴息批次 the batches and how far each has come")
@s.answers(s.table("Batches", BATCHES))
async def batch_list(read: Read) -> Response:
    _, scope = await read.reader()
    return await read.table("batches", lambda view: batches(view, scope=scope))


@router.get("/batches/{no}", summary="一个批次 one batch: its sums and every step taken")
@s.answers(_BATCH, s.refused(BatchUnknown))
async def batch(read: Read, no: No) -> Response:
    author, scope = await read.reader()

    def query(view: View) -> dict[str, Any]:
        found = the_batch(view, no, scope)
        steps = visible_steps(view, author, no)
        return {"batch": found, "steps": steps, "late_notices": late_notices(view, no, scope)}

    return await read.json(query)


def visible_steps(view: View, reader: Author, no: str) -> list[dict[str, Any]]:
    """What was done with a batch, as far as the reader may see the events of it."""
    steps = list(batch_steps(view, no).dicts())
    topics = (topic for topic in EVENTS if kind_of(topic) == Batch.KIND)
    positions = {step["position"] for step in steps}
    seen = visible_positions(view.connection, reader, topics, positions)
    return [step for step in steps if step["position"] in seen]


@router.get("/batches/{no}/lines", summary="批次明细 the lines of a batch")
@s.answers(s.table("BatchLines", LINES, **_OF_A_BATCH), s.refused(BatchUnknown))
async def lines(
    read: Read,
    no: No,
    bank: Code = None,
    township: Code = None,
    household_no: Code = None,
) -> Response:
    _, scope = await read.reader()

    def query(view: View) -> tuple[Table, dict[str, Any]]:
        the_batch(view, no, scope)
        own = narrowed(view, scope, bank, township)
        table = batch_lines(view, no, scope=own, household_no=household_no)
        return table, {"batch_no": no, "late_notices": late_notices(view, no, scope)}

    return await read.table_saying(f"batch-{no}", query)


@router.get("/batches/{no}/slip", summary="户贴息计算书 all that a batch lists for one household")
@s.answers(s.file("text/html"), s.refused(BatchUnknown, HouseholdUnknown))
async def slip(
    read: Read,
    no: No,
    household_no: Annotated[str, Query(pattern=NUMBER)],
) -> Response:
    """A page to print, in Chinese: every figure to work it out by hand, the sum in capitals."""
    _, scope = await read.reader()

    def answer(view: View) -> Response:
        said = slip_of_household(read.service, view, scope, no, household_no)
        page = slip_page.household_page(*said)
        return Response(page, media_type="text/html; charset=utf-8")

    return await read.respond(answer)


def slip_of_household(
    service: Service, view: View, scope: Scope, no: str, household_no: str
) -> tuple[
    dict[str, Any],
    str,
    str | None,
    list[dict[str, Any]],
    dict[str, str],
    list[dict[str, Any]],
]:
    """What a household's slip is made of: see `slip_page.household_values`.

    Raises BatchUnknown, HouseholdUnknown.
    """
    found = the_batch(view, no, scope)
    seen = batch_lines(view, no, scope=scope, household_no=household_no)
    wanted = {line["line"] for line in seen.dicts()}
    if not wanted:
        raise HouseholdUnknown("household_no", household_no=household_no)
    listed = [
        line
        for event in history(view.connection, [Batch.id_for(no)], view.known_at)
        if event.topic == Batch.Listed.TOPIC
        for line in event.content["lines"]
        if line["line"] in wanted
    ]
    home = Household.id_for(household_no)
    head = head_of(view, home)
    names = masked_names(view.connection, service.vault, [home])
    sources = {
        ruling.version: ruling.source
        for name in table_names()
        for ruling in view.book.table(name).rulings
    }
    name = names.get(head) if head else None
    return found, household_no, name, listed, sources, late_notices(view, no, scope)


def name_of(service: Service, code: str | None) -> str | None:
    """The name of an organisation, for people who read no codes; of an unknown one its code."""
    names = {each.code: each.name for each in service.people.organisations()}
    return names.get(code, code) if code else None


@router.get("/batches/{no}/notice", summary="公示 the notice: masked name, purpose, amount, term")
@s.answers(_NOTICE)
async def notice(
    read: Read,
    no: No,
    township: Code = None,
    village: Code = None,
) -> Response:
    """A page to print; CSV, XLSX or JSON when they alone are accepted. Nothing else is shown."""
    _, scope = await read.reader()

    def query(view: View) -> tuple[Table, dict[str, Any]]:
        _, table, late = notice_of(read.service, view, scope, no, township, village)
        return table, {"batch_no": no, "late_notices": late}

    def printed(view: View) -> Response:
        found, table, late = notice_of(read.service, view, scope, no, township, village)
        place = name_of(read.service, township)
        page = notice_page.page(found, list(table.dicts()), place, village, late)
        return Response(page, media_type="text/html; charset=utf-8")

    if "html" in read.request.headers.get("accept", ""):
        return await read.respond(printed)
    return await read.table_saying(f"notice-{no}", query, describes=False)


def notice_of(
    service: Service,
    view: View,
    scope: Scope,
    no: str,
    township: str | None,
    village: str | None,
) -> tuple[dict[str, Any], Table, list[dict[str, Any]]]:
    """A batch, what its notice shows, and its late notices. Raises BatchUnknown, HTTPException."""
    found = the_batch(view, no, scope)
    own = narrowed(view, scope, None, township)
    table = _to_post(service, view, batch_lines(view, no, scope=own, village=village))
    return found, table, late_notices(view, no, scope)


def _to_post(service: Service, view: View, listed: Table) -> Table:
    """What a notice shows of the lines that money may leave for, and nothing more."""
    named = with_names(service.vault, view, listed).dicts()
    lines = [line for line in named if line["kind"] != "recovery" and line["state"] != "withdrawn"]
    return Table(NOTICE, [tuple(line[column.key] for column in NOTICE) for line in lines])


@router.get("/batches/{no}/payment-order", summary="拨付指令文件 the lines a bank is to pay")
@s.answers(
    s.table("PaymentOrder", PAYMENT_ORDER, **_OF_A_BATCH, amount_fen=s.WHOLE),
    s.refused(BatchUnknown),
)
async def payment_order(
    read: Read,
    no: No,
    bank: Code = None,
) -> Response:
    """The bank gets its own borrowers' accounts in clear; for everybody else they are masked."""
    _, scope = await read.reader()

    def query(view: View) -> tuple[Table, dict[str, Any]]:
        found = the_batch(view, no, scope)
        listed = batch_lines(view, no, scope=narrowed(view, scope, bank, None))
        table = _order_of(read.service, view, listed, found, clear=scope.bank is not None)
        return table, {
            "batch_no": no,
            "amount_fen": sum(line["amount_fen"] for line in table.dicts()),
            "late_notices": late_notices(view, no, scope),
        }

    return await read.table_saying(f"order-{no}", query, describes=False)


def _order_of(
    service: Service, view: View, listed: Table, batch: dict[str, Any], *, clear: bool
) -> Table:
    """The lines that are ordered and not done, with columns for the bank to fill in.

    `clear`: the reader is the bank itself, whatever anybody asks to see.
    """
    lines = [line for line in listed.dicts() if line["state"] == "ordered"]
    accounts = {}
    if batch["mode"] == "household":
        accounts = _payees(service, view, [UUID(line["loan_id"]) for line in lines])
    rows = []
    for line in lines:
        payee = accounts.get(line["loan_id"], {})
        name, account = payee.get("payee_name", ""), payee.get("payee_account", "")
        if batch["mode"] == "bank":
            name, account = line["bank"], line["bank"]
        elif not clear:
            name, account = masked_name(name), masked_number(account)
        rows.append(
            (
                batch["batch_no"],
                line["line"],
                line["loan_no"],
                line["household_no"],
                line["period"],
                name,
                account,
                line["amount_fen"],
                "",
                "",
                "",
            )
        )
    return Table(PAYMENT_ORDER, rows)


def _payees(service: Service, view: View, loans: Sequence[UUID]) -> dict[str, dict[str, str]]:
    """By loan: the account and name that it was disbursed to; absent when erased."""
    found: dict[str, dict[str, str]] = {}
    told = [
        (loan, version, topic, msgspec.json.decode(state))
        for loan, version, topic, state in disbursements(view.connection, loans)
    ]
    service.vault.unlock(
        Shelf(view.connection), {UUID(content["household_id"]) for *_, content in told}
    )
    for loan, version, topic, content in told:
        sealed = content.get("sealed")
        home = UUID(content["household_id"])
        values = sealed and service.vault.unseal(home, (loan, version, topic), sealed)
        if values:
            found[str(loan)] = values
    return found


def the_batch(view: View, no: str, scope: Scope) -> dict[str, Any]:
    """The batch, if the reader has lines in it. Raises BatchUnknown."""
    found = next(batches(view, scope=scope, batch_no=no).dicts(), None)
    if found is None:
        raise BatchUnknown(batch_no=no)
    return found
