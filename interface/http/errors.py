"""Every error as problem+json (RFC 9457): a permanent code, both languages, the place at fault."""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from application.event_store.event_log import (
    ConnectionTroubled,
    DatabaseFault,
    has_no_room,
    is_for_now,
)
from application.fields import NO_CONTROL_CHARACTERS, NUMBER
from application.personal_data.encryption import KeysMissing
from domain import text
from domain.identity_number import PROBLEMS
from domain.kernel import Refused
from interface.http.response_headers import ALWAYS
from projections.facts.reading import NotDrawnYet
from projections.settlement import RoadsDisagree

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_STATUS = {
    "not_permitted": 403,
    "leaf_withheld": 403,
    "agreement_unknown": 404,
    "not_investigator": 403,
    "not_supervisor": 403,
    "case_elsewhere": 403,
    "case_unknown": 404,
    "batch_unknown": 404,
    "risk_unknown": 404,
    "publication_unknown": 404,
    "loan_unknown": 404,
    "household_unknown": 404,
    "event_unknown": 404,
    "payment_unknown": 404,
    "cursor_malformed": 422,
    "unknown_parameter": 422,
    "repeated_parameter": 422,
    "unknown_filter": 422,
    "replacement_malformed": 422,
    "replacement_elsewhere": 422,
    "beyond_log": 422,
    "cosignature_refused": 422,
    "no_ruling": 422,
    "ledger_busy": 503,
    "clock_jumped": 503,
    "schema_altered": 503,
    "not_sealed_yet": 503,
    "too_many_looks": 429,
}
_RETRY_AFTER = {
    "ledger_busy": "1",
    "clock_jumped": "60",
    "schema_altered": "60",
    "not_sealed_yet": "1",
    "too_many_looks": "60",
}
HTTP_PROBLEMS = {
    400: ("bad_request", "请求不合规", "the request is malformed"),
    401: ("not_authenticated", "未提供有效密钥", "a valid key is missing"),
    403: ("not_permitted", "无权进行此操作", "not permitted"),
    404: ("not_found", "没有这个资源", "there is no such resource"),
    405: ("method_not_allowed", "不支持此方法", "this method is not supported here"),
    406: ("not_acceptable", "不支持所要求的格式", "this form of answer is not available"),
    408: ("too_slow", "请求传送过慢", "the request came in too slowly"),
    409: ("conflict", "与现状冲突", "in conflict with what stands"),
    413: ("too_large", "请求过大", "the request is too large"),
    415: ("unsupported_media_type", "不支持的内容类型", "this type of content is not supported"),
    422: ("malformed", "内容不合规", "the content breaks a rule"),
    429: ("too_many_requests", "请求过多", "too many requests"),
    431: ("headers_too_large", "请求头过大", "the head of the request is too large"),
    500: ("internal_error", "内部错误", "an internal error"),
    503: ("unavailable", "暂不可用，请以同一编号重报", "not available now: send it again later"),
}
"""By status: the code of what HTTP itself says, in both languages."""
NO_ROOM = (
    503,
    "no_room",
    "存储空间不足，请以同一编号稍后重报",
    "no room to store it: send it again later",
)
NOT_DRAWN_YET = (503, "not_drawn_yet", "台账正在生成，请稍后", "the facts are still being drawn")
ROADS_DISAGREE = (
    500,
    "roads_disagree",
    "结息两法不一致，未给出任何结果；请停止拨付并报告",
    "the two roads of the settlement disagree: no answer; stop paying and report it",
)
UNREACHABLE = (503, "database_unreachable", "数据库无应答", "the database does not answer")
MALFORMED_JSON = (400, "malformed_json", "不是合规的 JSON", "this is not JSON")
OTHER_PROBLEMS = (NO_ROOM, NOT_DRAWN_YET, ROADS_DISAGREE, UNREACHABLE, MALFORMED_JSON)
"""Status, code and both languages of problems that are neither refusals nor HTTP's own."""
_RULES = {
    "missing": ("required", "缺少必填项", "this field is required"),
    "extra_forbidden": ("unknown_field", "不认识的字段", "there is no such field"),
    "int_type": (
        "not_whole_number",
        "须为整数（金额以分计）",
        "a whole number is wanted (amounts in fen)",
    ),
    "int_from_float": (
        "not_whole_number",
        "须为整数（金额以分计）",
        "a whole number is wanted (fen)",
    ),
    "int_parsing": ("not_whole_number", "须为整数（金额以分计）", "a whole number is wanted (fen)"),
    "greater_than": ("too_small", "须大于 {gt}", "must be more than {gt}"),
    "greater_than_equal": ("too_small", "不得小于 {ge}", "must be at least {ge}"),
    "less_than_equal": ("too_large", "不得大于 {le}", "must be at most {le}"),
    "string_type": ("not_text", "须为文字", "text is wanted"),
    "string_unicode": ("not_text", "须为文字", "text is wanted"),
    "string_too_short": ("empty", "不得为空", "must not be empty"),
    "string_too_long": ("too_long", "不得超过 {max_length} 字", "at most {max_length} characters"),
    "string_pattern_mismatch": ("wrong_form", "格式不符：{pattern}", "wrong form: {pattern}"),
    "literal_error": ("not_in_list", "须为其中之一：{expected}", "must be one of {expected}"),
    "bool_type": ("not_true_or_false", "须为 true 或 false", "true or false is wanted"),
    "date_form": ("wrong_date_form", "日期须写作 YYYY-MM-DD", "a day is written YYYY-MM-DD"),
    "no_such_day": ("no_such_day", "没有这一天", "there is no such day"),
    "date_too_early": ("date_too_early", "早于 1990-01-01", "before 1990-01-01"),
    "day_too_far": ("day_too_far", "晚于今日十年以上", "more than ten years ahead"),
    "out_of_reach": (
        "out_of_reach",
        "时间须在 1900 年至 9000 年之间",
        "between the years 1900 and 9000",
    ),
    "not_plain_json": ("malformed_json", "含 JSON 不能表示的值", "not plain JSON"),
    "more_faults": ("more_faults", "另有 {more} 处不合规", "and {more} more faults"),
    "too_many_fields": (
        "too_many_fields",
        "一个对象不得超过 {most} 个字段",
        "at most {most} fields",
    ),
    "too_many_values": (
        "too_many_values",
        "对象和列表合计不得超过 {most} 个",
        "at most {most} objects and lists",
    ),
    "nested_too_deep": (
        "nested_too_deep",
        "嵌套不得超过 {most} 层",
        "nested deeper than {most} levels",
    ),
    "doubled_key": ("doubled_field", "字段重复：{key}", "the field is given twice: {key}"),
    "json_invalid": ("malformed_json", "不是合规的 JSON", "this is not JSON"),
    "too_short": ("too_few", "至少 {min_length} 项", "at least {min_length} items"),
    "too_long": ("too_many", "至多 {max_length} 项", "at most {max_length} items"),
    "list_type": ("not_a_list", "须为列表", "a list is wanted"),
    "model_attributes_type": ("not_an_object", "须为对象", "an object is wanted"),
    "model_type": ("not_an_object", "须为对象", "an object is wanted"),
    "dict_type": ("not_an_object", "须为对象", "an object is wanted"),
}
_RULES |= {code: (code, zh, code.replace("_", " ")) for code, zh in PROBLEMS.items()}
_RULES |= {code: (code, zh, en) for code, (zh, en) in text.FAULTS.items()}

