"""Whether the live facts are what the log says: projected again beside them and compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import psycopg

from projections.facts.draw import Connection, Projector
from projections.facts.statements import schema_of, tables

_MOST_NAMED = 100
_LIVE = "SELECT number, position FROM projection.generation WHERE live"
_MARK = """
SELECT number, position, position = 0 OR recorded_at IS NOT DISTINCT FROM
         (SELECT e.recorded_at FROM ledger.event e WHERE e.position = g.position),
       coalesce((SELECT max(e.position) FROM ledger.event e), 0)
  FROM projection.generation g WHERE live
"""
_SHOWN_BEFORE = """
SELECT EXISTS (SELECT FROM projection.generation)
       OR EXISTS (SELECT FROM ledger.watermark WHERE position > 0)
"""
"""Whether there were facts once: some generation, or a reader to whom they said what is known."""


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


class WrongGeneration(NamedTuple):
    """The facts as a whole cannot be what the log says."""

    zh: str
    en: str

    def __str__(self) -> str:
        return f"事实 / facts: {self.zh} / {self.en}"


def wrong_facts(
    dsn: str, progress: Callable[[int, int], None] | None = None
) -> list[WrongFact | WrongGeneration]:
    """Project all facts again, and name every row that differs from what a reader is shown.

    Where the live ones have come to is judged first: what is behind it is a difference too.
    """
    projector = Projector(dsn)
    try:
        found: list[WrongFact | WrongGeneration] = list(wrong_generation(projector.connection))
        with projector.projected_beside(progress) as (live, fresh, position):
            found += wrong_rows(projector, live, fresh, position)
        return found
    except (psycopg.ProgrammingError, psycopg.DataError, psycopg.IntegrityError) as error:
        return [WrongGeneration("无法比较", f"they cannot be compared: {error}")]
    finally:
        projector.close()


def wrong_rows(projector: Projector, live: int, fresh: int, position: int) -> list[WrongFact]:
    """The rows in which fresh facts up to `position` differ from the live ones, all of them.

    In one snapshot, in which the fresh ones are brought to where the live ones have come meanwhile.
    """
    connection = projector.connection
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        row = connection.execute(_LIVE).fetchone()
        if row is not None and row[0] == live:
            projector.project_on(fresh, position, row[1])
        connection.execute("SET LOCAL ROLE mingzhang_reader")
        return [fact for table in tables() for fact in differences(connection, table, live, fresh)]


def wrong_generation(connection: Connection) -> Iterator[WrongGeneration]:
    """Whether the mark of how far the live facts have come can be true."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.execute("SET LOCAL ROLE mingzhang_reader")
        row = connection.execute(_MARK).fetchone()
        if row is None:
            if (connection.execute(_SHOWN_BEFORE).fetchone() or (False,))[0]:
                yield WrongGeneration("没有在用的一代", "no generation of them is live")
            return  # the next projection is from the log
        number, position, same_instant, last = row
        if position > last:
            yield WrongGeneration(
                f"代次记到第 {position} 条，而日志到第 {last} 条",
                f"drawn up to {position}, they say, of a log of {last}",
            )
        elif not same_instant:
            yield WrongGeneration(
                f"代次所记第 {position} 条的得知时间不符",
                f"the instant of event {position} is not what they say",
            )
        furthest = max(
            (
                (row and row[0]) or 0
                for table in tables()
                for row in [
                    connection.execute(
                        f"SELECT max(position) FROM {schema_of(number)}.{table}".encode()
                    ).fetchone()
                ]
            ),
            default=0,
        )
        if furthest > position:
            yield WrongGeneration(
                f"代次记到第 {position} 条，而有第 {furthest} 条的事实：被调回或有伪造",
                f"set back or forged: drawn up to {position}, they hold facts of {furthest}",
            )


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


def differences(connection: Connection, table: str, live: int, fresh: int) -> list[WrongFact]:
    """The rows in which two projections of a table differ, a hundred at most."""
    here = f"SELECT * FROM {schema_of(live)}.{table}"
    there = f"SELECT * FROM {schema_of(fresh)}.{table}"
    rows = connection.execute(
        f"(SELECT of_position, false FROM ({here} EXCEPT ALL {there}) wrong)"
        f" UNION (SELECT of_position, true FROM ({there} EXCEPT ALL {here}) missing)"
        f" ORDER BY 1, 2 LIMIT {_MOST_NAMED}".encode()
    )
    return [WrongFact(table, *row) for row in rows]
