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
    """Write each live table as CSV with a header into `folder`; yields (table, rows)."""
    row = connection.execute("SELECT number FROM projection.generation WHERE live").fetchone()
    if row is None:
        return
    for table in tables():
        rows = 0
        sql = f"COPY {schema_of(row[0])}.{table} TO STDOUT (FORMAT csv, HEADER)".encode()
        with (folder / f"{table}.csv").open("wb") as file, connection.cursor().copy(sql) as copy:
            for block in copy:
                file.write(block)
                rows += 1
        yield table, rows - 1


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
