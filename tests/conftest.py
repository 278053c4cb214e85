"""What every test may ask for: a fresh, migrated database on a real PostgreSQL."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import count
from pathlib import Path
from secrets import token_hex
from typing import Any, NamedTuple

import hypothesis
import psycopg
import pytest
import structlog
from hypothesis.internal.conjecture import providers
from psycopg.conninfo import conninfo_to_dict
from pwdlib.hashers.argon2 import Argon2Hasher
from support.chance import PATIENCE_SECONDS
from support.chromium import CHROMIUM
from support.county import drawn

from application import people
from application.event_store.migrations import migrate
from application.personal_data.encryption import Keys
from interface.deployment.embedded_db import EmbeddedPostgres
from interface.http import query_params
from interface.http.routes import transparency_log
from interface.simulation.demo import County, county, load
from interface.workers import schema_watch
from projections.facts.draw import Projector
from projections.facts.reading import Facts

_MEMORY, _ROOM_BYTES = Path("/dev/shm"), 8 << 30
"""Files in memory, and how much of it must be free: a test run needs a quarter of that."""


def pytest_configure(config: pytest.Config) -> None:
    """What the tests write stands in memory where there is room: they wait for no disk."""
    room = shutil.disk_usage(_MEMORY).free if os.access(_MEMORY, os.W_OK) else 0
    if room >= _ROOM_BYTES and "TMPDIR" not in os.environ:
        folder = tempfile.mkdtemp(prefix="mz-", dir=_MEMORY)  # short: a socket has 107
        Path(folder).chmod(0o755)  # the database's own user goes through it
        os.environ["TMPDIR"] = tempfile.tempdir = folder  # other processes of the run follow
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


_LONGEST = (
    "test_pages.py", "test_red_flags.py", "test_backtest.py", "test_bad_input.py",
    "test_verify_command.py",
    "test_batches.py", "test_tamper.py", "test_kill.py", "test_freeze.py", "test_cases.py",
    "test_projection.py", "test_owner.py", "test_notes.py", "test_visibility.py",
    "test_red_flag_runs.py", "test_year.py", "test_mutants.py", "test_personal.py",
    "test_contract.py",
)  # fmt: skip
"""The files that take the longest come first, so that two processes end together."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have the longest files read first."""
    places = {name: place for place, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what could not run here."""
    if CHROMIUM is None:
        terminalreporter.write_line(
            "没有 Chromium，控制台的页面未在浏览器里走过 / no Chromium: tests/journeys was left out"
        )


hypothesis.settings.register_profile(
    "everywhere",  # the same examples in every run, on a machine of any speed
    derandomize=True,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
hypothesis.settings.load_profile("everywhere")
providers._get_local_constants = lambda: providers._local_constants
"""Examples are not drawn from the constants of whatever modules the run has imported so far."""

_PREFIX = f"mz_test_{os.getpid()}_{token_hex(3)}"  # of this module, which some tests import again
_numbers = count(1)
_droppers = ThreadPoolExecutor(1, thread_name_prefix="drop-database")


@pytest.fixture(autouse=True)
def _quiet_log() -> None:
    """The service's log lines stay out of the test's output, unless a test looks at them.

    Whatever an earlier test arranged, a file that it closed among it, is forgotten.
    """
    structlog.reset_defaults()
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())


@pytest.fixture(scope="session", autouse=True)
def _patient_service() -> Iterator[None]:
    """A read that waits for a position waits as long as a slow machine needs.

    What a test does to the schema is not met by the minute's comparison, however long the test
    takes: those that want it compared say when.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema_watch, "PAUSE_SECONDS", 24 * 3600.0)
        for module in (query_params, transparency_log):
            patch.setattr(module, "_PATIENCE_SECONDS", PATIENCE_SECONDS)
        yield


