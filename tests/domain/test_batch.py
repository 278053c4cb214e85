"""A subsidy batch, step by step: each step by another person, none before the one it follows."""

from __future__ import annotations

from datetime import date
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st
from support import controls
from support.in_memory import InMemoryLedger, given, recorded, refused, state_of

from application.command import Command
from application.commands.batch import CorrectResult, OrderPayment, TellResult
from application.ledger import Submission
from application.refusals import NotPermitted, ResultDiffers, ResultIncomplete, ResultTwice
from domain.batch import (
    Batch,
    BatchNumberTaken,
    BatchUnknown,
    FindingMalformed,
    LimitUnknown,
    Line,
    LineNotAnswered,
    LineUnknown,
    NothingToPay,
    NoticeElsewhere,
    NoticeMissing,
    NoticeTooShort,
    ObjectionOpen,
    ObjectionUnknown,
    PeriodNotOver,
    ResultBefore,
    ResultUnchanged,
    Run,
    RunOutdated,
    SamePerson,
    WholeBatchUpheld,
    WrongStage,
)
from domain.fund import Fund, FundExhausted
from domain.kernel import Author, Refused
from domain.loan import Loan, ReturnedTooMuch
from domain.programme import GroundMissing
from domain.steps import StepBefore

DUE_FEN = 46_132
"""Of loan L1 for 2023Q4: 50 000.00 yuan, 91 days, 3.65 %."""
DOCUMENT = {"document": "文〔2024〕1号"}
LEVELS = ("village", "township", "county")
LATER = date(2024, 3, 1)
LINES = (controls.batch_line(1, DUE_FEN), controls.batch_line(2, 1_000))


def run(*lines: Line, batches: int = 0) -> Run:
    return Run(lines, 0, batches)


def notices(**other: Any) -> list[Command | Submission]:
    """A notice at each level, on 2 January 2024, that stands to the 20th."""
    said = [controls.notice(**{"ref": f"GS-{lv}", "level": lv, **other}) for lv in LEVELS]
    return [*said[:2], Submission(said[2], controls.CENTRE)]


FUND = [controls.allocate(amount_fen=DUE_FEN + 1_000)]
VERIFIED = [controls.batch_of(run(*LINES)), controls.verification()]
POSTED = [*VERIFIED, *notices(ground=DOCUMENT)]
APPROVED = [*FUND, *POSTED, controls.approval(on="2024-01-21")]


def order(**other: Any) -> Command:
    return controls.step(OrderPayment, "ZL-1", **{"on": "2024-01-22", "bank": "NRCB", **other})


def result(*items: dict[str, Any], **other: Any) -> Command:
    """What the bank did; by itself: line 1 was paid."""
    results = items or ({"line": 1, "paid": True, "voucher": "V-1"},)
    return controls.step(TellResult, "HP-1", **{"on": "2024-01-23", "results": results, **other})


def correction(line: int, *, paid: bool, **other: Any) -> Command:
    item = {"line": line, "paid": paid, "reason": "错报"} | ({"voucher": "V-9"} if paid else {})
    said = {"on": "2024-01-24", "ground": DOCUMENT, "corrections": [item]}
    return controls.step(CorrectResult, "GZ-1", **said | other)


def ordered(*more: Command | Submission) -> InMemoryLedger:
    """Batch PC-1 of line 1 alone, in a county that knows loan L1; NRCB was told to pay it."""
    lines = controls.batch_of(run(LINES[0]))
    steps = [lines, *APPROVED[2:]]
    return given(controls.household(), controls.loan(), *FUND, *steps, order(), *more, today=LATER)


def batch(ledger: InMemoryLedger) -> Batch:
    return ledger.aggregate(Batch, Batch.id_for("PC-1"))


def money(ledger: InMemoryLedger) -> tuple[int, int, int]:
    """Reserved, paid and free of 2023, in fen."""
    fund = ledger.aggregate(Fund, Fund.id_for(2023))
    return fund.reserved_fen, fund.paid_fen, fund.free_fen


