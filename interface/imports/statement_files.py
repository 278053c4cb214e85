"""Files of statements, row by row: what is uploaded, and the result file back (回盘).

Every row is decided by itself or, if the sender wants it so, all together; a row that was told
before changes nothing and says so. Nothing of the file is held in memory but the rows at hand.
"""

from __future__ import annotations

import gc
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from application.command import Command
from application.commands.loan import (
    CheckUsage,
    DisburseLoan,
    ObserveOutflow,
    RemindBorrower,
    RepayLoan,
)
from application.ledger import Ledger, Outcome, Recorded, Submission
from application.refusals import BatchRefused
from domain.kernel import Author, Refused
from interface.http.errors import faults
from interface.imports.prefetch import read_ahead
from interface.spreadsheet import (
    BadCell,
    BadRow,
    Column,
    UnreadableFile,
    as_basis_points,
    as_date,
    as_fen,
    as_identifier,
    as_known,
    as_text,
    match_header,
    open_rows,
    write_csv,
    write_xlsx,
)

_ROWS_AT_ONCE = 4_000
_OBJECTS_BETWEEN_COLLECTIONS = 200_000
_YES = {"是", "y", "yes", "true", "1"}
_NO = {"否", "n", "no", "false", "0"}

Converter = Callable[[Any], Any]


def _name(cell: Any) -> str:
    return as_text(cell, name=True)


def _flag(cell: Any) -> bool:
    word = as_text(cell).casefold()
    if word in _YES or word in _NO:
        return word in _YES
    raise BadCell("not_true_or_false", "须为“是”或“否”", "yes or no is wanted")


@dataclass(frozen=True)
class Field:
    """A column, and where in the command its value goes: `payer.account` is inside `payer`."""

    column: Column
    goes_to: str
    convert: Converter


def _field(zh: str, key: str, kind: Any, convert: Converter, goes_to: str = "") -> Field:
    required = not key.endswith("?")
    key = key.rstrip("?")
    return Field(Column(key, zh, key, kind, required), goes_to or key, convert)


_REF = _field("流水号", "ref", "identifier", as_identifier)
_LOAN_NO = _field("借据号", "loan_no", "identifier", as_known)
_DOCUMENT = _field("凭证", "document?", "text", as_text, "ground.document")

LAYOUTS: dict[str, tuple[type[Command], tuple[Field, ...]]] = {
    "repayment": (
        RepayLoan,
        (
            _REF,
            _LOAN_NO,
            _field("还款日期", "effective_on", "date", as_date),
            _field("本金(元)", "principal", "fen", as_fen, "principal_fen"),
            _field("利息(元)", "interest", "fen", as_fen, "interest_fen"),
            _field("罚息(元)", "penalty", "fen", as_fen, "penalty_fen"),
            _field("付款账号", "payer_account", "identifier", as_identifier, "payer.account"),
            _field("付款户名", "payer_name", "text", _name, "payer.name"),
            _DOCUMENT,
        ),
    ),
    "loan": (
        DisburseLoan,
        (
            _REF,
            _field("借据号", "loan_no", "identifier", as_identifier),
            _field("合同号", "contract_no", "identifier", as_identifier),
            _field("合同日期", "contract_on", "date", as_date),
            _field("放款日期", "effective_on", "date", as_date),
            _field("到期日期", "due_on", "date", as_date),
            _field("户编号", "household_no", "identifier", as_known),
            _field("借款人身份证号", "borrower_id_no", "identifier", as_identifier),
            _field("贷款金额(元)", "principal", "fen", as_fen, "principal_fen"),
            _field("到账金额(元)", "credited", "fen", as_fen, "credited_fen"),
            _field("年利率(%)", "annual_rate", "bp", as_basis_points, "annual_rate_bp"),
            _field("用途", "purpose", "text", as_text),
            _field("收款账号", "payee_account", "identifier", as_identifier, "payee.account"),
            _field("收款户名", "payee_name", "text", _name, "payee.name"),
            _field("续贷原借据号", "renews_loan_no?", "identifier", as_known),
            _DOCUMENT,
        ),
    ),
    "outflow": (
        ObserveOutflow,
        (
            _REF,
            _LOAN_NO,
            _field("交易日期", "effective_on", "date", as_date),
            _field("金额(元)", "amount", "fen", as_fen, "amount_fen"),
            _field("对方账号", "to_account", "identifier", as_identifier, "to.account"),
            _field("对方户名", "to_name", "text", _name, "to.name"),
            _field("对方类别", "to_kind", "text", as_text, "to.kind"),
            _field("付款账号", "payer_account?", "identifier", as_identifier, "payer.account"),
            _field("付款户名", "payer_name?", "text", _name, "payer.name"),
            _DOCUMENT,
        ),
    ),
    "reminder": (
        RemindBorrower,
        (
            _REF,
            _LOAN_NO,
            _field("提醒日期", "effective_on", "date", as_date),
            _field("提醒类别", "kind", "text", as_text),
            _field("方式", "channel", "text", as_text),
            _field("证据", "evidence?", "text", as_text),
            _DOCUMENT,
        ),
    ),
    "usage-check": (
        CheckUsage,
        (
            _REF,
            _LOAN_NO,
            _field("银行", "bank?", "identifier", as_identifier),
            _field("检查日期", "effective_on", "date", as_date),
            _field("检查结论", "finding", "text", as_text),
            _field("实际用途", "actual_use", "text", as_text),
            _field("见到借款人", "borrower_met", "text", _flag),
            _field("会同银行", "with_bank", "text", _flag),
            _field("检查人", "inspector", "text", as_text),
            _field("挪用起始日期", "began_on?", "date", as_date),
            _DOCUMENT,
        ),
    ),
}

