"""Where what was paid is not what is due, and since when that could be known.

What is due comes from the settlement arithmetic in SQL. Of each loan and quarter that differs, the
domain's own arithmetic then goes back through what was known, statement by statement, to the one
that made the difference; for what is known now it must agree with the SQL to the fen.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from typing import Any, NamedTuple

from domain.calendar import (
    DAY,
    SHANGHAI,
    Period,
    civil_day,
    first_settled_on,
    named_quarter,
    quarter_of,
)
from domain.policy import Book, NoRuling
from domain.subsidy import LoanTerms, Movement, calculate, eligible
from projections.facts.reading import View, query_text
from projections.settlement import RULES, RoadsDisagree, unequal


class Difference(NamedTuple):
    """One loan and quarter; below `known_from` all that was known left no such difference.

    `since`: the day from which documents made it one, if it was they. `open_on`: the day from
    which nothing that stands covers what is due.
    """

    loan_id: str
    period: str
    until: date
    due_fen: int
    paid_fen: int
    reserved_fen: int
    positions: str
    context: str
    since: date | None
    open_on: date


class _Told(NamedTuple):
    kind: str
    of_position: int
    position: int
    recorded_at: datetime
    on_day: date
    sign: int
    household_id: str
    loan_id: str | None
    word: str | None
    contract_on: date | None
    due_on: date | None
    amount: int | None


def differences(view: View) -> Iterator[Difference]:
    """Every loan and closed quarter with more paid than due, or with less paid and held than due
    when the days for listing it are over (policy/flag_missed_subsidy_days.toml).

    A loan that cannot be judged is not among them. Raises RoadsDisagree.
    """
    begins_on = first_settled_on(view.book)
    if view.today < begins_on or quarter_of(view.today, view.book).first <= begins_on:
        return  # no quarter is closed yet
    closed = quarter_of(quarter_of(view.today, view.book).first - DAY, view.book)
    days = view.book.ruling("flag_missed_subsidy_days", view.as_of, view.known_on).number
    found = []
    for loan_id, name, due_fen, paid_fen, reserved_fen in unequal(view, closed):
        try:
            period = named_quarter(name, view.book)
        except NoRuling:
            continue
        over = paid_fen > due_fen and period.until <= closed.until
        short = due_fen > paid_fen + reserved_fen and period.until + days * DAY <= view.today
        if over or short:
            found.append((loan_id, name, period, due_fen, paid_fen, reserved_fen))
    past = _Past(view, sorted({loan_id for loan_id, *_ in found}))
    for each in sorted(found):
        traced = past.traced(*each)
        if traced is not None:
            yield traced


class _Past:
    """What was known of some loans and their households at any earlier instant."""

    def __init__(self, view: View, loans: Sequence[str]) -> None:
        self._view = view
        asked = view.query(query_text(__package__, "history.sql"), loans=loans)
        self._homes: dict[str, list[_Told]] = defaultdict(list)
        self._home_of: dict[str, str] = {}
        for row in asked.rows:
            told = _Told(*row)
            self._homes[told.household_id].append(told)
            if told.loan_id is not None:
                self._home_of[told.loan_id] = told.household_id
        rulings = view.query(
            "SELECT DISTINCT recorded_at FROM facts.ruling WHERE recorded_at <= %(known_at)s"
            " ORDER BY recorded_at"
        )
        self._ruled: list[datetime] = [recorded_at for (recorded_at,) in rulings.rows]
        self._books: dict[int, Book] = {len(self._ruled): view.book}
        # A ruling from a day that was over when it became known changes what is past.
        later = {
            ruling.known_from
            for name in RULES
            for ruling in view.book.table(name).rulings
            if ruling.effective_from < ruling.known_from <= view.known_on
        }
        self._published = [datetime.combine(day, time(), SHANGHAI) for day in later]

    def traced(
        self, loan_id: str, name: str, period: Period, due_fen: int, paid_fen: int, held_fen: int
    ) -> Difference | None:
        """The difference, with what made it one; None if it cannot be judged.

        Raises RoadsDisagree.
        """
        told = self._homes[self._home_of[loan_id]]
        reckoned_fen = self._due_fen(told, loan_id, name, period, self._view.known_at)
        if reckoned_fen is None and not due_fen:
            return None
        if reckoned_fen != due_fen:
            raise RoadsDisagree([(loan_id, name, reckoned_fen or 0, due_fen)])
        over = paid_fen > due_fen
        mattered = [each for each in told if _matters(each, loan_id, name, period)]
        known_from = self._view.known_at
        for instant in self._instants(mattered):
            fen = self._due_fen(told, loan_id, name, period, instant)
            paid = _paid_fen(told, loan_id, name, instant)
            if fen is not None and ((paid > fen) if over else (fen > paid + held_fen)):
                known_from = instant
            else:
                break
        proof = {each.position for each in mattered if each.recorded_at == known_from}
        proof |= {
            each.position
            for each in mattered
            if each.recorded_at < known_from
            and each.loan_id == loan_id
            and each.kind in ("loan", "paid")
        }
        place = ("released", loan_id, name)
        released = [each for each in told if (each.kind, each.loan_id, each.word) == place][-1:]
        if not over:
            proof |= {each.position for each in released}
        return Difference(
            loan_id,
            name,
            period.until,
            due_fen,
            paid_fen,
            held_fen,
            _array(proof),
            _array({each.position for each in mattered if each.recorded_at > known_from} - proof),
            civil_day(known_from) if known_from in self._published else None,
            max(map(civil_day, (known_from, *(each.recorded_at for each in released)))),
        )

    def _instants(self, mattered: Sequence[_Told]) -> list[datetime]:
        """When anything became known that may have made a difference, latest first."""
        known_at = self._view.known_at
        others = [each for each in (*self._ruled, *self._published) if each <= known_at]
        return sorted({*(each.recorded_at for each in mattered), *others}, reverse=True)

    def _due_fen(
        self, told: Sequence[_Told], loan_id: str, name: str, period: Period, instant: datetime
    ) -> int | None:
        """What was due by all that was known at an instant; None if it could not be judged."""
        book, known_on = self._book(instant), civil_day(instant)
        terms = _terms([e for e in told if e.recorded_at <= instant], book, known_on)
        if loan_id not in terms:
            return 0
        siblings = list(terms.values())
        try:
            found = calculate(terms[loan_id], siblings, period, known_on=known_on, book=book)
        except NoRuling:
            return None
        limits = _limits([e for e in told if e.recorded_at <= instant], loan_id, name, period)
        return min([int(found.amount_fen), *limits])

    def _book(self, instant: datetime) -> Book:
        number = bisect_right(self._ruled, instant)
        if number not in self._books:
            self._books[number] = self._view.book_known_at(instant)
        return self._books[number]


def _matters(told: _Told, loan_id: str, name: str, period: Period) -> bool:
    """Whether a statement may change what is due or paid of a loan for a quarter."""
    if told.kind == "paid":
        return (told.loan_id, told.word) == (loan_id, name)
    if told.kind.startswith("limit_"):
        return told.loan_id == loan_id and _limit_fen(told, name, period) is not None
    if told.kind in ("settled", "diverted"):
        return told.loan_id == loan_id and told.on_day < period.until
    return told.kind != "released" and told.on_day < period.until


def _limit_fen(told: _Told, name: str, period: Period) -> int | None:
    """What an upheld objection leaves of a quarter; None: all."""
    if told.word == name:
        return told.amount or 0
    later = told.kind == "limit_later" and told.due_on is not None and told.due_on <= period.first
    return 0 if told.kind == "limit_all" or later else None


def _limits(told: Sequence[_Told], loan_id: str, name: str, period: Period) -> list[int]:
    """What each objection that stands leaves of a quarter."""
    lifted = {each.of_position for each in told if each.kind.startswith("limit_") and each.sign < 0}
    found = [
        _limit_fen(each, name, period)
        for each in told
        if each.kind.startswith("limit_")
        and (each.loan_id, each.sign) == (loan_id, 1)
        and each.of_position not in lifted
    ]
    return [fen for fen in found if fen is not None]


def _paid_fen(told: Sequence[_Told], loan_id: str, name: str, instant: datetime) -> int:
    return sum(
        each.amount or 0
        for each in told
        if each.kind == "paid"
        and (each.loan_id, each.word) == (loan_id, name)
        and each.recorded_at <= instant
    )


def _terms(told: Sequence[_Told], book: Book, known_on: date) -> dict[str, LoanTerms]:
    """The terms of each loan of a household, from what was known of them."""
    back = {(each.kind, each.of_position, each.loan_id) for each in told if each.sign < 0}
    stands = [e for e in told if e.sign > 0 and (e.kind, e.of_position, e.loan_id) not in back]
    of_loan: dict[tuple[str | None, str], list[date]] = defaultdict(list)
    moved: dict[str | None, dict[date, int]] = defaultdict(lambda: defaultdict(int))
    for each in told:
        if each.kind == "posting":
            moved[each.loan_id][each.on_day] += each.amount or 0
    for each in stands:
        of_loan[each.loan_id, each.kind].append(each.on_day)
    statuses = sorted((e for e in stands if e.kind == "status"), key=_by_day)
    return {
        each.loan_id: LoanTerms(
            loan_id=each.word or "",
            disbursed_on=each.on_day,
            contract_on=each.contract_on,
            due_on=each.due_on,
            annual_rate_bp=each.amount or 0,
            movements=tuple(Movement(d, f) for d, f in sorted(moved[each.loan_id].items()) if f),
            eligible=_eligible(statuses, each.on_day, book, known_on),
            settled_on=max(of_loan[each.loan_id, "settled"], default=None),
            misuse_on=min(of_loan[each.loan_id, "diverted"], default=None),
        )
        for each in stands
        if each.kind == "loan" and each.loan_id and each.contract_on and each.due_on
    }


def _eligible(statuses: Sequence[_Told], on: date, book: Book, known_on: date) -> bool | None:
    last = [each.word for each in statuses if each.on_day <= on][-1:]
    return eligible(last[0] if last else None, on, known_on, book)


def _by_day(told: _Told) -> tuple[Any, ...]:
    return told.on_day, told.of_position


def _array(positions: set[int]) -> str:
    """As PostgreSQL writes an array: lists of unequal lengths make no array of arrays."""
    return f"{{{','.join(map(str, sorted(positions)))}}}"
