"""The Sankey picture (资金流向图): ribbons of money between the stages that money goes through.

Columns are stages, not distances in the graph: budget and banks, the borrower's account, the
household, receivers, and what goes back. A node that gives and takes back stands twice, so there
are no cycles and no amount is left out. Lengths are in units of the picture, WIDTH across.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

WIDTH: Final = 1180
BAR: Final = 9
MOST: Final = 40
"""Nodes of a picture; beyond them the smallest of a column stand as one."""
_RIGHT: Final = 170
_TOP: Final = 26
_BODY: Final = 440
_SLOT: Final = 28
_GAP: Final = 8
_THINNEST: Final = 0.75
_SWEEPS: Final = 8
_EARLY_GAP: Final = 0.6

SOURCE, BUDGET, RESERVED, GIVER, OWN, HOUSEHOLD, RECEIVER, BACK = 0, 1, 2, 3, 4, 5, 6, 99
_NAMES: Final = {
    SOURCE: "source", BUDGET: "budget", RESERVED: "reserved", GIVER: "giver", OWN: "own",
    HOUSEHOLD: "household", BACK: "back",
}  # fmt: skip


def stage_name(stage: int) -> str:
    """A stage's word in addresses: `household`, `receiver`, `receiver2`."""
    again = stage - RECEIVER + 1
    return _NAMES.get(stage) or ("receiver" if again == 1 else f"receiver{again}")


class Flow(NamedTuple):
    """Money of one kind from one node to another. Nodes are `kind:name`, or a kind alone."""

    source: str
    target: str
    kind: str
    amount_fen: int
    flagged: bool = False
    href: str | None = None


class Place(NamedTuple):
    """A node as it stands in one column. `node` is empty for the smallest ones taken together."""

    stage: int
    node: str
    role: str = ""


@dataclass
class Bar:
    """A drawn node: its bar from `top`, `height` high, in a slot that has room for its label."""

    place: Place
    column: int
    stands_for: tuple[str, ...]
    in_fen: int = 0
    out_fen: int = 0
    x: float = 0.0
    y: float = 0.0
    height: float = 2.0
    first: str = ""
    """The node that it is, or one of those that it stands for."""

    @property
    def amount_fen(self) -> int:
        return max(self.in_fen, self.out_fen)

    @property
    def slot(self) -> float:
        return max(self.height, float(_SLOT))

    @property
    def top(self) -> float:
        return self.y + (self.slot - self.height) / 2

    @property
    def middle(self) -> float:
        return self.y + self.slot / 2


@dataclass
class Ribbon:
    """A drawn flow, `thick` units wide; `flow` is the sum where places were taken together."""

    source: Bar
    target: Bar
    flow: Flow
    thick: float
    begin: float = 0.0
    end: float = 0.0

    @property
    def path(self) -> str:
        """The outline, as the `d` of a path."""
        left, right = self.source.x + BAR, self.target.x
        bend = (left + right) / 2
        low, high = self.begin + self.thick, self.end + self.thick
        return (
            f"M{left:.1f} {self.begin:.1f}C{bend:.1f} {self.begin:.1f} {bend:.1f} {self.end:.1f}"
            f" {right:.1f} {self.end:.1f}V{high:.1f}C{bend:.1f} {high:.1f} {bend:.1f} {low:.1f}"
            f" {left:.1f} {low:.1f}Z"
        )

    @property
    def mark(self) -> tuple[float, float]:
        """Its middle, where a flagged one carries a diamond."""
        x = (self.source.x + BAR + self.target.x) / 2
        return round(x, 1), round((self.begin + self.end + self.thick) / 2, 1)


@dataclass
class Picture:
    """Where everything stands. `ribbons`: the thick ones first, so that the thin lie on top."""

    bars: list[Bar]
    ribbons: list[Ribbon]
    heads: list[tuple[float, int]]
    """Of each column: where it stands, and its stage."""
    height: int = 0
    width: int = WIDTH
    folded: list[Bar] = field(default_factory=list)


