"""Fund flow (资金流向): the money of the programme as one graph, from budget to where it went.

Nodes hold money: budget, batches, banks, accounts, households, enterprises. Edges are movements,
each drawn from the facts of one event; nothing of the graph is stored. A household's own account
is a node that its money goes through.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Final, NamedTuple

from projections.facts.reading import Table, View, query_text
from projections.fund_flow.columns import EDGES, GRAPH

MOST_HOPS: Final = 6
OWN_ACCOUNT: Final = "own_account"
HOLDERS: Final = ("account", "household")
"""Nodes whose money goes on: followed from one movement to the next, as budget and batches are."""
_FOLLOWED: Final = (*HOLDERS, "batch", "budget")
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
    """The whole county: the nodes are kinds of nodes."""
    return Graph([Edge(*row) for row in view.query(_text("edges.sql", "summary.sql")).rows])


def around(view: View, node: str, hops: int) -> Graph:
    """What reached a node and where it went, at most so many movements away."""
    first = movements(view, nodes=[node])
    return _graph(_spread(view, first, {node}, hops))


def of_loan(view: View, bank: str, loan_no: str, hops: int) -> Graph:
    """What one loan moved, where that came from, and where it went on to."""
    first = movements(view, bank=bank, loan_no=loan_no)
    borrowers = {f"household:{m.household_no}" for m in first if m.household_no}
    return _graph(_spread(view, first, borrowers, hops))


def movements(
    view: View,
    *,
    nodes: Iterable[str] | None = None,
    kind: str | None = None,
    bank: str | None = None,
    loan_no: str | None = None,
) -> list[Movement]:
    """The movements that touch any of these nodes, of a kind, of a loan; in order of day, log."""
    asked = {"nodes": None if nodes is None else list(nodes), "kind": kind}
    found = view.query(_text("touching.sql"), bank=bank, loan_no=loan_no, **asked)
    return [Movement(*row) for row in found.rows]


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


def edges(
    view: View, wanted: Wanted, *, after: int | None = None, most: int | None = None
) -> Table:
    """The single edges, in the order of the log; `after`: the number of the one before a page."""
    asked = _text("edges.sql", "single.sql")
    return view.table(EDGES, asked, **wanted._asdict(), after=after, most=most)


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
            led = [m for m in movements(view, nodes=nodes) if _begin(m, onward) in nodes]
            found |= {(m.position, m.kind): m for m in led}
            ends = {m.target if onward else m.source for m in led}
    return found


def _begin(movement: Movement, onward: bool) -> str:
    return movement.source if onward else movement.target


def _graph(found: dict[tuple[int, str], Movement]) -> Graph:
    sums: dict[tuple[str, str, str, int], list[Movement]] = {}
    for movement in sorted(found.values(), key=lambda m: (m.effective_on, m.position)):
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
