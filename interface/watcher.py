"""Keeps the red flags in step with the facts, as a thread of the service or as a process."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from threading import Event, Thread

import structlog

from projections.red_flags.watching import Watcher

_PAUSE_SECONDS = 0.5
_PAUSE_AFTER_TROUBLE_SECONDS = 5.0


def watch(dsn: str, clock: Callable[[], datetime], stopping: Event) -> None:
    """Ask what may have changed, until told to stop. Trouble is logged and tried again."""
    log = structlog.get_logger("watcher")
    watcher = Watcher(dsn, clock, stopping=stopping)
    while not stopping.is_set():
        try:
            watcher.step()
            stopping.wait(_PAUSE_SECONDS)
        except Exception as error:  # noqa: BLE001 - logged and tried again
            log.warning("watcher.trouble", error=type(error).__name__)
            watcher.let_go()
            stopping.wait(_PAUSE_AFTER_TROUBLE_SECONDS)
    watcher.close()


class WatcherThread:
    """The watcher inside the service, for one machine."""

    def __init__(self, dsn: str, clock: Callable[[], datetime]) -> None:
        self._stopping = Event()
        self._thread = Thread(
            target=watch, args=(dsn, clock, self._stopping), name="watcher", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(timeout=30)
