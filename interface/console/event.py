"""The record of one event (事件): in words, as stored bytes, proven, and what rests on it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Response
from starlette.concurrency import run_in_threadpool

from domain.calendar import civil_day
from domain.household import CATEGORIES_ZH
from domain.money import percent, with_commas
from interface.console.dates import in_china
from interface.console.findings import finding_address
from interface.console.frame import Elsewhere, Visit, assure_allowed, page, visit
from interface.console.loan import household_address, loan_address
from interface.console.page_route import PageRoute
from interface.console.pinned import Answer
from interface.console.record_answer import all_recorded, record_answer
from interface.console.timeline import entries, event_address, event_name
from interface.console.words import Words
from interface.http.query_params import view_of
from interface.http.routes.events import EventNo, event_found
from projections.red_flags import rule

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Visiting = Annotated[Visit, Depends(visit)]
_LONG: Final = 400
_NOT_TOLD: Final = frozenset({"calculation", "grounds", "sealed", "content", "replaces"})
"""Fields that stand in the stored bytes alone: the page of the payment explains them."""


@router.get("/events/{event_id}")
async def event(found: Visiting, event_id: EventNo) -> Response:
    assure_allowed(found, "/events/{event_id}")

    def query() -> tuple[dict[str, Any], dict[str, str], Answer | None]:
        service = found.service
        with view_of(service, found.as_of, found.known_at, None) as view:
            told = event_found(service, view, found.author, event_id, found.known_at)
            answer = _answer(found.words, told, view.known_at)
        return told, {each.code: each.name for each in service.people.organisations()}, answer

    told, names, pinned = await run_in_threadpool(query)
    it = told["event"]
    if event_id != str(it["position"]):
        raise Elsewhere(event_address(found, it["position"]))
    [line] = entries(found, [it], names)
    return await page(
        found,
        "event.html",
        pinned=pinned,
        it=it,
        line=line,
        about=_about(found, told["about"], names),
        named=event_name(found.words, it),
        names=names,
        recorded_at=in_china(it["recorded_at"]),
        same_day=str(civil_day(it["recorded_at"])) == it["effective_on"],
        fields=_fields(found, it, names),
        personal=[(_title(found.words, key), value) for key, value in _personal(it)],
        corrects=_other(found, told["corrects"]),
        reversed_by=_other(found, told["reversed_by"]),
        stored=told["stored"],
        proof=told["proof"],
        payments=[
            each | {"address": found.to("subsidy-payments", each["payment_no"])}
            for each in told["rests"]["payments"] or ()
        ],
        counted=told["rests"]["payments"] is not None,
        more=(told["rests"]["payment_count"] or 0) - len(told["rests"]["payments"] or ()),
        findings=[_finding(found, each) for each in told["rests"]["findings"]],
        publications=[
            each | {"address": found.to("publications", each["publication_no"])}
            for each in told["rests"]["publications"]
        ],
        cases=[
            each | {"address": found.to("cases", each["case_no"])}
            for each in told["rests"]["cases"]
        ],
        receipt=f"/v1/log/receipts/{it['event_id']}",
        log_address=found.address("/log"),
        replay=found.address("/programme/replay"),
    )


def _answer(words: Words, told: Mapping[str, Any], known_at: datetime) -> Answer | None:
    """The event, its bytes and what corrects it; None where one of them is younger."""
    events = [told[name] for name in ("event", "corrects", "reversed_by") if told[name]]
    if not all_recorded(events, known_at):
        return None
    parts = {name: told[name] for name in ("event", "stored", "corrects", "reversed_by")}
    return record_answer(words, "event", known_at, parts)


def _about(
    found: Visit, about: Mapping[str, str] | None, names: Mapping[str, str]
) -> tuple[str, str] | None:
    """What the event is of, in words, and its page where the visitor may open it."""
    if about is None:
        return None
    if about["kind"] == "loan":
        said = found.words(
            "loan.heading", bank=names.get(about["bank"], about["bank"]), no=about["no"]
        )
        return said, loan_address(found, about["bank"], about["no"])
    said = found.words("household.heading", no=about["no"])
    may = found.allowed("/households/{no}")
    return said, household_address(found, about["no"]) if may else ""


def _fields(
    found: Visit, event: Mapping[str, Any], names: Mapping[str, str]
) -> list[tuple[str, str, int | None, str]]:
    """Title, value, amount in fen where it is one, and where the value leads."""
    content, told = event["content"], []
    for key, value in content.items():
        if key in _NOT_TOLD or value in (None, "", [], {}):
            continue
        text, fen = _value(found.words, key, value, names)
        told.append((_title(found.words, key), text, fen, _leads(found, key, content)))
    return told


def _personal(event: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The masked values that the event holds; of members their names."""
    told = []
    for key, value in (event.get("personal") or {}).items():
        if isinstance(value, str):
            told.append((key, value))
        else:
            told += [(key, each.get("name", "")) for each in value]
    return told


def _title(words: Words, key: str) -> str:
    for name in (f"field.{key}", f"event_field.{key}"):
        if words.has(name):
            return words(name)
    return key.replace("_", " ")


def _value(words: Words, key: str, value: Any, names: Mapping[str, str]) -> tuple[str, int | None]:
    if key.endswith("_fen") and isinstance(value, int):
        return with_commas(value), value
    if key.endswith("_bp") and isinstance(value, int):
        return percent(value), None
    if isinstance(value, bool):
        return words("list.yes" if value else "list.no"), None
    if key == "category" and words.language == "zh":
        return CATEGORIES_ZH.get(value, str(value)), None
    return _text(words, key, value, names), None


def _text(words: Words, key: str, value: Any, names: Mapping[str, str]) -> str:
    if isinstance(value, list | dict):
        return words("event.several", count=len(value))
    if not isinstance(value, str):
        return str(value)
    coded = (f"value.{key}.{value}", f"value.{value}")
    said = next((words(each) for each in coded if words.has(each)), names.get(value, value))
    return said if len(said) <= _LONG else said[:_LONG] + "…"


def _leads(found: Visit, key: str, content: Mapping[str, Any]) -> str:
    """The page of what a field names; empty where there is none that the visitor may open."""
    value = content[key]
    if key == "payment_no":
        return found.to("subsidy-payments", value)
    if key == "loan_no" and content.get("bank") and found.allowed("/loans/{no}"):
        return loan_address(found, content["bank"], value)
    if key == "household_no" and found.allowed("/households/{no}"):
        return household_address(found, value)
    if key == "batch_no" and found.allowed("/batches/{no}"):
        return found.to("batches", value)
    return ""


def _other(found: Visit, event: Mapping[str, Any] | None) -> dict[str, str] | None:
    if event is None:
        return None
    return {
        "name": event_name(found.words, event),
        "day": str(date.fromisoformat(event["effective_on"])),
        "no": f"#{event['position']}",
        "address": event_address(found, event["position"]),
        "reason": event["content"].get("reason", ""),
    }


def _finding(found: Visit, finding: Mapping[str, Any]) -> dict[str, Any]:
    named = rule(finding["rule"])
    return dict(finding) | {
        "title": named.title_zh if found.words.language == "zh" else named.title_en,
        "severity": named.severity,
        "address": finding_address(found, finding["rule"], finding["subject"], finding["nth"]),
    }
