"""What a caller waits for ends when it goes away: its query is cancelled in the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import Any

import psycopg

CURRENT: ContextVar[Cancellation | None] = ContextVar("cancellation", default=None)
"""Of the request that is answered here, in its thread too."""


class Cancelled(Exception):
    """The caller has gone: nobody reads the answer."""


class Cancellation:
    """The connections on which one request is answered at present."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._held: list[psycopg.Connection[Any]] = []
        self._gone = False

    def cancel(self) -> None:
        """Cancel what runs on them; what would begin afterwards does not. From any thread."""
        with self._lock:  # none goes back to its pool meanwhile, to be another request's
            self._gone = True
            for connection in self._held:
                connection.cancel_safe(timeout=5)

    @contextmanager
    def holding(self, connection: psycopg.Connection[Any]) -> Iterator[None]:
        """While a connection works for this request. Raises Cancelled."""
        with self._lock:
            if self._gone:
                raise Cancelled
            self._held.append(connection)
        try:
            yield
        finally:
            with self._lock:
                self._held.remove(connection)


@contextmanager
def cancelled_with_caller(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """What runs on the connection ends when the caller of the present request goes away."""
    current = CURRENT.get()
    if current is None:
        yield
        return
    with current.holding(connection):
        yield
