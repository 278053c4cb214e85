"""Duties (履职): what was due, what was done, and what was not done, on any day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from domain import duties as rules
from domain.duties import DUTIES, Deed, Duty
from domain.policy import NoRuling
from projections.columns import keys
from projections.duties.columns import DUTIES as LINE
from projections.duties.columns import SUMMARY
from projections.facts.reading import (
    COUNTY,
    Scope,
    Table,
    View,
    guaranteed,
    parameters_of_loans,
    query_text,
)

KEY = ("due_on", "bank", "loan_no", "household_no", "duty", "opened_by", "township")
"""The order of the lines; no two lines share all of these."""


def duties(
    view: View,
    *,
    scope: Scope = COUNTY,
    duty: str | None = None,
    state: str | None = None,
    due_from: date | None = None,
    due_until: date | None = None,
    after: tuple[str, ...] | None = None,
    most: int | None = None,
) -> Table:
    """One line a duty, in order of KEY; `after` names the line before a page.

    What falls due up to `due_until` (default: 92 days ahead) is listed as pending.
    """
    until = due_until or view.as_of + timedelta(days=92)
    names = keys(LINE)
    places = [names.index(name) for name in KEY]
    lines = [
        (tuple(str(line[place]) for place in places), line)
        for line in _lines(view, scope, until)
        if (duty is None or line[0] == duty)
        and (state is None or line[9] == state)
        and (due_from is None or line[8] >= due_from)
        and line[8] <= until
    ]
    lines.sort(key=lambda item: item[0])
    rows = [line for key, line in lines if after is None or key > after]
    return Table(LINE, rows[:most])


def summary(view: View, *, scope: Scope = COUNTY, due_until: date | None = None) -> Table:
    """How many duties of each kind stand how, by township and bank."""
    until = due_until or view.as_of
    counted: Counter[tuple[str, str, str, str]] = Counter(
        (line[3] or "", line[5], line[0], line[9])
        for line in _lines(view, scope, until)
        if line[8] <= until
    )
    groups = sorted({group[:3] for group in counted})
    rows: list[tuple[Any, ...]] = [
        (*group[:2], group[2], DUTIES[group[2]][0], *(counted[(*group, s)] for s in rules.STATES))
        for group in groups
    ]
    return Table(SUMMARY, rows)


def of_one_loan(view: View, bank: str, loan_no: str, *, scope: Scope = COUNTY) -> Table:
    """The duties of one loan that fell due up to the view's day, by their days."""
    lines = of_loans(view, scope._replace(bank=bank), view.as_of, loan_no)
    place = keys(LINE).index("due_on")
    return Table(
        LINE,
        sorted(
            (line for line in lines if line[place] <= view.as_of),
            key=lambda line: (line[place], line[0]),
        ),
    )


def of_loans(
    view: View, scope: Scope, until: date, loan_no: str | None = None
) -> Iterator[tuple[Any, ...]]:
    """The duties of loans alone, a line each, in no order: checks, reminders, plans.

    `loan_no`: of the loans of this number alone.
    """
    query = query_text(__name__).replace("{guaranteed}", guaranteed("l.loan_id"))
    parameters = parameters_of_loans(scope) | {"loan_no": loan_no}
    for loan in view.query(query, **parameters).dicts():
        for duty in _of_loan(loan, view, until):
            yield _line(loan, loan["bank"], loan["loan_no"], loan["opened_by"], duty)


def _lines(view: View, scope: Scope, until: date) -> Iterator[tuple[Any, ...]]:
    yield from of_loans(view, scope, until)
    if scope.guarantor is not None:  # the rest is no business of loans
        return
    for home in view.query(query_text(__name__, "demands.sql"), township=scope.township).dicts():
        banks = dict(zip(home["answer_positions"] or (), home["banks"] or (), strict=True))
        demands = _deeds(home["demand_days"], home["demand_positions"])
        answers = _deeds(home["answer_days"], home["answer_positions"], home["told"])
        for demand, duty in rules.decisions(demands, answers, as_of=view.as_of):
            bank = banks.get(duty.position or 0, "")
            if scope.bank is None or bank == scope.bank:
                yield _line(home, bank, "", demand.position, duty)
    if scope.bank is None:  # neither agreements nor notices are a bank's business
        yield from _of_agreements(view, scope, until)
        yield from _of_batches(view, scope)