def sankey(
    flows: Iterable[Flow], *, focus: str | None = None, opened: Collection[str] = ()
) -> Picture:
    """Lay flows out. `focus`: a node that stands for itself; `opened`: names of unfolded stages."""
    in_order = sorted(flows, key=lambda f: (f.source, f.target, f.kind, f.flagged, f.amount_fen))
    placed = _folded(_placed(in_order), focus, opened)
    bars = _bars(placed)
    columns = _columns(bars, placed)
    ribbons = _ribbons(placed, bars, columns)
    height = _arranged(columns, ribbons)
    _attached(ribbons)
    return Picture(
        bars=[bar for column in columns for bar in column],
        ribbons=sorted(ribbons, key=lambda r: (-r.thick, r.source.place, r.target.place)),
        heads=[(column[0].x, max(bar.place.stage for bar in column)) for column in columns],
        height=round(height) + _TOP + 4,
        folded=[bar for column in columns for bar in column if not bar.place.node],
    )


# ---- which column --------------------------------------------------------------------

_FROM: Final = {
    "office": SOURCE, "treasury": SOURCE, "payer": SOURCE, "enterprise": SOURCE,
    "risk_fund": BUDGET, "batch": GIVER, "bank": GIVER, "household": HOUSEHOLD,
}  # fmt: skip
_ONWARD: Final = {
    "allocated": BUDGET, "reserved": RESERVED, "paid_in": BUDGET, "spent": GIVER,
    "dividend": HOUSEHOLD, "supplement": HOUSEHOLD,
}  # fmt: skip
_Placed = tuple[Place, Place, Flow, tuple[str, ...], tuple[str, ...]]


def _kind(node: str) -> str:
    return node.partition(":")[0]


def _placed(flows: list[Flow]) -> list[_Placed]:
    levels = _levels(flows)
    found: list[_Placed] = []
    for flow in flows:
        begin = _begin(flow, levels)
        source = _place(begin, flow.source, flow)
        target = _place(_end(flow, begin, levels), flow.target, flow)
        found.append((source, target, flow, (flow.source,), (flow.target,)))
    return found


def _place(stage: int, node: str, flow: Flow) -> Place:
    """Of kinds of nodes, receivers of money stand apart from accounts that pay for a household."""
    apart = ":" not in node and stage >= RECEIVER and stage != BACK and flow.kind == "outflow"
    return Place(stage, node, "receiver" if apart else "")


def _begin(flow: Flow, levels: dict[str, int]) -> int:
    kind = _kind(flow.source)
    if kind == "budget":
        of_kind = ":" not in flow.source and flow.kind in ("spent", "released")
        return RESERVED if of_kind or flow.source.endswith("/reserved") else BUDGET
    if kind == "account":
        if flow.kind == "own_account":
            return OWN
        return RECEIVER - 1 + levels.get(flow.source, 1)
    return _FROM.get(kind, SOURCE)


def _end(flow: Flow, begin: int, levels: dict[str, int]) -> int:
    """The stage where a flow ends; BACK where it would lead to no later one."""
    kind = _kind(flow.target)
    if flow.kind in _ONWARD:
        stage = _ONWARD[flow.kind]
    elif flow.kind == "transfer":
        stage = GIVER if kind == "bank" else BUDGET
    elif kind == "account":
        stage = _account_end(flow, begin, levels)
    elif kind == "household":
        stage = HOUSEHOLD
    else:
        stage = BACK
    return stage if stage > begin else BACK


def _account_end(flow: Flow, begin: int, levels: dict[str, int]) -> int:
    if flow.kind == "own_account":
        return RECEIVER
    if flow.kind != "outflow":
        return OWN
    return max(RECEIVER - 1 + levels.get(flow.target, 1), begin + 1)


def _levels(flows: list[Flow]) -> dict[str, int]:
    """By account, its distance in outflows from a household; one that none reaches begins at 1."""
    onward: dict[str, set[str]] = defaultdict(set)
    edge = [f for f in flows if f.kind == "outflow" and _kind(f.target) == "account"]
    for flow in edge:
        onward[flow.source].add(flow.target)
    levels: dict[str, int] = {}
    wave = {f.target for f in edge if _kind(f.source) == "household"}
    unreached = sorted(f.source for f in edge if _kind(f.source) == "account")
    while wave or unreached:
        level = 1
        while wave := {node for node in wave if node not in levels and _kind(node) == "account"}:
            levels |= dict.fromkeys(wave, level)
            wave, level = {to for node in wave for to in onward[node]}, level + 1
        unreached = [node for node in unreached if node not in levels]
        wave = set(unreached[:1])
    return levels


