"""Signing in and out, and where one is signed in."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from application.people import NotAdmitted, Person, TooManyAttempts
from domain.roles import Reach, Role
from interface.console import frame
from interface.console.dates import in_china
from interface.console.forms import fields_of, signed_form
from interface.console.frame import NotSignedIn, Visit, bare_page, visit
from interface.console.page_route import PageRoute, elsewhere
from interface.console.words import Words
from interface.http.service import service_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/")
async def first_page(found: Annotated[Visit, Depends(visit)]) -> Response:
    return elsewhere(_first_page(found.author.role))


def _first_page(role: Role) -> str:
    return "/sessions" if role.reach is Reach.NOTHING else "/overview"


@router.get("/sign-in")
async def sign_in_form(
    request: Request,
    next_: Annotated[str | None, Query(alias="next", max_length=2000)] = None,
    lang: Literal["zh", "en"] | None = None,
) -> Response:
    del lang
    return await _form(request, next_ or "")


async def _form(
    request: Request, after: str, *, status: int = 200, wrong: str | None = None, **values: Any
) -> Response:
    service = service_of(request)
    people: list[Person] = []
    if service.demo:
        people = await run_in_threadpool(service.people.of_demo)
    words = Words(frame.language_of(request))
    return bare_page(
        request,
        "sign_in.html",
        status=status,
        guarded=frame.is_guarded(request),
        demo=service.demo,
        people=_by_role(people),
        after=after,
        wrong=wrong and words(wrong, **values),
        other_language=frame.address_of("/sign-in", {"next": after, "lang": words.other}),
    )


def _by_role(people: list[Person]) -> list[tuple[Role, list[Person]]]:
    """The offices of the county first, as they see all of it."""
    order = [Role.AUDITOR, Role.FINANCE, Role.CENTRE, Role.BUREAU, Role.BANK, Role.TOWNSHIP]
    roles = [*order, *(role for role in Role if role not in order)]
    grouped = [(role, [each for each in people if each.role is role]) for role in roles]
    return [(role, found) for role, found in grouped if found]


@router.post("/sign-in")
async def sign_in(request: Request) -> Response:
    said = await fields_of(request)
    service, after = service_of(request), said.get("next", "")
    if not frame.is_guarded(request):
        return await _form(request, after, status=403)
    whose = said.get("organisation", ""), said.get("person", "")
    address, browser = frame.client_of(request), frame.browser_of(request)
    try:
        if service.demo and "demo" in said:
            token = await run_in_threadpool(
                service.people.sign_in_to_demo, *whose, address, browser
            )
        else:
            token = await run_in_threadpool(
                service.people.sign_in,
                *whose, said.get("password", ""), said.get("code", ""), address, browser,
            )  # fmt: skip
    except NotAdmitted:
        return await _form(request, after, status=403, wrong="sign_in.wrong")
    except TooManyAttempts as wait:
        made = await _form(request, after, status=429, wrong="sign_in.wait", seconds=wait.seconds)
        made.headers["Retry-After"] = str(wait.seconds)
        return made
    made = elsewhere(_own_page(after) or "/")
    _set_cookie(request, made, token)
    return made


def _own_page(address: str) -> str | None:
    """The address, if it is one of this host."""
    parts = urlsplit(address)
    own = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if own and not parts.netloc and address.isprintable() else None


def _set_cookie(request: Request, made: Response, token: str | None) -> None:
    secure = request.url.scheme == "https"
    made.set_cookie(
        frame.cookie_of(request), token or "", None if token else 0,
        path="/", secure=secure, httponly=True, samesite="strict",
    )  # fmt: skip


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    try:
        session, _ = await signed_form(request)
    except NotSignedIn:
        pass  # it ended before
    else:
        await run_in_threadpool(service_of(request).people.end, session)
    made = elsewhere("/sign-in")
    _set_cookie(request, made, None)
    return made


@router.get("/sessions")
async def sessions(found: Annotated[Visit, Depends(visit)]) -> Response:
    open_ones = await run_in_threadpool(found.service.people.open_sessions, found.session)
    return await frame.page(found, "sessions.html", sessions=open_ones, in_china=in_china)


@router.post("/sessions")
async def end_sessions(request: Request) -> Response:
    """End every session of the person, this one too."""
    try:
        session, _ = await signed_form(request)
    except NotSignedIn:
        return elsewhere("/sign-in")
    await run_in_threadpool(service_of(request).people.end_all, session.whose)
    made = elsewhere("/sign-in")
    _set_cookie(request, made, None)
    return made
