"""The list engine: a table of a query becomes a page of lines, or a file of all of them.

A list page declares what it shows of a table whose columns stand beside its query, and gives the
table; the engine filters, counts, sorts, adds, pages, and writes the files. All of it:

    LIST = ListPage(
        name="benefits",                   # its words: `benefits.title`; its files: benefits-…csv
        query="/benefits",                 # its row of the permission table
        columns=BENEFITS,                  # projections/links/columns.py
        key=("agreement_no", "household_no"),  # what tells its lines apart
        facets=("township", "enterprise"),     # few values: chosen by a link, with their counts
        filters=("household_no",),             # many values: typed
        ranges=("next_due_on", "short_fen"),   # from … until …, both included
        sort="-short_fen",                     # as in the address; None: the order of the query
        leads={"household_no": lambda found, line: found.to("households", …)},
        tags=lambda line, key: "wrong" if key == "short_fen" and line[key] else None,
    )

    @list_page(router, "/benefits", LIST)
    def lines(found: Visit, view: View) -> Table:
        return benefits(view, scope=scope_of(found.author, "/benefits"))

This serves `/benefits` and `/benefits.csv`, `.xlsx`, `.json`: the same lines, columns and order. A
file has the filter in words, both dates, position and digest in itself (XLSX: the first sheet; CSV:
with `notes=1`) and in its name.
The function runs in a thread and may read the view's connection; it gives every line that the
reader may see. It may take further parameters of the address, annotated as in a route
(`period: Quarter`, `state: State | None = None`): they stand in the form, in the words above the
table, in every link. A path's own (`/batches/{no}/lines`) is taken the same way and stands in none.

A table too large for memory is chosen in the database: a function whose third parameter is `asked`
(an `Asked`) gives a `Selection` (list_rows.py) instead of a table; the ledgers do so.

Parameters of every list: one for each facet and filter, by the column's key (`-` is what has no
value); `due_from`, `due_until` for a range over `due_on`, and `principal_from_fen`,
`principal_until_fen` for one over `principal_fen` (a form's `principal_from` takes yuan and is
redirected); `sort=-due_fen`; `cols=loan_no,due_fen`; `limit`; `cursor`; `columns=choose`. An
unknown column is a 400 that names it; a cursor of another list or query a 422 with the way to the
first page. What `list.html` shows is in `Listed`; a page that has more than its list gives
`template`, which extends "console/list_page.html" (blocks `above`, `below`), and `more`, which
gives its values.

Words (interface/console/words): `NAME.title`; if wanted `NAME.lead` (a line under the title) and
`NAME.empty` (with `{as_of}`). A code's word is `NAME.COLUMN_VALUE`, else `code.COLUMN_VALUE`, as in
`duties.state_not_done`; a flag's value is `true` or `false`. Banks, townships, categories and
organisations have their names without more; `codes` gives others. A column's title is that of its
declaration, or `NAME.column_KEY` where it is said shorter.

`tags` says of a cell what shape and colour it has: done, pending, late, wrong, none; None where it
is ordinary, and most are. `borrower_names`: the masked names of the page's borrowers are read and
stand as the column `borrower_name`, of a table with BORROWER and LOAN_ID. `summed`: columns of
numbers that are added; amounts are, unless `summed` says otherwise. `kept`: a table that is dear to
find is kept while the facts are the same, so that order, filters and pages cost no second query; it
must rest on the view and the reader alone, and hold no name. `own`: further parameters that the
page's own template offers and says: no field of the form, which keeps them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, Signature
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, get_args

from fastapi import APIRouter, Depends, Response
from starlette.concurrency import run_in_threadpool

from interface.console.awaited import answer_of
from interface.console.comparing import (
    Both,
    ComparedLines,
    ComparedList,
    Comparing,
    Comparison,
    Views,
    both_of,
    moments_said,
    paired,
    views_of,
    with_comparison,
)
from interface.console.frame import Visit, Wrong, assure_allowed, page, visit
from interface.console.list_query import (
    Asked,
    asked_of,
    cursor_at,
    parameters_of,
    query_mark,
    values_of,
)
from interface.console.list_rows import InMemory, Selection, cut
from interface.console.list_view import Listed, filter_words, named_codes, view_model
from interface.console.moments import COMPARING
from interface.http.masked_names import with_names
from interface.http.permissions import QUERIES
from interface.http.query_params import view_of
from interface.http.responses import (
    Described,
    Form,
    head_of,
    headers_of,
    json_answer,
    table_file,
)
from projections.columns import BORROWER_NAME, LOAN_ID, Column, Columns
from projections.facts.reading import Table, View

Line = Mapping[str, Any]
Leads = Callable[[Visit, Line], str | None]
FileForm = Literal["csv", "xlsx", "json"]
Notes = Literal["1"] | None
Visiting = Annotated[Visit, Depends(visit)]
_INNER: Final = (LOAN_ID,)
"""Columns that stay inside."""


class ListPage:
    """What a page shows of a table; see the module."""

    def __init__(
        self,
        *,
        name: str,
        query: str,
        columns: Columns,
        key: tuple[str, ...],
        shown: tuple[str, ...] | None = None,
        facets: tuple[str, ...] = (),
        filters: tuple[str, ...] = (),
        ranges: tuple[str, ...] = (),
        sort: str | None = None,
        leads: Mapping[str, Leads] | None = None,
        tags: Callable[[Line, str], str | None] | None = None,
        codes: Callable[[Visit], Mapping[str, Mapping[Any, str]]] | None = None,
        summed: tuple[str, ...] | None = None,
        borrower_names: bool = False,
        kept: bool = False,
        own: tuple[str, ...] = (),
        template: str = "list_page.html",
    ) -> None:
        self.name, self.query, self.key, self.sort = name, query, key, sort
        named = (BORROWER_NAME,) if borrower_names else ()
        self.table_columns = columns
        self.columns: Columns = (*(each for each in columns if each not in _INNER), *named)
        self.shown = shown or tuple(column.key for column in self.columns)
        self.facets, self.filters, self.ranges = facets, filters, ranges
        self.leads: Mapping[str, Leads] = leads or {}
        self.tags, self.codes, self.template = tags, codes, template
        amounts = tuple(column.key for column in self.columns if column.kind == "fen")
        self.summed = amounts if summed is None else summed
        self.borrower_names, self.kept, self.own = borrower_names, kept, own
        self.unsorted = frozenset({BORROWER_NAME.key})
        self.heads: Mapping[str, Column] = {}
        self.differences: frozenset[str] = frozenset()
        _assure_columns(self)

    @staticmethod
    def base(column: Column) -> Column:
        return column


def _assure_columns(made: ListPage) -> None:
    """Raises ValueError for a key that is no column of the table, when the page is declared."""
    known = {column.key for column in made.columns}
    sort = [made.sort.removeprefix("-")] if made.sort else []
    for key in (*made.key, *made.shown, *made.facets, *made.filters, *made.ranges, *sort):
        if key not in known and key != LOAN_ID.key:
            raise ValueError(f"{made.name}: {key} is no column")


Query = Callable[..., Any]
"""(found, view, further parameters of the address) → every line that the reader may see, a Table;
or (found, view, asked, further parameters) → a Selection."""
More = Callable[..., Mapping[str, Any]]
"""(found, view, listed, further parameters) → what the page's own template needs besides."""


