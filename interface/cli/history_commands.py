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
    up_to_date_facts,
)
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
    grid = Grid("起 first", "止 until", "天 days", "本金 principal", "利率 bp", "份额 share")
    for s in plain["calculation"]["segments"]:
        grid.add_row(
            s["first"],
            s["until"],
            str(s["days"]),
            yuan(s["principal_fen"]),
            str(s["rate_bp"]),
            str(s["share_bp"]),
        )
    OUT.print(grid)
    for rule in plain["rules_in_force"]:
        OUT.print(f"  {rule['name']} = {rule['value_then']}  {rule['source']}", highlight=False)
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
    told = plain["household_events"] + plain["loan_events"]
    told = sorted(told, key=lambda e: e["position"])
    OUT.print(_events_grid(told + plain["told_after_the_payment"]))


def _events_grid(told: list[dict[str, Any]]) -> Grid:
    events = Grid(
        "位置", "事件", "发生日", "得知 recorded", "报送 told by", "编号 ref", "凭证 document"
    )
    for e in told:
        events.add_row(
            str(e["position"]),
            e["event_zh"] + (" (已冲正)" if e["corrected_by"] else ""),
            e["effective_on"],
            f"{e['recorded_at']:%Y-%m-%d %H:%M}",
            f"{e['told_by']['organisation']}/{e['told_by']['person']}",
            e["ref"],
            e["ground"]["document"] or "",
        )
    return events


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
