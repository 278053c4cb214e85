"""What goes out on paper as pages: slips, notices, checkpoints, at the address of the route."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response
from starlette.concurrency import run_in_threadpool

from application.fields import NUMBER
from application.transparency_log.nodes import Checkpoint, last_checkpoint
from application.transparency_log.proofs import Proofs
from interface.console.frame import Visit, Wrong, assure_allowed, page, visit
from interface.console.page_route import PageRoute
from interface.console.rules import rule_name, value_of
from interface.console.words import Words
from interface.documents import checkpoint_page, notice_page, slip_page
from interface.http.permissions import scope_of
from interface.http.query_params import Code, No, view_of
from interface.http.routes.batches import name_of, notice_of, slip_of_household
from interface.http.routes.ledgers import traced
from interface.http.routes.transparency_log import patiently
from projections.facts.reading import Scope, View

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Visiting = Annotated[Visit, Depends(visit)]
_PAYMENT_SLIP = "/subsidy-payments/{no}/slip"
_BATCH_SLIP, _NOTICE = "/batches/{no}/slip", "/batches/{no}/notice"
_CHECKPOINT = "/log/checkpoint/page"


@router.get(_PAYMENT_SLIP)
async def payment_slip(found: Visiting, no: No) -> Response:
    assure_allowed(found, _PAYMENT_SLIP)
    trace = await traced(found.service, found.author, no, found.as_of, found.known_at)
    said = slip_page.values(trace, found.words, _in_words(found.words))
    return await _paper(found, "payment_slip.html", said, f"/subsidy-payments/{no}")


@router.get(_BATCH_SLIP)
async def household_slip(
    found: Visiting, no: No, household_no: Annotated[str, Query(pattern=NUMBER)]
) -> Response:
    def said(view: View, scope: Scope) -> dict[str, Any]:
        made_of = slip_of_household(found.service, view, scope, no, household_no)
        return slip_page.household_values(*made_of, found.words, _in_words(found.words))

    return await _of_batch(found, _BATCH_SLIP, "household_slip.html", no, said)


@router.get(_NOTICE)
async def notice(found: Visiting, no: No, township: Code = None, village: Code = None) -> Response:
    def said(view: View, scope: Scope) -> dict[str, Any]:
        batch, table, late = notice_of(found.service, view, scope, no, township, village)
        lines, place = list(table.dicts()), name_of(found.service, township)
        return notice_page.values(batch, lines, place, village, late, found.words)

    return await _of_batch(found, _NOTICE, "notice.html", no, said)


@router.get(_CHECKPOINT)
async def checkpoint(found: Visiting) -> Response:
    """The newest checkpoint on paper. It is of no day."""
    assure_allowed(found, _CHECKPOINT)

    def newest(proofs: Proofs) -> dict[str, Any]:
        return checkpoint_page.values(proofs.checkpoint(), found.words)

    said = await run_in_threadpool(patiently, found.service, newest)
    return await _paper(found, "checkpoint.html", said, None)


@router.get("/audit/checkpoints/{size}")
async def checkpoint_of(found: Visiting, size: Annotated[int, Path(ge=1, lt=1 << 62)]) -> Response:
    """A checkpoint of a size on paper: its whole root and its whole note. Raises Wrong 404."""
    assure_allowed(found, "/log/checkpoint")

    def asked() -> Checkpoint | None:
        with found.service.facts.connection() as connection:
            return last_checkpoint(connection, found.service.deployment.origin, size)

    signed = await run_in_threadpool(asked)
    if signed is None or signed.head.size != size:
        raise Wrong(404, "error.status_404", found.address("/audit/checkpoints"))
    said = checkpoint_page.values(signed, found.words)
    return await _paper(found, "checkpoint.html", said, "/audit/checkpoints")


async def _of_batch(
    found: Visit,
    query: str,
    body: str,
    no: str,
    said: Callable[[View, Scope], dict[str, Any]],
) -> Response:
    assure_allowed(found, query)

    def answer() -> dict[str, Any]:
        with view_of(found.service, found.as_of, found.known_at, None) as view:
            return said(view, scope_of(found.author, query))

    return await _paper(found, body, await run_in_threadpool(answer), f"/batches/{no}")


async def _paper(found: Visit, body: str, said: dict[str, Any], of: str | None) -> Response:
    """A document's body within the frame; `of`: the record that it is about."""
    back = found.address(of) if of else None
    return await page(found, "paper.html", body=f"documents/{body}", back=back, **said)


def _in_words(words: Words) -> slip_page.InWords:
    """Rulings in the language of the page."""

    def rows(cited: Iterable[tuple[str, Any, str]]) -> list[dict[str, str]]:
        shown = []
        for version, value, source in cited:
            name = version.partition("@")[0]
            said = {"name": rule_name(words, name), "value": value_of(words, name, value)}
            shown.append({"version": version, "source": source} | said)
        return shown

    return rows
