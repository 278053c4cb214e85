"""Serve, project, watch: the processes of the service."""

from __future__ import annotations

import signal
import sys
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from application.event_store.event_log import utc_now
from interface.cli.terminal import (
    OUT,
    cannot_go_on,
    deployment_or_exit,
    port_or_exit,
    progress_bar,
    settings_or_exit,
    unaltered_or_exit,
)
from interface.deployment import Deployment, unify_stored_accounts
from interface.deployment.settings import Settings
from interface.http.request_log import write_logs_to

if TYPE_CHECKING:
    from fastapi import FastAPI

    from interface.http.waiting import Waiting

app = typer.Typer()


@app.command()
def serve(
    demo: Annotated[bool, typer.Option(help="load the demo county into an empty ledger")] = False,
    projecting: Annotated[bool, typer.Option(help="draw the facts in this process")] = True,
    sealing: Annotated[bool, typer.Option(help="seal the log in this process")] = True,
    watching: Annotated[bool, typer.Option(help="keep red flags found in this process")] = True,
    demo_size: Annotated[float, typer.Option(help="part of the demo county, 0.01 to 1")] = 1.0,
) -> None:
    """启动服务 Start the service, on the embedded PostgreSQL if MINGZHANG_DSN names no other."""
    from interface.http.app import create_app

    write_logs_to(sys.stderr.buffer)
    signal.signal(signal.SIGTERM, _as_keyboard_interrupt)
    sys.setswitchinterval(0.001)
    port_or_exit(settings_or_exit())
    with deployment_or_exit() as deployment:
        settings = deployment.settings
        loaded = _demo_is_loaded(deployment) if demo else True
        unaltered_or_exit(deployment, projecting=projecting)
        unify_stored_accounts(deployment)
        app = create_app(
            deployment, projecting=projecting, sealing=sealing, watching=watching, demo=demo
        )
        _welcome(deployment, demo=demo, loaded=loaded)
        _run(app if loaded else _loading_first(app, deployment, demo_size), settings)


def _run(app: FastAPI | Waiting, settings: Settings) -> None:
    """Serve until the process is asked to end. What made a preparation fail is raised."""
    import uvicorn

    from interface.http.server import LimitedProtocol

    try:
        uvicorn.run(
            app,
            host=settings.host,
            port=settings.port,
            http=LimitedProtocol,
            ws="none",
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=20,
        )
    finally:
        failure = getattr(app, "failure", None)
        if failure is not None:
            raise failure


def _demo_is_loaded(deployment: Deployment) -> bool:
    """Whether the demo county is there, whole; its persons and keys are, then."""
    from interface.cli import demo_county

    try:
        loaded = demo_county.is_loaded(deployment)
    except demo_county.HalfLoaded as half:
        raise cannot_go_on(str(half)) from half
    if loaded:
        demo_county.complete(deployment)
    return loaded


def _loading_first(app: FastAPI, deployment: Deployment, size: float) -> Waiting:
    """The application behind a page that says how far the demo county is loaded."""
    from interface.cli.demo_county import PARTS, load_demo
    from interface.http.waiting import Part, Preparation, Waiting

    preparation = Preparation(tuple(Part(*part) for part in PARTS))

    def prepare() -> None:
        with progress_bar("示范县载入 loading the demo county, %", 100) as progress:

            def heard(name: str, done: int, of: int) -> None:
                preparation.heard(name, done, of)
                progress(preparation.percent)

            load_demo(deployment, size, heard)
        _things_to_try(deployment)

    return Waiting(app, preparation, prepare)


def _as_keyboard_interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@app.command()
def project() -> None:
    """投影 Draw the facts continuously, as a process of its own."""
    from interface.workers.projector import project as keep_drawing

    stopping = _until_told_to_stop()
    with deployment_or_exit() as deployment:
        unaltered_or_exit(deployment, projecting=True)
        keep_drawing(deployment.dsn, stopping)


@app.command()
def watch() -> None:
    """盯查 Keep the red flags found as the facts go on, as a process of its own."""
    from interface.workers.red_flag_watcher import WatcherThreads

    stopping = _until_told_to_stop()
    with deployment_or_exit() as deployment:
        watchers = WatcherThreads(deployment.dsn, utc_now)
        watchers.start()
        stopping.wait()
        watchers.stop()


def _until_told_to_stop() -> Event:
    """Set when the system asks this process to end; its log goes to the standard error."""
    write_logs_to(sys.stderr.buffer)
    stopping = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    return stopping


def _welcome(deployment: Deployment, *, demo: bool, loaded: bool) -> None:
    base = _base(deployment)
    OUT.print(f"明账 mingzhang  控制台 console {base}/", highlight=False)
    OUT.print(f"接口 API {base}/docs   health {base}/healthz", highlight=False)
    if deployment.keys.wrapping_next is not None:
        OUT.print("[red]封装密钥更换未完成 / unfinished:[/red] keys rotate-wrapping")
    if demo and loaded:
        _things_to_try(deployment)
    elif demo:
        OUT.print(
            "正在载入示范县，一两分钟；打开上面的地址可看进度。\n"
            "Loading the demo county, a minute or two; the address above shows how far it is.",
            highlight=False,
        )


def _things_to_try(deployment: Deployment) -> None:
    """Where the demo county is seen first; each address opens after one click on a person."""
    base = _base(deployment)
    keys = deployment.settings.data / "demo-keys.json"
    OUT.print(THINGS_TO_TRY.format(base=base, keys=keys), soft_wrap=True, highlight=False)


def _base(deployment: Deployment) -> str:
    settings = deployment.settings
    return f"http://{settings.host}:{settings.port}"


THINGS_TO_TRY = """示范县已就绪。打开地址，点一个人即登录（审计局可看全县），试三件事：
  1. 溯源一笔贴息：为何付、当时知道什么、后来又知道了什么
     {base}/subsidy-payments/TX-2023Q2-NRCB2022001953
  2. 谁该做什么、做了没有：检查、提醒、公示，连同没有做的
     {base}/duties
  3. 同一本台账，截至 2023-06-30、按当晚所知
     {base}/ledgers/loans?as_of=2023-06-30&known_at=2023-06-30T20:00:00%2B08:00
The demo county is ready. Open an address; one click on a person signs in (the audit office
sees the whole county). Three things to try: 1. trace one subsidy payment: why it was paid, what
was known then and what was recorded later; 2. who had to do what, and what was not done;
3. the same ledger as of 2023-06-30, as known that evening.
示范密钥 demo keys: {keys}"""
