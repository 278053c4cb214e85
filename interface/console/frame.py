"""The frame of every page: who looks, in which language, at which two dates, and the way about."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final, Literal, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from fastapi import Depends, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from application.event_store.log_queries import last_position
from application.people import Session
from application.transparency_log.nodes import Checkpoint, last_checkpoint
from domain.calendar import civil_day
from domain.kernel import Author
from domain.roles import Role
from interface.console.dates import NOW, TODAY, exactly, in_china, read_day, read_instant
from interface.console.menu import menu_of
from interface.console.moments import OF_COMPARISON, OF_OTHER, Moment, compares
from interface.console.pinned import OF_PAPER, Answer, Paper, paper_of, pin
from interface.console.static_files import STATIC
from interface.console.track import track
from interface.console.words import LANGUAGES, Language, Words
from interface.html import render
from interface.http.permissions import QUERIES
from interface.http.service import Service, service_of
from projections.facts.reading import last_drawn

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self';"
        " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",  # with none a form's Origin would be null
    "Cache-Control": "private, no-store",
}
"""What every page says of itself. No script and no style stands within a page."""
_LANGUAGE_COOKIE: Final = "mz-lang"
_LANGUAGE_SECONDS: Final = 31_536_000
_NO_PAPER: Final = Paper()
_ANY_DAY: Final = "0000-00-00"
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


class Elsewhere(Exception):
    """The page stands at another address."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.address = address


class NotSignedIn(Exception):
    """No session: the page is shown after signing in."""


class Wrong(Exception):
    """A page cannot be shown; `key` names the sentence that says why, `way` leads on from it."""

    def __init__(self, status: int, key: str, way: str = "", /, **values: object) -> None:
        super().__init__(key)
        self.status, self.key, self.way, self.values = status, key, way, values


class Visit(NamedTuple):
    """One look at one page."""

    request: Request
    service: Service
    session: Session
    words: Words
    as_of: date
    known_at: datetime | None
    """None: all that is known."""
    paper: Paper = Paper()
    seen_by: Author | None = None
    """Whose rows a paper shows, where somebody else checks it."""
    elsewhen: Moment | None = None
    """The moment that links to other pages lead to, where it is not the page's own."""

    @property
    def author(self) -> Author:
        return self.seen_by or self.session.whose.author

    def allowed(self, query: str) -> bool:
        """Whether the permission table gives the visitor's role anything of a query."""
        return QUERIES[query].get(self.author.role, "-") != "-"

    def to(self, *parts: object, **changes: object) -> str:
        """The page of a record at both dates, by the parts of its path."""
        return self.address(path_of(*parts), **changes)

    def address(self, path: str | None = None, **changes: object) -> str:
        """An address with both dates as they are; of this page (`path` None) with all it says."""
        given = dict(self.request.query_params)
        if path is not None:
            given = self._dates_for(path, given)
        for name in ("lang", *OF_PAPER):
            given.pop(name, None)
        return address_of(path or self.request.url.path, given | changes)

    def _dates_for(self, path: str, given: Mapping[str, str]) -> dict[str, str]:
        """What an address of another page says of dates: both moments, if it can be compared."""
        if self.elsewhen is not None:
            known_at = self.elsewhen.known_at
            dates = {"as_of": str(self.elsewhen.as_of)}
            return dates | ({"known_at": exactly(known_at)} if known_at else {})
        names = ("as_of", "known_at", *(OF_OTHER if compares(path) else ()))
        return {name: given[name] for name in names if name in given}


def path_of(*parts: object) -> str:
    """A path of parts as they are written; what an address cannot hold is quoted."""
    return "".join(f"/{quote(str(part), safe='')}" for part in parts)


def address_of(path: str, query: Mapping[str, object]) -> str:
    """A path and those of the parameters that say something."""
    said = urlencode({name: value for name, value in query.items() if value not in (None, "")})
    return f"{path}?{said}" if said else path


def language_of(request: Request) -> Language:
    """The one asked for, else the one of the last page, else Chinese."""
    for asked in (request.query_params.get("lang"), request.cookies.get(_LANGUAGE_COOKIE)):
        for language in LANGUAGES:
            if language == asked:
                return language
    return "zh"


def browser_of(request: Request) -> bytes:
    """What a session is bound to: host, address and browser."""
    agent = request.headers.get("user-agent", "")
    text = "\0".join((request.url.netloc, client_of(request), agent))
    return hashlib.sha256(text.encode(errors="replace")).digest()


def client_of(request: Request) -> str:
    return request.client.host if request.client else ""


def is_guarded(request: Request) -> bool:
    """Whether a password may travel: over https, or within this machine."""
    return request.url.scheme == "https" or (request.url.hostname or "") in _LOOPBACK


def cookie_of(request: Request) -> str:
    """The session cookie's name; a browser takes `__Host-` over https alone."""
    return "__Host-mz" if request.url.scheme == "https" else "mz"


