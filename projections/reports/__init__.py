"""Reports and indicators (绩效目标): the plan's targets against the ledger of any day.

Everything is counted from the lines of the loan ledger, so a report and the ledger of the same two
dates cannot differ. Definitions: domain rules [P]; 逾期率 = overdue / outstanding [N].
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any

from domain.money import divide_half_up
from domain.plan_check import target
from domain.policy import NoRuling
from projections.facts.reading import COUNTY, Scope, Table, View, query_text
from projections.loan_ledger import loan_ledger
from projections.reports.columns import INDICATORS, TOWNSHIPS

COUNTY_ROW = "合计"


def share_bp(part: int, whole: int) -> int | None:
    """`part` of `whole` in basis points, half up; None of nothing."""
    return divide_half_up(part * 10_000, whole) if whole else None


def township_report(view: View, *, scope: Scope = COUNTY) -> Table:
    """The monthly report (乡镇月报): stock, new in the year, overdue; the last row is their sum.

    A household belongs to one township, so the households sum as well; those of an unknown
    township stand in a row of their own (""). The plan's target is the county's, so only the last
    row, and only the whole county's, has a share of it.
    """
    year, known_on = view.as_of.year, view.known_on
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in loan_ledger(view, scope=scope).dicts():
        groups[line["township"] or ""].append(line)
    rows = [_row(name, groups[name], year) for name in sorted(groups)]
    sums = [sum(column) for column in zip(*(row[1:] for row in rows), strict=True)] or [0] * 9
    wanted = target("target_disbursed_fen", year, known_on, view.book) if scope == COUNTY else None
    return Table(
        TOWNSHIPS,
        [
            *(_with_rates(row, None) for row in rows),
            _with_rates((COUNTY_ROW, *sums), wanted.number if wanted else None),
        ],
    )


def _row(township: str, lines: list[dict[str, Any]], year: int) -> tuple[Any, ...]:
    stock = [line for line in lines if line["outstanding_fen"] > 0]
    new = [line for line in lines if line["disbursed_on"].year == year]
    overdue = [line for line in stock if line["overdue"]]
    return (
        township,
        *_counted(stock, "outstanding_fen"),
        *_counted(new, "principal_fen"),
        *_counted(overdue, "outstanding_fen"),
    )


def _counted(lines: list[dict[str, Any]], amount: str) -> tuple[int, int, int]:
    homes = {line["household_no"] for line in lines}
    return len(homes), len(lines), sum(line[amount] for line in lines)


def _with_rates(row: tuple[Any, ...], target_fen: int | None) -> tuple[Any, ...]:
    share = None if target_fen is None else share_bp(row[6], target_fen)
    return (*row[:7], share, *row[7:], share_bp(row[9], row[3]))


def _eligible_categories(view: View) -> list[int | str]:
    """The categories that are eligible on the view's day; none before any ruling says which."""
    try:
        return list(view.book.ruling("eligible_categories", view.as_of, view.known_on).words)
    except NoRuling:
        return []


def indicators(view: View) -> Table:
    """One line an indicator of the plan: what it wanted, what the ledger of the day shows.

    `value` and `target` are in `unit`; None where the plan of the year was not known on the day,
    or where no event of this ledger measures it (`basis` says so).
    """
    year, known_on = view.as_of.year, view.known_on
    lines = list(loan_ledger(view).dicts())
    stock = [line for line in lines if line["outstanding_fen"] > 0]
    new = [line for line in lines if line["disbursed_on"].year == year]
    fell_due = [line for line in lines if date(year, 1, 1) <= line["due_on"] <= view.as_of]
    due_fen = sum(line["principal_fen"] for line in fell_due)
    overdue_fen = sum(line["outstanding_fen"] for line in stock if line["overdue"])
    balance_fen = sum(line["outstanding_fen"] for line in stock)
    own_fen = sum(line["outstanding_fen"] for line in stock if line["diverted_on"] is None)
    borrowers = {line["household_no"] for line in stock}
    categories = _eligible_categories(view)
    homes = view.query(query_text(__name__, "households.sql"), categories=categories).rows
    eligible = {number for number, is_eligible in homes if is_eligible}
    wanted = {
        name: found.number if (found := target(name, year, known_on, view.book)) else None
        for name in ("target_disbursed_fen", "target_households", "target_townships")
    }
    rows: list[tuple[str, str, str, int | None, int | None, str]] = [
        ("disbursed", "年度发放", "fen", sum(line["principal_fen"] for line in new),
         wanted["target_disbursed_fen"], "本年放款本金"),
        ("households", "受益户", "households", len({line["household_no"] for line in new}),
         wanted["target_households"], "本年有放款的户"),
        ("townships", "覆盖乡镇", "townships",
         len({line["township"] for line in new if line["township"]}),
         wanted["target_townships"], "本年有放款的乡镇"),
        ("repayment_rate", "还款率", "bp",
         share_bp(sum(line["repaid_fen"] for line in fell_due), due_fen), 10_000,
         "本年到期贷款已还本金 / 其本金"),
        ("risk_ratio", "逾期率", "bp", share_bp(overdue_fen, balance_fen), 0, "逾期余额 / 余额"),
        ("borrowers_of_registered", "户贷率(在册户)", "bp", share_bp(len(borrowers), len(homes)),
         None, "有余额户 / 在册户"),
        ("borrowers_of_eligible", "户贷率(符合条件户)", "bp",
         share_bp(len(borrowers & eligible), len(eligible)), None,
         "有余额的符合条件户 / 符合条件户"),
        ("own_use", "户贷户用率", "bp", share_bp(own_fen, balance_fen), None,
         "未查出挪用的余额 / 余额"),
        ("satisfaction", "满意度", "bp", None, None, "账本无此类事件 no event measures it"),
        ("income", "增收", "fen", None, None, "账本无此类事件 no event measures it"),
    ]  # fmt: skip
    return Table(INDICATORS, list(rows))
