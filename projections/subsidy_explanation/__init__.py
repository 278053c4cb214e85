"""Why a loan's subsidy for a quarter is what it is (贴息说明), at any two dates, paid or not.

It costs one household: nothing of the county's other loans is read. Both calculations are worked
out; where they differ, both are shown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

from domain.calendar import DAY
from domain.subsidy_explanation import (
    CapTaker,
    Difference,
    EarningRange,
    PaymentState,
    Reason,
    differences,
    joined,
    not_lent,
    reasons,
    sentences,
)
from projections.facts.reading import (
    COUNTY,
    Scope,
    Table,
    View,
    guaranteed,
    parameters_of_loans,
    query_text,
)
from projections.settlement import Due, SecondCalculation, by_sql, due_of, last_reported, lent
from projections.subsidy_explanation.columns import LINES, LOAN, PAYMENTS

Shows = Callable[[str], bool]
"""Whether a reader may see a loan of the household, by its bank's code."""


class Explanation(NamedTuple):
    """One loan and quarter: what is due and why, by both calculations, and what was paid of it.

    `payments`: each with where its calculation differs from today's.
    """

    loan: dict[str, Any]
    due: Due
    second: SecondCalculation
    reasons: tuple[Reason, ...]
    payments: tuple[tuple[dict[str, Any], tuple[Difference, ...]], ...]
    lines: Table

    @property
    def ranges(self) -> tuple[EarningRange, ...]:
        """The days that earn, by the domain's calculation."""
        return _ranges(self.due)

    @property
    def agree(self) -> bool:
        """Whether the two calculations come to the same, day by day.

        Which ruling of the quarter is missing is no question for SQL where nothing is lent in it.
        """
        lacking, second = self.due.lacking, self.second
        if lacking is not None:
            return second.missing == lacking.name or not (second.missing or second.ranges)
        return second == (self.due.due_fen, None, self.ranges)

    @property
    def state(self) -> PaymentState:
        """How what was paid stands beside what is due."""
        due = self.due
        if due.state == "paid" and not due.due_fen and not due.paid_fen:
            return PaymentState.NOTHING_DUE
        return _STATES[due.state]

    def plain(self, shows: Shows = lambda _: True) -> dict[str, Any]:
        """As JSON values. Of loans that the reader may not see, the amount alone stands there."""
        due = self.due
        assert due.period is not None
        amounts = _amounts(due)
        state_zh, state_en = sentences(self.state, amounts)
        return {
            "loan": {name: self.loan[name] for name in self.loan if name not in _IDS},
            "period": due.name,
            "first": due.period.first,
            "until": due.period.until,
            **{name: amounts[name] for name in _SHOWN_AMOUNTS},
            "limit_fen": due.limit_fen,
            "note": due.note,
            "state": self.state.value,
            "state_zh": state_zh,
            "state_en": state_en,
            "reasons": [_plain_reason(each, self.loan["bank"], shows) for each in self.reasons],
            "calculations": {"agree": self.agree, "domain": _by_domain(due), "sql": self._by_sql()},
            "payments": [
                payment | {"differences": [_plain_difference(each) for each in found]}
                for payment, found in self.payments
            ],
            "batch_lines": list(self.lines.dicts()),
        }

    def _by_sql(self) -> dict[str, Any]:
        second = self.second
        return {
            "due_fen": second.due_fen,
            "missing_ruling": second.missing,
            "segments": [_plain_range(each) for each in second.ranges],
        }


_STATES = {state.value: state for state in PaymentState}
_IDS = frozenset({"loan_id", "household_id"})
_SHOWN_AMOUNTS = ("due_fen", "paid_fen", "reserved_fen", "left_fen")


def loans_called(
    view: View, loan_no: str, *, bank: str | None = None, scope: Scope = COUNTY
) -> Table:
    """The loans of one number that were reported by then, a line a bank, lent or not.

    Which bank, within the reader's scope, is the caller's question; ids are for `explanation`.
    """
    return view.lookup_table(
        LOAN,
        query_text(__name__, "loan.sql").replace("{guaranteed}", guaranteed("l.loan_id::uuid")),
        **parameters_of_loans(scope._replace(bank=scope.bank or bank)),
        loan_no=loan_no,
    )


