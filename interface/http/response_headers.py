"""What every answer says about itself: not to be kept, not to be guessed at, not to be framed."""

from __future__ import annotations

from typing import Any

from interface.http.request_log import Message, Receive, Scope, Send

_NOTHING = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_PAGE = f"{_NOTHING}; style-src 'unsafe-inline'; img-src data:"
"""A page of ours has a style in its head and no script."""
_HANDBOOK = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none';"
    " form-action 'none'"
)
_HANDBOOKS = ("/docs",)
_KEPT = "/static-offline-docs/"
"""The handbook's own script and style: the same for everybody, and large."""
ALWAYS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _NOTHING,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}
"""What an answer carries that says nothing else."""
_ALWAYS = [(name.lower().encode(), value.encode()) for name, value in ALWAYS.items()]


class ResponseHeaders:
    """Adds to each answer what it does not say itself."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = completed(scope["path"], message.get("headers", []))
            await send(message)

        await self._app(scope, receive, guarded)


def completed(path: str, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """An answer's headers, and those that are missing. `path`: what was asked for."""
    own = dict(headers)
    missing = [(name, value) for name, value in _ALWAYS if name not in own]
    if own.get(b"content-type", b"").startswith(b"text/html"):
        page = _HANDBOOK if path.startswith(_HANDBOOKS) else _PAGE
        missing = _instead(missing, b"content-security-policy", page.encode())
    if path.startswith(_KEPT):
        missing = _instead(missing, b"cache-control", b"public, max-age=86400")
    return [*headers, *missing]


def _instead(
    headers: list[tuple[bytes, bytes]], name: bytes, value: bytes
) -> list[tuple[bytes, bytes]]:
    return [(each, value if each == name else said) for each, said in headers]
