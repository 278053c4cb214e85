"""A look (查阅) at names and numbers: on record before anything is shown, and with a reason."""

from __future__ import annotations

from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from application.commands.household import LookAtHousehold
from application.fields import Why
from application.refusals import TooManyLooks
from domain.calendar import civil_day
from interface.console.frame import Visit, Wrong, role_name
from interface.http.routes.personal_data import looked

_REASON: Final = TypeAdapter(Why)


class NotLooked(Exception):
    """Nothing was recorded; `status` of the answer, `key` of the sentence that says why."""

    def __init__(self, status: int, key: str) -> None:
        super().__init__(key)
        self.status, self.key = status, key


def may_look(found: Visit) -> bool:
    return found.author.role in LookAtHousehold.ROLES


def assure_may_look(found: Visit) -> None:
    """Raises Wrong 403."""
    if not may_look(found):
        raise Wrong(403, "error.role", role=role_name(found.words, found.author))


def is_reason(text: str) -> bool:
    """Whether it may stand as the reason of a look; asked before anybody is searched for."""
    try:
        _REASON.validate_python(text)
    except ValidationError:
        return False
    return True


async def record_look(found: Visit, no: str, ref: str, reason: str) -> dict[str, Any] | None:
    """What a look at a household shows; None where it was recorded before. Raises NotLooked."""
    told: dict[str, Any] = {"ref": ref, "household_no": no, "reason": reason}
    try:
        command = LookAtHousehold(**told, effective_on=civil_day(found.service.clock()))
    except ValidationError as error:
        raise NotLooked(422, "reason") from error
    try:
        _, shown = await looked(found.service, found.author, command)
    except TooManyLooks as error:
        raise NotLooked(429, "too_many") from error
    return shown
