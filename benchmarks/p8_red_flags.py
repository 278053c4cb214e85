"""P8: all red flags over the whole county, beside its loan and subsidy ledgers of the same view."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from time import perf_counter

from benchmarks.demo import demo_county
from benchmarks.ground import Ground, Result, at_most, log, median
from projections.facts.reading import Facts, View
from projections.loan_ledger import loan_ledger
from projections.red_flags import checking, rules
from projections.subsidy_ledger import subsidy_ledger

TARGET = 10


def round_of(view: View, took: dict[str, list[float]]) -> tuple[float, float]:
    """Seconds of both ledgers, and of every rule; what rules share is reckoned once, by the first."""
    began = perf_counter()
    loan_ledger(view)
    subsidy_ledger(view)
    ledgers = last = perf_counter()
    for checked in checking(view, rules()):
        assert checked.error is None, f"{checked.rule.id}: {checked.error}"
        now = perf_counter()
        took[checked.rule.id].append(now - last)
        last = now
    return last - ledgers, ledgers - began


def run(ground: Ground) -> list[Result]:
    database = demo_county(ground)
    facts = Facts(database.dsn, most=1)
    took: dict[str, list[float]] = defaultdict(list)
    rounds = []
    with facts.at(date(2024, 9, 30)) as view:
        for _ in range(7 if ground.full else 3):
            rounds.append(round_of(view, took))
    facts.close()
    ground.drop(database)
    log(f"P8: {rounds}")
    slowest = sorted(took, key=lambda rule: -median(took[rule]))[:6]
    seconds = ", ".join(f"{rule} {median(took[rule]):.2f}" for rule in slowest)
    return [
        at_most(
            TARGET, id="P8", what=f"all {len(took)} red flags over the county, at one view",
            ours=f"{median([flags for flags, _ in rounds]):.2f} s",
            limit=f"{median([ledgers for _, ledgers in rounds]):.2f} s: its loan and subsidy ledgers",
            ratio=round(median([flags / ledgers for flags, ledgers in rounds]), 1),
            notes=f"seconds of the slowest, with what the first asker reckons for others: {seconds}.",
        )
    ]  # fmt: skip
