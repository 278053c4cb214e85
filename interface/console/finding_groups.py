"""Finding groups (疑点组): findings that share a loan, an account or a person, as one thing.

Without a day in the address the groups are those of the last checks; with one every rule is asked,
as `/v1/red-flags/schemes` does. Either is worked out beside the page and kept.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from domain.case import Finding, at_stake_fen
from domain.money import in_capitals
from interface.console.dates import in_china
from interface.console.drawing.group_graph import LEFT, RIGHT, WIDTH, drawn
from interface.console.finding import is_asked
from interface.console.findings import case_address, finding_address, sees_cases, title_of
from interface.console.frame import Elsewhere, Visit, assure_allowed, page, visit
from interface.console.page_route import PageRoute
from interface.http.kept_answers import Block
from interface.http.query_params import view_of
from interface.http.routes.red_flags import rules_for
from projections.facts.reading import View
from projections.red_flags import rules
from projections.schemes import Scheme, Schemes, schemes, stored_schemes

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Visiting = Annotated[Visit, Depends(visit)]
RuleId = Annotated[str | None, Query(pattern="^(RF[0-9]{2}|objection)$")]
Least = Annotated[int, Query(ge=1, le=1000)]
PAGE: Final = 50
_REFRESH: Final = {"Refresh": "2"}


def group_address(found: Visit, id: str) -> str:
    return found.to("red-flags", "schemes", id)


def _block(found: Visit) -> Block:
    """All groups that the reader may see, kept; awaited while they are worked out."""
    wanted = rules_for(found.author)
    asked = is_asked(found)

    def question(view: View) -> Schemes:
        return schemes(view, wanted=wanted) if asked else stored_schemes(view, wanted)

    def open_view() -> Any:
        return view_of(found.service, found.as_of, found.known_at, None)

    key = ("schemes", asked, len(wanted), found.as_of, found.known_at)
    return found.service.kept.blocks(open_view, key, {"schemes": question})["schemes"]


async def _shown(found: Visit, template: str, block: Block, **values: Any) -> Response:
    """A page of groups; what is being worked out loads itself again, without script too."""
    made = await page(found, template, block=block, **values)
    if block.is_awaited:
        made.headers.update(_REFRESH)
    return made


@router.get("/red-flags/schemes")
async def groups(
    found: Visiting, rule: RuleId = None, findings: Least = 2, page_no: Least = 1
) -> Response:
    """Largest first. `findings`: with at least so many; `page_no`: 1, 2, 3 …"""
    assure_allowed(found, "/red-flags/schemes")
    block = await run_in_threadpool(_block, found)
    every = block.value.schemes if block.value else []
    chosen = sorted(
        (
            each
            for each in every
            if len(each.findings) >= findings
            and (rule is None or rule in {f.rule for f in each.findings})
        ),
        key=lambda each: (-at_stake_fen(each.findings), each.id),
    )
    seen = chosen[(page_no - 1) * PAGE : page_no * PAGE]
    path = "/red-flags/schemes"
    return await _shown(
        found,
        "finding_groups.html",
        block=block,
        **_unknown_rules(found, block),
        asked=is_asked(found),
        lines=[_line(found, each) for each in seen],
        count=len(chosen),
        alone=sum(len(each.findings) < findings for each in every),
        all_groups=found.address(path, rule=rule, findings=1),
        least=findings,
        rule=rule,
        rules=[(each.id, title_of(found.words, each)) for each in rules_for(found.author)],
        several=found.address(path, rule=rule),
        total_fen=sum(at_stake_fen(each.findings) for each in chosen),
        with_cases=sees_cases(found.author),
        dates=[(k, v) for k, v in found.request.query_params.items() if k in ("as_of", "known_at")],
        next=found.address(page_no=page_no + 1) if page_no * PAGE < len(chosen) else None,
        first=found.address(page_no=None) if page_no > 1 else None,
        wider=found.address(path),
    )


def _unknown_rules(found: Visit, block: Block) -> dict[str, Any]:
    """The rules without a result, by name: those in error, and those never checked."""
    value = block.value
    named = [
        (each.id, f"{each.id} {title_of(found.words, each)}")
        for each in rules_for(found.author)
        if value and each.id in value.failed
    ]
    not_checked = value.not_checked if value else frozenset()
    return {
        "failed": [name for id, name in named if id not in not_checked],
        "not_checked": [name for id, name in named if id in not_checked],
        "none_checked": bool(named) and len(not_checked) == len(rules_for(found.author)),
        "checks": found.address("/red-flags") + "#checks",
    }


def _line(found: Visit, group: Scheme) -> dict[str, Any]:
    known = [each.known_from for each in group.findings if each.known_from]
    return {
        "id": group.id,
        "href": group_address(found, group.id),
        "rules": sorted({each.rule for each in group.findings}),
        "findings": len(group.findings),
        "loans": len(group.loans),
        "households": len(group.households),
        "accounts": len(group.accounts),
        "amount_fen": at_stake_fen(group.findings),
        "sum_fen": sum(each.amount_fen for each in group.findings),
        "known_from": _instant(min(known, default=None)),
        "cases": [(no, case_address(found, no)) for no in group.cases],
        "new_findings": group.new_findings,
    }


def _instant(text: str | None) -> str | None:
    return in_china(datetime.fromisoformat(text)) if text else None


@router.get("/red-flags/schemes/{id:path}")
async def group(
    found: Visiting, id: Annotated[str, Path(pattern=r"^[^\x00-\x1f]+$", max_length=400)]
) -> Response:
    """A group by its name, or by that of any finding in it: then its own page."""
    assure_allowed(found, "/red-flags/schemes")
    block = await run_in_threadpool(_block, found)
    if block.value is None:
        return await _shown(found, "finding_group.html", block=block, group=None, id=id)
    one = next(
        (each for each in block.value.schemes if id in {f.name for f in each.findings}), None
    )
    if one is None:
        raise HTTPException(404)
    if one.id != id:
        raise Elsewhere(group_address(found, one.id))
    return await _shown(
        found,
        "finding_group.html",
        block=block,
        id=id,
        **_unknown_rules(found, block),
        asked=is_asked(found),
        group=_line(found, one),
        capitals=in_capitals(at_stake_fen(one.findings)),
        with_cases=sees_cases(found.author),
        findings=_findings(found, one),
        picture=_picture(found, one),
        loans=[
            {
                "no": f"{each.bank}/{each.loan_no}",
                "href": found.to("loans", each.bank, each.loan_no),
                "household": each.household_no,
                "household_href": found.to("households", each.household_no),
                "township": each.township or "—",
            }
            for each in one.loans
        ],
        accounts=[(each, found.to("entities", each)) for each in one.accounts],
        list_address=found.address("/red-flags/schemes"),
    )


def _findings(found: Visit, group: Scheme) -> list[dict[str, Any]]:
    """The largest first; `counted`: whether its amount is in the group's, no fen twice."""
    titles = {each.id: title_of(found.words, each) for each in rules()}
    counted: set[Any] = set()
    lines = []
    for each in _by_weight(group):
        is_counted = counted.isdisjoint(each.loans)
        if is_counted:
            counted.update(each.loans)
        lines.append(
            {
                "rule": each.rule,
                "title": titles.get(each.rule, each.rule),
                "subject": each.subject,
                "href": finding_address(found, each.rule, each.subject),
                "amount_fen": each.amount_fen,
                "counted": is_counted,
                "known_from": _instant(each.known_from),
                "loans": len(each.loans),
            }
        )
    return lines


def _by_weight(group: Scheme) -> list[Finding]:
    return sorted(group.findings, key=lambda each: (-each.amount_fen, each.name))


def _picture(found: Visit, group: Scheme) -> dict[str, Any]:
    titles = {each.id: title_of(found.words, each) for each in rules()}
    drawing = drawn([each.name for each in _by_weight(group)], group.shared)

    def address(name: str) -> str:
        rule, _, subject = name.partition(" ")
        return finding_address(found, rule, subject)

    return {
        "drawing": drawing,
        "width": WIDTH,
        "left": LEFT,
        "right": RIGHT,
        "findings": [
            (
                node,
                f"{titles.get(node.name[:4], node.name[:4])} {node.name[5:]}" if node.name else "",
                address(node.name) if node.name else None,
            )
            for node in drawing.findings
        ],
        "shared": [(node, _thing(found, node.name)) for node in drawing.shared],
    }


def _thing(found: Visit, name: str) -> str | None:
    """The page of what findings share."""
    if not name:
        return None
    if name.startswith(("account-", "person-")):
        return found.to("entities", name)
    return found.to("loans", *name.split("/", 1))
