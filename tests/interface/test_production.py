"""docs/operations.md, line by line, against what the compose file describes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from faults.support import free_port
from support import controls as c
from support.compose import ROOT, Compose


@pytest.fixture
def folder() -> Iterator[Path]:
    """A checkout in which `docker compose` finds what it needs, on ports of its own.

    Its path is short: the database's socket lies in it.
    """
    with tempfile.TemporaryDirectory(prefix="mz-") as name:
        yield from checkout(Path(name))


def checkout(place: Path) -> Iterator[Path]:
    for name in ("docker-compose.yml", ".env.example"):
        (place / name).write_text((ROOT / name).read_text("utf-8"), "utf-8")
    (place / "compose-state.json").write_text(f'{{"pids": {{}}, "port": {free_port()}}}')
    program = place / "bin" / "docker"
    program.parent.mkdir()
    paths = f"PYTHONPATH={ROOT}:{ROOT / 'tests'}"
    program.write_text(f'#!/bin/sh\n{paths} exec {sys.executable} -m support.compose "$@"\n')
    program.chmod(0o755)
    yield place
    if (place / ".env").exists():
        Compose(place).down(["--volumes"])


PASSWORD = "a long enough password"


def lines() -> list[str]:
    """The commands of the guide, without their comments, in their order."""
    guide = (ROOT / "docs" / "operations.md").read_text("utf-8")
    found = re.findall(r"^ {4}(\S.*?)(?:\s+#.*)?$", guide, re.MULTILINE)
    assert len(found) > 12
    return found


def shell(folder: Path, line: str) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", line],
        cwd=folder,
        env={**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"},
        check=False,
        capture_output=True,
        text=True,
        input=2 * f"{PASSWORD}\n" if "people enrol" in line else None,
    )
    assert done.returncode == 0, (line, done.stdout[-800:], done.stderr[-2000:])
    return done.stdout


def test_every_line_of_the_operations_guide_does_what_it_says(folder: Path) -> None:
    port = free_port()
    base, told = f"http://127.0.0.1:{port}/v1", {**c.body(c.report()), "ref": "BR-1"}
    key = ""
    restored = False
    for line in lines():
        if line.startswith("docker compose up --detach --wait db"):  # another, empty machine
            shell(folder, "docker compose down --volumes")
            restored = True
        output = shell(folder, line)
        if line.startswith("cp .env.example"):
            with (folder / ".env").open("a") as file:
                file.write("MINGZHANG_OWNER_PASSWORD=Ow1\nMINGZHANG_SERVICE_PASSWORD=Se2\n")
                file.write(f"MINGZHANG_PORT={port}\n")
        if "keys issue" in line:
            [key] = re.findall(r"\S{40,}", output)
            headers = {"Authorization": f"Bearer {key}"}
            answer = httpx2.post(f"{base}/bank-reports", json=told, headers=headers)
            assert answer.status_code == 201, answer.text
        if "people enrol" in line:
            assert "otpauth://totp/" in output, output
        if line.endswith(("rebuild", "verify")):
            assert "同" in output or "100" in output, output
    assert restored
    again = httpx2.post(
        f"{base}/bank-reports", json=told, headers={"Authorization": f"Bearer {key}"}
    )
    assert again.status_code == 401, "the key was revoked before the backup"
    output = shell(folder, "docker compose run --rm migrate keys issue NRCB 李四")
    [key] = re.findall(r"\S{40,}", output)
    again = httpx2.post(
        f"{base}/bank-reports", json=told, headers={"Authorization": f"Bearer {key}"}
    )
    assert again.status_code == 200, "what was recorded before the backup is known after it"
