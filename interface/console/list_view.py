"""A page of a list as its template shows it: heads, cells, sums, facets, fields and words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol

from domain.household import CATEGORIES_ZH
from domain.money import percent, with_commas
from domain.roles import Role
from interface.console.amounts import signed
from interface.console.dates import in_china
from interface.console.empty_list import Empty, empty_list
from interface.console.frame import Visit
from interface.console.list_query import (
    Asked,
    Bounds,
    Declared,
    by_key,
    in_address,
    said,
    sortable,
    typed,
    typed_names,
)
from interface.console.list_rows import Selection
from interface.console.pinned import OF_PAPER, Answer, answer_of
from interface.console.words import LANGUAGES, Words
from projections.columns import Column
from projections.facts.reading import Table, View

_NUMBERS: Final = ("fen", "bp", "integer")
_NAMING: Final = ("number", "year")
"""Units of whole numbers that name something and count nothing."""
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_OF_DIGEST: Final = 16
_UNIT: Final = re.compile(r" ?\([^()]*\)$")
_AS_LINKS: Final = 8
"""A facet of more values is a field to choose from."""
_LONG: Final = 24
"""Width from which a cell may break."""
_ORGANISATIONS: Final = (
    "bank", "guarantor", "organisation", "noted_by", "office", "responsible", "rater",
)  # fmt: skip
Codes = Mapping[str, Mapping[Any, str]]
Lead = Callable[[Visit, Mapping[str, Any]], str | None]


class Shown(Declared, Protocol):
    """What of a list decides how it looks, and what tells its lines apart."""

    @property
    def key(self) -> tuple[str, ...]: ...
    @property
    def leads(self) -> Mapping[str, Lead]: ...
    @property
    def tags(self) -> Callable[[Mapping[str, Any], str], str | None] | None: ...
    @property
    def codes(self) -> Callable[[Visit], Codes] | None: ...
    @property
    def own(self) -> tuple[str, ...]: ...
    @property
    def heads(self) -> Mapping[str, Column]:
        """By key: a column that stands apart, as its head names it."""

    @property
    def differences(self) -> frozenset[str]:
        """Keys of columns of differences, which have a sign."""

    def base(self, column: Column) -> Column:
        """The column whose names the values of a column have."""


class Head(NamedTuple):
    """A column's head; `href` sorts by it, `order` is how the lines stand by it now."""

    title: str
    number: bool
    href: str | None
    order: str | None
    """ascending, descending, or None."""


class Cell(NamedTuple):
    """What stands in a cell; `fen` where it is an amount, `tag` where it is not ordinary."""

    text: str
    href: str | None = None
    number: bool = False
    fen: int | None = None
    tag: str | None = None
    long: bool = False
    zero: bool = False
    """Whether it is an amount or a count of nothing."""
    whole: str | None = None
    """The digest that `text` is the beginning of."""


class Choice(NamedTuple):
    """A value of a facet; `href` chooses it, or takes the choice back where it is chosen."""

    value: str
    text: str
    lines: int
    href: str
    chosen: bool


class Facet(NamedTuple):
    key: str
    title: str
    choices: list[Choice]


class Field(NamedTuple):
    """A field of the filter line; a range has two names and two values."""

    title: str
    names: tuple[str, ...]
    values: tuple[str, ...]
    options: list[tuple[str, str]]
    """Value and text, where one is chosen."""
    number: bool = False


class ColumnChoice(NamedTuple):
    key: str
    title: str
    chosen: bool


class Compared(NamedTuple):
    """What a compared list says of itself.

    `one_sided`: by moment, then or now, the lines of it alone; `equal_address` shows or hides the
    lines in which nothing differs.
    """

    moments: str
    differing: int
    one_sided: Mapping[str, int]
    equal: int
    equal_shown: bool
    equal_address: str


