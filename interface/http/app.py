"""The service as one ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi_offline import FastAPIOffline
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest
from starlette.concurrency import run_in_threadpool

from application.event_store.clock import TOLERANCE, WATCH, instant_of
from application.event_store.event_log import Clock, utc_now
from application.event_store.log_queries import clocks, last_position, sequenced
from application.event_store.row_format import microseconds
from application.refusals import ClockJumped
from interface.console import app as console
from interface.console.page_route import show_errors
from interface.deployment import Deployment
from interface.html import compile_templates
from interface.http import errors, openapi
from interface.http import schemas as s
from interface.http.checked_route import CheckedRoute
from interface.http.departures import Departures
from interface.http.limits import Door
from interface.http.request_log import RequestLog
from interface.http.response_headers import ResponseHeaders
from interface.http.routes import (
    batches,
    cases,
    commands,
    duties,
    entities,
    events,
    fund_flow,
    funds,
    ledgers,
    links,
    personal_data,
    programme,
    publications,
    red_flags,
    reports,
    search,
    submissions,
    subsidy_explanation,
    transparency_log,
)
from interface.http.service import Service, service_of
from projections.facts.reading import live_generation
from projections.red_flags.runs import Progress, progress

_MOST_NAMED = 100

_LOG_POSITION = Gauge("mingzhang_log_position", "Last position of the event log")
_SEALED = Gauge("mingzhang_log_sealed", "Events under a signed checkpoint")
_SCHEMA_ALTERED = Gauge(
    "mingzhang_schema_altered", "Findings for which this process acknowledges nothing"
)
_SEALING_HALTED = Gauge("mingzhang_sealing_halted", "1 while this process cannot seal the log")
_CLOCK_WRONG = Gauge("mingzhang_clock_wrong", "1 while events cannot be dated rightly")
_FACTS_POSITION = Gauge("mingzhang_facts_position", "Last position drawn into the live facts")
_RED_FLAGS_POSITION = Gauge(
    "mingzhang_red_flags_position", "Position through which every red flag is checked"
)
_RED_FLAGS_FOUND = Gauge("mingzhang_red_flags_findings", "Findings that stand")
_RED_FLAGS_IN_ERROR = Gauge("mingzhang_red_flags_in_error", "Rules that could not be checked")


_HEALTH = s.answer(s.at_least(s.record("Health", status=s.TEXT, altered=s.several(s.TEXT))))
"""While the database answers, how far all has come as well."""


def create_app(
    deployment: Deployment,
    *,
    projecting: bool = True,
    sealing: bool = True,
    watching: bool = True,
    demo: bool = False,
    clock: Clock = utc_now,
) -> FastAPI:
    """The application over a deployment.

    `projecting`, `sealing`, `watching`: whether it draws the facts, seals the log, and asks the red
    flags itself. `demo`: the data are made up, and the console says so.
    """

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        service = Service(
            deployment,
            projecting=projecting,
            sealing=sealing,
            watching=watching,
            demo=demo,
            clock=clock,
        )
        service.start(asyncio.get_running_loop())
        await service.tracing.open()
        app.state.service = service
        try:
            yield
        finally:
            await service.tracing.close()
            await run_in_threadpool(service.stop)

    app = FastAPIOffline(
        title="明账 mingzhang",
        summary="An event-sourced ledger for public loan subsidies 小额信贷贴息台账",
        version="1",
        lifespan=life,
        openapi_url="/v1/openapi.json",
        redoc_url=None,
    )
    compile_templates()
    app.router.route_class = CheckedRoute
    errors.install(app)
    show_errors(app)
    for module in (
        ledgers,
        subsidy_explanation,
        events,
        search,
        duties,
        reports,
        red_flags,
        cases,
        funds,
        fund_flow,
        entities,
        links,
        batches,
        programme,
        publications,
        commands,
        personal_data,
        submissions,
        transparency_log,
        console,
    ):
        app.router.routes.extend(module.router.routes)  # flat: nested routers are searched twice
    app.add_middleware(Departures)
    app.add_middleware(Door)
    app.add_middleware(RequestLog)
    app.add_middleware(ResponseHeaders)

    openapi.install(app)

    @app.get("/healthz", tags=["运行 operation"], summary="是否可用 whether the service can serve")
    @s.answers(_HEALTH)
    async def healthz(request: Request) -> Response:
        service = service_of(request)
        return await service.health.answer("healthz", lambda: _health(service))

    @app.get("/metrics", include_in_schema=False)
    async def metrics(request: Request) -> Response:
        service = service_of(request)
        return await service.health.answer("metrics", lambda: _metrics(service))

    return app


def _positions(service: Service) -> tuple[int, int, int]:
    """How far the log goes, how far the facts are drawn, how far the log is sealed."""
    with service.facts.connection() as connection:
        live = live_generation(connection)
        sealed = sequenced(connection, service.deployment.origin)
        return last_position(connection), live.position if live else 0, sealed


def _checked(service: Service) -> Progress:
    """How far the red flags are checked."""
    with service.facts.connection() as connection:
        return progress(connection)


def _health(service: Service) -> Response:
    altered = service.schema_altered
    try:
        log, facts, sealed = _positions(service)
        checked = _checked(service)
        clock = _clock_trouble(service)
    except Exception:
        if not altered:
            raise
        known = {"status": "schema_altered", "altered": altered[:_MOST_NAMED]}
        return Response(msgspec.json.encode(known), media_type="application/json")
    status = "sealing_halted" if service.sealing_trouble else "clock_wrong" if clock else "ok"
    if altered:
        status = "schema_altered"
    content = {
        "status": status,
        "clock": clock,
        "log_position": log,
        "facts_position": facts,
        "sealed": sealed,
        "trouble": service.sealing_trouble,
        "altered": altered[:_MOST_NAMED],
        "red_flags": {
            "position": checked.position,
            "in_error": checked.in_error,
            "not_checked": checked.not_checked,
        },
    }
    return Response(msgspec.json.encode(content), media_type="application/json")


def _clock_trouble(service: Service) -> str | None:
    """What is wrong with the clocks that events are dated by, if anything."""
    with service.facts.connection() as connection:
        database_us, last, ahead = clocks(connection)
    if WATCH.due:
        WATCH.observe(database_us)
    now_us = microseconds(service.clock())
    if WATCH.ahead(now_us):
        jumped = ClockJumped(clock=service.clock(), latest=instant_of(WATCH.latest()))
        return f"{jumped.zh} / {jumped.en}"
    if database_us - now_us > TOLERANCE // timedelta(microseconds=1):
        return (
            "服务时钟落后于数据库时钟，事件的得知时刻偏早"
            " / the service's clock is behind the database's: events are dated too early"
        )
    if ahead:
        return (
            f"第 {last} 条事件的得知时刻在将来，此后各条都排在它之后"
            f" / event {last} is dated in the future, and all that follow behind it"
        )
    return None


def _metrics(service: Service) -> Response:
    log, facts, sealed = _positions(service)
    _LOG_POSITION.set(log)
    _FACTS_POSITION.set(facts)
    _SEALED.set(sealed)
    _SCHEMA_ALTERED.set(len(service.schema_altered))
    _SEALING_HALTED.set(bool(service.sealing_trouble))
    _CLOCK_WRONG.set(bool(_clock_trouble(service)))
    checked = _checked(service)
    _RED_FLAGS_POSITION.set(checked.position)
    _RED_FLAGS_FOUND.set(checked.findings)
    _RED_FLAGS_IN_ERROR.set(len(checked.in_error))
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
