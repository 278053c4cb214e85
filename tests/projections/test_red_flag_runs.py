"""The red flags as the facts go on: asked again when they may say something else, and kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from support import controls as c
from support.chance import wait_until
from support.county import SteppingClock, conversation
from support.examples import examples_of
from support.flags import said_at_once, standing
from support.red_flags import record_lines

from application.access import enrol
from application.ledger import Ledger
from domain.calendar import civil_day
from interface.simulation.demo import county as demo_county
from interface.simulation.demo.loading import Evening, Loading
from projections.facts.declaration import tables_of
from projections.facts.draw import Projector
from projections.facts.reading import Facts
from projections.facts.statements import tables
from projections.red_flags import Rule, rule, rules
from projections.red_flags.runs import Status, changes, progress, runs, statuses
from projections.red_flags.watching import LANES, Watcher

ROUND_TRIP, LIMITS = rule("RF11"), rule("RF05")
HIT = examples_of("RF11")[0].lines
BROKEN = "SELECT 'x' AS subject, 1 / (SELECT 0) AS amount_fen, ARRAY[1] AS positions"
DAYS = "flag_round_trip_days@"
REPAYMENTS = """
SELECT 'county' AS subject, sum(principal_fen) AS amount_fen, array_agg(of_position) AS positions
  FROM facts.standing_repayment(%(as_of)s, %(known_at)s) HAVING count(*) > 0
