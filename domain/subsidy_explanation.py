"""Why a loan's subsidy for a quarter is what it is (贴息说明): each reason with its days.

Every day of the quarter either earns on the whole principal at the contract's rate and in full, or
stands in the days of at least one reason. So what is due at nothing always has a reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from enum import Enum
from itertools import pairwise
from typing import Any, Final, NamedTuple

from domain.calendar import Period, term_months
from domain.household import CATEGORIES_ZH
from domain.money import yuan
from domain.policy import POLICY, Book, NoRuling
from domain.subsidy import ONE, Calculation, LoanTerms, Owed, Principal, Segment, until_settled


class _Sentence(Enum):
    """A permanent code with a sentence in Chinese and in English.

    Of the details that fill a sentence, amounts (`_fen`) are written in yuan, rates (`_bp`) in
    percent.
    """

    zh: str
    en: str

    def __new__(cls, code: str, zh: str, en: str) -> _Sentence:
        made = object.__new__(cls)
        made._value_ = code
        made.zh, made.en = zh, en
        return made


class ReasonCode(_Sentence):
    """Why some day or some principal of a quarter earns less than the contract's interest.

    A code that also stands in `domain.subsidy.REASONS` means the same there.
    """

    NO_RULING = (
        "no_ruling",
        "没有 {table} 在 {day} 的政策依据，不能判定",
        "no ruling says what {table} is on {day}: it cannot be judged",
    )
    NOT_YET_DISBURSED = (
        "not_yet_disbursed",
        "截至 {as_of} 尚未放款，放款日为 {disbursed_on}",
        "not disbursed as of {as_of}: that was on {disbursed_on}",
    )
    DISBURSEMENT_REVERSED = (
        "disbursement_reversed",
        "{disbursed_on} 的放款已冲正",
        "the disbursement of {disbursed_on} was reversed",
    )
    BEFORE_DISBURSEMENT = (
        "before_disbursement",
        "{disbursed_on} 才放款，此前没有本金",
        "disbursed on {disbursed_on}: nothing was lent before",
    )
    HOUSEHOLD_NOT_REGISTERED = (
        "household_not_registered",
        "放款日 {disbursed_on} 该户没有户类别",
        "the household had no category on the day of disbursement, {disbursed_on}",
    )
    HOUSEHOLD_NOT_ELIGIBLE = (
        "household_not_eligible",
        "放款日 {disbursed_on} 该户类别为“{category_zh}”，不享受贴息",
        "its household was in the category {category} on {disbursed_on}, when it was disbursed",
    )
    TERM_TOO_LONG = (
        "term_too_long",
        "期限 {months} 个月，超过规定的 {longest_months} 个月",
        "the term of {months} months is longer than {longest_months}",
    )
    SETTLED = (
        "settled",
        "{settled_on} 已结清",
        "settled on {settled_on}",
    )
    MISUSE = (
        "misuse",
        "自 {misuse_on} 起挪用，当日起不贴息",
        "misused from {misuse_on} on: nothing is due from that day",
    )
    OVERDUE = (
        "overdue",
        "合同 {due_on} 到期，当日起不贴息，展期不延长贴息",
        "due on {due_on} by the contract: nothing is due from that day, extended or not",
    )
    OVER_CAP = (
        "over_cap",
        "每户本金上限 {cap} 元，本户更早的贷款占 {taken} 元，尚欠 {owed} 元中 {principal} 元可贴息",
        "{principal} of {owed} yuan earn: the household's older loans take {taken} of {cap}",
    )
    NOTHING_OWED = (
        "nothing_owed",
        "期内没有尚欠本金",
        "no principal is owed",
    )
    PARTLY_REPAID = (
        "partly_repaid",
        "已还本金 {repaid} 元，尚欠 {owed} 元",
        "{repaid} yuan of the principal were repaid, {owed} are owed",
    )
    NO_INTEREST = (
        "no_interest",
        "合同利率 {contract_rate}%，利率上限 {rate_cap}%，没有可贴的利息",
        "at a contract rate of {contract_rate} % and a cap of {rate_cap} % there is no interest",
    )
    RATE_CAPPED = (
        "rate_capped",
        "合同利率 {contract_rate}% 高于上限 {rate_cap}%（自 {quote_on}），按上限贴息",
        "the contract rate of {contract_rate} % is above the cap of {rate_cap} % from {quote_on}",
    )
    SHARE_REDUCED = (
        "share_reduced",
        "贴息比例为利息的 {share}%",
        "{share} % of the interest are paid",
    )
    ROUNDS_TO_NOTHING = (
        "rounds_to_nothing",
        "利息不足半分，四舍五入为零",
        "the interest is less than half a fen",
    )


class PaymentState(_Sentence):
    """How what was paid for a loan and quarter stands beside what is due."""

    NOTHING_DUE = (
        "nothing_due",
        "应贴为零，没有拨付",
        "nothing is due, nothing was paid",
    )
    PAID = (
        "paid",
        "应贴 {due} 元，已如数拨付",
        "{due} yuan are due and paid",
    )
    RESERVED = (
        "reserved",
        "应贴 {due} 元，已拨 {paid} 元，批次占用 {reserved} 元",
        "{due} yuan are due, {paid} paid, {reserved} reserved by a batch",
    )
    LIMITED = (
        "limited",
        "应贴 {due} 元，已拨 {paid} 元，因成立的异议至多拨付 {limit} 元",
        "{due} yuan are due, {paid} paid; an upheld objection leaves {limit} at most",
    )
    TO_PAY = (
        "to_pay",
        "应贴 {due} 元，已拨 {paid} 元，批次占用 {reserved} 元，还应拨付 {left} 元",
        "{due} yuan are due, {paid} paid, {reserved} reserved: {left} are left to pay",
    )
    TO_RECOVER = (
        "to_recover",
        "可贴 {allowed} 元，已拨 {paid} 元，多拨 {over} 元应追回",
        "{allowed} yuan may be paid, {paid} were paid: {over} are to be recovered",
    )
    NOT_JUDGED = (
        "not_judged",
        "不能判定，已拨 {paid} 元，既不拨付也不追回",
        "it cannot be judged; {paid} yuan were paid; nothing is paid or recovered",
    )


def _in_words(details: Mapping[str, Any]) -> dict[str, Any]:
    """The details as a sentence takes them."""
    words: dict[str, Any] = {}
    for name, value in details.items():
        unit = name.rpartition("_")[2]
        if unit in ("fen", "bp"):  # a basis point is a hundredth of a percent
            words[name.removesuffix(f"_{unit}")] = yuan(value)
        else:
            words[name] = value
    return words


def sentences(code: _Sentence, details: Mapping[str, Any]) -> tuple[str, str]:
    """The sentence of a code in Chinese and in English."""
    words = _in_words(details)
    return code.zh.format(**words), code.en.format(**words)


class CapTaker(NamedTuple):
    """An older loan of the household: what it owes, and what of the cap it takes up."""

    loan_id: str
    owed_fen: int
    takes_fen: int


class Reason(NamedTuple):
    """One reason, and the days [first, until) of the quarter through which it holds.

    `takers`: the loans that fill the cap, oldest first, when that is the reason.
    """

    code: ReasonCode
    first: date
    until: date
    details: Mapping[str, Any]
    takers: tuple[CapTaker, ...] = ()

    @property
    def days(self) -> int:
        return (self.until - self.first).days

    @property
    def sentences(self) -> tuple[str, str]:
        """In Chinese and in English."""
        return sentences(self.code, self.details)


def not_lent(
    period: Period, disbursed_on: date, *, as_of: date, reversed_: bool
) -> tuple[Reason, ...]:
    """Why a loan of which nothing is lent as of a day earns nothing."""
    code = ReasonCode.DISBURSEMENT_REVERSED if reversed_ else ReasonCode.NOT_YET_DISBURSED
    details = {"as_of": as_of, "disbursed_on": disbursed_on}
    return (Reason(code, period.first, period.until, details),)


def reasons(
    loan: LoanTerms,
    older: Sequence[LoanTerms],
    period: Period,
    judged: Calculation | NoRuling,
    *,
    principal_fen: int,
    category: str | None,
    known_on: date | None = None,
    book: Book = POLICY,
) -> tuple[Reason, ...]:
    """All reasons why a lent loan does not earn the whole interest of its contract in a quarter.

    `older`: the household's loans that take up its cap before this one, oldest first. `judged`: the
    calculation, or the ruling that it lacks. `category`: the household's on the disbursement day.
    """
    found = [
        *_of_the_household(loan, period, category),
        *_of_the_term(loan, period, known_on, book),
        *_of_the_debt(loan, period, principal_fen),
    ]
    if isinstance(judged, NoRuling):
        missing = {"table": judged.name, "day": judged.day}
        found.append(Reason(ReasonCode.NO_RULING, period.first, period.until, missing))
    else:
        if not _never_earns(found):
            found += _of_the_cap(loan, older, period, known_on, book)
        found += _of_the_rate(judged)
    return tuple(sorted((each for each in found if each.days > 0), key=_order))


_CODES: Final = tuple(ReasonCode)


def _order(reason: Reason) -> tuple[int, date]:
    return _CODES.index(reason.code), reason.first


_NEVER: Final = frozenset(
    {
        ReasonCode.HOUSEHOLD_NOT_REGISTERED,
        ReasonCode.HOUSEHOLD_NOT_ELIGIBLE,
        ReasonCode.TERM_TOO_LONG,
    }
)


def _never_earns(found: Iterable[Reason]) -> bool:
    """Whether the loan earns in no quarter: it asks for no room under the cap."""
    return any(each.code in _NEVER for each in found)


def _of_the_household(loan: LoanTerms, period: Period, category: str | None) -> Iterator[Reason]:
    if loan.eligible is not False:
        return
    details: dict[str, Any] = {"disbursed_on": loan.disbursed_on}
    code = ReasonCode.HOUSEHOLD_NOT_REGISTERED
    if category is not None:
        code = ReasonCode.HOUSEHOLD_NOT_ELIGIBLE
        details |= {"category": category, "category_zh": CATEGORIES_ZH.get(category, category)}
    yield Reason(code, max(period.first, loan.disbursed_on), period.until, details)


def _of_the_term(
    loan: LoanTerms, period: Period, known_on: date | None, book: Book
) -> Iterator[Reason]:
    try:
        longest = book.ruling("longest_term_months", loan.contract_on, known_on).number
    except NoRuling:
        return
    months = term_months(loan.disbursed_on, loan.due_on)
    if months > longest:
        details = {"months": months, "longest_months": longest}
        first = max(period.first, loan.disbursed_on)
        yield Reason(ReasonCode.TERM_TOO_LONG, first, period.until, details)


def _of_the_debt(loan: LoanTerms, period: Period, principal_fen: int) -> Iterator[Reason]:
    """The days before disbursement and after due day, misuse or settlement; what was repaid."""
    first, until = period.first, period.until
    disbursed_on, settled_on = loan.disbursed_on, loan.settled_on
    yield Reason(
        ReasonCode.BEFORE_DISBURSEMENT,
        first,
        min(until, disbursed_on),
        {"disbursed_on": disbursed_on},
    )
    lent = max(first, disbursed_on)
    owed_until = until if settled_on is None else min(until, settled_on)
    ends: tuple[tuple[ReasonCode, str, date | None], ...] = (
        (ReasonCode.MISUSE, "misuse_on", loan.misuse_on),
        (ReasonCode.OVERDUE, "due_on", loan.due_on),
    )
    for code, name, on in ends:
        if on is not None:
            yield Reason(code, max(lent, on), owed_until, {name: on})
    if settled_on is not None:
        yield Reason(ReasonCode.SETTLED, max(lent, settled_on), until, {"settled_on": settled_on})
    owed = Principal(until_settled(loan)).owed()
    for start, end in _stable((owed,), lent, owed_until):
        owed_fen = owed.on(start)
        if owed_fen <= 0:
            yield Reason(ReasonCode.NOTHING_OWED, start, end, {})
        elif owed_fen < principal_fen:
            details = {"repaid_fen": principal_fen - owed_fen, "owed_fen": owed_fen}
            yield Reason(ReasonCode.PARTLY_REPAID, start, end, details)


def _of_the_cap(
    loan: LoanTerms,
    older: Sequence[LoanTerms],
    period: Period,
    known_on: date | None,
    book: Book,
) -> Iterator[Reason]:
    """The days on which more is owed than the household's older loans leave of its cap."""
    first = max(period.first, loan.disbursed_on)
    until = min(filter(None, (period.until, loan.due_on, loan.settled_on, loan.misuse_on)))
    if until <= first:
        return
    own = Principal(until_settled(loan)).owed()
    others = [(other.loan_id, Principal(until_settled(other)).owed()) for other in older]
    caps = book.within("credit_cap_fen", first, until, known_on)
    steps = [ruling.effective_from for ruling in caps[1:]]
    last: Reason | None = None
    for start, end in _stable((own, *(owed for _, owed in others)), first, until, steps):
        cap_fen = book.ruling("credit_cap_fen", start, known_on).number
        found = _over_cap(start, end, own.on(start), cap_fen, others)
        if last and found and last.until == start and last[3:] == found[3:]:
            last = last._replace(until=end)
            continue
        if last:
            yield last
        last = found
    if last:
        yield last


