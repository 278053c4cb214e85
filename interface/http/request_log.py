"""One line a request: method, route, status, duration, organisation. Never what was said.

The route is its template, so that no number of a path, no query and no body can reach the log.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter_ns
from typing import Any, BinaryIO

import msgspec
import structlog

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def write_logs_to(stream: BinaryIO) -> None:
    """Let every log line of this process be a line of JSON in `stream`."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=_json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        logger_factory=structlog.BytesLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )


def _json(line: Any, **_: Any) -> bytes:
    return msgspec.json.encode(line)


class RequestLog:
    """Notes each request when it has been answered, also when the answer failed."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._log = structlog.get_logger()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = perf_counter_ns()
        status = 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            route, method = scope.get("route"), scope["method"]
            self._log.info(
                "request",
                method=method if method in _METHODS else "other",
                route=getattr(route, "path", None),
                status=status,
                milliseconds=(perf_counter_ns() - began) // 10_000 / 100,
                organisation=scope.get("organisation"),
            )
