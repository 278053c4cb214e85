"""The embedded database stands still, dies, or is gone: the service answers, heals, or says so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from faults.support import ROOT
from starlette.testclient import TestClient
from support.chance import PATIENCE_SECONDS, wait_until

from interface.deployment import deployed
from interface.deployment.embedded_db import EmbeddedPostgres
from interface.deployment.settings import Settings
from interface.http.app import create_app


@contextmanager
def standing_still(postgres: EmbeddedPostgres) -> Iterator[None]:
    """Every process of the server is stopped, as on a machine whose disk hangs."""
    pids = postgres._server_pids()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_the_service_answers_while_its_database_stands_still_and_heals_when_it_dies(
    tmp_path: Path,
) -> None:
    with deployed(Settings(data=tmp_path)) as deployment:
        postgres = EmbeddedPostgres(tmp_path / "postgres")
        with TestClient(create_app(deployment), raise_server_exceptions=False) as client:

            def well() -> bool:
                return client.get("/healthz").status_code == 200

            wait_until(well, "the service is well")
            with standing_still(postgres):
                for path in ("/healthz", "/metrics", "/healthz"):
                    answer = client.get(path)  # that it comes at all is what is tested
                    assert (answer.status_code, answer.json()["code"]) == (
                        503,
                        "database_unreachable",
                    )
            wait_until(well, "the service is well again after a pause")

            before = postgres.pid
            assert before is not None
            os.kill(before, signal.SIGKILL)
            wait_until(lambda: postgres.pid not in (None, before), "another server runs")
            wait_until(well, "the service is well again after the server's death")


@pytest.mark.parametrize("words", [["serve"], ["project"]])
def test_a_database_that_does_not_start_again_ends_the_program_with_a_sentence(
    tmp_path: Path, words: list[str]
) -> None:
    postgres = EmbeddedPostgres(tmp_path / "postgres")
    postgres.start()
    process = subprocess.Popen(
        [sys.executable, "-m", "interface.cli", *words],
        cwd=ROOT,
        env={**os.environ, "MINGZHANG_DATA": str(tmp_path), "MINGZHANG_PORT": "0"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(lambda: shares(postgres) > 1 and (tmp_path / "keys.json").exists(), "it serves")
        (tmp_path / "postgres" / "pg" / "PG_VERSION").unlink()
        postgres.kill()
        _, said = process.communicate(timeout=PATIENCE_SECONDS)
    finally:
        process.kill()
        process.wait()
        postgres.stop()
    assert process.returncode == 2, said
    assert "The database died and does not start again" in said or "was lost" in said
    assert "不能启动 / cannot start" in said
    assert "Traceback" not in said


def shares(postgres: EmbeddedPostgres) -> int:
    """How many processes use the server: each holds its share of one lock."""
    inode = (postgres.folder / "users").stat().st_ino
    locks = Path("/proc/locks").read_text("utf-8").splitlines()
    return sum(f":{inode} " in line for line in locks)
