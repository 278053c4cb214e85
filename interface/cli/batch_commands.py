"""Commands about paying: the settlement run, with progress, on the terminal or to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError
from rich.table import Table as Grid

from application.fields import Quarter
from domain.calendar import named_quarter
from domain.money import yuan
from interface.cli.terminal import (
    ERR,
    OUT,
    AsOf,
    KnownAt,
    day_of,
    deployment_or_exit,
    instant_of,
    progress_bar,
    up_to_date_facts,
)
from interface.exports.table_files import file_columns, file_rows
from interface.spreadsheet import write_csv, write_xlsx
from projections.settlement import STATES, as_table, settlement

app = typer.Typer()


@app.command()
def settle(
    period: Annotated[str, typer.Argument(help="the last quarter, 2023Q4")],
    as_of: AsOf = None,
    known_at: KnownAt = None,
    path: Annotated[Path | None, typer.Option(help="all lines to a .csv or .xlsx")] = None,
) -> None:
    """结息 What every loan is due for every quarter, by two roads that must agree."""
    try:
        name = TypeAdapter(Quarter).validate_python(period)
    except ValidationError:
        ERR.print(f"[red]不是结息期 / not a quarter:[/red] {period} (2023Q4)")
        raise typer.Exit(1) from None
    with deployment_or_exit() as deployment, up_to_date_facts(deployment) as facts:
        with facts.at(day_of(as_of), instant_of(known_at)) as view:
            last = named_quarter(name, view.book)
            with progress_bar("结息 settling", None) as progress:
                found = settlement(view, last, progress=progress)
            kind = "测算 estimate" if view.as_of < last.until else "结息 calculation"
            OUT.print(f"{kind} {name} · as_of {view.as_of} · position {view.position}")
    table = as_table(found)
    grid = Grid("状态 state", "笔 lines", "差额 left (元)")
    for state in STATES:
        left = [due.left_fen for due in found if due.state == state]
        grid.add_row(state, str(len(left)), yuan(sum(left)))
    OUT.print(grid)
    for reason in dict.fromkeys(due.reason for due in found if due.reason):
        OUT.print(reason, highlight=False)
    OUT.print("两法逐笔一致 both roads agree on every line")
    if path is not None:
        write = write_xlsx if path.suffix == ".xlsx" else write_csv
        write(path, file_columns(table.columns), file_rows(table))
        OUT.print(f"{len(table.rows)} 行 lines → {path}", highlight=False)
