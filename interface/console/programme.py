"""The programme (政策): what rules on a day and through time, a replay, the plan's check."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Depends, Query, Response
from starlette.concurrency import run_in_threadpool

from domain.calendar import civil_day
from domain.money import percent, with_commas, yuan
from domain.plan_check import plan_check
from domain.policy import Ruling, table_names
from domain.roles import Role
from interface.console.amounts import signed
from interface.console.awaited import AwaitedRoute, ready
from interface.console.dates import exactly, in_china, read_instant
from interface.console.drawing.bands import WIDTH, Bands, bands
from interface.console.frame import Elsewhere, Visit, Wrong, assure_allowed, page, visit
from interface.console.list_query import hundredths
from interface.console.words import Words
from interface.http.query_params import Code, Quarter, SeenDay, narrowed, view_of
from interface.http.routes.programme import Supposition, in_force
from projections.facts.reading import COUNTY, View

router = APIRouter(route_class=AwaitedRoute, include_in_schema=False)
Visiting = Annotated[Visit, Depends(visit)]
_DAY = timedelta(days=1)


# ---- what rules -----------------------------------------------------------------------


class RuleRow(NamedTuple):
    """A rule as it rules on the day; `event`: where the ruling stands in the log, if it does."""

    name: str
    title: str
    value: str
    source: str
    effective_from: str
    known_from: str
    is_backdated: bool
    replay: str | None
    values: int
    """How many values it has had."""


class History(NamedTuple):
    """All values of a rule that were known, the oldest first, and their bands."""

    name: str
    title: str
    bands: Bands
    values: list[Mapping[str, Any]]


@router.get("/programme/rulings")
async def rulings(found: Visiting) -> Response:
    assure_allowed(found, "/programme/rulings")

    def read() -> tuple[list[RuleRow], list[History], bool]:
        with view_of(found.service, found.as_of, found.known_at, None) as view:
            known = {name: _known(view, name) for name in table_names()}
            rows = [_row(found, line, len(known[line["name"]])) for line in in_force(view)]
            histories = [
                _history(found, name, told)
                for name, told in known.items()
                if len(told) > 1 and not name.startswith("flag_")
            ]
            return rows, histories, view.is_empty

    rows, histories, _ = await run_in_threadpool(read)
    return await page(
        found,
        "rulings.html",
        rows=[row for row in rows if not row.name.startswith("flag_")],
        thresholds=[row for row in rows if row.name.startswith("flag_")],
        histories=histories,
        width=WIDTH,
        wider=found.address("/programme/rulings", as_of=None),
    )


def _known(view: View, name: str) -> list[Ruling]:
    return [r for r in view.book.table(name).rulings if r.known_from <= view.known_on]


def _row(found: Visit, line: Mapping[str, Any], values: int) -> RuleRow:
    name = line["name"]
    replay = None
    if found.allowed("/programme/replay") and not name.startswith("flag_"):
        replay = found.address("/programme/replay", rule=name)
    return RuleRow(
        name,
        title_of(found.words, name),
        in_words(found.words, line["value"], line["unit"]),
        line["source"],
        line["effective_from"],
        line["known_from"],
        line["known_from"] > line["effective_from"],
        replay,
        values,
    )


def title_of(words: Words, name: str) -> str:
    key = f"ruling.{name}"
    return words(key) if words.has(key) else name


def in_words(words: Words, value: Any, unit: str) -> str:
    """A value with its unit: fen as yuan, basis points as a percentage, codes by name."""
    if isinstance(value, (list, tuple)):
        return words("programme.joint").join(_code(words, unit, each) for each in value)
    if unit.startswith("fen"):
        return words("programme.yuan", amount=with_commas(value))
    if unit.startswith("basis points"):
        return percent(value)
    if unit == "1 or 0":
        return words("list.yes" if value else "list.no")
    key = f"programme.unit_{unit.partition(',')[0].replace(' ', '_')}"
    return words(key, count=value) if words.has(key) else str(value)


def _code(words: Words, unit: str, code: Any) -> str:
    """A code's name; the same code may be another thing in another unit: a bank that is paid."""
    for key in (f"programme.{unit.replace(' ', '_')}_{code}", f"programme.code_{code}"):
        if words.has(key):
            return words(key)
    return str(code)


