"""The service and the load as child processes, ended by their own handle."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Any

from benchmarks.ground import Database, Ground


@contextmanager
def service(
    ground: Ground, database: Database, *, projecting: bool = True, watching: bool = True
) -> Iterator[int]:
    """The service on a port of its own."""
    key_file = ground.folder / f"{database.name}.json"
    if not key_file.exists():
        database.keys.save(key_file)
    port = _free_port()
    child = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.server", database.dsn, str(key_file), str(port),
         "1" if projecting else "0", "1" if watching else "0"],
    )  # fmt: skip
    try:
        _wait(port, child)
        yield port
    finally:
        child.terminate()
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


class Load:
    """The load process."""

    def __init__(self) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.load"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __enter__(self) -> Load:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._child.stdin
        self._child.stdin.close()
        self._child.wait(30)

    def round(self, **plan: Any) -> dict[str, Any]:
        assert self._child.stdin and self._child.stdout
        self._child.stdin.write(json.dumps(plan) + "\n")
        self._child.stdin.flush()
        answer: dict[str, Any] = json.loads(self._child.stdout.readline())
        if answer["wrong"]:
            raise AssertionError(f"{answer['wrong']} wrong answers: {answer['example']}")
        return answer


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _wait(port: int, child: subprocess.Popen[bytes]) -> None:
    deadline = monotonic() + 60
    while monotonic() < deadline:
        if child.poll() is not None:
            raise RuntimeError("the service ended at once")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            sleep(0.1)
    raise RuntimeError("the service did not start")