def assure_same_origin(request: Request) -> None:
    """A form is sent by a page of this host. Raises Wrong 403; a missing Origin is refused."""
    origin = urlsplit(request.headers.get("origin", "")).netloc
    site = request.headers.get("sec-fetch-site", "same-origin")
    if not origin or origin != request.headers.get("host") or site != "same-origin":
        raise Wrong(403, "error.origin")


def form_token(request: Request, action: str) -> str:
    """What a form to this address carries: nobody makes it who has not the session's cookie."""
    cookie = request.cookies.get(cookie_of(request), "")
    return hmac.digest(cookie.encode(errors="replace"), f"form {action}".encode(), "sha256").hex()


async def session_of(request: Request) -> Session | None:
    token = request.cookies.get(cookie_of(request))
    if not token:
        return None
    people, browser = service_of(request).people, browser_of(request)
    session = await run_in_threadpool(people.session, token, browser)
    if session is not None:
        request.scope["organisation"] = session.whose.organisation  # for the request log
    return session


async def visit(
    request: Request,
    as_of: Annotated[str | None, Query(max_length=40)] = None,
    known_at: Annotated[str | None, Query(max_length=40)] = None,
    lang: Literal["zh", "en"] | None = None,
    paper: Annotated[Paper, Depends(paper_of)] = _NO_PAPER,
) -> Visit:
    """Who looks, at which dates, and which paper is checked.

    Raises NotSignedIn, Elsewhere, Wrong.
    """
    del lang  # read where a page without a session reads it, too
    service, session = service_of(request), await session_of(request)
    if session is None:
        raise NotSignedIn
    now = service.clock()
    today = civil_day(now)
    day = read_day(as_of, today) if as_of else await _default_day(service, today)
    if day is None:
        raise Wrong(400, "error.day", field="as_of", value=as_of)
    instant = None
    if known_at and known_at.strip() not in NOW:
        instant = read_instant(known_at, now)
        if instant is None:
            raise Wrong(400, "error.instant", field="known_at", value=known_at)
    words, seen_by = Words(language_of(request)), await _seen_by(service, session, paper)
    found = Visit(request, service, session, words, day, instant, paper, seen_by)
    said = {
        "as_of": None if not as_of or as_of.strip() in TODAY else str(day),
        "known_at": exactly(instant) if instant else None,
    }
    if (as_of, known_at) != (said["as_of"], said["known_at"]):
        raise Elsewhere(found.address(**said))
    if paper.digest is not None and not (as_of and known_at):
        raise Wrong(400, "error.not_pinned")
    return found


async def _seen_by(service: Service, session: Session, paper: Paper) -> Author | None:
    """Whose rows a paper shows; another organisation's are checked by an auditor. Raises Wrong."""
    own = session.whose.author
    if paper.by in (None, own.organisation):
        return None
    named = {o.code: o for o in await run_in_threadpool(service.people.organisations)}
    if own.role is not Role.AUDITOR or paper.digest is None or paper.by not in named:
        raise Wrong(403, "error.paper_of_others")
    return Author(named[paper.by].role, named[paper.by].code, own.person)


async def _default_day(service: Service, today: date) -> date:
    """Today; of made-up data their last day, so that not every loan of them is overdue."""
    if not service.demo:
        return today

    def last_told() -> date:
        with service.facts.connection() as connection:
            drawn_through = last_drawn(connection)
        return today if drawn_through is None else min(today, civil_day(drawn_through))

    return await run_in_threadpool(last_told)


def assure_allowed(found: Visit, query: str) -> None:
    """Raises Wrong 403, which says what the role may not do."""
    if not found.allowed(query):
        raise Wrong(403, "error.role", role=role_name(found.words, found.author))


def role_name(words: Words, author: Author) -> str:
    return words(f"role.{author.role}")


async def page(
    found: Visit,
    template: str,
    *,
    status: int = 200,
    pinned: Answer | None = None,
    comparing: bool = False,
    compared_with: Moment | None = None,
    **values: Any,
) -> Response:
    """A template within the frame.

    `pinned`: the answer that it shows; the page then proves itself on paper and by its address.
    `comparing`: whether it takes another moment, which the bar then offers, and the one that it is
    `compared_with`. Raises Wrong where the address holds a digest that cannot be checked.
    """
    log = await run_in_threadpool(_log_of, found.service)
    frame = _frame(found, log, compared_with) | {"comparing": comparing}
    frame["pin"] = None
    if pinned is not None:
        frame["pin"] = await run_in_threadpool(pin, found, pinned, log.newest)
    if found.paper.digest is not None and frame["pin"] is None:
        raise Wrong(400, "error.not_final" if pinned else "error.not_pinned")
    html = render(f"console/{template}", w=found.words, static=STATIC, frame=frame, **values)
    return answer(html, found.request, status)


