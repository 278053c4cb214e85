"""Who may read which event: one table, topic × role, and what each of its words means.

A role has the column of its name, else that of its reach (`domain.roles`).

Source: domain.md §1 (who reads what). It is asked by every route that shows events. What stands in
no row, and a role that has no column, sees nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, NamedTuple, Protocol
from uuid import UUID

from domain.kernel import Author
from domain.roles import Role, by_role

LOOKS: Final = "household.looked-at.v1"
OPEN_REPORTS: Final = frozenset({"townships", "annual"})
"""Published reports that a bank or a township may read as well; the others are the county's."""

# An organisation reads what it recorded itself; the words are about the events of others:
#   -          nothing more
#   all        every event
#   loan       of a loan that the bank lent, of a household of the township, or under an active
#              guarantee of the company
#   household  of a household of the township, or of one to a member of which the bank has an
#              active loan
#   corrects   the correction of an event that the reader sees
#   batch      of a batch in which the reader has lines
#   notice     of such a batch, posted by the county or by the township itself
#   line       about a line of the reader, or about the whole of such a batch
#   named      the event names the bank
#   concerned  a risk of a loan of the reader, or of a household of the township
#   open       a report of OPEN_REPORTS
#   asked      the reader is asked to explain
_TABLE: Final = """
topic                          lent       resident   guaranteed county bureau auditor
household.registered.v1        household  household  -          all    all    all
household.status-changed.v1    household  household  -          all    all    all
household.members-changed.v1   household  household  -          all    all    all
household.erased.v1            household  household  -          all    all    all
household.demand-recommended.v1 -          household  -          all    all    all
household.credit-granted.v1    -          household  -          all    all    all
household.credit-refused.v1    -          household  -          all    all    all
household.credit-rated.v1      -          household  -          all    all    all
household.borrowed.v1          -          household  -          all    all    all
household.looked-at.v1         -          -          -          -      all    all
household.corrected.v1         corrects   corrects   -          all    all    all
loan.disbursed.v1              loan       loan       loan       all    all    all
loan.repaid.v1                 loan       loan       loan       all    all    all
loan.settled.v1                loan       loan       loan       all    all    all
loan.renewed.v1                loan       loan       loan       all    all    all
loan.outflow-observed.v1       loan       loan       loan       all    all    all
loan.extended.v1               loan       loan       loan       all    all    all
loan.reminded.v1               loan       loan       loan       all    all    all
loan.usage-checked.v1          loan       loan       loan       all    all    all
loan.repayment-plan-agreed.v1  loan       loan       loan       all    all    all
loan.subsidy-paid.v1           loan       loan       loan       all    all    all
loan.subsidy-recovered.v1      loan       loan       loan       all    all    all
loan.subsidy-returned.v1       loan       loan       loan       all    all    all
loan.subsidy-limited.v1        loan       loan       loan       all    all    all
loan.subsidy-limit-lifted.v1   loan       loan       loan       all    all    all
loan.guaranteed.v1             loan       loan       loan       all    all    all
loan.compensated.v1            loan       loan       loan       all    all    all
loan.compensation-recovered.v1 loan       loan       loan       all    all    all
loan.corrected.v1              loan       loan       loan       all    all    all
bank-report.scale-reported.v1  -          -          -          all    all    all
bank-report.corrected.v1       -          -          -          all    all    all
programme.plan-adopted.v1      all        all        all        all    all    all
programme.plan-adjusted.v1     all        all        all        all    all    all
programme.ruled.v1             all        all        all        all    all    all
programme.corrected.v1         all        all        all        all    all    all
batch.estimated.v1             batch      batch      -          all    all    all
batch.proposed.v1              batch      batch      -          all    all    all
batch.listed.v1                -          -          -          all    all    all
batch.verified.v1              batch      batch      -          all    all    all
batch.notice-posted.v1         batch      notice     -          all    all    all
batch.objection-raised.v1      line       line       -          all    all    all
batch.objection-resolved.v1    line       line       -          all    all    all
batch.approved.v1              batch      batch      -          all    all    all
batch.returned.v1              batch      batch      -          all    all    all
batch.ordered.v1               named      -          -          all    all    all
batch.result-told.v1           named      -          -          all    all    all
batch.result-corrected.v1      named      -          -          all    all    all
batch-register.entered.v1      -          -          -          all    all    all
account-register.unified.v1    -          -          -          all    all    all
fund.allocated.v1              -          -          -          all    all    all
fund.transferred.v1            -          -          -          all    all    all
fund.reserved.v1               -          -          -          all    all    all
fund.released.v1               -          -          -          all    all    all
fund.spent.v1                  -          -          -          all    all    all
fund.spent-unreserved.v1       -          -          -          all    all    all
fund.returned.v1               -          -          -          all    all    all
fund.corrected.v1              -          -          -          all    all    all
publication.published.v1       open       open       -          all    all    all
risk.reported.v1               concerned  concerned  concerned  all    all    all
risk.noted.v1                  concerned  concerned  concerned  all    all    all
risk-fund.paid-in.v1           -          -          -          all    all    all
risk-fund.compensated.v1       named      -          -          all    all    all
risk-fund.recovered.v1         named      -          -          all    all    all
benefit.signed.v1              -          -          -          all    all    all
benefit.paid.v1                -          -          -          all    all    all
case.opened.v1                 -          -          -          -      -      all
case.joined.v1                 -          -          -          -      -      all
case.assigned.v1               -          -          -          -      -      all
case.explanation-asked.v1      asked      asked      asked      asked  asked  all
case.explanation-given.v1      -          -          -          -      -      all
case.noted.v1                  -          -          -          -      -      all
case.proposed.v1               -          -          -          -      -      all
case.upheld.v1                 -          -          -          -      -      all
case.dismissed.v1              -          -          -          -      -      all
case.rectified.v1              -          -          -          -      -      all
case.recovery-linked.v1        -          -          -          -      -      all
case.closed.v1                 -          -          -          -      -      all
case.reopened.v1               -          -          -          -      -      all
case-register.entered.v1       -          -          -          -      -      all
"""


