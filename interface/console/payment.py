"""The trace of a payment (贴息溯源): how much, right then and now, how, in which order, on what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal, NamedTuple

from fastapi import APIRouter, Depends, Response
from starlette.concurrency import run_in_threadpool

from application.transparency_log.proofs import NotSealed, Proofs
from domain.kernel import Refused
from domain.loan import PaymentUnknown
from domain.money import in_capitals, with_commas
from domain.subsidy import REASONS
from interface.console.arithmetic import factors
from interface.console.drawing.two_dates import Dated, TwoDates, two_dates
from interface.console.frame import HEADERS, Visit, assure_allowed, page, visit
from interface.console.page_route import PageRoute
from interface.console.payment_answer import payment_answer
from interface.console.proofs import (
    ByServer,
    Proven,
    proof_data,
    proven,
    verified_by_server,
)
from interface.console.rules import rule_rows
from interface.console.silences import silences
from interface.console.then_and_now import Explained, Now, Then, now_of, then_of
from interface.console.timeline import Entry, category_name, entries
from interface.console.words import Words
from interface.http.permissions import scope_of
from interface.http.query_params import No, view_of
from interface.http.responses import json_answer
from interface.http.routes.ledgers import traced
from interface.http.routes.subsidy_explanation import explained
from interface.http.routes.transparency_log import evidence_file, patiently
from interface.http.visibility import visible_trace, with_open_leaves
from projections.duties import of_one_loan
from projections.facts.reading import View
from projections.history import trace as trace_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Visiting = Annotated[Visit, Depends(visit)]
_QUERY = "/loans/{no}/subsidies/{period}"
_EVIDENCE = "/subsidy-payments/{no}/evidence"
_SETTLED, _REPAID = "loan.settled.v1", "loan.repaid.v1"


class Facts(NamedTuple):
    """What the facts say of a payment's quarter, at its own dates and at the page's.

    `then` and `now` are None where the facts cannot say it (yet).
    """

    then: Explained | None
    now: Explained | None
    silences: list[Entry]
    proven: Proven
    by_server: ByServer | None
    known_at: datetime
    drawn_through: datetime
    names: Mapping[str, str]


@router.get("/subsidy-payments/{no}")
async def payment(found: Visiting, no: No, proof: Literal["server"] | None = None) -> Response:
    assure_allowed(found, "/subsidy-payments/{no}/trace")
    through = await run_in_threadpool(found.service.facts.recorded_through, found.known_at)
    trace = await traced(found.service, found.author, no, found.as_of, found.known_at)
    loan = _loan(trace)
    facts = await run_in_threadpool(_facts, found, trace, loan, proof is not None)
    shown = _shown(found, no, trace, loan, facts)
    answer = None
    if found.known_at is not None or facts.drawn_through <= through:
        known_at = min(through, facts.known_at)
        answer = payment_answer(found.words, trace, shown["then"], shown["now"], known_at)
    return await page(found, "payment.html", pinned=answer, **shown)


@router.get("/subsidy-payments/{no}/proof.json")
async def payment_proof(found: Visiting, no: No) -> Response:
    """What a browser needs to follow the proof of the payment's event by itself."""
    assure_allowed(found, _EVIDENCE)

    def answer(proofs: Proofs) -> Response:
        return json_answer(proof_data(proofs, _open_leaf(found, proofs, no)), headers=HEADERS)

    return await run_in_threadpool(patiently, found.service, answer)


@router.get("/subsidy-payments/{no}/evidence")
async def payment_evidence(found: Visiting, no: No) -> Response:
    """The evidence bundle, a file; the same as of the route."""
    assure_allowed(found, _EVIDENCE)

    def answer(proofs: Proofs) -> Response:
        return evidence_file(found.service, proofs, found.author, no, found.as_of, found.known_at)

    return await run_in_threadpool(patiently, found.service, answer)


def _open_leaf(found: Visit, proofs: Proofs, no: str) -> int:
    """The position of a payment whose leaf the reader may see.

    Raises PaymentUnknown, LeafWithheld.
    """
    seen = visible_trace(
        proofs.connection, found.author, trace_of(proofs.connection, no, found.known_at)
    )
    if seen is None:
        raise PaymentUnknown(payment_no=no)
    return with_open_leaves(seen).payment.position


def _loan(trace: Mapping[str, Any]) -> Mapping[str, Any]:
    """What was disbursed, as it was reported."""
    told = (e["content"] for e in reversed(trace["loan_events"]))
    return next(content for content in told if "loan_no" in content and "bank" in content)


# ---- what the facts say -----------------------------------------------------------------


