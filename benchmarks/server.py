"""The service exactly as `interface.cli serve` runs it, and beside its routes two empty ones.

Limits are asked of the same process: same middleware, same body model, same event loop.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import uvicorn
from fastapi import Path as InPath
from fastapi import Request, Response
from fastapi.routing import APIRoute

from application.commands.loan import RepayLoan
from application.personal_data.encryption import Keys
from interface.deployment import Deployment
from interface.deployment.settings import Settings
from interface.http.app import create_app
from interface.http.request_log import write_logs_to
from interface.http.routes.commands import body_of
from interface.http.server import LimitedProtocol

_ANSWER = (
    b'{"event_ids":["00000000-0000-0000-0000-000000000000.1"],"position":1,'
    b'"recorded_at":"2025-01-01T00:00:00.000000Z","again":false}'
)


async def only_validates(
    request: Request, body: body_of(RepayLoan), no: Annotated[str, InPath(max_length=64)]
) -> Response:
    return Response(_ANSWER, 201, media_type="application/json")


async def empty(request: Request) -> Response:
    return Response(b"{}", media_type="application/json")


def main() -> None:
    dsn, key_file, port, projecting, watching = sys.argv[1:6]
    write_logs_to(open(os.devnull, "wb", buffering=0))  # noqa: SIM115 as long as the process lives
    signal.signal(signal.SIGTERM, _as_keyboard_interrupt)
    sys.setswitchinterval(0.001)
    keys = Keys.load(Path(key_file))
    app = create_app(
        Deployment(dsn, dsn, keys, Settings()),
        projecting=projecting == "1",
        watching=watching == "1",
    )
    app.router.routes.insert(
        0, APIRoute("/bench/loans/{no}/repayments", only_validates, methods=["POST"])
    )
    app.router.routes.insert(0, APIRoute("/bench/empty", empty, methods=["GET"]))
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(port),
        http=LimitedProtocol,
        ws="none",
        log_level="warning",
        access_log=False,
    )


def _as_keyboard_interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
