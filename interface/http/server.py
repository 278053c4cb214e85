"""The HTTP server's side of the limits: a head that never ends is cut off while it comes in.

uvicorn reads a head of any size for any time before the application hears of it.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from interface.http.errors import http_problem
from interface.http.limits import MOST_HEAD_BYTES
from interface.http.response_headers import completed

_HEAD_SECONDS = 10.0
"""From the first byte of a connection or a request to the end of its head."""
_FRAMING = 8
"""Bytes on the wire that a byte of a body may take: the shortest chunk takes six."""
_DROPPED_SECONDS, _DROPPED_BYTES = 2.0, 16 << 20


class LimitedProtocol(HttpToolsProtocol):
    """One connection: what is not body is counted, and a head has its time."""

    _timer: asyncio.TimerHandle | None = None
    _wire = _body = 0
    _refused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._wire += len(data)
        if self._refused:
            if self._wire > _DROPPED_BYTES:
                self.transport.close()
            return
        super().data_received(data)
        if self.transport.is_closing() or self._refused:
            return
        if self._wire - _FRAMING * self._body > MOST_HEAD_BYTES:
            self._refuse(431)
        elif self._timer is None and self._idle():
            self._arm()

    def on_headers_complete(self) -> None:
        self._disarm()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._body += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._wire = self._body = 0

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 as the library calls it
        self._refuse(400)

    def _idle(self) -> bool:
        """Whether nothing of this connection is being answered."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def _arm(self) -> None:
        self._timer = self.loop.call_later(_HEAD_SECONDS, self._too_slow)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if not self._wire:
            self.transport.close()
        else:
            self._refuse(408)

    def _refuse(self, status: int) -> None:
        """Answer, drop what still comes so that the answer can be read, and close."""
        self._refused = True
        self._wire = 0
        self._disarm()
        self._unset_keepalive_if_required()
        if not self._idle():  # an answer to a request before this one is under way
            self.cycle.keep_alive = False
            return
        answer = http_problem(status, headers={"Connection": "close"})
        lines = [STATUS_LINE[status]]
        lines += [b"%s: %s\r\n" % each for each in completed("", list(answer.raw_headers))]
        self.transport.write(b"".join([*lines, b"\r\n", bytes(answer.body)]))
        self.loop.call_later(_DROPPED_SECONDS, self.transport.close)
