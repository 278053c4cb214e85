"""Budget money of one year (资金): allocated, reserved for batches, paid; and where the cash went.

allocated = paid + reserved + free, at any two dates: every event moves one amount from one of
these to another.
"""

from __future__ import annotations

from datetime import date
from typing import ClassVar
from uuid import UUID

from domain.balance import Balance
from domain.kernel import (
    Aggregate,
    CommandContext,
    Event,
    NotCorrectable,
    Refused,
    identity,
    recorded_fields,
)


class BudgetMissing(Refused):
    CODE, FIELD = "budget_missing", "year"
    ZH, EN = "{year} 年尚无贴息预算依据", "no document sets a subsidy budget for {year}"


class BudgetExceeded(Refused):
    CODE, FIELD = "budget_exceeded", "amount_fen"
    ZH = "下达 {amount_fen} 分后合计 {allocated_fen} 分，超过 {year} 年预算 {budget_fen} 分"
    EN = "{allocated_fen} fen with these {amount_fen}: over the budget of {year}, {budget_fen}"


class FundExhausted(Refused):
    CODE, FIELD = "fund_exhausted", "amount_fen"
    ZH = "需 {amount_fen} 分，{year} 年已下达资金在 {on} 只余 {free_fen} 分"
    EN = (
        "{amount_fen} fen are needed, but of the money allocated for {year} {free_fen} are free"
        " on {on}"
    )


