"""Events as lines of a timeline (经过): when it happened, what, by whom, known since when, which.

The sentence of an event stands in the words of the pages under its topic: `timeline.loan.repaid`.
`{amount_fen}` in it is the event's field; what stands in brackets is left out when a field of it
says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache, lru_cache
from string import Formatter
from typing import Any, Final, NamedTuple

from domain.calendar import civil_day
from domain.household import CATEGORIES_ZH
from domain.money import percent, with_commas
from domain.policy import POLICY
from interface.console.frame import Visit
from interface.console.words import Words

_OPTIONAL: Final = re.compile(r"\[([^\]]*)\]")
_MONEY: Final = frozenset(
    {
        "loan.disbursed.v1", "loan.repaid.v1", "loan.subsidy-paid.v1", "loan.compensated.v1",
        "loan.subsidy-recovered.v1", "loan.subsidy-returned.v1", "loan.compensation-recovered.v1",
    }
)  # fmt: skip
_ORGANISATIONS: Final = ("asked", "bank", "guarantor", "rater", "township")


class Piece(NamedTuple):
    """A part of a sentence; `fen`: the amount that the text is, if it is one."""

    text: str
    fen: int | None = None


class Entry(NamedTuple):
    """One line. `late_days`: from the day it happened to the day it was recorded."""

    day: str
    said: tuple[Piece, ...]
    by: str
    document: str
    known_on: date | None = None
    late_days: int = 0
    is_late: bool = False
    shape: str = ""
    """`money`, `here` for the event that the page is about, `silence`; else ordinary."""
    position: int | None = None
    address: str = ""
    taken_back: str = ""
    """The address of the event that reversed this one."""
    takes_back: str = ""
    """The address of the event that this one reverses."""


def event_address(found: Visit, id: int | str) -> str:
    """The page of one event, by its id or its position in the log."""
    return found.to("events", id)


def entries(
    found: Visit,
    events: Iterable[Mapping[str, Any]],
    names: Mapping[str, str],
    *,
    here: int | None = None,
) -> list[Entry]:
    """Events, as `Happening.plain` gives them, by the day they happened.

    `names`: of organisations, by code. `here`: the position of the event the page is about.
    """
    made = [_entry(found, event, names, here) for event in events]
    return sorted(made, key=lambda entry: (entry.day, entry.position))


def silence(day: date, sentence: str) -> Entry:
    """A line for what was due and was not done."""
    return Entry(str(day), (Piece(sentence),), "", "", shape="silence")


def _entry(
    found: Visit, event: Mapping[str, Any], names: Mapping[str, str], here: int | None
) -> Entry:
    known_on = civil_day(event["recorded_at"])
    days = (known_on - date.fromisoformat(event["effective_on"])).days
    position = event["position"]
    money = event["event"] in _MONEY
    organisation = event["told_by"]["organisation"]
    corrected_by, corrects = event["corrected_by"], event["content"].get("corrects")
    aggregate = event["event_id"].rpartition(".")[0]
    return Entry(
        day=event["effective_on"],
        said=_sentence(found.words, event, names),
        by=names.get(organisation, organisation),
        document=event["ground"]["document"] or "",
        known_on=known_on,
        late_days=days,
        is_late=days > _ordinary_days(known_on),
        shape="here" if position == here else "money" if money else "",
        position=position,
        address=event_address(found, position),
        taken_back=event_address(found, corrected_by) if corrected_by else "",
        takes_back=event_address(found, f"{aggregate}.{corrects}") if corrects else "",
    )


@lru_cache(maxsize=4096)
def _ordinary_days(known_on: date) -> int:
    """Within how many days a report is no late one."""
    return POLICY.ruling("late_report_days", known_on, known_on).number


def _sentence(
    words: Words, event: Mapping[str, Any], names: Mapping[str, str]
) -> tuple[Piece, ...]:
    key = f"timeline.{event['event'].rpartition('.')[0]}"
    content = event["content"]
    if not words.has(key):
        return (Piece(event_name(words, event)),)
    pieces: list[Piece] = []
    for literal, name in _parts(words.pattern(key), frozenset(filled(content))):
        if literal:
            pieces.append(Piece(literal))
        if name is not None:
            pieces.append(_value(words, name, content.get(name), names))
    return tuple(pieces)


def filled(content: Mapping[str, Any]) -> list[str]:
    """The fields that say something; no penalty is not worth a word."""
    return [
        name
        for name, value in content.items()
        if value not in (None, "") and (name, value) != ("penalty_fen", 0)
    ]


@cache
def _parts(sentence: str, said: frozenset[str]) -> tuple[tuple[str, str | None], ...]:
    """A sentence in literals and fields, without the brackets of which a field says nothing."""

    def kept(bracket: re.Match[str]) -> str:
        return bracket[1] if fields_of(bracket[1]) <= said else ""

    return tuple(
        (literal, name) for literal, name, *_ in Formatter().parse(_OPTIONAL.sub(kept, sentence))
    )


def fields_of(sentence: str) -> set[str]:
    return {name for _, name, *_ in Formatter().parse(sentence) if name}


def event_name(words: Words, event: Mapping[str, Any]) -> str:
    """The event's name: its Chinese one, or the words of its topic."""
    if words.language == "zh":
        return str(event["event_zh"])
    aggregate, name, _ = event["event"].split(".")
    return f"{aggregate} {name}".replace("-", " ").capitalize()


def category_name(words: Words, code: str | None) -> str:
    """A household's category; a dash where there is none."""
    if words.language == "zh":
        return CATEGORIES_ZH.get(code or "", "—")
    return (code or "—").replace("_", " ")


def _value(words: Words, name: str, value: Any, names: Mapping[str, str]) -> Piece:
    if value is None:
        return Piece("—")
    if name.endswith("_fen"):
        return Piece(with_commas(value), value)
    if name.endswith("_bp"):
        return Piece(percent(value))
    if name == "category":
        return Piece(category_name(words, value))
    if name in _ORGANISATIONS:
        return Piece(names.get(value, str(value)))
    coded = (f"value.{name}.{value}", f"value.{value}")
    return Piece(next((words(key) for key in coded if words.has(key)), str(value)))
