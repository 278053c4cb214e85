"""The risk compensation fund (风险补偿金): money that stands behind lost loans."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from domain.balance import Balance
from domain.kernel import Aggregate, CommandContext, Event, Refused, identity, recorded_fields


class RiskFundExhausted(Refused):
    CODE, FIELD = "risk_fund_exhausted", "loss_fen"
    ZH = "应代偿 {amount_fen} 分，风险补偿金在 {on} 的余额 {balance_fen} 分"
    EN = "{amount_fen} fen are to be compensated, but the fund holds {balance_fen} on {on}"


class RiskFund(Aggregate):
    """The county's one fund: what was paid in, less what it paid, plus what came back."""

    KIND: ClassVar[str] = "risk-fund"

    def __init__(self, id: UUID) -> None:
        super().__init__(id)
        self.balance = Balance()

    @staticmethod
    def the_id() -> UUID:
        return identity("risk-fund")

    class PaidIn(Event["RiskFund"], frozen=True, kw_only=True, omit_defaults=True):
        """Money came into the fund."""

        TOPIC, ZH = "risk-fund.paid-in.v1", "风险补偿金注入"
        CORRECTABLE = False
        payer: str
        amount_fen: int
        voucher: str

        def apply(self, fund: RiskFund) -> None:
            fund.balance.move(self.effective_on, self.amount_fen)

    class Compensated(Event["RiskFund"], frozen=True, kw_only=True, omit_defaults=True):
        """The fund paid its share of a lost loan to the bank."""

        TOPIC, ZH = "risk-fund.compensated.v1", "代偿支出"
        CORRECTABLE = False
        bank: str
        loan_no: str
        amount_fen: int
        voucher: str

        def apply(self, fund: RiskFund) -> None:
            fund.balance.move(self.effective_on, -self.amount_fen)

    class Recovered(Event["RiskFund"], frozen=True, kw_only=True, omit_defaults=True):
        """Something of what was compensated came back."""

        TOPIC, ZH = "risk-fund.recovered.v1", "追偿收回"
        CORRECTABLE = False
        bank: str
        loan_no: str
        amount_fen: int
        voucher: str

        def apply(self, fund: RiskFund) -> None:
            fund.balance.move(self.effective_on, self.amount_fen)

    def pay_in(self, context: CommandContext, *, payer: str, amount_fen: int, voucher: str) -> None:
        """Record money that came in."""
        self.record(
            RiskFund.PaidIn(
                **recorded_fields(context), payer=payer, amount_fen=amount_fen, voucher=voucher
            )
        )

    def compensate(
        self, context: CommandContext, *, bank: str, loan_no: str, amount_fen: int, voucher: str
    ) -> None:
        """Pay the fund's share, if it holds it on that day and on every later one.

        Raises RiskFundExhausted.
        """
        held = self.balance.lowest(context.effective_on)
        if amount_fen > held.fen:
            raise RiskFundExhausted(amount_fen=amount_fen, balance_fen=held.fen, on=held.on)
        self.record(
            RiskFund.Compensated(
                **recorded_fields(context),
                bank=bank,
                loan_no=loan_no,
                amount_fen=amount_fen,
                voucher=voucher,
            )
        )

    def recover(
        self, context: CommandContext, *, bank: str, loan_no: str, amount_fen: int, voucher: str
    ) -> None:
        """Record what came back."""
        self.record(
            RiskFund.Recovered(
                **recorded_fields(context),
                bank=bank,
                loan_no=loan_no,
                amount_fen=amount_fen,
                voucher=voucher,
            )
        )
