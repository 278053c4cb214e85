"""What a loan's interest subsidy (贴息) for a settlement quarter is, and why, to the fen.

The arithmetic is exact until its single rounding, once per loan and settlement; everything needed
to repeat it without this program stands in the calculation itself.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from itertools import accumulate
from typing import Final, NamedTuple

from domain.calendar import Period, term_months
from domain.money import Fen, divide_half_up
from domain.policy import POLICY, Book, NoRuling, Ruling

ONE: Final = 10_000
"""Basis points in a whole: rates are basis points of principal, shares are of interest."""

HOUSEHOLD_NOT_ELIGIBLE: Final = "household_not_eligible"
TERM_TOO_LONG: Final = "term_too_long"
SETTLED: Final = "settled"
MISUSE: Final = "misuse"
OVERDUE: Final = "overdue"
OVER_CAP: Final = "over_cap"
NOTHING_OWED: Final = "nothing_owed"
REASONS: Final = {
    HOUSEHOLD_NOT_ELIGIBLE: "放款日该户不享受贴息",
    TERM_TOO_LONG: "贷款期限超过规定",
    SETTLED: "贷款已结清",
    MISUSE: "贷款被挪用",
    OVERDUE: "已过合同到期日",
    OVER_CAP: "超过每户贴息本金上限",
    NOTHING_OWED: "期内无贷款本金",
}
"""Why some day or some principal of a period earned nothing: permanent codes, in the order told."""


class Movement(NamedTuple):
    """Principal that moved on a day: + out to the household, − back to the bank."""

    on: date
    amount_fen: int


@dataclass(frozen=True, slots=True)
class LoanTerms:
    """What a subsidy depends on, of one loan as it is known; facts, not yet judged.

    `due_on` is the due day of the contract: an extension does not move it. `eligible`: see the
    function of that name. `misuse_on`: the day on which misuse began where it is known, else that
    of the check that found it. Repayments never exceed what is owed.
    """

    loan_id: str
    disbursed_on: date
    contract_on: date
    due_on: date
    annual_rate_bp: int
    movements: tuple[Movement, ...]
    eligible: bool | None
    settled_on: date | None = None
    misuse_on: date | None = None

    @property
    def seniority(self) -> tuple[date, str]:
        """Loans of a household take up its cap in this order: oldest first, then by number."""
        return self.disbursed_on, self.loan_id


class Owed(NamedTuple):
    """Principal through time: `fens[i]` is owed from `days[i]` on, until the next of the days."""

    days: Sequence[date]
    fens: Sequence[int]

    def on(self, day: date) -> int:
        """What is owed at the end of a day, in fen."""
        place = bisect_right(self.days, day)
        return self.fens[place - 1] if place else 0

    def changed_within(self, first: date, until: date) -> Sequence[date]:
        """The days after `first` and before `until` from which something else may be owed."""
        days = self.days
        if not days or days[-1] <= first:
            return ()
        return days[bisect_right(days, first) : bisect_left(days, until)]


NOTHING_LENT: Final = Owed((), ())


class Principal:
    """What some loans owe together; loans are added one after the other."""

    def __init__(self, movements: Iterable[Movement] = ()) -> None:
        self._moved: dict[date, int] = {}
        self.add(movements)

    def add(self, movements: Iterable[Movement]) -> None:
        moved = self._moved
        for on, amount_fen in movements:
            moved[on] = moved.get(on, 0) + amount_fen

    def owed(self) -> Owed:
        """What is owed by all that was added so far."""
        days = sorted(self._moved)
        return Owed(days, [*accumulate(map(self._moved.__getitem__, days))])


class Segment(NamedTuple):
    """Days of a period through which one principal earned at one rate and one share."""

    first: date
    until: date
    days: int
    owed_fen: int
    credit_cap_fen: int
    principal_fen: int
    contract_rate_bp: int
    rate_cap_bp: int
    quote_on: date
    rate_bp: int
    share_bp: int


class Calculation(NamedTuple):
    """A subsidy and its whole explanation. See `REASONS` for what was cut away, if anything."""

    loan_id: str
    period: Period
    known_on: date | None
    amount_fen: Fen
    day_count: int
    segments: tuple[Segment, ...]
    rulings: tuple[Ruling, ...]
    reasons: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """The slip as plain JSON values: days in ISO form, whole numbers with units in names."""
        return {
            "loan_id": self.loan_id,
            "first": self.period.first.isoformat(),
            "until": self.period.until.isoformat(),
            "known_on": self.known_on.isoformat() if self.known_on else None,
            "amount_fen": self.amount_fen,
            "day_count": self.day_count,
            "segments": [_plain(segment) for segment in self.segments],
            "rulings": [ruling.to_dict() for ruling in self.rulings],
            "reasons": list(self.reasons),
        }

    def to_slip(self) -> dict[str, object]:
        """The calculation as it is stored: segments in full, rulings by version and value."""
        cited = {
            ruling.version: ruling.value if isinstance(ruling.value, int) else list(ruling.value)
            for ruling in self.rulings
        }
        return self.to_dict() | {"rulings": cited}


def fen_days(movements: Iterable[Movement], period: Period) -> int:
    """Principal times the days it was owed within a period, told in any order.

    The day of disbursement counts, the day of repayment does not.

    >>> spring = Period(date(2023, 3, 21), date(2023, 6, 21))
    >>> fen_days([Movement(date(2023, 6, 20), 100), Movement(date(2023, 6, 21), -100)], spring)
    100
    """
    first, until = period.first, period.until
    return sum(
        amount_fen * (until - max(on, first)).days for on, amount_fen in movements if on < until
    )


def interest_fen(fen_days: int, rate_bp: int, *, day_count: int) -> Fen:
    """Plain interest, halves rounded up, once.

    >>> interest_fen(5_000_000 * 92, 365, day_count=360)
    46639
    """
    return Fen(divide_half_up(fen_days * rate_bp, day_count * ONE))


def eligible(
    category: str | None, disbursed_on: date, known_on: date | None = None, book: Book = POLICY
) -> bool | None:
    """Whether a household of this category on the disbursement day earns subsidy (domain.md §5.3).

    None when no ruling says who did on that day. Rule: policy/eligible_categories.toml.
    """
    try:
        return category in book.ruling("eligible_categories", disbursed_on, known_on).words
    except NoRuling:
        return None


def takes_room(loan: LoanTerms, known_on: date | None = None, book: Book = POLICY) -> bool:
    """Whether what a loan owes takes up the cap of its household (domain.md §5.4).

    A loan that never was eligible takes none. One of an eligible household whose term no ruling
    judges takes room: what is not paid now can still be paid, and nothing has to be asked back.
    """
    if not loan.eligible:
        return False
    try:
        longest = book.ruling("longest_term_months", loan.contract_on, known_on)
    except NoRuling:
        return True
    return term_months(loan.disbursed_on, loan.due_on) <= longest.number


class Subsidy:
    """The subsidy of one loan, period by period; what holds in all of them is judged once.

    `older`: what those older loans of its household owe that take room. `known_on`: by the rulings
    known on that day (None: all).
    """

    def __init__(
        self, loan: LoanTerms, older: Owed, *, known_on: date | None = None, book: Book = POLICY
    ) -> None:
        self.loan = loan
        self._own = Principal(loan.movements).owed()
        self._older = older
        self._known_on = known_on
        self._book = book

    @property
    def earns(self) -> bool:
        """Whether the loan can earn at all: eligible on its day, of a term that is not too long.

        Rules: policy/eligible_categories.toml, longest_term_months.toml and those of the rate.
        Raises NoRuling, naming the loan, when no ruling says so.
        """
        self._assure_judged()
        try:
            return bool(self.loan.eligible) and self._quoted[1] is not None
        except NoRuling as missing:
            raise missing.of_loan(self.loan.loan_id) from None

    def of(self, period: Period) -> Calculation:
        """The subsidy for one period. Halves are rounded up, once.

        Rules: policy/longest_term_months.toml, rate_basis, flat_rate_bp, one_year_term_months,
        lpr_one_year, lpr_five_year, credit_cap_fen, subsidy_share, day_count. Raises NoRuling,
        naming the loan.
        """
        self._assure_judged()
        try:
            return self._of(period)
        except NoRuling as missing:
            raise missing.of_loan(self.loan.loan_id) from None

    def _assure_judged(self) -> None:
        loan = self.loan
        if loan.eligible is None:
            raise NoRuling("eligible_categories", loan.disbursed_on, self._known_on, loan.loan_id)

    def _of(self, period: Period) -> Calculation:
        loan, book, known_on = self.loan, self._book, self._known_on
        day_count = book.ruling("day_count", period.first, known_on)
        if not loan.eligible:
            return _nothing(loan, period, known_on, (day_count,), (HOUSEHOLD_NOT_ELIGIBLE,))
        terms, quote = self._quoted
        if quote is None:
            return _nothing(loan, period, known_on, (day_count, *terms), (TERM_TOO_LONG,))
        until = min(filter(None, (period.until, loan.due_on, loan.settled_on, loan.misuse_on)))
        if until <= period.first:
            return _nothing(loan, period, known_on, (day_count, *terms), _reasons(loan, period))

        shares = book.within("subsidy_share", period.first, until, known_on)
        caps = book.within("credit_cap_fen", period.first, until, known_on)
        changes = _changes(self._own, self._older, period.first, until, shares, caps)
        segments, over_cap = _segments(changes, until, loan.annual_rate_bp, quote)
        earned = sum(
            line.principal_fen * line.days * line.rate_bp * line.share_bp for line in segments
        )
        return Calculation(
            loan.loan_id,
            period,
            known_on,
            Fen(divide_half_up(earned, day_count.number * ONE * ONE)),
            day_count.number,
            tuple(segments),
            (day_count, *terms, *shares, *caps),
            _reasons(loan, period, over_cap=over_cap, earned=bool(segments)),
        )

    @cached_property
    def _quoted(self) -> tuple[tuple[Ruling, ...], Ruling | None]:
        return _quote(self.loan, self._known_on, self._book)


def subsidies(
    household_loans: Iterable[LoanTerms], *, known_on: date | None = None, book: Book = POLICY
) -> Iterator[Subsidy]:
    """The subsidies of all loans of one household at all banks, in the order of seniority.

    What an older loan that `takes_room` owes takes up the household's cap whether or not that loan
    earns on the day.
    """
    room, older = Principal(), NOTHING_LENT
    for loan in sorted(household_loans, key=_seniority):
        yield Subsidy(loan, older, known_on=known_on, book=book)
        if takes_room(loan, known_on, book):
            room.add(until_settled(loan))
            older = room.owed()


def calculate(
    loan: LoanTerms,
    household_loans: Sequence[LoanTerms],
    period: Period,
    *,
    known_on: date | None = None,
    book: Book = POLICY,
) -> Calculation:
    """The subsidy of one loan for one period, by the rulings known on `known_on` (None: all).

    `household_loans` are all loans of the household at all banks; the loan itself may be among
    them. See `Subsidy.of`. Raises NoRuling, naming the loan.
    """
    room = Principal()
    for other in household_loans:
        if other.seniority < loan.seniority and takes_room(other, known_on, book):
            room.add(until_settled(other))
    return Subsidy(loan, room.owed(), known_on=known_on, book=book).of(period)


class _Change(NamedTuple):
    """What holds from a day on: the loan's principal, the older loans', the share and the cap."""

    on: date
    owed_fen: int
    older_fen: int
    share_bp: int
    cap_fen: int


def _quote(
    loan: LoanTerms, known_on: date | None, book: Book
) -> tuple[tuple[Ruling, ...], Ruling | None]:
    """The rulings on a loan's term and rate, and the one that caps its rate for good.

    The term runs from disbursement; no cap when it is too long. All are judged on the contract
    day: the flat rate in force, or the latest quote published on or before it.
    """
    months, day = term_months(loan.disbursed_on, loan.due_on), loan.contract_on
    longest = book.ruling("longest_term_months", day, known_on)
    if months > longest.number:
        return (longest,), None
    basis = book.ruling("rate_basis", day, known_on)
    if basis.words == ("flat",):
        flat = book.ruling("flat_rate_bp", day, known_on)
        return (longest, basis, flat), flat
    one_year = book.ruling("one_year_term_months", day, known_on)
    table = "lpr_one_year" if months <= one_year.number else "lpr_five_year"
    quote = book.ruling(table, day, known_on)
    return (longest, basis, one_year, quote), quote


def _changes(
    own: Owed,
    older: Owed,
    first: date,
    until: date,
    shares: Sequence[Ruling],
    caps: Sequence[Ruling],
) -> list[_Change]:
    """What holds on `first`, then what holds from each later day on which anything changed."""
    changes = [
        _Change(first, own.on(first), older.on(first), shares[0].number, caps[0].number),
    ]
    later = {*own.changed_within(first, until), *older.changed_within(first, until)}
    later.update(ruled.effective_from for ruled in (*shares[1:], *caps[1:]))
    for on in sorted(later):
        share_bp, cap_fen = _in_force(shares, on), _in_force(caps, on)
        changes.append(_Change(on, own.on(on), older.on(on), share_bp, cap_fen))
    return changes


def _segments(
    changes: Sequence[_Change], until: date, contract_rate_bp: int, quote: Ruling
) -> tuple[list[Segment], bool]:
    """The stretches that earn, as few as tell them apart, and whether any principal was over."""
    rate_cap_bp = quote.number
    rate_bp = min(contract_rate_bp, rate_cap_bp)
    segments: list[Segment] = []
    over_cap = False
    for place, (on, owed_fen, older_fen, share_bp, cap_fen) in enumerate(changes):
        ends = changes[place + 1].on if place + 1 < len(changes) else until
        principal_fen = min(owed_fen, max(cap_fen - older_fen, 0))
        over_cap = over_cap or owed_fen > principal_fen
        if principal_fen <= 0:
            continue
        line = Segment(
            on,
            ends,
            (ends - on).days,
            owed_fen,
            cap_fen,
            principal_fen,
            contract_rate_bp,
            rate_cap_bp,
            quote.effective_from,
            rate_bp,
            share_bp,
        )
        if segments and segments[-1].until == on and segments[-1][3:] == line[3:]:
            first = segments.pop().first
            line = line._replace(first=first, days=(ends - first).days)
        segments.append(line)
    return segments, over_cap


def _reasons(
    loan: LoanTerms, period: Period, *, over_cap: bool = False, earned: bool = False
) -> tuple[str, ...]:
    settled_on, misuse_on, due_on = loan.settled_on, loan.misuse_on, loan.due_on
    found = []
    if settled_on and settled_on < period.until:
        found.append(SETTLED)
    if misuse_on and misuse_on < period.until and _owed_fen(loan, max(misuse_on, period.first)):
        found.append(MISUSE)
    if due_on < period.until and _owed_fen(loan, max(due_on, period.first)):
        found.append(OVERDUE)
    if over_cap:
        found.append(OVER_CAP)
    if not found and not earned:
        found.append(NOTHING_OWED)
    return tuple(found)


def _nothing(
    loan: LoanTerms,
    period: Period,
    known_on: date | None,
    rulings: tuple[Ruling, ...],
    reasons: tuple[str, ...],
) -> Calculation:
    """A subsidy of zero; the first of its rulings is the day count."""
    day_count = rulings[0].number
    return Calculation(loan.loan_id, period, known_on, Fen(0), day_count, (), rulings, reasons)


def _seniority(loan: LoanTerms) -> tuple[date, str]:
    return loan.seniority


def until_settled(loan: LoanTerms) -> Sequence[Movement]:
    """The movements of a loan, which owes nothing from its settled day on."""
    if loan.settled_on is None:
        return loan.movements
    before = [movement for movement in loan.movements if movement.on < loan.settled_on]
    left_fen = sum(movement.amount_fen for movement in before)
    return [*before, Movement(loan.settled_on, -left_fen)]


def _owed_fen(loan: LoanTerms, day: date) -> int:
    return sum(movement.amount_fen for movement in until_settled(loan) if movement.on <= day)


def _in_force(rulings: Sequence[Ruling], day: date) -> int:
    """The value on a day, from the ruling of an earlier day and those that take over after it."""
    for ruling in rulings[:0:-1]:
        if ruling.effective_from <= day:
            return ruling.number
    return rulings[0].number


def _plain(segment: Segment) -> dict[str, object]:
    return {
        **segment._asdict(),
        "first": segment.first.isoformat(),
        "until": segment.until.isoformat(),
        "quote_on": segment.quote_on.isoformat(),
    }
