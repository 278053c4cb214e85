"""Schemes (同一套路): which findings, of whatever rules, are about one and the same thing.

Two findings belong to one scheme when their proofs speak of one loan, of one account that connects
households, or of one person who stands in several households. A merchant or a bank is paid by many
honest households: an account connects nobody by being told as theirs. A finding about an office, a
bank's report or the county stands alone, whichever loans it mentions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from domain.case import Finding, Found, LoanOfCase, at_stake_fen
from projections.cases import cases_by_finding
from projections.columns import keys
from projections.facts.reading import Table, View, query_text
from projections.red_flags import Finding as Seen
from projections.red_flags import Rule, check_all, rules
from projections.red_flags.inbox import stored_findings
from projections.red_flags.runs import statuses
from projections.schemes.columns import COLUMNS, FILE, FILE_WITHOUT_CASES, WITHOUT_CASES

OBJECTION: Final = "objection"
_MANY_CUSTOMERS: Final = frozenset({"merchant", "bank"})
_HOUSEHOLDS_CONNECTED: Final = 2
_SHARED: Final = "="
"""What stands before a loan, an account or a person among the names of findings."""
_EVENTS = """
SELECT e.position, e.topic, e.originator_id, e.state FROM ledger.event e
 WHERE e.position = ANY (%(positions)s)