def _facts(
    found: Visit, trace: Mapping[str, Any], loan: Mapping[str, Any], by_server: bool
) -> Facts:
    service, event = found.service, trace["payment"]
    paid_on = date.fromisoformat(event["effective_on"])
    with view_of(service, found.as_of, found.known_at, None) as view:
        drawn = view.position >= event["position"]
        at_payment = view.at(paid_on, event["recorded_at"]) if drawn else None
        return Facts(
            then=_explained(found, at_payment, trace, loan) if at_payment else None,
            now=_explained(found, view, trace, loan) if drawn else None,
            silences=_silences(found, view, loan),
            proven=proven(service, view.connection, event["position"]),
            by_server=_by_server(found, view, event) if by_server else None,
            known_at=view.known_at,
            drawn_through=view.drawn_through,
            names={each.code: each.name for each in service.people.organisations()},
        )


def _explained(
    found: Visit, view: View, trace: Mapping[str, Any], loan: Mapping[str, Any]
) -> Explained | None:
    """The calculation at the view's dates; None where there is none to be had."""
    period = trace["payment"]["content"]["period"]
    try:
        return explained(
            view, scope_of(found.author, _QUERY), loan["loan_no"], period, loan["bank"]
        )
    except (Refused, LookupError):
        return None


def _silences(found: Visit, view: View, loan: Mapping[str, Any]) -> list[Entry]:
    scope = scope_of(found.author, "/duties")
    key = ("duties of one loan", view.place, scope, loan["bank"], loan["loan_no"])
    memory = view.memory if scope.guarantor is None else None
    lines: list[dict[str, Any]] | None = memory.recall(key) if memory else None
    if lines is None:
        lines = list(of_one_loan(view, loan["bank"], loan["loan_no"], scope=scope).dicts())
        if memory:
            memory.keep(key, lines, len(lines) + 1)
    return silences(found.words, lines)


def _by_server(found: Visit, view: View, event: Mapping[str, Any]) -> ByServer | None:
    deployment = found.service.deployment
    proofs = Proofs(view.connection, deployment.origin)
    try:
        return verified_by_server(proofs, deployment.signer(), event["position"])
    except NotSealed:
        return None


# ---- what the page shows ----------------------------------------------------------------


def _shown(
    found: Visit, no: str, trace: Mapping[str, Any], loan: Mapping[str, Any], facts: Facts
) -> dict[str, Any]:
    event, calculation = trace["payment"], trace["calculation"]
    paid, household = event["content"], trace["household_on_disbursement_day"]
    then = then_of(trace, facts.then)
    now = None if facts.now is None else now_of(trace, facts.now)
    lines = _lines(found, trace, facts)
    moved = [*trace["loan_events"], *trace["told_after_the_payment"]]
    now_segments = [] if facts.now is None else facts.now["calculations"]["domain"]["segments"]
    return {
        "no": no,
        "paid": paid,
        "paid_on": event["effective_on"],
        "quarter": quarter_name(found.words, paid["period"]),
        "capitals": in_capitals(paid["amount_fen"]),
        "last": _day_before(paid["until"]),
        "payer": facts.names.get(event["told_by"]["organisation"], ""),
        "household_no": household["household_no"],
        "category": category_name(found.words, household["category_when_paid"]),
        "loan_no": loan["loan_no"],
        "bank": facts.names.get(loan["bank"], loan["bank"]),
        "story": _story(found.words, trace, now, facts),
        "then": then,
        "now": now,
        "calculation": calculation,
        "factors": factors(calculation["segments"], trace["loan_events"]),
        "now_factors": factors(now_segments, moved) if _differs(then, now) else [],
        "reasons": _reasons(found.words, calculation, facts.then),
        "now_reasons": _reasons(found.words, None, facts.now) if _differs(then, now) else [],
        "rules": rule_rows(
            found.words,
            trace["rules_in_force"],
            None if facts.now is None else facts.now["calculations"]["domain"]["rulings"],
        ),
        "lines": lines,
        "event_id": event["event_id"],
        "position": event["position"],
        "proven": facts.proven,
        "by_server": facts.by_server,
        **_addresses(found, no, paid, loan, household, event),
    }


def _addresses(
    found: Visit,
    no: str,
    paid: Mapping[str, Any],
    loan: Mapping[str, Any],
    household: Mapping[str, Any],
    event: Mapping[str, Any],
) -> dict[str, str]:
    ledger = "/ledgers/subsidies"
    return {
        "list_address": found.address(ledger),
        "period_address": found.address(ledger, period=paid["period"]),
        "loan_address": found.to("loans", loan["bank"], loan["loan_no"]),
        "household_address": found.to("households", household["household_no"])
        if found.allowed("/households/{no}")
        else "",
        "event_address": found.to("events", event["position"]),
        "slip_address": found.to("subsidy-payments", no, "slip"),
        "evidence_address": found.to("subsidy-payments", no, "evidence"),
        "proof_address": found.to("subsidy-payments", no, "proof.json"),
        "server_address": found.to("subsidy-payments", no, proof="server"),
    }