RESULT = (
    Column("row", "行号", "row", "integer"),
    Column("ref", "流水号", "reference", "identifier"),
    Column("result", "结果", "result", "text"),
    Column("position", "日志位置", "position", "integer"),
    Column("code", "代码", "code", "text"),
    Column("column", "列", "column", "text"),
    Column("reason_zh", "原因", "reason", "text"),
    Column("reason_en", "原因(英)", "reason in English", "text"),
    Column("promise", "入账承诺", "promise", "text"),
)
_LONGEST_CELL = 32_767
"""Characters that Excel lets a cell have."""

RECORDED, AGAIN, REFUSED = "已入账 recorded", "已报送过 told before", "退回 refused"


@dataclass
class Tally:
    """How a file fared, in rows."""

    rows: int = 0
    recorded: int = 0
    again: int = 0
    refused: int = 0


Line = tuple[int, str, str, int | None, str | None, str | None, str | None, str | None, str | None]


def own_columns(folder: Path, organisation: str, kind: str) -> dict[str, str]:
    """An organisation's own titles, {key: title}, from ORGANISATION.toml; {} when it has none."""
    if not re.fullmatch(r"[\w-]{1,64}", organisation):
        return {}
    try:
        stored = tomllib.loads((folder / f"{organisation}.toml").read_text("utf-8"))
    except FileNotFoundError:
        return {}
    titles: dict[str, str] = stored.get(kind, {})
    return titles


