"""The command line: the same commands and questions on the same store."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from threading import Event
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table as Grid

from application import access
from application.event_store.event_log import DatabaseError, utc_now
from application.event_store.log_queries import organisation_codes
from application.event_store.migrations import MigrationAltered, admit, migrate
from application.ledger import Ledger
from domain.household import Household
from domain.kernel import Author
from domain.loan import Loan
from domain.money import percent, yuan
from interface.cli.batch_commands import settle
from interface.cli.log_commands import evidence, log_app, verify
from interface.cli.personal_data_commands import erase, look, looks, rotate_wrapping
from interface.cli.red_flag_commands import red_flags
from interface.cli.terminal import (
    ERR,
    OUT,
    AsOf,
    KnownAt,
    about_database,
    author_or_exit,
    cannot_go_on,
    day_of,
    deployment_or_exit,
    instant_of,
    ledger_of,
    port_or_exit,
    progress_bar,
    settings_or_exit,
    unaltered_or_exit,
    up_to_date_facts,
)
from interface.deployment import COUNTY_OFFICES, Deployment, unify_stored_accounts
from interface.documents.rulings import rules_in_words
from interface.exports.table_files import file_columns, file_rows
from interface.http.request_log import write_logs_to
from interface.http.routes.submissions import LinesTooLarge, assure_measured, carry_out
from interface.imports.statement_files import LAYOUTS, own_columns, take_in
from interface.simulation.backtest.command import backtest
from interface.spreadsheet import UnreadableFile, write_csv, write_xlsx
from projections.changes import changes
from projections.columns import Column
from projections.duties import duties
from projections.facts.draw import Projector, digests
from projections.facts.reading import Facts, Table, live_generation
from projections.history import history
from projections.history import trace as trace_payment
from projections.loan_ledger import loan_ledger
from projections.subsidy_ledger import subsidy_ledger

app = typer.Typer(
    name="mingzhang",
    help="明账 mingzhang: an event-sourced ledger for public loan subsidies.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def serve(
    demo: Annotated[bool, typer.Option(help="load the demo county into an empty ledger")] = False,
    projecting: Annotated[bool, typer.Option(help="draw the facts in this process")] = True,
    sealing: Annotated[bool, typer.Option(help="seal the log in this process")] = True,
    watching: Annotated[bool, typer.Option(help="keep red flags found in this process")] = True,
) -> None:
    """启动服务 Start the service, on the embedded PostgreSQL if MINGZHANG_DSN names no other."""
    import uvicorn

    from interface.http.app import create_app
    from interface.http.server import LimitedProtocol

    write_logs_to(sys.stderr.buffer)
    signal.signal(signal.SIGTERM, _as_keyboard_interrupt)
    sys.setswitchinterval(0.001)
    port_or_exit(settings_or_exit())
    with deployment_or_exit() as deployment:
        settings = deployment.settings
        unaltered_or_exit(deployment, projecting=projecting)
        unify_stored_accounts(deployment)
        if demo:
            _load_demo(deployment)
        _welcome(deployment, demo=demo)
        uvicorn.run(
            create_app(deployment, projecting=projecting, sealing=sealing, watching=watching),
            host=settings.host,
            port=settings.port,
            http=LimitedProtocol,
            ws="none",
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=20,
        )


def _as_keyboard_interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@app.command("migrate")
def migrate_() -> None:
    """建库 Bring the database to the present schema (MINGZHANG_OWNER_DSN)."""
    settings = settings_or_exit()
    dsn = settings.owner_dsn or settings.dsn
    if dsn is None:
        with deployment_or_exit():
            return
    try:
        for name in migrate(dsn):
            OUT.print(f"applied {name}")
        if settings.dsn and (login := admit(dsn, settings.dsn)):
            OUT.print(f"admitted {login}")
        access.enrol(dsn, COUNTY_OFFICES)
    except MigrationAltered as error:
        raise cannot_go_on(str(error)) from error
    except DatabaseError as error:
        raise cannot_go_on(about_database(error)) from error


@app.command()
def project() -> None:
    """投影 Draw the facts continuously, as a process of its own."""
    from interface.workers.projector import project as keep_drawing

    stopping = _until_told_to_stop()
    with deployment_or_exit() as deployment:
        unaltered_or_exit(deployment, projecting=True)
        keep_drawing(deployment.dsn, stopping)


@app.command()
def watch() -> None:
    """盯查 Keep the red flags found as the facts go on, as a process of its own."""
    from interface.workers.red_flag_watcher import WatcherThreads

    stopping = _until_told_to_stop()
    with deployment_or_exit() as deployment:
        watchers = WatcherThreads(deployment.dsn, utc_now)
        watchers.start()
        stopping.wait()
        watchers.stop()


def _until_told_to_stop() -> Event:
    """Set when the system asks this process to end; its log goes to the standard error."""
    write_logs_to(sys.stderr.buffer)
    stopping = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    return stopping


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
    from projections.facts.reading import Scope

    ask = _ledger_called(which)
    with deployment_or_exit() as deployment, up_to_date_facts(deployment) as facts:
        with facts.at(day_of(as_of), instant_of(known_at)) as view:
            table = ask(view, scope=Scope(bank, township), most=most)
            OUT.print(
                f"as_of {view.as_of} · known_at {view.known_at:%Y-%m-%dT%H:%M:%S.%fZ}"
                f" · position {view.position}",
                highlight=False,
            )
            _show(table)


_WRITERS: dict[str, Any] = {".csv": write_csv, ".xlsx": write_xlsx}


@app.command()
def export(
    path: Annotated[Path, typer.Argument(help="where to: .csv or .xlsx")],
    which: Annotated[str, typer.Option(help="loans, subsidies or duties")] = "loans",
    as_of: AsOf = None,
    known_at: KnownAt = None,
) -> None:
    """导出 Write a whole ledger of any day to a file, in yuan."""
    ask = _ledger_called(which)
    write = _WRITERS.get(path.suffix.lower())
    if write is None:
        endings = "、".join(_WRITERS)
        raise typer.BadParameter(
            f"结尾须为 {endings}，不是 {path.name} / must end in {' or '.join(_WRITERS)}"
        )
    with deployment_or_exit() as deployment, up_to_date_facts(deployment) as facts:
        with facts.at(day_of(as_of), instant_of(known_at)) as view:
            table = ask(view)
            with progress_bar("导出 exporting", len(table.rows)) as progress:
                rows = _counted(file_rows(table), progress)
                write(path, file_columns(table.columns), rows)
    OUT.print(f"{len(table.rows)} 行 lines → {path}", highlight=False)


def _counted(rows: Any, progress: Any) -> Iterator[Any]:
    for number, row in enumerate(rows, 1):
        if number % 500 == 0:
            progress(number)
        yield row


@app.command()
def trace(
    payment_no: str,
    known_at: KnownAt = None,
    as_json: Annotated[bool, typer.Option("--json", help="the whole trace as JSON")] = False,
) -> None:
    """溯源 Show the full history behind one subsidy payment, to the fen and to the document."""
    with deployment_or_exit() as deployment, up_to_date_facts(deployment) as facts:
        with facts.connection() as connection:
            found = trace_payment(connection, payment_no, instant_of(known_at))
    if found is None:
        ERR.print(f"[red]没有这笔贴息 / no such payment:[/red] {payment_no}")
        raise typer.Exit(1)
    plain = found.plain(date.max)
    if as_json:
        print(json.dumps(plain, ensure_ascii=False, indent=1, default=str))
        return
    _show_trace(payment_no, plain)


def _show_trace(payment_no: str, plain: dict[str, Any]) -> None:
    paid = plain["payment"]["content"]
    by = plain["payment"]["told_by"]
    OUT.rule(f"贴息 subsidy payment {payment_no}")
    OUT.print(
        f"{paid['period']}  应贴 due {yuan(paid['due_fen'])}  已付 paid {yuan(paid['amount_fen'])}"
        f"  凭证 voucher {paid['voucher']}  经办 by {by['organisation']}/{by['person']}"
        f"  依据 document {plain['ground']['document'] or '—'}",
        highlight=False,
    )
    grid = _grid(
        "起 first", "止(不含) until", "天 days", "本金 principal", "利率 rate", "比例 share"
    )
    for s in plain["calculation"]["segments"]:
        grid.add_row(
            s["first"],
            s["until"],
            str(s["days"]),
            yuan(s["principal_fen"]),
            percent(s["rate_bp"]),
            percent(s["share_bp"]),
        )
    OUT.print(grid)
    OUT.print(_rules_grid(plain["rules_in_force"]))
    home = plain["household_on_disbursement_day"]
    OUT.print(
        f"户 household {home['household_no']}  {home['disbursed_on']}: "
        f"{home['category_when_paid']} (现知 as known: {home['category_as_known']})",
        highlight=False,
    )
    for late in plain["late_notices"]:
        OUT.print(
            f"公示迟报 notice reported late: {late['level']} {late['township']} {late['posted_on']}"
            f" … {late['until_on']}, recorded {late['recorded_on']}, {late['document']}",
            highlight=False,
            markup=False,
        )
    known = plain["household_events"] + plain["loan_events"]
    OUT.rule("拨付时已得知 known at the payment", align="left")
    OUT.print(_events_grid(sorted(known, key=lambda event: event["position"])))
    if plain["told_after_the_payment"]:
        OUT.rule("拨付之后才得知 known only after the payment", align="left")
        OUT.print(_events_grid(plain["told_after_the_payment"]))


def _rules_grid(rules: list[dict[str, Any]]) -> Grid:
    grid = _grid("依据 rule", "取值 value", "来源 source")
    for rule in rules_in_words((r["version"], r["value_then"], r["source"]) for r in rules):
        grid.add_row(rule["name"] or rule["version"], rule["value"], rule["source"])
    return grid


def _grid(*headings: str) -> Grid:
    """A table without a frame; a word that is too long for its column goes on below."""
    grid = Grid(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for heading in headings:
        grid.add_column(heading, overflow="fold")
    return grid


def _events_grid(events: list[dict[str, Any]]) -> Grid:
    """Events, one line each where the terminal is wide; days and positions are never cut."""
    grid = _grid("位置", "事件", "发生日", "得知", "报送 by", "编号 ref", "凭证 document")
    for column in (grid.columns[0], grid.columns[2], grid.columns[3]):
        column.no_wrap = True
    for e in events:
        grid.add_row(
            str(e["position"]),
            e["event_zh"] + (" (已冲正)" if e["corrected_by"] else ""),
            e["effective_on"],
            f"{e['recorded_at']:%Y-%m-%d}",
            f"{e['told_by']['organisation']}/{e['told_by']['person']}",
            e["ref"],
            e["ground"]["document"] or "",
        )
    return grid


@app.command("history")
def history_(
    bank: Annotated[str, typer.Argument(help="the bank's code, or 'household'")],
    number: Annotated[str, typer.Argument(help="loan number, or household number")],
    as_of: AsOf = None,
    known_at: KnownAt = None,
) -> None:
    """事件史 Show every event of a loan, or of a household."""
    id = Household.id_for(number) if bank == "household" else Loan.id_for(bank, number)
    with deployment_or_exit() as deployment, up_to_date_facts(deployment) as facts:
        with facts.connection() as connection:
            day = as_of.date() if as_of else None
            events = history(connection, [id], instant_of(known_at), day)
    if not events:
        ERR.print(f"[red]没有记录 / nothing is known of[/red] {bank} {number}")
        raise typer.Exit(1)
    OUT.print(_events_grid([event.plain() for event in events]))


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


keys_app = typer.Typer(help="密钥 Keys of organisations.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")
app.add_typer(log_app, name="log")
for command in (settle, backtest, verify, evidence, erase, look, looks):
    app.command()(command)
app.command("red-flags")(red_flags)
keys_app.command()(rotate_wrapping)


@keys_app.command("enrol")
def enrol(code: str, role: str, name: str) -> None:
    """登记机构 Enter an organisation."""
    with deployment_or_exit() as deployment:
        access.enrol(deployment.owner_dsn, [access.Organisation(code, role, name)])


@keys_app.command("issue")
def issue(organisation: str, person: str) -> None:
    """发放 Issue a key to a person; it is shown once."""
    with deployment_or_exit() as deployment:
        print(access.issue_key(deployment.owner_dsn, organisation, person))


@keys_app.command("revoke")
def revoke(organisation: str, person: str) -> None:
    """吊销 Revoke a person's keys."""
    with deployment_or_exit() as deployment:
        OUT.print(f"{access.revoke_keys(deployment.owner_dsn, organisation, person)} revoked")


