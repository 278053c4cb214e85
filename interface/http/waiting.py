"""What answers while something is prepared: pages say how far it is, all else says come back.

The application itself begins when all is ready, and nobody has to start anything again.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from threading import Event
from typing import Any, Final, NamedTuple

import structlog
from fastapi import FastAPI, Request, Response

from interface.console.frame import bare_page
from interface.console.static_files import static_file
from interface.http.errors import problem
from interface.http.request_log import Receive, Scope, Send
from interface.http.response_headers import ResponseHeaders

_PAGE_SECONDS, _RETRY_SECONDS = "2", "5"
_log = structlog.get_logger("mingzhang.waiting")


class Part(NamedTuple):
    """One part of what is prepared. `share`: how much of the whole it is, in percent."""

    name: str
    share: int


class Stopped(Exception):
    """The process is to end before all is prepared."""


class Preparation:
    """How far the preparation has come; several threads may look."""

    def __init__(self, parts: tuple[Part, ...]) -> None:
        self._parts, self._stopping = parts, Event()
        self.part, self.percent = parts[0].name, 0

    def heard(self, name: str, done: int, of: int) -> None:
        """A part has come so far. Raises Stopped when it is to end."""
        if self._stopping.is_set():
            raise Stopped
        names = [part.name for part in self._parts]
        place = names.index(name)
        before = sum(part.share for part in self._parts[:place])
        self.part = name
        self.percent = before + self._parts[place].share * done // max(of, 1)

    def stop(self) -> None:
        self._stopping.set()


class Waiting:
    """An ASGI application that prepares something beside its answers, then is another one."""

    def __init__(self, app: FastAPI, preparation: Preparation, prepare: Callable[[], None]) -> None:
        """`prepare` runs in a thread of its own and reports to `preparation`."""
        self._app, self._preparation, self._prepare = app, preparation, prepare
        self._ready = False
        self._waiting = ResponseHeaders(self._answer)
        self.failure: Exception | None = None
        """What went wrong with the preparation: then the process is asked to end."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif self._ready:
            await self._app(scope, receive, send)
        else:
            await self._waiting(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with AsyncExitStack() as stack:
            getting_ready = asyncio.create_task(self._get_ready(stack))
            await send({"type": "lifespan.startup.complete"})
            await receive()
            self._preparation.stop()
            await getting_ready
        await send({"type": "lifespan.shutdown.complete"})

    async def _get_ready(self, stack: AsyncExitStack) -> None:
        try:
            await asyncio.to_thread(self._prepare)
            life = self._app.router.lifespan_context(self._app)
            await stack.enter_async_context(life)
            self._ready = True
        except Stopped:
            return
        except Exception as error:  # noqa: BLE001  whatever it is, the process ends with it
            self.failure = error
            _log.exception("preparation_failed")
            signal.raise_signal(signal.SIGTERM)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._said(Request(scope))
        await answer(scope, receive, send)

    def _said(self, request: Request) -> Response:
        path = request.url.path
        if (file := static_file(path)) is not None:
            return file
        if path.startswith("/v1/") or path in _FOR_MACHINES or request.method != "GET":
            details: dict[str, Any] = {
                "part": self._preparation.part,
                "percent": self._preparation.percent,
            }
            headers = {"Retry-After": _RETRY_SECONDS}
            return problem(503, *NOT_READY, details=details, headers=headers)
        page = bare_page(
            request,
            "waiting.html",
            status=503,
            part=self._preparation.part,
            percent=self._preparation.percent,
        )
        page.headers["Refresh"] = page.headers["Retry-After"] = _PAGE_SECONDS
        return page


_FOR_MACHINES: Final = ("/healthz", "/metrics", "/favicon.ico")
NOT_READY: Final = (
    "county_loading",
    "示范县正在载入，稍后再试",
    "the demo county is being loaded: try again in a moment",
)
