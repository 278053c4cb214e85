"""The queries of the red flags are laid out in one way, so that a change of one reads as such."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from support import controls
from support.county import conversation, drawn

from projections.facts.reading import View
from projections.red_flags import Rule, check, rules

KEYWORDS = {
    "all", "and", "as", "asc", "between", "by", "case", "cross", "desc", "distinct", "else", "end",
    "except", "exists", "filter", "from", "group", "having", "in", "inner", "is", "join", "lateral",
    "left", "limit", "materialized", "not", "null", "nulls", "on", "or", "order", "over",
    "partition", "recursive", "select", "then", "union", "using", "when", "where", "window", "with",
}  # fmt: skip
CLAUSES = re.compile(
    r"SELECT|FROM|WHERE|GROUP BY|HAVING|WINDOW|UNION( ALL)?|EXCEPT|LIMIT|OFFSET|ORDER BY"
    r"|((LEFT|CROSS|INNER) )?JOIN( LATERAL)?"
)
TOKENS = re.compile(rf"--[^\n]*|'[^']*'|\b({CLAUSES.pattern})\b|[\w.]+|%\(\w+\)s|[()\n]")


def clauses_within_a_line(query: str) -> Iterator[tuple[int, str]]:
    """Each clause that does not begin its line, by offset.

    Not meant: a query that its brackets close on the same line, the SELECT after a bracket, and
    the FROM of a SELECT that selects nothing.
    """
    scopes, before = [False], "\n"
    for token in TOKENS.finditer(query):
        word = token[0]
        if word == "(":
            rest = query[token.end() :].partition("\n")[0]
            scopes.append(_closes(rest))
        elif word == ")":
            scopes.pop()
        elif CLAUSES.fullmatch(word):
            beside = before == "DISTINCT" or (before == "SELECT" and word == "FROM")
            windowed = word == "ORDER BY" and before not in ("\n", "(")
            if not (scopes[-1] or beside or before in ("\n", "(")) and not (
                windowed and _in_a_window(query[: token.start()])
            ):
                yield token.start(), word
        before = word


def _closes(line: str) -> bool:
    depth = 1
    for mark in re.findall(r"[()]", re.sub(r"'[^']*'", "", line)):
        depth += 1 if mark == "(" else -1
        if not depth:
            return True
    return False


def _in_a_window(before: str) -> bool:
    """Whether the bracket that is open here holds no query: a window or an aggregate."""
    depth = 0
    for at in range(len(before) - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(before[at], 0)
        if depth < 0:
            return not before[at + 1 :].lstrip().startswith("SELECT")
    return False


@pytest.fixture(scope="module")
def view(shared_database: Any) -> Iterator[View]:
    with conversation(shared_database) as ledger:
        ledger.submit(controls.household(), controls.BUREAU)
    with drawn(shared_database) as facts, facts.at(date(2024, 1, 1)) as view:
        yield view


@pytest.mark.parametrize("rule", rules(), ids=[each.id for each in rules()])
def test_a_query_is_parsed_and_planned_on_the_real_schema(view: View, rule: Rule) -> None:
    assert check(view, rule).error is None


@pytest.mark.parametrize("rule", rules(), ids=[each.id for each in rules()])
def test_a_query_has_one_clause_a_line_and_its_keywords_in_capitals(rule: Rule) -> None:
    lines = rule.sql.splitlines()
    assert [line for line in lines if len(line) > 100 or line != line.rstrip()] == []
    assert rule.sql == rule.sql.strip() + "\n"
    words = [token[0] for token in TOKENS.finditer(rule.sql)]
    assert [word for word in words if word in KEYWORDS] == []
    assert [rule.sql[:at].count("\n") + 1 for at, _ in clauses_within_a_line(rule.sql)] == [], (
        "lines with a second clause"
    )