class Listed(NamedTuple):
    """One page of a list, and all that is said about it."""

    name: str
    title: str
    lead: str | None
    heads: list[Head]
    rows: list[list[Cell]]
    page_sums: list[Cell]
    whole_sums: list[Cell]
    """Of all lines that meet the filters; empty where they stand on this page."""
    summed: bool
    """Whether a column shown is added."""
    lines: int
    fields: list[Field]
    facets: list[Facet]
    kept: list[tuple[str, str]]
    """What the filter's form sends besides its fields."""
    kept_by_columns: list[tuple[str, str]]
    said: list[tuple[str, str]]
    """The filters in words: title and value."""
    order: str | None
    next: str | None
    first: str | None
    wider: str
    files: list[tuple[str, str]]
    columns_address: str
    choosing: bool
    every_column: list[ColumnChoice]
    empty: Empty
    answer: Answer | None
    """What of it a paper proves; None where a later event could change it."""
    compared: Compared | None = None


def view_model(
    found: Visit,
    shown: Shown,
    asked: Asked,
    view: View,
    selection: Selection,
    table: Table,
    following: str | None,
    codes: Codes,
    further: Mapping[str, Any],
) -> Listed:
    """`table`: the lines of the page; `following`: the address of the next."""
    words, name = found.words, shown.name
    texts = _Texts(words, name, codes)
    columns = [by_key(shown)[key] for key in asked.cols]
    apart = {key: head for key, head in shown.heads.items() if part_key(key, "then") in asked.cols}
    lines = list(table.dicts())
    facets = [_facet(found, shown, texts, asked, selection, key) for key in shown.facets]
    offered = {name: value for name, value in further.items() if name not in shown.own}
    fields = _fields(shown, texts, asked, offered, facets)
    page_sums = _page_sums(shown, columns, selection.sums, lines)
    whole_sums = [_sum(shown, column, selection.sums) for column in columns]
    whole = len(lines) == selection.lines and page_sums == whole_sums
    own = [name for field in fields for name in field.names]
    path = found.request.url.path
    wider = found.address(path, **_required(further))
    return Listed(
        name=name,
        title=words(f"{name}.title"),
        lead=words(f"{name}.lead") if words.has(f"{name}.lead") else None,
        heads=[_head(found, shown, texts, asked, column, apart) for column in columns],
        rows=[[_cell(found, shown, texts, column, line) for column in columns] for line in lines],
        page_sums=page_sums,
        whole_sums=[] if whole else whole_sums,
        summed=any(column.key in selection.sums for column in columns),
        lines=selection.lines,
        fields=fields,
        facets=[each for each in facets if 0 < len(each.choices) <= _AS_LINKS],
        kept=_kept(found, ("cursor", *own)),
        kept_by_columns=_kept(found, ("cursor", "columns", "cols", "move")),
        said=_said(shown, texts, asked, offered),
        order=_order(shown, texts, asked),
        next=following,
        first=found.address(cursor=None) if asked.cursor else None,
        wider=wider,
        files=[
            (kind.upper(), found.address(cursor=None).replace(path, f"{path}.{kind}", 1))
            for kind in ("csv", "xlsx", "json")
        ],
        columns_address=found.address(columns=None if asked.choosing else "choose", cursor=None),
        choosing=asked.choosing,
        every_column=_every_column(shown, texts, asked),
        empty=empty_list(found, view, name, filtered=asked.is_filtered, wider=wider),
        answer=answer_of(
            view,
            table,
            asked.cols,
            [texts.head(column, apart) for column in columns],
            sums=dict(selection.sums),
            lines=selection.lines,
        ),
    )


def _required(further: Mapping[str, Any]) -> dict[str, str]:
    """The further parameters that have a value; a wider list keeps them."""
    return {name: in_address(value) for name, value in further.items() if value is not None}


def _kept(found: Visit, without: Sequence[str]) -> list[tuple[str, str]]:
    told = found.request.query_params.multi_items()
    return [each for each in told if each[0] not in (*without, "lang", *OF_PAPER)]


