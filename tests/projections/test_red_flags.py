"""Each rule flags its examples and spares its near misses; planted misuse is found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from support.county import SteppingClock, conversation, drawn

from application.commands import COMMANDS, ProposeBatch
from domain.calendar import named_quarter
from domain.kernel import Author
from interface.demo import County, county, load
from projections.facts.reading import Facts
from projections.red_flags import Example, Rule, check, parse, rules
from projections.red_flags import rule as rule_called
from projections.settlement import run_of

EXAMPLES = [(rule, example) for rule in rules() for example in rule.examples]


def subjects(facts: Facts, rule: Rule, as_of: date, known_at: datetime | None = None) -> set[str]:
    """Whom a rule flags at two dates."""
    with facts.at(as_of, known_at) as view:
        found = check(view, rule)
    assert found.error is None
    return {finding.subject for finding in found.findings}


KINDS = COMMANDS | {ProposeBatch.TYPE: ProposeBatch}


class Teller:
    """Tells the lines of an example, each on its day; the run of a batch is worked out then."""

    def __init__(self, database: Any) -> None:
        self._database, self._events = database, dict[str, str]()

    def tell(self, text: str) -> datetime:
        """Returns when the last line became known."""
        dated = '"on": ' in text
        clock = SteppingClock(datetime(2023, 1, 1, tzinfo=UTC) if dated else None)
        recorded = None
        with conversation(self._database, clock=clock) as ledger:
            for line in text.strip().splitlines():
                told = json.loads(line)
                organisation, role, person = (*told.pop("by").split(":"), "example")[:3]
                if on := told.pop("on", None):
                    clock.now = max(clock.now, datetime.fromisoformat(on + "T02:00:00Z"))
                command = KINDS[told.pop("type")].model_validate(self._completed(told))
                recorded = ledger.tell(command, Author(role, organisation, person))
                self._events[command.ref] = recorded.event_ids[0]
        assert recorded is not None
        return recorded.recorded_at

    def _completed(self, told: dict[str, Any]) -> dict[str, Any]:
        """An event is named by its reference, and a batch lists what is due."""
        if "event_id" in told:
            told["event_id"] = self._events[told["event_id"]]
        if "period" in told and "batch_no" in told:
            with drawn(self._database) as facts:
                with facts.at(date.fromisoformat(told["effective_on"])) as view:
                    told["run"] = run_of(view, named_quarter(told["period"]))
        return told


@pytest.mark.parametrize(
    ("rule", "example"), EXAMPLES, ids=[f"{rule.id}: {each.what}" for rule, each in EXAMPLES]
)
def test_each_example_is_flagged_or_spared(database: Any, rule: Rule, example: Example) -> None:
    known = Teller(database).tell(example.told)
    with drawn(database) as facts:
        with facts.at(example.as_of) as view:
            found = check(view, rule)
        assert found.error is None
        assert found.status == ("found" if example.hit else "clean")
        assert len({finding.subject for finding in found.findings}) == len(found.findings)
        for finding in found.findings:
            assert finding.positions or "contradiction" in rule.relations
            assert finding.known_from is not None
            assert finding.known_from <= known
            assert finding.amount_fen >= 0
        for finding in found.findings:
            assert subjects(facts, rule, example.as_of, finding.known_from) >= {finding.subject}
            before = finding.known_from - timedelta(microseconds=1)
            assert finding.subject not in subjects(facts, rule, example.as_of, before)


@pytest.fixture(scope="module")
def told(shared_database: Any) -> Iterator[tuple[County, Facts]]:
    made = county(seed=1, factor=0.05)
    load(shared_database.owner_dsn, shared_database.dsn, shared_database.keys, made)
    with drawn(shared_database) as facts:
        yield made, facts


RULES_OF_LOANS = ("RF05", "RF07", "RF11", "RF13", "RF14", "RF19", "RF22")


@pytest.mark.parametrize("flag", RULES_OF_LOANS)
def test_every_planted_scheme_of_the_demo_is_found(told: tuple[County, Facts], flag: str) -> None:
    made, facts = told
    planted = [
        {f"{bank}/{number}" for bank, number in scheme.loans}
        for scheme in made.schemes
        if scheme.flag == flag and scheme.kind != "month_end_round_trip"
    ]
    rule = rule_called(flag)
    with facts.at(date(2024, 12, 31)) as view:
        found = {finding.subject for finding in check(view, rule).findings}
    assert planted, "the demo plants some"
    assert [scheme for scheme in planted if not scheme & found] == []


def test_a_finding_is_known_from_the_event_that_completes_it_and_not_before(
    told: tuple[County, Facts],
) -> None:
    _, facts = told
    rule = rule_called("RF11")
    with facts.at(date(2024, 12, 31)) as view:
        finding = check(view, rule).findings[0]
    assert finding.known_from is not None
    with facts.at(date(2024, 12, 31), finding.known_from) as view:
        then = {each.subject for each in check(view, rule).findings}
    just_before = finding.known_from.timestamp() - 0.001
    with facts.at(date(2024, 12, 31), datetime.fromtimestamp(just_before, UTC)) as view:
        before = {each.subject for each in check(view, rule).findings}
    assert finding.subject in then
    assert finding.subject not in before


def test_a_rule_that_writes_or_fails_is_an_error_of_its_own(told: tuple[County, Facts]) -> None:
    _, facts = told
    rule = rules()[0]
    writes = "WITH gone AS (DELETE FROM facts.loan RETURNING loan_id) SELECT 1 AS subject,"
    for sql in (
        f"{writes} 1 AS amount_fen, ARRAY[1] AS positions FROM gone",
        "SELECT nothing",
        "SELECT 1 AS subject",
    ):
        with facts.at(date(2024, 12, 31)) as view:
            broken = check(view, rule._replace(sql=sql))
            assert (broken.status, broken.findings) == ("error", [])
            assert broken.error
            assert view.ask("SHOW statement_timeout").rows == [("1min",)]
            assert check(view, rule).status == "found", "the others are asked all the same"
            assert view.ask("SHOW statement_timeout").rows == [("1min",)], "and so is the rest"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('severity = "high"', 'severity = "grave"'), "severity"),
        (('id = "RF11"', 'id = "RF12"'), "id"),
        (("hit = false", "hit = true"), "examples"),
        (('source = "[D]', 'source = "'), "source"),
        (('why = "', 'reason = "'), "why"),
    ],
)
def test_a_rule_file_with_a_wrong_header_is_refused(change: tuple[str, str], said: str) -> None:
    from importlib import resources

    text = resources.files("projections.red_flags").joinpath("rules/rf11.toml").read_text("utf-8")
    parse("rf11", text)
    with pytest.raises(ValueError, match=said):
        parse("rf11", text.replace(*change))
