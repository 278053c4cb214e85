"""The embedded database keeps its data and its doors, whatever happens around it."""

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from interface.deployment.embedded_db import EmbeddedPostgres, EmbeddedPostgresError, pg_bin

ROOT = Path(__file__).parents[2]
SHORT, LONG = "db", "d" * 120


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mingzhang-test-") as name:
        yield Path(name)


@pytest.fixture
def db(folder: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(folder / SHORT)
    yield server
    server.stop()


def answer(dsn: str, question: str) -> object:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(question).fetchone()
        return row[0] if row else None


def socket_of(dsn: str) -> str:
    return f"{conninfo_to_dict(dsn)['host']}/.s.PGSQL.5432"


def test_it_starts_answers_stops_and_keeps_what_was_written(db: EmbeddedPostgres) -> None:
    with psycopg.connect(db.start()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT '明账' AS name")
    db.stop()
    assert db.pid is None
    assert answer(db.start(), "SELECT name FROM kept") == "明账"


def test_the_settings_that_keep_data_safe_are_on_and_cannot_be_weakened(
    db: EmbeddedPostgres,
) -> None:
    dsn = db.start()
    wanted = {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "data_checksums": "on",
        "listen_addresses": "",
        "max_wal_size": "512MB",
        "TimeZone": "UTC",
        "server_encoding": "UTF8",
    }
    assert {name: answer(dsn, f"SHOW {name}") for name in wanted} == wanted
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    db.stop()
    assert answer(db.start(), "SHOW fsync") == "on"


def test_nobody_enters_without_the_password(db: EmbeddedPostgres) -> None:
    dsn = db.start()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(make_conninfo(dsn, password="guess"))
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(dsn.replace("password=", "application_name="))
    assert stat.S_IMODE((db.folder / "password").stat().st_mode) == 0o600


@pytest.mark.parametrize("name", [SHORT, LONG], ids=["short path", "long path"])
def test_only_the_servers_own_user_can_reach_the_socket(folder: Path, name: str) -> None:
    folder.chmod(0o755)  # even where others may pass
    with EmbeddedPostgres(folder / name) as server:
        place = Path(conninfo_to_dict(server.dsn)["host"])
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
        assert len(os.fsencode(place)) < 100
    assert name == SHORT or not place.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
@pytest.mark.parametrize("name", [SHORT, LONG], ids=["short path", "long path"])
def test_another_user_of_the_machine_is_refused_at_the_socket(folder: Path, name: str) -> None:
    folder.chmod(0o755)
    code = (
        "import os, socket, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: socket.socket(socket.AF_UNIX).connect(sys.argv[1])\n"
        "except PermissionError: print('refused')\n"
        "else: print('entered')"
    )
    with EmbeddedPostgres(folder / name) as server:
        words = [sys.executable, "-c", code, socket_of(server.dsn)]
        done = subprocess.run(words, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "refused"


@pytest.mark.skipif(os.geteuid() != 0, reason="postgres runs as the user himself")
def test_started_by_root_it_runs_as_nobody_else_even_below_a_closed_folder(folder: Path) -> None:
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    with EmbeddedPostgres(folder / SHORT) as server:
        user = Path(f"/proc/{server.pid}").stat().st_uid
        assert user not in (0, 65534)
        assert folder.stat().st_mode & 0o007 == 0


def test_a_path_too_long_for_a_socket_still_serves_again_after_a_stop(folder: Path) -> None:
    server = EmbeddedPostgres(folder / LONG)
    for _ in range(2):
        assert answer(server.start(), "SELECT 1") == 1
        server.stop()


def test_what_was_committed_survives_a_kill(db: EmbeddedPostgres) -> None:
    with psycopg.connect(db.start()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    db.kill()
    assert db.pid is None
    assert answer(db.start(), "SELECT count(*) FROM kept") == 1000


def test_a_dead_servers_note_naming_another_program_does_not_stop_the_start(
    db: EmbeddedPostgres,
) -> None:
    db.start()
    note = db.cluster / "postmaster.pid"
    db.kill()
    lines = note.read_text().splitlines()
    note.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    assert db.pid is None
    assert answer(db.start(), "SELECT 1") == 1


def test_two_users_share_one_server_and_the_last_to_leave_stops_it(db: EmbeddedPostgres) -> None:
    other = EmbeddedPostgres(db.folder)
    dsn = db.start()
    assert other.start() == dsn
    assert other.pid == db.pid
    db.stop()
    assert answer(dsn, "SELECT 1") == 1
    other.stop()
    assert other.pid is None


def test_two_processes_started_at_once_on_an_empty_folder_find_one_server(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from interface.deployment.embedded_db import *\n"
        "db = EmbeddedPostgres(Path(sys.argv[1])); db.start(); print(db.pid, flush=True)\n"
        "sys.stdin.read(); db.stop()"
    )
    words = [sys.executable, "-c", code, str(folder / SHORT)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "cwd": ROOT, "text": True}
    starters = [subprocess.Popen(words, **pipes) for _ in range(2)]  # type: ignore[call-overload]
    pids = {starter.stdout.readline().strip() for starter in starters}
    assert len(pids) == 1
    starters[0].communicate()
    assert str(EmbeddedPostgres(folder / SHORT).pid) in pids
    starters[1].communicate()
    assert EmbeddedPostgres(folder / SHORT).pid is None
    assert [starter.returncode for starter in starters] == [0, 0]


def test_a_process_that_was_killed_no_longer_counts_as_a_user(folder: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from interface.deployment.embedded_db import *\n"
        "EmbeddedPostgres(Path(sys.argv[1])).start(); os.kill(os.getpid(), 9)"
    )
    words = [sys.executable, "-c", code, str(folder / SHORT)]
    assert subprocess.run(words, check=False, cwd=ROOT).returncode == -9
    server = EmbeddedPostgres(folder / SHORT)
    assert server.pid is not None
    server.start()
    server.stop()
    assert server.pid is None


def test_a_wrong_password_file_is_told_at_once_and_not_after_two_minutes(
    db: EmbeddedPostgres,
) -> None:
    db.start()
    password = db.folder / "password"
    right = password.read_text()
    password.write_text("wrong")
    with pytest.raises(EmbeddedPostgresError, match="password authentication failed"):
        EmbeddedPostgres(db.folder).start()
    password.write_text(right)


def test_the_tools_of_the_database_are_at_hand() -> None:
    assert {"pg_ctl", "psql", "pg_dump", "pg_checksums"} <= {p.name for p in pg_bin().iterdir()}
