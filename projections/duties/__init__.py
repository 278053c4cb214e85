"""Duties (履职): what was due, what was done, and what was not done, on any day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, NamedTuple

from domain import duties as rules
from domain.duties import DUTIES, Deed, Duty, may_fall_due
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
_NAMES = keys(LINE)
_DUTY, _TOWNSHIP, _BANK, _DUE_ON, _STATE = map(
    _NAMES.index, ("duty", "township", "bank", "due_on", "state")
)
_OF_LOANS = ("usage_check", "first_reminder", "written_reminder", "repayment_plan")


class Wanted(NamedTuple):
    """Which duties: whose, of which kind, due from and until which day. None: not narrowed."""

    scope: Scope
    until: date
    duty: str | None = None
    due_from: date | None = None
    village: str | None = None
    household_no: str | None = None
    loan_no: str | None = None

    def is_kind(self, *kinds: str) -> bool:
        return self.duty is None or self.duty in kinds

    @property
    def few_loans(self) -> bool:
        """Whether so few loans are wanted that what concerns them is better read alone."""
        narrow = (self.scope.township, self.village, self.household_no, self.loan_no)
        return any(each is not None for each in narrow)


def duties(
    view: View,
    *,
    scope: Scope = COUNTY,
    duty: str | None = None,
    state: str | None = None,
    due_from: date | None = None,
    due_until: date | None = None,
    village: str | None = None,
    household_no: str | None = None,
    loan_no: str | None = None,
    after: tuple[str, ...] | None = None,
    most: int | None = None,
) -> Table:
    """One line a duty, in order of KEY; `after` names the line before a page.

    What falls due up to `due_until` (default: 92 days ahead) is listed as pending.
    """
    until = due_until or view.as_of + timedelta(days=92)
    first = _begin(due_from, after)
    wanted = Wanted(scope, until, duty, first, village, household_no, loan_no)
    places = [_NAMES.index(name) for name in KEY]
    lines = [
        (tuple(str(line[place]) for place in places), line)
        for line in _lines(view, wanted)
        if state is None or line[_STATE] == state
    ]
    lines.sort(key=lambda item: item[0])
    rows = [line for key, line in lines if after is None or key > after]
    return Table(LINE, rows[:most])


def _begin(due_from: date | None, after: tuple[str, ...] | None) -> date | None:
    """The first due day of a page: no line behind the cursor is due before the cursor's own."""
    if after is None:
        return due_from
    try:
        reached = date.fromisoformat(after[0])
    except ValueError:  # a cursor that this list did not give
        return due_from
    return max(due_from or reached, reached)


def summary(
    view: View,
    *,
    scope: Scope = COUNTY,
    due_from: date | None = None,
    due_until: date | None = None,
) -> Table:
    """How many duties of each kind stand how, by township and bank; up to `as_of` by default."""
    counted: Counter[tuple[str, str, str, str]] = Counter(
        (line[_TOWNSHIP] or "", line[_BANK], line[_DUTY], line[_STATE])
        for line in _lines(view, Wanted(scope, due_until or view.as_of, due_from=due_from))
    )
    groups = sorted({group[:3] for group in counted})
    rows: list[tuple[Any, ...]] = [
        (*group[:2], group[2], DUTIES[group[2]][0], *(counted[(*group, s)] for s in rules.STATES))
        for group in groups
    ]
    return Table(SUMMARY, rows)


def of_one_loan(view: View, bank: str, loan_no: str, *, scope: Scope = COUNTY) -> Table:
    """The duties of one loan that fell due up to the view's day, by their days."""
    wanted = Wanted(scope._replace(bank=bank), view.as_of, loan_no=loan_no)
    lines = (line for line in _of_loans(view, wanted) if line[_DUE_ON] <= view.as_of)
    return Table(LINE, sorted(lines, key=lambda line: (line[_DUE_ON], line[_DUTY])))


def of_loans(view: View, scope: Scope, until: date) -> Iterator[tuple[Any, ...]]:
    """The duties of loans alone, a line each, in no order: checks, reminders, plans."""
    return _of_loans(view, Wanted(scope, until))


def _of_loans(view: View, wanted: Wanted) -> Iterator[tuple[Any, ...]]:
    query = query_text(__name__).replace("{guaranteed}", guaranteed("l.loan_id"))
    of_them = "loan_id IN (SELECT loan_id FROM loan)" if wanted.few_loans else "true"
    is_named = (wanted.loan_no, wanted.household_no) != (None, None)
    ask = view.lookup if is_named else view.query
    loans = ask(
        query.replace("{of_them}", of_them),
        **parameters_of_loans(wanted.scope),
        village=wanted.village,
        household_no=wanted.household_no,
        loan_no=wanted.loan_no,
        due_from=wanted.due_from,
    )
    for loan in loans.dicts():
        due_days = _due_days(loan)
        if wanted.due_from is None or may_fall_due(
            loan["disbursed_on"], due_days, wanted.due_from, wanted.until, view.known_on, view.book
        ):
            for duty in _of_loan(loan, due_days, view, wanted):
                yield _line(loan, loan["bank"], loan["loan_no"], loan["opened_by"], duty)


