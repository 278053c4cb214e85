"""Duties with a deadline (domain rules: [P] usage checks, reminders, plans, reasons told).

What is due is reckoned from the events for any day, so nothing has to be scheduled or stored: a
duty is done, late, pending, not done (with the days searched) or not applicable (with the reason).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import chain
from typing import Final, Literal, NamedTuple

from domain.calendar import DAY, add_months
from domain.money import yuan
from domain.policy import POLICY, Book, NoRuling

State = Literal["pending", "done", "late", "not_done", "not_applicable"]
STATES: Final = ("pending", "done", "late", "not_done", "not_applicable")
DUTIES: Final = {
    "usage_check": ("贷后检查", "township"),
    "first_reminder": ("到期首次提醒", "bank"),
    "written_reminder": ("到期书面提醒", "bank"),
    "repayment_plan": ("逾期还款计划", "township"),
    "decision": ("授信答复", "bank"),
    "benefit": ("分红或增收款", "enterprise"),
    "public_notice": ("批次公示", "township"),
}
"""Each duty's title and who owes it: a role, or the enterprise of a benefit agreement."""


class Deed(NamedTuple):
    """Something that was done: the day, its event's position, and whether it is of full form."""

    on: date
    position: int
    proper: bool = True


class Duty(NamedTuple):
    """One duty as it stood at the end of a day; the days searched include both ends."""

    duty: str
    due_on: date
    state: State
    done_on: date | None
    position: int | None
    searched_from_on: date | None
    searched_until_on: date | None
    remark: str | None = None


def judged(
    duty: str, first: date, due_on: date, last: date, as_of: date, deeds: Sequence[Deed]
) -> Duty:
    """The duty whose deeds may stand from `first` to `last`, in time up to `due_on`.

    `deeds` are in order of their days and known; one after `as_of` has not happened yet.
    """
    searched = min(last, as_of)
    within = [deed for deed in deeds if first <= deed.on <= searched]
    found = next((deed for deed in within if deed.proper), None)
    if found is not None:
        state: State = "done" if found.on <= due_on else "late"
        return Duty(duty, due_on, state, found.on, found.position, None, None)
    state = "pending" if as_of <= due_on else "not_done"
    flaw = "有提醒但非书面或无依据 a reminder stands, but not in writing with evidence"
    return Duty(
        duty, due_on, state, None, None, first, max(first, searched), flaw if within else None
    )


