"""The money itself (资金台账、日记账、风险补偿金、利益联结)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query, Response
from starlette.concurrency import run_in_threadpool

from domain.money import percent, yuan
from interface.console.amounts import overview_amount
from interface.console.awaited import AwaitedRoute
from interface.console.drawing.stacked import WIDTH, Bars, stacked
from interface.console.findings import finding_address
from interface.console.flow_names import names_of
from interface.console.frame import Visit, assure_allowed, page, visit
from interface.console.fund_flow_lists import event, household, loan
from interface.console.lists import ListPage, list_page
from interface.http.permissions import scope_of
from interface.http.query_params import view_of
from interface.http.responses import Described, head_of, headers_of, json_answer, table_file
from projections.facts.reading import Table, View
from projections.fund_flow.flagged import Flag, flags_at
from projections.funds import WARNINGS_BP, fund_ledger, journal, transfers
from projections.funds.columns import JOURNAL, TRANSFERS
from projections.links import benefits, guarantees, instalments, risk_fund
from projections.links.columns import BENEFITS, GUARANTEES, INSTALMENTS

router = APIRouter(route_class=AwaitedRoute, include_in_schema=False)
Visiting = Annotated[Visit, Depends(visit)]
FileForm = Literal["csv", "xlsx", "json"]
_MULTIPLE: Final = "flag_fund_multiple"


# ---- the fund ledger --------------------------------------------------------------------


def year_bar(line: Mapping[str, Any]) -> Bars:
    """Paid, reserved and free of what was allocated, with the marks of the warnings."""
    allocated = line["allocated_fen"]
    parts = [(name, line[f"{name}_fen"]) for name in ("paid", "reserved", "free")]
    marks = [(f"{share // 100}%", allocated * share // 10_000) for share in WARNINGS_BP]
    return stacked(parts, marks)


def part_address(found: Visit, part: str, year: int) -> str:
    """The entries of a part of a year's budget."""
    account = "treasury" if part == "allocated" else part
    return found.address("/ledgers/journal", account=f"budget:{account}:{year}")


@router.get("/ledgers/funds")
async def funds(found: Visiting) -> Response:
    assure_allowed(found, "/ledgers/funds")

    def ask() -> tuple[list[Any], list[Any], dict[tuple[int, str], list[Flag]]]:
        with view_of(found.service, found.as_of, found.known_at, None) as view:
            years = list(fund_ledger(view).dicts())
            moved = list(transfers(view).dicts()) if found.allowed("/ledgers/transfers") else []
            return years, moved, flags_at(view, {(line["position"], "transfer") for line in moved})

    years, moved, flagged = await run_in_threadpool(ask)
    return await page(
        found,
        "funds.html",
        years=[line | {"bar": year_bar(line)} for line in reversed(years)],
        transfers=moved,
        flags={position: flags for (position, _), flags in flagged.items()},
        names=await run_in_threadpool(names_of, found),
        look=found,
        part=lambda name, year: part_address(found, name, year),
        width=WIDTH,
        wan=overview_amount(found.words),
        percent=percent,
        files=files_of(found),
    )


def files_of(found: Visit) -> list[tuple[str, str]]:
    """CSV, XLSX and JSON of a page."""
    path, here = found.request.url.path, found.address()
    return [(form.upper(), here.replace(path, f"{path}.{form}", 1)) for form in _FORMS]


_FORMS: Final = ("csv", "xlsx", "json")


async def _file(
    found: Visit, name: str, form: FileForm, query: Callable[[View], Table]
) -> Response:
    def filed() -> Response:
        with view_of(found.service, found.as_of, found.known_at, None) as view:
            table = query(view)
            if form == "json":
                lines = {"lines": list(table.dicts())}
                return json_answer(head_of(view) | lines, 200, headers_of(view))
            title = found.words(f"{name.replace('-', '_')}.title")
            said = found.words("list.nothing_filtered")
            described = Described(view, title, said)
            return table_file(table, form, name, headers_of(view), described)

    return await run_in_threadpool(filed)


