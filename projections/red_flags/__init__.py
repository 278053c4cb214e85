"""Red flags (疑点): one self-contained file a rule, asked of the facts at any two dates.

A rule file is TOML: what it is and why, the policy tables its parameters come from, one SQL
question, and examples that must and must not be flagged. The question gives `subject`,
`amount_fen` and `positions` (the events that prove it); it is asked as a reader, with a time limit.
"""

from __future__ import annotations

import re
import tomllib
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Any, Final, Literal, NamedTuple

import psycopg

from projections.facts.reading import Table, View

Severity = Literal["high", "medium", "low"]
_KEYS: Final = {
    "id", "title_zh", "title_en", "severity", "source", "why", "parameters", "sql", "example",
}  # fmt: skip
_SECONDS: Final = 20
COLUMNS: Final = (
    "rule", "title_zh", "severity", "subject", "amount_fen", "known_at", "positions",
)  # fmt: skip


class Example(NamedTuple):
    """What is told, a command a line, and whether the rule must flag it."""

    what: str
    hit: bool
    told: str


class Rule(NamedTuple):
    """One red flag."""

    id: str
    title_zh: str
    title_en: str
    severity: Severity
    source: str
    why: str
    parameters: dict[str, str]
    sql: str
    examples: tuple[Example, ...]


class Finding(NamedTuple):
    """One subject that a rule flags, and since when it could have been known."""

    subject: str
    amount_fen: int
    known_from: datetime | None
    positions: list[int]


class Checked(NamedTuple):
    """How one rule fared: checked and clean is not the same as not checked."""

    rule: Rule
    findings: list[Finding]
    error: str | None

    @property
    def status(self) -> str:
        if self.error is not None:
            return "error"
        return "found" if self.findings else "clean"


def parse(name: str, text: str) -> Rule:
    """Read one rule file, strictly. Raises ValueError, naming the file, for anything unexpected."""
    told = tomllib.loads(text)
    if set(told) != _KEYS:
        raise ValueError(f"{name}: a rule has {sorted(_KEYS)}, not {sorted(told)}")
    if told["id"] != name.upper() or not re.fullmatch(r"RF[0-9]{2}", told["id"]):
        raise ValueError(f"{name}: the id is the file's name: {told['id']}")
    if told["severity"] not in ("high", "medium", "low"):
        raise ValueError(f"{name}: no such severity: {told['severity']}")
    if not re.match(r"\[[PND]\] ", told["source"]):
        raise ValueError(f"{name}: a source begins with [P], [N] or [D]")
    examples = tuple(Example(e["what"], e["hit"], e["told"]) for e in told["example"])
    if {example.hit for example in examples} != {True, False}:
        raise ValueError(f"{name}: a rule has examples that must be flagged, and that must not")
    return Rule(**{key: told[key] for key in _KEYS - {"example"}}, examples=examples)


@cache
def rules() -> tuple[Rule, ...]:
    """Every rule, in the order of their ids."""
    folder = resources.files(__name__).joinpath("rules")
    files = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
    return tuple(
        parse(name.removesuffix(".toml"), folder.joinpath(name).read_text("utf-8"))
        for name in files
    )


def rule(id: str) -> Rule:
    """The rule of an id. Raises LookupError."""
    found = next((each for each in rules() if each.id == id), None)
    if found is None:
        raise LookupError(f"no red flag is called {id}")
    return found


def check(view: View, rule: Rule) -> Checked:
    """Ask one rule. A question that fails or takes too long is an error of that rule alone."""
    connection = view.connection
    values: dict[str, Any] = {
        name: view.book.ruling(table, view.as_of, view.known_on).value
        for name, table in rule.parameters.items()
    }
    values = {n: list(v) if isinstance(v, tuple) else v for n, v in values.items()}
    connection.execute("SAVEPOINT rule")
    try:
        connection.execute(f"SET LOCAL statement_timeout = '{_SECONDS}s'".encode())
        table = view.ask(_QUESTION.replace("{rule}", rule.sql.strip().rstrip(";")), **values)
        return Checked(rule, [Finding(*row) for row in table.rows], None)
    except psycopg.Error as error:
        return Checked(rule, [], str(error).splitlines()[0])
    finally:  # the limit is this rule's own, whether it failed or not
        connection.execute("ROLLBACK TO SAVEPOINT rule")


_QUESTION: Final = """
SELECT f.subject::text, coalesce(f.amount_fen, 0)::bigint,
       (SELECT max(e.recorded_at) FROM ledger.event e WHERE e.position = ANY (f.positions)),
       f.positions::bigint[]
  FROM ({rule}) f
 ORDER BY f.amount_fen DESC NULLS LAST, f.subject
"""


def as_table(found: list[Checked]) -> Table:
    """One line a finding."""
    return Table(
        COLUMNS,
        [
            (
                each.rule.id,
                each.rule.title_zh,
                each.rule.severity,
                finding.subject,
                finding.amount_fen,
                finding.known_from,
                " ".join(map(str, finding.positions)),
            )
            for each in found
            for finding in each.findings
        ],
    )
