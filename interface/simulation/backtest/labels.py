"""Labels: which rule should find what, and of whom each case consists.

A case names entities: (sort, name) pairs such as ("loan", "NRCB/L1") or ("period", "2023Q2"). A
finding is matched with a case by what both name, never by the form of the rule's subject.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from interface.simulation.demo.misuse import FLAGS, Planted
from interface.simulation.demo.plans import HouseholdPlan, LoanPlan

Entity = tuple[str, str]


class Label(NamedTuple):
    """One case of misuse. `wanted`: planted, so it counts as missed when no finding shows it.

    A case that is not wanted came about by chance or as another's side effect: it makes a finding
    true, and nobody is blamed for not seeing it.
    """

    kind: str
    flag: str
    of: frozenset[Entity]
    wanted: bool = True

    def sorts(self) -> frozenset[str]:
        return frozenset(sort for sort, _ in self.of)


class Noise(NamedTuple):
    """Something honest that looks like misuse: what it is, and of whom it consists.

    `flag`: the only rule for which it can be mistaken; empty: any.
    """

    kind: str
    of: frozenset[Entity]
    flag: str = ""


def loan_entity(loan: LoanPlan) -> Entity:
    return "loan", f"{loan.bank}/{loan.no}"


def entities(
    *,
    loans: Iterable[LoanPlan] = (),
    households: Iterable[HouseholdPlan] = (),
    more: Iterable[Entity] = (),
) -> frozenset[Entity]:
    """All that a case names: loans with their households, households, and whatever else."""
    loans = list(loans)
    of_loans = [("household", loan.household.no) for loan in loans]
    of_homes = [("household", household.no) for household in households]
    return frozenset([*map(loan_entity, loans), *of_loans, *of_homes, *more])


RECKONED: Final = frozenset({"overpaid_after_late_report", "subsidy_missed"})
"""Kinds of the demo that name an occasion alone: what came of it, `truth` reckons to the fen."""


def of_demo(planted: Planted) -> Label:
    """The label of what the demo county planted or noted."""
    more: list[Entity] = []
    kind, detail = planted.kind, planted.detail
    if kind == "inflated_report":
        bank, period = detail.split(" ")
        more = [("bank", bank), ("period", period)]
    elif kind == "pooled_by_a_firm":
        more = [("account", detail)]
    elif kind in ("usage_check_missed", "usage_check_late"):
        more = [("day", detail)]
    of = entities(loans=planted.loans, households=planted.households, more=more)
    return Label(kind, FLAGS[kind], of)
