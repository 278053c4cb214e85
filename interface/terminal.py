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
from application.ledger import Ledger
from application.migrations import MigrationAltered
from application.store import UnsafeDatabase, utc_now
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
    facts = Facts(deployment.dsn, most=2, clock=utc_now)
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
    """A conversation with the deployment's ledger."""
    return Ledger(deployment.dsn, deployment.keys, key_file=deployment.settings.key_file)


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
