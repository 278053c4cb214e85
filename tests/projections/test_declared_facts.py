"""The facts are declared once: what the declaration says of events, columns and types holds."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from msgspec import inspect

from application.event_store.guards import expected
from domain.catalogue import EVENTS, kind_of
from projections.facts.declaration import ADDITIONS, TABLES, Addition, Column, columns
from projections.facts.draw import Projector
from projections.facts.projection import STATEMENTS
from projections.facts.statements import fingerprint, schema_of

ROOT = Path(__file__).parents[2]
STORED = ROOT / "tests" / "stored"
MORE: list[tuple[str, dict[str, Any]]] = [
    (
        "household.members-changed.v1",
        {"left": [{"person": "person-1", "reason": "分户", "code": "split_off"}]},
    ),
    ("loan.disbursed.v1", {"renews_loan_no": "L0", "credited_fen": 4_900_000}),
    ("loan.reminded.v1", {"evidence": "录音 17"}),
    ("loan.usage-checked.v1", {"borrower_met": True, "with_bank": False}),
    ("bank-report.scale-reported.v1", {"loans": 3, "households": 2, "balance_fen": 400}),
    ("batch.estimated.v1", {"township": "T01"}),
    (
        "batch.listed.v1",
        {
            "lines": [
                {
                    "line": 9, "loan_id": str(UUID(int=77)), "bank": "NRCB", "loan_no": "L9",
                    "household_no": "H9", "township": "T09", "village": "石桥村",
                    "period": "2023Q3", "kind": "subsidy", "due_fen": 700, "paid_before_fen": 300,
                    "amount_fen": 400, "note": "补发",
                }
            ]
        },
    ),
]  # fmt: skip
"""What the stored events leave out, or say twice alike: other members of the first of a topic."""
SQL_KINDS: dict[str, tuple[type, ...]] = {
    "bigint": (inspect.IntType,),
    "int": (inspect.IntType,),
    "boolean": (inspect.BoolType,),
    "date": (inspect.DateType,),
    "uuid": (inspect.UUIDType,),
    "text": (inspect.StrType, inspect.LiteralType),
}
ALWAYS_GIVEN = {
    ("programme.ruled.v1", "ruling", "document"),
    ("programme.plan-adopted.v1", "ruling", "document"),
    ("programme.plan-adjusted.v1", "ruling", "document"),
}
"""Members that any event may leave out, and that these never do."""


def kept_facts() -> dict[str, list[dict[str, Any]]]:
    """The rows of each table that facts.ndjson keeps: what is null in a row is left out."""
    kept: dict[str, list[dict[str, Any]]] = {table: [] for table in TABLES}
    for line in (STORED / "facts.ndjson").read_text("utf-8").splitlines():
        row = json.loads(line)
        kept[row.pop("table")].append(row)
    return kept


def recorded_events() -> list[dict[str, Any]]:
    """The stored events and MORE, each recorded at a position and, 1000 behind it, reversed."""
    lines = (STORED / "events.ndjson").read_text("utf-8").splitlines()
    events = [(line["topic"], json.loads(line["state"])) for line in map(json.loads, lines)]
    first = dict(reversed(events))
    events += [(topic, first[topic] | members) for topic, members in MORE]
    return [
        {
            "topic": topic, "of_position": number, "position": number + later, "sign": sign,
            "recorded_at": "2026-01-01T00:00:00Z", "originator_id": str(UUID(int=number)),
            "organisation": "ORG", "ref": f"REF-{number}", "content": state,
        }
        for number, (topic, state) in enumerate(events, 1)
        for later, sign in ((0, 1), (1000, -1))
    ]  # fmt: skip


@pytest.fixture(scope="module")
def projected(shared_database: Any) -> dict[str, list[dict[str, Any]]]:
    """The rows that these events add to each table, as the service projects them."""
    projector = Projector(shared_database.dsn)
    number = projector.rebuild()
    with projector.connection.transaction(force_rollback=True):
        projector.connection.execute(f"SET LOCAL search_path = {schema_of(number)}".encode())
        for topic, statement in STATEMENTS.items():
            events = [event for event in recorded_events() if event["topic"] == topic]
            text = json.dumps(events, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
            source = (
                f"(SELECT * FROM json_to_recordset($events${text}$events$) AS row (of_position"
                " bigint, position bigint, recorded_at timestamptz, sign smallint, originator_id"
                " uuid, organisation text, ref text, content json))"
            )
            projector.connection.execute(statement.replace("{events}", source).encode())
        rows = {
            table: [
                {name: value for name, value in row.items() if value is not None}
                for (row,) in projector.connection.execute(
                    f"SELECT row_to_json(t) FROM {table} t ORDER BY of_position, sign DESC,"
                    ' row_to_json(t)::text COLLATE "C"'.encode()
                )
            ]
            for table in TABLES
        }
    projector.close()
    return rows


def differences(kept: list[dict[str, Any]], now: list[dict[str, Any]]) -> Iterator[str]:
    """What is not as it was in two lists of a table's rows: `column: event, then, now`."""
    if len(kept) != len(now):
        counted = Counter(row["of_position"] for row in now)
        counted.subtract(row["of_position"] for row in kept)
        for event, more in counted.items():
            if more:
                yield f"event {event}: {more:+} rows"
        return
    for then, row in zip(kept, now, strict=True):
        for name in {**then, **row}:
            if then.get(name) != row.get(name):
                yield f"{name}: event {then['of_position']}, {then.get(name)} then, {row.get(name)}"


