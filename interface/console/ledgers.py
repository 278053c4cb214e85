"""The loan ledger (贷款台账) and the subsidy ledger (贴息台账) as lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Response
from starlette.concurrency import run_in_threadpool

from domain.household import CATEGORIES_ZH
from domain.roles import Role
from interface.console.frame import Visit, assure_allowed, page, visit
from interface.console.ledger_lists import Ledger, Listed, as_file, chosen, listed
from interface.console.loan import household_address, loan_address
from interface.console.page_route import PageRoute
from interface.http.masked_names import with_names
from interface.http.permissions import scope_of
from interface.http.query_params import (
    Code,
    Cursor,
    Quarter,
    narrowed,
    opened,
    position_of,
    view_of,
)
from projections.columns import BORROWER_NAME
from projections.facts.reading import Table, View
from projections.loan_ledger import loan_ledger
from projections.loan_ledger.columns import COLUMNS as LOANS
from projections.subsidy_ledger import subsidy_ledger
from projections.subsidy_ledger.columns import COLUMNS as SUBSIDIES

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Visiting = Annotated[Visit, Depends(visit)]
Cols = Annotated[str | None, Query(max_length=1000, description="keys of columns, in order")]
FileForm = Literal["csv", "xlsx", "json"]
_LOANS_SHOWN = (
    "loan_no", "bank", "township", "village", "household_no", "borrower_name", "purpose",
    "principal_fen", "annual_rate_bp", "disbursed_on", "due_on", "outstanding_fen", "subsidy_fen",
    "overdue",
)  # fmt: skip
_SUBSIDIES_SHOWN = (
    "payment_no", "period", "paid_on", "bank", "loan_no", "township", "household_no",
    "borrower_name", "due_fen", "paid_fen", "recovered_fen", "returned_fen", "net_fen", "voucher",
)  # fmt: skip


def payment_address(found: Visit, no: str) -> str:
    return found.address(f"/subsidy-payments/{quote(no, safe='')}")


def _household(found: Visit, no: str) -> str | None:
    """A household's page; None for whom the table gives none."""
    return household_address(found, no) if found.allowed("/households/{no}") else None


async def _names(found: Visit) -> dict[Role, dict[str, str]]:
    """Names of banks and townships by code."""
    named: dict[Role, dict[str, str]] = {Role.BANK: {}, Role.TOWNSHIP: {}}
    for each in await run_in_threadpool(found.service.people.organisations):
        if each.role in named:
            named[each.role][each.code] = each.name
    return named


async def _show(
    found: Visit, ledger: Ledger, cols: str | None, form: FileForm | None, **filters: str | None
) -> Response:
    """The ledger as a page, or as a file of what the page shows."""
    wanted = chosen(ledger, cols)
    if form is not None:
        return await run_in_threadpool(as_file, found, ledger, wanted, form)

    def lines() -> tuple[Listed, bool]:
        with view_of(found.service, found.as_of, found.known_at, None) as view:
            return listed(found, ledger, wanted, view), view.is_empty

    shown, empty = await run_in_threadpool(lines)
    named = await _names(found)
    scope = scope_of(found.author, f"/ledgers/{ledger.name}")
    choices = {
        "bank": named[Role.BANK] if scope.bank is None else {},
        "township": named[Role.TOWNSHIP] if scope.township is None else {},
    }
    path = found.request.url.path
    said = {name: value for name, value in filters.items() if value is not None}
    return await page(
        found,
        "ledger.html",
        pinned=shown.answer,
        name=ledger.name,
        list=shown,
        empty=empty,
        choices={name: offered for name, offered in choices.items() if offered},
        filters=filters,
        dates=found.request.query_params,
        said=[(name, choices.get(name, {}).get(value, value)) for name, value in said.items()],
        cols=cols,
        path=path,
        first=found.address(cursor=None) if "cursor" in found.request.query_params else None,
        next=shown.next and found.address(cursor=shown.next),
        files=[
            (kind.upper(), found.address(cursor=None).replace(path, f"{path}.{kind}", 1))
            for kind in ("csv", "xlsx", "json")
        ],
        wider=found.address(path),
    )


def _overdue(line: Mapping[str, Any], key: str) -> bool:
    return key == "overdue" and bool(line.get("overdue"))


