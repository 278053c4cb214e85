"""Red flags (疑点): one folder a rule, queried from the facts at any two dates.

`rules/rf08_pooled_loans/` holds all of one rule:
  rule.toml       what it is, its source, why, what the supervisor does next, what its subjects are,
                  and the policy tables that its parameters come from
  query.sql       one query
  examples.toml   what it must and must not flag; the tests alone read them
The query runs as a reader, with a time limit, and gives
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
from datetime import datetime
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Final, Literal, NamedTuple

import psycopg

from domain.policy import NoRuling, Ruling
from projections.facts.reading import EVERY_EVENT, Table, View, tables_read
from projections.red_flags.columns import FINDINGS
from projections.red_flags.relations import RELATIONS
from projections.settlement import RoadsDisagree

Severity = Literal["high", "medium", "low"]
_KEYS: Final = {
    "id", "title_zh", "title_en", "severity", "subjects", "source", "why", "runbook_zh",
    "runbook_en", "parameters", "sql",
}  # fmt: skip
_OPTIONAL: Final = {"relations", "stands_alone"}
SUBJECTS: Final = {
    "account": r"account-[0-9a-f]{24}",
    "allocation": r"\d{4} [^ ]+",
    "bank_month": r"\w+ \d{4}-\d\d",
    "bank_month_figure": r"\w+ \d{4}-\d\d (average|households|balance)",
    "batch": r"[^ ]+",
    "clerk_household": r"\w+/[^ ]+ [^ ]+",
    "county": r"county",
    "household": r"[^ ]+",
    "household_quarter": r"[^ ]+ \d{4}Q[1-4]",
    "instalment": r"[^ ]+ [^ ]+ \d{4}-\d\d-\d\d",
    "loan": r"\w+/[^ ]+",
    "loan_duty": r"\w+/[^ ]+( \w+)? \d{4}-\d\d-\d\d",
    "loan_quarter": r"\w+/[^ ]+ \d{4}Q[1-4]",
    "payment": r"[^ ]+",
    "person": r"person person-[0-9a-f]{24}",
    "plan": r"plan \d{4} \w+",
    "report": r"\w+/[^ ]+ [^ ]+ [\w.-]+ \d{4}-\d\d-\d\d( \w+)?",
    "voucher": r"[^ ]+",
}
"""What a finding may be about, and how its subject is written."""
_SECONDS: Final = 20
Reckoned = dict[str, tuple[dict[str, Any], set[str]]]


class Rule(NamedTuple):
    """One red flag. `version` names its text: rule.toml with its query.

    `runbook_zh`, `runbook_en`: what the supervisor does with a finding. `subjects`: keys of
    SUBJECTS. `stands_alone`: a finding is grouped with no other, whichever loans it mentions.
    """

    id: str
    title_zh: str
    title_en: str
    severity: Severity
    subjects: tuple[str, ...]
    source: str
    why: str
    runbook_zh: str
    runbook_en: str
    parameters: dict[str, str]
    sql: str
    version: str
    relations: tuple[str, ...] = ()
    stands_alone: bool = False

    @property
    def tables(self) -> frozenset[str]:
        """The tables of the facts that its own question reads."""
        return tables_read(self.sql)

    @property
    def about_looks(self) -> bool:
        """Whether it says who looked at whom: for those alone who may read that."""
        return "look" in self.tables


class Finding(NamedTuple):
    """One subject that a rule flags, and since when it could have been known."""

    subject: str
    amount_fen: int
    known_from: datetime | None
    positions: list[int]
    context: list[int]


class Wanted(NamedTuple):
    """Which of a rule's findings are asked for, and which page of these.

    A finding concerns a bank or a township if that told a proving event, or if one of them is about
    its loan or household.
    """

    subject: str | None = None
    bank: str | None = None
    township: str | None = None
    offset: int = 0
    most: int | None = None


ALL: Final = Wanted()


class Checked(NamedTuple):
    """How one rule fared: checked and clean is not the same as not checked.

    `how_many` and `amount_fen` are of all wanted findings, on whichever page. `tables`: what facts
    the answer rests on; while these stay as they are, so does the answer, on that day.
    """

    rule: Rule
    rulings: tuple[Ruling, ...]
    findings: list[Finding]
    error: str | None
    how_many: int = 0
    amount_fen: int = 0
    tables: frozenset[str] = frozenset()

    @property
    def status(self) -> str:
        if self.error is not None:
            return "error"
        return "found" if self.how_many else "clean"


def parse(text: str) -> Rule:
    """Read the text of one rule, strictly. Raises ValueError for anything unexpected."""
    given = tomllib.loads(text)
    name = given.get("id", "")
    if not re.fullmatch(r"RF[0-9]{2}", name):
        raise ValueError(f"an id is RF and two digits, not {name!r}")
    if given.keys() - _OPTIONAL != _KEYS:
        raise ValueError(f"{name}: a rule has {sorted(_KEYS)}, not {sorted(given)}")
    if given["severity"] not in ("high", "medium", "low"):
        raise ValueError(f"{name}: no such severity: {given['severity']}")
    if not re.match(r"\[[PND]\] ", given["source"]):
        raise ValueError(f"{name}: a source begins with [P], [N] or [D]")
    for key, known in (("subjects", SUBJECTS), ("relations", RELATIONS)):
        given[key] = tuple(given.get(key, ()))
        if not set(given[key]) <= known.keys():
            raise ValueError(f"{name}: {key} are {sorted(known)}, not {given[key]}")
    return Rule(**given, version=hashlib.sha256(text.encode()).hexdigest()[:12])


def folders() -> dict[str, Traversable]:
    """The folder of each rule, by its id, in the order of the ids. Its name begins with the id."""
    found = resources.files(__name__).joinpath("rules").iterdir()
    named = {each.name[:4].upper(): each for each in found if each.name.startswith("rf")}
    return dict(sorted(named.items()))


def text_of(id: str) -> str:
    """The text of a rule, as its version names it: TOML, the query as `sql` before rule.toml."""
    folder = folders()[id]
    query, rest = (folder.joinpath(name).read_text("utf-8") for name in ("query.sql", "rule.toml"))
    return f"sql = '''\n{query}'''\n\n{rest}"


@cache
def rules() -> tuple[Rule, ...]:
    """Every rule, in the order of their ids."""
    return tuple(parse(text_of(id)) for id in folders())


def rule(id: str) -> Rule:
    """The rule of an id. Raises LookupError."""
    found = next((each for each in rules() if each.id == id), None)
    if found is None:
        raise LookupError(f"no red flag is called {id}")
    return found


def check_all(view: View, asked: Sequence[Rule], wanted: Wanted = ALL) -> list[Checked]:
    """Ask several rules of one view; what more than one of them needs is reckoned once.

    What was asked of the same place before is answered as it was then; an error is asked again.
    """
    if view.memory is None or wanted != ALL:
        return list(checking(view, asked, wanted))
    places = [(view.place, each.id, each.version, each.sql) for each in asked]
    known = {each.id: view.memory.recall(at) for each, at in zip(asked, places, strict=True)}
    fresh = {
        checked.rule.id: checked
        for checked in checking(view, [each for each in asked if known[each.id] is None])
    }
    for each, at in zip(asked, places, strict=True):
        if each.id in fresh and fresh[each.id].error is None:
            view.memory.keep(at, fresh[each.id], 1 + fresh[each.id].how_many)
    return [known[each.id] or fresh[each.id] for each in asked]


def checking(view: View, asked: Sequence[Rule], wanted: Wanted = ALL) -> Iterator[Checked]:
    """The same, each answer when it is there."""
    reckoned: Reckoned = {}
    return (check(view, each, wanted, reckoned) for each in asked)


def check(
    view: View, rule: Rule, wanted: Wanted = ALL, reckoned: Reckoned | None = None
) -> Checked:
    """Ask one rule. A question that fails or takes too long is an error of that rule alone.

    A rule without a ruling for one of its parameters is an error, but clean before the first event.

    `reckoned`: the relations that rules asked of this view before had need of.
    """
    connection = view.connection
    rulings: dict[str, Ruling] = {}
    tables = set(rule.tables | ({"ruling"} if rule.parameters else set()))
    connection.execute("SAVEPOINT rule")
    try:
        rulings = {
            name: view.book.ruling(table, view.as_of, view.known_on)
            for name, table in rule.parameters.items()
        }
        values: dict[str, Any] = {"today": view.today, **wanted._asdict()}
        for name, ruling in rulings.items():
            values[name] = list(ruling.value) if isinstance(ruling.value, tuple) else ruling.value
        for name in rule.relations:
            columns, behind = _relation(name, view, {} if reckoned is None else reckoned)
            values |= columns
            tables |= behind
        connection.execute(f"SET LOCAL statement_timeout = '{_SECONDS}s'".encode())
        rows = view.query(_query_text(rule, wanted), **values).rows
        how_many, amount_fen = rows[0][-2:] if rows else (0, 0)
        return Checked(
            rule,
            tuple(rulings.values()),
            [Finding(*row[:-2]) for row in rows],
            None,
            how_many,
            amount_fen,
            frozenset(tables),
        )
    except (psycopg.Error, LookupError, RoadsDisagree) as error:
        if isinstance(error, NoRuling) and view.is_empty:  # there was nothing to judge yet
            return Checked(rule, (), [], None, tables=frozenset({EVERY_EVENT}))
        said = str(error).splitlines()[0]
        return Checked(rule, tuple(rulings.values()), [], said, tables=frozenset(tables))
    finally:  # the limit is this rule's own, whether it failed or not
        connection.execute("ROLLBACK TO SAVEPOINT rule")


def _relation(name: str, view: View, reckoned: Reckoned) -> tuple[dict[str, Any], set[str]]:
    """A relation's columns, and what facts they rest on."""
    if name not in reckoned:
        view.tables = {"ruling"}
        reckoned[name] = _columns(name, view), view.tables
    return reckoned[name]


