"""What every question takes and how its answer is paged: two dates, a scope, a cursor."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, timedelta
from time import monotonic, sleep
from typing import Annotated, Any, Final

import msgspec
from fastapi import Depends, Path, Query, Request, Response
from pydantic import AfterValidator
from pydantic_core import PydanticCustomError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from application import fields as f
from application.event_store.log_queries import last_position
from application.refusals import BeyondLog, CursorMalformed, FilterUnknown
from domain.calendar import civil_day
from domain.kernel import Author
from interface.http.permissions import QUERIES
from interface.http.responses import (
    Described,
    Form,
    form_of,
    head_of,
    headers_of,
    json_answer,
    table_file,
)
from interface.http.service import Service, service_of
from projections.facts.reading import NotDrawnYet, Scope, Table, View, live_generation
from projections.organisations import is_known

_PATIENCE_SECONDS = 5.0
_PAUSE_SECONDS = 0.02
_FINAL = frozenset(
    (
        "/ledgers/loans", "/ledgers/subsidies", "/ledgers/funds", "/ledgers/risk-fund",
        "/loans/{no}", "/loans/{no}/subsidies/{period}", "/households/{no}",
        "/duties", "/duties/summary", "/settlement", "/benefits", "/ratings", "/indicators",
        "/reports/townships", "/reports/banks", "/reports/annual", "/programme/rulings",
        "/fund-flow", "/fund-flow/edges", "/fund-flow/misuse", "/fund-flow/unlinked",
    )
)  # fmt: skip
"""Queries that the facts at both dates alone decide, with masked names at most."""
_SIGHT = timedelta(days=3_653)


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


def _in_sight(day: date) -> date:
    """Duties and quarters go on for ever; a question about them must not."""
    if day > civil_day(datetime.now(UTC)) + _SIGHT:
        raise PydanticCustomError("day_too_far", "more than ten years ahead")
    return day


SeenDay = Annotated[f.Day, AfterValidator(_in_sight)]
"""A day that can be asked about: not more than ten years ahead."""
AsOf = Annotated[
    SeenDay | None, Query(description="业务日（中国），缺省为今日 civil day, default today")
]
Instant = Annotated[f.Instant, AfterValidator(_in_utc)]
KnownAt = Annotated[
    Instant | None, Query(description="认知时点（RFC 3339），缺省为现在 instant, default now")
]
No = Annotated[str, Path(pattern=f.NUMBER)]
Code = Annotated[str | None, Query(pattern=f.NUMBER)]
Quarter = Annotated[f.Quarter, Query(description="结息期 settlement quarter, 2023Q4")]
Page = Annotated[int, Query(ge=1, le=1000, description="每页行数，仅 JSON lines a page")]
Cursor = Annotated[str | None, Query(max_length=400)]
After = Annotated[
    int | None,
    Query(
        alias="position", ge=0, description="等到台账含此日志位置 wait until this position is drawn"
    ),
]


def view_of(
    service: Service, as_of: Any, known_at: datetime | None, position: int | None
) -> AbstractContextManager[View]:
    """A view of the facts, once they have come as far as the reader asks.

    Raises NotDrawnYet; BeyondLog, for a position that is not recorded.
    """
    day = as_of or civil_day(service.clock())
    until = monotonic() + _PATIENCE_SECONDS
    if position is not None and _drawn(service) < position:
        last = _recorded(service)
        if position > last:
            raise BeyondLog(position=position, last=last)
    while position is not None and _drawn(service) < position:
        if monotonic() > until:
            raise NotDrawnYet
        sleep(_PAUSE_SECONDS)
    return service.facts.at(day, known_at)


def view_of_log(
    service: Service, as_of: Any, known_at: datetime | None
) -> AbstractContextManager[View]:
    """The same, once they have come as far as the log: what is read beside them is told alike."""
    return view_of(service, as_of, known_at, _recorded(service))


def _drawn(service: Service) -> int:
    """How far into the log the live facts have come; 0 when there are none yet."""
    with service.facts.connection() as connection:
        live = live_generation(connection)
    return live.position if live else 0


def _recorded(service: Service) -> int:
    """The last position of the log; 0 when it is empty."""
    with service.facts.connection() as connection:
        return last_position(connection)


def narrowed(view: View, scope: Scope, bank: str | None, township: str | None) -> Scope:
    """The reader's own rows, and of these only what is asked for.

    Raises HTTPException 403; FilterUnknown.
    """
    if scope.bank is not None and bank not in (None, scope.bank):
        raise HTTPException(403)
    if scope.township is not None and township not in (None, scope.township):
        raise HTTPException(403)
    assure_known(view, bank, township)
    return Scope(scope.bank or bank, scope.township or township, scope.guarantor)


def assure_known(view: View, bank: str | None, township: str | None) -> None:
    """Raises FilterUnknown: an answer with nothing in it would say that the bank has nothing."""
    for role, zh, code in (("bank", "银行", bank), ("township", "乡镇", township)):
        if code is not None and not is_known(view, role, code):
            raise FilterUnknown(role, parameter=role, what_zh=zh, value=code)


def page_of(view: View, table: Table, limit: int, key: tuple[str, ...], **also: object) -> Response:
    """A page of lines, `also` in its head, and the cursor of the next; give it a line too many."""
    lines = list(Table(table.columns, table.rows[:limit]).dicts())
    more = len(table.rows) > limit
    return json_answer(
        head_of(view)
        | also
        | {
            "lines": lines,
            "next": closed([str(lines[-1][name]) for name in key]) if more else None,
        },
        headers=headers_of(view),
    )


def closed(values: list[str]) -> str:
    """A cursor: where the next page begins."""
    return base64.urlsafe_b64encode(msgspec.json.encode(values)).decode().rstrip("=")


def opened(cursor: str | None, parts: int) -> Any:
    if cursor is None:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        values = msgspec.json.decode(text, type=list[str])
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise CursorMalformed from None
    if len(values) != parts or any("\0" in value for value in values):
        raise CursorMalformed
    return tuple(values)


def position_of(cursor: str | None) -> int | None:
    values = opened(cursor, 1)
    if values is None:
        return None
    if not (values[0].isascii() and values[0].isdigit() and len(values[0]) < 19):
        raise CursorMalformed
    return int(values[0])


_NO_FILTER: Final = frozenset({"as_of", "known_at", "position", "limit", "totals"})


def described(request: Request, view: View, title: str) -> Described:
    """What a file of an answer says of itself: the view, and what else was asked for."""
    told = request.query_params.multi_items()
    said = "; ".join(f"{name}={value}" for name, value in told if name not in _NO_FILTER)
    return Described(view, title, said, "notes=1" in request.headers.get("accept", ""))


class Reading:
    """What every read route takes: who asks, at which two dates, behind which position."""

    def __init__(
        self, request: Request, as_of: AsOf = None, known_at: KnownAt = None, position: After = None
    ) -> None:
        self.request = request
        self.service = service_of(request)
        self.as_of = as_of
        self.known_at = known_at
        self._position = position
        self._sees_all = False

    @property
    def form(self) -> Form:
        """Raises HTTPException 406."""
        return form_of(self.request)

    async def reader(self) -> tuple[Author, Scope]:
        """Who reads, and which rows. Raises HTTPException 401, 403."""
        author, scope = await self.service.reader(self.request)
        query = self.request.scope["route"].path.removeprefix("/v1")
        self._sees_all = query in _FINAL and QUERIES[query].get(author.role) == "all"
        return author, scope

    def described(self, view: View, title: str) -> Described:
        """What a file of this answer says of itself; `Accept: text/csv;notes=1` has it in a CSV."""
        return described(self.request, view, title)

    async def respond(self, answer: Callable[[View], Response]) -> Response:
        """The answer from a view at the two dates. Raises NotDrawnYet, BeyondLog.

        Where it is final it carries an ETag, is kept, and is not sent to who has it already.
        """

        def responded() -> Response:
            with view_of(self.service, self.as_of, self.known_at, self._position) as view:
                if self._position is not None or not self._is_final(view):
                    return answer(view)
                request = self.request
                asked = (request.url.path, request.url.query, request.headers.get("accept", ""))
                return self.service.final.given(request, asked, view, lambda: answer(view))

        return await run_in_threadpool(responded)

    def _is_final(self, view: View) -> bool:
        """Whether the same request has the same answer for ever: both dates, and all rows.

        What an organisation may see of others' rows is judged by all that is known now.
        """
        return self._sees_all and self.as_of is not None and self.known_at == view.known_at

    async def json(self, query: Callable[[View], Mapping[str, Any]]) -> Response:
        """JSON alone: a head, and what `query` finds."""
        return await self.respond(
            lambda view: json_answer(head_of(view) | dict(query(view)), headers=headers_of(view))
        )

    async def table(self, name: str, query: Callable[[View], Table]) -> Response:
        """A whole table: JSON with a head, or the file that is accepted.

        `name`: what the file is called, before its day.
        """
        return await self.table_saying(name, lambda view: (query(view), {}))

    async def table_saying(
        self,
        name: str,
        query: Callable[[View], tuple[Table, dict[str, Any]]],
        *,
        describes: bool = True,
    ) -> Response:
        """The same, with what else is said in the head.

        `describes`: whether a file says what it is; a form that comes back filled in does not.
        """
        form = self.form

        def answer(view: View) -> Response:
            table, said = query(view)
            if form != "json":
                described = self.described(view, name) if describes else None
                return table_file(table, form, name, headers_of(view), described)
            content = head_of(view) | said | {"lines": list(table.dicts())}
            return json_answer(content, headers=headers_of(view))

        return await self.respond(answer)

    async def page(
        self,
        name: str,
        query: Callable[[View, int | None], Table],
        limit: int,
        key: tuple[str, ...],
    ) -> Response:
        """A page of a table in JSON, with the cursor of the next; a file holds all of it.

        `query` is told how many lines are wanted (None: all); `key`: the columns that lines go by.
        """
        form = self.form

        def answer(view: View) -> Response:
            table = query(view, limit + 1 if form == "json" else None)
            if form != "json":
                described = self.described(view, name)
                return table_file(table, form, name, headers_of(view), described)
            return page_of(view, table, limit, key)

        return await self.respond(answer)

    async def chosen_page(
        self,
        name: str,
        query: Callable[[View, int | None], Table],
        limit: int,
        next_of: Callable[[Mapping[str, Any]], list[str]],
        total: Callable[[View], Any] | bool = False,
    ) -> Response:
        """The same of a ledger in any order, with its totals where they are wanted.

        `next_of`: the values of the cursor behind a line.
        """
        form = self.form

        def answer(view: View) -> Response:
            table = query(view, limit + 1 if form == "json" else None)
            if form != "json":
                described = self.described(view, name)
                return table_file(table, form, name, headers_of(view), described)
            lines = list(Table(table.columns, table.rows[:limit]).dicts())
            following = closed(next_of(lines[-1])) if len(table.rows) > limit else None
            said = {"lines": lines, "next": following}
            if callable(total):
                said["totals"] = total(view)._asdict()
            return json_answer(head_of(view) | said, headers=headers_of(view))

        return await self.respond(answer)


Read = Annotated[Reading, Depends()]
