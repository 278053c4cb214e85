"""HTML by Jinja2: one environment for what goes out on paper and what is shown on a screen.

A template stands in the folder `templates` of its room and is named with it: `documents/slip.html`.
Every value is escaped, and a name that a template does not get is an error.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, PrefixLoader, StrictUndefined

from domain.money import percent, with_commas

ROOMS = ("documents", "console")
"""The rooms of `interface` that have templates."""


def _environment() -> Environment:
    interface = Path(__file__).parents[1]
    made = Environment(
        loader=PrefixLoader(
            {room: FileSystemLoader(interface / room / "templates") for room in ROOMS}
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
        cache_size=-1,
    )
    made.filters |= {"amount": with_commas, "percent": percent}
    return made


environment = _environment()


def compile_templates() -> list[str]:
    """Compile every template, so that an error in one ends the start and no reader waits for it.

    Returns their names.
    """
    names = environment.list_templates()
    for name in names:
        environment.get_template(name)
    return names


def render(template: str, **values: Any) -> str:
    """A template with these values. Raises UndefinedError where it asks for another one."""
    return environment.get_template(template).render(values)
