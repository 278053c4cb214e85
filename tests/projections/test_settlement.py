"""The settlement covers every loan and every fen that was paid, and stops for nothing."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from support import controls as c
from support.county import SteppingClock, conversation, drawn

from application.ledger import Ledger
from domain.batch import Run
from domain.calendar import named_quarter
from domain.kernel import Refused
from domain.policy import NoRuling
from projections.facts.reading import Facts, View
from projections.red_flags import check, check_all, rule, rules
from projections.settlement import MOST_LOOKED_UP, Rules, as_table, replay, run_of, settlement
from projections.subsidy_ledger import subsidy_ledger

TODAY = date(2025, 1, 1)
QUARTER_FEN = 46_639
SECOND = {"household_no": "H2", "borrower_id_no": c.OTHER_ID_NO}


@contextmanager
def county(database: Any, on: str = "2023-03-10") -> Iterator[tuple[Ledger, SteppingClock]]:
    """A ledger whose clock stands on a day, and two eligible households."""
    clock = SteppingClock(datetime.fromisoformat(f"{on}T02:00:00Z"))
    with conversation(database, clock=clock) as ledger:
        ledger.submit(c.household(), c.BUREAU)
        head = {"name": "李四", "id_no": c.OTHER_ID_NO, "relation": "户主", "head": True}
        ledger.submit(c.household(ref="HH-2", household_no="H2", members=[head]), c.BUREAU)
        yield ledger, clock


def to(clock: SteppingClock, on: str) -> None:
    clock.now = datetime.fromisoformat(f"{on}T02:00:00Z")


def settled(view: View, last: str = "2023Q2") -> dict[tuple[str, str], dict[str, Any]]:
    """The lines of a settlement, by loan number and quarter."""
    lines = as_table(settlement(view, named_quarter(last, view.book))).dicts()
    return {(line["loan_no"], line["period"]): line for line in lines}


def at(facts: Facts, as_of: date = TODAY, known_at: datetime | None = None) -> Any:
    return facts.at(as_of, known_at)


def disbursed_event(loan_no: str, version: int = 1) -> str:
    return f"{c.Loan.id_for('NRCB', loan_no)}.{version}"


# ---- some loans alone -----------------------------------------------------------------


def test_many_loans_are_asked_about_by_a_plan_that_is_made_for_so_many(database: Any) -> None:
    """A plan that is made once suits a few loans; for thousands it takes ten times as long."""
    with county(database, "2023-07-01") as (ledger, _):
        ledger.submit(c.loan(), c.BANK)
    few = [str(c.Loan.id_for("NRCB", "L1"))]
    many = [*few, *(str(c.Loan.id_for("NRCB", f"M{n}")) for n in range(MOST_LOOKED_UP))]
    with drawn(database) as facts, at(facts) as view:
        last = named_quarter("2023Q2", view.book)
        whole = settlement(view, last)
        assert [due.name for due in whole] == ["2023Q1", "2023Q2"]
        assert settlement(view, last, only=many) == whole
        assert _planned_once(view) == 0
        assert settlement(view, last, only=few) == whole
        assert _planned_once(view) > 0


def _planned_once(view: View) -> int:
    """How many questions of the settlement are planned for any loans, once."""
    row = view.connection.execute(
        "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%结息%'"
    ).fetchone()
    return int(row[0]) if row else 0


# ---- a loan that cannot be judged -----------------------------------------------------


def test_a_loan_that_cannot_be_judged_is_a_line_with_its_reason_and_stops_nobody(
    database: Any,
) -> None:
    with county(database, "2023-07-01") as (ledger, _):
        ledger.submit(c.loan(), c.BANK)
        slip = {**SECOND, "ref": "LN-X", "loan_no": "X1", "contract_on": "1993-03-10"}
        ledger.submit(c.loan(**slip), c.BANK)
        old = {**SECOND, "ref": "LN-O", "loan_no": "O1", "contract_on": "1995-05-01"}
        old |= {"effective_on": "1995-05-01", "due_on": "1996-05-01"}
        ledger.submit(c.loan(**old), c.BANK)
        unpayable = c.pay(ref="PAY-X", loan_no="X1", bank="NRCB")
        with pytest.raises(Refused) as refusal:
            ledger.submit(unpayable, c.FINANCE)
        assert isinstance(refusal.value, NoRuling)
        assert "NRCB/X1" in refusal.value.zh

    with drawn(database) as facts, at(facts, date(2023, 8, 31)) as view:
        found = settled(view)
        listed = run_of(view, named_quarter("2023Q2"))
        checked = check_all(view, rules())

    assert found["L1", "2023Q2"]["due_fen"] == QUARTER_FEN
    assert {key for key in found if key[0] != "L1"} == {
        ("O1", ""), ("X1", "2023Q1"), ("X1", "2023Q2"),
    }  # fmt: skip
    for loan_no, table, day in (
        ("X1", "longest_term_months", "1993-03-10"),
        ("O1", "eligible_categories", "1995-05-01"),
    ):
        for line in (line for key, line in found.items() if key[0] == loan_no):
            assert (line["due_fen"], line["left_fen"], line["state"]) == (0, 0, "not_judged")
            for part in ("no_ruling", f"NRCB/{loan_no}", table, day):
                assert part in line["reason"]
    assert {line.loan_no for line in listed.lines} == {"L1"}
    assert [each.rule.id for each in checked if each.status == "error"] == []


def test_a_loan_whose_interest_rounds_to_nothing_stops_nobody(database: Any) -> None:
    """By either calculation it is due 0 fen: that is no disagreement."""
    with county(database) as (ledger, clock):
        ledger.submit(c.loan(principal_fen=1, credited_fen=1), c.BANK)
        ledger.submit(c.loan(ref="LN-2", loan_no="L2", contract_no="C2", **SECOND), c.BANK)
        to(clock, "2023-07-01")

    with drawn(database) as facts, at(facts) as view:
        lines = settled(view)
    assert lines["L2", "2023Q2"]["due_fen"] == QUARTER_FEN
    assert lines.get(("L1", "2023Q2"), {"due_fen": 0})["due_fen"] == 0


def test_what_was_paid_of_a_loan_that_cannot_be_judged_any_more_is_not_asked_back(
    database: Any,
) -> None:
    with county(database, "2023-07-01") as (ledger, _):
        ledger.submit(c.loan(), c.BANK)
        ledger.submit(c.pay(), c.FINANCE)
        replacement = c.body(c.loan(contract_on="1993-03-10"), "loan_no")
        ledger.submit(c.correct(disbursed_event("L1"), replacement=replacement,
                              effective_on="2023-07-01"), c.BANK)  # fmt: skip

    with drawn(database) as facts, at(facts) as view:
        line = settled(view)["L1", "2023Q2"]
        flagged = {id: check(view, rule(id)) for id in ("RF01", "RF27")}

    assert (line["paid_fen"], line["left_fen"], line["state"]) == (QUARTER_FEN, 0, "not_judged")
    assert {each.status for each in flagged.values()} == {"clean"}


def test_a_household_s_other_loan_is_judged_beside_one_that_cannot_be(database: Any) -> None:
    """The household was eligible, and no ruling shows the term too long: it takes room (§5.4)."""
    with county(database, "2023-07-01") as (ledger, _):
        older = {"ref": "LN-0", "loan_no": "L0", "principal_fen": 4_000_000}
        older |= {"credited_fen": 4_000_000, "contract_on": "1993-03-10"}
        ledger.submit(c.loan(**older, effective_on="2023-03-01"), c.BANK)
        ledger.submit(c.loan(), c.BANK)
        ledger.submit(c.pay(amount_fen=9_328), c.FINANCE)

    with drawn(database) as facts, at(facts) as view:
        found = settled(view)

    assert found["L1", "2023Q2"]["due_fen"] == 9_328
    assert found["L0", "2023Q2"]["state"] == "not_judged"


# ---- what was paid is never lost ------------------------------------------------------


def test_a_quarter_paid_before_a_corrected_disbursement_day_is_asked_back(database: Any) -> None:
    with county(database, "2023-03-25") as (ledger, clock):
        ledger.submit(c.loan(), c.BANK)
        paid = c.pay(period="2023Q1", amount_fen=5_576, effective_on="2023-03-25")
        ledger.submit(paid, c.FINANCE)
        to(clock, "2023-04-10")
        replacement = c.body(c.loan(effective_on="2023-04-05", contract_on="2023-04-05"), "loan_no")
        correction = c.correct(
            disbursed_event("L1"), replacement=replacement, effective_on="2023-04-10"
        )
        corrected = ledger.submit(correction, c.BANK)

    with drawn(database) as facts:
        with at(facts) as view:
            line = settled(view, "2023Q1")["L1", "2023Q1"]
            run: Run = run_of(view, named_quarter("2023Q1"))
            flagged = check(view, rule("RF01"))
        with at(facts, date(2023, 3, 31)) as view:  # paid, and by now not yet disbursed
            before = settled(view)["L1", "2023Q1"]
            ledger_then = list(subsidy_ledger(view).dicts())
        with at(facts, TODAY, corrected.recorded_at - timedelta(microseconds=1)) as view:
            then = settled(view, "2023Q1")["L1", "2023Q1"]

    amounts = ("due_fen", "paid_fen", "left_fen", "state")
    assert [line[name] for name in amounts] == [0, 5_576, -5_576, "to_recover"]
    assert [before[name] for name in amounts] == [0, 5_576, -5_576, "to_recover"]
    assert [then[name] for name in amounts] == [5_576, 5_576, 0, "paid"]
    assert [(each.kind, each.amount_fen) for each in run.lines] == [("recovery", 5_576)]
    assert [f.subject for f in flagged.findings] == ["NRCB/L1 2023Q1"]
    assert [entry["net_fen"] for entry in ledger_then] == [5_576]


def _lives(rng: random.Random, ledger: Ledger, clock: SteppingClock) -> None:
    """Loans that are paid and corrected in every way that the contract offers."""
    for number in range(14):
        loan_no, bank_day = f"R{number}", date(2022, 12, 1) + timedelta(rng.randrange(120))
        amount_fen = rng.randrange(1_000_000, 6_000_000)
        mine = {**(SECOND if number % 2 else {}), "loan_no": loan_no}
        mine |= {"principal_fen": amount_fen, "credited_fen": amount_fen}
        to(clock, "2023-06-25")
        first = mine | {"effective_on": str(bank_day), "contract_on": str(bank_day)}
        ledger.submit(c.loan(**first, ref=f"LN-{number}"), c.BANK)
        for period in ("2023Q1", "2023Q2"):
            for part in range(rng.randrange(3)):
                payment = c.pay(
                    ref=f"PAY-{number}-{period}-{part}", loan_no=loan_no, bank="NRCB",
                    period=period, amount_fen=rng.randrange(1, 20_000),
                    effective_on=str(date(2023, 6, 21) + timedelta(rng.randrange(4))),
                )  # fmt: skip
                try:
                    ledger.submit(payment, c.FINANCE)
                except Refused:
                    continue
                if rng.random() < 0.3:
                    back = c.recover(ref=f"REC-{payment.ref}", loan_no=loan_no, bank="NRCB",
                                     payment_no=payment.ref, amount_fen=1)  # fmt: skip
                    to(clock, "2023-09-26")
                    ledger.submit(back, c.FINANCE)
        to(clock, f"2023-10-{rng.randrange(1, 28):02}")
        moved = date(2022, 12, 1) + timedelta(rng.randrange(300))
        kind = rng.choice(["day", "household", "contract", "none", "reversed"])
        anew = {"day": {"effective_on": str(moved), "contract_on": str(moved)},
                "household": {"household_no": "H9"},
                "contract": {"contract_on": "1999-01-01"}}.get(kind)  # fmt: skip
        event = disbursed_event(loan_no)
        correction: dict[str, Any] = {"ref": f"FIX-{number}"}
        if anew is not None:
            correction["replacement"] = c.body(c.loan(**(first | anew)), "loan_no")
        if kind != "none":
            try:
                ledger.submit(c.correct(event, **correction), c.BANK)
            except Refused:
                continue


@pytest.mark.parametrize("seed", [1, 2])
def test_the_settlement_and_the_subsidy_ledger_hold_the_same_money_at_any_two_dates(
    database: Any, seed: int
) -> None:
    with county(database, "2023-06-25") as (ledger, clock):
        _lives(random.Random(seed), ledger, clock)
    days = [date(2023, 3, 31), date(2023, 6, 22), date(2023, 6, 30), date(2023, 9, 30), TODAY]
    instants = [*(datetime(2023, 10, day, tzinfo=UTC) for day in (1, 8, 15, 22)), None]

    with drawn(database) as facts:
        for as_of in days:
            for known_at in instants:
                with at(facts, as_of, known_at) as view:
                    paid = Counter[str]()
                    for line in settled(view, "2024Q4").values():
                        paid[line["loan_no"]] += line["paid_fen"]
                    booked = Counter[str]()
                    lines = list(subsidy_ledger(view).dicts())
                    assert list(subsidy_ledger(view, most=len(lines) + 1).dicts()) == lines
                    for line in lines:
                        booked[line["loan_no"]] += line["net_fen"]
                    everything = view.query(
                        "SELECT coalesce(sum(paid_fen - recovered_fen), 0)::bigint"
                        " FROM facts.subsidy"
                        " WHERE effective_on <= %(as_of)s AND recorded_at <= %(known_at)s"
                    ).rows[0][0]
                assert +paid == +booked, (as_of, known_at)
                assert booked.total() == everything
    assert everything > 0


# ---- rulings for other years and other counties ---------------------------------------


def _ruled(ledger: Ledger, on: str, rulings: list[dict[str, Any]], ref: str = "RL-1") -> None:
    ledger.submit(c.ruling(ref=ref, effective_on=on, rulings=rulings), c.CENTRE)


def test_with_documents_for_earlier_years_a_payment_of_them_is_judged_by_both_roads(
    database: Any,
) -> None:
    with county(database, "2023-07-01") as (ledger, _):
        head = {"name": "王五", "id_no": c.ID_NO, "relation": "户主", "head": True}
        home = c.household(ref="HH-3", household_no="H3", effective_on="2015-01-01", members=[head])
        ledger.submit(home, c.BUREAU)
        _ruled(ledger, "2015-10-24", [{"rule": "lpr_one_year", "value": 435}])
        lent = {"household_no": "H3", "effective_on": "2017-03-10", "contract_on": "2017-03-10"}
        ledger.submit(c.loan(**lent, due_on="2018-03-10", annual_rate_bp=500), c.BANK)
        # 50 000 × 92 days × 4.35 %
        ledger.submit(c.pay(period="2017Q2", amount_fen=55_583), c.FINANCE)
        with pytest.raises(Refused):
            ledger.submit(c.pay(ref="PAY-2", period="2017Q2", amount_fen=1), c.FINANCE)
        ledger.submit(c.loan(ref="LN-2", loan_no="L2", **SECOND, annual_rate_bp=435), c.BANK)

    with drawn(database) as facts, at(facts) as view:
        found = settled(view)
        checked = {id: check(view, rule(id)) for id in ("RF01", "RF27")}

    line = found["L1", "2017Q2"]
    assert (line["due_fen"], line["paid_fen"], line["state"]) == (55_583, 55_583, "paid")
    assert {id: each.error for id, each in checked.items()} == {"RF01": None, "RF27": None}
    assert found["L2", "2023Q2"]["due_fen"] == QUARTER_FEN, "the package's own quotes go on"


FLAT = [{"rule": "rate_basis", "words": ["flat"]}, {"rule": "flat_rate_bp", "value": 300}]


@pytest.mark.parametrize("rulings", [FLAT, [{"rule": "lpr_one_year", "value": 300}]])
def test_what_a_county_ruled_is_not_overruled_by_the_next_quote_of_the_package(
    database: Any, rulings: list[dict[str, Any]]
) -> None:
    lent = {"effective_on": "2022-03-10", "contract_on": "2022-03-10", "due_on": "2023-03-10"}
    with county(database, "2023-07-01") as (ledger, _):
        ledger.submit(c.loan(**lent, annual_rate_bp=370), c.BANK)
        before = ledger.submit(c.loan(ref="LN-2", loan_no="L2", **SECOND, **lent), c.BANK)
        _ruled(ledger, "2022-01-01", rulings)
        ledger.submit(c.pay(period="2022Q2", amount_fen=38_333), c.FINANCE)

    with drawn(database) as facts:
        with at(facts) as view:
            found = settled(view, "2022Q2")
            rate = check(view, rule("RF07"))
            moved = list(
                replay(
                    view,
                    named_quarter("2022Q2"),
                    Rules(view.book_known_at(before.recorded_at), view.known_on),
                ).dicts()
            )
        with at(facts, TODAY, before.recorded_at) as view:
            then = settled(view, "2022Q2")

    assert found["L1", "2022Q2"]["due_fen"] == 38_333
    assert found["L1", "2022Q2"]["state"] == "paid"
    assert then["L1", "2022Q2"]["due_fen"] == 47_278
    assert {f.subject for f in rate.findings} == {"NRCB/L1", "NRCB/L2"}
    assert [line["replayed_fen"] > line["due_fen"] for line in moved] == [True]


# ---- the cap, and misuse --------------------------------------------------------------


@pytest.mark.parametrize(
    ("older", "due_fen"),
    [
        ({"due_on": "2027-03-01"}, 27_983),  # 48 months: it never was eligible
        ({"due_on": "2023-03-20"}, 9_328),  # overdue: the money is still lent
        ({"due_on": "2024-03-01"}, 9_328),
    ],
)
def test_an_older_loan_takes_room_under_the_cap_if_it_was_eligible_and_is_owed(
    database: Any, older: dict[str, Any], due_fen: int
) -> None:
    with county(database, "2023-07-01") as (ledger, _):
        first = {"ref": "LN-0", "loan_no": "L0", "principal_fen": 4_000_000}
        first |= {"credited_fen": 4_000_000, "effective_on": "2023-03-01"} | older
        ledger.submit(c.loan(**first, contract_on="2023-03-01"), c.BANK)
        ledger.submit(c.loan(principal_fen=3_000_000, credited_fen=3_000_000), c.BANK)
        ledger.submit(c.pay(amount_fen=due_fen), c.FINANCE)
        with pytest.raises(Refused):
            ledger.submit(c.pay(ref="PAY-2", amount_fen=1), c.FINANCE)

    with drawn(database) as facts, at(facts) as view:
        found = settled(view)
        overpaid = check(view, rule("RF01"))

    assert found["L1", "2023Q2"]["due_fen"] == due_fen
    assert overpaid.status == "clean"


def test_nothing_is_due_from_the_day_on_which_misuse_began(database: Any) -> None:
    with county(database, "2023-07-01") as (ledger, _):
        ledger.submit(c.loan(), c.BANK)
        ledger.submit(c.pay(), c.FINANCE)
        found_out = {"finding": "diverted", "actual_use": "建房", "began_on": "2023-05-01"}
        checked = ledger.submit(c.check(**found_out), c.TOWNSHIP)
        with pytest.raises(Refused):
            ledger.submit(c.pay(ref="PAY-2", amount_fen=1), c.FINANCE)

    with drawn(database) as facts:
        with at(facts) as view:
            line = settled(view)["L1", "2023Q2"]
            [overpaid] = check(view, rule("RF01")).findings
        with at(facts, date(2023, 6, 7)) as view:
            before = settled(view)["L1", "2023Q2"]

    assert (line["due_fen"], line["left_fen"]) == (20_785, 20_785 - QUARTER_FEN)
    assert overpaid.known_from == checked.recorded_at
    assert before["due_fen"] == QUARTER_FEN, "on the day before the check nobody knew"


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ({"finding": "as_agreed", "began_on": "2023-05-01"}, "misuse_not_found"),
        ({"finding": "diverted", "began_on": "2023-03-09"}, "misuse_began_elsewhen"),
        ({"finding": "diverted", "began_on": "2023-06-09"}, "misuse_began_elsewhen"),
    ],
)
def test_misuse_begins_between_disbursement_and_the_check_that_found_it(
    database: Any, told: dict[str, Any], code: str
) -> None:
    with county(database, "2023-07-01") as (ledger, _):
        ledger.submit(c.loan(), c.BANK)
        with pytest.raises(Refused) as refusal:
            ledger.submit(c.check(**told), c.TOWNSHIP)
        assert (refusal.value.CODE, refusal.value.field) == (code, "began_on")
        for bound in ("2023-03-10", "2023-06-08"):
            other = c.check(ref=f"UC-{bound}", finding="diverted", began_on=bound)
            ledger.submit(other, c.TOWNSHIP)
