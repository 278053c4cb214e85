"""A route that answers a person: what goes wrong is a page, with the way back."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse

from domain.kernel import Refused
from interface.console.frame import (
    HEADERS,
    Elsewhere,
    NotSignedIn,
    Wrong,
    address_of,
    answer,
    language_of,
    session_of,
)
from interface.console.static_files import STATIC
from interface.console.words import Words
from interface.html import render
from interface.http.checked_route import CheckedRoute
from interface.http.errors import HTTP_PROBLEMS, faults, status_of
from projections.facts.reading import NotDrawnYet

_ADDRESS_AT_FAULT: Final = ("unknown_parameter", "repeated_parameter")
_NO_PAGES: Final = ("/v1/", "/healthz", "/metrics")
_OF_ANSWER: Final = ("retry-after", "allow")
"""Headers of a problem that its page keeps."""
_Handler = Callable[[Request, Exception], Coroutine[Any, Any, Response]]


class PageRoute(CheckedRoute):
    """As CheckedRoute; a parameter that is left empty is dropped: one state has one address."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def shown(request: Request) -> Response:
            if request.method == "GET" and (exact := _exact(request)):
                return elsewhere(exact)
            try:
                return await handle(request)
            except Elsewhere as other:
                return elsewhere(other.address)
            except NotSignedIn:
                back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
                return elsewhere(address_of("/sign-in", {"next": back}))
            except (Wrong, Refused, RequestValidationError, HTTPException, NotDrawnYet) as error:
                return await _error_page(request, error)

        return shown


def _exact(request: Request) -> str | None:
    """Another address of the same state: without empty parameters, ticked columns in one."""
    given = request.query_params.multi_items()
    columns = [value for name, value in given if name == "cols"]
    if all(value for _, value in given) and len(columns) < 2:
        return None
    joined = {"cols": ",".join(filter(None, columns))} if columns else {}
    return address_of(request.url.path, dict(given) | joined)


def elsewhere(address: str) -> Response:
    return RedirectResponse(address, 303, HEADERS)


def show_errors(app: FastAPI) -> None:
    """What goes wrong where no page answers is a page too, for who reads pages.

    /v1 and readers that accept no HTML keep the JSON that the application's handlers make.
    """
    for kind, handle in list(app.exception_handlers.items()):
        if isinstance(kind, int) or not issubclass(kind, WebSocketRequestValidationError):
            app.add_exception_handler(kind, _page_or(handle))


def _page_or(handle: Any) -> _Handler:
    async def answered(request: Request, error: Exception) -> Response:
        made: Response = await handle(request, error)
        if not _reads_pages(request):
            return made
        status = made.status_code
        shown = await _error_page(request, HTTPException(status), looks_up=status < 500)
        shown.headers.update({k: made.headers[k] for k in _OF_ANSWER if k in made.headers})
        return shown

    return answered


def _reads_pages(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith(
        _NO_PAGES
    )


async def _error_page(request: Request, error: Exception, *, looks_up: bool = True) -> Response:
    """`looks_up`: whether the session can be looked up, for the way back's name."""
    words = Words(language_of(request))
    status, sentence, code = _said(words, error)
    signed_in = not looks_up or await session_of(request) is not None
    html = render(
        "console/error.html",
        w=words,
        static=STATIC,
        frame=None,
        status=status,
        sentence=sentence,
        code=code,
        signed_in=signed_in,
        way=error.way if isinstance(error, Wrong) else "",
    )
    made = answer(html, request, status)
    if status == 503:
        made.headers["Retry-After"] = "2"
    return made


def _said(words: Words, error: Exception) -> tuple[int, str, str]:
    """The status of an error, a sentence that says what is wrong, and its permanent code."""
    if isinstance(error, Wrong):
        return error.status, words(error.key, **error.values), error.key.replace(".", "_")
    if isinstance(error, Refused):
        status = 400 if error.CODE in _ADDRESS_AT_FAULT else status_of(error)
        return status, error.zh if words.language == "zh" else error.en, error.CODE
    if isinstance(error, RequestValidationError):
        [first, *_] = faults(error.errors(), beyond=1)
        return 400, f"{first['pointer'][1:]}：{first[words.language]}", first["code"]
    if isinstance(error, NotDrawnYet):
        return 503, words("error.not_drawn_yet"), "not_drawn_yet"
    status = error.status_code if isinstance(error, HTTPException) else 500
    return status, _of_status(words, status), ""


def _of_status(words: Words, status: int) -> str:
    key = f"error.status_{status}"
    if words.has(key):
        return words(key)
    _, zh, en = HTTP_PROBLEMS.get(status, HTTP_PROBLEMS[500])
    return f"{zh}。" if words.language == "zh" else f"{en[:1].upper()}{en[1:]}."
