"""The service as one ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi_offline import FastAPIOffline
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest
from starlette.concurrency import run_in_threadpool

from application.store import Clock, utc_now
from interface import errors
from interface.api import batches, reads, writes
from interface.deployment import Deployment
from interface.service import Service, service_of

_MOST_BODY_BYTES = 1 << 20
_MOST_BATCH_BYTES = 256 << 20
_BATCH_PATHS = ("/v1/files", "/v1/submissions")

_LOG_POSITION = Gauge("mingzhang_log_position", "Last position of the event log")
_FACTS_POSITION = Gauge("mingzhang_facts_position", "Last position drawn into the live facts")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class TooLarge(Exception):
    """More was sent than the route takes."""


class BodyLimit:
    """Refuses a body that is too large while it comes in, whatever its header claims."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        most = _MOST_BATCH_BYTES if scope["path"] in _BATCH_PATHS else _MOST_BODY_BYTES
        for name, value in scope["headers"]:
            if name == b"content-length" and (not value.isdigit() or int(value) > most):
                await errors.http_problem(413)(scope, receive, send)
                return
        taken = 0
        started = False

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > most:
                raise TooLarge
            return message

        async def sent(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, counted, sent)
        except TooLarge:
            if not started:
                await errors.http_problem(413, headers={"Connection": "close"})(
                    scope, receive, send
                )


def create_app(
    deployment: Deployment, *, projecting: bool = True, clock: Clock = utc_now
) -> FastAPI:
    """The application over a deployment. `projecting`: whether it draws the facts itself."""

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        service = Service(deployment, projecting=projecting, clock=clock)
        service.start(asyncio.get_running_loop())
        app.state.service = service
        try:
            yield
        finally:
            await run_in_threadpool(service.stop)

    app = FastAPIOffline(
        title="明账 mingzhang",
        summary="An event-sourced ledger for public loan subsidies 小额信贷贴息台账",
        version="1",
        lifespan=life,
        openapi_url="/v1/openapi.json",
        redoc_url=None,
    )
    errors.install(app)
    app.include_router(writes.router, prefix="/v1")
    app.include_router(batches.router, prefix="/v1")
    app.include_router(reads.router, prefix="/v1")
    app.add_middleware(BodyLimit)

    @app.get("/healthz", tags=["运行 operation"], summary="是否可用 whether the service can serve")
    async def healthz(request: Request) -> Response:
        return await run_in_threadpool(_health, service_of(request))

    @app.get("/metrics", include_in_schema=False)
    async def metrics(request: Request) -> Response:
        return await run_in_threadpool(_metrics, service_of(request))

    return app


def _positions(service: Service) -> tuple[int, int]:
    with service.facts.connection() as connection:
        row = connection.execute(
            "SELECT coalesce((SELECT max(position) FROM ledger.event), 0),"
            " coalesce((SELECT position FROM projection.generation WHERE live), 0)"
        ).fetchone()
    return row or (0, 0)


def _health(service: Service) -> Response:
    log, facts = _positions(service)
    return Response(
        f'{{"status":"ok","log_position":{log},"facts_position":{facts}}}',
        media_type="application/json",
    )


def _metrics(service: Service) -> Response:
    log, facts = _positions(service)
    _LOG_POSITION.set(log)
    _FACTS_POSITION.set(facts)
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