# ---- proposal -------------------------------------------------------------------------


def test_a_batch_number_is_used_once() -> None:
    ledger = given(controls.batch_of(run(*LINES)))

    again = controls.batch_of(run(*LINES, batches=1), ref="PC-2")
    assert isinstance(refused(ledger, again), BatchNumberTaken)


def test_a_batch_rests_on_all_batches_before_it() -> None:
    ledger = given(controls.batch_of(run(*LINES)))
    other = {"ref": "PC-2", "batch_no": "PC-2"}

    assert isinstance(refused(ledger, controls.batch_of(run(*LINES), **other)), RunOutdated)
    recorded(ledger, controls.batch_of(run(*LINES, batches=1), **other))


def test_a_batch_is_proposed_on_the_day_after_its_quarter_and_estimated_before() -> None:
    ledger = given()

    early = controls.batch_of(run(*LINES), effective_on="2023-12-20")
    assert isinstance(refused(ledger, early), PeriodNotOver)
    estimate = {"ref": "CS-1", "batch_no": "CS-1", "estimate": True}
    recorded(ledger, controls.batch_of(run(*LINES), effective_on="2023-12-20", **estimate))
    recorded(ledger, controls.batch_of(run(*LINES), effective_on="2023-12-21"))


def test_an_estimate_is_not_paid_on() -> None:
    refusal = refused(given(controls.batch_of(run(*LINES), estimate=True)), controls.verification())

    assert isinstance(refusal, WrongStage)
    assert refusal.details["stage"] == "estimated"


def test_a_batch_without_lines_is_not_proposed() -> None:
    assert isinstance(refused(given(), controls.batch_of(run())), NothingToPay)


def test_a_batch_that_there_is_not_takes_no_step() -> None:
    for said in (
        controls.verification(), controls.notice(), controls.objection(), controls.resolution(),
        controls.lifting(), controls.approval(), controls.return_of_batch(), order(), result(),
        correction(1, paid=False),
    ):  # fmt: skip
        assert isinstance(refused(given(), said), BatchUnknown), said


# ---- verification and notice ----------------------------------------------------------


def test_no_step_is_dated_before_the_one_it_follows() -> None:
    ledger = given(controls.batch_of(run(*LINES)), *FUND)

    assert isinstance(refused(ledger, controls.verification(on="2023-12-21")), StepBefore)
    recorded(ledger, controls.verification(on="2023-12-22"))
    early, on_the_day = {"on": "2023-12-21"}, {"on": "2023-12-22", "ground": DOCUMENT}
    assert isinstance(refused(ledger, controls.notice(**early)), StepBefore)
    assert isinstance(refused(ledger, controls.objection(**early)), StepBefore)
    for said in notices(**on_the_day):
        recorded(ledger, said)
    recorded(ledger, controls.objection(on="2024-01-22", line=1))
    answer = {"upheld": False}
    assert isinstance(refused(ledger, controls.resolution(on="2024-01-21", **answer)), StepBefore)
    recorded(ledger, controls.resolution(on="2024-01-22", **answer))
    assert isinstance(refused(ledger, controls.approval(on="2024-01-21")), StepBefore)
    recorded(ledger, controls.approval(on="2024-01-22"))
    assert isinstance(refused(ledger, order(on="2024-01-21")), StepBefore)


def test_whoever_proposed_a_batch_does_not_verify_it() -> None:
    ledger = given(controls.batch_of(run(*LINES)))
    qin_of_the_bureau = Author("bureau", "BUREAU", controls.CENTRE.person)

    refusal = refused(ledger, Submission(controls.verification(), qin_of_the_bureau))

    assert isinstance(refusal, SamePerson)
    assert refusal.details["before_en"] == "proposed"