@pytest.fixture(scope="session", autouse=True)
def password_hasher() -> Iterator[Argon2Hasher]:
    """The service's own, in whose place the tests put a cheap one: they sign in often."""
    own = people._HASHER
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(people, "_HASHER", Argon2Hasher(1, 8, 1))
        yield own


class Database(NamedTuple):
    """A database of its own for one test, and the keys of its deployment."""

    owner_dsn: str
    dsn: str
    keys: Keys


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The owner's DSN of a running PostgreSQL: MINGZHANG_TEST_DSN, or the embedded one."""
    given = os.environ.get("MINGZHANG_TEST_DSN")
    if given:
        yield given
        _droppers.shutdown()
        with psycopg.connect(given, autocommit=True) as connection:
            for template in ("projected", "migrated"):
                connection.execute(f"DROP DATABASE IF EXISTS {_PREFIX}_{template}".encode())
        return
    with tempfile.TemporaryDirectory(prefix="mz-") as folder:
        postgres = EmbeddedPostgres(Path(folder) / "pg")
        try:
            yield _with_quick_logins(postgres.start())
        finally:
            _droppers.shutdown(cancel_futures=True)  # what is left goes with the folder
            postgres.stop()


def _with_quick_logins(server: str) -> str:
    """A password that is guarded by one round of hashing: the tests log in thousands of times."""
    password = conninfo_to_dict(server)["password"]
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("SET scram_iterations = 1")
        connection.execute(f"ALTER USER CURRENT_USER PASSWORD '{password}'".encode())
    return server


def copy_database(server: str, original: Database) -> Database:
    """A database with all that stands in another, to which nobody is connected; the same keys."""
    return _copy(server, original.dsn.rpartition("dbname=")[2])._replace(keys=original.keys)


def create_database(server: str, *, projected: bool = False) -> Database:
    """A migrated database: a copy of one that was made once; `projected`: with empty facts.

    Where much is told before the facts are drawn, they are drawn whole and its size is known.
    """
    return _copy(server, _template(server, projected=projected))


def _copy(server: str, template: str) -> Database:
    name = f"{_PREFIX}_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as connection:
        made = f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY"  # half the work
        connection.execute(made.encode())
        _let_project(connection, name)
    dsn = f"{server} dbname={name}"
    return Database(dsn, dsn, Keys.generate())


@lru_cache(maxsize=2)
def _template(server: str, *, projected: bool) -> str:
    name = f"{_PREFIX}_{'projected' if projected else 'migrated'}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    migrate(f"{server} dbname={name}")
    if projected:
        projector = Projector(f"{server} dbname={name}")
        projector.catch_up()
        projector.close()
    return name


def _let_project(connection: psycopg.Connection[Any], name: str) -> None:
    """Give the one right that migrations give on the database itself: no copy takes it over."""
    connection.execute(f"GRANT CREATE ON DATABASE {name} TO mingzhang_projector".encode())


def drop_database(server: str, database: Database) -> None:
    """Drop it beside the next test: the server waits for its disk, and nobody else has to."""
    name = database.dsn.rpartition("dbname=")[2]

    def drop() -> None:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())

    _droppers.submit(drop)


@pytest.fixture(scope="session")
def demo(server: str) -> Iterator[tuple[County, Facts]]:
    """A twentieth of the demo county, and its facts."""
    made, fresh = county(seed=1, factor=0.05), create_database(server)
    load(fresh.owner_dsn, fresh.dsn, fresh.keys, made)
    with drawn(fresh) as facts:
        yield made, facts
    drop_database(server, fresh)


@pytest.fixture
def database(server: str) -> Iterator[Database]:
    fresh = create_database(server, projected=True)
    yield fresh
    drop_database(server, fresh)


@pytest.fixture(scope="module")
def shared_database(server: str) -> Iterator[Database]:
    """One database for all tests of a file that only read, or that keep out of each other's way."""
    fresh = create_database(server)
    yield fresh
    drop_database(server, fresh)
