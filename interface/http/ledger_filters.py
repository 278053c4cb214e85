"""What the two ledgers of loans and subsidies take besides dates: filters, order, totals."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Final, Literal

from fastapi import Query

from application.refusals import CursorMalformed
from interface.http.query_params import Code, Cursor, Quarter, SeenDay, opened
from projections.columns import LOAN_ID, Columns
from projections.ledger_choice import Choice, Shape
from projections.loan_ledger import SHAPE as LOANS
from projections.subsidy_ledger import SHAPE as SUBSIDIES

Words = Annotated[
    str | None,
    Query(max_length=100, pattern=r"^[^\x00-\x1f]+$", description="“-” 为空 “-” for none"),
]
From = Annotated[SeenDay | None, Query(description="不早于此日 on or after")]
Until = Annotated[SeenDay | None, Query(description="不晚于此日 on or before")]
_Fen = Annotated[int | None, Query(ge=0, lt=10**15, description="分 fen，含 included")]
Totals = Annotated[
    bool,
    Query(
        description="所选全部行的行数、合计、各类行数 lines, sums, facets of the whole selection"
    ),
]
LOAN_FACETS: Final = ("state", "bank", "township", "village", "purpose", "category")
SUBSIDY_FACETS: Final = ("period", "bank", "township", "village")


_ORDER: Final = "列名，前加 - 为从大到小 a column, with - before it the largest first"


def _columns(columns: Columns) -> str:
    keys = "|".join(column.key for column in columns if column != LOAN_ID)
    return rf"^-?({keys})$"


LoanSort = Annotated[str | None, Query(pattern=_columns(LOANS.all_columns), description=_ORDER)]
SubsidySort = Annotated[
    str | None, Query(pattern=_columns(SUBSIDIES.all_columns), description=_ORDER)
]


class LedgerFilters:
    """Filters, order and the place of a page, of whichever ledger."""

    def __init__(self, shape: Shape, sort: str | None, cursor: str | None, totals: bool) -> None:
        self.shape, self.sort, self.cursor, self.totals = shape, sort, cursor, totals
        self.equal: dict[str, str] = {}
        self.ranges: dict[str, tuple[Any, Any]] = {}

    def choose(
        self, equal: Mapping[str, str | None], ranges: Mapping[str, tuple[Any, Any]]
    ) -> None:
        self.equal = {key: value for key, value in equal.items() if value is not None}
        self.ranges = {key: ends for key, ends in ranges.items() if ends != (None, None)}

    def choice(self, most: int | None) -> Choice:
        """Raises CursorMalformed, also for a cursor of another order."""
        return Choice(self.equal, self.ranges, self.sort, self._after(), most)

    def _after(self) -> list[Any] | None:
        if self.cursor is None:
            return None
        if self.sort is None:
            after = list(opened(self.cursor, len(self.shape.key)))
        else:
            sort, value, *key = opened(self.cursor, 2 + len(self.shape.key))
            if sort != self.sort or value[:1] not in ("=", "-"):
                raise CursorMalformed
            after = [value[1:] if value[0] == "=" else None, *key]
        self._assure(after)
        return after

    def _assure(self, after: list[Any]) -> None:
        """Whether each value is one of its column's kind."""
        columns = {column.key: column for column in self.shape.all_columns}
        keys = ((self.sort.removeprefix("-"),) if self.sort else ()) + self.shape.key
        for key, value in zip(keys, after, strict=True):
            kind = columns[key].kind
            try:
                if value is not None and kind == "date":
                    date.fromisoformat(value)
                elif value is not None and kind in ("fen", "bp", "integer"):
                    _whole(value)
            except ValueError:
                raise CursorMalformed from None

    def next_of(self, line: Mapping[str, Any]) -> list[str]:
        """The values of the cursor behind a line."""
        key = [str(line[name]) for name in self.shape.key]
        if self.sort is None:
            return key
        value = line[self.sort.removeprefix("-")]
        return [self.sort, "-" if value is None else f"={value}", *key]


def _whole(value: str) -> int:
    if not (value.removeprefix("-").isdigit() and value.isascii() and len(value) < 19):
        raise ValueError(value)
    return int(value)


class LoanFilters(LedgerFilters):
    def __init__(
        self,
        village: Words = None,
        state: Literal["outstanding", "overdue", "settled"] | None = None,
        purpose: Words = None,
        category: Words = None,
        household_no: Code = None,
        disbursed_from: From = None,
        disbursed_until: Until = None,
        due_from: From = None,
        due_until: Until = None,
        principal_from_fen: _Fen = None,
        principal_until_fen: _Fen = None,
        outstanding_from_fen: _Fen = None,
        outstanding_until_fen: _Fen = None,
        sort: LoanSort = None,
        totals: Totals = False,
        cursor: Cursor = None,
    ) -> None:
        super().__init__(LOANS, sort, cursor, totals)
        self.choose(
            {
                "village": village,
                "state": state,
                "purpose": purpose,
                "category": category,
                "household_no": household_no,
            },
            {
                "disbursed_on": (disbursed_from, disbursed_until),
                "due_on": (due_from, due_until),
                "principal_fen": (principal_from_fen, principal_until_fen),
                "outstanding_fen": (outstanding_from_fen, outstanding_until_fen),
            },
        )


class SubsidyFilters(LedgerFilters):
    def __init__(
        self,
        village: Words = None,
        household_no: Code = None,
        loan_no: Code = None,
        period: Quarter | None = None,
        paid_from: From = None,
        paid_until: Until = None,
        paid_from_fen: _Fen = None,
        paid_until_fen: _Fen = None,
        recovered_from_fen: _Fen = None,
        recovered_until_fen: _Fen = None,
        sort: SubsidySort = None,
        totals: Totals = False,
        cursor: Cursor = None,
    ) -> None:
        super().__init__(SUBSIDIES, sort, cursor, totals)
        self.choose(
            {
                "village": village,
                "household_no": household_no,
                "loan_no": loan_no,
                "period": period,
            },
            {
                "paid_on": (paid_from, paid_until),
                "paid_fen": (paid_from_fen, paid_until_fen),
                "recovered_fen": (recovered_from_fen, recovered_until_fen),
            },
        )
