"""Which cases a finding shows: decided by the things that both name, for every rule alike.

A finding names what its subject names; where that says nothing of the sorts a case consists of,
what its proving events concern. A finding shows a case when, of every sort that both name, they
share one. So a finding of one loan's one day shows the case of that day alone, and a finding of a
household shows whatever was planted in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from domain.roles import Role
from interface.simulation.backtest.county import BacktestCounty
from interface.simulation.backtest.labels import Entity, Label, Noise, loan_entity
from projections.facts.reading import View
from projections.red_flags import Finding
from projections.red_flags.evidence import Concerned, concerned

_FORMS: Final = (
    ("period", re.compile(r"[0-9]{4}Q[1-4]|[0-9]{4}-[0-9]{2}")),
    ("day", re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")),
    ("year", re.compile(r"[0-9]{4}")),
    ("county", re.compile("county")),
)
Names = frozenset[Entity]


class Named(NamedTuple):
    """What a finding's subject names, and what its events concern."""

    subject: Names
    evidence: Names


class Directory:
    """Every name that a subject may contain, and of which sort it is."""

    def __init__(self, county: BacktestCounty, pseudonym: Callable[[str, str], str],
                 labels: Iterable[Label | Noise]) -> None:  # fmt: skip
        self._known: dict[str, Entity] = {}
        for loan in county.loans:
            self._enter("loan", f"{loan.bank}/{loan.no}")
            self._known[loan.no] = loan_entity(loan)  # no two banks of the county share a number
            self._enter("household", loan.household.no)
            for account in (loan.payee_account, loan.household.account(loan.bank)):
                self._known[pseudonym("account", account)] = ("account", account)
        for household in county.households:
            self._enter("household", household.no)
        for organisation in county.organisations:
            if organisation.role == Role.BANK:
                self._enter("bank", organisation.code)
        for sort, name in {entity for label in labels for entity in label.of}:
            if sort == "account":
                self._known[pseudonym("account", name)] = (sort, name)
            else:
                self._enter(sort, name)

    def _enter(self, sort: str, name: str) -> None:
        self._known[name] = (sort, name)

    def named(self, view: View, findings: list[Finding]) -> list[Named]:
        """What each finding names."""
        events = concerned(view, {place for each in findings for place in each.positions})
        return [
            Named(
                frozenset(self._in_text(finding.subject)),
                frozenset(
                    entity
                    for place in finding.positions
                    if place in events
                    for entity in self._in_event(events[place])
                ),
            )
            for finding in findings
        ]

    def _in_text(self, text: str) -> Iterable[Entity]:
        for word in re.split(r"[\s,;，；:：()（）]+", text):
            if word in self._known:
                yield self._known[word]
            else:
                yield from ((sort, word) for sort, form in _FORMS if form.fullmatch(word))

    def _in_event(self, event: Concerned) -> Iterable[Entity]:
        _, loan, household_no, batch_no, report, voucher = event
        if loan:
            yield "loan", loan
        if household_no:
            yield "household", household_no
        if batch_no:
            yield "batch", batch_no
        if report:
            bank, period = report.split(" ")
            yield "bank", bank
            yield "period", period
        if voucher:
            yield "voucher", voucher


def shows(named: Named, case: Names) -> bool:
    """Whether a finding that names this shows the case of these entities."""
    for names in (named.subject, named.subject | named.evidence):
        sorts = {sort for sort, _ in names} & {sort for sort, _ in case}
        if sorts:
            shared = {sort for sort, _ in names & case}
            return sorts <= shared
    return False
