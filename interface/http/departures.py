"""A caller that goes away stops its query: nobody reads the answer, others wait for the room."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import structlog

from interface.http.request_log import Message, Receive, Scope, Send
from projections.facts.cancellation import CURRENT, Cancellation


class Departures:
    """Watches who asks (GET) while the answer is made; a command is never broken off."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        cancellation, gone = Cancellation(), asyncio.Event()
        given = answered = False

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass  # a body, which no query has
            gone.set()
            if not answered:
                await asyncio.to_thread(cancellation.cancel)

        async def received() -> Message:
            nonlocal given
            if not given:
                given = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await gone.wait()
            return {"type": "http.disconnect"}

        async def sent(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        watching = asyncio.create_task(watch())
        current = CURRENT.set(cancellation)
        try:
            await self._app(scope, received, sent)
        except Exception:
            if not gone.is_set():
                raise
            structlog.get_logger("http").info("http.caller_gone", path=scope["path"])
        finally:
            CURRENT.reset(current)
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
