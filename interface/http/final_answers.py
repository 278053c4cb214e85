"""Answers that are final: kept, named by an ETag, and not sent to who has them already.

Facts are only ever added, so an answer at a day and at an instant of knowledge that is past stays
true. Three things alone change what it says: another version of the program, the facts projected
anew, and an erasure, which takes names away; all are in the tag.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from secrets import token_hex
from typing import Final

import msgspec
from fastapi import Request, Response

from application.event_store.log_queries import last_erasure
from projections.facts.answer_cache import Memory
from projections.facts.reading import View

_MOST_BYTES: Final = 32 << 20
_LARGEST_BYTES: Final = 2 << 20
_PROGRAM: Final = token_hex(8)
"""Of this process: another one may be of another version, which calculates otherwise."""
_CACHED: Final = {"Cache-Control": "private, no-cache"}
"""A browser keeps it, and asks each time whether it still is the answer."""


class FinalAnswers:
    """The bodies of final answers, 32 MB of them at most, for any thread."""

    def __init__(self) -> None:
        self._memory = Memory(_MOST_BYTES)

    def given(
        self, request: Request, asked: tuple[str, ...], view: View, answer: Callable[[], Response]
    ) -> Response:
        """The answer: 304 to who has it, the kept one, or a new one. `asked`: what decides it."""
        tag = _tag(asked, view)
        named = {"ETag": tag} | _CACHED
        if _is_known(request, tag):
            return Response(status_code=304, headers=named)
        kept: tuple[bytes, dict[str, str]] | None = self._memory.recall(tag)
        if kept is not None:
            return Response(kept[0], headers=kept[1])
        made = answer()
        if made.status_code != 200:
            return made
        made.headers.update(named)
        if type(made) is Response and len(made.body) <= _LARGEST_BYTES:
            body = bytes(made.body)
            self._memory.keep(tag, (body, dict(made.headers)), len(body))
        return made


def _is_known(request: Request, tag: str) -> bool:
    """Whether the caller has this answer; a tag is compared as weak (RFC 9110, 13.1.2)."""
    said = request.headers.get("if-none-match", "")
    return tag in (each.strip() for each in said.split(","))


def _weak_tag(*parts: object) -> str:
    """A weak ETag over what decides an answer."""
    text = msgspec.json.encode(parts)
    return f'W/"{hashlib.sha256(text).hexdigest()[:32]}"'


def _tag(asked: tuple[str, ...], view: View) -> str:
    facts, *_ = view.place
    erased = last_erasure(view.connection)
    return _weak_tag(_PROGRAM, asked, facts, view.as_of, view.known_at, erased)
