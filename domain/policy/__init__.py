"""Every number a document decided, with its two days and its source, in dated TOML tables.

A ruling takes effect on one day and becomes known on another: a plan adjusted in August may rule
from January. Of the rulings known, the one with the latest effective day up to the day queried
holds; of two with the same effective day, the one published later. Rulings are added, not edited.

The tables of this package are where a county begins. What the county ruled itself, on a day on
which the package has a ruling, holds until the county rules again: no later ruling of the package
overrules it. What it ruled for days before the first ruling of the package holds until that one.
"""

import tomllib
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from importlib.resources import files
from typing import ClassVar, Final, NamedTuple

from domain.kernel import Refused

Value = int | tuple[int | str, ...]


class NoRuling(Refused, LookupError):
    """No document known on `known_on` says anything about the table `name` for a day.

    `loan`: bank and number of the loan that cannot be judged without it, if it is about one.
    """

    CODE: ClassVar[str] = "no_ruling"
    ZH: ClassVar[str] = "当日无政策依据"
    EN: ClassVar[str] = "no ruling"

    def __init__(
        self, name: str, day: date, known_on: date | None = None, loan: str | None = None
    ) -> None:
        named = {} if loan is None else {"loan": loan}
        super().__init__(None, name=name, day=day, known_on=known_on, **named)
        self.name, self.day, self.known_on = name, day, known_on

    def of_loan(self, loan: str) -> "NoRuling":
        """The same, naming the loan that cannot be judged."""
        return NoRuling(self.name, self.day, self.known_on, loan)

    @property
    def zh(self) -> str:
        loan = self.details.get("loan")
        return f"{f'贷款 {loan} 不能判定：' if loan else ''}{self.ZH}：{self.name}，{self.day}"

    @property
    def en(self) -> str:
        known = f" as known on {self.known_on}" if self.known_on else ""
        loan = self.details.get("loan")
        of = f"the loan {loan} cannot be judged: " if loan else ""
        return f"{of}{self.EN} on {self.name} for {self.day}{known}"

    def __str__(self) -> str:
        return self.en


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
    """A set of tables, each read when first queried and kept.

    `read` gives the TOML text of a table; KeyError or FileNotFoundError when there is none.
    `ruled`: by table, what the county ruled itself, in order of precedence.
    """

    def __init__(
        self, read: Callable[[str], str], ruled: Mapping[str, tuple[Ruling, ...]] | None = None
    ) -> None:
        self._read = read
        self._ruled = dict(ruled or {})
        self._packaged: dict[str, tuple[Ruling, ...]] = {}
        self._tables: dict[str, Table] = {}
        self._days: dict[str, list[date]] = {}
        self._published: dict[str, list[date]] = {}
        self._edition = lru_cache(maxsize=1 << 12)(self._find_edition)
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

    def begins_on(self, name: str) -> date:
        """The first day for which any document says anything. Raises as `table` does."""
        return self.table(name).rulings[0].effective_from

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

        return Book(read, self._ruled)

    def extended(self, rulings: Sequence[Ruling]) -> "Book":
        """A book in which a county ruled these besides all that stands in this one.

        Of two that share both days, the later in the sequence holds. Raises LookupError when there
        is no such table.
        """
        ruled = dict(self._ruled)
        for ruling in rulings:
            self.table(ruling.name)
            ruled[ruling.name] = (*ruled.get(ruling.name, ()), ruling)
        return Book(
            self._read, {name: tuple(sorted(some, key=_precedence)) for name, some in ruled.items()}
        )

    def _keep(self, packaged: Table) -> None:
        name = packaged.name
        both = (*packaged.rulings, *self._ruled.get(name, ()))
        rulings = tuple(sorted(both, key=_precedence))
        self._packaged[name] = packaged.rulings
        self._days[name] = [ruling.effective_from for ruling in rulings]
        self._published[name] = sorted({ruling.known_from for ruling in rulings})
        self._tables[name] = packaged._replace(rulings=rulings)

    def _find_edition(self, name: str, known_on: date | None) -> date | None:
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
        self.table(name)
        packaged = self._packaged[name]
        found = _last(packaged, day, known_on)
        ruled = _last(self._ruled.get(name, ()), day, known_on)
        if ruled and (not found or _last(packaged, ruled.effective_from, known_on)):
            found = ruled
        if found is None:
            raise NoRuling(name, day, known_on)
        return found

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


def _last(rulings: Sequence[Ruling], day: date, known_on: date | None) -> Ruling | None:
    """The last of rulings in order of precedence that is in force on a day, as known on another."""
    for place in range(bisect_right(rulings, day, key=_effective_from) - 1, -1, -1):
        if known_on is None or rulings[place].known_from <= known_on:
            return rulings[place]
    return None


def _effective_from(ruling: Ruling) -> date:
    return ruling.effective_from


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