def _load_demo(deployment: Deployment) -> None:
    """The demo county into an empty ledger, and a key for one person of each organisation."""
    from interface.simulation.demo import county, load

    ledger = Ledger(deployment.dsn, deployment.keys)
    empty = ledger.log.last_position() == 0
    ledger.close()
    if empty:
        made = county()
        with progress_bar("示范县 demo county", None) as progress:
            load(deployment.owner_dsn, deployment.dsn, deployment.keys, made, progress)
        with progress_bar("生成台账 drawing the facts", None) as progress:
            projector = Projector(deployment.dsn)
            projector.rebuild(progress)
            projector.close()
    key_file = deployment.settings.data / "demo-keys.json"
    if not key_file.exists():
        with Facts(deployment.dsn, most=1).connection() as connection:
            codes = organisation_codes(connection)
        owner = deployment.owner_dsn
        keys = {code: access.issue_key(owner, code, f"{code.lower()}-demo") for code in codes}
        for office in ("FINANCE", "AUDIT"):  # where one person may not take two steps
            keys[f"{office}-2"] = access.issue_key(owner, office, f"{office.lower()}-demo-2")
        key_file.touch(mode=0o600)
        key_file.write_text(json.dumps(keys, indent=1, ensure_ascii=False), "utf-8")


def _welcome(deployment: Deployment, *, demo: bool) -> None:
    settings = deployment.settings
    base = f"http://{settings.host}:{settings.port}"
    OUT.print(f"明账 mingzhang  {base}/docs   health {base}/healthz", highlight=False)
    if deployment.keys.wrapping_next is not None:
        OUT.print("[red]封装密钥更换未完成 / unfinished:[/red] keys rotate-wrapping")
    if demo:
        key_file = settings.data / "demo-keys.json"
        OUT.print(f"示范密钥 demo keys: {key_file}", highlight=False)


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


if __name__ == "__main__":
    os.umask(0o077)
    app()
