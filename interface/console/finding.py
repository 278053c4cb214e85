"""One finding (疑点): why, on what rule, by which events, since when it could have been known.

Without a day in the address the page shows what the last check stored; with one the rule is asked
about this subject, as `/v1/red-flags?rule=&subject=` does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, Final, NamedTuple

from fastapi import APIRouter, Depends, Path, Query, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from application.refusals import NotSealedYet
from application.transparency_log.proofs import NotSealed, Proofs
from domain.money import in_capitals, percent, with_commas
from domain.policy import NoRuling
from interface.console.dates import in_china
from interface.console.drawing.curve import drawn
from interface.console.findings import case_address, sees_cases, title_of
from interface.console.frame import (
    HEADERS,
    Visit,
    address_of,
    assure_allowed,
    page,
    path_of,
    visit,
)
from interface.console.page_route import PageRoute
from interface.console.timeline import entries, event_address
from interface.console.words import Words
from interface.exports.evidence import finding_bundle, finding_of
from interface.http.query_params import view_of
from interface.http.responses import json_answer
from interface.http.routes.red_flags import rules_for
from projections.cases import cases_asking, cases_by_finding
from projections.facts.reading import View
from projections.history import happenings
from projections.red_flags import Rule
from projections.red_flags.evidence import Concerned, cited, concerned, plan_rulings
from projections.red_flags.inbox import Stored, stored_findings
from projections.red_flags.measured import FILE, backtest
from projections.red_flags.runs import Status, statuses

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Visiting = Annotated[Visit, Depends(visit)]
RuleInPath = Annotated[str, Path(pattern="^RF[0-9]{2}$")]
SubjectInPath = Annotated[str, Path(pattern=r"^[^\x00-\x1f]+$", max_length=400)]
Nth = Annotated[int, Query(ge=1, le=1_000_000)]
_CHINESE: Final = re.compile(r"[\u4e00-\u9fff]")
_SENTENCE: Final = re.compile(r"(?<=[。；])\s*|(?<=[.;])\s+")
_MOST_EVENTS: Final = 200
"""Events of a timeline; of more the others are counted."""


class Seen(NamedTuple):
    """A finding as a page shows it, by a check or asked at two dates.

    `stored`: what the inbox says of it, if it is there. `flagged`: whether the rule flags it.
    """

    rule: Rule
    flagged: bool
    amount_fen: int
    known_from: datetime | None
    positions: Sequence[int]
    context: Sequence[int]
    rulings: list[dict[str, Any]]
    rests_on: list[dict[str, Any]]
    stored: Stored | None
    status: Status | None
    asked: bool
    case_no: str | None
    events: list[dict[str, Any]]
    concerned: dict[int, Concerned]


# ---- reading --------------------------------------------------------------------------


def rule_of(found: Visit, id: str) -> Rule:
    """Raises HTTPException 404: a rule that the reader may not see is as one that is not there."""
    rule = next((each for each in rules_for(found.author) if each.id == id), None)
    if rule is None:
        raise HTTPException(404)
    return rule


def is_asked(found: Visit) -> bool:
    """Whether the rule itself is to be asked: the address says at which dates."""
    return "as_of" in found.request.query_params or found.known_at is not None


def read_finding(found: Visit, rule: Rule, subject: str, nth: int) -> Seen | None:
    """None where neither the rule nor the inbox knows of it."""
    with found.service.facts.connection() as connection:
        status = statuses(connection).get(rule.id)
    day = found.as_of
    if not is_asked(found) and status and status.as_of:
        day = status.as_of
    with view_of(found.service, day, found.known_at, None) as view:
        stored = next(
            (
                each
                for each in stored_findings(view)
                if (each.rule, each.subject, each.nth) == (rule.id, subject, nth)
            ),
            None,
        )
        seen = _asked(view, rule, subject, nth) if is_asked(found) else _stored(view, rule, stored)
        if seen is None and stored is None:
            return None
        seen = seen or _nothing(rule)
        positions = [*seen.positions, *seen.context][:_MOST_EVENTS]
        told = happenings(view.connection, positions, view.known_at)
        return seen._replace(
            stored=stored,
            status=status,
            asked=is_asked(found),
            case_no=_case(found, view, f"{rule.id} {subject}"),
            events=[event.plain() for event in told],
            concerned=concerned(view, positions),
        )


def _nothing(rule: Rule) -> Seen:
    return Seen(rule, False, 0, None, (), (), [], [], None, None, True, None, [], {})


def _asked(view: View, rule: Rule, subject: str, nth: int) -> Seen | None:
    """What the rule says at the two dates."""
    said = finding_of(view, rule, subject, nth)
    if said is None:
        return None
    return _nothing(rule)._replace(
        flagged=True,
        amount_fen=said["amount_fen"],
        known_from=said["known_from"],
        positions=said["positions"],
        context=said["context"],
        rulings=said["rulings"],
        rests_on=said["rests_on"],
    )


def _stored(view: View, rule: Rule, stored: Stored | None) -> Seen | None:
    """What the last check found, with the rulings of its day."""
    if stored is None:
        return None
    rulings = []
    for table in rule.parameters.values():
        with suppress(NoRuling):
            rulings.append(view.book.ruling(table, view.as_of, view.known_on).to_dict())
    return _nothing(rule)._replace(
        flagged=not stored.is_gone,
        amount_fen=stored.amount_fen,
        known_from=stored.known_from,
        positions=stored.positions,
        context=stored.context,
        rulings=cited(view, rulings),
        rests_on=cited(view, plan_rulings(view, rule, stored.subject)),
    )


def _case(found: Visit, view: View, name: str) -> str | None:
    """The case that holds the finding, for whoever may see both."""
    case_no = cases_by_finding(view).get(name)
    if case_no is None or sees_cases(found.author):
        return case_no
    asked = {line["case_no"] for line in cases_asking(view, found.author.organisation).dicts()}
    return case_no if case_no in asked else None


# ---- the page -------------------------------------------------------------------------


@router.get("/red-flags/{rule}/evidence")
async def evidence(
    found: Visiting, rule: RuleInPath, subject: Annotated[str, Query(max_length=400)], nth: Nth = 1
) -> Response:
    """The evidence bundle of a finding, as `/v1/red-flags/{rule}/evidence` gives it."""
    assure_allowed(found, "/red-flags/{rule}/evidence")
    wanted = rule_of(found, rule)

    def bundle() -> dict[str, Any]:
        with view_of(found.service, found.as_of, found.known_at, None) as view:
            said = finding_of(view, wanted, subject, nth)
        if said is None:
            raise HTTPException(404)
        deployment = found.service.deployment
        with found.service.facts.connection() as connection, connection.transaction():
            proofs = Proofs(connection, deployment.origin)
            try:
                return finding_bundle(proofs, deployment.signer(), said)
            except NotSealed as error:
                raise NotSealedYet(position=error.position) from error

    file = {"Content-Disposition": f'attachment; filename="evidence-{rule}.json"'}
    return json_answer(await run_in_threadpool(bundle), headers={**HEADERS, **file})


@router.get("/red-flags/{rule}/{subject:path}")
async def finding(
    found: Visiting, rule: RuleInPath, subject: SubjectInPath, nth: Nth = 1
) -> Response:
    assure_allowed(found, "/red-flags")
    wanted = rule_of(found, rule)
    seen = await run_in_threadpool(read_finding, found, wanted, subject, nth)
    if seen is None:
        raise HTTPException(404)
    names = {each.code: each.name for each in found.service.people.organisations()}
    proof = [each for each in seen.events if each["position"] in set(seen.positions)]
    later = [each for each in seen.events if each["position"] not in set(seen.positions)]
    return await page(
        found,
        "finding.html",
        seen=seen,
        subject=subject,
        title=title_of(found.words, wanted),
        severity=wanted.severity,
        capitals=in_capitals(seen.amount_fen),
        known_from=in_china(seen.known_from) if seen.known_from else None,
        first_shown_at=in_china(seen.stored.first_shown_at) if seen.stored else None,
        changed_at=in_china(seen.stored.changed_at) if seen.stored else None,
        checked_at=in_china(seen.status.known_at) if seen.status and seen.status.known_at else None,
        why=in_language(found.words, wanted.why),
        runbook=wanted.runbook_zh if found.words.language == "zh" else wanted.runbook_en,
        source=wanted.source,
        rulings=[_ruling(found, each) for each in (*seen.rulings, *seen.rests_on)],
        proof=entries(found, proof, names),
        later=entries(found, later, names),
        untold=max(0, len(seen.positions) + len(seen.context) - _MOST_EVENTS),
        about=_about(found, seen.concerned, subject),
        banks=[names.get(code, code) for code in (seen.stored.banks if seen.stored else ())],
        townships=[
            names.get(code, code) for code in (seen.stored.townships if seen.stored else ())
        ],
        measured=_measured(found, wanted, seen.rulings),
        case=seen.case_no and (seen.case_no, case_address(found, seen.case_no)),
        addresses=_addresses(found, seen, subject, nth),
    )


def _addresses(found: Visit, seen: Seen, subject: str, nth: int) -> dict[str, str]:
    """A bundle is of the day that the page is about: the last check's, or the address's."""
    rule, several = seen.rule, nth if nth > 1 else None
    checked_on = None if seen.asked or not seen.status else seen.status.as_of
    return {
        "inbox": found.address("/red-flags"),
        "of_rule": found.address("/red-flags", rule=rule.id),
        "evidence": found.to(
            "red-flags",
            rule.id,
            "evidence",
            subject=subject,
            nth=several,
            **({"as_of": str(checked_on)} if checked_on else {}),
        ),
        "group": found.to("red-flags", "schemes", f"{rule.id} {subject}"),
        "runs": found.address("/red-flags/runs", rule=rule.id),
        "changes": found.address("/red-flags/changes", rule=rule.id, subject=subject),
        "asked": found.to("red-flags", rule.id, subject, as_of=str(found.as_of), nth=several),
        "stored": address_of(path_of("red-flags", rule.id, subject), {"nth": several}),
    }


def in_language(words: Words, text: str) -> str:
    """Of a text that says the same twice, the sentences of the page's language; else all of it."""
    parts = [part for part in _SENTENCE.split(text.strip()) if part]
    chinese = words.language == "zh"
    own = [part for part in parts if bool(_CHINESE.search(part)) == chinese]
    return ("" if chinese else " ").join(own) if own else text