def _lines(view: View, wanted: Wanted) -> Iterator[tuple[Any, ...]]:
    """The lines that are wanted, in no order."""
    first = wanted.due_from or date.min
    for line in _every_line(view, wanted):
        if first <= line[_DUE_ON] <= wanted.until and wanted.is_kind(line[_DUTY]):
            yield line


def _every_line(view: View, wanted: Wanted) -> Iterator[tuple[Any, ...]]:
    scope = wanted.scope
    if wanted.is_kind(*_OF_LOANS):
        yield from _of_loans(view, wanted)
    if scope.guarantor is not None or wanted.loan_no is not None:
        return  # the rest is no business of loans
    if wanted.is_kind("decision"):
        yield from _of_demands(view, wanted)
    if scope.bank is None:  # neither agreements nor notices are a bank's business
        if wanted.is_kind("benefit"):
            yield from _of_agreements(view, wanted)
        of_households = wanted.village is not None or wanted.household_no is not None
        if wanted.is_kind("public_notice") and not of_households:
            yield from _of_batches(view, scope)


def _of_demands(view: View, wanted: Wanted) -> Iterator[tuple[Any, ...]]:
    scope = wanted.scope
    for home in view.query(
        query_text(__name__, "demands.sql"),
        township=scope.township,
        village=wanted.village,
        household_no=wanted.household_no,
    ).dicts():
        banks = dict(zip(home["answer_positions"] or (), home["banks"] or (), strict=True))
        demands = _deeds(home["demand_days"], home["demand_positions"])
        answers = _deeds(home["answer_days"], home["answer_positions"], home["told"])
        for demand, duty in rules.decisions(demands, answers, as_of=view.as_of):
            bank = banks.get(duty.position or 0, "")
            if scope.bank is None or bank == scope.bank:
                yield _line(home, bank, "", demand.position, duty)


def _of_agreements(view: View, wanted: Wanted) -> Iterator[tuple[Any, ...]]:
    for owed in view.query(
        query_text(__name__, "benefits.sql"),
        township=wanted.scope.township,
        village=wanted.village,
        household_no=wanted.household_no,
    ).dicts():
        paid = _deeds(owed["days"], owed["positions"])
        for duty in rules.benefits(
            owed["signed_on"],
            list(zip(owed["due_days"], owed["due_fens"], strict=True)),
            list(zip(paid, owed["fens"] or (), strict=True)),
            as_of=view.as_of,
        ):
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
    return (duty.duty, title, responsible, *who, *duty[1:], of["village"])


def _due_days(loan: dict[str, Any]) -> list[tuple[date, date]]:
    """Agreed on, due on: the contract's own, then each extension's."""
    extensions = zip(loan["agreed_days"] or (), loan["new_due_days"] or (), strict=True)
    return [(loan["disbursed_on"], loan["due_on"]), *extensions]


def _of_loan(
    loan: dict[str, Any], due_days: list[tuple[date, date]], view: View, wanted: Wanted
) -> Iterator[Duty]:
    if wanted.is_kind("usage_check"):
        yield from _checks_of(loan, view, wanted.until)
    if wanted.is_kind("first_reminder", "written_reminder"):
        yield from _reminders_of(loan, due_days, view)
    plans = _deeds(loan["plan_days"], loan["plan_positions"])
    due_on, settled_on = due_days[-1][1], loan["settled_on"]
    yield from rules.repayment_plan(due_on, settled_on, plans, as_of=view.as_of)


def _checks_of(loan: dict[str, Any], view: View, until: date) -> Iterator[Duty]:
    lent_on, settled_on = loan["disbursed_on"], loan["settled_on"]
    checks = _deeds(loan["check_days"], loan["check_positions"])
    try:
        yield from rules.usage_checks(
            lent_on,
            settled_on,
            checks,
            as_of=view.as_of,
            until=until,
            known_on=view.known_on,
            book=view.book,
        )
    except NoRuling as lacking:
        yield _not_ruled("usage_check", lent_on, lacking)


def _reminders_of(
    loan: dict[str, Any], due_days: list[tuple[date, date]], view: View
) -> Iterator[Duty]:
    lent_on, due_on = due_days[0]
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
            days = view.book.ruling(f"{duty}_days", lent_on, view.known_on).number
        except NoRuling as lacking:
            yield _not_ruled(duty, due_on, lacking)
            continue
        settled_on = loan["settled_on"]
        yield from rules.reminders(duty, days, settled_on, due_days, deeds, as_of=view.as_of)


def _not_ruled(duty: str, day: date, lacking: NoRuling) -> Duty:
    """A duty that no document laid down when the loan was disbursed."""
    remark = f"{lacking.zh} {lacking.en}"
    return Duty(duty, day, "not_applicable", None, None, None, None, remark)


def _deeds(
    days: list[date] | None, positions: list[int] | None, proper: list[bool] | None = None
) -> list[Deed]:
    days, positions = days or [], positions or []
    return list(map(Deed, days, positions, proper or [True] * len(days)))