def take_in(
    ledger: Ledger,
    path: Path,
    kind: str,
    by: Author,
    result: Path,
    *,
    atomic: bool = False,
    titles: Mapping[str, str] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Tally:
    """Tell the ledger a file; `result` is written in the file's own format (.csv, .xlsx).

    Raises UnreadableFile; then nothing was recorded and no result is written.
    """
    command_type, fields = LAYOUTS[kind]
    fields = tuple(
        replace(
            f,
            column=replace(f.column, title_zh=(titles or {}).get(f.column.key, f.column.title_zh)),
        )
        for f in fields
    )
    tally = Tally()
    with open_rows(path) as reader, seldom_collecting():
        places = match_header(reader.header, [f.column for f in fields])
        layout = [(f, places[f.column.key]) for f in fields if f.column.key in places]
        commands = _commands(reader, command_type, layout)
        answered = (_all_or_nothing if atomic else _each)(ledger, commands, by, layout)
        write = write_xlsx if reader.format == "xlsx" else write_csv
        write(result, RESULT, _counted(answered, tally, progress))
    return tally


@contextmanager
def seldom_collecting() -> Iterator[None]:
    """Look for cyclic garbage seldom: rows by the thousand make none, and the looking costs."""
    usual = gc.get_threshold()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def _counted(
    lines: Iterable[Line], tally: Tally, progress: Callable[[int], None] | None
) -> Iterator[Line]:
    for line in lines:
        tally.rows += 1
        tally.recorded += line[2] is RECORDED
        tally.again += line[2] is AGAIN
        tally.refused += line[2] is REFUSED
        if progress and tally.rows % 1_000 == 0:
            progress(tally.rows)
        yield line


Parsed = tuple[int, str, Command | None, Line | None]


def _commands(
    rows: Iterable[Any], command_type: type[Command], layout: Sequence[tuple[Field, int]]
) -> Iterator[Parsed]:
    """Each row as a command, or as the line that says why it is none."""
    plan = [
        (f.convert, place, *_split(f.goes_to), f.column.heading, f.column.required)
        for f, place in layout
    ]
    ref_place = next(place for f, place in layout if f.column.key == "ref")
    validate = command_type.model_validate
    for item in rows:
        if isinstance(item, BadRow):
            yield item.row, "", None, _refused(item.row, "", item.code, None, item.zh, item.en)
            continue
        row, cells = item
        ref = cells[ref_place]
        told: dict[str, Any] = {}
        heading = ""
        try:
            for convert, place, outer, inner, heading, required in plan:  # noqa: B007
                cell = cells[place]
                if not required and (cell is None or cell == ""):
                    continue
                if inner is None:
                    told[outer] = convert(cell)
                else:
                    told.setdefault(outer, {})[inner] = convert(cell)
            yield row, told["ref"], validate(told), None
        except BadCell as bad:
            line = _refused(row, str(ref or ""), bad.code, heading, bad.zh, bad.en)
            yield row, "", None, line
        except ValidationError as error:
            fault = faults(error.errors(include_url=False))[0]
            heading = _heading(layout, fault["pointer"].strip("/").replace("/", "."))
            line = _refused(row, str(ref or ""), fault["code"], heading, fault["zh"], fault["en"])
            yield row, "", None, line


def _split(goes_to: str) -> tuple[str, str | None]:
    outer, _, inner = goes_to.partition(".")
    return outer, inner or None


def _heading(layout: Sequence[tuple[Field, int]], goes_to: str) -> str:
    return next((f.column.heading for f, _ in layout if f.goes_to == goes_to), goes_to)


def _each(
    ledger: Ledger,
    parsed: Iterable[Parsed],
    by: Author,
    layout: Sequence[tuple[Field, int]],
) -> Iterator[Line]:
    """Some rows at a time, each row for itself; the next are read while these are stored."""
    for rows in read_ahead(_in_blocks(parsed)):
        yield from _submit(ledger, rows, by, layout)


def _in_blocks(parsed: Iterable[Parsed]) -> Iterator[list[Parsed]]:
    following = iter(parsed)
    while rows := list(islice(following, _ROWS_AT_ONCE)):
        yield rows


def _submit(
    ledger: Ledger,
    parsed: Sequence[Parsed],
    by: Author,
    layout: Sequence[tuple[Field, int]],
) -> Iterator[Line]:
    submissions = [Submission(command, by) for _, _, command, _ in parsed if command]
    outcomes = ledger.receipts.with_events(ledger.submit_all(submissions))
    promises = _promises(ledger, outcomes)
    following = iter(enumerate(outcomes))
    for row, ref, _, line in parsed:
        if line is not None:
            yield line
            continue
        index, outcome = next(following)
        yield _answer(row, ref, outcome, layout, promises.get(index))


def _promises(ledger: Ledger, outcomes: Sequence[Outcome]) -> dict[int, str]:
    r"""The promises, by index of an outcome, each as one line of a cell: line ends written `\n`."""
    promises = ledger.receipts.promises_of(outcomes, _LONGEST_CELL)
    return {index: promise.replace("\n", "\\n") for index, promise in promises.items()}


def _all_or_nothing(
    ledger: Ledger,
    parsed: Iterable[Parsed],
    by: Author,
    layout: Sequence[tuple[Field, int]],
) -> Iterator[Line]:
    """All rows in one transaction; one row at fault leaves the ledger as it was."""
    rows = list(parsed)
    submissions = [Submission(command, by) for _, _, command, _ in rows if command]
    faulty = len(rows) - len(submissions)
    outcomes = ledger.receipts.with_events(
        ledger.submit_all(submissions, atomic=True, dry=faulty > 0)
    )
    refused = faulty + sum(isinstance(outcome, Refused) for outcome in outcomes)
    promises = _promises(ledger, outcomes)
    following = iter(enumerate(outcomes))
    for row, ref, _, line in rows:
        if line is not None:
            yield line
            continue
        index, outcome = next(following)
        if refused and isinstance(outcome, Recorded) and not outcome.again:
            outcome = BatchRefused(refused=refused)
        yield _answer(row, ref, outcome, layout, promises.get(index))


def _answer(
    row: int,
    ref: str,
    outcome: Outcome,
    layout: Sequence[tuple[Field, int]],
    promise: str | None,
) -> Line:
    if isinstance(outcome, Recorded):
        result = AGAIN if outcome.again else RECORDED
        if outcome.warnings:
            warned = outcome.warnings[0]
            place, where = outcome.position, _heading(layout, warned.field)
            return (row, ref, result, place, warned.code, where, warned.zh, warned.en, promise)
        return (row, ref, result, outcome.position, None, None, None, None, promise)
    heading = _heading(layout, outcome.field) if outcome.field else None
    return _refused(row, ref, outcome.CODE, heading, outcome.zh, outcome.en)


def _refused(row: int, ref: str, code: str, column: str | None, zh: str, en: str) -> Line:
    return (row, ref, REFUSED, None, code, column, zh, en, None)


__all__ = ["LAYOUTS", "Tally", "UnreadableFile", "own_columns", "take_in"]