@router.get("/ledgers/funds.{form}")
async def funds_file(found: Visiting, form: FileForm) -> Response:
    assure_allowed(found, "/ledgers/funds")
    return await _file(found, "funds", form, fund_ledger)


def _offices(found: Visit) -> dict[str, Mapping[Any, str]]:
    names = {o.code: o.name for o in found.service.people.organisations()}
    return {"payer": names, "payee": names}


TRANSFER_LIST: Final = ListPage(
    name="transfers",
    query="/ledgers/transfers",
    columns=TRANSFERS,
    key=("position",),
    shown=("position", "year", "effective_on", "payer", "payee", "amount_fen", "purpose",
           "voucher"),
    facets=("year", "payer", "payee"),
    ranges=("effective_on", "amount_fen"),
    sort="-effective_on",
    leads={"position": event, "amount_fen": event, "voucher": event},
    codes=_offices,
)  # fmt: skip


@list_page(router, "/ledgers/transfers", TRANSFER_LIST)
def transfer_lines(found: Visit, view: View) -> Table:
    del found
    return transfers(view)


# ---- the journal ------------------------------------------------------------------------

JOURNAL_LIST: Final = ListPage(
    name="journal",
    query="/ledgers/journal",
    columns=JOURNAL,
    key=("position", "account"),
    shown=("effective_on", "position", "account", "counter_account", "amount_fen"),
    ranges=("effective_on", "amount_fen"),
    leads={
        "position": lambda found, line: found.to("events", line["position"]),
        "amount_fen": lambda found, line: found.to("events", line["position"]),
    },
    template="journal.html",
)


def _journal(found: Visit, view: View, seen: Any, account: str | None = None) -> dict[str, Any]:
    del seen
    return {
        "account": account,
        "years": [line["year"] for line in fund_ledger(view).dicts()],
        "look": found,
    }


@list_page(router, "/ledgers/journal", JOURNAL_LIST, _journal)
def journal_lines(
    found: Visit,
    view: View,
    account: Annotated[
        str | None,
        Query(
            pattern=r"^(budget|cash|riskfund|benefit|enterprise):[^\x00-\x1f\x7f]+$", max_length=300
        ),
    ] = None,
) -> Table:
    """The entries of one account: to it as they are, from it with the opposite sign."""
    del found
    if account is None:
        return Table(JOURNAL, [])
    rows = [
        (*row[:3], account, row[3], -row[5]) if row[4] == account else row
        for row in journal(view, account=account).rows
    ]
    return Table(JOURNAL, rows)


# ---- the risk fund ----------------------------------------------------------------------