def bare_page(request: Request, template: str, *, status: int = 200, **values: Any) -> Response:
    """A template for somebody who is not signed in."""
    words = Words(language_of(request))
    html = render(f"console/{template}", w=words, static=STATIC, frame=None, **values)
    return answer(html, request, status)


def answer(html: str, request: Request, status: int) -> Response:
    made = Response(html, status, HEADERS, "text/html; charset=utf-8")
    if "lang" in request.query_params:
        made.set_cookie(
            _LANGUAGE_COOKIE, language_of(request), _LANGUAGE_SECONDS, samesite="lax", httponly=True
        )
    return made


def _frame(found: Visit, log: _Log, other: Moment | None) -> dict[str, Any]:
    today = civil_day(found.service.clock())
    known_on = civil_day(found.known_at) if found.known_at else today
    whose = found.session.whose
    dates = ("as_of", "known_at", "lang", "cursor", *OF_PAPER)
    return {
        "menu": menu_of(found),
        "finds": found.allowed("/search"),
        "dates_said": [
            (name, found.request.query_params[name])
            for name in ("as_of", "known_at")
            if name in found.request.query_params
        ],
        "organisation": whose.organisation_name,
        "person": whose.name,
        "demo": found.service.demo,
        "other_language": found.address(lang=found.words.other),
        "as_of": found.as_of,
        "known": in_china(found.known_at) if found.known_at else found.words("bar.now"),
        "known_on": known_on,
        "past": found.as_of < today or found.known_at is not None,
        "kept": [each for each in found.request.query_params.multi_items() if each[0] not in dates],
        "earlier": found.address(as_of=found.as_of - timedelta(days=1), cursor=None),
        "later": found.address(as_of=found.as_of + timedelta(days=1), cursor=None),
        "track": track(
            found.as_of, known_on, today, _address_by_day(found), _days_of(other, today)
        ),
        "position": log.position,
        "sealed": log.sealed,
        "trouble": found.service.sealing_trouble,
        "printed_at": in_china(found.service.clock()),
        "host": f"{found.request.url.scheme}://{found.request.url.netloc}",
        "pinned": log.position
        and found.address(as_of=found.as_of, known_at=exactly(log.known_through)),
        "on_paper": log.position and _on_paper(found, log.known_through),
        "is_pinned": found.known_at is not None and "as_of" in found.request.query_params,
        "given": parse_qsl(urlsplit(found.address(cursor=None)).query),
        "other": other and _other_of(found, other),
        "not_compared": found.address(**_without_other(found), cursor=None),
        "token": lambda action: form_token(found.request, action),
    }


def _on_paper(found: Visit, known_through: datetime) -> str:
    """The page's address as a person copies it: to the first whole second that holds all known."""
    rest = timedelta(microseconds=known_through.microsecond)
    second = known_through - rest + timedelta(seconds=1) if rest else known_through
    return found.address(as_of=found.as_of, known_at=exactly(second)).replace("%3A", ":")


def _days_of(other: Moment | None, today: date) -> tuple[date, date] | None:
    """Both days of the other moment."""
    if other is None:
        return None
    return other.as_of, civil_day(other.known_at) if other.known_at else today


def _other_of(found: Visit, other: Moment) -> dict[str, Any]:
    """The moment that a page is compared with, and what its fields hold of it."""
    told = found.request.query_params
    known = in_china(other.known_at) if other.known_at else found.words("bar.now")
    return {
        "as_of": other.as_of,
        "known": known,
        "as_of_said": str(other.as_of) if "vs_as_of" in told else "",
        "known_said": known if "vs_known_at" in told else "",
    }


def _without_other(found: Visit) -> dict[str, None]:
    """What of the address belongs to the comparison; an order by a difference does, too."""
    told = found.request.query_params
    gone = [name for name in told if name.startswith("vs_")]
    if found.request.query_params.get("sort", "").removesuffix("_fen").endswith(OF_COMPARISON):
        gone.append("sort")
    return dict.fromkeys(gone)


def _address_by_day(found: Visit) -> Callable[[date], str]:
    """This page as of other days. A track has dozens: the address is put together once."""
    before, _, after = found.address(as_of=_ANY_DAY, cursor=None).partition(_ANY_DAY)
    return lambda day: f"{before}{day}{after}"


class _Log(NamedTuple):
    """How far the log goes, how far it is sealed, and through when all in it is known."""

    position: int
    newest: Checkpoint | None
    known_through: datetime

    @property
    def sealed(self) -> int:
        return self.newest.head.size if self.newest else 0


def _log_of(service: Service) -> _Log:
    known_through = service.facts.recorded_through()
    with service.facts.connection() as connection:
        newest = last_checkpoint(connection, service.deployment.origin)
        return _Log(last_position(connection), newest, known_through)