def list_page(
    router: APIRouter, path: str, made: ListPage, more: More | None = None
) -> Callable[[Query], Query]:
    """Serve a list and its files; decorates the function that gives the table."""

    def served(query: Query) -> Query:
        further = _further(query)
        told = {each.name: _said_as(each) for each in further if f"{{{each.name}}}" not in path}

        async def shown(
            found: Visit, given: dict[str, Any], other: Comparison | None = None, **also: Any
        ) -> Response:
            return await show_list(
                found, made, given, query, also, told, more, other, comparing=path in COMPARING
            )

        async def filed(
            found: Visit,
            form: Any,
            given: dict[str, Any],
            notes: Any,
            other: Comparison | None = None,
            **also: Any,
        ) -> Response:
            wanted = notes is not None
            return await list_file(found, made, given, query, also, form, told, other, notes=wanted)

        taken = Annotated[dict[str, Any], Depends(parameters_of(made))]
        compared = {"other": Comparing} if path in COMPARING else {}
        _take(shown, further, found=Visiting, given=taken, **compared)
        _take(filed, further, found=Visiting, form=FileForm, given=taken, notes=Notes, **compared)
        router.get(f"{path}.{{form}}")(filed)
        router.get(path)(shown)
        return query

    return served


def _further(query: Query) -> list[Parameter]:
    """The parameters of the address that a list's function takes besides found and view."""
    taken = inspect.signature(query, eval_str=True).parameters
    first = 3 if _selects(query) else 2
    return [taken[name].replace(kind=Parameter.KEYWORD_ONLY) for name in list(taken)[first:]]


def _selects(query: Query) -> bool:
    return "asked" in inspect.signature(query).parameters