def _columns(name: str, view: View) -> dict[str, Any]:
    """The columns of a relation as arrays, named as the question of a rule binds them."""
    relation = RELATIONS[name]
    rows = list(relation.rows(view))
    columns = zip(*rows, strict=True) if rows else ([] for _ in relation.columns)
    return {
        f"{name}_{column}": list(cells)
        for column, cells in zip(relation.columns, columns, strict=True)
    }


def _query_text(rule: Rule, wanted: Wanted) -> str:
    relations = [
        f"{name} ({', '.join(columns)}) AS MATERIALIZED (SELECT * FROM unnest("
        + ", ".join(f"%({name}_{column})s::{kind}[]" for column, kind in columns.items())
        + "))"
        for name, columns in ((name, RELATIONS[name].columns) for name in rule.relations)
    ]
    prelude = "WITH " + ", ".join(relations) if relations else ""
    narrowed = [sql for name, sql in _ONLY.items() if getattr(wanted, name) is not None]
    asked = _QUESTION.replace("{rule}", rule.sql.strip().rstrip(";"))
    return prelude + asked.replace("{only}", " AND ".join(["true", *narrowed]))


_QUESTION: Final = """
SELECT f.subject::text, coalesce(f.amount_fen, 0)::bigint,
       greatest((SELECT max(e.recorded_at) FROM ledger.event e
                  WHERE e.position = ANY (f.positions)),
                (to_jsonb(f) ->> 'since')::date::timestamp AT TIME ZONE 'Asia/Shanghai'),
       f.positions::bigint[],
       ARRAY(SELECT c::bigint
               FROM jsonb_array_elements_text(coalesce(to_jsonb(f) -> 'context', '[]')) c),
       count(*) OVER ()::int, coalesce(sum(f.amount_fen) OVER (), 0)::bigint
  FROM ({rule}) f
 WHERE {only}
 ORDER BY f.amount_fen DESC NULLS LAST, f.subject::text COLLATE "C", f.positions::bigint[]
OFFSET %(offset)s LIMIT %(most)s
"""
_ONLY: Final = {
    "subject": "f.subject::text = %(subject)s",
    "bank": """EXISTS (
  SELECT FROM ledger.event e WHERE e.position = ANY (f.positions)
     AND (e.organisation = %(bank)s OR EXISTS (SELECT FROM facts.loan l
           WHERE l.loan_id = e.originator_id AND l.bank = %(bank)s)))""",
    "township": """EXISTS (
  SELECT FROM ledger.event e WHERE e.position = ANY (f.positions)
     AND (e.organisation = %(township)s OR EXISTS (SELECT FROM facts.household h
           WHERE h.township = %(township)s AND h.household_id IN
                 (SELECT e.originator_id UNION ALL SELECT l.household_id FROM facts.loan l
                   WHERE l.loan_id = e.originator_id))))""",
}


def as_table(found: list[Checked]) -> Table:
    """One line a finding."""
    return Table(
        FINDINGS,
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
