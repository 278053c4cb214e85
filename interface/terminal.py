"""What all commands of the command line share: the deployment, the screen, the two dates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from application import access
from application.guards import SchemaState, missing_guards
from application.ledger import Ledger
from application.migrations import MigrationAltered, MigrationFailed
from application.refusals import SchemaAltered
from application.store import EventLog, UnsafeDatabase
from application.tree.signer import SigningKeyMissing
from application.vault import KeysMissing
from domain.calendar import civil_day
from domain.kernel import Author
from interface.deployment import Deployment, deployed
from interface.embedded_db import EmbeddedPostgresError
from interface.settings import Settings
from projections.facts.draw import Projector
from projections.facts.reading import Facts

OUT, ERR = Console(), Console(stderr=True)

AsOf = Annotated[datetime | None, typer.Option("--as-of", formats=["%Y-%m-%d"], help="civil day")]
KnownAt = Annotated[str | None, typer.Option("--known-at", help="RFC 3339 instant")]
_CANNOT_START = (
    UnsafeDatabase,
    KeysMissing,
    SigningKeyMissing,
    MigrationAltered,
    MigrationFailed,
    EmbeddedPostgresError,
)


@contextmanager
def deployment_or_exit() -> Iterator[Deployment]:
    """The deployment that the environment names; what is unsafe is said and ends the program."""
    try:
        with deployed(Settings()) as deployment:
            yield deployment
    except _CANNOT_START as error:
        ERR.print(f"[red]不能启动 / cannot start:[/red] {error}", highlight=False)
        raise typer.Exit(2) from error
    except SchemaAltered as refusal:
        ERR.print(f"[red]未受理 / not acknowledged:[/red] {refusal.zh} / {refusal.en}")
        raise typer.Exit(2) from refusal


def unaltered_or_exit(deployment: Deployment, *, projecting: bool) -> None:
    """Facts of another version are drawn anew; anything else that is altered ends the program."""
    if projecting:
        projector = Projector(deployment.dsn)
        if projector.of_another_version():
            with progress_bar("新版本重建 redrawing for this version", None) as progress:
                projector.rebuild(progress)
        projector.close()
    found = altered(deployment)
    for sentence in found:
        ERR.print(f"[red]✗[/red] {sentence}", highlight=False)
    if found:
        ERR.print("[red]不能启动：数据库被改动 / cannot start: the database was altered[/red]")
        raise typer.Exit(2)


def altered(deployment: Deployment) -> list[str]:
    """What in the database is not as the migrations make it, each in a sentence."""
    log = EventLog(deployment.dsn, role="mingzhang_reader")
    try:
        return missing_guards(log.connection)
    finally:
        log.close()


@contextmanager
def progress_bar(text: str, total: int | None) -> Iterator[Any]:
    """A bar on the terminal; yields a function of (done, total)."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=ERR) as bar:
        task = bar.add_task(text, total=total)
        yield lambda done, of=None: bar.update(task, completed=done, total=of or total)


@contextmanager
def up_to_date_facts(deployment: Deployment) -> Iterator[Facts]:
    """The facts, drawn up to the end of the log."""
    projector = Projector(deployment.dsn)
    projector.catch_up()
    projector.close()
    facts = Facts(deployment.dsn, most=2)
    try:
        yield facts
    finally:
        facts.close()


def author_or_exit(deployment: Deployment, as_: str, person: str) -> Author:
    """Somebody of an organisation that is enrolled; ends the program when it is not."""
    organisation, _, role = as_.partition(":")
    if access.organisation_of(deployment.dsn, organisation, role) is None:
        ERR.print(f"[red]没有登记的机构 / no such organisation:[/red] {as_}")
        raise typer.Exit(2)
    return Author(role, organisation, person)


def ledger_of(deployment: Deployment) -> Ledger:
    """A conversation with the deployment's ledger, which takes nothing if the schema is altered."""
    state = SchemaState()
    state.altered = altered(deployment)
    for sentence in state.altered:
        ERR.print(f"[red]✗[/red] {sentence}", highlight=False)
    key_file = deployment.settings.key_file
    return Ledger(deployment.dsn, deployment.keys, key_file=key_file, schema=state)


def day_of(as_of: datetime | None) -> date:
    """The civil day that was asked for, or today's."""
    return as_of.date() if as_of else civil_day(datetime.now().astimezone())


def instant_of(known_at: str | None) -> datetime | None:
    """The instant that was asked for. Raises typer.BadParameter."""
    if known_at is None:
        return None
    try:
        moment = datetime.fromisoformat(known_at)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise typer.BadParameter("2023-04-05T12:00:00Z", param_hint="--known-at")
    return moment
