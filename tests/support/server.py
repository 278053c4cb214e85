"""The service behind a real server on a port of its own, as `mingzhang serve` runs it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import uvicorn

from interface.app import create_app
from interface.deployment import Deployment
from interface.http_server import LimitedProtocol
from interface.settings import Settings


@contextmanager
def serving(place: Any, data: Path) -> Iterator[int]:
    """The port of a running service over a database."""
    deployment = Deployment(place.dsn, place.owner_dsn, place.keys, Settings(data=data))
    config = uvicorn.Config(
        create_app(deployment),
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
    until = time.monotonic() + 30
    while not server.started:
        assert thread.is_alive()
        assert time.monotonic() < until
        time.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(timeout=60)
