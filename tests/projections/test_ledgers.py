"""The ledgers at any two dates: two roads meet, answers stay, arrival order does not matter."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import controls
from support.controls import BANK, BUREAU, FINANCE, TOWNSHIP
from support.county import SteppingClock, conversation, drawn, refusal, told
from support.everything import a_case, programme_and_money

from application.ledger import Ledger, Recorded, Submission
from domain.loan import Loan
from projections.changes import changes
from projections.facts.draw import Projector, digests
from projections.facts.reading import Facts
from projections.facts.statements import schema_of, tables
from projections.ledger_choice import Choice
from projections.loan_ledger import loan_ledger, question
from projections.subsidy_ledger import subsidy_ledger

FIRST_DAY, DAYS = date(2023, 3, 10), 400


@pytest.fixture(scope="module")
def county(shared_database: Any) -> Iterator[tuple[Any, Ledger, SteppingClock, Projector, Facts]]:
    clock = SteppingClock()
    with conversation(shared_database, clock=clock) as ledger:
        told(ledger, (controls.household(), BUREAU))
        projector = Projector(shared_database.dsn)
        projector.catch_up()
        facts = Facts(shared_database.dsn, most=2)
        yield shared_database, ledger, clock, projector, facts
        facts.close()
        projector.close()


_numbers = iter(range(1_000_000))
amounts = st.integers(0, 3_000_000)
steps = st.lists(
    st.tuples(st.sampled_from(["repay", "correct", "replace"]), st.integers(0, DAYS), amounts),
    max_size=8,
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps, st.integers(0, DAYS), st.data())
def test_the_ledger_of_any_day_is_what_the_events_say_by_a_second_road(
    county: Any, plan: list[tuple[str, int, int]], asked: int, data: st.DataObject
) -> None:
    """Road one: rows drawn in SQL. Road two: what this test itself told and was answered."""
    _, ledger, _, projector, facts = county
    number = f"R{next(_numbers)}"
    told(ledger, (controls.loan(ref=number, loan_no=number), BANK))
    said: list[tuple[datetime, date, int, int]] = []
    standing: dict[str, tuple[date, int, int]] = {}
    for kind, day, fen in plan:
        on = FIRST_DAY + timedelta(days=day)
        ref = f"{number}-{next(_numbers)}"
        repayment = controls.repay(
            ref=ref, loan_no=number, effective_on=on, principal_fen=fen, interest_fen=fen + 1
        )
        command: Any = repayment
        target = next(iter(standing), None)
        if kind != "repay":
            if target is None:
                continue
            body = controls.body(repayment) if kind == "replace" else None
            command = controls.correct(target, ref=ref, replacement=body)
        [outcome] = ledger.submit_all([Submission(command, BANK)])
        if not isinstance(outcome, Recorded):
            continue
        if kind != "repay":
            assert target is not None
            old_on, old_fen, old_interest = standing.pop(target)
            said.append((outcome.recorded_at, old_on, -old_fen, -old_interest))
        if kind != "correct":
            said.append((outcome.recorded_at, on, fen, fen + 1))
            repaid = next(
                event_id
                for event_id in outcome.event_ids
                if (stored := ledger.log.stored(Loan.id_for("NRCB", number), _version(event_id)))
                and stored.topic == "loan.repaid.v1"
            )
            standing[repaid] = (on, fen, fen + 1)

    projector.catch_up()
    as_of = FIRST_DAY + timedelta(days=asked)
    moments = [moment for moment, *_ in said]
    known_at = data.draw(st.sampled_from([None, *moments]))
    with facts.at(as_of, known_at) as view:
        lines = list(loan_ledger(view, loan_no=number).dicts())
    counted = [
        (fen, interest)
        for moment, on, fen, interest in said
        if on <= as_of and (known_at is None or moment <= known_at)
    ]
    [line] = lines
    assert line["repaid_fen"] == sum(fen for fen, _ in counted)
    assert line["outstanding_fen"] == 5_000_000 - line["repaid_fen"]
    assert line["interest_fen"] == sum(interest for _, interest in counted)


def _version(event_id: str) -> int:
    return int(event_id.partition(".")[2])


def test_an_answer_once_given_never_changes(database: Any) -> None:
    """What was known at an instant is known for ever, whatever is told later."""
    clock = SteppingClock()
    with conversation(database, clock=clock) as ledger:
        told(ledger, (controls.household(), BUREAU), (controls.loan(), BANK))
        with drawn(database) as facts, facts.at(date(2023, 12, 31)) as view:
            then, before = view.known_at, loan_ledger(view).rows
        _, wrong = told(
            ledger,
            (controls.status(effective_on="2023-01-01"), BUREAU),
            (controls.repay(effective_on="2023-04-01"), BANK),
        )
        told(ledger, (controls.correct(wrong.event_ids[0]), BANK))
        with drawn(database) as facts:
            with facts.at(date(2023, 12, 31), then) as view:
                again = loan_ledger(view).rows
            with facts.at(date(2023, 12, 31)) as view:
                now = loan_ledger(view).rows
    assert again == before
    assert now != before


def test_nothing_is_known_before_it_was_recorded(database: Any) -> None:
    clock = SteppingClock()
    with conversation(database, clock=clock) as ledger:
        [recorded] = told(ledger, (controls.loan(), BANK))
    with drawn(database) as facts:
        with facts.at(date(2026, 1, 1), recorded.recorded_at - timedelta(microseconds=1)) as view:
            assert loan_ledger(view).rows == []
        with facts.at(date(2026, 1, 1), recorded.recorded_at) as view:
            assert len(loan_ledger(view).rows) == 1
        with facts.at(date(2023, 3, 9)) as view:
            assert loan_ledger(view).rows == []


def test_the_same_statements_in_another_order_give_the_same_ledger(database: Any) -> None:
    said = [
        (controls.repay(ref="R1", effective_on="2023-05-01", principal_fen=1_000_000), BANK),
        (controls.repay(ref="R2", effective_on="2023-04-01", principal_fen=500_000), BANK),
        (controls.check(), TOWNSHIP),
        (controls.outflow(), BANK),
        (controls.status(), BUREAU),
        (controls.repay(ref="R3", effective_on="2023-06-01", principal_fen=3_500_000), BANK),
    ]
    seen = []
    with conversation(database) as ledger:
        told(ledger, (controls.household(), BUREAU))
        for turn, order in enumerate((said, said[::-1])):
            number = f"O{turn}"
            told(ledger, (controls.loan(ref=number, loan_no=number), BANK))
            for command, by in order:
                renamed: dict[str, Any] = {"ref": f"{number}-{command.ref}"}
                if "loan_no" in type(command).model_fields:
                    renamed["loan_no"] = number
                elif turn:
                    continue
                told(ledger, (command.model_copy(update=renamed), by))
    with drawn(database) as facts, facts.at(date(2024, 1, 1)) as view:
        for line in loan_ledger(view).dicts():
            seen.append({k: v for k, v in line.items() if k not in ("loan_no", "loan_id")})

    assert seen[0] == seen[1]
    assert seen[0]["settled_on"] == date(2023, 6, 1)


def test_a_rebuild_equals_what_was_drawn_bit_by_bit(database: Any) -> None:
    with conversation(database) as ledger:
        projector = Projector(database.dsn)
        told(ledger, (controls.household(), BUREAU), (controls.members(), BUREAU))
        projector.advance()
        for command, by in (
            (controls.demand(), TOWNSHIP),
            (controls.credit(), BANK),
            (
                controls.credit(ref="CR-2", decision="refused", reason="x", told_on="2023-03-01"),
                BANK,
            ),
            (controls.loan(), BANK),
            (controls.outflow(), BANK),
            (controls.check(), TOWNSHIP),
            (controls.pay(), FINANCE),
            (controls.recover(), FINANCE),
            (controls.remind(), BANK),
            (controls.extend(), BANK),
            (controls.plan(), TOWNSHIP),
            (controls.report(), BANK),
            (controls.status(), BUREAU),
            (controls.loan(ref="LN-2", loan_no="L2", renews_loan_no="L1"), BANK),
            (controls.look(), BANK),
            (controls.unification(), controls.ADMIN),
            *programme_and_money(),
        ):
            [recorded] = told(ledger, (command, by))
            projector.advance(most=1)
            if command.ref == "REC-1":
                recovery = recorded.event_ids[0]
        for command, by in a_case(recovery):
            told(ledger, (command, by))
            projector.advance(most=1)
        [repaid] = told(ledger, (controls.repay(principal_fen=5_000_000), BANK))
        projector.catch_up()
        told(ledger, (controls.correct(repaid.event_ids[0]), BANK))
        projector.catch_up()

        live = projector.connection.execute("SELECT number FROM projection.generation").fetchone()
        assert live is not None
        before = digests(projector.connection, live[0])
        anew = projector.rebuild()
        after = digests(projector.connection, anew)
        gone = projector.connection.execute(
            "SELECT 1 FROM information_schema.schemata WHERE schema_name = %s",
            (schema_of(live[0]),),
        ).fetchone()
        projector.close()

    assert before == after
    assert gone is None
    assert [table for table in tables() if after[table][0] == 0] == [], "every table is tried"


def test_each_payment_is_a_line_with_what_was_recovered_of_it(database: Any) -> None:
    with conversation(database) as ledger:
        told(
            ledger,
            (controls.household(), BUREAU),
            (controls.loan(), BANK),
            (controls.pay(), FINANCE),
            (
                controls.pay(
                    ref="PAY-2", period="2023Q3", amount_fen=46_639, effective_on="2023-09-22"
                ),
                FINANCE,
            ),
            (controls.recover(), FINANCE),
        )
    with drawn(database) as facts:
        with facts.at(date(2023, 12, 31)) as view:
            second, third = subsidy_ledger(view).dicts()
            [page] = subsidy_ledger(view, after=second["position"], most=5).dicts()
        with facts.at(date(2023, 9, 24)) as view:
            earlier = [line["net_fen"] for line in subsidy_ledger(view).dicts()]

    assert page == third
    assert (second["period"], second["net_fen"]) == ("2023Q2", 45_639)
    assert (third["period"], third["net_fen"]) == ("2023Q3", 46_639)
    assert earlier == [46_639, 46_639]


def test_the_knowledge_diff_names_the_events_whose_sum_is_the_difference(database: Any) -> None:
    clock = SteppingClock()
    with conversation(database, clock=clock) as ledger:
        told(
            ledger,
            (controls.household(), BUREAU),
            (controls.loan(), BANK),
            (controls.loan(ref="LN-2", loan_no="L2"), BANK),
        )
        [wrong, then] = told(
            ledger,
            (controls.repay(), BANK),
            (controls.repay(ref="RP-2", loan_no="L2", principal_fen=100), BANK),
        )
        anew = controls.body(controls.repay(principal_fen=1_900_000))
        told(
            ledger,
            (controls.correct(wrong.event_ids[0], replacement=anew), BANK),
            (controls.repay(ref="RP-3", principal_fen=5, effective_on="2024-05-01"), BANK),
        )
    with drawn(database) as facts, facts.at(date(2023, 12, 31)) as view:
        [change] = changes(view, "loans", then.recorded_at)
        everything = changes(view, "loans", datetime(2020, 1, 1, tzinfo=UTC))

    assert change.key == {"bank": "NRCB", "loan_no": "L1"}
    assert change.difference["outstanding_fen"] == 100_000
    principal = [c["amount_fen"] for c in change.causes if c["amount_of"] == "principal"]
    assert principal == [2_000_000, -1_900_000]
    assert {c["event_id"] for c in change.causes} >= {wrong.event_ids[0]}
    assert change.explained
    assert all(change.explained for change in everything)
    assert {change.before for change in everything} == {None} if everything else False


def test_pages_of_the_ledger_join_up_to_the_whole(database: Any) -> None:
    with conversation(database) as ledger:
        for number in range(7):
            told(ledger, (controls.loan(ref=f"N{number}", loan_no=f"N{number}"), BANK))
    with drawn(database) as facts, facts.at(date(2024, 1, 1)) as view:
        whole = loan_ledger(view).rows
        pages: list[Any] = []
        after = None
        while page := list(loan_ledger(view, after=after, most=3).dicts()):
            pages += page
            after = (page[-1]["bank"], page[-1]["loan_no"])

    assert [line["loan_no"] for line in pages] == [f"N{number}" for number in range(7)]
    assert len(whole) == 7


def test_a_ledger_that_is_asked_often_is_planned_for_its_own_dates(database: Any) -> None:
    """A plan that suits any two dates reads the county's postings once a loan: seconds."""
    with conversation(database) as ledger:
        told(ledger, (controls.household(), BUREAU), (controls.loan(), BANK))
    projector = Projector(database.dsn)
    projector.catch_up()
    projector.close()
    facts = Facts(database.dsn, most=1)
    try:
        for day in range(1, 21):
            with facts.at(date(2023, 12, day)) as view:
                assert len(loan_ledger(view).rows) == 1
                subsidy_ledger(view)
        with facts.connection() as connection:
            shared = connection.execute(
                "SELECT statement FROM pg_prepared_statements WHERE generic_plans > 0"
            ).fetchall()
    finally:
        facts.close()
    assert [text for (text,) in shared if "台账" in text] == []


