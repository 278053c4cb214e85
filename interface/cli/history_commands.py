"""The history of one thing: trace a payment, list the events of a loan or household."""

from __future__ import annotations

import json
from datetime import date
from typing import Annotated, Any

import typer
from rich.table import Table as Grid

from domain.household import Household
from domain.loan import Loan
from domain.money import yuan
from interface.cli.terminal import (
    ERR,
    OUT,
    AsOf,
    KnownAt,
    deployment_or_exit,
    instant_of,
    plain_grid,
    segments_grid,
    up_to_date_facts,
)
from interface.documents.rulings import rules_in_words
from projections.history import history
from projections.history import trace as trace_payment

app = typer.Typer()


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
    OUT.print(segments_grid(plain["calculation"]["segments"]))
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
    grid = plain_grid("依据 rule", "取值 value", "来源 source")
    for rule in rules_in_words((r["version"], r["value_then"], r["source"]) for r in rules):
        grid.add_row(rule["name"] or rule["version"], rule["value"], rule["source"])
    return grid


def _events_grid(events: list[dict[str, Any]]) -> Grid:
    """Events, one line each where the terminal is wide; days and positions are never cut."""
    grid = plain_grid("位置", "事件", "发生日", "得知", "报送 by", "编号 ref", "凭证 document")
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
