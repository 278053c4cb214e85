"""One payment, traced: to the fen, to the document, and recomputed from its slip alone."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any

from support import controls
from support.controls import BANK, BUREAU, FINANCE, TOWNSHIP
from support.county import conversation, drawn, told

from domain.household import Household
from projections.history import history, trace


def test_a_payment_is_traced_to_its_first_event_and_recomputed_from_its_slip(
    database: Any,
) -> None:
    ground = {"document": "贴息批复〔2023〕7号", "note": "第二季度"}
    with conversation(database) as ledger:
        _, _, _, paid, late, _ = told(
            ledger,
            (controls.household(), BUREAU),
            (controls.loan(), BANK),
            (controls.check(), TOWNSHIP),
            (controls.pay(ground=ground), FINANCE),
            (controls.repay(effective_on="2023-05-01"), BANK),
            (controls.recover(), FINANCE),
        )
    with drawn(database) as facts, facts.connection() as connection:
        found = trace(connection, "PAY-1")
        unknown = trace(connection, "PAY-9")
        then = trace(connection, "PAY-1", paid.recorded_at)

    assert unknown is None
    assert found is not None
    assert then is not None
    plain = found.plain(date(2023, 12, 31))
    assert plain["payment"]["content"]["amount_fen"] == 46_639
    assert plain["payment"]["told_by"]["person"] == "zhao"
    assert plain["ground"]["document"] == "贴息批复〔2023〕7号"
    assert [e["event"] for e in plain["loan_events"]] == [
        "loan.disbursed.v1",
        "loan.usage-checked.v1",
    ]
    assert [e["event"] for e in plain["told_after_the_payment"]] == [
        "loan.repaid.v1",
        "loan.subsidy-recovered.v1",
    ]
    assert plain["told_after_the_payment"][0]["event_id"] == late.event_ids[0]
    assert plain["recovered_fen"] == 1_000
    assert then.plain(date(2023, 12, 31))["told_after_the_payment"] == []
    assert plain["household_on_disbursement_day"]["category_as_known"] == "out_of_poverty"
    cited = {rule["name"]: rule for rule in plain["rules_in_force"]}
    assert cited["lpr_one_year"]["value_then"] == 365
    assert "2023-02-20" in cited["lpr_one_year"]["source"]
    assert _recomputed(plain["calculation"]) == 46_639


def _recomputed(slip: dict[str, Any]) -> int:
    """A second program's arithmetic, knowing nothing but the slip."""
    earned = sum(
        Fraction(
            s["principal_fen"]
            * (date.fromisoformat(s["until"]) - date.fromisoformat(s["first"])).days
            * min(s["contract_rate_bp"], s["rate_cap_bp"])
            * s["share_bp"],
            slip["day_count"] * 10_000 * 10_000,
        )
        for s in slip["segments"]
    )
    return int(earned + Fraction(1, 2))


def test_a_history_shows_who_told_what_when_and_what_was_corrected(database: Any) -> None:
    with conversation(database) as ledger:
        _, changed = told(ledger, (controls.household(), BUREAU), (controls.status(), BUREAU))
        [fixed] = told(ledger, (controls.correct(changed.event_ids[0]), BUREAU))
    with drawn(database) as facts, facts.connection() as connection:
        events = history(connection, [Household.id_for("H1")])
        before = history(connection, [Household.id_for("H1")], changed.recorded_at)

    assert [e.topic for e in events] == [
        "household.registered.v1",
        "household.status-changed.v1",
        "household.corrected.v1",
    ]
    assert events[1].corrected_by == fixed.event_ids[0]
    assert before[1].corrected_by is None
    assert events[0].plain()["told_by"] == {
        "organisation": "BUREAU",
        "role": "bureau",
        "person": "li",
    }
