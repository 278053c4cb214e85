"""Commands about personal data: erasure, recorded looks, the wrapping secret."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.table import Table as Grid

from application.command import Command
from application.commands.household import EraseHousehold, LookAtHousehold
from application.ledger import Recorded
from application.personal_data.encryption import Vault
from domain.calendar import civil_day
from domain.household import Household
from domain.kernel import Author, Refused
from domain.roles import Role
from interface.cli.terminal import (
    ERR,
    OUT,
    author_or_exit,
    deployment_or_exit,
    ledger_of,
    up_to_date_facts,
)
from interface.deployment import Deployment
from interface.http.errors import faults
from interface.http.masked_names import laid_open, looks_at

As = Annotated[str, typer.Option("--as", help="ORGANISATION:ROLE")]
Person = Annotated[str, typer.Option(help="who does it")]
Ref = Annotated[str, typer.Option(help="the organisation's own number for it")]
Why = Annotated[str, typer.Option(help="why")]
Document = Annotated[str | None, typer.Option(help="on what paper it rests")]

app = typer.Typer()


@app.command()
def erase(
    household_no: str,
    as_: As,
    person: Person,
    ref: Ref,
    reason: Why,
    document: Document = None,
) -> None:
    """个人信息销毁 Destroy a household's key: its names and numbers can never be read again."""
    with deployment_or_exit() as deployment:
        by = author_or_exit(deployment, as_, person)
        told = _told(ref, reason, document, household_no=household_no)
        recorded = _submit(deployment, EraseHousehold, told, by)
    again = "  已报送过 told before" if recorded.again else ""
    OUT.print(f"已销毁 erased {household_no} · 位置 position {recorded.position}{again}")
    OUT.print("旧备份仍含密钥：请运行 / old backups still hold the key: keys rotate-wrapping")


@app.command()
def look(
    household_no: str,
    as_: As,
    person: Person,
    ref: Ref,
    reason: Why,
    document: Document = None,
) -> None:
    """查看个人信息 Show a household's personal data as JSON, once it is recorded who looks."""
    with deployment_or_exit() as deployment:
        by = author_or_exit(deployment, as_, person)
        told = _told(ref, reason, document, household_no=household_no)
        if _submit(deployment, LookAtHousehold, told, by).again:
            ERR.print("[red]此编号已答复过 / this reference was answered before[/red]")
            raise typer.Exit(1)
        with up_to_date_facts(deployment) as facts, facts.connection() as connection:
            bank = by.organisation if by.role == Role.BANK else None
            vault = Vault(deployment.keys, deployment.settings.key_file)
            shown = laid_open(connection, vault, household_no, bank=bank)
    print(json.dumps(shown, ensure_ascii=False, indent=1, default=str))


@app.command()
def looks(household_no: str) -> None:
    """查看记录 Show who looked at a household's people, when and why."""
    with deployment_or_exit() as deployment, up_to_date_facts(deployment) as facts:
        with facts.connection() as connection:
            table = looks_at(connection, Household.id_for(household_no), None, None)
    if table is None:
        ERR.print(f"[red]没有记录 / nothing is known of[/red] {household_no}")
        raise typer.Exit(1)
    grid = Grid(*(column.title_zh for column in table.columns[:-1]))
    for row in table.rows:
        grid.add_row(*("" if value is None else str(value) for value in row[:-1]))
    OUT.print(grid)


def _told(ref: str, reason: str, document: str | None, **named: str) -> dict[str, Any]:
    ground = {"document": document} if document else {}
    today = civil_day(datetime.now().astimezone())
    return {"ref": ref, "effective_on": today, "reason": reason, "ground": ground, **named}


def _submit(
    deployment: Deployment, kind: type[Command], told: dict[str, Any], by: Author
) -> Recorded:
    """Tell the ledger one thing; what is refused is said and ends the program."""
    ledger = ledger_of(deployment)
    try:
        return ledger.submit(kind.model_validate(told), by)
    except ValidationError as error:
        fault = faults(error.errors(include_url=False))[0]
        code, zh, en = fault["code"], f"{fault['pointer']} {fault['zh']}", fault["en"]
    except Refused as refusal:
        code, zh, en = refusal.CODE, refusal.zh, refusal.en
    finally:
        ledger.close()
    ERR.print(f"[red]{code}[/red] {zh} / {en}", highlight=False)
    raise typer.Exit(1)