def _said_as(parameter: Parameter) -> str:
    """What the address calls a parameter: its alias, `from`, if it has one."""
    told = (getattr(each, "alias", None) for each in get_args(parameter.annotation))
    return next((alias for alias in told if alias), parameter.name)


def _take(endpoint: Callable[..., Any], further: list[Parameter], **own: Any) -> None:
    """Tell FastAPI what an endpoint takes."""
    parameters = [
        Parameter(
            name,
            Parameter.KEYWORD_ONLY,
            annotation=own[name],
            default=None if name == "notes" else Parameter.empty,
        )
        for name in own
    ]
    endpoint.__signature__ = Signature([*parameters, *further])  # type: ignore[attr-defined]


async def show_list(
    found: Visit,
    made: ListPage,
    given: Mapping[str, Any],
    query: Query,
    also: Mapping[str, Any],
    told: Mapping[str, str],
    more: More | None,
    other: Comparison | None = None,
    *,
    comparing: bool = False,
) -> Response:
    assure_allowed(found, made.query)
    compared = other and ComparedList(made, made.summed, other.moment)
    asked = asked_of(found, made, given, compared)
    codes = await run_in_threadpool(named_codes, found, made)
    further = {said: also[name] for name, said in told.items()}
    if asked.choosing:
        compared, asked = None, asked._replace(sort=None)

    def both_kept(_: View) -> bool:
        assert other
        with views_of(found, other.moment) as views:
            _both(found, made, views, query, asked, also, other)
        return True

    def listed() -> tuple[Listed, Mapping[str, Any]]:
        if other and compared:
            if not other.equal_shown:  # all lines of both are too many to be kept
                title, said = found.words(f"{made.name}.title"), found.request.url.query
                answer_of(found, title, ("compared", made.name, said), both_kept)
            with views_of(found, other.moment) as views:
                both = _both(found, made, views, query, asked, also, other)
                lines = ComparedLines(compared, both, asked, other.equal_shown)
                shown = asked._replace(cols=lines.cols)
                seen = listed_of(found, made, shown, views.now, lines, codes, further, compared)
                seen = with_comparison(found, seen, views, lines, other)
                return seen, more(found, views.now, seen, **also) if more else {}
        with view_of(found.service, found.as_of, found.known_at, None) as view:
            selection = _selection(found, made, view, query, asked, also, made.facets)
            seen = listed_of(found, made, asked, view, selection, codes, further)
            return seen, more(found, view, seen, **also) if more else {}

    seen, values = await run_in_threadpool(listed)
    return await page(
        found,
        made.template,
        pinned=seen.answer,
        comparing=comparing,
        compared_with=other and other.moment,
        list=seen,
        **values,
    )


def _both(
    found: Visit,
    made: ListPage,
    views: Views,
    query: Query,
    asked: Asked,
    also: Mapping[str, Any],
    other: Comparison,
) -> Both:
    """What both moments have; without equal lines it is kept while the facts are the same."""
    told = tuple(tuple(sorted(each.items())) for each in (asked.equal, asked.ranges, dict(also)))
    places = (views.then.place, views.now.place)
    key = ("compared", made.name, _whose(found, made), told, places)
    memory = None if other.equal_shown else views.whole.memory
    both: Both | None = memory.recall(key) if memory else None
    if both is None:
        plain = asked._replace(sort=None, cursor=None)
        moment = other.moment
        then = found._replace(as_of=moment.as_of, known_at=moment.known_at)
        before = list(_selection(then, made, views.then, query, plain, also, ()).rows())
        after = _selection(found, made, views.now, query, plain, also, ())
        pairs = paired(after.columns, made.key, before, list(after.rows()))
        both = both_of(after.columns, pairs, made.summed, equal_kept=other.equal_shown)
        if memory:
            memory.keep(key, both, 1 + sum(2 - pair.count(None) for pair in both.pairs))
    return both


def _selection(
    found: Visit,
    made: ListPage,
    view: View,
    query: Query,
    asked: Asked,
    also: Mapping[str, Any],
    facets: Sequence[str],
) -> Selection:
    """What is asked for; nothing where only the columns are to be chosen."""
    if asked.choosing:
        table = Table(made.table_columns, [])
    elif _selects(query):
        selection: Selection = query(found, view, asked, **also)
        return selection
    else:
        table = _table(found, made, view, query, also)
    return InMemory(table, asked, made.key, facets, made.summed)


