"""Many statements at once: lines of JSON, and files as banks have them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Form, Request, Response, UploadFile
from pydantic import ValidationError
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse

from application.commands import COMMANDS, Command
from application.ledger import Ledger, Outcome, Recorded, Telling
from application.refusals import BatchRefused
from domain.kernel import Author, Refused
from interface.api.answers import instant
from interface.errors import doubled_key, faults, problem
from interface.files import LAYOUTS, own_columns, take_in
from interface.service import Service, service_of
from interface.spreadsheet import UnreadableFile
from interface.strict_json import DoubledField, read

router = APIRouter(prefix="/v1", tags=["批量 batches"])

_LINES_AT_ONCE = 1_000
_MOST_ATOMIC_LINES = 100_000
_encode = msgspec.json.Encoder().encode

Line = dict[str, Any]


@router.post("/submissions", summary="批量报送 many statements, a JSON object a line")
async def submit(request: Request, atomic: bool = False) -> Response:
    """NDJSON in, NDJSON out: a result a line. `atomic=true`: all lines stand or none does."""
    service = service_of(request)
    by = await service.author(request)
    with tempfile.TemporaryFile() as told:
        async for block in request.stream():
            told.write(block)
        told.seek(0)
        lines = await run_in_threadpool(_carried_out, service, told, by, atomic)
    content = b"".join(_encode(line) + b"\n" for line in lines)
    status = 409 if atomic and any("code" in line for line in lines) else 200
    return Response(content, status, media_type="application/x-ndjson")


def _carried_out(service: Service, told: Any, by: Author, atomic: bool) -> list[Line]:
    with service.ledger_for_file() as ledger:
        return list(carry_out(ledger, told, by, atomic=atomic))


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
    except DoubledField as doubled:
        errors = faults([doubled_key(str(doubled))])
        return _fault(number, None, "malformed", "内容不合规", "the content breaks a rule", errors)
    except ValueError:
        return _fault(number, None, "malformed_json", "不是合规的 JSON", "this is not JSON", [])
    if not isinstance(told, dict):
        return _fault(number, None, "not_an_object", "须为对象", "an object is wanted", [])
    kind = told.pop("type", None)
    command_type = COMMANDS.get(kind) if isinstance(kind, str) else None
    if command_type is None:
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
        "ref": ref,
        "code": code,
        "title_zh": zh,
        "title_en": en,
        "errors": errors,
    }


def _results(
    ledger: Ledger, waiting: list[Command | Line], by: Author, *, atomic: bool
) -> Iterator[Line]:
    tellings = [Telling(item, by) for item in waiting if isinstance(item, Command)]
    faulty = len(waiting) - len(tellings)
    outcomes = ledger.tell_all(tellings, atomic=atomic, dry=atomic and faulty > 0)
    refused = faulty + sum(isinstance(outcome, Refused) for outcome in outcomes)
    following = iter(outcomes)
    last, promise = _promise(ledger, outcomes)
    for item in waiting:
        if isinstance(item, Command):
            outcome = next(following)
            line = _result(item.ref, outcome)
            if atomic and refused and isinstance(outcome, Recorded) and not outcome.again:
                line = _result(item.ref, BatchRefused(refused=refused))
            elif promise and outcome is last:
                line["promise"] = promise
            yield line
        else:
            yield item


def _promise(ledger: Ledger, outcomes: Sequence[Outcome]) -> tuple[Outcome | None, str | None]:
    """One promise over all events that one transaction stored, and the last of its outcomes."""
    new = [each for each in outcomes if isinstance(each, Recorded) and not each.again]
    if not new:
        return None, None
    first, last = new[0], new[-1]
    count = last.position + len(last.events) - first.position
    return last, ledger.promise_of(first.position, count, last.recorded_at)


def _result(ref: str, outcome: Outcome) -> Line:
    if isinstance(outcome, Recorded):
        return {
            "ref": ref,
            "position": outcome.position,
            "recorded_at": instant(outcome.recorded_at),
            "event_ids": outcome.event_ids,
            "again": outcome.again,
        }
    return {
        "ref": ref,
        "code": outcome.CODE,
        "title_zh": outcome.zh,
        "title_en": outcome.en,
        "errors": [{"pointer": f"/{outcome.field}", "code": outcome.CODE}] if outcome.field else [],
    }


@router.post("/files", summary="文件报送 a file of statements; answers with the result file (回盘)")
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
