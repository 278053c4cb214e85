"""Red flags (疑点): one self-contained file a rule, asked of the facts at any two dates.

A rule file is TOML: what it is and why, the policy tables its parameters come from, one SQL
question, and examples that must and must not be flagged. The question is asked as a reader, with a
time limit, and gives
  subject, amount_fen   whom or what it concerns, and the money at stake
  positions             the events that prove it: the last of them makes it known
  since                 (if it has it) the day on which an omission became one, or a document known
  context               (if it has it) events that belong to it and came later
It may ask the facts, `%(as_of)s`, `%(known_at)s`, `%(today)s` (the last day of which the view can
say that something was not done), its parameters, and the relations it names.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from functools import cache
from importlib import resources
from typing import Any, Final, Literal, NamedTuple

import psycopg

from domain.policy import Ruling
from projections.facts.reading import Table, View
from projections.red_flags.relations import RELATIONS
from projections.settlement import RoadsDisagree

Severity = Literal["high", "medium", "low"]
_KEYS: Final = {
    "id", "title_zh", "title_en", "severity", "source", "why", "parameters", "sql", "example",
}  # fmt: skip
_SECONDS: Final = 20
COLUMNS: Final = (
    "rule", "rule_version", "title_zh", "severity", "subject", "amount_fen", "known_at",
    "positions", "context",
)  # fmt: skip


class Example(NamedTuple):
    """What is told, a command a line, and whether the rule must flag it on a day.

    A line may name the day on which it is told (`on`); without, it is told today.
    """

    what: str
    hit: bool
    told: str
    as_of: date = date(2024, 1, 1)


class Rule(NamedTuple):
    """One red flag. `version` names the whole text of its file."""

    id: str
    title_zh: str
    title_en: str
    severity: Severity
    source: str
    why: str
    parameters: dict[str, str]
    relations: tuple[str, ...]
    sql: str
    examples: tuple[Example, ...]
    version: str


class Finding(NamedTuple):
    """One subject that a rule flags, and since when it could have been known."""

    subject: str
    amount_fen: int
    known_from: datetime | None
    positions: list[int]
    context: list[int]


class Checked(NamedTuple):
    """How one rule fared: checked and clean is not the same as not checked."""

    rule: Rule
    rulings: tuple[Ruling, ...]
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
    if set(told) - {"relations"} != _KEYS:
        raise ValueError(f"{name}: a rule has {sorted(_KEYS)}, not {sorted(told)}")
    if told["id"] != name.upper() or not re.fullmatch(r"RF[0-9]{2}", told["id"]):
        raise ValueError(f"{name}: the id is the file's name: {told['id']}")
    if told["severity"] not in ("high", "medium", "low"):
        raise ValueError(f"{name}: no such severity: {told['severity']}")
    if not re.match(r"\[[PND]\] ", told["source"]):
        raise ValueError(f"{name}: a source begins with [P], [N] or [D]")
    relations = tuple(told.get("relations", ()))
    if not set(relations) <= set(RELATIONS):
        raise ValueError(f"{name}: relations are {sorted(RELATIONS)}, not {relations}")
    examples = tuple(Example(**each) for each in told["example"])
    if {example.hit for example in examples} != {True, False}:
        raise ValueError(f"{name}: a rule has examples that must be flagged, and that must not")
    plain = {key: told[key] for key in _KEYS - {"example"}}
    version = hashlib.sha256(text.encode()).hexdigest()[:12]
    return Rule(**plain, relations=relations, examples=examples, version=version)


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


def check_all(view: View, asked: Sequence[Rule]) -> list[Checked]:
    """Ask several rules of one view; what more than one of them needs is reckoned once."""
    return list(checking(view, asked))


def checking(view: View, asked: Sequence[Rule]) -> Iterator[Checked]:
    """The same, each answer when it is there."""
    reckoned: dict[str, dict[str, Any]] = {}
    return (_check(view, each, reckoned) for each in asked)


def check(view: View, rule: Rule) -> Checked:
    """Ask one rule. A question that fails or takes too long is an error of that rule alone."""
    return _check(view, rule, {})


def _check(view: View, rule: Rule, reckoned: dict[str, dict[str, Any]]) -> Checked:
    connection = view.connection
    rulings: dict[str, Ruling] = {}
    connection.execute("SAVEPOINT rule")
    try:
        rulings = {
            name: view.book.ruling(table, view.as_of, view.known_on)
            for name, table in rule.parameters.items()
        }
        values: dict[str, Any] = {"today": view.today}
        for name, ruling in rulings.items():
            values[name] = list(ruling.value) if isinstance(ruling.value, tuple) else ruling.value
        for name in rule.relations:
            if name not in reckoned:
                reckoned[name] = _columns(name, view)
            values |= reckoned[name]
        connection.execute(f"SET LOCAL statement_timeout = '{_SECONDS}s'".encode())
        asked = view.ask(_question(rule), **values)
        return Checked(rule, tuple(rulings.values()), [Finding(*r) for r in asked.rows], None)
    except (psycopg.Error, LookupError, RoadsDisagree) as error:
        return Checked(rule, tuple(rulings.values()), [], str(error).splitlines()[0])
    finally:  # the limit is this rule's own, whether it failed or not
        connection.execute("ROLLBACK TO SAVEPOINT rule")


def _columns(name: str, view: View) -> dict[str, Any]:
    """The columns of a relation as arrays, named as the question of a rule binds them."""
    relation = RELATIONS[name]
    rows = list(relation.rows(view))
    columns = zip(*rows, strict=True) if rows else ([] for _ in relation.columns)
    return {
        f"{name}_{column}": list(cells)
        for column, cells in zip(relation.columns, columns, strict=True)
    }


def _question(rule: Rule) -> str:
    relations = [
        f"{name} ({', '.join(columns)}) AS MATERIALIZED (SELECT * FROM unnest("
        + ", ".join(f"%({name}_{column})s::{kind}[]" for column, kind in columns.items())
        + "))"
        for name, columns in ((name, RELATIONS[name].columns) for name in rule.relations)
    ]
    prelude = "WITH " + ", ".join(relations) if relations else ""
    return prelude + _QUESTION.replace("{rule}", rule.sql.strip().rstrip(";"))


_QUESTION: Final = """
SELECT f.subject::text, coalesce(f.amount_fen, 0)::bigint,
       greatest((SELECT max(e.recorded_at) FROM ledger.event e
                  WHERE e.position = ANY (f.positions)),
                (to_jsonb(f) ->> 'since')::date::timestamp AT TIME ZONE 'Asia/Shanghai'),
       f.positions::bigint[],
       ARRAY(SELECT c::bigint
               FROM jsonb_array_elements_text(coalesce(to_jsonb(f) -> 'context', '[]')) c)
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
                each.rule.version,
                each.rule.title_zh,
                each.rule.severity,
                finding.subject,
                finding.amount_fen,
                finding.known_from,
                " ".join(map(str, finding.positions)),
                " ".join(map(str, finding.context)),
            )
            for each in found
            for finding in each.findings
        ],
    )
