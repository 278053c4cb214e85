"""The gate: no red flag finds less, or raises more false alarms, than it did (floors.toml).

The counties are those of the back-test bench, small, with fixed seeds; see docs/backtest.md.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from conftest import create_database, drop_database

from application.commands.programme import RulingItem, SetRulings
from application.fields import Ground
from domain.kernel import Author
from interface.cli.backtest_command import backtest
from interface.simulation.backtest import BacktestCounty, Score, Told, told
from interface.simulation.backtest.bench import LAST
from interface.simulation.backtest.curves import curves, picture
from interface.simulation.backtest.labels import Label
from interface.simulation.backtest.matching import Named, shows
from interface.simulation.backtest.report import share
from interface.simulation.backtest.scoring import UNEXPLAINED, score, score_rule, truth
from projections.facts.draw import Projector
from projections.red_flags import check, rules
from projections.red_flags import rule as rule_called

SEEDS, FACTOR = (1, 2), 0.01
NOT_PLANTED = {"RF28"}
"""Nobody looks at anybody in the simulated counties; the examples of the rule stand for it."""
EVERY_FLAG = [rule.id for rule in rules() if rule.id not in NOT_PLANTED]
FLOORS: dict[str, dict[str, int]] = tomllib.loads(
    Path(__file__).with_name("floors.toml").read_text("utf-8")
)


class Measured:
    """What every rule came to in the gate's counties, and all labels of these."""

    def __init__(self) -> None:
        self.scores: dict[str, list[Score]] = {rule.id: [] for rule in rules()}
        self.labels: list[Label] = []


@pytest.fixture(scope="module")
def measured(server: str) -> Measured:
    found = Measured()
    for seed in SEEDS:
        database = create_database(server)
        county = BacktestCounty(seed, FACTOR)
        with told(database.owner_dsn, database.dsn, database.keys, county) as bench:
            with bench.facts.at(LAST) as view:
                known = truth(bench, view)
                found.labels.extend(known.labels)
                for rule in rules():
                    found.scores[rule.id].append(score_rule(view, known, rule))
        drop_database(server, database)
    return found


@pytest.mark.parametrize("flag", EVERY_FLAG)
def test_every_red_flag_has_cases_that_it_should_find(measured: Measured, flag: str) -> None:
    assert [label for label in measured.labels if label.flag == flag and label.wanted]


def test_every_rule_has_a_floor_and_every_floor_a_rule() -> None:
    assert sorted(FLOORS) == [rule.id for rule in rules() if rule.id not in NOT_PLANTED]


@pytest.mark.parametrize("flag", sorted(FLOORS))
def test_no_rule_falls_below_its_floor(measured: Measured, flag: str) -> None:
    scores, floor = measured.scores[flag], FLOORS[flag]
    wanted, found, findings, true = (
        sum(numbers)
        for numbers in zip(*((s.wanted, s.found, s.findings, s.true) for s in scores), strict=True)
    )

    assert [each.error for each in scores if each.error] == []
    assert wanted, f"nothing is planted for {flag}"
    assert found * 100 >= wanted * floor["recall"], (
        f"{flag} finds {share(found, wanted)} of {wanted}, below {floor['recall']} %; missed:",
        [f"{label.kind} {sorted(label.of)}" for each in scores for label in each.missed],
    )
    assert findings, f"{flag} finds nothing"
    assert true * 100 >= findings * floor["precision"], (
        f"{flag}: {share(true, findings)} of {findings} findings are true,"
        f" below {floor['precision']} %; false alarms:",
        [f"{kind}: {finding.subject}" for each in scores for kind, finding in each.false],
    )


@pytest.mark.parametrize("seed", [11, 12])
def test_among_honest_people_a_grave_red_flag_is_raised_by_what_the_simulator_knows_alone(
    database: Any, seed: int
) -> None:
    county = BacktestCounty(seed, 0.005, with_fraud=False)
    with told(database.owner_dsn, database.dsn, database.keys, county) as bench:
        grave = score(bench, [rule for rule in rules() if rule.severity == "high"])

    assert {
        (each.rule.id, finding.subject)
        for each in grave
        for kind, finding in each.false
        if kind == UNEXPLAINED
    } == set()
    planted = [label.kind for label in county.labels() if label.wanted]
    assert not {"round_trip", "pooled_by_a_firm", "borrowed_names"} & set(planted)


# ---- the bench itself -------------------------------------------------------------------


@pytest.fixture(scope="module")
def bench(shared_database: Any) -> Iterator[Told]:
    county = BacktestCounty(7, 0.01)
    owner_dsn, dsn, keys = shared_database
    with told(owner_dsn, dsn, keys, county) as heard:
        yield heard


