"""A route that refuses query parameters it does not know: a wrong name is a wrong answer.

`asof` instead of `as_of` would be today's ledger, silently.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from difflib import get_close_matches
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from application.refusals import ParameterRepeated, ParameterUnknown
from domain.kernel import Refused
from interface.http.service import service_of

_MOST_SHOWN = 100
"""Characters of a parameter's name that an answer repeats."""


class CheckedRoute(APIRoute):
    """Takes the query parameters that its endpoint and its dependencies declare, each once."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        known = frozenset(_declared(self.dependant))

        async def checked(request: Request) -> Response:
            try:
                check_parameters([name for name, _ in request.query_params.multi_items()], known)
            except Refused:
                if self.path.startswith("/v1/"):  # a stranger is told 401 and no more
                    await service_of(request).author(request)
                raise
            return await handle(request)

        return checked


def _declared(dependant: Dependant) -> Iterator[str]:
    yield from (parameter.alias for parameter in dependant.query_params)
    for inner in dependant.dependencies:
        yield from _declared(inner)


def check_parameters(given: list[str], known: frozenset[str]) -> None:
    """Raises ParameterUnknown, which names the nearest known one; ParameterRepeated."""
    for place, name in enumerate(given):
        shown = name[:_MOST_SHOWN].encode(errors="replace").decode()
        if name not in known:
            plain = shown.lower().replace("-", "_")
            nearest = get_close_matches(plain, sorted(known), n=1, cutoff=0)
            raise ParameterUnknown(shown, parameter=shown, nearest=next(iter(nearest), None))
        if name in given[:place]:
            raise ParameterRepeated(shown, parameter=shown)