_TOO_SHORT = ("too_short", "至少 {min_length} 字", "at least {min_length} characters")


_MOST_SHOWN = 100
"""Characters of a field's name that an answer repeats."""
_MOST_FAULTS = 100
"""Faults that one answer names; of more it says how many there are."""


class BodyMalformed(HTTPException):
    """A body at fault, as an answer: FastAPI lets only its own kind of exception out of a body."""

    def __init__(self, errors: Sequence[Any]) -> None:
        super().__init__(422)
        self.errors = errors


def problem(
    status: int,
    code: str,
    zh: str,
    en: str,
    *,
    errors: Sequence[Mapping[str, Any]] = (),
    details: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    content = {
        "type": f"urn:mingzhang:problem:{code}",
        "title": f"{zh} / {en}",
        "title_zh": zh,
        "title_en": en,
        "status": status,
        "code": code,
        "errors": list(errors),
    }
    if details:
        content["details"] = {name: _plain(value) for name, value in details.items()}
    return Response(
        msgspec.json.encode(content),
        status,
        media_type="application/problem+json",
        headers={**ALWAYS, **(headers or {})},
    )


def status_of(refusal: Refused | type[Refused]) -> int:
    return _STATUS.get(refusal.CODE, 409)


def refusal_problem(refusal: Refused) -> Response:
    field = refusal.field
    errors = (
        [{"pointer": f"/{field}", "code": refusal.CODE, "zh": refusal.zh, "en": refusal.en}]
        if field
        else []
    )
    return problem(
        status_of(refusal),
        refusal.CODE,
        refusal.zh,
        refusal.en,
        errors=errors,
        details=refusal.details,
        headers={"Retry-After": _RETRY_AFTER[refusal.CODE]}
        if refusal.CODE in _RETRY_AFTER
        else None,
    )


def faults(errors: Sequence[Any], *, beyond: int = 0) -> list[dict[str, Any]]:
    """Pydantic's findings in our words: pointer, permanent code, both languages.

    Names the first hundred, and then how many more there are. `beyond`: how many leading parts
    of the place are not the caller's (FastAPI's "body").
    """
    more = len(errors) - _MOST_FAULTS
    found = [_fault(error, beyond) for error in errors[:_MOST_FAULTS]]
    return [*found, _fault(_and_more(more), 0)] if more > 0 else found


def _fault(error: Any, beyond: int) -> dict[str, Any]:
    code, zh, en = _RULES.get(
        error["type"], ("malformed", "内容不合规", error.get("msg", "malformed"))
    )
    context = error.get("ctx") or {}
    if context.get("min_length", 1) > 1 and error["type"] == "string_too_short":
        code, zh, en = _TOO_SHORT
    if context.get("pattern") == NO_CONTROL_CHARACTERS:
        code, zh, en = _RULES["control_character"]
    if context.get("pattern") == NUMBER:
        zh, en = "不含斜杠、控制字符和首尾空格，最多 64 字", "no slash, no control characters"
    place = "" if error["type"] == "json_invalid" else "/".join(map(_part, error["loc"][beyond:]))
    return {
        "pointer": f"/{place}",
        "code": code,
        "zh": _filled(zh, context),
        "en": _filled(en, context),
    }


def _part(part: int | str) -> str:
    """A part of a place, as short as it can be shown and whole characters only."""
    return str(part)[:_MOST_SHOWN].encode(errors="replace").decode()


def doubled_key(key: str) -> dict[str, Any]:
    """A finding as pydantic would say it, were it asked."""
    return {"type": "doubled_key", "loc": (key,), "ctx": {"key": _part(key)}}


def too_many_fields(most: int) -> dict[str, Any]:
    """An object has more fields than any command."""
    return {"type": "too_many_fields", "loc": (), "ctx": {"most": most}}


def too_many_values(most: int) -> dict[str, Any]:
    """A text holds more objects and lists than any command."""
    return {"type": "too_many_values", "loc": (), "ctx": {"most": most}}


def _and_more(more: int) -> dict[str, Any]:
    return {"type": "more_faults", "loc": (), "ctx": {"more": more}}


def _filled(rule: str, context: Mapping[str, Any]) -> str:
    try:
        return rule.format_map(context)
    except KeyError:
        return rule


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | str | list | None) else str(value)


