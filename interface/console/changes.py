"""The knowledge diff (认知差异): why a ledger of a day says otherwise than it said before."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any, Final, Literal, NamedTuple

from fastapi import APIRouter, Depends, Query

from domain.calendar import SHANGHAI, civil_day
from domain.catalogue import EVENTS
from interface.console.amounts import signed
from interface.console.awaited import AwaitedRoute, answer_of
from interface.console.dates import exactly, in_china, read_instant
from interface.console.drawing.bars import Bar, bars
from interface.console.frame import Elsewhere, Visit, Wrong, visit
from interface.console.lists import ListPage, list_page
from interface.http.kept_answers import Block
from interface.http.permissions import scope_of
from interface.http.routes.ledgers import with_visible_causes
from projections.changes import AMOUNTS, changes
from projections.changes.by_cause import CAUSES, by_cause
from projections.changes.columns import BY_CAUSE, Which
from projections.facts.reading import Table, View

router = APIRouter(route_class=AwaitedRoute, include_in_schema=False)
Visiting = Annotated[Visit, Depends(visit)]
_Instant = Annotated[str | None, Query(max_length=40)]
_MONTH: Final = timedelta(days=31)
_TAGS: Final = {"late": "late", "unexplained": "wrong", "hidden": "none"}


def _to_line(found: Visit, line: Mapping[str, Any]) -> str | None:
    if line["payment_no"]:
        return found.to("subsidy-payments", line["payment_no"])
    return _to_loan(found, line)


def _to_loan(found: Visit, line: Mapping[str, Any]) -> str | None:
    return found.to("loans", line["bank"], line["loan_no"])


def _to_event(found: Visit, line: Mapping[str, Any]) -> str | None:
    return found.to("events", line["position"]) if line["position"] else None


def _event_names(found: Visit) -> Mapping[str, Mapping[Any, str]]:
    return {"event": {topic: event_name(found, topic) for topic in EVENTS}}


def event_name(found: Visit, topic: str) -> str:
    """What an event is called: in English the words of its topic."""
    if found.words.language == "zh":
        return EVENTS[topic].ZH
    aggregate, name, _ = topic.split(".")
    return f"{aggregate} {name}".replace("-", " ").capitalize()


LIST: Final = ListPage(
    name="changes",
    query="/changes",
    columns=BY_CAUSE,
    key=("ledger_line", "bank", "amount_of", "position", "cause"),
    shown=(
        "cause", "ledger_line", "amount_of", "before_fen", "after_fen", "difference_fen",
        "amount_fen", "event", "organisation", "effective_on", "recorded_at", "late_days",
        "position",
    ),
    facets=("cause", "amount_of", "organisation", "bank", "event"),
    filters=("loan_no",),
    leads={
        "ledger_line": _to_line,
        "loan_no": _to_loan,
        "event": _to_event,
        "position": _to_event,
        "amount_fen": _to_event,
        "before_fen": _to_line,
        "after_fen": _to_line,
        "difference_fen": _to_line,
    },
    tags=lambda line, key: _TAGS.get(line["cause"]) if key == "cause" else None,
    codes=_event_names,
    summed=(),
    own=("known_from", "ledger"),
    template="changes.html",
)  # fmt: skip


class Kept(NamedTuple):
    """What is kept of a comparison: its lines by cause, and the sums of all differences."""

    table: Table
    difference: Mapping[str, int]
    unexplained: Mapping[str, int]
    """By column, what no event accounts for."""
    changed: int
    """How many lines of the ledger differ."""


class Compared(NamedTuple):
    """What a page compares: a ledger at two instants of knowledge."""

    ledger: Which
    known_from: datetime
    block: Block


def _compared(found: Visit, ledger: Which, known_from: str | None) -> Compared:
    """Raises Elsewhere for the exact address, Wrong 400, NotReady."""
    begin = _begin(found, known_from)

    def question(view: View) -> Kept:
        scope = scope_of(found.author, "/changes")
        whole = changes(view, ledger, begin, scope=scope)
        seen = with_visible_causes(view, found.author, whole)
        table = by_cause(view, ledger, whole, seen)
        difference: Counter[str] = Counter(dict.fromkeys(AMOUNTS[ledger], 0))
        missing: Counter[str] = Counter()
        for change in whole:
            difference.update(change.difference)
        for line in table.dicts():
            if line["cause"] == "unexplained":
                missing[line["amount_of"]] += abs(line["amount_fen"])
        return Kept(table, dict(difference), dict(missing), len(whole))

    heading = found.words("changes.title")
    return Compared(ledger, begin, answer_of(found, heading, ("changes", ledger, begin), question))


def _begin(found: Visit, known_from: str | None) -> datetime:
    """The first instant; the route's `known_to` is the bar's `known_at`.

    Without one it is the end of the day shown, at the latest of a day a month ago.
    """
    now = found.service.clock()
    end = found.known_at or now
    if known_from is None:
        day = min(found.as_of, civil_day(end) - _MONTH)
        begin = datetime.combine(day + timedelta(days=1), time(), SHANGHAI)
        begin = (begin - timedelta(microseconds=1)).astimezone(UTC)
        raise Elsewhere(found.address(known_from=exactly(begin)))
    instant = read_instant(known_from, now)
    if instant is None:
        raise Wrong(400, "error.instant", field="known_from", value=known_from)
    if exactly(instant) != known_from:
        raise Elsewhere(found.address(known_from=exactly(instant)))
    return instant


class CauseRow(NamedTuple):
    """A cause in the head's table: how many lines, and by kind of amount what they come to."""

    cause: str
    lines: int
    href: str
    amounts: list[tuple[int, str]]


