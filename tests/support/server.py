"""The service behind a real server on a port of its own, as `mingzhang serve` runs it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import uvicorn
from support.chance import wait_until

from interface.deployment import Deployment
from interface.deployment.settings import Settings
from interface.http.app import create_app
from interface.http.server import LimitedProtocol


class Ticker:
    """Looks how long the event loop of a service stands still."""

    STEP_SECONDS = 0.005

    def __init__(self) -> None:
        self._longest = 0.0
        self._last = 0.0

    async def run(self) -> None:
        """Tick until cancelled."""
        while True:
            self._last = time.perf_counter()
            await asyncio.sleep(self.STEP_SECONDS)
            self._longest = max(self._longest, time.perf_counter() - self._last)

    def start(self) -> None:
        """Forget what was."""
        self._longest = 0.0

    def longest(self) -> float:
        """The longest time between two ticks since `start`, seconds; the one still going, too."""
        return max(self._longest, time.perf_counter() - self._last)

    def around(self, app: Any) -> Any:
        """The application, with this ticker on its loop as long as it lives."""

        async def ticking(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "lifespan":
                await app(scope, receive, send)
                return
            task = asyncio.create_task(self.run())
            try:
                await app(scope, receive, send)
            finally:
                task.cancel()

        return ticking


@contextmanager
def serving(place: Any, data: Path, ticker: Ticker | None = None, **more: Any) -> Iterator[int]:
    """The port of a running service over a database; `ticker` watches its event loop."""
    deployment = Deployment(place.dsn, place.owner_dsn, place.keys, Settings(data=data))
    app = create_app(deployment, **more)
    config = uvicorn.Config(
        ticker.around(app) if ticker else app,
        host="127.0.0.1",
        port=0,
        http=LimitedProtocol,
        ws="none",
        log_level="error",
        access_log=False,
    )
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, name="server")
    thread.start()
    wait_until(lambda: server.started or not thread.is_alive(), "the server is up")
    assert thread.is_alive()
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(timeout=60)
