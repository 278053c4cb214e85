"""Whether an answer is one that the OpenAPI document tells of."""

from __future__ import annotations

from typing import Any

import jsonschema_rs

Contract = dict[str, Any]


def responses_of(contract: Contract, method: str, path: str) -> dict[str, Any]:
    """How an operation may answer, by status."""
    found = {}
    for status, response in contract["paths"][path][method]["responses"].items():
        name = response.get("$ref", "").rpartition("/")[2]
        found[status] = contract["components"]["responses"][name] if name else response
    return found


def fault_of(contract: Contract, method: str, path: str, answer: Any) -> str | None:
    """Its status, type, code or content, where the document does not tell of it."""
    told = responses_of(contract, method, path)
    status = str(answer.status_code)
    media = answer.headers.get("content-type", "").partition(";")[0]
    content = told.get(status, {}).get("content", {})
    if media not in content:
        return f"{method} {path}: {status} {media} {answer.text[:300]}"
    if media == "application/problem+json":
        code = answer.json()["code"]
        if code not in content[media]["examples"]:
            return f"{method} {path}: {status} {code}"
    if media in ("application/json", "application/problem+json"):
        for error in _validator(contract, content[media]["schema"]).iter_errors(answer.json()):
            return f"{method} {path}: {status} {error.instance_path} {error.message[:300]}"
    return None


_VALIDATORS: dict[str, Any] = {}


def _validator(contract: Contract, schema: dict[str, Any]) -> Any:
    key = str(schema)
    if key not in _VALIDATORS:
        whole = schema | {"components": contract["components"]}
        _VALIDATORS[key] = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
    return _VALIDATORS[key]
