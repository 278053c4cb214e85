"""Fund flow (资金流向): the money of the programme as one graph, from budget to where it went.

Nodes hold money: budget, batches, banks, accounts, households, enterprises. Edges are movements,
each drawn from the facts of one event; nothing of the graph is stored. A household's own account
is a node that its money goes through.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Final, NamedTuple
from uuid import UUID

from projections.facts.reading import Table, View, query_text
from projections.fund_flow.columns import EDGES, GRAPH

MOST_HOPS: Final = 6
OWN_ACCOUNT: Final = "own_account"
HOLDERS: Final = ("account", "household")
"""Nodes whose money goes on: followed from one movement to the next, as budget and batches are."""
_FOLLOWED: Final = (*HOLDERS, "batch", "budget")
_WITHOUT_LOANS: Final = ("budget", "enterprise", "office", "payer", "risk_fund")
"""Nodes at which no movement of a loan begins or ends."""
NODE_KINDS: Final = {
    "treasury": "国库预算",
    "budget": "预算科目",
    "batch": "贴息批次",
    "office": "机构账户",
    "bank": "银行",
    "account": "账户",
    "household": "农户",
    "enterprise": "企业",
    "risk_fund": "风险补偿金",
    "payer": "风险补偿金注入方",
}
EDGE_KINDS: Final = {
    "allocated": "下达",
    "reserved": "预留",
    "released": "释放",
    "spent": "支出",
    "unspent": "退票退回",
    "transfer": "拨付",
    "lent": "放款",
    "withheld": "未到账",
    "subsidy": "贴息",
    "returned": "贴息退票",
    "recovered": "贴息追回",
    "outflow": "资金去向",
    "repaid": "还款",
    "dividend": "分红",
    "supplement": "增收款",
    "paid_in": "风险补偿金注入",
    "compensated": "代偿",
    "compensation_recovered": "追偿",
    OWN_ACCOUNT: "本户账户",
}


class Movement(NamedTuple):
    """Money from one holder to another, by one event. `via`: through an account of a household."""

    kind: str
    source: str
    via: str | None
    target: str
    amount_fen: int
    effective_on: date
    position: int
    bank: str | None
    loan_no: str | None
    household_no: str | None
    receiver: str | None

    def legs(self) -> list[tuple[str, str, str]]:
        """(from, to, kind) of its one or two edges."""
        if self.via is None:
            return [(self.source, self.target, self.kind)]
        if kind_of(self.target) == "household":
            return [(self.source, self.via, self.kind), (self.via, self.target, OWN_ACCOUNT)]
        return [(self.source, self.via, OWN_ACCOUNT), (self.via, self.target, self.kind)]


class Edge(NamedTuple):
    """All movements of one kind in one year between two nodes."""

    source: str
    target: str
    kind: str
    year: int
    amount_fen: int
    movements: int
    first_on: date
    last_on: date


class Graph(NamedTuple):
    """Edges; the nodes are their ends."""

    edges: list[Edge]

    def nodes(self) -> list[dict[str, str]]:
        """Each node once: its id, its kind, and what it is called."""
        ids = dict.fromkeys(end for edge in self.edges for end in (edge.source, edge.target))
        return [
            {"id": id, "kind": kind_of(id), "label": id.partition(":")[2] or NODE_KINDS[id]}
            for id in ids
        ]

    def table(self) -> Table:
        return Table(GRAPH, [tuple(edge) for edge in self.edges])


def kind_of(node: str) -> str:
    return node.partition(":")[0]


def whole(view: View) -> Graph:
    """The whole county: the nodes are kinds of nodes. Kept: it takes every movement there is."""
    key = ("fund flow", view.place)
    kept: Graph | None = view.memory.recall(key) if view.memory else None
    if kept is None:
        rows = view.query(_text("edges.sql", "summary.sql"), loans=None).rows
        kept = Graph([Edge(*row) for row in rows])
        if view.memory:
            view.memory.keep(key, kept, 1 + len(kept.edges))
    return kept


class Start(NamedTuple):
    """Where following begins: a household, an account, a batch; or all that a loan moved."""

    node: str | None = None
    bank: str = ""
    loan_no: str = ""


def around(view: View, node: str, hops: int) -> Graph:
    """What reached a node and where it went, at most so many movements away."""
    return graph_of(moved(view, Start(node), hops))


def of_loan(view: View, bank: str, loan_no: str, hops: int) -> Graph:
    """What one loan moved, where that came from, and where it went on to."""
    return graph_of(moved(view, Start(None, bank, loan_no), hops))


def moved(view: View, start: Start, hops: int) -> list[Movement]:
    """What is at most so many movements away, in order of day and log."""
    if start.node is not None:
        first, begin = movements(view, nodes=[start.node]), {start.node}
    else:
        first = movements(view, bank=start.bank, loan_no=start.loan_no)
        begin = {f"household:{m.household_no}" for m in first if m.household_no}
    return _in_order(_spread(view, first, begin, hops))


def _in_order(found: dict[tuple[int, str], Movement]) -> list[Movement]:
    return sorted(found.values(), key=lambda m: (m.effective_on, m.position))


def movements(
    view: View,
    *,
    nodes: Iterable[str] | None = None,
    kind: str | None = None,
    bank: str | None = None,
    loan_no: str | None = None,
    ending: bool = False,
) -> list[Movement]:
    """The movements that touch any of these nodes, of a kind, of a loan; in order of day, log.

    `ending`: those that end there are enough, which of a batch's are few.
    """
    wanted = None if nodes is None else list(nodes)
    found = view.query(
        _text("touching.sql"),
        nodes=wanted,
        kind=kind,
        bank=bank,
        loan_no=loan_no,
        loans=_loans(view, wanted, bank, loan_no, ending=ending),
    )
    return [Movement(*row) for row in found.rows]


def _loans(
    view: View,
    nodes: list[str] | None,
    bank: str | None = None,
    loan_no: str | None = None,
    *,
    ending: bool = False,
) -> list[UUID] | None:
    """Ids of all loans that moved money at some nodes, or of the one; None: of any loan.

    With them a query costs what stands around the nodes, without them the county.
    """
    if loan_no is not None:
        asked = "SELECT DISTINCT loan_id FROM facts.loan WHERE bank = %(bank)s AND loan_no = %(no)s"
        return [row[0] for row in view.query(asked, bank=bank, no=loan_no).rows]
    if nodes is None:
        return None
    named: dict[str, list[str]] = {kind: [] for kind in ("account", "household", "batch")}
    for kind, _, name in (node.partition(":") for node in nodes):
        if kind in named and name:
            named[kind].append(name)
        elif kind not in _WITHOUT_LOANS:
            return None
    batches = {"returned_to" if ending else "batches": named["batch"]}
    return loans_at(view, named["account"], named["household"], **batches)


def loans_at(
    view: View,
    accounts: list[str],
    households: Iterable[str] = (),
    batches: Iterable[str] = (),
    returned_to: Iterable[str] = (),
) -> list[UUID]:
    """Ids of all loans of which something may have moved there, at either of the dates."""
    found = view.query(
        query_text(__name__, "loans_of.sql"),
        accounts=accounts,
        households=list(households),
        batches=list(batches),
        returned_to=list(returned_to),
    )
    return [row[0] for row in found.rows]


class Wanted(NamedTuple):
    """Which single edges: all of what is named. A node may be named by its id or its kind."""

    source: str | None = None
    target: str | None = None
    node: str | None = None
    kind: str | None = None
    year: int | None = None
    household_no: str | None = None
    bank: str | None = None
    loan_no: str | None = None

    def loans(self, view: View) -> list[UUID] | None:
        """Ids of the loans that can be meant; None: any."""
        if self.bank and self.loan_no:
            return _loans(view, None, self.bank, self.loan_no)
        home = f"household:{self.household_no}" if self.household_no else None
        for node in (home, self.source, self.target, self.node):
            loans = _loans(view, [node]) if node else None
            if loans is not None:
                return loans
        return None


def edges(
    view: View, wanted: Wanted, *, after: int | None = None, most: int | None = None
) -> Table:
    """The single edges, in the order of the log; `after`: the number of the one before a page."""
    asked = _text("edges.sql", "single.sql")
    loans = wanted.loans(view)
    return view.table(EDGES, asked, **wanted._asdict(), loans=loans, after=after, most=most)


def _text(*names: str) -> str:
    return "\n".join(query_text(__name__, name) for name in ("movements.sql", *names))


def _spread(
    view: View, first: list[Movement], start: set[str], hops: int
) -> dict[tuple[int, str], Movement]:
    """The first movements, and those that lead on from them and to them, never back over the start.

    Ends on any ring of accounts: no node is asked about twice in one direction.
    """
    found = {(m.position, m.kind): m for m in first}
    for onward in (True, False):
        asked = set(start)
        ends = {m.target if onward else m.source for m in first}
        for _ in range(hops - 1):
            nodes = {node for node in ends - asked if kind_of(node) in _FOLLOWED}
            if not nodes:
                break
            asked |= nodes
            there = movements(view, nodes=nodes, ending=not onward)
            led = [m for m in there if _begin(m, onward) in nodes]
            found |= {(m.position, m.kind): m for m in led}
            ends = {m.target if onward else m.source for m in led}
    return found


def _begin(movement: Movement, onward: bool) -> str:
    return movement.source if onward else movement.target


def graph_of(moved: Iterable[Movement]) -> Graph:
    """The legs of movements, those of one year and kind between two nodes in one edge."""
    sums: dict[tuple[str, str, str, int], list[Movement]] = {}
    for movement in moved:
        for leg in movement.legs():
            sums.setdefault((*leg, movement.effective_on.year), []).append(movement)
    return Graph(
        [
            Edge(
                *key,
                sum(m.amount_fen for m in moved),
                len(moved),
                moved[0].effective_on,
                moved[-1].effective_on,
            )
            for key, moved in sums.items()
        ]
    )
