"""Numbered plain SQL migrations, each applied once and never edited afterwards."""

from __future__ import annotations

import hashlib
from importlib import resources

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier

SERVICE_ROLES = (
    "mingzhang_writer",
    "mingzhang_projector",
    "mingzhang_reader",
    "mingzhang_sealer",
    "mingzhang_watcher",
    "mingzhang_console",
)

PINNED = "-c search_path=pg_catalog,pg_temp"
"""Of every connection: nothing that stands before a system object's name is reached by it."""


class MigrationAltered(Exception):
    """A migration that was applied to this database has another text now."""


class MigrationFailed(Exception):
    """The database does not take a migration: it is not what the ones before it made."""


def migrate(dsn: str) -> list[str]:
    """Bring the database to the present schema; returns the names applied now.

    Needs the owner's login. Two at once wait for each other. Raises
    MigrationAltered, MigrationFailed.
    """
    applied_now = []
    with psycopg.connect(dsn, options=PINNED) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(7291000)")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS public.mingzhang_migration ("
            " name text PRIMARY KEY, checksum text NOT NULL,"
            " applied_at timestamptz NOT NULL DEFAULT now())"
        )
        rows = connection.execute("SELECT name, checksum FROM public.mingzhang_migration")
        applied: dict[str, str] = dict(rows.fetchall())
        for name, text in migrations():
            checksum = hashlib.sha256(text.encode()).hexdigest()
            if name in applied:
                if applied[name] != checksum:
                    raise MigrationAltered(
                        f"迁移脚本与执行时的不同 / a migration has another text now: {name}"
                    )
                continue
            try:
                connection.execute(text.encode())
            except (psycopg.ProgrammingError, psycopg.InternalError) as error:
                if isinstance(error, psycopg.errors.InsufficientPrivilege):
                    raise
                raise MigrationFailed(f"不能执行 / cannot be applied: {name}: {error}") from error
            connection.execute(
                "INSERT INTO public.mingzhang_migration (name, checksum) VALUES (%s, %s)",
                (name, checksum),
            )
            applied_now.append(name)
    return applied_now


def admit(owner_dsn: str, service_dsn: str) -> str | None:
    """Make the service's login a member of the roles; None when it is the owner himself."""
    owner, login = (conninfo_to_dict(dsn).get("user") for dsn in (owner_dsn, service_dsn))
    if login is None or login == owner:
        return None
    with psycopg.connect(owner_dsn, options=PINNED) as connection:
        roles = SQL(", ").join(map(Identifier, SERVICE_ROLES))
        connection.execute(SQL("GRANT {} TO {}").format(roles, Identifier(str(login))))
    return str(login)


def may_migrate(dsn: str) -> bool:
    """Whether a login may change the schema: the owner may, the service's own login may not."""
    with psycopg.connect(dsn) as connection:  # a malformed DSN is no database that can be reached
        row = connection.execute(
            "SELECT pg_catalog.has_schema_privilege('public', 'CREATE')"
            " AND pg_catalog.has_database_privilege(current_database(), 'CREATE')"
        ).fetchone()
    return bool(row and row[0])


def begun(dsn: str) -> bool:
    """Whether the database was migrated once, whatever became of it."""
    with psycopg.connect(dsn, options=PINNED) as connection:
        row = connection.execute(
            "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname IN ('ledger', 'projection'))"
            " OR to_regclass('public.mingzhang_migration') IS NOT NULL"
        ).fetchone()
    return bool(row and row[0])


def migrations() -> list[tuple[str, str]]:
    folder = resources.files(__package__)
    files = sorted(file.name for file in folder.iterdir() if file.name.endswith(".sql"))
    return [(name, folder.joinpath(name).read_text("utf-8")) for name in files]
