"""Every number a document decided, with its two days and its source, in dated TOML tables.

A ruling takes effect on one day and becomes known on another: a plan adjusted in August may rule
from January. Of the rulings known, the one with the latest effective day up to the day asked for
holds; of two with the same effective day, the one published later. Rulings are added, not edited.
"""

import tomllib
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from importlib.resources import files
from typing import Final, NamedTuple

Value = int | tuple[int | str, ...]


class NoRuling(LookupError):
    """No document known on the day says anything about it."""

    CODE = "no_ruling"
    ZH = "当日无政策依据"

    def __init__(self, name: str, day: date, known_on: date | None = None) -> None:
        known = f" as known on {known_on}" if known_on else ""
        super().__init__(f"no ruling on {name} for {day}{known}")
        self.details = {"name": name, "day": day, "known_on": known_on}


class Ruling(NamedTuple):
    """One value of one table: from when it holds, from when it was known, and who says so."""

    name: str
    effective_from: date
    value: Value
    unit: str
    source: str
    known_from: date
    version: str

    @property
    def number(self) -> int:
        """The value of a table of whole numbers. Raises TypeError for a list."""
        if not isinstance(self.value, int):
            raise TypeError(f"{self.name} holds a list")
        return self.value

    @property
    def numbers(self) -> tuple[int, ...]:
        """The value of a table of lists of numbers. Raises TypeError for any other."""
        if isinstance(self.value, int):
            raise TypeError(f"{self.name} holds one number")
        return tuple(_whole(item) for item in self.value)

    @property
    def words(self) -> tuple[str, ...]:
        """The value of a table of lists of codes. Raises TypeError for any other."""
        if isinstance(self.value, int) or not all(isinstance(item, str) for item in self.value):
            raise TypeError(f"{self.name} holds no words")
        return tuple(str(item) for item in self.value)

    def to_dict(self) -> dict[str, object]:
        """The citation as plain JSON values, for an event or a slip that must explain itself."""
        return {
            "name": self.name,
            "effective_from": self.effective_from.isoformat(),
            "known_from": self.known_from.isoformat(),
            "value": self.value if isinstance(self.value, int) else list(self.value),
            "unit": self.unit,
            "source": self.source,
            "version": self.version,
        }


class Table(NamedTuple):
    """One policy number through time, in the order in which rulings supersede each other."""

    name: str
    unit: str
    meaning: str
    rulings: tuple[Ruling, ...]


class Book:
    """A set of tables, each read when first asked for and kept.

    `read` gives the TOML text of a table; KeyError or FileNotFoundError when there is none.
    """

    def __init__(self, read: Callable[[str], str]) -> None:
        self._read = read
        self._tables: dict[str, Table] = {}
        self._days: dict[str, list[date]] = {}
        self._published: dict[str, list[date]] = {}
        self._ruling = lru_cache(maxsize=1 << 16)(self._find)
        self._within = lru_cache(maxsize=1 << 14)(self._find_within)

    def table(self, name: str) -> Table:
        """Raises LookupError when there is no such table, ValueError when it is malformed."""
        if name not in self._tables:
            try:
                text = self._read(name)
            except (KeyError, FileNotFoundError):
                raise LookupError(f"no policy table is called {name!r}") from None
            self._keep(parse(name, text))
        return self._tables[name]

    def ruling(self, name: str, day: date, known_on: date | None = None) -> Ruling:
        """What held on `day`, by the documents published up to `known_on` (None: by all).

        Raises NoRuling; LookupError when there is no such table.
        """
        try:
            return self._ruling(name, day, self._edition(name, known_on))
        except NoRuling:
            raise NoRuling(name, day, known_on) from None

    def within(
        self, name: str, first: date, until: date, known_on: date | None = None
    ) -> tuple[Ruling, ...]:
        """The ruling of the first day, then each that takes over before `until`.

        Raises as `ruling` does.
        """
        try:
            return self._within(name, first, until, self._edition(name, known_on))
        except NoRuling:
            raise NoRuling(name, first, known_on) from None

    def amended(self, tables: Mapping[str, str]) -> "Book":
        """A book in which these TOML texts replace whole tables: another county's scheme."""

        def read(name: str) -> str:
            return tables[name] if name in tables else self._read(name)

        return Book(read)

    def extended(self, rulings: Sequence[Ruling]) -> "Book":
        """A book with these rulings besides its own; of two that share both days, the later holds.

        Raises LookupError when there is no such table.
        """
        more: dict[str, list[Ruling]] = {}
        for ruling in rulings:
            more.setdefault(ruling.name, []).append(ruling)
        book = Book(self._read)
        for name, added in more.items():
            table = self.table(name)
            told = sorted((*table.rulings, *added), key=_precedence)
            book._keep(table._replace(rulings=tuple(told)))
        return book

    def _keep(self, table: Table) -> None:
        self._days[table.name] = [ruling.effective_from for ruling in table.rulings]
        self._published[table.name] = sorted({ruling.known_from for ruling in table.rulings})
        self._tables[table.name] = table

    def _edition(self, name: str, known_on: date | None) -> date | None:
        """The last day up to `known_on` on which the table grew: between two, it says the same.

        What is remembered by this day is not looked for anew every morning.
        """
        if known_on is None:
            return None
        self.table(name)
        published = self._published[name]
        place = bisect_right(published, known_on)
        return published[place - 1] if place else date.min

    def _find(self, name: str, day: date, known_on: date | None) -> Ruling:
        rulings = self.table(name).rulings
        for place in range(bisect_right(self._days[name], day) - 1, -1, -1):
            if known_on is None or rulings[place].known_from <= known_on:
                return rulings[place]
        raise NoRuling(name, day, known_on)

    def _find_within(
        self, name: str, first: date, until: date, known_on: date | None
    ) -> tuple[Ruling, ...]:
        found = self.ruling(name, first, known_on)
        later = (day for day in self._days[name] if first < day < until)
        return tuple(dict.fromkeys((found, *(self.ruling(name, day, known_on) for day in later))))


