"""Reports (报表) as the offices file them, and what was published of them (公布)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal, NamedTuple

from fastapi import APIRouter, Depends, Response
from starlette.concurrency import run_in_threadpool

from domain.money import in_wan, percent, with_commas
from domain.visibility import OPEN_REPORTS
from interface.console.awaited import AwaitedRoute, ready
from interface.console.dates import in_china
from interface.console.frame import Visit, assure_allowed, page, visit
from interface.console.lists import ListPage, list_page
from interface.exports.file_head import FileHead
from interface.http.permissions import scope_of
from interface.http.query_params import Code, No, narrowed
from interface.http.responses import Described, headed, headed_file, headers_of
from interface.http.routes.publications import as_it_went_out, checked
from projections.columns import Column
from projections.facts.reading import COUNTY, Scope, Table, View
from projections.publications import publications
from projections.publications.columns import PUBLICATIONS
from projections.reports import COUNTY_ROW, township_report
from projections.reports.annual import annual_form
from projections.reports.banks import bank_appraisal

router = APIRouter(route_class=AwaitedRoute, include_in_schema=False)
Visiting = Annotated[Visit, Depends(visit)]
Unit = Literal["yuan", "wan"]
Report = Callable[[View, Scope], Table]
FileForm = Literal["csv", "xlsx"]
_REPORTS: Final[dict[str, Report]] = {
    "townships": lambda view, scope: township_report(view, scope=scope),
    "banks": lambda view, scope: bank_appraisal(view, scope=scope),
    "annual": lambda view, scope: annual_form(view, scope=scope),
}
_HIDDEN: Final = ("item",)


class Cell(NamedTuple):
    text: str
    number: bool = False
    fen: int | None = None
    href: str | None = None


@router.get("/reports/townships")
async def townships(
    found: Visiting, township: Code = None, bank: Code = None, unit: Unit = "yuan"
) -> Response:
    return await _sheet(found, "townships", township, bank, unit)


@router.get("/reports/banks")
async def banks(found: Visiting, bank: Code = None, unit: Unit = "yuan") -> Response:
    return await _sheet(found, "banks", None, bank, unit)


@router.get("/reports/annual")
async def annual(
    found: Visiting, township: Code = None, bank: Code = None, unit: Unit = "yuan"
) -> Response:
    return await _sheet(found, "annual", township, bank, unit)


@router.get("/reports/townships.{form}")
async def townships_file(
    found: Visiting, form: FileForm, township: Code = None, bank: Code = None
) -> Response:
    return await _file(found, "townships", township, bank, form)


@router.get("/reports/banks.{form}")
async def banks_file(found: Visiting, form: FileForm, bank: Code = None) -> Response:
    return await _file(found, "banks", None, bank, form)


@router.get("/reports/annual.{form}")
async def annual_file(
    found: Visiting, form: FileForm, township: Code = None, bank: Code = None
) -> Response:
    return await _file(found, "annual", township, bank, form)


class Answered(NamedTuple):
    """A report's table; `file`: as a file has it, with what that says of itself."""

    table: Table
    headers: Mapping[str, str]
    file: tuple[Table, FileHead]


async def _answer(found: Visit, name: str, township: str | None, bank: str | None) -> Any:
    """The report, once it is worked out."""
    query = f"/reports/{name}"
    assure_allowed(found, query)
    scope = scope_of(found.author, query)

    title = found.words(f"reports.{name}")
    said = "; ".join(
        f"{key}={value}" for key, value in (("township", township), ("bank", bank)) if value
    )

    def question(view: View) -> Answered:
        own = narrowed(view, scope, bank, township)
        table = _REPORTS[name](view, own)
        return Answered(table, headers_of(view), headed(table, Described(view, title, said)))

    return await ready(found, title, (query, township, bank), question)


async def _file(
    found: Visit, name: str, township: str | None, bank: str | None, form: FileForm
) -> Response:
    report: Answered = (await _answer(found, name, township, bank)).value
    table, head = report.file
    return await run_in_threadpool(headed_file, table, form, name, report.headers, head)


async def _sheet(
    found: Visit, name: str, township: str | None, bank: str | None, unit: Unit
) -> Response:
    """A report laid out to be signed: head, unit, lines, and who made and checked it."""
    block = await _answer(found, name, township, bank)
    table = block.value.table
    names = {o.code: o.name for o in await run_in_threadpool(found.service.people.organisations)}
    columns = [column for column in table.columns if column.key not in _HIDDEN]
    given = dict(found.request.query_params)
    given.pop("unit", None)
    return await page(
        found,
        "sheet.html",
        name=name,
        block=block,
        unit=unit,
        whose=" ".join(names.get(code, code) for code in (township, bank) if code),
        other_unit=found.address(unit="wan" if unit == "yuan" else None),
        heads=[(_title(found, column), column.kind in _NUMBERS) for column in columns],
        rows=[
            [_cell(found, column, line, unit, names) for column in columns]
            for line in table.dicts()
        ],
        has_sum=name == "townships",
        year=found.as_of.year,
        month=found.as_of.month,
        wider=found.to("reports", name),
        files=[
            (kind.upper(), found.address(unit=None).replace(f"/{name}", f"/{name}.{kind}", 1))
            for kind in ("csv", "xlsx")
        ],
    )


