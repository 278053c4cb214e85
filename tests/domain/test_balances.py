"""Money judged by day: whatever is accepted, on no day is more gone than there was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from domain.balance import Balance, Lowest
from domain.fund import Fund, FundExhausted
from domain.kernel import Aggregate, Author, CommandContext, Envelope, Event, Refused
from domain.loan import CompensatedTooMuch, Loan
from domain.risk_fund import RiskFund, RiskFundExhausted
from domain.steps import StepBefore

FIRST = date(2023, 1, 1)
BY = Author("finance", "FINANCE", "zhao")
LAST = 40
DUE_FEN = 100


def context(day: int) -> CommandContext:
    return CommandContext(by=BY, effective_on=FIRST + timedelta(days=day))


def new_loan(principal_fen: int = 1_000) -> Loan:
    """Disbursed on day 0, due on day 20."""
    loan = Loan(Loan.id_for("NRCB", "L1"))
    loan.disburse(
        context(0), bank="NRCB", loan_no="L1", contract_no="C1", contract_on=FIRST,
        household_id=loan.id, household_no="H1", borrower="b", borrower_age_years=40,
        principal_fen=principal_fen, credited_fen=principal_fen, annual_rate_bp=365,
        due_on=FIRST + timedelta(days=20), purpose="养牛", payee="p", renews_loan_no=None,
        personal={},
    )  # fmt: skip
    return loan


def repaid(loan: Loan, day: int, fen: int) -> None:
    loan.repay(
        context(day), principal_fen=fen, interest_fen=0, penalty_fen=0, payer="p", personal={}
    )


def paid(loan: Loan, day: int, fen: int, payment_no: str) -> None:
    """Subsidy of the period that ends on day 10, of which DUE_FEN are due."""
    loan.pay_subsidy(
        context(day), payment_no=payment_no, period="P", first=FIRST,
        until=FIRST + timedelta(days=10), amount_fen=fen, due_fen=DUE_FEN, payee="p",
        voucher="V", calculation={}, grounds={}, why="", personal={},
    )  # fmt: skip


def recovered(loan: Loan, day: int, fen: int, payment_no: str) -> None:
    loan.recover_subsidy(
        context(day), payment_no=payment_no, amount_fen=fen, reason="多付", voucher="V"
    )


def allocated(fund: Fund, day: int, fen: int, replaces: int | None = None) -> None:
    fund.allocate(
        context(day), year=2023, amount_fen=fen, voucher="X", budget_fen=10**9, replaces=replaces
    )


def corrected(fund: Fund, day: int, version: int, fen: int) -> None:
    """An allocation is put in the place of another."""
    fund.correct(context(day), version=version, topic=Fund.Allocated.TOPIC, reason="录错")
    allocated(fund, day, fen, replaces=version)
    fund.assure_enough()


def test_a_balance_is_the_same_in_whatever_order_its_movements_come() -> None:
    one, other = Balance(), Balance()
    moved = [(FIRST, 5), (FIRST + timedelta(days=3), -4), (FIRST + timedelta(days=1), 2)]
    for on, fen in moved:
        one.move(on, fen)
    for on, fen in reversed(moved):
        other.move(on, fen)
    assert one.lowest(FIRST) == other.lowest(FIRST) == Lowest(FIRST + timedelta(days=3), 3)
    assert one.lowest() == Lowest(date.min, 0)
    assert one.lowest(FIRST + timedelta(days=1)) == Lowest(FIRST + timedelta(days=3), 3)
    assert one.last_fen == 3


def test_the_risk_fund_pays_nothing_on_a_day_before_it_was_filled() -> None:
    fund = RiskFund(RiskFund.the_id())
    told: dict[str, Any] = {"bank": "NRCB", "loan_no": "L1", "voucher": "V"}
    fund.pay_in(context(10), payer="国库", amount_fen=3_500_000, voucher="V")
    with pytest.raises(RiskFundExhausted) as refusal:
        fund.compensate(context(9), amount_fen=3_499_900, **told)
    assert refusal.value.details == {
        "amount_fen": 3_499_900, "balance_fen": 0, "on": FIRST + timedelta(days=9),
    }  # fmt: skip
    fund.compensate(context(10), amount_fen=3_499_900, **told)


def test_what_a_later_day_already_spent_is_not_spent_on_an_earlier_one() -> None:
    fund = RiskFund(RiskFund.the_id())
    told: dict[str, Any] = {"bank": "NRCB", "loan_no": "L1", "voucher": "V"}
    fund.pay_in(context(0), payer="国库", amount_fen=100, voucher="V")
    fund.compensate(context(10), amount_fen=80, **told)
    fund.recover(context(12), amount_fen=80, **told)
    with pytest.raises(RiskFundExhausted) as refusal:
        fund.compensate(context(5), amount_fen=21, **told)
    assert refusal.value.details["on"] == FIRST + timedelta(days=10)
    fund.compensate(context(5), amount_fen=20, **told)
    fund.compensate(context(12), amount_fen=80, **told)


def test_an_allocation_is_not_moved_behind_what_was_reserved_of_it() -> None:
    fund = Fund(Fund.id_for(2023))
    allocated(fund, 5, 100)
    fund.reserve(context(10), year=2023, batch_no="PC-1", amount_fen=70)
    with pytest.raises(FundExhausted) as refusal:
        corrected(deepcopy(fund), 11, 1, 100)
    assert refusal.value.details == {
        "year": 2023, "amount_fen": 70, "free_fen": 0, "on": FIRST + timedelta(days=10),
    }  # fmt: skip
    with pytest.raises(FundExhausted):
        corrected(deepcopy(fund), 5, 1, 69)
    corrected(fund, 10, 1, 70)


def test_a_subsidy_is_not_recovered_before_it_was_paid() -> None:
    loan = new_loan()
    paid(loan, 12, DUE_FEN, "P-1")
    with pytest.raises(StepBefore) as refusal:
        recovered(loan, 11, 50, "P-1")
    assert refusal.value.details["last_on"] == FIRST + timedelta(days=12)
    recovered(loan, 12, 50, "P-1")


def test_a_compensation_does_not_come_back_before_it_was_paid() -> None:
    loan = new_loan()
    told: dict[str, Any] = {"share_bp": 10_000, "voucher": "V"}
    loan.compensate(context(25), loss_fen=100, amount_fen=100, **told)
    loan.compensate(context(30), loss_fen=100, amount_fen=100, **told)
    with pytest.raises(StepBefore):
        loan.recover_compensation(context(24), amount_fen=1, voucher="V")
    with pytest.raises(Refused):
        loan.recover_compensation(context(29), amount_fen=101, voucher="V")
    loan.recover_compensation(context(29), amount_fen=100, voucher="V")
    loan.recover_compensation(context(30), amount_fen=100, voucher="V")


def test_what_was_repaid_since_leaves_nothing_to_compensate_and_never_less() -> None:
    loan = new_loan()
    owed_fen = loan.outstanding_fen
    told: dict[str, Any] = {"share_bp": 10_000, "voucher": "V"}
    loan.compensate(context(25), loss_fen=owed_fen - 10, amount_fen=owed_fen - 10, **told)
    repaid(loan, 26, 30)
    with pytest.raises(CompensatedTooMuch) as refusal:
        loan.compensate(context(27), loss_fen=1, amount_fen=1, **told)
    assert refusal.value.details == {"loss_fen": 1, "left_fen": 0}, "not less than nothing"
    assert "超过尚可代偿的 0 分" in refusal.value.zh


DAYS = st.integers(-2, LAST)
FEN = st.integers(1, 120)


class Money(RuleBasedStateMachine):
    """A fund, the risk fund and a loan, told anything of any day; what is accepted is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.things: dict[str, Any] = {
            "fund": Fund(Fund.id_for(2023)),
            "risk": RiskFund(RiskFund.the_id()),
            "loan": new_loan(300),
        }
        self.held: list[tuple[int, int]] = []
        self.payments = 0
        self.kept: list[Envelope[Any]] = list(self.things["loan"].collect_events())

    def accepts(self, act: Callable[[dict[str, Any]], None]) -> bool:
        tried = deepcopy(self.things)
        try:
            act(tried)
        except Refused:
            return False
        self.things = tried
        for thing in tried.values():
            assert isinstance(thing, Aggregate)
            self.kept += thing.collect_events()
        return True

    @rule(day=DAYS, fen=FEN)
    def allocate(self, day: int, fen: int) -> None:
        self.accepts(lambda t: allocated(t["fund"], day, fen))

    @precondition(lambda self: self.things["fund"].allocated)
    @rule(day=DAYS, fen=FEN, data=st.data())
    def correct(self, day: int, fen: int, data: st.DataObject) -> None:
        version = data.draw(st.sampled_from(sorted(self.things["fund"].allocated)))
        self.accepts(lambda t: corrected(t["fund"], day, version, fen))

    @rule(day=DAYS, fen=FEN)
    def reserve(self, day: int, fen: int) -> None:
        told: dict[str, Any] = {"year": 2023, "batch_no": "PC-1", "amount_fen": fen}
        if self.accepts(lambda t: t["fund"].reserve(context(day), **told)):
            self.held.append((day, fen))

    @precondition(lambda self: self.held)
    @rule(later=st.integers(0, 10), spent=st.booleans())
    def end(self, later: int, spent: bool) -> None:
        day, fen = self.held.pop()
        told: dict[str, Any] = {"year": 2023, "batch_no": "PC-1", "amount_fen": fen}
        name = "spend" if spent else "release"
        assert self.accepts(lambda t: getattr(t["fund"], name)(context(day + later), **told))

    @rule(day=DAYS, fen=FEN)
    def fill(self, day: int, fen: int) -> None:
        told: dict[str, Any] = {"payer": "国库", "amount_fen": fen, "voucher": "V"}
        self.accepts(lambda t: t["risk"].pay_in(context(day), **told))

    @rule(day=DAYS, fen=FEN)
    def compensate(self, day: int, fen: int) -> None:
        def act(t: dict[str, Any]) -> None:
            t["loan"].compensate(
                context(day), loss_fen=fen, share_bp=10_000, amount_fen=fen, voucher="V"
            )
            t["risk"].compensate(
                context(day), bank="NRCB", loan_no="L1", amount_fen=fen, voucher="V"
            )

        self.accepts(act)

    @rule(day=DAYS, fen=FEN)
    def recover_compensation(self, day: int, fen: int) -> None:
        def act(t: dict[str, Any]) -> None:
            t["loan"].recover_compensation(context(day), amount_fen=fen, voucher="V")
            t["risk"].recover(context(day), bank="NRCB", loan_no="L1", amount_fen=fen, voucher="V")

        self.accepts(act)

    @rule(day=DAYS, fen=FEN)
    def repay(self, day: int, fen: int) -> None:
        self.accepts(lambda t: repaid(t["loan"], day, fen))

    @rule(day=DAYS, fen=FEN)
    def pay(self, day: int, fen: int) -> None:
        self.payments += 1
        self.accepts(lambda t: paid(t["loan"], day, fen, f"P-{self.payments}"))

    @precondition(lambda self: self.things["loan"].paid)
    @rule(day=DAYS, fen=FEN, data=st.data())
    def recover(self, day: int, fen: int, data: st.DataObject) -> None:
        payment_no = data.draw(st.sampled_from(sorted(self.things["loan"].paid)))
        self.accepts(lambda t: recovered(t["loan"], day, fen, payment_no))

    @invariant()
    def no_day_is_overdrawn(self) -> None:
        for name, moved in movements(self.kept).items():
            held = 0
            for day, fen in sorted(moved.items()):
                held += fen
                assert held >= 0, (name, day, held)


