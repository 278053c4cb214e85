"""What pages load beside themselves: one style sheet, one script, one icon; nothing from outside.

An address changes with its content, so a browser keeps each for good.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final, NamedTuple

from fastapi import APIRouter, Response

_HERE: Final = resources.files("interface.console").joinpath("static")
_PAPER: Final = resources.files("interface.documents").joinpath("templates", "paper.css")


class Static(NamedTuple):
    """The addresses of the three."""

    style: str
    script: str
    icon: str


def _sheets() -> Iterable[Traversable]:
    """The tokens and common parts first, then what single pages add, then what goes on paper."""
    own = [each for each in _HERE.iterdir() if each.name.endswith(".css")]
    return [*sorted(own, key=lambda each: (each.name != "console.css", each.name)), _PAPER]


def _address(content: bytes, ending: str) -> str:
    return f"/static/console-{hashlib.sha256(content).hexdigest()[:12]}.{ending}"


_STYLE: Final = b"".join(each.read_bytes() for each in _sheets())
_SCRIPT: Final = _HERE.joinpath("console.js").read_bytes()
_ICON: Final = _HERE.joinpath("icon.svg").read_bytes()
STATIC: Final = Static(_address(_STYLE, "css"), _address(_SCRIPT, "js"), _address(_ICON, "svg"))
_TYPES: Final = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}

router = APIRouter(include_in_schema=False)


_CONTENT: Final = {STATIC.style: _STYLE, STATIC.script: _SCRIPT, STATIC.icon: _ICON}


def static_file(path: str) -> Response | None:
    """What stands at an address of `STATIC`; None at any other."""
    content = _CONTENT.get(path)
    return None if content is None else _kept(content, path.rpartition(".")[2])


@router.get(STATIC.style)
async def style() -> Response:
    return _kept(_STYLE, "css")


@router.get(STATIC.script)
async def script() -> Response:
    return _kept(_SCRIPT, "js")


@router.get(STATIC.icon)
async def icon() -> Response:
    return _kept(_ICON, "svg")


@router.get("/favicon.ico")
async def favicon() -> Response:
    """The same for a browser that asks without reading a page."""
    return Response(_ICON, media_type=_TYPES["svg"])


def _kept(content: bytes, ending: str) -> Response:
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(content, media_type=f"{_TYPES[ending]}; charset=utf-8", headers=headers)
