"""docker compose without an engine: docker-compose.yml carried out by processes of this machine.

The database is initialised, configured and opened to logins as the file says; the services are the
same commands with the same environment; `exec`, `run`, `cp`, `up`, `stop` and `down` do to these
processes and folders what they do to containers and volumes. A script ./docker calls this module,
so that the lines of docs/operations.md run as they stand.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from interface.deployment.embedded_db import SERVER_ID, _open_way, pg_bin

ROOT = Path(__file__).parents[2]


def main(words: list[str]) -> int:
    if words[:1] != ["compose"]:
        raise SystemExit(f"docker: only compose is known here: {words}")
    compose = Compose(Path.cwd())
    verb, rest = words[1], words[2:]
    return int(getattr(compose, verb)(rest) or 0)


class Compose:
    """The services of one folder's compose file, their volumes below it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state_file = folder / "compose-state.json"
        self.state: dict[str, Any] = (
            json.loads(self.state_file.read_text()) if self.state_file.exists() else {"pids": {}}
        )
        lines = (folder / ".env").read_text("utf-8").splitlines()
        self.variables = dict(line.split("=", 1) for line in lines if re.match(r"\w+=", line))
        self.file = yaml.safe_load((folder / "docker-compose.yml").read_text("utf-8"))
        self.services = self.file["services"]

    def _filled(self, text: str) -> str:
        """`${NAME:?}` and `${NAME:-default}` by .env; `$$` is a dollar."""

        def value(match: re.Match[str]) -> str:
            if match[0] == "$$":
                return "$"
            found = self.variables.get(match[1]) or (match[2] or "").removeprefix(":-")
            assert found and not found.startswith(":?"), f"{match[1]} is not set"
            return found

        return re.sub(r"\$\$|\$\{(\w+)(:[-?][^}]*)?\}", value, text)

    def _environment(self, service: str) -> dict[str, str]:
        """What a container of this service has in its environment, as it is on this machine."""
        there = {n: self._filled(str(v)) for n, v in self.services[service]["environment"].items()}
        if service == "db":
            return {
                **there,
                "PATH": f"{pg_bin()}:/usr/bin:/bin",
                "PGHOST": str(self.folder / "run"),
                "PGPORT": str(self.state["port"]),
            }
        here = {
            n: v.replace("@db:5432", f"@127.0.0.1:{self.state['port']}") for n, v in there.items()
        }
        image = dict(re.findall(r"(MINGZHANG_\w+)=(\S+)", (ROOT / "Dockerfile").read_text("utf-8")))
        image["MINGZHANG_DATA"] = str(self.folder / "volumes/data")
        image["MINGZHANG_KEYS"] = str(self.folder / "volumes/keys/keys.json")
        image["MINGZHANG_HOST"] = "127.0.0.1"
        image["MINGZHANG_PORT"] = self.variables["MINGZHANG_PORT"]
        return {**os.environ, "PYTHONPATH": str(ROOT), **image, **here}

    # ---- what the command line knows --------------------------------------------------

    def up(self, words: list[str]) -> None:
        """Start what does not run: the database, `migrate` to its end, the services."""
        named = [word for word in words if not word.startswith("-")]
        for service in named or list(self.services):
            if service == "db":
                self._start_database()
            elif self.services[service].get("restart") == "no":
                assert self.run(["--rm", service]) == 0
            elif service not in self.state["pids"]:
                self._start(service)
        if not named:
            self._wait_until_healthy()

    def create(self, words: list[str]) -> None:
        """Containers that do not run yet: here their volumes."""
        for name in ("data", "keys"):
            (self.folder / "volumes" / name).mkdir(parents=True, exist_ok=True)

    def run(self, words: list[str]) -> int:
        """One command in a container of its own."""
        service, *command = [word for word in words if word != "--rm"]
        self.create([])
        arguments = command or self.services[service]["command"]
        return subprocess.call(
            [sys.executable, "-m", "interface.cli", *arguments],
            cwd=self.folder,
            env=self._environment(service),
        )

    def exec(self, words: list[str]) -> int:
        """A command in the database's container."""
        assert words[:2] == ["-T", "db"], words
        return subprocess.call(words[2:], env=self._environment("db"))

    def cp(self, words: list[str]) -> None:
        """Copy a volume out, or back."""
        source, target = (
            word.replace("web:/", f"{self.folder}/volumes/")
            for word in words
            if word != "--archive"
        )
        shutil.copytree(source.removesuffix("/."), target, dirs_exist_ok=True)

    def stop(self, words: list[str]) -> None:
        for service in [w for w in words if not w.startswith("-")] or list(self.state["pids"]):
            pid = self.state["pids"].pop(service, None)
            if pid is not None and Path(f"/proc/{pid}").exists():
                os.kill(pid, signal.SIGINT if service == "db" else signal.SIGTERM)
                while Path(f"/proc/{pid}").exists() and not _is_dead(pid):
                    time.sleep(0.05)
        self._save()

    def down(self, words: list[str]) -> None:
        self.stop([s for s in self.state["pids"] if s != "db"])
        self.stop([])
        if "--volumes" in words:
            for name in ("volumes", "db", "run"):
                shutil.rmtree(self.folder / name, ignore_errors=True)

    # ---- the processes ----------------------------------------------------------------

    def _start(self, service: str) -> None:
        words = self.services[service]["command"]
        with (self.folder / f"{service}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "interface.cli", *words],
                cwd=self.folder,
                env=self._environment(service),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._remember(service, process.pid)

    def _wait_until_healthy(self) -> None:
        test = self.services["web"]["healthcheck"]["test"][1:]
        words = [word.replace("8000", self.variables["MINGZHANG_PORT"]) for word in test]
        words[0] = sys.executable
        until = time.monotonic() + 300
        while subprocess.call(words, stderr=subprocess.DEVNULL):
            assert time.monotonic() < until, (self.folder / "web.log").read_text()[-2000:]
            time.sleep(0.2)

    def _start_database(self) -> None:
        if "db" in self.state["pids"]:
            return
        db, first = self.services["db"], not (self.folder / "db").exists()
        if first:
            self._initialise()
        words = [str(pg_bin() / "postgres"), "-D", str(self.folder / "db")]
        words += ["-p", str(self.state["port"]), "-k", str(self.folder / "run"), *db["command"]]
        with (self.folder / "db.log").open("ab") as log:
            process = subprocess.Popen(
                words, cwd="/", stdout=log, stderr=log, start_new_session=True,
                user=self._user(), group=SERVER_ID, extra_groups=[],
            )  # fmt: skip
        self._remember("db", process.pid)
        log = self.folder / "db.log"
        ready = [self._filled(word) for word in db["healthcheck"]["test"][1:]]
        until = time.monotonic() + 300
        while subprocess.call(ready, env=self._environment("db"), stdout=subprocess.DEVNULL):
            assert process.poll() is None and time.monotonic() < until, log.read_text()[-2000:]
            time.sleep(0.1)
        if first:
            environment = self._environment("db")
            environment["PGPASSWORD"] = environment["POSTGRES_PASSWORD"]
            subprocess.run(
                ["createdb", "--username=mingzhang", "--maintenance-db=postgres",
                 environment["POSTGRES_DB"]], check=True, env=environment,
            )  # fmt: skip
            script = self._filled(self.file["configs"]["service-login"]["content"])
            subprocess.run(["sh", "-c", script], check=True, env=environment)

    def _initialise(self) -> None:
        """As the image's entry point does: initdb with the file's words, `host all all all`."""
        environment = self._environment_of_initdb()
        for name in ("db", "run"):
            (self.folder / name).mkdir(mode=0o700)
            os.chown(self.folder / name, self._user(), SERVER_ID)
        _open_way(self.folder / "db" / "x")
        _open_way(pg_bin() / "postgres")
        password = self.folder / "run" / "password"
        password.write_text(environment["POSTGRES_PASSWORD"])
        os.chown(password, self._user(), SERVER_ID)
        subprocess.run(
            [str(pg_bin() / "initdb"), f"--pgdata={self.folder / 'db'}", f"--pwfile={password}",
             f"--username={environment['POSTGRES_USER']}",
             *shlex.split(environment["POSTGRES_INITDB_ARGS"])],
            check=True, cwd="/", stdout=subprocess.DEVNULL, env={"PATH": "/usr/bin:/bin"},
            user=self._user(), group=SERVER_ID, extra_groups=[],
        )  # fmt: skip
        password.unlink()
        with (self.folder / "db" / "pg_hba.conf").open("a") as hba:
            hba.write("host all all all scram-sha-256\n")

    def _environment_of_initdb(self) -> dict[str, str]:
        there = self.services["db"]["environment"]
        return {name: self._filled(str(value)) for name, value in there.items()}

    def _user(self) -> int:
        return 65_534 if os.geteuid() == 0 else os.geteuid()

    def _remember(self, service: str, pid: int) -> None:
        self.state["pids"][service] = pid
        self._save()

    def _save(self) -> None:
        self.state_file.write_text(json.dumps(self.state))


def _is_dead(pid: int) -> bool:
    """Ended, and only not yet taken note of by whoever started it."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
