"""Keeps the red flags in step with the facts, as threads of the service or of their own process."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from threading import Event, Thread
from time import monotonic

import structlog

from projections.red_flags.watching import LANES, Watcher

_PAUSE_SECONDS = 0.3
_REST = {"quick": (2, 3.0), "dear": (4, 15.0)}
"""A lane rests so many times as long as it worked, up to so many seconds: the appends go first."""
_REST_BESIDE_MANY = {"quick": (15, 12.0), "dear": (30, 60.0)}
_MANY = 500
"""Events since the step before: a file or a flood of them needs the machine more than we do."""
_PAUSE_AFTER_TROUBLE_SECONDS = 5.0


def watch(dsn: str, clock: Callable[[], datetime], lane: str, stopping: Event) -> None:
    """Ask what may have changed, until told to stop. Trouble is logged and tried again."""
    log = structlog.get_logger("watcher")
    watcher = Watcher(dsn, clock, lane=lane, stopping=stopping)
    while not stopping.is_set():
        begun, before = monotonic(), watcher.position
        try:
            watcher.step()
            many = watcher.position - before > _MANY
            times, longest = (_REST_BESIDE_MANY if many else _REST)[lane]
            stopping.wait(max(_PAUSE_SECONDS, min(times * (monotonic() - begun), longest)))
        except Exception as error:  # noqa: BLE001 - logged and tried again
            log.warning("watcher.trouble", error=type(error).__name__)
            watcher.let_go()
            stopping.wait(_PAUSE_AFTER_TROUBLE_SECONDS)
    watcher.close()


class WatcherThreads:
    """A watcher for each lane."""

    def __init__(self, dsn: str, clock: Callable[[], datetime]) -> None:
        self._stopping = Event()
        self._threads = [
            Thread(
                target=watch,
                args=(dsn, clock, lane, self._stopping),
                name=f"watcher-{lane}",
                daemon=True,
            )
            for lane in LANES
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=30)
