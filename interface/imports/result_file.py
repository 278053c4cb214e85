"""A bank's result file (回盘): the payment order with what became of each line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from application.commands.batch import ResultItem
from domain.kernel import Refused
from interface.exports.table_files import file_columns
from interface.http.errors import faults
from interface.spreadsheet import (
    BadCell,
    BadRow,
    Cell,
    Column,
    UnreadableFile,
    as_fen,
    as_identifier,
    as_text,
    match_header,
    open_rows,
    optional,
)
from projections.batches.columns import PAYMENT_ORDER

_REQUIRED: Final = {"batch_no", "line", "loan_no", "payee_account", "amount_fen", "result"}
"""What names the money must come back; what else of the order comes back is compared too."""
_PAID: Final = {"成功": True, "paid": True, "失败": False, "failed": False}
_RETURNED: Final = {"退票": False, "returned": False}
_READERS: Final[dict[str, Callable[[Cell], Any]]] = {
    "batch_no": as_identifier,
    "line": as_identifier,
    "loan_no": as_identifier,
    "household_no": as_identifier,
    "period": as_text,
    "payee_name": optional(as_text),
    "payee_account": optional(as_identifier),
    "amount_fen": as_fen,
    "result": as_text,
    "voucher": optional(as_identifier),
    "reason": optional(as_text),
}


class ResultRows(NamedTuple):
    """The results of a file in their order, the row of each, and the title of each column."""

    results: list[ResultItem]
    rows: list[int]
    titles: dict[str, str]

    def located(self, refusal: Refused) -> UnreadableFile | None:
        """A refusal of one result as one of its row and column; None when it is of no row."""
        part, _, rest = refusal.field.partition("/")
        place, _, name = rest.partition("/")
        if part not in ("results", "corrections") or not place.isdigit():
            return None
        title = self.titles.get(name, name)
        row = self.rows[int(place)]
        return UnreadableFile(
            refusal.CODE,
            f"第 {row} 行「{title}」：{refusal.zh}",
            f"row {row}, column {title}: {refusal.en}",
        )


def results_in(path: Path, batch_no: str, *, correction: bool = False) -> ResultRows:
    """The results of a file, each row's line in its order. Raises UnreadableFile for any fault.

    A result file is taken whole or not at all: it answers one payment order. `correction`: it
    puts earlier results right, so each row has its reason, and 退票 is a result.
    """
    columns = [
        replace(column, required=column.key in _REQUIRED) for column in file_columns(PAYMENT_ORDER)
    ]
    results, rows = [], []
    with open_rows(path) as reader:
        places = match_header(reader.header, columns)
        titles = {key: reader.header[place].strip() for key, place in places.items()}
        for row in reader:
            if isinstance(row, BadRow):
                raise UnreadableFile(
                    row.code, f"第 {row.row} 行：{row.zh}", f"row {row.row}: {row.en}"
                )
            number, cells = row
            told = _told(number, cells, columns, places, titles)
            results.append(_result(number, told, titles, batch_no, correction))
            rows.append(number)
    if not results:
        raise UnreadableFile("empty_file", "文件没有明细", "the file has no lines")
    return ResultRows(results, rows, titles)


def _told(
    row: int,
    cells: Any,
    columns: list[Column],
    places: Mapping[str, int],
    titles: Mapping[str, str],
) -> dict[str, Any]:
    """The values of one row, of the columns that the file has."""
    told: dict[str, Any] = {}
    for column in columns:
        if column.key not in places:
            continue
        cell: Cell = cells[places[column.key]]
        try:
            told[column.key] = _READERS[column.key](cell)
        except BadCell as fault:
            raise _fault(row, f"「{titles[column.key]}」{fault.zh}", fault.en) from None
    return told


def _result(
    row: int, told: dict[str, Any], titles: Mapping[str, str], batch_no: str, correction: bool
) -> ResultItem:
    if told["batch_no"] != batch_no:
        raise _fault(row, f"批次号应为 {batch_no}", f"batch_no must be {batch_no}")
    known = _PAID | _RETURNED if correction else _PAID
    result = told["result"]
    if result not in known:
        zh, en = "结果须为 成功 或 失败", "result is 成功/paid or 失败/failed"
        raise _fault(row, zh + "、退票" * correction, en + " or 退票/returned" * correction)
    line = told["line"]
    if not (line.isascii() and line.isdigit() and 0 < len(line) < 6):
        raise _fault(row, "行号须为整数", "line is a whole number")
    paid, voucher, reason = known[result], told.get("voucher"), told.get("reason")
    if correction and reason is None:
        raise _fault(row, "更正须写明原因", "a correction needs its reason")
    if (voucher is None) if paid else (reason is None):
        raise _fault(
            row,
            "已付须有凭证号，未付须有原因",
            "paid needs its voucher, failed its reason",
        )
    ordered = {
        name: told[name] or ("" if name != "amount_fen" else told[name])
        for name in ("loan_no", "household_no", "period", "payee_name", "payee_account",
                     "amount_fen")
        if name in told
    }  # fmt: skip
    own = {"voucher": voucher if paid else None, "reason": None if paid else reason}
    if correction:
        own["reason"] = reason
    try:
        return ResultItem(line=int(line), paid=paid, **own, **ordered)
    except ValidationError as error:
        found = faults(error.errors())[0]
        name = titles.get(found["pointer"].strip("/"), found["pointer"])
        raise _fault(row, f"「{name}」{found['zh']}", f"{name}: {found['en']}") from None


def _fault(row: int, zh: str, en: str) -> UnreadableFile:
    return UnreadableFile("bad_result_row", f"第 {row} 行：{zh}", f"row {row}: {en}")
