"""Works on one job at a time, in a thread of the service: rebuild, verify, compare the facts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any, Final

import msgspec
import structlog

from application.event_store.event_log import Clock
from application.jobs import Jobs, Stopped, connected
from application.transparency_log.nodes import Connection
from application.transparency_log.proofs import reading
from application.transparency_log.witnessing import first_covering
from domain.kernel import Author
from interface.deployment import Deployment
from interface.deployment.examination import Examination, Finding, Told
from projections.changes import changes
from projections.changes.columns import Which
from projections.columns import LOAN_ID
from projections.facts.reading import Facts, Table
from projections.loan_ledger import loan_ledger
from projections.subsidy_ledger import subsidy_ledger

_EVERY_SECONDS: Final = 0.5
_LEAVE_SECONDS: Final = 20.0
LEDGERS: Final[Mapping[Which, Callable[..., Table]]] = {
    "loans": loan_ledger,
    "subsidies": subsidy_ledger,
}


class Rebuild(msgspec.Struct, frozen=True):
    """A ledger at two dates, and the instant whose knowledge it is compared with, if any."""

    ledger: Which
    as_of: date
    known_at: datetime
    vs_known_at: datetime | None = None


class JobWorker:
    """Begins jobs and keeps them going while the service lives."""

    def __init__(self, deployment: Deployment, facts: Facts, clock: Clock) -> None:
        self._deployment = deployment
        self._facts = facts
        self._clock = clock
        self._leaving = Event()
        self._one = Lock()
        self._thread: Thread | None = None

    @contextmanager
    def jobs(self) -> Iterator[Jobs]:
        """The jobs that were ever asked for, to read, to stop."""
        with connected(self._deployment.dsn) as connection:
            yield Jobs(connection, self._clock)

    def begin(self, kind: str, asked: dict[str, Any], author: Author) -> int:
        """Begin a job; returns its number. Raises JobRuns."""
        connection = connected(self._deployment.dsn)
        try:
            number = Jobs(connection, self._clock).begin(kind, asked, author)
        except BaseException:
            connection.close()
            raise
        with self._one:
            self._thread = Thread(
                target=self._work, args=(connection, number, kind, asked), name="job", daemon=True
            )
            self._thread.start()
        return number

    def stop(self) -> None:
        """End with the service: what is worked on is left as abandoned."""
        self._leaving.set()
        with self._one:
            if self._thread is not None:
                self._thread.join(_LEAVE_SECONDS)

    def _work(self, connection: Connection, number: int, kind: str, asked: dict[str, Any]) -> None:
        log, jobs = structlog.get_logger("jobs"), Jobs(connection, self._clock)
        try:
            with connection:
                state, found = self._worked(jobs, number, kind, asked)
                jobs.end(number, state, found)
        except Exception as error:  # noqa: BLE001 - the row is seen as abandoned
            log.warning("jobs.trouble", job=number, error=type(error).__name__)

    def _worked(
        self, jobs: Jobs, number: int, kind: str, asked: dict[str, Any]
    ) -> tuple[str, dict[str, Any] | None]:
        told = self._told(jobs, number)
        try:
            if kind == "rebuild":
                return "done", self._rebuilt(msgspec.convert(asked, Rebuild), told)
            return "done", self._examined(kind, told)
        except Stopped:
            return ("abandoned" if self._leaving.is_set() else "stopped"), None
        except Exception as error:  # noqa: BLE001 - said on the job's page
            structlog.get_logger("jobs").warning("jobs.failed", job=number, error=repr(error))
            return "failed", {"error": type(error).__name__}

    def _told(self, jobs: Jobs, number: int) -> Told:
        last = 0.0

        def told(done: int, total: int) -> None:
            nonlocal last
            if self._leaving.is_set():
                raise Stopped
            if monotonic() - last > _EVERY_SECONDS:
                last = monotonic()
                jobs.progress(number, done, total)

        return told

    def _rebuilt(self, asked: Rebuild, told: Told) -> dict[str, Any]:
        told(0, 3)
        with self._facts.at(asked.as_of, asked.known_at) as view:
            table = LEDGERS[asked.ledger](view)
            told(1, 3)
            found = _summary(table) | {"position": view.position, "known_at": view.known_at}
        if asked.vs_known_at is None:
            return found
        first, last = sorted((asked.known_at, asked.vs_known_at))
        with self._facts.at(asked.as_of, last) as view:
            told(2, 3)
            different = changes(view, asked.ledger, first)
        total: dict[str, int] = {}
        for change in different:
            for column, fen in change.difference.items():
                total[column] = total.get(column, 0) + fen
        explained = all(change.explained for change in different)
        return found | {
            "different": len(different), "difference": total, "explained": explained
        }  # fmt: skip

    def _examined(self, kind: str, told: Told) -> dict[str, Any]:
        @contextmanager
        def part(_: str) -> Iterator[Told]:
            yield told

        examination, counted = Examination(self._deployment, part), {}
        if kind == "verify":
            result = examination.settings_log_and_keys()
            counted = {} if result is None else result._asdict() | {"faults": None}
        else:
            examination.facts()
        return counted | {"findings": self._since_when(examination.found)}

    def _since_when(self, found: list[Finding]) -> list[dict[str, Any]]:
        """Each finding, with the first checkpoint that covers its event: it came about after it."""
        said = []
        origin = self._deployment.origin
        with reading(self._deployment.dsn, origin) as proofs:
            for position, text in found:
                first = first_covering(proofs.connection, origin, position) if position else None
                size, signed_at = first or (None, None)
                said.append(
                    {"position": position, "text": text, "size": size, "signed_at": signed_at}
                )
        return said


def _summary(table: Table) -> dict[str, Any]:
    """How many lines, the sum of each column of amounts, and a digest over all lines."""
    places = [place for place, column in enumerate(table.columns) if column != LOAN_ID]
    rows = [[row[place] for place in places] for row in table.rows]
    sums = {
        column.key: sum(row[place] or 0 for row in table.rows)
        for place, column in enumerate(table.columns)
        if column.kind == "fen"
    }
    digest = hashlib.sha256(msgspec.json.encode(rows)).hexdigest()
    return {"lines": len(rows), "sums": sums, "digest": digest}