def quarter_name(words: Words, period: str) -> str:
    """A quarter as a sentence names it."""
    year, _, number = period.partition("Q")
    return words("payment.quarter", year=year, number=number)


def _differs(then: Then, now: Now | None) -> bool:
    return now is not None and now.judged and now.due_fen != then.due_fen


def _reasons(
    words: Words, calculation: Mapping[str, Any] | None, known: Explained | None
) -> list[dict[str, Any]]:
    """Why it is not the whole interest: as explained, else the codes that the payment stores."""
    if known is not None:
        return [
            {"sentence": each[words.language], "first": each["first"],
             "last": each["until"] - timedelta(days=1), "loans": each["loans"]}
            for each in known["reasons"]
        ]  # fmt: skip
    codes = () if calculation is None else calculation["reasons"]
    return [{"sentence": REASONS[code], "first": None, "last": None, "loans": ()} for code in codes]


def _story(words: Words, trace: Mapping[str, Any], now: Now | None, facts: Facts) -> list[str]:
    """What became of it since, in sentences that a person can read aloud."""
    paid_on, said = trace["payment"]["effective_on"], []
    early = [e for e in trace["told_after_the_payment"] if e["effective_on"] < paid_on]
    if early:
        topics = {each["event"] for each in early}
        kind = "settled" if _SETTLED in topics else "repaid" if _REPAID in topics else "other"
        [teller, *others] = {each["told_by"]["organisation"]: 1 for each in early}
        by = words("payment.several") if others else facts.names.get(teller, teller)
        said.append(words(f"payment.later_{kind}", by=by, count=len(early)))
    if now is not None and now.state in ("made_good", "overpaid", "underpaid"):
        amount = with_commas(abs(now.open_fen or now.over_fen))
        said.append(words(f"payment.story_{now.state}", amount=amount))
    if now is not None and now.returned_fen:
        said.append(words("payment.story_returned", amount=with_commas(now.returned_fen)))
    return said


# ---- the timeline -----------------------------------------------------------------------


class Lines(NamedTuple):
    """The timeline: before the loan, what was known at the payment, what was recorded later.

    `elsewhere`: of the household, after the payment and about it no more. `chart`: None when one
    point says no more than a sentence.
    """

    older: list[Entry]
    before: list[Entry]
    after: list[Entry]
    elsewhere: list[Entry]
    chart: TwoDates | None

    @property
    def later(self) -> bool:
        """Whether anything was recorded after the payment; what was not done is no record."""
        return any(entry.position for entry in self.after)

    @property
    def total(self) -> int:
        """How many lines there are."""
        return sum(map(len, self[:4]))


def _lines(found: Visit, trace: Mapping[str, Any], facts: Facts) -> Lines:
    cut, paid_on = trace["payment"]["position"], trace["payment"]["effective_on"]
    lent_on = trace["household_on_disbursement_day"]["disbursed_on"]
    known = [*trace["loan_events"], *trace["batch_events"], trace["payment"]]
    home = [e for e in trace["household_events"] if e["effective_on"] <= str(found.as_of)]
    known += [e for e in home if e["position"] < cut]
    later = [e for e in home if e["position"] > cut]
    after = [*trace["told_after_the_payment"], *(e for e in later if e["effective_on"] <= paid_on)]

    def made(events: Sequence[Mapping[str, Any]]) -> list[Entry]:
        return entries(found, events, facts.names, here=cut)

    before = made([e for e in known if e["effective_on"] >= lent_on])
    told_later = made(after)
    missed = [each for each in facts.silences if each.day <= paid_on]
    missed_later = [each for each in facts.silences if each.day > paid_on]
    return Lines(
        older=made([e for e in known if e["effective_on"] < lent_on]),
        before=_by_day(before, missed),
        after=_by_day(told_later, missed_later),
        elsewhere=made([e for e in later if e["effective_on"] > paid_on]),
        chart=_chart(before, told_later, paid_on),
    )


def _by_day(known: list[Entry], missed: list[Entry]) -> list[Entry]:
    return sorted([*known, *missed], key=lambda entry: (entry.day, entry.position or 0))


def _chart(before: Sequence[Entry], after: Sequence[Entry], paid_on: str) -> TwoDates | None:
    dated = [
        Dated(date.fromisoformat(entry.day), entry.known_on, mark)
        for entry, mark in [
            *((each, "here" if each.shape == "here" else "") for each in before),
            *((each, "later") for each in after),
        ]
        if entry.known_on is not None
    ]
    return two_dates(dated, date.fromisoformat(paid_on))


def _day_before(day: str) -> date:
    return date.fromisoformat(day) - timedelta(days=1)