@pytest.mark.parametrize(("until_on", "days"), [("2024-01-10", 9), ("2024-01-11", 10)])
def test_a_notice_stands_ten_days_its_first_and_its_last_counted(until_on: str, days: int) -> None:
    ledger = given(*VERIFIED)
    said = controls.notice(until_on=until_on)

    if days < 10:
        refusal = refused(ledger, said)
        assert isinstance(refusal, NoticeTooShort)
        assert refusal.details["days"] == days
    else:
        recorded(ledger, said)


def test_a_township_posts_its_own_notices_and_the_centre_the_countys() -> None:
    ledger = given(*VERIFIED)
    of_the_county = controls.notice(level="county")

    assert isinstance(refused(ledger, of_the_county), NoticeElsewhere)
    assert isinstance(
        refused(ledger, Submission(controls.notice(), controls.CENTRE)), NoticeElsewhere
    )
    assert isinstance(
        refused(ledger, Submission(controls.notice(), controls.OTHER_TOWNSHIP)), NoticeElsewhere
    )
    assert isinstance(refused(ledger, Submission(controls.notice(), controls.BANK)), NotPermitted)
    recorded(ledger, Submission(of_the_county, controls.CENTRE))


@pytest.mark.parametrize("missing", range(3))
def test_a_batch_is_approved_when_it_was_posted_at_every_level(missing: int) -> None:
    posted = notices(ground=DOCUMENT)
    ledger = given(*FUND, *VERIFIED, *posted[:missing], *posted[missing + 1 :])

    refusal = refused(ledger, controls.approval(on="2024-01-21"))
    assert isinstance(refusal, NoticeMissing)
    assert LEVELS[missing] in refusal.en
    recorded(ledger, posted[missing])
    recorded(ledger, controls.approval(on="2024-01-21"))


def test_a_batch_is_approved_on_the_day_after_the_last_day_of_its_notices() -> None:
    ledger = given(*FUND, *POSTED)

    refusal = refused(ledger, controls.approval(on="2024-01-20"))
    assert isinstance(refusal, NoticeMissing)
    assert "stands to 2024-01-20" in refusal.en
    recorded(ledger, controls.approval(on="2024-01-21"))


@pytest.mark.parametrize(("recorded_on", "counts"), [(date(2024, 1, 11), True),
                                                     (date(2024, 1, 12), False)])  # fmt: skip
def test_a_notice_without_a_document_counts_from_the_day_of_its_recording(
    recorded_on: date, counts: bool
) -> None:
    ledger = given(*FUND, *VERIFIED, today=recorded_on)
    for said in notices():
        recorded(ledger, said)
    ledger.day = date(2024, 1, 21)

    if counts:
        recorded(ledger, controls.approval(on="2024-01-21"))
    else:
        assert isinstance(refused(ledger, controls.approval(on="2024-01-21")), NoticeMissing)


# ---- objections -----------------------------------------------------------------------


def test_a_batch_with_an_open_objection_is_not_approved() -> None:
    ledger = given(*FUND, *POSTED, controls.objection(line=1))

    assert isinstance(refused(ledger, controls.approval(on="2024-01-21")), ObjectionOpen)
    recorded(ledger, controls.resolution(upheld=False))
    recorded(ledger, controls.approval(on="2024-01-21"))


def test_an_objection_is_to_a_line_that_there_is_and_answered_once() -> None:
    ledger = given(*VERIFIED, controls.objection(line=2))

    assert isinstance(refused(ledger, controls.objection(ref="YY-2", line=3)), LineUnknown)
    unknown = controls.resolution(objection_no="YY-9")
    assert isinstance(refused(ledger, unknown), ObjectionUnknown)
    recorded(ledger, controls.resolution())
    assert isinstance(refused(ledger, controls.resolution(ref="CL-2")), ObjectionUnknown)

    assert [line.line for line in batch(ledger).payable] == [1]


def test_an_objection_to_the_whole_batch_is_upheld_by_returning_it() -> None:
    ledger = given(*VERIFIED, controls.objection())

    assert isinstance(refused(ledger, controls.resolution()), WholeBatchUpheld)
    recorded(ledger, controls.return_of_batch())


