"""The ledgers of any day: show, export, compare, rebuild."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table as Grid

from application.personal_data.encryption import Vault
from domain.money import yuan
from interface.cli.terminal import (
    OUT,
    AsOf,
    KnownAt,
    day_of,
    deployment_or_exit,
    instant_of,
    progress_bar,
    up_to_date_facts,
)
from interface.deployment import Deployment
from interface.exports.file_head import head_of_file, with_code_names
from interface.exports.table_files import write_table
from interface.http.masked_names import with_names
from projections.changes import changes
from projections.columns import BORROWER, LOAN_ID, Column
from projections.duties import duties
from projections.facts.draw import Projector, digests
from projections.facts.reading import Scope, Table, View, live_generation
from projections.loan_ledger import loan_ledger
from projections.subsidy_ledger import subsidy_ledger

app = typer.Typer()


_LEDGERS: Any = {"loans": loan_ledger, "subsidies": subsidy_ledger, "duties": duties}


def _ledger_called(name: str) -> Any:
    if name not in _LEDGERS:
        raise typer.BadParameter(f"没有此台账 no such ledger: {name}; {', '.join(_LEDGERS)}")
    return _LEDGERS[name]


@app.command()
def ledger(
    which: Annotated[str, typer.Argument(help="loans, subsidies or duties")] = "loans",
    as_of: AsOf = None,
    known_at: KnownAt = None,
    bank: str | None = None,
    township: str | None = None,
    most: Annotated[int, typer.Option(help="lines on the screen")] = 20,
) -> None:
    """台账 Show a ledger of any day, as it was known at any instant."""
    query = _ledger_called(which)
    with deployment_or_exit() as deployment, up_to_date_facts(deployment) as facts:
        with facts.at(day_of(as_of), instant_of(known_at)) as view:
            table = _named(deployment, view, query(view, scope=Scope(bank, township), most=most))
            OUT.print(
                f"as_of {view.as_of} · known_at {view.known_at:%Y-%m-%dT%H:%M:%S.%fZ}"
                f" · position {view.position}",
                highlight=False,
            )
            _show(table)


_ENDINGS = (".csv", ".xlsx")


def _named(deployment: Deployment, view: View, table: Table) -> Table:
    """A ledger of loans with the borrowers' masked names, as over HTTP."""
    if LOAN_ID not in table.columns or BORROWER not in table.columns:
        return table
    return with_names(Vault(deployment.keys, deployment.settings.key_file), view, table)


@app.command()
def export(
    path: Annotated[Path, typer.Argument(help="where to: .csv or .xlsx")],
    which: Annotated[str, typer.Option(help="loans, subsidies or duties")] = "loans",
    as_of: AsOf = None,
    known_at: KnownAt = None,
    notes: Annotated[bool, typer.Option(help="a CSV says what it is before its header")] = False,
) -> None:
    """导出 Write a whole ledger of any day to a file, in yuan, with both dates and a digest."""
    query = _ledger_called(which)
    if path.suffix.lower() not in _ENDINGS:
        endings = "、".join(_ENDINGS)
        raise typer.BadParameter(
            f"结尾须为 {endings}，不是 {path.name} / must end in {' or '.join(_ENDINGS)}"
        )
    with deployment_or_exit() as deployment, up_to_date_facts(deployment) as facts:
        with facts.at(day_of(as_of), instant_of(known_at)) as view:
            table = with_code_names(view, _named(deployment, view, query(view)))
            head = head_of_file(view, table, which, "")
            with progress_bar("导出 exporting", len(table.rows)) as progress:
                write_table(
                    path, table, head, notes=notes, through=lambda rows: _counted(rows, progress)
                )
    OUT.print(f"{len(table.rows)} 行 lines → {path} · sha256 {head.digest}", highlight=False)


def _counted(rows: Any, progress: Any) -> Iterator[Any]:
    for number, row in enumerate(rows, 1):
        if number % 500 == 0:
            progress(number)
        yield row


