"""Serve, project, watch: the processes of the service."""

from __future__ import annotations

import json
import signal
import sys
from threading import Event
from typing import Annotated

import typer

from application import access
from application.event_store.event_log import utc_now
from application.event_store.log_queries import organisation_codes
from application.ledger import Ledger
from interface.cli.terminal import (
    OUT,
    deployment_or_exit,
    port_or_exit,
    progress_bar,
    settings_or_exit,
    unaltered_or_exit,
)
from interface.deployment import Deployment, unify_stored_accounts
from interface.http.request_log import write_logs_to
from projections.facts.draw import Projector
from projections.facts.reading import Facts

app = typer.Typer()


@app.command()
def serve(
    demo: Annotated[bool, typer.Option(help="load the demo county into an empty ledger")] = False,
    projecting: Annotated[bool, typer.Option(help="draw the facts in this process")] = True,
    sealing: Annotated[bool, typer.Option(help="seal the log in this process")] = True,
    watching: Annotated[bool, typer.Option(help="keep red flags found in this process")] = True,
) -> None:
    """启动服务 Start the service, on the embedded PostgreSQL if MINGZHANG_DSN names no other."""
    import uvicorn

    from interface.http.app import create_app
    from interface.http.server import LimitedProtocol

    write_logs_to(sys.stderr.buffer)
    signal.signal(signal.SIGTERM, _as_keyboard_interrupt)
    sys.setswitchinterval(0.001)
    port_or_exit(settings_or_exit())
    with deployment_or_exit() as deployment:
        settings = deployment.settings
        unaltered_or_exit(deployment, projecting=projecting)
        unify_stored_accounts(deployment)
        if demo:
            _load_demo(deployment)
        _welcome(deployment, demo=demo)
        uvicorn.run(
            create_app(deployment, projecting=projecting, sealing=sealing, watching=watching),
            host=settings.host,
            port=settings.port,
            http=LimitedProtocol,
            ws="none",
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=20,
        )


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


def _load_demo(deployment: Deployment) -> None:
    """The demo county into an empty ledger, and a key for one person of each organisation."""
    from interface.simulation.demo import county, load

    ledger = Ledger(deployment.dsn, deployment.keys)
    empty = ledger.log.last_position() == 0
    ledger.close()
    if empty:
        made = county()
        with progress_bar("示范县 demo county", None) as progress:
            load(deployment.owner_dsn, deployment.dsn, deployment.keys, made, progress)
        with progress_bar("生成台账 drawing the facts", None) as progress:
            projector = Projector(deployment.dsn)
            projector.rebuild(progress)
            projector.close()
    key_file = deployment.settings.data / "demo-keys.json"
    if not key_file.exists():
        with Facts(deployment.dsn, most=1).connection() as connection:
            codes = organisation_codes(connection)
        owner = deployment.owner_dsn
        keys = {code: access.issue_key(owner, code, f"{code.lower()}-demo") for code in codes}
        for office in ("FINANCE", "AUDIT"):  # where one person may not take two steps
            keys[f"{office}-2"] = access.issue_key(owner, office, f"{office.lower()}-demo-2")
        key_file.touch(mode=0o600)
        key_file.write_text(json.dumps(keys, indent=1, ensure_ascii=False), "utf-8")


def _welcome(deployment: Deployment, *, demo: bool) -> None:
    settings = deployment.settings
    base = f"http://{settings.host}:{settings.port}"
    OUT.print(f"明账 mingzhang  {base}/docs   health {base}/healthz", highlight=False)
    if deployment.keys.wrapping_next is not None:
        OUT.print("[red]封装密钥更换未完成 / unfinished:[/red] keys rotate-wrapping")
    if demo:
        key_file = settings.data / "demo-keys.json"
        OUT.print(f"示范密钥 demo keys: {key_file}", highlight=False)
