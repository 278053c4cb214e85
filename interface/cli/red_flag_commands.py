"""Commands about the red flags: what each finds on any day."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table as Grid

from domain.money import yuan
from interface.cli.terminal import (
    ERR,
    OUT,
    AsOf,
    KnownAt,
    day_of,
    deployment_or_exit,
    instant_of,
    up_to_date_facts,
)
from interface.exports.table_files import file_columns, file_rows
from interface.spreadsheet import write_csv, write_xlsx
from projections.red_flags import Checked, Finding, Rule, as_table, check_all, rules
from projections.red_flags import rule as rule_called

_RIGHT = ("疑点数", "金额(元)")

app = typer.Typer()


def rule_or_exit(id: str) -> Rule:
    """The red flag of an id; ends the program when there is none."""
    try:
        return rule_called(id)
    except LookupError as error:
        ERR.print(f"[red]没有此规则 / no such red flag:[/red] {id}", highlight=False)
        raise typer.Exit(2) from error


@app.command("red-flags")
def red_flags(
    as_of: AsOf = None,
    known_at: KnownAt = None,
    rule: Annotated[str | None, typer.Option(help="of one alone, with its findings")] = None,
    file: Annotated[
        Path | None, typer.Option("--csv", help="all findings to this .csv or .xlsx")
    ] = None,
    most: Annotated[int, typer.Option(help="findings on the screen")] = 20,
) -> None:
    """疑点 Ask the red flags of any day, as known at any instant."""
    asked = rules() if rule is None else [rule_or_exit(rule)]
    with deployment_or_exit() as deployment, up_to_date_facts(deployment) as facts:
        with facts.at(day_of(as_of), instant_of(known_at)) as view:
            found = check_all(view, asked)
            OUT.print(
                f"as_of {view.as_of} · known_at {view.known_at:%Y-%m-%dT%H:%M:%S.%fZ}"
                f" · position {view.position}",
                highlight=False,
            )
    if file is not None:
        table = as_table(found)
        write = write_xlsx if file.suffix == ".xlsx" else write_csv
        write(file, file_columns(table.columns), file_rows(table))
    _show(("规则", "疑点", "结果", *_RIGHT), [_fared(each) for each in found])
    if rule is not None:
        [checked] = found
        rows = [_line(finding) for finding in checked.findings[:most]]
        _show(("对象", "金额(元)", "最早可知", "证明事件"), rows)
        OUT.print(f"{checked.rule.runbook_zh}\n{checked.rule.runbook_en}", highlight=False)
    if file is not None:
        OUT.print(f"{sum(each.how_many for each in found)} 行 lines → {file}", highlight=False)
    raise typer.Exit(1 if any(each.error for each in found) else 0)


def _fared(each: Checked) -> tuple[str, ...]:
    title = f"{each.rule.title_zh} {each.rule.title_en}"
    if each.error is not None:
        return each.rule.id, title, f"出错 error: {each.error}", "", ""
    said = "有 found" if each.how_many else "无 clean"
    return each.rule.id, title, said, str(each.how_many), yuan(each.amount_fen)


def _line(finding: Finding) -> tuple[str, ...]:
    known = f"{finding.known_from:%Y-%m-%d %H:%M}" if finding.known_from else ""
    positions = " ".join(map(str, finding.positions))
    return finding.subject, yuan(finding.amount_fen), known, positions


def _show(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on a terminal; tab-separated lines into a pipe."""
    if not OUT.is_terminal:
        for row in (titles, *rows):
            typer.echo("\t".join(row))
        return
    grid = Grid()
    for title in titles:
        style: Any = "right" if title in _RIGHT else "left"
        grid.add_column(title, justify=style)
    for row in rows:
        grid.add_row(*row)
    OUT.print(grid)
