"""Cases (线索): how far each has come, on what it rests, who was asked what, what came back.

The supervision sees every case whole. An organisation that was asked to explain something sees
what it was asked and its own answers; to all others there is no such case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from itertools import pairwise
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Response
from starlette.concurrency import run_in_threadpool

from domain.case import STAGES
from domain.money import in_capitals
from interface.console.dates import in_china
from interface.console.findings import case_address, finding_address, sees_cases
from interface.console.frame import Visit, assure_allowed, page, visit
from interface.console.list_query import parameters_of
from interface.console.lists import FileForm, Line, ListPage, list_file, show_list
from interface.console.page_route import PageRoute
from interface.console.stepper import Step
from interface.console.timeline import entries, event_address
from interface.console.words import Words
from interface.http.query_params import No, view_of
from interface.http.routes.cases import case_for, cases_for
from projections.cases import ALL
from projections.cases.columns import CASES, REQUESTS
from projections.facts.reading import Table, View
from projections.red_flags import rules
from projections.red_flags.inbox import stored_findings

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Visiting = Annotated[Visit, Depends(visit)]
_DAY: Final = "effective_on"
OPENED, ASSIGNED, ASKED, EXPLAINED = (
    f"case.{name}.v1" for name in ("opened", "assigned", "explanation-asked", "explanation-given")
)
PROPOSED, UPHELD, DISMISSED = (f"case.{name}.v1" for name in ("proposed", "upheld", "dismissed"))
RECTIFIED, CLOSED, REOPENED = (f"case.{name}.v1" for name in ("rectified", "closed", "reopened"))
JOINED, NOTED, LINKED = (f"case.{name}.v1" for name in ("joined", "noted", "recovery-linked"))


# ---- lists ----------------------------------------------------------------------------


def _to_case(found: Visit, line: Line) -> str:
    return case_address(found, line["case_no"])


LIST: Final = ListPage(
    name="cases",
    query="/cases",
    columns=CASES,
    key=("case_no",),
    shown=(
        "case_no",
        "title",
        "stage",
        "outcome",
        "supervisor",
        "investigator",
        "findings",
        "loans",
        "asked",
        "explained",
        "amount_fen",
        "upheld_fen",
        "recovered_fen",
        "opened_on",
        "waited_days",
    ),
    facets=("stage", "outcome", "supervisor", "investigator"),
    filters=("case_no",),
    ranges=("opened_on", "amount_fen"),
    leads=dict.fromkeys(
        (
            "case_no",
            "title",
            "findings",
            "loans",
            "asked",
            "explained",
            "amount_fen",
            "upheld_fen",
            "recovered_fen",
        ),
        _to_case,
    ),
    tags=lambda line, key: "done" if key == "stage" and line[key] == "closed" else None,
)
ASKED_LIST: Final = ListPage(
    name="case_requests",
    query="/cases",
    columns=REQUESTS,
    key=("case_no", "request_no"),
    leads={"case_no": _to_case, "request_no": _to_case},
    tags=lambda line, key: "pending" if key == "explained_on" and line[key] is None else None,
)


def _lines(found: Visit, view: View) -> Table:
    return cases_for(view, found.author, ALL)


Given = dict[str, Any]


@router.get("/cases.{form}")
async def case_file(
    found: Visiting, form: FileForm, given: Annotated[Given, Depends(parameters_of(LIST))]
) -> Response:
    return await list_file(found, _list(found), _fitting(found, given), _lines, {}, form, {})


@router.get("/cases")
async def case_list(
    found: Visiting, given: Annotated[Given, Depends(parameters_of(LIST))]
) -> Response:
    """Every case for the supervision; for others what they are asked."""
    return await show_list(found, _list(found), _fitting(found, given), _lines, {}, {}, None)


def _list(found: Visit) -> ListPage:
    return LIST if sees_cases(found.author) else ASKED_LIST


def _fitting(found: Visit, given: Given) -> Given:
    """Of the parameters those of the reader's list; what it has not is asked of none of it."""
    if sees_cases(found.author):
        return given
    own = ("sort", "cols", "cursor", "limit", "columns", "move")
    return {name: given[name] for name in own}


