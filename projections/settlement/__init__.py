"""The settlement run (结息): what every loan is due for every closed quarter, by two roads.

One road is the domain's own arithmetic over each loan's terms, the other is SQL over the facts.
They must agree to the fen on every loan and quarter, or the run gives no answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from domain.batch import Kind, Line, Run
from domain.calendar import Period, quarter_name, quarter_of
from domain.policy import Book
from domain.subsidy import Calculation, LoanTerms, Movement, calculate
from domain.subsidy_limit import FINDINGS_ZH, Limit, ObjectionFinding, Others, most_fen
from projections.facts.reading import COUNTY, Scope, Table, View, question

FIRST_DAY: Final = date(2019, 8, 20)
"""No quote of the LPR is older: nothing before it can be calculated."""
_LAST_DAY: Final = date(9000, 1, 1)
RULES: Final = (
    "eligible_categories", "longest_term_months", "one_year_term_months", "lpr_one_year",
    "lpr_five_year", "subsidy_share", "credit_cap_fen",
)  # fmt: skip
COLUMNS: Final = (
    "township", "village", "household_no", "bank", "loan_no", "period", "due_fen", "paid_fen",
    "reserved_fen", "limit_fen", "note", "left_fen", "state",
)  # fmt: skip
Progress = Callable[[int, int], None]


class RoadsDisagree(Exception):
    """The two roads give different fen: nothing may be paid on either."""

    def __init__(self, found: Sequence[tuple[str, str, int, int]]) -> None:
        loan, period, python_fen, sql_fen = found[0]
        super().__init__(
            f"{len(found)} 处两法不一致 the roads disagree at {len(found)} places; the first:"
            f" {loan} {period}: Python {python_fen}, SQL {sql_fen} fen"
        )


class Rules(NamedTuple):
    """Rulings, and the day up to which documents count as known."""

    book: Book
    known_on: date


class Objection(NamedTuple):
    """One upheld objection to a line of a loan; `finding` None: nothing lasting was found."""

    period: str
    batch_no: str
    objection_no: str
    line: int
    reason: str
    finding: ObjectionFinding | None
    first: date | None
    until: date | None
    most_fen: int | None
    others: Others | None
    lifted: str | None

    @property
    def limit(self) -> Limit | None:
        """What it leaves, until it is lifted."""
        if self.first is None or self.until is None or self.others is None:
            return None
        most = self.most_fen or 0
        return Limit(self.batch_no, self.objection_no, self.first, self.until, most, self.others)

    def __str__(self) -> str:
        found = f"（{FINDINGS_ZH[self.finding]} {self.finding}）" if self.finding else ""
        place = f"批次 {self.batch_no} 第 {self.line} 行"
        said = f"异议 {self.objection_no}（{place}）成立{found}：{self.reason}"
        return said + (f"；限定已解除：{self.lifted}" if self.lifted else "")


class Objections(NamedTuple):
    """The upheld objections to one loan's lines, in the order in which they became known."""

    told: tuple[Objection, ...] = ()

    @property
    def limits(self) -> list[Limit]:
        """What they leave, those that were lifted apart."""
        found = (each.limit for each in self.told if each.lifted is None)
        return [limit for limit in found if limit is not None]

    def note(self, period: str, first: date) -> str | None:
        """Those that concern a quarter, in words."""
        words = [
            str(each)
            for each in self.told
            if each.period == period or ((limit := each.limit) and limit.of(first) is not None)
        ]
        return "。".join(words) or None


class Due(NamedTuple):
    """One loan and quarter: what is due, what was paid, what open batches hold."""

    loan: dict[str, Any]
    name: str
    period: Period
    due_fen: int
    paid_fen: int
    reserved_fen: int
    calculation: Calculation
    objections: Objections

    @property
    def limit_fen(self) -> int | None:
        """The most that upheld objections leave, whatever is due; None: no limit."""
        return most_fen(self.objections.limits, self.period.first)

    @property
    def note(self) -> str | None:
        """The upheld objections that this quarter comes back after or is limited by."""
        return self.objections.note(self.name, self.period.first)

    @property
    def left_fen(self) -> int:
        """What is still to be listed; below zero: what was paid too much."""
        limit_fen = self.limit_fen
        due_fen = self.due_fen if limit_fen is None else min(self.due_fen, limit_fen)
        if self.paid_fen > due_fen:
            return due_fen - self.paid_fen
        return max(due_fen - self.paid_fen - self.reserved_fen, 0)


