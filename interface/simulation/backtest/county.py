"""The back-test county: the demo county's machinery, with further misuse and honest noise."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from application.commands.loan import CheckUsage, RepayLoan
from application.ledger import Submission
from interface.simulation.backtest.fraud_cases import FraudCases
from interface.simulation.backtest.honest import Honest
from interface.simulation.backtest.labels import RECKONED, Entity, Label, Noise, entities, of_demo
from interface.simulation.backtest.newcomers import NEWCOMER, Newcomers
from interface.simulation.backtest.offices import Irregular, Regular
from interface.simulation.demo import statements as say
from interface.simulation.demo.county import County
from interface.simulation.demo.life_events import CORRECT, REPORTED_MONTHS
from interface.simulation.demo.misuse import Misuse
from interface.simulation.demo.plans import HouseholdPlan, LoanPlan, Planner
from interface.simulation.demo.random_source import LAST_DAY, working_day
from interface.simulation.demo.statements import Correction


class BacktestCounty(County):
    """Always the same for the same seed, factor and people; `with_fraud=False`: only honest people.

    What goes wrong in an honest county goes wrong by negligence (a late reminder), and is labelled.
    """

    def __init__(self, seed: int, factor: float, *, with_fraud: bool = True) -> None:
        self.with_fraud = with_fraud
        self._miscounted: list[Noise] = []
        super().__init__(seed, factor)

    def _plant(self, planner: Planner) -> Misuse:
        return super()._plant(planner) if self.with_fraud else Misuse()

    def _further(self, planner: Planner, misuse: Misuse) -> list[HouseholdPlan]:
        new = Newcomers(planner, self._rng("newcomers"), misuse, self._calendar)
        self._honest = Honest(new, self._scaled)
        self._honest.plan()
        self._fraud_cases = FraudCases(new, self._scaled)
        self.offices: Regular
        if self.with_fraud:
            self.offices = Irregular(new, self._fraud_cases.unpaid)
            self._fraud_cases.plan()
        else:
            self.offices = Regular(new)
        return new.households

    def _report(self, misuse: Misuse) -> None:
        """As in the demo; some banks miscount, see it within weeks, and correct their report."""
        super()._report(misuse)
        rng = self._rng("miscounted")
        told = [
            (on, place)
            for on, entries in sorted(self._calendar.days.items())
            for place, (_, make, args) in enumerate(entries)
            if make is say.scale_report and args[:2] not in misuse.inflated
        ]
        for on, place in rng.shuffled(told)[: 1 + self._scaled(8)]:
            self._miscount(on, place, rng.between(10, 40))

    def _miscount(self, on: int, place: int, days: int) -> None:
        corrected = working_day(on + days)
        if corrected > LAST_DAY:
            return
        rank, make, args = self._calendar.days[on][place]
        bank, period, _, loans, households, balance_fen, disbursed_fen = args
        wrong = (loans + 2, households + 1, balance_fen + 8_000_000, disbursed_fen)
        self._calendar.days[on][place] = rank, make, (bank, period, on, *wrong)
        command, by = make(*args)
        ref = command.ref
        body = command.model_dump(mode="json", exclude={"ref"}, exclude_none=True)
        self._calendar.corrected.add(ref)
        self._calendar.add(corrected, corrected, CORRECT, Correction, ref, by, f"GZ-{ref}",
                           corrected, "报表统计有误", body)  # fmt: skip
        self._miscounted.append(
            Noise("report_corrected", frozenset({("bank", bank), ("period", period)}))
        )

    def _review(self) -> None:
        """What was planted is not put right by chance."""
        for loan in self.loans:
            loan.known_late = loan.known_late and loan.scheme != NEWCOMER
        super()._review()

    def _pay(self, misuse: Misuse) -> None:
        super()._pay(misuse)
        for on, payments in self._payments.items():
            self._payments[on] = [each for each in payments if self.offices.pays(each)]

    def labels(self) -> list[Label]:
        """Every planted case, and what the demo's machinery noted by the way."""
        demo = [of_demo(each) for each in self.misuse.planted if each.kind not in RECKONED]
        return [*demo, *self._fraud_cases.labels(), *self.offices.labels()]

    def noises(self) -> list[Noise]:
        """Every honest behaviour that may look like misuse."""
        return [
            *self._by_the_way(),
            *self._not_yet_corrected(),
            *self._miscounted,
            *self._honest.noises(),
            *self.offices.noises(),
        ]

    def mistold(self) -> Iterator[tuple[LoanPlan, frozenset[Entity]]]:
        """Loans with a repayment whose wrong day or amount nobody has corrected by the last day.

        From then on the bank's own reports, which are right, differ from the ledger: these reports.
        """
        loans = {(loan.bank, loan.no): loan for loan in self.loans}
        months = [f"{year}-{month:02d}" for year, month in REPORTED_MONTHS]
        for today in self.days():
            for statement in today.statements:
                command = statement.command if isinstance(statement, Submission) else None
                if not isinstance(command, RepayLoan) or command.ref in self.corrected:
                    continue
                loan = loans[statement.by.organisation, command.loan_no]
                said = command.effective_on.toordinal(), command.principal_fen
                if command.principal_fen and said not in {repaid[:2] for repaid in loan.repaid}:
                    since = f"{command.effective_on - timedelta(days=31):%Y-%m}"
                    periods = {("period", each) for each in months if each >= since}
                    yield loan, frozenset({("bank", loan.bank), *periods})

    def _not_yet_corrected(self) -> Iterator[Noise]:
        """To the ledger the loan is still open: it wants checks, and its bank reports one less."""
        for loan, reports in self.mistold():
            yield Noise("mistold_and_not_corrected", entities(loans=[loan], more=reports))

    def _by_the_way(self) -> Iterator[Noise]:
        """Corrections, and borrowers who were out when the check came."""
        loans = {(loan.bank, loan.no): loan for loan in self.loans}
        for today in self.days():
            for statement in today.statements:
                command = statement.command if isinstance(statement, Submission) else None
                if isinstance(command, CheckUsage) and not command.borrower_met:
                    out = entities(loans=[loans[command.bank or "", command.loan_no]])
                    yield Noise("not_at_home", out, "RF09")
                if isinstance(statement, Correction) and statement.of[:2] in ("FK", "HK"):
                    kind, of = statement.of[:2], statement.of[3:]
                    number = of if kind == "FK" else of[:-3]
                    loan = loans[statement.by.organisation, number]
                    more = [("day", str((statement.replacement or {}).get("effective_on")))]
                    concerned = entities(loans=[loan], more=more)
                    yield Noise("corrected_by_the_bank", concerned, "RF23")
