"""Rulings in a table: what each said at the payment, and what it says at the page's dates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from domain.money import percent, with_commas
from interface.console.timeline import category_name
from interface.console.words import Words

_OF_THE_QUARTER = ("settlement_day", "settlement_months")
"""What made the quarter: cited by a payment, and by no calculation of it."""


class Rule(NamedTuple):
    """One row. `now` is empty where the same ruling is cited today."""

    key: str
    name: str
    then: str
    now: str
    differs: bool
    source: str
    since: str
    now_source: str
    now_since: str
    event_id: str


def rule_rows(
    words: Words, then: Iterable[Mapping[str, Any]], now: Iterable[Mapping[str, Any]] | None
) -> list[Rule]:
    """The rulings that a payment cites, beside those of today's calculation.

    `now` None: it is not known what is cited today.
    """
    cited: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for ruling in now or ():
        cited[ruling["name"]].append(ruling)
    rows = []
    for ruling in then:
        today = cited[ruling["name"]]
        same = next((each for each in today if each["version"] == ruling["version"]), None)
        if same is not None:
            today.remove(same)
        other = same or (today.pop(0) if today else None)
        rows.append(_row(words, ruling, other, now is not None))
    return rows


def _row(
    words: Words, ruling: Mapping[str, Any], today: Mapping[str, Any] | None, known: bool
) -> Rule:
    name, then = ruling["name"], ruling["value_then"]
    if today is None and name in _OF_THE_QUARTER:
        today = ruling
    said = ""
    if known and today is None:
        said = words("rule.not_cited")
    elif today is not None and today["version"] != ruling["version"]:
        said = value_of(words, name, today["value"])
    other = today if said and today is not None else {}
    return Rule(
        key=name,
        name=rule_name(words, name),
        then=value_of(words, name, then),
        now=said,
        differs=bool(said) and (today is None or today["value"] != then),
        source=ruling["source"],
        since=str(ruling["effective_from"]),
        now_source=other.get("source", ""),
        now_since=str(other.get("effective_from", "")),
        event_id=ruling.get("event_id") or "",
    )


def rule_name(words: Words, name: str) -> str:
    key = f"rule.{name}"
    return words(key) if words.has(key) else name


def value_of(words: Words, name: str, value: Any) -> str:
    """A ruling's value with its unit, in words."""
    if name == "subsidy_share" and value % 100 == 0:
        return f"{value // 100}%"
    if isinstance(value, list | tuple):
        said = [_coded(words, each) for each in value]
        joined = ("、" if words.language == "zh" else ", ").join(said)
        return _with_unit(words, name, joined)
    if name.endswith("_fen"):
        return f"{with_commas(value)} {words('frame.yuan')}"
    if name.endswith("_bp") or name.startswith("lpr_") or name == "subsidy_share":
        return percent(value)
    return _with_unit(words, name, str(value))


def _with_unit(words: Words, name: str, value: str) -> str:
    key = f"rule.unit.{name}"
    return f"{value} {words(key)}" if words.has(key) else value


def _coded(words: Words, code: Any) -> str:
    key = f"rule.code.{code}"
    if words.has(key):
        return words(key)
    return category_name(words, code) if isinstance(code, str) else str(code)
