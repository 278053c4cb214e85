"""Dates that follow one another: one rule for every noun that has steps.

A date that a person writes is a claim (domain rules §2): a step is never dated before the step
that it follows, and a reversal, recovery or repayment never before what it answers.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from domain.kernel import Refused


class StepBefore(Refused):
    CODE, FIELD = "step_before", "effective_on"
    ZH = "日期 {effective_on} 早于其前一步（{step} {last_on}）"
    EN = "{effective_on} is before what it follows: {step_en}, {last_on}"


_STEPS: Final = {
    "the last step": "上一步",
    "the proposal": "批次提出",
    "the verification": "核实",
    "the objection": "异议提出",
    "the resolution": "异议认定",
    "the approval": "批准",
    "the order": "拨付指令",
    "the payment": "贴息拨付",
    "the compensation": "代偿",
    "the recovery": "追回",
    "the agreement": "协议签订",
    "the agreement on the extension": "展期商定",
    "the report of the risk": "风险上报",
    "the day that is reported on": "报表截止日",
    "the day of the findings": "线索查询截止日",
    "the plan's first day": "方案生效",
    "the decision on the credit": "授信决定",
    "the end of its month": "报表月末",
    "what is reversed": "被冲正的事项",
}
"""What a step may follow, in English and in Chinese."""


def assure_follows(
    effective_on: date, step: str, last_on: date, *, field: str = "effective_on"
) -> None:
    """Raises StepBefore when `effective_on` is before `last_on`, the day of `step`."""
    if effective_on < last_on:
        raise StepBefore(
            field, effective_on=effective_on, last_on=last_on, step=_STEPS[step], step_en=step
        )
