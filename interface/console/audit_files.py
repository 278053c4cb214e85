"""What an auditor takes home: the log, the facts, the trust policy, and what verifies them."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from importlib import resources
from io import BytesIO
from pathlib import Path
from typing import Final

from fastapi import Response
from starlette.background import BackgroundTask
from starlette.responses import FileResponse

from application.transparency_log.proofs import reading, trust_policy
from application.transparency_log.rows import export_log
from interface.console.frame import HEADERS
from interface.http.service import Service
from projections.facts.comparison import export_facts


def _sent(folder: str, name: str, media_type: str) -> Response:
    """A file, which is gone when it was sent."""
    return FileResponse(
        Path(folder) / name,
        media_type=media_type,
        filename=name,
        headers=HEADERS,
        background=BackgroundTask(shutil.rmtree, folder, ignore_errors=True),
    )


def whole_log(service: Service) -> Response:
    """Every row as PostgreSQL writes it."""
    folder = tempfile.mkdtemp(prefix="mz-log-")
    with reading(service.deployment.dsn, service.deployment.origin) as proofs:
        with (Path(folder) / "log.bin").open("wb") as file:
            export_log(proofs.connection, file)
    return _sent(folder, "log.bin", "application/octet-stream")


def facts(service: Service) -> Response:
    """Each table of the facts, a line of JSON a row."""
    folder = tempfile.mkdtemp(prefix="mz-facts-")
    tables = Path(folder) / "tables"
    tables.mkdir()
    with reading(service.deployment.dsn, service.deployment.origin) as proofs:
        with zipfile.ZipFile(Path(folder) / "facts.zip", "w", zipfile.ZIP_DEFLATED) as packed:
            for table, _ in export_facts(proofs.connection, tables):
                packed.write(tables / f"{table}.ndjson", f"{table}.ndjson")
    return _sent(folder, "facts.zip", "application/zip")


def policy(service: Service) -> Response:
    """The log's key and its witnesses; how many must have signed is for the reader to say."""
    with reading(service.deployment.dsn, service.deployment.origin) as proofs:
        key = service.deployment.signer().key(proofs.origin)
        text = trust_policy(key, proofs.witnesses(), 0)
    return Response(text, media_type="text/plain; charset=utf-8", headers=_named("policy.txt"))


def checkpoint(service: Service) -> Response:
    """The newest checkpoint with all its signatures."""
    with reading(service.deployment.dsn, service.deployment.origin) as proofs:
        newest = proofs.newest()
    text = newest.text() if newest else ""
    return Response(text, media_type="text/plain; charset=utf-8", headers=_named("checkpoint.txt"))


def verifier(service: Service) -> Response:
    """The programs that verify all of it, which need nothing of this service."""
    del service
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for each in resources.files("interface.auditor").iterdir():
            if each.name.endswith((".py", ".toml")) and each.name != "__init__.py":
                file.writestr(each.name, each.read_bytes())
    return Response(packed.getvalue(), media_type="application/zip", headers=_named("verify.zip"))


def _named(name: str) -> dict[str, str]:
    return HEADERS | {"Content-Disposition": f'attachment; filename="{name}"'}


FILES: Final[Mapping[str, Callable[[Service], Response]]] = {
    "log.bin": whole_log,
    "facts.zip": facts,
    "policy.txt": policy,
    "checkpoint.txt": checkpoint,
    "verify.zip": verifier,
}
