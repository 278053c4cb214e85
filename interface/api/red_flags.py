"""Routes of the red flags: what each rule is, and what it finds on any day."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from interface.api.answers import form_of, head_of, headers_of, json_answer, table_file
from interface.api.asking import After, AsOf, KnownAt, view_of
from interface.service import service_of
from projections.facts.reading import COUNTY
from projections.red_flags import as_table, check_all, rules

router = APIRouter(prefix="/v1", tags=["疑点 red flags"])


@router.get("/red-flags", summary="疑点 each rule: clean, found with the proving events, or failed")
async def red_flags(
    request: Request,
    rule: Annotated[str | None, Query(pattern="^RF[0-9]{2}$", description="default: all")] = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    position: After = None,
) -> Response:
    """CSV and XLSX: a line a finding. `known_from`: since when it could have been known."""
    service = service_of(request)
    _, scope = await service.reader(request)
    if scope != COUNTY:
        raise HTTPException(403)
    form = form_of(request)
    asked = [each for each in rules() if rule in (None, each.id)]
    if not asked:
        raise HTTPException(404)

    def answer() -> Response:
        with view_of(service, as_of, known_at, position) as view:
            found = check_all(view, asked)
            if form != "json":
                return table_file(
                    as_table(found), form, f"red-flags-{view.as_of}", headers_of(view)
                )
            return json_answer(
                head_of(view)
                | {
                    "rules": [
                        {
                            "rule": each.rule.id,
                            "rule_version": each.rule.version,
                            "title_zh": each.rule.title_zh,
                            "title_en": each.rule.title_en,
                            "severity": each.rule.severity,
                            "source": each.rule.source,
                            "why": each.rule.why,
                            "rulings": [ruling.to_dict() for ruling in each.rulings],
                            "status": each.status,
                            "error": each.error,
                            "amount_fen": sum(f.amount_fen for f in each.findings),
                            "findings": [f._asdict() for f in each.findings],
                        }
                        for each in found
                    ]
                },
                headers=headers_of(view),
            )

    return await run_in_threadpool(answer)
