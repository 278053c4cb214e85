"""What the back-test measured of each rule (回测): `python3 run.py backtest --data backtest.json`.

The counties are made up, and their truth is known; see docs/backtest.md.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from importlib import resources
from typing import Any, Final

import msgspec

FILE: Final = "projections/red_flags/backtest.json"


class Point(msgspec.Struct, frozen=True):
    """What a rule comes to with one value of a threshold, as counts."""

    value: int
    wanted: int
    found: int
    findings: int
    true: int


class Curve(msgspec.Struct, frozen=True):
    """One threshold varied by itself. `today`: the value that ruled when it was measured."""

    table: str
    unit: str
    today: int
    points: list[Point]


class Measured(msgspec.Struct, frozen=True):
    """One rule. `wanted`: planted cases; `true`: findings that show a case, planted or not.

    `missed`, `false`: by kind of case, and of honest people, how many.
    """

    rule_version: str
    wanted: int
    found: int
    findings: int
    true: int
    missed: dict[str, int]
    false: dict[str, int]
    curves: list[Curve]

    @property
    def recall_bp(self) -> int | None:
        """Of the cases planted, how many were found; None when none was planted."""
        return self.found * 10_000 // self.wanted if self.wanted else None

    @property
    def precision_bp(self) -> int | None:
        """Of the findings, how many are true; None when there are none."""
        return self.true * 10_000 // self.findings if self.findings else None


class Backtest(msgspec.Struct, frozen=True):
    """All rules, in counties of these seeds, at this part of the demo county's households."""

    measured_on: date
    seeds: list[int]
    factor: str
    loans: int
    events: int
    rules: dict[str, Measured]

    def plain(self, wanted: set[str]) -> dict[str, Any]:
        """For the contract: of these rules, each with its shares."""
        return {
            "source": FILE,
            "measured_on": self.measured_on,
            "seeds": self.seeds,
            "factor": self.factor,
            "loans": self.loans,
            "events": self.events,
            "rules": [
                {
                    "rule": id,
                    **msgspec.structs.asdict(each),
                    "recall_bp": each.recall_bp,
                    "precision_bp": each.precision_bp,
                }
                for id, each in self.rules.items()
                if id in wanted
            ],
        }


@cache
def backtest() -> Backtest:
    """What was measured last."""
    text = resources.files(__package__).joinpath("backtest.json").read_bytes()
    return msgspec.json.decode(text, type=Backtest)