def _history(found: Visit, name: str, known: Sequence[Ruling]) -> History:
    """A lane a value; it ends on the day before a later word rules from."""
    ordered = sorted(known, key=lambda r: (r.effective_from, r.known_from))
    spans = [(ruling.effective_from, ruling.known_from, _end(ruling, known)) for ruling in ordered]
    until = max(found.as_of, civil_day(found.service.clock())) + _DAY
    return History(
        name,
        title_of(found.words, name),
        bands(spans, until),
        [
            {
                "value": in_words(found.words, r.to_dict()["value"], r.unit),
                "from": r.effective_from,
                "end": end and end - _DAY,
                "known": r.known_from,
                "source": r.source,
                "replaced": end is not None and end <= r.effective_from,
            }
            for r, (_, _, end) in zip(ordered, spans, strict=True)
        ],
    )


def _end(ruling: Ruling, known: Sequence[Ruling]) -> date | None:
    """From which day a later word rules instead: one in its place ends it on its first day."""
    place = known.index(ruling)
    later = [r.effective_from for r in known[place + 1 :]]
    return min((max(day, ruling.effective_from) for day in later), default=None)


# ---- the replay -----------------------------------------------------------------------


@router.get("/programme/replay")
async def replay(
    found: Visiting,
    period: Quarter | None = None,
    rules_known_at: Annotated[str | None, Query(max_length=40)] = None,
    rule: Annotated[str | None, Query(max_length=64)] = None,
    value: Annotated[int | None, Query(ge=0, le=10**15)] = None,
    typed: Annotated[str | None, Query(max_length=40)] = None,
    words: Annotated[str | None, Query(max_length=400)] = None,
    rules_from: SeenDay | None = None,
    township: Code = None,
    bank: Code = None,
) -> Response:
    """What a quarter would be due by other rules. Without a quarter the form alone.

    `value` is in the rule's own unit, as the route has it; `typed` is what the form sends, in yuan
    or percent, and is turned into `value` by a redirect.
    """
    assure_allowed(found, "/programme/replay")
    names, units = await run_in_threadpool(_choices, found)
    unit_of = {name: unit for name, _, unit in units}
    if typed is not None:
        raise Elsewhere(found.address(typed=None, value=_typed(typed, unit_of.get(rule or ""))))
    known = _instant_of(found, rules_known_at)
    supposed = Supposition(period or "", known, rule, value, words, rules_from)
    lines = block = None
    if period is not None:

        def question(view: View) -> list[dict[str, Any]]:
            table = supposed.replayed(view, narrowed(view, COUNTY, bank, township))
            return list(table.dicts())

        heading = found.words("programme.replay_title")
        block = await ready(found, heading, ("replay", supposed, township, bank), question)
        lines = block.value
    return await page(
        found,
        "replay.html",
        block=block,
        given={
            "period": period, "rule": rule, "words": words,
            "value": value if value is None else in_words(found.words, value, unit_of[rule])
            if rule in unit_of else str(value),
            "typed": "" if value is None else _in_field(value, unit_of.get(rule or "", "")),
            "rules_from": rules_from, "township": township, "bank": bank,
            "rules_known_at": in_china(known) if known else None,
        },
        rules=[(name, title, _unit_typed(found.words, unit)) for name, title, unit in units],
        title_of=lambda name: title_of(found.words, name),
        lines=lines,
        sums=_sums(lines or ()),
        by_bank=_by(found, lines or (), "bank", names),
        by_township=_by(found, lines or (), "township", names),
        names=names,
        signed=signed,
        settlement=found.address("/settlement", period=period),
    )  # fmt: skip


def _is_hundredths(unit: str) -> bool:
    return unit.startswith(("fen", "basis points"))


