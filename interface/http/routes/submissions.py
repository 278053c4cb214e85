"""Many statements at once: lines of JSON, and files as banks have them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Form, Request, Response, UploadFile
from pydantic import ValidationError
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse

from application.command import COMMANDS, Command
from application.ledger import Ledger, Outcome, Recorded, Submission
from application.refusals import BatchRefused
from domain.kernel import Author, Refused
from interface.http import schemas as s
from interface.http.checked_route import CheckedRoute
from interface.http.errors import faults, problem
from interface.http.responses import instant
from interface.http.routes.commands import warnings_of
from interface.http.service import Service, service_of
from interface.http.strict_json import Unacceptable, read
from interface.imports.statement_files import LAYOUTS, own_columns, take_in
from interface.spreadsheet import UnreadableFile

router = APIRouter(prefix="/v1", tags=["批量 batches"], route_class=CheckedRoute)

_RESULTS = s.file(s.NDJSON) | {409: {"content": {s.NDJSON: {"schema": s.TEXT}}}}
_RESULT_FILE: s.Responses = {
    200: {
        "content": {s.CSV: {"schema": s.TEXT}, "application/octet-stream": {"schema": s.BINARY}},
        "headers": {
            name: {"schema": s.WHOLE, "description": said}
            for name, said in (
                ("X-Rows", "行数 rows"),
                ("X-Recorded", "已入账 recorded"),
                ("X-Told-Before", "已报送过 recorded before"),
                ("X-Refused", "退回 refused"),
            )
        },
    }
}

_LINES_AT_ONCE = 1_000
_MOST_ATOMIC_LINES = 100_000
_LONGEST_REF = 64
_MOST_LINES = 1_000_000
_MOST_LINE_BYTES = 1 << 20
_encode = msgspec.json.Encoder().encode

Line = dict[str, Any]


class LinesTooLarge(Exception):
    """A line is longer than a submission's line may be, or there are too many of them."""

    def __init__(self, code: str, zh: str, en: str, **details: int) -> None:
        super().__init__(code, details)
        self.code, self.zh, self.en = code, zh, en
        self.answer = problem(413, code, zh, en, details=details)


class LineMeter:
    """Lines of a submission, measured as they come in, before the first of them is read."""

    def __init__(self) -> None:
        self._line = 1
        self._length = 0
        self.fault: LinesTooLarge | None = None

    def count(self, block: bytes) -> None:
        """Go on; `fault` is set at the first line that is too long or one too many."""
        for at in range(0, len(block), _MOST_LINE_BYTES):
            self._count(block[at : at + _MOST_LINE_BYTES])

    def _count(self, block: bytes) -> None:
        first = block.find(b"\n")
        if self._length + (len(block) if first < 0 else first) > _MOST_LINE_BYTES:
            self.fault = self.fault or LinesTooLarge(
                "line_too_long",
                f"第 {self._line} 行超过 {_MOST_LINE_BYTES} 字节",
                f"line {self._line} is longer than {_MOST_LINE_BYTES} bytes",
                line=self._line,
                most_bytes=_MOST_LINE_BYTES,
            )
        self._line += block.count(b"\n")
        behind = len(block) - block.rfind(b"\n") - 1
        self._length = behind if first >= 0 else self._length + len(block)
        if self._line > _MOST_LINES + 1:
            self.fault = self.fault or LinesTooLarge(
                "too_many_lines",
                f"不得超过 {_MOST_LINES} 行",
                f"at most {_MOST_LINES} lines",
                most_lines=_MOST_LINES,
            )


def assure_measured(path: Path) -> None:
    """Raises LinesTooLarge for a file that no submission may be."""
    meter = LineMeter()
    with path.open("rb") as told:
        while block := told.read(_MOST_LINE_BYTES):
            meter.count(block)
    if meter.fault:
        raise meter.fault


