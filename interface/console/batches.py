"""Subsidy batches (贴息批次) to read: which there are, how far each has come, and their lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Response
from starlette.concurrency import run_in_threadpool

from domain.batch import Batch
from domain.kernel import Author
from interface.console.dates import exactly, in_china
from interface.console.frame import Visit, assure_allowed, page, visit
from interface.console.lists import ListPage, list_page
from interface.console.page_route import PageRoute
from interface.console.stepper import State, Step
from interface.http.permissions import scope_of
from interface.http.query_params import No, view_of
from interface.http.routes.batches import the_batch, visible_steps
from interface.http.visibility import visible_positions
from projections.batches import batch_lines, batches
from projections.batches.columns import BATCHES, LINES, STEPS
from projections.columns import keys
from projections.facts.reading import Table, View
from projections.history import happenings

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Visiting = Annotated[Visit, Depends(visit)]
_STEPS: Final = ("proposed", "verified", "noticed", "approved", "ordered", "result")
_LINE_TAGS: Final = {"withdrawn": "none", "held": "late", "failed": "wrong", "returned": "wrong"}
_SHOWN_OF_LINES: Final = (
    "line", "township", "village", "household_no", "borrower_name", "bank", "loan_no",
    "period", "kind", "due_fen", "paid_before_fen", "amount_fen", "state",
)  # fmt: skip
_WITH_REASON: Final = ",".join((*_SHOWN_OF_LINES, "reason"))
"""The columns of lines that have one; most have none."""
_PROPOSALS: Final = (Batch.Proposed.TOPIC, Batch.Estimated.TOPIC)
_STAGE_TAGS: Final = {"returned": "wrong", "proposed": "pending", "verified": "pending"}


def _to_batch(found: Visit, line: Mapping[str, Any]) -> str:
    return found.to("batches", line["batch_no"])


def _to_lines(found: Visit, line: Mapping[str, Any]) -> str:
    return found.to("batches", line["batch_no"], "lines")


def _lines_of(amount: str, **of: str) -> Callable[[Visit, Mapping[str, Any]], str | None]:
    """Leads from an amount to the lines that it is the sum of; from zero nowhere."""

    def leads(found: Visit, line: Mapping[str, Any]) -> str | None:
        return found.to("batches", line["batch_no"], "lines", **of) if line[amount] else None

    return leads


def _to_objections(found: Visit, line: Mapping[str, Any]) -> str | None:
    return f"{_to_batch(found, line)}#objections" if line["objections_open"] else None


def _list_tag(line: Mapping[str, Any], key: str) -> str | None:
    if key == "stage":
        return _STAGE_TAGS.get(line["stage"])
    return "pending" if key == "objections_open" and line[key] else None


LIST: Final = ListPage(
    name="batches",
    query="/batches",
    columns=BATCHES,
    key=("batch_no",),
    shown=(
        "batch_no", "period", "bank", "township", "stage", "proposed_on", "noticed_until_on",
        "approved_on", "lines", "amount_fen", "recovery_fen", "paid_fen", "held_fen",
        "failed_fen", "objections_open",
    ),
    facets=("stage", "period", "bank"),
    filters=("batch_no",),
    leads={
        "batch_no": _to_batch,
        "lines": _to_lines,
        "amount_fen": _to_lines,
        "recovery_fen": _lines_of("recovery_fen", kind="recovery"),
        "ordered_fen": _lines_of("ordered_fen", state="ordered"),
        "paid_fen": _lines_of("paid_fen", state="paid"),
        "held_fen": _lines_of("held_fen", state="held", cols=_WITH_REASON),
        "failed_fen": _lines_of("failed_fen", state="failed", cols=_WITH_REASON),
        "returned_fen": _lines_of("returned_fen", state="returned", cols=_WITH_REASON),
        "withdrawn_fen": _lines_of("withdrawn_fen", state="withdrawn", cols=_WITH_REASON),
        "objections_open": _to_objections,
        "position": lambda found, line: found.to("events", line["position"]),
    },
    tags=_list_tag,
)  # fmt: skip


@list_page(router, "/batches", LIST)
def lines_of_list(found: Visit, view: View) -> Table:
    return batches(view, scope=scope_of(found.author, "/batches"))


def _to_slip(found: Visit, line: Mapping[str, Any]) -> str | None:
    """The slip of the line's household in this batch, to be printed and handed out."""
    if not found.allowed("/batches/{no}/slip"):
        return None
    no, household = found.request.path_params["no"], line["household_no"]
    return found.to("batches", no, "slip", household_no=household)


LINE_LIST: Final = ListPage(
    name="batch_lines",
    query="/batches/{no}/lines",
    columns=LINES,
    key=("line",),
    shown=_SHOWN_OF_LINES,
    facets=("state", "kind", "bank", "township"),
    filters=("village", "household_no", "loan_no"),
    leads={
        "line": _to_slip,
        "loan_no": lambda found, line: found.to("loans", line["bank"], line["loan_no"]),
        "household_no": lambda found, line: found.to("households", line["household_no"]),
        "due_fen": lambda found, line: found.address(
            "/ledgers/subsidies", loan_no=line["loan_no"]
        ),
    },
    tags=lambda line, key: _LINE_TAGS.get(line["state"]) if key == "state" else None,
    borrower_names=True,
    template="batch_lines.html",
)  # fmt: skip


def _of_batch(found: Visit, view: View, listed: Any, no: str) -> Mapping[str, Any]:
    del view, listed
    return {"no": no, "batch_address": found.to("batches", no)}