def _ruling(found: Visit, ruling: Mapping[str, Any]) -> dict[str, Any]:
    """A parameter with its value, and the document that says so."""
    position = ruling["position"]
    return {
        "name": _named(found.words, "parameter", ruling["name"]),
        "code": ruling["name"],
        "value": _amount(found.words, ruling["value"], ruling["unit"]),
        "effective_from": ruling["effective_from"],
        "known_from": ruling["known_from"],
        "source": ruling["source"],
        "address": event_address(found, position) if position else None,
        "position": position,
    }


def _named(words: Words, kind: str, code: str) -> str:
    key = f"{kind}.{code}"
    return words(key) if words.has(key) else code


def _amount(words: Words, value: Any, unit: str) -> str:
    """A value of a policy table in its unit."""
    if isinstance(value, list):
        return ("、" if words.language == "zh" else ", ").join(map(str, value))
    if unit.startswith("fen "):
        return f"{with_commas(value)} {words('frame.yuan')}"
    if unit.startswith("basis points"):
        return percent(value)
    key = f"unit.{unit}"
    return f"{value:,} {words(key)}" if words.has(key) else f"{value:,}"


class Link(NamedTuple):
    text: str
    href: str


def _about(
    found: Visit, concerned_by: Mapping[int, Concerned], subject: str
) -> dict[str, list[Link]]:
    """Whom the proving events concern, each with the way to it."""

    def links(kind: str, path: str) -> list[Link]:
        named = sorted({value for each in concerned_by.values() if (value := getattr(each, kind))})
        return [Link(no, found.to(path, *no.split("/", 1))) for no in named]

    about = {
        "loans": links("loan", "loans"),
        "households": links("household_no", "households"),
        "batches": links("batch_no", "batches"),
    }
    if subject.startswith("account-"):
        about["accounts"] = [
            Link(subject, found.to("entities", subject)),
            Link(found.words("finding.flow"), found.address("/fund-flow", account=subject)),
        ]
    return {kind: own for kind, own in about.items() if own}