_A_LINE = """{"type": "repayment", "ref": "RP-1", "effective_on": "2023-08-10", "loan_no": "L1",\
 "principal_fen": 2000000, "interest_fen": 10000, "penalty_fen": 0,\
 "payer": {"account": "6222000000000001", "name": "张三"}}
"""


@router.post(
    "/submissions",
    summary="批量报送 many statements, a JSON object a line",
    openapi_extra=s.body(s.NDJSON, _A_LINE),
)
@s.answers(_RESULTS, s.FILE_REFUSED, {413: {s.CODES: ["line_too_long", "too_many_lines"]}})
async def submit(request: Request, atomic: bool = False) -> Response:
    """NDJSON in, NDJSON out: a result a line. `atomic=true`: all lines stand or none does."""
    service = service_of(request)
    by = await service.author(request)
    folder = Path(tempfile.mkdtemp(prefix="mz-lines-"))
    try:
        meter = LineMeter()
        with (folder / "told").open("wb") as told:
            async for block in request.stream():
                meter.count(block)
                if meter.fault is None:
                    told.write(block)
        if meter.fault is not None:
            _clear(folder)
            return meter.fault.answer
        refused = await run_in_threadpool(_carried_out, service, folder, by, atomic)
    except UnreadableFile as refusal:
        _clear(folder)
        return problem(422, refusal.code, refusal.zh, refusal.en)
    except BaseException:
        _clear(folder)
        raise
    return FileResponse(
        folder / "result",
        409 if atomic and refused else 200,
        media_type="application/x-ndjson",
        background=BackgroundTask(_clear, folder),
    )


def _carried_out(service: Service, folder: Path, by: Author, atomic: bool) -> int:
    """Write a result a line; returns how many lines were refused. Raises UnreadableFile."""
    refused = 0
    with service.ledger_for_file() as ledger, (folder / "told").open("rb") as told:
        with (folder / "result").open("wb") as result:
            for line in carry_out(ledger, told, by, atomic=atomic):
                refused += "code" in line
                result.write(_encode(line) + b"\n")
    return refused


def carry_out(
    ledger: Ledger, told: Iterator[bytes], by: Author, *, atomic: bool = False
) -> Iterator[Line]:
    """Tell the ledger lines of JSON; yields a result a line, in order."""
    waiting: list[Command | Line] = []
    for number, text in enumerate(told, 1):
        if text.strip():
            waiting.append(parsed_line(number, text))
        if len(waiting) >= _LINES_AT_ONCE and not atomic:
            yield from _results(ledger, waiting, by, atomic=False)
            waiting = []
        if len(waiting) > _MOST_ATOMIC_LINES:
            raise UnreadableFile(
                "too_many_lines", "整批报送不得超过 100000 行", "at most 100 000 lines all at once"
            )
    yield from _results(ledger, waiting, by, atomic=atomic)


def parsed_line(number: int, text: bytes) -> Command | Line:
    """A command, or the line that says why it is none."""
    try:
        told = read(text)
        if b"\\u" in text:  # an escape may be half a character, which no answer could repeat
            json.dumps(told, ensure_ascii=False).encode()
    except Unacceptable as unacceptable:
        errors = faults([unacceptable.fault])
        return _fault(number, None, "malformed", "内容不合规", "the content breaks a rule", errors)
    except ValueError:
        return _fault(number, None, "malformed_json", "不是合规的 JSON", "this is not JSON", [])
    if not isinstance(told, dict):
        return _fault(number, None, "not_an_object", "须为对象", "an object is wanted", [])
    kind = told.pop("type", None)
    command_type = COMMANDS.get(kind) if isinstance(kind, str) else None
    if command_type is None or command_type.NEEDS_ANSWER:
        return _fault(
            number, told.get("ref"), "unknown_type", "不认识的 type", "there is no such type", []
        )
    try:
        return command_type.model_validate(told)
    except ValidationError as error:
        found = faults(error.errors(include_url=False))
        return _fault(
            number, told.get("ref"), "malformed", "内容不合规", "the content breaks a rule", found
        )


