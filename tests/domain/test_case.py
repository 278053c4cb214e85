"""A case, whatever is tried with it in whatever order: who may do what, and what adds up."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID, uuid5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from support import controls
from support.in_memory import InMemoryLedger, recorded, refused
from support.in_memory import given as in_which

from application.command import Command
from application.ledger import Submission
from application.refusals import OrganisationUnknown
from domain.case import (
    STAGES,
    AnswerDayPast,
    BothRoles,
    Case,
    CaseElsewhere,
    CaseNumberTaken,
    CaseUnknown,
    ExplanationMissing,
    Finding,
    Found,
    LoanOfCase,
    NotInvestigator,
    NotRectified,
    NotSupervisor,
    RequestUnknown,
    WrongCaseStage,
    at_stake_fen,
)
from domain.case_register import (
    CaseRegister,
    FindingInCase,
    FindingUnknown,
    NothingToJoin,
    RecoveryElsewhere,
    RecoveryInCase,
)
from domain.kernel import Author, CommandContext, Refused
from domain.loan import Loan
from domain.steps import StepBefore

_SPACE = UUID(int=0)
PEOPLE = ("bao", "cai", "he", "yu")
BANKS = ("NRCB", "PSBC")


def loan(number: int) -> UUID:
    return uuid5(_SPACE, str(number))


def finding(subject: str, amount_fen: int, *loans: int) -> Finding:
    return Finding(
        rule="RF08",
        subject=subject,
        amount_fen=amount_fen,
        positions=(1,),
        loans=tuple(loan(number) for number in loans),
        as_of=date(2024, 5, 1),
        known_at="2024-05-01T00:00:00+00:00",
        seen_position=1,
    )


def found(*findings: Finding) -> Found:
    loans = {id for each in findings for id in each.loans}
    return Found(
        findings,
        tuple(
            LoanOfCase(loan_id=id, bank="NRCB", loan_no=str(id), household_no="H") for id in loans
        ),
    )


def context(
    person: str, day: int = 0, organisation: str = "AUDIT", role: str = "auditor"
) -> CommandContext:
    by = Author(role, organisation, person)
    return CommandContext(by=by, effective_on=date(2024, 5, 6) + timedelta(days=day))


def new_case() -> Case:
    return Case(Case.id_for("XS-1"))


# ---- what is at stake -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("findings", "fen"),
    [
        ([], 0),
        ([("a", 70, (1,)), ("b", 50, (1,))], 70),
        ([("a", 70, (1,)), ("b", 50, (2,))], 120),
        ([("pool", 120, (1, 2, 3)), ("a", 50, (1,)), ("b", 50, (4,))], 170),
        ([("report", 9, ()), ("county", 8, ())], 17),
    ],
)
def test_no_fen_of_one_loan_is_counted_twice(
    findings: list[tuple[str, int, tuple[int, ...]]], fen: int
) -> None:
    assert at_stake_fen(finding(s, amount, *loans) for s, amount, loans in findings) == fen


_findings = st.lists(
    st.builds(
        lambda name, fen, loans: finding(str(name), fen, *loans),
        st.integers(0, 99),
        st.integers(0, 10**9),
        st.sets(st.integers(0, 5), max_size=4),
    ),
    max_size=8,
    unique_by=lambda each: each.subject,
)


@given(_findings, st.randoms(use_true_random=False))
def test_what_is_at_stake_depends_on_no_order_and_never_exceeds_the_sum(
    findings: list[Finding], rng: object
) -> None:
    fen = at_stake_fen(findings)
    assert fen == at_stake_fen(reversed(findings))
    assert fen <= sum(each.amount_fen for each in findings)
    assert fen >= max((each.amount_fen for each in findings), default=0)


# ---- the register ---------------------------------------------------------------------


def test_a_finding_is_in_one_case_and_the_second_is_told_which() -> None:
    register = CaseRegister(CaseRegister.the_id())
    register.enter(context("he"), case_no="XS-1", findings=[finding("a", 1)])

    with pytest.raises(FindingInCase, match="finding_in_case") as refused:
        register.enter(context("he"), case_no="XS-2", findings=[finding("b", 1), finding("a", 2)])
    assert refused.value.details == {"finding": "RF08 a", "case_no": "XS-1"}
    assert register.free([finding("a", 1), finding("b", 1)]) == (finding("b", 1),)
    register.assure_free(["RF08 a"], "XS-1")
    with pytest.raises(NothingToJoin):
        register.enter(context("he"), case_no="XS-1", findings=[])


def test_a_recovery_is_in_one_case() -> None:
    register = CaseRegister(CaseRegister.the_id())
    register.enter_recovery(context("cai"), case_no="XS-1", recovery="x.1")
    with pytest.raises(RecoveryInCase):
        register.enter_recovery(context("cai"), case_no="XS-1", recovery="x.1")


# ---- given, when, then ----------------------------------------------------------------

FOUND = controls.found_of("L1")
ASSIGNED = [controls.case_of(FOUND), controls.assignment()]
PROPOSED = [*ASSIGNED, controls.proposal()]
UPHELD = [*PROPOSED, controls.upholding()]


def case_of(ledger: InMemoryLedger) -> Case:
    return ledger.aggregate(Case, Case.id_for("XS-1"))


def by(person: str, said: Command, organisation: str = "AUDIT") -> Submission:
    return Submission(said, Author("auditor", organisation, person))


def test_a_case_is_opened_once_on_findings_that_are_in_no_case() -> None:
    ledger = in_which(controls.case_of(FOUND))

    again = controls.case_of(controls.found_of("L2", subject="b"), ref="XS-2")
    assert isinstance(refused(ledger, again), CaseNumberTaken)
    same = controls.case_of(FOUND, ref="XS-2", case_no="XS-2")
    assert isinstance(refused(ledger, same), FindingInCase)
    gone = Found((), (), missing=("RF08 b",))
    nothing = controls.case_of(gone, ref="XS-3", case_no="XS-3")
    assert isinstance(refused(ledger, nothing), FindingUnknown)


def test_a_case_is_its_own_offices() -> None:
    ledger = in_which(*ASSIGNED)

    refusal = refused(ledger, by("cai", controls.case_note(), "SUPERVISION"))

    assert isinstance(refusal, CaseElsewhere)
    assert refusal.details["office"] == "AUDIT"
    other = controls.case_note(case_no="XS-9")
    assert isinstance(refused(ledger, other), CaseUnknown)


def test_nobody_supervises_and_investigates_one_case() -> None:
    ledger = in_which(controls.case_of(FOUND))

    assert isinstance(refused(ledger, controls.assignment(investigator="bao")), BothRoles)
    recorded(ledger, controls.assignment())
    refusal = refused(ledger, by("cai", controls.assignment(ref="JB-2", investigator="he")))
    assert isinstance(refusal, BothRoles)
    back = by("he", controls.assignment(ref="JB-2", investigator="bao"))
    assert isinstance(refused(ledger, back), BothRoles), "whoever supervised once"


def test_the_investigator_proposes_and_the_supervisor_decides() -> None:
    ledger = in_which(*ASSIGNED)

    assert isinstance(refused(ledger, by("bao", controls.proposal())), NotInvestigator)
    assert isinstance(refused(ledger, controls.upholding()), WrongCaseStage)
    recorded(ledger, controls.proposal())
    assert isinstance(refused(ledger, by("cai", controls.upholding())), NotSupervisor)
    recorded(ledger, controls.upholding())

    assert case_of(ledger).stage == "upheld"


@pytest.mark.parametrize(("day", "open_still"), [("2024-05-20", True), ("2024-05-21", False)])
def test_a_case_is_decided_when_the_day_of_an_explanation_has_passed(
    day: str, open_still: bool
) -> None:
    asked = controls.explanation_request()
    ledger = in_which(*ASSIGNED, asked, controls.proposal())
    said = controls.dismissal(effective_on=day)

    if open_still:
        assert isinstance(refused(ledger, said), ExplanationMissing)
    else:
        recorded(ledger, said)


def test_an_explanation_is_asked_of_an_organisation_that_there_is_until_the_day_or_later() -> None:
    ledger = in_which(*ASSIGNED)

    nobody = controls.explanation_request(organisation="NOBODY")
    assert isinstance(refused(ledger, nobody), OrganisationUnknown)
    past = controls.explanation_request(until_on="2024-05-06")
    assert isinstance(refused(ledger, past), AnswerDayPast)
    recorded(ledger, controls.explanation_request(until_on="2024-05-07"))


def test_who_was_asked_explains_once_and_to_all_others_there_is_no_such_case() -> None:
    ledger = in_which(*ASSIGNED, controls.explanation_request())

    other = Submission(controls.explanation(), controls.OTHER_BANK)
    assert isinstance(refused(ledger, other), CaseUnknown)
    recorded(ledger, controls.explanation())
    assert isinstance(refused(ledger, controls.explanation(ref="SM-2")), RequestUnknown)


def test_a_proposal_does_not_cover_what_came_after_it() -> None:
    ledger = in_which(*PROPOSED, controls.explanation_request())

    assert isinstance(refused(ledger, controls.upholding()), WrongCaseStage)


def test_an_upheld_case_is_closed_once_something_was_put_right_and_so_again_when_reopened() -> None:
    ledger = in_which(*UPHELD)

    assert isinstance(refused(ledger, controls.closing()), NotRectified)
    recorded(ledger, controls.rectification())
    early = controls.closing(effective_on="2024-05-06")
    assert isinstance(refused(ledger, early), StepBefore)
    recorded(ledger, controls.closing())
    for said in (
        controls.reopening(), controls.proposal(ref="JY-2"), controls.upholding(ref="RD-2"),
    ):  # fmt: skip
        recorded(ledger, said)
    assert isinstance(refused(ledger, controls.closing(ref="BJ-2")), NotRectified)


def test_a_recovery_counts_in_one_case_and_on_a_loan_of_it() -> None:
    lent = [controls.household(), controls.loan(), controls.repay()]
    other_loan = {"loan_no": "L2", "ref": "LN-2"}
    repaid = controls.repay(ref="RP-2", loan_no="L2", principal_fen=1)
    ledger = in_which(*lent, controls.loan(**other_loan), repaid, *ASSIGNED)
    first, second = ledger.all_of(Loan.Repaid)

    def linked(event: Loan.Repaid, ref: str) -> Command:
        return controls.case_recovery(ledger.store.row_of(event).event_id, ref=ref)

    assert isinstance(refused(ledger, linked(second, "ZH-2")), RecoveryElsewhere)
    [event, _] = recorded(ledger, linked(first, "ZH-1"))
    assert isinstance(event, Case.RecoveryLinked)
    assert event.amount_fen == 2_000_000, "the principal; interest was not misused"
    assert isinstance(refused(ledger, linked(first, "ZH-3")), RecoveryInCase)


# ---- any steps in any order -----------------------------------------------------------

_person = st.sampled_from(PEOPLE)
_actor = st.sampled_from(("supervisor", "supervisor", "investigator", "investigator", "anybody"))
"""Who tries a step: mostly one of the two, so that a case gets somewhere."""
_later = st.integers(0, 2)
_REASON = {"reason": "核查属实"}


class AnyCase(RuleBasedStateMachine):
    """Everybody tries everything; a model that is only a few sets says what must hold."""

    def __init__(self) -> None:
        super().__init__()
        self.case = new_case()
        self.day = 0
        self.supervised: set[str] = set()
        self.investigated: set[str] = set()
        self.open_requests: dict[str, tuple[str, int]] = {}
        self.proposed = False
        self.case.open(context("he"), case_no="XS-1", title="归集", found=found(finding("a", 5, 1)))

    def attempt(self, told: CommandContext, step: str, **how: object) -> bool:
        """Whether the step stood; a refusal leaves the case as it was."""
        before = self.case.version
        try:
            getattr(self.case, step)(told, **how)
        except Refused as refusal:
            said = refusal.zh + refusal.en
        else:
            said = None
        assert self.case.version == before + (said is None)
        assert "?" not in (said or ""), "every figure of a text is given"
        return said is None

    def who(self, actor: str) -> str:
        return {"supervisor": self.case.supervisor, "investigator": self.case.investigator}.get(
            actor, "yu"
        )

    def by(self, actor: str, day: int, organisation: str = "AUDIT") -> CommandContext:
        return context(self.who(actor), day, organisation)

    @rule(later=_later)
    def days_pass(self, later: int) -> None:
        self.day += later

    @rule(by=_person, whom=_person)
    def assign(self, by: str, whom: str) -> None:
        if self.attempt(context(by, self.day), "assign", investigator=whom):
            self.supervised.add(by)
            self.investigated.add(whom)
            self.proposed = False

    @rule(by=_actor, bank=st.sampled_from(BANKS), days=st.integers(-1, 3), n=st.integers(0, 9))
    def ask(self, by: str, bank: str, days: int, n: int) -> None:
        told = self.by(by, self.day)
        until = told.effective_on + timedelta(days=days)
        how = {"request_no": f"Q{self.case.version}-{n}", "asked": bank, "what": "为何"}
        if self.attempt(told, "ask", until_on=until, **how):
            assert self.who(by) == self.case.investigator
            assert days >= 0
            self.open_requests[how["request_no"]] = (bank, self.day + days)
            self.proposed = False

    @precondition(lambda self: self.open_requests)
    @rule(bank=st.sampled_from(BANKS), data=st.data())
    def explain(self, bank: str, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(sorted(self.open_requests)))
        told = context("x", self.day, bank, "bank")
        if self.attempt(told, "explain", request_no=request, explanation="说明"):
            assert self.open_requests.pop(request)[0] == bank
            again = {"request_no": request, "explanation": "再次说明"}
            assert not self.attempt(told, "explain", **again)

    @rule(by=_actor, upheld=st.booleans())
    def propose(self, by: str, upheld: bool) -> None:
        if self.attempt(self.by(by, self.day), "propose", upheld=upheld, **_REASON):
            assert self.who(by) == self.case.investigator
            self.proposed = True

    @rule(by=_actor, upheld=st.booleans())
    def decide(self, by: str, upheld: bool) -> None:
        more = {"amount_fen": 1} if upheld else {}
        if self.attempt(
            self.by(by, self.day), "uphold" if upheld else "dismiss", **_REASON, **more
        ):
            assert self.proposed
            assert self.who(by) == self.case.supervisor
            assert all(until < self.day for _, until in self.open_requests.values())
            self.proposed = False

    @rule(by=_actor)
    def rectify(self, by: str) -> None:
        if self.attempt(self.by(by, self.day), "rectify", what="停止贴息"):
            assert self.who(by) == self.case.investigator

    @rule(by=_actor, step=st.sampled_from(["close", "reopen"]))
    def close_or_reopen(self, by: str, step: str) -> None:
        was = self.case.stage
        if self.attempt(self.by(by, self.day), step, **_REASON):
            assert self.who(by) == self.case.supervisor
            assert was in ("upheld", "dismissed", "closed")
            if step == "close" and was == "upheld":
                assert self.case.rectified

    @rule(by=_actor, n=st.integers(0, 3))
    def join(self, by: str, n: int) -> None:
        if self.attempt(self.by(by, self.day), "join", found=found(finding(str(n), 3, n))):
            self.proposed = False

    @rule(by=_actor)
    def another_office_or_an_earlier_day_has_no_say(self, by: str) -> None:
        for told in (self.by(by, self.day, "OTHER"), self.by(by, -1)):
            for step, how in (("note_down", {"words": "x"}), ("close", _REASON)):
                assert not self.attempt(told, step, **how)

    @invariant()
    def nobody_was_ever_both(self) -> None:
        assert not self.supervised & self.investigated

    @invariant()
    def it_is_what_its_events_say(self) -> None:
        again = new_case()
        for event in self.case.pending:
            event.mutate(again)
        mine = {name: value for name, value in vars(self.case).items() if name != "pending"}
        assert mine == {name: value for name, value in vars(again).items() if name != "pending"}
        assert self.case.stage in STAGES


TestAnyCase = AnyCase.TestCase
TestAnyCase.settings = settings(max_examples=80, stateful_step_count=60, deadline=None)