@list_page(router, "/batches/{no}/lines", LINE_LIST, _of_batch)
def lines_of_batch(found: Visit, view: View, no: No) -> Table:
    """The lines of a batch of which the reader has some; the others are no batch to him."""
    scope = scope_of(found.author, "/batches/{no}/lines")
    the_batch(view, no, scope)
    return batch_lines(view, no, scope=scope)


@router.get("/batches/{no}")
async def batch(found: Visiting, no: No) -> Response:
    assure_allowed(found, "/batches/{no}")
    scope = scope_of(found.author, "/batches/{no}")

    def read() -> tuple[dict[str, Any], list[Mapping[str, Any]], list[dict[str, Any]]]:
        with view_of(found.service, found.as_of, found.known_at, None) as view:
            told = the_batch(view, no, scope)
            steps = [*_proposal(view, found.author, told), *visible_steps(view, found.author, no)]
            return told, steps, list(batch_lines(view, no, scope=scope).dicts())

    told, steps, lines = await run_in_threadpool(read)
    names = {o.code: o.name for o in await run_in_threadpool(found.service.people.organisations)}
    return await page(
        found,
        "batch.html",
        batch=told,
        names=names,
        steps=_stepper(found, told, steps),
        taken=[_taken(found, step) for step in steps],
        objections=_objections(found, steps),
        states=[
            (state, count, fen, _LINE_TAGS.get(state), _lines_in(found, no, state))
            for state, count, fen in _by_state(lines)
        ],
        lines_address=found.to("batches", no, "lines"),
        recovery_address=found.to("batches", no, "lines", kind="recovery"),
        list_address=found.address("/batches"),
        notice_address=found.to("batches", no, "notice")
        if found.allowed("/batches/{no}/notice")
        else "",
    )


def _stepper(
    found: Visit, told: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]
) -> list[Step]:
    """Proposed, verified, noticed, approved, ordered, result: which are done, and which is next."""
    by_step: dict[str, list[Mapping[str, Any]]] = {}
    for step in steps:
        by_step.setdefault(step["step"], []).append(step)
    done = {
        "proposed": told["proposed_on"],
        "verified": told["verified_on"],
        "noticed": _noticed_on(found, told),
        "approved": told["approved_on"],
        "ordered": _last_on(by_step.get("ordered")),
        "result": _last_on(by_step.get("result")) if not told["ordered_fen"] else None,
    }
    made, is_next = [], True
    for name in _STEPS:
        on = done[name]
        state: State = "done" if on is not None else "ahead"
        if on is None and is_next:
            state, is_next = ("wrong" if told["returned_on"] else "here"), False
        who = by_step.get(name, [{}])[-1].get("person", "")
        said = _clock(found, told, name)
        made.append(
            Step(found.words(f"batches.step_{name}"), state, str(on or ""), who, None, said)
        )
    return made


def _noticed_on(found: Visit, told: Mapping[str, Any]) -> Any:
    """The last day of the notice, once it is over or the batch was approved after it."""
    until = told["noticed_until_on"]
    over = until is not None and (until < found.as_of or told["approved_on"] is not None)
    return until if over else None


def _last_on(steps: Sequence[Mapping[str, Any]] | None) -> Any:
    return max(step["effective_on"] for step in steps) if steps else None


def _clock(found: Visit, told: Mapping[str, Any], name: str) -> str:
    until = told["noticed_until_on"]
    if name == "noticed" and until is not None and until >= found.as_of and not told["approved_on"]:
        return found.words("batches.days_left", until=until, days=(until - found.as_of).days)
    if name == "noticed" and told["objections_open"]:
        return found.words("batches.objections_open", count=told["objections_open"])
    return ""


def _proposal(view: View, reader: Author, told: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The proposal as a step, where the reader may see its event."""
    at = told["position"]
    if at not in visible_positions(view.connection, reader, _PROPOSALS, {at}):
        return []
    [event] = happenings(view.connection, [at])
    return [
        {
            **dict.fromkeys(keys(STEPS)),
            "step": "proposed",
            "effective_on": told["proposed_on"],
            "recorded_at": event.recorded_at,
            "person": event.content["person"],
            "amount_fen": told["amount_fen"],
            "position": at,
        }
    ]


def _lines_in(found: Visit, no: str, state: str) -> str:
    cols = None if state in ("listed", "ordered", "paid") else _WITH_REASON
    return found.to("batches", no, "lines", state=state, cols=cols)


def _taken(found: Visit, step: Mapping[str, Any]) -> dict[str, Any]:
    """A step as the table of steps shows it; `since`: what became known after it."""
    since = exactly(step["recorded_at"])
    return {
        **step,
        "known": in_china(step["recorded_at"]),
        "event": found.to("events", step["position"]),
        "since": found.address("/changes", ledger="subsidies", known_from=since),
    }


def _objections(found: Visit, steps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each objection with its answer, if it has one."""
    answers = {s["objection_no"]: s for s in steps if s["step"] == "resolved"}
    return [
        {
            **step,
            "answer": answers.get(step["objection_no"]),
            "event": found.to("events", step["position"]),
        }
        for step in steps
        if step["step"] == "objected"
    ]


def _by_state(lines: Sequence[Mapping[str, Any]]) -> list[tuple[str, int, int]]:
    counts = Counter(line["state"] for line in lines)
    amounts: Counter[str] = Counter()
    for line in lines:
        amounts[line["state"]] += line["amount_fen"]
    return [(state, counts[state], amounts[state]) for state in sorted(counts)]
