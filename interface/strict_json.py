"""JSON read strictly: a field given twice, NaN or bottomless nesting is refused, not guessed at."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException


class DoubledField(ValueError):
    """One object names a field twice."""


class FieldDoubled(HTTPException):
    """The same, as an answer: FastAPI lets only its own kind of exception out of a body."""

    def __init__(self, key: str) -> None:
        super().__init__(422)
        self.key = key


def read(text: bytes) -> Any:
    """The value that `text` says. Raises DoubledField, ValueError (also for nesting too deep)."""
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read_so_far = dict(pairs)
    if len(read_so_far) != len(pairs):
        names = [name for name, _ in pairs]
        raise DoubledField(next(name for name in names if names.count(name) > 1))
    return read_so_far


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


class StrictRequest(Request):
    """A request whose body is read strictly."""

    async def json(self) -> Any:
        try:
            return read(await self.body())
        except DoubledField as doubled:
            raise FieldDoubled(str(doubled)) from None
        except ValueError as fault:
            raise json.JSONDecodeError(str(fault), "", 0) from None


class StrictRoute(APIRoute):
    """A route that reads its body strictly."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def strictly(request: Request) -> Response:
            return await handle(StrictRequest(request.scope, request.receive))

        return strictly