def test_the_question_of_a_named_loan_is_planned_once_for_all_views(database: Any) -> None:
    """To plan it takes several times as long as to answer it."""
    with conversation(database) as ledger:
        told(ledger, (controls.household(), BUREAU), (controls.loan(), BANK))
    with drawn(database):
        facts = Facts(database.dsn, most=1)
    try:
        for day in (21, 22, 23):
            with facts.at(date(2023, 12, day)) as view:
                assert len(loan_ledger(view, loan_no="L1").rows) == 1
        with facts.connection() as connection:
            plans = connection.execute(
                "SELECT generic_plans FROM pg_prepared_statements WHERE statement LIKE '%贷款台账%'"
            ).fetchall()
    finally:
        facts.close()
    assert plans == [(3,)]


def test_a_page_of_the_loan_ledger_is_read_in_the_order_of_an_index(database: Any) -> None:
    """Without it a page costs the county."""
    with conversation(database) as ledger:
        told(ledger, (controls.household(), BUREAU), (controls.loan(), BANK))
    query, values = question(Choice(most=2))
    with drawn(database) as facts, facts.at(date(2023, 12, 31)) as view:
        view.connection.execute("SET LOCAL enable_sort = off")
        view.connection.execute("SET LOCAL enable_seqscan = off")
        nobody = {"bank": None, "township": None, "guarantor": None}
        plan = view.query("EXPLAIN (COSTS OFF) " + query, **nobody, **values).rows
    assert "using loan_bank_loan_no_idx" in "\n".join(line for (line,) in plan)