"""


class Scheme(NamedTuple):
    """Findings that belong together. `id`: the name of the first of them, as names are sorted.

    `shared`: by the name of a finding, each loan (bank/number), connecting account or person that
    it speaks of.
    """

    id: str
    findings: tuple[Finding, ...]
    loans: tuple[LoanOfCase, ...]
    households: tuple[str, ...]
    accounts: tuple[str, ...]
    cases: tuple[str, ...]
    new_findings: int
    shared: tuple[tuple[str, str], ...] = ()

    def plain(self) -> dict[str, Any]:
        """For the contract: pseudonyms, numbers and amounts."""
        return {
            "scheme": self.id,
            "rules": sorted({found.rule for found in self.findings}),
            "findings": [
                {
                    "rule": found.rule,
                    "rule_version": found.rule_version,
                    "subject": found.subject,
                    "amount_fen": found.amount_fen,
                    "known_from": found.known_from,
                    "positions": found.positions,
                    "context": found.context,
                }
                for found in self.findings
            ],
            "households": self.households,
            "loans": [f"{loan.bank}/{loan.loan_no}" for loan in self.loans],
            "accounts": self.accounts,
            "amount_fen": at_stake_fen(self.findings),
            "known_from": min((f.known_from for f in self.findings if f.known_from), default=None),
            "cases": self.cases,
            "new_findings": self.new_findings,
        }


class Schemes(NamedTuple):
    """`failed`: rules that could not be asked: what they would have found is missing here.

    `not_checked`: those of them that were never checked.
    """

    schemes: list[Scheme]
    failed: list[str]
    not_checked: frozenset[str] = frozenset()


class _Proof(NamedTuple):
    """What the events that prove one finding speak of."""

    loans: tuple[UUID, ...]
    households: frozenset[UUID]
    ties: tuple[tuple[str, UUID], ...]
    """An account or a person, and the household that it is told of."""


def schemes(
    view: View, also: Sequence[Finding] = (), wanted: Sequence[Rule] | None = None
) -> Schemes:
    """Every scheme of a view, in the order of their ids.

    `also`: what people found, not rules; `wanted`: the rules whose findings are, default all.
    """
    checked = check_all(view, rules() if wanted is None else wanted)
    seen = [_as_seen(view, each.rule, found) for each in checked for found in each.findings]
    failed = [each.rule.id for each in checked if each.error is not None]
    return Schemes(_grouped(view, [*_by_name(seen), *also]), failed)


def stored_schemes(view: View, wanted: Sequence[Rule]) -> Schemes:
    """The same of what the checks so far found (`projections.red_flags.inbox`): no rule is asked.

    `failed`: the rules in error, and those that were never checked.
    """
    by_id = {rule.id: rule for rule in wanted}
    seen = [
        _as_seen(view, by_id[each.rule], Seen(each.subject, each.amount_fen, each.known_from,
                                              each.positions, each.context))
        for each in stored_findings(view)
        if each.rule in by_id and not each.is_gone
    ]  # fmt: skip
    there = statuses(view.connection)
    failed = [id for id in by_id if id not in there or there[id].status == "error"]
    return Schemes(_grouped(view, _by_name(seen)), failed, frozenset(set(by_id) - set(there)))


def _by_name(seen: Iterable[Finding]) -> list[Finding]:
    findings: dict[str, Finding] = {}
    for finding in seen:
        first = findings.get(finding.name)
        findings[finding.name] = _one_of(first, finding) if first else finding
    return list(findings.values())


def _as_seen(view: View, rule: Rule, seen: Seen) -> Finding:
    return Finding(
        rule=rule.id,
        rule_version=rule.version,
        subject=seen.subject,
        amount_fen=seen.amount_fen,
        positions=tuple(sorted(set(seen.positions))),
        context=tuple(sorted(set(seen.context))),
        loans=(),
        as_of=view.as_of,
        known_at=view.known_at.astimezone(UTC).isoformat(),
        seen_position=view.position,
        known_from=seen.known_from.isoformat() if seen.known_from else None,
    )


def _one_of(first: Finding, second: Finding) -> Finding:
    """A rule may say the same of one subject twice, of two events: it is one finding."""
    return msgspec.structs.replace(
        first,
        amount_fen=first.amount_fen + second.amount_fen,
        positions=tuple(sorted({*first.positions, *second.positions})),
        context=tuple(sorted({*first.context, *second.context})),
        known_from=min(filter(None, (first.known_from, second.known_from)), default=None),
    )


def found(
    view: View, names: Iterable[str], objections: Sequence[tuple[str, str]], case_no: str | None
) -> Found:
    """All findings of the schemes that hold these names, these objections or this case."""
    objected = [(name, _objection(view, *name)) for name in objections]
    also = [finding for _, finding in objected if finding is not None]
    wanted = {*names, *(finding.name for finding in also)}
    there: set[str] = set()
    chosen: list[Scheme] = []
    for scheme in schemes(view, also).schemes:
        own = {finding.name for finding in scheme.findings}
        if own & wanted or (case_no is not None and case_no in scheme.cases):
            there |= own
            chosen.append(scheme)
    missing = [*sorted(wanted - there), *(" ".join(n) for n, finding in objected if not finding)]
    return all_of(chosen)._replace(missing=tuple(missing))


def all_of(chosen: Iterable[Scheme]) -> Found:
    """All findings of some schemes, and all loans that they speak of."""
    chosen = list(chosen)
    loans = {loan.loan_id: loan for scheme in chosen for loan in scheme.loans}
    findings = tuple(finding for scheme in chosen for finding in scheme.findings)
    return Found(findings, tuple(loans.values()))


def as_table(found: Iterable[Scheme], *, with_cases: bool) -> Table:
    """One line a scheme; `with_cases`: and which cases hold findings of it."""
    columns = COLUMNS if with_cases else WITHOUT_CASES
    lines = (each.plain() for each in found)
    return Table(columns, [tuple(line[name] for name in keys(columns)) for line in lines])


def file_table(found: Iterable[Scheme], *, with_cases: bool) -> Table:
    """The same for a file: what is several stands side by side in a cell."""
    columns = FILE if with_cases else FILE_WITHOUT_CASES
    rows = []
    for each in found:
        plain = each.plain()
        plain["named_findings"] = [finding.name for finding in each.findings]
        plain["household_nos"], plain["loan_nos"] = plain["households"], plain["loans"]
        known_from = plain["known_from"]
        plain["known_from"] = known_from and datetime.fromisoformat(known_from)
        rows.append(tuple(_cell(plain[name]) for name in keys(columns)))
    return Table(columns, rows)


def _cell(value: Any) -> Any:
    return "; ".join(value) if isinstance(value, list | tuple) else value


# ---- which findings belong together ---------------------------------------------------


def _grouped(view: View, findings: list[Finding]) -> list[Scheme]:
    loans, proofs = _proofs(view, findings)
    findings = [msgspec.structs.replace(f, loans=proofs[f.name].loans) for f in findings]
    told_of: defaultdict[str, set[UUID]] = defaultdict(set)
    for proof in proofs.values():
        for tie, household in proof.ties:
            told_of[tie].add(household)
    connecting = {tie for tie, homes in told_of.items() if len(homes) >= _HOUSEHOLDS_CONNECTED}

    alone = {rule.id for rule in rules() if rule.stands_alone}
    names = _Names()
    for finding in findings:
        names.root(finding.name)
        if finding.rule not in alone:
            proof = proofs[finding.name]
            for shared in (*map(str, proof.loans), *(t for t, _ in proof.ties if t in connecting)):
                names.unite(f"{_SHARED}{shared}", finding.name)
    groups: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in sorted(findings, key=lambda finding: finding.name):
        groups[names.root(finding.name)].append(finding)

    numbers = _household_numbers(view, {h for proof in proofs.values() for h in proof.households})
    in_case = cases_by_finding(view)
    made = []
    for group in groups.values():
        proven = [proofs[finding.name] for finding in group]
        ids = {loan for proof in proven for loan in proof.loans}
        ties = {tie for proof in proven for tie, _ in proof.ties}
        homes = {numbers[h] for proof in proven for h in proof.households if h in numbers}
        made.append(
            Scheme(
                group[0].name,
                tuple(group),
                tuple(sorted((loans[id] for id in ids if id in loans), key=_number)),
                tuple(sorted(homes)),
                tuple(sorted(tie for tie in ties & connecting if tie.startswith("account-"))),
                tuple(sorted({in_case[f.name] for f in group if f.name in in_case})),
                sum(finding.name not in in_case for finding in group),
                tuple(_shared(group, proofs, loans, connecting)),
            )
        )
    return sorted(made, key=lambda scheme: scheme.id)


def _shared(
    group: Sequence[Finding],
    proofs: Mapping[str, _Proof],
    loans: Mapping[UUID, LoanOfCase],
    connecting: set[str],
) -> Iterator[tuple[str, str]]:
    """What each finding of a group speaks of, in an order of its own."""
    for finding in group:
        proof = proofs[finding.name]
        numbers = {f"{loans[id].bank}/{loans[id].loan_no}" for id in proof.loans if id in loans}
        ties = {tie for tie, _ in proof.ties if tie in connecting}
        yield from ((finding.name, name) for name in (*sorted(numbers), *sorted(ties)))


class _Names:
    """Union-find; the root of a set is its smallest name, so that it never depends on an order."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def root(self, name: str) -> str:
        above = self._above.setdefault(name, name)
        while above != (higher := self._above[above]):
            self._above[name] = higher
            name, above = above, higher
        return above

    def unite(self, one: str, other: str) -> None:
        first, second = sorted((self.root(one), self.root(other)))
        self._above[second] = first