def movements(events: list[Envelope[Any]]) -> dict[str, dict[date, int]]:
    """What moved on each day, by name of what may not fall below zero: from the events alone."""
    found: dict[str, dict[date, int]] = {}
    for name, on, fen in _moved(events):
        of = found.setdefault(name, {})
        of[on] = of.get(on, 0) + fen
    return found


_MOVES: dict[type[Event], dict[str, int]] = {
    Fund.Allocated: {"free": 1},
    Fund.Reserved: {"free": -1, "reserved": 1},
    Fund.Released: {"free": 1, "reserved": -1},
    Fund.Spent: {"reserved": -1},
    RiskFund.PaidIn: {"risk fund": 1},
    RiskFund.Compensated: {"risk fund": -1, "compensated": 1},
    RiskFund.Recovered: {"risk fund": 1, "compensated": -1},
    Loan.Disbursed: {"principal": 1},
    Loan.Repaid: {"principal": -1},
    Loan.SubsidyPaid: {"payment": 1, "not yet paid": -1},
    Loan.SubsidyRecovered: {"payment": -1, "not yet paid": 1},
}
"""By kind of event: what its amount is added to, or taken from."""


def _moved(events: list[Envelope[Any]]) -> Iterator[tuple[str, date, int]]:
    gone = {each.event.corrects for each in events if isinstance(each.event, Fund.Corrected)}
    yield "not yet paid", date.min, DUE_FEN
    for each in events:
        event = each.event
        of_loan = isinstance(event, Loan.Disbursed | Loan.Repaid)
        told: Any = event
        if isinstance(event, Fund.Allocated) and each.originator_version in gone:
            continue
        for name, sign in _MOVES.get(type(event), {}).items():
            fen = told.principal_fen if of_loan else told.amount_fen
            of = f"payment {told.payment_no}" if name == "payment" else name
            yield of, event.effective_on, sign * fen


Money.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestMoney = Money.TestCase
