"""Import a file of events, as an organisation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from application.ledger import Ledger
from domain.kernel import Author
from interface.cli.terminal import (
    ERR,
    OUT,
    author_or_exit,
    deployment_or_exit,
    ledger_of,
    progress_bar,
)
from interface.deployment import Deployment
from interface.http.routes.submissions import LinesTooLarge, assure_measured, carry_out
from interface.imports.statement_files import LAYOUTS, own_columns, take_in
from interface.spreadsheet import UnreadableFile

app = typer.Typer()


@app.command("import")
def import_(
    path: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="NDJSON, CSV or XLSX")],
    as_: Annotated[str, typer.Option("--as", help="ORGANISATION:ROLE")],
    kind: Annotated[
        str, typer.Option(help=f"of a CSV or XLSX: {', '.join(LAYOUTS)}")
    ] = "repayment",
    atomic: Annotated[bool, typer.Option(help="all lines or none")] = False,
    person: Annotated[str, typer.Option(help="who does it")] = "cli",
    result: Annotated[Path | None, typer.Option(help="where the result file goes")] = None,
) -> None:
    """导入 Tell the ledger a file, as an organisation; the same file again changes nothing."""
    with deployment_or_exit() as deployment:
        by = author_or_exit(deployment, as_, person)
        ledger = ledger_of(deployment)
        try:
            if path.suffix.lower() in (".ndjson", ".jsonl", ".json"):
                assure_measured(path)
                refused = _import_lines(ledger, path, by, atomic, result)
            else:
                refused = _import_table(deployment, ledger, path, kind, by, atomic, result)
        except (LinesTooLarge, UnreadableFile) as fault:
            ERR.print(f"[red]{fault.code}[/red] {fault.zh} / {fault.en}", highlight=False)
            refused = 1
        finally:
            ledger.close()
    raise typer.Exit(1 if refused else 0)


def _import_lines(ledger: Ledger, path: Path, by: Author, atomic: bool, result: Path | None) -> int:
    recorded = again = refused = 0
    target = result or path.with_suffix(".result.ndjson")
    with path.open("rb") as told, target.open("w", encoding="utf-8") as answers:
        with progress_bar("导入 importing", None) as progress:
            for line in carry_out(ledger, told, by, atomic=atomic):
                answers.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
                again += bool(line.get("again"))
                refused += "code" in line
                recorded += "position" in line and not line["again"]
                progress(recorded + again + refused)
    _tally(recorded, again, refused, target)
    return refused


def _import_table(
    deployment: Deployment,
    ledger: Ledger,
    path: Path,
    kind: str,
    by: Author,
    atomic: bool,
    result: Path | None,
) -> int:
    if kind not in LAYOUTS:
        raise typer.BadParameter(f"one of {', '.join(LAYOUTS)}", param_hint="--kind")
    target = result or path.with_name(f"{path.stem}.result{path.suffix}")
    titles = own_columns(deployment.settings.column_folder, by.organisation, kind)
    try:
        with progress_bar("导入 importing", None) as progress:
            tally = take_in(
                ledger, path, kind, by, target, atomic=atomic, titles=titles, progress=progress
            )
    except UnreadableFile as refusal:
        ERR.print(f"[red]{refusal.code}[/red] {refusal.zh} / {refusal.en}", highlight=False)
        return 1
    _tally(tally.recorded, tally.again, tally.refused, target)
    return tally.refused


def _tally(recorded: int, again: int, refused: int, target: Path) -> None:
    OUT.print(
        f"入账 recorded {recorded} · 已报送过 told before {again} · 退回 refused {refused}"
        f" · 回盘 result: {target}",
        highlight=False,
    )