def _over_cap(
    first: date, until: date, owed_fen: int, cap_fen: int, others: Sequence[tuple[str, Owed]]
) -> Reason | None:
    """The reason for days on which nothing changes, if the loan has not all the room it needs."""
    left_fen = cap_fen
    takers = []
    for loan_id, owed in others:
        other_fen = owed.on(first)
        takes_fen = min(other_fen, left_fen)
        left_fen -= takes_fen
        if takes_fen > 0:
            takers.append(CapTaker(loan_id, other_fen, takes_fen))
    if owed_fen <= left_fen:
        return None
    details = {
        "cap_fen": cap_fen,
        "taken_fen": cap_fen - left_fen,
        "owed_fen": owed_fen,
        "principal_fen": left_fen,
    }
    return Reason(ReasonCode.OVER_CAP, first, until, details, tuple(takers))


def _of_the_rate(calculation: Calculation) -> Iterator[Reason]:
    """What rate, share and rounding took from the days that earn."""
    segments = calculation.segments
    if not segments:
        return
    line = segments[0]  # rate and quote are fixed for the contract
    details: dict[str, Any] = {
        "contract_rate_bp": line.contract_rate_bp,
        "rate_cap_bp": line.rate_cap_bp,
    }
    if line.rate_bp == 0:
        yield Reason(ReasonCode.NO_INTEREST, line.first, segments[-1].until, details)
    elif line.rate_bp < line.contract_rate_bp:
        details["quote_on"] = line.quote_on
        yield Reason(ReasonCode.RATE_CAPPED, line.first, segments[-1].until, details)
    yield from _shares(segments)
    if calculation.amount_fen == 0 and any(each.rate_bp * each.share_bp for each in segments):
        yield Reason(ReasonCode.ROUNDS_TO_NOTHING, line.first, segments[-1].until, {})


