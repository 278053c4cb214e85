"""Keeps the facts in step with the log, as a thread of the service or as a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread

import structlog

from application.event_store.event_log import Clock, utc_now
from application.event_store.guards import NONE_LIVE
from projections.facts.draw import Projector

_PAUSE_SECONDS = 0.2
_WORTH_GOING_ON = 1_000
"""Events: a stretch costs as much as some hundreds of them, so fewer are waited for."""
_PAUSE_AFTER_TROUBLE_SECONDS = 1.0


def project(
    dsn: str,
    stopping: Event,
    clock: Clock = utc_now,
    report: Callable[[str], object] = lambda _: None,
) -> None:
    """Draw whatever is new, until told to stop. Trouble is logged and tried again.

    When nothing is new, a civil day that has begun is made known. `report` hears what somebody
    did to the facts; they are drawn anew in any case.
    """
    log = structlog.get_logger("projector")

    def none_live() -> None:
        log.critical("projector.facts_altered", found=NONE_LIVE)
        report(NONE_LIVE)

    projector = Projector(dsn, none_live)
    while not stopping.is_set():
        try:
            drawn = projector.advance()
            if not drawn:
                projector.begin_day(clock())
            if drawn < _WORTH_GOING_ON:
                stopping.wait(_PAUSE_SECONDS)
        except Exception as error:  # noqa: BLE001 - logged and tried again
            log.warning("projector.trouble", error=type(error).__name__)
            projector.close()
            stopping.wait(_PAUSE_AFTER_TROUBLE_SECONDS)
    projector.close()


class ProjectorThread:
    """The projector inside the service, for one machine."""

    def __init__(
        self, dsn: str, clock: Clock = utc_now, report: Callable[[str], object] = lambda _: None
    ) -> None:
        self._stopping = Event()
        self._thread = Thread(
            target=project,
            args=(dsn, self._stopping, clock, report),
            name="projector",
            daemon=True,
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(timeout=30)