def test_extensions_reported_in_any_order_give_the_due_day_that_their_own_dates_say(
    database: Any,
) -> None:
    """Reported first: the later one. The first of two corrected. No day is overdue that was not."""
    first = {"effective_on": "2024-02-20", "agreed_on": "2024-02-20", "new_due_on": "2024-09-10"}
    then = {"effective_on": "2024-09-01", "agreed_on": "2024-09-01", "new_due_on": "2025-03-10"}
    with conversation(database) as ledger:
        told(
            ledger,
            (controls.loan(), BANK),
            (controls.extend(ref="EX-2", **then), BANK),
        )
        [reported] = told(ledger, (controls.extend(ref="EX-1", **first), BANK))
        replacement = controls.body(controls.extend(**first | {"new_due_on": "2024-08-20"}))
        fix = controls.correct(
            reported.event_ids[0], effective_on="2024-03-01", replacement=replacement
        )
        ledger.submit(fix, BANK)
    with drawn(database) as facts:
        for as_of, due_on, overdue in (
            ("2024-02-19", "2024-03-10", False),
            ("2024-03-10", "2024-08-20", False),
            ("2024-08-20", "2024-08-20", True),
            ("2024-09-01", "2025-03-10", False),
            ("2025-03-09", "2025-03-10", False),
            ("2025-03-10", "2025-03-10", True),
        ):
            with facts.at(date.fromisoformat(as_of)) as view:
                [line] = loan_ledger(view).dicts()
            assert (line["due_on"].isoformat(), line["overdue"]) == (due_on, overdue), as_of


def test_a_recovery_reported_with_a_day_before_its_payment_is_in_no_ledger(database: Any) -> None:
    with conversation(database) as ledger:
        told(
            ledger,
            (controls.household(), BUREAU),
            (controls.loan(), BANK),
            (controls.pay(effective_on="2023-07-01"), FINANCE),
        )
        early = controls.recover(effective_on="2023-06-25", amount_fen=50)
        assert refusal(ledger, early, FINANCE).CODE == "step_before"
        told(ledger, (controls.recover(effective_on="2023-07-01", amount_fen=50), FINANCE))
    with drawn(database) as facts:
        with facts.at(date(2023, 6, 30)) as view:
            assert list(subsidy_ledger(view).dicts()) == []
        with facts.at(date(2023, 7, 1)) as view:
            assert [line["net_fen"] for line in subsidy_ledger(view).dicts()] == [46_639 - 50]