def _every_column(shown: Shown, texts: _Texts, asked: Asked) -> list[ColumnChoice]:
    """The chosen ones in their order, then the others."""
    rest = [column.key for column in shown.columns if column.key not in asked.cols]
    named = by_key(shown)
    return [
        ColumnChoice(key, texts.title(named[key]), key in asked.cols)
        for key in (*asked.cols, *rest)
    ]


# ---- parts of a column that is compared -------------------------------------------------


def part_key(key: str, part: str) -> str:
    """`due_fen` then is due_then_fen."""
    unit = "_fen" if key.endswith("_fen") else ""
    return f"{key.removesuffix('_fen')}_{part}{unit}"


def part_of(column: Column, name: str, part: str, key: str) -> Column:
    """A column's part, then, now or difference, with titles that say so, as the list's are."""
    titles = {}
    for language in LANGUAGES:
        words, declared = Words(language), getattr(column, f"title_{language}")
        own = f"{name}.column_{column.key}"
        title = words(own) if words.has(own) else declared
        unit = _UNIT.search(title) if column.kind in ("fen", "bp") else None
        bare = title[: unit.start()] if unit else title
        kept = unit[0] if unit and language == "zh" else ""
        titles[language] = words(f"list.part_{part}", title=bare) + kept
    return replace(column, key=key, title_zh=titles["zh"], title_en=titles["en"])


# ---- words ----------------------------------------------------------------------------


class _Texts:
    """What values and columns of a list are called."""

    def __init__(self, words: Words, name: str, codes: Codes) -> None:
        self.words, self.name, self.codes = words, name, codes

    def title(self, column: Column) -> str:
        """The column's title, with the unit that the page gives it in."""
        own = f"{self.name}.column_{column.key}"
        if self.words.has(own):
            return self.words(own)
        return self._declared(column)

    def head(self, column: Column, apart: Mapping[str, Column]) -> str:
        """The title where a column may stand apart: with the moment that it is of."""
        named = apart.get(column.key)
        return self._declared(named) if named else self.title(column)

    def _declared(self, column: Column) -> str:
        if self.words.language == "zh":
            return column.title_zh
        unit = {"fen": " (yuan)", "bp": " (%)"}.get(column.kind, "")
        return column.title_en[:1].upper() + column.title_en[1:] + unit

    def bare_title(self, column: Column) -> str:
        """The same without a unit."""
        title = self.title(column)
        return _UNIT.sub("", title) if column.kind in ("fen", "bp") else title

    def parameter(self, shown: Shown, name: str) -> str:
        """What a further parameter of the address is called."""
        for key in (f"{self.name}.{name}", f"list.{name}"):
            if self.words.has(key):
                return self.words(key)
        column = by_key(shown).get(name)
        return self.bare_title(column) if column else name

    def code(self, key: str, value: Any) -> str | None:
        """The name of a code; None where it has none."""
        named = self.codes.get(key, {}).get(value)
        if named is not None:
            return named
        for place in (self.name, "code"):
            word = f"{place}.{key}_{in_address(value)}"
            if self.words.has(word):
                return self.words(word)
        return None

    def facet(self, column: Column, value: str) -> str:
        """The name of a facet's value, as an address has it."""
        return self.code(column.key, value) or {
            "-": self.words("list.none"),
            "true": self.words("list.yes"),
            "false": self.words("list.no"),
        }.get(value, value)

    def order(self, column: Column, descending: bool) -> str:
        kind = "number" if column.kind in _NUMBERS else "text"
        way = "descending" if descending else "ascending"
        return self.words(f"list.{way}_{kind}", title=self.bare_title(column))

    def text(self, column: Column, value: Any) -> str:
        if value is None or value in ("", []):
            return self.code(column.key, None) or "—"
        if isinstance(value, list):
            return self.words("list.and").join(
                self.code(column.key, each) or str(each) for each in value
            )
        return self.code(column.key, value) or self._plain(column, value)

    def _plain(self, column: Column, value: Any) -> str:
        if isinstance(value, bool):
            return self.words("list.yes" if value else "list.no")
        if column.kind in _NUMBERS:
            return in_numbers(column, value)
        if isinstance(value, datetime):
            return in_china(value)
        if isinstance(value, dict):
            return self.words("list.and").join(f"{key} {each}" for key, each in value.items())
        return str(value)


