"""A bank's monthly report of its scale (银行报表): what it says it lent, in its own figures."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from domain.calendar import last_of_month
from domain.kernel import (
    Aggregate,
    CommandContext,
    Event,
    NotCorrectable,
    Refused,
    identity,
    recorded_fields,
)
from domain.steps import assure_follows


class ReportedBefore(Refused):
    CODE, FIELD = "reported_before", "period"
    ZH = "{period} 的报表已报送；更正请用冲正"
    EN = "the report for {period} stands already; use a correction to change it"


class BankReport(Aggregate):
    """One bank's report for one month."""

    KIND: ClassVar[str] = "bank-report"

    def __init__(self, id: UUID) -> None:
        super().__init__(id)
        self.period = ""
        self.live: set[int] = set()

    @staticmethod
    def id_for(bank: str, period: str) -> UUID:
        return identity("bank-report", bank, period)

    class ScaleReported(Event["BankReport"], frozen=True, kw_only=True, omit_defaults=True):
        """Number of loans, households, balance and sum disbursed, as the bank counts them."""

        TOPIC, ZH = "bank-report.scale-reported.v1", "规模报送"
        bank: str
        period: str
        loans: int
        households: int
        balance_fen: int
        disbursed_fen: int

        def apply(self, report: BankReport) -> None:
            report.period = self.period
            report.live.add(report.version)

    class Corrected(Event["BankReport"], frozen=True, kw_only=True, omit_defaults=True):
        """The report was a mistake: it counts no more from `recorded_at` on (冲正)."""

        TOPIC, ZH = "bank-report.corrected.v1", "冲正"
        CORRECTABLE = False
        corrects: int
        corrects_topic: str
        reason: str

        def apply(self, report: BankReport) -> None:
            report.live.discard(self.corrects)

    def report_scale(
        self,
        context: CommandContext,
        *,
        bank: str,
        period: str,
        loans: int,
        households: int,
        balance_fen: int,
        disbursed_fen: int,
        replaces: int | None = None,
    ) -> None:
        """Record the report; `period` is a month, `2023-03`. Raises ReportedBefore, StepBefore."""
        if self.live:
            raise ReportedBefore(period=period)
        assure_follows(context.effective_on, "the end of its month", last_of_month(period))
        self.record(
            BankReport.ScaleReported(
                **recorded_fields(context),
                bank=bank,
                period=period,
                loans=loans,
                households=households,
                balance_fen=balance_fen,
                disbursed_fen=disbursed_fen,
                replaces=replaces,
            )
        )

    def correct(self, context: CommandContext, *, version: int, topic: str, reason: str) -> None:
        """Take the report back. Raises NotCorrectable."""
        if version not in self.live:
            raise NotCorrectable
        self.record(
            BankReport.Corrected(
                **recorded_fields(context), corrects=version, corrects_topic=topic, reason=reason
            )
        )