# ---- the back-test --------------------------------------------------------------------


def _measured(found: Visit, rule: Rule, rulings: Iterable[Mapping[str, Any]]) -> Any:
    """What the back-test measured of the rule; None where it measured nothing of it."""
    test = backtest()
    measured = test.rules.get(rule.id)
    if measured is None:
        return None
    now = {each["name"]: each["value"] for each in rulings}
    return {
        "figures": measured,
        "recall": _share(measured.recall_bp),
        "precision": _share(measured.precision_bp),
        "is_of_this_version": measured.rule_version == rule.version,
        "missed": _kinds(found.words, measured.missed),
        "false": _kinds(found.words, measured.false),
        "curves": [
            {
                "curve": curve,
                "name": _named(found.words, "parameter", curve.table),
                "drawing": drawn(curve, _tick(curve.unit)),
                "points": _points(found.words, curve),
                "today": _amount(found.words, curve.today, curve.unit),
                "now": _amount(found.words, now[curve.table], curve.unit)
                if now.get(curve.table, curve.today) != curve.today
                else None,
            }
            for curve in measured.curves
        ],
        "measured_on": test.measured_on,
        "seeds": found.words("list.and").join(map(str, test.seeds)),
        "loans": f"{test.loans:,}",
        "events": f"{test.events:,}",
        "source": FILE,
    }


def _tick(unit: str) -> Callable[[int], str]:
    """How a value stands below a curve."""
    if unit.startswith("basis points"):
        return lambda value: percent(value).replace(".00", "")
    return lambda value: f"{value:,}"


def _points(words: Words, curve: Any) -> list[dict[str, Any]]:
    return [
        {
            "value": _amount(words, point.value, curve.unit),
            "is_today": point.value == curve.today,
            "found": point.found,
            "wanted": point.wanted,
            "true": point.true,
            "findings": point.findings,
            "recall": _share(point.found * 10_000 // point.wanted if point.wanted else None),
            "precision": _share(point.true * 10_000 // point.findings if point.findings else None),
        }
        for point in curve.points
    ]


def _share(bp: int | None) -> str:
    return "—" if bp is None else f"{bp // 100}.{bp % 100 // 10}%"


def _kinds(words: Words, kinds: Mapping[str, int]) -> list[tuple[str, int]]:
    return [(_named(words, "backtest_kind", kind), count) for kind, count in kinds.items()]
