"""Numbered plain SQL migrations, each applied once and never edited afterwards."""

from __future__ import annotations

import hashlib
from importlib import resources

import psycopg


class MigrationAltered(Exception):
    """A migration that was applied to this database has another text now."""


def migrate(dsn: str) -> list[str]:
    """Bring the database to the present schema; returns the names applied now.

    Needs the owner's login. Two at once wait for each other. Raises MigrationAltered.
    """
    applied_now = []
    with psycopg.connect(dsn) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(7291000)")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS public.mingzhang_migration ("
            " name text PRIMARY KEY, checksum text NOT NULL,"
            " applied_at timestamptz NOT NULL DEFAULT now())"
        )
        rows = connection.execute("SELECT name, checksum FROM public.mingzhang_migration")
        applied: dict[str, str] = dict(rows.fetchall())
        for name, text in _migrations():
            checksum = hashlib.sha256(text.encode()).hexdigest()
            if name in applied:
                if applied[name] != checksum:
                    raise MigrationAltered(name)
                continue
            connection.execute(text.encode())
            connection.execute(
                "INSERT INTO public.mingzhang_migration (name, checksum) VALUES (%s, %s)",
                (name, checksum),
            )
            applied_now.append(name)
    return applied_now


def _migrations() -> list[tuple[str, str]]:
    folder = resources.files(__package__)
    files = sorted(file.name for file in folder.iterdir() if file.name.endswith(".sql"))
    return [(name, folder.joinpath(name).read_text("utf-8")) for name in files]