def _number(loan: LoanOfCase) -> tuple[str, str]:
    return loan.bank, loan.loan_no


# ---- what their proofs speak of -------------------------------------------------------


def _proofs(
    view: View, findings: Sequence[Finding]
) -> tuple[dict[UUID, LoanOfCase], dict[str, _Proof]]:
    positions = sorted({p for finding in findings for p in (*finding.positions, *finding.context)})
    events = {
        position: (topic.partition(".")[0], id, msgspec.json.decode(state))
        for position, topic, id, state in view.query(_EVENTS, positions=positions).rows
    }
    ids = {id for kind, id, _ in events.values() if kind == "loan"}
    ids |= {loan for finding in findings for loan in finding.loans}
    loans, homes = _loans(view, ids)
    proofs = {}
    for finding in findings:
        own = [events[p] for p in (*finding.positions, *finding.context) if p in events]
        its_loans = {id for kind, id, _ in own if kind == "loan"} | set(finding.loans)
        households = {homes[id] for id in its_loans if id in homes}
        households |= {id for kind, id, _ in own if kind == "household"}
        proofs[finding.name] = _Proof(
            tuple(sorted(its_loans)),
            frozenset(households),
            tuple(
                (tie, home)
                for kind, id, told in own
                if (home := id if kind == "household" else homes.get(id))
                for tie in _ties(told)
            ),
        )
    return loans, proofs


def _ties(told: dict[str, Any]) -> Iterator[str]:
    """The accounts and persons of an event, but for the accounts of those with many customers."""
    if told.get("kind") not in _MANY_CUSTOMERS:
        yield from _pseudonyms(told.get("to"))
    for name in ("payee", "payer", "borrower"):
        yield from _pseudonyms(told.get(name))
    for name in ("members", "added"):
        for member in told.get(name, ()):
            yield from _pseudonyms(member["person"])


def _pseudonyms(value: str | None) -> Iterator[str]:
    if value is not None and value.startswith(("account-", "person-")):
        yield value


def _loans(view: View, ids: Iterable[UUID]) -> tuple[dict[UUID, LoanOfCase], dict[UUID, UUID]]:
    """The loans of these ids as they were told last, and the household of each."""
    rows = view.query(query_text(__name__, "loans.sql"), loans=list(ids)).rows
    loans = {
        loan_id: LoanOfCase(
            loan_id=loan_id, bank=bank, loan_no=loan_no, household_no=number, township=township
        )
        for loan_id, _, bank, loan_no, number, township in rows
    }
    return loans, {row[0]: row[1] for row in rows}


_NUMBERS = """
SELECT DISTINCT household_id, household_no FROM facts.household
 WHERE household_id = ANY (%(households)s) AND sign = 1 AND recorded_at <= %(known_at)s
UNION
SELECT DISTINCT household_id, household_no FROM facts.loan
 WHERE household_id = ANY (%(households)s) AND sign = 1 AND recorded_at <= %(known_at)s
"""


def _household_numbers(view: View, households: Iterable[UUID]) -> dict[UUID, str]:
    """Also of households that have a loan and stand in no register."""
    return dict(view.query(_NUMBERS, households=list(households)).rows)


def _objection(view: View, batch_no: str, objection_no: str) -> Finding | None:
    """An objection as a finding: at stake is its line, or what the whole batch lists."""
    query = query_text(__name__, "objection.sql")
    row = next(iter(view.query(query, batch_no=batch_no, objection_no=objection_no).rows), None)
    if row is None:
        return None
    position, recorded_at, loan_id, amount_fen = row
    return Finding(
        rule=OBJECTION,
        subject=f"{batch_no} {objection_no}",
        amount_fen=amount_fen,
        positions=(position,),
        loans=() if loan_id is None else (loan_id,),
        as_of=view.as_of,
        known_at=view.known_at.astimezone(UTC).isoformat(),
        seen_position=view.position,
        known_from=recorded_at.isoformat(),
    )
