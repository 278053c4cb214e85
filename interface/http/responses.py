"""How tables leave: JSON with a head, or CSV and XLSX in yuan, by what the reader accepts."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
from fastapi import Request, Response
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse

from interface.exports.file_head import FileHead, head_of_file, with_code_names
from interface.exports.table_files import write_table
from projections.facts.reading import Table, View

Form = Literal["json", "csv", "xlsx"]
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def form_of(request: Request) -> Form:
    """What the reader accepts; JSON when he does not say. Raises HTTPException 406."""
    accepted = request.headers.get("accept", "*/*")
    if "json" in accepted or "*/*" in accepted:
        return "json"
    if "csv" in accepted:
        return "csv"
    if "spreadsheet" in accepted or "xlsx" in accepted:
        return "xlsx"
    raise HTTPException(406)


def head_of(view: View) -> dict[str, Any]:
    """Which ledger this is: its two dates, and how far into the log it saw."""
    return {
        "as_of": view.as_of,
        "known_at": view.known_at,
        "position": view.position,
        "known_through": view.known_through,
        "sealed": view.sealed,
    }


def headers_of(view: View) -> dict[str, str]:
    return {
        "X-As-Of": view.as_of.isoformat(),
        "X-Known-At": instant(view.known_at),
        "X-Position": str(view.position),
        "X-Sealed": str(view.sealed),
    }


def instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def json_answer(
    content: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(
        msgspec.json.encode(content),
        status,
        media_type="application/json",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


class Described(NamedTuple):
    """What a file says of itself: the view, a title, the filter in words, notes in a CSV or not."""

    view: View
    title: str
    said: str
    notes: bool = False


def table_file(
    table: Table,
    form: Form,
    name: str,
    headers: Mapping[str, str],
    described: Described | None,
) -> Response:
    """A whole ledger as a file: yuan with two decimals, titles in Chinese and by key.

    Described, as all but a form that comes back filled in, it has the names of codes, says what it
    is and is called so; an XLSX on its first sheet, a CSV in lines before its header where they
    are wanted.
    """
    if described is None:
        return headed_file(table, form, name, headers, None)
    table, head = headed(table, described)
    return headed_file(table, form, name, headers, head, notes=described.notes)


def headed(table: Table, described: Described) -> tuple[Table, FileHead]:
    """The table with the names of its codes, and what a file of it says of itself."""
    named = with_code_names(described.view, table)
    return named, head_of_file(described.view, named, described.title, described.said)


def headed_file(
    table: Table,
    form: Form,
    name: str,
    headers: Mapping[str, str],
    head: FileHead | None,
    *,
    notes: bool = False,
) -> Response:
    """A file of a table that has its head already."""
    name = head.name(name) if head else name
    folder = tempfile.mkdtemp(prefix="mz-answer-")
    path = Path(folder) / f"{name}.{form}"
    write_table(path, table, head, notes=notes)
    return FileResponse(
        path,
        media_type="text/csv; charset=utf-8" if form == "csv" else _XLSX,
        filename=path.name,
        headers={"Cache-Control": "no-store", **headers},
        background=BackgroundTask(_remove, path),
    )


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.parent.rmdir()