async def _loans(
    found: Visit,
    form: FileForm | None,
    township: str | None,
    bank: str | None,
    household_no: str | None,
    cols: str | None,
    cursor: str | None,
) -> Response:
    assure_allowed(found, "/ledgers/loans")
    scope, after = scope_of(found.author, "/ledgers/loans"), opened(cursor, 2)

    def ask(view: View, most: int | None) -> Table:
        table = loan_ledger(
            view,
            scope=narrowed(view, scope, bank, township),
            household_no=household_no,
            after=after,
            most=most,
        )
        return with_names(found.service.vault, view, table)

    def payments(line: Mapping[str, Any]) -> str | None:
        of_loan = {"bank": line["bank"], "loan_no": line["loan_no"]}
        return found.address("/ledgers/subsidies", **of_loan) if line["subsidy_fen"] else None

    named = await _names(found)
    ledger = Ledger(
        "loans",
        (*LOANS, BORROWER_NAME),
        _LOANS_SHOWN,
        ("bank", "loan_no"),
        {
            "subsidy_fen": payments,
            "loan_no": lambda line: loan_address(found, line["bank"], line["loan_no"]),
            "household_no": lambda line: _household(found, line["household_no"]),
        },
        _codes(found, named),
        _overdue,
        ask,
    )
    return await _show(
        found, ledger, cols, form, township=township, bank=bank, household_no=household_no
    )


def _codes(found: Visit, named: Mapping[Role, Mapping[str, str]]) -> dict[str, Mapping[Any, str]]:
    """What codes are called on the page, by column."""
    words = found.words
    overdue = {True: words("list.overdue"), False: words("list.ordinary")}
    codes: dict[str, Mapping[Any, str]] = {
        "bank": named[Role.BANK],
        "township": {code: f"{code} {name}" for code, name in named[Role.TOWNSHIP].items()},
        "overdue": overdue,
    }
    if words.language == "zh":
        codes["category"] = {code: name for code, name in CATEGORIES_ZH.items() if code}
    return codes


@router.get("/ledgers/loans")
async def loans(
    found: Visiting,
    township: Code = None,
    bank: Code = None,
    household_no: Code = None,
    cols: Cols = None,
    cursor: Cursor = None,
) -> Response:
    return await _loans(found, None, township, bank, household_no, cols, cursor)


@router.get("/ledgers/loans.{form}")
async def loans_file(
    found: Visiting,
    form: FileForm,
    township: Code = None,
    bank: Code = None,
    household_no: Code = None,
    cols: Cols = None,
) -> Response:
    return await _loans(found, form, township, bank, household_no, cols, None)


async def _subsidies(
    found: Visit,
    form: FileForm | None,
    township: str | None,
    bank: str | None,
    household_no: str | None,
    loan_no: str | None,
    period: str | None,
    cols: str | None,
    cursor: str | None,
) -> Response:
    assure_allowed(found, "/ledgers/subsidies")
    scope, after = scope_of(found.author, "/ledgers/subsidies"), position_of(cursor)

    def ask(view: View, most: int | None) -> Table:
        table = subsidy_ledger(
            view,
            scope=narrowed(view, scope, bank, township),
            household_no=household_no,
            loan_no=loan_no,
            period=period,
            after=after,
            most=most,
        )
        return with_names(found.service.vault, view, table)

    named = await _names(found)
    ledger = Ledger(
        "subsidies",
        (*SUBSIDIES, BORROWER_NAME),
        _SUBSIDIES_SHOWN,
        ("position",),
        {
            "payment_no": lambda line: payment_address(found, line["payment_no"]),
            "loan_no": lambda line: loan_address(found, line["bank"], line["loan_no"]),
            "household_no": lambda line: _household(found, line["household_no"]),
        },
        _codes(found, named),
        lambda line, key: key == "recovered_fen" and bool(line["recovered_fen"]),
        ask,
    )
    return await _show(
        found, ledger, cols, form,
        township=township, bank=bank, household_no=household_no, loan_no=loan_no, period=period,
    )  # fmt: skip


@router.get("/ledgers/subsidies")
async def subsidies(
    found: Visiting,
    township: Code = None,
    bank: Code = None,
    household_no: Code = None,
    loan_no: Code = None,
    period: Quarter | None = None,
    cols: Cols = None,
    cursor: Cursor = None,
) -> Response:
    return await _subsidies(
        found, None, township, bank, household_no, loan_no, period, cols, cursor
    )


@router.get("/ledgers/subsidies.{form}")
async def subsidies_file(
    found: Visiting,
    form: FileForm,
    township: Code = None,
    bank: Code = None,
    household_no: Code = None,
    loan_no: Code = None,
    period: Quarter | None = None,
    cols: Cols = None,
) -> Response:
    return await _subsidies(found, form, township, bank, household_no, loan_no, period, cols, None)