class ReporterRow(NamedTuple):
    """An organisation: how many lines its reports changed, by how much, and a bar."""

    code: str
    lines: int
    amount_fen: int
    href: str
    bar: Bar


def _head(
    found: Visit,
    view: View,
    listed: Any,
    known_from: _Instant = None,
    ledger: Which = "loans",
) -> Mapping[str, Any]:
    """What stands above the list: the difference, its causes, and who reported them."""
    del view, listed
    compared = _compared(found, ledger, known_from)
    kept: Kept = compared.block.value
    lines = list(kept.table.dicts())
    kinds = list(AMOUNTS[ledger].values())
    return {
        "block": compared.block,
        "ledger": ledger,
        "other": found.address(ledger="subsidies" if ledger == "loans" else None, cursor=None),
        "known_from": in_china(compared.known_from),
        "difference": [(kind, kept.difference[column]) for column, kind in AMOUNTS[ledger].items()],
        "unexplained_fen": sum(kept.unexplained.values()),
        "unexplained": found.address(cause="unexplained", cursor=None),
        "changed": kept.changed,
        "kinds": kinds,
        "causes": _causes(found, lines, kinds),
        "measure": kinds[-1] if ledger == "subsidies" else kinds[0],
        "silent": len({line["organisation"] for line in lines if line["organisation"]}),
        "reporters": _reporters(found, lines, kinds[-1] if ledger == "subsidies" else kinds[0]),
        "all": found.address(cause=None, organisation=None, amount_of=None, cursor=None),
        "replay": found.address("/programme/replay")
        if found.allowed("/programme/replay")
        else None,
        "signed": signed,
    }


def _causes(
    found: Visit, lines: Sequence[Mapping[str, Any]], kinds: Sequence[str]
) -> list[CauseRow]:
    counts = Counter(line["cause"] for line in lines)
    amounts: Counter[tuple[str, str]] = Counter()
    for line in lines:
        amounts[line["cause"], line["amount_of"]] += line["amount_fen"] or 0
    return [
        CauseRow(
            cause,
            counts[cause],
            found.address(cause=cause, amount_of=None, cursor=None),
            [
                (amounts[cause, kind], found.address(cause=cause, amount_of=kind, cursor=None))
                for kind in kinds
            ],
        )
        for cause in CAUSES
        if counts[cause]
    ]


def _reporters(found: Visit, lines: Sequence[Mapping[str, Any]], measure: str) -> list[ReporterRow]:
    """By who reported it, the largest difference first; without those of no amount, if one has."""
    amounts: dict[str, int] = defaultdict(int)
    counts: Counter[str] = Counter()
    for line in lines:
        if line["organisation"] is not None:
            counts[line["organisation"]] += 1
            if line["amount_of"] == measure:
                amounts[line["organisation"]] += line["amount_fen"]
    codes = sorted(counts, key=lambda code: (-abs(amounts[code]), -counts[code], code))
    codes = [code for code in codes if amounts[code]] or codes
    drawn = bars([amounts[code] for code in codes])
    return [
        ReporterRow(
            code,
            counts[code],
            amounts[code],
            found.address(organisation=code, cursor=None),
            bar,
        )
        for code, bar in zip(codes, drawn, strict=True)
    ]


def _more(found: Visit, view: View, listed: Any, **also: Any) -> Mapping[str, Any]:
    names = {o.code: o.name for o in found.service.people.organisations()}
    return {**_head(found, view, listed, **also), "names": names}


@list_page(router, "/changes", LIST, _more)
def lines(
    found: Visit,
    view: View,
    known_from: _Instant = None,
    ledger: Literal["loans", "subsidies"] = "loans",
) -> Table:
    """What changed between `known_from` and the bar's `known_at` in the ledger of the day shown."""
    del view  # the comparison takes longer than a page may: it is made beside it and kept
    kept: Kept = _compared(found, ledger, known_from).block.value
    return kept.table
