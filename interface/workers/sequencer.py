"""Keeps the tree in step with the log, as a thread of the service."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread

import structlog

from application.transparency_log.sequencer import LogAltered, Sequencer
from application.transparency_log.signer import SigningRefused

_PAUSE_SECONDS = 1.0
_PAUSE_AFTER_TROUBLE_SECONDS = 5.0


class SequencerThread:
    """Seals what was appended, a second later at most. What it finds altered it never signs."""

    def __init__(self, make_sequencer: Callable[[], Sequencer]) -> None:
        self._make_sequencer = make_sequencer
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="sealer", daemon=True)
        self.trouble: str | None = None
        """Why nothing is sealed at present; None while all is well."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(timeout=30)

    def _run(self) -> None:
        log = structlog.get_logger("sealer")
        sequencer = self._make_sequencer()
        while not self._stopping.is_set():
            pause = _PAUSE_SECONDS
            try:
                sequencer.catch_up()
                self.trouble = None
            except (LogAltered, SigningRefused) as finding:
                log.critical("sealer.log_altered", finding=str(finding))
                self.trouble = str(finding)
                pause = _PAUSE_AFTER_TROUBLE_SECONDS
            except Exception as error:  # noqa: BLE001 - logged and tried again
                log.warning("sealer.trouble", error=type(error).__name__)
                self.trouble = type(error).__name__
                sequencer.close()
                pause = _PAUSE_AFTER_TROUBLE_SECONDS
            self._stopping.wait(pause)
        sequencer.close()
