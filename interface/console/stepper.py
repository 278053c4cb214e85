"""Stages one after another (stepper): what is done, what is to be done and by whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

State = Literal["done", "here", "ahead", "none", "late", "wrong"]


class Step(NamedTuple):
    """One stage; templates/stepper.html shows it.

    `state`: done; here, when it is the next to be done; ahead; none, when there is none to be done;
    late, when its clock ran out; wrong, when it was returned. `days`: how long was waited at it.
    `who`: who did it, or must. `said`: what else is to be said, such as "7/10".
    """

    name: str
    state: State
    on: str = ""
    who: str = ""
    days: int | None = None
    said: str = ""
    href: str | None = None


def is_ended(steps: Sequence[Step]) -> bool:
    """Whether nothing is left to be done."""
    return all(step.state in ("done", "none") for step in steps)
