"""Commands about the log itself: sealing, checkpoints, receipts, witnesses, verification."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from application.event_store.log_queries import position_of
from application.transparency_log.notes import NoteMalformed
from application.transparency_log.proofs import (
    NotSealed,
    Proofs,
    WitnessRefused,
    adding,
    admit_witness,
    reading,
    trust_policy,
)
from application.transparency_log.rows import export_log
from application.transparency_log.sequencer import LogAltered
from application.transparency_log.signer import SigningRefused
from interface.cli.red_flag_commands import rule_or_exit
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
from interface.deployment import Deployment
from interface.deployment.examination import Examination
from interface.exports.evidence import bundle, finding_bundle, finding_of
from projections.facts.comparison import export_facts
from projections.facts.draw import Projector
from projections.history import trace as trace_payment

app = typer.Typer()
log_app = typer.Typer(help="日志 The log itself: seals, proofs, witnesses.", no_args_is_help=True)
app.add_typer(log_app, name="log")

Target = Annotated[Path, typer.Argument(help="where to")]


@log_app.command()
def seal() -> None:
    """封存 Seal whatever is not sealed yet, and sign a checkpoint."""
    with deployment_or_exit() as deployment:
        sequencer = deployment.sequencer()
        try:
            with progress_bar("封存 sealing", None) as progress:
                done = 0

                def told(added: int) -> None:
                    nonlocal done
                    done += added
                    progress(done)

                sequencer.catch_up(told)
        except (LogAltered, SigningRefused) as finding:
            ERR.print(f"[red]拒绝封存 / not sealed:[/red] {finding}", highlight=False)
            raise typer.Exit(1) from finding
        finally:
            sequencer.close()
        with _proofs(deployment) as proofs:
            print(proofs.checkpoint().text(), end="")


@log_app.command()
def checkpoint(
    old: Annotated[
        int | None, typer.Option(help="an update for a witness who saw this size")
    ] = None,
    html: Annotated[Path | None, typer.Option("--page", help="as a page to print")] = None,
) -> None:
    """检查点 Show the newest checkpoint."""
    with deployment_or_exit() as deployment, _proofs(deployment) as proofs:
        if html is not None:
            from interface.documents.checkpoint_page import page

            html.write_text(page(proofs.checkpoint()), "utf-8")
        print(proofs.checkpoint().text() if old is None else proofs.update(old), end="")


@log_app.command()
def receipt(event_id: Annotated[str, typer.Argument(help="event id, or position")]) -> None:
    """回执 Show the receipt of one event."""
    with deployment_or_exit() as deployment, _proofs(deployment) as proofs:
        position = int(event_id) if event_id.isdigit() else _position_of(proofs, event_id)
        print(proofs.receipt(position), end="")


@log_app.command()
def export(path: Target) -> None:
    """导出日志 Write the whole log, as PostgreSQL itself writes it, for the verifier."""
    with deployment_or_exit() as deployment, _proofs(deployment) as proofs:
        with path.open("wb") as file, progress_bar("导出 exporting", None) as progress:
            count = export_log(proofs.connection, file, progress)
    OUT.print(f"{count} 条 events → {path}", highlight=False)


@log_app.command()
def facts(folder: Target) -> None:
    """导出事实 Write each table of the facts, a line of JSON a row, for the verifier."""
    folder.mkdir(parents=True, exist_ok=True)
    with deployment_or_exit() as deployment, _proofs(deployment) as proofs:
        Projector(deployment.dsn).catch_up()
        for table, rows in export_facts(proofs.connection, folder):
            OUT.print(f"{table:16} {rows:>10}", highlight=False)


@log_app.command()
def admit(organisation: str, vkey: str) -> None:
    """登记见证人 Let an organisation witness, with the key that its witness showed."""
    with deployment_or_exit() as deployment:
        try:
            key = admit_witness(deployment.owner_dsn, organisation, vkey)
        except (NoteMalformed, WitnessRefused) as error:
            ERR.print(f"[red]不能登记 / not admitted:[/red] {error}", highlight=False)
            raise typer.Exit(1) from error
        OUT.print(f"{organisation}: {key.name}", highlight=False)


@log_app.command()
def policy(
    quorum: Annotated[int, typer.Option(help="how many witnesses must have signed")] = 0,
) -> None:
    """信任策略 Write the trust policy of this log: its key, its witnesses, how many are needed."""
    with deployment_or_exit() as deployment, _proofs(deployment) as proofs:
        key = deployment.signer().key(proofs.origin)
        print(trust_policy(key, proofs.witnesses(), quorum), end="")


@log_app.command()
def cosigned(path: Annotated[Path, typer.Argument(exists=True, dir_okay=False)]) -> None:
    """收下共签 Keep the cosignatures that a witness gave back."""
    with deployment_or_exit() as deployment, adding(deployment.dsn, deployment.origin) as proofs:
        try:
            added = proofs.keep_cosignatures(path.read_text("utf-8"))
        except (NoteMalformed, WitnessRefused, UnicodeDecodeError) as error:
            ERR.print(f"[red]不受理 / refused:[/red] {error}", highlight=False)
            raise typer.Exit(1) from error
    OUT.print(f"{added} 个共签 cosignatures")


@app.command()
def verify(
    anchor: Annotated[
        list[Path] | None, typer.Option(exists=True, help="a checkpoint kept elsewhere")
    ] = None,
    with_facts: Annotated[bool, typer.Option("--facts/--no-facts", help="the facts too")] = True,
) -> None:
    """核验 Check the whole log, its tree, its checkpoints and the facts drawn from it."""
    with deployment_or_exit(examining=True) as deployment:
        examination = Examination(deployment, lambda what: progress_bar(what, None))
        anchors = [path.read_bytes().decode("utf-8", "replace") for path in anchor or []]
        result = examination.settings_log_and_keys(anchors)
        if with_facts:
            examination.facts()
    found = examination.found
    for _, fault in found:
        OUT.print(f"[red]✗[/red] {escape(fault)}", highlight=False, soft_wrap=True)
    events, sealed, checkpoints, anchored = result[:4] if result else (0, 0, 0, 0)
    coverage = result.coverage_bp / 100 if result else 0.0
    OUT.print(
        f"事件 events {events} · 已封存并核对 sealed and checked {sealed}"
        f" ({coverage:.2f} %) · 检查点 checkpoints {checkpoints}"
        f" · 外存 anchors {anchored} · 问题 faults {len(found)}",
        highlight=False,
        soft_wrap=True,
    )
    raise typer.Exit(1 if found else 0)


@app.command()
def evidence(
    what: Annotated[str, typer.Argument(help="payment number, or red flag with --subject")],
    subject: Annotated[str | None, typer.Option(help="whom a red flag, as RF11, flags")] = None,
    nth: Annotated[int, typer.Option(min=1, help="where it flags that several times")] = 1,
    out: Annotated[Path | None, typer.Option(help="default: evidence-WHAT.json")] = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
) -> None:
    """证据包 Write a payment's trace, or a finding, with all its events proven, as one file."""
    target = out or Path(f"evidence-{what}.json")
    with deployment_or_exit() as deployment, _proofs(deployment) as proofs:
        day, known = day_of(as_of), instant_of(known_at)
        if subject is not None:
            finding = _finding_or_exit(deployment, what, subject, nth, day, known)
            content = finding_bundle(proofs, deployment.signer(), finding)
        else:
            found = trace_payment(proofs.connection, what, known)
            if found is None:
                ERR.print(f"[red]没有这笔贴息 / no such payment:[/red] {what}")
                raise typer.Exit(1)
            content = bundle(proofs, deployment.signer(), what, found, day, known)
    target.write_text(json.dumps(content, ensure_ascii=False, indent=1), "utf-8")
    OUT.print(f"{len(content['events'])} 条事件 events → {target}", highlight=False)


def _finding_or_exit(
    deployment: Deployment, rule: str, subject: str, nth: int, day: date, known: datetime | None
) -> dict[str, Any]:
    asked = rule_or_exit(rule)
    with up_to_date_facts(deployment) as facts, facts.at(day, known) as view:
        found = finding_of(view, asked, subject, nth)
    if found is None:
        ERR.print(f"[red]没有此疑点 / not flagged:[/red] {rule} {subject}", highlight=False)
        raise typer.Exit(1)
    return found


@contextmanager
def _proofs(deployment: Deployment) -> Iterator[Proofs]:
    """The tree, read as a reader; what is not sealed is said and ends the program."""
    with reading(deployment.dsn, deployment.origin) as proofs:
        try:
            yield proofs
        except NotSealed as error:
            ERR.print(f"[red]尚未封存 / not sealed:[/red] {error}", highlight=False)
            raise typer.Exit(1) from error


def _position_of(proofs: Proofs, event_id: str) -> int:
    originator_id, _, version = event_id.partition(".")
    position = position_of(proofs.connection, originator_id, version)
    if position is None:
        raise typer.BadParameter(event_id, param_hint="EVENT_ID")
    return position