def _table(
    found: Visit, made: ListPage, view: View, query: Query, also: Mapping[str, Any]
) -> Table:
    """Every line that the reader may see; kept where the list says so."""
    if not made.kept or view.memory is None:
        whole: Table = query(found, view, **also)
        return whole
    key = ("list", made.name, _whose(found, made), tuple(sorted(also.items())), view.place)
    table: Table | None = view.memory.recall(key)
    if table is None:
        table = query(found, view, **also)
        view.memory.keep(key, table, len(table.rows))
    return table


def _whose(found: Visit, made: ListPage) -> Any:
    """Whose lines a reader sees."""
    author = found.author
    all_rows = QUERIES[made.query][author.role] == "all"
    return "all" if all_rows else (author.role, author.organisation)


def listed_of(
    found: Visit,
    made: ListPage,
    asked: Asked,
    view: View,
    selection: Selection,
    codes: Mapping[str, Mapping[Any, str]],
    further: Mapping[str, Any],
    compared: ComparedList | None = None,
) -> Listed:
    """One page of a selection as the template shows it. Raises Wrong 422 for a wrong cursor."""
    mark = query_mark(found)
    after = values_of(found, asked.cursor, mark, selection.cursor_values)
    try:
        rows, behind = selection.page(after, asked.limit)
    except (TypeError, ValueError):
        raise Wrong(422, "cursor.malformed", found.address(cursor=None)) from None
    table = _named(found, made, view, Table(selection.columns, rows))
    following = found.address(cursor=cursor_at(mark, behind)) if behind else None
    shown = compared or made
    return view_model(found, shown, asked, view, selection, table, following, codes, further)


def _named(found: Visit, made: ListPage, view: View, table: Table) -> Table:
    """The lines with what is read for them alone."""
    return with_names(found.service.vault, view, table) if made.borrower_names else table


async def list_file(
    found: Visit,
    made: ListPage,
    given: Mapping[str, Any],
    query: Query,
    also: Mapping[str, Any],
    form: Form,
    told: Mapping[str, str] = MappingProxyType({}),
    other: Comparison | None = None,
    *,
    notes: bool = False,
) -> Response:
    assure_allowed(found, made.query)
    compared = other and ComparedList(made, made.summed, other.moment)
    asked = asked_of(found, made, given, compared)
    codes = await run_in_threadpool(named_codes, found, made)
    said = filter_words(
        found, compared or made, asked, codes, {each: also[name] for name, each in told.items()}
    )

    def filed() -> Response:
        if other and compared:
            with views_of(found, other.moment) as views:
                both = _both(found, made, views, query, asked, also, other)
                lines = ComparedLines(compared, both, asked, other.equal_shown)
                return compared_file_of(found, made, views, lines, compared, form, said, notes)
        with view_of(found.service, found.as_of, found.known_at, None) as view:
            selection = _selection(found, made, view, query, asked, also, ())
            return file_of(found, made, asked, view, selection, form, said, notes=notes)

    return await run_in_threadpool(filed)


def compared_file_of(
    found: Visit,
    made: ListPage,
    views: Views,
    lines: ComparedLines,
    compared: ComparedList,
    form: Form,
    said: str,
    notes: bool,
) -> Response:
    """All lines of a comparison as a file, whose columns say of which moment they are."""
    table = _named(found, made, views.whole, Table(lines.columns, list(lines.rows())))
    table = compared.as_file(cut(table.columns, iter(table.rows), lines.cols))
    headers = headers_of(views.now)
    if form == "json":
        head = head_of(views.now) | {
            "then": head_of(views.then),
            "equal_lines": lines.equal_lines,
            "lines": list(table.dicts()),
        }
        return json_answer(head, 200, headers)
    both = moments_said(found.words, views)
    stop = found.words("list.stop")
    described = Described(
        views.now, found.words(f"{made.name}.title"), stop.join(filter(None, (both, said))), notes
    )
    return table_file(table, form, f"{made.name}-compared", headers, described)


def file_of(
    found: Visit,
    made: ListPage,
    asked: Asked,
    view: View,
    selection: Selection,
    form: Form,
    said: str,
    *,
    notes: bool,
) -> Response:
    """All lines of a selection, in the columns and the order of the page."""
    table = _named(found, made, view, Table(selection.columns, list(selection.rows())))
    table = cut(table.columns, iter(table.rows), asked.cols)
    if form == "json":
        return json_answer(head_of(view) | {"lines": list(table.dicts())}, 200, headers_of(view))
    described = Described(view, found.words(f"{made.name}.title"), said, notes)
    return table_file(table, form, made.name, headers_of(view), described)