def _typed(text: str, unit: str | None) -> int:
    """A value as a person types it, in the rule's own unit. Raises Wrong 400."""
    value = hundredths(text.replace("%", ""))
    if value is not None and not (unit is not None and _is_hundredths(unit)):
        value, rest = divmod(value, 100)
        value = None if rest else value
    if value is None:
        raise Wrong(400, "programme.not_a_value", value=text)
    return value


def _in_field(value: int, unit: str) -> str:
    """A value as its field shows it: yuan, percent, or a whole number."""
    return yuan(value) if _is_hundredths(unit) else str(value)


def _unit_typed(words: Words, unit: str) -> str:
    """In what a value of this unit is typed; empty for a whole number or a code."""
    if unit.startswith("fen"):
        return words("frame.yuan")
    return "%" if unit.startswith("basis points") else ""


def _instant_of(found: Visit, text: str | None) -> Any:
    """Raises Wrong 400; Elsewhere for the exact address."""
    if text is None:
        return None
    instant = read_instant(text, found.service.clock())
    if instant is None:
        raise Wrong(400, "error.instant", field="rules_known_at", value=text)
    if exactly(instant) != text:
        raise Elsewhere(found.address(rules_known_at=exactly(instant)))
    return instant


def _choices(found: Visit) -> tuple[dict[str, str], list[tuple[str, str, str]]]:
    """Names of banks and townships; of each rule that can be supposed name, title and unit."""
    told = found.service.people.organisations()
    names = {each.code: each.name for each in told if each.role in (Role.BANK, Role.TOWNSHIP)}
    with view_of(found.service, found.as_of, found.known_at, None) as view:
        rules = [
            (name, title_of(found.words, name), view.book.table(name).unit)
            for name in table_names()
            if not name.startswith(("flag_", "target_"))
        ]
    return names, rules


_AMOUNTS = ("due_fen", "replayed_fen", "difference_fen")


def _sums(lines: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    told = list(lines)
    return {key: sum(line[key] for line in told) for key in ("lines_moved", *_AMOUNTS)}


def _by(
    found: Visit, lines: Iterable[Mapping[str, Any]], key: str, names: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The lines added up by bank or township; each leads to itself alone."""
    told = list(lines)
    return [
        {
            "code": code,
            "name": names.get(code, ""),
            "href": found.address(**{key: code}) if code else None,
            **_sums(line for line in told if (line[key] or "") == code),
        }
        for code in sorted({line[key] or "" for line in told})
    ]


# ---- the plan's own check -------------------------------------------------------------


@router.get("/reports/plan-check")
async def check_of_plan(
    found: Visiting, year: Annotated[int, Query(ge=2014, le=2100)] | None = None
) -> Response:
    """What contradicts itself in the plan of a year; without one, of the year of the day shown."""
    assure_allowed(found, "/reports/plan-check")
    asked = year or found.as_of.year

    def read() -> Any:
        with view_of(found.service, found.as_of, found.known_at, None) as view:
            return plan_check(asked, view.known_on, view.book)

    contradictions = await run_in_threadpool(read)
    return await page(
        found,
        "plan_check.html",
        year=asked,
        earlier=found.address(year=asked - 1),
        later=found.address(year=asked + 1),
        known=contradictions is not None,
        contradictions=[
            {
                "said": each.zh if found.words.language == "zh" else each.en,
                "code": each.code,
                "value": in_words(found.words, each.value, _unit(each.unit)),
                "limit": in_words(found.words, each.limit, _unit(each.unit)),
                "excess_fen": each.excess_fen,
                "rulings": [
                    ruling
                    | {
                        "title": title_of(found.words, str(ruling["name"])),
                        "text": in_words(found.words, ruling["value"], str(ruling["unit"])),
                    }
                    for ruling in each.rulings
                ],
            }
            for each in contradictions or ()
        ],
        rulings=found.address("/programme/rulings", as_of=f"{asked}-12-31"),
    )


def _unit(unit: str) -> str:
    return {"bp": "basis points"}.get(unit, unit)
