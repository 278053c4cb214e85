"""The settlement run (结息): what every loan is due for every closed quarter, by two roads.

One road is the domain's own arithmetic over each loan's terms, the other is SQL over the facts.
They must agree to the fen on every loan and quarter, or the run gives no answer. A loan that cannot
be judged for want of a ruling is a line with its reason and no fen: it stops no other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from domain.batch import Kind, Line, Run
from domain.calendar import Period, first_settled_on, named_quarter, quarter_name, quarter_of
from domain.household import Household
from domain.policy import Book, NoRuling
from domain.subsidy import (
    Calculation,
    LoanTerms,
    Movement,
    Subsidy,
    eligible,
    subsidies,
    takes_room,
)
from domain.subsidy_explanation import EarningRange, joined
from domain.subsidy_limit import FINDINGS_ZH, Limit, ObjectionFinding, Others, most_fen
from projections.facts.reading import COUNTY, Rows, Scope, Table, View, query_text
from projections.settlement.columns import LINES, REPLAY

_LAST_DAY: Final = date(9000, 1, 1)
RULES: Final = (
    "eligible_categories", "longest_term_months", "rate_basis", "flat_rate_bp",
    "one_year_term_months", "lpr_one_year", "lpr_five_year", "subsidy_share", "credit_cap_fen",
)  # fmt: skip
STATES: Final = ("paid", "reserved", "limited", "to_pay", "to_recover", "not_judged")
_OF_THE_LOAN: Final = frozenset(RULES) - {"subsidy_share", "credit_cap_fen"}
"""Without a ruling of one of these tables a loan cannot be judged in any quarter."""
MOST_LOOKED_UP: Final = 100
"""A plan that suits a few loans took ten times as long for three thousand."""
Progress = Callable[[int, int], None]


class RoadsDisagree(Exception):
    """The two roads give different fen: nothing may be paid on either."""

    def __init__(self, found: Sequence[tuple[str, str, int | str, int | str]]) -> None:
        loan, period, python, sql = found[0]
        super().__init__(
            f"{len(found)} 处两法不一致 the roads disagree at {len(found)} places; the first:"
            f" {loan} {period}: Python {python}, SQL {sql} (fen, or the missing ruling)"
        )


class Wanted(NamedTuple):
    """Which lines are asked for: of a household, of a loan's number; None: of all."""

    household_no: str | None = None
    loan_no: str | None = None

    def holds(self, loan: Mapping[str, Any]) -> bool:
        """Whether a loan is one of these."""
        return self.household_no in (None, loan["household_no"]) and self.loan_no in (
            None,
            loan["loan_no"],
        )


ALL: Final = Wanted()


class Rules(NamedTuple):
    """Rulings, and the day up to which documents count as known."""

    book: Book
    known_on: date


class Objection(NamedTuple):
    """One objection to a line of a loan that was upheld; `finding` None: nothing lasting was found.

    Or one that was open when its batch was returned, and `returned` says why it was; `line` None:
    an objection to the whole batch.
    """

    period: str
    batch_no: str
    objection_no: str
    line: int | None
    reason: str
    finding: ObjectionFinding | None
    first: date | None
    until: date | None
    most_fen: int | None
    others: Others | None
    lifted: str | None
    returned: str | None

    @property
    def limit(self) -> Limit | None:
        """What it leaves, until it is lifted."""
        if self.first is None or self.until is None or self.others is None:
            return None
        most = self.most_fen or 0
        return Limit(self.batch_no, self.objection_no, self.first, self.until, most, self.others)

    def __str__(self) -> str:
        found = f"（{FINDINGS_ZH[self.finding]} {self.finding}）" if self.finding else ""
        line = "整批" if self.line is None else f"第 {self.line} 行"
        place = f"批次 {self.batch_no} {line}"
        if self.returned is not None:
            return f"异议 {self.objection_no}（{place}）：{self.reason}；批次退回：{self.returned}"
        said = f"异议 {self.objection_no}（{place}）成立{found}：{self.reason}"
        return said + (f"；限定已解除：{self.lifted}" if self.lifted else "")