def test_nobody_answers_his_own_objection_nor_lifts_what_he_upheld() -> None:
    ledger = given(*VERIFIED, Submission(controls.objection(line=1), controls.CENTRE))

    assert isinstance(refused(ledger, controls.resolution(finding="other")), SamePerson)
    answer = controls.resolution(finding="other")
    recorded(ledger, Submission(answer, controls.BUREAU))
    assert isinstance(refused(ledger, Submission(controls.lifting(), controls.BUREAU)), SamePerson)
    recorded(ledger, controls.lifting())


@pytest.mark.parametrize(
    ("finding", "amount_fen", "upheld", "possible"),
    [("amount", None, True, False), ("amount", 0, True, True), ("diverted", None, True, True),
     ("diverted", 1, True, True), ("not_eligible", 1, True, False), ("other", 1, True, False),
     (None, 1, True, False), ("other", None, False, False), (None, None, False, True)],
)  # fmt: skip
def test_a_finding_says_an_amount_where_one_is_right(
    finding: str | None, amount_fen: int | None, upheld: bool, possible: bool
) -> None:
    ledger = given(*VERIFIED, controls.objection(line=1))
    said = controls.resolution(upheld=upheld, finding=finding, amount_fen=amount_fen)

    if possible:
        recorded(ledger, said)
    else:
        assert isinstance(refused(ledger, said), FindingMalformed)


@pytest.mark.parametrize(
    ("finding", "quarter", "before", "after"),
    [("not_eligible", 0, 0, 0), ("diverted", 0, None, 0), ("other", 0, None, None)],
)
def test_what_was_upheld_limits_its_quarter_and_those_that_follow_from_it(
    finding: str, quarter: int, before: int | None, after: int | None
) -> None:
    ledger = given(*VERIFIED, controls.objection(line=1), controls.resolution(finding=finding))
    loan = ledger.loan("NRCB", "L1")
    days = (date(2023, 6, 21), date(2023, 9, 21), date(2023, 12, 21))

    assert [loan.most_fen(first) for first in days] == [before, quarter, after]
    recorded(ledger, Submission(controls.lifting(), controls.BUREAU))
    assert [ledger.loan("NRCB", "L1").most_fen(first) for first in days] == [None] * 3


def test_a_limit_is_lifted_once_by_a_document_on_the_day_of_the_finding_or_later() -> None:
    ledger = given(*VERIFIED, controls.objection(line=1), controls.resolution(finding="other"))

    def by_the_bureau(**other: Any) -> Submission:
        return Submission(controls.lifting(**other), controls.BUREAU)

    assert isinstance(refused(ledger, by_the_bureau(ground=None)), GroundMissing)
    assert isinstance(refused(ledger, by_the_bureau(objection_no="YY-2")), LimitUnknown)
    assert isinstance(refused(ledger, by_the_bureau(on="2024-01-01")), StepBefore)
    recorded(ledger, by_the_bureau())
    assert isinstance(refused(ledger, by_the_bureau(ref="JC-2")), LimitUnknown)


# ---- approval, order, result ----------------------------------------------------------


def test_an_approval_needs_all_its_money_on_its_day_and_reserves_it() -> None:
    one_fen_less = controls.allocate(amount_fen=DUE_FEN + 999)
    ledger = given(one_fen_less, *POSTED)

    refusal = refused(ledger, controls.approval(on="2024-01-21"))
    assert isinstance(refusal, FundExhausted)
    assert refusal.details["free_fen"] == DUE_FEN + 999
    recorded(ledger, controls.allocate(ref="XD-2", amount_fen=1))
    recorded(ledger, controls.approval(on="2024-01-21"))

    assert money(ledger) == (DUE_FEN + 1_000, 0, 0)


