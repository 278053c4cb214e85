"""What the back-test county's offices do with its money, plans and agreements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any, Final

from application.commands.benefit import PayBenefit, SignAgreement
from application.commands.fund import AllocateFund, TransferFund
from application.commands.programme import RulingItem, TellPlan
from application.commands.risk_fund import PayIntoRiskFund
from domain.calendar import named_quarter
from interface.simulation.backtest.labels import Label, Noise, entities
from interface.simulation.backtest.newcomers import BATCH_TOWNSHIPS, Newcomers
from interface.simulation.demo import statements as say
from interface.simulation.demo.county import Payment
from interface.simulation.demo.people import FIRMS
from interface.simulation.demo.plans import HouseholdPlan
from interface.simulation.demo.quarters import CENTRE, Offices, Step
from interface.simulation.demo.random_source import months_later, number
from projections.facts.reading import Scope

_PAID: Final = ("2024Q1", BATCH_TOWNSHIPS[0])
"""The quarter whose subsidies of one township go by batch, and are paid within days."""
_DETAINED: Final = ("2023Q4", BATCH_TOWNSHIPS[1])
"""The quarter whose subsidies of another are approved, and then lie for a year."""
_GRANTED_FEN: Final = 500_000_000
_FUND_FEN: Final = {True: 10_000_000_000, False: 1_000_000}
_TARGETS: Final = {
    "target_disbursed_fen": 30_000_000_000,
    "target_households": 5_000,
    "target_townships": 26,
    "budget_fen": 1_000_000_000,
}


class Regular:
    """Offices that keep the rules: the risk fund suffices, dividends are paid, cash arrives."""

    SUFFICIENT = True
    BATCHES: Final = (f"PC-{_PAID[0]}", f"PC-{_DETAINED[0]}")

    def __init__(self, new: Newcomers) -> None:
        self.new, self.rng = new, new.rng
        self._labels: list[Label] = []
        year = frozenset({("year", "2023")})
        self._labels.append(Label("plan_contradicts_itself", "RF26", year))
        on = number(2021, 1, 12)
        fen = _FUND_FEN[self.SUFFICIENT]
        new.submit(PayIntoRiskFund, say.FINANCE, on, ref="FX-1", payer="财政局", amount_fen=fen,
                 voucher="FX-1")  # fmt: skip
        self._agreement("LJ-1", paid=True)
        self._transfer("ZJ-1", "国库", "贴息专户", 1_000_000)
        self._transfer("ZJ-2", "贴息专户", "NRCB", 900_000)
        self._transfer("ZJ-3", "贴息专户", "国库", 50_000)
        self._borrower_in(_PAID[1])

    def pays(self, payment: Payment) -> bool:
        """Whether finance pays a subsidy by itself that is due: no batch lists it."""
        return (payment.period, payment.loan.household.township) != _PAID

    def steps(self, of: Callable[[Scope], Offices]) -> Iterator[Step]:
        """What the offices do besides, and on which day."""
        quarter_name, township = _PAID
        offices, on = of(Scope(township=township)), date(2024, 3, 1)
        yield on, lambda: offices.grant(2024, _GRANTED_FEN, on)
        yield from offices.steps(named_quarter(quarter_name))

    def labels(self) -> list[Label]:
        return self._labels

    def noises(self) -> list[Noise]:
        """Offices that do what they should, or give back what they do not need."""
        return [
            Noise("batch_paid", frozenset({("batch", f"PC-{_PAID[0]}")})),
            Noise("returned_to_the_treasury", frozenset({("voucher", "ZJ-3")})),
        ]

    def _borrower_in(self, township: str) -> None:
        """So that every county has a line for that township's batch."""
        self.new.lend(self.new.home_in(township), number(2023, 8, 1))

    def _transfer(self, voucher: str, payer: str, payee: str, fen: int) -> None:
        on = number(2024, 3, 4)
        self.new.submit(TransferFund, say.FINANCE, on, ref=voucher, year=2024, payer=payer,
                      payee=payee, amount_fen=fen, purpose="贴息资金", voucher=voucher)  # fmt: skip

    def _agreement(self, agreement_no: str, *, paid: bool) -> list[HouseholdPlan]:
        """A firm owes three households two instalments; unpaid: one short, one not at all."""
        new = self.new
        first = new.household()
        households = [first, new.household(like=first), new.household(like=first)]
        on = number(2022, 3, 1)
        dues = [months_later(on, 6), months_later(on, 12)]
        instalments = [
            {"due_on": date.fromordinal(due), "kind": "dividend", "amount_fen": 50_000}
            for due in dues
        ]
        new.submit(SignAgreement, say.cadre(first), on, ref=agreement_no, agreement_no=agreement_no,
                 enterprise=FIRMS[0], households=lambda: [household.no for household in households],
                 instalments=instalments)  # fmt: skip
        for place, household in enumerate(households):
            for count, due in enumerate(dues):
                fen = 50_000 if paid or place == 0 else (0 if place == 1 else 30_000)
                if fen:
                    ref = f"FH-{agreement_no}-{place}-{count}"
                    new.submit(PayBenefit, say.cadre(first), due + 12, ref=ref, voucher=ref,
                             agreement_no=agreement_no, household_no=household.no, kind="dividend",
                             amount_fen=fen)  # fmt: skip
        return households[1:]


