"""Every refusal is raised by name in a test: a code that nothing raises is no code."""

import ast
from collections.abc import Iterator
from pathlib import Path

from support.refusals import refusals

TESTS = Path(__file__).parents[1]
NO_TEST_OF_IT = {"architecture", "support", "stored"}
"""Folders that name codes without raising them."""


def names_in(path: Path) -> Iterator[str]:
    """The names that a file uses and the words that it compares, not those that it imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_every_refusal_is_raised_by_its_name_in_at_least_one_test() -> None:
    files = [
        path
        for path in TESTS.rglob("test_*.py")
        if path.relative_to(TESTS).parts[0] not in NO_TEST_OF_IT
    ]
    named = {name for path in files for name in names_in(path)}

    raised_nowhere = [
        kind.__name__
        for kind in refusals()
        if kind.__name__ not in named and kind.__dict__["CODE"] not in named
    ]
    assert raised_nowhere == []
