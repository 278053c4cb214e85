"""The trace of a payment (贴息溯源): how much, right then, known since, step by step, on what."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Depends, Response
from starlette.concurrency import run_in_threadpool

from application.access import Organisation
from domain.calendar import civil_day
from domain.household import CATEGORIES_ZH
from domain.money import in_capitals, percent, with_commas
from domain.policy import POLICY
from domain.subsidy import REASONS
from interface.console.frame import Visit, assure_allowed, page, visit
from interface.console.page_route import PageRoute
from interface.console.pinned import Answer
from interface.console.words import Words
from interface.documents.rulings import rules_in_words
from interface.http.query_params import No
from interface.http.routes.ledgers import traced

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_FIELDS = (
    "principal_fen", "interest_fen", "penalty_fen", "amount_fen", "annual_rate_bp", "due_on",
    "new_due_on", "category", "purpose", "period", "finding", "actual_use", "reason", "voucher",
)  # fmt: skip
"""What an entry of the timeline says of an event, in this order."""

_EVENTS = ("loan_events", "household_events", "batch_events", "told_after_the_payment")


class Entry(NamedTuple):
    """One event in the timeline. `late_days`: between the day it happened and the report of it."""

    day: str
    what: str
    said: list[tuple[str, str, int | None]]
    """Title, value, and the amount in fen where it is one."""
    organisation: str
    position: int
    known_on: date
    late_days: int
    is_late: bool
    money: bool
    here: bool
    reversed: bool


@router.get("/subsidy-payments/{no}")
async def payment(found: Annotated[Visit, Depends(visit)], no: No) -> Response:
    assure_allowed(found, "/subsidy-payments/{no}/trace")
    through = await run_in_threadpool(found.service.facts.recorded_through, found.known_at)
    trace = await traced(found.service, found.author, no, found.as_of, found.known_at)
    paid, calculation = trace["payment"]["content"], trace["calculation"]
    household = trace["household_on_disbursement_day"]
    loan = _loan(trace)
    before, after = _timeline(found.words, trace)
    names = {each.code: each.name for each in await _organisations(found)}
    return await page(
        found,
        "payment.html",
        pinned=_answer(found.words, trace, through),
        no=no,
        paid=paid,
        paid_on=trace["payment"]["effective_on"],
        payer=names.get(trace["payment"]["told_by"]["organisation"], ""),
        names=names,
        capitals=in_capitals(paid["amount_fen"]),
        last=_day_before(paid["until"]),
        household_no=household["household_no"],
        category=_category(found.words, household["category_when_paid"]),
        loan_no=loan["loan_no"],
        bank=names.get(loan["bank"], loan["bank"]),
        calculation=calculation,
        segments=[s | {"last": _day_before(s["until"])} for s in calculation["segments"]],
        reasons=[REASONS[reason] for reason in calculation["reasons"]],
        recovered_fen=trace["recovered_fen"],
        returned_fen=trace["returned_fen"],
        kept_fen=paid["amount_fen"] - trace["recovered_fen"] - trace["returned_fen"],
        after_count=len(after),
        old=[entry for entry in before if entry.day < household["disbursed_on"]],
        before=[entry for entry in before if entry.day >= household["disbursed_on"]],
        after=after,
        rules=rules_in_words(
            (rule["version"], rule["value_then"], rule["source"])
            for rule in trace["rules_in_force"]
        ),
        position=trace["payment"]["position"],
        event_id=trace["payment"]["event_id"],
        list_address=found.address("/ledgers/subsidies"),
        period_address=found.address("/ledgers/subsidies", period=paid["period"]),
        loan_address=found.address(
            "/ledgers/subsidies", bank=loan["bank"], loan_no=loan["loan_no"]
        ),
        household_address=found.address("/ledgers/loans", household_no=household["household_no"]),
    )


def _answer(words: Words, trace: Mapping[str, Any], through: datetime) -> Answer | None:
    """What the page rests on, as known at `through`; None where an event came in just now."""
    parts = {
        "payment": _said_of(trace["payment"]),
        "calculation": trace["calculation"],
        "came_back": [trace["recovered_fen"], trace["returned_fen"]],
        "household": trace["household_on_disbursement_day"],
        "rules": [[rule["version"], rule["value_then"]] for rule in trace["rules_in_force"]],
        **{name: [_said_of(event) for event in trace[name]] for name in _EVENTS},
    }
    events = [trace["payment"], *(event for name in _EVENTS for event in trace[name])]
    if any(event["recorded_at"] > through for event in events):
        return None
    return Answer(parts, through, {name: words(f"payment.part_{name}") for name in parts})


def _said_of(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event without what it is called."""
    return {name: value for name, value in event.items() if name != "event_zh"}


async def _organisations(found: Visit) -> list[Organisation]:
    return await run_in_threadpool(found.service.people.organisations)


def _loan(trace: Mapping[str, Any]) -> Mapping[str, Any]:
    """What was disbursed, as it was reported."""
    told = (e["content"] for e in reversed(trace["loan_events"]))
    return next(content for content in told if "loan_no" in content and "bank" in content)


def _category(words: Words, code: str | None) -> str:
    if words.language == "zh":
        return CATEGORIES_ZH.get(code or "", "—")
    return (code or "—").replace("_", " ")


def _timeline(words: Words, trace: Mapping[str, Any]) -> tuple[list[Entry], list[Entry]]:
    """What was known at the payment, and what was reported after it; by the day it happened."""
    cut = trace["payment"]["position"]
    told = {event["position"]: event for name in _EVENTS for event in trace[name]}
    told[cut] = trace["payment"]
    entries = sorted(
        (_entry(words, event, cut) for event in told.values()), key=lambda e: (e.day, e.position)
    )
    return (
        [entry for entry in entries if entry.position <= cut],
        [entry for entry in entries if entry.position > cut],
    )


def _entry(words: Words, event: Mapping[str, Any], cut: int) -> Entry:
    recorded: datetime = event["recorded_at"]
    known_on = civil_day(recorded)
    happened_on = date.fromisoformat(event["effective_on"])
    days = (known_on - happened_on).days
    ordinary = POLICY.ruling("late_report_days", known_on, known_on).number
    content = event["content"]
    return Entry(
        day=event["effective_on"],
        what=_what(words, event),
        said=[_said(words, key, content[key]) for key in _FIELDS if _says(key, content.get(key))],
        organisation=event["told_by"]["organisation"],
        position=event["position"],
        known_on=known_on,
        late_days=days,
        is_late=days > ordinary,
        money=any(content.get(key) for key in ("principal_fen", "amount_fen", "interest_fen")),
        here=event["position"] == cut,
        reversed=event["corrected_by"] is not None,
    )


def _says(key: str, value: Any) -> bool:
    """Whether the timeline gives a value: no penalty is not worth a word."""
    return value is not None and (key, value) != ("penalty_fen", 0)


def _what(words: Words, event: Mapping[str, Any]) -> str:
    """The event's name: its Chinese one, or the words of its topic."""
    if words.language == "zh":
        return str(event["event_zh"])
    aggregate, name, _ = event["event"].split(".")
    return f"{aggregate} {name}".replace("-", " ").capitalize()


def _said(words: Words, key: str, value: Any) -> tuple[str, str, int | None]:
    title = words(f"field.{key}")
    if key.endswith("_fen"):
        return title, with_commas(value), value
    if key.endswith("_bp"):
        return title, percent(value), None
    if key == "category":
        return title, _category(words, value), None
    coded = f"value.{value}"
    return title, words(coded) if words.has(coded) else str(value), None


def _day_before(day: str) -> date:
    return date.fromisoformat(day) - timedelta(days=1)
