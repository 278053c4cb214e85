"""The declaration of the facts (facts.toml): the tables' columns, and what each event adds."""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import NamedTuple

import msgspec

from domain.catalogue import EVENTS

_SQL_TYPES = {"code": "text", "account": "text", "instant": "timestamptz"}


class Column(NamedTuple):
    """A column of a table: `type` is a word of facts.toml, without its `?`."""

    name: str
    type: str
    nullable: bool

    @property
    def sql_type(self) -> str:
        """The type in PostgreSQL, in the words of its grammar and without a collation."""
        return _SQL_TYPES.get(self.type, self.type)

    @property
    def definition(self) -> str:
        """The column as CREATE TABLE names it."""
        collation = ' COLLATE "C"' if self.type in ("code", "account") else ""
        return f"{self.name} {self.sql_type}{collation}{'' if self.nullable else ' NOT NULL'}"


class Addition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rows that an event adds to one table; facts.toml says what each word means."""

    table: str
    each: str | None = None
    item: str | None = None
    unless_zero: str | None = None
    constants: dict[str, str | int | bool] = msgspec.field(name="is", default_factory=dict)
    of: dict[str, str] = {}
    plus: dict[str, str] = {}
    minus: dict[str, str] = {}
    text: dict[str, str] = {}


class _Declaration(msgspec.Struct, forbid_unknown_fields=True):
    every: dict[str, str]
    tables: dict[str, dict[str, str]]
    events: dict[str, tuple[Addition, ...]]


def _columns(declared: dict[str, str]) -> tuple[Column, ...]:
    return tuple(
        Column(name, kind.removesuffix("?"), kind.endswith("?")) for name, kind in declared.items()
    )


_TEXT = resources.files(__package__).joinpath("facts.toml").read_text("utf-8")
_declared = msgspec.convert(tomllib.loads(_TEXT), _Declaration)

EVERY: tuple[Column, ...] = _columns(_declared.every)
"""The columns with which all tables begin."""
TABLES: dict[str, tuple[Column, ...]] = {
    table: _columns(columns) for table, columns in _declared.tables.items()
}
"""The other columns of each table, in order."""
ADDITIONS: dict[str, tuple[Addition, ...]] = _declared.events
"""What the event of each topic adds; () for a link kept for decisions, an erasure, a correction."""
assert ADDITIONS.keys() == EVENTS.keys(), (
    f"facts.toml says nothing of {EVENTS.keys() - ADDITIONS.keys()},"
    f" and speaks of {ADDITIONS.keys() - EVENTS.keys()}, which no event is called"
)


def columns(table: str) -> tuple[Column, ...]:
    """All columns of a table, in order."""
    return EVERY + TABLES[table]


def tables_of(topic: str) -> set[str]:
    """The tables to which an event of this topic adds rows."""
    return {addition.table for addition in ADDITIONS[topic]}
