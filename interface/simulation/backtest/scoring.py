"""How each rule fares against the truth: what it found, missed, and flagged without cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from time import perf_counter
from typing import NamedTuple

from interface.simulation.backtest.bench import LAST, Told
from interface.simulation.backtest.labels import Label, Noise
from interface.simulation.backtest.matching import Directory, Named, shows
from interface.simulation.backtest.truth import by_chance
from projections.facts.reading import View
from projections.red_flags import Finding, Rule, check, rules

UNEXPLAINED = "unexplained"


class Score(NamedTuple):
    """One rule against the truth.

    `wanted`: cases it should find. `found`: those it found. `missed`: the others.
    `findings`: all that it flagged; `true`: those that show a case, wanted or not; `false`: the
    others, each with the honest noise it fell for.
    """

    rule: Rule
    wanted: int
    found: int
    missed: list[Label]
    findings: int
    true: int
    false: list[tuple[str, Finding]]
    milliseconds: int
    error: str | None

    @property
    def recall_bp(self) -> int | None:
        """Of the cases wanted, how many were found; None when nothing was planted."""
        return self.found * 10_000 // self.wanted if self.wanted else None

    @property
    def precision_bp(self) -> int | None:
        """Of the findings, how many are true; None when there are none."""
        return self.true * 10_000 // self.findings if self.findings else None

    @property
    def checks_per_case(self) -> float | None:
        """How many findings a supervisor looks into for each true one."""
        return self.findings / self.true if self.true else None

    def false_by_kind(self) -> Counter[str]:
        return Counter(kind for kind, _ in self.false)

    def missed_by_kind(self) -> Counter[str]:
        return Counter(label.kind for label in self.missed)


class Truth(NamedTuple):
    """All labels and all noise of a county, and the directory that reads findings."""

    labels: list[Label]
    noise: list[Noise]
    directory: Directory

    def of(self, flag: str) -> list[Label]:
        return [label for label in self.labels if label.flag == flag]


def truth(told: Told, view: View) -> Truth:
    """What is true of a county that was told."""
    labels = [*told.county.labels(), *by_chance(told.county, told.ledger, view)]
    noise = told.county.noises()
    directory = Directory(told.county, told.ledger.pseudonym, [*labels, *noise])
    return Truth(labels, noise, directory)


def score(told: Told, asked: Iterable[Rule] | None = None) -> list[Score]:
    """Ask every rule as of the last day, and compare."""
    with told.facts.at(LAST) as view:
        known = truth(told, view)
        return [score_rule(view, known, rule) for rule in asked or rules()]


def score_rule(view: View, known: Truth, rule: Rule) -> Score:
    """Ask one rule of a view, and compare."""
    began = perf_counter()
    checked = check(view, rule)
    milliseconds = round((perf_counter() - began) * 1000)
    named = known.directory.named(view, checked.findings)
    labels = known.of(rule.id)
    hit = [[shows(each, label.of) for label in labels] for each in named]
    missed = [
        label
        for place, label in enumerate(labels)
        if label.wanted and not any(row[place] for row in hit)
    ]
    false = [
        (_mistaken(each, rule, known.noise), finding)
        for each, finding, row in zip(named, checked.findings, hit, strict=True)
        if not any(row)
    ]
    wanted = sum(label.wanted for label in labels)
    return Score(
        rule=rule,
        wanted=wanted,
        found=wanted - len(missed),
        missed=missed,
        findings=len(checked.findings),
        true=len(checked.findings) - len(false),
        false=false,
        milliseconds=milliseconds,
        error=checked.error,
    )


def _mistaken(named: Named, rule: Rule, noise: list[Noise]) -> str:
    """Which honest behaviour a false alarm fell for: what its subject names, before its events."""
    likely = [each for each in noise if each.flag in ("", rule.id)]
    for seen in (Named(named.subject, frozenset()), named):
        for each in likely:
            if shows(seen, each.of):
                return each.kind
    return UNEXPLAINED