@pytest.mark.parametrize("table", TABLES)
def test_the_facts_of_a_stored_event_stay_what_they_were(
    table: str, projected: dict[str, list[dict[str, Any]]]
) -> None:
    """facts.ndjson was written by other SQL than today's: two columns swapped are seen here.

    A new column that a stored event fills is added to its line there.
    """
    found = [f"{table}.{each}" for each in differences(kept_facts()[table], projected[table])]
    assert found == []


@pytest.mark.parametrize("table", TABLES)
def test_every_column_is_filled_by_an_event_that_is_kept_and_differs_from_its_neighbours(
    table: str,
) -> None:
    """A new column needs an event that fills it, in MORE; or nothing would show it swapped."""
    rows = kept_facts()[table]
    empty = [c.name for c in columns(table) if all(c.name not in row for row in rows)]
    assert [f"{table}.{name} is filled by no event that is kept" for name in empty] == []
    alike = [
        f"{table}.{one.name} and {table}.{other.name} always hold the same"
        for one, other in combinations(TABLES[table], 2)
        if one.sql_type == other.sql_type
        and all(row.get(one.name) == row.get(other.name) for row in rows)
    ]
    assert alike == []


def test_the_columns_are_those_of_the_schema_that_the_service_compares_itself_with() -> None:
    """After a change: `python -m interface.deployment.describe_schema`."""
    there = {
        name.removeprefix("column facts."): text.split(" | ")[0].strip()
        for name, text in expected().items()
        if name.startswith("column facts.")
    }
    words = {"int": "integer", "timestamptz": "timestamp with time zone"}
    here = {
        f"{table}.{column.name}": f"{number} {words.get(column.sql_type, column.sql_type)}"
        f" {'x' if column.sql_type == 'text' else 'p'}"
        f"{' COLLATE C' if column.type in ('code', 'account') else ''}"
        f"{'' if column.nullable else ' NOT NULL'}"
        for table in TABLES
        for number, column in enumerate(columns(table), 1)
    }
    wrong = {name for name in here | there if here.get(name) != there.get(name)}
    assert {name: (here.get(name), there.get(name)) for name in wrong} == {}
    assert expected()["schema facts"].endswith(fingerprint()), "facts projected otherwise"


def test_every_insert_names_its_columns() -> None:
    """The facts', and those of the tables of red-flag runs."""
    files = [path for kind in ("*.py", "*.sql") for path in (ROOT / "projections").rglob(kind)]
    texts = {str(path.relative_to(ROOT)): path.read_text("utf-8") for path in files} | STATEMENTS
    unnamed = re.compile(r"INSERT INTO \S+\s+(?!\(|AS \w+ \()\S.*")
    found = {where: unnamed.findall(text) for where, text in texts.items()}
    assert {where: inserts for where, inserts in found.items() if inserts} == {}


class Member(NamedTuple):
    """A member of an event or an item: what it may be, and whether it may be absent."""

    types: tuple[inspect.Type, ...]
    optional: bool


def member(kind: inspect.Type, *, written: bool = True) -> Member:
    """`written`: whether it is always written, and not left out where it has its default."""
    types = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    present = tuple(each for each in types if not isinstance(each, inspect.NoneType))
    return Member(present, optional=len(present) < len(types) or not written)


def members(kind: inspect.Type) -> dict[str, Member]:
    """The members of a struct; {} of anything else, whose members no class declares."""
    if not isinstance(kind, inspect.StructType):
        return {}
    omits = kind.cls.__struct_config__.omit_defaults
    return {f.encode_name: member(f.type, written=f.required or not omits) for f in kind.fields}


def items(kind: inspect.Type, path: str) -> inspect.Type:
    """The type of the items of the list at `path`; raises KeyError when there is none."""
    for name in path.split("."):
        if not isinstance(kind, inspect.StructType):
            return inspect.AnyType()
        [kind] = members(kind)[name].types
    assert isinstance(kind, inspect.VarTupleType | inspect.ListType), path
    return kind.item_type


def wrong_column(topic: str, addition: Addition, column: Column) -> Iterator[str]:
    """What is wrong with the source of a column, in a topic's addition to its table."""
    event = inspect.type_info(EVENTS[topic])
    item = items(event, addition.each) if addition.each else event
    name = column.name
    if name in addition.constants or name == f"{kind_of(topic)}_id" or name in addition.text:
        return
    named = {**addition.of, **addition.plus, **addition.minus}.get(name)
    if named in ("organisation", "ref", "head_of"):
        return
    if addition.item and not named:
        source = member(item) if name == addition.item else None
    elif isinstance(item, inspect.StructType) or named:
        source = members(event if named else item).get(named or name)
    else:
        return  # items of a kind that no class declares
    if named and source is None:
        yield f"the event has no member {named}"
    elif source is None:
        if not column.nullable:
            yield "is never null, and no member fills it"
    else:
        if not all(isinstance(each, SQL_KINDS[column.sql_type]) for each in source.types):
            yield f"is {column.type}, and its member {source.types}"
        given = (topic, addition.table, name) in ALWAYS_GIVEN
        if source.optional and not column.nullable and not given:
            yield "is never null, and its member may be absent"


@pytest.mark.parametrize("topic", [topic for topic, added in ADDITIONS.items() if added])
def test_every_column_is_filled_by_a_member_of_its_type_or_may_be_null(topic: str) -> None:
    found = [
        f"{topic}: {addition.table}.{column.name} {wrong}"
        for addition in ADDITIONS[topic]
        for column in TABLES[addition.table]
        for wrong in wrong_column(topic, addition, column)
    ]
    assert found == []