def _shares(segments: Sequence[Segment]) -> Iterator[Reason]:
    """The days of which less than the whole interest is paid, share by share."""
    last: Reason | None = None
    for line in segments:
        details = {"share_bp": line.share_bp}
        if last and last.until == line.first and last.details == details:
            last = last._replace(until=line.until)
            continue
        if last:
            yield last
        reduced = line.share_bp < ONE
        last = (
            Reason(ReasonCode.SHARE_REDUCED, line.first, line.until, details) if reduced else None
        )
    if last:
        yield last


def _stable(
    owed: Iterable[Owed], first: date, until: date, steps: Iterable[date] = ()
) -> Iterator[tuple[date, date]]:
    """The ranges of [first, until) within which nobody owes more or less; `steps` divide too."""
    if until <= first:
        return
    changes = {first, until, *(step for step in steps if first < step < until)}
    for each in owed:
        changes.update(each.changed_within(first, until))
    yield from pairwise(sorted(changes))


# ---- what was paid, and what is due today ---------------------------------------------


class EarningRange(NamedTuple):
    """Days [first, until) on which a principal earns at one rate and one share."""

    first: date
    until: date
    principal_fen: int
    rate_bp: int
    share_bp: int


class Difference(NamedTuple):
    """Days on which another principal, rate or share earns than earned then; None: nothing."""

    first: date
    until: date
    then: EarningRange | None
    now: EarningRange | None

    @property
    def days(self) -> int:
        return (self.until - self.first).days


def differences(
    then: Sequence[EarningRange], now: Sequence[EarningRange]
) -> tuple[Difference, ...]:
    """Where one calculation of a quarter differs from another, in order of the days."""
    found: list[Difference] = []
    edges = sorted({day for each in (*then, *now) for day in (each.first, each.until)})
    for first, until in pairwise(edges):
        before, after = _earning_on(then, first), _earning_on(now, first)
        if (before and before[2:]) == (after and after[2:]):
            continue
        last = found[-1] if found else None
        if last and last.until == first and (last.then, last.now) == (before, after):
            found[-1] = last._replace(until=until)
        else:
            found.append(Difference(first, until, before, after))
    return tuple(found)


def _earning_on(ranges: Iterable[EarningRange], day: date) -> EarningRange | None:
    return next((each for each in ranges if each.first <= day < each.until), None)


def joined(ranges: Iterable[EarningRange]) -> tuple[EarningRange, ...]:
    """The same days in as few ranges as tell them apart."""
    found: list[EarningRange] = []
    for each in ranges:
        last = found[-1] if found else None
        if last and last.until == each.first and last[2:] == each[2:]:
            found[-1] = last._replace(until=each.until)
        else:
            found.append(each)
    return tuple(found)
