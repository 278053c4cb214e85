"""Years of quarters run through batches while late facts arrive; then every road to one sum."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from application.access import enrol
from application.ledger import Ledger
from domain.batch import Line
from domain.calendar import civil_day, quarter
from domain.money import divide_half_up, yuan
from domain.subsidy import ONE
from interface.simulation.demo import County, county
from interface.simulation.demo.loading import Evening, Loading
from interface.simulation.demo.quarters import Offices
from projections.facts.draw import Projector
from projections.facts.reading import Facts, View
from projections.funds import fund_ledger, journal_text
from projections.loan_ledger import loan_ledger
from projections.settlement import settlement
from projections.subsidy_ledger import subsidy_ledger

QUARTERS = [quarter(year, n) for year in (2022, 2023) for n in (1, 2, 3, 4)]
GRANTED_FEN = 60_000_000


class Year(NamedTuple):
    """A county whose every subsidy left by a batch."""

    facts: Facts
    county: County


def fails(line: Line) -> bool:
    """One account in seventeen is closed the first time."""
    return line.line % 17 == 3 and line.kind == "subsidy"


@pytest.fixture(scope="module")
def year(shared_database: Any) -> Iterator[Year]:
    database, small = shared_database, county(seed=3, factor=0.02)
    enrol(database.owner_dsn, list(small.organisations))
    clock = Evening()
    ledger = Ledger(database.dsn, database.keys, clock=clock)
    projector, facts = Projector(database.dsn), Facts(database.dsn, most=2)
    offices = Offices(ledger, facts, projector)
    loading = Loading(ledger, clock, small.corrected)
    steps = [step for period in QUARTERS for step in offices.steps(period, fails=fails)]
    for granted in (2022, 2023):
        on = date(granted, 1, 15)
        steps.append((on, lambda g=granted, on=on: offices.grant(g, GRANTED_FEN, on)))
    steps.sort(key=lambda step: step[0])
    for day in small.days():
        while steps and steps[0][0] < day.recorded_on:
            on, take = steps.pop(0)
            clock.begin(on)
            take()
        loading.statements(day)
        if not steps:
            break
    assert steps == []
    projector.catch_up()
    yield Year(facts, small)
    facts.close()
    projector.close()
    ledger.close()


def moments(count: int) -> list[tuple[date, datetime]]:
    """Random days, and instants at which they may be asked about."""
    rng = random.Random(7)
    found = []
    for _ in range(count):
        as_of = date(2022, 3, 1) + timedelta(days=rng.randrange(730))
        known = as_of + timedelta(days=rng.randrange(-30, 400))
        found.append((as_of, datetime.combine(known, time(rng.randrange(24)), UTC)))
    return found


def paid_by_slips(view: View) -> int:
    """What the payments known by then come to, each worked out again from its own slip."""
    rows = view.query(
        "SELECT convert_from(e.state, 'UTF8')::jsonb FROM ledger.event e"
        " JOIN facts.subsidy s ON s.position = e.position"
        " WHERE s.recovery_no IS NULL AND s.effective_on <= %(as_of)s"
        " AND s.recorded_at <= %(known_at)s"
    ).rows
    total = 0
    for (paid,) in rows:
        slip = paid["calculation"]
        earned = sum(
            s["principal_fen"] * s["days"] * s["rate_bp"] * s["share_bp"] for s in slip["segments"]
        )
        due = divide_half_up(earned, slip["day_count"] * ONE * ONE)
        assert due == paid["due_fen"] == slip["amount_fen"]
        assert paid["amount_fen"] == due - paid["paid_before_fen"]
        total += paid["amount_fen"]
    return total


def by_hledger(view: View, folder: Path) -> dict[str, str]:
    """The balances that hledger finds in our journal, by the first part of the account."""
    file = folder / "county.journal"
    file.write_text("".join(journal_text(view, "hledger")), "utf-8")
    found = subprocess.run(
        ["hledger", "--file", file, "balance", "--flat", "--depth", "2", "--empty", "--no-total"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return {
        line.split(" CNY ", 1)[1].strip(): line.split(" CNY ", 1)[0].strip()
        for line in found.splitlines()
        if " CNY " in line
    }


def test_what_was_paid_is_the_same_by_every_road_at_any_two_dates(
    year: Year, tmp_path: Path
) -> None:
    told = 0
    for as_of, known_at in moments(12):
        with year.facts.at(as_of, known_at) as view:
            lines = list(subsidy_ledger(view).dicts())
            paid = sum(line["paid_fen"] for line in lines)
            net = sum(line["net_fen"] for line in lines)
            years = list(fund_ledger(view).dicts())
            assert paid == paid_by_slips(view) == sum(line["paid_fen"] for line in years)
            assert net == sum(line["subsidy_fen"] for line in loan_ledger(view).dicts())
            for line in years:
                spread = line["paid_fen"] + line["reserved_fen"] + line["free_fen"]
                assert line["allocated_fen"] == spread
            owed = sum(line["outstanding_fen"] for line in loan_ledger(view).dicts())
            told += len(lines)
            if shutil.which("hledger") and owed:
                theirs = by_hledger(view, tmp_path)
                subsidy = sum(_fen(v) for k, v in theirs.items() if k.startswith("subsidy:"))
                principal = sum(_fen(v) for k, v in theirs.items() if k.startswith("principal:"))
                assert (principal, subsidy) == (owed, net)
                if paid:
                    assert theirs["budget:paid"] == yuan(paid)
    assert told > 1_000


def _fen(amount: str) -> int:
    return int(amount.replace(".", ""))


def test_every_loan_of_a_closed_quarter_is_paid_held_or_asked_back(year: Year) -> None:
    """应贴尽贴: nothing that is due is forgotten, and what failed once was listed again."""
    last = QUARTERS[-2]
    with year.facts.at(date(2023, 12, 20), datetime(2023, 12, 20, tzinfo=UTC)) as view:
        assert view.known_on == civil_day(view.known_at)
        found = settlement(view, last)
        listed = view.query(
            "SELECT count(*) FILTER (WHERE kind = 'top_up'),"
            " count(*) FILTER (WHERE kind = 'recovery') FROM facts.batch_line"
        ).rows[0]
        steps = view.query("SELECT count(*) FROM facts.batch_line_step WHERE step = 'failed'")
        failed = steps.rows[0][0]
    assert listed[0] > 0, "late facts led to top-ups"
    assert listed[1] > 0, "and to recoveries"
    assert failed > 10
    left = [due for due in found if due.left_fen > 0]
    assert sum(due.due_fen for due in found) > 0
    assert len(left) < len(found) // 8, "only what failed in the last batch, and late facts"


def test_a_batch_tells_the_truth_of_the_day_on_which_it_was_proposed(year: Year) -> None:
    with year.facts.at(date(2024, 1, 1)) as view:
        rows = view.query(
            "SELECT b.batch_no, b.recorded_at, b.effective_on, b.period, b.amount_fen"
            " FROM facts.batch b ORDER BY b.position"
        ).rows
    assert len(rows) == len(QUARTERS) - 1 or len(rows) == len(QUARTERS)
    for batch_no, recorded_at, on, period, amount_fen in rows:
        before = recorded_at - timedelta(microseconds=1)
        with year.facts.at(on, before) as view:
            found = settlement(view, quarter(int(period[:4]), int(period[5])))
        assert sum(max(due.left_fen, 0) for due in found) == amount_fen, batch_no
