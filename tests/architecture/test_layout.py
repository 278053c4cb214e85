"""The shape of the repository, kept by a machine rather than by a guide."""

import ast
import functools
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("domain", "application", "projections", "interface")
OURS = {
    ".ci", ".dockerignore", ".env.example", ".gitignore", "CHANGELOG.md", "Dockerfile", "README.md",
    "application", "benchmarks", "docker-compose.yml", "docs", "domain", "interface", "projections",
    "pyproject.toml", "requirements-dev.lock", "requirements.lock", "run.py", "tests",
}  # fmt: skip
LOCAL = {
    ".env", ".git", ".hypothesis", ".import_linter_cache", ".mypy_cache", ".pytest_cache",
    ".ruff_cache", ".venv", "__pycache__", "var", "wheelhouse",
}  # fmt: skip


def sources(*packages: str) -> list[Path]:
    return sorted(path for name in packages for path in (ROOT / name).rglob("*.py"))


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def nodes(*packages: str) -> Iterator[tuple[str, ast.AST]]:
    for path in sources(*packages):
        for node in ast.walk(tree(path)):
            line = getattr(node, "lineno", 0)
            yield f"{path.relative_to(ROOT)}:{line}", node


def test_the_top_of_the_repository_holds_what_it_should_and_nothing_else() -> None:
    assert {path.name for path in ROOT.iterdir()} - LOCAL == OURS


@pytest.mark.parametrize("name", PACKAGES)
def test_each_package_comes_from_this_repository(name: str) -> None:
    file = importlib.import_module(name).__file__
    assert file is not None
    assert Path(file).parent == ROOT / name


def test_every_folder_with_code_is_a_package() -> None:
    folders = {path.parent for path in sources(*PACKAGES)}
    assert [str(f.relative_to(ROOT)) for f in folders if not (f / "__init__.py").exists()] == []


def test_the_import_contracts_are_kept() -> None:
    code = "from importlinter.cli import lint_imports_command as main; main(['--no-cache'])"
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, check=False, cwd=ROOT, capture_output=True, text=True)
    assert "0 broken" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


def test_no_float_stands_where_money_or_facts_are_handled() -> None:
    """Waiting times alone may be fractions: a constant ..._SECONDS, outside the domain."""
    waits = {
        id(child)
        for _, node in nodes("application", "projections")
        if isinstance(node, ast.Assign)
        and all(isinstance(t, ast.Name) and t.id.endswith("_SECONDS") for t in node.targets)
        for child in ast.walk(node)
    }
    found = [
        place
        for place, node in nodes("domain", "application", "projections")
        if id(node) not in waits
        and (
            (isinstance(node, ast.Constant) and isinstance(node.value, float))
            or (isinstance(node, ast.Name) and node.id == "float")
        )
    ]
    assert found == []


def test_the_domain_asks_no_clock_and_throws_no_dice() -> None:
    asked = {"now", "today", "utcnow", "time", "time_ns", "monotonic", "uuid1", "uuid4", "random"}
    found = [
        place
        for place, node in nodes("domain")
        if isinstance(node, ast.Call)
        and (getattr(node.func, "attr", None) or getattr(node.func, "id", None)) in asked
    ]
    assert found == []


def test_the_domain_knows_the_event_library_but_not_its_databases() -> None:
    imported = [
        (place, getattr(node, "module", None) or ",".join(alias.name for alias in node.names))
        for place, node in nodes("domain")
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    stores = ("eventsourcing.postgres", "eventsourcing.sqlite", "eventsourcing.popo", "sqlite3")
    assert [(p, m) for p, m in imported if any(m.startswith(s) for s in stores)] == []


def test_the_locks_name_no_address_and_pin_every_package_by_hash() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "://" not in text
        assert "--index" not in text
        pins = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
        assert [line for line in pins if "==" not in line or not line.endswith("\\")] == []


def test_the_domain_is_tested_without_a_database() -> None:
    """A fixture of a database or a service, or a connection, in tests/domain."""
    fixtures = {"database", "shared_database", "server", "api", "service", "callers"}
    found = []
    for path in sorted((ROOT / "tests" / "domain").glob("*.py")):
        for node in ast.walk(tree(path)):
            asked = node.arg if isinstance(node, ast.arg) else ""
            known = node.id if isinstance(node, ast.Name) else ""
            if asked in fixtures or known in {"psycopg", "create_database"}:
                found.append(f"{path.name}:{getattr(node, 'lineno', 0)}")
    assert found == []
