"""Why a loan's subsidy for a quarter is what it is, and how it differs from what was paid."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError

from application.fields import Quarter
from domain.money import yuan
from domain.policy import NoRuling
from interface.cli.terminal import (
    ERR,
    OUT,
    AsOf,
    KnownAt,
    day_of,
    deployment_or_exit,
    instant_of,
    segments_grid,
    up_to_date_facts,
)
from projections.facts.reading import View
from projections.subsidy_explanation import explanation, loans_called

app = typer.Typer()


@app.command()
def why(
    bank: Annotated[str, typer.Argument(help="the bank's code")],
    loan_no: Annotated[str, typer.Argument(help="the loan's number")],
    period: Annotated[str, typer.Argument(help="the quarter, 2023Q3")],
    as_of: AsOf = None,
    known_at: KnownAt = None,
    as_json: Annotated[bool, typer.Option("--json", help="all of it as JSON")] = False,
) -> None:
    """贴息说明 Why a loan is due this for a quarter, or nothing, by both calculations."""
    try:
        name = TypeAdapter(Quarter).validate_python(period)
    except ValidationError:
        raise _not_found(f"不是结息期 / not a quarter: {period} (2023Q4)") from None
    with deployment_or_exit() as deployment, up_to_date_facts(deployment) as facts:
        with facts.at(day_of(as_of), instant_of(known_at)) as view:
            plain = _explained(view, bank, loan_no, name)
            head = f"as_of {view.as_of} · known_at {view.known_at.isoformat()}"
    if as_json:
        print(json.dumps(plain, ensure_ascii=False, indent=1, default=str))
        return
    OUT.rule(f"贴息说明 {bank} {loan_no} {name}")
    OUT.print(head, highlight=False)
    _show(plain)


def _explained(view: View, bank: str, loan_no: str, period: str) -> dict[str, Any]:
    loans = list(loans_called(view, loan_no, bank=bank).dicts())
    if not loans:
        raise _not_found(f"没有这笔贷款 / no such loan: {bank} {loan_no}")
    try:
        return explanation(view, loans[0], period).plain()
    except NoRuling as missing:
        raise _not_found(f"{missing.zh} / {missing.en}") from missing


def _not_found(sentence: str) -> typer.Exit:
    """Say what there is not; raise what this returns."""
    ERR.print(f"[red]{sentence}[/red]", highlight=False)
    return typer.Exit(1)


def _show(plain: dict[str, Any]) -> None:
    loan = plain["loan"]
    OUT.print(
        f"户 household {loan['household_no']}  放款 lent {loan['disbursed_on']}"
        f" {yuan(loan['principal_fen'])}  到期 due {loan['due_on']}"
        f"  结息期 quarter {plain['first']} … {plain['until']}",
        highlight=False,
    )
    OUT.print(f"{plain['state_zh']} / {plain['state_en']}", highlight=False)
    for reason in plain["reasons"]:
        OUT.print(
            f"  {reason['first']} … {reason['until']} {reason['days']:>3} 天"
            f"  {reason['zh']} / {reason['en']}",
            highlight=False,
        )
        for other in reason["loans"]:
            OUT.print(
                f"      {other['bank']} {other['loan_no']}  欠 owed {yuan(other['owed_fen'])}"
                f"  占 takes {yuan(other['takes_fen'])}",
                highlight=False,
            )
    _show_segments(plain["calculations"])
    _show_payments(plain)


def _show_segments(calculations: dict[str, Any]) -> None:
    """One calculation where both agree; both, under their names, where they do not."""
    agree = calculations["agree"]
    for by in ("domain",) if agree else ("domain", "sql"):
        if not agree:
            OUT.print(f"{by}: {yuan(calculations[by]['due_fen'])}", highlight=False)
        if calculations[by]["segments"]:
            OUT.print(segments_grid(calculations[by]["segments"]))
    OUT.print(
        "两法一致 both calculations agree"
        if agree
        else "[red]两法不一致 the calculations differ[/red]"
    )


def _show_payments(plain: dict[str, Any]) -> None:
    """What was paid, and on which days it was calculated otherwise than today."""
    for payment in plain["payments"]:
        OUT.print(
            f"拨付 {payment['payment_no']}  {payment['paid_on']}  {yuan(payment['paid_fen'])}"
            f"  净 net {yuan(payment['net_fen'])}",
            highlight=False,
        )
        for each in payment["differences"]:
            OUT.print(
                f"      {each['first']} … {each['until']}  当时 then {_earning(each['then'])}"
                f"  现在 now {_earning(each['now'])}",
                highlight=False,
            )
    for line in plain["batch_lines"]:
        OUT.print(
            f"批次 {line['batch_no']} 第 {line['line']} 行  {line['kind']}"
            f"  {yuan(line['amount_fen'])}  {line['state']}  {line['reason'] or ''}",
            highlight=False,
        )


def _earning(earning: dict[str, int] | None) -> str:
    if earning is None:
        return "—"
    return f"{yuan(earning['principal_fen'])} × {earning['rate_bp']} bp × {earning['share_bp']} bp"