class Objections(NamedTuple):
    """The objections to one loan's lines that count, in the order in which they became known."""

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
    """One loan and quarter: what is due, what was paid, what open batches hold.

    Without a calculation the loan cannot be judged: `lacking` says which ruling there is not.
    Neither name nor period: days before the first quarter that rulings name.
    """

    loan: dict[str, Any]
    name: str
    period: Period | None
    paid_fen: int
    reserved_fen: int
    calculation: Calculation | None
    lacking: NoRuling | None = None
    objections: Objections = Objections()

    @property
    def due_fen(self) -> int:
        return 0 if self.calculation is None else int(self.calculation.amount_fen)

    @property
    def limit_fen(self) -> int | None:
        """The most that upheld objections leave, whatever is due; None: no limit."""
        if self.period is None:
            return None
        return most_fen(self.objections.limits, self.period.first)

    @property
    def note(self) -> str | None:
        """The upheld objections that this quarter comes back after or is limited by."""
        return None if self.period is None else self.objections.note(self.name, self.period.first)

    @property
    def left_fen(self) -> int:
        """What is still to be listed; below zero: what was paid too much.

        Nothing while the loan cannot be judged: it is neither paid nor recovered.
        """
        if self.calculation is None:
            return 0
        limit_fen = self.limit_fen
        due_fen = self.due_fen if limit_fen is None else min(self.due_fen, limit_fen)
        if self.paid_fen > due_fen:
            return due_fen - self.paid_fen
        return max(due_fen - self.paid_fen - self.reserved_fen, 0)

    @property
    def state(self) -> str:
        """One of STATES."""
        if self.calculation is None:
            return "not_judged"
        if self.left_fen:
            return "to_pay" if self.left_fen > 0 else "to_recover"
        if self.reserved_fen:
            return "reserved"
        limited = self.limit_fen is not None and self.paid_fen < self.due_fen
        return "limited" if limited else "paid"

    @property
    def reason(self) -> str | None:
        """Why the loan cannot be judged: the code, then the loan, the table and the day."""
        lacking = self.lacking
        return None if lacking is None else f"{lacking.CODE}: {lacking.zh} / {lacking.en}"


_name = lru_cache(maxsize=1 << 12)(quarter_name)
_period = lru_cache(maxsize=1 << 12)(named_quarter)


def settlement(
    view: View,
    last: Period,
    *,
    scope: Scope = COUNTY,
    wanted: Wanted = ALL,
    rules: Rules | None = None,
    progress: Progress | None = None,
    only: Sequence[str] | None = None,
) -> list[Due]:
    """Every loan and quarter up to `last` with anything due, paid or held; by bank and loan.

    `wanted`: some of these alone; then no more is worked out than the households of these loans.

    A quarter that was paid stands here whatever became of the loan since. Earlier quarters are
    calculated again on all that is known: a late-told repayment shows as a difference. `rules`:
    others than those known to the view. `progress` hears the loans done and the loans in all.
    `only`: the ids of the loans that are looked at. A quarter of theirs is right where all loans
    are among them that their households owed anything on in it. Raises RoadsDisagree.
    """
    ruled = rules or Rules(view.book, view.known_on)
    ids = _loans_of(view, wanted) if only is None else only
    loans = lent(view, last.until, ids)
    taken = _taken(view, ids)
    objections = _objections(view, ids)
    found: list[Due] = []
    for place, (loan, subsidy) in enumerate(_subsidies(loans, ruled)):
        if progress is not None and place % 500 == 0:
            progress(place, len(loans))
        of_loan = taken.pop(loan["loan_id"], {})
        if wanted.holds(loan):  # the others of its household take up room alone
            found += _dues(loan, subsidy, of_loan, last, ruled)
    found = _objected(found, objections)
    if ids is None:
        _compare(view, found, _parameters(view, last, ruled))
    else:
        asked = [loan for loan in loans if wanted.holds(loan)]
        _compare(view, found, _of_loans(asked, found, last, ruled), ids, asked)
    if taken:
        found += _objected(_paid_only(view, taken, last, ruled), objections)
    found.sort(key=lambda due: (due.loan["bank"], due.loan["loan_no"]))
    if progress is not None:
        progress(len(loans), len(loans))
    return [due for due in found if _within(due.loan, scope) and wanted.holds(due.loan)]


