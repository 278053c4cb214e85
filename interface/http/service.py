"""The running parts behind the routes, and who is asking them."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Semaphore

from fastapi import Request
from starlette.exceptions import HTTPException

from application.access import UNKNOWN, AccessList
from application.event_store.event_log import Clock, utc_now
from application.group_commit import GroupWriter
from application.ledger import Ledger
from application.people import People
from application.personal_data.encryption import Vault
from domain.kernel import Author
from interface.deployment import Deployment
from interface.http.final_answers import FinalAnswers
from interface.http.health import HealthCheck
from interface.http.kept_answers import KeptAnswers
from interface.http.permissions import scope_of
from interface.workers.job_worker import JobWorker
from interface.workers.key_watch import KeyWatch
from interface.workers.projector import ProjectorThread
from interface.workers.red_flag_watcher import WatcherThreads
from interface.workers.schema_watch import SchemaWatch
from interface.workers.sequencer import SequencerThread
from projections.facts.reading import Facts, Scope
from projections.history import Tracing

_FILES_AT_ONCE = 2
_COLLECTIONS = (20_000, 20, 50)
"""Cyclic garbage is rare here, and looking for it among cached aggregates is dear."""


class Service:
    """Everything with a connection or a thread. One to a process."""

    def __init__(
        self,
        deployment: Deployment,
        *,
        projecting: bool,
        sealing: bool,
        watching: bool,
        demo: bool = False,
        clock: Clock = utc_now,
    ) -> None:
        self.deployment = deployment
        self.demo = demo
        self.clock = clock
        self._promises = deployment.promises()
        self.writer = GroupWriter(self.ledger)
        self.facts = Facts(deployment.dsn, clock=clock)
        self.tracing = Tracing(deployment.dsn)
        self.vault = Vault(deployment.keys, deployment.settings.key_file)
        self.people = People(deployment.dsn, deployment.keys, clock)
        self.health = HealthCheck()
        self.final = FinalAnswers()
        self.kept = KeptAnswers()
        self._key_watch = KeyWatch(self.facts)
        self._schema_watch = SchemaWatch(self.facts)
        self._access = AccessList(deployment.dsn)
        self._access_thread = ThreadPoolExecutor(1, thread_name_prefix="access")
        report = self._schema_watch.state.report
        self._projector = ProjectorThread(deployment.dsn, clock, report) if projecting else None
        self._sequencer = SequencerThread(lambda: deployment.sequencer(clock)) if sealing else None
        self._watcher = WatcherThreads(deployment.dsn, clock) if watching else None
        self.jobs = JobWorker(deployment, self.facts, clock)
        self._files = Semaphore(_FILES_AT_ONCE)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        gc.freeze()
        gc.set_threshold(*_COLLECTIONS)
        self.people.open()
        self.writer.start(loop)
        self._key_watch.start()
        self._schema_watch.start()
        if self._projector:
            self._projector.start()
        if self._sequencer:
            self._sequencer.start()
        if self._watcher:
            self._watcher.start()

    def stop(self) -> None:
        self.jobs.stop()
        self.writer.stop()
        if self._watcher:
            self._watcher.stop()
        if self._projector:
            self._projector.stop()
        if self._sequencer:
            self._sequencer.stop()
        self._access_thread.shutdown()
        self._access.close()
        self._key_watch.stop()
        self._schema_watch.stop()
        self.people.close()
        self.kept.stop()
        self.health.stop()
        self.facts.close()

    @property
    def sealing(self) -> bool:
        """Whether this process seals the log."""
        return self._sequencer is not None

    @property
    def sealing_trouble(self) -> str | None:
        """Why this process seals nothing at present."""
        return self._sequencer.trouble if self._sequencer else None

    @property
    def schema_altered(self) -> list[str]:
        """What in the database is altered; while there is anything, nothing is acknowledged."""
        return self._schema_watch.state.altered

    def ledger(self) -> Ledger:
        return Ledger(
            self.deployment.dsn,
            self.deployment.keys,
            clock=self.clock,
            key_file=self.deployment.settings.key_file,
            promises=self._promises,
            schema=self._schema_watch.state,
        )

    @contextmanager
    def ledger_for_file(self) -> Iterator[Ledger]:
        """A conversation of its own for a long piece of work; only a few at a time."""
        with self._files:
            ledger = self.ledger()
            try:
                yield ledger
            finally:
                ledger.close()

    async def author(self, request: Request) -> Author:
        """Who is asking. Raises HTTPException 401."""
        author = await self.author_of(request.headers.get("authorization", ""))
        request.scope["organisation"] = author.organisation  # for the request log
        return author

    async def author_of(self, credentials: str) -> Author:
        """Who holds these credentials, `Bearer KEY`. Raises HTTPException 401."""
        scheme, _, key = credentials.partition(" ")
        if scheme.lower() == "bearer" and key:
            author = self._access.remembered(key)
            if author is UNKNOWN:
                author = await asyncio.get_running_loop().run_in_executor(
                    self._access_thread, self._access.look_up, key
                )
            if isinstance(author, Author):
                return author
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})

    async def reader(self, request: Request) -> tuple[Author, Scope]:
        """Who reads the query of this route, and which rows. Raises HTTPException 401, 403."""
        author = await self.author(request)
        return author, scope_of(author, request.scope["route"].path.removeprefix("/v1"))


ServiceOf = Callable[[Request], Service]


def service_of(request: Request) -> Service:
    service: Service = request.app.state.service
    return service