class Fund(Aggregate):
    """The subsidy money of one budget year."""

    KIND: ClassVar[str] = "fund"

    def __init__(self, id: UUID) -> None:
        super().__init__(id)
        self.year = 0
        self.allocated: dict[int, tuple[date, int]] = {}
        self.transferred: dict[int, int] = {}
        self.reserved_fen = 0
        self.paid_fen = 0
        self.free = Balance()

    @staticmethod
    def id_for(year: int) -> UUID:
        return identity("fund", str(year))

    @property
    def allocated_fen(self) -> int:
        return sum(fen for _, fen in self.allocated.values())

    @property
    def free_fen(self) -> int:
        return self.allocated_fen - self.reserved_fen - self.paid_fen

    # ---- events -----------------------------------------------------------------------

    class Allocated(Event["Fund"], frozen=True, kw_only=True, omit_defaults=True):
        """The finance bureau gave budget to the programme."""

        TOPIC, ZH = "fund.allocated.v1", "下达"
        year: int
        amount_fen: int
        voucher: str

        def apply(self, fund: Fund) -> None:
            fund.year = self.year
            fund.allocated[fund.version] = (self.effective_on, self.amount_fen)
            fund.free.move(self.effective_on, self.amount_fen)

    class Transferred(Event["Fund"], frozen=True, kw_only=True, omit_defaults=True):
        """Cash went from one account to another; the budget is not touched by it."""

        TOPIC, ZH = "fund.transferred.v1", "资金拨付"
        year: int
        payer: str
        payee: str
        amount_fen: int
        purpose: str
        voucher: str

        def apply(self, fund: Fund) -> None:
            fund.year = self.year
            fund.transferred[fund.version] = self.amount_fen

    class Reserved(Event["Fund"], frozen=True, kw_only=True, omit_defaults=True):
        """A batch was approved: its money can be used for nothing else."""

        TOPIC, ZH = "fund.reserved.v1", "预留"
        CORRECTABLE = False
        year: int
        batch_no: str
        amount_fen: int

        def apply(self, fund: Fund) -> None:
            fund.reserved_fen += self.amount_fen
            fund.free.move(self.effective_on, -self.amount_fen)

    class Released(Event["Fund"], frozen=True, kw_only=True, omit_defaults=True):
        """Reserved money is free again: a line was held, failed, or its batch was returned."""

        TOPIC, ZH = "fund.released.v1", "释放预留"
        CORRECTABLE = False
        year: int
        batch_no: str
        amount_fen: int

        def apply(self, fund: Fund) -> None:
            fund.reserved_fen -= self.amount_fen
            fund.free.move(self.effective_on, self.amount_fen)

    class Spent(Event["Fund"], frozen=True, kw_only=True, omit_defaults=True):
        """Reserved money was paid out, as a bank's result says."""

        TOPIC, ZH = "fund.spent.v1", "支出"
        CORRECTABLE = False
        year: int
        batch_no: str
        amount_fen: int

        def apply(self, fund: Fund) -> None:
            fund.reserved_fen -= self.amount_fen
            fund.paid_fen += self.amount_fen

    class SpentUnreserved(Event["Fund"], frozen=True, kw_only=True, omit_defaults=True):
        """Money had gone out after all, as a bank's corrected result says; nothing was reserved.

        It is a fact, also when nothing is free any more: then `free_fen` is below zero.
        """

        TOPIC, ZH = "fund.spent-unreserved.v1", "补记支出"
        CORRECTABLE = False
        year: int
        batch_no: str
        amount_fen: int

        def apply(self, fund: Fund) -> None:
            fund.paid_fen += self.amount_fen
            fund.free.move(self.effective_on, -self.amount_fen)

    class Returned(Event["Fund"], frozen=True, kw_only=True, omit_defaults=True):
        """Money that was paid out came back unspent (退票): it is free again."""

        TOPIC, ZH = "fund.returned.v1", "退票退回"
        CORRECTABLE = False
        year: int
        batch_no: str
        amount_fen: int

        def apply(self, fund: Fund) -> None:
            fund.paid_fen -= self.amount_fen
            fund.free.move(self.effective_on, self.amount_fen)

    class Corrected(Event["Fund"], frozen=True, kw_only=True, omit_defaults=True):
        """An allocation or a transfer was told wrongly: it counts no more (冲正)."""

        TOPIC, ZH = "fund.corrected.v1", "冲正"
        CORRECTABLE = False
        corrects: int
        corrects_topic: str
        reason: str

        def apply(self, fund: Fund) -> None:
            if self.corrects in fund.allocated:
                on, amount_fen = fund.allocated.pop(self.corrects)
                fund.free.move(on, -amount_fen)
            fund.transferred.pop(self.corrects, None)

    # ---- commands ---------------------------------------------------------------------

    def allocate(
        self,
        context: CommandContext,
        *,
        year: int,
        amount_fen: int,
        voucher: str,
        budget_fen: int | None,
        replaces: int | None = None,
    ) -> None:
        """Give money to the programme, within the year's budget.

        Raises BudgetMissing, BudgetExceeded; FundExhausted when a correction would leave less
        than batches already hold.
        """
        if budget_fen is None:
            raise BudgetMissing(year=year)
        allocated_fen = self.allocated_fen + amount_fen
        if allocated_fen > budget_fen:
            raise BudgetExceeded(
                year=year, amount_fen=amount_fen, allocated_fen=allocated_fen, budget_fen=budget_fen
            )
        self.record(
            Fund.Allocated(
                **recorded_fields(context),
                year=year,
                amount_fen=amount_fen,
                voucher=voucher,
                replaces=replaces,
            )
        )

    def transfer(
        self,
        context: CommandContext,
        *,
        year: int,
        payer: str,
        payee: str,
        amount_fen: int,
        purpose: str,
        voucher: str,
        replaces: int | None = None,
    ) -> None:
        """Record that cash moved."""
        self.record(
            Fund.Transferred(
                **recorded_fields(context),
                year=year,
                payer=payer,
                payee=payee,
                amount_fen=amount_fen,
                purpose=purpose,
                voucher=voucher,
                replaces=replaces,
            )
        )

    def reserve(
        self, context: CommandContext, *, year: int, batch_no: str, amount_fen: int
    ) -> None:
        """Hold money for a batch: free on its day and every later one. Raises FundExhausted."""
        free = self.free.lowest(context.effective_on)
        if amount_fen > free.fen:
            raise FundExhausted(year=year, amount_fen=amount_fen, free_fen=free.fen, on=free.on)
        self.record(
            Fund.Reserved(
                **recorded_fields(context), year=year, batch_no=batch_no, amount_fen=amount_fen
            )
        )

    def release(
        self, context: CommandContext, *, year: int, batch_no: str, amount_fen: int
    ) -> None:
        """Let reserved money go."""
        self.record(
            Fund.Released(
                **recorded_fields(context), year=year, batch_no=batch_no, amount_fen=amount_fen
            )
        )

    def spend(self, context: CommandContext, *, year: int, batch_no: str, amount_fen: int) -> None:
        """Record that reserved money was paid out."""
        self.record(
            Fund.Spent(
                **recorded_fields(context), year=year, batch_no=batch_no, amount_fen=amount_fen
            )
        )

    def spend_unreserved(
        self, context: CommandContext, *, year: int, batch_no: str, amount_fen: int
    ) -> None:
        """Record that money went out for which nothing was reserved any more."""
        self.record(
            Fund.SpentUnreserved(
                **recorded_fields(context), year=year, batch_no=batch_no, amount_fen=amount_fen
            )
        )

    def take_back(
        self, context: CommandContext, *, year: int, batch_no: str, amount_fen: int
    ) -> None:
        """Record that money that was paid out came back."""
        self.record(
            Fund.Returned(
                **recorded_fields(context), year=year, batch_no=batch_no, amount_fen=amount_fen
            )
        )

    def correct(self, context: CommandContext, *, version: int, topic: str, reason: str) -> None:
        """Take back an allocation or a transfer. Raises NotCorrectable."""
        if version not in self.allocated and version not in self.transferred:
            raise NotCorrectable
        self.record(
            Fund.Corrected(
                **recorded_fields(context), corrects=version, corrects_topic=topic, reason=reason
            )
        )

    def assure_enough(self, lowest_before_fen: int = 0) -> None:
        """Raises FundExhausted when on any day batches hold or spent more than is allocated.

        `lowest_before_fen`: what was free on the worst day before a correction; a fund that was
        overdrawn may be so by less.
        """
        free = self.free.lowest()
        if free.fen < min(lowest_before_fen, 0):
            had_fen = sum(fen for on, fen in self.allocated.values() if on <= free.on)
            raise FundExhausted(
                "replacement",
                year=self.year,
                amount_fen=had_fen - free.fen,
                free_fen=had_fen,
                on=free.on,
            )
