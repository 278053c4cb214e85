"""Every refusal of the program, whoever has imported it."""

import importlib
import pkgutil
from collections.abc import Iterator

from domain.kernel import Refused

_PACKAGES = ("domain", "application")


def subclasses(kind: type[Refused]) -> Iterator[type[Refused]]:
    for below in kind.__subclasses__():
        yield below
        yield from subclasses(below)


def refusals() -> list[type[Refused]]:
    """Their classes; the tests' own are none of them."""
    for name in _PACKAGES:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            importlib.import_module(module.name)
    return [kind for kind in subclasses(Refused) if kind.__module__.split(".")[0] in _PACKAGES]
