"""Any loan and quarter says why it has this subsidy or none, by both calculations."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from support import controls as c
from support.county import SteppingClock, conversation, drawn

import projections.settlement
from application.ledger import Ledger
from domain.calendar import named_quarter
from projections.facts.reading import Facts, Scope, View
from projections.loan_ledger import loan_ledger
from projections.settlement import Wanted, settlement
from projections.subsidy_explanation import Explanation, explanation, loans_called

TODAY = date(2025, 1, 1)
QUARTER_FEN = 46_639
SECOND = {"household_no": "H2", "borrower_id_no": c.OTHER_ID_NO}


@contextmanager
def county(database: Any, on: str = "2023-07-01") -> Iterator[tuple[Ledger, SteppingClock]]:
    """A ledger whose clock stands on a day, and an eligible household."""
    clock = SteppingClock(datetime.fromisoformat(f"{on}T02:00:00Z"))
    with conversation(database, clock=clock) as ledger:
        ledger.submit(c.household(), c.BUREAU)
        yield ledger, clock


def explained(
    view: View, loan_no: str = "L1", period: str = "2023Q2", bank: str = "NRCB"
) -> Explanation:
    [loan] = loans_called(view, loan_no, bank=bank).dicts()
    return explanation(view, loan, period)


def why(
    facts: Facts, as_of: date = TODAY, known_at: datetime | None = None, **named: str
) -> dict[str, Any]:
    """The answer at two dates, whose calculations must agree."""
    with facts.at(as_of, known_at) as view:
        plain = explained(view, **named).plain()
    assert plain["calculations"]["agree"]
    return plain


def codes(plain: dict[str, Any]) -> list[str]:
    return [each["reason"] for each in plain["reasons"]]


def recomputed(plain: dict[str, Any], by: str) -> int:
    """The fen of the segments alone."""
    calculation = plain["calculations"]["domain"]
    exact = (
        sum(
            Fraction(s["principal_fen"] * s["days"] * s["rate_bp"] * s["share_bp"], 10**8)
            for s in plain["calculations"][by]["segments"]
        )
        / calculation["day_count"]
    )
    return int(exact + Fraction(1, 2))


# ---- one loan after the other ---------------------------------------------------------


def test_a_loan_that_was_paid_in_full_shows_its_segments_and_no_reason(database: Any) -> None:
    with county(database) as (ledger, _):
        ledger.submit(c.loan(), c.BANK)
        ledger.submit(c.pay(), c.FINANCE)

    with drawn(database) as facts:
        plain = why(facts)

    assert (plain["due_fen"], plain["paid_fen"], plain["state"]) == (46_639, 46_639, "paid")
    assert plain["reasons"] == []
    assert recomputed(plain, "domain") == recomputed(plain, "sql") == 46_639
    [payment] = plain["payments"]
    assert (payment["payment_no"], payment["differences"]) == ("PAY-1", [])


def test_a_late_repayment_shows_on_which_days_less_earns_than_was_paid(database: Any) -> None:
    with county(database) as (ledger, clock):
        ledger.submit(c.loan(), c.BANK)
        paid = ledger.submit(c.pay(), c.FINANCE)
        clock.now += timedelta(days=10)
        ledger.submit(c.repay(effective_on="2023-05-01", principal_fen=2_000_000), c.BANK)

    with drawn(database) as facts:
        now, then = why(facts), why(facts, known_at=paid.recorded_at)

    assert (then["state"], then["reasons"]) == ("paid", [])
    assert now["state"] == "to_recover" and now["left_fen"] == now["due_fen"] - 46_639 < 0
    assert codes(now) == ["partly_repaid"]
    [difference] = now["payments"][0]["differences"]
    assert (difference["first"], difference["until"]) == (date(2023, 5, 1), date(2023, 6, 21))
    assert difference["then"]["principal_fen"] == 5_000_000
    assert difference["now"]["principal_fen"] == 3_000_000


def test_a_loan_behind_another_bank_s_says_whose_loan_fills_the_cap(database: Any) -> None:
    with county(database) as (ledger, _):
        first = {"ref": "LN-0", "loan_no": "P0", "principal_fen": 4_000_000}
        first |= {"credited_fen": 4_000_000, "effective_on": "2023-03-01"}
        ledger.submit(c.loan(**first, contract_on="2023-03-01"), c.OTHER_BANK)
        ledger.submit(c.loan(), c.BANK)

    with drawn(database) as facts:
        plain = why(facts)
        with facts.at(TODAY) as view:
            hidden = explained(view).plain(lambda bank: bank == "NRCB")

    [reason] = plain["reasons"]
    assert (plain["due_fen"], plain["state"], reason["reason"]) == (9_328, "to_pay", "over_cap")
    assert reason["loans"] == [
        {"bank_class": "other_bank", "bank": "PSBC", "loan_no": "P0",
         "owed_fen": 4_000_000, "takes_fen": 4_000_000},
    ]  # fmt: skip
    assert hidden["reasons"][0]["loans"] == [
        {"bank_class": "other_bank", "bank": None, "loan_no": None,
         "owed_fen": None, "takes_fen": 4_000_000},
    ]  # fmt: skip
    assert "PSBC" not in str(hidden) and "P0" not in str(hidden)


def test_a_loan_is_not_yet_disbursed_before_its_day_and_reversed_after_its_reversal(
    database: Any,
) -> None:
    with county(database) as (ledger, clock):
        lent = ledger.submit(c.loan(), c.BANK)
        clock.now += timedelta(days=10)
        ledger.submit(c.correct(lent.event_ids[0], effective_on="2023-07-10"), c.BANK)

    with drawn(database) as facts:
        reversed_now = why(facts)
        before = why(facts, date(2023, 3, 9), lent.recorded_at)
        then = why(facts, TODAY, lent.recorded_at)

    assert codes(reversed_now) == ["disbursement_reversed"]
    assert reversed_now["state"] == "nothing_due"
    assert codes(before) == ["not_yet_disbursed"]
    assert (then["due_fen"], codes(then)) == (46_639, [])


def test_a_quarter_paid_before_the_disbursement_day_was_corrected_is_to_be_recovered(
    database: Any,
) -> None:
    with county(database) as (ledger, clock):
        lent = ledger.submit(c.loan(), c.BANK)
        ledger.submit(c.pay(period="2023Q1", amount_fen=5_576), c.FINANCE)
        clock.now += timedelta(days=10)
        later = c.body(c.loan(effective_on="2023-04-05", contract_on="2023-04-05"), "loan_no")
        correction = c.correct(lent.event_ids[0], replacement=later, effective_on="2023-07-10")
        ledger.submit(correction, c.BANK)

    with drawn(database) as facts:
        plain = why(facts, period="2023Q1")
        as_of_then = why(facts, date(2023, 3, 31), period="2023Q1")

    assert (codes(plain), plain["state"]) == (["before_disbursement"], "to_recover")
    assert plain["left_fen"] == -5_576
    assert codes(as_of_then) == ["not_yet_disbursed"]


@pytest.mark.parametrize(
    ("household", "expected"),
    [
        ({"category": "none"}, "household_not_eligible"),
        ({"effective_on": "2023-04-01"}, "household_not_registered"),
    ],
)
def test_a_household_that_is_not_eligible_says_so(
    database: Any, household: dict[str, Any], expected: str
) -> None:
    with conversation(database) as ledger:
        ledger.submit(c.household(**household), c.BUREAU)
        ledger.submit(c.loan(), c.BANK)

    with drawn(database) as facts:
        plain = why(facts)

    assert (plain["due_fen"], codes(plain), plain["state"]) == (0, [expected], "nothing_due")
    assert recomputed(plain, "sql") == 0


def test_a_loan_that_no_ruling_judges_says_which_table_by_both_calculations(database: Any) -> None:
    with county(database) as (ledger, _):
        ledger.submit(c.loan(contract_on="1993-03-10"), c.BANK)

    with drawn(database) as facts:
        plain = why(facts)

    assert (codes(plain), plain["state"]) == (["no_ruling"], "not_judged")
    for by in ("domain", "sql"):
        assert plain["calculations"][by]["missing_ruling"] == "longest_term_months"


def test_misuse_counts_from_the_day_on_which_it_began(database: Any) -> None:
    with county(database) as (ledger, _):
        ledger.submit(c.loan(), c.BANK)
        found_out = {"finding": "diverted", "actual_use": "建房", "began_on": "2023-05-01"}
        ledger.submit(c.check(**found_out), c.TOWNSHIP)

    with drawn(database) as facts:
        plain, before = why(facts), why(facts, date(2023, 6, 7))

    [reason] = plain["reasons"]
    assert (plain["due_fen"], reason["reason"]) == (20_785, "misuse")
    assert reason["details"] == {"misuse_on": date(2023, 5, 1)}
    assert before["due_fen"] == QUARTER_FEN, "on the day before the check nobody knew"


def test_a_batch_that_holds_the_money_is_named(database: Any) -> None:
    with conversation(database) as ledger:
        ledger.submit(c.household(), c.BUREAU)
        ledger.submit(c.loan(), c.BANK)
    with drawn(database) as facts, facts.at(date(2023, 12, 31)) as view:
        run = projections.settlement.run_of(view, named_quarter("2023Q2"))
    with conversation(database) as ledger:
        ledger.submit(c.batch_of(run, period="2023Q2"), c.CENTRE)

    with drawn(database) as facts:
        plain = why(facts)

    assert (plain["state"], plain["reserved_fen"]) == ("reserved", 46_639)
    [line] = plain["batch_lines"]
    assert (line["batch_no"], line["state"], line["amount_fen"]) == ("PC-1", "listed", 46_639)


def test_two_calculations_that_differ_are_both_shown(
    database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with county(database) as (ledger, _):
        ledger.submit(c.loan(), c.BANK)
    asked = projections.settlement.query_text

    def wrong(package: str, name: str = "query.sql") -> str:
        return asked(package, name).replace(
            "t.rate_bp, r.share_bp", "t.rate_bp + 1 AS rate_bp, r.share_bp"
        )

    monkeypatch.setattr(projections.settlement, "query_text", wrong)
    with drawn(database) as facts, facts.at(TODAY) as view:
        plain = explained(view).plain()

    assert not plain["calculations"]["agree"]
    assert plain["calculations"]["domain"]["due_fen"] == QUARTER_FEN
    assert plain["calculations"]["sql"]["due_fen"] == 46_767


def test_a_reader_finds_the_loans_of_its_scope_alone(database: Any) -> None:
    with county(database) as (ledger, _):
        ledger.submit(c.loan(), c.BANK)
        ledger.submit(c.loan(ref="LN-2", loan_no="L1", contract_no="C2"), c.OTHER_BANK)

    def banks(view: View, **scope: str) -> list[str]:
        return [loan["bank"] for loan in loans_called(view, "L1", scope=Scope(**scope)).dicts()]

    with drawn(database) as facts, facts.at(TODAY) as view:
        assert banks(view) == ["NRCB", "PSBC"]
        assert banks(view, bank="PSBC") == ["PSBC"]
        assert banks(view, township="T01") == ["NRCB", "PSBC"]
        assert banks(view, township="T02") == banks(view, guarantor="DB") == []
        assert list(loans_called(view, "L9").dicts()) == []


# ---- the county -----------------------------------------------------------------------


def test_every_loan_of_the_demo_county_without_a_line_says_why(
    demo: Any, record_property: Any
) -> None:
    """Loans that were open on 2023-06-30 and have no line for 2023Q3."""
    _, facts = demo
    with facts.at(date(2023, 6, 30)) as view:
        open_then = {
            (loan["bank"], loan["loan_no"])
            for loan in loan_ledger(view).dicts()
            if loan["outstanding_fen"] > 0
        }
    why: Counter[str] = Counter()
    with facts.at(date(2024, 12, 31)) as view:
        lines = settlement(view, named_quarter("2023Q3"))
        listed = {(d.loan["bank"], d.loan["loan_no"]) for d in lines if d.name == "2023Q3"}
        for bank, loan_no in sorted(open_then - listed):
            found = explained(view, loan_no, "2023Q3", bank)
            assert found.agree and found.due.due_fen == 0 and found.reasons
            why.update({each.code.value for each in found.reasons})
    print(f"{len(open_then - listed)} of {len(open_then)} loans without a line: {dict(why)}")
    record_property("why", dict(why))
    assert {"overdue", "over_cap", "household_not_eligible"} <= why.keys()


def test_the_segments_of_any_loan_and_quarter_come_to_what_the_settlement_says(demo: Any) -> None:
    """And what is due at nothing has a reason."""
    _, facts = demo
    rng = random.Random(1)
    quarters = ["2022Q4", "2023Q1", "2023Q2", "2023Q3", "2023Q4", "2024Q1"]
    nothing = 0
    with facts.at(date(2024, 6, 30)) as view:
        dues = {
            (due.loan["bank"], due.loan["loan_no"], due.name): due
            for due in settlement(view, named_quarter("2024Q1"))
        }
        loans = [(loan["bank"], loan["loan_no"]) for loan in loan_ledger(view).dicts()]
        for bank, loan_no in rng.sample(loans, 60):
            period = rng.choice(quarters)
            found = explained(view, loan_no, period, bank)
            line = dues.get((bank, loan_no, period))
            plain = found.plain()
            assert plain["calculations"]["agree"]
            assert found.due.due_fen == (line.due_fen if line else 0)
            assert recomputed(plain, "domain") == recomputed(plain, "sql") == found.due.due_fen
            assert found.due.due_fen or found.reasons
            nothing += not found.due.due_fen
    assert 10 < nothing < 60


def test_the_settlement_of_a_loan_or_a_household_is_those_lines_of_the_county(demo: Any) -> None:
    _, facts = demo
    with facts.at(date(2024, 6, 30)) as view:
        last = named_quarter("2024Q1")
        county = settlement(view, last)
        homes = Counter(due.loan["household_no"] for due in county)
        for home, _ in homes.most_common(8):
            lines = [due for due in county if due.loan["household_no"] == home]
            assert settlement(view, last, wanted=Wanted(household_no=home)) == lines
            loan_no = lines[-1].loan["loan_no"]
            own = [due for due in county if due.loan["loan_no"] == loan_no]
            assert settlement(view, last, wanted=Wanted(loan_no=loan_no)) == own
        assert settlement(view, last, wanted=Wanted(loan_no="nobody's")) == []


def test_an_explanation_reads_one_household_and_not_the_county(demo: Any) -> None:
    """No scan of the postings, of which each loan has a handful."""
    _, facts = demo
    with facts.at(date(2024, 6, 30)) as view:
        loan = next(loan_ledger(view, most=1).dicts())
        asked: list[str] = []
        lookup = view.lookup

        def counted(query_text: str, **parameters: object) -> Any:
            plan = lookup(f"EXPLAIN (GENERIC_PLAN) {query_text}", **parameters)
            asked.append("\n".join(row[0] for row in plan.rows))
            return lookup(query_text, **parameters)

        view.lookup = counted  # type: ignore[method-assign]
        explained(view, loan["loan_no"], "2023Q3", loan["bank"])
    for table in ("posting", "subsidy", "subsidised", "usage_check"):
        assert not any(f"Seq Scan on {table} " in plan for plan in asked), table
        assert any(f" on {table} " in plan for plan in asked), table
    assert len(asked) < 15
