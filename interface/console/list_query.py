"""What a list is asked for: its filters, order, columns and page, as parameters of an address."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import date
from inspect import Parameter, Signature
from typing import Annotated, Any, Final, Literal, NamedTuple, Protocol

import msgspec
from fastapi import Query

from domain.calendar import civil_day
from domain.money import with_commas, yuan
from interface.console.dates import read_day
from interface.console.frame import Elsewhere, Visit, Wrong
from interface.console.pinned import OF_PAPER
from projections.columns import Column, Columns

PAGE: Final = 50
_MOST_LINES: Final = 1000
_AMOUNT: Final = re.compile(r"(\d{1,13})(?:\.(\d{1,2}))?")
_WORD: Final = Annotated[str | None, Query(max_length=100)]
_NOT_SORTED: Final = ("mapping",)


class Declared(Protocol):
    """What of a list decides its parameters."""

    @property
    def name(self) -> str: ...
    @property
    def columns(self) -> Columns: ...
    @property
    def shown(self) -> tuple[str, ...]: ...
    @property
    def facets(self) -> tuple[str, ...]: ...
    @property
    def filters(self) -> tuple[str, ...]: ...
    @property
    def ranges(self) -> tuple[str, ...]: ...
    @property
    def sort(self) -> str | None: ...
    @property
    def unsorted(self) -> frozenset[str]: ...


class Bounds(NamedTuple):
    """From and until, both included; None: open. Days for a day or an instant, else fen."""

    first: Any
    last: Any


class Sort(NamedTuple):
    key: str
    descending: bool

    def __str__(self) -> str:
        return f"-{self.key}" if self.descending else self.key


class Asked(NamedTuple):
    """What one address asks of a list."""

    equal: Mapping[str, str]
    """By column: what it must be, as an address says it (`in_address`)."""
    ranges: Mapping[str, Bounds]
    sort: Sort | None
    """None: the order of the query."""
    cols: tuple[str, ...]
    cursor: str | None
    limit: int
    choosing: bool
    """Whether the columns are to be chosen."""

    @property
    def is_filtered(self) -> bool:
        """Whether the reader set a filter."""
        return bool(self.equal or self.ranges)


def in_address(value: Any) -> str:
    """A value as an address names it; `-` is what has none."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def range_names(column: Column) -> tuple[str, str]:
    """The parameters of a range: `due_on` has due_from and due_until, both included.

    `principal_fen` has principal_from_fen and principal_until_fen, in fen.
    """
    stem = column.key.rpartition("_")[0]
    end = "_fen" if column.kind == "fen" else ""
    return f"{stem}_from{end}", f"{stem}_until{end}"


def typed_names(column: Column) -> tuple[str, str]:
    """The fields of a form that a person types a range into: amounts in yuan."""
    first, last = range_names(column)
    return first.removesuffix("_fen"), last.removesuffix("_fen")


def by_key(declared: Declared) -> dict[str, Column]:
    return {column.key: column for column in declared.columns}


def parameters_of(declared: Declared) -> Callable[..., dict[str, Any]]:
    """A dependency that takes the parameters of a list, so that its route knows their names."""
    named: dict[str, Any] = dict.fromkeys((*declared.facets, *declared.filters), _WORD)
    columns = by_key(declared)
    for key in declared.ranges:
        for names in (range_names(columns[key]), typed_names(columns[key])):
            named |= dict.fromkeys(names, _WORD)
    named |= {
        "sort": _WORD,
        "cols": Annotated[str | None, Query(max_length=1000, description="keys, in order")],
        "cursor": Annotated[str | None, Query(max_length=1000)],
        "limit": Annotated[int, Query(ge=1, le=_MOST_LINES)],
        "columns": Literal["choose"] | None,
        "move": _WORD,
    }

    def given(**values: Any) -> dict[str, Any]:
        return values

    given.__signature__ = Signature(  # type: ignore[attr-defined]
        [
            Parameter(
                name,
                Parameter.KEYWORD_ONLY,
                annotation=kind,
                default=PAGE if name == "limit" else None,
            )
            for name, kind in named.items()
        ]
    )
    return given


def asked_of(
    found: Visit,
    declared: Declared,
    given: Mapping[str, Any],
    compared: Declared | None = None,
) -> Asked:
    """What is asked. Raises Wrong 400, which names what is unknown; Elsewhere: its exact form.

    `compared`: the list as it is compared; its lines are put in order by columns of this one.
    """
    for name, value in given.items():
        if isinstance(value, str) and not value.isprintable():
            raise Wrong(400, "error.unprintable", field=name)
    cols = chosen_columns(declared, given["cols"])
    if given["move"]:
        moved = _moved(cols, given["move"])
        raise Elsewhere(found.address(columns="choose", cols=moved, move=None))
    ranges, changes = _ranges(found, declared, given)
    if given["sort"] is not None and given["sort"] == declared.sort:
        changes["sort"] = None
    if given["cols"] and not given["columns"] and cols == declared.shown:
        changes["cols"] = None
    if "limit" in found.request.query_params and given["limit"] == PAGE:
        changes["limit"] = None
    if changes:
        raise Elsewhere(found.address(None, **changes))
    return Asked(
        equal={key: given[key] for key in (*declared.facets, *declared.filters) if given[key]},
        ranges=ranges,
        sort=_sort(compared or declared, given["sort"] or declared.sort),
        cols=cols,
        cursor=given["cursor"],
        limit=given["limit"],
        choosing=given["columns"] is not None,
    )


