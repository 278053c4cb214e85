"""All columns that are declared beside the questions."""

from __future__ import annotations

import importlib.util
import pkgutil
from collections.abc import Iterator
from typing import Any

import projections
from projections.columns import Column, Columns


def declared() -> dict[str, Columns]:
    """Every table of columns that is declared, by where and as what."""
    found: dict[str, Columns] = {}
    for package in pkgutil.iter_modules(projections.__path__):
        name = f"projections.{package.name}.columns"
        if package.ispkg and importlib.util.find_spec(name):
            for what, value in vars(importlib.import_module(name)).items():
                found |= {f"{name}.{what}.{part}": table for part, table in _tables(value)}
    return found


def _tables(value: Any) -> Iterator[tuple[str, Columns]]:
    if isinstance(value, tuple) and value and all(isinstance(each, Column) for each in value):
        yield "", value
    elif isinstance(value, dict):
        for part, inner in value.items():
            yield from ((part, table) for _, table in _tables(inner))