_NUMBERS: Final = ("fen", "bp", "integer")


def _title(found: Visit, column: Column) -> str:
    if found.words.language == "en":
        unit = " (%)" if column.kind == "bp" else ""
        return column.title_en[:1].upper() + column.title_en[1:] + unit
    return column.title_zh.replace("(元)", "") if column.kind == "fen" else column.title_zh


def _cell(
    found: Visit, column: Column, line: Mapping[str, Any], unit: Unit, names: Mapping[str, str]
) -> Cell:
    value = line[column.key]
    if value is None or value == "":
        return Cell("—", column.kind in _NUMBERS)
    href = _behind(found, column.key, line)
    if column.kind in _NUMBERS:
        return Cell(
            _number(column, value, unit), True, value if column.kind == "fen" else None, href
        )
    return _text(found, column, line, names, None if "item" in line else href)


def _number(column: Column, value: int, unit: Unit) -> str:
    if column.kind == "fen":
        return in_wan(value) if unit == "wan" else with_commas(value)
    return percent(value).removesuffix("%") if column.kind == "bp" else f"{value:,}"


def _text(
    found: Visit,
    column: Column,
    line: Mapping[str, Any],
    names: Mapping[str, str],
    href: str | None,
) -> Cell:
    value = line[column.key]
    if column.key == "item_zh" and found.words.language == "en":
        return Cell(found.words(f"reports.item_{line['item']}"))
    if value == COUNTY_ROW:
        return Cell(found.words("reports.total"))
    named = names.get(value)
    return Cell(f"{value} {named}" if named else str(value), href=href)


def _behind(found: Visit, key: str, line: Mapping[str, Any]) -> str | None:
    """The lines that a figure of a report counts."""
    whose = {name: line[name] for name in ("township", "bank") if line.get(name)}
    if whose.get("township") == COUNTY_ROW:
        whose = {}
    if key.startswith("reminders_"):
        states = {"done": "done", "late": "late", "not_done": "not_done"}
        first = found.as_of.replace(month=1, day=1)
        state = states.get(key.removeprefix("reminders_"))
        span = {"due_from": first, "due_until": found.as_of, "state": state}
        return found.address("/duties", **whose, **span)
    if "item" in line:
        subsidy = line["item"] == "subsidy_paid"
        if subsidy:
            return found.address("/ledgers/subsidies")
        return found.address("/ledgers/loans", purpose=line["purpose"])
    if key.startswith(("told", "answer", "scale", "taken")):
        return None
    return found.address("/ledgers/loans", **whose)


# ---- what was published ---------------------------------------------------------------


def _to_file(found: Visit, line: Mapping[str, Any]) -> str:
    return found.to("publications", line["publication_no"])


def _to_check(found: Visit, line: Mapping[str, Any]) -> str:
    if not found.allowed("/publications/{no}/check"):
        return _to_file(found, line)
    return found.to("publications", line["publication_no"], "check")


LIST: Final = ListPage(
    name="publications",
    query="/publications",
    columns=PUBLICATIONS,
    key=("publication_no",),
    shown=(
        "publication_no", "report", "report_as_of", "known_at", "row_count", "effective_on",
        "recorded_at", "sha256",
    ),
    facets=("report",),
    ranges=("effective_on",),
    leads={
        "publication_no": _to_check,
        "row_count": _to_file,
        "sha256": _to_file,
        "position": lambda found, line: found.to("events", line["position"]),
    },
    summed=(),
    template="publications.html",
)  # fmt: skip


@list_page(router, "/publications", LIST)
def published(found: Visit, view: View) -> Table:
    scope = scope_of(found.author, "/publications")
    return publications(view, None if scope == COUNTY else OPEN_REPORTS)


@router.get("/publications/{no}")
async def publication(found: Visiting, no: No) -> Response:
    """The file as it went out."""
    assure_allowed(found, "/publications/{no}")
    return await run_in_threadpool(as_it_went_out, found.service, no, found.author)


@router.get("/publications/{no}/check")
async def check(found: Visiting, no: No) -> Response:
    """Made again at its two dates: byte-equal or not; and what late entries changed since."""
    assure_allowed(found, "/publications/{no}/check")
    heading = found.words("publications.check_title", no=no)
    block = await ready(found, heading, ("publication", no), lambda _: checked(found.service, no))
    told = block.value
    return await page(
        found,
        "publication_check.html",
        block=block,
        told=told,
        known=in_china(datetime.fromisoformat(told["known_at"])),
        file=found.to("publications", no),
        list_address=found.address("/publications"),
        changes=found.address("/changes", as_of=told["as_of"], known_from=told["known_at"]),
        previous=told["previous"] and found.to("publications", told["previous"], "check"),
    )