_name = lru_cache(maxsize=1 << 12)(quarter_name)


def settlement(
    view: View,
    last: Period,
    *,
    scope: Scope = COUNTY,
    rules: Rules | None = None,
    progress: Progress | None = None,
) -> list[Due]:
    """Every loan and quarter up to `last` with anything due, paid or held; by bank and loan.

    Earlier quarters are calculated again on all that is known: a late-told repayment shows as a
    difference. `rules`: others than those known to the view. `progress` hears the loans done and
    the loans in all. Raises RoadsDisagree.
    """
    ruled = rules or Rules(view.book, view.known_on)
    loans = list(view.ask(question(__name__, "loans.sql"), until=last.until).dicts())
    taken = {
        (loan_id, period): (paid_fen, reserved_fen)
        for loan_id, period, paid_fen, reserved_fen in view.ask(
            question(__name__, "taken.sql")
        ).rows
    }
    objections = _objections(view)
    homes: dict[str, list[LoanTerms]] = defaultdict(list)
    terms = [_terms(loan, ruled) for loan in loans]
    for loan, term in zip(loans, terms, strict=True):
        homes[loan["household_id"]].append(term)
    found: list[Due] = []
    for place, (loan, term) in enumerate(zip(loans, terms, strict=True)):
        if progress is not None and place % 500 == 0:
            progress(place, len(loans))
        ends_on = _ends_on(loan, taken, last, ruled.book)
        for name, period in _quarters(loan["disbursed_on"], ends_on, last, ruled.book):
            calculation = _calculated(term, homes[loan["household_id"]], period, ruled)
            paid_fen, reserved_fen = taken.get((loan["loan_id"], name), (0, 0))
            if calculation.amount_fen or paid_fen or reserved_fen:
                due_fen = int(calculation.amount_fen)
                objected = objections.get(loan["loan_id"], _NONE)
                taken_fen = (paid_fen, reserved_fen)
                found.append(Due(loan, name, period, due_fen, *taken_fen, calculation, objected))
    _compare(view, found, last, ruled)
    if progress is not None:
        progress(len(loans), len(loans))
    return [due for due in found if _within(due.loan, scope)]


def run_of(view: View, last: Period, *, scope: Scope = COUNTY) -> Run:
    """The lines that a batch of the quarter `last` lists. Raises RoadsDisagree."""
    lines: list[Line] = []
    for due in settlement(view, last, scope=scope):
        if due.left_fen:
            lines.append(_line(len(lines) + 1, due))
    batches = view.ask("SELECT count(*) FROM facts.batch WHERE NOT estimate").rows[0][0]
    return Run(tuple(lines), view.position, batches)


_NONE: Final = Objections()


def _objections(view: View) -> dict[str, Objections]:
    """By loan: the objections that were upheld to its lines."""
    found: dict[str, tuple[Objection, ...]] = defaultdict(tuple)
    for loan_id, *told in view.ask(question(__name__, "objections.sql")).rows:
        found[loan_id] += (Objection(*told),)
    return {loan_id: Objections(told) for loan_id, told in found.items()}


REPLAY_COLUMNS: Final = (
    "bank", "township", "lines_moved", "due_fen", "replayed_fen", "difference_fen",
)  # fmt: skip


