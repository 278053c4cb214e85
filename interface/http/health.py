"""How the service fares: an answer that always comes, also when the database gives none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from fastapi import Response

from interface.http import errors

_ANSWER_WITHIN_SECONDS = 1.5
"""Who watches the service waits two seconds at most; the compose file gives up after three."""


class HealthCheck:
    """Asks the database one thing at a time, on a thread of its own, and for so long only.

    A check that hangs keeps its thread and no other: until it ends, every caller gets 503.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="health")
        self._running: dict[str, asyncio.Future[Response]] = {}

    async def answer(self, name: str, check: Callable[[], Response]) -> Response:
        """What `check` answers, or 503 when it fails or takes too long."""
        running = self._running.get(name)
        if running is None or running.done():
            running = asyncio.get_running_loop().run_in_executor(self._thread, check)
            running.add_done_callback(_heard)
            self._running[name] = running
        try:
            async with asyncio.timeout(_ANSWER_WITHIN_SECONDS):
                return await asyncio.shield(running)
        except Exception:  # noqa: BLE001 - whatever it is, the service is not well
            return errors.problem(*errors.UNREACHABLE, headers={"Retry-After": "1"})

    def stop(self) -> None:
        """Wait for nothing: a check that hangs ends with its connection."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _heard(done: asyncio.Future[Response]) -> None:
    """A failure that nobody waited for is no surprise."""
    if not done.cancelled():
        done.exception()