@router.get("/ledgers/risk-fund")
async def risk_fund_page(found: Visiting) -> Response:
    assure_allowed(found, "/ledgers/risk-fund")

    def ask() -> tuple[dict[str, Any], int]:
        with view_of(found.service, found.as_of, found.known_at, None) as view:
            multiple = view.book.ruling(_MULTIPLE, view.as_of, view.known_on)
            return next(risk_fund(view).dicts()), multiple.number

    fund, multiple = await run_in_threadpool(ask)
    return await page(
        found,
        "risk_fund.html",
        fund=fund,
        multiple=multiple,
        times=yuan(fund["ratio_bp"] // 100) if fund["ratio_bp"] is not None else None,
        over=fund["outstanding_fen"] > multiple * fund["balance_fen"],
        gauge=stacked(
            [("outstanding", fund["outstanding_fen"])],
            [("limit", multiple * max(fund["balance_fen"], 0))],
        ),
        entries=lambda account: found.address("/ledgers/journal", account=f"riskfund:{account}"),
        look=found,
        width=WIDTH,
        wan=overview_amount(found.words),
        files=files_of(found),
    )


@router.get("/ledgers/risk-fund.{form}")
async def risk_fund_file(found: Visiting, form: FileForm) -> Response:
    assure_allowed(found, "/ledgers/risk-fund")
    return await _file(found, "risk-fund", form, risk_fund)


GUARANTEE_LIST: Final = ListPage(
    name="guarantees",
    query="/guarantees",
    columns=GUARANTEES,
    key=("bank", "loan_no", "guarantor"),
    facets=("bank", "guarantor"),
    filters=("household_no", "loan_no"),
    ranges=("guaranteed_on",),
    sort="-guaranteed_on",
    leads={
        "household_no": household,
        **dict.fromkeys(("loan_no", "amount_fen", "fee_fen"), loan),
    },
    tags=lambda line, key: "wrong" if key == "fee_fen" and line[key] else None,
)


@list_page(router, "/guarantees", GUARANTEE_LIST)
def guarantee_lines(found: Visit, view: View) -> Table:
    scope = scope_of(found.author, "/guarantees")
    return guarantees(view, bank=scope.bank, guarantor=scope.guarantor)


# ---- benefits ---------------------------------------------------------------------------


def _instalments_of(found: Visit, line: Mapping[str, Any]) -> str:
    return found.address(
        "/benefits/instalments",
        agreement_no=line["agreement_no"],
        household_no=line["household_no"],
    )


def _agreement(found: Visit, line: Mapping[str, Any]) -> str:
    return found.address("/benefits/instalments", agreement_no=line["agreement_no"])


BENEFIT_LIST: Final = ListPage(
    name="benefits",
    query="/benefits",
    columns=BENEFITS,
    key=("agreement_no", "household_no"),
    shown=("agreement_no", "enterprise", "township", "household_no", "due_fen", "paid_fen",
           "short_fen", "next_due_on"),
    facets=("township", "enterprise"),
    filters=("agreement_no", "household_no"),
    ranges=("next_due_on", "short_fen"),
    sort="-short_fen",
    leads={
        "agreement_no": _agreement,
        "household_no": household,
        **dict.fromkeys(("due_fen", "paid_fen", "short_fen"), _instalments_of),
    },
    tags=lambda line, key: "wrong" if key == "short_fen" and line[key] else None,
)  # fmt: skip


@list_page(router, "/benefits", BENEFIT_LIST)
def benefit_lines(found: Visit, view: View) -> Table:
    return benefits(view, scope=scope_of(found.author, "/benefits"))


_STATES: Final = {"paid_late": "late", "short": "wrong", "pending": "pending"}


def _instalment_tag(line: Mapping[str, Any], key: str) -> str | None:
    return _STATES.get(line["state"]) if key == "state" else None


def _event_at(found: Visit, line: Mapping[str, Any]) -> str:
    return found.to("events", line["position"])


INSTALMENT_LIST: Final = ListPage(
    name="instalments",
    query="/benefits/instalments",
    columns=INSTALMENTS,
    key=("agreement_no", "due_on", "household_no"),
    shown=("agreement_no", "enterprise", "due_on", "household_no", "kinds", "due_fen", "paid_fen",
           "short_fen", "paid_on", "days_late", "state"),
    facets=("state", "township", "enterprise"),
    filters=("agreement_no", "household_no"),
    ranges=("due_on",),
    leads={
        "agreement_no": _agreement,
        "household_no": household,
        "due_fen": _event_at,
        "paid_fen": lambda found, line: found.address(
            "/ledgers/journal", account=f"benefit:{line['household_no']}"
        ),
        "short_fen": lambda found, line: finding_address(
            found, "RF20", f"{line['agreement_no']} {line['household_no']} {line['due_on']}"
        )
        if line["short_fen"]
        else None,
    },
    tags=_instalment_tag,
)  # fmt: skip


@list_page(router, "/benefits/instalments", INSTALMENT_LIST)
def instalment_lines(found: Visit, view: View) -> Table:
    return instalments(view, scope=scope_of(found.author, "/benefits/instalments"))
