"""The routes of commands: the path names the aggregate, the body gives the other fields.

An answer means that the events are on disk: it waits for the group commit.
"""

from collections.abc import Awaitable, Callable
from inspect import cleandoc
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import APIRouter, Path, Request, Response
from pydantic import ConfigDict, create_model
from starlette.concurrency import run_in_threadpool

import application.commands  # noqa: F401 - defines every command
from application.command import COMMANDS, Command
from application.fields import EVENT_ID, NUMBER, Model
from application.group_commit import submit_alone
from application.ledger import Recorded, Submission
from domain.kernel import Author
from interface.http.permissions import route_of
from interface.http.responses import instant
from interface.http.service import Service, service_of
from interface.http.strict_json import StrictRoute, takes

router = APIRouter(prefix="/v1", tags=["写入 writes"], route_class=StrictRoute)

C = TypeVar("C", bound=Command)
Answer = Callable[[Request, C], Awaitable[Response]]

_MOST_WARNINGS = 100
_encode = msgspec.json.Encoder().encode


def recorded_answer(recorded: Recorded) -> Response:
    """201 for what is new, 200 with the first answer for what is recorded already."""
    return Response(
        _encode(recorded_content(recorded)),
        200 if recorded.again else 201,
        media_type="application/json",
    )


def recorded_content(recorded: Recorded) -> dict[str, Any]:
    return {
        "event_ids": recorded.event_ids,
        "position": recorded.position,
        "recorded_at": instant(recorded.recorded_at),
        "again": recorded.again,
        **({} if recorded.promise is None else {"promise": recorded.promise}),
    } | warnings_of(recorded)


def warnings_of(recorded: Recorded) -> dict[str, Any]:
    """`warnings`, where something that was recorded looks wrong: code, zh, en, field."""
    if not recorded.warnings:
        return {}
    return {"warnings": [warned._asdict() for warned in recorded.warnings[:_MOST_WARNINGS]]}


class Body(Model):
    """Built at once, as FastAPI expects it."""

    model_config = ConfigDict(defer_build=False)


def body_of(kind: type[Command]) -> type[Body]:
    """What the body of a command's route holds: its fields but those that the path gives."""
    named = kind.path_fields()
    fields: dict[str, Any] = {
        name: (field.annotation, field)
        for name, field in kind.model_fields.items()
        if name not in named
    }
    return create_model(
        kind.__name__, __base__=Body, __module__=kind.__module__, __doc__=kind.__doc__, **fields
    )


def command_route(router: APIRouter, kind: type[C]) -> Callable[[Answer[C]], Answer[C]]:
    """Let a function answer the route of a command, which is made from the command's class."""

    def add(answer: Answer[C]) -> Answer[C]:
        kind.model_rebuild()  # now, so that no request waits for it
        endpoint = takes(kind)(_endpoint(kind, answer))
        vars(endpoint).update(vars(answer))  # what is said beside the function, of the route
        router.add_api_route(
            route_of(kind),
            endpoint,
            methods=["POST"],
            summary=kind.SUMMARY,
            description=cleandoc(kind.__doc__ or ""),
            status_code=201,
            name=answer.__name__ if kind.NEEDS_ANSWER else kind.TYPE,
        )
        return answer

    return add


def _endpoint(kind: type[Command], answer: Answer[Any]) -> Callable[..., Awaitable[Response]]:
    body_type: Any = body_of(kind)

    async def whole(request: Request, body: body_type) -> Response:
        return await answer(request, kind.model_construct(**vars(body)))

    if not kind.path_fields():
        return whole
    [named] = kind.path_fields()
    pattern = EVENT_ID if named == "event_id" else NUMBER

    async def of_one(
        request: Request, body: body_type, no: Annotated[str, Path(pattern=pattern)]
    ) -> Response:
        values: dict[str, Any] = {**vars(body), named: no}
        return await answer(request, kind.model_construct(**values))

    return of_one


async def submitted(request: Request, command: Command) -> Response:
    """The answer of the ledger to a command."""
    service = service_of(request)
    by = await service.author(request)
    if command.READS_MANY:
        return recorded_answer(await run_in_threadpool(_submitted_alone, service, command, by))
    return recorded_answer(await service.writer.submit(Submission(command, by)))


def _submitted_alone(service: Service, command: Command, by: Author) -> Recorded:
    with service.ledger_for_file() as ledger:
        return submit_alone(ledger, command, by)


PLAIN = sorted(
    (kind for kind in COMMANDS.values() if kind.PATH and not kind.NEEDS_ANSWER),
    key=lambda kind: kind.TYPE != "repayment",  # most requests are repayments: tried first
)
"""The commands whose routes submit them and do nothing else."""

for _kind in PLAIN:
    command_route(router, _kind)(submitted)
