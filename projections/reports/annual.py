"""The annual statistics form (年度统计表) of the year in which a view's day lies."""

from __future__ import annotations

from collections import defaultdict
from datetime import date

from projections.facts.reading import COUNTY, Scope, Table, View
from projections.loan_ledger import loan_ledger
from projections.reports.columns import ANNUAL

_MOVED = """
SELECT coalesce(-sum(p.amount_fen) FILTER (WHERE p.account = 'principal'
                                             AND p.counter_account = 'borrower'), 0)::bigint,
       coalesce(sum(p.amount_fen) FILTER (WHERE p.account = 'interest'), 0)::bigint,
       coalesce(sum(p.amount_fen) FILTER (WHERE p.account = 'subsidy'), 0)::bigint
  FROM facts.posting p
  LEFT JOIN facts.standing_loan(%(as_of)s, %(known_at)s) l USING (loan_id)
  LEFT JOIN facts.standing_household(%(as_of)s, %(known_at)s) h USING (household_id)
 WHERE p.effective_on BETWEEN %(first)s AND %(as_of)s AND p.recorded_at <= %(known_at)s
   AND (%(bank)s::text IS NULL OR l.bank = %(bank)s)
   AND (%(township)s::text IS NULL OR h.township = %(township)s)
"""


def annual_form(view: View, *, scope: Scope = COUNTY) -> Table:
    """Lent in the year by use, fell due, came back, subsidy (net of recoveries), and the balance.

    `purpose` is empty but for the lines by use; what has no count of loans or households has None.
    """
    first = date(view.as_of.year, 1, 1)
    lines = list(loan_ledger(view, scope=scope).dicts())
    lent = [line for line in lines if line["disbursed_on"] >= first]
    by_use = defaultdict(list)
    for line in lent:
        by_use[line["purpose"]].append(line)
    fell_due = [line for line in lines if first <= line["due_on"] <= view.as_of]
    stock = [line for line in lines if line["outstanding_fen"] > 0]
    moved = view.query(_MOVED, first=first, bank=scope.bank, township=scope.township)
    repaid_fen, interest_fen, subsidy_fen = moved.rows[0]
    rows: list[tuple[str, str, str, int | None, int | None, int]] = [
        ("disbursed", "本年发放", "", *_counted(lent, "principal_fen"))
    ]
    for use in sorted(by_use):
        counted = _counted(by_use[use], "principal_fen")
        rows.append(("disbursed_by_use", "本年发放，按用途", use, *counted))
    rows += [
        ("fell_due", "本年到期", "", *_counted(fell_due, "principal_fen")),
        ("fell_due_unpaid", "本年到期未还", "",
         *_counted([line for line in fell_due if line["outstanding_fen"]], "outstanding_fen")),
        ("principal_repaid", "本年收回本金", "", None, None, repaid_fen),
        ("interest_repaid", "本年收回利息", "", None, None, interest_fen),
        ("subsidy_paid", "本年贴息净额", "", None, None, subsidy_fen),
        ("outstanding", "年末余额", "", *_counted(stock, "outstanding_fen")),
    ]  # fmt: skip
    return Table(ANNUAL, list(rows))


def _counted(lines: list[dict[str, object]], amount: str) -> tuple[int, int, int]:
    homes = {line["household_no"] for line in lines}
    return len(lines), len(homes), sum(int(str(line[amount])) for line in lines)