def parse(name: str, text: str) -> Table:
    """Read one table, strictly. Raises ValueError, naming the table, for anything unexpected."""
    told = tomllib.loads(text)
    if set(told) != {"unit", "meaning", "ruling"}:
        raise ValueError(f"{name}: a table has unit, meaning and rulings, not {sorted(told)}")
    unit = str(told["unit"])
    rulings = sorted((_row(name, unit, row) for row in told["ruling"]), key=_precedence)
    if len({_precedence(ruling) for ruling in rulings}) < len(rulings):
        raise ValueError(f"{name}: two rulings share both their days")
    return Table(name, unit, str(told["meaning"]), tuple(rulings))


def _row(name: str, unit: str, row: dict[str, object]) -> Ruling:
    if set(row) != {"from", "known_from", "value", "source"}:
        raise ValueError(f"{name}: a ruling has from, known_from, value, source: {sorted(row)}")
    first, known, source = row["from"], row["known_from"], row["source"]
    if type(first) is not date or type(known) is not date:
        raise ValueError(f"{name}: a ruling's days are civil days: {first}, {known}")
    if not isinstance(source, str) or not source.strip():
        raise ValueError(f"{name}: a ruling without a source")
    version = f"{name}@{first}/{known}"
    return Ruling(name, first, value_of(name, row["value"]), unit, source, known, version)


def value_of(name: str, told: object) -> Value:
    """A whole number, or a list of numbers or codes. Raises ValueError for anything else."""
    if type(told) is int:
        return told
    if isinstance(told, list) and told and all(type(item) is int for item in told):
        return tuple(told)
    if isinstance(told, list) and told and all(type(item) is str for item in told):
        return tuple(told)
    raise ValueError(f"{name}: a value is a whole number or a list, not {told!r}")


def _whole(item: object) -> int:
    if not isinstance(item, int):
        raise TypeError(f"not a number: {item!r}")
    return item


def _precedence(ruling: Ruling) -> tuple[date, date]:
    return ruling.effective_from, ruling.known_from


def _packaged(name: str) -> str:
    return files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8")


POLICY: Final = Book(_packaged)
"""The tables that lie beside this file."""


def ruling(name: str, day: date, known_on: date | None = None) -> Ruling:
    """What `POLICY` says: see `Book.ruling`."""
    return POLICY.ruling(name, day, known_on)


def table_names() -> tuple[str, ...]:
    """The tables that lie beside this file, in alphabetical order."""
    found = (entry.name for entry in files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml")))