# ---- too many nodes --------------------------------------------------------------------


def _folded(placed: list[_Placed], focus: str | None, opened: Collection[str]) -> list[_Placed]:
    """The smallest of the fullest columns taken together, until MOST nodes are left."""
    fen = _amounts(placed)
    by_stage: dict[int, list[Place]] = defaultdict(list)
    for place in sorted(fen, key=lambda place: (fen[place], place)):
        if place.node != focus and stage_name(place.stage) not in opened:
            by_stage[place.stage].append(place)
    alone = sum(stage_name(place.stage) not in opened for place in fen) - sum(
        map(len, by_stage.values())
    )
    most = _most_in_a_column([len(places) for places in by_stage.values()], MOST - alone)
    others: dict[Place, Place] = {}
    for stage, places in by_stage.items():
        if len(places) > most:
            others |= dict.fromkeys(places[: len(places) - most + 1], Place(stage, ""))
    return _merged(placed, others) if others else placed


def _most_in_a_column(lengths: list[int], room: int) -> int:
    """How many nodes a column may have at most, so that all columns together have room."""
    return next(
        (most for most in range(max(lengths, default=1), 1, -1)
         if sum(min(length, most) for length in lengths) <= room),
        1,
    )  # fmt: skip


def _amounts(placed: list[_Placed]) -> dict[Place, int]:
    into: dict[Place, int] = defaultdict(int)
    out: dict[Place, int] = defaultdict(int)
    for source, target, flow, _, _ in placed:
        out[source] += flow.amount_fen
        into[target] += flow.amount_fen
    return {place: max(into[place], out[place]) for place in {*into, *out}}


def _merged(placed: list[_Placed], others: dict[Place, Place]) -> list[_Placed]:
    """Flows between the same places, of one kind, flagged or not, are one."""
    sums: dict[tuple[Place, Place, str, bool], list[_Placed]] = defaultdict(list)
    for each in placed:
        source, target, flow, _, _ = each
        key = (others.get(source, source), others.get(target, target), flow.kind, flow.flagged)
        sums[key].append(each)
    found: list[_Placed] = []
    for (source, target, _, _), together in sums.items():
        flow = together[0][2]
        if len(together) > 1:
            flow = flow._replace(amount_fen=sum(e[2].amount_fen for e in together), href=None)
        sources = tuple(dict.fromkeys(node for each in together for node in each[3]))
        targets = tuple(dict.fromkeys(node for each in together for node in each[4]))
        found.append((source, target, flow, sources, targets))
    return found


# ---- where -----------------------------------------------------------------------------


def _bars(placed: list[_Placed]) -> dict[Place, Bar]:
    names: dict[Place, dict[str, None]] = defaultdict(dict)
    bars: dict[Place, Bar] = {}
    for source, target, flow, sources, targets in placed:
        for place, nodes in ((source, sources), (target, targets)):
            names[place] |= dict.fromkeys(nodes)
            bars.setdefault(place, Bar(place, 0, (), first=nodes[0]))
        bars[source].out_fen += flow.amount_fen
        bars[target].in_fen += flow.amount_fen
    for place, bar in bars.items():
        bar.stands_for = tuple(names[place])
    return bars


def _columns(bars: dict[Place, Bar], placed: list[_Placed]) -> list[list[Bar]]:
    """Bars by column. What only gives stands right before what it first gives to."""
    stages = sorted({place.stage for place in bars})
    number = {stage: i for i, stage in enumerate(stages)}
    first: dict[Place, int] = {}
    receiving = set()
    for source, target, *_ in placed:
        first[source] = min(first.get(source, len(stages)), number[target.stage])
        receiving.add(target)
    found: dict[int, list[Bar]] = defaultdict(list)
    for place in sorted(bars, key=lambda place: (-bars[place].amount_fen, place)):
        gives_only = place not in receiving
        found[first[place] - 1 if gives_only else number[place.stage]].append(bars[place])
    columns = [found[i] for i in sorted(found)]
    for i, (column, x) in enumerate(zip(columns, _places(columns), strict=True)):
        for bar in column:
            bar.column, bar.x = i, x
    return columns