def chosen_columns(declared: Declared, cols: str | None) -> tuple[str, ...]:
    """The columns asked for, in their order. Raises Wrong 400, which names the unknown one."""
    if cols is None:
        return declared.shown
    known, wanted = by_key(declared), tuple(dict.fromkeys(cols.split(",")))
    for key in wanted:
        if key not in known:
            raise Wrong(400, "error.column", value=key[:60])
    return wanted


def _moved(cols: tuple[str, ...], move: str) -> str:
    """The columns with one of them a place earlier (`-key`) or later (`key`)."""
    key, order = move.removeprefix("-"), list(cols)
    if key in order:
        place = order.index(key)
        other = place - 1 if move.startswith("-") else place + 1
        if 0 <= other < len(order):
            order[place], order[other] = order[other], order[place]
    return ",".join(order)


def sortable(declared: Declared, column: Column) -> bool:
    return column.shape not in _NOT_SORTED and column.key not in declared.unsorted


def _sort(declared: Declared, sort: str | None) -> Sort | None:
    if sort is None:
        return None
    column = by_key(declared).get(sort.removeprefix("-"))
    if column is None or not sortable(declared, column):
        raise Wrong(400, "error.sort", value=sort[:60])
    return Sort(column.key, sort.startswith("-"))


# ---- ranges ---------------------------------------------------------------------------


def _ranges(
    found: Visit, declared: Declared, given: Mapping[str, Any]
) -> tuple[dict[str, Bounds], dict[str, object]]:
    """The ranges, and what the address must say instead. Raises Wrong 400."""
    today = civil_day(found.service.clock())
    ranges: dict[str, Bounds] = {}
    changes: dict[str, object] = {}
    for key in declared.ranges:
        column, ends = by_key(declared)[key], []
        for exact, typed in zip(range_names(column), typed_names(column), strict=True):
            value, said = _end(column, given, exact, typed, today)
            ends.append(value)
            if said != given[exact] or (typed != exact and given[typed]):
                changes |= {typed: None, exact: said}
        if ends != [None, None]:
            ranges[key] = Bounds(*ends)
    return ranges, changes


def _end(
    column: Column, given: Mapping[str, Any], exact: str, typed: str, today: date
) -> tuple[Any, str | None]:
    """One end of a range, and how an address says it. Raises Wrong 400."""
    if column.kind == "fen":
        text = given[typed]
        if text is not None:
            fen = hundredths(text)
            if fen is None:
                raise Wrong(400, "error.amount", field=typed, value=text)
            return fen, str(fen)
        text = given[exact]
        if text is None:
            return None, None
        if not (text.isascii() and text.isdigit() and len(text) < 16):
            raise Wrong(400, "error.amount", field=exact, value=text)
        return int(text), str(int(text))
    text = given[exact]
    if text is None:
        return None, None
    day = read_day(text, today)
    if day is None:
        raise Wrong(400, "error.day", field=exact, value=text)
    return day, str(day)


def hundredths(text: str) -> int | None:
    """Yuan as a person types them, in fen: 50000, 50,000.00; a percentage, in basis points."""
    found = _AMOUNT.fullmatch(text.strip().replace(",", "").replace("，", ""))
    if found is None:
        return None
    whole, cents = found.groups()
    return int(whole) * 100 + int((cents or "").ljust(2, "0"))


def typed(value: Any) -> str:
    """One end of a range as its field shows it."""
    if value is None:
        return ""
    return yuan(value) if isinstance(value, int) else str(value)


def said(value: Any) -> str:
    """The same in words."""
    return with_commas(value) if isinstance(value, int) else str(value)


# ---- cursors --------------------------------------------------------------------------


_OF_NO_QUERY: Final = frozenset(
    ("as_of", "known_at", "cursor", "lang", "limit", "cols", "columns", *OF_PAPER)
)


def query_mark(found: Visit) -> str:
    """What a cursor holds of the query that it belongs to: path, day, filters and order.

    Not the instant of knowledge: a page that is pinned goes on from where it stood.
    """
    told = sorted(
        (name, value)
        for name, value in found.request.query_params.multi_items()
        if name not in _OF_NO_QUERY
    )
    text = msgspec.json.encode([found.request.url.path, told, str(found.as_of)])
    return hashlib.sha256(text).hexdigest()[:12]


def cursor_at(mark: str, values: list[Any]) -> str:
    """Where the next page begins: behind the line of these values."""
    return base64.urlsafe_b64encode(msgspec.json.encode([mark, *values])).decode().rstrip("=")


def values_of(found: Visit, cursor: str | None, mark: str, count: int) -> list[Any] | None:
    """The values of a cursor of this query. Raises Wrong 422 with the way to the first page."""
    if cursor is None:
        return None
    way = found.address(cursor=None)
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        told = msgspec.json.decode(text, type=list[str | int | None])
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise Wrong(422, "cursor.malformed", way) from None
    if len(told) != count + 1 or told[0] != mark:
        raise Wrong(422, "cursor.malformed", way)
    return told[1:]