def http_problem(status: int, *, headers: Mapping[str, str] | None = None) -> Response:
    code, zh, en = HTTP_PROBLEMS.get(status, HTTP_PROBLEMS[500])
    return problem(status, code, zh, en, headers=headers)


def install(app: FastAPI) -> None:
    """Let every error of the application leave in the one form."""

    @app.exception_handler(Refused)
    async def _(request: Request, refusal: Refused) -> Response:
        return refusal_problem(refusal)

    @app.exception_handler(RequestValidationError)
    async def _(request: Request, error: RequestValidationError) -> Response:
        errors = error.errors()
        found = faults(errors, beyond=1)
        if any(e["type"] == "json_invalid" for e in errors):
            return problem(400, "malformed_json", *_RULES["json_invalid"][1:], errors=found)
        return problem(422, "malformed", *HTTP_PROBLEMS[422][1:], errors=found)

    @app.exception_handler(HTTPException)
    async def _(request: Request, error: HTTPException) -> Response:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno in _NO_ROOM:
            return _no_room()  # found while a form was read
        if isinstance(error, BodyMalformed):
            return problem(422, "malformed", *HTTP_PROBLEMS[422][1:], errors=faults(error.errors))
        return http_problem(error.status_code, headers=error.headers)

    _install_for_facts(app)
    _install_for_want(app)

    @app.exception_handler(KeysMissing)
    async def _(request: Request, error: Exception) -> Response:
        return http_problem(503, headers={"Retry-After": "1"})

    @app.exception_handler(Exception)
    async def _(request: Request, error: Exception) -> Response:
        return http_problem(500)


def _install_for_want(app: FastAPI) -> None:
    """What runs out, and the database while it may not write: later it will do."""

    @app.exception_handler(OSError)
    async def _(request: Request, error: OSError) -> Response:
        if error.errno not in _NO_ROOM:
            raise error
        return _no_room()

    for kind in (DatabaseFault, *ConnectionTroubled):

        @app.exception_handler(kind)
        async def _(request: Request, error: Exception) -> Response:
            if has_no_room(error):
                return _no_room()
            if is_for_now(error) or isinstance(error, ConnectionTroubled):
                return http_problem(503, headers={"Retry-After": "1"})
            raise error


def _no_room() -> Response:
    return problem(*NO_ROOM, headers={"Retry-After": "60"})


def _install_for_facts(app: FastAPI) -> None:
    @app.exception_handler(NotDrawnYet)
    async def _(request: Request, error: NotDrawnYet) -> Response:
        return problem(*NOT_DRAWN_YET, headers={"Retry-After": "1"})

    @app.exception_handler(RoadsDisagree)
    async def _(request: Request, error: RoadsDisagree) -> Response:
        return problem(*ROADS_DISAGREE, details={"first": str(error)})