def _places(columns: list[list[Bar]]) -> list[float]:
    """Where the columns stand: those before banks and batches closer together."""
    early = [max(bar.place.stage for bar in column) < GIVER for column in columns[:-1]]
    gaps = [_EARLY_GAP if each else 1.0 for each in early]
    unit = (WIDTH - _RIGHT - BAR) / max(sum(gaps), 1.0)
    return [sum(gaps[:i]) * unit for i in range(len(columns))]


def _ribbons(
    placed: list[_Placed], bars: dict[Place, Bar], columns: list[list[Bar]]
) -> list[Ribbon]:
    """With their widths, which make the heights of the bars."""
    most = max((sum(bar.amount_fen for bar in column) for column in columns), default=0)
    scale = _BODY / most if most else 0.0
    ribbons = [
        Ribbon(bars[source], bars[target], flow, max(flow.amount_fen * scale, _THINNEST))
        for source, target, flow, *_ in placed
    ]
    for side in ("source", "target"):
        wide: dict[Place, float] = defaultdict(float)
        for ribbon in ribbons:
            wide[getattr(ribbon, side).place] += ribbon.thick
        for place, width in wide.items():
            bars[place].height = max(bars[place].height, width)
    return ribbons


def _arranged(columns: list[list[Bar]], ribbons: list[Ribbon]) -> float:
    """Stack the bars, then pull each to the middle of its neighbours, to and fro."""
    height = max(
        (sum(bar.slot for bar in column) + _GAP * (len(column) - 1) for column in columns),
        default=0.0,
    )
    for column in columns:
        _stacked(column, height, dict.fromkeys(map(id, column), 0.0))
    into: dict[Place, list[Ribbon]] = defaultdict(list)
    out: dict[Place, list[Ribbon]] = defaultdict(list)
    for ribbon in ribbons:
        into[ribbon.target.place].append(ribbon)
        out[ribbon.source.place].append(ribbon)
    for _ in range(_SWEEPS):
        for column in columns[1:]:
            _stacked(column, height, {id(b): _pull(b, into[b.place], "source") for b in column})
        for column in reversed(columns[:-1]):
            _stacked(column, height, {id(b): _pull(b, out[b.place], "target") for b in column})
    return height


def _pull(bar: Bar, ribbons: list[Ribbon], side: str) -> float:
    weight = sum(r.thick for r in ribbons)
    if not weight:
        return bar.y
    middle: float = sum(getattr(r, side).middle * r.thick for r in ribbons) / weight
    return middle - bar.slot / 2


def _stacked(column: list[Bar], height: float, wished: Mapping[int, float]) -> None:
    """Each bar as near to where it wishes to be as leaves none over another, from top to bottom."""
    column.sort(key=lambda b: (round(wished[id(b)] + b.slot / 2, 3), b.y, -b.amount_fen, b.place))
    down = 0.0
    for bar in column:
        bar.y = max(wished[id(bar)], down)
        down = bar.y + bar.slot + _GAP
    up = height
    for bar in reversed(column):
        bar.y = min(bar.y, up - bar.slot)
        up = bar.y - _GAP


def _attached(ribbons: Sequence[Ribbon]) -> None:
    """Where along their bars the ribbons begin and end: in the order of their other ends."""
    for bar in {id(b): b for r in ribbons for b in (r.source, r.target)}.values():
        bar.y = round(bar.y + _TOP, 2)
    used: dict[Place, float] = {}
    for ribbon in sorted(ribbons, key=lambda r: (r.target.middle, r.target.place, r.flow.kind)):
        ribbon.begin = used.get(ribbon.source.place, ribbon.source.top)
        used[ribbon.source.place] = ribbon.begin + ribbon.thick
    used = {}
    for ribbon in sorted(ribbons, key=lambda r: (r.source.middle, r.source.place, r.flow.kind)):
        ribbon.end = used.get(ribbon.target.place, ribbon.target.top)
        used[ribbon.target.place] = ribbon.end + ribbon.thick