def in_numbers(column: Column, value: int) -> str:
    """Yuan, percent, or a count with commas; a number that names something has none."""
    if column.kind == "fen":
        return with_commas(value)
    if column.kind == "bp":
        return percent(value).removesuffix("%")
    return str(value) if column.unit in _NAMING else f"{value:,}"


def named_codes(found: Visit, shown: Shown) -> Codes:
    """What codes are called, by column: of organisations, of categories, and the list's own."""
    organisations = found.service.people.organisations()
    named = {each.code: each.name for each in organisations}
    codes: dict[str, Mapping[Any, str]] = dict.fromkeys(_ORGANISATIONS, named)
    codes["township"] = {
        each.code: f"{each.code} {each.name}"
        for each in organisations
        if each.role == Role.TOWNSHIP
    }
    if found.words.language == "zh":
        codes["category"] = {code: name for code, name in CATEGORIES_ZH.items() if code}
    return codes | dict(shown.codes(found) if shown.codes else {})


# ---- the table ------------------------------------------------------------------------


def _head(
    found: Visit,
    shown: Shown,
    texts: _Texts,
    asked: Asked,
    column: Column,
    apart: Mapping[str, Column],
) -> Head:
    """Sorting by a number begins with the largest; the second click turns the order round."""
    number = column.kind in _NUMBERS
    by_this = asked.sort if asked.sort and asked.sort.key == column.key else None
    descending = not by_this.descending if by_this else number
    sort = f"-{column.key}" if descending else column.key
    href = found.address(sort=None if sort == shown.sort else sort, cursor=None)
    order = None
    if by_this:
        order = "descending" if by_this.descending else "ascending"
    return Head(texts.head(column, apart), number, href if sortable(shown, column) else None, order)


def _cell(
    found: Visit, shown: Shown, texts: _Texts, column: Column, line: Mapping[str, Any]
) -> Cell:
    value = line[column.key]
    leads, text = shown.leads.get(column.key), texts.text(shown.base(column), value)
    if column.key in shown.differences and value is not None:
        text = signed(value, text)
    whole = text if _DIGEST.fullmatch(text) else None
    return Cell(
        text=f"{text[:_OF_DIGEST]}…" if whole else text,
        href=leads(found, line) if leads and value is not None else None,
        number=column.kind in _NUMBERS,
        fen=value if column.kind == "fen" else None,
        tag=shown.tags(line, column.key) if shown.tags else None,
        long=_width(text) > _LONG and not whole,
        whole=whole,
        zero=value == 0 and column.kind in ("fen", "integer"),
    )


def _width(text: str) -> int:
    """In Latin characters; a Chinese one is as wide as two."""
    return sum(2 if each >= "\u2e80" else 1 for each in text)


def _page_sums(
    shown: Shown,
    columns: Sequence[Column],
    summed: Mapping[str, int],
    lines: Sequence[Mapping[str, Any]],
) -> list[Cell]:
    sums = {key: sum(line[key] or 0 for line in lines) for key in summed}
    return [_sum(shown, column, sums) for column in columns]


def _sum(shown: Shown, column: Column, sums: Mapping[str, int]) -> Cell:
    if column.key not in sums:
        return Cell("", number=column.kind in _NUMBERS)
    total, is_fen = sums[column.key], column.kind == "fen"
    text = with_commas(total) if is_fen else f"{total:,}"
    return Cell(
        signed(total, text) if column.key in shown.differences else text,
        number=True,
        fen=total if is_fen else None,
    )