def replay(view: View, last: Period, rules: Rules, *, scope: Scope = COUNTY) -> Table:
    """What other rules would have made of every quarter up to `last`, by bank and township.

    Each side by both roads. Raises RoadsDisagree.
    """
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    now = _due(settlement(view, last, scope=scope))
    then = _due(settlement(view, last, scope=scope, rules=rules))
    for place in now.keys() | then.keys():
        bank, township, *_ = place
        due_fen, replayed_fen = now.get(place, 0), then.get(place, 0)
        summed = sums[bank, township]
        summed[0] += due_fen != replayed_fen
        summed[1] += due_fen
        summed[2] += replayed_fen
    rows = [
        (*place, moved, due_fen, replayed_fen, replayed_fen - due_fen)
        for place, (moved, due_fen, replayed_fen) in sorted(sums.items())
    ]
    return Table(REPLAY_COLUMNS, rows)


def _due(found: Sequence[Due]) -> dict[tuple[str, str, str, str], int]:
    """What is due, by bank, township, loan and quarter."""
    dues = {}
    for due in found:
        loan = due.loan
        place = (loan["bank"], loan["township"], loan["loan_no"], due.name)
        dues[place] = due.due_fen
    return dues


def as_table(found: Sequence[Due]) -> Table:
    """One line a loan and quarter; `state`: to_pay, to_recover, reserved, limited or paid."""
    rows = []
    for due in found:
        loan = due.loan
        state = "paid"
        if due.left_fen:
            state = "to_pay" if due.left_fen > 0 else "to_recover"
        elif due.reserved_fen:
            state = "reserved"
        elif due.limit_fen is not None and due.paid_fen < due.due_fen:
            state = "limited"
        rows.append(
            (
                loan["township"],
                loan["village"],
                loan["household_no"],
                loan["bank"],
                loan["loan_no"],
                due.name,
                due.due_fen,
                due.paid_fen,
                due.reserved_fen,
                due.limit_fen,
                due.note,
                due.left_fen,
                state,
            )
        )
    return Table(COLUMNS, rows)


def _calculated(
    term: LoanTerms, siblings: Sequence[LoanTerms], period: Period, rules: Rules
) -> Calculation:
    """The calculation, and with its rulings that by which the household was judged."""
    book, known_on = rules
    found = calculate(term, siblings, period, known_on=known_on, book=book)
    judged = book.ruling("eligible_categories", term.disbursed_on, known_on)
    return found._replace(rulings=(*found.rulings, judged))


def _terms(loan: dict[str, Any], rules: Rules) -> LoanTerms:
    judged = rules.book.ruling("eligible_categories", loan["disbursed_on"], rules.known_on)
    return LoanTerms(
        loan_id=f"{loan['bank']}/{loan['loan_no']}",
        disbursed_on=loan["disbursed_on"],
        contract_on=loan["contract_on"],
        due_on=loan["due_on"],
        annual_rate_bp=loan["annual_rate_bp"],
        movements=tuple(map(Movement, loan["days"], loan["fens"])),
        eligible=loan["category"] in judged.words,
        settled_on=loan["settled_on"],
        misuse_on=loan["misuse_on"],
    )


def _ends_on(
    loan: dict[str, Any],
    taken: dict[tuple[str, str], tuple[int, int]],
    last: Period,
    book: Book,
) -> date:
    """Nothing is earned from this day on; but what was paid for later quarters must be seen."""
    ends_on: date = min(filter(None, (loan["due_on"], loan["settled_on"], loan["misuse_on"])))
    after = _quarters(ends_on, last.until, last, book)
    later = [period.until for name, period in after if (loan["loan_id"], name) in taken]
    return max(later, default=ends_on)


def _quarters(first: date, until: date, last: Period, book: Book) -> Iterator[tuple[str, Period]]:
    """The quarters that hold a day of [first, until), up to `last`."""
    on, stop = max(first, FIRST_DAY), min(until, last.until)
    while on < stop:
        period = quarter_of(on, book)
        yield _name(period, book), period
        on = period.until


_UNEQUAL: Final = """
SELECT loan_id, period, least(coalesce(d.due_fen, 0), l.most_fen) AS due_fen,
       coalesce(t.paid_fen, 0) AS paid_fen, coalesce(t.reserved_fen, 0) AS reserved_fen
  FROM ({due}) d FULL JOIN ({taken}) t USING (loan_id, period)
  LEFT JOIN ({limits}) l USING (loan_id, period)
 WHERE least(coalesce(d.due_fen, 0), l.most_fen) <> coalesce(t.paid_fen, 0)
"""