def _of_agreements(view: View, scope: Scope, until: date) -> Iterator[tuple[Any, ...]]:
    for owed in view.query(query_text(__name__, "benefits.sql"), township=scope.township).dicts():
        paid = _deeds(owed["days"], owed["positions"])
        for duty in rules.benefits(
            owed["signed_on"],
            list(zip(owed["due_days"], owed["due_fens"], strict=True)),
            list(zip(paid, owed["fens"] or (), strict=True)),
            as_of=view.as_of,
        ):
            if duty.due_on <= until:
                yield _line(owed, "", "", owed["opened_by"], duty)


def _of_batches(view: View, scope: Scope) -> Iterator[tuple[Any, ...]]:
    try:
        levels = list(view.book.ruling("notice_levels", view.as_of, view.known_on).words)
        days = view.book.ruling("notice_days", view.as_of, view.known_on).number
    except NoRuling:  # no document wants a notice yet
        return
    notices = view.query(
        query_text(__name__, "notices.sql"), township=scope.township, levels=levels, days=days
    )
    for batch in notices.dicts():
        posted = [Deed(batch["posted_on"], batch["position"])] * batch["posted"]
        duty = rules.public_notice(
            batch["verified_on"], batch["wanted"], posted, batch["until_on"], as_of=view.as_of
        )
        yield _line(batch, "", "", batch["opened_by"], duty)


def _line(
    of: dict[str, Any], bank: str, loan_no: str, opened_by: int, duty: Duty
) -> tuple[Any, ...]:
    title, responsible = DUTIES[duty.duty]
    if duty.duty == "public_notice" and not of["township"]:
        responsible = "centre"
    who = of["township"], of["household_no"], bank, loan_no, opened_by
    return (duty.duty, title, responsible, *who, *duty[1:])


def _of_loan(loan: dict[str, Any], view: View, until: date) -> Iterator[Duty]:
    lent_on, due_on, settled_on = loan["disbursed_on"], loan["due_on"], loan["settled_on"]
    as_of, known_on, book = view.as_of, view.known_on, view.book
    checks = _deeds(loan["check_days"], loan["check_positions"])
    try:
        yield from rules.usage_checks(
            lent_on, settled_on, checks, as_of=as_of, until=until, known_on=known_on, book=book
        )
    except NoRuling as lacking:
        yield _not_ruled("usage_check", lent_on, lacking)
    extensions = zip(loan["agreed_days"] or (), loan["new_due_days"] or (), strict=True)
    due_days = [(lent_on, due_on), *extensions]
    kinds = loan["reminder_kinds"] or ()
    said = _deeds(loan["reminder_days"], loan["reminder_positions"])
    written = _deeds(loan["reminder_days"], loan["reminder_positions"], loan["written"])
    for duty, deeds in (
        ("first_reminder", [d for d, kind in zip(said, kinds, strict=True) if kind == "first"]),
        (
            "written_reminder",
            [d for d, kind in zip(written, kinds, strict=True) if kind == "written"],
        ),
    ):
        try:
            days = book.ruling(f"{duty}_days", lent_on, known_on).number
        except NoRuling as lacking:
            yield _not_ruled(duty, due_on, lacking)
            continue
        yield from rules.reminders(duty, days, settled_on, due_days, deeds, as_of=as_of)
    plans = _deeds(loan["plan_days"], loan["plan_positions"])
    yield from rules.repayment_plan(due_days[-1][1], settled_on, plans, as_of=as_of)


def _not_ruled(duty: str, day: date, lacking: NoRuling) -> Duty:
    """A duty that no document laid down when the loan was disbursed."""
    remark = f"{lacking.zh} {lacking.en}"
    return Duty(duty, day, "not_applicable", None, None, None, None, remark)


def _deeds(
    days: list[date] | None, positions: list[int] | None, proper: list[bool] | None = None
) -> list[Deed]:
    days, positions = days or [], positions or []
    return list(map(Deed, days, positions, proper or [True] * len(days)))
