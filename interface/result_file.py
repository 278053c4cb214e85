"""A bank's result file (回盘): the payment order with what became of each line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from application.commands import ResultItem
from interface.api.answers import table_columns
from interface.spreadsheet import (
    BadCell,
    BadRow,
    UnreadableFile,
    as_identifier,
    as_text,
    match_header,
    open_rows,
)
from projections.facts.reading import Table

ORDER: Final = (
    "batch_no", "line", "loan_no", "household_no", "period", "payee_name", "payee_account",
    "amount_fen", "result", "voucher", "reason",
)  # fmt: skip
"""The columns of a payment order; the last three are for the bank to fill in."""
_REQUIRED: Final = {"batch_no", "line", "result"}
_PAID: Final = {"成功": True, "paid": True, "失败": False, "failed": False}


def results_in(path: Path, batch_no: str) -> list[ResultItem]:
    """The results of a file, each row's line in its order. Raises UnreadableFile for any fault.

    A result file is taken whole or not at all: it answers one payment order.
    """
    columns = [
        replace(column, required=column.key in _REQUIRED)
        for column in table_columns(Table(ORDER, []))
    ]
    results = []
    with open_rows(path) as reader:
        places = match_header(reader.header, columns)
        for row in reader:
            if isinstance(row, BadRow):
                raise UnreadableFile(
                    row.code, f"第 {row.row} 行：{row.zh}", f"row {row.row}: {row.en}"
                )
            number, cells = row
            told = {
                column.key: cells[place] if (place := places.get(column.key)) is not None else None
                for column in columns
            }
            results.append(_result(number, told, batch_no))
    if not results:
        raise UnreadableFile("empty_file", "文件没有明细", "the file has no lines")
    return results


def _result(number: int, told: dict[str, Any], batch_no: str) -> ResultItem:
    try:
        named = as_identifier(told["batch_no"])
        line = as_identifier(told["line"])
        result = as_text(told["result"])
        voucher = as_identifier(told["voucher"]) if told["voucher"] else None
        reason = as_text(told["reason"]) if told["reason"] else None
    except BadCell as fault:
        raise _fault(number, fault.zh, fault.en) from None
    if named != batch_no:
        raise _fault(number, f"批次号应为 {batch_no}", f"batch_no must be {batch_no}")
    if result not in _PAID:
        raise _fault(number, "结果须为 成功 或 失败", "result is 成功/paid or 失败/failed")
    if not (line.isascii() and line.isdigit() and 0 < len(line) < 6):
        raise _fault(number, "行号须为整数", "line is a whole number")
    paid = _PAID[result]
    missing = voucher is None if paid else reason is None
    if missing:
        raise _fault(
            number,
            "已付须有凭证号，未付须有原因",
            "paid needs its voucher, failed its reason",
        )
    if paid:
        return ResultItem(line=int(line), paid=True, voucher=voucher)
    return ResultItem(line=int(line), paid=False, reason=reason)


def _fault(row: int, zh: str, en: str) -> UnreadableFile:
    return UnreadableFile("bad_result_row", f"第 {row} 行：{zh}", f"row {row}: {en}")
