"""What answers look like, for the OpenAPI document: declared beside each route, from its columns.

An answer is described here and written by `interface.http.responses`: nothing is checked or
written twice while serving. A schema of a `title` becomes a component of that name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from domain.kernel import Refused
from interface.http.errors import status_of
from interface.spreadsheet.refusals import UNREADABLE
from projections.columns import Column, Columns

E = TypeVar("E", bound=Callable[..., Any])
Schema = dict[str, Any]
Responses = dict[int | str, dict[str, Any]]

JSON: Final = "application/json"
CSV: Final = "text/csv"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
NDJSON: Final = "application/x-ndjson"
CODES: Final = "x-codes"
"""Where a route says which codes its refusals have; the document spells them out."""

TEXT: Final[Schema] = {"type": "string"}
WHOLE: Final[Schema] = {"type": "integer"}
FLAG: Final[Schema] = {"type": "boolean"}
DAY: Final[Schema] = {"type": "string", "format": "date"}
INSTANT: Final[Schema] = {"type": "string", "format": "date-time"}
OPEN: Final[Schema] = {"type": "object", "additionalProperties": True}
"""An object whose fields the event's kind decides."""
BINARY: Final[Schema] = {"type": "string", "format": "binary"}

_KINDS: Final[dict[str, Schema]] = {
    "text": TEXT,
    "identifier": TEXT,
    "fen": WHOLE,
    "bp": WHOLE,
    "date": DAY,
    "instant": INSTANT,
    "integer": WHOLE,
}
_UNITS: Final = {"fen": "分 fen", "bp": "基点 basis points"}
HEAD: Final[dict[str, Schema]] = {
    "as_of": DAY,
    "known_at": INSTANT,
    "position": WHOLE,
    "known_through": INSTANT,
    "sealed": WHOLE,
}
_HEADERS: Final = {
    "X-As-Of": {"schema": DAY, "description": "业务日 civil day"},
    "X-Known-At": {"schema": INSTANT, "description": "认知时点 known at"},
    "X-Position": {"schema": WHOLE, "description": "所见日志位置 position in the log"},
    "X-Sealed": {"schema": WHOLE, "description": "已封存的事件数 events that are sealed"},
}
"""The head, for an answer that is a file."""
_CURSOR: Final[Schema] = {"type": ["string", "null"], "description": "下一页的标记 the next page"}


def optional(schema: Schema) -> Schema:
    """The same, or null."""
    if "type" in schema and "title" not in schema:
        return schema | {"type": [schema["type"], "null"]}
    return {"oneOf": [schema, {"type": "null"}]}