def may_fall_due(
    disbursed_on: date,
    due_days: Sequence[tuple[date, date]],
    first: date,
    until: date,
    known_on: date | None = None,
    book: Book = POLICY,
) -> bool:
    """Whether a loan can have a duty due from `first` to `until`, whatever was done of it.

    By its days alone, so that a list of few days need not judge each loan. Where a rule is lacking
    it can. `due_days` as for `reminders`.
    """
    try:
        months = book.ruling("usage_check_months", disbursed_on, known_on).number
        before = [
            book.ruling(f"{duty}_days", disbursed_on, known_on).number
            for duty in ("first_reminder", "written_reminder")
        ]
    except NoRuling:
        return True
    passed = (first.year - disbursed_on.year) * 12 + first.month - disbursed_on.month
    number = max(passed // months, 1)
    checks = (add_months(disbursed_on, months * n) for n in (number, number + 1))
    reminders = (due_on - days * DAY for days in (0, *before) for _, due_on in due_days)
    return any(first <= day <= until for day in chain(checks, reminders))


def usage_checks(
    disbursed_on: date,
    settled_on: date | None,
    checks: Sequence[Deed],
    *,
    as_of: date,
    until: date,
    known_on: date | None = None,
    book: Book = POLICY,
) -> Iterator[Duty]:
    """Every check due up to `until`, and the next one: every 3 calendar months until settled.

    Rule: policy/usage_check_months.toml. A check answers one duty at most, and none that fell due
    before the last one; one that comes late may be kept for the next duty (`_answers`).
    """
    months = book.ruling("usage_check_months", disbursed_on, known_on).number
    first, number = disbursed_on, 1
    left = [deed for deed in checks if deed.on <= as_of]
    while True:
        due_on, next_on = (add_months(disbursed_on, months * (number + n)) for n in (0, 1))
        if (settled_on is not None and due_on >= settled_on) or first > max(as_of, until):
            return
        left = [deed for deed in left if deed.on >= first]
        ends = settled_on is not None and next_on >= settled_on
        own = left if ends or _answers(left, due_on, next_on) else []
        found = judged("usage_check", first, due_on, next_on, as_of, own)
        if found.done_on is not None:
            left = left[1:]
        elif left and left[0].on <= next_on:
            kept = left[0].on
            found = found._replace(
                remark=f"{kept} 的检查计入下一期 the check of {kept} is the next one's"
            )
        if due_on <= until or first <= as_of:
            yield found
        first, number = due_on + DAY, number + 1


def _answers(checks: Sequence[Deed], due_on: date, next_on: date) -> bool:
    """Whether the first of these checks answers the duty of `due_on`, or is kept for the next.

    In time: it does. Late: it does when another one is there for the next duty, or when it is at
    least as near to its own due day. So one missed check makes no later, timely one late.
    """
    if not checks or checks[0].on <= due_on:
        return True
    spare = len(checks) > 1 and checks[1].on <= next_on
    return spare or checks[0].on - due_on <= next_on - checks[0].on


def reminders(
    duty: str,
    days: int,
    settled_on: date | None,
    due_days: Sequence[tuple[date, date]],
    deeds: Sequence[Deed],
    *,
    as_of: date,
) -> Iterator[Duty]:
    """One reminder `days` before each due day, unless another due day or the end came first.

    `due_days`: (agreed on, due on) in order, the contract's own first. Rules:
    policy/first_reminder_days.toml, policy/written_reminder_days.toml.
    """
    for place, (agreed_on, due_on) in enumerate(due_days):
        latest = due_on - days * DAY
        moved = place + 1 < len(due_days) and due_days[place + 1][0] <= latest
        if moved or (settled_on is not None and settled_on <= latest):
            continue
        if agreed_on > latest:
            why = "展期在提醒期内 extended inside the window"
            if place == 0:
                why = f"贷款期限不足 {days} 天 the loan is shorter than {days} days"
            yield Duty(duty, latest, "not_applicable", None, None, None, None, why)
            continue
        yield judged(duty, agreed_on, latest, due_on - DAY, as_of, deeds)


def repayment_plan(
    due_on: date, settled_on: date | None, plans: Sequence[Deed], *, as_of: date
) -> Iterator[Duty]:
    """An overdue loan has a plan; the rule sets no number of days, so none is ever late."""
    if as_of < due_on or (settled_on is not None and settled_on <= due_on):
        return
    found = judged("repayment_plan", due_on, due_on, date.max, as_of, plans)
    if found.state == "late":
        found = found._replace(state="done")
    elif found.state == "pending":
        found = found._replace(state="not_done")
    if settled_on is not None and found.done_on is None:
        why = f"已于 {settled_on} 结清 settled without one"
        found = found._replace(searched_until_on=settled_on, remark=why)
    yield found


def decisions(
    demands: Sequence[Deed], answers: Sequence[Deed], *, as_of: date
) -> Iterator[tuple[Deed, Duty]]:
    """Each demand ends in a credit granted, or refused with the reason told (`proper`).

    The rule sets no number of days: a demand without any answer is pending. The first answer on or
    after a demand is its own.
    """
    left = list(answers)
    for demand in demands:
        if demand.on > as_of:
            continue
        found = next((deed for deed in left if demand.on <= deed.on <= as_of), None)
        if found is None:
            duty = Duty("decision", demand.on, "pending", None, None, demand.on, as_of)
        else:
            left.remove(found)
            told = None if found.proper else "拒贷未告知原因 refused, the reason not told"
            state: State = "done" if found.proper else "not_done"
            duty = Duty("decision", demand.on, state, found.on, found.position, None, None, told)
        yield demand, duty


def benefits(
    signed_on: date,
    dues: Sequence[tuple[date, int]],
    payments: Sequence[tuple[Deed, int]],
    *,
    as_of: date,
) -> Iterator[Duty]:
    """Each instalment of one household (day, fen), oldest first, met by payments as they come.

    An instalment is met on the day on which all that was paid reaches all that had fallen due.
    """
    owed_fen = 0
    for due_on, due_fen in sorted(dues):
        owed_fen += due_fen
        paid_fen, met = 0, None
        for deed, fen in payments:
            if deed.on > as_of:
                break
            paid_fen += fen
            if paid_fen >= owed_fen:
                met = deed
                break
        if met is not None:
            state: State = "done" if met.on <= due_on else "late"
            yield Duty("benefit", due_on, state, met.on, met.position, None, None)
            continue
        late = as_of > due_on
        short = yuan(min(owed_fen - paid_fen, due_fen))
        yield Duty(
            "benefit",
            due_on,
            "not_done" if late else "pending",
            None,
            None,
            signed_on,
            max(signed_on, as_of),
            f"欠 {short} 元 {short} yuan short" if late else None,
        )


def public_notice(
    verified_on: date, wanted: int, posted: Sequence[Deed], until_on: date | None, *, as_of: date
) -> Duty:
    """A batch's notice at each level wanted; the rule sets no day for posting, so none is late.

    `posted`: the last of those that stand. Done when all stand; money waits until `until_on`.
    """
    if len(posted) < wanted:
        missing = wanted - len(posted)
        remark = f"尚缺 {missing} 级公示 {missing} levels missing"
        return Duty("public_notice", verified_on, "pending", None, None, verified_on, as_of, remark)
    last = max(posted)
    remark = f"公示至 {until_on} stands to {until_on}"
    return Duty("public_notice", verified_on, "done", last.on, last.position, None, None, remark)
