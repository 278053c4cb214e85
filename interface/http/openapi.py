"""The OpenAPI document: what FastAPI reads from the routes, and what the service does besides.

It is put together once, when it is first asked for; serving an answer does not pass here.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import resources
from itertools import count
from threading import Lock
from typing import Any, Final

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.routing import Route

import projections
from domain.kernel import Refused
from interface.http import schemas as s
from interface.http.errors import HTTP_PROBLEMS, OTHER_PROBLEMS, status_of
from projections.columns import Column

PROBLEM_JSON: Final = "application/problem+json"
_REF: Final = "#/components/schemas/"
_KEY: Final = "bearer_key"
_SECURITY: Final = {
    _KEY: {
        "type": "http",
        "scheme": "bearer",
        "description": "经办人密钥，由 `keys issue` 发放 the key of a person",
    }
}
_ALWAYS: Final = (422, 431, 500, 503)
_IN_THE_CONTRACT: Final = (401, 403)
_WITH_A_BODY: Final = (400, 408, 413, 415)
_OF_A_WRITE: Final = (404, 409)
_SUCCESS: Final = {
    200: "成功 found",
    201: "已入账 recorded",
}
_AGAIN: Final = "已报送过：第一次的答复 recorded before; the first answer again"
_EXAMPLE_DEPTH: Final = 6
_RETRY: Final = {"Retry-After": {"schema": s.WHOLE, "description": "多少秒后再试 seconds to wait"}}
_HEADERS: Final[dict[int, Any]] = {
    401: {"WWW-Authenticate": {"schema": s.TEXT, "description": "Bearer"}},
    429: _RETRY,
    503: _RETRY,
}
"""What a problem of a status says in its headers."""
_OF_ANY_QUESTION: Final = {
    "unknown_parameter", "repeated_parameter", "unknown_filter", "cursor_malformed", "beyond_log",
    "no_ruling", "schema_altered", "ledger_busy", "clock_jumped",
}  # fmt: skip
"""Refusals that are of no noun."""


def install(app: FastAPI) -> None:
    """Have the application give the whole document instead of what FastAPI makes alone.

    It is made and written on a thread, once: it takes a second, in which nobody else waits.
    """
    make, making, written = app.openapi, Lock(), b""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(make(), app)
        return app.openapi_schema

    def text() -> bytes:
        nonlocal written
        with making:
            written = written or msgspec.json.encode(document())
        return written

    async def answer(_: Request) -> Response:
        return Response(await run_in_threadpool(text), media_type=s.JSON)

    assert app.openapi_url is not None
    app.openapi = document  # type: ignore[method-assign]
    routes = app.router.routes
    [place] = [n for n, each in enumerate(routes) if getattr(each, "path", "") == app.openapi_url]
    routes[place] = Route(app.openapi_url, answer, include_in_schema=False)


def _completed(document: dict[str, Any], app: FastAPI) -> dict[str, Any]:
    components = document.setdefault("components", {})
    components["securitySchemes"] = _SECURITY
    components["responses"] = {}
    known: dict[str, Any] = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's own errors, never sent
        known.pop(name, None)
    for schema in known.values():
        _describe_fields(schema)
    routes = {
        (route.path_format, method.lower()): route
        for route in app.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            _complete(operation, routes[path, method], method, components)
    document["tags"] = [{"name": name, "description": said} for name, said in _tags().values()]
    return document


def _complete(
    operation: dict[str, Any], route: APIRoute, method: str, components: dict[str, Any]
) -> None:
    """One operation: its names, its key, its parameters, how it answers, and examples."""
    known = components["schemas"]
    operation["tags"] = [_tags()[tag][0] for tag in operation["tags"]]
    operation["operationId"] = _operation_id(route)
    if route.path.startswith("/v1/"):
        operation["security"] = [{_KEY: []}]
    for parameter in operation.get("parameters", ()):
        name = parameter["name"]
        parameter["schema"].pop("description", None)
        if name in _words():
            parameter.setdefault("description", _words()[name])
        parameter["example"] = _example(parameter["schema"], known, name)
    for media in operation.get("requestBody", {}).get("content", {}).values():
        _name_form(media, operation["operationId"], known)
        media.setdefault("example", _example(media["schema"], known))
    operation["responses"] = _responses(route, method, components)


def _name_form(media: dict[str, Any], operation_id: str, known: dict[str, Any]) -> None:
    """A form is called after its operation, and not after its path as FastAPI calls it."""
    old = media["schema"].get("$ref", "").removeprefix(_REF)
    if old.startswith("Body_"):
        name = operation_id.title().replace("_", "") + "Form"
        known[name] = known.pop(old) | {"title": name}
        media["schema"] = {"$ref": _REF + name}


def _operation_id(route: APIRoute) -> str:
    """The name of a call in a generated client: `record_repayment`, `loan_history`."""
    name = re.sub(r"\W", "_", route.name, flags=re.ASCII)
    return f"record_{name}" if _is_write(route) else name


def _is_write(route: APIRoute) -> bool:
    return route.status_code == 201


# ---- answers --------------------------------------------------------------------------


def _responses(route: APIRoute, method: str, components: dict[str, Any]) -> dict[str, Any]:
    said: s.Responses = getattr(route.endpoint, "answers", {})
    if _is_write(route) and not any(int(status) < 400 for status in said):
        said = s.merged(said, s.answer(s.RECORDED), s.answer(s.RECORDED, status=201))
    responses: dict[str, Any] = {}
    for status in sorted({*map(int, said), *_statuses(route, method, said)}):
        response = dict(said.get(status, {}))
        codes = response.pop(s.CODES, [])
        content = {
            media: _content(media, each["schema"], status, components["schemas"])
            for media, each in response.get("content", {}).items()
        }
        if status < 400:
            description = _AGAIN if status == 200 and _is_write(route) else _SUCCESS[status]
            responses[str(status)] = {"description": description, **response, "content": content}
        else:
            responses[str(status)] = _problem(
                status, codes, content, components, write=_is_write(route)
            )
    return responses


def _content(media: str, schema: s.Schema, status: int, known: dict[str, Any]) -> dict[str, Any]:
    """What one form of an answer holds, with an example."""
    content: dict[str, Any] = {"schema": _named(schema, known)}
    if media in _contract()["media"]:
        return content | {"example": _contract()["media"][media]}
    if media != s.JSON:
        return content
    example = _example(content["schema"], known)
    if "again" in example:
        example["again"] = status == 200
    return content | {"example": example}


def _statuses(route: APIRoute, method: str, said: s.Responses) -> Iterator[int]:
    """Every status of a problem that a route may answer with, besides those it names itself."""
    yield from _ALWAYS
    if not route.path.startswith("/v1/"):
        return
    yield from _IN_THE_CONTRACT
    if "{" in route.path:
        yield 404
    if method != "get":
        yield from _WITH_A_BODY
    if _is_write(route):
        yield from _OF_A_WRITE
    if s.XLSX in said.get(200, {}).get("content", {}):
        yield 406


def _problem(
    status: int,
    codes: list[str],
    content: dict[str, Any],
    components: dict[str, Any],
    *,
    write: bool,
) -> dict[str, Any]:
    """A problem of a status, with every code that it may bear; what several share stands once."""
    examples = {
        code: {"summary": zh, "value": _problem_example(status, code, zh, en)}
        for code, (zh, en) in _problems(status, codes, write=write).items()
    }
    problem = {"schema": _named(s.PROBLEM, components["schemas"]), "examples": examples}
    response = {
        "description": " ".join(HTTP_PROBLEMS[status][1:]),
        "content": {**content, PROBLEM_JSON: problem},
        **({"headers": _HEADERS[status]} if status in _HEADERS else {}),
    }
    names = (f"Problem{status}" + (f"No{n}" if n > 1 else "") for n in count(1))
    known = components["responses"]
    name = next(name for name in names if known.setdefault(name, response) == response)
    return {"$ref": f"#/components/responses/{name}"}


def _problems(status: int, codes: list[str], *, write: bool) -> dict[str, tuple[str, str]]:
    """The codes of a status: what HTTP itself says, what anything may meet, what is refused."""
    code, zh, en = HTTP_PROBLEMS[status]
    found = {code: (zh, en)}
    found |= {code: (zh, en) for at, code, zh, en in OTHER_PROBLEMS if at == status}
    found |= dict.fromkeys(codes, (zh, en))
    for kind in _refusals():
        if status_of(kind) == status and (
            write or kind.CODE in codes or kind.CODE in _OF_ANY_QUESTION
        ):
            found[kind.CODE] = (kind.ZH, kind.EN)
    return found


def _problem_example(status: int, code: str, zh: str, en: str) -> dict[str, Any]:
    return {
        "type": f"urn:mingzhang:problem:{code}",
        "title": f"{zh} / {en}",
        "title_zh": zh,
        "title_en": en,
        "status": status,
        "code": code,
        "errors": [],
    }


@cache
def _refusals() -> tuple[type[Refused], ...]:
    """Every refusal of the domain and of the application, by code."""
    found = {kind.CODE: kind for kind in _below(Refused) if kind.CODE}
    return tuple(found[code] for code in sorted(found))


def _below(kind: type[Refused]) -> Iterator[type[Refused]]:
    for below in kind.__subclasses__():
        if below.__module__.split(".")[0] in ("domain", "application"):
            yield below
            yield from _below(below)


# ---- schemas --------------------------------------------------------------------------


def _named(schema: Any, known: dict[str, Any]) -> Any:
    """The schema with all that have a title as components, and references in their place."""
    if isinstance(schema, list):
        return [_named(each, known) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: _named(value, known) for key, value in schema.items()}
    title = schema.get("title")
    if not isinstance(title, str) or schema.get("type") != "object":
        return inner
    if known.setdefault(title, inner) != inner:
        raise ValueError(f"two schemas are called {title}")
    return {"$ref": _REF + title}


def _describe_fields(schema: dict[str, Any]) -> None:
    """Say of each field of a request what it is, in Chinese first."""
    for name, field in schema.get("properties", {}).items():
        if name in _words() and "$ref" not in field:
            field.setdefault("description", _words()[name])


def _example(schema: Any, known: dict[str, Any], name: str = "", depth: int = 0) -> Any:
    """An ordinary value of a schema; of a field the one that the contract gives, if it fits."""
    if "$ref" in schema:
        return _example(known[schema["$ref"].removeprefix(_REF)], known, name, depth)
    for key in ("const", "enum", "examples"):
        if key in schema:
            return schema[key] if key == "const" else schema[key][0]
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return _example(schema[key][0], known, name, depth)
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return _example_of_object(schema, known, depth)
    if kind == "array":
        least = max(schema.get("minItems", 1), 1)
        items = schema.get("items") or {"type": "string"}
        return [_example(items, known, "", depth + 1) for _ in range(least)]
    return _example_of_field(kind, schema, name)


def _example_of_object(schema: dict[str, Any], known: dict[str, Any], depth: int) -> dict[str, Any]:
    if depth > _EXAMPLE_DEPTH:
        return {}
    fields = schema.get("properties", {})
    wanted = schema.get("required", ())
    return {name: _example(fields[name], known, name, depth + 1) for name in wanted}


def _example_of_field(kind: str | None, schema: dict[str, Any], name: str) -> Any:
    for value in _contract()["examples"].get(name, ()):
        fits_kind = isinstance(value, int if kind == "integer" else str)
        if fits_kind and re.search(schema.get("pattern", ""), str(value)):
            return value
    if kind == "integer":
        ordinary = 5_000_000 if name.endswith("_fen") else 365 if name.endswith("_bp") else 1
        return max(ordinary, schema.get("minimum", 0))
    if kind == "boolean":
        return True
    by_format = {"date": "2023-03-10", "date-time": "2024-01-10T00:00:00Z"}
    return by_format.get(schema.get("format", ""), "情况说明")


# ---- words ----------------------------------------------------------------------------


@cache
def _contract() -> dict[str, Any]:
    text = resources.files("interface.http").joinpath("contract.toml").read_text("utf-8")
    return tomllib.loads(text)


@cache
def _tags() -> dict[str, tuple[str, str]]:
    """By the tag of a route: its name in ASCII, and what it is."""
    return {tag: (name, said) for tag, (name, said) in _contract()["tags"].items()}


@cache
def _words() -> dict[str, str]:
    """By field: what it is, as the contract or a declared column of that key says."""
    columns = {
        column.key: f"{column.title_zh.partition('(')[0]} {column.title_en}"
        for column in _declared()
    }
    said: dict[str, str] = _contract()["fields"]
    return columns | said


def _declared() -> Iterator[Column]:
    for package in pkgutil.iter_modules(projections.__path__, "projections."):
        if package.ispkg and importlib.util.find_spec(f"{package.name}.columns"):
            for value in vars(importlib.import_module(f"{package.name}.columns")).values():
                if isinstance(value, tuple):
                    yield from (each for each in value if isinstance(each, Column))
