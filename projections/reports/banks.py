"""Appraisal of banks (银行考核): reminders, reporting, corrections, overdue, answers; from events.

An appraisal is frozen by its two dates: as of 31 December, as known when it was made, it is the
same for ever.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date

from domain.duties import STATES
from domain.policy import NoRuling
from projections.duties import duties
from projections.facts.reading import COUNTY, Scope, Table, View, query_text
from projections.loan_ledger import loan_ledger
from projections.red_flags import check, rule
from projections.reports import share_bp
from projections.reports.columns import BANKS


def bank_appraisal(view: View, *, scope: Scope = COUNTY) -> Table:
    """One line a bank, of the year of `as_of` up to that day.

    Reminders by the day they were due; answers by the day of the demand, `answer_days` the sum of
    days from demand to answer; statements (disbursements, repayments) by the day they concern,
    late by policy/late_report_days.toml; monthly reports that differ from the ledger rebuilt at the
    month's end. What is not due yet counts nowhere.
    """
    first = date(view.as_of.year, 1, 1)
    balance: Counter[str] = Counter()
    overdue: Counter[str] = Counter()
    for line in loan_ledger(view, scope=scope).dicts():
        balance[line["bank"]] += line["outstanding_fen"]
        overdue[line["bank"]] += line["outstanding_fen"] if line["overdue"] else 0
    owed: dict[str, Counter[str]] = defaultdict(Counter)
    asked = duties(view, scope=scope, due_from=first, due_until=view.as_of)
    for line in asked.dicts():
        counted = owed[line["bank"]]
        if line["duty"] in ("first_reminder", "written_reminder"):
            counted[line["state"]] += 1
        elif line["duty"] == "decision" and line["done_on"] is not None:
            counted["answers"] += 1
            counted["answers_not_told"] += line["state"] == "not_done"
            counted["answer_days"] += (line["done_on"] - line["due_on"]).days
    late_days = _late_days(view)
    sql = query_text("projections.reports", "banks.sql")
    told = view.query(sql, first=first, late_days=late_days, bank=scope.bank)
    reported = {row[0]: row[1:] for row in told.rows}
    scaled = _scale_reports(view, scope)
    rows = []
    for bank in sorted({*balance, *owed, *reported, *scaled} - {""}):
        counted = owed[bank]
        done, late, missing = (counted[state] for state in STATES[1:4])
        rows.append(
            (
                bank,
                balance[bank],
                overdue[bank],
                share_bp(overdue[bank], balance[bank]),
                done,
                late,
                missing,
                share_bp(done, done + late + missing),
                counted["answers"],
                counted["answers_not_told"],
                counted["answer_days"],
                *reported.get(bank, (0, 0, 0)),
                *scaled.get(bank, (0, 0)),
            )
        )
    return Table(BANKS, rows)


def _late_days(view: View) -> int | None:
    """After how many days a statement is late; None, and none is, where no ruling says so."""
    try:
        return view.book.ruling("late_report_days", view.as_of, view.known_on).number
    except NoRuling:
        return None


_SCALE = """
SELECT bank, bank || ' ' || period FROM facts.standing_scale_report(%(as_of)s, %(known_at)s)
 WHERE left(period, 4) = %(year)s AND (%(bank)s::text IS NULL OR bank = %(bank)s)
"""


def _scale_reports(view: View, scope: Scope) -> dict[str, tuple[int, int]]:
    """By bank: its monthly reports of the year, and how many of them RF12 flags."""
    told: dict[str, list[str]] = defaultdict(list)
    for bank, subject in view.query(_SCALE, year=str(view.as_of.year), bank=scope.bank).rows:
        told[bank].append(subject)
    if not told:
        return {}
    checked = check(view, rule("RF12"))
    if checked.error is not None:
        raise RuntimeError(f"RF12: {checked.error}")
    flagged = {finding.subject for finding in checked.findings}
    return {bank: (len(all_of), len(flagged & {*all_of})) for bank, all_of in told.items()}