def _loans_of(view: View, wanted: Wanted) -> list[str] | None:
    """The ids of all loans of the households that are asked for; None: of the county."""
    if wanted == ALL:
        return None
    home = None if wanted.household_no is None else Household.id_for(wanted.household_no)
    asked = view.lookup(
        query_text(__name__, "household_loans.sql"), household_id=home, loan_no=wanted.loan_no
    )
    return [loan_id for (loan_id,) in asked.rows]


def run_of(view: View, last: Period, *, scope: Scope = COUNTY) -> Run:
    """The lines that a batch of the quarter `last` lists. Raises RoadsDisagree."""
    return listed(view, settlement(view, last, scope=scope))


def listed(view: View, found: Iterable[Due]) -> Run:
    """The lines that a batch lists of what a settlement of the view found."""
    lines: list[Line] = []
    for due in found:
        if due.left_fen:
            lines.append(_line(len(lines) + 1, due))
    batches = view.query("SELECT count(*) FROM facts.batch WHERE NOT estimate").rows[0][0]
    return Run(tuple(lines), view.position, batches)


def _objected(found: Iterable[Due], objections: Mapping[str, Objections]) -> list[Due]:
    """The lines, each with the objections that were upheld to lines of its loan."""
    return [
        due._replace(objections=objections[due.loan["loan_id"]])
        if due.loan["loan_id"] in objections
        else due
        for due in found
    ]


def _objections(view: View, loans: Sequence[str] | None = None) -> dict[str, Objections]:
    """By loan: the objections that were upheld to its lines, or open when a batch was returned."""
    found: dict[str, tuple[Objection, ...]] = defaultdict(tuple)
    for loan_id, *told, _ in _put(view, "objections.sql", loans).rows:
        found[loan_id] += (Objection(*told),)
    return {loan_id: Objections(told) for loan_id, told in found.items()}


def replay(view: View, last: Period, rules: Rules, *, scope: Scope = COUNTY) -> Table:
    """What other rules would have made of every quarter up to `last`, by bank and township.

    Each side by both roads. Raises RoadsDisagree.
    """
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    now = _sums(settlement(view, last, scope=scope))
    then = _sums(settlement(view, last, scope=scope, rules=rules))
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
    return Table(REPLAY, rows)


def _sums(found: Sequence[Due]) -> dict[tuple[str, str, str, str], int]:
    """What is due, by bank, township, loan and quarter."""
    dues = {}
    for due in found:
        loan = due.loan
        place = (loan["bank"], loan["township"], loan["loan_no"], due.name)
        dues[place] = due.due_fen
    return dues


def as_table(found: Sequence[Due]) -> Table:
    """One line a loan and quarter; `reason`: why it cannot be judged, if it cannot."""
    rows = []
    for due in found:
        loan = due.loan
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
                due.state,
                due.reason,
            )
        )
    return Table(LINES, rows)


_Taken = dict[str, tuple[int, int]]


def _taken(view: View, loans: Sequence[str] | None = None) -> dict[str, _Taken]:
    """By loan and quarter: what was paid, and what open batches hold."""
    found: dict[str, _Taken] = defaultdict(dict)
    asked = _put(view, "taken.sql", loans)
    for loan_id, period, paid_fen, held_fen in asked.rows:
        found[loan_id][period] = paid_fen, held_fen
    return found


