"""Reports and indicators: what they say of a county told by hand, and that columns sum."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from support import controls
from support.controls import BANK, BUREAU, ID_NO, OTHER_BANK, OTHER_ID_NO, TOWNSHIP
from support.county import SteppingClock, conversation, drawn, told

from projections.facts.reading import Scope
from projections.reports import COUNTY_ROW, indicators, township_report
from projections.reports.banks import bank_appraisal


def test_the_month_and_the_indicators_say_what_was_told(database: Any) -> None:
    second = {
        "household_no": "H2",
        "township_code": "T02",
        "members": [{"name": "李四", "id_no": OTHER_ID_NO, "relation": "户主", "head": True}],
    }
    third = [{"name": "王五", "id_no": "110105194912310038", "relation": "户主", "head": True}]
    clock = SteppingClock(datetime(2024, 6, 1, tzinfo=UTC))
    with conversation(database, clock=clock) as ledger:
        told(
            ledger,
            (controls.household(), BUREAU),
            (controls.household(ref="HH-2", **second), BUREAU),
            (controls.household(ref="HH-3", household_no="H3", category="none",
                                members=third), BUREAU),
            (controls.loan(), BANK),
            (controls.loan(ref="LN-2", loan_no="L2", household_no="H2",
                           borrower_id_no=OTHER_ID_NO, due_on="2023-12-10",
                           principal_fen=3_000_000, credited_fen=3_000_000), OTHER_BANK),
            (controls.repay(), BANK),
            (controls.check(finding="diverted"), TOWNSHIP),
        )  # fmt: skip
    assert ID_NO != OTHER_ID_NO
    with drawn(database) as facts:
        with facts.at(date(2023, 12, 31)) as view:
            report = list(township_report(view).dicts())
            found = {line["indicator"]: line for line in indicators(view).dicts()}
            own = list(township_report(view, scope=Scope(township="T02")).dicts())
        with facts.at(date(2023, 1, 1)) as view:
            empty = list(township_report(view).dicts())

    assert [line["township"] for line in report] == ["T01", "T02", COUNTY_ROW]
    assert [line["outstanding_fen"] for line in report] == [3_000_000, 3_000_000, 6_000_000]
    assert [line["overdue_fen"] for line in report] == [0, 3_000_000, 3_000_000]
    assert [line["overdue_rate_bp"] for line in report] == [0, 10_000, 5_000]
    *townships, county = report
    for column in county:
        if column != "township" and not column.endswith("_bp"):
            assert county[column] == sum(line[column] for line in townships), column
    assert county["target_share_bp"] == 2  # 80 000 of 323 370 000 yuan
    assert [line["target_share_bp"] for line in own] == [None, None]
    assert [line["outstanding_fen"] for line in empty] == [0]

    assert (found["disbursed"]["value"], found["disbursed"]["target"]) == (
        8_000_000,
        32_337_000_000,
    )
    assert found["repayment_rate"]["value"] == 0
    assert found["risk_ratio"]["value"] == 5_000
    assert found["borrowers_of_registered"]["value"] == 6_667
    assert found["borrowers_of_eligible"]["value"] == 10_000
    assert found["own_use"]["value"] == 5_000
    assert found["income"]["value"] is None


def test_a_bank_is_appraised_by_what_it_did_told_late_and_took_back(database: Any) -> None:
    clock = SteppingClock(datetime(2023, 4, 1, tzinfo=UTC))
    with conversation(database, clock=clock) as ledger:
        told(
            ledger,
            (controls.household(), BUREAU),
            (controls.demand(), TOWNSHIP),
            (controls.credit(), BANK),
            (controls.loan(due_on="2023-12-10"), BANK),
        )
        clock.now = datetime(2023, 10, 5, tzinfo=UTC)
        in_time = controls.remind(effective_on="2023-10-04")
        [late, *_] = told(ledger, (controls.repay(), BANK), (in_time, BANK))
        clock.now = datetime(2023, 12, 31, tzinfo=UTC)
        with drawn(database) as facts, facts.at(date(2023, 12, 31)) as view:
            [line] = bank_appraisal(view).dicts()
            frozen, known_at = bank_appraisal(view), view.known_at
            assert bank_appraisal(view, scope=Scope(bank="PSBC")).rows == []
        told(ledger, (controls.correct(late.event_ids[0]), BANK))
        with drawn(database) as facts:
            with facts.at(date(2023, 12, 31), known_at) as view:
                assert bank_appraisal(view) == frozen, "as known then, for ever"
            with facts.at(date(2023, 12, 31)) as view:
                [now] = bank_appraisal(view).dicts()

    assert (line["told"], line["told_late"], line["taken_back"]) == (2, 1, 0)
    assert (now["told"], now["told_late"], now["taken_back"]) == (2, 1, 1)
    assert (line["reminders_done"], line["reminders_not_done"]) == (1, 1)
    assert line["reminders_in_time_bp"] == 5_000
    assert (line["answers"], line["answer_days"], line["answers_not_told"]) == (1, 28, 0)
    assert (line["overdue_rate_bp"], line["overdue_fen"]) == (10_000, 3_000_000)
    assert now["overdue_fen"] == 5_000_000


def test_a_monthly_report_that_differs_from_the_ledger_counts_against_its_bank(
    database: Any,
) -> None:
    april = {"ref": "BR-2", "period": "2023-04", "effective_on": "2023-05-03", "disbursed_fen": 0}
    with conversation(database, clock=SteppingClock(datetime(2024, 6, 1, tzinfo=UTC))) as ledger:
        *_, inflated = told(
            ledger,
            (controls.household(), BUREAU),
            (controls.loan(), BANK),
            (controls.report(), BANK),
            (controls.report(**april, balance_fen=9_000_000), BANK),
        )
        with drawn(database) as facts, facts.at(date(2023, 12, 31)) as view:
            [before] = bank_appraisal(view).dicts()
        honest = controls.body(controls.report(**april), "period")
        fix = controls.correct(inflated.event_ids[0], replacement=honest)
        told(ledger, (fix, BANK))
        with drawn(database) as facts, facts.at(date(2023, 12, 31)) as view:
            [after] = bank_appraisal(view).dicts()
    assert (before["scale_reports"], before["scale_reports_differing"]) == (2, 1)
    assert (after["scale_reports"], after["scale_reports_differing"]) == (2, 0)