def test_a_batch_of_recoveries_alone_pays_nothing() -> None:
    asked_back = controls.batch_line(1, DUE_FEN, kind="recovery")
    posted = Submission(controls.notice(level="county", ground=DOCUMENT), controls.CENTRE)
    ledger = given(controls.batch_of(run(asked_back)), controls.verification(), posted)

    assert isinstance(refused(ledger, controls.approval(on="2024-01-21")), NothingToPay)


def test_a_batch_is_returned_until_its_money_is_ordered_and_frees_what_it_held() -> None:
    ledger = given(*APPROVED, controls.return_of_batch(on="2024-01-22"))
    assert money(ledger) == (0, 0, DUE_FEN + 1_000)
    assert isinstance(refused(ledger, order()), WrongStage)

    too_late = controls.return_of_batch(on="2024-01-23")
    assert isinstance(refused(ordered(), too_late), WrongStage)


def test_a_line_that_is_due_less_by_now_is_held_and_its_money_free() -> None:
    one_fen_more = controls.batch_line(1, DUE_FEN + 1)
    steps = [controls.batch_of(run(one_fen_more)), *APPROVED[2:]]
    ledger = given(controls.household(), controls.loan(), *FUND, *steps, today=LATER)

    [event, *_] = recorded(ledger, order())

    assert isinstance(event, Batch.Ordered)
    assert (event.lines, [held.line for held in event.held]) == ((), [1])
    assert money(ledger)[0] == 0
    assert isinstance(refused(ledger, order(ref="ZL-2")), NothingToPay)


def test_whoever_approved_a_batch_does_not_order_its_money() -> None:
    ledger = given(*APPROVED)

    assert isinstance(refused(ledger, Submission(order(), controls.FINANCE)), SamePerson)


def test_a_bank_answers_for_the_lines_that_it_was_told_to_pay() -> None:
    ledger = ordered()

    other_bank = Submission(result(), controls.OTHER_BANK)
    assert isinstance(refused(ledger, other_bank), LineUnknown)
    assert isinstance(refused(ledger, result(on="2024-01-21")), StepBefore)
    paid = {"line": 1, "paid": True, "voucher": "V-1"}
    assert isinstance(refused(ledger, result(paid, paid)), ResultTwice)
    assert isinstance(refused(ledger, result({"line": 1, "paid": True})), ResultIncomplete)
    assert isinstance(refused(ledger, result({"line": 1, "paid": False})), ResultIncomplete)
    assert isinstance(refused(ledger, result(paid | {"amount_fen": DUE_FEN - 1})), ResultDiffers)
    recorded(ledger, result(paid | {"amount_fen": DUE_FEN}))
    refusal = refused(ledger, result(paid, ref="HP-2"))

    assert isinstance(refusal, LineUnknown)
    assert "result-corrections" in refusal.en
    assert money(ledger) == (0, DUE_FEN, 1_000)


def test_a_result_is_corrected_by_another_one_on_its_day_or_later() -> None:
    ledger = ordered()

    assert isinstance(refused(ledger, correction(1, paid=False)), LineNotAnswered)
    recorded(ledger, result({"line": 1, "paid": False, "reason": "户名不符"}))
    assert money(ledger) == (0, 0, DUE_FEN + 1_000)
    assert isinstance(refused(ledger, correction(1, paid=False)), ResultUnchanged)
    assert isinstance(refused(ledger, correction(1, paid=True, on="2024-01-22")), ResultBefore)
    assert isinstance(refused(ledger, correction(1, paid=True, ground=None)), GroundMissing)
    recorded(ledger, correction(1, paid=True, on="2024-01-23"))

    assert money(ledger) == (0, DUE_FEN, 1_000)
    assert list(ledger.loan("NRCB", "L1").paid) == ["PC-1-1"]


