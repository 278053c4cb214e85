"""Lets this process forget what another one destroyed: keys of erased households, old secrets."""

from __future__ import annotations

from threading import Event, Thread
from uuid import UUID

import structlog

from application.event_store.log_queries import erased_after, last_erasure
from application.personal_data.encryption import forget_everywhere, refresh_everywhere
from projections.facts.reading import Facts

_PAUSE_SECONDS = 1.0


class KeyWatch:
    """Looks at the log and at the key file once a second, beside all readers and writers.

    Nobody waits for it to be safe: readers ask for a household's key before each unmasking, and
    writers decide again when a household changed. It bounds how long memory holds what is gone.
    """

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._stopping = Event()
        self._thread = Thread(target=self._watch, name="key-watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(timeout=30)

    def _watch(self) -> None:
        log = structlog.get_logger("keys")
        seen, before = -1, list[tuple[int, UUID]]()
        while not self._stopping.wait(_PAUSE_SECONDS):
            try:
                refresh_everywhere()
                with self._facts.connection() as connection:
                    if seen < 0:
                        seen = last_erasure(connection)
                        continue
                    erased = erased_after(connection, seen)
            except Exception as error:  # noqa: BLE001 - logged and tried again
                log.warning("keys.watch_trouble", error=type(error).__name__)
                continue
            # Twice: somebody may have fetched a key just before it was destroyed.
            forget_everywhere({household for _, household in (*before, *erased)})
            before = erased
            if erased:
                seen = erased[-1][0]
