"""A workbook's rows, parsed by another process that may use only so much memory and time.

Numbers cross over as the shortest text that names them and become Decimal, never fractions of two.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from interface.spreadsheet.refusals import Cell, UnreadableFile

_PARSER: Final = Path(__file__).with_name("workbook_parser.py")
_REFUSALS: Final = {
    "no_such_sheet": ("没有这张工作表", "there is no such sheet"),
    "encrypted_workbook": (
        "表格有密码：请去掉密码再上传",
        "the workbook is encrypted: remove the password",
    ),
    "broken_workbook": ("表格文件已损坏", "the workbook is broken"),
    "beyond_limits": (
        "解析表格超出内存或时间限制",
        "parsing the workbook takes more memory or time than allowed",
    ),
}


class Workbook:
    """One sheet of a workbook that the guard has admitted."""

    def __init__(self, path: Path, sheet: int | str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(_PARSER), str(path), json.dumps(sheet)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def rows(self) -> Iterator[tuple[int, list[Cell]]]:
        """Number every row, blank ones too; a blank one has no cells. Raises UnreadableFile."""
        assert self._process.stdout is not None
        number = 0
        for line in self._process.stdout:
            told = json.loads(
                line, parse_float=Decimal, parse_constant=str, object_hook=_day_or_moment
            )
            if isinstance(told, str):
                if told != "end":
                    raise _refusal(told)
                return
            for cells in told:
                number += 1
                yield number, cells
        killed = self._process.wait() < 0
        raise _refusal("beyond_limits" if killed else "broken_workbook")

    def close(self) -> None:
        self._process.kill()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process.wait()


def _day_or_moment(told: dict[str, Any]) -> date:
    return date.fromisoformat(told["day"]) if "day" in told else datetime.fromisoformat(told["at"])


def _refusal(code: str) -> UnreadableFile:
    return UnreadableFile(code, *_REFUSALS[code])
