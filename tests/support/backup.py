"""Backups by PostgreSQL's own programs."""

from __future__ import annotations

import subprocess

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from interface.deployment.embedded_db import pg_bin


def pg_tool(tool: str, dsn: str, *words: str) -> None:
    """Run pg_dump, pg_restore ... on a database; fails when it does."""
    named = conninfo_to_dict(dsn)
    password = str(named.pop("password", ""))
    done = subprocess.run(
        [str(pg_bin() / tool), "--dbname", make_conninfo(**named), *words],  # type: ignore[arg-type]
        check=False,
        env={"PGPASSWORD": password},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
