"""What all commands of the command line share: the deployment, the screen, the two dates."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from time import monotonic
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as Grid

from application import access
from application.event_store.event_log import (
    ConnectionTroubled,
    DatabaseError,
    EventLog,
    NotMigrated,
    UnsafeDatabase,
    utc_now,
)
from application.event_store.guards import ANOTHER_VERSION, NONE_LIVE, SchemaState, missing_guards
from application.event_store.migrations import MigrationAltered, MigrationFailed
from application.ledger import Ledger
from application.personal_data.encryption import KeysMissing
from application.refusals import SchemaAltered
from application.transparency_log.sequencer import LogAltered
from application.transparency_log.signer import SigningKeyMissing, SigningKeyOther, SigningRefused
from domain.calendar import civil_day
from domain.kernel import Author
from domain.money import percent, yuan
from domain.roles import Role
from interface.deployment import Deployment, deployed
from interface.deployment.embedded_db import EmbeddedPostgresError
from interface.deployment.settings import Settings
from projections.facts.draw import Projector
from projections.facts.reading import Facts

OUT, ERR = Console(), Console(stderr=True)

AsOf = Annotated[datetime | None, typer.Option("--as-of", formats=["%Y-%m-%d"], help="civil day")]
KnownAt = Annotated[str | None, typer.Option("--known-at", help="RFC 3339 instant")]
_LINE_SECONDS = 5.0
_CANNOT_START = (
    UnsafeDatabase,
    KeysMissing,
    SigningKeyMissing,
    SigningKeyOther,
    SigningRefused,
    LogAltered,
    MigrationAltered,
    MigrationFailed,
    EmbeddedPostgresError,
)


@contextmanager
def deployment_or_exit(*, examining: bool = False) -> Iterator[Deployment]:
    """The deployment that the environment names; what stands in its way ends the program.

    Said in a sentence, never as a traceback: what is unsafe, what cannot be read or reached.
    `examining`: what is wrong with the log itself is found by the caller, and ends nothing.
    """
    settings, started = settings_or_exit(), False
    try:
        with deployed(settings, examining=examining) as deployment:
            started = True
            yield deployment
    except _CANNOT_START as error:
        raise cannot_go_on(str(error)) from error
    except DatabaseError as error:
        if started and not isinstance(error, ConnectionTroubled):
            raise
        raise cannot_go_on(about_database(error)) from error
    except SchemaAltered as refusal:
        ERR.print(f"[red]未受理 / not acknowledged:[/red] {refusal.zh} / {refusal.en}")
        raise typer.Exit(2) from refusal
    except OSError as error:
        raise cannot_go_on(
            f"文件不可用 / a file cannot be used: {error.filename or ''} {error.strerror or error}"
        ) from error


def settings_or_exit() -> Settings:
    """The settings of the environment; a wrong one is named and ends the program."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = "; ".join(
            f"MINGZHANG_{'_'.join(map(str, each['loc'])).upper()}={each['input']!r}: {each['msg']}"
            for each in error.errors(include_url=False)
        )
        raise cannot_go_on(f"设置有误 / a setting is wrong: {wrong}") from error


def port_or_exit(settings: Settings) -> None:
    """Make sure that the service can listen where it should; else say so and end the program."""
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family[0], family[1]) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(family[4])
    except (OSError, OverflowError) as error:
        raise cannot_go_on(
            f"不能在 {settings.host}:{settings.port} 上监听（端口被占用？可改 MINGZHANG_PORT）"
            f" / cannot listen there: {error}"
        ) from error


def cannot_go_on(sentence: str) -> typer.Exit:
    """Say what stands in the way; raise what this returns."""
    ERR.print("[red]不能启动 / cannot start:[/red]", end=" ")
    ERR.print(sentence, highlight=False, markup=False)
    return typer.Exit(2)


def about_database(error: Exception) -> str:
    """Why the database cannot be used, with the first line of what it says: never a password."""
    said = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if isinstance(error, ConnectionTroubled) and "role" not in said:
        return f"数据库连接不上或已中断 / the database cannot be reached, or was lost: {said}"
    if isinstance(error, NotMigrated) or "role" in said:
        return (
            "数据库尚未建好：请以所有者登录（MINGZHANG_OWNER_DSN）运行 migrate"
            f" / the database is not migrated: run migrate with the owner's login: {said}"
        )
    return f"连接不上数据库，请检查 MINGZHANG_DSN / the database cannot be used: {said}"


def unaltered_or_exit(deployment: Deployment, *, projecting: bool) -> None:
    """Facts of another version, or that are not live, are drawn anew, and that is said.

    Anything else that is altered ends the program.
    """
    found = altered(deployment)
    if projecting and found in ([ANOTHER_VERSION], [NONE_LIVE]):
        projector = Projector(deployment.dsn)
        with progress_bar("新版本重建 redrawing for this version", None) as progress:
            projector.rebuild(progress)
        projector.close()
        found = altered(deployment)
    for sentence in found:
        ERR.print(f"✗ {sentence}", highlight=False, markup=False)
    if found:
        raise cannot_go_on("数据库被改动 / the database was altered")


def altered(deployment: Deployment) -> list[str]:
    """What in the database is not as the migrations make it, each in a sentence."""
    log = EventLog(deployment.dsn, role="mingzhang_reader")
    try:
        return missing_guards(log.connection)
    finally:
        log.close()


@contextmanager
def progress_bar(text: str, total: int | None) -> Iterator[Any]:
    """A bar on the terminal, lines where there is none; yields a function of (done, total)."""
    if not ERR.is_terminal:
        yield _progress_lines(text, total)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=ERR) as bar:
        task = bar.add_task(text, total=total)
        yield lambda done, of=None: bar.update(task, completed=done, total=of or total)


def _progress_lines(text: str, total: int | None) -> Callable[[int, int | None], None]:
    """Says how far it is every few seconds, and at the end."""
    begun = said = monotonic()

    def heard(done: int, of: int | None = None) -> None:
        nonlocal said
        of, now = of or total, monotonic()
        if now - said >= _LINE_SECONDS or done == of:
            said = now
            ERR.print(f"{text} {done}/{of or '?'} {now - begun:.0f} s", highlight=False)

    return heard


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
    return Author(Role(role), organisation, person)


def ledger_of(deployment: Deployment) -> Ledger:
    """A conversation with the deployment's ledger, which takes nothing if the schema is altered."""
    state = SchemaState()
    state.altered = altered(deployment)
    for sentence in state.altered:
        ERR.print(f"✗ {sentence}", highlight=False, markup=False)
    return Ledger(
        deployment.dsn,
        deployment.keys,
        key_file=deployment.settings.key_file,
        promises=deployment.promises(),
        schema=state,
    )


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


def plain_grid(*headings: str) -> Grid:
    """A table without a frame; a word that is too long for its column goes on below."""
    grid = Grid(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for heading in headings:
        grid.add_column(heading, overflow="fold")
    return grid


def segments_grid(segments: Iterable[Mapping[str, Any]]) -> Grid:
    """The segments of a calculation: days, principal in yuan, rate and share in percent."""
    grid = plain_grid(
        "起 first", "止(不含) until", "天 days", "本金 principal", "利率 rate", "比例 share"
    )
    for each in segments:
        grid.add_row(
            str(each["first"]),
            str(each["until"]),
            str(each["days"]),
            yuan(each["principal_fen"]),
            percent(each["rate_bp"]),
            percent(each["share_bp"]),
        )
    return grid
