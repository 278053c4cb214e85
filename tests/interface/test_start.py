"""What stands in the way of a start is said in a sentence, and the program ends with 2."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import structlog
from conftest import create_database, drop_database
from typer.testing import CliRunner

from application.event_store.migrations import migrate
from interface.cli.app import app


@pytest.fixture(autouse=True)
def _this_process_stays_as_it_is() -> Iterator[None]:
    """`serve` arranges log, signals and thread switching for a process of its own."""
    log, ended, interval = structlog.get_config(), signal.getsignal(15), sys.getswitchinterval()
    yield
    structlog.configure(**log)
    signal.signal(15, ended)
    sys.setswitchinterval(interval)


@pytest.fixture
def environment(
    database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """Set variables of the environment; the others are those of a service that would start."""

    def set_variables(**variables: str) -> None:
        there = {"DSN": database.dsn, "DATA": str(tmp_path), "PORT": "0", **variables}
        for name, value in there.items():
            monkeypatch.setenv(f"MINGZHANG_{name}", value)

    return set_variables


def said(*words: str) -> str:
    """What the command says on its way out; it must end with 2 and without a traceback."""
    result = CliRunner().invoke(app, list(words))
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    assert "不能启动 / cannot start:" in result.output
    return result.output.replace("\n", "")


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"PORT": "eighty"}, "MINGZHANG_PORT='eighty'"),
        ({"TREE_HASH": "md5"}, "MINGZHANG_TREE_HASH='md5'"),
        ({"LOG_NAME": "two words"}, "MINGZHANG_LOG_NAME='two words'"),
        ({"PORT": "70000"}, "MINGZHANG_PORT='70000'"),
        ({"HOST": "no.such.host.invalid"}, "no.such.host.invalid"),
        ({"DSN": "host=127.0.0.1 port=1 user=nobody password=geheim"}, "连接不上"),
        ({"DSN": "no dsn"}, "连接不上"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(
    environment: Callable[..., None], variables: dict[str, str], sentence: str
) -> None:
    environment(**variables)
    output = said("serve")
    assert sentence in output
    assert "geheim" not in output


def test_a_port_that_another_program_has_is_named(environment: Callable[..., None]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        environment(PORT=str(port))
        assert f"127.0.0.1:{port}" in said("serve")


@pytest.mark.parametrize("content", [b"{", b"{}", b"\xff\xfe", b'{"mac": 1}'])
@pytest.mark.parametrize("name", ["keys.json", "signing-key.json"])
def test_a_key_file_that_holds_no_keys_is_named(
    environment: Callable[..., None], tmp_path: Path, name: str, content: bytes
) -> None:
    environment()
    (tmp_path / name).write_bytes(content)
    assert name in said("log", "seal")


def test_a_data_folder_that_is_a_file_is_named(
    environment: Callable[..., None], tmp_path: Path
) -> None:
    (tmp_path / "data").write_text("")
    environment(DATA=str(tmp_path / "data"))
    assert str(tmp_path / "data") in said("log", "seal")


def test_a_database_that_is_not_migrated_is_named_with_what_to_do(
    environment: Callable[..., None], server: str
) -> None:
    with psycopg.connect(server, autocommit=True) as owner:
        owner.execute("CREATE DATABASE mz_bare")
        owner.execute("CREATE ROLE mz_stranger LOGIN PASSWORD 'x'")
    try:
        environment(DSN=f"{server} dbname=mz_bare user=mz_stranger password=x")
        assert "migrate" in said("log", "seal")
    finally:
        with psycopg.connect(server, autocommit=True) as owner:
            owner.execute("DROP DATABASE mz_bare WITH (FORCE)")
            owner.execute("DROP ROLE mz_stranger")


def test_a_migration_that_was_applied_with_another_text_is_named(
    environment: Callable[..., None], server: str
) -> None:
    altered = create_database(server)
    with psycopg.connect(altered.owner_dsn, autocommit=True) as owner:
        owner.execute("UPDATE public.mingzhang_migration SET checksum = '' WHERE name LIKE '0001%'")
    environment(DSN=altered.dsn)
    for command in (["log", "seal"], ["migrate"]):
        assert "0001_log.sql" in said(*command)
    with psycopg.connect(altered.owner_dsn, autocommit=True) as owner:
        owner.execute("DELETE FROM public.mingzhang_migration")
        for schema in ("ledger", "projection", "console"):
            owner.execute(f"DROP SCHEMA {schema} CASCADE".encode())
    migrate(altered.dsn)
    drop_database(server, altered)
