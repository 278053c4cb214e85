"""Each rule flags its examples and spares its near misses; planted misuse is found."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest
from support.county import conversation, drawn, tell_lines

from interface.demo import County, county, load
from projections.facts.reading import Facts
from projections.red_flags import Example, Rule, check, parse, rules
from projections.red_flags import rule as rule_called

EXAMPLES = [(rule, example) for rule in rules() for example in rule.examples]


@pytest.mark.parametrize(
    ("rule", "example"), EXAMPLES, ids=[f"{rule.id}: {each.what}" for rule, each in EXAMPLES]
)
def test_each_example_is_flagged_or_spared(database: Any, rule: Rule, example: Example) -> None:
    with conversation(database) as ledger:
        known = tell_lines(ledger, example.told).recorded_at
    with drawn(database) as facts, facts.at(date(2024, 1, 1)) as view:
        found = check(view, rule)
    assert found.error is None
    assert found.status == ("found" if example.hit else "clean")
    for finding in found.findings:
        assert finding.positions
        assert finding.known_from is not None
        assert finding.known_from <= known


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


WRITES = "WITH gone AS (DELETE FROM {facts}.loan RETURNING loan_id) SELECT count(*) FROM gone"


def test_a_rule_could_write_neither_by_its_role_nor_in_its_transaction(
    told: tuple[County, Facts], shared_database: Any
) -> None:
    """Each of the two would be enough: one is tried without the other."""
    _, facts = told
    with facts.at(date(2024, 12, 31)) as view:
        [(schema,)] = view.ask("SELECT 'facts.' || 'x'").rows
        order = WRITES.format(facts=schema.removesuffix(".x")).encode()
        assert view.ask("SELECT current_user::text").rows == [("mingzhang_reader",)]
        assert view.ask("SHOW transaction_read_only").rows == [("on",)]
    with psycopg.connect(shared_database.dsn, options="-c role=mingzhang_reader") as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(order)
    with psycopg.connect(shared_database.owner_dsn) as connection:
        connection.execute("SET TRANSACTION READ ONLY")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute(order)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT 1 AS subject, 1 AS amount_fen, ARRAY[1] AS positions; DELETE FROM facts.loan",
         "syntax error"),
        ("SELECT 1) f; COMMIT; DELETE FROM facts.loan; SELECT (1", "multiple commands"),
        ("DELETE FROM facts.loan", "syntax error"),
        ("SELECT pg_sleep(9)::text AS subject, 1 AS amount_fen, ARRAY[1] AS positions", "timeout"),
        ("SELECT set_config('role', 'mingzhang_writer', false) AS subject, 1 / (SELECT 0)"
         " AS amount_fen, ARRAY[1] AS positions", "division"),
        ("SELECT set_config('statement_timeout', '0', false) AS subject, 1 / (SELECT 0)"
         " AS amount_fen, ARRAY[1] AS positions", "division"),
        ("SELECT set_config('transaction_read_only', 'off', false) AS subject, 1 AS amount_fen,"
         " ARRAY[1] AS positions", "read-write"),
    ],
)  # fmt: skip
def test_two_statements_a_long_one_and_changed_settings_are_errors_of_that_rule_alone(
    told: tuple[County, Facts], sql: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, facts = told
    monkeypatch.setattr("projections.red_flags._SECONDS", 1)
    rule = rule_called("RF19")
    with facts.at(date(2024, 12, 31)) as view:
        loans = view.ask("SELECT count(*) FROM facts.loan").rows
        broken = check(view, rule._replace(sql=sql))
        assert broken.status == "error"
        assert said in (broken.error or "")
        assert view.ask("SELECT current_user::text").rows == [("mingzhang_reader",)]
        assert view.ask("SHOW statement_timeout").rows == [("1min",)]
        assert view.ask("SHOW transaction_read_only").rows == [("on",)]
        assert view.ask("SELECT count(*) FROM facts.loan").rows == loans
        assert check(view, rule).status == "found"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('severity = "high"', 'severity = "grave"'), "severity"),
        (('id = "RF11"', 'id = "RF12"'), "id"),
        (("hit = false", "hit = true"), "examples"),
        (('source = "[D]', 'source = "'), "source"),
        (("hit = true", "hit = false"), "examples"),
        (("[[example]]", "[[specimen]]"), "specimen"),
        (('severity = "high"', 'severity = "high"\nrelations = ["balance"]'), "relations"),
        (('why = "', 'reason = "'), "why"),
    ],
)
def test_a_rule_file_with_a_wrong_header_is_refused(change: tuple[str, str], said: str) -> None:
    from importlib import resources

    text = resources.files("projections.red_flags").joinpath("rules/rf11.toml").read_text("utf-8")
    parse("rf11", text)
    with pytest.raises(ValueError, match=said):
        parse("rf11", text.replace(*change))