def test_a_payment_that_came_back_and_was_made_again_has_another_number() -> None:
    ledger = ordered(result(), correction(1, paid=False))
    assert money(ledger) == (0, 0, DUE_FEN + 1_000)

    recorded(ledger, correction(1, paid=True, ref="GZ-2", on="2024-01-25"))

    assert list(ledger.loan("NRCB", "L1").paid) == ["PC-1-1", "PC-1-1.2"]
    assert ledger.loan("NRCB", "L1").kept_fen("PC-1-1") == 0
    assert money(ledger) == (0, DUE_FEN, 1_000)


def test_a_payment_of_which_a_fen_was_recovered_did_not_come_back_whole() -> None:
    back = {"payment_no": "PC-1-1", "effective_on": "2024-01-23", "amount_fen": 1}
    ledger = ordered(result(), controls.recover(**back))

    refusal = refused(ledger, correction(1, paid=False))

    assert isinstance(refusal, ReturnedTooMuch)
    assert refusal.details["recovered_fen"] == 1
    assert len(ledger.all_of(Loan.SubsidyReturned)) == 0


# ---- any steps in any order -----------------------------------------------------------

_STEPS = {
    "verify": lambda n, by: Submission(controls.verification(ref=f"R-{n}"), by),
    "post": lambda n, by: Submission(
        controls.notice(ref=f"R-{n}", ground=DOCUMENT, level="county" if by.role == "centre"
                        else LEVELS[n % 2]), by),
    "object": lambda n, by: Submission(controls.objection(ref=f"R-{n}", line=1 + n % 2), by),
    "resolve": lambda n, by: Submission(
        controls.resolution(ref=f"R-{n}", objection_no=f"R-{n - 1}", upheld=n % 3 == 0), by),
    "approve": lambda n, by: Submission(controls.approval(ref=f"R-{n}", on="2024-01-21"), by),
    "order": lambda n, by: Submission(order(ref=f"R-{n}"), by),
    "return": lambda n, by: Submission(controls.return_of_batch(ref=f"R-{n}", on="2024-01-23"), by),
    "result": lambda n, by: Submission(
        result({"line": 1, "paid": n % 2 == 0, "voucher": "V", "reason": "x"}, ref=f"R-{n}"), by),
}  # fmt: skip
_ROLES = {
    "verify": "bureau", "post": "township", "object": "auditor", "resolve": "centre",
    "approve": "finance", "order": "finance", "return": "finance", "result": "bank",
}  # fmt: skip
_ORGANISATIONS = {
    "bureau": "BUREAU", "township": "T01", "centre": "CENTRE", "auditor": "AUDIT",
    "finance": "FINANCE", "bank": "NRCB",
}  # fmt: skip
_TRIES = st.lists(
    st.tuples(
        st.sampled_from(["verify", "post", "post", "post", "object", "resolve", "approve",
                         "order", "return", "result"]),
        st.sampled_from("abcde"), st.booleans(),
    ),
    max_size=25,
)  # fmt: skip


@hypothesis.settings(max_examples=60)
@hypothesis.given(_TRIES)
def test_whatever_is_tried_no_person_takes_two_steps_and_no_fen_is_lost(
    tries: list[tuple[str, str, bool]],
) -> None:
    ledger = given(*FUND, controls.household(), controls.loan(), today=LATER)
    recorded(ledger, Submission(VERIFIED[0], Author("centre", "CENTRE", "a")))
    for number, (step, person, by_the_centre) in enumerate(tries):
        role = "centre" if step == "post" and by_the_centre else _ROLES[step]
        try:
            by = Author(role, _ORGANISATIONS[role], person)
            recorded(ledger, _STEPS[step](number, by))
        except Refused:
            continue

    found = batch(ledger)
    assert len(set(found.people.values())) == len(found.people)
    reserved_fen, paid_fen, free_fen = money(ledger)
    assert reserved_fen + paid_fen + free_fen == DUE_FEN + 1_000
    assert reserved_fen == sum(line.amount_fen for line in found.reserved)
    assert paid_fen == sum(
        found.lines[line].amount_fen for line, said in found.answers.items() if said.said == "paid"
    )
    assert state_of(found) == state_of(batch(ledger.replayed()))
