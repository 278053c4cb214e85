"""JSON read strictly: a field given twice, NaN or bottomless nesting is refused, not guessed at.

Whoever may not send a command is refused before its body is read; a body of some size is read on
a thread of its own, in time that grows no faster than its length, so that nobody else waits for it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool

from application.command import Command
from interface.http.checked_route import CheckedRoute
from interface.http.errors import (
    BodyMalformed,
    doubled_key,
    too_many_fields,
    too_many_values,
)
from interface.http.service import service_of

_QUICK_BYTES = 8_192
"""A body up to this size is read where it comes in: handing it over would cost more."""
_MOST_FIELDS = 100
_MOST_CONTAINERS = 60_000
"""Fields of one object; objects and lists of a whole text."""


class Unacceptable(ValueError):
    """JSON that no command is made of; `fault` is what is wrong, as pydantic would say it."""

    def __init__(self, fault: dict[str, Any]) -> None:
        super().__init__(fault["type"])
        self.fault = fault


def read(text: bytes) -> Any:
    """The value that `text` says. Raises Unacceptable, ValueError (also for nesting too deep)."""
    if text.count(b"{") + text.count(b"[") > _MOST_CONTAINERS:
        raise Unacceptable(too_many_values(_MOST_CONTAINERS))
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read_so_far = dict(pairs)
    if len(read_so_far) != len(pairs):
        [(name, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise Unacceptable(doubled_key(name))
    if len(pairs) > _MOST_FIELDS:
        raise Unacceptable(too_many_fields(_MOST_FIELDS))
    return read_so_far


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


class StrictRequest(Request):
    """A request whose body is read strictly, and at once as what the route takes."""

    def __init__(self, request: Request, model: type[BaseModel] | None) -> None:
        super().__init__(request.scope, request.receive)
        self._model = model

    async def json(self) -> Any:
        text = await self.body()
        if len(text) <= _QUICK_BYTES:
            return _body(text, self._model)
        return await run_in_threadpool(_body, text, self._model)


def _body(text: bytes, model: type[BaseModel] | None) -> Any:
    """Raises BodyMalformed; JSONDecodeError, as FastAPI expects it."""
    try:
        told = read(text)
    except Unacceptable as unacceptable:
        raise BodyMalformed([unacceptable.fault]) from None
    except ValueError as fault:
        raise json.JSONDecodeError(str(fault), "", 0) from None
    try:
        return told if model is None else model.model_validate(told)
    except ValidationError as error:
        raise BodyMalformed(error.errors(include_url=False)) from None


def takes(command: type[Command]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Mark an endpoint as the one of a command: only its roles' bodies are read."""

    def mark(endpoint: Callable[..., Any]) -> Callable[..., Any]:
        endpoint.command = command  # type: ignore[attr-defined]
        return endpoint

    return mark


class StrictRoute(CheckedRoute):
    """A route that reads its body strictly, and only from those who may send it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        command: type[Command] | None = getattr(self.endpoint, "command", None)
        taken = self.body_field.field_info.annotation if self.body_field else None
        model = taken if isinstance(taken, type) and issubclass(taken, BaseModel) else None

        async def strictly(request: Request) -> Response:
            if command is not None:
                command.assure_permitted(await service_of(request).author(request))
            return await handle(StrictRequest(request, model))

        return strictly
