"""A form that a page of this host sent, and whose session it is of."""

from __future__ import annotations

import hmac
from typing import Final

from fastapi import Request

from application.people import Session
from interface.console.frame import (
    NotSignedIn,
    Wrong,
    assure_same_origin,
    form_token,
    session_of,
)

_LONGEST_FIELD: Final = 200
_LONGEST: Final = {"next": 2000}


async def fields_of(request: Request) -> dict[str, str]:
    """A form of this host, each field once. Raises Wrong 403."""
    assure_same_origin(request)
    async with request.form(max_files=0, max_fields=20) as form:
        return {
            name: value.replace("\0", "")[: _LONGEST.get(name, _LONGEST_FIELD)]
            for name, value in form.items()
            if isinstance(value, str)
        }


async def signed_form(request: Request) -> tuple[Session, dict[str, str]]:
    """A form that a page of this very session sent to this address: whose, and its fields.

    Raises NotSignedIn; Wrong 403 where the form's token is another's or another address's.
    """
    fields = await fields_of(request)
    session = await session_of(request)
    if session is None:
        raise NotSignedIn
    own = form_token(request, request.url.path)
    if not hmac.compare_digest(own.encode(), fields.pop("token", "").encode()):
        raise Wrong(403, "error.form")
    return session, fields
