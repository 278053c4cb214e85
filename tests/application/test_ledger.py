"""The conversation with the ledger: told twice, told differently, told at once, taken back."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import psycopg
import pytest
import rfc8785
from support import controls
from support.controls import (
    ADMIN,
    BANK,
    BUREAU,
    FINANCE,
    OTHER_BANK,
    OTHER_TOWNSHIP,
    TOWNSHIP,
)
from support.county import SteppingClock, conversation, refusal, told

from application.ledger import Ledger, Recorded, Submission
from application.refusals import (
    DatedInFuture,
    EventUnknown,
    LoanAmbiguous,
    NotPermitted,
    ReferenceReused,
    ReplacementElsewhere,
)
from domain.household import HouseholdUnknown
from domain.kernel import NotCorrectable, Refused
from domain.loan import (
    BeforeDisbursement,
    Loan,
    LoanStillHasEvents,
    LoanUnknown,
    QuarterNotClosed,
    RepaidTooMuch,
    SubsidyExceedsDue,
)


@pytest.fixture
def ledger(database: Any) -> Iterator[Ledger]:
    with conversation(database) as ledger:
        yield ledger


def test_the_same_repayment_told_twice_is_recorded_once(ledger: Ledger) -> None:
    told(ledger, (controls.loan(), BANK))

    first = ledger.submit(controls.repay(), BANK)
    second = ledger.submit(controls.repay(), BANK)

    assert (first.again, second.again) == (False, True)
    assert (second.position, second.recorded_at) == (first.position, first.recorded_at)
    assert ledger.log.events_of_commands([second.position]) == {second.position: list(first.events)}


def test_what_was_told_before_is_answered_as_then_even_if_it_would_be_refused_now(
    ledger: Ledger,
) -> None:
    everything = controls.repay(principal_fen=5_000_000)
    _, first = told(ledger, (controls.loan(), BANK), (everything, BANK))

    second = ledger.submit(everything, BANK)

    assert (second.position, second.again) == (first.position, True)


@pytest.mark.parametrize("atomic", [False, True])
def test_among_new_commands_those_told_before_are_answered_as_then(
    ledger: Ledger, atomic: bool
) -> None:
    """References are taken for new until the log refuses one: nothing of that try may remain."""
    _, first = told(
        ledger, (controls.loan(), BANK), (controls.repay(principal_fen=3_000_000), BANK)
    )
    position = ledger.log.last_position()

    before, repeated, after = ledger.submit_all(
        [
            Submission(controls.repay(ref="RP-2", principal_fen=1_000_000), BANK),
            Submission(controls.repay(principal_fen=3_000_000), BANK),
            Submission(controls.repay(ref="RP-3", principal_fen=1_000_000), BANK),
        ],
        atomic=atomic,
    )

    assert isinstance(before, Recorded) and isinstance(after, Recorded)
    assert repeated == Recorded(first.position, first.recorded_at, (), again=True)
    assert [before.position, after.position] == [position + 1, position + 2]
    assert ledger.log.last_position() == position + 3  # the last repayment settles the loan


def test_of_an_atomic_batch_that_is_refused_those_told_before_are_answered_as_then(
    ledger: Ledger,
) -> None:
    _, first = told(ledger, (controls.loan(), BANK), (controls.repay(), BANK))

    repeated, refused = ledger.submit_all(
        [
            Submission(controls.repay(), BANK),
            Submission(controls.repay(ref="RP-2", principal_fen=9_000_000), BANK),
        ],
        atomic=True,
    )

    assert repeated == Recorded(first.position, first.recorded_at, (), again=True)
    assert isinstance(refused, RepaidTooMuch)


def test_a_large_batch_told_again_is_answered_as_then(ledger: Ledger) -> None:
    told(ledger, (controls.loan(), BANK))
    repayments = [
        Submission(controls.repay(ref=f"RP-{number}", principal_fen=1), BANK)
        for number in range(400)
    ]

    first = ledger.submit_all(repayments[:399])
    second = ledger.submit_all(repayments)

    assert [outcome.position for outcome in second if isinstance(outcome, Recorded)] == [
        *(outcome.position for outcome in first if isinstance(outcome, Recorded)),
        ledger.log.last_position(),
    ]
    assert [outcome.again for outcome in second if isinstance(outcome, Recorded)] == (
        [True] * 399 + [False]
    )


def test_one_reference_with_another_content_is_refused_by_name(ledger: Ledger) -> None:
    told(ledger, (controls.loan(), BANK), (controls.repay(), BANK))

    refused = refusal(ledger, controls.repay(interest_fen=1), BANK)

    assert isinstance(refused, ReferenceReused)
    assert refused.details["ref"] == "RP-1"


def test_two_banks_may_use_the_same_reference_and_the_same_loan_number(ledger: Ledger) -> None:
    ours, theirs = told(ledger, (controls.loan(), BANK), (controls.loan(), OTHER_BANK))

    assert not theirs.again
    assert ours.event_ids[0] != theirs.event_ids[0]


def test_a_refused_reference_may_be_told_again_when_it_has_become_right(ledger: Ledger) -> None:
    assert isinstance(refusal(ledger, controls.repay(), BANK), LoanUnknown)

    told(ledger, (controls.loan(), BANK), (controls.repay(), BANK))


def test_one_reference_twice_in_one_batch_is_recorded_once(ledger: Ledger) -> None:
    told(ledger, (controls.loan(), BANK))

    first, same, other = ledger.submit_all(
        [
            Submission(controls.repay(), BANK),
            Submission(controls.repay(), BANK),
            Submission(controls.repay(interest_fen=7), BANK),
        ]
    )

    assert isinstance(first, Recorded)
    assert isinstance(same, Recorded)
    assert (first.again, same.again) == (False, True)
    assert same.event_ids == first.event_ids
    assert isinstance(other, ReferenceReused)


def test_an_atomic_batch_with_one_refusal_leaves_the_log_as_it_was(ledger: Ledger) -> None:
    told(ledger, (controls.loan(), BANK))
    before = ledger.log.last_position()

    outcomes = ledger.submit_all(
        [
            Submission(controls.repay(), BANK),
            Submission(controls.repay(ref="RP-2", principal_fen=9_000_000), BANK),
        ],
        atomic=True,
    )

    assert isinstance(outcomes[1], RepaidTooMuch)
    assert ledger.log.last_position() == before
    assert not ledger.submit(controls.repay(), BANK).again


def test_a_refusal_after_others_in_the_batch_disturbs_none_of_them(
    ledger: Ledger, database: Any
) -> None:
    """A correction may be refused after it has begun: what it began is undone, no more."""
    _, repaid = told(ledger, (controls.loan(), BANK), (controls.repay(), BANK))

    outcomes = ledger.submit_all(
        [
            Submission(controls.repay(ref="RP-2", principal_fen=1_000_000), BANK),
            Submission(
                controls.correct(
                    repaid.event_ids[0],
                    replacement=controls.body(controls.repay(principal_fen=4_500_000)),
                ),
                BANK,
            ),
            Submission(controls.repay(ref="RP-3", principal_fen=2_000_000), BANK),
        ]
    )

    assert isinstance(outcomes[0], Recorded)
    assert isinstance(outcomes[1], RepaidTooMuch)
    assert isinstance(outcomes[2], Recorded)
    with conversation(database) as replayed:
        loan = replayed.loan("NRCB", "L1")
    assert loan.outstanding_fen == 0
    assert loan.settled is not None


def test_two_conversations_decide_on_each_others_events(database: Any) -> None:
    with conversation(database) as one, conversation(database) as two:
        told(one, (controls.loan(), BANK))
        assert two.loan("NRCB", "L1").outstanding_fen == 5_000_000
        one.submit(controls.repay(principal_fen=4_000_000), BANK)

        refused = refusal(two, controls.repay(ref="RP-2", principal_fen=2_000_000), BANK)
        two.submit(controls.repay(ref="RP-3", principal_fen=1_000_000), BANK)

        assert isinstance(refused, RepaidTooMuch)
        assert refused.details["owed_fen"] == 1_000_000


def test_of_many_who_repay_the_last_of_a_debt_at_once_only_one_is_recorded(database: Any) -> None:
    with conversation(database) as ledger:
        told(ledger, (controls.loan(), BANK))

    def repay(number: int) -> bool:
        with conversation(database) as ledger:
            command = controls.repay(ref=f"RP-{number}", principal_fen=3_000_000)
            [outcome] = ledger.submit_all([Submission(command, BANK)])
            return isinstance(outcome, Recorded)

    with ThreadPoolExecutor(6) as threads:
        recorded = list(threads.map(repay, range(6)))

    assert recorded.count(True) == 1


def test_positions_have_no_gaps_and_recorded_at_only_grows(database: Any) -> None:
    behind = SteppingClock(datetime(2026, 1, 1, tzinfo=UTC))
    with conversation(database, clock=behind) as ledger:
        told(ledger, (controls.loan(), BANK))
        behind.now -= timedelta(days=3)
        told(ledger, (controls.repay(), BANK), (controls.repay(ref="RP-2"), BANK))
        rows = ledger.log.connection.execute(
            "SELECT position, recorded_at FROM ledger.event ORDER BY position"
        ).fetchall()

    assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
    moments = [row[1] for row in rows]
    assert moments == sorted(moments)
    assert len(set(moments)) == 3, "each transaction has an instant of its own"


def test_what_breaks_the_programmes_rules_is_recorded_all_the_same(ledger: Ledger) -> None:
    """Facts are recorded: a ledger that refuses the misuse cannot show it (domain.md §2)."""
    told(
        ledger,
        (controls.loan(principal_fen=6_000_000, household_no="NOBODY"), BANK),
        (
            controls.loan(ref="LN-2", loan_no="L2", due_on="2028-03-10", annual_rate_bp=1800),
            BANK,
        ),
    )


def test_a_date_in_the_future_is_refused(ledger: Ledger) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=2)).date()

    refused = refusal(ledger, controls.household(effective_on=tomorrow), BUREAU)

    assert isinstance(refused, DatedInFuture)


def test_nobody_tells_what_is_not_his_to_tell(ledger: Ledger) -> None:
    told(ledger, (controls.household(), BUREAU), (controls.loan(), BANK))

    assert isinstance(refusal(ledger, controls.repay(), BUREAU), NotPermitted)
    assert isinstance(refusal(ledger, controls.household(ref="x"), BANK), NotPermitted)
    assert isinstance(refusal(ledger, controls.pay(), ADMIN), NotPermitted)
    assert isinstance(refusal(ledger, controls.repay(), OTHER_BANK), LoanUnknown)
    assert isinstance(refusal(ledger, controls.check(), OTHER_TOWNSHIP), LoanUnknown)
    assert isinstance(refusal(ledger, controls.demand(), OTHER_TOWNSHIP), HouseholdUnknown)
    told(ledger, (controls.check(), TOWNSHIP), (controls.demand(), TOWNSHIP))


def test_a_township_names_the_bank_only_where_two_loans_have_one_number(ledger: Ledger) -> None:
    told(
        ledger,
        (controls.household(), BUREAU),
        (controls.loan(), BANK),
        (controls.loan(), OTHER_BANK),
    )

    assert isinstance(refusal(ledger, controls.check(), TOWNSHIP), LoanAmbiguous)
    told(ledger, (controls.check(bank="PSBC"), TOWNSHIP))


def test_a_repayment_before_the_disbursement_is_refused(ledger: Ledger) -> None:
    told(ledger, (controls.loan(), BANK))

    refused = refusal(ledger, controls.repay(effective_on="2023-03-09"), BANK)

    assert isinstance(refused, BeforeDisbursement)
    told(ledger, (controls.repay(effective_on="2023-03-10"), BANK))


def test_all_events_of_a_disbursement_stand_together(ledger: Ledger) -> None:
    told(ledger, (controls.household(), BUREAU), (controls.loan(), BANK))
    [renewal] = told(ledger, (controls.loan(ref="LN-2", loan_no="L2", renews_loan_no="L1"), BANK))

    rows = ledger.log.connection.execute(
        "SELECT topic, part FROM ledger.event WHERE ref = 'LN-2' ORDER BY position"
    ).fetchall()

    assert rows == [
        ("loan.disbursed.v1", 0),
        ("household.borrowed.v1", 1),
        ("loan.renewed.v1", 2),
    ]
    assert len(renewal.event_ids) == 3


def test_the_repayment_of_the_last_fen_settles_the_loan_and_its_correction_reopens_it(
    ledger: Ledger,
) -> None:
    told(ledger, (controls.loan(), BANK))
    [last] = told(ledger, (controls.repay(principal_fen=5_000_000), BANK))
    assert ledger.loan("NRCB", "L1").settled is not None

    told(ledger, (controls.correct(last.event_ids[0]), BANK))

    loan = ledger.loan("NRCB", "L1")
    assert loan.settled is None
    assert loan.outstanding_fen == 5_000_000


def test_a_correction_tells_the_event_anew_and_an_event_is_corrected_once(ledger: Ledger) -> None:
    _, wrong = told(ledger, (controls.loan(), BANK), (controls.repay(), BANK))
    anew = controls.body(controls.repay(principal_fen=1_500_000))

    [fixed] = told(ledger, (controls.correct(wrong.event_ids[0], replacement=anew), BANK))

    assert ledger.loan("NRCB", "L1").outstanding_fen == 3_500_000
    again = controls.correct(wrong.event_ids[0], ref="FIX-2")
    assert isinstance(refusal(ledger, again, BANK), NotCorrectable)
    told(ledger, (controls.correct(fixed.event_ids[1], ref="FIX-3"), BANK))
    assert ledger.loan("NRCB", "L1").outstanding_fen == 5_000_000


def test_an_event_is_corrected_by_a_later_command_of_the_same_batch(ledger: Ledger) -> None:
    told(ledger, (controls.loan(), BANK))
    id = Loan.id_for("NRCB", "L1")
    version = ledger.loan("NRCB", "L1").version + 1

    repaid, stranger, corrected, twice = ledger.submit_all(
        [
            Submission(controls.repay(), BANK),
            Submission(controls.correct(f"{id}.{version}", ref="FIX-0"), TOWNSHIP),
            Submission(
                controls.correct(
                    f"{id}.{version}",
                    replacement=controls.body(controls.repay(principal_fen=1_000_000), "loan_no"),
                ),
                BANK,
            ),
            Submission(controls.correct(f"{id}.{version}", ref="FIX-2"), BANK),
        ]
    )

    assert isinstance(repaid, Recorded) and isinstance(corrected, Recorded)
    assert repaid.event_ids == [f"{id}.{version}"]
    assert isinstance(stranger, EventUnknown)
    assert isinstance(twice, NotCorrectable)
    assert ledger.loan("NRCB", "L1").repaid_fen == 1_000_000
    [again] = ledger.fetch({id: Loan})
    assert isinstance(again, Loan)
    assert (again.repaid_fen, again.version) == (1_000_000, version + 2)


def test_a_disbursement_is_taken_back_by_the_batch_that_told_it(ledger: Ledger) -> None:
    disbursed = Submission(controls.loan(), BANK)
    id = Loan.id_for("NRCB", "L1")

    outcomes = ledger.submit_all([disbursed, Submission(controls.correct(f"{id}.1"), BANK)])

    assert all(isinstance(outcome, Recorded) for outcome in outcomes)
    assert not ledger.loan("NRCB", "L1").exists
    assert ledger.household("H1").borrowed == {}


def test_only_who_told_an_event_corrects_it(ledger: Ledger) -> None:
    [disbursed] = told(ledger, (controls.loan(), BANK))

    refused = refusal(ledger, controls.correct(disbursed.event_ids[0]), OTHER_BANK)

    assert isinstance(refused, EventUnknown)


def test_a_replacement_stays_with_its_loan(ledger: Ledger) -> None:
    _, wrong = told(ledger, (controls.loan(), BANK), (controls.repay(), BANK))
    elsewhere = controls.body(controls.repay(loan_no="L9"))

    refused = refusal(ledger, controls.correct(wrong.event_ids[0], replacement=elsewhere), BANK)

    assert isinstance(refused, ReplacementElsewhere)


def test_a_disbursement_with_repayments_is_replaced_but_never_only_removed(
    ledger: Ledger,
) -> None:
    disbursed, _ = told(ledger, (controls.loan(), BANK), (controls.repay(), BANK))

    refused = refusal(ledger, controls.correct(disbursed.event_ids[0]), BANK)
    lower = controls.body(controls.loan(principal_fen=4_000_000, household_no="H2"))
    told(ledger, (controls.correct(disbursed.event_ids[0], replacement=lower), BANK))

    assert isinstance(refused, LoanStillHasEvents)
    assert ledger.loan("NRCB", "L1").outstanding_fen == 2_000_000
    assert not ledger.household("H1").borrowed
    assert list(ledger.household("H2").borrowed.values()) == [Loan.id_for("NRCB", "L1")]


def test_subsidy_is_paid_to_the_fen_and_not_one_fen_more(ledger: Ledger) -> None:
    told(ledger, (controls.household(), BUREAU), (controls.loan(), BANK))

    too_early = refusal(ledger, controls.pay(effective_on="2023-06-20"), FINANCE)
    too_much = refusal(ledger, controls.pay(amount_fen=46_640), FINANCE)
    told(
        ledger,
        (controls.pay(amount_fen=46_000, effective_on="2023-06-21"), FINANCE),
        (controls.pay(ref="PAY-2", amount_fen=639), FINANCE),
    )
    nothing_left = refusal(ledger, controls.pay(ref="PAY-3", amount_fen=1), FINANCE)

    assert isinstance(too_early, QuarterNotClosed)
    assert isinstance(too_much, SubsidyExceedsDue)
    assert too_much.details["due_fen"] == 46_639
    assert isinstance(nothing_left, SubsidyExceedsDue)


def test_an_ineligible_household_is_paid_nothing_and_told_why(ledger: Ledger) -> None:
    told(ledger, (controls.loan(), BANK))

    refused = refusal(ledger, controls.pay(), FINANCE)

    assert isinstance(refused, SubsidyExceedsDue)
    assert refused.details["due_fen"] == 0
    assert "不享受贴息" in str(refused.zh)


def test_the_household_cap_counts_loans_at_all_banks(ledger: Ledger) -> None:
    told(
        ledger,
        (controls.household(), BUREAU),
        (controls.loan(principal_fen=4_000_000), BANK),
        (controls.loan(principal_fen=3_000_000, effective_on="2023-03-11"), OTHER_BANK),
    )

    refused = refusal(ledger, controls.pay(bank="PSBC", amount_fen=10_000_000), FINANCE)

    assert isinstance(refused, SubsidyExceedsDue)
    assert refused.details["due_fen"] == 9_328, "1 000 000 fen × 92 days at 3.65 %"


def test_recovered_subsidy_can_be_paid_again_and_no_more_than_paid_is_recovered(
    ledger: Ledger,
) -> None:
    told(
        ledger,
        (controls.household(), BUREAU),
        (controls.loan(), BANK),
        (controls.pay(), FINANCE),
        (controls.recover(), FINANCE),
    )

    refused = refusal(ledger, controls.recover(ref="REC-2", amount_fen=45_640), FINANCE)
    early = controls.pay(ref="PAY-2", amount_fen=1_000, effective_on="2023-09-24")
    assert refusal(ledger, early, FINANCE).CODE == "subsidy_exceeds_due"
    again = controls.pay(ref="PAY-2", amount_fen=1_000, effective_on="2023-09-25")
    told(ledger, (again, FINANCE))

    assert refused.CODE == "recovered_too_much"


def test_nothing_personal_stands_in_the_log_in_the_clear(ledger: Ledger) -> None:
    told(
        ledger,
        (controls.household(), BUREAU),
        (controls.members(), BUREAU),
        (controls.loan(), BANK),
        (controls.repay(), BANK),
        (controls.outflow(), BANK),
        (controls.pay(), FINANCE),
    )

    rows = ledger.log.connection.execute("SELECT e::text, state FROM ledger.event e").fetchall()

    secrets = [controls.ID_NO, controls.OTHER_ID_NO, "张三", "李四", "某牛场", "62220000"]
    for text, state in rows:
        for secret in secrets:
            assert secret not in text
            assert secret.encode() not in state


def test_stored_content_is_canonical_json(ledger: Ledger) -> None:
    """RFC 8785, checked against an independent implementation."""
    name = 'a"b\\c/ é 𬭎 \u2028'
    told(
        ledger,
        (controls.household(village=name), BUREAU),
        (controls.members(), BUREAU),
        (controls.loan(), BANK),
        (controls.pay(), FINANCE),
        (controls.check(actual_use=name), TOWNSHIP),
    )

    for (state,) in ledger.log.connection.execute("SELECT state FROM ledger.event"):
        assert rfc8785.dumps(msgspec.json.decode(state)) == state


def test_the_library_reads_the_log_through_its_own_repository(ledger: Ledger) -> None:
    """The store is a recorder of the eventsourcing library; its replay gives the same loan."""
    from eventsourcing.application import Repository
    from eventsourcing.persistence import EventStore

    from application.event_store.mapper import EventMapper

    told(ledger, (controls.loan(), BANK), (controls.repay(), BANK))
    store = EventStore(EventMapper(), ledger.log)
    loan_id = Loan.id_for("NRCB", "L1")

    loan = Repository(store).get(
        loan_id,
        projector_func=lambda _, events: _folded(Loan(loan_id), events),
    )
    notifications = ledger.log.select_notifications(1, 10)

    assert loan.outstanding_fen == 3_000_000
    assert [n.id for n in notifications] == [1, 2, 3]


def _folded(loan: Any, events: Any) -> Any:
    for event in events:
        event.mutate(loan)
    return loan


def test_the_services_own_role_can_add_and_never_change(ledger: Ledger, database: Any) -> None:
    told(ledger, (controls.loan(), BANK))

    for statement in (
        "UPDATE ledger.event SET ref = 'x'",
        "DELETE FROM ledger.event",
        "TRUNCATE ledger.event",
        "DROP TABLE ledger.event",
        "ALTER TABLE ledger.event DISABLE TRIGGER ALL",
        "DELETE FROM ledger.household_key",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            ledger.log.connection.execute(statement)
    with psycopg.connect(database.owner_dsn, autocommit=True) as owner:
        for statement in (
            "UPDATE ledger.event SET ref = 'x'",
            "DELETE FROM ledger.event",
            "TRUNCATE ledger.event",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
                owner.execute(statement)


def test_every_refusal_speaks_both_languages_and_has_a_code_of_its_own() -> None:
    refusals = list(_all(Refused))

    codes = [refusal.CODE for refusal in refusals]
    assert len(set(codes)) == len(codes)
    for refused in refusals:
        assert any("\u4e00" <= character <= "\u9fff" for character in refused.ZH), refused
        assert refused.EN.isascii(), refused


def _all(kind: type[Refused]) -> Iterator[type[Refused]]:
    for refused in kind.__subclasses__():
        yield refused
        yield from _all(refused)


def test_nobody_was_told_of_a_refusal_on_a_day_to_come(ledger: Ledger) -> None:
    told(ledger, (controls.household(), BUREAU))
    ahead = controls.credit(
        decision="refused", amount_fen=None, reason="已有贷款", told_on="2999-01-01"
    )
    refused = refusal(ledger, ahead, BANK)
    assert isinstance(refused, DatedInFuture)
    assert refused.field == "told_on"


def test_a_recovery_is_not_counted_in_a_case_before_it_came_back(ledger: Ledger) -> None:
    told(
        ledger,
        (controls.household(), BUREAU),
        (controls.loan(), BANK),
        (controls.pay(), FINANCE),
    )
    [back] = told(ledger, (controls.recover(effective_on="2024-05-10"), FINANCE))
    told(
        ledger,
        (controls.case_of(controls.found_of("L1")), controls.AUDITOR),
        (controls.assignment(), controls.AUDITOR),
    )
    early = controls.case_recovery(back.event_ids[0], effective_on="2024-05-09")
    assert refusal(ledger, early, controls.INVESTIGATOR).CODE == "step_before"
    in_time = controls.case_recovery(back.event_ids[0], effective_on="2024-05-10")
    told(ledger, (in_time, controls.INVESTIGATOR))
