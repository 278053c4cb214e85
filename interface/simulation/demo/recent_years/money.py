"""Plans, budgets, allocations and transfers of the recent years; the risk fund and guarantees."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Any, Final

from application.commands.fund import AllocateFund, TransferFund, fund_of
from application.commands.programme import RulingItem, TellPlan
from application.commands.risk import ReportRisk, TakeNoteOfRisk
from application.commands.risk_fund import Compensate, PayIntoRiskFund, RecoverCompensation
from application.fields import Ground
from domain.loan import Loan
from interface.simulation.demo.people import BANKS, TOWNSHIPS
from interface.simulation.demo.plans import LoanPlan
from interface.simulation.demo.random_source import day
from interface.simulation.demo.recent_years.desk import CENTRE, FINANCE, Desk, bank
from interface.simulation.demo.recent_years.lending import Lending

_STEP_FEN: Final = 100_000
_BANK_NAMES: Final = {code: name for _, code, name in BANKS}
_ELSEWHERE_FEN: Final = 3_600_000


class Money:
    """The finance bureau's books."""

    def __init__(self, desk: Desk, lending: Lending) -> None:
        self.desk, self._lending = desk, lending
        for year in (2025, 2026):
            desk.on(date(year, 1, 7), partial(self._plan, year, "", 100))
        desk.on(date(2026, 8, 14), partial(self._plan, 2026, "（调整后）", 110))
        desk.on(date(2026, 5, 21), self._elsewhere)

    # ---- plans --------------------------------------------------------------------------

    def _plan(self, year: int, adjusted: str, percent: int) -> None:
        """The year's plan: what is to be lent to how many households, and the budget for it."""
        lent_fen, households, budget_fen = self._targets(year)
        rulings = {
            "target_disbursed_fen": lent_fen * percent // 100,
            "target_households": households * percent // 100,
            "target_townships": len(TOWNSHIPS),
            "budget_fen": budget_fen * percent // 100,
        }
        number = 12 if not adjusted else 47
        plan = TellPlan(
            ref=f"FA-{year}{'-TZ' if adjusted else ''}",
            effective_on=date(year, 1, 1),
            plan_no=f"FA-{year}",
            title=f"{year}年小额信贷贴息项目实施方案{adjusted}",
            until_on=date(year, 12, 31),
            ground=Ground(document=f"金扶〔{year}〕{number}号"),
            rulings=[RulingItem(rule=name, value=value) for name, value in rulings.items()],
        )
        self.desk.submit(plan, CENTRE)

    def _targets(self, year: int) -> tuple[int, int, int]:
        """(fen to lend, households, budget): a little more than will come of it."""
        loans = [x for x in self._lending.loans if day(x.disbursed).year == year]
        fen = sum(loan.principal_fen for loan in loans)
        first, until = date(year, 1, 1).toordinal(), date(year + 1, 1, 1).toordinal()
        cost = 0
        for loan in (*self._lending.loans, *self._lending.open_loans):
            days = min(loan.due, loan.closed, until) - max(loan.disbursed, first)
            cost += max(0, days) * loan.principal_fen * min(loan.rate_bp, 360)
        return (
            _rounded(fen * 104 // 100),
            len({loan.household.no for loan in loans}) + 1,
            _rounded(cost // 3_600_000 * 115 // 100),
        )

    # ---- the year's money ---------------------------------------------------------------

    def cover(self, year: int, amount_fen: int) -> None:
        """Allocate what a batch needs beyond what is free, in steps, and have the cash come."""
        fund = fund_of(self.desk.ledger, year)
        lacking_fen = amount_fen - fund.free_fen
        if lacking_fen > 0:
            self._allocate(year, -(-lacking_fen // _STEP_FEN) * _STEP_FEN)

    def _allocate(self, year: int, amount_fen: int) -> None:
        today = self.desk.today
        number = f"{today:%Y%m%d}-{self.desk.commands}"
        told: dict[str, Any] = {"effective_on": today, "year": year, "amount_fen": amount_fen}
        self.desk.submit(AllocateFund(ref=f"XD-{number}", voucher=f"XD-{number}", **told), FINANCE)
        cash = {"payer": "国库", "payee": "贴息专户", "purpose": "贴息资金"}
        transfer = TransferFund(ref=f"HB-{number}", voucher=f"HB-{number}", **cash, **told)
        self.desk.submit(transfer, FINANCE)

    def send(self, year: int, bank_code: str, amount_fen: int, batch_no: str) -> None:
        """The cash for an order goes to the bank that pays it out."""
        self._transfer(year, _BANK_NAMES[bank_code], amount_fen, f"DF-{batch_no}-{bank_code}")

    def _transfer(self, year: int, payee: str, amount_fen: int, voucher: str) -> None:
        transfer = TransferFund(
            ref=voucher, effective_on=self.desk.today, year=year, payer="贴息专户", payee=payee,
            amount_fen=amount_fen, purpose="贴息代发", voucher=voucher,
        )  # fmt: skip
        self.desk.submit(transfer, FINANCE)

    def _elsewhere(self) -> None:
        """Planted: subsidy money that goes to somebody who is no bank of the programme."""
        self._lending.misuse.note_of_office("transfer_elsewhere", "JK-2026-05")
        self._transfer(2026, "城乡建设投资有限公司", _ELSEWHERE_FEN, "JK-2026-05")


class RiskFund:
    """What the risk fund receives, compensates and gets back."""

    def __init__(self, desk: Desk, loans: list[LoanPlan]) -> None:
        """`loans`: those that were open on the last of the four years."""
        self.desk = desk
        lost = [loan for loan in loans if loan.closed > loan.due + 90 and loan.scheme != "diverted"]
        self._lost = sorted(lost, key=lambda loan: loan.due)[: 2 + desk.scaled(6)]
        for on, payer, part in (
            (date(2025, 1, 15), "县财政", 60), (date(2025, 6, 20), "省级奖补资金", 25),
            (date(2026, 3, 10), "县财政", 15),
        ):  # fmt: skip
            desk.on(on, partial(self._pay_in, payer, desk.scaled(9_000_000_00) * part // 100))
        for place, loan in enumerate(self._lost):
            self._enter(loan, date(2025, 9, 8).toordinal() + 47 * place, place)

    def _enter(self, loan: LoanPlan, on: int, place: int) -> None:
        first = max(on, loan.due + 95)
        self.desk.on(day(first - 60), partial(self._report, loan, place))
        self.desk.on(day(first - 50), partial(self._take_note, place))
        self.desk.on(day(first), partial(self._compensate, loan))
        if place % 2 == 0:
            self.desk.on(day(first + 62), partial(self._recover, loan))

    def _pay_in(self, payer: str, amount_fen: int) -> None:
        voucher = f"FX-{self.desk.today:%Y%m%d}"
        self.desk.submit(
            PayIntoRiskFund(
                ref=voucher, effective_on=self.desk.today, payer=payer,
                amount_fen=amount_fen // _STEP_FEN * _STEP_FEN or _STEP_FEN, voucher=voucher,
            ),
            FINANCE,
        )  # fmt: skip

    def _report(self, loan: LoanPlan, place: int) -> None:
        reason = ("借款人因病住院，经营停止", "牲畜疫病，销路中断", "借款人外出失联")[place % 3]
        risk = ReportRisk(
            ref=f"FXSB-{place}", effective_on=self.desk.today, risk_no=f"FX-{place + 1:03d}",
            household_no=loan.household.no, bank=loan.bank, loan_no=loan.no, reason=reason,
        )  # fmt: skip
        self.desk.submit(risk, bank(loan.bank))

    def _take_note(self, place: int) -> None:
        """The newest waits for an answer."""
        if place + 1 == len(self._lost):
            return
        measure = "乡镇、银行联合上门，签订还款计划；逾期九十日转代偿"
        told = {"ref": f"FXJS-{place}", "effective_on": self.desk.today}
        note = TakeNoteOfRisk(risk_no=f"FX-{place + 1:03d}", measure=measure, **told)
        self.desk.submit(note, CENTRE)

    def _compensate(self, loan: LoanPlan) -> None:
        known = self.desk.ledger.loan(loan.bank, loan.no)
        if not _is_lost(known, self.desk.today):
            return
        voucher = f"DC-{loan.no}"
        self.desk.submit(
            Compensate(
                ref=voucher, effective_on=self.desk.today, bank=loan.bank, loan_no=loan.no,
                loss_fen=known.outstanding_fen, voucher=voucher,
            ),
            FINANCE,
        )  # fmt: skip

    def _recover(self, loan: LoanPlan) -> None:
        known = self.desk.ledger.loan(loan.bank, loan.no)
        held_fen = known.compensated.lowest(self.desk.today).fen
        if held_fen <= 0:
            return
        voucher = f"ZC-{loan.no}"
        self.desk.submit(
            RecoverCompensation(
                ref=voucher, effective_on=self.desk.today, bank=loan.bank, loan_no=loan.no,
                amount_fen=held_fen * 2 // 5, voucher=voucher,
            ),
            FINANCE,
        )  # fmt: skip


def _is_lost(loan: Loan, today: date) -> bool:
    return loan.exists and loan.outstanding_fen > 0 and today >= loan.due_on_at(today)


def _rounded(fen: int) -> int:
    """Up to whole thousands of yuan."""
    return -(-fen // 100_000) * 100_000
