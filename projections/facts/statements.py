"""The SQL that draws facts: the tables, and what each event of the log adds to them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from importlib import resources
from typing import NamedTuple

from domain.catalogue import EVENTS

CORRECTIONS = [topic for topic in EVENTS if topic.endswith(".corrected.v1")]
_TOLD = (
    "(SELECT position AS of_position, position, recorded_at, 1::smallint AS sign,"
    " originator_id, organisation, ref, convert_from(state, 'UTF8')::json AS content"
    " FROM ledger.event WHERE position = ANY ('{positions}'))"
)
_TOLD_AND_CORRECTED = (
    "(SELECT of_position, position, recorded_at, sign, originator_id, organisation, ref, content"
    " FROM {told} t UNION ALL SELECT e.position, c.position, c.recorded_at, (-1)::smallint,"
    " e.originator_id, e.organisation, e.ref, convert_from(e.state, 'UTF8')::json"
    " FROM ledger.event c JOIN ledger.event e ON e.originator_id = c.originator_id"
    " AND e.originator_version = (convert_from(c.state, 'UTF8')::json ->> 'corrects')::bigint"
    " WHERE c.position = ANY ('{corrections}') AND e.topic = '{topic}')"
)

PINNED = "-c search_path=pg_catalog,pg_temp"
"""Of every connection: nothing that stands before a system object's name is reached by it."""


class Statement(NamedTuple):
    topic: str
    sql: str


def read(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def statements() -> list[Statement]:
    """The statements of draw.sql, in order."""
    parts = re.split(r"^-- topic: (\S+)\n", read("draw.sql"), flags=re.MULTILINE)[1:]
    return [
        Statement(topic, sql.strip()) for topic, sql in zip(parts[::2], parts[1::2], strict=True)
    ]


def tables() -> list[str]:
    return re.findall(r"^CREATE TABLE (\w+)", read("schema.sql"), flags=re.MULTILINE)


def indexes(table: str) -> str:
    """What makes the indexes of a table: those of indexes.sql, and that of its taken-back rows."""
    made = re.findall(rf"^CREATE INDEX ON {table} .*;$", read("indexes.sql"), re.MULTILINE)
    return "\n".join([*made, f"CREATE INDEX ON {table} (of_position) WHERE sign = -1;"])


def shape() -> str:
    """What tells the tables, indexes and functions of this version from those of another."""
    made = [read("schema.sql"), *map(indexes, tables()), *map(standing, tables())]
    return hashlib.sha256("\n".join(made).encode()).hexdigest()[:16]


def schema_of(generation: int) -> str:
    return f"facts_{generation}"


_STATEMENTS = statements()
WITHOUT_FACTS = {
    "household.borrowed.v1",
    "household.erased.v1",
    "batch-register.entered.v1",
    "case-register.entered.v1",
    *CORRECTIONS,
}
"""Events that say nothing of their own: a link kept for decisions, what became of personal data,
and corrections."""
_unknown = EVENTS.keys() - {s.topic for s in _STATEMENTS} - WITHOUT_FACTS
assert not _unknown, f"no fact says what these events mean: {_unknown}"


def drawing(
    told: Mapping[str, Sequence[int]], corrections: Sequence[int], corrected: Container[str]
) -> Iterator[str]:
    """What draws a stretch of the log: `told` says where in it each topic is.

    The events are asked for by their positions, so that the stretch is looked through once and
    not again for every topic.
    """
    for statement in _STATEMENTS:
        positions = told.get(statement.topic, ())
        if not positions and statement.topic not in corrected:
            continue
        source = _TOLD.format(positions=_array(positions))
        if statement.topic in corrected:
            source = _TOLD_AND_CORRECTED.format(
                told=source, corrections=_array(corrections), topic=statement.topic
            )
        yield statement.sql.rstrip(";").replace("{told}", source)


def tables_of(topic: str) -> set[str]:
    """The tables to which an event of this topic adds rows."""
    return {
        table
        for statement in _STATEMENTS
        if statement.topic == topic
        for table in re.findall(r"INSERT INTO (\w+)", statement.sql)
    }


def _array(positions: Sequence[int]) -> str:
    return f"{{{','.join(map(str, positions))}}}"


def columns(table: str) -> list[str]:
    """The columns of a table of the facts, in order."""
    definition = rf"^CREATE TABLE {table} \((.*?)^\);"
    found = re.search(definition, read("schema.sql"), re.MULTILINE | re.DOTALL)
    assert found is not None
    return re.findall(r"(?:^|,)\s*(\w+) [a-z]", found[1])


ACCOUNTS: Mapping[str, tuple[str, ...]] = {
    "loan": ("payee",),
    "outflow": ("to_account", "from_account"),
    "repayment": ("payer",),
    "subsidy": ("payee",),
}
"""The columns that hold the pseudonym of an account."""


def standing(table: str) -> str:
    """A function of the rows of `table` that stand at two dates: said, and not taken back.

    An account that was stored under the pseudonym of what was written is shown under that of its
    number, from the instant at which it was recorded that they are one. It is one plain query, so
    PostgreSQL plans it as part of the question that asks it.
    """
    accounts = ACCOUNTS.get(table, ())
    chosen = ", ".join(
        f"coalesce({name}_is.normal, s.{name})" if name in accounts else f"s.{name}"
        for name in columns(table)
    )
    unified = "".join(
        f" LEFT JOIN same_account {name}_is ON {name}_is.written = s.{name}"
        f" AND {name}_is.recorded_at <= $2"
        for name in accounts
    )
    return (
        f"CREATE FUNCTION standing_{table}(as_of date, known_at timestamptz)"
        f" RETURNS SETOF {table} LANGUAGE sql STABLE PARALLEL SAFE"
        f" BEGIN ATOMIC SELECT {chosen} FROM {table} s{unified} WHERE s.sign = 1"
        " AND s.effective_on <= $1 AND s.recorded_at <= $2"
        f" AND NOT EXISTS (SELECT FROM {table} b WHERE b.sign = -1"
        " AND b.of_position = s.of_position AND b.recorded_at <= $2); END"
    )