# ---- the filters ----------------------------------------------------------------------


def _facet(
    found: Visit, shown: Shown, texts: _Texts, asked: Asked, selection: Selection, key: str
) -> Facet:
    """The commonest first; a code that others order is in its own order."""
    column, chosen = by_key(shown)[key], asked.equal.get(key)
    counts = dict(selection.facet(key))
    if chosen is not None:
        counts.setdefault(chosen, 0)
    choices = [
        Choice(
            value=value,
            text=texts.facet(column, value),
            lines=count,
            href=found.address(**{key: None if value == chosen else value}, cursor=None),
            chosen=value == chosen,
        )
        for value, count in counts.items()
    ]
    if len(choices) > _AS_LINKS:
        choices.sort(key=lambda choice: choice.value)
    else:
        choices.sort(key=lambda choice: (-choice.lines, choice.value))
    return Facet(key, texts.bare_title(column), choices)


def _fields(
    shown: Shown,
    texts: _Texts,
    asked: Asked,
    further: Mapping[str, Any],
    facets: Sequence[Facet],
) -> list[Field]:
    columns = by_key(shown)
    fields = [
        Field(
            texts.parameter(shown, name),
            (name,),
            ("" if value is None else in_address(value),),
            [],
        )
        for name, value in further.items()
    ]
    for facet in facets:
        if len(facet.choices) > _AS_LINKS:
            options = [
                (choice.value, f"{choice.text} · {choice.lines:,}") for choice in facet.choices
            ]
            chosen = asked.equal.get(facet.key, "")
            fields.append(Field(facet.title, (facet.key,), (chosen,), options))
    for key in shown.filters:
        title, value = texts.bare_title(columns[key]), asked.equal.get(key, "")
        fields.append(Field(title, (key,), (value,), []))
    for key in shown.ranges:
        ends = asked.ranges.get(key, Bounds(None, None))
        fields.append(
            Field(
                texts.bare_title(columns[key]),
                typed_names(columns[key]),
                (typed(ends.first), typed(ends.last)),
                [],
                number=columns[key].kind == "fen",
            )
        )
    return fields


def _said(
    shown: Shown, texts: _Texts, asked: Asked, further: Mapping[str, Any]
) -> list[tuple[str, str]]:
    """The filters in words."""
    columns = by_key(shown)
    told = [
        (texts.parameter(shown, name), texts.code(name, value) or in_address(value))
        for name, value in further.items()
        if value is not None and value is not False
    ]
    told += [
        (texts.bare_title(columns[key]), texts.facet(columns[key], value))
        for key, value in asked.equal.items()
    ]
    for key, ends in asked.ranges.items():
        told.append((texts.bare_title(columns[key]), _range_in_words(texts.words, ends)))
    return told


def filter_words(
    found: Visit, shown: Shown, asked: Asked, codes: Codes, further: Mapping[str, Any]
) -> str:
    """The filters and the order in one line; empty where nothing is filtered."""
    texts = _Texts(found.words, shown.name, codes)
    told = [f"{title} {value}" for title, value in _said(shown, texts, asked, further)]
    order = _order(shown, texts, asked)
    return found.words("list.stop").join([*told, order] if order else told)


def _order(shown: Shown, texts: _Texts, asked: Asked) -> str | None:
    """How the lines stand, in words."""
    if asked.sort:
        return texts.order(by_key(shown)[asked.sort.key], asked.sort.descending)
    own = f"{shown.name}.order"
    return texts.words(own) if texts.words.has(own) else None


def _range_in_words(words: Words, ends: Bounds) -> str:
    if ends.first is None:
        return words("list.until", last=said(ends.last))
    if ends.last is None:
        return words("list.since", first=said(ends.first))
    return words("list.between", first=said(ends.first), last=said(ends.last))
