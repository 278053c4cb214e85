"""Cases in every stage, on what the red flags found: requests, answers, decisions, recoveries."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime
from functools import partial
from typing import Any, Final, NamedTuple

from application.command import Command
from application.commands.case import (
    AskExplanation,
    AssignCase,
    CloseCase,
    DismissCase,
    DocumentGround,
    FindingName,
    GiveExplanation,
    LinkRecovery,
    NoteOnCase,
    OpenCase,
    ProposeDecision,
    RectifyCase,
    ReopenCase,
    UpholdCase,
)
from application.commands.subsidy import RecoverSubsidy, subsidy_due
from domain.calendar import DAY, Period
from domain.case import Found, LoanOfCase
from domain.kernel import Author
from interface.simulation.demo.recent_years.desk import (
    FINANCE,
    INVESTIGATOR,
    SUPERVISOR,
    Desk,
    bank,
)
from projections.schemes import Scheme, all_of, schemes

STAGES: Final = (
    "closed", "upheld", "dismissed", "reopened", "proposed", "assigned", "answered", "opened",
)  # fmt: skip
_RULES: Final = ("RF01", "RF14", "RF11", "RF06", "RF19", "RF21", "RF09", "RF05", "RF07", "RF22")
_TITLES: Final = {
    "RF01": "还款报送迟到造成多贴", "RF14": "贷款挪用", "RF11": "放款后数日即还",
    "RF06": "多家银行合计超限额", "RF19": "放款时被扣款", "RF21": "借款人年龄或身份存疑",
    "RF09": "收款账户非本户", "RF05": "户类别不符仍享受贴息", "RF07": "期限超过三年",
    "RF22": "借款人去世后仍有业务", "RF08": "多户贷款归集一户企业",
}  # fmt: skip
_FIRST, _SECOND = date(2025, 3, 11), date(2026, 10, 15)


class _Look(NamedTuple):
    """What was found at two dates."""

    as_of: date
    known_at: datetime
    schemes: tuple[Scheme, ...]


class Cases:
    """The supervising office. Decided cases of 2025, running ones of this autumn."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._number = 0
        self._taken: set[str] = set()
        desk.on(_FIRST, partial(self._open_some, STAGES[:4]))
        desk.on(_SECOND, partial(self._open_some, STAGES[4:]))

    # ---- opening ------------------------------------------------------------------------

    def _open_some(self, stages: Iterable[str]) -> None:
        """One look at all red flags, and a case for each stage that is wanted."""
        with self.desk.view() as view:
            look = _Look(view.as_of, view.known_at, tuple(schemes(view).schemes))
        left = self._choose(look)
        for stage in stages:
            if left:
                rule, scheme = left.pop(0)
                self._open(look, rule, scheme, stage)

    def _choose(self, look: _Look) -> list[tuple[str, Scheme]]:
        """One scheme of each rule; the ring with the most households is left to others."""
        largest = max(look.schemes, key=lambda scheme: len(scheme.households), default=None)
        chosen: list[tuple[str, Scheme]] = []
        for rule in _RULES:
            for scheme in look.schemes:
                if scheme is largest or scheme.cases or not scheme.loans:
                    continue
                its = {finding.rule for finding in scheme.findings}
                if rule not in its or scheme.id in self._taken or "RF08" in its:
                    continue
                if rule == "RF01" and not any(map(self._over, scheme.loans)):
                    continue
                self._taken.add(scheme.id)
                chosen.append((rule, scheme))
                break
        return chosen

    def _open(self, look: _Look, rule: str, scheme: Scheme, stage: str) -> None:
        self._number += 1
        case_no = f"SJ-{self.desk.today.year}-{self._number:03d}"
        first = next(finding for finding in scheme.findings if finding.rule == rule)
        command = OpenCase(
            ref=f"LA-{case_no}",
            effective_on=self.desk.today,
            case_no=case_no,
            title=_TITLES[rule],
            findings=[FindingName(rule=rule, subject=first.subject)],
            objections=[],
            as_of=look.as_of,
            known_at=look.known_at,
        )
        found: Found = all_of([scheme])
        self.desk.submit(command.seeing(found), SUPERVISOR)
        _Course(self.desk, case_no, found, self._over).enter(stage)

    def _over(self, of_case: LoanOfCase) -> list[tuple[str, Period, int]]:
        """(payment, quarter, fen) of each payment of a loan that was more than is due."""
        loan = self.desk.ledger.loan(of_case.bank, of_case.loan_no)
        found: list[tuple[str, Period, int]] = []
        for payment_no, paid in loan.paid.items():
            period = Period(paid.first, paid.until)
            due, _ = subsidy_due(self.desk.ledger, loan, period)
            over_fen = loan.paid_fen(period.first, period.until) - due.amount_fen
            fen = min(over_fen, loan.kept_fen(payment_no))
            if fen > 0 and period not in {each for _, each, _ in found}:
                found.append((payment_no, period, fen))
        return found