"""
START = datetime(2024, 1, 2, 4, tzinfo=UTC)


class County:
    """A ledger, its facts, and a watcher over it whose clock the test sets."""

    def __init__(self, database: Any, ledger: Ledger, *watched: Rule) -> None:
        self.database = database
        self.ledger = ledger
        self.clock = SteppingClock(START)
        self.projector = Projector(database.dsn)
        self.watcher = Watcher(database.dsn, self.clock, watched=watched or None)
        self.connection = psycopg.connect(database.owner_dsn, autocommit=True)

    def step(self) -> int:
        """Draw what was told, and let the watcher ask all it wants to, rested or not."""
        self.projector.catch_up()
        self.watcher._rests_until_ms.clear()
        return sum(iter(self.watcher.step, 0))

    def status(self, of: Rule = ROUND_TRIP) -> Status:
        return statuses(self.connection)[of.id]

    def changed(self, of: Rule = ROUND_TRIP) -> list[tuple[str, str]]:
        found = changes(self.connection, rule=of.id).dicts()
        return [(line["kind"], line["subject"]) for line in found]

    def close(self) -> None:
        self.connection.close()
        self.watcher.close()
        self.projector.close()


@pytest.fixture
def county(database: Any) -> Iterator[County]:
    with conversation(database, clock=SteppingClock(START - timedelta(days=1))) as ledger:
        made = County(database, ledger)
        yield made
        made.close()


def test_every_rule_is_either_not_checked_or_checked_and_clean(county: County) -> None:
    assert county.step() == 0, "nothing was told that could be checked"
    assert progress(county.connection).not_checked == [each.id for each in rules()]
    county.ledger.submit(c.household(), c.BUREAU)
    assert county.step() == len(rules())
    found = {each.rule: each.findings for each in statuses(county.connection).values()}
    assert {id for id, count in found.items() if count} == {"RF26"}, "the plan contradicts itself"
    assert progress(county.connection) == (1, found["RF26"], [], [])


def test_a_finding_appears_with_the_event_that_completes_it_and_goes_with_its_correction(
    county: County,
) -> None:
    *lent, repaid = HIT
    record_lines(county.ledger, lent)
    county.step()
    assert county.status().status == "clean"

    completing = record_lines(county.ledger, [repaid])
    county.step()
    assert (county.status().status, county.status().position) == ("found", completing.position)
    [line] = changes(county.connection, rule="RF11").dicts()
    assert (line["kind"], line["subject"], line["amount_fen"]) == ("appeared", "NRCB/L1", 5_000_000)
    assert line["positions"][-1] == line["position"] == completing.position
    assert line["known_from"] == completing.recorded_at

    county.ledger.submit(c.correct(completing.event_ids[0]), c.BANK)
    county.step()
    assert county.changed() == [("gone", "NRCB/L1"), ("appeared", "NRCB/L1")]
    assert (county.status().status, county.status().findings) == ("clean", 0)


def test_only_rules_that_ask_about_what_was_told_are_asked_again(county: County) -> None:
    record_lines(county.ledger, HIT)
    county.step()
    assert county.step() == 0, "nothing came"
    before = statuses(county.connection)

    county.ledger.submit(c.members(household_no="H1"), c.BUREAU)
    asked = county.step()

    after = statuses(county.connection)
    again = {id for id in after if after[id].asked_at > before[id].asked_at}
    assert len(again) == asked
    assert {"RF21", "RF22"} <= again, "these ask about members"
    assert not again & {"RF08", "RF11", "RF14", "RF19"}, "and these do not"
    assert {each.position for each in after.values()} == {before["RF11"].position + 1}
    assert again.isdisjoint(
        id for id in after if after[id].asked_position == before[id].asked_position
    )


def test_what_a_rule_asks_about_is_read_from_its_question_and_from_its_relations(
    county: County,
) -> None:
    county.ledger.submit(c.household(), c.BUREAU)
    county.step()
    for each in rules():
        assert each.tables <= county.watcher._tables[each.id] <= {*tables(), "event"}
    with_relations = ROUND_TRIP._replace(relations=("due",), parameters={})
    made = County(county.database, county.ledger, with_relations)
    county.watcher.let_go()
    made.step()
    made.close()
    assert made.watcher._tables["RF11"] >= {"loan", "posting", "ruling", "subsidy"}


def test_every_table_of_the_facts_is_known_to_be_fed_by_some_event() -> None:
    from domain.catalogue import EVENTS

    fed = set().union(*(tables_of(topic) for topic in EVENTS))
    assert fed == set(tables())


def test_a_run_that_says_nothing_new_adds_no_row_and_a_new_day_one_a_rule(county: County) -> None:
    record_lines(county.ledger, HIT)
    county.step()
    stored = len(runs(county.connection).rows)
    assert stored == len(rules())
    county.ledger.submit(c.repay(loan_no="L1", principal_fen=1, effective_on="2023-12-01"), c.BANK)
    assert county.step() > 0
    assert len(runs(county.connection).rows) == stored
    assert len(changes(county.connection).rows) == progress(county.connection).findings

    county.clock.now += timedelta(days=1)
    assert county.step() == len(rules())
    assert len(runs(county.connection).rows) == 2 * stored
    assert len(runs(county.connection, rule="RF11").rows) == 2


def test_a_finding_that_merely_changes_is_said_again_once_an_hour_at_most(database: Any) -> None:
    every = ROUND_TRIP._replace(sql=REPAYMENTS)
    with conversation(database, clock=SteppingClock(START - timedelta(days=1))) as ledger:
        record_lines(ledger, HIT)
        made = County(database, ledger, every)
        made.step()
        for part in (1, 2):
            ledger.submit(c.repay(ref=f"M-{part}", principal_fen=part), c.BANK)
            made.step()
        assert made.changed() == [("appeared", "county")]

        made.clock.now += timedelta(hours=1)
        ledger.submit(c.repay(ref="M-3", principal_fen=3), c.BANK)
        made.step()
        assert made.changed() == [("changed", "county"), ("appeared", "county")]
        assert len(next(changes(made.connection, rule="RF11").dicts())["positions"]) == 4
        made.close()


def test_a_rule_that_fails_is_an_error_of_its_own_and_what_it_found_stays(database: Any) -> None:
    broken = ROUND_TRIP._replace(sql=BROKEN, version="broken")
    with conversation(database, clock=SteppingClock(START - timedelta(days=1))) as ledger:
        record_lines(ledger, HIT)
        whole = County(database, ledger, ROUND_TRIP, LIMITS)
        whole.step()
        seen = whole.status().position
        whole.close()
        ledger.submit(c.repay(loan_no="L1", principal_fen=1, effective_on="2023-12-01"), c.BANK)
        half = County(database, ledger, broken, LIMITS)
        half.step()
        failed, other = half.status(), half.status(LIMITS)
        assert (failed.status, failed.error) == ("error", "division by zero")
        assert (failed.position, failed.findings) == (seen, 1), "checked through where it last was"
        assert (other.status, other.position) == ("clean", seen + 1)
        assert half.changed() == [("appeared", "NRCB/L1")]
        assert progress(half.connection).in_error == ["RF11"]
        half.close()
        mended = County(database, ledger, ROUND_TRIP, LIMITS)
        mended.step()
        assert (mended.status().status, mended.status().position) == ("found", seen + 1)
        kept = [line["status"] for line in runs(mended.connection, rule="RF11").dicts()]
        assert kept == ["found", "error", "found"]
        assert mended.changed() == [("appeared", "NRCB/L1")]
        mended.close()


def test_a_rule_that_goes_on_failing_adds_one_run_a_day(database: Any) -> None:
    with conversation(database) as ledger:
        record_lines(ledger, HIT)
        whole = County(database, ledger, ROUND_TRIP)
        whole.step()
        whole.close()
        made = County(database, ledger, ROUND_TRIP._replace(sql=BROKEN))
        for day in (1, 2):
            made.clock.now = START + timedelta(days=day)
            for _ in range(3):
                assert made.step() == 1
        kept = [line["status"] for line in runs(made.connection).dicts()]
        assert kept == ["error", "error", "found"]
        made.close()


def test_a_rule_in_error_is_asked_again_only_after_a_while(database: Any) -> None:
    broken = ROUND_TRIP._replace(sql="SELECT nothing")
    with conversation(database) as ledger:
        ledger.submit(c.household(), c.BUREAU)
        made = County(database, ledger, broken)
        made.projector.catch_up()
        assert [made.watcher.step() for _ in range(3)] == [1, 0, 0]
        made.close()


def test_a_run_names_the_ruling_that_it_asked_by_also_where_two_days_have_two(
    county: County,
) -> None:
    record_lines(county.ledger, HIT)
    county.step()
    [before] = runs(county.connection, rule="RF11").dicts()
    [days] = [v for version, v in before["rulings"].items() if version.startswith(DAYS)]
    told = [{"rule": "flag_round_trip_days", "value": days - 1}]
    county.ledger.submit(c.ruling(ref="RL-7", effective_on="2024-01-05", rulings=told), c.CENTRE)
    county.step()
    assert len(runs(county.connection, rule="RF11").rows) == 1, "it rules from a later day on"

    county.clock.now = START + timedelta(days=4)
    county.step()
    after, _ = runs(county.connection, rule="RF11").dicts()
    [(version, value)] = [(k, v) for k, v in after["rulings"].items() if k.startswith(DAYS)]
    assert value == days - 1
    assert version.startswith("flag_round_trip_days@2024-01-05")
    assert (after["status"], after["gone"]) == ("clean", 1), "seven days are one too many by now"
    assert before["rulings"] != after["rulings"]
    assert before["rule_version"] == after["rule_version"]


def test_another_text_of_a_rule_and_facts_drawn_anew_are_asked_at_once(county: County) -> None:
    record_lines(county.ledger, HIT)
    county.step()
    county.projector.rebuild()
    assert county.step() == len(rules())
    first, *others = rules()
    county.watcher._rules = (first._replace(version="other"), *others)
    assert county.step() == 1
    assert county.status(first).rule_version == "other"


def test_dear_rules_have_a_lane_of_their_own_and_let_no_other_wait(database: Any) -> None:
    slow = "SELECT pg_sleep(1.1)::text AS subject, 1 AS amount_fen, ARRAY[1] AS positions"
    dear = ROUND_TRIP._replace(id="RF91", sql=slow, parameters={})
    related = ROUND_TRIP._replace(id="RF92", relations=("rate_cap",))
    watched = [dear, related, ROUND_TRIP, LIMITS]
    with conversation(database) as ledger:
        ledger.submit(c.household(), c.BUREAU)
        made = County(database, ledger)
        made.projector.catch_up()
        lanes = [Watcher(database.dsn, made.clock, lane=each, watched=watched) for each in LANES]
        first = [asked_by(made, watcher) for watcher in lanes]
        assert first == [["RF05", "RF11", "RF91"], ["RF91", "RF92"]], "it was not known as dear"
        made.clock.now += timedelta(days=1)
        for watcher in lanes:
            watcher._rests_until_ms.clear()
        assert [asked_by(made, each) for each in lanes] == [["RF05", "RF11"], ["RF91", "RF92"]]
        for watcher in (*lanes, made):
            watcher.close()


def asked_by(county: County, watcher: Watcher) -> list[str]:
    """The rules that a step of a watcher asks."""
    before = {id: each.asked_at for id, each in statuses(county.connection).items()}
    watcher.step()
    after = statuses(county.connection).values()
    return sorted(each.rule for each in after if each.asked_at != before.get(each.rule))


def test_several_watchers_take_turns(county: County) -> None:
    second = Watcher(county.database.dsn, county.clock)
    record_lines(county.ledger, HIT)
    assert county.step() == len(rules())
    county.ledger.submit(c.members(household_no="H1"), c.BUREAU)
    county.projector.catch_up()
    assert second.step() == 0, "it is the other's turn"
    county.watcher.close()
    asked: list[int] = []
    wait_until(  # the server lets go of the turn a moment after its connection ends
        lambda: asked.append(second.step()) or asked[-1], "the other has the turn"
    )
    assert asked[-1] == len(rules())
    second.close()
    assert county.changed() == [("appeared", "NRCB/L1")]


def test_nobody_changes_what_was_stored_and_readers_store_nothing(county: County) -> None:
    county.step()
    for role, order in (
        ("mingzhang_watcher", "UPDATE projection.red_flag_run SET status = 'clean'"),
        ("mingzhang_watcher", "DELETE FROM projection.red_flag_change"),
        ("mingzhang_watcher", "DELETE FROM projection.red_flag_status"),
        ("mingzhang_watcher", "INSERT INTO ledger.event SELECT * FROM ledger.event"),
        ("mingzhang_reader", "UPDATE projection.red_flag_status SET position = 0"),
        ("mingzhang_reader", "INSERT INTO projection.red_flag_run DEFAULT VALUES"),
        ("mingzhang_projector", "UPDATE projection.red_flag_status SET position = 0"),
        (None, "UPDATE projection.red_flag_run SET status = 'clean'"),
        (None, "DELETE FROM projection.red_flag_change"),
    ):
        with psycopg.connect(county.database.owner_dsn) as connection:
            if role:
                connection.execute(f"SET ROLE {role}".encode())
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(order.encode())


def test_what_is_stored_may_be_emptied_and_fills_again(county: County) -> None:
    record_lines(county.ledger, HIT)
    county.step()
    county.connection.execute(
        "TRUNCATE projection.red_flag_status, projection.red_flag_change, projection.red_flag_run"
    )
    assert county.step() == len(rules())
    assert county.changed() == [("appeared", "NRCB/L1")]
    assert county.status().findings == 1


class OneEvening(Evening):
    """All that the demo county tells becomes known on one day: no rule is asked for time alone."""

    def __init__(self) -> None:
        super().__init__()
        self.now = datetime(2026, 1, 2, 2, tzinfo=UTC)

    def begin(self, day: date) -> None:
        pass


def test_what_is_stored_step_by_step_is_what_all_rules_say_at_once(database: Any) -> None:
    made = demo_county(seed=3, factor=0.01)
    enrol(database.owner_dsn, list(made.organisations))
    clock = OneEvening()
    ledger = Ledger(database.dsn, database.keys, clock=clock)
    loading = Loading(ledger, clock, made.corrected)
    facts = Facts(database.dsn, most=1)
    watched = County(database, ledger)
    watched.clock.now = clock.now
    asked, compared = [], 0
    for number, day in enumerate(made.days()):
        loading.statements(day)
        if number % 60 == 0:
            asked.append(watched.step())
        if number % 180 == 0:
            watched.step()
            assert standing(watched.connection) == said_at_once(facts, civil_day(watched.clock()))
            compared += 1
    watched.step()
    assert standing(watched.connection) == said_at_once(facts, civil_day(watched.clock()))
    assert compared >= 4
    assert any(0 < each < len(rules()) for each in asked), "some steps ask some rules only"
    assert sum(each.findings for each in statuses(watched.connection).values()) > 20
    kinds = {line["kind"] for line in changes(watched.connection).dicts()}
    assert kinds == {"appeared", "gone"}
    watched.close()
    facts.close()
    ledger.close()