READERS: Final = by_role(_TABLE)
"""By topic and role: the word of the table."""


class Ties(NamedTuple):
    """What a reader has to do with the things that some events are about.

    `lines`: its lines of each batch in which it has some.
    """

    loans: Collection[UUID] = ()
    households: Collection[UUID] = ()
    lines: Mapping[UUID, Collection[int]] = {}
    risks: Collection[UUID] = ()


class Shown(Protocol):
    """What the rule needs to know of an event."""

    @property
    def originator_id(self) -> UUID: ...
    @property
    def topic(self) -> str: ...
    @property
    def organisation(self) -> str: ...
    @property
    def content(self) -> Mapping[str, Any]: ...


def word_for(role: Role, topic: str) -> str | None:
    """The table's word; None for a topic or a role that it does not know: nothing is seen."""
    return READERS.get(topic, {}).get(role)


def sees_all(role: Role, topics: Iterable[str]) -> bool:
    """Whether a role sees every event of these topics, so that no tie need be looked up."""
    return all(word_for(role, topic) == "all" for topic in topics)


def topics_seen_by(role: Role) -> frozenset[str]:
    """The topics of which a role sees every event, whoever recorded it."""
    return frozenset(topic for topic in READERS if word_for(role, topic) == "all")


def may_see(reader: Author, event: Shown, ties: Ties, corrected: Shown | None = None) -> bool:
    """Whether the reader may see an event. `corrected`: what the event corrects."""
    word = word_for(reader.role, event.topic)
    if word is None:
        return False
    if word == "corrects" and corrected is not None and may_see(reader, corrected, ties):
        return True
    id, told, lines = event.originator_id, event.content, ties.lines.get(event.originator_id)
    means = {
        "all": True,
        "loan": id in ties.loans,
        "household": id in ties.households,
        "batch": lines is not None,
        "notice": lines is not None and not told.get("township"),
        "line": lines is not None and told.get("line") in (None, *lines),
        "named": told.get("bank") == reader.organisation,
        "concerned": id in ties.risks,
        "open": told.get("report") in OPEN_REPORTS,
        "asked": told.get("asked") == reader.organisation,
    }
    return event.organisation == reader.organisation or means.get(word, False)
