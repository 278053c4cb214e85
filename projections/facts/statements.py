"""The SQL that makes the tables of the facts, with their indexes and functions."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from importlib import resources

from projections.facts.declaration import TABLES, columns
from projections.facts.projection import STATEMENTS

PINNED = "-c search_path=pg_catalog,pg_temp"
"""Of every connection: nothing that stands before a system object's name is reached by it."""


def tables() -> list[str]:
    return list(TABLES)


def definition(table: str) -> str:
    """What makes a table."""
    defined = ",\n  ".join(column.definition for column in columns(table))
    return f"CREATE TABLE {table} (\n  {defined}\n);"


@cache
def _all_indexes() -> str:
    return resources.files(__package__).joinpath("indexes.sql").read_text("utf-8")


def indexes(table: str) -> str:
    """What makes the indexes of a table: those of indexes.sql, and that of its reversed rows."""
    made = re.findall(rf"^CREATE INDEX ON {table} .*;$", _all_indexes(), re.MULTILINE)
    return "\n".join([*made, f"CREATE INDEX ON {table} (of_position) WHERE sign = -1;"])


def active_rows(table: str) -> str:
    """What makes the function of a table's active rows: recorded, and not reversed, at two dates.

    An account that was stored under the pseudonym of what was written is shown under that of its
    number, from the instant at which it was recorded that they are one. It is one plain query, so
    PostgreSQL plans it as part of the query that calls it.
    """
    chosen, unified = [], []
    for column in columns(table):
        name = column.name
        if column.type == "account":
            chosen.append(f"coalesce({name}_is.normal, s.{name})")
            unified.append(
                f" LEFT JOIN same_account {name}_is ON {name}_is.written = s.{name}"
                f" AND {name}_is.recorded_at <= $2"
            )
        else:
            chosen.append(f"s.{name}")
    return (
        f"CREATE FUNCTION standing_{table}(as_of date, known_at timestamptz)"
        f" RETURNS SETOF {table} LANGUAGE sql STABLE PARALLEL SAFE"
        f" BEGIN ATOMIC SELECT {', '.join(chosen)} FROM {table} s{''.join(unified)}"
        " WHERE s.sign = 1 AND s.effective_on <= $1 AND s.recorded_at <= $2"
        f" AND NOT EXISTS (SELECT FROM {table} b WHERE b.sign = -1"
        " AND b.of_position = s.of_position AND b.recorded_at <= $2); END"
    )


@cache
def fingerprint() -> str:
    """What tells the facts of this version from those of another: tables, and what events add."""
    made = [
        sql for table in TABLES for sql in (definition(table), indexes(table), active_rows(table))
    ]
    return hashlib.sha256("\n".join([*made, *STATEMENTS.values()]).encode()).hexdigest()[:16]


def schema_of(generation: int) -> str:
    return f"facts_{generation}"