def _fault(
    number: int, ref: Any, code: str, zh: str, en: str, errors: list[dict[str, Any]]
) -> Line:
    return {
        "line": number,
        "ref": ref if isinstance(ref, str) and len(ref) <= _LONGEST_REF else None,
        "code": code,
        "title_zh": zh,
        "title_en": en,
        "errors": errors,
    }


def _results(
    ledger: Ledger, waiting: list[Command | Line], by: Author, *, atomic: bool
) -> Iterator[Line]:
    submissions = [Submission(item, by) for item in waiting if isinstance(item, Command)]
    faulty = len(waiting) - len(submissions)
    told = ledger.submit_all(submissions, atomic=atomic, dry=atomic and faulty > 0)
    outcomes = ledger.receipts.with_events(told)
    refused = faulty + sum(isinstance(outcome, Refused) for outcome in outcomes)
    promises = ledger.receipts.promises_of(outcomes)
    following = iter(enumerate(outcomes))
    for item in waiting:
        if isinstance(item, Command):
            index, outcome = next(following)
            line = _result(item.ref, outcome)
            if atomic and refused and isinstance(outcome, Recorded) and not outcome.again:
                line = _result(item.ref, BatchRefused(refused=refused))
            elif index in promises:
                line["promise"] = promises[index]
            yield line
        else:
            yield item


def _result(ref: str, outcome: Outcome) -> Line:
    if isinstance(outcome, Recorded):
        return {
            "ref": ref,
            "position": outcome.position,
            "recorded_at": instant(outcome.recorded_at),
            "event_ids": outcome.event_ids,
            "again": outcome.again,
        } | warnings_of(outcome)
    return {
        "ref": ref,
        "code": outcome.CODE,
        "title_zh": outcome.zh,
        "title_en": outcome.en,
        "errors": [{"pointer": f"/{outcome.field}", "code": outcome.CODE}] if outcome.field else [],
    }


@router.post("/files", summary="文件报送 a file of statements; answers with the result file (回盘)")
@s.answers(_RESULT_FILE, s.FILE_REFUSED)
async def upload(
    request: Request,
    file: UploadFile,
    kind: Annotated[Literal["repayment", "loan", "outflow", "reminder", "usage-check"], Form()],
    atomic: Annotated[bool, Form()] = False,
) -> Response:
    """CSV (UTF-8, GB18030) or XLSX. The result file has a line a row; so do the headers' sums."""
    assert kind in LAYOUTS
    service = service_of(request)
    by = await service.author(request)
    folder = Path(tempfile.mkdtemp(prefix="mz-file-"))
    try:
        told, result = folder / "told", folder / "result"
        with told.open("wb") as copy:
            while block := await file.read(1 << 20):
                copy.write(block)
        titles = own_columns(service.deployment.settings.column_folder, by.organisation, kind)

        def carry() -> Any:
            with service.ledger_for_file() as ledger:
                return take_in(ledger, told, kind, by, result, atomic=atomic, titles=titles)

        tally = await run_in_threadpool(carry)
    except UnreadableFile as refusal:
        _clear(folder)
        return problem(422, refusal.code, refusal.zh, refusal.en, details={"kind": kind})
    except BaseException:
        _clear(folder)
        raise
    with result.open("rb") as written:
        form = "xlsx" if written.read(2) == b"PK" else "csv"
    return FileResponse(
        result,
        media_type="text/csv; charset=utf-8" if form == "csv" else "application/octet-stream",
        filename=f"result.{form}",
        headers={
            "X-Rows": str(tally.rows),
            "X-Recorded": str(tally.recorded),
            "X-Told-Before": str(tally.again),
            "X-Refused": str(tally.refused),
            "Cache-Control": "no-store",
        },
        background=BackgroundTask(_clear, folder),
    )


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink(missing_ok=True)
    folder.rmdir()
