"""How much, how slowly and from whom: every request passes here before any of it is read.

The head of a request is limited here and, before it is whole, in `interface.http.server`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException

from application.event_store.event_log import ConnectionTroubled
from interface.http import errors
from interface.http.request_log import Message, Receive, Scope, Send

MOST_HEAD_BYTES = 64 << 10
"""Path, query and headers of a request together."""
_MOST_BODY_BYTES = 1 << 20
_MOST_BATCH_BYTES = 256 << 20
_MOST_NOTE_BYTES = 64 << 10
_MOST_BYTES = {
    "/v1/files": _MOST_BATCH_BYTES,
    "/v1/submissions": _MOST_BATCH_BYTES,
    "/v1/log/witness": _MOST_NOTE_BYTES,
}
_FORM = b"application/x-www-form-urlencoded"
_MOST_FORM_BYTES = 64 << 10
"""Such a form is unquoted at once: a large one would hold everybody up."""
_QUIET_SECONDS = 30.0
_SLOWEST_BYTES_A_SECOND = 8_192
"""A caller may be silent for so long, and on the whole not slower than so many bytes a second."""
_DROPPED_SECONDS, _DROPPED_BYTES = 30.0, 512 << 20
_STRANGERS_SECONDS, _STRANGERS_BYTES = 5.0, 16 << 20
"""How long, and how much of a body that was refused is still taken in and dropped."""


class BodyCut(Exception):
    """The body was not read to its end: too much of it, or too slow."""


class Door:
    """Lets nobody's body in unread: who sends one is known, and it is not too large.

    A stranger is turned away before his body is taken; a body that grows too large is cut off
    while it comes in, whatever its header claims, and so is one that never comes to its end.
    """

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        head = len(scope.get("raw_path") or b"") + len(scope["query_string"])
        credentials = headers.get(b"authorization", b"").decode("latin-1")
        if head + sum(len(name) + len(value) for name, value in scope["headers"]) > MOST_HEAD_BYTES:
            await _turn_away(431, None, receive, send, known=False)
        elif scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
        elif await self._known(credentials, scope, receive, send):
            most = _MOST_BYTES.get(scope["path"], _MOST_BODY_BYTES)
            if _is_form(scope):
                most = _MOST_FORM_BYTES
            length = headers.get(b"content-length", b"0")
            if not length.isdigit() or int(length[:20]) > most:
                await _turn_away(413, None, receive, send)
            else:
                await self._measured(most, scope, receive, send)

    async def _known(self, credentials: str, scope: Scope, receive: Receive, send: Send) -> bool:
        """Whether the caller is known, where he must be; if not, he has been turned away."""
        if not scope["path"].startswith("/v1/"):
            return True
        try:
            author = await scope["app"].state.service.author_of(credentials)
        except HTTPException as refusal:
            await _turn_away(refusal.status_code, refusal.headers, receive, send, known=False)
            return False
        except ConnectionTroubled:
            await _turn_away(503, {"Retry-After": "1"}, receive, send, known=False)
            return False
        scope["organisation"] = author.organisation
        return True

    async def _measured(self, most: int, scope: Scope, receive: Receive, send: Send) -> None:
        taken, waited = 0, 0.0
        more = True
        cut: int | None = None
        answered = False
        now = asyncio.get_running_loop().time

        async def counted() -> Message:
            nonlocal taken, waited, more, cut
            if not more:
                return await receive()
            left = _QUIET_SECONDS + taken / _SLOWEST_BYTES_A_SECOND - waited
            began = now()
            try:
                async with asyncio.timeout(min(left, _QUIET_SECONDS)):
                    message = await receive()
            except TimeoutError:
                cut = 408
                raise BodyCut from None
            waited += now() - began
            taken += len(message.get("body", b""))
            more = message.get("more_body", False)
            if taken > most:
                cut = 413
                raise BodyCut
            return message

        async def sent(message: Message) -> None:
            nonlocal answered
            if cut is None:
                await send(message)
            elif not answered:
                answered = True
                await _turn_away(cut, None, receive, send, more=more)

        try:
            await self._app(scope, counted, sent)
        except BodyCut:
            if cut is not None and not answered:
                await _turn_away(cut, None, receive, send, more=more)


def _is_form(scope: Scope) -> bool:
    return any(
        name == b"content-type" and value.strip().lower().startswith(_FORM)
        for name, value in scope["headers"]
    )


async def _turn_away(
    status: int,
    headers: Mapping[str, str] | None,
    receive: Receive,
    send: Send,
    *,
    known: bool = True,
    more: bool = True,
) -> None:
    """Answer a request whose body is not read; the connection cannot be used again.

    `more`: whether some of the body may be still to come. A connection that is closed with unread
    data is reset, and the answer lost: what comes is dropped, for a while, before it is closed.
    """
    answer = errors.http_problem(status, headers={**(headers or {}), "Connection": "close"})
    await send(
        {"type": "http.response.start", "status": status, "headers": list(answer.raw_headers)}
    )
    await send({"type": "http.response.body", "body": answer.body, "more_body": True})
    if more:
        await _drop_the_rest(receive, known=known)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _drop_the_rest(receive: Receive, *, known: bool) -> None:
    seconds, most = (
        (_DROPPED_SECONDS, _DROPPED_BYTES) if known else (_STRANGERS_SECONDS, _STRANGERS_BYTES)
    )
    dropped = 0
    try:
        async with asyncio.timeout(seconds):
            while dropped <= most:
                message = await receive()
                if not message.get("more_body", False):
                    return
                dropped += len(message["body"])
    except TimeoutError:
        return
