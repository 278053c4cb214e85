"""What a paper carries: the QR code of its address."""

from __future__ import annotations

from io import BytesIO
from typing import Annotated

import segno
from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from interface.console.frame import NotSignedIn, Wrong, session_of
from interface.console.page_route import PageRoute

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_MASK = 2
"""One of the eight patterns of ISO/IEC 18004: trying all of them takes four times as long."""
_KEPT = {"Cache-Control": "private, max-age=86400"}


@router.get("/qr.svg")
async def qr(request: Request, of: Annotated[str, Query(max_length=2000)]) -> Response:
    """The QR code of an address of this host, which begins with `/`. Raises NotSignedIn, Wrong."""
    if await session_of(request) is None:
        raise NotSignedIn
    if not of.startswith("/") or of.startswith("//"):
        raise Wrong(400, "error.status_400")
    text = f"{request.url.scheme}://{request.url.netloc}{of}"
    drawn = await run_in_threadpool(_drawn, text)
    return Response(drawn, media_type="image/svg+xml", headers=_KEPT)


def _drawn(text: str) -> bytes:
    drawn = BytesIO()
    code = segno.make(text, error="l", micro=False, mask=_MASK, boost_error=False)
    code.save(drawn, kind="svg", omitsize=True, svgclass=None, lineclass=None, xmldecl=False)
    return drawn.getvalue()