def lent(view: View, until: date, loans: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """What the arithmetic needs of each loan disbursed before `until`; of `loans` alone, or all."""
    return list(_put(view, "loans.sql", loans, until=until).dicts())


def _put(view: View, name: str, loans: Sequence[str] | None, **also: object) -> Rows:
    """Put one of the questions about the county's loans (None), or about these alone."""
    return _ask(view, loans)(query_text(__name__, name), loans=loans, **also)


def _ask(view: View, loans: Sequence[str] | None) -> Callable[..., Rows]:
    """Few loans by a plan that is made once, many by one that is made for so many."""
    return view.lookup if loans is not None and len(loans) <= MOST_LOOKED_UP else view.query


def last_reported(view: View, loan_id: str) -> dict[str, Any]:
    """The same of a loan of which nothing is lent as of the day, as it was reported last."""
    return next(_put(view, "paid_only.sql", [loan_id]).dicts())


def _paid_only(
    view: View, taken: Mapping[str, _Taken], last: Period, rules: Rules
) -> Iterator[Due]:
    """The quarters that were paid of loans of which nothing is lent as of the day."""
    asked = view.query(query_text(__name__, "paid_only.sql"), loans=sorted(taken))
    for loan in asked.dicts():
        [subsidy] = subsidies([terms_of(loan, rules)], known_on=rules.known_on, book=rules.book)
        for name in _up_to(taken[loan["loan_id"]], last, rules.book):
            yield _due(loan, subsidy, name, taken[loan["loan_id"]], rules)


def _subsidies(
    loans: Iterable[dict[str, Any]], rules: Rules
) -> Iterator[tuple[dict[str, Any], Subsidy]]:
    """Each loan with its subsidy, household by household."""
    book, known_on = rules
    homes: dict[str, list[LoanTerms]] = defaultdict(list)
    named: dict[str, dict[str, Any]] = {}
    for loan in loans:
        terms = terms_of(loan, rules)
        homes[loan["household_id"]].append(terms)
        named[terms.loan_id] = loan
    for home in homes.values():
        for subsidy in subsidies(home, known_on=known_on, book=book):
            yield named[subsidy.loan.loan_id], subsidy


def _dues(
    loan: dict[str, Any], subsidy: Subsidy, taken: _Taken, last: Period, rules: Rules
) -> Iterator[Due]:
    """The lines of one loan: each quarter of its life that earns, and each that was paid."""
    book, known_on = rules
    term = subsidy.loan
    lacking: NoRuling | None = None
    try:
        life = set(_life(term, last, book)) if subsidy.earns else set()
        if life and term.disbursed_on < first_settled_on(book):
            lacking = NoRuling("settlement_months", term.disbursed_on, known_on, term.loan_id)
            yield Due(loan, "", None, 0, 0, None, lacking)
    except NoRuling as missing:
        life = set(_life(term, last, book))
        if not life:
            yield Due(loan, "", None, 0, 0, None, missing)
    for name in sorted(life.union(_up_to(taken, last, book))):
        due = _due(loan, subsidy, name, taken, rules)
        if due.due_fen or due.lacking or name in taken:
            yield due


def _due(loan: dict[str, Any], subsidy: Subsidy, name: str, taken: _Taken, rules: Rules) -> Due:
    """One line, with the calculation that explains it or the ruling that it lacks."""
    book, known_on = rules
    term = subsidy.loan
    period = None
    try:
        period = _period(name, book)
        calculation = subsidy.of(period)
        judged = book.ruling("eligible_categories", term.disbursed_on, known_on)
    except NoRuling as missing:
        lacking = missing.of_loan(term.loan_id)
        return Due(loan, name, period, *taken.get(name, (0, 0)), None, lacking)
    # with its rulings that by which the household was judged
    explained = calculation._replace(rulings=(*calculation.rulings, judged))
    return Due(loan, name, period, *taken.get(name, (0, 0)), explained)


def due_of(
    view: View, loan: dict[str, Any], household_loans: Iterable[dict[str, Any]], name: str
) -> tuple[Due, LoanTerms, list[LoanTerms]]:
    """One line, whatever is due; the loan's terms; and the household's loans that go before it.

    `household_loans`: all of its household, itself among them where anything of it is lent. Raises
    NoRuling when no quarter has this name.
    """
    rules = Rules(view.book, view.known_on)
    _period(name, rules.book)
    loan_id = loan["loan_id"]
    own = terms_of(loan, rules)
    others = [terms_of(each, rules) for each in household_loans if each["loan_id"] != loan_id]
    older: list[LoanTerms] = []
    for subsidy in subsidies([own, *others], known_on=rules.known_on, book=rules.book):
        if subsidy.loan is own:
            taken = _taken(view, [loan_id]).get(loan_id, {})
            due = _due(loan, subsidy, name, taken, rules)
            [due] = _objected([due], _objections(view, [loan_id]))
            return due, own, older
        if takes_room(subsidy.loan, rules.known_on, rules.book):
            older.append(subsidy.loan)
    raise AssertionError("the loan is among those of its household")


def terms_of(loan: dict[str, Any], rules: Rules) -> LoanTerms:
    disbursed_on = loan["disbursed_on"]
    return LoanTerms(
        loan_id=f"{loan['bank']}/{loan['loan_no']}",
        disbursed_on=disbursed_on,
        contract_on=loan["contract_on"],
        due_on=loan["due_on"],
        annual_rate_bp=loan["annual_rate_bp"],
        movements=tuple(map(Movement, loan["days"], loan["fens"])),
        eligible=eligible(loan["category"], disbursed_on, rules.known_on, rules.book),
        settled_on=loan["settled_on"],
        misuse_on=loan["misuse_on"],
    )


def _life(term: LoanTerms, last: Period, book: Book) -> Iterator[str]:
    """The names of the quarters up to `last` in which the loan may earn."""
    ends_on = min(filter(None, (term.due_on, term.settled_on, term.misuse_on)))
    return (name for name, _ in _quarters(term.disbursed_on, ends_on, last, book))


def _up_to(names: Iterable[str], last: Period, book: Book) -> list[str]:
    last_name = _name(last, book)
    return sorted(name for name in names if name <= last_name)


def _quarters(first: date, until: date, last: Period, book: Book) -> Iterator[tuple[str, Period]]:
    """The quarters that hold a day of [first, until), up to `last`."""
    on, stop = max(first, first_settled_on(book)), min(until, last.until)
    while on < stop:
        period = quarter_of(on, book)
        yield _name(period, book), period
        on = period.until


_UNEQUAL: Final = """
SELECT loan_id, period, least(coalesce(d.due_fen, 0), l.most_fen) AS due_fen,
       coalesce(t.paid_fen, 0) AS paid_fen, coalesce(t.reserved_fen, 0) AS reserved_fen, d.missing
  FROM ({due}) d FULL JOIN ({taken}) t USING (loan_id, period)
  LEFT JOIN ({limits}) l USING (loan_id, period)
 WHERE d.missing IS NOT NULL
    OR least(coalesce(d.due_fen, 0), l.most_fen) <> coalesce(t.paid_fen, 0)
"""


def unequal(view: View, last: Period) -> list[tuple[str, str, int, int, int]]:
    """(loan, quarter, due, paid, held) up to `last` where paid is not due; by SQL alone.

    Due is what upheld objections leave of it. What cannot be judged is not among them: it is
    neither missed nor overpaid yet.
    """
    query = _UNEQUAL.replace("{due}", _by_sql("due.sql"))
    for name in ("taken", "limits"):
        query = query.replace(f"{{{name}}}", query_text(__name__, f"{name}.sql"))
    rules = Rules(view.book, view.known_on)
    rows = view.query(query, **_parameters(view, last, rules), loans=None).rows
    unjudged = {loan_id for loan_id, period, *_, missing in rows if missing and not period}
    return [row[:5] for row in rows if row[5] is None and row[0] not in unjudged]


def _parameters(view: View, last: Period, rules: Rules) -> dict[str, str]:
    """What due.sql needs beside the facts; no quarter before the first disbursement."""
    book = rules.book
    [[first]] = view.query("SELECT min(effective_on) FROM facts.loan").rows
    return _of_quarters(list(_quarters(first or last.until, last.until, last, book)), rules)


def _of_loans(
    loans: Sequence[dict[str, Any]], found: Sequence[Due], last: Period, rules: Rules
) -> dict[str, str]:
    """The same for some loans: from the first day to the last on which one is lent or paid."""
    first = min((loan["disbursed_on"] for loan in loans), default=last.until)
    ends = [loan["due_on"] for loan in loans]
    ends += [due.period.until for due in found if due.period is not None]
    until = min(max(ends, default=first), last.until)
    return _of_quarters(list(_quarters(first, until, last, rules.book)), rules)


def _of_quarters(quarters: Sequence[tuple[str, Period]], rules: Rules) -> dict[str, str]:
    book, known_on = rules
    day_count = {name: _day_count(book, period, known_on) for name, period in quarters}
    return {
        "quarters": _json(
            [{"name": n, "first": str(q.first), "until": str(q.until)} for n, q in quarters]
        ),
        "day_count": _json(day_count),
        "rules": _json({name: _stretches(book, name, known_on) for name in RULES}),
    }


def _day_count(book: Book, period: Period, known_on: date) -> int | None:
    try:
        return book.ruling("day_count", period.first, known_on).number
    except NoRuling:
        return None


def _compare(
    view: View,
    found: Sequence[Due],
    parameters: Mapping[str, str],
    ids: Sequence[str] | None = None,
    asked: Sequence[Mapping[str, Any]] = (),
) -> None:
    """The other calculation: amounts, limits, and what cannot be judged. Raises RoadsDisagree.

    `parameters`: the quarters and rules. `ids`: of all loans that it reads, None: of the county;
    of these those that are `asked` about are compared.
    """
    _compare_limits(view, found, parameters["quarters"], ids)
    first: dict[tuple[str, str], int | str] = {}
    missing: dict[tuple[str, str], str] = {}
    for due in found:
        loan_id = due.loan["loan_id"]
        if due.lacking is None:
            if due.due_fen:
                first[loan_id, due.name] = due.due_fen
        elif due.lacking.name in _OF_THE_LOAN:
            first[loan_id, ""] = due.lacking.name
        else:
            missing[loan_id, due.name] = due.lacking.name
    second: dict[tuple[str, str], int | str] = {}
    wanted = None if ids is None else {loan["loan_id"] for loan in asked}
    for loan_id, period, due_fen, lacking in _ask(view, ids)(
        _by_sql("due.sql"), **parameters, loans=ids
    ).rows:
        if wanted is not None and loan_id not in wanted:
            continue
        # a quarter that lacks a ruling: of the loans that were paid for it, Python names all
        told = lacking is None or not period or missing.get((loan_id, period)) != lacking
        if told and (said := lacking or due_fen):  # what rounds to nothing is no amount
            second[loan_id, period] = said
    if first != second:
        raise RoadsDisagree(
            [
                (*place, first.get(place, 0), second.get(place, 0))
                for place in sorted(first.keys() | second.keys())
                if first.get(place) != second.get(place)
            ]
        )


class SecondCalculation(NamedTuple):
    """What SQL alone says of one loan and quarter: what is due, or which ruling is missing."""

    due_fen: int
    missing: str | None
    ranges: tuple[EarningRange, ...]


def by_sql(view: View, loan_id: str, loans: Sequence[str], due: Due) -> SecondCalculation:
    """The other calculation of one line. `loans`: those of the household, this one among them."""
    assert due.period is not None
    rules = Rules(view.book, view.known_on)
    parameters = _of_quarters([(due.name, due.period)], rules)
    found = SecondCalculation(0, None, ())
    for id, period, due_fen, missing in view.lookup(
        _by_sql("due.sql"), **parameters, loans=loans
    ).rows:
        if id == loan_id and period in ("", due.name):
            found = found._replace(due_fen=due_fen or 0, missing=missing)
    ranges = view.lookup(_by_sql("earning_ranges.sql"), **parameters, loans=loans).rows
    return found._replace(
        ranges=joined(EarningRange(*each) for id, *each in ranges if id == loan_id)
    )


def _by_sql(name: str) -> str:
    """A question to what earns, as SQL alone works it out."""
    return query_text(__name__, "earning.sql") + query_text(__name__, name)


def _compare_limits(
    view: View, found: Sequence[Due], quarters: str, loans: Sequence[str] | None
) -> None:
    """What objections leave, by the other road. Raises RoadsDisagree."""
    asked = _put(view, "limits.sql", loans, quarters=quarters)
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
    return [
        {
            "from": str(first),
            "until": str(until),
            "value": book.ruling(name, first, known_on).value,
        }
        for first, until in pairwise([*begins, _LAST_DAY])
    ]


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _line(number: int, due: Due) -> Line:
    assert due.period is not None, "only what is judged is listed"
    assert due.calculation is not None
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
