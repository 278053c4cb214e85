"""Pages whose whole answer takes long: the frame stands at once and asks again by itself.

The answer is kept (interface/http/kept_answers.py). One of an earlier place of the facts is shown
with that place while the present one is worked out.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Hashable
from functools import partial
from typing import Any, Final

from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from domain.kernel import Refused
from interface.console.frame import Visit, Wrong, page
from interface.console.page_route import PageRoute
from interface.http.kept_answers import Block
from interface.http.query_params import view_of
from projections.facts.reading import View

_AGAIN_SECONDS: Final = "2"
Question = Callable[[View], Any]


class NotReady(Exception):
    """The answer of a page is being worked out."""

    def __init__(self, found: Visit, heading: str) -> None:
        super().__init__(heading)
        self.found, self.heading = found, heading


class AwaitedRoute(PageRoute):
    """As PageRoute; what is not ready yet is a frame that asks again by itself."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def shown(request: Request) -> Response:
            try:
                return await handle(request)
            except NotReady as waiting:
                made = await page(waiting.found, "awaited.html", heading=waiting.heading)
                made.headers["Refresh"] = _AGAIN_SECONDS
                return made

        return shown


def answer_of(found: Visit, heading: str, key: Hashable, question: Question) -> Block:
    """The answer to a question in a view at the visit's two dates; it is not None. In a thread.

    `key`: what decides it besides the reader and the dates. Raises NotReady, which a AwaitedRoute
    shows under the heading; what `question` refuses; Wrong 503 where it failed.
    """
    whole = (key, found.author, found.as_of, found.known_at)
    open_view = partial(view_of, found.service, found.as_of, found.known_at, None)
    asked = {"page": partial(_answer_or_refusal, question)}
    block = found.service.kept.blocks(open_view, whole, asked)["page"]
    if block.failed:
        raise Wrong(503, "awaited.failed")
    if block.is_awaited:
        raise NotReady(found, heading)
    if isinstance(block.value, (Refused, HTTPException)):
        raise block.value
    return block


async def ready(found: Visit, heading: str, key: Hashable, question: Question) -> Block:
    """The same for a route."""
    return await run_in_threadpool(answer_of, found, heading, key, question)


def _answer_or_refusal(question: Question, view: View) -> Any:
    """A refusal is an answer as well: it is no failure that is tried again."""
    try:
        return question(view)
    except (Refused, HTTPException) as refusal:
        return refusal