def several(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def record(name: str, /, **fields: Schema) -> Schema:
    """An object that has all of these fields and no others."""
    return {
        "title": name,
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


def at_least(schema: Schema) -> Schema:
    """The same object, which may have other fields as well."""
    return schema | {"additionalProperties": True}


def line(name: str, columns: Columns) -> Schema:
    """A line of a table, as JSON has it. A value that is not known or does not apply is null."""
    return record(name, **{column.key: _value(column) for column in columns})


def _value(column: Column) -> Schema:
    title = column.title_zh.removesuffix("(元)").removesuffix("(%)")
    unit = _UNITS.get(column.unit)
    said = f"{title} {column.title_en}" + (f"，{unit}" if unit else "")
    if column.shape == "several":
        return several({}) | {"description": said}
    if column.shape == "mapping":
        return OPEN | {"description": said}
    kind = {"flag": FLAG, "number": WHOLE}.get(column.shape, _KINDS[column.kind])
    return optional(kind) | {"description": said}


# ---- answers --------------------------------------------------------------------------


def answers(*responses: Responses) -> Callable[[E], E]:
    """Say beside an endpoint how it answers. No use of it is made while serving."""

    def mark(endpoint: E) -> E:
        endpoint.answers = merged(*responses)  # type: ignore[attr-defined]
        return endpoint

    return mark


def merged(*responses: Responses) -> Responses:
    """All of these; two of one status have both their contents and both their codes."""
    found: Responses = {}
    for each in responses:
        for status, response in each.items():
            known = found.get(status, {})
            codes = [*known.get(CODES, ()), *response.get(CODES, ())]
            content = known.get("content", {}) | response.get("content", {})
            found[status] = known | response | {CODES: codes, "content": content}
    return found


def answer(schema: Schema, *, status: int = 200, media: str = JSON) -> Responses:
    return {status: {"content": {media: {"schema": schema}}}}


def found(name: str, /, **fields: Schema) -> Responses:
    """JSON alone: which ledger this is, and what was found in it."""
    return {200: {"headers": _HEADERS, **answer(record(name, **HEAD, **fields))[200]}}


def table(name: str, columns: Columns, /, **fields: Schema) -> Responses:
    """A whole table: JSON with a head and `fields`, or the same lines as CSV or XLSX."""
    lines = several(line(f"{name}Line", columns))
    return _with_files(record(name, **HEAD, **fields, lines=lines))


def page_with_totals(name: str, columns: Columns, /) -> Responses:
    """The same; JSON says, where it is wanted, what the whole selection comes to."""
    totals = record(f"{name}Totals", lines=WHOLE, sums=OPEN, facets=OPEN)
    made = page(name, columns, totals=totals)
    made[200]["content"][JSON]["schema"]["required"].remove("totals")
    return made


def page(name: str, columns: Columns, /, **fields: Schema) -> Responses:
    """A page of a table in JSON, with the cursor of the next; CSV and XLSX hold all of it."""
    return table(name, columns, **fields, next=_CURSOR)


def stored_page(name: str, columns: Columns, /, **fields: Schema) -> Responses:
    """The same of what is stored, which is of no two dates."""
    lines = several(line(f"{name}Line", columns))
    return _with_files(record(name, **fields, lines=lines, next=_CURSOR))


def either(*answers: Responses) -> Responses:
    """One of several answers, by what is asked or by who asks; they leave as the same files."""
    schemas = [each[200]["content"][JSON]["schema"] for each in answers]
    content = answers[0][200]["content"] | {JSON: {"schema": {"anyOf": schemas}}}
    return {200: {**answers[0][200], "content": content}}


def with_files(name: str, /, **fields: Schema) -> Responses:
    """An object of these fields, or its lines as CSV or XLSX."""
    return _with_files(record(name, **fields))


def _with_files(schema: Schema) -> Responses:
    content: dict[str, Any] = {JSON: {"schema": schema}}
    headers = {"headers": _HEADERS} if HEAD.keys() <= schema["properties"].keys() else {}
    return {200: {**headers, "content": content | files()}}


def files() -> dict[str, Any]:
    return {CSV: {"schema": TEXT}, XLSX: {"schema": BINARY}}


def file(*medias: str) -> Responses:
    """Text, a page to print, or another form that is no JSON."""
    return {200: {"content": {media: {"schema": TEXT} for media in medias}}}


NOT_FOUND: Final[Responses] = {404: {}}
"""What is asked about may not be there."""


def body(media: str, example: str) -> dict[str, Any]:
    """A body that the endpoint reads itself, as `openapi_extra`."""
    content = {media: {"schema": TEXT, "example": example}}
    return {"requestBody": {"required": True, "content": content}}


def refused(*kinds: type[Refused]) -> Responses:
    """Which refusals a question may meet, besides those that every question may."""
    codes: Responses = {}
    for kind in kinds:
        codes.setdefault(status_of(kind), {CODES: []})[CODES].append(kind.CODE)
    return codes


FILE_REFUSED: Final[Responses] = {422: {CODES: list(UNREADABLE)}}
"""A file that cannot be taken in."""


# ---- what several answers hold --------------------------------------------------------

_EVENT: Final = record(
    "Event",
    event_id=TEXT,
    position=WHOLE,
    event=TEXT,
    event_zh=TEXT,
    effective_on=DAY,
    recorded_at=INSTANT,
    told_by=record("ToldBy", organisation=TEXT, role=TEXT, person=TEXT),
    ref=TEXT,
    ground=record("EventGround", document=optional(TEXT), note=optional(TEXT)),
    corrected_by=optional(TEXT),
    content=OPEN,
)
EVENT: Final = at_least(_EVENT)  # `personal`: the masked values, where there are some
LATE_NOTICE: Final = record(
    "LateNotice",
    level=TEXT,
    township=TEXT,
    posted_on=DAY,
    until_on=DAY,
    recorded_on=DAY,
    document=TEXT,
)
_RULING: Final = record(
    "Ruling",
    name=TEXT,
    effective_from=DAY,
    known_from=DAY,
    value={"description": "整数，或代码 a whole number, or codes"},
    unit=TEXT,
    source=TEXT,
    version=TEXT,
)
RULING: Final = at_least(
    _RULING
)  # `meaning`, `value_then`, `event_id`, `position`: by who cites it
WARNING: Final = record("Warned", code=TEXT, zh=TEXT, en=TEXT, field=TEXT)
RECORDED: Final[Schema] = record(
    "Recorded",
    event_ids=several(TEXT),
    position=WHOLE,
    recorded_at=INSTANT,
    again=FLAG,
) | {
    "description": "已入账 what was recorded, or was recorded before (`again`).",
}
RECORDED["properties"] |= {"promise": TEXT, "warnings": several(WARNING)}
RECORDED_HOUSEHOLD: Final[Schema] = RECORDED | {
    "properties": {"household_no": TEXT, **RECORDED["properties"]},
    "required": ["household_no", *RECORDED["required"]],
    "additionalProperties": True,
}
FINDING: Final = record(
    "Finding",
    subject=TEXT,
    amount_fen=WHOLE,
    known_from=optional(INSTANT),
    positions=several(WHOLE),
    context=several(WHOLE),
)
_PROBLEM: Final = record(
    "Problem",
    type=TEXT,
    title=TEXT,
    title_zh=TEXT,
    title_en=TEXT,
    status=WHOLE,
    code=TEXT,
    errors=several(
        at_least(record("Fault", pointer=TEXT, code=TEXT)),
    ),
)
PROBLEM: Final = at_least(_PROBLEM)  # `details`: the figures of a refusal