def test_a_supposed_threshold_shows_what_a_ruling_told_would_show(bench: Told) -> None:
    rule = rule_called("RF08")
    with bench.facts.at(LAST) as view:
        known = truth(bench, view)
        today = view.book.ruling("flag_pool_households", LAST)
        supposed = score_rule(view.supposing(today._replace(value=10)), known, rule)
        before = score_rule(view, known, rule)

    bench.ledger.submit(
        SetRulings(
            ref="GZ-10",
            effective_on=date(2024, 1, 1),
            ground=Ground(document="领导小组〔2024〕2号"),
            rulings=[RulingItem(rule="flag_pool_households", value=10)],
        ),
        Author("centre", "CENTRE", "centre-01"),
    )
    projector = Projector(bench.dsn)
    projector.catch_up()
    projector.close()
    with bench.facts.at(LAST) as view:
        really = score_rule(view, known, rule)

    assert before.findings > supposed.findings
    assert supposed[1:7] == really[1:7]


def test_a_curve_passes_through_what_rules_today_and_is_drawn_as_xml(bench: Told) -> None:
    rule = rule_called("RF11")
    with bench.facts.at(LAST) as view:
        known = truth(bench, view)
        today = score_rule(view, known, rule)
        drawn = list(curves(view, known, [rule]))

    assert drawn
    for curve in drawn:
        here = next(point for point in curve.points if point.value == curve.today)
        assert here[1:] == (today.wanted, today.found, today.findings, today.true)
        root = ET.fromstring(picture(curve))
        lines = [each for each in root if each.tag.endswith("polyline")]
        assert len(lines) == 2
        assert curve.title_zh in "".join(root.itertext())


def test_no_rule_names_one_subject_twice(bench: Told) -> None:
    with bench.facts.at(LAST) as view:
        named = Counter(
            (rule.id, finding.subject) for rule in rules() for finding in check(view, rule).findings
        )
    assert {rule for rule, _ in named} == set(EVERY_FLAG)
    assert [each for each, times in named.items() if times > 1] == []


L1, L2 = ("loan", "B/L1"), ("loan", "B/L2")
H1, ON, LATER = ("household", "H1"), ("day", "2023-05-01"), ("day", "2023-08-01")


@pytest.mark.parametrize(
    ("subject", "evidence", "case", "hit"),
    [
        ({L1}, {L1, H1}, {L1, H1}, True),
        ({L2}, {L1, L2}, {L1}, False),  # the subject is heard before the evidence
        ({H1}, {L1}, {L1, L2, H1}, True),
        ({L1, ON}, {L1}, {L1, ON}, True),
        ({L1, LATER}, {L1}, {L1, ON}, False),  # another day of the same loan
        ({L1}, {L1}, {L1, ON}, True),  # a finding of the whole loan
        ({("account", "A")}, {L1}, {L1}, True),  # an account that the case does not name
        (set(), {L2}, {L1}, False),
        ({("county", "county")}, {L1}, {("county", "county")}, True),
    ],
)
def test_a_finding_shows_a_case_when_they_share_one_of_each_sort_that_both_name(
    subject: set[Any], evidence: set[Any], case: set[Any], hit: bool
) -> None:
    assert shows(Named(frozenset(subject), frozenset(evidence)), frozenset(case)) is hit


def test_the_same_seed_tells_the_same_story_and_labels() -> None:
    one, two, other = (BacktestCounty(seed, 0.01) for seed in (3, 3, 4))

    assert one.labels() == two.labels() != other.labels()
    assert one.noises() == two.noises()
    assert [len(day.statements) for day in one.days()] == [len(d.statements) for d in two.days()]


def test_the_command_writes_the_table_of_every_rule(tmp_path: Path) -> None:
    backtest(seed=[5], factor=0.001, out=tmp_path, drawing=False)

    text = (tmp_path / "backtest.md").read_text("utf-8")
    assert [rule.id for rule in rules() if f"\n| {rule.id} | {rule.title_zh} |" not in text] == []
    assert "\nSeeds 5, factor 0.001: " in text


def test_the_page_in_the_documents_speaks_of_every_rule_and_picture_there_is() -> None:
    docs = Path(__file__).parents[2] / "docs"
    text = (docs / "backtest.md").read_text("utf-8")

    assert [rule.id for rule in rules() if f"\n| {rule.id} |" not in text] == []
    shown = {line[line.index("](") + 2 : -1] for line in text.splitlines() if "![" in line}
    assert shown == {f"backtest/{path.name}" for path in (docs / "backtest").iterdir()}
    for name in shown:
        assert ET.parse(docs / name).getroot().tag.endswith("svg")