def explanation(view: View, loan: dict[str, Any], period: str) -> Explanation:
    """Why this loan, a line of `loans_called`, has this subsidy. Raises NoRuling for no quarter."""
    loan_id = loan["loan_id"]
    asked = view.lookup(
        query_text(__name__, "household_loans.sql"), household_id=loan["household_id"]
    ).rows
    ids = [row[0] for row in asked]
    household_loans = lent(view, view.as_of + DAY, ids)  # one that is younger takes no room
    found = next((each for each in household_loans if each["loan_id"] == loan_id), None)
    told = found or last_reported(view, loan_id)
    due, terms, older = due_of(view, told, household_loans, period)
    judged = due.lacking or due.calculation
    assert due.period is not None
    assert judged is not None
    if loan["lent"]:
        why = reasons(
            terms,
            older,
            due.period,
            judged,
            principal_fen=loan["principal_fen"],
            category=told["category"],
            known_on=view.known_on,
            book=view.book,
        )
    else:
        why = not_lent(
            due.period, loan["disbursed_on"], as_of=view.as_of, reversed_=loan["reversed"]
        )
    named = {"loan_id": loan_id, "period": period}
    return Explanation(
        loan | {"category": told["category"]},
        due,
        by_sql(view, loan_id, ids, due),
        why,
        tuple(_payments(view, _ranges(due), named)),
        view.lookup_table(LINES, query_text(__name__, "lines.sql"), **named),
    )


def _payments(
    view: View, now: tuple[EarningRange, ...], named: dict[str, str]
) -> list[tuple[dict[str, Any], tuple[Difference, ...]]]:
    """Each payment, with where what it was calculated on differs from what earns now."""
    then: dict[str, list[EarningRange]] = defaultdict(list)
    for payment_no, *bounds in view.lookup(query_text(__name__, "subsidised.sql"), **named).rows:
        then[payment_no].append(EarningRange(*bounds))
    payments = view.lookup_table(PAYMENTS, query_text(__name__, "payments.sql"), **named)
    return [
        (payment, differences(joined(then[payment["payment_no"]]), now))
        for payment in payments.dicts()
    ]


def _ranges(due: Due) -> tuple[EarningRange, ...]:
    segments = () if due.calculation is None else due.calculation.segments
    return joined(
        EarningRange(each.first, each.until, each.principal_fen, each.rate_bp, each.share_bp)
        for each in segments
    )


def _amounts(due: Due) -> dict[str, int]:
    """What the sentence of a state may say, in fen."""
    limit_fen = due.due_fen if due.limit_fen is None else due.limit_fen
    return {
        "due_fen": due.due_fen,
        "paid_fen": due.paid_fen,
        "reserved_fen": due.reserved_fen,
        "left_fen": due.left_fen,
        "limit_fen": limit_fen,
        "allowed_fen": min(due.due_fen, limit_fen),
        "over_fen": max(-due.left_fen, 0),
    }


def _by_domain(due: Due) -> dict[str, Any]:
    calculation = due.calculation
    if calculation is None:
        missing = due.lacking.name if due.lacking else None
        nothing: dict[str, Any] = {"day_count": None, "segments": [], "rulings": []}
        return {"due_fen": 0, "missing_ruling": missing} | nothing
    plain = calculation.to_dict()
    return {
        "due_fen": due.due_fen,
        "missing_ruling": None,
        "day_count": plain["day_count"],
        "segments": plain["segments"],
        "rulings": plain["rulings"],
    }


def _plain_reason(reason: Reason, bank: str, shows: Shows) -> dict[str, Any]:
    zh, en = reason.sentences
    plain: dict[str, Any] = {
        "reason": reason.code.value,
        "zh": zh,
        "en": en,
        "first": reason.first,
        "until": reason.until,
        "days": reason.days,
        "details": dict(reason.details),
    }
    plain["loans"] = _plain_takers(reason.takers, bank, shows)
    return plain


def _plain_takers(takers: tuple[CapTaker, ...], bank: str, shows: Shows) -> list[dict[str, Any]]:
    """The loans that fill the cap; those that the reader may not see as a sum a class of bank."""
    shown: list[dict[str, Any]] = []
    hidden: dict[str, int] = defaultdict(int)
    for taker in takers:
        other, _, loan_no = taker.loan_id.partition("/")
        bank_class = "same_bank" if other == bank else "other_bank"
        if shows(other):
            amounts = {"owed_fen": taker.owed_fen, "takes_fen": taker.takes_fen}
            shown.append({"bank_class": bank_class, "bank": other, "loan_no": loan_no} | amounts)
        else:
            hidden[bank_class] += taker.takes_fen
    nameless = {"bank": None, "loan_no": None, "owed_fen": None}
    return shown + [
        {"bank_class": bank_class} | nameless | {"takes_fen": fen}
        for bank_class, fen in hidden.items()
    ]


def _plain_range(each: EarningRange) -> dict[str, Any]:
    return {**each._asdict(), "days": (each.until - each.first).days}


def _plain_difference(each: Difference) -> dict[str, Any]:
    """Principal, rate and share of the same days, then and now; null where nothing earns."""
    return {
        "first": each.first,
        "until": each.until,
        "days": each.days,
        "then": each.then and dict(zip(EarningRange._fields[2:], each.then[2:], strict=True)),
        "now": each.now and dict(zip(EarningRange._fields[2:], each.now[2:], strict=True)),
    }
