"""Whether the live facts are what the log says: drawn again beside them and compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from projections.facts.draw import Connection, Projector
from projections.facts.statements import schema_of, tables

_MOST_NAMED = 100


class WrongFact(NamedTuple):
    """A row that the log does not say, or one that it says and that is not there."""

    table: str
    of_position: int
    missing: bool

    def __str__(self) -> str:
        zh, en = ("缺失", "missing") if self.missing else ("与事件不符", "not what the event says")
        return (
            f"第 {self.of_position} 条 / event {self.of_position}: 事实 {self.table} {zh}"
            f" / fact {self.table}: {en}"
        )


def wrong_facts(dsn: str, progress: Callable[[int, int], None] | None = None) -> list[WrongFact]:
    """Draw all facts again up to where the live ones are, and name every row that differs."""
    projector = Projector(dsn)
    try:
        with projector.drawn_beside(progress) as (live, fresh, position):
            return [
                fact
                for table in tables()
                for fact in differences(projector.connection, table, live, fresh, position)
            ]
    finally:
        projector.close()


def export_facts(connection: Connection, folder: Path) -> Iterator[tuple[str, int]]:
    """Write each live table into `folder` (docs/tamper-evidence.md, 6); yields (table, rows).

    CSV with a delimiter and a quote that no JSON contains writes it as it is.
    """
    row = connection.execute("SELECT number FROM projection.generation WHERE live").fetchone()
    if row is None:
        return
    connection.execute("SET TimeZone TO 'UTC'")
    for table in tables():
        rows = 0
        sql = (
            f"COPY (SELECT row_to_json(t) FROM {schema_of(row[0])}.{table} t"
            ' ORDER BY of_position, row_to_json(t)::text COLLATE "C")'
            " TO STDOUT (FORMAT csv, DELIMITER E'\\x02', QUOTE E'\\x01')"
        )
        path = folder / f"{table}.ndjson"
        with path.open("wb") as file, connection.cursor().copy(sql.encode()) as copy:
            for block in copy:
                file.write(block)
                rows += 1
        yield table, rows


def differences(
    connection: Connection, table: str, live: int, fresh: int, position: int
) -> list[WrongFact]:
    """The rows up to `position` in which two drawings of a table differ, a hundred at most."""
    here = f"SELECT * FROM {schema_of(live)}.{table} WHERE position <= {position}"
    there = f"SELECT * FROM {schema_of(fresh)}.{table}"
    rows = connection.execute(
        f"(SELECT of_position, false FROM ({here} EXCEPT ALL {there}) wrong)"
        f" UNION (SELECT of_position, true FROM ({there} EXCEPT ALL {here}) missing)"
        f" ORDER BY 1, 2 LIMIT {_MOST_NAMED}".encode()
    )
    return [WrongFact(table, *row) for row in rows]
