"""A list at two moments: its lines then and now, each amount with its difference (对比).

Both sides are the list's own query, with the same filters; nothing is found out anew. A line is
what the list's key says it is; one of a single moment says so, and counts as nothing at the other.
A column that differs in no line stands once, behind those that differ: these stand then and now, an
amount with its difference, which is now less then. Lines in which no column shown differs are left
out and counted, unless the address asks for them; the sums are of all lines.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any, Final, Literal, NamedTuple

from fastapi import Depends, Query

from domain.calendar import civil_day
from interface.console.dates import NOW, exactly, in_china, read_day, read_instant
from interface.console.empty_list import Empty
from interface.console.frame import Elsewhere, Visit, Wrong, visit
from interface.console.list_query import Asked
from interface.console.list_rows import InMemory, Row
from interface.console.list_view import Compared, Lead, Listed, Shown, part_key, part_of
from interface.console.moments import Moment
from interface.console.words import Words
from interface.http.query_params import view_of
from projections.columns import Column, Columns, keys, text
from projections.facts.reading import Table, View

MOMENT: Final = "moment"
"""The column that says of which moment a line is: then, now, or nothing for both."""
Pair = tuple[Row | None, Row | None]
"""A line then and now; None where there is none."""


class Comparison(NamedTuple):
    """The moment that a page is compared with, and whether lines that are equal are shown."""

    moment: Moment
    equal_shown: bool


async def comparison(
    found: Annotated[Visit, Depends(visit)],
    vs_as_of: Annotated[str | None, Query(max_length=40)] = None,
    vs_known_at: Annotated[str | None, Query(max_length=40)] = None,
    vs_equal: Literal["shown"] | None = None,
) -> Comparison | None:
    """What the address compares a page with. Raises Wrong 400, which names the date; Elsewhere."""
    if not (vs_as_of or vs_known_at):
        if vs_equal:
            raise Elsewhere(found.address(vs_equal=None))
        return None
    now = found.service.clock()
    day = read_day(vs_as_of, civil_day(now)) if vs_as_of else found.as_of
    if day is None:
        raise Wrong(400, "error.day", field="vs_as_of", value=vs_as_of)
    instant = _instant(found, vs_known_at, now) if vs_known_at else found.known_at
    said = {
        "vs_as_of": str(day) if vs_as_of else None,
        "vs_known_at": exactly(instant) if vs_known_at and instant else None,
    }
    if (vs_as_of, vs_known_at) != (said["vs_as_of"], said["vs_known_at"]):
        raise Elsewhere(found.address(**said))
    return Comparison(Moment(day, instant), vs_equal is not None)


def _instant(found: Visit, text: str, now: datetime) -> datetime:
    """An instant as it is typed; all that is known now is said by the instant of now."""
    if text.strip() in NOW:
        return found.service.facts.recorded_through()
    instant = read_instant(text, now)
    if instant is None:
        raise Wrong(400, "error.instant", field="vs_known_at", value=text)
    return instant


Comparing = Annotated[Comparison | None, Depends(comparison)]


class Views(NamedTuple):
    """One snapshot of the facts at two moments; `whole`: all that is known at either."""

    then: View
    now: View
    whole: View

    def is_final(self, other: Moment) -> bool:
        """Whether nothing told later can change what was known at the other moment."""
        return other.known_at is None or self.then.known_at == other.known_at


@contextmanager
def views_of(found: Visit, other: Moment) -> Iterator[Views]:
    """Both views, of one snapshot. Raises NotDrawnYet."""
    known = (found.known_at, other.known_at)
    latest = None if None in known else max(each for each in known if each)
    day = max(found.as_of, other.as_of)
    with view_of(found.service, day, latest, None) as whole:
        then = whole.at(other.as_of, other.known_at or whole.known_at)
        now = whole.at(found.as_of, found.known_at or whole.known_at)
        yield Views(then, now, whole)


# ---- the lines of both moments ----------------------------------------------------------


def paired(
    columns: Columns, key: Sequence[str], then: Sequence[Row], now: Sequence[Row]
) -> list[Pair]:
    """Lines by their key. Both come in the same order, and so do they here."""
    places = [keys(columns).index(each) for each in key]
    before, after = _by_key(then, places), _by_key(now, places)
    pairs: list[Pair] = []
    ahead = iter(after)
    done: set[Any] = set()
    for name, row in before.items():
        if name not in after:
            pairs.append((row, None))
            continue
        while name not in done:
            passed = next(ahead)
            done.add(passed)
            pairs.append((before.get(passed), after[passed]))
    return pairs + [(before.get(name), after[name]) for name in ahead]


class Both(NamedTuple):
    """The lines of both moments in order, and what all of them come to.

    `left_out`: how many lines, the same in everything, are not in `pairs`. `sums`: by column, then
    and now.
    """

    columns: Columns
    pairs: list[Pair]
    left_out: int
    sums: Mapping[str, tuple[int, int]]


def both_of(
    columns: Columns, pairs: list[Pair], amounts: Sequence[str], *, equal_kept: bool
) -> Both:
    sums = {}
    for key in amounts:
        place = keys(columns).index(key)
        then = sum(_at(row, place) for row, _ in pairs)
        sums[key] = (then, sum(_at(row, place) for _, row in pairs))
    kept = pairs if equal_kept else [pair for pair in pairs if pair[0] != pair[1]]
    return Both(columns, kept, len(pairs) - len(kept), sums)


def _by_key(rows: Sequence[Row], places: Sequence[int]) -> dict[Any, Row]:
    """Lines by the values that tell them apart, and by their number among equal ones."""
    seen: Counter[Any] = Counter()
    found: dict[Any, Row] = {}
    for row in rows:
        name = tuple(str(row[place]) for place in places)
        found[name, seen[name]] = row
        seen[name] += 1
    return found


# ---- the compared list ------------------------------------------------------------------


class ComparedList:
    """A list as it is declared, with the columns that it has when it is compared.

    `amounts`: keys of columns whose difference is given; `other`: the moment of what is then.
    """

    def __init__(self, made: Shown, amounts: Sequence[str], other: Moment) -> None:
        self.name, self.key, self.sort, self.own = made.name, made.key, made.sort, made.own
        self.facets, self.filters, self.ranges = made.facets, made.filters, made.ranges
        self.shown, self.codes = made.shown, made.codes
        self._made, self._other, self.amounts = made, other, tuple(amounts)
        self._base = {part_key(column.key, "then"): column for column in made.columns}
        self.differences = frozenset(part_key(key, "difference") for key in amounts)
        self.columns: Columns = (
            *(part for column in made.columns for part in self.parts(column)),
            text(MOMENT, Words("zh")("list.moment"), Words("en")("list.moment")),
        )
        self.heads = {each.key: part_of(each, made.name, "now", each.key) for each in made.columns}
        self.unsorted = made.unsorted | {part_key(key, "then") for key in made.unsorted}

    def parts(self, column: Column) -> tuple[Column, ...]:
        """A column then and now, an amount with its difference."""
        then = part_of(column, self.name, "then", part_key(column.key, "then"))
        if column.key not in self.amounts:
            return then, column
        key = part_key(column.key, "difference")
        return then, column, part_of(column, self.name, "difference", key)

    def part_keys(self, key: str) -> tuple[str, ...]:
        then, difference = part_key(key, "then"), part_key(key, "difference")
        return (then, key, difference) if key in self.amounts else (then, key)

    def is_amount(self, key: str) -> bool:
        return key in self.amounts

    def base(self, column: Column) -> Column:
        """What names the values of a column: those of then are named as those of now."""
        return self._base.get(column.key, column)

    def as_file(self, table: Table) -> Table:
        """A table whose columns say of which moment they are, where they stand apart."""
        apart = {key for key in self.heads if part_key(key, "then") in table.keys}
        named = tuple(self.heads[each.key] if each.key in apart else each for each in table.columns)
        return Table(named, table.rows)

    @property
    def leads(self) -> Mapping[str, Lead]:
        """What was then leads to what it rests on at that moment; a line of then alone, too."""
        leads: dict[str, Lead] = {}
        for key, lead in self._made.leads.items():
            then, *now = self.part_keys(key)
            leads[then] = self._leading(lead, always=True)
            leads |= dict.fromkeys(now, self._leading(lead, always=False))
        return leads

    def _leading(self, lead: Lead, *, always: bool) -> Lead:
        def leads(found: Visit, line: Mapping[str, Any]) -> str | None:
            back = always or line[MOMENT] == "then"
            return lead(found._replace(elsewhen=self._other) if back else found, line)

        return leads

    def tags(self, line: Mapping[str, Any], key: str) -> str | None:
        if key == MOMENT:
            return {"then": "none", "now": "pending"}.get(line[key])
        if self._made.tags is None:
            return None
        base = self._base.get(key)
        if base is None:
            return self._made.tags(line, key)
        return self._made.tags({**line, base.key: line[key]}, base.key)


class ComparedLines(InMemory):
    """`Selection` of a compared list: the lines that differ, or all of them; the sums are of all.

    `both`: with all lines where equal ones are shown. `cols`: the columns to be shown, parts of
    those that were asked for.
    """

    def __init__(self, made: ComparedList, both: Both, asked: Asked, equal_shown: bool) -> None:
        columns, pairs = both.columns, both.pairs
        self._of = made
        self._place = {name: place for place, name in enumerate(keys(columns))}
        differing = [pair for pair in pairs if self._differs(pair, asked.cols)]
        self.differing_lines = len(differing)
        self.equal_lines = both.left_out + len(pairs) - len(differing)
        self.one_sided = {
            side: sum(1 for pair in differing if _side(pair) == side) for side in ("then", "now")
        }
        self.cols = self._shown(asked.cols, differing)
        chosen = pairs if equal_shown else differing
        parts = tuple(part for column in columns for part in made.parts(column))
        table = Table((*parts, made.columns[-1]), [self._line(columns, each) for each in chosen])
        free = asked._replace(equal={}, ranges={})  # both sides are chosen already
        super().__init__(table, free, made.key, made.facets, ())
        self.sums = {
            part: value
            for each, (then, now) in both.sums.items()
            for part, value in zip(made.part_keys(each), (then, now, now - then), strict=True)
        }

    def _differs(self, pair: Pair, cols: Sequence[str]) -> bool:
        then, now = pair
        if then is None or now is None:
            return True
        if then == now:
            return False
        places = (self._place[key] for key in cols if key in self._place)
        return any(then[place] != now[place] for place in places)

    def _shown(self, cols: Sequence[str], pairs: Sequence[Pair]) -> tuple[str, ...]:
        """The first, of which moment a line is, those that differ in their parts, and the rest."""
        apart = [key for key in cols if self._is_apart(key, pairs)]
        amounts = [key for key in apart if self._of.is_amount(key)]
        others = [key for key in apart if key not in amounts]
        parts = [part for key in amounts + others for part in self._of.part_keys(key)]
        side = [MOMENT] if any(_side(pair) for pair in pairs) else []
        same = [key for key in cols if key not in apart]
        first = [key for key in cols[:1] if key in same]
        return (*first, *side, *parts, *same[len(first) :])

    def _is_apart(self, key: str, pairs: Sequence[Pair]) -> bool:
        place = self._place.get(key)
        if place is None:
            return False
        if self._of.is_amount(key):
            return any(_at(then, place) != _at(now, place) for then, now in pairs)
        return any(then and now and then[place] != now[place] for then, now in pairs)

    def _line(self, columns: Columns, pair: Pair) -> Row:
        then, now = pair
        some = now or then or ()
        values: list[Any] = []
        for place, column in enumerate(columns):
            amount = self._of.is_amount(column.key)
            before = then[place] if then else None
            after = now[place] if now else None
            alone = part_key(column.key, "then") not in self.cols
            values += [before, some[place] if alone or not amount else after]
            if amount:
                values.append(_difference(before, after))
        return (*values, _side(pair))


def _side(pair: Pair) -> str | None:
    """The only moment of a line; None where it is of both."""
    return "now" if pair[0] is None else "then" if pair[1] is None else None


def _at(row: Row | None, place: int) -> int:
    return (row[place] or 0) if row else 0


def _difference(then: int | None, now: int | None) -> int | None:
    """Now less then; what is absent counts as nothing, and where both are there is none."""
    return None if then is None and now is None else (now or 0) - (then or 0)


# ---- what is said about it --------------------------------------------------------------


def moments_said(words: Words, views: Views) -> str:
    """Both moments in one line."""
    return words(
        "list.moments",
        then=_said(words, views.then),
        now=_said(words, views.now),
    )


def _said(words: Words, view: View) -> str:
    return words("list.moment_said", as_of=view.as_of, known=in_china(view.known_at))


def with_comparison(
    found: Visit, seen: Listed, views: Views, lines: ComparedLines, other: Comparison
) -> Listed:
    """The page of a compared list, with what it says of the comparison."""
    words, equal = found.words, lines.equal_lines
    said = Compared(
        moments=moments_said(words, views),
        differing=lines.differing_lines,
        one_sided=lines.one_sided,
        equal=equal,
        equal_shown=other.equal_shown,
        equal_address=found.address(vs_equal=None if other.equal_shown else "shown", cursor=None),
    )
    empty = seen.empty
    if equal and not seen.rows:
        empty = Empty(words("list.no_difference"), said.equal_address, words("list.show_equal"))
    answer = seen.answer if views.is_final(other.moment) else None
    return seen._replace(compared=said, empty=empty, answer=answer)
