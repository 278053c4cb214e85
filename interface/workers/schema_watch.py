"""Compares the database with what the migrations make, each minute, in a thread of the service."""

from __future__ import annotations

from threading import Event, Thread

import structlog

from application.event_store.event_log import ConnectionTroubled
from application.event_store.guards import SchemaState, missing_guards
from projections.facts.reading import Facts

PAUSE_SECONDS = 60.0
PAUSE_WHILE_ALTERED_SECONDS = 5.0


class SchemaWatch:
    """While it finds anything altered, the service acknowledges nothing; restored, it goes on."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._stopping = False
        self._due = Event()
        self.state = SchemaState(self._due.set)
        self._thread = Thread(target=self._watch, name="schema-watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        self._due.set()
        self._thread.join(timeout=30)

    def compare(self, *, keep: bool = False) -> None:
        """Compare now; with `keep`, what was reported stands until the next time.

        Raises OperationalError or InterfaceError when the database is away.
        """
        reported = self.state.altered
        with self._facts.connection() as connection:
            found = missing_guards(connection)
        if found and found != reported:
            structlog.get_logger("schema").critical("schema.altered", found=found)
        if self.state.altered is reported:  # nothing was reported meanwhile
            self.state.altered = [*reported, *found] if keep else found

    def _watch(self) -> None:
        reported = False
        while not self._stopping:
            try:
                self.compare(keep=reported)
            except Exception as error:  # noqa: BLE001 - logged and tried again
                name = type(error).__name__
                structlog.get_logger("schema").warning("schema.watch_trouble", error=name)
                if not isinstance(error, ConnectionTroubled):
                    self.state.altered = [f"库结构无法核对 / the schema cannot be compared: {name}"]
            altered = bool(self.state.altered)
            reported = self._due.wait(PAUSE_WHILE_ALTERED_SECONDS if altered else PAUSE_SECONDS)
            self._due.clear()