@app.command("changes")
def changes_(
    known_from: Annotated[str, typer.Argument(help="RFC 3339 instant")],
    known_at: KnownAt = None,
    which: Annotated[str, typer.Option(help="loans, subsidies or duties")] = "loans",
    as_of: AsOf = None,
) -> None:
    """认知差异 Show what changed in a ledger between two states of knowledge, and why."""
    since = instant_of(known_from)
    assert since is not None
    with deployment_or_exit() as deployment, up_to_date_facts(deployment) as facts:
        with facts.at(day_of(as_of), instant_of(known_at)) as view:
            found = changes(view, "subsidies" if which == "subsidies" else "loans", since)
    for change in found:
        moved = "  ".join(f"{name} {yuan(fen)}" for name, fen in change.difference.items())
        OUT.print(f"[bold]{' '.join(change.key.values())}[/bold]  {moved}", highlight=False)
        for cause in change.causes:
            amount = "" if cause["amount_fen"] is None else yuan(cause["amount_fen"])
            OUT.print(
                f"   {cause['recorded_at']:%Y-%m-%d %H:%M}  {cause['organisation']}"
                f"  {cause['topic']}  {cause['amount_of'] or ''} {amount}  {cause['ref']}",
                highlight=False,
            )
    everything = all(change.explained for change in found)
    OUT.print(f"{len(found)} 行有变 lines changed; 全部可解释 all explained: {everything}")


@app.command()
def rebuild() -> None:
    """重建 Draw all facts again beside the live ones, compare, and let them take their place."""
    with deployment_or_exit() as deployment, progress_bar("重建 rebuilding", None) as progress:
        projector = Projector(deployment.dsn)
        if projector.of_another_version():
            projector.rebuild(progress)
            projector.close()
            OUT.print("为本版本重新生成，未作比较 / drawn for this version: not compared")
            return
        projector.catch_up()
        live = live_generation(projector.connection)
        before = digests(projector.connection, live.number) if live else {}
        number = projector.rebuild(progress)
        after = digests(projector.connection, number)
        now = live_generation(projector.connection)
        moved = live is None or now is None or now.position != live.position
        projector.close()
    same = before == after
    for table, (rows, digest) in after.items():
        OUT.print(f"{table:16} {rows:>10}  {digest}", highlight=False)
    if moved:
        OUT.print("其间有新事件，未作比较 / new events came meanwhile: not compared")
    elif same:
        OUT.print("[green]与原有事实逐表相同 / equal to the facts before, table by table[/green]")
    else:
        OUT.print("[red]与原有事实不同！/ different from the facts before![/red]")
        raise typer.Exit(1)


_SHOWN = (
    "township", "household_no", "bank", "loan_no", "period", "payment_no", "principal_fen",
    "annual_rate_bp", "disbursed_on", "due_on", "outstanding_fen", "subsidy_fen", "overdue",
    "paid_on", "paid_fen", "recovered_fen",
)  # fmt: skip


def _show(table: Table) -> None:
    """The main columns on a terminal; all of them, tab-separated, into a pipe."""
    if not OUT.is_terminal:
        print("\t".join(table.keys))
        for row in table.rows:
            print("\t".join(map(_text, table.columns, row)))
        return
    shown = [(place, c) for place, c in enumerate(table.columns) if c.key in _SHOWN]
    shown.sort(key=lambda each: _SHOWN.index(each[1].key))
    grid = Grid()
    for _, column in shown:
        right = column.kind in ("fen", "bp")
        grid.add_column(column.title_zh, no_wrap=True, justify="right" if right else "left")
    for row in table.rows:
        grid.add_row(*(_text(column, row[place]) for place, column in shown))
    OUT.print(grid)


def _text(column: Column, value: Any) -> str:
    if value is None:
        return ""
    return yuan(value) if column.kind == "fen" else str(value)
