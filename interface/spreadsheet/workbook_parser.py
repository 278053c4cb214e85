"""The process that parses a workbook: `workbook_parser.py PATH SHEET`, rows as JSON to its output.

It runs by itself and imports nothing of the project. Running out of memory or time ends it alone.
"""

import json
import sys
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import Any

import python_calamine as calamine

_MOST_MEMORY_BYTES = 768 << 20
_MOST_SECONDS = 60
_ROWS_A_LINE = 256


def main(path: str, sheet: int | str) -> None:
    _limit()
    try:
        with open(path, "rb") as stream:  # noqa: PTH123 - a plain name, opened once
            workbook = calamine.CalamineWorkbook.from_filelike(stream)
            rows = _sheet(workbook, sheet).iter_rows()
            while batch := [_row(row) for row in islice(rows, _ROWS_A_LINE)]:
                _submit(batch)
        _submit("end")
    except (calamine.WorksheetNotFound, IndexError):
        _submit("no_such_sheet")
    except calamine.PasswordError:
        _submit("encrypted_workbook")
    except MemoryError:
        _submit("beyond_limits")
    except (calamine.CalamineError, ValueError, OSError):
        _submit("broken_workbook")


def _limit() -> None:
    """Where the system can, bound memory and time; elsewhere the guard alone must do."""
    with suppress(ImportError, ValueError, OSError):
        import resource  # noqa: PLC0415 - absent on Windows

        resource.setrlimit(resource.RLIMIT_CPU, (_MOST_SECONDS, _MOST_SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY_BYTES, _MOST_MEMORY_BYTES))


def _sheet(workbook: calamine.CalamineWorkbook, sheet: int | str) -> calamine.CalamineSheet:
    if isinstance(sheet, str):
        return workbook.get_sheet_by_name(sheet)
    visible = [
        each.name
        for each in workbook.sheets_metadata
        if each.visible == calamine.SheetVisibleEnum.Visible
        and each.typ == calamine.SheetTypeEnum.WorkSheet
    ]
    return workbook.get_sheet_by_name(visible[sheet])


def _row(cells: list[Any]) -> list[Any]:
    told = [_cell(cell) for cell in cells]
    return told if any(cell is not None for cell in told) else []


def _cell(cell: Any) -> Any:
    if isinstance(cell, str):
        return cell.strip() or None
    if isinstance(cell, datetime):
        if cell.time() == time.min:
            return {"day": cell.date().isoformat()}
        return {"at": cell.isoformat()}
    if isinstance(cell, date):
        return {"day": cell.isoformat()}
    if isinstance(cell, time | timedelta):
        return str(cell)
    return cell


def _submit(something: Any) -> None:
    sys.stdout.write(json.dumps(something) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