def unequal(view: View, last: Period) -> list[tuple[str, str, int, int, int]]:
    """(loan, quarter, due, paid, held) up to `last` where paid is not due; by SQL alone.

    Due is what upheld objections leave of it.
    """
    asked = _UNEQUAL
    for name in ("due", "taken", "limits"):
        asked = asked.replace(f"{{{name}}}", question(__name__, f"{name}.sql"))
    rules = Rules(view.book, view.known_on)
    return view.ask(asked, **_parameters(last, rules)).rows


def _parameters(last: Period, rules: Rules) -> dict[str, str]:
    """What due.sql needs beside the facts."""
    book, known_on = rules
    quarters = list(_quarters(FIRST_DAY, last.until, last, book))
    day_count = {n: book.ruling("day_count", q.first, known_on).number for n, q in quarters}
    return {
        "quarters": _json(
            [{"name": n, "first": str(q.first), "until": str(q.until)} for n, q in quarters]
        ),
        "day_count": _json(day_count),
        "rules": _json({name: _stretches(book, name, known_on) for name in RULES}),
    }


def _compare(view: View, found: Sequence[Due], last: Period, rules: Rules) -> None:
    """The other road. Raises RoadsDisagree."""
    parameters = _parameters(last, rules)
    _compare_limits(view, found, parameters["quarters"])
    asked = view.ask(question(__name__, "due.sql"), **parameters)
    second = {(loan_id, period): due_fen for loan_id, period, due_fen in asked.rows if due_fen}
    first = {(d.loan["loan_id"], d.name): d.due_fen for d in found if d.due_fen}
    if first != second:
        raise RoadsDisagree(
            [
                (*place, first.get(place, 0), second.get(place, 0))
                for place in sorted(first.keys() | second.keys())
                if first.get(place) != second.get(place)
            ]
        )


def _compare_limits(view: View, found: Sequence[Due], quarters: str) -> None:
    """What objections leave, by the other road. Raises RoadsDisagree."""
    asked = view.ask(question(__name__, "limits.sql"), quarters=quarters)
    second = {(loan_id, period): fen for loan_id, period, fen in asked.rows}
    for due in found:
        place = (due.loan["loan_id"], due.name)
        if due.limit_fen != second.get(place):
            raise RoadsDisagree([(*place, due.limit_fen or 0, second.get(place, 0))])


def _stretches(book: Book, name: str, known_on: date) -> list[dict[str, Any]]:
    """Each stretch of days through which one ruling of a table holds, as known on a day."""
    begins = sorted(
        {r.effective_from for r in book.table(name).rulings if r.known_from <= known_on}
    )
    ends = [*begins[1:], _LAST_DAY]
    return [
        {
            "from": str(first),
            "until": str(until),
            "value": book.ruling(name, first, known_on).value,
        }
        for first, until in zip(begins, ends, strict=True)
    ]


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _line(number: int, due: Due) -> Line:
    kind: Kind = "subsidy"
    if due.left_fen < 0:
        kind = "recovery"
    elif due.paid_fen or due.reserved_fen:
        kind = "top_up"
    loan = due.loan
    return Line(
        line=number,
        loan_id=UUID(loan["loan_id"]),
        bank=loan["bank"],
        loan_no=loan["loan_no"],
        household_no=loan["household_no"],
        township=loan["township"],
        village=loan["village"],
        category=loan["category"],
        period=due.name,
        first=due.period.first,
        until=due.period.until,
        kind=kind,
        due_fen=due.due_fen,
        paid_before_fen=due.paid_fen + due.reserved_fen,
        amount_fen=abs(due.left_fen),
        calculation=due.calculation.to_slip(),
        note=due.note,
    )


def _within(loan: dict[str, Any], scope: Scope) -> bool:
    return scope.bank in (None, loan["bank"]) and scope.township in (None, loan["township"])