# ---- one case -------------------------------------------------------------------------


@router.get("/cases/{no}")
async def case(found: Visiting, no: No) -> Response:
    assure_allowed(found, "/cases/{no}")
    values = await run_in_threadpool(_read, found, no)
    template = "case.html" if "case" in values else "case_asked.html"
    return await page(found, template, no=no, list_address=found.address("/cases"), **values)


def _read(found: Visit, no: str) -> dict[str, Any]:
    """Raises CaseUnknown."""
    names = {each.code: each.name for each in found.service.people.organisations()}
    with view_of(found.service, found.as_of, found.known_at, None) as view:
        told = case_for(view, no, found.author)
        if "case" not in told:
            return _of_the_asked(found, told, names)
        today = _amounts_today(view, {(f["rule"], f["subject"]) for f in told["findings"]})
    return _whole(found, told, names, today)


def _amounts_today(view: View, wanted: set[tuple[str, str]]) -> dict[str, int]:
    """By name: what each finding comes to by the last checks; a rule may name a subject twice."""
    amounts: dict[str, int] = {}
    for each in stored_findings(view):
        if (each.rule, each.subject) in wanted and not each.is_gone:
            amounts[each.name] = amounts.get(each.name, 0) + each.amount_fen
    return amounts


def _of_the_asked(
    found: Visit, told: Mapping[str, Any], names: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "requests": _requests(found, told["steps"], names),
        "timeline_entries": entries(found, told["steps"], names),
    }


def _whole(
    found: Visit, told: Mapping[str, Any], names: Mapping[str, str], today: Mapping[str, int]
) -> dict[str, Any]:
    line, events = told["case"], told["steps"]
    open_fen = (line["upheld_fen"] or 0) - line["recovered_fen"]
    return {
        "case": line,
        "office": names.get(line["office"], line["office"]),
        "stage": _stage(found.words, line["stage"]),
        "capitals": in_capitals(line["amount_fen"]),
        "open_fen": max(open_fen, 0),
        "steps": stages(found, line, events),
        "next": _next(found, line, events),
        "findings": [_finding(found, each, today) for each in told["findings"]],
        "loans": [_loan(found, each, names) for each in told["loans"]],
        "recoveries": [_recovery(found, each, names) for each in told["recoveries"]],
        "requests": _requests(found, events, names),
        "notes": [
            {
                "on": each[_DAY],
                "who": each["told_by"]["person"],
                "words": each["content"]["words"],
                "href": event_address(found, each["position"]),
                "position": each["position"],
            }
            for each in events
            if each["event"] == NOTED
        ],
        "reasons": _reasons(found, events),
        "timeline_entries": entries(found, events, names),
    }


def _stage(words: Words, stage: str) -> str:
    return STAGES[stage] if words.language == "zh" else stage