class _Course:
    """How one case goes on, up to the stage that it is to stand in."""

    def __init__(
        self,
        desk: Desk,
        case_no: str,
        found: Found,
        over: Callable[[LoanOfCase], list[tuple[str, Period, int]]],
    ) -> None:
        self.desk, self.case_no, self.found, self._over = desk, case_no, found, over
        self.opened = desk.today
        self._banks = sorted({loan.bank for loan in found.loans})
        self._steps = 0

    def enter(self, stage: str) -> None:
        if stage == "opened":
            return
        self._on(1, self._assign)
        self._on(3, self._ask)
        if stage == "assigned":
            return
        self._on(9, self._explain)
        self._on(12, partial(self._say, NoteOnCase, words="调阅凭证、入户核实，笔录附卷"))
        if stage == "answered":
            return
        upheld = stage != "dismissed"
        why = "事实清楚，应予纠正" if upheld else "银行已提供凭证，与贷款合同一致"
        self._on(16, partial(self._say, ProposeDecision, upheld=upheld, reason=why))
        if stage == "proposed":
            return
        self._decide(stage, upheld)

    def _decide(self, stage: str, upheld: bool) -> None:
        if not upheld:
            self._on(20, partial(self._lead, DismissCase, reason="说明与凭证相符"))
            return
        self._on(20, self._uphold)
        if stage == "upheld":
            return
        self._on(34, self._recover)
        ground = DocumentGround(document=f"整改报告〔{self.opened.year}〕{self.opened.day}号")
        what = "多付贴息已追回；银行修订报送流程"
        self._on(40, partial(self._say, RectifyCase, ground=ground, what=what))
        self._on(47, partial(self._lead, CloseCase, reason="整改到位"))
        if stage == "reopened":
            self._on(160, partial(self._lead, ReopenCase, reason="又有同类反映，重新核查"))

    # ---- the steps ----------------------------------------------------------------------

    def _on(self, days: int, act: Callable[[], object]) -> None:
        self.desk.on(self.opened + days * DAY, act)

    def _told(self) -> dict[str, Any]:
        self._steps += 1
        return {
            "ref": f"{self.case_no}-{self._steps}",
            "effective_on": self.desk.today,
            "case_no": self.case_no,
        }

    def _send(self, kind: type[Command], by: Author, **said: Any) -> None:
        self.desk.submit(kind.model_validate({**self._told(), **said}), by)

    def _say(self, kind: type[Command], **said: Any) -> None:
        self._send(kind, INVESTIGATOR, **said)

    def _lead(self, kind: type[Command], **said: Any) -> None:
        self._send(kind, SUPERVISOR, **said)

    def _assign(self) -> None:
        self._lead(AssignCase, investigator=INVESTIGATOR.person)

    def _ask(self) -> None:
        """Each bank is asked; a case that waits has longer than the county's last day."""
        for code in self._banks[:2]:
            what = "请说明放款、还款报送经过并附凭证"
            until_on = self.desk.today + 40 * DAY
            told = {**self._told(), "ref": f"{self.case_no}-YQ-{code}"}
            ask = AskExplanation.model_validate(
                {**told, "organisation": code, "what": what, "until_on": until_on}
            )
            self.desk.submit(ask, INVESTIGATOR)

    def _explain(self) -> None:
        for code in self._banks[:2]:
            said = {"request_no": f"{self.case_no}-YQ-{code}"}
            explanation = "网点轮岗交接不清，还款次月补报；已提供流水与合同复印件"
            self._send(GiveExplanation, bank(code), explanation=explanation, **said)

    def _uphold(self) -> None:
        over_fen = sum(fen for loan in self.found.loans for _, _, fen in self._over(loan))
        self._lead(UpholdCase, reason="经查属实", amount_fen=over_fen)

    def _recover(self) -> None:
        """What was paid too much comes back, and is counted in the case."""
        for loan in self.found.loans:
            for payment_no, _, fen in self._over(loan):
                told = self._told()
                recovered = self.desk.submit(
                    RecoverSubsidy(
                        ref=f"ZH-{told['ref']}", effective_on=self.desk.today,
                        loan_no=loan.loan_no, bank=loan.bank, payment_no=payment_no,
                        amount_fen=fen, reason="线索认定多付", voucher=f"ZH-{told['ref']}",
                    ),
                    FINANCE,
                )  # fmt: skip
                self._say(LinkRecovery, event_id=recovered.event_ids[0])