class Irregular(Regular):
    """Offices that let money lie, send it elsewhere, forget subsidies and tell impossible plans."""

    SUFFICIENT = False

    def __init__(self, new: Newcomers, forgotten: set[tuple[int, str]]) -> None:
        super().__init__(new)
        self._forgotten = forgotten
        self._label("beyond_the_risk_fund", "RF25", ("county", "county"))
        for household in self._agreement("LJ-2", paid=False):
            more = ("agreement", "LJ-2")
            self._labels.append(
                Label(
                    "dividend_not_delivered", "RF20", entities(households=[household], more=[more])
                )
            )
        for place, payee in enumerate((FIRMS[4], "机关食堂账户", FIRMS[6]), start=1):
            self._transfer(f"NZ-{place}", "贴息专户", payee, 300_000 + place)
            self._label("subsidy_account_misused", "RF18", ("voucher", f"NZ-{place}"))
        self._plan()
        self._allocations()
        self._report()
        self._borrower_in(_DETAINED[1])

    def pays(self, payment: Payment) -> bool:
        if (payment.period, payment.loan.household.township) == _DETAINED:
            return False
        forgotten = (id(payment.loan), payment.period) in self._forgotten
        return super().pays(payment) and not forgotten

    def steps(self, of: Callable[[Scope], Offices]) -> Iterator[Step]:
        """A batch is approved besides, and nothing more happens to it."""
        yield from super().steps(of)
        quarter_name, township = _DETAINED
        yield from list(of(Scope(township=township)).steps(named_quarter(quarter_name)))[:4]

    def _label(self, kind: str, flag: str, *of: tuple[str, str]) -> None:
        self._labels.append(Label(kind, flag, frozenset(of)))

    def _plan(self) -> None:
        rulings = [RulingItem(rule=rule, value=value) for rule, value in _TARGETS.items()]
        on = number(2022, 1, 20)
        begins = number(2022, 1, 1)
        body: dict[str, Any] = {
            "ref": "FA-2022", "plan_no": "FA-2022", "title": "二〇二二年实施方案",
            "ground": {"document": "政办〔2022〕3号"}, "rulings": rulings,
        }  # fmt: skip
        self.new.submit(TellPlan, CENTRE, begins, on, **body)
        self._label("plan_contradicts_itself", "RF26", ("year", "2022"))

    def _allocations(self) -> None:
        """For 2022 money was allocated and never used; for 2023 late, and its batch lies."""
        for year, on in ((2022, number(2022, 3, 1)), (2023, number(2024, 1, 5))):
            ref = f"XD-{year}"
            self.new.submit(AllocateFund, say.FINANCE, on, ref=ref, year=year, voucher=ref,
                          amount_fen=_GRANTED_FEN)  # fmt: skip
        self._label("allocated_and_unused", "RF17", ("year", "2022"))
        self._label("approved_and_unpaid", "RF17", ("batch", f"PC-{_DETAINED[0]}"))

    def _report(self) -> None:
        """A report of more households than loans."""
        report = self.new.misuse.inflated
        report["CTB", "2022-05"] = (0, 300, 0)
        for flag in ("RF26", "RF12"):
            self._label("report_contradicts_itself", flag, ("bank", "CTB"), ("period", "2022-05"))