def _reasons(found: Visit, events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What was proposed, decided, put right, closed and taken up again, each with its words."""
    wanted = (PROPOSED, UPHELD, DISMISSED, RECTIFIED, CLOSED, REOPENED)
    return [
        {
            "on": each[_DAY],
            "what": found.words(f"case.did_{each['event'].split('.')[1]}"),
            "who": each["told_by"]["person"],
            "words": each["content"].get("reason") or each["content"].get("what", ""),
            "document": each["ground"]["document"] or "",
            "position": each["position"],
            "href": event_address(found, each["position"]),
        }
        for each in events
        if each["event"] in wanted
    ]


# ---- stages ---------------------------------------------------------------------------


def stages(
    found: Visit, line: Mapping[str, Any], events: Sequence[Mapping[str, Any]]
) -> list[Step]:
    """立案 → 交办 → 核查 → 建议 → 认定 → 整改 → 办结; what was taken up again begins anew."""
    words, at = found.words, _last_of(events)
    stage, decided = line["stage"], line["outcome"] is not None
    proposed = decided or stage == "proposed"
    marks = {
        "opened": at.get(OPENED),
        "assigned": at.get(ASSIGNED),
        "checked": at.get(PROPOSED) if proposed else None,
        "proposed": at.get(PROPOSED) if proposed else None,
        "decided": (at.get(UPHELD) or at.get(DISMISSED)) if decided else None,
        "rectified": at.get(RECTIFIED) if line["rectified_on"] else None,
        "closed": at.get(CLOSED) if line["closed_on"] else None,
    }
    days = _waited(found, line, events)
    current = next((name for name in marks if _is_open(name, marks, line)), None)
    steps = []
    for name, event in marks.items():
        done = event is not None
        state = "done" if done else "here" if name == current else "ahead"
        if name == "rectified" and not done and line["outcome"] == "dismissed":
            state = "none"
        steps.append(
            Step(
                words(f"case.step_{name}"),
                state,  # type: ignore[arg-type]
                on=event[_DAY] if event else "",
                who=event["told_by"]["person"] if event else "",
                days=days.get(name),
                href=event_address(found, event["position"]) if event else None,
            )
        )
    return steps


def _is_open(name: str, marks: Mapping[str, Any], line: Mapping[str, Any]) -> bool:
    if name == "rectified" and line["outcome"] == "dismissed":
        return False
    return marks[name] is None


def _last_of(events: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """By kind, the last event; what was decided before a case was taken up again counts no more."""
    last: dict[str, Mapping[str, Any]] = {}
    for each in events:
        if each["event"] == REOPENED:
            for name in (PROPOSED, UPHELD, DISMISSED, RECTIFIED, CLOSED):
                last.pop(name, None)
        if each["event"] == UPHELD:
            last.pop(DISMISSED, None)
        if each["event"] == DISMISSED:
            last.pop(UPHELD, None)
        last[each["event"]] = each
    return last


_WAITS_AT: Final = {
    OPENED: "assigned", ASSIGNED: "checked", ASKED: "checked", JOINED: "checked",
    REOPENED: "checked", PROPOSED: "decided", UPHELD: "rectified", DISMISSED: "closed",
    RECTIFIED: "closed",
}  # fmt: skip
"""At which stage a case waits after an event; any other event leaves it where it is."""


def _waited(
    found: Visit, line: Mapping[str, Any], events: Sequence[Mapping[str, Any]]
) -> dict[str, int]:
    """Days that the case waited at each stage, also of those taken up again; to the day shown."""
    moved = [(date.fromisoformat(each[_DAY]), each["event"]) for each in events]
    end = line["closed_on"] or found.as_of
    waited: dict[str, int] = {}
    stage = ""
    for (day, event), (until, _) in pairwise([*moved, (end, "")]):
        stage = _WAITS_AT.get(event, "" if event == CLOSED else stage)
        if stage == "checked" and "assigned" not in waited and not _is_assigned(moved, day):
            stage = "assigned"
        if stage:
            waited[stage] = waited.get(stage, 0) + max(0, (until - day).days)
    return waited


def _is_assigned(moved: Sequence[tuple[date, str]], day: date) -> bool:
    return any(event == ASSIGNED and on <= day for on, event in moved)


def _next(
    found: Visit, line: Mapping[str, Any], events: Sequence[Mapping[str, Any]]
) -> dict[str, str] | None:
    """What is to be done next, by whom; None when the case is closed."""
    if line["stage"] == "closed":
        return None
    rectified = line["rectified_on"] is not None
    what = "upheld_rectified" if line["stage"] == "upheld" and rectified else line["stage"]
    by_investigator = what in ("assigned", "upheld")
    person = line["investigator"] if by_investigator else line["supervisor"]
    role = "investigator" if by_investigator else "supervisor"
    if what == "opened":
        return {"what": found.words("case.next_opened"), "who": "", "yours": ""}
    yours = "yours" if person == found.author.person else ""
    waiting = _open_requests(found, events)
    said = found.words(f"case.next_{what}", person=person, role=found.words(f"case.{role}"))
    if waiting and what in ("assigned", "proposed"):
        said += found.words("case.next_waiting", count=len(waiting), until=max(waiting))
    return {"what": said, "who": person, "yours": yours}


def _open_requests(found: Visit, events: Sequence[Mapping[str, Any]]) -> list[str]:
    """The last days of the requests that nobody has answered and whose day has not passed."""
    answered = {e["content"]["request_no"] for e in events if e["event"] == EXPLAINED}
    return [
        each["content"]["until_on"]
        for each in events
        if each["event"] == ASKED
        and each["content"]["request_no"] not in answered
        and each["content"]["until_on"] >= found.as_of.isoformat()
    ]


# ---- what it rests on -----------------------------------------------------------------


def _requests(
    found: Visit, events: Sequence[Mapping[str, Any]], names: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Each request beside its answers; `late`: not answered when its day had passed."""
    answers: dict[str, list[Mapping[str, Any]]] = {}
    for each in events:
        if each["event"] == EXPLAINED:
            answers.setdefault(each["content"]["request_no"], []).append(each)
    asked = []
    for each in events:
        if each["event"] != ASKED:
            continue
        told, until = each["content"], each["content"]["until_on"]
        own = answers.get(told["request_no"], [])
        first = min((a[_DAY] for a in own), default=found.as_of.isoformat())
        asked.append(
            {
                "no": told["request_no"],
                "asked": names.get(told["asked"], told["asked"]),
                "what": told["what"],
                "on": each[_DAY],
                "until": until,
                "href": event_address(found, each["position"]),
                "state": ("late" if first > until else "done") if own else
                         ("wrong" if first > until else "pending"),
                "answers": [
                    {
                        "on": a[_DAY],
                        "who": a["told_by"]["person"],
                        "words": a["content"]["explanation"],
                        "document": a["ground"]["document"] or "",
                        "position": a["position"],
                        "href": event_address(found, a["position"]),
                    }
                    for a in own
                ],
            }
        )  # fmt: skip
    return asked


def _finding(found: Visit, line: Mapping[str, Any], today: Mapping[str, int]) -> dict[str, Any]:
    """As it was seen when the case took it in, beside what the last check finds."""
    rule, subject = line["rule"], line["subject"]
    is_rule = any(each.id == rule for each in rules())
    now_fen = today.get(f"{rule} {subject}")
    return {
        **line,
        "title": next((_title(found, each) for each in rules() if each.id == rule), ""),
        "href": finding_address(found, rule, subject) if is_rule else None,
        "known_from": _instant(line["known_from"]),
        "seen_href": event_address(found, line["position"]),
        "now_fen": now_fen,
        "state": "same"
        if now_fen == line["amount_fen"]
        else "gone"
        if now_fen is None
        else "other",
        "is_rule": is_rule,
    }


def _instant(value: datetime | str | None) -> str | None:
    """An instant, which a case holds as it was written down."""
    if value is None:
        return None
    return in_china(datetime.fromisoformat(value) if isinstance(value, str) else value)


def _title(found: Visit, rule: Any) -> str:
    return str(rule.title_zh if found.words.language == "zh" else rule.title_en)


def _loan(found: Visit, line: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {
        **line,
        "bank_name": names.get(line["bank"], line["bank"]),
        "township_name": names.get(line["township"], line["township"] or "—"),
        "href": found.to("loans", line["bank"], line["loan_no"]),
        "household_href": found.to("households", line["household_no"]),
    }


def _recovery(found: Visit, line: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    payment = line["payment_no"]
    return {
        **line,
        "bank_name": names.get(line["bank"], line["bank"]),
        "what": found.words(f"case.recovered_{line['event'].split('.')[1].replace('-', '_')}"),
        "loan_href": found.to("loans", line["bank"], line["loan_no"]),
        "payment_href": payment and found.to("subsidy-payments", payment),
        "href": event_address(found, line["event_id"]),
        "linked_href": event_address(found, line["position"]),
    }
